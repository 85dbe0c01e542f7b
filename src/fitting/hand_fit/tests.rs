//! Twin against differences, kernels against twin, known hands recovered.

use super::super::pose::{PoseSettings, Triangulator, estimate_joints};
use super::super::test_rig::{Noise, Random, Rig, random_parameters, real_capture};
use super::*;
use crate::gpu::shader;
use crate::gpu::testing::{Edit, KernelTest, assert_layout, gpu};
use crate::hand::{POSE, SCALE, open_hand, parameter_vector};
use crate::kernel_checks::KernelCheck;

pub(crate) const CHECKS: &[KernelCheck] = &[
    KernelCheck {
        kernel: "fit/hand_normal",
        difference,
        edits: &[
            ("identity() + c * f.y + c * c * f.z", "identity() + c * f.y * 1.02 + c * c * f.z"),
            ("1.0 / (1.0 + q)", "1.0 / (1.0 + 1.02 * q)"),
            ("g += settings.shape_weight * off", "g += 1.5 * settings.shape_weight * off"),
            ("g += pull", "g += 1.5 * pull"),
            ("below + above", "below"),
            ("models[model + SHAPE_MEAN + p - 51u]", "models[model + SHAPE_MEAN + p - 50u]"),
            ("pull.g + stiffness * offset)", "pull.g + 1.1 * stiffness * offset)"),
            ("let left_y = stiffness *", "let left_y = 1.01 * stiffness *"),
        ],
        gradient: Some(gradient),
    },
    KernelCheck {
        kernel: "fit/damped_step",
        difference,
        edits: &[
            ("lower[packed(p, p)] += damping", "lower[packed(p, p)] += 1.5 * damping"),
            ("right[p] = -kept[base + GRADIENT + p]", "right[p] = kept[base + GRADIENT + p]"),
            ("pivot = min(1.0, settings.max_turn / max(turn, 1e-12))", "pivot = 1.0"),
        ],
        gradient: None,
    },
];

pub(super) fn pose_of(rig: &Rig, noise: &Noise) -> PoseResult {
    let used = vec![true; rig.cameras.len()];
    estimate_joints(&rig.cameras, &rig.detect(noise), &used, &PoseSettings::default(), &Triangulator::Reference)
        .expect("two hands")
}

const CLEAN: Noise = Noise { px: 0.0, outliers: 0.0, seed: 1 };

fn models() -> [HandModel; 2] {
    Side::BOTH.map(|side| open_hand(side).expect("sound asset"))
}

pub(super) fn new_fit(backend: FitBackend<'_>, pose: &PoseResult, settings: &HandFitSettings) -> HandFit {
    let models = models();
    HandFit::new(backend, [Some(&models[0]), Some(&models[1])], pose, settings).expect("a fit")
}

fn run(backend: FitBackend<'_>, pose: &PoseResult, settings: &HandFitSettings) -> Vec<FittedHand> {
    let mut fit = new_fit(backend, pose, settings);
    let mut last = f64::INFINITY;
    while let Some(step) = fit.step().expect("finite") {
        assert!(
            step.total <= last * (1.0 + 1e-5),
            "an accepted step never raises the loss: {} after {last}",
            step.total
        );
        last = step.total;
    }
    fit.finish(&[]).expect("finite").hands
}

/// Parameters off the optimum, beyond some limits.
fn somewhere(fit: &HandFit, seed: u64) -> [f64; PARAMETERS] {
    let mut random = Random(seed);
    let mut x = fit.states[0].2;
    for value in &mut x[..SCALE] {
        *value += 0.15 * random.normal();
    }
    for value in &mut x[3..6] {
        *value = 0.02 * random.normal();
    }
    x[SCALE] = 1.1;
    x
}

#[test]
fn layouts() {
    let fit = [
        ("problems", 0),
        ("scale_free", 4),
        ("joints_weight", 8),
        ("joints_robust", 12),
        ("reprojection_weight", 16),
        ("reprojection_robust", 20),
        ("limit_weight", 24),
        ("shape_weight", 28),
    ];
    assert_layout("fit/hand_normal", "FitSettings", size_of::<device::FitUniform>(), &fit);
    let step = [("problems", 0), ("lambda_down", 4), ("lambda_up", 8), ("max_turn", 12)];
    assert_layout("fit/damped_step", "StepSettings", size_of::<device::StepUniform>(), &step);
    let control = [("lambda", 0), ("loss", 4), ("accepted", 8), ("refused", 12)];
    assert_layout("fit/damped_step", "Control", size_of::<device::Control>(), &control);
    let text = shader::source("fit/hand_normal").expect("exists");
    for (name, value) in ["GRADIENT", "LOSSES", "SYSTEM"].into_iter().zip(DeviceFit::constants()) {
        assert!(text.contains(&format!("const {name}: u32 = {value}u;")), "{name} is {value} in both");
    }
    let steps = format!("const OFFSET_STEPS: u32 = {}u;", reference::OFFSET_STEPS);
    assert!(text.contains(&steps), "as many steps for offsets as the twin takes");
}

/// The twin's gradient against central differences of its loss.
fn gradient(factor: f64) -> f64 {
    let rig = Rig::new(6, 61);
    let settings = HandFitSettings { fit_scale: true, ..HandFitSettings::default() };
    let mut fit = new_fit(FitBackend::Reference, &pose_of(&rig, &Noise { px: 4.0, outliers: 0.1, seed: 9 }), &settings);
    // The gradient is that at the best offsets; this far off they take longer to find.
    fit.weights.offset_steps = 300;
    fit.hands[0].shape_mean = [0.3; 10];
    let x = somewhere(&fit, 1);
    let system = hand_normal(&fit.hands[0], &fit.weights, &x);
    let loss = |i: usize, h: f64| {
        let mut y = x;
        y[i] += h;
        hand_normal(&fit.hands[0], &fit.weights, &y).losses.iter().sum::<f64>()
    };
    let relative = |i: usize| {
        let difference = (loss(i, 1e-6) - loss(i, -1e-6)) / 2e-6;
        (difference - factor * system.gradient[i]).abs() / (1.0 + difference.abs())
    };
    (0..PARAMETERS).map(relative).fold(0.0, f64::max) / 1e-4
}

/// Largest difference of two systems relative to their sizes `√(H_pp H_qq)`.
fn system_difference(a: &reference::System, b: &reference::System) -> f64 {
    let size = |p: usize| b.hessian[p][p].max(1e-12).sqrt();
    let loss: f64 = b.losses.iter().sum();
    let mut worst: f64 = 0.0;
    for p in 0..PARAMETERS {
        worst = worst.max((a.gradient[p] - b.gradient[p]).abs() / (size(p) * loss.sqrt()));
        for q in 0..PARAMETERS {
            worst = worst.max((a.hessian[p][q] - b.hessian[p][q]).abs() / (size(p) * size(q)));
        }
    }
    for (x, y) in a.losses.iter().zip(&b.losses) {
        worst = worst.max((x - y).abs() / loss);
    }
    worst
}

/// Normal equations against the twin's; the step against that of the twin on the device's own system.
fn difference(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let rig = Rig::new(6, 62);
    let settings = HandFitSettings { fit_scale: true, ..HandFitSettings::default() };
    let mut fit = new_fit(FitBackend::Reference, &pose_of(&rig, &Noise { px: 4.0, outliers: 0.1, seed: 8 }), &settings);
    fit.hands[0].shape_mean = std::array::from_fn(|i| 0.1 * f64::from(u32::try_from(i).expect("small")));
    let starts = [(0, somewhere(&fit, 2)), (1, somewhere(&fit, 3)), (0, somewhere(&fit, 4))];
    let kernels = FitKernels { normal: test.kernel("fit/hand_normal"), step: test.kernel("fit/damped_step") };
    let device =
        DeviceFit::new(test.gpu(), &kernels, &fit.hands, &starts, &fit.weights, &fit.rule, 1e-2).expect("fits");
    device.step().expect("runs");
    let found = device.read_systems().expect("readable");
    let trials: Vec<f32> = test.read(device.trial());
    let (mut systems, mut steps) = (0.0_f64, 0.0_f64);
    for (i, (hand, x)) in starts.iter().enumerate() {
        let expected = hand_normal(&fit.hands[*hand], &fit.weights, x);
        systems = systems.max(system_difference(&found[i], &expected));
        let mut twin = State::new(*x, 1e-2);
        damped_step(&mut twin, found[i].clone(), &fit.rule);
        for p in 0..PARAMETERS {
            steps = steps.max((f64::from(trials[64 * i + p]) - twin.trial[p]).abs());
        }
    }
    Some((systems / 2e-4).max(steps / 2e-3))
}

#[test]
fn known_hands_are_recovered_from_clean_keypoints() {
    let gpu = gpu();
    let backend = gpu.as_ref().map_or(FitBackend::Reference, FitBackend::Gpu);
    // Keypoints say next to nothing about the thickness of fingers: there the shape prior speaks. Perfect data allow to
    // turn it down; the defaults, made for real detectors, may be a little worse.
    let defaults = HandFitSettings::default();
    let trusting =
        HandFitSettings { shape_weight: 0.01, least_noise_px: 0.05, joint_sigma_m: 3e-4, ..HandFitSettings::default() };
    for seed in [71, 72, 73] {
        let rig = Rig::new(16, seed);
        let pose = pose_of(&rig, &CLEAN);
        for (name, settings, bar) in [("defaults", &defaults, 1.5), ("trusting", &trusting, 0.7)] {
            let fitted = run(backend, &pose, settings);
            let errors: Vec<f64> = fitted.iter().map(|f| rig.vertex_error_mm(&f.posed)).collect();
            eprintln!("clean, seed {seed}, {name}: vertices {errors:.3?} mm");
            assert!(errors.len() == 2 && errors.iter().all(|e| *e <= bar), "seed {seed}, {name}: {errors:?} mm");
        }
    }
}

#[test]
fn noisy_keypoints_give_sane_hands_within_the_limits() {
    let gpu = gpu();
    let backend = gpu.as_ref().map_or(FitBackend::Reference, FitBackend::Gpu);
    let models = models();
    for seed in [81, 82] {
        let rig = Rig::new(12, seed);
        let fitted = run(backend, &pose_of(&rig, &Noise { px: 6.0, outliers: 0.1, seed }), &HandFitSettings::default());
        for f in &fitted {
            let p = &f.posed.parameters;
            let error = rig.vertex_error_mm(&f.posed);
            eprintln!(
                "6 px noise, seed {seed}, {}: vertices {error:.2} mm, joints {:.2} mm, {:.2} px",
                p.side, f.mean_joint_mm, f.median_px
            );
            assert!(error < 5.0, "{error} mm");
            assert!(p.betas.iter().all(|b| b.abs() < 4.0), "shape stays human: {:?}", p.betas);
            for (i, (value, [low, high])) in p.hand_pose.iter().zip(&models[p.side.index()].joint_limits).enumerate() {
                assert!(*value > low - 0.1 && *value < high + 0.1, "component {i}: {value} outside [{low}, {high}]");
            }
            assert!((p.scale - 1.0).abs() < 1e-12, "the scale is locked");
        }
    }
}

#[test]
fn iterations_end_when_no_start_gets_better() {
    let pose = pose_of(&Rig::new(8, 75), &Noise { px: 3.0, outliers: 0.05, seed: 4 });
    let fitted = |to_the_end: bool| {
        let mut fit = new_fit(FitBackend::Reference, &pose, &HandFitSettings::default());
        let mut last = None;
        while let Some(step) = fit.step().expect("finite") {
            if to_the_end {
                fit.settled = 0;
            }
            last = Some(step);
        }
        (last.expect("a step"), fit.finish(&[]).expect("finite").hands)
    };
    let ((early, hands), (late, expected)) = (fitted(false), fitted(true));
    assert!(early.iteration < 30 && late.iteration == 40, "{} and {} iterations", early.iteration, late.iteration);
    assert_eq!(early.iterations, early.iteration, "the last step says that it is the last");
    for (a, b) in hands.iter().zip(&expected) {
        let distance = |(a, b): (&[f64; 3], &[f64; 3])| (Vector3::from(*a) - Vector3::from(*b)).norm();
        let worst = a.posed.vertices.iter().zip(&b.posed.vertices).map(distance).fold(0.0, f64::max);
        assert!(worst < 1e-5, "the same hand after the polish: {worst} m");
    }
}

#[test]
fn limits_hold_against_targets_that_want_to_break_them() {
    let mut rig = Rig::new(8, 91);
    let model = open_hand(Side::Right).expect("sound asset");
    let mut p = random_parameters(Side::Right, &mut Random(5));
    p.hand_pose[5] = -0.9; // index2 bent back: the limit is −0.15
    rig.hands[1] = pose_hand(&model, &p);
    let pose = pose_of(&rig, &CLEAN);
    let settings = HandFitSettings { reprojection_weight: 1e-4, ..HandFitSettings::default() };
    let low = model.joint_limits[5][0];
    let held = run(FitBackend::Reference, &pose, &settings)[1].posed.parameters.hand_pose[5];
    let loose = HandFitSettings { limit_sigma_rad: 10.0, ..settings };
    let free = run(FitBackend::Reference, &pose, &loose)[1].posed.parameters.hand_pose[5];
    assert!(held > low - 0.1, "held at {held}, limit {low}");
    assert!(free < low - 0.3, "without limits it follows the target: {free}");
}

#[test]
fn scale_is_found_on_request() {
    let mut rig = Rig::new(8, 95);
    let model = open_hand(Side::Left).expect("sound asset");
    let mut p = rig.hands[0].parameters.clone();
    p.scale = 1.3;
    p.betas = vec![0.0; 10];
    rig.hands[0] = pose_hand(&model, &p);
    let settings = HandFitSettings { fit_scale: true, ..HandFitSettings::default() };
    let fitted = run(FitBackend::Reference, &pose_of(&rig, &CLEAN), &settings);
    let error = rig.vertex_error_mm(&fitted[0].posed);
    assert!(error < 1.0, "{error} mm with scale {}", fitted[0].posed.parameters.scale);
    assert!((fitted[0].posed.parameters.scale - 1.0).abs() > 0.1, "the scale moved");
}

#[test]
fn unusable_input_is_refused() {
    let rig = Rig::new(4, 97);
    let mut pose = pose_of(&rig, &CLEAN);
    let models = models();
    let settings = HandFitSettings::default();
    let new = |pose: &PoseResult, settings: &HandFitSettings| {
        HandFit::new(FitBackend::Reference, [Some(&models[0]), Some(&models[1])], pose, settings).err()
    };
    let absurd = HandFitSettings { joint_sigma_m: 0.0, ..settings.clone() };
    assert!(matches!(new(&pose, &absurd), Some(FitError::Settings(_))), "a zero deviation is refused");
    if let Some(hand) = &mut pose.joints.hands[1] {
        hand.joints[3][1] = f64::NAN;
    }
    assert!(matches!(new(&pose, &settings), Some(FitError::Diverged { side: Side::Right })), "NaN is refused");
    pose.joints.hands = [None, None];
    assert!(matches!(new(&pose, &settings), Some(FitError::NoJoints)), "nothing to fit");
    assert!(ron::from_str::<HandFitSettings>("(iteration: 3)").is_err(), "unknown fields are refused");
    let x = parameter_vector(&rig.hands[0].parameters);
    assert_eq!(x.len(), POSE + 45 + 10 + 1, "62 parameters");
}

#[test]
fn the_real_capture_is_fitted() {
    let Some((cameras, keypoints)) = real_capture() else { return };
    let gpu = gpu();
    let triangulator = gpu.as_ref().map_or(Triangulator::Reference, |g| Triangulator::on(g).expect("compiles"));
    let pose =
        estimate_joints(&cameras, &keypoints, &[true; 16], &PoseSettings::default(), &triangulator).expect("two hands");
    let began = std::time::Instant::now();
    let fitted = run(gpu.as_ref().map_or(FitBackend::Reference, FitBackend::Gpu), &pose, &HandFitSettings::default());
    eprintln!("fit of the real capture: {:.2} s", began.elapsed().as_secs_f64());
    assert_eq!(fitted.len(), 2, "both hands");
    for f in &fitted {
        let p = &f.posed.parameters;
        eprintln!("offsets {:.1?}", f.landmark_offsets.map(|o| o.map(|v| 1e3 * v)));
        eprintln!("{}: joints {:.2} mm, median {:.2} px, betas {:.2?}", p.side, f.mean_joint_mm, f.median_px, p.betas);
        assert!(f.median_px <= 12.0, "{}: median reprojection {} px", p.side, f.median_px);
        assert!(f.mean_joint_mm <= 8.0, "{}: {} mm from the joints", p.side, f.mean_joint_mm);
    }
}
