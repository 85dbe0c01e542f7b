//! What each view shows: its region, and the list of its pixels that may be looked at.

use super::NeuralError;
use super::settings::{NeuralKind, NeuralSettings};
use super::training::{NeuralMesh, NeuralView};
use super::unet::Crop;
use crate::camera::Camera;
use crate::gpu::{Buffer, Gpu};
use crate::raster::antialias::SILHOUETTE;
use crate::raster::{Rasteriser, Region, Workspace, padded};
use crate::shading::renderer::MeshBuffers;

/// Coverage of a pixel of which nothing is known.
const UNKNOWN: u8 = 255;

/// Views with pixels that may be looked at.
pub(super) struct Looks {
    pub mesh: MeshBuffers,
    /// Coverage of the mask, of 254, below which a pixel says nothing.
    pub least: u32,
    pub found: Vec<Look>,
}

pub(super) struct Look {
    pub view: usize,
    pub camera: Camera,
    pub region: Region,
    /// Pixels that may be looked at, as a list of the rasteriser's kind; for a network for whole images, the pixels of a crop.
    pub list: Buffer,
    /// Width and height of the crop.
    pub size: Option<[u32; 2]>,
    /// How many pixels of it may be looked at.
    pub held: Option<u32>,
    pub targets: Buffer,
}

impl Looks {
    pub(super) fn new(
        gpu: &Gpu,
        settings: &NeuralSettings,
        mesh: &NeuralMesh<'_>,
        views: &[Option<NeuralView>],
    ) -> Result<Self, NeuralError> {
        let rasteriser = Rasteriser::new(gpu)?;
        let buffers = MeshBuffers::new(gpu, mesh.topology, mesh.positions, mesh.albedo, 1)?;
        buffers.normals.write(gpu, &padded(mesh.normals));
        let largest = |f: &dyn Fn(&Camera) -> u32| views.iter().flatten().map(|v| f(&v.camera)).max().unwrap_or(64);
        let workspace = Workspace::new(gpu, largest(&|c| c.width_px), largest(&|c| c.height_px))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 254")]
        let least = (settings.coverage.clamp(0.0, 1.0) * 254.0).ceil() as u32;
        let mut found = Vec::new();
        for (view, source) in views.iter().enumerate() {
            let Some(source) = source else { continue };
            let region = rasteriser.bind_region(&buffers, &workspace, &source.camera, 0)?;
            let mut recorder = gpu.recorder("visibility");
            rasteriser.record_visibility(&mut recorder, &buffers, &workspace, &region);
            recorder.submit()?;
            let ids: Vec<u32> = gpu.read_range(&region.ids, 0, u64::from(region.region.pixels()) * 4)?;
            let wanted = |(pixel, id): (usize, &u32)| {
                let coverage = source.pixels[pixel].to_le_bytes()[3];
                let held = coverage != UNKNOWN && u32::from(coverage) >= least;
                (id & !SILHOUETTE != 0 && held).then(|| [u32::try_from(pixel).unwrap_or(0), *id])
            };
            let entries: Vec<[u32; 2]> = ids.iter().enumerate().filter_map(wanted).collect();
            // Too few pixels say nothing that could be told from noise.
            if entries.len() < 64 {
                continue;
            }
            let count = u32::try_from(entries.len()).unwrap_or(0);
            let crop =
                if settings.kind == NeuralKind::Unet { Crop::around(&ids, source.camera.width_px) } else { None };
            let (size, held) = (crop.as_ref().map(|c| c.size), crop.as_ref().map(|_| count));
            let listed = crop.map_or_else(|| [&[[count, 0]], entries.as_slice()].concat(), |crop| crop.list());
            let list = Buffer::storage(gpu, "pixels to look at", &listed)?;
            let targets = Buffer::storage(gpu, "target pixels", &source.pixels)?;
            found.push(Look { view, camera: source.camera.clone(), region, list, size, held, targets });
        }
        Ok(Self { mesh: buffers, least, found })
    }
}
