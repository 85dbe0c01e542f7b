//! Mesh-based neural rendering (FMHR §3.4; DESIGN.md §3.4): a small network paints every visible pixel from what the mesh
//! says about it and from 20 learned numbers a vertex.
//!
//! # Theory
//! A photograph holds what albedo times spherical-harmonics light cannot say: gloss, tint, texture finer than the albedo.
//! Per pixel of the visibility buffer the network sees camera-space normal, albedo, rest-pose position, the direction it is
//! seen from and the features of the triangle's corners, mixed by the barycentrics. Its colour times the view's gain is held
//! against the photograph.
//!
//! # Where ours differs from the published code, on purpose
//! - "Position" is the rest-pose position; there it is fresh noise at every call.
//! - Each view's gain comes after the network, which paints one exposure for all: cameras differ, and a held-out camera's
//!   gain is not known beforehand.
//! - `compact` adds to the colour that HAM's albedo and the rig's mean light give ([`Output::Residual`]), so that it begins at
//!   the shaded picture; it is told that colour, the mirrored direction and the cosine too, and directions in the world, where
//!   the light stands still.
//! - Pixels are sampled (stratified by the seed), not all used in every step; only those that the mask surely holds.
//! - Sums over pixels into vertices are fixed point: two runs give the same bytes.
//! - `unet`, the published network over whole images, has its own list (`unet`).
//!
//! # Practice
//! Kernels work on rows of samples, a dispatch a layer: `gather` → `encode_*` → `linear` … → `colour_loss` and back. In the joint
//! refinement (`joint`) the way back goes on to the surface: `encode_*_grad` → `gather_grad`.

#[cfg(test)]
mod checks;
#[cfg(test)]
mod grad_checks;
mod guide;
mod joint;
mod layout;
#[cfg(test)]
mod layout_checks;
mod looks;
mod model;
mod network;
mod painter;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod reference_grad;
mod refine;
mod render;
mod settings;
mod shared;
#[cfg(test)]
mod tests;
mod training;
mod unet;
#[cfg(test)]
mod whole_image;

#[cfg(test)]
pub(crate) use checks::CHECKS;
#[cfg(test)]
pub(crate) use grad_checks::GRAD_CHECKS;
pub use joint::{JointLosses, JointScene, JointVerdict, JointView};
pub use layout::FEATURES;
pub use model::NeuralModel;
pub use refine::{JointStep, JointSurface};
pub use render::NeuralRenderer;
pub use settings::{NeuralKind, NeuralSettings, Output};
pub use shared::{SharedNetwork, SharedTraining};
pub use training::{Neural, NeuralMesh, NeuralReport, NeuralState, NeuralView};
#[cfg(test)]
pub(crate) use unet::UNET_CHECKS;

use crate::gpu::GpuError;

/// Why the stage stops, or a network cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NeuralError {
    /// The GPU.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A setting that no network has, or not this one.
    #[error("neural.{name} {problem}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Nothing to learn from.
    #[error(
        "no view shows the hands inside a mask that can be believed, so that there is nothing to learn colours from; look at \
         the masks (`thenar render --mode mask`)"
    )]
    NoView,
    /// The loss is NaN or infinite.
    #[error(
        "the neural loss is not finite at epoch {epoch}; the last good state is kept. Try a smaller --set neural.rate=…"
    )]
    Diverged {
        /// Epoch, from 1.
        epoch: u32,
    },
    /// Sums of gradients came near the range of their fixed-point representation.
    #[error(
        "the gradients of {numbers} features came near overflow; look at fewer pixels (--set neural.samples_per_view=…)"
    )]
    Overflow {
        /// How many.
        numbers: u32,
    },
    /// A network that was trained beforehand, of another kind than the run's, or damaged.
    #[error("this network cannot begin the run: {what}. {remedy}")]
    OtherNetwork {
        /// What differs.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A network of another mesh.
    #[error("this network was made for another mesh: {what}; train it again (`reconstruct --resume --until neural`)")]
    OtherMesh {
        /// What differs.
        what: String,
    },
}

#[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
fn to_f32(x: f64) -> f32 {
    x as f32
}
