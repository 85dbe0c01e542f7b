//! Commands about computing, snapshots, panels and help.

use super::table::{Id, ctrl, ctrl_shift, opened, owned, plain, shift};
use super::{Entry, Menu};
use crate::studio::session::{Action, PoseAction, RunState, SPEEDS, Session, TimeAction};
use crate::studio::ui_state::{Arrangement, Tab};
use egui::Key;

fn with_snapshots(session: &Session) -> Option<String> {
    opened(session).or_else(|| session.track.frames().is_empty().then(|| "There are no snapshots yet".to_owned()))
}

fn with_mark(session: &Session, forward: bool) -> Option<String> {
    let none = || session.mark(forward).is_none().then(|| "There is none on that side".to_owned());
    with_snapshots(session).or_else(none)
}

/// Plays slower or faster, within what there is to choose.
fn speed(session: &mut Session, by: f32) -> Option<Action> {
    session.ui.play_speed = (session.ui.play_speed * by).clamp(SPEEDS[0], SPEEDS[SPEEDS.len() - 1]);
    None
}

fn with_findings(session: &Session) -> Option<String> {
    let why = match &session.diagnosis {
        None => "The capture is still being examined",
        Some(d) if d.findings.is_empty() => "Nothing was found",
        Some(_) => return opened(session),
    };
    opened(session).or_else(|| Some(why.to_owned()))
}

/// Shows a panel in place of the parameters, or the parameters again.
fn tab(session: &mut Session, tab: Tab) -> Option<Action> {
    session.ui.tab = if session.ui.tab == tab { Tab::Parameters } else { tab };
    None
}

/// Shows the pose panel; the hands are asked for the first time.
fn pose(session: &mut Session) -> Option<Action> {
    tab(session, Tab::Pose);
    let wanted = session.ui.tab == Tab::Pose && session.posing.is_none() && session.why_not_pose().is_none();
    wanted.then_some(Action::Pose(PoseAction::Begin))
}

/// What lies on top goes first, then a polygon that was begun, then the edit mode.
fn close(session: &mut Session) -> Option<Action> {
    let on_top = is_window_open(session);
    let ui = &mut session.ui;
    if !on_top && !ui.editing.polygon.is_empty() {
        ui.editing.give_up();
        return None;
    }
    if !on_top {
        ui.editing.choose(None);
    }
    (ui.show_help, ui.show_developer, ui.show_export, ui.palette) = (false, false, false, None);
    None
}

fn is_window_open(session: &Session) -> bool {
    let ui = &session.ui;
    ui.show_help || ui.show_developer || ui.show_export || ui.palette.is_some()
}

fn is_anything_open(session: &Session) -> bool {
    is_window_open(session) || session.ui.editing.tool.is_some()
}

fn arrange(session: &mut Session, arrangement: Arrangement) -> Option<Action> {
    session.ui.arrangement = arrangement;
    None
}

/// Makes letters larger or smaller, by a step at least.
fn zoom(session: &mut Session, by: f32) -> Option<Action> {
    session.ui.set_zoom(session.ui.zoom * by);
    None
}

/// The rows.
pub(super) const ROWS: [Entry; 34] = [
    Entry::new(
        Id::Reconstruct,
        Menu::Run,
        "reconstruct-or-resume",
        "Reconstruct, or resume",
        "Reconstruct the hands; an unfinished run goes on where it stopped",
    )
    .keys(&[ctrl(Key::R)])
    .when(|s| if s.why_not_resume().is_none() { None } else { s.why_not_start() })
    .does(|s| Some(if s.why_not_resume().is_none() { Action::Resume } else { Action::Start })),
    Entry::new(
        Id::StartNew,
        Menu::Run,
        "reconstruct-anew",
        "Reconstruct anew",
        "Reconstruct in a folder of its own; an unfinished run stays as it is",
    )
    .keys(&[ctrl_shift(Key::R)])
    .when(Session::why_not_start)
    .does(|_| Some(Action::Start)),
    Entry::new(Id::Pause, Menu::Run, "pause-or-go-on", "Pause, or go on", "Hold before the next step, or go on")
        .keys(&[plain(Key::T)])
        .when(|s| owned(s.why_not_pause()))
        .on(|s| s.state == RunState::Paused)
        .does(|_| Some(Action::TogglePause)),
    Entry::new(
        Id::Stop,
        Menu::Run,
        "stop-run",
        "Stop",
        "End the run; the last state is kept, can be exported and gone on with",
    )
    .when(|s| (!s.is_active()).then(|| "Nothing is running".to_owned()))
    .does(|_| Some(Action::Stop)),
    Entry::new(
        Id::TrainNetwork,
        Menu::Run,
        "train-network",
        "Train the network",
        "Go on with the run that is open: train the network that shows its hands as photographs",
    )
    .when(|s| owned(s.why_not_train()))
    .does(|_| Some(Action::TrainNetwork)),
    Entry::new(Id::FirstSnapshot, Menu::Run, "first-snapshot", "First snapshot", "Show the beginning of the run")
        .keys(&[plain(Key::Home)])
        .ruled()
        .when(with_snapshots)
        .does(|_| Some(Action::Scrub(0))),
    Entry::new(Id::PreviousSnapshot, Menu::Run, "previous-snapshot", "Previous snapshot", "One snapshot back")
        .keys(&[plain(Key::Comma)])
        .when(with_snapshots)
        .does(|_| Some(Action::ScrubBy(-1))),
    Entry::new(Id::NextSnapshot, Menu::Run, "next-snapshot", "Next snapshot", "One snapshot on")
        .keys(&[plain(Key::Period)])
        .when(with_snapshots)
        .does(|_| Some(Action::ScrubBy(1))),
    Entry::new(Id::Live, Menu::Run, "follow", "Live", "Follow the newest snapshot")
        .keys(&[plain(Key::End)])
        .when(with_snapshots)
        .on(|s| s.cursor.is_none())
        .does(|_| Some(Action::GoLive)),
    Entry::new(Id::Play, Menu::Run, "play", "Play, or hold", "Play the snapshots from the shown one on")
        .keys(&[plain(Key::Space)])
        .ruled()
        .when(with_snapshots)
        .on(Session::is_playing)
        .does(|_| Some(Action::Time(TimeAction::TogglePlay))),
    Entry::new(
        Id::PreviousMark,
        Menu::Run,
        "previous-mark",
        "Previous stage or pin",
        "Back to the begin of a phase, or to a pinned step",
    )
    .keys(&[shift(Key::Comma)])
    .when(|s| with_mark(s, false))
    .does(|_| Some(Action::Time(TimeAction::ToMark(false)))),
    Entry::new(
        Id::NextMark,
        Menu::Run,
        "next-mark",
        "Next stage or pin",
        "On to the begin of a phase, to a pinned step, or to the end",
    )
    .keys(&[shift(Key::Period)])
    .when(|s| with_mark(s, true))
    .does(|_| Some(Action::Time(TimeAction::ToMark(true)))),
    Entry::new(
        Id::Pin,
        Menu::Run,
        "pin-step",
        "Pin the step, or take its pin away",
        "Mark the shown step on the timeline: it stays whatever else is thinned out, can be exported and gone on from",
    )
    .keys(&[plain(Key::P)])
    .when(|s| opened(s).or_else(|| owned(s.why_not_pin())))
    .on(|s| s.shown.as_ref().is_some_and(|shown| s.pins.contains(&shown.step)))
    .does(|s| s.shown.as_ref().map(|shown| Action::Time(TimeAction::TogglePin(shown.step)))),
    Entry::new(Id::Loop, Menu::Run, "play-loop", "Play in a loop", "Begin anew at the end of the timeline")
        .when(opened)
        .on(|s| s.ui.play_loop)
        .does(|s| {
            s.ui.play_loop = !s.ui.play_loop;
            None
        }),
    Entry::new(Id::Slower, Menu::Run, "play-slower", "Play slower", "Half as many snapshots a second")
        .when(|s| opened(s).or_else(|| (s.ui.play_speed <= SPEEDS[0]).then(|| "It is as slow as it gets".to_owned())))
        .does(|s| speed(s, 0.5)),
    Entry::new(Id::Faster, Menu::Run, "play-faster", "Play faster", "Twice as many snapshots a second")
        .when(|s| {
            let most = s.ui.play_speed >= SPEEDS[SPEEDS.len() - 1];
            opened(s).or_else(|| most.then(|| "It is as fast as it gets".to_owned()))
        })
        .does(|s| speed(s, 2.0)),
    Entry::new(
        Id::Parameters,
        Menu::Window,
        "show-parameters",
        "Parameters",
        "What the next run is given: hands, folder, numbers of the preset",
    )
    .when(opened)
    .on(|s| s.ui.tab == Tab::Parameters)
    .does(|s| {
        s.ui.tab = Tab::Parameters;
        None
    }),
    Entry::new(Id::Pose, Menu::Window, "show-pose", "Pose", "Move the hands with sliders, in place of the parameters")
        .when(opened)
        .on(|s| s.ui.tab == Tab::Pose)
        .does(pose),
    Entry::new(
        Id::Findings,
        Menu::Window,
        "show-findings",
        "Findings",
        "What is wrong with this capture, and what is done about it",
    )
    .when(opened)
    .on(|s| s.ui.tab == Tab::Findings)
    .does(|s| tab(s, Tab::Findings)),
    Entry::new(
        Id::Capture,
        Menu::Window,
        "show-capture",
        "Capture",
        "How the capture was read, and why; set it by hand",
    )
    .keys(&[plain(Key::I)])
    .when(opened)
    .on(|s| s.ui.tab == Tab::Capture)
    .does(|s| tab(s, Tab::Capture)),
    Entry::new(Id::NextFinding, Menu::Window, "next-finding", "Next finding", "Select the next finding and its view")
        .keys(&[plain(Key::N)])
        .when(with_findings)
        .does(|_| Some(Action::FindingBy(1))),
    Entry::new(
        Id::PreviousFinding,
        Menu::Window,
        "previous-finding",
        "Previous finding",
        "Select the previous finding and its view",
    )
    .keys(&[shift(Key::N)])
    .when(with_findings)
    .does(|_| Some(Action::FindingBy(-1))),
    Entry::new(Id::Curves, Menu::Window, "curves", "Curves and log", "Loss curves, timeline and log")
        .ruled()
        .when(opened)
        .on(|s| s.ui.show_curves)
        .does(|s| {
            s.ui.show_curves = !s.ui.show_curves;
            None
        }),
    Entry::new(Id::Developer, Menu::Window, "developer", "Figures for developers", "How long each phase takes")
        .keys(&[plain(Key::F12)])
        .on(|s| s.ui.show_developer)
        .does(|s| {
            s.ui.show_developer = !s.ui.show_developer;
            None
        }),
    Entry::new(
        Id::Simple,
        Menu::Window,
        "layout-simple",
        "Layout: simple",
        "The 3D view with the list of views and the timeline",
    )
    .keys(&[ctrl(Key::Num1)])
    .ruled()
    .when(opened)
    .on(|s| s.ui.arrangement == Arrangement::Simple)
    .does(|s| arrange(s, Arrangement::Simple)),
    Entry::new(Id::Studio, Menu::Window, "layout-studio", "Layout: studio", "All panels around the 3D view")
        .keys(&[ctrl(Key::Num2)])
        .when(opened)
        .on(|s| s.ui.arrangement == Arrangement::Studio)
        .does(|s| arrange(s, Arrangement::Studio)),
    Entry::new(
        Id::ComparePictures,
        Menu::Window,
        "layout-compare",
        "Layout: compare",
        "The pictures large, the 3D view small",
    )
    .keys(&[ctrl(Key::Num3)])
    .when(opened)
    .on(|s| s.ui.arrangement == Arrangement::Compare)
    .does(|s| arrange(s, Arrangement::Compare)),
    Entry::new(
        Id::LightPanels,
        Menu::Window,
        "light-panels",
        "Light panels",
        "Dark letters on light panels; pictures stay on dark ground",
    )
    .on(|s| s.ui.light)
    .does(|s| {
        s.ui.light = !s.ui.light;
        None
    }),
    Entry::new(
        Id::Larger,
        Menu::Window,
        "larger",
        "Larger letters",
        "Letters and buttons larger, as far as the window has room",
    )
    .keys(&[ctrl(Key::Plus), ctrl(Key::Equals)])
    .ruled()
    .does(|s| zoom(s, 1.1)),
    Entry::new(Id::Smaller, Menu::Window, "smaller", "Smaller letters", "Letters and buttons smaller")
        .keys(&[ctrl(Key::Minus)])
        .does(|s| zoom(s, 1.0 / 1.1)),
    Entry::new(Id::UsualSize, Menu::Window, "usual-size", "Usual letters", "Letters and buttons as large as usual")
        .keys(&[ctrl(Key::Num0)])
        .when(|s| (s.ui.zoom == 1.0).then(|| "They are as large as usual".to_owned()))
        .does(|s| {
            s.ui.set_zoom(1.0);
            None
        }),
    Entry::new(Id::Palette, Menu::Help, "palette", "Search commands…", "Find a command by a few letters of it")
        .keys(&[ctrl(Key::K), ctrl(Key::P)])
        .on(|s| s.ui.palette.is_some())
        .does(|s| {
            s.ui.palette = if s.ui.palette.is_some() { None } else { Some(Default::default()) };
            None
        }),
    Entry::new(Id::Keys, Menu::Help, "keys", "Keys and mouse", "The sheet of all keys")
        .keys(&[plain(Key::F1)])
        .on(|s| s.ui.show_help)
        .does(|s| {
            s.ui.show_help = !s.ui.show_help;
            None
        }),
    Entry::new(
        Id::Close,
        Menu::Help,
        "close-windows",
        "Close what lies on top",
        "Close the small windows, or leave the edit mode",
    )
    .keys(&[plain(Key::Escape)])
    .when(|s| (!is_anything_open(s)).then(|| "Nothing is open".to_owned()))
    .does(close),
];
