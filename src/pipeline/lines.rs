//! A file that grows by whole lines, also on a disk that is full for a while.

use std::fs::File;
use std::io::Write;

/// See the module.
#[derive(Debug)]
pub(super) struct Lines {
    file: File,
    /// What the disk has not taken yet.
    pending: Vec<u8>,
}

impl Lines {
    /// Of a file that is opened for appending.
    pub(super) const fn new(file: File) -> Self {
        Self { file, pending: Vec::new() }
    }

    /// The file.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Appends a line, which brings its own end. What the disk does not take is kept, and tried again first the next time.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn append(&mut self, line: &str) -> std::io::Result<()> {
        self.pending.extend_from_slice(line.as_bytes());
        self.retry()
    }

    /// Appends what is kept, if anything.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn retry(&mut self) -> std::io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let before = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&self.pending) {
            // No half line stays; where it cannot be taken away either, the first error is the one to tell.
            let _ = self.file.set_len(before);
            return Err(error);
        }
        self.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_loses_no_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines");
        let real = || OpenOptions::new().create(true).append(true).open(&path).expect("opens");
        let mut lines = Lines::new(real());
        lines.append("one\n").expect("there is room");
        lines.file = OpenOptions::new().append(true).open("/dev/full").expect("opens");
        for line in ["two\n", "three\n"] {
            let error = lines.append(line).expect_err("it is full");
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "and says so");
        }
        assert!(lines.retry().is_err(), "still");
        lines.file = real();
        lines.append("four\n").expect("there is room again");
        lines.retry().expect("nothing is left");
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), "one\ntwo\nthree\nfour\n", "each once, in order");
    }
}
