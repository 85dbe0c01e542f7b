//! The fields of a MANO file by name, whether it is a pickle or an `.npz` archive, each checked for its shape.

use super::super::HandError;
use super::super::pickle::{Numbers, Pickle, PickleError, SparseRows, npy_numbers};
use super::damaged;
use npyz::npz::{NpzArchive, file_name_from_array_name};
use std::io::{Cursor, Read};

/// Bytes an archive's entry may unpack to.
const ENTRY_BYTES: u64 = 8 << 20;

enum Source<'a> {
    Pickle(Box<Pickle<'a>>),
    Npz(Box<NpzArchive<Cursor<&'a [u8]>>>),
}

/// A file's fields.
pub(super) struct Fields<'a> {
    /// Name of the file, for messages.
    path: &'a str,
    source: Source<'a>,
}

/// An axis of any length.
pub(super) const ANY: usize = usize::MAX;

impl<'a> Fields<'a> {
    /// Opens a file that has been read; archives are told from pickles by their first bytes.
    pub(super) fn open(path: &'a str, bytes: &'a [u8]) -> Result<Self, HandError> {
        let source = if bytes.starts_with(b"PK\x03\x04") {
            let archive = NpzArchive::new(Cursor::new(bytes))
                .map_err(|e| damaged(path, format!("it is a damaged NPZ archive ({e})")))?;
            Source::Npz(Box::new(archive))
        } else {
            let pickle = Pickle::parse(bytes).map_err(|e| damaged(path, format!("it {e}")))?;
            if !pickle.root().is_dict() {
                return Err(damaged(path, format!("it holds {}, not a hand model", pickle.root().kind())));
            }
            Source::Pickle(Box::new(pickle))
        };
        Ok(Self { path, source })
    }

    pub(super) fn wrong(&self, name: &str, problem: &str) -> HandError {
        damaged(self.path, format!("its `{name}` {problem}"))
    }

    fn missing(&self, name: &str) -> HandError {
        damaged(self.path, format!("it has no `{name}`, so it is no MANO model"))
    }

    fn unpack(&mut self, name: &str) -> Result<Option<Vec<u8>>, HandError> {
        let path = self.path;
        let Source::Npz(archive) = &mut self.source else { return Ok(None) };
        if !archive.array_names().any(|n| n == name) {
            return Ok(None);
        }
        let wrong = |problem: String| damaged(path, format!("its `{name}` {problem}"));
        let entry = archive.zip_archive().by_name(&file_name_from_array_name(name));
        let mut bytes = Vec::new();
        entry
            .map_err(|e| wrong(format!("cannot be unpacked ({e})")))?
            .take(ENTRY_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| wrong(format!("cannot be unpacked ({e})")))?;
        if bytes.len() as u64 > ENTRY_BYTES {
            return Err(wrong("is larger than 8 MiB".to_owned()));
        }
        Ok(Some(bytes))
    }

    fn numbers(&mut self, name: &str) -> Result<Numbers, HandError> {
        let read: Result<Numbers, PickleError> = match &self.source {
            Source::Pickle(pickle) => pickle.root().get(name).ok_or_else(|| self.missing(name))?.numbers(),
            Source::Npz(_) => {
                let bytes = self.unpack(name)?.ok_or_else(|| self.missing(name))?;
                npy_numbers(&bytes)
            }
        };
        read.map_err(|e| self.wrong(name, &e.to_string()))
    }

    /// Finite numbers of a shape; [`ANY`] fits every length. Returns the shape found.
    pub(super) fn floats(&mut self, name: &str, shape: &[usize]) -> Result<(Vec<f64>, Vec<usize>), HandError> {
        let Numbers { shape: found, values } = self.numbers(name)?;
        let fits = found.len() == shape.len() && found.iter().zip(shape).all(|(f, s)| *s == ANY || f == s);
        if !fits {
            let expected: Vec<String> =
                shape.iter().map(|s| if *s == ANY { "any".to_owned() } else { s.to_string() }).collect();
            return Err(self.wrong(name, &format!("has shape {found:?}, expected [{}]", expected.join(", "))));
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(self.wrong(name, "has values that are not finite"));
        }
        Ok((values, found))
    }

    /// Whole numbers below `end`.
    pub(super) fn indices(&mut self, name: &str, shape: &[usize], end: usize) -> Result<Vec<u32>, HandError> {
        let (values, _) = self.floats(name, shape)?;
        let mut out = Vec::with_capacity(values.len());
        for v in values {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
            let index = (v.fract() == 0.0 && (0.0..4.0e9).contains(&v)).then_some(v as u32);
            match index.filter(|i| (*i as usize) < end) {
                Some(index) => out.push(index),
                None => return Err(self.wrong(name, &format!("has the index {v}, there are {end}"))),
            }
        }
        Ok(out)
    }

    /// A matrix, sparse or dense, as the entries of its rows that are not zero.
    pub(super) fn sparse(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Vec<Vec<(u32, f64)>>, HandError> {
        let sparse = match &self.source {
            Source::Pickle(pickle) => pickle.root().get(name).map_or(Ok(None), |value| value.sparse()),
            Source::Npz(_) => Ok(None),
        };
        let Some(SparseRows { columns: found, rows: list }) =
            sparse.map_err(|e: PickleError| self.wrong(name, &e.to_string()))?
        else {
            let (values, _) = self.floats(name, &[rows, columns])?;
            let row = |row: &[f64]| (0u32..).zip(row).filter(|(_, w)| **w != 0.0).map(|(v, w)| (v, *w)).collect();
            return Ok(values.chunks_exact(columns.max(1)).map(row).collect());
        };
        if (list.len(), found) != (rows, columns) {
            let problem = format!("has shape [{}, {found}], expected [{rows}, {columns}]", list.len());
            return Err(self.wrong(name, &problem));
        }
        if list.iter().flatten().any(|(_, w)| !w.is_finite()) {
            return Err(self.wrong(name, "has values that are not finite"));
        }
        Ok(list)
    }
}
