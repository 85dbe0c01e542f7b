//! The window's hands outside: the worker, the folder dialogs, and what an action asks of them.

use super::backend::Backend;
use super::fonts;
use super::session::{self, Action, Effect, Session};
use super::viewport;
use super::worker::Worker;
use bevy::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// The worker and the dialogs.
pub(super) struct Link {
    pub(super) worker: Worker,
    folders: mpsc::Receiver<Picked>,
    folder_sender: mpsc::SyncSender<Picked>,
    dialog_open: bool,
    fonts: Option<mpsc::Receiver<egui::epaint::text::FontInsert>>,
}

enum Picked {
    Capture(Option<PathBuf>),
    Export(Option<PathBuf>),
    Results(Option<PathBuf>),
    Hand(Option<PathBuf>),
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
        let worker = Worker::start(backend, wake, interval)?;
        let (folder_sender, folders) = mpsc::sync_channel(4);
        Ok(LinkCell(std::sync::Mutex::new(Self { worker, folders, folder_sender, dialog_open: false, fonts })))
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
        while let Ok(picked) = self.folders.try_recv() {
            self.dialog_open = false;
            changed = true;
            match picked {
                Picked::Capture(Some(path)) => actions.push(Action::Open(path)),
                Picked::Results(Some(path)) => actions.push(Action::SetResults(Some(path))),
                Picked::Export(Some(path)) => session.ui.export_dir = Some(path),
                Picked::Hand(Some(path)) => session.hand.use_folder(path),
                Picked::Capture(None) | Picked::Export(None) | Picked::Results(None) | Picked::Hand(None) => {}
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
            Effect::Pause(paused) => self.worker.set_paused(paused),
            Effect::Cancel => self.worker.cancel(),
            Effect::OpenDialog => self.dialog("Open a capture or run folder", Picked::Capture),
            Effect::ExportDialog => self.dialog("Export to", Picked::Export),
            Effect::ResultsDialog => self.dialog("Write runs into", Picked::Results),
            Effect::HandFolderDialog => self.dialog("Folder with MANO_RIGHT.pkl", Picked::Hand),
            Effect::FlyTo(view) => viewport::fly_to(motion, scene, session, view),
            Effect::Frame(what) => viewport::frame(motion, scene, session, what),
        }
    }

    /// Shows a folder dialog on a thread of its own; the answer comes with the news.
    fn dialog(&mut self, title: &str, picked: fn(Option<PathBuf>) -> Picked) {
        if self.dialog_open {
            return;
        }
        let dialog = rfd::AsyncFileDialog::new().set_title(title).pick_folder();
        let sender = self.folder_sender.clone();
        let thread = std::thread::Builder::new().name("thenar-dialog".to_owned()).spawn(move || {
            let folder = pollster::block_on(dialog).map(|f| f.path().to_owned());
            // The window may be gone by now.
            let _ = sender.send(picked(folder));
        });
        self.dialog_open = thread.is_ok();
    }
}
