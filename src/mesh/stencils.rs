//! Sparse rows `fine = S · coarse`: how a fine mesh's vertices follow from a coarse one's, for any attribute.

/// A sparse matrix by rows. Columns ascend within a row, so that two builds sum in the same order.
#[derive(Clone, Debug, PartialEq)]
pub struct Stencils {
    coarse_vertices: usize,
    starts: Vec<u32>,
    columns: Vec<u32>,
    weights: Vec<f64>,
}

impl Stencils {
    /// No rows yet, over this many coarse vertices.
    pub(super) fn new(coarse_vertices: usize) -> Self {
        Self { coarse_vertices, starts: vec![0], columns: Vec::new(), weights: Vec::new() }
    }

    /// Every vertex is itself.
    #[must_use]
    pub fn identity(vertices: usize) -> Self {
        let mut out = Self::new(vertices);
        for column in (0..u32::MAX).take(vertices) {
            out.push_row(vec![(column, 1.0)]);
        }
        out
    }

    pub(super) fn push_row(&mut self, mut row: Vec<(u32, f64)>) {
        row.sort_unstable_by_key(|&(column, _)| column);
        self.columns.extend(row.iter().map(|&(column, _)| column));
        self.weights.extend(row.iter().map(|&(_, weight)| weight));
        self.starts.push(u32::try_from(self.columns.len()).expect("meshes here have far fewer than 2^32 weights"));
    }

    /// Vertices they are applied to.
    #[must_use]
    pub const fn coarse_vertices(&self) -> usize {
        self.coarse_vertices
    }

    /// Vertices that come out.
    #[must_use]
    pub fn fine_vertices(&self) -> usize {
        self.starts.len() - 1
    }

    /// `(coarse vertex, weight)` of a fine vertex.
    pub fn row(&self, fine: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.starts[fine] as usize..self.starts[fine + 1] as usize;
        self.columns[range.clone()].iter().map(|&c| c as usize).zip(self.weights[range].iter().copied())
    }

    /// Carries an attribute with `N` numbers a vertex to the fine mesh.
    ///
    /// # Panics
    /// When `coarse` has another number of vertices.
    #[must_use]
    pub fn apply<const N: usize>(&self, coarse: &[[f64; N]]) -> Vec<[f64; N]> {
        self.apply_first(self.fine_vertices(), coarse)
    }

    /// The first `count` fine vertices of [`Stencils::apply`]: Loop subdivision keeps the vertices of coarser levels first.
    ///
    /// # Panics
    /// When `coarse` has another number of vertices, or there are fewer than `count` fine ones.
    #[must_use]
    pub fn apply_first<const N: usize>(&self, count: usize, coarse: &[[f64; N]]) -> Vec<[f64; N]> {
        assert_eq!(coarse.len(), self.coarse_vertices, "one value per coarse vertex");
        self.starts[..=count]
            .windows(2)
            .map(|row| {
                let mut out = [0.0; N];
                for i in row[0] as usize..row[1] as usize {
                    for (o, c) in out.iter_mut().zip(&coarse[self.columns[i] as usize]) {
                        *o += self.weights[i] * c;
                    }
                }
                out
            })
            .collect()
    }

    /// `self` first, then `next`: one matrix for both steps.
    ///
    /// # Panics
    /// When `next` starts from another number of vertices than `self` ends with.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        assert_eq!(next.coarse_vertices, self.fine_vertices(), "the next step begins where this one ends");
        let mut out = Self::new(self.coarse_vertices);
        // One dense row that is written and cleared where it was touched.
        let mut sums = vec![0.0; self.coarse_vertices];
        let mut seen = vec![false; self.coarse_vertices];
        let mut touched: Vec<u32> = Vec::new();
        for fine in 0..next.fine_vertices() {
            for (middle, outer) in next.row(fine) {
                for (coarse, inner) in self.row(middle) {
                    if !seen[coarse] {
                        seen[coarse] = true;
                        touched.push(u32::try_from(coarse).expect("columns fit in 32 bits"));
                    }
                    sums[coarse] += outer * inner;
                }
            }
            touched.sort_unstable();
            out.push_row(touched.iter().map(|&c| (c, sums[c as usize])).collect());
            for c in touched.drain(..) {
                (sums[c as usize], seen[c as usize]) = (0.0, false);
            }
        }
        out
    }
}
