//! `RUN/edits.ron` and `RUN/edits/`: what the user has changed of the capture for this run. The run keeps its own copy, so
//! that whoever opens its capture again sees what its stages saw.

use super::PipelineError;
use super::run_folder::RunRecord;
use crate::capture::{Capture, Edits};
use crate::export::{ExportError, edits};
use std::path::Path;
use std::sync::Arc;

/// Name of the file in a run folder.
pub const RUN_EDITS: &str = "edits.ron";

/// Writes the edits of a capture into the run folder; nothing where there are none.
pub(super) fn write(run: &Path, capture: &Capture) -> Result<(), ExportError> {
    if capture.edits.is_empty() { Ok(()) } else { edits::write(&run.join(RUN_EDITS), &capture.edits) }
}

/// Removes what [`write`] has written.
pub(super) fn discard(run: &Path) {
    let _ = std::fs::remove_file(run.join(RUN_EDITS));
    edits::remove_other_masks(&run.join("edits"), &Edits::default());
}

impl RunRecord {
    /// The edits that the run `folder` was made with.
    ///
    /// # Errors
    /// [`PipelineError::Edits`] when they cannot be read, [`PipelineError::Resume`] when they are others by now.
    pub fn read_edits(&self, folder: &Path) -> Result<Arc<Edits>, PipelineError> {
        let Some(hash) = &self.edits else { return Ok(Arc::default()) };
        let path = folder.join(RUN_EDITS);
        let edits = Edits::read(&path)?;
        if edits.hash() != *hash {
            return Err(PipelineError::Resume(format!(
                "{} was changed since the run began; give the changed file to a new run (--edits)",
                path.display()
            )));
        }
        Ok(Arc::new(edits))
    }

    /// Opens the capture as it was opened for the run in `folder`, with the same edits.
    ///
    /// # Errors
    /// [`PipelineError::Capture`] when it cannot be used any more, and those of [`RunRecord::read_edits`].
    pub fn open_capture(&self, folder: &Path) -> Result<Capture, PipelineError> {
        let capture = Capture::open_with(&self.capture, &self.capture_options)?;
        Ok(capture.edited(self.read_edits(folder)?)?)
    }
}
