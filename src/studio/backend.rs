//! What the studio needs from the rest of the program: a way to open folders, to start reconstructions, and presets.
//!
//! The studio knows no pipeline type beyond [`crate::pipeline`]'s reports and snapshots, so its window can be tested with
//! an engine of the tests. The binary passes the real one.

use super::export_target::ExportTarget;
use crate::camera::Camera;
use crate::capture::{Capture, Edits, OpenOptions};
use crate::detect::DetectedHands;
use crate::fitting::pose::HandChoice;
use crate::hand::Pose;
use crate::hand::mano::ManoConvention;
use crate::pipeline::{
    Advance, Effective, ExportPlan, FrameState, PhaseRates, PosableHand, Snapshot, StepReport, ViewPicture,
};
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

    /// Renders one view of a snapshot at the photograph's size. [`Look::Neural`] is of the run's last step.
    ///
    /// # Errors
    /// A lost device; no network.
    fn render_view(&mut self, snapshot: &Snapshot, view: usize, look: Look) -> anyhow::Result<ViewPicture>;

    /// The hands as the run's network shows them through any camera, straight RGBA8, row by row; `poses` are one a hand, and
    /// none for that of the capture.
    ///
    /// # Errors
    /// There is no network, or none that fits; a lost device.
    fn render_network(&mut self, camera: &Camera, poses: Option<&[Pose]>) -> anyhow::Result<Vec<u8>> {
        let _ = (camera, poses);
        anyhow::bail!("this run has no network")
    }

    /// Bytes that the run holds on its device now; `None` when it has none.
    fn device_bytes(&self) -> Option<u64> {
        None
    }

    /// Keypoints found in the images so far, a view each and without edits; `None` when those of the capture are used.
    fn detected_keypoints(&self) -> Detected {
        None
    }

    /// The pace of the phases that were computed here, the present one last; what has no kernels to time has none.
    fn pace(&self) -> Vec<PhaseRates> {
        Vec::new()
    }

    /// Changes a setting of the run, as far as it is not beyond it, and says from when on it counts.
    ///
    /// # Errors
    /// A value that it cannot have, a full or read-only disk. The run goes on as it was.
    fn change(&mut self, key: &str, value: f64) -> anyhow::Result<Effective> {
        let _ = (key, value);
        Ok(Effective::NextRun)
    }

    /// After a file could not be written: nothing is lost, and the next step tries again.
    fn can_go_on(&self) -> bool {
        false
    }

    /// Takes out of the run what is to be exported. The files are written by the answer, on another thread, while the run
    /// goes on.
    ///
    /// # Errors
    /// Nothing to export yet.
    fn export(&mut self, request: &ExportRequest) -> anyhow::Result<ExportJob>;

    /// As [`Engine::export`], of the run as it was at a snapshot.
    ///
    /// # Errors
    /// The engine cannot, the snapshot lies before HAM, or is of another run.
    fn export_step(&mut self, request: &ExportRequest, snapshot: &Snapshot) -> anyhow::Result<ExportJob> {
        let _ = (request, snapshot);
        anyhow::bail!("only the latest state of this run can be exported")
    }

    /// The hands as they are now in the rest pose, ready to be posed.
    ///
    /// # Errors
    /// There is no refined mesh yet, a lost device.
    fn posable(&mut self) -> anyhow::Result<Vec<PosableHand>>;

    /// What the run knows of its views by now. Asked for when the engine is new, and whenever a stage has ended.
    fn views(&self) -> RunViews {
        RunViews::default()
    }

    /// Called once when the user ends the run before it has finished: the place to write a checkpoint.
    ///
    /// # Errors
    /// A full or read-only disk.
    fn stop(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// What a run knows of its views. A list that it does not have is empty, else it has an entry a view of the capture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunViews {
    /// Cameras as the pose stage has corrected them; empty before, when they are those of the capture.
    pub cameras: Vec<Camera>,
    /// PSNR of the final meshes over rendered ∩ mask, dB; `None` of a view that was not compared. Empty before the end.
    pub psnr_db: Vec<Option<f64>>,
    /// Intersection over union of the silhouettes of the final meshes with the masks, likewise.
    pub iou: Vec<Option<f64>>,
    /// The run has a network that can be shown.
    pub has_network: bool,
    /// Vertices of each hand as they are exported, in the order of the snapshots' hands; empty before HAM.
    pub vertices: Vec<usize>,
    /// Light of the rig in the mean: nine coefficients of [`crate::shading::sh_basis`] at a world normal, three gains. `None`
    /// while that is not known.
    pub light: Option<[f64; crate::shading::LIGHT_STRIDE]>,
    /// Steps whose checkpoints are kept, in order: a new run can go on from them.
    pub restart_points: Vec<u32>,
}

/// What a rendered view shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// As the photograph: albedo under the view's light.
    #[default]
    Shaded,
    /// Albedo alone.
    Albedo,
    /// By the run's network.
    Neural,
    /// World normals as colours.
    Normals,
    /// Grey clay.
    Clay,
}

/// Which files to write where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportRequest {
    /// Format names: `glb`, `obj`, `ply`, `npz`.
    pub formats: Vec<String>,
    /// Folder; `None` = `exports/` in the run folder.
    pub dir: Option<PathBuf>,
    /// In the hand model's rest pose, in place of the pose of the capture.
    pub rest_pose: bool,
    /// For which programs: axes and unit.
    pub target: ExportTarget,
    /// With a cap over the wrist, so that the meshes are watertight.
    pub close_wrist: bool,
    /// The run as it was at this step; `None` = as it is now.
    pub step: Option<u32>,
}

impl ExportRequest {
    /// The plan of it; `usual` is where files go when nothing else was chosen.
    #[must_use]
    pub fn plan(&self, usual: PathBuf) -> ExportPlan {
        // What the latest state has left there stays.
        let usual = self.step.map_or_else(|| usual.clone(), |step| usual.join(format!("step_{step:05}")));
        let dir = self.dir.clone().unwrap_or(usual);
        ExportPlan {
            frame: self.target.frame(),
            rest_pose: self.rest_pose,
            close_wrist: self.close_wrist,
            ..ExportPlan::new(self.formats.clone(), dir)
        }
    }
}

/// Writes result files and returns their paths. Fails on a full or read-only disk.
pub type ExportJob = Box<dyn FnOnce() -> anyhow::Result<Vec<PathBuf>> + Send>;

/// Which hand model to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HandModelChoice {
    /// The open hand.
    #[default]
    Open,
    /// MANO's files.
    Mano {
        /// Their folder.
        folder: PathBuf,
        /// How their numbers are meant.
        convention: ManoConvention,
    },
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
    /// Views left out altogether.
    pub excluded: Vec<usize>,
    /// Views that no stage sees, but which are compared.
    pub held_out: Vec<usize>,
    /// Which hands are wanted.
    pub hands: HandChoice,
    /// Folder in which the run makes its own; `None` = [`Backend::results_folder`].
    pub results: Option<PathBuf>,
    /// Seed of every random choice.
    pub seed: u64,
    /// Hand model.
    pub hand_model: HandModelChoice,
    /// Find the keypoints in the images although the capture has its own.
    pub detect: bool,
    /// Train the network after HAM.
    pub neural: bool,
    /// Changes of keypoints and masks; not in `capture` yet.
    pub edits: Arc<Edits>,
}

impl RunRequest {
    /// A request with the preset as it is and every view.
    #[must_use]
    pub fn new(capture: Arc<Capture>, preset: &str) -> Self {
        Self {
            capture,
            preset: preset.to_owned(),
            overrides: Vec::new(),
            excluded: Vec::new(),
            held_out: Vec::new(),
            hands: HandChoice::Auto,
            results: None,
            seed: 0,
            hand_model: HandModelChoice::Open,
            detect: false,
            neural: false,
            edits: Arc::default(),
        }
    }
}

/// An unfinished run to go on with, with the settings it began with.
#[derive(Clone, Debug)]
pub struct ResumeRequest {
    /// The opened capture; the one the run was made from.
    pub capture: Arc<Capture>,
    /// The run folder.
    pub run_dir: PathBuf,
    /// Train the network, although the run was to end before it.
    pub neural: bool,
    /// Go on from this step, of [`RunViews::restart_points`], in a new run; the old one stays. `None`: where the run stopped.
    pub from: Option<u32>,
}

/// A reconstruction that has just begun, or goes on.
pub struct Started {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// Where its results go.
    pub run_dir: PathBuf,
    /// Lines of `metrics.jsonl` so far: none of a new run, those up to its checkpoint of a resumed one.
    pub steps: Vec<StepReport>,
}

/// Keypoints found in the images, a view each; `None` when those of the capture are used.
pub type Detected = Option<Arc<Vec<DetectedHands>>>;

/// What a run folder holds.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The run folder.
    pub dir: PathBuf,
    /// Lines of `metrics.jsonl`.
    pub steps: Vec<StepReport>,
    /// Stored snapshots in order.
    pub snapshots: Vec<Arc<Snapshot>>,
    /// Preset it began with.
    pub preset: String,
    /// Views it left out.
    pub excluded: Vec<usize>,
    /// Views it held out.
    pub held_out: Vec<usize>,
    /// It has not finished and can be gone on with.
    pub resumable: bool,
    /// Keypoints it has found in the images, without edits.
    pub detected: Detected,
    /// Changes of keypoints and masks that it was given; not in the capture that is opened with it.
    pub edits: Arc<Edits>,
}

/// A sequence that was opened with one of its frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedSequence {
    /// Its folder; the frames' runs lie in it by their names.
    pub dir: PathBuf,
    /// Names and states of the frames in order.
    pub frames: Vec<(String, FrameState)>,
    /// The frame whose run is open.
    pub at: usize,
}

/// A folder that was read.
pub struct Opened {
    /// The capture.
    pub capture: Capture,
    /// The run, if the folder was one.
    pub run: Option<RunRecord>,
    /// What renders and exports an opened run; it is never advanced.
    pub engine: Option<Box<dyn Engine>>,
    /// The sequence that the run is a frame of, if the folder was one's.
    pub sequence: Option<OpenedSequence>,
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

    /// Reads a capture or run folder; `options` say what of a capture is set by hand, while the capture of a run is read as
    /// the run has read it. Called on the worker thread.
    ///
    /// # Errors
    /// [`crate::capture::CaptureError`] and the like.
    fn open(&self, path: &Path, options: &OpenOptions) -> anyhow::Result<Opened>;

    /// Folder in which runs of a capture make theirs unless the user chooses another. Nothing is created.
    fn results_folder(&self, capture: &Capture) -> PathBuf;

    /// Begins a reconstruction. Called on the worker thread, where the engine stays.
    ///
    /// # Errors
    /// No device, unusable capture, unwritable run folder.
    fn start(&self, request: &RunRequest) -> anyhow::Result<Started>;

    /// Goes on with an unfinished run. Called on the worker thread, where the engine stays.
    ///
    /// # Errors
    /// No device, a changed capture, a damaged checkpoint, unwritable run folder.
    fn resume(&self, request: &ResumeRequest) -> anyhow::Result<Started>;
}
