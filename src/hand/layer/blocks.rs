//! Linear maps from a few weights to all vertex coordinates, stored for a processor that adds eight numbers at a time.

use std::array::from_fn;

/// Coordinates (of the flattened V×3) in one block.
pub(super) const LANES: usize = 8;
/// Eight neighbouring coordinates.
pub(super) type Lanes = [f64; LANES];

/// `N` columns over all coordinates, cut into blocks of [`LANES`] rows; blocks of zeros are not stored.
///
/// Pose correctives act near their joint, so most of their blocks are empty in a hand made for speed; in a dense model all
/// are there, and memory is read once from front to back.
#[derive(Clone, Debug)]
pub(super) struct Blocks<const N: usize> {
    at: Vec<u32>,
    columns: Vec<[Lanes; N]>,
}

/// `values` in blocks, zeros behind the last.
pub(super) fn in_blocks(values: &[f64]) -> Vec<Lanes> {
    values.chunks(LANES).map(|chunk| from_fn(|lane| chunk.get(lane).copied().unwrap_or(0.0))).collect()
}

impl<const N: usize> Blocks<N> {
    /// From the entry of each (row, column).
    pub(super) fn new(rows: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let mut blocks = Self { at: Vec::new(), columns: Vec::new() };
        for block in 0..rows.div_ceil(LANES) {
            let at = |lane: usize, column: usize| {
                let row = block * LANES + lane;
                if row < rows { entry(row, column) } else { 0.0 }
            };
            let columns: [Lanes; N] = from_fn(|column| from_fn(|lane| at(lane, column)));
            if columns.as_flattened().iter().any(|value| *value != 0.0) {
                blocks.at.push(u32::try_from(block).expect("a mesh has fewer than 2^32 coordinates"));
                blocks.columns.push(columns);
            }
        }
        blocks
    }

    /// Adds `Σ_c weights[c] · column_c` to `out`.
    pub(super) fn add(&self, weights: &[f64; N], out: &mut [Lanes]) {
        if weights.iter().all(|weight| *weight == 0.0) {
            return;
        }
        for (&at, columns) in self.at.iter().zip(&self.columns) {
            let block = &mut out[at as usize];
            let mut sum = *block;
            for (weight, column) in weights.iter().zip(columns) {
                for (s, value) in sum.iter_mut().zip(column) {
                    *s += weight * value;
                }
            }
            *block = sum;
        }
    }

    /// The transpose: the scalar product of each column with `values`.
    pub(super) fn dot(&self, values: &[Lanes]) -> [f64; N] {
        // Two sums a column: as many as an SSE register holds, so that all of them stay in registers.
        let mut sums = [[0.0; 2]; N];
        for (&at, columns) in self.at.iter().zip(&self.columns) {
            let block = values[at as usize];
            for (sum, column) in sums.iter_mut().zip(columns) {
                for (lane, (value, entry)) in block.iter().zip(column).enumerate() {
                    sum[lane % 2] += value * entry;
                }
            }
        }
        sums.map(|[even, odd]| even + odd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(row: usize, column: usize) -> f64 {
        let number = u32::try_from((row * 7 + column * 13) % 23).expect("small");
        if (16..24).contains(&row) { 0.0 } else { f64::from(number) - 11.0 }
    }

    #[test]
    fn blocks_are_the_dense_product_and_its_transpose() {
        let rows = 43;
        let blocks = Blocks::<9>::new(rows, entry);
        assert_eq!(blocks.at, [0, 1, 3, 4, 5], "the block of zeros is not stored");
        let weights: [f64; 9] = from_fn(|c| 0.5 - f64::from(u32::try_from(c % 4).expect("small")));
        let mut out = in_blocks(&vec![1.0; rows]);
        blocks.add(&weights, &mut out);
        for row in 0..rows {
            let expected = 1.0 + (0..9).map(|c| weights[c] * entry(row, c)).sum::<f64>();
            assert!((out[row / LANES][row % LANES] - expected).abs() < 1e-12, "row {row}");
        }
        let values: Vec<f64> = (0..rows).map(|row| entry(row, 5) * 0.1).collect();
        for (column, sum) in blocks.dot(&in_blocks(&values)).iter().enumerate() {
            let expected: f64 = (0..rows).map(|row| values[row] * entry(row, column)).sum();
            assert!((sum - expected).abs() < 1e-12, "column {column}");
        }
    }
}
