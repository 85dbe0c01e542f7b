//! The rings of checks of the neural kernels (see `kernel_checks`).

#![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

use super::layout::{
    ColourLossParams, ComposeParams, EncodeParams, FEATURES, GatherParams, Layer, LayerParams, ScatterParams, Shape,
    SumWeightsParams, UnpackFeaturesParams, basis, icosahedron_directions, kernel,
};
use super::reference::{self, ColourLoss, GatherMesh, GatherView, Sample};
use super::settings::Output;
use crate::gpu::Buffer;
use crate::gpu::testing::{Edit, KernelTest};
use crate::kernel_checks::KernelCheck;
use crate::raster::lists::reference as lists;
use crate::raster::reference::RefView;
use crate::shading::testing::{Scene, SceneBuffers, central_difference, noise, pack, worst_difference};

pub(crate) const CHECKS: &[KernelCheck] = &[
    KernelCheck {
        kernel: kernel::GATHER,
        difference: gather,
        edits: &[
            ("dot(params.rotation_1.xyz, n)", "n.y"),
            ("(rest - params.rest.xyz) * params.rest.w", "rest - params.rest.xyz"),
            ("ray - 2.0 * dot(ray, n) * n", "ray - dot(ray, n) * n"),
            ("sh_dot(light, n) * rho", "rho"),
            ("-dot(ray, n)", "dot(ray, n)"),
            ("hash(hash(params.seed) ^ i) % width", "0u"),
            ("begin + hash(", "hash("),
            ("bits(ray, corners.z)", "bits(ray, corners.x)"),
            ("params.start + i", "i"),
            ("coverage >= params.least", "coverage > 0u"),
            ("coverage < 255u", "true"),
            ("held || params.sampled == 2u", "held"),
            ("params.light_2.yzw, held", "params.light_2.yzw, true"),
            ("pixels.entries[entry_index].y != 0u", "true"),
            ("params.sampled != 1u", "params.sampled == 0u"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: kernel::ENCODE_COMPACT,
        difference: encode_compact,
        edits: &[
            ("sin(PI * rest)", "sin(rest)"),
            ("t * bitcast<vec3<f32>>(samples[at].xyz)", "bitcast<vec3<f32>>(samples[at].xyz)"),
            ("(1.0 - lambda.x - lambda.y) * c", "c"),
            ("row * 12u", "row * 11u"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: kernel::ENCODE_PAPER,
        difference: encode_paper,
        edits: &[
            ("0.1 * v", "v"),
            ("scale *= 2.0", "scale *= 1.0"),
            ("cos(along)", "sin(along)"),
            ("k < 21u", "k < 20u"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: kernel::LINEAR,
        difference: layers,
        edits: &[
            ("params.inputs * n_count + column", "column"),
            ("a5 += u * x5", "a5 += u * x4"),
            ("params.cut == 1u", "params.cut == 2u"),
            ("weights[w + 3u * n_count + 1u]", "weights[w + 3u * n_count]"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: kernel::LINEAR_GRAD,
        difference: layers,
        edits: &[
            ("x[at] > vec4<f32>(0.0)", "x[at] > vec4<f32>(0.5)"),
            ("b3 += d3 * v", "b3 += d3 * u"),
            ("weights[w + 7u * n_count]", "weights[w + 6u * n_count]"),
        ],
        gradient: Some(network_gradient),
    },
    KernelCheck {
        kernel: kernel::WEIGHT_GRAD,
        difference: layers,
        edits: &[
            ("p10 += outer(x1, d0)", "p10 += outer(x0, d0)"),
            ("vec4<f32>(1.0, 0.0, 0.0, 0.0), is_bias", "vec4<f32>(0.9, 0.0, 0.0, 0.0), is_bias"),
            ("(chunk + 1u) * params.chunk", "(chunk + 1u) * params.chunk - 1u"),
        ],
        gradient: Some(network_gradient),
    },
    KernelCheck {
        kernel: kernel::SUM_WEIGHTS,
        difference: layers,
        edits: &[("params.scale * sum", "sum"), ("k < params.count", "k + 1u < params.count")],
        gradient: Some(network_gradient),
    },
    KernelCheck {
        kernel: kernel::COLOUR_LOSS,
        difference: colour_loss,
        edits: &[
            ("shaded + o, vec3<f32>(1.0)", "shaded + o, vec3<f32>(0.9)"),
            ("c * (vec3<f32>(1.0) - c)", "c"),
            ("burnt & (apart > vec3<f32>(0.0))", "burnt"),
            ("gain.x > 0.0", "true"),
            ("0.5 * r * r / params.softness", "r * r / params.softness"),
            ("slope * gain * p.slope", "slope * p.slope"),
            ("even * p.colour * photo", "p.colour * photo"),
            ("vec3<bool>(there) & !burnt)", "!burnt)"),
            ("i < 64u", "i < 63u"),
            ("c * inside", "c"),
        ],
        gradient: Some(colour_gradient),
    },
    KernelCheck {
        kernel: kernel::SCATTER,
        difference: features,
        edits: &[
            ("to_fixed(lambda.y * g)", "to_fixed(lambda.x * g)"),
            ("params.first + k", "k"),
            ("all(samples[at + 3u].xyz == vec3<u32>(0u))", "false"),
        ],
        gradient: Some(network_gradient),
    },
    KernelCheck {
        kernel: kernel::UNPACK,
        difference: features,
        edits: &[("params.decay * features[i]", "0.0"), ("sums[i] = 0", "sums[i] = raw"), ("1073741824", "2147483647")],
        gradient: Some(network_gradient),
    },
    KernelCheck {
        kernel: kernel::COMPOSE,
        difference: compose,
        edits: &[
            ("gain * p.colour", "p.colour"),
            ("pixels.entries[params.start + i].x", "pixels.entries[i].x"),
            ("pixels.entries[params.start + i].y == 0u", "false"),
            ("shaded * exp", "exp"),
        ],
        gradient: None,
    },
];

pub(super) fn to_f32(v: &[f64]) -> Vec<f32> {
    v.iter().map(|x| *x as f32).collect()
}

pub(super) fn numbers(count: usize, seed: u64, scale: f64) -> Vec<f64> {
    (0..count as u64).map(|i| f64::from((scale * noise(seed * 1_000_003 + i)) as f32)).collect()
}

/// The scene with rest positions, features and a view's numbers.
#[derive(Clone)]
pub(super) struct Setting {
    pub scene: Scene,
    pub rest: Vec<[f64; 3]>,
    pub features: Vec<f64>,
    pub view: GatherView,
    pub entries: Vec<[u32; 2]>,
    pub targets: Vec<u32>,
}

impl Setting {
    pub(super) fn new() -> Self {
        let scene = Scene::new();
        let vertices = scene.positions.len();
        let rest: Vec<[f64; 3]> = numbers(vertices * 3, 71, 0.1).chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect();
        let rotation = [0, 1, 2].map(|r| [0, 1, 2].map(|c| f64::from(scene.camera.rotation[(r, c)] as f32)));
        let light = std::array::from_fn(|k| scene.lights[12 + k]);
        let gain = [scene.lights[21], scene.lights[22], scene.lights[23]];
        let centre: [f64; 3] = scene.camera.centre().into();
        let view = GatherView {
            rotation,
            centre: centre.map(|x| f64::from(x as f32)),
            rest: [f64::from(0.02_f32), f64::from(-0.01_f32), f64::from(0.03_f32), 8.0],
            light,
            gain,
        };
        let entries = lists::list_pixels(&lists::cover_masks(&scene.ids), &scene.ids);
        let byte = |i: u64| (noise(i).abs() * 255.0) as u8;
        let targets = (0..scene.ids.len() as u64)
            .map(|i| {
                let burnt = if i % 5 == 0 { 255 } else { byte(3 * i) };
                u32::from_le_bytes([burnt, byte(3 * i + 1), byte(3 * i + 2), [254, 254, 100, 254, 255][i as usize % 5]])
            })
            .collect();
        Self { features: numbers(vertices * FEATURES, 72, 1.0), rest, view, entries, targets, scene }
    }

    pub(super) fn mesh(&self) -> GatherMesh<'_> {
        GatherMesh {
            mesh: self.scene.mesh(),
            normals: &self.scene.normals,
            albedo: &self.scene.albedo,
            rest: &self.rest,
        }
    }

    pub(super) fn sample(&self, entry: [u32; 2], target: u32) -> Sample {
        reference::gather(&RefView::from(&self.scene.view), &self.mesh(), &self.view, entry, target)
    }

    /// The first samples in order.
    pub(super) fn samples(&self, count: usize) -> Vec<Sample> {
        self.entries[..count].iter().map(|e| self.sample(*e, self.targets[e[0] as usize])).collect()
    }
}

pub(super) fn upload_samples(test: &KernelTest, samples: &[Sample]) -> Buffer {
    test.storage(&samples.iter().flat_map(Sample::words).collect::<Vec<[u32; 4]>>())
}

/// Floats that words stand for, and the words that are none (target, corners).
pub(super) fn split(words: &[[u32; 4]]) -> (Vec<f32>, Vec<u32>) {
    let (mut floats, mut plain) = (Vec::new(), Vec::new());
    for (i, w) in words.iter().enumerate() {
        floats.extend([w[0], w[1], w[2]].map(f32::from_bits));
        if i % 7 < 4 {
            plain.push(w[3]);
        } else {
            floats.push(f32::from_bits(w[3]));
        }
    }
    (floats, plain)
}

/// Uniform of `neural/gather` with the seed 5.
pub(super) fn gather_params(s: &Setting) -> GatherParams {
    let r = s.view.rotation;
    let light = s.view.light;
    let gain = s.view.gain;
    let f = |v: f64| v as f32;
    let row = |k: usize| [f(r[k][0]), f(r[k][1]), f(r[k][2]), f(s.view.centre[k])];
    GatherParams {
        rotation: [row(0), row(1), row(2)],
        rest: s.view.rest.map(f),
        light: [
            [0, 1, 2, 3].map(|k| f(light[k])),
            [4, 5, 6, 7].map(|k| f(light[k])),
            [f(light[8]), f(gain[0]), f(gain[1]), f(gain[2])],
        ],
        samples: 0,
        first: 0,
        start: 0,
        sampled: 1,
        seed: 5,
        least: 0,
        weight: 1.0,
        pad: 0,
    }
}

/// The same of a pass over 100 rows; in order, the last ones lie beyond the list.
pub(super) fn gather_pass(params: GatherParams, s: &Setting, sampled: bool) -> GatherParams {
    let start = if sampled { 0 } else { s.entries.len() as u32 - 90 };
    GatherParams { samples: 100, first: 7, start, sampled: u32::from(sampled), ..params }
}

/// What a row of the pass looks at.
pub(super) fn entry_of(params: &GatherParams, s: &Setting, row: u32) -> Option<[u32; 2]> {
    let chosen = || reference::chosen(params.seed, s.entries.len() as u32, params.samples, row);
    let at = if params.sampled == 1 { chosen() } else { params.start + row };
    s.entries.get(at as usize).copied()
}

/// What `neural/gather` and its gradient read.
pub(super) fn gather_inputs<'a>(
    b: &'a SceneBuffers,
    params: &'a Buffer,
    rest: &'a Buffer,
) -> [(&'static str, &'a Buffer); 8] {
    [
        ("view", &b.view),
        ("params", params),
        ("pixels", &b.covered),
        ("positions", &b.positions),
        ("normals", &b.normals),
        ("albedo", &b.albedo),
        ("faces", &b.faces),
        ("rest_positions", rest),
    ]
}

/// Entries as a list of the rasteriser's kind.
fn listed(test: &KernelTest, entries: &[[u32; 2]]) -> Buffer {
    test.storage(&[&[[entries.len() as u32, 0]], entries].concat())
}

/// Sampled, in order, and in order with the photograph; some entries see nothing.
fn gather(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let mut s = Setting::new();
    s.entries.iter_mut().step_by(7).for_each(|e| e[1] = 0);
    let mut b = s.scene.upload(test.gpu());
    b.covered = listed(&test, &s.entries);
    let params = GatherParams { least: 200, ..gather_params(&s) };
    let targets = test.storage(&s.targets);
    let rest = test.storage(&pack(&s.rest));
    let mut worst = 0.0_f64;
    for sampled in [1, 0, 2] {
        let params = GatherParams { sampled, ..gather_pass(params, &s, sampled == 1) };
        let out = test.zeros(7 * 4 * 107);
        let uniform = test.uniform(&params);
        let own = [("targets", &targets), ("samples", &out)];
        test.run(kernel::GATHER, &[&gather_inputs(&b, &uniform, &rest), &own], 100);
        let expected: Vec<[u32; 4]> = (0..100)
            .flat_map(|i| {
                let Some(entry) = entry_of(&params, &s, i).filter(|e| e[1] != 0) else { return [[0; 4]; 7] };
                let target = if sampled > 0 { s.targets[entry[0] as usize] } else { 0 };
                let held = sampled == 0 || (200..255).contains(&(target >> 24));
                let sample = s.sample(entry, target);
                match (held, sampled) {
                    (false, 1) => [[0; 4]; 7],
                    (false, _) => Sample { gain: [0.0; 3], ..sample }.words(),
                    (true, _) => sample.words(),
                }
            })
            .collect();
        let found: Vec<[u32; 4]> = test.read(&out);
        let ((a, aw), (e, ew)) = (split(&found[49..]), split(&expected));
        let expected: Vec<f64> = e.iter().map(|x| f64::from(*x)).collect();
        worst = worst.max(if aw == ew { worst_difference(&a, &expected) / 1e-3 } else { f64::INFINITY });
    }
    Some(worst)
}

fn encode(
    edit: Option<Edit>,
    name: &str,
    twin: impl Fn(&Sample, &[f64], f64) -> Vec<f64>,
    inputs: usize,
) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let s = Setting::new();
    let samples = s.samples(96);
    let (seed, dropped) = (3, 20_000);
    let told: Vec<f64> = (0..96).map(|row| reference::told(seed, dropped, row)).collect();
    assert!(told.contains(&0.0) && told.contains(&1.0), "some are told, some are not");
    let expected: Vec<f64> = samples.iter().zip(told).flat_map(|(x, t)| twin(x, &s.features, t)).collect();
    assert_eq!(expected.len(), 96 * inputs, "inputs of every row");
    let out = test.zeros(96 * inputs);
    let params = EncodeParams { rows: 96, seed, dropped, octaves: 2, basis: basis() };
    let buffers = [
        ("params", &test.uniform(&params)),
        ("samples", &upload_samples(&test, &samples)),
        ("features", &test.storage(&to_f32(&s.features))),
        ("inputs", &out),
    ];
    test.run(name, &[&buffers], 96);
    Some(worst_difference(&test.read(&out), &expected) / 1e-5)
}

fn encode_compact(edit: Option<Edit>) -> Option<f64> {
    encode(edit, kernel::ENCODE_COMPACT, reference::encode_compact, 48)
}

fn encode_paper(edit: Option<Edit>) -> Option<f64> {
    let directions = icosahedron_directions();
    let twin = |s: &Sample, f: &[f64], t: f64| reference::encode_paper(s, f, t, &directions, 2);
    encode(edit, kernel::ENCODE_PAPER, twin, 288)
}

/// A layer that does not begin at the front, forward and backward.
fn layers(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let layer = Layer { inputs: 24, outputs: 16, offset: 64, cut: true };
    let rows = 64_usize;
    let weights = numbers(64 + layer.numbers() as usize, 81, 0.5);
    let x: Vec<f64> = numbers(rows * 24, 82, 1.0);
    let d = numbers(rows * 16, 83, 1.0);
    let y = reference::linear(&layer, &weights, &x);
    let x_grad = reference::linear_grad(&layer, &weights, &x, &d, true);
    let w_grad: Vec<f64> = reference::weight_grad(&layer, &x, &d).iter().map(|g| 0.5 * g).collect();
    let params = LayerParams { rows: 64, inputs: 24, outputs: 16, weights: 16, cut: 1, first: 8, chunk: 24, pad: 0 };
    let params = test.uniform(&params);
    let [w, xb, db] = [&weights, &x, &d].map(|v| test.storage(&to_f32(v)));
    let [out, x_out] = [test.zeros(rows * 16), test.zeros(rows * 24)];
    test.run(kernel::LINEAR, &[&[("params", &params), ("weights", &w), ("x", &xb), ("y", &out)]], 16);
    let gradient = [("params", &params), ("weights", &w), ("x", &xb), ("y_grad", &db), ("x_grad", &x_out)];
    test.run(kernel::LINEAR_GRAD, &[&gradient], 16);
    let partials = test.zeros(3 * layer.numbers() as usize);
    let sums = [("params", &params), ("x", &xb), ("y_grad", &db), ("partials", &partials)];
    test.run(kernel::WEIGHT_GRAD, &[&sums], 3 * 4 * 2);
    let summed = test.zeros(64 + layer.numbers() as usize);
    let sum = SumWeightsParams { count: 3, numbers: layer.numbers() / 4, offset: 16, scale: 0.5 };
    let sum = [("params", &test.uniform(&sum)), ("partials", &partials), ("weights_grad", &summed)];
    test.run(kernel::SUM_WEIGHTS, &[&sum], layer.numbers() as usize / 4);
    // Gradients below `first` are not wanted.
    let wanted = |v: &[f32]| v.chunks(24).flat_map(|row| row[8..].to_vec()).collect::<Vec<f32>>();
    let x_grad: Vec<f64> = x_grad.chunks(24).flat_map(|row| row[8..].to_vec()).collect();
    let worst = [
        worst_difference(&test.read(&out), &y),
        worst_difference(&wanted(&test.read(&x_out)), &x_grad),
        worst_difference(&test.read::<f32>(&summed)[64..], &w_grad),
    ];
    Some(worst.into_iter().fold(0.0, f64::max) / 1e-5)
}

fn colour_loss(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let s = Setting::new();
    let mut samples = s.samples(128);
    // A row of nothing.
    samples[70] = Sample::default();
    // Some far enough to be cut.
    let outputs = numbers(128 * 8, 84, 3.5);
    let mut worst = 0.0_f64;
    for kind in Output::ALL {
        let loss = ColourLoss { kind, softness: f64::from(0.4_f32), clipped: f64::from(0.995_f32) };
        let (mut sums, mut grads) = (vec![0.0; 16], Vec::new());
        for (i, sample) in samples.iter().enumerate() {
            let (own, grad) = reference::colour_loss(&loss, sample, &outputs[i * 8..]);
            for k in 0..8 {
                sums[i / 64 * 8 + k] += own[k];
            }
            grads.extend(grad);
        }
        let params = ColourLossParams { rows: 128, kind: kind.number(), softness: 0.4, clipped: 0.995 };
        let (grad, partials) = (test.zeros(128 * 8), test.zeros(16));
        let buffers = [
            ("params", &test.uniform(&params)),
            ("samples", &upload_samples(&test, &samples)),
            ("outputs", &test.storage(&to_f32(&outputs))),
            ("outputs_grad", &grad),
            ("partials", &partials),
        ];
        test.run(kernel::COLOUR_LOSS, &[&buffers], 128);
        worst = worst.max(worst_difference(&test.read(&grad), &grads) / 1e-4);
        worst = worst.max(worst_difference(&test.read(&partials), &sums) / 1e-4);
    }
    Some(worst)
}

fn colour_gradient(factor: f64) -> f64 {
    let s = Setting::new();
    let mut worst = 0.0_f64;
    for kind in Output::ALL {
        let loss = ColourLoss { kind, softness: 0.4, clipped: 0.995 };
        for (i, sample) in s.samples(60).iter().enumerate() {
            let outputs = numbers(8, 90 + i as u64, 1.0);
            let (_, grad) = reference::colour_loss(&loss, sample, &outputs);
            for k in 0..3 {
                let value = |h: f64| {
                    let mut moved = outputs.clone();
                    moved[k] += h;
                    reference::colour_loss(&loss, sample, &moved).0
                };
                // A clipped channel switches off where the render becomes brighter than the photograph.
                if value(1e-6)[4] < value(-1e-6)[4] {
                    continue;
                }
                let numeric = central_difference(1e-6, |h| value(h)[0]);
                worst = worst.max((numeric - factor * grad[k]).abs() / (1e-5 * (1.0 + grad[k].abs())));
            }
        }
    }
    worst
}

/// Loss of some samples through a small network over the compact inputs, and its gradient to weights and features.
fn network_loss(s: &Setting, shape: &Shape, weights: &[f64], features: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let loss = ColourLoss { kind: Output::Ratio, softness: 0.4, clipped: 0.995 };
    let samples = s.samples(40);
    let mut rows = vec![samples.iter().flat_map(|x| reference::encode_compact(x, features, 1.0)).collect::<Vec<f64>>()];
    for (l, layer) in shape.layers.iter().enumerate() {
        rows.push(reference::linear(layer, weights, &rows[l]));
    }
    let (mut value, mut grad) = (0.0, Vec::new());
    for (sample, outputs) in samples.iter().zip(rows[shape.layers.len()].chunks_exact(8)) {
        let (sums, own) = reference::colour_loss(&loss, sample, outputs);
        value += sums[0];
        grad.extend(own);
    }
    let mut weights_grad = vec![0.0; weights.len()];
    for (l, layer) in shape.layers.iter().enumerate().rev() {
        let own = reference::weight_grad(layer, &rows[l], &grad);
        weights_grad[layer.offset as usize..][..own.len()].copy_from_slice(&own);
        grad = reference::linear_grad(layer, weights, &rows[l], &grad, l > 0);
    }
    let mut sums = vec![0.0; features.len()];
    for (sample, row) in samples.iter().zip(grad.chunks_exact(48)) {
        reference::scatter_features_grad(sample, row, shape.first_feature as usize, &mut sums);
    }
    (value, weights_grad, sums)
}

fn network_gradient(factor: f64) -> f64 {
    let s = Setting::new();
    let shape = Shape::new(48, 24, &[16, 16]);
    let weights = numbers(shape.numbers() as usize, 85, 0.3);
    let (_, weights_grad, features_grad) = network_loss(&s, &shape, &weights, &s.features);
    let mut worst = 0.0_f64;
    let mut check = |analytic: f64, value: &dyn Fn(f64) -> f64| {
        // Where two steps disagree, a cut or a clipped channel lies between.
        let (near, far) = (central_difference(1e-6, value), central_difference(2e-6, value));
        if (near - far).abs() < 1e-6 * (1.0 + near.abs()) {
            worst = worst.max((near - factor * analytic).abs() / (1e-5 * (1.0 + analytic.abs())));
        }
    };
    for i in (0..weights.len()).step_by(7) {
        check(weights_grad[i], &|h| {
            let mut moved = weights.clone();
            moved[i] += h;
            network_loss(&s, &shape, &moved, &s.features).0
        });
    }
    for i in (0..features_grad.len()).step_by(3) {
        check(features_grad[i], &|h| {
            let mut moved = s.features.clone();
            moved[i] += h;
            network_loss(&s, &shape, &weights, &moved).0
        });
    }
    worst
}

fn features(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let s = Setting::new();
    let mut samples = s.samples(128);
    samples[9] = Sample::default();
    let grads = numbers(128 * 32, 86, 1.0);
    let mut expected = vec![0.0; s.features.len()];
    for (sample, row) in samples.iter().zip(grads.chunks_exact(32)) {
        reference::scatter_features_grad(sample, row, 8, &mut expected);
    }
    let count = s.features.len();
    let (sums, out, overflow) = (test.zeros(count), test.zeros(count), test.zeros(4));
    let scatter = ScatterParams { rows: 128, inputs: 32, first: 8, features: FEATURES as u32 };
    let buffers = [
        ("params", &test.uniform(&scatter)),
        ("samples", &upload_samples(&test, &samples)),
        ("inputs_grad", &test.storage(&to_f32(&grads))),
        ("features_grad", &sums),
    ];
    test.run(kernel::SCATTER, &[&buffers], 128);
    let floats: Vec<f32> = test.read::<i32>(&sums).iter().map(|x| *x as f32 / 65536.0).collect();
    let mut worst = worst_difference(&floats, &expected) / 2e-3;

    let mut words: Vec<i32> = test.read(&sums);
    words[3] = i32::MAX - 5;
    sums.write(test.gpu(), &words);
    let (expected, near) = reference::unpack_features_grad(0.5, 0.25, &s.features, &mut words);
    assert_eq!(near, 1, "one sum is beyond the guard");
    let buffers = [
        ("params", &test.uniform(&UnpackFeaturesParams { scale: 0.5, decay: 0.25, pad: [0; 2] })),
        ("features", &test.storage(&to_f32(&s.features))),
        ("sums", &sums),
        ("features_grad", &out),
        ("overflow", &overflow),
    ];
    test.run(kernel::UNPACK, &[&buffers], count);
    worst = worst.max(worst_difference(&test.read(&out), &expected) / 1e-5);
    let exact = test.read::<i32>(&sums) == words && test.read::<u32>(&overflow)[0] == near;
    Some(if exact { worst } else { f64::INFINITY })
}

fn compose(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let s = Setting::new();
    let mut b = s.scene.upload(test.gpu());
    let start = s.entries.len() - 60;
    let mut entries = s.entries.clone();
    entries[start + 4][1] = 0;
    b.covered = listed(&test, &entries);
    let samples: Vec<Sample> = s.entries[start..].iter().map(|e| s.sample(*e, 0)).collect();
    let mut padded = samples.clone();
    padded.resize(64, Sample::default());
    let outputs = numbers(64 * 8, 87, 1.0);
    let mut worst = 0.0_f64;
    for kind in Output::ALL {
        let colours = test.zeros(s.scene.ids.len() * 4);
        let params = ComposeParams { samples: 64, start: start as u32, kind: kind.number(), pad: 0 };
        let buffers = [
            ("params", &test.uniform(&params)),
            ("pixels", &b.covered),
            ("samples", &upload_samples(&test, &padded)),
            ("outputs", &test.storage(&to_f32(&outputs))),
            ("colours", &colours),
        ];
        test.run(kernel::COMPOSE, &[&buffers], 64);
        let mut expected = vec![0.0; s.scene.ids.len() * 4];
        for (i, sample) in samples.iter().enumerate().filter(|(i, _)| *i != 4) {
            let o = &outputs[i * 8..];
            let [c, _] = reference::painted(kind, [o[0], o[1], o[2]], sample.shaded);
            let at = s.entries[start + i][0] as usize * 4;
            for k in 0..3 {
                expected[at + k] = (sample.gain[k] * c[k]).max(0.0);
            }
            expected[at + 3] = 1.0;
        }
        worst = worst.max(worst_difference(&test.read(&colours), &expected) / 1e-4);
    }
    Some(worst)
}
