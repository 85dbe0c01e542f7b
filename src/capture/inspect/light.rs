//! Brightness, clipping and colour of a view, of the whole picture and under the detected bones (skin).

use super::median;
use image::{Rgb, RgbImage};

/// A channel at or above this is clipped.
const CLIPPED: u8 = 250;
/// Rec. 709 weights.
const LUMA: [f64; 3] = [0.2126, 0.7152, 0.0722];

/// How a view is lit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LightFigures {
    /// Mean luma (of the encoded values) of the picture, 0…1.
    pub(super) brightness: f64,
    /// Part of the picture with a clipped channel.
    pub(super) clipped: f64,
    /// The same under the bones, when a hand was detected in the picture.
    pub(super) hand: Option<HandLight>,
}

/// Light on the skin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct HandLight {
    /// Median luma (encoded), 0…1.
    pub(super) brightness: f64,
    /// Part of the samples with a clipped channel.
    pub(super) clipped: f64,
    /// Median linear luminance, 0…1.
    pub(super) luminance: f64,
    /// `[ln G/R, ln B/R]` of the median colour of the samples that are not clipped; `None` if fewer than 20 are left.
    pub(super) chroma: Option<[f64; 2]>,
}

/// Measures a picture; `skin` are pixels known to show skin.
pub(super) fn measure(image: &RgbImage, skin: &[(u32, u32)]) -> LightFigures {
    let mut sum = 0.0;
    let mut clipped = 0_usize;
    for pixel in image.pixels() {
        sum += luma(pixel);
        clipped += usize::from(is_clipped(pixel));
    }
    let pixels = f64::from(image.width()) * f64::from(image.height());
    let colours: Vec<Rgb<u8>> = skin.iter().map(|&(x, y)| *image.get_pixel(x, y)).collect();
    LightFigures {
        brightness: sum / pixels,
        clipped: super::mask::to_f64(clipped) / pixels,
        hand: hand_light(&colours),
    }
}

fn hand_light(colours: &[Rgb<u8>]) -> Option<HandLight> {
    let brightness = median(&mut colours.iter().map(luma).collect::<Vec<_>>())?;
    let luminance = median(&mut colours.iter().map(linear_luminance).collect::<Vec<_>>())?;
    let faithful: Vec<&Rgb<u8>> = colours.iter().filter(|c| !is_clipped(c)).collect();
    let channel = |i: usize| median(&mut faithful.iter().map(|c| f64::from(c.0[i].max(1))).collect::<Vec<_>>());
    let chroma = match (channel(0), channel(1), channel(2)) {
        (Some(r), Some(g), Some(b)) if faithful.len() >= 20 => Some([(g / r).ln(), (b / r).ln()]),
        _ => None,
    };
    let clipped = super::mask::to_f64(colours.len() - faithful.len()) / super::mask::to_f64(colours.len());
    Some(HandLight { brightness, clipped, luminance, chroma })
}

fn is_clipped(pixel: &Rgb<u8>) -> bool {
    pixel.0.iter().any(|&c| c >= CLIPPED)
}

fn luma(pixel: &Rgb<u8>) -> f64 {
    pixel.0.iter().zip(LUMA).map(|(&c, w)| w * f64::from(c) / 255.0).sum()
}

fn linear_luminance(pixel: &Rgb<u8>) -> f64 {
    pixel.0.iter().zip(LUMA).map(|(&c, w)| w * linear_from_srgb(f64::from(c) / 255.0)).sum()
}

/// IEC 61966-2-1.
fn linear_from_srgb(c: f64) -> f64 {
    if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipped_skin_does_not_bend_the_colour() {
        let skin = Rgb([200, 160, 120]);
        let burnt = Rgb([255, 230, 180]);
        let mut colours = vec![skin; 30];
        colours.extend(vec![burnt; 70]);
        let light = hand_light(&colours).expect("samples");
        assert!((light.clipped - 0.7).abs() < 1e-12, "70 of 100 are clipped");
        let chroma = light.chroma.expect("30 samples are left");
        assert!((chroma[0] - (160.0_f64 / 200.0).ln()).abs() < 1e-12, "green over red of the unclipped skin");
        assert!(hand_light(&vec![burnt; 70]).expect("samples").chroma.is_none(), "nothing faithful is left");
        assert!(hand_light(&[]).is_none(), "no samples, no figures");
    }

    #[test]
    fn brightness_is_the_mean_luma() {
        let image = RgbImage::from_fn(10, 10, |x, _| if x < 5 { Rgb([0; 3]) } else { Rgb([255; 3]) });
        let light = measure(&image, &[(7, 3)]);
        assert!((light.brightness - 0.5).abs() < 1e-12, "half black, half white");
        assert!((light.clipped - 0.5).abs() < 1e-12, "the white half is clipped");
        assert!((light.hand.expect("one sample").luminance - 1.0).abs() < 1e-12, "white is 1");
    }
}
