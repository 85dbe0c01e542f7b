//! What a user has changed of a capture: keypoints moved or marked unseen, sides exchanged, masks painted. The capture's
//! files stay as they are; edits live in a file of their own and are laid over the capture when it is opened.
//!
//! Views go by their names, so that edits still fit when the capture has got another view. Keypoints go by the side that the
//! capture (or the detector) claims, before sides are exchanged; positions are pixels of the image as it is shown, lens
//! distortion undone, (0, 0) its upper left corner. No edits change nothing, and the same edits give the same capture.
//!
//! What was edited is the user's word: a placed keypoint keeps its full weight ([`Keypoints::placed`]), and the mask stage
//! does not judge an edited mask.

mod compact_mask;
mod file;
#[cfg(test)]
mod tests;

pub use compact_mask::CompactMask;

use super::{Capture, Keypoints, Warning};
use crate::anatomy::{KEYPOINTS, Side};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// How far beyond the image a keypoint may be placed, in sizes of the image.
const BEYOND: f64 = 1.0;

/// What was done to a keypoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum KeypointEdit {
    /// Placed by hand: (x, y) in pixels.
    At(f64, f64),
    /// Not to be seen in this view.
    Unseen,
}

/// What was changed of one detected hand: keypoints by their number in `MediaPipe`'s order.
pub type HandEdits = BTreeMap<usize, KeypointEdit>;

/// What was changed of one view.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ViewEdits {
    /// The detection called left shows the right hand, and the other way round.
    pub swap_sides: bool,
    /// Changed keypoints by the side the capture claims (left, right), before they are swapped.
    pub hands: [HandEdits; 2],
    /// The mask in place of the capture's.
    pub mask: Option<Arc<CompactMask>>,
}

impl ViewEdits {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mask.is_none() && !self.has_keypoints()
    }

    /// Whether something is changed of the keypoints.
    #[must_use]
    pub fn has_keypoints(&self) -> bool {
        self.swap_sides || self.hands.iter().any(|hand| !hand.is_empty())
    }

    /// Lays the keypoint edits over the hands of the view (by claimed side: left, right). The answer names the sides whose
    /// edits find no detection; a hand that was not detected is made only of all its keypoints.
    #[must_use]
    pub fn change_keypoints(&self, hands: &mut [Option<Keypoints>; 2]) -> Vec<Side> {
        let mut lost = Vec::new();
        for side in Side::BOTH {
            let edits = &self.hands[side.index()];
            if edits.is_empty() {
                continue;
            }
            let hand = &mut hands[side.index()];
            if hand.is_none() && edits.len() < KEYPOINTS {
                lost.push(side);
                continue;
            }
            let hand = hand.get_or_insert_with(|| Keypoints::detected([[0.0; 2]; KEYPOINTS], [0.0; KEYPOINTS]));
            for (&index, edit) in edits.iter().filter(|(index, _)| **index < KEYPOINTS) {
                match *edit {
                    KeypointEdit::At(x, y) => {
                        hand.px[index] = [x, y];
                        (hand.confidence[index], hand.placed[index]) = (1.0, true);
                    }
                    KeypointEdit::Unseen => (hand.confidence[index], hand.placed[index]) = (0.0, false),
                }
            }
        }
        if self.swap_sides {
            hands.swap(0, 1);
        }
        lost
    }
}

/// All that was changed of a capture, by the names of its views.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits {
    /// Changes of each view that has some.
    pub views: BTreeMap<String, ViewEdits>,
}

impl Edits {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.views.values().all(ViewEdits::is_empty)
    }

    /// Changes of a view.
    #[must_use]
    pub fn view(&self, name: &str) -> Option<&ViewEdits> {
        self.views.get(name).filter(|edits| !edits.is_empty())
    }

    /// Changes a view's edits; a view without any leaves no trace.
    pub fn change(&mut self, name: &str, with: impl FnOnce(&mut ViewEdits)) {
        let edits = self.views.entry(name.to_owned()).or_default();
        with(edits);
        if edits.is_empty() {
            self.views.remove(name);
        }
    }

    /// Lays the keypoint edits over keypoints that were found in the images, a view each; what found no place, in words.
    #[must_use]
    pub fn change_found<'a>(
        &self,
        views: impl Iterator<Item = (&'a str, &'a mut [Option<Keypoints>; 2])>,
    ) -> Vec<String> {
        let mut words = Vec::new();
        for (name, hands) in views {
            let lost = self.view(name).map(|edits| edits.change_keypoints(hands)).unwrap_or_default();
            words.extend(lost.into_iter().map(|side| nobody(name, side)));
        }
        words
    }

    /// Everything that cannot be right whatever the detections are.
    fn check(&self, capture: &Capture) -> Result<(), EditsError> {
        for view in &capture.views {
            let Some(edits) = self.view(&view.name) else { continue };
            let (width, height) = view.image.dimensions();
            let name = || view.name.clone();
            for side in Side::BOTH {
                for (&index, edit) in &edits.hands[side.index()] {
                    if index >= KEYPOINTS {
                        return Err(EditsError::NoSuchKeypoint { view: name(), index });
                    }
                    let KeypointEdit::At(x, y) = *edit else { continue };
                    let within = |at: f64, size: u32| {
                        let size = f64::from(size);
                        at >= -BEYOND * size && at <= (1.0 + BEYOND) * size
                    };
                    if !(within(x, width) && within(y, height)) {
                        return Err(EditsError::FarOutside { view: name(), side, index });
                    }
                }
            }
            if let Some(mask) = edits.mask.as_ref().filter(|mask| mask.size() != (width, height)) {
                return Err(EditsError::MaskSize { view: name(), found: mask.size(), wanted: (width, height) });
            }
        }
        Ok(())
    }
}

fn nobody(view: &str, side: Side) -> String {
    format!("edits of view {view}: no {side} hand is detected there, so its edited keypoints are left out")
}

impl Capture {
    /// Lays edits over the capture; what finds no place becomes a warning. Keypoints of a capture that has none are edited
    /// once they are found in the images ([`Edits::change_found`]).
    ///
    /// # Errors
    /// [`EditsError`] when an edit cannot be meant for this capture, or there are edits already.
    pub fn edited(mut self, edits: Arc<Edits>) -> Result<Self, EditsError> {
        if !self.edits.is_empty() {
            return Err(EditsError::Twice);
        }
        edits.check(&self)?;
        let has_keypoints = self.has_keypoints();
        for name in edits.views.keys().filter(|name| self.views.iter().all(|v| v.name != **name)) {
            self.warnings.push(Warning::Note(format!("edits: there is no view {name}, so its edits are left out")));
        }
        for view in &mut self.views {
            let Some(edits) = edits.view(&view.name) else { continue };
            if has_keypoints {
                let lost = edits.change_keypoints(&mut view.keypoints);
                self.warnings.extend(lost.into_iter().map(|side| Warning::Note(nobody(&view.name, side))));
            }
            if let Some(mask) = &edits.mask {
                view.mask = Some(mask.image());
            }
        }
        self.edits = edits;
        Ok(self)
    }

    /// Whether the mask of a view is the user's.
    #[must_use]
    pub fn mask_is_edited(&self, view: usize) -> bool {
        let edits = self.views.get(view).and_then(|view| self.edits.view(&view.name));
        edits.is_some_and(|edits| edits.mask.is_some())
    }
}

/// Why edits cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EditsError {
    /// The file, or a mask it names, cannot be read.
    #[error("{path}: {problem}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Written by a newer version.
    #[error("{path}: edits of version {version}, this thenar knows {known}; update it", path = path.display(), known = file::VERSION)]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A number beyond the hand.
    #[error("edits of view {view}: there is no keypoint {index}; a hand has 0 to {last}", last = KEYPOINTS - 1)]
    NoSuchKeypoint {
        /// Name of the view.
        view: String,
        /// What was asked for.
        index: usize,
    },
    /// A keypoint that is nowhere near the picture, or no number.
    #[error("edits of view {view}: keypoint {index} of the {side} hand lies nowhere near the image")]
    FarOutside {
        /// Name of the view.
        view: String,
        /// Side as claimed.
        side: Side,
        /// Number of the keypoint.
        index: usize,
    },
    /// A mask of another image.
    #[error(
        "edits of view {view}: the mask has {}×{} pixels, the image {}×{}",
        found.0, found.1, wanted.0, wanted.1
    )]
    MaskSize {
        /// Name of the view.
        view: String,
        /// Size of the mask.
        found: (u32, u32),
        /// Size of the image.
        wanted: (u32, u32),
    },
    /// Edits over edits.
    #[error("the capture has been edited already")]
    Twice,
}
