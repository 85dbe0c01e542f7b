//! Moving hands against their truth: how far the joints are off, and how much they tremble.
//!
//! The tremble is the second difference of the *error* over three frames in a row: a movement that is followed exactly has
//! none, however fast it is.

use crate::anatomy::{KEYPOINTS, Side};
use nalgebra::Vector3;
use serde::Serialize;

/// Errors of all frames.
#[derive(Clone, Debug, Default)]
pub struct MotionFrames {
    /// By side: number of the frame, error of each joint, metres.
    errors: [Vec<(u32, [Vector3<f64>; KEYPOINTS])>; 2],
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MotionScore {
    /// Frames.
    pub frames: usize,
    /// Frames that have a left and a right hand.
    pub hands: [usize; 2],
    /// Mean distance of a joint from the truth, millimetres.
    pub joint_mean_mm: f64,
    /// The largest mean of a frame's hand, millimetres.
    pub joint_worst_frame_mm: f64,
    /// Root mean square length of the error's second differences, millimetres.
    pub jitter_mm: f64,
}

impl MotionFrames {
    /// Adds a hand of a frame; frames of a hand come in the order of their numbers.
    pub fn push(&mut self, side: Side, number: u32, found: &[[f64; 3]; KEYPOINTS], truth: &[[f64; 3]; KEYPOINTS]) {
        let error = std::array::from_fn(|k| Vector3::from(found[k]) - Vector3::from(truth[k]));
        self.errors[side.index()].push((number, error));
    }

    /// The score; `frames` and `hands` are counts to be told.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of joints and frames")]
    pub fn score(&self, frames: usize, hands: [usize; 2]) -> MotionScore {
        let (mut sum, mut joints, mut worst) = (0.0, 0.0_f64, 0.0_f64);
        let (mut square, mut seconds) = (0.0, 0.0_f64);
        for of_hand in &self.errors {
            for (_, error) in of_hand {
                let total: f64 = error.iter().map(Vector3::norm).sum();
                sum += total;
                joints += KEYPOINTS as f64;
                worst = worst.max(total / KEYPOINTS as f64);
            }
            for three in of_hand.windows(3).filter(|three| three[2].0 == three[0].0 + 2) {
                for k in 0..KEYPOINTS {
                    square += (three[2].1[k] - three[1].1[k] * 2.0 + three[0].1[k]).norm_squared();
                    seconds += 1.0;
                }
            }
        }
        MotionScore {
            frames,
            hands,
            joint_mean_mm: 1e3 * sum / joints.max(1.0),
            joint_worst_frame_mm: 1e3 * worst,
            jitter_mm: 1e3 * (square / seconds.max(1.0)).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_error_does_not_tremble_and_a_gap_counts_nothing() {
        let truth = |number: u32| [[0.1 * f64::from(number * number), 0.0, 1.0]; KEYPOINTS];
        let moved = |number: u32, by: f64| truth(number).map(|p| [p[0], p[1] + by, p[2]]);
        let score = |errors: &[(u32, f64)]| {
            let mut frames = MotionFrames::default();
            for (number, by) in errors {
                frames.push(Side::Left, *number, &moved(*number, *by), &truth(*number));
            }
            frames.score(errors.len(), [errors.len(), 0])
        };
        let still = score(&[(0, 2e-3), (1, 2e-3), (2, 2e-3)]);
        assert!((still.joint_mean_mm - 2.0).abs() < 1e-9 && still.jitter_mm < 1e-9, "{still:?}");
        let shaken = score(&[(4, 0.0), (5, 3e-3), (6, 0.0)]);
        assert!(
            (shaken.jitter_mm - 6.0).abs() < 1e-9 && (shaken.joint_worst_frame_mm - 3.0).abs() < 1e-9,
            "{shaken:?}"
        );
        assert_eq!(score(&[(4, 0.0), (5, 3e-3), (7, 0.0)]).jitter_mm, 0.0, "no three in a row");
    }
}
