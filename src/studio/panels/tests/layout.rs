//! Nothing overlaps and nothing is cut, down to the least size of the window; and what passes over it.

use super::*;
use crate::studio::docks::Pane;
use crate::studio::session::Folder;
use crate::studio::ui_state::Arrangement;

/// Sizes of windows that must look tidy.
const SIZES: [egui::Vec2; 4] = [vec2(1000.0, 700.0), vec2(1280.0, 800.0), vec2(1600.0, 1000.0), vec2(1920.0, 1080.0)];

/// Pairs of texts that lie upon each other, and texts that leave the window.
fn untidy(bench: &Bench) -> Vec<String> {
    let window = Rect::from_min_size(egui::Pos2::ZERO, bench.size).expand(1.0);
    let mut out = Vec::new();
    // What scrolls is cut by its frame, and that is no mistake.
    let seen: Vec<_> = bench.rows.iter().filter(|r| !r.text.is_empty() && r.seen.is_positive()).collect();
    for (i, row) in seen.iter().enumerate() {
        if !window.contains_rect(row.seen) {
            out.push(format!("`{}` leaves the window: {:?}", row.text, row.seen));
        }
        for other in &seen[i + 1..] {
            let common = row.seen.intersect(other.seen);
            // Letters leave some room above and below them in their rows.
            if common.width() > 2.0 && common.height() > 4.0 {
                out.push(format!("`{}` and `{}` at {common:?}", row.text, other.text));
            }
        }
    }
    out
}

/// What is untidy with this panel and state.
fn looked_at(bench: &mut Bench, pane: Pane, state: RunState) -> Vec<String> {
    bench.session.ui.bring(pane);
    bench.session.state = state;
    bench.session.notice = None;
    bench.settle();
    untidy(bench)
}

#[test]
fn nothing_overlaps_at_any_size_from_the_least_on() {
    for size in SIZES {
        let mut bench = Bench::finished();
        bench.size = size;
        for state in [RunState::Finished, RunState::Running, RunState::Paused] {
            let found = looked_at(&mut bench, Pane::Pose, state);
            assert!(found.is_empty(), "{size}, {state:?}: {found:#?}");
        }
        let found = looked_at(&mut bench, Pane::Capture, RunState::Finished);
        assert!(found.is_empty(), "{size}, capture: {found:#?}");
        assert!(bench.centre.width() >= 480.0 && bench.centre.height() >= 330.0, "{size}: {:?}", bench.centre);
        // Under an error with all that can be set by hand, the pictures have the least room.
        let error = crate::capture::CaptureError::Ambiguous { path: "room".into(), candidates: "a, b".to_owned() };
        let problem = crate::studio::Problem::opening(std::path::Path::new("room"), &error.into());
        let options = crate::capture::OpenOptions::default();
        bench.session.on_event(Event::Refused { path: "room".into(), options, problem });
        let found = looked_at(&mut bench, Pane::Parameters, RunState::Finished);
        assert!(found.is_empty(), "{size}, refused: {found:#?}");
        let _ = bench.session.apply(Action::DismissBanner);
    }
    let mut bench = Bench::finished();
    bench.size = vec2(560.0, 420.0);
    assert!(!looked_at(&mut bench, Pane::Pose, RunState::Running).is_empty(), "the check can fail");
}

#[test]
fn all_layouts_are_tidy_and_have_a_3d_view() {
    for size in SIZES {
        for arrangement in Arrangement::ALL {
            let mut bench = Bench::finished();
            bench.size = size;
            bench.session.ui.arrangement = arrangement;
            let simple = arrangement == Arrangement::Simple;
            for pane in
                [None, Some(Pane::Parameters), Some(Pane::Findings)].into_iter().filter(|p| p.is_none() || !simple)
            {
                let found = looked_at(&mut bench, pane.unwrap_or(Pane::Views), RunState::Finished);
                assert!(found.is_empty(), "{size}, {arrangement:?}, {pane:?}: {found:#?}");
            }
            let whole = Rect::from_min_size(egui::Pos2::ZERO, size);
            let centre = bench.centre;
            assert!(centre.width() > 430.0 && centre.height() > 170.0, "{size}, {arrangement:?}: {centre:?}");
            assert!(whole.contains_rect(centre), "{size}, {arrangement:?}: it lies in the window: {centre:?}");
            assert_eq!(bench.says("Wipe"), !simple, "{arrangement:?}: the pictures");
            assert_eq!(bench.says("smooth"), !simple, "{arrangement:?}: the curves");
            assert!(bench.says("take part") && bench.says("First snapshot") | bench.says("⏮"), "{arrangement:?}");
        }
    }
}

/// In a narrow window they take two rows, of which the second is theirs as well.
#[test]
fn buttons_on_the_3d_view_wrap_and_keep_the_mouse_to_themselves() {
    for size in SIZES {
        let mut bench = Bench::finished();
        bench.size = size;
        bench.settle();
        let names = ["Albedo", "Clay", "Normals", "Neural", "Cameras", "Error", "Joints", "Grid", "Pose", "Frame"];
        let bar = bench.centre.with_max_y(bench.centre.top() + bench.session.ui.view_bar);
        for name in names {
            let row = bench.rows.iter().find(|r| r.text == name && bench.centre.contains(r.whole.center()));
            let row = row.unwrap_or_else(|| panic!("{size}: `{name}` lies in the 3D view"));
            assert!(bar.contains_rect(row.whole), "{size}: `{name}` {:?} leaves the buttons' place {bar:?}", row.whole);
        }
        assert!(bar.height() < 70.0, "{size}: at most two rows: {bar:?}");
    }
}

#[test]
fn panels_that_were_made_wide_give_way_when_the_window_shrinks() {
    let mut bench = Bench::finished();
    bench.size = vec2(1920.0, 1080.0);
    bench.settle();
    // The left edge of the inspector, dragged to the left; the upper edge of the curves, dragged up.
    let edges = [
        (pos2(bench.centre.right() + 1.0, 300.0), pos2(bench.centre.right() - 380.0, 300.0)),
        (pos2(700.0, bench.centre.bottom() + 1.0), pos2(700.0, bench.centre.bottom() - 300.0)),
    ];
    for (from, to) in edges {
        let button = |pos, pressed| Input::PointerButton {
            pos,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        bench.frame(vec![Input::PointerMoved(from)]);
        bench.frame(vec![button(from, true)]);
        bench.frame(vec![Input::PointerMoved(to)]);
        bench.frame(vec![button(to, false)]);
    }
    bench.settle();
    let wide = bench.centre;
    assert!(wide.width() < 1100.0 && wide.height() < 600.0, "the panels were dragged: {wide:?}");
    bench.size = vec2(1000.0, 700.0);
    let found = looked_at(&mut bench, Pane::Pose, RunState::Finished);
    assert!(
        bench.centre.width() >= 480.0 && bench.centre.height() >= 330.0,
        "the 3D view has its room: {:?}",
        bench.centre
    );
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_time_that_is_left_is_said_to_be_that_of_the_phase() {
    let mut bench = Bench::finished();
    bench.size = vec2(1920.0, 1080.0);
    bench.session.state = RunState::Running;
    bench.settle();
    assert!(bench.says("preparing what follows"), "at its end, nothing is left of it");
    bench.session.steps.pop();
    bench.settle();
    assert!(bench.says("left in this phase"), "not of the run");
}

#[test]
fn names_of_sliders_are_whole() {
    for size in SIZES {
        let mut bench = Bench::finished();
        // High enough that no slider is scrolled away.
        bench.size = vec2(size.x, 1500.0);
        bench.session.ui.bring(Pane::Pose);
        let _ = bench.session.apply(Action::Pose(crate::studio::session::PoseAction::Begin));
        let hands = crate::anatomy::Side::BOTH.map(|side| crate::studio::testing::posable(side).expect("a hand"));
        bench.session.on_event(Event::Posable(Arc::new(hands.to_vec())));
        bench.settle();
        let names: Vec<_> = bench.rows.iter().filter(|row| row.text.contains("against")).collect();
        assert!(!names.is_empty(), "{size}: a synergy with a long name is on screen");
        for row in names {
            let whole = row.seen.width() > row.whole.width() - 0.5 && row.whole.right() <= size.x;
            assert!(whole, "{size}: of {row:?} all is seen");
        }
    }
}

#[test]
fn without_a_dialog_the_window_says_what_is_missing_and_takes_a_typed_path() {
    for (what, words) in [(Folder::Export, "export to"), (Folder::Results, "runs are written"), (Folder::Hand, "MANO")]
    {
        let mut bench = Bench::finished();
        bench.session.on_no_dialog(what);
        bench.settle();
        assert!(bench.says("zenity") && bench.says("Type the path"), "it says what is missing and what to do");
        assert!(bench.says(words), "and what for: {words}");
        bench.click(words);
        bench.frame(vec![Input::Text("some/folder".to_owned())]);
        bench.settle();
        let actions = bench.click_exactly("Use");
        assert_eq!(actions, [Action::Take(what, "some/folder".into())], "the typed folder is taken");
        let _ = bench.session.apply(actions[0].clone());
        assert!(bench.session.banner.is_none() && bench.session.typed.is_none(), "and the banner is gone");
        match what {
            Folder::Export => assert_eq!(bench.session.ui.export_dir, Some("some/folder".into()), "for exports"),
            Folder::Results => assert_eq!(bench.session.results, Some("some/folder".into()), "for runs"),
            _ => assert!(bench.session.hand.is_mano(), "for the hand model"),
        }
    }
    let mut bench = Bench::new();
    bench.session.on_no_dialog(Folder::Capture);
    bench.settle();
    let effect = bench.session.apply(Action::Take(Folder::Capture, "a/capture".into()));
    assert!(matches!(effect, Some(Effect::Send(Command::Open(..)))), "a capture is opened: {effect:?}");
}

#[test]
fn an_export_shows_that_it_works_and_where_its_files_are() {
    let mut bench = Bench::finished();
    let request = crate::studio::ExportRequest { formats: vec!["glb".to_owned()], ..Default::default() };
    let effect = bench.session.apply(Action::Export(request));
    assert!(matches!(effect, Some(Effect::Send(Command::Export(..)))), "the worker is asked: {effect:?}");
    bench.settle();
    assert!(bench.says("Exporting GLB · 0 s"), "a sign of life");
    bench.session.on_event(Event::Exported(vec!["out/hands.glb".into()]));
    bench.settle();
    assert!(!bench.says("Exporting GLB · "), "it has ended");
    assert!(bench.says("Exported hands.glb to out"), "and says where the file is");
    for size in SIZES {
        bench.size = size;
        bench.settle();
        let found = untidy(&bench);
        assert!(found.iter().all(|f| !f.contains("folder") && !f.contains("Exported")), "{size}: {found:#?}");
        let close = bench.rows.iter().filter(|r| r.text == "✖").map(|r| r.whole.right()).fold(0.0, f32::max);
        assert!(close < bench.centre.right(), "{size}: it lies in the 3D view: {close}");
    }
    assert_eq!(bench.click("Show in folder"), [Action::Reveal("out".into())], "which can be shown");
    let copied = bench.copied("Copy path");
    assert_eq!(copied.as_deref(), Some("out"), "or copied");
    bench.session.on_event(Event::ExportFailed(crate::studio::Problem::exporting(&anyhow::anyhow!("disk full"))));
    assert!(bench.session.exporting.is_none() && bench.session.banner.is_some(), "a failure is said and ends it too");
}

#[test]
fn a_view_that_is_selected_elsewhere_comes_into_sight_in_the_list() {
    let mut bench = Bench::opened();
    bench.size = vec2(1000.0, 700.0);
    let capture = Arc::new(crate::studio::testing::test_capture(24));
    let thumbnails = capture.views.iter().map(|v| crate::studio::picture::thumbnail(&v.image, 64)).collect();
    let results = "many.thenar/runs".into();
    bench.session.on_event(Event::Opened { capture, thumbnails, run: None, has_engine: false, results });
    bench.settle();
    assert!(!bench.texts.iter().any(|(t, _)| t == "20"), "the list is longer than its panel");
    let _ = bench.session.apply(Action::Select(20));
    bench.settle();
    assert!(bench.texts.iter().any(|(t, _)| t == "20"), "the selected one is shown: {:?}", bench.texts);
    let _ = bench.session.apply(Action::Select(1));
    bench.settle();
    assert!(bench.texts.iter().any(|(t, _)| t == "01"), "and so upwards");
}

#[test]
fn looking_through_a_camera_is_said_and_left_by_escape() {
    let mut bench = Bench::opened();
    bench.settle();
    assert!(!bench.says("through the camera"), "the orbit is no such state");
    assert!(bench.key(Key::Escape, Modifiers::NONE).is_empty(), "and is not left");
    bench.session.ui.through = Some(2);
    bench.settle();
    assert!(bench.says("through the camera of view 02"), "where one is, and how one gets back");
    let left = bench.key(Key::Escape, Modifiers::NONE);
    assert_eq!(left, [Action::Frame(crate::studio::session::Framed::Hands)], "back to the hands");
    bench.session.ui.show_help = true;
    assert!(bench.key(Key::Escape, Modifiers::NONE).is_empty(), "what lies on top goes first");
    assert!(!bench.session.ui.show_help, "the sheet of keys");
}

#[test]
fn a_long_path_in_the_log_begins_where_all_lines_begin() {
    let mut bench = Bench::opened();
    let path = format!("Wrote /home/somebody/{}/hands.glb", "a_long_name/".repeat(12));
    bench.session.note(crate::studio::session::Level::Info, path);
    bench.settle();
    let left = |start: &str| {
        let found = bench.texts.iter().find(|(t, _)| t.starts_with(start));
        found.unwrap_or_else(|| panic!("`{start}` is on screen: {:?}", bench.texts)).1.left()
    };
    assert!((left("Wrote /home") - left("Opened")).abs() < 1.0, "one column: {:?}", bench.texts);
}
