//! Keypoints of a capture that has none (or whose own are not wanted): found in the images, a few views a step, and kept in
//! the run folder as `keypoints/<view>.json`, from where a resumed run takes them.
//!
//! The files have the form of the FMHR capture room, `{"Left": [63 numbers], "Right": […]}` (21 × x, y, z; x and y −1…1
//! across the image, z 0), so that other readers of such captures can use them, and beside it `LeftConfidence` and
//! `RightConfidence`, 21 numbers each.

use super::PipelineError;
use crate::anatomy::{KEYPOINTS, Side};
use crate::capture::{Capture, Keypoints, View};
use crate::detect::{DetectedHands, Detector};
use crate::export::fmhr::pose_numbers;
use crate::export::{ExportError, atomic};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Name of the phase in reports.
pub const DETECTION: &str = "detect";

/// Where the keypoints of a run come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeypointSource {
    /// The capture's own files.
    #[default]
    Capture,
    /// Found in the images by [`Detector`].
    Detected,
}

impl KeypointSource {
    /// The source for a capture: its own keypoints, unless it has none or `detect` asks for new ones.
    #[must_use]
    pub fn of(capture: &Capture, detect: bool) -> Self {
        if detect || !capture.has_keypoints() { Self::Detected } else { Self::Capture }
    }
}

/// A keypoint file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeypointFile {
    left: Vec<f64>,
    right: Vec<f64>,
    left_confidence: Vec<f64>,
    right_confidence: Vec<f64>,
}

fn file_of(run: &Path, view: &View) -> PathBuf {
    run.join("keypoints").join(format!("{}.json", view.name))
}

fn size_of(view: &View) -> [f64; 2] {
    [f64::from(view.image.width()), f64::from(view.image.height())]
}

/// Writes what was found in a view.
pub(super) fn write(run: &Path, view: &View, hands: &DetectedHands) -> Result<(), ExportError> {
    let size = size_of(view);
    let numbers =
        |hand: &Option<Keypoints>| -> Vec<f64> { hand.as_ref().map_or_else(Vec::new, |k| pose_numbers(&k.px, size)) };
    let confidence = |hand: &Option<Keypoints>| hand.iter().flat_map(|k| k.confidence).collect();
    let file = KeypointFile {
        left: numbers(&hands[0]),
        right: numbers(&hands[1]),
        left_confidence: confidence(&hands[0]),
        right_confidence: confidence(&hands[1]),
    };
    let text =
        serde_json::to_string(&file).map_err(|e| ExportError::Encode { what: "keypoints", reason: e.to_string() })?;
    let path = file_of(run, view);
    let folder = run.join("keypoints");
    std::fs::create_dir_all(&folder).map_err(ExportError::io(&folder))?;
    atomic::write(&path, format!("{text}\n").as_bytes())
}

/// What an earlier session of the run found in a view; `None` when it did not come to it.
pub(super) fn read(run: &Path, view: &View) -> Result<Option<DetectedHands>, ExportError> {
    let path = file_of(run, view);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(ExportError::io(&path)(e)),
    };
    let wrong = |problem: String| ExportError::format(&path, format!("{problem}; delete it to have it made again"));
    let file: KeypointFile = serde_json::from_str(&text).map_err(|e| wrong(format!("is no keypoint file ({e})")))?;
    let size = size_of(view);
    let mut hands = [None, None];
    let lists = [(file.left, file.left_confidence), (file.right, file.right_confidence)];
    for (side, (numbers, confidence)) in Side::BOTH.into_iter().zip(lists) {
        if numbers.is_empty() {
            continue;
        }
        let sound = numbers.len() == 3 * KEYPOINTS && numbers.iter().chain(&confidence).all(|v| v.abs() < 1e9);
        let (true, Ok(confidence)) = (sound, <[f64; KEYPOINTS]>::try_from(confidence)) else {
            return Err(wrong(format!("its {side} hand has not 21 keypoints")));
        };
        let mut px = [[0.0; 2]; KEYPOINTS];
        for (px, xyz) in px.iter_mut().zip(numbers.as_chunks::<3>().0) {
            *px = [0, 1].map(|a| 0.5 * (xyz[a] + 1.0) * size[a]);
        }
        hands[side.index()] = Some(Keypoints::detected(px, confidence));
    }
    Ok(Some(hands))
}

/// Copies what was found in `from` to the run folder `to`, if anything was.
pub(super) fn take_over(from: &Path, to: &Path) -> Result<(), ExportError> {
    let Ok(entries) = std::fs::read_dir(from.join("keypoints")) else { return Ok(()) };
    let folder = to.join("keypoints");
    std::fs::create_dir_all(&folder).map_err(ExportError::io(&folder))?;
    for entry in entries.flatten() {
        let bytes = std::fs::read(entry.path()).map_err(ExportError::io(&entry.path()))?;
        atomic::write(&folder.join(entry.file_name()), &bytes)?;
    }
    Ok(())
}

/// The keypoints that a run has found in the images of its capture, a view each; without what the user has changed of them.
///
/// # Errors
/// [`PipelineError::Files`] for a damaged file.
pub fn detected_keypoints(capture: &Capture, run: &Path) -> Result<Vec<DetectedHands>, PipelineError> {
    Ok(capture.views.iter().map(|view| Ok(read(run, view)?.unwrap_or_default())).collect::<Result<_, ExportError>>()?)
}

/// The search under way: which views are found, which are wanted.
pub(super) struct Detection {
    /// Absent while nothing is left to find.
    detector: Option<Detector>,
    found: Vec<Option<DetectedHands>>,
    wanted: Vec<bool>,
}

/// Where a search stands.
pub(super) struct DetectionStep {
    /// Views done, of so many.
    pub(super) views: [u32; 2],
    /// Hands found so far.
    pub(super) hands: u32,
}

impl Detection {
    /// A search in the `wanted` views; those of which `run` already holds the result are not searched again.
    ///
    /// # Errors
    /// [`PipelineError::Detect`] when the model files are not there, before anything is computed.
    pub(super) fn new(capture: &Capture, wanted: Vec<bool>, run: Option<&Path>) -> Result<Self, PipelineError> {
        let mut found = vec![None; capture.views.len()];
        if let Some(run) = run {
            for (found, view) in found.iter_mut().zip(&capture.views) {
                *found = read(run, view)?;
            }
        }
        let mut detection = Self { detector: None, found, wanted };
        if !detection.missing().is_empty() {
            detection.detector = Some(Detector::open()?);
        }
        Ok(detection)
    }

    fn missing(&self) -> Vec<usize> {
        let missing = |v: &usize| self.wanted[*v] && self.found[*v].is_none();
        (0..self.found.len()).filter(missing).collect()
    }

    /// Searches as many views as the processor has cores and writes them to the run folder; `None` when all are done.
    pub(super) fn step(&mut self, capture: &Capture, run: &Path) -> Result<Option<DetectionStep>, PipelineError> {
        let mut missing = self.missing();
        missing.truncate(Detector::parallel_views());
        let (Some(detector), false) = (&self.detector, missing.is_empty()) else { return Ok(None) };
        let images: Vec<_> = missing.iter().map(|v| &capture.views[*v].image).collect();
        let results = detector.detect_all(&images)?;
        for (v, hands) in missing.into_iter().zip(results) {
            write(run, &capture.views[v], &hands)?;
            self.found[v] = Some(hands);
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let wanted = self.wanted.iter().filter(|w| **w).count();
        let hands = self.found.iter().flatten().flatten().flatten().count();
        Ok(Some(DetectionStep { views: [wanted - self.missing().len(), wanted].map(count), hands: count(hands) }))
    }

    /// The keypoints of all views; views that were not wanted have none.
    pub(super) fn keypoints(&self) -> Vec<DetectedHands> {
        self.found.iter().map(|hands| hands.clone().unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Camera;
    use nalgebra::Matrix3x4;

    fn view() -> View {
        let p = Matrix3x4::new(100.0, 0.0, 40.0, 0.0, 0.0, 100.0, 30.0, 0.0, 0.0, 0.0, 1.0, 0.0);
        let camera = Camera::from_projection(&p, 80, 60).expect("a camera");
        let image = image::RgbImage::new(80, 60);
        View { name: "07".to_owned(), camera, image, mask: None, keypoints: [None, None] }
    }

    #[test]
    fn a_view_comes_back_as_it_was_written() {
        let run = tempfile::tempdir().expect("a folder");
        let view = view();
        assert_eq!(read(run.path(), &view).expect("nothing there"), None, "not searched yet");
        let number = |j: usize| f64::from(u32::try_from(j).expect("small"));
        let hand = Keypoints::detected(
            std::array::from_fn(|j| [3.3 * number(j), 59.0 - number(j)]),
            std::array::from_fn(|j| 0.9 - 0.01 * number(j)),
        );
        write(run.path(), &view, &[None, Some(hand.clone())]).expect("written");
        let [left, right] = read(run.path(), &view).expect("sound").expect("there");
        let right = right.expect("the right hand");
        assert!(left.is_none(), "no left hand");
        assert_eq!(right.confidence, hand.confidence, "confidence");
        let worst = right.px.iter().zip(&hand.px).flat_map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).fold(0.0, f64::max);
        assert!(worst.abs() < 1e-9, "positions: {worst}");
    }

    #[test]
    fn damaged_files_are_named() {
        let run = tempfile::tempdir().expect("a folder");
        let view = view();
        write(run.path(), &view, &[None, None]).expect("written");
        assert_eq!(read(run.path(), &view).expect("sound"), Some([None, None]), "searched, and nothing found");
        for text in ["", "{}", r#"{"Left":[1],"Right":[],"LeftConfidence":[1],"RightConfidence":[]}"#] {
            std::fs::write(file_of(run.path(), &view), text).expect("written");
            let error = read(run.path(), &view).expect_err(text).to_string();
            assert!(error.contains("07.json"), "{error}");
        }
    }
}
