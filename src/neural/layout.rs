//! How the network's numbers are laid out: inputs, layers, uniforms of the kernels.

use super::settings::{NeuralKind, Output};
use bytemuck::{Pod, Zeroable};

/// Learned numbers a vertex, as published.
pub const FEATURES: usize = 20;

/// `vec4<u32>` a sample takes on the device.
pub(super) const SAMPLE_STRIDE: usize = 7;

/// Rows of inputs come in multiples of this.
pub(super) const ROW_BLOCK: u32 = 512;

/// Rows that one partial sum of the weights' gradient takes.
pub(super) const CHUNK: u32 = 256;

/// Kernel names.
pub(super) mod kernel {
    pub(in crate::neural) const GATHER: &str = "neural/gather";
    pub(in crate::neural) const ENCODE_COMPACT: &str = "neural/encode_compact";
    pub(in crate::neural) const ENCODE_PAPER: &str = "neural/encode_paper";
    pub(in crate::neural) const GATHER_GRAD: &str = "neural/gather_grad";
    pub(in crate::neural) const ENCODE_COMPACT_GRAD: &str = "neural/encode_compact_grad";
    pub(in crate::neural) const ENCODE_PAPER_GRAD: &str = "neural/encode_paper_grad";
    pub(in crate::neural) const ENCODE_GUIDE: &str = "neural/encode_guide";
    pub(in crate::neural) const ENCODE_GUIDE_GRAD: &str = "neural/encode_guide_grad";
    pub(in crate::neural) const LINEAR: &str = "neural/linear";
    pub(in crate::neural) const LINEAR_GRAD: &str = "neural/linear_grad";
    pub(in crate::neural) const WEIGHT_GRAD: &str = "neural/weight_grad";
    pub(in crate::neural) const SUM_WEIGHTS: &str = "neural/sum_weights";
    pub(in crate::neural) const COLOUR_LOSS: &str = "neural/colour_loss";
    pub(in crate::neural) const SCATTER: &str = "neural/scatter_features_grad";
    pub(in crate::neural) const UNPACK: &str = "neural/unpack_features_grad";
    pub(in crate::neural) const COMPOSE: &str = "neural/compose";
}

/// Uniform of `neural/gather`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct GatherParams {
    /// Rows of the camera's rotation; in the fourth column its centre, world metres.
    pub rotation: [[f32; 4]; 3],
    /// Middle of the rest-pose positions, and one over their largest distance from it along an axis.
    pub rest: [f32; 4],
    /// Nine coefficients and the view's gain.
    pub light: [[f32; 4]; 3],
    /// Samples to gather.
    pub samples: u32,
    /// Record of the first.
    pub first: u32,
    /// In order: first entry of the list.
    pub start: u32,
    /// 1: sampled by the seed, 0: in order.
    pub sampled: u32,
    /// Seed.
    pub seed: u32,
    /// Sampled: coverage of the mask, of 254, below which a pixel says nothing.
    pub least: u32,
    /// Backward: weight of each sample.
    pub weight: f32,
    /// Padding.
    pub pad: u32,
}

/// Uniform of the encodings.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct EncodeParams {
    /// Rows.
    pub rows: u32,
    /// Seed of what is not told.
    pub seed: u32,
    /// Of 65,536 rows: how many do not tell where they are seen from.
    pub dropped: u32,
    /// Octaves of the published encoding.
    pub octaves: u32,
    /// Its directions.
    pub basis: [[f32; 4]; 21],
}

/// Uniform of the second network's encoding and its gradient.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct GuideParams {
    /// Rows.
    pub rows: u32,
    /// [`Output`] of the first network as a number.
    pub kind: u32,
    /// Backward: of the second network's part.
    pub weight: f32,
    /// Padding.
    pub pad: u32,
}

/// Uniform of the layers' kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct LayerParams {
    /// Rows.
    pub rows: u32,
    /// Inputs.
    pub inputs: u32,
    /// Outputs.
    pub outputs: u32,
    /// Where the layer begins, in fours.
    pub weights: u32,
    /// 1: what is not positive is cut.
    pub cut: u32,
    /// First input that a gradient is wanted for.
    pub first: u32,
    /// Rows a partial sum.
    pub chunk: u32,
    /// Padding.
    pub pad: u32,
}

/// Uniform of `neural/sum_weights`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct SumWeightsParams {
    /// Partial sums.
    pub count: u32,
    /// Fours a layer.
    pub numbers: u32,
    /// Where the layer begins, in fours.
    pub offset: u32,
    /// Factor.
    pub scale: f32,
}

/// Uniform of `neural/colour_loss`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct ColourLossParams {
    /// Rows.
    pub rows: u32,
    /// [`Output`] as a number.
    pub kind: u32,
    /// Residuals below this are squared.
    pub softness: f32,
    /// Colours from here on are clipped.
    pub clipped: f32,
}

/// Uniform of `neural/scatter_features_grad`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct ScatterParams {
    /// Rows.
    pub rows: u32,
    /// Numbers a row.
    pub inputs: u32,
    /// First feature among them.
    pub first: u32,
    /// How many.
    pub features: u32,
}

/// Uniform of `neural/unpack_features_grad`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct UnpackFeaturesParams {
    /// Factor from the samples' unit weights to the loss.
    pub scale: f32,
    /// What pulls features to zero.
    pub decay: f32,
    /// Padding.
    pub pad: [u32; 2],
}

/// Uniform of `neural/compose`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(super) struct ComposeParams {
    /// Samples.
    pub samples: u32,
    /// First entry of the list.
    pub start: u32,
    /// [`Output`] as a number.
    pub kind: u32,
    /// Padding.
    pub pad: u32,
}

impl Output {
    /// Its number in the kernels.
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Direct => 0,
            Self::Residual => 1,
            Self::Ratio => 2,
        }
    }
}

/// One layer: `y = W x + b`, cut at zero but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub inputs: u32,
    pub outputs: u32,
    /// Where its numbers begin; a multiple of four.
    pub offset: u32,
    /// Negative outputs become zero.
    pub cut: bool,
}

impl Layer {
    /// Weights and biases.
    pub(super) const fn numbers(&self) -> u32 {
        (self.inputs + 1) * self.outputs
    }
}

/// Inputs and layers of a kind of network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Column of the first feature; a multiple of eight.
    pub first_feature: u32,
    pub layers: Vec<Layer>,
}

impl Shape {
    pub(super) fn of(kind: NeuralKind) -> Self {
        let (inputs, first_feature, hidden): (u32, u32, &[u32]) = match kind {
            NeuralKind::Compact => (48, 24, &[64, 64]),
            NeuralKind::Paper | NeuralKind::Unet => (288, 264, &[256; 7]),
        };
        Self::new(inputs, first_feature, hidden)
    }

    /// The second network of the joint refinement ([`super::joint`]).
    pub(super) fn guide() -> Self {
        Self::new(16, 0, &[32, 32])
    }

    /// Eight outputs of which three are colours end the network: kernels work in eights.
    pub(super) fn new(inputs: u32, first_feature: u32, hidden: &[u32]) -> Self {
        let mut layers = Vec::new();
        let (mut from, mut offset) = (inputs, 0);
        for (&outputs, cut) in hidden.iter().zip(std::iter::repeat(true)).chain([(&8, false)]) {
            let layer = Layer { inputs: from, outputs, offset, cut };
            offset += layer.numbers();
            layers.push(layer);
            from = outputs;
        }
        Self { first_feature, layers }
    }

    pub(super) fn inputs(&self) -> u32 {
        self.layers[0].inputs
    }

    /// Weights and biases of all layers.
    pub(super) fn numbers(&self) -> u32 {
        self.layers.iter().map(Layer::numbers).sum()
    }

    /// Widest row.
    pub(super) fn width(&self) -> u32 {
        self.layers.iter().map(|l| l.inputs.max(l.outputs)).max().unwrap_or(8)
    }

    /// First weights (He et al. 2015): uniform with variance two over the inputs; biases zero, and the last layer too where
    /// the network begins as what was shaded.
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub(super) fn first_weights(&self, seed: u64, output: Output) -> Vec<f32> {
        let mut random = Random(seed ^ 0x6e65_7572_616c);
        let mut weights = Vec::with_capacity(self.numbers() as usize);
        for (l, layer) in self.layers.iter().enumerate() {
            let last = l + 1 == self.layers.len();
            let reach = (6.0 / f64::from(layer.inputs)).sqrt();
            for i in 0..layer.numbers() {
                let x = reach * random.symmetric();
                let silent = i >= layer.inputs * layer.outputs || (last && output != Output::Direct);
                weights.push(if silent { 0.0 } else { x as f32 });
            }
        }
        weights
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(super) struct Random(pub u64);

impl Random {
    pub(super) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [-1, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) const fn symmetric(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// A number from a number (`shaders/common/hash.wgsl`).
#[must_use]
pub(super) const fn hash(x: u32) -> u32 {
    let state = x.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let word = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (word >> 22) ^ word
}

/// The 21 directions of the published encoding: corners of an icosahedron and middles of its edges, one of each opposite
/// pair (Barron et al. 2022, "Mip-NeRF 360", appendix C).
#[must_use]
pub(super) fn icosahedron_directions() -> Vec<[f64; 3]> {
    let golden = f64::midpoint(1.0, 5.0_f64.sqrt());
    let mut corners = Vec::new();
    for a in [-1.0, 1.0] {
        for b in [-golden, golden] {
            corners.extend([[0.0, a, b], [a, b, 0.0], [b, 0.0, a]]);
        }
    }
    let unit = |v: [f64; 3]| {
        let size = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.map(|x| x / size)
    };
    let mut all: Vec<[f64; 3]> = corners.iter().copied().map(unit).collect();
    for (i, a) in corners.iter().enumerate() {
        for b in &corners[i + 1..] {
            let apart: f64 = (0..3).map(|k| (a[k] - b[k]).powi(2)).sum();
            // Edges have length 2.
            if (apart - 4.0).abs() < 1e-9 {
                all.push(unit([a[0] + b[0], a[1] + b[1], a[2] + b[2]]));
            }
        }
    }
    // Of each opposite pair the one whose last number that is not zero is positive.
    all.retain(|d| d.iter().rev().find(|x| x.abs() > 1e-9).is_some_and(|x| *x > 0.0));
    all
}

/// The directions as the kernels take them.
#[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
pub(super) fn basis() -> [[f32; 4]; 21] {
    let mut out = [[0.0; 4]; 21];
    for (o, d) in out.iter_mut().zip(icosahedron_directions()) {
        *o = [d[0] as f32, d[1] as f32, d[2] as f32, 0.0];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_network_has_the_published_size() {
        let shape = Shape::of(NeuralKind::Paper);
        assert_eq!(shape.layers.len(), 8, "seven hidden layers and the colours");
        assert!(shape.layers[..7].iter().all(|l| l.outputs == 256 && l.cut), "256 wide");
        assert_eq!(shape.inputs() - 4, 284, "284 inputs and four that are zero");
        assert!(shape.layers.iter().all(|l| l.offset % 4 == 0 && l.inputs % 8 == 0), "fours and eights");
    }

    #[test]
    fn there_are_21_directions_none_of_them_twice() {
        let directions = icosahedron_directions();
        assert_eq!(directions.len(), 21, "half of 12 corners and 30 edges");
        for (i, a) in directions.iter().enumerate() {
            for b in &directions[..i] {
                let along: f64 = (0..3).map(|k| a[k] * b[k]).sum();
                assert!(along.abs() < 0.99, "{a:?} and {b:?} differ");
            }
        }
    }

    #[test]
    fn a_network_that_adds_to_the_shaded_colour_begins_by_adding_nothing() {
        let shape = Shape::of(NeuralKind::Compact);
        let last = shape.layers[2];
        let weights = shape.first_weights(1, Output::Residual);
        assert_eq!(weights.len(), shape.numbers() as usize, "one number each");
        assert!(weights[last.offset as usize..].iter().all(|w| *w == 0.0), "the last layer is silent");
        assert!(weights[..48 * 64].iter().any(|w| *w != 0.0), "the first is not");
        assert_eq!(weights, shape.first_weights(1, Output::Residual), "by the seed");
        assert_ne!(weights, shape.first_weights(2, Output::Residual), "and by no other");
    }
}
