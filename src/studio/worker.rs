//! The worker: one named thread that opens captures, owns the engine (and with it its own graphics device) and steps it.
//!
//! # What travels, and how
//! - [`Event`]s: few, ordered, none lost. The channel is bounded; when the window does not drain it (minimised, hidden),
//!   the worker keeps what does not fit in a backlog of its own and computes on, so a window can never throttle the work.
//! - [`Latest`]: newest only. Snapshots and pictures of views are overwritten, never queued.
//! - [`Control`]: atomics for pause, cancel and "a snapshot is wanted". A snapshot is made only when asked for.
//!
//! The window never waits for the worker: it only tries to receive. Dropping [`Worker`] cancels and joins; the wait is at
//! most one optimiser step. A worker that dies closes the channel, which the window reports.

use super::backend::{Backend, Engine, ExportRequest, Problem, RunRecord, RunRequest};
use super::picture::{Picture, thumbnail};
use crate::capture::Capture;
use crate::pipeline::{Advance, DISPLAY_LEVEL, PosableHand, Snapshot, Stage, StepReport};
use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use image::RgbImage;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Events that fit in the channel before the worker's own backlog takes over.
const EVENT_CAPACITY: usize = 1024;
/// Commands the window may have under way.
const COMMAND_CAPACITY: usize = 64;
/// Longest side of a thumbnail in pixels.
const THUMBNAIL_PX: u32 = 256;

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
    },
    /// A reconstruction began; where its results go.
    Started(PathBuf),
    /// One line of the loss curves.
    Step(StepReport),
    /// A stage ended; its findings in words.
    StageDone(Stage, Vec<String>),
    /// The last stage ended.
    Finished,
    /// Stopped on request.
    Stopped,
    /// Files written.
    Exported(Vec<PathBuf>),
    /// The hands at rest, at the display level.
    Posable(Arc<Vec<PosableHand>>),
    /// Something failed; the engine's last good state is kept.
    Failed(Problem),
}

/// What the window asks of the worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// Read a capture or run folder.
    Open(PathBuf),
    /// Begin a reconstruction of the opened capture.
    Start(Box<RunRequest>),
    /// Write result files.
    Export(ExportRequest),
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
}

/// Which view of which snapshot the compare panel wants to see.
#[derive(Clone, Debug)]
pub(crate) struct ViewRequest {
    /// View index.
    pub view: usize,
    /// The snapshot to render.
    pub snapshot: Arc<Snapshot>,
}

/// Flags both sides look at.
#[derive(Debug, Default)]
pub(crate) struct Control {
    paused: AtomicBool,
    cancel: AtomicBool,
    quit: AtomicBool,
    snapshot_wanted: AtomicBool,
    /// Least milliseconds between two wake-ups of the window for mere progress.
    wake_interval_ms: AtomicU64,
}

type Wake = Arc<dyn Fn() + Send + Sync>;

/// The window's handle on the worker thread.
pub(crate) struct Worker {
    commands: Sender<Command>,
    events: Receiver<Event>,
    /// Newest snapshot.
    pub snapshots: Latest<TakenSnapshot>,
    /// Newest picture of a view.
    pub pictures: Latest<Picture>,
    view_request: Latest<ViewRequest>,
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
    gone: bool,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("control", &self.control).field("gone", &self.gone).finish_non_exhaustive()
    }
}

impl Worker {
    /// Starts the thread. `wake` is called from it whenever the window should look again; for progress at most every
    /// `wake_interval`.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(crate) fn start(backend: Arc<dyn Backend>, wake: Wake, wake_interval: Duration) -> std::io::Result<Self> {
        let (commands, command_receiver) = bounded(COMMAND_CAPACITY);
        let (event_sender, events) = bounded(EVENT_CAPACITY);
        let control = Arc::new(Control {
            wake_interval_ms: AtomicU64::new(u64::try_from(wake_interval.as_millis()).unwrap_or(u64::MAX)),
            ..Control::default()
        });
        let (snapshots, pictures, view_request) = (Latest::default(), Latest::default(), Latest::default());
        let (snapshot_slot, picture_slot, request_slot) =
            (Latest::clone(&snapshots), Latest::clone(&pictures), Latest::clone(&view_request));
        let flags = Arc::clone(&control);
        // Made on the thread: an engine need not be able to move between threads.
        let run = move || {
            let inner = Inner {
                backend,
                commands: command_receiver,
                events: event_sender,
                backlog: VecDeque::new(),
                snapshots: snapshot_slot,
                pictures: picture_slot,
                view_request: request_slot,
                control: flags,
                wake,
                last_wake: None,
                capture: None,
                engine: None,
                running: false,
            };
            inner.run();
        };
        let thread = std::thread::Builder::new().name("thenar-worker".to_owned()).spawn(run)?;
        Ok(Self { commands, events, snapshots, pictures, view_request, control, thread: Some(thread), gone: false })
    }

    /// Hands a command over. False when the worker is gone or hopelessly behind (the command is dropped then).
    pub(crate) fn send(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// The next event, if there is one; [`Event::Failed`] once when the thread has died.
    pub(crate) fn try_event(&mut self) -> Option<Event> {
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) if !self.gone => {
                self.gone = true;
                Some(Event::Failed(Problem {
                    what: "The worker thread has stopped".to_owned(),
                    meaning: "What was computed so far is still shown, but nothing more can be computed.".to_owned(),
                    remedy: "Save what you need and start thenar again; the log may say why.".to_owned(),
                }))
            }
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// Pauses or goes on. Takes effect before the next step.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.control.paused.store(paused, Ordering::Release);
        self.send(Command::Poke);
    }

    /// Ends the reconstruction before its next step; the last state stays.
    pub(crate) fn cancel(&self) {
        self.control.cancel.store(true, Ordering::Release);
        self.send(Command::Poke);
    }

    /// Asks for a snapshot after the current step.
    pub(crate) fn want_snapshot(&self) {
        self.control.snapshot_wanted.store(true, Ordering::Release);
    }

    /// Asks for a picture of a view; a newer request replaces an older one.
    pub(crate) fn want_picture(&self, request: ViewRequest) {
        self.view_request.put(request);
        self.send(Command::Poke);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.control.quit.store(true, Ordering::Release);
        self.control.cancel.store(true, Ordering::Release);
        self.send(Command::Poke);
        if let Some(thread) = self.thread.take() {
            // A panic of the worker has been reported by the closed channel already.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Inner {
    backend: Arc<dyn Backend>,
    commands: Receiver<Command>,
    events: Sender<Event>,
    backlog: VecDeque<Event>,
    snapshots: Latest<TakenSnapshot>,
    pictures: Latest<Picture>,
    view_request: Latest<ViewRequest>,
    control: Arc<Control>,
    wake: Wake,
    last_wake: Option<Instant>,
    capture: Option<Arc<Capture>>,
    engine: Option<Box<dyn Engine>>,
    running: bool,
}

impl Inner {
    fn run(mut self) {
        let device = self.backend.device();
        self.tell(Event::Device(device));
        while !self.control.quit.load(Ordering::Acquire) {
            let active = self.running && !self.control.paused.load(Ordering::Acquire);
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
                if let Some(Err(error)) = self.engine.as_mut().map(|e| e.stop()) {
                    self.tell(Event::Failed(Problem::stopping(&error)));
                }
                self.tell(Event::Stopped);
            }
            if self.running && !self.control.paused.load(Ordering::Acquire) {
                self.step();
            }
            self.serve_requests();
        }
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Poke => {}
            Command::Open(path) => self.open(path),
            Command::Start(request) => self.start(&request),
            Command::Export(request) => self.export(&request),
            Command::Posable => self.posable(),
        }
    }

    fn open(&mut self, path: PathBuf) {
        self.running = false;
        self.tell(Event::Opening(path.clone()));
        match self.backend.open(&path) {
            Ok(opened) => {
                let capture = Arc::new(opened.capture);
                let thumbnails = capture.views.iter().map(|v| thumbnail(&v.image, THUMBNAIL_PX)).collect();
                self.engine = opened.engine;
                let has_engine = self.engine.is_some();
                self.capture = Some(Arc::clone(&capture));
                self.tell(Event::Opened { capture, thumbnails, run: opened.run.map(Box::new), has_engine });
            }
            Err(error) => self.tell(Event::Failed(Problem::opening(&path, &error))),
        }
    }

    fn start(&mut self, request: &RunRequest) {
        self.running = false;
        // The old engine's device memory is freed before the new one asks for its own.
        self.engine = None;
        self.control.cancel.store(false, Ordering::Release);
        self.control.paused.store(false, Ordering::Release);
        match self.backend.start(request) {
            Ok(started) => {
                self.engine = Some(started.engine);
                self.capture = Some(Arc::clone(&request.capture));
                self.running = true;
                self.tell(Event::Started(started.run_dir));
            }
            Err(error) => self.tell(Event::Failed(Problem::starting(&error))),
        }
    }

    fn export(&mut self, request: &ExportRequest) {
        let Some(engine) = &mut self.engine else {
            self.tell(Event::Failed(Problem {
                what: "There is nothing to export".to_owned(),
                meaning: "No reconstruction has been started in this window.".to_owned(),
                remedy: "Reconstruct first, or use `thenar export RUN` on a finished run.".to_owned(),
            }));
            return;
        };
        match engine.export(request) {
            Ok(files) => self.tell(Event::Exported(files)),
            Err(error) => self.tell(Event::Failed(Problem::exporting(&error))),
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

    fn step(&mut self) {
        let Some(engine) = &mut self.engine else {
            self.running = false;
            return;
        };
        match engine.advance() {
            Ok(Advance::Working) => {}
            Ok(Advance::Stepped(report)) => {
                self.push(Event::Step(report));
                self.wake_for_progress();
            }
            Ok(Advance::StageDone(stage, findings)) => {
                self.take_snapshot();
                self.tell(Event::StageDone(stage, findings));
            }
            Ok(Advance::Finished) => {
                self.running = false;
                self.take_snapshot();
                self.tell(Event::Finished);
            }
            Err(error) => {
                self.running = false;
                self.tell(Event::Failed(Problem::computing(&error)));
            }
        }
    }

    fn serve_requests(&mut self) {
        if self.control.snapshot_wanted.swap(false, Ordering::AcqRel) {
            self.take_snapshot();
        }
        let Some(request) = self.view_request.take() else { return };
        let (Some(engine), Some(capture)) = (&mut self.engine, &self.capture) else { return };
        let started = Instant::now();
        match engine.render_view(&request.snapshot, request.view) {
            Ok(rendered) => {
                let view = capture.views.get(request.view);
                self.pictures.put(Picture::new(rendered, view, request.snapshot.step, started.elapsed()));
                (self.wake)();
            }
            Err(error) => self.tell(Event::Failed(Problem::rendering(&error))),
        }
    }

    fn take_snapshot(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        let started = Instant::now();
        match engine.snapshot() {
            Ok(snapshot) => {
                self.snapshots.put(TakenSnapshot { snapshot: Arc::new(snapshot), cost: started.elapsed() });
                self.wake_for_progress();
            }
            Err(error) => self.tell(Event::Failed(Problem::rendering(&error))),
        }
    }

    /// Queues an event and wakes the window at once.
    fn tell(&mut self, event: Event) {
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

#[cfg(test)]
mod tests {
    use super::super::testing::{MorphBackend, test_capture};
    use super::*;

    fn until(worker: &mut Worker, mut done: impl FnMut(&Event) -> bool) -> Vec<Event> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut seen = Vec::new();
        while Instant::now() < deadline {
            match worker.try_event() {
                Some(event) => {
                    let stop = done(&event);
                    seen.push(event);
                    if stop {
                        return seen;
                    }
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        panic!("the expected event never came; saw {seen:?}");
    }

    fn request(capture: Capture) -> Box<RunRequest> {
        Box::new(RunRequest::new(Arc::new(capture), "draft"))
    }

    fn worker(backend: MorphBackend) -> Worker {
        Worker::start(Arc::new(backend), Arc::new(|| {}), Duration::from_millis(10)).expect("a thread")
    }

    #[test]
    fn every_step_arrives_in_order_even_when_nobody_drains_the_channel() {
        let mut worker = worker(MorphBackend { steps: 3000, ..MorphBackend::default() });
        assert!(worker.send(Command::Start(request(test_capture(3)))), "the worker takes commands");
        // Longer than the channel: the worker must finish without us.
        std::thread::sleep(Duration::from_millis(300));
        let events = until(&mut worker, |e| matches!(e, Event::Finished));
        let steps: Vec<f64> =
            events.iter().filter_map(|e| if let Event::Step(s) = e { Some(s.t) } else { None }).collect();
        assert!(steps.len() > EVENT_CAPACITY, "more steps than fit: {}", steps.len());
        assert!(steps.windows(2).all(|w| w[0] < w[1]), "in order, none lost or doubled");
        assert_eq!(steps.len(), 3000, "each step once");
    }

    #[test]
    fn pausing_stops_stepping_and_cancelling_says_so() {
        let mut worker =
            worker(MorphBackend { steps: 1_000_000, step_time: Duration::from_millis(1), ..MorphBackend::default() });
        worker.send(Command::Start(request(test_capture(2))));
        until(&mut worker, |e| matches!(e, Event::Step(_)));
        worker.set_paused(true);
        std::thread::sleep(Duration::from_millis(50));
        while worker.try_event().is_some() {}
        std::thread::sleep(Duration::from_millis(50));
        assert!(worker.try_event().is_none(), "nothing happens while paused");
        worker.want_snapshot();
        worker.set_paused(true);
        let deadline = Instant::now() + Duration::from_secs(5);
        while worker.snapshots.take().is_none() {
            assert!(Instant::now() < deadline, "snapshots are served while paused");
            std::thread::sleep(Duration::from_millis(2));
        }
        worker.set_paused(false);
        until(&mut worker, |e| matches!(e, Event::Step(_)));
        worker.cancel();
        until(&mut worker, |e| matches!(e, Event::Stopped));
        std::thread::sleep(Duration::from_millis(20));
        assert!(worker.try_event().is_none(), "no step after the stop");
    }

    #[test]
    fn a_failing_step_keeps_the_worker_alive_and_a_dead_worker_is_reported_once() {
        let mut worker = worker(MorphBackend { steps: 50, fail_at: Some(10), ..MorphBackend::default() });
        worker.send(Command::Start(request(test_capture(2))));
        let events = until(&mut worker, |e| matches!(e, Event::Failed(_)));
        assert_eq!(events.iter().filter(|e| matches!(e, Event::Step(_))).count(), 9, "steps before the failure arrive");
        worker.send(Command::Open("nowhere".into()));
        until(&mut worker, |e| matches!(e, Event::Failed(p) if p.what.contains("nowhere")));

        let mut worker = self::worker(MorphBackend { steps: 50, panic_at: Some(3), ..MorphBackend::default() });
        worker.send(Command::Start(request(test_capture(2))));
        until(&mut worker, |e| matches!(e, Event::Failed(p) if p.what.contains("worker thread")));
        assert!(worker.try_event().is_none(), "the death is told once");
    }

    #[test]
    fn a_requested_picture_carries_its_step_and_its_score() {
        let mut worker = worker(MorphBackend { steps: 20, ..MorphBackend::default() });
        let capture = test_capture(2);
        worker.send(Command::Start(request(capture)));
        until(&mut worker, |e| matches!(e, Event::Finished));
        let taken = worker.snapshots.take().expect("the end leaves a snapshot");
        worker.want_picture(ViewRequest { view: 1, snapshot: Arc::clone(&taken.snapshot) });
        let deadline = Instant::now() + Duration::from_secs(10);
        let picture = loop {
            if let Some(picture) = worker.pictures.take() {
                break picture;
            }
            assert!(Instant::now() < deadline, "the picture comes");
            std::thread::sleep(Duration::from_millis(2));
        };
        assert_eq!((picture.view, picture.step), (1, taken.snapshot.step), "it says what it shows");
        assert!(picture.psnr_db.is_some_and(|p| p > 5.0 && p < 99.0), "and how well: {:?}", picture.psnr_db);
    }
}
