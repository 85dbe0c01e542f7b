//! `NumPy` arrays: what a pickle holds of them, checked, and their numbers as `f64` in C order.

use super::scan::Data;
use super::{PickleError, limits};

/// What the elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `b1`.
    Bool,
    /// `i1` to `i8`.
    Signed,
    /// `u1` to `u8`.
    Unsigned,
    /// `f4`, `f8`.
    Float,
}

/// An element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dtype {
    /// Kind of number.
    pub(super) kind: Kind,
    /// Bytes an element: 1, 2, 4 or 8.
    pub(super) size: usize,
    /// Most significant byte first.
    pub(super) big_endian: bool,
}

impl Dtype {
    /// From `NumPy`'s short name, `f8` or `<f8`. Types that hold no plain numbers (objects, texts, records, complex, half)
    /// are refused.
    pub(super) fn parse(name: &str) -> Result<Self, PickleError> {
        let (big_endian, short) = match name.as_bytes() {
            [b'>', ..] => (true, &name[1..]),
            [b'<' | b'|' | b'=', ..] => (false, &name[1..]),
            _ => (false, name),
        };
        let (kind, size) = match short {
            "b1" | "?" => (Kind::Bool, 1),
            "i1" => (Kind::Signed, 1),
            "i2" => (Kind::Signed, 2),
            "i4" => (Kind::Signed, 4),
            "i8" => (Kind::Signed, 8),
            "u1" => (Kind::Unsigned, 1),
            "u2" => (Kind::Unsigned, 2),
            "u4" => (Kind::Unsigned, 4),
            "u8" => (Kind::Unsigned, 8),
            "f4" => (Kind::Float, 4),
            "f8" => (Kind::Float, 8),
            _ => {
                let name: String = name.chars().take(16).filter(|c| c.is_ascii_graphic()).collect();
                return Err(PickleError::unexpected(format!("holds an array of type `{name}`, only numbers are read")));
            }
        };
        Ok(Self { kind, size, big_endian })
    }

    /// The number that so many bytes stand for.
    pub(super) fn number(self, bytes: &[u8]) -> f64 {
        let mut wide = [0; 8];
        let little = &mut wide[..self.size];
        little.copy_from_slice(bytes);
        if self.big_endian {
            little.reverse();
        }
        let bits = u64::from_le_bytes(wide);
        let unused = 64 - 8 * u32::try_from(self.size).unwrap_or(8);
        #[expect(clippy::cast_precision_loss, reason = "indices are far below 2^53")]
        match self.kind {
            Kind::Bool => f64::from(bits != 0),
            Kind::Unsigned => bits as f64,
            Kind::Signed => ((bits << unused).cast_signed() >> unused) as f64,
            #[expect(clippy::cast_possible_truncation, reason = "the upper half is empty")]
            Kind::Float if self.size == 4 => f64::from(f32::from_bits(bits as u32)),
            Kind::Float => f64::from_bits(bits),
        }
    }
}

/// An array as it stands in the file.
#[derive(Clone, Debug)]
pub(super) struct Array<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    fortran: bool,
    data: Data<'a>,
}

/// Numbers with their shape, last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// Length of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// As many as the product of the shape.
    pub values: Vec<f64>,
}

impl<'a> Array<'a> {
    /// An array of these bytes. Refused when shape and element size do not multiply to the number of bytes that are there.
    pub(super) fn new(dtype: Dtype, shape: Vec<usize>, fortran: bool, data: Data<'a>) -> Result<Self, PickleError> {
        if shape.len() > limits::AXES {
            return Err(PickleError::Limit { what: "axes in an array", limit: limits::AXES });
        }
        let claimed = shape.iter().try_fold(dtype.size, |product, &n| product.checked_mul(n));
        if claimed != Some(data.len()) {
            return Err(PickleError::unexpected(format!(
                "has an array that claims shape {shape:?} of {} bytes each, with {} bytes for it",
                dtype.size,
                data.len()
            )));
        }
        if data.len() > limits::ARRAY_BYTES {
            return Err(PickleError::Limit { what: "bytes in an array", limit: limits::ARRAY_BYTES });
        }
        Ok(Self { dtype, shape, fortran, data })
    }

    /// The numbers, whatever their type, byte order and axis order were, at most [`limits::NUMBERS`].
    pub(super) fn numbers(&self) -> Result<Numbers, PickleError> {
        let count = self.data.len() / self.dtype.size;
        if count > limits::NUMBERS {
            return Err(PickleError::Limit { what: "numbers in an array", limit: limits::NUMBERS });
        }
        let stored: Vec<f64> = self.data.chunks_exact(self.dtype.size).map(|b| self.dtype.number(b)).collect();
        let values = if self.fortran { c_from_fortran(&self.shape, &stored) } else { stored };
        Ok(Numbers { shape: self.shape.clone(), values })
    }
}

/// Values with the last axis fastest from values with the first axis fastest.
fn c_from_fortran(shape: &[usize], stored: &[f64]) -> Vec<f64> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    let mut values = Vec::with_capacity(stored.len());
    for _ in 0..stored.len() {
        values.push(stored[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    values
}
