//! Edits of keypoints and masks for the next run: what each does, what is on show, and what has to be computed again.

use super::{Effect, Level, Session};
use crate::anatomy::{KEYPOINTS, Side};
use crate::capture::{CompactMask, Edits, HandEdits, KeypointEdit, ViewEdits};
use crate::detect::DetectedHands;
use crate::studio::editing::{EditTool, fill, paint};
use image::GrayImage;
use nalgebra::Vector3;
use std::sync::Arc;

/// An edit of a view. Sides are those on show.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum EditAction {
    /// Puts a keypoint somewhere, pixels.
    Place(usize, Side, usize, [f64; 2]),
    /// Marks a keypoint as unseen, or as seen again.
    ToggleUnseen(usize, Side, usize),
    /// Takes back what was done to a keypoint.
    Restore(usize, Side, usize),
    /// Marks a whole hand as unseen.
    HandUnseen(usize, Side),
    /// Gives a view the hand that was not detected there, where the joints of the run say.
    AddHand(usize, Side),
    /// Exchanges left and right.
    SwapSides(usize),
    /// Replaces the mask.
    Mask(usize, Arc<CompactMask>),
    /// Takes back all edits of a view's keypoints.
    RevertKeypoints(usize),
    /// Takes back all edits of its mask.
    RevertMask(usize),
}

impl EditAction {
    const fn view(&self) -> usize {
        match self {
            Self::Place(view, ..)
            | Self::ToggleUnseen(view, ..)
            | Self::Restore(view, ..)
            | Self::HandUnseen(view, _)
            | Self::AddHand(view, _)
            | Self::SwapSides(view)
            | Self::Mask(view, _)
            | Self::RevertKeypoints(view)
            | Self::RevertMask(view) => *view,
        }
    }
}

/// What differs between two sets of edits, in words.
pub(super) fn difference(a: &Edits, b: &Edits) -> String {
    let mut names: Vec<&String> = a.views.keys().chain(b.views.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let none = ViewEdits::default();
    let of = |edits: &'_ Edits, name: &str| edits.views.get(name).cloned().unwrap_or_else(|| none.clone());
    let changed: Vec<(&String, ViewEdits, ViewEdits)> =
        names.into_iter().map(|n| (n, of(a, n), of(b, n))).filter(|(_, a, b)| a != b).collect();
    match changed.as_slice() {
        [(name, a, b)] if a.mask != b.mask => format!("edit the mask of view {name}"),
        [(name, ..)] => format!("edit the keypoints of view {name}"),
        many => format!("edit {} views", many.len()),
    }
}

impl Session {
    /// Name of a view.
    fn view_name(&self, view: usize) -> Option<String> {
        self.capture.as_ref()?.views.get(view).map(|v| v.name.clone())
    }

    /// What was edited of a view.
    #[must_use]
    pub(crate) fn view_edits(&self, view: usize) -> Option<&ViewEdits> {
        let name = &self.capture.as_ref()?.views.get(view)?.name;
        self.edits.view(name)
    }

    /// The keypoints of a view without edits: those found in the images, else the capture's own.
    #[must_use]
    pub(crate) fn unedited_keypoints(&self, view: usize) -> DetectedHands {
        let own = || self.capture.as_ref()?.views.get(view).map(|v| &v.keypoints);
        let found = self.detected.as_ref().map_or_else(own, |detected| detected.get(view));
        found.cloned().unwrap_or_default()
    }

    /// The keypoints of a view: those found in the images, else the capture's own, as they are edited.
    #[must_use]
    pub(crate) fn keypoints(&self, view: usize) -> DetectedHands {
        let mut hands = self.unedited_keypoints(view);
        if let Some(edits) = self.view_edits(view) {
            // What finds no place is not on show either.
            let _ = edits.change_keypoints(&mut hands);
        }
        hands
    }

    /// The mask of a view as it is edited; an empty one where there is none.
    #[must_use]
    pub(crate) fn mask_image(&self, view: usize) -> Option<GrayImage> {
        if let Some(mask) = self.view_edits(view).and_then(|edits| edits.mask.as_ref()) {
            return Some(mask.image());
        }
        let seen = self.capture.as_ref()?.views.get(view)?;
        let (width, height) = seen.image.dimensions();
        Some(seen.mask.clone().unwrap_or_else(|| GrayImage::new(width, height)))
    }

    /// Where the joints of the run lie in a view, all of one hand.
    fn projected(&self, view: usize, side: Side) -> Option<HandEdits> {
        let joints = self.shown.as_ref()?.joints[side.index()]?;
        let camera = self.camera(view)?;
        let at = |j: usize| camera.project(&Vector3::from(joints[j])).map(|p| (j, KeypointEdit::At(p.x, p.y)));
        let all: Option<Vec<_>> = (0..KEYPOINTS).map(at).collect();
        Some(all?.into_iter().collect())
    }

    /// Why a hand cannot be put into a view, if so.
    #[must_use]
    pub(crate) fn why_no_hand(&self, view: usize, side: Side) -> Option<&'static str> {
        if self.keypoints(view)[side.index()].is_some() {
            Some("It is there already")
        } else if self.projected(view, side).is_none() {
            Some("No joints of it are known: reconstruct first")
        } else {
            None
        }
    }

    /// Carries out an edit.
    pub(super) fn edit(&mut self, action: EditAction) -> Option<Effect> {
        let view = action.view();
        let name = self.view_name(view)?;
        let swapped = self.view_edits(view).is_some_and(|edits| edits.swap_sides);
        // Edits go by the side that is claimed, before the exchange.
        let claimed = |side: Side| if swapped { 1 - side.index() } else { side.index() };
        let before = self.unedited_keypoints(view);
        let now = self.keypoints(view);
        let added = match action {
            EditAction::AddHand(_, side) if before[claimed(side)].is_none() => self.projected(view, side),
            _ => None,
        };
        let edits = Arc::make_mut(&mut self.edits);
        edits.change(&name, |edits| match action {
            EditAction::Place(_, side, k, [x, y]) if now[side.index()].is_some() => {
                edits.hands[claimed(side)].insert(k, KeypointEdit::At(x, y));
            }
            EditAction::ToggleUnseen(_, side, k) => {
                let Some(shown) = &now[side.index()] else { return };
                let of = &mut edits.hands[claimed(side)];
                if shown.confidence[k] > 0.0 {
                    of.insert(k, KeypointEdit::Unseen);
                } else if before[claimed(side)].as_ref().is_some_and(|hand| hand.confidence[k] > 0.0) {
                    of.remove(&k);
                } else {
                    of.insert(k, KeypointEdit::At(shown.px[k][0], shown.px[k][1]));
                }
            }
            EditAction::Restore(_, side, k) if before[claimed(side)].is_some() => {
                edits.hands[claimed(side)].remove(&k);
            }
            EditAction::HandUnseen(_, side) => {
                let of = &mut edits.hands[claimed(side)];
                if before[claimed(side)].is_none() {
                    of.clear();
                } else {
                    *of = (0..KEYPOINTS).map(|k| (k, KeypointEdit::Unseen)).collect();
                }
            }
            EditAction::AddHand(_, side) => {
                if let Some(hand) = added {
                    edits.hands[claimed(side)] = hand;
                }
            }
            EditAction::SwapSides(_) => edits.swap_sides = !edits.swap_sides,
            EditAction::Mask(_, mask) => edits.mask = Some(mask),
            EditAction::RevertKeypoints(_) => {
                edits.hands = Default::default();
                edits.swap_sides = false;
            }
            EditAction::RevertMask(_) => edits.mask = None,
            EditAction::Place(..) | EditAction::Restore(..) => {}
        });
        self.edits_revision += 1;
        None
    }

    /// What has to be computed again because of edits that the open run has not seen, by the first part of it.
    #[must_use]
    pub(crate) fn affected(&self) -> Option<&'static str> {
        self.run_dir.as_ref()?;
        if self.edits == self.run_edits {
            return None;
        }
        let names = self.edits.views.keys().chain(self.run_edits.views.keys());
        let of =
            |edits: &Edits, name: &str| edits.view(name).map(|e| (e.swap_sides, e.hands.clone())).unwrap_or_default();
        let keypoints = names.into_iter().any(|name| of(&self.edits, name) != of(&self.run_edits, name));
        Some(if keypoints { "pose" } else { "masks" })
    }

    /// A stroke of the tool in hand along a line of the selected view, as a whole; `None` without brush or eraser.
    #[must_use]
    pub(crate) fn stroke(&self, along: [[f64; 2]; 2]) -> Option<EditAction> {
        let tool = self.ui.editing.tool.filter(|tool| tool.has_size())?;
        let mut mask = self.mask_image(self.selected)?;
        let _ = paint(&mut mask, along, self.ui.editing.radius_px, if tool == EditTool::Eraser { 0 } else { 255 });
        Some(EditAction::Mask(self.selected, Arc::new(CompactMask::new(&mask))))
    }

    /// Fills the polygon that was begun.
    pub(crate) fn close_polygon(&mut self) -> Option<super::Action> {
        let corners = std::mem::take(&mut self.ui.editing.polygon);
        if corners.len() < 3 {
            return None;
        }
        let mut mask = self.mask_image(self.selected)?;
        fill(&mut mask, &corners, if self.ui.editing.takes_away { 0 } else { 255 });
        Some(super::Action::Edit(EditAction::Mask(self.selected, Arc::new(CompactMask::new(&mask)))))
    }

    /// How many views are edited.
    #[must_use]
    pub(crate) fn edited_views(&self) -> usize {
        let views = self.capture.iter().flat_map(|c| &c.views);
        views.filter(|view| self.edits.view(&view.name).is_some()).count()
    }

    /// Edits that were read, or are the run's own, take the place of those here. Those of another capture's masks are left
    /// out, as no run would take them.
    pub(super) fn take_edits(&mut self, mut edits: Arc<Edits>) {
        let sizes = self.capture.iter().flat_map(|c| &c.views).map(|view| (&view.name, view.image.dimensions()));
        let wrong = |(name, size): (&String, (u32, u32))| {
            let mask = edits.view(name).and_then(|view| view.mask.as_ref());
            mask.is_some_and(|mask| mask.size() != size).then(|| name.clone())
        };
        let wrong: Vec<String> = sizes.filter_map(wrong).collect();
        for name in wrong {
            Arc::make_mut(&mut edits).change(&name, |view| view.mask = None);
            self.note(Level::Warning, format!("The edited mask of view {name} is of another size and is left out"));
        }
        self.edits = edits;
        self.edits_revision += 1;
    }
}
