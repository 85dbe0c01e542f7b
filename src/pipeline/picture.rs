//! Pictures of any snapshot through any camera, for the studio's compare pane, `render` and `evaluate`.

use crate::camera::Camera;
use crate::export::level_8bit;
use crate::fitting::ham::Vertices;
use crate::gpu::{Gpu, GpuError};
use crate::mesh::Topology;
use crate::shading::LIGHT_STRIDE;
use crate::shading::renderer::{MeshBuffers, PixelBuffers, Renderer, ViewPass, padded};
use image::{Rgb, RgbImage};
use nalgebra::Vector3;

/// What a pixel shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PictureMode {
    /// Albedo times irradiance times gain, as the photograph.
    #[default]
    Shaded,
    /// Albedo alone.
    Albedo,
    /// World normals as colours.
    Normals,
    /// Grey clay under a lamp at the camera's upper left: the surface alone, without albedo.
    Clay,
}

/// A light that shows albedo as it is.
pub(super) const FLAT_LIGHT: [f64; LIGHT_STRIDE] = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0];

/// A plain light for meshes that have none yet: from the camera's side of the rig, a little from above.
pub(super) const STUDIO_LIGHT: [f64; LIGHT_STRIDE] = [0.75, -0.25, -0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0];

/// Encoded grey of clay.
const CLAY: [f32; 4] = [0.82, 0.82, 0.82, 0.0];

/// The lamp that shows clay: at the upper left of the camera and beside it, so that wrinkles across either way show.
pub(super) fn raking_light(camera: &Camera) -> [f64; LIGHT_STRIDE] {
    let from = camera.rotation.transpose() * Vector3::new(-0.62, -0.62, -0.48);
    [0.52, 0.5 * from.y, 0.5 * from.z, 0.5 * from.x, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
}

/// Positions, normals and albedo of one mesh.
#[derive(Clone, Copy, Debug)]
pub struct Surface<'a> {
    /// World metres.
    pub positions: &'a [[f32; 3]],
    /// Unit normals.
    pub normals: &'a [[f32; 3]],
    /// Albedo.
    pub albedo: &'a [[f32; 3]],
}

impl<'a> From<&'a Vertices> for Surface<'a> {
    fn from(v: &'a Vertices) -> Self {
        Self { positions: &v.positions, normals: &v.normals, albedo: &v.albedo }
    }
}

/// Renders meshes of one topology; rebuilt when the topology changes, bound anew when the camera changes.
pub struct PictureMaker {
    gpu: Gpu,
    renderer: Renderer,
    mesh: Option<(Vec<[u32; 3]>, MeshBuffers)>,
    pixels: Option<((u32, u32), PixelBuffers)>,
    view: Option<(Camera, ViewPass)>,
}

impl PictureMaker {
    /// Compiles the kernels.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        Ok(Self { gpu: gpu.clone(), renderer: Renderer::new(gpu)?, mesh: None, pixels: None, view: None })
    }

    /// Premultiplied RGBA of the whole image of `camera`, row by row.
    ///
    /// # Errors
    /// [`GpuError`].
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub fn render(
        &mut self,
        surface: &Surface<'_>,
        faces: &[[u32; 3]],
        camera: &Camera,
        light: &[f64; LIGHT_STRIDE],
        mode: PictureMode,
    ) -> Result<Vec<[f32; 4]>, GpuError> {
        let gpu = self.gpu.clone();
        // Rows of the visibility copy are multiples of 64 pixels; the surplus columns are cut off below.
        let wide = Camera { width_px: camera.width_px.next_multiple_of(64), ..camera.clone() };
        let size = (wide.width_px, wide.height_px);
        if self.mesh.as_ref().is_none_or(|(f, m)| f != faces || m.vertices as usize != surface.positions.len()) {
            let topology = Topology::new(surface.positions.len(), faces);
            let buffers = MeshBuffers::new(&gpu, &topology, surface.positions, surface.albedo, 1)?;
            self.mesh = Some((faces.to_vec(), buffers));
            self.view = None;
        }
        if self.pixels.as_ref().is_none_or(|(s, _)| *s != size) {
            self.pixels = Some((size, PixelBuffers::new(&gpu, size.0, size.1)?));
            self.view = None;
        }
        let (Some((_, mesh)), Some((_, pixels))) = (&self.mesh, &self.pixels) else { return Ok(Vec::new()) };
        if self.view.as_ref().is_none_or(|(c, _)| *c != wide) {
            self.view = Some((wide.clone(), self.renderer.bind_view(mesh, pixels, &wide, 0)?));
        }
        let Some((_, view)) = &self.view else { return Ok(Vec::new()) };
        mesh.positions.write(&gpu, &padded(surface.positions));
        mesh.normals.write(&gpu, &padded(surface.normals));
        let colours = match mode {
            PictureMode::Shaded | PictureMode::Albedo => padded(surface.albedo),
            PictureMode::Normals => {
                surface.normals.iter().map(|n| [n[0] * 0.5 + 0.5, n[1] * 0.5 + 0.5, n[2] * 0.5 + 0.5, 0.0]).collect()
            }
            PictureMode::Clay => vec![CLAY; surface.positions.len()],
        };
        mesh.albedo.write(&gpu, &colours);
        let light = match mode {
            PictureMode::Shaded => *light,
            PictureMode::Clay => raking_light(camera),
            PictureMode::Albedo | PictureMode::Normals => FLAT_LIGHT,
        };
        mesh.lights.write(&gpu, &light.map(|x| x as f32));
        let rows = self.renderer.render(mesh, pixels, view)?;
        let width = camera.width_px as usize;
        Ok(rows.chunks_exact(size.0 as usize).flat_map(|row| row[..width].to_vec()).collect())
    }
}

/// Premultiplied pixels of a camera laid over a ground, which is asked for by pixel number (RGB, 0..1); a pixel that is missing
/// shows the ground alone.
#[must_use]
pub fn over(pixels: &[[f32; 4]], camera: &Camera, ground: impl Fn(usize) -> [f64; 3]) -> RgbImage {
    RgbImage::from_fn(camera.width_px, camera.height_px, |x, y| {
        let at = y as usize * camera.width_px as usize + x as usize;
        let (p, g) = (pixels.get(at).copied().unwrap_or_default(), ground(at));
        let rest = 1.0 - f64::from(p[3].clamp(0.0, 1.0));
        Rgb([0, 1, 2].map(|k| level_8bit(f64::from(p[k]) + rest * g[k])))
    })
}

/// Premultiplied linear-in-encoding RGBA → straight RGBA8.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
pub fn to_rgba8(pixels: &[[f32; 4]]) -> Vec<u8> {
    let byte = |x: f32| (x * 255.0).round().clamp(0.0, 255.0) as u8;
    pixels
        .iter()
        .flat_map(|p| {
            let a = p[3].clamp(0.0, 1.0);
            let straight = |x: f32| if a > 1e-3 { byte(x / a) } else { 0 };
            [straight(p[0]), straight(p[1]), straight(p[2]), byte(a)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::testing::plain;

    #[test]
    fn pixels_are_laid_over_their_ground() {
        let ground = |at| if at == 0 { [1.0; 3] } else { [0.2; 3] };
        let image = over(&[[0.25, 0.0, 0.0, 0.5], [0.0; 4]], &plain(2, 1), ground);
        assert_eq!(image.get_pixel(0, 0).0, [191, 128, 128], "half and half");
        assert_eq!(image.get_pixel(1, 0).0, [51; 3], "the ground alone");
    }
}
