//! Stopping and going on, holding views out, choosing hands and the results folder.

use super::*;
use crate::fitting::pose::HandChoice;
use crate::studio::backend::{Backend, HandModelChoice, ResumeRequest, RunRecord, RunViews};
use crate::studio::session::{Framed, Mark};
use crate::studio::testing::{MorphBackend, test_capture};

/// A finished bench whose run was stopped instead.
fn stopped() -> Bench {
    let mut bench = Bench::finished();
    bench.session.state = RunState::Running;
    bench.session.on_event(Event::Stopped { resumable: true });
    bench
}

fn resume_request(bench: &mut Bench) -> ResumeRequest {
    let effect = bench.session.apply(Action::Resume);
    let Some(Effect::Send(Command::Resume(request))) = effect else { panic!("a request to resume: {effect:?}") };
    *request
}

#[test]
fn a_stopped_run_offers_resume_and_a_new_start() {
    let mut bench = Bench::finished();
    bench.settle();
    assert!(!bench.says("▶ Resume") && bench.says("▶ Reconstruct"), "a finished run is not resumed");
    assert_eq!(bench.session.apply(Action::Resume).map(|_| ()), None, "nor by any other way");
    let mut bench = stopped();
    bench.settle();
    assert!(bench.says("stopped") && !bench.says("▶ Reconstruct"), "resuming comes first");
    assert_eq!(bench.click("Start new"), [Action::Start], "a new run is one click away");
    assert_eq!(bench.click("▶ Resume"), [Action::Resume], "the button resumes");
    assert_eq!(bench.key(Key::R, Modifiers::COMMAND), [Action::Resume], "and so does its key");
    assert_eq!(bench.key(Key::R, Modifiers::COMMAND | Modifiers::SHIFT), [Action::Start], "shift starts anew");
}

#[test]
fn resuming_keeps_curves_and_snapshots_up_to_the_checkpoint() {
    let mut bench = stopped();
    let all = bench.session.steps.clone();
    let frames = bench.session.track.frames().len();
    let request = resume_request(&mut bench);
    assert_eq!(bench.session.state, RunState::Starting, "it is being prepared");
    assert_eq!(bench.session.steps.len(), all.len(), "nothing is forgotten meanwhile");
    assert!(bench.session.why_not_start().is_some(), "no second run beside it");
    let backend = MorphBackend { steps: 120, resume_at: Some(70), ..MorphBackend::default() };
    let started = backend.resume(&request).expect("it goes on");
    bench.session.on_event(Event::Started { run_dir: started.run_dir, steps: started.steps });
    assert_eq!(bench.session.state, RunState::Running, "it runs");
    assert_eq!(bench.session.steps, all[..70], "the curves end at the checkpoint");
    let track = bench.session.track.frames();
    assert!(track.len() < frames && track.iter().all(|f| f.step <= 70), "so do the snapshots");
    let last = track.last().map(|f| f.step);
    assert_eq!(bench.session.shown.as_ref().map(|s| s.step), last, "the last one is shown");
    assert!(!bench.session.stages_done.contains(&crate::pipeline::Stage::Ham), "its stage has not ended");
}

#[test]
fn an_unfinished_run_that_is_opened_can_be_gone_on_with() {
    let mut bench = Bench::new();
    let record = RunRecord {
        dir: "two_lumps.thenar/runs/1".into(),
        steps: Vec::new(),
        snapshots: Vec::new(),
        preset: "draft".to_owned(),
        excluded: vec![1],
        held_out: vec![3],
        resumable: true,
        detected: None,
        edits: Arc::default(),
    };
    bench.session.on_event(Event::Opened {
        capture: Arc::new(test_capture(6)),
        thumbnails: Vec::new(),
        run: Some(Box::new(record)),
        has_engine: false,
        results: "two_lumps.thenar/runs".into(),
    });
    bench.settle();
    assert!(bench.says("unfinished") || bench.says("has not finished"), "it says so");
    assert_eq!(bench.session.preset().map(|p| p.name.as_str()), Some("draft"), "with the run's preset");
    assert!(bench.says("excluded") && bench.says("held out"), "and its views");
    let request = resume_request(&mut bench);
    assert_eq!(request.run_dir, std::path::Path::new("two_lumps.thenar/runs/1"), "the opened folder goes on");
    let error = MorphBackend::default().resume(&request).err().expect("no checkpoint");
    let problem = crate::studio::Problem::resuming(&error);
    bench.session.on_event(Event::RunFailed { problem, resumable: true });
    bench.settle();
    assert!(bench.says("could not be resumed"), "the reason is shown");
    assert_eq!(bench.click("▶ Resume"), [Action::Resume], "and it can be tried again");
}

#[test]
fn every_view_has_its_score_once_the_run_has_ended() {
    let mut bench = Bench::finished();
    bench.settle();
    let scores = |b: &Bench| b.texts.iter().filter(|(t, _)| t.ends_with(" dB")).count();
    assert_eq!(scores(&bench), 1, "of the one view that was looked at");
    let psnr_db = vec![Some(21.04), Some(28.5), None, Some(19.96)];
    bench.session.on_event(Event::Views(RunViews { psnr_db, ..RunViews::default() }));
    bench.settle();
    for words in ["21.0 dB", "28.5 dB", "20.0 dB"] {
        assert!(bench.texts.iter().any(|(t, _)| t == words), "`{words}` is in the list");
    }
}

#[test]
fn the_camera_turns_to_the_first_hands_of_a_first_run_and_then_stays() {
    let mut bench = Bench::finished();
    assert!(bench.session.wants_framing(), "the first hands of the first run");
    bench.session.was_framed();
    assert!(!bench.session.wants_framing(), "once");
    let _ = bench.session.apply(Action::Start);
    assert!(!bench.session.wants_framing(), "a second run begins with its hands in sight");
}

#[test]
fn f_frames_the_hands_and_shift_f_everything() {
    let mut bench = Bench::finished();
    bench.settle();
    assert_eq!(bench.key(Key::F, Modifiers::NONE), [Action::Frame(Framed::Hands)], "F is the hands");
    assert_eq!(bench.key(Key::F, Modifiers::SHIFT), [Action::Frame(Framed::Everything)], "Shift+F is all");
    bench.key(Key::F1, Modifiers::NONE);
    bench.settle();
    assert!(bench.says("Shift+F") && bench.says("Frame everything"), "the sheet of keys has both");
}

#[test]
fn failures_beside_a_run_do_not_end_it() {
    let mut bench = Bench::finished();
    bench.session.state = RunState::Running;
    let problem = crate::studio::Problem::exporting(&anyhow::anyhow!("disk full"));
    bench.session.on_event(Event::Failed(problem.clone()));
    assert_eq!(bench.session.state, RunState::Running, "the worker steps on, and so it says");
    bench.session.on_event(Event::RunFailed { problem, resumable: false });
    assert_eq!(bench.session.state, RunState::Failed, "an error of the run ends it");
    assert!(bench.session.why_not_resume().is_some(), "and this one cannot be resumed");
}

#[test]
fn h_holds_a_view_out_and_leaves_no_view_both_held_out_and_excluded() {
    let mut bench = Bench::opened();
    bench.settle();
    assert_eq!(bench.key(Key::H, Modifiers::NONE), [Action::ToggleHoldOut(0)], "H is for the selected view");
    let _ = bench.session.apply(Action::ToggleHoldOut(0));
    bench.settle();
    assert!(bench.says("⚑ held out"), "it is marked");
    let _ = bench.session.apply(Action::ToggleExclude(0));
    assert!(bench.session.excluded.contains(&0) && bench.session.held_out.is_empty(), "excluding takes it over");
    let _ = bench.session.apply(Action::ToggleHoldOut(0));
    assert!(bench.session.held_out.contains(&0) && bench.session.excluded.is_empty(), "and holding out takes it back");
    for view in 1..3 {
        let _ = bench.session.apply(Action::ToggleHoldOut(view));
    }
    assert!(bench.session.why_not_start().is_some_and(|w| w.contains("two views")), "one view left is not enough");
    let _ = bench.session.apply(Action::ToggleHoldOut(1));
    let Some(Effect::Send(Command::Start(request))) = bench.session.apply(Action::Start) else { panic!("a start") };
    assert_eq!((request.held_out.as_slice(), request.excluded.as_slice()), ([0, 2].as_slice(), [].as_slice()), "told");
}

#[test]
fn hands_and_results_folder_are_chosen_beside_the_parameters() {
    let mut bench = Bench::opened();
    bench.settle();
    assert!(bench.says("two_lumps.thenar/runs"), "where results go is shown before anything is computed");
    assert_eq!(bench.click("Results folder…"), [Action::ResultsDialog], "and can be chosen");
    let effect = bench.session.apply(Action::ResultsDialog);
    assert!(matches!(effect, Some(Effect::ResultsDialog)), "in a dialog: {effect:?}");
    let _ = bench.session.apply(Action::SetResults(Some("elsewhere/runs".into())));
    bench.settle();
    assert!(bench.says("elsewhere/runs"), "the choice is shown");
    bench.click("auto");
    bench.settle();
    let right = bench.texts.iter().find(|(t, _)| t == "right").map(|(_, r)| r.center()).expect("a choice");
    bench.click_at(right);
    assert_eq!(bench.session.hands, HandChoice::Right, "the menu chooses");
    let Some(Effect::Send(Command::Start(request))) = bench.session.apply(Action::Start) else { panic!("a start") };
    assert_eq!(request.hands, HandChoice::Right, "hands are told");
    assert_eq!(request.results.as_deref(), Some(std::path::Path::new("elsewhere/runs")), "and the folder");
    bench.settle();
    let back = bench.texts.iter().find(|(t, _)| t == "↺").map(|(_, r)| r.center()).expect("a way back");
    assert_eq!(bench.click_at(back), [Action::SetResults(None)], "back to beside the capture");
}

#[test]
fn the_hand_model_is_chosen_and_missing_files_are_said() {
    let mut bench = Bench::opened();
    bench.settle();
    assert!(bench.says("Open hand"), "what is fitted is on screen");
    let folder = tempfile::tempdir().expect("a folder");
    bench.session.hand.use_folder(folder.path().to_owned());
    bench.settle();
    assert!(bench.says("MANO_RIGHT.pkl not found in"), "what is missing is on screen");
    assert!(bench.session.why_not_start().is_some_and(|w| w.contains("not found in")), "and nothing can be started");
    for name in ["MANO_LEFT.pkl", "MANO_RIGHT.pkl"] {
        std::fs::write(folder.path().join(name), b"").expect("written");
    }
    bench.session.hand.use_folder(folder.path().to_owned());
    bench.settle();
    assert!(bench.says("flat hand = 0"), "the convention is on screen");
    let Some(Effect::Send(Command::Start(request))) = bench.session.apply(Action::Start) else { panic!("a start") };
    assert!(matches!(request.hand_model, HandModelChoice::Mano { .. }), "the model is told");
}

/// What stands beside a number.
fn mark_of(bench: &Bench, key: &str) -> Option<Mark> {
    let preset = bench.session.preset().expect("a preset");
    let parameter = preset.parameters.iter().find(|p| p.key == key).expect("a parameter");
    bench.session.mark(parameter)
}

/// What the run is told, once numbers stand still.
fn told(bench: &mut Bench) -> Vec<(String, f64)> {
    let mut told = Vec::new();
    assert!(bench.session.wants_change_told().is_none(), "not while it is moved");
    std::thread::sleep(Duration::from_millis(350));
    while let Some(Command::Change { key, value }) = bench.session.wants_change_told() {
        told.push((key, value));
    }
    told
}

#[test]
fn numbers_changed_while_a_run_is_under_way_are_told_and_marked() {
    let mut bench = Bench::opened();
    bench.session.overrides.insert("ham.weight_mask".to_owned(), 500.0);
    let Some(Effect::Send(Command::Start(request))) = bench.session.apply(Action::Start) else { panic!("starts") };
    bench.session.overrides.insert("ham.weight_lap".to_owned(), 100.0);
    assert!(bench.session.wants_change_told().is_none(), "there is no run yet that could be told");
    let mut started = MorphBackend::default().start(&request).expect("starts");
    bench.session.on_event(Event::Started { run_dir: started.run_dir, steps: Vec::new() });
    assert_eq!(
        told(&mut bench),
        [("ham.weight_lap".to_owned(), 100.0)],
        "what was changed since it began, and no more"
    );
    assert_eq!(mark_of(&bench, "ham.weight_lap"), Some(Mark::OnItsWay), "it has not answered");
    assert_eq!(mark_of(&bench, "ham.weight_mask"), None, "it began with this one");
    bench.session.overrides.insert("ham.shape_epochs".to_owned(), 7.0);
    let mut tell = |bench: &mut Bench, key: &str, value: f64| {
        let effective = started.engine.change(key, value).expect("it can have it");
        bench.session.on_event(Event::Changed { key: key.to_owned(), value, effective });
    };
    tell(&mut bench, "ham.weight_lap", 100.0);
    assert_eq!(told(&mut bench), [("ham.shape_epochs".to_owned(), 7.0)], "the other");
    tell(&mut bench, "ham.shape_epochs", 7.0);
    assert_eq!(mark_of(&bench, "ham.weight_lap"), Some(Mark::InForce), "a weight counts at once");
    assert_eq!(mark_of(&bench, "ham.shape_epochs"), Some(Mark::NextRun), "a count does not");
    bench.size = vec2(1600.0, 1600.0);
    bench.settle();
    assert!(bench.says("⏺ now") && bench.says("○ next run"), "and it stands beside them");
    assert!(bench.missing_glyphs().is_empty(), "no boxes: {:?}", bench.missing_glyphs());
    // Back to what the run has: nothing to wait for.
    bench.session.overrides.remove("ham.shape_epochs");
    assert_eq!(told(&mut bench), [("ham.shape_epochs".to_owned(), 120.0)], "it is told that as well");
    tell(&mut bench, "ham.shape_epochs", 120.0);
    assert_eq!(mark_of(&bench, "ham.shape_epochs"), None, "it has it all along");
    bench.session.on_event(Event::Finished);
    assert_eq!(mark_of(&bench, "ham.weight_lap"), None, "without a run there is nothing to say");
}

#[test]
fn a_loss_that_is_no_number_offers_half_the_rates() {
    let mut bench = Bench::finished();
    bench.session.state = RunState::Running;
    let error = anyhow::anyhow!("the loss `sfs` is not finite at epoch 5");
    bench.session.on_event(Event::Diverged(crate::studio::Problem::diverged(&error)));
    bench.settle();
    assert_eq!(bench.session.state, RunState::Paused, "it waits");
    assert!(bench.says("not finite at epoch 5") && bench.says("last checkpoint"), "what happened, what it means");
    assert_eq!(bench.click("Halve the rates and go on"), [Action::HalveRates], "what to do");
    let Some(Effect::GoOnWith(changes)) = bench.session.apply(Action::HalveRates) else { panic!("it goes on") };
    let told: Vec<(&str, f64)> = changes
        .iter()
        .map(|c| if let Command::Change { key, value } = c { (key.as_str(), *value) } else { panic!("{c:?}") })
        .collect();
    assert_eq!(told, [("ham.rate_delta", 5e-5), ("ham.rate_albedo", 2.5e-3)], "rates, and no weights");
    assert_eq!(bench.session.state, RunState::Running, "at once");
    bench.settle();
    assert!(!bench.says("Halve the rates"), "the offer is gone");
    assert!(bench.session.apply(Action::HalveRates).is_none(), "once");
}

#[test]
fn a_full_disk_pauses_with_a_banner_that_goes_with_the_pause() {
    let mut bench = Bench::finished();
    bench.session.state = RunState::Running;
    let full = crate::export::ExportError::Io {
        path: "/data/runs/1/metrics.jsonl".into(),
        source: std::io::ErrorKind::StorageFull.into(),
    };
    let error = anyhow::Error::from(crate::pipeline::PipelineError::from(full));
    let problem = crate::studio::Problem::of_disk(&error).expect("the disk is to blame");
    bench.session.on_event(Event::Blocked(problem));
    bench.settle();
    assert_eq!(bench.session.state, RunState::Paused, "it waits");
    assert!(
        bench.says("/data/runs/1/metrics.jsonl") && bench.says("Nothing that was computed is lost"),
        "where, and what"
    );
    assert!(matches!(bench.session.apply(Action::TogglePause), Some(Effect::Pause(false))), "it can go on");
    bench.settle();
    assert!(bench.session.banner.is_none() && !bench.says("What to do"), "the banner is gone");
}

#[test]
fn a_device_that_came_back_is_told_in_passing() {
    let mut bench = Bench::finished();
    bench.session.state = RunState::Running;
    bench.session.on_event(Event::DeviceBack { at: 110 });
    bench.settle();
    assert!(bench.says("Resumed at step 110") && bench.session.banner.is_none(), "a notice, no banner");
    assert_eq!(bench.session.state, RunState::Running, "it goes on");
}
