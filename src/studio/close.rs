//! The window on its way out: requests of the desktop, the way into the background and back, the last files.

use super::link::LinkCell;
use super::session::{Action, Closing, Session};
use super::viewport::ViewActions;
use bevy::prelude::*;
use bevy::window::{PrimaryWindow, WindowCloseRequested};
use std::time::{Duration, Instant};

/// The last edits are waited for no longer than this: a worker in a long step writes them when it is joined.
const LAST_FILES: Duration = Duration::from_secs(5);

/// The button of the window's frame, or the desktop, wants it closed.
pub(super) fn requested(mut requests: MessageReader<WindowCloseRequested>, mut actions: ResMut<ViewActions>) {
    if requests.read().count() > 0 {
        actions.0.push(Action::Quit);
    }
}

/// Does what the session has come to.
pub(super) fn follow(
    mut cell: ResMut<LinkCell>,
    mut session: ResMut<Session>,
    mut window: Single<&mut Window, With<PrimaryWindow>>,
    mut exit: MessageWriter<AppExit>,
    mut away: Local<bool>,
    mut since: Local<Option<Instant>>,
) {
    let link = cell.get();
    let closing = session.closing();
    // Again and again: a run that is still being prepared forgets what was asked of the one before.
    if closing == Closing::Saving && session.is_active() {
        link.worker.cancel();
    }
    let background = closing == Closing::Background;
    if *away != background {
        // Not hidden: the bar of the desktop still has it, so that it can be brought back.
        window.set_minimized(background);
        *away = background;
    }
    if closing != Closing::Leaving {
        *since = None;
        return;
    }
    let since = *since.get_or_insert_with(Instant::now);
    link.save(&mut session);
    if !session.is_saving() || since.elapsed() > LAST_FILES {
        exit.write(AppExit::Success);
    }
}
