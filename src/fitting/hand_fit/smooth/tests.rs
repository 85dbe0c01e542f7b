use super::*;
use crate::anatomy::Side;
use crate::fitting::test_rig::Random;
use crate::hand::{POSE, open_hand};
use nalgebra::{DMatrix, DVector};

const SMOOTH: Smoothness = Smoothness { sigma_m: 1e-3, robust_scale: 4.0 };
const SHAPE_OF_ALL: CommonShape = CommonShape { betas: [0.3; 10], scale: 1.0 };

/// The true movement at a time in frames.
fn truth(number: u32) -> HandParameters {
    let t = f64::from(number) / 30.0;
    let mut p = HandParameters::rest(Side::Right);
    p.betas = SHAPE_OF_ALL.betas.to_vec();
    // An orientation near π, where axis-angle vectors of neighbours may be far apart.
    p.global_orient = [0.2 * (3.0 * t).sin(), std::f64::consts::PI - 0.3 * t, 0.1];
    p.transl = [0.05 * (4.0 * t).sin(), 0.03 * (3.0 * t).cos(), 0.9];
    for (i, v) in p.hand_pose.iter_mut().enumerate() {
        *v = if i % 3 == 2 { 0.4 + 0.3 * (3.0 * t + f64::from(u32::try_from(i).expect("45"))).sin() } else { 0.0 };
    }
    p
}

/// Estimates with noise, of one frame each, and information that fits it: a millimetre of a keypoint.
fn estimates(numbers: &[u32], noise: f64) -> Vec<FrameEstimate> {
    let keypoints = KeypointModel::new(&open_hand(Side::Right).expect("sound asset"));
    let mut random = Random(5);
    let estimate = |number: &u32| {
        let mut parameters = truth(*number);
        for v in parameters.global_orient.iter_mut().chain(&mut parameters.hand_pose) {
            *v += noise * 0.02 * random.normal();
        }
        for v in &mut parameters.transl {
            *v += noise * 1e-3 * random.normal();
        }
        let (_, jacobian) = keypoints.evaluate(&parameters);
        let mut information = vec![[0.0; PARAMETERS]; PARAMETERS];
        for axis in jacobian.iter().flatten() {
            for p in 0..PARAMETERS {
                for q in 0..PARAMETERS {
                    information[p][q] += 1e6 * axis[p] * axis[q];
                }
            }
        }
        // Twists, which keypoints do not see.
        for (p, row) in information.iter_mut().enumerate().take(SHAPE).skip(POSE) {
            row[p] += 100.0;
        }
        FrameEstimate { number: *number, parameters, information }
    };
    numbers.iter().map(estimate).collect()
}

fn points(p: &HandParameters) -> [[f64; 3]; 21] {
    KeypointModel::new(&open_hand(Side::Right).expect("sound asset")).evaluate(p).0
}

/// Root mean square of the error's second differences over all keypoints, and mean error, millimetres.
fn jitter_and_error_mm(numbers: &[u32], found: &[HandParameters]) -> [f64; 2] {
    let off: Vec<Vec<Vector3<f64>>> = numbers
        .iter()
        .zip(found)
        .map(|(n, p)| {
            points(p).iter().zip(points(&truth(*n))).map(|(a, b)| Vector3::from(*a) - Vector3::from(b)).collect()
        })
        .collect();
    let (mut square, mut count, mut sum) = (0.0, 0.0, 0.0);
    for three in off.windows(3) {
        for ((a, b), c) in three[0].iter().zip(&three[1]).zip(&three[2]) {
            square += (c - b * 2.0 + a).norm_squared();
            sum += b.norm();
            count += 1.0;
        }
    }
    [(square / count).sqrt() * 1e3, sum / count * 1e3]
}

fn smoothed(frames: &[FrameEstimate], smoothness: &Smoothness) -> Vec<HandParameters> {
    smooth_motion(&open_hand(Side::Right).expect("sound asset"), frames, &SHAPE_OF_ALL, smoothness)
}

#[test]
fn noise_goes_and_the_movement_stays() {
    let numbers: Vec<u32> = (0..24).collect();
    let frames = estimates(&numbers, 1.0);
    let alone: Vec<HandParameters> = frames.iter().map(|f| f.parameters.clone()).collect();
    let [jitter, error] = jitter_and_error_mm(&numbers, &alone);
    let [calm, near] = jitter_and_error_mm(&numbers, &smoothed(&frames, &SMOOTH));
    assert!(calm < 0.25 * jitter, "jitter {calm:.2} mm instead of {jitter:.2}");
    assert!(near < 0.7 * error, "error {near:.2} mm instead of {error:.2}");
    let exact = estimates(&numbers, 0.0);
    let [_, bias] = jitter_and_error_mm(&numbers, &smoothed(&exact, &SMOOTH));
    assert!(bias < 0.1, "a movement without noise is left where it is: {bias:.3} mm");
    let loose = Smoothness { sigma_m: 1.0, ..SMOOTH };
    let [same, _] = jitter_and_error_mm(&numbers, &smoothed(&frames, &loose));
    assert!((same / jitter - 1.0).abs() < 0.01, "without stiffness nothing changes: {same:.2} mm");
}

#[test]
fn a_cut_stays_a_cut_and_a_gap_is_bridged() {
    let numbers: Vec<u32> = (0..20).collect();
    let mut frames = estimates(&numbers, 0.0);
    for frame in &mut frames[10..] {
        frame.parameters.transl[0] += 0.1;
    }
    let found = smoothed(&frames, &SMOOTH);
    for (i, (after, before)) in found.iter().zip(&frames).enumerate() {
        let moved = (after.transl[0] - before.parameters.transl[0]).abs();
        assert!(moved < 1e-3, "frame {i} stays on its side of the cut: {moved} m");
    }
    // Frames that are missing: times count, not positions in the list.
    let some: Vec<u32> = numbers.into_iter().filter(|n| n % 3 != 1).collect();
    let bridged = smoothed(&estimates(&some, 0.0), &SMOOTH);
    for (n, p) in some.iter().zip(&bridged) {
        let off = |k: usize| (Vector3::from(points(p)[k]) - Vector3::from(points(&truth(*n))[k])).norm();
        assert!((0..21).map(off).fold(0.0, f64::max) < 3e-4, "frame {n}");
    }
    assert_eq!(smoothed(&estimates(&[3], 0.0), &SMOOTH).len(), 1, "one frame alone");
}

#[test]
fn frames_of_another_shape_follow_to_the_common_one() {
    let numbers: Vec<u32> = (0..6).collect();
    let mut frames = estimates(&numbers, 0.0);
    for frame in &mut frames {
        frame.parameters.betas[0] = 0.8;
    }
    let found = smoothed(&frames, &SMOOTH);
    assert!(found.iter().all(|p| p.betas == SHAPE_OF_ALL.betas), "one shape");
    let off = |p: &HandParameters, f: &FrameEstimate| {
        let pairs = points(p).into_iter().zip(points(&f.parameters));
        pairs.map(|(a, b)| (Vector3::from(a) - Vector3::from(b)).norm()).sum::<f64>()
    };
    let rigid = HandParameters { betas: SHAPE_OF_ALL.betas.to_vec(), ..frames[2].parameters.clone() };
    assert!(off(&found[2], &frames[2]) < off(&rigid, &frames[2]), "the pose makes up for what shape it lost");
}

#[test]
fn the_band_is_solved_as_the_whole_matrix_and_the_gradient_is_that_of_the_loss() {
    let frames = estimates(&[0, 1, 2, 4], 1.0);
    let model = open_hand(Side::Right).expect("sound asset");
    let problem = Problem::new(&model, &frames, &SHAPE_OF_ALL, &SMOOTH);
    let mut x = problem.start();
    x[1][4] += 1e-3;
    let at = problem.evaluate(&x);
    let system = problem.system(&x, &at);
    let n = system.right.len();
    let entry = |p: usize, q: usize| if p - q < BAND { system.rows[p][p - q] } else { 0.0 };
    let dense = DMatrix::from_fn(n, n, |p, q| if p >= q { entry(p, q) } else { entry(q, p) });
    let damped = dense.clone() + DMatrix::from_diagonal(&dense.diagonal().map(|d| 1e-3 * d + 1e-9));
    let right = DVector::from_column_slice(&system.right);
    let expected = damped.cholesky().expect("positive").solve(&right);
    for p in [4, MOVING + 4, 2 * MOVING + 8, 3 * MOVING + 1] {
        let moved = |by: f64| {
            let mut x = x.clone();
            x[p / MOVING][p % MOVING] += by;
            problem.evaluate(&x).loss
        };
        let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        let right = system.right[p];
        assert!((slope + right).abs() < 1e-4 * slope.abs().max(1.0), "parameter {p}: {slope} and {right}");
    }
    let found = system.solve(1e-3).expect("positive");
    let scale = expected.amax();
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() < 1e-6 * scale, "{a} and {b}");
    }
}
