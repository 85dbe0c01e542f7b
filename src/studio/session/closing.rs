//! Closing the window: at once where nothing is lost by it, else after one question.
//!
//! ```text
//! Open ──quit──► Asked ──background──► Background ──ended──┐
//!   ▲  └─nothing under way─► Leaving ◄──stop───┤           ├─► Leaving
//!   └──────── stay, or it could not be saved ──┴─save─► Saving ──saved──┘
//! ```
//! Edits that could not be written are asked about on the way to `Leaving`, once.

use super::{Effect, Level, RunState, Session};
use std::path::PathBuf;

/// How far the window is on its way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Closing {
    /// It stays.
    #[default]
    Open,
    /// A run is under way: what shall become of it?
    Asked,
    /// Edits are in this window only: shall they be lost?
    AskedAboutEdits,
    /// Out of the way, until the run has ended.
    Background,
    /// Until the checkpoint is written.
    Saving,
    /// As soon as the last edits are written.
    Leaving,
}

/// Answers to the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Go on out of the way and close when the run has ended.
    Background,
    /// Write a checkpoint, then close.
    Save,
    /// Close without one.
    Stop,
    /// Close without the edits.
    WithoutEdits,
    /// Do not close.
    Stay,
}

/// What the session keeps of it.
#[derive(Clone, Debug, Default)]
pub(super) struct WayOut {
    closing: Closing,
    /// Why edits are in this window only, if so.
    pub(super) unkept: Option<String>,
    /// The run that was saved on the way out, to be gone on with the next time.
    pub(super) left: Option<PathBuf>,
}

impl Session {
    /// How far the window is on its way out.
    #[must_use]
    pub(crate) const fn closing(&self) -> Closing {
        self.way_out.closing
    }

    /// Why edits would be lost with the window, if so.
    #[must_use]
    pub(crate) fn why_edits_would_be_lost(&self) -> Option<&str> {
        self.way_out.unkept.as_deref()
    }

    /// A question lies over the window: keys are its, not the commands'.
    #[must_use]
    pub(crate) const fn asks(&self) -> bool {
        matches!(self.way_out.closing, Closing::Asked | Closing::AskedAboutEdits | Closing::Saving)
    }

    /// The run that the next start is to offer.
    pub(super) fn run_to_offer(&self) -> Option<PathBuf> {
        let active = self.run_dir.as_ref().filter(|_| self.is_active());
        active.or(self.way_out.left.as_ref()).or(self.interrupted.as_ref()).cloned()
    }

    /// The window is asked to close; nothing but the session has to do with it yet.
    pub(super) fn quit(&mut self) -> Option<Effect> {
        match self.way_out.closing {
            Closing::Open | Closing::Background if self.is_active() => self.way_out.closing = Closing::Asked,
            Closing::Open | Closing::Background => self.go(),
            // The question is on screen, or has been answered.
            Closing::Asked | Closing::AskedAboutEdits | Closing::Saving | Closing::Leaving => {}
        }
        None
    }

    /// What was answered, and what it asks of the worker. An answer to a question that is no longer asked is none.
    pub(super) fn leave(&mut self, answer: Leave) -> Option<Effect> {
        match (self.way_out.closing, answer) {
            (Closing::Asked, Leave::Background) => {
                self.note(Level::Info, "Goes on in the background; the window closes when the run has ended");
                self.way_out.closing = Closing::Background;
                // A run that is held would never end there.
                if self.state == RunState::Paused {
                    return self.toggle_pause();
                }
            }
            (Closing::Asked, Leave::Save) => {
                self.note(Level::Info, "Saving, then the window closes");
                self.way_out.closing = Closing::Saving;
            }
            (Closing::Asked | Closing::Saving, Leave::Stop) => {
                self.state = RunState::Stopped;
                self.go();
            }
            (Closing::AskedAboutEdits, Leave::WithoutEdits) => {
                self.way_out.unkept = None;
                self.way_out.closing = Closing::Leaving;
            }
            (Closing::Asked | Closing::AskedAboutEdits | Closing::Background, Leave::Stay) => {
                self.way_out.closing = Closing::Open;
            }
            _ => {}
        }
        None
    }

    /// The run waits for somebody: not out of sight.
    pub(super) fn come_back(&mut self) {
        if self.way_out.closing == Closing::Background {
            self.way_out.closing = Closing::Open;
        }
    }

    /// Nothing is under way any more.
    fn go(&mut self) {
        self.way_out.closing = if self.way_out.unkept.is_some() { Closing::AskedAboutEdits } else { Closing::Leaving };
    }

    /// Takes note of how a run has ended that the window waits for.
    pub(super) fn follow_closing(&mut self) {
        if self.way_out.closing == Closing::Leaving && self.way_out.unkept.is_some() {
            self.way_out.closing = Closing::AskedAboutEdits;
        }
        if self.is_active() {
            return;
        }
        let kept = self.state == RunState::Finished || (self.state == RunState::Stopped && self.resumable);
        match self.way_out.closing {
            // What was asked about has settled itself, and what came of it can be seen.
            Closing::Asked => self.way_out.closing = Closing::Open,
            Closing::Saving if kept => {
                self.way_out.left = self.run_dir.clone().filter(|_| self.state == RunState::Stopped);
                self.go();
            }
            // Files are waited for as well.
            Closing::Background if kept && self.exporting.is_none() => self.go(),
            // The banner says what went wrong: nothing is given up unseen.
            Closing::Background | Closing::Saving if !kept => self.way_out.closing = Closing::Open,
            _ => {}
        }
    }
}
