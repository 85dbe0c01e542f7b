//! The model files: where they are looked for, and that they are the ones this module was checked with.

use super::network::Network;
use super::{DetectError, landmarks, palm};
use crate::files::UserFolder;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Environment variable that names the folder.
const VARIABLE: &str = "THENAR_MODELS";
/// The command that puts the files into a checkout.
const FETCH: &str = "scripts/fetch-models";

/// A model file with its SHA-256.
pub(super) struct ModelFile {
    name: &'static str,
    sha256: &'static str,
    /// Pixels of its input, each way.
    size: usize,
}

/// Palms in a picture. As in the Python package `mediapipe` 0.10.21; `scripts/fetch-models` holds the same numbers.
pub(super) const PALM: ModelFile = ModelFile {
    name: "palm_detection_full.tflite",
    sha256: "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    size: palm::SIZE,
};
/// Landmarks of a hand.
pub(super) const LANDMARKS: ModelFile = ModelFile {
    name: "hand_landmark_full.tflite",
    sha256: "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    size: landmarks::SIZE,
};

/// The folders that are looked at, in order: the one that `THENAR_MODELS` names, else `assets/models` in the working
/// folder and beside the program, then `thenar/models` in the user's data folder.
fn candidates() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os(VARIABLE).filter(|v| !v.is_empty()) {
        return vec![folder.into()];
    }
    let models = Path::new("assets").join("models");
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(&models)));
    [Some(models), beside, UserFolder::Data.path().map(|data| data.join("models"))].into_iter().flatten().collect()
}

/// The folder with both files.
pub(super) fn find_folder() -> Result<PathBuf, DetectError> {
    find_in(&candidates())
}

fn find_in(folders: &[PathBuf]) -> Result<PathBuf, DetectError> {
    let complete = |folder: &&PathBuf| [PALM, LANDMARKS].iter().all(|model| folder.join(model.name).is_file());
    folders.iter().find(complete).cloned().ok_or_else(|| {
        let list: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
        DetectError::ModelsMissing { looked_in: list.join(", "), command: FETCH }
    })
}

impl ModelFile {
    /// Reads the network from a folder.
    pub(super) fn read(&self, folder: &Path) -> Result<Network, DetectError> {
        let path = folder.join(self.name);
        let unusable = |problem: String| DetectError::Model { path: path.clone(), problem, command: FETCH };
        let bytes = std::fs::read(&path).map_err(|e| unusable(format!("it cannot be read ({e})")))?;
        if format!("{:x}", Sha256::digest(&bytes)) != self.sha256 {
            return Err(unusable("it is not the file of mediapipe 0.10.21 (its SHA-256 differs)".to_owned()));
        }
        let network = Network::read(&bytes).map_err(|e| unusable(e.to_string()))?;
        let size = self.size;
        if network.input_shape() != [1, size, size, 3] {
            return Err(unusable(format!("it takes {:?}, not an RGB image of {size} pixels", network.input_shape())));
        }
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_names_the_command_and_where_was_looked() {
        let [empty, full] = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let error = find_in(&[empty.path().to_owned()]).expect_err("nothing there").to_string();
        for word in [FETCH, &empty.path().display().to_string()] {
            assert!(error.contains(word), "`{word}` in: {error}");
        }
        for model in [PALM, LANDMARKS] {
            assert!(find_in(&[full.path().to_owned()]).is_err(), "not both yet");
            std::fs::write(full.path().join(model.name), b"no model").expect("written");
        }
        let found = find_in(&[empty.path().to_owned(), full.path().to_owned()]).expect("found");
        assert_eq!(found, full.path(), "the first with both");
        let error = PALM.read(&found).err().expect("another file").to_string();
        assert!(error.contains("SHA-256") && error.contains(FETCH), "{error}");
    }

    #[test]
    fn the_script_fetches_these_files() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(FETCH);
        let text = std::fs::read_to_string(&script).expect("the script is in the checkout");
        for model in [PALM, LANDMARKS] {
            assert!(text.contains(model.name) && text.contains(model.sha256), "{} with its sum", model.name);
        }
    }
}
