//! Captures with the calibrations of other programs: images, masks and keypoints around them.

use super::{case, copy_folder, data, rig, ring};
use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use nalgebra::{Vector2, Vector3};
use serde_json::json;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use thenar::capture::{Calibration, Capture, CaptureError, Format, Lens, OpenOptions, inspect};
use thenar::export::{CalibrationFormat, calibration_files};

/// Where the keypoints of the test hands lie in the world.
fn keypoint(k: usize) -> Vector3<f64> {
    #[expect(clippy::cast_precision_loss, reason = "21 keypoints")]
    let k = k as f64;
    Vector3::new(0.01 * (k - 10.0), 0.02 * (0.9 * k).sin(), 0.02 * (0.5 * k).cos())
}

/// A capture around a rig: smooth pictures, a mask at the keypoints, keypoints in distorted pixels.
pub(super) fn write_capture(root: &Path, rig: &Calibration, format: CalibrationFormat) {
    fs::create_dir_all(root.join("images")).expect("a folder");
    fs::create_dir_all(root.join("masks")).expect("a folder");
    fs::create_dir_all(root.join("keypoints")).expect("a folder");
    for (name, bytes) in calibration_files(rig, format).expect("written") {
        fs::write(root.join(name), bytes).expect("written");
    }
    for camera in &rig.cameras {
        let (width, height) = camera.size_px.expect("a size");
        let file = camera.image.clone().expect("an image");
        #[expect(clippy::cast_possible_truncation, reason = "bytes")]
        RgbImage::from_fn(width, height, |x, y| Rgb([(x / 4) as u8, (y / 4) as u8, 90]))
            .save(root.join(&file))
            .expect("an image");
        let px: Vec<Vector2<f64>> = (0..21).map(|k| camera.project(&keypoint(k)).expect("seen")).collect();
        let mask = GrayImage::from_fn(width, height, |x, y| {
            let at = Vector2::new(f64::from(x) + 0.5, f64::from(y) + 0.5);
            Luma([if px.iter().any(|p| (p - at).norm() < 8.0) { 255 } else { 0 }])
        });
        mask.save(root.join(format!("masks/{}.png", camera.name))).expect("a mask");
        let points: Vec<[f64; 3]> = px.iter().map(|p| [p.x, p.y, 0.8]).collect();
        let text = json!({ "unit": "px", "left": null, "right": points }).to_string();
        fs::write(root.join(format!("keypoints/{}.json", camera.name)), text).expect("keypoints");
    }
}

fn lenses() -> [Lens; 4] {
    [
        Lens::Pinhole,
        Lens::from_opencv(&[-0.25, 0.06, 0.001, -0.002]).expect("a barrel"),
        Lens::from_opencv(&[0.15, -0.02, 0.001, 0.001, 0.02]).expect("a cushion"),
        Lens::Fisheye([0.05, -0.01, 0.004, -0.001]),
    ]
}

#[test]
fn distortion_is_undone_in_every_format_that_holds_it() {
    for format in [
        CalibrationFormat::Colmap,
        CalibrationFormat::ColmapText,
        CalibrationFormat::Transforms,
        CalibrationFormat::OpenCvYaml,
        CalibrationFormat::Scene,
    ] {
        let temp = TempDir::new().expect("a temporary folder");
        write_capture(temp.path(), &rig(ring(&lenses(), 0.8)), format);
        let capture = Capture::open(temp.path()).unwrap_or_else(|e| panic!("{format:?}: {e}"));
        assert_eq!(capture.views.len(), 4, "{format:?}: all views");
        assert!(capture.inferences.iter().any(|i| i.what == "lens" && i.value.contains("undone")), "{format:?}: said");
        for view in &capture.views {
            let hand = view.keypoints[1].as_ref().expect("a right hand");
            assert!(view.keypoints[0].is_none() && hand.confidence == [0.8; 21], "{format:?}: sides and confidence");
            let mask = view.mask.as_ref().expect("a mask");
            for k in 0..21 {
                let straight = view.camera.project(&keypoint(k)).expect("in front");
                let off = (straight - Vector2::from(hand.px[k])).norm();
                assert!(off < 1e-5, "{format:?} view {}: keypoint {k} is off by {off} px of a pinhole", view.name);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the image")]
                let (x, y) = (straight.x as u32, straight.y as u32);
                assert_eq!(mask.get_pixel(x, y).0[0], 255, "{format:?} view {}: the mask follows", view.name);
            }
        }
        let report = inspect(&capture).to_text();
        assert!(
            report.contains("read as  lens: ") && report.contains("read as  unit: m ("),
            "inspect says so: {report}"
        );
    }
}

#[test]
fn views_may_differ_in_size_and_files_in_kind() {
    let temp = TempDir::new().expect("a temporary folder");
    // A path of more than 260 characters with letters of several scripts.
    let mut root = temp.path().join("Hände 手 の キャプチャ");
    for _ in 0..4 {
        root.push("a rather long name of a folder that goes on and on until paths are long");
    }
    let mut cameras = ring(&[Lens::Pinhole; 4], 0.9);
    cameras[2].size_px = Some((500, 430));
    cameras[1].name = "caméra 左".into();
    cameras[1].image = Some("images/caméra 左.png".into());
    write_capture(&root, &rig(cameras), CalibrationFormat::Scene);
    // 16-bit, alpha instead of a mask, JPEG.
    let deep: ImageBuffer<Rgb<u16>, Vec<u16>> = ImageBuffer::from_pixel(640, 480, Rgb([0x8000, 0x4000, 0xffff]));
    deep.save(root.join("images/00.png")).expect("a 16-bit image");
    fs::remove_file(root.join("masks/02.png")).expect("removed");
    let alpha = RgbaImage::from_fn(500, 430, |x, _| Rgba([9, 8, 7, if x < 250 { 255 } else { 20 }]));
    alpha.save(root.join("images/02.png")).expect("an image with alpha");
    RgbImage::from_pixel(640, 480, Rgb([200, 100, 50])).save(root.join("images/03.jpg")).expect("a JPEG");
    fs::remove_file(root.join("images/03.png")).expect("removed");
    let text = fs::read_to_string(root.join("scene.ron")).expect("the scene").replace("images/03.png", "images/03");
    fs::write(root.join("scene.ron"), text).expect("written");

    assert!(root.as_os_str().len() > 260, "a long path");
    let capture = Capture::open(&root).expect("all of it opens");
    let sizes: Vec<(u32, u32)> = capture.views.iter().map(|v| v.image.dimensions()).collect();
    assert_eq!(sizes, [(640, 480), (640, 480), (500, 430), (640, 480)], "two sizes in one rig");
    assert!(
        capture.views.iter().all(|v| (v.camera.width_px, v.camera.height_px) == v.image.dimensions()),
        "cameras too"
    );
    assert_eq!(capture.views[0].image.get_pixel(5, 5).0, [128, 64, 255], "16 bits become 8");
    assert_eq!(capture.views[1].name, "caméra 左", "names keep their letters");
    let mask = capture.views[2].mask.as_ref().expect("alpha is a mask");
    assert_eq!((mask.get_pixel(10, 10).0[0], mask.get_pixel(400, 10).0[0]), (255, 0), "opaque = hand");
    assert!(capture.views[3].image.get_pixel(9, 9).0[0].abs_diff(200) < 4, "the JPEG was found without its ending");

    let text = fs::read_to_string(root.join("scene.ron")).expect("the scene").replace("(500, 430)", "(640, 480)");
    fs::write(root.join("scene.ron"), text).expect("written");
    let message = Capture::open(&root).map(|c| c.views.len()).expect_err("another size").to_string();
    assert!(
        message.contains("images/02.png") && message.contains("500×430") && message.contains("640×480"),
        "{message}"
    );
}

#[test]
fn several_calibrations_must_be_chosen_from() {
    let temp = TempDir::new().expect("a temporary folder");
    let rig = rig(ring(&[Lens::Pinhole; 3], 0.9));
    write_capture(temp.path(), &rig, CalibrationFormat::Scene);
    write_capture(temp.path(), &rig, CalibrationFormat::Transforms);
    let error = Capture::open(temp.path()).map(|c| c.views.len()).expect_err("two calibrations");
    let message = error.to_string();
    assert!(matches!(error, CaptureError::Ambiguous { .. }), "a type of its own: {message}");
    for words in ["transforms (found by transforms.json)", "scene (found by scene.ron)", "--format"] {
        assert!(message.contains(words), "says `{words}`: {message}");
    }
    let open =
        |format| Capture::open_with(temp.path(), &OpenOptions { format: Some(format), ..OpenOptions::default() });
    for format in [Format::Scene, Format::Transforms] {
        let capture = open(format).expect("chosen");
        assert_eq!(capture.format, format.name(), "as chosen");
        assert_eq!(capture.options.format, Some(format), "and it is remembered");
    }
    assert_ne!(open(Format::Scene).expect("a").hash, open(Format::Transforms).expect("b").hash, "other inputs");
    let message = open(Format::Kalibr).map(|c| c.views.len()).expect_err("not there").to_string();
    assert!(message.contains("no calibration of the format kalibr, but: "), "{message}");
}

#[test]
fn sequences_need_an_instant() {
    let temp = TempDir::new().expect("a temporary folder");
    let root = temp.path();
    copy_folder(&data().join("easymocap"), root);
    for (camera, folder) in [("00", "00"), ("01", "01"), ("10", "10")] {
        for frame in ["000000", "000007"] {
            let image = root.join("images").join(folder);
            fs::create_dir_all(&image).expect("a folder");
            RgbImage::new(640, 480).save(image.join(format!("{frame}.jpg"))).expect("an image");
            fs::create_dir_all(root.join("keypoints").join(camera)).expect("a folder");
            let x = if frame == "000007" { 77.0 } else { 11.0 };
            let text = json!({ "unit": "px", "right": vec![[x, 20.0]; 21] }).to_string();
            fs::write(root.join(format!("keypoints/{camera}/{frame}.json")), text).expect("keypoints");
        }
    }
    let x = |capture: &Capture| capture.views[2].keypoints[1].as_ref().expect("a hand").confidence[0];
    let first = Capture::open(root).expect("the first instant");
    let said = first.inferences.iter().find(|i| i.what == "frame").expect("said");
    assert!(said.value == "000000" && said.reason.contains("first of 2"), "{said}");
    assert!((x(&first) - 1.0).abs() < f64::EPSILON, "no confidence means sure");
    let options = |frame: &str| OpenOptions { frame: Some(frame.into()), ..OpenOptions::default() };
    let chosen = Capture::open_with(root, &options("7")).expect("the other");
    assert!(chosen.inferences.iter().any(|i| i.what == "frame" && i.value == "000007"), "{:?}", chosen.inferences);
    let message = Capture::open_with(root, &options("8")).map(|c| c.views.len()).expect_err("none").to_string();
    assert!(message.contains("2 frames in common (000000, 000007"), "{message}");

    // InterHand2.6M: two sequences, one must be named.
    let temp = TempDir::new().expect("a temporary folder");
    let root = case("interhand", &temp);
    let rig = Calibration::open(&root, &OpenOptions::default()).expect("one sequence");
    assert!(rig.cameras.iter().all(|c| c.size_px == Some((8, 12))), "sizes from the images");
    copy_folder(&root.join("images/test/Capture0/0000_neutral"), &root.join("images/test/Capture0/0001_fist"));
    let message = Calibration::open(&root, &OpenOptions::default()).expect_err("two sequences").to_string();
    assert!(
        message.contains("2 sequences") && message.contains("0001_fist") && message.contains("--frame"),
        "{message}"
    );
    let rig = Calibration::open(&root, &options("0001_fist/image100")).expect("named");
    assert!(rig.cameras[0].image.as_ref().is_some_and(|i| i.contains("0001_fist/cam400260/image100.jpg")), "that one");
}

#[test]
fn what_is_missing_is_named() {
    let temp = TempDir::new().expect("a temporary folder");
    let rig = rig(ring(&[Lens::Pinhole; 3], 0.9));
    write_capture(temp.path(), &rig, CalibrationFormat::ColmapText);
    let message = || Capture::open(temp.path()).map(|c| c.views.len()).expect_err("must be refused").to_string();
    let wrong = [
        (r#"{"unit": "px", "rigth": []}"#, "unknown field `rigth`"),
        (r#"{"unit": "mm"}"#, "unit of the keypoints is `mm`"),
        (r#"{"unit": "px", "left": [[1, 2]]}"#, "left hand is not 21"),
    ];
    for (text, words) in wrong {
        fs::write(temp.path().join("keypoints/01.json"), text).expect("written");
        assert!(message().contains("keypoints/01.json") && message().contains(words), "{}", message());
    }
    fs::remove_dir_all(temp.path().join("keypoints")).expect("removed");
    let warnings = Capture::open(temp.path()).expect("keypoints are found in the images").warnings;
    assert!(warnings.iter().any(|w| w.to_string().contains("no view has keypoints")), "{warnings:?}");
    fs::remove_file(temp.path().join("images/01.png")).expect("removed");
    assert!(message().contains("no image for camera 01") && message().contains("images/01.png"), "{}", message());
    let text = fs::read_to_string(temp.path().join("images.txt"))
        .expect("images")
        .replace("images/", "a/same.png ")
        .replace(".png\n", "\n");
    fs::write(
        temp.path().join("images.txt"),
        text.replace("a/same.png 00", "a/same.png")
            .replace("a/same.png 01", "b/same.png")
            .replace("a/same.png 02", "c/same.png"),
    )
    .expect("written");
    fs::copy(temp.path().join("images/00.png"), temp.path().join("images/same.png")).expect("copied");
    assert!(
        message().contains("images/same.png") && message().contains("camera a_same and of camera b_same"),
        "{}",
        message()
    );
    fs::write(temp.path().join("cameras.txt"), "1 FOV 640 480 1 2 3 4 5\n").expect("written");
    assert!(message().contains("`FOV`, which is not supported"), "{}", message());
}
