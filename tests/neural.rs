//! The neural stage on a small synthetic capture: files, determinism, resuming, held-out views, pictures.

mod common;

use common::{call, copy, empty_folder, gpu, listing};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use thenar::anatomy::Side;
use thenar::capture::Capture;
use thenar::hand::open_hand;
use thenar::pipeline::{Advance, FinishedRun, PretrainedRenderer, Reconstruction, RunOptions, Stage};
use thenar::preset::Preset;

const HELD_OUT: usize = 2;
const EPOCHS: u64 = 12;
const SETTINGS: [(&str, &str); 12] = [
    ("ham.level", "1"),
    ("ham.image_divisor", "1"),
    ("ham.views_per_step", "3"),
    ("ham.albedo_epochs", "6"),
    ("ham.shape_epochs", "6"),
    ("ham.colour_epochs", "4"),
    ("ham.shape_rate", "6e-4"),
    ("neural.epochs", "12"),
    // So few epochs need faster features, and what is added rather than multiplied, than the default's 80.
    ("neural.output", "residual"),
    ("neural.feature_rate", "1e-2"),
    ("neural.samples_per_view", "1024"),
    ("neural.views_per_step", "2"),
];

struct Reference {
    capture: PathBuf,
    run: PathBuf,
}

/// `None` without a graphics device (said loudly, an error where CI demands one).
fn reference() -> Option<&'static Reference> {
    static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
        let folder = empty_folder("neural");
        let capture = folder.join("scene");
        call("synth {} --hands right --views 6 --size 320x256 --gloss 0.3", &[&capture]).expect(0);
        let run = folder.join("run");
        reconstruct(&capture, &run, "--until neural").expect(0);
        Reference { capture, run }
    });
    gpu().map(|_| &*REFERENCE)
}

fn reconstruct(capture: &Path, run: &Path, more: &str) -> common::Ended {
    let sets: String = SETTINGS.iter().map(|(key, value)| format!(" --set {key}={value}")).collect();
    let line =
        format!("reconstruct {{}} -o {{}} --progress none --preset draft --hold-out {HELD_OUT} --seed 5{sets} {more}");
    call(&line, &[capture, run])
}

fn start(capture: &Path, run: &Path, until: Stage, resume: bool) -> Reconstruction {
    start_with(capture, run, until, resume, &[])
}

fn start_with(capture: &Path, run: &Path, until: Stage, resume: bool, more: &[(&str, &str)]) -> Reconstruction {
    let mut preset = Preset::load("draft").expect("shipped");
    for (key, value) in SETTINGS.iter().chain(more) {
        preset.set(key, value).expect("a setting");
    }
    let capture = Arc::new(Capture::open(capture).expect("a capture"));
    let models = Side::BOTH.map(|side| Arc::new(open_hand(side).expect("the open hand")));
    let options = RunOptions {
        run_dir: run.to_owned(),
        preset_name: "draft".to_owned(),
        preset,
        until,
        hold_out: vec![HELD_OUT],
        exclude: vec![],
        seed: 5,
        detect: false,
    };
    let begin = if resume { Reconstruction::resume } else { Reconstruction::new };
    begin(capture, models, options, gpu().expect("asked before")).expect("a run")
}

fn bytes(run: &Path, name: &str) -> Vec<u8> {
    std::fs::read(run.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Lines of the neural stage, without their times.
fn lines(run: &Path) -> Vec<Value> {
    let text = String::from_utf8(bytes(run, "metrics.jsonl")).expect("UTF-8");
    let mut lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    lines.retain(|l| l["stage"] == "neural");
    for line in &mut lines {
        line.as_object_mut().expect("an object").remove("t").expect("a time");
    }
    lines
}

fn assert_same(run: &Path, other: &Path) {
    assert_eq!(lines(run), lines(other), "the same losses");
    for name in ["neural.ron", "neural.safetensors", "mesh_right.ply", "views.csv"] {
        assert!(bytes(run, name) == bytes(other, name), "{name} has the same bytes");
    }
}

/// A picture is rendered, shaded, and the reason is said.
#[track_caller]
fn assert_falls_back(run: &Path, pictures: &Path, reason: &str) {
    let ended = call("render {} --views 0 --mode neural -o {}", &[run, pictures]);
    let said = ended.stderr.clone();
    assert!(said.contains("rendered shaded instead") && said.contains(reason), "`{reason}` in:\n{said}");
    assert!(ended.expect(0).ends_with("00.png\n"), "a picture all the same");
}

#[test]
fn the_stage_writes_its_losses_its_network_and_what_it_gained() {
    let Some(Reference { run, .. }) = reference() else { return };
    let lines = lines(run);
    assert_eq!(lines.len() as u64, EPOCHS, "one line an epoch");
    let loss = |l: &Value| l["photometric"].as_f64().expect("a number");
    assert!(loss(&lines[11]) < 0.8 * loss(&lines[0]), "it learns: {} to {}", lines[0], lines[11]);
    assert!(lines.iter().all(|l| l["phase"] == "paint" && l["iters"] == EPOCHS), "phase and epochs");
    let log = String::from_utf8(bytes(run, "log.txt")).expect("UTF-8");
    assert!(log.contains("stage neural done") && log.contains("neural, held-out views"), "{log}");
    let gain: f64 = log
        .lines()
        .find_map(|l| l.split_once("neural, held-out views")?.1.split_once("meet, ")?.1.split(' ').next()?.parse().ok())
        .expect("decibels over shaded");
    assert!(gain > 0.0, "the held-out view is {gain} dB better than shaded");
}

#[test]
fn another_run_and_a_resumed_one_have_the_same_bytes() {
    let Some(Reference { capture, run }) = reference() else { return };
    // Interrupted within the stage, with an epoch under way.
    let folder = run.with_file_name("resumed");
    let mut first = start(capture, &folder, Stage::Neural, false);
    let fifth = |a: &Advance| matches!(a, Advance::Stepped(r) if r.stage == Stage::Neural && r.iter == 5);
    while !fifth(&first.advance().expect("a step")) {}
    first.advance().expect("a step");
    first.save().expect("saved");
    first.advance().expect("a step");
    drop(first);
    assert!(!folder.join("neural.ron").exists(), "no network before the end");
    // Not told to, it goes on with what was begun.
    let mut second = start(capture, &folder, Stage::Ham, true);
    assert_eq!(second.stage(), Some(Stage::Neural), "where it was");
    assert_eq!(lines(&folder).len(), 6, "cut back to the checkpoint");
    while second.advance().expect("a step") != Advance::Finished {}
    drop(second);
    assert_same(&folder, run);

    // A run of HAM that has ended goes on to the same network.
    let later = run.with_file_name("later");
    reconstruct(capture, &later, "").expect(0);
    assert!(
        !later.join("neural.ron").exists() && lines(&later).is_empty(),
        "a run ends with HAM unless told otherwise"
    );
    let shaded = run.with_file_name("later-shaded");
    assert_falls_back(&later, &shaded, "no neural rendering yet");
    call("reconstruct {} -o {} --resume --until neural --progress none", &[capture, &later]).expect(0);
    assert_same(&later, run);
    // And a finished one stays as it is.
    call("reconstruct {} -o {} --resume --progress none", &[capture, &later]).expect(0);
    assert_same(&later, run);
}

#[test]
fn a_refined_run_is_kept_or_taken_back_whole_and_resumes() {
    let Some(Reference { capture, run }) = reference() else { return };
    let more = [("neural.refine_epochs", "3")];
    let refined = run.with_file_name("refined");
    let mut whole = start_with(capture, &refined, Stage::Neural, false, &more);
    while whole.advance().expect("a step") != Advance::Finished {}
    drop(whole);
    let told = lines(&refined);
    let phase = |name: &str| told.iter().filter(|l| l["phase"] == name).count();
    assert_eq!((phase("paint"), phase("refine"), phase("judge")), (12, 3, 1), "every epoch and the verdict");
    let kept = told.last().expect("a line")["kept"] == 1.0;
    let log = String::from_utf8(bytes(&refined, "log.txt")).expect("UTF-8");
    assert!(log.contains(if kept { "refinement kept" } else { "refinement not kept" }), "{log}");
    for name in ["neural.safetensors", "mesh_right.ply"] {
        assert_eq!(bytes(&refined, name) == bytes(run, name), !kept, "{name}: as before only when taken back");
    }
    // What is rendered and exported later is what was kept.
    let finished = FinishedRun::open(&refined, Side::BOTH.map(|s| Arc::new(open_hand(s).expect("the open hand"))));
    assert!(finished.expect("a run").neural_model().is_ok(), "the network belongs to the mesh");

    // Interrupted within the refinement, with an epoch under way.
    let folder = run.with_file_name("refined-resumed");
    let mut first = start_with(capture, &folder, Stage::Neural, false, &more);
    let begun = |a: &Advance| matches!(a, Advance::Stepped(r) if r.phase == "refine" && r.iter == 1);
    while !begun(&first.advance().expect("a step")) {}
    first.advance().expect("a step");
    first.save().expect("saved");
    first.advance().expect("a step");
    drop(first);
    let mut second = start_with(capture, &folder, Stage::Ham, true, &more);
    assert_eq!(lines(&folder).len(), 12 + 2, "cut back to the checkpoint");
    while second.advance().expect("a step") != Advance::Finished {}
    drop(second);
    assert_same(&folder, &refined);
    // And a finished one stays as it is.
    call("reconstruct {} -o {} --resume --progress none", &[capture, &folder]).expect(0);
    assert_same(&folder, &refined);
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
fn pictures_are_painted_through_any_camera() {
    let Some(Reference { run, .. }) = reference() else { return };
    let pictures = run.with_file_name("pictures");
    call("render {} --views 0,2 --mode neural -o {}", &[run, &pictures]).expect(0);
    let shaded = run.with_file_name("shaded");
    call("render {} --views 0,2 -o {}", &[run, &shaded]).expect(0);
    for name in ["00.png", "02.png"] {
        let open = |dir: &Path| image::open(dir.join(name)).expect("a picture").to_rgba8();
        let (painted, plain) = (open(&pictures), open(&shaded));
        assert_eq!(painted.dimensions(), plain.dimensions(), "the photograph's size");
        let mut differing = 0;
        for (a, b) in painted.pixels().zip(plain.pixels()) {
            assert_eq!(a.0[3], b.0[3], "the same outlines");
            differing += usize::from(a != b);
        }
        assert!(differing > 500, "another picture: {differing} px differ");
    }

    // From a free camera, and with the hand moved aside.
    let gpu = gpu().expect("asked before");
    let finished = FinishedRun::read(run).expect("a run");
    let mut renderer = finished.neural_renderer(&gpu).expect("a network");
    let mut camera = finished.checkpoint.facts.cameras[1].clone();
    camera.translation.x += 0.01;
    let covered = |pixels: &[[f32; 4]]| pixels.iter().filter(|p| p[3] > 0.5).count();
    let free = renderer.render(&camera, [1.0; 3]).expect("renders");
    assert!(covered(&free) > 1000, "the hand is seen");
    assert!(free.iter().flatten().all(|x| x.is_finite()), "and every number is one");
    let hands = finished.hands();
    let moved: Vec<[f32; 3]> =
        hands[0].positions.iter().map(|p| [p[0] as f32, p[1] as f32 + 10.0, p[2] as f32]).collect();
    let normals: Vec<[f32; 3]> = hands[0].normals.iter().map(|n| n.map(|x| x as f32)).collect();
    renderer.place(&moved, &normals);
    assert_eq!(covered(&renderer.render(&camera, [1.0; 3]).expect("renders")), 0, "ten metres away nothing is seen");
}

#[test]
fn evaluate_holds_the_painted_pictures_beside_the_shaded_ones() {
    let Some(Reference { run, .. }) = reference() else { return };
    let json: Value = serde_json::from_str(&call("evaluate {} --json", &[run]).expect(0)).expect("JSON");
    let number = |at: &Value, name: &str| at[name].as_f64().unwrap_or_else(|| panic!("{name} in {at}"));
    let views = json["views"].as_array().expect("views");
    for view in views {
        assert_eq!(number(view, "iou"), number(&view["neural"], "iou"), "the same outlines: {view}");
        assert_ne!(number(view, "psnr_shared"), number(&view["neural"], "psnr_shared"), "other colours: {view}");
        assert!(number(&view["neural"], "flip") < 0.5 && view["neural"].get("lpips").is_none(), "{view}");
    }
    let gain = number(&json["held_out"]["neural"], "psnr_shared") - number(&json["held_out"], "psnr_shared");
    // Measured 0.42 dB after the few epochs of this test.
    assert!(gain > 0.2, "the held-out view is {gain} dB better than shaded");
    let table = call("evaluate {}", &[run]).expect(0);
    let lines = |word: &str| table.lines().filter(|l| !l.starts_with("refined") && l.contains(word)).count();
    // The views, and the means over the fitted, the trusted and the held-out ones.
    assert_eq!((lines(" neural "), lines(" shaded ")), (views.len() + 3, views.len() + 3), "two lines each:\n{table}");
    assert!(table.contains("shading"), "under a column:\n{table}");
}

#[test]
fn a_network_of_another_mesh_is_not_used() {
    let Some(Reference { run, capture }) = reference() else { return };
    let other = run.with_file_name("other");
    reconstruct(capture, &other, "--set ham.shape_epochs=5").expect(0);
    for name in ["neural.ron", "neural.safetensors"] {
        std::fs::write(other.join(name), bytes(run, name)).expect("written");
    }
    let before = listing(&other);
    let pictures = run.with_file_name("other-pictures");
    assert_falls_back(&other, &pictures, "another mesh");
    let compared = call("evaluate {} --json", &[&other]);
    let said = compared.stderr.clone();
    assert!(said.contains("left out") && said.contains("another mesh"), "in `evaluate`, too:\n{said}");
    assert!(!compared.expect(0).contains("neural"), "no column for it");
    assert!(listing(&other) == before, "the run is left as it was");
    // Tensors and header belong together.
    let mixed = run.with_file_name("mixed");
    copy(run, &mixed);
    let mut tensors = bytes(&mixed, "neural.safetensors");
    let last = tensors.len() - 1;
    tensors[last] ^= 1;
    std::fs::write(mixed.join("neural.safetensors"), tensors).expect("written");
    assert_falls_back(&mixed, &pictures, "does not belong to");
}

#[test]
fn a_network_trained_on_another_capture_is_a_start() {
    let Some(Reference { capture, run }) = reference() else { return };
    let [other, other_run, file, again] =
        ["other-scene", "other-scene-run", "renderer.safetensors", "again.safetensors"].map(|n| run.with_file_name(n));
    call("synth {} --hands right --views 6 --size 320x256 --gloss 0.3 --seed 9", &[&other]).expect(0);
    reconstruct(&other, &other_run, "").expect(0);
    let before = listing(&other_run);
    let sets: String = SETTINGS
        .iter()
        .filter(|(key, _)| key.starts_with("neural."))
        .map(|(key, value)| format!(" --set {key}={value}"))
        .collect();
    let line = format!("pretrain-renderer {{}} -o {{}} --preset draft --seed 3{sets}");
    call(&format!("{line} --progress json"), &[&other_run, &file]).expect(0);
    call(&line, &[&other_run, &again]).expect(0);
    assert!(std::fs::read(&file).expect("written") == std::fs::read(&again).expect("written"), "the same bytes");
    assert!(listing(&other_run) == before, "the run is only read");
    call(&line, &[&other, &again]).refused(3, &["is no run folder", "reconstruct -o"]);

    // It begins another capture's network, which is nearer from its first epoch on.
    let begun = run.with_file_name("begun");
    let more = format!("--until neural --init-renderer {}", file.display());
    reconstruct(capture, &begun, &more).expect(0);
    let loss = |run: &Path, epoch: usize| lines(run)[epoch]["photometric"].as_f64().expect("a number");
    eprintln!("first epoch: {} pretrained, {} anew", loss(&begun, 0), loss(run, 0));
    assert!(loss(&begun, 0) < loss(run, 0), "{} pretrained, {} anew", loss(&begun, 0), loss(run, 0));
    assert!(bytes(&begun, "neural.safetensors") != bytes(run, "neural.safetensors"), "another network");
    let log = String::from_utf8(bytes(&begun, "log.txt")).expect("UTF-8");
    assert!(log.contains("begins with one trained on 1 captures"), "{log}");

    // Interrupted before the stage, it begins with the same; after its beginning, with no other.
    let renderer = PretrainedRenderer::read(&file).expect("a renderer");
    let folder = run.with_file_name("begun-resumed");
    let mut first = start(capture, &folder, Stage::Neural, false);
    first.begin_network_with(&renderer).expect("of the same kind");
    while !matches!(first.advance().expect("a step"), Advance::Stepped(r) if r.stage == Stage::Ham) {}
    first.save().expect("saved");
    drop(first);
    let mut second = start(capture, &folder, Stage::Neural, true);
    while second.advance().expect("a step") != Advance::Finished {}
    let error = second.begin_network_with(&renderer).expect_err("it has begun").to_string();
    assert!(error.contains("start a new run"), "{error}");
    drop(second);
    assert_same(&folder, &begun);

    // Another kind is told before a folder is made.
    let none = run.with_file_name("none");
    let said = ["`residual`", "--set neural.output=residual", "pretrain-renderer"];
    reconstruct(capture, &none, &format!("--set neural.output=ratio {more}")).refused(3, &said);
    let own = format!("--until neural --init-renderer {}", run.join("neural.safetensors").display());
    reconstruct(capture, &none, &own).refused(3, &["neural.safetensors", "pretrain-renderer"]);
    assert!(!none.exists(), "nothing was begun");
}
