//! The palm network's answer: anchors, decoding and weighted non-maximum suppression, as MediaPipe's
//! `palm_detection_gpu` graph has them (`SsdAnchorsCalculator`, `TensorsToDetectionsCalculator`,
//! `NonMaxSuppressionCalculator`), and the window of the whole hand (`DetectionsToRectsCalculator`,
//! `RectTransformationCalculator`). Single-shot detection: Liu et al., ECCV 2016; the detector: Zhang et al. 2020,
//! "MediaPipe Hands: On-device Real-time Hand Tracking".

use super::picture::Window;
use std::f64::consts::FRAC_PI_2;

/// Pixels of the network's input, each way.
pub(super) const SIZE: usize = 192;
/// Boxes the network speaks of.
pub(super) const ANCHORS: usize = 2016;
/// Numbers for each: centre, size, 7 keypoints.
pub(super) const NUMBERS: usize = 18;
/// Keypoints of a palm: 0 the wrist, 2 the base of the middle finger.
const PALM_KEYPOINTS: usize = 7;
/// Logits beyond are clipped.
const LOGIT_LIMIT: f32 = 100.0;
/// Overlap (intersection over union) from which two boxes are one palm.
const SAME_PALM: f64 = 0.3;

/// A palm in the photograph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Palm {
    /// 0…1.
    pub(super) score: f64,
    /// Centre of the box, pixels.
    pub(super) centre_px: [f64; 2],
    /// Longer side of the box, pixels.
    pub(super) side_px: f64,
    /// Keypoints, pixels.
    pub(super) keypoints_px: [[f64; 2]; PALM_KEYPOINTS],
}

/// Centres of the anchors, 0…1; all have the size of the input. 24 × 24 cells of 2 anchors (stride 8), then 12 × 12 of 6
/// (three layers of stride 16).
pub(super) fn anchors() -> Vec<[f64; 2]> {
    let mut anchors = Vec::with_capacity(ANCHORS);
    for (cells, each) in [(24_u32, 2), (12, 6)] {
        for (row, column) in (0..cells).flat_map(|row| (0..cells).map(move |column| (row, column))) {
            let centre = [column, row].map(|i| (f64::from(i) + 0.5) / f64::from(cells));
            anchors.extend(std::iter::repeat_n(centre, each));
        }
    }
    anchors
}

/// Palms of at least this score in the network's answer for one window, in no order. Those whose centre lies within
/// `margin` (0…1) of the window's side are left to a neighbouring window.
pub(super) fn decode(
    boxes: &[f32],
    logits: &[f32],
    anchors: &[[f64; 2]],
    window: &Window,
    [threshold, margin]: [f64; 2],
) -> Vec<Palm> {
    let mut palms = Vec::new();
    for ((numbers, logit), anchor) in boxes.chunks_exact(NUMBERS).zip(logits).zip(anchors) {
        let score = 1.0 / (1.0 + (-f64::from(logit.clamp(-LOGIT_LIMIT, LOGIT_LIMIT))).exp());
        if score < threshold {
            continue;
        }
        // The size is a small number of pixels.
        let length = |i: usize| f64::from(numbers[i]) / SIZE as f64;
        let point = |i: usize| [anchor[0] + length(i), anchor[1] + length(i + 1)];
        let centre = point(0);
        if !centre.iter().all(|c| (margin..=1.0 - margin).contains(c)) {
            continue;
        }
        let side_px = length(2).abs().max(length(3).abs()) * window.side_px;
        let palm = Palm {
            score,
            centre_px: window.image_from_window(centre),
            side_px,
            keypoints_px: std::array::from_fn(|k| window.image_from_window(point(4 + 2 * k))),
        };
        if palm.side_px > 0.0 && palm.centre_px.iter().chain(palm.keypoints_px.iter().flatten()).all(|v| v.is_finite())
        {
            palms.push(palm);
        }
    }
    palms
}

/// Weighted non-maximum suppression: boxes that overlap the best one become their mean, weighted by score.
pub(super) fn merge(mut palms: Vec<Palm>) -> Vec<Palm> {
    // Equal scores keep their order: the result is the same in every run.
    palms.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut merged = Vec::new();
    while let Some(best) = palms.first().copied() {
        let (same, rest): (Vec<Palm>, Vec<Palm>) = palms.into_iter().partition(|p| overlap(&best, p) > SAME_PALM);
        // Boxes without an area do not even overlap themselves.
        let same = if same.is_empty() { vec![best] } else { same };
        palms = if rest.first() == Some(&best) { rest[1..].to_vec() } else { rest };
        let total: f64 = same.iter().map(|p| p.score).sum();
        let mean = |value: &dyn Fn(&Palm) -> f64| same.iter().map(|p| p.score * value(p)).sum::<f64>() / total;
        merged.push(Palm {
            score: best.score,
            centre_px: [0, 1].map(|a| mean(&|p| p.centre_px[a])),
            side_px: mean(&|p| p.side_px),
            keypoints_px: std::array::from_fn(|k| [0, 1].map(|a| mean(&|p| p.keypoints_px[k][a]))),
        });
    }
    merged
}

/// Intersection over union of two boxes.
fn overlap(a: &Palm, b: &Palm) -> f64 {
    let shared = |axis: usize| {
        let low = (a.centre_px[axis] - 0.5 * a.side_px).max(b.centre_px[axis] - 0.5 * b.side_px);
        let high = (a.centre_px[axis] + 0.5 * a.side_px).min(b.centre_px[axis] + 0.5 * b.side_px);
        (high - low).max(0.0)
    };
    let intersection = shared(0) * shared(1);
    intersection / (a.side_px * a.side_px + b.side_px * b.side_px - intersection)
}

impl Palm {
    /// The window of the whole hand: upright along wrist → base of the middle finger, moved half a box towards the
    /// fingers, 2.6 boxes wide.
    pub(super) fn hand_window(&self) -> Window {
        let rotation = upright([self.keypoints_px[0], self.keypoints_px[2]]);
        let palm = Window { centre_px: self.centre_px, side_px: self.side_px, rotation };
        Window { centre_px: palm.image_from_window([0.5, 0.0]), side_px: 2.6 * self.side_px, rotation }
    }
}

/// Rotation of a window in which the direction from the first point to the second is up.
pub(super) fn upright([from, to]: [[f64; 2]; 2]) -> f64 {
    FRAC_PI_2 - (from[1] - to[1]).atan2(to[0] - from[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { centre_px: [96.0, 96.0], side_px: 192.0, rotation: 0.0 };

    fn palm(score: f64, x: f64) -> Palm {
        Palm { score, centre_px: [x, 50.0], side_px: 20.0, keypoints_px: [[x, 60.0]; PALM_KEYPOINTS] }
    }

    #[test]
    fn anchors_are_those_of_the_graph() {
        let anchors = anchors();
        assert_eq!(anchors.len(), ANCHORS, "as many as the network speaks of");
        assert_eq!((anchors[0], anchors[1]), ([0.5 / 24.0; 2], [0.5 / 24.0; 2]), "two in the first cell");
        assert_eq!(anchors[2], [1.5 / 24.0, 0.5 / 24.0], "columns first");
        assert_eq!((anchors[1152], anchors[2015]), ([0.5 / 12.0; 2], [11.5 / 12.0; 2]), "the coarse grid");
    }

    #[test]
    fn a_box_is_decoded_about_its_anchor() {
        let mut boxes = vec![0.0_f32; ANCHORS * NUMBERS];
        let mut logits = vec![-200.0_f32; ANCHORS];
        let at = 25 * 2; // second row, second column of the fine grid: anchor (12, 12) px
        boxes[at * NUMBERS..][..8].copy_from_slice(&[8.0, 4.0, 30.0, 28.0, 8.0, 20.0, 0.0, 0.0]);
        logits[at] = 2.0;
        let [palm] = decode(&boxes, &logits, &anchors(), &WINDOW, [0.5, 0.0])[..] else { panic!("one palm") };
        assert!((palm.score - 1.0 / (1.0 + (-2.0_f64).exp())).abs() < 1e-12, "the sigmoid of the logit");
        let close = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).abs() < 1e-5 && (a[1] - b[1]).abs() < 1e-5;
        assert!(close(palm.centre_px, [20.0, 16.0]), "{:?}", palm.centre_px);
        assert!((palm.side_px - 30.0).abs() < 1e-5, "the longer side");
        assert!(close(palm.keypoints_px[0], [20.0, 32.0]), "{:?}", palm.keypoints_px[0]);
        assert!(decode(&boxes, &logits, &anchors(), &WINDOW, [0.5, 0.2]).is_empty(), "too near the side");
        assert!(decode(&boxes, &logits, &anchors(), &WINDOW, [0.9, 0.0]).is_empty(), "too weak");
    }

    #[test]
    fn overlapping_palms_become_their_weighted_mean() {
        let merged = merge(vec![palm(0.6, 52.0), palm(0.9, 50.0), palm(0.8, 90.0)]);
        assert_eq!(merged.len(), 2, "two hands");
        assert!((merged[0].centre_px[0] - (0.9 * 50.0 + 0.6 * 52.0) / 1.5).abs() < 1e-9, "{:?}", merged[0]);
        assert_eq!((merged[0].score, merged[1]), (0.9, palm(0.8, 90.0)), "best first");
        let flat = Palm { side_px: 0.0, ..palm(0.9, 5.0) };
        assert_eq!(merge(vec![flat, flat]).len(), 2, "boxes without an area come to an end");
    }

    #[test]
    fn the_hand_lies_beyond_the_palm() {
        let mut pointing_right = palm(0.9, 50.0);
        pointing_right.keypoints_px[0] = [40.0, 50.0];
        pointing_right.keypoints_px[2] = [60.0, 50.0];
        let window = pointing_right.hand_window();
        assert!((window.rotation - FRAC_PI_2).abs() < 1e-12, "its up is the photograph's right: {}", window.rotation);
        assert!((window.centre_px[0] - 60.0).abs() < 1e-9 && (window.centre_px[1] - 50.0).abs() < 1e-9, "{window:?}");
        assert!((window.side_px - 52.0).abs() < 1e-9, "2.6 boxes");
    }
}
