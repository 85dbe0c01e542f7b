//! The command line: one file a command, and what they share.
//!
//! Other programs call it, so it is a contract: stdout carries results (JSON with `--json`), stderr progress and logs,
//! and the exit codes are those of [`Exit`]. A command is `run(args, out)`: it writes its result to `out` and returns how
//! it ended; [`CliError::exit`] is the one place that turns an error into an exit code.

mod args;
mod batch;
mod capture_args;
mod convert;
mod devices;
mod error;
mod evaluate;
mod export;
mod inspect;
mod interrupt;
mod logging;
mod motion;
mod presets;
mod pretrain_renderer;
mod progress;
mod reconstruct;
mod render;
mod report;
mod repose;
mod sequence;
mod synth;
#[cfg(feature = "train")]
mod train_regressor;

pub use args::{HandModelChoice, HandSelection, Setting, ViewSelection};
pub use batch::BatchArgs;
pub use capture_args::CaptureArgs;
pub use convert::{ConvertArgs, ConvertFormat};
pub use devices::DevicesArgs;
pub use error::{CliError, Exit};
pub use evaluate::EvaluateArgs;
pub use export::{ExportArgs, Format, Frame, Pose};
pub use inspect::InspectArgs;
pub use interrupt::Interrupt;
pub use motion::{Background, MotionArgs};
pub use presets::PresetsArgs;
pub use pretrain_renderer::PretrainRendererArgs;
pub use progress::{Progress, ProgressMode};
pub use reconstruct::{InitSelection, ReconstructArgs};
pub use render::{RenderArgs, RenderMode};
pub use report::ReportArgs;
pub use repose::{ReposeArgs, ReposeFormat, ReposeSide};
pub use synth::{SynthArgs, SynthHands};
#[cfg(feature = "train")]
pub use train_regressor::TrainRegressorArgs;

use crate::preset::distance;
use clap::{CommandFactory, Parser};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Multi-view hand reconstruction by inverse rendering.
///
/// Without a command the studio opens; PATH is a capture folder or the folder of a reconstruction.
#[derive(Debug, Parser)]
#[command(
    name = "thenar",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 input unusable, 4 a capture of a batch failed, \
                  5 GPU lost or out of memory, 130 interrupted after saving.\n\
                  Results go to stdout, progress and logs to stderr (RUST_LOG=thenar=debug shows more)."
)]
struct Cli {
    /// Capture or run folder to open in the studio.
    path: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// A command with its arguments.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say what a capture folder holds and how good it is.
    Inspect(InspectArgs),
    /// Write the calibration of a capture in another format.
    ConvertCalib(ConvertArgs),
    /// Turn a capture folder into textured hands.
    Reconstruct(Box<ReconstructArgs>),
    /// Reconstruct many captures; what is done already is skipped.
    Batch(BatchArgs),
    /// Write files for other programs from a run folder.
    Export(ExportArgs),
    /// Write a run's hands in other poses: animated, or a mesh a frame.
    Repose(ReposeArgs),
    /// Draw a run's hands as its cameras see them, or a camera that moves.
    Render(Box<RenderArgs>),
    /// Say how good a run is.
    Evaluate(EvaluateArgs),
    /// Tell all about a run in one HTML file.
    Report(ReportArgs),
    /// Make a synthetic capture with its true answer beside it.
    Synth(SynthArgs),
    /// Train a network on finished runs, for others to begin theirs with.
    PretrainRenderer(PretrainRendererArgs),
    /// Train the network that gives the fit its start.
    #[cfg(feature = "train")]
    TrainRegressor(TrainRegressorArgs),
    /// List the graphics devices, fastest kind first.
    Devices(DevicesArgs),
    /// List the presets, or print one in full.
    Presets(PresetsArgs),
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Action {
    /// Run a command.
    Command(Command),
    /// Open the studio, on a folder if one is given.
    Studio(Option<PathBuf>),
}

/// Reads the command line (program name first). Help, the version and usage errors are printed here; their exit code is
/// the error.
///
/// # Errors
/// The exit code to end with: 0 for help and version, 2 for a usage error.
pub fn parse<I, T>(arguments: I) -> Result<Action, ExitCode>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let parsed = Cli::try_parse_from(&arguments);
    if let Ok(Cli { command: Some(command), .. }) = parsed {
        return Ok(Action::Command(command));
    }
    if let Some(message) = mistyped(&arguments) {
        return Err(report_usage(&message));
    }
    match parsed {
        Ok(Cli { path, .. }) => Ok(Action::Studio(path)),
        Err(e) => {
            // Nobody is left to tell when stderr is closed.
            let _ = e.print();
            Err(if e.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() })
        }
    }
}

/// What to say about a first word that is neither a command nor a path: clap alone takes it for the path of a capture.
fn mistyped(arguments: &[OsString]) -> Option<String> {
    let word = arguments.get(1)?.to_str()?;
    let commands: Vec<String> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
    if !plain || word == "help" || commands.iter().any(|c| c == word) || std::path::Path::new(word).exists() {
        return None;
    }
    let nearest = commands.iter().min_by_key(|c| distance(c, word)).filter(|c| distance(c, word) <= 1 + c.len() / 3);
    match nearest {
        Some(command) => Some(format!("there is no command `{word}`; did you mean `thenar {command}`?")),
        // A single word may be meant as a path: the studio says that it is not there.
        None if arguments.len() == 2 => None,
        None => Some(format!("`{word}` is neither a command nor a folder; there are: {}", commands.join(", "))),
    }
}

/// Runs a command with stdout for its result and says on stderr what went wrong.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    logging::start();
    let mut out = std::io::stdout().lock();
    let result = run_to(command, &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    match result {
        Ok(exit) => exit.into(),
        // The reader of our result has seen enough (`thenar devices | head -n 1`).
        Err(CliError::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done.into(),
        Err(e) => {
            error::print(&e);
            e.exit().into()
        }
    }
}

/// Runs a command that writes its result to `out`.
///
/// # Errors
/// Whatever the command ran into; [`CliError::exit`] gives its exit code.
pub fn run_to(command: Command, out: &mut dyn Write) -> Result<Exit, CliError> {
    match command {
        Command::Inspect(args) => inspect::run(&args, out),
        Command::ConvertCalib(args) => convert::run(&args, out),
        Command::Reconstruct(args) => reconstruct::run(&args, out),
        Command::Batch(args) => batch::run(&args, out),
        Command::Export(args) => export::run(&args, out),
        Command::Repose(args) => repose::run(&args, out),
        Command::Render(args) => render::run(&args, out),
        Command::Evaluate(args) => evaluate::run(&args, out),
        Command::Report(args) => report::run(&args, out),
        Command::Presets(args) => presets::run(&args, out),
        Command::Synth(args) => synth::run(&args, out),
        Command::PretrainRenderer(args) => pretrain_renderer::run(&args, out),
        #[cfg(feature = "train")]
        Command::TrainRegressor(args) => train_regressor::run(&args, out),
        Command::Devices(args) => devices::run(&args, out),
    }
}

/// Says on stderr that the program was called wrongly.
#[must_use]
pub fn report_usage(message: &str) -> ExitCode {
    error::print(&CliError::Usage(message.to_owned()));
    Exit::Usage.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_the_studio_opens() {
        assert!(matches!(parse(["thenar"]), Ok(Action::Studio(None))), "no argument");
        let Ok(Action::Studio(Some(path))) = parse(["thenar", "captures/room"]) else {
            panic!("a path opens the studio")
        };
        assert_eq!(path, PathBuf::from("captures/room"), "the path is handed on");
    }

    #[test]
    fn help_and_version_end_well_and_nonsense_is_a_usage_error() {
        for (arguments, expected) in [
            (&["thenar", "--help"][..], Exit::Done),
            (&["thenar", "--version"], Exit::Done),
            (&["thenar", "devices", "--help"], Exit::Done),
            (&["thenar", "--nonsense"], Exit::Usage),
            (&["thenar", "devices", "--nonsense"], Exit::Usage),
            (&["thenar", "one", "two"], Exit::Usage),
        ] {
            let code = parse(arguments.iter().copied()).expect_err("nothing to run");
            assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(expected)), "{arguments:?}");
        }
    }
}
