//! The terms of the HAM loss, value and gradient together: image (photometric, silhouette), Laplacian, edges, displacement, lights.
//!
//! Units: positions in metres; weights are given by the stage, converted from the published frame (1 unit = 0.639 m).

pub mod image_loss;
pub mod laplacian;
pub mod light_prior;
pub mod shape_prior;
