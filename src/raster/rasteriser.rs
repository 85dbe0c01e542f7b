//! The rasteriser as others use it: compiled kernels, a mesh on the device, regions of views, and what is recorded.
//!
//! Lifetimes: [`Rasteriser`] once, [`RasterMesh`] once a mesh (its positions may change at any time), [`Workspace`] once for
//! all regions that are not larger, [`Region`] once a view.

use super::interpolate::{self, Channels, InterpolateParams, Interpolation};
use super::lists::{self, Bits, PixelList};
use super::{ViewRegion, antialias, visibility};
use crate::camera::Camera;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, IdRaster, IdTarget, Kernel, RasterBound, Recorder};
use crate::mesh::Topology;

/// A mesh on the device.
pub struct RasterMesh {
    /// Positions, xyz0, world metres (V×4 `f32`).
    pub positions: Buffer,
    /// Triangles, abc0 (F×4 `u32`), counter-clockwise seen from outside.
    pub faces: Buffer,
    /// Corners, vertices across each edge and triangles across each edge, abc0 each (F×12 `u32`).
    pub wings: Buffer,
    /// Number of vertices V.
    pub vertices: u32,
    /// Number of triangles F.
    pub triangles: u32,
    /// Bits of the triangles that may be seen.
    bits: Bits,
    /// Those triangles, for the hardware.
    drawn: Buffer,
    /// How many.
    draw: Buffer,
}

impl RasterMesh {
    /// Uploads a mesh.
    ///
    /// # Errors
    /// [`GpuError`] when it does not fit.
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 vertices")]
    pub fn new(gpu: &Gpu, topology: &Topology, positions: &[[f32; 3]]) -> Result<Self, GpuError> {
        let faces: Vec<[u32; 4]> = topology.faces.iter().map(|f| [f[0], f[1], f[2], 0]).collect();
        let count = faces.len();
        Ok(Self {
            positions: Buffer::storage(gpu, "positions", &padded(positions))?,
            faces: Buffer::storage(gpu, "faces", &faces)?,
            wings: Buffer::storage(gpu, "wings", &topology.wings())?,
            vertices: positions.len() as u32,
            triangles: count as u32,
            bits: Bits::new(gpu, count as u32)?,
            drawn: Buffer::zeros(gpu, "drawn triangles", count as u64 * 16)?,
            draw: lists::arguments(gpu)?,
        })
    }

    /// Fixed-point sums of the gradient to positions (V×3 `i32`, zero), see [`super::from_fixed`].
    ///
    /// # Errors
    /// [`GpuError`] when they do not fit.
    pub fn position_grad(&self, gpu: &Gpu) -> Result<Buffer, GpuError> {
        Buffer::zeros(gpu, "position gradient", u64::from(self.vertices) * 12)
    }
}

/// xyz → xyz0.
#[must_use]
pub fn padded(v: &[[f32; 3]]) -> Vec<[f32; 4]> {
    v.iter().map(|v| [v[0], v[1], v[2], 0.0]).collect()
}

/// Memory that regions take turns in.
pub struct Workspace {
    target: IdTarget,
    /// Bits of pixels, for one list after the other.
    bits: Bits,
}

impl Workspace {
    /// For regions of at most `width × height` pixels; the width must be a multiple of 64.
    ///
    /// # Errors
    /// [`GpuError`] when it does not fit.
    pub fn new(gpu: &Gpu, width: u32, height: u32) -> Result<Self, GpuError> {
        Ok(Self { target: IdTarget::new(gpu, width, height)?, bits: Bits::new(gpu, width * height)? })
    }
}

/// One region of one view with its bindings.
pub struct Region {
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
}

impl Region {
    /// Says whether gradients to positions are wanted; at first they are not.
    pub fn write_geometry(&self, gpu: &Gpu, wanted: bool) {
        self.uniform.write(gpu, &[ViewRegion { geometry: u32::from(wanted), ..self.region }]);
    }
}

/// Blending of colours across silhouettes, or its gradient: what is not at a silhouette is copied.
pub struct Blending {
    from: Buffer,
    to: Buffer,
    bytes: u64,
    bound: Bound,
}

impl Blending {
    /// Copies the colours of all pixels and blends those at a silhouette of `region`.
    pub fn record(&self, recorder: &mut Recorder, region: &Region) {
        self.record_copy(recorder);
        self.record_edges(recorder, region);
    }

    pub(crate) fn record_copy(&self, recorder: &mut Recorder) {
        recorder.copy_range(&self.from, 0, &self.to, 0, self.bytes);
    }

    pub(crate) fn record_edges(&self, recorder: &mut Recorder, region: &Region) {
        region.edges.dispatch(recorder, &self.bound);
    }
}

/// The compiled kernels.
pub struct Rasteriser {
    gpu: Gpu,
    raster: IdRaster,
    cull: Kernel,
    cover: Kernel,
    edges: Kernel,
    scan: Kernel,
    list_triangles: Kernel,
    list_pixels: Kernel,
    mark: Kernel,
    antialias: Kernel,
    antialias_grad: Kernel,
    interpolate: Kernel,
    interpolate_grad: Kernel,
}

impl Rasteriser {
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
            mark: gpu.kernel(antialias::MARK)?,
            antialias: gpu.kernel(antialias::FORWARD)?,
            antialias_grad: gpu.kernel(antialias::GRADIENT)?,
            interpolate: gpu.kernel(interpolate::FORWARD)?,
            interpolate_grad: gpu.kernel(interpolate::GRADIENT)?,
        })
    }

    fn bind_scan(&self, bits: &Bits, arguments: &Buffer) -> Result<Bound, GpuError> {
        self.scan.bind(&[("masks", &bits.masks), ("offsets", &bits.offsets), ("arguments", arguments)])
    }

    /// Mark, scan and list the triangles that may be seen.
    fn bind_triangles(&self, mesh: &RasterMesh, view: &Buffer) -> Result<[Bound; 3], GpuError> {
        let bits = &mesh.bits;
        let cull = [("view", view), ("positions", &mesh.positions), ("faces", &mesh.faces), ("masks", &bits.masks)];
        let list = [("masks", &bits.masks), ("offsets", &bits.offsets), ("faces", &mesh.faces), ("drawn", &mesh.drawn)];
        Ok([self.cull.bind(&cull)?, self.bind_scan(bits, &mesh.draw)?, self.list_triangles.bind(&list)?])
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
        let list = [("masks", &bits.masks), ("offsets", &bits.offsets), ("ids", ids), ("pixels", &to.list)];
        Ok([
            marker.bind(&[("view", view), ("ids", ids), ("masks", &bits.masks)])?,
            self.bind_scan(bits, &to.arguments)?,
            self.list_pixels.bind(&list)?,
        ])
    }

    /// Binds one region: the image of a (cropped, scaled) camera whose width is a multiple of 64. `light` is free for the
    /// caller's own kernels.
    ///
    /// # Errors
    /// [`GpuError`] when the ids do not fit.
    pub fn bind_region(
        &self,
        mesh: &RasterMesh,
        workspace: &Workspace,
        camera: &Camera,
        light: u32,
    ) -> Result<Region, GpuError> {
        let gpu = &self.gpu;
        let region = ViewRegion::new(camera, light, false);
        let uniform = Buffer::uniform(gpu, "view", &region)?;
        let ids = Buffer::zeros(gpu, "triangle ids", u64::from(region.pixels()) * 4)?;
        let covered = PixelList::new(gpu, region.pixels())?;
        let edges = PixelList::new(gpu, region.pixels())?;
        let raster = self.raster.bind(&[("view", &uniform), ("positions", &mesh.positions), ("drawn", &mesh.drawn)])?;
        let seen = [("view", &uniform), ("ids", &ids), ("positions", &mesh.positions), ("wings", &mesh.wings)];
        let mark = self.mark.bind(&[&seen[..], &[("covered", &covered.list)]].concat())?;
        let list_triangles = self.bind_triangles(mesh, &uniform)?;
        let list_covered = self.bind_pixels(&self.cover, &workspace.bits, &uniform, &ids, &covered)?;
        let list_edges = self.bind_pixels(&self.edges, &workspace.bits, &uniform, &ids, &edges)?;
        Ok(Region { region, uniform, ids, covered, edges, list_triangles, list_covered, list_edges, raster, mark })
    }

    /// Binds the antialiasing of `colours` (premultiplied RGBA, one record a pixel) into `smooth`.
    ///
    /// # Errors
    /// [`GpuError::Binding`].
    pub fn bind_antialias(
        &self,
        mesh: &RasterMesh,
        region: &Region,
        colours: &Buffer,
        smooth: &Buffer,
    ) -> Result<Blending, GpuError> {
        let own = [("smooth_colours", smooth)];
        let bound = self.antialias.bind(&[&at_edges(mesh, region, colours)[..], &own].concat())?;
        Ok(Blending { from: colours.clone(), to: smooth.clone(), bytes: colour_bytes(region), bound })
    }

    /// Binds the gradient of [`Self::bind_antialias`]: from `smooth_grad` to the plain colours' gradient `colours_grad`, and
    /// in the last three of each vertex's words of `position_grad` to positions (added).
    ///
    /// # Errors
    /// [`GpuError::Binding`].
    pub fn bind_antialias_grad(
        &self,
        mesh: &RasterMesh,
        region: &Region,
        colours: &Buffer,
        [smooth_grad, colours_grad]: [&Buffer; 2],
        position_grad: &Buffer,
    ) -> Result<Blending, GpuError> {
        let own = [("smooth_grad", smooth_grad), ("colours_grad", colours_grad), ("grads", position_grad)];
        let bound = self.antialias_grad.bind(&[&at_edges(mesh, region, colours)[..], &own].concat())?;
        Ok(Blending { from: smooth_grad.clone(), to: colours_grad.clone(), bytes: colour_bytes(region), bound })
    }

    /// Binds the interpolation of `channels` and its gradient, which adds to `position_grad` and to the channels' own.
    ///
    /// # Errors
    /// [`GpuError::Binding`].
    pub fn bind_interpolation(
        &self,
        mesh: &RasterMesh,
        region: &Region,
        channels: &Channels,
        position_grad: &Buffer,
    ) -> Result<Interpolation, GpuError> {
        let params = InterpolateParams { numbers: channels.numbers, pad: [0; 3] };
        let params = Buffer::uniform(&self.gpu, "interpolation", &params)?;
        let common = [
            ("view", &region.uniform),
            ("params", &params),
            ("covered", &region.covered.list),
            ("positions", &mesh.positions),
            ("faces", &mesh.faces),
            ("attributes", &channels.attributes),
        ];
        let forward = [("values", &channels.values), ("surface", &channels.surface)];
        let gradient = [
            ("values_grad", &channels.values_grad),
            ("surface_grad", &channels.surface_grad),
            ("attributes_grad", &channels.attributes_grad),
            ("grads", position_grad),
        ];
        let forward = self.interpolate.bind(&[&common[..], &forward].concat())?;
        let gradient = self.interpolate_grad.bind(&[&common[..], &gradient].concat())?;
        Ok(Interpolation::new(channels, region.region.pixels(), forward, gradient))
    }

    /// Records the visibility pass of a region: ids with silhouette marks, and the lists of pixels.
    pub fn record_visibility(
        &self,
        recorder: &mut Recorder,
        mesh: &RasterMesh,
        workspace: &Workspace,
        region: &Region,
    ) {
        for (_, part) in self.parts(mesh, workspace, region) {
            part(recorder);
        }
    }

    /// The parts of [`Self::record_visibility`] by name, for timing.
    #[must_use]
    pub fn parts<'a>(
        &'a self,
        mesh: &'a RasterMesh,
        workspace: &'a Workspace,
        region: &'a Region,
    ) -> Vec<(&'static str, Part<'a>)> {
        let (bits, target) = (&workspace.bits, &workspace.target);
        let size = (region.region.width, region.region.height);
        vec![
            ("list triangles", Box::new(|r| record_list(r, &region.list_triangles, &mesh.bits))),
            (
                "visibility",
                Box::new(move |r| r.raster(&self.raster, target, &region.raster, size, &mesh.draw, &region.ids)),
            ),
            ("list covered", Box::new(|r| record_list(r, &region.list_covered, bits))),
            ("mark_silhouettes", Box::new(|r| region.covered.dispatch(r, &region.mark))),
            ("list edges", Box::new(|r| record_list(r, &region.list_edges, bits))),
        ]
    }
}

/// A part of a view's work that can be recorded alone.
pub type Part<'a> = Box<dyn Fn(&mut Recorder) + 'a>;

/// What antialiasing and its gradient read of a region's silhouettes.
fn at_edges<'a>(mesh: &'a RasterMesh, region: &'a Region, colours: &'a Buffer) -> [(&'static str, &'a Buffer); 6] {
    [
        ("view", &region.uniform),
        ("ids", &region.ids),
        ("positions", &mesh.positions),
        ("wings", &mesh.wings),
        ("edges", &region.edges.list),
        ("colours", colours),
    ]
}

fn colour_bytes(region: &Region) -> u64 {
    u64::from(region.region.pixels()) * 16
}

fn record_list(recorder: &mut Recorder, [mark, scan, list]: &[Bound; 3], bits: &Bits) {
    recorder.dispatch(mark, bits.words);
    recorder.dispatch_workgroups(scan, 1);
    recorder.dispatch(list, bits.words);
}
