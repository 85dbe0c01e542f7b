//! The authors' files: the state of their network as `torch.save` writes it (`gcn_right.pth`, `gcn_left.pth`).
//!
//! A file holds the weights by the names that [`super::network`] has, and the matrices of its mesh levels as sparse tensors
//! `L_0` … and `U_0` …: they are made of MANO's mesh, so they come from the user's file and are compared with the user's
//! model, and nothing of either is shipped. Nothing of a file is run: the archive's pickle is read by
//! [`crate::hand::pickle`], whose list of names is short.
//!
//! What its numbers mean is said by the code that trains and uses it (agnJason/FMHR, `train_gcn.py`): joints in `MediaPipe`'s
//! order, centred, scaled, not turned; a pose without MANO's mean; ten shape numbers.

use super::network::{SIZES, Tensors};
use super::sparse::Sparse;
use super::{HandRegressor, RegressorError, Upright};
use crate::hand::HandModel;
use crate::hand::pickle::{Pickle, TorchValue};
use crate::mesh::Topology;
use crate::safetensors::Tensor;
use npyz::zip::ZipArchive;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

/// Bytes a file may have, and its entries together; the published ones have 9 MB.
pub(super) const FILE_BYTES: u64 = 64 << 20;
/// Entries of an archive that are looked at.
const ENTRIES: usize = 4096;

/// Where such a file is had.
const REMEDY: &str = "give the file as its authors published it, or as `torch.save(network.state_dict(), …)` of PyTorch \
                      1.6 or later writes it";

/// First bytes of what `PyTorch` wrote before 1.6: a pickle of a number that stands for the format.
const OLD_FORMAT: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Whether a file is one of `PyTorch`, this format or the old one.
pub(super) fn is_pth(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(OLD_FORMAT)
}

type Storages = BTreeMap<String, Vec<u8>>;

/// The pickle of an archive and the bytes of each storage by its key.
fn unpack(bytes: &[u8]) -> Result<(Vec<u8>, Storages), String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| format!("is a damaged archive ({e})"))?;
    if archive.len() > ENTRIES {
        return Err(format!("has more than {ENTRIES} entries"));
    }
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    // All entries lie in one folder, named after the file that was written.
    let folder = names.iter().filter_map(|name| name.strip_suffix("/data.pkl")).min_by_key(|folder| folder.len());
    let folder = folder.ok_or("is an archive without `data.pkl`, so PyTorch did not write it")?;
    let (pickle, byte_order) = (format!("{folder}/data.pkl"), format!("{folder}/byteorder"));
    let storage = format!("{folder}/data/");
    let mut left = FILE_BYTES;
    let mut read = |name: &str| {
        let entry = archive.by_name(name).map_err(|e| format!("is a damaged archive (`{name}`: {e})"))?;
        let mut out = Vec::new();
        entry.take(left + 1).read_to_end(&mut out).map_err(|e| format!("is a damaged archive (`{name}`: {e})"))?;
        left = left.checked_sub(out.len() as u64).ok_or_else(|| format!("holds more than {} MiB", FILE_BYTES >> 20))?;
        Ok::<_, String>(out)
    };
    if names.contains(&byte_order) && read(&byte_order)? != b"little" {
        return Err("was written on a machine with the most significant byte first, which is not read".to_owned());
    }
    let content = read(&pickle)?;
    let mut storages = Storages::new();
    for name in &names {
        if let Some(key) = name.strip_prefix(&storage) {
            storages.insert(key.to_owned(), read(name)?);
        }
    }
    Ok((content, storages))
}

/// The tensors of a file by their names; what is wrong with it otherwise.
fn state(bytes: &[u8]) -> Result<BTreeMap<String, TorchValue>, String> {
    if bytes.starts_with(OLD_FORMAT) {
        return Err("is in the format of PyTorch before 1.6, which is not read".to_owned());
    }
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err("is no archive of PyTorch".to_owned());
    }
    let (pickle, storages) = unpack(bytes)?;
    let pickle = Pickle::parse_torch(&pickle).map_err(|e| e.to_string())?;
    pickle.torch_state(&|key| storages.get(key).map(Vec::as_slice)).map_err(|e| e.to_string())
}

/// Tensors as the network takes them: matrices as lists of entries, and how many vertices the levels have.
fn tensors(state: BTreeMap<String, TorchValue>) -> Result<Tensors, String> {
    let mut out = Tensors::new();
    let mut sizes = BTreeMap::new();
    for (name, value) in state {
        match value {
            TorchValue::Dense(tensor) => {
                out.insert(name, Tensor { shape: tensor.shape, data: tensor.values });
            }
            TorchValue::Sparse { size, indices, values } => {
                let &[rows, columns] = size.as_slice() else { return Err(format!("has `{name}`, which is no matrix")) };
                out.insert(format!("{name}.indices"), Tensor { shape: indices.shape, data: indices.values });
                out.insert(format!("{name}.values"), Tensor { shape: values.shape, data: values.values });
                sizes.insert(name, [rows, columns]);
            }
        }
    }
    let mut levels = Vec::new();
    while let Some([rows, columns]) = sizes.get(&format!("L_{}", levels.len())) {
        if rows != columns {
            return Err(format!("has `L_{}`, which is not square", levels.len()));
        }
        levels.push(*rows);
    }
    if levels.is_empty() {
        return Err("has no mesh levels (`L_0` …), so it is no state of the published network".to_owned());
    }
    for (i, pair) in levels.windows(2).enumerate() {
        if sizes.get(&format!("U_{i}")).is_none_or(|size| size != pair) {
            return Err(format!("has no `U_{i}` from {} to {} vertices", pair[1], pair[0]));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "more than 20,000 are refused by the network")]
    let data: Vec<f32> = levels.iter().map(|n| *n as f32).collect();
    out.insert(SIZES.to_owned(), Tensor { shape: vec![data.len()], data });
    Ok(out)
}

/// Whether a Laplacian has its entries where a mesh has edges.
fn is_of(laplacian: &Sparse, model: &HandModel) -> bool {
    let topology = Topology::new(model.template.len(), &model.faces);
    laplacian.rows.len() == model.template.len()
        && (0_u32..).zip(&laplacian.rows).all(|(v, row)| {
            let mut found: Vec<u32> = row.iter().filter(|(u, w)| *u != v && *w != 0.0).map(|(u, _)| *u).collect();
            let mut edges = topology.neighbours_of(v as usize).to_vec();
            found.sort_unstable();
            found.dedup();
            edges.sort_unstable();
            found == edges
        })
}

impl HandRegressor {
    /// Reads a file of the authors' kind for `model`, which must be the hand (the side too) it was trained for: a file does
    /// not say so itself. `path` is used in messages only.
    ///
    /// # Errors
    /// [`RegressorError::UnusablePth`] when it is damaged, foreign, or of another network; [`RegressorError::OtherModel`] when
    /// its finest mesh is not the model's.
    pub fn from_pth(bytes: &[u8], path: &Path, model: &HandModel) -> Result<Self, RegressorError> {
        let unusable = |problem: String| RegressorError::UnusablePth { path: path.to_owned(), problem, remedy: REMEDY };
        let tensors = state(bytes).and_then(tensors).map_err(unusable)?;
        let regressor = Self::from_tensors(&tensors, model.side, Upright::Not, model.hands_mean.to_vec(), model, path)
            .map_err(|error| match error {
                RegressorError::Unusable { problem, .. } => unusable(problem),
                other => other,
            })?;
        if !is_of(&regressor.network.levels.laplacians[0], model) {
            let problem = "the edges of its mesh are not those of this one".to_owned();
            return Err(RegressorError::OtherModel { path: path.to_owned(), problem });
        }
        Ok(Self { hashes: vec![model.hash.clone()], ..regressor })
    }
}

#[cfg(test)]
mod tests;
