//! Fit stage: joints and keypoints → hand-model parameters, by Levenberg-Marquardt with several starts.
//!
//! Unknowns per hand: orientation 3, translation 3, pose 45, shape 10, scale 1 (locked unless asked for). Loss (all terms
//! with a weight, Cauchy-robust where data come in): squared Mahalanobis distance of the 21 landmarks to the triangulated
//! joints; squared pixel distance of their projections to the assigned detections, over the squared noise; a Gaussian pose
//! prior about `hands_mean`, stiffer about the bone axis; a quadratic outside the joint limits; a unit Gaussian on the shape.
//! A landmark is a keypoint of the model with an offset, since detectors do not mean the model's joints: offsets have a prior
//! of their own and are eliminated from the normal equations.
//!
//! One iteration is two kernels over all problems (hand × start): `fit/hand_normal` (kinematics, Jacobian, normal
//! equations) and `fit/damped_step` (judge, Cholesky, next trial). The best start of each hand is then polished by the same
//! iteration in `f64` on the CPU ([`HandFitSettings::polish_iterations`]), so that what is kept does not carry the rounding
//! of single precision; pose correctives of tip vertices, which the kernels leave out, take part in the polish only.

mod contour;
mod device;
mod mask_field;
mod problem;
mod reference;
mod refine;

use super::pose::{HandObservation, PoseResult};
use crate::anatomy::{JOINTS, KEYPOINT_FROM_JOINT_OR_TIP, KEYPOINTS, Side};
use crate::camera::Camera;
use crate::gpu::{Gpu, GpuError};
use crate::hand::{
    HandModel, HandParameters, KeypointModel, PARAMETERS, PosedHand, joint_frames, parameters_from_vector, pose_hand,
};
use device::{DeviceFit, FitKernels};
use image::GrayImage;
use mask_field::MaskField;
use nalgebra::{Matrix3x4, Vector3};
use problem::{HandProblem, Weights};
use reference::{State, StepRule, TERMS, damped_step, hand_normal, landmark_offset, offset_scale};
use refine::Refinement;
pub use refine::SilhouetteReport;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names of the loss terms, in the order of [`FitStep::terms`].
pub const FIT_TERMS: [&str; TERMS] = ["joints", "reprojection", "pose", "limits", "shape", "offsets"];

/// How often the scale of the offsets is worked out anew.
const OFFSET_PASSES: u32 = 4;
/// Offsets are never taken for smaller than this share of their prior deviations.
const LEAST_OFFSET_SCALE: f64 = 0.03;

/// How the fit stage works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HandFitSettings {
    /// Levenberg-Marquardt iterations on the device.
    pub iterations: u32,
    /// Further iterations in `f64` for the best start of each hand.
    pub polish_iterations: u32,
    /// Start poses as multiples of the mean pose (0 = flat, 1 = relaxed).
    pub start_flexions: Vec<f64>,
    /// Weight of the 3D joints.
    pub joints_weight: f64,
    /// How far a model joint may be from what a detector calls that joint, metres: the standard deviation of the offset that is
    /// estimated for each landmark.
    pub joint_sigma_m: f64,
    /// The same for the wrist: detectors put it about 25 mm nearer to the fingers and to the back of the hand than the joint
    /// about which a hand model turns.
    pub wrist_sigma_m: f64,
    /// The same for the four knuckles at the fingers' base: detectors put them 6 to 10 mm nearer to the wrist than the open
    /// hand has them.
    pub knuckle_sigma_m: f64,
    /// Weight of the 2D reprojections; below 1 because the errors of one detector are alike in all views.
    pub reprojection_weight: f64,
    /// Least keypoint noise that is believed, pixels.
    pub least_noise_px: f64,
    /// Scale of the robust losses, in standard deviations.
    pub robust_scale: f64,
    /// Standard deviation of the pose prior, radians.
    pub pose_sigma_rad: f64,
    /// The same about the bone axis (twist).
    pub twist_sigma_rad: f64,
    /// Standard deviation beyond a joint limit, radians.
    pub limit_sigma_rad: f64,
    /// Weight of the unit Gaussian on the shape.
    pub shape_weight: f64,
    /// Whether a uniform scale is fitted too.
    pub fit_scale: bool,
    /// Rounds of the refinement of all hands together: outlines and contacts are collected anew in each; 0 leaves it out.
    pub refine_rounds: u32,
    /// Weight of a vertex on the outline; below 1 because neighbouring vertices tell the same.
    pub silhouette_weight: f64,
    /// Least standard deviation of a mask's edge that is believed, pixels; what is found is used where it is larger.
    pub silhouette_sigma_px: f64,
    /// Standard deviation of the difference in shape of one person's two hands, in units of the shape prior.
    pub shape_tie_sigma: f64,
    /// Standard deviation of the depth to which one hand may be inside the other, metres.
    pub contact_sigma_m: f64,
}

impl Default for HandFitSettings {
    fn default() -> Self {
        Self {
            iterations: 40,
            polish_iterations: 15,
            start_flexions: vec![0.0, 1.0, 2.0],
            joints_weight: 1.0,
            joint_sigma_m: 0.003,
            wrist_sigma_m: 0.02,
            knuckle_sigma_m: 0.008,
            reprojection_weight: 0.1,
            least_noise_px: 0.3,
            robust_scale: 4.0,
            pose_sigma_rad: 0.6,
            twist_sigma_rad: 0.1,
            limit_sigma_rad: 0.03,
            shape_weight: 1.0,
            fit_scale: false,
            refine_rounds: 8,
            silhouette_weight: 0.25,
            silhouette_sigma_px: 1.0,
            shape_tie_sigma: 0.5,
            contact_sigma_m: 0.001,
        }
    }
}

/// Where the fit runs.
#[derive(Clone, Copy, Debug)]
pub enum FitBackend<'a> {
    /// The kernels on a device.
    Gpu(&'a Gpu),
    /// Their `f64` twins (tests; machines without a device).
    Reference,
}

/// What one iteration did: the sum over the hands of the best start's losses.
#[derive(Clone, Debug, PartialEq)]
pub struct FitStep {
    /// Iteration, from 1.
    pub iteration: u32,
    /// Iterations in all.
    pub iterations: u32,
    /// Sum of the terms.
    pub total: f64,
    /// Loss of each of [`FIT_TERMS`].
    pub terms: [f64; TERMS],
}

/// A fitted hand.
#[derive(Clone, Debug)]
pub struct FittedHand {
    /// The mesh with its parameters, world metres.
    pub posed: PosedHand,
    /// Mean distance of the model's keypoints to the triangulated joints, millimetres.
    pub mean_joint_mm: f64,
    /// Median distance of the projected landmarks (keypoints with their offsets) to the assigned detections, pixels.
    pub median_px: f64,
    /// The same of the keypoints themselves.
    pub model_median_px: f64,
    /// Where the detector puts each landmark relative to the model's keypoint, in the frame of the bone it hangs on (rest
    /// pose axes), metres; `MediaPipe` order.
    pub landmark_offsets: [[f64; 3]; KEYPOINTS],
    /// Final loss.
    pub loss: f64,
}

/// A mask the hands may be compared with.
#[derive(Clone, Copy, Debug)]
pub struct Silhouette<'a> {
    /// View index, for the report.
    pub view: usize,
    /// Refined camera; its size is the mask's size.
    pub camera: &'a Camera,
    /// 255 = hand.
    pub mask: &'a GrayImage,
}

/// Result of the fit stage.
#[derive(Clone, Debug)]
pub struct FitResult {
    /// The hands, left before right.
    pub hands: Vec<FittedHand>,
    /// What each mask did, in the order given; masks without an edge near the hands are missing.
    pub silhouettes: Vec<SilhouetteReport>,
}

/// Why there is no fit.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The pose stage found no hand for which there is a model.
    #[error("there are no joints to fit a hand to: run the pose stage first, or give more views")]
    NoJoints,
    /// The settings make no sense.
    #[error("fit settings: {0}")]
    Settings(String),
    /// The loss is not finite.
    #[error(
        "the fit of the {side} hand did not stay finite: the joints or the cameras contain values that are not numbers"
    )]
    Diverged {
        /// Which hand.
        side: Side,
    },
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

enum Engine {
    Device(Box<DeviceFit>),
    Reference(Vec<State>),
}

/// The hands of one frame of a sequence.
#[derive(Clone, Debug)]
struct Frame {
    hands: Range<usize>,
    /// What positions of these hands' problems are relative to, world metres.
    origin: Vector3<f64>,
}

/// A fit in progress. Make it, call [`HandFit::step`] until it returns `None`, then [`HandFit::finish`].
pub struct HandFit {
    /// By side.
    models: [Option<HandModel>; 2],
    /// Of all frames.
    hands: Vec<HandProblem>,
    frames: Vec<Frame>,
    /// Hand of each problem.
    problem_hand: Vec<usize>,
    weights: Weights,
    rule: StepRule,
    engine: Engine,
    iteration: u32,
    settings: HandFitSettings,
    /// Loss, terms and parameters of each problem after the last step.
    states: Vec<(f64, [f64; TERMS], [f64; PARAMETERS])>,
}

fn check(settings: &HandFitSettings) -> Result<(), FitError> {
    let positive = [
        ("joint_sigma_m", settings.joint_sigma_m),
        ("wrist_sigma_m", settings.wrist_sigma_m),
        ("knuckle_sigma_m", settings.knuckle_sigma_m),
        ("least_noise_px", settings.least_noise_px),
        ("robust_scale", settings.robust_scale),
        ("pose_sigma_rad", settings.pose_sigma_rad),
        ("twist_sigma_rad", settings.twist_sigma_rad),
        ("limit_sigma_rad", settings.limit_sigma_rad),
        ("silhouette_sigma_px", settings.silhouette_sigma_px),
        ("shape_tie_sigma", settings.shape_tie_sigma),
        ("contact_sigma_m", settings.contact_sigma_m),
    ];
    if let Some((name, value)) = positive.iter().find(|(_, v)| !v.is_finite() || *v <= 0.0) {
        return Err(FitError::Settings(format!("{name} is {value} and must be positive")));
    }
    if settings.start_flexions.is_empty() || settings.iterations == 0 {
        return Err(FitError::Settings("at least one start and one iteration are needed".to_owned()));
    }
    Ok(())
}

impl HandFit {
    /// Prepares the fit of every hand that has joints and a model (`models` by side: left, right).
    ///
    /// # Errors
    /// [`FitError`] when there is nothing to fit, a setting is absurd or the device refuses.
    pub fn new(
        backend: FitBackend<'_>,
        models: [Option<&HandModel>; 2],
        pose: &PoseResult,
        settings: &HandFitSettings,
    ) -> Result<Self, FitError> {
        Self::of_frames(backend, models, std::slice::from_ref(pose), settings)
    }

    /// The same for many frames in one batch; frames without a hand stay empty.
    ///
    /// # Errors
    /// As [`HandFit::new`]; [`FitError::NoJoints`] when no frame has a hand.
    pub fn of_frames(
        backend: FitBackend<'_>,
        models: [Option<&HandModel>; 2],
        poses: &[PoseResult],
        settings: &HandFitSettings,
    ) -> Result<Self, FitError> {
        check(settings)?;
        let mut hands = Vec::new();
        let mut frames = Vec::new();
        for pose in poses {
            let first = hands.len();
            let (origin, found) = frame_problems(models, pose, settings)?;
            hands.extend(found);
            frames.push(Frame { hands: first..hands.len(), origin });
        }
        if hands.is_empty() {
            return Err(FitError::NoJoints);
        }
        // One detector, one noise.
        let noise_px = super::pose::median(poses.iter().map(|p| p.noise_px).collect());
        let starts: Vec<(usize, [f64; PARAMETERS])> = hands
            .iter()
            .enumerate()
            .flat_map(|(hand, problem)| problem.starts(settings).into_iter().map(move |x| (hand, x)))
            .collect();
        let weights = Weights::new(settings, noise_px);
        let rule = StepRule { lambda_down: 0.2, lambda_up: 5.0, max_turn: 0.5 };
        let lambda = 1e-2;
        let engine = match backend {
            FitBackend::Gpu(gpu) => {
                let kernels = FitKernels::new(gpu)?;
                let device = DeviceFit::new(gpu, &kernels, &hands, &starts, &weights, &rule, lambda)?;
                Engine::Device(Box::new(device))
            }
            FitBackend::Reference => Engine::Reference(starts.iter().map(|(_, x)| State::new(*x, lambda)).collect()),
        };
        let states = starts.iter().map(|(_, x)| (f64::INFINITY, [0.0; TERMS], *x)).collect();
        Ok(Self {
            models: models.map(|m| m.cloned()),
            hands,
            frames,
            problem_hand: starts.iter().map(|(hand, _)| *hand).collect(),
            weights,
            rule,
            engine,
            iteration: 0,
            settings: settings.clone(),
            states,
        })
    }

    /// One iteration of all starts of all hands; `None` when all iterations are done.
    ///
    /// # Errors
    /// [`FitError::Diverged`] or a failure of the device.
    pub fn step(&mut self) -> Result<Option<FitStep>, FitError> {
        if self.iteration >= self.settings.iterations {
            return Ok(None);
        }
        match &mut self.engine {
            Engine::Device(device) => {
                device.step()?;
            }
            Engine::Reference(states) => {
                for (state, &hand) in states.iter_mut().zip(&self.problem_hand) {
                    let system = hand_normal(&self.hands[hand], &self.weights, &state.trial);
                    damped_step(state, system, &self.rule);
                }
                let row = |s: &State| (s.loss, s.kept.as_ref().map_or([0.0; TERMS], |k| k.losses), s.current);
                self.states = states.iter().map(row).collect();
            }
        }
        self.read_states()?;
        self.iteration += 1;
        let mut terms = [0.0; TERMS];
        for hand in 0..self.hands.len() {
            let (loss, losses, _) = &self.states[self.best(hand)];
            if !loss.is_finite() || *loss >= f64::from(f32::MAX) {
                return Err(FitError::Diverged { side: self.hands[hand].model.side });
            }
            for (sum, term) in terms.iter_mut().zip(losses) {
                *sum += term;
            }
        }
        let total = terms.iter().sum();
        Ok(Some(FitStep { iteration: self.iteration, iterations: self.settings.iterations, total, terms }))
    }

    fn read_states(&mut self) -> Result<(), FitError> {
        if let Engine::Device(device) = &self.engine {
            self.states = device.read()?.into_iter().map(|s| (s.loss, s.losses, s.current)).collect();
        }
        Ok(())
    }

    /// Problem with the least loss of a hand (the first of equals).
    fn best(&self, hand: usize) -> usize {
        let mut best = None;
        for (problem, _) in self.problem_hand.iter().enumerate().filter(|(_, h)| **h == hand) {
            if best.is_none_or(|b: usize| self.states[problem].0 < self.states[b].0) {
                best = Some(problem);
            }
        }
        best.expect("every hand has a start")
    }

    fn model(&self, hand: usize) -> &HandModel {
        self.models[self.hands[hand].model.side.index()].as_ref().expect("a problem is made for a model")
    }

    fn world_parameters(&self, hand: usize, x: &[f64; PARAMETERS]) -> HandParameters {
        let mut p = parameters_from_vector(self.hands[hand].model.side, x);
        let frame = self.frames.iter().find(|f| f.hands.contains(&hand));
        let origin = frame.map_or_else(Vector3::zeros, |f| f.origin);
        for (value, shift) in p.transl.iter_mut().zip(&origin) {
            *value += shift;
        }
        p
    }

    /// The hands as they are now, for pictures of the fit in progress.
    #[must_use]
    pub fn hands(&self) -> Vec<PosedHand> {
        let pose =
            |hand: usize| pose_hand(self.model(hand), &self.world_parameters(hand, &self.states[self.best(hand)].2));
        (0..self.hands.len()).map(pose).collect()
    }

    /// Polishes the best start of each hand in `f64`, refines all hands together with the masks, and measures them.
    ///
    /// # Errors
    /// [`FitError::Diverged`] when the loss is not finite.
    pub fn finish(self, silhouettes: &[Silhouette<'_>]) -> Result<FitResult, FitError> {
        let mut frames = self.finish_frames(std::slice::from_ref(&silhouettes))?;
        Ok(frames.swap_remove(0))
    }

    /// The same for all frames, with the masks of each; frames beyond `silhouettes` have none. Frames are shared among the
    /// processor's cores; the result does not depend on how many there are.
    ///
    /// # Errors
    /// [`FitError::Diverged`] for the first frame whose loss is not finite.
    pub fn finish_frames(mut self, silhouettes: &[&[Silhouette<'_>]]) -> Result<Vec<FitResult>, FitError> {
        self.read_states()?;
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(self.frames.len());
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let frame = next.fetch_add(1, Ordering::Relaxed);
                if frame >= self.frames.len() {
                    return done;
                }
                done.push((frame, self.finish_frame(frame, silhouettes.get(frame).copied().unwrap_or_default())));
            }
        };
        let mut results: Vec<(usize, Result<FitResult, FitError>)> = std::thread::scope(|scope| {
            let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut all = work();
            for worker in workers {
                all.extend(worker.join().expect("a frame's fit does not panic"));
            }
            all
        });
        results.sort_by_key(|(frame, _)| *frame);
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn finish_frame(&self, frame: usize, silhouettes: &[Silhouette<'_>]) -> Result<FitResult, FitError> {
        let Frame { hands: range, origin } = self.frames[frame].clone();
        let mut problems: Vec<HandProblem> = self.hands[range.clone()].to_vec();
        let mut hands = Vec::new();
        for (hand, problem) in range.clone().zip(&mut problems) {
            hands.push(self.polish(self.states[self.best(hand)].2, problem)?);
        }
        let models: Vec<&HandModel> = range.clone().map(|hand| self.model(hand)).collect();
        let mut reports = Vec::new();
        if self.settings.refine_rounds > 0 {
            let fields = mask_fields(&models, &hands, &origin, silhouettes);
            let mut refinement = Refinement::new(&models, &problems, &self.weights, &self.settings, fields);
            reports = refinement.run(&mut hands);
        }
        let mut fitted = Vec::new();
        for ((hand, problem), x) in range.zip(&problems).zip(&hands) {
            let loss = hand_normal(problem, &self.weights, x).losses.iter().sum::<f64>();
            if !loss.is_finite() {
                return Err(FitError::Diverged { side: problem.model.side });
            }
            let posed = pose_hand(self.model(hand), &self.world_parameters(hand, x));
            fitted.push(measured(problem, &self.weights, posed, &origin, loss));
        }
        Ok(FitResult { hands: fitted, silhouettes: reports })
    }

    /// The best start of a hand, continued in `f64`; between the passes the scale of the landmarks' offsets follows the data,
    /// so that a detector that means the model's joints is believed to the fraction of a millimetre.
    fn polish(&self, start: [f64; PARAMETERS], problem: &mut HandProblem) -> Result<[f64; PARAMETERS], FitError> {
        let mut x = start;
        let prior: Vec<f64> = problem.targets.iter().map(|t| t.offset_information).collect();
        for pass in 0..=OFFSET_PASSES {
            let mut state = State::new(x, 1e-3);
            for _ in 0..=self.settings.polish_iterations {
                let before = state.loss;
                let system = hand_normal(problem, &self.weights, &state.trial);
                damped_step(&mut state, system, &self.rule);
                let gain = before - state.loss;
                if gain > 0.0 && gain < 1e-9 * state.loss {
                    break;
                }
            }
            if !state.loss.is_finite() || state.kept.is_none() {
                return Err(FitError::Diverged { side: problem.model.side });
            }
            x = state.current;
            if pass < OFFSET_PASSES {
                let scale = offset_scale(problem, &self.weights, &x, &prior).clamp(LEAST_OFFSET_SCALE, 1.0);
                for (target, prior) in problem.targets.iter_mut().zip(&prior) {
                    target.offset_information = prior / (scale * scale);
                }
            }
        }
        Ok(x)
    }
}

/// The problems of one frame and what their positions are relative to.
fn frame_problems(
    models: [Option<&HandModel>; 2],
    pose: &PoseResult,
    settings: &HandFitSettings,
) -> Result<(Vector3<f64>, Vec<HandProblem>), FitError> {
    let present: Vec<_> = Side::BOTH
        .into_iter()
        .filter_map(|s| Some((s, models[s.index()]?, pose.joints.hands[s.index()].as_ref()?)))
        .collect();
    if let Some((side, ..)) = present.iter().find(|(_, _, j)| j.joints.iter().flatten().any(|v| !v.is_finite())) {
        return Err(FitError::Diverged { side: *side });
    }
    let all: Vec<Vector3<f64>> =
        present.iter().flat_map(|(_, _, j)| j.joints.iter().map(|p| Vector3::from(*p))).collect();
    #[expect(clippy::cast_precision_loss, reason = "at most 42 joints")]
    let origin = all.iter().sum::<Vector3<f64>>() / all.len().max(1) as f64;
    let projections: Vec<Matrix3x4<f64>> = pose.cameras.iter().map(Camera::projection).collect();
    let problem = |(s, m, j): &(Side, &HandModel, &super::pose::HandJoints)| {
        HandProblem::new(m, j, &pose.observations[s.index()], &projections, &origin, settings)
    };
    Ok((origin, present.iter().map(problem).collect()))
}

/// The fields of the masks, cameras seen from the frame's origin.
fn mask_fields(
    models: &[&HandModel],
    hands: &[[f64; PARAMETERS]],
    origin: &Vector3<f64>,
    silhouettes: &[Silhouette<'_>],
) -> Vec<(usize, MaskField)> {
    let mut points = Vec::new();
    for (model, x) in models.iter().zip(hands) {
        points.extend(pose_hand(model, &parameters_from_vector(model.side, x)).vertices);
    }
    let field = |s: &Silhouette<'_>| {
        let translation = s.camera.rotation * origin + s.camera.translation;
        let camera = Camera { translation, ..s.camera.clone() };
        let step = if camera.width_px.max(camera.height_px) >= 3000 { 3 } else { 1 };
        Some((s.view, MaskField::new(&camera, s.mask, &points, step)?))
    };
    silhouettes.iter().filter_map(field).collect()
}

/// A fitted hand held against its data.
fn measured(
    problem: &HandProblem,
    weights: &Weights,
    posed: PosedHand,
    origin: &Vector3<f64>,
    loss: f64,
) -> FittedHand {
    let keypoints = posed.keypoints.map(|p| Vector3::from(p) - origin);
    let distance = |k: usize| (keypoints[k] - problem.targets[k].position).norm();
    let offsets: [Vector3<f64>; KEYPOINTS] =
        std::array::from_fn(|k| landmark_offset(problem, weights, k, &keypoints[k]));
    let parameters = &posed.parameters;
    let frames = joint_frames(&regress_shaped(&problem.model, &parameters.betas), parameters);
    FittedHand {
        mean_joint_mm: 1e3 * (0..KEYPOINTS).map(distance).sum::<f64>() / 21.0,
        median_px: median_px(problem, &std::array::from_fn(|k| keypoints[k] + offsets[k])),
        model_median_px: median_px(problem, &keypoints),
        landmark_offsets: std::array::from_fn(|k| {
            (frames.rotation[bone_of_keypoint(k)].transpose() * offsets[k]).into()
        }),
        loss,
        posed,
    }
}

/// Joints of a shape at rest.
fn regress_shaped(model: &KeypointModel, betas: &[f64]) -> [[f64; 3]; JOINTS] {
    let points = model.shaped(betas);
    std::array::from_fn(|j| points[j])
}

/// The joint whose rotation carries a keypoint: its own, or for tips the last joint of the finger.
fn bone_of_keypoint(keypoint: usize) -> usize {
    let source = |k: usize| KEYPOINT_FROM_JOINT_OR_TIP[k];
    // The keypoint before a tip, in MediaPipe's order, is the last joint of the same finger.
    if source(keypoint) < JOINTS { source(keypoint) } else { source(keypoint - 1) }
}

/// Median distance of the projections of `points` (relative to the fit's origin) to the detections.
fn median_px(problem: &HandProblem, points: &[Vector3<f64>; KEYPOINTS]) -> f64 {
    let distance = |o: &HandObservation, k: usize| {
        let h = problem.projections[o.view] * points[k].push(1.0);
        (h.x / h.z - o.px[k][0]).hypot(h.y / h.z - o.px[k][1])
    };
    let seen = |o: &HandObservation, k: usize| o.weights[k] > 0.0;
    let all = problem.observations.iter().flat_map(|o| (0..KEYPOINTS).filter(|k| seen(o, *k)).map(|k| distance(o, k)));
    super::pose::median(all.collect())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::CHECKS;
