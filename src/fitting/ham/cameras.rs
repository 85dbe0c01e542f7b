//! Where HAM refines the cameras ([`super::align`]): when, on what, and how moves are kept.

use super::align::{Prior, Sight, align, without_common_motion};
use super::buffers::ViewTraining;
use super::residuals::Place;
use super::{Ham, HamError, HamState, Phase, to_f32};
use crate::camera::{Camera, CameraMove};
use crate::raster::reference::{RefMesh, RefView};
use crate::raster::{ViewRegion, antialias};
use nalgebra::Vector3;

/// Name of the moves in a checkpoint.
pub(super) const LIST: &str = "cameras";

/// A camera is left where it is while its picture asks for no more, pixels: so much the surface itself may be off.
const TOLERATED_PX: f64 = 1.0;
/// So many cameras that stay keep the others from moving along with the hands.
const ANCHORS: usize = 3;

/// A view's region as the stage got it.
pub(super) struct Given {
    pub camera: Camera,
    /// Where the region lies.
    pub place: Place,
    /// Target pixels of the image loss, as photographed.
    pub pixels: Vec<u32>,
    /// The same without the camera's residual, once one was found.
    pub straight: Option<Vec<u32>>,
}

/// A refinement of all cameras that is under way.
#[derive(Debug, Default)]
pub(super) struct Refinement {
    /// Of the surface, world metres.
    positions: Vec<[f64; 3]>,
    middle: Vector3<f64>,
    /// Views whose cameras move in this round, with the camera as it is and the step.
    found: Vec<(usize, Camera, CameraMove)>,
    /// How many stay.
    still: usize,
}

/// Six numbers a view: turn, centre.
pub(super) fn to_list(moves: &[CameraMove]) -> Vec<f32> {
    moves.iter().flat_map(|m| [m.turn_rad, m.centre_m]).flatten().map(to_f32).collect()
}

/// Moves in a checkpoint; all zero in one of a version that had none.
#[must_use]
pub(super) fn moves_of(state: &HamState, views: usize) -> Vec<CameraMove> {
    let list = state.lists.iter().find(|(name, _)| name == LIST).map_or(&[][..], |(_, list)| list);
    let mut moves: Vec<CameraMove> = list
        .chunks_exact(6)
        .map(|c| {
            let part = |from: usize| [0, 1, 2].map(|k| f64::from(c[from + k]));
            CameraMove { turn_rad: part(0), centre_m: part(3) }
        })
        .collect();
    moves.resize(views, CameraMove::default());
    moves
}

/// The nearest move that a checkpoint can hold.
fn stored(by: CameraMove) -> CameraMove {
    let round = |x: [f64; 3]| x.map(|x| f64::from(to_f32(x)));
    CameraMove { turn_rad: round(by.turn_rad), centre_m: round(by.centre_m) }
}

impl Ham {
    /// How far each camera was moved from where the pose stage left it; one entry a view.
    #[must_use]
    pub fn camera_moves(&self) -> &[CameraMove] {
        &self.moves
    }

    /// At the end of an epoch: after half of phase A and all of it, and after each quarter of phase B (and of its coarse part) but
    /// the last.
    pub(super) fn cameras_are_due(&self) -> bool {
        let (epochs, epoch) = (self.epochs(), self.epoch);
        let parts = match self.phase {
            Phase::Albedo => 2,
            Phase::Coarse | Phase::Shape => 4,
            Phase::Colour | Phase::Done => return false,
        };
        let due = (1..=parts).any(|k| epoch == (epochs * k).div_ceil(parts));
        self.settings.camera_turn_deg > 0.0 && due && !(self.phase.moves() && epoch >= epochs)
    }

    /// Puts the camera of a view where its move says, on the device.
    pub(super) fn place_camera(&mut self, v: usize) {
        let (Some(view), Some(given)) = (&mut self.views[v], &self.sights[v]) else { return };
        let light = view.pass.region.light;
        let geometry = self.phase.moves();
        view.pass.region = ViewRegion::new(&given.camera.moved(&self.moves[v]), light, geometry);
        view.write_geometry(&self.gpu, geometry);
    }

    /// The surface as it is now, which all rounds of a refinement look at.
    ///
    /// # Errors
    /// A GPU error.
    pub(super) fn begin_cameras(&self) -> Result<Refinement, HamError> {
        let positions: Vec<[f64; 3]> = self.vertices()?.positions.iter().map(|p| p.map(f64::from)).collect();
        let middle = positions.iter().fold(Vector3::zeros(), |sum, p| sum + Vector3::from(*p));
        let middle = middle / positions.len().max(1) as f64;
        Ok(Refinement { positions, middle, found: Vec::new(), still: 0 })
    }

    /// How the camera of a view would move; nothing for a view that is not used.
    ///
    /// # Errors
    /// A GPU error.
    pub(super) fn look_at_camera(&self, v: usize, refinement: &mut Refinement) -> Result<(), HamError> {
        let (Some(view), Some(given)) = (&self.views[v], &self.sights[v]) else { return Ok(()) };
        let s = &self.settings;
        let prior = Prior { turn_rad: s.camera_turn_deg.to_radians(), centre_m: s.camera_centre_mm * 1e-3 };
        // On pictures of half the size a shift is told half as well, and a camera that was moved is no anchor any more.
        let tolerated_px = if self.coarse { 2.0 * TOLERATED_PX } else { TOLERATED_PX };
        let rendered = self.rendered(view)?;
        let ids: Vec<u32> = self.gpu.read_range(&view.pass.ids, 0, rendered.len() as u64 * 4)?;
        let positions = &refinement.positions;
        let mesh = RefMesh { positions, faces: &self.mesh.topology.faces, opposite: &[] };
        let reference = RefView::from(&view.pass.region);
        let depth = |(pixel, word): (usize, &u32)| match word & !antialias::SILHOUETTE {
            0 => 0.0,
            id => to_f32(reference.depth_at(&mesh, id, reference.pixel_centre(pixel))),
        };
        let depth_m: Vec<f32> = ids.iter().enumerate().map(depth).collect();
        let camera = given.camera.moved(&self.moves[v]);
        let sight = Sight { camera: &camera, rendered: &rendered, target: &given.pixels, depth_m: &depth_m };
        let step = align(&sight, &self.moves[v], &prior).unwrap_or_default();
        let asked_px = step.shift_px * f64::from(s.image_divisor);
        if self.moves[v] != CameraMove::default() || asked_px > tolerated_px {
            refinement.found.push((v, camera, step.by));
        } else {
            refinement.still += 1;
        }
        Ok(())
    }

    /// Moves the cameras that were found to move since the last time.
    pub(super) fn move_cameras(&mut self, refinement: &mut Refinement) {
        let found = std::mem::take(&mut refinement.found);
        let mut steps: Vec<(&Camera, CameraMove)> = found.iter().map(|(_, c, step)| (c, *step)).collect();
        if std::mem::take(&mut refinement.still) < ANCHORS {
            without_common_motion(&mut steps, &refinement.middle);
        }
        let steps: Vec<CameraMove> = steps.into_iter().map(|(_, step)| step).collect();
        for ((v, ..), step) in found.iter().zip(&steps) {
            self.moves[*v] = stored(self.moves[*v].then(step));
            self.place_camera(*v);
        }
    }

    /// What a view sees of the surface as it is now: premultiplied RGBA, antialiased, one entry a pixel of its region.
    pub(super) fn rendered(&self, view: &ViewTraining) -> Result<Vec<[f32; 4]>, HamError> {
        let mut recorder = self.gpu.recorder("look");
        self.renderer.record_visibility(&mut recorder, &self.buffers, &self.pixels, &view.pass);
        self.renderer.record_colours(&mut recorder, &self.pixels, &view.pass);
        recorder.submit()?;
        let count = u64::from(view.pass.region.pixels());
        Ok(self.gpu.read_range(&self.pixels.smooth, 0, count * 16)?)
    }

    /// Finds what each view sees, which phase A does once.
    pub(super) fn look_again(&self) -> Result<(), HamError> {
        (0..self.views.len()).try_for_each(|v| self.look_at(v))
    }

    /// Finds what a view sees.
    pub(super) fn look_at(&self, v: usize) -> Result<(), HamError> {
        let Some(view) = &self.views[v] else { return Ok(()) };
        let mut recorder = self.gpu.recorder("visibility");
        self.renderer.record_visibility(&mut recorder, &self.buffers, &self.pixels, &view.pass);
        Ok(recorder.submit()?)
    }
}
