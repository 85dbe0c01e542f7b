//! A calibrated rig, whatever file it came from, and the conventions it may have been written in.

use super::{Format, Lens};
use nalgebra::{Matrix3, Vector2, Vector3};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One calibrated camera with its lens: `OpenCV` axes (x right, y down, z forward), pixel centres at +0.5.
#[derive(Clone, Debug, PartialEq)]
pub struct RigCamera {
    /// Name, unique in its rig.
    pub name: String,
    /// Intrinsics in pixels: upper triangular, last row `0 0 1`.
    pub k: Matrix3<f64>,
    /// Distortion, between camera axes and intrinsics.
    pub lens: Lens,
    /// Width and height of its images in pixels, if the file says.
    pub size_px: Option<(u32, u32)>,
    /// Rotation of `camera_from_world`.
    pub rotation: Matrix3<f64>,
    /// Translation of `camera_from_world`; metres in a [`Calibration`].
    pub translation: Vector3<f64>,
    /// Its image as the file names it, if it does.
    pub image: Option<String>,
    /// Its mask as the file names it, if it does.
    pub mask: Option<String>,
}

impl RigCamera {
    /// Where the camera's distorted image shows a point of the world; `None` behind it or beyond its lens's range.
    #[must_use]
    pub fn project(&self, x_world: &Vector3<f64>) -> Option<Vector2<f64>> {
        let c = self.rotation * x_world + self.translation;
        if c.z < 1e-9 {
            return None;
        }
        let at = Vector2::new(c.x / c.z, c.y / c.z);
        (at.norm() <= self.lens.range()).then(|| {
            let at = self.lens.distort(at);
            (self.k * at.push(1.0)).xy()
        })
    }

    /// Optical centre in the world.
    #[must_use]
    pub fn centre(&self) -> Vector3<f64> {
        -(self.rotation.transpose() * self.translation)
    }
}

/// A rig as read: metric, `camera_from_world`, `OpenCV` axes, with the reasons for everything that its file did not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Format it was read as.
    pub format: Format,
    /// File it was read from, relative to the capture's root.
    pub file: String,
    /// Cameras in file order (COLMAP: in order of their image names); at least two.
    pub cameras: Vec<RigCamera>,
    /// What was inferred and why, or set by hand.
    pub inferences: Vec<Inference>,
    /// What a user should know, one sentence each.
    pub warnings: Vec<String>,
    /// Metres per unit of the folder's normalised frame (FMHR), 1 elsewhere; for information.
    pub metres_per_unit: f64,
}

/// One thing that was inferred, or set by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inference {
    /// What: `format`, `unit`, `direction`, `axes`, `pixel centre`, `frame`, `image`.
    pub what: String,
    /// What it was taken to be.
    pub value: String,
    /// Why.
    pub reason: String,
}

impl Inference {
    pub(crate) fn new(what: &str, value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { what: what.into(), value: value.into(), reason: reason.into() }
    }
}

impl fmt::Display for Inference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.what, self.value, self.reason)
    }
}

/// Which way the poses of a file go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// `camera_from_world`.
    WorldToCamera,
    /// `world_from_camera`.
    CameraToWorld,
}

/// Camera axes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Axes {
    /// x right, y down, z forward.
    OpenCv,
    /// x right, y up, z backward.
    OpenGl,
}

/// Metres per unit of length.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Units(pub f64);

impl Units {
    /// Metres.
    pub const METRES: Self = Self(1.0);
    /// Millimetres.
    pub const MILLIMETRES: Self = Self(1e-3);
}

/// Where the centre of the first pixel lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PixelCentre {
    /// At (0, 0), as in `OpenCV`.
    Zero,
    /// At (0.5, 0.5), as in COLMAP and here.
    Half,
}

impl PixelCentre {
    /// What is added to a coordinate of the file to get ours.
    pub(in crate::capture) const fn shift(self) -> f64 {
        match self {
            Self::Zero => 0.5,
            Self::Half => 0.0,
        }
    }
}

/// The conventions of a format, and those it leaves open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::capture) struct Conventions {
    pub(in crate::capture) direction: Direction,
    pub(in crate::capture) axes: Axes,
    /// `None` when the format does not say.
    pub(in crate::capture) units: Option<Units>,
    pub(in crate::capture) pixel_centre: PixelCentre,
}

impl Conventions {
    /// Those of `OpenCV` and of most of what is built on it; the unit is that of the calibration board.
    pub(in crate::capture) const OPENCV: Self =
        Self { direction: Direction::WorldToCamera, axes: Axes::OpenCv, units: None, pixel_centre: PixelCentre::Zero };
}

/// What a reader found: poses, lengths and pixels still in the conventions of the file.
#[derive(Clone, Debug)]
pub(in crate::capture) struct Reading {
    pub(in crate::capture) format: Format,
    pub(in crate::capture) file: String,
    pub(in crate::capture) cameras: Vec<RigCamera>,
    pub(in crate::capture) conventions: Conventions,
    pub(in crate::capture) inferences: Vec<Inference>,
    pub(in crate::capture) warnings: Vec<String>,
    pub(in crate::capture) metres_per_unit: f64,
}

impl Reading {
    pub(in crate::capture) fn new(
        format: Format,
        file: &str,
        cameras: Vec<RigCamera>,
        conventions: Conventions,
    ) -> Self {
        Self {
            format,
            file: file.to_owned(),
            cameras,
            conventions,
            inferences: Vec::new(),
            warnings: Vec::new(),
            metres_per_unit: 1.0,
        }
    }
}

/// How to read a capture: what is `None` is inferred, with its reason in [`super::super::Capture::inferences`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OpenOptions {
    /// Format of the calibration.
    pub format: Option<Format>,
    /// Unit of length of the calibration.
    pub units: Option<Units>,
    /// Which way its poses go.
    pub direction: Option<Direction>,
    /// Its camera axes.
    pub axes: Option<Axes>,
    /// Where the centre of its first pixel lies.
    pub pixel_centre: Option<PixelCentre>,
    /// Which instant of a sequence: part of the images' path or name.
    pub frame: Option<String>,
}

macro_rules! names {
    ($type:ty, $($value:expr => $name:literal),+) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(v if *v == $value => $name,)+ _ => "?" })
            }
        }
        impl FromStr for $type {
            type Err = String;
            fn from_str(s: &str) -> Result<Self, String> {
                match s {
                    $($name => Ok($value),)+
                    _ => Err(["expected one of:", $($name),+].join(" ")),
                }
            }
        }
    };
}
names!(Direction, Self::WorldToCamera => "world-to-camera", Self::CameraToWorld => "camera-to-world");
names!(Axes, Self::OpenCv => "opencv", Self::OpenGl => "opengl");
names!(PixelCentre, Self::Zero => "0", Self::Half => "0.5");

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1.0 => f.write_str("m"),
            1e-2 => f.write_str("cm"),
            1e-3 => f.write_str("mm"),
            metres => write!(f, "{metres} m"),
        }
    }
}

impl FromStr for Units {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let metres = match s {
            "m" => 1.0,
            "cm" => 1e-2,
            "mm" => 1e-3,
            number => number.parse().unwrap_or(f64::NAN),
        };
        if metres.is_finite() && metres > 0.0 {
            Ok(Self(metres))
        } else {
            Err("expected m, cm, mm or the metres that a unit has, for example 0.0254".to_owned())
        }
    }
}
