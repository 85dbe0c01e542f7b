//! The 21 keypoints of a hand model as functions of 62 parameters, with the analytic Jacobian.
//!
//! A [`KeypointModel`] is what is left of a hand model when only joints and tips matter: 21 rest points that are affine in
//! the shape, and the skin weights of the five tips.

use super::point_jacobian::{PointFrames, RestPoint};
use super::skinning::regress_joints;
use super::{HandModel, HandParameters};
use crate::anatomy::{JOINTS, KEYPOINT_FROM_JOINT_OR_TIP, KEYPOINTS, Side, TIPS};

/// Number of parameters: orientation 3, translation 3, pose 45, shape 10, scale 1, in this order.
pub const PARAMETERS: usize = 62;
/// First index of the translation.
pub const TRANSL: usize = 3;
/// First index of the 45 pose values.
pub const POSE: usize = 6;
/// First index of the 10 shape values.
pub const SHAPE: usize = 51;
/// Index of the scale.
pub const SCALE: usize = 61;

/// Derivatives of the keypoints: `[keypoint][axis][parameter]`.
pub type KeypointJacobian = Vec<[[f64; PARAMETERS]; 3]>;

/// Joints and tips of a hand model, affine in the shape. Points are ordered `joints (16) ++ tips (5)`.
#[derive(Clone, Debug)]
pub struct KeypointModel {
    /// Side.
    pub side: Side,
    /// Rest points of the mean shape (21×3, metres).
    pub rest: [[f64; 3]; KEYPOINTS],
    /// Their shape directions (`[point][axis][component]`).
    pub shape: [[[f64; 10]; 3]; KEYPOINTS],
    /// Skin weights of the tips (5×16).
    pub tip_weights: [[f64; JOINTS]; TIPS],
    /// Pose correctives of the tips (`[tip][axis][feature]`), if the model has them.
    pub tip_correctives: Option<Vec<[[f64; 135]; 3]>>,
}

/// `HandParameters` as one vector of [`PARAMETERS`] numbers.
#[must_use]
pub fn parameter_vector(p: &HandParameters) -> [f64; PARAMETERS] {
    let mut x = [0.0; PARAMETERS];
    x[..TRANSL].copy_from_slice(&p.global_orient);
    x[TRANSL..POSE].copy_from_slice(&p.transl);
    for (to, from) in x[POSE..SHAPE].iter_mut().zip(&p.hand_pose) {
        *to = *from;
    }
    for (to, from) in x[SHAPE..SCALE].iter_mut().zip(&p.betas) {
        *to = *from;
    }
    x[SCALE] = p.scale;
    x
}

/// The inverse of [`parameter_vector`].
#[must_use]
pub fn parameters_from_vector(side: Side, x: &[f64; PARAMETERS]) -> HandParameters {
    HandParameters {
        side,
        global_orient: [x[0], x[1], x[2]],
        transl: [x[3], x[4], x[5]],
        hand_pose: x[POSE..SHAPE].to_vec(),
        betas: x[SHAPE..SCALE].to_vec(),
        scale: x[SCALE],
    }
}

impl KeypointModel {
    /// Reduces a hand model to its keypoints.
    #[must_use]
    pub fn new(model: &HandModel) -> Self {
        let mut rest = [[0.0; 3]; KEYPOINTS];
        rest[..JOINTS].copy_from_slice(&regress_joints(model, &model.template));
        let mut shape = [[[0.0; 10]; 3]; KEYPOINTS];
        for (joint, row) in model.joint_regressor.iter().enumerate() {
            for &(vertex, weight) in row {
                for (to, from) in shape[joint].iter_mut().zip(&model.shape_directions[vertex as usize]) {
                    for (t, f) in to.iter_mut().zip(from) {
                        *t += weight * f;
                    }
                }
            }
        }
        for (tip, &vertex) in model.tips.iter().enumerate() {
            rest[JOINTS + tip] = model.template[vertex as usize];
            shape[JOINTS + tip] = model.shape_directions[vertex as usize];
        }
        let correctives = |d: &Vec<[[f64; 135]; 3]>| model.tips.iter().map(|&v| d[v as usize]).collect();
        Self {
            side: model.side,
            rest,
            shape,
            tip_weights: model.tips.map(|v| model.skin_weights[v as usize]),
            tip_correctives: model.pose_directions.as_ref().map(correctives),
        }
    }

    /// Rest points of a shape, `joints ++ tips`.
    #[must_use]
    pub fn shaped(&self, betas: &[f64]) -> [[f64; 3]; KEYPOINTS] {
        std::array::from_fn(|point| {
            std::array::from_fn(|axis| {
                self.rest[point][axis] + self.shape[point][axis].iter().zip(betas).map(|(s, b)| s * b).sum::<f64>()
            })
        })
    }

    /// The 21 keypoints (`MediaPipe` order, world metres) and their Jacobian.
    #[must_use]
    pub fn evaluate(&self, parameters: &HandParameters) -> ([[f64; 3]; KEYPOINTS], KeypointJacobian) {
        let rest = self.shaped(&parameters.betas);
        let frames = PointFrames::of_shape(self, &rest, parameters);
        let mut keypoints = [[0.0; 3]; KEYPOINTS];
        let mut jacobian = vec![[[0.0; PARAMETERS]; 3]; KEYPOINTS];
        for (keypoint, &source) in KEYPOINT_FROM_JOINT_OR_TIP.iter().enumerate() {
            let tip = source.checked_sub(JOINTS);
            let correctives = tip.and_then(|tip| self.tip_correctives.as_ref().map(|d| &d[tip]));
            let weights: Vec<(usize, f64)> = match tip {
                None => vec![(source, 1.0)],
                Some(tip) => self.tip_weights[tip].iter().copied().enumerate().filter(|(_, w)| *w != 0.0).collect(),
            };
            let point = RestPoint { position: rest[source].into(), shape: &self.shape[source], correctives };
            let found = frames.point(point, &weights);
            keypoints[keypoint] = found.position.into();
            for (axis, row) in jacobian[keypoint].iter_mut().enumerate() {
                *row = found.columns.map(|column| column[axis]);
            }
        }
        (keypoints, jacobian)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{open_hand, pose_hand};
    use super::*;
    use nalgebra::Vector3;

    fn parameters(side: Side) -> HandParameters {
        let wave = |i: usize, step: f64| (step * f64::from(u32::try_from(i).expect("small"))).sin();
        HandParameters {
            side,
            global_orient: [0.7, -1.1, 0.4],
            transl: [0.1, 0.2, 0.9],
            hand_pose: (0..45).map(|i| 0.5 * wave(i, 1.3)).collect(),
            betas: (0..10).map(|i| wave(i, 2.1)).collect(),
            scale: 1.2,
        }
    }

    fn blended_model() -> HandModel {
        let mut model = open_hand(Side::Right).expect("sound asset");
        let v = model.tips[1] as usize;
        model.skin_weights[v] = [0.0; JOINTS];
        model.skin_weights[v][2] = 0.3;
        model.skin_weights[v][3] = 0.7;
        let entry =
            |v: usize, a: usize, f: usize| 1e-3 * f64::from(u32::try_from((v + 3 * a + 7 * f) % 11).expect("small"));
        let direction = |v: usize| std::array::from_fn(|a| std::array::from_fn(|f| entry(v, a, f)));
        model.pose_directions = Some((0..model.template.len()).map(direction).collect());
        model
    }

    fn worst_difference(model: &KeypointModel, p: &HandParameters, jacobian: &KeypointJacobian) -> f64 {
        let x = parameter_vector(p);
        let mut worst: f64 = 0.0;
        for i in 0..PARAMETERS {
            let shifted = |h: f64| {
                let mut y = x;
                y[i] += h;
                model.evaluate(&parameters_from_vector(p.side, &y)).0
            };
            let (plus, minus) = (shifted(1e-6), shifted(-1e-6));
            for keypoint in 0..KEYPOINTS {
                for axis in 0..3 {
                    let difference = (plus[keypoint][axis] - minus[keypoint][axis]) / 2e-6;
                    worst = worst.max((difference - jacobian[keypoint][axis][i]).abs());
                }
            }
        }
        worst
    }

    #[test]
    fn jacobian_matches_central_differences() {
        for model in [open_hand(Side::Left).expect("sound asset"), blended_model()] {
            let p = parameters(model.side);
            let reduced = KeypointModel::new(&model);
            let (keypoints, mut jacobian) = reduced.evaluate(&p);
            let posed = pose_hand(&model, &p);
            for (a, b) in keypoints.iter().zip(&posed.keypoints) {
                let d = (Vector3::from(*a) - Vector3::from(*b)).norm();
                assert!(d < 1e-9, "keypoints are those of the posed mesh ({d})");
            }
            let worst = worst_difference(&reduced, &p, &jacobian);
            assert!(worst < 1e-7, "Jacobian against differences: {worst}");
            // Negative: a perturbed entry is caught by the same comparison.
            jacobian[8][1][POSE + 5] += 1e-4;
            assert!(worst_difference(&reduced, &p, &jacobian) > 5e-5, "a wrong derivative is noticed");
        }
    }

    #[test]
    fn vector_round_trip() {
        let p = parameters(Side::Right);
        assert_eq!(parameters_from_vector(Side::Right, &parameter_vector(&p)), p, "no parameter is lost");
    }
}
