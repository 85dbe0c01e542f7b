//! Where the stage begins, and how it goes over from the coarser mesh to the full one.

use super::target::TargetSource;
use super::{Ham, HamError, HamSettings, Preparation, to_f32};
use crate::gpu::Gpu;
use crate::hand::{HandModel, PosedHand};

impl Ham {
    /// Prepares the stage at its beginning: on the mesh of the level below where the settings have a coarse part, so that
    /// [`Self::refined`] comes after.
    ///
    /// `sources` has one entry per view, `None` for views that must not be looked at (held out, excluded).
    ///
    /// # Errors
    /// [`HamError::NoView`] or a GPU error.
    pub fn new(
        gpu: &Gpu,
        settings: &HamSettings,
        hands: &[(&HandModel, &PosedHand)],
        sources: &[Option<TargetSource<'_>>],
    ) -> Result<Self, HamError> {
        Preparation::begin(gpu, settings).finish(hands, sources, None)
    }

    /// The stage at its first phase that has any epochs; its cameras are looked at before its first step.
    pub(super) fn begun(mut self) -> Result<Self, HamError> {
        let beginning = self.beginning();
        if beginning.is_nothing() {
            self.go_on_ending(beginning)?;
        } else {
            self.ending = Some(beginning);
        }
        Ok(self)
    }

    /// The stage on the full mesh after its coarse part, or as a checkpoint beyond that needs it (`None`, to be restored).
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn refined(
        gpu: &Gpu,
        settings: &HamSettings,
        hands: &[(&HandModel, &PosedHand)],
        sources: &[Option<TargetSource<'_>>],
        coarse: Option<&Self>,
    ) -> Result<Self, HamError> {
        Preparation::refined(gpu, settings).finish(hands, sources, coarse)
    }

    /// The stage behind its coarse part, with what that has found.
    pub(super) fn after(mut self, coarse: Option<&Self>) -> Result<Self, HamError> {
        if let Some(coarse) = coarse {
            self.take_over(coarse)?;
        }
        self.phase = self.next_phase();
        self.enter_phase(self.phase);
        Ok(self)
    }

    /// True on the coarser mesh.
    #[must_use]
    pub const fn is_coarse(&self) -> bool {
        self.coarse
    }

    /// Displacements, albedo, lights and cameras of the mesh of the level below.
    fn take_over(&mut self, coarse: &Self) -> Result<(), HamError> {
        let found = coarse.vertices()?;
        let mut positions = self.mesh.positions.clone();
        let mut albedo = vec![[0.0; 3]; positions.len()];
        for (hand, below) in self.mesh.hands.iter().zip(&coarse.mesh.hands) {
            let level = hand.levels.deepest() - 1;
            let at = |list: &[[f32; 3]]| -> Vec<[f64; 3]> {
                list[below.vertices.clone()].iter().map(|x| x.map(f64::from)).collect()
            };
            let start = &coarse.mesh.positions[below.vertices.clone()];
            let displacement: Vec<[f64; 3]> =
                at(&found.positions).iter().zip(start).map(|(x, x0)| [0, 1, 2].map(|k| x[k] - x0[k])).collect();
            let range = hand.vertices.clone();
            for (to, by) in positions[range.clone()].iter_mut().zip(hand.levels.to_next(level, &displacement)) {
                *to = [0, 1, 2].map(|k| to[k] + by[k]);
            }
            albedo[range].copy_from_slice(&hand.levels.to_next(level, &at(&found.albedo)));
        }
        let padded = |list: &[[f64; 3]]| -> Vec<[f32; 4]> {
            list.iter().map(|x| [to_f32(x[0]), to_f32(x[1]), to_f32(x[2]), 0.0]).collect()
        };
        self.buffers.positions.write(&self.gpu, &padded(&positions));
        self.buffers.albedo.write(&self.gpu, &padded(&albedo));
        let lights: Vec<f32> = self.gpu.read(&coarse.buffers.lights)?;
        self.buffers.lights.write(&self.gpu, &lights);
        self.moves.clone_from(&coarse.moves);
        self.residuals.clone_from(&coarse.residuals);
        for v in 0..self.views.len() {
            self.place_camera(v);
            self.straighten(v);
        }
        self.ended.clone_from(&coarse.ended);
        self.refresh_normals()?;
        self.look_again()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Phase;
    use super::super::submits::{finish, scene, with_inputs};
    use super::*;
    use crate::gpu::testing;

    fn settings() -> HamSettings {
        HamSettings {
            level: 1,
            albedo_epochs: 2,
            coarse_epochs: 4,
            shape_epochs: 3,
            colour_epochs: 2,
            ..HamSettings::default()
        }
    }

    #[test]
    fn the_coarse_part_goes_over_into_the_full_mesh() {
        let Some(gpu) = testing::gpu() else { return };
        with_inputs(&scene(), |hands, sources| {
            let names = |ham: &Ham| ham.ended_phases().iter().map(|r| r.phase).collect::<Vec<Phase>>();
            let mut coarse = Ham::new(&gpu, &settings(), hands, sources).expect("hands are seen");
            let first = finish(&mut coarse);
            assert_eq!(names(&coarse), [Phase::Albedo, Phase::Coarse], "the coarse part");
            let mut ham = Ham::refined(&gpu, &settings(), hands, sources, Some(&coarse)).expect("goes over");
            assert!(coarse.state().expect("reads").is_coarse() && !ham.state().expect("reads").is_coarse(), "known");

            // What was found is there: vertices that both have are where Loop's rule puts them, near their old places.
            let (before, after) = (coarse.vertices().expect("reads"), ham.vertices().expect("reads"));
            assert!(after.positions.len() > 3 * before.positions.len(), "a finer mesh");
            let moved = |ham: &Ham, at: &[[f32; 3]], n: usize| -> f64 {
                let start = &ham.mesh().positions;
                (0..n).map(|v| (0..3).map(|k| (f64::from(at[v][k]) - start[v][k]).powi(2)).sum::<f64>().sqrt()).sum()
            };
            let count = before.positions.len();
            let [old, new] = [moved(&coarse, &before.positions, count), moved(&ham, &after.positions, count)];
            assert!(old > 0.0 && (new / old - 1.0).abs() < 0.15, "displaced as before: {old} and {new}");
            assert_eq!(coarse.lights().expect("reads"), ham.lights().expect("reads"), "the same lights");
            assert_eq!(coarse.camera_moves(), ham.camera_moves(), "the same cameras");

            let rest = finish(&mut ham);
            assert_eq!(names(&ham), [Phase::Albedo, Phase::Coarse, Phase::Shape, Phase::Colour], "then the rest");
            assert_eq!((first.len(), rest.len()), (6, 5), "every epoch is told");
        });
    }

    #[test]
    fn a_checkpoint_of_either_part_goes_on_to_the_same_bytes() {
        let Some(gpu) = testing::gpu() else { return };
        with_inputs(&scene(), |hands, sources| {
            let begin = || Ham::new(&gpu, &settings(), hands, sources).expect("hands are seen");
            let go_over = |coarse: Option<&Ham>| Ham::refined(&gpu, &settings(), hands, sources, coarse).expect("fits");
            let step = |ham: &mut Ham, epochs: usize| {
                let mut told = 0;
                while told < epochs {
                    told += usize::from(ham.step().expect("steps").is_some());
                }
                ham.state().expect("reads")
            };
            let mut whole = begin();
            let early = step(&mut whole, 3);
            finish(&mut whole);
            let mut whole = go_over(Some(&whole));
            let late = step(&mut whole, 4);
            finish(&mut whole);
            let expected = whole.state().expect("reads");

            let mut resumed = begin();
            assert!(early.is_coarse() && resumed.restore(&early).expect("restores"), "in the coarse part");
            finish(&mut resumed);
            let mut resumed = go_over(Some(&resumed));
            finish(&mut resumed);
            assert!(resumed.state().expect("reads") == expected, "from the coarse part");
            let mut resumed = go_over(None);
            assert!(!late.is_coarse() && resumed.restore(&late).expect("restores"), "in the full part");
            finish(&mut resumed);
            assert!(resumed.state().expect("reads") == expected, "from the full part");
            assert!(!begin().restore(&late).expect("reads"), "the other mesh's checkpoint does not fit");
        });
    }
}
