//! What the worker does when a step fails: a full disk holds the run, a lost device is opened again, a loss that
//! is no number takes the run back to its checkpoint and holds it there, anything else ends it.

use super::channel::Event;
use super::thread::Inner;
use crate::studio::backend::ResumeRequest;
use crate::studio::problem::Problem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A device that is lost a second time within this is not opened again.
const AGAIN: Duration = Duration::from_secs(60);

impl Inner {
    pub(super) fn on_failed_step(&mut self, error: &anyhow::Error) {
        if let Some(problem) = Problem::of_disk(error).filter(|_| self.engine.as_ref().is_some_and(|e| e.can_go_on())) {
            self.control.paused.store(true, Ordering::Release);
            self.tell(Event::Blocked(problem));
            return;
        }
        let lost = Problem::is_of_lost_device(error) && self.lost_device.is_none_or(|at| at.elapsed() >= AGAIN);
        let saved = self.run_dir.as_ref().is_some_and(|dir| dir.join("checkpoint").exists());
        if lost && let Some(at) = self.go_back() {
            self.lost_device = Some(Instant::now());
            self.tell(Event::DeviceBack { at });
        } else if saved && Problem::is_of_rates(error) && self.go_back().is_some() {
            // With the same rates it would come to the same: it waits for others.
            self.control.paused.store(true, Ordering::Release);
            self.tell(Event::Diverged(Problem::diverged(error)));
        } else {
            self.running = false;
            // A run that diverged would diverge again; a device that was lost may come back.
            let resumable = saved && Problem::is_of_device(error);
            self.tell(Event::RunFailed { problem: Problem::computing(error), resumable });
        }
    }

    /// Opens the run anew, on a device opened anew, where it was saved: the number of lines that are left; `None` when that
    /// cannot be.
    fn go_back(&mut self) -> Option<usize> {
        let (Some(capture), Some(run_dir)) = (self.capture.clone(), self.run_dir.clone()) else { return None };
        // What is left of the old one goes first.
        self.engine = None;
        let request = ResumeRequest { capture: Arc::clone(&capture), run_dir, neural: self.neural, from: None };
        match self.backend.resume(&request) {
            Ok(started) => {
                let at = started.steps.len();
                self.begin(&capture, Ok(started), true);
                Some(at)
            }
            Err(error) => {
                tracing::warn!("the run cannot go back to what it has saved: {error:#}");
                None
            }
        }
    }
}
