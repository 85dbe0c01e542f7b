//! What can be seen in a picture of the window. Compiled into tests only.
//!
//! A thin line or a letter rarely has a pixel of its exact colour: antialiasing mixes it with the ground by how its edges
//! happen to fall on the pixels, which depends on the driver, the fonts and the curve. What stays is the direction of the
//! mix, from the ground to the colour, and how far a line reaches. So pixels are told by hue ([`Paint`]), curves are
//! measured by the columns they pass ([`columns`]), and every limit has a factor of three on either side of it, which
//! [`Measured::verdict`] watches over.

#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "screens are small")]

use image::{Rgb, RgbImage};
use std::collections::BTreeSet;
use std::path::Path;

/// Part of the paint that a pixel must have.
const PART: f64 = 0.35;
/// Factor between what is seen, the limit, and what is not seen.
const MARGIN: usize = 3;

/// A colour on a ground.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    ground: [f64; 3],
    colour: [f64; 3],
    /// Tangent of the angle by which a mix may leave the line from ground to colour.
    slack: f64,
}

impl Paint {
    /// `degrees`: the angle, seen from the ground, within which hues are taken for this one.
    pub(crate) fn on(ground: [u8; 3], colour: [u8; 3], degrees: f64) -> Self {
        Self { ground: ground.map(f64::from), colour: colour.map(f64::from), slack: degrees.to_radians().tan() }
    }

    /// Whether a pixel is a mix of the ground with at least [`PART`] of the colour, or somewhat lighter than it.
    pub(crate) fn is(&self, pixel: Rgb<u8>) -> bool {
        let way = [0, 1, 2].map(|c| self.colour[c] - self.ground[c]);
        let at = [0, 1, 2].map(|c| f64::from(pixel.0[c]) - self.ground[c]);
        let dot = |a: [f64; 3], b: [f64; 3]| (0..3).map(|c| a[c] * b[c]).sum::<f64>();
        let part = dot(at, way) / dot(way, way);
        let off = [0, 1, 2].map(|c| at[c] - part * way[c]);
        // A value of 8 bits is off by up to a half.
        (PART..=1.25).contains(&part) && dot(off, off).sqrt() <= self.slack * dot(at, at).sqrt() + 1.0
    }
}

/// Skin in any light but the dimmest: red above green above blue, and not as vivid as a sign.
pub(crate) fn skin(p: Rgb<u8>) -> bool {
    p.0[0] > 140 && p.0[0] > p.0[2].saturating_add(24) && p.0[0] > p.0[1].saturating_add(10)
}

/// Pixels of a region; `[x0, y0, x1, y1]` in parts of the picture.
fn pixels(picture: &RgbImage, region: [f64; 4]) -> impl Iterator<Item = (u32, u32, Rgb<u8>)> {
    let (w, h) = (f64::from(picture.width()), f64::from(picture.height()));
    let [x0, y0, x1, y1] = [region[0] * w, region[1] * h, region[2] * w, region[3] * h].map(|v| v as u32);
    (y0..y1).flat_map(move |y| (x0..x1).map(move |x| (x, y, *picture.get_pixel(x, y))))
}

/// How many pixels of a region are so.
pub(crate) fn count(picture: &RgbImage, region: [f64; 4], test: impl Fn(Rgb<u8>) -> bool) -> usize {
    pixels(picture, region).filter(|p| test(p.2)).count()
}

/// In how many columns of a region a pixel is so: how far a curve reaches from left to right, thick or thin.
pub(crate) fn columns(picture: &RgbImage, region: [f64; 4], test: impl Fn(Rgb<u8>) -> bool) -> usize {
    pixels(picture, region).filter(|p| test(p.2)).map(|p| p.0).collect::<BTreeSet<u32>>().len()
}

/// A picture and what was measured in it.
pub(crate) struct Measured {
    pub(crate) picture: RgbImage,
    name: String,
    text: String,
}

impl Measured {
    pub(crate) fn open(path: &Path) -> Self {
        let picture = image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).to_rgb8();
        Self { picture, name: path.display().to_string(), text: String::new() }
    }

    /// Whether something is seen: `value` is at least three times `limit`; not seen: at most a third of it. Between the two
    /// the test would be one of luck, and fails.
    pub(crate) fn verdict(&mut self, what: &str, value: usize, limit: usize) -> bool {
        self.text += &format!(" {what} {value}/{limit}");
        assert!(
            value >= MARGIN * limit || value * MARGIN <= limit,
            "{}: {what} {value} is too near the limit {limit} to be told",
            self.name
        );
        value > limit
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        eprintln!("{}:{}", self.name, self.text);
    }
}

/// The measure itself, on lines drawn at every offset and slope.
#[cfg(test)]
mod tests {
    use super::*;

    const GROUND: [u8; 3] = [17, 18, 21];
    const LAP: [u8; 3] = [230, 159, 0];

    /// A line of a width that falls as it likes on the pixels, as egui draws it.
    fn line(offset: f64, slope: f64, width: f64, colour: [u8; 3]) -> RgbImage {
        RgbImage::from_fn(200, 100, |x, y| {
            let middle = offset + slope * f64::from(x);
            let part = (0.5 + 0.5 * width - (f64::from(y) - middle).abs()).clamp(0.0, 1.0).min(width);
            Rgb([0, 1, 2].map(|c| (f64::from(GROUND[c]) * (1.0 - part) + f64::from(colour[c]) * part).round() as u8))
        })
    }

    #[test]
    fn a_curve_is_as_long_as_it_is_however_it_falls_on_the_pixels() {
        let paint = Paint::on(GROUND, LAP, 6.0);
        let all = [0.0, 0.0, 1.0, 1.0];
        let (mut exact, mut least) = (usize::MAX, usize::MAX);
        for offset in 0..10_u8 {
            for slope in [0.0, 0.02, 0.2] {
                let picture = line(20.0 + 0.1 * f64::from(offset), slope, 1.4, LAP);
                least = least.min(columns(&picture, all, |p| paint.is(p)));
                exact = exact.min(count(&picture, all, |p| (0..3).all(|c| p.0[c].abs_diff(LAP[c]) <= 24)));
                assert_eq!(columns(&picture, all, |p| Paint::on(GROUND, [213, 94, 0], 6.0).is(p)), 0, "another hue");
            }
        }
        assert_eq!(least, 200, "every column");
        assert!(exact < 20, "by its exact colour the same line may all but vanish: {exact} pixels");
    }

    #[test]
    #[should_panic(expected = "too near the limit")]
    fn a_value_near_its_limit_is_no_verdict() {
        let (picture, name, text) = (RgbImage::new(1, 1), "x".to_owned(), String::new());
        Measured { picture, name, text }.verdict("lap", 44, 60);
    }
}
