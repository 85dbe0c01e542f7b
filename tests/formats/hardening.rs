//! Every reader survives damage: cut at every hundredth of its file and with a thousand random bits turned it gives a typed
//! error or a rig, never a panic, and never takes long.

use super::captures::write_capture;
use super::{CASES, Random, case, data, rig, ring, shared};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thenar::capture::{Calibration, Capture, CaptureError, Lens, OpenOptions};
use thenar::export::{CalibrationFormat, calibration_files};

/// A reading that takes longer than this is as bad as a panic.
const LONGEST: Duration = Duration::from_secs(5);
const FLIPS: u32 = 1000;

/// What became of the damaged readings.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    loaded: u32,
    refused: u32,
    panicked: Vec<String>,
}

/// Damages one file in every way and lets `read` have it each time.
fn damage(path: &Path, seed: u64, read: &dyn Fn() -> Result<(), String>) -> Tally {
    let whole = fs::read(path).expect("a file");
    let mut random = Random(seed);
    let cuts = (0..100).map(|percent| whole[..whole.len() * percent / 100].to_vec());
    let flips = (0..FLIPS).map(|_| {
        let mut bytes = whole.clone();
        for _ in 0..1 + random.bits() % 3 {
            let at = usize::try_from(random.bits() % bytes.len() as u64).expect("inside");
            bytes[at] ^= 1 << (random.bits() % 8);
        }
        bytes
    });
    let mut tally = Tally::default();
    for bytes in cuts.chain(flips) {
        fs::write(path, &bytes).expect("written");
        let start = Instant::now();
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(Ok(())) => tally.loaded += 1,
            Ok(Err(_)) => tally.refused += 1,
            Err(_) => tally.panicked.push(format!("{}: {:?}…", path.display(), &bytes[..bytes.len().min(60)])),
        }
        if start.elapsed() > LONGEST {
            tally.panicked.push(format!("{}: took {:?}", path.display(), start.elapsed()));
        }
    }
    fs::write(path, whole).expect("written back");
    tally
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Reads the calibration, and projects with it: what loads must be usable.
fn open(root: &Path) -> Result<(), String> {
    let rig = Calibration::open(root, &OpenOptions::default()).map_err(|e: CaptureError| e.to_string())?;
    for camera in &rig.cameras {
        let point = camera.centre() + camera.rotation.row(2).transpose() * 0.5;
        let px = camera.project(&point);
        assert!(px.is_none_or(|p| p.iter().all(|v| v.is_finite())), "pixels of what loads are finite: {px:?}");
    }
    Ok(())
}

#[test]
fn every_reader_survives_cut_and_bent_files() {
    let temp = TempDir::new().expect("a temporary folder");
    let own = rig(ring(
        &[Lens::Pinhole, Lens::Fisheye([0.01, 0.0, 0.0, 0.0]), Lens::from_opencv(&[0.1; 4]).expect("a lens")],
        0.9,
    ));
    let pinholes = rig(ring(&[Lens::Pinhole; 3], 0.9));
    for name in CASES.into_iter().chain(["fmhr"]) {
        let root = match name {
            "scene" | "fmhr" => {
                let root = temp.path().join(name);
                let (rig, format, folder) = if name == "scene" {
                    (&own, CalibrationFormat::Scene, root.clone())
                } else {
                    (&pinholes, CalibrationFormat::Fmhr, root.join("camera"))
                };
                fs::create_dir_all(&folder).expect("a folder");
                for (file, bytes) in calibration_files(rig, format).expect("written") {
                    fs::write(folder.join(file), bytes).expect("written");
                }
                root
            }
            _ => case(name, &temp),
        };
        open(&root).unwrap_or_else(|e| panic!("{name} is whole: {e}"));
        let mut paths = Vec::new();
        files(&root, &mut paths);
        for path in paths.iter().filter(|p| p.extension().is_none_or(|e| e != "jpg")) {
            let unused = ["points3D", "frames", "rigs"].iter().any(|n| path.file_stem().is_some_and(|s| s == *n));
            if unused {
                continue;
            }
            let tally = damage(path, 5, &|| open(&root));
            eprintln!("{name} {:?}: {} load, {} are refused", path.file_name(), tally.loaded, tally.refused);
            assert!(tally.panicked.is_empty(), "{name}: {}", tally.panicked.join("\n"));
            assert!(tally.refused >= 60, "{name}: damage is noticed, {tally:?}");
        }
        open(&root).unwrap_or_else(|e| panic!("{name} is whole again: {e}"));
    }
}

/// The real capture's calibration, which is compressed and has 64 arrays.
#[test]
fn the_real_calibration_survives_too() {
    let path = shared().join("captures/fmhr_capture_room_1/camera/param.npz");
    if !path.is_file() {
        eprintln!("skipped: {} does not exist", path.display());
        return;
    }
    let temp = TempDir::new().expect("a temporary folder");
    fs::create_dir_all(temp.path().join("camera")).expect("a folder");
    let copy = temp.path().join("camera/param.npz");
    fs::copy(path, &copy).expect("a copy");
    let tally = damage(&copy, 6, &|| open(temp.path()));
    assert!(tally.panicked.is_empty(), "{}", tally.panicked.join("\n"));
    assert!(tally.refused > 100, "damage is noticed: {tally:?}");
}

/// Images, masks and keypoints are files, too: of pixels, and of FMHR's form.
#[test]
fn captures_survive_damage_around_the_calibration() {
    let temp = TempDir::new().expect("a temporary folder");
    let mut cameras =
        ring(&[Lens::Pinhole, Lens::from_opencv(&[-0.1, 0.0, 0.0, 0.0]).expect("a lens"), Lens::Pinhole], 0.9);
    for camera in &mut cameras {
        camera.k.fixed_rows_mut::<2>(0).scale_mut(0.1);
        camera.size_px = Some((64, 48));
    }
    write_capture(temp.path(), &rig(cameras), CalibrationFormat::Scene);
    let image = temp.path().join("images/00.png");
    image::open(&image).expect("an image").into_rgb8().save(temp.path().join("images/00.jpg")).expect("a JPEG");
    let text = fs::read_to_string(temp.path().join("scene.ron")).expect("the scene");
    fs::write(temp.path().join("scene.ron"), text.replace("00.png", "00.jpg")).expect("written");
    let numbers = vec![0.1; 63];
    let pose = serde_json::json!({ "Left": numbers, "Right": numbers }).to_string();
    fs::write(temp.path().join("keypoints/02.json"), pose).expect("keypoints");
    let open = || {
        let capture = Capture::open(temp.path()).map_err(|e| e.to_string())?;
        let px = capture.views.iter().flat_map(|v| v.keypoints.iter().flatten()).flat_map(|k| &k.px).flatten();
        assert!(px.into_iter().all(|v| v.is_finite()), "keypoints of what loads are finite");
        Ok(())
    };
    open().expect("whole");
    for (name, least) in [
        ("images/00.jpg", 90),
        ("images/01.png", 90),
        ("masks/01.png", 90),
        ("keypoints/01.json", 90),
        ("keypoints/02.json", 90),
    ] {
        let tally = damage(&temp.path().join(name), 8, &open);
        eprintln!("{name}: {} load, {} are refused", tally.loaded, tally.refused);
        assert!(tally.panicked.is_empty(), "{name}: {}", tally.panicked.join("\n"));
        assert!(tally.refused >= least, "{name}: damage is noticed, {tally:?}");
    }
    open().expect("whole again");
}

/// The harness sees a reader that panics, and one that takes everything.
#[test]
fn the_harness_notices_bad_readers() {
    let temp = TempDir::new().expect("a temporary folder");
    let path = temp.path().join("cameras.txt");
    fs::copy(data().join("colmap_txt/cameras.txt"), &path).expect("a copy");
    let first_line = || fs::read_to_string(&path).map_err(|e| e.to_string()).map(|t| t.lines().count());
    let careless = damage(&path, 5, &|| {
        let lines = first_line()?;
        if lines <= 5 {
            // As a reader that indexes without looking would, but without a thousand backtraces in the log.
            resume_unwind(Box::new("out of bounds"));
        }
        Ok(())
    });
    assert!(!careless.panicked.is_empty() && careless.refused > 0, "a panic is caught and told");
    let blind = damage(&path, 5, &|| Ok(()));
    assert_eq!((blind.refused, blind.loaded), (0, 100 + FLIPS), "a reader that takes everything is seen by its tally");
}
