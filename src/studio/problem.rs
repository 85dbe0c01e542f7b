//! Errors as people read them: what happened, what it means for the work, what to do.

use super::run_place::RunPlaceError;
use crate::capture::CaptureError;
use crate::fitting::ham::HamError;
use crate::gpu::GpuError;
use crate::pipeline::PipelineError;
use std::path::Path;

/// An error for people: what happened, what it means, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What happened.
    pub what: String,
    /// What it means for the work.
    pub meaning: String,
    /// What to do.
    pub remedy: String,
}

impl Problem {
    fn new(what: String, meaning: &str, remedy: &str) -> Self {
        Self { what, meaning: meaning.to_owned(), remedy: remedy.to_owned() }
    }

    /// A folder could not be opened.
    #[must_use]
    pub fn opening(path: &Path, error: &anyhow::Error) -> Self {
        /// The choices that are offered here are options on the command line.
        const OPTIONS: [&str; 6] = ["format", "units", "direction", "axes", "pixel-centre", "frame"];
        let meaning = "The folder was not opened; nothing was changed.";
        match error.downcast_ref::<CaptureError>() {
            Some(CaptureError::Unusable { path, problem, remedy }) => {
                let remedy = OPTIONS.iter().fold(remedy.clone(), |r, name| r.replace(&format!("--{name}"), name));
                return Self::new(format!("{}: {problem}", path.display()), meaning, &remedy);
            }
            Some(CaptureError::Ambiguous { path, candidates }) => {
                let what = format!("{} holds several calibrations: {candidates}", path.display());
                let remedy = "Choose the format below and open it again, or take the others out of the folder.";
                return Self::new(what, meaning, remedy);
            }
            _ => {}
        }
        Self::new(
            format!("{} could not be opened: {error:#}", path.display()),
            "Nothing was changed; what was open before is still open.",
            "Choose a capture folder: calibration, images, and keypoints for at least two views.",
        )
    }

    /// A run could not begin.
    #[must_use]
    pub fn starting(error: &anyhow::Error) -> Self {
        if let Some(place) = error.downcast_ref::<RunPlaceError>() {
            return Self::new(
                place.to_string(),
                "Nothing was computed and nothing was written.",
                "Choose another place with \"Results folder…\" and press Reconstruct again.",
            );
        }
        if let Some(PipelineError::Detect(models)) = error.downcast_ref::<PipelineError>() {
            return Self::new(
                models.to_string(),
                "The capture stays open; nothing was computed and nothing was written.",
                "Fetch the model files, or add keypoints, and press Reconstruct again.",
            );
        }
        Self::of_device(error).unwrap_or_else(|| {
            Self::new(
                format!("The reconstruction could not begin: {error:#}"),
                "The capture stays open; nothing was computed.",
                "Mend the cause and press Reconstruct again.",
            )
        })
    }

    /// A run could not be gone on with.
    #[must_use]
    pub fn resuming(error: &anyhow::Error) -> Self {
        Self::of_device(error).unwrap_or_else(|| {
            Self::new(
                format!("The run could not be resumed: {error:#}"),
                "Its folder is as it was; what is shown stays.",
                "Mend the cause and press Resume again, or start a new run.",
            )
        })
    }

    /// A step failed.
    #[must_use]
    pub fn computing(error: &anyhow::Error) -> Self {
        Self::of_device(error).unwrap_or_else(|| {
            Self::new(
                format!("The reconstruction stopped: {error:#}"),
                "The last good state is kept and can be scrubbed and exported.",
                "Exclude bad views (X), choose another preset or lower the rates, then reconstruct again.",
            )
        })
    }

    /// The checkpoint of a stopped run could not be written.
    #[must_use]
    pub fn stopping(error: &anyhow::Error) -> Self {
        Self::of_device(error).unwrap_or_else(|| {
            Self::new(
                format!("The run was stopped, but its checkpoint could not be written: {error:#}"),
                "It cannot be resumed from here; what is shown can still be exported.",
                "Make room on the disk and export what you need.",
            )
        })
    }

    /// A setting of the run under way could not be changed.
    #[must_use]
    pub fn changing(key: &str, error: &anyhow::Error) -> Self {
        Self::new(
            format!("{key} could not be changed: {error:#}"),
            "The run goes on with what it was.",
            "Choose another value, or make room on the disk: the run writes down what was changed.",
        )
    }

    /// A picture or snapshot failed.
    #[must_use]
    pub fn rendering(error: &anyhow::Error) -> Self {
        Self::of_device(error).unwrap_or_else(|| {
            Self::new(
                format!("The current state could not be shown: {error:#}"),
                "The reconstruction itself goes on.",
                "Select another view; if it happens again, look at the log.",
            )
        })
    }

    /// No folder dialog could be shown.
    #[must_use]
    pub(super) fn no_dialog() -> Self {
        Self::new(
            "No folder dialog can be shown".to_owned(),
            "Neither a desktop portal (xdg-desktop-portal with a file chooser) nor zenity answers on this machine.",
            "Type the path below and press Enter, or drop the folder on the window to open it. \
             For dialogs: `sudo apt install zenity`.",
        )
    }

    /// The desktop could not show a folder.
    #[must_use]
    pub(super) fn revealing(folder: &Path) -> Self {
        Self::new(
            format!("{} could not be shown", folder.display()),
            "The files are there; no file manager answers (on Linux it is started by xdg-open).",
            "Open the folder yourself: \"Copy path\" and the log have its path.",
        )
    }

    /// Files could not be written.
    #[must_use]
    pub fn exporting(error: &anyhow::Error) -> Self {
        Self::new(
            format!("The export failed: {error:#}"),
            "The reconstruction is unharmed; no half-written file is left.",
            "Choose another folder with enough space and export again.",
        )
    }

    /// The hands could not be brought to rest.
    #[must_use]
    pub fn posing(error: &anyhow::Error) -> Self {
        Self::of_device(error).unwrap_or_else(|| {
            Self::new(
                format!("The hands cannot be posed: {error:#}"),
                "What is shown stays as it is.",
                "Let the run get to its HAM stage, pause it, and try again.",
            )
        })
    }

    /// The disk is full, or must not be written to: the run waits.
    pub(super) fn of_disk(error: &anyhow::Error) -> Option<Self> {
        let (path, source) = error.downcast_ref::<PipelineError>()?.disk()?;
        Some(Self::new(
            format!("{} cannot be written: {source}", path.display()),
            "The run is paused. Nothing that was computed is lost.",
            "Make room there, then press \"Go on\" (T); what could not be written is written first.",
        ))
    }

    /// The loss became no number.
    pub(super) fn diverged(error: &anyhow::Error) -> Self {
        Self::new(
            format!("The reconstruction came to no number: {error:#}"),
            "It is back at its last checkpoint and paused; nothing before that is lost.",
            "Halve its rates and go on, or change weights and rates yourself and press \"Go on\" (T).",
        )
    }

    /// The steps were too large for the loss.
    pub(super) fn is_of_rates(error: &anyhow::Error) -> bool {
        let error = error.downcast_ref::<PipelineError>();
        matches!(error, Some(PipelineError::Ham(HamError::Diverged { .. } | HamError::Overflow { .. })))
    }

    /// True when the device has gone away, which it may come back from.
    pub(super) fn is_of_lost_device(error: &anyhow::Error) -> bool {
        Self::gpu(error).is_some_and(|gpu| matches!(gpu, GpuError::Lost(_)))
    }

    fn gpu(error: &anyhow::Error) -> Option<&GpuError> {
        let of_pipeline = error.downcast_ref::<PipelineError>().and_then(PipelineError::gpu);
        of_pipeline.or_else(|| error.chain().find_map(|e| e.downcast_ref::<GpuError>()))
    }

    /// True when the device is to blame, not the data.
    pub(super) fn is_of_device(error: &anyhow::Error) -> bool {
        Self::of_device(error).is_some()
    }

    fn of_device(error: &anyhow::Error) -> Option<Self> {
        let gpu = Self::gpu(error)?;
        let meaning = if gpu.is_lost_or_full() {
            "The computing device is gone or full. The window is unharmed and the last good state is kept."
        } else {
            "The computing device refused the work. The window is unharmed."
        };
        Some(Self::new(
            gpu.to_string(),
            meaning,
            "Resume where it stopped, or try the draft preset or another device (`thenar devices`).",
        ))
    }
}
