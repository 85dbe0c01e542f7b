//! `AlexNet`'s convolutions as a `tract` graph with all five rectifiers as outputs; the only place of the metrics that
//! names `tract`.

use super::{Convolution, LAYERS, LpipsError};
use std::sync::Arc;
use tract_core::internal::{
    DatumExt as _, IntoRunnable, OutletId, SpecialOps as _, TValue, Tensor, TractResult, TypedModel,
    TypedRunnableModel, tvec,
};
use tract_core::ops::TypedOp;
use tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PaddingSpec, PoolSpec};
use tract_core::ops::math;
use tract_core::ops::nn::DataFormat;

/// Where a convolution looks.
pub(super) struct Window {
    /// Rows and columns.
    pub(super) kernel: usize,
    stride: usize,
    padding: usize,
    /// A 3×3 maximum with stride 2 stands before it.
    pooled: bool,
}

/// `AlexNet` as torchvision has it.
pub(super) const WINDOWS: [Window; LAYERS] = [
    Window { kernel: 11, stride: 4, padding: 2, pooled: false },
    Window { kernel: 5, stride: 1, padding: 2, pooled: true },
    Window { kernel: 3, stride: 1, padding: 1, pooled: true },
    Window { kernel: 3, stride: 1, padding: 1, pooled: false },
    Window { kernel: 3, stride: 1, padding: 1, pooled: false },
];

/// Smallest image of which the last layer sees a place: 7 places after the first convolution, 3 and 1 after the poolings.
pub(super) const LEAST_PX: usize = 31;

/// The network for images of one size.
pub(super) struct Network {
    plan: Arc<TypedRunnableModel>,
    shape: [usize; 4],
}

fn engine(error: impl std::fmt::Display) -> LpipsError {
    LpipsError::Engine(format!("{error:#}"))
}

impl Network {
    /// Prepares it for images of `height` × `width`.
    pub(super) fn new(convolutions: &[Convolution; LAYERS], [height, width]: [usize; 2]) -> Result<Self, LpipsError> {
        let shape = [1, 3, height, width];
        let plan =
            build(convolutions, &shape).and_then(TypedModel::into_optimized).and_then(IntoRunnable::into_runnable);
        Ok(Self { plan: plan.map_err(engine)?, shape })
    }

    /// Activations after each rectifier: channels, then rows.
    pub(super) fn run(&self, input: &[f32]) -> Result<Vec<Vec<f32>>, LpipsError> {
        let input = Tensor::from_shape(&self.shape, input).map_err(engine)?;
        let outputs = self.plan.run(tvec!(TValue::from(input))).map_err(engine)?;
        outputs
            .iter()
            .map(|t| t.try_as_plain_ram().and_then(|v| Ok(v.as_slice::<f32>()?.to_vec())).map_err(engine))
            .collect()
    }
}

fn build(convolutions: &[Convolution; LAYERS], shape: &[usize; 4]) -> TractResult<TypedModel> {
    let mut model = TypedModel::default();
    let mut at = model.add_source("input", f32::fact(shape))?;
    let mut outputs = Vec::with_capacity(LAYERS);
    for (k, (convolution, window)) in convolutions.iter().zip(&WINDOWS).enumerate() {
        let input_channels = convolution.kernel.shape[1];
        if window.pooled {
            let pool_spec = pool_spec(3, 2, 0, [input_channels; 2]);
            at = wire(&mut model, format!("pool{k}"), MaxPool { pool_spec, with_index_outputs: None }, &[at])?;
        }
        let channels = [input_channels, convolution.kernel.shape[0]];
        let conv = Conv {
            pool_spec: pool_spec(window.kernel, window.stride, window.padding, channels),
            kernel_fmt: KernelFormat::OIHW,
            group: 1,
            q_params: None,
        };
        let kernel = Tensor::from_shape(&convolution.kernel.shape, &convolution.kernel.values)?;
        let kernel = model.add_const(format!("kernel{k}"), kernel)?;
        let bias = Tensor::from_shape(&[convolution.bias.len()], &convolution.bias)?;
        let bias = model.add_const(format!("bias{k}"), bias)?;
        let linear = wire(&mut model, format!("conv{k}"), conv, &[at, kernel, bias])?;
        let zero = model.add_const(format!("zero{k}"), Tensor::from_shape(&[1, 1, 1, 1], &[0_f32])?)?;
        at = wire(&mut model, format!("relu{k}"), math::max(), &[linear, zero])?;
        outputs.push(at);
    }
    model.select_output_outlets(&outputs)?;
    Ok(model)
}

fn wire(
    model: &mut TypedModel,
    name: String,
    op: impl Into<Box<dyn TypedOp>>,
    inputs: &[OutletId],
) -> TractResult<OutletId> {
    Ok(model.wire_node(name, op, inputs)?[0])
}

fn pool_spec(kernel: usize, stride: usize, padding: usize, [input_channels, output_channels]: [usize; 2]) -> PoolSpec {
    PoolSpec {
        data_format: DataFormat::NCHW,
        kernel_shape: tvec!(kernel, kernel),
        padding: PaddingSpec::Explicit(tvec!(padding, padding), tvec!(padding, padding)),
        dilations: None,
        strides: Some(tvec!(stride, stride)),
        input_channels,
        output_channels,
    }
}
