//! Editing keypoints and masks with mouse and keys.

use super::super::edit_stage;
use super::*;
use crate::anatomy::Side;
use crate::capture::KeypointEdit;
use crate::studio::backend::RunRecord;
use crate::studio::editing::EditTool;
use crate::studio::session::EditAction;
use egui::{PointerButton, Pos2};

/// A window with room for the pictures, in the edit mode.
fn editing(key: Key) -> Bench {
    let mut bench = Bench::opened();
    bench.size = vec2(1600.0, 1000.0);
    bench.session.ui.zoom_to_hands = false;
    let _ = bench.session.apply(Action::Select(2));
    bench.settle();
    if key == Key::P {
        // Its key is the polygon's in the edit mode only.
        bench.key(Key::M, Modifiers::NONE);
        bench.settle();
    }
    bench.key(key, Modifiers::NONE);
    bench.settle();
    bench
}

/// Where a pixel of the photograph lies on screen.
fn on_screen(p: [f64; 2]) -> Pos2 {
    edit_stage::shown_at(p).expect("a picture is edited")
}

fn button(at: Pos2, button: PointerButton, pressed: bool) -> Input {
    Input::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE }
}

/// Draws frames and carries out what comes of them, as the window does.
fn act(bench: &mut Bench, events: Vec<Input>) {
    for action in bench.frame(events) {
        assert!(bench.session.apply(action).is_none(), "an edit asks nothing of the worker");
    }
}

fn drag(bench: &mut Bench, from: [f64; 2], to: [f64; 2]) {
    let (from, to) = (on_screen(from), on_screen(to));
    act(bench, vec![Input::PointerMoved(from)]);
    act(bench, vec![button(from, PointerButton::Primary, true)]);
    for t in [0.3, 0.7, 1.0] {
        act(bench, vec![Input::PointerMoved(from + (to - from) * t)]);
    }
    act(bench, vec![button(to, PointerButton::Primary, false)]);
    act(bench, Vec::new());
}

fn click(bench: &mut Bench, at: [f64; 2]) {
    let at = on_screen(at);
    act(bench, vec![Input::PointerMoved(at)]);
    act(bench, vec![button(at, PointerButton::Primary, true)]);
    act(bench, vec![button(at, PointerButton::Primary, false)]);
    act(bench, Vec::new());
}

fn press(bench: &mut Bench, key: Key, modifiers: Modifiers) {
    for action in bench.key(key, modifiers) {
        let _ = bench.session.apply(action);
    }
    act(bench, Vec::new());
}

fn undo(bench: &mut Bench) {
    press(bench, Key::Z, Modifiers::COMMAND);
}

fn tip(bench: &Bench) -> [f64; 2] {
    bench.session.keypoints(2)[1].as_ref().expect("a right hand").px[8]
}

#[test]
fn a_dragged_keypoint_moves_and_is_undone_in_one_step() {
    let mut bench = editing(Key::K);
    let before = tip(&bench);
    let to = [before[0] + 24.0, before[1] - 15.0];
    // Not quite at the keypoint: it is within reach, and it does not jump to the mouse.
    drag(&mut bench, [before[0] + 1.0, before[1]], [to[0] + 1.0, to[1]]);
    let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]) < 0.2;
    assert!(near(tip(&bench), to), "{:?} instead of {to:?}", tip(&bench));
    assert_eq!(bench.session.undoable(), Some("edit the keypoints of view 02"), "one step");
    assert!(bench.says("1 view edited") && bench.says("✏"), "it is said, and marked in the list");
    undo(&mut bench);
    assert_eq!((tip(&bench), bench.session.undoable()), (before, None), "as detected again");
    press(&mut bench, Key::Z, Modifiers { shift: true, ..Modifiers::COMMAND });
    assert!(near(tip(&bench), to), "and done again");
    let changed = bench.session.view_edits(2).map_or(0, |e| e.hands.iter().map(|h| h.len()).sum());
    assert_eq!(changed, 1, "no other keypoint was touched");
    // Away from all keypoints nothing is dragged.
    drag(&mut bench, [5.0, 5.0], [60.0, 60.0]);
    assert!(near(tip(&bench), to) && bench.session.edited_views() == 1, "nothing else");
    assert!(bench.missing_glyphs().is_empty(), "no boxes: {:?}", bench.missing_glyphs());
    press(&mut bench, Key::Escape, Modifiers::NONE);
    assert_eq!(bench.session.ui.editing.tool, None, "Escape leaves");
    bench.session.ui.show_cameras = true;
    press(&mut bench, Key::V, Modifiers::NONE);
    assert!(!bench.session.ui.show_cameras, "outside of the mode, V is the cameras' key");
}

#[test]
fn keys_mark_a_keypoint_unseen_and_exchange_the_sides() {
    let mut bench = editing(Key::K);
    let (at, cameras) = (tip(&bench), bench.session.ui.show_cameras);
    click(&mut bench, at);
    assert_eq!(bench.session.ui.editing.picked, Some((1, 8)), "clicked");
    press(&mut bench, Key::V, Modifiers::NONE);
    let confidence = |b: &Bench, side: usize| b.session.keypoints(2)[side].as_ref().map(|k| k.confidence[8]);
    assert_eq!(confidence(&bench, 1), Some(0.0), "unseen");
    assert_eq!(bench.session.ui.show_cameras, cameras, "V does nothing else in the mode");
    press(&mut bench, Key::V, Modifiers::NONE);
    assert_eq!(confidence(&bench, 1), Some(0.9), "seen again, as detected");
    assert!(bench.session.edits.is_empty(), "which is no edit");
    undo(&mut bench);
    assert_eq!(confidence(&bench, 1), Some(0.0), "undone");
    press(&mut bench, Key::K, Modifiers::SHIFT);
    assert_eq!(confidence(&bench, 0), Some(0.0), "the hand is the left one now, with its edit");
    // What is edited now is still the detection that was called right.
    let _ = bench.session.apply(Action::Edit(EditAction::Place(2, Side::Left, 4, [9.0, 8.0])));
    let edits = bench.session.view_edits(2).expect("edited");
    assert_eq!((edits.swap_sides, edits.hands[1].get(&4)), (true, Some(&KeypointEdit::At(9.0, 8.0))), "by its claim");
    let _ = bench.session.apply(Action::Edit(EditAction::RevertKeypoints(2)));
    assert_eq!(confidence(&bench, 1), Some(0.9), "all of it taken back");
    bench.session.notice_edits();
    undo(&mut bench);
    assert_eq!(confidence(&bench, 0), Some(0.0), "which can be undone too");
}

#[test]
fn a_hand_that_is_not_seen_goes_and_one_that_was_missed_comes_from_the_joints() {
    let mut bench = Bench::finished();
    let run = |b: &mut Bench, edit| _ = b.session.apply(Action::Edit(edit));
    run(&mut bench, EditAction::HandUnseen(1, Side::Left));
    let left = bench.session.keypoints(1)[0].clone().expect("still drawn");
    assert!(left.confidence.iter().all(|c| *c == 0.0), "unseen as a whole");
    let mut capture = test_capture_without_right();
    let detected: Vec<_> = capture.views.iter_mut().map(|v| std::mem::take(&mut v.keypoints)).collect();
    bench.session.detected = Some(Arc::new(detected));
    assert!(bench.session.keypoints(3)[1].is_none(), "missed");
    if bench.session.why_no_hand(3, Side::Right).is_none() {
        run(&mut bench, EditAction::AddHand(3, Side::Right));
        let added = bench.session.keypoints(3)[1].clone().expect("added");
        assert!(added.placed.iter().all(|p| *p), "all of it is the user's");
        assert_eq!(bench.session.why_no_hand(3, Side::Right), Some("It is there already"), "once");
    } else {
        panic!("a finished run has joints: {:?}", bench.session.why_no_hand(3, Side::Right));
    }
}

fn test_capture_without_right() -> crate::capture::Capture {
    let mut capture = crate::studio::testing::test_capture(4);
    for view in &mut capture.views {
        view.keypoints[1] = None;
    }
    capture
}

fn area(bench: &Bench) -> usize {
    bench.session.mask_image(2).map_or(0, |mask| mask.pixels().filter(|p| p.0[0] == 255).count())
}

#[test]
fn brush_and_eraser_paint_the_mask_and_their_keys_do_not_change_the_view() {
    let mut bench = editing(Key::M);
    let before = area(&bench);
    for _ in 0..3 {
        press(&mut bench, Key::OpenBracket, Modifiers::NONE);
    }
    let radius = bench.session.ui.editing.radius_px;
    assert!(radius < 7.0 && bench.session.selected == 2, "smaller, and the view stays: {radius}");
    drag(&mut bench, [10.0, 12.0], [60.0, 12.0]);
    let painted = area(&bench);
    let expected = 50.0 * 2.0 * radius + std::f64::consts::PI * radius * radius;
    let more = f64::from(u32::try_from(painted - before).expect("more"));
    assert!((more - expected).abs() < 0.15 * expected, "{more} pixels instead of {expected}");
    assert_eq!(bench.session.undoable(), Some("edit the mask of view 02"), "one stroke, one step");
    press(&mut bench, Key::E, Modifiers::NONE);
    click(&mut bench, [35.0, 12.0]);
    assert!(area(&bench) < painted, "the eraser takes away, also by a click");
    undo(&mut bench);
    assert_eq!(area(&bench), painted, "only that is undone");
    undo(&mut bench);
    assert_eq!((area(&bench), bench.session.edits.is_empty()), (before, true), "and then the stroke");
    press(&mut bench, Key::Escape, Modifiers::NONE);
    press(&mut bench, Key::CloseBracket, Modifiers::NONE);
    assert_eq!(bench.session.selected, 3, "outside of the mode the bracket is the next view's");
    let history: usize = (0..200)
        .map(|i| {
            let y = 5.0 + f64::from(i % 40);
            bench.session.ui.editing.choose(Some(EditTool::Brush));
            let edit = bench.session.stroke([[5.0, y], [150.0, y]]).expect("a brush");
            let EditAction::Mask(_, mask) = &edit else { panic!("a mask") };
            let bytes = mask.bytes();
            let _ = bench.session.apply(Action::Edit(edit));
            bench.session.notice_edits();
            bytes
        })
        .sum();
    assert!(history < 2 << 20, "200 strokes take {history} bytes");
}

#[test]
fn a_polygon_is_closed_by_enter_and_given_up_by_escape() {
    let mut bench = editing(Key::P);
    let before = area(&bench);
    let corners = [[8.0, 6.0], [48.0, 6.0], [48.0, 26.0], [8.0, 26.0]];
    for corner in corners {
        click(&mut bench, corner);
    }
    assert_eq!(bench.session.ui.editing.polygon.len(), 4, "four corners");
    assert_eq!(area(&bench), before, "nothing is filled yet");
    press(&mut bench, Key::Enter, Modifiers::NONE);
    let filled = area(&bench) - before;
    assert!(filled.abs_diff(800) < 60, "{filled} pixels");
    assert!(bench.session.ui.editing.polygon.is_empty(), "and the next one can begin");
    for corner in corners {
        click(&mut bench, corner);
    }
    press(&mut bench, Key::Escape, Modifiers::NONE);
    let editing = &bench.session.ui.editing;
    assert!(editing.polygon.is_empty() && editing.tool == Some(EditTool::Polygon), "given up, the mode stays");
    bench.session.ui.editing.takes_away = true;
    for corner in corners {
        click(&mut bench, corner);
    }
    press(&mut bench, Key::Enter, Modifiers::NONE);
    assert_eq!(area(&bench), before, "taken away again");
    undo(&mut bench);
    assert_eq!(area(&bench) - before, filled, "undone");
    let _ = bench.session.apply(Action::Edit(EditAction::RevertMask(2)));
    assert_eq!(area(&bench), before, "the mask of the capture");
}

#[test]
fn the_next_run_gets_the_edits_and_the_button_says_what_it_begins_with() {
    let mut bench = Bench::finished();
    bench.size = vec2(1600.0, 1000.0);
    bench.settle();
    assert!(bench.says("▶ Reconstruct"), "nothing is edited");
    let edit = |b: &mut Bench, edit| _ = b.session.apply(Action::Edit(edit));
    bench.session.ui.editing.choose(Some(EditTool::Eraser));
    let painted = bench.session.stroke([[5.0, 5.0], [90.0, 90.0]]).expect("an eraser");
    edit(&mut bench, painted);
    bench.session.ui.editing.choose(None);
    bench.settle();
    assert!(bench.says("▶ Re-run from masks"), "a mask");
    edit(&mut bench, EditAction::Place(1, Side::Left, 3, [20.0, 20.0]));
    bench.settle();
    assert!(bench.says("▶ Re-run from pose"), "a keypoint");
    let edits = Arc::clone(&bench.session.edits);
    let Some(Effect::Send(Command::Start(request))) = bench.session.apply(Action::Start) else { panic!("a start") };
    assert_eq!(request.edits, edits, "the run gets them");
    assert!(request.capture.edits.is_empty(), "the open capture stays as it is");
    bench.session.on_event(Event::Started { run_dir: "runs/2".into(), steps: Vec::new() });
    bench.session.on_event(Event::Finished);
    assert_eq!(bench.session.affected(), None, "and has seen them all");
    edit(&mut bench, EditAction::RevertKeypoints(1));
    assert_eq!(bench.session.affected(), Some("pose"), "until something is taken back");

    // A run that is opened comes with its edits.
    let mut bench = Bench::opened();
    let capture = bench.session.capture.clone().expect("opened");
    let run = RunRecord {
        dir: "runs/2".into(),
        steps: Vec::new(),
        snapshots: Vec::new(),
        preset: "draft".to_owned(),
        excluded: Vec::new(),
        held_out: Vec::new(),
        resumable: false,
        detected: None,
        edits: Arc::clone(&edits),
    };
    let thumbnails = Vec::new();
    let results = "runs".into();
    bench.session.on_event(Event::Opened { capture, thumbnails, run: Some(Box::new(run)), has_engine: false, results });
    assert_eq!((bench.session.edited_views(), bench.session.affected()), (2, None), "shown, and nothing to run again");
    assert_eq!(bench.session.undoable(), None, "they are no edits of this window");
    assert_eq!(bench.session.keypoints(1)[0].as_ref().map(|k| k.px[3]), Some([20.0, 20.0]), "in place");
}
