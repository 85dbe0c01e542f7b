//! Triangle meshes, their adjacency, Loop subdivision that carries any attribute, closest points, and what is wrong with a
//! mesh.
//!
//! Positions are metres in `f64` here; the GPU gets `f32`. Faces wind counter-clockwise seen from outside.

mod cap;
mod decimate;
mod defects;
mod distance;
mod intersect;
mod stencils;
mod subdivide;
#[cfg(test)]
pub(crate) mod testing;
mod topology;

pub use cap::{boundary_loop, boundary_loops, cap_layout, fan};
pub use decimate::{barycentric_from, decimate};
pub use defects::{LONG_EDGE, MeshDefects, SHARP_TURN_DEG};
pub use distance::{ClosestPoint, SurfaceIndex, closest_on_triangle};
pub use intersect::{intersecting_each_other, self_intersecting, triangles_meet};
pub use stencils::Stencils;
pub use subdivide::{LoopStep, MAX_LEVEL, SubdivisionLevels, midpoint_uvs};
pub use topology::{Across, Edge, Topology};

/// Positions and triangles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TriMesh {
    /// Vertex positions (V×3), metres.
    pub positions: Vec<[f64; 3]>,
    /// Vertex indices of each triangle (F×3), outward winding.
    pub faces: Vec<[u32; 3]>,
}

/// Area-weighted vertex normals: the normalised sum of the cross products of the incident faces (zero where they cancel).
#[must_use]
pub fn vertex_normals(positions: &[[f64; 3]], faces: &[[u32; 3]]) -> Vec<[f64; 3]> {
    let mut normals = vec![nalgebra::Vector3::zeros(); positions.len()];
    let at = |i: u32| nalgebra::Vector3::from(positions[i as usize]);
    for face in faces {
        let n = (at(face[1]) - at(face[0])).cross(&(at(face[2]) - at(face[0])));
        for &v in face {
            normals[v as usize] += n;
        }
    }
    normals.into_iter().map(|n| n.try_normalize(0.0).unwrap_or_default().into()).collect()
}

impl TriMesh {
    /// Area-weighted vertex normals.
    #[must_use]
    pub fn normals(&self) -> Vec<[f64; 3]> {
        vertex_normals(&self.positions, &self.faces)
    }
}
