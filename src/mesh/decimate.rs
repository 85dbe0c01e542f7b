//! Coarser meshes whose vertices are some of the finer one's, by quadric-error edge collapse (Garland and Heckbert 1997;
//! half-edge collapses, so that no vertex moves), and the way back up: barycentric weights at the closest points.
//!
//! Deterministic: equal costs are taken in the order of the vertices' numbers.

use super::{SurfaceIndex, Topology, TriMesh};
use nalgebra::{Matrix4, Vector3, Vector4};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a boundary edge's own plane weighs, in the weights of face planes: the border keeps its course.
const BORDER_WEIGHT: f64 = 10.0;
/// A collapse that turns a face further than this (cosine) is refused.
const LEAST_COSINE: f64 = 0.2;

/// A finite cost that orders, then the vertex to remove and the one that takes its place.
type Candidate = Reverse<(u64, u32, u32)>;

struct Collapser<'a> {
    positions: &'a [[f64; 3]],
    faces: Vec<Option<[u32; 3]>>,
    /// Faces about each vertex.
    around: Vec<Vec<u32>>,
    quadrics: Vec<Matrix4<f64>>,
    removed: Vec<bool>,
    heap: BinaryHeap<Candidate>,
}

fn plane(normal: Vector3<f64>, through: Vector3<f64>) -> Matrix4<f64> {
    let p: Vector4<f64> = normal.push(-normal.dot(&through));
    p * p.transpose()
}

impl<'a> Collapser<'a> {
    fn new(mesh: &'a TriMesh) -> Self {
        let count = mesh.positions.len();
        let mut new = Self {
            positions: &mesh.positions,
            faces: mesh.faces.iter().copied().map(Some).collect(),
            around: vec![Vec::new(); count],
            quadrics: vec![Matrix4::zeros(); count],
            removed: vec![false; count],
            heap: BinaryHeap::new(),
        };
        for (face, corners) in (0_u32..).zip(&mesh.faces) {
            let normal = new.normal(corners).try_normalize(0.0).unwrap_or_default();
            let quadric = plane(normal, new.at(corners[0]));
            for v in corners {
                new.around[*v as usize].push(face);
                new.quadrics[*v as usize] += quadric;
            }
        }
        let edges = Topology::new(count, &mesh.faces).edges;
        for edge in &edges {
            if let [Some(face), None] = edge.faces {
                let [a, b] = edge.vertices;
                let along = new.at(b) - new.at(a);
                let across = along.cross(&new.normal(&mesh.faces[face as usize]));
                let quadric = plane(across.try_normalize(0.0).unwrap_or_default(), new.at(a)) * BORDER_WEIGHT;
                for v in edge.vertices {
                    new.quadrics[v as usize] += quadric;
                }
            }
        }
        for edge in edges {
            let [a, b] = edge.vertices;
            new.offer(a, b);
        }
        new
    }

    fn at(&self, v: u32) -> Vector3<f64> {
        Vector3::from(self.positions[v as usize])
    }

    fn normal(&self, [a, b, c]: &[u32; 3]) -> Vector3<f64> {
        (self.at(*b) - self.at(*a)).cross(&(self.at(*c) - self.at(*a)))
    }

    /// Cost of `gone` moving to `kept`, as bits that order as the number does.
    fn cost(&self, gone: u32, kept: u32) -> u64 {
        let p = self.at(kept).push(1.0);
        let q = self.quadrics[gone as usize] + self.quadrics[kept as usize];
        p.dot(&(q * p)).max(0.0).to_bits()
    }

    fn offer(&mut self, a: u32, b: u32) {
        self.heap.push(Reverse((self.cost(a, b), a, b)));
        self.heap.push(Reverse((self.cost(b, a), b, a)));
    }

    fn neighbours(&self, v: u32) -> Vec<u32> {
        let corners = self.around[v as usize].iter().filter_map(|f| self.faces[*f as usize]).flatten();
        let mut out: Vec<u32> = corners.filter(|w| *w != v).collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Whether the surface stays one: as many common neighbours as faces between the two, no face turned over, and no
    /// border moved inwards.
    fn allowed(&self, gone: u32, kept: u32) -> bool {
        let (mut shared, mut turned) = (0, false);
        for corners in self.around[gone as usize].iter().filter_map(|f| self.faces[*f as usize]) {
            if corners.contains(&kept) {
                shared += 1;
                continue;
            }
            let before = self.normal(&corners);
            let after = self.normal(&corners.map(|v| if v == gone { kept } else { v }));
            turned |= before.dot(&after) < LEAST_COSINE * before.norm() * after.norm() || after.norm() == 0.0;
        }
        let (near, far) = (self.neighbours(gone), self.neighbours(kept));
        let common = near.iter().filter(|v| far.binary_search(v).is_ok()).count();
        let faces = self.around[gone as usize].iter().filter(|f| self.faces[**f as usize].is_some()).count();
        // A border vertex has one neighbour more than faces, and may only go along the border.
        let border = near.len() != faces;
        !turned && shared == common && shared >= 1 && (!border || shared == 1)
    }

    fn collapse(&mut self, gone: u32, kept: u32) {
        self.removed[gone as usize] = true;
        self.quadrics[kept as usize] = self.quadrics[gone as usize] + self.quadrics[kept as usize];
        for face in std::mem::take(&mut self.around[gone as usize]) {
            let Some(corners) = self.faces[face as usize] else { continue };
            if corners.contains(&kept) {
                self.faces[face as usize] = None;
            } else {
                self.faces[face as usize] = Some(corners.map(|v| if v == gone { kept } else { v }));
                self.around[kept as usize].push(face);
            }
        }
        for v in self.neighbours(kept) {
            self.offer(kept, v);
        }
    }
}

/// The mesh with at most `vertices` vertices, as far as it can be simplified without tearing, and which vertices of the
/// finer mesh it has, ascending.
#[must_use]
pub fn decimate(mesh: &TriMesh, vertices: usize) -> (TriMesh, Vec<u32>) {
    let mut collapser = Collapser::new(mesh);
    let mut left = mesh.positions.len();
    while left > vertices {
        let Some(Reverse((cost, gone, kept))) = collapser.heap.pop() else { break };
        let stale = collapser.removed[gone as usize]
            || collapser.removed[kept as usize]
            || collapser.cost(gone, kept) != cost
            || !collapser.allowed(gone, kept);
        if !stale {
            collapser.collapse(gone, kept);
            left -= 1;
        }
    }
    let kept: Vec<u32> = (0..).zip(&collapser.removed).filter(|(_, gone)| !**gone).map(|(v, _)| v).collect();
    let mut number = vec![0; mesh.positions.len()];
    for (new, old) in (0_u32..).zip(&kept) {
        number[*old as usize] = new;
    }
    let positions = kept.iter().map(|v| mesh.positions[*v as usize]).collect();
    let faces = collapser.faces.iter().flatten().map(|face| face.map(|v| number[v as usize])).collect();
    (TriMesh { positions, faces }, kept)
}

/// For each position, the corners of the coarse face nearest to it with the barycentric weights of the closest point;
/// weights that are zero are left out.
#[must_use]
pub fn barycentric_from(coarse: &TriMesh, positions: &[[f64; 3]]) -> Vec<Vec<(u32, f64)>> {
    let index = SurfaceIndex::new(&coarse.positions, &coarse.faces);
    let row = |p: &[f64; 3]| -> Option<Vec<(u32, f64)>> {
        let closest = index.closest(*p)?;
        let face = coarse.faces.get(closest.face as usize)?;
        let weights = closest.barycentric.map(|w| if w < 1e-9 { 0.0 } else { w });
        let sum: f64 = weights.iter().sum();
        Some(face.iter().zip(weights).filter(|(_, w)| *w > 0.0).map(|(v, w)| (*v, w / sum)).collect())
    };
    positions.iter().map(|p| row(p).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::open_hand;

    fn hand() -> TriMesh {
        let model = open_hand(Side::Right).expect("sound asset");
        TriMesh { positions: model.template, faces: model.faces }
    }

    #[test]
    fn a_hand_gets_coarser_and_stays_a_hand() {
        let fine = hand();
        let mut mesh = fine.clone();
        for _ in 0..3 {
            let wanted = mesh.positions.len().div_ceil(2);
            let (coarse, kept) = decimate(&mesh, wanted);
            assert_eq!(coarse.positions.len(), wanted, "as many as asked for");
            assert!(
                kept.is_sorted() && kept.iter().zip(&coarse.positions).all(|(v, p)| mesh.positions[*v as usize] == *p),
                "no vertex moves"
            );
            let mut sides = std::collections::BTreeSet::new();
            let directed = |f: &[u32; 3]| [[f[0], f[1]], [f[1], f[2]], [f[2], f[0]]];
            assert!(coarse.faces.iter().flat_map(directed).all(|e| sides.insert(e)), "an edge has two faces at most");
            let index = SurfaceIndex::new(&coarse.positions, &coarse.faces);
            let off = |p: &[f64; 3]| index.closest(*p).expect("a surface").distance;
            let worst_mm = 1e3 * fine.positions.iter().map(off).fold(0.0, f64::max);
            let length = |f: &[u32; 3], k: usize| {
                (Vector3::from(coarse.positions[f[k] as usize])
                    - Vector3::from(coarse.positions[f[(k + 1) % 3] as usize]))
                .norm()
            };
            let sum: f64 = coarse.faces.iter().flat_map(|f| [0, 1, 2].map(|k| length(f, k))).sum();
            let edge_mm = 1e3 * sum / (3.0 * f64::from(u32::try_from(coarse.faces.len()).expect("few")));
            eprintln!("{wanted} vertices: {worst_mm:.2} mm, edges {edge_mm:.2} mm");
            assert!(worst_mm < 0.4 * edge_mm, "{worst_mm} mm from the fine mesh, edges are {edge_mm} mm long");
            mesh = coarse;
        }
        assert_eq!(decimate(&fine, 300), decimate(&fine, 300), "the same every time");
        assert_eq!(decimate(&fine, fine.positions.len()).0, fine, "nothing to do");
    }

    #[test]
    fn the_way_back_up_gives_the_closest_points() {
        let fine = hand();
        let (coarse, kept) = decimate(&fine, 500);
        let up = barycentric_from(&coarse, &fine.positions);
        for (v, row) in up.iter().enumerate() {
            assert!((row.iter().map(|(_, w)| w).sum::<f64>() - 1.0).abs() < 1e-12, "weights sum to one");
            let p =
                row.iter().fold(Vector3::zeros(), |p, (u, w)| p + Vector3::from(coarse.positions[*u as usize]) * *w);
            assert!((p - Vector3::from(fine.positions[v])).norm() < 4e-3, "vertex {v} is near");
        }
        for (coarse, fine) in (0_u32..).zip(kept) {
            assert_eq!(up[fine as usize], [(coarse, 1.0)], "vertex {fine} is there itself");
        }
    }
}
