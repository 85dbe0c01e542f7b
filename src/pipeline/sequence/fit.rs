//! The fit of all frames: shape from some of them, then every frame with it, then one movement.

use super::look::Looked;
use super::record::{Motion, MotionFrame};
use crate::anatomy::Side;
use crate::camera::Camera;
use crate::capture::{Capture, FrameFolder};
use crate::fitting::hand_fit::{
    CommonShape, FitBackend, FrameEstimate, HandFit, HandFitSettings, ShapeEstimate, Silhouette, Smoothness,
    shape_information, smooth_motion,
};
use crate::fitting::pose::PoseResult;
use crate::gpu::Gpu;
use crate::hand::{HandModel, HandParameters};
use crate::pipeline::PipelineError;
use crate::preset::SequenceSettings;
use std::sync::Arc;

/// Frames in one batch on the device: what its buffers take stays small.
const AT_ONCE: usize = 256;

/// Some frames being fitted: first all starts of a batch of them on the device, then each with its masks.
pub(super) struct Pass {
    settings: HandFitSettings,
    /// Frames, positions in the sequence.
    wanted: Vec<usize>,
    /// Of these, where the present batch begins.
    from: usize,
    batch: Option<Box<HandFit>>,
    /// Frames of the batch that are finished.
    finished: usize,
    estimates: Vec<(usize, FrameEstimate)>,
    /// What the fits say of how they began, each once.
    notes: Vec<String>,
}

/// What a step did.
pub(super) enum PassStep {
    Iterated,
    /// So many frames are fitted.
    Frame(usize),
    Done,
}

/// What the steps need.
pub(super) struct Inputs<'a> {
    pub gpu: &'a Gpu,
    pub models: &'a [Arc<HandModel>; 2],
    pub frames: &'a [FrameFolder],
    pub looked: &'a [Option<Looked>],
    pub reading: &'a crate::capture::OpenOptions,
}

impl Pass {
    pub(super) const fn new(settings: HandFitSettings, wanted: Vec<usize>) -> Self {
        Self { settings, wanted, from: 0, batch: None, finished: 0, estimates: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn count(&self) -> usize {
        self.wanted.len()
    }

    /// What the user should know about how the fits began, as far as they are.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(super) fn into_estimates(self) -> Vec<(usize, FrameEstimate)> {
        self.estimates
    }

    /// One iteration of the batch, or the end of one frame.
    pub(super) fn step(&mut self, inputs: &Inputs<'_>) -> Result<PassStep, PipelineError> {
        let batch: Vec<usize> = self.wanted[self.from..].iter().copied().take(AT_ONCE).collect();
        if batch.is_empty() {
            return Ok(PassStep::Done);
        }
        let Some(fit) = &mut self.batch else {
            let poses: Vec<PoseResult> =
                batch.iter().filter_map(|f| inputs.looked[*f].as_ref()).map(|l| l.pose.clone()).collect();
            let models = [0, 1].map(|i| Some(&*inputs.models[i]));
            let fit = HandFit::of_frames(FitBackend::Gpu(inputs.gpu), models, &poses, &self.settings)?;
            // Each batch says the same of the same models.
            let new: Vec<String> = fit.notes().iter().filter(|note| !self.notes.contains(note)).cloned().collect();
            self.notes.extend(new);
            self.batch = Some(Box::new(fit));
            return Ok(PassStep::Iterated);
        };
        if fit.step()?.is_some() {
            return Ok(PassStep::Iterated);
        }
        let frame = batch[self.finished];
        if let Some(looked) = &inputs.looked[frame] {
            // Masks are read again: those of a long sequence do not fit into memory.
            let capture = Capture::open_with(&inputs.frames[frame].path, inputs.reading)
                .map_err(|e| PipelineError::Sequence(e.to_string()))?;
            let result = fit.finish_frame(self.finished, &silhouettes(&capture, looked))?;
            for hand in result.hands {
                let (number, parameters) = (inputs.frames[frame].number, hand.posed.parameters);
                self.estimates.push((frame, FrameEstimate { number, parameters, information: hand.information }));
            }
        }
        self.finished += 1;
        if self.finished == batch.len() {
            self.from += batch.len();
            self.finished = 0;
            self.batch = None;
        }
        Ok(PassStep::Frame(self.from + self.finished))
    }
}

fn silhouettes<'a>(capture: &'a Capture, looked: &'a Looked) -> Vec<Silhouette<'a>> {
    let views = capture.views.iter().zip(&looked.pose.cameras).zip(&looked.used).enumerate();
    views
        .filter_map(|(view, ((source, camera), used))| {
            let mask = source.mask.as_ref().filter(|_| *used)?;
            Some(Silhouette { view, camera, mask, edited: capture.mask_is_edited(view) })
        })
        .collect()
}

/// At most `count` of `all`, spread evenly.
pub(super) fn spread(all: &[usize], count: usize) -> Vec<usize> {
    let count = count.clamp(1, all.len().max(1)).min(all.len());
    (0..count).map(|i| all[(2 * i + 1) * all.len() / (2 * count)]).collect()
}

/// The shape that estimates, made with `settings`, have in common.
pub(super) fn shape_of(estimates: &[(usize, FrameEstimate)], settings: &HandFitSettings) -> Option<CommonShape> {
    let estimate = |e: &FrameEstimate| ShapeEstimate::new(&e.parameters, shape_information(&e.information));
    let hands: Vec<ShapeEstimate> = estimates.iter().map(|(_, e)| estimate(e)).collect();
    CommonShape::of(&hands, settings)
}

/// One movement of all estimates.
pub(super) fn motion(
    inputs: &Inputs<'_>,
    estimates: &[(usize, FrameEstimate)],
    shape: &CommonShape,
    settings: &SequenceSettings,
    same_rig: bool,
    problems: &[Option<String>],
) -> Motion {
    // Without stiffness each frame stays where it is, but for the shape.
    let sigma_m = if settings.smooth_mm > 0.0 { settings.smooth_mm * 1e-3 } else { 1e3 };
    let smoothness = Smoothness { sigma_m, robust_scale: settings.robust_scale };
    let mut hands: Vec<Vec<HandParameters>> = vec![Vec::new(); inputs.frames.len()];
    for side in Side::BOTH {
        let of_side = estimates.iter().filter(|(_, e)| e.parameters.side == side);
        let (frames, own): (Vec<usize>, Vec<FrameEstimate>) = of_side.cloned().unzip();
        let moved = smooth_motion(&inputs.models[side.index()], &own, shape, &smoothness);
        for (frame, hand) in frames.into_iter().zip(moved) {
            hands[frame].push(hand);
        }
    }
    let looked = |frame: usize| inputs.looked[frame].as_ref();
    let cameras = |frame: usize| looked(frame).map_or_else(Vec::<Camera>::new, |l| l.pose.cameras.clone());
    let frames = inputs.frames.iter().zip(hands).enumerate();
    let frames = frames
        .map(|(f, (folder, hands))| MotionFrame {
            name: folder.name.clone(),
            number: folder.number,
            capture_hash: looked(f).map_or_else(String::new, |l| l.capture_hash.clone()),
            cameras: cameras(f),
            hands,
            problem: problems[f].clone(),
        })
        .collect();
    Motion { betas: shape.betas, scale: shape.scale, same_rig, frames }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_spread_over_the_sequence() {
        let all: Vec<usize> = (0..100).collect();
        assert_eq!(spread(&all, 4), [12, 37, 62, 87], "evenly");
        assert_eq!(spread(&all[..3], 16), [0, 1, 2], "all there are");
        assert!(spread(&[], 16).is_empty(), "none");
        assert_eq!(spread(&all[..5], 0).len(), 1, "at least one");
    }
}
