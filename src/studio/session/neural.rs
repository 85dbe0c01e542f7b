//! The network in the 3D view: which picture to ask for next, and whether the newest one may be shown. The window never
//! waits for a picture; what is on show in the meantime is the mesh, or a picture that lags behind by a moment.

use super::{RunState, Session};
use crate::camera::Camera;
use crate::hand::Pose;
use crate::studio::ui_state::Shading;
use crate::studio::worker::{NetworkFrame, NetworkRequest};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After this time without motion the picture is made at full size.
const STILL: Duration = Duration::from_millis(250);
/// Pictures that take longer than this are not shown where the camera no longer is.
const LAG: Duration = Duration::from_millis(120);
/// While the camera moves, pictures are made so small that they take no longer than this.
const MOVING_BUDGET_S: f64 = 0.15;
/// Sides are divided by no more than this.
const COARSEST: u32 = 4;

/// What the 3D view wants of the network, and what it has.
#[derive(Debug, Default)]
pub(crate) struct NetworkView {
    /// Camera of the 3D view at full size, world metres.
    camera: Option<Camera>,
    moved: Option<Instant>,
    pending: Option<Sight>,
    frame: Option<(Sight, Arc<NetworkFrame>)>,
    /// Counts pictures, so that the texture is uploaded once.
    pub revision: u64,
    /// Why the last one could not be made.
    problem: Option<String>,
    seconds_per_px: Option<f64>,
}

/// What a picture shows.
#[derive(Clone, Debug, PartialEq)]
struct Sight {
    camera: Camera,
    divisor: u32,
    /// Revision of the shown mesh and pose.
    shown: u64,
}

impl NetworkView {
    /// The camera at a fraction of its size.
    fn divided(camera: &Camera, divisor: u32) -> Camera {
        let (w, h) = ((camera.width_px / divisor).max(1), (camera.height_px / divisor).max(1));
        let mut small = Camera { width_px: w, height_px: h, ..camera.clone() };
        let by = [f64::from(w) / f64::from(camera.width_px), f64::from(h) / f64::from(camera.height_px)];
        for (row, by) in by.into_iter().enumerate() {
            for column in 0..3 {
                small.k[(row, column)] *= by;
            }
        }
        small
    }

    fn is_moving(&self, now: Instant) -> bool {
        self.moved.is_some_and(|at| now.duration_since(at) < STILL)
    }

    /// Divisor of the next picture; `None` when even a small one would come too late to be of use while moving.
    fn divisor(&self, camera: &Camera, moving: bool) -> Option<u32> {
        let Some(per_px) = self.seconds_per_px.filter(|_| moving) else { return Some(if moving { 2 } else { 1 }) };
        let pixels = f64::from(camera.width_px) * f64::from(camera.height_px);
        let cost = |d: u32| per_px * pixels / f64::from(d * d);
        let fitting = [1, 2, COARSEST].into_iter().find(|d| cost(*d) <= MOVING_BUDGET_S);
        fitting.or_else(|| (cost(COARSEST) <= 4.0 * MOVING_BUDGET_S).then_some(COARSEST))
    }
}

impl Session {
    /// Why the network cannot be shown now, if so.
    #[must_use]
    pub(crate) fn why_not_neural(&self) -> Option<String> {
        let newest = self.track.frames().len().saturating_sub(1);
        let why = if self.shown.as_ref().is_none_or(|s| s.hands.is_empty()) {
            "there is no mesh yet; tick Neural renderer and reconstruct"
        } else if !self.has_engine {
            "only the snapshots of this run could be opened"
        } else if matches!(self.state, RunState::Starting | RunState::Running | RunState::Paused) {
            "it is shown when the run has ended"
        } else if !self.has_network {
            "this run has no network; Train the network (menu Run) makes one"
        } else if self.cursor.is_some_and(|at| at < newest) {
            "the network belongs to the last step; press End"
        } else {
            return self.network.problem.clone();
        };
        Some(why.to_owned())
    }

    /// What the colours of the mesh mean: the albedo in place of a network that cannot be shown.
    #[must_use]
    pub(crate) const fn mesh_shading(&self) -> Shading {
        match self.ui.shading {
            Shading::Neural => Shading::Albedo,
            other => other,
        }
    }

    /// The camera of the 3D view at the size of its picture, world metres.
    #[must_use]
    pub(crate) const fn view_camera(&self) -> Option<&Camera> {
        self.network.camera.as_ref()
    }

    /// The camera of the 3D view; pictures by the network follow it.
    pub(crate) fn look_from(&mut self, camera: Option<Camera>) {
        if self.network.camera != camera {
            self.network.camera = camera;
            self.network.moved = Some(Instant::now());
        }
    }

    /// True while the next picture waits for the camera to rest, so that the window must look again soon.
    #[must_use]
    pub(crate) fn neural_waits(&self) -> bool {
        self.ui.shading == Shading::Neural && self.network.is_moving(Instant::now())
    }

    /// The picture to have made next, if any.
    #[must_use]
    pub(crate) fn wants_network(&mut self) -> Option<NetworkRequest> {
        if self.ui.shading != Shading::Neural || self.network.pending.is_some() || self.why_not_neural().is_some() {
            return None;
        }
        let camera = self.network.camera.as_ref()?;
        let divisor = self.network.divisor(camera, self.network.is_moving(Instant::now()))?;
        let sight = Sight { camera: camera.clone(), divisor, shown: self.shown_revision };
        let finer = |(s, _): &(Sight, _)| s.camera == sight.camera && s.shown == sight.shown && s.divisor <= divisor;
        if self.network.frame.as_ref().is_some_and(finer) {
            return None;
        }
        let small = NetworkView::divided(&sight.camera, divisor);
        self.network.pending = Some(sight);
        Some(NetworkRequest { camera: small, poses: self.poses() })
    }

    /// The poses on show, one a hand; `None` for that of the capture.
    fn poses(&self) -> Option<Vec<Pose>> {
        self.posed.as_ref().and(self.posing.as_ref()).map(|p| p.poses().to_vec())
    }

    /// Takes in a picture, or the reason why there is none.
    pub(crate) fn on_network(&mut self, made: Result<NetworkFrame, String>) {
        let Some(sight) = self.network.pending.take() else { return };
        match made {
            Ok(frame) => {
                let pixels = f64::from(frame.width) * f64::from(frame.height);
                let per_px = frame.cost.as_secs_f64() / pixels.max(1.0);
                // The first one pays for the upload.
                if self.network.frame.is_some() || self.network.seconds_per_px.is_none() {
                    self.network.seconds_per_px = Some(per_px);
                }
                self.network.frame = Some((sight, Arc::new(frame)));
                self.network.revision += 1;
                self.network.problem = None;
            }
            Err(why) => {
                self.note(super::Level::Error, format!("The network cannot be shown: {why}"));
                self.network.problem = Some(why);
            }
        }
    }

    /// The picture to show in the 3D view in place of the mesh: the newest one, if it shows what is to be seen, or lags so
    /// little that nobody minds.
    #[must_use]
    pub(crate) fn network_frame(&self) -> Option<&Arc<NetworkFrame>> {
        if self.ui.shading != Shading::Neural || !self.ui.show_hands || self.why_not_neural().is_some() {
            return None;
        }
        let (sight, frame) = self.network.frame.as_ref()?;
        let exact = self.network.camera.as_ref() == Some(&sight.camera) && sight.shown == self.shown_revision;
        (exact || frame.cost <= LAG).then_some(frame)
    }

    /// The whole of what the 3D view is to show has been painted.
    #[must_use]
    pub(crate) fn network_is_current(&self) -> bool {
        let camera = self.network.camera.as_ref();
        self.network
            .frame
            .as_ref()
            .is_some_and(|(s, _)| Some(&s.camera) == camera && s.divisor == 1 && s.shown == self.shown_revision)
    }

    /// A word on the picture: its size and what it took, or why there is none.
    #[must_use]
    pub(crate) fn neural_words(&self) -> Option<(String, bool)> {
        if self.ui.shading != Shading::Neural {
            return None;
        }
        if let Some(why) = self.why_not_neural() {
            return Some((format!("Neural: {why}. Shown: albedo"), true));
        }
        let made = self.network.frame.as_ref().map(|(_, f)| f);
        let words = match (self.network_frame(), made) {
            (Some(f), _) => format!("neural · {}×{} · {} ms", f.width, f.height, f.cost.as_millis()),
            (None, Some(f)) => format!("neural: on its way (the last one took {:.1} s)", f.cost.as_secs_f64()),
            (None, None) => "neural: the network is being uploaded…".to_owned(),
        };
        Some((words, false))
    }

    /// Another run is shown: its pictures are of the past.
    pub(super) fn forget_network(&mut self) {
        let camera = self.network.camera.take();
        self.network = NetworkView { camera, revision: self.network.revision + 1, ..NetworkView::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::testing::test_camera;

    #[test]
    fn a_divided_camera_sees_the_same_in_fewer_pixels() {
        let camera = test_camera(1, 4);
        let small = NetworkView::divided(&camera, 4);
        assert_eq!((small.width_px, small.height_px), (camera.width_px / 4, camera.height_px / 4), "a quarter");
        let x = nalgebra::Vector3::new(0.03, 0.01, 0.02);
        let (a, b) = (camera.project(&x).expect("in front"), small.project(&x).expect("in front"));
        assert!((a / 4.0 - b).norm() < 1e-9, "a point lies at the same place: {a} {b}");
    }

    #[test]
    fn pictures_are_small_while_the_camera_moves_and_none_when_even_that_is_too_slow() {
        let camera = Camera { width_px: 1000, height_px: 1000, ..test_camera(1, 4) };
        let with = |per_px| NetworkView { seconds_per_px: Some(per_px), ..NetworkView::default() };
        for (per_px, moving) in [(1e-8, Some(1)), (3e-7, Some(2)), (2e-6, Some(4)), (1e-4, None)] {
            assert_eq!(with(per_px).divisor(&camera, true), moving, "{per_px} s a pixel");
            assert_eq!(with(per_px).divisor(&camera, false), Some(1), "whole at rest");
        }
    }
}
