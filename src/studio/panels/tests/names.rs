//! Every control and picture has a name for who cannot see it.

use super::super::access::is_read;
use super::*;
use crate::studio::commands::Menu;
use crate::studio::editing::EditTool;
use crate::studio::ui_state::{Arrangement, CompareMode};
use egui::accesskit::{Action as Ask, Node, NodeId, Role};

/// What a reader would say of a node.
fn spoken(node: &Node) -> String {
    let value = if matches!(node.role(), Role::Label | Role::Link) { node.value() } else { None };
    node.label().or(value).unwrap_or_default().to_owned()
}

/// Controls and pictures without a name that can be read out.
fn nameless(bench: &Bench) -> Vec<String> {
    // The ground of a window or a menu takes clicks so that nothing below it does; it is no control. Nor is a window's title.
    let layers = bench.ctx.memory(|m| m.areas().visible_layer_ids());
    let areas: Vec<_> = layers.iter().flat_map(|l| ["move", "__title_click"].map(|part| l.id.with(part))).collect();
    let asks = |node: &Node| {
        let role = node.role();
        let shown = matches!(role, Role::Canvas | Role::Image | Role::Slider | Role::TextInput | Role::Splitter);
        // Text that can be marked is its own name, were it only a sign; and readers know scroll bars.
        (node.supports_action(Ask::Click) && !matches!(role, Role::Label | Role::ScrollBar)) || shown
    };
    let ground = |id: &NodeId| areas.iter().any(|area: &egui::Id| area.accesskit_id() == *id);
    let bad = bench.nodes.iter().filter(|(id, node)| asks(node) && !ground(id) && !is_read(&spoken(node)));
    bad.map(|(_, node)| format!("{:?} `{}` at {:?}", node.role(), spoken(node), node.bounds())).collect()
}

/// Adds what has no name in this state.
fn look(bench: &mut Bench, what: &str, found: &mut Vec<String>) {
    bench.settle();
    found.extend(nameless(bench).into_iter().map(|node| format!("{what}: {node}")));
}

#[test]
fn all_controls_and_pictures_have_names() {
    let mut found = Vec::new();
    let mut bench = Bench::new();
    look(&mut bench, "the first screen", &mut found);
    let mut bench = Bench::opened();
    look(&mut bench, "a capture", &mut found);
    for arrangement in Arrangement::ALL {
        let mut bench = Bench::finished();
        bench.session.ui.arrangement = arrangement;
        bench.session.overrides.insert("ham.weight_lap".to_owned(), 1.0);
        let _ = bench.session.apply(Action::SetResults(Some("elsewhere".into())));
        look(&mut bench, "a finished run", &mut found);
        for pane in Pane::DOCKED {
            bench.session.ui.bring(pane);
            look(&mut bench, pane.title(), &mut found);
        }
        for mode in CompareMode::ALL {
            bench.session.ui.compare = mode;
            bench.session.ui.closer = 2.0;
            look(&mut bench, mode.name(), &mut found);
        }
        for tool in [EditTool::Keypoints, EditTool::Brush, EditTool::Eraser, EditTool::Polygon] {
            bench.session.ui.editing.choose(Some(tool));
            look(&mut bench, "an edit", &mut found);
        }
    }
    assert!(bench.nodes.len() > 60, "there are nodes: {}", bench.nodes.len());
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn windows_menus_and_messages_have_names() {
    let mut found = Vec::new();
    for menu in Menu::ALL {
        let mut bench = Bench::finished();
        bench.settle();
        bench.click_exactly(menu.name());
        look(&mut bench, menu.name(), &mut found);
    }
    let mut bench = Bench::finished();
    let ui = &mut bench.session.ui;
    (ui.show_help, ui.show_developer, ui.show_export) = (true, true, true);
    look(&mut bench, "windows", &mut found);
    bench.session.ui.palette = Some(Default::default());
    look(&mut bench, "the palette", &mut found);
    let mut bench = Bench::finished();
    bench.session.on_no_dialog(crate::studio::session::Folder::Export);
    look(&mut bench, "a path to type", &mut found);
    let error = crate::capture::CaptureError::Ambiguous { path: "room".into(), candidates: "a, b".to_owned() };
    let problem = crate::studio::Problem::opening(std::path::Path::new("room"), &error.into());
    let options = crate::capture::OpenOptions::default();
    bench.session.on_event(Event::Refused { path: "room".into(), options, problem });
    look(&mut bench, "a capture that was refused", &mut found);
    bench.session.on_event(Event::Exported(vec!["out/hands.glb".into()]));
    look(&mut bench, "good news", &mut found);
    let _ = bench.session.apply(Action::Pose(crate::studio::session::PoseAction::Begin));
    let hands = crate::anatomy::Side::BOTH.map(|side| crate::studio::testing::posable(side).expect("a hand"));
    bench.session.on_event(Event::Posable(Arc::new(hands.to_vec())));
    bench.session.ui.bring(Pane::Pose);
    look(&mut bench, "sliders of the pose", &mut found);
    assert!(found.is_empty(), "{found:#?}");
    let ids = bench.nodes.iter().find(|(_, node)| node.role() == Role::Tab).map(|(id, _)| *id).expect("a title");
    bench.nodes.iter_mut().filter(|(id, _)| *id == ids).for_each(|(_, node)| node.set_label("✖"));
    assert_eq!(nameless(&bench).len(), 1, "the check can fail: a sign is no name");
}

#[test]
fn pictures_say_what_they_show() {
    let mut bench = Bench::finished();
    bench.settle();
    let canvas = |bench: &Bench, name: &str| {
        let found = bench.nodes.iter().map(|(_, n)| n).find(|n| n.label().is_some_and(|l| l.starts_with(name)));
        found.unwrap_or_else(|| panic!("`{name}` is there")).clone()
    };
    assert_eq!(canvas(&bench, "3D view").role(), Role::Tab, "the title of the panel comes first");
    let view = bench
        .nodes
        .iter()
        .map(|(_, n)| n)
        .find(|n| n.role() == Role::Canvas && n.label() == Some("3D view"))
        .expect("a picture");
    assert!(view.description().is_some_and(|d| d.contains("vertices")), "{:?}", view.description());
    assert_eq!(canvas(&bench, "Photograph and render of view 00").description(), Some("Wipe"), "how it is compared");
    assert!(canvas(&bench, "Loss curves").description().is_some_and(|d| d.contains("steps")), "how far it is");
    assert_eq!(canvas(&bench, "Timeline").role(), Role::Slider, "which can be moved");
    let selected = canvas(&bench, "View 00");
    assert_eq!(selected.toggled(), Some(egui::accesskit::Toggled::True), "the selected view is said to be so");
}
