//! `thenar reconstruct` on the frames of a moving hand: every frame a run of its own, one movement, files of the whole; what
//! was cut off goes on to the same bytes, and a broken frame stops nobody.

mod common;
#[path = "support/mano_file.rs"]
mod mano_file;

use common::{call, command, empty_folder, gpu};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Arguments that keep each frame at a few seconds.
const SMALL: &str = "--preset draft --hands right --set ham.level=1 --set ham.albedo_epochs=4 --set ham.shape_epochs=10 \
                     --set ham.colour_epochs=2";

fn frames(root: &Path, count: u32) -> PathBuf {
    let captures = root.join("captures");
    let line = format!("synth {{}} --hands right --views 4 --size 160x128 --noise-px 0.7 --seed 3 --frames {count}");
    call(&line, &[&captures]).expect(0);
    captures
}

fn bytes(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn number(text: &str, line: &str) -> f64 {
    let found = text.lines().find(|l| l.starts_with(line)).unwrap_or_else(|| panic!("{line} in {text}"));
    found.split_whitespace().nth(1).and_then(|w| w.parse().ok()).unwrap_or_else(|| panic!("a number in {found}"))
}

#[test]
fn a_moving_hand_is_calmer_and_nearer_than_its_frames_alone_and_leaves_animated_files() {
    let Some(_) = gpu() else { return };
    let root = empty_folder("sequence");
    let captures = frames(&root, 6);
    // A frame that is broken.
    std::fs::remove_file(captures.join("0004/camera/param.npz")).expect("it was there");
    let (run, alone) = (root.join("run"), root.join("alone"));
    call(&format!("reconstruct {{}} -o {{}} {SMALL}"), &[&captures, &run]).expect(4);
    for name in ["0000", "0001", "0005"] {
        assert!(run.join(name).join("mesh_right.ply").is_file(), "frame {name} has a mesh");
    }
    assert!(!run.join("0004").exists(), "the broken one has none");
    let summary = String::from_utf8(bytes(&run.join("summary.csv"))).expect("text");
    assert!(summary.lines().any(|l| l.starts_with("0004,left-out,\"") && l.contains("param.npz")), "{summary}");

    // Every other command takes a frame; the whole is held against the frames fitted alone.
    call("evaluate {} --ground-truth {}", &[&run.join("0002"), &captures.join("0002/ground_truth")]).expect(0);
    call("batch {} -o {} --preset draft -- --hands right --until fit", &[&captures, &alone]).expect(4);
    let together = call("evaluate {} --ground-truth {}", &[&run, &captures]).expect(0);
    let single = call("evaluate {} --ground-truth {}", &[&alone, &captures]).expect(0);
    assert!(number(&together, "joints") < number(&single, "joints"), "nearer: {together}{single}");
    assert!(number(&together, "jitter") < 0.5 * number(&single, "jitter"), "calmer: {together}{single}");

    // Later frames begin with the first one's detail and take a part of its epochs.
    let epochs = |name: &str| {
        let text = String::from_utf8(bytes(&run.join(name).join("metrics.jsonl"))).expect("text");
        text.lines().filter(|l| l.contains("\"stage\":\"ham\"")).count()
    };
    assert_eq!((epochs("0000"), epochs("0001")), (16, 2), "epochs of HAM");

    let files = call("export {} --format glb,bvh,npz --texture 64 --fps 25", &[&run]).expect(0);
    for name in ["hands.glb", "hand_right.bvh", "hand_right.npz"] {
        assert!(files.lines().any(|l| l.ends_with(name)), "{name} in {files}");
    }
    let exports = run.join("exports");
    let bvh = String::from_utf8(bytes(&exports.join("hand_right.bvh"))).expect("text");
    assert!(bvh.contains("Frames: 7\nFrame Time: 0.04"), "the rest pose and six frames");
    let poses = thenar::capture::PoseSequence::read(&exports.join("hand_right.npz")).expect("a pose file");
    assert_eq!((poses.frames.len(), poses.side), (6, Some(thenar::anatomy::Side::Right)), "six poses");
    assert_eq!(poses.frames[3], poses.frames[4], "the broken frame holds the pose before it");
    let glb = bytes(&exports.join("hands.glb"));
    let length = u32::from_le_bytes([glb[12], glb[13], glb[14], glb[15]]) as usize;
    let json: serde_json::Value = serde_json::from_slice(&glb[20..20 + length]).expect("JSON");
    let channels = json["animations"][0]["channels"].as_array().expect("channels").len();
    assert_eq!(channels, 17, "sixteen joints turn and the wrist moves");
    call("export {} --format obj", &[&run]).refused(3, &["glb, npz or bvh"]);
    call("repose {} --pose {} -o {}", &[&run.join("0000"), &exports.join("hand_right.npz"), &root.join("again")])
        .expect(0);
}

/// A hand model for which nobody has trained the network.
#[test]
fn a_sequence_without_the_start_that_was_asked_for_says_so() {
    let Some(_) = gpu() else { return };
    let root = empty_folder("sequence-start");
    let captures = frames(&root, 2);
    let models = root.join("models");
    std::fs::create_dir_all(&models).expect("a folder");
    for side in thenar::anatomy::Side::BOTH {
        let file = models.join(format!("MANO_{}.pkl", side.name().to_uppercase()));
        std::fs::write(file, mano_file::ManoFile::tube(side).pickle()).expect("written");
    }
    let line = "reconstruct {} -o {} --preset draft --hands right --until fit --init gcn --hand-model {}";
    let run = root.join("run");
    call(line, &[&captures, &run, &models]).expect(0);
    let log = String::from_utf8(bytes(&run.join("log.txt"))).expect("text");
    let said: Vec<&str> = log.lines().filter(|l| l.contains("starts from several poses")).collect();
    assert!(said.len() == 1 && said[0].contains("right") && said[0].contains("gcn_right.pth"), "once: {log}");
    // Files that cannot be used are told before anything is computed.
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/regressor/gcn_right.pth");
    let other = root.join("other");
    let line = format!("{line} --init-weights {{}}");
    call(&line, &[&captures, &other, &models, &weights])
        .refused(3, &["another hand model", "24 vertices", "--hand-model"]);
    assert!(!other.exists(), "nothing was begun");
}

#[test]
fn a_sequence_that_was_killed_ends_with_the_same_bytes() {
    let Some(_) = gpu() else { return };
    let root = empty_folder("sequence-killed");
    let captures = frames(&root, 3);
    let (whole, cut) = (root.join("whole"), root.join("cut"));
    let line = format!("reconstruct {{}} -o {{}} {SMALL}");
    call(&line, &[&captures, &whole]).expect(0);
    let mut resume = "";
    for after in [2500, 4000] {
        let mut child = command(&format!("{line} {resume}"), &[&captures, &cut])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        std::thread::sleep(Duration::from_millis(after));
        let _ = child.kill();
        let _ = child.wait();
        resume = if cut.join("sequence.ron").exists() { "--resume" } else { "" };
    }
    call(&format!("{line} {resume}"), &[&captures, &cut]).expect(0);
    for name in ["0000", "0001", "0002"] {
        let mesh = |run: &Path| bytes(&run.join(name).join("mesh_right.ply"));
        assert!(mesh(&whole) == mesh(&cut), "frame {name} has the same bytes");
    }
    assert!(bytes(&whole.join("motion.json")) == bytes(&cut.join("motion.json")), "the same movement");
    // All is done: going on changes nothing.
    call(&format!("{line} --resume"), &[&captures, &cut]).expect(0);
    call(&line, &[&captures, &cut]).refused(2, &["not empty"]);
    // Folders that were tampered with are refused.
    let record = std::fs::read_to_string(cut.join("sequence.ron")).expect("reads");
    for (frames, why) in [("\"last\"", "has no number"), ("\"0002\", \"0003\"", "not of one sequence")] {
        std::fs::write(cut.join("sequence.ron"), record.replace("\"0002\"", frames)).expect("writes");
        call(&format!("{line} --resume"), &[&captures, &cut]).refused(3, &[why, "start a new run"]);
    }
    call(&format!("{line} --until pose"), &[&captures, &root.join("other")]).refused(3, &["not after pose"]);
}
