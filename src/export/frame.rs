//! Frames of exported files: the capture's own, or +Y up for glTF.

use crate::camera::Camera;
use nalgebra::{Matrix3, Matrix4, Vector3};
use serde::{Deserialize, Serialize};

/// Axes of exported positions; metres in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frame {
    /// As calibrated.
    #[default]
    Capture,
    /// +Y up, right-handed, centred at the hands.
    Gltf,
    /// The frame in which a pose's orientation and translation are meant; without them the model's own: the back of the
    /// hand +Y, the fingers of a right hand along −X, its thumb towards +Z.
    Pose,
}

impl Frame {
    /// For file headers.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Gltf => "gltf (+Y up, right-handed, centred at the hands)",
            Self::Pose => "pose (that of the poses' global_orient and transl)",
        }
    }
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
    let x = up.cross(&z);
    let rotation = Matrix3::from_rows(&[x.transpose(), up.transpose(), z.transpose()]);
    let mut out = Matrix4::identity();
    out.fixed_view_mut::<3, 3>(0, 0).copy_from(&rotation);
    out.fixed_view_mut::<3, 1>(0, 3).copy_from(&(-(rotation * Vector3::from(centre))));
    out
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
}
