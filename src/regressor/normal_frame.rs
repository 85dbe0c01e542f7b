//! The frame the network sees: keypoints centred on their mean and scaled by 0.5 over the distance of the first two, as
//! published, and, for networks of ours, turned upright. A network that need not learn all rotations learns the rest in
//! minutes.

use crate::anatomy::KEYPOINTS;
use nalgebra::{Matrix3, Vector3};
use serde::{Deserialize, Serialize};

/// How keypoints are turned before the network sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upright {
    /// Not at all, as published: the network has learned every rotation.
    Not,
    /// The palm: fingers along x, thumb side along y.
    Palm,
}

/// A similarity from the capture's frame to the network's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NormalFrame {
    centre: Vector3<f64>,
    rotation: Matrix3<f64>,
    scale: f64,
}

/// Wrist, then the knuckles of index, middle, ring and pinky (`MediaPipe` order).
const PALM: [usize; 5] = [0, 5, 9, 13, 17];

fn upright(at: impl Fn(usize) -> Vector3<f64>) -> Option<Matrix3<f64>> {
    let [wrist, index, middle, ring, pinky] = PALM.map(at);
    let along = ((index + middle + ring + pinky) / 4.0 - wrist).try_normalize(1e-9)?;
    let thumbwards = index - pinky;
    let across = (thumbwards - along * along.dot(&thumbwards)).try_normalize(1e-9)?;
    Some(Matrix3::from_rows(&[along.transpose(), across.transpose(), along.cross(&across).transpose()]))
}

impl NormalFrame {
    /// Of 21 keypoints (`MediaPipe` order, any unit); `None` where the first two coincide or the palm is no triangle.
    pub(super) fn new(joints: &[[f64; 3]; KEYPOINTS], upright_by: Upright) -> Option<Self> {
        let at = |k: usize| Vector3::from(joints[k]);
        let centre = joints.iter().map(|p| Vector3::from(*p)).sum::<Vector3<f64>>() / 21.0;
        let length = (at(1) - at(0)).norm();
        let rotation = match upright_by {
            Upright::Not => Matrix3::identity(),
            Upright::Palm => upright(at)?,
        };
        (length.is_finite() && length > 1e-9).then(|| Self { centre, rotation, scale: 0.5 / length })
    }

    pub(super) fn inwards(&self, p: &[f64; 3]) -> [f64; 3] {
        (self.rotation * (Vector3::from(*p) - self.centre) * self.scale).into()
    }

    pub(super) fn back(&self, p: &[f64; 3]) -> [f64; 3] {
        (self.rotation.transpose() * (Vector3::from(*p) / self.scale) + self.centre).into()
    }

    /// Lengths there per length here.
    #[cfg(feature = "train")]
    pub(super) const fn scale(&self) -> f64 {
        self.scale
    }

    /// What the network takes.
    pub(super) fn input(&self, joints: &[[f64; 3]; KEYPOINTS]) -> [f64; 63] {
        let points = joints.map(|p| self.inwards(&p));
        std::array::from_fn(|i| points[i / 3][i % 3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;

    #[test]
    fn a_similarity_of_the_hand_changes_nothing() {
        let model = crate::hand::open_hand(crate::anatomy::Side::Right).expect("sound asset");
        let joints = crate::hand::pose_hand(&model, &crate::hand::HandParameters::rest(model.side)).keypoints;
        let turn = Rotation3::from_euler_angles(0.4, -2.0, 1.1);
        let moved = joints.map(|p| (turn * Vector3::from(p) * 1.7 + Vector3::new(3.0, -1.0, 0.2)).into());
        let frame = |joints, by| NormalFrame::new(joints, by).expect("a hand");
        let (still, turned) = (frame(&joints, Upright::Palm), frame(&moved, Upright::Palm));
        for (a, b) in still.input(&joints).iter().zip(turned.input(&moved)) {
            assert!((a - b).abs() < 1e-12, "{a} and {b}");
        }
        let plain = frame(&joints, Upright::Not);
        let input = plain.input(&joints);
        let length = (0..3).map(|k| (input[3 + k] - input[k]).powi(2)).sum::<f64>().sqrt();
        let sum: f64 = input.iter().sum();
        assert!((length - 0.5).abs() < 1e-12 && sum.abs() < 1e-12, "as published: {length}, {sum}");
        let p = [0.3, 0.2, 0.1];
        let there = turned.inwards(&turned.back(&p));
        assert!(p.iter().zip(there).all(|(a, b)| (a - b).abs() < 1e-12), "there and back");
        assert_eq!(NormalFrame::new(&[[1.0; 3]; KEYPOINTS], Upright::Palm), None, "a point is no hand");
    }
}
