//! The rings of checks of the kernels that lead back to the surface (see `kernel_checks`).

#![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

use super::Output;
use super::checks::{
    Setting, entry_of, gather_inputs, gather_params, gather_pass, numbers, split, to_f32, upload_samples,
};
use super::layout::{EncodeParams, FEATURES, GatherParams, GuideParams, basis, icosahedron_directions, kernel};
use super::reference::{self, Sample};
use super::reference_grad::{self as twin, SampleGrad};
use crate::gpu::testing::{Edit, KernelTest};
use crate::kernel_checks::KernelCheck;
use crate::raster::reference::{RefView, V3};
use crate::shading::testing::{central_difference, pack, worst_difference};

pub(crate) const GRAD_CHECKS: &[KernelCheck] = &[
    KernelCheck {
        kernel: kernel::ENCODE_COMPACT_GRAD,
        difference: |edit| encode(edit, kernel::ENCODE_COMPACT_GRAD, 48, compact),
        edits: &[
            ("PI * cos(PI * rest)", "cos(PI * rest)"),
            ("t * a.xyz", "a.xyz"),
            ("vec3<f32>(b.zw, c.x)", "vec3<f32>(b.zw, c.y)"),
            ("samples[at + 3u].w * (FEATURES / 4u) + k", "samples[at + 3u].w * (FEATURES / 4u)"),
            ("t * vec4<f32>(e.zw, f.xy)", "t * vec4<f32>(e.zw, f.x, 0.0)"),
        ],
        gradient: Some(|factor| encode_gradient(factor, 48, compact, &|s, f, t| reference::encode_compact(s, f, t))),
    },
    KernelCheck {
        kernel: kernel::ENCODE_PAPER_GRAD,
        difference: |edit| encode(edit, kernel::ENCODE_PAPER_GRAD, 288, paper),
        edits: &[
            ("return 0.1 * g", "return g"),
            ("- sin(along)", "+ sin(along)"),
            ("k < 21u", "k < 20u"),
            ("scale *= 2.0", "scale *= 1.0"),
            ("t * three", "three"),
        ],
        gradient: Some(|factor| {
            let directions = icosahedron_directions();
            let value = |s: &Sample, f: &[f64], t: f64| reference::encode_paper(s, f, t, &directions, 2);
            encode_gradient(factor, 288, paper, &value)
        }),
    },
    KernelCheck {
        kernel: kernel::ENCODE_GUIDE,
        difference: guide,
        edits: &[("vec4<f32>(rest.z, first)", "vec4<f32>(rest.z, rho)"), ("bits(first,", "bits(rho,")],
        gradient: None,
    },
    KernelCheck {
        kernel: kernel::ENCODE_GUIDE_GRAD,
        difference: guide_grad,
        edits: &[
            ("params.weight * inputs_grad[4u * row + 1u]", "inputs_grad[4u * row + 1u]"),
            ("g / shaded", "g"),
            ("params.kind == RESIDUAL", "true"),
            ("samples_grad[at + 6u] = vec4<f32>(0.0)", "samples_grad[at + 6u].x = 0.0"),
        ],
        gradient: Some(guide_gradient),
    },
    KernelCheck {
        kernel: kernel::GATHER_GRAD,
        difference: gather,
        edits: &[
            ("d_seen.y * params.rotation_1.xyz", "d_seen.y * params.rotation_0.xyz"),
            ("dot(n, d_mirrored) * ray", "0.9 * dot(n, d_mirrored) * ray"),
            ("- d_cosine * ray", "+ d_cosine * ray"),
            ("dot(d_shaded, albedo_at(s)) * sh_dot_grad", "0.9 * dot(d_shaded, albedo_at(s)) * sh_dot_grad"),
            ("params.weight * params.rest.w * samples_grad", "params.weight * samples_grad"),
            ("d_lambda = d_weights + vec3", "d_lambda = vec3"),
            ("(params.first + i) * SAMPLE_STRIDE", "i * SAMPLE_STRIDE"),
            ("sh_dot(light, n) * d_shaded", "d_shaded"),
            ("dot(d_lambda, b.lambda)", "0.9 * dot(d_lambda, b.lambda)"),
        ],
        gradient: Some(gather_gradient),
    },
];

/// An encoding: a sample, the features, whether it is told where it is seen from.
type Encoding<'a> = &'a dyn Fn(&Sample, &[f64], f64) -> Vec<f64>;

type Twin = fn(&Sample, &[f64], f64, &[f64], &mut SampleGrad);

fn compact(s: &Sample, features: &[f64], told: f64, g: &[f64], out: &mut SampleGrad) {
    twin::encode_compact_grad(s, features, told, g, out);
}

fn paper(s: &Sample, features: &[f64], told: f64, g: &[f64], out: &mut SampleGrad) {
    twin::encode_paper_grad(s, features, told, (&icosahedron_directions(), 2), g, out);
}

fn flat(grads: &[SampleGrad]) -> Vec<f64> {
    grads.iter().flat_map(SampleGrad::numbers).collect()
}

/// Arbitrary gradients to `count` samples.
fn grads(count: usize, seed: u64) -> Vec<SampleGrad> {
    numbers(count * 28, seed, 1.0).chunks_exact(28).map(SampleGrad::from_numbers).collect()
}

fn encode(edit: Option<Edit>, name: &str, inputs: usize, twin: Twin) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let s = Setting::new();
    let samples = s.samples(96);
    let (seed, dropped) = (3, 20_000);
    let g = numbers(96 * inputs, 101, 1.0);
    // It adds to what is there.
    let mut expected = grads(96, 102);
    let out = test.storage(&to_f32(&flat(&expected)));
    for (i, (x, to)) in samples.iter().zip(&mut expected).enumerate() {
        twin(x, &s.features, reference::told(seed, dropped, i as u32), &g[i * inputs..][..inputs], to);
    }
    let buffers = [
        ("params", &test.uniform(&EncodeParams { rows: 96, seed, dropped, octaves: 2, basis: basis() })),
        ("samples", &upload_samples(&test, &samples)),
        ("features", &test.storage(&to_f32(&s.features))),
        ("inputs_grad", &test.storage(&to_f32(&g))),
        ("samples_grad", &out),
    ];
    test.run(name, &[&buffers], 96);
    Some(worst_difference(&test.read(&out), &flat(&expected)) / 2e-5)
}

/// A sample with one of its 28 numbers moved; the third barycentric is what is left of one.
fn moved(s: &Sample, number: usize, by: f64) -> Sample {
    let mut s = *s;
    let row: &mut V3 = match number / 4 {
        0 => &mut s.normal,
        1 => &mut s.albedo,
        2 => &mut s.rest,
        3 => &mut s.ray,
        4 => &mut s.shaded,
        6 if number == 27 => {
            s.cosine += by;
            return s;
        }
        6 => &mut s.mirrored,
        _ => {
            s.lambda[number % 4] += by;
            return s;
        }
    };
    row[number % 4] += by;
    s
}

fn encode_gradient(factor: f64, inputs: usize, twin: Twin, value: Encoding<'_>) -> f64 {
    let s = Setting::new();
    let mut worst = 0.0_f64;
    for (i, sample) in s.samples(6).iter().enumerate() {
        let (g, told) = (numbers(inputs, 110 + i as u64, 1.0), f64::from(u8::from(i % 3 > 0)));
        let mut grad = SampleGrad::default();
        twin(sample, &s.features, told, &g, &mut grad);
        let mut analytic = grad.numbers();
        for k in [20, 21] {
            analytic[k] -= grad.lambda[2];
        }
        for number in (0..28).filter(|n| n % 4 < 3 && *n != 22 || *n == 27) {
            let numeric = central_difference(1e-6, |h| {
                let row = value(&moved(sample, number, h), &s.features, told);
                row.iter().zip(&g).map(|(x, g)| x * g).sum()
            });
            let analytic = analytic[number];
            worst = worst.max((numeric - factor * analytic).abs() / (1e-5 * (1.0 + analytic.abs())));
        }
    }
    worst
}

fn guide(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let s = Setting::new();
    let samples = s.samples(64);
    let outputs = numbers(64 * 8, 120, 1.0);
    let mut worst = 0.0_f64;
    for kind in Output::ALL {
        let (inputs, out) = (test.zeros(64 * 16), test.zeros(64 * 28));
        let params = GuideParams { rows: 64, kind: kind.number(), weight: 1.0, pad: 0 };
        let buffers = [
            ("params", &test.uniform(&params)),
            ("samples", &upload_samples(&test, &samples)),
            ("outputs", &test.storage(&to_f32(&outputs))),
            ("inputs", &inputs),
            ("guide_samples", &out),
        ];
        test.run(kernel::ENCODE_GUIDE, &[&buffers], 64);
        let (mut rows, mut words) = (Vec::new(), Vec::new());
        for (sample, o) in samples.iter().zip(outputs.chunks_exact(8)) {
            let (row, sample) = twin::encode_guide(kind, sample, o);
            rows.extend(row);
            words.extend(sample.words());
        }
        let ((a, aw), (e, ew)) = (split(&test.read::<[u32; 4]>(&out)), split(&words));
        let e: Vec<f64> = e.iter().map(|x| f64::from(*x)).collect();
        worst = worst.max(worst_difference(&test.read(&inputs), &rows) / 1e-5);
        worst = worst.max(if aw == ew { worst_difference(&a, &e) / 1e-5 } else { f64::INFINITY });
    }
    Some(worst)
}

fn guide_grad(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let s = Setting::new();
    let samples = s.samples(64);
    let (outputs, inputs) = (numbers(64 * 8, 121, 1.0), numbers(64 * 16, 122, 1.0));
    let mut worst = 0.0_f64;
    for kind in Output::ALL {
        // What stood there before must go.
        let out = test.storage(&to_f32(&numbers(64 * 28, 123, 1.0)));
        let params = GuideParams { rows: 64, kind: kind.number(), weight: 0.5, pad: 0 };
        let buffers = [
            ("params", &test.uniform(&params)),
            ("samples", &upload_samples(&test, &samples)),
            ("outputs_grad", &test.storage(&to_f32(&outputs))),
            ("inputs_grad", &test.storage(&to_f32(&inputs))),
            ("samples_grad", &out),
        ];
        test.run(kernel::ENCODE_GUIDE_GRAD, &[&buffers], 64);
        let expected: Vec<SampleGrad> = (0..64)
            .map(|i| twin::encode_guide_grad(kind, 0.5, &samples[i], &outputs[i * 8..], &inputs[i * 16..]))
            .collect();
        worst = worst.max(worst_difference(&test.read(&out), &flat(&expected)) / 1e-4);
    }
    Some(worst)
}

/// Of a linear functional of the first colour and of the second network's inputs, whose colour does not move.
fn guide_gradient(factor: f64) -> f64 {
    let s = Setting::new();
    let mut worst = 0.0_f64;
    for (i, sample) in s.samples(6).iter().enumerate() {
        let seed = 130 + i as u64;
        let (outputs, g) = (numbers(8, seed, 1.0), numbers(19, seed + 20, 1.0));
        for kind in Output::ALL {
            let value = |sample: &Sample| -> f64 {
                let (inputs, _) = twin::encode_guide(kind, sample, &outputs);
                let [first, _] = reference::painted(kind, [outputs[0], outputs[1], outputs[2]], sample.shaded);
                (0..9).map(|k| 0.5 * g[k] * inputs[k]).sum::<f64>() + (0..3).map(|k| g[16 + k] * first[k]).sum::<f64>()
            };
            let [_, slope] = reference::painted(kind, [outputs[0], outputs[1], outputs[2]], sample.shaded);
            let outputs_grad: Vec<f64> = (0..3).map(|k| g[16 + k] * slope[k]).collect();
            let analytic = twin::encode_guide_grad(kind, 0.5, sample, &outputs_grad, &g).numbers();
            for number in (0..20).filter(|n| n % 4 < 3) {
                let numeric = central_difference(1e-6, |h| value(&moved(sample, number, h)));
                let analytic = analytic[number];
                worst = worst.max((numeric - factor * analytic).abs() / (1e-5 * (1.0 + analytic.abs())));
            }
        }
    }
    worst
}

fn gather(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let s = Setting::new();
    let b = s.scene.upload(test.gpu());
    let vertices = s.scene.positions.len();
    let params = GatherParams { weight: 0.5, ..gather_params(&s) };
    let given = grads(107, 140);
    let upload = test.storage(&to_f32(&flat(&given)));
    let rest = test.storage(&pack(&s.rest));
    let mut worst = 0.0_f64;
    for sampled in [true, false] {
        let params = gather_pass(params, &s, sampled);
        let out = test.zeros(vertices * 9);
        let uniform = test.uniform(&params);
        let own = [("samples_grad", &upload), ("grads", &out)];
        test.run(kernel::GATHER_GRAD, &[&gather_inputs(&b, &uniform, &rest), &own], 100);
        let mut expected = vec![0.0; vertices * 9];
        for i in 0..100 {
            let Some(entry) = entry_of(&params, &s, i) else { continue };
            let grad = &given[7 + i as usize];
            twin::gather_grad(&RefView::from(&s.scene.view), &s.mesh(), &s.view, entry, (0.5, grad), &mut expected);
        }
        worst = worst.max(b.worst_fixed(test.gpu(), &out, &expected) / 2e-3);
    }
    Some(worst)
}

/// Of a linear functional of everything that samples say, rays included, which must not be felt.
fn gather_gradient(factor: f64) -> f64 {
    let s = Setting::new();
    let entries: Vec<[u32; 2]> = s.entries.iter().step_by(11).copied().collect();
    let given = grads(entries.len(), 150);
    let vertices = s.scene.positions.len();
    let mut analytic = vec![0.0; vertices * 9];
    for (entry, grad) in entries.iter().zip(&given) {
        let view = RefView::from(&s.scene.view);
        twin::gather_grad(&view, &s.mesh(), &s.view, *entry, (1.0, grad), &mut analytic);
    }
    let value = |s: &Setting| -> f64 {
        let of = |(entry, g): (&[u32; 2], &SampleGrad)| {
            let x = s.sample(*entry, 0);
            let row = |a: V3, b: V3| (0..3).map(|k| a[k] * b[k]).sum::<f64>();
            row(x.normal, g.normal)
                + row(x.albedo, g.albedo)
                + row(x.rest, g.rest)
                + row(x.ray, g.ray)
                + row(x.shaded, g.shaded)
                + row(x.weights(), g.lambda)
                + row(x.mirrored, g.mirrored)
                + x.cosine * g.cosine
        };
        entries.iter().zip(&given).map(of).sum()
    };
    let mut worst = 0.0_f64;
    for v in 0..vertices {
        for slot in 0..9 {
            // Positions count per millimetre.
            let (step, unit) = if slot < 6 { (1e-6, 1.0) } else { (1e-7, 1e-3) };
            let numeric = unit
                * central_difference(step, |h| {
                    let mut s = s.clone();
                    let list = match slot / 3 {
                        0 => &mut s.scene.albedo,
                        1 => &mut s.scene.normals,
                        _ => &mut s.scene.positions,
                    };
                    list[v][slot % 3] += h;
                    value(&s)
                });
            let analytic = analytic[v * 9 + slot];
            worst = worst.max((numeric - factor * analytic).abs() / (1e-4 * (1.0 + analytic.abs())));
        }
    }
    worst
}

/// Twenty features stand behind the samples' other numbers in both encodings.
#[test]
fn gradients_of_features_begin_where_features_do() {
    let shapes = [super::NeuralKind::Compact, super::NeuralKind::Paper].map(super::layout::Shape::of);
    assert_eq!(shapes.map(|s| (s.first_feature, s.inputs())), [(24, 48), (264, 288)], "as the twins take them");
    assert_eq!(FEATURES, 20, "as published");
}
