//! What comes from the worker, and what is asked of it next.

use super::other_runs::OtherRuns;
use super::{Level, Notice, PICTURES, RunState, Session};
use crate::capture::Capture;
use crate::pipeline::{Stage, StepReport};
use crate::studio::backend::{Look, RunRecord, RunViews};
use crate::studio::picture::Picture;
use crate::studio::problem::Problem;
use crate::studio::ui_state::CompareMode;
use crate::studio::worker::{Event, TakenSnapshot, ViewRequest};
use image::RgbImage;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

impl Session {
    /// Takes in what the worker says.
    pub(crate) fn on_event(&mut self, event: Event) {
        self.take_in(event);
        self.follow_closing();
    }

    fn take_in(&mut self, event: Event) {
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
            Event::Opened { capture, thumbnails, run, has_engine, results } => {
                let again = self.is_read_again(&capture) && run.is_none();
                if !again {
                    self.results = None;
                }
                self.on_opened(capture, thumbnails, run, again);
                self.has_engine = has_engine;
                self.default_results = results;
            }
            Event::Sequence(opened) => self.on_sequence(opened),
            Event::Refused { path, options, problem } => self.on_refused(path, options, problem),
            Event::Project(read) => self.on_project(read),
            Event::ProjectSaved(saved) => self.on_project_saved(saved),
            Event::Diagnosed { capture, diagnosis } => self.on_diagnosed(&capture, diagnosis),
            Event::Started { run_dir, steps } => self.on_started(run_dir, steps),
            Event::Keypoints(detected) => self.detected = Some(detected),
            Event::Views(views) => self.on_views(views),
            Event::Held(since) => self.told.held = Some(since).filter(|_| self.state == RunState::Paused),
            Event::Step(report) => self.steps.push(report),
            Event::Pace(pace) => self.pace = pace,
            Event::Changed { key, value, effective } => self.on_changed(key, value, effective),
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
                let text = "Finished. Scrub the timeline, compare the views, export (Ctrl+E).".to_owned();
                self.notice = Some(Notice { text, at: Instant::now(), folder: None });
            }
            Event::Stopped { resumable } => {
                self.state = RunState::Stopped;
                self.resumable = resumable;
                self.note(Level::Info, "Stopped; the last state is kept");
            }
            Event::Posable(hands) => self.on_posable(hands),
            Event::Exported(files) => {
                for file in &files {
                    self.note(Level::Info, format!("Wrote {}", file.display()));
                }
                self.exporting = None;
                let folder = files.first().and_then(|f| f.parent()).map(Path::to_owned);
                let place = folder.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
                // The name first: of a long line the end is cut.
                let name = files.first().and_then(|f| f.file_name()).unwrap_or_default().display();
                let text = match files.len() {
                    0 | 1 => format!("Exported {name} to {place}"),
                    count => format!("Exported {name} and {} more to {place}", count - 1),
                };
                self.notice = Some(Notice { text, at: Instant::now(), folder });
            }
            Event::ExportFailed(problem) => {
                self.exporting = None;
                self.show_problem(problem);
            }
            Event::Blocked(problem) => {
                self.state = RunState::Paused;
                self.come_back();
                self.show_problem(problem);
            }
            Event::Diverged(problem) => {
                self.state = RunState::Paused;
                self.come_back();
                self.show_problem(problem);
                self.told.too_fast = true;
            }
            Event::DeviceBack { at } => {
                let text = format!("The computing device stopped answering. Resumed at step {at}.");
                self.note(Level::Warning, text.clone());
                self.notice = Some(Notice { text, at: Instant::now(), folder: None });
            }
            Event::RunFailed { problem, resumable } => {
                self.opening = None;
                self.state = RunState::Failed;
                self.resumable = resumable;
                self.show_problem(problem);
            }
            Event::Failed(problem) => {
                (self.opening, self.opening_again) = (None, false);
                self.posing_pending = false;
                self.give_up_frame();
                self.show_problem(problem);
            }
        }
    }

    pub(super) fn show_problem(&mut self, problem: Problem) {
        (self.typed, self.refused, self.told.too_fast) = (None, None, false);
        self.note(Level::Error, format!("{}. {} {}", problem.what, problem.meaning, problem.remedy));
        self.banner = Some(problem);
    }

    /// `again`: the capture that was open, read once more.
    fn on_opened(
        &mut self,
        capture: Arc<Capture>,
        thumbnails: Vec<RgbImage>,
        run: Option<Box<RunRecord>>,
        again: bool,
    ) {
        let next_frame = self.is_next_frame(run.as_ref().map(|run| run.dir.as_path()));
        self.forget_run();
        (self.opening, self.opening_again, self.refused) = (None, false, None);
        self.banner = None;
        self.state = RunState::Idle;
        if !again {
            self.excluded.clear();
            self.held_out.clear();
            if !next_frame {
                self.selected = 0;
            }
            self.detect = false;
            self.ui.editing.choose(None);
            self.take_edits(Arc::default());
        }
        self.run_edits = Arc::default();
        self.reading = capture.options.clone();
        self.diagnosis = None;
        self.finding = None;
        self.note(Level::Info, format!("Opened {}: {} views", capture.name, capture.views.len()));
        for warning in &capture.warnings {
            self.note(Level::Warning, warning.to_string());
        }
        let folder = run.as_ref().map_or_else(|| capture.root.clone(), |run| run.dir.clone());
        if !next_frame {
            self.remember(folder.clone());
            self.placement_revision += 1;
        }
        // Runs of one capture can be seen beside each other.
        if self.capture.as_ref().is_none_or(|open| open.root != capture.root) {
            self.others = OtherRuns::default();
        }
        self.capture = Some(capture);
        self.thumbnails = thumbnails;
        if !next_frame {
            self.keep_card(folder);
        }
        self.capture_revision += 1;
        self.device_bytes = None;
        if let Some(run) = run {
            self.note(Level::Info, format!("Run {} with {} snapshots", run.dir.display(), run.snapshots.len()));
            self.steps = run.steps;
            if let Some(last) = self.steps.last() {
                let ended = last.iter >= last.iters;
                self.stages_done
                    .extend(Stage::ALL.into_iter().filter(|s| *s < last.stage || (*s == last.stage && ended)));
            }
            self.excluded = run.excluded.into_iter().collect();
            self.held_out = run.held_out.into_iter().collect();
            if let Some(preset) = self.presets.iter().position(|p| p.name == run.preset) {
                self.preset = preset;
                self.overrides.clear();
            }
            self.run_edits = Arc::clone(&run.edits);
            self.take_edits(run.edits);
            self.resumable = run.resumable;
            self.detect = run.detected.is_some() && self.why_no_own_keypoints().is_none();
            self.detected = run.detected;
            if run.resumable {
                self.note(Level::Warning, "This run has not finished: Resume goes on where it stopped");
            }
            self.run_dir = Some(run.dir);
            for snapshot in run.snapshots {
                self.track.push(&snapshot);
                self.newest = Some(snapshot);
            }
            self.shown = self.newest.clone();
            self.shown_revision += 1;
        }
        if !again {
            self.history.begin(self.choices());
            (self.edited, self.told_where, self.edits_kept) = (false, false, false);
            self.way_out.unkept = None;
        }
    }

    /// Cameras and scores of the run; lists of another length than the capture's views are none.
    fn on_views(&mut self, views: RunViews) {
        let count = self.view_count();
        let cameras = if views.cameras.len() == count { views.cameras } else { Vec::new() };
        if cameras != self.cameras {
            self.cameras = cameras;
            self.cameras_revision += 1;
        }
        self.has_network = views.has_network;
        self.restart_points = views.restart_points;
        self.vertices = views.vertices;
        if self.light != views.light {
            self.light = views.light;
            self.shown_revision += 1;
        }
        self.scores = if views.psnr_db.len() == count { views.psnr_db } else { Vec::new() };
        self.ious = if views.iou.len() == count { views.iou } else { Vec::new() };
    }

    /// Takes in a new snapshot.
    pub(crate) fn on_snapshot(&mut self, taken: TakenSnapshot) {
        self.snapshot_pending = false;
        self.device_bytes = taken.device_bytes;
        self.last_snapshot = Some((Instant::now(), taken.cost));
        self.track.push(&taken.snapshot);
        self.leave_posing();
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
        self.pictures.retain(|p| p.key() != picture.key());
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
        if !self.has_engine || self.between_frames() {
            return None;
        }
        let snapshot = self.shown.as_ref()?;
        if snapshot.hands.is_empty() {
            return None;
        }
        let look = self.look();
        let key = (self.selected, snapshot.step, look);
        if self.picture_pending.is_some() || self.pictures.iter().any(|p| p.key() == key) {
            return None;
        }
        let follows_live = self.cursor.is_none() && self.state == RunState::Running;
        let same_view = self.pictures.back().is_some_and(|p| (p.view, p.look) == (self.selected, look));
        if follows_live && same_view && self.last_picture.is_some_and(|(at, cost)| at.elapsed() < cost * 5) {
            return None;
        }
        self.picture_pending = Some(key);
        Some(ViewRequest { view: self.selected, snapshot: Arc::clone(snapshot), look })
    }

    /// What the compare panel renders: what was chosen, as far as it can be had. A difference is one of photographs.
    #[must_use]
    pub(crate) fn look(&self) -> Look {
        match self.ui.look {
            Look::Neural if self.why_not_neural().is_some() => Look::Shaded,
            Look::Albedo | Look::Normals | Look::Clay if self.ui.compare == CompareMode::Difference => Look::Shaded,
            look => look,
        }
    }

    /// The newest picture of the selected view at or before the shown step, and whether it is exactly of that step.
    #[must_use]
    pub(crate) fn picture(&self) -> Option<(Arc<Picture>, bool)> {
        let step = self.shown.as_ref().filter(|_| !self.between_frames())?.step;
        let look = self.look();
        let of_view = || self.pictures.iter().filter(|p| (p.view, p.look) == (self.selected, look));
        let exact = of_view().find(|p| p.step == step);
        exact.map(|p| (Arc::clone(p), true)).or_else(|| {
            // While live, the picture lags a little behind the mesh.
            self.cursor.is_none().then(|| of_view().max_by_key(|p| p.step).map(|p| (Arc::clone(p), false))).flatten()
        })
    }

    /// The score of a view over rendered ∩ mask: of the final meshes once the run has ended, before that of the newest
    /// picture of the view.
    #[must_use]
    pub(crate) fn psnr_db(&self, view: usize) -> Option<f64> {
        let last = self.scores.get(view).copied().flatten();
        last.or_else(|| self.newest_psnr_db(view))
    }

    /// How well the silhouette of a view fits its mask: of the final meshes, or of the newest picture.
    #[must_use]
    pub(crate) fn iou(&self, view: usize) -> Option<f64> {
        let last = self.ious.get(view).copied().flatten();
        let of_view = || self.pictures.iter().filter(|p| p.view == view && p.look == Look::Shaded);
        last.or_else(|| of_view().max_by_key(|p| p.step).and_then(|p| p.iou))
    }

    fn newest_psnr_db(&self, view: usize) -> Option<f64> {
        let shaded = |p: &&Arc<Picture>| p.view == view && p.look == Look::Shaded;
        self.pictures.iter().filter(shaded).max_by_key(|p| p.step).and_then(|p| p.psnr_db)
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
