//! What the window remembers between starts: its layout and how the views are judged. Kept in the user's folder for settings;
//! a file that cannot be read or written only means that nothing is remembered.

use super::docks::Docks;
use super::session::Measure;
use super::ui_state::{Arrangement, Shading, UiState};
use crate::files::UserFolder;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Environment variable with the file, for tests and for those who keep it elsewhere.
pub(super) const VARIABLE: &str = "THENAR_STUDIO_SETTINGS";

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    arrangement: Arrangement,
    layouts: Docks,
    zoom: f32,
    light: bool,
    measure: Measure,
    worst_first: bool,
    shading: Shading,
    show_joints: bool,
    show_grid: bool,
    smoothing: f32,
    /// Folders that were open, the newest first.
    pub(super) recent: Vec<PathBuf>,
    /// The run that was under way when this was written.
    pub(super) under_way: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(&UiState::default())
    }
}

impl Settings {
    /// Those of the window as it is.
    pub(super) fn of(ui: &UiState) -> Self {
        Self {
            arrangement: ui.arrangement,
            layouts: ui.docks.clone(),
            zoom: ui.zoom,
            light: ui.light,
            measure: ui.measure,
            worst_first: ui.worst_first,
            shading: ui.shading,
            show_joints: ui.show_joints,
            show_grid: ui.show_grid,
            smoothing: ui.smoothing,
            recent: Vec::new(),
            under_way: None,
        }
    }

    /// With what was open.
    pub(super) fn with(self, recent: Vec<PathBuf>, under_way: Option<PathBuf>) -> Self {
        Self { recent, under_way, ..self }
    }

    /// Makes the window so.
    pub(super) fn apply(&self, ui: &mut UiState) {
        ui.arrangement = self.arrangement;
        ui.docks = self.layouts.clone();
        ui.set_zoom(self.zoom);
        ui.light = self.light;
        (ui.measure, ui.worst_first) = (self.measure, self.worst_first);
        ui.shading = self.shading;
        (ui.show_joints, ui.show_grid) = (self.show_joints, self.show_grid);
        ui.smoothing = self.smoothing.clamp(0.0, 0.98);
    }

    /// Reads the file; the default where there is none that can be used.
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        ron::from_str(&text).unwrap_or_default()
    }

    /// The text of the file.
    pub(super) fn text(&self) -> Option<String> {
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default()).ok()
    }
}

/// Where the file lies; `None` where the system names no place for it.
pub(super) fn place() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|v| !v.is_empty()).map(PathBuf::from);
    named.or_else(|| UserFolder::Settings.path().map(|folder| folder.join("studio.ron")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_and_broken_files_are_the_default() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("studio.ron");
        assert_eq!(Settings::read(&path), Settings::default(), "no file");
        let mut ui = UiState { arrangement: Arrangement::Compare, worst_first: true, ..UiState::default() };
        ui.set_zoom(1.25);
        let settings = Settings::of(&ui);
        let folders = vec![PathBuf::from("/room"), PathBuf::from("/拍摄")];
        let settings = Settings { recent: folders, under_way: Some("/room.thenar/runs/1".into()), ..settings };
        std::fs::write(&path, settings.text().expect("a text")).expect("writes");
        let mut again = UiState::default();
        let read = Settings::read(&path);
        read.apply(&mut again);
        assert_eq!(read, settings, "all of it");
        assert_eq!(again.arrangement, Arrangement::Compare, "and it is applied");
        for broken in ["", "(", "(zoom: \"large\")"] {
            std::fs::write(&path, broken).expect("writes");
            assert_eq!(Settings::read(&path), Settings::default(), "{broken}");
        }
        std::fs::write(&path, "(zoom: 90.0)").expect("writes");
        Settings::read(&path).apply(&mut again);
        assert_eq!(again.zoom, 2.0, "within bounds");
    }
}
