use super::super::HamSettings;
use super::super::submits::with_inputs;
use super::*;
use crate::gpu::testing;
use crate::hand::pose_hand;
use crate::synthetic::{SynthHands, SynthSettings, SyntheticScene, make};

fn residuals() -> Vec<CameraResidual> {
    let mut warp = ImageWarp::still([12.5, -3.0], [60, 40], 20.0);
    for (i, shift) in warp.shifts_px.iter_mut().enumerate() {
        *shift = [0.25 * to_f32(i as f64), -0.5];
    }
    let none = CameraResidual { warp: None, falloff: -0.125 };
    vec![none.clone(), CameraResidual { warp: Some(warp), ..none.clone() }, none]
}

#[test]
fn a_checkpoint_holds_the_residuals() {
    let list = to_list(&residuals());
    assert_eq!(of_list(&list, 3), residuals(), "bit for bit");
    // A picture reduced by three has places that no checkpoint holds.
    let warp = |round: fn(ImageWarp) -> ImageWarp| {
        let still = ImageWarp::still([0.0; 2], [60, 40], f64::from(to_f32(60.0 / 11.0)));
        vec![CameraResidual { warp: Some(round(still.of_whole_image([7, 5], 3))), falloff: 0.0 }]
    };
    assert_ne!(of_list(&to_list(&warp(|w| w)), 1), warp(|w| w), "as they come");
    assert_eq!(of_list(&to_list(&warp(stored)), 1), warp(stored), "as they are kept, bit for bit");
    assert_eq!(of_list(&[], 2), vec![CameraResidual::default(); 2], "of a version that had none");
}

#[test]
fn a_damaged_list_is_no_panic() {
    let list = to_list(&residuals());
    for cut in 0..list.len() {
        assert_eq!(of_list(&list[..cut], 3).len(), 3, "cut at {cut}");
    }
    for (i, bad) in (0..list.len()).flat_map(|i| [f32::NAN, -1.0, 1e30, 0.5].map(|x| (i, x))) {
        let mut list = list.clone();
        list[i] = bad;
        assert_eq!(of_list(&list, 3).len(), 3, "{bad} at {i}");
    }
}

/// Photographs that lie beside the hands by a known way, and are dim at their sides, among others that are right.
fn spoiled() -> SyntheticScene {
    let settings = SynthSettings {
        hands: SynthHands::Right,
        views: 6,
        size: (512, 416),
        level: 2,
        supersample: 1,
        ..SynthSettings::default()
    };
    let mut scene = make(&settings).expect("a small scene");
    let views = &mut scene.capture.views;
    let size = [views[0].image.width(), views[0].image.height()];
    for (v, view) in views.iter_mut().enumerate() {
        let mut warp = ImageWarp::still([0.0; 2], size, 64.0);
        warp.shifts_px.fill(if v == SHIFTED { WAY_PX } else { [0.0; 2] });
        let off = CameraResidual { warp: Some(warp), falloff: FALLOFF };
        let pixels =
            view.image.pixels().map(|p| [0, 1, 2, 3].map(|k| p.0.get(k).map_or(1.0, |x| f32::from(*x) / 255.0)));
        let seen = off.rendered_as_photo(pixels.collect(), size);
        for (pixel, seen) in view.image.pixels_mut().zip(&seen) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
            let byte = |x: f32| (x * 255.0).round().clamp(0.0, 255.0) as u8;
            pixel.0 = [byte(seen[0]), byte(seen[1]), byte(seen[2])];
        }
    }
    scene
}

const SHIFTED: usize = 3;
const WAY_PX: [f32; 2] = [2.0, -1.5];
const FALLOFF: f64 = -0.25;

fn settings() -> HamSettings {
    HamSettings {
        level: 1,
        albedo_epochs: 12,
        shape_epochs: 0,
        colour_epochs: 24,
        warp_rounds: 7,
        camera_turn_deg: 0.0,
        ..HamSettings::default()
    }
}

#[test]
fn what_a_camera_is_off_by_is_found_and_a_checkpoint_goes_on_with_it() {
    let Some(gpu) = testing::gpu() else { return };
    let scene = spoiled();
    let new =
        || with_inputs(&scene, |hands, sources| Ham::new(&gpu, &settings(), hands, sources)).expect("hands are seen");
    let mut ham = new();
    let mut half = None;
    while ham.phase() != Phase::Done {
        ham.step().expect("steps");
        // Between the second and the third time.
        if ham.phase() == Phase::Colour && ham.epoch() == 10 && ham.at_epoch_end() {
            half = Some(ham.state().expect("reads"));
        }
    }
    let found = ham.residuals();
    let warp = found[SHIFTED].warp.as_ref().expect("it is found to be off");
    let hand = pose_hand(&scene.hands[0].model, &scene.hands[0].parameters);
    let camera = &scene.capture.views[SHIFTED].camera;
    let middle = camera.project(&hand.keypoints[9].into()).expect("in front");
    let w = warp.shift([middle.x, middle.y]);
    let off = (w[0] - f64::from(WAY_PX[0])).hypot(w[1] - f64::from(WAY_PX[1]));
    // Skin with little on it tells little: the priors hold back what it does not tell.
    assert!(off < 1.6 && w[0] > 0.3 && w[1] < -0.3, "shifted by {w:?}, not {WAY_PX:?}");
    // All cameras look at the hands' middle, so albedo takes up a part of what is the same in every picture.
    assert!((FALLOFF - 0.05..-0.08).contains(&found[0].falloff), "{}, not {FALLOFF}", found[0].falloff);
    let sentence = ham.residual_sentence().expect("there is something to say");
    assert!(sentence.contains("beside the hands") && sentence.contains("darker"), "{sentence}");

    let mut again = new();
    assert!(again.restore(&half.expect("an epoch ten")).expect("reads"), "it fits");
    while again.phase() != Phase::Done {
        again.step().expect("steps");
    }
    let bits = |ham: &Ham| -> Vec<u32> {
        ham.state().expect("reads").lists.iter().flat_map(|(_, l)| l.iter().map(|x| x.to_bits())).collect()
    };
    assert!(bits(&ham) == bits(&again), "a run that was interrupted ends with the same bytes");
}

#[test]
fn nothing_is_looked_for_when_it_is_switched_off() {
    let Some(gpu) = testing::gpu() else { return };
    let scene = spoiled();
    let settings = HamSettings { warp_px: 0.0, falloff: false, ..settings() };
    let mut ham =
        with_inputs(&scene, |hands, sources| Ham::new(&gpu, &settings, hands, sources)).expect("hands are seen");
    while ham.phase() != Phase::Done {
        ham.step().expect("steps");
    }
    assert!(ham.residuals().iter().all(|r| *r == CameraResidual::default()), "none");
    assert_eq!(ham.residual_sentence(), None, "and nothing to say");
}
