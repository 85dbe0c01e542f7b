//! Layouts as data: what is put away comes back, what is saved comes back, what is broken is repaired.

use super::place::Place::{Below, Beside};
use super::saved::read;
use super::*;

fn pane(pane: Pane) -> Place {
    Place::Pane(pane)
}

/// As it is written and read again.
fn again(docks: &Docks) -> Docks {
    let text = ron::ser::to_string_pretty(docks, ron::ser::PrettyConfig::default()).expect("a text");
    ron::from_str(&text).expect("it is read")
}

/// Layouts of a file with this one as *Studio*, which are whole whatever it says.
fn studio(layout: &str) -> Docks {
    let docks = read(&format!("(version: 1, changed: {{\"studio\": {layout}}})"));
    for layout in &docks.layouts {
        let mut panes = layout.place.panes();
        panes.sort_unstable();
        assert_eq!(panes, Pane::DOCKED, "every panel once: {layout:?}");
    }
    docks
}

fn complains(docks: &Docks, words: &str) -> bool {
    docks.complaints.iter().any(|line| line.contains(words))
}

#[test]
fn layouts_hold_every_panel_once_and_are_tidy() {
    for arrangement in Arrangement::ALL {
        let layout = Layout::of(arrangement);
        let mut panes = layout.place.panes();
        panes.sort_unstable();
        assert_eq!(panes, Pane::DOCKED, "{arrangement:?}");
        assert_eq!(layout.place.clone().tidied(), Some(layout.place.clone()), "{arrangement:?} is tidy");
        assert!(
            layout.shows(Pane::View3d) && layout.shows(Pane::Views) && layout.shows(Pane::Timeline),
            "{arrangement:?}"
        );
    }
    let simple = Layout::of(Arrangement::Simple);
    assert!(!simple.has(Pane::Compare) && !simple.shows(Pane::Parameters), "the simple one has little");
}

#[test]
fn panels_are_put_away_and_come_back_where_they_were() {
    let mut ui = UiState::default();
    let before = ui.layout().clone();
    assert!(ui.shows(Pane::Parameters) && !ui.shows(Pane::Pose), "one of the tabs is in front");
    ui.toggle(Pane::Pose);
    assert!(ui.shows(Pane::Pose) && !ui.shows(Pane::Parameters), "another one comes to the front");
    ui.toggle(Pane::Pose);
    assert!(ui.shows(Pane::Parameters) && ui.layout().has(Pane::Pose), "and gives way to the first of its mates");
    ui.toggle(Pane::Log);
    assert!(!ui.shows(Pane::Log) && !ui.layout().has(Pane::Log), "what is alone is put away");
    assert!(!ui.is_layout_untouched(), "a change");
    ui.toggle(Pane::Log);
    assert_eq!(*ui.layout(), before, "and is where it was");
    assert!(ui.is_layout_untouched(), "no change is left");
    for pane in [Pane::Parameters, Pane::Capture, Pane::Findings] {
        ui.layout_mut().hide(pane);
    }
    assert!(ui.shows(Pane::Pose), "the last of the tabs is in front by itself");
    ui.toggle(Pane::Pose);
    assert!(!ui.layout().has(Pane::Pose), "and is put away, as it is alone");
    ui.toggle(Pane::Timeline);
    assert!(!ui.shows(Pane::Timeline), "the timeline as well");
    ui.reset_layout();
    assert_eq!(*ui.layout(), before, "all of it is taken back");
}

#[test]
fn each_layout_keeps_its_own_changes() {
    let mut ui = UiState::default();
    ui.toggle(Pane::Log);
    ui.arrangement = Arrangement::Compare;
    assert!(ui.shows(Pane::Log) && ui.is_layout_untouched(), "another layout is as it was");
    ui.toggle(Pane::Views);
    ui.arrangement = Arrangement::Studio;
    assert!(!ui.shows(Pane::Log) && ui.shows(Pane::Views), "each its own");
}

#[test]
fn keys_go_from_panel_to_panel_round_and_round() {
    let mut ui = UiState::default();
    ui.layout_mut().hide(Pane::Compare);
    let mut seen = Vec::new();
    for _ in 0..8 {
        ui.step_pane(1);
        let at = ui.at_pane.expect("a panel");
        assert!(ui.shows(at) && ui.focus_pane, "{at:?} is shown and gets the keys");
        seen.push(at);
    }
    assert_eq!(seen, ui.layout().panes(), "all that are not put away, in their order");
    ui.step_pane(1);
    assert_eq!(ui.at_pane, Some(seen[0]), "then from the beginning");
    ui.step_pane(-1);
    assert_eq!(ui.at_pane, Some(seen[7]), "and back");
    Pane::DOCKED.into_iter().for_each(|pane| ui.layout_mut().hide(pane));
    ui.step_pane(1);
    assert_eq!(ui.at_pane, Some(seen[7]), "nowhere to go");
}

#[test]
fn what_says_nothing_is_left_out_of_a_place() {
    let tabs = |of: Vec<Pane>| Place::Tabs { front: Pane::Log, of };
    let place = Beside(vec![
        (1.0, pane(Pane::Views)),
        (3.0, Beside(vec![(2.0, pane(Pane::View3d)), (1.0, tabs(vec![Pane::Log]))])),
        (2.0, tabs(Vec::new())),
        (f32::NAN, Below(vec![(1.0, pane(Pane::Curves))])),
    ]);
    let tidy = place.tidied().expect("something is left");
    let wanted = Beside(vec![
        (1.0 / 6.0, pane(Pane::Views)),
        (2.0 / 6.0, pane(Pane::View3d)),
        (1.0 / 6.0, pane(Pane::Log)),
        (2.0 / 6.0, pane(Pane::Curves)),
    ]);
    let (Beside(found), Beside(wanted)) = (tidy, wanted) else { panic!("a row") };
    let whole: f32 = 2.0 + 3.0 + 1.0;
    assert_eq!(found.len(), wanted.len(), "rows in rows are one row: {found:?}");
    for ((share, part), (_, other)) in found.iter().zip(&wanted) {
        assert_eq!(part, other, "in their order");
        assert!(*share > 0.0 && *share < 1.0, "{share} of {whole}");
    }
    assert!((found.iter().map(|(share, _)| share).sum::<f32>() - 1.0).abs() < 1e-3, "shares sum to one: {found:?}");
    assert!(((found[1].0 / found[2].0) - 2.0).abs() < 0.01, "an inner row keeps its proportions: {found:?}");
    assert_eq!(tabs(Vec::new()).tidied(), None, "nothing is nothing");
}

#[test]
fn layouts_come_back_as_they_were_saved() {
    let mut docks = Docks::default();
    assert_eq!(again(&docks), docks, "as they were made");
    let text = ron::to_string(&docks).expect("a text");
    assert!(!text.contains("studio"), "what was not changed is not written: {text}");
    let layout = docks.layout_mut(Arrangement::Studio);
    layout.hide(Pane::Log);
    layout.hide(Pane::Timeline);
    layout.bring(Pane::Findings);
    layout.resize(&[0], &[(0, 300.0), (1, 500.0), (2, 200.0)]);
    assert_eq!(again(&docks), docks, "put away, brought to the front, made larger");
    let (_, parts) = docks.layout(Arrangement::Studio).place.line().expect("a column");
    let (_, row) = parts[0].1.line().expect("a row");
    assert!((row[0].0 - 0.3).abs() < 1e-4 && (row[1].0 - 0.5).abs() < 1e-4, "sizes are shares: {row:?}");
}

#[test]
fn broken_layouts_are_repaired_or_left_out_and_say_so() {
    for (text, words) in [
        ("nonsense", "cannot be read"),
        ("(version: 1, changed: {\"studio\": (place: Grid([]))})", "cannot be read"),
        ("(version: 1, changed: 3)", "cannot be read"),
        ("(version: 2)", "version 2"),
        ("(version: 1, changed: {\"cinema\": (place: Pane(\"log\"))})", "no layout `cinema`"),
    ] {
        let docks = read(text);
        assert_eq!(docks.layouts, Docks::default().layouts, "{text}: as they were made");
        assert!(complains(&docks, words), "{text}: {:?}", docks.complaints);
    }
    let docks = studio("(place: Pane(\"television\"))");
    assert_eq!(docks.layouts, Docks::default().layouts, "no panel is known");
    assert!(
        complains(&docks, "no panel `television`") && complains(&docks, "as it was made"),
        "{:?}",
        docks.complaints
    );
    let docks = studio("(place: Beside([(1.0, Pane(\"views\")), (4.0, Pane(\"3d-view\")), (1.0, Pane(\"views\"))]))");
    let layout = docks.layout(Arrangement::Studio);
    assert!(complains(&docks, "`views` has two places") && complains(&docks, "`log` has no place"), "both are said");
    assert_eq!(layout.panes(), [Pane::Views, Pane::View3d], "what has no place is put away");
    let docks = studio(
        "(place: Beside([(-3.0, Pane(\"views\")), (inf, Pane(\"3d-view\")), (NaN, Pane(\"log\")), (1e30, Pane(\"curves\"))]), \
         hidden: [\"compare\", \"radio\"])",
    );
    assert!(complains(&docks, "-3 is no share") && complains(&docks, "no panel `radio`"), "{:?}", docks.complaints);
    let text = format!("{:?}", docks.layout(Arrangement::Studio).place);
    assert!(!text.contains("inf") && !text.contains("NaN") && !text.contains('-'), "shares that can be drawn: {text}");
    let docks = studio("(place: Tabs(front: \"nothing\", of: [\"pose\", \"log\"]))");
    assert!(docks.layout(Arrangement::Studio).shows(Pane::Pose), "the first is in front");
    let mates = docks.layout(Arrangement::Studio).place.tabs_of(Pane::Findings).map(|(_, of)| of.len());
    assert_eq!(mates, Some(5), "a panel of the tabs is put to its mates");
    // Deeper than anyone drags: neither the reader nor the tree may run out of stack.
    let deep = format!("{}Pane(\"log\"){}", "Below([(1.0, ".repeat(4000), ")])".repeat(4000));
    let docks = read(&format!("(version: 1, changed: {{\"studio\": (place: {deep})}})"));
    assert!(docks.layouts == Docks::default().layouts && complains(&docks, "cannot be read"), "too deep");
}
