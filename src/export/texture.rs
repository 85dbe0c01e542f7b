//! Bakes per-vertex albedo into a texture over the UV layout: each texel centre inside a UV triangle takes the linear
//! interpolation of its corners, then colours spread over the gaps so that filtering and mip levels see no background.

use super::{ExportError, ExportHand, level_8bit};
use image::{Rgb, RgbImage};

/// Texels that colours spread beyond the UV islands.
pub const PADDING: u32 = 8;

/// A square texture of `size` texels; the image's top row is v = 1. Texels beyond the padding get the mean albedo.
///
/// # Errors
/// [`ExportError::Mesh`] when the hand has no UVs or its arrays do not belong together.
pub fn bake(hand: &ExportHand, size: u32) -> Result<RgbImage, ExportError> {
    hand.check()?;
    if hand.uv_faces.is_empty() {
        return Err(ExportError::Mesh { side: hand.side, problem: "it has no UV coordinates".to_owned() });
    }
    let n = size as usize;
    let mut texels: Vec<Option<[f64; 3]>> = vec![None; n * n];
    for (face, corners) in hand.faces.iter().zip(&hand.uv_faces) {
        let at = corners.map(|i| {
            let [u, v] = hand.uvs[i as usize];
            [u * f64::from(size), (1.0 - v) * f64::from(size)]
        });
        fill(&mut texels, size, at, face.map(|i| hand.albedo[i as usize]));
    }
    for _ in 0..PADDING {
        spread(&mut texels, n);
    }
    #[expect(clippy::cast_precision_loss, reason = "vertex counts are far below 2^53")]
    let count = hand.albedo.len().max(1) as f64;
    let mean = [0, 1, 2].map(|c| hand.albedo.iter().map(|a| a[c]).sum::<f64>() / count);
    let mut image = RgbImage::new(size, size);
    for (pixel, texel) in image.pixels_mut().zip(&texels) {
        *pixel = Rgb(texel.unwrap_or(mean).map(level_8bit));
    }
    Ok(image)
}

/// Colours the texel centres inside a triangle (either winding; the later triangle wins on shared edges).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the texture before the cast")]
fn fill(texels: &mut [Option<[f64; 3]>], size: u32, p: [[f64; 2]; 3], colours: [[f64; 3]; 3]) {
    let cross = |a: [f64; 2], b: [f64; 2], c: [f64; 2]| (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    let area = cross(p[0], p[1], p[2]);
    if area == 0.0 || !area.is_finite() {
        return;
    }
    let span = |axis: usize| {
        let low = p[0][axis].min(p[1][axis]).min(p[2][axis]) - 0.5;
        let high = p[0][axis].max(p[1][axis]).max(p[2][axis]) - 0.5;
        (low.ceil().max(0.0), high.floor().min(f64::from(size) - 1.0))
    };
    let ((x0, x1), (y0, y1)) = (span(0), span(1));
    if x0 > x1 || y0 > y1 {
        return;
    }
    for y in y0 as u32..=y1 as u32 {
        for x in x0 as u32..=x1 as u32 {
            let q = [f64::from(x) + 0.5, f64::from(y) + 0.5];
            let b = [cross(p[1], p[2], q) / area, cross(p[2], p[0], q) / area, cross(p[0], p[1], q) / area];
            if b.iter().all(|&w| w >= 0.0) {
                let mix = [0, 1, 2].map(|c| (0..3).map(|i| b[i] * colours[i][c]).sum());
                texels[y as usize * size as usize + x as usize] = Some(mix);
            }
        }
    }
}

/// Empty texels beside coloured ones take the mean of their coloured neighbours.
fn spread(texels: &mut [Option<[f64; 3]>], n: usize) {
    let before = texels.to_vec();
    for y in 0..n {
        for x in 0..n {
            if before[y * n + x].is_some() {
                continue;
            }
            let (mut sum, mut count) = ([0.0; 3], 0.0);
            for ny in y.saturating_sub(1)..=(y + 1).min(n - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(n - 1) {
                    if let Some(c) = before[ny * n + nx] {
                        for i in 0..3 {
                            sum[i] += c[i];
                        }
                        count += 1.0;
                    }
                }
            }
            if count > 0.0 {
                texels[y * n + x] = Some(sum.map(|s| s / count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::hand;
    use super::*;

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
}
