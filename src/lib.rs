//! thenar: multi-view hand reconstruction by inverse rendering.
//!
//! One way through: `capture → pose → fit → HAM → neural → export`. See the modules in that order.

pub mod anatomy;
pub mod camera;
pub mod capture;
pub mod cli;
pub mod detect;
pub mod energy;
pub mod export;
mod files;
pub mod fitting;
pub mod gpu;
pub mod hand;
#[cfg(test)]
mod kernel_checks;
pub mod mesh;
pub mod metrics;
pub mod neural;
pub mod optimise;
pub mod pipeline;
pub mod posing;
pub mod preset;
pub mod raster;
pub mod regressor;
mod safetensors;
pub mod shading;
#[cfg(feature = "studio")]
pub mod studio;
pub mod synthetic;
pub mod texture;

// Test support shared with `tests/` names the crate by its public name.
#[cfg(test)]
extern crate self as thenar;
