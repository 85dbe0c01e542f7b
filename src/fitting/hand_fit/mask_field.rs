//! The edge of a mask as a field: how far each pixel around the hands is from it, and on which side.

use super::super::distance::signed_distance;
use crate::camera::Camera;
use image::GrayImage;
use nalgebra::Vector3;

/// Points nearer than this are behind the camera (as for [`Camera::project`]).
const LEAST_DEPTH_M: f64 = 1e-6;

/// Signed distance to the edge of a mask over the region around some points: positive outside, negative inside, pixels of
/// the full image. The region is sampled at every [`MaskField::step`]-th pixel.
#[derive(Clone, Debug)]
pub(super) struct MaskField {
    /// Camera of the region, reduced by `step`.
    pub camera: Camera,
    /// Pixels of the full image to one sample.
    pub step: u32,
    /// `K [R | t]` of that camera; the third row gives the depth.
    projection: [[f64; 4]; 3],
    distance_px: Vec<f64>,
    /// Takes part whatever the hands fitted to the keypoints look like there.
    pub edited: bool,
}

#[expect(clippy::cast_precision_loss, reason = "sizes of images")]
const fn as_f64(value: usize) -> f64 {
    value as f64
}

impl MaskField {
    /// The field around `points` (world metres) with a margin of a quarter of their extent; `None` when they are outside the
    /// image or the mask is empty or full there. `step` is odd, so that a sample is the centre of a pixel: half a pixel off
    /// is enough to bend the shape.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
    pub(super) fn new(camera: &Camera, mask: &GrayImage, points: &[[f64; 3]], step: u32) -> Option<Self> {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for p in points.iter().filter_map(|p| camera.project(&Vector3::from(*p))) {
            for k in 0..2 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        debug_assert!(step % 2 == 1, "samples are centres of pixels");
        let full = [camera.width_px.min(mask.width()), camera.height_px.min(mask.height())];
        let (mut origin, mut size) = ([0_u32; 2], [0_u32; 2]);
        for k in 0..2 {
            let margin = 0.25 * (high[k] - low[k]);
            let from = (low[k] - margin).max(0.0);
            let to = (high[k] + margin).min(f64::from(full[k]));
            if to.is_nan() || to - from < f64::from(8 * step) {
                return None;
            }
            origin[k] = from.floor() as u32 / step * step;
            size[k] = (to.ceil() as u32 - origin[k]) / step;
        }
        let (raw, stride) = (mask.as_raw(), mask.width() as usize);
        let mut inside = Vec::with_capacity(size[0] as usize * size[1] as usize);
        for y in 0..size[1] {
            let first = (origin[1] + y * step + step / 2) as usize * stride + (origin[0] + step / 2) as usize;
            inside.extend(raw[first..].iter().step_by(step as usize).take(size[0] as usize).map(|&v| v > 127));
        }
        let mut distance_px = signed_distance(&inside, size[0] as usize);
        // Without an edge every distance is infinite.
        if !distance_px.first()?.is_finite() {
            return None;
        }
        for d in &mut distance_px {
            *d *= -f64::from(step);
        }
        let region = camera.cropped(origin[0], origin[1], size[0] * step, size[1] * step);
        let camera = region.scaled(1.0 / f64::from(step));
        let p = camera.projection();
        let projection = std::array::from_fn(|row| std::array::from_fn(|column| p[(row, column)]));
        Some(Self { camera, step, projection, distance_px, edited: false })
    }

    /// Signed distance (full pixels) at a world point, and its derivative by the point (pixels a metre); `None` outside the
    /// region and behind the camera.
    pub(super) fn at_world(&self, x_world: &[f64; 3]) -> Option<(f64, [f64; 3])> {
        let row = |r: &[f64; 4]| r[0] * x_world[0] + r[1] * x_world[1] + r[2] * x_world[2] + r[3];
        let [across, down, depth] = &self.projection;
        let z = row(depth);
        if z < LEAST_DEPTH_M {
            return None;
        }
        let (x, y) = (row(across) / z, row(down) / z);
        let (distance, slope) = self.at(x, y)?;
        let along = |k: usize| (slope[0] * (across[k] - depth[k] * x) + slope[1] * (down[k] - depth[k] * y)) / z;
        Some((distance, [along(0), along(1), along(2)]))
    }

    /// Signed distance (full pixels) and its derivative by the sample position, at a position of [`MaskField::camera`]'s
    /// image; `None` outside the region.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the region")]
    pub(super) fn at(&self, x: f64, y: f64) -> Option<(f64, [f64; 2])> {
        let (width, height) = (self.camera.width_px as usize, self.camera.height_px as usize);
        let (x, y) = (x - 0.5, y - 0.5);
        let inside = x >= 0.0 && y >= 0.0 && x < as_f64(width) - 1.0 && y < as_f64(height) - 1.0;
        if !inside {
            return None;
        }
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - as_f64(column), y - as_f64(row));
        let d = |c: usize, r: usize| self.distance_px[(row + r) * width + column + c];
        let (top, bottom) = (d(0, 0) * (1.0 - fx) + d(1, 0) * fx, d(0, 1) * (1.0 - fx) + d(1, 1) * fx);
        let slope_x = (d(1, 0) - d(0, 0)) * (1.0 - fy) + (d(1, 1) - d(0, 1)) * fy;
        Some((top * (1.0 - fy) + bottom * fy, [slope_x, bottom - top]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Matrix3;

    #[test]
    fn a_disc_has_its_radius_as_distance_and_slopes_outward() {
        let k = Matrix3::new(200.0, 0.0, 100.0, 0.0, 200.0, 80.0, 0.0, 0.0, 1.0);
        let camera =
            Camera { width_px: 200, height_px: 160, k, rotation: Matrix3::identity(), translation: Vector3::zeros() };
        let mask = GrayImage::from_fn(200, 160, |x, y| {
            let r = (f64::from(x) + 0.5 - 100.0).hypot(f64::from(y) + 0.5 - 80.0);
            image::Luma([if r < 40.0 { 255 } else { 0 }])
        });
        let points = [[-0.25, -0.25, 1.0], [0.25, 0.25, 1.0]];
        for step in [1, 3] {
            let field = MaskField::new(&camera, &mask, &points, step).expect("a mask with an edge");
            for (x, y) in [(0.1, 0.03), (0.05, -0.2), (-0.28, 0.1)] {
                let p = field.camera.project(&Vector3::new(x, y, 1.0)).expect("in front");
                let (distance, slope) = field.at(p.x, p.y).expect("inside the region");
                let expected = 200.0 * f64::hypot(x, y) - 40.0;
                assert!((distance - expected).abs() < 1.0 * f64::from(step), "{distance} instead of {expected}");
                let outward = (slope[0] * x + slope[1] * y) / x.hypot(y);
                let (again, gradient) = field.at_world(&[x, y, 1.0]).expect("inside the region");
                assert!((again - distance).abs() < 1e-9, "from the world as from the image");
                // A metre at a depth of one metre is 200 pixels, and a step in depth moves a point inward.
                let expected =
                    [slope[0], slope[1], -(slope[0] * x + slope[1] * y)].map(|s| 200.0 / f64::from(step) * s);
                let off = (0..3).map(|k| (gradient[k] - expected[k]).abs()).fold(0.0, f64::max);
                assert!(off < 1e-9, "{gradient:?} instead of {expected:?}");
                let full = f64::from(step);
                assert!((outward / full - 1.0).abs() < 0.3, "one pixel outward is one pixel more: {outward}");
            }
        }
        let empty = GrayImage::new(200, 160);
        assert!(MaskField::new(&camera, &empty, &points, 1).is_none(), "an empty mask has no edge");
        assert!(MaskField::new(&camera, &mask, &[[5.0, 0.0, 1.0]], 1).is_none(), "nothing to see there");
    }
}
