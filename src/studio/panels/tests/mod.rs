//! The panels without a window: an `egui::Context`, a session, the test engine.

mod bench;
mod capture;
mod closing;
mod commands;
mod compare;
mod dock;
mod edit;
mod findings;
mod layout;
mod names;
mod painter;
mod pose;
mod runs;
mod snapshots;

use super::*;
use crate::studio::errands::{Card, Errand, Found};
use crate::studio::session::{Effect, RunState, RunsAction, TimeAction};
use crate::studio::worker::{Command, Event, TakenSnapshot};
use bench::Bench;
use egui::{Event as Input, Key, Modifiers, pos2, vec2};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn the_empty_window_explains_itself() {
    let mut bench = Bench::new();
    bench.settle();
    assert!(bench.says("What a capture folder contains"), "it says what to open");
    assert!(!bench.says("Reconstruct"), "and offers nothing that cannot be done");
    assert_eq!(bench.click("Open capture…"), [Action::OpenDialog], "the big button opens the dialog");
    assert_eq!(bench.centre.size(), egui::Vec2::ZERO, "no 3D view yet");
}

#[test]
fn recent_folders_and_an_interrupted_run_are_one_click_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, run) = (folder.path().join("studio.ron"), folder.path().join("room.thenar/runs/1"));
    let mut bench = Bench::opened();
    bench.session.remember_in(file.clone());
    let _ = bench.session.apply(Action::Start);
    bench.session.on_event(Event::Started { run_dir: run.clone(), steps: Vec::new() });
    let (path, text) = bench.session.wants_settings_saved().expect("the run is noted");
    assert_eq!(path, file, "in the file");
    assert!(bench.session.wants_settings_saved().is_none(), "once");
    std::fs::write(&path, text).expect("writes");
    // The window goes away, and is opened again.
    let mut bench = Bench::new();
    bench.session.remember_in(file.clone());
    bench.settle();
    assert!(!bench.says("A run was under way"), "a run whose folder is gone is not offered");
    assert_eq!(bench.click("room · 1"), [Action::Open(run.clone())], "a recent folder, with its capture");
    std::fs::create_dir_all(&run).and_then(|()| std::fs::write(run.join("run.ron"), "")).expect("writes");
    let mut bench = Bench::new();
    bench.session.remember_in(file);
    bench.settle();
    assert!(bench.says("A run was under way"), "an interrupted run is offered");
    assert_eq!(bench.click("Open it"), [Action::Open(run)], "one click");
    assert_eq!(bench.click("Not now"), [Action::DismissInterrupted], "or not");
    let _ = bench.session.apply(Action::DismissInterrupted);
    bench.settle();
    assert!(!bench.says("A run was under way"), "and that is the end of it");
}

#[test]
fn the_first_screen_has_cards_and_a_sample_in_one_click() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("studio.ron");
    let mut bench = Bench::new();
    bench.settle();
    assert_eq!(bench.click("Try the sample"), [Action::TrySample], "one click");
    let _ = bench.session.apply(Action::TrySample);
    assert_eq!(bench.session.on_found(Found::SampleAt(3, 12)), None, "it is being made");
    bench.settle();
    assert!(bench.says("photograph 3 of 12"), "how far it is");
    std::fs::write(&file, "(recent: [\"/a/room\", \"/a/hall\"])").expect("written");
    bench.session.remember_in(file);
    let card = Card {
        folder: "/a/room".into(),
        image: Some(image::RgbImage::new(64, 48)),
        date: Some("2026-03-01".to_owned()),
        psnr_db: Some(31.04),
    };
    assert_eq!(bench.session.on_found(Found::Card(card)), None, "kept");
    bench.settle();
    assert!(bench.says("2026-03-01 · 31.0 dB"), "day and PSNR");
    assert_eq!(bench.click_exactly("hall"), [Action::Open("/a/hall".into())], "a card without a picture opens too");
    let asked = std::iter::from_fn(|| bench.session.next_errand());
    assert!(asked.into_iter().any(|e| matches!(e, Errand::Cards(list) if list.len() == 2)), "cards were sent for");
}

#[test]
fn curves_of_other_runs_have_a_legend_and_can_be_hidden_there() {
    let mut bench = Bench::finished();
    bench.size = vec2(1600.0, 1000.0);
    bench.settle();
    assert_eq!(bench.click_exactly("Runs"), [Action::Runs(RunsAction::List)], "opening the menu looks for runs");
    let other: std::path::PathBuf = "two_lumps.thenar/runs/other".into();
    assert_eq!(bench.session.on_found(Found::Runs(vec![other.clone()])), None, "kept");
    bench.settle();
    assert_eq!(bench.click_exactly("other"), [Action::Runs(RunsAction::Toggle(other.clone()))], "a tick shows it");
    let steps = bench.session.steps[..40].to_vec();
    assert_eq!(bench.session.on_found(Found::Curves(other.clone(), Ok(steps))), None, "read");
    bench.key(Key::Escape, Modifiers::NONE);
    bench.settle();
    assert!(bench.says("in the colours above,") && bench.says("Runs 2"), "the legend");
    assert!(bench.missing_glyphs().is_empty(), "no boxes: {:?}", bench.missing_glyphs());
    assert_eq!(bench.click_exactly("other"), [Action::Runs(RunsAction::Toggle(other))], "a click hides it");
}

#[test]
fn the_default_layout_leaves_the_centre_to_the_3d_view() {
    let mut bench = Bench::opened();
    for size in [vec2(1280.0, 800.0), vec2(1600.0, 1000.0), vec2(LEAST_SIZE[0], LEAST_SIZE[1])] {
        bench.size = size;
        bench.settle();
        assert!(
            bench.centre.width() > 0.3 * size.x && bench.centre.height() > 0.4 * size.y,
            "{size}: {:?}",
            bench.centre
        );
    }
    // In the least window the parameters are to be scrolled to.
    bench.size = vec2(1280.0, 800.0);
    bench.settle();
    for words in ["Views", "Parameters", "Pose", "Findings", "Loss", "Log", "4 views", "draft", "albedo_epochs"] {
        assert!(bench.says(words) || words == "draft", "`{words}` is on screen");
    }
}

#[test]
fn reconstruct_asks_the_worker_with_preset_changes_and_exclusions() {
    let mut bench = Bench::opened();
    bench.session.overrides.insert("ham.weight_lap".to_owned(), 500.0);
    bench.settle();
    assert_eq!(bench.key(Key::X, Modifiers::NONE), [Action::ToggleExclude(0)], "X excludes the selected view");
    assert!(bench.session.apply(Action::ToggleExclude(0)).is_none(), "no effect outside");
    let actions = bench.click("Reconstruct");
    assert_eq!(actions, [Action::Start], "the button starts");
    let Some(Effect::Send(Command::Start(request))) = bench.session.apply(Action::Start) else {
        panic!("a start request")
    };
    assert_eq!(request.preset, "standard", "the default preset");
    assert_eq!(request.excluded, [0], "without the excluded view");
    assert_eq!(request.overrides, [("ham.weight_lap".to_owned(), 500.0)], "with the change");
    bench.settle();
    assert!(bench.click("Reconstruct").is_empty(), "no second start while one is under way");
    assert!(bench.session.why_not_start().is_some_and(|w| w.contains("under way")), "and it says why");
}

#[test]
fn too_few_views_or_no_device_disable_reconstruct() {
    let mut bench = Bench::opened();
    for view in 0..3 {
        let _ = bench.session.apply(Action::ToggleExclude(view));
    }
    bench.settle();
    assert!(bench.click("Reconstruct").is_empty(), "one view is not enough");
    assert!(bench.session.why_not_start().is_some_and(|w| w.contains("two views")), "and it says why");
    let mut bench = Bench::opened();
    bench.session.on_event(Event::Device(Err("no driver".to_owned())));
    bench.settle();
    assert!(bench.says("no device"), "the bar shows it");
    assert!(bench.click("Reconstruct").is_empty(), "nothing to compute on");
}

#[test]
fn the_bar_says_what_is_computed_on_and_how_much_is_held_there() {
    let mut bench = Bench::finished();
    bench.session.device = Some(Ok("llvmpipe (LLVM 15.0.6, 256 bits) (software)".to_owned()));
    bench.settle();
    assert!(bench.texts.iter().any(|(t, _)| t == "llvmpipe"), "the device alone while nothing is known");
    let mut newest = bench.session.track.unpack(2).expect("a snapshot");
    newest.step = 9999;
    let taken = TakenSnapshot { snapshot: Arc::new(newest), cost: Duration::ZERO, device_bytes: Some(612_300_000) };
    bench.session.on_snapshot(taken);
    bench.settle();
    assert!(bench.texts.iter().any(|(t, _)| t == "llvmpipe · 613 MB"), "and its memory: {:?}", bench.session.device);
}

#[test]
fn errors_say_what_and_what_to_do_and_can_be_dismissed() {
    let mut bench = Bench::new();
    let error = crate::capture::CaptureError::Unusable {
        path: "caps/x/camera/param.npz".into(),
        problem: "the file ends in the middle of array `world_mat_3`".to_owned(),
        remedy: "Copy the file again".to_owned(),
    };
    let problem = crate::studio::Problem::opening(std::path::Path::new("caps/x"), &anyhow::Error::from(error));
    bench.session.opening = Some("caps/x".into());
    bench.session.on_event(Event::Failed(problem));
    bench.settle();
    for words in ["param.npz", "world_mat_3", "was not opened", "Copy the file again"] {
        assert!(bench.says(words), "`{words}` is on screen");
    }
    assert_eq!(bench.click("Dismiss"), [Action::DismissBanner], "it can be closed");
    let _ = bench.session.apply(Action::DismissBanner);
    bench.settle();
    assert!(!bench.says("world_mat_3"), "and is gone then");
}

#[test]
fn a_finished_run_shows_curves_pictures_and_scores() {
    let mut bench = Bench::finished();
    bench.settle();
    for words in ["sfs", "total", "finished", "photograph", "render", "PSNR", "ham shape"] {
        assert!(bench.says(words), "`{words}` is on screen");
    }
    let mut empty = Bench::opened();
    empty.settle();
    for words in ["sfs", "total", "finished", "PSNR"] {
        assert!(!empty.texts.iter().any(|(t, _)| t.starts_with(words)), "`{words}` is not on screen without a run");
    }
}

#[test]
fn scrubbing_moves_mesh_cursor_and_picture_together_and_live_comes_back() {
    let mut bench = Bench::finished();
    bench.settle();
    let last = bench.session.shown.as_ref().map(|s| s.step).expect("something is shown");
    let actions = bench.key(Key::Home, Modifiers::NONE);
    assert_eq!(actions, [Action::Scrub(0)], "Home is the start");
    let before = bench.session.shown_revision;
    let _ = bench.session.apply(Action::Scrub(0));
    let shown = bench.session.shown.clone().expect("a snapshot");
    assert!(shown.step < last && bench.session.shown_revision > before, "an earlier mesh is shown");
    assert!(bench.session.picture().is_none(), "the picture of another step is not passed off as this one's");
    let frames = bench.session.track.frames().len();
    let with_mesh =
        (0..frames).find(|&i| bench.session.track.unpack(i).is_some_and(|s| !s.hands.is_empty())).expect("a mesh");
    let _ = bench.session.apply(Action::Scrub(with_mesh));
    let wanted = bench.session.wants_picture().expect("the picture of the scrubbed step is asked for");
    assert_eq!(wanted.snapshot.step, bench.session.shown.as_ref().map_or(0, |s| s.step), "of the same step");
    assert_eq!(bench.key(Key::End, Modifiers::NONE), [Action::GoLive], "End is live");
    let _ = bench.session.apply(Action::GoLive);
    assert_eq!(bench.session.shown.as_ref().map(|s| s.step), Some(last), "back at the newest");
    bench.settle();
    let ticks = bench.texts.iter().find(|(t, _)| t == "albedo").map(|(_, r)| *r);
    let actions = bench.click_at(ticks.map_or_else(|| pos2(0.0, 0.0), |r| r.center()));
    assert!(matches!(actions.as_slice(), [Action::Scrub(_)]), "a click on the timeline scrubs: {actions:?}");
}

#[test]
fn new_snapshots_do_not_disturb_a_scrubbed_view() {
    let mut bench = Bench::finished();
    bench.session.state = RunState::Running;
    let _ = bench.session.apply(Action::Scrub(1));
    let (step, revision) = (bench.session.shown.as_ref().map(|s| s.step), bench.session.shown_revision);
    let mut newer = bench.session.track.unpack(2).expect("a snapshot");
    newer.step = 9999;
    bench.session.on_snapshot(TakenSnapshot { snapshot: Arc::new(newer), cost: Duration::ZERO, device_bytes: None });
    assert_eq!(bench.session.shown.as_ref().map(|s| s.step), step, "the scrubbed mesh stays");
    assert_eq!(bench.session.shown_revision, revision, "and is not rebuilt");
    let _ = bench.session.apply(Action::GoLive);
    assert_eq!(bench.session.shown.as_ref().map(|s| s.step), Some(9999), "live shows what came meanwhile");
}

#[test]
fn the_wipe_follows_the_mouse_and_views_are_selected_by_click() {
    let mut bench = Bench::finished();
    bench.size = vec2(1600.0, 1000.0);
    bench.settle();
    let tag = |b: &Bench, t: &str| b.texts.iter().find(|(s, _)| s == t).map(|(_, r)| r.center()).expect("a tag");
    let at = tag(&bench, "render · shaded");
    let before = bench.session.ui.wipe;
    bench.click_at(at);
    assert!(bench.session.ui.wipe > before + 0.1, "the handle jumps to the click: {}", bench.session.ui.wipe);
    let name = tag(&bench, "02");
    assert_eq!(bench.click_at(name), [Action::Select(2)], "a click on a row selects its view");
    assert_eq!(bench.key(Key::CloseBracket, Modifiers::NONE), [Action::SelectBy(1)], "] is the next view");
    let _ = bench.session.apply(Action::SelectBy(-1));
    assert_eq!(bench.session.selected, 3, "going back from the first is the last");
}

#[test]
fn typing_does_not_trigger_shortcuts() {
    let mut bench = Bench::opened();
    bench.settle();
    bench.click("filter");
    let mut actions = bench.key(Key::X, Modifiers::NONE);
    actions.extend(bench.frame(vec![Input::Text("x".to_owned())]));
    assert!(actions.is_empty(), "X is a letter while typing: {actions:?}");
    assert_eq!(bench.session.ui.log_filter, "x", "and lands in the field");
}

#[test]
fn the_export_window_offers_files_and_the_same_as_a_command() {
    let mut bench = Bench::finished();
    bench.settle();
    bench.key(Key::E, Modifiers::COMMAND);
    bench.settle();
    assert!(bench.says("GLB") && bench.says("Copy as command"), "the window is open");
    for (ticked, (name, _)) in bench.session.ui.formats.iter_mut().zip(crate::studio::export_target::FORMATS) {
        *ticked = ["glb", "npz"].contains(&name);
    }
    bench.settle();
    let exports: Vec<Rect> = bench.texts.iter().filter(|(t, _)| t == "Export").map(|(_, r)| *r).collect();
    let mut actions = Vec::new();
    for rect in exports {
        actions.extend(bench.click_at(rect.center()));
    }
    let [Action::Export(request)] = actions.as_slice() else { panic!("one export: {actions:?}") };
    assert_eq!(request.formats, ["glb", "npz"], "the ticked formats");
    assert_eq!(request.step, None, "of the latest state");
}

#[test]
fn a_step_is_exported_from_its_pin_or_says_why_it_cannot_be() {
    let mut bench = Bench::finished();
    bench.session.run_dir = Some("runs/1".into());
    let frames = bench.session.track.frames();
    let find = |stage| frames.iter().find(|f| f.stage == stage).map(|f| f.step).expect("a step of it");
    let (early, late) = (find(crate::pipeline::Stage::Fit), find(crate::pipeline::Stage::Ham));
    for step in [early, late] {
        let _ = bench.session.apply(Action::Time(TimeAction::TogglePin(step)));
    }
    bench.session.ui.show_export = true;
    bench.session.ui.export_step = Some(late);
    bench.settle();
    assert!(bench.says("As the timeline keeps it"), "it says which mesh it is");
    assert!(bench.says(&format!("step_{late:05}")), "in a folder of its own");
    let exports: Vec<Rect> = bench.texts.iter().filter(|(t, _)| t == "Export").map(|(_, r)| *r).collect();
    let actions: Vec<Action> = exports.iter().flat_map(|r| bench.click_at(r.center())).collect();
    let [Action::Export(request)] = actions.as_slice() else { panic!("one export: {actions:?}") };
    assert_eq!(request.step, Some(late), "of that step");
    let effect = bench.session.apply(actions[0].clone());
    let Some(Effect::Send(Command::Export(_, Some(of)))) = effect else { panic!("with its mesh: {effect:?}") };
    assert_eq!(of.step, late, "the mesh of that step");
    bench.session.exporting = None;
    bench.session.ui.show_export = true;
    bench.session.ui.export_step = Some(early);
    bench.settle();
    assert!(bench.says("Before HAM the hands are the model's own"), "a step of the fit says why not");
    let exports: Vec<Rect> = bench.texts.iter().filter(|(t, _)| t == "Export").map(|(_, r)| *r).collect();
    assert!(exports.iter().all(|r| bench.click_at(r.center()).is_empty()), "and cannot be exported");
}

#[test]
fn pins_are_listed_under_their_flag_and_say_what_can_be_done() {
    let mut bench = Bench::finished();
    bench.size = vec2(1600.0, 1000.0);
    bench.session.run_dir = Some("runs/1".into());
    let _ = bench.session.apply(Action::Scrub(6));
    bench.settle();
    let step = bench.session.shown.as_ref().map_or(0, |s| s.step);
    let pin = Action::Time(TimeAction::TogglePin(step));
    assert_eq!(bench.key(Key::P, Modifiers::NONE), std::slice::from_ref(&pin), "P pins the shown step");
    let _ = bench.session.apply(pin);
    bench.settle();
    bench.click_exactly("⚑ 1");
    bench.settle();
    assert!(bench.says(&format!("step {step} · ")), "the pin is listed");
    assert!(bench.click("Go on from here").is_empty(), "no checkpoint was kept");
    bench
        .session
        .on_event(Event::Views(crate::studio::RunViews { restart_points: vec![step - 1], ..Default::default() }));
    bench.settle();
    let go_on = format!("Go on from step {}", step - 1);
    assert_eq!(bench.click(&go_on), [Action::Time(TimeAction::RestartFrom(step))], "from the nearest one");
}

#[test]
fn every_sign_on_screen_has_a_glyph() {
    let mut bench = Bench::finished();
    let _ = bench.session.apply(Action::ToggleExclude(1));
    let _ = bench.session.apply(Action::ToggleHoldOut(2));
    bench.session.overrides.insert("ham.weight_lap".to_owned(), 1.0);
    bench.session.ui.show_help = true;
    bench.session.banner =
        Some(crate::studio::Problem { what: "w".to_owned(), meaning: "m".to_owned(), remedy: "r".to_owned() });
    bench.settle();
    let glyphs: std::collections::BTreeSet<char> =
        bench.ctx.fonts_mut(|f| f.fonts.font(&egui::FontFamily::Proportional).characters().keys().copied().collect());
    let mut missing: Vec<char> = bench
        .texts
        .iter()
        .flat_map(|(t, _)| t.chars())
        .filter(|c| !c.is_whitespace())
        .filter(|c| !glyphs.contains(c))
        .collect();
    missing.extend("⏺○✔✖⚠⚑⏸⏹▶↺⌖".chars().filter(|c| !glyphs.contains(c)));
    missing.sort_unstable();
    missing.dedup();
    assert!(missing.is_empty(), "no boxes: {missing:?}");
}
