//! What comes at the end of some epochs: cameras are refined, residuals found, folds taken out, the next phase made ready. All
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

/// The end of an epoch that is under way.
#[derive(Debug)]
pub(super) struct Ending {
    report: EpochReport,
    /// The phase ends with the epoch.
    over: bool,
    parts: VecDeque<Part>,
    cameras: Refinement,
    search: Search,
}

impl Ham {
    /// The end of an epoch whose losses are `report`; the phase ends with it if it is `over`.
    pub(super) fn end_epoch(&self, report: EpochReport, over: bool) -> Ending {
        let mut parts = VecDeque::new();
        let used: Vec<usize> = (0..self.views.len()).filter(|v| self.views[*v].is_some()).collect();
        let each = |part: fn(usize) -> Part| used.iter().copied().map(part);
        let residuals = |parts: &mut VecDeque<Part>, with_shifts: bool| {
            if !with_shifts && !self.settings.falloff {
                return;
            }
            parts.push_back(Part::BeginResiduals { with_shifts });
            parts.extend(each(Part::Residual));
            parts.push_back(Part::EndResiduals);
            parts.extend(each(Part::Straighten));
            parts.extend(each(Part::Look));
        };
        if self.cameras_are_due() {
            parts.push_back(Part::BeginCameras);
            for _ in 0..self.settings.camera_rounds {
                parts.extend(each(Part::Camera));
                parts.push_back(Part::MoveCameras);
            }
            parts.extend(each(Part::Look));
            residuals(&mut parts, false);
        }
        if self.residuals_are_due() {
            residuals(&mut parts, true);
        }
        if over && self.phase.moves() && self.settings.untangle_rounds > 0 {
            parts.extend((0..self.mesh.hands.len()).map(Part::Untangle));
        }
        if over && self.next_phase() == Phase::Colour {
            // Phase C needs visibility of the surface as it is now, which it does not compute again.
            parts.push_back(Part::Normals);
            parts.extend(each(Part::Look));
            parts.push_back(Part::Forget);
        }
        Ending { report, over, parts, cameras: Refinement::default(), search: Search::default() }
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
        if ending.over {
            self.enter_phase(self.next_phase());
        } else if self.phase.moves()
            && self.epoch * 2 >= self.settings.shape_epochs
            && (self.epoch - 1) * 2 < self.settings.shape_epochs
        {
            self.write_phase();
        }
        Ok(Some(ending.report))
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
