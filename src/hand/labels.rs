//! Words and regions of a hand model that no computation needs: names of the axes, and which faces are nails.

use crate::anatomy::TIPS;

/// What a model's numbers mean. Empty for models that do not say (MANO).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelLabels {
    /// Name of each of the 10 shape components, or empty.
    pub shape_names: Vec<String>,
    /// Name of each of the 45 rows of the pose basis, or empty.
    pub pose_names: Vec<String>,
    /// Faces of each nail: thumb, index, middle, ring, pinky; ascending; all empty when unknown.
    pub nail_faces: [Vec<u32>; TIPS],
}

impl ModelLabels {
    /// Index of the shape component of this name.
    #[must_use]
    pub fn shape_component(&self, name: &str) -> Option<usize> {
        self.shape_names.iter().position(|n| n == name)
    }

    /// Row of the pose basis of this name.
    #[must_use]
    pub fn pose_component(&self, name: &str) -> Option<usize> {
        self.pose_names.iter().position(|n| n == name)
    }
}
