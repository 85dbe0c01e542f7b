//! Many frames of one movement: poses and shape of all frames fitted together, then each frame a run of its own, the later
//! ones from the detail of the first.
//!
//! 1. Every frame is looked at: capture opened, keypoints found where it has none, joints. What cannot be used is skipped.
//! 2. A camera that most frames find off is off in all; all frames get one set of cameras ([`rig`]).
//! 3. The person's shape is the middle over frames spread over the sequence; then all frames are fitted with it, and made one
//!    movement ([`fit`]). `motion.json` keeps that.
//! 4. Each frame is a [`Reconstruction`] that is given cameras and hands (`given.json`). The first frame that has all hands is
//!    done in full; the others begin with its surface in their pose, its albedo, lights and cameras, and get a part of the epochs.
//!
//! The folder has a run folder a frame. Whatever was interrupted goes on at the frame it was at: fits are computed again until
//! `motion.json` is there, frames that are finished are passed over.

mod export;
mod finished;
mod fit;
mod look;
mod record;
mod rig;

pub use export::SequencePlan;
pub use finished::{FinishedSequence, FrameState, evaluate_motion};
pub use record::is_sequence_run;

use super::given::{DetailSource, Given, hash_of};
use super::run_folder::RunFolder;
use super::{
    Advance, Checkpoint, DETECTION, PipelineError, PretrainedRenderer, Reconstruction, RunOptions, Stage, StepReport,
};
use crate::camera::Camera;
use crate::capture::{Capture, FrameFolder, OpenOptions};
use crate::export::atomic;
use crate::fitting::hand_fit::CommonShape;
use crate::fitting::pose::Triangulator;
use crate::gpu::Gpu;
use crate::hand::HandModel;
use crate::preset::Preset;
use fit::{Inputs, Pass, PassStep};
use look::{Detecting, Looked, Looker, Step, believing};
use record::{Motion, SequenceRecord};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What one call of [`SequenceRun::advance`] did.
#[derive(Clone, Debug, PartialEq)]
pub enum SequenceAdvance {
    /// Nothing to report.
    Working,
    /// A step of looking or fitting; its iterations are frames.
    Stepped(StepReport),
    /// A stage of all frames ended.
    StageDone(Stage, Vec<String>),
    /// A frame is not used, and why.
    Skipped(String, String),
    /// A frame's own run: its name, its position of so many, what it did.
    Frame(String, [usize; 2], Advance),
    /// A frame is done: its name, its position of so many.
    FrameDone(String, [usize; 2]),
    /// All is done.
    Finished,
}

enum State {
    Look { next: usize, detecting: Option<Box<Detecting>> },
    Shape(Pass),
    Fit(Pass, CommonShape),
    Frames { order: Vec<usize>, next: usize, run: Option<Box<Reconstruction>> },
    Done,
}

/// A sequence being reconstructed.
pub struct SequenceRun {
    frames: Vec<FrameFolder>,
    reading: OpenOptions,
    models: [Arc<HandModel>; 2],
    options: RunOptions,
    gpu: Gpu,
    triangulator: Triangulator,
    folder: RunFolder,
    state: State,
    looked: Vec<Option<Looked>>,
    problems: Vec<Option<String>>,
    same_rig: bool,
    motion: Option<Motion>,
    reference: Option<Reference>,
    began: Instant,
}

/// What the later frames take over from the first, once it is done.
struct Reference {
    detail: DetailSource,
    cameras: Vec<Camera>,
}

impl SequenceRun {
    /// Begins in a new or empty folder (`options.run_dir`). `captures` is the folder of the frames.
    ///
    /// # Errors
    /// A folder that is not empty or lies among the captures; `options.until` before the fit.
    pub fn new(
        captures: &Path,
        frames: Vec<FrameFolder>,
        reading: OpenOptions,
        models: [Arc<HandModel>; 2],
        options: RunOptions,
        gpu: Gpu,
    ) -> Result<Self, PipelineError> {
        if super::lies_in(&options.run_dir, captures) {
            return Err(PipelineError::InCapture { path: options.run_dir.display().to_string() });
        }
        check(&options)?;
        atomic::create_empty_folder(&options.run_dir)?;
        SequenceRecord::new(captures, &frames, &reading, &models, &options).write(&options.run_dir)?;
        Self::at_start(frames, reading, models, options, gpu)
    }

    /// Goes on with what lies in `options.run_dir`, with the settings it began with.
    ///
    /// # Errors
    /// [`PipelineError::Resume`] when there is nothing to go on with or hand models are others.
    pub fn resume(mut options: RunOptions, gpu: Gpu) -> Result<Self, PipelineError> {
        check(&options)?;
        let record = SequenceRecord::read(&options.run_dir)?;
        let models = record.hand_model.load()?;
        let frames = record.folders()?;
        options.preset = record.preset;
        options.preset_name = record.preset_name;
        options.hold_out = record.hold_out;
        options.exclude = record.exclude;
        options.seed = record.seed;
        options.detect = record.detect;
        let mut run = Self::at_start(frames, record.capture_options, models, options, gpu)?;
        if let Some(motion) = Motion::read(run.folder.path())? {
            if motion.frames.len() != run.frames.len() {
                let problem = "sequence.ron and motion.json are not of one sequence; start a new run";
                return Err(PipelineError::Resume(problem.to_owned()));
            }
            run.begin_frames(motion)?;
        }
        run.folder.log("resumed")?;
        Ok(run)
    }

    /// Lets the network of each frame begin with one that was trained beforehand; the sequence keeps a copy.
    ///
    /// # Errors
    /// [`crate::neural::NeuralError::OtherNetwork`] when it is of another kind, or a full disk.
    pub fn begin_networks_with(&mut self, renderer: &PretrainedRenderer) -> Result<(), PipelineError> {
        renderer.network.check(&self.options.preset.neural)?;
        let done = renderer.keep(self.folder.path())?;
        Ok(self.folder.log(&done)?)
    }

    fn at_start(
        frames: Vec<FrameFolder>,
        reading: OpenOptions,
        models: [Arc<HandModel>; 2],
        options: RunOptions,
        gpu: Gpu,
    ) -> Result<Self, PipelineError> {
        let folder = RunFolder::of_sequence(&options.run_dir)?;
        Ok(Self {
            triangulator: Triangulator::on(&gpu)?,
            looked: frames.iter().map(|_| None).collect(),
            problems: vec![None; frames.len()],
            frames,
            reading,
            models,
            options,
            gpu,
            folder,
            state: State::Look { next: 0, detecting: None },
            same_rig: true,
            motion: None,
            reference: None,
            began: Instant::now(),
        })
    }

    /// Takes a step. Returns [`SequenceAdvance::Finished`] for ever at the end.
    ///
    /// # Errors
    /// [`PipelineError`] for what concerns all frames: a lost device, a full disk, no frame that can be used.
    pub fn advance(&mut self) -> Result<SequenceAdvance, PipelineError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Look { next, detecting } => self.look(next, detecting),
            State::Shape(pass) => self.find_shape(pass),
            State::Fit(pass, shape) => self.fit(pass, shape),
            State::Frames { order, next, run } => self.reconstruct(order, next, run),
            State::Done => Ok(SequenceAdvance::Finished),
        }
    }

    /// Saves what is under way.
    ///
    /// # Errors
    /// A full disk or a lost device.
    pub fn save(&mut self) -> Result<(), PipelineError> {
        if let State::Frames { run: Some(run), .. } = &mut self.state {
            run.save()?;
        }
        Ok(self.folder.sync()?)
    }

    fn stepped(
        &mut self,
        stage: Stage,
        phase: &str,
        [iter, iters]: [usize; 2],
        total: f64,
    ) -> Result<SequenceAdvance, PipelineError> {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let t = self.began.elapsed().as_secs_f64();
        let (iter, iters) = (count(iter), count(iters));
        let report = StepReport { t, stage, phase: phase.to_owned(), iter, iters, total, terms: Vec::new() };
        self.folder.metrics(&report)?;
        Ok(SequenceAdvance::Stepped(report))
    }

    fn stage_done(&mut self, stage: Stage, findings: Vec<String>) -> Result<SequenceAdvance, PipelineError> {
        self.folder.log(&format!("{:9.2} s  stage {} done", self.began.elapsed().as_secs_f64(), stage.name()))?;
        for finding in &findings {
            self.folder.log(&format!("             {finding}"))?;
        }
        self.folder.sync()?;
        Ok(SequenceAdvance::StageDone(stage, findings))
    }

    fn skipped(&mut self, frame: usize, why: String) -> Result<SequenceAdvance, PipelineError> {
        let name = self.frames[frame].name.clone();
        self.folder.log(&format!("frame {name} is left out: {why}"))?;
        self.problems[frame] = Some(why.clone());
        Ok(SequenceAdvance::Skipped(name, why))
    }

    /// Where keypoints that are found in a frame's images are kept until it has a run of its own.
    fn found(&self, frame: usize) -> PathBuf {
        self.folder.path().join("found").join(&self.frames[frame].name)
    }

    fn look(&mut self, next: usize, detecting: Option<Box<Detecting>>) -> Result<SequenceAdvance, PipelineError> {
        let Some(folder) = self.frames.get(next) else { return self.looked() };
        let looker = Looker {
            options: &self.options,
            reading: &self.reading,
            triangulator: &self.triangulator,
            views: self.looked.iter().flatten().next().map(|l| l.cameras.len()),
        };
        let found = self.found(next);
        let step = match detecting {
            Some(frame) => looker.go_on(frame, &found)?,
            None => looker.begin(folder, &found)?,
        };
        self.state = State::Look { next: next + 1, detecting: None };
        match step {
            Step::Detecting(frame, views) => {
                self.state = State::Look { next, detecting: Some(frame) };
                self.stepped(Stage::Pose, DETECTION, views, 0.0)
            }
            Step::Looked(looked) => {
                let median_px = looked.pose.median_px;
                self.looked[next] = Some(*looked);
                self.stepped(Stage::Pose, "frames", [next + 1, self.frames.len()], median_px)
            }
            Step::Problem(why) => self.skipped(next, why),
        }
    }

    /// All frames are looked at.
    fn looked(&mut self) -> Result<SequenceAdvance, PipelineError> {
        let usable: Vec<&Looked> = self.looked.iter().flatten().collect();
        if usable.is_empty() {
            let why = self.problems.iter().flatten().next().cloned().unwrap_or_default();
            return Err(PipelineError::Sequence(format!(
                "none of the {} frames can be used; the first: {why}",
                self.frames.len()
            )));
        }
        let mut findings = vec![format!("{} of {} frames can be used", usable.len(), self.frames.len())];
        self.same_rig = rig::is_same(&usable);
        if self.same_rig {
            let (cameras, off) = rig::shared(&usable);
            findings.extend(
                off.iter().map(|v| format!("view {v}: the camera is off in most frames; it is corrected in all")),
            );
            let settings = &self.options.preset.pose;
            for (looked, problem) in self.looked.iter_mut().zip(&mut self.problems) {
                let Some(frame) = looked.as_mut().filter(|l| l.pose.cameras != cameras) else { continue };
                if let Err(e) = frame.look_again(&cameras, settings, &self.triangulator) {
                    if e.gpu().is_some() {
                        return Err(e);
                    }
                    findings.push(format!("a frame does not agree with the corrected cameras and is left out: {e}"));
                    *problem = Some(e.to_string());
                    *looked = None;
                }
            }
        } else {
            findings.push("cameras differ from frame to frame: each frame keeps its own corrections".to_owned());
        }
        let usable: Vec<usize> = (0..self.frames.len()).filter(|f| self.looked[*f].is_some()).collect();
        let some = fit::spread(&usable, self.options.preset.sequence.shape_frames);
        self.state = State::Shape(Pass::new(self.options.preset.fit.clone(), some));
        self.stage_done(Stage::Pose, findings)
    }

    const fn inputs(&self) -> Inputs<'_> {
        Inputs {
            gpu: &self.gpu,
            models: &self.models,
            frames: self.frames.as_slice(),
            looked: self.looked.as_slice(),
            reading: &self.reading,
        }
    }

    fn find_shape(&mut self, mut pass: Pass) -> Result<SequenceAdvance, PipelineError> {
        match pass.step(&self.inputs())? {
            PassStep::Iterated => {
                self.state = State::Shape(pass);
                Ok(SequenceAdvance::Working)
            }
            PassStep::Frame(done) => {
                let of = pass.count();
                self.state = State::Shape(pass);
                self.stepped(Stage::Fit, "shape", [done, of], 0.0)
            }
            PassStep::Done => {
                let shape = fit::shape_of(&pass.into_estimates(), &self.options.preset.fit);
                let shape = shape.ok_or(crate::fitting::hand_fit::FitError::NoJoints)?;
                let usable = (0..self.frames.len()).filter(|f| self.looked[*f].is_some()).collect();
                self.state = State::Fit(Pass::new(shape.prior(&self.options.preset.fit), usable), shape);
                Ok(SequenceAdvance::Working)
            }
        }
    }

    fn fit(&mut self, mut pass: Pass, shape: CommonShape) -> Result<SequenceAdvance, PipelineError> {
        match pass.step(&self.inputs())? {
            PassStep::Iterated => {
                self.state = State::Fit(pass, shape);
                Ok(SequenceAdvance::Working)
            }
            PassStep::Frame(done) => {
                let of = pass.count();
                self.state = State::Fit(pass, shape);
                self.stepped(Stage::Fit, "frames", [done, of], 0.0)
            }
            PassStep::Done => {
                let settings = &self.options.preset.sequence;
                // Those of the fit of the shape are among them: its frames are some of these.
                let mut findings = pass.notes().to_vec();
                let found = pass.into_estimates();
                let motion = fit::motion(&self.inputs(), &found, &shape, settings, self.same_rig, &self.problems);
                let motion = motion.write(self.folder.path())?;
                let betas: Vec<String> = motion.betas.iter().map(|b| format!("{b:.2}")).collect();
                let hands: usize = motion.frames.iter().map(|f| f.hands.len()).sum();
                findings.push(format!("{hands} hands in {} frames, one shape: {}", self.frames.len(), betas.join(" ")));
                self.begin_frames(motion)?;
                self.stage_done(Stage::Fit, findings)
            }
        }
    }

    fn begin_frames(&mut self, motion: Motion) -> Result<(), PipelineError> {
        let Some(first) = motion.reference() else {
            return Err(PipelineError::Sequence("there is no hand in any frame".to_owned()));
        };
        let others = (0..motion.frames.len()).filter(|f| *f != first && !motion.frames[*f].hands.is_empty());
        let order = std::iter::once(first).chain(others).collect();
        self.problems = motion.frames.iter().map(|f| f.problem.clone()).collect();
        self.motion = Some(motion);
        self.looked.clear();
        self.state = State::Frames { order, next: 0, run: None };
        Ok(())
    }

    fn reconstruct(
        &mut self,
        order: Vec<usize>,
        next: usize,
        run: Option<Box<Reconstruction>>,
    ) -> Result<SequenceAdvance, PipelineError> {
        let Some(&frame) = order.get(next) else { return self.end() };
        let name = self.frames[frame].name.clone();
        let at = [next + 1, order.len()];
        let mut run = match run {
            Some(run) => run,
            None => match self.begin_frame(&order, next) {
                Ok(Some(run)) => Box::new(run),
                Ok(None) => {
                    self.state = State::Frames { order, next: next + 1, run: None };
                    return Ok(SequenceAdvance::FrameDone(name, at));
                }
                Err(e) => return self.frame_failed(order, next, e),
            },
        };
        match run.advance() {
            Ok(Advance::Finished) => {
                drop(run);
                self.folder.log(&format!("{:9.2} s  frame {name} done", self.began.elapsed().as_secs_f64()))?;
                self.state = State::Frames { order, next: next + 1, run: None };
                Ok(SequenceAdvance::FrameDone(name, at))
            }
            Ok(advance) => {
                self.state = State::Frames { order, next, run: Some(run) };
                Ok(SequenceAdvance::Frame(name, at, advance))
            }
            Err(e) => self.frame_failed(order, next, e),
        }
    }

    /// What concerns the frame alone is told and passed over; anything else ends the whole.
    fn frame_failed(
        &mut self,
        order: Vec<usize>,
        next: usize,
        e: PipelineError,
    ) -> Result<SequenceAdvance, PipelineError> {
        let own = e.gpu().is_none() && !matches!(e, PipelineError::Files(_));
        // Without the first frame there is no detail for the others.
        if !own || next == 0 {
            return Err(e);
        }
        let frame = order[next];
        self.state = State::Frames { order, next: next + 1, run: None };
        self.skipped(frame, e.to_string())
    }

    /// The run of a frame: new, gone on with, or none where it is finished.
    fn begin_frame(&mut self, order: &[usize], next: usize) -> Result<Option<Reconstruction>, PipelineError> {
        let (frame, first) = (order[next], order[0]);
        if next > 0 && self.follow() && self.reference.is_none() {
            self.reference = Some(self.reference(first)?);
        }
        let Some(motion) = &self.motion else { return Ok(None) };
        let folder = &self.frames[frame];
        let dir = self.folder.path().join(&folder.name);
        let (given, preset) = self.given(motion, first, frame);
        let options = RunOptions { run_dir: dir.clone(), preset, ..self.options.clone() };
        let same = super::RunRecord::read(&dir).ok().filter(|r| r.given == given.hash().ok()).is_some();
        let checkpoint = dir.join("checkpoint");
        if same && checkpoint.exists() {
            let at = Checkpoint::read(&checkpoint)?;
            let reached = match self.options.until {
                Stage::Pose | Stage::Fit => true,
                Stage::Ham => at.ham.is_some(),
                Stage::Neural => at.neural.is_some(),
            };
            if at.facts.finished && reached {
                return Ok(None);
            }
        }
        let capture = Arc::new(
            Capture::open_with(&folder.path, &self.reading).map_err(|e| PipelineError::Sequence(e.to_string()))?,
        );
        if capture.hash != motion.frames[frame].capture_hash {
            return Err(PipelineError::Resume(format!(
                "the files of {} have changed since the sequence was fitted; start a new run",
                folder.path.display()
            )));
        }
        let (models, gpu) = (self.models.clone(), self.gpu.clone());
        if same && checkpoint.exists() {
            return Ok(Some(Reconstruction::resume(capture, models, options, gpu)?));
        }
        let renderer = PretrainedRenderer::kept(self.folder.path())?;
        if dir.exists() {
            // What was begun with something else given, or has no checkpoint yet.
            std::fs::remove_dir_all(&dir).map_err(crate::export::ExportError::io(&dir))?;
        }
        let mut run = Reconstruction::of_frame(capture, models, options, gpu, &given, &self.found(frame))?;
        if let Some(renderer) = renderer {
            run.begin_network_with(&renderer)?;
        }
        Ok(Some(run))
    }

    /// Whether later frames begin with the detail of the first.
    fn follow(&self) -> bool {
        self.options.preset.sequence.following_epochs < 1.0 && self.options.until >= Stage::Ham
    }

    fn reference(&self, first: usize) -> Result<Reference, PipelineError> {
        let run = self.frames[first].name.clone();
        let checkpoint = self.folder.path().join(&run).join("checkpoint");
        let cameras = Checkpoint::read(&checkpoint)?.facts.cameras;
        Ok(Reference { detail: DetailSource { run, checkpoint_hash: hash_of(&checkpoint)? }, cameras })
    }

    /// What a frame is given, and its settings.
    fn given(&self, motion: &Motion, first: usize, frame: usize) -> (Given, Preset) {
        let own = &motion.frames[frame];
        let mut preset = self.options.preset.clone();
        preset.pose = believing(&preset.pose);
        let mut given = Given { cameras: own.cameras.clone(), hands: own.hands.clone(), detail: None };
        let sides = |f: usize| motion.frames[f].hands.iter().map(|h| h.side);
        let known = sides(frame).all(|side| sides(first).any(|s| s == side));
        if let Some(reference) = self.reference.as_ref().filter(|_| frame != first && known) {
            given.detail = Some(reference.detail.clone());
            if motion.same_rig {
                given.cameras.clone_from(&reference.cameras);
            }
            preset.ham = preset.ham.following(preset.sequence.following_epochs, motion.same_rig);
        }
        (given, preset)
    }

    fn end(&mut self) -> Result<SequenceAdvance, PipelineError> {
        let path = self.folder.path().to_owned();
        finished::write_summary(&path, &self.frames, &self.problems)?;
        self.folder.sync()?;
        Ok(SequenceAdvance::Finished)
    }

    /// Frames that were left out, with the reason.
    #[must_use]
    pub fn left_out(&self) -> Vec<(String, String)> {
        let named = self.frames.iter().zip(&self.problems);
        named.filter_map(|(f, problem)| Some((f.name.clone(), problem.clone()?))).collect()
    }
}

fn check(options: &RunOptions) -> Result<(), PipelineError> {
    if options.until == Stage::Pose {
        return Err(PipelineError::Sequence("a sequence ends after fit, ham or neural, not after pose".to_owned()));
    }
    if options.until >= Stage::Neural {
        options.preset.neural.check()?;
    }
    Ok(())
}
