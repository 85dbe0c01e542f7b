//! Triangles that no sound surface has, found without any truth: flipped ones, spikes, and those that cut through others.
//!
//! - **Flipped**: a triangle whose normal makes more than 90° with the area-weighted sum of the normals of all other
//!   triangles around its three corners, or one without area. Triangles inside a larger patch that is turned over as a
//!   whole agree with each other; there the patch's rim is found, and where it lies on the rest, the intersections.
//! - **Spike**: a triangle of which
//!   - a corner (not on a boundary) stands farther from the middle of its neighbours than they do on average: it pokes out
//!     of its ring, steeper than a cone of 45°; or
//!   - an edge is more than [`LONG_EDGE`] times as long as the median of the edges at its corners; or
//!   - the turn across one of its edges is more than [`SHARP_TURN_DEG`], neither side being flipped: a knife's edge.
//! - **Self-intersecting**: see [`super::intersect`].
//!
//! All are independent of the mesh's size. A sound hand, coarse or fine, has none.

use super::intersect::self_intersecting;
use super::{Topology, TriMesh};
use nalgebra::Vector3;

/// Length from which an edge counts as a spike, in medians of the edges at the triangle's corners.
pub const LONG_EDGE: f64 = 4.0;

/// Angle between the normals on both sides of an edge from which it counts as a spike, degrees.
pub const SHARP_TURN_DEG: f64 = 120.0;

/// Unsound triangles of one mesh by number, each list ascending. A triangle may be in several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeshDefects {
    /// Number of triangles of the mesh.
    pub triangles: usize,
    /// Normal against those around, or no area.
    pub flipped: Vec<u32>,
    /// Corner out of its ring, edge too long, or edge too sharp.
    pub spikes: Vec<u32>,
    /// Cutting through another triangle of the mesh.
    pub self_intersecting: Vec<u32>,
}

impl MeshDefects {
    /// Looks at every triangle.
    #[must_use]
    pub fn find(mesh: &TriMesh) -> Self {
        let shape = Shape::new(mesh);
        let flipped: Vec<bool> = (0..mesh.faces.len()).map(|f| shape.is_flipped(f)).collect();
        let spikes = shape.spikes(&flipped);
        Self {
            triangles: mesh.faces.len(),
            flipped: numbers(&flipped),
            spikes: numbers(&spikes),
            self_intersecting: self_intersecting(mesh),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 faces")]
fn numbers(set: &[bool]) -> Vec<u32> {
    (0..set.len() as u32).filter(|&i| set[i as usize]).collect()
}

/// A mesh with what the questions need.
struct Shape {
    positions: Vec<Vector3<f64>>,
    topology: Topology,
    /// Twice the area times the unit normal, per triangle.
    normals: Vec<Vector3<f64>>,
    /// Sum of the normals of the triangles around each vertex.
    vertex_sums: Vec<Vector3<f64>>,
    edge_lengths: Vec<f64>,
    on_boundary: Vec<bool>,
}

impl Shape {
    fn new(mesh: &TriMesh) -> Self {
        let positions: Vec<Vector3<f64>> = mesh.positions.iter().map(|&p| Vector3::from(p)).collect();
        let topology = Topology::new(positions.len(), &mesh.faces);
        let at = |v: u32| positions[v as usize];
        let normal = |f: &[u32; 3]| (at(f[1]) - at(f[0])).cross(&(at(f[2]) - at(f[0])));
        let normals: Vec<Vector3<f64>> = mesh.faces.iter().map(normal).collect();
        let mut vertex_sums = vec![Vector3::zeros(); positions.len()];
        for (face, n) in mesh.faces.iter().zip(&normals) {
            face.iter().for_each(|&v| vertex_sums[v as usize] += n);
        }
        let edge_lengths = topology.edges.iter().map(|e| (at(e.vertices[1]) - at(e.vertices[0])).norm()).collect();
        let mut on_boundary = vec![false; positions.len()];
        for edge in topology.edges.iter().filter(|e| e.faces[1].is_none()) {
            edge.vertices.iter().for_each(|&v| on_boundary[v as usize] = true);
        }
        Self { positions, topology, normals, vertex_sums, edge_lengths, on_boundary }
    }

    fn is_flipped(&self, face: usize) -> bool {
        let own = &self.normals[face];
        let around = self.topology.faces[face].iter().map(|&v| self.vertex_sums[v as usize] - own);
        own.norm_squared() <= 0.0 || own.dot(&around.sum::<Vector3<f64>>()) < 0.0
    }

    fn spikes(&self, flipped: &[bool]) -> Vec<bool> {
        let poking: Vec<bool> = (0..self.positions.len()).map(|v| self.pokes_out(v)).collect();
        let mut spikes: Vec<bool> = self
            .topology
            .faces
            .iter()
            .enumerate()
            .map(|(f, face)| face.iter().any(|&v| poking[v as usize]) || self.has_long_edge(f))
            .collect();
        let least = SHARP_TURN_DEG.to_radians().cos();
        for edge in &self.topology.edges {
            if let [Some(f), Some(g)] = edge.faces.map(|f| f.map(|f| f as usize))
                && !(flipped[f] || flipped[g])
                && self.normals[f].normalize().dot(&self.normals[g].normalize()) < least
            {
                spikes[f] = true;
                spikes[g] = true;
            }
        }
        spikes
    }

    /// Farther from the middle of its neighbours than they are on average.
    #[expect(clippy::cast_precision_loss, reason = "a handful of neighbours")]
    fn pokes_out(&self, vertex: usize) -> bool {
        let ring = self.topology.neighbours_of(vertex);
        if self.on_boundary[vertex] || ring.len() < 3 {
            return false;
        }
        let at = |v: &u32| self.positions[*v as usize];
        let middle = ring.iter().map(at).sum::<Vector3<f64>>() / ring.len() as f64;
        let radius = ring.iter().map(|v| (at(v) - middle).norm()).sum::<f64>() / ring.len() as f64;
        (self.positions[vertex] - middle).norm() > radius
    }

    /// An edge far longer than those at the triangle's corners.
    fn has_long_edge(&self, face: usize) -> bool {
        let own = self.topology.face_edges[face];
        let longest = own.iter().map(|&e| self.edge_lengths[e as usize]).fold(0.0, f64::max);
        let mut around: Vec<u32> = self.topology.faces[face]
            .iter()
            .flat_map(|&v| self.topology.incident_to(v as usize))
            .flat_map(|(f, corner)| {
                // The two edges of that triangle which meet at the vertex.
                let edges = self.topology.face_edges[f];
                [edges[corner], edges[(corner + 2) % 3]]
            })
            .collect();
        around.sort_unstable();
        around.dedup();
        let mut lengths: Vec<f64> = around.iter().map(|&e| self.edge_lengths[e as usize]).collect();
        let middle = lengths.len() / 2;
        let (_, median, _) = lengths.select_nth_unstable_by(middle, f64::total_cmp);
        longest > LONG_EDGE * *median
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::open_hand;
    use crate::mesh::SubdivisionLevels;
    use crate::mesh::testing::{MIDDLE, sheet};

    fn around(vertex: usize) -> Vec<u32> {
        numbers(&sheet().faces.iter().map(|f| f.iter().any(|&v| v as usize == vertex)).collect::<Vec<bool>>())
    }

    fn moved(to: [f64; 3]) -> MeshDefects {
        let mut mesh = sheet();
        mesh.positions[MIDDLE] = to;
        MeshDefects::find(&mesh)
    }

    #[test]
    fn a_sound_sheet_and_the_open_hand_at_every_level_have_none() {
        assert_eq!(MeshDefects::find(&sheet()), MeshDefects { triangles: 200, ..MeshDefects::default() }, "a sheet");
        let small = moved([5e-3, 5e-3, 0.5e-3]);
        assert!(small.flipped.is_empty() && small.spikes.is_empty(), "a small bump is detail: {small:?}");
        for side in Side::BOTH {
            let model = open_hand(side).expect("the open hand");
            let levels = SubdivisionLevels::new(model.template.len(), &model.faces, &[], &[], 2);
            for level in 0..=2 {
                let positions = levels.refine(level, &model.template);
                let found = MeshDefects::find(&TriMesh { positions, faces: levels.faces(level).to_vec() });
                let expected = MeshDefects { triangles: levels.faces(level).len(), ..MeshDefects::default() };
                assert_eq!(found, expected, "the {side} open hand at level {level}");
            }
        }
    }

    #[test]
    fn a_fold_is_found() {
        // The middle vertex beyond its right neighbour: two triangles turn over.
        let found = moved([6.5e-3, 5.25e-3, 0.0]);
        assert_eq!(found.flipped.len(), 2, "those that it passed: {found:?}");
        assert!(found.flipped.iter().all(|f| around(MIDDLE).contains(f)), "at the vertex: {found:?}");
        assert!(!found.self_intersecting.is_empty(), "a fold lies on others: {found:?}");
        // One triangle wound the wrong way round is alone against its neighbours.
        let mut wound = sheet();
        wound.faces[90].swap(1, 2);
        assert_eq!(MeshDefects::find(&wound).flipped, [90], "against the rest");
        // A triangle collapsed to a line.
        let mut thin = sheet();
        let corner = thin.faces[90][0] as usize;
        thin.positions[corner] = thin.positions[thin.faces[90][1] as usize];
        assert!(MeshDefects::find(&thin).flipped.contains(&90), "one without area has no side");
        // A whole patch turned over shows by its rim.
        let mut patch = sheet();
        for (i, p) in patch.positions.iter_mut().enumerate() {
            let (x, y) = (i % 11, i / 11);
            if (3..=7).contains(&x) && (3..=7).contains(&y) {
                p[0] = 10e-3 - p[0];
            }
        }
        let found = MeshDefects::find(&patch);
        assert!(found.flipped.len() >= 10 && found.self_intersecting.len() >= 10, "the rim is found: {found:?}");
    }

    #[test]
    fn a_spike_is_found_at_any_size() {
        for size in [1.0, 1e-6, 1e3] {
            let mut mesh = sheet();
            mesh.positions[MIDDLE][2] = 1.5e-3;
            mesh.positions.iter_mut().flatten().for_each(|x| *x *= size);
            let found = MeshDefects::find(&mesh);
            assert_eq!(found.spikes, around(MIDDLE), "the triangles of the vertex that pokes out, at size {size}");
            assert!(found.flipped.is_empty() && found.self_intersecting.is_empty(), "nothing else is wrong: {found:?}");
        }
    }

    #[test]
    fn a_long_edge_and_a_knife_are_found() {
        // A boundary vertex pulled away: no ring, but long edges.
        let mut mesh = sheet();
        mesh.positions[5] = [5e-3, -9e-3, 0.0];
        let found = MeshDefects::find(&mesh);
        assert_eq!(found.spikes, around(5), "the triangles at the pulled vertex");
        // Two halves of the sheet meeting at 50°: a turn of 130° along a line of 10 edges.
        let mut knife = sheet();
        let steep = 25.0_f64.to_radians();
        for p in &mut knife.positions {
            let x = p[0] - 5e-3;
            *p = [x * steep.sin(), p[1], -x.abs() * steep.cos()];
        }
        let found = MeshDefects::find(&knife);
        assert_eq!(found.spikes.len(), 20, "both sides of the edge: {found:?}");
        let mut roof = sheet();
        for p in &mut roof.positions {
            p[2] = -(p[0] - 5e-3).abs() * 60.0_f64.to_radians().tan() * 0.9;
        }
        assert!(MeshDefects::find(&roof).spikes.is_empty(), "a roof is none");
    }
}
