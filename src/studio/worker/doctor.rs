//! The doctor on a thread of its own: examining a capture takes a moment, and neither the window nor a run should wait.

use super::channel::Event;
use super::{Wake, priority};
use crate::capture::{Capture, Edits};
use crate::fitting::masks::MaskReport;
use crate::fitting::pose::{PoseSettings, Triangulator};
use crate::pipeline::{RunRecord, diagnose_after_run, judged_masks};
use crate::studio::backend::RunRequest;
use crate::studio::program::preset_of;
use crossbeam_channel::Sender;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What decides the findings of a capture.
#[derive(Clone, Debug, PartialEq)]
struct Plan {
    used: Vec<bool>,
    settings: PoseSettings,
    /// What an opened run decided about the masks.
    judged: Vec<Option<MaskReport>>,
    /// What the user has changed, for the run or the next one.
    edits: Arc<Edits>,
}

impl Plan {
    fn new(capture: &Capture, left_out: &[&[usize]], settings: PoseSettings) -> Self {
        let used = (0..capture.views.len()).map(|v| !left_out.iter().any(|list| list.contains(&v))).collect();
        Self { used, settings, judged: Vec::new(), edits: Arc::default() }
    }
}

/// Starts examinations; of those under way only the newest is heard of.
pub(super) struct Doctor {
    events: Sender<Event>,
    wake: Wake,
    round: Arc<AtomicU64>,
    /// The last examination: a run that would find the same is not examined again.
    last: Option<(Arc<Capture>, Plan)>,
}

impl Doctor {
    pub(super) fn new(events: Sender<Event>, wake: Wake) -> Self {
        Self { events, wake, round: Arc::default(), last: None }
    }

    /// What is being examined is no longer of interest.
    pub(super) fn forget(&mut self) {
        self.round.fetch_add(1, Ordering::AcqRel);
        self.last = None;
    }

    /// Examines a capture that was opened: as the run saw it, if it was opened with one.
    pub(super) fn examine_opened(&mut self, capture: Arc<Capture>, run_dir: Option<&Path>) {
        // A record that cannot be read has been complained about when the run was opened.
        let record = run_dir.and_then(|dir| RunRecord::read(dir).ok());
        let plan = record.map_or_else(
            || Plan::new(&capture, &[], PoseSettings::default()),
            |r| {
                let edits = run_dir.and_then(|dir| r.read_edits(dir).ok()).unwrap_or_default();
                Plan { edits, ..Plan::new(&capture, &[&r.exclude, &r.hold_out], r.preset.pose) }
            },
        );
        let judged = run_dir.and_then(|dir| judged_masks(dir, capture.views.len())).unwrap_or_default();
        let plan = Plan { judged, ..plan };
        self.examine(capture, plan);
    }

    /// Examines an opened capture again when a run is to see it differently.
    pub(super) fn examine_for(&mut self, request: &RunRequest) {
        // A preset that cannot be used is complained about when the run starts.
        let settings = preset_of(request).map(|p| p.pose).unwrap_or_default();
        let plan = Plan::new(&request.capture, &[&request.excluded, &request.held_out], settings);
        let plan = Plan { edits: Arc::clone(&request.edits), ..plan };
        let differs = |(capture, last): &(Arc<Capture>, Plan)| Arc::ptr_eq(capture, &request.capture) && *last != plan;
        if self.last.as_ref().is_some_and(differs) {
            self.examine(Arc::clone(&request.capture), plan);
        }
    }

    fn examine(&mut self, capture: Arc<Capture>, plan: Plan) {
        let mine = self.round.fetch_add(1, Ordering::AcqRel) + 1;
        self.last = Some((Arc::clone(&capture), plan.clone()));
        let (events, wake, round) = (self.events.clone(), Arc::clone(&self.wake), Arc::clone(&self.round));
        let work = move || {
            priority::give_way_to_the_window();
            let Plan { used, settings, judged, edits } = &plan;
            let edited = (!edits.is_empty()).then(|| Capture::clone(&capture).edited(Arc::clone(edits)).ok()).flatten();
            let seen = edited.as_ref().unwrap_or(&capture);
            let diagnosis = diagnose_after_run(seen, used, settings, &Triangulator::Reference, judged);
            if round.load(Ordering::Acquire) == mine {
                // The window may be gone by now.
                let _ = events.send(Event::Diagnosed { capture, diagnosis: Arc::new(diagnosis) });
                wake();
            }
        };
        if let Err(error) = std::thread::Builder::new().name("thenar-doctor".to_owned()).spawn(work) {
            tracing::warn!("the capture is not examined: {error}");
        }
    }
}
