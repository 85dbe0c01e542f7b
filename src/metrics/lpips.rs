//! LPIPS: distance of two images in the activations of a network that was trained to recognise objects (Zhang, Isola, Efros,
//! Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018), version 0.1
//! with `AlexNet`.
//!
//! Images are sRGB in −1..1, shifted and scaled as the network expects. After each of the five rectifiers the activations
//! are brought to unit length along the channels; the weighted squares of their differences are averaged over the places
//! and summed over the layers. The weights are the user's: they come with no part of this project. Their names and shapes
//! are those of the state of the Python package `lpips`.

mod network;

use self::network::Network;
use super::image::Picture;
use std::collections::BTreeMap;

/// Layers whose activations are compared.
const LAYERS: usize = 5;

/// What the package subtracts from and divides the channels by, before `AlexNet` (images in −1..1).
const SHIFT: [f64; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f64; 3] = [0.458, 0.448, 0.450];

/// Names of the convolutions in a state of the package `lpips`: they stand in slices of torchvision's list of layers.
const CONVOLUTIONS: [&str; LAYERS] = ["net.slice1.0", "net.slice2.3", "net.slice3.6", "net.slice4.8", "net.slice5.10"];

/// Why LPIPS cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum LpipsError {
    /// The weights are of something else.
    #[error("holds no weights of LPIPS with AlexNet: {0}. scripts/lpips_weights.py writes them")]
    Weights(String),
    /// The inference engine.
    #[error("the inference engine cannot run LPIPS: {0}")]
    Engine(String),
}

/// Numbers with their shape, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f32>,
}

/// A convolution: weights out × in × rows × columns, and a bias.
#[derive(Clone, Debug)]
struct Convolution {
    kernel: Weights,
    bias: Vec<f32>,
}

/// LPIPS with its weights.
#[derive(Clone, Debug)]
pub struct Lpips {
    convolutions: [Convolution; LAYERS],
    /// Weight of each channel of each layer.
    heads: [Vec<f32>; LAYERS],
}

impl Lpips {
    /// From the state of the package `lpips` by name.
    ///
    /// # Errors
    /// [`LpipsError::Weights`] when a tensor is missing, has another shape, or is not finite.
    pub fn from_tensors(tensors: BTreeMap<String, Weights>) -> Result<Self, LpipsError> {
        Self::checked(tensors).map_err(LpipsError::Weights)
    }

    fn checked(mut tensors: BTreeMap<String, Weights>) -> Result<Self, String> {
        let mut take = |name: &str| {
            let found = tensors.remove(name).ok_or_else(|| format!("there is no `{name}`"))?;
            if found.shape.iter().product::<usize>() != found.values.len() {
                return Err(format!("`{name}` has {} values in the shape {:?}", found.values.len(), found.shape));
            }
            if found.values.iter().all(|v| v.is_finite()) { Ok(found) } else { Err(format!("`{name}` is not finite")) }
        };
        let mut channels = 3;
        let mut convolutions = Vec::with_capacity(LAYERS);
        let mut heads = Vec::with_capacity(LAYERS);
        for (k, name) in CONVOLUTIONS.iter().enumerate() {
            let kernel = take(&format!("{name}.weight"))?;
            let size = network::WINDOWS[k].kernel;
            let &[out, input, rows, columns] = &kernel.shape[..] else {
                return Err(format!("`{name}.weight` has the shape {:?}", kernel.shape));
            };
            if out == 0 || [input, rows, columns] != [channels, size, size] {
                return Err(format!(
                    "`{name}.weight` has the shape {:?}, not N×{channels}×{size}×{size}",
                    kernel.shape
                ));
            }
            let bias = take(&format!("{name}.bias"))?.values;
            let head = take(&format!("lin{k}.model.1.weight"))?.values;
            if bias.len() != out || head.len() != out {
                return Err(format!("{} biases and {} weights for {out} channels of `{name}`", bias.len(), head.len()));
            }
            convolutions.push(Convolution { kernel, bias });
            heads.push(head);
            channels = out;
        }
        match (convolutions.try_into(), heads.try_into()) {
            (Ok(convolutions), Ok(heads)) => Ok(Self { convolutions, heads }),
            _ => Err("a layer is missing".to_owned()),
        }
    }

    /// The distance of two images, 0 for equal ones; `None` for images below 31 pixels a side, of which the
    /// last layers see nothing.
    ///
    /// # Errors
    /// [`LpipsError::Engine`].
    ///
    /// # Panics
    /// When the images differ in size.
    pub fn distance(&self, a: &Picture, b: &Picture) -> Result<Option<f64>, LpipsError> {
        assert!((a.width, a.height) == (b.width, b.height), "compared images have one size");
        if a.width.min(a.height) < network::LEAST_PX {
            return Ok(None);
        }
        let network = Network::new(&self.convolutions, [a.height, a.width])?;
        let (fa, fb) = (network.run(&input(a))?, network.run(&input(b))?);
        Ok(Some(self.heads.iter().zip(fa.iter().zip(&fb)).map(|(head, (a, b))| layer_distance(head, a, b)).sum()))
    }
}

/// Channels, then rows, shifted and scaled.
#[expect(clippy::cast_possible_truncation, reason = "single precision is what the network takes")]
fn input(picture: &Picture) -> Vec<f32> {
    let channel = |c: usize| picture.rgb.iter().map(move |p| ((2.0 * p[c] - 1.0 - SHIFT[c]) / SCALE[c]) as f32);
    (0..3).flat_map(channel).collect()
}

/// Mean over the places of the weighted squares of the differences between unit vectors of activations; `a` and `b` hold
/// one run of places a channel.
#[expect(clippy::cast_precision_loss, reason = "pixel counts are far below 2^53")]
fn layer_distance(head: &[f32], a: &[f32], b: &[f32]) -> f64 {
    let places = a.len() / head.len();
    let lengths = |features: &[f32]| {
        let mut squares = vec![0.0_f64; places];
        for channel in features.chunks_exact(places) {
            squares.iter_mut().zip(channel).for_each(|(s, v)| *s += f64::from(*v).powi(2));
        }
        squares.into_iter().map(|s| s.sqrt() + 1e-10).collect::<Vec<f64>>()
    };
    let (la, lb) = (lengths(a), lengths(b));
    let mut sum = 0.0;
    for ((weight, a), b) in head.iter().zip(a.chunks_exact(places)).zip(b.chunks_exact(places)) {
        let squares: f64 = (0..places).map(|i| (f64::from(a[i]) / la[i] - f64::from(b[i]) / lb[i]).powi(2)).sum();
        sum += f64::from(*weight) * squares;
    }
    sum / places as f64
}

#[cfg(test)]
mod tests;
