//! A calibrated rig in the formats of other programs.

use super::fmhr::{add_camera, rows};
use super::npz::Npz;
use crate::capture::{Calibration, CalibrationWriteError, Format};
use nalgebra::{Matrix4, Vector3};

/// Metres of one unit of FMHR's normalised frame when the rig comes from elsewhere: about what the authors' rig has.
const METRES_PER_UNIT: f64 = 0.64;

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalibrationFormat {
    /// FMHR's `param.npz`.
    Fmhr,
    /// COLMAP: `cameras.bin`, `images.bin`, `points3D.bin`.
    Colmap,
    /// COLMAP: `cameras.txt`, `images.txt`, `points3D.txt`.
    ColmapText,
    /// nerfstudio: `transforms.json`.
    Transforms,
    /// `OpenCV`: `calibration.yml`.
    OpenCvYaml,
    /// `OpenCV`: `calibration.json`.
    OpenCvJson,
    /// `scene.ron`.
    Scene,
}

/// The files of a rig in a format: relative names, with their contents.
///
/// # Errors
/// [`CalibrationWriteError`] when the format cannot hold the rig.
pub fn calibration_files(
    calibration: &Calibration,
    format: CalibrationFormat,
) -> Result<Vec<(String, Vec<u8>)>, CalibrationWriteError> {
    let (name, bytes) = match format {
        CalibrationFormat::Colmap => return calibration.to_colmap(true),
        CalibrationFormat::ColmapText => return calibration.to_colmap(false),
        CalibrationFormat::Fmhr => ("param.npz", fmhr(calibration)?),
        CalibrationFormat::Transforms => ("transforms.json", calibration.to_transforms()?),
        CalibrationFormat::OpenCvYaml => ("calibration.yml", calibration.to_opencv(false)?),
        CalibrationFormat::OpenCvJson => ("calibration.json", calibration.to_opencv(true)?),
        CalibrationFormat::Scene => ("scene.ron", calibration.to_scene()?),
    };
    Ok(vec![(name.to_owned(), bytes)])
}

/// `int_i`, `ext_i`, `world_mat_i` and the common `scale_mat_i`. Cameras keep their numbers when all of them are called by
/// one; else they are numbered in order, as their images then must be.
fn fmhr(calibration: &Calibration) -> Result<Vec<u8>, CalibrationWriteError> {
    let mut npz = Npz::default();
    let scale = rows(&normalised(calibration));
    let numbers: Option<Vec<u32>> = calibration.cameras.iter().map(|c| c.name.parse().ok()).collect();
    let numbers = numbers.unwrap_or_else(|| (0..).take(calibration.cameras.len()).collect());
    for (camera, i) in calibration.cameras.iter().zip(numbers) {
        if !camera.lens.is_pinhole() {
            return Err(CalibrationWriteError::cannot(Format::Fmhr, camera, "lens distortion"));
        }
        add_camera(&mut npz, i, &camera.k, &camera.rotation, &camera.translation);
        npz.f64s(&format!("scale_mat_{i}"), &[4, 4], &scale);
    }
    npz.to_bytes().map_err(|e| CalibrationWriteError::encode(Format::Fmhr, &e))
}

/// `scale_mat`: the normalised frame of the published code, around the point that the cameras look at.
fn normalised(calibration: &Calibration) -> Matrix4<f64> {
    let metres = if calibration.format == Format::Fmhr { calibration.metres_per_unit } else { METRES_PER_UNIT };
    let mut scale = Matrix4::identity() * metres;
    scale[(3, 3)] = 1.0;
    let centre = calibration.looked_at().unwrap_or_else(Vector3::zeros);
    scale.fixed_view_mut::<3, 1>(0, 3).copy_from(&centre);
    scale
}
