//! Soft edges for hard masks: how much of a pixel at a mask's outline the hand covers, from the photograph.
//!
//! Masks are cut a pixel or two beside the hand, and a camera blurs its outline over as many. Taken at their word, they
//! inflate the surface and paint the background onto its rim. Along the outline the photograph knows better: with `F` the
//! mean colour just inside and `B` just outside, a pixel of colour `I = αF + (1 − α)B` is covered by `α` (the matting
//! equation; Porter and Duff 1984). Where `F` and `B` are alike, or `I` is no mixture of both, the mask stays as it is.

use crate::fitting::distance::signed_distance;
use crate::fitting::masks::IGNORE;
use image::{GrayImage, RgbImage};

/// Pixels on both sides of the outline that are judged anew.
const BAND_PX: f64 = 4.0;
/// Colours are taken from pixels this far from the outline, where the camera's blur does not reach…
const CLEAR_PX: f64 = 3.0;
/// …in windows of this radius, twice.
const WINDOW_PX: usize = 5;
/// Least distance of `F` and `B`, RGB in 0..1.
const CONTRAST: f32 = 0.15;
/// How far a colour may lie beside the line from `B` to `F`, as a part of its length.
const BESIDE: f32 = 0.5;
/// Coverages nearer to 0 or 1 than this are 0 or 1: skin is not of one colour.
const SURE: f32 = 0.1;

/// The pixels `[x0, x1) × [y0, y1)` of a mask and its photograph.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub x0: u32,
    pub y0: u32,
    pub x1: u32,
    pub y1: u32,
}

impl Window {
    const fn width(&self) -> usize {
        (self.x1 - self.x0) as usize
    }

    fn pixels(self) -> impl Iterator<Item = (u32, u32)> {
        (self.y0..self.y1).flat_map(move |y| (self.x0..self.x1).map(move |x| (x, y)))
    }
}

/// The mask (255 hand, 0 background, [`IGNORE`] neither) with soft edges inside the window; a soft value is never
/// [`IGNORE`].
pub(super) fn soften(image: &RgbImage, mask: &GrayImage, window: Window) -> GrayImage {
    let mut out = mask.clone();
    let inside = |x: u32, y: u32| mask.get_pixel(x, y).0[0] > IGNORE;
    let hand: Vec<bool> = window.pixels().map(|(x, y)| inside(x, y)).collect();
    let ignored: Vec<bool> = window.pixels().map(|(x, y)| mask.get_pixel(x, y).0[0] == IGNORE).collect();
    let width = window.width();
    if !hand.contains(&true) || !hand.contains(&false) {
        return out;
    }
    let distance = signed_distance(&hand, width);
    let colour = |i: usize| {
        #[expect(clippy::cast_possible_truncation, reason = "within the image")]
        let (x, y) = (window.x0 + (i % width) as u32, window.y0 + (i / width) as u32);
        image.get_pixel(x, y).0.map(|v| f32::from(v) / 255.0)
    };
    let colours: Vec<[f32; 3]> = (0..hand.len()).map(colour).collect();
    let front = local_means(&colours, width, |i| distance[i] >= CLEAR_PX);
    let back = local_means(&colours, width, |i| distance[i] <= -CLEAR_PX && !ignored[i]);
    for (i, (x, y)) in window.pixels().enumerate() {
        if distance[i].abs() > BAND_PX || ignored[i] {
            continue;
        }
        if let Some(alpha) = coverage(colours[i], &front[i], &back[i]) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
            let byte = (alpha * 255.0).round().clamp(0.0, 255.0) as u8;
            out.put_pixel(x, y, image::Luma([if byte == IGNORE { IGNORE + 1 } else { byte }]));
        }
    }
    out
}

/// Part of the front in a colour that is mixed of both; `None` where colours do not tell.
fn coverage(colour: [f32; 3], front: &Option<[f32; 3]>, back: &Option<[f32; 3]>) -> Option<f32> {
    let (front, back) = ((*front)?, (*back)?);
    let between = [0, 1, 2].map(|k| front[k] - back[k]);
    let from = [0, 1, 2].map(|k| colour[k] - back[k]);
    let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let square = dot(between, between);
    if square < CONTRAST * CONTRAST {
        return None;
    }
    let alpha = (dot(from, between) / square).clamp(0.0, 1.0);
    let beside = [0, 1, 2].map(|k| from[k] - alpha * between[k]);
    (dot(beside, beside) < BESIDE * BESIDE * square).then(|| ((alpha - SURE) / (1.0 - 2.0 * SURE)).clamp(0.0, 1.0))
}

/// Mean colour of the chosen pixels around each pixel; `None` where there are none.
fn local_means(colours: &[[f32; 3]], width: usize, chosen: impl Fn(usize) -> bool) -> Vec<Option<[f32; 3]>> {
    let mut sums: Vec<[f32; 4]> =
        colours.iter().enumerate().map(|(i, c)| if chosen(i) { [c[0], c[1], c[2], 1.0] } else { [0.0; 4] }).collect();
    let height = colours.len() / width;
    for _ in 0..2 {
        for y in 0..height {
            box_sum(&mut sums, y * width, 1, width);
        }
        for x in 0..width {
            box_sum(&mut sums, x, width, height);
        }
    }
    sums.iter().map(|s| (s[3] > 0.5).then(|| [0, 1, 2].map(|k| s[k] / s[3]))).collect()
}

/// Sums over `2 r + 1` pixels of a row or column, fewer at its ends.
fn box_sum(values: &mut [[f32; 4]], start: usize, step: usize, count: usize) {
    let line: Vec<[f32; 4]> = (0..count).map(|i| values[start + i * step]).collect();
    let mut sum = [0.0_f64; 4];
    let add = |sum: &mut [f64; 4], v: &[f32; 4], sign: f64| {
        for (s, v) in sum.iter_mut().zip(v) {
            *s += sign * f64::from(*v);
        }
    };
    for v in line.iter().take(WINDOW_PX) {
        add(&mut sum, v, 1.0);
    }
    for i in 0..count {
        if let Some(v) = line.get(i + WINDOW_PX) {
            add(&mut sum, v, 1.0);
        }
        if i > WINDOW_PX {
            add(&mut sum, &line[i - WINDOW_PX - 1], -1.0);
        }
        values[start + i * step] = sum.map(super::to_f32);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test pictures are small")]

    use super::*;

    const HAND: [f64; 3] = [200.0, 150.0, 120.0];
    const WALL: [f64; 3] = [30.0, 60.0, 50.0];
    const ALL: Window = Window { x0: 0, y0: 0, x1: 64, y1: 48 };

    /// A hand right of `edge`, its outline blurred over four pixels, and a mask cut `by` pixels too large.
    fn picture(edge: f64, by: f64, wall: [f64; 3]) -> (RgbImage, GrayImage) {
        let alpha = |x: u32| ((f64::from(x) + 0.5 - edge) / 4.0 + 0.5).clamp(0.0, 1.0);
        let image = RgbImage::from_fn(64, 48, |x, _| {
            image::Rgb([0, 1, 2].map(|k| (alpha(x) * HAND[k] + (1.0 - alpha(x)) * wall[k]).round() as u8))
        });
        let mask =
            GrayImage::from_fn(64, 48, |x, _| image::Luma([if f64::from(x) + 0.5 > edge - by { 255 } else { 0 }]));
        (image, mask)
    }

    /// Pixels covered in one row.
    fn covered(mask: &GrayImage) -> f64 {
        (0..64).map(|x| f64::from(mask.get_pixel(x, 20).0[0]) / 255.0).sum()
    }

    #[test]
    fn the_outline_of_the_photograph_counts_not_that_of_the_mask() {
        for by in [-2.0, 0.0, 2.0] {
            let (image, mask) = picture(30.0, by, WALL);
            let (hard, soft) = (covered(&mask), covered(&soften(&image, &mask, ALL)));
            assert!((hard - (34.0 + by)).abs() < 0.6, "the mask is cut {by} px too large: {hard}");
            assert!((soft - 34.0).abs() < 0.25, "mask {by} px off: {soft} pixels covered");
        }
    }

    #[test]
    fn where_colours_do_not_tell_the_mask_stays() {
        let (image, mask) = picture(30.0, 2.0, [190.0, 150.0, 120.0]);
        assert_eq!(soften(&image, &mask, ALL), mask, "a background like skin");
        // A cable of a third colour along the outline is no mixture.
        let (mut image, mask) = picture(30.0, 2.0, WALL);
        for y in 0..48 {
            image.put_pixel(29, y, image::Rgb([20, 20, 250]));
        }
        let soft = soften(&image, &mask, ALL);
        assert_eq!(soft.get_pixel(29, 20).0[0], 255, "as the mask has it");
    }

    #[test]
    fn what_is_ignored_stays_so_and_nothing_else_becomes_it() {
        let (image, mut mask) = picture(30.0, 0.0, WALL);
        for (x, y) in (0..64).flat_map(|x| (30..48).map(move |y| (x, y))) {
            mask.put_pixel(x, y, image::Luma([IGNORE]));
        }
        let soft = soften(&image, &mask, ALL);
        for (x, y, p) in soft.enumerate_pixels() {
            assert_eq!(p.0[0] == IGNORE, y >= 30, "pixel {x}, {y}");
        }
        let outside = soften(&image, &mask, Window { x0: 40, ..ALL });
        assert_eq!(outside, mask, "no outline in the window, nothing to do");
    }
}
