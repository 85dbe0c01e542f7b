//! Finding hands among detections by hypotheses, and naming their sides.

use super::{
    Detection, HandChoice, Points, PoseError, PoseSettings, TriangulateOptions, Triangulator, median, median_length,
    points_of, residuals, scene_of,
};
use crate::anatomy::Side;
use crate::camera::Camera;

/// A hand that was found: its points and the detections that agree with it.
#[derive(Clone, Debug)]
pub(super) struct FoundHand {
    pub points: Points,
    pub members: Vec<usize>,
}

/// Typical size of a detection, pixels.
pub(super) fn typical_size_px(detections: &[Detection]) -> f64 {
    median(detections.iter().map(|d| d.size_px).collect())
}

/// Options of a triangulation for keypoint noise `noise_px`.
pub(super) fn options(settings: &PoseSettings, noise_px: f64, start_px: f64) -> TriangulateOptions {
    let scale_px = settings.robust_scale * noise_px;
    TriangulateOptions {
        iterations: settings.iterations,
        scale_start_px: start_px.max(scale_px),
        scale_px,
        noise_px,
        gate_px: 3.0 * noise_px,
    }
}

/// Palm length and extent of a human hand, metres: (least, most).
const PALM_M: (f64, f64) = (0.04, 0.14);
const EXTENT_M: f64 = 0.32;

fn is_hand_sized(points: &Points) -> bool {
    let palm = (points[9] - points[0]).norm();
    let extent = points.iter().map(|p| (p - points[0]).norm()).fold(0.0, f64::max);
    palm > PALM_M.0 && palm < PALM_M.1 && extent < EXTENT_M
}

/// Score of a hypothesis over the free detections and the best detection of each view that supports it.
fn score(
    cameras: &[Camera],
    detections: &[Detection],
    free: &[bool],
    points: &Points,
    fraction: f64,
) -> (f64, Vec<usize>) {
    let mut best: Vec<Option<(f64, usize)>> = vec![None; cameras.len()];
    for (index, detection) in detections.iter().enumerate().filter(|(i, _)| free[*i]) {
        let r = residuals(&cameras[detection.view], points, detection);
        if r.len() < 11 {
            continue;
        }
        let gain = 1.0 - median_length(&r, [0.0; 2]) / (fraction * detection.size_px);
        if gain > 0.0 && best[detection.view].is_none_or(|(g, _)| gain > g) {
            best[detection.view] = Some((gain, index));
        }
    }
    let total = best.iter().flatten().map(|(gain, _)| gain).sum();
    (total, best.into_iter().flatten().map(|(_, index)| index).collect())
}

/// Finds up to two hands.
pub(super) fn find_hands(
    cameras: &[Camera],
    detections: &[Detection],
    settings: &PoseSettings,
    triangulator: &Triangulator,
) -> Result<Vec<FoundHand>, PoseError> {
    let scene = scene_of(cameras, detections);
    let size_px = typical_size_px(detections);
    let noise_px = settings.noise_fraction * size_px;
    let mut pairs = Vec::new();
    for (a, first) in detections.iter().enumerate() {
        for (b, second) in detections.iter().enumerate().skip(a + 1) {
            if first.view != second.view {
                pairs.push(vec![a, b]);
            }
        }
    }
    let quick = TriangulateOptions { iterations: 3, ..options(settings, 0.2 * size_px, 0.2 * size_px) };
    let hypotheses: Vec<Points> = triangulator.solve(&scene, &pairs, &quick)?.iter().map(points_of).collect();
    let robust = options(settings, noise_px, settings.match_fraction * size_px);
    let mut free = vec![true; detections.len()];
    let mut hands: Vec<FoundHand> = Vec::new();
    while hands.len() < 2 {
        let mut best: Option<(f64, FoundHand)> = None;
        for (pair, points) in pairs.iter().zip(&hypotheses) {
            if !pair.iter().all(|&d| free[d]) || !is_hand_sized(points) || hands.iter().any(|h| is_same(h, points)) {
                continue;
            }
            let (value, members) = score(cameras, detections, &free, points, settings.match_fraction);
            if members.len() >= 2 && best.as_ref().is_none_or(|(v, _)| value > *v) {
                best = Some((value, FoundHand { points: *points, members }));
            }
        }
        let Some((_, mut hand)) = best else { break };
        for _ in 0..3 {
            let points = points_of(&triangulator.solve(&scene, std::slice::from_ref(&hand.members), &robust)?[0]);
            let (_, members) = score(cameras, detections, &free, &points, settings.match_fraction);
            if members.len() < 2 {
                break;
            }
            hand = FoundHand { points, members };
        }
        for &member in &hand.members {
            free[member] = false;
        }
        hands.push(hand);
    }
    if hands.is_empty() { Err(PoseError::NoHand) } else { Ok(hands) }
}

/// True when the points are those of a hand already found (detectors see one hand twice).
fn is_same(hand: &FoundHand, points: &Points) -> bool {
    let mean = hand.points.iter().zip(points).map(|(a, b)| (a - b).norm()).sum::<f64>() / 21.0;
    mean < 0.03
}

/// Which side the flexion of the fingers suggests: they bend towards the palm. Positive = right.
fn flexion(points: &Points) -> f64 {
    let palm = (points[5] - points[0]).cross(&(points[17] - points[0]));
    [8, 12, 16, 20].iter().map(|&tip| (points[tip] - points[tip - 3]).dot(&palm)).sum()
}

/// Names the sides: `[left, right]`.
pub(super) fn name_sides(
    hands: Vec<FoundHand>,
    detections: &[Detection],
    choice: HandChoice,
) -> Result<[Option<FoundHand>; 2], PoseError> {
    // Votes for "right" minus votes for "left"; flexion breaks ties.
    let lean = |hand: &FoundHand| {
        let vote = |&m: &usize| if detections[m].claimed == Side::Right { 1.0 } else { -1.0 };
        let votes: f64 = hand.members.iter().map(vote).sum();
        votes + if flexion(&hand.points) > 0.0 { 0.5 } else { -0.5 }
    };
    let mut hands = hands.into_iter();
    let named = match (hands.next(), hands.next()) {
        (Some(a), Some(b)) if lean(&a) > lean(&b) => [Some(b), Some(a)],
        (Some(a), Some(b)) => [Some(a), Some(b)],
        (Some(a), None) => {
            let right = match choice {
                HandChoice::Left => false,
                HandChoice::Right => true,
                HandChoice::Auto | HandChoice::Both => lean(&a) > 0.0,
            };
            if right { [None, Some(a)] } else { [Some(a), None] }
        }
        (None, _) => return Err(PoseError::NoHand),
    };
    let [left, right] = named;
    match (choice, &left, &right) {
        (HandChoice::Both, Some(_), None) => Err(PoseError::HandMissing { found: Side::Left }),
        (HandChoice::Both, None, Some(_)) => Err(PoseError::HandMissing { found: Side::Right }),
        _ => Ok([left, right]),
    }
}
