//! Hand models in MANO's layout: template, shape directions, joint regressor, skin weights; forward kinematics and
//! linear blend skinning in `f64`.
//!
//! `V = T + S·β (+ P·(R − I))`, `J = J_reg·(T + S·β)`, then linear blend skinning over the 16 joints; the root turns about
//! the wrist joint, translation comes last (Romero, Tzionas, Black 2017).

mod corrective_modes;
mod fine;
mod keypoints;
mod labels;
mod layer;
pub mod mano;
mod open;
mod origin;
pub mod pickle;
mod point_jacobian;
#[cfg(test)]
#[path = "../../tests/support/random_hand.rs"]
pub(crate) mod random_hand;
mod rest;
pub mod rotation;
mod skin;
mod skinning;
#[cfg(test)]
pub(crate) mod testing;
mod wrist;

pub use corrective_modes::CorrectiveModes;
pub use fine::FineModel;
pub use keypoints::{
    KeypointJacobian, KeypointModel, PARAMETERS, POSE, SCALE, SHAPE, TRANSL, parameter_vector, parameters_from_vector,
};
pub use labels::ModelLabels;
#[cfg(test)]
pub(crate) use layer::checked_gradient as layer_gradient;
pub use layer::{HandLayer, LayerGradient, LayerPass, PoseBasis};
pub use open::{open_hand, open_hands};
pub use origin::{HandModelRecord, ModelOrigin};
pub use point_jacobian::{PointFrames, PointJacobian, VertexJacobians};
pub use rest::{Pose, RestError, RestHand};
pub use skin::SkinWeights;
pub use skinning::{
    JointFrames, PosedHand, chain_rotations, joint_frames, pose_hand, regress_joints, shaped_template, skin_vertices,
};
pub use wrist::close_wrist;

use crate::anatomy::{JOINTS, Side, TIPS};
use serde::{Deserialize, Serialize};

/// A hand model of one side, metres, rest pose as in MANO (right: fingers along −x, back of the hand +y, thumb +z).
#[derive(Clone, Debug)]
pub struct HandModel {
    /// `open` or `mano`.
    pub name: String,
    /// SHA-256 of the file it was read from.
    pub hash: String,
    /// Side.
    pub side: Side,
    /// Template vertices (V×3).
    pub template: Vec<[f64; 3]>,
    /// Triangles (F×3), outward.
    pub faces: Vec<[u32; 3]>,
    /// Shape directions: per vertex 3 rows of 10 (`[v][axis][component]`).
    pub shape_directions: Vec<[[f64; 10]; 3]>,
    /// Pose correctives, per vertex 3×135; `None` when the model has none.
    pub pose_directions: Option<Vec<[[f64; 135]; 3]>>,
    /// Joint regressor: for each of the 16 joints its `(vertex, weight)` list.
    pub joint_regressor: Vec<Vec<(u32, f64)>>,
    /// Skin weights (V×16), rows sum to one.
    pub skin_weights: Vec<[f64; JOINTS]>,
    /// Mean pose added to `hand_pose` unless the flat convention is used (45).
    pub hands_mean: [f64; 45],
    /// Pose basis, rows are directions (45×45).
    pub hands_components: Vec<[f64; 45]>,
    /// UV coordinates (T×2), v up; MANO has none.
    pub uvs: Vec<[f64; 2]>,
    /// UV index of each face corner (F×3).
    pub uv_faces: Vec<[u32; 3]>,
    /// Tip vertices: thumb, index, middle, ring, pinky.
    pub tips: [u32; TIPS],
    /// Lower and upper limit of each of the 45 pose components, radians.
    pub joint_limits: [[f64; 2]; 45],
    /// Boundary loop at the wrist, in order; empty when the wrist is closed.
    pub wrist_loop: Vec<u32>,
    /// Names of the axes and the nails.
    pub labels: ModelLabels,
    /// Where it came from and how its numbers are meant.
    pub origin: ModelOrigin,
}

impl HandModel {
    /// The whole axis-angle pose of PCA coefficients: `Σ cᵢ · componentᵢ`, with the mean added unless the model's convention
    /// is the flat hand (as smplx and manopth do).
    #[must_use]
    pub fn pose_from_pca(&self, coefficients: &[f64]) -> Vec<f64> {
        let flat = self.origin.convention.flat_hand_mean;
        PoseBasis::components(self, coefficients.len(), flat).pose(coefficients).to_vec()
    }

    /// What a pose written in the model's convention needs added to be a whole axis-angle pose: `hands_mean`, or nothing
    /// where zero is the flat hand.
    #[must_use]
    pub const fn pose_offset(&self) -> [f64; 45] {
        if self.origin.convention.flat_hand_mean { [0.0; 45] } else { self.hands_mean }
    }
}

/// Parameters of a fitted hand. `hand_pose` is axis-angle with the mean *not* added (flat-hand convention).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandParameters {
    /// Side.
    pub side: Side,
    /// Rotation about the wrist joint, axis-angle, radians.
    pub global_orient: [f64; 3],
    /// Translation, metres, applied last.
    pub transl: [f64; 3],
    /// Axis-angle of joints 1-15, radians; 45 numbers.
    pub hand_pose: Vec<f64>,
    /// Shape components; 10 numbers.
    pub betas: Vec<f64>,
    /// Uniform scale about the origin before the translation; 1 unless asked for.
    pub scale: f64,
}

impl HandParameters {
    /// The template at the origin, flat.
    #[must_use]
    pub fn rest(side: Side) -> Self {
        Self {
            side,
            global_orient: [0.0; 3],
            transl: [0.0; 3],
            hand_pose: vec![0.0; 45],
            betas: vec![0.0; 10],
            scale: 1.0,
        }
    }
}

/// Why a hand model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HandError {
    /// A file is missing or not what it should be.
    #[error("{path}: {problem}. {remedy}")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
}
