//! What was learned: weights, features, gains, and the numbers that belong to them.

use super::layout::{FEATURES, Shape};
use super::unet::UnetShape;
use super::{NeuralError, NeuralKind, Output};

/// A trained network with its vertices' features.
#[derive(Clone, Debug, PartialEq)]
pub struct NeuralModel {
    /// Which network.
    pub kind: NeuralKind,
    /// What its outputs mean.
    pub output: Output,
    /// Weights and biases of all layers, input by input, the biases behind each layer (`unet`: as its layout has them).
    pub weights: Vec<f32>,
    /// 20 numbers a vertex.
    pub features: Vec<f32>,
    /// RGB gains, one a view; `None` for views that took no part.
    pub gains: Vec<Option<[f32; 3]>>,
    /// The rig's light: nine coefficients.
    pub light: [f32; 9],
    /// Middle of the rest-pose positions and one over their extent.
    pub rest: [f32; 4],
}

impl NeuralModel {
    /// Whether it fits a mesh of so many vertices, and itself.
    ///
    /// # Errors
    /// [`NeuralError::OtherMesh`].
    pub fn check(&self, vertices: usize) -> Result<(), NeuralError> {
        if self.features.len() != vertices * FEATURES {
            let what =
                format!("it has features of {} vertices, the mesh has {vertices}", self.features.len() / FEATURES);
            return Err(NeuralError::OtherMesh { what });
        }
        if self.kind == NeuralKind::Unet {
            let what = || format!("it has {} weights, which no width of `unet` has", self.weights.len());
            return self.unet_width().map(|_| ()).ok_or_else(|| NeuralError::OtherMesh { what: what() });
        }
        let numbers = Shape::of(self.kind).numbers() as usize;
        if self.weights.len() != numbers {
            let what = format!("it has {} weights, `{}` has {numbers}", self.weights.len(), self.kind.name());
            return Err(NeuralError::OtherMesh { what });
        }
        Ok(())
    }

    /// Channels of `unet` at its largest size, which its weights tell by their number.
    pub(super) fn unet_width(&self) -> Option<u32> {
        UnetShape::width_of(self.weights.len())
    }
}
