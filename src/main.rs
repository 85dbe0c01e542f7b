//! The binary: reads the command line, then runs a command or opens the studio.

use std::path::PathBuf;
use std::process::ExitCode;
use thenar::cli::{self, Action};

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(Action::Command(command)) => cli::run(command),
        Ok(Action::Studio(path)) => open_studio(path),
        Err(code) => code,
    }
}

#[cfg(feature = "studio")]
#[expect(clippy::print_stderr, reason = "the window could not be opened, so this is where people look")]
fn open_studio(path: Option<PathBuf>) -> ExitCode {
    let program = std::sync::Arc::new(thenar::studio::Program::default());
    match thenar::studio::run(program, path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(feature = "studio"))]
fn open_studio(_path: Option<PathBuf>) -> ExitCode {
    cli::report_usage("this build has no studio; `thenar --help` lists the commands")
}
