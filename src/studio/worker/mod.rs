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
//!
//! The thread lowers its own priority first of all ([`priority`]), so that the window comes first where both compute on the
//! same processor. Exported files are written by a thread of normal priority ([`exporter`]), for somebody waits for them.

mod channel;
mod doctor;
mod exporter;
mod priority;
mod thread;
mod trouble;

#[cfg(test)]
mod tests;

pub(crate) use channel::{Command, Event, Latest, NetworkFrame, NetworkRequest, TakenSnapshot, ViewRequest};

use super::backend::Backend;
use super::picture::Picture;
use super::problem::Problem;
use channel::Control;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use doctor::Doctor;
use exporter::Exporter;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use thread::Inner;

/// Events that fit in the channel before the worker's own backlog takes over.
const EVENT_CAPACITY: usize = 1024;
/// Commands the window may have under way.
const COMMAND_CAPACITY: usize = 64;

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
    /// Newest picture by the network, or why there is none.
    pub network_frames: Latest<Result<NetworkFrame, String>>,
    network_request: Latest<NetworkRequest>,
    control: Arc<Control>,
    thread: Option<JoinHandle<()>>,
    exporter: Exporter,
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
        let (network_frames, network_request) = (Latest::default(), Latest::default());
        let (frame_slot, look_slot) = (Latest::clone(&network_frames), Latest::clone(&network_request));
        let (exporter, exports) = Exporter::start(Arc::clone(&wake))?;
        let flags = Arc::clone(&control);
        // Made on the thread: an engine need not be able to move between threads.
        let run = move || {
            priority::give_way_to_the_window();
            let doctor = Doctor::new(event_sender.clone(), Arc::clone(&wake));
            let inner = Inner {
                doctor,
                backend,
                commands: command_receiver,
                events: event_sender,
                exports,
                backlog: VecDeque::new(),
                snapshots: snapshot_slot,
                pictures: picture_slot,
                view_request: request_slot,
                network_request: look_slot,
                network_frames: frame_slot,
                control: flags,
                wake,
                last_wake: None,
                capture: None,
                engine: None,
                run_dir: None,
                edits: Arc::default(),
                running: false,
                held: false,
                neural: false,
                lost_device: None,
            };
            inner.run();
        };
        let thread = std::thread::Builder::new().name("thenar-worker".to_owned()).spawn(run)?;
        Ok(Self {
            commands,
            events,
            snapshots,
            pictures,
            view_request,
            network_frames,
            network_request,
            control,
            thread: Some(thread),
            exporter,
            gone: false,
        })
    }

    /// Hands a command over. False when the worker is gone or hopelessly behind (the command is dropped then).
    pub(crate) fn send(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// The next event, if there is one; [`Event::RunFailed`] once when the thread has died.
    pub(crate) fn try_event(&mut self) -> Option<Event> {
        if let Some(event) = self.exporter.try_answer() {
            return Some(event);
        }
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) if !self.gone => {
                self.gone = true;
                let problem = Problem {
                    what: "The worker thread has stopped".to_owned(),
                    meaning: "What was computed so far is still shown, but nothing more can be computed.".to_owned(),
                    remedy: "Start thenar again and open the run folder to go on; the log may say why.".to_owned(),
                };
                Some(Event::RunFailed { problem, resumable: false })
            }
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// Pauses or goes on. Takes effect before the next step; true if a pause holds at once, since none is under way.
    pub(crate) fn set_paused(&self, paused: bool) -> bool {
        let holds = self.control.pause(paused);
        self.send(Command::Poke);
        holds
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

    /// Asks for a picture by the network; a newer request replaces an older one.
    pub(crate) fn want_network(&self, request: NetworkRequest) {
        self.network_request.put(request);
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
