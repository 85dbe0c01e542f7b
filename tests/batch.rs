//! `thenar batch` on small synthetic captures: failures stop nobody, done work is skipped, cut-off work goes on to the same
//! bytes.

mod common;

use common::{call, command, empty_folder, gpu, listing};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Arguments that keep each reconstruction at a few seconds.
const SMALL: &str = "--preset draft --set ham.level=1 --set ham.albedo_epochs=3 --set ham.shape_epochs=6 --set ham.colour_epochs=2 -- --hands right";

/// Captures of different hands, and one that is broken.
fn captures(root: &Path, count: u32) {
    for seed in 0..count {
        call(
            &format!("synth {{}} --hands right --views 4 --size 128x96 --seed {seed}"),
            &[&root.join(format!("s{seed}"))],
        )
        .expect(0);
    }
}

fn mesh(out: &Path, name: &str) -> Vec<u8> {
    std::fs::read(out.join(name).join("mesh_right.ply")).expect("a mesh")
}

#[test]
fn a_broken_capture_stops_nobody_and_done_work_is_skipped() {
    let Some(_) = gpu() else { return };
    let root = empty_folder("batch");
    let (all, out) = (root.join("captures"), root.join("out"));
    std::fs::create_dir_all(all.join("broken/img")).expect("a folder");
    captures(&all, 2);
    let line = format!("batch {{}} -o {{}} --jobs 2 {SMALL}");
    let table = call(&line, &[&all, &out]).expect(4);
    for (name, state) in [("broken", "failed"), ("s0", "done"), ("s1", "done")] {
        let row = table.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("a row of {name}: {table}"));
        assert!(row.contains(state), "{row}");
    }
    let csv = std::fs::read_to_string(out.join("summary.csv")).expect("a summary");
    assert_eq!(csv.lines().count(), 4, "a header and three rows: {csv}");
    assert!(csv.lines().any(|l| l.starts_with("s0,done,0,") && l.split(',').nth(4).is_some_and(|c| !c.is_empty())));

    let before = listing(&out.join("s0"));
    call(&line, &[&all, &out]).expect(4);
    assert_eq!(listing(&out.join("s0")), before, "what is done is not touched");

    // Another seed in the same place: other input, so it is computed again, and the old run is kept.
    let old = mesh(&out, "s1");
    std::fs::remove_dir_all(all.join("s1")).expect("it goes");
    call("synth {} --hands right --views 4 --size 128x96 --seed 9", &[&all.join("s1")]).expect(0);
    call(&line, &[&all, &out]).expect(4);
    assert_eq!(mesh(&out, "s1~1"), old, "the old run is kept");
    assert_ne!(mesh(&out, "s1"), old, "the new one is of the new capture");
    assert_eq!(listing(&out.join("s0")), before, "the other one is left alone");
}

#[test]
fn a_batch_that_was_killed_ends_with_the_same_bytes() {
    let Some(_) = gpu() else { return };
    let root = empty_folder("batch-killed");
    let (all, whole, cut) = (root.join("captures"), root.join("whole"), root.join("cut"));
    captures(&all, 3);
    let list = root.join("list.txt");
    std::fs::write(&list, "# three of them\ncaptures/s0\ncaptures/s1 # the second\n\ncaptures/s2\n").expect("written");
    let line = format!("batch {{}} -o {{}} --jobs 2 {SMALL}");
    call(&line, &[&list, &whole]).expect(0);
    // Killed as soon as something is on disk, again and again, a little later each time.
    for after in [300, 1500, 3000] {
        let mut child =
            command(&line, &[&list, &cut]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        std::thread::sleep(Duration::from_millis(after));
        let _ = child.kill();
        let _ = child.wait();
        settle(&cut);
    }
    call(&line, &[&list, &cut]).expect(0);
    for name in ["s0", "s1", "s2"] {
        assert_eq!(mesh(&cut, name), mesh(&whole, name), "{name}: the bytes of an undisturbed batch");
    }
}

/// Waits until the processes that a killed batch has left behind have come to their ends: nothing grows any more.
fn settle(out: &Path) {
    let until = Instant::now() + Duration::from_secs(60);
    let size = |path: PathBuf| if path.exists() { listing(&path) } else { Default::default() };
    let mut before = size(out.to_owned());
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(2500));
        let now = size(out.to_owned());
        if now == before {
            return;
        }
        before = now;
    }
}

#[test]
fn nothing_to_do_and_wrong_calls_are_refused() {
    let root = empty_folder("batch-refused");
    let out = root.join("out");
    call("batch {} -o {}", &[&root.join("nowhere"), &out]).refused(3, &["no such folder"]);
    std::fs::create_dir_all(root.join("empty")).expect("a folder");
    call("batch {} -o {}", &[&root.join("empty"), &out]).refused(3, &["holds no capture"]);
    call("batch {} -o {} -- --resume", &[&root.join("empty"), &out]).refused(2, &["--resume"]);
    assert!(!out.exists(), "nothing is written");
}

/// Shape of a run's right hand.
fn betas(run: &Path) -> Vec<f64> {
    let file = run.join("hand_right.npz");
    let (hand, _) = thenar::export::npz::read(&file, thenar::anatomy::Side::Right).expect("parameters");
    hand.betas
}

#[test]
fn one_persons_captures_get_one_shape() {
    let Some(_) = gpu() else { return };
    let root = empty_folder("batch-shape");
    let (all, out) = (root.join("captures"), root.join("out"));
    for seed in 0..3 {
        let line = format!("synth {{}} --hands right --views 4 --size 128x96 --seed {seed} --person 7 --noise-px 0.5");
        call(&line, &[&all.join(format!("s{seed}"))]).expect(0);
    }
    let line = "batch {} -o {} --shared-shape --preset draft -- --hands right --until fit";
    call(line, &[&all, &out]).expect(0);
    let apart = |folder: &Path| {
        let shapes: Vec<Vec<f64>> = ["s0", "s1", "s2"].iter().map(|name| betas(&folder.join(name))).collect();
        let pairs = [(0, 1), (0, 2), (1, 2)];
        let off =
            |(a, b): (usize, usize)| shapes[a].iter().zip(&shapes[b]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        pairs.into_iter().map(off).fold(0.0, f64::max)
    };
    let (alone, together) = (apart(&out.join("shape")), apart(&out));
    assert!(alone > 0.3, "alone they differ: {alone}");
    assert!(together < 0.3 * alone, "together they hardly do: {together} instead of {alone}");
    let text = std::fs::read_to_string(out.join("shape.json")).expect("the shape is kept");
    assert!(text.contains("\"captures\": 3"), "{text}");

    let before = listing(&out.join("s1"));
    call(line, &[&all, &out]).expect(0);
    assert_eq!(listing(&out.join("s1")), before, "the same shape: what is done is not touched");
}
