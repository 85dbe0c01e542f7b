//! The pose stage on the synthetic rig and, where it is at hand, on the real capture.

use super::super::test_rig::{Noise, Rig, real_capture};
use super::*;
use crate::capture::{HandEdits, KeypointEdit, ViewEdits};

const CLEAN: Noise = Noise { px: 0.0, outliers: 0.0, seed: 1 };

fn solver() -> Triangulator {
    crate::gpu::testing::gpu().map_or(Triangulator::Reference, |gpu| Triangulator::on(&gpu).expect("compiles"))
}

fn run(rig: &Rig, keypoints: &[[Option<Keypoints>; 2]], settings: &PoseSettings) -> Result<PoseResult, PoseError> {
    estimate_joints(&rig.cameras, keypoints, &vec![true; rig.cameras.len()], settings, &solver())
}

fn errors_mm(rig: &Rig, result: &PoseResult) -> Vec<f64> {
    Side::BOTH
        .into_iter()
        .filter_map(|side| result.joints.hands[side.index()].as_ref().map(|h| rig.error_mm(side, &h.joints)))
        .collect()
}

#[test]
fn clean_detections_give_exact_joints() {
    for (views, seed) in [(16, 3), (4, 4), (2, 5)] {
        let rig = Rig::new(views, seed);
        let result = run(&rig, &rig.detect(&CLEAN), &PoseSettings::default()).expect("two hands");
        let errors = errors_mm(&rig, &result);
        assert_eq!(errors.len(), 2, "both hands are found with {views} views");
        assert!(errors.iter().all(|e| *e < 0.1), "{views} views: {errors:?} mm");
        assert!(result.findings.is_empty(), "nothing to complain about: {:?}", result.findings);
    }
}

/// The tip of the index finger is 60 px off in two of four views, along the finger.
fn with_a_misplaced_tip(rig: &Rig) -> Vec<[Option<Keypoints>; 2]> {
    let mut keypoints = rig.detect(&CLEAN);
    for view in [1, 2] {
        let hand = keypoints[view][1].as_mut().expect("detected");
        let along = [hand.px[8][0] - hand.px[5][0], hand.px[8][1] - hand.px[5][1]];
        let length = along[0].hypot(along[1]);
        hand.px[8] = [0, 1].map(|k| hand.px[8][k] + 60.0 * along[k] / length);
    }
    keypoints
}

fn tip_error_mm(rig: &Rig, result: &PoseResult) -> f64 {
    let found = result.joints.hands[1].as_ref().expect("the right hand").joints[8];
    1e3 * (Vector3::from(found) - Vector3::from(rig.hands[1].keypoints[8])).norm()
}

#[test]
fn a_keypoint_that_is_far_off_is_repaired_by_an_edit() {
    let rig = Rig::new(4, 4);
    let (truth, mut keypoints) = (rig.detect(&CLEAN), with_a_misplaced_tip(&rig));
    let error = |keypoints: &[[Option<Keypoints>; 2]]| {
        tip_error_mm(&rig, &run(&rig, keypoints, &PoseSettings::default()).expect("two hands"))
    };
    let before = error(&keypoints);
    for view in [1, 2] {
        let [x, y] = truth[view][1].as_ref().expect("detected").px[8];
        let edits = ViewEdits { hands: [HandEdits::new(), [(8, KeypointEdit::At(x, y))].into()], ..Default::default() };
        assert!(edits.change_keypoints(&mut keypoints[view]).is_empty(), "the hand is there");
    }
    let after = error(&keypoints);
    eprintln!("the tip is {before:.2} mm off before, {after:.4} mm after the edit");
    assert!(before > 5.0 && after < 0.1, "{before} mm, then {after} mm");
}

#[test]
fn a_placed_keypoint_is_never_an_outlier() {
    let rig = Rig::new(4, 4);
    // What is placed in two views is the truth; the other two agree on something else.
    let mut keypoints = with_a_misplaced_tip(&rig);
    let tip = |keypoints: &[[Option<Keypoints>; 2]]| {
        let result = run(&rig, keypoints, &PoseSettings::default()).expect("two hands");
        let weight = |v: usize| result.observations[1].iter().find(|o| o.view == v).map_or(0.0, |o| o.weights[8]);
        ([0, 3].map(weight), tip_error_mm(&rig, &result))
    };
    let (weights, error) = tip(&keypoints);
    assert!(weights.iter().any(|w| *w < 0.5), "somebody is taken for an outlier: {weights:?}");
    for view in [0, 3] {
        keypoints[view][1].as_mut().expect("detected").placed[8] = true;
    }
    let (placed, with_placed) = tip(&keypoints);
    assert_eq!(placed, [1.0, 1.0], "full weight, whatever the others say");
    assert!(with_placed < 0.2 * error, "{error} mm, then {with_placed} mm");
}

#[test]
fn of_a_detection_that_fits_no_hand_the_placed_keypoints_stay() {
    let rig = Rig::new(8, 6);
    let truth = rig.detect(&CLEAN);
    let mut keypoints = truth.clone();
    for (j, px) in keypoints[2][1].as_mut().expect("detected").px.iter_mut().enumerate() {
        let turn = 2.4 * f64::from(u32::try_from(j).expect("few"));
        *px = [px[0] + 160.0 * turn.cos(), px[1] + 160.0 * turn.sin()];
    }
    let observation = |keypoints: &[[Option<Keypoints>; 2]]| {
        let result = run(&rig, keypoints, &PoseSettings::default()).expect("two hands");
        result.observations[1].iter().find(|o| o.view == 2).map(|o| o.weights)
    };
    assert_eq!(observation(&keypoints), None, "nonsense is left out");
    let [x, y] = truth[2][1].as_ref().expect("detected").px[8];
    let edits = ViewEdits { hands: [HandEdits::new(), [(8, KeypointEdit::At(x, y))].into()], ..Default::default() };
    assert!(edits.change_keypoints(&mut keypoints[2]).is_empty(), "the hand is there");
    let weights = observation(&keypoints).expect("what was placed stays");
    assert_eq!(weights.iter().sum::<f64>(), 1.0, "and nothing else");
    assert_eq!(weights[8], 1.0, "at full weight");
}

#[test]
fn noise_outliers_and_a_swapped_view_are_borne() {
    for seed in [11, 12, 13] {
        let rig = Rig::new(16, seed);
        let mut keypoints = rig.detect(&Noise { px: 3.0, outliers: 0.1, seed });
        keypoints[5].swap(0, 1);
        let result = run(&rig, &keypoints, &PoseSettings::default()).expect("two hands");
        let errors = errors_mm(&rig, &result);
        eprintln!(
            "3 px, 10 % outliers, one swapped view, seed {seed}: {errors:.3?} mm, noise {:.2} px",
            result.noise_px
        );
        assert!(errors.len() == 2 && errors.iter().all(|e| *e <= 1.5), "{errors:?} mm");
        let swapped = &result.views[5].detections;
        assert!(swapped.iter().all(|d| d.assigned.is_some_and(|s| s != d.claimed)), "the swap is seen: {swapped:?}");
        assert!(result.views.iter().all(|v| v.flagged_shift_px.is_none()), "no camera is blamed");
    }
}

#[test]
fn a_shifted_camera_is_flagged_and_corrected() {
    let rig = Rig::new(12, 21);
    let mut keypoints = rig.detect(&Noise { px: 3.0, outliers: 0.05, seed: 2 });
    for k in keypoints[4].iter_mut().flatten() {
        for px in &mut k.px {
            *px = [px[0] + 32.0, px[1] - 24.0];
        }
    }
    let result = run(&rig, &keypoints, &PoseSettings::default()).expect("two hands");
    let flagged: Vec<usize> = result.views.iter().filter(|v| v.flagged_shift_px.is_some()).map(|v| v.view).collect();
    assert_eq!(flagged, [4], "exactly the shifted camera");
    let [x, y] = result.views[4].flagged_shift_px.expect("flagged");
    assert!((x - 32.0).abs() < 2.0 && (y + 24.0).abs() < 2.0, "the shift is measured: {x} {y}");
    let centre = Vector3::from(rig.hands[0].keypoints[9]);
    let at = |camera: &Camera| camera.project(&centre).expect("in front");
    let moved = at(&result.cameras[4]) - at(&rig.cameras[4]);
    assert!((moved.x - 32.0).abs() < 2.0 && (moved.y + 24.0).abs() < 2.0, "the camera is repaired: {moved}");
    assert!(errors_mm(&rig, &result).iter().all(|e| *e <= 1.5), "joints survive");
}

#[test]
fn a_rolled_camera_is_flagged_and_repaired() {
    let rig = Rig::new(12, 22);
    let keypoints = rig.detect(&Noise { px: 2.0, outliers: 0.05, seed: 2 });
    // The file says that camera 7 is rolled by 4 degrees: the hands, left and right of the middle, go up and down.
    let mut cameras = rig.cameras.clone();
    let turn = crate::hand::rotation::rotation_from_axis_angle(&Vector3::new(0.0, 0.0, 0.07));
    cameras[7].rotation = turn * cameras[7].rotation;
    cameras[7].translation = turn * cameras[7].translation;
    let result =
        estimate_joints(&cameras, &keypoints, &[true; 12], &PoseSettings::default(), &solver()).expect("hands");
    let flagged: Vec<usize> = result.views.iter().filter(|v| v.flagged_shift_px.is_some()).map(|v| v.view).collect();
    assert_eq!(flagged, [7], "exactly the rolled camera");
    let correction = result.views[7].correction.expect("repaired");
    assert!((correction.rotation_deg - 4.0).abs() < 1.0, "it is turned back: {correction:?}");
    let after = result.views[7].detections.iter().filter_map(|d| d.after_px).fold(0.0, f64::max);
    assert!(after < 5.0, "{after} px after");
    assert!(errors_mm(&rig, &result).iter().all(|e| *e <= 1.5), "joints survive");
}

#[test]
fn one_hand_and_missing_detections() {
    let rig = Rig::new(8, 31);
    let mut keypoints = rig.detect(&Noise { px: 2.0, outliers: 0.0, seed: 3 });
    for pair in &mut keypoints {
        pair[0] = None;
    }
    keypoints[2][1] = None;
    let result = run(&rig, &keypoints, &PoseSettings::default()).expect("a hand");
    assert!(result.joints.hands[0].is_none(), "no left hand is invented");
    let right = result.joints.hands[1].as_ref().expect("the right hand");
    assert!(rig.error_mm(Side::Right, &right.joints) < 1.5, "the right hand is right");
    let both = PoseSettings { hands: HandChoice::Both, ..PoseSettings::default() };
    assert!(matches!(run(&rig, &keypoints, &both), Err(PoseError::HandMissing { .. })), "both cannot be had");
    let left = PoseSettings { hands: HandChoice::Left, ..PoseSettings::default() };
    let named = run(&rig, &keypoints, &left).expect("a hand");
    assert!(named.joints.hands[0].is_some() && named.joints.hands[1].is_none(), "the user's word counts");
}

#[test]
fn unused_views_are_not_looked_at() {
    let rig = Rig::new(6, 41);
    let mut keypoints = rig.detect(&CLEAN);
    let mut used = vec![true; 6];
    used[1] = false;
    let settings = PoseSettings::default();
    let before = estimate_joints(&rig.cameras, &keypoints, &used, &settings, &solver()).expect("two hands");
    for k in keypoints[1].iter_mut().flatten() {
        k.px = [[0.0; 2]; KEYPOINTS];
    }
    let after = estimate_joints(&rig.cameras, &keypoints, &used, &settings, &solver()).expect("two hands");
    assert_eq!(before.joints, after.joints, "a held-out view touches nothing");
    assert!(before.views.iter().all(|v| v.view != 1), "nor is it reported");
    let none = estimate_joints(&rig.cameras, &keypoints, &[false; 6], &settings, &solver());
    assert!(matches!(none, Err(PoseError::TooFewViews { found: 0 })), "no views, no joints");
}

#[test]
fn detections_that_never_agree_are_refused() {
    let rig = Rig::new(2, 51);
    let mut keypoints = rig.detect(&CLEAN);
    for k in keypoints[1].iter_mut().flatten() {
        for (i, px) in k.px.iter_mut().enumerate() {
            px[1] = 40.0 * f64::from(u32::try_from(i * 7 % 21).expect("small"));
        }
    }
    let result = run(&rig, &keypoints, &PoseSettings::default());
    assert!(matches!(result, Err(PoseError::NoHand)), "nothing agrees: {:?}", result.map(|r| r.median_px));
}

#[test]
fn settings_refuse_unknown_fields() {
    assert!(ron::from_str::<PoseSettings>("(flag_ratoi: 3.0)").is_err(), "a typing error is no default");
    let some: PoseSettings = ron::from_str("(flag_ratio: 3.0, hands: left)").expect("a part is enough");
    assert_eq!(some.hands, HandChoice::Left, "fields are read");
}

#[test]
fn the_real_capture() {
    let Some((cameras, keypoints)) = real_capture() else { return };
    let used = [true; 16];
    let result = estimate_joints(&cameras, &keypoints, &used, &PoseSettings::default(), &solver()).expect("two hands");
    eprintln!("{:#?}", result.findings);
    eprintln!("median {:.2} px, noise {:.2} px, share {:.2}", result.median_px, result.noise_px, result.assigned_share);
    let flagged: Vec<usize> = result.views.iter().filter(|v| v.flagged_shift_px.is_some()).map(|v| v.view).collect();
    assert_eq!(flagged, [5, 6], "exactly the two cameras that are off");
    let rejected: Vec<(usize, Side)> = result
        .views
        .iter()
        .flat_map(|v| v.detections.iter().filter(|d| d.assigned.is_none()).map(|d| (v.view, d.claimed)))
        .collect();
    let wrong = [(0, Side::Right), (4, Side::Right), (6, Side::Left), (15, Side::Left)];
    assert_eq!(rejected, wrong, "one hand each in these views is known to be wrong");
    assert!(result.median_px <= 8.0, "median reprojection {} px", result.median_px);
    // 22 of 26: all but the four wrong ones.
    assert!(result.assigned_share >= 0.84, "share of assigned detections {}", result.assigned_share);
    for side in Side::BOTH {
        let hand = result.joints.hands[side.index()].as_ref().expect("both hands");
        let at = |j: usize| Vector3::from(hand.joints[j]);
        let palm_mm = 1e3 * (at(9) - at(0)).norm();
        eprintln!("{side}: wrist to middle knuckle {palm_mm:.1} mm");
        assert!((74.0..94.0).contains(&palm_mm), "{side}: {palm_mm} mm");
    }
}
