//! Derivatives of any point that hangs on a posed hand, by all 62 parameters.
//!
//! The Jacobian follows from `∂R/∂v_k = [J_l e_k]× R`: turning joint `j` moves a point `x` that hangs on it by
//! `(R_parent J_l e_k) × (x − p_j)`. Pose correctives, where a point has them, are part of it.

use super::rotation::{cross_matrix, left_jacobian};
use super::skinning::{JointFrames, joint_frames, joint_vector, parent_of, pose_feature};
use super::{HandModel, HandParameters, KeypointModel, PARAMETERS, POSE, SCALE, SHAPE, TRANSL};
use crate::anatomy::{JOINT_PARENTS, JOINTS, KEYPOINTS};
use nalgebra::{Matrix3, Vector3};

/// A posed point: where it is (world metres) and its derivative by each parameter.
#[derive(Clone, Debug)]
pub struct PointJacobian {
    /// World position, metres.
    pub position: Vector3<f64>,
    /// Derivative by each of the [`PARAMETERS`].
    pub columns: [Vector3<f64>; PARAMETERS],
}

/// A point of the rest pose of the mean shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct RestPoint<'a> {
    /// Rest position of the present shape, metres.
    pub position: Vector3<f64>,
    /// Shape directions (`[axis][component]`).
    pub shape: &'a [[f64; 10]; 3],
    /// Pose correctives (`[axis][feature]`).
    pub correctives: Option<&'a [[f64; 135]; 3]>,
}

/// The joints of one pose with their derivatives: what all points of the hand share.
#[derive(Clone, Debug)]
pub struct PointFrames {
    scale: f64,
    transl: Vector3<f64>,
    rest_joints: [[f64; 3]; JOINTS],
    frames: JointFrames,
    /// World axis about which parameter (joint, k) turns everything that hangs on the joint.
    axes: [Matrix3<f64>; JOINTS],
    /// How the shape moves what hangs on each bone and does not itself move at rest.
    bone_shape: [[Vector3<f64>; 10]; JOINTS],
    feature: [f64; 135],
    /// Derivative of each joint's rotation by its three parameters.
    feature_derivatives: [[Matrix3<f64>; 3]; JOINTS],
}

impl PointFrames {
    /// The joints of `model` in a pose.
    #[must_use]
    pub fn new(model: &KeypointModel, parameters: &HandParameters) -> Self {
        Self::of_shape(model, &model.shaped(&parameters.betas), parameters)
    }

    /// The same where the rest points of the shape are at hand.
    pub(super) fn of_shape(model: &KeypointModel, rest: &[[f64; 3]; KEYPOINTS], parameters: &HandParameters) -> Self {
        let rest_joints: [[f64; 3]; JOINTS] = std::array::from_fn(|j| rest[j]);
        let frames = joint_frames(&rest_joints, parameters);
        let own: [Matrix3<f64>; JOINTS] = std::array::from_fn(|j| left_jacobian(&joint_vector(parameters, j)));
        let axes = std::array::from_fn(|j| if j == 0 { own[0] } else { frames.rotation[parent_of(j)] * own[j] });
        let rest_shape: [[Vector3<f64>; 10]; JOINTS] = std::array::from_fn(|joint| {
            std::array::from_fn(|c| Vector3::from_fn(|axis, _| model.shape[joint][axis][c]))
        });
        // dp_j = dp_parent + R_parent (dJ_j − dJ_parent)
        let mut joint_shape = rest_shape;
        for joint in 1..JOINTS {
            let parent = parent_of(joint);
            joint_shape[joint] = std::array::from_fn(|c| {
                joint_shape[parent][c] + frames.rotation[parent] * (rest_shape[joint][c] - rest_shape[parent][c])
            });
        }
        let bone_shape = std::array::from_fn(|bone| {
            std::array::from_fn(|c| joint_shape[bone][c] - frames.rotation[bone] * rest_shape[bone][c])
        });
        let feature_derivatives = std::array::from_fn(|joint| {
            std::array::from_fn(|k| cross_matrix(&own[joint].column(k).into_owned()) * frames.local[joint])
        });
        Self {
            scale: parameters.scale,
            transl: parameters.transl.into(),
            rest_joints,
            axes,
            bone_shape,
            feature: pose_feature(&frames.local),
            feature_derivatives,
            frames,
        }
    }

    /// Position and derivatives of a point with its skin weights `(joint, weight)`.
    ///
    /// With `x_b` the point as bone `b` carries it, turning joint `j` moves the point by the axis × `Σ w_b (x_b − p_j)` over
    /// the bones below `j`, and a direction of the shape by `Σ w_b R_b` times its own minus what the bones do: the sums over
    /// the bones come first, so that each column is worked out once.
    pub(super) fn point(&self, point: RestPoint<'_>, weights: &[(usize, f64)]) -> PointJacobian {
        let mut columns = [Vector3::zeros(); PARAMETERS];
        let mut blended = Matrix3::zeros();
        for &(bone, weight) in weights {
            blended += self.frames.rotation[bone] * weight;
        }
        let mut rest = point.position;
        if let Some(directions) = point.correctives {
            rest += self.corrective(directions, &blended, &mut columns);
        }
        let mut total = Vector3::zeros();
        // Of what hangs below each joint: weight, and position times weight.
        let mut below = [(0.0, Vector3::zeros()); JOINTS];
        for &(bone, weight) in weights {
            let x = self.frames.rotation[bone] * (rest - Vector3::from(self.rest_joints[bone]));
            let x = (x + self.frames.position[bone]) * weight;
            total += x;
            let mut joint = Some(bone);
            while let Some(j) = joint {
                below[j].0 += weight;
                below[j].1 += x;
                joint = usize::try_from(JOINT_PARENTS[j]).ok();
            }
            for (column, moved) in columns[SHAPE..SCALE].iter_mut().zip(&self.bone_shape[bone]) {
                *column += moved * weight;
            }
        }
        for (joint, (weight, sum)) in below.iter().enumerate().filter(|(_, (weight, _))| *weight != 0.0) {
            let first = if joint == 0 { 0 } else { POSE + 3 * (joint - 1) };
            let arm = sum - self.frames.position[joint] * *weight;
            for (k, column) in columns[first..first + 3].iter_mut().enumerate() {
                *column += self.axes[joint].column(k).cross(&arm);
            }
        }
        for (c, column) in columns[SHAPE..SCALE].iter_mut().enumerate() {
            *column += blended * Vector3::new(point.shape[0][c], point.shape[1][c], point.shape[2][c]);
        }
        for column in &mut columns {
            *column *= self.scale;
        }
        for axis in 0..3 {
            columns[TRANSL + axis] = Vector3::ith(axis, 1.0);
        }
        columns[SCALE] = total;
        PointJacobian { position: total * self.scale + self.transl, columns }
    }

    /// Corrective offset at rest; adds its derivatives (turned by the `blended` rotation) to `columns`.
    fn corrective(
        &self,
        directions: &[[f64; 135]; 3],
        blended: &Matrix3<f64>,
        columns: &mut [Vector3<f64>; PARAMETERS],
    ) -> Vector3<f64> {
        let mut at_rest = Vector3::zeros();
        for joint in 1..JOINTS {
            let features = 9 * (joint - 1)..9 * joint;
            let rows = directions.each_ref().map(|row| &row[features.clone()]);
            // Most points are corrected for one joint or two.
            if rows.iter().all(|row| row.iter().all(|d| *d == 0.0)) {
                continue;
            }
            for (k, derivative) in self.feature_derivatives[joint].iter().enumerate() {
                let offset = Vector3::from_fn(|axis, _| {
                    rows[axis].iter().enumerate().map(|(i, d)| d * derivative[(i / 3, i % 3)]).sum::<f64>()
                });
                columns[POSE + 3 * (joint - 1) + k] += blended * offset;
            }
            for (value, row) in at_rest.iter_mut().zip(rows) {
                *value += row.iter().zip(&self.feature[features.clone()]).map(|(d, f)| d * f).sum::<f64>();
            }
        }
        at_rest
    }

    /// Rotation of what hangs on a joint, relative to the rest pose.
    #[must_use]
    pub const fn rotation(&self, joint: usize) -> &Matrix3<f64> {
        &self.frames.rotation[joint]
    }
}

/// Derivatives of the vertices of a hand model at one set of parameters.
#[derive(Clone, Debug)]
pub struct VertexJacobians<'a> {
    model: &'a HandModel,
    frames: PointFrames,
    shaped: Vec<[f64; 3]>,
}

impl<'a> VertexJacobians<'a> {
    /// Prepares the pose; each vertex is then worked out on its own.
    #[must_use]
    pub fn new(model: &'a HandModel, keypoints: &KeypointModel, parameters: &HandParameters) -> Self {
        let shaped = super::shaped_template(model, &parameters.betas);
        debug_assert_eq!(model.side, keypoints.side, "a model and its own keypoints");
        let frames = PointFrames::new(keypoints, parameters);
        Self { model, frames, shaped }
    }

    /// Position and derivatives of one vertex.
    #[must_use]
    pub fn vertex(&self, vertex: usize) -> PointJacobian {
        let row = &self.model.skin_weights[vertex];
        let weights: Vec<(usize, f64)> = row.iter().copied().enumerate().filter(|(_, w)| *w != 0.0).collect();
        let point = RestPoint {
            position: self.shaped[vertex].into(),
            shape: &self.model.shape_directions[vertex],
            correctives: self.model.pose_directions.as_ref().map(|d| &d[vertex]),
        };
        self.frames.point(point, &weights)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{open_hand, parameter_vector, parameters_from_vector, pose_hand};
    use super::*;
    use crate::anatomy::Side;

    #[test]
    fn vertices_and_their_derivatives_are_those_of_the_posed_mesh() {
        let model = open_hand(Side::Left).expect("sound asset");
        let wave = |i: usize, step: f64| (step * f64::from(u32::try_from(i).expect("small"))).sin();
        let p = HandParameters {
            side: Side::Left,
            global_orient: [0.4, -0.9, 0.3],
            transl: [0.1, -0.2, 0.7],
            hand_pose: (0..45).map(|i| 0.5 * wave(i, 1.7)).collect(),
            betas: (0..10).map(|i| wave(i, 2.3)).collect(),
            scale: 1.1,
        };
        let keypoints = KeypointModel::new(&model);
        let jacobians = VertexJacobians::new(&model, &keypoints, &p);
        let x = parameter_vector(&p);
        let shifted = |i: usize, h: f64| {
            let mut y = x;
            y[i] += h;
            pose_hand(&model, &parameters_from_vector(Side::Left, &y)).vertices
        };
        let posed = pose_hand(&model, &p).vertices;
        let pairs: Vec<_> = (0..PARAMETERS).map(|i| (shifted(i, 1e-6), shifted(i, -1e-6))).collect();
        let (mut worst, mut worst_wrong): (f64, f64) = (0.0, 0.0);
        for vertex in (0..posed.len()).step_by(37) {
            let found = jacobians.vertex(vertex);
            assert!((found.position - Vector3::from(posed[vertex])).norm() < 1e-12, "vertex {vertex} lies there");
            for (i, (plus, minus)) in pairs.iter().enumerate() {
                let difference = (Vector3::from(plus[vertex]) - Vector3::from(minus[vertex])) / 2e-6;
                worst = worst.max((difference - found.columns[i]).norm());
                worst_wrong = worst_wrong.max((difference - found.columns[i] * 1.01).norm());
            }
        }
        assert!(worst < 1e-7, "derivatives against differences: {worst}");
        assert!(worst_wrong > 1e-4, "one per cent more is noticed: {worst_wrong}");
    }
}
