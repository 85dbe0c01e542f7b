//! The table of commands: keys that do not collide, commands that do something, the palette, the menus, the sheet.

use super::*;
use crate::fitting::pose::{PoseSettings, Triangulator};
use crate::pipeline::{Diagnosis, diagnose};
use crate::studio::commands::{Id, Menu, TABLE, by_word, shortcut_text};
use crate::studio::editing::EditTool;
use crate::studio::session::EditAction;
use crate::studio::testing::test_capture;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Of a capture with a camera that is off.
static DIAGNOSIS: LazyLock<Arc<Diagnosis>> = LazyLock::new(|| {
    let mut capture = test_capture(6);
    capture.views[3].camera.k[(0, 2)] -= 12.0;
    Arc::new(diagnose(&capture, &[], &PoseSettings::default(), &Triangulator::Reference))
});

/// What a command may change, as text.
fn state(bench: &Bench) -> String {
    format!("{:?} {:?}", bench.session.ui, bench.session.choices())
}

/// A window in which every command can be carried out, once it is made ready for it.
fn ready(id: Id) -> Bench {
    let mut bench = Bench::finished();
    let _ = bench.session.apply(Action::ToggleExclude(1));
    bench.session.overrides.insert("ham.weight_lap".to_owned(), 1.0);
    bench.session.notice_edits();
    bench.session.diagnosis = Some(Arc::clone(&DIAGNOSIS));
    match id {
        Id::Redo => {
            let _ = bench.session.apply(Action::Undo);
        }
        Id::Pause | Id::Stop => bench.session.state = RunState::Running,
        Id::TrainNetwork => bench.session.has_network = false,
        Id::ByResidual => bench.session.ui.measure = crate::studio::session::Measure::Psnr,
        Id::WorstView => {
            bench.session.ui.measure = crate::studio::session::Measure::Iou;
            let iou = vec![Some(0.9), Some(0.5), Some(0.8), Some(0.7)];
            let views = crate::studio::backend::RunViews { iou, ..Default::default() };
            bench.session.on_event(Event::Views(views));
        }
        Id::Studio => bench.session.ui.arrangement = crate::studio::ui_state::Arrangement::Simple,
        Id::ResetLayout => bench.session.ui.toggle(Pane::Log),
        Id::UsualSize => bench.session.ui.zoom = 1.5,
        Id::WholePicture => bench.session.ui.closer = 2.0,
        Id::Close => bench.session.ui.show_help = true,
        Id::KeypointUnseen => {
            bench.session.ui.editing.choose(Some(EditTool::Keypoints));
            bench.session.ui.editing.picked = Some((1, 8));
        }
        Id::SmallerBrush | Id::LargerBrush => bench.session.ui.editing.choose(Some(EditTool::Brush)),
        Id::Polygon => bench.session.ui.editing.choose(Some(EditTool::Brush)),
        Id::NextMark => {
            let _ = bench.session.apply(Action::Scrub(0));
        }
        Id::ClosePolygon => {
            bench.session.ui.editing.choose(Some(EditTool::Polygon));
            bench.session.ui.editing.polygon = vec![[5.0, 5.0], [30.0, 5.0], [30.0, 30.0]];
        }
        Id::RevertKeypoints => {
            let _ = bench.session.apply(Action::Edit(EditAction::SwapSides(0)));
        }
        Id::RevertMask => {
            bench.session.ui.editing.choose(Some(EditTool::Brush));
            let edit = bench.session.stroke([[5.0, 5.0], [9.0, 9.0]]).expect("a brush");
            let _ = bench.session.apply(Action::Edit(edit));
        }
        // What is chosen already would change nothing.
        Id::Albedo => bench.session.ui.shading = crate::studio::ui_state::Shading::Clay,
        Id::Wipe => bench.session.ui.compare = crate::studio::ui_state::CompareMode::Side,
        Id::Parameters => bench.session.ui.bring(Pane::Pose),
        _ => {}
    }
    bench
}

#[test]
fn no_two_commands_share_a_key_a_word_or_a_name() {
    let mut keys: BTreeMap<String, &str> = BTreeMap::new();
    for entry in &TABLE {
        for key in entry.keys {
            // In a mode, a key may mean something else.
            let text = format!("{}{}", shortcut_text(*key), if entry.in_mode { " in a mode" } else { "" });
            if let Some(other) = keys.insert(text, entry.word) {
                panic!("{} is the key of {other} and of {}", shortcut_text(*key), entry.word);
            }
        }
        assert!(std::ptr::eq(by_word(entry.word).expect("found"), entry), "{} is one command", entry.word);
        let named = TABLE.iter().filter(|e| e.name == entry.name).count();
        assert_eq!(named, 1, "{} is one name", entry.name);
        assert!(!entry.help.is_empty() && !entry.help.ends_with('.'), "{}: {}", entry.word, entry.help);
    }
    assert!(keys.len() > 25, "there are keys: {}", keys.len());
    for menu in Menu::ALL {
        assert!(TABLE.iter().any(|e| e.menu == menu), "{} is not empty", menu.name());
    }
}

#[test]
fn rows_stand_in_the_order_of_the_ids_and_each_reaches_an_effect() {
    for (i, entry) in TABLE.iter().enumerate() {
        assert_eq!(entry.id as usize, i, "{}", entry.word);
        let mut bench = ready(entry.id);
        assert_eq!((entry.why_not)(&bench.session), None, "{} can be carried out", entry.word);
        let before = state(&bench);
        let action = entry.run(&mut bench.session);
        assert!(action.is_some() || state(&bench) != before, "{} does something", entry.word);
    }
}

#[test]
fn a_key_does_what_its_command_does() {
    for entry in TABLE.iter().filter(|e| !e.held) {
        for key in entry.keys {
            let mut by_key = ready(entry.id);
            let mut by_run = ready(entry.id);
            let actions = by_key.key(key.logical_key, key.modifiers);
            let wanted: Vec<Action> = entry.run(&mut by_run.session).into_iter().collect();
            assert_eq!(actions, wanted, "{} by {}", entry.word, shortcut_text(*key));
        }
    }
}

#[test]
fn what_cannot_be_done_is_not_done_and_says_why() {
    let mut bench = Bench::new();
    bench.settle();
    assert!(bench.key(Key::X, Modifiers::NONE).is_empty(), "there is no view to exclude");
    let last = bench.session.log.back().expect("a line of the log");
    assert!(last.text.contains("Open a capture folder first"), "{}", last.text);
    let entry = Id::ExcludeView.entry();
    assert_eq!(entry.run(&mut bench.session), None, "nor by the table itself");
    bench.key(Key::F1, Modifiers::NONE);
    bench.settle();
    assert!(bench.session.ui.show_help, "what needs no capture works without one");
}

#[test]
fn the_palette_finds_and_does() {
    let mut bench = Bench::finished();
    bench.settle();
    bench.key(Key::K, Modifiers::COMMAND);
    bench.settle();
    assert!(bench.says("Search commands: a few letters"), "it is open");
    bench.frame(vec![Input::Text("normals".to_owned())]);
    bench.settle();
    bench.key(Key::Enter, Modifiers::NONE);
    bench.settle();
    assert_eq!(bench.session.ui.shading, crate::studio::ui_state::Shading::Normals, "the first row is carried out");
    assert!(bench.session.ui.palette.is_none(), "and the palette is gone");
    bench.key(Key::K, Modifiers::COMMAND);
    bench.frame(vec![Input::Text("pause".to_owned())]);
    bench.settle();
    assert!(bench.says("Nothing is running"), "what cannot be done says why");
    assert!(bench.key(Key::Enter, Modifiers::NONE).is_empty(), "and is not done");
    assert!(bench.session.ui.palette.is_some(), "the palette stays");
    bench.key(Key::Escape, Modifiers::NONE);
    bench.settle();
    assert!(bench.session.ui.palette.is_none(), "Escape closes it");
    for size in [vec2(1000.0, 700.0), vec2(1600.0, 1000.0)] {
        bench.size = size;
        bench.session.ui.palette = Some(Default::default());
        bench.settle();
        let window = Rect::from_min_size(egui::Pos2::ZERO, size);
        let found = bench.rows.iter().find(|r| r.text.starts_with("Open capture or run"));
        assert!(found.is_some_and(|r| window.contains_rect(r.whole)), "{size}: its rows lie in the window");
    }
}

#[test]
fn menus_list_every_command_with_its_key() {
    for menu in Menu::ALL {
        let mut bench = Bench::finished();
        bench.settle();
        bench.click_exactly(menu.name());
        bench.settle();
        for entry in TABLE.iter().filter(|e| e.menu == menu) {
            assert!(bench.says(entry.name), "{} is in {}", entry.name, menu.name());
            assert!(bench.says(&entry.key_text()), "with its key {}", entry.key_text());
        }
        assert!(bench.missing_glyphs().is_empty(), "no boxes: {:?}", bench.missing_glyphs());
    }
}

#[test]
fn the_sheet_of_keys_fits_the_least_window_and_is_complete() {
    let mut bench = Bench::finished();
    bench.size = vec2(LEAST_SIZE[0], LEAST_SIZE[1]);
    bench.session.ui.show_help = true;
    bench.settle();
    let window = Rect::from_min_size(egui::Pos2::ZERO, bench.size);
    for entry in TABLE.iter().filter(|e| !e.keys.is_empty()) {
        let row = bench.rows.iter().find(|r| r.text == entry.name && window.contains_rect(r.whole));
        assert!(row.is_some_and(|r| r.seen == r.whole), "{} is whole on screen", entry.name);
    }
    assert!(bench.missing_glyphs().is_empty(), "no boxes: {:?}", bench.missing_glyphs());
}
