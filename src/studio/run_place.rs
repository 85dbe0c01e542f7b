//! Where a run's folder stands: `<parent>/<time>_<preset>`, the parent beside the capture or where the user wants it.

use crate::export::ExportError;
use crate::pipeline::{PipelineError, lies_in};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Why a run cannot be written where it is wanted.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunPlaceError {
    /// The system refuses.
    #[error("The results cannot be written to {}: {reason}", .parent.display())]
    Refused {
        /// Folder in which the run's own was to be made.
        parent: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// Captures are only read.
    #[error("{} lies in the capture folder, which is never written to", .parent.display())]
    InCapture {
        /// Folder in which the run's own was to be made.
        parent: PathBuf,
    },
}

/// `<capture>.thenar/runs` beside the capture.
pub(super) fn default_parent(capture: &Path) -> PathBuf {
    let root = capture.canonicalize().unwrap_or_else(|_| capture.to_owned());
    let mut name = root.file_name().unwrap_or_default().to_owned();
    name.push(".thenar");
    root.with_file_name(name).join("runs")
}

/// Name of the folder of a run that begins now: the time in UTC, then the preset.
pub(super) fn name(preset: &str, now: SystemTime) -> String {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    // A preset may be given as a file.
    let preset = Path::new(preset).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    format!("{}_{preset}", stamp(seconds))
}

/// The day of a time, in UTC.
pub(super) fn day(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    stamp(seconds).chars().take(10).collect()
}

/// Finds out, before a device is opened, what would keep a run from being written. Nothing is created: what only the attempt
/// can tell (permissions, a full disk) is told by [`explain`].
///
/// # Errors
/// [`RunPlaceError`].
pub(super) fn check(parent: &Path, capture: &Path) -> Result<(), RunPlaceError> {
    let refused = |reason: String| RunPlaceError::Refused { parent: parent.to_owned(), reason };
    let absolute = std::path::absolute(parent).map_err(|e| refused(e.to_string()))?;
    let existing = absolute.ancestors().find(|p| p.exists()).ok_or_else(|| refused("no such place".to_owned()))?;
    let facts = existing.metadata().map_err(|e| refused(e.to_string()))?;
    if !facts.is_dir() {
        return Err(refused(format!("{} is a file", existing.display())));
    }
    if facts.permissions().readonly() {
        return Err(refused(format!("{} is read-only", existing.display())));
    }
    if lies_in(parent, capture) {
        return Err(RunPlaceError::InCapture { parent: parent.to_owned() });
    }
    Ok(())
}

/// Names the folder when the run could not be written there; other errors pass.
pub(super) fn explain(parent: &Path, error: PipelineError) -> anyhow::Error {
    match error {
        PipelineError::Files(error @ (ExportError::Io { .. } | ExportError::NotEmpty { .. })) => {
            RunPlaceError::Refused { parent: parent.to_owned(), reason: error.to_string() }.into()
        }
        other => other.into(),
    }
}

/// Seconds since 1970 as `YYYY-MM-DD_hhmmss`, after Howard Hinnant's `civil_from_days`.
fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}_{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_folders_stand_beside_the_capture_and_say_when() {
        assert_eq!(stamp(0), "1970-01-01_000000", "the epoch");
        assert_eq!(stamp(951_827_696), "2000-02-29_123456", "a leap day");
        let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(951_827_696);
        assert_eq!(name("draft", now), "2000-02-29_123456_draft", "by time");
        assert_eq!(name("my/own.ron", now), "2000-02-29_123456_own", "a preset file by its name");
        assert_eq!(default_parent(Path::new("/nowhere/room_1")), Path::new("/nowhere/room_1.thenar/runs"), "beside");
    }

    #[test]
    fn places_that_cannot_be_written_are_named_before_anything_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let capture = dir.path().join("room");
        std::fs::create_dir(&capture).expect("made");
        let file = dir.path().join("file");
        std::fs::write(&file, b"x").expect("written");
        check(&dir.path().join("new/runs"), &capture).expect("a new folder is fine");
        check(&default_parent(&capture), &capture).expect("the default is beside the capture, not in it");
        let refused = check(&file.join("runs"), &capture).expect_err("a file holds no folders").to_string();
        assert!(refused.contains("is a file") && refused.contains("runs"), "{refused}");
        let inside = check(&capture.join("runs"), &capture).expect_err("captures are only read").to_string();
        assert!(inside.contains("never written"), "{inside}");
        let locked = dir.path().join("locked");
        std::fs::create_dir(&locked).expect("made");
        let mut permissions = locked.metadata().expect("there").permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&locked, permissions).expect("set");
        let refused = check(&locked.join("runs"), &capture).expect_err("read-only").to_string();
        assert!(refused.contains("read-only") && refused.contains("locked"), "{refused}");
        assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 3, "nothing was made");
    }
}
