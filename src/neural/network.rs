//! A network on the device: encoding and layers forward, and everything backward that training needs.

use super::layout::{
    CHUNK, EncodeParams, FEATURES, LayerParams, SAMPLE_STRIDE, ScatterParams, Shape, SumWeightsParams, basis, kernel,
};
use super::settings::NeuralKind;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, Recorder};

/// Octaves of the published encoding.
pub(super) const OCTAVES: u32 = 2;

/// The layers of a network, for at most as many rows as they were made for.
pub(super) struct Layers {
    pub shape: Shape,
    /// Inputs of each layer, then the outputs of the last: rows of eight of which three are used.
    pub rows_of: Vec<Buffer>,
    params: Vec<Buffer>,
    bound: Vec<Bound>,
}

impl Layers {
    pub(super) fn new(gpu: &Gpu, shape: Shape, rows: u32, weights: &Buffer) -> Result<Self, GpuError> {
        let zeros = |name: &str, numbers: u32| Buffer::zeros(gpu, name, u64::from(rows) * u64::from(numbers) * 4);
        let mut rows_of = vec![zeros("network inputs", shape.inputs())?];
        for layer in &shape.layers {
            rows_of.push(zeros("layer outputs", layer.outputs)?);
        }
        let linear = gpu.kernel(kernel::LINEAR)?;
        let (mut bound, mut params) = (Vec::new(), Vec::new());
        for (l, layer) in shape.layers.iter().enumerate() {
            let uniform = Buffer::uniform(gpu, "layer", &layer_of(layer, rows, u32::from(layer.cut), 0))?;
            let (x, y) = (&rows_of[l], &rows_of[l + 1]);
            bound.push(linear.bind(&[("params", &uniform), ("weights", weights), ("x", x), ("y", y)])?);
            params.push(uniform);
        }
        Ok(Self { shape, rows_of, params, bound })
    }

    pub(super) fn outputs(&self) -> &Buffer {
        &self.rows_of[self.rows_of.len() - 1]
    }

    /// The next records are of `rows` rows (a multiple of eight).
    pub(super) fn write(&self, gpu: &Gpu, rows: u32) {
        for (layer, params) in self.shape.layers.iter().zip(&self.params) {
            params.write(gpu, &[layer_of(layer, rows, u32::from(layer.cut), 0)]);
        }
    }

    pub(super) fn record(&self, recorder: &mut Recorder, rows: u32) {
        for (bound, layer) in self.bound.iter().zip(&self.shape.layers) {
            recorder.dispatch(bound, rows / 8 * (layer.outputs / 8));
        }
    }
}

/// Samples → inputs → outputs, for at most as many rows as it was made for.
pub(super) struct Forward {
    pub layers: Layers,
    /// What the network is told, seven `vec4<u32>` a row.
    pub samples: Buffer,
    /// Uniform of the encoding, which its gradient shares.
    pub encode_params: Buffer,
    encode: Bound,
}

impl Forward {
    pub(super) fn new(
        gpu: &Gpu,
        kind: NeuralKind,
        rows: u32,
        weights: &Buffer,
        features: &Buffer,
    ) -> Result<Self, GpuError> {
        let samples = Buffer::zeros(gpu, "samples", u64::from(rows) * SAMPLE_STRIDE as u64 * 16)?;
        let layers = Layers::new(gpu, Shape::of(kind), rows, weights)?;
        let first = EncodeParams { rows, seed: 0, dropped: 0, octaves: OCTAVES, basis: basis() };
        let encode_params = Buffer::uniform(gpu, "encoding", &first)?;
        let encode = gpu.kernel(match kind {
            NeuralKind::Compact => kernel::ENCODE_COMPACT,
            NeuralKind::Paper | NeuralKind::Unet => kernel::ENCODE_PAPER,
        })?;
        let encode = encode.bind(&[
            ("params", &encode_params),
            ("samples", &samples),
            ("features", features),
            ("inputs", &layers.rows_of[0]),
        ])?;
        Ok(Self { layers, samples, encode_params, encode })
    }

    pub(super) fn outputs(&self) -> &Buffer {
        self.layers.outputs()
    }

    /// The next records are of `rows` rows (a multiple of eight); `dropped` of 65,536 do not tell where they are seen from.
    pub(super) fn write(&self, gpu: &Gpu, rows: u32, seed: u32, dropped: u32) {
        self.encode_params.write(gpu, &[EncodeParams { rows, seed, dropped, octaves: OCTAVES, basis: basis() }]);
        self.layers.write(gpu, rows);
    }

    pub(super) fn record(&self, recorder: &mut Recorder, rows: u32) {
        recorder.dispatch(&self.encode, rows);
        self.layers.record(recorder, rows);
    }
}

fn layer_of(layer: &super::layout::Layer, rows: u32, cut: u32, first: u32) -> LayerParams {
    LayerParams {
        rows,
        inputs: layer.inputs,
        outputs: layer.outputs,
        weights: layer.offset / 4,
        cut,
        first,
        chunk: CHUNK,
        pad: 0,
    }
}

/// The way back through [`Layers`], to their weights and, from one of them on, to their inputs.
pub(super) struct LayersGrad {
    /// Gradient to the outputs, to be filled.
    pub outputs_grad: Buffer,
    /// Gradient to the inputs, rows as wide as they are.
    pub inputs_grad: Buffer,
    /// Gradient to all weights and biases.
    pub weights_grad: Buffer,
    first: u32,
    input_params: Vec<Buffer>,
    input_grads: Vec<Bound>,
    weight_grads: Vec<Bound>,
    sum_params: Vec<Buffer>,
    sums: Vec<Bound>,
}

impl LayersGrad {
    /// `first` is the first input that a gradient is wanted for; a multiple of eight.
    pub(super) fn new(gpu: &Gpu, layers: &Layers, rows: u32, weights: &Buffer, first: u32) -> Result<Self, GpuError> {
        let shape = &layers.shape;
        let wide = u64::from(rows) * u64::from(shape.width()) * 4;
        // Layers take turns in two buffers: what one leaves, the next below reads.
        let turns = [Buffer::zeros(gpu, "layer gradient", wide)?, Buffer::zeros(gpu, "layer gradient", wide)?];
        let weights_grad = Buffer::zeros(gpu, "weight gradient", u64::from(shape.numbers()) * 4)?;
        let largest = shape.layers.iter().map(super::layout::Layer::numbers).max().unwrap_or(0);
        let partials = Buffer::zeros(gpu, "weight sums", u64::from(rows.div_ceil(CHUNK)) * u64::from(largest) * 4)?;
        let kernels = [gpu.kernel(kernel::LINEAR_GRAD)?, gpu.kernel(kernel::WEIGHT_GRAD)?];
        let sum = gpu.kernel(kernel::SUM_WEIGHTS)?;
        let (mut input_params, mut input_grads, mut weight_grads) = (Vec::new(), Vec::new(), Vec::new());
        let (mut sum_params, mut sums) = (Vec::new(), Vec::new());
        for (l, layer) in shape.layers.iter().enumerate() {
            let first = if l == 0 { first } else { 0 };
            let params = Buffer::uniform(gpu, "layer", &layer_of(layer, rows, u32::from(l > 0), first))?;
            let x = &layers.rows_of[l];
            let (y_grad, x_grad) = (&turns[l % 2], &turns[(l + 1) % 2]);
            input_grads.push(kernels[0].bind(&[
                ("params", &params),
                ("weights", weights),
                ("x", x),
                ("y_grad", y_grad),
                ("x_grad", x_grad),
            ])?);
            weight_grads.push(kernels[1].bind(&[
                ("params", &params),
                ("x", x),
                ("y_grad", y_grad),
                ("partials", &partials),
            ])?);
            let summing = Buffer::uniform(gpu, "weight sum", &sum_of(layer, rows, 0.0))?;
            sums.push(sum.bind(&[("params", &summing), ("partials", &partials), ("weights_grad", &weights_grad)])?);
            input_params.push(params);
            sum_params.push(summing);
        }
        let last = shape.layers.len() - 1;
        let [even, odd] = turns;
        Ok(Self {
            outputs_grad: if last.is_multiple_of(2) { even } else { odd.clone() },
            inputs_grad: odd,
            weights_grad,
            first,
            input_params,
            input_grads,
            weight_grads,
            sum_params,
            sums,
        })
    }

    /// The next records are of `rows` rows; `scale` leads from the samples' unit weights to the loss.
    pub(super) fn write(&self, gpu: &Gpu, shape: &Shape, rows: u32, scale: f32) {
        for (l, layer) in shape.layers.iter().enumerate() {
            let first = if l == 0 { self.first } else { 0 };
            self.input_params[l].write(gpu, &[layer_of(layer, rows, u32::from(l > 0), first)]);
            self.sum_params[l].write(gpu, &[sum_of(layer, rows, scale)]);
        }
    }

    pub(super) fn record(&self, recorder: &mut Recorder, shape: &Shape, rows: u32) {
        for (l, layer) in shape.layers.iter().enumerate().rev() {
            let tiles = (layer.inputs / 8 + 1) * (layer.outputs / 8);
            recorder.dispatch(&self.weight_grads[l], tiles * rows.div_ceil(CHUNK));
            recorder.dispatch(&self.sums[l], layer.numbers() / 4);
            let first = if l == 0 { self.first } else { 0 };
            recorder.dispatch(&self.input_grads[l], rows / 8 * ((layer.inputs - first) / 8));
        }
    }
}

/// The way back through a [`Forward`], to its weights and features.
pub(super) struct Backward {
    pub layers: LayersGrad,
    /// Fixed-point sums of the gradient to the features.
    pub feature_sums: Buffer,
    scatter_params: Buffer,
    scatter: Bound,
}

impl Backward {
    /// With a gradient to all inputs, or only to those from the first feature on.
    pub(super) fn new(
        gpu: &Gpu,
        forward: &Forward,
        rows: u32,
        weights: &Buffer,
        vertices: u32,
        all_inputs: bool,
    ) -> Result<Self, GpuError> {
        let shape = &forward.layers.shape;
        let first = if all_inputs { 0 } else { shape.first_feature };
        let layers = LayersGrad::new(gpu, &forward.layers, rows, weights, first)?;
        let feature_sums = Buffer::zeros(gpu, "feature sums", u64::from(vertices) * FEATURES as u64 * 4)?;
        let scatter_params = Buffer::uniform(gpu, "features", &scatter_of(shape, rows))?;
        let scatter = gpu.kernel(kernel::SCATTER)?.bind(&[
            ("params", &scatter_params),
            ("samples", &forward.samples),
            ("inputs_grad", &layers.inputs_grad),
            ("features_grad", &feature_sums),
        ])?;
        Ok(Self { layers, feature_sums, scatter_params, scatter })
    }

    /// The next records are of `rows` rows; `scale` leads from the samples' unit weights to the loss.
    pub(super) fn write(&self, gpu: &Gpu, shape: &Shape, rows: u32, scale: f32) {
        self.layers.write(gpu, shape, rows, scale);
        self.scatter_params.write(gpu, &[scatter_of(shape, rows)]);
    }

    pub(super) fn record(&self, recorder: &mut Recorder, shape: &Shape, rows: u32) {
        self.layers.record(recorder, shape, rows);
        recorder.dispatch(&self.scatter, rows);
    }
}

fn sum_of(layer: &super::layout::Layer, rows: u32, scale: f32) -> SumWeightsParams {
    SumWeightsParams { count: rows.div_ceil(CHUNK), numbers: layer.numbers() / 4, offset: layer.offset / 4, scale }
}

fn scatter_of(shape: &Shape, rows: u32) -> ScatterParams {
    let features = u32::try_from(FEATURES).unwrap_or(0);
    ScatterParams { rows, inputs: shape.inputs(), first: shape.first_feature, features }
}
