//! The stage: samples pixels of the used views, takes Adam steps of weights and features, and fits the views' gains.
//!
//! Geometry stands still: visibility is computed once, the list of each view's pixels that may be looked at stays on the
//! device. A step looks at `samples_per_view` pixels of `views_per_step` views, or, where the network is one for whole images,
//! at all of one view, in an order of the epoch; an epoch at all views once.

use super::layout::{ColourLossParams, FEATURES, GatherParams, Random, UnpackFeaturesParams, kernel};
use super::looks::Looks;
use super::painter::{Extent, Painter, first_weights};
use super::refine::Refinement;
use super::settings::{NeuralKind, NeuralSettings, Output};
use super::{NeuralError, NeuralModel};
use crate::camera::Camera;
use crate::gpu::{Bound, Buffer, Gpu};
use crate::mesh::Topology;
use crate::optimise::adam::{self, Adam, AdamParams};
use crate::optimise::sum::{self, SumParams};
use crate::raster::{Region, padded};
use crate::shading::LIGHT_STRIDE;

/// The mesh that is painted; lists have one entry a vertex.
#[derive(Clone, Copy, Debug)]
pub struct NeuralMesh<'a> {
    /// Triangles and adjacency.
    pub topology: &'a Topology,
    /// World metres.
    pub positions: &'a [[f32; 3]],
    /// Unit normals.
    pub normals: &'a [[f32; 3]],
    /// Albedo in the images' encoding.
    pub albedo: &'a [[f32; 3]],
    /// Positions in the rest pose, metres.
    pub rest: &'a [[f32; 3]],
}

/// A region of a view with its photograph.
#[derive(Clone, Debug)]
pub struct NeuralView {
    /// Camera of the region; its width is a multiple of 64.
    pub camera: Camera,
    /// RGB in three bytes and the mask's coverage in the fourth: 0..254, or 255 where it is not known.
    pub pixels: Vec<u32>,
}

/// Losses of one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct NeuralReport {
    /// From 1.
    pub epoch: u32,
    /// Epochs there are.
    pub epochs: u32,
    /// Weighted smooth L1.
    pub photometric: f64,
}

/// Everything a checkpoint needs; plain numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct NeuralState {
    /// Epochs finished.
    pub epoch: u32,
    /// Adam steps taken.
    pub steps: i32,
    /// Flat lists by name: weights, features, their Adam moments, gains.
    pub lists: Vec<(String, Vec<f32>)>,
}

pub(super) struct TrainingView {
    /// Its number in the capture.
    pub view: usize,
    extent: Extent,
    params: GatherParams,
    uniform: Buffer,
    gather: Bound,
    sum: Bound,
    _region: Region,
}

/// The running stage.
pub struct Neural {
    pub(super) gpu: Gpu,
    pub(super) settings: NeuralSettings,
    pub(super) seed: u64,
    painter: Painter,
    pub(super) weights: Buffer,
    pub(super) features: Buffer,
    loss_params: Buffer,
    loss: Bound,
    unpack_params: Buffer,
    unpack: Bound,
    overflow: Buffer,
    totals: Buffer,
    adam: [Adam; 2],
    pub(super) views: Vec<TrainingView>,
    pub(super) batches: Vec<Vec<usize>>,
    /// One a view of the capture; zero for those that take no part.
    pub(super) gains: Vec<[f64; 3]>,
    pub(super) light: [f64; 9],
    pub(super) rest: [f32; 4],
    pub(super) rest_positions: Buffer,
    vertices: u32,
    epoch: u32,
    batch: usize,
    steps: i32,
    /// Steps of the weights that were taken with other captures ([`super::shared`]).
    pub(super) steps_elsewhere: i32,
    pub(super) refinement: Option<Refinement>,
}

impl std::fmt::Debug for Neural {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Neural").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// Middle of points and one over their largest distance from it along an axis.
#[must_use]
pub(super) fn frame_of(points: &[[f32; 3]]) -> [f32; 4] {
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for p in points {
        for k in 0..3 {
            low[k] = low[k].min(p[k]);
            high[k] = high[k].max(p[k]);
        }
    }
    let reach = (0..3).map(|k| 0.5 * (high[k] - low[k])).fold(1e-6, f32::max);
    let middle = |k: usize| if low[k].is_finite() { 0.5 * (low[k] + high[k]) } else { 0.0 };
    [middle(0), middle(1), middle(2), 1.0 / reach]
}

/// Uniform of `neural/gather` for a camera.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
pub(super) fn gather_of(camera: &Camera, rest: [f32; 4], light: &[f64; 9], gain: [f64; 3]) -> GatherParams {
    let centre = camera.centre();
    let row = |r: usize| {
        let x = |c: usize| camera.rotation[(r, c)] as f32;
        [x(0), x(1), x(2), centre[r] as f32]
    };
    let c = light.map(|x| x as f32);
    let [r, g, b] = gain.map(|x| x as f32);
    GatherParams {
        rotation: [row(0), row(1), row(2)],
        rest,
        light: [[c[0], c[1], c[2], c[3]], [c[4], c[5], c[6], c[7]], [c[8], r, g, b]],
        samples: 0,
        first: 0,
        start: 0,
        sampled: 0,
        seed: 0,
        least: 0,
        weight: 1.0,
        pad: 0,
    }
}

impl Neural {
    /// Prepares the stage. `views` has one entry a view of the capture, `None` for those that must not be looked at; `light`
    /// is the rig's mean light.
    ///
    /// # Errors
    /// [`NeuralError::Setting`], [`NeuralError::NoView`] or a GPU error.
    pub fn new(
        gpu: &Gpu,
        settings: &NeuralSettings,
        seed: u64,
        mesh: &NeuralMesh<'_>,
        light: &[f64; LIGHT_STRIDE],
        views: &[Option<NeuralView>],
    ) -> Result<Self, NeuralError> {
        settings.check()?;
        let samples = settings.samples();
        let mut irradiance = [0.0; 9];
        irradiance.copy_from_slice(&light[..9]);
        let rest = frame_of(mesh.rest);
        let looks = Looks::new(gpu, settings, mesh, views)?;
        if looks.found.is_empty() {
            return Err(NeuralError::NoView);
        }
        let steps = looks.found.len().div_ceil(settings.views_together());
        // Every step sees views from all around the rig, as in HAM.
        let batches: Vec<Vec<usize>> = (0..steps).map(|s| (s..looks.found.len()).step_by(steps).collect()).collect();
        let most = looks.found.iter().filter_map(|l| l.size).map(|[w, h]| w * h).max();
        let rows = most.unwrap_or_else(|| samples * u32::try_from(batches[0].len()).unwrap_or(1));
        let vertices = looks.mesh.vertices;
        let weights = Buffer::storage(gpu, "network weights", &first_weights(settings, seed))?;
        let features = Buffer::zeros(gpu, "features", u64::from(vertices) * FEATURES as u64 * 4)?;
        let painter = Painter::new(gpu, settings, rows, [&weights, &features], vertices)?;
        let partials = Buffer::zeros(gpu, "loss sums", u64::from(rows / 64) * 32)?;
        let totals = Buffer::zeros(gpu, "loss totals", views.len() as u64 * 32)?;
        let loss_params = Buffer::uniform(gpu, "loss", &loss_of(settings, settings.output, rows))?;
        let loss = gpu.kernel(kernel::COLOUR_LOSS)?.bind(&[
            ("params", &loss_params),
            ("samples", painter.samples()),
            ("outputs", painter.outputs()),
            ("outputs_grad", painter.outputs_grad()),
            ("partials", &partials),
        ])?;
        let features_grad = Buffer::zeros(gpu, "feature gradient", features.len_bytes())?;
        let overflow = Buffer::zeros(gpu, "overflow", 16)?;
        let unpack_params =
            Buffer::uniform(gpu, "unpack", &UnpackFeaturesParams { scale: 0.0, decay: 0.0, pad: [0; 2] })?;
        let unpack = gpu.kernel(kernel::UNPACK)?.bind(&[
            ("params", &unpack_params),
            ("features", &features),
            ("sums", painter.feature_sums()),
            ("features_grad", &features_grad),
            ("overflow", &overflow),
        ])?;
        let adam_kernel = gpu.kernel(adam::NAME)?;
        let adam = [
            Adam::new(gpu, &adam_kernel, "adam weights", &weights, painter.weights_grad())?,
            Adam::new(gpu, &adam_kernel, "adam features", &features, &features_grad)?,
        ];
        let rest_positions = Buffer::storage(gpu, "rest positions", &padded(mesh.rest))?;
        let (gather, sum) = (gpu.kernel(kernel::GATHER)?, gpu.kernel(sum::NAME)?);
        let mut training = Vec::new();
        for (i, look) in looks.found.into_iter().enumerate() {
            let slot = i / steps;
            let first = samples * u32::try_from(slot).unwrap_or(0);
            let base = gather_of(&look.camera, rest, &irradiance, [1.0; 3]);
            let rows = look.size.map_or(samples, |[w, h]| w * h);
            let extent = Extent { rows, size: look.size.unwrap_or_default(), counted: look.held.unwrap_or(rows) };
            let sampled = if look.size.is_some() { 2 } else { 1 };
            let params = GatherParams { samples: rows, first, sampled, least: looks.least, ..base };
            let uniform = Buffer::uniform(gpu, "gather", &params)?;
            let gather = gather.bind(&[
                ("view", &look.region.uniform),
                ("params", &uniform),
                ("pixels", &look.list),
                ("positions", &looks.mesh.positions),
                ("normals", &looks.mesh.normals),
                ("albedo", &looks.mesh.albedo),
                ("faces", &looks.mesh.faces),
                ("rest_positions", &rest_positions),
                ("targets", &look.targets),
                ("samples", painter.samples()),
            ])?;
            let count = rows / 64;
            let to = u32::try_from(look.view).unwrap_or(0) * 8;
            let summed = SumParams { count, stride: 8, offset: first / 64 * 8, slot: to };
            let sum = sum.bind(&[
                ("params", &Buffer::uniform(gpu, "loss sum", &summed)?),
                ("partials", &partials),
                ("totals", &totals),
            ])?;
            training.push(TrainingView { view: look.view, extent, params, uniform, gather, sum, _region: look.region });
        }
        let mut neural = Self {
            gpu: gpu.clone(),
            settings: settings.clone(),
            seed,
            painter,
            weights,
            features,
            loss_params,
            loss,
            unpack_params,
            unpack,
            overflow,
            totals,
            adam,
            views: training,
            batches,
            gains: vec![[0.0; 3]; views.len()],
            light: irradiance,
            rest,
            rest_positions,
            vertices,
            epoch: 0,
            batch: 0,
            steps: 0,
            steps_elsewhere: 0,
            refinement: None,
        };
        neural.first_gains()?;
        Ok(neural)
    }

    /// Epochs finished.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Adam steps taken.
    pub(super) const fn steps(&self) -> i32 {
        self.steps
    }

    /// True between epochs, when [`Self::state`] is a complete description.
    #[must_use]
    pub fn at_epoch_end(&self) -> bool {
        self.batch == 0 && self.refinement.as_ref().is_none_or(Refinement::at_epoch_end)
    }

    /// True when no step on the still surface is left.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.epoch >= self.settings.epochs
    }

    /// All of a batch: rows lie behind one another, an image stands alone.
    fn extent(&self, batch: &[usize]) -> Extent {
        let mut whole = Extent { rows: 0, size: [0; 2], counted: 0 };
        for own in batch.iter().map(|&i| self.views[i].extent) {
            whole = Extent { rows: whole.rows + own.rows, size: own.size, counted: whole.counted + own.counted };
        }
        whole
    }

    /// The batch whose turn it is. Images come in an order of their epoch's, so that the last one, from which the network
    /// goes on, is not always the same.
    fn next_batch(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.batches.len()).collect();
        if self.settings.kind == NeuralKind::Unet {
            let mut random = Random(self.seed ^ 0x6f72_6465_7200 ^ u64::from(self.epoch));
            for i in (1..order.len()).rev() {
                order.swap(i, usize::try_from(random.bits() % (i as u64 + 1)).unwrap_or(0));
            }
        }
        self.batches[order[self.batch]].clone()
    }

    /// Writes gains and the seed of a view's next samples.
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets; a part of the seed will do")]
    fn write_view(&mut self, i: usize, seed: u32) {
        let view = &mut self.views[i];
        let [r, g, b] = self.gains[view.view].map(|x| x as f32);
        view.params.light[2] = [view.params.light[2][0], r, g, b];
        view.params.seed = seed;
        view.uniform.write(&self.gpu, &[view.params]);
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of the bits")]
    fn seed_of(&self, salt: u64) -> u32 {
        Random(self.seed ^ (u64::from(self.epoch) << 32) ^ ((self.batch as u64) << 16) ^ (salt << 48)).bits() as u32
    }

    /// Gains with which the shaded picture is nearest to each photograph.
    fn first_gains(&mut self) -> Result<(), NeuralError> {
        for view in &self.views {
            self.gains[view.view] = [1.0; 3];
        }
        let mut recorder = self.gpu.recorder("gains");
        recorder.clear(&self.totals);
        recorder.submit()?;
        for batch in 0..self.batches.len() {
            let rows = self.extent(&self.batches[batch]).rows;
            self.loss_params.write(&self.gpu, &[loss_of(&self.settings, Output::Residual, rows)]);
            for i in self.batches[batch].clone() {
                let seed = self.seed_of(1 + i as u64);
                self.write_view(i, seed);
            }
            let mut recorder = self.gpu.recorder("gains");
            recorder.clear(self.painter.outputs());
            for &i in &self.batches[batch] {
                recorder.dispatch(&self.views[i].gather, self.views[i].extent.rows);
            }
            recorder.dispatch(&self.loss, rows);
            for &i in &self.batches[batch] {
                recorder.dispatch_workgroups(&self.views[i].sum, 1);
            }
            recorder.submit()?;
            self.gpu.wait()?;
        }
        let totals: Vec<f32> = self.gpu.read(&self.totals)?;
        for view in &self.views {
            if let Some(gain) = best_gain(&totals[view.view * 8..]) {
                self.gains[view.view] = gain;
            }
        }
        Ok(())
    }

    /// Takes one optimiser step; returns the losses when it completed an epoch. Does nothing when all are done.
    ///
    /// # Errors
    /// [`NeuralError::Diverged`], [`NeuralError::Overflow`] or a GPU error.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "f32 is what the GPU gets")]
    pub fn step(&mut self) -> Result<Option<NeuralReport>, NeuralError> {
        if self.is_done() {
            return Ok(None);
        }
        let batch = self.next_batch();
        let extent = self.extent(&batch);
        let rows = extent.rows;
        for &i in &batch {
            let seed = self.seed_of(1 + i as u64);
            self.write_view(i, seed);
        }
        self.steps += 1;
        let s = &self.settings;
        let fall = s.final_rate.powf(f64::from(self.epoch) / f64::from(s.epochs.max(2) - 1));
        let scale = (s.photometric / (3.0 * f64::from(extent.counted))) as f32;
        let dropped = (s.view_dropout.clamp(0.0, 1.0) * 65536.0) as u32;
        self.painter.write(&self.gpu, &extent, self.seed_of(0), dropped, scale);
        self.loss_params.write(&self.gpu, &[loss_of(s, s.output, rows)]);
        let decay = (s.feature_decay / (f64::from(self.vertices) * FEATURES as f64)) as f32;
        self.unpack_params.write(&self.gpu, &[UnpackFeaturesParams { scale, decay, pad: [0; 2] }]);
        let steps = [self.steps + self.steps_elsewhere, self.steps];
        for ((adam, rate), steps) in self.adam.iter().zip([s.weight_rate(), s.feature_rate]).zip(steps) {
            adam.write(&self.gpu, AdamParams::at_step(rate * fall, steps, -1e4, 1e4));
        }
        let mut recorder = self.gpu.recorder("neural step");
        if self.batch == 0 {
            recorder.clear(&self.totals);
        }
        for &i in &batch {
            recorder.dispatch(&self.views[i].gather, self.views[i].extent.rows);
        }
        self.painter.record(&mut recorder, &extent);
        recorder.dispatch(&self.loss, rows);
        for &i in &batch {
            recorder.dispatch_workgroups(&self.views[i].sum, 1);
        }
        self.painter.record_grad(&mut recorder, &extent);
        recorder.dispatch(&self.unpack, self.adam[1].numbers());
        for adam in &self.adam {
            adam.record(&mut recorder);
        }
        recorder.submit()?;
        // One step at a time: a pause or a cancel is answered after the step that runs.
        self.gpu.wait()?;
        self.batch += 1;
        if self.batch < self.batches.len() {
            return Ok(None);
        }
        self.batch = 0;
        self.epoch += 1;
        self.end_epoch().map(Some)
    }

    fn end_epoch(&mut self) -> Result<NeuralReport, NeuralError> {
        let overflow: Vec<u32> = self.gpu.read(&self.overflow)?;
        if overflow[0] > 0 {
            return Err(NeuralError::Overflow { numbers: overflow[0] });
        }
        let totals: Vec<f32> = self.gpu.read(&self.totals)?;
        let pixels: f64 = self.views.iter().map(|v| f64::from(v.extent.counted)).sum();
        let sum: f64 = self.views.iter().map(|v| f64::from(totals[v.view * 8])).sum();
        let photometric = self.settings.photometric * sum / (3.0 * pixels);
        if !photometric.is_finite() {
            return Err(NeuralError::Diverged { epoch: self.epoch });
        }
        if self.settings.fit_gains {
            self.fit_gains(&totals);
        }
        Ok(NeuralReport { epoch: self.epoch, epochs: self.settings.epochs, photometric })
    }

    /// Gains that bring the network's colours nearest to the photographs; their geometric mean over the views stays, since
    /// the network could take up any common factor.
    fn fit_gains(&mut self, totals: &[f32]) {
        let mut found: Vec<(usize, [f64; 3])> = Vec::new();
        for view in &self.views {
            if let Some(gain) = best_gain(&totals[view.view * 8..]) {
                found.push((view.view, gain));
            }
        }
        for k in 0..3 {
            let shift: f64 = found.iter().map(|(v, gain)| (self.gains[*v][k] / gain[k]).ln()).sum();
            let factor = (shift / found.len().max(1) as f64).exp();
            for (v, gain) in &found {
                // What a checkpoint can hold, so that a resumed run goes on with the same numbers.
                self.gains[*v][k] = f64::from(super::to_f32(gain[k] * factor));
            }
        }
    }

    /// The weights and their moments.
    pub(super) fn weight_buffers(&self) -> [&Buffer; 3] {
        let [first, second] = self.adam[0].moments();
        [&self.weights, first, second]
    }

    fn state_buffers(&self) -> [(&'static str, &Buffer); 6] {
        [
            ("weights", &self.weights),
            ("features", &self.features),
            ("weights_m", self.adam[0].moments()[0]),
            ("weights_s", self.adam[0].moments()[1]),
            ("features_m", self.adam[1].moments()[0]),
            ("features_s", self.adam[1].moments()[1]),
        ]
    }

    /// Everything needed to go on later, at an epoch's end.
    ///
    /// # Errors
    /// A GPU error.
    pub fn state(&self) -> Result<NeuralState, NeuralError> {
        let mut lists = Vec::new();
        for (name, buffer) in self.state_buffers() {
            lists.push((name.to_owned(), self.gpu.read::<f32>(buffer)?));
        }
        lists.push(("gains".to_owned(), self.gains.iter().flatten().map(|x| super::to_f32(*x)).collect()));
        lists.extend(self.joint_lists()?);
        Ok(NeuralState { epoch: self.epoch, steps: self.steps, lists })
    }

    /// Goes back to a saved state of the same mesh and views; false when the state does not fit.
    #[must_use]
    pub fn restore(&mut self, state: &NeuralState) -> bool {
        let list = |name: &str| state.lists.iter().find(|(n, _)| n == name).map(|(_, list)| list);
        let fits =
            |(name, buffer): &(&str, &Buffer)| list(name).is_some_and(|l| l.len() as u64 * 4 == buffer.len_bytes());
        let Some(gains) = list("gains").filter(|g| g.len() == 3 * self.gains.len()) else { return false };
        if !self.state_buffers().iter().all(fits) {
            return false;
        }
        for (name, buffer) in self.state_buffers() {
            if let Some(list) = list(name) {
                buffer.write(&self.gpu, list);
            }
        }
        for (to, from) in self.gains.iter_mut().zip(gains.chunks_exact(3)) {
            *to = [0, 1, 2].map(|k| f64::from(from[k]));
        }
        self.epoch = state.epoch;
        self.steps = state.steps;
        self.batch = 0;
        self.restore_verdict(state);
        true
    }

    /// What was learned, to render with and to write.
    ///
    /// # Errors
    /// A GPU error.
    pub fn model(&self) -> Result<NeuralModel, NeuralError> {
        Ok(NeuralModel {
            kind: self.settings.kind,
            output: self.settings.output,
            weights: self.gpu.read(&self.weights)?,
            features: self.gpu.read(&self.features)?,
            gains: self.gains.iter().map(|g| (g[0] > 0.0).then(|| g.map(super::to_f32))).collect(),
            light: self.light.map(super::to_f32),
            rest: self.rest,
        })
    }
}

fn loss_of(s: &NeuralSettings, output: Output, rows: u32) -> ColourLossParams {
    ColourLossParams {
        rows,
        kind: output.number(),
        softness: super::to_f32(s.softness.max(1e-4)),
        clipped: super::to_f32(s.clipped),
    }
}

/// The gain of least squares from a view's eight sums; `None` without a sum.
fn best_gain(totals: &[f32]) -> Option<[f64; 3]> {
    let gain = [0, 1, 2].map(|k| f64::from(totals[1 + k]) / f64::from(totals[5 + k]));
    // What a checkpoint can hold.
    gain.iter().all(|g| g.is_finite() && *g > 1e-3).then(|| gain.map(|g| f64::from(super::to_f32(g))))
}
