//! `thenar inspect`: what a capture folder holds, how good it is, and what will be done about it.

use super::capture_args::CaptureArgs;
use super::progress::{Progress, ProgressMode};
use super::{CliError, Exit};
use crate::capture::{Capture, Edits, Warning};
use crate::detect::Detector;
use crate::fitting::pose::{PoseSettings, Triangulator};
use crate::pipeline::{DETECTION, Diagnosis, KeypointSource, RunRecord, Stage, StepReport};
use crate::pipeline::{detected_keypoints, diagnose, diagnose_after_run, judged_masks};
use image::RgbImage;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Arguments of `thenar inspect`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct InspectArgs {
    /// Capture folder; it is only read.
    pub capture: PathBuf,
    /// Find the keypoints in the images although the capture has its own; without own ones that happens anyway.
    #[arg(long)]
    pub detect: bool,
    /// A run of this capture: the views that took part are examined, with its settings and keypoints, and what it decided
    /// about their masks is told.
    #[arg(long, conflicts_with = "detect")]
    pub run: Option<PathBuf>,
    /// Changes of keypoints and masks: the capture is examined with them. (A run is examined with its own.)
    #[arg(long, value_name = "FILE.ron", conflicts_with = "run")]
    pub edits: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// How to read the capture.
    #[command(flatten)]
    pub reading: CaptureArgs,
}

pub(super) fn run(args: &InspectArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let diagnosis = match &args.run {
        Some(run) => examine_run(args, run)?,
        None => {
            let mut capture = Capture::open_with(&args.capture, &args.reading.options())?;
            if let Some(path) = &args.edits {
                capture = capture.edited(Arc::new(Edits::read(path)?))?;
            }
            if args.detect || !capture.has_keypoints() {
                find_keypoints(&mut capture)?;
            }
            // The twin of the kernel is fast enough for one frame, and needs no device.
            diagnose(&capture, &[], &PoseSettings::default(), &Triangulator::Reference)
        }
    };
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &diagnosis.report())?;
        writeln!(out)?;
    } else {
        write!(out, "{diagnosis}")?;
    }
    Ok(if diagnosis.is_usable() { Exit::Done } else { Exit::Input })
}

/// The capture as a run of it saw it.
fn examine_run(args: &InspectArgs, run: &Path) -> Result<Diagnosis, CliError> {
    let record = RunRecord::read(run)?;
    let mut capture = Capture::open_with(&args.capture, &record.capture_options)?.edited(record.read_edits(run)?)?;
    if capture.hash != record.capture_hash {
        let (run, capture) = (run.display(), args.capture.display());
        return Err(CliError::Usage(format!("{run} is no run of {capture} as it is now: its files are others")));
    }
    if record.keypoints == KeypointSource::Detected {
        let found = detected_keypoints(&capture, run)?;
        for (view, hands) in capture.views.iter_mut().zip(found) {
            view.keypoints = hands;
        }
        change_found(&mut capture);
    }
    let count = capture.views.len();
    let used: Vec<bool> = (0..count).map(|v| !record.exclude.contains(&v) && !record.hold_out.contains(&v)).collect();
    let judged = judged_masks(run, count).unwrap_or_default();
    Ok(diagnose_after_run(&capture, &used, &record.preset.pose, &Triangulator::Reference, &judged))
}

/// Gives the views the keypoints found in their images; the capture's files stay as they are.
fn find_keypoints(capture: &mut Capture) -> Result<(), CliError> {
    let detector = Detector::open()?;
    let mut progress = Progress::new(ProgressMode::Auto);
    let began = Instant::now();
    let views = capture.views.len();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut done = 0;
    for views_at_once in capture.views.chunks_mut(Detector::parallel_views()) {
        let images: Vec<&RgbImage> = views_at_once.iter().map(|view| &view.image).collect();
        let found = detector.detect_all(&images)?;
        for (view, hands) in views_at_once.iter_mut().zip(found) {
            view.keypoints = hands;
        }
        done += views_at_once.len();
        progress.step(&StepReport {
            t: began.elapsed().as_secs_f64(),
            stage: Stage::Pose,
            phase: DETECTION.to_owned(),
            iter: count(done),
            iters: count(views),
            total: 0.0,
            terms: Vec::new(),
        });
    }
    change_found(capture);
    Ok(())
}

/// Lays the capture's edits over keypoints that were found in its images.
fn change_found(capture: &mut Capture) {
    let edits = Arc::clone(&capture.edits);
    let found = capture.views.iter_mut().map(|view| (view.name.as_str(), &mut view.keypoints));
    let lost = edits.change_found(found);
    capture.warnings.extend(lost.into_iter().map(Warning::Note));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let expected = InspectArgs {
            capture: "room".into(),
            detect: false,
            run: None,
            edits: None,
            json: true,
            reading: CaptureArgs::default(),
        };
        assert_eq!(parse_only::<InspectArgs>("room --json").expect("documented"), expected, "with --json");
        let of_run = parse_only::<InspectArgs>("room --run room-run").expect("documented");
        assert_eq!(of_run.run.as_deref(), Some(Path::new("room-run")), "with a run");
        assert!(parse_only::<InspectArgs>("room --run room-run --detect").is_err(), "a run has its keypoints");
        assert!(parse_only::<InspectArgs>("").is_err(), "a capture is needed");
    }

    #[test]
    fn a_folder_that_is_not_there_is_unusable_input() {
        let args = InspectArgs {
            capture: "no/such/folder".into(),
            detect: false,
            run: None,
            edits: None,
            json: true,
            reading: CaptureArgs::default(),
        };
        let mut out = Vec::new();
        let error = run(&args, &mut out).expect_err("there is no such folder");
        assert_eq!(error.exit(), Exit::Input, "{error}");
        assert!(out.is_empty(), "nothing on stdout");
    }
}
