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

fn open_studio(_path: Option<PathBuf>) -> ExitCode {
    cli::report_usage("this build has no studio; `thenar --help` lists the commands")
}
