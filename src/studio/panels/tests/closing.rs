//! Closing the window: at once, or after one question; what becomes of the run and of edits.

use super::*;
use crate::studio::session::{Closing, Leave};

/// A bench whose run is under way.
fn running() -> Bench {
    let mut bench = Bench::finished();
    bench.session.state = RunState::Running;
    bench.session.has_network = false;
    bench
}

fn act(bench: &mut Bench, action: Action) {
    assert!(bench.session.apply(action).is_none(), "nothing outside of the session");
}

#[test]
fn without_a_run_the_window_closes_at_once_by_key_and_menu() {
    for mut bench in [Bench::new(), Bench::opened(), Bench::finished()] {
        bench.settle();
        assert_eq!(bench.key(Key::Q, Modifiers::COMMAND), [Action::Quit], "Ctrl+Q");
        bench.click_exactly("File");
        bench.settle();
        assert_eq!(bench.click("Quit"), [Action::Quit], "and the menu");
        act(&mut bench, Action::Quit);
        assert_eq!(bench.session.closing(), Closing::Leaving, "nothing is asked");
    }
}

#[test]
fn a_run_under_way_is_asked_about_once_and_every_answer_does_what_it_says() {
    let answers = [
        ("Keep running in background", Leave::Background, Closing::Background),
        ("Pause and save", Leave::Save, Closing::Saving),
        ("Stop", Leave::Stop, Closing::Leaving),
        ("Go back", Leave::Stay, Closing::Open),
    ];
    for state in [RunState::Starting, RunState::Running, RunState::Paused] {
        for (words, answer, then) in answers {
            let mut bench = running();
            bench.session.state = state;
            bench.settle();
            assert!(!bench.says("A reconstruction is under way"), "nobody asks yet");
            act(&mut bench, Action::Quit);
            bench.settle();
            assert!(bench.says("A reconstruction is under way"), "now it is asked");
            // A second request, keys and clicks beside the question change nothing.
            act(&mut bench, Action::Quit);
            assert!(bench.key(Key::Q, Modifiers::COMMAND).is_empty(), "the keys are the question's");
            assert!(bench.key(Key::T, Modifiers::NONE).is_empty(), "nor is the run paused behind it");
            assert_eq!(bench.session.closing(), Closing::Asked, "one question");
            assert!(
                bench.click_at(pos2(200.0, 400.0)).iter().all(|a| *a == Action::Leave(Leave::Stay)),
                "only a way back"
            );
            bench.settle();
            assert_eq!(bench.click_exactly(words), [Action::Leave(answer)], "{words}");
            let effect = bench.session.apply(Action::Leave(answer));
            let goes_on = (state, answer) == (RunState::Paused, Leave::Background);
            assert_eq!(matches!(effect, Some(Effect::Pause(false))), goes_on, "a run that is held would never end");
            assert_eq!(bench.session.closing(), then, "{words} while {state:?}");
            bench.settle();
            assert!(bench.missing_glyphs().is_empty(), "no boxes: {:?}", bench.missing_glyphs());
        }
    }
    let mut bench = running();
    act(&mut bench, Action::Quit);
    bench.settle();
    assert_eq!(bench.key(Key::Escape, Modifiers::NONE), [Action::Leave(Leave::Stay)], "Esc goes back");
}

#[test]
fn the_question_fits_the_least_window() {
    let mut bench = running();
    bench.size = vec2(LEAST_SIZE[0], LEAST_SIZE[1]);
    act(&mut bench, Action::Quit);
    bench.settle();
    let window = Rect::from_min_size(egui::Pos2::ZERO, bench.size);
    for words in ["Keep running in background", "Pause and save", "Stop", "Go back"] {
        let row = bench.rows.iter().find(|r| r.text == words && window.contains_rect(r.whole));
        assert!(row.is_some_and(|r| r.seen == r.whole), "{words} is whole on screen");
    }
}

#[test]
fn a_saved_run_closes_the_window_and_is_offered_the_next_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("room.thenar/runs/1");
    let mut bench = running();
    bench.session.remember_in(folder.path().join("studio.ron"));
    bench.session.run_dir = Some(run.clone());
    act(&mut bench, Action::Quit);
    act(&mut bench, Action::Leave(Leave::Save));
    bench.settle();
    assert!(bench.says("Saving"), "it says what it waits for");
    bench.session.on_event(Event::Stopped { resumable: true });
    assert_eq!(bench.session.closing(), Closing::Leaving, "saved: away");
    let (_, text) = bench.session.wants_settings_saved().expect("the run is noted");
    assert!(text.contains("runs/1") && text.contains("under_way: Some"), "{text}");
    // A run that is stopped is not offered.
    let mut bench = running();
    bench.session.remember_in(folder.path().join("other.ron"));
    bench.session.run_dir = Some(run);
    act(&mut bench, Action::Quit);
    act(&mut bench, Action::Leave(Leave::Stop));
    let text = bench.session.wants_settings_saved().map(|(_, text)| text).unwrap_or_default();
    assert!(!text.contains("under_way: Some"), "{text}");
}

#[test]
fn what_cannot_be_saved_keeps_the_window_open() {
    let mut bench = running();
    act(&mut bench, Action::Quit);
    act(&mut bench, Action::Leave(Leave::Save));
    bench.session.on_event(Event::Stopped { resumable: false });
    let problem = crate::studio::Problem::stopping(&anyhow::anyhow!("no space left on device"));
    bench.session.on_event(Event::Failed(problem));
    assert_eq!(bench.session.closing(), Closing::Open, "nothing is given up unseen");
    bench.settle();
    assert!(bench.says("no space left on device"), "the banner says why");
    // Nor is a run in the background that fails.
    let mut bench = running();
    act(&mut bench, Action::Quit);
    act(&mut bench, Action::Leave(Leave::Background));
    let problem = crate::studio::Problem::computing(&anyhow::anyhow!("the loss is not finite"));
    bench.session.on_event(Event::RunFailed { problem, resumable: false });
    assert_eq!(bench.session.closing(), Closing::Open, "it comes back");
    // Nor one that waits for room on the disk.
    let mut bench = running();
    act(&mut bench, Action::Quit);
    act(&mut bench, Action::Leave(Leave::Background));
    bench.session.on_event(Event::Blocked(crate::studio::Problem::exporting(&anyhow::anyhow!("full"))));
    assert_eq!(bench.session.closing(), Closing::Open, "it comes back for that too");
}

#[test]
fn the_background_ends_with_the_run_and_its_files() {
    let mut bench = running();
    act(&mut bench, Action::Quit);
    act(&mut bench, Action::Leave(Leave::Background));
    bench.settle();
    assert!(bench.says("closes when the run has ended"), "a window that is brought back says so");
    let _ = bench.session.apply(Action::Export(Default::default()));
    bench.session.on_event(Event::Finished);
    assert_eq!(bench.session.closing(), Closing::Background, "files are waited for");
    bench.session.on_event(Event::Exported(vec!["a/hands.glb".into()]));
    assert_eq!(bench.session.closing(), Closing::Leaving, "then it closes");
    let mut bench = running();
    act(&mut bench, Action::Quit);
    act(&mut bench, Action::Leave(Leave::Background));
    bench.settle();
    assert_eq!(bench.click("Keep it open"), [Action::Leave(Leave::Stay)], "or it stays");
    act(&mut bench, Action::Leave(Leave::Stay));
    bench.session.on_event(Event::Finished);
    assert_eq!(bench.session.closing(), Closing::Open, "for good");
}

#[test]
fn a_run_that_ends_while_it_is_asked_about_is_no_longer_asked_about() {
    let mut bench = running();
    act(&mut bench, Action::Quit);
    bench.session.on_event(Event::Finished);
    assert_eq!(bench.session.closing(), Closing::Open, "the result can be looked at");
    bench.settle();
    act(&mut bench, Action::Leave(Leave::Stop));
    assert_eq!(
        (bench.session.closing(), bench.session.state),
        (Closing::Open, RunState::Finished),
        "late answers are none"
    );
}

#[test]
fn edits_are_asked_about_only_where_they_would_be_lost() {
    let mut bench = Bench::finished();
    act(&mut bench, Action::ToggleExclude(1));
    bench.settle();
    bench.session.on_event(Event::ProjectSaved(Ok("two_lumps.thenar/project.ron".into())));
    act(&mut bench, Action::Quit);
    assert_eq!(bench.session.closing(), Closing::Leaving, "kept edits need no question");
    let mut bench = Bench::finished();
    act(&mut bench, Action::ToggleExclude(1));
    bench.settle();
    bench.session.on_event(Event::ProjectSaved(Err("/locked: read-only".to_owned())));
    act(&mut bench, Action::Quit);
    bench.settle();
    assert!(
        bench.says("Edits could not be written") && bench.says("/locked: read-only"),
        "what would be lost, and why"
    );
    assert_eq!(bench.click("Go back"), [Action::Leave(Leave::Stay)], "not yet");
    assert_eq!(bench.click("Close without them"), [Action::Leave(Leave::WithoutEdits)], "or so be it");
    act(&mut bench, Action::Leave(Leave::WithoutEdits));
    bench.session.on_event(Event::Device(Ok("test".to_owned())));
    assert_eq!(bench.session.closing(), Closing::Leaving, "once is enough");
}
