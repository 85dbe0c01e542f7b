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
mod finish;
mod mask_field;
mod normal;
mod problem;
mod reference;
mod refine;
mod sequence;
mod settings;
mod smooth;

use super::pose::{HandObservation, PoseResult};
use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;
use crate::gpu::{Gpu, GpuError};
use crate::hand::{HandModel, HandParameters, PARAMETERS, PosedHand, parameters_from_vector, pose_hand};
use crate::regressor::HandRegressor;
use device::{DeviceFit, FitKernels};
pub use finish::hold_hands;
use image::GrayImage;
use nalgebra::{Matrix3x4, Vector3};
use problem::{HandProblem, Weights};
use reference::{State, StepRule, TERMS, damped_step, hand_normal};
pub use refine::SilhouetteReport;
pub use sequence::{CommonShape, SequenceFit, ShapeEstimate, ShapeInformation, fit_sequence, shape_information};
use settings::check;
pub use settings::{FitInit, HandFitSettings};
pub use smooth::{FrameEstimate, Smoothness, smooth_motion};
use std::ops::Range;
use std::sync::Arc;

/// No start of any hand has lowered its loss by more than this share of it …
const SETTLED_GAIN: f64 = 1e-5;
/// … for so many iterations: then further ones on the device would change nothing that the polish does not.
const SETTLED_ITERATIONS: u32 = 6;

/// Names of the loss terms, in the order of [`FitStep::terms`].
pub const FIT_TERMS: [&str; TERMS] = ["joints", "reprojection", "pose", "limits", "shape", "offsets"];

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
    /// Iterations in all, as far as is known: with the last step it is the number of that.
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
    /// What the data say about the parameters: Gauss-Newton matrix at the solution, masks included (rows of 62).
    pub information: Vec<[f64; PARAMETERS]>,
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
    /// A user's: it takes part although the hands fitted to the keypoints do not agree with it.
    pub edited: bool,
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
    /// Iterations since a loss was last lowered.
    settled: u32,
    settings: HandFitSettings,
    /// Loss, terms and parameters of each problem after the last step.
    states: Vec<(f64, [f64; TERMS], [f64; PARAMETERS])>,
    notes: Vec<String>,
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
        let mut hands: Vec<HandProblem> = Vec::new();
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
        let present = Side::BOTH.map(|s| hands.iter().any(|h| h.model.side == s));
        let (regressors, notes) = regressors(models, present, settings);
        let starts: Vec<(usize, [f64; PARAMETERS])> = hands
            .iter()
            .enumerate()
            .flat_map(|(hand, problem)| {
                let regressor = regressors[problem.model.side.index()].as_deref();
                problem.starts_by(regressor, settings).into_iter().map(move |x| (hand, x))
            })
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
            settled: 0,
            settings: settings.clone(),
            states,
            notes,
        })
    }

    /// What the user should know about how the fit began: why it has not the start that was asked for.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// One iteration of all starts of all hands; `None` when all iterations are done, or no loss gets smaller any more.
    ///
    /// # Errors
    /// [`FitError::Diverged`] or a failure of the device.
    pub fn step(&mut self) -> Result<Option<FitStep>, FitError> {
        if self.ended() {
            return Ok(None);
        }
        let before: Vec<f64> = self.states.iter().map(|state| state.0).collect();
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
        let falls = before.iter().zip(&self.states).any(|(before, after)| after.0 < before * (1.0 - SETTLED_GAIN));
        self.settled = if falls { 0 } else { self.settled + 1 };
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
        let iterations = if self.ended() { self.iteration } else { self.settings.iterations };
        Ok(Some(FitStep { iteration: self.iteration, iterations, total, terms }))
    }

    const fn ended(&self) -> bool {
        self.iteration >= self.settings.iterations || self.settled >= SETTLED_ITERATIONS
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
}

/// Regressors by side, where the settings ask for them and the hand is there, and why there is none.
fn regressors(
    models: [Option<&HandModel>; 2],
    present: [bool; 2],
    settings: &HandFitSettings,
) -> ([Option<Arc<HandRegressor>>; 2], Vec<String>) {
    let mut notes = Vec::new();
    let mut found: [Option<Arc<HandRegressor>>; 2] = [None, None];
    if settings.init == FitInit::Gcn {
        for side in Side::BOTH {
            let Some(model) = models[side.index()].filter(|_| present[side.index()]) else { continue };
            let known = found.iter().flatten().find(|r| r.serves(model)).cloned();
            match known.map_or_else(|| HandRegressor::find(model).map(Arc::new), Ok) {
                Ok(regressor) => found[side.index()] = Some(regressor),
                Err(error) => notes.push(format!("the fit of the {side} hand starts from several poses: {error}")),
            }
        }
    }
    (found, notes)
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

#[cfg(test)]
mod starts;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::CHECKS;
