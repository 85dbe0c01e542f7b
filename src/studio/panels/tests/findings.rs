//! The list of findings and the residuals of cameras.

use super::super::*;
use super::bench::Bench;
use crate::fitting::pose::{PoseSettings, Triangulator};
use crate::pipeline::{Code, Severity, diagnose};
use crate::studio::testing::test_capture;
use crate::studio::worker::Event;
use egui::{Key, Modifiers};
use std::sync::Arc;

/// A capture of eight views whose view 3 lies 12 px aside, examined.
fn examined() -> Bench {
    let mut bench = Bench::new();
    // High enough for the whole list.
    bench.size = egui::vec2(1400.0, 1600.0);
    let mut capture = test_capture(8);
    capture.views[3].camera.k[(0, 2)] -= 12.0;
    let capture = Arc::new(capture);
    let thumbnails = capture.views.iter().map(|v| crate::studio::picture::thumbnail(&v.image, 64)).collect();
    let opened = Arc::clone(&capture);
    let results = "two_lumps.thenar/runs".into();
    bench.session.on_event(Event::Opened { capture: opened, thumbnails, run: None, has_engine: false, results });
    let diagnosis = Arc::new(diagnose(&capture, &[], &PoseSettings::default(), &Triangulator::Reference));
    bench.session.on_event(Event::Diagnosed { capture, diagnosis });
    bench
}

fn index_of(bench: &Bench, code: Code) -> usize {
    let found = bench.session.findings();
    found.iter().position(|f| f.code == code).unwrap_or_else(|| panic!("{code:?} is not among {found:#?}"))
}

#[test]
fn the_button_opens_the_list_and_the_list_says_everything() {
    let mut bench = examined();
    bench.settle();
    assert!(!bench.says("⚠ warning") && bench.says("albedo_epochs"), "the parameters come first");
    bench.click("findings");
    bench.settle();
    let finding = bench.session.findings()[index_of(&bench, Code::CameraOff)].clone();
    assert_eq!((finding.severity, finding.subject.view()), (Severity::Warning, Some(3)), "the camera that is off");
    for words in ["Findings", "⚠ warning", "view 03, camera", &finding.what, "shift x 12", "▶ it is repaired"] {
        assert!(bench.says(words), "`{words}` is on screen: {:?}", bench.texts);
    }
    assert!(bench.missing_glyphs().is_empty(), "no boxes: {:?}", bench.missing_glyphs());
    bench.click("findings");
    bench.settle();
    assert!(!bench.says("⚠ warning") && bench.says("albedo_epochs"), "and closes it");
}

#[test]
fn a_click_on_a_finding_selects_its_view_and_keys_walk_through_the_list() {
    let mut bench = examined();
    bench.session.ui.bring(Pane::Findings);
    bench.settle();
    let index = index_of(&bench, Code::CameraOff);
    assert_eq!(bench.click("view 03, camera"), [Action::Finding(index)], "a click selects the finding");
    assert!(bench.session.apply(Action::Finding(index)).is_none(), "nothing happens outside");
    assert_eq!((bench.session.selected, bench.session.finding), (3, Some(index)), "and its view");
    bench.session.ui.bring(Pane::Parameters);
    assert_eq!(bench.key(Key::N, Modifiers::NONE), [Action::FindingBy(1)], "N is the next finding");
    assert_eq!(bench.key(Key::N, Modifiers::SHIFT), [Action::FindingBy(-1)], "Shift+N the previous one");
    let count = bench.session.findings().len();
    for step in 1..=count {
        let _ = bench.session.apply(Action::FindingBy(1));
        assert_eq!(bench.session.finding, Some((index + step) % count), "round and round");
    }
    assert!(bench.session.ui.shows(Pane::Findings), "the list is shown");
}

#[test]
fn many_of_a_kind_are_folded_under_their_views_and_unfold_for_the_one_that_is_gone_to() {
    let mut bench = Bench::opened();
    bench.size = egui::vec2(1400.0, 1600.0);
    let mut capture = test_capture(8);
    for view in [1, 2, 5, 6] {
        capture.views[view].mask = None;
    }
    let capture = Arc::new(capture);
    bench.session.capture = Some(Arc::clone(&capture));
    let diagnosis = Arc::new(diagnose(&capture, &[], &PoseSettings::default(), &Triangulator::Reference));
    bench.session.on_event(Event::Diagnosed { capture, diagnosis });
    bench.session.ui.bring(Pane::Findings);
    bench.settle();
    let first = index_of(&bench, Code::MaskMissing);
    let what = bench.session.findings()[first].what.clone();
    for words in ["mask missing × 4", "views 01, 02, 05, 06"] {
        assert!(bench.says(words), "one heading for four, `{words}`: {:?}", bench.texts);
    }
    assert!(!bench.says(&what), "which hides them");
    let _ = bench.session.apply(Action::Finding(first + 2));
    bench.settle();
    assert!(bench.says(&what) && bench.says("view 05, mask"), "until one of them is selected: {:?}", bench.texts);
}

#[test]
fn cameras_are_coloured_by_their_residuals_as_given_and_as_repaired() {
    let mut bench = examined();
    bench.settle();
    let (low, high) = (bench.session.view_colour(0), bench.session.view_colour(3));
    assert!(low.is_some() && low != high, "the camera that is off stands out: {low:?} {high:?}");
    let given = bench.session.residual_px(3).expect("measured");
    assert!(given > 10.0, "as given: {given}");
    for words in ["residual, cameras as given", "20 px", &format!("{given:.1} px")] {
        assert!(bench.says(words), "`{words}` is on screen");
    }
    bench.session.run_dir = Some("run".into());
    bench.settle();
    assert!(bench.session.residual_px(3).is_some_and(|px| px < 1.0), "a run uses it as repaired");
    assert!(bench.says("residual, cameras as repaired"), "and the legend says so");
    bench.session.ui.show_residuals = false;
    bench.settle();
    assert!(!bench.says("residual, cameras"), "switched off the legend is gone");
    assert_eq!(bench.session.view_colour(3), None, "and the colours");
}

#[test]
fn a_diagnosis_of_a_capture_that_was_closed_is_not_shown() {
    let mut bench = examined();
    let other = Arc::new(test_capture(8));
    let diagnosis = Arc::new(diagnose(&other, &[], &PoseSettings::default(), &Triangulator::Reference));
    let before = bench.session.findings().len();
    bench.session.on_event(Event::Diagnosed { capture: other, diagnosis });
    assert_eq!(bench.session.findings().len(), before, "the open capture's findings stay");
}

#[test]
fn a_capture_that_cannot_be_used_opens_the_list_by_itself() {
    let mut bench = Bench::opened();
    let capture = bench.session.capture.clone().expect("opened");
    let diagnosis = diagnose(&capture, &[false; 4], &PoseSettings::default(), &Triangulator::Reference);
    bench.session.on_event(Event::Diagnosed { capture, diagnosis: Arc::new(diagnosis) });
    bench.settle();
    assert!(bench.says("✖ error") && bench.session.ui.shows(Pane::Findings), "the error is on screen");
}

#[test]
fn the_loss_legend_leaves_room_for_its_slider() {
    for width in [900.0, 1200.0, 1280.0] {
        let mut bench = Bench::finished();
        bench.size = egui::vec2(width, 750.0);
        bench.settle();
        let of = |words: &str| bench.texts.iter().find(|(t, _)| t == words).map(|(_, r)| *r).expect("on screen");
        let smooth = of("smooth");
        for name in ["total", "sfs", "lap", "albedo", "mask", "delta"] {
            // The timeline and the phases have names of their own: all that stand in the legend's rows.
            let hits =
                bench.texts.iter().filter(|(t, r)| t == name && r.intersects(smooth.expand2(egui::vec2(130.0, 0.0))));
            for (_, rect) in hits {
                assert!(
                    rect.right() < smooth.left(),
                    "{width}: `{name}` ends at {rect:?}, the slider begins at {smooth:?}"
                );
            }
        }
    }
}
