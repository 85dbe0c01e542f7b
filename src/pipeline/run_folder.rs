//! The run folder: what is written when. Every file is written whole or not at all, except the two logs, which grow by
//! whole lines.

use super::lines::Lines;
use super::{Change, KeypointSource, PipelineError, PretrainedRenderer, RunOptions, StepReport, edits};
use crate::export::{ExportError, atomic};
use crate::gpu::DeviceDescription;
use crate::hand::{HandModel, HandModelRecord, open_hands};
use crate::preset::Preset;
use serde::{Deserialize, Serialize};
use std::fs::{OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `run.ron`: everything that made the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of the program.
    pub version: String,
    /// Capture folder, absolute.
    pub capture: PathBuf,
    /// SHA-256 of its files.
    pub capture_hash: String,
    /// How it was opened, where that was set by hand.
    #[serde(default)]
    pub capture_options: crate::capture::OpenOptions,
    /// Hash of what the user has changed of it (`edits.ron`); `None` when nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edits: Option<String>,
    /// Preset it began with.
    pub preset_name: String,
    /// Resolved settings.
    pub preset: Preset,
    /// Weights and rates of HAM that were changed while it ran, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Hand model.
    pub model: String,
    /// Its files, their SHA-256 and its conventions; runs of older versions have none and used the open hand.
    #[serde(default)]
    pub hand_model: Option<HandModelRecord>,
    /// Where its keypoints come from.
    #[serde(default)]
    pub keypoints: KeypointSource,
    /// SHA-256 of `given.json`, for a frame of a sequence.
    #[serde(default)]
    pub given: Option<String>,
    /// Views no stage has seen, but which are compared.
    pub hold_out: Vec<usize>,
    /// Views left out altogether.
    pub exclude: Vec<usize>,
    /// Seed.
    pub seed: u64,
    /// Operating system and processor architecture.
    #[serde(default)]
    pub system: String,
    /// Graphics device.
    pub device: String,
    /// Its driver.
    pub driver: String,
}

impl RunRecord {
    /// The record of a run about to begin.
    #[must_use]
    pub fn new(
        capture: &crate::capture::Capture,
        models: &[Arc<HandModel>; 2],
        options: &RunOptions,
        device: &DeviceDescription,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            capture: capture.root.canonicalize().unwrap_or_else(|_| capture.root.clone()),
            capture_hash: capture.hash.clone(),
            capture_options: capture.options.clone(),
            edits: (!capture.edits.is_empty()).then(|| capture.edits.hash()),
            preset_name: options.preset_name.clone(),
            preset: options.preset.clone(),
            changes: Vec::new(),
            model: models[1].name.clone(),
            hand_model: Some(HandModelRecord::of(models)),
            keypoints: KeypointSource::of(capture, options.detect),
            given: None,
            hold_out: options.hold_out.clone(),
            exclude: options.exclude.clone(),
            seed: options.seed,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            device: device.name.clone(),
            driver: device.driver.clone(),
        }
    }

    /// Loads the hand models the run was made with.
    ///
    /// # Errors
    /// [`PipelineError::Hand`] when a file is gone or has changed.
    pub fn load_models(&self) -> Result<[Arc<HandModel>; 2], PipelineError> {
        match &self.hand_model {
            Some(record) => Ok(record.load()?),
            None => Ok(open_hands()?.map(Arc::new)),
        }
    }

    /// Writes `run.ron` of a run folder: whole, or not at all.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn write(&self, run: &Path) -> Result<(), ExportError> {
        let text = ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default())
            .map_err(|e| ExportError::Encode { what: "run.ron", reason: e.to_string() })?;
        atomic::write(&run.join("run.ron"), text.as_bytes())
    }

    /// Reads `run.ron` of a run folder.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] when the folder is no run folder.
    pub fn read(run: &Path) -> Result<Self, PipelineError> {
        let path = run.join("run.ron");
        let no_run = |problem: String| PipelineError::Unfinished { path: run.display().to_string(), problem };
        let text = std::fs::read_to_string(&path).map_err(|e| {
            no_run(format!("is no run folder (run.ron: {e}); give the folder that `reconstruct -o` wrote"))
        })?;
        ron::from_str(&text).map_err(|e| no_run(format!("run.ron cannot be read: {e}")))
    }
}

/// An open run folder.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    metrics: Lines,
    log: Lines,
    origin: Origin,
}

/// Who made the folder: decides what [`RunFolder::discard`] may remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// This run; it did not exist.
    Made,
    /// The user; it was empty.
    Empty,
    /// An earlier session of this run.
    Reopened,
}

/// Whether a path that need not exist yet lies in `folder`, links followed.
#[must_use]
pub fn lies_in(path: &Path, folder: &Path) -> bool {
    let Ok(absolute) = std::path::absolute(path) else { return false };
    let existing = absolute.ancestors().find(|p| p.exists()).and_then(|p| p.canonicalize().ok());
    existing.zip(folder.canonicalize().ok()).is_some_and(|(path, folder)| path.starts_with(folder))
}

impl RunFolder {
    /// Makes a new (or empty) folder and writes `run.ron`.
    ///
    /// # Errors
    /// [`ExportError::NotEmpty`] when there is something in it already.
    pub fn create(path: &Path, record: &RunRecord) -> Result<Self, ExportError> {
        let origin = if path.exists() { Origin::Empty } else { Origin::Made };
        atomic::create_empty_folder(path)?;
        record.write(path)?;
        Self::open(path, origin)
    }

    fn open(path: &Path, origin: Origin) -> Result<Self, ExportError> {
        let append = |name: &str| {
            let file = path.join(name);
            OpenOptions::new().create(true).append(true).open(&file).map_err(ExportError::io(&file))
        };
        let log = append("log.txt")?;
        // The lock goes with the file when its process ends, however that happens. File systems without locks go without.
        if let Err(TryLockError::WouldBlock) = log.try_lock() {
            return Err(ExportError::InUse { path: path.to_owned() });
        }
        let metrics = Lines::new(append("metrics.jsonl")?);
        Ok(Self { path: path.to_owned(), metrics, log: Lines::new(log), origin })
    }

    /// Opens the folder of a sequence, whose frames have run folders of their own in it.
    ///
    /// # Errors
    /// [`ExportError::InUse`] when another process is at it, else [`ExportError::Io`].
    pub(super) fn of_sequence(path: &Path) -> Result<Self, ExportError> {
        Self::open(path, Origin::Reopened)
    }

    /// Opens an existing run and cuts `metrics.jsonl` back to `lines` lines, the state of its checkpoint.
    ///
    /// # Errors
    /// [`ExportError::InUse`] when another process is at it, else [`ExportError::Io`].
    pub fn reopen(path: &Path, lines: u32) -> Result<Self, ExportError> {
        let metrics = path.join("metrics.jsonl");
        std::fs::metadata(&metrics).map_err(ExportError::io(&metrics))?;
        let folder = Self::open(path, Origin::Reopened)?;
        let text = std::fs::read_to_string(&metrics).map_err(ExportError::io(&metrics))?;
        let kept: String = text.split_inclusive('\n').take(lines as usize).collect();
        atomic::write(&metrics, kept.as_bytes())?;
        // The file is another one now.
        let appended = OpenOptions::new().append(true).open(&metrics).map_err(ExportError::io(&metrics))?;
        Ok(Self { metrics: Lines::new(appended), ..folder })
    }

    /// Whether some process writes to a run folder now.
    #[must_use]
    pub fn in_use(path: &Path) -> bool {
        let log = OpenOptions::new().append(true).open(path.join("log.txt"));
        log.is_ok_and(|log| matches!(log.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Takes back what [`RunFolder::create`] and the logs left, because the input turned out to be unusable before anything
    /// was computed. A folder that the user had made stays, empty; a reopened run stays as it is.
    pub fn discard(&self) {
        if self.origin == Origin::Reopened {
            return;
        }
        // Best effort: the error that led here is the one to report.
        for name in ["run.ron", "metrics.jsonl", "log.txt"] {
            let _ = std::fs::remove_file(self.path.join(name));
        }
        edits::discard(&self.path);
        PretrainedRenderer::discard(&self.path);
        if self.origin == Origin::Made {
            let _ = std::fs::remove_dir(&self.path);
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line to `metrics.jsonl`: `{"t","stage","phase","iter","iters","total", one field a term}`.
    ///
    /// # Errors
    /// [`ExportError::Io`], for example a full disk: the line is kept and written before the next ([`Self::retry`]).
    pub fn metrics(&mut self, report: &StepReport) -> Result<(), ExportError> {
        let mut line = serde_json::Map::new();
        line.insert("t".into(), serde_json::json!((report.t * 1e3).round() / 1e3));
        line.insert("stage".into(), serde_json::json!(report.stage));
        line.insert("phase".into(), serde_json::json!(report.phase));
        line.insert("iter".into(), serde_json::json!(report.iter));
        line.insert("iters".into(), serde_json::json!(report.iters));
        line.insert("total".into(), serde_json::json!(report.total));
        for (name, value) in &report.terms {
            line.insert(name.clone(), serde_json::json!(value));
        }
        let text = format!("{}\n", serde_json::Value::Object(line));
        self.metrics.append(&text).map_err(ExportError::io(&self.path.join("metrics.jsonl")))
    }

    /// Appends a line to `log.txt`.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn log(&mut self, line: &str) -> Result<(), ExportError> {
        self.log.append(&format!("{line}\n")).map_err(ExportError::io(&self.path.join("log.txt")))
    }

    /// Appends what an earlier line could not, if anything: a disk that was full may have room again.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn retry(&mut self) -> Result<(), ExportError> {
        self.metrics.retry().map_err(ExportError::io(&self.path.join("metrics.jsonl")))?;
        self.log.retry().map_err(ExportError::io(&self.path.join("log.txt")))
    }

    /// Forces the logs to disk.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn sync(&mut self) -> Result<(), ExportError> {
        self.retry()?;
        let synced = self.metrics.file().sync_data().and_then(|()| self.log.file().sync_data());
        synced.map_err(ExportError::io(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_written_is_not_opened_twice() {
        let path = std::env::temp_dir().join(format!("thenar-run-folder-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        let mut first = RunFolder::open(&path, Origin::Made).expect("free");
        assert!(RunFolder::in_use(&path), "somebody writes");
        assert!(matches!(RunFolder::reopen(&path, 0), Err(ExportError::InUse { .. })), "and nobody else may");
        first.log("one line").expect("written");
        drop(first);
        assert!(!RunFolder::in_use(&path), "it is free again");
        let mut again = RunFolder::reopen(&path, 0).expect("free");
        assert!(RunFolder::in_use(&path), "the lock goes along");
        again.log("another").expect("written");
        drop(again);
        std::fs::remove_dir_all(&path).expect("it goes away");
    }
}
