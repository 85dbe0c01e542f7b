//! What is fitted: targets, priors and starts of one hand.

use super::super::pose::{HandJoints, HandObservation};
use super::HandFitSettings;
use super::reference::OFFSET_STEPS;
use crate::anatomy::{JOINT_PARENTS, JOINTS, KEYPOINTS};
use crate::hand::rotation::axis_angle_from_rotation;
use crate::hand::{HandModel, HandParameters, KeypointModel, PARAMETERS, parameter_vector};
use crate::regressor::HandRegressor;
use nalgebra::{Matrix3, Matrix3x4, Vector3};

/// Least standard deviation of a triangulated joint that is believed, metres: no camera is calibrated better.
const JOINT_NOISE_M: f64 = 3e-4;

/// Wrist, thumb base and the four knuckles: what hardly moves when fingers do.
const PALM: [usize; 6] = [0, 1, 5, 9, 13, 17];
/// Most that a predicted shape component may be, in standard deviations.
const MOST_SHAPE: f64 = 3.0;

/// Weights of the terms, as the kernels take them.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    pub joints: f64,
    pub joints_robust: f64,
    pub reprojection: f64,
    pub reprojection_robust: f64,
    pub limits: f64,
    pub shape: f64,
    pub scale_free: bool,
    /// Steps by which a landmark's offset is found (the kernel has its own constant).
    pub offset_steps: u32,
}

impl Weights {
    pub(super) fn new(settings: &HandFitSettings, noise_px: f64) -> Self {
        let noise = noise_px.max(settings.least_noise_px);
        Self {
            joints: settings.joints_weight,
            joints_robust: settings.robust_scale * settings.robust_scale,
            reprojection: settings.reprojection_weight / (noise * noise),
            reprojection_robust: (settings.robust_scale * noise).powi(2),
            limits: 1.0 / (settings.limit_sigma_rad * settings.limit_sigma_rad),
            shape: settings.shape_weight,
            scale_free: settings.fit_scale,
            offset_steps: OFFSET_STEPS,
        }
    }
}

/// A triangulated joint: what a landmark of the detector is held against.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Position relative to the fit's origin, metres.
    pub position: Vector3<f64>,
    /// Inverse covariance of the position; zero when nothing is known.
    pub information: Matrix3<f64>,
    /// Inverse variance of the landmark's offset from the model's joint.
    pub offset_information: f64,
}

/// One hand with everything its loss needs. Positions are relative to the fit's origin.
#[derive(Clone, Debug)]
pub(super) struct HandProblem {
    pub model: KeypointModel,
    /// One of each keypoint.
    pub targets: Vec<Target>,
    pub projections: Vec<Matrix3x4<f64>>,
    pub observations: Vec<HandObservation>,
    pub prior_mean: [f64; 45],
    /// Rows of the 15 precision blocks.
    pub prior: [[f64; 3]; 45],
    pub limits: [[f64; 2]; 45],
    /// Mean of the shape prior: zero, or the shape that is known from other frames or captures.
    pub shape_mean: [f64; 10],
}

/// Bone direction at rest below each of joints 1 to 15 (the next joint, or the tip).
fn bone_directions(model: &KeypointModel) -> [Vector3<f64>; 15] {
    // Tips come in the order thumb, index, middle, ring, pinky; last joints are 15, 3, 6, 12, 9.
    const TIP_OF_LAST: [(usize, usize); 5] = [(15, 16), (3, 17), (6, 18), (12, 19), (9, 20)];
    std::array::from_fn(|i| {
        let joint = i + 1;
        let child = (joint + 1..JOINTS).find(|&c| usize::try_from(JOINT_PARENTS[c]).is_ok_and(|p| p == joint));
        let below = child.or_else(|| TIP_OF_LAST.iter().find(|(last, _)| *last == joint).map(|(_, tip)| *tip));
        let end = Vector3::from(model.rest[below.unwrap_or(joint)]);
        (end - Vector3::from(model.rest[joint])).try_normalize(1e-9).unwrap_or_else(Vector3::x)
    })
}

impl HandProblem {
    pub(super) fn new(
        model: &HandModel,
        joints: &HandJoints,
        observations: &[HandObservation],
        projections: &[Matrix3x4<f64>],
        origin: &Vector3<f64>,
        settings: &HandFitSettings,
    ) -> Self {
        let keypoints = KeypointModel::new(model);
        let sigma = |k: usize| match k {
            0 => settings.wrist_sigma_m,
            5 | 9 | 13 | 17 => settings.knuckle_sigma_m,
            _ => settings.joint_sigma_m,
        };
        let target = |k: usize| {
            let floor = Matrix3::identity() * JOINT_NOISE_M.powi(2);
            let covariance = Matrix3::from_fn(|r, c| joints.covariance[k][r][c]) + floor;
            let information = covariance.try_inverse().filter(|i| i.iter().all(|v| v.is_finite()));
            // A joint no two views agree on tells nothing.
            let told = if joints.support[k] >= 2 { information } else { None };
            Target {
                position: Vector3::from(joints.joints[k]) - origin,
                information: told.unwrap_or_else(Matrix3::zeros),
                offset_information: sigma(k).powi(-2),
            }
        };
        let (free, stiff) = (settings.pose_sigma_rad.powi(-2), settings.twist_sigma_rad.powi(-2));
        let directions = bone_directions(&keypoints);
        let prior = std::array::from_fn(|i| {
            let b = directions[i / 3];
            let along = b * b.transpose();
            let block = (Matrix3::identity() - along) * free + along * stiff;
            [block[(i % 3, 0)], block[(i % 3, 1)], block[(i % 3, 2)]]
        });
        let moved = |p: &Matrix3x4<f64>| {
            let mut q = *p;
            let column = p.fixed_columns::<3>(0) * origin + p.column(3);
            q.set_column(3, &column);
            q / q.fixed_view::<1, 3>(2, 0).norm().max(1e-30)
        };
        Self {
            model: keypoints,
            targets: (0..KEYPOINTS).map(target).collect(),
            projections: projections.iter().map(moved).collect(),
            observations: observations.to_vec(),
            prior_mean: model.hands_mean,
            prior,
            limits: model.joint_limits,
            shape_mean: settings.shape_mean,
        }
    }

    /// The start that a network's prediction makes, laid rigidly on all joints; `None` when there is no prediction, or a
    /// joint of its input is not known.
    fn regressed(&self, regressor: &HandRegressor, settings: &HandFitSettings) -> Option<[f64; PARAMETERS]> {
        if self.targets.iter().any(|t| t.information == Matrix3::zeros()) {
            return None;
        }
        let joints = std::array::from_fn(|k| self.targets[k].position.into());
        let found = regressor.predict(&joints, self.model.side, false)?;
        let mut p = HandParameters::rest(self.model.side);
        // A shape that is known from elsewhere is better than one from these joints.
        let known = self.shape_mean != [0.0; 10];
        let betas = if known { self.shape_mean.to_vec() } else { found.betas };
        p.betas = betas.into_iter().map(|b| b.clamp(-MOST_SHAPE, MOST_SHAPE)).collect();
        p.scale = settings.scale;
        for (i, (to, from)) in p.hand_pose.iter_mut().zip(found.hand_pose).enumerate() {
            let [low, high] = self.limits[i];
            *to = from.clamp(low.min(high), high.max(low));
        }
        self.lay_on(&mut p, &std::array::from_fn::<usize, KEYPOINTS, _>(|k| k));
        Some(parameter_vector(&p))
    }

    /// Start values: the network's, or those of [`Self::starts`].
    pub(super) fn starts_by(&self, r: Option<&HandRegressor>, settings: &HandFitSettings) -> Vec<[f64; PARAMETERS]> {
        r.and_then(|r| self.regressed(r, settings)).map_or_else(|| self.starts(settings), |start| vec![start])
    }

    /// Start values: the model in several degrees of flexion, laid rigidly on the joints of the palm.
    pub(super) fn starts(&self, settings: &HandFitSettings) -> Vec<[f64; PARAMETERS]> {
        settings
            .start_flexions
            .iter()
            .map(|&flexion| {
                let mut p = HandParameters::rest(self.model.side);
                p.betas = self.shape_mean.to_vec();
                p.scale = settings.scale;
                for i in 0..45 {
                    let [low, high] = self.limits[i];
                    p.hand_pose[i] = (flexion * self.prior_mean[i]).clamp(low.min(high), high.max(low));
                }
                self.lay_on(&mut p, &PALM);
                parameter_vector(&p)
            })
            .collect()
    }

    /// Rigid alignment of some keypoints (Kabsch 1976).
    fn lay_on(&self, p: &mut HandParameters, keypoints: &[usize]) {
        let (points, _) = self.model.evaluate(p);
        #[expect(clippy::cast_precision_loss, reason = "21 at most")]
        let count = keypoints.len() as f64;
        let mean = |f: &dyn Fn(usize) -> Vector3<f64>| keypoints.iter().map(|&k| f(k)).sum::<Vector3<f64>>() / count;
        let from = |k: usize| Vector3::from(points[k]);
        let to = |k: usize| self.targets[k].position;
        let (from_mean, to_mean) = (mean(&from), mean(&to));
        let mut correlation = Matrix3::zeros();
        for &k in keypoints {
            correlation += (to(k) - to_mean) * (from(k) - from_mean).transpose();
        }
        let svd = correlation.svd(true, true);
        let (Some(u), Some(vt)) = (svd.u, svd.v_t) else { return };
        let sign = (u * vt).determinant().signum();
        let rotation = u * Matrix3::from_diagonal(&Vector3::new(1.0, 1.0, sign)) * vt;
        p.global_orient = axis_angle_from_rotation(&rotation).into();
        // The root turns about the wrist joint: a point x goes to R (x − wrist) + wrist + t.
        let wrist = from(0);
        p.transl = (to_mean - rotation * (from_mean - wrist) - wrist).into();
    }
}
