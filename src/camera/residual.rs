//! What a calibrated pinhole camera is still off by: a smooth shift of its picture, and brightness that falls off from the
//! picture's middle.

use super::warp::{Grid, ImageWarp, mixed};
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CameraResidual {
    /// Shift of the whole picture; `None` where none was looked for.
    pub warp: Option<ImageWarp>,
    /// Brightness is `1 + falloff r²`, `r` the distance from the picture's middle over half its width (vignetting: below 0).
    pub falloff: f64,
}

/// Brightness at a place of a picture of this size, against that in its middle.
pub(crate) fn brightness(falloff: f64, p_px: [f64; 2], size_px: [u32; 2]) -> f64 {
    1.0 + falloff * radius_squared(p_px, size_px)
}

/// Squared distance of a place from the middle of a picture of this size, over half its width.
pub(crate) fn radius_squared(p_px: [f64; 2], size_px: [u32; 2]) -> f64 {
    let half = 0.5 * f64::from(size_px[0]);
    [0, 1].iter().map(|&k| ((p_px[k] - 0.5 * f64::from(size_px[k])) / half).powi(2)).sum()
}

impl CameraResidual {
    /// Where the photograph shows what the pinhole camera sees at `p`.
    #[must_use]
    pub fn photo_from_pinhole(&self, p_px: [f64; 2]) -> [f64; 2] {
        self.warp.as_ref().map_or(p_px, |warp| warp.photo_from_pinhole(p_px))
    }

    /// The inverse of [`Self::photo_from_pinhole`].
    #[must_use]
    pub fn pinhole_from_photo(&self, q_px: [f64; 2]) -> [f64; 2] {
        self.warp.as_ref().map_or(q_px, |warp| warp.pinhole_from_photo(q_px))
    }

    /// Brightness at a place of the whole picture, against that in its middle.
    #[must_use]
    pub fn brightness(&self, p_px: [f64; 2], size_px: [u32; 2]) -> f64 {
        brightness(self.falloff, p_px, size_px)
    }

    /// A picture of the pinhole camera (premultiplied RGBA, row by row, the photograph's size) as the photograph has it.
    ///
    /// Coverage and colours are interpolated by cubics; nothing is where nothing was.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "colours; sizes of pictures")]
    pub fn rendered_as_photo(&self, mut pixels: Vec<[f32; 4]>, size_px: [u32; 2]) -> Vec<[f32; 4]> {
        let image = Grid { width: size_px[0] as usize, height: size_px[1] as usize };
        if let Some(warp) = &self.warp {
            let moved = |i: usize| {
                let taps = image.taps(warp.pinhole_from_photo(image.centre(i)))?;
                if taps.iter().all(|(j, _)| pixels[*j][3] == 0.0) {
                    return None;
                }
                let [r, g, b, a] = mixed(&taps, |j| pixels[j]);
                Some([r.max(0.0), g.max(0.0), b.max(0.0), a.clamp(0.0, 1.0)])
            };
            pixels = (0..pixels.len()).map(|i| moved(i).unwrap_or([0.0; 4])).collect();
        }
        if self.falloff != 0.0 {
            for (i, pixel) in pixels.iter_mut().enumerate().filter(|(_, p)| p[3] > 0.0) {
                let by = brightness(self.falloff, image.centre(i), size_px) as f32;
                for x in &mut pixel[..3] {
                    *x *= by;
                }
            }
        }
        pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "colours")]
    fn a_rendered_picture_is_moved_and_dimmed_as_the_photograph_has_it() {
        let (width, height) = (64_u32, 48_u32);
        let wave = |x: f64, y: f64| 0.5 + 0.3 * (0.15 * x).sin() * (0.12 * y).cos();
        let at = |i: u32| [f64::from(i % width) + 0.5, f64::from(i / width) + 0.5];
        let pixels: Vec<[f32; 4]> =
            (0..width * height).map(|i| [wave(at(i)[0], at(i)[1]) as f32, 0.2, 0.1, 1.0]).collect();
        let mut warp = ImageWarp::still([0.0; 2], [width, height], 16.0);
        for shift in &mut warp.shifts_px {
            *shift = [1.3, -0.6];
        }
        let residual = CameraResidual { warp: Some(warp), falloff: -0.2 };
        let seen = residual.rendered_as_photo(pixels.clone(), [width, height]);
        let r2 = (20.5_f64 / 32.0 - 1.0).powi(2) + ((10.5 - 24.0) / 32.0_f64).powi(2);
        let expected = wave(20.5 - 1.3, 10.5 + 0.6) * (1.0 - 0.2 * r2);
        let got = f64::from(seen[10 * 64 + 20][0]);
        assert!((got - expected).abs() < 2e-4, "{got}, not {expected}");
        assert_eq!(CameraResidual::default().rendered_as_photo(pixels.clone(), [width, height]), pixels, "none");
        let still = CameraResidual { warp: Some(ImageWarp::still([0.0; 2], [width, height], 16.0)), falloff: 0.0 };
        assert_eq!(still.rendered_as_photo(pixels.clone(), [width, height]), pixels, "a shift of nothing");
    }
}
