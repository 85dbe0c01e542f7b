//! The `.npy` format (`numpy.lib.format`): a header in Python's syntax, then the numbers. Entries of an `.npz` archive.

use super::array::{Array, Dtype};
use super::scan::Data;
use super::{Numbers, PickleError, limits};

/// Longest header that is looked at.
const HEADER_BYTES: usize = 4096;

/// The numbers of one `.npy` file.
///
/// # Errors
/// [`PickleError`] when it is damaged, holds no numbers (objects would be a pickle within), or is beyond [`limits`].
pub fn npy_numbers(bytes: &[u8]) -> Result<Numbers, PickleError> {
    let damaged = || PickleError::unexpected("has an array without a NumPy header");
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(damaged)?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => {
            (usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).map_err(|_| damaged())?, rest)
        }
        _ => return Err(damaged()),
    };
    if length > HEADER_BYTES {
        return Err(damaged());
    }
    let (header, data) = rest.split_at_checked(length).ok_or_else(damaged)?;
    let header = std::str::from_utf8(header).map_err(|_| damaged())?;
    let after = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start()).ok_or_else(damaged);
    let dtype = after("'descr':")?.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).ok_or_else(damaged)?.0;
    let fortran = after("'fortran_order':")?.starts_with("True");
    let shape = after("'shape':")?.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(damaged)?.0;
    let shape = shape
        .split(',')
        .map(str::trim)
        .filter(|axis| !axis.is_empty())
        .take(limits::AXES + 1)
        .map(|axis| axis.trim_end_matches('L').parse().map_err(|_| damaged()))
        .collect::<Result<Vec<usize>, _>>()?;
    Array::new(Dtype::parse(dtype)?, shape, fortran, Data::Input(data))?.numbers()
}
