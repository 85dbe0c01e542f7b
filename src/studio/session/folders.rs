//! Folders that are chosen: in a dialog, or typed where the machine has none.

use super::{Effect, Folder, Session};
use crate::studio::problem::Problem;
use std::path::{Path, PathBuf};

impl Session {
    /// No dialog could be shown: says what is missing and lets the folder be typed.
    pub(crate) fn on_no_dialog(&mut self, what: Folder) {
        self.show_problem(Problem::no_dialog());
        self.typed = Some((what, String::new()));
    }

    /// The desktop could not show a folder.
    pub(crate) fn on_not_revealed(&mut self, folder: &Path) {
        self.show_problem(Problem::revealing(folder));
    }

    pub(super) fn take_folder(&mut self, what: Folder, folder: PathBuf) -> Option<Effect> {
        if self.typed.take().is_some() {
            self.banner = None;
        }
        match what {
            Folder::Capture => return self.open(folder),
            Folder::Export => self.ui.export_dir = Some(folder),
            Folder::Results => self.results = Some(folder),
            Folder::Hand => self.hand.use_folder(folder),
        }
        None
    }
}
