//! How a command ends: exit codes, and the one place that maps errors to them.

use crate::capture::{CalibrationWriteError, CaptureError, EditsError};
use crate::detect::DetectError;
use crate::export::ExportError;
use crate::fitting::pose::PoseError;
use crate::gpu::GpuError;
use crate::hand::HandError;
use crate::neural::NeuralError;
use crate::pipeline::PipelineError;
use crate::preset::PresetError;
use crate::regressor::RegressorError;
use crate::synthetic::SynthError;
use std::process::ExitCode;

/// Exit codes, a contract with the programs that call us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Called wrongly.
    Usage = 2,
    /// The input cannot be used; nothing was written.
    Input = 3,
    /// Finished, but a quality gate warns about the result.
    Gate = 4,
    /// The GPU was lost or ran out of memory.
    Gpu = 5,
    /// Interrupted; a checkpoint was saved.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do its job.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Arguments that clap cannot judge alone.
    #[error("{0}")]
    Usage(String),
    /// The capture folder cannot be used.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// What the user has changed of it cannot be used.
    #[error(transparent)]
    Edits(#[from] EditsError),
    /// Keypoints cannot be found in the images.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// A calibration cannot be written in the format asked for.
    #[error(transparent)]
    Calibration(#[from] CalibrationWriteError),
    /// The hand model cannot be used.
    #[error(transparent)]
    Hand(#[from] HandError),
    /// The weights of the graph network that the user named cannot be used.
    #[error(transparent)]
    Regressor(#[from] RegressorError),
    /// The synthetic scene cannot be made as asked.
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// Files could not be written, or files of ours not be read back.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A preset or one of its settings.
    #[error(transparent)]
    Preset(#[from] PresetError),
    /// The reconstruction.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The graphics device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The result could not be written to stdout.
    #[error("the result could not be written")]
    Output(#[from] std::io::Error),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl From<serde_json::Error> for CliError {
    fn from(e: serde_json::Error) -> Self {
        Self::Output(e.into())
    }
}

impl CliError {
    /// The exit code of this error.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Synth(SynthError::Setting { .. })
            | Self::Preset(_)
            | Self::Pipeline(
                PipelineError::NoSuchView { .. }
                | PipelineError::InCapture { .. }
                | PipelineError::Neural(NeuralError::Setting { .. })
                | PipelineError::Files(ExportError::NotEmpty { .. }),
            )
            | Self::Export(ExportError::NotEmpty { .. })
            | Self::Gpu(GpuError::UnknownDevice { .. }) => Exit::Usage,
            Self::Capture(_)
            | Self::Edits(_)
            | Self::Detect(DetectError::ModelsMissing { .. } | DetectError::Model { .. })
            | Self::Calibration(_)
            | Self::Hand(_)
            | Self::Regressor(_)
            | Self::Synth(SynthError::Hand(_))
            | Self::Pipeline(
                PipelineError::Pose(PoseError::NoHand | PoseError::HandMissing { .. } | PoseError::TooFewViews { .. })
                | PipelineError::Detect(DetectError::ModelsMissing { .. } | DetectError::Model { .. })
                | PipelineError::Hand(_)
                | PipelineError::Neural(NeuralError::OtherNetwork { .. })
                | PipelineError::Capture(_)
                | PipelineError::Edits(_)
                | PipelineError::TooFewViews { .. }
                | PipelineError::Resume(_)
                | PipelineError::Sequence(_)
                | PipelineError::Unfinished { .. }
                | PipelineError::Rest(_)
                | PipelineError::Repose(_)
                | PipelineError::Files(ExportError::Format { .. }),
            )
            | Self::Export(ExportError::Format { .. }) => Exit::Input,
            Self::Gpu(e) if e.is_lost_or_full() => Exit::Gpu,
            Self::Pipeline(e) if e.gpu().is_some_and(GpuError::is_lost_or_full) => Exit::Gpu,
            Self::Detect(_) | Self::Pipeline(_) | Self::Gpu(_) | Self::Export(_) | Self::Output(_) | Self::Other(_) => {
                Exit::Failed
            }
        }
    }
}

/// Prints an error with its causes on stderr.
#[expect(clippy::print_stderr, reason = "the command line's own voice")]
pub(super) fn print(error: &CliError) {
    eprintln!("error: {}", with_causes(error));
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        // Some errors say their cause themselves.
        let said = e.to_string();
        if !text.contains(&said) {
            text += &format!(": {said}");
        }
        cause = e.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::LpipsError;

    #[test]
    fn every_error_has_the_exit_code_of_the_contract() {
        let unusable =
            CaptureError::Unusable { path: "x".into(), problem: "is not there".into(), remedy: String::new() };
        let hand = || HandError::Unusable { path: "x".into(), problem: "is not there".into(), remedy: String::new() };
        let models = || DetectError::ModelsMissing { looked_in: "x".into(), command: "y" };
        let setting = SynthError::Setting { name: "views", value: "1".into(), allowed: "2 to 64" };
        let unknown = GpuError::UnknownDevice { wanted: "9".into(), available: String::new() };
        for (error, code) in [
            (CliError::Usage("no".into()), 2),
            (unusable.into(), 3),
            (hand().into(), 3),
            (PipelineError::Hand(hand()).into(), 3),
            (models().into(), 3),
            (PipelineError::Detect(models()).into(), 3),
            (DetectError::Run("no".into()).into(), 1),
            (PipelineError::Lpips(LpipsError::Engine("no".into())).into(), 1),
            (GpuError::Lost("reset".into()).into(), 5),
            (GpuError::OutOfMemory { label: "x".into(), bytes: 1 }.into(), 5),
            (GpuError::NoAdapter.into(), 1),
            (unknown.into(), 2),
            (setting.into(), 2),
            (ExportError::NotEmpty { path: "x".into() }.into(), 2),
            (ExportError::Format { path: "x".into(), problem: "is cut short".into() }.into(), 3),
            (PipelineError::Files(ExportError::Format { path: "x".into(), problem: "is damaged".into() }).into(), 3),
            (PipelineError::Files(ExportError::NotEmpty { path: "x".into() }).into(), 2),
            (PipelineError::InCapture { path: "x".into() }.into(), 2),
            (PipelineError::Repose("no pose".into()).into(), 3),
            (PipelineError::Neural(NeuralError::Setting { name: "unet_width", problem: String::new() }).into(), 2),
            (PipelineError::Rest(crate::hand::RestError::Scale(0.0)).into(), 3),
            (ExportError::Io { path: "x".into(), source: std::io::Error::other("disk full") }.into(), 1),
            (std::io::Error::other("disk full").into(), 1),
            (anyhow::anyhow!("else").into(), 1),
        ] {
            assert_eq!(error.exit() as u8, code, "{error}");
        }
        assert_eq!(Exit::Interrupted as u8, 130, "as a shell reports Ctrl-C");
        assert_eq!(Exit::Gate as u8, 4, "warning gate");
    }

    #[test]
    fn causes_are_told() {
        let error = CliError::from(std::io::Error::other("disk full"));
        assert_eq!(with_causes(&error), "the result could not be written: disk full", "outer first");
        let error = CliError::from(ExportError::Io { path: "x".into(), source: std::io::Error::other("disk full") });
        assert_eq!(with_causes(&error).matches("disk full").count(), 1, "nothing is said twice: {error}");
    }
}
