//! Repair of a camera that is off: its extrinsics and principal point are moved until known points fall on their detections.
//!
//! The points come from the other cameras, which fixes the gauge. Rotation, centre and principal point do much the same to
//! a small thing far away; a Gaussian prior about the camera as given shares the error among them and keeps what the data do
//! not speak of where it was.

use crate::camera::{Camera, CameraMove};
use crate::hand::rotation::axis_angle_from_rotation;
use nalgebra::{Matrix3, SMatrix, SVector, Vector3};
use serde::Serialize;

/// Unknowns: rotation 3, centre 3, principal point 2.
const UNKNOWNS: usize = 8;
const ITERATIONS: usize = 30;

/// How far a camera may be off: standard deviations.
#[derive(Clone, Copy, Debug)]
pub(super) struct CameraPrior {
    /// About each axis, radians.
    pub rotation_rad: f64,
    /// Along each axis, metres.
    pub centre_m: f64,
    /// Along each axis of the image, pixels.
    pub principal_px: f64,
}

/// By how much a camera was moved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CameraCorrection {
    /// Angle of the turn, degrees.
    pub rotation_deg: f64,
    /// Way of the centre, millimetres.
    pub centre_mm: f64,
    /// Move of the principal point, pixels.
    pub principal_px: [f64; 2],
}

/// A known point where it was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub point: Vector3<f64>,
    pub px: [f64; 2],
    /// Confidence, 0 to 1.
    pub weight: f64,
}

type Unknowns = SVector<f64, UNKNOWNS>;

struct System {
    hessian: SMatrix<f64, UNKNOWNS, UNKNOWNS>,
    gradient: Unknowns,
    loss: f64,
}

fn moved(camera: &Camera, x: &Unknowns) -> Camera {
    let mut out = camera.moved(&CameraMove { turn_rad: [x[0], x[1], x[2]], centre_m: [x[3], x[4], x[5]] });
    out.k[(0, 2)] += x[6];
    out.k[(1, 2)] += x[7];
    out
}

/// Loss of the camera moved by `x`: robust squared pixels over `noise_px`², and the prior.
fn system(camera: &Camera, sightings: &[Sighting], noise_px: f64, prior: &CameraPrior, x: &Unknowns) -> System {
    let now = moved(camera, x);
    let mut hessian = SMatrix::zeros();
    let mut gradient = Unknowns::zeros();
    let mut loss = 0.0;
    // Errors of the landmarks of one detection are alike: they count as a quarter of as many.
    let information = 0.25 / (noise_px * noise_px);
    let scale = (3.0 * noise_px).powi(2);
    for sighting in sightings {
        let y = now.camera_from_world(&sighting.point);
        if y.z < 1e-6 || sighting.weight <= 0.0 {
            continue;
        }
        let h = now.k * y;
        let p = [h.x / h.z, h.y / h.z];
        let r = [p[0] - sighting.px[0], p[1] - sighting.px[1]];
        let square = r[0] * r[0] + r[1] * r[1];
        let weight = sighting.weight * information;
        loss += 0.5 * weight * scale * (square / scale).ln_1p();
        let weight = weight / (1.0 + square / scale);
        for (axis, by_move) in now.pixel_by_move(&y, p).iter().enumerate() {
            let mut row = Unknowns::zeros();
            row.fixed_rows_mut::<6>(0).copy_from(by_move);
            row[6 + axis] = 1.0;
            hessian += row * row.transpose() * weight;
            gradient += row * (r[axis] * weight);
        }
    }
    let sigma = |i: usize| match i {
        0..3 => prior.rotation_rad,
        3..6 => prior.centre_m,
        _ => prior.principal_px,
    };
    for i in 0..UNKNOWNS {
        let precision = sigma(i).powi(-2);
        hessian[(i, i)] += precision;
        gradient[i] += precision * x[i];
        loss += 0.5 * precision * x[i] * x[i];
    }
    System { hessian, gradient, loss }
}

/// The camera moved so that the points fall where they were seen, and by how much (Levenberg-Marquardt).
pub(super) fn resect(
    camera: &Camera,
    sightings: &[Sighting],
    noise_px: f64,
    prior: &CameraPrior,
) -> (Camera, CameraCorrection) {
    let mut x = Unknowns::zeros();
    let mut best = system(camera, sightings, noise_px, prior, &x);
    let mut lambda = 1e-4;
    for _ in 0..ITERATIONS {
        let mut damped = best.hessian;
        for i in 0..UNKNOWNS {
            damped[(i, i)] *= 1.0 + lambda;
        }
        let Some(cholesky) = damped.cholesky() else { break };
        let step = cholesky.solve(&best.gradient);
        // The turn is applied to the camera as given: small turns add up.
        let trial = x - step;
        let found = system(camera, sightings, noise_px, prior, &trial);
        if found.loss < best.loss {
            let gain = best.loss - found.loss;
            (x, best) = (trial, found);
            lambda *= 0.2;
            if gain < 1e-10 * best.loss {
                break;
            }
        } else {
            lambda *= 10.0;
        }
    }
    let repaired = moved(camera, &x);
    let turn: Matrix3<f64> = repaired.rotation * camera.rotation.transpose();
    let correction = CameraCorrection {
        rotation_deg: axis_angle_from_rotation(&turn).norm().to_degrees(),
        centre_mm: 1e3 * (repaired.centre() - camera.centre()).norm(),
        principal_px: [x[6], x[7]],
    };
    (repaired, correction)
}

#[cfg(test)]
mod tests {
    use super::super::super::test_rig::{Random, Rig};
    use super::*;
    use crate::hand::rotation::rotation_from_axis_angle;

    const PRIOR: CameraPrior = CameraPrior { rotation_rad: 0.03, centre_m: 0.02, principal_px: 20.0 };

    fn sightings(rig: &Rig, truth: &Camera, noise_px: f64) -> Vec<Sighting> {
        let mut random = Random(5);
        let points = rig.hands.iter().flat_map(|h| h.keypoints);
        points
            .map(|p| {
                let point = Vector3::from(p);
                let px = truth.project(&point).expect("in front");
                let px = [px.x + noise_px * random.normal(), px.y + noise_px * random.normal()];
                Sighting { point, px, weight: 1.0 }
            })
            .collect()
    }

    /// A camera that is turned, shifted and has another principal point than is written.
    fn off(truth: &Camera) -> Camera {
        let turn = rotation_from_axis_angle(&Vector3::new(0.01, -0.02, 0.05));
        let rotation = turn * truth.rotation;
        let centre = truth.centre() + Vector3::new(0.01, -0.005, 0.008);
        let mut k = truth.k;
        k[(0, 2)] += 12.0;
        Camera { rotation, translation: -(rotation * centre), k, ..truth.clone() }
    }

    fn mean_px(camera: &Camera, rig: &Rig, truth: &Camera) -> f64 {
        let seen = sightings(rig, truth, 0.0);
        let distance =
            |s: &Sighting| camera.project(&s.point).map_or(f64::INFINITY, |p| (p.x - s.px[0]).hypot(p.y - s.px[1]));
        seen.iter().map(distance).sum::<f64>() / f64::from(u32::try_from(seen.len()).expect("few"))
    }

    #[test]
    fn a_camera_that_is_off_is_repaired_where_the_hands_are() {
        let rig = Rig::new(8, 51);
        for truth in &rig.cameras {
            let wrong = off(truth);
            let before = mean_px(&wrong, &rig, truth);
            let (repaired, correction) = resect(&wrong, &sightings(&rig, truth, 2.0), 2.0, &PRIOR);
            let after = mean_px(&repaired, &rig, truth);
            assert!(before > 20.0 && after < 2.0, "{before} px before, {after} px after: {correction:?}");
            assert!(correction.rotation_deg > 1.0, "the roll is a turn: {correction:?}");
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let rig = Rig::new(4, 52);
        let wrong = off(&rig.cameras[1]);
        let seen = sightings(&rig, &rig.cameras[1], 2.0);
        let at = system(&wrong, &seen, 2.0, &PRIOR, &Unknowns::zeros());
        for i in 0..UNKNOWNS {
            let loss = |h: f64| {
                let mut x = Unknowns::zeros();
                x[i] = h;
                system(&wrong, &seen, 2.0, &PRIOR, &x).loss
            };
            let difference = (loss(1e-6) - loss(-1e-6)) / 2e-6;
            assert!((difference - at.gradient[i]).abs() < 1e-4 * difference.abs(), "unknown {i}: {difference}");
            assert!((difference - 1.01 * at.gradient[i]).abs() > 1e-4 * difference.abs(), "one per cent is noticed");
        }
    }

    #[test]
    fn a_sound_camera_stays() {
        let rig = Rig::new(4, 53);
        let truth = &rig.cameras[2];
        let (_, correction) = resect(truth, &sightings(&rig, truth, 0.0), 2.0, &PRIOR);
        assert!(correction.rotation_deg < 1e-3 && correction.centre_mm < 1e-3, "nothing to repair: {correction:?}");
    }
}
