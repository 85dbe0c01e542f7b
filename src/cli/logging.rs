//! Logs on stderr, chosen by `RUST_LOG`; by default our own warnings.

use super::progress::CLEAR_LINE;
use std::io::{IsTerminal, Write};
use tracing_subscriber::EnvFilter;

/// Starts logging. A second call does nothing.
pub(super) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,wgpu_hal=error"));
    let terminal = std::io::stderr().is_terminal();
    // An error means that somebody (a test) has set a subscriber already: theirs stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(terminal)
        .with_writer(move || LineWriter { terminal })
        .without_time()
        .with_target(false)
        .try_init();
}

/// Stderr; on a terminal each line first wipes the progress line that stands there.
struct LineWriter {
    terminal: bool,
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut stderr = std::io::stderr().lock();
        if self.terminal {
            stderr.write_all(CLEAR_LINE.as_bytes())?;
        }
        stderr.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
