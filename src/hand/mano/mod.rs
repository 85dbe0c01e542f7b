//! MANO (Romero, Tzionas, Black 2017) from the files its users download: `MANO_RIGHT.pkl`, `MANO_LEFT.pkl`, or the same
//! fields cleaned of chumpy, as `.pkl` or `.npz`.
//!
//! The files are pickles written by Python 2 and hold chumpy objects; [`super::pickle`] reads them without running them. What
//! is taken: `v_template` (V×3, metres), `shapedirs` (V×3×≥10), `posedirs` (V×3×135), `J_regressor` (16×V, sparse or dense),
//! `weights` (V×16), `kintree_table` (2×16), `f` (F×3), `hands_components` (45×45), `hands_mean` (45). Everything is checked
//! here, so that a damaged file is one sentence and no panic later.
//!
//! What MANO leaves open is a [`ManoConvention`]. MANO has no texture coordinates: a model that is loaded from a file gets a
//! layout of its own, made once and kept in the user's cache. It has no joint limits either and takes those of the open hand, whose joints and rest pose are the same.

mod convention;
mod fields;
mod find;
mod layout;
mod wrist;

pub use convention::{ManoConvention, TipConvention};
pub use find::{find_folder, folder_state};

use super::{HandError, HandModel, ModelLabels, ModelOrigin, open_hand};
use crate::anatomy::{JOINT_PARENTS, JOINTS, Side};
use crate::files::read_at_most;
use crate::mesh::Topology;
use fields::{ANY, Fields};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Where MANO is had.
pub(super) const REMEDY: &str =
    "Download it again from https://mano.is.tue.mpg.de (registration needed) and give the file as it is";
/// Largest file that is opened.
const FILE_BYTES: u64 = super::pickle::limits::INPUT_BYTES as u64;
/// Vertices and faces beyond these are no hand of MANO's.
const VERTICES: std::ops::RangeInclusive<usize> = 778..=20_000;
const FACES: usize = 40_000;

fn damaged(path: &str, problem: String) -> HandError {
    HandError::Unusable { path: path.to_owned(), problem, remedy: REMEDY.to_owned() }
}

/// The file of one side in a folder: `MANO_RIGHT.pkl` or `MANO_RIGHT.npz`, and so for the left.
///
/// # Errors
/// [`HandError`] when there is neither.
pub fn file_of(folder: &Path, side: Side) -> Result<PathBuf, HandError> {
    let stem = format!("MANO_{}", side.name().to_uppercase());
    let names = ["pkl", "npz"].map(|ending| format!("{stem}.{ending}"));
    names.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| HandError::Unusable {
        path: folder.join(&names[0]).display().to_string(),
        problem: "there is no such file".to_owned(),
        remedy: format!(
            "Register at https://mano.is.tue.mpg.de, download the models and put {} there, or leave --hand-model out",
            names[0]
        ),
    })
}

/// Both hands from a folder, left first.
///
/// # Errors
/// [`HandError`] of the first file that is missing or cannot be used.
pub fn load_folder(folder: &Path, convention: &ManoConvention) -> Result<[HandModel; 2], HandError> {
    let (left, right) = (file_of(folder, Side::Left)?, file_of(folder, Side::Right)?);
    let right = load_as_filed(&right, Side::Right, convention)?;
    let mut left = load_as_filed(&left, Side::Left, convention)?;
    if convention.fix_left_shapedirs {
        fix_left_shapedirs(&mut left, &right);
    }
    Ok([left, right])
}

/// One hand from a file. A left hand whose convention wants its shape directions repaired is compared with the right hand's
/// file in the same folder.
///
/// # Errors
/// [`HandError`] when the file (or the right hand's beside it) is missing or cannot be used.
pub fn load(path: &Path, side: Side, convention: &ManoConvention) -> Result<HandModel, HandError> {
    let mut model = load_as_filed(path, side, convention)?;
    if side == Side::Left && convention.fix_left_shapedirs {
        let right = file_of(path.parent().unwrap_or(Path::new("")), Side::Right)?;
        fix_left_shapedirs(&mut model, &load_as_filed(&right, Side::Right, convention)?);
    }
    Ok(model)
}

fn load_as_filed(path: &Path, side: Side, convention: &ManoConvention) -> Result<HandModel, HandError> {
    let name = path.display().to_string();
    let mut model = parse(&name, &read_limited(path, &name)?, side, convention)?;
    layout::lay_out(&mut model);
    model.origin.file = Some(path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    Ok(model)
}

/// The bytes of a file that is no larger than a hand model can be.
fn read_limited(path: &Path, name: &str) -> Result<Vec<u8>, HandError> {
    let unreadable = |e: std::io::Error| damaged(name, format!("it cannot be read ({e})"));
    // What is no file may be one that never ends.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(damaged(name, "it is no file".to_owned()));
    }
    let too_large = || damaged(name, format!("it is larger than {} MiB, so it is no MANO model", FILE_BYTES >> 20));
    read_at_most(path, FILE_BYTES).map_err(unreadable)?.ok_or_else(too_large)
}

/// Turns the x components of the left hand's shape directions when they are a copy of the right hand's (see
/// [`ManoConvention::fix_left_shapedirs`]). Returns whether they were.
pub fn fix_left_shapedirs(left: &mut HandModel, right: &HandModel) -> bool {
    let pairs = left.shape_directions.iter().zip(&right.shape_directions);
    let difference: f64 = pairs.flat_map(|(l, r)| l[0].iter().zip(&r[0])).map(|(l, r)| (l - r).abs()).sum();
    let shared = left.shape_directions.len() == right.shape_directions.len() && difference < 1.0;
    if shared {
        for x in left.shape_directions.iter_mut().flat_map(|rows| &mut rows[0]) {
            *x = -*x;
        }
    }
    left.origin.left_shapedirs_fixed = shared;
    shared
}

fn rows<const N: usize, T: Copy>(values: &[T]) -> Vec<[T; N]> {
    values.as_chunks::<N>().0.to_vec()
}

/// Reads a MANO model from the bytes of a file; `path` is used in messages only. Shape directions stay as they are filed.
///
/// # Errors
/// [`HandError`] with what is wrong, in one sentence.
pub fn parse(path: &str, bytes: &[u8], side: Side, convention: &ManoConvention) -> Result<HandModel, HandError> {
    if !(1..=45).contains(&convention.pca_components) {
        return Err(HandError::Unusable {
            path: path.to_owned(),
            problem: format!("{} PCA components are asked for", convention.pca_components),
            remedy: "Choose 1 to 45".to_owned(),
        });
    }
    let mut fields = Fields::open(path, bytes)?;
    let (template, shape) = fields.floats("v_template", &[ANY, 3])?;
    let count = shape[0];
    if !VERTICES.contains(&count) {
        return Err(fields.wrong("v_template", &format!("has {count} vertices, MANO has 778")));
    }
    if template.iter().any(|x| x.abs() > 1.0) {
        return Err(fields.wrong("v_template", "reaches beyond 1 m, so it is not in metres"));
    }
    let (directions, shape) = fields.floats("shapedirs", &[count, 3, ANY])?;
    let shapes = shape[2];
    if shapes < 10 {
        return Err(fields.wrong("shapedirs", &format!("has {shapes} components, at least 10 are needed")));
    }
    let shape_directions = directions
        .chunks_exact(3 * shapes)
        .map(|v| std::array::from_fn(|axis| std::array::from_fn(|c| v[shapes * axis + c])))
        .collect();
    let (correctives, _) = fields.floats("posedirs", &[count, 3, 135])?;
    let pose_directions = correctives
        .chunks_exact(3 * 135)
        .map(|v| std::array::from_fn(|axis| std::array::from_fn(|c| v[135 * axis + c])))
        .collect();
    check_tree(&mut fields)?;
    let skin_weights = rows::<JOINTS, f64>(&fields.floats("weights", &[count, JOINTS])?.0);
    if skin_weights.iter().any(|row| (row.iter().sum::<f64>() - 1.0).abs() > 1e-3) {
        return Err(fields.wrong("weights", "have rows that do not sum to one"));
    }
    let faces = rows::<3, u32>(&fields.indices("f", &[ANY, 3], count)?);
    if faces.is_empty() || faces.len() > FACES {
        return Err(fields.wrong("f", &format!("has {} triangles, MANO has 1538", faces.len())));
    }
    if !Topology::new(count, &faces).is_manifold() {
        return Err(fields.wrong("f", "is no surface: some edge has more than two triangles or two that disagree"));
    }
    let joint_regressor = fields.sparse("J_regressor", JOINTS, count)?;
    let tips = convention.tips.vertices(side);
    let template = rows::<3, f64>(&template);
    let wrist = super::skinning::regress_joint(&template, &joint_regressor[0]);
    Ok(HandModel {
        name: "mano".to_owned(),
        hash: format!("{:x}", Sha256::digest(bytes)),
        side,
        wrist_loop: wrist::wrist_loop(&template, &faces, &wrist),
        template,
        faces,
        shape_directions,
        pose_directions: Some(pose_directions),
        joint_regressor,
        skin_weights,
        hands_mean: rows::<45, f64>(&fields.floats("hands_mean", &[45])?.0)[0],
        hands_components: rows::<45, f64>(&fields.floats("hands_components", &[45, 45])?.0),
        uvs: Vec::new(),
        uv_faces: Vec::new(),
        tips,
        joint_limits: open_hand(side)?.joint_limits,
        labels: ModelLabels::default(),
        origin: ModelOrigin {
            file: None,
            convention: convention.clone(),
            left_shapedirs_fixed: false,
            start_weights: None,
        },
    })
}

/// The kinematic tree must be MANO's. The root's parent is -1, or what became of it in an unsigned type.
fn check_tree(fields: &mut Fields<'_>) -> Result<(), HandError> {
    let (tree, _) = fields.floats("kintree_table", &[2, JOINTS])?;
    let root_is_free = tree[0] < 0.0 || tree[0] >= 4_294_967_295.0;
    let same = (1..JOINTS).all(|j| tree[j] == f64::from(JOINT_PARENTS[j]));
    if root_is_free && same {
        return Ok(());
    }
    Err(fields.wrong("kintree_table", "is not MANO's tree of joints"))
}
