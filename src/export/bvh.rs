//! BVH: the skeleton of a hand at rest and in poses, for retargeting: 16 joints, centimetres, Euler angles in the order Z, X, Y.
//!
//! Offsets are those of the rest pose in the model's own axes. The first frame is the rest pose, then come the captured ones;
//! as BVH has no frames of reference of its own, the root carries the motion into the exported frame. Tips are end sites.

use super::{ExportError, atomic};
use crate::anatomy::{JOINT_NAMES, JOINT_PARENTS, JOINTS, Side, TIPS};
use nalgebra::{Matrix3, Matrix4, Rotation3, Vector3};
use std::fmt::Write;
use std::path::Path;

/// Frames a second where there is but one pose.
pub const USUAL_FPS: f64 = 30.0;

/// A pose of a skeleton.
#[derive(Clone, Debug)]
pub struct SkeletonPose {
    /// Rotation of each joint against its parent, axis-angle; the first is that of the wrist in the capture.
    pub rotations: [[f64; 3]; JOINTS],
    /// Where the wrist joint is in the capture, metres.
    pub wrist: [f64; 3],
}

/// A skeleton and its poses.
#[derive(Clone, Debug)]
pub struct Skeleton {
    /// Which hand.
    pub side: Side,
    /// Joints at rest (16×3), metres, the model's frame, scaled.
    pub joints: [[f64; 3]; JOINTS],
    /// Tips at rest: thumb, index, middle, ring, pinky; as the joints.
    pub tips: [[f64; 3]; TIPS],
    /// Poses after the rest pose.
    pub poses: Vec<SkeletonPose>,
    /// Frames a second.
    pub fps: f64,
}

/// Joints that a fingertip follows: thumb, index, middle, ring, pinky.
const LAST: [usize; TIPS] = [15, 3, 6, 12, 9];

/// The text. `target_from_capture` is a rigid motion.
#[must_use]
pub fn to_text(skeleton: &Skeleton, target_from_capture: &Matrix4<f64>) -> String {
    let mut text = String::from("HIERARCHY\n");
    joint(&mut text, skeleton, 0, 0);
    let turn = target_from_capture.fixed_view::<3, 3>(0, 0).into_owned();
    // The motion's numbers follow the joints in the order in which they stand in the text.
    let order = order(0);
    let mut rows = vec![skeleton.joints[0].map(|v| v * 100.0).to_vec()];
    rows[0].extend(order.iter().flat_map(|_| [0.0; 3]));
    for pose in &skeleton.poses {
        let mut row = super::apply(target_from_capture, pose.wrist).map(|v| v * 100.0).to_vec();
        for &j in &order {
            let local = Rotation3::from_scaled_axis(Vector3::from(pose.rotations[j])).into_inner();
            row.extend(euler_zxy(&if j == 0 { turn * local } else { local }));
        }
        rows.push(row);
    }
    push(&mut text, format_args!("MOTION\nFrames: {}\nFrame Time: {:.6}\n", rows.len(), 1.0 / skeleton.fps));
    for row in rows {
        let words: Vec<String> = row.iter().map(|v| format!("{v:.6}")).collect();
        push(&mut text, format_args!("{}\n", words.join(" ")));
    }
    text
}

/// Joints depth first, as they are written.
fn order(from: usize) -> Vec<usize> {
    let children = (0..JOINTS).filter(|&c| usize::try_from(JOINT_PARENTS[c]) == Ok(from));
    std::iter::once(from).chain(children.flat_map(order)).collect()
}

fn joint(text: &mut String, skeleton: &Skeleton, j: usize, depth: usize) {
    let indent = "  ".repeat(depth);
    let at = skeleton.joints[j];
    let parent = usize::try_from(JOINT_PARENTS[j]).ok();
    let from = parent.map_or([0.0; 3], |p| skeleton.joints[p]);
    // The root's place is in the motion.
    let offset = if parent.is_none() { [0.0; 3] } else { [0, 1, 2].map(|k| (at[k] - from[k]) * 100.0) };
    let (word, channels) = match parent {
        None => ("ROOT", "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"),
        Some(_) => ("JOINT", "3 Zrotation Xrotation Yrotation"),
    };
    push(text, format_args!("{indent}{word} {}_{}\n{indent}{{\n", skeleton.side, JOINT_NAMES[j]));
    push(text, format_args!("{indent}  OFFSET {:.6} {:.6} {:.6}\n", offset[0], offset[1], offset[2]));
    push(text, format_args!("{indent}  CHANNELS {channels}\n"));
    for child in (0..JOINTS).filter(|&c| usize::try_from(JOINT_PARENTS[c]) == Ok(j)) {
        joint(text, skeleton, child, depth + 1);
    }
    if let Some(tip) = LAST.iter().position(|&last| last == j) {
        let end = [0, 1, 2].map(|k| (skeleton.tips[tip][k] - at[k]) * 100.0);
        push(text, format_args!("{indent}  End Site\n{indent}  {{\n"));
        push(text, format_args!("{indent}    OFFSET {:.6} {:.6} {:.6}\n{indent}  }}\n", end[0], end[1], end[2]));
    }
    push(text, format_args!("{indent}}}\n"));
}

/// Degrees about z, x and y with `R = Rz·Rx·Ry`.
fn euler_zxy(r: &Matrix3<f64>) -> [f64; 3] {
    let x = r[(2, 1)].clamp(-1.0, 1.0).asin();
    let (z, y) = if r[(2, 1)].abs() < 1.0 - 1e-9 {
        ((-r[(0, 1)]).atan2(r[(1, 1)]), (-r[(2, 0)]).atan2(r[(2, 2)]))
    } else {
        // Straight up or down only the sum of both counts.
        (r[(1, 0)].atan2(r[(0, 0)]), 0.0)
    };
    [z, x, y].map(f64::to_degrees)
}

fn push(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(words);
}

/// Writes `path`. BVH has no comments: where it comes from stands in the file's sidecar ([`super::meta`]).
///
/// # Errors
/// [`ExportError::Io`].
pub fn write(path: &Path, skeleton: &Skeleton, target_from_capture: &Matrix4<f64>) -> Result<(), ExportError> {
    atomic::write(path, to_text(skeleton, target_from_capture).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hand::{HandParameters, joint_frames, open_hand, pose_hand};

    /// A reader of BVH as simple as can be: the joints of a frame, in world centimetres, by their names.
    fn read(text: &str, frame: usize) -> Vec<(String, Vector3<f64>)> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let start = lines.iter().position(|l| *l == "MOTION").expect("a motion") + 3;
        let mut numbers = lines[start + frame].split(' ').map(|w| w.parse::<f64>().expect("a number"));
        let mut stack: Vec<Matrix4<f64>> = vec![Matrix4::identity()];
        let mut found: Vec<(String, Vector3<f64>)> = Vec::new();
        let mut name = String::new();
        let mut offset = Vector3::zeros();
        for line in &lines[1..start - 3] {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["ROOT" | "JOINT", n] => name = n.to_owned(),
                ["End", "Site"] => name = format!("{name}_end"),
                ["OFFSET", x, y, z] => {
                    offset = Vector3::from([x, y, z].map(|w| w.parse::<f64>().expect("a number")));
                    if name.ends_with("_end") {
                        let m = stack.last().expect("a parent") * Matrix4::new_translation(&offset);
                        found.push((name.clone(), m.fixed_view::<3, 1>(0, 3).into_owned()));
                        stack.push(m);
                    }
                }
                ["CHANNELS", count, ..] => {
                    let mut next = || numbers.next().expect("enough numbers");
                    let mut at = offset;
                    if count == "6" {
                        at += Vector3::new(next(), next(), next());
                    }
                    let turns = [Vector3::z_axis(), Vector3::x_axis(), Vector3::y_axis()];
                    let turn = turns.iter().fold(Matrix4::identity(), |m, axis| {
                        m * Rotation3::from_axis_angle(axis, next().to_radians()).to_homogeneous()
                    });
                    let m = stack.last().expect("a parent") * Matrix4::new_translation(&at) * turn;
                    found.push((name.clone(), m.fixed_view::<3, 1>(0, 3).into_owned()));
                    stack.push(m);
                }
                ["}"] => drop(stack.pop()),
                _ => {}
            }
        }
        assert_eq!(numbers.next(), None, "every number is used");
        found
    }

    #[test]
    fn a_reader_finds_the_joints_of_both_frames() {
        let side = Side::Left;
        let model = open_hand(side).expect("sound asset");
        let mut p = HandParameters::rest(side);
        p.global_orient = [0.4, -1.2, 0.9];
        p.transl = [0.1, -0.2, 1.1];
        for (i, v) in p.hand_pose.iter_mut().enumerate() {
            *v = 0.5 * (i as f64 * 1.7).sin();
        }
        let rest = pose_hand(&model, &HandParameters::rest(side));
        let posed = pose_hand(&model, &p);
        let frames = joint_frames(&rest.joints, &p);
        let wrist = [0, 1, 2].map(|k| frames.position[0][k] + p.transl[k]);
        let rotations: [[f64; 3]; JOINTS] =
            std::array::from_fn(
                |j| {
                    if j == 0 { p.global_orient } else { [0, 1, 2].map(|k| p.hand_pose[3 * (j - 1) + k]) }
                },
            );
        let tips = model.tips.map(|v| rest.vertices[v as usize]);
        let poses = vec![SkeletonPose { rotations, wrist }, SkeletonPose { rotations: [[0.0; 3]; JOINTS], wrist }];
        let skeleton = Skeleton { side, joints: rest.joints, tips, poses, fps: 25.0 };
        let m = Rotation3::from_euler_angles(0.3, 2.0, -1.0).to_homogeneous() * Matrix4::new_translation(&Vector3::y());
        let text = to_text(&skeleton, &m);
        for (frame, joints) in [rest.joints, posed.joints].iter().enumerate() {
            let found = read(&text, frame);
            assert_eq!(found.len(), JOINTS + TIPS, "joints and end sites");
            for (j, name) in JOINT_NAMES.iter().enumerate() {
                let (_, at) = found.iter().find(|(n, _)| *n == format!("{side}_{name}")).expect("by its name");
                let truth = if frame == 0 { joints[j] } else { super::super::apply(&m, joints[j]) };
                let apart = (at / 100.0 - Vector3::from(truth)).norm();
                assert!(apart < 1e-6, "frame {frame}, {name}: {apart} m off");
            }
        }
        assert!(text.contains("Frames: 3\nFrame Time: 0.040000\n"), "rest and two poses");
        assert_eq!(read(&text, 2).len(), JOINTS + TIPS, "the second pose too");
        let tip = read(&text, 0).into_iter().find(|(n, _)| n == "left_thumb3_end").expect("an end site").1;
        assert!((tip / 100.0 - Vector3::from(tips[0])).norm() < 1e-6, "the thumb's tip");
        let straight = Rotation3::from_axis_angle(&Vector3::x_axis(), std::f64::consts::FRAC_PI_2);
        assert!((euler_zxy(straight.matrix())[1] - 90.0).abs() < 1e-6, "straight up is no trap");
    }
}
