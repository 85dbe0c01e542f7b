//! thenar: multi-view hand reconstruction by inverse rendering.
//!
//! One way through: `capture → pose → fit → HAM → (neural) → export`. See the modules in that order.

pub mod anatomy;
pub mod camera;
pub mod capture;
pub mod fitting;
pub mod gpu;
pub mod hand;
pub mod mesh;
pub mod pipeline;
