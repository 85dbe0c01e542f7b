//! Gradient against differences; masks make hands truer; wrong masks are left out; hands in one another part.

use super::super::super::test_rig::{Noise, Rig};
use super::super::tests::{new_fit, pose_of};
use super::super::{FitBackend, FitResult, Silhouette};
use super::*;
use crate::anatomy::Side;
use crate::camera::Camera;
use crate::hand::{PosedHand, pose_hand};
use crate::raster::cpu::visibility;
use image::GrayImage;

/// What a camera sees of both hands, as a mask.
fn mask_of(camera: &Camera, rig: &Rig, models: &[HandModel]) -> GrayImage {
    let mut positions = Vec::new();
    let mut faces: Vec<[u32; 3]> = Vec::new();
    for (hand, model) in rig.hands.iter().zip(models) {
        let start = u32::try_from(positions.len()).expect("few");
        faces.extend(model.faces.iter().map(|f| f.map(|v| v + start)));
        positions.extend(&hand.vertices);
    }
    let ids = visibility(&positions, &faces, camera).ids;
    let pixels = ids.iter().map(|id| if *id == 0 { 0 } else { 255 }).collect();
    GrayImage::from_raw(camera.width_px, camera.height_px, pixels).expect("one byte a pixel")
}

fn fit(rig: &Rig, noise_px: f64, masks: &[GrayImage], settings: &HandFitSettings) -> FitResult {
    let pose = pose_of(rig, &Noise { px: noise_px, outliers: 0.0, seed: 3 });
    let mut fit = new_fit(FitBackend::Reference, &pose, settings);
    while fit.step().expect("finite").is_some() {}
    let silhouettes: Vec<Silhouette<'_>> = masks
        .iter()
        .zip(&rig.cameras)
        .enumerate()
        .map(|(view, (mask, camera))| Silhouette { view, camera, mask, edited: false })
        .collect();
    fit.finish(&silhouettes).expect("finite")
}

fn with_models(rig: &mut Rig) -> Vec<HandModel> {
    let models: Vec<HandModel> = Side::BOTH.iter().map(|s| crate::hand::open_hand(*s).expect("sound asset")).collect();
    // A person unlike the mean, the same on both sides: nothing the joints could tell.
    let betas = [0.6, 1.5, -1.2, 1.4, -1.0, 0.8, 1.1, -0.7, 0.9, -1.3].to_vec();
    for (hand, model) in rig.hands.iter_mut().zip(&models) {
        let mut p = hand.parameters.clone();
        p.betas.clone_from(&betas);
        *hand = pose_hand(model, &p);
    }
    models
}

#[test]
fn masks_make_the_hands_truer() {
    let mut rig = Rig::new(8, 41);
    let models = with_models(&mut rig);
    let mut masks: Vec<GrayImage> = rig.cameras.iter().map(|c| mask_of(c, &rig, &models)).collect();
    // One mask is of somewhere else, one is empty.
    masks[2] = GrayImage::from_fn(1280, 1024, |x, y| *masks[2].get_pixel((x + 90) % 1280, (y + 60) % 1024));
    masks[5] = GrayImage::new(1280, 1024);
    let settings = HandFitSettings::default();
    let without = fit(&rig, 0.5, &[], &settings);
    let began = std::time::Instant::now();
    let with = fit(&rig, 0.5, &masks, &settings);
    eprintln!("with masks: {:.2} s", began.elapsed().as_secs_f64());
    let error = |r: &FitResult| r.hands.iter().map(|h| rig.vertex_error_mm(&h.posed)).collect::<Vec<_>>();
    // What masks know and keypoints do not: the shape, compared in the rest pose.
    let shape_error = |r: &FitResult| -> Vec<f64> {
        let one = |h: &super::super::FittedHand| {
            let side = h.posed.parameters.side.index();
            let shaped = |betas: &[f64]| crate::hand::shaped_template(&models[side], betas);
            let (a, b) = (shaped(&h.posed.parameters.betas), shaped(&rig.hands[side].parameters.betas));
            let distance = |(a, b): (&[f64; 3], &[f64; 3])| (Vector3::from(*a) - Vector3::from(*b)).norm();
            let sum: f64 = a.iter().zip(&b).map(distance).sum();
            1e3 * sum / f64::from(u32::try_from(a.len()).expect("few"))
        };
        r.hands.iter().map(one).collect()
    };
    eprintln!("shape without masks {:.2?} mm, with {:.2?} mm", shape_error(&without), shape_error(&with));
    eprintln!("vertices without masks {:.2?} mm, with {:.2?} mm", error(&without), error(&with));
    for report in &with.silhouettes {
        eprintln!("{report:?}");
        let wrong = report.view == 2 || report.view == 5;
        assert_eq!(report.used, !wrong, "a mask of somewhere else is left out, the others are used: {report:?}");
        assert!(wrong || report.after_px < report.before_px.max(1.0), "the outline comes nearer: {report:?}");
    }
    assert!(with.silhouettes.iter().filter(|r| r.used).count() == 6, "six good masks");
    let silhouette = |view| Silhouette { view, camera: &rig.cameras[view], mask: &masks[view], edited: view == 2 };
    let pose = pose_of(&rig, &Noise { px: 0.5, outliers: 0.0, seed: 3 });
    let mut edited = new_fit(FitBackend::Reference, &pose, &settings);
    while edited.step().expect("finite").is_some() {}
    let edited = edited.finish(&(0..8).map(silhouette).collect::<Vec<_>>()).expect("finite");
    let used = edited.silhouettes.iter().find(|r| r.view == 2).map(|r| r.used);
    assert_eq!(used, Some(true), "what is left out otherwise takes part when it is the user's");
    for (a, b) in error(&with).iter().zip(error(&without)).chain(shape_error(&with).iter().zip(shape_error(&without))) {
        assert!(*a < 0.7 * b, "masks help: {a} mm instead of {b} mm");
    }
}

fn energy_problem(rig: &Rig) -> (super::super::HandFit, Hands) {
    let pose = pose_of(rig, &Noise { px: 2.0, outliers: 0.0, seed: 3 });
    let fit = new_fit(FitBackend::Reference, &pose, &HandFitSettings::default());
    let mut hands: Hands = Vec::new();
    for side in 0..2 {
        let mut x = crate::hand::parameter_vector(&rig.hands[side].parameters);
        for k in 0..3 {
            x[3 + k] -= fit.frames[0].origin[k];
        }
        for (i, value) in x[..SCALE].iter_mut().enumerate() {
            *value += 0.01 * f64::from(u32::try_from(i * 7 % 5).expect("small")) - 0.02;
        }
        hands.push(x);
    }
    (fit, hands)
}

#[test]
fn the_gradient_is_that_of_the_loss() {
    let mut rig = Rig::new(4, 43);
    let models = with_models(&mut rig);
    // Hands in one another, so that there are contacts.
    let shift = Vector3::from(rig.hands[0].parameters.transl) - Vector3::from(rig.hands[1].parameters.transl);
    let mut p = rig.hands[1].parameters.clone();
    for k in 0..3 {
        p.transl[k] += 0.75 * shift[k];
    }
    rig.hands[1] = pose_hand(&models[1], &p);
    let (mut fit, hands) = energy_problem(&rig);
    fit.weights.offset_steps = 300;
    let masks: Vec<GrayImage> = rig.cameras.iter().map(|c| mask_of(c, &rig, &models)).collect();
    let views: Vec<Silhouette<'_>> =
        (0..4).map(|v| Silhouette { view: v, camera: &rig.cameras[v], mask: &masks[v], edited: false }).collect();
    let settings = HandFitSettings::default();
    let models: Vec<&HandModel> = models.iter().collect();
    let fields = super::super::finish::mask_fields(&models, &hands, &fit.frames[0].origin, &views);
    let refinement = Refinement::new(&models, &fit.hands, &fit.weights, &settings, fields);
    let held = refinement.collect(&hands, 4.0);
    assert!(held.outline.len() > 200, "outlines are found: {}", held.outline.len());
    assert!(!held.contacts.is_empty(), "contacts are found");
    let at = refinement.joint(&hands, &held);
    let (mut square, mut size) = (0.0, 0.0);
    for i in 0..2 * PARAMETERS {
        if i % PARAMETERS == SCALE {
            continue; // locked
        }
        let moved = |h: f64| {
            let mut y = hands.clone();
            y[i / PARAMETERS][i % PARAMETERS] += h;
            refinement.joint(&y, &held).loss
        };
        // The field is linear between samples only: a step far below a sample keeps to one piece nearly everywhere.
        let difference = (moved(1e-7) - moved(-1e-7)) / 2e-7;
        square += (difference - at.gradient[i]).powi(2);
        size += difference * difference;
    }
    let off = (square / size).sqrt();
    assert!(off < 2e-3, "gradient against differences: {off}");
    let mut wrong = refinement.joint(&hands, &held).gradient;
    wrong[PARAMETERS + SHAPE] *= 1.5;
    wrong[POSE] *= 1.5;
    assert!((&wrong - &at.gradient).norm() / at.gradient.norm() > 2e-3, "an error in two of them is above the bar");
}

fn deepest_mm(hands: &[PosedHand], models: &[HandModel]) -> f64 {
    let outlines: Vec<Outline> = models.iter().map(Outline::new).collect();
    let posed: Vec<PosedOutline<'_>> =
        hands.iter().zip(&outlines).map(|(h, o)| PosedOutline::new(o, h.vertices.clone())).collect();
    let depth = |c: &Contact| {
        let own = Vector3::from(posed[c.hand].vertices[c.vertex]);
        c.normal.dot(&(Vector3::from(posed[c.other].vertices[c.other_vertex]) - own))
    };
    1e3 * contacts(&posed).iter().map(depth).fold(0.0, f64::max)
}

#[test]
fn hands_in_one_another_part() {
    let mut rig = Rig::new(8, 43);
    let models = with_models(&mut rig);
    // The true hands overlap by some millimetres, as detections of touching hands do.
    let apart = rig.hands[1].parameters.clone();
    let shift = Vector3::from(rig.hands[0].parameters.transl) - Vector3::from(apart.transl);
    let mut before = 0.0;
    for percent in 50..120 {
        let mut p = apart.clone();
        for k in 0..3 {
            p.transl[k] += 0.01 * f64::from(percent) * shift[k];
        }
        rig.hands[1] = pose_hand(&models[1], &p);
        before = deepest_mm(&rig.hands, &models);
        if before > 3.0 {
            break;
        }
    }
    assert!(before > 3.0, "the test's hands are in one another: {before} mm");
    let free = HandFitSettings { contact_sigma_m: 10.0, ..HandFitSettings::default() };
    let posed = |settings: &HandFitSettings| -> Vec<PosedHand> {
        fit(&rig, 6.0, &[], settings).hands.into_iter().map(|h| h.posed).collect()
    };
    let (loose, held) = (deepest_mm(&posed(&free), &models), deepest_mm(&posed(&HandFitSettings::default()), &models));
    eprintln!("deepest: truth {before:.2} mm, without the term {loose:.2} mm, with it {held:.2} mm");
    assert!(held < 0.6 * loose, "contact pushes apart: {held} mm instead of {loose} mm");
}
