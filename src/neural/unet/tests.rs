//! The network on the device against its twin, and as a stage: what it learns, resumed runs, pictures.

use super::layout::{FIRST_FEATURE, PARTS, UnetShape};
use super::reference::encode_part;
use super::whole::Whole;
use super::{Unet, UnetGrad};
use crate::gpu::Buffer;
use crate::gpu::testing::{self, KernelTest};
use crate::neural::checks::{Setting, numbers, to_f32};
use crate::neural::layout::{FEATURES, Random, icosahedron_directions};
use crate::neural::reference::{Sample, scatter_features_grad};
use crate::neural::settings::Output;
use crate::neural::tests::{Stage, to_the_end};
use crate::neural::*;

/// Largest difference over the largest number.
fn off(actual: &[f32], expected: &[f64]) -> f64 {
    let size = expected.iter().fold(1e-12_f64, |most, e| most.max(e.abs()));
    let apart = actual.iter().zip(expected).map(|(a, e)| (f64::from(*a) - e).abs());
    apart.fold(0.0, |most, d| if d.is_nan() { f64::INFINITY } else { most.max(d) }) / size
}

/// Forward and backward over the middle lines of the small scene.
#[test]
fn the_network_computes_what_its_twin_computes() {
    let Some(test) = KernelTest::new(None) else { return };
    let s = Setting::new();
    let size = [s.scene.view.width, 32];
    let pixels = size[0] * size[1];
    let mut rows: Vec<Option<Sample>> = vec![None; pixels as usize];
    let above = 8 * size[0];
    for entry in s.entries.iter().filter(|e| (above..above + pixels).contains(&e[0])) {
        rows[(entry[0] - above) as usize] = Some(s.sample(*entry, 0));
    }
    let shape = UnetShape::published(8);
    let mut random = Random(5);
    // No number as it begins, so that each is felt.
    let weights: Vec<f64> = shape
        .first_weights(3, Output::Direct)
        .iter()
        .map(|w| f64::from(super::super::to_f32(f64::from(*w) + 0.02 * random.symmetric())))
        .collect();
    let whole = Whole { shape, size: size.map(|x| x as usize) };
    let directions = icosahedron_directions();
    let parts: Vec<Vec<f64>> = (0..PARTS.len())
        .map(|part| rows.iter().flat_map(|r| encode_part(part, r.as_ref(), &s.features, 1.0, &directions)).collect())
        .collect();
    let coverage: Vec<f64> = rows.iter().map(|r| f64::from(u8::from(r.is_some()))).collect();
    let pass = whole.forward(&weights, &parts, &coverage);
    let outputs_grad = numbers(pixels as usize * 8, 210, 1.0);
    let [weights_grad, part_grad] = whole.backward(&weights, &pass, &outputs_grad);
    let mut features_grad = vec![0.0; s.features.len()];
    for (row, grad) in rows.iter().zip(part_grad.chunks_exact(PARTS[3] as usize)) {
        if let Some(sample) = row {
            scatter_features_grad(sample, grad, FIRST_FEATURE as usize, &mut features_grad);
        }
    }

    let gpu = test.gpu();
    let [weights_b, features_b] = [&weights, &s.features].map(|v| test.storage(&to_f32(v)));
    // Made for more than the image has.
    let unet = Unet::new(gpu, 8, 2 * pixels, &weights_b, &features_b).expect("small");
    let vertices = u32::try_from(s.features.len() / FEATURES).expect("small");
    let grad = UnetGrad::new(&unet, &weights_b, &features_b, vertices).expect("small");
    let words: Vec<[u32; 4]> = rows.iter().flat_map(|r| r.map_or([[0; 4]; 7], |s| s.words())).collect();
    unet.samples.write(gpu, &words);
    unet.write(size, 0, 0);
    // Gradients to weights are scaled, those to features are not.
    grad.write(&unet, size, 0.5);
    grad.outputs_grad.write(gpu, &to_f32(&outputs_grad));
    let mut recorder = gpu.recorder("test");
    unet.record(&mut recorder, size);
    grad.record(&mut recorder, size);
    recorder.submit().expect("runs");
    let outputs = off(&test.read::<f32>(&unet.outputs)[..pass.outputs.len()], &pass.outputs);
    assert!(outputs < 1e-4, "outputs differ by {outputs}");
    let halved: Vec<f64> = weights_grad.iter().map(|g| 0.5 * g).collect();
    let found: Vec<f32> = test.read(&grad.weights_grad);
    // Layer by layer, each by its own size: a cut that falls otherwise in single precision moves single pixels.
    for (at, numbers) in whole.shape.spans() {
        let span = at as usize..(at + numbers) as usize;
        let apart = off(&found[span.clone()], &halved[span]);
        assert!(apart < 2e-3, "the gradient to the {numbers} numbers from {at} on differs by {apart} of the largest");
    }
    let sums: Vec<i32> = test.read(&grad.feature_sums);
    let apart = off(&crate::raster::from_fixed(&sums), &features_grad);
    assert!(apart < 2e-3, "the gradient to the features differs by {apart} of the largest");
}

fn settings() -> NeuralSettings {
    NeuralSettings { kind: NeuralKind::Unet, epochs: 4, unet_rate: 1e-3, ..Stage::settings() }
}

#[test]
fn it_learns_and_a_resumed_run_ends_like_an_uninterrupted_one() {
    let Some(gpu) = testing::gpu() else { return };
    let stage = Stage::new();
    let settings = NeuralSettings { view_dropout: 0.3, ..settings() };
    let mut whole = stage.start(&gpu, &settings);
    let losses = to_the_end(&mut whole);
    assert!(losses[3] < 0.8 * losses[0], "it learns: {losses:?}");
    let mut first = stage.start(&gpu, &settings);
    while first.epoch() < 2 {
        first.step().expect("steps");
    }
    assert!(first.at_epoch_end(), "between epochs");
    let state = first.state().expect("reads");
    let mut second = stage.start(&gpu, &settings);
    assert!(second.restore(&state), "its own state fits");
    assert_eq!(to_the_end(&mut second), losses[2..], "the same losses");
    let model = whole.model().expect("reads");
    // Which an uninterrupted second run has too: the first half of it was one.
    assert_eq!(second.model().expect("reads"), model, "the same bytes");
    assert!(model.check(stage.positions.len()).is_ok(), "its weights tell its width");
    let compact = NeuralSettings { kind: NeuralKind::Compact, ..settings };
    assert!(!stage.start(&gpu, &compact).restore(&state), "a state of another network does not fit");
}

#[test]
fn a_network_that_has_learned_nothing_paints_the_shaded_picture() {
    let Some(gpu) = testing::gpu() else { return };
    let stage = Stage::new();
    let model = stage.start(&gpu, &settings()).model().expect("reads");
    let mut renderer = NeuralRenderer::new(&gpu, &model, &stage.mesh()).expect("fits");
    let painted = renderer.render(&stage.cameras[2], [1.0; 3]).expect("renders");
    let shaded = stage.shaded(&gpu, &stage.cameras[2]);
    let apart = painted.as_flattened().iter().zip(shaded.as_flattened()).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f32::max) < 1e-5, "the same picture, edges included");
    // Elsewhere the crop is another, and larger than the first; out of sight there is nothing.
    let moved = |by: f32| -> Vec<[f32; 3]> { stage.positions.iter().map(|p| [p[0] + by, p[1], p[2]]).collect() };
    renderer.place(&moved(5.0), &stage.normals);
    let empty = renderer.render(&stage.cameras[2], [1.0; 3]).expect("renders");
    assert!(empty.as_flattened().iter().all(|x| *x == 0.0), "nothing to see");
    renderer.place(&stage.positions, &stage.normals);
    assert_eq!(renderer.render(&stage.cameras[2], [1.0; 3]).expect("renders"), painted, "and back");
}

/// Statistics are of the hands: the margin of the crop, and how far it is from the next multiple, change nothing but what
/// stands at its border.
#[test]
fn statistics_do_not_count_what_sees_nothing() {
    let Some(test) = KernelTest::new(None) else { return };
    let s = Setting::new();
    let shape = UnetShape::published(8);
    let weights = test.storage(&shape.first_weights(3, Output::Direct));
    let features = test.storage(&to_f32(&s.features));
    let first = |size: [u32; 2], shift: u32| -> Vec<f32> {
        let unet = Unet::new(test.gpu(), 8, size[0] * size[1], &weights, &features).expect("small");
        let mut words = vec![[0_u32; 4]; (size[0] * size[1] * 7) as usize];
        for entry in &s.entries {
            let (x, y) = (entry[0] % s.scene.view.width + shift, entry[0] / s.scene.view.width + shift);
            let at = (7 * (y * size[0] + x)) as usize;
            words[at..at + 7].copy_from_slice(&s.sample(*entry, 0).words());
        }
        unet.samples.write(test.gpu(), &words);
        unet.write(size, 0, 0);
        let mut recorder = test.gpu().recorder("test");
        unet.record(&mut recorder, size);
        recorder.submit().expect("runs");
        test.read(&unet.levels[0].statistics[0])
    };
    let (near, wide) = (first([128, 96], 16), first([192, 112], 32));
    let apart = near.iter().zip(&wide).map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(0.0, f32::max);
    assert!(apart < 1e-4, "the same statistics: {apart}");
    assert_eq!(near.len(), 24, "means, inverses and weights of eight channels");
}

/// Seconds of processor time of this process so far.
fn processor_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// For people who ask what it costs: a crop of `UNET_CROP` (320x320), widths `UNET_WIDTHS` (8), the fastest of three.
#[test]
#[ignore = "seconds a frame; prints what it measured"]
fn what_a_frame_costs() {
    let Some(gpu) = testing::gpu() else { return };
    let text = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let crop = text("UNET_CROP", "320x320");
    let (w, h) = crop.split_once('x').expect("WIDTHxHEIGHT");
    let size: [u32; 2] = [w, h].map(|x| x.parse().expect("pixels"));
    let s = Setting::new();
    for width in text("UNET_WIDTHS", "8").split(',').map(|w| w.parse().expect("a width")) {
        let weights = Buffer::storage(&gpu, "weights", &UnetShape::published(width).first_weights(1, Output::Direct))
            .expect("fits");
        let features = Buffer::storage(&gpu, "features", &to_f32(&s.features)).expect("small");
        let pixels = size[0] * size[1];
        let unet = Unet::new(&gpu, width, pixels, &weights, &features).expect("fits");
        let grad = UnetGrad::new(&unet, &weights, &features, 16).expect("fits");
        // All pixels see something.
        let sample = s.samples(1)[0].words();
        unet.samples.write(&gpu, &vec![sample; pixels as usize]);
        unet.write(size, 0, 0);
        grad.write(&unet, size, 1.0);
        let mut fastest = [f64::INFINITY; 2];
        for _ in 0..3 {
            for (i, fastest) in fastest.iter_mut().enumerate() {
                let began = processor_s();
                let mut recorder = gpu.recorder("cost");
                if i == 0 {
                    unet.record(&mut recorder, size);
                } else {
                    grad.record(&mut recorder, size);
                }
                recorder.submit().expect("runs");
                gpu.wait().expect("ends");
                *fastest = fastest.min(processor_s() - began);
            }
        }
        eprintln!("width {width}, {crop}: forward {:.2} s, back {:.2} s of processor time", fastest[0], fastest[1]);
    }
}
