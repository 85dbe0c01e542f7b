//! `scene.ron`: our own plain form of a rig, every convention fixed: `camera_from_world`, `OpenCV` axes, pixel centres at
//! +0.5, one unit for the file. It holds whatever the other formats hold.

use super::calibration::{Axes, Conventions, Direction, PixelCentre, Reading, Units};
use super::{Calibration, CalibrationWriteError, Format, Lens, RigCamera};
use crate::capture::CaptureError;
use crate::capture::source::Source;
use nalgebra::{Matrix3, Vector3};
use ron::extensions::Extensions;
use serde::{Deserialize, Serialize};

pub(super) const FILE: &str = "scene.ron";
const REMEDY: &str = "scenes/README.md lists the fields";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Metres per unit.
    #[serde(default = "one")]
    metres_per_unit: f64,
    cameras: Vec<Entry>,
}

fn one() -> f64 {
    1.0
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default)]
    image: Option<String>,
    #[serde(default)]
    mask: Option<String>,
    #[serde(default)]
    size_px: Option<(u32, u32)>,
    focal_px: (f64, f64),
    principal_px: (f64, f64),
    #[serde(default)]
    skew_px: f64,
    #[serde(default)]
    lens: Lens,
    rotation: [[f64; 3]; 3],
    translation: [f64; 3],
}

fn options() -> ron::Options {
    ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME)
}

pub(super) fn read(source: &mut Source, name: &str) -> Result<Reading, CaptureError> {
    let text = source.read_text(name)?;
    let file: File = options().from_str(&text).map_err(|e| {
        source.unusable(name, format!("is truncated or no scene (line {}: {})", e.span.start.line, e.code), REMEDY)
    })?;
    if !(file.metres_per_unit.is_finite() && file.metres_per_unit > 0.0) {
        return Err(source.unusable(name, "`metres_per_unit` must be positive".to_owned(), REMEDY));
    }
    let cameras = file.cameras.into_iter().map(|c| RigCamera {
        name: c.name,
        k: Matrix3::new(c.focal_px.0, c.skew_px, c.principal_px.0, 0.0, c.focal_px.1, c.principal_px.1, 0.0, 0.0, 1.0),
        lens: c.lens,
        size_px: c.size_px,
        rotation: Matrix3::from_fn(|i, j| c.rotation[i][j]),
        translation: Vector3::from(c.translation),
        image: c.image,
        mask: c.mask,
    });
    let conventions = Conventions {
        direction: Direction::WorldToCamera,
        axes: Axes::OpenCv,
        units: Some(Units(file.metres_per_unit)),
        pixel_centre: PixelCentre::Half,
    };
    Ok(Reading::new(Format::Scene, name, cameras.collect(), conventions))
}

pub(super) fn write(calibration: &Calibration) -> Result<Vec<u8>, CalibrationWriteError> {
    let cameras = calibration.cameras.iter().map(|c| Entry {
        name: c.name.clone(),
        image: c.image.clone(),
        mask: c.mask.clone(),
        size_px: c.size_px,
        focal_px: (c.k[(0, 0)], c.k[(1, 1)]),
        principal_px: (c.k[(0, 2)], c.k[(1, 2)]),
        skew_px: c.k[(0, 1)],
        lens: c.lens,
        rotation: std::array::from_fn(|i| std::array::from_fn(|j| c.rotation[(i, j)])),
        translation: c.translation.into(),
    });
    let file = File { metres_per_unit: 1.0, cameras: cameras.collect() };
    let pretty = ron::ser::PrettyConfig::new().depth_limit(3);
    let text = options().to_string_pretty(&file, pretty);
    Ok((text.map_err(|e| CalibrationWriteError::encode(Format::Scene, &e))? + "\n").into_bytes())
}
