//! Many frames of one person: fitted in batches, first each for itself, then with the shape they have in common.

use super::{FitBackend, FitError, FitResult, HandFit, HandFitSettings};
use crate::fitting::pose::{PoseResult, median};
use crate::hand::HandModel;

/// Frames in one batch: what its buffers take stays below 64 MiB each.
const FRAMES_AT_ONCE: usize = 512;
/// Standard deviation of a frame's shape about the common one, in units of the shape prior.
const COMMON_SHAPE_SIGMA: f64 = 0.1;

/// The fitted frames of a sequence.
#[derive(Clone, Debug)]
pub struct SequenceFit {
    /// One a frame, in order; a frame without joints has no hands.
    pub frames: Vec<FitResult>,
    /// The shape of the person's hands: the middle over all frames and both sides.
    pub betas: [f64; 10],
}

/// Fits all frames (no masks). `poses` may have frames without a hand.
///
/// # Errors
/// As [`HandFit::of_frames`] and [`HandFit::finish`].
pub fn fit_sequence(
    backend: FitBackend<'_>,
    models: [Option<&HandModel>; 2],
    poses: &[PoseResult],
    settings: &HandFitSettings,
) -> Result<SequenceFit, FitError> {
    let first = pass(backend, models, poses, settings, None)?;
    let hands = || first.iter().flat_map(|f| &f.hands);
    if hands().next().is_none() {
        return Err(FitError::NoJoints);
    }
    let betas = std::array::from_fn(|i| median(hands().map(|h| h.posed.parameters.betas[i]).collect()));
    let common = HandFitSettings { shape_weight: COMMON_SHAPE_SIGMA.powi(-2), ..settings.clone() };
    Ok(SequenceFit { frames: pass(backend, models, poses, &common, Some(&betas))?, betas })
}

fn pass(
    backend: FitBackend<'_>,
    models: [Option<&HandModel>; 2],
    poses: &[PoseResult],
    settings: &HandFitSettings,
    shape: Option<&[f64; 10]>,
) -> Result<Vec<FitResult>, FitError> {
    let mut frames = Vec::with_capacity(poses.len());
    for batch in poses.chunks(FRAMES_AT_ONCE) {
        match HandFit::of_frames_shaped(backend, models, batch, settings, shape) {
            Ok(mut fit) => {
                while fit.step()?.is_some() {}
                frames.extend(fit.finish_frames(&[])?);
            }
            Err(FitError::NoJoints) => {
                frames.extend(batch.iter().map(|_| FitResult { hands: Vec::new(), silhouettes: Vec::new() }));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(frames)
}
