//! Captures with known faults give exactly the findings of these faults.

use super::*;
use crate::anatomy::{KEYPOINTS, Side};
use crate::capture::Warning;
use crate::fitting::masks::{MaskEvidence, MaskUse};
use crate::synthetic::{SynthSettings, make};
use nalgebra::{Rotation3, Vector3};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// A small clean scene of both hands, made once.
fn clean() -> Capture {
    static SCENE: OnceLock<Capture> = OnceLock::new();
    let settings = SynthSettings { views: 8, size: (640, 512), level: 1, supersample: 1, ..SynthSettings::default() };
    SCENE.get_or_init(|| make(&settings).expect("a scene").capture).clone()
}

fn examine(capture: &Capture) -> Diagnosis {
    diagnose(capture, &[], &PoseSettings::default(), &Triangulator::Reference)
}

/// Codes with the views they are about.
fn told(diagnosis: &Diagnosis) -> Vec<(Code, Option<usize>)> {
    diagnosis.findings.iter().map(|f| (f.code, f.subject.view())).collect()
}

fn shift(capture: &mut Capture, view: usize, by: [f64; 2]) {
    for px in capture.views[view].keypoints.iter_mut().flatten().flat_map(|k| &mut k.px) {
        *px = [px[0] + by[0], px[1] + by[1]];
    }
}

#[test]
fn a_clean_capture_has_no_findings() {
    let diagnosis = examine(&clean());
    assert_eq!(told(&diagnosis), [], "nothing to say: {diagnosis}");
    assert_eq!(diagnosis.summary(), "nothing found", "in words");
    assert!(diagnosis.is_usable() && diagnosis.cameras.len() == 8, "all cameras are there");
    assert!(diagnosis.cameras.iter().all(|c| c.after_px.is_some_and(|px| px < 0.5)), "{:?}", diagnosis.cameras);
}

#[test]
fn a_swapped_view_is_told_once() {
    let mut capture = clean();
    capture.views[3].keypoints.swap(0, 1);
    let diagnosis = examine(&capture);
    assert_eq!(told(&diagnosis), [(Code::SidesSwapped, Some(3))], "{diagnosis}");
    assert_eq!(diagnosis.findings[0].severity, Severity::Info, "nothing is lost");
}

#[test]
fn a_camera_that_is_off_is_told_with_its_numbers() {
    let mut capture = clean();
    // The camera is wrong, its pictures are right: the principal point moves, not the keypoints.
    capture.views[5].camera.k[(0, 2)] -= 40.0;
    let diagnosis = examine(&capture);
    assert_eq!(told(&diagnosis), [(Code::CameraOff, Some(5))], "{diagnosis}");
    let finding = &diagnosis.findings[0];
    let value = |name: &str| finding.evidence.iter().find(|e| e.name == name).expect("measured").value;
    assert!((value("shift_x") - 40.0).abs() < 0.5 && value("shift_y").abs() < 0.5, "the shift: {finding}");
    assert!(value("residual_before") > 39.0 && value("residual_after") < 1.0, "repaired: {finding}");
    let camera = &diagnosis.cameras[5];
    assert!(camera.correction.is_some() && camera.before_px > camera.after_px, "and in the list: {camera:?}");
    let report = &diagnosis.inspection.views[5];
    assert_eq!((report.residual_px, report.residual_after_px), (camera.before_px, camera.after_px), "and in the table");
}

#[test]
fn hands_that_were_not_detected_are_told() {
    let mut capture = clean();
    capture.views[2].keypoints[0] = None;
    capture.views[4].keypoints = [None, None];
    let diagnosis = examine(&capture);
    assert_eq!(told(&diagnosis), [(Code::NoDetections, Some(4)), (Code::HandNotDetected, Some(2))], "{diagnosis}");
    assert_eq!(diagnosis.cameras[4].before_px, None, "nothing to measure there");
}

#[test]
fn a_wrong_detection_is_told_once_with_its_distance() {
    let mut capture = clean();
    // Another hand shape somewhere else in the picture: right for no hand.
    let keypoints = capture.views[6].keypoints[1].as_mut().expect("detected");
    for (j, px) in keypoints.px.iter_mut().enumerate() {
        let angle = f64::from(u32::try_from(j * 8 % KEYPOINTS).expect("small"));
        *px = [120.0 + 80.0 * angle.cos(), 400.0 + 80.0 * angle.sin()];
    }
    let diagnosis = examine(&capture);
    assert_eq!(told(&diagnosis), [(Code::DetectionRejected, Some(6))], "{diagnosis}");
    let finding = &diagnosis.findings[0];
    assert!(matches!(finding.subject, Subject::View { part: Part::KeypointsRight, .. }), "{finding}");
    assert!(finding.evidence.iter().any(|e| e.name == "from_left_hand" && e.value > 10.0), "its distance: {finding}");
    assert!(finding.evidence.iter().any(|e| e.name == "keypoints_on_mask"), "the mask's word is in it: {finding}");
}

#[test]
fn masks_that_are_missing_or_empty_are_told() {
    let mut capture = clean();
    capture.views[0].mask = None;
    let missing = Warning::Missing { path: "mask/00.png".to_owned() };
    let note = Warning::Note("mask/old.png: ignored, its camera is missing".to_owned());
    assert_eq!(missing.to_string(), "mask/00.png: the file is missing", "in words");
    capture.warnings = vec![missing, note];
    capture.views[1].mask.as_mut().expect("a mask").pixels_mut().for_each(|p| p.0[0] = 0);
    let diagnosis = examine(&capture);
    let expected = [(Code::ReaderNote, None), (Code::MaskMissing, Some(0)), (Code::MaskNearlyEmpty, Some(1))];
    assert_eq!(told(&diagnosis), expected, "the file that is missing is told once: {diagnosis}");
}

#[test]
fn a_wrong_unit_makes_the_capture_unusable() {
    let mut capture = clean();
    for view in &mut capture.views {
        view.camera.translation *= 1000.0;
    }
    let diagnosis = examine(&capture);
    assert_eq!(told(&diagnosis), [(Code::UnitsSuspicious, None)], "{diagnosis}");
    let units = &diagnosis.findings[0];
    assert_eq!(units.severity, Severity::Error, "nobody's hands are 80 m long");
    assert!(units.evidence.iter().any(|e| e.name == "palm_left" && e.value > 5e4), "the length as read: {units}");
    assert!(units.action.contains("millimetres"), "and why: {units}");
    assert!(!diagnosis.is_usable(), "it cannot be used");
}

#[test]
fn few_or_coinciding_or_parallel_cameras_are_told() {
    let mut few = clean();
    few.views.truncate(3);
    assert_eq!(told(&examine(&few)), [(Code::FewViews, None)], "three views");
    let mut same = clean();
    let (camera, keypoints) = (same.views[0].camera.clone(), same.views[0].keypoints.clone());
    (same.views[1].camera, same.views[1].keypoints) = (camera, keypoints);
    let codes: BTreeSet<Code> = told(&examine(&same)).into_iter().map(|(code, _)| code).collect();
    assert!(codes.contains(&Code::CamerasCoincide), "two in one place: {codes:?}");
    let none = diagnose(&clean(), &[false; 8], &PoseSettings::default(), &Triangulator::Reference);
    assert_eq!(told(&none), [(Code::TooFewViews, None)], "a stage that fails is a finding, views left out are none");
    assert!(!none.is_usable(), "and an error");
}

/// The joints of both hands, as the pose stage finds them.
fn joints(capture: &Capture) -> [[Vector3<f64>; KEYPOINTS]; 2] {
    let cameras: Vec<Camera> = capture.views.iter().map(|v| v.camera.clone()).collect();
    let keypoints: Vec<_> = capture.views.iter().map(|v| v.keypoints.clone()).collect();
    let pose = estimate_joints(&cameras, &keypoints, &[], &PoseSettings::default(), &Triangulator::Reference);
    pose.expect("two hands").joints.hands.map(|hand| hand.expect("found").joints.map(Vector3::from))
}

/// All views detect these joints, exactly.
fn detect(capture: &mut Capture, hands: &[[Vector3<f64>; KEYPOINTS]; 2]) {
    for view in &mut capture.views {
        for (keypoints, hand) in view.keypoints.iter_mut().flatten().zip(hands) {
            keypoints.px = hand.map(|joint| view.camera.project(&joint).expect("in front").into());
        }
    }
}

#[test]
fn cameras_that_look_from_one_side_are_told() {
    // All cameras are the first one, each turned about the hands a little more than the one before.
    let fan = |step_deg: f64| {
        let mut capture = clean();
        let hands = joints(&capture);
        let middle = hands.as_flattened().iter().sum::<Vector3<f64>>() / 42.0;
        let first = capture.views[0].clone();
        let mut angle = 0.0_f64;
        for view in &mut capture.views {
            let turn = Rotation3::from_axis_angle(&Vector3::y_axis(), angle.to_radians()).into_inner();
            let Camera { rotation, translation, .. } = &first.camera;
            let camera = Camera {
                rotation: rotation * turn,
                translation: translation + rotation * (middle - turn * middle),
                ..first.camera.clone()
            };
            (view.camera, view.image, view.mask) = (camera, first.image.clone(), first.mask.clone());
            angle += step_deg;
        }
        detect(&mut capture, &hands);
        examine(&capture)
    };
    let narrow = fan(1.5);
    assert_eq!(told(&narrow), [(Code::NarrowRig, None)], "10.5 degrees: {narrow}");
    let widest = narrow.findings[0].evidence[0];
    assert!(widest.name == "widest_angle" && (widest.value - 10.5).abs() < 0.5, "the angle: {widest}");
    let wide = fan(3.0);
    assert_eq!(told(&wide), [], "21 degrees are enough: {wide}");
}

#[test]
fn joints_that_few_views_see_are_told() {
    let seen_in = |views: usize| {
        let mut capture = clean();
        for view in &mut capture.views[views..] {
            view.keypoints[0].as_mut().expect("detected").confidence[8] = 0.0;
        }
        examine(&capture)
    };
    let two = seen_in(2);
    assert_eq!(told(&two), [(Code::JointsUncertain, None)], "{two}");
    assert_eq!(two.findings[0].subject, Subject::Hand { side: Side::Left }, "whose: {two}");
    assert!(two.findings[0].what.starts_with("1 of 21"), "how many: {two}");
    let four = seen_in(4);
    assert_eq!(told(&four), [], "four views are enough: {four}");
}

#[test]
fn hands_of_different_size_are_told() {
    let grown = |factor: f64| {
        let mut capture = clean();
        let mut hands = joints(&capture);
        let wrist = hands[1][0];
        for joint in &mut hands[1] {
            *joint = wrist + (*joint - wrist) * factor;
        }
        detect(&mut capture, &hands);
        examine(&capture)
    };
    let larger = grown(1.15);
    assert_eq!(told(&larger), [(Code::HandsDisagree, None)], "{larger}");
    let ratio = larger.findings[0].evidence[0];
    assert!(ratio.name == "right_over_left" && (ratio.value - 115.0).abs() < 2.0, "by how much: {ratio}");
    let alike = grown(1.04);
    assert_eq!(told(&alike), [], "people's hands differ a little: {alike}");
}

#[test]
fn keypoints_that_disagree_with_the_other_views_are_told() {
    let moved = |count: usize| {
        let mut capture = clean();
        for px in capture.views[3].keypoints[0].as_mut().expect("detected").px.iter_mut().skip(5).take(count) {
            px[1] += 12.0;
        }
        examine(&capture)
    };
    let many = moved(8);
    assert_eq!(told(&many), [(Code::KeypointsOutlying, Some(3))], "{many}");
    let finding = &many.findings[0];
    assert!(finding.what.starts_with("8 of 21") && finding.severity == Severity::Info, "how many: {finding}");
    assert!(matches!(finding.subject, Subject::View { part: Part::KeypointsLeft, .. }), "whose: {finding}");
    let few = moved(5);
    assert_eq!(told(&few), [], "a few outliers are usual: {few}");
}

#[test]
fn a_camera_that_fits_badly_in_no_direction_is_told() {
    let scattered = |by_px: f64| {
        let mut capture = clean();
        let mut angle = 0.0_f64;
        for px in capture.views[4].keypoints.iter_mut().flatten().flat_map(|k| &mut k.px) {
            *px = [px[0] + by_px * angle.cos(), px[1] + by_px * angle.sin()];
            angle += 2.4;
        }
        examine(&capture)
    };
    let bad = scattered(5.0);
    assert!(told(&bad).contains(&(Code::CameraResidualHigh, Some(4))), "{bad}");
    // What its keypoints are worth one by one is another finding.
    let expected = |(code, view): &(Code, Option<usize>)| {
        matches!(code, Code::CameraResidualHigh | Code::KeypointsOutlying) && *view == Some(4)
    };
    assert!(told(&bad).iter().all(expected), "and nothing about the others: {bad}");
    assert_eq!(bad.findings[0].evidence[0].name, "residual", "with its number: {bad}");
    let slight = scattered(1.5);
    assert!(!told(&slight).iter().any(|(code, _)| *code == Code::CameraResidualHigh), "noise is none: {slight}");
}

#[test]
fn a_detection_beside_the_mask_is_told() {
    let mut capture = clean();
    let hands = |view: &crate::capture::View| view.keypoints.clone().map(|k| k.expect("detected").px);
    let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    // The view in which the hands are farthest apart loses one of them from its mask.
    let apart = |view: &crate::capture::View| {
        let [left, right] = hands(view);
        left.iter().flat_map(|a| right.map(|b| distance(*a, b))).fold(f64::INFINITY, f64::min)
    };
    let apart: Vec<f64> = capture.views.iter().map(apart).collect();
    let view = (0..8).max_by(|a, b| apart[*a].total_cmp(&apart[*b])).expect("eight views");
    let [left, right] = hands(&capture.views[view]);
    let nearest =
        |points: &[[f64; 2]], p: [f64; 2]| points.iter().map(|q| distance(*q, p)).fold(f64::INFINITY, f64::min);
    for (x, y, pixel) in capture.views[view].mask.as_mut().expect("a mask").enumerate_pixels_mut() {
        let p = [f64::from(x), f64::from(y)];
        if nearest(&right, p) < nearest(&left, p) {
            pixel.0[0] = 0;
        }
    }
    let diagnosis = examine(&capture);
    assert_eq!(told(&diagnosis), [(Code::KeypointsOffMask, Some(view))], "{diagnosis}");
    let finding = &diagnosis.findings[0];
    assert!(matches!(finding.subject, Subject::View { part: Part::KeypointsRight, .. }), "whose: {finding}");
}

#[test]
fn what_a_run_decided_about_masks_counts_more_than_their_looks() {
    let report = |verdict: MaskUse| {
        let evidence = MaskEvidence { recall: 0.1, precision: 0.9, tolerant_iou: 0.2, ..MaskEvidence::default() };
        let reason = format!("it is {verdict}");
        MaskReport { verdict, reason, weight: 0.5, given: Some(evidence), used: None }
    };
    let mut capture = clean();
    for view in [0, 1] {
        capture.views[view].mask.as_mut().expect("a mask").pixels_mut().for_each(|p| p.0[0] = 0);
    }
    let uses = [MaskUse::Trusted, MaskUse::Rebuilt, MaskUse::Ignored, MaskUse::Cleaned];
    let judged: Vec<Option<MaskReport>> = uses.into_iter().map(|verdict| Some(report(verdict))).collect();
    let settings = PoseSettings::default();
    let diagnosis = diagnose_after_run(&capture, &[], &settings, &Triangulator::Reference, &judged);
    let expected = [(Code::MaskNearlyEmpty, Some(1)), (Code::MaskDisagrees, Some(2)), (Code::MaskDisagrees, Some(3))];
    assert_eq!(told(&diagnosis), expected, "{diagnosis}");
    let severities: Vec<Severity> = diagnosis.findings.iter().map(|f| f.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Warning, Severity::Info], "what is mended well costs nothing");
    let rebuilt = &diagnosis.findings[0];
    assert!(rebuilt.what == "it is rebuilt" && rebuilt.action.contains("made anew"), "the stage's words: {rebuilt}");
    assert!(rebuilt.evidence.iter().any(|e| e.name == "hands_covered" && e.value == 10.0), "its numbers: {rebuilt}");
    let looks = [(Code::MaskNearlyEmpty, Some(0)), (Code::MaskNearlyEmpty, Some(1))];
    assert_eq!(told(&examine(&capture)), looks, "before a run the looks are all there is");
}

#[test]
fn unused_views_give_no_findings() {
    let mut capture = clean();
    shift(&mut capture, 5, [40.0, 0.0]);
    capture.views[5].mask = None;
    let mut used = vec![true; 8];
    used[5] = false;
    let diagnosis = diagnose(&capture, &used, &PoseSettings::default(), &Triangulator::Reference);
    assert_eq!(told(&diagnosis), [], "the view is left out: {diagnosis}");
    assert_eq!(told(&examine(&capture)).len(), 2, "and would be told of");
}

#[test]
fn names_in_json_are_those_of_the_codes_and_the_inspection_stays() {
    let mut capture = clean();
    capture.views[3].keypoints.swap(0, 1);
    let diagnosis = examine(&capture);
    let json = serde_json::to_value(diagnosis.report()).expect("JSON");
    let finding = &json["findings"][0];
    assert_eq!(finding["code"], diagnosis.findings[0].code.name(), "snake case");
    assert_eq!(finding["severity"], "info", "the word");
    assert_eq!(finding["subject"]["kind"], "view", "{finding}");
    assert_eq!(finding["evidence"][0]["unit"], "px", "numbers have units");
    assert!(json["views"][3]["residual_px"].is_f64() && json["warnings"].is_array(), "the inspection is all there");
    let back: Inspection = serde_json::from_value(json).expect("an inspection");
    assert_eq!(back, diagnosis.inspection, "what was there before can be read as before");
}

#[test]
fn the_real_capture() {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("THENAR_SHARED").map_or(beside, std::path::PathBuf::from);
    let folder = shared.join("captures/fmhr_capture_room_1");
    if !folder.exists() {
        eprintln!("skipped: the real capture is not here (set THENAR_SHARED)");
        return;
    }
    let diagnosis = examine(&Capture::open(&folder).expect("a capture"));
    eprintln!("{diagnosis}");
    let of = |code: Code| -> Vec<usize> {
        diagnosis.findings.iter().filter(|f| f.code == code).filter_map(|f| f.subject.view()).collect()
    };
    assert_eq!(of(Code::CameraOff), [5, 6], "the cameras that are off");
    assert_eq!(of(Code::DetectionRejected), [0, 4, 6, 15], "the wrong detections");
    assert_eq!(of(Code::MaskNearlyEmpty), [1, 2, 13], "the empty masks");
    assert!(diagnosis.is_usable(), "it can be used");
    let about: BTreeSet<(Code, &Subject)> = diagnosis.findings.iter().map(|f| (f.code, &f.subject)).collect();
    assert_eq!(about.len(), diagnosis.findings.len(), "nothing is told twice");
    let worst = diagnosis.cameras.iter().filter(|c| c.before_px.is_some_and(|px| px > 20.0)).map(|c| c.view);
    assert_eq!(worst.collect::<Vec<_>>(), [5, 6], "residuals as given");
}
