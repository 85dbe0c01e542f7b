//! How the numbers of the screen-space network are laid out, and the uniforms of its kernels.

use crate::neural::layout::{FEATURES, Layer, Random};
use crate::neural::settings::Output;
use bytemuck::{Pod, Zeroable};

/// Kernel names.
pub(super) mod kernel {
    pub(in crate::neural) const CONVOLVE: &str = "neural/convolve";
    pub(in crate::neural) const CONVOLVE_GRAD: &str = "neural/convolve_grad";
    pub(in crate::neural) const CONVOLUTION_WEIGHT_GRAD: &str = "neural/convolution_weight_grad";
    pub(in crate::neural) const HALVE: &str = "neural/halve";
    pub(in crate::neural) const HALVE_GRAD: &str = "neural/halve_grad";
    pub(in crate::neural) const DOUBLE: &str = "neural/double";
    pub(in crate::neural) const DOUBLE_GRAD: &str = "neural/double_grad";
    pub(in crate::neural) const ENCODE_PART: &str = "neural/encode_part";
    pub(in crate::neural) const STATISTICS: &str = "neural/statistics";
    pub(in crate::neural) const SUM_STATISTICS: &str = "neural/sum_statistics";
    pub(in crate::neural) const NORMALISE: &str = "neural/normalise";
    pub(in crate::neural) const NORMALISE_SUMS: &str = "neural/normalise_sums";
    pub(in crate::neural) const NORMALISE_GRAD: &str = "neural/normalise_grad";
}

/// Sizes of the image that the network works on; each is half of the one before.
pub(super) const LEVELS: usize = 5;

/// Sides of an image are multiples of these: the smallest is a multiple of four wide.
pub(super) const SIDES: [u32; 2] = [4 << (LEVELS - 1), 1 << (LEVELS - 1)];

/// Channels of the parts of the inputs: three encoded vectors of 87 numbers and a zero; ray, coverage, features.
pub(super) const PARTS: [u32; 4] = [88, 88, 88, 24];

/// The part with the features.
pub(super) const LAST_PART: usize = PARTS.len() - 1;

/// The first feature in the last part.
pub(super) const FIRST_FEATURE: u32 = 4;

const _: () = assert!(FIRST_FEATURE as usize + FEATURES == PARTS[LAST_PART] as usize, "features end the last part");

/// Uniform of the convolution's kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct ConvolutionParams {
    pub width: u32,
    pub height: u32,
    pub inputs: u32,
    pub outputs: u32,
    /// Where the layer begins, in fours.
    pub weights: u32,
    /// 1: what is negative becomes zero.
    pub cut: u32,
    /// 1: sums grow at the border.
    pub bordered: u32,
    /// Fours a pixel of `y`, and the first of them.
    pub y_stride: u32,
    pub y_first: u32,
    /// Backward: from this four on nothing goes through inputs that are not positive.
    pub gate: u32,
    /// Pixels a partial sum.
    pub chunk: u32,
    /// 1: adds to what is there.
    pub adds: u32,
    /// 0: without bias.
    pub biased: u32,
    pub pad: [u32; 3],
}

/// Uniform of halving and doubling.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct ResizeParams {
    /// Of the half.
    pub width: u32,
    pub height: u32,
    /// In fours.
    pub channels: u32,
    pub full_stride: u32,
    pub full_first: u32,
    pub pad: [u32; 3],
}

/// Uniform of the normalisation's kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct NormaliseParams {
    pub pixels: u32,
    /// In fours.
    pub channels: u32,
    /// Pixels a partial sum.
    pub chunk: u32,
    pub y_stride: u32,
    pub y_first: u32,
    pub coverage_stride: u32,
    /// Where factors begin, in fours; shifts behind them.
    pub weights: u32,
    pub pad: u32,
}

/// Which part of the inputs `neural/encode_part` writes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct PartParams {
    pub part: u32,
    pub pad: [u32; 3],
}

/// Numbers of a 3×3 convolution: taps from the upper left, in each inputs × outputs, then biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::neural) struct Taps {
    pub inputs: u32,
    pub outputs: u32,
    /// Where they begin.
    pub offset: u32,
    /// Without: biases are there, and zero.
    pub biased: bool,
}

impl Taps {
    pub(super) const fn numbers(&self) -> u32 {
        (9 * self.inputs + 1) * self.outputs
    }
}

/// Two convolutions, the first of which grows sums at the border, and behind each a normalisation or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::neural) struct Block {
    /// One for each part of the inputs; they add.
    pub first: Vec<Taps>,
    pub second: Taps,
    /// Where factors begin, shifts behind them.
    pub norms: Option<[u32; 2]>,
}

/// Layers of the network at all sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::neural) struct UnetShape {
    pub width: u32,
    /// From the largest size to the smallest.
    pub down: Vec<Block>,
    /// By size, the largest first: what follows the doubling, and the block behind the skip.
    pub up: Vec<(Taps, Block)>,
    pub last: Layer,
}

struct Allocation(u32);

impl Allocation {
    const fn taps(&mut self, inputs: u32, outputs: u32, biased: bool) -> Taps {
        let taps = Taps { inputs, outputs, offset: self.0, biased };
        self.0 += taps.numbers();
        taps
    }

    const fn norm(&mut self, channels: u32) -> u32 {
        let at = self.0;
        self.0 += 2 * channels;
        at
    }

    fn block(&mut self, parts: &[u32], channels: u32, normal: bool) -> Block {
        Block {
            first: parts.iter().map(|&inputs| self.taps(inputs, channels, !normal)).collect(),
            second: self.taps(channels, channels, !normal),
            norms: normal.then(|| [self.norm(channels), self.norm(channels)]),
        }
    }
}

impl UnetShape {
    /// Of images of which the parts have so many channels; on the device widths and channels are multiples of eight.
    pub(super) fn new(parts: &[u32], width: u32) -> Self {
        let mut a = Allocation(0);
        let channels = |level: usize| width << level;
        let mut down = vec![a.block(parts, width, true)];
        for level in 1..LEVELS {
            down.push(a.block(&[channels(level - 1)], channels(level), true));
        }
        let up = (0..LEVELS - 1)
            .map(|level| {
                let c = channels(level);
                (a.taps(2 * c, c, true), a.block(&[2 * c], c, false))
            })
            .collect();
        let last = Layer { inputs: width, outputs: 8, offset: a.0, cut: false };
        Self { width, down, up, last }
    }

    pub(in crate::neural) fn published(width: u32) -> Self {
        Self::new(&PARTS, width)
    }

    pub(super) const fn channels(&self, level: usize) -> u32 {
        self.width << level
    }

    /// All of them.
    pub(in crate::neural) const fn numbers(&self) -> u32 {
        self.last.offset + self.last.numbers()
    }

    /// Where each layer begins, and how many numbers it has.
    #[cfg(test)]
    pub(super) fn spans(&self) -> Vec<(u32, u32)> {
        let mut spans: Vec<(u32, u32)> = self.convolutions().map(|(t, _)| (t.offset, t.numbers())).collect();
        for (level, block) in self.down.iter().enumerate() {
            spans.extend(block.norms.iter().flatten().map(|at| (*at, 2 * self.channels(level))));
        }
        spans.push((self.last.offset, self.last.numbers()));
        spans.sort_unstable();
        spans
    }

    /// The width of the network of so many numbers.
    pub(in crate::neural) fn width_of(numbers: usize) -> Option<u32> {
        (8..=MOST_WIDE).step_by(8).find(|&width| Self::published(width).numbers() as usize == numbers)
    }

    fn convolutions(&self) -> impl Iterator<Item = (&Taps, u32)> {
        let blocks = self.down.iter().chain(self.up.iter().map(|(_, block)| block));
        let in_blocks = blocks.flat_map(|b| {
            let fan_in = b.first.iter().map(|t| t.inputs).sum();
            b.first.iter().map(move |t| (t, fan_in)).chain([(&b.second, b.second.inputs)])
        });
        in_blocks.chain(self.up.iter().map(|(taps, _)| (taps, taps.inputs)))
    }

    /// First weights (He et al. 2015), biases and shifts zero, factors one; the last layer is zero where the network begins
    /// as what was shaded.
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub(in crate::neural) fn first_weights(&self, seed: u64, output: Output) -> Vec<f32> {
        let mut random = Random(seed ^ 0x756e_6574);
        let mut weights = vec![0.0_f32; self.numbers() as usize];
        for (taps, fan_in) in self.convolutions() {
            let reach = (6.0 / (9.0 * f64::from(fan_in))).sqrt();
            for w in &mut weights[taps.offset as usize..][..(9 * taps.inputs * taps.outputs) as usize] {
                *w = (reach * random.symmetric()) as f32;
            }
        }
        for (level, block) in self.down.iter().enumerate() {
            for at in block.norms.iter().flatten() {
                weights[*at as usize..][..self.channels(level) as usize].fill(1.0);
            }
        }
        if output == Output::Direct {
            let reach = (6.0 / f64::from(self.last.inputs)).sqrt();
            for w in &mut weights[self.last.offset as usize..][..(self.last.inputs * self.last.outputs) as usize] {
                *w = (reach * random.symmetric()) as f32;
            }
        }
        weights
    }
}

/// Widest network at its largest size.
pub(in crate::neural) const MOST_WIDE: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_network_has_the_published_size() {
        let shape = UnetShape::published(32);
        assert_eq!(shape.channels(LEVELS - 1), 512, "channels of the smallest size");
        // 8.72 million as released; here four inputs more (paddings and coverage), biases that stay zero behind the four
        // parts, and five outputs that nobody reads.
        let surplus = 4 * 9 * 32 + 3 * 32 + 5 * 33;
        assert_eq!(shape.numbers() - surplus, 8_715_459, "weights, biases, factors and shifts");
        for width in [8, 24, 64] {
            assert_eq!(
                UnetShape::width_of(UnetShape::published(width).numbers() as usize),
                Some(width),
                "told by its size"
            );
        }
        assert_eq!(UnetShape::width_of(7816), None, "no such width");
    }

    #[test]
    fn layers_lie_behind_one_another_in_fours() {
        let shape = UnetShape::published(8);
        let mut end = 0;
        for (at, numbers) in shape.spans() {
            assert_eq!((at, at % 4, numbers % 4), (end, 0, 0), "begins where the one before ends");
            end += numbers;
        }
        assert_eq!(end, shape.numbers(), "and nothing is left");
    }

    #[test]
    fn it_begins_by_the_seed_and_silent() {
        let shape = UnetShape::published(8);
        let weights = shape.first_weights(1, Output::Ratio);
        assert_eq!(weights, shape.first_weights(1, Output::Ratio), "by the seed");
        assert_ne!(weights, shape.first_weights(2, Output::Ratio), "and by no other");
        let last = shape.last.offset as usize;
        assert!(weights[last..].iter().all(|w| *w == 0.0), "the last layer is silent");
        assert!(shape.first_weights(1, Output::Direct)[last..].iter().any(|w| *w != 0.0), "but where it is the colour");
    }
}
