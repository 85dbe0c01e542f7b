//! From found hands to the result: assignment with a shift per camera, flagged cameras, final joints.

use super::assign::{FoundHand, options, typical_size_px};
use super::resect::{CameraCorrection, CameraPrior, Sighting, resect};
use super::{
    Detection, DetectionReport, HandChoice, HandJoints, HandObservation, HandSolution, Joints3d, Points, PoseError,
    PoseResult, PoseSettings, PoseViewReport, Triangulator, median, median_length, points_of, residuals, scene_of,
};
use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;

/// How much stronger a shift must be when only one hand was seen by the camera.
const SINGLE_HAND_EVIDENCE: f64 = 1.6;

/// Component-wise median.
fn median_shift(residuals: &[[f64; 2]]) -> [f64; 2] {
    [0, 1].map(|axis| median(residuals.iter().map(|r| r[axis]).collect()))
}

fn length(v: [f64; 2]) -> f64 {
    v[0].hypot(v[1])
}

/// Cost of giving a detection to a hand, or `None` when it does not fit even after removing a shift.
fn cost(camera: &Camera, points: &Points, detection: &Detection, settings: &PoseSettings) -> Option<f64> {
    let r = residuals(camera, points, detection);
    if r.len() < 11 {
        return None;
    }
    let shift = median_shift(&r);
    let spread = median_length(&r, shift);
    let fits = spread < settings.accept_fraction * detection.size_px
        && length(shift) < settings.max_shift_fraction * detection.size_px;
    fits.then_some((spread + 0.5 * length(shift)) / detection.size_px)
}

/// Gives each detection to the hand it fits, at most one per hand and view, least total cost.
fn assign(
    cameras: &[Camera],
    detections: &[Detection],
    views: &[usize],
    hands: &[Option<Points>; 2],
    settings: &PoseSettings,
) -> Vec<Option<usize>> {
    let rejected = settings.accept_fraction + 0.5 * settings.max_shift_fraction;
    let mut assigned = vec![None; detections.len()];
    for &view in views {
        let here: Vec<usize> = (0..detections.len()).filter(|&d| detections[d].view == view).collect();
        let options: Vec<Vec<(Option<usize>, f64)>> = here
            .iter()
            .map(|&d| {
                let to = |hand: usize| {
                    let points = hands[hand].as_ref()?;
                    Some((Some(hand), cost(&cameras[view], points, &detections[d], settings)?))
                };
                std::iter::once((None, rejected)).chain((0..2).filter_map(to)).collect()
            })
            .collect();
        let none = [(None, 0.0)];
        let second = options.get(1).map_or(none.as_slice(), Vec::as_slice);
        let mut best: Option<(f64, [Option<usize>; 2])> = None;
        for &(a, cost_a) in &options[0] {
            for &(b, cost_b) in second {
                if (a.is_none() || a != b) && best.is_none_or(|(c, _)| cost_a + cost_b < c) {
                    best = Some((cost_a + cost_b, [a, b]));
                }
            }
        }
        if let Some((_, pair)) = best {
            for (&d, hand) in here.iter().zip(pair) {
                assigned[d] = hand;
            }
        }
    }
    assigned
}

/// What was found out about a camera that is off, and done about it.
#[derive(Clone, Copy, Debug)]
struct Repair {
    shift_px: [f64; 2],
    correction: CameraCorrection,
}

/// State while cameras are being refined.
struct Refinement<'a> {
    detections: Vec<Detection>,
    views: &'a [usize],
    settings: &'a PoseSettings,
    triangulator: &'a Triangulator,
    cameras: Vec<Camera>,
    points: [Option<Points>; 2],
    solutions: [Option<HandSolution>; 2],
    assigned: Vec<Option<usize>>,
    noise_px: f64,
}

impl Refinement<'_> {
    /// Members of a hand, leaving out the views in `without`.
    fn members(&self, hand: usize, without: &[usize]) -> Vec<usize> {
        let belongs = |&d: &usize| self.assigned[d] == Some(hand) && !without.contains(&self.detections[d].view);
        (0..self.detections.len()).filter(belongs).collect()
    }

    /// Assigns, triangulates and measures the noise once. A hand left with fewer than two views keeps its points.
    fn round(&mut self, without: &[usize]) -> Result<(), PoseError> {
        self.assigned = assign(&self.cameras, &self.detections, self.views, &self.points, self.settings);
        let scene = scene_of(&self.cameras, &self.detections);
        let start = self.settings.match_fraction * typical_size_px(&self.detections);
        let options = options(self.settings, self.noise_px, start);
        let present: Vec<usize> = (0..2).filter(|&h| self.points[h].is_some()).collect();
        let problems: Vec<Vec<usize>> = present
            .iter()
            .map(|&hand| {
                let members = self.members(hand, without);
                if members.len() >= 2 { members } else { self.members(hand, &[]) }
            })
            .collect();
        for (&hand, solution) in present.iter().zip(self.triangulator.solve(&scene, &problems, &options)?) {
            if self.members(hand, &[]).len() >= 2 {
                self.points[hand] = Some(points_of(&solution));
                self.solutions[hand] = Some(solution);
            }
        }
        let lengths: Vec<f64> = self.all_residuals(without).iter().map(|r| length(*r)).collect();
        // The length of a 2D normal vector has the median 1.1774 σ. Triangulation takes up part of the noise of few
        // views; the floor of a tenth of a pixel keeps the weights of perfect data finite.
        self.noise_px = (median(lengths) / 1.1774).max(0.1);
        Ok(())
    }

    fn residuals_of(&self, d: usize) -> Vec<[f64; 2]> {
        let detection = &self.detections[d];
        match self.assigned[d].and_then(|hand| self.points[hand].as_ref()) {
            Some(points) => residuals(&self.cameras[detection.view], points, detection),
            None => Vec::new(),
        }
    }

    fn all_residuals(&self, without: &[usize]) -> Vec<[f64; 2]> {
        let kept = (0..self.detections.len()).filter(|&d| !without.contains(&self.detections[d].view));
        kept.flat_map(|d| self.residuals_of(d)).collect()
    }

    /// The keypoints of a view that belong to a known hand.
    fn sightings(&self, view: usize) -> Vec<Sighting> {
        let mut found = Vec::new();
        for (d, detection) in self.detections.iter().enumerate().filter(|(_, d)| d.view == view) {
            let Some(points) = self.assigned[d].and_then(|hand| self.points[hand].as_ref()) else { continue };
            let seen = points.iter().zip(&detection.px).zip(&detection.confidence);
            found.extend(seen.map(|((point, px), weight)| Sighting { point: *point, px: *px, weight: *weight }));
        }
        found
    }

    fn resected(&self, view: usize) -> (Camera, CameraCorrection) {
        let prior = CameraPrior {
            rotation_rad: self.settings.camera_sigma_deg.to_radians(),
            centre_m: self.settings.camera_sigma_m,
            principal_px: self.settings.camera_sigma_px,
        };
        resect(&self.cameras[view], &self.sightings(view), self.noise_px, &prior)
    }

    /// Whether a view of both hands is far off and another camera would do much better: its residual over the typical one.
    /// This finds cameras that are turned, which no constant shift describes.
    fn repairable(&self, view: usize, typical_px: f64) -> Option<f64> {
        let seen = self.sightings(view);
        let median_px = |camera: &Camera| {
            let miss = |s: &Sighting| camera.project(&s.point).map(|p| (p.x - s.px[0]).hypot(p.y - s.px[1]));
            median(seen.iter().filter_map(miss).collect())
        };
        let before = median_px(&self.cameras[view]);
        let ratio = before / typical_px.max(1e-9) / self.settings.flag_ratio;
        if seen.len() < 2 * KEYPOINTS || ratio <= 1.0 || before <= self.settings.flag_min_px {
            return None;
        }
        (median_px(&self.resected(view).0) < 0.5 * before).then_some(ratio)
    }

    /// Shift of a view if all its detections move the same way, with its ratio to the typical residual.
    fn coherent_shift(&self, view: usize, typical_px: f64) -> Option<(f64, [f64; 2])> {
        let per_hand: Vec<Vec<[f64; 2]>> = (0..self.detections.len())
            .filter(|&d| self.detections[d].view == view && self.assigned[d].is_some())
            .map(|d| self.residuals_of(d))
            .collect();
        let all: Vec<[f64; 2]> = per_hand.iter().flatten().copied().collect();
        if all.is_empty() {
            return None;
        }
        let shift = median_shift(&all);
        let size = length(shift);
        let agrees = |r: &Vec<[f64; 2]>| {
            let own = median_shift(r);
            length([own[0] - shift[0], own[1] - shift[1]]) < 0.5 * size
        };
        let coherent = per_hand.iter().all(agrees) && median_length(&all, shift) < 0.5 * size;
        // A single hand may be badly detected as a whole: it takes more evidence.
        let needed = self.settings.flag_ratio * if per_hand.len() > 1 { 1.0 } else { SINGLE_HAND_EVIDENCE };
        let ratio = size / typical_px.max(1e-9) / needed;
        (coherent && ratio > 1.0 && size > self.settings.flag_min_px).then_some((ratio, shift))
    }
}

/// Flags and corrects cameras, then makes the result.
pub(super) fn refine(
    cameras: &[Camera],
    detections: &[Detection],
    views: &[usize],
    hands: [Option<FoundHand>; 2],
    settings: &PoseSettings,
    triangulator: &Triangulator,
) -> Result<PoseResult, PoseError> {
    let noise_px = settings.noise_fraction * typical_size_px(detections);
    let mut state = Refinement {
        detections: detections.to_vec(),
        views,
        settings,
        triangulator,
        cameras: cameras.to_vec(),
        points: hands.map(|h| h.map(|h| h.points)),
        solutions: [None, None],
        assigned: vec![None; detections.len()],
        noise_px,
    };
    let mut flagged: Vec<usize> = Vec::new();
    state.round(&[])?;
    state.round(&[])?;
    // With fewer than four views nobody can tell which camera is off.
    while views.len() >= 4 && flagged.len() < views.len() / 3 {
        let typical = median(state.all_residuals(&flagged).iter().map(|r| length(*r)).collect());
        let candidates = views.iter().filter(|v| !flagged.contains(v));
        let worst = candidates
            .filter_map(|&v| {
                let shifted = state.coherent_shift(v, typical).map(|(ratio, _)| ratio);
                Some((shifted.or_else(|| state.repairable(v, typical))?, v))
            })
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let Some((_, view)) = worst else { break };
        flagged.push(view);
        state.round(&flagged)?;
        state.round(&flagged)?;
    }
    flagged.sort_unstable();
    let mut repairs = Vec::new();
    for &view in &flagged {
        let here = (0..detections.len()).filter(|&d| detections[d].view == view);
        let shift_px = median_shift(&here.flat_map(|d| state.residuals_of(d)).collect::<Vec<_>>());
        let (camera, correction) = state.resected(view);
        state.cameras[view] = camera;
        repairs.push((view, Repair { shift_px, correction }));
    }
    state.round(&[])?;
    reject_misfits(&mut state)?;
    Ok(report(cameras, &state, &repairs))
}

/// A detection that only fits with a shift of its own, in a camera that is not off, is wrong: it is dropped.
fn reject_misfits(state: &mut Refinement<'_>) -> Result<(), PoseError> {
    let strict = PoseSettings { max_shift_fraction: state.settings.accept_fraction, ..state.settings.clone() };
    let fits = |state: &Refinement<'_>, d: usize| {
        let detection = &state.detections[d];
        let hand = state.assigned[d]?;
        let points = state.points[hand].as_ref()?;
        cost(&state.cameras[detection.view], points, detection, &strict)
    };
    let dropped: Vec<usize> = (0..state.detections.len()).filter(|&d| fits(state, d).is_none()).collect();
    let options =
        options(state.settings, state.noise_px, state.settings.match_fraction * typical_size_px(&state.detections));
    for &d in &dropped {
        state.assigned[d] = None;
    }
    for d in dropped {
        keep_placed(state, d);
    }
    let scene = scene_of(&state.cameras, &state.detections);
    for hand in 0..2 {
        let members = state.members(hand, &[]);
        if state.points[hand].is_none() || members.len() < 2 {
            (state.points[hand], state.solutions[hand]) = (None, None);
            continue;
        }
        let solution = state.triangulator.solve(&scene, &[members], &options)?[0];
        state.points[hand] = Some(points_of(&solution));
        state.solutions[hand] = Some(solution);
    }
    if state.points.iter().all(Option::is_none) { Err(PoseError::NoHand) } else { Ok(()) }
}

/// Of a detection that fits no hand, what a user has placed stays, for the hand it claims; the rest loses all weight.
fn keep_placed(state: &mut Refinement<'_>, d: usize) {
    let Detection { view, claimed, placed, .. } = state.detections[d];
    let hand = claimed.index();
    let taken = (0..state.detections.len())
        .any(|other| state.detections[other].view == view && state.assigned[other] == Some(hand));
    if taken || state.points[hand].is_none() || !placed.contains(&true) {
        return;
    }
    for (confidence, placed) in state.detections[d].confidence.iter_mut().zip(placed) {
        if !placed {
            *confidence = 0.0;
        }
    }
    state.assigned[d] = Some(hand);
}

fn wanted(choice: HandChoice, side: Side) -> bool {
    !matches!((choice, side), (HandChoice::Left, Side::Right) | (HandChoice::Right, Side::Left))
}

fn report(given: &[Camera], state: &Refinement<'_>, repairs: &[(usize, Repair)]) -> PoseResult {
    let mut observations = [Vec::new(), Vec::new()];
    let mut reports: Vec<PoseViewReport> = Vec::new();
    let mut findings = Vec::new();
    let mut lengths = Vec::new();
    let scale = state.settings.robust_scale * state.noise_px;
    for &view in state.views {
        let repair = repairs.iter().find(|(v, _)| *v == view).map(|(_, r)| *r);
        reports.push(PoseViewReport {
            view,
            detections: Vec::new(),
            flagged_shift_px: repair.map(|r| r.shift_px),
            correction: repair.map(|r| r.correction),
        });
        if let Some(Repair { shift_px: [x, y], correction: c }) = repair {
            findings.push(format!(
                "view {view}: the camera is off by ({x:.1}, {y:.1}) px; it was turned by {:.2}°, moved by {:.1} mm, and its \
                 principal point by ({:.1}, {:.1}) px",
                c.rotation_deg, c.centre_mm, c.principal_px[0], c.principal_px[1]
            ));
        }
    }
    for (d, detection) in state.detections.iter().enumerate() {
        let view = detection.view;
        let side = state.assigned[d].map(|hand| Side::BOTH[hand]);
        let points = state.assigned[d].and_then(|hand| state.points[hand].as_ref());
        let median_with = |camera: &Camera| points.map(|p| median_length(&residuals(camera, p, detection), [0.0; 2]));
        let (before_px, after_px) = (median_with(&given[view]), median_with(&state.cameras[view]));
        let entry = DetectionReport { claimed: detection.claimed, assigned: side, before_px, after_px };
        if let Some(r) = reports.iter_mut().find(|r| r.view == view) {
            r.detections.push(entry);
        }
        let claimed = detection.claimed;
        match side {
            None => findings.push(format!("view {view}: the detection called {claimed} fits no hand and is left out")),
            Some(side) if side != claimed => {
                findings.push(format!("view {view}: the detection called {claimed} shows the {side} hand"));
            }
            Some(_) => {}
        }
        let (Some(hand), Some(points)) = (state.assigned[d], points) else { continue };
        lengths.extend(state.residuals_of(d).iter().map(|r| length(*r)));
        let weights = std::array::from_fn(|j| {
            let Some(p) = state.cameras[view].project(&points[j]) else { return 0.0 };
            let square = (p.x - detection.px[j][0]).powi(2) + (p.y - detection.px[j][1]).powi(2);
            let ratio = scale * scale / (scale * scale + square);
            detection.confidence[j] * if detection.placed[j] { 1.0 } else { ratio * ratio }
        });
        observations[hand].push(HandObservation { view, px: detection.px, weights });
    }
    let assigned = state.assigned.iter().flatten().count();
    #[expect(clippy::cast_precision_loss, reason = "a handful of detections")]
    let assigned_share = assigned as f64 / state.detections.len() as f64;
    let hand_joints = |s: &HandSolution| HandJoints {
        joints: s.map(|j| j.position.into()),
        covariance: s.map(|j| std::array::from_fn(|r| std::array::from_fn(|c| j.covariance[(r, c)]))),
        support: s.map(|j| j.support),
    };
    let mut joints = Joints3d::default();
    for side in Side::BOTH {
        let hand = side.index();
        if wanted(state.settings.hands, side) {
            joints.hands[hand] = state.solutions[hand].as_ref().map(hand_joints);
        } else {
            observations[hand].clear();
        }
    }
    PoseResult {
        joints,
        cameras: state.cameras.clone(),
        observations,
        views: reports,
        noise_px: state.noise_px,
        median_px: median(lengths),
        assigned_share,
        findings,
    }
}
