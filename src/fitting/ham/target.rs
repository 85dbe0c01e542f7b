//! What each view should look like: the region around the hands, its pixels, and which of them the mask can be believed in.
//!
//! A mask is held against the silhouette of the fitted model: *recall* is the part of the silhouette the mask covers,
//! *precision* the part of the mask (without the forearm) the silhouette covers. Views below the threshold lose their
//! silhouette term and keep their colours. The hand models end at the wrist while masks often include the forearm, so the
//! pixels of a tapered capsule along the forearm are marked unknown where the model does not cover them.

use super::matte::{Window, soften};
use super::residuals::Place;
use crate::camera::{Camera, CameraResidual};
use crate::energy::image_loss::UNKNOWN;
use crate::fitting::masks::IGNORE;
use image::{GrayImage, RgbImage};
use nalgebra::Vector3;
use serde::{Deserialize, Serialize};

/// Share of a view's hand extent that is added around the region.
pub const REGION_MARGIN: f64 = 0.08;

/// One view as the stage sees it.
#[derive(Clone, Copy, Debug)]
pub struct TargetSource<'a> {
    /// Full-size camera (refined by the pose stage).
    pub camera: &'a Camera,
    /// Photograph.
    pub image: &'a RgbImage,
    /// Mask, if there is one.
    pub mask: Option<&'a GrayImage>,
    /// What the mask stage made of it; without this, the mask is believed where it agrees with the model.
    pub judged: Option<JudgedSource<'a>>,
}

/// A mask after the mask stage.
#[derive(Clone, Copy, Debug)]
pub struct JudgedSource<'a> {
    /// 255 hand, 0 background, [`IGNORE`] neither; `None` when the view's silhouette is not to be used.
    pub mask: Option<&'a GrayImage>,
    /// Factor of the view's silhouette term.
    pub weight: f64,
}

/// A region of a (reduced) view with its pixels.
#[derive(Clone, Debug)]
pub struct Target {
    /// Camera of the region.
    pub camera: Camera,
    /// Where the region lies.
    pub(super) place: Place,
    /// Image colours, 0..1; black outside the image.
    pub colours: Vec<[f32; 3]>,
    /// Mask coverage 0..1; `None` outside the image or without a mask.
    pub coverage: Vec<Option<f32>>,
    /// The same of the judged mask, `None` also where it ignores a pixel of the block; no list without a judgement.
    pub judged: Option<Vec<Option<f32>>>,
    /// Factor of the silhouette term.
    pub silhouette_weight: f64,
}

/// How well a mask agrees with the fitted model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskTrust {
    /// Share of the silhouette that the mask covers.
    pub recall: f64,
    /// Share of the mask (without forearm) that the silhouette covers.
    pub precision: f64,
    /// Both are above the threshold.
    pub trusted: bool,
}

impl Target {
    /// The region of `source`, reduced by `divisor`, around world points with a margin.
    ///
    /// Returns `None` when no point is visible.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
    pub fn new(source: &TargetSource<'_>, divisor: u32, points: &[[f64; 3]], margin: f64) -> Option<Self> {
        let camera = source.camera.scaled(1.0 / f64::from(divisor));
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for p in points.iter().filter_map(|p| camera.project(&Vector3::from(*p))) {
            for k in 0..2 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        let image_px = [camera.width_px, camera.height_px];
        let mut origin = [0_u32; 2];
        let mut size = [0_u32; 2];
        for k in 0..2 {
            let extra = margin * (high[k] - low[k]).max(8.0);
            let from = (low[k] - extra).max(0.0);
            let to = (high[k] + extra).min(f64::from(image_px[k]));
            if to.is_nan() || to - from < 2.0 {
                return None;
            }
            origin[k] = from.floor() as u32;
            size[k] = to.ceil() as u32 - origin[k];
        }
        size[0] = size[0].next_multiple_of(64);
        let region = camera.cropped(origin[0], origin[1], size[0], size[1]);
        let window = Window {
            x0: origin[0] * divisor,
            y0: origin[1] * divisor,
            x1: ((origin[0] + size[0]) * divisor).min(source.image.width()),
            y1: ((origin[1] + size[1]) * divisor).min(source.image.height()),
        };
        let soft = source.judged.map(|judged| judged.mask.map(|mask| soften(source.image, mask, window)));
        let mut target = Self {
            camera: region,
            place: Place { origin_px: origin, image_px, divisor },
            colours: Vec::with_capacity((size[0] * size[1]) as usize),
            coverage: Vec::with_capacity((size[0] * size[1]) as usize),
            judged: source.judged.map(|_| Vec::with_capacity((size[0] * size[1]) as usize)),
            silhouette_weight: source.judged.map_or(1.0, |judged| judged.weight),
        };
        for y in 0..size[1] {
            for x in 0..size[0] {
                let (colour, coverage) = reduced_pixel(source, divisor, origin[0] + x, origin[1] + y);
                target.colours.push(colour);
                target.coverage.push(coverage);
                if let (Some(list), Some(soft)) = (&mut target.judged, &soft) {
                    list.push(soft.as_ref().and_then(|m| judged_coverage(m, divisor, origin[0] + x, origin[1] + y)));
                }
            }
        }
        Some(target)
    }

    /// Packed pixels of this region as a camera without the residual would have taken them.
    #[must_use]
    pub fn straightened(&self, packed: &[u32], residual: &CameraResidual) -> Vec<u32> {
        self.place.straightened(packed, self.width(), residual.warp.as_ref(), residual.falloff)
    }

    /// Pixels of the whole reduced image.
    #[must_use]
    pub fn image_pixels(&self) -> f64 {
        f64::from(self.place.image_px[0]) * f64::from(self.place.image_px[1])
    }

    /// Region width in pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.camera.width_px as usize
    }

    /// How well the mask agrees with the silhouette in `ids`; forearm pixels are left out.
    #[must_use]
    pub fn trust(&self, ids: &[u32], forearm: &[bool], threshold: f64) -> MaskTrust {
        let (mut both, mut silhouette, mut mask) = (0_u32, 0_u32, 0_u32);
        for ((coverage, id), arm) in self.coverage.iter().zip(ids).zip(forearm) {
            let masked = coverage.is_some_and(|c| c > 0.5);
            let covered = *id != 0;
            silhouette += u32::from(covered);
            mask += u32::from(masked && (covered || !arm));
            both += u32::from(masked && covered);
        }
        let ratio = |n: u32| if n == 0 { 0.0 } else { f64::from(both) / f64::from(n) };
        let (recall, precision) = (ratio(silhouette), ratio(mask));
        MaskTrust { recall, precision, trusted: recall.min(precision) >= threshold }
    }

    /// Pixels for the image loss: RGB and coverage (0..=254, or [`UNKNOWN`]).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
    pub fn packed(&self, ids: &[u32], forearm: &[bool], trusted: bool) -> Vec<u32> {
        let byte = |x: f32, top: f32| (x * top).round().clamp(0.0, top) as u8;
        let judged = self.judged.is_some();
        self.colours
            .iter()
            .zip(self.judged.as_ref().unwrap_or(&self.coverage))
            .zip(ids.iter().zip(forearm))
            .map(|((colour, coverage), (id, arm))| {
                let alpha = match coverage {
                    Some(c) if judged || (trusted && (*c <= 0.5 || *id != 0 || !arm)) => byte(*c, 254.0),
                    _ => UNKNOWN,
                };
                u32::from_le_bytes([byte(colour[0], 255.0), byte(colour[1], 255.0), byte(colour[2], 255.0), alpha])
            })
            .collect()
    }

    /// Which pixels a forearm may cover: tapered capsules from each wrist, 0.3 m away from the middle knuckle.
    #[must_use]
    pub fn forearm(&self, keypoints: &[[[f64; 3]; 21]]) -> Vec<bool> {
        const LENGTH_M: f64 = 0.3;
        const RADIUS_M: [f64; 2] = [0.045, 0.065];
        /// Share of the length behind the wrist joint where the hand may end: hand models go on for 13 mm.
        const HAND_END: f64 = 0.02;
        let mut out = vec![false; self.colours.len()];
        for hand in keypoints {
            let (wrist, knuckle) = (Vector3::from(hand[0]), Vector3::from(hand[9]));
            let Some(along) = (wrist - knuckle).try_normalize(1e-9) else { continue };
            let ends = [wrist, wrist + along * LENGTH_M];
            let Some(projected) = ends
                .map(|e| self.camera.project(&e).map(|p| (p, self.camera.camera_from_world(&e).z)))
                .into_iter()
                .collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            let (a, b) = (projected[0].0, projected[1].0);
            let radius = [0, 1].map(|k| RADIUS_M[k] * self.camera.focal_px() / projected[k].1);
            let ab = b - a;
            let squared = ab.norm_squared().max(1e-9);
            let end_on = squared < radius[0] * radius[0];
            for (i, flag) in out.iter_mut().enumerate() {
                let p = nalgebra::Vector2::new((i % self.width()) as f64 + 0.5, (i / self.width()) as f64 + 0.5);
                let along = (p - a).dot(&ab) / squared;
                // The hand's own outline beside and before the wrist is known. Seen end on, the forearm has no before.
                if along < HAND_END && !end_on {
                    continue;
                }
                let t = along.clamp(0.0, 1.0);
                let r = radius[0] + t * (radius[1] - radius[0]);
                *flag |= (p - a - ab * t).norm_squared() < r * r;
            }
        }
        out
    }
}

/// Mean colour and coverage of a `divisor × divisor` block.
fn reduced_pixel(source: &TargetSource<'_>, divisor: u32, x: u32, y: u32) -> ([f32; 3], Option<f32>) {
    let (mut sum, mut covered, mut count) = ([0.0_f32; 3], 0.0_f32, 0.0_f32);
    for dy in 0..divisor {
        for dx in 0..divisor {
            let (sx, sy) = (x * divisor + dx, y * divisor + dy);
            if sx >= source.image.width() || sy >= source.image.height() {
                continue;
            }
            let pixel = source.image.get_pixel(sx, sy).0;
            for k in 0..3 {
                sum[k] += f32::from(pixel[k]) / 255.0;
            }
            covered += source.mask.map_or(0.0, |m| f32::from(m.get_pixel(sx, sy).0[0]) / 255.0);
            count += 1.0;
        }
    }
    if count == 0.0 {
        return ([0.0; 3], None);
    }
    (sum.map(|s| s / count), source.mask.map(|_| covered / count))
}

/// Coverage of a block by a judged mask; `None` when it ignores one of the pixels, or outside the image.
fn judged_coverage(mask: &GrayImage, divisor: u32, x: u32, y: u32) -> Option<f32> {
    let (mut covered, mut count) = (0.0_f32, 0.0_f32);
    for dy in 0..divisor {
        for dx in 0..divisor {
            let Some(pixel) = mask.get_pixel_checked(x * divisor + dx, y * divisor + dy) else { continue };
            if pixel.0[0] == IGNORE {
                return None;
            }
            covered += f32::from(pixel.0[0]) / 255.0;
            count += 1.0;
        }
    }
    (count > 0.0).then(|| covered / count)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "test pictures are small")]

    use super::*;
    use nalgebra::Matrix3;

    fn source() -> (Camera, RgbImage, GrayImage) {
        let camera = Camera {
            width_px: 200,
            height_px: 100,
            k: Matrix3::new(100.0, 0.0, 100.0, 0.0, 100.0, 50.0, 0.0, 0.0, 1.0),
            rotation: Matrix3::identity(),
            translation: Vector3::zeros(),
        };
        let image = RgbImage::from_fn(200, 100, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let mask = GrayImage::from_fn(200, 100, |x, _| image::Luma([if x >= 100 { 255 } else { 0 }]));
        (camera, image, mask)
    }

    #[test]
    fn the_region_holds_the_pixels_its_camera_sees() {
        let (camera, image, mask) = source();
        let source = TargetSource { camera: &camera, image: &image, mask: Some(&mask), judged: None };
        let points = [[-0.2, -0.1, 1.0], [0.2, 0.1, 1.0]];
        let t = Target::new(&source, 1, &points, 0.0).expect("visible");
        assert_eq!(t.place.origin_px, [80, 40], "the region starts at the points' corner");
        assert_eq!(t.camera.width_px, 64, "its width is a multiple of 64");
        assert!((t.colours[0][0] - 80.0 / 255.0).abs() < 1e-6, "colours come from the image at the origin");
        assert_eq!(t.coverage[0], Some(0.0), "left of the mask's edge");
        assert_eq!(t.coverage[30], Some(1.0), "right of the mask's edge");
        let half = Target::new(&source, 2, &points, 0.0).expect("visible");
        assert_eq!(half.place.origin_px, [40, 20], "half-size coordinates");
        assert!((half.colours[0][0] - 80.5 / 255.0).abs() < 1e-6, "a half-size pixel is the mean of four");
        assert!(Target::new(&source, 1, &[[5.0, 0.0, 1.0]], 0.0).is_none(), "nothing visible, no region");
    }

    #[test]
    fn masks_that_disagree_with_the_model_are_not_trusted() {
        let (camera, image, mask) = source();
        let source = TargetSource { camera: &camera, image: &image, mask: Some(&mask), judged: None };
        let t = Target::new(&source, 1, &[[-0.2, -0.1, 1.0], [0.2, 0.1, 1.0]], 0.0).expect("visible");
        let arm = vec![false; t.colours.len()];
        let right: Vec<u32> = t.coverage.iter().map(|c| u32::from(c.is_some_and(|c| c > 0.5))).collect();
        let good = t.trust(&right, &arm, 0.7);
        assert!(good.trusted && good.recall > 0.99, "the silhouette is the mask: {good:?}");
        let left: Vec<u32> = right.iter().map(|r| 1 - r).collect();
        assert!(!t.trust(&left, &arm, 0.7).trusted, "the opposite of the mask is not trusted");
        assert!(
            t.packed(&right, &arm, false).iter().all(|p| p >> 24 == 255),
            "an untrusted mask is unknown everywhere"
        );
        let forearm = vec![true; t.colours.len()];
        let packed = t.packed(&left, &forearm, true);
        assert!(
            packed.iter().zip(&right).all(|(p, r)| (p >> 24 == 255) == (*r == 1)),
            "masked, uncovered forearm is unknown"
        );
    }

    #[test]
    fn judged_masks_replace_the_trust_and_ignored_pixels_are_unknown() {
        let (camera, image, mask) = source();
        let judged = GrayImage::from_fn(200, 100, |x, y| {
            image::Luma([if y < 45 {
                255
            } else if x == 90 {
                IGNORE
            } else {
                0
            }])
        });
        let judged = JudgedSource { mask: Some(&judged), weight: 0.5 };
        let source = TargetSource { camera: &camera, image: &image, mask: Some(&mask), judged: Some(judged) };
        let points = [[-0.2, -0.1, 1.0], [0.2, 0.1, 1.0]];
        for divisor in [1, 2] {
            let t = Target::new(&source, divisor, &points, 0.0).expect("visible");
            let (nobody, everywhere) = (vec![0; t.colours.len()], vec![true; t.colours.len()]);
            let packed = t.packed(&nobody, &everywhere, false);
            let alpha = |x: u32, y: u32| {
                packed[((y / divisor - t.place.origin_px[1]) * t.camera.width_px + x / divisor - t.place.origin_px[0])
                    as usize]
                    >> 24
            };
            assert_eq!(alpha(90, 42), 254, "hand, whatever the forearm's capsule and the old trust say");
            assert_eq!(alpha(90, 50), 255, "ignored is unknown, and so is a block with an ignored pixel");
            assert_eq!(alpha(94, 50), 0, "background beside it");
            assert!((t.silhouette_weight - 0.5).abs() < 1e-12, "the weight is handed on");
        }
        let none = TargetSource { judged: Some(JudgedSource { mask: None, weight: 0.0 }), ..source };
        let t = Target::new(&none, 1, &points, 0.0).expect("visible");
        let packed = t.packed(&vec![1; t.colours.len()], &vec![false; t.colours.len()], true);
        assert!(packed.iter().all(|p| p >> 24 == 255), "an ignored mask is unknown everywhere");
    }
}
