//! A photograph as the networks see it: square windows of it, turned and scaled to the network's input.

use image::RgbImage;

/// A square window of the photograph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// Centre, pixels (pixel centres at +0.5).
    pub(super) centre_px: [f64; 2],
    /// Length of a side, pixels.
    pub(super) side_px: f64,
    /// Angle by which the window is turned, radians; positive turns its right side down.
    pub(super) rotation: f64,
}

impl Window {
    /// Where a point of the window (0…1 from its left and top side) lies in the photograph, pixels.
    pub(super) fn image_from_window(&self, [u, v]: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = self.rotation.sin_cos();
        let [x, y] = [(u - 0.5) * self.side_px, (v - 0.5) * self.side_px];
        [self.centre_px[0] + cos * x - sin * y, self.centre_px[1] + sin * x + cos * y]
    }
}

/// What lies beyond the photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// Black, as MediaPipe gives it to the palm network.
    Black,
    /// The nearest pixel, as it gives it to the landmark network.
    Nearest,
}

/// A photograph with its halves, quarters, …: a window that is scaled down is taken from the level of nearly its
/// resolution, so that no pixel is skipped.
pub(super) struct Picture {
    levels: Vec<RgbImage>,
}

impl Picture {
    pub(super) fn new(image: &RgbImage) -> Self {
        let mut levels = vec![image.clone()];
        while let Some(next) = levels.last().and_then(halved) {
            levels.push(next);
        }
        Self { levels }
    }

    /// Width and height, pixels.
    pub(super) fn size_px(&self) -> [f64; 2] {
        let (width, height) = self.levels[0].dimensions();
        [f64::from(width), f64::from(height)]
    }

    /// The window in `size` × `size` pixels, rows of RGB values 0…1, bilinear.
    pub(super) fn sample(&self, window: &Window, size: usize, beyond: Beyond) -> Vec<f32> {
        let size_f = f64::from(u32::try_from(size).unwrap_or(u32::MAX));
        let mut step = window.side_px / size_f;
        let mut level = 0;
        while step > std::f64::consts::SQRT_2 && level + 1 < self.levels.len() {
            step *= 0.5;
            level += 1;
        }
        let image = &self.levels[level];
        let [sx, sy] = {
            let [width, height] = self.size_px();
            [f64::from(image.width()) / width, f64::from(image.height()) / height]
        };
        let mut out = Vec::with_capacity(3 * size * size);
        let mut v = 0.5 / size_f;
        for _ in 0..size {
            let mut u = 0.5 / size_f;
            for _ in 0..size {
                let [x, y] = window.image_from_window([u, v]);
                out.extend(bilinear(image, x * sx - 0.5, y * sy - 0.5, beyond));
                u += 1.0 / size_f;
            }
            v += 1.0 / size_f;
        }
        out
    }
}

/// Means of 2 × 2 pixels; `None` when that would leave less than 32 pixels.
fn halved(image: &RgbImage) -> Option<RgbImage> {
    let (width, height) = (image.width() / 2, image.height() / 2);
    if width.min(height) < 32 {
        return None;
    }
    Some(RgbImage::from_fn(width, height, |x, y| {
        let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| image.get_pixel(2 * x + dx, 2 * y + dy).0);
        image::Rgb([0, 1, 2].map(|c| {
            let sum: u16 = four.iter().map(|p| u16::from(p[c])).sum();
            u8::try_from((sum + 2) / 4).unwrap_or(u8::MAX)
        }))
    }))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "weights and colours lose only digits; positions are checked first"
)]
fn bilinear(image: &RgbImage, x: f64, y: f64, beyond: Beyond) -> [f32; 3] {
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let far = |v: f64, size: i64| !(v > -1e6 && v < 1e6 + size as f64);
    if far(x, width) || far(y, height) {
        return [0.0; 3];
    }
    let (left, top) = (x.floor() as i64, y.floor() as i64);
    let (fx, fy) = ((x - x.floor()) as f32, (y - y.floor()) as f32);
    let pixel = |x: i64, y: i64| -> [f32; 3] {
        let inside = x >= 0 && y >= 0 && x < width && y < height;
        if !inside && beyond == Beyond::Black {
            return [0.0; 3];
        }
        let at = |v: i64, size: i64| u32::try_from(v.clamp(0, size - 1)).unwrap_or(0);
        image.get_pixel(at(x, width), at(y, height)).0.map(f32::from)
    };
    let [a, b, c, d] = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| pixel(left + dx, top + dy));
    std::array::from_fn(|i| {
        let (upper, lower) = (a[i] + fx * (b[i] - a[i]), c[i] + fx * (d[i] - c[i]));
        (upper + fy * (lower - upper)) / 255.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    /// Red grows to the right, green downwards.
    fn ramp(width: u32, height: u32) -> RgbImage {
        let level = |v: u32, size: u32| u8::try_from(v * 255 / (size - 1)).expect("a byte");
        RgbImage::from_fn(width, height, |x, y| image::Rgb([level(x, width), level(y, height), 0]))
    }

    #[test]
    fn the_whole_picture_at_its_own_size_is_itself() {
        let image = ramp(64, 64);
        let window = Window { centre_px: [32.0, 32.0], side_px: 64.0, rotation: 0.0 };
        let out = Picture::new(&image).sample(&window, 64, Beyond::Black);
        for (sampled, pixel) in out.chunks_exact(3).zip(image.pixels()) {
            let worst = (0..3).map(|c| (sampled[c] - f32::from(pixel[c]) / 255.0).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "{sampled:?} for {pixel:?}");
        }
    }

    #[test]
    fn a_turned_window_looks_to_the_right() {
        // Turned by a quarter, the top of the window is the right side of the picture.
        let window = Window { centre_px: [50.0, 50.0], side_px: 80.0, rotation: FRAC_PI_2 };
        let top = window.image_from_window([0.5, 0.0]);
        assert!((top[0] - 90.0).abs() < 1e-9 && (top[1] - 50.0).abs() < 1e-9, "{top:?}");
        let out = Picture::new(&ramp(100, 100)).sample(&window, 8, Beyond::Nearest);
        assert!(out[0] > out[3 * 56], "the first row is further right than the last");
    }

    #[test]
    fn scaling_down_averages_and_outside_is_black_or_repeated() {
        let checker = RgbImage::from_fn(512, 512, |x, y| image::Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3]));
        let picture = Picture::new(&checker);
        let whole = Window { centre_px: [256.0, 256.0], side_px: 512.0, rotation: 0.0 };
        let out = picture.sample(&whole, 64, Beyond::Black);
        assert!(out.iter().all(|v| (v - 0.5).abs() < 0.02), "grey");
        let outside = Window { centre_px: [-600.0, 256.0], side_px: 512.0, rotation: 0.0 };
        assert!(picture.sample(&outside, 64, Beyond::Black).iter().all(|v| *v == 0.0), "black");
        assert!(picture.sample(&outside, 64, Beyond::Nearest).iter().all(|v| *v > 0.4), "repeated");
    }
}
