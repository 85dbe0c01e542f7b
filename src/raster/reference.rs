//! What the `f64` twins share: projection, barycentrics and screen positions, as in `shaders/common/camera.wgsl`.

use super::ViewRegion;
use crate::mesh::Across;

/// A 2-vector.
pub type V2 = [f64; 2];
/// A 3-vector.
pub type V3 = [f64; 3];

/// A region with `f64` projection rows, from the same numbers that the GPU gets.
#[derive(Clone, Debug)]
pub struct RefView {
    /// Rows of the projection.
    pub p: [[f64; 4]; 3],
    /// Region width in pixels.
    pub width: usize,
    /// Region height in pixels.
    pub height: usize,
    /// Row of the light.
    pub light: usize,
    /// Gradients to geometry are wanted.
    pub geometry: bool,
}

impl From<&ViewRegion> for RefView {
    fn from(v: &ViewRegion) -> Self {
        Self {
            p: v.pixel_from_world.map(|row| row.map(f64::from)),
            width: v.width as usize,
            height: v.height as usize,
            light: v.light as usize,
            geometry: v.geometry == 1,
        }
    }
}

/// Triangles and who lies across their edges, shared by the twins.
#[derive(Clone, Copy, Debug)]
pub struct RefMesh<'a> {
    /// Positions, world metres.
    pub positions: &'a [V3],
    /// Triangles.
    pub faces: &'a [[u32; 3]],
    /// What lies across each edge (corner k to k+1).
    pub opposite: &'a [[Across; 3]],
}

impl RefView {
    /// Homogeneous pixel of a world point.
    #[must_use]
    pub fn to_pixel(&self, x: V3) -> V3 {
        [0, 1, 2].map(|r| self.p[r][0] * x[0] + self.p[r][1] * x[1] + self.p[r][2] * x[2] + self.p[r][3])
    }

    /// Gradient of a world point from the gradient of its homogeneous pixel.
    #[must_use]
    pub fn to_pixel_grad(&self, d: V3) -> V3 {
        [0, 1, 2].map(|c| d[0] * self.p[0][c] + d[1] * self.p[1][c] + d[2] * self.p[2][c])
    }

    /// Screen position, region pixels.
    #[must_use]
    pub fn screen(&self, x: V3) -> V2 {
        let h = self.to_pixel(x);
        [h[0] / h[2], h[1] / h[2]]
    }

    /// Centre of pixel `i`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "image sizes are small")]
    pub fn pixel_centre(&self, i: usize) -> V2 {
        [(i % self.width) as f64 + 0.5, (i / self.width) as f64 + 0.5]
    }

    /// Barycentrics of triangle `face` at `p`.
    #[must_use]
    pub fn barycentric(&self, mesh: &RefMesh<'_>, face: usize, p: V2) -> Bary {
        barycentric(p, mesh.faces[face].map(|v| self.to_pixel(mesh.positions[v as usize])))
    }

    /// Interpolated depth of `triangle` (id + 1) at `p`, infinite for background.
    #[must_use]
    pub fn depth_at(&self, mesh: &RefMesh<'_>, triangle: u32, p: V2) -> f64 {
        if triangle == 0 {
            return 3.0e38;
        }
        let h = mesh.faces[triangle as usize - 1].map(|v| self.to_pixel(mesh.positions[v as usize]));
        let b = barycentric(p, h);
        b.lambda[0] * h[0][2] + b.lambda[1] * h[1][2] + b.lambda[2] * h[2][2]
    }
}

/// Barycentrics with what their gradient needs.
#[derive(Clone, Copy, Debug)]
pub struct Bary {
    /// `h.xy − p h.z` of the three corners.
    pub u: [V2; 3],
    /// Perspective-correct weights.
    pub lambda: V3,
    /// Sum of the un-normalised weights.
    pub sum: f64,
}

/// z of the cross product.
#[must_use]
pub fn cross2(a: V2, b: V2) -> f64 {
    a[0] * b[1] - a[1] * b[0]
}

/// Perspective-correct barycentrics of homogeneous pixels `h` at the pixel centre `p`.
#[must_use]
pub fn barycentric(p: V2, h: [V3; 3]) -> Bary {
    let u = h.map(|h| [h[0] - p[0] * h[2], h[1] - p[1] * h[2]]);
    let raw = [cross2(u[1], u[2]), cross2(u[2], u[0]), cross2(u[0], u[1])];
    let sum = raw[0] + raw[1] + raw[2];
    let lambda = if sum.abs() > 1e-12 { raw.map(|r| r / sum) } else { [1.0, 0.0, 0.0] };
    Bary { u, lambda, sum }
}

/// `Σ λ_i a_i`.
#[must_use]
pub fn mix(lambda: V3, a: [V3; 3]) -> V3 {
    [0, 1, 2].map(|k| lambda[0] * a[0][k] + lambda[1] * a[1][k] + lambda[2] * a[2][k])
}

/// Dot product.
#[must_use]
pub fn dot(a: V3, b: V3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
