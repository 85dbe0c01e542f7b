//! What comes before the first epoch and at the end of some: cameras are refined, residuals found, folds taken out, the next phase made ready. All
//! that takes longer than anybody waits for a pause, so it is a list of parts, and [`Ham::step`] comes back between them. Where
//! it is cut changes no byte of the result.

use super::cameras::Refinement;
use super::residuals::Search;
use super::{EpochReport, Ham, HamError, Phase};
use std::collections::VecDeque;

/// One part.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// Looks at the surface, for what follows.
    BeginCameras,
    /// How a view's camera would move.
    Camera(usize),
    /// Moves all cameras.
    MoveCameras,
    BeginResiduals {
        with_shifts: bool,
    },
    /// What a view's photograph is off by.
    Residual(usize),
    EndResiduals,
    /// Gives the device a view's photograph without its residual.
    Straighten(usize),
    /// Folds of one hand.
    Untangle(usize),
    /// Normals of the surface as it is.
    Normals,
    /// Finds what a view sees, which phases A and C do once.
    Look(usize),
    /// Adam does not remember the stiff albedo's gradients.
    Forget,
}

/// Where it leads to.
#[derive(Debug)]
enum Then {
    /// The stage's first phase that has any epochs.
    First,
    /// The next epoch of the phase.
    Epoch(EpochReport),
    /// The next phase.
    Phase(EpochReport),
}

/// The end of an epoch, or what comes before the first, that is under way.
#[derive(Debug)]
pub(super) struct Ending {
    then: Then,
    parts: VecDeque<Part>,
    cameras: Refinement,
    search: Search,
}

impl Ending {
    /// There is no part that takes time.
    pub(super) fn is_nothing(&self) -> bool {
        self.parts.is_empty()
    }
}

impl Ham {
    /// The end of an epoch whose losses are `report`; the phase ends with it if it is `over`.
    pub(super) fn end_epoch(&self, report: EpochReport, over: bool) -> Ending {
        let mut parts = VecDeque::new();
        if self.cameras_are_due() {
            self.add_cameras(&mut parts);
            self.add_residuals(&mut parts, false);
        }
        if self.residuals_are_due() {
            self.add_residuals(&mut parts, true);
        }
        if over && self.phase.moves() && self.settings.untangle_rounds > 0 {
            parts.extend((0..self.mesh.hands.len()).map(Part::Untangle));
        }
        if over && self.next_phase() == Phase::Colour {
            // Phase C needs visibility of the surface as it is now, which it does not compute again.
            parts.push_back(Part::Normals);
            parts.extend(self.used_views().map(Part::Look));
            parts.push_back(Part::Forget);
        }
        let then = if over { Then::Phase(report) } else { Then::Epoch(report) };
        Ending { then, parts, cameras: Refinement::default(), search: Search::default() }
    }

    /// What comes before the first epoch.
    pub(super) fn beginning(&self) -> Ending {
        let mut parts = VecDeque::new();
        if self.settings.camera_turn_deg > 0.0 {
            self.add_cameras(&mut parts);
        }
        Ending { then: Then::First, parts, cameras: Refinement::default(), search: Search::default() }
    }

    fn used_views(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.views.len()).filter(|v| self.views[*v].is_some())
    }

    fn add_cameras(&self, parts: &mut VecDeque<Part>) {
        parts.push_back(Part::BeginCameras);
        for _ in 0..self.settings.camera_rounds {
            parts.extend(self.used_views().map(Part::Camera));
            parts.push_back(Part::MoveCameras);
        }
        parts.extend(self.used_views().map(Part::Look));
    }

    fn add_residuals(&self, parts: &mut VecDeque<Part>, with_shifts: bool) {
        if !with_shifts && !self.settings.falloff {
            return;
        }
        parts.push_back(Part::BeginResiduals { with_shifts });
        parts.extend(self.used_views().map(Part::Residual));
        parts.push_back(Part::EndResiduals);
        parts.extend(self.used_views().map(Part::Straighten));
        parts.extend(self.used_views().map(Part::Look));
    }

    /// Goes on with the end of an epoch, for as long as a slice may take; the epoch's losses once it has ended.
    ///
    /// # Errors
    /// A GPU error.
    pub(super) fn go_on_ending(&mut self, mut ending: Ending) -> Result<Option<EpochReport>, HamError> {
        let began = std::time::Instant::now();
        while let Some(part) = ending.parts.pop_front() {
            self.do_part(part, &mut ending)?;
            if !ending.parts.is_empty() && began.elapsed().as_secs_f64() >= self.slice.seconds {
                self.ending = Some(ending);
                return Ok(None);
            }
        }
        match ending.then {
            Then::First => {
                if self.settings.albedo_epochs == 0 {
                    self.phase = self.next_phase();
                }
                self.enter_phase(self.phase);
                Ok(None)
            }
            Then::Epoch(report) => {
                let half = |epoch: u32| epoch * 2 >= self.settings.shape_epochs;
                if self.phase.moves() && half(self.epoch) && !half(self.epoch - 1) {
                    self.write_phase();
                }
                Ok(Some(report))
            }
            Then::Phase(report) => {
                self.enter_phase(self.next_phase());
                Ok(Some(report))
            }
        }
    }

    fn do_part(&mut self, part: Part, ending: &mut Ending) -> Result<(), HamError> {
        match part {
            Part::BeginCameras => ending.cameras = self.begin_cameras()?,
            Part::Camera(v) => self.look_at_camera(v, &mut ending.cameras)?,
            Part::MoveCameras => self.move_cameras(&mut ending.cameras),
            Part::BeginResiduals { with_shifts } => ending.search = self.begin_residuals(with_shifts),
            Part::Residual(v) => self.look_for_residual(v, &mut ending.search)?,
            Part::EndResiduals => self.keep_residuals(&mut ending.search),
            Part::Straighten(v) => self.straighten(v),
            Part::Untangle(hand) => self.untangle_hand(hand)?,
            Part::Normals => self.refresh_normals()?,
            Part::Look(v) => self.look_at(v)?,
            Part::Forget => {
                self.training.forget_albedo_steps(&self.gpu);
                self.steps[0] = 0;
            }
        }
        Ok(())
    }
}
