//! Pictures by a trained network, of the mesh in any pose through any camera.

use super::layout::{ComposeParams, GatherParams, kernel};
use super::network::Forward;
use super::training::{NeuralMesh, gather_of};
use super::unet::{Crop, Unet};
use super::{NeuralError, NeuralKind, NeuralModel};
use crate::camera::Camera;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, Kernel};
use crate::raster::{Blending, Rasteriser, Region, Workspace, padded};
use crate::shading::renderer::MeshBuffers;
use bytemuck::Zeroable as _;

/// Rows that go through the network at a time.
const TILE: u32 = 1 << 14;

/// Renders one mesh with its network; bound anew when the camera changes.
pub struct NeuralRenderer {
    gpu: Gpu,
    model: NeuralModel,
    mesh: MeshBuffers,
    rest_positions: Buffer,
    no_targets: Buffer,
    rasteriser: Rasteriser,
    paint: Paint,
    gather: Kernel,
    compose: Kernel,
    gather_params: Buffer,
    compose_params: Buffer,
    memory: Option<Memory>,
    sight: Option<Sight>,
}

/// The network on the device.
enum Paint {
    /// Rows of pixels, a tile at a time.
    Rows(Box<Forward>),
    /// A whole crop.
    Image(Image),
}

struct Image {
    weights: Buffer,
    features: Buffer,
    width: u32,
    /// Of the largest crop so far.
    unet: Option<Box<Unet>>,
}

/// What pictures of one size share.
struct Memory {
    size: (u32, u32),
    workspace: Workspace,
    colours: Buffer,
    smooth: Buffer,
}

/// One camera with its bindings.
struct Sight {
    camera: Camera,
    region: Region,
    /// Gathering and composing of tiles.
    tiles: Option<[Bound; 2]>,
    blending: Blending,
}

impl std::fmt::Debug for NeuralRenderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NeuralRenderer").field("kind", &self.model.kind).finish_non_exhaustive()
    }
}

impl NeuralRenderer {
    /// Uploads mesh and network.
    ///
    /// # Errors
    /// [`NeuralError::OtherMesh`] when there is not one set of features a vertex, or a GPU error.
    pub fn new(gpu: &Gpu, model: &NeuralModel, mesh: &NeuralMesh<'_>) -> Result<Self, NeuralError> {
        model.check(mesh.positions.len())?;
        let weights = Buffer::storage(gpu, "network weights", &model.weights)?;
        let features = Buffer::storage(gpu, "features", &model.features)?;
        let paint = match (model.kind, model.unet_width()) {
            (NeuralKind::Unet, Some(width)) => Paint::Image(Image { weights, features, width, unet: None }),
            _ => Paint::Rows(Box::new(Forward::new(gpu, model.kind, TILE, &weights, &features)?)),
        };
        let buffers = MeshBuffers::new(gpu, mesh.topology, mesh.positions, mesh.albedo, 1)?;
        buffers.normals.write(gpu, &padded(mesh.normals));
        Ok(Self {
            gpu: gpu.clone(),
            model: model.clone(),
            mesh: buffers,
            rest_positions: Buffer::storage(gpu, "rest positions", &padded(mesh.rest))?,
            no_targets: Buffer::zeros(gpu, "no photograph", 16)?,
            rasteriser: Rasteriser::new(gpu)?,
            paint,
            gather: gpu.kernel(kernel::GATHER)?,
            compose: gpu.kernel(kernel::COMPOSE)?,
            gather_params: Buffer::uniform(gpu, "gather", &GatherParams::zeroed())?,
            compose_params: Buffer::uniform(
                gpu,
                "compose",
                &ComposeParams { samples: 0, start: 0, kind: model.output.number(), pad: 0 },
            )?,
            memory: None,
            sight: None,
        })
    }

    /// The network.
    #[must_use]
    pub const fn model(&self) -> &NeuralModel {
        &self.model
    }

    /// Moves the vertices, for example into another pose: world metres and unit normals, one a vertex. Rest-pose positions,
    /// albedo and features stay.
    pub fn place(&self, positions: &[[f32; 3]], normals: &[[f32; 3]]) {
        self.mesh.positions.write(&self.gpu, &padded(positions));
        self.mesh.normals.write(&self.gpu, &padded(normals));
    }

    /// Premultiplied RGBA of the whole image of `camera`, row by row, antialiased at silhouettes; `gain` is that of the view,
    /// or one for a free camera.
    ///
    /// # Errors
    /// [`GpuError`].
    pub fn render(&mut self, camera: &Camera, gain: [f64; 3]) -> Result<Vec<[f32; 4]>, GpuError> {
        let gpu = self.gpu.clone();
        // Rows of the visibility copy are multiples of 64 pixels; the surplus columns are cut off below.
        let wide = Camera { width_px: camera.width_px.next_multiple_of(64), ..camera.clone() };
        let size = (wide.width_px, wide.height_px);
        if self.memory.as_ref().is_none_or(|m| m.size != size) {
            let bytes = u64::from(size.0) * u64::from(size.1) * 16;
            self.memory = Some(Memory {
                size,
                workspace: Workspace::new(&gpu, size.0, size.1)?,
                colours: Buffer::zeros(&gpu, "painted colours", bytes)?,
                smooth: Buffer::zeros(&gpu, "antialiased colours", bytes)?,
            });
            self.sight = None;
        }
        let Some(memory) = &self.memory else { return Ok(Vec::new()) };
        if self.sight.as_ref().is_none_or(|s| s.camera != wide) {
            self.sight = Some(self.bind(memory, &wide)?);
        }
        let Some(sight) = &self.sight else { return Ok(Vec::new()) };
        let mut recorder = gpu.recorder("neural visibility");
        self.rasteriser.record_visibility(&mut recorder, &self.mesh, &memory.workspace, &sight.region);
        recorder.clear(&memory.colours);
        recorder.submit()?;
        let light = self.model.light.map(f64::from);
        let base = gather_of(&wide, self.model.rest, &light, gain);
        match (&self.paint, &sight.tiles) {
            (Paint::Rows(forward), Some(tiles)) => self.paint_tiles(forward, sight, tiles, &base)?,
            _ => self.paint_crop(&base)?,
        }
        let (Some(memory), Some(sight)) = (&self.memory, &self.sight) else { return Ok(Vec::new()) };
        let mut recorder = gpu.recorder("neural edges");
        sight.blending.record(&mut recorder, &sight.region);
        recorder.submit()?;
        let rows: Vec<[f32; 4]> = gpu.read(&memory.smooth)?;
        let width = camera.width_px as usize;
        Ok(rows.chunks_exact(size.0 as usize).flat_map(|row| row[..width].to_vec()).collect())
    }

    fn bind(&self, memory: &Memory, camera: &Camera) -> Result<Sight, GpuError> {
        let region = self.rasteriser.bind_region(&self.mesh, &memory.workspace, camera, 0)?;
        let tiles = match &self.paint {
            Paint::Rows(forward) => {
                let [samples, outputs] = [&forward.samples, forward.outputs()];
                Some(self.bind_network(memory, &region, &region.covered.list, [samples, outputs])?)
            }
            Paint::Image(_) => None,
        };
        let blending = self.rasteriser.bind_antialias(&self.mesh, &region, &memory.colours, &memory.smooth)?;
        Ok(Sight { camera: camera.clone(), region, tiles, blending })
    }

    /// What leads from a list of pixels to the network's samples, and from its outputs to their colours.
    fn bind_network(
        &self,
        memory: &Memory,
        region: &Region,
        list: &Buffer,
        [samples, outputs]: [&Buffer; 2],
    ) -> Result<[Bound; 2], GpuError> {
        let gather = self.gather.bind(&[
            ("view", &region.uniform),
            ("params", &self.gather_params),
            ("pixels", list),
            ("positions", &self.mesh.positions),
            ("normals", &self.mesh.normals),
            ("albedo", &self.mesh.albedo),
            ("faces", &self.mesh.faces),
            ("rest_positions", &self.rest_positions),
            ("targets", &self.no_targets),
            ("samples", samples),
        ])?;
        let compose = self.compose.bind(&[
            ("params", &self.compose_params),
            ("pixels", list),
            ("samples", samples),
            ("outputs", outputs),
            ("colours", &memory.colours),
        ])?;
        Ok([gather, compose])
    }

    /// The next `samples` pixels of the list from `start`.
    fn write(&self, base: &GatherParams, samples: u32, start: u32) {
        let kind = self.model.output.number();
        self.gather_params.write(&self.gpu, &[GatherParams { samples, start, ..*base }]);
        self.compose_params.write(&self.gpu, &[ComposeParams { samples, start, kind, pad: 0 }]);
    }

    fn paint_tiles(
        &self,
        forward: &Forward,
        sight: &Sight,
        [gather, compose]: &[Bound; 2],
        base: &GatherParams,
    ) -> Result<(), GpuError> {
        let covered: Vec<u32> = self.gpu.read_range(&sight.region.covered.arguments, 0, 32)?;
        let covered = covered.get(7).copied().unwrap_or(0);
        forward.write(&self.gpu, TILE, 0, 0);
        for start in (0..covered).step_by(TILE as usize) {
            self.write(base, TILE, start);
            let mut recorder = self.gpu.recorder("neural tile");
            recorder.dispatch(gather, TILE);
            forward.record(&mut recorder, TILE);
            recorder.dispatch(compose, TILE);
            recorder.submit()?;
        }
        Ok(())
    }

    /// The crop of what is visible, which is there.
    fn paint_crop(&mut self, base: &GatherParams) -> Result<(), GpuError> {
        let (Paint::Image(image), Some(memory), Some(sight)) = (&mut self.paint, &self.memory, &self.sight) else {
            return Ok(());
        };
        let region = &sight.region;
        let ids: Vec<u32> = self.gpu.read_range(&region.ids, 0, u64::from(region.region.pixels()) * 4)?;
        let Some(crop) = Crop::around(&ids, region.region.width) else { return Ok(()) };
        if image.unet.as_ref().is_none_or(|u| u.pixels() < crop.pixels()) {
            // The smaller one goes first.
            image.unet = None;
            let unet = Unet::new(&self.gpu, image.width, crop.pixels(), &image.weights, &image.features)?;
            image.unet = Some(Box::new(unet));
        }
        let Paint::Image(Image { unet: Some(unet), .. }) = &self.paint else { return Ok(()) };
        let list = Buffer::storage(&self.gpu, "pixels of the crop", &crop.list())?;
        let [gather, compose] = self.bind_network(memory, region, &list, [&unet.samples, &unet.outputs])?;
        self.write(base, crop.pixels(), 0);
        unet.write(crop.size, 0, 0);
        let mut recorder = self.gpu.recorder("neural crop");
        recorder.dispatch(&gather, crop.pixels());
        unet.record(&mut recorder, crop.size);
        recorder.dispatch(&compose, crop.pixels());
        recorder.submit()
    }
}
