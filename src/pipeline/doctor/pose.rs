//! Findings of the pose stage, run for trial.

use super::{CameraDiagnosis, Code, Evidence, Finding, Part, Severity, Subject};
use crate::anatomy::{KEYPOINT_BONES, KEYPOINTS, Side};
use crate::camera::Camera;
use crate::capture::{Capture, Keypoints};
use crate::fitting::pose::{HandJoints, PoseError, PoseResult, PoseSettings, PoseViewReport};
use nalgebra::{Matrix3, Vector3};

/// Wrist to middle knuckle of people from small children to tall adults, millimetres. The pose stage itself takes nothing
/// for a hand that is far beyond.
const PALM_MM: [f64; 2] = [50.0, 120.0];
/// Units that are taken for one another, as the factor by which lengths come out too large.
const UNITS: [(f64, &str); 7] = [
    (1000.0, "millimetres that were read as metres"),
    (100.0, "centimetres that were read as metres"),
    (10.0, "decimetres that were read as metres"),
    (0.001, "metres that were read as millimetres"),
    (0.01, "metres that were read as centimetres"),
    (0.0254, "metres that were read as inches"),
    (39.37, "inches that were read as metres"),
];
/// Difference of the two hands' bone lengths that is none of people (median over the bones).
const UNEQUAL: f64 = 0.08;
/// Angle between viewing directions below which depth is uncertain, degrees.
const NARROW_DEG: f64 = 15.0;
/// Uncertainty of a joint (one standard deviation, worst direction) that is much, as a part of the palm.
const UNCERTAIN: f64 = 0.06;
/// Views that should agree with a joint.
const SUPPORT: u32 = 3;
/// Weight below which a keypoint counts for nothing, and how many of a detection are worth telling.
const OUTLYING_WEIGHT: f64 = 0.05;
const OUTLYING: usize = 6;

/// The pose stage failed.
pub(super) fn failure(error: &PoseError) -> Finding {
    let (code, what, evidence, action) = match error {
        PoseError::TooFewViews { found } => (
            Code::TooFewViews,
            "hands were detected in too few of the used views".to_owned(),
            vec![Evidence::count("views_with_detections", *found), Evidence::count("views_needed", 2)],
            "add keypoints, or use more views",
        ),
        PoseError::NoHand => (
            Code::NoHand,
            "no two views agree on a hand".to_owned(),
            Vec::new(),
            "check the calibration, and that keypoints, images and cameras are in the same order",
        ),
        PoseError::HandMissing { found } => (
            Code::HandMissing,
            format!("only the {found} hand was found, but both were asked for"),
            Vec::new(),
            "use --hands auto, or add detections of the other hand",
        ),
        PoseError::Gpu(error) => {
            (Code::DeviceFailed, format!("the device failed: {error}"), Vec::new(), "try again, or another --device")
        }
    };
    let subject = match error {
        PoseError::HandMissing { found: Side::Left } => Subject::Hand { side: Side::Right },
        PoseError::HandMissing { found: Side::Right } => Subject::Hand { side: Side::Left },
        _ => Subject::Capture,
    };
    Finding { severity: Severity::Error, code, subject, what, evidence, action: action.to_owned() }
}

/// What the pose stage found out.
pub(super) fn findings(
    capture: &Capture,
    used: &[bool],
    settings: &PoseSettings,
    pose: &PoseResult,
    cameras: &[CameraDiagnosis],
) -> Vec<Finding> {
    let mut found = Vec::new();
    let views = pose.views.len();
    if views < 4 {
        found.push(Finding {
            severity: Severity::Warning,
            code: Code::FewViews,
            subject: Subject::Capture,
            what: "few views: when they disagree nobody can tell which is wrong".to_owned(),
            evidence: vec![
                Evidence::count("views_with_detections", views),
                Evidence::count("views_used", used.iter().filter(|u| **u).count()),
            ],
            action: "cameras are taken as given; four views or more let wrong ones be found and repaired".to_owned(),
        });
    }
    found.extend(narrow(pose));
    found.extend(units(capture, pose));
    found.extend(hands_disagree(pose));
    found.extend(Side::BOTH.into_iter().filter_map(|side| uncertain(side, pose)));
    found.extend(noise(capture, settings, pose));
    for report in &pose.views {
        let name = &capture.views[report.view].name;
        let at = |part| Subject::View { view: report.view, name: name.clone(), part };
        found.extend(camera(report, settings, cameras, &at));
        found.extend(sides(report, &at));
        found.extend(rejected(capture, report, pose, &at));
        found.extend(outlying(report, pose, &at));
    }
    found
}

fn hands(pose: &PoseResult) -> impl Iterator<Item = (Side, &HandJoints)> {
    Side::BOTH.into_iter().zip(&pose.joints.hands).filter_map(|(side, hand)| Some((side, hand.as_ref()?)))
}

fn point(hand: &HandJoints, joint: usize) -> Vector3<f64> {
    Vector3::from(hand.joints[joint])
}

/// Wrist to middle knuckle.
fn palm_mm(hand: &HandJoints) -> f64 {
    1e3 * (point(hand, 9) - point(hand, 0)).norm()
}

const fn palm_name(side: Side) -> &'static str {
    match side {
        Side::Left => "palm_left",
        Side::Right => "palm_right",
    }
}

/// Hands of no human size mean that the scene has another unit.
fn units(capture: &Capture, pose: &PoseResult) -> Option<Finding> {
    let palms: Vec<(Side, f64)> = hands(pose).map(|(side, hand)| (side, palm_mm(hand))).collect();
    if palms.is_empty() || palms.iter().any(|(_, palm)| (PALM_MM[0]..PALM_MM[1]).contains(palm)) {
        return None;
    }
    let action = "they are fitted at this size; check the unit and the scale of the calibration";
    Some(size_finding(capture, Severity::Warning, &palms, action.to_owned()))
}

fn size_finding(capture: &Capture, severity: Severity, palms: &[(Side, f64)], action: String) -> Finding {
    let mut evidence: Vec<Evidence> = palms.iter().map(|(side, p)| Evidence::new(palm_name(*side), *p, "mm")).collect();
    evidence.push(Evidence::new("one_unit_of_the_scene", capture.metres_per_unit, "m"));
    Finding {
        severity,
        code: Code::UnitsSuspicious,
        subject: Subject::Capture,
        what: "the hands have no human size: wrist to middle knuckle is 50 to 120 mm in people".to_owned(),
        evidence,
        action,
    }
}

/// When no hand was found: whether there is one if the calibration has another unit. `estimate` runs the pose stage with
/// cameras whose translations are divided by a factor.
pub(super) fn other_unit(capture: &Capture, estimate: impl Fn(f64) -> Option<PoseResult>) -> Option<Finding> {
    UNITS.iter().find_map(|(factor, guess)| {
        let pose = estimate(*factor)?;
        let palms: Vec<(Side, f64)> = hands(&pose).map(|(side, hand)| (side, palm_mm(hand))).collect();
        if !palms.iter().all(|(_, palm)| (PALM_MM[0]..PALM_MM[1]).contains(palm)) {
            return None;
        }
        let as_read: Vec<(Side, f64)> = palms.iter().map(|(side, palm)| (*side, palm * factor)).collect();
        let action = format!("correct the calibration's unit: it looks like {guess}");
        Some(size_finding(capture, Severity::Error, &as_read, action))
    })
}

/// Bones of both hands of one person are equally long.
fn hands_disagree(pose: &PoseResult) -> Option<Finding> {
    let [Some(left), Some(right)] = &pose.joints.hands else { return None };
    let bone = |hand: &HandJoints, (a, b): (usize, usize)| (point(hand, a) - point(hand, b)).norm();
    let mut ratios: Vec<f64> = KEYPOINT_BONES.iter().map(|&b| bone(right, b) / bone(left, b).max(1e-12)).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[ratios.len() / 2];
    (ratio.ln().abs() > UNEQUAL).then(|| Finding {
        severity: Severity::Warning,
        code: Code::HandsDisagree,
        subject: Subject::Capture,
        what: "the bones of the two hands differ in length".to_owned(),
        evidence: vec![
            Evidence::new("right_over_left", 100.0 * ratio, "%"),
            Evidence::new(palm_name(Side::Left), palm_mm(left), "mm"),
            Evidence::new(palm_name(Side::Right), palm_mm(right), "mm"),
        ],
        action: "both hands are fitted with nearly one shape; when they are of two persons, take one with --hands"
            .to_owned(),
    })
}

/// Largest angle between the directions from which the hands are seen.
fn narrow(pose: &PoseResult) -> Option<Finding> {
    let all: Vec<Vector3<f64>> = hands(pose).flat_map(|(_, hand)| hand.joints.map(Vector3::from)).collect();
    #[expect(clippy::cast_precision_loss, reason = "42 joints at most")]
    let middle = all.iter().sum::<Vector3<f64>>() / all.len().max(1) as f64;
    let seen = |view: usize| pose.observations.iter().flatten().any(|o| o.view == view);
    let rays: Vec<Vector3<f64>> = pose
        .views
        .iter()
        .filter(|r| seen(r.view))
        .filter_map(|r| (pose.cameras[r.view].centre() - middle).try_normalize(0.0))
        .collect();
    let pairs = rays.iter().enumerate().flat_map(|(i, a)| rays[i + 1..].iter().map(move |b| a.dot(b)));
    // Rays that point apart see as much depth as a right angle does.
    let widest = pairs.map(|cosine| cosine.clamp(-1.0, 1.0).acos().to_degrees().min(90.0)).fold(0.0, f64::max);
    (rays.len() >= 2 && widest < NARROW_DEG).then(|| Finding {
        severity: Severity::Warning,
        code: Code::NarrowRig,
        subject: Subject::Capture,
        what: "all cameras that see the hands look from nearly the same direction".to_owned(),
        evidence: vec![Evidence::new("widest_angle", widest, "deg")],
        action: "depth is uncertain; use views from other directions".to_owned(),
    })
}

/// Joints that few views agree on, or that lie anywhere along a line.
fn uncertain(side: Side, pose: &PoseResult) -> Option<Finding> {
    let hand = pose.joints.hands[side.index()].as_ref()?;
    let views = pose.observations[side.index()].len();
    let sigma_mm = |c: &[[f64; 3]; 3]| {
        let covariance = Matrix3::from_fn(|row, column| c[row][column]);
        1e3 * covariance.symmetric_eigenvalues().max().max(0.0).sqrt()
    };
    let sigmas = hand.covariance.each_ref().map(sigma_mm);
    let limit = UNCERTAIN * palm_mm(hand);
    // Two or three views cannot do better; `few_views` says so, or each view what it misses.
    let weak = |joint: usize| views > 3 && hand.support[joint] < SUPPORT;
    let bad = (0..KEYPOINTS).filter(|&j| weak(j) || sigmas[j].is_nan() || sigmas[j] > limit).count();
    (bad > 0).then(|| Finding {
        severity: Severity::Warning,
        code: Code::JointsUncertain,
        subject: Subject::Hand { side },
        what: format!("{bad} of {KEYPOINTS} joints are uncertain"),
        evidence: vec![
            Evidence::count("views", views),
            Evidence::count("least_support", hand.support.iter().copied().min().unwrap_or(0) as usize),
            Evidence::new("worst_deviation", sigmas.iter().copied().fold(0.0, f64::max), "mm"),
        ],
        action: "they count little in the fit, where the hand model and its limits take over".to_owned(),
    })
}

/// Larger side of the box around the keypoints.
fn size_px(keypoints: &Keypoints) -> f64 {
    let side = |axis: usize| {
        let values = || keypoints.px.iter().zip(&keypoints.confidence).filter(|(_, c)| **c > 0.0).map(|(p, _)| p[axis]);
        values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min)
    };
    side(0).max(side(1))
}

/// Noise beyond what the settings expect of a detector.
fn noise(capture: &Capture, settings: &PoseSettings, pose: &PoseResult) -> Option<Finding> {
    let detections = pose.views.iter().flat_map(|r| capture.views[r.view].keypoints.iter().flatten());
    let mut sizes: Vec<f64> = detections.map(size_px).filter(|s| s.is_finite()).collect();
    sizes.sort_by(f64::total_cmp);
    let size = *sizes.get(sizes.len() / 2)?;
    (pose.noise_px > settings.noise_fraction * size).then(|| Finding {
        severity: Severity::Info,
        code: Code::KeypointNoise,
        subject: Subject::Capture,
        what: "the keypoints are noisy for the size of the hands".to_owned(),
        evidence: vec![
            Evidence::new("deviation", pose.noise_px, "px"),
            Evidence::new("median_residual", pose.median_px, "px"),
            Evidence::new("hand_size", size, "px"),
            Evidence::new("detections_used", 100.0 * pose.assigned_share, "%"),
        ],
        action: "keypoints are weighed by the measured noise; masks and photographs refine the hands later".to_owned(),
    })
}

/// A camera that is off, or fits badly.
fn camera(
    report: &PoseViewReport,
    settings: &PoseSettings,
    cameras: &[CameraDiagnosis],
    at: &impl Fn(Part) -> Subject,
) -> Option<Finding> {
    let CameraDiagnosis { before_px: Some(before), after_px: Some(after), .. } = cameras[report.view] else {
        return None;
    };
    let mut typical: Vec<f64> = cameras.iter().filter_map(|c| c.after_px).collect();
    typical.sort_by(f64::total_cmp);
    let typical = typical[typical.len() / 2];
    let high = |px: f64| px > settings.flag_ratio * typical && px > settings.flag_min_px;
    let typical = Evidence::new("typical_residual", typical, "px");
    let finding = |code, what: &str, evidence, action: &str| Finding {
        severity: Severity::Warning,
        code,
        subject: at(Part::Camera),
        what: what.to_owned(),
        evidence,
        action: action.to_owned(),
    };
    if let Some([x, y]) = report.flagged_shift_px {
        let mut evidence = vec![
            Evidence::new("shift_x", x, "px"),
            Evidence::new("shift_y", y, "px"),
            Evidence::new("residual_before", before, "px"),
            Evidence::new("residual_after", after, "px"),
        ];
        if let Some(c) = report.correction {
            evidence.extend([
                Evidence::new("turned", c.rotation_deg, "deg"),
                Evidence::new("moved", c.centre_mm, "mm"),
                Evidence::new("principal_point_x", c.principal_px[0], "px"),
                Evidence::new("principal_point_y", c.principal_px[1], "px"),
            ]);
        }
        let action = if high(after) {
            evidence.push(typical);
            "it is repaired as far as it goes and still fits badly; calibrate it again or exclude it"
        } else {
            "it is repaired before the fit: turned, moved and its principal point shifted"
        };
        return Some(finding(Code::CameraOff, "the camera is off: all it sees lies to one side", evidence, action));
    }
    high(after).then(|| {
        let evidence = vec![Evidence::new("residual", after, "px"), typical];
        let action = "it is used as given; look at its keypoints, and exclude it if they are right";
        finding(Code::CameraResidualHigh, "it fits worse than the other cameras", evidence, action)
    })
}

/// Detections that show the other hand than they claim: one finding a view.
fn sides(report: &PoseViewReport, at: &impl Fn(Part) -> Subject) -> Option<Finding> {
    let swapped: Vec<_> =
        report.detections.iter().filter_map(|d| Some((d, d.assigned.filter(|s| *s != d.claimed)?))).collect();
    let (part, what) = match swapped[..] {
        [] => return None,
        [(d, side)] => {
            (Part::keypoints(d.claimed), format!("the detection called {} shows the {side} hand", d.claimed))
        }
        _ => (Part::Keypoints, "left and right are exchanged".to_owned()),
    };
    let distances = swapped.iter().filter_map(|(d, _)| d.after_px);
    Some(Finding {
        severity: Severity::Info,
        code: Code::SidesSwapped,
        subject: at(part),
        what,
        evidence: distances.map(|px| Evidence::new("residual_as_other_hand", px, "px")).collect(),
        action: "each detection is used for the hand it shows".to_owned(),
    })
}

/// Median distance of a detection from a hand, pixels.
fn distance_px(camera: &Camera, hand: &HandJoints, keypoints: &Keypoints) -> Option<f64> {
    let pairs = hand.joints.iter().zip(&keypoints.px).zip(&keypoints.confidence).filter(|(_, c)| **c > 0.0);
    let mut distances: Vec<f64> = pairs
        .filter_map(|((joint, px), _)| {
            let p = camera.project(&Vector3::from(*joint))?;
            Some((p.x - px[0]).hypot(p.y - px[1]))
        })
        .collect();
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len() / 2).copied()
}

/// Detections that fit no hand.
fn rejected<'a>(
    capture: &'a Capture,
    report: &'a PoseViewReport,
    pose: &'a PoseResult,
    at: &'a impl Fn(Part) -> Subject,
) -> impl Iterator<Item = Finding> + 'a {
    let camera = &pose.cameras[report.view];
    report.detections.iter().filter(|d| d.assigned.is_none()).map(move |detection| {
        let keypoints = capture.views[report.view].keypoints[detection.claimed.index()].as_ref();
        let from = |(side, hand): (Side, &HandJoints)| {
            let name = if side == Side::Left { "from_left_hand" } else { "from_right_hand" };
            Some(Evidence::new(name, distance_px(camera, hand, keypoints?)?, "px"))
        };
        let mut evidence: Vec<Evidence> = hands(pose).filter_map(from).collect();
        evidence.extend(keypoints.map(|k| Evidence::new("detection_size", size_px(k), "px")));
        Finding {
            severity: Severity::Warning,
            code: Code::DetectionRejected,
            subject: at(Part::keypoints(detection.claimed)),
            what: format!("the detection called {} fits no hand that other views see", detection.claimed),
            evidence,
            action: "it is left out".to_owned(),
        }
    })
}

/// Detections of which many keypoints count for nothing.
fn outlying<'a>(
    report: &'a PoseViewReport,
    pose: &'a PoseResult,
    at: &'a impl Fn(Part) -> Subject,
) -> impl Iterator<Item = Finding> + 'a {
    report.detections.iter().filter_map(move |detection| {
        let side = detection.assigned?;
        let seen = pose.observations[side.index()].iter().find(|o| o.view == report.view)?;
        let count = seen.weights.iter().filter(|w| **w < OUTLYING_WEIGHT).count();
        (count >= OUTLYING).then(|| Finding {
            severity: Severity::Info,
            code: Code::KeypointsOutlying,
            subject: at(Part::keypoints(detection.claimed)),
            what: format!("{count} of {KEYPOINTS} keypoints disagree with the other views"),
            evidence: detection.after_px.map(|px| Evidence::new("median_residual", px, "px")).into_iter().collect(),
            action: "these keypoints count for nothing, the others are used".to_owned(),
        })
    })
}
