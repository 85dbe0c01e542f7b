//! What an epoch of HAM leaves in the run folder besides its line of numbers. Each piece is written in a call of `advance()` of its
//! own, so that a pause need not wait for all of them, and a full disk loses none.

use super::Reconstruction;
use crate::pipeline::{PipelineError, results};

/// One piece.
pub(super) enum Keep {
    /// A line of the log.
    Line(String),
    /// A mesh of the track.
    Snapshot,
    /// A place to begin again from, at the end of a phase.
    RestartPoint,
    Checkpoint,
}

impl Reconstruction {
    /// Writes the first of what an epoch left to be kept; it stays the first if it could not be written.
    pub(super) fn keep_next(&mut self) -> Result<(), PipelineError> {
        match self.to_keep.front() {
            Some(Keep::Line(line)) => self.folder.log(&format!("{:9.2} s  {line}", self.seconds_now()))?,
            Some(Keep::Snapshot) => {
                let snapshot = self.snapshot()?;
                results::write_track(self.folder.path(), &snapshot)?;
            }
            Some(Keep::RestartPoint) => self.keep_restart_point()?,
            Some(Keep::Checkpoint) => {
                self.write_checkpoint(false)?;
                self.last_checkpoint = self.seconds_now();
            }
            None => {}
        }
        self.to_keep.pop_front();
        Ok(())
    }
}
