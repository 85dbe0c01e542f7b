//! COLMAP's sparse model, text and binary: `cameras` (intrinsics by id) and `images` (pose, camera id, name).
//!
//! Poses are `camera_from_world` (quaternion w x y z, translation) in `OpenCV` axes, pixel centres at +0.5. The scale of a
//! reconstruction is arbitrary unless it was set, so the unit is inferred. Points, rigs and frames are not needed.
//! Source: COLMAP's documentation "Output Format" and its `sensor/models.h`.

mod binary;
mod text;

use super::calibration::{Axes, Conventions, Direction, PixelCentre, Reading};
use super::lens::Brown;
use super::{Calibration, CalibrationWriteError, Format, Inference, Lens, RigCamera};
use crate::capture::CaptureError;
use crate::capture::source::Source;
use nalgebra::{Matrix3, Quaternion, Rotation3, UnitQuaternion, Vector3};
use std::collections::BTreeMap;

/// Where a model may lie below a capture, nearest first.
const FOLDERS: [&str; 6] = ["", "sparse/0/", "sparse/", "colmap/sparse/0/", "colmap/", "model/"];
/// What to do about a damaged model.
const REMEDY: &str = "Export the model again from COLMAP (File > Export model, or `colmap model_converter`)";

/// Intrinsics of `cameras`.
#[derive(Clone, Debug, PartialEq)]
struct Sensor {
    model: &'static Model,
    width: u64,
    height: u64,
    params: Vec<f64>,
}

/// A row of `images`.
#[derive(Clone, Debug, PartialEq)]
struct Image {
    quaternion: [f64; 4],
    translation: [f64; 3],
    camera: u32,
    name: String,
}

/// A camera model: number in binary files, name in text files, number of parameters.
#[derive(Debug, PartialEq)]
struct Model {
    id: i32,
    name: &'static str,
    params: usize,
}

/// The models that can be read; other numbers and names are refused.
const MODELS: [Model; 9] = [
    Model { id: 0, name: "SIMPLE_PINHOLE", params: 3 },
    Model { id: 1, name: "PINHOLE", params: 4 },
    Model { id: 2, name: "SIMPLE_RADIAL", params: 4 },
    Model { id: 3, name: "RADIAL", params: 5 },
    Model { id: 4, name: "OPENCV", params: 8 },
    Model { id: 5, name: "OPENCV_FISHEYE", params: 8 },
    Model { id: 6, name: "FULL_OPENCV", params: 12 },
    Model { id: 8, name: "SIMPLE_RADIAL_FISHEYE", params: 4 },
    Model { id: 9, name: "RADIAL_FISHEYE", params: 5 },
];

impl Sensor {
    fn lens(&self) -> (Matrix3<f64>, Lens) {
        let p = |i: usize| self.params.get(i).copied().unwrap_or(0.0);
        let one_focal = matches!(self.model.id, 0 | 2 | 3 | 8 | 9);
        let (fx, fy, cx, cy, rest) = if one_focal { (p(0), p(0), p(1), p(2), 3) } else { (p(0), p(1), p(2), p(3), 4) };
        let brown = |k: [f64; 6], p: [f64; 2]| Lens::of_brown(Brown { k, p, s: [0.0; 4] });
        let q = |i: usize| p(rest + i);
        let lens = match self.model.id {
            2 => brown([q(0), 0.0, 0.0, 0.0, 0.0, 0.0], [0.0; 2]),
            3 => brown([q(0), q(1), 0.0, 0.0, 0.0, 0.0], [0.0; 2]),
            4 => brown([q(0), q(1), 0.0, 0.0, 0.0, 0.0], [q(2), q(3)]),
            5 => Lens::Fisheye([q(0), q(1), q(2), q(3)]),
            6 => brown([q(0), q(1), q(4), q(5), q(6), q(7)], [q(2), q(3)]),
            8 => Lens::Fisheye([q(0), 0.0, 0.0, 0.0]),
            9 => Lens::Fisheye([q(0), q(1), 0.0, 0.0]),
            _ => Lens::Pinhole,
        };
        (Matrix3::new(fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0), lens)
    }

    /// The smallest usual model that holds a camera exactly.
    fn of(camera: &RigCamera) -> Result<Self, CalibrationWriteError> {
        let (width, height) = camera.size_px.ok_or_else(|| CalibrationWriteError::no_size(Format::Colmap, camera))?;
        CalibrationWriteError::check_skew(Format::Colmap, camera)?;
        let k = &camera.k;
        let mut params = vec![k[(0, 0)], k[(1, 1)], k[(0, 2)], k[(1, 2)]];
        let id = match &camera.lens {
            Lens::Pinhole => 1,
            Lens::Fisheye(k) => {
                params.extend(k);
                5
            }
            Lens::Brown(brown) => {
                if brown.s != [0.0; 4] {
                    return Err(CalibrationWriteError::cannot(Format::Colmap, camera, "thin-prism distortion"));
                }
                params.extend([brown.k[0], brown.k[1], brown.p[0], brown.p[1]]);
                if brown.k[2..] == [0.0; 4] {
                    4
                } else {
                    params.extend(&brown.k[2..]);
                    6
                }
            }
        };
        let model = MODELS.iter().find(|m| m.id == id).expect("the numbers above are in the table");
        Ok(Self { model, width: width.into(), height: height.into(), params })
    }
}

/// The folder (with `/` at its end, or empty) and file ending of a model below a capture.
pub(super) fn find(source: &Source) -> Option<(String, &'static str)> {
    FOLDERS.into_iter().find_map(|folder| {
        // COLMAP itself prefers binary files where both lie.
        ["bin", "txt"].into_iter().find_map(|ending| {
            let both = ["cameras", "images"].iter().all(|n| source.exists(&format!("{folder}{n}.{ending}")));
            both.then(|| (folder.to_owned(), ending))
        })
    })
}

pub(super) fn read(source: &mut Source, folder: &str, ending: &str) -> Result<Reading, CaptureError> {
    let [cameras_name, images_name] = ["cameras", "images"].map(|n| format!("{folder}{n}.{ending}"));
    let (sensors, images) = if ending == "bin" {
        let bytes = source.read(&cameras_name)?;
        let sensors = binary::cameras(&bytes).map_err(|e| source.unusable(&cameras_name, e, REMEDY))?;
        let bytes = source.read(&images_name)?;
        (sensors, binary::images(&bytes).map_err(|e| source.unusable(&images_name, e, REMEDY))?)
    } else {
        let text = source.read_text(&cameras_name)?;
        let sensors = text::cameras(&text).map_err(|e| source.unusable(&cameras_name, e, REMEDY))?;
        let text = source.read_text(&images_name)?;
        (sensors, text::images(&text).map_err(|e| source.unusable(&images_name, e, REMEDY))?)
    };
    let mut images = images;
    images.sort_by(|a, b| a.name.cmp(&b.name));
    let names = super::names_of_paths(images.iter().map(|i| i.name.as_str()));
    let mut cameras = Vec::with_capacity(images.len());
    for (image, name) in images.into_iter().zip(names) {
        let sensor = sensors.get(&image.camera).ok_or_else(|| {
            let problem = format!("image {} is of camera {}, which {cameras_name} has not", image.name, image.camera);
            source.unusable(&images_name, problem, REMEDY)
        })?;
        let [w, x, y, z] = image.quaternion;
        let quaternion = Quaternion::new(w, x, y, z);
        if !(quaternion.norm() > 1e-6 && quaternion.norm() < 1e6) {
            return Err(source.unusable(
                &images_name,
                format!("image {}: its quaternion is no rotation", image.name),
                REMEDY,
            ));
        }
        let size = u32::try_from(sensor.width).ok().zip(u32::try_from(sensor.height).ok());
        let (k, lens) = sensor.lens();
        cameras.push(RigCamera {
            name,
            k,
            lens,
            size_px: Some(size.unwrap_or((0, 0))),
            rotation: UnitQuaternion::from_quaternion(quaternion).to_rotation_matrix().into_inner(),
            translation: Vector3::from(image.translation),
            image: Some(image.name),
            mask: None,
        });
    }
    let conventions = Conventions {
        direction: Direction::WorldToCamera,
        axes: Axes::OpenCv,
        units: None,
        pixel_centre: PixelCentre::Half,
    };
    let mut reading = Reading::new(Format::Colmap, &cameras_name, cameras, conventions);
    if ending == "bin" && source.exists(&format!("{folder}cameras.txt")) {
        let reason = "there are text files too; COLMAP itself reads the binary ones";
        reading.inferences.push(Inference::new("files", "binary", reason));
    }
    Ok(reading)
}

/// The files of a model: `cameras`, `images` and an empty `points3D`.
pub(super) fn write(
    calibration: &Calibration,
    ending: &'static str,
) -> Result<Vec<(String, Vec<u8>)>, CalibrationWriteError> {
    let mut sensors = BTreeMap::new();
    let mut images = Vec::new();
    for (camera, id) in calibration.cameras.iter().zip(1..) {
        sensors.insert(id, Sensor::of(camera)?);
        let q = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(camera.rotation));
        images.push(Image {
            quaternion: [q.w, q.i, q.j, q.k],
            translation: camera.translation.into(),
            camera: id,
            name: camera.image.clone().unwrap_or_else(|| format!("{}.png", camera.name)),
        });
    }
    let (cameras, images, points) = if ending == "bin" {
        (binary::write_cameras(&sensors), binary::write_images(&images), 0_u64.to_le_bytes().to_vec())
    } else {
        let points = "# 3D point list with one line of data per point:\n# Number of points: 0\n".into();
        (text::write_cameras(&sensors), text::write_images(&images), points)
    };
    Ok([("cameras", cameras), ("images", images), ("points3D", points)]
        .map(|(name, bytes)| (format!("{name}.{ending}"), bytes))
        .into())
}
