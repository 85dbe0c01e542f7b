//! The window is asked to close, by the desktop and by keys: with and without a run under way.

use super::window::{Display, Guard, Pictures, display, display_with_mouse, until_written};
use super::window_command;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A run of the test engine of half a minute.
const SLOW: (&str, &str) = ("THENAR_TEST_STEP_MS", "120");

#[test]
fn a_window_without_a_run_closes_at_once() {
    let Some(display) = display() else { return };
    let pictures = Pictures::new();
    let script = [
        format!("open {}; wait-open", pictures.dir().display()),
        pictures.shot("close_idle.png"),
        "wait 1200".into(),
        pictures.shot("close_never.png"),
        "quit".into(),
    ]
    .join(";");
    let child = Guard(window_command(&display, &script, &[]).spawn().expect("this test runs"));
    until_written(&pictures.at("close_idle.png"), |_| {});
    display.ask_to_close();
    assert!(child.ends_well(), "it closes, and that is no error");
    assert!(!pictures.at("close_never.png").exists(), "long before its script has ended");
}

#[test]
fn a_window_with_a_run_asks_once_and_goes_on_in_the_background_until_the_run_has_ended() {
    let Some(display) = display_with_mouse() else { return };
    let pictures = Pictures::new();
    let script = [
        format!("open {}; wait-open; reconstruct; wait-steps 5", pictures.dir().display()),
        pictures.shot("close_running.png"),
        "wait-asked".into(),
        pictures.shot("close_asked.png"),
        "wait 6; leave background; wait 1200".into(),
        pictures.shot("close_never.png"),
        "quit".into(),
    ]
    .join(";");
    let child = Guard(window_command(&display, &script, &[SLOW]).spawn().expect("this test runs"));
    until_written(&pictures.at("close_running.png"), |_| {});
    until_written(&pictures.at("close_asked.png"), |_| display.ask_to_close());
    // Asked again, by frame and by key, while the question stands: nothing.
    display.ask_to_close();
    display.focus();
    display.chord("ctrl", "q");
    assert!(child.ends_well(), "it closes by itself when the run has ended");
    assert!(!pictures.at("close_never.png").exists(), "and not before");
}

/// The program with a small synthetic capture, a folder for its runs, and a file of settings.
struct Program {
    place: tempfile::TempDir,
    display: Display,
}

impl Program {
    fn new(display: Display) -> Self {
        let place = tempfile::tempdir().expect("a temporary folder");
        let program = Self { place, display };
        let made = Command::new(env!("CARGO_BIN_EXE_thenar"))
            .arg("synth")
            .arg(program.capture())
            .args(["--views", "4", "--size", "160x128", "--hands", "right"])
            .status();
        assert!(made.is_ok_and(|s| s.success()), "the sample is made");
        program
    }

    fn capture(&self) -> PathBuf {
        self.place.path().join("sample")
    }

    fn settings(&self) -> PathBuf {
        self.place.path().join("studio.ron")
    }

    /// The window with a script; opened on `path`, if any.
    fn window(&self, path: Option<&Path>, script: &str) -> Guard {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thenar"));
        command.args(path).env(thenar::studio::SCRIPT_VARIABLE, script);
        command.env("THENAR_STUDIO_SETTINGS", self.settings());
        self.display.dress(&mut command);
        Guard(command.spawn().expect("the program runs"))
    }

    /// A run of so many epochs of phase B is begun, and so far that HAM is under way.
    fn begun(&self, epochs: u32) -> String {
        let runs = self.place.path().join("runs");
        format!(
            "wait-open; preset draft; set ham.level 1; set ham.image_divisor 1; set fit.iterations 8; set ham.plateau 0; \
             set ham.albedo_epochs 4; set ham.shape_epochs {epochs}; set ham.colour_epochs 2; results {}; reconstruct; \
             wait-stage ham",
            runs.display()
        )
    }

    /// The one run that there is.
    fn run(&self) -> PathBuf {
        let runs: Vec<PathBuf> = std::fs::read_dir(self.place.path().join("runs"))
            .expect("the folder of runs")
            .map(|e| e.expect("an entry").path())
            .collect();
        let [run] = runs.as_slice() else { panic!("one run: {runs:?}") };
        run.clone()
    }
}

/// Stages, phases and epochs in `metrics.jsonl`, each once and in order.
fn epochs(run: &Path) -> Vec<(String, u64)> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let lines = text.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"));
    lines
        .filter(|v| v["stage"] == "ham")
        .map(|v| (v["phase"].as_str().unwrap_or_default().to_owned(), v["iter"].as_u64().unwrap_or(0)))
        .collect()
}

#[test]
fn pause_and_save_leaves_a_run_that_the_next_start_goes_on_with() {
    let Some(display) = display() else { return };
    let program = Program::new(display);
    let script = program.begun(200) + "; close; wait-asked; leave save; wait 1200; quit";
    assert!(program.window(Some(&program.capture()), &script).ends_well(), "saved and closed");
    let run = program.run();
    let saved = thenar::pipeline::Checkpoint::read(&run.join("checkpoint")).expect("a checkpoint");
    assert!(!saved.facts.finished && saved.ham.is_some(), "in the middle of HAM");
    let kept = epochs(&run).len();
    assert!(kept < 206, "it has not ended: {kept}");
    // The next start offers it.
    assert!(program.window(None, "recover; wait-open; resume; wait-finished; quit").ends_well(), "it goes on");
    let all = epochs(&run);
    assert_eq!(all.len(), 206, "each epoch once: {all:?}");
    assert!(all.windows(2).all(|w| w[0] != w[1]), "none twice");
    assert!(!program.window(None, "recover; quit").ends_well(), "what has ended is not offered again");
}

#[test]
fn a_killed_run_is_offered_by_the_next_start_and_goes_on() {
    let Some(display) = display() else { return };
    let program = Program::new(display);
    let begun = program.place.path().join("begun.png");
    let script = format!("{}; screenshot {}; wait 1200; quit", program.begun(400), begun.display());
    let window = program.window(Some(&program.capture()), &script);
    until_written(&begun, |_| {});
    let run = program.run();
    // As a crash or a power cut: no word of farewell.
    drop(window);
    let killed = epochs(&run).len();
    assert!(killed < 400, "killed on the way: {killed}");
    let script = "recover; wait-open; resume; wait-stage ham; wait 1; stop; wait-stopped; quit";
    assert!(program.window(None, script).ends_well(), "offered, and it goes on");
    assert!(run.join("checkpoint").exists(), "in the same folder");
    let lines = epochs(&run);
    assert!(lines.windows(2).all(|w| w[0] != w[1]), "no epoch twice: {lines:?}");
}

#[test]
fn stop_closes_without_saving_and_is_not_offered_again() {
    let Some(display) = display() else { return };
    let program = Program::new(display);
    let script = program.begun(400) + "; close; wait-asked; leave stop; wait 1200; quit";
    assert!(program.window(Some(&program.capture()), &script).ends_well(), "closed");
    let run = program.run();
    assert!(run.join("run.ron").exists() && !epochs(&run).is_empty(), "what was written stays");
    assert!(!program.window(None, "recover; quit").ends_well(), "it was ended, not interrupted");
}
