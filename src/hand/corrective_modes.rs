//! The pose correctives of a sequence as few fixed offsets with weights that change: what formats with morph targets take.
//!
//! A corrective is linear in the 135 numbers `R − I`, so the offsets of N poses are `O = F P` (N×135 by 135×3V). Their
//! singular vectors are found through two 135×135 eigenproblems: `P Pᵀ = U Λ Uᵀ`, `M = F U Λ^½`, `Mᵀ M = Q D Qᵀ`; then the
//! modes are `Pᵀ U Λ^-½ Q` (orthonormal) and their weights `M Q`. The modes with the largest `D` are kept.

use super::HandModel;
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// No vertex of a sequence is off by more than this, metres.
const TOLERANCE: f64 = 5e-5;

/// Offsets and their weights.
#[derive(Clone, Debug)]
pub struct CorrectiveModes {
    /// Offsets of the coarse vertices in the rest pose, metres, one list a mode.
    pub modes: Vec<Vec<[f64; 3]>>,
    /// Weights between −1 and 1, one list a pose.
    pub weights: Vec<Vec<f64>>,
    /// No vertex's offset is off by more than this because of the modes left out, metres.
    pub error: f64,
}

impl CorrectiveModes {
    /// Modes of a model for the features `R − I` of some poses; `None` when the model has no correctives.
    #[must_use]
    pub fn new(model: &HandModel, features: &[[f64; 135]]) -> Option<Self> {
        let directions = model.pose_directions.as_ref()?;
        let rows: Vec<&[f64; 135]> = directions.iter().flatten().collect();
        // P has a column for each coordinate of each vertex.
        let p = DMatrix::from_fn(135, rows.len(), |i, column| rows[column][i]);
        let f = DMatrix::from_fn(features.len(), 135, |i, j| features[i][j]);
        let gram = SymmetricEigen::new(&p * p.transpose());
        let largest = gram.eigenvalues.max().max(f64::MIN_POSITIVE);
        let root = gram.eigenvalues.map(|l| if l > 1e-14 * largest { l.sqrt() } else { 0.0 });
        let inverse = root.map(|r| if r > 0.0 { 1.0 / r } else { 0.0 });
        let m = f * &gram.eigenvectors * DMatrix::from_diagonal(&root);
        let SymmetricEigen { eigenvectors: q, eigenvalues } = SymmetricEigen::new(m.transpose() * &m);
        let mut order: Vec<usize> = (0..135).collect();
        order.sort_by(|&a, &b| eigenvalues[b].total_cmp(&eigenvalues[a]));
        let scores = &m * &q;
        // Norm of what modes from `k` on hold of each pose; a vertex cannot be off by more.
        let left = |k: usize| {
            (0..features.len())
                .map(|i| order[k..].iter().map(|&c| scores[(i, c)].powi(2)).sum::<f64>().sqrt())
                .fold(0.0, f64::max)
        };
        let count = (0..135).find(|&k| left(k) <= TOLERANCE).unwrap_or(135);
        let back = &gram.eigenvectors * DMatrix::from_diagonal(&inverse);
        let mut out = Self { modes: Vec::new(), weights: vec![Vec::new(); features.len()], error: left(count) };
        for &column in &order[..count] {
            let most = scores.column(column).amax();
            let mode: DVector<f64> = p.transpose() * (&back * q.column(column)) * most;
            out.modes.push(mode.as_slice().as_chunks::<3>().0.to_vec());
            for (i, weights) in out.weights.iter_mut().enumerate() {
                weights.push(scores[(i, column)] / most);
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::joint_frames;
    use super::super::skinning::pose_feature;
    use super::super::testing::{bent, model_with_correctives};
    use super::*;
    use crate::anatomy::Side;

    #[test]
    fn few_modes_give_back_the_offsets_of_a_closing_hand() {
        let model = model_with_correctives(Side::Right);
        let features: Vec<[f64; 135]> = (0..40)
            .map(|i| {
                let mut p = bent(Side::Right);
                p.hand_pose.iter_mut().for_each(|v| *v *= f64::from(i) / 39.0);
                pose_feature(&joint_frames(&[[0.0; 3]; 16], &p).local)
            })
            .collect();
        let modes = CorrectiveModes::new(&model, &features).expect("it has correctives");
        assert!((1..10).contains(&modes.modes.len()), "one motion needs few modes: {}", modes.modes.len());
        assert!(modes.error <= TOLERANCE, "within the tolerance");
        let directions = model.pose_directions.as_ref().expect("it has correctives");
        let mut most: f64 = 0.0;
        let mut size: f64 = 0.0;
        for (feature, weights) in features.iter().zip(&modes.weights) {
            assert!(weights.iter().all(|w| w.abs() <= 1.0 + 1e-9), "weights are at most one");
            for (v, rows) in directions.iter().enumerate() {
                for axis in 0..3 {
                    let exact: f64 = rows[axis].iter().zip(feature).map(|(d, f)| d * f).sum();
                    let sum: f64 = modes.modes.iter().zip(weights).map(|(m, w)| w * m[v][axis]).sum();
                    most = most.max((exact - sum).abs());
                    size = size.max(exact.abs());
                }
            }
        }
        assert!(size > 1e-3, "there is something to compress: {size} m");
        assert!(most <= modes.error + 1e-9, "off by {most} m, stated {}", modes.error);
        let plain = HandModel { pose_directions: None, ..model };
        assert!(CorrectiveModes::new(&plain, &features).is_none(), "a model without correctives has no modes");
    }
}
