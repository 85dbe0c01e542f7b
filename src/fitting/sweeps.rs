//! Pose and fit over many random hands: what share of them is found, and how well.

use super::hand_fit::{FitBackend, FitResult, HandFit, HandFitSettings, fit_sequence};
use super::pose::{PoseResult, PoseSettings, Triangulator, estimate_joints};
use super::test_rig::{Noise, Rig};
use crate::anatomy::Side;
use crate::capture::Keypoints;
use crate::hand::{HandModel, open_hand};

const CLEAN: Noise = Noise { px: 0.0, outliers: 0.0, seed: 1 };

fn pose_of(rig: &Rig, keypoints: &[[Option<Keypoints>; 2]]) -> PoseResult {
    let used = vec![true; rig.cameras.len()];
    estimate_joints(&rig.cameras, keypoints, &used, &PoseSettings::default(), &Triangulator::Reference)
        .expect("two hands")
}

fn models() -> [HandModel; 2] {
    Side::BOTH.map(|side| open_hand(side).expect("sound asset"))
}

fn fit(poses: &[PoseResult]) -> Vec<FitResult> {
    let gpu = crate::gpu::testing::gpu();
    let backend = gpu.as_ref().map_or(FitBackend::Reference, FitBackend::Gpu);
    let models = models();
    let both = [Some(&models[0]), Some(&models[1])];
    let mut fit = HandFit::of_frames(backend, both, poses, &HandFitSettings::default()).expect("hands");
    while fit.step().expect("finite").is_some() {}
    fit.finish_frames(&[]).expect("finite")
}

/// Mean vertex distance to the truth of each hand, millimetres.
fn vertex_errors_mm(rig: &Rig, result: &FitResult) -> Vec<f64> {
    result.hands.iter().map(|hand| rig.vertex_error_mm(&hand.posed)).collect()
}

fn joint_errors_mm(rig: &Rig, pose: &PoseResult) -> Vec<f64> {
    let error = |side: Side| pose.joints.hands[side.index()].as_ref().map(|h| rig.error_mm(side, &h.joints));
    Side::BOTH.into_iter().filter_map(error).collect()
}

fn summary(mut errors: Vec<f64>) -> (f64, f64) {
    errors.sort_by(f64::total_cmp);
    (errors[errors.len() / 2], errors[errors.len() - 1])
}

#[test]
fn a_hundred_random_poses_are_fitted() {
    let rigs: Vec<Rig> = (0..100).map(|seed| Rig::posed(8, 1000 + seed, 0.5)).collect();
    let poses: Vec<PoseResult> = rigs.iter().map(|rig| pose_of(rig, &rig.detect(&CLEAN))).collect();
    let began = std::time::Instant::now();
    let results = fit(&poses);
    let seconds = began.elapsed().as_secs_f64();
    let errors: Vec<Vec<f64>> = rigs.iter().zip(&results).map(|(rig, r)| vertex_errors_mm(rig, r)).collect();
    let good = errors.iter().filter(|e| e.len() == 2 && e.iter().all(|e| *e <= 1.5)).count();
    let (median, worst) = summary(errors.into_iter().flatten().collect());
    eprintln!(
        "100 poses, clean: {good} good; vertices {median:.2} mm in the middle, {worst:.2} mm at worst; {seconds:.1} s"
    );
    assert!(good >= 99, "both hands within 1.5 mm in {good} of 100");
    // Negative: the hands of another frame are not taken for good.
    assert!(vertex_errors_mm(&rigs[0], &results[1]).iter().all(|e| *e > 1.5), "the comparison sees a wrong hand");
}

/// 3 px noise, a tenth of outliers, one swapped view, one camera 40 px off.
fn dirty(rig: &Rig, seed: u64) -> Vec<[Option<Keypoints>; 2]> {
    let mut keypoints = rig.detect(&Noise { px: 3.0, outliers: 0.1, seed });
    let views = keypoints.len();
    let pick = |step: u64| usize::try_from((seed * 7 + step) % views as u64).expect("small");
    keypoints[pick(0)].swap(0, 1);
    let angle = 0.7 * f64::from(u32::try_from(seed % 100).expect("small"));
    for k in keypoints[pick(3)].iter_mut().flatten() {
        for px in &mut k.px {
            *px = [px[0] + 40.0 * angle.cos(), px[1] + 40.0 * angle.sin()];
        }
    }
    keypoints
}

#[test]
fn dirty_captures_give_joints() {
    let mut errors = Vec::new();
    let mut hands = 0;
    for seed in 0..30 {
        let rig = Rig::new(16, 2000 + seed);
        let found = joint_errors_mm(&rig, &pose_of(&rig, &dirty(&rig, seed)));
        hands += found.len();
        errors.extend(found);
    }
    let mean = errors.iter().sum::<f64>() / f64::from(u32::try_from(errors.len()).expect("few"));
    let (median, worst) = summary(errors);
    eprintln!("16 views, dirty: joints {mean:.2} mm in the mean, {median:.2} mm in the middle, {worst:.2} mm at worst");
    assert_eq!(hands, 60, "every hand is found");
    assert!(mean <= 1.5 && worst <= 3.0, "{mean} mm mean, {worst} mm worst");
}

#[test]
fn four_views_are_enough() {
    let rigs: Vec<Rig> = (0..20).map(|seed| Rig::new(4, 3000 + seed)).collect();
    let noisy = |(seed, rig): (usize, &Rig)| {
        pose_of(rig, &rig.detect(&Noise { px: 3.0, outliers: 0.0, seed: u64::try_from(seed).expect("small") }))
    };
    let poses: Vec<PoseResult> = rigs.iter().enumerate().map(noisy).collect();
    let joints: Vec<f64> = rigs.iter().zip(&poses).flat_map(|(r, p)| joint_errors_mm(r, p)).collect();
    assert_eq!(joints.len(), 40, "every hand is found");
    let vertices: Vec<f64> = rigs.iter().zip(&fit(&poses)).flat_map(|(r, f)| vertex_errors_mm(r, f)).collect();
    let ((joint, worst_joint), (vertex, worst_vertex)) = (summary(joints), summary(vertices));
    eprintln!(
        "4 views, 3 px: joints {joint:.2} mm in the middle, {worst_joint:.2} mm at worst; vertices {vertex:.2} and {worst_vertex:.2} mm"
    );
    assert!(joint <= 2.5 && worst_vertex <= 6.0, "joints {joint} mm, worst vertices {worst_vertex} mm");
}

#[test]
fn frames_of_a_sequence_have_one_shape() {
    let rigs: Vec<Rig> = (0..12).map(|seed| Rig::of_person(8, 4000 + seed, 7)).collect();
    let noisy = |(seed, rig): (usize, &Rig)| {
        pose_of(rig, &rig.detect(&Noise { px: 4.0, outliers: 0.05, seed: u64::try_from(seed).expect("small") }))
    };
    let mut poses: Vec<PoseResult> = rigs.iter().enumerate().map(noisy).collect();
    let alone = fit(&poses);
    // A frame in which nobody is seen.
    poses[4].joints.hands = [None, None];
    let models = models();
    let both = [Some(&models[0]), Some(&models[1])];
    let together = fit_sequence(FitBackend::Reference, both, &poses, &HandFitSettings::default()).expect("a sequence");
    assert!(together.frames.len() == 12 && together.frames[4].hands.is_empty(), "the empty frame stays empty");
    let truth = &rigs[0].hands[0].parameters.betas;
    let off = |betas: &[f64]| betas.iter().zip(truth).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let betas = |results: &[FitResult]| -> Vec<f64> {
        results.iter().flat_map(|r| &r.hands).map(|h| off(&h.posed.parameters.betas)).collect()
    };
    let ((single, _), (common, worst)) = (summary(betas(&alone)), summary(betas(&together.frames)));
    eprintln!("shape of a sequence: {:.2} off; frames {common:.2}, alone {single:.2}", off(&together.shape.betas));
    assert!(common < 0.8 * single && worst < 1.2 * common, "one shape, nearer to the truth: {common}, alone {single}");
}
