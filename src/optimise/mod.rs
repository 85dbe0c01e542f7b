//! Optimisers and reductions over flat buffers: Adam, fixed-order sums, and the hand-over from fixed point to floats.

pub mod adam;
pub mod add;
pub mod diffuse;
pub mod sum;
pub mod unpack;
