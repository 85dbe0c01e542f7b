//! Textures of a reconstructed hand: albedo from the photographs, and relief (normals, displacement) for coarser meshes.
//!
//! # Theory
//! Each photograph, divided by the light that HAM found for its view, is a picture of albedo. A texel's colour is the mean
//! over the views that see its place, weighted by how well they do: pixels per area (focal length, distance, angle), distance
//! from outlines and from the end of the mask, light (a dark pixel divided by little light is mostly noise), trust.
//!
//! Two bands: what is finer than a few millimetres comes from the best views above all (squared weights), as
//! views that are a pixel apart would blur each other; what is coarser comes from all views by their plain weights, so that
//! errors of the light, which differ from view to view, neither show as seams nor as patches. Where no view sees the surface
//! well, the texture turns smoothly into the albedo of the vertices. Where that is asked for, the blend is then fitted to the
//! photographs: `fit.rs`.
//!
//! # Practice
//! Weights, places in the photographs and light are computed at the vertices and interpolated to the texels: at mesh level 3
//! vertices are half a millimetre apart. `f32` sums in a fixed order; one thread.

pub mod atlas;
mod blend;
mod compare;
mod fit;
mod lattice;
pub mod relief;
mod sight;

pub use blend::{HandTexture, bake};
pub use compare::{Compared, compare};
pub use fit::FIT_ROUNDS;

use crate::camera::{Camera, CameraResidual};
use crate::mesh::Topology;
use crate::shading::LIGHT_STRIDE;
use image::{GrayImage, RgbImage};
use std::ops::Range;

/// One photograph.
#[derive(Clone, Copy, Debug)]
pub struct TextureView<'a> {
    /// Its camera, as the run has it.
    pub camera: &'a Camera,
    /// What the camera is still off by.
    pub residual: &'a CameraResidual,
    /// The photograph, of the camera's size.
    pub image: &'a RgbImage,
    /// Its light: 9 coefficients, 3 gains.
    pub light: [f64; LIGHT_STRIDE],
    /// 255 where the hands are, 0 where they are not, between them where the hand goes on as forearm; none: all of the mesh.
    pub mask: Option<&'a GrayImage>,
    /// Weight of the view beside the others, 0..1: less for one whose mask was not trusted.
    pub trust: f64,
}

/// All hands as one mesh: they hide each other.
#[derive(Clone, Copy, Debug)]
pub struct TextureMesh<'a> {
    /// Positions (V×3), world metres.
    pub positions: &'a [[f64; 3]],
    /// Unit normals (V×3).
    pub normals: &'a [[f64; 3]],
    /// Albedo (V×3), sRGB-encoded.
    pub albedo: &'a [[f64; 3]],
    /// Adjacency and triangles.
    pub topology: &'a Topology,
}

/// One hand's part of the mesh and its layout.
#[derive(Clone, Debug)]
pub struct TextureHand<'a> {
    /// Its vertices.
    pub vertices: Range<usize>,
    /// Its triangles, indices from the start of its own vertices.
    pub faces: &'a [[u32; 3]],
    /// UV coordinates, v up.
    pub uvs: &'a [[f64; 2]],
    /// UV index of each face corner.
    pub uv_faces: &'a [[u32; 3]],
}

#[expect(clippy::cast_possible_truncation, reason = "colours and places in images are kept as floats")]
const fn f32_of(x: f64) -> f32 {
    x as f32
}

/// 0 below `from`, 1 above `to`, smooth between.
fn ramp(x: f64, from: f64, to: f64) -> f64 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Bilinear RGB (0..1) at an image position in pixels (centres at +0.5), clamped to the image.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image before the cast")]
fn sample(image: &RgbImage, [x, y]: [f32; 2]) -> [f32; 3] {
    let (w, h) = (image.width() as usize, image.height() as usize);
    let (x, y) = ((x - 0.5).clamp(0.0, (w - 1) as f32), (y - 0.5).clamp(0.0, (h - 1) as f32));
    let (x0, y0) = (x as usize, y as usize);
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let raw = image.as_raw();
    let (right, below) = (if x0 + 1 < w { 3 } else { 0 }, if y0 + 1 < h { 3 * w } else { 0 });
    let at = 3 * (y0 * w + x0);
    let mix = |k: usize| {
        let top = f32::from(raw[at + k]) * (1.0 - fx) + f32::from(raw[at + right + k]) * fx;
        let low = f32::from(raw[at + below + k]) * (1.0 - fx) + f32::from(raw[at + below + right + k]) * fx;
        (top * (1.0 - fy) + low * fy) * (1.0 / 255.0)
    };
    [mix(0), mix(1), mix(2)]
}

#[cfg(test)]
mod tests;
