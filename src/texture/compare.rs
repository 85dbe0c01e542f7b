//! The hands through a camera with a texture and with the albedo of their vertices, on the CPU: what a texture is worth.

use super::{HandTexture, TextureHand, TextureMesh, f32_of};
use crate::camera::warp::Grid;
use crate::camera::{Camera, CameraResidual};
use crate::raster::cpu::{Projected, visibility_of};
use crate::shading::{LIGHT_STRIDE, sh_basis};
use nalgebra::Vector3;

/// Places of a pixel that are looked at, along each of its sides.
const SAMPLES: u32 = 3;

/// Both renders of a view, row by row: the mean over places of a pixel, where those that see no hand are black.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Colours with the albedo of the vertices, not cut at white.
    pub plain: Vec<[f64; 3]>,
    /// Colours with the texture.
    pub textured: Vec<[f64; 3]>,
    /// Share of each pixel that sees a hand.
    pub coverage: Vec<f32>,
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
    let fine = camera.scaled(f64::from(SAMPLES));
    let projected = Projected::new(mesh.positions, &fine);
    let faces = &mesh.topology.faces;
    let seen = visibility_of(&projected, faces, fine.width_px, fine.height_px);
    let count = camera.width_px as usize * camera.height_px as usize;
    let mut out =
        Compared { plain: vec![[0.0; 3]; count], textured: vec![[0.0; 3]; count], coverage: vec![0.0; count] };
    let pixels = Pixels { mesh, camera, residual, light, projected: &projected, ids: &seen.ids, samples: SAMPLES };
    let share = f64::from(SAMPLES * SAMPLES).recip();
    for (pixel, Hit { triangle, barycentrics: b, lit }) in pixels.hits() {
        let shade = |albedo: [f64; 3]| [0, 1, 2].map(|k| (albedo[k] * lit[k]).max(0.0) * share);
        let plain = shade(mix3(b, &mesh.topology.faces[triangle].map(|v| mesh.albedo[v as usize])));
        let textured = match owner(hands, triangle).and_then(|(hand, local)| Some((hand, textures.get(hand)?, local))) {
            Some((hand, texture, local)) => shade(texture.at(uv_at(&hands[hand], local, b)).map(f64::from)),
            None => plain,
        };
        for k in 0..3 {
            out.plain[pixel][k] += plain[k];
            out.textured[pixel][k] += textured[k];
        }
        out.coverage[pixel] += f32_of(share);
    }
    out
}

/// A camera's picture of the mesh, as its photograph has it.
pub(super) struct Pixels<'a> {
    pub(super) mesh: &'a TextureMesh<'a>,
    pub(super) camera: &'a Camera,
    pub(super) residual: &'a CameraResidual,
    pub(super) light: &'a [f64; LIGHT_STRIDE],
    /// The mesh in the pinhole camera's picture, `samples` times as large.
    pub(super) projected: &'a Projected,
    /// `triangle + 1` at each pixel of that picture, or 0.
    pub(super) ids: &'a [u32],
    /// Places of a pixel that are looked at, along each of its sides.
    pub(super) samples: u32,
}

/// What a place of a pixel sees.
pub(super) struct Hit {
    /// Triangle of the whole mesh.
    pub(super) triangle: usize,
    /// Where on it.
    pub(super) barycentrics: [f64; 3],
    /// What albedo is multiplied with there: light, gain and falloff.
    pub(super) lit: [f64; 3],
}

impl Pixels<'_> {
    /// All places of the photograph's pixels that see a hand, row by row.
    pub(super) fn hits(&self) -> impl Iterator<Item = (usize, Hit)> {
        let (width, height, n) =
            (self.camera.width_px as usize, self.camera.height_px as usize, self.samples.max(1) as usize);
        let warp = self.residual.warp.as_ref();
        let shift = warp.map_or(0.0, |w| w.shifts_px.iter().flatten().fold(0.0, |m: f32, s| m.max(s.abs())));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few pixels")]
        let margin = shift.ceil() as usize + 1;
        // Rows and columns between which hands are seen; the photograph has them no more than the largest shift beyond.
        let (mut x, mut y) = (width..0, height..0);
        for (row, ids) in self.ids.chunks_exact((n * width).max(1)).enumerate() {
            let Some(first) = ids.iter().position(|id| *id > 0) else { continue };
            let last = ids.iter().rposition(|id| *id > 0).unwrap_or(first);
            let (row, first, last) = (row / n, first / n, last / n);
            x = x.start.min(first.saturating_sub(margin))..x.end.max((last + 1 + margin).min(width));
            y = y.start.min(row.saturating_sub(margin))..(row + 1 + margin).min(height);
        }
        let grid = Grid { width, height };
        let place = move |pixel: usize, sample: usize| {
            let [x, y] = grid.centre(pixel);
            let off = |i: usize| (i as f64 + 0.5) / n as f64 - 0.5;
            [x + off(sample % n), y + off(sample / n)]
        };
        y.flat_map(move |row| x.clone().map(move |column| row * width + column))
            .flat_map(move |pixel| (0..n * n).map(move |sample| (pixel, place(pixel, sample))))
            .filter_map(|(pixel, at)| Some((pixel, self.at(at)?)))
    }

    /// What a place of the photograph sees; `None` where that is no hand.
    fn at(&self, photo_px: [f64; 2]) -> Option<Hit> {
        let size = [self.camera.width_px, self.camera.height_px];
        let n = f64::from(self.samples.max(1));
        let [width, height] = size.map(|x| x as usize * self.samples.max(1) as usize);
        let [x, y] = self.residual.pinhole_from_photo(photo_px);
        let triangle = (self.ids[Grid { width, height }.nearest([n * x, n * y])] as usize).checked_sub(1)?;
        let face = self.mesh.topology.faces[triangle];
        let barycentrics = self.projected.barycentrics(face, n * x, n * y);
        let normal = Vector3::from(mix3(barycentrics, &face.map(|v| self.mesh.normals[v as usize])));
        let normal = normal.try_normalize(1e-12).unwrap_or_else(Vector3::z);
        let irradiance: f64 = sh_basis(normal.into()).iter().zip(self.light).map(|(b, c)| b * c).sum();
        let dimmed = irradiance * self.residual.brightness([x, y], size);
        Some(Hit { triangle, barycentrics, lit: [0, 1, 2].map(|k| dimmed * self.light[9 + k]) })
    }
}

/// The hand of a triangle of the whole mesh, and the triangle's number in it.
pub(super) fn owner(hands: &[TextureHand<'_>], triangle: usize) -> Option<(usize, usize)> {
    let mut first = 0;
    for (i, hand) in hands.iter().enumerate() {
        if triangle < first + hand.faces.len() {
            return Some((i, triangle - first));
        }
        first += hand.faces.len();
    }
    None
}

/// The UV coordinate of a place on a hand's triangle.
pub(super) fn uv_at(hand: &TextureHand<'_>, triangle: usize, b: [f64; 3]) -> [f64; 2] {
    let corners = hand.uv_faces[triangle].map(|i| hand.uvs[i as usize]);
    [0, 1].map(|k| (0..3).map(|i| b[i] * corners[i][k]).sum::<f64>())
}

fn mix3(b: [f64; 3], values: &[[f64; 3]; 3]) -> [f64; 3] {
    std::array::from_fn(|k| (0..3).map(|i| b[i] * values[i][k]).sum())
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
