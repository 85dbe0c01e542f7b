//! The open hand that ships with the program (CC0, derived from `MakeHuman`; see `assets/hands/PROVENANCE.md`).
//!
//! An NPZ in MANO's layout with the same field names. The reader checks every shape and every index, so that a damaged
//! asset is an error here and not a panic later.

use super::{HandError, HandModel, ModelLabels, ModelOrigin};
use crate::anatomy::{JOINT_PARENTS, JOINTS, Side, TIPS};
use sha2::{Digest, Sha256};
use std::io::Cursor;

const RIGHT: &[u8] = include_bytes!("../../assets/hands/open_right.npz");
const LEFT: &[u8] = include_bytes!("../../assets/hands/open_left.npz");
/// What the assets are, with the SHA-256 of each.
const FACTS: &str = include_str!("../../assets/hands/open_hand.json");

/// Numbers of the pose feature: `R − I` of joints 1 to 15.
const FEATURES: usize = 135;

/// The open hand of one side, from the embedded asset.
///
/// # Errors
/// [`HandError`] when the embedded asset is damaged.
pub fn open_hand(side: Side) -> Result<HandModel, HandError> {
    let bytes = match side {
        Side::Left => LEFT,
        Side::Right => RIGHT,
    };
    let path = format!("open_{side}.npz");
    check_sum(&path, bytes)?;
    let mut model = read_npz(side, "open", &path, bytes)?;
    model.labels.shape_names = names("shape_components", 10)?;
    model.labels.pose_names = names("pose_components", 45)?;
    Ok(model)
}

fn facts() -> Result<serde_json::Value, HandError> {
    serde_json::from_str(FACTS).map_err(|e| damaged("open_hand.json", format!("it is no JSON ({e})")))
}

/// The names in a list of `open_hand.json`, whose entries are strings or objects with a `name`.
fn names(list: &str, count: usize) -> Result<Vec<String>, HandError> {
    let facts = facts()?;
    let entries = facts[list].as_array().map_or(&[][..], Vec::as_slice);
    let found: Vec<String> =
        entries.iter().filter_map(|e| e.as_str().or_else(|| e["name"].as_str())).map(str::to_owned).collect();
    if found.len() == count {
        Ok(found)
    } else {
        Err(damaged("open_hand.json", format!("`{list}` has not {count} names")))
    }
}

/// The open hands of both sides, left first.
///
/// # Errors
/// As [`open_hand`].
pub fn open_hands() -> Result<[HandModel; 2], HandError> {
    Ok([open_hand(Side::Left)?, open_hand(Side::Right)?])
}

/// Compares the bytes with the recorded SHA-256: a ZIP reader that stops at an array's end never looks at its check sum.
fn check_sum(path: &str, bytes: &[u8]) -> Result<(), HandError> {
    if facts()?["files"][path]["sha256"].as_str() == Some(&format!("{:x}", Sha256::digest(bytes))) {
        return Ok(());
    }
    Err(damaged(path, "its SHA-256 is not the one in open_hand.json".to_owned()))
}

/// One NPZ archive with the words for its errors.
struct Archive<'a> {
    path: &'a str,
    npz: npyz::npz::NpzArchive<Cursor<&'a [u8]>>,
}

fn damaged(path: &str, problem: String) -> HandError {
    let remedy = "Build the program again from a clean checkout".to_owned();
    HandError::Unusable { path: path.to_owned(), problem, remedy }
}

impl Archive<'_> {
    /// Field `name` with its shape; every extent that is not 0 in `shape` must match.
    fn field<T: npyz::Deserialize>(&mut self, name: &str, shape: &[u64]) -> Result<(Vec<T>, Vec<u64>), HandError> {
        let path = self.path;
        let file = self
            .npz
            .by_name(name)
            .map_err(|e| damaged(path, format!("field `{name}` cannot be read ({e})")))?
            .ok_or_else(|| damaged(path, format!("field `{name}` is missing")))?;
        let found = file.shape().to_vec();
        let fits = found.len() == shape.len() && found.iter().zip(shape).all(|(&f, &s)| s == 0 || f == s);
        if !fits {
            return Err(damaged(path, format!("field `{name}` has shape {found:?}")));
        }
        if file.order() != npyz::Order::C {
            return Err(damaged(path, format!("field `{name}` is stored in Fortran order")));
        }
        let values = file.into_vec::<T>().map_err(|e| damaged(path, format!("field `{name}` cannot be read ({e})")))?;
        Ok((values, found))
    }

    fn floats(&mut self, name: &str, shape: &[u64]) -> Result<Vec<f64>, HandError> {
        let (values, _) = self.field::<f32>(name, shape)?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(damaged(self.path, format!("field `{name}` has values that are not finite")));
        }
        Ok(values.into_iter().map(f64::from).collect())
    }

    /// Indices, all below `end`.
    fn indices(&mut self, name: &str, shape: &[u64], end: usize) -> Result<Vec<u32>, HandError> {
        let (values, _) = self.field::<u32>(name, shape)?;
        match values.iter().find(|&&v| v as usize >= end) {
            Some(v) => Err(damaged(self.path, format!("field `{name}` has index {v}, there are {end}"))),
            None => Ok(values),
        }
    }
}

fn rows<const N: usize, T: Copy>(values: &[T]) -> Vec<[T; N]> {
    values.as_chunks::<N>().0.to_vec()
}

/// Reads a hand in MANO's layout from NPZ bytes. `path` is used in messages only.
fn read_npz(side: Side, name: &str, path: &str, bytes: &[u8]) -> Result<HandModel, HandError> {
    let npz = npyz::npz::NpzArchive::new(Cursor::new(bytes))
        .map_err(|e| damaged(path, format!("it is no NPZ archive ({e})")))?;
    let mut archive = Archive { path, npz };
    let template = rows::<3, f64>(&archive.floats("v_template", &[0, 3])?);
    let count = template.len();
    let n = count as u64;
    let faces = rows::<3, u32>(&archive.indices("f", &[0, 3], count)?);
    let shape_directions = rows::<30, f64>(&archive.floats("shapedirs", &[n, 3, 10])?)
        .iter()
        .map(|v| std::array::from_fn(|axis| std::array::from_fn(|c| v[10 * axis + c])))
        .collect();
    let pose_directions: Vec<[[f64; FEATURES]; 3]> =
        archive.floats("posedirs", &[n, 3, FEATURES as u64])?.as_chunks::<FEATURES>().0.as_chunks::<3>().0.to_vec();
    let regressor = archive.floats("J_regressor", &[JOINTS as u64, n])?;
    let joint_regressor = regressor
        .chunks_exact(count.max(1))
        .map(|row| (0u32..).zip(row).filter(|(_, w)| **w != 0.0).map(|(v, w)| (v, *w)).collect())
        .collect();
    let skin_weights = rows::<JOINTS, f64>(&archive.floats("weights", &[n, JOINTS as u64])?);
    let (tree, _) = archive.field::<i32>("kintree_table", &[2, JOINTS as u64])?;
    if tree[..JOINTS] != JOINT_PARENTS {
        return Err(damaged(path, "field `kintree_table` is not MANO's tree".to_owned()));
    }
    let hands_mean = rows::<45, f64>(&archive.floats("hands_mean", &[45])?)[0];
    let hands_components = rows::<45, f64>(&archive.floats("hands_components", &[45, 45])?);
    let uvs = rows::<2, f64>(&archive.floats("vt", &[0, 2])?);
    let uv_faces = rows::<3, u32>(&archive.indices("ft", &[faces.len() as u64, 3], uvs.len())?);
    let tips = rows::<TIPS, u32>(&archive.indices("tips", &[TIPS as u64], count)?)[0];
    // The kernel of the hand fit knows the tips as skinned points without correctives.
    if let Some(tip) = tips.iter().find(|&&t| pose_directions[t as usize].iter().flatten().any(|d| *d != 0.0)) {
        return Err(damaged(path, format!("field `posedirs` moves the tip vertex {tip}")));
    }
    let (nails, _) = archive.field::<u8>("nails", &[faces.len() as u64])?;
    if let Some(nail) = nails.iter().find(|&&nail| usize::from(nail) > TIPS) {
        return Err(damaged(path, format!("field `nails` has the value {nail}, there are {TIPS} nails")));
    }
    let nail_faces = std::array::from_fn(|tip| {
        (0_u32..).zip(&nails).filter(|(_, nail)| usize::from(**nail) == tip + 1).map(|(face, _)| face).collect()
    });
    let limits = rows::<2, f64>(&archive.floats("joint_limits", &[45, 2])?);
    let joint_limits = std::array::from_fn(|i| limits[i]);
    let wrist_loop = archive.indices("wrist_loop", &[0], count)?;
    Ok(HandModel {
        name: name.to_owned(),
        hash: format!("{:x}", Sha256::digest(bytes)),
        side,
        template,
        faces,
        shape_directions,
        pose_directions: Some(pose_directions),
        joint_regressor,
        skin_weights,
        hands_mean,
        hands_components,
        uvs,
        uv_faces,
        tips,
        joint_limits,
        wrist_loop,
        labels: ModelLabels { nail_faces, ..ModelLabels::default() },
        origin: ModelOrigin::open_hand(),
    })
}

#[cfg(test)]
mod bending;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod people;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hands_load_and_mirror_each_other() {
        let right = open_hand(Side::Right).expect("the asset is sound");
        let left = open_hand(Side::Left).expect("the asset is sound");
        assert!(right.template.len() > 1000, "a hand has vertices");
        assert_eq!(right.uv_faces.len(), right.faces.len(), "every face has UVs");
        for (r, l) in right.template.iter().zip(&left.template) {
            assert_eq!([-r[0], r[1], r[2]], *l, "the left template mirrors the right one in x");
        }
        for (v, row) in right.skin_weights.iter().enumerate() {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5, "skin weights of vertex {v} sum to one");
        }
        for (joint, row) in right.joint_regressor.iter().enumerate() {
            let sum: f64 = row.iter().map(|(_, w)| w).sum();
            assert!((sum - 1.0).abs() < 1e-5, "regressor of joint {joint} sums to one");
        }
        assert_eq!(right.hash.len(), 64, "SHA-256 in hex");
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let cut = &RIGHT[..RIGHT.len() / 2];
        assert!(read_npz(Side::Right, "open", "cut", cut).is_err(), "half an archive is refused");
        let mut flipped = RIGHT.to_vec();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0xff;
        assert!(check_sum("open_right.npz", RIGHT).is_ok(), "the asset is the recorded one");
        assert!(check_sum("open_right.npz", &flipped).is_err(), "a flipped byte is refused");
    }
}
