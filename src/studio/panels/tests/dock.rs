//! Panels that are dragged to other places, put away and shown again; what is remembered of it; and that the mouse in the 3D
//! view is the 3D view's alone.

use super::*;
use crate::studio::commands::Id;
use crate::studio::docks::{Axis, Place};
use crate::studio::frame;
use crate::studio::ui_state::Arrangement;
use egui::{PointerButton, Pos2};

const SIZES: [egui::Vec2; 3] = [vec2(1000.0, 700.0), vec2(1280.0, 800.0), vec2(1600.0, 1000.0)];

fn button(pos: Pos2, pressed: bool) -> Input {
    Input::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE }
}

/// Drags with the mouse, in steps; whether the 3D view had the mouse in any of them.
fn drag(bench: &mut Bench, from: Pos2, to: Pos2) -> bool {
    let mut leaked = false;
    let mut step = |bench: &mut Bench, events| {
        assert!(bench.frame(events).is_empty(), "nothing but the layout changes");
        leaked |= bench.ctx.input(|i| i.pointer.any_down()) && !frame::has_egui_mouse(&bench.ctx);
    };
    bench.frame(vec![Input::PointerMoved(from)]);
    bench.frame(vec![button(from, true)]);
    for i in 1_u8..=8 {
        step(bench, vec![Input::PointerMoved(from.lerp(to, f32::from(i) / 8.0))]);
    }
    step(bench, vec![button(to, false)]);
    bench.settle();
    leaked
}

/// Panels left and right of, or above and below, each other in a row or column.
fn neighbours(place: &Place, axis: Axis, first: Pane, second: Pane) -> bool {
    let Some((own, parts)) = place.line() else { return false };
    let pair = |pair: &[(f32, Place)]| pair[0].1.panes().contains(&first) && pair[1].1.panes().contains(&second);
    (own == axis && parts.windows(2).any(pair)) || parts.iter().any(|(_, part)| neighbours(part, axis, first, second))
}

fn mates(bench: &Bench, pane: Pane) -> Vec<Pane> {
    fn find(place: &Place, pane: Pane) -> Option<Vec<Pane>> {
        match place {
            Place::Tabs { of, .. } if of.contains(&pane) => Some(of.clone()),
            Place::Beside(parts) | Place::Below(parts) => parts.iter().find_map(|(_, part)| find(part, pane)),
            _ => None,
        }
    }
    find(bench.session.ui.layout().place(), pane).unwrap_or_default()
}

#[test]
fn a_panel_is_dragged_to_another_place_and_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("studio.ron");
    let mut bench = Bench::finished();
    bench.session.remember_in(file.clone());
    bench.settle();
    assert!(bench.session.wants_settings_saved().is_none(), "nothing has changed yet");
    let view = bench.centre;
    let log = bench.tab(Pane::Log);
    let leaked = drag(&mut bench, log, view.center() + vec2(0.27 * view.width(), 0.0));
    assert!(!leaked, "the 3D view does not turn under a panel that is dragged over it");
    let place = bench.session.ui.layout().place().clone();
    assert!(neighbours(&place, Axis::Beside, Pane::View3d, Pane::Log), "beside the 3D view: {place:?}");
    assert!(bench.centre.width() < view.width() - 100.0, "which has less room: {:?}", bench.centre);
    let (pose, curves) = (bench.tab(Pane::Pose), bench.tab(Pane::Curves));
    drag(&mut bench, pose, curves + vec2(40.0, 0.0));
    assert_eq!(mates(&bench, Pane::Curves), [Pane::Curves, Pane::Pose], "behind each other");
    assert!(bench.session.ui.shows(Pane::Pose) && !bench.session.ui.shows(Pane::Curves), "what was dropped is seen");
    assert_eq!(mates(&bench, Pane::Capture).len(), 3, "and it has left its old place");
    let (path, text) = bench.session.wants_settings_saved().expect("it is to be remembered");
    std::fs::write(path, text).expect("writes");
    let mut later = Bench::finished();
    later.session.remember_in(file);
    later.settle();
    assert_eq!(later.session.ui.layout(), bench.session.ui.layout(), "it is as it was");
    assert_eq!(later.centre, bench.centre, "to the point");
    assert!(later.session.log.iter().all(|line| !line.text.contains("layout")), "nothing was wrong with it");
}

#[test]
fn a_panel_dropped_beside_tabs_stands_beside_all_of_them() {
    let mut bench = Bench::finished();
    bench.size = vec2(1600.0, 1000.0);
    bench.settle();
    let tabs = [Pane::Parameters, Pane::Findings].map(|pane| bench.tab(pane));
    let middle = pos2(tabs[0].x + 130.0, bench.tab(Pane::Curves).y - 150.0);
    let capture = bench.tab(Pane::Capture);
    drag(&mut bench, capture, middle - vec2(90.0, 0.0));
    let place = bench.session.ui.layout().place().clone();
    assert_eq!(mates(&bench, Pane::Pose), [Pane::Parameters, Pane::Pose, Pane::Findings], "{place:?}");
    assert!(neighbours(&place, Axis::Beside, Pane::Capture, Pane::Pose), "to the left of them: {place:?}");
    assert!(bench.session.ui.shows(Pane::Capture) && bench.session.ui.shows(Pane::Parameters), "both are seen");
}

#[test]
fn escape_gives_a_drag_up() {
    let mut bench = Bench::finished();
    bench.settle();
    let before = bench.session.ui.layout().clone();
    let (from, to) = (bench.tab(Pane::Log), bench.centre.center());
    bench.frame(vec![Input::PointerMoved(from)]);
    bench.frame(vec![button(from, true)]);
    bench.frame(vec![Input::PointerMoved(from.lerp(to, 0.5))]);
    bench.frame(vec![Input::PointerMoved(to)]);
    assert!(bench.session.ui.moving, "it is being dragged");
    bench.key(Key::Escape, Modifiers::NONE);
    bench.frame(vec![button(to, false)]);
    bench.settle();
    assert_eq!(*bench.session.ui.layout(), before, "nothing has moved");
    assert!(!bench.session.ui.moving, "nor does it any longer");
}

#[test]
fn panels_are_put_away_with_their_cross_and_shown_again_from_menu_and_palette() {
    let mut bench = Bench::finished();
    bench.settle();
    let view = bench.centre;
    assert!(bench.click_named("Put Log away").is_empty(), "the window sees to it");
    bench.settle();
    assert!(!bench.session.ui.layout().has(Pane::Log) && !bench.says("filter"), "it is gone");
    assert!(bench.click_named("Put Loss away").is_empty(), "the curves as well");
    bench.settle();
    assert!(bench.centre.height() > view.height() + 100.0, "the 3D view has their room: {:?}", bench.centre);
    bench.click_exactly("Window");
    bench.settle();
    bench.click_named("Log");
    bench.settle();
    assert!(bench.says("filter"), "the menu shows it again");
    bench.key(Key::K, Modifiers::COMMAND);
    bench.frame(vec![Input::Text("loss".to_owned())]);
    bench.settle();
    bench.key(Key::Enter, Modifiers::NONE);
    bench.settle();
    assert!(bench.says("smooth"), "the palette as well");
    assert_eq!(bench.centre, view, "and all is as it was");
    for pane in Pane::DOCKED {
        bench.session.ui.layout_mut().hide(pane);
    }
    bench.settle();
    assert!(bench.says("All panels are put away"), "an empty window says how to fill it");
    assert_eq!(bench.centre.size(), egui::Vec2::ZERO, "without a 3D view");
    bench.key(Key::L, Modifiers { shift: true, ..Modifiers::COMMAND });
    bench.settle();
    assert_eq!(bench.centre, view, "which the reset brings back");
}

#[test]
fn resetting_is_offered_when_there_is_something_to_reset_and_for_this_layout_alone() {
    let mut bench = Bench::finished();
    bench.settle();
    let reset = Id::ResetLayout.entry();
    assert!((reset.why_not)(&bench.session).is_some(), "nothing was changed");
    for arrangement in [Arrangement::Compare, Arrangement::Studio] {
        bench.session.ui.arrangement = arrangement;
        bench.session.ui.toggle(Pane::Views);
    }
    bench.settle();
    bench.key(Key::L, Modifiers { shift: true, ..Modifiers::COMMAND });
    assert!(bench.session.ui.is_layout_untouched(), "this one is reset");
    bench.session.ui.arrangement = Arrangement::Compare;
    assert!(!bench.session.ui.is_layout_untouched(), "the other one is not");
}

#[test]
fn broken_settings_give_a_window_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("studio.ron");
    for layouts in [
        "(version: 1, changed: {\"studio\": (place: Pane(\"television\"))})",
        "(version: 1, changed: {\"studio\": (place: Beside([(-1.0, Pane(\"log\")), (inf, Pane(\"log\"))]), hidden: [\"log\"])})",
        "(version: 1, changed: {\"studio\": (place: Below([]))})",
        "(version: 9, anything: [1, 2])",
        "\"nothing of the kind\"",
        "Tabs(1, 2, 3)",
    ] {
        std::fs::write(&file, format!("(zoom: 1.25, layouts: {layouts}, worst_first: true)")).expect("writes");
        let mut bench = Bench::finished();
        bench.session.remember_in(file.clone());
        bench.settle();
        assert!((bench.session.ui.zoom, bench.session.ui.worst_first) == (1.25, true), "{layouts}: the rest is kept");
        let said = bench.session.log.iter().any(|line| line.text.contains("layout"));
        assert!(said, "{layouts}: it is said in the log: {:?}", bench.session.log);
        let (_, text) = bench.session.wants_settings_saved().expect("what was repaired is written");
        assert!(!text.contains("television"), "{text}");
        for pane in Pane::DOCKED {
            bench.session.ui.bring(pane);
            bench.settle();
            assert!(bench.session.ui.shows(pane), "{layouts}: {pane:?} can be shown");
        }
    }
}

#[test]
fn every_layout_has_its_room_at_every_size() {
    for size in SIZES {
        let mut widths = Vec::new();
        for arrangement in Arrangement::ALL {
            let mut bench = Bench::finished();
            bench.size = size;
            bench.session.ui.arrangement = arrangement;
            bench.settle();
            let centre = bench.centre;
            let least = if arrangement == Arrangement::Compare { vec2(480.0, 180.0) } else { vec2(480.0, 330.0) };
            assert!(centre.width() >= least.x && centre.height() >= least.y, "{size}, {arrangement:?}: {centre:?}");
            widths.push(centre.width());
            for pane in bench.session.ui.layout().panes().into_iter().filter(|p| bench.session.ui.shows(*p)) {
                if pane != Pane::Timeline {
                    let title = bench.tab(pane);
                    assert!(title.x > 0.0 && title.y > 0.0 && title.x < size.x && title.y < size.y, "{pane:?}");
                }
            }
        }
        assert!(widths[0] > widths[1] && widths[1] > widths[2], "{size}: simple, studio, compare: {widths:?}");
        // What the layouts had when their places were fixed.
        let share = widths[1] / size.x;
        assert!((0.5..0.66).contains(&share), "{size}: the 3D view has {share} of the width");
    }
}

#[test]
fn edges_are_moved_with_the_mouse_and_with_arrow_keys_and_stop_at_the_least_size() {
    let mut bench = Bench::finished();
    bench.settle();
    let before = bench.centre;
    let edge = bench.node("Edge between Views and 3D view").center();
    assert!(!drag(&mut bench, edge, edge + vec2(60.0, 0.0)), "the 3D view stays as it is");
    assert!((bench.centre.left() - before.left() - 60.0).abs() < 1.5, "as far as the mouse: {:?}", bench.centre);
    let edge = bench.node("Edge between 3D view and Compare").center();
    drag(&mut bench, edge, edge - vec2(600.0, 0.0));
    assert!((bench.centre.width() - 480.0).abs() < 1.5, "not below its least width: {:?}", bench.centre);
    let at = bench.centre;
    let reached = (0..200).any(|_| {
        bench.key(Key::Tab, Modifiers::NONE);
        bench.focused().is_some_and(|name| name == "Edge between 3D view and Compare")
    });
    assert!(reached, "Tab comes to the edge");
    bench.settle();
    bench.key(Key::ArrowRight, Modifiers::NONE);
    bench.settle();
    assert!((bench.centre.width() - at.width() - 16.0).abs() < 1.5, "an arrow key moves it: {:?}", bench.centre);
    assert!(bench.focused().is_some_and(|name| name.starts_with("Edge")), "and it keeps the keys");
}

#[test]
fn keys_go_to_the_panels_titles() {
    let mut bench = Bench::finished();
    bench.settle();
    let panes = bench.session.ui.layout().panes();
    for pane in &panes {
        bench.key(Key::F6, Modifiers::NONE);
        bench.settle();
        assert!(bench.session.ui.shows(*pane), "{pane:?} is shown");
        assert_eq!(bench.focused().as_deref(), Some(pane.title()), "{pane:?} has the keys");
    }
    bench.key(Key::F6, Modifiers::SHIFT);
    bench.settle();
    assert_eq!(bench.focused().as_deref(), Some(panes[panes.len() - 2].title()), "and back");
}

#[test]
fn the_mouse_in_the_3d_view_is_its_own_and_nobody_elses() {
    for arrangement in Arrangement::ALL {
        let mut bench = Bench::finished();
        bench.session.ui.arrangement = arrangement;
        bench.settle();
        let open = frame::open_part(bench.centre, bench.session.ui.view_bar);
        assert!(open.width() > 400.0 && open.height() > 100.0, "{arrangement:?}: {open:?}");
        for at in [open.center(), open.min + vec2(2.0, 2.0), open.max - vec2(2.0, 2.0)] {
            bench.frame(vec![Input::PointerMoved(at)]);
            assert!(bench.frame(vec![button(at, true)]).is_empty(), "{arrangement:?}, {at}: no panel answers");
            assert!(!frame::has_egui_mouse(&bench.ctx), "{arrangement:?}, {at}: a press is the 3D view's");
            bench.frame(vec![button(at, false)]);
            let (closer, log) = (bench.session.ui.closer, bench.session.ui.layout().clone());
            bench.frame(vec![wheel(120.0)]);
            bench.settle();
            assert_eq!(
                (bench.session.ui.closer, bench.session.ui.layout()),
                (closer, &log),
                "{at}: nor does the wheel move a panel"
            );
        }
        // Everywhere else the mouse is not in the 3D view.
        for pane in bench.session.ui.layout().panes().into_iter().filter(|p| bench.session.ui.shows(*p)) {
            assert!(!open.contains(bench.tab(pane)), "{arrangement:?}: the title of {pane:?}");
        }
        let edges: Vec<Rect> = bench.names("Edge between");
        assert!(!edges.is_empty(), "{arrangement:?}: there are edges");
        for edge in edges {
            assert!(!open.intersects(edge.shrink(0.5)), "{arrangement:?}: {edge:?} is no part of {open:?}");
        }
    }
}

#[test]
fn the_wheel_over_the_pictures_stays_with_them() {
    let mut bench = Bench::finished();
    bench.settle();
    let at = bench.names("Photograph and render of view")[0].center();
    bench.frame(vec![Input::PointerMoved(at)]);
    bench.frame(vec![wheel(120.0)]);
    bench.settle();
    assert!(bench.session.ui.closer > 1.0, "it looks closer there");
    assert!(!frame::open_part(bench.centre, bench.session.ui.view_bar).contains(at), "not in the 3D view");
    bench.session.ui.toggle(Pane::View3d);
    bench.settle();
    assert_eq!(bench.centre.size(), egui::Vec2::ZERO, "put away, it has no place");
}

fn wheel(by: f32) -> Input {
    Input::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, by),
        phase: egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
    }
}
