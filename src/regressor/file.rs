//! Weights as files: ours, with what they belong to in the header, and the authors'.

use super::network::{Network, Tensors};
use super::{HandRegressor, RegressorError, Upright, pth};
use crate::anatomy::Side;
use crate::files::read_at_most;
use crate::hand::HandModel;
use crate::safetensors::{self, Metadata};
use std::path::Path;

/// The header says which of its matrices are whole numbers or small: these stay in single precision.
#[cfg(feature = "train")]
fn is_half(name: &str) -> bool {
    !name.starts_with("L_") && !name.starts_with("U_") && name != "levels" && name != "mean"
}

/// What a file of weights says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegressorFacts {
    /// Side that it was trained on.
    pub side: Side,
    /// How keypoints are turned before the network sees them.
    pub upright: Upright,
    /// Name of the hand model.
    pub model: String,
    /// SHA-256 of the models it serves: that of [`Self::side`] first, then its mirror image where there is one.
    pub hashes: Vec<String>,
    /// Seed of its training.
    pub seed: u64,
    /// How it was trained, in words.
    pub recipe: String,
}

/// Weights of the open hand, made by the recipe in their header (`docs/models.md`).
const OPEN: &[u8] = include_bytes!("../../assets/models/gcn_open.safetensors");
const OPEN_NAME: &str = "gcn_open.safetensors (of the program)";

const FORMAT: &str = "thenar hand regressor 1";
const NO_FACTS: &str = "does not say that it holds a hand regressor of this version";

/// The bytes of a file that is no larger than weights can be; what is wrong otherwise.
fn read_limited(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = read_at_most(path, pth::FILE_BYTES).map_err(|e| format!("cannot be read ({e})"))?;
    bytes.ok_or_else(|| format!("is larger than {} MiB, so it holds no hand regressor", pth::FILE_BYTES >> 20))
}

impl RegressorFacts {
    #[cfg(feature = "train")]
    fn to_metadata(&self) -> Metadata {
        let upright = match self.upright {
            Upright::Not => "not",
            Upright::Palm => "palm",
        };
        [
            ("format", FORMAT.to_owned()),
            ("side", self.side.name().to_owned()),
            ("upright", upright.to_owned()),
            ("model", self.model.clone()),
            ("model_sha256", self.hashes.join(" ")),
            ("seed", self.seed.to_string()),
            ("recipe", self.recipe.clone()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    fn from_metadata(metadata: &Metadata) -> Option<Self> {
        let get = |key: &str| metadata.get(key).cloned();
        if get("format")? != FORMAT {
            return None;
        }
        Some(Self {
            side: Side::BOTH.into_iter().find(|s| metadata.get("side").is_some_and(|side| side == s.name()))?,
            upright: match get("upright")?.as_str() {
                "not" => Upright::Not,
                "palm" => Upright::Palm,
                _ => return None,
            },
            model: get("model")?,
            hashes: get("model_sha256")?.split(' ').map(str::to_owned).collect(),
            seed: get("seed")?.parse().ok()?,
            recipe: get("recipe")?,
        })
    }
}

/// A file of weights: matrices in half precision where they can be.
#[cfg(feature = "train")]
pub(super) fn to_bytes(tensors: &Tensors, facts: &RegressorFacts) -> Result<Vec<u8>, serde_json::Error> {
    safetensors::to_bytes_with(tensors, &facts.to_metadata(), &is_half)
}

impl HandRegressor {
    /// Reads a file of ours. `path` is used in messages only.
    ///
    /// # Errors
    /// [`RegressorError::Unusable`] when it is damaged, [`RegressorError::OtherModel`] when it was trained for another model
    /// than `model`.
    pub fn from_safetensors(bytes: &[u8], path: &Path, model: &HandModel) -> Result<Self, RegressorError> {
        let unusable = |problem: String| RegressorError::Unusable { path: path.to_owned(), problem };
        let (tensors, metadata) = safetensors::from_bytes_with(bytes).map_err(unusable)?;
        let facts = RegressorFacts::from_metadata(&metadata).ok_or_else(|| unusable(NO_FACTS.to_owned()))?;
        if !facts.hashes.contains(&model.hash) {
            let known = facts.hashes.first().map_or("none", String::as_str);
            let problem = format!(
                "`{}`, SHA-256 {known:.12}…; this one is `{}`, SHA-256 {:.12}…",
                facts.model, model.name, model.hash
            );
            return Err(RegressorError::OtherModel { path: path.to_owned(), problem });
        }
        let regressor = Self::from_tensors(&tensors, facts.side, facts.upright, vec![0.0; 45], model, path)?;
        Ok(Self { hashes: facts.hashes, ..regressor })
    }

    /// The regressor for a hand model: the file that its origin names; else the one that comes with the program for the open
    /// hand; for another model, beside it, `gcn_right.safetensors` (or `gcn_left`), else the authors' `gcn_right.pth`.
    ///
    /// # Errors
    /// [`RegressorError`]: there is none, it is damaged, or was trained for another model.
    pub fn find(model: &HandModel) -> Result<Self, RegressorError> {
        if let Some(path) = &model.origin.start_weights {
            return Self::from_file(path, model);
        }
        let Some(folder) = model.origin.file.as_deref().and_then(Path::parent) else {
            return Self::from_safetensors(OPEN, Path::new(OPEN_NAME), model);
        };
        let names = ["safetensors", "pth"].map(|ending| format!("gcn_{}.{ending}", model.side));
        let path = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        let missing = || RegressorError::Missing {
            model: model.name.clone(),
            looked_for: names.join(" or "),
            looked_in: folder.display().to_string(),
        };
        Self::from_file(&path.ok_or_else(missing)?, model)
    }

    /// Reads a file of weights for `model`, ours or the authors', told apart by their first bytes.
    ///
    /// # Errors
    /// [`RegressorError`]: it cannot be read, is damaged, or was trained for another model.
    pub fn from_file(path: &Path, model: &HandModel) -> Result<Self, RegressorError> {
        let bytes =
            read_limited(path).map_err(|problem| RegressorError::Unusable { path: path.to_owned(), problem })?;
        if pth::is_pth(&bytes) {
            Self::from_pth(&bytes, path, model)
        } else {
            Self::from_safetensors(&bytes, path, model)
        }
    }

    /// The sides that a file of weights is for: a file of ours says it itself (both where it belongs to hands that mirror each
    /// other), one of `PyTorch` by its name.
    ///
    /// # Errors
    /// [`RegressorError`]: it cannot be read, is damaged, or does not say.
    pub fn sides_of(path: &Path, models: [&HandModel; 2]) -> Result<Vec<Side>, RegressorError> {
        let unusable = |problem: String| RegressorError::Unusable { path: path.to_owned(), problem };
        let bytes = read_limited(path).map_err(unusable)?;
        if pth::is_pth(&bytes) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
            let named: Vec<Side> = Side::BOTH.into_iter().filter(|side| name.contains(side.name())).collect();
            return if named.len() == 1 { Ok(named) } else { Err(RegressorError::NoSide { path: path.to_owned() }) };
        }
        let (_, metadata) = safetensors::from_bytes_with(&bytes).map_err(unusable)?;
        let facts = RegressorFacts::from_metadata(&metadata).ok_or_else(|| unusable(NO_FACTS.to_owned()))?;
        let served = models.into_iter().filter(|model| facts.hashes.contains(&model.hash)).map(|model| model.side);
        let served: Vec<Side> = served.collect();
        // Of neither: reading it says so.
        Ok(if served.is_empty() { vec![facts.side] } else { served })
    }

    /// Whether it was trained for this model or its mirror image.
    #[must_use]
    pub fn serves(&self, model: &HandModel) -> bool {
        self.hashes.contains(&model.hash)
    }

    /// A network for `model`, checked against it.
    pub(super) fn from_tensors(
        tensors: &Tensors,
        side: Side,
        upright: Upright,
        pose_offset: Vec<f64>,
        model: &HandModel,
        path: &Path,
    ) -> Result<Self, RegressorError> {
        let unusable = |problem: String| RegressorError::Unusable { path: path.to_owned(), problem };
        let network = Network::new(tensors).map_err(unusable)?;
        if network.vertex_count() != model.template.len() {
            let problem = format!("{} vertices; this one has {}", network.vertex_count(), model.template.len());
            return Err(RegressorError::OtherModel { path: path.to_owned(), problem });
        }
        if network.parameter_count() != 55 {
            return Err(unusable(format!("gives {} parameters, not 45 + 10", network.parameter_count())));
        }
        Ok(Self { network, hashes: Vec::new(), side, upright, pose_offset })
    }
}
