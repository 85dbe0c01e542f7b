//! Finding out by content which format a folder has.

use super::{Capture, CaptureError, read_fmhr};
use std::path::{Path, PathBuf};

/// What is looked for, for messages.
const LOOKED_FOR: &str = "an FMHR capture (camera/param.npz with img/, mask/ and pose/ beside it)";

pub(super) fn open_capture(path: &Path) -> Result<Capture, CaptureError> {
    let unusable = |problem: String, remedy: &str| Err(CaptureError::unusable(path, problem, remedy));
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return unusable("there is no such folder".into(), "Check the path, or give the folder of a capture");
        }
        Err(e) => return unusable(format!("cannot be opened ({e})"), "Check the permissions of the folder"),
    };
    if !meta.is_dir() {
        return unusable("is a file, not a capture".into(), "Give the folder that holds camera/ and img/");
    }
    if is_fmhr(path) {
        return read_fmhr(path);
    }
    let mut inside = folders(path)?;
    inside.retain(|folder| is_fmhr(folder));
    match inside.as_slice() {
        [one] => read_fmhr(one),
        [] => unusable(
            format!("holds no capture; looked here and one folder deeper for {LOOKED_FOR}"),
            "Give the folder of a capture",
        ),
        many => {
            let names: Vec<String> =
                many.iter().filter_map(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned()).collect();
            unusable(format!("holds {} captures ({})", many.len(), names.join(", ")), "Give the folder of one of them")
        }
    }
}

/// Calibration or at least two of the four folders: enough to say *what* is missing instead of "no capture".
fn is_fmhr(folder: &Path) -> bool {
    let parts = ["camera", "img", "mask", "pose"].iter().filter(|part| folder.join(part).is_dir()).count();
    folder.join("camera").join("param.npz").is_file() || parts >= 2
}

/// Folders inside a folder, by name.
fn folders(path: &Path) -> Result<Vec<PathBuf>, CaptureError> {
    let unreadable = |e: std::io::Error| {
        CaptureError::unusable(path, format!("the folder cannot be read ({e})"), "Check its permissions")
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.is_dir() {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}
