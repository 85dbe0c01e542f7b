//! A capture: views of one instant, each a camera with its image, mask and keypoints. Metric, undistorted, read-only.
//!
//! Readers turn a folder into a [`Capture`]; everything downstream sees metres and `OpenCV` cameras, whatever the
//! folder used. The folder is never written to. [`inspect`] says what was found and how good it is.

mod edits;
mod fmhr;
mod folder;
mod formats;
mod frames;
mod inspect;
mod npz;
mod open;
mod poses;
mod source;
mod undistort;

pub use edits::{CompactMask, Edits, EditsError, HandEdits, KeypointEdit, ViewEdits};
pub use fmhr::read_fmhr;
pub use formats::{
    Axes, Brown, Calibration, CalibrationWriteError, Direction, Format, Inference, Lens, OpenOptions, PixelCentre,
    RigCamera, Units,
};
pub use frames::{FrameFolder, frame_folders};
pub use inspect::{DetectionReport, Flag, Inspection, MaskReport, MaskVerdict, ViewReport, inspect};
pub use npz::{FloatArray, Npz, NpzError};
pub use poses::{PoseFrame, PoseSequence};

use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;
use image::{GrayImage, RgbImage};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The 21 detected keypoints of one hand in one view.
#[derive(Clone, Debug, PartialEq)]
pub struct Keypoints {
    /// Pixel positions, `MediaPipe` order.
    pub px: [[f64; 2]; KEYPOINTS],
    /// Confidence of each, 0 (unseen) to 1.
    pub confidence: [f64; KEYPOINTS],
    /// Those that a user has placed: their weight is not lessened, however far they are from what other views say.
    pub placed: [bool; KEYPOINTS],
}

impl Keypoints {
    /// Keypoints as a detector found them.
    #[must_use]
    pub const fn detected(px: [[f64; 2]; KEYPOINTS], confidence: [f64; KEYPOINTS]) -> Self {
        Self { px, confidence, placed: [false; KEYPOINTS] }
    }
}

/// One camera and what it saw.
#[derive(Clone, Debug)]
pub struct View {
    /// Name used in tables and files: the image's file stem.
    pub name: String,
    /// Calibrated camera; its size is the image's size.
    pub camera: Camera,
    /// The photograph, sRGB-encoded.
    pub image: RgbImage,
    /// 255 = hand, 0 = background (already thresholded); absent when the capture has none for this view.
    pub mask: Option<GrayImage>,
    /// Detections by *claimed* side (left, right): detectors swap hands, so the pose stage decides.
    pub keypoints: [Option<Keypoints>; 2],
}

/// Something that a reader noticed; reads as one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The mask or the keypoints of a view are not there, or the folder of all of them. The views show what that means.
    Missing {
        /// The file or folder, relative to the capture's root.
        path: String,
    },
    /// Anything else.
    Note(String),
}

impl From<String> for Warning {
    fn from(sentence: String) -> Self {
        Self::Note(sentence)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => {
                write!(f, "{path}: the {} is missing", if path.ends_with('/') { "folder" } else { "file" })
            }
            Self::Note(sentence) => f.write_str(sentence),
        }
    }
}

/// A whole capture folder.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Folder name, used as the title.
    pub name: String,
    /// The folder.
    pub root: PathBuf,
    /// Format it was read as, e.g. `fmhr`.
    pub format: &'static str,
    /// Views in file order; at least two.
    pub views: Vec<View>,
    /// Length of one unit of the folder's normalised frame in metres (FMHR `scale_mat`), for information.
    pub metres_per_unit: f64,
    /// What the calibration does not say itself: what it was taken to be, and why.
    pub inferences: Vec<Inference>,
    /// What was set by hand when it was opened.
    pub options: OpenOptions,
    /// What a user should know.
    pub warnings: Vec<Warning>,
    /// What the user has changed of it; already in the views.
    pub edits: Arc<Edits>,
    /// SHA-256 over all files read (and the options, if any), in name order: identifies the input in `run.ron`.
    pub hash: String,
}

/// Why a folder cannot be used. Every message names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// A file or folder is missing, damaged or contradicts the others.
    #[error("{path}: {problem}. {remedy}", path = path.display())]
    Unusable {
        /// The offending file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// Several calibrations lie in one folder.
    #[error("{path}: holds several calibrations: {candidates}. Choose one with --format, or take the others out.", path = path.display())]
    Ambiguous {
        /// The folder.
        path: PathBuf,
        /// Formats and what they were told by.
        candidates: String,
    },
    /// An array archive cannot be used.
    #[error("{source}. {remedy}")]
    Array {
        /// What is wrong with which array.
        source: NpzError,
        /// What to do about it.
        remedy: String,
    },
}

impl CaptureError {
    /// An [`CaptureError::Unusable`]; the remedy is a sentence without its full stop.
    pub(crate) fn unusable(path: &Path, problem: impl Into<String>, remedy: &str) -> Self {
        Self::Unusable { path: path.into(), problem: problem.into(), remedy: format!("{remedy}.") }
    }
}

impl Capture {
    /// Opens a capture of any known format, found by content. `path` is the capture's folder or a folder that holds
    /// exactly one.
    ///
    /// # Errors
    /// [`CaptureError`] naming the file and the remedy; nothing is written.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        Self::open_with(path, &OpenOptions::default())
    }

    /// [`Capture::open`] with some of what is inferred set by hand.
    ///
    /// # Errors
    /// As [`Capture::open`].
    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Self, CaptureError> {
        open::open_capture(path, options)
    }

    /// Whether any view has keypoints; without them, they have to be found in the images.
    #[must_use]
    pub fn has_keypoints(&self) -> bool {
        self.views.iter().any(|view| view.keypoints.iter().any(Option::is_some))
    }

    /// Sides for which at least two views claim a detection.
    #[must_use]
    pub fn claimed_sides(&self) -> Vec<Side> {
        Side::BOTH
            .into_iter()
            .filter(|side| self.views.iter().filter(|v| v.keypoints[side.index()].is_some()).count() >= 2)
            .collect()
    }
}
