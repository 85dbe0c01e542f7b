//! A `TFLite` network as a `tract` graph: the only place that names `tract`.
//!
//! `tract-tflite` 0.23 reads neither half-precision weights (`DEQUANTIZE`) nor `PRELU`, which both hand networks use, so the
//! file is read here ([`super::tflite`]) and the graph built from `tract-core`'s operators. Everything stays in NHWC order
//! and single precision. `PReLU` is `max(x, a·x)`, which holds for slopes `a ≤ 1`; others take
//! `max(x, 0) + a·min(x, 0)`.

use super::tflite::{Activation, Graph, Kind, Operator, TensorInfo, TfliteError, Values, Window};
use std::sync::Arc;
use tract_core::internal::{
    AxisOp, Datum as _, DatumExt as _, IntoRunnable, OutletId, SpecialOps as _, TValue, Tensor, ToDim as _, TractError,
    TractResult, TypedModel, TypedRunnableModel, tensor0, tensor1, tvec,
};
use tract_core::ops::array::{Pad, PadMode, TypedConcat};
use tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PaddingSpec, PoolSpec};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math;
use tract_core::ops::nn::{CoordTransformer, DataFormat, Interpolator, Nearest, Reduce, Reducer, Resize, sigmoid};

/// A network ready to run; clones share it.
#[derive(Clone)]
pub(super) struct Network {
    plan: Arc<TypedRunnableModel>,
    input: Vec<usize>,
}

/// Why a network cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum NetworkError {
    #[error(transparent)]
    File(#[from] TfliteError),
    #[error("the inference engine refused it: {0}")]
    Engine(String),
}

fn engine(error: impl std::fmt::Display) -> NetworkError {
    NetworkError::Engine(format!("{error:#}"))
}

impl Network {
    /// Reads a model file and prepares it for running.
    pub(super) fn read(file: &[u8]) -> Result<Self, NetworkError> {
        let graph = Graph::read(file)?;
        let input = graph.tensors[graph.input].shape.clone();
        let model = Builder::new(&graph).build().map_err(engine)?;
        let plan = model.into_optimized().and_then(IntoRunnable::into_runnable).map_err(engine)?;
        Ok(Self { plan, input })
    }

    /// Shape of the input: 1, height, width, channels.
    pub(super) fn input_shape(&self) -> &[usize] {
        &self.input
    }

    /// Runs the network; the outputs in the order of the file.
    pub(super) fn run(&self, input: &[f32]) -> Result<Vec<Vec<f32>>, NetworkError> {
        let input = Tensor::from_shape(&self.input, input).map_err(engine)?;
        let outputs = self.plan.run(tvec!(TValue::from(input))).map_err(engine)?;
        outputs
            .iter()
            .map(|t| t.try_as_plain_ram().and_then(|v| Ok(v.as_slice::<f32>()?.to_vec())).map_err(engine))
            .collect()
    }
}

/// Wires one operator after the other.
struct Builder<'a> {
    graph: &'a Graph,
    model: TypedModel,
    outlets: Vec<Option<OutletId>>,
    /// For names, which must be unique.
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn new(graph: &'a Graph) -> Self {
        Self { graph, model: TypedModel::default(), outlets: vec![None; graph.tensors.len()], nodes: 0 }
    }

    fn build(mut self) -> TractResult<TypedModel> {
        let shape = &self.graph.tensors[self.graph.input].shape;
        let source = self.model.add_source("input", f32::fact(shape))?;
        self.outlets[self.graph.input] = Some(source);
        for operator in &self.graph.operators {
            let outlet = self.operator(operator)?;
            let (found, expected) =
                (self.model.outlet_fact(outlet)?.shape.to_tvec(), &self.graph.tensors[operator.output].shape);
            let same = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| *a == b.to_dim());
            if !same {
                return refuse(format!("{:?} gives {found:?}, the file says {expected:?}", operator.kind));
            }
            self.outlets[operator.output] = Some(outlet);
        }
        let outputs = self.graph.outputs.iter().map(|o| self.outlet(*o)).collect::<TractResult<Vec<_>>>()?;
        self.model.select_output_outlets(&outputs)?;
        Ok(self.model)
    }

    fn name(&mut self, what: &str) -> String {
        self.nodes += 1;
        format!("{}.{what}", self.nodes)
    }

    fn wire(
        &mut self,
        what: &str,
        op: impl Into<Box<dyn tract_core::ops::TypedOp>>,
        inputs: &[OutletId],
    ) -> TractResult<OutletId> {
        let name = self.name(what);
        Ok(self.model.wire_node(name, op, inputs)?[0])
    }

    fn constant(&mut self, tensor: Tensor) -> TractResult<OutletId> {
        let name = self.name("constant");
        self.model.add_const(name, tensor)
    }

    fn info(&self, tensor: usize) -> &'a TensorInfo {
        &self.graph.tensors[tensor]
    }

    /// The value of a tensor: computed before, or a constant.
    fn outlet(&mut self, tensor: usize) -> TractResult<OutletId> {
        if let Some(outlet) = self.outlets[tensor] {
            return Ok(outlet);
        }
        let outlet = self.constant_of(tensor, &self.info(tensor).shape)?;
        self.outlets[tensor] = Some(outlet);
        Ok(outlet)
    }

    /// A float constant, in a shape of as many elements.
    fn constant_of(&mut self, tensor: usize, shape: &[usize]) -> TractResult<OutletId> {
        match &self.info(tensor).constant {
            Some(Values::Float(values)) => self.constant(Tensor::from_shape(shape, values)?),
            _ => refuse(format!("tensor {tensor} is used before it is computed")),
        }
    }

    fn ints(&self, operator: &Operator, input: usize) -> TractResult<&'a [i32]> {
        match operator.inputs.get(input).and_then(|t| self.info(*t).constant.as_ref()) {
            Some(Values::Int(values)) => Ok(values),
            _ => refuse(format!("{:?} needs constant numbers", operator.kind)),
        }
    }

    fn operator(&mut self, operator: &Operator) -> TractResult<OutletId> {
        let first = self.outlet(operator.inputs[0])?;
        let second = |at: &mut Self| match operator.inputs.get(1) {
            Some(input) => at.outlet(*input),
            None => refuse(format!("{:?} needs two inputs", operator.kind)),
        };
        match &operator.kind {
            Kind::Add(activation) => {
                let second = second(self)?;
                let sum = self.wire("add", math::add(), &[first, second])?;
                self.activate(sum, *activation)
            }
            Kind::Concatenation { axis } => {
                let inputs = operator.inputs.iter().map(|i| self.outlet(*i)).collect::<TractResult<Vec<_>>>()?;
                self.wire("concat", TypedConcat::new(*axis), &inputs)
            }
            Kind::Conv(window, activation) => self.convolve(operator, *window, *activation, false),
            Kind::DepthwiseConv(window, activation) => self.convolve(operator, *window, *activation, true),
            Kind::FullyConnected(activation) => self.fully_connected(operator, *activation),
            Kind::Logistic => self.wire("logistic", sigmoid(), &[first]),
            Kind::MaxPool { window, size } => {
                let channels = self.channels(operator.inputs[0])?;
                let pool_spec = pool_spec(window, size, channels, channels);
                self.wire("max_pool", MaxPool { pool_spec, with_index_outputs: None }, &[first])
            }
            Kind::Reshape => self.reshape(first, operator.inputs[0], operator.output),
            Kind::ResizeBilinear { half_pixel_centers } => self.resize(operator, *half_pixel_centers),
            Kind::Pad => {
                let pads: Option<Vec<(usize, usize)>> = self
                    .ints(operator, 1)?
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|[a, b]| Some((usize::try_from(*a).ok()?, usize::try_from(*b).ok()?)))
                    .collect();
                let Some(pads) = pads else { return refuse("negative padding".to_owned()) };
                self.wire("pad", Pad { pads, mode: PadMode::Constant(Arc::new(tensor0(0_f32))) }, &[first])
            }
            Kind::Mean => self.mean(operator),
            Kind::Prelu => self.prelu(operator),
        }
    }

    fn channels(&self, tensor: usize) -> TractResult<usize> {
        match self.info(tensor).shape[..] {
            [1, _, _, channels] => Ok(channels),
            ref other => refuse(format!("an image of shape {other:?}")),
        }
    }

    fn convolve(
        &mut self,
        operator: &Operator,
        window: Window,
        activation: Activation,
        depthwise: bool,
    ) -> TractResult<OutletId> {
        let [input, kernel, bias] = operator.inputs[..] else {
            return refuse("a convolution without bias".to_owned());
        };
        let (channels, shape) = (self.channels(input)?, &self.info(kernel).shape);
        // Kernels are out × rows × columns × in; depthwise ones 1 × rows × columns × out.
        let [out, rows, columns, last] = shape[..] else { return refuse(format!("a kernel of shape {shape:?}")) };
        let out = if depthwise { last } else { out };
        if last != channels {
            return refuse(format!("a kernel of shape {shape:?} on {channels} channels"));
        }
        let conv = Conv {
            pool_spec: pool_spec(&window, &[rows, columns], channels, out),
            kernel_fmt: KernelFormat::OHWI,
            group: if depthwise { channels } else { 1 },
            q_params: None,
        };
        let inputs = [self.outlet(input)?, self.outlet(kernel)?, self.outlet(bias)?];
        let result = self.wire("conv", conv, &inputs)?;
        self.activate(result, activation)
    }

    fn fully_connected(&mut self, operator: &Operator, activation: Activation) -> TractResult<OutletId> {
        let [input, weights, bias] = operator.inputs[..] else {
            return refuse("a dense layer without bias".to_owned());
        };
        let out = self.info(weights).shape[0];
        let inputs = [self.outlet(input)?, self.outlet(weights)?];
        let op = EinSum { axes: "BI,OI->BO".parse()?, q_params: None, operating_dt: f32::datum_type() };
        let product = self.wire("dense", op, &inputs)?;
        let bias = self.constant_of(bias, &[1, out])?;
        let sum = self.wire("bias", math::add(), &[product, bias])?;
        self.activate(sum, activation)
    }

    /// A scalar with as many axes as `like`.
    fn scalar(&mut self, value: f32, like: OutletId) -> TractResult<OutletId> {
        let rank = self.model.outlet_fact(like)?.rank();
        self.constant(Tensor::from_shape(&vec![1; rank], &[value])?)
    }

    fn activate(&mut self, x: OutletId, activation: Activation) -> TractResult<OutletId> {
        if activation == Activation::None {
            return Ok(x);
        }
        let zero = self.scalar(0.0, x)?;
        let positive = self.wire("relu", math::max(), &[x, zero])?;
        if activation == Activation::Relu {
            return Ok(positive);
        }
        let six = self.scalar(6.0, x)?;
        self.wire("relu6", math::min(), &[positive, six])
    }

    fn prelu(&mut self, operator: &Operator) -> TractResult<OutletId> {
        let x = self.outlet(operator.inputs[0])?;
        let channels = self.channels(operator.inputs[0])?;
        let slopes = operator.inputs.get(1).map(|t| (*t, &self.info(*t).constant));
        let Some((slopes, Some(Values::Float(values)))) = slopes else {
            return refuse("PRELU needs constant slopes".to_owned());
        };
        if values.len() != channels {
            return refuse(format!("{} slopes for {channels} channels", values.len()));
        }
        let gentle = values.iter().all(|a| *a <= 1.0);
        let slopes = self.constant_of(slopes, &[1, 1, 1, channels])?;
        if gentle {
            let scaled = self.wire("prelu_scaled", math::mul(), &[x, slopes])?;
            return self.wire("prelu", math::max(), &[x, scaled]);
        }
        let zero = self.scalar(0.0, x)?;
        let negative = self.wire("prelu_negative", math::min(), &[x, zero])?;
        let scaled = self.wire("prelu_scaled", math::mul(), &[negative, slopes])?;
        let positive = self.wire("prelu_positive", math::max(), &[x, zero])?;
        self.wire("prelu", math::add(), &[positive, scaled])
    }

    fn reshape(&mut self, x: OutletId, from: usize, to: usize) -> TractResult<OutletId> {
        let dims = |t: usize| self.info(t).shape.iter().map(|d| d.to_dim()).collect();
        let op = AxisOp::Reshape(0, dims(from), dims(to));
        self.wire("reshape", op, &[x])
    }

    fn resize(&mut self, operator: &Operator, half_pixel_centers: bool) -> TractResult<OutletId> {
        let x = self.outlet(operator.inputs[0])?;
        let sizes: Vec<_> = self.info(operator.output).shape.iter().map(|d| d.to_dim()).collect();
        let sizes = self.constant(tensor1(&sizes))?;
        let op = Resize {
            coord_transformer: if half_pixel_centers {
                CoordTransformer::HalfPixel
            } else {
                CoordTransformer::Asymmetric
            },
            interpolator: Interpolator::Linear,
            nearest: Nearest::Floor,
            optional_scales_input: None,
            optional_sizes_input: Some(1),
        };
        self.wire("resize", op, &[x, sizes])
    }

    fn mean(&mut self, operator: &Operator) -> TractResult<OutletId> {
        let x = self.outlet(operator.inputs[0])?;
        let shape = &self.info(operator.inputs[0]).shape;
        let axes: Option<Vec<usize>> =
            self.ints(operator, 1)?.iter().map(|a| usize::try_from(*a).ok().filter(|a| *a < shape.len())).collect();
        let Some(mut axes) = axes else { return refuse("MEAN over an axis that is not there".to_owned()) };
        axes.sort_unstable();
        let count: usize = axes.iter().map(|a| shape[*a]).product();
        let mut result =
            self.wire("sum", Reduce { axes: axes.iter().copied().collect(), reducer: Reducer::Sum }, &[x])?;
        #[expect(clippy::cast_precision_loss, reason = "a few hundred pixels")]
        let share = self.scalar(1.0 / count as f32, result)?;
        result = self.wire("mean", math::mul(), &[result, share])?;
        let keeps_axes = self.info(operator.output).shape.len() == shape.len();
        for axis in axes.iter().rev().filter(|_| !keeps_axes) {
            result = self.wire("squeeze", AxisOp::Rm(*axis), &[result])?;
        }
        Ok(result)
    }
}

fn pool_spec(window: &Window, size: &[usize; 2], input_channels: usize, output_channels: usize) -> PoolSpec {
    PoolSpec {
        data_format: DataFormat::NHWC,
        kernel_shape: tvec!(size[0], size[1]),
        padding: if window.same { PaddingSpec::SameUpper } else { PaddingSpec::Valid },
        dilations: Some(tvec!(window.dilations[0], window.dilations[1])),
        strides: Some(tvec!(window.strides[0], window.strides[1])),
        input_channels,
        output_channels,
    }
}

fn refuse<T>(problem: String) -> TractResult<T> {
    Err(TractError::msg(problem))
}
