//! A rig with images of two sizes and a calibration in millimetres goes the whole way: inspected, converted, reconstructed,
//! and evaluated as it was opened.

use super::common::{call, empty_folder, gpu};
use super::{distance, rig};
use image::imageops::crop_imm;
use nalgebra::Vector3;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use thenar::capture::{Calibration, OpenOptions, RigCamera, View};
use thenar::synthetic::{self, SynthHands, SynthSettings, SyntheticScene};

const SIZE: (u32, u32) = (320, 256);
/// Corner and size of the part that is left of every second view.
const PART: [u32; 4] = [24, 10, 283, 239];

fn cropped(view: &View) -> View {
    let [x, y, width, height] = PART;
    let mut keypoints = view.keypoints.clone();
    for px in keypoints.iter_mut().flatten().flat_map(|k| &mut k.px) {
        *px = [px[0] - f64::from(x), px[1] - f64::from(y)];
    }
    View {
        name: view.name.clone(),
        camera: view.camera.cropped(x, y, width, height),
        image: crop_imm(&view.image, x, y, width, height).to_image(),
        mask: view.mask.as_ref().map(|m| crop_imm(m, x, y, width, height).to_image()),
        keypoints,
    }
}

/// The scene as a nerfstudio capture in millimetres, every second view smaller; its rig in metres.
fn write(scene: &SyntheticScene, root: &Path) -> Calibration {
    for folder in ["images", "masks", "keypoints"] {
        fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    let views: Vec<View> =
        scene.capture.views.iter().enumerate().map(|(i, v)| if i % 2 == 1 { cropped(v) } else { v.clone() }).collect();
    let mut cameras = Vec::new();
    for view in &views {
        view.image.save(root.join(format!("images/{}.png", view.name))).expect("an image");
        view.mask.as_ref().expect("a mask").save(root.join(format!("masks/{}.png", view.name))).expect("a mask");
        let points = |side: usize| view.keypoints[side].as_ref().map(|k| k.px.to_vec());
        let text = json!({ "unit": "px", "left": points(0), "right": points(1) }).to_string();
        fs::write(root.join(format!("keypoints/{}.json", view.name)), text).expect("keypoints");
        cameras.push(RigCamera {
            name: view.name.clone(),
            k: view.camera.k,
            lens: thenar::capture::Lens::Pinhole,
            size_px: Some(view.image.dimensions()),
            rotation: view.camera.rotation,
            translation: view.camera.translation,
            image: Some(format!("images/{}.png", view.name)),
            mask: Some(format!("masks/{}.png", view.name)),
        });
    }
    let metric = rig(cameras);
    let mut millimetres = metric.clone();
    millimetres.cameras.iter_mut().for_each(|c| c.translation *= 1000.0);
    fs::write(root.join("transforms.json"), millimetres.to_transforms().expect("written")).expect("written");
    metric
}

#[test]
fn a_rig_of_two_sizes_in_millimetres_is_reconstructed() {
    if gpu().is_none() {
        return;
    }
    let settings =
        SynthSettings { hands: SynthHands::Right, views: 6, size: SIZE, seed: 5, ..SynthSettings::default() };
    let scene = synthetic::make(&settings).expect("a scene");
    let folder = empty_folder("two_sizes");
    let (room, run) = (folder.join("room"), folder.join("run"));
    let metric = write(&scene, &room);

    let report = call("inspect {}", &[&room]).expect(0);
    for words in ["320×256", "283×239", "read as  format: transforms (found by transforms.json)", "read as  unit: mm ("]
    {
        assert!(report.contains(words), "`{words}` in {report}");
    }

    for (to, input) in [("colmap", "colmap"), ("fmhr", "fmhr/camera"), ("opencv", "opencv")] {
        call(&format!("convert-calib {{}} {{}} --to {to} --units mm"), &[&room, &folder.join(input)]).expect(0);
        let back = Calibration::open(&folder.join(to), &OpenOptions::default()).expect("readable");
        assert!(distance(&metric, &back) < 1e-6, "{to}: off by {} px", distance(&metric, &back));
    }
    call("convert-calib {} {} --to opencv", &[&room, &folder.join("opencv")]).refused(2, &["exists already"]);
    call("convert-calib {} {}", &[&room.join("transforms.json"), &folder.join("rig.fbx")]).refused(2, &["--to"]);

    let settings = "--preset draft --set ham.level=0 --set ham.image_divisor=1 --set ham.albedo_epochs=1 --set ham.shape_epochs=1 \
         --set ham.colour_epochs=1";
    let words = format!("reconstruct {{}} -o {{}} --progress none --units mm {settings}");
    call(&words, &[&room, &run]).expect(0);
    let joints: Value = serde_json::from_slice(&fs::read(run.join("joints.json")).expect("joints")).expect("JSON");
    let mut sum = 0.0;
    for (found, truth) in joints["right"].as_array().expect("21 joints").iter().zip(&scene.hands[0].joints) {
        let found = Vector3::from_column_slice(&super::numbers(found));
        sum += (found - Vector3::from(*truth)).norm() / 21.0;
    }
    assert!(sum < 1.5e-3, "joints are metric and right: {} mm in the mean", 1e3 * sum);
    let record = fs::read_to_string(run.join("run.ron")).expect("the record");
    assert!(record.contains("units:Some") || record.contains("units: Some"), "the run remembers the unit: {record}");
    let evaluation: Value = serde_json::from_str(&call("evaluate {} --json", &[&run]).expect(0)).expect("JSON");
    let iou = evaluation["views"].as_array().expect("views").iter().map(|v| v["iou"].as_f64().unwrap_or(0.0));
    let ious: Vec<f64> = iou.collect();
    assert!(ious.len() == 6 && ious.iter().all(|iou| *iou > 0.7), "both sizes overlap their masks: {ious:?}");
}
