//! The edge of a mask as a field: how far each pixel around the hands is from it, and on which side.

use crate::camera::Camera;
use image::GrayImage;
use nalgebra::Vector3;

/// Signed distance to the edge of a mask over the region around some points: positive outside, negative inside, pixels of
/// the full image. The region is sampled at every [`MaskField::step`]-th pixel.
#[derive(Clone, Debug)]
pub(super) struct MaskField {
    /// Camera of the region, reduced by `step`.
    pub camera: Camera,
    /// Pixels of the full image to one sample.
    pub step: u32,
    distance_px: Vec<f64>,
}

/// Squared distance to the nearest zero of a row, in place (Felzenszwalb and Huttenlocher 2012, lower envelope of
/// parabolas).
fn distance_row(values: &mut [f64], hull: &mut Vec<(usize, f64)>) {
    hull.clear();
    let input = values.to_vec();
    let at = |i: usize| as_f64(i);
    for (q, value) in input.iter().enumerate().filter(|(_, v)| v.is_finite()) {
        loop {
            let Some(&(v, from)) = hull.last() else {
                hull.push((q, f64::NEG_INFINITY));
                break;
            };
            let meets = ((value + at(q).powi(2)) - (input[v] + at(v).powi(2))) / (2.0 * (at(q) - at(v)));
            if meets > from {
                hull.push((q, meets));
                break;
            }
            hull.pop();
        }
    }
    let mut k = 0;
    for (q, value) in values.iter_mut().enumerate() {
        while k + 1 < hull.len() && hull[k + 1].1 < at(q) {
            k += 1;
        }
        *value = hull.get(k).map_or(f64::INFINITY, |(v, _)| (at(q) - at(*v)).powi(2) + input[*v]);
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes of images")]
const fn as_f64(value: usize) -> f64 {
    value as f64
}

/// Distance of each sample to the nearest one where `inside` holds; infinity when there is none.
pub(super) fn distance_to(inside: &[bool], width: usize) -> Vec<f64> {
    let height = inside.len() / width.max(1);
    let mut field: Vec<f64> = inside.iter().map(|i| if *i { 0.0 } else { f64::INFINITY }).collect();
    let mut hull = Vec::new();
    let mut column = vec![0.0; height];
    for x in 0..width {
        for (y, value) in column.iter_mut().enumerate() {
            *value = field[y * width + x];
        }
        distance_row(&mut column, &mut hull);
        for (y, value) in column.iter().enumerate() {
            field[y * width + x] = *value;
        }
    }
    for row in field.chunks_exact_mut(width) {
        distance_row(row, &mut hull);
    }
    field.iter().map(|d| d.sqrt()).collect()
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
        let inside: Vec<bool> = (0..size[1])
            .flat_map(|y| (0..size[0]).map(move |x| (x, y)))
            .map(|(x, y)| mask.get_pixel(origin[0] + x * step + step / 2, origin[1] + y * step + step / 2).0[0] > 127)
            .collect();
        let outside: Vec<bool> = inside.iter().map(|i| !i).collect();
        let width = size[0] as usize;
        let (to_inside, to_outside) = (distance_to(&inside, width), distance_to(&outside, width));
        let distance = |(a, b): (&f64, &f64)| f64::from(step) * if *a > 0.0 { a - 0.5 } else { 0.5 - b };
        let distance_px: Vec<f64> = to_inside.iter().zip(&to_outside).map(distance).collect();
        if distance_px.iter().any(|d| !d.is_finite()) {
            return None;
        }
        let region = camera.cropped(origin[0], origin[1], size[0] * step, size[1] * step);
        Some(Self { camera: region.scaled(1.0 / f64::from(step)), step, distance_px })
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
    fn distances_are_those_of_a_search_over_all_pixels() {
        let width = 13;
        let inside: Vec<bool> = (0..13 * 9).map(|i| (i * 7919 + 3) % 17 == 0).collect();
        let at = |i: usize| (as_f64(i % width), as_f64(i / width));
        for (i, found) in distance_to(&inside, width).iter().enumerate() {
            let nearest = (0..inside.len()).filter(|j| inside[*j]).map(|j| {
                let ((ax, ay), (bx, by)) = (at(i), at(j));
                (ax - bx).hypot(ay - by)
            });
            let expected = nearest.fold(f64::INFINITY, f64::min);
            assert!((found - expected).abs() < 1e-9, "sample {i}: {found} instead of {expected}");
        }
        assert!(distance_to(&[false; 6], 3).iter().all(|d| d.is_infinite()), "nothing to be near to");
    }

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
                let full = f64::from(step);
                assert!((outward / full - 1.0).abs() < 0.3, "one pixel outward is one pixel more: {outward}");
            }
        }
        let empty = GrayImage::new(200, 160);
        assert!(MaskField::new(&camera, &empty, &points, 1).is_none(), "an empty mask has no edge");
        assert!(MaskField::new(&camera, &mask, &[[5.0, 0.0, 1.0]], 1).is_none(), "nothing to see there");
    }
}
