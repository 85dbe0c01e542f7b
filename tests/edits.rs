//! Edits over a small synthetic capture, by the real binary: they repair a keypoint that is off, an edited mask is taken at its
//! word, the run keeps a copy that everything opens again, and the capture stays untouched.

mod common;

use common::{call, copy, empty_folder, files, gpu, listing};
use image::{GrayImage, Luma};
use nalgebra::Vector3;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use thenar::capture::{Capture, CompactMask, Edits, KeypointEdit};
use thenar::export::{edits, joints};

const FAST: &str = "--preset draft --seed 5 --progress none --set ham.level=1 --set ham.albedo_epochs=4 --set ham.shape_epochs=4 \
                    --set ham.colour_epochs=2 --set ham.coarse_epochs=0";
/// The tip of the index finger.
const TIP: usize = 8;
/// Views in which it is off.
const OFF: [usize; 3] = [0, 1, 2];
/// By this much.
const OFF_M: f64 = 0.03;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// Distance of the tip from the truth, millimetres.
fn tip_error_mm(run: &Path, capture: &Path) -> f64 {
    let tip = |path: &Path| joints::read(path).expect("joints").sides()[1].expect("the right hand")[TIP];
    let (found, truth) = (tip(&run.join("joints.json")), tip(&capture.join("ground_truth/joints.json")));
    1e3 * (0..3).map(|k| (found[k] - truth[k]).powi(2)).sum::<f64>().sqrt()
}

/// A capture of four views whose keypoint files put the tip 3 cm beyond where it is in three of them, so that they agree with
/// each other and not with the truth; and edits that put it right, with a mask of view 3 that lacks a half.
fn scene(folder: &Path) -> (std::path::PathBuf, Edits) {
    let capture = folder.join("scene");
    call("synth {} --hands right --views 4 --size 320x256", &[&capture]).expect(0);
    let opened = Capture::open(&capture).expect("a capture");
    let mut edits = Edits::default();
    let truth = joints::read(&capture.join("ground_truth/joints.json")).expect("joints").sides()[1].expect("the hand");
    let [knuckle, tip] = [5, TIP].map(|k| Vector3::from(truth[k]));
    let beyond = tip + (tip - knuckle).normalize() * OFF_M;
    for view in OFF {
        let seen = &opened.views[view];
        let [x, y] = seen.keypoints[1].as_ref().expect("detected").px[TIP];
        edits.change(&seen.name, |e| _ = e.hands[1].insert(TIP, KeypointEdit::At(x, y)));
        let path = capture.join(format!("pose/{}.json", seen.name));
        let mut file = json(&path);
        // x and y go from -1 to 1 across the image.
        let wrong = seen.camera.project(&beyond).expect("in front");
        file["Right"][3 * TIP] = Value::from(2.0 * wrong.x / 320.0 - 1.0);
        file["Right"][3 * TIP + 1] = Value::from(2.0 * wrong.y / 256.0 - 1.0);
        std::fs::write(&path, file.to_string()).expect("written");
    }
    let mask = opened.views[3].mask.as_ref().expect("a mask");
    let half = GrayImage::from_fn(320, 256, |x, y| if x < 160 { *mask.get_pixel(x, y) } else { Luma([0]) });
    edits.change(&opened.views[3].name, |e| e.mask = Some(Arc::new(CompactMask::new(&half))));
    (capture, edits)
}

#[test]
fn edits_repair_what_is_off_and_the_run_keeps_them() {
    if gpu().is_none() {
        return;
    }
    let folder = empty_folder("edits");
    let (capture, changes) = scene(&folder);
    let before = listing(&capture);
    let file = folder.join("mine.ron");
    edits::write(&file, &changes).expect("written");
    let run = |name: &str, more: &str, paths: &[&Path]| {
        let run = folder.join(name);
        let mut all = vec![capture.as_path(), run.as_path()];
        all.extend(paths);
        call(&format!("reconstruct {{}} -o {{}} {FAST} {more}"), &all).expect(0);
        run
    };
    let plain = run("plain", "", &[]);
    let edited = run("edited", "--edits {}", &[&file]);
    let errors = [tip_error_mm(&plain, &capture), tip_error_mm(&edited, &capture)];
    assert!(errors[0] > 10.0 && errors[1] < 0.5, "tip off by {:.2} mm, edited by {:.2} mm", errors[0], errors[1]);

    // The mask is used as it is, where the judge would have mended it.
    let masks = std::fs::read_to_string(edited.join("masks/masks.ron")).expect("judged masks");
    assert_eq!(masks.matches("verdict: edited").count(), 1, "{masks}");
    assert!(!std::fs::read_to_string(plain.join("masks/masks.ron")).expect("judged masks").contains("edited"), "plain");
    let used = image::open(edited.join("masks/03.png")).expect("a mask").into_luma8();
    assert!(used.enumerate_pixels().all(|(x, _, p)| x < 160 || p.0[0] != 255), "nothing is added to it");
    assert!(used.pixels().any(|p| p.0[0] == 255), "and it is not left out");

    // The run has its own copy, and everything that opens the capture again takes it.
    let kept = Edits::read(&edited.join("edits.ron")).expect("a copy");
    assert_eq!(kept, changes, "the same edits");
    assert!(!files(&plain).iter().any(|f| f.starts_with("edits")), "a run without edits has no such file");
    let evaluate =
        |run: &Path| -> Value { serde_json::from_str(&call("evaluate {} --json", &[run]).expect(0)).expect("JSON") };
    let iou = |e: &Value| e["views"][3]["iou"].as_f64().expect("a number");
    assert!(iou(&evaluate(&edited)) < 0.9 * iou(&evaluate(&plain)), "evaluate holds it against the edited mask");
    call("render {} --views 3 --mode mask -o {}", &[&edited, &folder.join("pictures")]).expect(0);

    // Without the file it was given, from an earlier state, to the same bytes.
    std::fs::remove_file(&file).expect("gone");
    let cut = folder.join("cut");
    copy(&edited, &cut);
    std::fs::remove_file(cut.join("checkpoint")).expect("gone");
    call(&format!("reconstruct {{}} -o {{}} {FAST} --resume"), &[&capture, &cut]).expect(0);
    for name in ["mesh_right.ply", "joints.json", "views.csv", "masks/masks.ron"] {
        assert_eq!(std::fs::read(cut.join(name)).ok(), std::fs::read(edited.join(name)).ok(), "{name} after resuming");
    }
    // A copy that somebody has changed is not what the run was made with.
    edits::write(&cut.join("edits.ron"), &Edits::default()).expect("written");
    call(&format!("reconstruct {{}} -o {{}} {FAST} --resume"), &[&capture, &cut]).refused(3, &["was changed"]);
    call("evaluate {}", &[&cut]).refused(3, &["was changed"]);
    assert_eq!(listing(&capture), before, "the capture is only read");
}

#[test]
fn inspect_takes_edits_and_bad_ones_are_refused_before_anything_is_written() {
    let folder = empty_folder("edits-inspect");
    let (capture, changes) = scene(&folder);
    let file = folder.join("mine.ron");
    edits::write(&file, &changes).expect("written");
    let worst = |more: &str, paths: &[&Path]| {
        let mut all = vec![capture.as_path()];
        all.extend(paths);
        call(&format!("inspect {{}} --json {more}"), &all).expect(0)
    };
    assert_ne!(worst("", &[]), worst("--edits {}", &[&file]), "what is examined is the edited capture");
    std::fs::write(&file, "(version: 1, views: {\"01\": (right: {21: Unseen})})").expect("written");
    let run = folder.join("run");
    call("reconstruct {} -o {} --edits {}", &[&capture, &run, &file]).refused(3, &["keypoint 21", "view 01"]);
    call("inspect {} --edits {}", &[&capture, &file]).refused(3, &["keypoint 21"]);
    call("inspect {} --edits {} --run {}", &[&capture, &file, &run]).refused(2, &["--run"]);
    std::fs::write(&file, "(version: 2, views: {})").expect("written");
    call("reconstruct {} -o {} --edits {}", &[&capture, &run, &file]).refused(3, &["version 2"]);
    assert!(!run.exists(), "no run folder is left behind");
}
