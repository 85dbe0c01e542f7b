//! Going on from an earlier step of a run, in a run of its own: `RUN/checkpoints/` holds the state at the begin of HAM and at
//! the end of each of its phases, where the run was asked to keep them ([`super::Reconstruction::keep_restart_points`]).

use super::PipelineError;
use super::run_folder::RunRecord;
use crate::export::ExportError;
use crate::export::atomic::{self, StagedFolder};
use std::path::{Path, PathBuf};

/// Folder of the kept checkpoints in a run folder.
const FOLDER: &str = "checkpoints";

/// Where the checkpoint of a step (lines of `metrics.jsonl`) is kept.
pub(super) fn place(run: &Path, step: u32) -> PathBuf {
    run.join(FOLDER).join(format!("{step:05}"))
}

/// Makes the folder of the kept checkpoints.
pub(super) fn make_folder(run: &Path) -> Result<(), ExportError> {
    let folder = run.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(ExportError::io(&folder))
}

/// Steps of a run that have a checkpoint of their own to go on from, in order; empty where none were kept.
#[must_use]
pub fn restart_points(run: &Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(run.join(FOLDER)) else { return Vec::new() };
    let mut steps: Vec<u32> = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    steps.sort_unstable();
    steps
}

/// Makes `into` a run that stands where `run` stood at `step`, of [`restart_points`]: its record, its edits and keypoints, its
/// curves and snapshots up to there, and the checkpoint. [`super::Reconstruction::resume`] goes on with it. `run` stays as it
/// is; where it cannot be done, nothing is left of `into`.
///
/// # Errors
/// [`PipelineError::Resume`] when there is no such checkpoint or the run is a frame of a sequence; a full or read-only disk, a
/// folder that is not empty.
pub fn restart(run: &Path, step: u32, into: &Path) -> Result<(), PipelineError> {
    if !restart_points(run).contains(&step) {
        return Err(PipelineError::Resume(format!("{} has kept no checkpoint of step {step}", run.display())));
    }
    if RunRecord::read(run)?.given.is_some() {
        let why = "a frame of a sequence begins with what its neighbours know; reconstruct the sequence again";
        return Err(PipelineError::Resume(why.to_owned()));
    }
    let staged = StagedFolder::new(into)?;
    copy(run, step, staged.path())?;
    Ok(staged.commit()?)
}

fn copy(run: &Path, step: u32, into: &Path) -> Result<(), ExportError> {
    let metrics = run.join("metrics.jsonl");
    let text = std::fs::read_to_string(&metrics).map_err(ExportError::io(&metrics))?;
    let kept: String = text.split_inclusive('\n').take(step as usize).collect();
    atomic::write(&into.join("metrics.jsonl"), kept.as_bytes())?;
    for name in ["edits", "keypoints"] {
        copy_files(&run.join(name), &into.join(name), |_| true)?;
    }
    for name in [FOLDER, "track"] {
        let until =
            |file: &Path| file.file_stem().and_then(|s| s.to_str()?.parse().ok()).is_some_and(|s: u32| s <= step);
        copy_files(&run.join(name), &into.join(name), until)?;
    }
    copy_file(&place(run, step), &into.join("checkpoint"))?;
    for name in ["edits.ron", "run.ron"] {
        if run.join(name).exists() {
            copy_file(&run.join(name), &into.join(name))?;
        }
    }
    Ok(())
}

fn copy_files(from: &Path, to: &Path, wanted: impl Fn(&Path) -> bool) -> Result<(), ExportError> {
    let Ok(entries) = std::fs::read_dir(from) else { return Ok(()) };
    std::fs::create_dir_all(to).map_err(ExportError::io(to))?;
    for path in entries.flatten().map(|e| e.path()).filter(|p| p.is_file() && wanted(p)) {
        copy_file(&path, &to.join(path.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<(), ExportError> {
    let bytes = std::fs::read(from).map_err(ExportError::io(from))?;
    atomic::write(to, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_kept_checkpoint_nothing_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let (run, into) = (folder.path().join("run"), folder.path().join("new"));
        std::fs::create_dir_all(run.join(FOLDER)).expect("a folder");
        for name in ["00040", "00007", "00012.part"] {
            std::fs::write(run.join(FOLDER).join(name), b"").expect("written");
        }
        assert_eq!(restart_points(&run), [7, 40], "whole files, in order");
        assert_eq!(restart_points(&into), [0_u32; 0], "no folder, no points");
        assert!(matches!(restart(&run, 12, &into), Err(PipelineError::Resume(_))), "a step without one");
        assert!(restart(&run, 7, &into).is_err(), "no record");
        assert!(!into.exists(), "and nothing was made");
    }
}
