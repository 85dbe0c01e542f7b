//! What the window knows: the opened capture, the run so far, what is selected and shown. No Bevy and no drawing here, so
//! every rule of the window (what a button does, when it is disabled, what scrubbing moves) is testable without one.

mod action;
mod closing;
mod curves;
mod edits;
mod findings;
mod folders;
mod frames;
mod hand;
mod heat;
mod live;
mod measure;
mod neural;
mod news;
mod other_runs;
mod picture_edits;
mod posing;
pub(super) mod project;
mod reading;
mod run;
mod timeline;
mod welcome;

pub(crate) use action::{Action, Effect, Exporting, Folder, Framed, Level, LogLine, Notice, RunState};
pub(crate) use closing::{Closing, Leave};
pub(crate) use frames::{Frames, TimeAxis};
pub(crate) use hand::HandPick;
pub(crate) use live::Mark;
pub(crate) use measure::Measure;
pub(crate) use other_runs::{OtherRun, RunsAction};
pub(crate) use picture_edits::EditAction;
pub(crate) use posing::{Chosen, NamedPose, PoseAction, Posing, SYNERGIES};
pub(crate) use reading::{AS_FOUND, Refused, set as set_reading};
pub(crate) use timeline::{SPEEDS, TimeAction};
pub(crate) use welcome::CARDS;

use super::backend::Look;
use super::backend::{Detected, Parameter, PresetInfo};
use super::errands::Errand;
use super::picture::Picture;
use super::problem::Problem;
use super::settings::Settings;
use super::track::Track;
use super::ui_state::UiState;
use super::worker::Command;
use crate::camera::Camera;
use crate::capture::{Capture, Edits, OpenOptions};
use crate::fitting::pose::HandChoice;
use crate::pipeline::{Diagnosis, PhaseRates, Snapshot, Stage, StepReport};
use image::RgbImage;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Lines the log panel keeps.
const LOG_LINES: usize = 2000;
/// Folders that are remembered.
const RECENT: usize = 8;
/// Rendered views kept for scrubbing back and forth (each about 5 MB).
const PICTURES: usize = 12;
/// Vertex bytes the snapshot track may hold of each hand.
pub(super) const TRACK_BYTES: usize = 200_000_000;

/// A rendered view that is asked for: view, step, and what it shows.
pub(crate) type Sought = (usize, u32, Look);

/// The session. (A Bevy resource, and that is all it has to do with Bevy.)
#[derive(Debug, bevy::prelude::Resource)]
pub(crate) struct Session {
    started: Instant,
    /// The computing device, or why there is none; `None` until the worker has looked.
    pub device: Option<Result<String, String>>,
    /// Bytes that the run held on that device at its newest snapshot.
    pub device_bytes: Option<u64>,
    /// Folder being read.
    pub opening: Option<PathBuf>,
    /// Folder that could not be read.
    pub refused: Option<Refused>,
    /// The opened capture.
    pub capture: Option<Arc<Capture>>,
    /// What is set by hand when it is read the next time.
    pub reading: OpenOptions,
    opening_again: bool,
    /// The next run finds its keypoints in the images although the capture has its own.
    pub detect: bool,
    /// Keypoints that the run has found in the images, a view each.
    pub detected: Detected,
    /// Counts captures opened, so that textures and the rig know when to rebuild.
    pub capture_revision: u64,
    /// The camera is to be turned to the first hands of the run.
    frames_hands: bool,
    /// The run was told to stop and has not ended yet.
    pub(crate) stopping: bool,
    /// Cameras as the run has corrected them; empty while they are those of the capture.
    cameras: Vec<Camera>,
    /// Counts changes of the cameras, so that the rig knows when to move.
    pub cameras_revision: u64,
    /// Scores of the final meshes, one a view; empty before the end of a run.
    scores: Vec<Option<f64>>,
    /// Silhouettes of the final meshes, likewise.
    ious: Vec<Option<f64>>,
    /// One small picture a view.
    pub thumbnails: Vec<RgbImage>,
    /// What the doctor found, once it has looked.
    pub diagnosis: Option<Arc<Diagnosis>>,
    /// Index of the selected finding.
    pub finding: Option<usize>,
    /// Views that the next run leaves out.
    pub excluded: BTreeSet<usize>,
    /// Views that no stage of the next run sees, but which are compared.
    pub held_out: BTreeSet<usize>,
    /// Changes of keypoints and masks that the next run is given.
    pub edits: Arc<Edits>,
    /// Counts changes of them, so that pictures of masks know when to follow.
    pub edits_revision: u64,
    /// Those that the open run was given.
    run_edits: Arc<Edits>,
    /// A file of edits lies beside the project file.
    edits_kept: bool,
    /// Hands that the next run looks for.
    pub hands: HandChoice,
    /// Folder in which the next run makes its own, if the user chose one.
    pub results: Option<PathBuf>,
    /// The hand model of the next run.
    pub hand: HandPick,
    /// Folder in which it does otherwise.
    pub default_results: PathBuf,
    /// The selected view.
    pub selected: usize,
    /// Where the run stands.
    pub state: RunState,
    /// The worker can render views and export.
    pub has_engine: bool,
    /// The run has a network.
    pub has_network: bool,
    /// Train the network in the next run.
    pub train_network: bool,
    /// Pictures by the network in the 3D view.
    pub network: neural::NetworkView,
    /// Where its results go.
    pub run_dir: Option<PathBuf>,
    /// The run in `run_dir` has not finished and can be gone on with.
    pub resumable: bool,
    /// All metrics lines so far.
    pub steps: Vec<StepReport>,
    /// The pace of the phases of HAM computed in this window, the present one last.
    pub pace: Vec<PhaseRates>,
    /// Stages that have ended.
    pub stages_done: BTreeSet<Stage>,
    /// Snapshots so far.
    pub track: Track,
    /// Index of the shown snapshot, `None` = live.
    pub cursor: Option<usize>,
    /// Since when the shown snapshot is due, while playing.
    playing: Option<Instant>,
    /// Pinned steps of the run.
    pub pins: BTreeSet<u32>,
    /// Steps that a new run can go on from.
    restart_points: Vec<u32>,
    /// The light of the capture, once HAM knows it.
    pub light: Option<[f64; crate::shading::LIGHT_STRIDE]>,
    /// What the vertices' colours measure.
    heat: heat::HeatOnShow,
    /// Vertices of each hand as exported; empty while that is not known.
    pub vertices: Vec<usize>,
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
    picture_pending: Option<Sought>,
    last_picture: Option<(Instant, Duration)>,
    last_snapshot: Option<(Instant, Duration)>,
    snapshot_pending: bool,
    /// Presets to choose from.
    pub presets: Vec<PresetInfo>,
    /// Index of the chosen preset.
    pub preset: usize,
    /// Changed parameters by key.
    pub overrides: BTreeMap<String, f64>,
    history: edits::History,
    /// Where settings are kept, and which are there.
    settings: Option<(PathBuf, Settings)>,
    /// The open sequence.
    frames: Option<Frames>,
    /// Counts captures that stand in a place of their own, so that the 3D view knows when to look anew.
    pub placement_revision: u64,
    /// Errands to the disk that nobody has been sent on yet.
    errands: VecDeque<Errand>,
    /// Other runs of the capture.
    pub others: other_runs::OtherRuns,
    /// What the first screen shows.
    pub welcome: welcome::Welcome,
    /// Folders that were open, the newest first.
    pub recent: Vec<PathBuf>,
    /// The run that was under way when the window was closed the last time.
    pub interrupted: Option<PathBuf>,
    /// Something was edited since the project file was written.
    edited: bool,
    /// It is being written.
    saving: bool,
    /// The log has said where it is.
    told_where: bool,
    way_out: closing::WayOut,
    told: live::Told,
    /// The error on show.
    pub banner: Option<Problem>,
    /// A folder to be typed under the banner, as no dialog can be shown, and the text so far.
    pub typed: Option<(Folder, String)>,
    /// Something pleasant on show.
    pub notice: Option<Notice>,
    /// The export under way.
    pub exporting: Option<Exporting>,
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
        let mut session = Self {
            started: Instant::now(),
            device: None,
            device_bytes: None,
            opening: None,
            refused: None,
            capture: None,
            reading: OpenOptions::default(),
            opening_again: false,
            detect: false,
            detected: None,
            capture_revision: 0,
            frames_hands: false,
            stopping: false,
            cameras: Vec::new(),
            cameras_revision: 0,
            scores: Vec::new(),
            ious: Vec::new(),
            thumbnails: Vec::new(),
            diagnosis: None,
            finding: None,
            excluded: BTreeSet::new(),
            held_out: BTreeSet::new(),
            edits: Arc::default(),
            edits_revision: 0,
            run_edits: Arc::default(),
            edits_kept: false,
            hands: HandChoice::Auto,
            results: None,
            hand: HandPick::default(),
            default_results: PathBuf::new(),
            selected: 0,
            state: RunState::Idle,
            has_engine: false,
            has_network: false,
            train_network: false,
            network: neural::NetworkView::default(),
            run_dir: None,
            resumable: false,
            steps: Vec::new(),
            pace: Vec::new(),
            stages_done: BTreeSet::new(),
            track: Track::with_cap(TRACK_BYTES),
            cursor: None,
            playing: None,
            pins: BTreeSet::new(),
            restart_points: Vec::new(),
            light: None,
            heat: heat::HeatOnShow::default(),
            vertices: Vec::new(),
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
            history: edits::History::default(),
            settings: None,
            frames: None,
            placement_revision: 0,
            errands: VecDeque::new(),
            others: other_runs::OtherRuns::default(),
            welcome: welcome::Welcome::default(),
            recent: Vec::new(),
            interrupted: None,
            edited: false,
            saving: false,
            told_where: false,
            way_out: closing::WayOut::default(),
            told: live::Told::default(),
            banner: None,
            typed: None,
            notice: None,
            exporting: None,
            log: VecDeque::new(),
            snapshot_interval: Duration::from_millis(250),
            ui: UiState::default(),
        };
        session.history.begin(session.choices());
        session
    }

    /// Makes the window as it was the last time, and remembers it there from now on.
    pub(crate) fn remember_in(&mut self, path: PathBuf) {
        let settings = Settings::read(&path);
        settings.apply(&mut self.ui);
        for complaint in std::mem::take(&mut self.ui.docks.complaints) {
            self.note(Level::Warning, complaint);
        }
        self.recent = settings.recent.clone();
        // One that is gone, or has ended, needs no care.
        self.interrupted = settings.under_way.clone().filter(|run| run.join("run.ron").exists());
        self.settings = Some((path, settings));
        self.want_cards();
    }

    /// The settings to write, when they have changed.
    #[must_use]
    pub(crate) fn wants_settings_saved(&mut self) -> Option<(PathBuf, String)> {
        if self.ui.moving {
            return None;
        }
        let under_way = self.run_to_offer();
        let (path, saved) = self.settings.as_mut()?;
        let now = Settings::of(&self.ui).with(self.recent.clone(), under_way);
        if *saved == now {
            return None;
        }
        let text = now.text()?;
        *saved = now;
        Some((path.clone(), text))
    }

    /// Takes note of a folder that is open.
    fn remember(&mut self, folder: PathBuf) {
        // What is no text cannot be written down.
        if folder.to_str().is_some() {
            self.recent.retain(|known| *known != folder);
            self.recent.insert(0, folder);
            self.recent.truncate(RECENT);
        }
        self.interrupted = None;
    }

    /// Adds a log line.
    pub(crate) fn note(&mut self, level: Level, text: impl Into<String>) {
        if self.log.len() >= LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(LogLine { at: self.started.elapsed().as_secs_f64(), level, text: text.into() });
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
            Action::OpenAgain => self.open_again(),
            Action::OpenRefused => self.open_refused(),
            Action::Start => self.start(),
            Action::Resume => self.resume(false),
            Action::TrainNetwork => self.train_network(),
            Action::TogglePause => self.toggle_pause(),
            Action::Stop => self.is_active().then(|| {
                self.stopping = true;
                Effect::Cancel
            }),
            Action::Select(view) => {
                self.select(view);
                None
            }
            Action::SelectBy(by) => {
                let order = self.view_order();
                let count = isize::try_from(order.len()).unwrap_or(0);
                if count > 0 {
                    let at = order.iter().position(|v| *v == self.selected).unwrap_or(0);
                    let to = (isize::try_from(at).unwrap_or(0) + by).rem_euclid(count);
                    self.select(order[usize::try_from(to).unwrap_or(0)]);
                }
                None
            }
            Action::SelectEnd(last) => {
                let order = self.view_order();
                if let Some(view) = if last { order.last() } else { order.first() } {
                    self.select(*view);
                }
                None
            }
            Action::FlyTo(view) => {
                self.select(view);
                (view < self.view_count()).then_some(Effect::FlyTo(view))
            }
            Action::Frame(what) => Some(Effect::Frame(what)),
            Action::Finding(index) => {
                self.select_finding(index);
                None
            }
            Action::FindingBy(by) => {
                self.step_finding(by);
                None
            }
            Action::ToggleExclude(view) => {
                self.toggle_excluded(view);
                None
            }
            Action::ToggleHoldOut(view) => {
                self.toggle_held_out(view);
                None
            }
            Action::Undo => {
                self.step_history(false);
                None
            }
            Action::Redo => {
                self.step_history(true);
                None
            }
            Action::ResultsDialog => Some(Effect::ResultsDialog),
            Action::HandFolderDialog => Some(Effect::HandFolderDialog),
            Action::SetResults(folder) => {
                self.results = folder;
                None
            }
            Action::Time(action) => self.time(action),
            Action::Scrub(index) => {
                self.playing = None;
                if self.on_frames() {
                    self.go_to_frame(index);
                } else {
                    self.scrub(index);
                }
                None
            }
            Action::ScrubBy(by) => {
                self.scrub_by(by);
                None
            }
            Action::GoLive => {
                self.playing = None;
                if self.on_frames() {
                    self.go_to_frame(usize::MAX);
                } else {
                    self.go_live();
                }
                None
            }
            Action::Export(request) => {
                let of = match request.step {
                    Some(step) => Some(self.snapshot_of(step)?),
                    None => None,
                };
                let formats = request.formats.join(", ").to_uppercase();
                self.note(Level::Info, format!("Exporting {formats}"));
                self.notice = None;
                self.exporting = Some(Exporting { formats, since: Instant::now() });
                Some(Effect::Send(Command::Export(request, of)))
            }
            Action::Edit(action) => self.edit(action),
            Action::Pose(action) => self.pose(action).then_some(Effect::Send(Command::Posable)),
            Action::SaveCurves => self.save_curves(),
            Action::Runs(action) => {
                self.runs(action);
                None
            }
            Action::TrySample => {
                self.try_sample();
                None
            }
            Action::ExportDialog => Some(Effect::ExportDialog),
            Action::Reveal(folder) => Some(Effect::Reveal(folder)),
            Action::Take(what, folder) => self.take_folder(what, folder),
            Action::HalveRates => self.halve_rates(),
            Action::Quit => self.quit(),
            Action::Leave(answer) => self.leave(answer),
            Action::DismissInterrupted => {
                self.interrupted = None;
                None
            }
            Action::DismissNotice => {
                self.notice = None;
                None
            }
            Action::DismissBanner => {
                (self.banner, self.typed, self.refused) = (None, None, None);
                None
            }
        }
    }

    /// Camera of a view: the run's own where there is one, which the pose stage may have corrected, else the capture's.
    #[must_use]
    pub(crate) fn camera(&self, view: usize) -> Option<&Camera> {
        self.cameras.get(view).or_else(|| self.capture.as_ref()?.views.get(view).map(|v| &v.camera))
    }

    fn view_count(&self) -> usize {
        self.capture.as_ref().map_or(0, |c| c.views.len())
    }

    fn select(&mut self, view: usize) {
        if view < self.view_count() {
            if view != self.selected {
                self.ui.editing.give_up();
                self.ui.editing.picked = None;
            }
            self.selected = view;
            self.ui.scroll_to_view = true;
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
        self.opening_again = false;
        self.begin_opening(path, OpenOptions::default())
    }
}
