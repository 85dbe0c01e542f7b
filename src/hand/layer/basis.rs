//! What pose numbers mean: axis-angle with or without the mean pose, or coefficients of the model's pose basis.

use super::HandModel;

/// `pose = base + Σ_k c_k · row_k`; without rows the numbers are the 45 axis-angle values themselves, added to the base.
#[derive(Clone, Debug, PartialEq)]
pub struct PoseBasis {
    /// Added to every pose: the model's mean, or zero in the flat-hand convention.
    pub base: [f64; 45],
    /// Directions; none for axis-angle.
    pub rows: Vec<[f64; 45]>,
}

impl PoseBasis {
    /// Axis-angle, with the model's mean added unless `flat`.
    #[must_use]
    pub fn axis_angle(model: &HandModel, flat: bool) -> Self {
        Self { base: if flat { [0.0; 45] } else { model.hands_mean }, rows: Vec::new() }
    }

    /// The first `components` (at least 1, at most the model's) directions of the model's basis, with the mean added unless
    /// `flat`.
    #[must_use]
    pub fn components(model: &HandModel, components: usize, flat: bool) -> Self {
        let count = components.clamp(1, model.hands_components.len().max(1));
        let rows = model.hands_components.iter().take(count).copied().collect();
        Self { rows, ..Self::axis_angle(model, flat) }
    }

    /// How many numbers a pose has in this basis.
    #[must_use]
    pub const fn numbers(&self) -> usize {
        if self.rows.is_empty() { 45 } else { self.rows.len() }
    }

    /// Axis-angle values of the joints 1 to 15. Missing numbers are zero, further ones are ignored.
    #[must_use]
    pub fn pose(&self, numbers: &[f64]) -> [f64; 45] {
        let mut pose = self.base;
        if self.rows.is_empty() {
            for (p, n) in pose.iter_mut().zip(numbers) {
                *p += n;
            }
        }
        for (row, n) in self.rows.iter().zip(numbers) {
            for (p, r) in pose.iter_mut().zip(row) {
                *p += r * n;
            }
        }
        pose
    }

    /// Gradient by the numbers, from that by the 45 axis-angle values.
    #[must_use]
    pub fn gradient(&self, by_pose: &[f64]) -> Vec<f64> {
        if self.rows.is_empty() {
            return by_pose.to_vec();
        }
        self.rows.iter().map(|row| row.iter().zip(by_pose).map(|(r, g)| r * g).sum()).collect()
    }
}
