//! Cameras that stand around the hands and look at them: for turntables, and for the pictures of a report.

use super::FinishedRun;
use crate::camera::Camera;
use crate::export::gltf_from_capture;
use nalgebra::{Matrix3, Vector3};

/// Vertical opening of such a camera, radians.
const OPENING_RAD: f64 = 0.5;
/// How much wider than the hands the picture is.
const ROOM: f64 = 1.08;

/// Where the hands are and what is upwards there.
#[derive(Clone, Debug)]
pub struct Orbit {
    /// Axes with +Y up and +Z towards the capture's cameras, from those of the capture.
    upright_from_capture: Matrix3<f64>,
    /// Middle of the hands, capture metres.
    centre: Vector3<f64>,
    /// Their points about it, upright axes, metres.
    points: Vec<Vector3<f64>>,
}

/// Right, up and back of a camera at these angles, upright axes.
fn axes(yaw_rad: f64, pitch_rad: f64) -> [Vector3<f64>; 3] {
    let (sin_yaw, cos_yaw) = yaw_rad.sin_cos();
    let (sin_pitch, cos_pitch) = pitch_rad.sin_cos();
    let back = Vector3::new(sin_yaw * cos_pitch, sin_pitch, cos_yaw * cos_pitch);
    let up = Vector3::new(-sin_yaw * sin_pitch, cos_pitch, -cos_yaw * sin_pitch);
    [up.cross(&back), up, back]
}

impl Orbit {
    /// Around these points (capture metres); `cameras` say what is upwards.
    #[must_use]
    pub fn around(positions: &[[f32; 3]], cameras: &[Camera]) -> Self {
        let points = || positions.iter().map(|p| Vector3::from(p.map(f64::from)));
        let bound =
            |pick: fn(f64, f64) -> f64, start: f64| points().fold(Vector3::repeat(start), |m, p| m.zip_map(&p, pick));
        let centre = if positions.is_empty() {
            Vector3::zeros()
        } else {
            0.5 * (bound(f64::min, f64::INFINITY) + bound(f64::max, f64::NEG_INFINITY))
        };
        let upright_from_capture = gltf_from_capture(cameras, centre.into()).fixed_view::<3, 3>(0, 0).into_owned();
        let points = points().map(|p| upright_from_capture * (p - centre)).collect();
        Self { upright_from_capture, centre, points }
    }

    /// How far off a camera has to stand so that all of the hands is in a picture of `size_px` from every one of these yaws,
    /// metres.
    #[must_use]
    pub fn distance_m(&self, yaws_rad: impl IntoIterator<Item = f64>, pitch_rad: f64, size_px: (u32, u32)) -> f64 {
        let half = (0.5 * OPENING_RAD).tan() / ROOM;
        let aspect = f64::from(size_px.0) / f64::from(size_px.1);
        let mut distance = 1e-3_f64;
        for yaw in yaws_rad {
            let [right, up, back] = axes(yaw, pitch_rad);
            for p in &self.points {
                let aside = (p.dot(&right).abs() / aspect).max(p.dot(&up).abs());
                distance = distance.max(p.dot(&back) + aside / half);
            }
        }
        distance
    }

    /// A camera with a picture of `size_px` (width, height) that looks at the middle of the hands: `yaw_rad` 0 stands where the
    /// capture's cameras are in the mean and grows to its right, `pitch_rad` is above (below ±π/2).
    #[must_use]
    pub fn camera(&self, yaw_rad: f64, pitch_rad: f64, distance_m: f64, size_px: (u32, u32)) -> Camera {
        let (width, height) = (f64::from(size_px.0), f64::from(size_px.1));
        let [right, up, back] = axes(yaw_rad, pitch_rad);
        let camera_from_upright = Matrix3::from_rows(&[right.transpose(), -up.transpose(), -back.transpose()]);
        let rotation = camera_from_upright * self.upright_from_capture;
        let focal = 0.5 * height / (0.5 * OPENING_RAD).tan();
        Camera {
            width_px: size_px.0,
            height_px: size_px.1,
            k: Matrix3::new(focal, 0.0, 0.5 * width, 0.0, focal, 0.5 * height, 0.0, 0.0, 1.0),
            rotation,
            translation: Vector3::new(0.0, 0.0, distance_m) - rotation * self.centre,
        }
    }

    /// A camera as near as all of the hands allows.
    #[must_use]
    pub fn still(&self, yaw_rad: f64, pitch_rad: f64, size_px: (u32, u32)) -> Camera {
        self.camera(yaw_rad, pitch_rad, self.distance_m([yaw_rad], pitch_rad, size_px), size_px)
    }
}

impl FinishedRun {
    /// Where cameras stand that look at the run's hands.
    #[must_use]
    pub fn orbit(&self) -> Orbit {
        Orbit::around(&self.vertices.positions, &self.checkpoint.facts.cameras)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Rotation3;
    use std::f64::consts::{FRAC_PI_2, TAU};

    fn orbit() -> (Orbit, Vec<[f32; 3]>, Camera) {
        let positions: Vec<[f32; 3]> = (0..200_u16)
            .map(|i| {
                let t = f32::from(i);
                [0.3 + 0.12 * t.sin(), -0.1 + 0.09 * (2.3 * t).cos(), 1.2 + 0.05 * (0.7 * t).sin()]
            })
            .collect();
        let rig = Camera {
            width_px: 10,
            height_px: 10,
            k: Matrix3::identity(),
            rotation: Rotation3::from_euler_angles(0.2, -0.4, 0.1).into_inner(),
            translation: Vector3::zeros(),
        };
        (Orbit::around(&positions, std::slice::from_ref(&rig)), positions, rig)
    }

    /// How far from the middle of the picture points are at most, 0.5 being its edge.
    fn widest(camera: &Camera, positions: &[[f32; 3]]) -> f64 {
        let aside = |p: &[f32; 3]| {
            let px = camera.project(&Vector3::from(p.map(f64::from))).expect("in front");
            let (x, y) = (px.x / f64::from(camera.width_px), px.y / f64::from(camera.height_px));
            (x - 0.5).abs().max((y - 0.5).abs())
        };
        positions.iter().map(aside).fold(0.0, f64::max)
    }

    #[test]
    fn all_that_is_looked_at_is_in_the_picture_and_fills_it() {
        let (orbit, positions, _) = orbit();
        for size in [(640, 480), (300, 400)] {
            for (yaw, pitch) in [(0.0, 0.0), (1.0, 0.3), (3.0, -0.5), (5.5, 1.2)] {
                let camera = orbit.still(yaw, pitch, size).checked().expect("a camera");
                let r = camera.rotation;
                assert!((r * r.transpose() - Matrix3::identity()).norm() < 1e-9, "a rotation");
                assert!((r.determinant() - 1.0).abs() < 1e-9, "no mirror");
                let widest = widest(&camera, &positions);
                assert!((widest - 0.5 / ROOM).abs() < 1e-6, "it touches the margin: {widest}");
            }
            let yaws = || (0..36).map(|i| f64::from(i) / 36.0 * TAU);
            let distance = orbit.distance_m(yaws(), 0.2, size);
            let all: Vec<f64> = yaws().map(|yaw| widest(&orbit.camera(yaw, 0.2, distance, size), &positions)).collect();
            assert!(all.iter().all(|w| *w < 0.5), "in the picture all around: {all:?}");
        }
    }

    #[test]
    fn upwards_and_the_front_are_those_of_the_capture() {
        let (orbit, _, rig) = orbit();
        let front = orbit.still(0.0, 0.0, (100, 100));
        assert!((front.rotation.row(1) - rig.rotation.row(1)).norm() < 1e-9, "the same up");
        assert!(front.rotation.row(2).dot(&rig.rotation.row(2)) > 0.99, "the same side");
        let right = orbit.still(FRAC_PI_2, 0.0, (100, 100));
        let across = (right.centre() - front.centre()).dot(&front.rotation.row(0).transpose());
        assert!(across > 0.0, "yaw goes to the right");
        let above = orbit.still(0.0, 1.0, (100, 100));
        let rise = (above.centre() - front.centre()).dot(&front.rotation.row(1).transpose());
        assert!(rise < 0.0, "pitch goes up");
    }
}
