//! Pose stage: 2D keypoints → 3D joints of up to two hands.
//!
//! Which detection is which hand is solved, not believed. Every pair of detections from two views is a hypothesis; all are
//! triangulated in one batch and scored by how many views have a detection that fits. The best gives the first hand, the
//! best of what is left the second. Sides follow by the majority of the claimed labels (flexion decides a tie). Then each
//! detection goes to the hand it fits, a constant shift per camera allowed; cameras whose detections all shift the same way
//! are flagged and repaired (extrinsics and principal point, points from the other cameras); outlier joints lose their weight.
//! Keypoints that a user has placed ([`Keypoints::placed`]) keep theirs: they are never taken for outliers, and of a detection
//! that fits no hand they alone stay, for the hand it claims.

mod assign;
mod resect;
mod shift;
mod triangulate;

pub use resect::CameraCorrection;
pub use triangulate::{HandSolution, JointSolution, TriangulateOptions, TriangulateScene, Triangulator};

use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;
use crate::capture::Keypoints;
use crate::gpu::GpuError;
use nalgebra::Vector3;
use serde::{Deserialize, Serialize};

/// Which hands are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HandChoice {
    /// Whatever is found.
    #[default]
    Auto,
    /// The left hand only; a single hand that is found is taken for it.
    Left,
    /// The right hand only; a single hand that is found is taken for it.
    Right,
    /// Both; an error when only one is found.
    Both,
}

impl std::str::FromStr for HandChoice {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "auto" => Ok(Self::Auto),
            "left" => Ok(Self::Left),
            "right" => Ok(Self::Right),
            "both" => Ok(Self::Both),
            other => Err(format!("`{other}` is none of auto, left, right, both")),
        }
    }
}

/// How the pose stage works. Fractions refer to the size of a detection (larger side of its bounding box), so that they
/// hold for any image size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoseSettings {
    /// Which hands are wanted.
    pub hands: HandChoice,
    /// A detection supports a hypothesis when its median distance is below this fraction of its size.
    pub match_fraction: f64,
    /// A detection stays with a hand when its median distance, the camera's shift removed, is below this fraction.
    pub accept_fraction: f64,
    /// Largest constant shift of a camera, as a fraction of the detection's size.
    pub max_shift_fraction: f64,
    /// Expected keypoint noise before it has been measured, as a fraction of the detection's size.
    pub noise_fraction: f64,
    /// Scale of the robust weight in units of the measured noise.
    pub robust_scale: f64,
    /// A camera is flagged when its shift exceeds this many times the rig's typical residual …
    pub flag_ratio: f64,
    /// … and this many pixels.
    pub flag_min_px: f64,
    /// Gauss-Newton iterations of a triangulation.
    pub iterations: u32,
    /// How far a camera that is off may be turned about each axis: standard deviation, degrees.
    pub camera_sigma_deg: f64,
    /// The same for moves of its centre along each axis, metres.
    pub camera_sigma_m: f64,
    /// The same for its principal point, pixels.
    pub camera_sigma_px: f64,
}

impl Default for PoseSettings {
    fn default() -> Self {
        Self {
            hands: HandChoice::Auto,
            match_fraction: 0.08,
            accept_fraction: 0.08,
            max_shift_fraction: 0.25,
            noise_fraction: 0.02,
            robust_scale: 2.5,
            flag_ratio: 2.5,
            flag_min_px: 3.0,
            iterations: 16,
            camera_sigma_deg: 1.0,
            camera_sigma_m: 0.01,
            camera_sigma_px: 20.0,
        }
    }
}

/// The 21 joints of one hand (`MediaPipe` order).
#[derive(Clone, Debug, PartialEq)]
pub struct HandJoints {
    /// World positions, metres.
    pub joints: [[f64; 3]; KEYPOINTS],
    /// Covariances, square metres.
    pub covariance: [[[f64; 3]; 3]; KEYPOINTS],
    /// Views that agree with each joint.
    pub support: [u32; KEYPOINTS],
}

/// 3D joints by side (left, right).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Joints3d {
    /// `[left, right]`.
    pub hands: [Option<HandJoints>; 2],
}

/// A detection that was found to show a certain hand: what the fit stage compares with.
#[derive(Clone, Debug, PartialEq)]
pub struct HandObservation {
    /// View index.
    pub view: usize,
    /// Keypoints in pixels of the refined camera.
    pub px: [[f64; 2]; KEYPOINTS],
    /// Weight of each: confidence × robust weight, 0 (outlier) to 1; the confidence alone where a user has placed it.
    pub weights: [f64; KEYPOINTS],
}

/// What was found out about one detection of a view.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DetectionReport {
    /// Side the detector claimed.
    pub claimed: Side,
    /// Side it was found to show; `None` = rejected.
    pub assigned: Option<Side>,
    /// Median distance to the joints with the camera as given, pixels (of the assigned hand).
    pub before_px: Option<f64>,
    /// The same with the refined camera.
    pub after_px: Option<f64>,
}

/// What was found out about one view.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoseViewReport {
    /// View index.
    pub view: usize,
    /// Its detections.
    pub detections: Vec<DetectionReport>,
    /// Constant shift (detections minus projections) of a camera found to be off, pixels.
    pub flagged_shift_px: Option<[f64; 2]>,
    /// How such a camera was repaired.
    pub correction: Option<CameraCorrection>,
}

/// Result of the pose stage.
#[derive(Clone, Debug)]
pub struct PoseResult {
    /// Joints.
    pub joints: Joints3d,
    /// Cameras, flagged ones repaired; same order as given.
    pub cameras: Vec<Camera>,
    /// Assigned observations by side.
    pub observations: [Vec<HandObservation>; 2],
    /// One report per used view.
    pub views: Vec<PoseViewReport>,
    /// Standard deviation of a keypoint coordinate, measured, pixels.
    pub noise_px: f64,
    /// Median distance over all assigned keypoints, pixels.
    pub median_px: f64,
    /// Share of the detections that were assigned to a hand.
    pub assigned_share: f64,
    /// Findings in words.
    pub findings: Vec<String>,
}

/// Why there are no joints.
#[derive(Debug, thiserror::Error)]
pub enum PoseError {
    /// Fewer than two views with detections.
    #[error("keypoints were detected in {found} of the used views; at least 2 are needed: use more views")]
    TooFewViews {
        /// Views with detections.
        found: usize,
    },
    /// No pair of detections agrees.
    #[error("no two views agree on a hand: check the calibration and that the keypoints belong to these images")]
    NoHand,
    /// A wanted hand was not found.
    #[error("only the {found} hand was found, but both were asked for: use --hands auto")]
    HandMissing {
        /// The one that was found.
        found: Side,
    },
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// A detection of a used view.
#[derive(Clone, Debug)]
pub(crate) struct Detection {
    pub view: usize,
    pub claimed: Side,
    pub px: [[f64; 2]; KEYPOINTS],
    pub confidence: [f64; KEYPOINTS],
    /// Those that a user has placed.
    pub placed: [bool; KEYPOINTS],
    /// Larger side of the bounding box of the confident keypoints.
    pub size_px: f64,
}

/// Points of one hand.
pub(crate) type Points = [Vector3<f64>; KEYPOINTS];

/// The 3D points of a solution.
pub(crate) fn points_of(solution: &HandSolution) -> Points {
    solution.map(|j| j.position)
}

/// Collects the detections of the used views.
fn collect(keypoints: &[[Option<Keypoints>; 2]], used: &[bool]) -> Vec<Detection> {
    let mut detections = Vec::new();
    for (view, pair) in keypoints.iter().enumerate().filter(|(view, _)| used.get(*view).copied().unwrap_or(true)) {
        for side in Side::BOTH {
            let Some(k) = &pair[side.index()] else { continue };
            let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
            for (px, _) in k.px.iter().zip(&k.confidence).filter(|(_, c)| **c > 0.0) {
                for axis in 0..2 {
                    low[axis] = low[axis].min(px[axis]);
                    high[axis] = high[axis].max(px[axis]);
                }
            }
            let size_px = (high[0] - low[0]).max(high[1] - low[1]);
            if size_px.is_finite() && size_px > 0.0 {
                let (px, confidence, placed) = (k.px, k.confidence, k.placed);
                detections.push(Detection { view, claimed: side, px, confidence, placed, size_px });
            }
        }
    }
    detections
}

/// Median of the values (lower of the two middle ones); 0 for none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Scene of the given cameras and detections.
pub(crate) fn scene_of(cameras: &[Camera], detections: &[Detection]) -> TriangulateScene {
    let weighted = |d: &Detection| {
        let kept = |j: usize| if d.placed[j] { 1.0 } else { 0.0 };
        (d.view, std::array::from_fn(|j| [d.px[j][0], d.px[j][1], d.confidence[j], kept(j)]))
    };
    TriangulateScene {
        projections: cameras.iter().map(Camera::projection).collect(),
        detections: detections.iter().map(weighted).collect(),
    }
}

/// Detection minus projection for each confident joint in front of the camera.
pub(crate) fn residuals(camera: &Camera, points: &Points, detection: &Detection) -> Vec<[f64; 2]> {
    let pairs = points.iter().zip(&detection.px).zip(&detection.confidence);
    pairs
        .filter(|(_, c)| **c > 0.0)
        .filter_map(|((x, px), _)| camera.project(x).map(|p| [px[0] - p.x, px[1] - p.y]))
        .collect()
}

/// Median length of residuals after removing `shift`.
pub(crate) fn median_length(residuals: &[[f64; 2]], shift: [f64; 2]) -> f64 {
    median(residuals.iter().map(|r| (r[0] - shift[0]).hypot(r[1] - shift[1])).collect())
}

/// Estimates the joints.
///
/// `cameras` and `keypoints` run over all views; views with `used[view] == false` (held out, excluded) are not looked at.
///
/// # Errors
/// [`PoseError`] when no hand can be found or the device fails.
pub fn estimate_joints(
    cameras: &[Camera],
    keypoints: &[[Option<Keypoints>; 2]],
    used: &[bool],
    settings: &PoseSettings,
    triangulator: &Triangulator,
) -> Result<PoseResult, PoseError> {
    let detections = collect(keypoints, used);
    let mut views: Vec<usize> = detections.iter().map(|d| d.view).collect();
    views.dedup();
    if views.len() < 2 {
        return Err(PoseError::TooFewViews { found: views.len() });
    }
    let hands = assign::find_hands(cameras, &detections, settings, triangulator)?;
    let hands = assign::name_sides(hands, &detections, settings.hands)?;
    shift::refine(cameras, &detections, &views, hands, settings, triangulator)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use triangulate::tests::CHECKS;
