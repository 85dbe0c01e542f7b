//! What the window knows: the opened capture, the run so far, what is selected and shown. No Bevy and no drawing here, so
//! every rule of the window (what a button does, when it is disabled, what scrubbing moves) is testable without one.

mod action;
mod news;
mod posing;

pub(crate) use action::{Action, Effect, Level, LogLine, RunState};
pub(crate) use posing::{Chosen, NamedPose, PoseAction, Posing, SYNERGIES};

use super::backend::{Parameter, PresetInfo, Problem, RunRequest};
use super::picture::Picture;
use super::track::Track;
use super::ui_state::UiState;
use super::worker::Command;
use crate::capture::Capture;
use crate::pipeline::{Snapshot, Stage, StepReport};
use image::RgbImage;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Lines the log panel keeps.
const LOG_LINES: usize = 2000;
/// Rendered views kept for scrubbing back and forth (each about 5 MB).
const PICTURES: usize = 12;
/// Vertex bytes the snapshot track may hold.
const TRACK_BYTES: usize = 512 << 20;

/// The session. (A Bevy resource, and that is all it has to do with Bevy.)
#[derive(Debug, bevy::prelude::Resource)]
pub(crate) struct Session {
    started: Instant,
    /// The computing device, or why there is none; `None` until the worker has looked.
    pub device: Option<Result<String, String>>,
    /// Folder being read.
    pub opening: Option<PathBuf>,
    /// The opened capture.
    pub capture: Option<Arc<Capture>>,
    /// Counts captures opened, so that textures and the rig know when to rebuild.
    pub capture_revision: u64,
    /// One small picture a view.
    pub thumbnails: Vec<RgbImage>,
    /// Views that the next run leaves out.
    pub excluded: BTreeSet<usize>,
    /// The selected view.
    pub selected: usize,
    /// Where the run stands.
    pub state: RunState,
    /// The worker can render views and export.
    pub has_engine: bool,
    /// Where its results go.
    pub run_dir: Option<PathBuf>,
    /// All metrics lines so far.
    pub steps: Vec<StepReport>,
    /// Stages that have ended.
    pub stages_done: BTreeSet<Stage>,
    /// Snapshots so far.
    pub track: Track,
    /// Index of the shown snapshot, `None` = live.
    pub cursor: Option<usize>,
    /// The shown snapshot.
    pub shown: Option<Arc<Snapshot>>,
    /// Counts changes of `shown` and `posed`.
    pub shown_revision: u64,
    /// Hands brought to rest for posing, once they were asked for.
    pub posing: Option<Posing>,
    /// The posed hands, shown in place of `shown`.
    pub posed: Option<Arc<Snapshot>>,
    posing_pending: bool,
    newest: Option<Arc<Snapshot>>,
    pictures: VecDeque<Arc<Picture>>,
    picture_pending: Option<(usize, u32)>,
    last_picture: Option<(Instant, Duration)>,
    last_snapshot: Option<(Instant, Duration)>,
    snapshot_pending: bool,
    /// Presets to choose from.
    pub presets: Vec<PresetInfo>,
    /// Index of the chosen preset.
    pub preset: usize,
    /// Changed parameters by key.
    pub overrides: BTreeMap<String, f64>,
    /// The error on show.
    pub banner: Option<Problem>,
    /// Something pleasant on show, and since when.
    pub notice: Option<(String, Instant)>,
    /// The log.
    pub log: VecDeque<LogLine>,
    /// Least time between two live snapshots.
    pub snapshot_interval: Duration,
    /// What the panels remember.
    pub ui: UiState,
}

impl Session {
    /// A session with nothing open.
    #[must_use]
    pub(crate) fn new(presets: Vec<PresetInfo>) -> Self {
        let preset = presets.iter().position(|p| p.name == "standard").unwrap_or(0);
        Self {
            started: Instant::now(),
            device: None,
            opening: None,
            capture: None,
            capture_revision: 0,
            thumbnails: Vec::new(),
            excluded: BTreeSet::new(),
            selected: 0,
            state: RunState::Idle,
            has_engine: false,
            run_dir: None,
            steps: Vec::new(),
            stages_done: BTreeSet::new(),
            track: Track::with_cap(TRACK_BYTES),
            cursor: None,
            shown: None,
            shown_revision: 0,
            posing: None,
            posed: None,
            posing_pending: false,
            newest: None,
            pictures: VecDeque::new(),
            picture_pending: None,
            last_picture: None,
            last_snapshot: None,
            snapshot_pending: false,
            presets,
            preset,
            overrides: BTreeMap::new(),
            banner: None,
            notice: None,
            log: VecDeque::new(),
            snapshot_interval: Duration::from_millis(250),
            ui: UiState::default(),
        }
    }

    /// Adds a log line.
    pub(crate) fn note(&mut self, level: Level, text: impl Into<String>) {
        if self.log.len() >= LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(LogLine { at: self.started.elapsed().as_secs_f64(), level, text: text.into() });
    }

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
        let left = capture.views.len() - self.excluded.len();
        if left < 2 {
            return Some(format!("At least two views are needed, {left} left; include one again (X)"));
        }
        None
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
        } else {
            None
        }
    }

    /// The chosen preset.
    #[must_use]
    pub(crate) fn preset(&self) -> Option<&PresetInfo> {
        self.presets.get(self.preset)
    }

    /// Value of a parameter with the user's change.
    #[must_use]
    pub(crate) fn parameter(&self, parameter: &Parameter) -> f64 {
        self.overrides.get(&parameter.key).copied().unwrap_or(parameter.value)
    }

    /// Carries out an action as far as it concerns the session and says what else must happen.
    #[must_use]
    pub(crate) fn apply(&mut self, action: Action) -> Option<Effect> {
        match action {
            Action::OpenDialog => Some(Effect::OpenDialog),
            Action::Open(path) => self.open(path),
            Action::Start => self.start(),
            Action::TogglePause => match self.state {
                RunState::Running => {
                    self.state = RunState::Paused;
                    self.note(Level::Info, "Paused");
                    Some(Effect::Pause(true))
                }
                RunState::Paused => {
                    self.leave_posing();
                    self.state = RunState::Running;
                    self.note(Level::Info, "Going on");
                    Some(Effect::Pause(false))
                }
                _ => None,
            },
            Action::Stop => self.is_active().then_some(Effect::Cancel),
            Action::Select(view) => {
                self.select(view);
                None
            }
            Action::SelectBy(by) => {
                let count = isize::try_from(self.view_count()).unwrap_or(0);
                if count > 0 {
                    let at = isize::try_from(self.selected).unwrap_or(0);
                    self.select(usize::try_from((at + by).rem_euclid(count)).unwrap_or(0));
                }
                None
            }
            Action::FlyTo(view) => {
                self.select(view);
                (view < self.view_count()).then_some(Effect::FlyTo(view))
            }
            Action::Frame => Some(Effect::Frame),
            Action::ToggleExclude(view) => {
                if view < self.view_count() && !self.excluded.remove(&view) {
                    self.excluded.insert(view);
                }
                None
            }
            Action::Scrub(index) => {
                self.scrub(index);
                None
            }
            Action::ScrubBy(by) => {
                let last = self.track.frames().len().saturating_sub(1);
                let at = self.cursor.unwrap_or(last);
                self.scrub(at.saturating_add_signed(by).min(last));
                None
            }
            Action::GoLive => {
                self.go_live();
                None
            }
            Action::Export(request) => {
                self.note(Level::Info, format!("Exporting {}", request.formats.join(", ")));
                Some(Effect::Send(Command::Export(request)))
            }
            Action::Pose(action) => self.pose(action).then_some(Effect::Send(Command::Posable)),
            Action::ExportDialog => Some(Effect::ExportDialog),
            Action::DismissBanner => {
                self.banner = None;
                None
            }
        }
    }

    fn view_count(&self) -> usize {
        self.capture.as_ref().map_or(0, |c| c.views.len())
    }

    fn select(&mut self, view: usize) {
        if view < self.view_count() {
            self.selected = view;
        }
    }

    fn open(&mut self, path: PathBuf) -> Option<Effect> {
        if self.is_active() {
            self.banner = Some(Problem {
                what: "A reconstruction is under way".to_owned(),
                meaning: format!("{} was not opened.", path.display()),
                remedy: "Stop the run, then open the folder again.".to_owned(),
            });
            return None;
        }
        self.opening = Some(path.clone());
        self.banner = None;
        Some(Effect::Send(Command::Open(path)))
    }

    fn start(&mut self) -> Option<Effect> {
        if self.why_not_start().is_some() {
            return None;
        }
        let capture = self.capture.clone()?;
        let preset = self.preset().map_or_else(String::new, |p| p.name.clone());
        self.state = RunState::Starting;
        self.banner = None;
        self.forget_run();
        self.note(Level::Info, format!("Reconstructing {} with preset {preset}", capture.name));
        Some(Effect::Send(Command::Start(Box::new(RunRequest {
            overrides: self.overrides.clone().into_iter().collect(),
            excluded: self.excluded.iter().copied().collect(),
            ..RunRequest::new(capture, &preset)
        }))))
    }

    fn forget_run(&mut self) {
        self.leave_posing();
        self.steps.clear();
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
        self.run_dir = None;
    }

    fn scrub(&mut self, index: usize) {
        let Some(snapshot) = self.track.unpack(index) else { return };
        self.cursor = Some(index);
        self.posed = None;
        self.shown = Some(Arc::new(snapshot));
        self.shown_revision += 1;
    }

    fn go_live(&mut self) {
        if self.cursor.take().is_some() {
            self.shown = self.newest.clone();
            self.posed = None;
            self.shown_revision += 1;
        }
    }
}
