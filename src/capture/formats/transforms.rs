//! `transforms.json` of nerfstudio and instant-ngp: `world_from_camera` in `OpenGL` axes, pixel centres at +0.5.
//!
//! Intrinsics stand at the top, or in a frame for that frame alone. `k4` of nerfstudio's perspective model multiplies `r⁸`,
//! which no other format has (and which nerfstudio refuses to undistort); it must be zero. The unit is not said.

use super::calibration::{Axes, Conventions, Direction, PixelCentre, Reading};
use super::lens::Brown;
use super::{Calibration, CalibrationWriteError, Format, Lens, RigCamera};
use crate::capture::CaptureError;
use crate::capture::source::Source;
use nalgebra::{Matrix3, Matrix4, Vector3};
use serde::{Deserialize, Serialize};

/// File names, in order of preference.
pub(super) const FILES: [&str; 2] = ["transforms.json", "transforms_train.json"];
const REMEDY: &str = "Write it again from the program it came from";

/// Intrinsics, all optional: a frame's own come before the shared ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Intrinsics {
    #[serde(skip_serializing_if = "Option::is_none")]
    camera_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    w: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    h: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fl_x: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fl_y: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cx: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k2: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k3: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k4: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p2: Option<f64>,
    /// Horizontal field of view in radians, where there is no `fl_x`.
    #[serde(skip_serializing_if = "Option::is_none")]
    camera_angle_x: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    camera_angle_y: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_fisheye: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Frame {
    file_path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask_path: Option<String>,
    transform_matrix: Vec<Vec<f64>>,
    #[serde(flatten)]
    own: Intrinsics,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct File {
    #[serde(flatten)]
    shared: Intrinsics,
    frames: Vec<Frame>,
}

pub(super) fn read(source: &mut Source, name: &str) -> Result<Reading, CaptureError> {
    let text = source.read_text(name)?;
    let file: File = serde_json::from_str(&text)
        .map_err(|e| source.unusable(name, format!("is truncated or no transforms.json ({e})"), REMEDY))?;
    let names = super::names_of_paths(file.frames.iter().map(|f| f.file_path.as_str()));
    let mut cameras = Vec::with_capacity(file.frames.len());
    for (frame, camera) in file.frames.iter().zip(names) {
        let unusable = |problem: String| source.unusable(name, format!("frame {}: {problem}", frame.file_path), REMEDY);
        let rows = &frame.transform_matrix;
        if !(3..=4).contains(&rows.len()) || rows.iter().any(|row| row.len() != 4) {
            return Err(unusable("its transform_matrix is no 4×4 matrix".into()));
        }
        let pose = Matrix4::from_fn(|r, c| rows.get(r).map_or(if r == c { 1.0 } else { 0.0 }, |row| row[c]));
        let (k, lens, size_px) = intrinsics(&frame.own, &file.shared).map_err(unusable)?;
        cameras.push(RigCamera {
            name: camera,
            k,
            lens,
            size_px,
            rotation: pose.fixed_view::<3, 3>(0, 0).into_owned(),
            translation: pose.fixed_view::<3, 1>(0, 3).into_owned(),
            image: Some(frame.file_path.clone()),
            mask: frame.mask_path.clone(),
        });
    }
    let conventions = Conventions {
        direction: Direction::CameraToWorld,
        axes: Axes::OpenGl,
        units: None,
        pixel_centre: PixelCentre::Half,
    };
    Ok(Reading::new(Format::Transforms, name, cameras, conventions))
}

type Optics = (Matrix3<f64>, Lens, Option<(u32, u32)>);

fn intrinsics(own: &Intrinsics, shared: &Intrinsics) -> Result<Optics, String> {
    let get = |field: fn(&Intrinsics) -> Option<f64>| field(own).or_else(|| field(shared));
    let zero = |field: fn(&Intrinsics) -> Option<f64>| get(field).unwrap_or(0.0);
    let size = |field: fn(&Intrinsics) -> Option<f64>, what: &str| match get(field) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
        Some(v) if v.fract() == 0.0 && (1.0..=65_535.0).contains(&v) => Ok(Some(v as u32)),
        Some(v) => Err(format!("`{what}` is {v}, no size of an image")),
        None => Ok(None),
    };
    let (w, h) = (size(|i| i.w, "w")?, size(|i| i.h, "h")?);
    let from_angle = |angle: Option<f64>, size: Option<u32>| Some(0.5 * f64::from(size?) / (0.5 * angle?).tan());
    let fx = get(|i| i.fl_x).or_else(|| from_angle(get(|i| i.camera_angle_x), w)).ok_or("it has no `fl_x`")?;
    let fy = get(|i| i.fl_y).or_else(|| from_angle(get(|i| i.camera_angle_y), h)).unwrap_or(fx);
    let centre = |c: Option<f64>, size: Option<u32>| c.or_else(|| Some(0.5 * f64::from(size?)));
    let cx = centre(get(|i| i.cx), w).ok_or("it has neither `cx` nor `w`")?;
    let cy = centre(get(|i| i.cy), h).ok_or("it has neither `cy` nor `h`")?;
    let model = own.camera_model.as_deref().or(shared.camera_model.as_deref()).unwrap_or("OPENCV");
    let fisheye = own.is_fisheye.or(shared.is_fisheye).unwrap_or(false);
    let [k1, k2, k3, k4] = [zero(|i| i.k1), zero(|i| i.k2), zero(|i| i.k3), zero(|i| i.k4)];
    let lens = match model {
        "OPENCV_FISHEYE" => Lens::Fisheye([k1, k2, k3, k4]),
        _ if fisheye => Lens::Fisheye([k1, k2, k3, k4]),
        "OPENCV" | "PINHOLE" | "SIMPLE_PINHOLE" | "SIMPLE_RADIAL" | "RADIAL" | "PERSPECTIVE" if k4 == 0.0 => {
            Lens::of_brown(Brown { k: [k1, k2, k3, 0.0, 0.0, 0.0], p: [zero(|i| i.p1), zero(|i| i.p2)], s: [0.0; 4] })
        }
        "OPENCV" | "PINHOLE" | "SIMPLE_PINHOLE" | "SIMPLE_RADIAL" | "RADIAL" | "PERSPECTIVE" => {
            return Err("`k4` of a perspective lens must be 0".to_owned());
        }
        other => return Err(format!("the camera_model `{other}` is not supported")),
    };
    Ok((Matrix3::new(fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0), lens, w.zip(h)))
}

pub(super) fn write(calibration: &Calibration) -> Result<Vec<u8>, CalibrationWriteError> {
    let format = Format::Transforms;
    let mut frames = Vec::with_capacity(calibration.cameras.len());
    for camera in &calibration.cameras {
        CalibrationWriteError::check_skew(format, camera)?;
        let (w, h) = camera.size_px.ok_or_else(|| CalibrationWriteError::no_size(format, camera))?;
        let mut own = Intrinsics {
            w: Some(w.into()),
            h: Some(h.into()),
            fl_x: Some(camera.k[(0, 0)]),
            fl_y: Some(camera.k[(1, 1)]),
            cx: Some(camera.k[(0, 2)]),
            cy: Some(camera.k[(1, 2)]),
            ..Intrinsics::default()
        };
        let model = match &camera.lens {
            Lens::Pinhole => "PINHOLE",
            Lens::Fisheye(k) => {
                [own.k1, own.k2, own.k3, own.k4] = k.map(Some);
                "OPENCV_FISHEYE"
            }
            Lens::Brown(brown) if brown.k[3..] == [0.0; 3] && brown.s == [0.0; 4] => {
                [own.k1, own.k2, own.k3] = [brown.k[0], brown.k[1], brown.k[2]].map(Some);
                [own.p1, own.p2] = brown.p.map(Some);
                "OPENCV"
            }
            Lens::Brown(_) => {
                return Err(CalibrationWriteError::cannot(format, camera, "rational or thin-prism distortion"));
            }
        };
        own.camera_model = Some(model.to_owned());
        let world_from_camera = camera.rotation.transpose() * Matrix3::from_diagonal(&Vector3::new(1.0, -1.0, -1.0));
        let centre = camera.centre();
        let mut rows: Vec<Vec<f64>> =
            (0..3).map(|r| (0..3).map(|c| world_from_camera[(r, c)]).chain([centre[r]]).collect()).collect();
        rows.push(vec![0.0, 0.0, 0.0, 1.0]);
        frames.push(Frame {
            file_path: camera.image.clone().unwrap_or_else(|| format!("images/{}.png", camera.name)),
            mask_path: camera.mask.clone(),
            transform_matrix: rows,
            own,
        });
    }
    super::json_bytes(format, &File { shared: Intrinsics::default(), frames })
}
