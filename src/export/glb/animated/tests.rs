//! The file read back by another crate and posed by what it says alone.

use super::super::super::Frame;
use super::*;
use crate::anatomy::Side;
use crate::hand::testing::{bent, model_with_correctives};
use crate::hand::{FineModel, HandModel, open_hand};
use nalgebra::{Matrix4, Quaternion, Vector4};
use std::collections::BTreeMap;
use std::sync::Arc;

fn rest_hand(model: HandModel, level: usize) -> RestHand {
    let parameters = bent(model.side);
    let fine = Arc::new(FineModel::new(Arc::new(model), level));
    let mut posed = fine.pose(&parameters);
    for (i, p) in posed.iter_mut().enumerate() {
        p[1] += 1e-3 * (0.9 * f64::from(u32::try_from(i).expect("small"))).sin();
    }
    RestHand::from_posed(&fine, &posed, &parameters).expect("it fits")
}

fn export_hand(rest: &RestHand) -> ExportHand {
    ExportHand {
        side: rest.side(),
        normals: crate::mesh::vertex_normals(&rest.vertices, rest.faces()),
        positions: rest.vertices.clone(),
        albedo: vec![[0.7, 0.5, 0.4]; rest.vertices.len()],
        faces: rest.faces().to_vec(),
        uvs: rest.uvs().to_vec(),
        uv_faces: rest.uv_faces().to_vec(),
        parameters: Some(rest.captured().clone()),
        model_name: "open".into(),
        model_hash: "abc".into(),
        texture: None,
        relief: None,
        texture_format: crate::export::TextureFormat::default(),
    }
}

/// From flat to a fist, turning and moving.
fn poses(side: Side, count: u32) -> Vec<Pose> {
    let goal = Pose::of(&bent(side));
    (0..count)
        .map(|i| {
            let s = f64::from(i) / f64::from(count - 1);
            Pose {
                global_orient: goal.global_orient.map(|v| v * s),
                hand_pose: goal.hand_pose.map(|v| v * s),
                transl: [0.2 * s, -0.1, 0.05 * s * s],
            }
        })
        .collect()
}

/// The vertices of a hand of the file at a key frame, in the order of the rest hand.
fn play(bytes: &[u8], rest: &RestHand, frame: usize) -> Vec<[f64; 3]> {
    let gltf = gltf::Gltf::from_slice(bytes).expect("a valid GLB");
    let blob = gltf.blob.as_deref().expect("a binary chunk");
    let data = |_: gltf::Buffer<'_>| Some(blob);
    let name = format!("hand_{}", rest.side());
    let node = gltf.nodes().find(|n| n.name() == Some(&*name)).expect("the hand's node");
    let mut local: BTreeMap<usize, ([f32; 3], [f32; 4])> = gltf
        .nodes()
        .map(|n| {
            let (t, r, _) = n.transform().decomposed();
            (n.index(), (t, r))
        })
        .collect();
    let mut weights = node.mesh().and_then(|m| m.weights().map(<[f32]>::to_vec)).unwrap_or_default();
    for channel in gltf.animations().flat_map(|animation| animation.channels().collect::<Vec<_>>()) {
        let reader = channel.reader(data);
        let times: Vec<f32> = reader.read_inputs().expect("times").collect();
        assert!((times[frame] - frame as f32 / 25.0).abs() < 1e-6, "25 frames a second: {times:?}");
        let target = channel.target().node().index();
        match reader.read_outputs().expect("values") {
            gltf::animation::util::ReadOutputs::Translations(t) => {
                local.entry(target).and_modify(|l| l.0 = t.clone().nth(frame).expect("a key"));
            }
            gltf::animation::util::ReadOutputs::Rotations(r) => {
                local.entry(target).and_modify(|l| l.1 = r.into_f32().nth(frame).expect("a key"));
            }
            gltf::animation::util::ReadOutputs::MorphTargetWeights(w) if target == node.index() => {
                let all: Vec<f32> = w.into_f32().collect();
                let count = all.len() / times.len();
                weights = all[frame * count..(frame + 1) * count].to_vec();
            }
            _ => {}
        }
    }
    let matrix = |index: usize| {
        let (t, [x, y, z, w]) = local[&index];
        let q = UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z).cast::<f64>());
        Matrix4::new_translation(&Vector3::from(t.map(f64::from))) * q.to_homogeneous()
    };
    let mut global: BTreeMap<usize, Matrix4<f64>> = BTreeMap::new();
    let mut open: Vec<(gltf::Node<'_>, Matrix4<f64>)> =
        gltf.default_scene().expect("a scene").nodes().map(|n| (n, Matrix4::identity())).collect();
    while let Some((node, parent)) = open.pop() {
        let here = parent * matrix(node.index());
        open.extend(node.children().map(|c| (c, here)));
        global.insert(node.index(), here);
    }
    let skin = node.skin().expect("a skin");
    let bind: Vec<[[f32; 4]; 4]> =
        skin.reader(data).read_inverse_bind_matrices().expect("inverse bind matrices").collect();
    let joints: Vec<Matrix4<f64>> = skin
        .joints()
        .zip(&bind)
        .map(|(j, b)| global[&j.index()] * Matrix4::from_fn(|r, c| f64::from(b[c][r])))
        .collect();
    assert_eq!(joints.len(), JOINTS, "16 joints");
    let primitive = node.mesh().and_then(|m| m.primitives().next()).expect("a primitive");
    let reader = primitive.reader(data);
    let mut positions: Vec<Vector3<f64>> =
        reader.read_positions().expect("positions").map(|p| Vector3::from(p.map(f64::from))).collect();
    for ((offsets, _, _), weight) in reader.read_morph_targets().zip(&weights) {
        for (p, o) in positions.iter_mut().zip(offsets.expect("offsets")) {
            *p += Vector3::from(o.map(f64::from)) * f64::from(*weight);
        }
    }
    let influences: Vec<[u16; 4]> = reader.read_joints(0).expect("JOINTS_0").into_u16().collect();
    let shares: Vec<[f32; 4]> = reader.read_weights(0).expect("WEIGHTS_0").into_f32().collect();
    let indices: Vec<u32> = reader.read_indices().expect("indices").into_u32().collect();
    let mut out = vec![[f64::NAN; 3]; rest.vertices.len()];
    for (corner, &i) in indices.iter().enumerate() {
        let i = i as usize;
        assert!((shares[i].iter().sum::<f32>() - 1.0).abs() < 1e-5, "weights sum to one");
        let v = Vector4::new(positions[i].x, positions[i].y, positions[i].z, 1.0);
        let x: Vector4<f64> =
            influences[i].iter().zip(&shares[i]).map(|(j, w)| joints[usize::from(*j)] * v * f64::from(*w)).sum();
        out[rest.faces()[corner / 3][corner % 3] as usize] = [x.x, x.y, x.z];
    }
    out
}

fn distances_mm(a: &[[f64; 3]], b: &[[f64; 3]]) -> (f64, f64) {
    assert_eq!(a.len(), b.len(), "as many vertices");
    let all: Vec<f64> = a.iter().zip(b).map(|(a, b)| (Vector3::from(*a) - Vector3::from(*b)).norm() * 1e3).collect();
    (all.iter().fold(0.0, |m: f64, d| m.max(*d)), all.iter().sum::<f64>() / all.len() as f64)
}

#[test]
fn the_file_alone_moves_both_hands_as_we_do() {
    let hands = Side::BOTH.map(|side| rest_hand(model_with_correctives(side), 1));
    let exports = hands.each_ref().map(export_hand);
    let tracks = Side::BOTH.map(|side| poses(side, 5));
    let provenance = Provenance { frame: Frame::Pose, notes: Vec::new() };
    for bake in [false, true] {
        let clips: Vec<Clip<'_>> =
            (0..2).map(|i| Clip { hand: &exports[i], rest: &hands[i], poses: &tracks[i], bake }).collect();
        let (bytes, losses) = to_bytes(&clips, 25.0, &provenance, 32).expect("a GLB");
        for (clip, loss) in clips.iter().zip(&losses) {
            let (mut most, mut mean, mut influences) = (0.0, 0.0, 0.0);
            for frame in 0..5 {
                let shown = play(&bytes, clip.rest, frame);
                let d = distances_mm(&shown, &clip.rest.pose(&clip.poses[frame]));
                (most, mean) = (f64::max(most, d.0), mean + d.1 / 5.0);
                if !bake {
                    let plain = clip.rest.pose_without_correctives(&clip.poses[frame]);
                    influences = f64::max(influences, distances_mm(&shown, &plain).0);
                }
            }
            assert!((most - loss.most_mm).abs() < 1e-2, "stated {loss:?}, found {most} mm");
            assert!((mean - loss.mean_mm).abs() < 1e-2, "stated {loss:?}, found {mean} mm");
            if bake {
                assert!(loss.targets > 0 && loss.targets <= 5, "few targets: {loss:?}");
                assert!(loss.most_mm < loss.influences_mm + 0.1, "the rest is influences and tolerance: {loss:?}");
            } else {
                assert!((influences - loss.influences_mm).abs() < 1e-2, "stated {loss:?}, found {influences} mm");
                assert!(loss.most_mm > 1.0, "these made-up correctives cannot be overlooked: {loss:?}");
            }
        }
        let json = String::from_utf8_lossy(&bytes);
        assert!(json.contains("left off at key frames") && json.contains("mm at most"), "the loss is stated");
    }
    // Negative: another frame is not this one.
    let clip = Clip { hand: &exports[1], rest: &hands[1], poses: &tracks[1], bake: true };
    let (bytes, _) = to_bytes(&[clip], 25.0, &provenance, 32).expect("a GLB");
    let wrong = distances_mm(&play(&bytes, &hands[1], 3), &hands[1].pose(&tracks[1][2])).0;
    assert!(wrong > 10.0, "a wrong key frame is noticed: {wrong} mm");
}

#[test]
fn a_rig_without_an_animation_has_the_captured_pose_to_a_micrometre() {
    let rest = rest_hand(model_with_correctives(Side::Left), 1);
    let hand = export_hand(&rest);
    let pose = [Pose::of(&bent(Side::Left))];
    let placement = nalgebra::Rotation3::from_euler_angles(0.3, 2.0, -1.0).to_homogeneous()
        * Matrix4::new_translation(&Vector3::new(0.1, -0.4, 1.0));
    let expected: Vec<[f64; 3]> =
        rest.pose(&pose[0]).iter().map(|p| super::super::super::apply(&placement, *p)).collect();
    let provenance = Provenance { frame: Frame::Gltf, notes: vec![] };
    let shown = |bake: bool| {
        let clip = Clip { hand: &hand, rest: &rest, poses: &pose, bake };
        let (bytes, losses) = rigged(&[clip], &placement, &provenance, 64).expect("a GLB");
        assert_eq!(gltf::Gltf::from_slice(&bytes).expect("valid").animations().count(), 0, "nothing moves");
        (distances_mm(&play(&bytes, &rest, 0), &expected).0, losses[0].most_mm)
    };
    let (exact, stated) = shown(true);
    assert!(exact < 1e-3 && stated < 1e-3, "{exact} mm off, {stated} mm stated");
    let (plain, _) = shown(false);
    assert!(plain > 0.1, "without the morph target it is not: {plain} mm");
    let mano = ExportHand { model_name: "mano".into(), ..hand.clone() };
    let clip = Clip { hand: &mano, rest: &rest, poses: &pose, bake: true };
    let refused = rigged(&[clip], &placement, &provenance, 64).expect_err("not to be passed on");
    assert!(refused.to_string().contains("skin weights"), "{refused}");
}

#[test]
fn a_movement_is_placed_as_a_whole() {
    let rest = rest_hand(open_hand(Side::Right).expect("sound asset"), 0);
    let (hand, poses) = (export_hand(&rest), poses(Side::Right, 3));
    let clips = [Clip { hand: &hand, rest: &rest, poses: &poses, bake: false }];
    let m = nalgebra::Rotation3::from_euler_angles(0.3, 2.0, -1.0).to_homogeneous()
        * Matrix4::new_translation(&Vector3::y());
    let provenance = Provenance { frame: Frame::Gltf, ..Provenance::default() };
    let (bytes, losses) = placed(&clips, 25.0, &m, &provenance, 16).expect("a file");
    for (frame, pose) in poses.iter().enumerate() {
        let wanted: Vec<[f64; 3]> = rest.pose(pose).iter().map(|p| super::super::super::apply(&m, *p)).collect();
        let (most, _) = distances_mm(&play(&bytes, &rest, frame), &wanted);
        assert!(
            most < losses[0].most_mm + 1e-3,
            "frame {frame}: {most} mm, {} of them by four influences",
            losses[0].most_mm
        );
    }
    assert!(losses[0].most_mm < 20.0, "skinning alone is near: {} mm", losses[0].most_mm);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let rest = rest_hand(model_with_correctives(Side::Right), 0);
    let hand = export_hand(&rest);
    let track = poses(Side::Right, 3);
    let refused = |clips: &[Clip<'_>]| to_bytes(clips, 25.0, &Provenance::default(), 32).is_err();
    let clip = |poses| Clip { hand: &hand, rest: &rest, poses, bake: false };
    assert!(!refused(&[clip(&track)]), "the sample is sound");
    assert!(refused(&[clip(&[])]), "no pose");
    assert!(refused(&[clip(&track), clip(&track[..2])]), "two lengths");
    let mut bad = track.clone();
    bad[1].hand_pose[3] = f64::NAN;
    assert!(refused(&[clip(&bad)]), "not a number");
    let coarse = ExportHand { positions: vec![], normals: vec![], albedo: vec![], faces: vec![], ..hand.clone() };
    assert!(refused(&[Clip { hand: &coarse, rest: &rest, poses: &track, bake: false }]), "another mesh");
}
