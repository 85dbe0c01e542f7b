//! What one photograph sees of each vertex: where in the image, how well, in what light.

use super::{TextureMesh, TextureView, f32_of, ramp};
use crate::camera::warp::Grid;
use crate::raster::cpu::{IdImage, Projected, visibility_of};
use crate::shading::sh_basis;
use nalgebra::Vector3;

/// A view at the vertices (V entries each), and what its pixels see.
pub(super) struct Sight {
    /// Vertices in the pinhole camera's picture.
    pub(super) projected: Projected,
    /// Places in the image, pixels.
    pub(super) px: Vec<[f32; 2]>,
    /// Pixels per square metre of surface times trust; 0 where the view does not see the vertex or must not be asked.
    pub(super) weight: Vec<f32>,
    /// The same without resolution and trust: 1 for a surface seen from the front and far from every outline.
    pub(super) quality: Vec<f32>,
    /// Light times gain: what albedo is multiplied with.
    pub(super) light: Vec<[f32; 3]>,
}

/// A vertex this much behind what is seen at its pixel is hidden, metres.
const HIDDEN_M: f64 = 3e-3;
/// Neighbouring pixels whose depths differ by more belong to two surfaces, metres.
const JUMP_M: f32 = 5e-3;
/// Beside outlines, what a pixel shows may belong to the other surface: a view counts in full from here on, pixels.
const CLEAR_PX: u8 = 3;
/// Cosines of the angle to the surface's normal from which on a view counts, and counts in full.
const COSINES: [f64; 2] = [0.05, 0.3];
/// Less light than this is taken for this.
pub(super) const LEAST_LIGHT: f64 = 0.05;

impl Sight {
    pub(super) fn new(mesh: &TextureMesh<'_>, view: &TextureView<'_>) -> Self {
        let camera = view.camera;
        let projected = Projected::new(mesh.positions, camera);
        let seen = visibility_of(&projected, &mesh.topology.faces, camera.width_px, camera.height_px);
        let clear = clearance(&seen, view);
        let (centre, focal) = (camera.centre(), camera.focal_px());
        let count = mesh.positions.len();
        let mut sight = Self {
            projected,
            px: Vec::with_capacity(count),
            weight: vec![0.0; count],
            quality: vec![0.0; count],
            light: Vec::with_capacity(count),
        };
        for v in 0..count {
            let [x, y, z] = sight.projected.points()[v];
            let normal = mesh.normals[v];
            let irradiance: f64 = sh_basis(normal).iter().zip(&view.light).map(|(b, c)| b * c).sum();
            let dimmed = irradiance * view.residual.brightness([x, y], [camera.width_px, camera.height_px]);
            let lit = |k: usize| f32_of((dimmed * view.light[9 + k]).max(LEAST_LIGHT));
            sight.light.push([lit(0), lit(1), lit(2)]);
            // A vertex behind the camera has no place; its weight is zero, but zero times NaN is not.
            let place = view.residual.photo_from_pinhole([x, y]);
            sight.px.push(if x.is_finite() && y.is_finite() { place.map(f32_of) } else { [0.0; 2] });
            let Some(pixel) = pixel_of(x, y, &seen) else { continue };
            let edge = ramp(f64::from(clear[pixel]), 0.0, f64::from(CLEAR_PX));
            if edge == 0.0 || z > f64::from(seen.depth[pixel]) + HIDDEN_M {
                continue;
            }
            let ray = (centre - Vector3::from(mesh.positions[v])).try_normalize(1e-9).unwrap_or_else(Vector3::zeros);
            let cosine = ray.dot(&Vector3::from(normal));
            let angle = ramp(cosine, COSINES[0], COSINES[1]);
            sight.quality[v] = f32_of(angle * edge);
            sight.weight[v] = f32_of(angle * edge * cosine.max(0.0) * (focal / z).powi(2) * view.trust);
        }
        sight
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the image")]
fn pixel_of(x: f64, y: f64, image: &IdImage) -> Option<usize> {
    let inside = x >= 0.0 && y >= 0.0 && x < f64::from(image.width) && y < f64::from(image.height);
    let pixel = inside.then(|| y as usize * image.width as usize + x as usize)?;
    (image.ids[pixel] > 0).then_some(pixel)
}

/// Distance in pixels (city blocks, up to [`CLEAR_PX`]) of each pixel to the next outline, end of the mask or of the image.
fn clearance(seen: &IdImage, view: &TextureView<'_>) -> Vec<u8> {
    let (w, h) = (seen.width as usize, seen.height as usize);
    // A pixel that is neither hand nor background is the forearm's skin: the mesh ends there, its colour does not.
    let grid = Grid { width: w, height: h };
    let in_photo = |i: usize| grid.nearest(view.residual.photo_from_pinhole(grid.centre(i)));
    let hand =
        |i: usize| seen.ids[i] > 0 && view.mask.is_none_or(|m| m.as_raw().get(in_photo(i)).is_some_and(|v| *v > 0));
    let mut far: Vec<u8> = (0..w * h).map(|i| if hand(i) { CLEAR_PX } else { 0 }).collect();
    for y in 0..h {
        for x in 0..w {
            let i = y * w + x;
            if x + 1 == w || y + 1 == h || x == 0 || y == 0 {
                far[i] = 0;
                continue;
            }
            if far[i] > 0 {
                for j in [i + 1, i + w] {
                    if (seen.depth[i] - seen.depth[j]).abs() > JUMP_M {
                        (far[i], far[j]) = (0, 0);
                    }
                }
            }
        }
    }
    for i in w + 1..w * h {
        far[i] = far[i].min(far[i - 1] + 1).min(far[i - w] + 1);
    }
    for i in (0..w * h - w - 1).rev() {
        far[i] = far[i].min(far[i + 1] + 1).min(far[i + w] + 1);
    }
    far
}
