//! The timeline beyond dragging: playing, marks to jump to, pins, and going on from a pin in a run of its own.

use super::{Effect, Level, RunState, Session, TimeAxis};
use crate::pipeline::{Snapshot, Stage};
use crate::studio::backend::ResumeRequest;
use crate::studio::worker::Command;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time that a snapshot is shown while playing at speed 1.
const SNAPSHOT: Duration = Duration::from_millis(125);

/// Speeds to choose from.
pub(crate) const SPEEDS: [f32; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];

/// What is asked of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeAction {
    /// Play or hold.
    TogglePlay,
    /// Jump to the next (true) or previous begin of a phase, or pin.
    ToMark(bool),
    /// Pin a step, or take its pin away.
    TogglePin(u32),
    /// Show the snapshot nearest to a step.
    ToStep(u32),
    /// Show a frame of the sequence.
    ToFrame(usize),
    /// Go on in a new run from the nearest kept checkpoint at or before a step.
    RestartFrom(u32),
}

impl Session {
    /// True while the timeline plays.
    #[must_use]
    pub(crate) const fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    pub(super) fn time(&mut self, action: TimeAction) -> Option<Effect> {
        match action {
            TimeAction::TogglePlay => self.toggle_play(Instant::now()),
            TimeAction::ToFrame(frame) => {
                self.playing = None;
                self.go_to_frame(frame);
            }
            TimeAction::ToMark(forward) => {
                if let Some(index) = self.next_mark(forward) {
                    self.playing = None;
                    self.scrub(index);
                }
            }
            TimeAction::TogglePin(step) => self.toggle_pin(step),
            TimeAction::ToStep(step) => {
                if let Some(index) = self.track.nearest(f64::from(step)) {
                    // Steps are of the frame's own run.
                    self.ui.time_axis = if self.frames.is_some() { TimeAxis::Steps } else { self.ui.time_axis };
                    self.playing = None;
                    self.scrub(index);
                }
            }
            TimeAction::RestartFrom(step) => return self.restart_from(step),
        }
        None
    }

    pub(super) fn scrub(&mut self, index: usize) {
        let Some(snapshot) = self.track.unpack(index) else { return };
        self.cursor = Some(index);
        self.posed = None;
        self.shown = Some(Arc::new(snapshot));
        self.shown_revision += 1;
    }

    pub(super) fn go_live(&mut self) {
        if self.cursor.take().is_some() {
            self.shown = self.newest.clone();
            self.posed = None;
            self.shown_revision += 1;
        }
    }

    pub(super) fn scrub_by(&mut self, by: isize) {
        self.playing = None;
        if self.on_frames() {
            return self.frame_by(by);
        }
        let last = self.track.frames().len().saturating_sub(1);
        let at = self.cursor.unwrap_or(last);
        self.scrub(at.saturating_add_signed(by).min(last));
    }

    fn toggle_play(&mut self, now: Instant) {
        if self.playing.take().is_some() || (self.track.frames().is_empty() && !self.on_frames()) {
            return;
        }
        if self.on_frames() {
            self.playing = Some(now);
            if self.frames().is_some_and(|f| f.at + 1 >= f.all.len()) {
                self.go_to_frame(0);
            }
            return;
        }
        // From the end it begins anew.
        let last = self.track.frames().len() - 1;
        if self.cursor.is_none_or(|at| at >= last) {
            self.scrub(0);
        }
        self.playing = Some(now);
    }

    /// Moves on to the snapshot that is due while playing; true when one was. What a slow machine cannot show is passed over.
    pub(crate) fn play_on(&mut self, now: Instant) -> bool {
        let Some(since) = self.playing else { return false };
        let each = SNAPSHOT.div_f32(self.ui.play_speed.clamp(SPEEDS[0], SPEEDS[SPEEDS.len() - 1]));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let due = (now.duration_since(since).as_secs_f32() / each.as_secs_f32()).clamp(0.0, 1e4) as u32;
        if due == 0 {
            return false;
        }
        self.playing = Some(since + each * due);
        if self.on_frames() {
            if !self.play_frames(due as usize) {
                self.playing = None;
            }
            return true;
        }
        let Some(last) = self.track.frames().len().checked_sub(1) else { return false };
        let to = self.cursor.unwrap_or(last) + due as usize;
        if to <= last {
            self.scrub(to);
        } else if self.ui.play_loop {
            self.scrub(to % (last + 1));
        } else {
            self.playing = None;
            self.go_live();
        }
        true
    }

    /// Indices of the snapshots at which phases begin, and of the pinned ones.
    fn marks(&self) -> BTreeSet<usize> {
        let frames = self.track.frames();
        let begins = |i: &usize| {
            i.checked_sub(1)
                .is_none_or(|p| (frames[p].stage, &frames[p].phase) != (frames[*i].stage, &frames[*i].phase))
        };
        let pinned = self.pins.iter().filter_map(|step| self.track.nearest(f64::from(*step)));
        (0..frames.len()).filter(begins).chain(pinned).collect()
    }

    /// Index of the next or previous mark; the end of the track after the last one.
    #[must_use]
    pub(crate) fn next_mark(&self, forward: bool) -> Option<usize> {
        let last = self.track.frames().len().checked_sub(1)?;
        let at = self.cursor.unwrap_or(last);
        let marks = self.marks();
        if forward {
            marks.range(at + 1..).next().copied().or(Some(last)).filter(|to| *to > at)
        } else {
            marks.range(..at).next_back().copied()
        }
    }

    /// Why the shown step cannot be pinned, if so.
    #[must_use]
    pub(crate) fn why_not_pin(&self) -> Option<&'static str> {
        if self.shown.is_none() {
            Some("There are no snapshots yet")
        } else if self.run_dir.is_none() {
            Some("There is no run whose steps could be pinned")
        } else if self.between_frames() {
            Some("The run of this frame is not open yet")
        } else {
            None
        }
    }

    fn toggle_pin(&mut self, step: u32) {
        if !self.pins.remove(&step) {
            self.pins.insert(step);
        }
        self.track.protect(self.pins.clone());
    }

    /// What stands where a step does, in words.
    #[must_use]
    pub(crate) fn step_words(&self, step: u32) -> String {
        let line = (step as usize).checked_sub(1).and_then(|i| self.steps.get(i));
        let place = line.map_or_else(String::new, |s| format!(" · {} {} {}", s.stage.name(), s.phase, s.iter));
        format!("step {step}{place}")
    }

    /// The kept checkpoint that a new run would go on from, for a pin; else why there is none.
    ///
    /// # Errors
    /// Why not, in words.
    pub(crate) fn restart_point(&self, step: u32) -> Result<u32, String> {
        if self.opening.is_some() {
            return Err("A folder is being read".to_owned());
        }
        if self.is_active() {
            return Err("A reconstruction is under way; stop it first".to_owned());
        }
        if self.run_dir.is_none() {
            return Err("There is no run to go on from".to_owned());
        }
        if let Some(Err(reason)) = &self.device {
            return Err(reason.clone());
        }
        if self.restart_points.is_empty() {
            let why = "This run has kept no checkpoints of earlier steps: they are kept of runs computed in this window. \
                Reconstruct anew (Ctrl+Shift+R) computes all stages again";
            return Err(why.to_owned());
        }
        let nearest = self.restart_points.iter().rev().find(|point| **point <= step);
        nearest.copied().ok_or_else(|| {
            "The step lies before HAM, of which no state is kept. Reconstruct anew (Ctrl+Shift+R): pose and fit take seconds"
                .to_owned()
        })
    }

    fn restart_from(&mut self, step: u32) -> Option<Effect> {
        let point = self.restart_point(step).ok()?;
        let (capture, run_dir) = (self.capture.clone()?, self.run_dir.clone()?);
        self.note(Level::Info, format!("A new run goes on from step {point} of {}; that one stays", run_dir.display()));
        // Pins are of the run that is left.
        self.forget_pins();
        self.make_room(RunState::Starting);
        let request = ResumeRequest { capture, run_dir, neural: false, from: Some(point) };
        Some(Effect::Send(Command::Resume(Box::new(request))))
    }

    /// Pins belong to a run; with it they go, from what can be undone as well.
    pub(super) fn forget_pins(&mut self) {
        self.pins.clear();
        self.track.protect(BTreeSet::new());
        self.history.forget_pins();
    }

    /// The snapshot of a step, as the timeline keeps it.
    #[must_use]
    pub(crate) fn snapshot_of(&self, step: u32) -> Option<Arc<Snapshot>> {
        let shown = self.shown.as_ref().filter(|s| s.step == step);
        shown.cloned().or_else(|| {
            let index = self.track.nearest(f64::from(step))?;
            let exact = self.track.frames().get(index).is_some_and(|f| f.step == step);
            exact.then(|| self.track.unpack(index)).flatten().map(Arc::new)
        })
    }

    /// Why the run cannot be exported as it was at a step, if so.
    #[must_use]
    pub(crate) fn why_not_export_step(&self, step: u32) -> Option<&'static str> {
        let index = self.track.nearest(f64::from(step));
        match index.and_then(|i| self.track.frames().get(i)) {
            Some(frame) if frame.step != step => Some("No snapshot of this step is kept"),
            None => Some("No snapshot of this step is kept"),
            Some(frame) if frame.stage < Stage::Ham => {
                Some("Before HAM the hands are the model's own, with parameters that are not kept")
            }
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::pipeline::HandSnapshot;
    use crate::studio::backend::RunViews;
    use crate::studio::session::Action;
    use crate::studio::worker::{Event, TakenSnapshot};

    fn snapshot(step: u32, stage: Stage, phase: &str) -> Arc<Snapshot> {
        let hand = HandSnapshot {
            side: Side::Right,
            faces: Arc::new(vec![[0, 1, 2]]),
            positions: vec![[0.0; 3], [0.1, 0.0, 0.0], [0.0, 0.1, 0.0]],
            normals: vec![[0.0, 0.0, 1.0]; 3],
            albedo: vec![[0.5; 3]; 3],
        };
        let phase = phase.to_owned();
        Arc::new(Snapshot { stage, phase, iter: step, step, joints: [None, None], hands: vec![hand] })
    }

    /// Snapshots 2, 4 … 20 of three phases: until 6, until 12, then.
    fn session() -> Session {
        let mut session = Session::new(Vec::new());
        session.capture = Some(Arc::new(crate::studio::testing::test_capture(3)));
        session.run_dir = Some("runs/1".into());
        for step in (2..=20).step_by(2) {
            let (stage, phase) = match step {
                ..=6 => (Stage::Fit, "lm"),
                7..=12 => (Stage::Ham, "albedo"),
                _ => (Stage::Ham, "shape"),
            };
            let taken =
                TakenSnapshot { snapshot: snapshot(step, stage, phase), cost: Duration::ZERO, device_bytes: None };
            session.on_snapshot(taken);
        }
        session
    }

    fn step(session: &Session) -> u32 {
        session.shown.as_ref().map_or(0, |s| s.step)
    }

    fn does(session: &mut Session, action: TimeAction) {
        assert!(session.apply(Action::Time(action)).is_none(), "nothing outside of the window");
    }

    #[test]
    fn playing_moves_by_the_clock_and_ends_or_begins_anew() {
        let mut session = session();
        does(&mut session, TimeAction::TogglePlay);
        assert!(session.is_playing() && step(&session) == 2, "from the end it begins at the begin");
        let begin = session.playing.expect("playing");
        assert!(!session.play_on(begin + Duration::from_millis(100)), "not yet");
        assert!(
            session.play_on(begin + Duration::from_millis(130)) && step(&session) == 4,
            "an eighth of a second each"
        );
        session.ui.play_speed = 4.0;
        assert!(session.play_on(begin + Duration::from_millis(250)) && step(&session) == 12, "four times as fast");
        does(&mut session, TimeAction::TogglePlay);
        assert!(!session.is_playing() && !session.play_on(begin + Duration::from_secs(9)), "held");
        does(&mut session, TimeAction::TogglePlay);
        assert_eq!(step(&session), 12, "it goes on from there");
        let now = session.playing.expect("playing");
        assert!(session.play_on(now + Duration::from_secs(60)), "to the end");
        assert!(!session.is_playing() && session.cursor.is_none() && step(&session) == 20, "and follows the newest");
        session.ui.play_loop = true;
        does(&mut session, TimeAction::TogglePlay);
        let now = session.playing.expect("playing");
        session.ui.play_speed = 1.0;
        assert!(session.play_on(now + Duration::from_millis(125 * 12 + 20)), "twelve on from the first of ten");
        assert_eq!((step(&session), session.is_playing()), (6, true), "around and on");
        let _ = session.apply(Action::Scrub(1));
        assert!(!session.is_playing(), "who takes the head by hand, holds it");
    }

    #[test]
    fn marks_are_begins_of_phases_pins_and_the_end() {
        let mut session = session();
        let _ = session.apply(Action::Scrub(0));
        does(&mut session, TimeAction::TogglePin(10));
        let mut met = Vec::new();
        while session.next_mark(true).is_some() {
            does(&mut session, TimeAction::ToMark(true));
            met.push(step(&session));
        }
        assert_eq!(met, [8, 10, 14, 20], "forward");
        met.clear();
        while session.next_mark(false).is_some() {
            does(&mut session, TimeAction::ToMark(false));
            met.push(step(&session));
        }
        assert_eq!(met, [14, 10, 8, 2], "and back");
    }

    #[test]
    fn pins_are_undone_kept_and_forgotten_with_their_run() {
        let mut session = session();
        session.history.begin(session.choices());
        does(&mut session, TimeAction::TogglePin(8));
        session.notice_edits();
        assert_eq!(session.undoable(), Some("pin step 8"), "by name");
        let saved = session.wants_project_saved().expect("it is saved");
        assert!(saved.path.ends_with("runs/1/project.ron") && saved.text.contains("pins"), "with the run");
        let _ = session.apply(Action::Undo);
        assert!(session.pins.is_empty(), "undone");
        let _ = session.apply(Action::Redo);
        assert_eq!(session.pins, BTreeSet::from([8]), "done again");
        does(&mut session, TimeAction::TogglePin(8));
        session.notice_edits();
        assert_eq!(session.undoable(), Some("unpin step 8"), "taken away by name too");
        let _ = session.apply(Action::Undo);
        let _ = session.apply(Action::ToggleExclude(1));
        session.notice_edits();
        session.forget_run();
        assert!(session.pins.is_empty(), "they go with the run");
        let _ = session.apply(Action::Undo);
        let _ = session.apply(Action::Undo);
        assert!(session.pins.is_empty() && session.undoable().is_none(), "and do not come back to another one");
    }

    #[test]
    fn a_pin_goes_on_from_the_checkpoint_before_it_in_a_new_run() {
        let mut session = session();
        assert!(session.restart_point(14).is_err_and(|w| w.contains("has kept no checkpoints")), "none known");
        let restart_points = vec![6, 12];
        session.on_event(Event::Views(RunViews { restart_points, ..RunViews::default() }));
        assert_eq!((session.restart_point(14), session.restart_point(12)), (Ok(12), Ok(12)), "at or before");
        assert!(session.restart_point(4).is_err_and(|w| w.contains("before HAM")), "too early");
        let effect = session.apply(Action::Time(TimeAction::RestartFrom(14)));
        let Some(Effect::Send(Command::Resume(request))) = effect else { panic!("a request: {effect:?}") };
        assert_eq!((request.from, request.run_dir.to_str()), (Some(12), Some("runs/1")), "of that run");
        assert!(session.restart_point(14).is_err_and(|w| w.contains("under way")), "one at a time");
    }

    #[test]
    fn only_steps_with_a_full_state_are_exported() {
        let session = session();
        assert_eq!(session.why_not_export_step(14), None, "HAM");
        assert!(session.why_not_export_step(4).is_some_and(|w| w.contains("Before HAM")), "the fit");
        assert!(session.why_not_export_step(15).is_some_and(|w| w.contains("No snapshot")), "between");
        assert_eq!(session.snapshot_of(14).map(|s| s.step), Some(14), "there");
        assert!(session.snapshot_of(15).is_none(), "not there");
    }
}
