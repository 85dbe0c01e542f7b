//! What the studio needs from the rest of the program: a way to open folders, to start reconstructions, and presets.
//!
//! The studio knows no pipeline type beyond [`crate::pipeline`]'s reports and snapshots, so its window can be tested with
//! an engine of the tests. The binary passes the real one.

use crate::capture::{Capture, CaptureError};
use crate::gpu::GpuError;
use crate::pipeline::{Advance, PipelineError, PosableHand, Snapshot, StepReport, ViewPicture};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A reconstruction under way. Lives on the worker thread only.
pub trait Engine {
    /// One optimiser step.
    ///
    /// # Errors
    /// Divergence, a lost device, a full disk.
    fn advance(&mut self) -> anyhow::Result<Advance>;

    /// The meshes as they are now.
    ///
    /// # Errors
    /// A lost device.
    fn snapshot(&mut self) -> anyhow::Result<Snapshot>;

    /// Renders one view of a snapshot at the photograph's size.
    ///
    /// # Errors
    /// A lost device.
    fn render_view(&mut self, snapshot: &Snapshot, view: usize) -> anyhow::Result<ViewPicture>;

    /// Writes result files and returns their paths.
    ///
    /// # Errors
    /// Nothing to export yet, a full or read-only disk.
    fn export(&mut self, request: &ExportRequest) -> anyhow::Result<Vec<PathBuf>>;

    /// The hands as they are now in the rest pose, ready to be posed.
    ///
    /// # Errors
    /// There is no refined mesh yet, a lost device.
    fn posable(&mut self) -> anyhow::Result<Vec<PosableHand>>;

    /// Called once when the user ends the run before it has finished: the place to write a checkpoint.
    ///
    /// # Errors
    /// A full or read-only disk.
    fn stop(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Which files to write where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRequest {
    /// Format names: `glb`, `obj`, `ply`, `npz`.
    pub formats: Vec<String>,
    /// Folder; `None` = `exports/` in the run folder.
    pub dir: Option<PathBuf>,
}

/// What to reconstruct and how.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// The opened capture.
    pub capture: Arc<Capture>,
    /// Preset name.
    pub preset: String,
    /// Changed parameters, as for `--set key=value`.
    pub overrides: Vec<(String, f64)>,
    /// Views that touch no stage.
    pub excluded: Vec<usize>,
    /// Seed of every random choice.
    pub seed: u64,
}

impl RunRequest {
    /// A request with the preset as it is and every view.
    #[must_use]
    pub fn new(capture: Arc<Capture>, preset: &str) -> Self {
        Self { capture, preset: preset.to_owned(), overrides: Vec::new(), excluded: Vec::new(), seed: 0 }
    }
}

/// A reconstruction that has just begun.
pub struct Started {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// Where its results go.
    pub run_dir: PathBuf,
}

/// What a run folder holds.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The run folder.
    pub dir: PathBuf,
    /// Lines of `metrics.jsonl`.
    pub steps: Vec<StepReport>,
    /// Stored snapshots in order.
    pub snapshots: Vec<Arc<Snapshot>>,
}

/// A folder that was read.
pub struct Opened {
    /// The capture.
    pub capture: Capture,
    /// The run, if the folder was one.
    pub run: Option<RunRecord>,
    /// What renders and exports an opened run; it is never advanced.
    pub engine: Option<Box<dyn Engine>>,
}

/// One number of a preset that can be changed before a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Heading it belongs under, e.g. `ham · weights`.
    pub group: String,
    /// Key as for `--set`, e.g. `ham.weights.lap`.
    pub key: String,
    /// Value in the preset.
    pub value: f64,
    /// True for counts.
    pub integer: bool,
    /// What it does, and in which unit.
    pub help: String,
}

/// A preset as shown in the window.
#[derive(Clone, Debug, PartialEq)]
pub struct PresetInfo {
    /// Name as for `--preset`.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// Its numbers in display order.
    pub parameters: Vec<Parameter>,
}

/// The program behind the window.
pub trait Backend: Send + Sync + 'static {
    /// Name and kind of the device reconstructions would run on. Called once, on the worker thread.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn device(&self) -> Result<String, String>;

    /// Presets in the order of the menu.
    fn presets(&self) -> Vec<PresetInfo>;

    /// Reads a capture or run folder. Called on the worker thread.
    ///
    /// # Errors
    /// [`CaptureError`] and the like.
    fn open(&self, path: &Path) -> anyhow::Result<Opened>;

    /// Begins a reconstruction. Called on the worker thread, where the engine stays.
    ///
    /// # Errors
    /// No device, unusable capture, unwritable run folder.
    fn start(&self, request: &RunRequest) -> anyhow::Result<Started>;
}

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
        if let Some(CaptureError::Unusable { path, problem, remedy }) = error.downcast_ref::<CaptureError>() {
            let name = path.display();
            return Self::new(format!("{name}: {problem}"), "The folder was not opened; nothing was changed.", remedy);
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
        Self::of_device(error).unwrap_or_else(|| {
            Self::new(
                format!("The reconstruction could not begin: {error:#}"),
                "The capture stays open; nothing was computed.",
                "Mend the cause and press Reconstruct again.",
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

    fn of_device(error: &anyhow::Error) -> Option<Self> {
        let of_pipeline = error.downcast_ref::<PipelineError>().and_then(PipelineError::gpu);
        let gpu = of_pipeline.or_else(|| error.chain().find_map(|e| e.downcast_ref::<GpuError>()))?;
        let meaning = if gpu.is_lost_or_full() {
            "The computing device is gone or full. The window is unharmed and the last good state is kept."
        } else {
            "The computing device refused the work. The window is unharmed."
        };
        Some(Self::new(
            gpu.to_string(),
            meaning,
            "Try the draft preset or another device (`thenar devices`), then reconstruct again.",
        ))
    }
}
