//! A reader of Python pickles that runs nothing.
//!
//! A pickle is a program for a small stack machine, and two of its instructions name any importable function and call it:
//! whoever loads a foreign pickle with Python runs foreign code. This reader interprets the instructions of protocols 0 to 5
//! (`pickletools.py` of `CPython` is the reference) but knows a fixed list of classes only, those that hand-model files need:
//! `NumPy` arrays, `scipy.sparse` matrices, chumpy's `Ch` and `Select`, sets and ordered dictionaries. Each is data here, made
//! by code of this module. Any other name ends the reading with [`PickleError::ForeignClass`] before it is called. Files of
//! `PyTorch` have a list of their own ([`Pickle::parse_torch`]): storages and the functions that make tensors of them.
//!
//! Nothing recurses and nothing is copied: values live in one arena and refer to each other by number, arrays are slices of
//! the input. So a value that contains itself, a hundred thousand brackets or a "billion laughs" cost no more than their
//! bytes. What a file *claims* (lengths, shapes, memo numbers) is compared with what is there before anything is allocated,
//! and [`limits`] bound the rest: reading ends in milliseconds and below 64 MiB whatever the input is.
//!
//! The module names nothing else of this crate, so that the fuzz target compiles it alone.

mod array;
mod chumpy;
mod classes;
mod instructions;
mod machine;
mod npy;
mod scan;
mod sparse;
mod torch;
mod value;

pub use array::Numbers;
pub use npy::npy_numbers;
pub use sparse::SparseRows;
pub use torch::{TorchTensor, TorchValue};
pub use value::{Pickle, Value};

/// What a file may ask for. A MANO file has some 450 instructions, 70 memo entries and an array of 2.5 MB.
pub mod limits {
    /// Bytes of a pickle (text protocol: four characters a byte).
    pub const INPUT_BYTES: usize = 24 << 20;
    /// Instructions.
    pub const INSTRUCTIONS: usize = 200_000;
    /// Values.
    pub const VALUES: usize = 100_000;
    /// References from containers to values.
    pub const ITEMS: usize = 200_000;
    /// Values on the stack at once.
    pub const STACK: usize = 20_000;
    /// Memo entries.
    pub const MEMO: usize = 50_000;
    /// Containers within containers.
    pub const DEPTH: u16 = 100;
    /// Bytes of one array, and of all texts that had to be decoded.
    pub const ARRAY_BYTES: usize = 8 << 20;
    /// Axes of an array.
    pub const AXES: usize = 8;
    /// Numbers of an array that is converted.
    pub const NUMBERS: usize = 1 << 20;
    /// Numbers of all tensors of a file of `PyTorch`; the published regressor has 2.3 million.
    pub const TENSOR_NUMBERS: usize = 16 << 20;
    /// Letters of a class name.
    pub const NAME: usize = 256;
}

/// Why a pickle is refused. Each message goes on from "the file …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// The bytes end within an instruction, or before the last one.
    #[error("ends too early, after {at} bytes")]
    Truncated {
        /// Length of what is there.
        at: usize,
    },
    /// A class or function outside the allow-list.
    #[error("asks for `{class}`, which no such file needs; nothing of it was run")]
    ForeignClass {
        /// `module.name`, shortened and with odd characters replaced.
        class: String,
    },
    /// An instruction that a file by itself cannot have, or that reaches outside the file.
    #[error("uses {what} at byte {at}, which no such file needs")]
    Forbidden {
        /// What it is.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// More than the reader is ready to hold.
    #[error("has more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// Not a pickle, or a damaged one.
    #[error("is damaged at byte {at}: {problem}")]
    Malformed {
        /// Where.
        at: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A sound value of another kind than is needed there.
    #[error("{problem}")]
    Unexpected {
        /// What is there and what was expected.
        problem: String,
    },
}

impl PickleError {
    pub(super) fn unexpected(problem: impl Into<String>) -> Self {
        Self::Unexpected { problem: problem.into() }
    }
}

#[cfg(test)]
mod tests;
