//! Meshes for tests.

use super::TriMesh;

/// A 10×10 sheet of 10 mm in z = 0 with normals +z; vertex (x, y) is `y * 11 + x`.
pub(crate) fn sheet() -> TriMesh {
    let positions = (0..121).map(|i| [f64::from(i % 11) * 1e-3, f64::from(i / 11) * 1e-3, 0.0]).collect();
    let cell = |i: u32| {
        let a = i / 10 * 11 + i % 10;
        [[a, a + 1, a + 12], [a, a + 12, a + 11]]
    };
    TriMesh { positions, faces: (0..100).flat_map(cell).collect() }
}

/// Vertex (5, 5) of the [`sheet`].
pub(crate) const MIDDLE: usize = 60;
