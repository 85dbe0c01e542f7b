//! The stages. Each takes the former stage's result by value and cannot see earlier ones.

pub mod ham;
