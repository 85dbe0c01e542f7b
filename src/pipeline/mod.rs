//! One reconstruction: the stages in order behind a single `advance()`. The command line calls it in its own loop, the
//! studio in a named worker thread; pausing is not calling.

mod camera_path;
mod checkpoint;
mod comparison;
mod detection;
mod doctor;
mod edits;
mod error;
mod export_files;
mod exportable;
mod finished;
mod given;
mod lines;
mod masks;
mod neural;
mod neural_views;
mod orbit;
mod perceptual;
mod picture;
mod posable;
mod pretrained;
mod reconstruction;
mod report;
mod repose;
mod restart;
mod results;
mod run_folder;
mod sequence;
mod snapshot;
mod textures;

pub use camera_path::CameraPath;
pub use checkpoint::{Checkpoint, CheckpointFacts, CheckpointHand};
pub use comparison::ViewShader;
pub use detection::{DETECTION, KeypointSource, detected_keypoints};
pub use doctor::{CameraDiagnosis, Code, Diagnosis, Evidence, Finding, Part, Severity, Subject};
pub use doctor::{diagnose, diagnose_after_run};
pub use edits::RUN_EDITS;
pub use error::PipelineError;
pub use export_files::{EXPORT_FORMATS, ExportPlan, PLAUSIBLE_LENGTH_M, hand_length_m};
pub use exportable::Exportable;
pub use finished::{EvaluateOptions, FinishedRun};
pub use masks::judged_masks;
pub use neural::has_network;
pub use orbit::Orbit;
pub use perceptual::read_lpips;
pub use picture::{PictureMaker, PictureMode, over, to_rgba8};
pub use posable::PosableHand;
pub use pretrained::{PretrainedRenderer, Pretraining};
pub use reconstruction::{Change, Effective, Reconstruction, RunOptions};
pub use report::ReportSources;
pub use repose::{ReposePlan, ReposedHand, Reposing, repose};
pub use restart::{restart, restart_points};
pub use results::csv_text;
pub use run_folder::{RunFolder, RunRecord, lies_in};
pub use sequence::{FinishedSequence, FrameState, SequenceAdvance, SequencePlan, SequenceRun};
pub use sequence::{evaluate_motion, is_sequence_run};
pub use snapshot::{HandSnapshot, Snapshot, ViewPicture};
pub use textures::{TextureScore, TexturedView};

pub use crate::fitting::ham::{DISPLAY_LEVEL, KernelRate, PhaseRates};

use serde::{Deserialize, Serialize};

/// The stages in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// 2D keypoints → 3D joints.
    Pose,
    /// Joints → hand-model parameters.
    Fit,
    /// Hand albedo and mesh optimisation.
    Ham,
    /// Mesh-based neural rendering.
    Neural,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 4] = [Self::Pose, Self::Fit, Self::Ham, Self::Neural];

    /// Name in files and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pose => "pose",
            Self::Fit => "fit",
            Self::Ham => "ham",
            Self::Neural => "neural",
        }
    }
}

/// One line of `metrics.jsonl`: where we are and what the loss was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Seconds of computing since the run began (pauses excluded).
    pub t: f64,
    /// Stage.
    pub stage: Stage,
    /// Part of the stage: `detect`, `triangulate`, `lm`, `albedo`, `shape`, `paint`, `pretrain`.
    pub phase: String,
    /// Iteration within the phase, from 1.
    pub iter: u32,
    /// Iterations the phase will take.
    pub iters: u32,
    /// Weighted sum of the terms.
    pub total: f64,
    /// Weighted terms by their names (`sfs lap albedo mask edge delta` in HAM, `photometric` in the neural stage).
    pub terms: Vec<(String, f64)>,
}

/// What one call of `advance()` did.
#[derive(Clone, Debug, PartialEq)]
pub enum Advance {
    /// A part of an epoch was computed; nothing to report yet.
    Working,
    /// A step was taken; more follow.
    Stepped(StepReport),
    /// A stage ended; its findings in words.
    StageDone(Stage, Vec<String>),
    /// The last stage has ended.
    Finished,
}
