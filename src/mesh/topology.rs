//! Who is beside whom: unique edges with their triangles, and compressed rows (CSR) of neighbours and incident faces.

use std::collections::HashMap;

/// An edge between two vertices with the triangles on its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The vertices, smaller index first.
    pub vertices: [u32; 2],
    /// The triangles beside it; `None` on a boundary.
    pub faces: [Option<u32>; 2],
}

/// Adjacency of a triangle list. Everything is in index order, so two builds are identical.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Number of vertices.
    pub vertices: usize,
    /// The triangles.
    pub faces: Vec<[u32; 3]>,
    /// Unique edges, sorted by their vertices.
    pub edges: Vec<Edge>,
    /// For each face its three edges: `edge k` joins corner k and corner k+1.
    pub face_edges: Vec<[u32; 3]>,
    /// Row starts into `neighbours` (V+1).
    pub neighbour_starts: Vec<u32>,
    /// Neighbour vertices of each vertex, ascending.
    pub neighbours: Vec<u32>,
    /// Row starts into `incident` (V+1).
    pub incident_starts: Vec<u32>,
    /// `face × 4 + corner` for each face around each vertex, ascending.
    pub incident: Vec<u32>,
}

impl Topology {
    /// Builds the adjacency of `faces` over `vertices` vertices.
    ///
    /// A third triangle on an edge (a non-manifold mesh) keeps the first two; [`Topology::is_manifold`] tells.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^30 faces")]
    pub fn new(vertices: usize, faces: &[[u32; 3]]) -> Self {
        let mut keys: Vec<([u32; 2], u32, usize)> = Vec::with_capacity(faces.len() * 3);
        for (f, face) in faces.iter().enumerate() {
            for corner in 0..3 {
                let (a, b) = (face[corner], face[(corner + 1) % 3]);
                keys.push(([a.min(b), a.max(b)], f as u32, corner));
            }
        }
        keys.sort_unstable();
        let mut edges: Vec<Edge> = Vec::with_capacity(keys.len() / 2 + 1);
        let mut face_edges = vec![[0_u32; 3]; faces.len()];
        for (vertices, face, corner) in keys {
            match edges.last_mut() {
                Some(edge) if edge.vertices == vertices => {
                    if edge.faces[1].is_none() {
                        edge.faces[1] = Some(face);
                    }
                }
                _ => edges.push(Edge { vertices, faces: [Some(face), None] }),
            }
            face_edges[face as usize][corner] = (edges.len() - 1) as u32;
        }
        let (neighbour_starts, neighbours) =
            rows(vertices, edges.iter().flat_map(|e| [(e.vertices[0], e.vertices[1]), (e.vertices[1], e.vertices[0])]));
        let (incident_starts, incident) = rows(
            vertices,
            faces.iter().enumerate().flat_map(|(f, face)| (0..3).map(move |c| (face[c], (f * 4 + c) as u32))),
        );
        Self {
            vertices,
            faces: faces.to_vec(),
            edges,
            face_edges,
            neighbour_starts,
            neighbours,
            incident_starts,
            incident,
        }
    }

    /// Neighbour vertices of `vertex`.
    #[must_use]
    pub fn neighbours_of(&self, vertex: usize) -> &[u32] {
        &self.neighbours[self.neighbour_starts[vertex] as usize..self.neighbour_starts[vertex + 1] as usize]
    }

    /// `(face, corner)` pairs around `vertex`.
    pub fn incident_to(&self, vertex: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.incident[self.incident_starts[vertex] as usize..self.incident_starts[vertex + 1] as usize]
            .iter()
            .map(|&code| (code as usize / 4, code as usize % 4))
    }

    /// For each entry of `incident` the two other corners of its face, in the face's winding.
    #[must_use]
    pub fn incident_pairs(&self) -> Vec<[u32; 2]> {
        let pair = |code: &u32| {
            let (face, corner) = (self.faces[*code as usize / 4], *code as usize % 4);
            [face[(corner + 1) % 3], face[(corner + 2) % 3]]
        };
        self.incident.iter().map(pair).collect()
    }

    /// True when every edge has one or two triangles and every directed edge occurs once.
    #[must_use]
    pub fn is_manifold(&self) -> bool {
        let mut directed = HashMap::new();
        for face in &self.faces {
            for c in 0..3 {
                *directed.entry((face[c], face[(c + 1) % 3])).or_insert(0) += 1;
            }
        }
        directed.values().all(|&n| n == 1)
    }

    /// For each face and each of its edges (corner k to k+1): what lies beyond, [`Across::NOTHING`] on a boundary. Decides
    /// whether an edge is a silhouette, and leads from triangle to triangle.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^30 faces")]
    pub fn across(&self) -> Vec<[Across; 3]> {
        let beyond = |face: u32, edge: &Edge| {
            let corners = self.faces[face as usize];
            let vertex = corners.into_iter().find(|v| !edge.vertices.contains(v));
            vertex.map_or(Across::NOTHING, |vertex| Across { vertex, face })
        };
        let of = |(f, edges): (usize, &[u32; 3])| {
            edges.map(|e| {
                let edge = &self.edges[e as usize];
                let other = edge.faces.iter().flatten().copied().find(|&g| g != f as u32);
                other.map_or(Across::NOTHING, |g| beyond(g, edge))
            })
        };
        self.face_edges.iter().enumerate().map(of).collect()
    }

    /// Each face's corners, the vertices across its edges and the faces across them ([`Self::across`]), padded to four.
    #[must_use]
    pub fn wings(&self) -> Vec<[[u32; 4]; 3]> {
        let pad = |f: [u32; 3]| [f[0], f[1], f[2], 0];
        let wing = |(f, o): (&[u32; 3], [Across; 3])| [pad(*f), pad(o.map(|o| o.vertex)), pad(o.map(|o| o.face))];
        self.faces.iter().zip(self.across()).map(wing).collect()
    }
}

/// What lies across an edge of a triangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Across {
    /// The neighbouring triangle's vertex opposite the edge.
    pub vertex: u32,
    /// That triangle.
    pub face: u32,
}

impl Across {
    /// A boundary.
    pub const NOTHING: Self = Self { vertex: u32::MAX, face: u32::MAX };
}

/// Compressed rows of `(row, value)` pairs, values ascending within a row.
fn rows(count: usize, pairs: impl Iterator<Item = (u32, u32)>) -> (Vec<u32>, Vec<u32>) {
    let mut pairs: Vec<(u32, u32)> = pairs.collect();
    pairs.sort_unstable();
    let mut starts = vec![0_u32; count + 1];
    for &(row, _) in &pairs {
        starts[row as usize + 1] += 1;
    }
    for row in 0..count {
        starts[row + 1] += starts[row];
    }
    debug_assert_eq!(starts[count] as usize, pairs.len(), "all rows are in range");
    (starts, pairs.into_iter().map(|(_, value)| value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two triangles over a square: 0-1-2 and 0-2-3.
    fn square() -> Topology {
        Topology::new(4, &[[0, 1, 2], [0, 2, 3]])
    }

    #[test]
    fn edges_know_both_sides() {
        let t = square();
        assert_eq!(t.edges.len(), 5, "four sides and a diagonal");
        let diagonal = t.edges.iter().find(|e| e.vertices == [0, 2]).expect("there is a diagonal");
        assert_eq!(diagonal.faces, [Some(0), Some(1)], "the diagonal has both triangles");
        assert_eq!(t.neighbours_of(0), &[1, 2, 3], "vertex 0 touches all others");
        assert_eq!(t.neighbours_of(1), &[0, 2], "vertex 1 touches two");
        assert_eq!(t.incident_to(2).collect::<Vec<_>>(), vec![(0, 2), (1, 1)], "vertex 2 is a corner of both");
        let start = t.incident_starts[2] as usize;
        assert_eq!(t.incident_pairs()[start..start + 2], [[0, 1], [3, 0]], "the others around vertex 2, in winding");
        assert!(t.is_manifold(), "a square is a manifold");
        assert!(!Topology::new(4, &[[0, 1, 2], [0, 1, 3]]).is_manifold(), "a doubled directed edge is not");
    }

    #[test]
    fn across_an_edge_lies_the_neighbour() {
        let across = square().across();
        let other = |vertex, face| Across { vertex, face };
        assert_eq!(across[0], [Across::NOTHING, Across::NOTHING, other(3, 1)], "across 2-0 of the first lies 3");
        assert_eq!(across[1], [other(1, 0), Across::NOTHING, Across::NOTHING], "across 0-2 of the second lies 1");
        let none = u32::MAX;
        assert_eq!(square().wings()[1], [[0, 2, 3, 0], [1, none, none, 0], [0, none, none, 0]], "packed");
    }
}
