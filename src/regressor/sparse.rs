//! Sparse matrices over the vertices of two meshes.

#[cfg(feature = "train")]
use crate::safetensors::Tensor;
#[cfg(feature = "train")]
use std::collections::BTreeMap;

/// A matrix by its rows' non-zero entries.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sparse {
    pub columns: usize,
    pub rows: Vec<Vec<(u32, f32)>>,
}

impl Sparse {
    /// `self · x`, `x` with `channels` numbers a row.
    pub(super) fn times(&self, x: &[f64], channels: usize) -> Vec<f64> {
        let mut out = vec![0.0; self.rows.len() * channels];
        for (to, row) in out.chunks_exact_mut(channels.max(1)).zip(&self.rows) {
            for (column, weight) in row {
                let from = &x[*column as usize * channels..][..channels];
                for (t, f) in to.iter_mut().zip(from) {
                    *t += f64::from(*weight) * f;
                }
            }
        }
        out
    }

    /// The transposed matrix.
    #[cfg(feature = "train")]
    pub(super) fn transposed(&self) -> Self {
        let mut rows = vec![Vec::new(); self.columns];
        for (row, entries) in (0_u32..).zip(&self.rows) {
            for (column, weight) in entries {
                rows[*column as usize].push((row, *weight));
            }
        }
        Self { columns: self.rows.len(), rows }
    }

    /// As tensors `name.indices` (2×entries: row, column) and `name.values`, as a sparse tensor of `PyTorch` has them.
    #[cfg(feature = "train")]
    #[expect(clippy::cast_precision_loss, reason = "numbers of vertices are far below 2^24")]
    pub(super) fn to_tensors(&self, name: &str, tensors: &mut BTreeMap<String, Tensor>) {
        let entries = || self.rows.iter().enumerate().flat_map(|(r, row)| row.iter().map(move |(c, w)| (r, *c, *w)));
        let count = entries().count();
        let indices = entries().map(|e| e.0 as f32).chain(entries().map(|e| e.1 as f32)).collect();
        tensors.insert(format!("{name}.indices"), Tensor { shape: vec![2, count], data: indices });
        tensors.insert(format!("{name}.values"), Tensor { shape: vec![count], data: entries().map(|e| e.2).collect() });
    }

    /// From a list of entries; `None` when one lies outside or the lists differ in length.
    pub(super) fn from_entries(size: [usize; 2], indices: &[f32], values: &[f32]) -> Option<Self> {
        let (rows, columns) = indices.split_at_checked(values.len()).filter(|(_, c)| c.len() == values.len())?;
        let mut out = vec![Vec::new(); size[0]];
        for ((row, column), value) in rows.iter().zip(columns).zip(values) {
            let (row, column) = (whole(*row, size[0])?, whole(*column, size[1])?);
            out[row].push((u32::try_from(column).ok()?, *value));
        }
        Some(Self { columns: size[1], rows: out })
    }
}

/// A whole number below `end`.
fn whole(x: f32, end: usize) -> Option<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared afterwards")]
    let n = x as usize;
    #[expect(clippy::cast_precision_loss, reason = "numbers above 2^24 are refused")]
    let same = n as f32 == x && n < end.min(1 << 24);
    same.then_some(n)
}
