//! The frames of a sequence: which one is shown, and which is open with its photographs and scores. Meshes of all frames are
//! fetched in the background, so that they can be played; photographs follow where the slider rests.

use super::{Effect, Session};
use crate::capture::OpenOptions;
use crate::pipeline::{FrameState, Snapshot};
use crate::studio::backend::OpenedSequence;
use crate::studio::errands::Errand;
use crate::studio::track::Track;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the timeline counts while a sequence is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TimeAxis {
    /// Frames of the sequence.
    #[default]
    Frames,
    /// Steps of the open frame's run.
    Steps,
}

/// An open sequence.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Its folder.
    dir: PathBuf,
    /// Names and states in order.
    pub all: Vec<(String, FrameState)>,
    /// The frame that is shown.
    pub at: usize,
    /// The frame that is open.
    open: usize,
    /// The frame that is being opened.
    wanted: Option<usize>,
    /// Meshes of the frames that were fetched; steps are their places, from 1.
    meshes: Track,
}

impl Frames {
    /// Whether a frame has a finished run.
    #[must_use]
    pub(crate) fn is_done(&self, frame: usize) -> bool {
        self.all.get(frame).is_some_and(|(_, state)| *state == FrameState::Done)
    }

    /// The finished frame nearest to one.
    fn nearest_done(&self, frame: usize) -> Option<usize> {
        (0..self.all.len()).filter(|f| self.is_done(*f)).min_by_key(|f| f.abs_diff(frame))
    }

    /// The finished frames in order, and which of them is shown, or else the next one.
    fn done(&self) -> (Vec<usize>, usize) {
        let done: Vec<usize> = (0..self.all.len()).filter(|f| self.is_done(*f)).collect();
        let at = done.iter().position(|f| *f >= self.at).unwrap_or(0);
        (done, at)
    }

    /// How many meshes are there.
    #[must_use]
    pub(crate) fn fetched(&self) -> usize {
        self.meshes.frames().len()
    }

    fn mesh(&self, frame: usize) -> Option<Snapshot> {
        let step = u32::try_from(frame + 1).ok()?;
        let index = self.meshes.nearest(f64::from(step))?;
        self.meshes.unpack(index).filter(|s| s.step == step)
    }
}

impl Session {
    /// The open sequence.
    #[must_use]
    pub(crate) const fn frames(&self) -> Option<&Frames> {
        self.frames.as_ref()
    }

    /// True while the timeline counts frames.
    #[must_use]
    pub(crate) fn on_frames(&self) -> bool {
        self.frames.is_some() && self.ui.time_axis == TimeAxis::Frames
    }

    /// True while the frame that is shown is not the open one: photographs and scores are not of it.
    #[must_use]
    pub(crate) fn between_frames(&self) -> bool {
        self.frames.as_ref().is_some_and(|f| f.at != f.open)
    }

    /// A sequence was opened with one of its frames.
    pub(super) fn on_sequence(&mut self, opened: OpenedSequence) {
        let OpenedSequence { dir, frames, at } = opened;
        let done = frames.iter().filter(|(_, state)| *state == FrameState::Done).count();
        self.note(super::Level::Info, format!("Sequence {}: {done} of {} frames", dir.display(), frames.len()));
        let wanted = frames.iter().enumerate().filter(|(_, (_, state))| *state == FrameState::Done);
        let wanted = wanted.map(|(i, (name, _))| (i, name.clone())).collect();
        self.errands.push_back(Errand::Frames(dir.clone(), wanted));
        self.remember(dir.clone());
        let meshes = Track::with_cap(super::TRACK_BYTES);
        self.frames = Some(Frames { dir, all: frames, at, open: at, wanted: None, meshes });
    }

    /// A mesh of a frame was fetched.
    pub(super) fn on_frame_mesh(&mut self, dir: &Path, snapshot: &Snapshot) {
        if let Some(frames) = self.frames.as_mut().filter(|f| f.dir == dir) {
            frames.meshes.push(snapshot);
        }
    }

    /// Shows a frame, or the nearest one that has a run: its mesh at once where it is there, the rest when it is open.
    pub(super) fn go_to_frame(&mut self, frame: usize) {
        let Some(to) = self.frames.as_ref().and_then(|f| f.nearest_done(frame)) else { return };
        let Some(frames) = self.frames.as_mut().filter(|f| f.at != to) else { return };
        frames.at = to;
        if frames.open == to {
            self.cursor = None;
            self.shown = self.newest.clone();
        } else if let Some(mesh) = frames.mesh(to) {
            self.shown = Some(Arc::new(mesh));
        }
        self.leave_posing();
        self.shown_revision += 1;
    }

    /// Shows the next (+1) or previous finished frame.
    pub(super) fn frame_by(&mut self, by: isize) {
        let Some(frames) = &self.frames else { return };
        let (done, at) = frames.done();
        let to = at.saturating_add_signed(by).min(done.len().saturating_sub(1));
        if let Some(to) = done.get(to).copied() {
            self.go_to_frame(to);
        }
    }

    /// Moves on by so many frames while playing; false at the end, when it is not to begin anew.
    pub(super) fn play_frames(&mut self, by: usize) -> bool {
        let Some(frames) = &self.frames else { return false };
        let (done, at) = frames.done();
        let to = at + by;
        let goes_on = to < done.len() || self.ui.play_loop;
        let to = if self.ui.play_loop { to % done.len().max(1) } else { to.min(done.len().saturating_sub(1)) };
        if let Some(to) = done.get(to).copied() {
            self.go_to_frame(to);
        }
        goes_on
    }

    /// The run of the shown frame to be opened next, when the slider rests.
    #[must_use]
    pub(crate) fn wants_frame(&mut self) -> Option<Effect> {
        if self.opening.is_some() || self.is_playing() || self.is_active() {
            return None;
        }
        let frames = self.frames.as_mut().filter(|f| f.at != f.open)?;
        let name = &frames.all.get(frames.at)?.0;
        frames.wanted = Some(frames.at);
        let path = frames.dir.join(name);
        self.begin_opening(path, OpenOptions::default())
    }

    /// True when what was just opened is a frame of the open sequence, which was asked for by the slider; else the sequence
    /// is left.
    pub(super) fn is_next_frame(&mut self, run: Option<&Path>) -> bool {
        let asked = self.frames.as_mut().and_then(|f| {
            let frame = f.wanted.take()?;
            (run == Some(f.dir.join(&f.all.get(frame)?.0).as_path())).then_some(frame)
        });
        match (asked, &mut self.frames) {
            (Some(frame), Some(frames)) => {
                frames.open = frame;
                true
            }
            _ => {
                self.frames = None;
                false
            }
        }
    }

    /// A frame could not be opened: the open one is shown again.
    pub(super) fn give_up_frame(&mut self) {
        let given_up = self.frames.as_mut().and_then(|f| f.wanted.take().map(|_| f.open));
        if let Some(open) = given_up {
            self.go_to_frame(open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::pipeline::{HandSnapshot, Stage};
    use crate::studio::backend::RunRecord;
    use crate::studio::errands::Found;
    use crate::studio::session::{Action, TimeAction};
    use crate::studio::testing::test_capture;
    use crate::studio::worker::{Command, Event};
    use std::time::{Duration, Instant};

    fn mesh(step: u32, x: f32) -> Snapshot {
        let hand = HandSnapshot {
            side: Side::Right,
            faces: Arc::new(vec![[0, 1, 2]]),
            positions: vec![[x, 0.0, 0.0], [x + 0.1, 0.0, 0.0], [x, 0.1, 0.0]],
            normals: vec![[0.0, 0.0, 1.0]; 3],
            albedo: vec![[0.5; 3]; 3],
        };
        Snapshot { stage: Stage::Ham, phase: "done".to_owned(), iter: 0, step, joints: [None, None], hands: vec![hand] }
    }

    /// A run of a frame whose mesh begins at `x`.
    fn opens(session: &mut Session, name: &str, x: f32) {
        let run = RunRecord {
            dir: Path::new("seq").join(name),
            steps: Vec::new(),
            snapshots: vec![Arc::new(mesh(120, x))],
            preset: "draft".to_owned(),
            excluded: Vec::new(),
            held_out: Vec::new(),
            resumable: false,
            detected: None,
            edits: Arc::default(),
        };
        session.on_event(Event::Opened {
            capture: Arc::new(test_capture(4)),
            thumbnails: Vec::new(),
            run: Some(Box::new(run)),
            has_engine: true,
            results: "seq".into(),
        });
    }

    fn x(session: &Session) -> f32 {
        session.shown.as_ref().map_or(f32::NAN, |s| s.hands[0].positions[0][0])
    }

    /// Five frames of which the third was left out; meshes at 0, 1, 3, 4.
    fn session() -> Session {
        let mut session = Session::new(Vec::new());
        opens(&mut session, "0000", 0.0);
        let frames = (0..5)
            .map(|i| {
                let state = if i == 2 { FrameState::LeftOut("dark".to_owned()) } else { FrameState::Done };
                (format!("{i:04}"), state)
            })
            .collect();
        session.on_event(Event::Sequence(OpenedSequence { dir: "seq".into(), frames, at: 0 }));
        let Some(Errand::Frames(dir, wanted)) = session.errands.pop_back() else { panic!("meshes are sent for") };
        assert_eq!(wanted.iter().map(|w| w.0).collect::<Vec<_>>(), [0, 1, 3, 4], "of the finished frames");
        for (frame, _) in wanted {
            let step = u32::try_from(frame).expect("few") + 1;
            let found = Found::Frame(dir.clone(), Arc::new(mesh(step, step as f32 - 1.0)));
            assert_eq!(session.on_found(found), None, "kept");
        }
        session
    }

    #[test]
    fn the_slider_shows_meshes_at_once_and_the_rest_when_it_is_open() {
        let mut session = session();
        let _ = session.apply(Action::Select(2));
        let _ = session.apply(Action::Time(TimeAction::ToFrame(3)));
        assert!((x(&session) - 3.0).abs() < 1e-3, "the mesh: {}", x(&session));
        assert!(session.between_frames() && session.wants_picture().is_none(), "no picture of the wrong photographs");
        let Some(Effect::Send(Command::Open(path, _))) = session.wants_frame() else { panic!("it is opened") };
        assert_eq!(path, Path::new("seq/0003"), "its run");
        assert!(session.wants_frame().is_none(), "once");
        let before = session.placement_revision;
        opens(&mut session, "0003", 3.0);
        assert!(!session.between_frames() && session.frames().is_some(), "now all is of that frame");
        assert_eq!((session.selected, session.placement_revision), (2, before), "from where one looked");
        assert!(session.wants_picture().is_some(), "pictures too");
        let _ = session.apply(Action::Time(TimeAction::ToFrame(2)));
        assert_eq!(session.frames().map(|f| f.at), Some(1), "a frame without a run gives its nearest one");
        opens(&mut session, "0001", 9.0);
        assert!(session.frames().is_none(), "a run that was opened by hand leaves the sequence");
    }

    #[test]
    fn frames_are_played_and_stepped_through() {
        let mut session = session();
        let _ = session.apply(Action::ScrubBy(1));
        let _ = session.apply(Action::ScrubBy(1));
        assert_eq!(session.frames().map(|f| f.at), Some(3), "over the one that was left out");
        let _ = session.apply(Action::Scrub(0));
        assert_eq!(session.frames().map(|f| f.at), Some(0), "the first");
        let _ = session.apply(Action::GoLive);
        assert_eq!(session.frames().map(|f| f.at), Some(4), "the last");
        let _ = session.apply(Action::Time(TimeAction::TogglePlay));
        assert_eq!(session.frames().map(|f| f.at), Some(0), "from the end it begins anew");
        assert!(session.wants_frame().is_none(), "photographs wait while it plays");
        assert!(session.play_on(Instant::now() + Duration::from_millis(300)), "two frames on");
        assert_eq!(session.frames().map(|f| f.at), Some(3), "by the clock");
        assert!(session.play_on(Instant::now() + Duration::from_secs(9)) && !session.is_playing(), "to the end");
        assert!((x(&session) - 4.0).abs() < 1e-3, "which is shown");
        session.ui.time_axis = TimeAxis::Steps;
        let _ = session.apply(Action::Scrub(0));
        assert_eq!(session.frames().map(|f| f.at), Some(4), "steps are of the frame's own run");
    }

    #[test]
    fn a_frame_that_cannot_be_opened_is_left_again() {
        let mut session = session();
        let _ = session.apply(Action::Time(TimeAction::ToFrame(4)));
        assert!(session.wants_frame().is_some(), "asked for");
        let problem = crate::studio::Problem::opening(Path::new("seq/0004"), &anyhow::anyhow!("gone"));
        session.on_event(Event::Failed(problem));
        assert_eq!(session.frames().map(|f| f.at), Some(0), "back at the open one");
        assert!(session.wants_frame().is_none(), "and not asked for again and again");
    }
}
