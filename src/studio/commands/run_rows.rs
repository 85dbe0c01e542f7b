//! Commands about computing and the snapshots of it.

use super::table::{Id, ctrl, ctrl_shift, opened, owned, plain};
use super::{Entry, Menu};
use crate::studio::session::{Action, RunState, Session};
use egui::Key;

fn with_snapshots(session: &Session) -> Option<String> {
    opened(session).or_else(|| session.track.frames().is_empty().then(|| "There are no snapshots yet".to_owned()))
}

/// The rows.
pub(super) const ROWS: [Entry; 9] = [
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
];
