//! Forward rendering of a mesh through a camera region: visibility, shading, antialiasing. The HAM stage adds its losses
//! to the same buffers; `render`, `evaluate` and the studio use it as it is.
//!
//! Lifetimes: [`MeshBuffers`] once per mesh, [`PixelBuffers`] once per largest region, [`ViewPass`] once per view.

use crate::camera::Camera;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, Kernel, Recorder};
use crate::mesh::Topology;
use crate::raster::{Blending, RasterMesh, Rasteriser, Region, Workspace};
use crate::shading::{LIGHT_STRIDE, shade, vertex_normals};
use std::ops::{Deref, DerefMut};

pub use crate::raster::{Part, padded};

/// Vertex attributes and adjacency on the device, on top of what the rasteriser needs.
pub struct MeshBuffers {
    raster: RasterMesh,
    /// Unit normals and the length of their sums.
    pub normals: Buffer,
    /// Albedo, rgb0.
    pub albedo: Buffer,
    /// CSR of incident faces.
    pub incident_starts: Buffer,
    /// CSR of incident faces: the two other corners of each.
    pub incident: Buffer,
    /// CSR of neighbours.
    pub neighbour_starts: Buffer,
    /// CSR of neighbours.
    pub neighbours: Buffer,
    /// Twelve numbers a light.
    pub lights: Buffer,
}

/// Positions, triangles and counts.
impl Deref for MeshBuffers {
    type Target = RasterMesh;

    fn deref(&self) -> &RasterMesh {
        &self.raster
    }
}

/// xyz0 → xyz.
#[must_use]
pub fn unpadded(v: &[[f32; 4]]) -> Vec<[f32; 3]> {
    v.iter().map(|v| [v[0], v[1], v[2]]).collect()
}

impl MeshBuffers {
    /// Uploads a mesh with `lights` lights (all zero).
    ///
    /// # Errors
    /// [`GpuError`] when it does not fit.
    pub fn new(
        gpu: &Gpu,
        topology: &Topology,
        positions: &[[f32; 3]],
        albedo: &[[f32; 3]],
        lights: usize,
    ) -> Result<Self, GpuError> {
        Ok(Self {
            raster: RasterMesh::new(gpu, topology, positions)?,
            normals: Buffer::zeros(gpu, "normals", positions.len() as u64 * 16)?,
            albedo: Buffer::storage(gpu, "albedo", &padded(albedo))?,
            incident_starts: Buffer::storage(gpu, "incident_starts", &topology.incident_starts)?,
            incident: Buffer::storage(gpu, "incident", &topology.incident_pairs())?,
            neighbour_starts: Buffer::storage(gpu, "neighbour_starts", &topology.neighbour_starts)?,
            neighbours: Buffer::storage(gpu, "neighbours", &topology.neighbours)?,
            lights: Buffer::zeros(gpu, "lights", (lights * LIGHT_STRIDE * 4) as u64)?,
        })
    }
}

/// Colours of one region at a time, shared by all views.
pub struct PixelBuffers {
    /// Plain colours.
    pub colours: Buffer,
    /// Antialiased colours.
    pub smooth: Buffer,
    workspace: Workspace,
}

impl PixelBuffers {
    /// Memory for regions of at most `width × height` pixels.
    ///
    /// # Errors
    /// [`GpuError`] when it does not fit.
    pub fn new(gpu: &Gpu, width: u32, height: u32) -> Result<Self, GpuError> {
        let bytes = u64::from(width) * u64::from(height) * 16;
        Ok(Self {
            colours: Buffer::zeros(gpu, "colours", bytes)?,
            smooth: Buffer::zeros(gpu, "antialiased colours", bytes)?,
            workspace: Workspace::new(gpu, width, height)?,
        })
    }
}

/// The compiled kernels of forward rendering.
pub struct Renderer {
    gpu: Gpu,
    raster: Rasteriser,
    shade: Kernel,
    normals: Kernel,
}

/// One region with its bindings.
pub struct ViewPass {
    seen: Region,
    shade: Bound,
    antialias: Blending,
}

/// The region, its ids and lists.
impl Deref for ViewPass {
    type Target = Region;

    fn deref(&self) -> &Region {
        &self.seen
    }
}

impl DerefMut for ViewPass {
    fn deref_mut(&mut self) -> &mut Region {
        &mut self.seen
    }
}

impl Renderer {
    /// Compiles the kernels.
    ///
    /// # Errors
    /// [`GpuError::Shader`].
    pub fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        Ok(Self {
            gpu: gpu.clone(),
            raster: Rasteriser::new(gpu)?,
            shade: gpu.kernel(shade::FORWARD)?,
            normals: gpu.kernel(vertex_normals::FORWARD)?,
        })
    }

    /// The rasteriser it renders with.
    #[must_use]
    pub const fn rasteriser(&self) -> &Rasteriser {
        &self.raster
    }

    /// Binds the kernel that recomputes normals from positions.
    ///
    /// # Errors
    /// [`GpuError::Binding`].
    pub fn bind_normals(&self, mesh: &MeshBuffers) -> Result<Bound, GpuError> {
        self.normals.bind(&[
            ("positions", &mesh.positions),
            ("incident_starts", &mesh.incident_starts),
            ("incident", &mesh.incident),
            ("normals", &mesh.normals),
        ])
    }

    /// Binds one region (a camera whose width is a multiple of 64).
    ///
    /// # Errors
    /// [`GpuError`] when the ids do not fit.
    pub fn bind_view(
        &self,
        mesh: &MeshBuffers,
        pixels: &PixelBuffers,
        camera: &Camera,
        light: u32,
    ) -> Result<ViewPass, GpuError> {
        let seen = self.raster.bind_region(mesh, &pixels.workspace, camera, light)?;
        let shade = self.shade.bind(&[
            ("view", &seen.uniform),
            ("covered", &seen.covered.list),
            ("positions", &mesh.positions),
            ("normals", &mesh.normals),
            ("albedo", &mesh.albedo),
            ("faces", &mesh.faces),
            ("lights", &mesh.lights),
            ("colours", &pixels.colours),
        ])?;
        let antialias = self.raster.bind_antialias(mesh, &seen, &pixels.colours, &pixels.smooth)?;
        Ok(ViewPass { seen, shade, antialias })
    }

    /// Records the visibility pass of a view: ids with silhouette marks, and the lists of pixels.
    pub fn record_visibility(
        &self,
        recorder: &mut Recorder,
        mesh: &MeshBuffers,
        pixels: &PixelBuffers,
        view: &ViewPass,
    ) {
        self.raster.record_visibility(recorder, mesh, &pixels.workspace, view);
    }

    /// Records shading and antialiasing of a view whose ids are known.
    pub fn record_colours(&self, recorder: &mut Recorder, pixels: &PixelBuffers, view: &ViewPass) {
        recorder.clear_start(&pixels.colours, u64::from(view.region.pixels()) * 16);
        view.covered.dispatch(recorder, &view.shade);
        view.antialias.record(recorder, view);
    }

    /// The parts of [`Self::record_visibility`] and [`Self::record_colours`] by name, for timing.
    #[must_use]
    pub fn parts<'a>(
        &'a self,
        mesh: &'a MeshBuffers,
        pixels: &'a PixelBuffers,
        view: &'a ViewPass,
    ) -> Vec<(&'static str, Part<'a>)> {
        let bytes = u64::from(view.region.pixels()) * 16;
        let mut parts = self.raster.parts(mesh, &pixels.workspace, view);
        parts.push(("clear", Box::new(move |r| r.clear_start(&pixels.colours, bytes))));
        parts.push(("shade", Box::new(|r| view.covered.dispatch(r, &view.shade))));
        parts.push(("copy", Box::new(|r| view.antialias.record_copy(r))));
        parts.push(("antialias", Box::new(|r| view.antialias.record_edges(r, view))));
        parts
    }

    /// Renders a view and reads its antialiased colours (premultiplied RGBA, row by row).
    ///
    /// # Errors
    /// [`GpuError`] of the submitted work.
    pub fn render(
        &self,
        mesh: &MeshBuffers,
        pixels: &PixelBuffers,
        view: &ViewPass,
    ) -> Result<Vec<[f32; 4]>, GpuError> {
        let mut recorder = self.gpu.recorder("render");
        self.record_visibility(&mut recorder, mesh, pixels, view);
        self.record_colours(&mut recorder, pixels, view);
        recorder.submit()?;
        self.gpu.read_range(&pixels.smooth, 0, u64::from(view.region.pixels()) * 16)
    }
}
