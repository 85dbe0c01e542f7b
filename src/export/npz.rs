//! `hand_right.npz`: the parameters of a fitted hand as `NumPy` arrays.
//!
//! Fields: `side`, `betas` (10), `global_orient` (3), `hand_pose` (45, axis-angle), `flat_hand_mean` (true: the pose is
//! `hand_pose`, zero is the flat hand; false: the pose is `hand_pose + hand_mean`), `hand_mean` (45), `pca` (the pose is
//! `hand_mean + pca · components`, cut to `num_pca_comps`), `transl` (3, metres, applied last), `scale`, `joints3d` (21×3),
//! `joint_order`, `unit`, `frame`, `model`, `model_sha256`, `convention` (the name of the data set or program whose habits
//! the file follows), `tips` and `tip_vertices` (5), `generator`, `licence`. Left hands also state `left_shapedirs_fixed`: for MANO whether
//! the x components of the file's shape directions were turned on reading (smplx issue 48), true for the open hand, whose sides
//! mirror each other.
//!
//! The archive is an uncompressed ZIP with fixed dates, so that equal values are equal bytes.

use super::{ExportError, Provenance, atomic, zip};
use crate::anatomy::{KEYPOINTS, Side};
use crate::hand::pickle::npy_numbers;
use crate::hand::{HandModel, HandParameters};
use std::io::{Cursor, Read};
use std::path::Path;

/// Arrays in the order they are added.
#[derive(Clone, Debug, Default)]
pub struct Npz {
    entries: Vec<(String, Vec<u8>)>,
}

impl Npz {
    /// Adds an array in C order.
    fn push(&mut self, name: &str, dtype: &str, shape: &[usize], data: &[u8]) {
        let shape = match shape {
            [one] => format!("({one},)"),
            many => format!("({})", many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        };
        let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
        // Magic (6), version (2), length (2), header, line break: a multiple of 64.
        let padded = (10 + header.len() + 1).next_multiple_of(64);
        header.extend(std::iter::repeat_n(' ', padded - 10 - header.len() - 1));
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        self.entries.push((format!("{name}.npy"), bytes));
    }

    /// Adds doubles of a shape (empty = a scalar).
    ///
    /// # Panics
    /// When the shape does not fit the number of values.
    pub fn f64s(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "the shape of {name} fits its values");
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.push(name, "<f8", shape, &bytes);
    }

    /// Adds floats of a shape.
    ///
    /// # Panics
    /// When the shape does not fit the number of values.
    pub fn f32s(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "the shape of {name} fits its values");
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.push(name, "<f4", shape, &bytes);
    }

    /// Adds a whole number.
    pub fn integer(&mut self, name: &str, value: i64) {
        self.push(name, "<i8", &[], &value.to_le_bytes());
    }

    /// Adds a list of whole numbers.
    pub fn integers(&mut self, name: &str, values: &[i64]) {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.push(name, "<i8", &[values.len()], &bytes);
    }

    /// Adds a truth value.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.push(name, "|b1", &[], &[u8::from(value)]);
    }

    /// Adds a text as a `NumPy` Unicode scalar.
    pub fn text(&mut self, name: &str, value: &str) {
        // NumPy has no empty strings of width 0 that every reader takes.
        let value = if value.is_empty() { " " } else { value };
        let bytes: Vec<u8> = value.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        self.push(name, &format!("<U{}", value.chars().count()), &[], &bytes);
    }

    /// The archive.
    ///
    /// # Errors
    /// [`ExportError::Encode`] beyond the ZIP format's 4 GiB.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ExportError> {
        zip::stored(&self.entries, 1)
    }
}

/// The archive of one hand.
///
/// # Errors
/// [`ExportError::Encode`].
pub fn hand_bytes(
    parameters: &HandParameters,
    model: &HandModel,
    joints: &[[f64; 3]; KEYPOINTS],
) -> Result<Vec<u8>, ExportError> {
    let side = parameters.side;
    let mut npz = Npz::default();
    npz.text("side", side.name());
    npz.f64s("betas", &[parameters.betas.len()], &parameters.betas);
    npz.f64s("global_orient", &[3], &parameters.global_orient);
    let convention = &model.origin.convention;
    let offset = model.pose_offset();
    let hand_pose: Vec<f64> = parameters.hand_pose.iter().zip(offset).map(|(p, o)| p - o).collect();
    npz.f64s("hand_pose", &[hand_pose.len()], &hand_pose);
    npz.flag("flat_hand_mean", convention.flat_hand_mean);
    npz.f64s("hand_mean", &[45], &model.hands_mean);
    // The rows of the basis are orthonormal, so coefficients are projections.
    let pca: Vec<f64> = model
        .hands_components
        .iter()
        .take(convention.pca_components)
        .map(|row| {
            (0..45.min(parameters.hand_pose.len()))
                .map(|i| row[i] * (parameters.hand_pose[i] - model.hands_mean[i]))
                .sum()
        })
        .collect();
    npz.f64s("pca", &[pca.len()], &pca);
    npz.integer("num_pca_comps", i64::try_from(pca.len()).unwrap_or(i64::MAX));
    npz.f64s("transl", &[3], &parameters.transl);
    npz.f64s("scale", &[], &[parameters.scale]);
    npz.f64s("joints3d", &[KEYPOINTS, 3], joints.as_flattened());
    npz.text("joint_order", "mediapipe");
    npz.text("unit", "m");
    npz.text("frame", "capture");
    npz.text("model", &model.name);
    npz.text("model_sha256", &model.hash);
    npz.text("convention", &convention.name);
    npz.text("tips", convention.tips.name());
    npz.integers("tip_vertices", &model.tips.map(i64::from));
    npz.text("generator", Provenance::GENERATOR);
    npz.text("licence", &super::licence(&model.name));
    if side == Side::Left {
        npz.flag("left_shapedirs_fixed", model.name != "mano" || model.origin.left_shapedirs_fixed);
    }
    npz.to_bytes()
}

/// Writes `hand_<side>.npz`.
///
/// # Errors
/// [`ExportError::Encode`] or [`ExportError::Io`].
pub fn write(
    path: &Path,
    parameters: &HandParameters,
    model: &HandModel,
    joints: &[[f64; 3]; KEYPOINTS],
) -> Result<(), ExportError> {
    atomic::write(path, &hand_bytes(parameters, model, joints)?)
}

/// Reads the parameters and joints of a file written by [`write()`].
///
/// # Errors
/// [`ExportError::Io`] or [`ExportError::Format`].
pub fn read(path: &Path, side: Side) -> Result<(HandParameters, [[f64; 3]; KEYPOINTS]), ExportError> {
    let bytes = std::fs::read(path).map_err(ExportError::io(path))?;
    parse(bytes, side).map_err(|problem| ExportError::format(path, problem))
}

/// A truth value, if the archive has it.
fn flag(archive: &mut npyz::npz::NpzArchive<Cursor<Vec<u8>>>, name: &str) -> Result<Option<bool>, String> {
    if !archive.array_names().any(|n| n == name) {
        return Ok(None);
    }
    let wrong = |e: &dyn std::fmt::Display| format!("field `{name}` is no truth value ({e})");
    let entry = archive.zip_archive().by_name(&npyz::npz::file_name_from_array_name(name)).map_err(|e| wrong(&e))?;
    let mut bytes = Vec::new();
    entry.take(4096).read_to_end(&mut bytes).map_err(|e| wrong(&e))?;
    match npy_numbers(&bytes).map_err(|e| wrong(&e))?.values[..] {
        [x] => Ok(Some(x != 0.0)),
        _ => Err(wrong(&"it has another shape")),
    }
}

fn parse(bytes: Vec<u8>, side: Side) -> Result<(HandParameters, [[f64; 3]; KEYPOINTS]), String> {
    let mut archive = npyz::npz::NpzArchive::new(Cursor::new(bytes)).map_err(|e| format!("no NPZ archive ({e})"))?;
    let flat = flag(&mut archive, "flat_hand_mean")?.unwrap_or(true);
    let mut field = |name: &str, count: usize| -> Result<Vec<f64>, String> {
        let file = archive
            .by_name(name)
            .map_err(|e| format!("field `{name}` cannot be read ({e})"))?
            .ok_or_else(|| format!("field `{name}` is missing"))?;
        let values = file.into_vec::<f64>().map_err(|e| format!("field `{name}` is not made of doubles ({e})"))?;
        if values.len() != count || !values.iter().all(|v| v.is_finite()) {
            return Err(format!("field `{name}` does not hold {count} finite numbers"));
        }
        Ok(values)
    };
    let three = |v: Vec<f64>| [v[0], v[1], v[2]];
    let mut hand_pose = field("hand_pose", 45)?;
    if !flat {
        for (p, mean) in hand_pose.iter_mut().zip(field("hand_mean", 45)?) {
            *p += mean;
        }
    }
    let parameters = HandParameters {
        side,
        global_orient: three(field("global_orient", 3)?),
        transl: three(field("transl", 3)?),
        hand_pose,
        betas: field("betas", 10)?,
        scale: field("scale", 1)?[0],
    };
    let flat = field("joints3d", KEYPOINTS * 3)?;
    let joints = std::array::from_fn(|k| [flat[3 * k], flat[3 * k + 1], flat[3 * k + 2]]);
    Ok((parameters, joints))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand::open_hand;

    #[test]
    fn a_hand_reads_back_exactly_and_repeats_byte_for_byte() {
        let model = open_hand(Side::Left).expect("the open hand");
        let mut parameters = HandParameters::rest(Side::Left);
        parameters.hand_pose[7] = 1.0 / 3.0;
        parameters.transl = [0.1, -0.2, 1.2];
        let mut joints = [[0.25; 3]; KEYPOINTS];
        joints[20][2] = 0.1;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("hand_left.npz");
        write(&path, &parameters, &model, &joints).expect("written");
        let first = std::fs::read(&path).expect("bytes");
        assert_eq!(read(&path, Side::Left).expect("read"), (parameters.clone(), joints), "every number comes back");
        assert_eq!(first, hand_bytes(&parameters, &model, &joints).expect("bytes"), "the same bytes again");
        let mut archive = npyz::npz::NpzArchive::new(Cursor::new(first.clone())).expect("an archive");
        let mut numbers = |name: &str| {
            let file = archive.by_name(name).expect("readable").expect("present");
            (file.shape().to_vec(), file.into_vec::<f64>().expect("doubles"))
        };
        let (shape, pca) = numbers("pca");
        assert_eq!(shape, [45], "all components");
        for i in 0..45 {
            let back: f64 = model.hands_mean[i] + (0..45).map(|k| pca[k] * model.hands_components[k][i]).sum::<f64>();
            assert!((back - parameters.hand_pose[i]).abs() < 1e-5, "pca gives back pose component {i}");
        }
        assert_eq!(numbers("joints3d").0, [21, 3], "joints are 21×3");
        assert_eq!(numbers("scale").0, [] as [u64; 0], "the scale is a scalar");
        std::fs::write(&path, &first[..first.len() / 2]).expect("cut");
        assert!(matches!(read(&path, Side::Left), Err(ExportError::Format { .. })), "half an archive is refused");
    }

    #[test]
    fn a_pose_that_counts_from_the_mean_reads_back_whole() {
        let mut model = open_hand(Side::Right).expect("the open hand");
        model.origin.convention = crate::hand::mano::ManoConvention::preset("fmhr").expect("a preset");
        model.hands_mean = std::array::from_fn(|i| if i % 2 == 0 { 0.25 } else { -0.5 });
        let mut parameters = HandParameters::rest(Side::Right);
        parameters.hand_pose[7] = 1.0;
        let bytes = hand_bytes(&parameters, &model, &[[0.0; 3]; KEYPOINTS]).expect("bytes");
        let (back, _) = parse(bytes.clone(), Side::Right).expect("read");
        assert_eq!(back, parameters, "the whole pose");
        let mut archive = npyz::npz::NpzArchive::new(Cursor::new(bytes)).expect("an archive");
        assert_eq!(flag(&mut archive, "flat_hand_mean"), Ok(Some(false)), "the convention is stated");
        assert_eq!(flag(&mut archive, "nothing"), Ok(None), "no such field");
        let mut doubles =
            |name: &str| archive.by_name(name).expect("readable").expect("present").into_vec::<f64>().expect("doubles");
        assert_eq!(doubles("hand_pose")[..2], [-0.25, 0.5], "the mean is not in it");
        assert_eq!(doubles("pca").len(), 6, "as many coefficients as the convention has");
    }
}
