//! The worker's own side: commands in, one step after another, news out.

use super::Wake;
use super::channel::{Command, Control, Event, Latest, NetworkFrame, NetworkRequest, TakenSnapshot, ViewRequest};
use super::doctor::Doctor;
use crate::capture::{Capture, CaptureError, Edits, OpenOptions, View};
use crate::export::{ExportError, atomic};
use crate::pipeline::{Advance, DETECTION, DISPLAY_LEVEL, Snapshot};
use crate::studio::backend::{Backend, Engine, ExportJob, ExportRequest, Started};
use crate::studio::picture::{Picture, thumbnail};
use crate::studio::problem::Problem;
use crate::studio::session::project;
use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Longest side of a thumbnail in pixels.
const THUMBNAIL_PX: u32 = 256;
/// A call that takes longer is told of in the log for developers: a pause waits for it.
const LONG: Duration = Duration::from_millis(100);

/// The thread's side.
pub(super) struct Inner {
    pub(super) doctor: Doctor,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) commands: Receiver<Command>,
    pub(super) events: Sender<Event>,
    /// To the thread that writes files.
    pub(super) exports: Sender<ExportJob>,
    pub(super) backlog: VecDeque<Event>,
    pub(super) snapshots: Latest<TakenSnapshot>,
    pub(super) pictures: Latest<Picture>,
    pub(super) view_request: Latest<ViewRequest>,
    pub(super) network_request: Latest<NetworkRequest>,
    pub(super) network_frames: Latest<Result<NetworkFrame, String>>,
    pub(super) control: Arc<Control>,
    pub(super) wake: Wake,
    pub(super) last_wake: Option<Instant>,
    pub(super) capture: Option<Arc<Capture>>,
    pub(super) engine: Option<Box<dyn Engine>>,
    /// What the user had changed of the capture for that engine.
    pub(super) edits: Arc<Edits>,
    pub(super) running: bool,
    /// The window knows that a pause was heard.
    pub(super) held: bool,
    /// The run under way is to train its network.
    pub(super) neural: bool,
    /// When the device was lost the last time.
    pub(super) lost_device: Option<Instant>,
    /// The run that `engine` steps or has stepped.
    pub(super) run_dir: Option<PathBuf>,
}

impl Inner {
    pub(super) fn run(mut self) {
        let device = self.backend.device();
        self.tell(Event::Device(device));
        while !self.control.quit.load(Ordering::Acquire) {
            let active = self.running && !self.control.paused.load(Ordering::Acquire);
            self.note_pause();
            let command = if active {
                match self.commands.try_recv() {
                    Ok(command) => Some(command),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                }
            } else if self.backlog.is_empty() {
                match self.commands.recv() {
                    Ok(command) => Some(command),
                    Err(_) => return,
                }
            } else {
                self.commands.recv_timeout(Duration::from_millis(50)).ok()
            };
            self.flush();
            if let Some(command) = command {
                self.handle(command);
            }
            if self.running && self.control.cancel.swap(false, Ordering::AcqRel) {
                self.running = false;
                self.take_snapshot();
                let saved = self.engine.as_mut().map_or(Ok(()), |e| e.stop());
                self.tell(Event::Stopped { resumable: saved.is_ok() });
                if let Err(error) = saved {
                    self.tell(Event::Failed(Problem::stopping(&error)));
                }
            }
            if self.running && self.control.begin_step() {
                self.step();
                self.control.end_step();
                // Pictures may take longer than a step: they are no reason to call the run not paused.
                self.note_pause();
            }
            self.serve_requests();
        }
        // The window is gone; what was to be kept is kept.
        while let Ok(command) = self.commands.try_recv() {
            if matches!(command, Command::SaveProject(_) | Command::SaveSettings { .. } | Command::SaveText { .. }) {
                self.handle(command);
            }
        }
    }

    /// Tells the window once that a pause was heard: no step is under way.
    fn note_pause(&mut self) {
        let paused = self.control.paused.load(Ordering::Acquire);
        if self.running && self.held != paused {
            self.held = paused;
            if paused {
                self.tell(Event::Held(Instant::now()));
            }
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Poke => {}
            Command::Open(path, options) => self.open(path, *options),
            Command::Start(request) => {
                self.doctor.examine_for(&request);
                let started = self.made_room().start(&request);
                self.edits = Arc::clone(&request.edits);
                self.neural = request.neural;
                self.begin(&request.capture, started, false);
            }
            Command::Resume(request) => {
                self.neural = request.neural;
                let started = self.made_room().resume(&request);
                self.begin(&request.capture, started, true);
            }
            Command::Export(request, of) => self.export(&request, of.as_deref()),
            Command::Change { key, value } => self.change(key, value),
            Command::Posable => self.posable(),
            Command::SaveText { path, text } => match save(&path, &text) {
                Ok(()) => self.tell(Event::Exported(vec![path])),
                Err(error) => self.tell(Event::ExportFailed(Problem::exporting(&error.into()))),
            },
            Command::SaveSettings { path, text } => {
                // Settings that are not kept are no reason to disturb anybody.
                if let Err(error) = save(&path, &text) {
                    tracing::warn!("{error}; the layout is not remembered");
                }
            }
            Command::SaveProject(wanted) => {
                let saved = project::write(&wanted).map(|()| wanted.path);
                self.tell(Event::ProjectSaved(saved));
            }
        }
    }

    fn open(&mut self, path: PathBuf, options: OpenOptions) {
        self.running = false;
        self.tell(Event::Opening(path.clone()));
        match self.backend.open(&path, &options) {
            Ok(opened) => {
                let capture = Arc::new(opened.capture);
                let thumbnails = capture.views.iter().map(|v| thumbnail(&v.image, THUMBNAIL_PX)).collect();
                self.engine = opened.engine;
                let has_engine = self.engine.is_some();
                self.run_dir = opened.run.as_ref().map(|r| r.dir.clone());
                self.edits = opened.run.as_ref().map(|r| Arc::clone(&r.edits)).unwrap_or_default();
                self.capture = Some(Arc::clone(&capture));
                let results = self.backend.results_folder(&capture);
                let run = opened.run.map(Box::new);
                let examined = Arc::clone(&capture);
                self.doctor.forget();
                let run_dir = self.run_dir.clone();
                let edits = project::place(run_dir.as_deref(), &results).and_then(|path| project::read(&path));
                self.tell(Event::Opened { capture, thumbnails, run, has_engine, results });
                if let Some(sequence) = opened.sequence {
                    self.tell(Event::Sequence(sequence));
                }
                if let Some(edits) = edits {
                    self.tell(Event::Project(edits));
                }
                self.tell_views();
                self.doctor.examine_opened(examined, run_dir.as_deref());
            }
            Err(error) => {
                let problem = Problem::opening(&path, &error);
                // Neither a wrong path nor a run folder can be read in another way.
                let is_capture = path.is_dir() && !path.join("run.ron").exists();
                self.tell(if is_capture && error.is::<CaptureError>() {
                    Event::Refused { path, options, problem }
                } else {
                    Event::Failed(problem)
                });
            }
        }
    }

    /// The backend, after the old engine's device memory was freed: the new one asks for its own.
    fn made_room(&mut self) -> Arc<dyn Backend> {
        self.running = false;
        self.engine = None;
        self.control.cancel.store(false, Ordering::Release);
        self.control.paused.store(false, Ordering::Release);
        Arc::clone(&self.backend)
    }

    pub(super) fn begin(&mut self, capture: &Arc<Capture>, started: anyhow::Result<Started>, resumed: bool) {
        match started {
            Ok(Started { engine, run_dir, steps }) => {
                self.engine = Some(engine);
                self.run_dir = Some(run_dir.clone());
                self.capture = Some(Arc::clone(capture));
                self.running = true;
                self.tell(Event::Started { run_dir, steps });
                self.tell_keypoints();
                self.tell_views();
            }
            // What could be resumed before still can be, once the cause is mended.
            Err(error) => {
                let problem = if resumed { Problem::resuming(&error) } else { Problem::starting(&error) };
                self.tell(Event::RunFailed { problem, resumable: resumed });
            }
        }
    }

    fn tell_views(&mut self) {
        if let Some(engine) = &self.engine {
            let views = engine.views();
            self.tell(Event::Views(views));
        }
    }

    fn export(&mut self, request: &ExportRequest, of: Option<&Snapshot>) {
        let Some(engine) = &mut self.engine else {
            self.tell(Event::ExportFailed(Problem {
                what: "There is nothing to export".to_owned(),
                meaning: "No reconstruction has been started in this window.".to_owned(),
                remedy: "Reconstruct first, or use `thenar export RUN` on a finished run.".to_owned(),
            }));
            return;
        };
        let job = match of {
            Some(snapshot) => engine.export_step(request, snapshot),
            None => engine.export(request),
        };
        match job {
            Ok(job) => {
                if self.exports.try_send(job).is_err() {
                    let error = anyhow::anyhow!("too many exports are waiting for their turn");
                    self.tell(Event::ExportFailed(Problem::exporting(&error)));
                }
            }
            Err(error) => self.tell(Event::ExportFailed(Problem::exporting(&error))),
        }
    }

    fn change(&mut self, key: String, value: f64) {
        let Some(engine) = self.engine.as_mut().filter(|_| self.running) else { return };
        match engine.change(&key, value) {
            Ok(effective) => self.tell(Event::Changed { key, value, effective }),
            Err(error) => self.tell(Event::Failed(Problem::changing(&key, &error))),
        }
    }

    fn posable(&mut self) {
        let Some(engine) = &mut self.engine else {
            self.tell(Event::Failed(Problem::posing(&anyhow::anyhow!("there is no mesh yet"))));
            return;
        };
        match engine.posable() {
            Ok(hands) => {
                let hands = hands.iter().map(|h| h.at_level(DISPLAY_LEVEL)).collect();
                self.tell(Event::Posable(Arc::new(hands)));
            }
            Err(error) => self.tell(Event::Failed(Problem::posing(&error))),
        }
    }

    /// What the run has found in the images, if that is where it looks for keypoints.
    fn tell_keypoints(&mut self) {
        if let Some(keypoints) = self.engine.as_ref().and_then(|engine| engine.detected_keypoints()) {
            self.push(Event::Keypoints(keypoints));
        }
    }

    /// How fast it goes, for the developer panel.
    fn tell_pace(&mut self) {
        let pace = self.engine.as_ref().map(|engine| engine.pace()).unwrap_or_default();
        if !pace.is_empty() {
            self.push(Event::Pace(pace));
        }
    }

    fn step(&mut self) {
        let Some(engine) = &mut self.engine else {
            self.running = false;
            return;
        };
        let began = Instant::now();
        let advanced = engine.advance();
        if began.elapsed() > LONG {
            let what = match &advanced {
                Ok(Advance::Stepped(report)) => format!("{} {} {}", report.stage.name(), report.phase, report.iter),
                other => format!("{other:?}"),
            };
            tracing::debug!("a call took {} ms: {what}", began.elapsed().as_millis());
        }
        match advanced {
            Ok(Advance::Working) => {}
            Ok(Advance::Stepped(report)) => {
                if report.phase == DETECTION {
                    self.tell_keypoints();
                }
                self.push(Event::Step(report));
                self.tell_pace();
                self.wake_for_progress();
            }
            Ok(Advance::StageDone(stage, findings)) => {
                self.take_snapshot();
                self.tell(Event::StageDone(stage, findings));
                self.tell_views();
            }
            Ok(Advance::Finished) => {
                self.running = false;
                self.take_snapshot();
                self.tell_views();
                self.tell(Event::Finished);
            }
            Err(error) => self.on_failed_step(&error),
        }
    }

    fn serve_requests(&mut self) {
        if self.control.snapshot_wanted.swap(false, Ordering::AcqRel) {
            self.take_snapshot();
        }
        if let Some(request) = self.network_request.take() {
            self.serve_network(&request);
        }
        let Some(request) = self.view_request.take() else { return };
        let (Some(engine), Some(capture)) = (&mut self.engine, &self.capture) else { return };
        let started = Instant::now();
        match engine.render_view(&request.snapshot, request.view, request.look) {
            Ok(rendered) => {
                let view = capture.views.get(request.view).map(|view| with_edited_mask(view, &self.edits));
                let of = (request.snapshot.step, request.look);
                let mut picture = Picture::new(rendered, view.as_deref(), of, started.elapsed(), !self.running);
                picture.cost = started.elapsed();
                self.pictures.put(picture);
                (self.wake)();
            }
            Err(error) => self.tell(Event::Failed(Problem::rendering(&error))),
        }
    }

    /// A picture by the network for the 3D view; an error is an answer too, and the window shows the mesh.
    fn serve_network(&mut self, request: &NetworkRequest) {
        let Some(engine) = &mut self.engine else { return };
        let started = Instant::now();
        let made = engine.render_network(&request.camera, request.poses.as_deref());
        let (width, height) = (request.camera.width_px, request.camera.height_px);
        let made = made.map(|rgba| NetworkFrame { width, height, rgba, cost: started.elapsed() });
        self.network_frames.put(made.map_err(|error| format!("{error:#}")));
        (self.wake)();
    }

    fn take_snapshot(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        let started = Instant::now();
        match engine.snapshot() {
            Ok(snapshot) => {
                let (cost, device_bytes) = (started.elapsed(), engine.device_bytes());
                self.snapshots.put(TakenSnapshot { snapshot: Arc::new(snapshot), cost, device_bytes });
                self.wake_for_progress();
            }
            Err(error) => self.tell(Event::Failed(Problem::rendering(&error))),
        }
    }

    /// Queues an event and wakes the window at once.
    pub(super) fn tell(&mut self, event: Event) {
        self.push(event);
        self.last_wake = Some(Instant::now());
        (self.wake)();
    }

    fn push(&mut self, event: Event) {
        self.backlog.push_back(event);
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(event) = self.backlog.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.backlog.push_front(event);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }

    fn wake_for_progress(&mut self) {
        let interval = Duration::from_millis(self.control.wake_interval_ms.load(Ordering::Relaxed));
        if self.last_wake.is_none_or(|at| at.elapsed() >= interval) {
            self.last_wake = Some(Instant::now());
            (self.wake)();
        }
    }
}
/// The view with the mask that its run sees, which its pictures are held against.
fn with_edited_mask<'a>(view: &'a View, edits: &Edits) -> Cow<'a, View> {
    match edits.view(&view.name).and_then(|edits| edits.mask.as_ref()) {
        Some(mask) => Cow::Owned(View { mask: Some(mask.image()), ..view.clone() }),
        None => Cow::Borrowed(view),
    }
}

/// Writes a text whole, or not at all; makes its folder.
fn save(path: &Path, text: &str) -> Result<(), ExportError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(ExportError::io(folder))?;
    }
    atomic::write(path, text.as_bytes())
}
