//! How far a mask can be trusted: coverage, fragments, holes, and outline that follows no edge of the photograph.
//!
//! The last one is what finds cut masks without knowing the hand: a true silhouette separates two colours, a cut runs
//! through one. At each outline pixel the colours a little inside and a little outside are compared.

use image::{GrayImage, RgbImage};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Part of the longer image side at which colours are compared, either side of the outline (6 px of 1280).
const OFFSET: f64 = 0.005;
/// Part of the longer image side from which the outline's direction is estimated (5 px of 1280).
const WINDOW: f64 = 0.004;
/// Relative colour difference below which there is no edge.
const NO_EDGE: f64 = 0.15;
/// Pieces and holes below this part of the image are dust.
const DUST: f64 = 1e-5;
/// Outline without an edge, as a part of the outline, beyond which a mask is cut.
const CUT: f64 = 0.05;
/// Superfluous pieces and holes from which a mask is noisy.
const NOISY: usize = 5;
/// Part of the rig's median coverage below which a mask may be nearly empty.
const LOW_COVERAGE: f64 = 0.25;
/// Coverage below which a mask is nearly empty whatever the others are.
const NO_COVERAGE: f64 = 5e-4;

/// What a mask is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskVerdict {
    /// The outline follows the photograph.
    Good,
    /// A part of the hand or of the forearm is missing: inside is hand, outside is not proven background.
    PartlyCut,
    /// Many pieces or holes.
    Noisy,
    /// Next to nothing of the hands is covered.
    NearlyEmpty,
    /// There is no mask.
    Missing,
}

impl MaskVerdict {
    /// Name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::PartlyCut => "partly cut",
            Self::Noisy => "noisy",
            Self::NearlyEmpty => "nearly empty",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for MaskVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Measurements of one mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MaskFigures {
    /// Part of the image that is hand.
    pub(super) fraction: f64,
    /// Connected pieces, dust included.
    pub(super) fragments: usize,
    /// Holes, dust included.
    pub(super) holes: usize,
    /// Pieces beyond two, and holes, that are not dust.
    pub(super) clutter: usize,
    /// Part of the outline without an edge in the photograph; 0 when nothing could be compared.
    pub(super) open_outline: f64,
}

/// Measures a mask against its photograph (same size).
pub(super) fn measure(mask: &GrayImage, image: &RgbImage) -> MaskFigures {
    let pixels = f64::from(mask.width()) * f64::from(mask.height());
    let hand = mask.pixels().filter(|p| p.0[0] != 0).count();
    let dust = DUST * pixels;
    let pieces = components(mask, true);
    let holes: Vec<usize> = components(mask, false).into_iter().filter(|c| !c.at_border).map(|c| c.area).collect();
    let solid_pieces = pieces.iter().filter(|c| to_f64(c.area) >= dust).count();
    let solid_holes = holes.iter().filter(|&&area| to_f64(area) >= dust).count();
    MaskFigures {
        fraction: to_f64(hand) / pixels,
        fragments: pieces.len(),
        holes: holes.len(),
        clutter: solid_pieces.saturating_sub(2) + solid_holes,
        open_outline: open_outline(mask, image),
    }
}

/// Judges a mask. `median_fraction` is the rig's; `bones_inside` the part of the detected bones on the mask, if any.
pub(super) fn judge(figures: &MaskFigures, median_fraction: f64, bones_inside: Option<f64>) -> MaskVerdict {
    let low = figures.fraction < LOW_COVERAGE * median_fraction && bones_inside.is_none_or(|inside| inside < 0.5);
    if low || figures.fraction < NO_COVERAGE {
        MaskVerdict::NearlyEmpty
    } else if figures.clutter >= NOISY {
        MaskVerdict::Noisy
    } else if figures.open_outline > CUT {
        MaskVerdict::PartlyCut
    } else {
        MaskVerdict::Good
    }
}

/// A connected set of pixels.
struct Component {
    area: usize,
    at_border: bool,
}

/// Connected pieces of the hand (8 neighbours) or of the background (4 neighbours).
fn components(mask: &GrayImage, hand: bool) -> Vec<Component> {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let mut open: Vec<bool> = mask.pixels().map(|p| (p.0[0] != 0) == hand).collect();
    let mut found = Vec::new();
    let mut stack = Vec::new();
    for start in 0..open.len() {
        if !open[start] {
            continue;
        }
        open[start] = false;
        stack.push(start);
        let mut piece = Component { area: 0, at_border: false };
        while let Some(at) = stack.pop() {
            let (x, y) = (at % width, at / width);
            piece.area += 1;
            piece.at_border |= x == 0 || y == 0 || x + 1 == width || y + 1 == height;
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let next = ny * width + nx;
                    if open[next] && (hand || nx == x || ny == y) {
                        open[next] = false;
                        stack.push(next);
                    }
                }
            }
        }
        found.push(piece);
    }
    found
}

/// Part of the outline at which the photograph has no edge.
fn open_outline(mask: &GrayImage, image: &RgbImage) -> f64 {
    let long_side = f64::from(mask.width().max(mask.height()));
    let offset_px = (OFFSET * long_side).round().max(2.0);
    let window_px = whole(WINDOW * long_side).max(2);
    let (width, height) = (i64::from(mask.width()), i64::from(mask.height()));
    let is_hand = |x: i64, y: i64| {
        let pixel =
            u32::try_from(x).ok().zip(u32::try_from(y).ok()).filter(|&(x, y)| x < mask.width() && y < mask.height());
        pixel.map(|(x, y)| mask.get_pixel(x, y).0[0] != 0)
    };
    let mut compared = 0_usize;
    let mut open = 0_usize;
    for y in 0..height {
        for x in 0..width {
            let at_edge =
                || [(1, 0), (-1, 0), (0, 1), (0, -1)].iter().any(|(dx, dy)| is_hand(x + dx, y + dy) == Some(false));
            if is_hand(x, y) != Some(true) || !at_edge() {
                continue;
            }
            // The first moment of the mask around the pixel points inwards.
            let mut inward = [0_i64; 2];
            for dy in -window_px..=window_px {
                for dx in -window_px..=window_px {
                    if is_hand(x + dx, y + dy) == Some(true) {
                        inward = [inward[0] + dx, inward[1] + dy];
                    }
                }
            }
            if let Some(contrast) = contrast_across(mask, image, [x, y], inward, offset_px) {
                compared += 1;
                open += usize::from(contrast < NO_EDGE);
            }
        }
    }
    if compared == 0 { 0.0 } else { to_f64(open) / to_f64(compared) }
}

/// Largest channel difference between inside and outside, relative to the brightest channel inside. `None` when one of
/// the two positions leaves the image or lies on the wrong side (a finger thinner than the offset).
fn contrast_across(mask: &GrayImage, image: &RgbImage, at: [i64; 2], inward: [i64; 2], offset_px: f64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "pixel coordinates are far below 2^52")]
    let [x, y, dx, dy] = [at[0] as f64 + 0.5, at[1] as f64 + 0.5, inward[0] as f64, inward[1] as f64];
    let length = dx.hypot(dy);
    if length == 0.0 {
        return None;
    }
    let (dx, dy) = (offset_px * dx / length, offset_px * dy / length);
    let inside = super::pixel_at(mask.dimensions(), x + dx, y + dy)?;
    let outside = super::pixel_at(mask.dimensions(), x - dx, y - dy)?;
    if mask.get_pixel(inside.0, inside.1).0[0] == 0 || mask.get_pixel(outside.0, outside.1).0[0] != 0 {
        return None;
    }
    let inside = image.get_pixel(inside.0, inside.1).0;
    let outside = image.get_pixel(outside.0, outside.1).0;
    let difference = inside.iter().zip(&outside).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    let brightest = inside.iter().copied().max().unwrap_or(0).max(1);
    Some(f64::from(difference) / f64::from(brightest))
}

#[expect(clippy::cast_possible_truncation, reason = "a small part of an image side")]
const fn whole(x: f64) -> i64 {
    x.round() as i64
}

#[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^52")]
pub(super) const fn to_f64(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};

    const SIZE: u32 = 200;

    /// A bright square on dark ground and the mask given by `is_hand`.
    fn scene(is_hand: impl Fn(u32, u32) -> bool) -> MaskFigures {
        let square = |x: u32, y: u32| (40..160).contains(&x) && (40..160).contains(&y);
        let image =
            RgbImage::from_fn(SIZE, SIZE, |x, y| Rgb(if square(x, y) { [200, 150, 120] } else { [30, 60, 40] }));
        let mask = GrayImage::from_fn(SIZE, SIZE, |x, y| Luma([if is_hand(x, y) { 255 } else { 0 }]));
        measure(&mask, &image)
    }

    fn square(x: u32, y: u32) -> bool {
        (40..160).contains(&x) && (40..160).contains(&y)
    }

    #[test]
    fn a_true_outline_is_good() {
        let figures = scene(square);
        assert!((figures.fraction - 0.36).abs() < 1e-12, "120² of 200² pixels, got {}", figures.fraction);
        assert_eq!((figures.fragments, figures.holes), (1, 0), "one piece, no hole");
        assert!(figures.open_outline < 0.01, "every outline pixel has an edge, got {}", figures.open_outline);
        assert_eq!(judge(&figures, 0.36, Some(1.0)), MaskVerdict::Good, "a true outline is good");
    }

    #[test]
    fn a_cut_through_the_hand_shows_in_the_outline() {
        let figures = scene(|x, y| square(x, y) && x < 100);
        // One of the sides of a 60×120 rectangle runs through the square: 120 of 360 pixels.
        assert!((figures.open_outline - 1.0 / 3.0).abs() < 0.06, "a third is open, got {}", figures.open_outline);
        assert_eq!(judge(&figures, 0.36, Some(0.9)), MaskVerdict::PartlyCut, "a cut mask is cut");
    }

    #[test]
    fn holes_and_crumbs_make_a_mask_noisy() {
        let figures = scene(|x, y| square(x, y) && !(x % 20 < 3 && y % 20 < 3));
        assert_eq!(figures.fragments, 1, "holes do not split the piece");
        assert_eq!(figures.holes, 25, "6×6 grid positions, of which those on the left and top side open to the ground");
        assert_eq!(judge(&figures, 0.36, Some(1.0)), MaskVerdict::Noisy, "many holes are noise");
        let crumbs = scene(|x, y| x % 20 < 3 && y % 20 < 3);
        assert_eq!(crumbs.fragments, 100, "10×10 crumbs");
    }

    #[test]
    fn an_empty_mask_is_nearly_empty_but_a_small_hand_is_not() {
        let nothing = scene(|_, _| false);
        assert_eq!(
            judge(&nothing, 0.0, None),
            MaskVerdict::NearlyEmpty,
            "nothing is nearly empty, also without others"
        );
        let small = scene(|x, y| (40..60).contains(&x) && (40..60).contains(&y));
        assert_eq!(judge(&small, 0.36, Some(0.1)), MaskVerdict::NearlyEmpty, "little, and the bones miss it");
        assert_ne!(judge(&small, 0.36, Some(1.0)), MaskVerdict::NearlyEmpty, "little, but it holds the whole hand");
    }

    #[test]
    fn diagonal_neighbours_join_the_hand_but_not_the_background() {
        let mask = GrayImage::from_fn(4, 4, |x, y| Luma([if x == y { 255 } else { 0 }]));
        assert_eq!(components(&mask, true).len(), 1, "a diagonal line is one piece");
        assert_eq!(components(&mask, false).len(), 2, "and parts the background in two");
    }
}
