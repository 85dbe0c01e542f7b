//! The network that is trained, forward and backward: rows of samples (`compact`, `paper`) or whole images (`unet`).

use super::layout::Shape;
use super::network::{Backward, Forward};
use super::settings::{NeuralKind, NeuralSettings};
use super::unet::{Unet, UnetGrad, UnetShape};
use crate::gpu::{Buffer, Gpu, GpuError, Recorder};

/// What a step looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    /// Rows of samples; of an image, its pixels.
    pub rows: u32,
    /// Width and height of an image.
    pub size: [u32; 2],
    /// Rows that can count.
    pub counted: u32,
}

/// See the module.
pub(super) enum Painter {
    Rows { shape: Shape, forward: Box<Forward>, backward: Box<Backward> },
    Image { unet: Box<Unet>, grad: Box<UnetGrad> },
}

/// The weights that a network of these settings begins with.
pub(super) fn first_weights(settings: &NeuralSettings, seed: u64) -> Vec<f32> {
    match settings.kind {
        NeuralKind::Compact | NeuralKind::Paper => Shape::of(settings.kind).first_weights(seed, settings.output),
        NeuralKind::Unet => UnetShape::published(settings.unet_width).first_weights(seed, settings.output),
    }
}

impl Painter {
    /// For at most `rows` rows a step.
    pub(super) fn new(
        gpu: &Gpu,
        settings: &NeuralSettings,
        rows: u32,
        [weights, features]: [&Buffer; 2],
        vertices: u32,
    ) -> Result<Self, GpuError> {
        if settings.kind == NeuralKind::Unet {
            let unet = Unet::new(gpu, settings.unet_width, rows, weights, features)?;
            let grad = UnetGrad::new(&unet, weights, features, vertices)?;
            return Ok(Self::Image { unet: Box::new(unet), grad: Box::new(grad) });
        }
        let forward = Forward::new(gpu, settings.kind, rows, weights, features)?;
        let backward = Backward::new(gpu, &forward, rows, weights, vertices, false)?;
        let shape = Shape::of(settings.kind);
        Ok(Self::Rows { shape, forward: Box::new(forward), backward: Box::new(backward) })
    }

    pub(super) const fn samples(&self) -> &Buffer {
        match self {
            Self::Rows { forward, .. } => &forward.samples,
            Self::Image { unet, .. } => &unet.samples,
        }
    }

    pub(super) fn outputs(&self) -> &Buffer {
        match self {
            Self::Rows { forward, .. } => forward.outputs(),
            Self::Image { unet, .. } => &unet.outputs,
        }
    }

    /// Gradient to the outputs, to be filled.
    pub(super) const fn outputs_grad(&self) -> &Buffer {
        match self {
            Self::Rows { backward, .. } => &backward.layers.outputs_grad,
            Self::Image { grad, .. } => &grad.outputs_grad,
        }
    }

    pub(super) const fn weights_grad(&self) -> &Buffer {
        match self {
            Self::Rows { backward, .. } => &backward.layers.weights_grad,
            Self::Image { grad, .. } => &grad.weights_grad,
        }
    }

    /// Fixed-point sums of the gradient to the features.
    pub(super) const fn feature_sums(&self) -> &Buffer {
        match self {
            Self::Rows { backward, .. } => &backward.feature_sums,
            Self::Image { grad, .. } => &grad.feature_sums,
        }
    }

    /// The next records are of `extent`; `dropped` of 65,536 rows, or images, do not tell where they are seen from, and `scale`
    /// leads from the samples' unit weights to the loss.
    pub(super) fn write(&self, gpu: &Gpu, extent: &Extent, seed: u32, dropped: u32, scale: f32) {
        match self {
            Self::Rows { shape, forward, backward } => {
                forward.write(gpu, extent.rows, seed, dropped);
                backward.write(gpu, shape, extent.rows, scale);
            }
            Self::Image { unet, grad } => {
                unet.write(extent.size, seed, dropped);
                grad.write(unet, extent.size, scale);
            }
        }
    }

    pub(super) fn record(&self, recorder: &mut Recorder, extent: &Extent) {
        match self {
            Self::Rows { forward, .. } => forward.record(recorder, extent.rows),
            Self::Image { unet, .. } => unet.record(recorder, extent.size),
        }
    }

    pub(super) fn record_grad(&self, recorder: &mut Recorder, extent: &Extent) {
        match self {
            Self::Rows { shape, backward, .. } => backward.record(recorder, shape, extent.rows),
            Self::Image { grad, .. } => grad.record(recorder, extent.size),
        }
    }
}
