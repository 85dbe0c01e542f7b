//! Commands about panels, their layouts, and help.

use super::table::{Id, ctrl, ctrl_shift, opened, plain, shift};
use super::{Entry, Menu};
use crate::studio::docks::Pane;
use crate::studio::session::{Action, Framed, PoseAction, Session};
use crate::studio::ui_state::Arrangement;
use egui::Key;

fn with_findings(session: &Session) -> Option<String> {
    let why = match &session.diagnosis {
        None => "The capture is still being examined",
        Some(d) if d.findings.is_empty() => "Nothing was found",
        Some(_) => return opened(session),
    };
    opened(session).or_else(|| Some(why.to_owned()))
}

/// Shows a panel, or lets it go again.
fn toggle(session: &mut Session, pane: Pane) -> Option<Action> {
    session.ui.toggle(pane);
    None
}

/// Shows the pose panel; the hands are asked for the first time.
fn pose(session: &mut Session) -> Option<Action> {
    session.ui.toggle(Pane::Pose);
    let wanted = session.ui.shows(Pane::Pose) && session.posing.is_none() && session.why_not_pose().is_none();
    wanted.then_some(Action::Pose(PoseAction::Begin))
}

/// What lies on top goes first, then a polygon that was begun, then the edit mode, then the view through a camera.
fn close(session: &mut Session) -> Option<Action> {
    let on_top = is_window_open(session);
    let ui = &mut session.ui;
    if on_top {
        (ui.show_help, ui.show_developer, ui.show_export, ui.palette) = (false, false, false, None);
    } else if !ui.editing.polygon.is_empty() {
        ui.editing.give_up();
    } else if ui.editing.tool.is_some() {
        ui.editing.choose(None);
    } else if ui.through.is_some() {
        return Some(Action::Frame(Framed::Hands));
    }
    None
}

fn is_window_open(session: &Session) -> bool {
    let ui = &session.ui;
    ui.show_help || ui.show_developer || ui.show_export || ui.palette.is_some()
}

fn is_anything_open(session: &Session) -> bool {
    is_window_open(session) || session.ui.editing.tool.is_some() || session.ui.through.is_some()
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

/// Goes on to another panel.
fn step(session: &mut Session, by: isize) -> Option<Action> {
    session.ui.step_pane(by);
    None
}

fn with_panels(session: &Session) -> Option<String> {
    let none = || session.ui.layout().panes().is_empty().then(|| "All panels are put away".to_owned());
    opened(session).or_else(none)
}

/// The rows.
pub(super) const ROWS: [Entry; 26] = [
    Entry::new(Id::Views, Menu::Window, "show-views", "Views", "The list of views")
        .when(opened)
        .on(|s| s.ui.shows(Pane::Views))
        .does(|s| toggle(s, Pane::Views)),
    Entry::new(Id::View3d, Menu::Window, "show-3d-view", "3D view", "The hands and the cameras in space")
        .when(opened)
        .on(|s| s.ui.shows(Pane::View3d))
        .does(|s| toggle(s, Pane::View3d)),
    Entry::new(Id::ComparePanel, Menu::Window, "show-compare", "Compare", "Photograph and render of the selected view")
        .when(opened)
        .on(|s| s.ui.shows(Pane::Compare))
        .does(|s| toggle(s, Pane::Compare)),
    Entry::new(
        Id::Parameters,
        Menu::Window,
        "show-parameters",
        "Parameters",
        "What the next run is given: hands, folder, numbers of the preset",
    )
    .when(opened)
    .on(|s| s.ui.shows(Pane::Parameters))
    .does(|s| {
        s.ui.bring(Pane::Parameters);
        None
    }),
    Entry::new(Id::Pose, Menu::Window, "show-pose", "Pose", "Move the hands with sliders")
        .when(opened)
        .on(|s| s.ui.shows(Pane::Pose))
        .does(pose),
    Entry::new(
        Id::Findings,
        Menu::Window,
        "show-findings",
        "Findings",
        "What is wrong with this capture, and what is done about it",
    )
    .when(opened)
    .on(|s| s.ui.shows(Pane::Findings))
    .does(|s| toggle(s, Pane::Findings)),
    Entry::new(
        Id::Capture,
        Menu::Window,
        "show-capture",
        "Capture",
        "How the capture was read, and why; set it by hand",
    )
    .keys(&[plain(Key::I)])
    .when(opened)
    .on(|s| s.ui.shows(Pane::Capture))
    .does(|s| toggle(s, Pane::Capture)),
    Entry::new(Id::Curves, Menu::Window, "curves", "Loss curves", "The losses of all steps")
        .when(opened)
        .on(|s| s.ui.shows(Pane::Curves))
        .does(|s| toggle(s, Pane::Curves)),
    Entry::new(Id::Log, Menu::Window, "show-log", "Log", "What happened")
        .when(opened)
        .on(|s| s.ui.shows(Pane::Log))
        .does(|s| toggle(s, Pane::Log)),
    Entry::new(
        Id::Timeline,
        Menu::Window,
        "show-timeline",
        "Timeline",
        "The snapshots of the run, along the lower edge",
    )
    .when(opened)
    .on(|s| s.ui.shows(Pane::Timeline))
    .does(|s| toggle(s, Pane::Timeline)),
    Entry::new(Id::NextPanel, Menu::Window, "next-panel", "Next panel", "Show the next panel, and give it the keys")
        .keys(&[plain(Key::F6)])
        .ruled()
        .when(with_panels)
        .does(|s| step(s, 1)),
    Entry::new(
        Id::PreviousPanel,
        Menu::Window,
        "previous-panel",
        "Previous panel",
        "Show the previous panel, and give it the keys",
    )
    .keys(&[shift(Key::F6)])
    .when(with_panels)
    .does(|s| step(s, -1)),
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
        Id::ResetLayout,
        Menu::Window,
        "reset-layout",
        "Reset layout",
        "Put the panels of this layout where they were to begin with",
    )
    .keys(&[ctrl_shift(Key::L)])
    .when(|s| {
        let untouched =
            || s.ui.is_layout_untouched().then(|| "The panels lie where they were to begin with".to_owned());
        opened(s).or_else(untouched)
    })
    .does(|s| {
        s.ui.reset_layout();
        None
    }),
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
        "Close the small windows, or leave the edit mode, or the camera that is looked through",
    )
    .keys(&[plain(Key::Escape)])
    .when(|s| (!is_anything_open(s)).then(|| "Nothing is open".to_owned()))
    .does(close),
];
