//! What the window takes of the machine: nothing to speak of while it is idle, and no more memory from round to round.

use super::window::{Display, Guard, Pictures, display, until_written};
use super::window_command;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Part of a core that an idle window may take.
const IDLE: f64 = 0.03;
/// Bytes that memory may grow by in the rounds after the first third, and a part of what it is then.
const GROWTH_BYTES: f64 = 48e6;
const GROWTH_PART: f64 = 0.08;

/// Seconds of processor time that a process has taken.
fn processor_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields[i].parse::<f64>().expect("a number");
    // Fields 14 and 15; two stand before the bracket. A hundredth of a second each, on every Linux there is.
    (ticks(11) + ticks(12)) / 100.0
}

/// Memory of a process that lies in the machine's, bytes.
fn memory_bytes(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

/// Part of a core that a process takes for so long.
fn load(pid: u32, time: Duration) -> f64 {
    let before = processor_s(pid);
    std::thread::sleep(time);
    (processor_s(pid) - before) / time.as_secs_f64()
}

/// The program on a small capture, with or without a script.
fn open(display: &Display, place: &std::path::Path, script: Option<&str>) -> Guard {
    let capture = place.join("sample");
    if !capture.exists() {
        let made = Command::new(env!("CARGO_BIN_EXE_thenar"))
            .arg("synth")
            .arg(&capture)
            .args(["--views", "4", "--size", "160x128", "--hands", "right"])
            .status();
        assert!(made.is_ok_and(|s| s.success()), "the sample is made");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_thenar"));
    command.arg(&capture).env("THENAR_STUDIO_SETTINGS", place.join("studio.ron"));
    if let Some(script) = script {
        command.env(thenar::studio::SCRIPT_VARIABLE, script);
    }
    display.dress(&mut command);
    Guard(command.spawn().expect("the program runs"))
}

#[test]
fn an_idle_window_leaves_the_processor_alone_and_a_busy_one_is_found() {
    let Some(display) = display() else { return };
    let place = tempfile::tempdir().expect("a temporary folder");
    {
        let window = open(&display, place.path(), None);
        let pid = window.0.id();
        // Opening, the doctor and the first pictures take their time; some seconds later the window looks once more.
        let patience = Instant::now() + Duration::from_secs(240);
        while load(pid, Duration::from_secs(8)) > IDLE {
            assert!(Instant::now() < patience, "the window comes to rest");
        }
        let idle = load(pid, Duration::from_secs(30));
        println!("an idle window takes {:.2} % of a core", idle * 100.0);
        assert!(idle < IDLE, "{:.2} % of a core", idle * 100.0);
    }
    // One that draws without pause is not idle, and that is seen.
    let window = open(&display, place.path(), Some("wait-open; measure 600; quit"));
    let patience = Instant::now() + Duration::from_secs(240);
    while load(window.0.id(), Duration::from_secs(2)) < 5.0 * IDLE {
        assert!(Instant::now() < patience, "a busy window is found");
    }
}

/// How much more it is at the end than after the first third, least squares over the samples from there.
fn growth(samples: &[(f64, f64)]) -> f64 {
    let rest = &samples[samples.len() / 3..];
    let n = rest.len() as f64;
    let mean = |f: fn(&(f64, f64)) -> f64| rest.iter().map(f).sum::<f64>() / n;
    let (t, m) = (mean(|s| s.0), mean(|s| s.1));
    let (mut up, mut down) = (0.0, 0.0);
    for (time, memory) in rest {
        up += (time - t) * (memory - m);
        down += (time - t) * (time - t);
    }
    let time = rest[rest.len() - 1].0 - rest[0].0;
    if down > 0.0 { up / down * time } else { 0.0 }
}

/// Memory, in seconds and bytes, of a window that opens, runs, scrubs and opens another folder, again and again; and how
/// many rounds it made.
fn rounds(display: &Display, seconds: f64, variables: &[(&str, &str)]) -> (Vec<(f64, f64)>, usize) {
    let pictures = Pictures::new();
    let folders: Vec<PathBuf> = ["room", "other"].map(|name| pictures.dir().join(name)).into();
    let round = |folder: &PathBuf| {
        std::fs::create_dir_all(folder).expect("a folder");
        format!(
            "open {}; wait-open; reconstruct; wait-finished; wait-picture; scrub 0.2; scrub 0.7; wait-picture; live; {}",
            folder.display(),
            pictures.shot("round.png")
        )
    };
    let script: Vec<String> = folders.iter().map(round).chain(["again".to_owned()]).collect();
    let log = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut command = window_command(display, &script.join("; "), variables);
    command.stderr(log.reopen().expect("it is there"));
    let child = Guard(command.spawn().expect("this test runs"));
    until_written(&pictures.at("round.png"), |_| {});
    let (begin, mut samples) = (Instant::now(), Vec::new());
    while begin.elapsed().as_secs_f64() < seconds {
        std::thread::sleep(Duration::from_millis(500));
        let memory = memory_bytes(child.0.id()).expect("it lives");
        samples.push((begin.elapsed().as_secs_f64(), memory));
    }
    let said = std::fs::read_to_string(log.path()).expect("the log");
    // Two folders a round.
    (samples, 2 * said.lines().filter(|l| l.contains("is done") && l.contains("round")).count())
}

#[test]
fn memory_stays_from_round_to_round_and_a_leak_is_found() {
    let Some(display) = display() else { return };
    let seconds = std::env::var("THENAR_TEST_LOOP_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60.0);
    let verdict = |samples: &[(f64, f64)], made: usize| {
        let (grown, last) = (growth(samples), samples[samples.len() - 1].1);
        println!("{made} rounds: {:.0} MB at the end, {:+.1} MB since the first third", last / 1e6, grown / 1e6);
        grown < GROWTH_BYTES.max(GROWTH_PART * last)
    };
    let (samples, made) = rounds(&display, seconds, &[("THENAR_TEST_STEP_MS", "1")]);
    assert!(made >= 5, "enough rounds to tell: {made}");
    assert!(verdict(&samples, made), "memory grows: {samples:?}");
    let (samples, made) = rounds(&display, 40.0, &[("THENAR_TEST_STEP_MS", "1"), ("THENAR_TEST_LEAK_MB", "40")]);
    assert!(!verdict(&samples, made), "a leak of 40 MB a round is found: {samples:?}");
}
