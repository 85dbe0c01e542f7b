//! HAM: hand albedo and mesh optimisation by inverse rendering (FMHR §3.2-3.3; DESIGN.md §3.3).
//!
//! # Theory
//! The fitted model is Loop-subdivided; unknowns are per-vertex positions and RGB albedo, and per view nine SH light
//! coefficients and three gains. Phase A (`albedo`) fits albedo and lights on still geometry; phase B (`shape`) moves
//! vertices and albedo; phase C (`colour`, ours) fits albedo and lights on the found surface. Terms: photometric L1 of the
//! antialiased image, squared silhouette error against the image's mask, uniform Laplacians, edge lengths, displacement; Adam.
//!
//! # Where ours differs from the published code, on purpose
//! - Silhouettes come from the masks as the mask stage judged and mended them ([`super::masks`]), or, without it, from the
//!   masks that agree with the fitted model ([`target::MaskTrust`]); published code compares with the initial model's own.
//! - The positional Laplacian is taken of the displacement by default, so that the model's curvature is not smoothed away.
//! - Position gradients are smoothed over the surface before Adam sees them, and so are its steps
//!   ([`crate::optimise::diffuse`]).
//! - Albedo is stiff while the surface moves, so that shading goes into the surface and not into the albedo, which gets its
//!   detail afterwards: together, albedo would explain every wrinkle and the Laplacian then iron it out.
//! - Per-view RGB gains; regions of interest; both hands in one visibility buffer; fixed-point sums (same bytes each run).
//!
//! # Practice
//! Everything is uploaded once. A step renders `views_per_step` views and takes one Adam step; one 16-float row returns an
//! epoch. In phases A and C the visibility buffers are cached.

mod align;
mod buffers;
mod cameras;
mod coverage;
mod detail;
mod ending;
mod falloff;
mod fine_mesh;
mod flow;
#[cfg(test)]
mod hostile;
mod joint;
mod levels;
mod live;
mod matte;
mod phases;
mod plane;
mod plateau;
mod preparation;
mod profile;
mod rates;
mod residuals;
mod settings;
mod slices;
mod smoother;
pub mod start;
mod state;
#[cfg(test)]
mod submits;
pub mod target;
mod untangle;
#[cfg(test)]
mod whole_image;

pub use detail::Detail;
pub use fine_mesh::{DISPLAY_LEVEL, FineHand, FineMesh};
pub use live::Moment;
pub use phases::Phase;
pub use preparation::Preparation;
pub use rates::{KernelRate, PhaseRates};
pub use settings::HamSettings;
pub use state::HamState;
pub use untangle::Untangled;

use crate::camera::{CameraMove, CameraResidual};
use crate::gpu::{Gpu, GpuError};
use crate::optimise::adam::AdamParams;
use crate::shading::LIGHT_STRIDE;
use crate::shading::renderer::{MeshBuffers, PixelBuffers, Renderer, unpadded};
use buffers::{Training, ViewTraining};
use target::MaskTrust;

/// Why the stage stopped.
#[derive(Debug, thiserror::Error)]
pub enum HamError {
    /// The GPU.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// Nothing to fit to.
    #[error("none of the used views shows a hand; check the calibration, or include more views")]
    NoView,
    /// Detail of another mesh.
    #[error("the detail of the other frame is of another mesh or another number of views")]
    Detail,
    /// A loss term is NaN or infinite.
    #[error(
        "the loss `{term}` is not finite at epoch {epoch} of phase `{phase}`; the last good state is kept. Try smaller rates (--set ham.shape_rate=…)"
    )]
    Diverged {
        /// Which term.
        term: &'static str,
        /// Phase.
        phase: &'static str,
        /// Epoch, from 1.
        epoch: u32,
    },
    /// Sums of gradients came near the range of their fixed-point representation.
    #[error(
        "the gradients of {vertices} vertices came near overflow in phase `{phase}`; lower the weights of the image terms"
    )]
    Overflow {
        /// How many.
        vertices: u32,
        /// Phase.
        phase: &'static str,
    },
}

/// Terms in the order of the loss row.
pub const TERMS: [&str; 6] = ["sfs", "mask", "lap", "albedo", "edge", "delta"];

/// Losses of one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochReport {
    /// Phase.
    pub phase: Phase,
    /// Epoch within the phase, from 1.
    pub epoch: u32,
    /// Epochs of the phase.
    pub epochs: u32,
    /// Weighted terms, in the order of [`TERMS`].
    pub terms: [f64; 6],
}

/// Vertex data read back from the device; all hands in order.
#[derive(Clone, Debug)]
pub struct Vertices {
    /// World metres.
    pub positions: Vec<[f32; 3]>,
    /// Unit normals.
    pub normals: Vec<[f32; 3]>,
    /// Albedo in the image's encoding.
    pub albedo: Vec<[f32; 3]>,
}

/// The running stage.
pub struct Ham {
    gpu: Gpu,
    settings: HamSettings,
    mesh: FineMesh,
    renderer: Renderer,
    buffers: MeshBuffers,
    pixels: PixelBuffers,
    training: Training,
    /// One entry per view of the capture; `None` for views that are not used.
    views: Vec<Option<ViewTraining>>,
    trust: Vec<Option<MaskTrust>>,
    /// Cameras of the regions as they were given, with the target pixels; one entry per view.
    sights: Vec<Option<cameras::Given>>,
    /// How far each camera was moved since; one entry per view.
    moves: Vec<CameraMove>,
    /// What each camera is off by over its picture; one entry per view.
    residuals: Vec<CameraResidual>,
    /// Root mean square of the shifts over each view's hands, pixels, where they were found since the start or the resumption.
    shifted_px: Vec<f64>,
    /// Pixels that see a hand, one entry per view; 0 for views that are not used.
    seen_px: Vec<f32>,
    batches: Vec<Vec<usize>>,
    /// On the mesh of the level below; [`Ham::refined`] comes after.
    coarse: bool,
    phase: Phase,
    epoch: u32,
    /// Progress of the phase's epochs so far.
    history: Vec<f64>,
    batch: usize,
    /// Views of the batch that the step under way has seen, all before its last slice; 0 between steps.
    at_view: usize,
    /// Parts of what follows on the views that are done, all before the step's last slice.
    at_part: usize,
    /// How many views go to the device before [`Ham::step`] comes back.
    slice: slices::Slice,
    /// And how many parts of what follows on them.
    part_slice: slices::Slice,
    /// What the epoch that was stepped through leaves to be done.
    ending: Option<ending::Ending>,
    steps: [i32; 3],
    meter: rates::RateMeter,
    ended: Vec<PhaseRates>,
    untangled: Untangled,
}

impl std::fmt::Debug for Ham {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ham").field("phase", &self.phase).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Ham {
    /// The mesh (fine, or coarse in the coarse part) and its hands.
    #[must_use]
    pub const fn mesh(&self) -> &FineMesh {
        &self.mesh
    }

    /// Where the stage is.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Epochs finished in the phase.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// What was found about each view's mask; `None` for views that are not used.
    #[must_use]
    pub fn mask_trust(&self) -> &[Option<MaskTrust>] {
        &self.trust
    }

    /// Factor from the image terms' unit weights to the loss, for a batch of `views`.
    fn data_scale(&self, views: usize) -> f64 {
        let pixels = self.views.iter().flatten().map(|v| v.image_pixels).fold(1.0, f64::max);
        self.settings.photometric / (3.0 * views as f64 * pixels)
    }

    /// The pace of the phases that have ended.
    #[must_use]
    pub fn ended_phases(&self) -> &[PhaseRates] {
        &self.ended
    }

    /// The pace of the present phase so far.
    #[must_use]
    pub fn rates(&self) -> PhaseRates {
        self.meter.rates(self.phase)
    }

    fn enter_phase(&mut self, phase: Phase) {
        self.ended.extend(self.meter.end(self.phase));
        self.phase = phase;
        self.epoch = 0;
        self.history.clear();
        (self.batch, self.at_view, self.at_part) = (0, 0, 0);
        self.write_phase();
    }

    /// Writes the uniforms that hold for the whole phase.
    fn write_phase(&self) {
        let s = &self.settings;
        let light_prior = if self.phase == Phase::Albedo { s.light_prior } else { s.light_prior_shape };
        self.write_terms(self.phase.moves(), 1.0, light_prior, self.albedo_stiffness());
    }

    /// Writes the weights of all terms: whether the surface moves, the photometric one's in units of itself, and the parts of
    /// the lights' and the albedo's that count.
    fn write_terms(&self, geometry: bool, photometric: f64, light_prior: f64, albedo_stiffness: f64) {
        let s = &self.settings;
        let gpu = &self.gpu;
        let count = self.mesh.positions.len() as f64;
        let edges = self.mesh.topology.edges.len().max(1) as f64;
        for view in self.views.iter().flatten() {
            view.write_geometry(gpu, geometry);
            // Both terms are means over pixels; photometric has three channels a pixel.
            let silhouette = view.silhouette_weight * 3.0 * s.silhouette / s.photometric;
            let robust = buffers::Robust { softness: s.softness, clipped: s.clipped };
            view.write_weights(gpu, photometric, silhouette, &robust);
        }
        let pull = |pixels: &f32| to_f32(light_prior) * pixels;
        self.training.write_light_weights(gpu, &self.seen_px.iter().map(pull).collect::<Vec<_>>());
        self.training.write_regularisers(
            gpu,
            self.buffers.vertices,
            &buffers::Regularisers {
                laplacian: s.laplacian_per_m() / count,
                of_displacement: s.laplacian_of_displacement,
                albedo_laplacian: s.albedo_laplacian * albedo_stiffness / count,
                edge: s.edge_per_m2() / edges,
                edge_mean_squared: self.mesh.mean_squared_edge(),
                edge_clip: s.unit_m * s.unit_m,
                displacement: s.displacement_per_m2() / count,
            },
        );
    }

    /// Takes one optimiser step, or a part of one where a step takes long, so that a pause or a cancel need not wait for all
    /// of it; returns the losses when it completed an epoch. Does nothing in [`Phase::Done`].
    ///
    /// # Errors
    /// [`HamError::Diverged`], [`HamError::Overflow`] or a GPU error.
    pub fn step(&mut self) -> Result<Option<EpochReport>, HamError> {
        if self.phase == Phase::Done {
            return Ok(None);
        }
        if let Some(ending) = self.ending.take() {
            return self.go_on_ending(ending);
        }
        let batch = self.batches[self.batch].clone();
        let geometry = self.phase.moves();
        let s = &self.settings;
        let first = self.phase == Phase::Albedo;
        let decay = s.final_rate.powf(f64::from(self.epoch) / f64::from(self.epochs().max(2) - 1));
        let light_rate = if first { s.light_rate } else { s.light_rate_shape * decay };
        let with_light = light_rate > 0.0;
        let from = self.at_view;
        let gpu = &self.gpu;
        if from == 0 {
            self.steps[0] += 1;
            self.steps[1] += i32::from(with_light);
            self.steps[2] += i32::from(geometry);
            let albedo_rate = if first { s.albedo_rate } else { s.albedo_rate_shape * decay };
            self.training.write_step(
                gpu,
                self.data_scale(batch.len()),
                batch.len() as f64 / self.batches.iter().map(Vec::len).sum::<usize>() as f64,
                [
                    AdamParams::at_step(albedo_rate, self.steps[0], 0.01, 1.5),
                    AdamParams::at_step(light_rate, self.steps[1].max(1), -20.0, 20.0),
                    AdamParams::at_step(s.shape_rate_m() * decay, self.steps[2].max(1), -1e4, 1e4),
                ],
            );
            if geometry {
                let lambda = s.smoothing_lambda(self.epoch, self.mesh.mean_squared_edge());
                self.training.write_smoothing(gpu, lambda);
            }
        }
        let to = batch.len().min(from + self.slice.views());
        let mut recorder = self.meter.recorder(gpu);
        if from == 0 {
            if self.batch == 0 {
                recorder.clear(&self.training.row);
            }
            self.training.record_before_views(&mut recorder, &self.buffers, self.batch == 0 || geometry);
        }
        for (i, &v) in batch.iter().enumerate().take(to).skip(from) {
            let Some(view) = &self.views[v] else { continue };
            if i > from && i % s.views_per_submit.max(1) == 0 {
                recorder.flush()?;
            }
            if geometry {
                self.renderer.record_visibility(&mut recorder, &self.buffers, &self.pixels, &view.pass);
            }
            self.renderer.record_colours(&mut recorder, &self.pixels, &view.pass);
            view.record_gradients(&mut recorder, &self.training, with_light);
        }
        // One slice at a time: a pause or a cancel is answered after the one that runs.
        // On a slow device what follows on the views is a slice of its own.
        if to < batch.len() || (from < to && self.slice.views() < batch.len()) {
            self.slice.took(to - from, self.meter.part(gpu, recorder)?);
            self.at_view = to;
            return Ok(None);
        }
        let first = self.at_part;
        let last = self.training.parts_after_views(geometry).min(first + self.part_slice.views());
        self.training.record_after_views(&mut recorder, &self.buffers, (geometry, with_light), first..last);
        let over = last == self.training.parts_after_views(geometry);
        let seconds = if over { self.meter.finish(gpu, recorder)? } else { self.meter.part(gpu, recorder)? };
        if from < to {
            self.slice.took(to - from, seconds);
        } else {
            self.part_slice.took(last - first, seconds);
        }
        if !over {
            (self.at_view, self.at_part) = (to, last);
            return Ok(None);
        }
        (self.at_view, self.at_part) = (0, 0);
        self.batch += 1;
        if self.batch < self.batches.len() {
            return Ok(None);
        }
        self.batch = 0;
        self.epoch += 1;
        self.meter.epoch();
        let mut report = self.read_row()?;
        self.history.push(plateau::progress([report.terms[0], report.terms[1]]));
        let over = self.epoch >= self.epochs() || plateau::reached(&self.history, self.settings.plateau);
        if over {
            report.epochs = self.epoch;
        }
        self.go_on_ending(self.end_epoch(report, over))
    }

    fn read_row(&self) -> Result<EpochReport, HamError> {
        let row: Vec<f32> = self.gpu.read(&self.training.row)?;
        let overflow: Vec<u32> = self.gpu.read(&self.training.overflow)?;
        if overflow[0] > 0 {
            return Err(HamError::Overflow { vertices: overflow[0], phase: self.phase.name() });
        }
        let steps = self.batches.len() as f64;
        // Each used view entered once; a step's scale is per batch, so the mean over steps uses the mean batch.
        let used: usize = self.batches.iter().map(Vec::len).sum();
        let image = self.data_scale(used);
        let mut terms = [0.0; 6];
        for (k, term) in terms.iter_mut().enumerate() {
            *term = f64::from(row[k]) * if k < 2 { image } else { 1.0 / steps };
            if !term.is_finite() {
                return Err(HamError::Diverged { term: TERMS[k], phase: self.phase.name(), epoch: self.epoch });
            }
        }
        Ok(EpochReport { phase: self.phase, epoch: self.epoch, epochs: self.epochs(), terms })
    }

    /// Normals of the positions as they are.
    fn refresh_normals(&self) -> Result<(), GpuError> {
        let mut recorder = self.gpu.recorder("normals");
        self.training.record_normals(&mut recorder, &self.buffers);
        recorder.submit()
    }

    /// Reads the vertices back (positions, fresh normals, albedo).
    ///
    /// # Errors
    /// A GPU error.
    pub fn vertices(&self) -> Result<Vertices, HamError> {
        self.refresh_normals()?;
        Ok(Vertices {
            positions: unpadded(&self.gpu.read::<[f32; 4]>(&self.buffers.positions)?),
            normals: unpadded(&self.gpu.read::<[f32; 4]>(&self.buffers.normals)?),
            albedo: unpadded(&self.gpu.read::<[f32; 4]>(&self.buffers.albedo)?),
        })
    }

    /// Lights of all views (12 numbers each).
    ///
    /// # Errors
    /// A GPU error.
    pub fn lights(&self) -> Result<Vec<[f64; LIGHT_STRIDE]>, HamError> {
        let flat: Vec<f32> = self.gpu.read(&self.buffers.lights)?;
        Ok(flat
            .chunks_exact(LIGHT_STRIDE)
            .map(|c| {
                let mut light = [0.0; LIGHT_STRIDE];
                for (l, x) in light.iter_mut().zip(c) {
                    *l = f64::from(*x);
                }
                light
            })
            .collect())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
pub(crate) fn to_f32(x: f64) -> f32 {
    x as f32
}
