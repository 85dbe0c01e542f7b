//! What colours the hands have and what colours the rest has: two smoothed histograms in Oklab (Ottosson 2020), a space in
//! which equal distances look equally far apart. Nothing is assumed about skin, so gloves and green rooms are as good.

use super::region::Region;
use image::RgbImage;

/// Bins along lightness, and along each of the two opponent axes.
const BINS: [usize; 3] = [24, 40, 40];
/// Range of the opponent axes that is told apart; sRGB reaches -0.31 to 0.28.
const OPPONENT: f64 = 0.25;
/// Part of every colour's probability that is left to chance: no colour proves anything by its absence alone.
const CHANCE: f64 = 0.01;
/// No colour tells more than this, nats.
const MOST: f64 = 5.0;

/// The colours of a region's pixels: Oklab, and the bin.
pub(super) struct Colours {
    pub lab: Vec<[f64; 3]>,
    bins: Vec<u32>,
}

impl Colours {
    pub(super) fn new(image: &RgbImage, region: &Region) -> Self {
        let linear: Vec<f64> = (0..=255_u8).map(|c| linear_from_srgb(f64::from(c) / 255.0)).collect();
        let (raw, stride) = (image.as_raw(), image.width() as usize * 3);
        let mut lab = Vec::with_capacity(region.len());
        for y in region.y0..region.y0 + region.height {
            let row = &raw[y * stride + region.x0 * 3..][..region.width * 3];
            lab.extend(row.chunks_exact(3).map(|p| oklab([0, 1, 2].map(|k| linear[usize::from(p[k])]))));
        }
        let bins = lab.iter().map(bin).collect();
        Self { lab, bins }
    }

    /// Smoothed histogram of the pixels in a set, summing to one; uniform for an empty set.
    fn histogram(&self, set: impl Fn(usize) -> bool) -> Vec<f64> {
        let mut counts = vec![0.0; BINS.iter().product()];
        let mut total = 0.0;
        for (pixel, &bin) in self.bins.iter().enumerate() {
            if set(pixel) {
                counts[bin as usize] += 1.0;
                total += 1.0;
            }
        }
        smooth(&mut counts);
        let chance = 1.0 / f64::from(u32::try_from(counts.len()).expect("a small histogram"));
        let share = if total > 0.0 { (1.0 - CHANCE) / total } else { 0.0 };
        for count in &mut counts {
            *count = *count * share + if total > 0.0 { CHANCE } else { 1.0 } * chance;
        }
        counts
    }

    /// For every pixel by how much its colour speaks for the hand: `ln p(colour | hand) / p(colour | rest)`, and the
    /// overlap `Σ √(p q)` of the two histograms (Bhattacharyya), 0 apart … 1 the same.
    pub(super) fn evidence(&self, hand: impl Fn(usize) -> bool, rest: impl Fn(usize) -> bool) -> (Vec<f64>, f64) {
        let (p, q) = (self.histogram(hand), self.histogram(rest));
        let overlap = p.iter().zip(&q).map(|(p, q)| (p * q).sqrt()).sum();
        let ratio: Vec<f64> = p.iter().zip(&q).map(|(p, q)| (p / q).ln().clamp(-MOST, MOST)).collect();
        (self.bins.iter().map(|&bin| ratio[bin as usize]).collect(), overlap)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bins")]
fn bin(lab: &[f64; 3]) -> u32 {
    let unit = [lab[0], 0.5 + 0.5 * lab[1] / OPPONENT, 0.5 + 0.5 * lab[2] / OPPONENT];
    let mut index = 0;
    for (u, bins) in unit.iter().zip(BINS) {
        let top = bins - 1;
        index = index * bins + ((u * bins as f64).floor().max(0.0) as usize).min(top);
    }
    index as u32
}

/// The binomial filter 1 4 6 4 1 along each axis; what would leave the histogram stays in its last bin.
fn smooth(counts: &mut Vec<f64>) {
    const KERNEL: [f64; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];
    for (axis, bins) in BINS.into_iter().enumerate() {
        let stride: usize = BINS[axis + 1..].iter().product();
        let mut out = vec![0.0; counts.len()];
        for (i, &count) in counts.iter().enumerate() {
            if count == 0.0 {
                continue;
            }
            let at = i / stride % bins;
            for (k, weight) in KERNEL.iter().enumerate() {
                let to = (at + k).saturating_sub(2).min(bins - 1);
                out[i - at * stride + to * stride] += count * weight;
            }
        }
        *counts = out;
    }
}

/// IEC 61966-2-1.
fn linear_from_srgb(c: f64) -> f64 {
    if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
}

/// Oklab of linear RGB.
fn oklab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
    let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
    let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
    [
        0.210_454_255_3 * l + 0.793_617_785 * m - 0.004_072_046_8 * s,
        1.977_998_495_1 * l - 2.428_592_205 * m + 0.450_593_709_9 * s,
        0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766 * s,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn oklab_of_known_colours() {
        // Ottosson's own values.
        let red = oklab([1.0, 0.0, 0.0]);
        for (found, known) in red.iter().zip([0.6279, 0.2249, 0.1258]) {
            assert!((found - known).abs() < 1e-3, "red is {red:?}");
        }
        let white = oklab([1.0; 3]);
        assert!((white[0] - 1.0).abs() < 1e-6 && white[1].abs() < 1e-6, "white has no hue: {white:?}");
    }

    #[test]
    fn colours_speak_for_the_side_they_are_seen_on() {
        let image = RgbImage::from_fn(40, 20, |x, y| {
            let noise = u8::try_from((x * 7 + y * 13) % 9).expect("small");
            if x < 20 { Rgb([190 + noise, 140, 110]) } else { Rgb([60, 90 + noise, 70]) }
        });
        let region = Region { x0: 0, y0: 0, width: 40, height: 20 };
        let colours = Colours::new(&image, &region);
        // A tenth of each sample is wrong.
        let wrong = |p: usize| p.is_multiple_of(10);
        let (evidence, overlap) = colours.evidence(|p| (p % 40 < 20) != wrong(p), |p| (p % 40 < 20) == wrong(p));
        assert!(evidence[0] > 1.5 && evidence[39] < -1.5, "skin {}, curtain {}", evidence[0], evidence[39]);
        assert!(overlap < 0.7, "they are told apart: {overlap}");
        let (nothing, same) = colours.evidence(|_| true, |_| true);
        assert!(nothing.iter().all(|x| x.abs() < 1e-9) && same > 0.999, "the same colours tell nothing: {same}");
    }
}
