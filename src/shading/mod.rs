//! Spherical-harmonics shading of the visibility buffer, its gradients, and vertex normals.
//!
//! Published model (FMHR §3.2): irradiance `r(n) = c · [1, ny, nz, nx, nx ny, ny nz, 2nz²−nx²−ny², nz nx, nx²−ny²]` with
//! `n` in world space, normalised after interpolation; colour = `r · ρ` in the image's own (sRGB) encoding. Ours adds one
//! RGB gain a view, because real cameras differ. A light is 12 numbers: 9 coefficients and 3 gains.

pub mod renderer;
pub mod shade;
pub mod vertex_normals;

#[cfg(test)]
pub mod testing;

/// Numbers a light takes: 9 coefficients, 3 gains.
pub const LIGHT_STRIDE: usize = 12;

/// Channels of a photograph from here on (of 1) are taken for clipped: sensors reach white softly, and files round.
pub const CLIPPED: f64 = 0.98;

/// The nine basis functions at a unit normal, in the published order.
#[must_use]
pub fn sh_basis(n: [f64; 3]) -> [f64; 9] {
    let [x, y, z] = n;
    [1.0, y, z, x, x * y, y * z, 2.0 * z * z - x * x - y * y, z * x, x * x - y * y]
}
