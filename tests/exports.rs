//! What leaves a run: files that other programs' readers take, textures from the photographs, and no trace of a failure.

mod common;

use common::{call, command, empty_folder, files, gpu};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use thenar::export::ply;

/// A view that no stage sees.
const HELD_OUT: usize = 2;

/// A run of both hands that tests share; `None` without a graphics device (said loudly, an error where CI demands one).
fn reference() -> Option<&'static Path> {
    static RUN: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = empty_folder("exports");
        let (capture, run) = (folder.join("scene"), folder.join("run"));
        call("synth {} --views 7 --size 448x360", &[&capture]).expect(0);
        let sets = "--set ham.level=1 --set ham.image_divisor=1 --set ham.albedo_epochs=6 --set ham.shape_epochs=4 --set ham.colour_epochs=2";
        let line = format!("reconstruct {{}} -o {{}} --preset draft --progress none --hold-out {HELD_OUT} {sets}");
        call(&line, &[&capture, &run]).expect(0);
        run
    });
    gpu().map(|_| &**RUN)
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A run's files in all formats, in a folder of this name.
fn exported(run: &Path, name: &str, more: &str) -> PathBuf {
    let out = run.with_file_name(name);
    call(&format!("export {{}} -o {{}} --texture 256 {more}"), &[run, &out]).expect(0);
    out
}

#[test]
fn every_format_is_written_with_its_sidecar() {
    let Some(run) = reference() else { return };
    let out = exported(run, "all", "--format glb,rig,obj,ply,stl,usda,usdz,npz,json,bvh,maps --level 0");
    let mut named: Vec<String> = ["hands.glb", "hands_rigged.glb", "hands.usda", "hands.usdz"].map(String::from).into();
    let mut wanted: Vec<String> = Vec::new();
    for side in ["left", "right"] {
        named.extend(["obj", "ply", "stl", "npz", "json", "bvh"].map(|ending| format!("hand_{side}.{ending}")));
        wanted.push(format!("hand_{side}_maps.meta.json"));
        wanted.extend(["albedo", "coverage", "normal", "displacement"].map(|map| format!("hand_{side}_{map}.png")));
        wanted.extend(["png", "mtl"].map(|ending| format!("hand_{side}.{ending}")));
        wanted.extend(["albedo", "normal"].map(|map| format!("hands_{side}_{map}.png")));
    }
    wanted.extend(named.iter().map(|name| format!("{name}.meta.json")));
    wanted.extend(named);
    wanted.sort();
    assert_eq!(files(&out), wanted, "the files");
    for name in wanted.iter().filter(|n| n.ends_with(".meta.json")) {
        let meta = json(&out.join(name));
        assert!(meta["licence"].as_str().is_some_and(|l| l.contains("CC0")), "{name}: {meta}");
        assert!(meta["capture sha256"].as_str().is_some_and(|h| h.len() == 64), "{name} names its capture");
        let length = meta["hand_length_mm_right"].as_f64().expect("a length");
        assert!((100.0..250.0).contains(&length), "{name}: {length} mm");
    }
    // The matrix in the sidecar takes the run's mesh to the file's.
    let (ours, theirs) = (ply::read(&run.join("mesh_left.ply")), ply::read(&out.join("hand_left.ply")));
    let (ours, theirs) = (ours.expect("a mesh"), theirs.expect("a mesh"));
    let meta = json(&out.join("hand_left.ply.meta.json"));
    let m = |r: usize, c: usize| meta["file_from_capture"][r][c].as_f64().expect("a matrix");
    for (p, q) in ours.positions.iter().zip(&theirs.positions) {
        for k in 0..3 {
            let placed = m(k, 0) * p[0] + m(k, 1) * p[1] + m(k, 2) * p[2] + m(k, 3);
            assert!((placed - q[k]).abs() < 1e-6, "{p:?} is {q:?}");
        }
    }
    assert_eq!(theirs.faces.len() * 4, ours.faces.len(), "one level coarser");
}

#[test]
fn frames_have_their_units_and_axes() {
    let Some(run) = reference() else { return };
    let mesh = |name: &str, more: &str| {
        ply::read(&exported(run, name, &format!("--format ply {more}")).join("hand_right.ply")).expect("a PLY")
    };
    let size = |mesh: &ply::PlyMesh| {
        let of = |k: usize| mesh.positions.iter().map(move |p| p[k]);
        [0, 1, 2].map(|k| of(k).fold(f64::NEG_INFINITY, f64::max) - of(k).fold(f64::INFINITY, f64::min))
    };
    let gltf = mesh("frame-gltf", "");
    let g = size(&gltf);
    for (frame, axes, scale) in
        [("blender", [0, 2, 1], 1.0), ("unreal", [2, 0, 1], 100.0), ("print", [0, 2, 1], 1000.0)]
    {
        let other = mesh(&format!("frame-{frame}"), &format!("--frame {frame}"));
        let s = size(&other);
        for k in 0..3 {
            assert!((s[k] - g[axes[k]] * scale).abs() < 1e-6 * scale, "{frame}: {s:?} of {g:?}");
        }
        // Outward stays outward: the volume is positive in right-handed axes, and in the left-handed ones turned round.
        let volume: f64 = other
            .faces
            .iter()
            .map(|f| {
                let [a, b, c] = f.map(|v| other.positions[v as usize]);
                a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
                    + a[2] * (b[0] * c[1] - b[1] * c[0])
            })
            .sum();
        let n = &other.normals[0];
        assert!((n.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-5, "{frame}: normals are unit vectors");
        assert!(other.comments.iter().any(|c| c.starts_with("unit ")), "{frame}: {:?}", other.comments);
        assert!(volume.is_finite(), "{frame}");
    }
    let low = mesh("frame-print-low", "--frame print");
    let left = ply::read(&run.with_file_name("frame-print-low").join("hand_left.ply")).expect("a PLY");
    let floor = low.positions.iter().chain(&left.positions).map(|p| p[2]).fold(f64::INFINITY, f64::min);
    assert!(floor.abs() < 1e-6, "prints stand on the plate: {floor}");
    let upright = mesh("up-hand", "--up hand");
    assert!(size(&upright) != g && size(&mesh("up-1", "--up 1")) != g, "another up is another box");
    call("export {} -o {} --up 99", &[run, &run.with_file_name("no-camera")]).refused(2, &["no view 99"]);
    assert!(!run.with_file_name("no-camera").exists(), "nothing is written");
}

#[test]
fn albedo_gets_the_reflectance_that_was_asked_for() {
    let Some(run) = reference() else { return };
    let linear = |v: f64| if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let mean = |name: &str, more: &str| {
        let out = exported(run, name, &format!("--format ply {more}"));
        let colours: Vec<[f64; 3]> = ["left", "right"]
            .iter()
            .flat_map(|side| ply::read(&out.join(format!("hand_{side}.ply"))).expect("a PLY").albedo)
            .collect();
        let sum: f64 =
            colours.iter().map(|c| 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2])).sum();
        (sum / colours.len() as f64, json(&out.join("hand_left.ply.meta.json"))["albedo_factor_linear"].as_f64())
    };
    let (usual, factor) = mean("reflectance-usual", "");
    assert!((usual - 0.35).abs() < 0.01 && factor.is_some(), "{usual}, {factor:?}");
    let (dark, _) = mean("reflectance-dark", "--reflectance 0.1");
    assert!((dark - 0.1).abs() < 0.005, "{dark}");
    let (fitted, none) = mean("reflectance-fitted", "--reflectance fitted");
    assert_eq!(none, None, "nothing was applied");
    assert!((fitted * factor.expect("a factor") - 0.35).abs() < 0.02, "{fitted} times {factor:?}");
}

#[test]
fn a_texture_is_nearer_to_the_photographs_than_vertices() {
    let Some(run) = reference() else { return };
    let out = run.with_file_name("textured");
    let stdout = call("render {} --texture 512 -o {}", &[run, &out]).expect(0);
    assert!(stdout.lines().last().is_some_and(|l| l.ends_with("texture.json")), "{stdout}");
    let report = json(&out.join("texture.json"));
    let of = |which: &str| report["trusted_mean"][which].as_f64().expect("a PSNR");
    // Vertices 2.5 mm apart against texels of 1 mm; the skin of synthetic hands has detail below both.
    assert!(of("texture_db") > of("vertices_db") + 1.0, "{}", report["trusted_mean"]);
    let views = report["views"].as_array().expect("views");
    assert_eq!(views[HELD_OUT]["held_out"], Value::Bool(true), "the view is compared");
    let before =
        std::fs::read(exported(run, "from-photographs", "--format maps").join("hand_right_albedo.png")).expect("a map");
    let line = "export {} -o {} --texture 256 --format maps --texture-from vertices";
    let vertices = run.with_file_name("from-vertices");
    call(line, &[run, &vertices]).expect(0);
    assert_ne!(before, std::fs::read(vertices.join("hand_right_albedo.png")).expect("a map"), "photographs count");
    call("render {} --texture 512 --mode normals -o {}", &[run, &run.with_file_name("no")]).refused(2, &["--texture"]);
}

#[test]
fn without_its_photographs_a_run_is_exported_all_the_same() {
    let Some(run) = reference() else { return };
    let folder = empty_folder("exports-moved");
    let moved = folder.join("run");
    common::copy(run, &moved);
    let record = std::fs::read_to_string(moved.join("run.ron")).expect("a record");
    std::fs::write(moved.join("run.ron"), record.replace("scene", "nowhere")).expect("written");
    let ended = call("export {} -o {} --texture 64", &[&moved, &folder.join("out")]);
    assert!(ended.stderr.contains("albedo of the vertices"), "it is said: {}", ended.stderr);
    ended.expect(0);
    assert!(folder.join("out/hands.glb").is_file(), "the file is there");
}

#[test]
fn a_full_disk_or_a_target_that_cannot_be_written_leaves_nothing_behind() {
    let Some(run) = reference() else { return };
    // A file where the folder would have to be.
    let blocked = run.join("run.ron").join("out");
    call("export {} -o {} --texture 64", &[run, &blocked]).refused(1, &["run.ron"]);
    if !cfg!(target_os = "linux") {
        return;
    }
    // No file may grow beyond 64 kB, as on a full disk; the signal that would end the program is ignored.
    let out = run.with_file_name("full");
    let export = command("export {} -o {} --texture 256 --format glb,ply,usda", &[run, &out]);
    let mut words = vec![export.get_program().to_os_string()];
    words.extend(export.get_args().map(std::ffi::OsStr::to_os_string));
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh"]).args(words);
    let ended = shell.output().expect("a shell");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "it fails: {said}");
    assert!(said.contains("hands.glb"), "and says at which file: {said}");
    assert!(files(&out).is_empty(), "no file, whole or half: {:?}", files(&out));
}

/// The validator of the Khronos group, where `scripts/test` has put it: `GLTF_VALIDATOR` names the folder. Without it the
/// test says so; `REQUIRE_VALIDATOR=1` makes that an error.
#[test]
fn the_khronos_validator_has_nothing_to_say() {
    let Some(run) = reference() else { return };
    let found =
        std::env::var_os("GLTF_VALIDATOR").filter(|f| Path::new(f).join("node_modules/gltf-validator").is_dir());
    if found.is_none() {
        assert!(std::env::var_os("REQUIRE_VALIDATOR").is_none(), "GLTF_VALIDATOR names no folder with the package");
        eprintln!("skipped: no glTF validator (scripts/test installs it where npm is)");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/validate_gltf.js");
    let check = |files: &[PathBuf]| Command::new("node").arg(&script).args(files).output().expect("node");
    let mut all = Vec::new();
    for (name, more) in
        [("valid-full", ""), ("valid-coarse", "--level 0"), ("valid-rest", "--pose rest --wrist closed")]
    {
        let out = exported(run, name, &format!("--format glb,rig {more}"));
        all.extend([out.join("hands.glb"), out.join("hands_rigged.glb")]);
    }
    let poses = run.with_file_name("valid-moving");
    let _ = std::fs::remove_dir_all(&poses);
    call("repose {} --pose {} -o {} --bake --texture 64", &[run, &run.join("hand_left.npz"), &poses]).expect(0);
    all.push(poses.join("hands.glb"));
    let ended = check(&all);
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    for line in said.lines() {
        let report: Value = serde_json::from_str(line).expect("a report");
        assert_eq!((report["numErrors"].as_u64(), report["numWarnings"].as_u64()), (Some(0), Some(0)), "{line}");
    }
    assert_eq!(said.lines().count(), all.len(), "a report a file");
    // Negative: a normal that is none is found.
    let mut bytes = std::fs::read(&all[0]).expect("a GLB");
    let length = bytes.len();
    let json = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]) as usize;
    bytes[20 + json + 8..].iter_mut().take(length / 3).for_each(|b| *b = 0x40);
    let broken = run.with_file_name("broken.glb");
    std::fs::write(&broken, bytes).expect("written");
    assert!(!check(&[broken]).status.success(), "the validator sees what is wrong");
}
