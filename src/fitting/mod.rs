//! The fitting stages. Each has its settings, its step and its result type; stages see each other's results only.

mod distance;
pub mod ham;
pub mod hand_fit;
pub mod masks;
pub mod pose;
#[cfg(test)]
mod sweeps;
#[cfg(test)]
mod test_rig;
