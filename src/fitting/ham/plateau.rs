//! When a phase has nothing left to gain.

use super::{HamState, to_f32};

/// Name of the losses in a checkpoint.
pub(super) const LIST: &str = "history";
/// Epochs whose means are compared.
const WINDOW: usize = 10;

/// What tells a phase's progress: both terms of the image, whatever their weights.
pub(super) fn progress([colours, silhouettes]: [f64; 2]) -> f64 {
    (colours + 1e-9) * (silhouettes + 1e-9)
}

/// True when the mean of the last ten losses is less than `tolerance` (relative) below that of the ten before.
pub(super) fn reached(history: &[f64], tolerance: f64) -> bool {
    let Some(from) = history.len().checked_sub(2 * WINDOW) else { return false };
    let mean = |part: &[f64]| part.iter().sum::<f64>() / WINDOW as f64;
    let (before, after) = (mean(&history[from..from + WINDOW]), mean(&history[from + WINDOW..]));
    tolerance > 0.0 && before - after < tolerance * before
}

/// Each loss as two numbers, the second what the first leaves: a resumed run must stop where an uninterrupted one does.
pub(super) fn to_list(history: &[f64]) -> Vec<f32> {
    history.iter().flat_map(|x| [to_f32(*x), to_f32(x - f64::from(to_f32(*x)))]).collect()
}

/// Losses in a checkpoint; none in one of a version that had none.
pub(super) fn history_of(state: &HamState) -> Vec<f64> {
    let list = state.lists.iter().find(|(name, _)| name == LIST).map_or(&[][..], |(_, list)| list);
    list.chunks_exact(2).map(|c| f64::from(c[0]) + f64::from(c[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_loss_is_a_plateau_and_a_falling_one_is_not() {
        let falling: Vec<f64> = (0..40).map(|i| 0.97_f64.powi(i)).collect();
        let flat: Vec<f64> = (0..40).map(|i| 1.0 + 1e-4 * f64::from(i % 3)).collect();
        assert!(!reached(&falling, 1e-3), "still falling");
        assert!(reached(&flat, 1e-3), "nothing is gained");
        assert!(!reached(&flat[..19], 1e-3), "too early to say");
        assert!(!reached(&flat, 0.0), "switched off");
        let rising: Vec<f64> = falling.iter().rev().copied().collect();
        assert!(reached(&rising, 1e-3), "a rising loss gains nothing either");
    }

    #[test]
    fn losses_come_back_from_a_checkpoint() {
        let history = vec![0.123_456_789_012, 7.5, 1e-9];
        let state = HamState { phase: 1, epoch: 3, lists: vec![(LIST.to_owned(), to_list(&history))], steps: [0; 3] };
        for (a, b) in history_of(&state).iter().zip(&history) {
            assert!((a - b).abs() < 1e-13 * (1.0 + b), "{a} and {b}");
        }
        assert_eq!(history_of(&state).len(), 3, "all of them");
    }
}
