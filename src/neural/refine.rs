//! The stage's second part, the joint refinement ([`super::joint`]): its epochs, what it is judged by, and what a checkpoint
//! holds of it.

use super::joint::{Given, Joint, JointLosses, JointScene, JointVerdict, JointView, Pixels, Rates};
use super::layout::Random;
use super::{Neural, NeuralError, NeuralState};
use crate::gpu::Recorder;

/// Rates fall to this part of themselves.
const FINAL_RATE: f64 = 0.3;

/// Adam rate of the second network, as published.
const GUIDE_RATE: f64 = 5e-4;

/// Names of the lists in a checkpoint.
const FACTS: &str = "joint";
const REST: &str = "joint_rest";
const POSITIONS: &str = "joint_positions";
const ALBEDO: &str = "joint_albedo";
const WEIGHTS: &str = "joint_weights";
const FEATURES: &str = "joint_features";

/// A surface as its owner has it on the device: xyz0 and rgb0 a vertex.
#[derive(Clone, Debug, PartialEq)]
pub struct JointSurface {
    /// World metres.
    pub positions: Vec<f32>,
    /// Albedo.
    pub albedo: Vec<f32>,
}

/// What the surface's owner needs to know of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct JointStep {
    /// Views that it looks at.
    pub views: Vec<usize>,
    /// It is the first of an epoch.
    pub first: bool,
    /// Its number, from 1.
    pub number: i32,
    /// Adam rate of the albedo.
    pub albedo_rate: f64,
    /// Adam rate of positions, metres.
    pub position_rate_m: f64,
    rows: u32,
}

/// A refinement under way or ended.
pub(super) struct Refinement {
    /// `None` when it has ended.
    joint: Option<Box<Joint>>,
    before: JointSurface,
    weights: Vec<f32>,
    features: Vec<f32>,
    losses: JointLosses,
    epoch: u32,
    batch: usize,
    steps: i32,
    verdict: Option<JointVerdict>,
}

impl Refinement {
    pub(super) const fn at_epoch_end(&self) -> bool {
        self.batch == 0
    }
}

/// What a checkpoint can hold.
fn rounded(x: f64) -> f64 {
    f64::from(super::to_f32(x))
}

fn numbers(l: &JointLosses) -> [f32; 3] {
    [l.fitted, l.validation, l.silhouettes].map(super::to_f32)
}

fn losses(x: &[f32]) -> JointLosses {
    let [fitted, validation, silhouettes] = [0, 1, 2].map(|k| f64::from(x[k]));
    JointLosses { fitted, validation, silhouettes }
}

fn list<'a>(state: &'a NeuralState, name: &str) -> Option<&'a Vec<f32>> {
    state.lists.iter().find(|(n, _)| n == name).map(|(_, list)| list)
}

/// The surface that a refinement under way in a checkpoint began with.
impl NeuralState {
    /// `None` when none is under way.
    #[must_use]
    pub fn surface_before(&self) -> Option<JointSurface> {
        Some(JointSurface { positions: list(self, POSITIONS)?.clone(), albedo: list(self, ALBEDO)?.clone() })
    }
}

impl Neural {
    /// True when a joint refinement is wanted and not yet judged.
    #[must_use]
    pub fn wants_refinement(&self) -> bool {
        self.settings.refine_epochs > 0 && self.verdict().is_none()
    }

    /// What became of the refinement.
    #[must_use]
    pub fn verdict(&self) -> Option<&JointVerdict> {
        self.refinement.as_ref()?.verdict.as_ref()
    }

    /// Epochs of the refinement finished and wanted; `None` before it has begun.
    #[must_use]
    pub fn joint_epochs(&self) -> Option<[u32; 2]> {
        self.refinement.as_ref().map(|r| [r.epoch, self.settings.refine_epochs])
    }

    /// Views of the capture that have a gain, which take part.
    fn batches_of_views(&self) -> Vec<Vec<usize>> {
        self.batches.iter().map(|batch| batch.iter().map(|&i| self.views[i].view).collect()).collect()
    }

    fn new_joint(&self, scene: &JointScene<'_>, views: &[JointView<'_>]) -> Result<Box<Joint>, NeuralError> {
        let given = Given {
            settings: &self.settings,
            seed: self.seed,
            weights: &self.weights,
            features: &self.features,
            light: &self.light,
            rest: self.rest,
            rest_positions: &self.rest_positions,
            gains: &self.gains,
            most: self.batches.iter().map(Vec::len).max().unwrap_or(1),
        };
        let known: Vec<JointView<'_>> = views.iter().filter(|v| self.gains[v.view][0] > 0.0).cloned().collect();
        Ok(Box::new(Joint::new(&self.gpu, &given, scene, &known)?))
    }

    /// Begins: measures the surface, whose visibility is up to date and whose silhouettes cost `silhouettes`.
    ///
    /// # Errors
    /// A GPU error.
    pub fn begin_joint(
        &mut self,
        scene: &JointScene<'_>,
        views: &[JointView<'_>],
        before: JointSurface,
        silhouettes: f64,
    ) -> Result<(), NeuralError> {
        let mut refinement = Refinement {
            joint: Some(self.new_joint(scene, views)?),
            before,
            weights: self.gpu.read(&self.weights)?,
            features: self.gpu.read(&self.features)?,
            losses: JointLosses::default(),
            epoch: 0,
            batch: 0,
            steps: 0,
            verdict: None,
        };
        refinement.losses = self.measured(&mut refinement, silhouettes)?;
        self.refinement = Some(refinement);
        Ok(())
    }

    fn measured(&self, refinement: &mut Refinement, silhouettes: f64) -> Result<JointLosses, NeuralError> {
        let batches = self.batches_of_views();
        let Some(joint) = &mut refinement.joint else { return Ok(JointLosses::default()) };
        Ok(JointLosses {
            fitted: rounded(joint.measure(&batches, Pixels::Fitted)?),
            validation: rounded(joint.measure(&batches, Pixels::Validation)?),
            silhouettes: rounded(silhouettes),
        })
    }

    /// Goes on with the refinement of a checkpoint; false when it has none under way or it does not fit. The surface is as the
    /// checkpoint left it, its visibility is up to date.
    ///
    /// # Errors
    /// A GPU error.
    pub fn resume_joint(
        &mut self,
        scene: &JointScene<'_>,
        views: &[JointView<'_>],
        state: &NeuralState,
    ) -> Result<bool, NeuralError> {
        let (Some(facts), Some(before), Some(weights), Some(features)) =
            (list(state, FACTS), state.surface_before(), list(state, WEIGHTS), list(state, FEATURES))
        else {
            return Ok(false);
        };
        if facts.len() != 12 {
            return Ok(false);
        }
        let joint = self.new_joint(scene, views)?;
        for (name, buffer) in joint.state_buffers() {
            match list(state, name) {
                Some(list) if list.len() as u64 * 4 == buffer.len_bytes() => buffer.write(&self.gpu, list),
                _ => return Ok(false),
            }
        }
        let [epoch, steps] = [facts[0], facts[1]];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
        let (epoch, steps) = (epoch as u32, steps as i32);
        self.refinement = Some(Refinement {
            joint: Some(joint),
            before,
            weights: weights.clone(),
            features: features.clone(),
            losses: losses(&facts[3..6]),
            epoch,
            batch: 0,
            steps,
            verdict: None,
        });
        Ok(true)
    }

    /// Prepares the next step; `None` when no epoch is left.
    pub fn prepare_joint(&mut self) -> Option<JointStep> {
        let s = &self.settings;
        let batches = self.batches_of_views();
        let refinement = self.refinement.as_mut()?;
        if refinement.epoch >= s.refine_epochs {
            return None;
        }
        let joint = refinement.joint.as_mut()?;
        refinement.steps += 1;
        let way = f64::from(refinement.epoch) / f64::from(s.refine_epochs.max(2) - 1);
        let fall = FINAL_RATE.powf(way);
        let network = s.refine_network * s.final_rate * fall;
        let rates = Rates {
            step: refinement.steps,
            rates: [network * s.rate, network * s.feature_rate, GUIDE_RATE * fall],
            guide: s.refine_guide,
        };
        let views = batches[refinement.batch].clone();
        let number = u64::try_from(refinement.steps).unwrap_or(0);
        let (seed, epochs) = (self.seed, u64::from(s.epochs));
        #[expect(clippy::cast_possible_truncation, reason = "half of the bits")]
        let seed = |view: usize| Random(seed ^ (epochs << 48) ^ (number << 16) ^ view as u64).bits() as u32;
        let rows = joint.prepare(&views, &rates, seed);
        Some(JointStep {
            views,
            first: refinement.batch == 0,
            number: refinement.steps,
            albedo_rate: s.refine_albedo_rate * fall,
            position_rate_m: 1e-3 * s.refine_step_mm * fall,
            rows,
        })
    }

    /// Records what was prepared: after the surface's normals and visibility, before its step.
    pub fn record_joint(&self, recorder: &mut Recorder, step: &JointStep) {
        let Some(joint) = self.refinement.as_ref().and_then(|r| r.joint.as_ref()) else { return };
        if step.first {
            joint.record_begin(recorder);
        }
        joint.record(recorder, &step.views, step.rows);
    }

    /// The step has run; at the end of an epoch its mean losses of both pictures.
    ///
    /// # Errors
    /// [`NeuralError::Diverged`], [`NeuralError::Overflow`] or a GPU error.
    pub fn joint_stepped(&mut self) -> Result<Option<[f64; 2]>, NeuralError> {
        let epochs = self.settings.epochs;
        let steps = self.batches.len();
        let Some(refinement) = &mut self.refinement else { return Ok(None) };
        refinement.batch += 1;
        if refinement.batch < steps {
            return Ok(None);
        }
        refinement.batch = 0;
        refinement.epoch += 1;
        let Some(joint) = &refinement.joint else { return Ok(None) };
        let losses = joint.read()?;
        if losses.iter().any(|l| !l.is_finite()) {
            return Err(NeuralError::Diverged { epoch: epochs + refinement.epoch });
        }
        Ok(Some(losses))
    }

    /// Judges what was refined. `surface` puts an albedo in the place of the present one (the device's list), and
    /// `silhouettes` are what the moved surface costs; its visibility is up to date. What is not kept is taken back here as
    /// far as the network goes; the surface to take back, positions and albedo, is returned.
    ///
    /// # Errors
    /// A GPU error.
    pub fn judge_joint(
        &mut self,
        silhouettes: f64,
        mut put_albedo: impl FnMut(&[f32]),
        refined_albedo: &[f32],
    ) -> Result<Option<JointSurface>, NeuralError> {
        let Some(mut refinement) = self.refinement.take() else { return Ok(None) };
        let after = self.measured(&mut refinement, silhouettes)?;
        let refined: [Vec<f32>; 2] = [self.gpu.read(&self.weights)?, self.gpu.read(&self.features)?];
        let put = |neural: &Self, weights: &[f32], features: &[f32]| {
            neural.weights.write(&neural.gpu, weights);
            neural.features.write(&neural.gpu, features);
        };
        put(self, &refinement.weights, &refinement.features);
        put_albedo(&refinement.before.albedo);
        let moved = self.measured(&mut refinement, silhouettes)?;
        let verdict = JointVerdict { before: refinement.losses, moved, after };
        refinement.joint = None;
        refinement.verdict = Some(verdict);
        let back = if verdict.keeps() {
            put(self, &refined[0], &refined[1]);
            put_albedo(refined_albedo);
            None
        } else {
            Some(refinement.before.clone())
        };
        self.refinement = Some(refinement);
        Ok(back)
    }

    pub(super) fn joint_lists(&self) -> Result<Vec<(String, Vec<f32>)>, NeuralError> {
        let Some(r) = &self.refinement else { return Ok(Vec::new()) };
        let [moved, after] = r.verdict.as_ref().map_or([[0.0; 3]; 2], |v| [numbers(&v.moved), numbers(&v.after)]);
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let counts = [r.epoch as f32, r.steps as f32, f32::from(u8::from(r.verdict.is_some()))];
        let facts = [counts, numbers(&r.losses), moved, after].concat();
        let mut lists = vec![(FACTS.to_owned(), facts)];
        if let Some(joint) = &r.joint {
            let plain = [
                (POSITIONS, &r.before.positions),
                (ALBEDO, &r.before.albedo),
                (WEIGHTS, &r.weights),
                (FEATURES, &r.features),
            ];
            lists.extend(plain.map(|(name, list)| (name.to_owned(), list.clone())));
            for (name, buffer) in joint.state_buffers() {
                lists.push((name.to_owned(), self.gpu.read::<f32>(buffer)?));
            }
        } else {
            lists.push((REST.to_owned(), self.rest.to_vec()));
        }
        Ok(lists)
    }

    /// What became of a refinement that had ended when the state was saved, and the frame of the rest pose before it.
    pub(super) fn restore_verdict(&mut self, state: &NeuralState) {
        self.refinement = None;
        let (Some(facts), Some(rest)) = (list(state, FACTS), list(state, REST)) else { return };
        if facts.len() != 12 || rest.len() != 4 || facts[2] == 0.0 {
            return;
        }
        self.rest.copy_from_slice(rest);
        let [before, moved, after] = [3, 6, 9].map(|at| losses(&facts[at..at + 3]));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small counts")]
        let (epoch, steps) = (facts[0] as u32, facts[1] as i32);
        self.refinement = Some(Refinement {
            joint: None,
            before: JointSurface { positions: Vec::new(), albedo: Vec::new() },
            weights: Vec::new(),
            features: Vec::new(),
            losses: before,
            epoch,
            batch: 0,
            steps,
            verdict: Some(JointVerdict { before, moved, after }),
        });
    }
}
