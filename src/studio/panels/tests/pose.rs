//! The pose panel without a window.

use super::super::*;
use super::bench::Bench;
use crate::anatomy::Side;
use crate::pipeline::Snapshot;
use crate::studio::session::{Chosen, Effect, NamedPose, PoseAction, RunState};
use crate::studio::testing::posable;
use crate::studio::worker::{Command, Event, TakenSnapshot};
use std::sync::Arc;
use std::time::Duration;

/// A finished run with its hands at rest, the pose panel open.
fn posing() -> Bench {
    let mut bench = Bench::finished();
    bench.session.has_engine = true;
    bench.size = egui::vec2(1280.0, 1500.0);
    bench.settle();
    let actions = bench.click_exactly("Pose");
    assert_eq!(actions, [Action::Pose(PoseAction::Begin)], "opening the panel asks for the hands");
    let effect = bench.session.apply(Action::Pose(PoseAction::Begin));
    assert!(matches!(effect, Some(Effect::Send(Command::Posable))), "of the worker: {effect:?}");
    bench.settle();
    assert!(bench.says("being brought to rest"), "it says what it waits for");
    assert!(bench.session.apply(Action::Pose(PoseAction::Begin)).is_none(), "asked once");
    let hands = Side::BOTH.map(|side| posable(side).expect("a hand")).to_vec();
    bench.session.on_event(Event::Posable(Arc::new(hands)));
    bench.settle();
    bench
}

fn act(bench: &mut Bench, action: PoseAction) {
    assert!(bench.session.apply(Action::Pose(action)).is_none(), "the worker is not needed: {action:?}");
}

/// How far each hand's vertices are from the captured ones at most, metres.
fn moved(bench: &Bench) -> [f32; 2] {
    let posed: &Arc<Snapshot> = bench.session.visible().expect("something is shown");
    Side::BOTH.map(|side| {
        let captured = posable(side).expect("a hand").hand.positions;
        let hand = posed.hands.iter().find(|h| h.side == side).expect("both hands");
        #[expect(clippy::cast_possible_truncation, reason = "metres as the screen has them")]
        let far = |(a, b): (&[f32; 3], &[f64; 3])| (0..3).map(|k| (a[k] - b[k] as f32).abs()).fold(0.0, f32::max);
        hand.positions.iter().zip(&captured).map(far).fold(0.0, f32::max)
    })
}

#[test]
fn without_a_mesh_or_while_running_it_says_why_not() {
    let mut bench = Bench::opened();
    bench.settle();
    assert!(bench.click_exactly("Pose").is_empty(), "nothing to ask for");
    bench.settle();
    assert!(bench.says("There is no mesh yet"), "and it says why");
    let mut bench = Bench::finished();
    bench.session.has_engine = true;
    bench.session.state = RunState::Running;
    bench.session.ui.bring(Pane::Pose);
    bench.settle();
    assert!(bench.says("Pause the run first"), "not while it computes");
    bench.session.state = RunState::Paused;
    bench.settle();
    assert_eq!(bench.click_exactly("Pose the hands"), [Action::Pose(PoseAction::Begin)], "but when it is paused");
}

#[test]
fn sliders_and_buttons_are_there_and_ask() {
    let mut bench = posing();
    for words in
        ["Pose", "Captured", "Relaxed", "Rest", "Reset", "SYNERGIES", "JOINTS", "Thumb", "Pinky", "Both", "Left"]
    {
        assert!(bench.says(words), "`{words}` is on screen");
    }
    assert_eq!(bench.click_exactly("Relaxed"), [Action::Pose(PoseAction::Take(NamedPose::Relaxed))], "a named pose");
    assert!(bench.click_exactly("Reset").is_empty(), "nothing to reset yet");
    let _ = bench.click_exactly("Parameters");
    bench.settle();
    assert!(bench.says("albedo_epochs") && !bench.says("SYNERGIES"), "back to the parameters");
    assert!(bench.click_exactly("Pose").is_empty(), "the hands are there already");
    bench.settle();
    assert_eq!(bench.click_exactly("Left"), [Action::Pose(PoseAction::Choose(Chosen::One(Side::Left)))], "a hand");
    assert!(bench.session.posed.is_none(), "the run's mesh is on show until something moves");
    // A click on the first slider, which lies left of its name: pressing and releasing ask for the same.
    let name = bench.session.posing.as_ref().expect("posing").synergy_facts(0).0;
    let label = bench.texts.iter().find(|(t, _)| *t == name).map(|(_, r)| *r).expect("the first synergy");
    let actions = bench.click_at(egui::pos2(label.left() - 130.0, label.center().y));
    let sets = |a: &Action| matches!(a, Action::Pose(PoseAction::Synergy(0, v)) if v.is_finite());
    assert!(!actions.is_empty() && actions.iter().all(sets), "a click on its rail sets it: {actions:?}");
}

#[test]
fn synergies_and_angles_move_the_chosen_hands_and_reset_brings_the_run_back() {
    let mut bench = posing();
    let before = bench.session.shown_revision;
    act(&mut bench, PoseAction::Synergy(0, 0.8));
    assert!(bench.session.shown_revision > before, "the 3D view is told");
    let both = moved(&bench);
    assert!(both[0] > 2e-3 && both[1] > 2e-3, "both hands move: {both:?}");
    let got = bench.session.posing.as_ref().expect("posing").synergy(0);
    assert!((got - 0.8).abs() < 0.4, "the slider reads what it set, up to joint limits: {got}");
    act(&mut bench, PoseAction::Reset);
    assert!(bench.session.posed.is_none(), "the run's own mesh is back");
    act(&mut bench, PoseAction::Choose(Chosen::One(Side::Left)));
    act(&mut bench, PoseAction::Take(NamedPose::Flat));
    let left = moved(&bench);
    assert!(left[0] > 2e-3 && left[1] < 1e-6, "only the left hand: {left:?}");
    act(&mut bench, PoseAction::Take(NamedPose::Captured));
    assert!(moved(&bench).iter().all(|m| *m < 1e-6), "captured is where it was: {:?}", moved(&bench));
    // Joint limits hold, unless they are switched off.
    act(&mut bench, PoseAction::Angle(5, -3.0));
    let (value, range) = bench.session.posing.as_ref().expect("posing").angle(5);
    assert!(range.contains(&value) && value > -2.9, "clamped to {range:?}: {value}");
    act(&mut bench, PoseAction::KeepLimits(false));
    act(&mut bench, PoseAction::Angle(5, -3.0));
    assert_eq!(bench.session.posing.as_ref().expect("posing").angle(5).0, -3.0, "as asked");
}

#[test]
fn both_hands_mirror_a_single_angle() {
    let mut bench = posing();
    act(&mut bench, PoseAction::Take(NamedPose::Flat));
    act(&mut bench, PoseAction::KeepLimits(false));
    act(&mut bench, PoseAction::Angle(8, -0.7));
    act(&mut bench, PoseAction::Angle(7, 0.2));
    let posed = bench.session.visible().expect("shown").clone();
    let [left, right] = [0, 1].map(|i| posed.hands[i].clone());
    let offset = |side: Side| posable(side).expect("a hand").rest.captured().transl;
    let [a, b] = Side::BOTH.map(offset);
    // The bumps of the two test hands are not mirrored: half a millimetre up or down.
    for (l, r) in left.positions.iter().zip(&right.positions) {
        #[expect(clippy::cast_possible_truncation, reason = "metres as the screen has them")]
        let apart = (l[0] - a[0] as f32) + (r[0] - b[0] as f32);
        assert!(apart.abs() < 2e-3 && (l[2] - r[2]).abs() < 2e-3, "mirrored: {l:?} {r:?}");
    }
}

#[test]
fn going_on_or_scrubbing_ends_the_posing() {
    let mut bench = posing();
    act(&mut bench, PoseAction::Take(NamedPose::Relaxed));
    assert!(bench.session.posed.is_some(), "posed");
    let _ = bench.session.apply(Action::Scrub(1));
    assert!(bench.session.posed.is_none() && bench.session.posing.is_some(), "scrubbing shows the run");
    act(&mut bench, PoseAction::Take(NamedPose::Relaxed));
    bench.session.state = RunState::Paused;
    let _ = bench.session.apply(Action::TogglePause);
    assert!(bench.session.posed.is_none() && bench.session.posing.is_none(), "going on ends it");
    let mut bench = posing();
    act(&mut bench, PoseAction::Take(NamedPose::Relaxed));
    let snapshot = bench.session.shown.clone().expect("shown");
    bench.session.on_snapshot(TakenSnapshot { snapshot, cost: Duration::ZERO, device_bytes: None });
    assert!(bench.session.posed.is_none() && bench.session.posing.is_none(), "a newer mesh ends it");
    // A failure is told and can be tried again.
    bench.session.on_event(Event::Failed(crate::studio::Problem::posing(&anyhow::anyhow!("no"))));
    assert!(bench.session.why_not_pose().is_none(), "not pending for ever");
}
