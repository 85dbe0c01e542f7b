//! The words of the hand: sides, the 21 keypoints in MediaPipe order and the 16 joints of the hand models.
//!
//! Both hand models (MANO and the open hand) use MANO's 16 joints: wrist, index1-3, middle1-3, pinky1-3, ring1-3,
//! thumb1-3. Detectors and result files use MediaPipe's 21 keypoints: wrist, then four per finger from the thumb to the
//! pinky, base to tip. [`KEYPOINT_FROM_JOINT_OR_TIP`] joins the two.

use serde::{Deserialize, Serialize};

/// Keypoints per hand (MediaPipe order).
pub const KEYPOINTS: usize = 21;
/// Joints per hand model (MANO order).
pub const JOINTS: usize = 16;
/// Fingertips per hand, in the order thumb, index, middle, ring, pinky.
pub const TIPS: usize = 5;

/// Which hand of the person (not which side of the image).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The person's left hand.
    Left,
    /// The person's right hand.
    Right,
}

impl Side {
    /// Both sides in the order used by every per-hand array of this crate.
    pub const BOTH: [Self; 2] = [Self::Left, Self::Right];

    /// 0 for left, 1 for right.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }

    /// The name used in files and on screen: `left` or `right`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Names of the 21 keypoints, MediaPipe order.
pub const KEYPOINT_NAMES: [&str; KEYPOINTS] = [
    "wrist",
    "thumb1",
    "thumb2",
    "thumb3",
    "thumb_tip",
    "index1",
    "index2",
    "index3",
    "index_tip",
    "middle1",
    "middle2",
    "middle3",
    "middle_tip",
    "ring1",
    "ring2",
    "ring3",
    "ring_tip",
    "pinky1",
    "pinky2",
    "pinky3",
    "pinky_tip",
];

/// Parent of each of the 16 joints; the wrist has none (-1). MANO's kinematic tree.
pub const JOINT_PARENTS: [i32; JOINTS] = [-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14];

/// Names of the 16 joints, MANO order.
pub const JOINT_NAMES: [&str; JOINTS] = [
    "wrist", "index1", "index2", "index3", "middle1", "middle2", "middle3", "pinky1", "pinky2", "pinky3", "ring1",
    "ring2", "ring3", "thumb1", "thumb2", "thumb3",
];

/// Index into `joints (16) ++ tips (5: thumb, index, middle, ring, pinky)` for each MediaPipe keypoint.
pub const KEYPOINT_FROM_JOINT_OR_TIP: [usize; KEYPOINTS] =
    [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20];

/// Bones between keypoints, for drawing: pairs of MediaPipe indices.
pub const KEYPOINT_BONES: [(usize, usize); 20] = [
    (0, 1),
    (1, 2),
    (2, 3),
    (3, 4),
    (0, 5),
    (5, 6),
    (6, 7),
    (7, 8),
    (0, 9),
    (9, 10),
    (10, 11),
    (11, 12),
    (0, 13),
    (13, 14),
    (14, 15),
    (15, 16),
    (0, 17),
    (17, 18),
    (18, 19),
    (19, 20),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keypoint_table_is_a_permutation_of_joints_and_tips() {
        let mut seen = KEYPOINT_FROM_JOINT_OR_TIP;
        seen.sort_unstable();
        assert!(seen.iter().enumerate().all(|(i, &k)| i == k), "every joint and tip is used once");
        for (name, &source) in KEYPOINT_NAMES.iter().zip(&KEYPOINT_FROM_JOINT_OR_TIP) {
            assert_eq!(JOINT_NAMES.get(source).unwrap_or(name), name, "a joint has one name");
        }
    }

    #[test]
    fn parents_come_before_children() {
        for (joint, &parent) in JOINT_PARENTS.iter().enumerate().skip(1) {
            assert!(usize::try_from(parent).is_ok_and(|p| p < joint), "joint {joint} follows its parent");
        }
    }
}
