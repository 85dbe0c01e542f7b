//! How good a mask is: measured against the fitted silhouette and the colours of the photograph.

use super::rebuild::{FAR_MM, Word};
use super::silhouette::Silhouette;
use serde::{Deserialize, Serialize};

/// Evidence beyond which a colour contradicts a mask, nats.
const CONTRADICTS: f64 = 2.0;

/// Numbers of one mask. The forearm is left out of all but its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaskEvidence {
    /// Part of the fitted silhouette, without a seam of the tolerance, that the mask covers.
    pub recall: f64,
    /// Part of the mask that lies on the fitted silhouette or within the tolerance of it.
    pub precision: f64,
    /// Intersection over union with the fitted silhouette.
    pub iou: f64,
    /// The same where differences within the tolerance count as agreement.
    pub tolerant_iou: f64,
    /// Mean distance between the outlines of mask and silhouette, both ways, millimetres at the hands' depth; `None` when
    /// there is no outline to compare.
    pub outline_mm: Option<f64>,
    /// 95th percentile of that distance.
    pub outline_p95_mm: Option<f64>,
    /// Area that the mask leaves out although its colour clearly says hand, over the silhouette's area.
    pub missed: f64,
    /// Area of the mask whose colour clearly says background, over the silhouette's area.
    pub spilled: f64,
    /// How alike the colours of hands and background are: 0 apart … 1 the same.
    pub colour_overlap: f64,
    /// Area of forearm in the mask over the silhouette's area.
    pub forearm: f64,
    /// Pieces of the mask that do not touch the silhouette.
    pub islands: usize,
    /// Enclosed holes in the mask that lie on the silhouette.
    pub holes: usize,
}

/// Measures a set of hand pixels.
pub(super) fn measure(hand: &[bool], s: &Silhouette, word: &Word, tolerance_mm: f64) -> MaskEvidence {
    let forearm = s.forearm(hand, &word.colour, tolerance_mm);
    let judged = |p: usize| s.inside[p] || (!forearm[p] && !s.arm_zone[p]);
    let mut n = Counts::default();
    for pixel in (0..hand.len()).filter(|&p| judged(p)) {
        let (masked, inside, signed) = (hand[pixel], s.inside[pixel], s.signed_mm[pixel]);
        // Within the tolerance of the rim where the model ends, nobody knows.
        n.core += f64::from(signed > tolerance_mm);
        n.core_masked += f64::from(masked && signed > tolerance_mm);
        n.masked += f64::from(masked);
        n.masked_near += f64::from(masked && signed > -tolerance_mm);
        n.silhouette += f64::from(inside);
        n.both += f64::from(masked && inside);
        n.either += f64::from(masked || inside);
        let colour = word.colour[pixel];
        let told = signed > -FAR_MM && !s.wrist[pixel];
        n.missed += f64::from(told && !masked && colour > CONTRADICTS);
        n.spilled += f64::from(told && masked && colour < -CONTRADICTS);
    }
    let (outline_mm, outline_p95_mm) = outline(hand, s, &forearm).unzip();
    let wrong = (n.masked - n.masked_near) + (n.core - n.core_masked);
    let arm = f64::from(u32::try_from(forearm.iter().filter(|f| **f).count()).unwrap_or(u32::MAX));
    MaskEvidence {
        recall: ratio(n.core_masked, n.core),
        precision: ratio(n.masked_near, n.masked),
        iou: ratio(n.both, n.either),
        tolerant_iou: 1.0 - ratio(wrong, n.either),
        outline_mm,
        outline_p95_mm,
        missed: ratio(n.missed, n.silhouette),
        spilled: ratio(n.spilled, n.silhouette),
        colour_overlap: word.overlap,
        forearm: ratio(arm, n.silhouette),
        islands: islands(hand, s).len(),
        holes: holes(hand, s).iter().filter(|hole| hole.iter().any(|&p| s.inside[p])).count(),
    }
}

#[derive(Default)]
struct Counts {
    core: f64,
    core_masked: f64,
    masked: f64,
    masked_near: f64,
    silhouette: f64,
    both: f64,
    either: f64,
    missed: f64,
    spilled: f64,
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Pieces of a set of hand pixels that touch no hand.
pub(super) fn islands(hand: &[bool], s: &Silhouette) -> Vec<Vec<usize>> {
    let mut pieces = s.region.pieces(hand, true);
    pieces.retain(|piece| !piece.iter().any(|&p| s.inside[p]));
    pieces
}

/// Enclosed pieces of what is no hand.
pub(super) fn holes(hand: &[bool], s: &Silhouette) -> Vec<Vec<usize>> {
    let rest: Vec<bool> = hand.iter().map(|h| !h).collect();
    let mut pieces = s.region.pieces(&rest, false);
    pieces.retain(|piece| !piece.iter().any(|&p| s.region.on_rim(p)));
    pieces
}

/// Mean and 95th percentile of the distances between the two outlines, both ways, without wrist and forearm; millimetres.
fn outline(hand: &[bool], s: &Silhouette, forearm: &[bool]) -> Option<(f64, f64)> {
    let own = s.region.signed_distance(hand);
    let mut distances = Vec::new();
    for pixel in 0..hand.len() {
        if s.region.on_rim(pixel) {
            continue;
        }
        let (mut mask_ends, mut model_ends, mut unknown) = (false, false, s.wrist[pixel] || forearm[pixel]);
        s.region.neighbours(pixel, false, |n| {
            mask_ends |= hand[pixel] && !hand[n];
            model_ends |= s.inside[pixel] && !s.inside[n];
            unknown |= s.wrist[n] || forearm[n] || (s.arm_zone[n] && !s.inside[pixel]);
        });
        if unknown {
            continue;
        }
        if mask_ends {
            distances.push(s.signed_mm[pixel].abs());
        }
        if model_ends {
            distances.push(own[pixel].abs() * s.mm_per_px);
        }
    }
    // A mask without any hand has no outline to be near to.
    distances.retain(|d| d.is_finite());
    if distances.is_empty() || !hand.contains(&true) {
        return None;
    }
    distances.sort_by(f64::total_cmp);
    let count = f64::from(u32::try_from(distances.len()).unwrap_or(u32::MAX));
    Some((distances.iter().sum::<f64>() / count, distances[(distances.len() - 1) * 19 / 20]))
}
