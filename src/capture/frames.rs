//! Sequences: a folder of numbered folders, each of them a capture of one instant.

use super::CaptureError;
use std::path::{Path, PathBuf};

/// One frame of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameFolder {
    /// Its number: the digits that its name ends with. Numbers that are left out are time that passed.
    pub number: u32,
    /// Name of the folder.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
}

impl FrameFolder {
    /// A folder as a frame; `None` where its name has no number at its end.
    #[must_use]
    pub fn new(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let number = name[stem(&name).len()..].parse().ok()?;
        Some(Self { number, name, path })
    }
}

/// What stands before the number at a name's end.
fn stem(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// The frames of a sequence in order; `None` where the folder is none: at least two folders whose names differ in the number
/// at their end alone (`0000`, `0001`; `frame_7`, `frame_12`), at least one of which looks like a capture.
///
/// # Errors
/// [`CaptureError`] when two folders have one number.
pub fn frame_folders(path: &Path) -> Result<Option<Vec<FrameFolder>>, CaptureError> {
    if super::open::looks_like_capture(path) {
        return Ok(None);
    }
    let Ok(entries) = std::fs::read_dir(path) else { return Ok(None) };
    let mut frames = Vec::new();
    let mut stems = std::collections::BTreeSet::new();
    for frame in entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).filter_map(FrameFolder::new) {
        stems.insert(stem(&frame.name).to_owned());
        frames.push(frame);
    }
    frames.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    // Cameras may have numbers too, but then their folders hold images alone.
    if stems.len() != 1 || frames.len() < 2 || !frames.iter().any(|f| super::open::looks_like_capture(&f.path)) {
        return Ok(None);
    }
    if let Some(pair) = frames.windows(2).find(|pair| pair[0].number == pair[1].number) {
        let problem = format!("the folders {} and {} have the same number", pair[0].name, pair[1].name);
        return Err(CaptureError::unusable(path, problem, "Give each frame a number of its own"));
    }
    Ok(Some(frames))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for name in names {
            for part in ["camera", "img"] {
                std::fs::create_dir_all(root.path().join(name).join(part)).expect("a folder");
            }
        }
        root
    }

    #[test]
    fn numbered_captures_are_a_sequence_in_the_order_of_their_numbers() {
        let root = folder(&["f10", "f9", "f007"]);
        std::fs::create_dir(root.path().join("notes")).expect("a folder");
        let frames = frame_folders(root.path()).expect("readable").expect("a sequence");
        let found: Vec<(u32, &str)> = frames.iter().map(|f| (f.number, f.name.as_str())).collect();
        assert_eq!(found, [(7, "f007"), (9, "f9"), (10, "f10")], "by their numbers");
        for other in [&["f1"][..], &["a1", "b2"], &["left", "right"]] {
            assert_eq!(frame_folders(folder(other).path()).expect("readable"), None, "{other:?}");
        }
        let images = tempfile::tempdir().expect("a folder");
        for name in ["0", "1"] {
            std::fs::create_dir(images.path().join(name)).expect("a folder");
        }
        assert_eq!(frame_folders(images.path()).expect("readable"), None, "folders of images");
        assert!(frame_folders(folder(&["1", "01"]).path()).is_err(), "one number twice");
    }
}
