//! Cameras like those of the real capture room: an arc of about 220° around the hands at about 1 m, at varied heights,
//! long lenses (1525-2350 px at 1280×1024); camera 0 is the world frame.

use super::random::Random;
use crate::camera::Camera;
use nalgebra::{Matrix3, Rotation3, Vector3};

/// Half of the arc, radians.
const HALF_ARC: f64 = 110.0 * std::f64::consts::PI / 180.0;

/// Cameras and the place of the hands in the world (camera 0's axes, metres).
pub(crate) struct Rig {
    /// `world` = camera 0.
    pub(crate) cameras: Vec<Camera>,
    /// Where the hands are.
    pub(crate) target: Vector3<f64>,
    /// Horizontal unit direction from the hands to the middle of the arc.
    pub(crate) forward: Vector3<f64>,
    /// Unit direction against gravity.
    pub(crate) up: Vector3<f64>,
}

/// Makes `count` cameras of `size` (width, height) pixels.
pub(crate) fn make(count: usize, size: (u32, u32), seed: u64) -> Rig {
    let mut random = Random::new(seed, "rig");
    // Room axes: x right, y up against gravity, z towards the middle of the arc; origin at the hands.
    let poses: Vec<(Matrix3<f64>, Vector3<f64>)> = (0..count).map(|i| pose(i, count, &mut random)).collect();
    let (first_rotation, first_centre) = poses[0];
    let cameras = poses
        .iter()
        .map(|(rotation, centre)| {
            let rotation_world = rotation * first_rotation.transpose();
            let centre_world = first_rotation * (centre - first_centre);
            Camera {
                width_px: size.0,
                height_px: size.1,
                k: intrinsics(size, centre.norm(), &mut random),
                rotation: rotation_world,
                translation: -(rotation_world * centre_world),
            }
        })
        .collect();
    Rig {
        cameras,
        target: first_rotation * -first_centre,
        forward: first_rotation * Vector3::z(),
        up: first_rotation * Vector3::y(),
    }
}

/// Rotation `camera_from_room` and centre of camera `i`.
#[expect(clippy::cast_precision_loss, reason = "camera counts are small")]
fn pose(i: usize, count: usize, random: &mut Random) -> (Matrix3<f64>, Vector3<f64>) {
    let step = 2.0 * HALF_ARC / (count.max(2) - 1) as f64;
    let azimuth = -HALF_ARC + step * (i as f64 + random.range(-0.25, 0.25));
    let radius = random.range(0.92, 1.2);
    // Neighbours alternate between high and low, so that tops and undersides are both seen.
    let height = [0.06, 0.52, -0.3, 0.3][i % 4] + random.range(-0.1, 0.1);
    let centre = Vector3::new(azimuth.sin() * radius, height, azimuth.cos() * radius);
    let mut jitter = || random.range(-0.012, 0.012);
    let aim = Vector3::new(jitter(), jitter(), jitter());
    let z = (aim - centre).normalize();
    let right = z.cross(&Vector3::y()).normalize();
    let down = z.cross(&right);
    let look = Matrix3::from_rows(&[right.transpose(), down.transpose(), z.transpose()]);
    (Rotation3::from_axis_angle(&Vector3::z_axis(), random.range(-0.14, 0.14)).into_inner() * look, centre)
}

/// Intrinsics for an image size; nearer cameras have shorter lenses, so both hands stay in the picture.
fn intrinsics(size: (u32, u32), distance: f64, random: &mut Random) -> Matrix3<f64> {
    let (width, height) = (f64::from(size.0), f64::from(size.1));
    let scale = (width / 1280.0).min(height / 1024.0);
    let focal = (random.range(2050.0, 2350.0) * distance / 1.1).clamp(1525.0, 2350.0) * scale;
    let cx = 0.5 * width + random.range(-20.0, 20.0) * scale;
    let cy = 0.5 * height + random.range(-20.0, 20.0) * scale;
    Matrix3::new(focal, 0.0, cx, 0.0, focal * 1.003, cy, 0.0, 0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_camera_is_the_world_and_all_see_the_hands() {
        for seed in 0..4 {
            let rig = make(16, (1280, 1024), seed);
            assert!((rig.cameras[0].rotation - Matrix3::identity()).norm() < 1e-12, "camera 0 is not turned");
            assert!(rig.cameras[0].translation.norm() < 1e-12, "camera 0 is at the origin");
            for (i, camera) in rig.cameras.iter().enumerate() {
                let px = camera.project(&rig.target).expect("in front");
                assert!((px.x - 640.0).abs() < 80.0 && (px.y - 512.0).abs() < 80.0, "camera {i} looks at {px}");
                assert!(camera.clone().checked().is_ok(), "camera {i} is a camera");
                let down = camera.rotation * -rig.up;
                assert!(down.y > 0.7, "camera {i} is upright");
            }
        }
    }
}
