//! What a coarse mesh lacks of the fine one, over the UV layout they share: a tangent-space normal map and a displacement map.
//!
//! Tangents are MikkTSpace's (through `bevy_mikktspace`), with v up, as glTF's normal textures are meant: green is up. A
//! texel holds the fine normal in the frame that a viewer interpolates there from the coarse mesh.

use super::atlas::{PADDING, spread, texels};
use super::f32_of;
use bevy_mikktspace::{Geometry, TangentSpace, generate_tangents};
use nalgebra::{Matrix3, Vector3};

/// A mesh with a UV layout.
#[derive(Clone, Copy, Debug)]
pub struct Laid<'a> {
    /// Positions (V×3), metres.
    pub positions: &'a [[f64; 3]],
    /// Unit normals (V×3).
    pub normals: &'a [[f64; 3]],
    /// Triangles.
    pub faces: &'a [[u32; 3]],
    /// UV coordinates, v up.
    pub uvs: &'a [[f64; 2]],
    /// UV index of each corner.
    pub uv_faces: &'a [[u32; 3]],
}

/// Maps for a coarse mesh.
#[derive(Clone, Debug, PartialEq)]
pub struct Relief {
    /// Texels a side.
    pub size: u32,
    /// Unit normals in tangent space (size², top row first); `[0, 0, 1]` outside the layout.
    pub normals: Vec<[f32; 3]>,
    /// How far the fine surface lies outside the coarse one, along its normal, metres; 0 outside the layout.
    pub displacement_m: Vec<f32>,
    /// Which texels belong to the layout or its padding.
    pub filled: Vec<bool>,
}

/// Tangents of every corner (F×3): a unit vector and the sign of the bitangent `sign · (normal × tangent)`.
#[must_use]
pub fn tangents(mesh: &Laid<'_>) -> Vec<[[f32; 4]; 3]> {
    struct Corners<'a>(&'a Laid<'a>, Vec<[[f32; 4]; 3]>);
    impl Geometry for Corners<'_> {
        fn num_faces(&self) -> usize {
            self.0.faces.len()
        }
        fn num_vertices_of_face(&self, _: usize) -> usize {
            3
        }
        fn position(&self, face: usize, corner: usize) -> [f32; 3] {
            self.0.positions[self.0.faces[face][corner] as usize].map(f32_of)
        }
        fn normal(&self, face: usize, corner: usize) -> [f32; 3] {
            self.0.normals[self.0.faces[face][corner] as usize].map(f32_of)
        }
        fn tex_coord(&self, face: usize, corner: usize) -> [f32; 2] {
            self.0.uvs[self.0.uv_faces[face][corner] as usize].map(f32_of)
        }
        fn set_tangent(&mut self, space: Option<TangentSpace>, face: usize, corner: usize) {
            if let Some(space) = space {
                self.1[face][corner] = space.tangent_encoded();
            }
        }
    }
    let mut corners = Corners(mesh, vec![[[1.0, 0.0, 0.0, 1.0]; 3]; mesh.faces.len()]);
    // It fails for lack of memory only; then the plain tangents stay.
    let _ = generate_tangents(&mut corners);
    let mut out = corners.1;
    for (tangents, face) in out.iter_mut().zip(mesh.faces) {
        for (t, v) in tangents.iter_mut().zip(face) {
            *t = upright(*t, mesh.normals[*v as usize]);
        }
    }
    out
}

/// A tangent as glTF wants it: finite, of unit length, across the normal.
fn upright(t: [f32; 4], normal: [f64; 3]) -> [f32; 4] {
    let n = Vector3::from(normal);
    let raw = Vector3::new(f64::from(t[0]), f64::from(t[1]), f64::from(t[2]));
    let flat = |v: Vector3<f64>| (v - n * n.dot(&v)).try_normalize(1e-6);
    let along = flat(raw).or_else(|| flat(Vector3::x())).or_else(|| flat(Vector3::y())).unwrap_or_else(Vector3::x);
    [f32_of(along.x), f32_of(along.y), f32_of(along.z), if t[3] < 0.0 { -1.0 } else { 1.0 }]
}

/// Bakes the maps. The fine triangles `4ⁿf..4ⁿ(f + 1)` are those of coarse triangle `f`, and their UVs lie within its, as
/// subdivision by midpoints has them.
///
/// # Panics
/// When the fine mesh has not 4ⁿ times the triangles of the coarse one.
#[must_use]
pub fn bake(coarse: &Laid<'_>, fine: &Laid<'_>, size: u32) -> Relief {
    let children = fine.faces.len() / coarse.faces.len().max(1);
    assert_eq!(children * coarse.faces.len(), fine.faces.len(), "the fine mesh subdivides the coarse one");
    let count = size as usize * size as usize;
    let tangents = tangents(coarse);
    let mut values = vec![[0.0_f32; 4]; count];
    let mut filled = vec![false; count];
    for (f, (face, corners)) in fine.faces.iter().zip(fine.uv_faces).enumerate() {
        let parent = f / children;
        let frame = Frame::new(coarse, &tangents[parent], parent);
        let uvs = corners.map(|i| fine.uvs[i as usize]);
        let outer = uvs.map(|uv| frame.barycentrics(uv));
        let normals = face.map(|v| Vector3::from(fine.normals[v as usize]));
        let places = face.map(|v| Vector3::from(fine.positions[v as usize]));
        texels(size, uvs, |at, b| {
            let b = b.map(f64::from);
            let coarse_b = [0, 1, 2].map(|i| (0..3).map(|j| b[j] * outer[j][i]).sum::<f64>());
            let mix = |list: &[Vector3<f64>; 3]| list[0] * b[0] + list[1] * b[1] + list[2] * b[2];
            let (normal, off) = frame.seen(coarse_b, mix(&normals), mix(&places));
            values[at] = [f32_of(normal.x), f32_of(normal.y), f32_of(normal.z), f32_of(off)];
            filled[at] = true;
        });
    }
    spread(&mut values, &mut filled, size, PADDING);
    let normals = values
        .iter()
        .zip(&filled)
        .map(|(v, filled)| {
            let n = Vector3::new(v[0], v[1], v[2]).try_normalize(1e-6).filter(|_| *filled);
            n.unwrap_or_else(Vector3::z).into()
        })
        .collect();
    Relief { size, normals, displacement_m: values.iter().map(|v| v[3]).collect(), filled }
}

/// The frames at the corners of a coarse triangle.
struct Frame {
    tangents: [Vector3<f64>; 3],
    bitangents: [Vector3<f64>; 3],
    normals: [Vector3<f64>; 3],
    places: [Vector3<f64>; 3],
    uvs: [[f64; 2]; 3],
}

impl Frame {
    fn new(mesh: &Laid<'_>, tangents: &[[f32; 4]; 3], face: usize) -> Self {
        let corners = mesh.faces[face].map(|v| v as usize);
        let normals = corners.map(|v| Vector3::from(mesh.normals[v]));
        let across = tangents.map(|t| Vector3::new(f64::from(t[0]), f64::from(t[1]), f64::from(t[2])));
        Self {
            tangents: across,
            bitangents: [0, 1, 2].map(|i| normals[i].cross(&across[i]) * f64::from(tangents[i][3])),
            normals,
            places: corners.map(|v| Vector3::from(mesh.positions[v])),
            uvs: mesh.uv_faces[face].map(|i| mesh.uvs[i as usize]),
        }
    }

    fn barycentrics(&self, q: [f64; 2]) -> [f64; 3] {
        let p = self.uvs;
        let cross =
            |a: [f64; 2], b: [f64; 2], c: [f64; 2]| (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        let area = cross(p[0], p[1], p[2]);
        if area == 0.0 {
            return [1.0 / 3.0; 3];
        }
        [cross(p[1], p[2], q) / area, cross(p[2], p[0], q) / area, cross(p[0], p[1], q) / area]
    }

    /// A normal in tangent space, and the distance of a point along the coarse normal.
    fn seen(&self, b: [f64; 3], normal: Vector3<f64>, place: Vector3<f64>) -> (Vector3<f64>, f64) {
        let mix = |list: &[Vector3<f64>; 3]| list[0] * b[0] + list[1] * b[1] + list[2] * b[2];
        let unit = |v: Vector3<f64>| v.try_normalize(1e-12).unwrap_or_else(Vector3::z);
        let (t, b, n) = (unit(mix(&self.tangents)), unit(mix(&self.bitangents)), unit(mix(&self.normals)));
        let off = (place - mix(&self.places)).dot(&n);
        let local = Matrix3::from_columns(&[t, b, n]).try_inverse().map_or_else(Vector3::z, |inverse| inverse * normal);
        (unit(local), off)
    }
}
