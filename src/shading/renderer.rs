//! Forward rendering of a mesh through a camera region: visibility, shading, antialiasing. The HAM stage adds its losses
//! to the same buffers; `render`, `evaluate` and the studio use it as it is.
//!
//! Lifetimes: [`MeshBuffers`] once per mesh, [`PixelBuffers`] once per largest region, [`ViewPass`] once per view.

use crate::camera::Camera;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, IdRaster, IdTarget, Kernel, RasterBound, Recorder};
use crate::mesh::Topology;
use crate::raster::{ViewRegion, antialias, visibility};
use crate::shading::{LIGHT_STRIDE, shade, vertex_normals};

/// Vertex attributes and adjacency on the device.
pub struct MeshBuffers {
    /// Positions, xyz0, metres.
    pub positions: Buffer,
    /// Unit normals and the length of their sums.
    pub normals: Buffer,
    /// Albedo, rgb0.
    pub albedo: Buffer,
    /// Triangles, abc0.
    pub faces: Buffer,
    /// Vertex across each edge, abc0.
    pub opposite: Buffer,
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
    /// Number of vertices.
    pub vertices: u32,
    /// Number of triangles.
    pub triangles: u32,
}

/// xyz → xyz0.
#[must_use]
pub fn padded(v: &[[f32; 3]]) -> Vec<[f32; 4]> {
    v.iter().map(|v| [v[0], v[1], v[2], 0.0]).collect()
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
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 vertices")]
    pub fn new(
        gpu: &Gpu,
        topology: &Topology,
        positions: &[[f32; 3]],
        albedo: &[[f32; 3]],
        lights: usize,
    ) -> Result<Self, GpuError> {
        let pad = |f: &[[u32; 3]]| f.iter().map(|f| [f[0], f[1], f[2], 0]).collect::<Vec<[u32; 4]>>();
        let count = positions.len() as u64;
        Ok(Self {
            positions: Buffer::storage(gpu, "positions", &padded(positions))?,
            normals: Buffer::zeros(gpu, "normals", count * 16)?,
            albedo: Buffer::storage(gpu, "albedo", &padded(albedo))?,
            faces: Buffer::storage(gpu, "faces", &pad(&topology.faces))?,
            opposite: Buffer::storage(gpu, "opposite", &pad(&topology.opposite_vertices()))?,
            incident_starts: Buffer::storage(gpu, "incident_starts", &topology.incident_starts)?,
            incident: Buffer::storage(gpu, "incident", &topology.incident_pairs())?,
            neighbour_starts: Buffer::storage(gpu, "neighbour_starts", &topology.neighbour_starts)?,
            neighbours: Buffer::storage(gpu, "neighbours", &topology.neighbours)?,
            lights: Buffer::zeros(gpu, "lights", (lights * LIGHT_STRIDE * 4) as u64)?,
            vertices: positions.len() as u32,
            triangles: topology.faces.len() as u32,
        })
    }
}

/// Colours of one region at a time, shared by all views.
pub struct PixelBuffers {
    /// Plain colours.
    pub colours: Buffer,
    /// Antialiased colours.
    pub smooth: Buffer,
    target: IdTarget,
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
            target: IdTarget::new(gpu, width, height)?,
        })
    }
}

/// The compiled kernels of forward rendering.
pub struct Renderer {
    gpu: Gpu,
    raster: IdRaster,
    shade: Kernel,
    antialias: Kernel,
    mark: Kernel,
    normals: Kernel,
}

/// One region with its bindings.
pub struct ViewPass {
    /// The region.
    pub region: ViewRegion,
    /// Its uniform on the device.
    pub uniform: Buffer,
    /// Triangle ids (`triangle + 1` or 0) with silhouette marks.
    pub ids: Buffer,
    raster: RasterBound,
    mark: Bound,
    shade: Bound,
    antialias: Bound,
}

impl Renderer {
    /// Compiles the kernels.
    ///
    /// # Errors
    /// [`GpuError::Shader`].
    pub fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        Ok(Self {
            gpu: gpu.clone(),
            raster: IdRaster::new(gpu, visibility::NAME)?,
            shade: gpu.kernel(shade::FORWARD)?,
            antialias: gpu.kernel(antialias::FORWARD)?,
            mark: gpu.kernel(antialias::MARK)?,
            normals: gpu.kernel(vertex_normals::FORWARD)?,
        })
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
        let gpu = &self.gpu;
        let region = ViewRegion::new(camera, light, false);
        let uniform = Buffer::uniform(gpu, "view", &region)?;
        let ids = Buffer::zeros(gpu, "triangle ids", u64::from(region.pixels()) * 4)?;
        let raster = self.raster.bind(&[("view", &uniform), ("positions", &mesh.positions), ("faces", &mesh.faces)])?;
        let shade = self.shade.bind(&[
            ("view", &uniform),
            ("ids", &ids),
            ("positions", &mesh.positions),
            ("normals", &mesh.normals),
            ("albedo", &mesh.albedo),
            ("faces", &mesh.faces),
            ("lights", &mesh.lights),
            ("colours", &pixels.colours),
        ])?;
        let mark = self.mark.bind(&[
            ("view", &uniform),
            ("positions", &mesh.positions),
            ("faces", &mesh.faces),
            ("opposite", &mesh.opposite),
            ("ids", &ids),
        ])?;
        let antialias = self.antialias.bind(&[
            ("view", &uniform),
            ("ids", &ids),
            ("positions", &mesh.positions),
            ("faces", &mesh.faces),
            ("opposite", &mesh.opposite),
            ("colours", &pixels.colours),
            ("smooth_colours", &pixels.smooth),
        ])?;
        Ok(ViewPass { region, uniform, ids, raster, mark, shade, antialias })
    }

    /// Records the visibility pass of a view, silhouette marks included.
    pub fn record_visibility(
        &self,
        recorder: &mut Recorder,
        mesh: &MeshBuffers,
        pixels: &PixelBuffers,
        view: &ViewPass,
    ) {
        let size = (view.region.width, view.region.height);
        recorder.raster(&self.raster, &pixels.target, &view.raster, size, mesh.triangles, &view.ids);
        recorder.dispatch(&view.mark, view.region.pixels());
    }

    /// Records shading and antialiasing of a view whose ids are known.
    pub fn record_colours(&self, recorder: &mut Recorder, view: &ViewPass) {
        recorder.dispatch(&view.shade, view.region.pixels());
        recorder.dispatch(&view.antialias, view.region.pixels());
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
        self.record_colours(&mut recorder, view);
        recorder.submit()?;
        self.gpu.read_range(&pixels.smooth, 0, u64::from(view.region.pixels()) * 16)
    }
}
