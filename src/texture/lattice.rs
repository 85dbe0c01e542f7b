//! A finer net over a triangle mesh: each edge in `n` pieces, each triangle in `n²`, with values linear between the nodes.
//!
//! Nodes of an edge belong to both of its triangles, so what is defined on them goes on across the seams of a UV layout.

use crate::mesh::Topology;

/// The nodes of the net: first the mesh's vertices, then `n − 1` an edge, then those inside the triangles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lattice<'a> {
    topology: &'a Topology,
    /// Pieces of an edge.
    n: u32,
}

/// A place on the net: three nodes and their shares.
pub(super) type Place = ([u32; 3], [f32; 3]);

impl<'a> Lattice<'a> {
    pub(super) const fn new(topology: &'a Topology, n: u32) -> Self {
        Self { topology, n }
    }

    /// Number of nodes.
    pub(super) const fn nodes(&self) -> usize {
        let n = self.n as usize;
        let inside = (n - 1) * n.saturating_sub(2) / 2;
        self.topology.vertices + self.topology.edges.len() * (n - 1) + self.topology.faces.len() * inside
    }

    /// The node of a triangle whose barycentrics are `at / n`.
    #[expect(clippy::cast_possible_truncation, reason = "nodes are counted in 32 bits")]
    fn node(&self, face: usize, at: [u32; 3]) -> u32 {
        let n = self.n;
        let corners = self.topology.faces[face];
        if let Some(corner) = (0..3).find(|&c| at[c] == n) {
            return corners[corner];
        }
        let vertices = self.topology.vertices as u32;
        // Edge `k` joins corners `k` and `k + 1`; on it the third has no share.
        if let Some(k) = (0..3).find(|&k| at[(k + 2) % 3] == 0) {
            let (a, b) = (corners[k], corners[(k + 1) % 3]);
            let from_smaller = if a < b { at[(k + 1) % 3] } else { at[k] };
            return vertices + self.topology.face_edges[face][k] * (n - 1) + from_smaller - 1;
        }
        // Rows of at[1] = 1, 2, …: n − 2, n − 3, … nodes.
        let row = at[1] - 1;
        let within = row * (n - 2) - row * row.saturating_sub(1) / 2 + at[2] - 1;
        let inside = (n - 1) * (n - 2) / 2;
        vertices + self.topology.edges.len() as u32 * (n - 1) + face as u32 * inside + within
    }

    /// The nodes around a place of a triangle. Barycentrics outside are taken to its rim.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the triangle before the cast"
    )]
    pub(super) fn place(&self, face: usize, b: [f32; 3]) -> Place {
        let n = self.n;
        let b = b.map(|x| x.max(0.0));
        let scale = n as f32 / (b[0] + b[1] + b[2]);
        let (u, v) = (b[1] * scale, b[2] * scale);
        let i = (u as u32).min(n - 1);
        let j = (v as u32).min(n - 1 - i);
        let (fu, fv) = ((u - i as f32).clamp(0.0, 1.0), (v - j as f32).clamp(0.0, 1.0));
        let k = n - i - j;
        if fu + fv <= 1.0 || k < 2 {
            let sum = (fu + fv).max(1.0);
            let (fu, fv) = (fu / sum, fv / sum);
            let nodes = [[k, i, j], [k - 1, i + 1, j], [k - 1, i, j + 1]].map(|at| self.node(face, at));
            (nodes, [1.0 - fu - fv, fu, fv])
        } else {
            let nodes = [[k - 2, i + 1, j + 1], [k - 1, i, j + 1], [k - 1, i + 1, j]].map(|at| self.node(face, at));
            (nodes, [fu + fv - 1.0, 1.0 - fu, 1.0 - fv])
        }
    }

    /// The net's small triangles that lie as their large one does: every piece of its lines belongs to one of them (those on
    /// the mesh's edges to one on each side).
    pub(super) fn upright(&self) -> Vec<[u32; 3]> {
        let n = self.n;
        let mut out = Vec::with_capacity(self.topology.faces.len() * (n * (n + 1) / 2) as usize);
        for face in 0..self.topology.faces.len() {
            for i in 0..n {
                for j in 0..n - i {
                    let k = n - i - j;
                    out.push([[k, i, j], [k - 1, i + 1, j], [k - 1, i, j + 1]].map(|at| self.node(face, at)));
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::TriMesh;
    use crate::mesh::testing::sheet;

    #[test]
    fn linear_functions_are_reproduced_and_nodes_are_shared() {
        let TriMesh { positions, faces } = sheet();
        let topology = Topology::new(positions.len(), &faces);
        for n in [1, 2, 3, 5] {
            let lattice = Lattice::new(&topology, n);
            // Each node's place in space, from every triangle that has it.
            let mut places: Vec<Option<[f64; 3]>> = vec![None; lattice.nodes()];
            for (f, face) in faces.iter().enumerate() {
                for i in 0..=n {
                    for j in 0..=n - i {
                        let at = [n - i - j, i, j];
                        let point = [0, 1, 2].map(|x| {
                            (0..3)
                                .map(|c| f64::from(at[c]) / f64::from(n) * positions[face[c] as usize][x])
                                .sum::<f64>()
                        });
                        let slot = &mut places[lattice.node(f, at) as usize];
                        let before = slot.get_or_insert(point);
                        assert!((0..3).all(|x| (before[x] - point[x]).abs() < 1e-12), "n = {n}: one node, two places");
                    }
                }
            }
            assert!(places.iter().all(Option::is_some), "n = {n}: every node is somewhere");
            let places: Vec<[f64; 3]> = places.into_iter().flatten().collect();
            for (f, face) in faces.iter().enumerate() {
                for b in [[1.0, 0.0, 0.0], [0.2, 0.5, 0.3], [0.0, 0.6, 0.4], [1.0 / 3.0; 3], [0.05, 0.05, 0.9]] {
                    let (nodes, shares) = lattice.place(f, b);
                    for x in 0..3 {
                        let got: f64 = (0..3).map(|i| f64::from(shares[i]) * places[nodes[i] as usize][x]).sum();
                        let wanted: f64 = (0..3).map(|c| f64::from(b[c]) * positions[face[c] as usize][x]).sum();
                        assert!((got - wanted).abs() < 1e-6, "n = {n}, {b:?}: {got}, not {wanted}");
                    }
                }
            }
            let upright = lattice.upright();
            assert_eq!(upright.len(), 200 * (n * (n + 1) / 2) as usize, "n = {n}: so many in each triangle");
            assert!(upright.iter().all(|[a, b, c]| a != b && b != c && c != a), "n = {n}: none is a line");
        }
    }
}
