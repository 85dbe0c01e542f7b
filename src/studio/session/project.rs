//! The project file: what was edited, kept beside the capture or in the run folder, never in the capture's own. Views go by
//! their names, so that it still fits when the capture has got another one. Edited keypoints and masks lie beside it in a file
//! of edits, as `reconstruct --edits` takes them.

use super::edits::Choices;
use super::{Level, Session};
use crate::capture::Edits;
use crate::export::{atomic, edits};
use crate::fitting::pose::HandChoice;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Its name in a run folder, and in the folder beside the capture.
const NAME: &str = "project.ron";
/// Name of the file of edits beside it.
const EDITS_NAME: &str = "project_edits.ron";
/// Version of what is written.
const VERSION: u32 = 1;

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Project {
    version: u32,
    /// Names of the views that the next run leaves out.
    excluded: Vec<String>,
    /// Names of the views that no stage of it sees.
    held_out: Vec<String>,
    /// Name of the preset.
    preset: String,
    /// Changed parameters.
    overrides: BTreeMap<String, f64>,
    /// Hands that are looked for.
    hands: HandChoice,
    /// The network is trained.
    neural: bool,
    /// Pinned steps, in a run folder; files of older versions have none.
    #[serde(default)]
    pins: BTreeSet<u32>,
    /// Changes of keypoints and masks, from their own file; `None` when there is none.
    #[serde(skip)]
    edits: Option<Edits>,
}

/// What is written of a project.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    /// Where to.
    pub path: PathBuf,
    /// The project file.
    pub text: String,
    /// The file of edits, when there is to be one.
    pub edits: Option<Arc<Edits>>,
}

/// Where the file of a run, or of a capture whose runs go to `results` otherwise, lies.
#[must_use]
pub(crate) fn place(run: Option<&Path>, results: &Path) -> Option<PathBuf> {
    run.or_else(|| results.parent()).filter(|folder| !folder.as_os_str().is_empty()).map(|folder| folder.join(NAME))
}

/// Reads a project file; `None` when there is none.
///
/// # Errors
/// One that cannot be read, in words.
pub(crate) fn read(path: &Path) -> Option<Result<Project, String>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Err(format!("{}: {error}", path.display()))),
    };
    let project = ron::from_str::<Project>(&text).map_err(|error| format!("{}: {error}", path.display()));
    Some(project.and_then(|project| {
        if project.version != VERSION {
            return Err(format!("{} is of a newer version of thenar", path.display()));
        }
        let beside = path.with_file_name(EDITS_NAME);
        let edits = beside.exists().then(|| Edits::read(&beside)).transpose().map_err(|error| error.to_string())?;
        Ok(Project { edits, ..project })
    }))
}

/// Writes a project file: whole, or not at all. Makes the folder beside the capture, but never a run folder.
///
/// # Errors
/// A full or read-only disk, in words.
pub(crate) fn write(saved: &Saved) -> Result<(), String> {
    let path = &saved.path;
    if let Some(folder) = path.parent().filter(|f| f.extension().is_some_and(|e| e == "thenar")) {
        std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    if let Some(changes) = &saved.edits {
        edits::write(&path.with_file_name(EDITS_NAME), changes).map_err(|error| error.to_string())?;
    }
    atomic::write(path, saved.text.as_bytes()).map_err(|error| error.to_string())
}

impl Session {
    /// The project file to write, when something was edited and the last one is on the disk.
    #[must_use]
    pub(crate) fn wants_project_saved(&mut self) -> Option<Saved> {
        if !self.edited || self.saving || self.capture.is_none() {
            return None;
        }
        self.edited = false;
        let path = place(self.run_dir.as_deref(), &self.default_results)?;
        let text = ron::ser::to_string_pretty(&self.project(), ron::ser::PrettyConfig::default()).ok()?;
        self.saving = true;
        // Edits that were all taken back are written too: what lies there, or in the run, would come back otherwise.
        self.edits_kept |= !self.edits.is_empty() || !self.run_edits.is_empty();
        let edits = self.edits_kept.then(|| Arc::clone(&self.edits));
        Some(Saved { path, text, edits })
    }

    /// Edits are on their way to the disk.
    #[must_use]
    pub(crate) const fn is_saving(&self) -> bool {
        self.saving
    }

    fn project(&self) -> Project {
        let names = |views: &BTreeSet<usize>| {
            let all = self.capture.iter().flat_map(|c| &c.views).enumerate();
            all.filter(|(i, _)| views.contains(i)).map(|(_, v)| v.name.clone()).collect()
        };
        Project {
            version: VERSION,
            excluded: names(&self.excluded),
            held_out: names(&self.held_out),
            preset: self.preset().map_or_else(String::new, |p| p.name.clone()),
            overrides: self.overrides.clone(),
            hands: self.hands,
            neural: self.train_network,
            pins: self.pins.clone(),
            edits: None,
        }
    }

    /// What was edited the last time is there again.
    pub(super) fn on_project(&mut self, read: Result<Project, String>) {
        let project = match read {
            Ok(project) => project,
            Err(why) => return self.note(Level::Warning, format!("Earlier edits could not be read: {why}")),
        };
        let Some(capture) = &self.capture else { return };
        let views = |names: &[String]| -> BTreeSet<usize> {
            let found = names.iter().filter_map(|n| capture.views.iter().position(|v| v.name == *n));
            found.collect()
        };
        self.edits_kept |= project.edits.is_some();
        let edits = project.edits.map_or_else(|| Arc::clone(&self.edits), Arc::new);
        let choices = Choices {
            edits,
            excluded: views(&project.excluded),
            held_out: views(&project.held_out),
            preset: self.presets.iter().position(|p| p.name == project.preset).unwrap_or(self.preset),
            overrides: project.overrides,
            hands: project.hands,
            train_network: project.neural,
            pins: if self.run_dir.is_some() { project.pins } else { BTreeSet::new() },
        };
        if choices != self.choices() {
            self.choose(choices);
            self.note(
                Level::Info,
                "Edits of the last time are in place again (menu Edit: Include all views, Reset the parameters)",
            );
        }
        self.history.begin(self.choices());
    }

    /// The file is on the disk, or not.
    pub(super) fn on_project_saved(&mut self, saved: Result<PathBuf, String>) {
        self.saving = false;
        self.way_out.unkept = saved.as_ref().err().cloned();
        match saved {
            Ok(path) if !self.told_where => {
                self.told_where = true;
                self.note(Level::Info, format!("Edits are kept in {}", path.display()));
            }
            Ok(_) => {}
            Err(why) => self.note(Level::Warning, format!("Edits are kept in this window only: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::capture::CompactMask;
    use crate::studio::session::{Action, EditAction};
    use image::{GrayImage, Luma};

    fn session() -> Session {
        let mut session = Session::new(Vec::new());
        session.capture = Some(Arc::new(crate::studio::testing::test_capture(4)));
        session
    }

    #[test]
    fn edits_come_back_from_the_file_by_the_names_of_the_views() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut before = session();
        before.default_results = folder.path().join("room.thenar/runs");
        let _ = before.apply(Action::ToggleExclude(3));
        let _ = before.apply(Action::ToggleHoldOut(1));
        before.overrides.insert("ham.level".to_owned(), 2.0);
        before.train_network = true;
        before.notice_edits();
        let saved = before.wants_project_saved().expect("there is something to save");
        let path = saved.path.clone();
        assert!(before.wants_project_saved().is_none(), "once");
        assert_eq!(path, folder.path().join("room.thenar/project.ron"), "beside the capture");
        write(&saved).expect("writes");
        before.on_project_saved(Ok(path.clone()));

        let mut after = session();
        after.on_project(read(&path).expect("is there"));
        assert_eq!(after.choices(), before.choices(), "all of it");
        assert_eq!(after.undoable(), None, "what was read is no edit");
        after.notice_edits();
        assert!(after.wants_project_saved().is_none(), "nor saved again");
        let run = folder.path().join("runs/1");
        assert_eq!(place(Some(&run), &before.default_results), Some(run.join("project.ron")), "a run has its own");
        let in_run = Saved { path: run.join("project.ron"), ..saved };
        assert!(write(&in_run).is_err(), "but its folder is not made");
        let left: Vec<_> = std::fs::read_dir(path.parent().expect("a folder")).expect("reads").collect();
        assert_eq!(left.len(), 1, "nothing half-written is left");
    }

    #[test]
    fn edited_keypoints_and_masks_come_back_and_what_was_taken_back_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let begin = || {
            let mut session = session();
            session.default_results = folder.path().join("room.thenar/runs");
            session
        };
        let save = |session: &mut Session| {
            session.notice_edits();
            let saved = session.wants_project_saved().expect("there is something to save");
            write(&saved).expect("writes");
            session.on_project_saved(Ok(saved.path.clone()));
            saved.path
        };
        let mut before = begin();
        let _ = before.apply(Action::Edit(EditAction::Place(2, Side::Right, 8, [12.5, 30.0])));
        let mask = before.mask_image(1).expect("a mask");
        let half = GrayImage::from_fn(mask.width(), mask.height(), |x, y| {
            if x < mask.width() / 2 { *mask.get_pixel(x, y) } else { Luma([0]) }
        });
        let _ = before.apply(Action::Edit(EditAction::Mask(1, Arc::new(CompactMask::new(&half)))));
        let path = save(&mut before);
        let mut after = begin();
        after.on_project(read(&path).expect("is there"));
        assert_eq!(after.edits, before.edits, "all of them");
        assert_eq!(after.mask_image(1), Some(half), "the mask to the pixel");
        assert_eq!(after.keypoints(2)[1].as_ref().map(|k| k.px[8]), Some([12.5, 30.0]), "and the keypoint");
        for action in [EditAction::RevertKeypoints(2), EditAction::RevertMask(1)] {
            let _ = after.apply(Action::Edit(action));
        }
        save(&mut after);
        let mut last = begin();
        last.on_project(read(&path).expect("is there"));
        assert!(last.edits.is_empty(), "what was reverted stays so");
        assert!(!path.with_file_name("project_edits").exists(), "and leaves no masks behind");
    }

    #[test]
    fn files_that_cannot_be_used_are_said_and_change_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(NAME);
        assert!(read(&path).is_none(), "none is no error");
        let mut session = session();
        for text in
            ["(", "(version: 9, excluded: [], held_out: [], preset: \"\", overrides: {}, hands: auto, neural: false)"]
        {
            std::fs::write(&path, text).expect("writes");
            let result = read(&path).expect("is there");
            assert!(result.is_err(), "{text}");
            session.on_project(result);
            assert_eq!(session.log.back().map(|l| l.level), Some(Level::Warning), "it is said");
        }
        assert_eq!(session.choices(), Choices::default(), "nothing was changed");
    }
}
