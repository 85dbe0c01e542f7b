//! Reading captures: a small synthetic FMHR folder, every way it can be broken, and the real capture when it is there.
//!
//! The real capture is looked for in `$THENAR_SHARED`, else in `../shared` beside the package.

use image::{GrayImage, Luma, Rgb, RgbImage};
use npyz::WriterBuilder as _;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use thenar::anatomy::Side;
use thenar::capture::{Capture, Flag, Inspection, MaskVerdict, Npz, ViewReport, inspect};

const WIDTH: u32 = 64;
const HEIGHT: u32 = 48;
const FOCAL: f64 = 100.0;
type Matrix = [f64; 16];

const IDENTITY: Matrix = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];

/// The arrays of a calibration: name, shape, values.
struct Arrays(Vec<(String, Vec<u64>, Vec<f64>)>);

impl Arrays {
    fn of_rig(cameras: u32) -> Self {
        let mut arrays = Vec::new();
        for i in 0..cameras {
            let int = [FOCAL, 0.0, 30.0, 0.0, 0.0, FOCAL, 25.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
            let mut ext = IDENTITY;
            ext[3] = -0.1 * f64::from(i);
            let mut scale = IDENTITY;
            for d in [0, 5, 10] {
                scale[d] = 0.5;
            }
            let named = [("int", int), ("ext", ext), ("world_mat", product(&int, &ext)), ("scale_mat", scale)];
            arrays.extend(named.map(|(name, m)| (format!("{name}_{i}"), vec![4, 4], m.to_vec())));
        }
        Self(arrays)
    }

    fn edit(mut self, key: &str, change: impl FnOnce(&mut Vec<u64>, &mut Vec<f64>)) -> Self {
        let (_, shape, values) = self.0.iter_mut().find(|(name, ..)| name == key).expect("a key of the rig");
        change(shape, values);
        self
    }

    fn without(mut self, key: &str) -> Self {
        self.0.retain(|(name, ..)| name != key);
        self
    }

    fn write(&self, path: &Path) {
        let mut npz = npyz::npz::NpzWriter::create(path).expect("a new archive");
        for (name, shape, values) in &self.0 {
            let mut array = npz
                .array(name, Default::default())
                .expect("a new array")
                .default_dtype()
                .shape(shape)
                .begin_nd()
                .expect("a header");
            array.extend(values.iter().copied()).expect("values");
            array.finish().expect("an end");
        }
    }
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| (0..4).map(|k| a[i / 4 * 4 + k] * b[4 * k + i % 4]).sum())
}

/// A hand of 21 points on a line from `x`, `y` (in −1…1) to the right.
fn hand(x: f64, y: f64) -> Vec<f64> {
    (0..21).flat_map(|i| [x + 0.01 * f64::from(i), y, -0.5]).collect()
}

fn write_pose(path: &Path, left: &[f64], right: &[f64]) {
    fs::write(path, serde_json::json!({"Left": left, "Right": right}).to_string()).expect("a pose file");
}

/// A capture of three views; the name of its folder is not ASCII.
struct Folder {
    _temp: TempDir,
    root: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let temp = TempDir::new().expect("a temporary folder");
        let root = temp.path().join("Hände 手");
        for part in ["camera", "img", "mask", "pose"] {
            fs::create_dir_all(root.join(part)).expect("a folder");
        }
        Arrays::of_rig(3).write(&root.join("camera/param.npz"));
        for i in 0..3 {
            let hand_here = |x: u32, y: u32| (20..50).contains(&x) && (15..33).contains(&y);
            RgbImage::from_fn(WIDTH, HEIGHT, |x, y| Rgb(if hand_here(x, y) { [200, 150, 110] } else { [20, 60, 40] }))
                .save(root.join(format!("img/{i:02}.png")))
                .expect("an image");
            GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([if hand_here(x, y) { 200 } else { 100 }]))
                .save(root.join(format!("mask/{i:02}.png")))
                .expect("a mask");
            write_pose(&root.join(format!("pose/{i:02}.json")), &[], &hand(0.0, 0.0));
        }
        Self { _temp: temp, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn calibrate(&self, arrays: &Arrays) {
        arrays.write(&self.path("camera/param.npz"));
    }

    fn truncate(&self, name: &str) {
        let bytes = fs::read(self.path(name)).expect("a file to cut");
        fs::write(self.path(name), &bytes[..bytes.len() / 2]).expect("a cut file");
    }

    fn open(&self) -> Capture {
        Capture::open(&self.root).expect("a usable capture")
    }

    /// The capture must be refused: the message names the file, holds `words` and ends in a remedy; the folder stays as
    /// it was.
    fn refused(&self, file: &str, words: &[&str]) {
        let before = listing(&self.root);
        let message = Capture::open(&self.root).map(|c| c.views.len()).expect_err("must be refused").to_string();
        let file = file.split('/').fold(self.root.clone(), |path, part| path.join(part)).display().to_string();
        assert!(message.starts_with(&file), "names {file}: {message}");
        for word in words {
            assert!(message.contains(word), "says `{word}`: {message}");
        }
        assert!(message.ends_with('.') && message.contains(". "), "ends with a remedy: {message}");
        assert_eq!(before, listing(&self.root), "nothing is written");
    }
}

/// Every file below a folder with its length.
fn listing(root: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                files.push((entry.path(), entry.metadata().expect("metadata").len()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_sound_folder_is_read() {
    let folder = Folder::new();
    let capture = folder.open();
    assert_eq!((capture.name.as_str(), capture.format), ("Hände 手", "fmhr"), "name and format");
    assert_eq!(capture.warnings, [], "nothing to warn of");
    assert!((capture.metres_per_unit - 0.5).abs() < 1e-12, "scale_mat's scale");
    assert_eq!(capture.views.len(), 3, "three views");
    let view = &capture.views[2];
    assert_eq!(view.name, "02", "the stem of the image");
    assert_eq!((view.camera.width_px, view.camera.height_px), (WIDTH, HEIGHT), "size of the image");
    assert!((view.camera.centre().x - 0.2).abs() < 1e-12, "world_mat alone is metric: scale_mat is not applied");
    assert!((view.camera.focal_px() - FOCAL).abs() < 1e-9, "focal length");
    let mask = view.mask.as_ref().expect("a mask");
    assert_eq!((mask.get_pixel(0, 0).0[0], mask.get_pixel(30, 20).0[0]), (0, 255), "thresholded at 127");
    assert!(view.keypoints[0].is_none(), "an empty list is an unseen hand");
    let px = view.keypoints[1].as_ref().expect("a right hand").px;
    assert!((px[0][0] - 32.0).abs() < 1e-9 && (px[0][1] - 24.0).abs() < 1e-9, "0, 0 is the centre of the image");
    assert!((px[20][0] - 0.5 * 1.2 * 64.0).abs() < 1e-9, "x runs to the right");
    assert_eq!(capture.claimed_sides(), vec![Side::Right], "one hand is claimed");
}

#[test]
fn the_hash_follows_the_content() {
    let folder = Folder::new();
    let first = folder.open().hash;
    assert_eq!(first.len(), 64, "SHA-256 in hexadecimal");
    assert_eq!(first, folder.open().hash, "the same files give the same hash");
    assert_eq!(first, Folder::new().open().hash, "the place of the folder does not matter");
    write_pose(&folder.path("pose/01.json"), &[], &hand(0.01, 0.0));
    assert_ne!(first, folder.open().hash, "a changed keypoint changes it");
}

#[test]
fn jpeg_images_and_a_parent_folder_are_accepted() {
    let folder = Folder::new();
    for i in 0..3 {
        let png = folder.path(&format!("img/{i:02}.png"));
        image::open(&png).expect("an image").save(folder.path(&format!("img/{i:02}.JPG"))).expect("a JPEG");
        fs::remove_file(png).expect("removed");
    }
    let parent = folder.root.parent().expect("a parent");
    assert_eq!(Capture::open(parent).expect("one capture inside").views.len(), 3, "found inside its parent");
    folder.truncate("img/01.JPG");
    folder.refused("img/01.JPG", &["truncated"]);
}

#[test]
fn folders_that_are_no_capture_are_refused() {
    let folder = Folder::new();
    let parent = folder.root.parent().expect("a parent").to_owned();
    let message = |path: &Path| Capture::open(path).map(|c| c.name).expect_err("must be refused").to_string();
    assert!(message(&parent.join("nowhere")).contains("nowhere: there is no such folder. "), "missing folder");
    assert!(message(&folder.path("img/00.png")).contains("is a file"), "a file");
    assert!(message(&folder.path("img")).contains("looked here and one folder deeper for an FMHR"), "no capture");
    fs::create_dir_all(parent.join("second/camera")).expect("a folder");
    fs::copy(folder.path("camera/param.npz"), parent.join("second/camera/param.npz")).expect("a copy");
    assert!(message(&parent).contains("2 captures (Hände 手, second)"), "two captures: {}", message(&parent));
}

#[test]
fn missing_and_extra_files_are_named() {
    let folder = Folder::new();
    fs::remove_file(folder.path("img/01.png")).expect("removed");
    folder.refused("img/01.png", &["camera 1 is missing", "3 cameras", "2 images"]);

    let folder = Folder::new();
    fs::copy(folder.path("img/01.png"), folder.path("img/07.png")).expect("copied");
    folder.refused("img/07.png", &["no camera 7", "3 cameras", "4 images"]);
    fs::rename(folder.path("img/07.png"), folder.path("img/left.png")).expect("renamed");
    folder.refused("img/left.png", &["no camera number"]);
    fs::rename(folder.path("img/left.png"), folder.path("img/1.png")).expect("renamed");
    folder.refused("img/1.png", &["same number as img/01.png"]);

    let folder = Folder::new();
    fs::remove_dir_all(folder.path("img")).expect("removed");
    folder.refused("img", &["images is missing"]);
    let folder = Folder::new();
    fs::remove_dir_all(folder.path("camera")).expect("removed");
    folder.refused("camera/param.npz", &["calibration is missing"]);
}

/// The reader's warnings, one a line.
fn said(capture: &Capture) -> String {
    capture.warnings.iter().map(|warning| format!("{warning}\n")).collect()
}

/// Keypoints can be found in the images, so such a capture opens; what cannot go on without model files says so later.
fn says_that_keypoints_are_missing(folder: &Folder) {
    let capture = folder.open();
    assert!(!capture.has_keypoints(), "it has none");
    let warnings = said(&capture);
    assert!(warnings.contains("no view has keypoints; they are to be found in the images"), "{warnings}");
}

#[test]
fn missing_masks_and_poses_are_warnings() {
    let folder = Folder::new();
    fs::remove_file(folder.path("mask/00.png")).expect("removed");
    fs::remove_file(folder.path("pose/02.json")).expect("removed");
    fs::write(folder.path("pose/09.json"), "{}").expect("written");
    let capture = folder.open();
    assert!(capture.views[0].mask.is_none() && capture.views[1].mask.is_some(), "only the first has no mask");
    let warnings = said(&capture);
    for words in ["mask/00.png: the file is missing", "pose/02.json: the file is missing", "pose/09.json: ignored"] {
        assert!(warnings.contains(words), "warns `{words}`: {warnings}");
    }
    let found = inspect(&capture);
    assert_eq!(found.views[0].mask_verdict, MaskVerdict::Missing, "inspect says so too");
    assert_eq!(found.views[2].flags, vec![Flag::NoRight], "and names the missing detection");
}

#[test]
fn damaged_files_are_refused() {
    for name in ["img/01.png", "mask/02.png", "camera/param.npz", "pose/00.json"] {
        let folder = Folder::new();
        folder.truncate(name);
        folder.refused(name, &[if name.ends_with("npz") { "damaged" } else { "truncated" }]);
        fs::write(folder.path(name), b"").expect("emptied");
        folder.refused(name, &[]);
    }
    // One wrong bit in the data of the first entry, which begin after a header of 30 bytes and the entry's name.
    let folder = Folder::new();
    let mut bytes = fs::read(folder.path("camera/param.npz")).expect("the archive");
    bytes[30 + "int_0.npy".len() + 40] ^= 1;
    fs::write(folder.path("camera/param.npz"), bytes).expect("written");
    folder.refused("camera/param.npz", &["damaged"]);
}

#[test]
fn wrong_arrays_are_refused() {
    let rig = || Arrays::of_rig(3);
    let cases: [(Arrays, &[&str]); 8] = [
        (rig().without("ext_1"), &["no array `ext_1`"]),
        (rig().without("scale_mat_2"), &["no array `scale_mat_2`"]),
        (rig().edit("int_2", |shape, _| *shape = vec![2, 8]), &["`int_2` has shape [2, 8], expected [4, 4]"]),
        (rig().edit("ext_1", |_, m| m[3] = f64::NAN), &["camera 1", "not finite"]),
        (rig().edit("ext_1", |_, m| m[0] = -1.0), &["ext_1 holds no rotation"]),
        (rig().edit("int_0", |_, m| m[0] = 0.0).without("world_mat_0"), &["camera 0", "singular"]),
        (rig().edit("scale_mat_1", |_, m| m[0] = 0.6), &["scale_mat_1 differs"]),
        (Arrays::of_rig(1), &["1 camera", "two views"]),
    ];
    for (arrays, words) in cases {
        let folder = Folder::new();
        folder.calibrate(&arrays);
        folder.refused("camera/param.npz", words);
    }
}

#[test]
fn world_mat_wins_when_the_calibration_contradicts_itself() {
    let folder = Folder::new();
    folder.calibrate(&Arrays::of_rig(3).edit("world_mat_1", |_, m| m[0] *= 1.5));
    let capture = folder.open();
    assert!(capture.warnings[0].to_string().contains("world_mat_1 is not int_1"), "warned: {:?}", capture.warnings);
    assert!((capture.views[1].camera.k[(0, 0)] - 1.5 * FOCAL).abs() < 1e-9, "world_mat is used");
    let mut only_world = Arrays::of_rig(3);
    for i in 0..3 {
        only_world = only_world.without(&format!("int_{i}")).without(&format!("ext_{i}"));
    }
    folder.calibrate(&only_world);
    let capture = folder.open();
    assert!((capture.views[2].camera.centre().x - 0.2).abs() < 1e-9, "world_mat alone is enough");
}

#[test]
fn wrong_sizes_and_keypoints_are_refused() {
    let folder = Folder::new();
    GrayImage::new(WIDTH / 2, HEIGHT).save(folder.path("mask/01.png")).expect("a mask");
    folder.refused("mask/01.png", &["32×48", "64×48", "img/01.png"]);

    let folder = Folder::new();
    write_pose(&folder.path("pose/01.json"), &[], &hand(0.0, 0.0)[..60]);
    folder.refused("pose/01.json", &["right hand has 60 numbers, expected 63"]);
    fs::write(folder.path("pose/01.json"), r#"{"Left": [NaN], "Right": []}"#).expect("written");
    folder.refused("pose/01.json", &["not finite"]);
    fs::write(folder.path("pose/01.json"), r#"{"Left": [1e999], "Right": []}"#).expect("written");
    folder.refused("pose/01.json", &["not finite"]);

    let folder = Folder::new();
    for i in 0..2 {
        write_pose(&folder.path(&format!("pose/{i:02}.json")), &[], &[]);
    }
    folder.refused("pose", &["only view 02 has keypoints", "two usable views"]);
    write_pose(&folder.path("pose/02.json"), &[], &[]);
    says_that_keypoints_are_missing(&folder);
    fs::remove_dir_all(folder.path("pose")).expect("removed");
    says_that_keypoints_are_missing(&folder);

    let folder = Folder::new();
    for i in 0..3 {
        write_pose(&folder.path(&format!("pose/{i:02}.json")), &[], &hand(320.0, 200.0));
    }
    folder.refused("pose", &["far outside", "not in pixels"]);
}

#[test]
fn arrays_of_both_orders_and_precisions_are_read() {
    let temp = TempDir::new().expect("a temporary folder");
    let path = temp.path().join("a.npz");
    let mut npz = npyz::npz::NpzWriter::create(&path).expect("a new archive");
    let mut fortran = npz
        .array("fortran", Default::default())
        .expect("an array")
        .default_dtype()
        .order(npyz::Order::Fortran)
        .shape(&[2, 3])
        .begin_nd()
        .expect("a header");
    fortran.extend([1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0]).expect("values");
    fortran.finish().expect("an end");
    let mut whole = npz
        .array("whole", Default::default())
        .expect("an array")
        .default_dtype()
        .shape(&[1])
        .begin_nd()
        .expect("a header");
    whole.extend([1_i32]).expect("values");
    whole.finish().expect("an end");
    drop(npz);
    let mut npz = Npz::open(&path).expect("an archive");
    assert_eq!(npz.names(), ["fortran", "whole"], "names are sorted");
    let array = npz.array("fortran").expect("an array");
    assert_eq!((array.shape, array.values), (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), "C order in f64");
    let message = npz.array("whole").expect_err("integers are refused").to_string();
    assert!(message.contains("i4") && message.contains("floats"), "says what it holds: {message}");
}

#[test]
fn findings_follow_what_is_changed() {
    let folder = Folder::new();
    let clean = inspect(&folder.open());
    assert!(clean.views.iter().all(|v| v.flags.is_empty()), "a clean capture has no flags: {:?}", clean.views);
    let image = image::open(folder.path("img/01.png")).expect("an image").into_rgb8();
    let flags_with = |change: &dyn Fn([u8; 3]) -> [u8; 3]| {
        let mut changed = image.clone();
        changed.pixels_mut().for_each(|p| p.0 = change(p.0));
        changed.save(folder.path("img/01.png")).expect("an image");
        inspect(&folder.open()).views[1].flags.clone()
    };
    assert_eq!(flags_with(&|c| c.map(|v| v / 2)), vec![Flag::Dark], "half the value is over two stops");
    assert_eq!(flags_with(&|[r, g, b]| [r / 5 * 4, g, b]), vec![Flag::ColourCast], "less red is a cast");
    assert_eq!(flags_with(&|c| c.map(|v| v.saturating_mul(2))), vec![Flag::HandsOverexposed], "clipped skin");
    assert_eq!(flags_with(&|c| c), vec![], "and nothing when nothing is changed");
    write_pose(&folder.path("pose/01.json"), &[], &hand(-0.95, -0.95));
    assert!(inspect(&folder.open()).views[1].flags.contains(&Flag::KeypointsOffMask), "a detection beside the mask");
}

/// The real capture, or `None` said loudly.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn real_capture() -> Option<Capture> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("shared");
    let shared = std::env::var_os("THENAR_SHARED").map_or_else(beside, PathBuf::from);
    let path = shared.join("captures").join("fmhr_capture_room_1");
    if !path.is_dir() {
        eprintln!("skipped: no shared captures ({} does not exist)", path.display());
        return None;
    }
    Some(Capture::open(&path).expect("the real capture opens"))
}

#[test]
fn the_real_capture_is_what_it_is_known_to_be() {
    let Some(capture) = real_capture() else { return };
    assert_eq!(capture.warnings, [], "the folder is complete and consistent");
    assert_eq!(capture.views.len(), 16, "16 views");
    assert!((capture.metres_per_unit - 0.639).abs() < 5e-4, "scale 0.639, got {}", capture.metres_per_unit);
    assert!(capture.views.iter().all(|v| v.image.dimensions() == (1280, 1024)), "all 1280×1024");
    assert!(capture.views[0].camera.centre().norm() < 1e-12, "the world is camera 0's frame");
    assert_eq!(capture.claimed_sides(), Side::BOTH.to_vec(), "both hands");

    let found = inspect(&capture);
    eprintln!("{}", found.to_text());
    let with = |test: &dyn Fn(&ViewReport) -> bool| (0..16).filter(|&i| test(&found.views[i])).collect::<Vec<usize>>();
    let flagged = |flag: Flag| with(&|v| v.flags.contains(&flag));
    assert_eq!(with(&|v| v.mask_verdict == MaskVerdict::NearlyEmpty), [1, 2, 13], "masks nearly empty");
    assert_eq!(with(&|v| v.mask_verdict == MaskVerdict::Noisy), [15], "mask noisy");
    let cut = with(&|v| v.mask_verdict == MaskVerdict::PartlyCut);
    assert_eq!(cut, [0, 4, 5, 11, 12, 14], "masks partly cut, as the pictures show");
    assert_eq!(flagged(Flag::NoRight), [1, 2], "right hand not detected");
    assert_eq!(flagged(Flag::NoLeft), [3, 8, 13, 14], "left hand not detected");
    assert_eq!(flagged(Flag::ColourCast), [13], "the green camera");
    assert!([2, 11].iter().all(|i| flagged(Flag::Overexposed).contains(i)), "2 and 11 are overexposed");

    let json = serde_json::to_string(&found).expect("the report is JSON");
    assert_eq!(serde_json::from_str::<Inspection>(&json).expect("and reads back").views.len(), 16, "all views in JSON");
}
