use super::*;
use crate::metrics::reference::{self, changed, close, pattern};

/// Channels of the tiny network of `scripts/metrics_reference.py`.
const CHANNELS: [usize; LAYERS + 1] = [3, 4, 6, 5, 4, 3];

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "small numbers")]
fn tiny() -> BTreeMap<String, Weights> {
    let mut tensors = BTreeMap::new();
    for k in 0..LAYERS {
        let (input, out, size) = (CHANNELS[k], CHANNELS[k + 1], network::WINDOWS[k].kernel);
        let gain = (2.0 / (input * size * size) as f64).sqrt();
        let kernel = (0..out * input * size * size).map(|i| ((0.37 * i as f64 + k as f64).sin() * gain) as f32);
        let bias = (0..out).map(|i| (0.1 * ((i + k) as f64).cos()) as f32);
        let head = (0..out).map(|i| (0.5 + 0.5 * (i as f64 + 2.0 * k as f64).sin()) as f32);
        let mut put = |name: String, shape: Vec<usize>, values: Vec<f32>| {
            tensors.insert(name, Weights { shape, values });
        };
        put(format!("{}.weight", CONVOLUTIONS[k]), vec![out, input, size, size], kernel.collect());
        put(format!("{}.bias", CONVOLUTIONS[k]), vec![out], bias.collect());
        put(format!("lin{k}.model.1.weight"), vec![1, out, 1, 1], head.collect());
    }
    tensors
}

#[test]
fn a_tiny_network_agrees_with_numpy() {
    let lpips = Lpips::from_tensors(tiny()).expect("weights");
    let image = pattern(96, 72);
    for (name, other) in changed(&image) {
        let expected = reference::values()["lpips"][name].as_f64().expect(name);
        let found = lpips.distance(&image, &other).expect("runs").expect("large enough");
        close(found, expected, 1e-6 + 1e-5 * expected, name);
    }
    // The check can fail: another weight, another number.
    let mut other = tiny();
    other.get_mut("lin2.model.1.weight").expect("a head").values.iter_mut().for_each(|w| *w *= 2.0);
    let other = Lpips::from_tensors(other).expect("weights").distance(&image, &pattern(96, 72).with_gain([0.9; 3]));
    let expected = reference::values()["lpips"]["darker"].as_f64().expect("a number");
    assert!((other.expect("runs").expect("a number") - expected).abs() > 1e-4, "weights count");
    let small = |n| lpips.distance(&pattern(n, 40), &pattern(n, 40)).expect("runs");
    assert_eq!((small(30), small(31)), (None, Some(0.0)), "what is too small has no distance");
}

#[test]
fn weights_of_something_else_are_refused_with_the_reason() {
    let without = |name: &str| {
        let mut tensors = tiny();
        tensors.remove(name);
        tensors
    };
    let wrong = |name: &str, weights: Weights| {
        let mut tensors = tiny();
        tensors.insert(name.to_owned(), weights);
        tensors
    };
    for (tensors, words) in [
        (without("lin3.model.1.weight"), "there is no `lin3.model.1.weight`"),
        (without("net.slice4.8.bias"), "there is no `net.slice4.8.bias`"),
        (wrong("net.slice2.3.weight", Weights { shape: vec![6, 4, 3, 3], values: vec![0.0; 216] }), "not N×4×5×5"),
        (wrong("net.slice1.0.bias", Weights { shape: vec![3], values: vec![0.0; 3] }), "3 biases"),
        (wrong("net.slice1.0.bias", Weights { shape: vec![4], values: vec![f32::NAN; 4] }), "not finite"),
        (wrong("net.slice1.0.bias", Weights { shape: vec![4], values: vec![0.0; 3] }), "3 values"),
    ] {
        let problem = Lpips::from_tensors(tensors).expect_err(words).to_string();
        assert!(problem.contains(words), "`{words}` in: {problem}");
    }
}

/// The whole network with random weights against the package `lpips`, outside the project.
#[test]
fn the_full_size_agrees_with_the_package() {
    let Some(folder) = crate::metrics::fixtures() else {
        println!("skipped: no reference images (THENAR_SHARED)");
        return;
    };
    let file = std::fs::File::open(folder.join("lpips_random_alex.npz")).expect("weights");
    let mut npz = npyz::npz::NpzArchive::new(std::io::BufReader::new(file)).expect("an archive");
    let names: Vec<String> = npz.array_names().map(str::to_owned).collect();
    let mut tensors = BTreeMap::new();
    for name in names {
        let array = npz.by_name(&name).expect("readable").expect("there");
        let shape = array.shape().iter().map(|&n| usize::try_from(n).expect("small")).collect();
        tensors.insert(name, Weights { shape, values: array.into_vec::<f32>().expect("single precision") });
    }
    let lpips = Lpips::from_tensors(tensors).expect("weights");
    let text = std::fs::read(folder.join("reference.json")).expect("reference");
    let expected: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    for (i, expected) in expected.as_array().expect("a list").iter().enumerate() {
        let open = |what: &str| {
            Picture::from(&image::open(folder.join(format!("{i}_{what}.png"))).expect("an image").to_rgb8())
        };
        let found = lpips.distance(&open("gt"), &open("pred")).expect("runs").expect("large enough");
        let value = expected["lpips_alex_v0.1_RANDOM_backbone_seed0_full"].as_f64().expect("a number");
        close(found, value, 1e-4 * value, &format!("pair {i}"));
    }
}
