//! The gauge between light and albedo. HAM sees only their product, so its albedo may be dark and its lights bright or the
//! other way round; a viewer with lights of its own needs a plausible albedo. One factor for both hands, in linear light,
//! brings the mean luminance to a given reflectance.

use super::ExportHand;
use std::sync::Arc;

/// Mean luminance of skin that exports get unless told otherwise, linear: the middle of what has been measured for human
/// skin. Which it was cannot be known from photographs without a reference.
pub const USUAL: f64 = 0.35;

/// sRGB-encoded to linear (IEC 61966-2-1).
#[must_use]
pub fn linear(v: f64) -> f64 {
    if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// Linear to sRGB-encoded.
#[must_use]
pub fn encoded(v: f64) -> f64 {
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

/// Mean luminance (Rec. 709) of the hands' albedo, linear; `None` when there is no vertex or all is black.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "vertex counts are far below 2^53")]
pub fn mean_luminance(hands: &[ExportHand]) -> Option<f64> {
    let luminance = |c: &[f64; 3]| 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
    let count: usize = hands.iter().map(|h| h.albedo.len()).sum();
    let mean = hands.iter().flat_map(|h| &h.albedo).map(luminance).sum::<f64>() / count.max(1) as f64;
    (mean > 1e-4).then_some(mean)
}

/// Multiplies albedo and textures by a factor in linear light; what would be brighter than white is white.
#[expect(clippy::cast_possible_truncation, reason = "texels are floats")]
pub fn scale(hand: &mut ExportHand, factor: f64) {
    let one = |v: f64| encoded(linear(v.max(0.0)) * factor).min(1.0);
    for albedo in &mut hand.albedo {
        *albedo = albedo.map(one);
    }
    if let Some(texture) = &mut hand.texture {
        let texture = Arc::make_mut(texture);
        // A table is exact enough for 8 bits and ten times as fast as powers.
        let table: Vec<f32> = (0..=4096).map(|i| one(f64::from(i) / 2048.0) as f32).collect();
        for texel in texture.albedo.as_flattened_mut() {
            let at = f64::from(texel.clamp(0.0, 1.999)) * 2048.0;
            *texel = lookup(&table, at);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the table by the caller")]
fn lookup(table: &[f32], at: f64) -> f32 {
    let (i, f) = (at as usize, at.fract() as f32);
    table[i] * (1.0 - f) + table[i + 1] * f
}

#[cfg(test)]
mod tests {
    use super::super::testing::hand;
    use super::*;
    use crate::texture::HandTexture;

    #[test]
    fn the_mean_luminance_becomes_what_was_asked_for() {
        for v in [0.0, 0.02, 0.5, 1.0] {
            assert!((encoded(linear(v)) - v).abs() < 1e-12, "{v} there and back");
        }
        let mut one = hand();
        one.albedo = vec![[0.3, 0.25, 0.2]; 4];
        let texels = vec![[0.3, 0.25, 0.2]; 16];
        one.texture = Some(Arc::new(HandTexture {
            size: 4,
            albedo: texels,
            filled: vec![true; 16],
            coverage: vec![255; 16],
            covered: 1.0,
        }));
        let before = mean_luminance(std::slice::from_ref(&one)).expect("not black");
        scale(&mut one, USUAL / before);
        let after = mean_luminance(std::slice::from_ref(&one)).expect("not black");
        assert!((after - USUAL).abs() < 1e-9, "{after}");
        let texture = one.texture.as_ref().expect("kept");
        for k in 0..3 {
            let (t, a) = (f64::from(texture.albedo[7][k]), one.albedo[0][k]);
            assert!((t - a).abs() < 1e-3, "texture and vertices alike: {t} {a}");
        }
        scale(&mut one, 100.0);
        assert!(one.albedo.iter().flatten().all(|v| *v <= 1.0), "no brighter than white");
        one.albedo.fill([0.0; 3]);
        assert_eq!(mean_luminance(&[one]), None, "black has no gauge");
    }
}
