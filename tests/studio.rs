//! The window under a virtual display: opened by a child process of this test, driven by a script, judged by its pictures.
//!
//! Needs `Xvfb` and a Vulkan driver. Without them the tests print `skipped: …`, and fail when `REQUIRE_GPU=1`.
#![cfg(all(feature = "studio", target_os = "linux"))]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a test prints what it saw")]

#[path = "support/morph.rs"]
mod morph;
#[path = "support/pixels.rs"]
mod pixels;
#[path = "support/window.rs"]
mod window;

#[path = "studio/closing.rs"]
mod closing;
#[path = "studio/endurance.rs"]
mod endurance;
#[path = "studio/pace.rs"]
mod pace;
#[path = "studio/reader.rs"]
mod reader;

use pixels::{Measured, Paint, columns, count, skin};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use window::{Display, Guard, Pictures, display, display_with_mouse, until_written};

/// Runs the window with the test engine in a process of its own (one event loop a process is all that winit allows); true
/// when the script came to its end.
fn run_window(display: &Display, script: &str, variables: &[(&str, &str)]) -> bool {
    Guard(window_command(display, script, variables).spawn().expect("this test runs")).ends_well()
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
        network: std::env::var_os("THENAR_TEST_NETWORK").is_some(),
        leak_mb: std::env::var("THENAR_TEST_LEAK_MB").ok().and_then(|v| v.parse().ok()).unwrap_or(0),
        camera_off: std::env::var("THENAR_TEST_CAMERA_OFF").ok().and_then(|v| v.parse().ok()),
        ..Default::default()
    };
    let options = thenar::studio::Options { path: path.map(PathBuf::from), script };
    thenar::studio::run_with(Arc::new(backend), options).expect("the script succeeds");
}

/// Grounds of the 3D view and of plots and lists.
const VIEW_GROUND: [u8; 3] = [17, 18, 21];
const WELL: [u8; 3] = [17, 18, 21];

/// What can be seen in a picture of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    cameras: bool,
    sfs: bool,
    lap: bool,
}

const NOTHING: Seen = Seen { cameras: false, sfs: false, lap: false };

/// Middle of the window, where the 3D view is, and its lower part with the curves.
const VIEW: [f64; 4] = [0.16, 0.12, 0.70, 0.68];
const CURVES: [f64; 4] = [0.04, 0.76, 0.66, 0.94];

/// Frustum lines and curves. The curves' marks in the legend are 13 columns wide, a third of the limit.
fn look(path: &Path) -> Seen {
    let mut seen = Measured::open(path);
    let curve = |colour| {
        let paint = Paint::on(WELL, colour, 6.0);
        columns(&seen.picture, CURVES, |p| paint.is(p))
    };
    let (sfs, lap) = (curve([86, 180, 233]), curve([230, 159, 0]));
    // Narrower than between these lines and grey letters.
    let frustum = Paint::on(VIEW_GROUND, [120, 135, 158], 2.5);
    let frustums = count(&seen.picture, VIEW, |p| frustum.is(p));
    Seen {
        cameras: seen.verdict("frustums", frustums, 250),
        sfs: seen.verdict("sfs", sfs, 40),
        lap: seen.verdict("lap", lap, 40),
    }
}

/// Skin in the 3D view. Only for pictures without cameras: these have the skin of their photographs.
fn hands(path: &Path) -> bool {
    let mut seen = Measured::open(path);
    let value = count(&seen.picture, VIEW, skin);
    seen.verdict("skin", value, 500)
}

#[test]
fn the_window_shows_cameras_hands_and_curves_and_the_check_can_fail() {
    let Some(display) = display() else { return };
    let pictures = Pictures::new();
    let script = [
        pictures.shot("empty.png"),
        // Frustums of one colour are easier to count.
        "show residuals off".into(),
        format!("open {}", pictures.dir().display()),
        "wait-open".into(),
        pictures.shot("opened.png"),
        "show cameras off".into(),
        pictures.shot("opened_no_cameras.png"),
        // The camera turns to the first hands.
        "show cameras on; reconstruct; wait-finished; wait-picture; frame-all".into(),
        pictures.shot("finished.png"),
        "show cameras off; show joints off; frame".into(),
        pictures.shot("no_cameras.png"),
        "curve lap off".into(),
        pictures.shot("no_lap.png"),
        "show hands off".into(),
        pictures.shot("no_hands.png"),
        "show hands on; show cameras on; fly 4; wait-picture".into(),
        pictures.shot("through.png"),
        "quit".into(),
    ]
    .join(";");
    assert!(run_window(&display, &script, &[]), "the script runs to its end");
    let look = |name: &str| look(&pictures.at(name));
    let hands = |name: &str| hands(&pictures.at(name));
    assert_eq!(look("empty.png"), NOTHING, "the empty window has none of it");
    assert_eq!(look("opened.png"), Seen { cameras: true, ..NOTHING }, "an opened capture shows its cameras");
    assert_eq!(look("opened_no_cameras.png"), NOTHING, "which can be switched off");
    assert!(!hands("empty.png") && !hands("opened_no_cameras.png"), "no hands were computed yet");
    let all = Seen { cameras: true, sfs: true, lap: true };
    assert_eq!(look("finished.png"), all, "a finished run shows all");
    let curves = Seen { cameras: false, ..all };
    assert_eq!(look("no_cameras.png"), curves, "cameras switched off are seen to be off");
    assert!(hands("no_cameras.png"), "hands are there");
    assert_eq!(look("no_lap.png"), Seen { lap: false, ..curves }, "a curve too");
    assert!(!hands("no_hands.png"), "hands too");
}

/// What can be seen of the doctor in a picture of the window.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Findings {
    /// Frustums in the colour of a small residual.
    good_cameras: bool,
    /// A frustum in the colour of 12 of 20 px.
    camera_off: bool,
    /// The yellow and green half of the scale.
    legend: bool,
    /// Signs and words of severity in the lower right panel.
    list: bool,
}

fn look_for_findings(path: &Path) -> Findings {
    let mut seen = Measured::open(path);
    let at = |region, ground, colour, degrees| {
        let paint = Paint::on(ground, colour, degrees);
        count(&seen.picture, region, |p| paint.is(p))
    };
    let frustums = [0.16, 0.12, 0.58, 0.68];
    let good = at(frustums, VIEW_GROUND, [59, 82, 139], 6.0);
    let off = at(frustums, VIEW_GROUND, [71, 189, 111], 6.0);
    let amber = at([0.74, 0.40, 1.0, 0.72], WELL, [231, 173, 82], 6.0);
    let vivid = |p: image::Rgb<u8>| p.0[1] >= 140 && p.0[1] > p.0[2].saturating_add(60);
    let legend = count(&seen.picture, [0.58, 0.62, 0.75, 0.71], vivid);
    Findings {
        good_cameras: seen.verdict("good", good, 250),
        camera_off: seen.verdict("off", off, 40),
        legend: seen.verdict("legend", legend, 120),
        list: seen.verdict("amber", amber, 40),
    }
}

#[test]
fn findings_are_listed_and_cameras_coloured_and_the_check_can_fail() {
    let Some(display) = display() else { return };
    let pictures = Pictures::new();
    let script = [
        format!("open {}", pictures.dir().display()),
        "wait-open; wait-findings; tab findings".into(),
        pictures.shot("findings.png"),
        "show residuals off".into(),
        pictures.shot("no_residuals.png"),
        "tab parameters".into(),
        pictures.shot("no_findings.png"),
        "finding 1; wait-selected 3; select 0; show residuals on; tab findings; reconstruct; wait-finished; frame-all"
            .into(),
        pictures.shot("findings_of_a_run.png"),
        "quit".into(),
    ]
    .join(";");
    assert!(run_window(&display, &script, &[("THENAR_TEST_CAMERA_OFF", "3")]), "the script runs to its end");
    let look = |name: &str| look_for_findings(&pictures.at(name));
    let all = Findings { good_cameras: true, camera_off: true, legend: true, list: true };
    assert_eq!(look("findings.png"), all, "the list, and cameras in their colours");
    let list = Findings { good_cameras: false, camera_off: false, legend: false, list: true };
    assert_eq!(look("no_residuals.png"), list, "colours switched off");
    let none = Findings { list: false, ..list };
    assert_eq!(look("no_findings.png"), none, "the list gives way to the parameters");
    let run = Findings { camera_off: false, ..all };
    assert_eq!(look("findings_of_a_run.png"), run, "a run uses the camera as repaired");
}

#[test]
fn a_failed_command_ends_the_window_with_an_error() {
    let Some(display) = display() else { return };
    let log = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = window_command(&display, "open /no/such/folder; wait-open; quit", &[]);
    command.stderr(log.reopen().expect("it is there"));
    let child = Guard(command.spawn().expect("this test runs"));
    assert!(!child.ends_well(), "a folder that does not exist is an error");
    let text = std::fs::read_to_string(log.path()).expect("the log");
    assert!(text.contains("failed"), "the log says what: {text}");
    assert!(!text.contains('\u{1b}'), "without colour codes, as this is no terminal: {text}");
}

#[test]
fn without_portal_and_zenity_the_window_says_so() {
    let Some(display) = display() else { return };
    let pictures = Pictures::new();
    let nothing = tempfile::tempdir().expect("a temporary folder");
    let (before, after) = (pictures.shot("before_dialog.png"), pictures.shot("no_dialog.png"));
    let mut command = window_command(&display, &format!("{before}; dialog; wait-banner; {after}; quit"), &[]);
    command.env("PATH", nothing.path()).env("XDG_DATA_DIRS", nothing.path());
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/no/such/bus");
    let child = Guard(command.spawn().expect("this test runs"));
    assert!(child.ends_well(), "a banner comes");
    let banner = |name: &str| {
        let mut seen = Measured::open(&pictures.at(name));
        let near = |p: image::Rgb<u8>| (0..3).all(|c| p.0[c].abs_diff([62, 32, 32][c]) <= 3);
        let red = count(&seen.picture, [0.0, 0.03, 1.0, 0.3], near);
        seen.verdict("red", red, 15_000)
    };
    assert!(!banner("before_dialog.png") && banner("no_dialog.png"), "it is on screen then");
}

#[test]
fn the_mouse_selects_a_camera_flies_into_it_and_orbits() {
    let Some(display) = display_with_mouse() else { return };
    let pictures = Pictures::new();
    let script = [
        format!("open {}", pictures.dir().display()),
        "wait-open".into(),
        pictures.shot("mouse_before.png"),
        "wait-selected 4".into(),
        pictures.shot("mouse_selected.png"),
        "wait-through 4".into(),
        pictures.shot("mouse_through.png"),
        "wait-orbit".into(),
        pictures.shot("mouse_orbit.png"),
        "quit".into(),
    ]
    .join(";");
    let child = Guard(window_command(&display, &script, &[]).spawn().expect("this test runs"));
    until_written(&pictures.at("mouse_before.png"), |_| {});
    // The picture of view 04 in the 3D view: skin on the image plane nearest to the lower middle.
    let picture = Measured::open(&pictures.at("mouse_before.png"));
    let (y, x) = picture
        .picture
        .enumerate_pixels()
        .filter(|(x, y, p)| (220..880).contains(x) && (100..560).contains(y) && skin(**p))
        .map(|(x, y, _)| (y, x))
        .max()
        .expect("a thumbnail is visible");
    let (x, y) = (x.to_string(), y.to_string());
    until_written(&pictures.at("mouse_selected.png"), |_| display.mouse(&["mousemove", &x, &y, "click", "1"]));
    // Slow clicks are told apart in slow frames, and quick ones are a double click in quick frames: one of them fits.
    until_written(&pictures.at("mouse_through.png"), |tries| {
        let delay_ms = [0, 100, 250, 400][tries as usize % 4].to_string();
        display.mouse(&["mousemove", &x, &y, "click", "--repeat", "2", "--delay", &delay_ms, "1"]);
    });
    // A hand is slower than a frame; xdotool is not, so it pauses, longer from try to try.
    until_written(&pictures.at("mouse_orbit.png"), |tries| {
        let (a, b) = (if tries % 2 == 0 { "500" } else { "520" }, if tries % 2 == 0 { "560" } else { "460" });
        for words in [["mousemove", a, "300"].as_slice(), &["mousedown", "1"], &["mousemove", b, "320"]] {
            display.mouse(words);
            std::thread::sleep(Duration::from_millis(300 * u64::from(1 + tries)));
        }
        display.mouse(&["mousemove", "540", "330", "mouseup", "1"]);
    });
    assert!(child.ends_well(), "selecting, flying and orbiting work by mouse");
}

/// Pixels of the colour that the test engine's network paints, in the 3D view.
fn network_blue(path: &Path) -> bool {
    let mut seen = Measured::open(path);
    let near = |p: image::Rgb<u8>| (0..3).all(|c| p.0[c].abs_diff(morph::NETWORK_BLUE[c]) <= 12);
    let value = count(&seen.picture, VIEW, near);
    seen.verdict("network", value, 500)
}

#[test]
fn the_network_paints_the_hands_in_the_view_and_the_check_can_fail() {
    let Some(display) = display() else { return };
    let pictures = Pictures::new();
    let run = "reconstruct; wait-finished; wait-picture; show cameras off; show joints off; command neural";
    let script = [
        format!("open {}; wait-open; {run}; wait-network", pictures.dir().display()),
        pictures.shot("network.png"),
        "command albedo".into(),
        pictures.shot("network_albedo.png"),
        "command neural; scrub 0.5".into(),
        pictures.shot("network_scrubbed.png"),
        "command follow; fly 4; wait-through 4; wait-network".into(),
        pictures.shot("network_through.png"),
        "quit".into(),
    ]
    .join(";");
    assert!(run_window(&display, &script, &[("THENAR_TEST_NETWORK", "1")]), "the script runs to its end");
    assert!(network_blue(&pictures.at("network.png")), "from the orbit");
    assert!(network_blue(&pictures.at("network_through.png")), "and through a camera");
    assert!(!network_blue(&pictures.at("network_albedo.png")), "another mode has it not");
    assert!(!network_blue(&pictures.at("network_scrubbed.png")), "nor has an earlier step");
    // Early made-up hands are grey, not yet of the colour of skin.
    let mut seen = Measured::open(&pictures.at("network_scrubbed.png"));
    let bright = count(&seen.picture, [0.4, 0.38, 0.56, 0.52], |p| p.0.iter().all(|c| *c > 100));
    assert!(seen.verdict("bright", bright, 500), "which shows its mesh instead");
    // Without a network the same script waits for one in vain, and says why.
    let script = format!("open {}; wait-open; {run}; wait-network; quit", pictures.dir().display());
    assert!(!run_window(&display, &script, &[]), "a run without network has none to show");
}

/// Pixels of the compare panel that differ between two pictures of the window.
fn repainted(a: &Path, b: &Path) -> usize {
    let (a, b) = (Measured::open(a), Measured::open(b));
    let differs = |(x, y, p): (u32, u32, &image::Rgb<u8>)| {
        let inside = (170..760).contains(&x) && (110..540).contains(&y);
        inside && (0..3).any(|c| p.0[c].abs_diff(b.picture.get_pixel(x, y).0[c]) > 24)
    };
    a.picture.enumerate_pixels().filter(|p| differs(*p)).count()
}

#[test]
fn the_mouse_paints_a_mask_and_undo_takes_the_stroke_away() {
    let Some(display) = display_with_mouse() else { return };
    let pictures = Pictures::new();
    let script = [
        format!("open {}; wait-open; command layout-compare; command edit-brush", pictures.dir().display()),
        pictures.shot("edit_before.png"),
        "wait-edited 1".into(),
        pictures.shot("edit_painted.png"),
        "command undo; wait-edited 0".into(),
        pictures.shot("edit_undone.png"),
        "quit".into(),
    ]
    .join(";");
    let child = Guard(window_command(&display, &script, &[]).spawn().expect("this test runs"));
    // Away from the picture, so that the brush's circle is in none of the photographs.
    until_written(&pictures.at("edit_before.png"), |_| display.mouse(&["mousemove", "60", "700"]));
    until_written(&pictures.at("edit_painted.png"), |_| {
        display.mouse(&["mousemove", "440", "230", "mousedown", "1", "sleep", "0.5", "mousemove", "440", "310"]);
        display.mouse(&["sleep", "0.5", "mousemove", "440", "420", "sleep", "0.5", "mouseup", "1"]);
        display.mouse(&["mousemove", "60", "700"]);
    });
    until_written(&pictures.at("edit_undone.png"), |_| display.mouse(&["mousemove", "61", "700"]));
    assert!(child.ends_well(), "a stroke is painted and undone");
    let before = pictures.at("edit_before.png");
    let (painted, undone) =
        (repainted(&before, &pictures.at("edit_painted.png")), repainted(&before, &pictures.at("edit_undone.png")));
    println!("repainted {painted} pixels by the stroke, {undone} left after undo");
    assert!(painted > 1500 && undone < 150, "{painted} pixels by the stroke, {undone} after undo");
}

#[test]
fn keys_reach_the_palette_and_the_palette_its_commands() {
    let Some(display) = display_with_mouse() else { return };
    let pictures = Pictures::new();
    let script = [
        format!("open {}; wait-open", pictures.dir().display()),
        pictures.shot("keys_before.png"),
        "wait-on palette".into(),
        pictures.shot("keys_palette.png"),
        "wait-on clay; wait-off palette".into(),
        pictures.shot("keys_after.png"),
        "quit".into(),
    ]
    .join(";");
    let child = Guard(window_command(&display, &script, &[]).spawn().expect("this test runs"));
    until_written(&pictures.at("keys_before.png"), |_| display.mouse(&["mousemove", "400", "300"]));
    display.focus();
    // A second press would close it again; each try is an odd number of presses apart.
    until_written(&pictures.at("keys_palette.png"), |tries| {
        std::thread::sleep(Duration::from_millis(200 * u64::from(tries)));
        display.chord("ctrl", "k");
    });
    until_written(&pictures.at("keys_after.png"), |tries| {
        std::thread::sleep(Duration::from_millis(200 * u64::from(tries)));
        if tries > 0 {
            display.mouse(&["key", "Escape"]);
            display.chord("ctrl", "k");
        }
        display.mouse(&["type", "--delay", "60", "clay"]);
        std::thread::sleep(Duration::from_millis(400));
        display.mouse(&["key", "Return"]);
    });
    assert!(child.ends_well(), "a command found by its letters is carried out");
}

/// Epochs of the two phases of HAM in the program's test.
const EPOCHS: [u32; 3] = [6, 12, 3];

/// The whole program on a small synthetic capture, as a user would see it: opened from a folder with a Chinese name, one
/// view held out, stopped in the middle, resumed, finished; scrubbed, a bad view left out, run again, exported.
#[test]
fn the_program_reconstructs_a_sample_in_its_window() {
    let Some(display) = display() else { return };
    let pictures = Pictures::new();
    let place = tempfile::tempdir().expect("a temporary folder");
    let (capture, runs) = (place.path().join("拍摄 sample"), place.path().join("结果"));
    let program = env!("CARGO_BIN_EXE_thenar");
    let made = Command::new(program).arg("synth").arg(&capture).args(["--views", "6", "--size", "320x256"]).status();
    assert!(made.is_ok_and(|s| s.success()), "the sample is made");
    let script = [
        format!("show residuals off; wait-open; {}", pictures.shot("program_opened.png")),
        format!("preset draft; set ham.level 1; set ham.image_divisor 1; results {}; hold-out 5", runs.display()),
        format!(
            "set fit.iterations 12; set ham.albedo_epochs {}; set ham.shape_epochs {}; set ham.colour_epochs {}",
            EPOCHS[0], EPOCHS[1], EPOCHS[2]
        ),
        format!("reconstruct; wait-stage ham; stop; wait-stopped; {}", pictures.shot("program_stopped.png")),
        format!("resume; wait-finished; wait-picture; frame-all; {}", pictures.shot("program_finished.png")),
        format!("frame; show cameras off; show joints off; {}", pictures.shot("program_hands.png")),
        format!("scrub 0.4; wait-picture; {}; live", pictures.shot("program_scrubbed.png")),
        "exclude 2; reconstruct; wait-finished; wait-picture; export glb; wait-exported".to_owned(),
        pictures.shot("program_exported.png"),
        "quit".to_owned(),
    ]
    .join("; ");
    let mut command = Command::new(program);
    command.arg(&capture).env(thenar::studio::SCRIPT_VARIABLE, script);
    display.dress(&mut command);
    assert!(Guard(command.spawn().expect("the program runs")).ends_well(), "the script runs to its end");
    let opened = look(&pictures.at("program_opened.png"));
    assert_eq!(opened, Seen { cameras: true, ..NOTHING }, "cameras, nothing computed yet");
    let finished = look(&pictures.at("program_finished.png"));
    assert_eq!(finished, Seen { cameras: true, sfs: true, lap: true }, "cameras and curves");
    assert!(hands(&pictures.at("program_hands.png")), "and hands");
    assert!(pictures.at("program_scrubbed.png").exists() && pictures.at("program_exported.png").exists(), "to look at");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(&runs).expect("the chosen folder").map(|e| e.expect("an entry").path()).collect();
    folders.sort();
    let [run, again] = folders.as_slice() else {
        panic!("one run, resumed in its own folder, and one more: {folders:?}")
    };
    let second = thenar::pipeline::RunRecord::read(again).expect("a record");
    assert_eq!((second.hold_out, second.exclude), (vec![5], vec![2]), "the bad view was left out");
    let exported = std::fs::read(again.join("exports/hands.glb")).expect("the export");
    assert!(exported.starts_with(b"glTF") && exported.len() > 100_000, "{} bytes", exported.len());
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
    let expected: Vec<(String, u64)> = ["albedo", "shape", "colour"]
        .into_iter()
        .zip(EPOCHS)
        .flat_map(|(phase, epochs)| (1..=u64::from(epochs)).map(move |i| (phase.to_owned(), i)))
        .collect();
    assert_eq!(lines, expected, "each epoch once");
}
