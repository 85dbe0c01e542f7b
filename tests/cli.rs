//! The command line as other programs call it: what is refused with which exit code, that a refusal writes nothing, and that
//! stdout carries results only.

mod common;

use common::{call, copy, empty_folder, files, gpu, listing, thenar};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use thenar::capture::Inspection;

/// A tiny capture that all tests read.
fn capture() -> &'static Path {
    static CAPTURE: LazyLock<PathBuf> = LazyLock::new(|| {
        let path = empty_folder("cli").join("scene");
        let stdout = call("synth {} --hands right --views 3 --size 96x80", &[&path]).expect(0);
        assert_eq!(stdout, format!("{}\n", path.display()), "where it lies");
        path
    });
    &CAPTURE
}

/// A folder of this name that does not exist, beside the capture.
fn absent(name: &str) -> PathBuf {
    let path = capture().with_file_name(name);
    assert!(!path.exists(), "each test has its own names: {name}");
    path
}

#[test]
fn help_and_version_are_results_and_mistakes_are_not() {
    assert!(call("--help", &[]).expect(0).contains("Exit codes: 0 done"), "help says the exit codes");
    assert_eq!(call("--version", &[]).expect(0), format!("thenar {}\n", env!("CARGO_PKG_VERSION")), "version");
    for command in
        ["inspect", "reconstruct", "batch", "export", "repose", "render", "evaluate", "synth", "devices", "presets"]
    {
        assert!(call(&format!("{command} --help"), &[]).expect(0).contains("Usage: thenar"), "{command}");
    }
    call("--nonsense", &[]).refused(2, &["--nonsense"]);
    call("reconstruct room", &[]).refused(2, &["--output <RUN>"]);
    let unet = "reconstruct room -o run --until neural --set neural.kind=unet";
    call(&format!("{unet} --set neural.unet_width=12"), &[]).refused(2, &["neural.unet_width is 12", "multiples of 8"]);
    call(&format!("{unet} --set neural.refine_epochs=9"), &[]).refused(2, &["neural.refine_epochs", "compact"]);
    call("reconstruct room -o run --until paint", &[]).refused(2, &["pose, fit, ham, neural"]);
    call("recontruct room -o run", &[]).refused(2, &["did you mean `thenar reconstruct`"]);
    call("synth {} --size 640", &[&absent("no-size")]).refused(2, &["WIDTHxHEIGHT"]);
    assert!(!absent("no-size").exists(), "nothing is written");
}

#[test]
fn inspect_says_what_is_there() {
    let json = call("inspect {} --json", &[capture()]).expect(0);
    let report: Inspection = serde_json::from_str(&json).expect("an inspection");
    assert_eq!(report.views.len(), 3, "three views");
    let text = call("inspect {}", &[capture()]).expect(0);
    assert!(text.contains("96×80") || text.contains("96x80"), "the size: {text}");
}

#[test]
fn presets_are_listed_and_printed_as_files_that_can_be_used() {
    let list = call("presets", &[]).expect(0);
    assert!(
        list.lines().any(|l| l.starts_with("draft ")) && list.lines().any(|l| l.starts_with("standard ")),
        "{list}"
    );
    let Some(_) = gpu() else { return };
    let folder = empty_folder("cli-presets");
    let (file, run) = (folder.join("mine.ron"), folder.join("run"));
    std::fs::write(&file, call("presets draft", &[]).expect(0)).expect("written");
    call("reconstruct {} -o {} --preset {} --until pose", &[capture(), &run, &file]).expect(0);
    std::fs::write(&file, "(ham: (levels: 2))").expect("written");
    let run = folder.join("refused");
    call("reconstruct {} -o {} --preset {}", &[capture(), &run, &file]).refused(2, &["mine.ron", "levels"]);
    assert!(!run.exists(), "nothing is written");
}

#[test]
fn devices_are_listed_and_an_unknown_one_is_a_usage_error() {
    let Some(gpu) = gpu() else { return };
    let devices: Value = serde_json::from_str(&call("devices --json", &[]).expect(0)).expect("JSON");
    assert_eq!(devices[0]["index"], 0, "an index to call it by: {devices}");
    assert_eq!(devices[0]["name"], gpu.description().name.as_str(), "the first is the one that is used");
    let run = absent("unknown-device");
    for device in ["no-such-device", "99"] {
        call(&format!("reconstruct {{}} -o {{}} --device {device}"), &[capture(), &run])
            .refused(2, &[device, &gpu.description().name]);
        assert!(!run.exists(), "nothing is written");
    }
}

#[test]
fn a_capture_that_cannot_be_used_is_refused_and_nothing_is_written() {
    let broken = empty_folder("cli-broken");
    let run = broken.join("run");
    let refuse = |name: &str, damage: &dyn Fn(&Path), words: &[&str]| {
        let folder = broken.join(name);
        copy(capture(), &folder);
        damage(&folder);
        let before = listing(&folder);
        call("reconstruct {} -o {}", &[&folder, &run]).refused(3, words);
        call("inspect {} --json", &[&folder]).refused(3, words);
        assert!(!run.exists(), "{name}: nothing is written");
        assert!(listing(&folder) == before, "{name}: the capture is only read");
    };
    let remove = |name: &'static str| move |folder: &Path| std::fs::remove_file(folder.join(name)).expect("removed");
    let cut = |name: &'static str| {
        move |folder: &Path| {
            let bytes = std::fs::read(folder.join(name)).expect("a file");
            std::fs::write(folder.join(name), &bytes[..bytes.len() / 2]).expect("cut");
        }
    };
    refuse("missing-image", &remove("img/01.png"), &["error:", "01"]);
    refuse("cut-image", &cut("img/02.png"), &["img/02.png"]);
    refuse("cut-mask", &cut("mask/00.png"), &["mask/00.png"]);
    refuse("cut-cameras", &cut("camera/param.npz"), &["param.npz"]);
    refuse("cut-keypoints", &cut("pose/01.json"), &["pose/01.json"]);
    let empty = broken.join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    call("reconstruct {} -o {}", &[&empty, &run]).refused(3, &["holds no capture"]);
    call("reconstruct {} -o {}", &[&broken.join("nowhere"), &run]).refused(3, &["no such folder", "nowhere"]);
    assert!(!run.exists(), "nothing is written");
}

#[test]
fn what_the_capture_cannot_give_is_refused() {
    let Some(_) = gpu() else { return };
    let run = absent("wrong-views");
    for (option, code, word) in [
        ("--hold-out 7", 2, "views 0 to 2"),
        ("--exclude 3", 2, "there is no view 3"),
        ("--hold-out 0 --exclude 2", 3, "at least two"),
    ] {
        call(&format!("reconstruct {{}} -o {{}} {option}"), &[capture(), &run]).refused(code, &[word]);
        assert!(!run.exists(), "{option}: nothing is written");
    }
    call("reconstruct {} -o {} --hands both", &[capture(), &run]).refused(3, &["right hand", "--hands auto"]);
}

#[test]
fn unknown_presets_and_settings_are_usage_errors_that_name_what_there_is() {
    let run = absent("wrong-settings");
    for (option, words) in [
        ("--preset nice", &["`nice`", "draft, standard"][..]),
        ("--preset nowhere.ron", &["nowhere.ron"]),
        ("--set ham.levle=1", &["`ham.levle`", "did you mean `ham.level`?"]),
        ("--set nonsense=1", &["`nonsense`"]),
        ("--set ham.level=many", &["`many`", "`ham.level`"]),
        ("--set ham.level=-1", &["`-1`", "`ham.level`"]),
        ("--set ham.level", &["KEY=VALUE"]),
    ] {
        call(&format!("reconstruct {{}} -o {{}} {option}"), &[capture(), &run]).refused(2, words);
        assert!(!run.exists(), "{option}: nothing is written");
    }
}

#[test]
fn a_folder_with_something_in_it_is_not_written_to() {
    let Some(_) = gpu() else { return };
    let folder = empty_folder("cli-full");
    std::fs::write(folder.join("thesis.tex"), "years of work").expect("written");
    let before = listing(&folder);
    call("reconstruct {} -o {}", &[capture(), &folder]).refused(2, &["cli-full"]);
    call("synth {}", &[&folder]).refused(2, &["cli-full"]);
    assert!(listing(&folder) == before, "nothing is written");
}

#[test]
fn a_run_is_not_written_into_its_capture() {
    let Some(_) = gpu() else { return };
    let before = listing(capture());
    let inside = capture().join("runs").join("one");
    call("reconstruct {} -o {}", &[capture(), &inside]).refused(2, &["only read", "beside it"]);
    assert_eq!(listing(capture()), before, "nothing is written");
}

#[test]
fn a_run_that_cannot_be_used_is_unusable_input() {
    let Some(_) = gpu() else { return };
    let folder = empty_folder("cli-runs");
    let (scene, run) = (folder.join("scene"), folder.join("run"));
    copy(capture(), &scene);
    call("reconstruct {} -o {} --until pose --progress none", &[&scene, &run]).expect(0);
    let reading: [(&str, &[&str]); 3] = [
        ("export {}", &["reconstruct --resume"]),
        ("evaluate {}", &["reconstruct --resume"]),
        ("inspect {}", &["holds no capture"]),
    ];
    for (line, words) in reading {
        call(line, &[&run]).refused(3, words);
    }
    for line in ["export {}", "evaluate {} --json"] {
        call(line, &[&scene]).refused(3, &["is no run folder"]);
    }
    call("reconstruct {} -o {} --resume", &[&scene, &folder.join("nowhere")]).refused(3, &["is no run folder"]);
    assert!(!folder.join("nowhere").exists(), "nothing is written");

    // Another pixel is another capture.
    let mut image = image::open(scene.join("img/01.png")).expect("an image").into_rgb8();
    image.get_pixel_mut(0, 0).0[0] ^= 1;
    image.save(scene.join("img/01.png")).expect("written");
    let before = listing(&run);
    call("reconstruct {} -o {} --resume", &[&scene, &run]).refused(3, &["are not those this run began with", "scene"]);
    assert!(listing(&run) == before, "the run is left as it was");

    // A damaged checkpoint, and ground truth that is not there.
    image.get_pixel_mut(0, 0).0[0] ^= 1;
    image.save(scene.join("img/01.png")).expect("written");
    call("reconstruct {} -o {} --resume --until fit --progress none", &[&scene, &run]).expect(0);
    assert!(files(&run).contains(&"checkpoint".to_owned()), "the fit is kept");
    call("evaluate {} --ground-truth {}", &[&run, &folder.join("nowhere")]).refused(3, &["nowhere"]);
    call("evaluate {} --lpips {}", &[&run, &folder.join("no-weights")]).refused(3, &["no-weights", "cannot be read"]);
    call("render {} -o {} --views 3", &[&run, &folder.join("pictures")]).refused(2, &["views 0 to 2"]);
    call("render {} -o {} --views held-out", &[&run, &folder.join("pictures")]).refused(2, &["no view was held out"]);
    assert!(!folder.join("pictures").exists(), "nothing is written");
    let bytes = std::fs::read(run.join("checkpoint")).expect("a checkpoint");
    std::fs::write(run.join("checkpoint"), &bytes[..bytes.len() / 2]).expect("cut");
    for line in ["export {}", "evaluate {}"] {
        call(line, &[&run]).refused(3, &["checkpoint", "damaged"]);
    }
    call("reconstruct {} -o {} --resume", &[&scene, &run]).refused(3, &["checkpoint", "damaged"]);
}

/// A pose file with these arrays of (shape, values).
fn pose_file(path: &Path, arrays: &[(&str, &[usize], Vec<f64>)], side: Option<&str>) -> PathBuf {
    let mut npz = thenar::export::npz::Npz::default();
    for (name, shape, values) in arrays {
        npz.f64s(name, shape, values);
    }
    if let Some(side) = side {
        npz.text("side", side);
    }
    std::fs::write(path, npz.to_bytes().expect("an archive")).expect("written");
    path.to_owned()
}

#[test]
fn a_fitted_hand_takes_poses_and_wrong_ones_are_refused_without_a_trace() {
    let Some(_) = gpu() else { return };
    let folder = empty_folder("cli-repose");
    let (run, out) = (folder.join("run"), folder.join("out"));
    call("reconstruct {} -o {} --until fit --progress none", &[capture(), &run]).expect(0);
    let before = listing(&run);
    let values = |n: usize| (0..n).map(|i| 0.01 * f64::from(u32::try_from(i % 45).expect("small"))).collect::<Vec<_>>();
    let good = pose_file(
        &folder.join("good.npz"),
        &[("global_orient", &[3], vec![0.1, 0.2, 0.3]), ("hand_pose", &[3, 45], values(135))],
        None,
    );
    let said = call("repose {} --pose {} -o {} --format glb,obj,ply --texture 64", &[&run, &good, &out]);
    assert!(said.stderr.contains("mm off at most"), "what skinning costs: {}", said.stderr);
    assert_eq!(said.expect(0).lines().count(), 1 + 2 + 3 + 3, "every file on stdout");
    let sequence = |ending: &'static str| (0..3).map(move |i| format!("hand_right_000{i}.{ending}"));
    let mut wanted: Vec<String> = ["hand_right.mtl", "hand_right.png", "hands.glb"].map(str::to_owned).into();
    wanted.extend(sequence("obj").chain(sequence("ply")));
    wanted.sort();
    assert_eq!(files(&out), wanted, "a mesh a frame, one material, one animated file");
    let obj = std::fs::read_to_string(out.join("hand_right_0002.obj")).expect("an OBJ");
    assert!(obj.contains("mtllib hand_right.mtl"), "frames share the material");
    let bytes = std::fs::read(out.join("hands.glb")).expect("a GLB");
    let gltf = gltf::Gltf::from_slice(&bytes).expect("a valid GLB");
    assert_eq!((gltf.animations().count(), gltf.skins().count()), (1, 1), "animated and skinned");
    call("repose {} --pose {} -o {}", &[&run, &good, &out]).refused(2, &["is not empty"]);

    let refused = folder.join("refused");
    let refuse = |arrays: &[(&str, &[usize], Vec<f64>)], side: Option<&str>, code: i32, words: &[&str]| {
        let file = pose_file(&folder.join("bad.npz"), arrays, side);
        call("repose {} --pose {} -o {}", &[&run, &file, &refused]).refused(code, words);
        assert!(!refused.exists(), "nothing is written");
    };
    let orient = || ("global_orient", &[3][..], vec![0.0; 3]);
    refuse(&[orient()], None, 3, &["bad.npz", "hand_pose"]);
    refuse(&[orient(), ("hand_pose", &[2, 6], vec![0.0; 12])], None, 3, &["[2, 6]", "N×45"]);
    refuse(&[orient(), ("hand_pose", &[45], values(45))], Some("left"), 3, &["no left hand"]);
    refuse(&[orient(), ("hand_pose", &[45], values(45))], Some("middle"), 3, &["`middle`"]);
    call("repose {} --pose {} -o {}", &[&run, &folder.join("nowhere.npz"), &refused]).refused(3, &["nowhere.npz"]);
    call("repose {} --pose {} --pose {} -o {}", &[&run, &good, &good, &refused]).refused(2, &["a second pose file"]);
    call("repose {} --pose {} -o {}", &[capture(), &good, &refused]).refused(3, &["is no run folder"]);
    assert!(!refused.exists(), "nothing is written");
    let left: Vec<String> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "no half-written folder remains");
    assert!(listing(&run) == before, "the run is only read");
}

#[test]
fn stdout_is_for_results_and_progress_json_is_for_programs() {
    let Some(_) = gpu() else { return };
    let run = empty_folder("cli-progress").join("run");
    let ended = call("reconstruct {} -o {} --until fit --progress json", &[capture(), &run]);
    let events: Vec<Value> = ended
        .stderr
        .lines()
        .filter(|l| l.starts_with('{'))
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}")))
        .collect();
    assert_eq!(ended.expect(0), format!("{}\n", run.display()), "the run folder and nothing else");
    let of = |kind: &str| events.iter().filter(|e| e["event"] == kind).collect::<Vec<&Value>>();
    assert!(of("step").iter().all(|e| e["stage"] == "fit" && e["total"].is_number()), "steps: {events:?}");
    assert_eq!(of("stage").iter().map(|e| &e["stage"]).collect::<Vec<_>>(), ["pose", "fit"], "both stages end");
    assert_eq!(of("done").len(), 1, "one end");
    let quiet = call("reconstruct {} -o {} --until pose --progress none", &[capture(), &run.with_file_name("quiet")]);
    let said: Vec<&str> = quiet.stderr.lines().filter(|l| !l.contains("XDG_RUNTIME_DIR")).collect();
    assert_eq!(said, Vec::<&str>::new(), "nothing on stderr with --progress none");
    quiet.expect(0);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::Stdio;
    let mut child = thenar().arg("presets").arg("standard").stdout(Stdio::piped()).spawn().expect("the binary starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("an end").code(), Some(0), "as `thenar presets standard | true`");
}
