//! One capture of a batch: what is to be done with it, and its record on disk.

use crate::capture::Capture;
use crate::cli::{CliError, Exit};
use crate::export::atomic;
use crate::pipeline::RunFolder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// Its process was started; if nobody runs it now, it was cut off.
    Running,
    /// Interrupted by the user; its state is saved.
    Interrupted,
    /// Done.
    Done,
    /// It failed.
    Failed,
}

/// `jobs/NAME.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// How far it is.
    pub state: State,
    /// SHA-256 of the capture's files.
    pub capture_hash: String,
    /// Arguments of `reconstruct`.
    pub arguments: Vec<String>,
    /// Version of the program.
    pub version: String,
    /// Exit code of its process.
    pub code: Option<i32>,
    /// Seconds of its last process.
    pub seconds: f64,
    /// Why it failed.
    pub message: Option<String>,
}

/// What to do with a job.
pub(super) enum Plan {
    /// It is done.
    Skip,
    /// Its capture cannot be used.
    Refuse(String),
    /// Run it, perhaps from where it was cut off.
    Run {
        /// From its checkpoint.
        resume: bool,
    },
}

/// One capture.
pub(super) struct Job {
    /// Position in the batch.
    pub order: usize,
    /// Its name, and that of its files.
    pub name: String,
    pub capture: PathBuf,
    pub run: PathBuf,
    pub record: Record,
    output: PathBuf,
}

/// Jobs with names of their own: that of the capture's folder, with a number where two are called the same.
pub(super) fn named(captures: &[PathBuf], output: &Path) -> Vec<Job> {
    // What lies beside the run folders.
    let mut taken: BTreeSet<String> =
        ["jobs", "summary.csv", super::shape::FOLDER, super::shape::FILE].map(str::to_owned).into();
    let name = |(order, capture): (usize, &PathBuf)| {
        let whole = capture.canonicalize().unwrap_or_else(|_| capture.clone());
        let base = whole.file_name().map_or_else(|| "capture".to_owned(), |n| n.to_string_lossy().into_owned());
        let mut name = base.clone();
        for number in 2.. {
            if taken.insert(name.clone()) {
                break;
            }
            name = format!("{base}-{number}");
        }
        Job {
            order,
            capture: capture.clone(),
            run: output.join(&name),
            record: Record::default(),
            output: output.to_owned(),
            name,
        }
    };
    captures.iter().enumerate().map(name).collect()
}

impl Job {
    fn file(&self, ending: &str) -> PathBuf {
        self.output.join("jobs").join(format!("{}.{ending}", self.name))
    }

    /// What its process says.
    pub(super) fn log(&self) -> PathBuf {
        self.file("log")
    }

    fn write(&self) -> Result<(), CliError> {
        Ok(atomic::write(&self.file("json"), serde_json::to_string_pretty(&self.record)?.as_bytes())?)
    }

    /// Decides what to do, and notes on disk that it is under way.
    pub(super) fn plan(&mut self, shared: &[String]) -> Result<Plan, CliError> {
        let before: Option<Record> =
            std::fs::read(self.file("json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // What is refused keeps what is known of it, so that it can be gone on with once the reason is gone.
        self.record = before.clone().unwrap_or_default();
        if RunFolder::in_use(&self.run) {
            return Ok(Plan::Refuse("its run folder is being written by another process".to_owned()));
        }
        let capture_hash = match Capture::open(&self.capture) {
            Ok(capture) => capture.hash,
            Err(e) => return Ok(Plan::Refuse(e.to_string())),
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let arguments = shared.to_vec();
        let same = before
            .as_ref()
            .is_some_and(|b| (&b.capture_hash, &b.arguments, &b.version) == (&capture_hash, &arguments, &version));
        if let Some(before) = before.filter(|b| same && b.state == State::Done && self.run.join("run.ron").exists()) {
            self.record = before;
            return Ok(Plan::Skip);
        }
        let resume = same && self.run.join("checkpoint").exists();
        if self.run.exists() && !resume {
            self.make_way(same)?;
        }
        self.record = Record { state: State::Running, capture_hash, arguments, version, ..Record::default() };
        self.write()?;
        Ok(Plan::Run { resume })
    }

    /// Frees the name of the run folder. What was begun with the same input and has no checkpoint yet holds nothing that is
    /// not computed again in seconds; anything else is kept under another name.
    fn make_way(&self, same: bool) -> Result<(), CliError> {
        if same {
            return Ok(std::fs::remove_dir_all(&self.run)?);
        }
        for number in 1.. {
            let aside = self.output.join(format!("{}~{number}", self.name));
            if !aside.exists() {
                std::fs::rename(&self.run, &aside)?;
                tracing::info!("{}: the run of other input or arguments is kept as {}", self.name, aside.display());
                break;
            }
        }
        Ok(())
    }

    /// Notes that it cannot be done.
    pub(super) fn fail(&mut self, code: i32, why: &str) -> Result<(), CliError> {
        self.record.state = State::Failed;
        self.record.code = Some(code);
        self.record.message = Some(why.to_owned());
        self.write()
    }

    /// Notes how its process ended; no code: killed by a signal.
    pub(super) fn end(&mut self, code: Option<i32>, took: Duration) -> Result<(), CliError> {
        self.record.seconds = (took.as_secs_f64() * 10.0).round() / 10.0;
        self.record.code = code;
        match code {
            Some(0) => self.record.state = State::Done,
            Some(c) if c == Exit::Interrupted as i32 => self.record.state = State::Interrupted,
            _ => {
                let last = std::fs::read_to_string(self.log()).unwrap_or_default();
                let last = last.lines().rev().find(|line| !line.trim().is_empty()).map(str::trim);
                let words = last.map_or_else(|| "it ended without a word".to_owned(), str::to_owned);
                return self.fail(code.unwrap_or(-1), &words);
            }
        }
        self.write()
    }

    /// How it ended, in words.
    pub(super) fn ending(&self) -> &str {
        match self.record.state {
            State::Done => "is done",
            State::Interrupted => "was interrupted; the same command goes on with it",
            State::Failed => self.record.message.as_deref().unwrap_or("failed"),
            State::Waiting | State::Running => "is not done",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_folders_and_no_two_are_the_same() {
        let captures = ["a/room", "b/room", "jobs", "c/hall"].map(PathBuf::from);
        let names: Vec<String> = named(&captures, Path::new("out")).into_iter().map(|j| j.name).collect();
        assert_eq!(names, ["room", "room-2", "jobs-2", "hall"], "numbers where they are needed");
    }
}
