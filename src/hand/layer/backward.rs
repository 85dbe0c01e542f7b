//! Reverse mode of the hand layer.

use super::super::keypoints::{PARAMETERS, POSE, SCALE, SHAPE, TRANSL};
use super::super::rotation::left_jacobian;
use super::super::skinning::{joint_vector, parent_of};
use super::blocks::Lanes;
use super::{FEATURES, HandLayer, HandParameters, JOINTS, LayerPass, SHAPES, TRANSFORM};
use nalgebra::{Matrix3, Vector3};
use std::array::from_fn;

/// Gradient of a loss by what a pass was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerGradient {
    /// By the nine entries of each local rotation, as if they were free.
    pub local: [Matrix3<f64>; JOINTS],
    /// By the shape components.
    pub betas: [f64; SHAPES],
    /// By the translation.
    pub transl: [f64; 3],
    /// By the scale.
    pub scale: f64,
}

/// Sums over all vertices.
struct Sums {
    /// `Σ_v w_j g ⊗ (v, 1)` of each joint, `g` the gradient by the posed vertex.
    moments: [[f64; TRANSFORM]; JOINTS],
    /// `Σ_v g`.
    total: Vector3<f64>,
    /// Gradient by the rest vertices.
    rest: Vec<Lanes>,
}

impl HandLayer {
    /// Gradient of a loss whose gradients by the posed vertices (V×3) and joints are given, at the parameters of `pass`.
    ///
    /// # Panics
    /// When `vertices` does not hold one gradient a vertex, or `pass` is of a model of another size.
    #[must_use]
    pub fn backward(&self, pass: &LayerPass, vertices: &[[f64; 3]], joints: &[[f64; 3]; JOINTS]) -> LayerGradient {
        assert_eq!(vertices.len(), self.vertex_count(), "one gradient a vertex");
        assert_eq!(pass.blends.len(), self.vertex_count(), "a pass of this layer");
        let sums = self.sum_vertices(pass, vertices);
        let (JointGradient { mut local, rest }, scale, joint_total) = joint_gradient(pass, &sums.moments, joints);
        for (blocks, gradient) in self.correctives.iter().zip(&mut local[1..]) {
            let feature: [f64; FEATURES] = blocks.dot(&sums.rest);
            *gradient += Matrix3::from_row_slice(&feature);
        }
        let mut betas = self.shape.dot(&sums.rest);
        for (joint, gradient) in rest.iter().enumerate() {
            for (direction, g) in self.joints.shape[joint].iter().zip(gradient.iter()) {
                for (beta, d) in betas.iter_mut().zip(direction) {
                    *beta += d * g;
                }
            }
        }
        LayerGradient { local, betas, transl: (sums.total + joint_total).into(), scale }
    }

    fn sum_vertices(&self, pass: &LayerPass, vertices: &[[f64; 3]]) -> Sums {
        let mut moments = [[0.0; TRANSFORM]; JOINTS];
        let mut total = Vector3::zeros();
        let mut rest: Vec<Lanes> = vec![[0.0; super::blocks::LANES]; pass.rest.len()];
        let rest_vertices = pass.rest.as_flattened().as_chunks::<3>().0;
        let rest_gradients = rest.as_flattened_mut().as_chunks_mut::<3>().0;
        for (i, (((g, v), blend), to)) in
            vertices.iter().zip(rest_vertices).zip(&pass.blends).zip(rest_gradients).enumerate()
        {
            if *g == [0.0; 3] {
                continue;
            }
            total += Vector3::from(*g);
            let moment: [f64; TRANSFORM] = from_fn(|k| g[k / 4] * if k % 4 == 3 { 1.0 } else { v[k % 4] });
            for (joint, weight) in self.weights.row(i) {
                for (sum, m) in moments[joint as usize].iter_mut().zip(&moment) {
                    *sum += weight * m;
                }
            }
            *to = from_fn(|c| pass.scale * (blend[c] * g[0] + blend[4 + c] * g[1] + blend[8 + c] * g[2]));
        }
        Sums { moments, total, rest }
    }
}

/// Gradients by local rotations and rest joints.
struct JointGradient {
    local: [Matrix3<f64>; JOINTS],
    rest: [Vector3<f64>; JOINTS],
}

/// From the moments of the vertices and the gradients by posed joints through the kinematic tree. Also the gradients by the
/// scale and (of the joints alone) by the translation.
fn joint_gradient(
    pass: &LayerPass,
    moments: &[[f64; TRANSFORM]; JOINTS],
    joints: &[[f64; 3]; JOINTS],
) -> (JointGradient, f64, Vector3<f64>) {
    let frames = &pass.frames;
    let mut scale = 0.0;
    let mut total = Vector3::zeros();
    let mut rotation = [Matrix3::zeros(); JOINTS];
    let mut position = [Vector3::zeros(); JOINTS];
    let mut rest = [Vector3::zeros(); JOINTS];
    for joint in 0..JOINTS {
        let m = &moments[joint];
        let by_rotation = Matrix3::from_fn(|r, c| m[4 * r + c]);
        let by_offset = Vector3::new(m[3], m[7], m[11]);
        let by_joint = Vector3::from(joints[joint]);
        let at = Vector3::from(pass.rest_joints[joint]);
        let offset = frames.position[joint] - frames.rotation[joint] * at;
        scale +=
            by_rotation.dot(&frames.rotation[joint]) + by_offset.dot(&offset) + by_joint.dot(&frames.position[joint]);
        total += by_joint;
        // o = p − G J
        rotation[joint] = (by_rotation - by_offset * at.transpose()) * pass.scale;
        position[joint] = (by_offset + by_joint) * pass.scale;
        rest[joint] = frames.rotation[joint].transpose() * by_offset * -pass.scale;
    }
    let mut local = rotation;
    for joint in (1..JOINTS).rev() {
        let parent = parent_of(joint);
        let bone = Vector3::from(pass.rest_joints[joint]) - Vector3::from(pass.rest_joints[parent]);
        let (by_rotation, by_position) = (rotation[joint], position[joint]);
        rotation[parent] += by_rotation * frames.local[joint].transpose() + by_position * bone.transpose();
        position[parent] += by_position;
        let to_parent = frames.rotation[parent].transpose();
        local[joint] = to_parent * by_rotation;
        rest[joint] += to_parent * by_position;
        rest[parent] -= to_parent * by_position;
    }
    local[0] = rotation[0];
    rest[0] += position[0];
    (JointGradient { local, rest }, scale, total)
}

impl LayerGradient {
    /// The gradient by axis-angle parameters, in the order of [`parameter_vector`](super::super::parameter_vector);
    /// `parameters` are those of the pass.
    #[must_use]
    pub fn parameters(&self, parameters: &HandParameters) -> [f64; PARAMETERS] {
        let mut out = [0.0; PARAMETERS];
        for (joint, gradient) in self.local.iter().enumerate() {
            let vector = joint_vector(parameters, joint);
            let rotation = super::rotation_from_axis_angle(&vector);
            // dR = [J_l dθ]× R, and ⟨A, [a]×⟩ = a · (A_32 − A_23, A_13 − A_31, A_21 − A_12)
            let m = gradient * rotation.transpose();
            let turn = Vector3::new(m[(2, 1)] - m[(1, 2)], m[(0, 2)] - m[(2, 0)], m[(1, 0)] - m[(0, 1)]);
            let by_vector = left_jacobian(&vector).transpose() * turn;
            let first = if joint == 0 { 0 } else { POSE + 3 * (joint - 1) };
            out[first..first + 3].copy_from_slice(by_vector.as_slice());
        }
        out[TRANSL..POSE].copy_from_slice(&self.transl);
        out[SHAPE..SCALE].copy_from_slice(&self.betas);
        out[SCALE] = self.scale;
        out
    }
}
