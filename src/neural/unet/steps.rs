//! What the network is recorded from: one dispatch each, of which the uniform follows the image's size.

use super::layout::{ConvolutionParams, NormaliseParams, ResizeParams, Taps, kernel};
use crate::gpu::{Bound, Buffer, Gpu, GpuError, Kernel, Recorder};
use crate::neural::layout::{CHUNK, Layer, LayerParams, SumWeightsParams, kernel as common};

/// Pixels that one partial sum of statistics takes.
const NORM_CHUNK: u32 = 256;

/// Most bytes of partial sums of a weight's gradient; beyond, each takes more pixels.
const MOST_PARTIALS: u64 = 64 << 20;

/// The kernels, compiled once.
pub(super) struct Kernels {
    pub convolve: [Kernel; 3],
    pub linear: [Kernel; 3],
    pub sum: Kernel,
    pub halve: [Kernel; 2],
    pub double: [Kernel; 2],
    pub encode: Kernel,
    pub statistics: [Kernel; 2],
    pub normalise: [Kernel; 3],
}

impl Kernels {
    pub(super) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        let k = |name: &str| gpu.kernel(name);
        Ok(Self {
            convolve: [k(kernel::CONVOLVE)?, k(kernel::CONVOLVE_GRAD)?, k(kernel::CONVOLUTION_WEIGHT_GRAD)?],
            linear: [k(common::LINEAR)?, k(common::LINEAR_GRAD)?, k(common::WEIGHT_GRAD)?],
            sum: k(common::SUM_WEIGHTS)?,
            halve: [k(kernel::HALVE)?, k(kernel::HALVE_GRAD)?],
            double: [k(kernel::DOUBLE)?, k(kernel::DOUBLE_GRAD)?],
            encode: k(kernel::ENCODE_PART)?,
            statistics: [k(kernel::STATISTICS)?, k(kernel::SUM_STATISTICS)?],
            normalise: [k(kernel::NORMALISE)?, k(kernel::NORMALISE_SUMS)?, k(kernel::NORMALISE_GRAD)?],
        })
    }
}

/// Channels of an image that may be part of a wider one, in fours.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub stride: u32,
    pub first: u32,
}

impl Place {
    /// The image alone.
    pub(super) const fn alone(channels: u32) -> Self {
        Self { stride: channels / 4, first: 0 }
    }
}

/// How a convolution is done.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub place: Place,
    pub cut: bool,
    pub bordered: bool,
    pub adds: bool,
    /// Backward: channels that have no cut before them.
    pub free: u32,
}

/// What an invocation of a layer's kernel takes.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Outputs,
    Inputs,
    Weights,
}

/// What an invocation of a resizing or normalising kernel takes.
#[derive(Clone, Copy)]
pub(super) enum Over {
    Chunks,
    Channels,
    Pixels,
    /// Of the image of twice the size.
    FullPixels,
}

/// What stands in a uniform but for the size.
pub(super) enum Template {
    /// Nothing of its own.
    Encode,
    Convolution(ConvolutionParams, Side),
    Resize(ResizeParams, Over),
    Normalise(NormaliseParams, Over),
    Layer(LayerParams, Side),
    /// Of partial sums over so many pixels each; scaled or as they are.
    Sum(SumWeightsParams, u32, bool),
}

/// Pixels that one partial sum of a convolution's weights takes where there are at most `pixels`.
pub(super) fn chunk_of(taps: &Taps, pixels: u32) -> u32 {
    let mut chunk = CHUNK;
    while u64::from(pixels.div_ceil(chunk)) * u64::from(taps.numbers()) * 4 > MOST_PARTIALS && chunk < pixels {
        chunk *= 2;
    }
    chunk
}

pub(super) fn convolution(taps: &Taps, how: &How, chunk: u32) -> ConvolutionParams {
    ConvolutionParams {
        width: 0,
        height: 0,
        inputs: taps.inputs,
        outputs: taps.outputs,
        weights: taps.offset / 4,
        cut: u32::from(how.cut),
        bordered: u32::from(how.bordered),
        y_stride: how.place.stride,
        y_first: how.place.first,
        gate: how.free / 4,
        chunk,
        adds: u32::from(how.adds),
        biased: u32::from(taps.biased),
        pad: [0; 3],
    }
}

pub(super) const fn resize(channels: u32, full: Place) -> ResizeParams {
    ResizeParams {
        width: 0,
        height: 0,
        channels: channels / 4,
        full_stride: full.stride,
        full_first: full.first,
        pad: [0; 3],
    }
}

pub(super) const fn normalise(channels: u32, place: Place, coverage_stride: u32, weights: u32) -> NormaliseParams {
    NormaliseParams {
        pixels: 0,
        channels: channels / 4,
        chunk: NORM_CHUNK,
        y_stride: place.stride,
        y_first: place.first,
        coverage_stride,
        weights: weights / 4,
        pad: 0,
    }
}

/// Bytes of the partial sums of a normalisation of so many channels.
pub(super) fn norm_partials(channels: u32, pixels: u32) -> u64 {
    u64::from(pixels.div_ceil(NORM_CHUNK)) * 3 * u64::from(channels) * 4
}

pub(super) fn linear(layer: &Layer) -> LayerParams {
    LayerParams {
        rows: 0,
        inputs: layer.inputs,
        outputs: layer.outputs,
        weights: layer.offset / 4,
        cut: 0,
        first: 0,
        chunk: CHUNK,
        pad: 0,
    }
}

/// The sum of partial sums of `numbers` numbers, to `offset`.
pub(super) const fn sum(numbers: u32, offset: u32) -> SumWeightsParams {
    SumWeightsParams { count: 0, numbers: numbers / 4, offset: offset / 4, scale: 1.0 }
}

/// The sum of a normalisation's partial sums.
pub(super) const fn norm_sum(channels: u32, offset: u32, scaled: bool) -> Template {
    Template::Sum(sum(2 * channels, offset), NORM_CHUNK, scaled)
}

/// A dispatch. Its size is that of the image at `level`, for resizing of the half.
pub(super) struct Step {
    level: usize,
    template: Template,
    params: Option<Buffer>,
    bound: Bound,
}

impl Step {
    pub(super) fn new(
        gpu: &Gpu,
        kernel: &Kernel,
        level: usize,
        template: Template,
        buffers: &[(&str, &Buffer)],
    ) -> Result<Self, GpuError> {
        let params = match &template {
            Template::Encode => None,
            Template::Convolution(p, _) => Some(Buffer::uniform(gpu, "convolution", p)?),
            Template::Resize(p, _) => Some(Buffer::uniform(gpu, "resizing", p)?),
            Template::Normalise(p, _) => Some(Buffer::uniform(gpu, "normalisation", p)?),
            Template::Layer(p, _) => Some(Buffer::uniform(gpu, "layer", p)?),
            Template::Sum(p, _, _) => Some(Buffer::uniform(gpu, "weight sum", p)?),
        };
        let own = params.iter().map(|p| ("params", p));
        let bound = kernel.bind(&own.chain(buffers.iter().copied()).collect::<Vec<_>>())?;
        Ok(Self { level, template, params, bound })
    }

    const fn size(&self, size: [u32; 2]) -> [u32; 2] {
        [size[0] >> self.level, size[1] >> self.level]
    }

    /// The next records are of an image of this size; `scale` leads from the pixels' unit weights to the loss.
    pub(super) fn write(&self, gpu: &Gpu, size: [u32; 2], scale: f32) {
        let Some(params) = &self.params else { return };
        let [width, height] = self.size(size);
        let pixels = width * height;
        match &self.template {
            Template::Encode => {}
            Template::Convolution(p, _) => params.write(gpu, &[ConvolutionParams { width, height, ..*p }]),
            Template::Resize(p, _) => params.write(gpu, &[ResizeParams { width, height, ..*p }]),
            Template::Normalise(p, _) => params.write(gpu, &[NormaliseParams { pixels, ..*p }]),
            Template::Layer(p, _) => params.write(gpu, &[LayerParams { rows: pixels, ..*p }]),
            Template::Sum(p, chunk, scaled) => {
                let scale = if *scaled { scale } else { 1.0 };
                params.write(gpu, &[SumWeightsParams { count: pixels.div_ceil(*chunk), scale, ..*p }]);
            }
        }
    }

    fn invocations(&self, size: [u32; 2]) -> u32 {
        let [width, height] = self.size(size);
        let pixels = width * height;
        match &self.template {
            Template::Encode => pixels,
            Template::Convolution(p, Side::Outputs) => pixels / 4 * (p.outputs / 8),
            Template::Convolution(p, Side::Inputs) => pixels / 4 * (p.inputs / 8),
            Template::Convolution(p, Side::Weights) => {
                (9 * p.inputs / 8 + 1) * (p.outputs / 8) * pixels.div_ceil(p.chunk)
            }
            Template::Resize(p, Over::FullPixels) => 4 * pixels * p.channels,
            Template::Resize(p, _) => pixels * p.channels,
            Template::Normalise(p, Over::Chunks) => pixels.div_ceil(p.chunk) * p.channels,
            Template::Normalise(p, Over::Channels) => p.channels,
            Template::Normalise(p, _) => pixels * p.channels,
            Template::Layer(p, Side::Outputs) => pixels / 8 * (p.outputs / 8),
            Template::Layer(p, Side::Inputs) => pixels / 8 * (p.inputs / 8),
            Template::Layer(p, Side::Weights) => (p.inputs / 8 + 1) * (p.outputs / 8) * pixels.div_ceil(p.chunk),
            Template::Sum(p, _, _) => p.numbers,
        }
    }

    pub(super) fn record(&self, recorder: &mut Recorder, size: [u32; 2]) {
        recorder.dispatch(&self.bound, self.invocations(size));
    }
}
