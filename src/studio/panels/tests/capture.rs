//! How the capture was read, set by hand, and read again; and the figures for developers.

use super::super::*;
use super::bench::Bench;
use crate::capture::{CaptureError, Format, OpenOptions, Units};
use crate::studio::Problem;
use crate::studio::session::Effect;
use crate::studio::testing::{inferences, test_capture};
use crate::studio::worker::{Command, Event};
use egui::{Key, Modifiers};
use std::sync::Arc;

/// With the panel open, and room for all of it.
fn reading() -> Bench {
    let mut bench = Bench::opened();
    bench.size = egui::vec2(1280.0, 1600.0);
    bench.settle();
    bench.click_exactly("Capture");
    bench.settle();
    bench
}

/// The folder and the options that the worker is asked to read.
fn asked(effect: Option<Effect>) -> (std::path::PathBuf, OpenOptions) {
    let Some(Effect::Send(Command::Open(path, options))) = effect else { panic!("a request to read: {effect:?}") };
    (path, *options)
}

fn opened(bench: &mut Bench, options: OpenOptions) {
    let mut capture = test_capture(4);
    (capture.inferences, capture.options) = (inferences(&options), options);
    let results = "two_lumps.thenar/runs".into();
    bench.session.on_event(Event::Opened {
        capture: Arc::new(capture),
        thumbnails: Vec::new(),
        run: None,
        has_engine: false,
        results,
    });
}

#[test]
fn every_inferred_fact_is_listed_with_its_reason() {
    let mut bench = reading();
    let capture = bench.session.capture.clone().expect("opened");
    assert!(!capture.inferences.is_empty(), "there is something to tell");
    for inference in &capture.inferences {
        assert!(bench.says(&inference.what) && bench.says(&inference.reason), "{inference}");
        assert!(bench.says(&inference.value), "{inference}");
    }
    for words in ["as found: opencv", "as found: world-to-camera", "as found: m", "left in 4 of 4 views"] {
        assert!(bench.says(words), "`{words}` is on screen: {:?}", bench.texts);
    }
    assert!(bench.missing_glyphs().is_empty(), "no boxes: {:?}", bench.missing_glyphs());
    bench.key(Key::I, Modifiers::NONE);
    bench.settle();
    assert!(!bench.says("as found: opencv") && bench.says("albedo_epochs"), "I closes it");
    bench.key(Key::I, Modifiers::NONE);
    bench.settle();
    assert!(bench.says("as found: opencv"), "and opens it");
}

#[test]
fn what_is_set_by_hand_is_applied_by_opening_again_and_choices_about_views_stand() {
    let mut bench = reading();
    let _ = bench.session.apply(Action::ToggleExclude(1));
    let _ = bench.session.apply(Action::SetResults(Some("elsewhere".into())));
    assert_eq!(bench.session.reading_changes(), 0, "all as found");
    bench.click("as found: m");
    bench.settle();
    bench.click_exactly("mm");
    bench.settle();
    assert_eq!(bench.session.reading.units, Some(Units::MILLIMETRES), "chosen");
    assert!(bench.says("1 not applied"), "and not in force yet");
    assert_eq!(bench.click_exactly("Open again"), [Action::OpenAgain], "the button applies it");
    assert_eq!(bench.key(Key::O, Modifiers::COMMAND | Modifiers::SHIFT), [Action::OpenAgain], "and so does its key");
    let (path, options) = asked(bench.session.apply(Action::OpenAgain));
    assert_eq!(path, bench.session.capture.as_ref().expect("opened").root, "the same folder");
    assert_eq!(options, OpenOptions { units: Some(Units::MILLIMETRES), ..OpenOptions::default() }, "read so");
    assert!(bench.session.why_not_open_again().is_some(), "one at a time");
    opened(&mut bench, options);
    bench.settle();
    assert!(bench.says("set by hand") && !bench.says("not applied"), "it is in force, and says so");
    assert!(bench.session.excluded.contains(&1), "what was chosen for the views stands");
    assert_eq!(bench.session.results, Some("elsewhere".into()), "and the folder for results");
    assert!(bench.click_exactly("All as found").is_empty(), "nothing happens outside");
    assert_eq!((bench.session.reading.clone(), bench.session.reading_changes()), (OpenOptions::default(), 1), "back");
    let (_, options) = asked(bench.session.apply(Action::Open("other".into())));
    assert_eq!(options, OpenOptions::default(), "another folder is read as found");
    opened(&mut bench, options);
    assert!(bench.session.excluded.is_empty() && bench.session.results.is_none(), "and begins anew");
}

#[test]
fn a_unit_of_any_length_and_an_instant_can_be_set() {
    let mut bench = reading();
    bench.click("as found: m");
    bench.settle();
    bench.click_exactly("other");
    bench.settle();
    assert_eq!(bench.session.reading.units, Some(Units(0.0254)), "an inch, to begin with");
    assert!(bench.says("0.0254"), "as a number to be changed: {:?}", bench.texts);
    bench.click_exactly("as found");
    bench.frame(vec![egui::Event::Text("0007".to_owned())]);
    assert_eq!(bench.session.reading.frame.as_deref(), Some("0007"), "the instant");
    assert_eq!(bench.session.reading_changes(), 2, "both");
}

#[test]
fn the_controls_are_reached_by_keyboard() {
    let mut bench = reading();
    let axes = bench.texts.iter().filter(|(t, _)| t == "as found: opencv").map(|(_, r)| r.center()).next_back();
    let axes = axes.expect("the camera axes are on screen");
    let focused = |bench: &Bench| {
        let id = bench.ctx.memory(|m| m.focused())?;
        bench.ctx.read_response(id)
    };
    let reached = (0..200).any(|_| {
        assert!(bench.key(Key::Tab, Modifiers::NONE).is_empty(), "only the focus moves");
        bench.settle();
        focused(&bench).is_some_and(|r| r.rect.contains(axes))
    });
    assert!(reached, "Tab comes to the list of camera axes");
    assert!(bench.key(Key::Enter, Modifiers::NONE).is_empty(), "Enter is for what has the focus");
    bench.settle();
    assert!(bench.says("opengl"), "and opens the list");
}

#[test]
fn finding_keypoints_again_is_what_detect_is() {
    let mut bench = reading();
    bench.click_exactly("Find keypoints again");
    assert!(bench.session.detect, "ticked");
    let Some(Effect::Send(Command::Start(request))) = bench.session.apply(Action::Start) else { panic!("it starts") };
    assert!(request.detect, "the run is told");
    let mut bench = Bench::opened();
    let mut capture = test_capture(4);
    capture.views.iter_mut().for_each(|v| v.keypoints = [None, None]);
    bench.session.capture = Some(Arc::new(capture));
    bench.session.ui.bring(Pane::Capture);
    bench.settle();
    bench.click_exactly("Find keypoints again");
    assert!(!bench.session.detect && bench.says("found in the images"), "without own ones there is no choice");
    let Some(Effect::Send(Command::Start(request))) = bench.session.apply(Action::Start) else { panic!("it starts") };
    assert!(!request.detect, "nothing was asked for");
}

#[test]
fn a_folder_that_cannot_be_read_can_be_read_otherwise_from_its_error() {
    let mut bench = Bench::new();
    bench.size = egui::vec2(1000.0, 700.0);
    let (path, options) = asked(bench.session.apply(Action::Open("room".into())));
    let error = CaptureError::Ambiguous { path: path.clone(), candidates: "colmap, transforms".to_owned() };
    let problem = Problem::opening(&path, &error.into());
    assert!(!problem.remedy.contains("--"), "no command line here: {problem:?}");
    bench.session.on_event(Event::Refused { path, options, problem });
    bench.settle();
    assert!(bench.says("several calibrations") && bench.says("pixel centre"), "the error, and what can be set");
    bench.click_exactly("as found");
    bench.settle();
    bench.click_exactly("colmap");
    bench.settle();
    assert_eq!(bench.click_exactly("Open again"), [Action::OpenRefused], "tried once more");
    let (path, options) = asked(bench.session.apply(Action::OpenRefused));
    assert_eq!((path, options.format), ("room".into(), Some(Format::Colmap)), "the same folder, so read");
    assert!(bench.session.banner.is_none() && bench.session.refused.is_none(), "the error is gone meanwhile");
}

#[test]
fn figures_for_developers_are_hidden_until_they_are_asked_for() {
    let mut bench = Bench::finished();
    bench.settle();
    assert!(!bench.says("PHASES"), "hidden");
    bench.key(Key::F12, Modifiers::NONE);
    bench.settle();
    for words in ["PHASES", "epochs/s", "ms, median", "ham shape", "20.0"] {
        assert!(bench.says(words), "`{words}` is on screen: {:?}", bench.texts);
    }
    assert!(bench.missing_glyphs().is_empty(), "no boxes: {:?}", bench.missing_glyphs());
    bench.key(Key::F12, Modifiers::NONE);
    bench.settle();
    assert!(!bench.says("PHASES"), "F12 again hides them");
}
