//! A sequence's folder read back.

use super::record::{Motion, MotionFrame, SequenceRecord, is_sequence_run};
use crate::anatomy::{KEYPOINTS, Side};
use crate::capture::FrameFolder;
use crate::export::{ExportError, atomic, joints};
use crate::hand::{HandModel, HandParameters, pose_hand};
use crate::metrics::{MotionFrames, MotionScore};
use crate::pipeline::{Checkpoint, PipelineError, RunRecord};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How far a frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameState {
    /// It has a finished run.
    Done,
    /// It could not be used.
    LeftOut(String),
    /// It has none yet.
    Waiting,
}

/// A sequence whose fit has ended.
pub struct FinishedSequence {
    /// What it was begun with.
    pub record: SequenceRecord,
    pub(super) motion: Motion,
    pub(super) models: [Arc<HandModel>; 2],
    pub(super) folder: PathBuf,
}

impl FinishedSequence {
    /// Opens a sequence's folder.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] before the fit has ended, [`PipelineError::Hand`] when a hand model's file is gone.
    pub fn read(folder: &Path) -> Result<Self, PipelineError> {
        let record = SequenceRecord::read(folder)?;
        let motion = Motion::read(folder)?.ok_or_else(|| PipelineError::Unfinished {
            path: folder.display().to_string(),
            problem: "its frames are not fitted yet; finish it with `reconstruct --resume`".to_owned(),
        })?;
        let models = record.hand_model.load()?;
        Ok(Self { record, motion, models, folder: folder.to_owned() })
    }

    /// Default folder of exports.
    #[must_use]
    pub fn exports_folder(&self) -> PathBuf {
        self.folder.join("exports")
    }

    /// Each frame's name and state, in order.
    #[must_use]
    pub fn frames(&self) -> Vec<(String, FrameState)> {
        let state = |frame: &MotionFrame| match &frame.problem {
            Some(why) => FrameState::LeftOut(why.clone()),
            None if self.folder.join(&frame.name).join("checkpoint").exists() => FrameState::Done,
            None => FrameState::Waiting,
        };
        self.motion.frames.iter().map(|f| (f.name.clone(), state(f))).collect()
    }

    /// Run folder of the frame whose detail the others share.
    pub(super) fn reference(&self) -> Result<PathBuf, PipelineError> {
        let frame = self.motion.reference().map(|f| &self.motion.frames[f]);
        let frame = frame.ok_or_else(|| PipelineError::Sequence("there is no hand in any frame".to_owned()))?;
        Ok(self.folder.join(&frame.name))
    }
}

/// One frame of a motion: number, name, hands.
type Numbered = (u32, String, Vec<HandParameters>);

/// The poses in a sequence's folder, or in the run folders of its frames beside each other, with their hand models.
fn motion_of(folder: &Path) -> Result<(Vec<Numbered>, [Arc<HandModel>; 2]), PipelineError> {
    if is_sequence_run(folder) {
        let run = FinishedSequence::read(folder)?;
        let frames = run.motion.frames.into_iter().map(|f| (f.number, f.name, f.hands)).collect();
        return Ok((frames, run.models));
    }
    let mut frames = Vec::new();
    let mut models = None;
    for entry in std::fs::read_dir(folder).map_err(ExportError::io(folder))?.flatten() {
        let Some(FrameFolder { number, name, path }) = FrameFolder::new(entry.path()) else { continue };
        if !path.join("checkpoint").is_file() {
            continue;
        }
        if models.is_none() {
            models = Some(RunRecord::read(&path)?.load_models()?);
        }
        let hands = Checkpoint::read(&path.join("checkpoint"))?.facts.hands;
        frames.push((number, name, hands.into_iter().map(|h| h.parameters).collect()));
    }
    frames.sort_by_key(|f: &Numbered| f.0);
    let none = || PipelineError::Unfinished {
        path: folder.display().to_string(),
        problem: "holds no sequence and no numbered runs".to_owned(),
    };
    Ok((frames, models.ok_or_else(none)?))
}

/// How near the joints of a moving hand are to the truth, and how calm: `folder` is a sequence's, or has the runs of its
/// frames; `captures` has the frames with their `ground_truth`.
///
/// # Errors
/// [`PipelineError::Unfinished`], or a truth that cannot be read.
pub fn evaluate_motion(folder: &Path, captures: &Path) -> Result<MotionScore, PipelineError> {
    let (frames, models) = motion_of(folder)?;
    let mut all = MotionFrames::default();
    for (number, name, hands) in &frames {
        let truth = captures.join(name).join("ground_truth/joints.json");
        let truth = joints::read(&truth)?.sides();
        for hand in hands {
            let Some(real) = truth[hand.side.index()] else { continue };
            let found: [[f64; 3]; KEYPOINTS] = pose_hand(&models[hand.side.index()], hand).keypoints;
            all.push(hand.side, *number, &found, &real);
        }
    }
    let frames_with = |side: Side| frames.iter().filter(|f| f.2.iter().any(|h| h.side == side)).count();
    Ok(all.score(frames.len(), Side::BOTH.map(frames_with)))
}

/// `summary.csv`: a row a frame.
pub(super) fn write_summary(
    folder: &Path,
    frames: &[FrameFolder],
    problems: &[Option<String>],
) -> Result<(), ExportError> {
    let mut text = "frame,state,message\n".to_owned();
    for (frame, problem) in frames.iter().zip(problems) {
        let state = if problem.is_some() { "left-out" } else { "done" };
        let message = problem.as_deref().unwrap_or_default().replace('"', "\"\"");
        text += &format!("{},{state},\"{message}\"\n", frame.name);
    }
    atomic::write(&folder.join("summary.csv"), text.as_bytes())
}
