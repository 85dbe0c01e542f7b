//! Small image work of the window: thumbnails, scores of a rendered view, difference pictures. All on the CPU.

use super::backend::Look;
use crate::capture::View;
use crate::metrics;
use crate::pipeline::ViewPicture;
use image::RgbImage;
use std::time::Duration;

/// A rendered view with what the compare panel prints under it.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// View index.
    pub view: usize,
    /// Step of the snapshot it shows.
    pub step: u32,
    /// What it shows of it.
    pub look: Look,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// RGBA8, sRGB; alpha 0 where no hand is rendered.
    pub rgba: Vec<u8>,
    /// PSNR over rendered ∩ mask (over the rendered pixels when there is no mask); `None` when nothing is covered, and of
    /// pictures that are not meant to look like the photograph.
    pub psnr_db: Option<f64>,
    /// SSIM on the box of rendered ∩ mask, what lies outside of both taken from the photograph; `None` as `psnr_db`, and
    /// while a run is under way, which it would hold up.
    pub ssim: Option<f64>,
    /// Intersection over union of the rendered silhouette with the mask; `None` without a mask.
    pub iou: Option<f64>,
    /// Bounding box of the rendered pixels `[x0, y0, x1, y1)`.
    pub covered_px: Option<[u32; 4]>,
    /// What rendering it cost the worker.
    pub cost: Duration,
}

impl Picture {
    /// Scores `rendered`, which shows a step in a way, against its photograph; `thorough`: with what takes longer.
    #[must_use]
    pub(crate) fn new(
        rendered: ViewPicture,
        view: Option<&View>,
        (step, look): (u32, Look),
        cost: Duration,
        thorough: bool,
    ) -> Self {
        let photographic = matches!(look, Look::Shaded | Look::Neural);
        let psnr_db = view.filter(|_| photographic).and_then(|v| psnr_db(&rendered, v));
        let ssim = view.filter(|_| photographic && thorough).and_then(|v| ssim(&rendered, v));
        let iou = view.and_then(|v| iou(&rendered, v));
        let ViewPicture { view, width, height, rgba } = rendered;
        let covered_px = bounds(width, rgba.chunks_exact(4).map(|p| p[3] > 0));
        Self { view, step, look, width, height, rgba, psnr_db, ssim, iou, covered_px, cost }
    }

    /// View, step and what is shown.
    #[must_use]
    pub(crate) const fn key(&self) -> (usize, u32, Look) {
        (self.view, self.step, self.look)
    }
}

/// Bounding box `[x0, y0, x1, y1)` of the set pixels of a row-major picture.
#[must_use]
pub(crate) fn bounds(width: u32, set: impl Iterator<Item = bool>) -> Option<[u32; 4]> {
    let (mut x, mut y) = (0, 0);
    let mut found: Option<[u32; 4]> = None;
    for inside in set {
        if inside {
            let b = found.get_or_insert([x, y, x + 1, y + 1]);
            *b = [b[0].min(x), b[1].min(y), b[2].max(x + 1), b[3].max(y + 1)];
        }
        x += 1;
        if x == width {
            (x, y) = (0, y + 1);
        }
    }
    found
}

fn same_size(rendered: &ViewPicture, view: &View) -> bool {
    view.image.dimensions() == (rendered.width, rendered.height)
}

fn psnr_db(rendered: &ViewPicture, view: &View) -> Option<f64> {
    if !same_size(rendered, view) {
        return None;
    }
    let mask = view.mask.as_ref().map(|m| m.as_raw().as_slice());
    let (mut sum, mut count) = (0.0, 0_u32);
    for (i, (r, p)) in rendered.rgba.chunks_exact(4).zip(view.image.as_raw().chunks_exact(3)).enumerate() {
        if r[3] == 0 || mask.is_some_and(|m| m.get(i).is_none_or(|&v| v < 128)) {
            continue;
        }
        for c in 0..3 {
            let d = (f64::from(r[c]) - f64::from(p[c])) / 255.0;
            sum += d * d;
        }
        count += 3;
    }
    if count == 0 {
        return None;
    }
    let mse = sum / f64::from(count);
    Some(if mse <= 1e-12 { 120.0 } else { -10.0 * mse.log10() })
}

/// SSIM on the box of the pixels that are rendered and in the mask. Other pixels are the photograph's in both pictures, so
/// that the ground behind the hand counts as equal and the borders of the windows do not see it.
fn ssim(rendered: &ViewPicture, view: &View) -> Option<f64> {
    if !same_size(rendered, view) {
        return None;
    }
    let mask = view.mask.as_ref().map(|m| m.as_raw().as_slice());
    let shared: Vec<bool> = rendered
        .rgba
        .chunks_exact(4)
        .enumerate()
        .map(|(i, p)| p[3] > 0 && mask.is_none_or(|m| m.get(i).is_some_and(|v| *v >= 128)))
        .collect();
    let photo = metrics::Picture::from(&view.image);
    let mut other = photo.clone();
    for ((pixel, shared), p) in other.rgb.iter_mut().zip(&shared).zip(rendered.rgba.chunks_exact(4)) {
        if *shared {
            *pixel = [0, 1, 2].map(|c| f64::from(p[c]) / 255.0);
        }
    }
    metrics::ssim_on_mask(&photo, &other, &shared)
}

fn iou(rendered: &ViewPicture, view: &View) -> Option<f64> {
    let mask = view.mask.as_ref()?;
    if !same_size(rendered, view) {
        return None;
    }
    let (mut both, mut either) = (0_u32, 0_u32);
    for (r, &m) in rendered.rgba.chunks_exact(4).zip(mask.as_raw()) {
        let (a, b) = (r[3] > 0, m >= 128);
        both += u32::from(a && b);
        either += u32::from(a || b);
    }
    (either > 0).then(|| f64::from(both) / f64::from(either))
}

/// A copy whose longer side is at most `longest_px`.
#[must_use]
pub(crate) fn thumbnail(image: &RgbImage, longest_px: u32) -> RgbImage {
    let (w, h) = image.dimensions();
    let longest = w.max(h).max(1);
    if longest <= longest_px {
        return image.clone();
    }
    let shrink = |side: u32| (side * longest_px / longest).max(1);
    image::imageops::thumbnail(image, shrink(w), shrink(h))
}

/// Absolute difference, RGBA: magma-like heat where a hand is rendered, the dimmed photograph elsewhere.
#[must_use]
pub(crate) fn difference(picture: &Picture, photo: &RgbImage) -> Vec<u8> {
    let mut out = Vec::with_capacity(picture.rgba.len());
    for (r, p) in picture.rgba.chunks_exact(4).zip(photo.as_raw().chunks_exact(3)) {
        if r[3] == 0 {
            out.extend([p[0] / 4, p[1] / 4, p[2] / 4, 255]);
        } else {
            let worst = (0..3).map(|c| r[c].abs_diff(p[c])).max().unwrap_or(0);
            let [red, green, blue] = heat(f32::from(worst) / 96.0);
            out.extend([red, green, blue, 255]);
        }
    }
    out
}

/// Black → purple → orange → pale yellow for 0 → 1, after the magma map's look.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
pub(crate) fn heat(t: f32) -> [u8; 3] {
    const STOPS: [[f32; 3]; 5] =
        [[0.0, 0.0, 4.0], [81.0, 18.0, 124.0], [183.0, 55.0, 121.0], [252.0, 137.0, 97.0], [252.0, 253.0, 191.0]];
    let x = t.clamp(0.0, 1.0) * 4.0;
    let i = (x as usize).min(3);
    let f = x - x.floor().min(3.0);
    [0, 1, 2].map(|c| (STOPS[i][c] + (STOPS[i + 1][c] - STOPS[i][c]) * f).clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::super::testing::test_capture;
    use super::*;

    #[test]
    fn scores_react_to_the_picture() {
        let view = test_capture(1).views.remove(0);
        let (width, height) = view.image.dimensions();
        let mask = view.mask.clone().expect("the test capture has masks");
        let rgba: Vec<u8> = view
            .image
            .pixels()
            .zip(mask.pixels())
            .flat_map(|(p, m)| [p.0[0], p.0[1], p.0[2], if m.0[0] > 0 { 255 } else { 0 }])
            .collect();
        let exact = ViewPicture { view: 0, width, height, rgba };
        assert_eq!(iou(&exact, &view), Some(1.0), "the mask covers itself");
        assert_eq!(psnr_db(&exact, &view), Some(120.0), "the photograph equals itself");
        assert!(ssim(&exact, &view).is_some_and(|s| (s - 1.0).abs() < 1e-9), "and is similar to itself");
        let mut off = exact.clone();
        off.rgba.chunks_exact_mut(4).for_each(|p| p[0] = p[0].saturating_add(26));
        let psnr = psnr_db(&off, &view).expect("covered");
        assert!((20.0..30.0).contains(&psnr), "a tenth off in one of three channels is about 25 dB, not {psnr}");
        let similarity = ssim(&off, &view).expect("covered");
        assert!((0.2..0.9995).contains(&similarity), "and no longer as similar: {similarity}");
        let scored = |look, thorough| Picture::new(off.clone(), Some(&view), (1, look), Duration::ZERO, thorough);
        assert!(scored(Look::Shaded, true).ssim.is_some() && scored(Look::Shaded, false).ssim.is_none(), "when asked");
        let albedo = scored(Look::Albedo, true);
        assert!(albedo.psnr_db.is_none() && albedo.iou.is_some(), "an albedo is no photograph, but has a silhouette");
        off.rgba.chunks_exact_mut(4).for_each(|p| p[3] = 0);
        assert_eq!(psnr_db(&off, &view), None, "nothing rendered, nothing scored");
    }

    #[test]
    fn thumbnails_shrink_the_longer_side() {
        let image = RgbImage::new(1280, 1024);
        assert_eq!(thumbnail(&image, 256).dimensions(), (256, 204), "aspect kept");
        assert_eq!(thumbnail(&RgbImage::new(64, 32), 256).dimensions(), (64, 32), "never enlarged");
    }

    #[test]
    fn bounds_are_tight() {
        let set = (0..20).map(|i| i == 7 || i == 13);
        assert_eq!(bounds(5, set), Some([2, 1, 4, 3]), "pixels (2,1) and (3,2)");
        assert_eq!(bounds(5, (0..20).map(|_| false)), None, "nothing set");
    }
}
