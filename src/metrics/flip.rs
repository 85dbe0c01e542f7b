//! FLIP: what a viewer notices who flips between two images (Andersson, Nilsson, Akenine-Möller, Oskarsson, Åström and
//! Fairchild, "FLIP: A Difference Evaluator for Alternating Images", HPG 2020), the low-dynamic-range form.
//!
//! Colours are filtered by the eye's contrast sensitivity in an opponent space, clamped to what a display shows, and
//! compared in L*a*b* after Hunt's adjustment with the `HyAB` distance; edges and points of the luminance are compared as
//! well and raise the error where they differ. 0 is no visible difference, 1 the largest.
//!
//! Two-dimensional kernels are applied as products of one-dimensional ones (for the blue-yellow channel a sum of two such
//! products), as all are built of Gaussians. Outside the image its edge goes on. Viewing distance: the authors' default.
//! Agrees with the authors' program 1.7 to single precision; see the tests.

use super::image::Picture;
use nalgebra::{Matrix3, Vector3};
use std::f64::consts::PI;

/// Pixels for a degree of visual angle: 3840 pixels over 0.7 m, seen from 0.7 m.
pub const PIXELS_PER_DEGREE: f64 = 3840.0 * PI / 180.0;

/// Linear sRGB to XYZ, the standard's primaries and white (D65) as fractions.
const XYZ_FROM_RGB: Matrix3<f64> = Matrix3::new(
    10_135_552.0 / 24_577_794.0,
    8_788_810.0 / 24_577_794.0,
    4_435_075.0 / 24_577_794.0,
    2_613_072.0 / 12_288_897.0,
    8_788_810.0 / 12_288_897.0,
    887_015.0 / 12_288_897.0,
    1_425_312.0 / 73_733_382.0,
    8_788_810.0 / 73_733_382.0,
    70_074_185.0 / 73_733_382.0,
);

/// Contrast sensitivity as a sum of Gaussians `a √(π/b) exp(−π² x² / b)`, x in degrees: achromatic, red-green,
/// blue-yellow (table 1 of the paper).
const ACHROMATIC: [(f64, f64); 1] = [(1.0, 0.0047)];
const RED_GREEN: [(f64, f64); 1] = [(1.0, 0.0053)];
const BLUE_YELLOW: [(f64, f64); 2] = [(34.1, 0.04), (13.5, 0.025)];
/// The widest of them, which sets the size of all.
const WIDEST: f64 = 0.04;

/// Exponent of the colour error, and the share of its maximum that is stretched over the share of the result.
const COLOUR_EXPONENT: f64 = 0.7;
const COLOUR_KNEE: [f64; 2] = [0.4, 0.95];
/// Width of the feature detectors in degrees, and the exponent of the feature error.
const FEATURE_WIDTH_DEG: f64 = 0.082;
const FEATURE_EXPONENT: f64 = 0.5;

/// The error of every pixel, 0..1, row-major; black where the images agree.
///
/// # Panics
/// When the images differ in size.
#[must_use]
pub fn flip_map(reference: &Picture, test: &Picture) -> Vec<f64> {
    assert!((reference.width, reference.height) == (test.width, test.height), "compared images have one size");
    let spaces = Spaces::new();
    let (a, b) = (Seen::new(reference, &spaces), Seen::new(test, &spaces));
    let largest = spaces.largest_colour_error();
    (0..reference.rgb.len())
        .map(|i| {
            let colour = stretched(hyab(&a.lab[i], &b.lab[i]).powf(COLOUR_EXPONENT), largest);
            let feature = (a.edges[i] - b.edges[i]).abs().max((a.points[i] - b.points[i]).abs());
            let feature = (feature / 2.0_f64.sqrt()).powf(FEATURE_EXPONENT);
            // 0⁰ would be 1: no difference of colour is no difference.
            if colour > 0.0 { colour.powf(1.0 - feature) } else { 0.0 }
        })
        .collect()
}

/// Mean FLIP over the pixels of each mask; `None` for an empty one. Only the part of the images that shows anything is
/// looked at: both are black outside `shown`, where there is no difference.
///
/// # Panics
/// When sizes differ.
#[must_use]
pub fn flip_over<const N: usize>(
    reference: &Picture,
    test: &Picture,
    shown: &[bool],
    masks: [&[bool]; N],
) -> [Option<f64>; N] {
    let Some([x0, y0, x1, y1]) = super::image::bounding_box(shown, reference.width) else { return [None; N] };
    // A black rim stands for all that is beyond.
    let rim = radius(WIDEST);
    let region = [x0.saturating_sub(rim), y0.saturating_sub(rim), x1 + rim, y1 + rim];
    let (a, b) = (reference.crop(region), test.crop(region));
    let map = flip_map(&a, &b);
    masks.map(|mask| {
        let (mut sum, mut count) = (0.0, 0.0);
        for (i, error) in map.iter().enumerate() {
            let (x, y) = (region[0] + i % a.width, region[1] + i / a.width);
            if mask[y * reference.width + x] {
                sum += error;
                count += 1.0;
            }
        }
        (count > 0.0).then(|| sum / count)
    })
}

/// Colour spaces with their inverse.
struct Spaces {
    rgb_from_xyz: Matrix3<f64>,
    white: Vector3<f64>,
}

impl Spaces {
    fn new() -> Self {
        let rgb_from_xyz = XYZ_FROM_RGB.try_inverse().unwrap_or_else(Matrix3::identity);
        Self { rgb_from_xyz, white: XYZ_FROM_RGB * Vector3::repeat(1.0) }
    }

    /// Linear RGB to the opponent space `YCxCz`, which is linear: luminance, red-green, blue-yellow.
    fn opponent(&self, rgb: &Vector3<f64>) -> [f64; 3] {
        let [x, y, z] = (XYZ_FROM_RGB * rgb).component_div(&self.white).into();
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// Back, cut to what a display shows.
    fn displayed(&self, [y, cx, cz]: [f64; 3]) -> Vector3<f64> {
        let y = (y + 16.0) / 116.0;
        let xyz = Vector3::new(y + cx / 500.0, y, y - cz / 200.0).component_mul(&self.white);
        (self.rgb_from_xyz * xyz).map(|v| v.clamp(0.0, 1.0))
    }

    /// L*a*b* with colourfulness that grows with lightness (Hunt).
    fn adjusted_lab(&self, rgb: &Vector3<f64>) -> [f64; 3] {
        const DELTA: f64 = 6.0 / 29.0;
        let root = |v: f64| if v > DELTA.powi(3) { v.cbrt() } else { v / (3.0 * DELTA * DELTA) + 4.0 / 29.0 };
        let [x, y, z] = (XYZ_FROM_RGB * rgb).component_div(&self.white).map(root).into();
        let lightness = 116.0 * y - 16.0;
        let colourfulness = 0.01 * lightness;
        [lightness, colourfulness * 500.0 * (x - y), colourfulness * 200.0 * (y - z)]
    }

    /// The largest error there is: green against blue.
    fn largest_colour_error(&self) -> f64 {
        let (green, blue) = (self.adjusted_lab(&Vector3::y()), self.adjusted_lab(&Vector3::z()));
        hyab(&green, &blue).powf(COLOUR_EXPONENT)
    }
}

/// City-block distance in lightness plus Euclidean distance in colour.
fn hyab(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    (a[0] - b[0]).abs() + (a[1] - b[1]).hypot(a[2] - b[2])
}

/// Small errors take most of 0..1, large ones the rest.
fn stretched(error: f64, largest: f64) -> f64 {
    let [knee, value] = COLOUR_KNEE;
    let limit = knee * largest;
    if error < limit { value / limit * error } else { value + (error - limit) / (largest - limit) * (1.0 - value) }
}

/// An image as it is seen.
struct Seen {
    lab: Vec<[f64; 3]>,
    edges: Vec<f64>,
    points: Vec<f64>,
}

impl Seen {
    fn new(picture: &Picture, spaces: &Spaces) -> Self {
        let size = [picture.width, picture.height];
        let opponent: Vec<[f64; 3]> =
            picture.rgb.iter().map(|p| spaces.opponent(&Vector3::from(*p).map(linear))).collect();
        let channel = |c: usize| opponent.iter().map(|p| p[c]).collect::<Vec<f64>>();
        let luminance = channel(0);
        let filtered = [
            filter(&luminance, size, &ACHROMATIC),
            filter(&channel(1), size, &RED_GREEN),
            filter(&channel(2), size, &BLUE_YELLOW),
        ];
        let lab = (0..opponent.len())
            .map(|i| spaces.adjusted_lab(&spaces.displayed([0, 1, 2].map(|c: usize| filtered[c][i]))))
            .collect();
        let grey: Vec<f64> = luminance.iter().map(|y| (y + 16.0) / 116.0).collect();
        let [edges, points] = features(&grey, size);
        Self { lab, edges, points }
    }
}

/// The standard's transfer curve, to linear.
fn linear(v: f64) -> f64 {
    if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// Pixels to each side that a Gaussian of a sensitivity is followed: three standard deviations.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of pixels")]
fn radius(b: f64) -> usize {
    (3.0 * (b / (2.0 * PI * PI)).sqrt() * PIXELS_PER_DEGREE).ceil() as usize
}

/// Values of a function at −radius..=radius pixels.
#[expect(clippy::cast_precision_loss, reason = "a handful of pixels")]
fn kernel(radius: usize, value: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..=2 * radius).map(|i| value(i as f64 - radius as f64)).collect()
}

/// Filters a channel by a sum of Gaussians whose weights make one.
fn filter(values: &[f64], size: [usize; 2], gaussians: &[(f64, f64)]) -> Vec<f64> {
    let parts: Vec<(f64, Vec<f64>)> = gaussians
        .iter()
        .map(|&(a, b)| {
            let g = kernel(radius(WIDEST), |x| (-(PI * x / PIXELS_PER_DEGREE).powi(2) / b).exp());
            let sum: f64 = g.iter().sum();
            (a * (PI / b).sqrt() * sum * sum, g.iter().map(|w| w / sum).collect())
        })
        .collect();
    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
    let mut out = vec![0.0; values.len()];
    for (weight, g) in &parts {
        for (o, v) in out.iter_mut().zip(separable(values, size, g, g)) {
            *o += weight / total * v;
        }
    }
    out
}

/// Strength of edges and of points: first and second derivatives of a Gaussian, along x and y, each with positive weights
/// that make 1 and negative ones that make −1.
fn features(grey: &[f64], size: [usize; 2]) -> [Vec<f64>; 2] {
    let deviation = 0.5 * FEATURE_WIDTH_DEG * PIXELS_PER_DEGREE;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of pixels")]
    let radius = (3.0 * deviation).ceil() as usize;
    let gaussian = |x: f64| (-0.5 * (x / deviation).powi(2)).exp();
    let smooth = kernel(radius, gaussian);
    let sum: f64 = smooth.iter().sum();
    let smooth: Vec<f64> = smooth.iter().map(|w| w / sum).collect();
    let balanced = |raw: Vec<f64>| {
        let above: f64 = raw.iter().filter(|w| **w > 0.0).sum();
        let below: f64 = -raw.iter().filter(|w| **w < 0.0).sum::<f64>();
        raw.iter().map(|w| if *w > 0.0 { w / above } else { w / below }).collect::<Vec<f64>>()
    };
    let edge = balanced(kernel(radius, |x| -x * gaussian(x)));
    let point = balanced(kernel(radius, |x| ((x / deviation).powi(2) - 1.0) * gaussian(x)));
    [edge, point].map(|derivative| {
        let along_x = separable(grey, size, &derivative, &smooth);
        let along_y = separable(grey, size, &smooth, &derivative);
        along_x.iter().zip(&along_y).map(|(x, y)| x.hypot(*y)).collect()
    })
}

/// Filters along rows, then along columns; the image's edge goes on outside.
fn separable(values: &[f64], [width, height]: [usize; 2], along_x: &[f64], along_y: &[f64]) -> Vec<f64> {
    let mut rows = Vec::with_capacity(values.len());
    let reach = along_x.len() / 2;
    let mut padded = vec![0.0; width + 2 * reach];
    for row in values.chunks_exact(width.max(1)) {
        for (i, p) in padded.iter_mut().enumerate() {
            *p = row[i.saturating_sub(reach).min(width - 1)];
        }
        rows.extend(padded.windows(along_x.len()).map(|w| w.iter().zip(along_x).map(|(v, k)| v * k).sum::<f64>()));
    }
    let reach = along_y.len() / 2;
    let mut out = vec![0.0; values.len()];
    for (y, row) in out.chunks_exact_mut(width.max(1)).enumerate() {
        for (k, weight) in along_y.iter().enumerate() {
            let from = (y + k).saturating_sub(reach).min(height - 1);
            for (o, v) in row.iter_mut().zip(&rows[from * width..]) {
                *o += weight * v;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
