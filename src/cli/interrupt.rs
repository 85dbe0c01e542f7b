//! Ctrl-C: the first asks for an orderly end, the second ends at once.

use super::Exit;
use super::progress::CLEAR_LINE;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells the loop of a command that the user wants out. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    requested: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens to Ctrl-C (and SIGTERM). After the first signal [`Self::requested`] is true: the command finishes its
    /// step, saves a checkpoint and ends with [`Exit::Interrupted`]. The second signal ends the process at once with
    /// [`Exit::Failed`], as nothing is saved then; files written before are whole, since they are renamed into place.
    ///
    /// # Errors
    /// When the system lets us install no handler, or one is installed already.
    pub fn install() -> anyhow::Result<Self> {
        Self::install_saying("stopping after this step, then saving; Ctrl-C again stops without saving")
    }

    /// As [`Self::install`], with other words for the first signal.
    ///
    /// # Errors
    /// As [`Self::install`].
    pub fn install_saying(words: &'static str) -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let shared = interrupt.clone();
        ctrlc::set_handler(move || shared.signal(words))?;
        Ok(interrupt)
    }

    /// True once the user has asked to stop.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Notes a request; true when it is the first.
    fn request(&self) -> bool {
        !self.requested.swap(true, Ordering::AcqRel)
    }

    fn signal(&self, words: &str) {
        let mut stderr = std::io::stderr();
        let clear = if stderr.is_terminal() { CLEAR_LINE } else { "" };
        // Stderr may be closed; the signal counts all the same.
        if self.request() {
            let _ = writeln!(stderr, "{clear}{words}");
        } else {
            let _ = writeln!(stderr, "{clear}stopped without saving");
            std::process::exit(Exit::Failed as i32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_is_told_from_the_second() {
        let interrupt = Interrupt::default();
        let other = interrupt.clone();
        assert!(!interrupt.requested(), "nobody asked yet");
        assert!(other.request(), "the first");
        assert!(interrupt.requested(), "clones share the state");
        assert!(!interrupt.request(), "the second");
    }
}
