//! `thenar inspect`: what a capture folder holds and how good it is.

use super::capture_args::CaptureArgs;
use super::{CliError, Exit};
use crate::capture::{Capture, inspect};
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `thenar inspect`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct InspectArgs {
    /// Capture folder; it is only read.
    pub capture: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// How to read the capture.
    #[command(flatten)]
    pub reading: CaptureArgs,
}

pub(super) fn run(args: &InspectArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let report = inspect(&Capture::open_with(&args.capture, &args.reading.options())?);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let expected = InspectArgs { capture: "room".into(), json: true, reading: CaptureArgs::default() };
        assert_eq!(parse_only::<InspectArgs>("room --json").expect("documented"), expected, "with --json");
        assert!(parse_only::<InspectArgs>("").is_err(), "a capture is needed");
    }

    #[test]
    fn a_folder_that_is_not_there_is_unusable_input() {
        let args = InspectArgs { capture: "no/such/folder".into(), json: true, reading: CaptureArgs::default() };
        let mut out = Vec::new();
        let error = run(&args, &mut out).expect_err("there is no such folder");
        assert_eq!(error.exit(), Exit::Input, "{error}");
        assert!(out.is_empty(), "nothing on stdout");
    }
}
