//! The networks against Google's interpreter, and what becomes of damaged files. Both need the model files; without them the
//! tests say so and pass, unless `REQUIRE_MODELS=1` demands them.

use super::models;
use super::network::Network;
use super::tflite::Graph;
use std::path::PathBuf;

/// The folder with the model files: the one that the program would use, or the checkout's.
fn folder() -> Option<PathBuf> {
    match models::find_folder() {
        Ok(folder) => Some(folder),
        Err(e) => {
            assert!(std::env::var_os("REQUIRE_MODELS").is_none_or(|v| v != "1"), "REQUIRE_MODELS=1 and {e}");
            eprintln!("skipped: {e}");
            None
        }
    }
}

/// What `scripts/detect_reference.py` wrote of one output.
#[derive(serde::Deserialize)]
struct Output {
    length: usize,
    stride: usize,
    values: Vec<f32>,
}

/// The pattern of that script.
fn pattern(size: usize) -> Vec<f32> {
    let value = |x: usize, y: usize, c: usize| u8::try_from((x * x / 64 + 3 * x * c + y * (c + 1)) % 256).unwrap_or(0);
    let pixels = (0..size).flat_map(|y| (0..size).map(move |x| (x, y)));
    pixels.flat_map(|(x, y)| [0, 1, 2].map(|c| f32::from(value(x, y, c)) / 255.0)).collect()
}

/// Largest difference, relative to the largest value of its output.
fn worst(found: &[Vec<f32>], expected: &[Output]) -> f32 {
    assert_eq!(found.len(), expected.len(), "as many outputs");
    let mut worst: f32 = 0.0;
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.length, "as many numbers");
        let largest = expected.values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        for (a, b) in found.iter().step_by(expected.stride).zip(&expected.values) {
            worst = worst.max((a - b).abs() / largest);
        }
    }
    worst
}

#[test]
fn networks_compute_what_their_authors_interpreter_computes() {
    let Some(folder) = folder() else { return };
    let reference: std::collections::BTreeMap<String, Vec<Output>> =
        serde_json::from_str(include_str!("reference.json")).expect("written by the script");
    for (name, model) in [("palm_detection_full", models::PALM), ("hand_landmark_full", models::LANDMARKS)] {
        let network: Network = model.read(&folder).expect("the model file");
        let size = network.input_shape()[1];
        let mut input = pattern(size);
        let found = network.run(&input).expect("runs");
        let difference = worst(&found, &reference[name]);
        assert!(difference <= 1e-3, "{name}: {difference:e} relative");
        assert_eq!(network.run(&input).expect("runs"), found, "{name}: the same bits again");
        // Negative: another picture is noticed by the same comparison.
        for value in &mut input[..3 * size * size / 2] {
            *value = 1.0 - *value;
        }
        let other = worst(&network.run(&input).expect("runs"), &reference[name]);
        assert!(other > 1e-2, "{name}: {other:e} for another picture");
    }
}

#[test]
fn damaged_model_files_are_errors_and_never_panics() {
    let Some(folder) = folder() else { return };
    let sound = std::fs::read(folder.join("palm_detection_full.tflite")).expect("the model file");
    assert!(Graph::read(&sound).is_ok(), "sound");
    for percent in 0..100 {
        let cut = &sound[..sound.len() * percent / 100];
        assert!(Graph::read(cut).is_err(), "cut at {percent} %");
    }
    // The structure lies after the weights, in the last tenth.
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let mut refused = 0;
    for _ in 0..300 {
        let mut damaged = sound.clone();
        for _ in 0..4 {
            let at = sound.len() - 1 - random(sound.len() / 10);
            damaged[at] ^= 1 << random(8);
        }
        refused += usize::from(Graph::read(&damaged).is_err());
    }
    assert!(refused > 0, "some damage is noticed");
}
