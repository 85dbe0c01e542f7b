//! Small image work of the window: thumbnails, scores of a rendered view, difference pictures. All on the CPU.

use crate::capture::View;
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
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// RGBA8, sRGB; alpha 0 where no hand is rendered.
    pub rgba: Vec<u8>,
    /// PSNR over rendered ∩ mask (over the rendered pixels when there is no mask); `None` when nothing is covered.
    pub psnr_db: Option<f64>,
    /// Intersection over union of the rendered silhouette with the mask; `None` without a mask.
    pub iou: Option<f64>,
    /// Bounding box of the rendered pixels `[x0, y0, x1, y1)`.
    pub covered_px: Option<[u32; 4]>,
    /// What rendering it cost the worker.
    pub cost: Duration,
}

impl Picture {
    /// Scores `rendered` against its photograph.
    #[must_use]
    pub(crate) fn new(rendered: ViewPicture, view: Option<&View>, step: u32, cost: Duration) -> Self {
        let (psnr_db, iou) = view.map_or((None, None), |v| (psnr_db(&rendered, v), iou(&rendered, v)));
        let ViewPicture { view, width, height, rgba } = rendered;
        let covered_px = bounds(width, rgba.chunks_exact(4).map(|p| p[3] > 0));
        Self { view, step, width, height, rgba, psnr_db, iou, covered_px, cost }
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
        let mut off = exact.clone();
        off.rgba.chunks_exact_mut(4).for_each(|p| p[0] = p[0].saturating_add(26));
        let psnr = psnr_db(&off, &view).expect("covered");
        assert!((20.0..30.0).contains(&psnr), "a tenth off in one of three channels is about 25 dB, not {psnr}");
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
