//! From 21 joints to a hand at once: the published graph network (joints → mesh and parameters), as a start for the fit.
//!
//! [`HandRegressor`] predicts, in `f64`, for either side (a left hand is mirrored to a right one). Weights of the open hand
//! come with the program ([`HandRegressor::find`]); those of another model are looked for beside its files
//! (`gcn_right.safetensors`, by `thenar train-regressor`, or the authors' `gcn_right.pth`).
//! Training is in `train`, a part of the program built with the cargo feature `train`.

mod file;
mod levels;
mod network;
mod normal_frame;
#[cfg(any(test, feature = "train"))]
pub(crate) mod poses;
mod pth;
mod sparse;
#[cfg(feature = "train")]
pub mod train;

pub use file::RegressorFacts;
pub use normal_frame::Upright;

use crate::anatomy::{KEYPOINTS, Side};
use crate::hand::HandModel;
use nalgebra::Vector3;
use network::Network;
use normal_frame::NormalFrame;
use std::path::PathBuf;

/// Why there is no regressor, or none for this hand model.
#[derive(Debug, thiserror::Error)]
pub enum RegressorError {
    /// Nothing was trained for this hand model.
    #[error(
        "there are no regressor weights for the hand model `{model}`: {looked_for} was looked for in {looked_in}; \
         `thenar train-regressor` makes them, or put the authors' .pth file for MANO there"
    )]
    Missing {
        /// Name of the model.
        model: String,
        /// Names of the files.
        looked_for: String,
        /// Where.
        looked_in: String,
    },
    /// Weights of another hand model.
    #[error(
        "the regressor weights in {path} were trained for another hand model ({problem}); give that model by \
         --hand-model, or weights made for this one by --init-weights"
    )]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// How that shows.
        problem: String,
    },
    /// A file that is not what it should be.
    #[error("{path}: the file {problem}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file of `PyTorch` that is not what it should be.
    #[error("{path}: the file {problem}; {remedy}")]
    UnusablePth {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The name of a file of `PyTorch` does not say for which hand it is, and nothing within does.
    #[error(
        "{path}: the file's name says neither `left` nor `right`; name it as its authors do, gcn_right.pth or gcn_left.pth"
    )]
    NoSide {
        /// The file.
        path: PathBuf,
    },
}

/// A predicted hand.
#[derive(Clone, Debug)]
pub struct RegressedHand {
    /// Vertices where the joints are, in their unit; empty when they were not asked for.
    pub vertices: Vec<[f64; 3]>,
    /// Axis-angle of joints 1-15 with the mean not added: 45 numbers, radians.
    pub hand_pose: Vec<f64>,
    /// Shape components.
    pub betas: Vec<f64>,
}

/// A trained network with what its numbers mean.
#[derive(Clone, Debug)]
pub struct HandRegressor {
    network: Network,
    /// SHA-256 of the models it serves; none where a file does not say.
    hashes: Vec<String>,
    /// The side it was trained for; the other one is mirrored.
    side: Side,
    upright: Upright,
    /// What is added to the pose it gives (45): the authors' networks leave the mean out.
    pose_offset: Vec<f64>,
}

/// A point of the other hand.
fn mirrored(p: [f64; 3]) -> [f64; 3] {
    [-p[0], p[1], p[2]]
}

impl HandRegressor {
    /// The hand of one side with these joints (21×3, `MediaPipe` order); `None` when they are not those of a hand (first
    /// two in one place, palm without area, values that are not numbers).
    #[must_use]
    pub fn predict(&self, joints: &[[f64; 3]; KEYPOINTS], side: Side, with_vertices: bool) -> Option<RegressedHand> {
        let other = side != self.side;
        let joints = if other { joints.map(mirrored) } else { *joints };
        let frame = NormalFrame::new(&joints, self.upright)?;
        let output = self.network.forward(&frame.input(&joints), with_vertices);
        let back = |p: &[f64; 3]| {
            let p = frame.back(p);
            if other { mirrored(p) } else { p }
        };
        let (pose, betas) = output.parameters.split_at_checked(45)?;
        // Mirrored in x, a rotation about x stays and those about y and z turn round.
        let sign = |i: usize| if other && !i.is_multiple_of(3) { -1.0 } else { 1.0 };
        let hand_pose: Vec<f64> =
            pose.iter().zip(&self.pose_offset).enumerate().map(|(i, (p, offset))| sign(i) * (p + offset)).collect();
        let sound = hand_pose.iter().chain(betas).all(|x| x.is_finite());
        sound.then(|| RegressedHand {
            vertices: output.vertices.iter().map(back).collect(),
            hand_pose,
            betas: betas.to_vec(),
        })
    }
}

/// Mean distance of vertices to the true ones when the wrists, by the model's regressor, are laid on each other (no turn, no
/// scale: the published measure), millimetres.
#[must_use]
pub fn wrist_aligned_mm(model: &HandModel, found: &[[f64; 3]], truth: &[[f64; 3]]) -> f64 {
    let wrist = |points: &[[f64; 3]]| {
        let row = model.joint_regressor.first().map_or(&[][..], Vec::as_slice);
        row.iter().fold(Vector3::zeros(), |sum, (v, w)| sum + Vector3::from(points[*v as usize]) * *w)
    };
    if found.len() != model.template.len() || truth.len() != found.len() {
        return f64::INFINITY;
    }
    let shift = wrist(truth) - wrist(found);
    let off = |(f, t): (&[f64; 3], &[f64; 3])| (Vector3::from(*f) + shift - Vector3::from(*t)).norm();
    let sum: f64 = found.iter().zip(truth).map(off).sum();
    1e3 * sum / f64::from(u32::try_from(found.len()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
