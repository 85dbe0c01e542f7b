//! Files of a sequence's folder: `sequence.ron` (what it was begun with) and `motion.json` (what all frames share, and the
//! pose of each).

use crate::camera::Camera;
use crate::capture::{FrameFolder, OpenOptions};
use crate::export::{ExportError, atomic};
use crate::hand::{HandModel, HandModelRecord, HandParameters};
use crate::pipeline::{PipelineError, RunOptions};
use crate::preset::Preset;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const RECORD: &str = "sequence.ron";
const MOTION: &str = "motion.json";

/// Whether a folder is that of a sequence.
#[must_use]
pub fn is_sequence_run(folder: &Path) -> bool {
    folder.join(RECORD).is_file()
}

/// `sequence.ron`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceRecord {
    /// Version of the program.
    pub version: String,
    /// Folder of the frames, absolute.
    pub captures: PathBuf,
    /// Names of the frames' folders, in order.
    pub frames: Vec<String>,
    /// How they were opened, where that was set by hand.
    pub capture_options: OpenOptions,
    /// Preset it began with.
    pub preset_name: String,
    /// Resolved settings.
    pub preset: Preset,
    /// Hand model.
    pub hand_model: HandModelRecord,
    /// Views no stage has seen.
    pub hold_out: Vec<usize>,
    /// Views left out altogether.
    pub exclude: Vec<usize>,
    /// Seed.
    pub seed: u64,
    /// Keypoints are found in the images although the captures have their own.
    pub detect: bool,
}

impl SequenceRecord {
    pub(super) fn new(
        captures: &Path,
        frames: &[FrameFolder],
        reading: &OpenOptions,
        models: &[Arc<HandModel>; 2],
        options: &RunOptions,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            captures: captures.canonicalize().unwrap_or_else(|_| captures.to_owned()),
            frames: frames.iter().map(|f| f.name.clone()).collect(),
            capture_options: reading.clone(),
            preset_name: options.preset_name.clone(),
            preset: options.preset.clone(),
            hand_model: HandModelRecord::of(models),
            hold_out: options.hold_out.clone(),
            exclude: options.exclude.clone(),
            seed: options.seed,
            detect: options.detect,
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), ExportError> {
        let text = ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default())
            .map_err(|e| ExportError::Encode { what: RECORD, reason: e.to_string() })?;
        atomic::write(&folder.join(RECORD), text.as_bytes())
    }

    /// Reads the record of a sequence's folder.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] when the folder is none.
    pub fn read(folder: &Path) -> Result<Self, PipelineError> {
        let none = |problem: String| PipelineError::Unfinished { path: folder.display().to_string(), problem };
        let text = std::fs::read_to_string(folder.join(RECORD))
            .map_err(|e| none(format!("is no folder of a sequence ({RECORD}: {e})")))?;
        ron::from_str(&text).map_err(|e| none(format!("{RECORD} cannot be read: {e}")))
    }

    /// The frames as folders again.
    ///
    /// # Errors
    /// [`PipelineError::Resume`] where a name is none of a frame's.
    pub(super) fn folders(&self) -> Result<Vec<FrameFolder>, PipelineError> {
        let folder = |name: &String| {
            FrameFolder::new(self.captures.join(name)).ok_or_else(|| {
                PipelineError::Resume(format!("{RECORD}: the frame {name} has no number; start a new run"))
            })
        };
        self.frames.iter().map(folder).collect()
    }
}

/// A frame in `motion.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct MotionFrame {
    /// Name of its folder.
    pub name: String,
    /// Its time in frames.
    pub number: u32,
    /// SHA-256 of its files.
    pub capture_hash: String,
    /// Its cameras, corrected.
    pub cameras: Vec<Camera>,
    /// Its hands, left before right; none where it could not be used.
    pub hands: Vec<HandParameters>,
    /// Why it could not be used.
    pub problem: Option<String>,
}

/// `motion.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Motion {
    /// Shape of the person's hands.
    pub betas: [f64; 10],
    /// Their scale.
    pub scale: f64,
    /// All frames have the same cameras.
    pub same_rig: bool,
    /// Frames in order.
    pub frames: Vec<MotionFrame>,
}

impl Motion {
    /// Writes the file and returns what a reader of it gets, to the last bit.
    pub(super) fn write(&self, folder: &Path) -> Result<Self, PipelineError> {
        let text =
            serde_json::to_string(self).map_err(|e| ExportError::Encode { what: MOTION, reason: e.to_string() })?;
        atomic::write(&folder.join(MOTION), text.as_bytes())?;
        Self::read(folder)?.ok_or_else(|| PipelineError::Unfinished {
            path: folder.display().to_string(),
            problem: format!("{MOTION} went away"),
        })
    }

    /// Reads the file; `None` before the fit has ended.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, PipelineError> {
        let path = folder.join(MOTION);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(ExportError::io(&path)(e).into()),
        };
        let parsed = serde_json::from_str(&text);
        Ok(Some(parsed.map_err(|e| ExportError::format(&path, format!("cannot be read ({e}); delete it")))?))
    }

    /// The frame whose detail the others begin with: the first that has all the hands there are.
    pub(super) fn reference(&self) -> Option<usize> {
        let most = self.frames.iter().map(|f| f.hands.len()).max().filter(|most| *most > 0)?;
        self.frames.iter().position(|f| f.hands.len() == most)
    }
}
