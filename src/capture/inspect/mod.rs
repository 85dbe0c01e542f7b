//! What is in a capture and how good it is: the findings behind `thenar inspect`. Pure functions over a [`Capture`].

mod light;
mod mask;
mod report;
mod table;

pub use mask::MaskVerdict;
pub use report::{DetectionReport, Flag, Inspection, MaskReport, ViewReport, inspect};

use super::View;
use crate::anatomy::KEYPOINT_BONES;

/// Samples per bone, both ends included.
const SAMPLES_PER_BONE: u32 = 11;

/// Pixels under the bones of one detected hand (index 0 left, 1 right), those outside the image left out; the second
/// number counts all samples.
fn bone_samples(view: &View, side: usize) -> (Vec<(u32, u32)>, usize) {
    let Some(keypoints) = &view.keypoints[side] else { return (Vec::new(), 0) };
    let mut inside = Vec::new();
    let mut total = 0;
    for (a, b) in KEYPOINT_BONES {
        let (a, b) = (keypoints.px[a], keypoints.px[b]);
        for step in 0..SAMPLES_PER_BONE {
            let t = f64::from(step) / f64::from(SAMPLES_PER_BONE - 1);
            total += 1;
            inside.extend(pixel_at(view.image.dimensions(), a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])));
        }
    }
    (inside, total)
}

/// The pixel that covers a position, if it is in the image.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie inside the image")]
fn pixel_at(size_px: (u32, u32), x_px: f64, y_px: f64) -> Option<(u32, u32)> {
    let inside = x_px >= 0.0 && y_px >= 0.0 && x_px < f64::from(size_px.0) && y_px < f64::from(size_px.1);
    inside.then_some((x_px as u32, y_px as u32))
}

/// Middle value (mean of the two middle ones); `None` when empty.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[n / 2]),
        n => Some(0.5 * (values[n / 2 - 1] + values[n / 2])),
    }
}
