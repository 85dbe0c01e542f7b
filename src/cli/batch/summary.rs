//! One row a capture: `summary.csv`, and the same for the eye.

use super::job::{Job, State};
use crate::cli::CliError;
use crate::export::atomic;
use std::fmt;
use std::path::Path;

/// What is known of one capture.
struct Row {
    name: String,
    state: &'static str,
    code: Option<i32>,
    seconds: f64,
    psnr_db: Option<f64>,
    iou: Option<f64>,
    message: String,
}

/// All rows.
pub(super) struct Table(Vec<Row>);

/// Rows of jobs; figures are means over the views of `views.csv` whose masks were trusted or mended.
pub(super) fn table(jobs: &[Job]) -> Table {
    let row = |job: &Job| {
        let (psnr_db, iou) = match job.record.state {
            State::Done => figures(&job.run),
            _ => (None, None),
        };
        Row {
            name: job.name.clone(),
            state: match job.record.state {
                State::Waiting => "waiting",
                State::Running => "running",
                State::Interrupted => "interrupted",
                State::Done => "done",
                State::Failed => "failed",
            },
            code: job.record.code,
            seconds: job.record.seconds,
            psnr_db,
            iou,
            message: job.record.message.clone().unwrap_or_default(),
        }
    };
    Table(jobs.iter().map(row).collect())
}

/// Mean PSNR where mask and render meet, and mean `IoU`, of a run.
fn figures(run: &Path) -> (Option<f64>, Option<f64>) {
    let text = std::fs::read_to_string(run.join("views.csv")).unwrap_or_default();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| header.iter().position(|h| *h == name);
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let mean = |name: &str| {
        let (value, flags) = (column(name)?, column("flags")?);
        let fine = |row: &&Vec<&str>| row.get(flags).is_none_or(|f| !f.contains("mask-not-trusted"));
        let of = |row: &Vec<&str>| row.get(value).and_then(|cell| cell.parse::<f64>().ok());
        let found: Vec<f64> = rows.iter().filter(fine).filter_map(of).collect();
        #[expect(clippy::cast_precision_loss, reason = "view counts are small")]
        let count = found.len() as f64;
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / count)
    };
    (mean("psnr_shared_db"), mean("iou"))
}

fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |v| format!("{v:.digits$}"))
}

impl Table {
    /// Writes `summary.csv`.
    pub(super) fn write(&self, path: &Path) -> Result<(), CliError> {
        let mut text = "capture,state,exit_code,seconds,psnr_shared_db,iou,message\n".to_owned();
        for r in &self.0 {
            let code = r.code.map(|c| c.to_string()).unwrap_or_default();
            let message = r.message.replace('"', "\"\"");
            let (psnr, iou) = (cell(r.psnr_db, 2), cell(r.iou, 4));
            text += &format!("{},{},{code},{:.1},{psnr},{iou},\"{message}\"\n", r.name, r.state, r.seconds);
        }
        Ok(atomic::write(path, text.as_bytes())?)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|r| r.name.chars().count()).max().unwrap_or(0).max(7);
        writeln!(f, "{:width$}  {:11}  {:>8}  {:>7}  {:>6}", "capture", "state", "seconds", "PSNR dB", "IoU")?;
        for r in &self.0 {
            let (psnr, iou) = (cell(r.psnr_db, 2), cell(r.iou, 3));
            write!(f, "{:width$}  {:11}  {:8.1}  {psnr:>7}  {iou:>6}", r.name, r.state, r.seconds)?;
            writeln!(f, "{}{}", if r.message.is_empty() { "" } else { "  " }, r.message)?;
        }
        Ok(())
    }
}
