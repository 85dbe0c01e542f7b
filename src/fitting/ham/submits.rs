//! How the views of a step are handed to the device changes nothing: neither their number a submit nor timing by kernel.

use super::target::TargetSource;
use super::{EpochReport, Ham, HamSettings, HamState, Phase};
use crate::gpu::{Gpu, testing};
use crate::hand::{HandModel, PosedHand, pose_hand};
use crate::synthetic::{SynthHands, SynthSettings, SyntheticScene, make};

const VIEWS: usize = 8;

pub(super) fn scene() -> SyntheticScene {
    let settings = SynthSettings {
        hands: SynthHands::Right,
        views: VIEWS,
        size: (192, 160),
        level: 0,
        supersample: 1,
        ..SynthSettings::default()
    };
    make(&settings).expect("a small scene")
}

/// Calls `then` with the scene's hands and views.
pub(super) fn with_inputs<T>(
    scene: &SyntheticScene,
    then: impl FnOnce(&[(&HandModel, &PosedHand)], &[Option<TargetSource<'_>>]) -> T,
) -> T {
    let posed: Vec<PosedHand> = scene.hands.iter().map(|h| pose_hand(&h.model, &h.parameters)).collect();
    let hands: Vec<(&HandModel, &PosedHand)> = scene.hands.iter().map(|h| &h.model).zip(&posed).collect();
    let sources: Vec<Option<TargetSource<'_>>> = scene
        .capture
        .views
        .iter()
        .map(|v| Some(TargetSource { camera: &v.camera, image: &v.image, mask: v.mask.as_ref(), judged: None }))
        .collect();
    then(&hands, &sources)
}

/// To the end of the phases that there are.
pub(super) fn finish(ham: &mut Ham) -> Vec<EpochReport> {
    let mut reports = Vec::new();
    while ham.phase() != Phase::Done {
        reports.extend(ham.step().expect("steps"));
    }
    reports
}

/// All phases of three epochs.
fn run(gpu: &Gpu, scene: &SyntheticScene, settings: &HamSettings) -> (Vec<EpochReport>, HamState, Ham) {
    let mut ham = with_inputs(scene, |hands, sources| Ham::new(gpu, settings, hands, sources)).expect("hands are seen");
    let reports = finish(&mut ham);
    let state = ham.state().expect("reads");
    (reports, state, ham)
}

fn bits(state: &HamState) -> Vec<u32> {
    state.lists.iter().flat_map(|(_, list)| list.iter().map(|x| x.to_bits())).collect()
}

#[test]
fn one_or_eight_views_a_submit_give_the_same_bytes() {
    let Some(gpu) = testing::gpu() else { return };
    let scene = scene();
    let settings = |views_per_step, views_per_submit| HamSettings {
        level: 1,
        views_per_step,
        views_per_submit,
        albedo_epochs: 3,
        shape_epochs: 3,
        colour_epochs: 3,
        ..HamSettings::default()
    };
    let (reports, state, ham) = run(&gpu, &scene, &settings(VIEWS, 8));
    // Zero is taken for one.
    for views in [0, 1, 3] {
        let (others, other, _) = run(&gpu, &scene, &settings(VIEWS, views));
        assert!(bits(&state) == bits(&other) && reports == others, "{views} views a submit change the result");
    }
    let (_, fewer, _) = run(&gpu, &scene, &settings(VIEWS / 2, 8));
    assert!(bits(&state) != bits(&fewer), "views a step do change it, and that is seen");

    // The second step of each phase was timed; the runs above have steps that were and steps that were not.
    let [albedo, shape, colour] = ham.ended_phases() else { panic!("three phases: {:?}", ham.ended_phases()) };
    assert_eq!((albedo.phase, albedo.epochs, albedo.steps), (Phase::Albedo, 3, 3), "albedo");
    assert_eq!((shape.phase, shape.epochs, shape.steps), (Phase::Shape, 3, 3), "shape");
    assert_eq!((colour.phase, colour.epochs, colour.steps), (Phase::Colour, 3, 3), "colour");
    for rates in [albedo, shape, colour] {
        assert!(rates.seconds > 0.0 && rates.epochs_per_s > 0.0, "a pace: {rates:?}");
        if rates.timed_steps == 0 {
            eprintln!("skipped: no timestamps");
            continue;
        }
        assert_eq!(rates.timed_steps, 1, "one step in many");
        let calls = |name: &str| rates.kernels.iter().find(|k| k.kernel == name).map_or(0.0, |k| k.calls);
        let geometry = rates.phase == Phase::Shape;
        assert_eq!(calls("shading/shade"), VIEWS as f64, "each view is shaded: {rates:?}");
        assert_eq!(calls("raster/visibility"), if geometry { VIEWS as f64 } else { 0.0 }, "cached in phases A and C");
        let sum: f64 = rates.kernels.iter().map(|k| k.ms).sum();
        assert!(sum > 0.0 && sum < 1e3 * rates.seconds, "kernels take less than all steps: {rates:?}");
    }
}

#[test]
fn a_step_in_slices_that_is_looked_at_in_between_ends_with_the_same_bytes() {
    let Some(gpu) = testing::gpu() else { return };
    let scene = scene();
    let settings = HamSettings {
        level: 1,
        views_per_step: VIEWS / 2,
        albedo_epochs: 2,
        shape_epochs: 3,
        colour_epochs: 2,
        ..HamSettings::default()
    };
    // What a slice may take decides how much of a step, and of what comes after an epoch, is done in one call.
    let run = |seconds: f64, look: bool| {
        let made = with_inputs(&scene, |hands, sources| Ham::new(&gpu, &settings, hands, sources));
        let mut ham = made.expect("hands are seen");
        (ham.slice.seconds, ham.part_slice.seconds) = (seconds, seconds);
        let (mut calls, mut endings) = (0, 0);
        while ham.phase() != Phase::Done {
            endings += usize::from(ham.ending.is_some());
            ham.step().expect("steps");
            calls += 1;
            if look {
                ham.vertices().expect("reads");
            }
        }
        (calls - endings, endings, bits(&ham.state().expect("reads")))
    };
    // A slice has one view, or part, until it is known what one takes.
    let (whole, uncut, expected) = run(f64::INFINITY, false);
    assert!(
        whole <= 7 * 2 + 3 && uncut == 1,
        "a call before all and one a step on a quick device, a few more at first: {whole} and {uncut}"
    );
    let (sliced, cut, same) = run(0.0, true);
    assert!(
        sliced > 7 * 2 * (VIEWS / 2 + 1),
        "a view a call on a slow one, and parts of what follows on them: {sliced}"
    );
    assert!(cut > 3 * VIEWS, "as for what ends epochs, whose parts are of views: {cut}");
    assert!(same == expected, "the same bytes");
}
