//! A window under a virtual display for tests: `Xvfb`, child processes, a mouse. Compiled into tests only.
//!
//! Nothing here is timed: every wait ends with the event it waits for, and the limits are only there so that a hang is told
//! from a slow machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No child takes this long, however busy the machine.
const LONGEST: Duration = Duration::from_secs(900);
/// Nor a single picture.
const LONGEST_PICTURE: Duration = Duration::from_secs(300);
/// Time between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(30);

/// One window at a time: several would share two cores and answer the mouse too late.
static ONE_WINDOW: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// A virtual display that goes away with this value.
pub(crate) struct Display {
    _turn: std::sync::MutexGuard<'static, ()>,
    server: Child,
    name: String,
    runtime_dir: tempfile::TempDir,
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Display {
    fn open(size: &str) -> Result<Self, String> {
        let turn = ONE_WINDOW.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let runtime_dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        // The server chooses a free number and says which.
        let log = runtime_dir.path().join("display");
        let out = std::fs::File::create(&log).map_err(|e| e.to_string())?;
        let server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &format!("{size}x24"), "-nolisten", "tcp"])
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("Xvfb does not start ({e}); install the package xvfb"))?;
        let mut display = Self { _turn: turn, server, name: String::new(), runtime_dir };
        let mut name = String::new();
        let told = wait_until(Duration::from_secs(120), || {
            name = std::fs::read_to_string(&log).unwrap_or_default();
            name.ends_with('\n') || !matches!(display.server.try_wait(), Ok(None))
        });
        if !told || !name.ends_with('\n') {
            return Err("Xvfb did not open a display".to_owned());
        }
        display.name = format!(":{}", name.trim());
        Ok(display)
    }

    /// Lets a child open its window here.
    pub(crate) fn dress(&self, command: &mut Command) {
        command
            .env("DISPLAY", &self.name)
            .env_remove("WAYLAND_DISPLAY")
            .env("XDG_RUNTIME_DIR", self.runtime_dir.path());
    }

    /// Presses a key while another is held. Both are held for longer than a slow frame takes: what is pressed and let go within
    /// one frame is met without its modifier.
    pub(crate) fn chord(&self, held: &str, key: &str) {
        self.mouse(&["keydown", held, "sleep", "0.5", "key", key, "sleep", "0.5", "keyup", held]);
    }

    /// Keys go to the window that is open: no window manager gives it the focus.
    pub(crate) fn focus(&self) {
        self.mouse(&["search", "--onlyvisible", "--name", "thenar", "windowfocus"]);
    }

    /// Asks the window to close, as the button in its frame does.
    pub(crate) fn ask_to_close(&self) {
        use x11rb::connection::Connection as _;
        use x11rb::protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask};
        let (connection, screen) = x11rb::connect(Some(&self.name)).expect("the display answers");
        let atom = |name: &str| {
            let cookie = connection.intern_atom(false, name.as_bytes()).expect("sent");
            cookie.reply().expect("an atom").atom
        };
        let (protocols, delete) = (atom("WM_PROTOCOLS"), atom("WM_DELETE_WINDOW"));
        let mut left = vec![connection.setup().roots[screen].root];
        let mut asked = 0;
        while let Some(window) = left.pop() {
            let property = connection.get_property(false, window, protocols, AtomEnum::ATOM, 0, 32).expect("sent");
            // A window may be gone by now.
            let spoken = property.reply().ok().and_then(|p| p.value32().map(|v| v.collect::<Vec<u32>>()));
            if spoken.is_some_and(|all| all.contains(&delete)) {
                let event = ClientMessageEvent::new(32, window, protocols, [delete, 0, 0, 0, 0]);
                connection.send_event(false, window, EventMask::NO_EVENT, event).expect("sent");
                asked += 1;
            }
            let tree = connection.query_tree(window).expect("sent").reply();
            left.extend(tree.map(|t| t.children).unwrap_or_default());
        }
        connection.flush().expect("sent");
        assert_eq!(asked, 1, "one window that can be asked");
    }

    /// Does something with the mouse or the keys.
    pub(crate) fn mouse(&self, words: &[&str]) {
        let mut command = Command::new("xdotool");
        self.dress(&mut command);
        assert!(command.args(words).status().is_ok_and(|s| s.success()), "xdotool {words:?}");
    }
}

/// A display and a driver, or the reason why this test is skipped.
pub(crate) fn display() -> Option<Display> {
    let found =
        if thenar::gpu::list_devices().is_empty() { Err("no adapter".to_owned()) } else { Display::open("1280x800") };
    match found {
        Ok(display) => Some(display),
        Err(why) if std::env::var("REQUIRE_GPU").is_ok_and(|v| v == "1") => panic!("REQUIRE_GPU=1 but {why}"),
        Err(why) => {
            println!("skipped: {why}");
            None
        }
    }
}

/// A display with mouse and keys, or the reason why this test is skipped.
pub(crate) fn display_with_mouse() -> Option<Display> {
    let display = display()?;
    if Command::new("xdotool").arg("version").stdout(Stdio::null()).status().is_err() {
        assert!(!std::env::var("REQUIRE_GPU").is_ok_and(|v| v == "1"), "REQUIRE_GPU=1 but xdotool is not installed");
        println!("skipped: no xdotool");
        return None;
    }
    Some(display)
}

/// True as soon as it is so; false after `limit`.
fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

/// Repeats an action until the picture is there that the window writes after it: on a busy machine a frame may swallow it.
/// The action is told how often it was tried before.
pub(crate) fn until_written(path: &Path, mut act: impl FnMut(u32)) {
    let deadline = Instant::now() + LONGEST_PICTURE;
    for tries in 0.. {
        if path.exists() {
            return;
        }
        assert!(Instant::now() < deadline, "{} is written, after {tries} tries", path.display());
        act(tries);
        wait_until(Duration::from_secs(u64::from(3 + 2 * tries.min(10))), || path.exists());
    }
}

/// A child process that does not outlive its test.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guard {
    /// Waits for the end and says whether it was a good one. A child that hangs fails the test.
    pub(crate) fn ends_well(mut self) -> bool {
        let mut success = false;
        let ended = wait_until(LONGEST, || match self.0.try_wait() {
            Ok(None) => false,
            status => {
                success = status.is_ok_and(|s| s.is_some_and(|s| s.success()));
                true
            }
        });
        assert!(ended, "the child has not ended after {} s; its log says what it waits for", LONGEST.as_secs());
        success
    }
}

/// Where pictures are kept for looking at: `THENAR_KEEP_PICTURES`, else a folder that goes away.
pub(crate) struct Pictures {
    dir: PathBuf,
    _guard: Option<tempfile::TempDir>,
}

impl Pictures {
    pub(crate) fn new() -> Self {
        match std::env::var_os("THENAR_KEEP_PICTURES") {
            Some(dir) => {
                std::fs::create_dir_all(&dir).expect("a writable folder");
                Self { dir: dir.into(), _guard: None }
            }
            None => {
                let dir = tempfile::tempdir().expect("a temporary folder");
                Self { dir: dir.path().to_owned(), _guard: Some(dir) }
            }
        }
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of a picture.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The command that takes a picture; one of an earlier test run is not taken for it.
    pub(crate) fn shot(&self, name: &str) -> String {
        let _ = std::fs::remove_file(self.at(name));
        format!("screenshot {}", self.at(name).display())
    }
}
