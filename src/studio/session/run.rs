//! Beginning, holding, ending and going on with a run: when each is possible, and what it asks of the worker.

use super::{Effect, Level, RunState, Session};
use crate::pipeline::StepReport;
use crate::studio::backend::{ResumeRequest, RunRequest};
use crate::studio::worker::Command;
use std::path::PathBuf;
use std::sync::Arc;

impl Session {
    /// True while the worker steps or is about to.
    #[must_use]
    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.state, RunState::Starting | RunState::Running | RunState::Paused)
    }

    /// Why Reconstruct cannot be pressed, if so.
    #[must_use]
    pub(crate) fn why_not_start(&self) -> Option<String> {
        if self.opening.is_some() {
            return Some("A folder is being read".to_owned());
        }
        let Some(capture) = &self.capture else {
            return Some("Open a capture folder first (Ctrl+O)".to_owned());
        };
        if self.is_active() {
            return Some("A reconstruction is under way; stop it first".to_owned());
        }
        if let Some(Err(reason)) = &self.device {
            return Some(format!("No computing device: {reason}"));
        }
        if let Some(problem) = self.hand.problem() {
            return Some(problem.to_owned());
        }
        let left = capture.views.len() - self.excluded.len() - self.held_out.len();
        if left < 2 {
            return Some(format!("At least two views are needed, {left} left; include one again (X, H)"));
        }
        None
    }

    /// Why Resume cannot be pressed, if so.
    #[must_use]
    pub(crate) fn why_not_resume(&self) -> Option<&str> {
        if self.opening.is_some() {
            Some("A folder is being read")
        } else if self.is_active() {
            Some("A reconstruction is under way")
        } else if !self.resumable || self.run_dir.is_none() {
            Some("There is no unfinished run to go on with")
        } else if let Some(Err(reason)) = &self.device {
            Some(reason)
        } else {
            None
        }
    }

    /// Why pausing is not possible, if so.
    #[must_use]
    pub(crate) fn why_not_pause(&self) -> Option<&'static str> {
        match self.state {
            RunState::Running | RunState::Paused => None,
            RunState::Starting => Some("The run is still being prepared"),
            _ => Some("Nothing is running"),
        }
    }

    /// Why exporting is not possible, if so.
    #[must_use]
    pub(crate) fn why_not_export(&self) -> Option<&'static str> {
        if self.shown.as_ref().is_none_or(|s| s.hands.is_empty()) {
            Some("There is no mesh yet: reconstruct first")
        } else if !self.has_engine {
            Some("Only the snapshots of this run could be opened; use `thenar export RUN`")
        } else if self.between_frames() {
            Some("The run of this frame is not open yet")
        } else {
            None
        }
    }

    pub(super) fn start(&mut self) -> Option<Effect> {
        if self.why_not_start().is_some() {
            return None;
        }
        let capture = self.capture.clone()?;
        let preset = self.preset().map_or_else(String::new, |p| p.name.clone());
        self.state = RunState::Starting;
        self.begin_telling();
        self.banner = None;
        self.keep_in_sight();
        self.frames = None;
        // Where hands were to be seen already, the camera stays.
        self.frames_hands = self.shown.is_none();
        self.forget_run();
        self.run_edits = Arc::clone(&self.edits);
        self.note(Level::Info, format!("Reconstructing {} with preset {preset}", capture.name));
        Some(Effect::Send(Command::Start(Box::new(RunRequest {
            overrides: self.overrides.clone().into_iter().collect(),
            excluded: self.excluded.iter().copied().collect(),
            held_out: self.held_out.iter().copied().collect(),
            hands: self.hands,
            results: self.results.clone(),
            hand_model: self.hand.choice(),
            detect: self.detect && self.why_no_own_keypoints().is_none(),
            neural: self.train_network,
            edits: Arc::clone(&self.edits),
            ..RunRequest::new(capture, &preset)
        }))))
    }

    /// Why the network cannot be trained on the open run, if so.
    #[must_use]
    pub(crate) fn why_not_train(&self) -> Option<&str> {
        if self.opening.is_some() {
            Some("A folder is being read")
        } else if self.is_active() {
            Some("A reconstruction is under way")
        } else if self.run_dir.is_none() || !self.has_engine {
            Some("There is no run to train it on: reconstruct first")
        } else if self.has_network {
            Some("This run has a network already")
        } else if let Some(Err(reason)) = &self.device {
            Some(reason)
        } else {
            None
        }
    }

    pub(super) fn train_network(&mut self) -> Option<Effect> {
        if self.why_not_train().is_some() {
            return None;
        }
        self.go_on(true)
    }

    pub(super) fn resume(&mut self, neural: bool) -> Option<Effect> {
        if self.why_not_resume().is_some() {
            return None;
        }
        self.go_on(neural)
    }

    /// Goes on with the run that is open; `neural`: although it was to end before the network.
    fn go_on(&mut self, neural: bool) -> Option<Effect> {
        let (capture, run_dir) = (self.capture.clone()?, self.run_dir.clone()?);
        self.make_room(RunState::Starting);
        self.note(Level::Info, format!("Resuming {}", run_dir.display()));
        Some(Effect::Send(Command::Resume(Box::new(ResumeRequest { capture, run_dir, neural, from: None }))))
    }

    /// The engine at rest makes room for the one that goes on; until that is there, nothing can be rendered.
    pub(super) fn make_room(&mut self, state: RunState) {
        self.state = state;
        self.begin_telling();
        self.banner = None;
        self.leave_posing();
        self.frames = None;
        self.playing = None;
        self.go_live();
        self.has_engine = false;
        self.has_network = false;
        self.forget_network();
        self.picture_pending = None;
        self.snapshot_pending = false;
    }

    pub(super) fn toggle_pause(&mut self) -> Option<Effect> {
        self.told.held = None;
        match self.state {
            RunState::Running => {
                self.state = RunState::Paused;
                self.note(Level::Info, "Paused");
                Some(Effect::Pause(true))
            }
            RunState::Paused => {
                self.leave_posing();
                // What held the run is tried again; should it still be so, that is said again.
                self.banner = None;
                self.state = RunState::Running;
                self.note(Level::Info, "Going on");
                Some(Effect::Pause(false))
            }
            _ => None,
        }
    }

    /// Takes a view out of the next run, or back in. A view is left out or held out, never both.
    pub(super) fn toggle_excluded(&mut self, view: usize) {
        if view < self.view_count() && !self.excluded.remove(&view) {
            self.excluded.insert(view);
            self.held_out.remove(&view);
        }
    }

    /// Holds a view out of the next run, or lets it take part again.
    pub(super) fn toggle_held_out(&mut self, view: usize) {
        if view < self.view_count() && !self.held_out.remove(&view) {
            self.held_out.insert(view);
            self.excluded.remove(&view);
        }
    }

    /// The first hands of a run are there, and the camera is to be turned to them.
    pub(crate) fn wants_framing(&self) -> bool {
        self.frames_hands && self.shown.as_ref().is_some_and(|s| !s.hands.is_empty())
    }

    /// The camera was turned to them.
    pub(crate) const fn was_framed(&mut self) {
        self.frames_hands = false;
    }

    /// The engine of a run is there: its curves and snapshots are those up to where it goes on from.
    pub(super) fn on_started(&mut self, run_dir: PathBuf, steps: Vec<StepReport>) {
        self.note(Level::Info, format!("Results go to {}", run_dir.display()));
        let last = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        self.stages_done.retain(|stage| steps.last().is_some_and(|s| *stage < s.stage));
        self.steps = steps;
        self.track.truncate_after(last);
        if self.newest.as_ref().is_some_and(|s| s.step > last) {
            let kept = self.track.frames().len().checked_sub(1).and_then(|i| self.track.unpack(i));
            self.newest = kept.map(Arc::new);
            self.shown = self.newest.clone();
            self.shown_revision += 1;
        }
        self.remember(run_dir.clone());
        self.run_dir = Some(run_dir);
        self.resumable = false;
        self.has_engine = true;
        self.state = RunState::Running;
        self.stopping = false;
    }

    pub(super) fn forget_run(&mut self) {
        self.leave_posing();
        self.playing = None;
        self.forget_pins();
        self.restart_points.clear();
        self.vertices.clear();
        self.light = None;
        self.steps.clear();
        self.pace.clear();
        self.detected = None;
        self.stages_done.clear();
        self.track.clear();
        self.pictures.clear();
        self.cursor = None;
        self.shown = None;
        self.newest = None;
        self.shown_revision += 1;
        self.picture_pending = None;
        self.snapshot_pending = false;
        self.has_engine = false;
        self.has_network = false;
        self.forget_network();
        self.cameras_revision += u64::from(!self.cameras.is_empty());
        self.cameras.clear();
        self.scores.clear();
        self.ious.clear();
        self.run_dir = None;
        self.resumable = false;
    }
}
