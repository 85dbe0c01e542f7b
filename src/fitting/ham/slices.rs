//! How much of a step goes to the device before the caller has its turn: on a processor that plays a GPU, or with large
//! photographs, a step takes longer than anybody waits for a pause. Steps are cut between views, where it changes no byte of
//! the result; how many views make a slice follows what they took last. What follows on the views, mostly smoothing, is cut the
//! same way, into its parts.

/// Seconds that a slice is to take: with the frame that the window is at, and what a slice too long for it adds, a pause is answered
/// within 200 ms.
const SECONDS: f64 = 0.05;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    /// Seconds that a slice is to take.
    pub seconds: f64,
    /// Seconds of a view when it was last measured; 0 before.
    view: f64,
}

impl Default for Slice {
    fn default() -> Self {
        Self { seconds: SECONDS, view: 0.0 }
    }
}

impl Slice {
    /// Views of the next slice: one, while nothing is known.
    pub(super) fn views(&self) -> usize {
        if self.view <= 0.0 {
            return 1;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number, not negative")]
        let views = (self.seconds / self.view).min(1e6) as usize;
        views.max(1)
    }

    /// A slice of so many views took so long.
    pub(super) fn took(&mut self, views: usize, seconds: f64) {
        if views > 0 && seconds.is_finite() {
            self.view = (seconds / views as f64).max(1e-9);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_what_views_take() {
        let mut slice = Slice::default();
        assert_eq!(slice.views(), 1, "carefully at first");
        slice.took(1, 0.002);
        assert_eq!(slice.views(), 25, "a quick device gets whole steps");
        slice.took(4, 4.0);
        assert_eq!(slice.views(), 1, "a slow one a view at a time");
        slice.took(1, 0.0);
        assert!(slice.views() > 1000, "no time at all is no reason to divide by it");
    }
}
