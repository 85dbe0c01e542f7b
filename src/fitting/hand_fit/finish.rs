//! The end of the fit: polish in `f64`, refinement with the masks, and what came of it.

use super::mask_field::MaskField;
use super::problem::{HandProblem, Weights};
use super::reference::{State, damped_step, hand_normal, landmark_offset, offset_scale};
use super::refine::Refinement;
use super::settings::check;
use super::{
    FitError, FitResult, FittedHand, Frame, HandFit, HandFitSettings, HandObservation, Silhouette, frame_problems,
};
use crate::anatomy::{JOINTS, KEYPOINT_FROM_JOINT_OR_TIP, KEYPOINTS};
use crate::camera::Camera;
use crate::fitting::pose::PoseResult;
use crate::hand::{
    HandModel, HandParameters, PARAMETERS, PointFrames, PosedHand, TRANSL, parameter_vector, parameters_from_vector,
    pose_hand,
};
use nalgebra::Vector3;

/// How often the scale of the offsets is worked out anew.
const OFFSET_PASSES: u32 = 4;
/// Offsets are never taken for smaller than this share of their prior deviations.
const LEAST_OFFSET_SCALE: f64 = 0.03;

impl HandFit {
    /// Polishes the best start of each hand in `f64`, refines all hands together with the masks, and measures them.
    ///
    /// # Errors
    /// [`FitError::Diverged`] when the loss is not finite.
    pub fn finish(self, silhouettes: &[Silhouette<'_>]) -> Result<FitResult, FitError> {
        let mut frames = self.finish_frames(std::slice::from_ref(&silhouettes))?;
        Ok(frames.swap_remove(0))
    }

    /// The same for all frames, with the masks of each; frames beyond `silhouettes` have none.
    ///
    /// # Errors
    /// [`FitError::Diverged`] for the first frame whose loss is not finite.
    pub fn finish_frames(self, silhouettes: &[&[Silhouette<'_>]]) -> Result<Vec<FitResult>, FitError> {
        let masks = |frame: usize| silhouettes.get(frame).copied().unwrap_or_default();
        (0..self.frames.len()).map(|frame| self.finish_frame(frame, masks(frame))).collect()
    }

    /// One frame, once all iterations are done; frames do not depend on one another.
    ///
    /// # Errors
    /// [`FitError::Diverged`] when the loss is not finite.
    pub fn finish_frame(&self, frame: usize, silhouettes: &[Silhouette<'_>]) -> Result<FitResult, FitError> {
        let Frame { hands: range, origin } = self.frames[frame].clone();
        let mut problems: Vec<HandProblem> = self.hands[range.clone()].to_vec();
        let mut hands = Vec::new();
        for (hand, problem) in range.clone().zip(&mut problems) {
            hands.push(self.polish(self.states[self.best(hand)].2, problem)?);
        }
        let models: Vec<&HandModel> = range.clone().map(|hand| self.model(hand)).collect();
        let (mut reports, mut information) = (Vec::new(), Vec::new());
        if self.settings.refine_rounds > 0 {
            let fields = mask_fields(&models, &hands, &origin, silhouettes);
            let mut refinement = Refinement::new(&models, &problems, &self.weights, &self.settings, fields);
            reports = refinement.run(&mut hands);
            information = refinement.information(&hands);
        }
        let mut fitted = Vec::new();
        information.resize(hands.len(), Vec::new());
        for (((hand, problem), x), masks) in range.zip(&problems).zip(&hands).zip(information) {
            let system = hand_normal(problem, &self.weights, x);
            let loss = system.losses.iter().sum::<f64>();
            if !loss.is_finite() {
                return Err(FitError::Diverged { side: problem.model.side });
            }
            let posed = pose_hand(self.model(hand), &self.world_parameters(hand, x));
            let information = if masks.is_empty() { system.hessian } else { masks };
            fitted.push(FittedHand { information, ..measured(problem, &self.weights, posed, &origin, loss) });
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

/// Hands whose parameters are known already, held against what a frame shows; nothing is fitted.
///
/// # Errors
/// [`FitError::NoJoints`] when none of them has joints in the frame, or settings that make no sense.
pub fn hold_hands(
    models: [Option<&HandModel>; 2],
    pose: &PoseResult,
    hands: &[HandParameters],
    settings: &HandFitSettings,
) -> Result<FitResult, FitError> {
    check(settings)?;
    let (origin, problems) = frame_problems(models, pose, settings)?;
    let weights = Weights::new(settings, pose.noise_px);
    let mut held = Vec::new();
    for problem in &problems {
        let side = problem.model.side;
        let (Some(model), Some(p)) = (models[side.index()], hands.iter().find(|h| h.side == side)) else { continue };
        let mut x = parameter_vector(p);
        for k in 0..3 {
            x[TRANSL + k] -= origin[k];
        }
        let system = hand_normal(problem, &weights, &x);
        let loss = system.losses.iter().sum();
        let fitted = measured(problem, &weights, pose_hand(model, p), &origin, loss);
        held.push(FittedHand { information: system.hessian, ..fitted });
    }
    if held.is_empty() { Err(FitError::NoJoints) } else { Ok(FitResult { hands: held, silhouettes: Vec::new() }) }
}

/// The fields of the masks, cameras seen from the frame's origin.
pub(super) fn mask_fields(
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
        let mut field = MaskField::new(&camera, s.mask, &points, step)?;
        field.edited = s.edited;
        Some((s.view, field))
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
    let frames = PointFrames::new(&problem.model, &posed.parameters);
    FittedHand {
        mean_joint_mm: 1e3 * (0..KEYPOINTS).map(distance).sum::<f64>() / 21.0,
        median_px: median_px(problem, &std::array::from_fn(|k| keypoints[k] + offsets[k])),
        model_median_px: median_px(problem, &keypoints),
        landmark_offsets: std::array::from_fn(|k| {
            (frames.rotation(bone_of_keypoint(k)).transpose() * offsets[k]).into()
        }),
        loss,
        information: Vec::new(),
        posed,
    }
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
    super::super::pose::median(all.collect())
}
