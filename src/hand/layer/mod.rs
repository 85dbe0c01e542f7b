//! The hand layer: any [`HandModel`] as a differentiable function of its parameters, `f64`. It is the twin of the kernels
//! of `crate::posing`, and fast enough to be used where there is no device.
//!
//! Forward (Romero, Tzionas, Black 2017): with local rotations `R_j = exp(θ_j)` and the features `f = R_1..15 − I`,
//! ```text
//! v = T + S·β + P·f                      rest vertices
//! J = J_reg·(T + S·β)                    rest joints, affine in β
//! G_j = G_parent·R_j,  p_j = p_parent + G_parent·(J_j − J_parent),  p_0 = J_0
//! x = s·Σ_j w_j (G_j v + o_j) + t,       o_j = p_j − G_j J_j
//! ```
//! Backward (reverse mode), given `∂L/∂x` and `∂L/∂p` of the posed joints: moments `Σ_v w_j ∂L/∂x ⊗ (v, 1)` of each joint,
//! the gradient of rest vertices `s·Bᵀ ∂L/∂x` with `B = Σ_j w_j G_j`, from it those of `β` and `f`, then the tree from the
//! tips to the root, and `∂R/∂θ` by the left Jacobian of SO(3), which has no singular point at zero or at π.
//!
//! [`HandLayer`] is made once per model and shared; a [`LayerPass`] holds one problem's results and what its gradient
//! needs, and its memory can be used again. Cost: a pass reads the 145 shape and pose directions once; blocks that are
//! zero, and joints at rest, are skipped.

mod backward;
mod basis;
mod blocks;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::gradient as checked_gradient;

pub use backward::LayerGradient;
pub use basis::PoseBasis;

use super::keypoints::KeypointModel;
use super::rotation::rotation_from_axis_angle;
use super::skin::{Affine, SkinWeights, joint_transforms, transform};
use super::skinning::{JointFrames, chain_rotations, joint_vector, keypoints_of, pose_feature};
use super::{HandModel, HandParameters};
use crate::anatomy::{JOINTS, KEYPOINT_FROM_JOINT_OR_TIP, KEYPOINTS, Side, TIPS};
use blocks::{Blocks, Lanes, in_blocks};
use nalgebra::{Matrix3, Vector3};
use std::array::from_fn;

/// Shape components.
const SHAPES: usize = 10;
/// Features of one joint: the nine entries of `R − I`.
const FEATURES: usize = 9;
/// Entries of a joint transform: the rows of `[G | o]`.
const TRANSFORM: usize = 12;

/// A hand model laid out for fast passes.
#[derive(Clone, Debug)]
pub struct HandLayer {
    side: Side,
    vertices: usize,
    tips: [u32; TIPS],
    template: Vec<Lanes>,
    shape: Blocks<SHAPES>,
    /// Per joint 1 to 15; empty when the model has no pose correctives.
    correctives: Vec<Blocks<FEATURES>>,
    /// Rest joints, affine in the shape.
    joints: KeypointModel,
    weights: SkinWeights,
}

/// One evaluation of a [`HandLayer`]: results, and what the gradient needs.
#[derive(Clone, Debug)]
pub struct LayerPass {
    /// Posed vertices (V×3), metres.
    pub vertices: Vec<[f64; 3]>,
    /// Posed joints (16×3), metres.
    pub joints: [[f64; 3]; JOINTS],
    scale: f64,
    rest_joints: [[f64; 3]; JOINTS],
    frames: JointFrames,
    rest: Vec<Lanes>,
    /// Blended transform of each vertex.
    blends: Vec<Affine>,
}

impl HandLayer {
    /// Lays a model out.
    #[must_use]
    pub fn new(model: &HandModel) -> Self {
        let rows = 3 * model.template.len();
        let correctives = model.pose_directions.as_ref().map_or_else(Vec::new, |directions| {
            let of_joint =
                |joint: usize| Blocks::new(rows, |row, column| directions[row / 3][row % 3][FEATURES * joint + column]);
            (0..JOINTS - 1).map(of_joint).collect()
        });
        Self {
            side: model.side,
            vertices: model.template.len(),
            tips: model.tips,
            template: in_blocks(model.template.as_flattened()),
            shape: Blocks::new(rows, |row, column| model.shape_directions[row / 3][row % 3][column]),
            correctives,
            joints: KeypointModel::new(model),
            weights: SkinWeights::new(&model.skin_weights),
        }
    }

    /// Side of the hand.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Number of vertices.
    #[must_use]
    pub const fn vertex_count(&self) -> usize {
        self.vertices
    }

    /// Memory for passes of this layer, all zero.
    #[must_use]
    pub fn new_pass(&self) -> LayerPass {
        LayerPass {
            vertices: vec![[0.0; 3]; self.vertices],
            joints: [[0.0; 3]; JOINTS],
            scale: 1.0,
            rest_joints: [[0.0; 3]; JOINTS],
            frames: JointFrames {
                local: [Matrix3::identity(); JOINTS],
                rotation: [Matrix3::identity(); JOINTS],
                position: [Vector3::zeros(); JOINTS],
            },
            rest: self.template.clone(),
            blends: vec![[0.0; TRANSFORM]; self.vertices],
        }
    }

    /// Poses the hand.
    #[must_use]
    pub fn forward(&self, parameters: &HandParameters) -> LayerPass {
        let mut pass = self.new_pass();
        self.forward_into(parameters, &mut pass);
        pass
    }

    /// Poses the hand in memory of an earlier pass (of this layer or another).
    pub fn forward_into(&self, parameters: &HandParameters, pass: &mut LayerPass) {
        let local = from_fn(|joint| rotation_from_axis_angle(&joint_vector(parameters, joint)));
        self.forward_rotations(&local, &parameters.betas, parameters.transl, parameters.scale, pass);
    }

    /// Poses the hand by the rotation of each joint relative to its parent (the wrist's is the global orientation), for
    /// poses that are not axis-angle. `betas` beyond ten are ignored, missing ones are zero.
    pub fn forward_rotations(
        &self,
        local: &[Matrix3<f64>; JOINTS],
        betas: &[f64],
        transl: [f64; 3],
        scale: f64,
        pass: &mut LayerPass,
    ) {
        let points = self.joints.shaped(betas);
        pass.rest_joints = from_fn(|joint| points[joint]);
        pass.frames = chain_rotations(&pass.rest_joints, local);
        pass.scale = scale;

        pass.rest.clone_from(&self.template);
        self.shape.add(&from_fn(|c| betas.get(c).copied().unwrap_or(0.0)), &mut pass.rest);
        let feature = pose_feature(local);
        for (blocks, weights) in self.correctives.iter().zip(feature.as_chunks::<FEATURES>().0) {
            blocks.add(weights, &mut pass.rest);
        }

        let transforms = joint_transforms(&pass.frames, &pass.rest_joints);
        pass.vertices.resize(self.vertices, [0.0; 3]);
        pass.blends.resize(self.vertices, [0.0; TRANSFORM]);
        let rest = pass.rest.as_flattened().as_chunks::<3>().0;
        for (i, ((vertex, blend), v)) in pass.vertices.iter_mut().zip(&mut pass.blends).zip(rest).enumerate() {
            *blend = self.weights.blend(i, &transforms);
            let x = transform(blend, v);
            *vertex = from_fn(|r| scale * x[r] + transl[r]);
        }
        pass.joints = pass.frames.position.map(|p| (p * scale + Vector3::from(transl)).into());
    }

    /// The 21 keypoints of a pass (`MediaPipe` order).
    #[must_use]
    pub fn keypoints(&self, pass: &LayerPass) -> [[f64; 3]; KEYPOINTS] {
        keypoints_of(&pass.joints, &pass.vertices, &self.tips)
    }

    /// Adds a gradient by the 21 keypoints to those by vertices (V×3) and by joints.
    ///
    /// # Panics
    /// When `vertices` has no entry for a tip.
    pub fn spread_keypoints(
        &self,
        keypoints: &[[f64; 3]; KEYPOINTS],
        vertices: &mut [[f64; 3]],
        joints: &mut [[f64; 3]; JOINTS],
    ) {
        for (gradient, source) in keypoints.iter().zip(KEYPOINT_FROM_JOINT_OR_TIP) {
            let to = match source.checked_sub(JOINTS) {
                None => &mut joints[source],
                Some(tip) => &mut vertices[self.tips[tip] as usize],
            };
            for (t, g) in to.iter_mut().zip(gradient) {
                *t += g;
            }
        }
    }
}
