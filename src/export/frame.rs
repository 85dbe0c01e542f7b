//! Frames of exported files: the capture's own, +Y up for glTF, and those of other programs that are derived from it.

use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;
use nalgebra::{Matrix3, Matrix4, Vector3};
use serde::{Deserialize, Serialize};

/// Axes and unit of exported positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frame {
    /// As calibrated, metres.
    #[default]
    Capture,
    /// +Y up, right-handed, centred at the hands, metres.
    Gltf,
    /// The frame in which a pose's orientation and translation are meant; without them the model's own: the back of the
    /// hand +Y, the fingers of a right hand along −X, its thumb towards +Z. Metres.
    Pose,
    /// +Z up, right-handed, front −Y, metres: what Blender makes of a glTF file, for OBJ and PLY, which it takes as they are.
    Blender,
    /// +Z up, X forward, Y right, left-handed, centimetres.
    Unreal,
    /// +Z up, right-handed, millimetres, standing on z = 0.
    Print,
}

/// What is taken for upwards in every frame but the capture's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Up {
    /// The mean of the cameras' up directions.
    #[default]
    Cameras,
    /// That of one camera, by its number.
    Camera(usize),
    /// The hand's own: from the wrist to the middle knuckle, the palm to the front; the right hand where there are two.
    Hand,
}

impl Frame {
    /// For file headers.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Gltf => "gltf (+Y up, right-handed, centred at the hands)",
            Self::Pose => "pose (that of the poses' global_orient and transl)",
            Self::Blender => "blender (+Z up, front -Y, right-handed)",
            Self::Unreal => "unreal (+Z up, X forward, Y right, left-handed)",
            Self::Print => "print (+Z up, right-handed, standing on z = 0)",
        }
    }

    /// Name of the unit and how many of it a metre has.
    #[must_use]
    pub const fn unit(self) -> (&'static str, f64) {
        match self {
            Self::Capture | Self::Gltf | Self::Pose | Self::Blender => ("m", 1.0),
            Self::Unreal => ("cm", 100.0),
            Self::Print => ("mm", 1000.0),
        }
    }

    /// From +Y up metres to this frame: axes and unit; the identity for the frames that are not derived from glTF's.
    #[must_use]
    pub fn from_gltf(self) -> Matrix4<f64> {
        let axes = match self {
            Self::Capture | Self::Gltf | Self::Pose => Matrix3::identity(),
            Self::Blender | Self::Print => Matrix3::new(1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0),
            Self::Unreal => Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        };
        (axes * self.unit().1).to_homogeneous()
    }
}

/// The rigid motion from capture axes to glTF's with the hand upright: `keypoints` (21, capture metres) of one hand; +Y from
/// the wrist to the middle knuckle, +Z out of the palm.
#[must_use]
pub fn gltf_from_hand(keypoints: &[[f64; 3]; KEYPOINTS], side: Side, centre: [f64; 3]) -> Matrix4<f64> {
    let at = |k: usize| Vector3::from(keypoints[k]);
    let up = (at(9) - at(0)).try_normalize(1e-9).unwrap_or_else(Vector3::y);
    // Wrist, index knuckle and pinky knuckle turn one way on a right hand seen from its palm, the other on a left one.
    let turn = (at(5) - at(0)).cross(&(at(17) - at(0)));
    let palm = if side == Side::Right { turn } else { -turn };
    let z = (palm - up * palm.dot(&up)).try_normalize(1e-12).unwrap_or_else(Vector3::z);
    motion(up.cross(&z), up, z, centre)
}

/// The rotation onto these axes, with `centre` as the origin.
fn motion(x: Vector3<f64>, y: Vector3<f64>, z: Vector3<f64>, centre: [f64; 3]) -> Matrix4<f64> {
    let rotation = Matrix3::from_rows(&[x.transpose(), y.transpose(), z.transpose()]);
    let mut out = Matrix4::identity();
    out.fixed_view_mut::<3, 3>(0, 0).copy_from(&rotation);
    out.fixed_view_mut::<3, 1>(0, 3).copy_from(&(-(rotation * Vector3::from(centre))));
    out
}

/// The rigid motion from capture axes to glTF's: up (+Y) is the mean of the cameras' up directions, +Z points to where the
/// cameras are in the mean (to camera 0 when they surround the hands), `centre` (capture metres) becomes the origin.
#[must_use]
pub fn gltf_from_capture(cameras: &[Camera], centre: [f64; 3]) -> Matrix4<f64> {
    let mean = |row: usize| -> Vector3<f64> { cameras.iter().map(|c| -c.rotation.row(row).transpose()).sum() };
    let up = mean(1).try_normalize(1e-6).unwrap_or_else(|| -Vector3::y());
    let level = |v: Vector3<f64>| (v - up * v.dot(&up)).try_normalize(1e-3);
    let first = cameras.first().and_then(|c| level(-c.rotation.row(2).transpose()));
    #[expect(clippy::cast_precision_loss, reason = "camera counts are small")]
    let count = cameras.len().max(1) as f64;
    let towards = level(mean(2) / count).or(first).or_else(|| level(-Vector3::z())).or_else(|| level(Vector3::x()));
    let z = towards.unwrap_or_else(Vector3::z);
    motion(up.cross(&z), up, z, centre)
}

/// A point through an affine matrix.
#[must_use]
pub fn apply(target_from_source: &Matrix4<f64>, p: [f64; 3]) -> [f64; 3] {
    let q = target_from_source * nalgebra::Vector4::new(p[0], p[1], p[2], 1.0);
    [q.x, q.y, q.z]
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;

    #[test]
    fn camera_up_becomes_y_and_the_centre_the_origin() {
        let camera = |yaw: f64| Camera {
            width_px: 10,
            height_px: 10,
            k: Matrix3::identity(),
            rotation: Rotation3::from_euler_angles(0.1 * yaw, yaw, 0.0).into_inner(),
            translation: Vector3::zeros(),
        };
        let m = gltf_from_capture(&[camera(-0.5), camera(0.0), camera(0.5)], [0.1, 0.2, 1.2]);
        let r = m.fixed_view::<3, 3>(0, 0).into_owned();
        assert!((r * r.transpose() - Matrix3::identity()).norm() < 1e-12, "a rotation");
        assert!((r.determinant() - 1.0).abs() < 1e-12, "not a mirror");
        assert!(apply(&m, [0.1, 0.2, 1.2]).iter().all(|v| v.abs() < 1e-12), "the centre is the origin");
        assert!(apply(&m, [0.1, 0.1, 1.2])[1] > 0.09, "image up (−y) is +Y");
        assert!(apply(&m, [0.1, 0.2, 0.2])[2] > 0.9, "towards the cameras is +Z");
        let none = gltf_from_capture(&[], [0.0; 3]);
        assert!((none.fixed_view::<3, 3>(0, 0).determinant() - 1.0).abs() < 1e-12, "no camera, still a rotation");
    }

    #[test]
    fn frames_of_other_programs_have_their_hands_and_units() {
        for (frame, up, right_handed) in [(Frame::Blender, 2, true), (Frame::Unreal, 2, false), (Frame::Print, 2, true)]
        {
            let m = frame.from_gltf();
            let scale = frame.unit().1;
            let y = apply(&m, [0.0, 0.01, 0.0]);
            assert!((y[up] - 0.01 * scale).abs() < 1e-12, "{frame:?}: a centimetre up is {y:?}");
            let det = m.fixed_view::<3, 3>(0, 0).determinant() / scale.powi(3);
            assert!((det - if right_handed { 1.0 } else { -1.0 }).abs() < 1e-9, "{frame:?}: handedness {det}");
        }
        assert_eq!(apply(&Frame::Blender.from_gltf(), [1.0, 2.0, 3.0]), [1.0, -3.0, 2.0], "as Blender's importer");
    }

    #[test]
    fn an_upright_hand_points_up_and_shows_its_palm() {
        for side in Side::BOTH {
            let model = crate::hand::open_hand(side).expect("sound asset");
            let posed = crate::hand::pose_hand(&model, &crate::hand::HandParameters::rest(side));
            let m = gltf_from_hand(&posed.keypoints, side, posed.keypoints[0]);
            let tip = apply(&m, posed.keypoints[12]);
            assert!(tip[1] > 0.1 && tip[0].abs() < 0.05, "{side}: the middle finger points up: {tip:?}");
            // The back of the hand at rest is +y of the model: it must look to −z.
            let back = m.fixed_view::<3, 3>(0, 0) * Vector3::y();
            assert!(back.z < -0.9, "{side}: the back looks away, {back:?}");
            assert!((m.fixed_view::<3, 3>(0, 0).determinant() - 1.0).abs() < 1e-9, "{side}: no mirror");
        }
    }
}
