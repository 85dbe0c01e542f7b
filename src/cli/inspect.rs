//! `thenar inspect`: what a capture folder holds, how good it is, and what will be done about it.

use super::capture_args::CaptureArgs;
use super::progress::{Progress, ProgressMode};
use super::{CliError, Exit};
use crate::capture::Capture;
use crate::detect::Detector;
use crate::fitting::pose::{PoseSettings, Triangulator};
use crate::pipeline::{DETECTION, Stage, StepReport, diagnose};
use image::RgbImage;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `thenar inspect`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct InspectArgs {
    /// Capture folder; it is only read.
    pub capture: PathBuf,
    /// Find the keypoints in the images although the capture has its own; without own ones that happens anyway.
    #[arg(long)]
    pub detect: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// How to read the capture.
    #[command(flatten)]
    pub reading: CaptureArgs,
}

pub(super) fn run(args: &InspectArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let mut capture = Capture::open_with(&args.capture, &args.reading.options())?;
    if args.detect || !capture.has_keypoints() {
        find_keypoints(&mut capture)?;
    }
    // The twin of the kernel is fast enough for one frame, and needs no device.
    let diagnosis = diagnose(&capture, &[], &PoseSettings::default(), &Triangulator::Reference);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &diagnosis.report())?;
        writeln!(out)?;
    } else {
        write!(out, "{diagnosis}")?;
    }
    Ok(if diagnosis.is_usable() { Exit::Done } else { Exit::Input })
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let expected =
            InspectArgs { capture: "room".into(), detect: false, json: true, reading: CaptureArgs::default() };
        assert_eq!(parse_only::<InspectArgs>("room --json").expect("documented"), expected, "with --json");
        assert!(parse_only::<InspectArgs>("").is_err(), "a capture is needed");
    }

    #[test]
    fn a_folder_that_is_not_there_is_unusable_input() {
        let args = InspectArgs {
            capture: "no/such/folder".into(),
            detect: false,
            json: true,
            reading: CaptureArgs::default(),
        };
        let mut out = Vec::new();
        let error = run(&args, &mut out).expect_err("there is no such folder");
        assert_eq!(error.exit(), Exit::Input, "{error}");
        assert!(out.is_empty(), "nothing on stdout");
    }
}
