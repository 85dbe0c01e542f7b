//! Loop subdivision (Loop 1987, with Warren's weights): stencils made once, applied to any per-vertex attribute.
//!
//! Even vertices keep their index (so level k is a prefix of level k+1) and odd vertices follow in the order of
//! [`Topology::edges`]. Interior odd: 3/8 of the edge's ends, 1/8 of the opposite corners. Interior even of valence n:
//! β = 3/(8n), or 3/16 at n = 3. Boundary: 1/2–1/2 and 1/8–3/4–1/8 (the cubic B-spline curve).

use super::Topology;

/// One level: sparse rows `fine = S · coarse` and the fine triangles.
#[derive(Clone, Debug)]
pub struct LoopStep {
    /// Adjacency of the coarse mesh.
    coarse_vertices: usize,
    starts: Vec<u32>,
    columns: Vec<u32>,
    weights: Vec<f64>,
    /// Triangles of the fine mesh; `4f..4f+4` are the children of coarse triangle `f` (three corners, then the middle).
    pub faces: Vec<[u32; 3]>,
}

impl LoopStep {
    /// The stencils that refine `topology` once.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^30 vertices")]
    pub fn new(topology: &Topology) -> Self {
        let v = topology.vertices;
        let mut step = Self {
            coarse_vertices: v,
            starts: vec![0],
            columns: Vec::new(),
            weights: Vec::new(),
            faces: Vec::with_capacity(topology.faces.len() * 4),
        };
        let mut boundary: Vec<Vec<u32>> = vec![Vec::new(); v];
        for edge in topology.edges.iter().filter(|e| e.faces[1].is_none()) {
            let [a, b] = edge.vertices;
            boundary[a as usize].push(b);
            boundary[b as usize].push(a);
        }
        for (vertex, along_boundary) in boundary.iter().enumerate() {
            let mut row: Vec<(u32, f64)> = Vec::new();
            if let [a, b] = along_boundary[..] {
                row.extend([(a, 0.125), (vertex as u32, 0.75), (b, 0.125)]);
            } else if !along_boundary.is_empty() || topology.neighbours_of(vertex).is_empty() {
                row.push((vertex as u32, 1.0));
            } else {
                let ring = topology.neighbours_of(vertex);
                let n = ring.len() as f64;
                let beta = if ring.len() == 3 { 3.0 / 16.0 } else { 3.0 / (8.0 * n) };
                row.push((vertex as u32, 1.0 - n * beta));
                row.extend(ring.iter().map(|&r| (r, beta)));
            }
            step.push_row(row);
        }
        for edge in &topology.edges {
            let [a, b] = edge.vertices;
            let opposite =
                |f: u32| topology.faces[f as usize].iter().copied().find(|c| !edge.vertices.contains(c)).unwrap_or(a);
            if let [Some(f), Some(g)] = edge.faces {
                step.push_row(vec![(a, 0.375), (b, 0.375), (opposite(f), 0.125), (opposite(g), 0.125)]);
            } else {
                step.push_row(vec![(a, 0.5), (b, 0.5)]);
            }
        }
        for (face, edges) in topology.faces.iter().zip(&topology.face_edges) {
            let [e0, e1, e2] = edges.map(|e| v as u32 + e);
            step.faces.extend([[face[0], e0, e2], [e0, face[1], e1], [e2, e1, face[2]], [e0, e1, e2]]);
        }
        step
    }

    fn push_row(&mut self, mut row: Vec<(u32, f64)>) {
        row.sort_unstable_by_key(|&(column, _)| column);
        self.columns.extend(row.iter().map(|&(column, _)| column));
        self.weights.extend(row.iter().map(|&(_, weight)| weight));
        self.starts.push(u32::try_from(self.columns.len()).unwrap_or(u32::MAX));
    }

    /// Vertices after the step.
    #[must_use]
    pub fn fine_vertices(&self) -> usize {
        self.starts.len() - 1
    }

    /// Carries an attribute with `N` numbers a vertex to the fine mesh.
    ///
    /// # Panics
    /// When `coarse` has another number of vertices than the topology.
    #[must_use]
    pub fn apply<const N: usize>(&self, coarse: &[[f64; N]]) -> Vec<[f64; N]> {
        assert_eq!(coarse.len(), self.coarse_vertices, "one value per coarse vertex");
        self.starts
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
}

/// Refines a UV layout once, by midpoints (corners of a UV island must not shrink): returns the new UVs and corner indices
/// in the face order of [`LoopStep::faces`].
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^30 vertices")]
pub fn midpoint_uvs(uvs: &[[f64; 2]], corners: &[[u32; 3]]) -> (Vec<[f64; 2]>, Vec<[u32; 3]>) {
    let topology = Topology::new(uvs.len(), corners);
    let mut out = uvs.to_vec();
    out.extend(topology.edges.iter().map(|e| {
        let [a, b] = e.vertices.map(|i| uvs[i as usize]);
        [0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])]
    }));
    let base = uvs.len() as u32;
    let faces = topology
        .faces
        .iter()
        .zip(&topology.face_edges)
        .flat_map(|(c, edges)| {
            let [e0, e1, e2] = edges.map(|e| base + e);
            [[c[0], e0, e2], [e0, c[1], e1], [e2, e1, c[2]], [e0, e1, e2]]
        })
        .collect();
    (out, faces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tetrahedron() -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
        let p = vec![[1.0, 1.0, 1.0], [-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0], [1.0, -1.0, -1.0]];
        (p, vec![[0, 1, 3], [0, 2, 1], [0, 3, 2], [1, 2, 3]])
    }

    #[test]
    fn counts_multiply_by_four_and_constants_stay() {
        let (p, f) = tetrahedron();
        let mut topology = Topology::new(p.len(), &f);
        let mut ones = vec![[1.0]; p.len()];
        for _ in 0..3 {
            let step = LoopStep::new(&topology);
            ones = step.apply(&ones);
            assert_eq!(step.faces.len(), topology.faces.len() * 4, "four children a triangle");
            topology = Topology::new(step.fine_vertices(), &step.faces);
            assert!(topology.is_manifold(), "subdivision keeps the manifold");
        }
        assert!(ones.iter().all(|o| (o[0] - 1.0).abs() < 1e-12), "weights of every row sum to one");
    }

    #[test]
    fn a_flat_regular_patch_is_reproduced_exactly() {
        // Loop subdivision has linear precision on regular interiors: x and y of a flat grid stay affine.
        let n = 6;
        let mut p = Vec::new();
        let mut f = Vec::new();
        for y in 0..n {
            for x in 0..n {
                p.push([f64::from(x), f64::from(y), 0.0]);
            }
        }
        for y in 0..n - 1 {
            for x in 0..n - 1 {
                let i = (y * n + x) as u32;
                let w = n as u32;
                f.push([i, i + 1, i + w + 1]);
                f.push([i, i + w + 1, i + w]);
            }
        }
        let topology = Topology::new(p.len(), &f);
        let step = LoopStep::new(&topology);
        let fine = step.apply(&p);
        for (i, e) in topology.edges.iter().enumerate() {
            let [a, b] = e.vertices.map(|v| p[v as usize]);
            let mid = [0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])];
            let odd = fine[p.len() + i];
            assert!((odd[0] - mid[0]).abs() < 1e-12 && (odd[1] - mid[1]).abs() < 1e-12, "edge {i} lands on its middle");
        }
        let even = fine[2 * n as usize + 3];
        assert!((even[0] - 3.0).abs() < 1e-12 && (even[1] - 2.0).abs() < 1e-12, "a regular even vertex stays");
    }

    #[test]
    fn uv_seams_stay_apart() {
        let (uvs, corners) = midpoint_uvs(&[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], &[[0, 1, 2]]);
        assert_eq!(uvs.len(), 6, "three corners and three midpoints");
        assert_eq!(corners.len(), 4, "four children");
        assert_eq!(uvs[corners[3][0] as usize], [0.5, 0.0], "the middle triangle joins the midpoints");
    }
}
