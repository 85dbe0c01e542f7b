//! What the window knows: the opened capture, the run so far, what is selected and shown. No Bevy and no drawing here, so
//! every rule of the window (what a button does, when it is disabled, what scrubbing moves) is testable without one.

use super::backend::{ExportRequest, Parameter, PresetInfo, Problem, RunRequest};
use super::picture::Picture;
use super::track::Track;
use super::ui_state::UiState;
use super::worker::{Command, Event, TakenSnapshot, ViewRequest};
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

/// Where the run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RunState {
    /// Nothing was started.
    #[default]
    Idle,
    /// Reconstruct was pressed, the engine is being made.
    Starting,
    /// Stepping.
    Running,
    /// Held.
    Paused,
    /// All stages done.
    Finished,
    /// Ended by the user.
    Stopped,
    /// Ended by an error.
    Failed,
}

/// How bad a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// For information.
    Info,
    /// Something to look at.
    Warning,
    /// Something failed.
    Error,
}

/// A line of the log panel.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    /// Seconds since the window opened.
    pub at: f64,
    /// How bad.
    pub level: Level,
    /// The words.
    pub text: String,
}

/// What a user asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Show the folder dialog.
    OpenDialog,
    /// Open a folder.
    Open(PathBuf),
    /// Reconstruct.
    Start,
    /// Pause or go on.
    TogglePause,
    /// End the run.
    Stop,
    /// Select a view.
    Select(usize),
    /// Select the next (+1) or previous (−1) view.
    SelectBy(isize),
    /// Look through a camera.
    FlyTo(usize),
    /// Look at everything.
    Frame,
    /// Take a view out of the next run, or back in.
    ToggleExclude(usize),
    /// Show the snapshot with this index.
    Scrub(usize),
    /// Show the next or previous snapshot.
    ScrubBy(isize),
    /// Follow the newest snapshot again.
    GoLive,
    /// Write result files.
    Export(ExportRequest),
    /// Choose the export folder.
    ExportDialog,
    /// Close the banner.
    DismissBanner,
}

/// What has to happen outside the session because of an [`Action`].
#[derive(Debug)]
pub(crate) enum Effect {
    /// Send to the worker.
    Send(Command),
    /// Pause (true) or go on.
    Pause(bool),
    /// End the run.
    Cancel,
    /// Show the dialog for a capture folder.
    OpenDialog,
    /// Show the dialog for an export folder.
    ExportDialog,
    /// Move the 3D camera into a view.
    FlyTo(usize),
    /// Move the 3D camera to see everything.
    Frame,
}

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
    /// Counts changes of `shown`.
    pub shown_revision: u64,
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
        self.shown = Some(Arc::new(snapshot));
        self.shown_revision += 1;
    }

    fn go_live(&mut self) {
        if self.cursor.take().is_some() {
            self.shown = self.newest.clone();
            self.shown_revision += 1;
        }
    }

    /// Takes in what the worker says.
    pub(crate) fn on_event(&mut self, event: Event) {
        match event {
            Event::Device(device) => {
                match &device {
                    Ok(name) => self.note(Level::Info, format!("Computing on {name}")),
                    Err(why) => self.note(Level::Error, format!("No computing device: {why}")),
                }
                self.device = Some(device);
            }
            Event::Opening(path) => {
                self.note(Level::Info, format!("Reading {}", path.display()));
                self.opening = Some(path);
            }
            Event::Opened { capture, thumbnails, run, has_engine } => {
                self.on_opened(capture, thumbnails, run);
                self.has_engine = has_engine;
            }
            Event::Started(dir) => {
                self.note(Level::Info, format!("Results go to {}", dir.display()));
                self.run_dir = Some(dir);
                self.has_engine = true;
                self.state = RunState::Running;
            }
            Event::Step(report) => self.steps.push(report),
            Event::StageDone(stage, findings) => {
                self.note(Level::Info, format!("Stage {} done", stage.name()));
                for finding in findings {
                    self.note(Level::Info, format!("  {finding}"));
                }
                self.stages_done.insert(stage);
            }
            Event::Finished => {
                self.state = RunState::Finished;
                self.stages_done.extend(self.steps.last().map(|s| s.stage));
                self.note(Level::Info, "Finished");
                self.notice = Some(("Finished. Scrub the timeline, compare the views, export (Ctrl+E).".to_owned(), Instant::now()));
            }
            Event::Stopped => {
                self.state = RunState::Stopped;
                self.note(Level::Info, "Stopped; the last state is kept");
            }
            Event::Exported(files) => {
                for file in &files {
                    self.note(Level::Info, format!("Wrote {}", file.display()));
                }
                let place = files.first().and_then(|f| f.parent()).map(|p| p.display().to_string()).unwrap_or_default();
                self.notice = Some((format!("Exported {} files to {place}", files.len()), Instant::now()));
            }
            Event::Failed(problem) => {
                self.opening = None;
                if self.is_active() {
                    self.state = RunState::Failed;
                }
                self.note(Level::Error, format!("{}. {} {}", problem.what, problem.meaning, problem.remedy));
                self.banner = Some(problem);
            }
        }
    }

    fn on_opened(
        &mut self,
        capture: Arc<Capture>,
        thumbnails: Vec<RgbImage>,
        run: Option<Box<super::backend::RunRecord>>,
    ) {
        self.forget_run();
        self.opening = None;
        self.banner = None;
        self.state = RunState::Idle;
        self.excluded.clear();
        self.selected = 0;
        self.note(Level::Info, format!("Opened {}: {} views", capture.name, capture.views.len()));
        for warning in &capture.warnings {
            self.note(Level::Warning, warning.clone());
        }
        self.capture = Some(capture);
        self.thumbnails = thumbnails;
        self.capture_revision += 1;
        if let Some(run) = run {
            self.note(Level::Info, format!("Run {} with {} snapshots", run.dir.display(), run.snapshots.len()));
            self.steps = run.steps;
            self.stages_done.extend(self.steps.iter().map(|s| s.stage));
            self.run_dir = Some(run.dir);
            for snapshot in run.snapshots {
                self.track.push(&snapshot);
                self.newest = Some(snapshot);
            }
            self.shown = self.newest.clone();
            self.shown_revision += 1;
        }
    }

    /// Takes in a new snapshot.
    pub(crate) fn on_snapshot(&mut self, taken: TakenSnapshot) {
        self.snapshot_pending = false;
        self.last_snapshot = Some((Instant::now(), taken.cost));
        self.track.push(&taken.snapshot);
        if let Some(cursor) = self.cursor {
            // Thinning may have moved indices: stay at the same step.
            let step = self.shown.as_ref().map_or(0, |s| s.step);
            self.cursor = self.track.nearest(f64::from(step)).or(Some(cursor));
        } else {
            self.shown = Some(Arc::clone(&taken.snapshot));
            self.shown_revision += 1;
        }
        self.newest = Some(taken.snapshot);
    }

    /// Takes in a rendered view.
    pub(crate) fn on_picture(&mut self, picture: Picture) {
        self.picture_pending = None;
        self.last_picture = Some((Instant::now(), picture.cost));
        self.pictures.retain(|p| (p.view, p.step) != (picture.view, picture.step));
        self.pictures.push_back(Arc::new(picture));
        while self.pictures.len() > PICTURES {
            self.pictures.pop_front();
        }
    }

    /// True when it is time to ask for another live snapshot: never faster than the interval, and never so often that
    /// snapshots take more than a tenth of the worker's time.
    #[must_use]
    pub(crate) fn wants_snapshot(&mut self) -> bool {
        if self.state != RunState::Running || self.snapshot_pending {
            return false;
        }
        let due = self.last_snapshot.is_none_or(|(at, cost)| at.elapsed() >= self.snapshot_interval.max(cost * 10));
        self.snapshot_pending = due;
        due
    }

    /// The view to have rendered next, if any: the selected view of the shown snapshot, unless it is there or under way.
    /// While stepping, pictures take at most a fifth of the worker's time; scrubbing is answered at once.
    #[must_use]
    pub(crate) fn wants_picture(&mut self) -> Option<ViewRequest> {
        if !self.has_engine {
            return None;
        }
        let snapshot = self.shown.as_ref()?;
        if snapshot.hands.is_empty() {
            return None;
        }
        let key = (self.selected, snapshot.step);
        if self.picture_pending.is_some() || self.pictures.iter().any(|p| (p.view, p.step) == key) {
            return None;
        }
        let follows_live = self.cursor.is_none() && self.state == RunState::Running;
        let same_view = self.pictures.back().is_some_and(|p| p.view == self.selected);
        if follows_live && same_view && self.last_picture.is_some_and(|(at, cost)| at.elapsed() < cost * 5) {
            return None;
        }
        self.picture_pending = Some(key);
        Some(ViewRequest { view: self.selected, snapshot: Arc::clone(snapshot) })
    }

    /// The newest picture of the selected view at or before the shown step, and whether it is exactly of that step.
    #[must_use]
    pub(crate) fn picture(&self) -> Option<(Arc<Picture>, bool)> {
        let step = self.shown.as_ref()?.step;
        let of_view = || self.pictures.iter().filter(|p| p.view == self.selected);
        let exact = of_view().find(|p| p.step == step);
        exact.map(|p| (Arc::clone(p), true)).or_else(|| {
            // While live, the picture lags a little behind the mesh.
            self.cursor.is_none().then(|| of_view().max_by_key(|p| p.step).map(|p| (Arc::clone(p), false))).flatten()
        })
    }

    /// The newest score of each view that has been rendered.
    #[must_use]
    pub(crate) fn psnr_db(&self, view: usize) -> Option<f64> {
        self.pictures.iter().filter(|p| p.view == view).max_by_key(|p| p.step).and_then(|p| p.psnr_db)
    }

    /// Steps per second and remaining seconds of the phase, from the last 30 steps.
    #[must_use]
    pub(crate) fn rate(&self) -> Option<(f64, f64)> {
        let last = self.steps.last()?;
        let from = self.steps.len().saturating_sub(30);
        let same = |s: &&StepReport| s.stage == last.stage && s.phase == last.phase;
        let first = self.steps[from..].iter().find(same)?;
        let seconds = last.t - first.t;
        let steps = f64::from(last.iter) - f64::from(first.iter);
        if seconds <= 0.0 || steps <= 0.0 {
            return None;
        }
        let rate = steps / seconds;
        Some((rate, f64::from(last.iters.saturating_sub(last.iter)) / rate))
    }
}
