//! The trained network against its twin, its operations against differences, and that training learns and is repeatable.

use super::super::network::Network;
use super::ops::{FromLeft, NormRelu};
use super::*;
use crate::anatomy::Side;
use crate::hand::open_hand;
use candle_core::Var;

fn numbers(random: &mut Random, count: usize) -> Vec<f32> {
    singles(&(0..count).map(|_| random.normal()).collect::<Vec<f64>>())
}

/// Largest difference between the gradient of `Σ weights · f(x)` and central differences, over the gradient's size.
fn gradient_error(x: &[f32], shape: &[usize], f: impl Fn(&Tensor) -> Tensor) -> f64 {
    let var = Var::from_vec(x.to_vec(), shape, &Device::Cpu).expect("a tensor");
    let out = f(var.as_tensor());
    let weights = numbers(&mut Random::new(5, "weights"), out.elem_count());
    let weights = Tensor::from_vec(weights, out.shape(), &Device::Cpu).expect("a tensor");
    let value = |out: &Tensor| (out * &weights).expect("alike").sum_all().expect("a sum");
    let gradients = value(&out).backward().expect("a gradient");
    let found: Vec<f32> = gradients.get(&var).expect("one").flatten_all().expect("flat").to_vec1().expect("numbers");
    let at = |i: usize, h: f32| {
        let mut moved = x.to_vec();
        moved[i] += h;
        let moved = Tensor::from_vec(moved, shape, &Device::Cpu).expect("a tensor");
        f64::from(value(&f(&moved)).to_scalar::<f32>().expect("a number"))
    };
    let size = found.iter().map(|g| f64::from(g.abs())).fold(0.0, f64::max);
    let step = 1e-2_f32;
    let off = |(i, g): (usize, &f32)| ((at(i, step) - at(i, -step)) / (2.0 * f64::from(step)) - f64::from(*g)).abs();
    found.iter().enumerate().map(off).fold(0.0, f64::max) / size
}

#[test]
fn the_gradients_of_our_operations_are_those_of_their_values() {
    let mut random = Random::new(1, "operations");
    let matrix = crate::regressor::sparse::Sparse {
        columns: 3,
        rows: vec![vec![(0, 0.5), (2, -1.0)], vec![(1, 2.0)], vec![], vec![(0, 1.0), (1, 1.0), (2, 0.25)]],
    };
    let from_left = FromLeft::new(&matrix);
    let error = gradient_error(&numbers(&mut random, 12), &[2, 3, 2], |x| from_left.apply(x).expect("applies"));
    assert!(error < 1e-3, "sparse matrix: {error}");
    // Where the ReLU is far from its kink, as differences step over it otherwise.
    let (x, gamma) = (numbers(&mut random, 2 * 5 * 64), numbers(&mut random, 64));
    let tensor = |v: &[f32]| Tensor::from_vec(v.to_vec(), v.len(), &Device::Cpu).expect("a tensor");
    let far = vec![6.0_f32; 64];
    let by_x =
        gradient_error(&x, &[2, 5, 64], |x| NormRelu::apply(x, &tensor(&gamma), &tensor(&far)).expect("applies"));
    assert!(by_x < 1e-2, "group norm by its input: {by_x}");
    let input = Tensor::from_vec(x, (2, 5, 64), &Device::Cpu).expect("a tensor");
    let by_gamma = gradient_error(&gamma, &[64], |g| NormRelu::apply(&input, g, &tensor(&far)).expect("applies"));
    assert!(by_gamma < 1e-2, "by its factor: {by_gamma}");
    // Negative: a gradient that is a twentieth off is seen.
    let wrong = gradient_error(&gamma, &[64], |g| {
        let detached = (g.detach() * 0.05).expect("scaled");
        NormRelu::apply(&input, &(g * 0.95).and_then(|g| g + detached).expect("the same value"), &tensor(&far))
            .expect("applies")
    });
    assert!(wrong > 3e-2, "{wrong}");
}

#[test]
fn the_trained_network_is_its_twin() {
    let model = open_hand(Side::Right).expect("sound asset");
    let levels = MeshLevels::new(&TriMesh { positions: model.template.clone(), faces: model.faces.clone() });
    let mut random = Random::new(2, "twin");
    let count = 3 * model.template.len();
    let std: Vec<f32> = numbers(&mut random, count).iter().map(|x| 0.5 + x.abs()).collect();
    let graph = Graph::new(levels, numbers(&mut random, count), std, &mut random).expect("a graph");
    let twin = Network::new(&graph.tensors().expect("tensors")).expect("a network");
    let joints: [f64; 63] = std::array::from_fn(|_| random.normal());
    let inputs = Tensor::from_vec(singles(&joints), (1, 63), &Device::Cpu).expect("a tensor");
    let output = graph.forward(&inputs, 1).expect("runs");
    let expected = twin.forward(&joints, true);
    let off = |found: &Tensor, expected: &[f64]| {
        let found: Vec<f32> = found.flatten_all().expect("flat").to_vec1().expect("numbers");
        assert_eq!(found.len(), expected.len(), "as many");
        let size = expected.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max) / size
    };
    let (parameters, vertices) =
        (off(&output.parameters, &expected.parameters), off(&output.vertices, expected.vertices.as_flattened()));
    assert!(parameters < 1e-4 && vertices < 1e-4, "{parameters} and {vertices}");
    let mut merged = graph.tensors().expect("tensors");
    merge_chain(&mut merged, "fc_param");
    let merged = Network::new(&merged).expect("a network").forward(&joints, false).parameters;
    assert!(
        merged.iter().zip(&expected.parameters).all(|(a, b)| (a - b).abs() < 1e-4),
        "merged layers are the same function"
    );
}

#[test]
fn training_learns_and_is_the_same_every_time() {
    let model = open_hand(Side::Right).expect("sound asset");
    let settings = TrainSettings { steps: 12, batch: 8, meshes: 1, rate: 1e-3, seed: 4 };
    let run = || {
        let mut training = Training::new(&model, &settings).expect("begins");
        let mut totals = Vec::new();
        while let Some(step) = training.step().expect("steps") {
            totals.push(step.terms.iter().sum::<f64>());
        }
        assert!(totals[10] + totals[11] < 0.8 * (totals[0] + totals[1]), "{totals:?}");
        training.to_file(None).expect("a file")
    };
    let bytes = run();
    assert_eq!(bytes, run(), "the same bytes");
    assert!(HandRegressor::from_safetensors(&bytes, Path::new("w"), &model).is_ok(), "and they are read again");
    for wrong in [
        TrainSettings { steps: 0, ..settings.clone() },
        TrainSettings { meshes: 9, ..settings.clone() },
        TrainSettings { rate: f64::NAN, ..settings.clone() },
    ] {
        assert!(matches!(Training::new(&model, &wrong), Err(TrainError::Settings(_))), "{wrong:?}");
    }
}
