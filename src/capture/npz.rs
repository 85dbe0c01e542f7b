//! Float arrays from `NumPy` `.npz` archives: `f64` or `f32`, C or Fortran order, either byte order.

use nalgebra::Matrix4;
use npyz::npz::NpzArchive;
use npyz::{NpyFile, Order};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

/// Largest array accepted, in bytes unpacked: a guard against damaged headers and archive bombs.
const MAX_ARRAY_BYTES: u64 = 1 << 30;

/// An archive held in memory; arrays are unpacked when asked for.
pub struct Npz {
    path: PathBuf,
    archive: NpzArchive<Cursor<Vec<u8>>>,
}

/// An array of floats in C order (last index fastest), whatever the file's order and precision.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatArray {
    /// Length of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values, last axis fastest.
    pub values: Vec<f64>,
}

/// Why an archive or an array in it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// The file cannot be opened or read.
    #[error("{path}: cannot be read ({source})", path = path.display())]
    Io {
        /// The archive.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No zip archive, or a truncated one, or one array in it is damaged.
    #[error("{path}: {problem}", path = path.display())]
    Damaged {
        /// The archive.
        path: PathBuf,
        /// What is damaged.
        problem: String,
    },
    /// There is no array of this name.
    #[error("{path}: there is no array `{key}` in it (found: {found})", path = path.display())]
    MissingKey {
        /// The archive.
        path: PathBuf,
        /// The name looked for.
        key: String,
        /// The names it has, shortened.
        found: String,
    },
    /// The array has other lengths than expected.
    #[error("{path}: array `{key}` has shape {found:?}, expected {expected:?}", path = path.display())]
    WrongShape {
        /// The archive.
        path: PathBuf,
        /// The array.
        key: String,
        /// What was expected.
        expected: Vec<usize>,
        /// What is there.
        found: Vec<usize>,
    },
    /// The array holds something else than floats.
    #[error("{path}: array `{key}` holds {found}, expected 32- or 64-bit floats", path = path.display())]
    WrongType {
        /// The archive.
        path: PathBuf,
        /// The array.
        key: String,
        /// `NumPy`'s name of the type.
        found: String,
    },
}

impl Npz {
    /// Opens an archive and reads it into memory.
    ///
    /// # Errors
    /// [`NpzError::Io`] when it cannot be read, [`NpzError::Damaged`] when it is no archive.
    pub fn open(path: &Path) -> Result<Self, NpzError> {
        let bytes = std::fs::read(path).map_err(|source| NpzError::Io { path: path.into(), source })?;
        Self::from_bytes(path, bytes)
    }

    /// An archive already in memory; `path` is used in messages only.
    ///
    /// # Errors
    /// [`NpzError::Damaged`] when the bytes are no archive.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self, NpzError> {
        let archive = NpzArchive::new(Cursor::new(bytes)).map_err(|error| NpzError::Damaged {
            path: path.into(),
            problem: format!("is damaged or no .npz archive ({error})"),
        })?;
        Ok(Self { path: path.into(), archive })
    }

    /// Names of the arrays, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.archive.array_names().map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// Whether there is an array of this name.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.archive.array_names().any(|name| name == key)
    }

    /// Reads one array.
    ///
    /// # Errors
    /// [`NpzError`] when it is missing, damaged, truncated or no float array.
    pub fn array(&mut self, key: &str) -> Result<FloatArray, NpzError> {
        if !self.contains(key) {
            return Err(NpzError::MissingKey {
                path: self.path.clone(),
                key: key.into(),
                found: shortened(&self.names()),
            });
        }
        let bytes = self.unpack(key)?;
        let damaged = |problem: String| NpzError::Damaged {
            path: self.path.clone(),
            problem: format!("array `{key}` is damaged ({problem})"),
        };
        checked_shape(&bytes).map_err(&damaged)?;
        let npy = NpyFile::new(bytes.as_slice()).map_err(|e| damaged(e.to_string()))?;
        let shape: Vec<usize> = npy
            .shape()
            .iter()
            .map(|&n| usize::try_from(n))
            .collect::<Result<_, _>>()
            .map_err(|e| damaged(e.to_string()))?;
        let order = npy.order();
        let stored = match npy.try_data::<f64>() {
            Ok(values) => values.collect::<Result<Vec<f64>, _>>(),
            Err(npy) => match npy.try_data::<f32>() {
                Ok(values) => values.map(|v| v.map(f64::from)).collect(),
                Err(npy) => {
                    let found = npy.dtype().descr();
                    return Err(NpzError::WrongType { path: self.path.clone(), key: key.into(), found });
                }
            },
        };
        let stored = stored.map_err(|e| damaged(format!("it ends too early: {e}")))?;
        let values = if order == Order::Fortran { c_from_fortran(&shape, &stored) } else { stored };
        Ok(FloatArray { shape, values })
    }

    /// Reads a 4×4 matrix.
    ///
    /// # Errors
    /// As [`Npz::array`], and [`NpzError::WrongShape`].
    pub fn matrix4(&mut self, key: &str) -> Result<Matrix4<f64>, NpzError> {
        let array = self.array(key)?;
        if array.shape != [4, 4] {
            return Err(NpzError::WrongShape {
                path: self.path.clone(),
                key: key.into(),
                expected: vec![4, 4],
                found: array.shape,
            });
        }
        Ok(Matrix4::from_row_slice(&array.values))
    }

    /// The bytes of one entry, read to its end so that the checksum is verified.
    pub(super) fn unpack(&mut self, key: &str) -> Result<Vec<u8>, NpzError> {
        let damaged = |problem: String| NpzError::Damaged {
            path: self.path.clone(),
            problem: format!("array `{key}` is damaged ({problem})"),
        };
        let name = npyz::npz::file_name_from_array_name(key);
        let entry = self.archive.zip_archive().by_name(&name).map_err(|e| damaged(e.to_string()))?;
        let mut bytes = Vec::new();
        entry.take(MAX_ARRAY_BYTES + 1).read_to_end(&mut bytes).map_err(|e| damaged(e.to_string()))?;
        if bytes.len() as u64 > MAX_ARRAY_BYTES {
            return Err(damaged("larger than 1 GiB".into()));
        }
        Ok(bytes)
    }
}

/// Refuses a header whose shape multiplies beyond [`MAX_ARRAY_BYTES`]; the reader below would overflow on it.
fn checked_shape(npy: &[u8]) -> Result<(), String> {
    let header: String = npy.iter().take(4096).map(|&b| char::from(b)).collect();
    let shape = header
        .split_once("'shape'")
        .and_then(|(_, rest)| rest.split_once('('))
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(inside, _)| inside)
        .ok_or_else(|| "it has no NumPy header".to_owned())?;
    let mut product = 1_u64;
    for axis in shape.split(',').map(str::trim).filter(|s| !s.is_empty()) {
        let length: u64 = axis.trim_end_matches('L').parse().map_err(|_| format!("its shape is ({shape})"))?;
        product = product.checked_mul(length.max(1)).filter(|&p| p <= MAX_ARRAY_BYTES).ok_or("it is absurdly large")?;
    }
    Ok(())
}

/// Values with the last axis fastest from values with the first axis fastest.
fn c_from_fortran(shape: &[usize], stored: &[f64]) -> Vec<f64> {
    let mut values = Vec::with_capacity(stored.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..stored.len() {
        let at = shape.iter().zip(&index).rev().fold(0, |at, (&length, &i)| at * length + i);
        values.push(stored[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    values
}

/// At most eight names, for a message.
fn shortened(names: &[String]) -> String {
    match names {
        [] => "nothing".into(),
        few if few.len() <= 8 => few.join(", "),
        many => format!("{}, … {} in all", many[..8].join(", "), many.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_shapes_are_refused_before_they_are_multiplied() {
        let header =
            |shape: &str| format!("\u{93}NUMPY {{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
        let checked = |shape: &str| checked_shape(&header(shape).chars().map(|c| c as u8).collect::<Vec<_>>());
        for shape in ["()", "(3,)", "(4, 4)", "(0, 5)", "(4L, 4L)"] {
            assert_eq!(checked(shape), Ok(()), "{shape} is fine");
        }
        for shape in ["(4294967296, 4294967296)", "(2000000000,)", "(-1,)", "(99999999999999999999,)"] {
            assert!(checked(shape).is_err(), "{shape} is refused");
        }
        assert!(checked_shape(b"").is_err(), "nothing is no header");
    }

    #[test]
    fn fortran_order_is_turned_for_three_axes() {
        // a[i][j][k] = 100 i + 10 j + k, stored with i fastest.
        let shape = [2, 3, 2];
        let mut stored = Vec::new();
        for k in 0..2 {
            for j in 0..3 {
                for i in 0..2 {
                    stored.push(f64::from(100 * i + 10 * j + k));
                }
            }
        }
        let expected = [0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 100.0, 101.0, 110.0, 111.0, 120.0, 121.0];
        assert_eq!(c_from_fortran(&shape, &stored), expected, "last axis fastest");
    }
}
