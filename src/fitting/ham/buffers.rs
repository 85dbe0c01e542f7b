//! The stage's device memory and recorded work: gradients of each view, regularisers, Adam.

use super::smoother::{Smoother, Smoothing};
use crate::energy::image_loss::{self, ImageLossParams};
use crate::energy::laplacian::{self, LaplacianParams};
use crate::energy::light_prior::{self, LightPriorParams};
use crate::energy::shape_prior::{self, ShapePriorParams};
use crate::gpu::{Bound, Buffer, Gpu, GpuError, Kernel, Recorder};
use crate::optimise::adam::{self, Adam, AdamParams};
use crate::optimise::add;
use crate::optimise::sum::{self, SumParams};
use crate::optimise::unpack::{self, UnpackParams};
use crate::raster::antialias;
use crate::shading::renderer::{MeshBuffers, Part, PixelBuffers, Renderer, ViewPass};
use crate::shading::{LIGHT_STRIDE, shade, vertex_normals};
use bytemuck::Zeroable as _;

/// Weights that hold for a phase; per metre, divided by the counts they average over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Regularisers {
    pub laplacian: f64,
    pub of_displacement: bool,
    pub albedo_laplacian: f64,
    pub edge: f64,
    pub edge_mean_squared: f64,
    pub edge_clip: f64,
    pub displacement: f64,
}

/// Where the vertices start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start<'a> {
    /// World metres.
    pub positions: &'a [[f32; 3]],
    /// Factors of their smoothness.
    pub stiffness: &'a [f32],
}

/// How colours are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Robust {
    pub softness: f64,
    pub clipped: f64,
}

/// Slots of the loss row: see [`super::TERMS`].
const SLOT_IMAGE: u32 = 0;
const SLOT_LAPLACIAN: u32 = 2;
const SLOT_ALBEDO: u32 = 3;
const SLOT_PRIOR: u32 = 4;

/// Gradient memory and kernels shared by all views.
pub(super) struct Training {
    pub row: Buffer,
    pub overflow: Buffer,
    smooth_grad: Buffer,
    colours_grad: Buffer,
    grads: Buffer,
    lights_grad: Buffer,
    image_partials: Buffer,
    light_partials: Buffer,
    unpack_params: Buffer,
    laplacian_params: Buffer,
    albedo_laplacian_params: Buffer,
    prior_params: Buffer,
    image_kernel: Kernel,
    antialias_grad: Kernel,
    shade_grad: Kernel,
    lighting_grad: Kernel,
    sum: Kernel,
    normals: Bound,
    normals_grad: Bound,
    unpack: Bound,
    laplacian: [Bound; 2],
    albedo_laplacian: [Bound; 2],
    prior: Bound,
    vertex_sums: [Bound; 3],
    smoother: Smoother,
    smooth_gradient: Smoothing,
    smooth_step: Smoothing,
    /// Adam's step of the positions, zeroed before it.
    step: Buffer,
    add_step: Bound,
    albedo: Adam,
    lights: Adam,
    light_weights: Buffer,
    light_prior_params: Buffer,
    light_prior: Bound,
    positions: Adam,
}

/// One view with everything a step does to it.
pub(super) struct ViewTraining {
    pub pass: ViewPass,
    /// Pixels of the whole (reduced) image, over which the image terms are means.
    pub image_pixels: f64,
    /// Factor of the silhouette term.
    pub silhouette_weight: f64,
    /// Pixels that the image loss compares with.
    pub targets: Buffer,
    image_params: Buffer,
    image_loss: Bound,
    image_sum: Bound,
    antialias_grad: Bound,
    shade_grad: Bound,
    lighting_grad: Bound,
    lighting_sum: Bound,
}

fn groups(items: u32) -> u32 {
    items.div_ceil(64)
}

impl Training {
    #[expect(clippy::too_many_lines, reason = "one list of buffers and bindings; splitting it would hide the wiring")]
    pub(super) fn new(
        gpu: &Gpu,
        mesh: &MeshBuffers,
        pixels: &PixelBuffers,
        renderer: &Renderer,
        start: Start<'_>,
        views: usize,
        smoothing: f64,
    ) -> Result<Self, GpuError> {
        let zeros = |name: &str, bytes: u64| Buffer::zeros(gpu, name, bytes);
        let vertex_bytes = u64::from(mesh.vertices) * 16;
        let pixel_bytes = pixels.colours.len_bytes();
        let pixel_groups = (pixel_bytes / 16).div_ceil(64) + 64;
        let grads = zeros("fixed-point gradients", u64::from(mesh.vertices) * 36)?;
        let (albedo_grad, position_grad) =
            (zeros("albedo gradient", vertex_bytes)?, zeros("position gradient", vertex_bytes)?);
        let (sums_grad, directions) = (zeros("normal gradient", vertex_bytes)?, zeros("laplacian", vertex_bytes)?);
        let start_vertices = start.positions.len();
        let weighted = |(p, w): (&[f32; 3], &f32)| [p[0], p[1], p[2], *w];
        let weighted: Vec<[f32; 4]> = start.positions.iter().zip(start.stiffness).map(weighted).collect();
        let start = Buffer::storage(gpu, "start positions", &weighted)?;
        // Albedo is as smooth everywhere: what one view sees of it is seen well.
        let even = Buffer::storage(gpu, "albedo reference", &vec![[0.0_f32, 0.0, 0.0, 1.0]; start_vertices])?;
        let lights_grad = zeros("light gradient", (views * LIGHT_STRIDE * 4) as u64)?;
        let light_weights = zeros("light weights", (views * 4) as u64)?;
        let light_prior_params = Buffer::uniform(gpu, "light prior", &LightPriorParams { share: 0.0, pad: [0; 3] })?;
        let light_prior = gpu.kernel(light_prior::NAME)?.bind(&[
            ("params", &light_prior_params),
            ("weights", &light_weights),
            ("lights", &mesh.lights),
            ("lights_grad", &lights_grad),
        ])?;
        let row = zeros("loss row", 64)?;
        let overflow = zeros("overflow", 16)?;
        let vertex_groups = groups(mesh.vertices);
        // Laplacian, albedo Laplacian, then two interleaved prior sums.
        let vertex_partials = zeros("vertex sums", u64::from(vertex_groups) * 16)?;
        let uniform = |name: &str, params: SumParams| Buffer::uniform(gpu, name, &params);
        let ring = [("neighbour_starts", &mesh.neighbour_starts), ("neighbours", &mesh.neighbours)];

        let unpack_params = Buffer::uniform(gpu, "unpack", &UnpackParams { scale: 0.0, pad: [0; 3] })?;
        let blank = LaplacianParams { weight: 0.0, smoothing: 1e-6, partial_offset: 0, reference: 0.0 };
        let laplacian_params = Buffer::uniform(gpu, "laplacian", &blank)?;
        let albedo_laplacian_params = Buffer::uniform(gpu, "albedo laplacian", &blank)?;
        let prior_params = Buffer::uniform(
            gpu,
            "shape prior",
            &ShapePriorParams {
                edge_weight: 0.0,
                edge_mean_squared: 0.0,
                edge_clip: 1.0,
                delta_weight: 0.0,
                partial_offset: 0,
                pad: [0; 3],
            },
        )?;
        let unpack = gpu.kernel(unpack::NAME)?.bind(&[
            ("params", &unpack_params),
            ("grads", &grads),
            ("normals", &mesh.normals),
            ("albedo_grad", &albedo_grad),
            ("position_grad", &position_grad),
            ("sums_grad", &sums_grad),
            ("overflow", &overflow),
        ])?;
        let normals_grad = gpu.kernel(vertex_normals::GRADIENT)?.bind(&[
            ("positions", &mesh.positions),
            ("incident_starts", &mesh.incident_starts),
            ("incident", &mesh.incident),
            ("sums_grad", &sums_grad),
            ("position_grad", &position_grad),
        ])?;
        let laplacian_kernels = [gpu.kernel(laplacian::FORWARD)?, gpu.kernel(laplacian::GRADIENT)?];
        let bind_laplacian =
            |params: &Buffer, values: &Buffer, reference: &Buffer, gradient: &Buffer| -> Result<[Bound; 2], GpuError> {
                let forward = [
                    &ring[..],
                    &[
                        ("params", params),
                        ("values", values),
                        ("reference_values", reference),
                        ("directions", &directions),
                        ("partials", &vertex_partials),
                    ],
                ]
                .concat();
                let backward = [&ring[..], &[("directions", &directions), ("value_grad", gradient)]].concat();
                Ok([laplacian_kernels[0].bind(&forward)?, laplacian_kernels[1].bind(&backward)?])
            };
        let laplacian = bind_laplacian(&laplacian_params, &mesh.positions, &start, &position_grad)?;
        let albedo_laplacian = bind_laplacian(&albedo_laplacian_params, &mesh.albedo, &even, &albedo_grad)?;
        let prior = gpu.kernel(shape_prior::NAME)?.bind(
            &[
                &ring[..],
                &[
                    ("params", &prior_params),
                    ("positions", &mesh.positions),
                    ("start_positions", &start),
                    ("position_grad", &position_grad),
                    ("partials", &vertex_partials),
                ],
            ]
            .concat(),
        )?;
        let sum_kernel = gpu.kernel(sum::NAME)?;
        let vertex_sum = |stride, offset, slot| -> Result<Bound, GpuError> {
            let params = uniform("vertex sum", SumParams { count: vertex_groups, stride, offset, slot })?;
            sum_kernel.bind(&[("params", &params), ("partials", &vertex_partials), ("totals", &row)])
        };
        let vertex_sums = [
            vertex_sum(1, 0, SLOT_LAPLACIAN)?,
            vertex_sum(1, vertex_groups, SLOT_ALBEDO)?,
            vertex_sum(2, 2 * vertex_groups, SLOT_PRIOR)?,
        ];
        let adam_kernel = gpu.kernel(adam::NAME)?;
        let smoother = Smoother::new(gpu, mesh, smoothing)?;
        let step = zeros("step", vertex_bytes)?;
        let add_step = gpu.kernel(add::NAME)?.bind(&[("step", smoother.result()), ("values", &mesh.positions)])?;
        let positions = Adam::new(gpu, &adam_kernel, "adam positions", &step, smoother.result())?;
        Ok(Self {
            normals: renderer.bind_normals(mesh)?,
            albedo: Adam::new(gpu, &adam_kernel, "adam albedo", &mesh.albedo, &albedo_grad)?,
            lights: Adam::new(gpu, &adam_kernel, "adam lights", &mesh.lights, &lights_grad)?,
            light_weights,
            light_prior_params,
            light_prior,
            positions,
            smooth_gradient: smoother.bind(mesh, &position_grad)?,
            smooth_step: smoother.bind(mesh, &step)?,
            smoother,
            step,
            add_step,
            smooth_grad: zeros("image gradient", pixel_bytes)?,
            colours_grad: zeros("colour gradient", pixel_bytes)?,
            image_partials: zeros("image sums", pixel_groups * 8)?,
            light_partials: zeros("light sums", u64::from(shade::LIGHT_GROUPS) * 48)?,
            image_kernel: gpu.kernel(image_loss::NAME)?,
            antialias_grad: gpu.kernel(antialias::GRADIENT)?,
            shade_grad: gpu.kernel(shade::GRADIENT)?,
            lighting_grad: gpu.kernel(shade::LIGHT_GRADIENT)?,
            sum: sum_kernel,
            row,
            overflow,
            grads,
            lights_grad,
            unpack_params,
            laplacian_params,
            albedo_laplacian_params,
            prior_params,
            normals_grad,
            unpack,
            laplacian,
            albedo_laplacian,
            prior,
            vertex_sums,
        })
    }

    pub(super) fn bind_view(
        &self,
        gpu: &Gpu,
        mesh: &MeshBuffers,
        pixels: &PixelBuffers,
        pass: ViewPass,
        packed: &[u32],
        image_pixels: f64,
    ) -> Result<ViewTraining, GpuError> {
        let targets = Buffer::storage(gpu, "target pixels", packed)?;
        let blank = ImageLossParams::zeroed();
        let image_params = Buffer::uniform(gpu, "image loss", &blank)?;
        let image_loss = self.image_kernel.bind(&[
            ("view", &pass.uniform),
            ("params", &image_params),
            ("smooth_colours", &pixels.smooth),
            ("targets", &targets),
            ("smooth_grad", &self.smooth_grad),
            ("partials", &self.image_partials),
        ])?;
        let count = groups(pass.region.pixels());
        let image_sum = SumParams { count, stride: 2, offset: 0, slot: SLOT_IMAGE };
        let image_sum = self.sum.bind(&[
            ("params", &Buffer::uniform(gpu, "image sum", &image_sum)?),
            ("partials", &self.image_partials),
            ("totals", &self.row),
        ])?;
        let antialias_grad = self.antialias_grad.bind(&[
            ("view", &pass.uniform),
            ("ids", &pass.ids),
            ("positions", &mesh.positions),
            ("wings", &mesh.wings),
            ("edges", &pass.edges.list),
            ("colours", &pixels.colours),
            ("smooth_grad", &self.smooth_grad),
            ("colours_grad", &self.colours_grad),
            ("grads", &self.grads),
        ])?;
        let shaded = [
            ("view", &pass.uniform),
            ("covered", &pass.covered.list),
            ("positions", &mesh.positions),
            ("normals", &mesh.normals),
            ("albedo", &mesh.albedo),
            ("faces", &mesh.faces),
            ("lights", &mesh.lights),
            ("colours_grad", &self.colours_grad),
        ];
        let shade_grad = self.shade_grad.bind(&[&shaded[..], &[("grads", &self.grads)]].concat())?;
        let lighting_grad = self.lighting_grad.bind(&[&shaded[..], &[("partials", &self.light_partials)]].concat())?;
        let stride = u32::try_from(LIGHT_STRIDE).unwrap_or(0);
        let lighting_sum =
            SumParams { count: shade::LIGHT_GROUPS, stride, offset: 0, slot: pass.region.light * stride };
        let lighting_sum = self.sum.bind(&[
            ("params", &Buffer::uniform(gpu, "light sum", &lighting_sum)?),
            ("partials", &self.light_partials),
            ("totals", &self.lights_grad),
        ])?;
        Ok(ViewTraining {
            targets,
            pass,
            image_pixels,
            silhouette_weight: 1.0,
            image_params,
            image_loss,
            image_sum,
            antialias_grad,
            shade_grad,
            lighting_grad,
            lighting_sum,
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub(super) fn write_regularisers(&self, gpu: &Gpu, vertices: u32, r: &Regularisers) {
        let laplacian = LaplacianParams {
            weight: r.laplacian as f32,
            smoothing: 1e-6,
            partial_offset: 0,
            reference: f32::from(u8::from(r.of_displacement)),
        };
        self.laplacian_params.write(gpu, &[laplacian]);
        let albedo = LaplacianParams {
            weight: r.albedo_laplacian as f32,
            smoothing: 1e-4,
            partial_offset: groups(vertices),
            reference: 0.0,
        };
        self.albedo_laplacian_params.write(gpu, &[albedo]);
        let prior = ShapePriorParams {
            edge_weight: r.edge as f32,
            edge_mean_squared: r.edge_mean_squared as f32,
            edge_clip: r.edge_clip as f32,
            delta_weight: r.displacement as f32,
            partial_offset: 2 * groups(vertices),
            pad: [0; 3],
        };
        self.prior_params.write(gpu, &[prior]);
    }

    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub(super) fn write_step(
        &self,
        gpu: &Gpu,
        data_scale: f64,
        share: f64,
        [albedo, lights, positions]: [AdamParams; 3],
    ) {
        self.unpack_params.write(gpu, &[UnpackParams { scale: data_scale as f32, pad: [0; 3] }]);
        self.albedo.write(gpu, albedo);
        // Light gradients are raw sums over pixels; Adam does not mind their scale, its epsilon is far below it.
        self.lights.write(gpu, lights);
        self.light_prior_params.write(gpu, &[LightPriorParams { share: share as f32, pad: [0; 3] }]);
        self.positions.write(gpu, positions);
    }

    /// How strongly each view's light is drawn to the rig's mean, in units of the raw image gradient; 0 = not, and no part of
    /// the mean.
    pub(super) fn write_light_weights(&self, gpu: &Gpu, weights: &[f32]) {
        self.light_weights.write(gpu, weights);
    }

    /// How strongly steps and gradients of the positions are smoothed from now on.
    pub(super) fn write_smoothing(&mut self, gpu: &Gpu, lambda: f64) {
        self.smoother.set(gpu, lambda);
    }

    pub(super) fn record_normals(&self, recorder: &mut Recorder, mesh: &MeshBuffers) {
        recorder.dispatch(&self.normals, mesh.vertices);
    }

    pub(super) fn record_before_views(&self, recorder: &mut Recorder, mesh: &MeshBuffers, geometry_moved: bool) {
        recorder.clear(&self.lights_grad);
        if geometry_moved {
            self.record_normals(recorder, mesh);
        }
    }

    /// In how many parts comes what follows on the views.
    pub(super) const fn parts_after_views(&self, geometry: bool) -> usize {
        if geometry { 2 * self.smoother.iterations() + 3 } else { 1 }
    }

    /// Some of the [`Self::parts_after_views`]: regularisers, and the steps of the optimiser, whose smoothing is most of the work.
    pub(super) fn record_after_views(
        &self,
        recorder: &mut Recorder,
        mesh: &MeshBuffers,
        (geometry, with_light): (bool, bool),
        parts: std::ops::Range<usize>,
    ) {
        let vertices = mesh.vertices;
        let last = self.parts_after_views(geometry) - 1;
        let smooth = self.smoother.iterations();
        for part in parts {
            if part == 0 {
                recorder.dispatch(&self.unpack, vertices);
                recorder.dispatch(&self.albedo_laplacian[0], vertices);
                recorder.dispatch(&self.albedo_laplacian[1], vertices);
                recorder.dispatch_workgroups(&self.vertex_sums[1], 1);
                if geometry {
                    recorder.dispatch(&self.normals_grad, vertices);
                    recorder.dispatch(&self.laplacian[0], vertices);
                    recorder.dispatch(&self.laplacian[1], vertices);
                    recorder.dispatch(&self.prior, vertices);
                    recorder.dispatch_workgroups(&self.vertex_sums[0], 1);
                    recorder.dispatch_workgroups(&self.vertex_sums[2], 1);
                    self.smoother.begin(recorder, &self.smooth_gradient);
                }
            } else if part <= smooth {
                self.smoother.iterate(recorder, &self.smooth_gradient, part - 1, vertices);
            } else if part == smooth + 1 {
                // Adam on nothing: what it leaves is its step. Smoothed again, because it weighs each number for itself.
                recorder.clear(&self.step);
                self.positions.record(recorder);
                self.smoother.begin(recorder, &self.smooth_step);
            } else if part < last {
                self.smoother.iterate(recorder, &self.smooth_step, part - smooth - 2, vertices);
            }
            if part == last {
                if geometry {
                    recorder.dispatch(&self.add_step, self.positions.numbers());
                }
                if with_light {
                    let weights = self.light_weights.len_bytes() / 4 * 9;
                    recorder.dispatch(&self.light_prior, u32::try_from(weights).unwrap_or(0));
                    self.lights.record(recorder);
                }
                self.albedo.record(recorder);
            }
        }
    }

    /// Adam's moments of the albedo as at the start.
    pub(super) fn forget_albedo_steps(&self, gpu: &Gpu) {
        self.albedo.forget(gpu);
    }

    /// Adam's moments of the positions as at the start.
    pub(super) fn forget_position_steps(&self, gpu: &Gpu) {
        self.positions.forget(gpu);
    }

    /// Fixed-point sums of the gradient, 9 words a vertex: albedo, normal, position per millimetre.
    pub(super) const fn grads(&self) -> &Buffer {
        &self.grads
    }

    /// The vertex kernels by name, for timing.
    pub(super) fn kernels(&self) -> Vec<(&'static str, &Bound, u32)> {
        let mut kernels = vec![
            ("vertex_normals", &self.normals, 1),
            ("vertex_normals_grad", &self.normals_grad, 1),
            ("unpack_grads", &self.unpack, 1),
            ("laplacian", &self.laplacian[0], 1),
            ("laplacian_grad", &self.laplacian[1], 1),
            ("shape_prior", &self.prior, 1),
            ("adam", self.positions.bound(), 4),
        ];
        kernels.extend(self.smooth_gradient.iteration().map(|bound| ("diffuse (one step)", bound, 1)));
        kernels
    }

    /// The lists a checkpoint holds.
    pub(super) fn state_buffers<'a>(&'a self, mesh: &'a MeshBuffers) -> [(&'static str, &'a Buffer); 9] {
        [
            ("positions", &mesh.positions),
            ("albedo", &mesh.albedo),
            ("lights", &mesh.lights),
            ("positions_m", self.positions.moments()[0]),
            ("positions_s", self.positions.moments()[1]),
            ("albedo_m", self.albedo.moments()[0]),
            ("albedo_s", self.albedo.moments()[1]),
            ("lights_m", self.lights.moments()[0]),
            ("lights_s", self.lights.moments()[1]),
        ]
    }
}

impl ViewTraining {
    pub(super) fn write_geometry(&self, gpu: &Gpu, geometry: bool) {
        self.pass.write_geometry(gpu, geometry);
    }

    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub(super) fn write_weights(&self, gpu: &Gpu, photometric: f64, silhouette: f64, robust: &Robust) {
        let params = ImageLossParams {
            photometric: photometric as f32,
            silhouette: silhouette as f32,
            partial_offset: 0,
            softness: robust.softness.max(1e-5) as f32,
            clipped: robust.clipped as f32,
            pad: [0; 3],
        };
        self.image_params.write(gpu, &[params]);
    }

    /// Loss and gradients of the view whose colours were just rendered, part by part.
    pub(super) fn parts<'a>(&'a self, training: &'a Training, with_light: bool) -> Vec<(&'static str, Part<'a>)> {
        let pixels = self.pass.region.pixels();
        let bytes = u64::from(pixels) * 16;
        let (smooth, plain) = (&training.smooth_grad, &training.colours_grad);
        let mut parts: Vec<(&'static str, Part<'a>)> = vec![
            ("image_loss", Box::new(move |r| r.dispatch(&self.image_loss, pixels))),
            ("image_sum", Box::new(|r| r.dispatch_workgroups(&self.image_sum, 1))),
            ("copy", Box::new(move |r| r.copy_range(smooth, 0, plain, 0, bytes))),
            ("antialias_grad", Box::new(|r| self.pass.edges.dispatch(r, &self.antialias_grad))),
            ("shade_grad", Box::new(|r| self.pass.covered.dispatch(r, &self.shade_grad))),
        ];
        if with_light {
            parts
                .push(("lighting_grad", Box::new(|r| r.dispatch_workgroups(&self.lighting_grad, shade::LIGHT_GROUPS))));
            parts.push(("lighting_sum", Box::new(|r| r.dispatch_workgroups(&self.lighting_sum, 1))));
        }
        parts
    }

    /// The image terms of the view whose colours were just rendered, without a gradient.
    pub(super) fn record_value(&self, recorder: &mut Recorder) {
        recorder.dispatch(&self.image_loss, self.pass.region.pixels());
        recorder.dispatch_workgroups(&self.image_sum, 1);
    }

    /// Loss and gradients of the view whose colours were just rendered.
    pub(super) fn record_gradients(&self, recorder: &mut Recorder, training: &Training, with_light: bool) {
        for (_, part) in self.parts(training, with_light) {
            part(recorder);
        }
    }
}
