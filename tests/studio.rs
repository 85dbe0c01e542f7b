//! The window under a virtual display: opened by a child process of this test, driven by a script, judged by its pictures.
//!
//! Needs `Xvfb` and a Vulkan driver. Without them the tests print `skipped: …`, and fail when `REQUIRE_GPU=1`.
#![cfg(all(feature = "studio", target_os = "linux"))]
#![expect(
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test prints what it saw, and screens are small"
)]

#[path = "support/morph.rs"]
mod morph;

use image::{Rgb, RgbImage};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One window at a time: several would share two cores and answer the mouse too late.
static ONE_WINDOW: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// A virtual display that goes away with this value.
struct Display {
    _turn: std::sync::MutexGuard<'static, ()>,
    server: Child,
    name: String,
    _runtime_dir: tempfile::TempDir,
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
        let mut display = Self { _turn: turn, server, name: String::new(), _runtime_dir: runtime_dir };
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if text.ends_with('\n') {
                display.name = format!(":{}", text.trim());
                return Ok(display);
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Err("Xvfb did not open a display".to_owned())
    }

    fn dress(&self, command: &mut Command) {
        command
            .env("DISPLAY", &self.name)
            .env_remove("WAYLAND_DISPLAY")
            .env("XDG_RUNTIME_DIR", self._runtime_dir.path());
    }
}

/// A display and a driver, or the reason why this test is skipped.
fn display() -> Option<Display> {
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

/// A child process that does not outlive its test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guard {
    /// Waits for a successful end; false when it fails or takes too long.
    fn finish(mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            match self.0.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => std::thread::sleep(Duration::from_millis(50)),
                Err(_) => return false,
            }
        }
        false
    }
}

/// Runs the window with the test engine in a process of its own (one event loop a process is all that winit allows).
fn window(display: &Display, script: &str) -> bool {
    window_with(display, script, &[])
}

/// The same with variables for the child.
fn window_with(display: &Display, script: &str, variables: &[(&str, &str)]) -> bool {
    Guard(window_command(display, script, variables).spawn().expect("this test runs")).finish(Duration::from_secs(300))
}

fn window_command(display: &Display, script: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this test has a path"));
    command.args(["--ignored", "--exact", "window_child", "--nocapture"]).env("THENAR_TEST_SCRIPT", script);
    // The child's own summary line must not be taken for this program's.
    command.stdout(Stdio::null()).envs(variables.iter().copied());
    display.dress(&mut command);
    command
}

/// Not a test by itself: the child process of the others.
#[test]
#[ignore = "started by the other tests"]
fn window_child() {
    let (script, path) = (std::env::var("THENAR_TEST_SCRIPT").ok(), std::env::var_os("THENAR_TEST_PATH"));
    if script.is_none() && path.is_none() {
        return;
    }
    let milliseconds = std::env::var("THENAR_TEST_STEP_MS").ok().and_then(|v| v.parse().ok()).unwrap_or(4);
    let backend = morph::MorphBackend {
        steps: 240,
        step_time: Duration::from_millis(milliseconds),
        camera_off: std::env::var("THENAR_TEST_CAMERA_OFF").ok().and_then(|v| v.parse().ok()),
        ..Default::default()
    };
    let options = thenar::studio::Options { path: path.map(PathBuf::from), script };
    thenar::studio::run_with(Arc::new(backend), options).expect("the script succeeds");
}

fn near(p: Rgb<u8>, q: [u8; 3], slack: u8) -> bool {
    (0..3).all(|c| p.0[c].abs_diff(q[c]) <= slack)
}

fn count(picture: &RgbImage, region: [f64; 4], test: impl Fn(Rgb<u8>) -> bool) -> usize {
    let (w, h) = picture.dimensions();
    let [x0, y0, x1, y1] =
        [region[0] * f64::from(w), region[1] * f64::from(h), region[2] * f64::from(w), region[3] * f64::from(h)]
            .map(|v| v as u32);
    (y0..y1).flat_map(|y| (x0..x1).map(move |x| (x, y))).filter(|&(x, y)| test(*picture.get_pixel(x, y))).count()
}

/// What can be seen in a picture of the window.
#[derive(Debug, PartialEq)]
struct Seen {
    cameras: bool,
    hands: bool,
    curves: bool,
}

/// Middle of the window, where the 3D view is, and its lower part with the curves.
const VIEW: [f64; 4] = [0.16, 0.12, 0.70, 0.68];
const CURVES: [f64; 4] = [0.04, 0.72, 0.66, 0.97];

fn look(path: &Path) -> Seen {
    let picture = image::open(path).expect("the screenshot was written").to_rgb8();
    // Frustum lines, the selected one's accent, skin, and the curves' own colours.
    let frustums = count(&picture, VIEW, |p| near(p, [120, 135, 158], 8));
    let skin = count(&picture, VIEW, |p| {
        p.0[0] > 140 && p.0[0] > p.0[2].saturating_add(24) && p.0[0] > p.0[1].saturating_add(10)
    });
    let sfs = count(&picture, CURVES, |p| near(p, [86, 180, 233], 24));
    let lap = count(&picture, CURVES, |p| near(p, [230, 159, 0], 24));
    eprintln!("{}: frustums {frustums}, skin {skin}, sfs {sfs}, lap {lap}", path.display());
    Seen { cameras: frustums > 250, hands: skin > 1500, curves: sfs > 60 && lap > 60 }
}

/// Where pictures are kept for looking at: `THENAR_KEEP_PICTURES`, else a folder that goes away.
fn pictures() -> (PathBuf, Option<tempfile::TempDir>) {
    match std::env::var_os("THENAR_KEEP_PICTURES") {
        Some(dir) => {
            std::fs::create_dir_all(&dir).expect("a writable folder");
            (dir.into(), None)
        }
        None => {
            let dir = tempfile::tempdir().expect("a temporary folder");
            (dir.path().to_owned(), Some(dir))
        }
    }
}

#[test]
fn the_window_shows_cameras_hands_and_curves_and_the_check_can_fail() {
    let Some(display) = display() else { return };
    let (dir, _guard) = pictures();
    let at = |name: &str| dir.join(name);
    let shot = |name: &str| format!("screenshot {}", at(name).display());
    let script = [
        shot("empty.png"),
        // Frustums of one colour are easier to count.
        "show residuals off".into(),
        format!("open {}", dir.display()),
        "wait-open".into(),
        shot("opened.png"),
        "reconstruct; wait-finished; wait-picture".into(),
        shot("finished.png"),
        "show cameras off; show joints off".into(),
        shot("no_cameras.png"),
        "show hands off".into(),
        shot("no_hands.png"),
        "show hands on; show cameras on; fly 4; wait-picture".into(),
        shot("through.png"),
        "quit".into(),
    ]
    .join(";");
    assert!(window(&display, &script), "the script runs to its end");
    let nothing = Seen { cameras: false, hands: false, curves: false };
    assert_eq!(look(&at("empty.png")), nothing, "the empty window has none of it");
    assert_eq!(look(&at("opened.png")), Seen { cameras: true, ..nothing }, "an opened capture shows its cameras only");
    assert_eq!(
        look(&at("finished.png")),
        Seen { cameras: true, hands: true, curves: true },
        "a finished run shows all"
    );
    assert_eq!(
        look(&at("no_cameras.png")),
        Seen { cameras: false, hands: true, curves: true },
        "cameras switched off are seen to be off"
    );
    assert_eq!(look(&at("no_hands.png")), Seen { cameras: false, hands: false, curves: true }, "hands too");
}

/// What can be seen of the doctor in a picture of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Findings {
    /// Frustums in the colour of a small residual.
    good_cameras: bool,
    /// A frustum in the colour of 12 of 20 px.
    camera_off: bool,
    /// The yellow end of the scale.
    legend: bool,
    /// Signs and words of severity in the lower right panel.
    list: bool,
}

fn look_for_findings(path: &Path) -> Findings {
    let picture = image::open(path).expect("the screenshot was written").to_rgb8();
    let frustums = [0.16, 0.12, 0.58, 0.68];
    let good = count(&picture, frustums, |p| near(p, [59, 82, 139], 10));
    let off = count(&picture, frustums, |p| near(p, [71, 189, 111], 24));
    let yellow = count(&picture, [0.58, 0.62, 0.75, 0.71], |p| near(p, [253, 231, 37], 40));
    let amber = count(&picture, [0.74, 0.40, 1.0, 0.72], |p| near(p, [231, 173, 82], 30));
    eprintln!("{}: good {good}, off {off}, yellow {yellow}, amber {amber}", path.display());
    Findings { good_cameras: good > 250, camera_off: off > 40, legend: yellow > 20, list: amber > 60 }
}

#[test]
fn findings_are_listed_and_cameras_coloured_and_the_check_can_fail() {
    let Some(display) = display() else { return };
    let (dir, _guard) = pictures();
    let at = |name: &str| dir.join(name);
    let shot = |name: &str| format!("screenshot {}", at(name).display());
    let script = [
        format!("open {}", dir.display()),
        "wait-open; wait-findings; tab findings".into(),
        shot("findings.png"),
        "show residuals off".into(),
        shot("no_residuals.png"),
        "tab parameters".into(),
        shot("no_findings.png"),
        "finding 1; wait-selected 3; select 0; show residuals on; tab findings; reconstruct; wait-finished".into(),
        shot("findings_of_a_run.png"),
        "quit".into(),
    ]
    .join(";");
    assert!(window_with(&display, &script, &[("THENAR_TEST_CAMERA_OFF", "3")]), "the script runs to its end");
    let all = Findings { good_cameras: true, camera_off: true, legend: true, list: true };
    assert_eq!(look_for_findings(&at("findings.png")), all, "the list, and cameras in their colours");
    let list = Findings { good_cameras: false, camera_off: false, legend: false, list: true };
    assert_eq!(look_for_findings(&at("no_residuals.png")), list, "colours switched off");
    let none = Findings { list: false, ..list };
    assert_eq!(look_for_findings(&at("no_findings.png")), none, "the list gives way to the parameters");
    let run = Findings { camera_off: false, ..all };
    assert_eq!(look_for_findings(&at("findings_of_a_run.png")), run, "a run uses the camera as repaired");
}

#[test]
fn a_failed_command_ends_the_window_with_an_error() {
    let Some(display) = display() else { return };
    let log = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = window_command(&display, "open /no/such/folder; wait-open; quit", &[]);
    command.stderr(log.reopen().expect("it is there"));
    let child = Guard(command.spawn().expect("this test runs"));
    assert!(!child.finish(Duration::from_secs(300)), "a folder that does not exist is an error");
    let text = std::fs::read_to_string(log.path()).expect("the log");
    assert!(text.contains("failed"), "the log says what: {text}");
    assert!(!text.contains('\u{1b}'), "without colour codes, as this is no terminal: {text}");
}

#[test]
fn without_portal_and_zenity_the_window_says_so() {
    let Some(display) = display() else { return };
    let (dir, _guard) = pictures();
    let nothing = tempfile::tempdir().expect("a temporary folder");
    let script = format!("dialog; wait-banner; screenshot {}; quit", dir.join("no_dialog.png").display());
    let mut command = window_command(&display, &script, &[]);
    command.env("PATH", nothing.path()).env("XDG_DATA_DIRS", nothing.path());
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/no/such/bus");
    let child = Guard(command.spawn().expect("this test runs"));
    assert!(child.finish(Duration::from_secs(120)), "a banner comes");
    let picture = image::open(dir.join("no_dialog.png")).expect("written").to_rgb8();
    let red = count(&picture, [0.0, 0.03, 1.0, 0.3], |p| near(p, [62, 32, 32], 3));
    assert!(red > 20_000, "it is on screen: {red} pixels of its colour");
}

#[test]
fn the_mouse_selects_a_camera_flies_into_it_and_orbits() {
    let Some(display) = display() else { return };
    if Command::new("xdotool").arg("version").stdout(Stdio::null()).status().is_err() {
        assert!(!std::env::var("REQUIRE_GPU").is_ok_and(|v| v == "1"), "REQUIRE_GPU=1 but xdotool is not installed");
        println!("skipped: no xdotool");
        return;
    }
    let (dir, _guard) = pictures();
    let at = |name: &str| dir.join(name);
    let shot = |name: &str| format!("screenshot {}", at(name).display());
    let script = [
        format!("open {}", dir.display()),
        "wait-open".into(),
        shot("mouse_before.png"),
        "wait-selected 4".into(),
        shot("mouse_selected.png"),
        "wait-through 4; wait 0.5".into(),
        shot("mouse_through.png"),
        "wait-orbit".into(),
        shot("mouse_orbit.png"),
        "quit".into(),
    ]
    .join(";");
    let mut command = Command::new(std::env::current_exe().expect("this test has a path"));
    command.args(["--ignored", "--exact", "window_child", "--nocapture"]).env("THENAR_TEST_SCRIPT", script);
    command.stdout(Stdio::null());
    display.dress(&mut command);
    let child = Guard(command.spawn().expect("this test runs"));
    let mouse = |words: &[&str]| {
        let mut command = Command::new("xdotool");
        display.dress(&mut command);
        assert!(command.args(words).status().is_ok_and(|s| s.success()), "xdotool {words:?}");
    };
    let written = |name: &str| {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !at(name).exists() {
            assert!(Instant::now() < deadline, "{name} is written");
            std::thread::sleep(Duration::from_millis(50));
        }
        // The file exists before it is complete.
        std::thread::sleep(Duration::from_millis(400));
    };
    for name in ["mouse_before.png", "mouse_selected.png", "mouse_through.png", "mouse_orbit.png"] {
        let _ = std::fs::remove_file(at(name));
    }
    written("mouse_before.png");
    // The picture of view 04 in the 3D view: skin on the image plane nearest to the lower middle.
    let picture = image::open(at("mouse_before.png")).expect("written").to_rgb8();
    let skin = |p: Rgb<u8>| p.0[0] > 140 && p.0[0] > p.0[2].saturating_add(24) && p.0[0] > p.0[1].saturating_add(10);
    let (_, y, x) = picture
        .enumerate_pixels()
        .filter(|(x, y, p)| (220..880).contains(x) && (100..560).contains(y) && skin(**p))
        .map(|(x, y, _)| (0, y, x))
        .max()
        .expect("a thumbnail is visible");
    mouse(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
    written("mouse_selected.png");
    // On a busy machine a frame may take longer than the pause that parts a double click from two clicks: try again.
    for _ in 0..8 {
        mouse(&["click", "1", "click", "1"]);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !at("mouse_through.png").exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        if at("mouse_through.png").exists() {
            break;
        }
    }
    written("mouse_through.png");
    // A hand is slower than a frame; xdotool is not.
    for words in [
        ["mousemove", "500", "300"].as_slice(),
        &["mousedown", "1"],
        &["mousemove", "560", "320"],
        &["mousemove", "600", "330"],
    ] {
        mouse(words);
        std::thread::sleep(Duration::from_millis(700));
    }
    mouse(&["mouseup", "1"]);
    assert!(child.finish(Duration::from_secs(120)), "selecting, flying and orbiting work by mouse");
}

/// Epochs of the two phases of HAM in the program's test.
const EPOCHS: [u32; 2] = [6, 12];

/// The whole program on a small synthetic capture, as a user would see it: opened from a folder with a Chinese name, one
/// view held out, stopped in the middle, resumed, finished.
#[test]
fn the_program_reconstructs_a_sample_in_its_window() {
    let Some(display) = display() else { return };
    let (dir, _guard) = pictures();
    let place = tempfile::tempdir().expect("a temporary folder");
    let (capture, runs) = (place.path().join("拍摄 sample"), place.path().join("结果"));
    let program = env!("CARGO_BIN_EXE_thenar");
    let made = Command::new(program).arg("synth").arg(&capture).args(["--views", "6", "--size", "320x256"]).status();
    assert!(made.is_ok_and(|s| s.success()), "the sample is made");
    let at = |name: &str| dir.join(name).display().to_string();
    let script = [
        format!("show residuals off; wait-open; screenshot {}", at("program_opened.png")),
        format!("preset draft; set ham.level 1; set ham.image_divisor 1; results {}; hold-out 5", runs.display()),
        format!("set fit.iterations 12; set ham.albedo_epochs {}; set ham.shape_epochs {}", EPOCHS[0], EPOCHS[1]),
        format!("reconstruct; wait-stage ham; stop; wait-stopped; screenshot {}", at("program_stopped.png")),
        "resume; wait-finished; wait-picture; frame; wait 1".to_owned(),
        format!("screenshot {}; quit", at("program_finished.png")),
    ]
    .join("; ");
    let mut command = Command::new(program);
    command.arg(&capture).env(thenar::studio::SCRIPT_VARIABLE, script);
    display.dress(&mut command);
    assert!(
        Guard(command.spawn().expect("the program runs")).finish(Duration::from_secs(400)),
        "the script runs to its end"
    );
    let opened = look(&dir.join("program_opened.png"));
    assert!(opened.cameras && !opened.curves && !opened.hands, "cameras, nothing computed yet: {opened:?}");
    let finished = look(&dir.join("program_finished.png"));
    assert!(finished.hands && finished.curves, "hands and curves: {finished:?}");
    let folders: Vec<PathBuf> =
        std::fs::read_dir(&runs).expect("the chosen folder").map(|e| e.expect("an entry").path()).collect();
    let [run] = folders.as_slice() else { panic!("one run, resumed in its own folder: {folders:?}") };
    assert!(run.join("mesh_left.ply").exists() && run.join("mesh_right.ply").exists(), "both meshes are written");
    assert_ham_lines(run);
    let record = thenar::pipeline::RunRecord::read(run).expect("a record");
    assert_eq!((record.hold_out, record.exclude), (vec![5], vec![]), "the view was held out");
}

/// Every epoch of HAM stands in `metrics.jsonl` once and in order, although the run was stopped on the way.
fn assert_ham_lines(run: &Path) {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let lines: Vec<(String, u64)> = text
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"))
        .filter(|v| v["stage"] == "ham")
        .map(|v| (v["phase"].as_str().unwrap_or_default().to_owned(), v["iter"].as_u64().unwrap_or(0)))
        .collect();
    let expected: Vec<(String, u64)> = ["albedo", "shape"]
        .into_iter()
        .zip(EPOCHS)
        .flat_map(|(phase, epochs)| (1..=u64::from(epochs)).map(move |i| (phase.to_owned(), i)))
        .collect();
    assert_eq!(lines, expected, "each epoch once");
}
