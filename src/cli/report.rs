//! `thenar report`: all about a run in one HTML file.

use super::evaluate::neural_renderer;
use super::{CliError, Exit};
use crate::capture::{Capture, CaptureError};
use crate::export::atomic;
use crate::gpu::{DeviceChoice, Gpu};
use crate::pipeline::{FinishedRun, ReportSources};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `thenar report`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct ReportArgs {
    /// Run folder.
    pub run: PathBuf,
    /// File to write; `report.html` in the run folder unless given.
    #[arg(short, long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Folder with the true meshes and joints; `ground_truth` of the capture unless given, where there is one.
    #[arg(long, value_name = "DIR")]
    pub ground_truth: Option<PathBuf>,
    /// Graphics device by name or index, see `thenar devices`.
    #[arg(long, default_value = "auto", value_name = "NAME|INDEX")]
    pub device: DeviceChoice,
}

pub(super) fn run(args: &ReportArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let run = FinishedRun::read(&args.run)?;
    let path = args.output.clone().unwrap_or_else(|| default_path(&args.run));
    let gpu = Gpu::new(&args.device)?;
    write(&run, &path, args.ground_truth.as_deref(), &gpu)?;
    writeln!(out, "{}", path.display())?;
    Ok(Exit::Done)
}

/// Where a run's report lies.
pub(super) fn default_path(run: &Path) -> PathBuf {
    run.join("report.html")
}

/// Writes the report of a run.
pub(super) fn write(run: &FinishedRun, path: &Path, ground_truth: Option<&Path>, gpu: &Gpu) -> Result<(), CliError> {
    if let Some(truth) = ground_truth.filter(|truth| !truth.join("joints.json").is_file()) {
        return Err(CliError::Capture(CaptureError::Unusable {
            path: truth.to_owned(),
            problem: "is no ground truth (there is no joints.json in it)".to_owned(),
            remedy: "Give the folder `ground_truth` of a synthetic capture.".to_owned(),
        }));
    }
    let capture = photographs(run);
    let beside = run.record.capture.join("ground_truth");
    let found = ground_truth.or_else(|| beside.join("joints.json").is_file().then_some(&*beside));
    let mut network = neural_renderer(run, gpu)?;
    let sources = ReportSources { capture: capture.as_ref(), ground_truth: found, network: network.as_mut() };
    let html = run.report(gpu, sources)?.to_html()?;
    atomic::write(path, html.as_bytes())?;
    Ok(())
}

/// The run's photographs if they are still there and the same; else it is said that the report goes without them.
fn photographs(run: &FinishedRun) -> Option<Capture> {
    match run.record.open_capture(run.folder()) {
        Ok(capture) if capture.views.len() != run.views() => {
            tracing::warn!("the report has no photographs: {} has other views now", run.record.capture.display());
            None
        }
        Ok(capture) => {
            if capture.hash != run.record.capture_hash {
                tracing::warn!("the files of {} have changed since this run", run.record.capture.display());
            }
            Some(capture)
        }
        Err(e) => {
            tracing::warn!("the report has no photographs: {e}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let args: ReportArgs = parse_only("run").expect("documented");
        assert_eq!((args.output, args.ground_truth), (None, None), "defaults");
        let args: ReportArgs = parse_only("run -o page.html --ground-truth truth").expect("documented");
        assert_eq!((args.output, args.ground_truth), (Some("page.html".into()), Some("truth".into())), "chosen");
        assert_eq!(parse_only::<ReportArgs>("").expect_err("no run").exit_code(), 2, "a run is needed");
        assert_eq!(default_path(Path::new("run")), Path::new("run/report.html"), "in the run folder");
    }
}
