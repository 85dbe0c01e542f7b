//! A synthetic scene as an FMHR capture folder with its answer beside it.
//!
//! `camera/param.npz` (`int_i`, `ext_i`, `world_mat_i` = int·ext, one common `scale_mat_i`), `img/NN.png`, `mask/NN.png`,
//! `pose/NN.json`, and `ground_truth/` with `mesh_<side>.ply`, `hand_<side>.npz`, `joints.json`, `light.json`.

use super::fmhr::{add_camera, pose_numbers, rows};
use super::joints::{Joints, write_json};
use super::npz::Npz;
use super::{ExportError, ExportHand, Provenance, atomic, npz, ply};
use crate::anatomy::Side;
use crate::capture::{Keypoints, View};
use crate::synthetic::{SyntheticScene, UNIT_M};
use nalgebra::{Matrix4, Vector3};
use serde::Serialize;
use std::path::Path;

/// One view's detections as FMHR writes them: 63 numbers a hand (x, y in −1..1 over the image, a third unused), or none.
#[derive(Serialize)]
struct Pose {
    #[serde(rename = "Left")]
    left: Vec<f64>,
    #[serde(rename = "Right")]
    right: Vec<f64>,
}

/// `ground_truth/light.json`.
#[derive(Serialize)]
struct Light<'a> {
    /// The nine coefficients, world space.
    coefficients: [f64; 9],
    /// What they multiply.
    basis: [&'static str; 9],
    frame: &'static str,
    /// RGB gain by view name.
    gains: Vec<(&'a str, [f64; 3])>,
    swapped_views: Vec<&'a str>,
    /// View, true side, keypoint.
    outliers: Vec<(&'a str, Side, usize)>,
    seed: u64,
    noise_px: f64,
}

/// Writes the scene into `folder`, which must be new or empty.
///
/// # Errors
/// [`ExportError::NotEmpty`], [`ExportError::Io`] or [`ExportError::Encode`]. What was written before an error stays; every
/// file in it is whole.
pub fn write_scene(scene: &SyntheticScene, folder: &Path) -> Result<(), ExportError> {
    atomic::create_empty_folder(folder)?;
    for name in ["camera", "img", "mask", "pose", "ground_truth"] {
        atomic::create_empty_folder(&folder.join(name))?;
    }
    for view in &scene.capture.views {
        atomic::write(&folder.join(format!("img/{}.png", view.name)), &atomic::png_bytes(&view.image)?)?;
        if let Some(mask) = &view.mask {
            atomic::write(&folder.join(format!("mask/{}.png", view.name)), &atomic::png_bytes(mask)?)?;
        }
        write_json(&folder.join(format!("pose/{}.json", view.name)), &pose(view))?;
    }
    atomic::write(&folder.join("camera/param.npz"), &cameras(scene).to_bytes()?)?;
    write_truth(scene, &folder.join("ground_truth"))
}

fn write_truth(scene: &SyntheticScene, folder: &Path) -> Result<(), ExportError> {
    let notes = vec![("synthetic".to_owned(), format!("seed {}", scene.settings.seed))];
    let provenance = Provenance { notes, ..Provenance::default() };
    let mut joints = [None, None];
    for hand in &scene.hands {
        let side = hand.side;
        joints[side.index()] = Some(hand.joints);
        ply::write(&folder.join(format!("mesh_{side}.ply")), &ExportHand::from(hand), &provenance)?;
        npz::write(&folder.join(format!("hand_{side}.npz")), &hand.parameters, &hand.model, &hand.joints)?;
    }
    write_json(&folder.join("joints.json"), &Joints::new(joints))?;
    let name = |v: usize| scene.capture.views[v].name.as_str();
    let light = Light {
        coefficients: scene.light,
        basis: ["1", "ny", "nz", "nx", "nx*ny", "ny*nz", "2nz^2-nx^2-ny^2", "nz*nx", "nx^2-ny^2"],
        frame: "capture",
        gains: scene.gains.iter().enumerate().map(|(v, &g)| (name(v), g)).collect(),
        swapped_views: scene.swapped_views.iter().map(|&v| name(v)).collect(),
        outliers: scene.outliers.iter().map(|&(v, side, k)| (name(v), side, k)).collect(),
        seed: scene.settings.seed,
        noise_px: scene.settings.noise_px,
    };
    write_json(&folder.join("light.json"), &light)
}

fn pose(view: &View) -> Pose {
    let size_px = [f64::from(view.camera.width_px), f64::from(view.camera.height_px)];
    let numbers = |keypoints: &Option<Keypoints>| -> Vec<f64> {
        keypoints.as_ref().map_or_else(Vec::new, |k| pose_numbers(&k.px, size_px))
    };
    Pose { left: numbers(&view.keypoints[0]), right: numbers(&view.keypoints[1]) }
}

/// The arrays of `param.npz`: doubles, and the scale as floats like the real capture's.
#[expect(clippy::cast_possible_truncation, reason = "the format's scale matrix is made of floats")]
fn cameras(scene: &SyntheticScene) -> Npz {
    let mut npz = Npz::default();
    let mut scale = Matrix4::identity() * UNIT_M;
    scale[(3, 3)] = 1.0;
    scale.fixed_view_mut::<3, 1>(0, 3).copy_from(&Vector3::from(scene.centre()));
    let scale: Vec<f32> = rows(&scale).into_iter().map(|v| v as f32).collect();
    for (i, view) in scene.capture.views.iter().enumerate() {
        let camera = &view.camera;
        add_camera(&mut npz, i, &camera.k, &camera.rotation, &camera.translation);
        npz.f32s(&format!("scale_mat_{i}"), &[4, 4], &scale);
    }
    npz
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::joints;
    use crate::synthetic::{SynthSettings, make};

    #[test]
    fn the_folder_is_complete_and_a_second_one_is_identical() {
        let settings = SynthSettings { views: 2, size: (160, 128), level: 1, swaps: 1, ..SynthSettings::default() };
        let scene = make(&settings).expect("a scene");
        let root = tempfile::tempdir().expect("a folder");
        let (a, b) = (root.path().join("a"), root.path().join("b"));
        write_scene(&scene, &a).expect("written");
        write_scene(&make(&settings).expect("a scene"), &b).expect("written");
        let files = [
            "camera/param.npz",
            "img/00.png",
            "img/01.png",
            "mask/00.png",
            "mask/01.png",
            "pose/00.json",
            "pose/01.json",
            "ground_truth/mesh_left.ply",
            "ground_truth/mesh_right.ply",
            "ground_truth/hand_left.npz",
            "ground_truth/hand_right.npz",
            "ground_truth/joints.json",
            "ground_truth/light.json",
        ];
        for file in files {
            let (x, y) = (std::fs::read(a.join(file)).expect(file), std::fs::read(b.join(file)).expect(file));
            assert!(x == y, "{file} is the same both times");
        }
        assert!(matches!(write_scene(&scene, &a), Err(ExportError::NotEmpty { .. })), "a folder in use is refused");
        let mesh = ply::read(&a.join("ground_truth/mesh_right.ply")).expect("read");
        assert_eq!(mesh.positions, scene.hands[1].positions, "the surface reads back exactly");
        let truth = joints::read(&a.join("ground_truth/joints.json")).expect("read");
        for (side, hand) in truth.sides().iter().zip(&scene.hands) {
            let read = side.expect("both hands");
            // serde_json's fast float parser may miss the last bit.
            let same = read.iter().flatten().zip(hand.joints.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-15);
            assert!(same, "so do the joints of the {} hand", hand.side);
        }
        let (parameters, _) = npz::read(&a.join("ground_truth/hand_left.npz"), Side::Left).expect("read");
        assert_eq!(parameters, scene.hands[0].parameters, "and the parameters");
    }

    #[test]
    fn the_normalised_projection_sees_the_joints_where_the_keypoints_are() {
        let settings = SynthSettings { views: 3, size: (160, 128), level: 0, ..SynthSettings::default() };
        let scene = make(&settings).expect("a scene");
        let bytes = cameras(&scene).to_bytes().expect("bytes");
        let mut archive = npyz::npz::NpzArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
        let world = archive.by_name("world_mat_2").expect("readable").expect("present");
        let world = Matrix4::from_row_slice(&world.into_vec::<f64>().expect("doubles"));
        let scale = archive.by_name("scale_mat_2").expect("readable").expect("present");
        let scale: Vec<f64> = scale.into_vec::<f32>().expect("floats").into_iter().map(f64::from).collect();
        let scale = Matrix4::from_row_slice(&scale);
        let normalised = scale.try_inverse().expect("a similarity");
        for hand in &scene.hands {
            let text = serde_json::to_value(pose(&scene.capture.views[2])).expect("JSON");
            let numbers = &text[if hand.side == Side::Left { "Left" } else { "Right" }];
            for (k, &joint) in hand.joints.iter().enumerate() {
                let x = normalised * Vector3::from(joint).push(1.0);
                let h = world * scale * x;
                let (u, v) = (2.0 * h.x / h.z / 160.0 - 1.0, 2.0 * h.y / h.z / 128.0 - 1.0);
                let at = |i: usize| numbers[3 * k + i].as_f64().expect("a number");
                assert!((at(0) - u).abs() < 1e-6 && (at(1) - v).abs() < 1e-6, "keypoint {k} of {}", hand.side);
            }
        }
    }
}
