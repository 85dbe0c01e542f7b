//! The stages behind one `advance()`.

use super::checkpoint::{Checkpoint, CheckpointFacts, CheckpointHand};
use super::picture::{PictureMaker, PictureMode, STUDIO_LIGHT, Surface, to_rgba8};
use super::run_folder::{RunFolder, RunRecord};
use super::{Advance, HandSnapshot, PipelineError, PosableHand, Snapshot, Stage, StepReport, ViewPicture, results};
use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;
use crate::capture::Capture;
use crate::export::ExportHand;
use crate::fitting::ham::start::mean_light;
use crate::fitting::ham::target::TargetSource;
use crate::fitting::ham::{FineMesh, Ham, TERMS, Vertices, to_f32};
use crate::fitting::hand_fit::{FIT_TERMS, FitBackend, FittedHand, HandFit};
use crate::fitting::pose::{PoseResult, Triangulator, estimate_joints};
use crate::gpu::Gpu;
use crate::hand::{HandModel, PosedHand};
use crate::preset::Preset;
use crate::shading::LIGHT_STRIDE;
use std::path::PathBuf;
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
}

/// Seconds between checkpoints while HAM runs.
const CHECKPOINT_SECONDS: f64 = 30.0;
/// Snapshots of HAM kept in `track/`.
const TRACK_SNAPSHOTS: u32 = 24;
/// Colour of hands that have no albedo yet.
const GREY: [f32; 3] = [0.72, 0.62, 0.56];

enum State {
    Pose,
    Fit { pose: Box<PoseResult>, fit: Box<HandFit> },
    Ham { ham: Box<Ham> },
    Done { ham: Option<Box<Ham>> },
}

/// One reconstruction under way.
pub struct Reconstruction {
    capture: Arc<Capture>,
    models: [Arc<HandModel>; 2],
    options: RunOptions,
    gpu: Gpu,
    folder: RunFolder,
    used: Vec<bool>,
    state: State,
    /// Result of the pose stage, kept for reports.
    pose: Option<PoseResult>,
    fitted: Vec<FittedHand>,
    step: u32,
    seconds: f64,
    last_checkpoint: f64,
    resume_from: Option<Checkpoint>,
    pictures: Option<PictureMaker>,
}

impl Reconstruction {
    /// Begins a run in a new or empty folder.
    ///
    /// # Errors
    /// View numbers out of range, too few views, a folder that is not empty, unreadable hand models.
    pub fn new(
        capture: Arc<Capture>,
        models: [Arc<HandModel>; 2],
        options: RunOptions,
        gpu: Gpu,
    ) -> Result<Self, PipelineError> {
        let used = used_views(&capture, &options)?;
        let record = RunRecord::new(&capture, &options, gpu.description());
        let mut folder = RunFolder::create(&options.run_dir, &record)?;
        folder.log(&format!(
            "thenar {} on {} ({}); {} of {} views",
            record.version,
            record.device,
            record.driver,
            used.iter().filter(|u| **u).count(),
            used.len()
        ))?;
        Ok(Self::at_start(capture, models, options, gpu, folder, used))
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
            state: State::Pose,
            pose: None,
            fitted: Vec::new(),
            step: 0,
            seconds: 0.0,
            last_checkpoint: 0.0,
            resume_from: None,
            pictures: None,
        }
    }

    /// Goes on from the checkpoint in the run folder, with the settings the run began with.
    ///
    /// # Errors
    /// [`PipelineError::Resume`] when there is nothing to resume, the capture has changed, or the run is beyond
    /// `options.until`.
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
        options.preset = record.preset;
        options.preset_name = record.preset_name;
        options.hold_out = record.hold_out;
        options.exclude = record.exclude;
        options.seed = record.seed;
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
        let lines = in_ham.as_ref().map_or(0, |c| c.facts.step);
        let mut folder = RunFolder::reopen(&options.run_dir, lines)?;
        folder.log(&format!("resumed at line {lines} of metrics.jsonl"))?;
        let mut run = Self::at_start(capture, models, options, gpu, folder, used);
        if let Some(checkpoint) = in_ham {
            run.seconds = checkpoint.facts.seconds;
            run.last_checkpoint = run.seconds;
            run.resume_from = Some(checkpoint);
            while !matches!(run.state, State::Ham { .. } | State::Done { .. }) {
                run.advance()?;
            }
            run.step = lines;
        }
        Ok(run)
    }

    /// The run folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The stage that the next step belongs to; `None` when all is done.
    #[must_use]
    pub const fn stage(&self) -> Option<Stage> {
        match self.state {
            State::Pose => Some(Stage::Pose),
            State::Fit { .. } => Some(Stage::Fit),
            State::Ham { .. } => Some(Stage::Ham),
            State::Done { .. } => None,
        }
    }

    /// Cameras as refined by the pose stage (as given before it).
    #[must_use]
    pub fn cameras(&self) -> Vec<Camera> {
        self.pose
            .as_ref()
            .map_or_else(|| self.capture.views.iter().map(|v| v.camera.clone()).collect(), |pose| pose.cameras.clone())
    }

    /// Takes one step: an optimiser step, or a whole short stage. Returns [`Advance::Finished`] for ever at the end.
    ///
    /// # Errors
    /// [`PipelineError`]; the last good state stays readable through [`Reconstruction::snapshot`].
    pub fn advance(&mut self) -> Result<Advance, PipelineError> {
        let start = Instant::now();
        let result = match self.stage() {
            None => return Ok(Advance::Finished),
            Some(Stage::Pose) => self.advance_pose(),
            Some(Stage::Fit) => self.advance_fit(),
            Some(Stage::Ham) => self.advance_ham(),
        };
        if self.resume_from.is_none() {
            self.seconds += start.elapsed().as_secs_f64();
        }
        result
    }

    fn advance_pose(&mut self) -> Result<Advance, PipelineError> {
        let cameras: Vec<Camera> = self.capture.views.iter().map(|v| v.camera.clone()).collect();
        let keypoints: Vec<_> = self.capture.views.iter().map(|v| v.keypoints.clone()).collect();
        let triangulator = Triangulator::on(&self.gpu)?;
        let pose = estimate_joints(&cameras, &keypoints, &self.used, &self.options.preset.pose, &triangulator)?;
        results::write_pose(self.folder.path(), &self.capture, &self.options, &pose)?;
        let findings = pose.findings.clone();
        self.pose = Some(pose.clone());
        if self.options.until == Stage::Pose {
            self.state = State::Done { ham: None };
        } else {
            let [left, right] = &self.models;
            let wanted = |side: Side, model| pose.joints.hands[side.index()].is_some().then_some(model);
            let models = [wanted(Side::Left, &**left), wanted(Side::Right, &**right)];
            let fit = HandFit::new(FitBackend::Gpu(&self.gpu), models, &pose, &self.options.preset.fit)?;
            self.state = State::Fit { pose: Box::new(pose), fit: Box::new(fit) };
        }
        self.stage_done(Stage::Pose, findings)
    }

    fn advance_fit(&mut self) -> Result<Advance, PipelineError> {
        let State::Fit { fit, .. } = &mut self.state else { return Ok(Advance::Finished) };
        if let Some(step) = fit.step()? {
            let terms = FIT_TERMS.iter().zip(step.terms).map(|(n, x)| ((*n).to_owned(), x)).collect();
            return self.stepped(Stage::Fit, "lm", [step.iteration, step.iterations], step.total, terms);
        }
        let State::Fit { pose, fit } = std::mem::replace(&mut self.state, State::Done { ham: None }) else {
            return Ok(Advance::Finished);
        };
        self.fitted = fit.finish()?;
        results::write_fit(self.folder.path(), &self.models, &self.fitted, &pose)?;
        let mut findings: Vec<String> = self
            .fitted
            .iter()
            .map(|h| {
                let side = h.posed.parameters.side;
                format!(
                    "{side} hand: {:.1} mm from the joints, {:.1} px median reprojection",
                    h.mean_joint_mm, h.median_px
                )
            })
            .collect();
        if self.options.until == Stage::Fit {
            self.write_checkpoint(true)?;
        } else {
            let mut ham = self.new_ham(&pose)?;
            if let Some(state) = self.resume_from.take().and_then(|c| c.ham)
                && !ham.restore(&state)
            {
                return Err(PipelineError::Resume(
                    "the checkpoint does not fit the fitted mesh; start a new run".to_owned(),
                ));
            }
            let untrusted: Vec<&str> = ham
                .mask_trust()
                .iter()
                .zip(&self.capture.views)
                .filter(|(t, _)| t.is_some_and(|t| !t.trusted))
                .map(|(_, v)| v.name.as_str())
                .collect();
            if !untrusted.is_empty() {
                findings.push(format!(
                    "masks that disagree with the model are not used as silhouettes: views {}",
                    untrusted.join(", ")
                ));
            }
            self.state = State::Ham { ham: Box::new(ham) };
        }
        self.stage_done(Stage::Fit, findings)
    }

    fn new_ham(&self, pose: &PoseResult) -> Result<Ham, PipelineError> {
        let hands: Vec<(&HandModel, &PosedHand)> =
            self.fitted.iter().map(|h| (&*self.models[h.posed.parameters.side.index()], &h.posed)).collect();
        let sources: Vec<Option<TargetSource<'_>>> = self
            .capture
            .views
            .iter()
            .zip(&pose.cameras)
            .zip(&self.used)
            .map(|((view, camera), used)| {
                used.then_some(TargetSource { camera, image: &view.image, mask: view.mask.as_ref() })
            })
            .collect();
        Ok(Ham::new(&self.gpu, &self.options.preset.ham, &hands, &sources)?)
    }

    fn advance_ham(&mut self) -> Result<Advance, PipelineError> {
        let State::Ham { ham } = &mut self.state else { return Ok(Advance::Finished) };
        if ham.phase() == crate::fitting::ham::Phase::Done {
            return self.finish_ham();
        }
        let Some(report) = ham.step()? else { return Ok(Advance::Working) };
        let terms: Vec<(String, f64)> = TERMS.iter().zip(report.terms).map(|(n, x)| ((*n).to_owned(), x)).collect();
        let total = report.terms.iter().sum();
        let every = (report.epochs * 2 / TRACK_SNAPSHOTS).max(1);
        let advance = self.stepped(Stage::Ham, report.phase.name(), [report.epoch, report.epochs], total, terms)?;
        if report.epoch % every == 0 || report.epoch == report.epochs {
            let snapshot = self.snapshot()?;
            results::write_track(self.folder.path(), &snapshot)?;
        }
        if self.seconds - self.last_checkpoint > CHECKPOINT_SECONDS {
            self.write_checkpoint(false)?;
            self.last_checkpoint = self.seconds;
        }
        Ok(advance)
    }

    fn finish_ham(&mut self) -> Result<Advance, PipelineError> {
        let State::Ham { ham } = std::mem::replace(&mut self.state, State::Done { ham: None }) else {
            return Ok(Advance::Finished);
        };
        let vertices = ham.vertices()?;
        let hands = results::export_hands(ham.mesh(), &vertices, &self.fitted, &self.models);
        self.state = State::Done { ham: Some(ham) };
        results::write_meshes(self.folder.path(), &hands, &self.capture, &self.options)?;
        self.write_checkpoint(true)?;
        self.stage_done(Stage::Ham, Vec::new())
    }

    /// Writes the checkpoint now, if there is a state worth keeping (between HAM epochs, or after the fit).
    ///
    /// # Errors
    /// A full disk or a lost device.
    pub fn save(&mut self) -> Result<(), PipelineError> {
        // A checkpoint describes a state between epochs; finish the one under way.
        while let State::Ham { ham } = &self.state
            && !ham.at_epoch_end()
        {
            self.advance()?;
        }
        if matches!(self.state, State::Ham { .. }) {
            self.write_checkpoint(false)?;
        }
        self.folder.sync()?;
        Ok(())
    }

    fn write_checkpoint(&self, finished: bool) -> Result<(), PipelineError> {
        let ham = match &self.state {
            State::Ham { ham } | State::Done { ham: Some(ham) } => Some(ham),
            _ => None,
        };
        let trusted = ham.map_or_else(Vec::new, |h| h.mask_trust().iter().map(|t| t.map(|t| t.trusted)).collect());
        // Reports are of the views that took part, which need not be all.
        let report_of = |v: usize| self.pose.as_ref().and_then(|p| p.views.iter().find(|r| r.view == v));
        let reprojection = (0..self.used.len()).map(|v| report_of(v).and_then(results::median_after_px)).collect();
        let facts = CheckpointFacts {
            capture_hash: self.capture.hash.clone(),
            model: self.models[0].name.clone(),
            model_hashes: [self.models[0].hash.clone(), self.models[1].hash.clone()],
            step: self.step,
            seconds: self.seconds,
            finished,
            cameras: self.cameras(),
            used: self.used.clone(),
            hands: self
                .fitted
                .iter()
                .map(|h| CheckpointHand {
                    parameters: h.posed.parameters.clone(),
                    joints: self.joints()[h.posed.parameters.side.index()].unwrap_or(h.posed.keypoints),
                })
                .collect(),
            trusted,
            reprojection_px: reprojection,
        };
        let ham = ham.map(|h| h.state()).transpose()?;
        Checkpoint { facts, ham }.write(&self.folder.path().join("checkpoint"))?;
        Ok(())
    }

    fn joints(&self) -> [Option<[[f64; 3]; KEYPOINTS]>; 2] {
        self.pose.as_ref().map_or([None, None], |p| [0, 1].map(|i| p.joints.hands[i].as_ref().map(|h| h.joints)))
    }

    fn stage_done(&mut self, stage: Stage, findings: Vec<String>) -> Result<Advance, PipelineError> {
        self.folder.log(&format!("{:9.2} s  stage {} done", self.seconds, stage.name()))?;
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
        let report = StepReport { t: self.seconds, stage, phase: phase.to_owned(), iter, iters, total, terms };
        self.step += 1;
        if self.resume_from.is_none() {
            self.folder.metrics(&report)?;
        }
        Ok(Advance::Stepped(report))
    }

    /// The meshes as they are now.
    ///
    /// # Errors
    /// A lost device.
    pub fn snapshot(&mut self) -> Result<Snapshot, PipelineError> {
        let (stage, phase, iter, hands) = match &self.state {
            State::Pose => (Stage::Pose, "triangulate", 0, Vec::new()),
            State::Fit { fit, .. } => (Stage::Fit, "lm", 0, self.posed_snapshots(&fit.hands())),
            State::Ham { ham } | State::Done { ham: Some(ham) } => {
                (Stage::Ham, ham.phase().name(), ham.epoch(), ham_snapshots(ham, &ham.vertices()?))
            }
            State::Done { ham: None } => {
                let posed: Vec<PosedHand> = self.fitted.iter().map(|h| h.posed.clone()).collect();
                (self.options.until, "done", 0, self.posed_snapshots(&posed))
            }
        };
        Ok(Snapshot { stage, phase: phase.to_owned(), iter, step: self.step, joints: self.joints(), hands })
    }

    fn posed_snapshots(&self, hands: &[PosedHand]) -> Vec<HandSnapshot> {
        hands
            .iter()
            .map(|posed| {
                let side = posed.parameters.side;
                let faces = &self.models[side.index()].faces;
                let normals = crate::mesh::vertex_normals(&posed.vertices, faces);
                HandSnapshot {
                    side,
                    faces: Arc::new(faces.clone()),
                    positions: posed.vertices.iter().map(|p| p.map(to_f32)).collect(),
                    normals: normals.iter().map(|p| p.map(to_f32)).collect(),
                    albedo: vec![GREY; posed.vertices.len()],
                }
            })
            .collect()
    }

    /// Renders one view of a snapshot at the photograph's size, with the view's own light where there is one and the rig's
    /// mean light where the view was not used.
    ///
    /// # Errors
    /// A lost device, or a view that does not exist.
    pub fn render_view(
        &mut self,
        snapshot: &Snapshot,
        view: usize,
        mode: PictureMode,
    ) -> Result<ViewPicture, PipelineError> {
        let cameras = self.cameras();
        let camera =
            cameras.get(view).ok_or(PipelineError::NoSuchView { view, last: cameras.len().saturating_sub(1) })?.clone();
        let light = self.light_of(view)?;
        if self.pictures.is_none() {
            self.pictures = Some(PictureMaker::new(&self.gpu)?);
        }
        let (surface, faces) = joined(&snapshot.hands);
        let pixels = match &mut self.pictures {
            Some(maker) if !faces.is_empty() => {
                let surface =
                    Surface { positions: &surface.positions, normals: &surface.normals, albedo: &surface.albedo };
                maker.render(&surface, &faces, &camera, &light, mode)?
            }
            _ => vec![[0.0; 4]; (camera.width_px * camera.height_px) as usize],
        };
        Ok(ViewPicture { view, width: camera.width_px, height: camera.height_px, rgba: to_rgba8(&pixels) })
    }

    fn light_of(&self, view: usize) -> Result<[f64; LIGHT_STRIDE], PipelineError> {
        let (State::Ham { ham } | State::Done { ham: Some(ham) }) = &self.state else { return Ok(STUDIO_LIGHT) };
        let lights = ham.lights()?;
        let used: Vec<usize> = (0..lights.len()).filter(|v| ham.mask_trust()[*v].is_some()).collect();
        Ok(if used.contains(&view) { lights[view] } else { mean_light(&lights, &used) })
    }

    /// Writes result files of the present state; see [`super::FinishedRun::export`].
    ///
    /// # Errors
    /// Nothing to export yet, or a full disk.
    pub fn export(&mut self, formats: &[String], dir: Option<PathBuf>) -> Result<Vec<PathBuf>, PipelineError> {
        let (mesh, hands) = self.refined()?;
        let dir = dir.unwrap_or_else(|| self.folder.path().join("exports"));
        let request = results::ExportPlan {
            formats: formats.to_vec(),
            dir,
            frame: crate::export::Frame::Gltf,
            texture_px: 1024,
            rest_pose: false,
        };
        let (cameras, preset) = (self.cameras(), &self.options.preset_name);
        results::export(&request, hands, mesh, &cameras, &self.models, &self.joints(), preset)
    }

    /// The refined mesh as it is now, with its topology.
    fn refined(&self) -> Result<(&FineMesh, Vec<ExportHand>), PipelineError> {
        match &self.state {
            State::Ham { ham } | State::Done { ham: Some(ham) } => {
                let hands = results::export_hands(ham.mesh(), &ham.vertices()?, &self.fitted, &self.models);
                Ok((ham.mesh(), hands))
            }
            _ => Err(PipelineError::Unfinished {
                path: self.folder.path().display().to_string(),
                problem: "there is no refined mesh before the HAM stage has begun".to_owned(),
            }),
        }
    }

    /// The hands as they are now in the rest pose, ready to be posed.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] before the HAM stage, or a lost device.
    pub fn posable(&self) -> Result<Vec<PosableHand>, PipelineError> {
        let (mesh, hands) = self.refined()?;
        PosableHand::all(hands, mesh, &self.models)
    }
}

fn used_views(capture: &Capture, options: &RunOptions) -> Result<Vec<bool>, PipelineError> {
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

fn ham_snapshots(ham: &Ham, vertices: &Vertices) -> Vec<HandSnapshot> {
    ham.mesh()
        .hands
        .iter()
        .map(|hand| {
            // Loop subdivision keeps coarse vertices first: the display level is a prefix.
            let count = hand.display_faces.iter().flatten().max().map_or(0, |m| *m as usize + 1);
            let range = hand.vertices.start..hand.vertices.start + count;
            HandSnapshot {
                side: hand.side,
                faces: Arc::clone(&hand.display_faces),
                positions: vertices.positions[range.clone()].to_vec(),
                normals: vertices.normals[range.clone()].to_vec(),
                albedo: vertices.albedo[range].to_vec(),
            }
        })
        .collect()
}

/// All hands of a snapshot as one mesh.
pub(super) fn joined(hands: &[HandSnapshot]) -> (Vertices, Vec<[u32; 3]>) {
    let mut all = Vertices { positions: Vec::new(), normals: Vec::new(), albedo: Vec::new() };
    let mut faces = Vec::new();
    for hand in hands {
        let start = u32::try_from(all.positions.len()).unwrap_or(u32::MAX);
        faces.extend(hand.faces.iter().map(|f| f.map(|v| v + start)));
        all.positions.extend(&hand.positions);
        all.normals.extend(&hand.normals);
        all.albedo.extend(&hand.albedo);
    }
    (all, faces)
}
