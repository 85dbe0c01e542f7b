//! The stages behind one `advance()`.

mod change;
mod joint;
mod keep;
mod masks;
mod neural;
mod stages;
mod views;

pub use change::{Change, Effective};
pub(super) use views::joined;

use super::checkpoint::{Checkpoint, CheckpointFacts, CheckpointHand};
use super::detection::Detection;
use super::given::Given;
use super::picture::PictureMaker;
use super::run_folder::{RunFolder, RunRecord};
use super::{Advance, KeypointSource, PipelineError, Stage, StepReport, restart};
use crate::anatomy::KEYPOINTS;
use crate::camera::Camera;
use crate::capture::Capture;
use crate::detect::DetectedHands;
use crate::fitting::ham::{Ham, PhaseRates, Preparation};
use crate::fitting::hand_fit::{FittedHand, HandFit, shape_information};
use crate::fitting::masks::JudgedMask;
use crate::fitting::pose::PoseResult;
use crate::gpu::Gpu;
use crate::hand::HandModel;
use crate::neural::Neural;
use crate::preset::Preset;
use keep::Keep;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What to do with a capture.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Run folder: new or empty, or one to resume.
    pub run_dir: PathBuf,
    /// Name the preset was asked for by.
    pub preset_name: String,
    /// Resolved settings.
    pub preset: Preset,
    /// Last stage.
    pub until: Stage,
    /// Views no stage may see, but which are compared.
    pub hold_out: Vec<usize>,
    /// Views left out altogether.
    pub exclude: Vec<usize>,
    /// Seed of everything random.
    pub seed: u64,
    /// Find keypoints in the images although the capture has its own.
    pub detect: bool,
}

/// Seconds between checkpoints while HAM runs.
const CHECKPOINT_SECONDS: f64 = 30.0;
/// Snapshots of HAM kept in `track/`.
const TRACK_SNAPSHOTS: u32 = 24;

enum State {
    Detect(Box<Detection>),
    Pose,
    Held { pose: Box<PoseResult> },
    Fit { pose: Box<PoseResult>, fit: Box<HandFit> },
    Masks { pose: Box<PoseResult>, findings: Vec<String>, preparation: Option<Box<Preparation>> },
    Ham { ham: Box<Ham> },
    Neural { ham: Box<Ham>, neural: Box<Neural> },
    Done { ham: Option<Box<Ham>>, neural: Option<Box<Neural>> },
}

/// One reconstruction under way.
pub struct Reconstruction {
    capture: Arc<Capture>,
    models: [Arc<HandModel>; 2],
    options: RunOptions,
    gpu: Gpu,
    folder: RunFolder,
    used: Vec<bool>,
    /// What the sequence knows, for one of its frames.
    given: Option<Given>,
    state: State,
    /// Result of the pose stage, kept for reports.
    pose: Option<PoseResult>,
    /// Keypoints found in the images, without edits.
    found: Option<Vec<DetectedHands>>,
    /// Keypoints found in the images, as they are edited; `None` for those of the capture.
    detected: Option<Vec<DetectedHands>>,
    fitted: Vec<FittedHand>,
    /// Judged masks of the views so far; `None` for views that take no part, empty when masks are left as they are.
    masks: Vec<Option<JudgedMask>>,
    step: u32,
    /// Weights and rates that are changed on the way, and how many of them count by now.
    changes: Vec<Change>,
    applied: usize,
    /// What the last step could not write, to be told before the next.
    trouble: Option<PipelineError>,
    /// What is to be kept of the last epoch, before the next.
    to_keep: VecDeque<Keep>,
    /// HAM has taken no step yet: where it began is to be kept.
    ham_is_new: bool,
    /// HAM on the full mesh, while it is made ready.
    refining: Option<Box<Preparation>>,
    /// Computing time before the present call of `advance()`.
    seconds: f64,
    /// When that call began.
    began: Option<Instant>,
    /// The stages before a checkpoint are computed again: nothing new to report.
    replaying: bool,
    last_checkpoint: f64,
    /// Checkpoints of earlier steps stay, to go on from in runs of their own.
    keeps_restart_points: bool,
    resume_from: Option<Checkpoint>,
    pictures: Option<PictureMaker>,
}

impl Reconstruction {
    /// Begins a run in a new or empty folder.
    ///
    /// # Errors
    /// View numbers out of range, too few views, a folder that is not empty or lies in the capture, unreadable hand models.
    pub fn new(
        capture: Arc<Capture>,
        models: [Arc<HandModel>; 2],
        options: RunOptions,
        gpu: Gpu,
    ) -> Result<Self, PipelineError> {
        Self::begin(capture, models, options, gpu, None)
    }

    /// Begins the run of a sequence's frame, whose cameras and hands the sequence knows. `keypoints` is a folder with keypoints
    /// that were found in its images already.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn of_frame(
        capture: Arc<Capture>,
        models: [Arc<HandModel>; 2],
        options: RunOptions,
        gpu: Gpu,
        given: &Given,
        keypoints: &Path,
    ) -> Result<Self, PipelineError> {
        Self::begin(capture, models, options, gpu, Some((given, keypoints)))
    }

    fn begin(
        capture: Arc<Capture>,
        models: [Arc<HandModel>; 2],
        options: RunOptions,
        gpu: Gpu,
        frame: Option<(&Given, &Path)>,
    ) -> Result<Self, PipelineError> {
        let used = used_views(&capture, &options)?;
        if super::lies_in(&options.run_dir, &capture.root) {
            return Err(PipelineError::InCapture { path: options.run_dir.display().to_string() });
        }
        if options.until >= Stage::Neural {
            options.preset.neural.check()?;
        }
        let state = first_state(&capture, &options, frame.map(|(_, keypoints)| keypoints))?;
        let mut record = RunRecord::new(&capture, &models, &options, gpu.description());
        record.given = frame.map(|(given, _)| given.hash()).transpose()?;
        let mut folder = RunFolder::create(&options.run_dir, &record)?;
        super::edits::write(&options.run_dir, &capture)?;
        folder.log(&format!(
            "thenar {} on {} ({}); {} of {} views",
            record.version,
            record.device,
            record.driver,
            used.iter().filter(|u| **u).count(),
            used.len()
        ))?;
        let given = frame.map(|(given, _)| given.write(&options.run_dir)).transpose()?;
        if let Some((_, keypoints)) = frame {
            super::detection::take_over(keypoints, &options.run_dir)?;
        }
        Ok(Self { state, given, ..Self::at_start(capture, models, options, gpu, folder, used) })
    }

    fn at_start(
        capture: Arc<Capture>,
        models: [Arc<HandModel>; 2],
        options: RunOptions,
        gpu: Gpu,
        folder: RunFolder,
        used: Vec<bool>,
    ) -> Self {
        Self {
            capture,
            models,
            options,
            gpu,
            folder,
            used,
            given: None,
            state: State::Pose,
            pose: None,
            found: None,
            detected: None,
            fitted: Vec::new(),
            masks: Vec::new(),
            step: 0,
            changes: Vec::new(),
            applied: 0,
            trouble: None,
            to_keep: VecDeque::new(),
            ham_is_new: false,
            refining: None,
            seconds: 0.0,
            began: None,
            replaying: false,
            last_checkpoint: 0.0,
            keeps_restart_points: false,
            resume_from: None,
            pictures: None,
        }
    }

    /// Goes on from the checkpoint in the run folder, with the settings the run began with.
    ///
    /// # Errors
    /// [`PipelineError::Resume`] when there is nothing to resume, the capture or the hand model has changed, or the run is
    /// beyond `options.until`.
    pub fn resume(
        capture: Arc<Capture>,
        models: [Arc<HandModel>; 2],
        mut options: RunOptions,
        gpu: Gpu,
    ) -> Result<Self, PipelineError> {
        let record = RunRecord::read(&options.run_dir)?;
        if record.capture_hash != capture.hash {
            return Err(PipelineError::Resume(format!(
                "the files of {} are not those this run began with; start a new run",
                capture.root.display()
            )));
        }
        if record.edits.clone().unwrap_or_default() != edits_hash(&capture) {
            return Err(PipelineError::Resume(
                "the capture was edited otherwise when this run began; start a new run".to_owned(),
            ));
        }
        let hashes = [&models[0].hash, &models[1].hash];
        if let Some(then) = &record.hand_model
            && then.hashes.each_ref() != hashes
        {
            return Err(PipelineError::Resume(format!(
                "this run was begun with other files of the hand model ({}, {}); resume it without --hand-model, or start \
                 a new run",
                then.name, then.convention.name
            )));
        }
        options.preset = record.preset;
        options.preset_name = record.preset_name;
        options.hold_out = record.hold_out;
        options.exclude = record.exclude;
        options.seed = record.seed;
        options.detect = record.keypoints == KeypointSource::Detected;
        let path = options.run_dir.join("checkpoint");
        let checkpoint = if path.exists() { Some(Checkpoint::read(&path)?) } else { None };
        let used = used_views(&capture, &options)?;
        // Pose and fit are computed again in seconds; their lines are already in metrics.jsonl when HAM had begun.
        let in_ham = checkpoint.filter(|c| c.ham.is_some());
        if in_ham.is_some() && options.until < Stage::Ham {
            // Stopping earlier would replace the mesh and the checkpoint by those of the fit.
            return Err(PipelineError::Resume(format!(
                "this run has begun HAM already; resume it without --until {}, or start a new run",
                options.until.name()
            )));
        }
        // What was begun goes on, and what the run was to do at its end is done.
        let begun = in_ham.as_ref().is_some_and(|c| c.neural.is_some());
        if options.until == Stage::Ham && (begun || options.preset.neural.enabled) {
            options.until = Stage::Neural;
        }
        let state = first_state(&capture, &options, Some(&options.run_dir))?;
        let given = record.given.as_deref().map(|hash| Given::read(&options.run_dir, hash)).transpose()?;
        let lines = in_ham.as_ref().map_or(0, |c| c.facts.step);
        let mut folder = RunFolder::reopen(&options.run_dir, lines)?;
        folder.log(&format!("resumed at line {lines} of metrics.jsonl"))?;
        let changes = record.changes;
        let mut run = Self { state, given, changes, ..Self::at_start(capture, models, options, gpu, folder, used) };
        if let Some(mut checkpoint) = in_ham {
            let neural = checkpoint.neural.take();
            run.seconds = checkpoint.facts.seconds;
            run.last_checkpoint = run.seconds;
            run.resume_from = Some(checkpoint);
            run.replaying = true;
            while !matches!(run.state, State::Ham { .. } | State::Done { .. }) {
                run.advance()?;
            }
            if let Some(state) = neural {
                run.enter_neural(Some(&state))?;
            }
            run.replaying = false;
            run.step = lines;
        }
        Ok(run)
    }

    /// The run folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it was asked to do.
    pub(super) const fn options(&self) -> &RunOptions {
        &self.options
    }

    /// Whether the neural stage is under way or ended.
    pub(super) fn has_begun_network(&self) -> bool {
        self.neural().is_some()
    }

    /// A line of the log.
    pub(super) fn note(&mut self, line: &str) -> Result<(), PipelineError> {
        Ok(self.folder.log(line)?)
    }

    /// The stage that the next step belongs to; `None` when all is done.
    #[must_use]
    pub const fn stage(&self) -> Option<Stage> {
        match self.state {
            State::Detect(_) | State::Pose => Some(Stage::Pose),
            State::Held { .. } | State::Fit { .. } | State::Masks { .. } => Some(Stage::Fit),
            State::Ham { .. } => Some(Stage::Ham),
            State::Neural { .. } => Some(Stage::Neural),
            State::Done { .. } => None,
        }
    }

    /// Keypoints found in the images so far, a view of the capture each and without edits; `None` when the capture's own are
    /// used.
    #[must_use]
    pub fn detected_keypoints(&self) -> Option<Vec<DetectedHands>> {
        match &self.state {
            State::Detect(detection) => Some(detection.keypoints()),
            _ => self.found.clone(),
        }
    }

    /// The pace of the phases of HAM that this process has computed and ended.
    #[must_use]
    pub fn ended_phases(&self) -> &[PhaseRates] {
        self.ham().map_or(&[], Ham::ended_phases)
    }

    /// The pace of the phase of HAM that is under way.
    #[must_use]
    pub fn rates(&self) -> Option<PhaseRates> {
        match &self.state {
            State::Ham { ham } => Some(ham.rates()),
            _ => None,
        }
    }

    /// Cameras as refined by the pose stage (as given before it).
    #[must_use]
    pub fn cameras(&self) -> Vec<Camera> {
        let Some(pose) = &self.pose else { return self.capture.views.iter().map(|v| v.camera.clone()).collect() };
        match self.ham() {
            Some(ham) => pose.cameras.iter().zip(ham.camera_moves()).map(|(camera, by)| camera.moved(by)).collect(),
            None => pose.cameras.clone(),
        }
    }

    /// Takes one step: an optimiser step, or a whole short stage. Returns [`Advance::Finished`] for ever at the end.
    ///
    /// # Errors
    /// [`PipelineError`]; the last good state stays readable through [`Reconstruction::snapshot`]. Where
    /// [`Reconstruction::can_go_on`], the next call tries again.
    pub fn advance(&mut self) -> Result<Advance, PipelineError> {
        if let Some(trouble) = self.trouble.take() {
            return Err(trouble);
        }
        self.folder.retry()?;
        let Some(stage) = self.stage() else { return Ok(Advance::Finished) };
        self.began = (!self.replaying).then(Instant::now);
        let result = match stage {
            _ if !self.to_keep.is_empty() => self.keep_next().map(|()| Advance::Working),
            Stage::Pose if matches!(self.state, State::Detect(_)) => self.advance_detection(),
            Stage::Pose => self.advance_pose(),
            Stage::Fit if matches!(self.state, State::Masks { .. }) => self.advance_masks(),
            Stage::Fit => self.advance_fit(),
            Stage::Ham => self.advance_ham(),
            Stage::Neural => self.advance_neural(),
        };
        self.seconds = self.seconds_now();
        self.began = None;
        result
    }

    /// After an error of the disk: nothing is lost, and once there is room [`Reconstruction::advance`] goes on where it was.
    #[must_use]
    pub const fn can_go_on(&self) -> bool {
        matches!(self.state, State::Detect(_) | State::Pose | State::Ham { .. })
    }

    /// Seconds of computing up to this moment, pauses excluded.
    fn seconds_now(&self) -> f64 {
        self.seconds + self.began.map_or(0.0, |began| began.elapsed().as_secs_f64())
    }

    /// Writes the checkpoint now, if there is a state worth keeping (between HAM epochs, or after the fit).
    ///
    /// # Errors
    /// A full disk or a lost device.
    pub fn save(&mut self) -> Result<(), PipelineError> {
        // A checkpoint describes a state between epochs; finish the one under way.
        while match &self.state {
            _ if !self.to_keep.is_empty() => true,
            State::Ham { ham } => !ham.at_epoch_end(),
            State::Neural { neural, .. } => !neural.at_epoch_end(),
            _ => false,
        } {
            self.advance()?;
        }
        if matches!(self.state, State::Ham { .. } | State::Neural { .. }) {
            self.write_checkpoint(false)?;
        }
        self.folder.sync()?;
        Ok(())
    }

    /// From now on the state is kept in `checkpoints/` at the begin of HAM and at the end of each of its phases, for
    /// [`super::restart`].
    pub const fn keep_restart_points(&mut self) {
        self.keeps_restart_points = true;
    }

    /// Keeps the present state, between epochs of HAM, to go on from later.
    fn keep_restart_point(&self) -> Result<(), PipelineError> {
        if !self.keeps_restart_points || self.replaying {
            return Ok(());
        }
        restart::make_folder(self.folder.path())?;
        self.write_checkpoint_to(&restart::place(self.folder.path(), self.step), false)
    }

    fn write_checkpoint(&self, finished: bool) -> Result<(), PipelineError> {
        self.write_checkpoint_to(&self.folder.path().join("checkpoint"), finished)
    }

    fn write_checkpoint_to(&self, path: &Path, finished: bool) -> Result<(), PipelineError> {
        let views = self.view_facts();
        let facts = CheckpointFacts {
            capture_hash: self.capture.hash.clone(),
            model: self.models[0].name.clone(),
            model_hashes: [self.models[0].hash.clone(), self.models[1].hash.clone()],
            step: self.step,
            seconds: self.seconds_now(),
            finished,
            cameras: views.cameras,
            used: self.used.clone(),
            hands: self
                .fitted
                .iter()
                .map(|h| CheckpointHand {
                    parameters: h.posed.parameters.clone(),
                    joints: self.joints()[h.posed.parameters.side.index()].unwrap_or(h.posed.keypoints),
                    shape_information: shape_information(&h.information),
                })
                .collect(),
            trusted: views.trusted,
            reprojection_px: views.reprojection_px,
        };
        let ham = self.ham().map(Ham::state).transpose()?;
        let neural = self.neural().map(Neural::state).transpose()?;
        Ok(Checkpoint { facts, ham, neural }.write(path)?)
    }

    /// The HAM stage, under way or ended.
    fn ham(&self) -> Option<&Ham> {
        match &self.state {
            State::Ham { ham } | State::Neural { ham, .. } | State::Done { ham: Some(ham), .. } => Some(ham),
            _ => None,
        }
    }

    /// The neural stage, under way or ended.
    fn neural(&self) -> Option<&Neural> {
        match &self.state {
            State::Neural { neural, .. } | State::Done { neural: Some(neural), .. } => Some(neural),
            _ => None,
        }
    }

    fn joints(&self) -> [Option<[[f64; 3]; KEYPOINTS]>; 2] {
        self.pose.as_ref().map_or([None, None], |p| [0, 1].map(|i| p.joints.hands[i].as_ref().map(|h| h.joints)))
    }

    fn stage_done(&mut self, stage: Stage, findings: Vec<String>) -> Result<Advance, PipelineError> {
        if self.replaying {
            return Ok(Advance::StageDone(stage, findings));
        }
        self.folder.log(&format!("{:9.2} s  stage {} done", self.seconds_now(), stage.name()))?;
        for finding in &findings {
            self.folder.log(&format!("             {finding}"))?;
        }
        self.folder.sync()?;
        Ok(Advance::StageDone(stage, findings))
    }

    fn stepped(
        &mut self,
        stage: Stage,
        phase: &str,
        [iter, iters]: [u32; 2],
        total: f64,
        terms: Vec<(String, f64)>,
    ) -> Result<Advance, PipelineError> {
        let report = StepReport { t: self.seconds_now(), stage, phase: phase.to_owned(), iter, iters, total, terms };
        self.step += 1;
        if !self.replaying {
            // The step is taken: what the disk has to say of its line is said before the next.
            self.trouble = self.folder.metrics(&report).err().map(PipelineError::from);
        }
        Ok(Advance::Stepped(report))
    }
}

/// Hash of the edits of a capture; empty without any.
fn edits_hash(capture: &Capture) -> String {
    if capture.edits.is_empty() { String::new() } else { capture.edits.hash() }
}

/// The search for keypoints, where they have to be found; `run` is a run that is resumed.
fn first_state(capture: &Capture, options: &RunOptions, run: Option<&Path>) -> Result<State, PipelineError> {
    match KeypointSource::of(capture, options.detect) {
        KeypointSource::Capture => Ok(State::Pose),
        KeypointSource::Detected => {
            let wanted = (0..capture.views.len()).map(|view| !options.exclude.contains(&view)).collect();
            Ok(State::Detect(Box::new(Detection::new(capture, wanted, run)?)))
        }
    }
}

pub(super) fn used_views(capture: &Capture, options: &RunOptions) -> Result<Vec<bool>, PipelineError> {
    let mut used = vec![true; capture.views.len()];
    for &view in options.hold_out.iter().chain(&options.exclude) {
        match used.get_mut(view) {
            Some(u) => *u = false,
            None => return Err(PipelineError::NoSuchView { view, last: capture.views.len().saturating_sub(1) }),
        }
    }
    let left = used.iter().filter(|u| **u).count();
    if left < 2 {
        return Err(PipelineError::TooFewViews { left });
    }
    Ok(used)
}
