//! What travels between the window and the worker.

use crate::camera::Camera;
use crate::capture::{Capture, OpenOptions};
use crate::detect::DetectedHands;
use crate::hand::Pose;
use crate::pipeline::{Diagnosis, Effective, PhaseRates, PosableHand, Snapshot, Stage, StepReport};
use crate::studio::backend::{ExportRequest, Look, OpenedSequence, ResumeRequest, RunRecord, RunRequest, RunViews};
use crate::studio::problem::Problem;
use crate::studio::session::project::{Project, Saved};
use image::RgbImage;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the worker tells the window, in order.
#[derive(Debug)]
pub(crate) enum Event {
    /// Name and kind of the device the work would run on, or why there is none.
    Device(Result<String, String>),
    /// A folder is being read.
    Opening(PathBuf),
    /// A capture was read, perhaps with a finished run beside it.
    Opened {
        /// The capture.
        capture: Arc<Capture>,
        /// One small picture a view.
        thumbnails: Vec<RgbImage>,
        /// What an opened run folder holds besides.
        run: Option<Box<RunRecord>>,
        /// Views of the run can be rendered and its meshes exported.
        has_engine: bool,
        /// Folder in which a new run would make its own, unless the user chooses another.
        results: PathBuf,
    },
    /// What was opened is a frame of this sequence.
    Sequence(OpenedSequence),
    /// A folder could not be read as a capture; it may be one when more is set by hand.
    Refused {
        /// The folder.
        path: PathBuf,
        /// What was set by hand.
        options: OpenOptions,
        /// The error.
        problem: Problem,
    },
    /// What was edited the last time this folder was open, or why it cannot be read.
    Project(Result<Project, String>),
    /// The project file was written to this place, or why not.
    ProjectSaved(Result<PathBuf, String>),
    /// The doctor has examined a capture.
    Diagnosed {
        /// Which; it may have been closed since.
        capture: Arc<Capture>,
        /// What was found.
        diagnosis: Arc<Diagnosis>,
    },
    /// A reconstruction began or goes on.
    Started {
        /// Where its results go.
        run_dir: PathBuf,
        /// Its metrics lines so far: none of a new run, those up to its checkpoint of a resumed one.
        steps: Vec<StepReport>,
    },
    /// Keypoints that the run has found in the images so far, a view each.
    Keypoints(Arc<Vec<DetectedHands>>),
    /// What the run knows of its views by now.
    Views(RunViews),
    /// The pause has been heard: the worker stands still since then.
    Held(Instant),
    /// One line of the loss curves.
    Step(StepReport),
    /// The pace of the phases computed so far.
    Pace(Vec<PhaseRates>),
    /// A setting of the run under way was changed, or not.
    Changed {
        /// Setting, as for `--set`.
        key: String,
        /// What it is to be.
        value: f64,
        /// From when on.
        effective: Effective,
    },
    /// A stage ended; its findings in words.
    StageDone(Stage, Vec<String>),
    /// The last stage ended.
    Finished,
    /// Stopped on request.
    Stopped {
        /// Its state is in the run folder and can be gone on from.
        resumable: bool,
    },
    /// Files written.
    Exported(Vec<PathBuf>),
    /// No files were written, or not all.
    ExportFailed(Problem),
    /// The hands at rest, at the display level.
    Posable(Arc<Vec<PosableHand>>),
    /// The disk does not take what the run writes: it is paused, and nothing is lost.
    Blocked(Problem),
    /// The loss became no number: the run is back at its checkpoint and paused.
    Diverged(Problem),
    /// The device was lost and opened again; the run goes on from what it has saved.
    DeviceBack {
        /// Lines of the loss curves that are left.
        at: usize,
    },
    /// The run ended by an error, or could not begin; the engine's last good state is kept.
    RunFailed {
        /// The error.
        problem: Problem,
        /// The run folder holds a state to go on from, and going on may help.
        resumable: bool,
    },
    /// Something beside the run failed; a run under way goes on.
    Failed(Problem),
}

/// What the window asks of the worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// Read a capture or run folder, with what is set by hand of a capture.
    Open(PathBuf, Box<OpenOptions>),
    /// Begin a reconstruction of the opened capture.
    Start(Box<RunRequest>),
    /// Go on with an unfinished run.
    Resume(Box<ResumeRequest>),
    /// Change a setting of the run under way, as far as it is not beyond it.
    Change {
        /// Setting, as for `--set`.
        key: String,
        /// What it is to be.
        value: f64,
    },
    /// Write result files, of the run as it was at a snapshot where there is one.
    Export(ExportRequest, Option<Arc<Snapshot>>),
    /// Write a text into the run folder.
    SaveText {
        /// Where to.
        path: PathBuf,
        /// What it holds.
        text: String,
    },
    /// Write what the window remembers between starts.
    SaveSettings {
        /// Where to.
        path: PathBuf,
        /// What it holds.
        text: String,
    },
    /// Write a project file.
    SaveProject(Saved),
    /// Bring the hands to rest.
    Posable,
    /// Look at [`Control`] and the requests again.
    Poke,
}

/// A value of which only the newest counts.
#[derive(Debug)]
pub(crate) struct Latest<T>(Arc<Mutex<Option<T>>>);

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Latest<T> {
    /// Overwrites whatever is there.
    pub(crate) fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// Takes the value, if there is a new one.
    #[must_use]
    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A snapshot and what it cost the worker to make.
#[derive(Debug)]
pub(crate) struct TakenSnapshot {
    /// The meshes.
    pub snapshot: Arc<Snapshot>,
    /// Time the worker spent on it: the window asks less often when this is long.
    pub cost: Duration,
    /// Bytes that the run held on its device then.
    pub device_bytes: Option<u64>,
}

/// Which view of which snapshot the compare panel wants to see.
#[derive(Clone, Debug)]
pub(crate) struct ViewRequest {
    /// View index.
    pub view: usize,
    /// The snapshot to render.
    pub snapshot: Arc<Snapshot>,
    /// What it shows.
    pub look: Look,
}

/// A picture by the network that the 3D view wants to see.
#[derive(Clone, Debug)]
pub(crate) struct NetworkRequest {
    /// Through which camera.
    pub camera: Camera,
    /// One a hand; `None` for the pose of the capture.
    pub poses: Option<Vec<Pose>>,
}

/// A picture by the network.
#[derive(Debug)]
pub(crate) struct NetworkFrame {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Straight RGBA8.
    pub rgba: Vec<u8>,
    /// What it cost the worker.
    pub cost: Duration,
}

/// Flags both sides look at.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(super) paused: AtomicBool,
    /// A step is under way.
    pub(super) stepping: AtomicBool,
    pub(super) cancel: AtomicBool,
    pub(super) quit: AtomicBool,
    pub(super) snapshot_wanted: AtomicBool,
    /// Least milliseconds between two wake-ups of the window for mere progress.
    pub(super) wake_interval_ms: AtomicU64,
}

// Each side writes its own flag and then reads the other's, in one order for both: a pause is either seen before the step, or
// the step is seen by who pauses.
impl Control {
    /// A step begins; false, and none does, if the run is paused.
    pub(super) fn begin_step(&self) -> bool {
        self.stepping.store(true, Ordering::SeqCst);
        let goes_on = !self.paused.load(Ordering::SeqCst);
        if !goes_on {
            self.end_step();
        }
        goes_on
    }

    /// The step has ended.
    pub(super) fn end_step(&self) {
        self.stepping.store(false, Ordering::SeqCst);
    }

    /// Sets the pause; true if it holds at once, since no step is under way.
    pub(super) fn pause(&self, paused: bool) -> bool {
        self.paused.store(paused, Ordering::SeqCst);
        paused && !self.stepping.load(Ordering::SeqCst)
    }
}
