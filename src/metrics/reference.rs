//! Images made of formulas and what others compute for them: `scripts/metrics_reference.py` in Rust.

use super::image::Picture;

pub(super) fn values() -> serde_json::Value {
    serde_json::from_str(include_str!("reference.json")).expect("JSON")
}

#[track_caller]
pub(super) fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
}

pub(super) fn pattern(width: usize, height: usize) -> Picture {
    let value = |x: usize, y: usize, c: usize| ((x * x / 64 + 3 * x * c + y * (c + 1)) % 256) as f64 / 255.0;
    let rgb = (0..height).flat_map(|y| (0..width).map(move |x| [0, 1, 2].map(|c| value(x, y, c)))).collect();
    Picture { width, height, rgb }
}

/// A picture with each value `v` at `(x, y)` of channel `c` replaced.
fn map(picture: &Picture, new: impl Fn(usize, usize, usize, f64) -> f64) -> Picture {
    let w = picture.width;
    let rgb = picture.rgb.iter().enumerate().map(|(i, p)| [0, 1, 2].map(|c| new(i % w, i / w, c, p[c]))).collect();
    Picture { rgb, ..*picture }
}

pub(super) fn changed(picture: &Picture) -> Vec<(&'static str, Picture)> {
    let (w, h) = (picture.width, picture.height);
    let noise = |x: usize, y: usize, c: usize| (((x * 7 + y * 13 + c * 5) % 11) as f64 - 5.0) / 50.0;
    vec![
        ("same", picture.clone()),
        ("darker", map(picture, |_, _, _, v| v * 0.9)),
        ("tinted", map(picture, |_, _, c, v| if c == 2 { v * 0.7 } else { v })),
        ("noisy", map(picture, |x, y, c, v| (v + noise(x, y, c)).clamp(0.0, 1.0))),
        ("black box", map(picture, |x, y, _, v| if x > w / 3 && y > h / 2 { 0.0 } else { v })),
        ("inverted", map(picture, |_, _, _, v| 1.0 - v)),
    ]
}
