//! Findings that need no joints: the rig, masks, light, detections that are missing.

use super::{Code, Evidence, Finding, Part, Severity, Subject};
use crate::anatomy::Side;
use crate::capture::{Capture, Flag, Inspection, MaskVerdict, ViewReport, Warning};
use crate::fitting::masks::{MaskReport, MaskUse};
use nalgebra::Vector3;

/// Cameras nearer to each other than this part of the median distance between cameras stand in the same place.
const SAME_PLACE: f64 = 0.01;

/// Evidence that a detection lies beside the mask.
const KEYPOINTS_ON_MASK: &str = "keypoints_on_mask";

/// Adds what the reader noticed and what was measured, as far as `findings` (of the pose stage) do not say it already.
/// `judged` is what became of the masks in a run, as far as there is one.
pub(super) fn add(
    capture: &Capture,
    inspection: &Inspection,
    used: &[bool],
    judged: &[Option<MaskReport>],
    findings: &mut Vec<Finding>,
) {
    findings.extend(reader_notes(capture));
    findings.extend(coinciding(capture, used));
    for (view, report) in inspection.views.iter().enumerate().filter(|(view, _)| used[*view]) {
        let at = |part| Subject::View { view, name: report.name.clone(), part };
        findings.extend(match judged.get(view).and_then(Option::as_ref) {
            Some(judged) => judged_mask(report, judged, &at),
            None => mask(report, &at),
        });
        keypoints(view, report, inspection, &at, findings);
        // Skin is measured under the bones. A wrong detection beside the hands measures the background.
        let misled = findings.iter().any(|f| {
            let beside = f.evidence.iter().any(|e| e.name == KEYPOINTS_ON_MASK);
            f.code == Code::DetectionRejected && f.subject.view() == Some(view) && beside
        });
        findings.extend(light(report, &at).into_iter().filter(|f| !misled || f.code == Code::Overexposed));
    }
}

/// The reader's own words. Files that are not there show in the views, which say what it means.
fn reader_notes(capture: &Capture) -> impl Iterator<Item = Finding> + '_ {
    capture.warnings.iter().filter(|w| !matches!(w, Warning::Missing { .. })).map(|warning| Finding {
        severity: Severity::Warning,
        code: Code::ReaderNote,
        subject: Subject::Capture,
        what: warning.to_string(),
        evidence: Vec::new(),
        action: "the capture is used as described; correct the folder if that is not what you mean".to_owned(),
    })
}

/// Cameras in the same place see the same: no depth between them.
fn coinciding(capture: &Capture, used: &[bool]) -> Vec<Finding> {
    let centres: Vec<(usize, Vector3<f64>)> =
        capture.views.iter().enumerate().filter(|(v, _)| used[*v]).map(|(v, view)| (v, view.camera.centre())).collect();
    let mut distances: Vec<f64> = centres
        .iter()
        .enumerate()
        .flat_map(|(i, (_, a))| centres[i + 1..].iter().map(move |(_, b)| (a - b).norm()))
        .collect();
    distances.sort_by(f64::total_cmp);
    // With two cameras there is nothing to compare with; the angle between them tells (`narrow_rig`).
    if centres.len() < 3 {
        return Vec::new();
    }
    let limit = SAME_PLACE * distances[distances.len() / 2];
    let mut found = Vec::new();
    for (i, (view, centre)) in centres.iter().enumerate() {
        let Some((other, at)) = centres[..i].iter().find(|(_, c)| (c - centre).norm() <= limit) else { continue };
        let view_name = |v: usize| capture.views[v].name.clone();
        found.push(Finding {
            severity: Severity::Warning,
            code: Code::CamerasCoincide,
            subject: Subject::View { view: *view, name: view_name(*view), part: Part::Camera },
            what: format!("it stands where the camera of view {} stands", view_name(*other)),
            evidence: vec![Evidence::new("distance", 1e3 * (at - centre).norm(), "mm")],
            action: "both are used; if one was calibrated or copied wrongly, exclude it".to_owned(),
        });
    }
    found
}

/// What became of the mask once the hands were fitted: it was held against them and the colours, which tells more than its
/// own looks. A mask that was trusted is no finding, whatever it looks like.
fn judged_mask(report: &ViewReport, judged: &MaskReport, at: &impl Fn(Part) -> Subject) -> Option<Finding> {
    let code = match report.mask_verdict {
        MaskVerdict::Good => Code::MaskDisagrees,
        MaskVerdict::Missing => Code::MaskMissing,
        MaskVerdict::NearlyEmpty => Code::MaskNearlyEmpty,
        MaskVerdict::Noisy => Code::MaskNoisy,
        MaskVerdict::PartlyCut => Code::MaskPartlyCut,
    };
    let (severity, action) = match judged.verdict {
        MaskUse::Trusted | MaskUse::Edited => return None,
        MaskUse::Cleaned => (Severity::Info, "it was cleaned, and is used"),
        MaskUse::Rebuilt => (Severity::Warning, "it was made anew from the fitted hands and the photograph"),
        MaskUse::Ignored => (Severity::Warning, "its silhouette is not used, the colours of the view are"),
    };
    let percent = |name, part: f64| Evidence::new(name, 100.0 * part, "%");
    let mut evidence = Vec::new();
    if let Some(given) = judged.given {
        evidence.extend([
            percent("hands_covered", given.recall),
            percent("on_the_hands", given.precision),
            percent("overlap", given.tolerant_iou),
        ]);
        evidence.extend(given.outline_mm.map(|mm| Evidence::new("outline_off", mm, "mm")));
    }
    evidence.extend(judged.used.map(|used| percent("overlap_as_used", used.tolerant_iou)));
    evidence.push(percent("weight_of_silhouette", judged.weight));
    let (subject, what, action) = (at(Part::Mask), judged.reason.clone(), action.to_owned());
    Some(Finding { severity, code, subject, what, evidence, action })
}

/// What the mask is worth by itself. Quality against the fitted hand is known after the fit only.
fn mask(report: &ViewReport, at: &impl Fn(Part) -> Subject) -> Option<Finding> {
    let (code, what) = match report.mask_verdict {
        MaskVerdict::Good => return None,
        MaskVerdict::Missing => (Code::MaskMissing, "there is no mask"),
        MaskVerdict::NearlyEmpty => (Code::MaskNearlyEmpty, "the mask is nearly empty"),
        MaskVerdict::Noisy => (Code::MaskNoisy, "the mask is in many pieces or full of holes"),
        MaskVerdict::PartlyCut => (Code::MaskPartlyCut, "part of the outline follows no edge of the photograph"),
    };
    let mut evidence: Vec<Evidence> =
        report.mask_fraction.map(|part| Evidence::new("coverage", 100.0 * part, "%")).into_iter().collect();
    let on_mask = [report.left, report.right].into_iter().flatten().filter_map(|d| d.on_mask).reduce(f64::min);
    if let Some(mask) = report.mask {
        match code {
            Code::MaskNoisy => {
                evidence.push(Evidence::count("pieces", mask.fragments));
                evidence.push(Evidence::count("holes", mask.holes));
            }
            Code::MaskPartlyCut => {
                evidence.push(Evidence::new("outline_without_edge", 100.0 * mask.open_outline, "%"));
            }
            _ => evidence.extend(on_mask.map(|part| Evidence::new(KEYPOINTS_ON_MASK, 100.0 * part, "%"))),
        }
    }
    let action = match code {
        Code::MaskMissing => "the view takes part without a silhouette; add a mask for a better outline",
        _ => "it is compared with the fitted hand, and its silhouette is used only where the two agree",
    };
    let subject = at(Part::Mask);
    Some(Finding {
        severity: Severity::Warning,
        code,
        subject,
        what: what.to_owned(),
        evidence,
        action: action.to_owned(),
    })
}

/// Detections that are missing, or lie beside the mask without a reason that is known already.
fn keypoints(
    view: usize,
    report: &ViewReport,
    inspection: &Inspection,
    at: &impl Fn(Part) -> Subject,
    findings: &mut Vec<Finding>,
) {
    let missing = [(Side::Left, Flag::NoLeft), (Side::Right, Flag::NoRight)];
    let missing: Vec<Side> = missing.into_iter().filter(|(_, f)| report.flags.contains(f)).map(|(s, _)| s).collect();
    let seen = |side: Side| {
        let of = |v: &ViewReport| if side == Side::Left { v.left } else { v.right };
        inspection.views.iter().filter(|v| of(v).is_some()).count()
    };
    if report.left.is_none() && report.right.is_none() {
        findings.push(Finding {
            severity: Severity::Warning,
            code: Code::NoDetections,
            subject: at(Part::Keypoints),
            what: "no hand was detected".to_owned(),
            evidence: Side::BOTH.map(|s| Evidence::count(seen_name(s), seen(s))).to_vec(),
            action: "the joints come from the other views; this one takes part with its photograph and mask".to_owned(),
        });
    } else if let [side] = missing[..] {
        findings.push(Finding {
            severity: Severity::Info,
            code: Code::HandNotDetected,
            subject: at(Part::keypoints(side)),
            what: format!("the {side} hand was not detected"),
            evidence: vec![Evidence::count(seen_name(side), seen(side))],
            action: format!("the {side} hand's joints come from the other views"),
        });
    }
    if !report.flags.contains(&Flag::KeypointsOffMask) {
        return;
    }
    let said = |f: &&mut Finding| {
        let known = matches!(
            f.code,
            Code::DetectionRejected | Code::MaskNoisy | Code::MaskPartlyCut | Code::MaskDisagrees | Code::CameraOff
        );
        known && f.subject.view() == Some(view)
    };
    for (side, detection) in Side::BOTH.into_iter().zip([report.left, report.right]) {
        let Some(on_mask) = detection.and_then(|d| d.on_mask).filter(|on| *on < 0.5) else { continue };
        let evidence = Evidence::new(KEYPOINTS_ON_MASK, 100.0 * on_mask, "%");
        // Of several explanations the rejected detection is the nearest.
        let part = Part::keypoints(side);
        let mut reasons: Vec<&mut Finding> = findings.iter_mut().filter(said).collect();
        reasons.sort_by_key(|f| !matches!(&f.subject, Subject::View { part: p, .. } if *p == part));
        if let Some(reason) = reasons.into_iter().next() {
            reason.evidence.push(evidence);
            continue;
        }
        findings.push(Finding {
            severity: Severity::Warning,
            code: Code::KeypointsOffMask,
            subject: at(part),
            what: "more than half of the detected hand lies outside the mask".to_owned(),
            evidence: vec![evidence],
            action: "the detection agrees with the other views and is used; look at the mask".to_owned(),
        });
    }
}

const fn seen_name(side: Side) -> &'static str {
    match side {
        Side::Left => "views_with_left",
        Side::Right => "views_with_right",
    }
}

/// Exposure and colour against the rig.
fn light(report: &ViewReport, at: &impl Fn(Part) -> Subject) -> Vec<Finding> {
    let own_light = "light and exposure are fitted for each view by itself";
    let percent = |name, part: Option<f64>| part.map(|part| Evidence::new(name, 100.0 * part, "%"));
    let mut found = Vec::new();
    let mut say = |flag: Flag, severity, code, what: &str, evidence: Vec<Option<Evidence>>, action: &str| {
        if report.flags.contains(&flag) {
            found.push(Finding {
                severity,
                code,
                subject: at(Part::Exposure),
                what: what.to_owned(),
                evidence: evidence.into_iter().flatten().collect(),
                action: action.to_owned(),
            });
        }
    };
    let stops = report.hand_stops.map(|stops| Evidence::new("skin_against_median_view", stops, "EV"));
    say(Flag::Dark, Severity::Info, Code::Dark, "the hands are dark", vec![stops], own_light);
    let clipped = percent("clipped_picture", Some(report.clipped));
    let what = "much of the picture is clipped";
    let action = "only the hands count; nothing is lost where the skin is not clipped";
    say(Flag::Overexposed, Severity::Info, Code::Overexposed, what, vec![clipped], action);
    let clipped = percent("clipped_skin", report.hand_clipped);
    let what = "much of the skin is clipped: its colour is lost there";
    let action = "the other views decide the colour by their number; exclude this one if the albedo comes out pale";
    say(Flag::HandsOverexposed, Severity::Warning, Code::HandsOverexposed, what, vec![clipped], action);
    let shift =
        |name, k: usize| report.hand_colour_shift.map(|shift| Evidence::new(name, 100.0 * (shift[k].exp() - 1.0), "%"));
    let evidence = vec![shift("green_over_red", 0), shift("blue_over_red", 1)];
    let what = "the skin has another colour than in the other views";
    say(
        Flag::ColourCast,
        Severity::Info,
        Code::ColourCast,
        what,
        evidence,
        "a gain per colour is fitted for each view",
    );
    found
}
