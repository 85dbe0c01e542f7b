//! The rings of checks of the kernels for whole images (see `kernel_checks`).

use super::layout::kernel::{
    CONVOLUTION_WEIGHT_GRAD, CONVOLVE, CONVOLVE_GRAD, DOUBLE, DOUBLE_GRAD, ENCODE_PART, HALVE, HALVE_GRAD, NORMALISE,
    NORMALISE_GRAD, NORMALISE_SUMS, STATISTICS, SUM_STATISTICS,
};
use super::layout::{ConvolutionParams, NormaliseParams, PARTS, PartParams, ResizeParams};
use super::reference::{Convolution, Half, Normalisation, encode_part};
use crate::gpu::testing::{self, Edit, KernelTest};
use crate::kernel_checks::KernelCheck;
use crate::neural::checks::{Setting, numbers, to_f32, upload_samples};
use crate::neural::layout::{EncodeParams, SumWeightsParams, basis, icosahedron_directions, kernel as common};
use crate::neural::reference::{self, Sample};
use crate::shading::testing::{central_difference, worst_difference};
use std::mem::{offset_of, size_of};

pub(crate) const UNET_CHECKS: &[KernelCheck] = &[
    KernelCheck {
        kernel: CONVOLVE,
        difference: convolutions,
        edits: &[
            ("a3 += u0 * x3 + u1 * x4 + u2 * x5", "a3 += u0 * x3 + u1 * x4"),
            ("b1 += v0 * x1", "b1 += u0 * x1"),
            ("column > 0u", "column > 9u"),
            ("line + dy > params.height", "line + dy >= params.height"),
            ("params.cut == 1u", "params.cut == 2u"),
            ("factor * sum + select(vec4<f32>(0.0), bias, params.biased == 1u)", "factor * (sum + bias)"),
            ("params.biased == 1u", "true"),
            ("params.adds == 1u", "false"),
            ("params.bordered == 1u", "params.bordered == 2u"),
            ("params.y_first + output", "output"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: CONVOLVE_GRAD,
        difference: convolutions,
        edits: &[
            ("a0 += d2 * u0 + d1 * u1 + d0 * u2", "a0 += d0 * u0 + d1 * u1 + d2 * u2"),
            ("b3 += d5 * v0", "b3 += d5 * u0"),
            ("f4 * y_grad", "f3 * y_grad"),
            ("input < params.gate", "input <= params.gate"),
            ("line + 1u - dy >= params.height", "line + 2u - dy >= params.height"),
            ("column + 4u < params.width", "column + 8u < params.width"),
            ("stride + params.y_first", "stride"),
        ],
        gradient: Some(network_gradient),
    },
    KernelCheck {
        kernel: CONVOLUTION_WEIGHT_GRAD,
        difference: convolutions,
        edits: &[
            ("p10 += outer(x[at + 1u], d0)", "p10 += outer(x[at], d0)"),
            ("let sx = column + tap % 3u", "let sx = column + 1u"),
            ("factor * y_grad[d + 1u]", "y_grad[d + 1u]"),
            ("p01[0] += y_grad[d + 1u]", "p01[0] += y_grad[d]"),
            ("(chunk + 1u) * params.chunk", "(chunk + 1u) * params.chunk - 1u"),
            ("params.biased == 0u", "false"),
        ],
        gradient: Some(network_gradient),
    },
    KernelCheck {
        kernel: HALVE,
        difference: sizes,
        edits: &[("full[below + params.full_stride]", "full[below]"), ("params.full_first + i", "i")],
        gradient: None,
    },
    KernelCheck {
        kernel: HALVE_GRAD,
        difference: sizes,
        edits: &[
            ("full_grad[at] +=", "full_grad[at] ="),
            ("full[at] > vec4<f32>(0.0)", "full[at] > vec4<f32>(-9.0)"),
            ("pixel / width / 2u", "pixel / width"),
        ],
        gradient: Some(network_gradient),
    },
    KernelCheck {
        kernel: DOUBLE,
        difference: sizes,
        edits: &[
            ("0.75 * upper + 0.25 * lower", "0.5 * upper + 0.5 * lower"),
            ("min(near + 1u, size - 1u)", "near"),
            ("max(near, 1u) - 1u", "near"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: DOUBLE_GRAD,
        difference: sizes,
        edits: &[
            ("min(2u * line + 3u", "min(2u * line + 2u"),
            ("min(near + 1u, size - 1u)", "near"),
            ("small[i] > vec4<f32>(0.0)", "small[i] > vec4<f32>(-9.0)"),
        ],
        gradient: Some(network_gradient),
    },
    KernelCheck {
        kernel: ENCODE_PART,
        difference: parts,
        edits: &[
            ("select(88u, 24u, which.part == 3u)", "88u"),
            ("inputs[out + k] = 0.0", "inputs[out + k] = 1.0"),
            ("all(samples[at + 3u].xyz == vec3<u32>(0u))", "false"),
            ("select(1.0, t, which.part == 0u)", "t"),
            ("samples[at + which.part]", "samples[at]"),
            ("t * bitcast<vec3<f32>>(samples[at + 3u].xyz)", "bitcast<vec3<f32>>(samples[at + 3u].xyz)"),
            ("inputs[out + 3u] = 1.0", "inputs[out + 3u] = 0.5"),
            ("out + 4u + 4u * k", "out + 4u * k"),
            ("params.dropped, 0u", "params.dropped, row"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: STATISTICS,
        difference: normalisation,
        edits: &[
            ("sum += w * x", "sum += x"),
            ("coverage[pixel * params.coverage_stride].w * apart", "apart"),
            ("min(begin + params.chunk, params.pixels)", "min(begin + params.chunk - 1u, params.pixels)"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: SUM_STATISTICS,
        difference: normalisation,
        edits: &[
            ("weight * part * apart * apart", "vec4<f32>(0.0)"),
            ("more / (weight + more)", "0.5"),
            ("vec4<f32>(EPSILON)", "vec4<f32>(0.1)"),
            ("statistics[2u * params.channels + i] = vec4<f32>(weight)", "statistics[i] = mean"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: NORMALISE,
        difference: normalisation,
        edits: &[
            ("max(factor * normal + shift, vec4<f32>(0.0))", "factor * normal + shift"),
            ("params.weights + params.channels + channel", "params.weights + channel"),
            ("params.y_first + channel", "channel"),
        ],
        gradient: None,
    },
    KernelCheck {
        kernel: NORMALISE_SUMS,
        difference: normalisation,
        edits: &[
            ("shifts += g", "shifts += inverse"),
            ("(chunk + 1u) * params.chunk", "(chunk + 1u) * params.chunk - 1u"),
            ("params.y_first + channel", "channel"),
        ],
        gradient: Some(normalisation_gradient),
    },
    KernelCheck {
        kernel: NORMALISE_GRAD,
        difference: normalisation,
        edits: &[
            ("normal * sums[channel]", "sums[channel]"),
            ("(g - through)", "g"),
            ("weights[params.weights + channel] * inverse", "inverse"),
            ("coverage[pixel * params.coverage_stride].w /", "1.0 /"),
        ],
        gradient: Some(normalisation_gradient),
    },
];

#[test]
fn layouts_match() {
    for name in [CONVOLVE, CONVOLVE_GRAD, CONVOLUTION_WEIGHT_GRAD] {
        let members = [
            ("width", offset_of!(ConvolutionParams, width)),
            ("height", offset_of!(ConvolutionParams, height)),
            ("inputs", offset_of!(ConvolutionParams, inputs)),
            ("outputs", offset_of!(ConvolutionParams, outputs)),
            ("weights", offset_of!(ConvolutionParams, weights)),
            ("cut", offset_of!(ConvolutionParams, cut)),
            ("bordered", offset_of!(ConvolutionParams, bordered)),
            ("y_stride", offset_of!(ConvolutionParams, y_stride)),
            ("y_first", offset_of!(ConvolutionParams, y_first)),
            ("gate", offset_of!(ConvolutionParams, gate)),
            ("chunk", offset_of!(ConvolutionParams, chunk)),
            ("adds", offset_of!(ConvolutionParams, adds)),
            ("biased", offset_of!(ConvolutionParams, biased)),
            ("pad0", offset_of!(ConvolutionParams, pad)),
            ("pad1", offset_of!(ConvolutionParams, pad) + 4),
            ("pad2", offset_of!(ConvolutionParams, pad) + 8),
        ];
        testing::assert_layout(name, "ConvolutionParams", size_of::<ConvolutionParams>(), &members);
    }
    for name in [HALVE, HALVE_GRAD, DOUBLE, DOUBLE_GRAD] {
        let members = [
            ("width", offset_of!(ResizeParams, width)),
            ("height", offset_of!(ResizeParams, height)),
            ("channels", offset_of!(ResizeParams, channels)),
            ("full_stride", offset_of!(ResizeParams, full_stride)),
            ("full_first", offset_of!(ResizeParams, full_first)),
            ("pad0", offset_of!(ResizeParams, pad)),
            ("pad1", offset_of!(ResizeParams, pad) + 4),
            ("pad2", offset_of!(ResizeParams, pad) + 8),
        ];
        testing::assert_layout(name, "ResizeParams", size_of::<ResizeParams>(), &members);
    }
    for name in [STATISTICS, SUM_STATISTICS, NORMALISE, NORMALISE_SUMS, NORMALISE_GRAD] {
        let members = [
            ("pixels", offset_of!(NormaliseParams, pixels)),
            ("channels", offset_of!(NormaliseParams, channels)),
            ("chunk", offset_of!(NormaliseParams, chunk)),
            ("y_stride", offset_of!(NormaliseParams, y_stride)),
            ("y_first", offset_of!(NormaliseParams, y_first)),
            ("coverage_stride", offset_of!(NormaliseParams, coverage_stride)),
            ("weights", offset_of!(NormaliseParams, weights)),
            ("pad0", offset_of!(NormaliseParams, pad)),
        ];
        testing::assert_layout(name, "NormaliseParams", size_of::<NormaliseParams>(), &members);
    }
    let members = [("part", 0), ("pad0", 4), ("pad1", 8), ("pad2", 12)];
    testing::assert_layout(ENCODE_PART, "PartParams", size_of::<PartParams>(), &members);
}

/// An image as channels `first..` of one `wide` channels wide, which holds something else beside it.
fn within(image: &[f64], channels: usize, first: usize, wide: usize) -> Vec<f64> {
    let mut out = numbers(image.len() / channels * wide, 174, 1.0);
    for (to, row) in out.chunks_exact_mut(wide).zip(image.chunks_exact(channels)) {
        to[first..first + channels].copy_from_slice(row);
    }
    out
}

/// Those channels of a wider image.
fn part(image: &[f32], channels: usize, first: usize, wide: usize) -> Vec<f32> {
    image.chunks_exact(wide).flat_map(|row| row[first..first + channels].to_vec()).collect()
}

/// A convolution into part of a wider image, partial and not, forward and backward.
fn convolutions(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let mut worst = 0.0_f64;
    for (bordered, adds) in [(true, false), (false, true)] {
        // What adds has no bias of its own.
        let (size, biased) = ((8, 6), !adds);
        let (width, height) = size;
        let layer = Convolution { width, height, inputs: 24, outputs: 16, offset: 32, cut: !adds, bordered, biased };
        let weights = numbers(32 + layer.numbers(), 171, 0.3);
        let x = numbers(48 * 24, 172, 1.0);
        let d = numbers(48 * 16, 173, 1.0);
        let params = ConvolutionParams {
            width: 8,
            height: 6,
            inputs: 24,
            outputs: 16,
            weights: 8,
            cut: u32::from(!adds),
            bordered: u32::from(bordered),
            y_stride: 8,
            y_first: 2,
            gate: 2,
            chunk: 20,
            adds: u32::from(adds),
            biased: u32::from(biased),
            pad: [0; 3],
        };
        let params = test.uniform(&params);
        let [w, xb, db] = [&weights, &x, &within(&d, 16, 8, 32)].map(|v| test.storage(&to_f32(v)));
        let [x_grad, partials] = [48 * 24, 3 * layer.numbers()].map(|n| test.zeros(n));
        let there = numbers(48 * 32, 170, 1.0);
        let y = test.storage(&to_f32(&there));
        let mut expected = layer.forward(&weights, &x);
        for (y, there) in expected.iter_mut().zip(there.chunks_exact(32).flat_map(|row| &row[8..24])) {
            *y += if adds { *there } else { 0.0 };
        }
        test.run(CONVOLVE, &[&[("params", &params), ("weights", &w), ("x", &xb), ("y", &y)]], 12 * 2);
        let back = [("params", &params), ("weights", &w), ("x", &xb), ("y_grad", &db), ("x_grad", &x_grad)];
        test.run(CONVOLVE_GRAD, &[&back], 12 * 3);
        let sums = [("params", &params), ("x", &xb), ("y_grad", &db), ("partials", &partials)];
        test.run(CONVOLUTION_WEIGHT_GRAD, &[&sums], 3 * 28 * 2);
        // As `neural/sum_weights` adds them, which has its own check.
        let partials: Vec<f32> = test.read(&partials);
        let at = |c: usize, i: usize| partials[c * layer.numbers() + i];
        let summed: Vec<f32> = (0..layer.numbers()).map(|i| at(0, i) + at(1, i) + at(2, i)).collect();
        worst = worst
            .max(worst_difference(&part(&test.read::<f32>(&y), 16, 8, 32), &expected))
            .max(worst_difference(&test.read(&x_grad), &layer.grad(&weights, &x, &d, 8)))
            .max(worst_difference(&summed, &layer.weight_grad(&x, &d)));
    }
    Some(worst / 1e-5)
}

/// Halving of part of a wider image and doubling, forward and backward.
fn sizes(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let half = Half { width: 3, height: 2, channels: 8 };
    let [small, small_grad] = [175, 176].map(|seed| numbers(half.numbers(), seed, 1.0));
    let [full, full_grad, skipped] = [177, 178, 179].map(|seed| numbers(4 * half.numbers(), seed, 1.0));
    let params = ResizeParams { width: 3, height: 2, channels: 2, full_stride: 6, full_first: 4, pad: [0; 3] };
    let params = test.uniform(&params);
    let wide = |v: &[f64]| test.storage(&to_f32(&within(v, 8, 16, 24)));
    let (full_b, skip_b) = (wide(&full), wide(&skipped));
    let [small_b, small_grad_b, full_grad_b] = [&small, &small_grad, &full_grad].map(|v| test.storage(&to_f32(v)));
    let [halved, doubled, back] = [48, 192, 48].map(|n| test.zeros(n));
    test.run(HALVE, &[&[("params", &params), ("full", &full_b), ("small", &halved)]], 12);
    let adds = [("params", &params), ("full", &full_b), ("small_grad", &small_grad_b), ("full_grad", &skip_b)];
    test.run(HALVE_GRAD, &[&adds], 48);
    test.run(DOUBLE, &[&[("params", &params), ("small", &small_b), ("full", &doubled)]], 48);
    let gathers = [("params", &params), ("small", &small_b), ("full_grad", &full_grad_b), ("small_grad", &back)];
    test.run(DOUBLE_GRAD, &[&gathers], 12);
    let own = half.halve_grad(&full, &small_grad);
    let added: Vec<f64> = skipped.iter().zip(own).map(|(skip, own)| skip + own).collect();
    let worst = [
        worst_difference(&test.read(&halved), &half.halve(&full)),
        worst_difference(&part(&test.read::<f32>(&skip_b), 8, 16, 24), &added),
        worst_difference(&test.read(&doubled), &half.double(&small)),
        worst_difference(&test.read(&back), &half.double_grad(&small, &full_grad)),
    ];
    Some(worst.into_iter().fold(0.0, f64::max) / 1e-5)
}

/// A network of two sizes with a skip, over an image of 8×4 pixels and two channels.
struct Network {
    layers: [Convolution; 5],
    half: Half,
    weights: Vec<f64>,
    image: Vec<f64>,
    /// What the loss multiplies the outputs with.
    slopes: Vec<f64>,
}

impl Network {
    fn new() -> Self {
        let plain = |inputs: usize, outputs: usize, cut: bool| Convolution {
            width: 8,
            height: 4,
            inputs,
            outputs,
            offset: 0,
            cut,
            bordered: cut,
            biased: true,
        };
        let deep = Convolution { width: 4, height: 2, bordered: true, ..plain(4, 6, true) };
        // Down, deep, up, behind the skip, colours.
        let mut layers = [plain(2, 4, true), deep, plain(6, 3, false), plain(7, 4, true), plain(4, 3, false)];
        let mut offset = 0;
        for layer in &mut layers {
            layer.offset = offset;
            offset += layer.numbers();
        }
        let half = Half { width: 4, height: 2, channels: 4 };
        let [weights, image, slopes] =
            [(offset, 181, 0.5), (32 * 2, 182, 1.0), (32 * 3, 183, 1.0)].map(|(n, seed, size)| numbers(n, seed, size));
        Self { layers, half, weights, image, slopes }
    }

    const fn deep(&self) -> Half {
        Half { channels: 6, ..self.half }
    }

    /// Inputs of each layer, then the outputs of the last.
    fn forward(&self, weights: &[f64], image: &[f64]) -> [Vec<f64>; 6] {
        let run = |l: usize, x: &[f64]| self.layers[l].forward(weights, x);
        let first = run(0, image);
        let halved = self.half.halve(&first);
        let doubled = self.deep().double(&run(1, &halved));
        let rows = run(2, &doubled);
        let joined: Vec<f64> =
            rows.chunks_exact(3).zip(first.chunks_exact(4)).flat_map(|(up, skip)| [up, skip].concat()).collect();
        let last = run(3, &joined);
        let out = run(4, &last);
        [image.to_vec(), halved, doubled, joined, last, out]
    }

    fn loss(&self, weights: &[f64], image: &[f64]) -> f64 {
        self.forward(weights, image)[5].iter().zip(&self.slopes).map(|(y, s)| y * s).sum()
    }

    /// Gradient to weights and image.
    fn gradient(&self) -> (Vec<f64>, Vec<f64>) {
        let x = self.forward(&self.weights, &self.image);
        let w = &self.weights;
        let mut weights_grad = vec![0.0; w.len()];
        let mut note = |l: usize, d: &[f64]| {
            let own = self.layers[l].weight_grad(&x[l], d);
            weights_grad[self.layers[l].offset..][..own.len()].copy_from_slice(&own);
        };
        note(4, &self.slopes);
        let last = self.layers[4].grad(w, &x[4], &self.slopes, 0);
        note(3, &last);
        // The three channels from below are not cut.
        let joined = self.layers[3].grad(w, &x[3], &last, 3);
        let up: Vec<f64> = joined.chunks_exact(7).flat_map(|row| row[..3].to_vec()).collect();
        let skip: Vec<f64> = joined.chunks_exact(7).flat_map(|row| row[3..].to_vec()).collect();
        note(2, &up);
        let doubled = self.layers[2].grad(w, &x[2], &up, 6);
        let deep = self.deep().double_grad(&self.layers[1].forward(w, &x[1]), &doubled);
        note(1, &deep);
        let halved = self.layers[1].grad(w, &x[1], &deep, 4);
        let back = self.half.halve_grad(&self.layers[0].forward(w, &x[0]), &halved);
        let first: Vec<f64> = skip.iter().zip(back).map(|(skip, back)| skip + back).collect();
        note(0, &first);
        (weights_grad, self.layers[0].grad(w, &x[0], &first, 2))
    }
}

fn network_gradient(factor: f64) -> f64 {
    let network = Network::new();
    let (weights_grad, image_grad) = network.gradient();
    let mut worst = 0.0_f64;
    let mut lanes = 0;
    let mut check = |analytic: f64, value: &dyn Fn(f64) -> f64| {
        // Where two steps disagree, a cut lies between.
        let (near, far) = (central_difference(1e-6, value), central_difference(2e-6, value));
        if (near - far).abs() < 1e-6 * (1.0 + near.abs()) {
            worst = worst.max((near - factor * analytic).abs() / (1e-5 * (1.0 + analytic.abs())));
            lanes += 1;
        }
    };
    for (i, grad) in weights_grad.iter().enumerate() {
        check(*grad, &|h| {
            let mut weights = network.weights.clone();
            weights[i] += h;
            network.loss(&weights, &network.image)
        });
    }
    for (i, grad) in image_grad.iter().enumerate() {
        check(*grad, &|h| {
            let mut image = network.image.clone();
            image[i] += h;
            network.loss(&network.weights, &image)
        });
    }
    assert!(lanes * 10 > 9 * (weights_grad.len() + image_grad.len()), "kinks are few: {lanes} lanes were compared");
    worst
}

/// All parts of the inputs of pixels of which one sees nothing, told and not.
fn parts(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let s = Setting::new();
    let mut samples = s.samples(70);
    samples[33] = Sample::default();
    let directions = icosahedron_directions();
    let uploads = [upload_samples(&test, &samples), test.storage(&to_f32(&s.features))];
    let mut worst = 0.0_f64;
    for (dropped, told) in [(0, 1.0), (1 << 16, 0.0), (30_000, reference::told(3, 30_000, 0))] {
        let params = test.uniform(&EncodeParams { rows: 70, seed: 3, dropped, octaves: 2, basis: basis() });
        for (part, wide) in PARTS.iter().enumerate() {
            let expected: Vec<f64> = (0..70)
                .flat_map(|i| encode_part(part, (i != 33).then(|| &samples[i]), &s.features, told, &directions))
                .collect();
            let out = test.zeros(70 * *wide as usize);
            let which = test.uniform(&PartParams { part: u32::try_from(part).expect("small"), pad: [0; 3] });
            let buffers = [
                ("params", &params),
                ("which", &which),
                ("samples", &uploads[0]),
                ("features", &uploads[1]),
                ("inputs", &out),
            ];
            test.run(ENCODE_PART, &[&buffers], 70);
            worst = worst.max(worst_difference(&test.read(&out), &expected) / 1e-5);
        }
    }
    Some(worst)
}

/// Coverage of the pixels of an image, in the fourth of eight channels, and alone.
fn coverage(pixels: usize) -> (Vec<f64>, Vec<f64>) {
    let mut image = numbers(8 * pixels, 191, 1.0);
    for (i, pixel) in image.chunks_exact_mut(8).enumerate() {
        // The second chunk sees nothing.
        pixel[3] = if (20..40).contains(&i) { 0.0 } else { [1.0, 0.25, 0.0, 0.5][i % 4] };
    }
    let alone = image.chunks_exact(8).map(|pixel| pixel[3]).collect();
    (image, alone)
}

/// Normalisation into part of a wider image, forward and backward, over pixels of several chunks.
fn normalisation(edit: Option<Edit>) -> Option<f64> {
    let test = KernelTest::new(edit)?;
    let (pixels, norm) = (70_usize, Normalisation { channels: 8, offset: 16 });
    let (image, covered) = coverage(pixels);
    let weights = numbers(32, 192, 1.0);
    // Far from zero, so that squares of means would not do.
    let x: Vec<f64> = numbers(pixels * 8, 193, 1.0).iter().map(|x| 20.0 + x).collect();
    let d = numbers(pixels * 8, 194, 1.0);
    let params = NormaliseParams {
        pixels: 70,
        channels: 2,
        chunk: 20,
        y_stride: 6,
        y_first: 3,
        coverage_stride: 2,
        weights: 4,
        pad: 0,
    };
    let params = test.uniform(&params);
    let uploads = [&image, &weights, &x, &within(&d, 8, 12, 24)].map(|v| test.storage(&to_f32(v)));
    let [image, w, xb, db] = &uploads;
    let [statistics, y, sums, x_grad] = [24, pixels * 24, 16, pixels * 8].map(|n| test.zeros(n));
    let partials = test.zeros(4 * 3 * 8);
    let first = [("params", &params), ("x", xb), ("coverage", image), ("partials", &partials)];
    test.run(STATISTICS, &[&first], 4 * 2);
    let second = [("params", &params), ("partials", &partials), ("statistics", &statistics)];
    test.run(SUM_STATISTICS, &[&second], 2);
    let third = [("params", &params), ("weights", w), ("x", xb), ("statistics", &statistics), ("y", &y)];
    test.run(NORMALISE, &[&third], pixels * 2);
    let back = [("params", &params), ("x", xb), ("statistics", &statistics), ("y_grad", db), ("partials", &partials)];
    test.run(NORMALISE_SUMS, &[&back], 4 * 2);
    let adding = test.uniform(&SumWeightsParams { count: 4, numbers: 4, offset: 0, scale: 1.0 });
    let summing = [("params", &adding), ("partials", &partials), ("weights_grad", &sums)];
    test.run(common::SUM_WEIGHTS, &[&summing], 4);
    let last = [
        ("params", &params),
        ("weights", w),
        ("x", xb),
        ("statistics", &statistics),
        ("coverage", image),
        ("y_grad", db),
        ("sums", &sums),
        ("x_grad", &x_grad),
    ];
    test.run(NORMALISE_GRAD, &[&last], pixels * 2);
    let s = norm.statistics(&x, &covered);
    let [sums_grad, back] = norm.grad(&weights, &x, &covered, &d);
    let worst = [
        worst_difference(&test.read(&statistics), &[s.mean, s.inverse, vec![s.weight; 8]].concat()) / 1e-4,
        worst_difference(&part(&test.read::<f32>(&y), 8, 12, 24), &norm.forward(&weights, &x, &covered)) / 1e-4,
        worst_difference(&test.read(&sums), &sums_grad) / 1e-4,
        worst_difference(&test.read(&x_grad), &back) / 1e-4,
    ];
    Some(worst.into_iter().fold(0.0, f64::max))
}

/// Of a linear functional of what is left after the cut, to inputs, factors and shifts.
fn normalisation_gradient(factor: f64) -> f64 {
    let (pixels, norm) = (9, Normalisation { channels: 3, offset: 2 });
    let coverage = [1.0, 0.5, 0.0, 1.0, 0.25, 1.0, 1.0, 0.0, 0.75];
    let [weights, x, slopes] = [(8, 195), (pixels * 3, 196), (pixels * 3, 197)].map(|(n, seed)| numbers(n, seed, 1.0));
    let value = |weights: &[f64], x: &[f64]| -> f64 {
        norm.forward(weights, x, &coverage).iter().zip(&slopes).map(|(y, s)| y * s).sum()
    };
    let y = norm.forward(&weights, &x, &coverage);
    let gated: Vec<f64> = y.iter().zip(&slopes).map(|(y, s)| if *y > 0.0 { *s } else { 0.0 }).collect();
    let [weights_grad, x_grad] = norm.grad(&weights, &x, &coverage, &gated);
    let moved = |list: &[f64], i: usize, h: f64| {
        let mut list = list.to_vec();
        list[i] += h;
        list
    };
    let mut worst = 0.0_f64;
    let mut check = |analytic: f64, numeric: f64| {
        worst = worst.max((numeric - factor * analytic).abs() / (1e-5 * (1.0 + analytic.abs())));
    };
    for (i, analytic) in weights_grad.iter().enumerate() {
        check(*analytic, central_difference(1e-6, |h| value(&moved(&weights, 2 + i, h), &x)));
    }
    for (i, analytic) in x_grad.iter().enumerate() {
        check(*analytic, central_difference(1e-6, |h| value(&weights, &moved(&x, i, h))));
    }
    worst
}
