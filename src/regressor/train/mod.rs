//! Training of the regressor on hands drawn from a hand model. The network's gradient is taken by candle (CPU, single
//! precision); the mesh losses and the hand model's own have theirs here, in `f64`. The same model, seed and settings give
//! the same weights on one machine.
//!
//! Losses as published (means of absolute differences in the network's frame): vertices × 2, joints × 2, normals, squared
//! edges × 5, parameters, and vertices of the model in the predicted pose × 2. Mesh losses take the first
//! [`TrainSettings::meshes`] hands of each batch, the parameters all of it: a mesh costs as much as twenty parameter sets.

mod adam;
mod graph;
mod loss;
mod ops;

use super::file::{RegressorFacts, to_bytes};
use super::levels::MeshLevels;
use super::network::{Tensors, merge_chain};
use super::normal_frame::NormalFrame;
use super::poses::{disturb, draw};
use super::{HandRegressor, RegressorError, Upright};
use crate::anatomy::JOINTS;
use crate::hand::{HandLayer, HandModel, HandParameters, KeypointModel, POSE, SCALE};
use crate::mesh::TriMesh;
use crate::synthetic::Random;
use adam::Adam;
use candle_core::{Device, Tensor};
use graph::Graph;
use loss::MeshLoss;
use std::path::Path;

/// Numbers of the parameter head.
const PARAMETERS: usize = 55;
/// Hands that the mean and spread of vertices are taken from.
const SAMPLES: usize = 200;
/// Hands that each validation takes; they are never trained on.
const VALIDATION: usize = 64;
/// From this part of the steps on the rate falls, linearly to zero.
const FALL_FROM: f64 = 0.5;

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainSettings {
    /// Steps of Adam.
    pub steps: u32,
    /// Hands a step.
    pub batch: usize,
    /// Those of them whose mesh is predicted too.
    pub meshes: usize,
    /// First rate of Adam.
    pub rate: f64,
    /// Seed of weights and hands.
    pub seed: u64,
}

impl Default for TrainSettings {
    fn default() -> Self {
        Self { steps: 2000, batch: 128, meshes: 8, rate: 1e-3, seed: 1 }
    }
}

/// Why training does not go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A setting that makes no sense.
    #[error("training: {0}")]
    Settings(String),
    /// The machine-learning crate.
    #[error("training: {0}")]
    Network(#[from] candle_core::Error),
    /// Weights that cannot be used.
    #[error(transparent)]
    Weights(#[from] RegressorError),
    /// The file's header.
    #[error("training: the weights could not be written: {0}")]
    Header(#[from] serde_json::Error),
}

/// Names of the loss terms, in the order of [`TrainStep::terms`].
pub const TRAIN_TERMS: [&str; 6] = ["vertices", "joints", "normals", "edges", "parameters", "reposed"];

/// What a step did.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainStep {
    /// Steps done.
    pub step: u32,
    /// Weighted losses of the batch, by [`TRAIN_TERMS`].
    pub terms: [f64; 6],
}

/// How good the weights are on hands that are not trained on; clean keypoints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// Mean distance of predicted vertices to the true ones about the wrists, millimetres.
    pub vertex_mm: f64,
    /// Mean difference of the pose's components, radians.
    pub pose_rad: f64,
    /// Mean difference of the shape's components.
    pub shape: f64,
}

/// A training in progress.
pub struct Training {
    settings: TrainSettings,
    model: HandModel,
    layer: HandLayer,
    keypoints: KeypointModel,
    loss: MeshLoss,
    graph: Graph,
    adam: Adam,
    random: Random,
    step: u32,
}

/// What each of so many numbers weighs in their mean.
fn mean_weight(count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sizes of batches and meshes")]
    let count = count as f64;
    1.0 / count
}

fn singles(values: &[f64]) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "the network's precision")]
    values.iter().map(|v| *v as f32).collect()
}

impl Training {
    /// Prepares the training of a network for one hand model.
    ///
    /// # Errors
    /// [`TrainError`] when a setting is absurd.
    pub fn new(model: &HandModel, settings: &TrainSettings) -> Result<Self, TrainError> {
        let sound = settings.rate.is_finite() && settings.rate > 0.0;
        if settings.steps == 0 || settings.meshes == 0 || settings.meshes > settings.batch || !sound {
            return Err(TrainError::Settings("steps, meshes, batch and rate must be positive, meshes ≤ batch".into()));
        }
        let layer = HandLayer::new(model);
        // Where vertices lie in the network's frame, and how far they move: what the last layer need not learn.
        let mut random = Random::new(settings.seed, "regressor statistics");
        let count = 3 * model.template.len();
        let (mut sum, mut square) = (vec![0.0_f64; count], vec![0.0_f64; count]);
        for _ in 0..SAMPLES {
            let pass = layer.forward(&draw(model, &mut random));
            let Some(frame) = NormalFrame::new(&layer.keypoints(&pass), Upright::Palm) else { continue };
            let points = pass.vertices.iter().map(|p| frame.inwards(p));
            for ((x, sum), square) in points.flatten().zip(&mut sum).zip(&mut square) {
                *sum += x / 200.0;
                *square += x * x / 200.0;
            }
        }
        let std: Vec<f64> = sum.iter().zip(&square).map(|(m, s)| (s - m * m).max(1e-6).sqrt()).collect();
        let levels = MeshLevels::new(&TriMesh { positions: model.template.clone(), faces: model.faces.clone() });
        let mut random = Random::new(settings.seed, "regressor weights");
        let graph = Graph::new(levels, singles(&sum), singles(&std), &mut random)?;
        Ok(Self {
            settings: settings.clone(),
            keypoints: KeypointModel::new(model),
            loss: MeshLoss::new(model),
            layer,
            model: model.clone(),
            graph,
            adam: Adam::default(),
            random: Random::new(settings.seed, "regressor hands"),
            step: 0,
        })
    }

    /// Steps done.
    #[must_use]
    pub const fn steps_done(&self) -> u32 {
        self.step
    }

    /// A hand with what the network sees of it; hands that make no frame are drawn anew.
    fn hand(&mut self) -> (HandParameters, NormalFrame, [f64; 63]) {
        loop {
            let p = draw(&self.model, &mut self.random);
            let (mut points, _) = self.keypoints.evaluate(&p);
            disturb(&mut points, &mut self.random);
            if let Some(frame) = NormalFrame::new(&points, Upright::Palm) {
                let input = frame.input(&points);
                return (p, frame, input);
            }
        }
    }

    /// One step of Adam; `None` when all are done.
    ///
    /// # Errors
    /// [`TrainError`] of the machine-learning crate.
    pub fn step(&mut self) -> Result<Option<TrainStep>, TrainError> {
        if self.step >= self.settings.steps {
            return Ok(None);
        }
        let (batch, meshes) = (self.settings.batch, self.settings.meshes);
        let hands: Vec<_> = (0..batch).map(|_| self.hand()).collect();
        let inputs: Vec<f64> = hands.iter().flat_map(|(_, _, input)| *input).collect();
        let inputs = Tensor::from_vec(singles(&inputs), (batch, 63), &Device::Cpu)?;
        let output = self.graph.forward(&inputs, meshes)?;
        let parameters: Vec<f32> = output.parameters.flatten_all()?.to_vec1()?;
        let vertices: Vec<f32> = output.vertices.flatten_all()?.to_vec1()?;

        let mut terms = [0.0; 6];
        let mut by_parameters = vec![0.0; parameters.len()];
        let mut by_vertices: Vec<f64> = Vec::with_capacity(vertices.len());
        let weight = mean_weight(batch * PARAMETERS);
        let rows = parameters.as_chunks::<PARAMETERS>().0.iter().zip(by_parameters.as_chunks_mut::<PARAMETERS>().0);
        for (i, ((truth, frame, _), (found, gradient))) in hands.iter().zip(rows).enumerate() {
            let expected = truth.hand_pose.iter().chain(&truth.betas);
            for ((found, expected), g) in found.iter().zip(expected).zip(gradient.iter_mut()) {
                let d = f64::from(*found) - expected;
                terms[4] += weight * d.abs();
                *g = weight * d.signum();
            }
            if i < meshes {
                let true_pass = self.layer.forward(truth);
                let points: Vec<[f64; 3]> = true_pass.vertices.iter().map(|p| frame.inwards(p)).collect();
                let size = vertices.len() / meshes;
                let predicted: Vec<[f64; 3]> =
                    vertices[i * size..][..size].as_chunks::<3>().0.iter().map(|p| p.map(f64::from)).collect();
                let share = mean_weight(meshes);
                let (mesh_terms, mesh_gradient) = self.loss.evaluate(&predicted, &points);
                for (term, value) in terms.iter_mut().zip(mesh_terms) {
                    *term += share * value;
                }
                by_vertices.extend(mesh_gradient.as_flattened().iter().map(|g| share * g));
                terms[5] += self.add_reposed(truth, frame, found, &true_pass.vertices, gradient);
            }
        }
        let gradient = |values: &[f64], like: &Tensor| Tensor::from_vec(singles(values), like.shape(), &Device::Cpu);
        let surrogate = ((&output.parameters * gradient(&by_parameters, &output.parameters)?)?.sum_all()?
            + (&output.vertices * gradient(&by_vertices, &output.vertices)?)?.sum_all()?)?;
        let gradients = surrogate.backward()?;
        let done = f64::from(self.step) / f64::from(self.settings.steps);
        let rate = self.settings.rate * ((1.0 - done) / (1.0 - FALL_FROM)).min(1.0);
        #[expect(clippy::cast_possible_truncation, reason = "the network's precision")]
        self.adam.step(&self.graph.variables, &gradients, rate as f32)?;
        self.step += 1;
        Ok(Some(TrainStep { step: self.step, terms }))
    }

    /// The model in the predicted pose and shape against the true hand: value, and its gradient added to the parameters'.
    fn add_reposed(
        &self,
        truth: &HandParameters,
        frame: &NormalFrame,
        found: &[f32; PARAMETERS],
        expected: &[[f64; 3]],
        gradient: &mut [f64; PARAMETERS],
    ) -> f64 {
        let mut p = truth.clone();
        let found = found.map(f64::from);
        p.hand_pose.copy_from_slice(&found[..45]);
        p.betas.copy_from_slice(&found[45..]);
        let pass = self.layer.forward(&p);
        // In the network's frame, but along the capture's axes: what is along which axis is no matter.
        let weight = 2.0 * frame.scale() * mean_weight(3 * expected.len() * self.settings.meshes);
        let mut value = 0.0;
        let difference = |(a, b): (&[f64; 3], &[f64; 3])| -> [f64; 3] { std::array::from_fn(|k| a[k] - b[k]) };
        let by_vertices: Vec<[f64; 3]> = pass
            .vertices
            .iter()
            .zip(expected)
            .map(difference)
            .map(|d| {
                value += weight * d.iter().map(|x| x.abs()).sum::<f64>();
                d.map(|x| weight * x.signum())
            })
            .collect();
        let by_parameters = self.layer.backward(&pass, &by_vertices, &[[0.0; 3]; JOINTS]).parameters(&p);
        for (g, by) in gradient.iter_mut().zip(&by_parameters[POSE..SCALE]) {
            *g += by;
        }
        value
    }

    fn tensors(&self) -> Result<Tensors, TrainError> {
        let mut tensors = self.graph.tensors()?;
        merge_chain(&mut tensors, "fc_param");
        Ok(tensors)
    }

    /// The regressor as it is now.
    ///
    /// # Errors
    /// [`TrainError`] when the weights are not finite any more.
    pub fn regressor(&self) -> Result<HandRegressor, TrainError> {
        let (side, zeros) = (self.model.side, vec![0.0; 45]);
        let path = Path::new("weights in training");
        Ok(HandRegressor::from_tensors(&self.tensors()?, side, Upright::Palm, zeros, &self.model, path)?)
    }

    /// How good the weights are now.
    ///
    /// # Errors
    /// As [`Self::regressor`].
    pub fn validate(&self) -> Result<Validation, TrainError> {
        let regressor = self.regressor()?;
        let mut random = Random::new(self.settings.seed, "regressor validation");
        let mut sum = Validation { vertex_mm: 0.0, pose_rad: 0.0, shape: 0.0 };
        for _ in 0..VALIDATION {
            let truth = draw(&self.model, &mut random);
            let pass = self.layer.forward(&truth);
            let joints = self.layer.keypoints(&pass);
            let Some(found) = regressor.predict(&joints, self.model.side, true) else { continue };
            let share = mean_weight(VALIDATION);
            sum.vertex_mm += share * super::wrist_aligned_mm(&self.model, &found.vertices, &pass.vertices);
            let off =
                |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() * mean_weight(a.len());
            sum.pose_rad += share * off(&found.hand_pose, &truth.hand_pose);
            sum.shape += share * off(&found.betas, &truth.betas);
        }
        Ok(sum)
    }

    /// The file of the weights as they are now; `mirror` is the SHA-256 of the other side's model where that is the mirror
    /// image of this one.
    ///
    /// # Errors
    /// [`TrainError`] of the header.
    pub fn to_file(&self, mirror: Option<&str>) -> Result<Vec<u8>, TrainError> {
        let s = &self.settings;
        let facts = RegressorFacts {
            side: self.model.side,
            upright: Upright::Palm,
            model: self.model.name.clone(),
            hashes: std::iter::once(self.model.hash.clone()).chain(mirror.map(str::to_owned)).collect(),
            seed: s.seed,
            recipe: format!(
                "thenar train-regressor: step {} of {}, {} hands a step, {} of them meshes, Adam {:e} falling to 0 from half time",
                self.step, s.steps, s.batch, s.meshes, s.rate
            ),
        };
        Ok(to_bytes(&self.tensors()?, &facts)?)
    }
}

#[cfg(test)]
mod tests;
