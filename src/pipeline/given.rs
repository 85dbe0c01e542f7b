//! `given.json` in the run folder of a sequence's frame: what the sequence knows and the frame does not fit again. The run's
//! `run.ron` has its hash, so that a run that is resumed goes on with the same numbers or not at all.

use super::{FinishedRun, PipelineError};
use crate::camera::Camera;
use crate::export::{ExportError, atomic};
use crate::fitting::ham::{Detail, to_f32};
use crate::hand::{HandModel, HandParameters, Pose};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// The file.
const FILE: &str = "given.json";

/// What a frame's run is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Given {
    /// Cameras, one a view.
    pub cameras: Vec<Camera>,
    /// The hands.
    pub hands: Vec<HandParameters>,
    /// Where HAM takes its detail from.
    pub detail: Option<DetailSource>,
}

/// A finished run beside the frame's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DetailSource {
    /// Name of its folder.
    pub run: String,
    /// SHA-256 of its checkpoint.
    pub checkpoint_hash: String,
}

/// SHA-256 of a file.
pub(super) fn hash_of(path: &Path) -> Result<String, ExportError> {
    let bytes = std::fs::read(path).map_err(ExportError::io(path))?;
    Ok(format!("{:x}", Sha256::digest(&bytes)))
}

impl Given {
    fn text(&self) -> Result<String, ExportError> {
        let text = serde_json::to_string_pretty(self);
        Ok(text.map_err(|e| ExportError::Encode { what: FILE, reason: e.to_string() })? + "\n")
    }

    /// SHA-256 of the file.
    pub(super) fn hash(&self) -> Result<String, ExportError> {
        Ok(format!("{:x}", Sha256::digest(self.text()?.as_bytes())))
    }

    /// Writes the file and returns what a reader of it gets, to the last bit.
    pub(super) fn write(&self, run: &Path) -> Result<Self, ExportError> {
        atomic::write(&run.join(FILE), self.text()?.as_bytes())?;
        Self::parse(run, &self.text()?)
    }

    fn parse(run: &Path, text: &str) -> Result<Self, ExportError> {
        serde_json::from_str(text).map_err(|e| ExportError::format(&run.join(FILE), format!("cannot be read ({e})")))
    }

    /// Reads the file; `hash` is what the run began with.
    pub(super) fn read(run: &Path, hash: &str) -> Result<Self, PipelineError> {
        let path = run.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(ExportError::io(&path))?;
        if format!("{:x}", Sha256::digest(text.as_bytes())) != hash {
            return Err(PipelineError::Resume(format!(
                "{} is not what this frame began with; resume the whole sequence",
                path.display()
            )));
        }
        Ok(Self::parse(run, &text)?)
    }

    /// The detail that HAM begins with, in the poses of `hands` (in order); `run` is the frame's own folder.
    pub(super) fn detail(
        &self,
        run: &Path,
        models: &[Arc<HandModel>; 2],
        hands: &[&HandParameters],
    ) -> Result<Option<Detail>, PipelineError> {
        let Some(source) = &self.detail else { return Ok(None) };
        let folder = run.parent().unwrap_or(run).join(&source.run);
        if hash_of(&folder.join("checkpoint"))? != source.checkpoint_hash {
            return Err(PipelineError::Resume(format!(
                "{} has changed since this frame began with its detail; resume the whole sequence",
                folder.display()
            )));
        }
        let other = FinishedRun::open(&folder, models.clone())?;
        let known = other.posable()?;
        let mut detail = Detail { positions: Vec::new(), albedo: Vec::new(), lights: other.lights.clone() };
        for hand in hands {
            let Some(known) = known.iter().find(|k| k.rest.side() == hand.side) else {
                return Err(PipelineError::Resume(format!("{} has no {} hand", folder.display(), hand.side)));
            };
            detail.positions.extend(known.rest.pose(&Pose::of(hand)));
            detail.albedo.extend(known.hand.albedo.iter().map(|a| a.map(to_f32)));
        }
        Ok(Some(detail))
    }
}
