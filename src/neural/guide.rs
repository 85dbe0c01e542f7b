//! The second network of the joint refinement: normal, albedo, rest position and the first network's colour → what is added to
//! that colour. It is small, knows no features and no directions, and no gradient goes back through the colour it is given, so
//! that what it cannot say with those few numbers must come from the surface.

use super::layout::{GuideParams, Shape, kernel};
use super::network::{Layers, LayersGrad};
use super::settings::Output;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, Recorder};
use crate::optimise::adam::Adam;

/// The second network on the device, forward and backward.
pub(super) struct Guide {
    pub weights: Buffer,
    pub adam: Adam,
    /// Samples whose shaded colour is the first network's.
    pub samples: Buffer,
    pub layers: Layers,
    pub grad: LayersGrad,
    kind: Output,
    params: Buffer,
    encode: Bound,
    encode_grad: Bound,
}

/// What it is bound to.
pub(super) struct Around<'a> {
    pub samples: &'a Buffer,
    /// Outputs of the first network, and the gradient to them.
    pub outputs: [&'a Buffer; 2],
    pub samples_grad: &'a Buffer,
    pub adam: &'a crate::gpu::Kernel,
}

impl Guide {
    pub(super) fn new(gpu: &Gpu, kind: Output, seed: u64, rows: u32, around: &Around<'_>) -> Result<Self, GpuError> {
        let shape = Shape::guide();
        // Silent at first: it begins by adding nothing.
        let first = shape.first_weights(seed ^ 0x0067_7569_6465, Output::Residual);
        let weights = Buffer::storage(gpu, "second network", &first)?;
        let layers = Layers::new(gpu, shape, rows, &weights)?;
        let grad = LayersGrad::new(gpu, &layers, rows, &weights, 0)?;
        let samples = Buffer::zeros(gpu, "second samples", around.samples.len_bytes())?;
        let params =
            Buffer::uniform(gpu, "second network", &GuideParams { rows, kind: kind.number(), weight: 0.0, pad: 0 })?;
        let encode = gpu.kernel(kernel::ENCODE_GUIDE)?.bind(&[
            ("params", &params),
            ("samples", around.samples),
            ("outputs", around.outputs[0]),
            ("inputs", &layers.rows_of[0]),
            ("guide_samples", &samples),
        ])?;
        let encode_grad = gpu.kernel(kernel::ENCODE_GUIDE_GRAD)?.bind(&[
            ("params", &params),
            ("samples", around.samples),
            ("outputs_grad", around.outputs[1]),
            ("inputs_grad", &grad.inputs_grad),
            ("samples_grad", around.samples_grad),
        ])?;
        let adam = Adam::new(gpu, around.adam, "adam second network", &weights, &grad.weights_grad)?;
        Ok(Self { weights, adam, samples, layers, grad, kind, params, encode, encode_grad })
    }

    /// The next records are of `rows` rows; `scale` leads from unit weights to the loss, `weight` is that of its part in the
    /// samples' gradient.
    pub(super) fn write(&self, gpu: &Gpu, rows: u32, scale: f32, weight: f32) {
        self.params.write(gpu, &[GuideParams { rows, kind: self.kind.number(), weight, pad: 0 }]);
        self.layers.write(gpu, rows);
        self.grad.write(gpu, &self.layers.shape, rows, scale);
    }

    pub(super) fn record(&self, recorder: &mut Recorder, rows: u32) {
        recorder.dispatch(&self.encode, rows);
        self.layers.record(recorder, rows);
    }

    /// Its weights' gradient, and the beginning of the samples': before the first network goes back, which uses up the
    /// gradient to its outputs.
    pub(super) fn record_grad(&self, recorder: &mut Recorder, rows: u32) {
        self.grad.record(recorder, &self.layers.shape, rows);
        recorder.dispatch(&self.encode_grad, rows);
    }
}
