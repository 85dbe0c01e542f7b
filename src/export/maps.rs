//! Maps over the UV layout as image files: albedo, coverage, and for coarser meshes normals and displacement.

use super::{ExportError, ExportHand, atomic, level_8bit, texture};
use crate::texture::relief::Relief;
use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use std::path::{Path, PathBuf};

/// Tangent-space normals as colours: +x red, +y (v up) green, +z blue; flat is 128, 128, 255.
#[must_use]
pub fn normal_image(relief: &Relief) -> RgbImage {
    let mut image = RgbImage::new(relief.size, relief.size);
    for (pixel, n) in image.pixels_mut().zip(&relief.normals) {
        *pixel = Rgb(n.map(|x| level_8bit(f64::from(x) * 0.5 + 0.5)));
    }
    image
}

/// Displacement in 16 bits and the distance in metres that 0 and 65,535 stand for (32,768 is none).
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within 16 bits by the choice of the range"
)]
pub fn displacement_image(relief: &Relief) -> (ImageBuffer<Luma<u16>, Vec<u16>>, f64) {
    let range = relief.displacement_m.iter().fold(0.0_f32, |most, d| most.max(d.abs())).max(1e-6);
    let level = |d: &f32| (32_768.0 + f64::from(*d) / f64::from(range) * 32_767.0).round() as u16;
    let pixels = relief.displacement_m.iter().map(level).collect();
    (ImageBuffer::from_raw(relief.size, relief.size, pixels).unwrap_or_default(), f64::from(range))
}

/// Writes the maps a hand has: `hand_<side>_albedo.png` (or `.jpg`), `_coverage.png` (white: from photographs), `_normal.png`,
/// `_displacement.png` (16 bits). Returns the files, and the displacement's range in metres if there is one.
///
/// # Errors
/// [`ExportError::Mesh`] without UVs, [`ExportError::Encode`] or [`ExportError::Io`].
pub fn write(folder: &Path, hand: &ExportHand, texture_px: u32) -> Result<(Vec<PathBuf>, Option<f64>), ExportError> {
    let mut files = Vec::new();
    let mut put = |map: &str, bytes: Vec<u8>| -> Result<(), ExportError> {
        let path = folder.join(format!("hand_{}_{map}", hand.side));
        atomic::write(&path, &bytes)?;
        files.push(path);
        Ok(())
    };
    put(&format!("albedo.{}", hand.texture_format.ending()), texture::encoded(hand, texture_px)?)?;
    if let Some(texture) = &hand.texture
        && let Some(coverage) = GrayImage::from_raw(texture.size, texture.size, texture.coverage.clone())
    {
        put("coverage.png", atomic::png_bytes(&coverage)?)?;
    }
    let mut range = None;
    if let Some(relief) = &hand.relief {
        put("normal.png", atomic::png_bytes(&normal_image(relief))?)?;
        let (image, metres) = displacement_image(relief);
        put("displacement.png", atomic::png_bytes(&image)?)?;
        range = Some(metres);
    }
    Ok((files, range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_hold_what_the_relief_has() {
        let relief = Relief {
            size: 2,
            normals: vec![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]],
            displacement_m: vec![0.0, 2e-3, -2e-3, 1e-3],
            filled: vec![true; 4],
        };
        let normals = normal_image(&relief);
        assert_eq!(normals.get_pixel(0, 0).0, [128, 128, 255], "flat");
        assert_eq!((normals.get_pixel(1, 0).0[0], normals.get_pixel(0, 1).0[1]), (255, 0), "x is red, y green");
        let (image, range) = displacement_image(&relief);
        let metres = |x, y| (f64::from(image.get_pixel(x, y).0[0]) - 32_768.0) / 32_767.0 * range;
        for (i, d) in relief.displacement_m.iter().enumerate() {
            let i = u32::try_from(i).expect("few");
            assert!((metres(i % 2, i / 2) - f64::from(*d)).abs() < 1e-7, "{d} m comes back");
        }
    }
}
