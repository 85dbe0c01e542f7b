//! The window's hands outside: the worker, the folder dialogs, and what an action asks of them.

use super::backend::Backend;
use super::errands::{self, Errand, Found};
use super::session::{self, Action, Effect, Folder, Session};
use super::viewport;
use super::worker::{self, Command, Worker};
use super::{dialogs, fonts};
use bevy::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// The worker and the dialogs.
pub(super) struct Link {
    pub(super) worker: Worker,
    answers: mpsc::Receiver<Answer>,
    sender: mpsc::SyncSender<Answer>,
    wake: Arc<dyn Fn() + Send + Sync>,
    dialog_open: bool,
    fonts: Option<mpsc::Receiver<egui::epaint::text::FontInsert>>,
}

/// What a thread of the link's has to say.
enum Answer {
    /// A folder was chosen.
    Picked(Folder, PathBuf),
    /// The dialog was closed.
    Cancelled,
    /// No dialog could be shown.
    NoDialog(Folder),
    /// A folder is shown.
    Revealed,
    /// No file manager could be started.
    NotRevealed(PathBuf),
    /// An errand has found something.
    Found(Found),
}

/// The link holds receivers that are not `Sync`; each system locks it for its turn, nobody else ever holds it.
#[derive(Resource)]
pub(super) struct LinkCell(std::sync::Mutex<Link>);

impl LinkCell {
    pub(super) fn get(&mut self) -> &mut Link {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Link {
    /// Starts the worker; `wake` makes the window look again.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(super) fn start(
        backend: Arc<dyn Backend>,
        wake: Arc<dyn Fn() + Send + Sync>,
        interval: Duration,
    ) -> std::io::Result<LinkCell> {
        let fonts = fonts::look_for_cjk(Arc::clone(&wake));
        let worker = Worker::start(backend, Arc::clone(&wake), interval)?;
        let (sender, answers) = mpsc::sync_channel(16);
        Ok(LinkCell(std::sync::Mutex::new(Self { worker, answers, sender, wake, dialog_open: false, fonts })))
    }

    /// Takes in what the worker and the dialogs have to say; true when there was something.
    pub(super) fn take_news(&mut self, session: &mut Session, actions: &mut Vec<Action>) -> bool {
        let mut changed = false;
        while let Some(event) = self.worker.try_event() {
            session.on_event(event);
            changed = true;
        }
        if let Some(taken) = self.worker.snapshots.take() {
            session.on_snapshot(taken);
            changed = true;
        }
        if let Some(picture) = self.worker.pictures.take() {
            session.on_picture(picture);
            changed = true;
        }
        if let Some(made) = self.worker.network_frames.take() {
            session.on_network(made);
            changed = true;
        }
        while let Ok(answer) = self.answers.try_recv() {
            changed = true;
            self.dialog_open &= matches!(answer, Answer::Revealed | Answer::NotRevealed(_) | Answer::Found(_));
            match answer {
                Answer::Picked(what, folder) => actions.push(Action::Take(what, folder)),
                Answer::NoDialog(what) => session.on_no_dialog(what),
                Answer::NotRevealed(folder) => session.on_not_revealed(&folder),
                Answer::Found(found) => actions.extend(session.on_found(found)),
                Answer::Cancelled | Answer::Revealed => {}
            }
        }
        changed
    }

    /// Asks for what is to be shown next.
    pub(super) fn ask(&self, session: &mut Session) {
        if session.wants_snapshot() {
            self.worker.want_snapshot();
        }
        if let Some(request) = session.wants_picture() {
            self.worker.want_picture(request);
        }
        if let Some(request) = session.wants_network() {
            self.worker.want_network(request);
        }
        if let Some(change) = session.wants_change_told() {
            self.worker.send(change);
        }
        if let Some(Effect::Send(order)) = session.wants_frame() {
            self.worker.send(order);
        }
        while let Some(errand) = session.next_errand() {
            self.run_errand(errand);
        }
        self.save(session);
    }

    /// Has written down what is kept between starts.
    pub(super) fn save(&self, session: &mut Session) {
        if let Some(saved) = session.wants_project_saved() {
            self.worker.send(Command::SaveProject(saved));
        }
        if let Some((path, text)) = session.wants_settings_saved() {
            self.worker.send(Command::SaveSettings { path, text });
        }
    }

    /// The font for letters that the embedded ones lack, once, when it has been found.
    pub(super) fn found_font(&mut self) -> Option<egui::epaint::text::FontInsert> {
        match self.fonts.as_ref()?.try_recv() {
            Ok(font) => {
                self.fonts = None;
                Some(font)
            }
            Err(mpsc::TryRecvError::Empty) => None,
            Err(mpsc::TryRecvError::Disconnected) => {
                self.fonts = None;
                None
            }
        }
    }

    /// Does outside of the session what an action asks for.
    pub(super) fn carry_out(
        &mut self,
        effect: Effect,
        session: &mut Session,
        motion: &mut viewport::Motion,
        scene: &viewport::Scene,
    ) {
        match effect {
            Effect::Send(order) => {
                if !self.worker.send(order) {
                    session.note(session::Level::Error, "The worker does not answer; try again");
                }
            }
            Effect::Pause(paused) => {
                // The worker may be at a picture, which is no reason to wait.
                if self.worker.set_paused(paused) {
                    session.on_event(worker::Event::Held(Instant::now()));
                }
            }
            Effect::GoOnWith(changes) => {
                for change in changes {
                    self.worker.send(change);
                }
                self.worker.set_paused(false);
            }
            Effect::Cancel => self.worker.cancel(),
            Effect::OpenDialog => self.dialog("Open a capture or run folder", Folder::Capture),
            Effect::ExportDialog => self.dialog("Export to", Folder::Export),
            Effect::ResultsDialog => self.dialog("Write runs into", Folder::Results),
            Effect::HandFolderDialog => self.dialog("Folder with MANO_RIGHT.pkl", Folder::Hand),
            Effect::Reveal(folder) => self.reveal(folder),
            Effect::FlyTo(view) => viewport::fly_to(motion, scene, session, view),
            Effect::Frame(what) => viewport::frame(motion, scene, session, what),
        }
    }

    /// Shows a folder dialog on a thread of its own; the answer comes with the news.
    fn dialog(&mut self, title: &str, what: Folder) {
        if self.dialog_open {
            return;
        }
        let asked = Instant::now();
        let dialog = rfd::AsyncFileDialog::new().set_title(title).pick_folder();
        self.dialog_open = self.aside("thenar-dialog", move || match pollster::block_on(dialog) {
            Some(folder) => Answer::Picked(what, folder.path().to_owned()),
            None if dialogs::was_shown(asked.elapsed()) => Answer::Cancelled,
            None => Answer::NoDialog(what),
        });
    }

    /// Shows a folder in the file manager.
    fn reveal(&self, folder: PathBuf) {
        self.aside("thenar-reveal", move || {
            if dialogs::reveal(&folder) { Answer::Revealed } else { Answer::NotRevealed(folder) }
        });
    }

    /// Sends somebody to the disk; what is found comes with the news.
    fn run_errand(&self, errand: Errand) {
        let (sender, wake) = (self.sender.clone(), Arc::clone(&self.wake));
        let run = move || {
            errands::run(errand, &mut |found| {
                // The window may be gone by now.
                let _ = sender.send(Answer::Found(found));
                wake();
            });
        };
        if let Err(error) = std::thread::Builder::new().name("thenar-errand".to_owned()).spawn(run) {
            tracing::warn!("no thread can be started: {error}");
        }
    }

    /// Does something that may take long on a thread of its own; false when there is none to be had.
    fn aside(&self, name: &str, work: impl FnOnce() -> Answer + Send + 'static) -> bool {
        let (sender, wake) = (self.sender.clone(), Arc::clone(&self.wake));
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // The window may be gone by now.
            let _ = sender.send(work());
            wake();
        });
        thread.is_ok()
    }
}
