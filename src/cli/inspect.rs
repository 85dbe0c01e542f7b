//! `thenar inspect`: what a capture folder holds, how good it is, and what will be done about it.

use super::{CliError, Exit};
use crate::capture::Capture;
use crate::fitting::pose::{PoseSettings, Triangulator};
use crate::pipeline::diagnose;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `thenar inspect`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct InspectArgs {
    /// Capture folder; it is only read.
    pub capture: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &InspectArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let capture = Capture::open(&args.capture)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let expected = InspectArgs { capture: "room".into(), json: true };
        assert_eq!(parse_only::<InspectArgs>("room --json").expect("documented"), expected, "with --json");
        assert!(parse_only::<InspectArgs>("").is_err(), "a capture is needed");
    }

    #[test]
    fn a_folder_that_is_not_there_is_unusable_input() {
        let args = InspectArgs { capture: "no/such/folder".into(), json: true };
        let mut out = Vec::new();
        let error = run(&args, &mut out).expect_err("there is no such folder");
        assert_eq!(error.exit(), Exit::Input, "{error}");
        assert!(out.is_empty(), "nothing on stdout");
    }
}
