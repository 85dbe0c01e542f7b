//! Commands about computing and the snapshots of it.

use super::table::{Id, ctrl, ctrl_shift, opened, owned, plain, shift};
use super::{Entry, Menu};
use crate::studio::session::{Action, RunState, SPEEDS, Session, TimeAction};
use egui::Key;

fn with_snapshots(session: &Session) -> Option<String> {
    opened(session).or_else(|| session.track.frames().is_empty().then(|| "There are no snapshots yet".to_owned()))
}

fn with_mark(session: &Session, forward: bool) -> Option<String> {
    let none = || session.next_mark(forward).is_none().then(|| "There is none on that side".to_owned());
    with_snapshots(session).or_else(none)
}

/// Plays slower or faster, within what there is to choose.
fn speed(session: &mut Session, by: f32) -> Option<Action> {
    session.ui.play_speed = (session.ui.play_speed * by).clamp(SPEEDS[0], SPEEDS[SPEEDS.len() - 1]);
    None
}

/// The rows.
pub(super) const ROWS: [Entry; 16] = [
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
];
