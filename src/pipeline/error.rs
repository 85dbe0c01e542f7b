//! Why a reconstruction stops.

use crate::capture::{CaptureError, EditsError};
use crate::detect::DetectError;
use crate::export::ExportError;
use crate::fitting::ham::HamError;
use crate::fitting::hand_fit::FitError;
use crate::fitting::pose::PoseError;
use crate::gpu::GpuError;
use crate::hand::{HandError, RestError};
use crate::metrics::LpipsError;
use crate::neural::NeuralError;
use std::path::Path;

/// Errors of the pipeline.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The capture of a run.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// What the user has changed of it.
    #[error(transparent)]
    Edits(#[from] EditsError),
    /// Keypoints.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// Joints.
    #[error(transparent)]
    Pose(#[from] PoseError),
    /// Parameters.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Mesh and albedo.
    #[error(transparent)]
    Ham(#[from] HamError),
    /// Colours by a network.
    #[error(transparent)]
    Neural(#[from] NeuralError),
    /// The hand models of a run.
    #[error(transparent)]
    Hand(#[from] HandError),
    /// Device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// Comparing images by LPIPS.
    #[error(transparent)]
    Lpips(#[from] LpipsError),
    /// Files of the run.
    #[error(transparent)]
    Files(#[from] ExportError),
    /// A mesh that cannot be brought to the rest pose.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// What was asked of `repose` does not fit the run.
    #[error("{0}")]
    Repose(String),
    /// A view number beyond the capture.
    #[error("there is no view {view}; the capture has views 0 to {last}")]
    NoSuchView {
        /// What was asked for.
        view: usize,
        /// Largest number.
        last: usize,
    },
    /// Too few views are left.
    #[error("only {left} views are left after holding out and excluding; at least two are needed")]
    TooFewViews {
        /// How many.
        left: usize,
    },
    /// A run that was to be written into the capture.
    #[error("{path} lies in the capture folder, which is only read: choose a folder beside it")]
    InCapture {
        /// Where the run was wanted.
        path: String,
    },
    /// `--resume` without a run, or with another capture or other settings.
    #[error("{0}")]
    Resume(String),
    /// A setting that cannot be changed so.
    #[error("{0}")]
    Setting(String),
    /// A sequence none of whose frames can be used, or what cannot be done with a sequence.
    #[error("{0}")]
    Sequence(String),
    /// The run folder holds no such result yet.
    #[error("{path}: {problem}")]
    Unfinished {
        /// The run folder.
        path: String,
        /// What is missing and what to do.
        problem: String,
    },
}

impl PipelineError {
    /// The file that could not be written and the system's reason, if that is what it is.
    #[must_use]
    pub fn disk(&self) -> Option<(&Path, &std::io::Error)> {
        match self {
            Self::Files(ExportError::Io { path, source }) => Some((path, source)),
            _ => None,
        }
    }

    /// The GPU error below, if that is what it is.
    #[must_use]
    pub const fn gpu(&self) -> Option<&GpuError> {
        match self {
            Self::Gpu(e)
            | Self::Pose(PoseError::Gpu(e))
            | Self::Fit(FitError::Gpu(e))
            | Self::Ham(HamError::Gpu(e))
            | Self::Neural(NeuralError::Gpu(e)) => Some(e),
            _ => None,
        }
    }
}
