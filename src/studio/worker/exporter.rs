//! The thread that writes exported files.
//!
//! The worker gives way to the window and to every other program ([`super::priority`]), and a thread of a Linux process that
//! was made nicer may not be made less so again. Files that somebody waits for would then take ten times as long on a busy
//! machine, so a thread of its own writes them, started beside the worker and not by it. The run goes on meanwhile.

use super::Wake;
use super::channel::Event;
use crate::studio::backend::ExportJob;
use crate::studio::problem::Problem;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

/// Exports that may wait for their turn; of each the answer has room as well.
const CAPACITY: usize = 64;

/// The window's handle on the thread.
#[derive(Debug)]
pub(super) struct Exporter {
    answers: Receiver<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Starts the thread; jobs go into the returned end, which the worker holds.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(super) fn start(wake: Wake) -> std::io::Result<(Self, Sender<ExportJob>)> {
        let (jobs, next) = bounded::<ExportJob>(CAPACITY);
        let (answer, answers) = bounded(CAPACITY);
        let run = move || {
            // Ends when the worker is gone.
            while let Ok(job) = next.recv() {
                let written = catch_unwind(AssertUnwindSafe(job))
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("the exporter panicked; the log says where")));
                let event = written.map_or_else(|e| Event::ExportFailed(Problem::exporting(&e)), Event::Exported);
                // Only a window that is gone does not take answers.
                let _ = answer.try_send(event);
                wake();
            }
        };
        let thread = std::thread::Builder::new().name("thenar-export".to_owned()).spawn(run)?;
        Ok((Self { answers, thread: Some(thread) }, jobs))
    }

    /// What an export came to.
    pub(super) fn try_answer(&self) -> Option<Event> {
        self.answers.try_recv().ok()
    }
}

impl Drop for Exporter {
    /// Waits for the file that is being written: a whole one is worth a second.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
