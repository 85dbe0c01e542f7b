//! Image metrics on RGB in 0..1. A mask is one `bool` a pixel; everything is row-major.

use crate::shading::CLIPPED;
use image::{GrayImage, RgbImage};

/// An image as numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// RGB in 0..1, row-major.
    pub rgb: Vec<[f64; 3]>,
}

impl From<&RgbImage> for Picture {
    fn from(image: &RgbImage) -> Self {
        let rgb = image.pixels().map(|p| p.0.map(|v| f64::from(v) / 255.0)).collect();
        Self { width: image.width() as usize, height: image.height() as usize, rgb }
    }
}

impl Picture {
    /// The pixels of `[x0, x1) × [y0, y1)`, cut to the image.
    #[must_use]
    pub fn crop(&self, [x0, y0, x1, y1]: [usize; 4]) -> Self {
        let (x1, y1) = (x1.min(self.width), y1.min(self.height));
        let (x0, y0) = (x0.min(x1), y0.min(y1));
        let rgb = (y0..y1).flat_map(|y| self.rgb[y * self.width + x0..y * self.width + x1].iter().copied()).collect();
        Self { width: x1 - x0, height: y1 - y0, rgb }
    }

    /// A copy of which each pixel is multiplied by its share of `coverage`: what a hand that covers so much of it hides.
    ///
    /// # Panics
    /// When sizes differ.
    #[must_use]
    pub fn covered(&self, coverage: &[f32]) -> Self {
        assert!(coverage.len() == self.rgb.len(), "one coverage a pixel");
        let rgb = self.rgb.iter().zip(coverage).map(|(p, a)| p.map(|x| x * f64::from(*a))).collect();
        Self { rgb, ..*self }
    }

    /// A copy with each channel multiplied and cut to 0..1.
    #[must_use]
    pub fn with_gain(&self, gain: [f64; 3]) -> Self {
        let rgb = self.rgb.iter().map(|p| [0, 1, 2].map(|c| (p[c] * gain[c]).clamp(0.0, 1.0))).collect();
        Self { rgb, ..*self }
    }
}

/// The pixels of a mask that are set (above 127).
#[must_use]
pub fn mask_of(mask: &GrayImage) -> Vec<bool> {
    mask.pixels().map(|p| p.0[0] > 127).collect()
}

/// Peak signal-to-noise ratio in dB over the pixels of `mask` (all when `None`): `−10 log10(mean squared error)` over
/// pixels and channels. Infinite for equal images, `None` when the mask is empty.
///
/// # Panics
/// When the images or the mask differ in size.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
pub fn psnr(a: &Picture, b: &Picture, mask: Option<&[bool]>) -> Option<f64> {
    assert_same_size(a, b, mask);
    let (mut sum, mut count) = (0.0, 0_usize);
    for (i, (p, q)) in a.rgb.iter().zip(&b.rgb).enumerate() {
        if mask.is_none_or(|m| m[i]) {
            sum += (0..3).map(|c| (p[c] - q[c]).powi(2)).sum::<f64>();
            count += 3;
        }
    }
    (count > 0).then(|| -10.0 * (sum / count as f64).log10())
}

/// PSNR over the true mask, over the union of the true and the rendered mask, and over the full frame.
///
/// # Panics
/// When sizes differ.
#[must_use]
pub fn psnr_three_ways(photo: &Picture, render: &Picture, mask: &[bool], rendered: &[bool]) -> [Option<f64>; 3] {
    let union: Vec<bool> = mask.iter().zip(rendered).map(|(&a, &b)| a || b).collect();
    [psnr(photo, render, Some(mask)), psnr(photo, render, Some(&union)), psnr(photo, render, None)]
}

/// "PSNR" as the released code of FMHR computes it: `28 log10(1/√mse)` over the rendered pixels, 1.4 times the true one.
///
/// There, both images are multiplied by the *rendered* mask, so that silhouette errors are free, and the mean over the
/// frame is brought to the mask's pixels. Only to be compared with numbers of that code.
///
/// # Panics
/// When the images or the mask differ in size.
#[must_use]
pub fn legacy_psnr(photo: &Picture, render: &Picture, rendered: &[bool]) -> Option<f64> {
    psnr(photo, render, Some(rendered)).map(|db| db * 28.0 / 20.0)
}

fn assert_same_size(a: &Picture, b: &Picture, mask: Option<&[bool]>) {
    assert!((a.width, a.height) == (b.width, b.height), "compared images have one size");
    assert!(mask.is_none_or(|m| m.len() == a.rgb.len()), "the mask has the size of the image");
}

/// Intersection over union of two masks; 1 when both are empty.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
pub fn iou(a: &[bool], b: &[bool]) -> f64 {
    let both = a.iter().zip(b).filter(|&(&a, &b)| a && b).count();
    let any = a.iter().zip(b).filter(|&(&a, &b)| a || b).count();
    if any == 0 { 1.0 } else { both as f64 / any as f64 }
}

/// `[x0, y0, x1, y1)` of the set pixels, `None` for an empty mask.
#[must_use]
pub fn bounding_box(mask: &[bool], width: usize) -> Option<[usize; 4]> {
    let mut found: Option<[usize; 4]> = None;
    for (i, _) in mask.iter().enumerate().filter(|&(_, &set)| set) {
        let (x, y) = (i % width, i / width);
        let b = found.get_or_insert([x, y, x + 1, y + 1]);
        *b = [b[0].min(x), b[1].min(y), b[2].max(x + 1), b[3].max(y + 1)];
    }
    found
}

/// Half width of the window: 11×11, σ = 1.5 px.
const RADIUS: usize = 5;

fn window() -> [f64; 2 * RADIUS + 1] {
    let raw: [f64; 2 * RADIUS + 1] = std::array::from_fn(|i| {
        let d = i.abs_diff(RADIUS);
        #[expect(clippy::cast_precision_loss, reason = "at most 5")]
        let d = d as f64;
        (-0.5 * (d / 1.5).powi(2)).exp()
    });
    let sum: f64 = raw.iter().sum();
    raw.map(|w| w / sum)
}

/// Separable Gaussian over the places where the whole window fits: `(w − 10) × (h − 10)` values.
fn blur(values: &[f64], width: usize, height: usize) -> Vec<f64> {
    let g = window();
    let out_width = width - 2 * RADIUS;
    let mut rows = Vec::with_capacity(out_width * height);
    for y in 0..height {
        for x in 0..out_width {
            rows.push(g.iter().enumerate().map(|(k, w)| w * values[y * width + x + k]).sum::<f64>());
        }
    }
    let mut out = Vec::with_capacity(out_width * (height - 2 * RADIUS));
    for y in 0..height - 2 * RADIUS {
        for x in 0..out_width {
            out.push(g.iter().enumerate().map(|(k, w)| w * rows[(y + k) * out_width + x]).sum::<f64>());
        }
    }
    out
}

/// Structural similarity (Wang et al. 2004): Gaussian window 11×11 with σ 1.5, K = 0.01, 0.03, data range 1, biased
/// covariance, mean over channels and the places where the window fits. `None` for images below 11 pixels.
///
/// # Panics
/// When the images differ in size.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
pub fn ssim(a: &Picture, b: &Picture) -> Option<f64> {
    assert_same_size(a, b, None);
    let (w, h) = (a.width, a.height);
    if w <= 2 * RADIUS || h <= 2 * RADIUS {
        return None;
    }
    let (c1, c2) = (0.01_f64.powi(2), 0.03_f64.powi(2));
    let (mut sum, mut count) = (0.0, 0_usize);
    for channel in 0..3 {
        let x: Vec<f64> = a.rgb.iter().map(|p| p[channel]).collect();
        let y: Vec<f64> = b.rgb.iter().map(|p| p[channel]).collect();
        let product = |p: &[f64], q: &[f64]| blur(&p.iter().zip(q).map(|(p, q)| p * q).collect::<Vec<_>>(), w, h);
        let (mx, my) = (blur(&x, w, h), blur(&y, w, h));
        let (xx, yy, xy) = (product(&x, &x), product(&y, &y), product(&x, &y));
        for i in 0..mx.len() {
            let (vx, vy, cov) = (xx[i] - mx[i] * mx[i], yy[i] - my[i] * my[i], xy[i] - mx[i] * my[i]);
            let above = (2.0 * mx[i] * my[i] + c1) * (2.0 * cov + c2);
            let below = (mx[i] * mx[i] + my[i] * my[i] + c1) * (vx + vy + c2);
            sum += above / below;
        }
        count += mx.len();
    }
    Some(sum / count as f64)
}

/// SSIM on the mask's bounding box; `None` when that is empty or smaller than the window.
///
/// # Panics
/// When sizes differ.
#[must_use]
pub fn ssim_on_mask(a: &Picture, b: &Picture, mask: &[bool]) -> Option<f64> {
    let region = bounding_box(mask, a.width)?;
    ssim(&a.crop(region), &b.crop(region))
}

/// Rounds of [`gain`] at most; it stands still after a few.
const GAIN_ROUNDS: usize = 32;

/// The gain per channel that brings `render` nearest to `photo` in the least-squares sense over the pixels of `mask`:
/// `Σ photo·render / Σ render²`; 1 where the render is black.
///
/// A clipped pixel of the photograph says only that the light was at least so bright. Where the render with its gain is brighter
/// still, it agrees, and does not count; which pixels these are follows from the gain, so both are found in turn.
///
/// # Panics
/// When sizes differ.
#[must_use]
pub fn gain(photo: &Picture, render: &Picture, mask: &[bool]) -> [f64; 3] {
    assert_same_size(photo, render, Some(mask));
    [0, 1, 2].map(|c| {
        let pairs: Vec<[f64; 2]> =
            (0..mask.len()).filter(|&i| mask[i]).map(|i| [photo.rgb[i][c], render.rgb[i][c]]).collect();
        let best = |gain: Option<f64>| {
            let agrees = |[p, r]: [f64; 2]| p >= CLIPPED && gain.is_none_or(|gain| gain * r > p);
            let (mut cross, mut square) = (0.0, 0.0);
            for [p, r] in pairs.iter().copied().filter(|pair| !agrees(*pair)) {
                cross += p * r;
                square += r * r;
            }
            (square > 1e-12).then(|| cross / square)
        };
        // From the pixels that are not clipped; of a photograph that is nothing but white, from all.
        let mut gain = best(None).or_else(|| best(Some(0.0))).unwrap_or(1.0);
        for _ in 0..GAIN_ROUNDS {
            match best(Some(gain)) {
                Some(next) if (next - gain).abs() > 1e-9 * gain => gain = next,
                _ => break,
            }
        }
        gain
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixtures;

    #[test]
    fn psnr_and_ssim_match_scikit_image() {
        let Some(folder) = fixtures() else {
            println!("skipped: no reference images (THENAR_SHARED)");
            return;
        };
        let text = std::fs::read(folder.join("reference.json")).expect("reference");
        let reference: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        for (i, expected) in reference.as_array().expect("a list").iter().enumerate() {
            let open = |what: &str| image::open(folder.join(format!("{i}_{what}.png"))).expect("an image");
            let (gt, pred) = (Picture::from(&open("gt").to_rgb8()), Picture::from(&open("pred").to_rgb8()));
            let mask = mask_of(&open("mask").to_luma8());
            let value = |name: &str| expected[name].as_f64().expect(name);
            assert_eq!(mask.iter().filter(|&&m| m).count() as f64, value("mask_px"), "mask of pair {i}");
            let close = |name: &str, got: f64, tolerance: f64| {
                assert!((got - value(name)).abs() < tolerance, "{name} of pair {i}: {got} is not {}", value(name));
            };
            close("psnr_full", psnr(&gt, &pred, None).expect("a number"), 1e-6);
            close("psnr_masked_over_mask_pixels", psnr(&gt, &pred, Some(&mask)).expect("a number"), 1e-6);
            close("psnr_fmhr_formula_as_shipped_28log10", legacy_psnr(&gt, &pred, &mask).expect("a number"), 1e-6);
            close("ssim_skimage_gauss_full", ssim(&gt, &pred).expect("a number"), 1e-6);
        }
    }

    fn noise(width: usize, height: usize, seed: u64) -> Picture {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / (1_u64 << 24) as f64
        };
        Picture { width, height, rgb: (0..width * height).map(|_| [next(), next(), next()]).collect() }
    }

    #[test]
    fn psnr_looks_only_where_it_is_told() {
        let a = noise(20, 16, 1);
        let mut b = a.clone();
        let left: Vec<bool> = (0..320).map(|i| i % 20 < 10).collect();
        for (i, p) in b.rgb.iter_mut().enumerate() {
            if !left[i] {
                *p = p.map(|v| v + 0.1);
            }
        }
        assert_eq!(psnr(&a, &b, Some(&left)), Some(f64::INFINITY), "equal inside");
        let right: Vec<bool> = left.iter().map(|l| !l).collect();
        let outside = psnr(&a, &b, Some(&right)).expect("a number");
        assert!((outside - 20.0).abs() < 1e-9, "an error of 0.1 is 20 dB, not {outside}");
        assert_eq!(psnr(&a, &b, Some(&[false; 320])), None, "an empty mask has no PSNR");
        let [mask, union, full] = psnr_three_ways(&a, &b, &left, &right).map(|v| v.expect("a number"));
        assert!(mask.is_infinite() && (union - full).abs() < 1e-12, "mask, union (everything here), full");
    }

    #[test]
    fn gain_and_iou_and_boxes() {
        let render = noise(20, 16, 2);
        let photo = Picture { rgb: render.rgb.iter().map(|p| [p[0] * 1.1, p[1] * 0.8, p[2]]).collect(), ..render };
        let g = gain(&photo, &render, &[true; 320]);
        assert!((g[0] - 1.1).abs() < 1e-12 && (g[1] - 0.8).abs() < 1e-12 && (g[2] - 1.0).abs() < 1e-12, "{g:?}");
        assert_eq!(gain(&photo, &render, &[false; 320]), [1.0; 3], "nothing to fit");
        // Overexposed: most of the first channel is white, and white says nothing about the gain but that it is not less.
        let burnt = Picture { rgb: render.rgb.iter().map(|p| p.map(|x| (x * 2.5).min(1.0))).collect(), ..render };
        let white = burnt.rgb.iter().filter(|p| p[0] >= 1.0).count();
        assert!((100..280).contains(&white), "{white} of 320 clipped");
        let g = gain(&burnt, &render, &[true; 320]);
        assert!(g.iter().all(|g| (g - 2.5).abs() < 1e-9), "the gain of the pixels that are not clipped: {g:?}");
        let all_white = Picture { rgb: vec![[1.0; 3]; 320], ..render };
        let g = gain(&all_white, &render, &[true; 320]);
        assert!(g.iter().all(|g| *g > 1.0 && g.is_finite()), "a white picture asks for a bright one: {g:?}");
        let mut a = vec![false; 320];
        let mut b = a.clone();
        a[20 * 3 + 4] = true;
        a[20 * 5 + 7] = true;
        b[20 * 5 + 7] = true;
        assert_eq!(bounding_box(&a, 20), Some([4, 3, 8, 6]), "half-open box");
        assert!((iou(&a, &b) - 0.5).abs() < 1e-12 && iou(&[false; 2], &[false; 2]) == 1.0, "iou");
        assert_eq!(ssim_on_mask(&photo, &render, &a), None, "too small for the window");
        let same = ssim(&render, &render).expect("a number");
        assert!((same - 1.0).abs() < 1e-12, "an image is like itself");
    }
}
