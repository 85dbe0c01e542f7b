//! Calibration files: one file a format, each `read` into the conventions of its program and then taken to ours by
//! [`infer`], with a stated reason for all that the file does not say. Formats are found by content; when a folder holds
//! several the user must choose. Those that others read are written too.

mod calibration;
mod colmap;
mod deephandmesh;
mod detect;
mod easymocap;
mod infer;
mod interhand;
mod kalibr;
mod lens;
mod opencv;
mod scene;
mod transforms;
mod tree;

pub use calibration::{Axes, Calibration, Direction, Inference, OpenOptions, PixelCentre, RigCamera, Units};
pub use lens::{Brown, Lens};

pub(super) use calibration::{Conventions, Reading};
pub(super) use detect::{Candidate, candidates};
pub(super) use infer::resolve;

use super::CaptureError;
use super::source::Source;
use nalgebra::Vector3;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Endings of image files.
pub(super) const IMAGES: &[&str] = &["png", "jpg", "jpeg"];

/// A calibration format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// FMHR capture room: `camera/param.npz`.
    Fmhr,
    /// `InterHand2.6M`: `InterHand2.6M_<split>_camera.json`.
    InterHand,
    /// `DeepHandMesh`: `KRT*` text.
    DeepHandMesh,
    /// COLMAP model, text or binary.
    Colmap,
    /// nerfstudio and instant-ngp: `transforms.json`.
    Transforms,
    /// `EasyMocap`: `intri.yml`, `extri.yml`.
    EasyMocap,
    /// `OpenCV` `FileStorage`, YAML or JSON.
    OpenCv,
    /// Kalibr: `camchain.yaml`.
    Kalibr,
    /// Our own `scene.ron`.
    Scene,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 9] = [
        Self::Fmhr,
        Self::InterHand,
        Self::DeepHandMesh,
        Self::Colmap,
        Self::Transforms,
        Self::EasyMocap,
        Self::OpenCv,
        Self::Kalibr,
        Self::Scene,
    ];

    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fmhr => "fmhr",
            Self::InterHand => "interhand",
            Self::DeepHandMesh => "deephandmesh",
            Self::Colmap => "colmap",
            Self::Transforms => "transforms",
            Self::EasyMocap => "easymocap",
            Self::OpenCv => "opencv",
            Self::Kalibr => "kalibr",
            Self::Scene => "scene",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == s).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            format!("there is no format of this name; there are: {}", names.join(", "))
        })
    }
}

/// Why a rig cannot be written in a format.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationWriteError {
    /// The format has no place for something of this camera.
    #[error("camera {camera}: the format {format} cannot hold its {what}")]
    CannotHold {
        /// Format to be written.
        format: Format,
        /// Name of the camera.
        camera: String,
        /// What it has no place for.
        what: String,
    },
    /// The format needs the image size, which neither the file nor an image says.
    #[error("camera {camera}: the format {format} needs the image size; give the folder with the images")]
    NoSize {
        /// Format to be written.
        format: Format,
        /// Name of the camera.
        camera: String,
    },
    /// There is a reader only.
    #[error("the format {0} can be read only; fmhr, colmap, transforms, opencv and scene can be written")]
    ReadOnly(Format),
    /// The encoder failed.
    #[error("the format {format} could not be encoded ({problem})")]
    Encode {
        /// Format to be written.
        format: Format,
        /// What the encoder says.
        problem: String,
    },
}

impl CalibrationWriteError {
    pub(crate) fn cannot(format: Format, camera: &RigCamera, what: &str) -> Self {
        Self::CannotHold { format, camera: camera.name.clone(), what: what.to_owned() }
    }

    fn no_size(format: Format, camera: &RigCamera) -> Self {
        Self::NoSize { format, camera: camera.name.clone() }
    }

    pub(crate) fn encode(format: Format, problem: &dyn fmt::Display) -> Self {
        Self::Encode { format, problem: problem.to_string() }
    }

    /// A skew that moves no pixel of an image by a thousandth may be dropped.
    fn check_skew(format: Format, camera: &RigCamera) -> Result<(), Self> {
        if camera.k[(0, 1)].abs() <= 1e-3 { Ok(()) } else { Err(Self::cannot(format, camera, "skew")) }
    }
}

fn json_bytes(format: Format, value: &impl Serialize) -> Result<Vec<u8>, CalibrationWriteError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| CalibrationWriteError::encode(format, &e))?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl Calibration {
    /// Reads a calibration without looking at images' pixels: `path` is its file, or the folder of a capture.
    ///
    /// # Errors
    /// [`CaptureError`] naming the file and the remedy.
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, CaptureError> {
        super::open::open_calibration(path, options)
    }

    /// The files of a COLMAP model, binary or text: names and contents.
    ///
    /// # Errors
    /// [`CalibrationWriteError`] when the format cannot hold the rig.
    pub fn to_colmap(&self, binary: bool) -> Result<Vec<(String, Vec<u8>)>, CalibrationWriteError> {
        colmap::write(self, if binary { "bin" } else { "txt" })
    }

    /// A `transforms.json`.
    ///
    /// # Errors
    /// [`CalibrationWriteError`] when the format cannot hold the rig.
    pub fn to_transforms(&self) -> Result<Vec<u8>, CalibrationWriteError> {
        transforms::write(self)
    }

    /// An `OpenCV` `FileStorage` with the list `cameras`, as YAML or JSON.
    ///
    /// # Errors
    /// [`CalibrationWriteError`] when the format cannot hold the rig.
    pub fn to_opencv(&self, as_json: bool) -> Result<Vec<u8>, CalibrationWriteError> {
        opencv::write(self, as_json)
    }

    /// A `scene.ron`.
    ///
    /// # Errors
    /// [`CalibrationWriteError::Encode`].
    pub fn to_scene(&self) -> Result<Vec<u8>, CalibrationWriteError> {
        scene::write(self)
    }

    /// The point nearest to all optical axes, by least squares; `None` when they are parallel.
    #[must_use]
    pub fn looked_at(&self) -> Option<Vector3<f64>> {
        infer::meeting_point(&self.cameras)
    }
}

/// Reads what [`candidates`] found.
pub(super) fn read(
    source: &mut Source,
    candidate: &Candidate,
    options: &OpenOptions,
) -> Result<Calibration, CaptureError> {
    let first = candidate.files.first().cloned().unwrap_or_default();
    let reading = match candidate.format {
        Format::Fmhr => super::fmhr::read_rig(source, &first),
        Format::InterHand => interhand::read(source, &candidate.files, options),
        Format::DeepHandMesh => deephandmesh::read(source, &first),
        Format::Colmap => {
            let (folder, ending) = first.rsplit_once("cameras.").unwrap_or(("", "bin"));
            colmap::read(source, folder, ending)
        }
        Format::Transforms => transforms::read(source, &first),
        Format::EasyMocap => easymocap::read(source),
        Format::OpenCv => opencv::read(source, &candidate.files),
        Format::Kalibr => kalibr::read(source, &first),
        Format::Scene => scene::read(source, &first),
    }?;
    let path = source.path(&reading.file);
    let mut calibration = resolve(reading, &path, options)?;
    let reason =
        if options.format.is_some() { "set by hand".to_owned() } else { format!("found {}", candidate.reason) };
    calibration.inferences.insert(0, Inference::new("format", candidate.format.name(), reason));
    Ok(calibration)
}

/// Names for cameras from the paths of their images: file stems; whole paths (`_` for `/`) when stems repeat.
fn names_of_paths<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let without_ending = |p: &str| {
        let start = p.rfind(['/', '\\']).map_or(0, |i| i + 1);
        p[start..].rfind('.').filter(|&dot| dot > 0).map_or(p.len(), |dot| start + dot)
    };
    let paths: Vec<&str> = paths.map(|p| &p[..without_ending(p)]).collect();
    let stems: Vec<String> = paths.iter().map(|p| p.rsplit(['/', '\\']).next().unwrap_or(p).to_owned()).collect();
    if stems.iter().collect::<BTreeSet<_>>().len() == stems.len() {
        return stems;
    }
    let whole = |p: &&str| p.trim_start_matches("./").replace(['/', '\\'], "_");
    paths.iter().map(whole).collect()
}
