//! Forward kinematics and linear blend skinning, `f64`.
//!
//! `V = T + S·β + P·(R − I)`, `J = J_reg·(T + S·β)`, `x = s · Σ_j w_j (R_j (v − J_j) + p_j) + t`, where `R_j`, `p_j` are the
//! chained rotation and position of joint `j`; the root turns about the wrist joint, so `p_0 = J_0`.

use super::rotation::rotation_from_axis_angle;
use super::{HandModel, HandParameters};
use crate::anatomy::{JOINT_PARENTS, JOINTS, KEYPOINT_FROM_JOINT_OR_TIP, KEYPOINTS, TIPS};
use nalgebra::{Matrix3, Vector3};

/// A posed hand in world metres.
#[derive(Clone, Debug)]
pub struct PosedHand {
    /// The parameters it was made from.
    pub parameters: HandParameters,
    /// Posed vertices of the model mesh (V×3).
    pub vertices: Vec<[f64; 3]>,
    /// Posed 16 joints.
    pub joints: [[f64; 3]; JOINTS],
    /// The 21 keypoints (`MediaPipe` order): joints and tips.
    pub keypoints: [[f64; 3]; KEYPOINTS],
}

/// Template with shape: `T + S·β` (V×3, metres).
#[must_use]
pub fn shaped_template(model: &HandModel, betas: &[f64]) -> Vec<[f64; 3]> {
    let shaped = |(t, s): (&[f64; 3], &[[f64; 10]; 3])| {
        std::array::from_fn(|axis| t[axis] + s[axis].iter().zip(betas).map(|(d, b)| d * b).sum::<f64>())
    };
    model.template.iter().zip(&model.shape_directions).map(shaped).collect()
}

/// Joints of a shaped template through the regressor (16×3, metres).
#[must_use]
pub fn regress_joints(model: &HandModel, shaped: &[[f64; 3]]) -> [[f64; 3]; JOINTS] {
    let mut joints = [[0.0; 3]; JOINTS];
    for (joint, row) in joints.iter_mut().zip(&model.joint_regressor) {
        *joint = regress_joint(shaped, row);
    }
    joints
}

/// One joint: the weighted sum of its `(vertex, weight)` list.
pub(super) fn regress_joint(vertices: &[[f64; 3]], row: &[(u32, f64)]) -> [f64; 3] {
    let mut joint = [0.0; 3];
    for &(vertex, weight) in row {
        for (value, coordinate) in joint.iter_mut().zip(&vertices[vertex as usize]) {
            *value += weight * coordinate;
        }
    }
    joint
}

/// Rotation vector of joint `joint`: the global orientation for the wrist, else its part of the hand pose.
pub(super) fn joint_vector(parameters: &HandParameters, joint: usize) -> Vector3<f64> {
    if joint == 0 {
        return Vector3::from(parameters.global_orient);
    }
    let at = |k: usize| parameters.hand_pose.get(3 * (joint - 1) + k).copied().unwrap_or(0.0);
    Vector3::new(at(0), at(1), at(2))
}

/// Chained rotations and posed positions of the 16 joints, before scale and translation.
#[derive(Clone, Debug)]
pub struct JointFrames {
    /// Rotation of each joint relative to its parent.
    pub local: [Matrix3<f64>; JOINTS],
    /// Rotation of each joint relative to the rest pose, world axes.
    pub rotation: [Matrix3<f64>; JOINTS],
    /// Posed position of each joint.
    pub position: [Vector3<f64>; JOINTS],
}

/// Parent of a joint below the root.
pub(super) fn parent_of(joint: usize) -> usize {
    usize::try_from(JOINT_PARENTS[joint]).expect("every joint but the root has a parent")
}

/// Walks the kinematic tree from rest joints.
#[must_use]
pub fn joint_frames(rest: &[[f64; 3]; JOINTS], parameters: &HandParameters) -> JointFrames {
    let local = std::array::from_fn(|joint| rotation_from_axis_angle(&joint_vector(parameters, joint)));
    chain_rotations(rest, &local)
}

/// Walks the kinematic tree with the rotation of each joint relative to its parent.
#[must_use]
pub fn chain_rotations(rest: &[[f64; 3]; JOINTS], local: &[Matrix3<f64>; JOINTS]) -> JointFrames {
    let mut rotation = *local;
    let mut position = rest.map(Vector3::from);
    for joint in 1..JOINTS {
        let parent = parent_of(joint);
        rotation[joint] = rotation[parent] * local[joint];
        let bone = Vector3::from(rest[joint]) - Vector3::from(rest[parent]);
        position[joint] = position[parent] + rotation[parent] * bone;
    }
    JointFrames { local: *local, rotation, position }
}

/// Linear blend skinning of any rest vertices with their weights (detailed meshes too), scale and translation included.
///
/// `rest_joints` are the joints of the same rest shape.
#[must_use]
pub fn skin_vertices(
    rest_vertices: &[[f64; 3]],
    weights: &[[f64; JOINTS]],
    rest_joints: &[[f64; 3]; JOINTS],
    parameters: &HandParameters,
) -> Vec<[f64; 3]> {
    let frames = joint_frames(rest_joints, parameters);
    // x = R (v − J) + p = R v + offset
    let offsets: [Vector3<f64>; JOINTS] =
        std::array::from_fn(|j| frames.position[j] - frames.rotation[j] * Vector3::from(rest_joints[j]));
    let transl = Vector3::from(parameters.transl);
    let skin = |(vertex, row): (&[f64; 3], &[f64; JOINTS])| {
        let v = Vector3::from(*vertex);
        let mut x = Vector3::zeros();
        for (joint, &weight) in row.iter().enumerate() {
            if weight != 0.0 {
                x += (frames.rotation[joint] * v + offsets[joint]) * weight;
            }
        }
        (x * parameters.scale + transl).into()
    };
    rest_vertices.iter().zip(weights).map(skin).collect()
}

/// Pose correctives added to a shaped template: `P·(R − I)` over joints 1 to 15, row-major.
fn add_correctives(vertices: &mut [[f64; 3]], directions: &[[[f64; 135]; 3]], local: &[Matrix3<f64>; JOINTS]) {
    let feature = pose_feature(local);
    for (vertex, rows) in vertices.iter_mut().zip(directions) {
        for (value, row) in vertex.iter_mut().zip(rows) {
            *value += row.iter().zip(&feature).map(|(p, f)| p * f).sum::<f64>();
        }
    }
}

/// `R − I` of joints 1 to 15, row-major (135).
pub(super) fn pose_feature(local: &[Matrix3<f64>; JOINTS]) -> [f64; 135] {
    std::array::from_fn(|i| {
        let (joint, row, column) = (i / 9 + 1, i % 9 / 3, i % 3);
        local[joint][(row, column)] - if row == column { 1.0 } else { 0.0 }
    })
}

/// The 21 keypoints (`MediaPipe` order) among posed joints and tip vertices.
pub(super) fn keypoints_of(
    joints: &[[f64; 3]; JOINTS],
    vertices: &[[f64; 3]],
    tips: &[u32; TIPS],
) -> [[f64; 3]; KEYPOINTS] {
    KEYPOINT_FROM_JOINT_OR_TIP.map(|source| match source.checked_sub(JOINTS) {
        None => joints[source],
        Some(tip) => vertices[tips[tip] as usize],
    })
}

/// Poses the model. For many poses of one model a [`HandLayer`](super::HandLayer) is faster.
#[must_use]
pub fn pose_hand(model: &HandModel, parameters: &HandParameters) -> PosedHand {
    let mut rest = shaped_template(model, &parameters.betas);
    let rest_joints = regress_joints(model, &rest);
    let frames = joint_frames(&rest_joints, parameters);
    if let Some(directions) = &model.pose_directions {
        add_correctives(&mut rest, directions, &frames.local);
    }
    let vertices = skin_vertices(&rest, &model.skin_weights, &rest_joints, parameters);
    let transl = Vector3::from(parameters.transl);
    let joints = frames.position.map(|p| (p * parameters.scale + transl).into());
    let keypoints = keypoints_of(&joints, &vertices, &model.tips);
    PosedHand { parameters: parameters.clone(), vertices, joints, keypoints }
}

#[cfg(test)]
mod tests {
    use super::super::open_hand;
    use super::*;
    use crate::anatomy::Side;

    fn distance(a: &[f64; 3], b: &[f64; 3]) -> f64 {
        (Vector3::from(*a) - Vector3::from(*b)).norm()
    }

    #[test]
    fn rest_parameters_give_the_template() {
        for side in Side::BOTH {
            let model = open_hand(side).expect("sound asset");
            let posed = pose_hand(&model, &HandParameters::rest(side));
            let worst = posed.vertices.iter().zip(&model.template).map(|(a, b)| distance(a, b)).fold(0.0, f64::max);
            assert!(worst < 1e-7, "{side}: the template comes back ({worst} m)");
        }
    }

    #[test]
    fn global_rotation_turns_about_the_wrist_and_scale_precedes_translation() {
        let model = open_hand(Side::Right).expect("sound asset");
        let rest = pose_hand(&model, &HandParameters::rest(Side::Right));
        let wrist = Vector3::from(rest.joints[0]);
        let parameters = HandParameters {
            global_orient: [0.0, 0.0, std::f64::consts::FRAC_PI_2],
            transl: [0.1, -0.2, 0.3],
            scale: 2.0,
            ..HandParameters::rest(Side::Right)
        };
        let posed = pose_hand(&model, &parameters);
        for (a, b) in posed.vertices.iter().zip(&rest.vertices) {
            let d = Vector3::from(*b) - wrist;
            let turned = wrist + Vector3::new(-d.y, d.x, d.z);
            let expected = turned * 2.0 + Vector3::new(0.1, -0.2, 0.3);
            assert!(
                (Vector3::from(*a) - expected).norm() < 1e-6,
                "a quarter turn about z through the wrist, then scale"
            );
        }
    }

    #[test]
    fn bending_a_joint_moves_its_descendants_only() {
        // Skinning alone: correctives reach a little beyond the skin weights.
        let model = HandModel { pose_directions: None, ..open_hand(Side::Right).expect("sound asset") };
        let rest = pose_hand(&model, &HandParameters::rest(Side::Right));
        let mut parameters = HandParameters::rest(Side::Right);
        parameters.hand_pose[3 + 2] = 0.8; // index2 about z
        let posed = pose_hand(&model, &parameters);
        for joint in 0..JOINTS {
            let moved = distance(&posed.joints[joint], &rest.joints[joint]);
            assert_eq!(moved > 1e-9, joint == 3, "joint {joint} moved by {moved}");
        }
        assert!(distance(&posed.keypoints[8], &rest.keypoints[8]) > 0.01, "the index tip follows");
        assert!(posed.keypoints[8][1] < rest.keypoints[8][1], "flexion is towards the palm (−y)");
        for (vertex, row) in model.skin_weights.iter().enumerate() {
            if row[2] == 0.0 && row[3] == 0.0 {
                let moved = distance(&posed.vertices[vertex], &rest.vertices[vertex]);
                assert!(moved < 1e-12, "vertex {vertex} has no weight on index2 or index3 and stays");
            }
        }
    }

    #[test]
    fn left_mirrors_right_for_mirrored_parameters() {
        let right = open_hand(Side::Right).expect("sound asset");
        let left = open_hand(Side::Left).expect("sound asset");
        let mut p = HandParameters::rest(Side::Right);
        p.global_orient = [0.4, -0.3, 0.9];
        p.transl = [0.02, 0.3, -0.1];
        for (i, v) in p.hand_pose.iter_mut().enumerate() {
            *v = 0.05 * f64::from(u32::try_from(i % 7).expect("small")) - 0.1;
        }
        for (i, b) in p.betas.iter_mut().enumerate() {
            *b = if i % 2 == 0 { 0.5 } else { -0.4 };
        }
        let mut m = HandParameters { side: Side::Left, ..p.clone() };
        m.transl[0] = -m.transl[0];
        for k in [1, 2] {
            m.global_orient[k] = -m.global_orient[k];
        }
        for (i, v) in m.hand_pose.iter_mut().enumerate() {
            if i % 3 != 0 {
                *v = -*v;
            }
        }
        let (a, b) = (pose_hand(&right, &p), pose_hand(&left, &m));
        for (r, l) in a.vertices.iter().zip(&b.vertices) {
            assert!(distance(&[-r[0], r[1], r[2]], l) < 1e-6, "mirrored parameters give the mirrored hand");
        }
    }

    #[test]
    fn correctives_act_when_present_and_vanish_at_rest() {
        let mut model = open_hand(Side::Right).expect("sound asset");
        let mut directions = vec![[[0.0; 135]; 3]; model.template.len()];
        for rows in &mut directions {
            rows[1] = [1e-3; 135];
        }
        let plain = model.clone();
        model.pose_directions = Some(directions);
        let rest = pose_hand(&model, &HandParameters::rest(Side::Right));
        assert!(distance(&rest.vertices[7], &model.template[7]) < 1e-7, "R − I vanishes at rest");
        let mut p = HandParameters::rest(Side::Right);
        p.hand_pose[2] = 0.5;
        let (with, without) = (pose_hand(&model, &p), pose_hand(&plain, &p));
        let feature: f64 = 2.0 * (0.5_f64.cos() - 1.0);
        let moved =
            distance(&with.vertices[model.wrist_loop[0] as usize], &without.vertices[model.wrist_loop[0] as usize]);
        assert!((moved - 1e-3 * feature.abs()).abs() < 1e-9, "the corrective is P·(R − I): {moved}");
    }
}
