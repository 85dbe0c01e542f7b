//! Photographs of the true hands: `f64` visibility at several samples a pixel, SH shading, box filter, sRGB-encoded; with gloss, a highlight of
//! Blinn's kind (1977) about the light's main direction on top.

use super::light::irradiance;
use super::random::{Noise, Random};
use super::{SynthSettings, TrueHand};
use crate::camera::Camera;
use crate::raster::cpu::{Projected, visibility_of};
use image::{GrayImage, Luma, Rgb, RgbImage};
use nalgebra::Vector3;

/// All hands in one mesh, so that they occlude each other.
pub(super) struct Scene {
    positions: Vec<[f64; 3]>,
    normals: Vec<[f64; 3]>,
    albedo: Vec<[f64; 3]>,
    faces: Vec<[u32; 3]>,
    light: [f64; 9],
}

impl Scene {
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 vertices")]
    pub(super) fn new(hands: &[TrueHand], light: &[f64; 9]) -> Self {
        let mut scene = Self { positions: vec![], normals: vec![], albedo: vec![], faces: vec![], light: *light };
        for hand in hands {
            let base = scene.positions.len() as u32;
            scene.positions.extend(&hand.positions);
            scene.normals.extend(&hand.normals);
            scene.albedo.extend(&hand.albedo);
            scene.faces.extend(hand.faces.iter().map(|f| f.map(|v| v + base)));
        }
        scene
    }

    /// The photograph and the mask (coverage above one half) of a camera.
    pub(super) fn photograph(
        &self,
        camera: &Camera,
        gain: [f64; 3],
        settings: &SynthSettings,
        view: usize,
    ) -> (RgbImage, GrayImage) {
        let s = settings.supersample;
        let (width, height) = (camera.width_px, camera.height_px);
        let fine = camera.scaled(f64::from(s));
        let projected = Projected::new(&self.positions, &fine);
        let ids = visibility_of(&projected, &self.faces, width * s, height * s);
        let backdrop = Backdrop::new(settings, view);
        let eye = camera.centre();
        let mut image = RgbImage::new(width, height);
        let mut mask = GrayImage::new(width, height);
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0.0; 3];
                let mut hits = 0_u32;
                for sub in 0..s * s {
                    let (fx, fy) = (x * s + sub % s, y * s + sub / s);
                    let id = ids.ids[fy as usize * (width * s) as usize + fx as usize];
                    if id == 0 {
                        continue;
                    }
                    hits += 1;
                    let centre_px = [f64::from(fx) + 0.5, f64::from(fy) + 0.5];
                    let colour = self.shade(&projected, id as usize - 1, centre_px, &eye, settings.gloss);
                    for c in 0..3 {
                        sum[c] += (gain[c] * colour[c]).clamp(0.0, 1.0);
                    }
                }
                let coverage = f64::from(hits) / f64::from(s * s);
                let behind = if hits < s * s { backdrop.colour(x, y) } else { [0.0; 3] };
                let pixel = [0, 1, 2].map(|c| sum[c] / f64::from(s * s) + (1.0 - coverage) * behind[c]);
                image.put_pixel(x, y, Rgb(pixel.map(encode)));
                mask.put_pixel(x, y, Luma([if coverage > 0.5 { 255 } else { 0 }]));
            }
        }
        (image, mask)
    }

    /// Irradiance of the interpolated, normalised normal times the interpolated albedo, and `gloss` times a highlight.
    fn shade(
        &self,
        projected: &Projected,
        face: usize,
        [x_px, y_px]: [f64; 2],
        eye: &Vector3<f64>,
        gloss: f64,
    ) -> [f64; 3] {
        let corners = self.faces[face];
        let b = projected.barycentrics(corners, x_px, y_px);
        let mix = |values: &[[f64; 3]]| -> Vector3<f64> {
            (0..3).map(|i| Vector3::from(values[corners[i] as usize]) * b[i]).sum()
        };
        let normal = mix(&self.normals).try_normalize(0.0).unwrap_or_default();
        let matte = mix(&self.albedo) * irradiance(&self.light, normal.into());
        if gloss == 0.0 {
            return matte.into();
        }
        // The first band of the light points to where most of it comes from.
        let lamp = Vector3::new(self.light[3], self.light[1], self.light[2]).try_normalize(0.0).unwrap_or_default();
        let to_eye = (eye - mix(&self.positions)).try_normalize(0.0).unwrap_or_default();
        let half = (lamp + to_eye).try_normalize(0.0).unwrap_or_default();
        let shine = gloss * normal.dot(&half).max(0.0).powi(SHININESS);
        matte.add_scalar(shine).into()
    }
}

/// Exponent of the highlight: it has fallen to a half at 14 degrees.
const SHININESS: i32 = 24;

/// Nearest 8-bit level.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..255 before the cast")]
fn encode(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// A dark room: a gradient, soft clouds and a little grain.
struct Backdrop {
    /// Clouds on a grid of [`STEP`] pixels, read bilinearly: the noise itself would cost more than the hands.
    clouds: Vec<f64>,
    columns: usize,
    grain: Noise,
    top: [f64; 3],
    bottom: [f64; 3],
    height: f64,
}

/// Grid of the clouds, pixels.
const STEP: u32 = 16;

impl Backdrop {
    fn new(settings: &SynthSettings, view: usize) -> Self {
        let mut random = Random::new(settings.seed, &format!("backdrop {view}"));
        let mut shade = |base: f64| {
            let grey = base + random.range(-0.02, 0.02);
            [grey - random.range(0.0, 0.015), grey + random.range(0.0, 0.012), grey + random.range(-0.005, 0.015)]
        };
        let (width, height) = settings.size;
        let noise = Noise::new(settings.seed, &format!("clouds {view}"));
        let per_px = 6.0 / f64::from(width);
        let (columns, rows) = (width / STEP + 2, height / STEP + 2);
        let at = |i: u32| f64::from(i * STEP) * per_px;
        let clouds =
            (0..rows * columns).map(|i| 0.02 * noise.at(Vector3::new(at(i % columns), at(i / columns), 0.5))).collect();
        Self {
            clouds,
            columns: columns as usize,
            grain: Noise::new(settings.seed, &format!("grain {view}")),
            top: shade(0.16),
            bottom: shade(0.095),
            height: f64::from(height),
        }
    }

    fn colour(&self, x: u32, y: u32) -> [f64; 3] {
        let t = f64::from(y) / self.height;
        let (fx, fy) = (f64::from(x % STEP) / f64::from(STEP), f64::from(y % STEP) / f64::from(STEP));
        let i = (y / STEP) as usize * self.columns + (x / STEP) as usize;
        let row = |i: usize| self.clouds[i] * (1.0 - fx) + self.clouds[i + 1] * fx;
        let cloud = row(i) * (1.0 - fy) + row(i + self.columns) * fy;
        let bits = self.grain.cell_bits([i64::from(x), i64::from(y), 0]);
        [0, 1, 2].map(|c| {
            let grain = f64::from((bits >> (16 * c) & 0xff) as u8) / 255.0 - 0.5;
            self.top[c] * (1.0 - t) + self.bottom[c] * t + cloud + grain * 2.0 / 255.0
        })
    }
}
