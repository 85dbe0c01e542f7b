//! Linear blend skinning of many vertices, fast: skin weights without their zeros, joint transforms as plain 3×4 rows.

use super::skinning::JointFrames;
use crate::anatomy::JOINTS;
use nalgebra::{Matrix3, Vector3};

/// Rows of a 3×4 matrix `[R | o]`: `x = R v + o`.
pub(super) type Affine = [f64; 12];

/// Skin weights that are not zero, by vertex.
#[derive(Clone, Debug)]
pub struct SkinWeights {
    starts: Vec<u32>,
    joints: Vec<u8>,
    weights: Vec<f64>,
}

impl SkinWeights {
    /// From a dense table (V×16).
    #[must_use]
    pub fn new(dense: &[[f64; JOINTS]]) -> Self {
        let mut out = Self { starts: Vec::with_capacity(dense.len() + 1), joints: Vec::new(), weights: Vec::new() };
        out.starts.push(0);
        for row in dense {
            for (joint, &weight) in (0_u8..).zip(row) {
                if weight != 0.0 {
                    out.joints.push(joint);
                    out.weights.push(weight);
                }
            }
            out.starts.push(u32::try_from(out.joints.len()).expect("meshes here have far fewer than 2^32 weights"));
        }
        out
    }

    /// Number of vertices.
    #[must_use]
    pub fn vertices(&self) -> usize {
        self.starts.len() - 1
    }

    /// `(joint, weight)` of a vertex.
    pub fn row(&self, vertex: usize) -> impl Iterator<Item = (u8, f64)> + '_ {
        let range = self.starts[vertex] as usize..self.starts[vertex + 1] as usize;
        self.joints[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    /// The `N` largest weights of a vertex, largest first, divided by their sum; unused places have weight 0 at joint 0.
    /// Equal weights keep the order of their joints.
    #[must_use]
    pub fn largest<const N: usize>(&self, vertex: usize) -> [(u8, f64); N] {
        let mut all: Vec<(u8, f64)> = self.row(vertex).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        let sum: f64 = all.iter().take(N).map(|(_, w)| w).sum();
        std::array::from_fn(|i| all.get(i).map_or((0, 0.0), |&(joint, weight)| (joint, weight / sum)))
    }

    /// The blended transform of a vertex.
    pub(super) fn blend(&self, vertex: usize, transforms: &[Affine; JOINTS]) -> Affine {
        let mut out = [0.0; 12];
        for i in self.starts[vertex] as usize..self.starts[vertex + 1] as usize {
            let (weight, transform) = (self.weights[i], &transforms[self.joints[i] as usize]);
            for (o, t) in out.iter_mut().zip(transform) {
                *o += weight * t;
            }
        }
        out
    }
}

/// Transforms from rest to posed, one a joint: `x = R_j (v − J_j) + p_j`, before scale and translation.
pub(super) fn joint_transforms(frames: &JointFrames, rest_joints: &[[f64; 3]; JOINTS]) -> [Affine; JOINTS] {
    std::array::from_fn(|j| {
        let (r, o) = (frames.rotation[j], frames.position[j] - frames.rotation[j] * Vector3::from(rest_joints[j]));
        std::array::from_fn(|i| if i % 4 == 3 { o[i / 4] } else { r[(i / 4, i % 4)] })
    })
}

/// `R v + o`.
pub(super) fn transform(m: &Affine, v: &[f64; 3]) -> [f64; 3] {
    std::array::from_fn(|row| m[4 * row] * v[0] + m[4 * row + 1] * v[1] + m[4 * row + 2] * v[2] + m[4 * row + 3])
}

/// The two parts of a transform.
pub(super) fn parts(m: &Affine) -> (Matrix3<f64>, Vector3<f64>) {
    (Matrix3::from_fn(|r, c| m[4 * r + c]), Vector3::new(m[3], m[7], m[11]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_weights_are_renormalised_and_ties_keep_their_order() {
        let mut row = [0.0; JOINTS];
        (row[3], row[7], row[9], row[11], row[12]) = (0.1, 0.3, 0.3, 0.2, 0.1);
        let weights = SkinWeights::new(&[row, [1.0 / 16.0; JOINTS]]);
        let four: [(u8, f64); 4] = weights.largest(0);
        assert_eq!(four.map(|w| w.0), [7, 9, 11, 3], "largest first, the earlier of equals");
        assert!((four.iter().map(|w| w.1).sum::<f64>() - 1.0).abs() < 1e-15, "they sum to one");
        assert!((four[2].1 - 0.2 / 0.9).abs() < 1e-15, "each by the same factor");
        let one: [(u8, f64); 6] = weights.largest(0);
        assert_eq!(one[5], (0, 0.0), "places without a weight");
        assert_eq!((weights.vertices(), weights.row(1).count()), (2, 16), "every weight is kept");
    }
}
