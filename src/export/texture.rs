//! The albedo of a hand as an image over its UV layout: from the photographs where the hand has such a texture
//! ([`crate::texture`]), else from its vertices. Colours spread over the gaps, so that filtering and mip levels see no
//! background.

use super::{ExportError, ExportHand, atomic, level_8bit};
use crate::texture::atlas::{PADDING, spread, texels};
use image::{Rgb, RgbImage};

/// How the albedo of textures is stored. Normals and displacement are PNG always: what JPEG does to colours is not seen, what
/// it does to a surface is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextureFormat {
    /// Without loss.
    #[default]
    Png,
    /// A fifth of that, with loss.
    Jpeg,
}

/// JPEG quality.
const QUALITY: u8 = 92;

impl TextureFormat {
    /// Ending of file names.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
        }
    }

    /// Its name among media types.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }
}

/// The texture of [`bake`] as a file in the hand's format.
///
/// # Errors
/// As [`bake`], or [`ExportError::Encode`].
pub fn encoded(hand: &ExportHand, size: u32) -> Result<Vec<u8>, ExportError> {
    let image = bake(hand, size)?;
    match hand.texture_format {
        TextureFormat::Png => atomic::png_bytes(&image),
        TextureFormat::Jpeg => atomic::jpeg_bytes(&image, QUALITY),
    }
}

/// A square texture of `size` texels; the image's top row is v = 1. Texels beyond the padding get the mean albedo.
///
/// # Errors
/// [`ExportError::Mesh`] when the hand has no UVs or its arrays do not belong together.
#[expect(clippy::cast_possible_truncation, reason = "colours are rounded to 8 bits in the end")]
pub fn bake(hand: &ExportHand, size: u32) -> Result<RgbImage, ExportError> {
    hand.check()?;
    if hand.uv_faces.is_empty() {
        return Err(ExportError::Mesh { side: hand.side, problem: "it has no UV coordinates".to_owned() });
    }
    let count = size as usize * size as usize;
    let photographs = hand.texture.as_ref().filter(|t| t.size == size);
    let (mut colours, mut filled) = photographs
        .map_or_else(|| (vec![[0.0_f32; 3]; count], vec![false; count]), |t| (t.albedo.clone(), t.filled.clone()));
    // What the photographs' texture does not know: a cap over the wrist, or all.
    let known = filled.clone();
    for (face, corners) in hand.faces.iter().zip(&hand.uv_faces) {
        let albedo = face.map(|i| hand.albedo[i as usize]);
        texels(size, corners.map(|i| hand.uvs[i as usize]), |at, b| {
            if !known[at] {
                colours[at] = [0, 1, 2].map(|c| (0..3).map(|i| b[i] * albedo[i][c] as f32).sum());
                filled[at] = true;
            }
        });
    }
    spread(&mut colours, &mut filled, size, PADDING);
    #[expect(clippy::cast_precision_loss, reason = "vertex counts are far below 2^53")]
    let vertices = hand.albedo.len().max(1) as f64;
    let mean = [0, 1, 2].map(|c| hand.albedo.iter().map(|a| a[c]).sum::<f64>() / vertices);
    let mut image = RgbImage::new(size, size);
    for ((pixel, colour), filled) in image.pixels_mut().zip(&colours).zip(&filled) {
        *pixel = Rgb(if *filled { colour.map(|c| level_8bit(f64::from(c))) } else { mean.map(level_8bit) });
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::super::testing::hand;
    use super::*;
    use crate::texture::HandTexture;
    use std::sync::Arc;

    #[test]
    fn texels_take_the_colour_of_their_place_and_spread_beyond() {
        let image = bake(&hand(), 100).expect("a texture");
        // Face 0: UV corners (0.1, 0.1) red, (0.45, 0.1) green, (0.1, 0.45) grey: near the first corner it is red.
        let near = image.get_pixel(11, 88).0;
        assert!(near[0] > 230 && near[1] < 20, "{near:?} is nearly red");
        assert!(image.get_pixel(4, 88).0[0] > 200, "6 texels outside the island are padded");
        let far = image.get_pixel(80, 90).0;
        let mean = level_8bit((1.0 + 0.0 + 0.2 + 0.5) / 4.0);
        assert_eq!(far[0], mean, "far away is the mean colour");
        let mut bare = hand();
        bare.uv_faces.clear();
        assert!(bake(&bare, 16).is_err(), "no UVs, no texture");
    }

    #[test]
    fn a_jpeg_shows_the_same() {
        let mut small = hand();
        small.texture_format = TextureFormat::Jpeg;
        let (png, jpeg) = (encoded(&hand(), 256).expect("a PNG"), encoded(&small, 256).expect("a JPEG"));
        let [a, b] = [&png, &jpeg].map(|bytes| image::load_from_memory(bytes).expect("an image").to_rgb8());
        assert_eq!(image::guess_format(&jpeg).ok(), Some(image::ImageFormat::Jpeg), "as its name says");
        assert_eq!(a.dimensions(), b.dimensions(), "as large");
        let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(sum < 3 * a.as_raw().len() as u64, "colours are off by {sum} in {}", a.as_raw().len());
    }

    #[test]
    fn a_texture_from_photographs_goes_before_the_vertices_where_it_is() {
        let mut textured = hand();
        let mut filled = vec![false; 10_000];
        filled[88 * 100 + 11] = true;
        textured.texture = Some(Arc::new(HandTexture {
            size: 100,
            albedo: vec![[0.0, 0.0, 1.0]; 10_000],
            filled,
            coverage: vec![255; 10_000],
            covered: 1.0,
        }));
        let image = bake(&textured, 100).expect("a texture");
        assert_eq!(image.get_pixel(11, 88).0, [0, 0, 255], "where the photographs are");
        assert!(image.get_pixel(12, 88).0[0] > 200, "and the vertices elsewhere");
        assert!(bake(&textured, 64).expect("a texture").get_pixel(7, 56).0[0] > 200, "another size is not stretched");
    }
}
