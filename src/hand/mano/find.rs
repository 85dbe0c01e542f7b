//! Where MANO's files are looked for.

use super::{HandError, file_of};
use crate::anatomy::Side;
use std::path::{Path, PathBuf};

/// Environment variable that names the folder.
const VARIABLE: &str = "THENAR_MANO";

/// The folders that `mano` may mean, in order: the one that `THENAR_MANO` names, else `mano` in the working folder and beside
/// the program.
fn candidates() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os(VARIABLE).filter(|v| !v.is_empty()) {
        return vec![folder.into()];
    }
    let mut folders = vec![PathBuf::from("mano")];
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("mano")));
    folders.extend(beside);
    folders
}

/// The folder with MANO's files.
///
/// # Errors
/// [`HandError`] that says where was looked.
pub fn find_folder() -> Result<PathBuf, HandError> {
    find_in(&candidates())
}

fn find_in(folders: &[PathBuf]) -> Result<PathBuf, HandError> {
    let has_one = |folder: &&PathBuf| Side::BOTH.iter().any(|side| file_of(folder, *side).is_ok());
    folders.iter().find(has_one).cloned().ok_or_else(|| {
        let list: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
        HandError::Unusable {
            path: "MANO_RIGHT.pkl".to_owned(),
            problem: format!("it is in none of the folders {}", list.join(", ")),
            remedy: format!(
                "Register at https://mano.is.tue.mpg.de, download the models and put MANO_RIGHT.pkl and MANO_LEFT.pkl \
                 into one of them, or set {VARIABLE} to their folder"
            ),
        }
    })
}

/// Whether a folder has both files, in words for people: `None` when it has.
#[must_use]
pub fn folder_state(folder: &Path) -> Option<String> {
    let missing: Vec<String> = Side::BOTH
        .into_iter()
        .filter(|side| file_of(folder, *side).is_err())
        .map(|side| format!("MANO_{}.pkl", side.name().to_uppercase()))
        .collect();
    (!missing.is_empty()).then(|| format!("{} not found in {}", missing.join(" and "), folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_with_a_file_is_taken_and_a_miss_says_where_was_looked() {
        let [empty, full] = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        std::fs::write(full.path().join("MANO_LEFT.npz"), b"").expect("written");
        let folders = [empty.path().to_owned(), full.path().to_owned()];
        assert_eq!(find_in(&folders).expect("found"), full.path(), "the one with a file");
        let error = find_in(&folders[..1]).expect_err("nothing there").to_string();
        for word in ["MANO_RIGHT.pkl", &empty.path().display().to_string(), "mano.is.tue.mpg.de", VARIABLE] {
            assert!(error.contains(word), "`{word}` in: {error}");
        }
        let state = folder_state(full.path()).expect("one is missing");
        assert!(state.starts_with("MANO_RIGHT.pkl not found in"), "{state}");
    }
}
