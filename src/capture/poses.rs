//! A file of hand poses to replay: an NPZ as MANO users keep them.
//!
//! `hand_pose` (N×45, or 45) and `global_orient` (N×3, or 3): axis-angle, radians; optional `transl` (N×3, or 3): metres,
//! zero without it; optional `side` (`left` or `right`); optional `flat_hand_mean`: when false, the model's mean pose is to
//! be added to `hand_pose` (true without it, as in the files this program writes). An array of one frame holds for all.
//! Other arrays are not looked at: shape and scale are those of the reconstructed person.

use super::{CaptureError, FloatArray, Npz, NpzError};
use crate::anatomy::Side;
use std::path::{Path, PathBuf};

/// More frames than this are a mistake (an hour at 25 a second is 90,000).
const MAX_FRAMES: usize = 100_000;
const FORMAT: &str = "A pose file is an NPZ with `hand_pose` (N×45) and `global_orient` (N×3), optionally `transl` (N×3), \
                      `side` and `flat_hand_mean`";

/// One pose.
#[derive(Clone, Debug, PartialEq)]
pub struct PoseFrame {
    /// Rotation about the wrist joint, axis-angle, radians.
    pub global_orient: [f64; 3],
    /// Axis-angle of joints 1-15, radians, as in the file.
    pub hand_pose: [f64; 45],
    /// Translation, metres, applied last.
    pub transl: [f64; 3],
}

/// Poses in order.
#[derive(Clone, Debug, PartialEq)]
pub struct PoseSequence {
    /// Where it was read from.
    pub path: PathBuf,
    /// The hand it is for, if the file says.
    pub side: Option<Side>,
    /// Nothing is to be added to `hand_pose`.
    pub flat_hand_mean: bool,
    /// The poses; at least one.
    pub frames: Vec<PoseFrame>,
}

impl PoseSequence {
    /// Reads a pose file.
    ///
    /// # Errors
    /// [`CaptureError`] that says which array is missing or has which shape.
    pub fn read(path: &Path) -> Result<Self, CaptureError> {
        let mut npz = Npz::open(path).map_err(array)?;
        let mut read = |key: &str, width: usize, required: bool| {
            if !required && !npz.contains(key) {
                return Ok(FloatArray { shape: vec![width], values: vec![0.0; width] });
            }
            rows(path, key, width, npz.array(key).map_err(array)?)
        };
        let orient = read("global_orient", 3, true)?;
        let pose = read("hand_pose", 45, true)?;
        let transl = read("transl", 3, false)?;
        let (side, flat_hand_mean) = (side(path, &mut npz)?, flat(path, &mut npz)?);
        let lengths = [(&orient, 3, "global_orient"), (&pose, 45, "hand_pose"), (&transl, 3, "transl")]
            .map(|(a, width, key)| (a.values.len() / width, key));
        let counts = lengths.map(|(n, _)| n);
        let count = if counts.contains(&0) { 0 } else { counts.into_iter().max().unwrap_or(0) };
        if count == 0 || count > MAX_FRAMES {
            let problem = format!("it holds {count} poses");
            return Err(CaptureError::unusable(path, problem, &format!("Give 1 to {MAX_FRAMES}")));
        }
        if let Some((n, key)) = lengths.iter().find(|(n, _)| *n != 1 && *n != count) {
            let problem = format!("array `{key}` has {n} frames, another one {count}");
            return Err(CaptureError::unusable(path, problem, "Give every array as many frames, or one"));
        }
        let frames = (0..count)
            .map(|i| PoseFrame {
                global_orient: frame(&orient, i),
                hand_pose: frame(&pose, i),
                transl: frame(&transl, i),
            })
            .collect();
        Ok(Self { path: path.to_owned(), side, flat_hand_mean, frames })
    }
}

fn array(source: NpzError) -> CaptureError {
    CaptureError::Array { source, remedy: format!("{FORMAT}.") }
}

/// Frame `i` of an array, its only one if it has one.
fn frame<const N: usize>(array: &FloatArray, i: usize) -> [f64; N] {
    let start = if array.values.len() == N { 0 } else { i * N };
    std::array::from_fn(|k| array.values[start + k])
}

/// Checks that an array is `width` numbers or rows of them, all finite.
fn rows(path: &Path, key: &str, width: usize, array: FloatArray) -> Result<FloatArray, CaptureError> {
    if !matches!(array.shape[..], [w] | [_, w] if w == width) {
        let problem = format!("array `{key}` has shape {:?}, expected {width} or N×{width} numbers", array.shape);
        return Err(CaptureError::unusable(path, problem, FORMAT));
    }
    if let Some(bad) = array.values.iter().position(|v| !v.is_finite()) {
        let problem = format!("array `{key}` has a number that is not finite in frame {}", bad / width);
        return Err(CaptureError::unusable(path, problem, "Leave such frames out"));
    }
    Ok(array)
}

fn side(path: &Path, npz: &mut Npz) -> Result<Option<Side>, CaptureError> {
    if !npz.contains("side") {
        return Ok(None);
    }
    let bytes = npz.unpack("side").map_err(array)?;
    let text = text(&bytes).unwrap_or_default().to_lowercase();
    match Side::BOTH.into_iter().find(|s| s.name() == text) {
        Some(side) => Ok(Some(side)),
        None => {
            let problem = format!("`side` is `{text}`");
            Err(CaptureError::unusable(path, problem, "Write `left` or `right`, or leave it out"))
        }
    }
}

fn flat(path: &Path, npz: &mut Npz) -> Result<bool, CaptureError> {
    if !npz.contains("flat_hand_mean") {
        return Ok(true);
    }
    let bytes = npz.unpack("flat_hand_mean").map_err(array)?;
    match body(&bytes) {
        Some((kind, [value])) if kind == "|b1" && *value <= 1 => Ok(*value == 1),
        _ => Err(CaptureError::unusable(path, "`flat_hand_mean` is no truth value", "Write one, or leave it out")),
    }
}

/// Type and data of an NPY file.
fn body(npy: &[u8]) -> Option<(&str, &[u8])> {
    let rest = npy.strip_prefix(b"\x93NUMPY")?;
    let (major, rest) = (*rest.first()?, rest.get(2..)?);
    let (length, rest) = if major == 1 {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        (usize::try_from(u32::from_le_bytes(*length)).ok()?, rest)
    };
    let (header, data) = rest.split_at_checked(length)?;
    let (_, kind) = std::str::from_utf8(header).ok()?.split_once("'descr'")?;
    Some((kind.split('\'').nth(1)?, data))
}

/// A text: Unicode of either byte order, or bytes.
fn text(npy: &[u8]) -> Option<String> {
    let (kind, data) = body(npy)?;
    let decode = |unit: fn([u8; 4]) -> u32| -> Option<String> {
        data.as_chunks::<4>().0.iter().map(|c| unit(*c)).filter(|c| *c != 0).map(char::from_u32).collect()
    };
    match kind.get(..2)? {
        "<U" | "|U" | "=U" => decode(u32::from_le_bytes),
        ">U" => decode(u32::from_be_bytes),
        "|S" => Some(data.iter().filter(|b| **b != 0).map(|b| char::from(*b)).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// An NPY file of version 1.
    fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut out = b"\x93NUMPY\x01\x00".to_vec();
        out.extend(u16::try_from(header.len()).expect("short").to_le_bytes());
        out.extend(header.as_bytes());
        out.extend(data);
        out
    }

    fn floats(shape: &str, values: &[f64]) -> Vec<u8> {
        npy("<f8", shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
    }

    /// Name and bytes of an array.
    type Entry = (&'static str, Vec<u8>);

    fn unicode(text: &str) -> Vec<u8> {
        let data: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        npy(&format!("<U{}", text.len()), "()", &data)
    }

    fn read(entries: &[Entry]) -> Result<PoseSequence, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("poses.npz");
        let mut zip = npyz::zip::ZipWriter::new(std::fs::File::create(&path).expect("a file"));
        for (name, bytes) in entries {
            zip.start_file(format!("{name}.npy"), npyz::zip::write::FileOptions::default()).expect("an entry");
            zip.write_all(bytes).expect("written");
        }
        zip.finish().expect("an archive");
        PoseSequence::read(&path).map_err(|e| e.to_string())
    }

    #[test]
    fn sequences_single_poses_and_optional_arrays() {
        let pose: Vec<f64> = (0..90).map(f64::from).collect();
        let full = [
            ("global_orient", floats("(2, 3)", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
            ("hand_pose", floats("(2, 45)", &pose)),
            ("transl", floats("(3,)", &[0.1, 0.2, 0.3])),
            ("side", unicode("left")),
            ("flat_hand_mean", npy("|b1", "()", &[0])),
            ("betas", floats("(10,)", &[0.0; 10])),
        ];
        let sequence = read(&full).expect("sound");
        assert_eq!((sequence.side, sequence.flat_hand_mean), (Some(Side::Left), false), "what it says");
        assert_eq!(sequence.frames.len(), 2, "two poses");
        assert_eq!(sequence.frames[1].global_orient, [4.0, 5.0, 6.0], "of frame 1");
        assert_eq!(sequence.frames[1].hand_pose[0], 45.0, "rows of 45");
        assert_eq!(sequence.frames[1].transl, [0.1, 0.2, 0.3], "one translation holds for all");
        let one = [("global_orient", floats("(3,)", &[0.0; 3])), ("hand_pose", floats("(45,)", &pose[..45]))];
        let sequence = read(&one).expect("sound");
        assert_eq!((sequence.side, sequence.flat_hand_mean), (None, true), "what is not said");
        assert_eq!((sequence.frames.len(), sequence.frames[0].transl), (1, [0.0; 3]), "one pose, not moved");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let orient = || ("global_orient", floats("(2, 3)", &[0.0; 6]));
        let pose = |shape: &str, n: usize| ("hand_pose", floats(shape, &vec![0.0; n]));
        let cases: [(Vec<Entry>, &[&str]); 8] = [
            (vec![orient()], &["no array `hand_pose`", "A pose file is"]),
            (vec![pose("(45,)", 45)], &["no array `global_orient`"]),
            (vec![orient(), pose("(2, 6)", 12)], &["`hand_pose` has shape [2, 6]", "N×45"]),
            (vec![orient(), pose("(3, 45)", 135)], &["`global_orient` has 2 frames", "3"]),
            (vec![("global_orient", floats("(0, 3)", &[])), pose("(0, 45)", 0)], &["holds 0 poses"]),
            (
                vec![("global_orient", floats("(3,)", &[0.0, f64::NAN, 0.0])), pose("(45,)", 45)],
                &["not finite in frame 0"],
            ),
            (vec![orient(), pose("(45,)", 45), ("side", unicode("both"))], &["`side` is `both`"]),
            (vec![orient(), pose("(45,)", 45), ("flat_hand_mean", unicode("no"))], &["no truth value"]),
        ];
        for (entries, words) in cases {
            let said = read(&entries).expect_err("refused");
            for word in words {
                assert!(said.contains(word), "`{word}` in: {said}");
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("poses.npz");
        assert!(PoseSequence::read(&path).is_err(), "a file that is not there");
        std::fs::write(&path, b"no archive").expect("written");
        assert!(PoseSequence::read(&path).is_err(), "a file that is no archive");
    }
}
