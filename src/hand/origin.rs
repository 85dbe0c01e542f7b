//! Where a hand model came from, and how to get the same one again.

use super::mano::{self, ManoConvention};
use super::{HandError, HandModel, open_hands};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Where a model was read and how its numbers are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOrigin {
    /// Its file; `None` for the embedded open hand.
    pub file: Option<PathBuf>,
    /// Conventions.
    pub convention: ManoConvention,
    /// The x components of a left MANO hand's shape directions were turned on reading.
    pub left_shapedirs_fixed: bool,
    /// Weights of the graph network that the fit may begin by, where the user named a file; else they are looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_weights: Option<PathBuf>,
}

impl ModelOrigin {
    /// The open hand's.
    #[must_use]
    pub fn open_hand() -> Self {
        Self { file: None, convention: ManoConvention::open_hand(), left_shapedirs_fixed: false, start_weights: None }
    }
}

/// The hand models of a run, as its record names them: enough to load the same ones again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandModelRecord {
    /// `open` or `mano`.
    pub name: String,
    /// Files, left first; none for the open hand.
    pub files: [Option<PathBuf>; 2],
    /// SHA-256 of each file.
    pub hashes: [String; 2],
    /// Conventions.
    pub convention: ManoConvention,
    /// Weights of the graph network that the user named, left first.
    #[serde(default, skip_serializing_if = "is_none_named")]
    pub start_weights: [Option<PathBuf>; 2],
}

fn is_none_named(files: &[Option<PathBuf>; 2]) -> bool {
    files.iter().all(Option::is_none)
}

impl HandModelRecord {
    /// The record of models in use.
    #[must_use]
    pub fn of(models: &[Arc<HandModel>; 2]) -> Self {
        let [left, right] = models;
        Self {
            name: right.name.clone(),
            files: [left.origin.file.clone(), right.origin.file.clone()],
            hashes: [left.hash.clone(), right.hash.clone()],
            convention: right.origin.convention.clone(),
            start_weights: [left.origin.start_weights.clone(), right.origin.start_weights.clone()],
        }
    }

    /// Loads the models again. MANO files that have moved are looked for in the usual folders; the SHA-256 decides.
    ///
    /// # Errors
    /// [`HandError`] when a file is gone, cannot be used, or is another one than the run was made with.
    pub fn load(&self) -> Result<[Arc<HandModel>; 2], HandError> {
        let mut models = match &self.files {
            [Some(left), Some(right)] if self.name == "mano" => {
                let right_folder = right.parent().map(PathBuf::from).unwrap_or_default();
                let folder = if left.is_file() && right.is_file() { right_folder } else { mano::find_folder()? };
                mano::load_folder(&folder, &self.convention)?
            }
            _ if self.name == "open" => open_hands()?,
            _ => {
                return Err(HandError::Unusable {
                    path: "run.ron".to_owned(),
                    problem: format!("it names the hand model `{}`, which this version does not know", self.name),
                    remedy: "Use the version that made the run".to_owned(),
                });
            }
        };
        for (model, hash) in models.iter().zip(&self.hashes) {
            if model.hash != *hash {
                return Err(HandError::Unusable {
                    path: model.origin.file.as_ref().map_or_else(
                        || format!("the embedded open hand ({})", model.side),
                        |file| file.display().to_string(),
                    ),
                    problem: format!(
                        "it is not the file this run was made with (SHA-256 {:.12}…, the run has {:.12}…)",
                        model.hash, hash
                    ),
                    remedy: "Put the file of then back, or start a new run".to_owned(),
                });
            }
        }
        for (model, weights) in models.iter_mut().zip(&self.start_weights) {
            model.origin.start_weights.clone_from(weights);
        }
        Ok(models.map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_hand_is_found_again_and_another_one_is_refused() {
        let models = open_hands().expect("sound assets").map(Arc::new);
        let mut record = HandModelRecord::of(&models);
        assert_eq!(record.load().expect("the same")[1].hash, models[1].hash, "the same model");
        record.hashes[1] = "0".repeat(64);
        let error = record.load().expect_err("another hash").to_string();
        assert!(error.contains("not the file this run was made with"), "{error}");
        record.name = "nimble".to_owned();
        assert!(record.load().is_err(), "an unknown model");
    }
}
