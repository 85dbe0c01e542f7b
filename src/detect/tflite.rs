//! What is needed of the `TFLite` model format: float networks whose weights may be stored in half precision.
//!
//! Field numbers and enumerations are those of `schema.fbs` of `TensorFlow` Lite, version 3. Operators beyond the thirteen
//! that MediaPipe's two hand networks use are refused by name of their number.

use super::flatbuffer::{Malformed, Table};

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TfliteError {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("it uses {0}, which is not supported")]
    Unsupported(String),
    #[error("it contradicts itself: {0}")]
    Inconsistent(String),
}

/// Values of a constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Float(Vec<f32>),
    Int(Vec<i32>),
}

/// A tensor: computed, or constant.
#[derive(Clone, Debug)]
pub(super) struct TensorInfo {
    pub(super) shape: Vec<usize>,
    pub(super) constant: Option<Values>,
}

/// What follows an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    None,
    Relu,
    Relu6,
}

/// A sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// `SAME` padding, else `VALID`.
    pub(super) same: bool,
    /// Rows, columns.
    pub(super) strides: [usize; 2],
    /// Rows, columns.
    pub(super) dilations: [usize; 2],
}

/// An operator with its options.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Add(Activation),
    Concatenation { axis: usize },
    Conv(Window, Activation),
    DepthwiseConv(Window, Activation),
    FullyConnected(Activation),
    Logistic,
    MaxPool { window: Window, size: [usize; 2] },
    Reshape,
    ResizeBilinear { half_pixel_centers: bool },
    Pad,
    Mean,
    Prelu,
}

/// An operator in the order of computation.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    pub(super) kind: Kind,
    /// Tensor numbers, in range.
    pub(super) inputs: Vec<usize>,
    /// Tensor number, in range.
    pub(super) output: usize,
}

/// A network of one subgraph.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) input: usize,
    pub(super) outputs: Vec<usize>,
    pub(super) operators: Vec<Operator>,
}

/// Largest tensor, in elements; those of the two networks stay below two millions.
const MAX_ELEMENTS: usize = 1 << 26;

impl Graph {
    /// Reads a model file.
    pub(super) fn read(file: &[u8]) -> Result<Self, TfliteError> {
        let model = Table::root(file, b"TFL3")?;
        let buffers = model.tables(4)?;
        let subgraphs = model.tables(2)?;
        let [subgraph] = subgraphs.as_slice() else {
            return Err(TfliteError::Unsupported(format!("{} subgraphs", subgraphs.len())));
        };
        let mut tensors: Vec<TensorInfo> =
            subgraph.tables(0)?.iter().map(|tensor| read_tensor(tensor, &buffers)).collect::<Result<_, _>>()?;
        let known = |i: i32| {
            usize::try_from(i)
                .ok()
                .filter(|i| *i < tensors.len())
                .ok_or_else(|| TfliteError::Inconsistent(format!("there is no tensor {i}")))
        };
        let numbers = |list: Vec<i32>| list.into_iter().map(known).collect::<Result<Vec<usize>, _>>();
        let inputs = numbers(subgraph.i32s(1)?)?;
        let outputs = numbers(subgraph.i32s(2)?)?;
        let [input] = inputs[..] else {
            return Err(TfliteError::Unsupported(format!("{} inputs", inputs.len())));
        };
        let codes: Vec<i32> = model.tables(1)?.iter().map(operator_code).collect::<Result<_, _>>()?;
        let mut operators = Vec::new();
        let mut aliases = Vec::new();
        for operator in subgraph.tables(3)? {
            let code = *codes
                .get(operator.index(0)?)
                .ok_or_else(|| TfliteError::Inconsistent("an operator code is missing".to_owned()))?;
            let (inputs, outputs) = (numbers(operator.i32s(1)?)?, numbers(operator.i32s(2)?)?);
            let ([first, ..], [output]) = (&inputs[..], &outputs[..]) else {
                return Err(TfliteError::Unsupported(format!("operator {code} with {} outputs", outputs.len())));
            };
            if code == DEQUANTIZE {
                aliases.push((*output, *first));
            } else {
                operators.push(Operator { kind: kind(code, &operator)?, output: *output, inputs });
            }
        }
        // Half-precision weights were widened when they were read: what DEQUANTIZE gives is the constant itself.
        for (to, from) in aliases {
            if tensors[from].constant.is_none() {
                return Err(TfliteError::Unsupported("dequantization of computed values".to_owned()));
            }
            tensors[to].constant = tensors[from].constant.clone();
        }
        Ok(Self { tensors, input, outputs, operators })
    }
}

const DEQUANTIZE: i32 = 6;

/// New files keep the number in field 3, old ones (below 127) in field 0.
fn operator_code(code: &Table<'_>) -> Result<i32, TfliteError> {
    Ok(code.i32(3, 0)?.max(i32::from(code.i8(0, 0)?)))
}

fn read_tensor(tensor: &Table<'_>, buffers: &[Table<'_>]) -> Result<TensorInfo, TfliteError> {
    let shape: Vec<usize> = tensor
        .i32s(0)?
        .into_iter()
        .map(|d| usize::try_from(d).ok().filter(|d| *d > 0))
        .collect::<Option<_>>()
        .ok_or_else(|| TfliteError::Unsupported("a tensor of unknown shape".to_owned()))?;
    let elements = shape
        .iter()
        .try_fold(1_usize, |n, d| n.checked_mul(*d))
        .filter(|n| *n <= MAX_ELEMENTS)
        .ok_or_else(|| TfliteError::Unsupported(format!("a tensor of shape {shape:?}")))?;
    let data = match buffers.get(tensor.index(2)?) {
        Some(buffer) => buffer.u8s(0)?,
        None => return Err(TfliteError::Inconsistent("a buffer is missing".to_owned())),
    };
    let constant = if data.is_empty() {
        None
    } else {
        let values = match tensor.i8(1, 0)? {
            0 => Values::Float(data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            1 => Values::Float(data.as_chunks::<2>().0.iter().map(|b| widen(u16::from_le_bytes(*b))).collect()),
            2 => Values::Int(data.as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect()),
            other => return Err(TfliteError::Unsupported(format!("constants of type {other}"))),
        };
        let count = match &values {
            Values::Float(v) => v.len(),
            Values::Int(v) => v.len(),
        };
        if count != elements {
            return Err(TfliteError::Inconsistent(format!("{count} values for the shape {shape:?}")));
        }
        Some(values)
    };
    Ok(TensorInfo { shape, constant })
}

/// An IEEE half-precision number.
fn widen(half: u16) -> f32 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = ((half >> 10) & 0x1f, f32::from(half & 0x3ff));
    match exponent {
        0 => sign * fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        e => sign * (1024.0 + fraction) * 2.0_f32.powi(i32::from(e) - 25),
    }
}

fn activation(code: i8) -> Result<Activation, TfliteError> {
    match code {
        0 => Ok(Activation::None),
        1 => Ok(Activation::Relu),
        3 => Ok(Activation::Relu6),
        other => Err(TfliteError::Unsupported(format!("activation {other}"))),
    }
}

/// Options of an operator; fields as in the schema.
fn kind(code: i32, operator: &Table<'_>) -> Result<Kind, TfliteError> {
    let options = operator.table(4)?;
    let number = |field: usize, default: i32| options.map_or(Ok(default), |o| o.i32(field, default));
    let byte = |field: usize| options.map_or(Ok(0), |o| o.i8(field, 0));
    let positive = |field: usize, default: i32| -> Result<usize, TfliteError> {
        let value = number(field, default)?;
        usize::try_from(value)
            .ok()
            .filter(|v| (1..=64).contains(v))
            .ok_or_else(|| TfliteError::Inconsistent(format!("a stride or size of {value}")))
    };
    // Width comes before height in the schema.
    let window = |dilation: Option<usize>| -> Result<Window, TfliteError> {
        let dilations = dilation.map_or(Ok([1, 1]), |w| Ok([positive(w + 1, 1)?, positive(w, 1)?]));
        let dilations: Result<[usize; 2], TfliteError> = dilations;
        Ok(Window { same: byte(0)? == 0, strides: [positive(2, 1)?, positive(1, 1)?], dilations: dilations? })
    };
    Ok(match code {
        0 => Kind::Add(activation(byte(0)?)?),
        2 if activation(byte(1)?)? == Activation::None => {
            let axis = usize::try_from(number(0, 0)?);
            Kind::Concatenation { axis: axis.map_err(|_| TfliteError::Unsupported("a negative axis".to_owned()))? }
        }
        3 => Kind::Conv(window(Some(4))?, activation(byte(3)?)?),
        4 => Kind::DepthwiseConv(window(Some(5))?, activation(byte(4)?)?),
        9 if byte(1)? == 0 => Kind::FullyConnected(activation(byte(0)?)?),
        14 => Kind::Logistic,
        17 if activation(byte(5)?)? == Activation::None => {
            Kind::MaxPool { window: window(None)?, size: [positive(4, 1)?, positive(3, 1)?] }
        }
        22 => Kind::Reshape,
        23 if byte(2)? == 0 => Kind::ResizeBilinear { half_pixel_centers: byte(3)? != 0 },
        34 => Kind::Pad,
        40 => Kind::Mean,
        54 => Kind::Prelu,
        other => return Err(TfliteError::Unsupported(format!("operator {other} in this form"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_numbers() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
        ] {
            assert_eq!(widen(bits), value, "{bits:#06x}");
        }
        assert!(widen(0x7e00).is_nan(), "no number");
    }

    #[test]
    fn what_is_no_model_is_refused() {
        assert!(matches!(Graph::read(b""), Err(TfliteError::Malformed(_))), "an empty file");
        assert!(matches!(Graph::read(b"\x08\0\0\0TFL2\0\0\0\0"), Err(TfliteError::Malformed(_))), "another version");
    }
}
