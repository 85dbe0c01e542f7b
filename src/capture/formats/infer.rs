//! From the conventions of a file to ours: unit, direction, axes and pixel centre, inferred where nobody says, with reasons.
//!
//! The one fact all hand rigs share is that their cameras look at one place. For a hypothesis about the poses, the point
//! `X` nearest to all optical axes is found by least squares, `Σ (I − d dᵀ)(X − c) = 0`; the hypothesis is plausible when
//! `X` lies in front of the cameras and near their axes. Its distance tells the unit.

use super::calibration::{Axes, Conventions, Direction, OpenOptions, Reading, RigCamera, Units};
use super::{Calibration, Inference};
use crate::capture::CaptureError;
use nalgebra::{Matrix3, Vector3};
use std::collections::BTreeSet;
use std::path::Path;

/// Angle between axis and meeting point, radians: within the first a documented convention stands, within the second
/// another one may replace it.
const PLAUSIBLE: f64 = 0.6;
const CONVINCING: f64 = 0.3;
/// Part of the cameras that must have the meeting point in front of them.
const IN_FRONT: f64 = 0.9;
/// Smallest eigenvalue of the mean of `I − d dᵀ` with which axes meet somewhere (0 = all parallel).
const MEETING: f64 = 1e-3;
/// Distances of hand rigs: cameras stand from 15 cm to 8 m from the hand.
const NEAR_M: f64 = 0.15;
const FAR_M: f64 = 8.0;

/// Takes a reading to metres, `camera_from_world`, `OpenCV` axes and pixel centres at +0.5.
///
/// # Errors
/// [`CaptureError`] for fewer than two cameras, a camera that is none, names that are not unique, or a unit that cannot be
/// told.
pub(in crate::capture) fn resolve(
    reading: Reading,
    path: &Path,
    options: &OpenOptions,
) -> Result<Calibration, CaptureError> {
    let Reading { format, file, mut cameras, conventions, mut inferences, mut warnings, metres_per_unit } = reading;
    check(path, &mut cameras)?;
    let chosen = poses(&mut cameras, conventions, options, &mut inferences, &mut warnings);

    let shift = options.pixel_centre.unwrap_or(conventions.pixel_centre);
    inferences.push(Inference::new(
        "pixel centre",
        shift.to_string(),
        if options.pixel_centre.is_some() { "set by hand" } else { "convention of the format" },
    ));
    for camera in &mut cameras {
        camera.k[(0, 2)] += shift.shift();
        camera.k[(1, 2)] += shift.shift();
    }

    let units = units(path, &chosen, conventions.units, options.units, &mut inferences, &mut warnings)?;
    for camera in &mut cameras {
        camera.translation *= units.0;
    }
    Ok(Calibration { format, file, cameras, inferences, warnings, metres_per_unit })
}

/// Checks each camera by itself; rotations are made exact and names fit for files.
fn check(path: &Path, cameras: &mut [RigCamera]) -> Result<(), CaptureError> {
    let unusable = |problem: String, remedy: &str| Err(CaptureError::unusable(path, problem, remedy));
    if cameras.len() < 2 {
        return unusable(
            format!("it has {} camera(s); at least two views are needed", cameras.len()),
            "Write all cameras of the rig into it",
        );
    }
    let mut names = BTreeSet::new();
    for camera in cameras {
        camera.name =
            camera.name.trim().chars().map(|c| if c.is_control() || "/\\:".contains(c) { '_' } else { c }).collect();
        let name = &camera.name;
        if name.is_empty() || !names.insert(name.clone()) {
            return unusable(
                format!("the camera name `{name}` is empty or there twice"),
                "Give each camera its own name",
            );
        }
        let numbers = camera.k.iter().chain(camera.rotation.iter()).chain(camera.translation.iter());
        let coefficients = match &camera.lens {
            super::Lens::Pinhole => Vec::new(),
            super::Lens::Brown(b) => b.k.iter().chain(&b.p).chain(&b.s).copied().collect(),
            super::Lens::Fisheye(k) => k.to_vec(),
        };
        if !numbers.chain(&coefficients).all(|v| v.is_finite() && v.abs() < 1e12) {
            return unusable(format!("camera {name} has a value that is not finite"), "Calibrate it again");
        }
        let (fx, fy) = (camera.k[(0, 0)], camera.k[(1, 1)]);
        if !(1.0..1e7).contains(&fx) || !(1.0..1e7).contains(&fy) {
            let problem = format!("camera {name}: the focal lengths are {fx} and {fy} px; they must be positive");
            return unusable(problem, "Calibrate it again, or check the unit of its intrinsics");
        }
        if camera.size_px.is_some_and(|(w, h)| !(1..=65_535).contains(&w) || !(1..=65_535).contains(&h)) {
            return unusable(format!("camera {name}: the image size {:?} is none", camera.size_px), "Correct it");
        }
        let r = camera.rotation;
        if (r.transpose() * r - Matrix3::identity()).amax() > 1e-3 || r.determinant() < 0.0 {
            return unusable(format!("camera {name}: its pose holds no rotation"), "Write the calibration again");
        }
        camera.rotation = nearest_rotation(r);
        if camera.lens.range() < 1e-2 {
            return unusable(
                format!("camera {name}: its distortion folds back at the centre of the image"),
                "Check the order of the coefficients",
            );
        }
    }
    Ok(())
}

/// The rotation nearest to a matrix that nearly is one: files round to a few digits.
fn nearest_rotation(m: Matrix3<f64>) -> Matrix3<f64> {
    let mut r = m;
    // Newton's iteration for the polar decomposition (Higham 1986); quadratic, and it starts 1e-3 away at most.
    for _ in 0..6 {
        match r.try_inverse() {
            Some(inverse) => r = (r + inverse.transpose()) * 0.5,
            None => return m,
        }
    }
    r
}

/// A pose in our conventions.
fn pose(camera: &RigCamera, direction: Direction, axes: Axes) -> (Matrix3<f64>, Vector3<f64>) {
    let flip = match axes {
        Axes::OpenCv => Matrix3::identity(),
        Axes::OpenGl => Matrix3::from_diagonal(&Vector3::new(1.0, -1.0, -1.0)),
    };
    match direction {
        Direction::WorldToCamera => (flip * camera.rotation, flip * camera.translation),
        Direction::CameraToWorld => {
            let rotation = flip * camera.rotation.transpose();
            (rotation, -(rotation * camera.translation))
        }
    }
}

/// Where the cameras look.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// Part of the cameras with the meeting point in front, and the median angle from axis to point, radians; `None` when
    /// the axes are parallel.
    meeting: Option<(f64, f64)>,
    /// Median distance to the meeting point; without one, the largest distance between two cameras.
    distance: f64,
}

type Ray = (Vector3<f64>, Vector3<f64>);

/// The point nearest to all rays (centre, unit direction); `None` when they are parallel.
fn nearest_to_all(rays: &[Ray]) -> Option<Vector3<f64>> {
    let mut normal = Matrix3::zeros();
    let mut right = Vector3::zeros();
    for (centre, axis) in rays {
        let across = Matrix3::identity() - axis * axis.transpose();
        normal += across;
        right += across * centre;
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of cameras")]
    let mean = normal / rays.len() as f64;
    let meet = !rays.is_empty() && mean.symmetric_eigenvalues().min() > MEETING;
    normal.try_inverse().filter(|_| meet).map(|inverse| inverse * right)
}

fn ray(rotation: &Matrix3<f64>, translation: &Vector3<f64>) -> Ray {
    (-(rotation.transpose() * translation), rotation.row(2).transpose())
}

pub(super) fn meeting_point(cameras: &[RigCamera]) -> Option<Vector3<f64>> {
    nearest_to_all(&cameras.iter().map(|c| ray(&c.rotation, &c.translation)).collect::<Vec<_>>())
}

fn look(poses: &[(Matrix3<f64>, Vector3<f64>)]) -> Look {
    let rays: Vec<Ray> = poses.iter().map(|(r, t)| ray(r, t)).collect();
    let Some(point) = nearest_to_all(&rays) else {
        let spacing = rays.iter().flat_map(|a| rays.iter().map(move |b| (a.0 - b.0).norm())).fold(0.0, f64::max);
        return Look { meeting: None, distance: spacing };
    };
    #[expect(clippy::cast_precision_loss, reason = "a handful of cameras")]
    let front = rays.iter().filter(|(c, d)| (point - c).dot(d) > 0.0).count() as f64 / rays.len() as f64;
    let angles = rays.iter().map(|(c, d)| d.angle(&(point - c))).collect();
    let distances = rays.iter().map(|(c, _)| (point - c).norm()).collect();
    Look { meeting: Some((front, median(angles))), distance: median(distances) }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Brings all poses to `camera_from_world` with `OpenCV` axes.
fn poses(
    cameras: &mut [RigCamera],
    conventions: Conventions,
    options: &OpenOptions,
    inferences: &mut Vec<Inference>,
    warnings: &mut Vec<String>,
) -> Look {
    let under = |direction, axes| {
        let poses: Vec<_> = cameras.iter().map(|c| pose(c, direction, axes)).collect();
        (look(&poses), poses)
    };
    let documented = (options.direction.unwrap_or(conventions.direction), options.axes.unwrap_or(conventions.axes));
    let (mut seen, mut chosen) = under(documented.0, documented.1);
    let mut taken = documented;
    let stands = |look: &Look, angle: f64| look.meeting.is_some_and(|(front, a)| front >= IN_FRONT && a <= angle);
    let mut reason = match seen.meeting {
        None => "convention of the format; the cameras look in parallel, so nothing can be checked".to_owned(),
        Some((_, angle)) => {
            format!("convention of the format; the cameras look at one place within {:.0}°", angle.to_degrees())
        }
    };
    if seen.meeting.is_some() && !stands(&seen, PLAUSIBLE) {
        let (front, angle) = seen.meeting.unwrap_or_default();
        let fault = format!(
            "as {} with {} axes, {:.0} % of the cameras would have what they look at in front, {:.0}° off their axes",
            documented.0,
            documented.1,
            100.0 * front,
            angle.to_degrees()
        );
        let others: Vec<(Direction, Axes)> = [Direction::WorldToCamera, Direction::CameraToWorld]
            .into_iter()
            .flat_map(|d| [Axes::OpenCv, Axes::OpenGl].map(|a| (d, a)))
            .filter(|&(d, a)| {
                (d, a) != documented
                    && options.direction.is_none_or(|set| set == d)
                    && options.axes.is_none_or(|set| set == a)
                    && stands(&under(d, a).0, CONVINCING)
            })
            .collect();
        if let [(direction, axes)] = others[..] {
            (seen, chosen) = under(direction, axes);
            taken = (direction, axes);
            reason = fault;
            warnings.push(format!(
                "the poses were taken as {direction} with {axes} axes, against the format's convention: {reason}"
            ));
        } else {
            reason = format!("convention of the format, which nothing confirms: {fault}");
            warnings.push(format!("the calibration looks odd: {fault}; --direction and --axes set them by hand"));
        }
    }
    for (camera, (rotation, translation)) in cameras.iter_mut().zip(chosen) {
        (camera.rotation, camera.translation) = (rotation, translation);
    }
    let because = |by_hand: bool| if by_hand { "set by hand".to_owned() } else { reason.clone() };
    inferences.push(Inference::new("direction", taken.0.to_string(), because(options.direction.is_some())));
    inferences.push(Inference::new("axes", taken.1.to_string(), because(options.axes.is_some())));
    seen
}

/// Metres per unit of the poses.
fn units(
    path: &Path,
    seen: &Look,
    documented: Option<Units>,
    by_hand: Option<Units>,
    inferences: &mut Vec<Inference>,
    warnings: &mut Vec<String>,
) -> Result<Units, CaptureError> {
    let distance = seen.distance;
    let what = if seen.meeting.is_some() { "from what they look at" } else { "apart at most" };
    let plausible = |units: Units| (NEAR_M..FAR_M).contains(&(distance * units.0));
    let (units, reason) = if let Some(units) = by_hand {
        (units, "set by hand".to_owned())
    } else if let Some(units) = documented {
        if seen.meeting.is_some() && !plausible(units) {
            warnings.push(format!(
                "the unit is {units} by the format's convention, which puts the cameras {:.3} m {what}; --units sets it",
                distance * units.0
            ));
        }
        (units, "convention of the format".to_owned())
    } else {
        let fits: Vec<Units> =
            [Units::METRES, Units::MILLIMETRES].into_iter().filter(|&units| plausible(units)).collect();
        let [units] = fits[..] else {
            return Err(CaptureError::unusable(
                path,
                format!(
                    "nothing says its unit of length, and cameras {distance:.3} units {what} are neither metres nor millimetres"
                ),
                "Say it with --units m, cm, mm, or the metres that a unit has",
            ));
        };
        (units, format!("the cameras are {distance:.3} units {what}; the format does not say"))
    };
    inferences.push(Inference::new("unit", units.to_string(), reason));
    Ok(units)
}
