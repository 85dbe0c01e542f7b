//! Driving the real binary, and telling whether folders were touched.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;
use thenar::gpu::{DeviceChoice, Gpu, GpuError};

/// The binary under test. Rust's own log variable of the caller must not change what it says.
pub(crate) fn thenar() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thenar"));
    command.env_remove("RUST_LOG");
    command
}

/// How a call of the binary ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; a signal has none.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("what we print is UTF-8");
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl Ended {
    /// Asserts the exit code; shows stderr when it is another. Returns stdout.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "exit code; stderr:\n{}", self.stderr);
        self.stdout
    }

    /// Asserts the exit code, an empty stdout, and that stderr has all these words. Returns stderr.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.code, Some(code), "exit code; stderr:\n{}", self.stderr);
        assert_eq!(self.stdout, "", "nothing on stdout");
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` in:\n{}", self.stderr);
        }
        self.stderr
    }
}

/// Runs the binary to its end. Words of `line` are separated by blanks; `{}` stands for the next path.
#[track_caller]
pub(crate) fn call(line: &str, paths: &[&Path]) -> Ended {
    command(line, paths).output().expect("the binary starts").into()
}

/// The call of [`call`], not yet started.
#[track_caller]
pub(crate) fn command(line: &str, paths: &[&Path]) -> Command {
    let mut paths = paths.iter();
    let mut command = thenar();
    for word in line.split_whitespace() {
        match word {
            "{}" => command.arg(paths.next().expect("a path for each {}")),
            word => command.arg(word),
        };
    }
    assert!(paths.next().is_none(), "a {{}} for each path");
    command
}

/// A folder of this test program that is empty now; what tests leave in it stays for a look afterwards.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("an old folder of ours goes away");
    }
    std::fs::create_dir_all(&path).expect("a folder");
    path
}

/// Everything in a folder: bytes and time of change by path; folders have no bytes.
pub(crate) fn listing(folder: &Path) -> BTreeMap<PathBuf, (Option<Vec<u8>>, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let meta = std::fs::metadata(&path).expect("metadata");
        let changed = meta.modified().expect("a time of change");
        let bytes = if meta.is_dir() {
            open.extend(std::fs::read_dir(&path).expect("a folder").map(|e| e.expect("an entry").path()));
            None
        } else {
            Some(std::fs::read(&path).expect("a file"))
        };
        found.insert(path, (bytes, changed));
    }
    found
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// The files of a folder without its folders, relative, in order.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    listing(folder)
        .into_iter()
        .filter(|(_, (bytes, _))| bytes.is_some())
        .map(|(path, _)| path.strip_prefix(folder).expect("inside").to_string_lossy().replace('\\', "/"))
        .collect()
}

/// The graphics device, or `None` after saying so; a failure where CI demands one.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub(crate) fn gpu() -> Option<Gpu> {
    match Gpu::new(&DeviceChoice::Auto) {
        Ok(gpu) => Some(gpu),
        Err(GpuError::NoAdapter) => {
            assert!(std::env::var_os("REQUIRE_GPU").is_none_or(|v| v != "1"), "REQUIRE_GPU=1 and no adapter");
            eprintln!("skipped: no adapter");
            None
        }
        Err(e) => panic!("a device is there but does not open: {e}"),
    }
}

/// The real capture, or `None` said loudly.
pub(crate) fn real_capture() -> Option<PathBuf> {
    shared("captures/fmhr_capture_room_1")
}

/// A folder of the shared test data (`$THENAR_SHARED`, else `../shared` beside the package), or `None` said loudly.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("shared");
    let path = std::env::var_os("THENAR_SHARED").map_or_else(beside, PathBuf::from).join(name);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: no shared data ({} does not exist)", path.display());
    None
}
