//! Commands that edit keypoints and masks of the selected view. Keys that mean something else outside of the edit mode are
//! [`Entry::in_mode`].

use super::table::{Id, opened, plain, shift};
use super::{Entry, Menu};
use crate::anatomy::Side;
use crate::studio::docks::Pane;
use crate::studio::editing::EditTool;
use crate::studio::session::{Action, EditAction, Session};
use crate::studio::ui_state::Arrangement;
use egui::Key;

/// Takes a tool, or leaves the edit mode when it is the one in hand. Pictures are edited where there is one.
fn take(session: &mut Session, tool: EditTool) -> Option<Action> {
    let now = session.ui.editing.tool;
    session.ui.editing.choose(if now == Some(tool) { None } else { Some(tool) });
    if session.ui.editing.tool.is_some() && !session.ui.shows(Pane::Compare) {
        if session.ui.arrangement == Arrangement::Simple {
            session.ui.arrangement = Arrangement::Compare;
        }
        session.ui.bring(Pane::Compare);
    }
    None
}

fn with_picked(session: &Session) -> Option<String> {
    let in_hand = session.ui.editing.tool == Some(EditTool::Keypoints) && session.ui.editing.picked.is_some();
    opened(session).or_else(|| (!in_hand).then(|| "Click a keypoint first (K edits keypoints)".to_owned()))
}

fn with_brush(session: &Session) -> Option<String> {
    let in_hand = session.ui.editing.tool.is_some_and(EditTool::has_size);
    opened(session).or_else(|| (!in_hand).then(|| "Take the brush or the eraser first (M, E)".to_owned()))
}

fn with_polygon(session: &Session) -> Option<String> {
    let editing = &session.ui.editing;
    let begun = editing.tool == Some(EditTool::Polygon) && editing.polygon.len() >= 3;
    opened(session).or_else(|| (!begun).then(|| "Click at least three corners first (P)".to_owned()))
}

fn with_edits(session: &Session, of_mask: bool) -> Option<String> {
    let edits = session.view_edits(session.selected);
    let some = edits.is_some_and(|e| if of_mask { e.mask.is_some() } else { e.has_keypoints() });
    opened(session).or_else(|| (!some).then(|| "Nothing of it is edited in this view".to_owned()))
}

/// The rows.
pub(super) const ROWS: [Entry; 11] = [
    Entry::new(
        Id::EditKeypoints,
        Menu::Edit,
        "edit-keypoints",
        "Edit keypoints",
        "Drag the keypoints of the selected view; a right click has more",
    )
    .ruled()
    .keys(&[plain(Key::K)])
    .when(opened)
    .on(|s| s.ui.editing.tool == Some(EditTool::Keypoints))
    .does(|s| take(s, EditTool::Keypoints)),
    Entry::new(
        Id::KeypointUnseen,
        Menu::Edit,
        "keypoint-unseen",
        "Keypoint unseen, or seen",
        "The keypoint that was clicked is not to be seen in this view, or is again",
    )
    .keys(&[plain(Key::V)])
    .in_mode()
    .when(with_picked)
    .does(|s| {
        let (side, keypoint) = s.ui.editing.picked?;
        Some(Action::Edit(EditAction::ToggleUnseen(s.selected, *Side::BOTH.get(side)?, keypoint)))
    }),
    Entry::new(
        Id::SwapSides,
        Menu::Edit,
        "swap-sides",
        "Swap left and right",
        "What was detected as the left hand of the selected view is the right one, and the other way round",
    )
    .keys(&[shift(Key::K)])
    .when(opened)
    .does(|s| Some(Action::Edit(EditAction::SwapSides(s.selected)))),
    Entry::new(Id::Brush, Menu::Edit, "edit-brush", "Brush", "Paint what is hand into the mask of the selected view")
        .keys(&[plain(Key::M)])
        .when(opened)
        .on(|s| s.ui.editing.tool == Some(EditTool::Brush))
        .does(|s| take(s, EditTool::Brush)),
    Entry::new(Id::Eraser, Menu::Edit, "edit-eraser", "Eraser", "Take away from the mask what is no hand")
        .keys(&[plain(Key::E)])
        .when(opened)
        .on(|s| s.ui.editing.tool == Some(EditTool::Eraser))
        .does(|s| take(s, EditTool::Eraser)),
    Entry::new(
        Id::Polygon,
        Menu::Edit,
        "edit-polygon",
        "Polygon",
        "Click corners; a double click or Enter adds what they enclose to the mask, or takes it away",
    )
    .keys(&[plain(Key::P)])
    // Outside of the edit mode the key pins a step.
    .in_mode_while(|s| s.ui.editing.tool.is_some())
    .when(opened)
    .on(|s| s.ui.editing.tool == Some(EditTool::Polygon))
    .does(|s| take(s, EditTool::Polygon)),
    Entry::new(Id::ClosePolygon, Menu::Edit, "close-polygon", "Close the polygon", "Fill what the corners enclose")
        .keys(&[plain(Key::Enter)])
        .in_mode()
        .when(with_polygon)
        .does(Session::close_polygon),
    Entry::new(Id::SmallerBrush, Menu::Edit, "smaller-brush", "Smaller brush", "Brush and eraser smaller")
        .keys(&[plain(Key::OpenBracket)])
        .in_mode()
        .when(with_brush)
        .does(|s| {
            s.ui.editing.resize(false);
            None
        }),
    Entry::new(Id::LargerBrush, Menu::Edit, "larger-brush", "Larger brush", "Brush and eraser larger")
        .keys(&[plain(Key::CloseBracket)])
        .in_mode()
        .when(with_brush)
        .does(|s| {
            s.ui.editing.resize(true);
            None
        }),
    Entry::new(
        Id::RevertKeypoints,
        Menu::Edit,
        "revert-keypoints",
        "Revert this view's keypoints",
        "The keypoints of the selected view as they were detected",
    )
    .when(|s| with_edits(s, false))
    .does(|s| Some(Action::Edit(EditAction::RevertKeypoints(s.selected)))),
    Entry::new(
        Id::RevertMask,
        Menu::Edit,
        "revert-mask",
        "Revert this view's mask",
        "The mask of the selected view as the capture has it",
    )
    .when(|s| with_edits(s, true))
    .does(|s| Some(Action::Edit(EditAction::RevertMask(s.selected)))),
];
