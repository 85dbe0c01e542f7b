//! The stage on a frame of a sequence whose hands are known in detail from another frame: it begins with that surface in the
//! present pose, its albedo and the rig's lights, and what the terms hold the surface to is that detail, not the bare model.

use super::target::TargetSource;
use super::{Ham, HamError, HamSettings, Preparation};
use crate::gpu::Gpu;
use crate::hand::{HandModel, PosedHand};
use crate::shading::LIGHT_STRIDE;

/// What another frame knows.
#[derive(Clone, Debug)]
pub struct Detail {
    /// Its surface in the pose of this frame, all hands in order (V×3), world metres.
    pub positions: Vec<[f64; 3]>,
    /// Its albedo (V×3).
    pub albedo: Vec<[f32; 3]>,
    /// Lights of the rig, one a view.
    pub lights: Vec<[f64; LIGHT_STRIDE]>,
}

impl HamSettings {
    /// Settings for a frame that begins with the detail of another one: the given `share` of the epochs that move the surface,
    /// with an albedo that follows slowly and is no stiffer than it was when it got its detail. Cameras stay where they are
    /// when they are `known` from that frame.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the epochs there are")]
    pub fn following(&self, share: f64, known: bool) -> Self {
        let epochs = (f64::from(self.shape_epochs) * share.clamp(0.0, 1.0)).ceil() as u32;
        Self {
            albedo_epochs: 0,
            coarse_epochs: 0,
            shape_epochs: epochs,
            colour_epochs: 0,
            albedo_rate_shape: FOLLOWING_ALBEDO * self.albedo_rate_shape,
            smoothing_coarse_mm: self.smoothing_mm,
            albedo_laplacian: self.albedo_laplacian * self.albedo_laplacian_colour,
            albedo_laplacian_late: 1.0,
            camera_turn_deg: if known { 0.0 } else { self.camera_turn_deg },
            ..self.clone()
        }
    }
}

/// Part of the albedo's rate that a following frame keeps: shadows that move belong to its surface.
const FOLLOWING_ALBEDO: f64 = 0.3;

impl Ham {
    /// Prepares the stage with the detail of another frame.
    ///
    /// # Errors
    /// As [`Ham::new`]; [`HamError::Detail`] when it is of another mesh or rig.
    pub fn with_detail(
        gpu: &Gpu,
        settings: &HamSettings,
        hands: &[(&HandModel, &PosedHand)],
        sources: &[Option<TargetSource<'_>>],
        detail: &Detail,
    ) -> Result<Self, HamError> {
        Preparation::with_detail(gpu, settings, detail.clone()).finish(hands, sources, None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Phase;
    use super::super::submits::{finish, scene, with_inputs};
    use super::*;
    use crate::gpu::testing;

    #[test]
    fn a_following_frame_begins_where_the_other_ended() {
        let Some(gpu) = testing::gpu() else { return };
        let settings =
            HamSettings { level: 1, albedo_epochs: 4, shape_epochs: 8, colour_epochs: 4, ..HamSettings::default() };
        with_inputs(&scene(), |hands, sources| {
            let mut first = Ham::new(&gpu, &settings, hands, sources).expect("hands are seen");
            let reports = finish(&mut first);
            let found = first.vertices().expect("reads");
            let detail = Detail {
                positions: found.positions.iter().map(|p| p.map(f64::from)).collect(),
                albedo: found.albedo.clone(),
                lights: first.lights().expect("reads"),
            };
            let following = settings.following(0.25, true);
            assert_eq!(
                (following.albedo_epochs, following.shape_epochs, following.camera_turn_deg),
                (0, 2, 0.0),
                "few"
            );
            let mut next = Ham::with_detail(&gpu, &following, hands, sources, &detail).expect("fits");
            assert_eq!(next.phase(), Phase::Shape, "at once");
            let begun = next.vertices().expect("reads");
            assert_eq!((&begun.positions, &begun.albedo), (&found.positions, &found.albedo), "the other's detail");
            let sums = |r: &[super::super::EpochReport]| r.iter().map(|r| r.terms[0]).collect::<Vec<f64>>();
            let (before, after) = (sums(&reports), sums(&finish(&mut next)));
            let last = before.last().expect("epochs");
            assert!(after[0] < 1.05 * last && *last < 0.7 * before[0], "as near as it was: {before:?}, then {after:?}");
            let wrong = Detail { positions: Vec::new(), ..detail };
            let refused = Ham::with_detail(&gpu, &following, hands, sources, &wrong);
            assert!(matches!(refused, Err(HamError::Detail)), "another mesh");
        });
    }
}
