//! What the stage needs before its first step: the hands subdivided, everything uploaded, regions and trusted masks found, light
//! and albedo begun. With many views that takes seconds, so it is done in parts, and a pause waits for one.

use super::buffers::{Start, Training, ViewTraining};
use super::target::{MaskTrust, REGION_MARGIN, Target, TargetSource};
use super::{
    Detail, FineMesh, Ham, HamError, HamSettings, Phase, Untangled, cameras, coverage, rates, slices, start, to_f32,
};
use crate::camera::{CameraMove, CameraResidual};
use crate::gpu::{Gpu, GpuError};
use crate::hand::{HandModel, PosedHand};
use crate::mesh::vertex_normals;
use crate::raster::antialias;
use crate::raster::reference::RefMesh;
use crate::shading::renderer::{MeshBuffers, PixelBuffers, Renderer, ViewPass};

/// The stage being made ready. Hands and sources are handed in again for each part, the same each time.
pub struct Preparation {
    gpu: Gpu,
    /// Those of the part of the stage that it is for.
    settings: HamSettings,
    detail: Option<Detail>,
    /// What comes once everything is there.
    then: Then,
    mesh: Option<FineMesh>,
    targets: Vec<Option<Target>>,
    device: Option<Device>,
    /// What each view sees.
    passes: Vec<Option<(ViewPass, Vec<u32>)>>,
    training: Option<Training>,
    views: Vec<Option<ViewTraining>>,
    trust: Vec<Option<MaskTrust>>,
    looks: Vec<Option<Vec<u32>>>,
    sights: Vec<Option<cameras::Given>>,
}

/// What comes once everything is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The stage's beginning, on the coarser mesh or at once on the full one.
    Begin { coarse: bool },
    /// What follows on the coarse part.
    Refine,
}

struct Device {
    renderer: Renderer,
    buffers: MeshBuffers,
    pixels: PixelBuffers,
}

impl std::fmt::Debug for Preparation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Preparation")
            .field("then", &self.then)
            .field("views", &self.views.len())
            .finish_non_exhaustive()
    }
}

impl Preparation {
    fn new(gpu: &Gpu, settings: HamSettings, detail: Option<Detail>, then: Then) -> Self {
        Self {
            gpu: gpu.clone(),
            settings,
            detail,
            then,
            mesh: None,
            targets: Vec::new(),
            device: None,
            passes: Vec::new(),
            training: None,
            views: Vec::new(),
            trust: Vec::new(),
            looks: Vec::new(),
            sights: Vec::new(),
        }
    }

    /// For [`Ham::new`]: the stage at its beginning, on the mesh of the level below where the settings have a coarse part, so that
    /// [`Self::refined`] comes after.
    #[must_use]
    pub fn begin(gpu: &Gpu, settings: &HamSettings) -> Self {
        let coarse = settings.begins_coarse();
        let [first, _] = settings.parts();
        Self::new(gpu, if coarse { first } else { settings.clone() }, None, Then::Begin { coarse })
    }

    /// For [`Ham::with_detail`]: the stage at its beginning with the detail of another frame.
    #[must_use]
    pub fn with_detail(gpu: &Gpu, settings: &HamSettings, detail: Detail) -> Self {
        Self::new(gpu, settings.clone(), Some(detail), Then::Begin { coarse: false })
    }

    /// For [`Ham::refined`]: the stage on the full mesh after its coarse part.
    #[must_use]
    pub fn refined(gpu: &Gpu, settings: &HamSettings) -> Self {
        let [_, rest] = settings.parts();
        Self::new(gpu, rest, None, Then::Refine)
    }

    /// All parts at once.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub fn finish(
        mut self,
        hands: &[(&HandModel, &PosedHand)],
        sources: &[Option<TargetSource<'_>>],
        coarse: Option<&Ham>,
    ) -> Result<Ham, HamError> {
        loop {
            if let Some(ham) = self.step(hands, sources, coarse)? {
                return Ok(ham);
            }
        }
    }

    /// Does the next part; the stage once it is ready, which is then done with. `sources` has one entry per view, `None` for views that
    /// must not be looked at (held out, excluded); `coarse` is the stage whose result a refined one takes over, `None` for one that
    /// will be restored.
    ///
    /// # Errors
    /// [`HamError::NoView`], [`HamError::Detail`] or a GPU error.
    pub fn step(
        &mut self,
        hands: &[(&HandModel, &PosedHand)],
        sources: &[Option<TargetSource<'_>>],
        coarse: Option<&Ham>,
    ) -> Result<Option<Ham>, HamError> {
        let Some(mesh) = &self.mesh else {
            self.mesh = Some(self.subdivided(hands, sources.len())?);
            return Ok(None);
        };
        if self.targets.len() < sources.len() {
            let around: Vec<[f64; 3]> = hands.iter().flat_map(|(_, posed)| posed.vertices.iter().copied()).collect();
            let source = sources[self.targets.len()].as_ref();
            self.targets.push(source.and_then(|s| Target::new(s, self.settings.image_divisor, &around, REGION_MARGIN)));
            return Ok(None);
        }
        let positions: Vec<[f32; 3]> = mesh.positions.iter().map(|p| p.map(to_f32)).collect();
        let Some(device) = &self.device else {
            self.device = Some(self.uploaded(mesh, &positions)?);
            return Ok(None);
        };
        if self.passes.len() < self.targets.len() {
            let v = self.passes.len();
            let light = u32::try_from(v).unwrap_or(u32::MAX);
            let seen = |target: &Target| visible(&self.gpu, device, target, light);
            self.passes.push(self.targets[v].as_ref().map(seen).transpose()?);
            return Ok(None);
        }
        let Some(training) = &self.training else {
            let lambda = self.settings.smoothing_lambda(0, mesh.mean_squared_edge());
            let seen = self.passes.iter().flatten().map(|(_, ids)| ids.as_slice());
            let stiffness =
                coverage::stiffness(&coverage::views_of_vertices(&mesh.topology, seen), self.settings.few_views);
            let start = Start { positions: &positions, stiffness: &stiffness };
            let Device { renderer, buffers, pixels } = device;
            self.training =
                Some(Training::new(&self.gpu, buffers, pixels, renderer, start, self.targets.len(), lambda)?);
            return Ok(None);
        };
        let v = self.views.len();
        if let (Some(target), Some(pass)) = (self.targets.get(v), self.passes.get_mut(v)) {
            let (Some(target), Some((pass, ids))) = (target, pass.take()) else {
                self.views.push(None);
                self.trust.push(None);
                self.looks.push(None);
                self.sights.push(None);
                return Ok(None);
            };
            let keypoints: Vec<[[f64; 3]; 21]> = hands.iter().map(|(_, posed)| posed.keypoints).collect();
            let forearm = target.forearm(&keypoints);
            let verdict = target.trust(&ids, &forearm, self.settings.mask_trust);
            let packed = target.packed(&ids, &forearm, verdict.trusted);
            let Device { buffers, pixels, .. } = device;
            let mut view = training.bind_view(&self.gpu, buffers, pixels, pass, &packed, target.image_pixels())?;
            view.silhouette_weight = target.silhouette_weight;
            self.views.push(Some(view));
            self.trust.push(Some(verdict));
            self.looks.push(Some(ids));
            self.sights.push(Some(cameras::Given {
                camera: target.camera.clone(),
                place: target.place,
                pixels: packed,
                straight: None,
            }));
            return Ok(None);
        }
        Ok(Some(self.ready(coarse)?))
    }

    /// The hands' mesh, with another frame's surface if there is one.
    fn subdivided(&self, hands: &[(&HandModel, &PosedHand)], views: usize) -> Result<FineMesh, HamError> {
        let mut mesh = FineMesh::new(hands, self.settings.level);
        if let Some(detail) = &self.detail {
            let counts = [detail.positions.len(), detail.albedo.len(), detail.lights.len()];
            if counts != [mesh.positions.len(), mesh.positions.len(), views] {
                return Err(HamError::Detail);
            }
            mesh.positions.clone_from(&detail.positions);
        }
        Ok(mesh)
    }

    fn uploaded(&self, mesh: &FineMesh, positions: &[[f32; 3]]) -> Result<Device, HamError> {
        if self.targets.iter().all(Option::is_none) {
            return Err(HamError::NoView);
        }
        let largest = |f: &dyn Fn(&Target) -> u32| self.targets.iter().flatten().map(f).max().unwrap_or(64);
        let gpu = &self.gpu;
        let pixels = PixelBuffers::new(gpu, largest(&|t| t.camera.width_px), largest(&|t| t.camera.height_px))?;
        let albedo = vec![[0.5_f32; 3]; positions.len()];
        let buffers = MeshBuffers::new(gpu, &mesh.topology, positions, &albedo, self.targets.len())?;
        Ok(Device { renderer: Renderer::new(gpu)?, buffers, pixels })
    }

    /// Everything is there: light and albedo begin.
    fn ready(&mut self, coarse: Option<&Ham>) -> Result<Ham, HamError> {
        let (Some(mesh), Some(device), Some(training)) = (self.mesh.take(), self.device.take(), self.training.take())
        else {
            return Err(HamError::NoView);
        };
        let Device { renderer, buffers, pixels } = device;
        let (gpu, settings) = (&self.gpu, self.settings.clone());
        let (looks, sights) = (std::mem::take(&mut self.looks), std::mem::take(&mut self.sights));
        let seen: Vec<start::Look<'_>> = self
            .targets
            .iter()
            .zip(looks.iter().zip(&sights))
            .map(|(t, (ids, sight))| Some((t.as_ref()?, ids.as_deref()?, sight.as_ref()?.pixels.as_slice())))
            .collect();
        let count = mesh.positions.len();
        let (albedo, lights) = match self.detail.take() {
            Some(detail) => (detail.albedo, detail.lights),
            None => {
                let reference = RefMesh { positions: &mesh.positions, faces: &mesh.topology.faces, opposite: &[] };
                let normals = vertex_normals(&mesh.positions, &mesh.topology.faces);
                let start = start::start(&seen, &reference, &normals);
                (vec![start.albedo.map(to_f32); count], start.lights)
            }
        };
        buffers.albedo.write(gpu, &albedo.iter().map(|a| [a[0], a[1], a[2], 0.0]).collect::<Vec<[f32; 4]>>());
        buffers.lights.write(gpu, &lights.iter().flatten().map(|x| to_f32(*x)).collect::<Vec<f32>>());

        let seen_px = seen.iter().map(|look| look.map_or(0.0, |(_, ids, _)| hand_pixels(ids))).collect();
        let used: Vec<usize> = (0..self.targets.len()).filter(|v| self.targets[*v].is_some()).collect();
        // Every step sees views from all around the rig: step s takes views s, s + S, s + 2S, …
        let steps = used.len().div_ceil(settings.views_per_step.max(1));
        let batches = (0..steps).map(|s| used.iter().copied().skip(s).step_by(steps).collect()).collect();
        let views = std::mem::take(&mut self.views);
        let ham = Ham {
            gpu: gpu.clone(),
            settings,
            mesh,
            renderer,
            buffers,
            pixels,
            training,
            moves: vec![CameraMove::default(); views.len()],
            residuals: vec![CameraResidual::default(); views.len()],
            shifted_px: Vec::new(),
            views,
            trust: std::mem::take(&mut self.trust),
            sights,
            seen_px,
            batches,
            coarse: self.then == Then::Begin { coarse: true },
            phase: Phase::Albedo,
            epoch: 0,
            history: Vec::new(),
            batch: 0,
            at_view: 0,
            at_part: 0,
            slice: slices::Slice::default(),
            part_slice: slices::Slice::default(),
            ending: None,
            steps: [0; 3],
            meter: rates::RateMeter::new(gpu)?,
            ended: Vec::new(),
            untangled: Untangled::default(),
        };
        match self.then {
            Then::Begin { .. } => ham.begun(),
            Then::Refine => ham.after(coarse),
        }
    }
}

/// Binds a view and finds the triangles that it sees (`triangle + 1`, 0 for none).
fn visible(gpu: &Gpu, device: &Device, target: &Target, light: u32) -> Result<(ViewPass, Vec<u32>), GpuError> {
    let Device { renderer, buffers, pixels } = device;
    let pass = renderer.bind_view(buffers, pixels, &target.camera, light)?;
    let mut recorder = gpu.recorder("visibility");
    renderer.record_visibility(&mut recorder, buffers, pixels, &pass);
    recorder.submit()?;
    let words: Vec<u32> = gpu.read_range(&pass.ids, 0, u64::from(pass.region.pixels()) * 4)?;
    Ok((pass, words.iter().map(|word| word & !antialias::SILHOUETTE).collect()))
}

#[expect(clippy::cast_precision_loss, reason = "pictures have fewer than 2^24 pixels")]
fn hand_pixels(ids: &[u32]) -> f32 {
    ids.iter().filter(|id| **id != 0).count() as f32
}
