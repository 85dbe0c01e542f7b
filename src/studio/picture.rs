//! Small image work of the window: thumbnails, scores of a rendered view, difference pictures. All on the CPU.

use super::backend::Look;
use crate::capture::View;
use crate::metrics;
use crate::pipeline::ViewPicture;
use image::RgbImage;
use std::time::Duration;

/// PSNR of equal pictures, which would be infinite.
const HIGHEST_DB: f64 = 120.0;

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
    /// SSIM on the box of the mask, black outside of it; `None` as `psnr_db`, and while a run is under way, which it would hold
    /// up.
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
        mut rendered: ViewPicture,
        view: Option<&View>,
        (step, look): (u32, Look),
        cost: Duration,
        thorough: bool,
    ) -> Self {
        let photographic = matches!(look, Look::Shaded | Look::Neural);
        let Scores { psnr_db, ssim, iou } =
            view.map(|view| score(&mut rendered, view, photographic, thorough)).unwrap_or_default();
        let ViewPicture { view, width, height, rgba, .. } = rendered;
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

/// How a rendered view and its photograph go together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Scores {
    psnr_db: Option<f64>,
    ssim: Option<f64>,
    iou: Option<f64>,
}

/// The numbers of `thenar evaluate` and of `views.csv`, of the pixels as they are shown. A picture that has no gain of its
/// camera gets the one that fits best, as it does there.
fn score(rendered: &mut ViewPicture, view: &View, photographic: bool, thorough: bool) -> Scores {
    if view.image.dimensions() != (rendered.width, rendered.height) {
        return Scores::default();
    }
    let coverage: Vec<f32> = rendered.rgba.chunks_exact(4).map(|p| f32::from(p[3]) / 255.0).collect();
    let shown = metrics::rendered(&coverage);
    let mask = view.mask.as_ref().map(metrics::mask_of);
    let iou = mask.as_ref().filter(|m| m.iter().chain(&shown).any(|x| *x)).map(|m| metrics::iou(m, &shown));
    if !photographic {
        return Scores { iou, ..Scores::default() };
    }
    let mask = mask.unwrap_or_else(|| shown.clone());
    let both: Vec<bool> = mask.iter().zip(&shown).map(|(m, s)| *m && *s).collect();
    let width = rendered.width as usize;
    let Some(region) = metrics::bounding_box(&both, width) else {
        return Scores { iou, ..Scores::default() };
    };
    // What is compared lies in a small part of the picture.
    let [x0, y0, x1, y1] = region;
    let part = |rgb| metrics::Picture { width: x1 - x0, height: y1 - y0, rgb };
    let (pixels, _) = rendered.rgba.as_chunks::<4>();
    let (photo, _) = view.image.as_raw().as_chunks::<3>();
    let compared = metrics::Comparison {
        photo: &part(cropped(photo, width, region).iter().map(|p| p.map(|x| f64::from(x) / 255.0)).collect()),
        render: &part(cropped(pixels, width, region).iter().map(premultiplied).collect()),
        mask: &cropped(&mask, width, region),
        coverage: &cropped(&coverage, width, region),
        gain: (!rendered.without_gain).then_some([1.0; 3]),
    };
    let metrics::Shared { gain, psnr_db, .. } = compared.shared();
    let ssim = thorough.then(|| {
        let mut photo = metrics::Picture::from(&view.image);
        photo.rgb.iter_mut().zip(&mask).filter(|(_, m)| !**m).for_each(|(p, _)| *p = [0.0; 3]);
        let render = metrics::Picture { rgb: pixels.iter().map(premultiplied).collect(), ..photo };
        metrics::ssim_on_mask(&photo, &render.with_gain(gain), &mask)
    });
    if rendered.without_gain {
        multiply(&mut rendered.rgba, gain);
    }
    Scores { psnr_db: psnr_db.map(|psnr| psnr.min(HIGHEST_DB)), ssim: ssim.flatten(), iou }
}

/// A pixel's colour times its coverage, 0 to 1.
fn premultiplied(p: &[u8; 4]) -> [f64; 3] {
    [0, 1, 2].map(|c| f64::from(p[c]) * f64::from(p[3]) / (255.0 * 255.0))
}

/// The entries of a row-major list of pixels in `[x0, x1) × [y0, y1)`.
fn cropped<T: Copy>(list: &[T], width: usize, [x0, y0, x1, y1]: [usize; 4]) -> Vec<T> {
    (y0..y1).flat_map(|y| list[y * width + x0..y * width + x1].iter().copied()).collect()
}

/// Multiplies the channels of RGBA8.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn multiply(rgba: &mut [u8], gain: [f64; 3]) {
    for p in rgba.chunks_exact_mut(4) {
        for (x, gain) in p.iter_mut().zip(gain) {
            *x = (f64::from(*x) * gain).round().clamp(0.0, 255.0) as u8;
        }
    }
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
        let exact = ViewPicture { view: 0, width, height, rgba, without_gain: false };
        let of = |picture: &ViewPicture| score(&mut picture.clone(), &view, true, true);
        assert_eq!((of(&exact).iou, of(&exact).psnr_db), (Some(1.0), Some(HIGHEST_DB)), "it equals itself");
        assert!(of(&exact).ssim.is_some_and(|s| (s - 1.0).abs() < 1e-9), "and is similar to itself");
        let mut off = exact.clone();
        off.rgba.chunks_exact_mut(4).for_each(|p| p[0] = p[0].saturating_add(26));
        let psnr = of(&off).psnr_db.expect("covered");
        assert!((20.0..30.0).contains(&psnr), "a tenth off in one of three channels is about 25 dB, not {psnr}");
        let similarity = of(&off).ssim.expect("covered");
        assert!((0.2..0.9995).contains(&similarity), "and no longer as similar: {similarity}");
        let scored = |look, thorough| Picture::new(off.clone(), Some(&view), (1, look), Duration::ZERO, thorough);
        assert!(scored(Look::Shaded, true).ssim.is_some() && scored(Look::Shaded, false).ssim.is_none(), "when asked");
        let albedo = scored(Look::Albedo, true);
        assert!(albedo.psnr_db.is_none() && albedo.iou.is_some(), "an albedo is no photograph, but has a silhouette");
        off.rgba.chunks_exact_mut(4).for_each(|p| p[3] = 0);
        assert_eq!(of(&off).psnr_db, None, "nothing rendered, nothing scored");
    }

    #[test]
    fn a_view_without_a_gain_of_its_own_gets_the_best_and_is_shown_by_it() {
        let view = test_capture(1).views.remove(0);
        let (width, height) = view.image.dimensions();
        let mask = view.mask.clone().expect("the test capture has masks");
        let dark = |x: u8| x / 2;
        let rgba: Vec<u8> = view
            .image
            .pixels()
            .zip(mask.pixels())
            .flat_map(|(p, m)| [dark(p.0[0]), dark(p.0[1]), dark(p.0[2]), if m.0[0] > 0 { 255 } else { 0 }])
            .collect();
        let made = |without_gain| {
            let rendered = ViewPicture { view: 0, width, height, rgba: rgba.clone(), without_gain };
            Picture::new(rendered, Some(&view), (1, Look::Shaded), Duration::ZERO, false)
        };
        let (as_it_is, fitted) = (made(false), made(true));
        let psnr = |p: &Picture| p.psnr_db.expect("covered");
        assert!(psnr(&fitted) > 40.0 && psnr(&as_it_is) < 20.0, "{} and {}", psnr(&fitted), psnr(&as_it_is));
        let brightness = |p: &Picture| p.rgba.chunks_exact(4).map(|p| u64::from(p[1])).sum::<u64>();
        assert!(brightness(&fitted) > brightness(&as_it_is) * 19 / 10, "and it is shown that bright");
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
