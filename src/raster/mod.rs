//! Rasterisation: what is seen through each pixel.

pub mod cpu;
