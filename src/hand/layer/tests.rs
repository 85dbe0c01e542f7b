//! The layer against [`pose_hand`], and its gradient against differences.

use super::super::random_hand::{Random, random_hand, random_parameters};
use super::super::{PARAMETERS, POSE, SCALE, SHAPE, open_hand, parameter_vector, parameters_from_vector, pose_hand};
use super::*;

fn models() -> Vec<HandModel> {
    let mut plain = random_hand(97, 3);
    plain.pose_directions = None;
    vec![random_hand(120, 1), plain, open_hand(Side::Left).expect("sound asset")]
}

fn worst(a: &[[f64; 3]], b: &[[f64; 3]]) -> f64 {
    assert_eq!(a.len(), b.len(), "as many points");
    a.as_flattened().iter().zip(b.as_flattened()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn random_gradients(layer: &HandLayer, seed: u64) -> (Vec<[f64; 3]>, [[f64; 3]; JOINTS]) {
    let random = &mut Random(seed);
    let mut three = || from_fn(|_| random.signed());
    ((0..layer.vertex_count()).map(|_| three()).collect(), from_fn(|_| three()))
}

/// `Σ g_v · x_v + Σ g_j · p_j`: a loss whose gradients by the outputs are `gradients`.
fn loss(layer: &HandLayer, p: &HandParameters, gradients: &(Vec<[f64; 3]>, [[f64; 3]; JOINTS])) -> f64 {
    let pass = layer.forward(p);
    let dot = |a: &[[f64; 3]], b: &[[f64; 3]]| -> f64 {
        a.as_flattened().iter().zip(b.as_flattened()).map(|(a, b)| a * b).sum()
    };
    dot(&pass.vertices, &gradients.0) + dot(&pass.joints, &gradients.1)
}

/// Largest error of a gradient against central differences of `loss`, relative to the largest entry of its block
/// (orientation, translation, pose, shape, scale).
fn worst_relative(at: &[f64], gradient: &[f64], loss: impl Fn(&[f64]) -> f64) -> f64 {
    const BLOCKS: [std::ops::Range<usize>; 5] = [0..3, 3..POSE, POSE..SHAPE, SHAPE..SCALE, SCALE..PARAMETERS];
    let difference = |i: usize, h: f64| {
        let shifted = |h: f64| {
            let mut x = at.to_vec();
            x[i] += h;
            loss(&x)
        };
        // Fourth order: the error of the differences stays far below the bound.
        (8.0 * (shifted(h) - shifted(-h)) - (shifted(2.0 * h) - shifted(-2.0 * h))) / (12.0 * h)
    };
    let of_block = |block: std::ops::Range<usize>| {
        let numeric: Vec<f64> = block.clone().map(|i| difference(i, 1e-3)).collect();
        let size = numeric.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        let error = numeric.iter().zip(&gradient[block]).map(|(n, g)| (n - g).abs()).fold(0.0, f64::max);
        error / size
    };
    BLOCKS.into_iter().map(of_block).fold(0.0, f64::max)
}

#[test]
fn forward_is_that_of_the_plain_model() {
    for model in models() {
        let layer = HandLayer::new(&model);
        let mut pass = HandLayer::new(&random_hand(5, 9)).new_pass();
        for p in [HandParameters::rest(model.side), random_parameters(model.side, 7), random_parameters(model.side, 8)]
        {
            let posed = pose_hand(&model, &p);
            layer.forward_into(&p, &mut pass);
            let error = worst(&pass.vertices, &posed.vertices).max(worst(&pass.joints, &posed.joints));
            assert!(error < 1e-14, "{} {}: {error} m", model.name, model.template.len());
            let error = worst(&layer.keypoints(&pass), &posed.keypoints);
            assert!(error < 1e-14, "keypoints: {error} m");
            assert_eq!(layer.forward(&p).vertices, pass.vertices, "memory used again holds nothing of the last pass");
        }
    }
}

#[test]
fn gradient_matches_central_differences() {
    for model in models() {
        let layer = HandLayer::new(&model);
        let gradients = random_gradients(&layer, 5);
        for p in [HandParameters::rest(model.side), random_parameters(model.side, 11)] {
            let by_parameters = |x: &[f64]| {
                let x: &[f64; PARAMETERS] = x.try_into().expect("all parameters");
                loss(&layer, &parameters_from_vector(model.side, x), &gradients)
            };
            let pass = layer.forward(&p);
            let gradient = layer.backward(&pass, &gradients.0, &gradients.1);
            let mut g = gradient.parameters(&p);
            let error = worst_relative(&parameter_vector(&p), &g, by_parameters);
            assert!(error < 1e-6, "{} with {} vertices: {error}", model.name, model.template.len());
            // Negative: one entry off by a hundred thousandth of the largest is noticed.
            let largest = g[POSE..SHAPE].iter().fold(0.0, |m: f64, g| m.max(g.abs()));
            g[POSE + 17] += 1e-5 * largest;
            let error = worst_relative(&parameter_vector(&p), &g, by_parameters);
            assert!(error > 5e-6, "a wrong derivative is noticed: {error}");
        }
    }
}

/// For `crate::kernel_checks`: the twin's gradient times a factor against differences, over the tolerance.
pub(crate) fn gradient(factor: f64) -> f64 {
    let model = random_hand(120, 1);
    let layer = HandLayer::new(&model);
    let gradients = random_gradients(&layer, 5);
    let p = random_parameters(model.side, 11);
    let by_parameters = |x: &[f64]| {
        let x: &[f64; PARAMETERS] = x.try_into().expect("all parameters");
        loss(&layer, &parameters_from_vector(model.side, x), &gradients)
    };
    let g = layer.backward(&layer.forward(&p), &gradients.0, &gradients.1).parameters(&p);
    worst_relative(&parameter_vector(&p), &g.map(|g| factor * g), by_parameters) / 1e-6
}

#[test]
fn gradient_through_keypoints_and_the_pose_basis_matches_differences() {
    let model = random_hand(120, 2);
    let layer = HandLayer::new(&model);
    let random = &mut Random(21);
    let targets: [[f64; 3]; KEYPOINTS] = from_fn(|_| from_fn(|_| 0.1 * random.signed()));
    for basis in [
        PoseBasis::components(&model, 6, false),
        PoseBasis::components(&model, 45, true),
        PoseBasis::axis_angle(&model, false),
    ] {
        let at: Vec<f64> = (0..basis.numbers()).map(|_| 0.5 * random.signed()).collect();
        let parameters = |numbers: &[f64]| HandParameters {
            hand_pose: basis.pose(numbers).to_vec(),
            ..random_parameters(model.side, 4)
        };
        let residuals = |numbers: &[f64]| -> [[f64; 3]; KEYPOINTS] {
            let keypoints = layer.keypoints(&layer.forward(&parameters(numbers)));
            from_fn(|k| from_fn(|c| keypoints[k][c] - targets[k][c]))
        };
        let loss = |numbers: &[f64]| 0.5 * residuals(numbers).as_flattened().iter().map(|r| r * r).sum::<f64>();

        let p = parameters(&at);
        let mut by_vertices = vec![[0.0; 3]; layer.vertex_count()];
        let mut by_joints = [[0.0; 3]; JOINTS];
        layer.spread_keypoints(&residuals(&at), &mut by_vertices, &mut by_joints);
        let pass = layer.forward(&p);
        let by_pose = layer.backward(&pass, &by_vertices, &by_joints).parameters(&p);
        let gradient = basis.gradient(&by_pose[POSE..SHAPE]);
        assert_eq!(gradient.len(), basis.numbers(), "as many numbers as the pose has");
        let size = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        for (i, g) in gradient.iter().enumerate() {
            let numeric = {
                let shifted = |h: f64| {
                    let mut x = at.clone();
                    x[i] += h;
                    loss(&x)
                };
                (8.0 * (shifted(1e-3) - shifted(-1e-3)) - (shifted(2e-3) - shifted(-2e-3))) / 12e-3
            };
            assert!((numeric - g).abs() < 1e-6 * size, "number {i} of {}: {g} against {numeric}", basis.numbers());
        }
    }
}

#[test]
fn a_sparse_gradient_is_the_dense_one() {
    let layer = HandLayer::new(&random_hand(120, 2));
    let p = random_parameters(Side::Right, 4);
    let pass = layer.forward(&p);
    let (mut by_vertices, by_joints) = random_gradients(&layer, 6);
    let all = layer.backward(&pass, &by_vertices, &by_joints).parameters(&p);
    let mut sum = [0.0; PARAMETERS];
    let mut rest = by_vertices.clone();
    by_vertices[10..].fill([0.0; 3]);
    rest[..10].fill([0.0; 3]);
    for (vertices, joints) in [(by_vertices, by_joints), (rest, [[0.0; 3]; JOINTS])] {
        let part = layer.backward(&pass, &vertices, &joints).parameters(&p);
        sum.iter_mut().zip(part).for_each(|(s, g)| *s += g);
    }
    for (i, (a, b)) in all.iter().zip(&sum).enumerate() {
        assert!((a - b).abs() < 1e-12 * (1.0 + a.abs()), "the gradient is linear in what comes in ({i})");
    }
}

#[test]
#[should_panic(expected = "one gradient a vertex")]
fn gradients_of_another_mesh_are_refused() {
    let layer = HandLayer::new(&random_hand(12, 2));
    let pass = layer.forward(&HandParameters::rest(Side::Right));
    let _ = layer.backward(&pass, &[[0.0; 3]; 11], &[[0.0; 3]; JOINTS]);
}
