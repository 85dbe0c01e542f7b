//! Colours of residuals: the upper three quarters of matplotlib's viridis map, which runs from dark blue over green to
//! yellow with steadily growing lightness, so that colour-blind eyes order it as well; the darkest part would not show
//! on the dark ground.

/// Viridis at 0.25, 0.375, … 1.
const STOPS: [[f32; 3]; 7] = [
    [59.0, 82.0, 139.0],
    [44.0, 113.0, 142.0],
    [33.0, 145.0, 140.0],
    [39.0, 173.0, 129.0],
    [92.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];

/// Colour of 0 (none) to 1 (the top of the scale).
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
pub(super) fn colour(t: f32) -> [u8; 3] {
    let x = t.clamp(0.0, 1.0) * 6.0;
    let i = (x as usize).min(5);
    let f = x - i as f32;
    [0, 1, 2].map(|c| (STOPS[i][c] + (STOPS[i + 1][c] - STOPS[i][c]) * f).round() as u8)
}

/// Top of the scale: the next of 1, 2, 5, 10, 20, 50 … at or above the greatest residual, at least 2 px.
#[must_use]
pub(super) fn top_px(residuals: impl Iterator<Item = f64>) -> f64 {
    let greatest = residuals.filter(|r| r.is_finite()).fold(2.0, f64::max);
    let decade = 10_f64.powf(greatest.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * decade).find(|top| *top >= greatest - 1e-9).unwrap_or(greatest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_grow_lighter_and_never_turn_back() {
        let luma = |t: f32| {
            let [r, g, b] = colour(t).map(f32::from);
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let steps: Vec<f32> = (0..=24_u8).map(|i| luma(f32::from(i) / 24.0)).collect();
        assert!(steps.windows(2).all(|w| w[1] > w[0]), "steadily lighter: {steps:?}");
        assert_eq!((colour(-1.0), colour(2.0)), (colour(0.0), colour(1.0)), "clamped");
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (greatest, top) in [(0.3, 2.0), (2.0, 2.0), (7.1, 10.0), (39.5, 50.0), (50.0, 50.0), (120.0, 200.0)] {
            assert_eq!(top_px([greatest, 0.1].into_iter()), top, "{greatest} px");
        }
        assert_eq!(top_px([f64::NAN].into_iter()), 2.0, "nothing measured");
    }
}
