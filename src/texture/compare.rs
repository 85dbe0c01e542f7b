//! The hands through a camera with a texture and with the albedo of their vertices, on the CPU: what a texture is worth.

use super::{HandTexture, TextureHand, TextureMesh};
use crate::camera::warp::Grid;
use crate::camera::{Camera, CameraResidual};
use crate::raster::cpu::{Projected, visibility_of};
use crate::shading::{LIGHT_STRIDE, sh_basis};

/// Both renders of a view, row by row. Outlines are not antialiased: a pixel is what is seen through its centre.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Colours with the albedo of the vertices, not cut at white; black where nothing is seen.
    pub plain: Vec<[f64; 3]>,
    /// Colours with the texture.
    pub textured: Vec<[f64; 3]>,
    /// Where a hand is seen.
    pub rendered: Vec<bool>,
}

/// Renders a view with both, as its photograph has it (`residual`); `textures` has one texture a hand.
#[must_use]
pub fn compare(
    mesh: &TextureMesh<'_>,
    hands: &[TextureHand<'_>],
    textures: &[HandTexture],
    camera: &Camera,
    residual: &CameraResidual,
    light: &[f64; LIGHT_STRIDE],
) -> Compared {
    let projected = Projected::new(mesh.positions, camera);
    let faces = &mesh.topology.faces;
    let seen = visibility_of(&projected, faces, camera.width_px, camera.height_px);
    let pixels = seen.ids.len();
    let mut out =
        Compared { plain: vec![[0.0; 3]; pixels], textured: vec![[0.0; 3]; pixels], rendered: vec![false; pixels] };
    let grid = Grid { width: camera.width_px as usize, height: camera.height_px as usize };
    for pixel in 0..pixels {
        let [x, y] = residual.pinhole_from_photo(grid.centre(pixel));
        let id = seen.ids[grid.nearest([x, y])];
        if id == 0 {
            continue;
        }
        let triangle = id as usize - 1;
        let face = faces[triangle].map(|v| v as usize);
        let b = projected.barycentrics(faces[triangle], x, y);
        let mix = |list: &[[f64; 3]]| [0, 1, 2].map(|k| (0..3).map(|i| b[i] * list[face[i]][k]).sum::<f64>());
        let normal =
            nalgebra::Vector3::from(mix(mesh.normals)).try_normalize(1e-12).unwrap_or_else(nalgebra::Vector3::z);
        let dimmed = residual.brightness([x, y], [camera.width_px, camera.height_px]);
        let irradiance = dimmed * sh_basis(normal.into()).iter().zip(light).map(|(b, c)| b * c).sum::<f64>();
        let shade = |albedo: [f64; 3]| [0, 1, 2].map(|k| (albedo[k] * irradiance * light[9 + k]).max(0.0));
        out.plain[pixel] = shade(mix(mesh.albedo));
        out.textured[pixel] = match owner(hands, textures, triangle) {
            Some((hand, texture, local)) => {
                let corners = hand.uv_faces[local].map(|i| hand.uvs[i as usize]);
                let uv = [0, 1].map(|k| (0..3).map(|i| b[i] * corners[i][k]).sum::<f64>());
                shade(texture.at(uv).map(f64::from))
            }
            None => out.plain[pixel],
        };
        out.rendered[pixel] = true;
    }
    out
}

/// The hand of a triangle of the whole mesh, its texture, and the triangle's number in the hand.
fn owner<'a>(
    hands: &'a [TextureHand<'a>],
    textures: &'a [HandTexture],
    triangle: usize,
) -> Option<(&'a TextureHand<'a>, &'a HandTexture, usize)> {
    let mut first = 0;
    for (hand, texture) in hands.iter().zip(textures) {
        if triangle < first + hand.faces.len() {
            return Some((hand, texture, triangle - first));
        }
        first += hand.faces.len();
    }
    None
}

impl HandTexture {
    /// Bilinear albedo at a UV coordinate (v up), as viewers filter it.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the texture before the cast"
    )]
    pub fn at(&self, [u, v]: [f64; 2]) -> [f32; 3] {
        let n = self.size as usize;
        let last = f64::from(self.size) - 1.0;
        let x = (u * f64::from(self.size) - 0.5).clamp(0.0, last);
        let y = ((1.0 - v) * f64::from(self.size) - 0.5).clamp(0.0, last);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(n - 1), (y0 + 1).min(n - 1));
        let (fx, fy) = (x.fract() as f32, y.fract() as f32);
        let texel = |x: usize, y: usize| self.albedo[y * n + x];
        let (a, b, c, d) = (texel(x0, y0), texel(x1, y0), texel(x0, y1), texel(x1, y1));
        std::array::from_fn(|k| (a[k] * (1.0 - fx) + b[k] * fx) * (1.0 - fy) + (c[k] * (1.0 - fx) + d[k] * fx) * fy)
    }
}
