//! The rings of checks of the kernels for whole images (see `kernel_checks`).

use super::reference::{Convolution, Half};
use crate::gpu::testing::{self, Edit, KernelTest};
use crate::kernel_checks::KernelCheck;
use crate::neural::checks::{numbers, to_f32};
use crate::shading::testing::{central_difference, worst_difference};
use bytemuck::{Pod, Zeroable};
use std::mem::{offset_of, size_of};

const CONVOLVE: &str = "neural/convolve";
const CONVOLVE_GRAD: &str = "neural/convolve_grad";
const WEIGHT_GRAD: &str = "neural/convolution_weight_grad";
const HALVE: &str = "neural/halve";
const HALVE_GRAD: &str = "neural/halve_grad";
const DOUBLE: &str = "neural/double";
const DOUBLE_GRAD: &str = "neural/double_grad";

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
            ("factor * sum + bias", "factor * (sum + bias)"),
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
        kernel: WEIGHT_GRAD,
        difference: convolutions,
        edits: &[
            ("p10 += outer(x[at + 1u], d0)", "p10 += outer(x[at], d0)"),
            ("let sx = column + tap % 3u", "let sx = column + 1u"),
            ("factor * y_grad[d + 1u]", "y_grad[d + 1u]"),
            ("p01[0] += y_grad[d + 1u]", "p01[0] += y_grad[d]"),
            ("(chunk + 1u) * params.chunk", "(chunk + 1u) * params.chunk - 1u"),
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
];

/// Uniform of the convolution's kernels.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ConvolutionParams {
    width: u32,
    height: u32,
    inputs: u32,
    outputs: u32,
    weights: u32,
    cut: u32,
    bordered: u32,
    y_stride: u32,
    y_first: u32,
    gate: u32,
    chunk: u32,
    pad: u32,
}

/// Uniform of halving and doubling.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ResizeParams {
    width: u32,
    height: u32,
    channels: u32,
    full_stride: u32,
    full_first: u32,
    pad: [u32; 3],
}

#[test]
fn layouts_match() {
    for name in [CONVOLVE, CONVOLVE_GRAD, WEIGHT_GRAD] {
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
            ("pad0", offset_of!(ConvolutionParams, pad)),
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
    for bordered in [true, false] {
        let layer = Convolution { width: 8, height: 6, inputs: 24, outputs: 16, offset: 32, cut: true, bordered };
        let weights = numbers(32 + layer.numbers(), 171, 0.3);
        let x = numbers(48 * 24, 172, 1.0);
        let d = numbers(48 * 16, 173, 1.0);
        let params = ConvolutionParams {
            width: 8,
            height: 6,
            inputs: 24,
            outputs: 16,
            weights: 8,
            cut: 1,
            bordered: u32::from(bordered),
            y_stride: 8,
            y_first: 2,
            gate: 2,
            chunk: 20,
            pad: 0,
        };
        let params = test.uniform(&params);
        let [w, xb, db] = [&weights, &x, &within(&d, 16, 8, 32)].map(|v| test.storage(&to_f32(v)));
        let [y, x_grad, partials] = [48 * 32, 48 * 24, 3 * layer.numbers()].map(|n| test.zeros(n));
        test.run(CONVOLVE, &[&[("params", &params), ("weights", &w), ("x", &xb), ("y", &y)]], 12 * 2);
        let back = [("params", &params), ("weights", &w), ("x", &xb), ("y_grad", &db), ("x_grad", &x_grad)];
        test.run(CONVOLVE_GRAD, &[&back], 12 * 3);
        let sums = [("params", &params), ("x", &xb), ("y_grad", &db), ("partials", &partials)];
        test.run(WEIGHT_GRAD, &[&sums], 3 * 28 * 2);
        // As `neural/sum_weights` adds them, which has its own check.
        let partials: Vec<f32> = test.read(&partials);
        let at = |c: usize, i: usize| partials[c * layer.numbers() + i];
        let summed: Vec<f32> = (0..layer.numbers()).map(|i| at(0, i) + at(1, i) + at(2, i)).collect();
        worst = worst
            .max(worst_difference(&part(&test.read::<f32>(&y), 16, 8, 32), &layer.forward(&weights, &x)))
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
