//! What the photographs of a run show its network.

use crate::camera::{Camera, CameraResidual};
use crate::capture::Capture;
use crate::fitting::ham::target::{JudgedSource, REGION_MARGIN, Target, TargetSource};
use crate::fitting::masks::JudgedMask;
use crate::neural::NeuralView;

/// A run's views after HAM; lists have one entry a view of the capture.
pub(super) struct SeenViews<'a> {
    /// Photographs and masks.
    pub capture: &'a Capture,
    /// After refinement.
    pub cameras: &'a [Camera],
    /// What each camera is off by over its picture.
    pub residuals: &'a [CameraResidual],
    /// Views that take part.
    pub used: &'a [bool],
    /// Masks as HAM used them; empty when they were left as they are.
    pub masks: &'a [Option<JudgedMask>],
    /// Which masks agreed with the model.
    pub trusted: &'a [Option<bool>],
    /// Vertices of the fitted hands, world metres: where to look.
    pub points: &'a [[f64; 3]],
    /// Images are used at `1 / divisor` of their size.
    pub divisor: u32,
}

impl SeenViews<'_> {
    /// Region and photograph of each view that takes part.
    pub(super) fn for_network(&self) -> Vec<Option<NeuralView>> {
        (0..self.capture.views.len()).map(|view| self.view(view)).collect()
    }

    fn view(&self, view: usize) -> Option<NeuralView> {
        if self.used.get(view) != Some(&true) {
            return None;
        }
        let source = &self.capture.views[view];
        let judged = self.masks.get(view).and_then(Option::as_ref);
        let judged = judged.map(|j| JudgedSource { mask: j.mask.as_ref(), weight: j.report.weight });
        let (camera, mask) = (self.cameras.get(view)?, source.mask.as_ref());
        let target = TargetSource { camera, image: &source.image, mask, judged };
        let target = Target::new(&target, self.divisor.max(1), self.points, REGION_MARGIN)?;
        // Only pixels that the render covers are looked at, so the forearm needs no care.
        let (covered, no_arm) = (vec![1; target.colours.len()], vec![false; target.colours.len()]);
        let trusted = self.trusted.get(view).copied().flatten() == Some(true);
        let pixels = target.straightened(&target.packed(&covered, &no_arm, trusted), self.residuals.get(view)?);
        Some(NeuralView { pixels, camera: target.camera })
    }
}
