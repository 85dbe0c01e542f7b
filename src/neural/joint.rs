//! Joint refinement (FMHR §3.4): after the network has learned on the still mesh, surface, albedo, features and network move
//! together under the photographs.
//!
//! # Theory
//! A sample's colour depends on the surface through its normal (seen, mirrored, in the shading) and through the barycentrics
//! that mix the corners' albedo, rest positions and features; the ray to a pixel's centre stays. So the chain goes from the
//! network's inputs (`encode_*_grad`) through what the sample says (`gather_grad`) to albedo, normals and positions, in the
//! same nine words a vertex that shading and antialiasing fill. Whoever owns the surface adds silhouettes and regularisers and
//! takes the step; this module knows no surface of its own.
//!
//! A second network ([`super::guide`]) sees normal, albedo, rest position and the first picture, and both pictures are held
//! against the photograph (L1), as published.
//!
//! # Where ours differs from the published code, on purpose
//! - Silhouettes count (there their weight is zero and the picture has no antialiasing, so that outlines move nothing).
//! - The second network is 32 wide in two layers, adds to the first picture, and begins silent; there it is as large as the first
//!   and begins anywhere, which the surface would have to follow.
//! - The surface moves by Sobolev-preconditioned steps with the regularisers of HAM.
//! - One tile in [`TILES`] takes no part. What was refined is kept only if these pixels, too, say that it is better
//!   ([`JointVerdict::keeps`]).

use super::guide::{Around, Guide};
use super::layout::{ColourLossParams, GatherParams, UnpackFeaturesParams, hash, kernel};
use super::network::{Backward, Forward};
use super::settings::{NeuralKind, NeuralSettings, Output};
use super::training::gather_of;
use super::{NeuralError, to_f32};
use crate::camera::Camera;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, Recorder};
use crate::optimise::adam::{self, Adam, AdamParams};
use crate::optimise::sum::{self, SumParams};
use crate::raster::Region;
use crate::shading::renderer::MeshBuffers;

/// Side of a tile, pixels.
const TILE_PX: u32 = 16;
/// One tile in so many is for validation.
const TILES: u32 = 8;
/// Residuals below this are squared: L1 as far as noise allows.
const SOFTNESS: f32 = 0.02;
/// Draws of pixels that a measurement is made of.
const ROUNDS: u32 = 8;
/// Coverage of which nothing is known.
const UNKNOWN: u32 = 0xff00_0000;

/// The moving surface on the device.
#[derive(Clone, Copy)]
pub struct JointScene<'a> {
    /// Positions, normals, albedo and triangles.
    pub mesh: &'a MeshBuffers,
    /// Fixed-point gradients, 9 words a vertex: albedo, normal, position per millimetre.
    pub grads: &'a Buffer,
}

/// A view of it whose visibility its owner keeps up to date.
#[derive(Clone)]
pub struct JointView<'a> {
    /// Its number in the capture.
    pub view: usize,
    /// Its region, with the list of covered pixels.
    pub region: &'a Region,
    /// The region's camera.
    pub camera: Camera,
    /// RGB and coverage of its pixels, as in [`super::NeuralView`].
    pub pixels: &'a [u32],
    /// Pixels that see the surface.
    pub seen_px: f32,
}

/// What a refinement is judged by; means over channels of pixels, 0..1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct JointLosses {
    /// Colours of the pixels that take part.
    pub fitted: f64,
    /// Colours of the pixels that do not.
    pub validation: f64,
    /// Weighted silhouettes of all views, in units of the caller's.
    pub silhouettes: f64,
}

/// What became of a refinement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointVerdict {
    /// Before.
    pub before: JointLosses,
    /// The moved surface under network, features and albedo as they were before.
    pub moved: JointLosses,
    /// All that was refined.
    pub after: JointLosses,
}

impl JointVerdict {
    /// True when what was refined is better in all that can be known without truth: colours of the pixels that took part and
    /// of those that did not, silhouettes (a thousandth worse is noise), and, so that it is the surface and not a network that
    /// has learned on, colours of the pixels that did not take part when only the surface is new.
    #[must_use]
    pub fn keeps(&self) -> bool {
        let (a, b) = (self.before, self.after);
        b.fitted < a.fitted
            && b.validation < a.validation
            && b.silhouettes <= 1.001 * a.silhouettes
            && self.moved.validation < a.validation
    }
}

/// Which pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pixels {
    /// Those that take part.
    Fitted,
    /// Those of the tiles that do not.
    Validation,
}

/// Rates of one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// Number of the step, from 1.
    pub step: i32,
    /// Of the network, the features, the second network.
    pub rates: [f64; 3],
    /// Of the second network's part.
    pub guide: f64,
}

struct ViewWork {
    view: usize,
    params: GatherParams,
    uniform: Buffer,
    /// By [`Pixels`].
    gathers: [Bound; 2],
    gather_grad: Bound,
    seen_px: f32,
}

/// The refinement on the device.
pub(super) struct Joint {
    gpu: Gpu,
    samples: u32,
    kind: Output,
    clipped: f32,
    forward: Forward,
    backward: Backward,
    guide: Guide,
    encode_grad: Bound,
    loss_params: [Buffer; 2],
    losses: [Bound; 2],
    sum_params: [Buffer; 2],
    sums: [Bound; 2],
    totals: Buffer,
    unpack_params: Buffer,
    unpack: Bound,
    overflow: Buffer,
    adam: [Adam; 2],
    views: Vec<ViewWork>,
}

/// What the network brings along.
pub(super) struct Given<'a> {
    pub settings: &'a NeuralSettings,
    pub seed: u64,
    pub weights: &'a Buffer,
    pub features: &'a Buffer,
    pub light: &'a [f64; 9],
    pub rest: [f32; 4],
    pub rest_positions: &'a Buffer,
    pub gains: &'a [[f64; 3]],
    /// Most views of a step.
    pub most: usize,
}

/// Pixels that take part, or those that do not: the others become unknown.
fn split(pixels: &[u32], width: u32, which: Pixels) -> Vec<u32> {
    let validation = |i: u32| {
        let (x, y) = (i % width / TILE_PX, i / width / TILE_PX);
        hash(hash(x) ^ y).is_multiple_of(TILES)
    };
    let part = |(i, pixel): (u32, &u32)| {
        if validation(i) == (which == Pixels::Validation) { *pixel } else { *pixel | UNKNOWN }
    };
    (0..).zip(pixels).map(part).collect()
}

impl Joint {
    #[expect(clippy::too_many_lines, reason = "one list of buffers and bindings; splitting it would hide the wiring")]
    pub(super) fn new(
        gpu: &Gpu,
        given: &Given<'_>,
        scene: &JointScene<'_>,
        views: &[JointView<'_>],
    ) -> Result<Self, GpuError> {
        let (s, mesh) = (given.settings, scene.mesh);
        let samples = s.samples();
        let rows = samples * u32::try_from(given.most.max(1)).unwrap_or(1);
        let forward = Forward::new(gpu, s.kind, rows, given.weights, given.features)?;
        let backward = Backward::new(gpu, &forward, rows, given.weights, mesh.vertices, true)?;
        let samples_grad = Buffer::zeros(gpu, "sample gradient", forward.samples.len_bytes())?;
        let adam_kernel = gpu.kernel(adam::NAME)?;
        let around = Around {
            samples: &forward.samples,
            outputs: [forward.outputs(), &backward.layers.outputs_grad],
            samples_grad: &samples_grad,
            adam: &adam_kernel,
        };
        let guide = Guide::new(gpu, s.output, given.seed, rows, &around)?;
        let encode_grad = gpu.kernel(match s.kind {
            NeuralKind::Compact => kernel::ENCODE_COMPACT_GRAD,
            NeuralKind::Paper | NeuralKind::Unet => kernel::ENCODE_PAPER_GRAD,
        })?;
        let encode_grad = encode_grad.bind(&[
            ("params", &forward.encode_params),
            ("samples", &forward.samples),
            ("features", given.features),
            ("inputs_grad", &backward.layers.inputs_grad),
            ("samples_grad", &samples_grad),
        ])?;
        let totals = Buffer::zeros(gpu, "joint totals", 64)?;
        let (loss_kernel, sum_kernel) = (gpu.kernel(kernel::COLOUR_LOSS)?, gpu.kernel(sum::NAME)?);
        let loss = |samples: &Buffer, outputs: &Buffer, grad: &Buffer, slot: u32| {
            let partials = Buffer::zeros(gpu, "joint loss sums", u64::from(rows / 64) * 32)?;
            let blank = ColourLossParams { rows, kind: 0, softness: SOFTNESS, clipped: 2.0 };
            let loss_params = Buffer::uniform(gpu, "joint loss", &blank)?;
            let sum_params =
                Buffer::uniform(gpu, "joint sum", &SumParams { count: rows / 64, stride: 8, offset: 0, slot })?;
            let bound = loss_kernel.bind(&[
                ("params", &loss_params),
                ("samples", samples),
                ("outputs", outputs),
                ("outputs_grad", grad),
                ("partials", &partials),
            ])?;
            let sum = sum_kernel.bind(&[("params", &sum_params), ("partials", &partials), ("totals", &totals)])?;
            Ok::<_, GpuError>((loss_params, bound, sum_params, sum))
        };
        let first = loss(&forward.samples, forward.outputs(), &backward.layers.outputs_grad, 0)?;
        let second = loss(&guide.samples, guide.layers.outputs(), &guide.grad.outputs_grad, 8)?;
        let features_grad = Buffer::zeros(gpu, "feature gradient", given.features.len_bytes())?;
        let overflow = Buffer::zeros(gpu, "overflow", 16)?;
        let blank = UnpackFeaturesParams { scale: 0.0, decay: 0.0, pad: [0; 2] };
        let unpack_params = Buffer::uniform(gpu, "unpack", &blank)?;
        let unpack = gpu.kernel(kernel::UNPACK)?.bind(&[
            ("params", &unpack_params),
            ("features", given.features),
            ("sums", &backward.feature_sums),
            ("features_grad", &features_grad),
            ("overflow", &overflow),
        ])?;
        let adam = [
            Adam::new(gpu, &adam_kernel, "adam weights", given.weights, &backward.layers.weights_grad)?,
            Adam::new(gpu, &adam_kernel, "adam features", given.features, &features_grad)?,
        ];
        let kernels = [gpu.kernel(kernel::GATHER)?, gpu.kernel(kernel::GATHER_GRAD)?];
        let mut work = Vec::new();
        for view in views {
            let base = gather_of(&view.camera, given.rest, given.light, given.gains[view.view]);
            let least = to_f32(s.coverage.clamp(0.0, 1.0) * 254.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 254")]
            let params = GatherParams { samples, sampled: 1, least: least.ceil() as u32, ..base };
            let uniform = Buffer::uniform(gpu, "gather", &params)?;
            let seen = [
                ("view", &view.region.uniform),
                ("params", &uniform),
                ("pixels", &view.region.covered.list),
                ("positions", &mesh.positions),
                ("normals", &mesh.normals),
                ("albedo", &mesh.albedo),
                ("faces", &mesh.faces),
                ("rest_positions", given.rest_positions),
            ];
            let gather = |which: Pixels| {
                let targets = split(view.pixels, view.region.region.width, which);
                let targets = Buffer::storage(gpu, "target pixels", &targets)?;
                kernels[0].bind(&[&seen[..], &[("targets", &targets), ("samples", &forward.samples)]].concat())
            };
            let gathers = [gather(Pixels::Fitted)?, gather(Pixels::Validation)?];
            let gather_grad =
                kernels[1].bind(&[&seen[..], &[("samples_grad", &samples_grad), ("grads", scene.grads)]].concat())?;
            work.push(ViewWork { view: view.view, params, uniform, gathers, gather_grad, seen_px: view.seen_px });
        }
        Ok(Self {
            gpu: gpu.clone(),
            samples,
            kind: s.output,
            clipped: to_f32(s.clipped),
            forward,
            backward,
            guide,
            encode_grad,
            loss_params: [first.0, second.0],
            losses: [first.1, second.1],
            sum_params: [first.2, second.2],
            sums: [first.3, second.3],
            totals,
            unpack_params,
            unpack,
            overflow,
            adam,
            views: work,
        })
    }

    /// Rows of a batch; tells the views where theirs begin and by which seed they are drawn.
    fn place(&mut self, batch: &[usize], seed: impl Fn(usize) -> u32) -> u32 {
        let mut rows = 0;
        for work in self.views.iter_mut().filter(|w| batch.contains(&w.view)) {
            work.params.first = rows;
            work.params.seed = seed(work.view);
            // Each sample stands for as many pixels as there are for one.
            #[expect(clippy::cast_precision_loss, reason = "few samples")]
            let samples = self.samples as f32;
            work.params.weight = work.seen_px / samples;
            work.uniform.write(&self.gpu, &[work.params]);
            rows += self.samples;
        }
        let loss =
            |kind: Output| ColourLossParams { rows, kind: kind.number(), softness: SOFTNESS, clipped: self.clipped };
        self.loss_params[0].write(&self.gpu, &[loss(self.kind)]);
        self.loss_params[1].write(&self.gpu, &[loss(Output::Residual)]);
        for (k, params) in self.sum_params.iter().enumerate() {
            let slot = if k == 0 { 0 } else { 8 };
            params.write(&self.gpu, &[SumParams { count: rows / 64, stride: 8, offset: 0, slot }]);
        }
        self.forward.write(&self.gpu, rows, 0, 0);
        rows
    }

    fn record_forward(&self, recorder: &mut Recorder, batch: &[usize], rows: u32, which: Pixels) {
        for work in self.of(batch) {
            recorder.dispatch(&work.gathers[usize::from(which == Pixels::Validation)], self.samples);
        }
        self.forward.record(recorder, rows);
        self.guide.record(recorder, rows);
        for (loss, sum) in self.losses.iter().zip(&self.sums) {
            recorder.dispatch(loss, rows);
            recorder.dispatch_workgroups(sum, 1);
        }
    }

    fn of<'a>(&'a self, batch: &'a [usize]) -> impl Iterator<Item = &'a ViewWork> {
        self.views.iter().filter(|w| batch.contains(&w.view))
    }

    /// Writes the uniforms of one step; returns its rows.
    #[expect(clippy::cast_precision_loss, reason = "few rows")]
    pub(super) fn prepare(&mut self, batch: &[usize], rates: &Rates, seed: impl Fn(usize) -> u32) -> u32 {
        let rows = self.place(batch, seed);
        let scale = 1.0 / (3.0 * rows.max(1) as f32);
        let gpu = &self.gpu;
        self.backward.write(gpu, &self.forward.layers.shape, rows, scale);
        self.guide.write(gpu, rows, scale, to_f32(rates.guide));
        self.unpack_params.write(gpu, &[UnpackFeaturesParams { scale, decay: 0.0, pad: [0; 2] }]);
        let all = [&self.adam[0], &self.adam[1], &self.guide.adam];
        for (adam, rate) in all.iter().zip(rates.rates) {
            adam.write(gpu, AdamParams::at_step(rate, rates.step, -1e4, 1e4));
        }
        rows
    }

    /// Forgets the losses so far.
    pub(super) fn record_begin(&self, recorder: &mut Recorder) {
        recorder.clear(&self.totals);
    }

    /// One step of network, features and second network, and the gradient of the surface; its owner has recorded normals
    /// and visibility before, and takes the surface's step after.
    pub(super) fn record(&self, recorder: &mut Recorder, batch: &[usize], rows: u32) {
        self.record_forward(recorder, batch, rows, Pixels::Fitted);
        self.guide.record_grad(recorder, rows);
        self.backward.record(recorder, &self.forward.layers.shape, rows);
        recorder.dispatch(&self.encode_grad, rows);
        for work in self.of(batch) {
            recorder.dispatch(&work.gather_grad, self.samples);
        }
        recorder.dispatch(&self.unpack, self.adam[1].numbers());
        for adam in [&self.adam[0], &self.adam[1], &self.guide.adam] {
            adam.record(recorder);
        }
    }

    /// Mean losses of both pictures since [`Self::record_begin`], a channel.
    pub(super) fn read(&self) -> Result<[f64; 2], NeuralError> {
        let overflow: Vec<u32> = self.gpu.read(&self.overflow)?;
        if overflow[0] > 0 {
            return Err(NeuralError::Overflow { numbers: overflow[0] });
        }
        let totals: Vec<f32> = self.gpu.read(&self.totals)?;
        Ok([0, 8].map(|at| f64::from(totals[at]) / f64::from(totals[at + 4]).max(1.0)))
    }

    /// Mean loss of the first picture over many draws of the pixels, for the surface and network as they are; visibility is
    /// up to date.
    pub(super) fn measure(&mut self, batches: &[Vec<usize>], which: Pixels) -> Result<f64, NeuralError> {
        let gpu = self.gpu.clone();
        let mut recorder = gpu.recorder("joint measure");
        self.record_begin(&mut recorder);
        recorder.submit()?;
        for round in 0..ROUNDS {
            for batch in batches {
                let rows = self.place(batch, |view| hash(round ^ hash(u32::try_from(view).unwrap_or(0))));
                self.guide.write(&gpu, rows, 0.0, 0.0);
                let mut recorder = gpu.recorder("joint measure");
                self.record_forward(&mut recorder, batch, rows, which);
                recorder.submit()?;
                gpu.wait()?;
            }
        }
        Ok(self.read()?[0])
    }

    /// What a checkpoint holds beside network and features.
    pub(super) fn state_buffers(&self) -> [(&'static str, &Buffer); 7] {
        [
            ("joint_guide", &self.guide.weights),
            ("joint_guide_m", self.guide.adam.moments()[0]),
            ("joint_guide_s", self.guide.adam.moments()[1]),
            ("joint_weights_m", self.adam[0].moments()[0]),
            ("joint_weights_s", self.adam[0].moments()[1]),
            ("joint_features_m", self.adam[1].moments()[0]),
            ("joint_features_s", self.adam[1].moments()[1]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_is_on_one_side_and_tiles_stay_together() {
        let pixels: Vec<u32> = (0..640 * 480).map(|i| 254 << 24 | i).collect();
        let [fitted, validation] = [Pixels::Fitted, Pixels::Validation].map(|which| split(&pixels, 640, which));
        let known = |list: &[u32]| list.iter().filter(|p| **p >> 24 == 254).count();
        assert!(fitted.iter().zip(&validation).all(|(a, b)| (a >> 24 == 254) != (b >> 24 == 254)), "one of both");
        let share = known(&validation) as f64 / pixels.len() as f64;
        assert!((share - 1.0 / f64::from(TILES)).abs() < 0.03, "one in eight: {share}");
        for (i, p) in (0..).zip(&validation) {
            let corner = i / 640 / TILE_PX * TILE_PX * 640 + i % 640 / TILE_PX * TILE_PX;
            assert_eq!(*p >> 24, validation[corner as usize] >> 24, "as its tile");
        }
    }

    #[test]
    fn only_what_is_better_in_everything_is_kept() {
        let losses = |fitted, validation, silhouettes| JointLosses { fitted, validation, silhouettes };
        let good = JointVerdict {
            before: losses(2.0, 2.0, 1.0),
            moved: losses(1.9, 1.9, 1.0),
            after: losses(1.5, 1.8, 1.0005),
        };
        assert!(good.keeps(), "better");
        assert!(!JointVerdict { after: losses(2.1, 1.8, 1.0), ..good }.keeps(), "worse where it was fitted");
        assert!(!JointVerdict { after: losses(1.5, 2.1, 1.0), ..good }.keeps(), "worse where it was not");
        assert!(!JointVerdict { after: losses(1.5, 1.8, 1.1), ..good }.keeps(), "worse outlines");
        assert!(!JointVerdict { moved: losses(1.9, 2.1, 1.0), ..good }.keeps(), "the network alone");
        let nan = JointVerdict { after: losses(f64::NAN, 1.8, 1.0), ..good };
        assert!(!nan.keeps(), "not a number");
    }
}
