//! Forward rendering of a mesh through a camera region: visibility, shading, antialiasing. The HAM stage adds its losses
//! to the same buffers; `render`, `evaluate` and the studio use it as it is.
//!
//! Lifetimes: [`MeshBuffers`] once per mesh, [`PixelBuffers`] once per largest region, [`ViewPass`] once per view.

use crate::camera::Camera;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, IdRaster, IdTarget, Kernel, RasterBound, Recorder};
use crate::mesh::Topology;
use crate::raster::lists::{self, Bits, PixelList};
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
    /// Corners and vertices across each edge, abc0 each.
    pub wings: Buffer,
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
    /// Bits of the triangles that may be seen.
    bits: Bits,
    /// Those triangles, for the rasteriser.
    drawn: Buffer,
    /// How many.
    draw: Buffer,
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
            wings: Buffer::storage(gpu, "wings", &topology.wings())?,
            incident_starts: Buffer::storage(gpu, "incident_starts", &topology.incident_starts)?,
            incident: Buffer::storage(gpu, "incident", &topology.incident_pairs())?,
            neighbour_starts: Buffer::storage(gpu, "neighbour_starts", &topology.neighbour_starts)?,
            neighbours: Buffer::storage(gpu, "neighbours", &topology.neighbours)?,
            lights: Buffer::zeros(gpu, "lights", (lights * LIGHT_STRIDE * 4) as u64)?,
            vertices: positions.len() as u32,
            triangles: topology.faces.len() as u32,
            bits: Bits::new(gpu, topology.faces.len() as u32)?,
            drawn: Buffer::zeros(gpu, "drawn triangles", topology.faces.len() as u64 * 16)?,
            draw: lists::arguments(gpu)?,
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
    /// Bits of pixels, for one list after the other.
    bits: Bits,
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
            bits: Bits::new(gpu, width * height)?,
        })
    }
}

/// The compiled kernels of forward rendering.
pub struct Renderer {
    gpu: Gpu,
    raster: IdRaster,
    cull: Kernel,
    cover: Kernel,
    edges: Kernel,
    scan: Kernel,
    list_triangles: Kernel,
    list_pixels: Kernel,
    mark: Kernel,
    shade: Kernel,
    antialias: Kernel,
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
    /// Pixels that see a triangle.
    pub covered: PixelList,
    /// Pixels at a silhouette.
    pub edges: PixelList,
    /// Mark, scan, list.
    list_triangles: [Bound; 3],
    list_covered: [Bound; 3],
    list_edges: [Bound; 3],
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
            cull: gpu.kernel(lists::CULL)?,
            cover: gpu.kernel(lists::COVER)?,
            edges: gpu.kernel(lists::EDGES)?,
            scan: gpu.kernel(lists::SCAN)?,
            list_triangles: gpu.kernel(lists::LIST_TRIANGLES)?,
            list_pixels: gpu.kernel(lists::LIST_PIXELS)?,
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

    fn bind_scan(&self, bits: &Bits, arguments: &Buffer) -> Result<Bound, GpuError> {
        self.scan.bind(&[("masks", &bits.masks), ("offsets", &bits.offsets), ("arguments", arguments)])
    }

    /// Mark, scan and list the triangles that may be seen.
    fn bind_triangles(&self, mesh: &MeshBuffers, view: &Buffer) -> Result<[Bound; 3], GpuError> {
        let bits = &mesh.bits;
        Ok([
            self.cull.bind(&[
                ("view", view),
                ("positions", &mesh.positions),
                ("faces", &mesh.faces),
                ("masks", &bits.masks),
            ])?,
            self.bind_scan(bits, &mesh.draw)?,
            self.list_triangles.bind(&[
                ("masks", &bits.masks),
                ("offsets", &bits.offsets),
                ("faces", &mesh.faces),
                ("drawn", &mesh.drawn),
            ])?,
        ])
    }

    /// Mark, scan and list pixels.
    fn bind_pixels(
        &self,
        marker: &Kernel,
        bits: &Bits,
        view: &Buffer,
        ids: &Buffer,
        to: &PixelList,
    ) -> Result<[Bound; 3], GpuError> {
        Ok([
            marker.bind(&[("view", view), ("ids", ids), ("masks", &bits.masks)])?,
            self.bind_scan(bits, &to.arguments)?,
            self.list_pixels.bind(&[
                ("masks", &bits.masks),
                ("offsets", &bits.offsets),
                ("ids", ids),
                ("pixels", &to.list),
            ])?,
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
        let covered = PixelList::new(gpu, region.pixels())?;
        let edges = PixelList::new(gpu, region.pixels())?;
        let raster = self.raster.bind(&[("view", &uniform), ("positions", &mesh.positions), ("drawn", &mesh.drawn)])?;
        let shade = self.shade.bind(&[
            ("view", &uniform),
            ("covered", &covered.list),
            ("positions", &mesh.positions),
            ("normals", &mesh.normals),
            ("albedo", &mesh.albedo),
            ("faces", &mesh.faces),
            ("lights", &mesh.lights),
            ("colours", &pixels.colours),
        ])?;
        let seen = [("view", &uniform), ("ids", &ids), ("positions", &mesh.positions), ("wings", &mesh.wings)];
        let mark = self.mark.bind(&[&seen[..], &[("covered", &covered.list)]].concat())?;
        let antialias = [("edges", &edges.list), ("colours", &pixels.colours), ("smooth_colours", &pixels.smooth)];
        let antialias = self.antialias.bind(&[&seen[..], &antialias].concat())?;
        let list_triangles = self.bind_triangles(mesh, &uniform)?;
        let list_covered = self.bind_pixels(&self.cover, &pixels.bits, &uniform, &ids, &covered)?;
        let list_edges = self.bind_pixels(&self.edges, &pixels.bits, &uniform, &ids, &edges)?;
        Ok(ViewPass {
            region,
            uniform,
            ids,
            covered,
            edges,
            list_triangles,
            list_covered,
            list_edges,
            raster,
            mark,
            shade,
            antialias,
        })
    }

    /// Records the visibility pass of a view: ids with silhouette marks, and the lists of pixels.
    pub fn record_visibility(
        &self,
        recorder: &mut Recorder,
        mesh: &MeshBuffers,
        pixels: &PixelBuffers,
        view: &ViewPass,
    ) {
        record_list(recorder, &view.list_triangles, &mesh.bits);
        self.record_raster(recorder, mesh, pixels, view);
        record_list(recorder, &view.list_covered, &pixels.bits);
        view.covered.dispatch(recorder, &view.mark);
        record_list(recorder, &view.list_edges, &pixels.bits);
    }

    fn record_raster(&self, recorder: &mut Recorder, mesh: &MeshBuffers, pixels: &PixelBuffers, view: &ViewPass) {
        let size = (view.region.width, view.region.height);
        recorder.raster(&self.raster, &pixels.target, &view.raster, size, &mesh.draw, &view.ids);
    }

    /// Records shading and antialiasing of a view whose ids are known.
    pub fn record_colours(&self, recorder: &mut Recorder, pixels: &PixelBuffers, view: &ViewPass) {
        let bytes = u64::from(view.region.pixels()) * 16;
        recorder.clear_start(&pixels.colours, bytes);
        view.covered.dispatch(recorder, &view.shade);
        recorder.copy_range(&pixels.colours, 0, &pixels.smooth, 0, bytes);
        view.edges.dispatch(recorder, &view.antialias);
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
        vec![
            ("list triangles", Box::new(|r| record_list(r, &view.list_triangles, &mesh.bits))),
            ("visibility", Box::new(|r| self.record_raster(r, mesh, pixels, view))),
            ("list covered", Box::new(|r| record_list(r, &view.list_covered, &pixels.bits))),
            ("mark_silhouettes", Box::new(|r| view.covered.dispatch(r, &view.mark))),
            ("list edges", Box::new(|r| record_list(r, &view.list_edges, &pixels.bits))),
            ("clear", Box::new(move |r| r.clear_start(&pixels.colours, bytes))),
            ("shade", Box::new(|r| view.covered.dispatch(r, &view.shade))),
            ("copy", Box::new(move |r| r.copy_range(&pixels.colours, 0, &pixels.smooth, 0, bytes))),
            ("antialias", Box::new(|r| view.edges.dispatch(r, &view.antialias))),
        ]
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

/// A part of a view's work that can be recorded alone.
pub type Part<'a> = Box<dyn Fn(&mut Recorder) + 'a>;

fn record_list(recorder: &mut Recorder, [mark, scan, list]: &[Bound; 3], bits: &Bits) {
    recorder.dispatch(mark, bits.words);
    recorder.dispatch_workgroups(scan, 1);
    recorder.dispatch(list, bits.words);
}
