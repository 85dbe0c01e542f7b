//! Hand keypoints from photographs: MediaPipe's palm and landmark networks, run in the process.
//!
//! # Method
//! 1. *Search*: the palm network looks at the whole picture and at overlapping square windows of it, ever smaller ones
//!    until two hands are found: a hand that is small in the frame is large in a window. What several windows saw is
//!    merged by weighted non-maximum suppression.
//! 2. *Landmarks*: the landmark network looks at each palm's window ([`Zhang et al. 2020`](https://arxiv.org/abs/2006.10214)),
//!    then again at the window that follows from its own first answer, as MediaPipe does when it tracks a hand.
//! 3. *Two more looks*, at a slightly larger window turned one way and a slightly smaller one turned the other: positions
//!    are the mean of the three, and their disagreement is the confidence (see below).
//! 4. Candidates whose landmarks coincide are one hand; the two surest remain. When nothing is found, the search is
//!    repeated on the picture turned by quarters, and on its mirror image.
//!
//! # Confidence
//! Of keypoint `j`: presence × 1 / (1 + (d / (0.02 s))²). Presence is the landmark network's own probability that there
//! is a hand, `d` the RMS distance of the three looks from their mean and `s` the side of the window, both in pixels:
//! two hundredths of the window (about a finger's half width) halve it.
//!
//! # Sides
//! The network's handedness decides; of two hands that claim one side, the surer keeps it and the other takes the free
//! one. The pose stage solves the sides anew over all views anyway.
//!
//! # Cost
//! Both networks are prepared once ([`Detector::open`], about a second) and shared by all threads. Views are computed in
//! parallel; each alone and in a fixed order, so results do not depend on the number of threads.

mod flatbuffer;
mod landmarks;
mod models;
mod network;
mod palm;
mod picture;
mod search;
mod tflite;

#[cfg(test)]
mod tests;

use crate::capture::Keypoints;
use image::RgbImage;
use network::Network;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Why keypoints cannot be detected.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The model files were not fetched yet.
    #[error(
        "hand keypoints have to be found in the images, but the detector's model files are not there (looked in \
         {looked_in}). Run {command} in the checkout once, or put keypoints into the capture (pose/NN.json)"
    )]
    ModelsMissing {
        /// Folders, for people.
        looked_in: String,
        /// What fetches them.
        command: &'static str,
    },
    /// A model file is damaged or another one.
    #[error("{path}: {problem}. Delete it and run {command} again", path = path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What fetches it.
        command: &'static str,
    },
    /// A network failed to run.
    #[error("the keypoint detector failed: {0}")]
    Run(String),
}

/// Both hands of one view, by claimed side (left, right).
pub type DetectedHands = [Option<Keypoints>; 2];

/// The detector, ready to run.
pub struct Detector {
    palm: Network,
    landmarks: Network,
    anchors: Vec<[f64; 2]>,
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detector").finish_non_exhaustive()
    }
}

impl Detector {
    /// Prepares the networks from the model files, wherever they are.
    ///
    /// # Errors
    /// [`DetectError::ModelsMissing`] says which command fetches them.
    pub fn open() -> Result<Self, DetectError> {
        Self::from_folder(&models::find_folder()?)
    }

    /// Prepares the networks from the model files in a folder.
    ///
    /// # Errors
    /// [`DetectError::Model`] for a file that is not there or not the right one.
    pub fn from_folder(folder: &Path) -> Result<Self, DetectError> {
        let (palm, landmarks) = (models::PALM.read(folder)?, models::LANDMARKS.read(folder)?);
        Ok(Self { palm, landmarks, anchors: palm::anchors() })
    }

    /// Whether the model files are there: what [`Detector::open`] would fail with otherwise.
    ///
    /// # Errors
    /// [`DetectError::ModelsMissing`].
    pub fn available() -> Result<(), DetectError> {
        models::find_folder().map(|_| ())
    }

    /// Views that [`Detector::detect_all`] computes at once on this machine.
    #[must_use]
    pub fn parallel_views() -> usize {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    }

    /// Looks for both hands in each picture, in parallel over the processor's cores.
    ///
    /// # Errors
    /// [`DetectError::Run`].
    pub fn detect_all(&self, images: &[&RgbImage]) -> Result<Vec<DetectedHands>, DetectError> {
        let threads = Self::parallel_views().min(images.len());
        let next = AtomicUsize::new(0);
        let work = || {
            let mut found = Vec::new();
            while let Some((i, image)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, images.get(i)?)))
            {
                found.push((i, self.detect(image)));
            }
            found
        };
        let mut found: Vec<(usize, Result<DetectedHands, DetectError>)> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let died = || vec![(0, Err(DetectError::Run("a thread died".to_owned())))];
            handles.into_iter().flat_map(|handle| handle.join().unwrap_or_else(|_| died())).collect()
        });
        found.sort_by_key(|(i, _)| *i);
        found.into_iter().map(|(_, hands)| hands).collect()
    }
}
