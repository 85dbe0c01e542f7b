//! The fitted hands in a view: their silhouette, which part of it is wrist, and where forearms may be.

use super::MaskHand;
use super::region::Region;
use crate::camera::Camera;
use crate::raster::cpu::{Projected, visibility_of};
use nalgebra::{Vector2, Vector3};

/// Share of the hands' extent that is added around them.
const MARGIN: f64 = 0.15;
/// Triangles this near to the wrist's rim belong to the wrist, metres.
const WRIST_M: f64 = 0.012;
/// No fit is this far off, millimetres: what reaches farther out is no finger that the fit has missed.
const LIMB_MM: f64 = 18.0;
/// A forearm: length and radii at the wrist and at its other end, metres (generous: it ends the hand's outline nowhere).
const ARM_M: (f64, [f64; 2]) = (0.3, [0.045, 0.065]);

/// What the fitted hands look like in a view.
pub(super) struct Silhouette {
    pub region: Region,
    /// A hand is seen.
    pub inside: Vec<bool>,
    /// Distance to the silhouette's outline in millimetres at the hands' depth, positive inside.
    pub signed_mm: Vec<f64>,
    /// What is seen is the end of a hand at its wrist.
    pub wrist: Vec<bool>,
    /// Not the hand, and where its forearm may be.
    pub arm_zone: Vec<bool>,
    /// Millimetres of one pixel at the hands' depth.
    pub mm_per_px: f64,
}

impl Silhouette {
    /// `None` when no hand is in the picture.
    pub(super) fn new(camera: &Camera, hands: &[MaskHand<'_>]) -> Option<Self> {
        let region = region(camera, hands)?;
        let (mut positions, mut faces, mut wrist_faces) = (Vec::new(), Vec::new(), Vec::new());
        for hand in hands {
            append(hand, &mut positions, &mut faces, &mut wrist_faces);
        }
        let px = |n: usize| u32::try_from(n).expect("regions lie in images");
        let local = camera.cropped(px(region.x0), px(region.y0), px(region.width), px(region.height));
        let projected = Projected::new(&positions, &local);
        let mut depths: Vec<f64> = projected.points().iter().map(|p| p[2]).filter(|z| *z > 0.0).collect();
        depths.sort_by(f64::total_cmp);
        let mm_per_px = 1e3 * depths.get(depths.len() / 2)? / camera.focal_px();
        let ids = visibility_of(&projected, &faces, local.width_px, local.height_px).ids;
        let inside: Vec<bool> = ids.iter().map(|&id| id != 0).collect();
        if !inside.contains(&true) {
            return None;
        }
        let wrist = ids.iter().map(|&id| id != 0 && wrist_faces[id as usize - 1]).collect();
        let mut arm_zone = vec![false; region.len()];
        for hand in hands {
            mark_arm(hand, &local, &mut arm_zone);
        }
        for (zone, hand) in arm_zone.iter_mut().zip(&inside) {
            *zone &= !hand;
        }
        let signed_mm = region.signed_distance(&inside).into_iter().map(|d| d * mm_per_px).collect();
        Some(Self { region, inside, signed_mm, wrist, arm_zone, mm_per_px })
    }

    /// Which pixels of `hand` (a set of pixels) are forearm: outside the silhouette, and
    /// - nearer, within the set, to the end of the model at the wrist than to the rest of its outline,
    /// - or where a forearm may be and beyond the tolerance of the outline,
    /// - or in a piece that reaches farther than a fit can be off and has the hand's colours (nats of `colour`): a forearm
    ///   behind a palm shows no wrist.
    pub(super) fn forearm(&self, hand: &[bool], colour: &[f64], tolerance_mm: f64) -> Vec<bool> {
        let beyond: Vec<bool> = hand.iter().zip(&self.inside).map(|(&h, &i)| h && !i).collect();
        let mut seeds = Vec::new();
        for pixel in (0..beyond.len()).filter(|&p| beyond[p]) {
            let (mut near_hand, mut near_wrist) = (false, false);
            self.region.neighbours(pixel, true, |n| {
                near_hand |= self.inside[n] && !self.wrist[n];
                near_wrist |= self.wrist[n];
            });
            if near_hand || near_wrist {
                seeds.push((pixel, near_wrist));
            }
        }
        let labels = self.region.spread(&beyond, &seeds);
        let off = |p: usize| self.signed_mm[p] < -tolerance_mm;
        let mut forearm: Vec<bool> =
            (0..beyond.len()).map(|p| beyond[p] && ((self.arm_zone[p] && off(p)) || labels[p] == Some(true))).collect();
        let limbs = self.limbs(&(0..beyond.len()).map(|p| beyond[p] && off(p)).collect::<Vec<_>>(), colour);
        if limbs.contains(&true) {
            // The seam between the limb and the silhouette belongs to the limb.
            let reach_px = tolerance_mm / self.mm_per_px + 1.0;
            for (p, distance) in self.region.distance_to(&limbs).into_iter().enumerate() {
                forearm[p] |= beyond[p] && distance <= reach_px;
            }
        }
        forearm
    }

    /// Pieces of a set that reach far out and have the hand's colours.
    fn limbs(&self, set: &[bool], colour: &[f64]) -> Vec<bool> {
        let mut limbs = vec![false; set.len()];
        for piece in self.region.pieces(set, false) {
            let farthest = piece.iter().map(|&p| self.signed_mm[p]).fold(0.0, f64::min);
            if farthest < -LIMB_MM && piece.iter().map(|&p| colour[p]).sum::<f64>() > 0.0 {
                for p in piece {
                    limbs[p] = true;
                }
            }
        }
        limbs
    }
}

/// The rectangle around the hands, cut to the image.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
fn region(camera: &Camera, hands: &[MaskHand<'_>]) -> Option<Region> {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for p in hands.iter().flat_map(|h| h.vertices).filter_map(|p| camera.project(&Vector3::from(*p))) {
        for k in 0..2 {
            low[k] = low[k].min(p[k]);
            high[k] = high[k].max(p[k]);
        }
    }
    let size = [f64::from(camera.width_px), f64::from(camera.height_px)];
    let span = |k: usize| {
        let extra = MARGIN * (high[k] - low[k]).max(8.0);
        let (from, to) = ((low[k] - extra).max(0.0), (high[k] + extra).min(size[k]));
        (to - from >= 2.0).then(|| (from.floor() as usize, to.ceil() as usize))
    };
    let ((x0, x1), (y0, y1)) = (span(0)?, span(1)?);
    Some(Region { x0, y0, width: x1 - x0, height: y1 - y0 })
}

/// Adds a hand with its wrist closed from both sides, and says which of its triangles are wrist.
fn append(hand: &MaskHand<'_>, positions: &mut Vec<[f64; 3]>, faces: &mut Vec<[u32; 3]>, wrist: &mut Vec<bool>) {
    let start = u32::try_from(positions.len()).expect("hand models have far fewer than 2^32 vertices");
    let rim: Vec<Vector3<f64>> = hand.wrist_loop.iter().map(|&v| hand.vertices[v as usize].into()).collect();
    let near_rim = |p: Vector3<f64>| rim.iter().any(|r| (r - p).norm_squared() < WRIST_M * WRIST_M);
    let near: Vec<bool> = hand.vertices.iter().map(|p| near_rim(Vector3::from(*p))).collect();
    positions.extend(hand.vertices);
    for face in hand.faces {
        faces.push(face.map(|v| v + start));
        wrist.push(face.iter().all(|&v| near[v as usize]));
    }
    let Some(centre) = hand.wrist_centre() else { return };
    let middle = u32::try_from(positions.len()).expect("as above");
    positions.push(centre.into());
    for (k, &a) in hand.wrist_loop.iter().enumerate() {
        let b = hand.wrist_loop[(k + 1) % hand.wrist_loop.len()];
        faces.extend([[a + start, b + start, middle], [b + start, a + start, middle]]);
        wrist.extend([true; 2]);
    }
}

/// Marks a tapered capsule from the wrist away from the fingers.
#[expect(clippy::cast_precision_loss, reason = "pixel coordinates are far below 2^52")]
fn mark_arm(hand: &MaskHand<'_>, camera: &Camera, zone: &mut [bool]) {
    let Some(wrist) = hand.wrist_centre() else { return };
    let Some(away) = (wrist - Vector3::from(hand.middle_knuckle)).try_normalize(1e-9) else { return };
    let (length, radii_m) = ARM_M;
    let ends = [wrist, wrist + away * length].map(|e| Some((camera.project(&e)?, camera.camera_from_world(&e).z)));
    let [Some((a, depth_a)), Some((b, depth_b))] = ends else { return };
    let radius = [radii_m[0] * camera.focal_px() / depth_a, radii_m[1] * camera.focal_px() / depth_b];
    let axis = b - a;
    let squared = axis.norm_squared().max(1e-9);
    // Seen end on, a forearm has no before and after.
    let end_on = squared < radius[0] * radius[0];
    let width = camera.width_px as usize;
    for (pixel, flag) in zone.iter_mut().enumerate() {
        let p = Vector2::new((pixel % width) as f64 + 0.5, (pixel / width) as f64 + 0.5) - a;
        let along = p.dot(&axis) / squared;
        if along < 0.0 && !end_on {
            continue;
        }
        let t = along.clamp(0.0, 1.0);
        let r = radius[0] + t * (radius[1] - radius[0]);
        *flag |= (p - axis * t).norm_squared() < r * r;
    }
}
