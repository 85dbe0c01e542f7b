//! Calibrations of other programs: files written by them (tests/data/calibrations) project as they do, conversions keep
//! projections, conventions are inferred with reasons, and captures open with their lenses undone.
//!
//! The real capture is looked for in `$THENAR_SHARED`, else in `../shared` beside the package.

mod captures;
#[path = "../common/mod.rs"]
mod common;
mod hardening;
mod sizes;

use nalgebra::{Matrix3, Rotation3, Vector2, Vector3};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use thenar::capture::{Axes, Brown, Calibration, CalibrationWriteError, Direction, Format, Lens, OpenOptions};
use thenar::capture::{PixelCentre, RigCamera, Units};
use thenar::export::{CalibrationFormat, calibration_files};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/calibrations")
}

fn json(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(data().join(name)).expect("a file")).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy_folder(&entry, &target);
        } else {
            fs::copy(&entry, &target).expect("a copy");
        }
    }
}

/// The folder of a case, with what the format needs besides the calibration.
fn case(name: &str, temp: &TempDir) -> PathBuf {
    let root = temp.path().join(name);
    copy_folder(&data().join(name), &root);
    if name == "interhand" {
        for camera in ["cam400260", "cam400261", "cam400262"] {
            let folder = root.join("images/test/Capture0/0000_neutral").join(camera);
            fs::create_dir_all(&folder).expect("a folder");
            image::RgbImage::new(8, 12).save(folder.join("image100.jpg")).expect("an image");
        }
    }
    root
}

const CASES: [&str; 12] = [
    "colmap_bin",
    "colmap_txt",
    "transforms",
    "opencv_yml",
    "opencv_json",
    "opencv_each",
    "opencv_stereo",
    "easymocap",
    "kalibr",
    "deephandmesh",
    "interhand",
    "scene",
];

/// Largest distance in pixels between a rig's projections and those of a case, which must be of the same cameras.
fn worst_distance(rig: &Calibration, expected: &Value) -> f64 {
    let points: Vec<Vec<f64>> = expected["points"].as_array().expect("points").iter().map(numbers).collect();
    let cameras = expected["cameras"].as_object().expect("cameras");
    let names: Vec<&str> = rig.cameras.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names.len(), cameras.len(), "as many cameras: {names:?}");
    let mut worst = 0.0_f64;
    for camera in &rig.cameras {
        let pixels = cameras.get(&camera.name).unwrap_or_else(|| panic!("no camera {} in {cameras:?}", camera.name));
        for (point, pixel) in points.iter().zip(pixels.as_array().expect("pixels")) {
            let px = camera.project(&Vector3::from_column_slice(point)).expect("in front");
            worst = worst.max((px - Vector2::from_column_slice(&numbers(pixel))).norm());
        }
    }
    worst
}

#[test]
fn files_of_real_writers_project_as_their_programs_do() {
    let temp = TempDir::new().expect("a temporary folder");
    let expected = json("projections.json");
    for name in CASES.into_iter().filter(|&n| n != "scene") {
        let rig =
            Calibration::open(&case(name, &temp), &OpenOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let worst = worst_distance(&rig, &expected[name]);
        eprintln!("{name}: {} cameras, worst {worst:.2e} px, {:?}", rig.cameras.len(), rig.inferences);
        assert!(worst < 0.01, "{name}: projections differ by {worst} px");
        assert_eq!(rig.warnings, Vec::<String>::new(), "{name}: nothing to warn of");
        let mut wrong = rig.clone();
        wrong.cameras[1].k[(0, 2)] += 0.5;
        assert!(worst_distance(&wrong, &expected[name]) > 0.4, "{name}: half a pixel would be seen");
    }
}

#[test]
fn lenses_bend_as_opencvs_do() {
    for lens in json("lenses.json").as_array().expect("a list") {
        let coefficients = numbers(&lens["coefficients"]);
        let ours = if lens["fisheye"] == true {
            Lens::Fisheye(coefficients.clone().try_into().expect("four"))
        } else {
            Lens::from_opencv(&coefficients).expect("a lens")
        };
        let rows = |key: &str| -> Vec<Vector2<f64>> {
            lens[key].as_array().expect("a list").iter().map(|v| Vector2::from_column_slice(&numbers(v))).collect()
        };
        for ((ray, bent), back) in rows("rays").iter().zip(rows("distorted")).zip(rows("undistorted")) {
            assert!((ours.distort(*ray) - bent).norm() < 1e-12, "{coefficients:?} distorts {ray} to {bent}");
            let undistorted = ours.undistort(bent).expect("in range");
            assert!((undistorted - ray).norm() < 1e-10, "{coefficients:?}: {undistorted} is not {ray}");
            // OpenCV's own iteration ends a little earlier.
            assert!((undistorted - back).norm() < 1e-6, "{coefficients:?}: OpenCV has {back}");
        }
    }
}

/// A small generator of numbers in −1…1 (splitmix64).
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn number(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let unit = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        2.0 * unit - 1.0
    }
}

/// A ring of cameras around the origin with these lenses.
fn ring(lenses: &[Lens], distance: f64) -> Vec<RigCamera> {
    let mut random = Random(3);
    lenses
        .iter()
        .enumerate()
        .map(|(i, &lens)| {
            #[expect(clippy::cast_precision_loss, reason = "a few cameras")]
            let rotation = Rotation3::from_euler_angles(0.4 * random.number(), 0.9 * i as f64, 0.2 * random.number());
            RigCamera {
                name: format!("{i:02}"),
                k: Matrix3::new(
                    820.0 + 30.0 * random.number(),
                    0.0,
                    322.0 + 9.0 * random.number(),
                    0.0,
                    815.0 + 30.0 * random.number(),
                    241.0 + 9.0 * random.number(),
                    0.0,
                    0.0,
                    1.0,
                ),
                lens,
                size_px: Some((640, 480)),
                rotation: rotation.into_inner(),
                translation: Vector3::new(0.02 * random.number(), 0.02 * random.number(), distance),
                image: Some(format!("images/{i:02}.png")),
                mask: None,
            }
        })
        .collect()
}

fn rig(cameras: Vec<RigCamera>) -> Calibration {
    Calibration {
        format: Format::Scene,
        file: "scene.ron".into(),
        cameras,
        inferences: vec![],
        warnings: vec![],
        metres_per_unit: 1.0,
    }
}

fn distorted_rig() -> Calibration {
    rig(ring(
        &[
            Lens::Pinhole,
            Lens::from_opencv(&[-0.2, 0.05, 0.001, -0.002]).expect("a barrel"),
            Lens::from_opencv(&[0.1, -0.02, 0.001, 0.001, 0.02]).expect("a cushion"),
            Lens::Fisheye([0.03, -0.01, 0.004, -0.001]),
        ],
        0.8,
    ))
}

/// Largest distance of projections of random points near where the cameras look.
fn distance(a: &Calibration, b: &Calibration) -> f64 {
    assert_eq!(a.cameras.len(), b.cameras.len(), "as many cameras");
    let target = a.looked_at().expect("cameras that look at one place");
    let mut random = Random(11);
    let mut worst = 0.0_f64;
    for _ in 0..200 {
        let point = target + Vector3::from_fn(|_, _| 0.12 * random.number());
        for (a, b) in a.cameras.iter().zip(&b.cameras) {
            let (a, b) = (a.project(&point).expect("in front"), b.project(&point).expect("in front too"));
            worst = worst.max((a - b).norm());
        }
    }
    worst
}

/// Writes the rig and reads it back.
fn through(rig: &Calibration, format: CalibrationFormat) -> Result<Calibration, CalibrationWriteError> {
    let temp = TempDir::new().expect("a temporary folder");
    let folder = if format == CalibrationFormat::Fmhr { temp.path().join("camera") } else { temp.path().to_owned() };
    fs::create_dir_all(&folder).expect("a folder");
    for (name, bytes) in calibration_files(rig, format)? {
        fs::write(folder.join(name), bytes).expect("written");
    }
    Ok(Calibration::open(temp.path(), &OpenOptions::default()).unwrap_or_else(|e| panic!("{format:?}: {e}")))
}

/// FMHR last: it keeps no image sizes, which the others need.
const WRITABLE: [CalibrationFormat; 7] = [
    CalibrationFormat::Colmap,
    CalibrationFormat::ColmapText,
    CalibrationFormat::Transforms,
    CalibrationFormat::OpenCvYaml,
    CalibrationFormat::OpenCvJson,
    CalibrationFormat::Scene,
    CalibrationFormat::Fmhr,
];

fn shared() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("shared");
    std::env::var_os("THENAR_SHARED").map_or_else(beside, PathBuf::from)
}

/// The rig of the real capture, or `None` said loudly.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn real_rig() -> Option<Calibration> {
    let path = shared().join("captures/fmhr_capture_room_1");
    if !path.is_dir() {
        eprintln!("skipped: no shared captures ({} does not exist)", path.display());
        return None;
    }
    Some(Calibration::open(&path, &OpenOptions::default()).expect("the real rig"))
}

#[test]
fn conversions_keep_projections() {
    let mut rigs = vec![rig(ring(&[Lens::Pinhole; 5], 1.1)), distorted_rig()];
    if let Some(real) = real_rig() {
        assert_eq!(real.cameras.len(), 16, "all real cameras");
        assert!(real.cameras.iter().all(|c| c.size_px == Some((1280, 1024))), "sizes from the images");
        assert_eq!(real.warnings, Vec::<String>::new(), "nothing odd about it: {:?}", real.inferences);
        rigs.push(real);
    }
    for first in &rigs {
        let distorted = first.cameras.iter().any(|c| !c.lens.is_pinhole());
        // Once through every format, and in a chain through all of them.
        let mut chain = first.clone();
        for format in WRITABLE {
            if distorted && format == CalibrationFormat::Fmhr {
                let refused = through(first, format).expect_err("no place for distortion").to_string();
                assert!(refused.contains("camera 01") && refused.contains("lens distortion"), "{refused}");
                continue;
            }
            let back = through(first, format).expect("written");
            assert!(distance(first, &back) < 1e-6, "{format:?}: off by {} px", distance(first, &back));
            chain = through(&chain, format).expect("written");
            let names = |r: &Calibration| r.cameras.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(first), names(&back), "{format:?}: names");
        }
        let off = distance(first, &chain);
        eprintln!("through all formats: {off:.2e} px");
        assert!(off < 0.01, "through all formats: {off} px");
        let mut moved = chain.clone();
        moved.cameras[1].translation.x += 1e-4;
        assert!(distance(first, &moved) > 0.01, "a tenth of a millimetre would be seen");
    }
}

#[test]
fn what_a_format_cannot_hold_is_said() {
    let with = |change: &dyn Fn(&mut RigCamera)| {
        let mut rig = rig(ring(&[Lens::Pinhole; 3], 1.0));
        change(&mut rig.cameras[2]);
        rig
    };
    let skewed = with(&|c| c.k[(0, 1)] = 2.0);
    let unsized_ = with(&|c| c.size_px = None);
    let prism = with(&|c| c.lens = Lens::of_brown(Brown { s: [0.01, 0.0, 0.0, 0.0], ..Brown::default() }));
    for (rig, format, words) in [
        (&skewed, CalibrationFormat::Colmap, "skew"),
        (&skewed, CalibrationFormat::OpenCvYaml, "skew"),
        (&unsized_, CalibrationFormat::Transforms, "image size"),
        (&prism, CalibrationFormat::ColmapText, "thin-prism"),
        (&prism, CalibrationFormat::Transforms, "thin-prism"),
        (&prism, CalibrationFormat::Fmhr, "distortion"),
    ] {
        let message = calibration_files(rig, format).expect_err(words).to_string();
        assert!(message.contains("camera 02") && message.contains(words), "{message}");
    }
    assert!(
        distance(&prism, &through(&prism, CalibrationFormat::OpenCvJson).expect("OpenCV holds it")) < 1e-6,
        "prism"
    );
    assert!(distance(&skewed, &through(&skewed, CalibrationFormat::Scene).expect("scene.ron holds it")) < 1e-6, "skew");
}

/// A rig written as plain OpenCV YAML, with poses and lengths changed as other programs would have them.
fn changed(change: &dyn Fn(&mut RigCamera)) -> TempDir {
    let temp = TempDir::new().expect("a temporary folder");
    let mut rig = rig(ring(&[Lens::Pinhole; 6], 0.9));
    rig.cameras.iter_mut().for_each(change);
    let files = calibration_files(&rig, CalibrationFormat::OpenCvYaml).expect("written");
    fs::write(temp.path().join("rig.yml"), &files[0].1).expect("written");
    temp
}

fn inferred(rig: &Calibration) -> BTreeMap<&str, (&str, &str)> {
    rig.inferences.iter().map(|i| (i.what.as_str(), (i.value.as_str(), i.reason.as_str()))).collect()
}

#[test]
fn conventions_are_inferred_with_reasons_and_can_be_set() {
    let truth = rig(ring(&[Lens::Pinhole; 6], 0.9));
    let gl = Matrix3::from_diagonal(&Vector3::new(1.0, -1.0, -1.0));
    let invert = |c: &mut RigCamera| (c.rotation, c.translation) = (c.rotation.transpose(), c.centre());
    let to_gl = |c: &mut RigCamera| (c.rotation, c.translation) = (gl * c.rotation, gl * c.translation);
    let as_is = changed(&|_| ());
    let millimetres = changed(&|c| c.translation *= 1000.0);
    let camera_to_world = changed(&|c| invert(c));
    let opengl = changed(&|c| to_gl(c));
    let both = changed(&|c| {
        to_gl(c);
        invert(c);
    });
    for (folder, unit, direction, axes) in [
        (&as_is, "m", "world-to-camera", "opencv"),
        (&millimetres, "mm", "world-to-camera", "opencv"),
        (&camera_to_world, "m", "camera-to-world", "opencv"),
        (&opengl, "m", "world-to-camera", "opengl"),
        (&both, "m", "camera-to-world", "opengl"),
    ] {
        let rig = Calibration::open(folder.path(), &OpenOptions::default()).expect("readable");
        let found = inferred(&rig);
        assert_eq!((found["unit"].0, found["direction"].0, found["axes"].0), (unit, direction, axes), "{found:?}");
        assert!(found["unit"].1.contains("units from what they look at"), "a reason: {found:?}");
        let odd = (direction, axes) != ("world-to-camera", "opencv");
        assert_eq!(rig.warnings.len(), usize::from(odd), "against the convention is a warning: {:?}", rig.warnings);
        assert!(distance(&truth, &rig) < 1e-6, "{unit} {direction} {axes}: off by {}", distance(&truth, &rig));
        // The same, said by hand.
        let options = OpenOptions {
            units: Some(unit.parse().expect("a unit")),
            direction: Some(direction.parse().expect("a direction")),
            axes: Some(axes.parse().expect("axes")),
            ..OpenOptions::default()
        };
        let rig = Calibration::open(folder.path(), &options).expect("readable");
        assert!(rig.warnings.is_empty() && inferred(&rig)["axes"].1 == "set by hand", "by hand: {:?}", rig.inferences);
        assert!(distance(&truth, &rig) < 1e-6, "by hand, {unit} {direction} {axes}");
    }
    let half = OpenOptions { pixel_centre: Some(PixelCentre::Half), ..OpenOptions::default() };
    let rig = Calibration::open(as_is.path(), &half).expect("readable");
    let shift = distance(&truth, &rig);
    assert!((shift - 0.5_f64.hypot(0.5)).abs() < 1e-6, "no half pixel added: {shift}");

    let wrong = OpenOptions {
        direction: Some(Direction::CameraToWorld),
        axes: Some(Axes::OpenCv),
        units: Some(Units::METRES),
        ..OpenOptions::default()
    };
    let rig = Calibration::open(as_is.path(), &wrong).expect("set by hand is obeyed");
    assert!(rig.warnings.iter().any(|w| w.contains("looks odd")), "but said: {:?}", rig.warnings);

    let arbitrary = changed(&|c| c.translation *= 40.0);
    let message = Calibration::open(arbitrary.path(), &OpenOptions::default()).expect_err("no unit").to_string();
    assert!(message.contains("cameras 35.992 units") && message.contains("--units"), "asks for the unit: {message}");
    let options = OpenOptions { units: Some(Units(0.025)), ..OpenOptions::default() };
    let rig = Calibration::open(arbitrary.path(), &options).expect("with a unit");
    assert!(distance(&truth, &rig) < 1e-6, "a number of metres");
}
