//! A hand that moves or can be moved: skinned mesh, 16 joints, key frames or one pose, and, when asked for, pose correctives as morph targets.
//!
//! The joint tree is the model's. Rest vertices and joints are scaled beforehand, so that with joint transforms
//! `T(p_j) R_j` and inverse bind matrices `T(−J_j)` glTF's skinning is the model's: `x = Σ w_j (R_j (v − J_j) + p_j) + t`; the
//! translation is that of the root joint. Rotations are slerped between key frames, as viewers do.
//!
//! Viewers take four influences a vertex, so the four largest weights are kept and renormalised. What that and missing
//! correctives cost is measured over all frames and stated in the file's extras. Morph targets are added before skinning,
//! as correctives are: a few offsets ([`CorrectiveModes`]) with weights that follow the pose.

use super::super::{ExportError, ExportHand, Provenance, atomic};
use super::builder::{Builder, floats};
use crate::anatomy::{JOINT_NAMES, JOINT_PARENTS, JOINTS};
use crate::hand::{CorrectiveModes, Pose, RestHand};
use gltf_json as json;
use json::mesh::Semantic;
use json::validation::Checked;
use nalgebra::{Matrix3, Matrix4, UnitQuaternion, Vector3};
use std::path::Path;

/// Influences a vertex.
const INFLUENCES: usize = 4;
/// Key frames at which the loss is measured, spread over all.
const MEASURED: usize = 24;

/// One hand with its key poses.
#[derive(Debug)]
pub struct Clip<'a> {
    /// Colours, UVs and names; its positions are not used.
    pub hand: &'a ExportHand,
    /// The hand at rest, at the level of `hand`.
    pub rest: &'a RestHand,
    /// One pose a key frame.
    pub poses: &'a [Pose],
    /// Carry pose correctives as morph targets.
    pub bake: bool,
}

/// Distances between what the file shows at its key frames and [`RestHand::pose`], millimetres; over 24 frames, spread from
/// the first to the last, where there are more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// Largest distance of a vertex.
    pub most_mm: f64,
    /// Mean over vertices and frames.
    pub mean_mm: f64,
    /// Largest distance that four influences alone make.
    pub influences_mm: f64,
    /// Morph targets in the file.
    pub targets: usize,
}

/// What a clip needs beyond the mesh.
struct Rig {
    influences: Vec<[(u8, f64); INFLUENCES]>,
    modes: Vec<Vec<[f64; 3]>>,
    mode_weights: Vec<Vec<f64>>,
}

/// A blend of joint rotations whose inverse is larger than this has lost a direction.
const LARGEST_INVERSE: f64 = 20.0;

impl Rig {
    /// The rig whose first pose is exact: one morph target of weight 1 carries the pose's correctives and what the influences
    /// that were left out would have done.
    fn exact(clip: &Clip<'_>) -> Self {
        let rest = clip.rest;
        let influences: Vec<_> = (0..rest.vertices.len()).map(|v| rest.weights().largest(v)).collect();
        let pose = &clip.poses[0];
        let (frames, wanted) = (rest.frames(pose), rest.pose(pose));
        let correctives = rest.corrective_offsets(pose);
        let (s, t) = (rest.captured().scale, Vector3::from(pose.transl));
        let mode = (0..rest.vertices.len())
            .map(|i| {
                let mut blend = Matrix3::zeros();
                let mut offset = Vector3::zeros();
                for (joint, weight) in influences[i].iter().filter(|(_, w): &&(u8, f64)| *w != 0.0) {
                    let j = usize::from(*joint);
                    blend += frames.rotation[j] * *weight;
                    offset += (frames.position[j] - frames.rotation[j] * Vector3::from(rest.joints()[j])) * *weight;
                }
                let x = (Vector3::from(wanted[i]) - t) / s;
                let back = blend.try_inverse().filter(|b| b.norm() <= LARGEST_INVERSE).map(|b| b * (x - offset));
                let known = || correctives.as_ref().map_or([0.0; 3], |c| c[i]);
                back.map_or_else(known, |v| (v - Vector3::from(rest.vertices[i])).into())
            })
            .collect();
        Self { influences, modes: vec![mode], mode_weights: vec![vec![1.0]] }
    }

    fn new(clip: &Clip<'_>) -> Self {
        let vertices = clip.rest.vertices.len();
        let influences = (0..vertices).map(|v| clip.rest.weights().largest(v)).collect();
        let modes = if clip.bake { clip.rest.corrective_modes(clip.poses) } else { None };
        let (modes, mode_weights) = modes.map_or_else(
            || (Vec::new(), vec![Vec::new(); clip.poses.len()]),
            |CorrectiveModes { modes, weights, .. }| (modes, weights),
        );
        Self { influences, modes, mode_weights }
    }

    /// The vertices that a viewer shows at a key frame.
    fn shown(&self, clip: &Clip<'_>, frame: usize, with_modes: bool) -> Vec<[f64; 3]> {
        let rest = clip.rest;
        let frames = rest.frames(&clip.poses[frame]);
        let (s, t) = (rest.captured().scale, Vector3::from(clip.poses[frame].transl));
        let offsets: Vec<Vector3<f64>> =
            (0..JOINTS).map(|j| frames.position[j] - frames.rotation[j] * Vector3::from(rest.joints()[j])).collect();
        (0..rest.vertices.len())
            .map(|i| {
                let mut v = Vector3::from(rest.vertices[i]);
                for (mode, weight) in self.modes.iter().zip(&self.mode_weights[frame]).filter(|_| with_modes) {
                    v += Vector3::from(mode[i]) * *weight;
                }
                let mut x = Vector3::zeros();
                for (joint, weight) in self.influences[i].iter().filter(|(_, w)| *w != 0.0) {
                    let joint = usize::from(*joint);
                    x += (frames.rotation[joint] * v + offsets[joint]) * *weight;
                }
                (x * s + t).into()
            })
            .collect()
    }

    fn loss(&self, clip: &Clip<'_>) -> Loss {
        let mut loss = Loss { targets: self.modes.len(), ..Loss::default() };
        let (mut sum, mut count) = (0.0, 0.0);
        let distance = |a: &[f64; 3], b: &[f64; 3]| (Vector3::from(*a) - Vector3::from(*b)).norm() * 1e3;
        let (last, steps) = (clip.poses.len() - 1, MEASURED.min(clip.poses.len()));
        for step in 0..steps {
            let frame = if steps > 1 { step * last / (steps - 1) } else { 0 };
            let pose = &clip.poses[frame];
            let (ours, plain) = (clip.rest.pose(pose), clip.rest.pose_without_correctives(pose));
            for (a, b) in self.shown(clip, frame, true).iter().zip(&ours) {
                let d = distance(a, b);
                loss.most_mm = loss.most_mm.max(d);
                sum += d;
                count += 1.0;
            }
            for (a, b) in self.shown(clip, frame, false).iter().zip(&plain) {
                loss.influences_mm = loss.influences_mm.max(distance(a, b));
            }
        }
        loss.mean_mm = sum / f64::max(count, 1.0);
        loss
    }
}

/// The whole file: one animation named `poses` with all hands, `fps` key frames a second. Returns what it costs, one a clip.
///
/// # Errors
/// [`ExportError::Mesh`] when the arrays do not belong together, there is no pose, or clips differ in length;
/// [`ExportError::Encode`].
pub fn to_bytes(
    clips: &[Clip<'_>],
    fps: f64,
    provenance: &Provenance,
    texture_px: u32,
) -> Result<(Vec<u8>, Vec<Loss>), ExportError> {
    document(clips, Some(fps), None, provenance, texture_px)
}

/// The whole file as [`to_bytes`] makes it, with `target_from_pose`, the rigid motion into the file's frame, in a node above the
/// skeletons.
///
/// # Errors
/// As [`to_bytes`].
pub fn placed(
    clips: &[Clip<'_>],
    fps: f64,
    target_from_pose: &Matrix4<f64>,
    provenance: &Provenance,
    texture_px: u32,
) -> Result<(Vec<u8>, Vec<Loss>), ExportError> {
    document(clips, Some(fps), Some(target_from_pose), provenance, texture_px)
}

/// Hands with a skeleton, each in the one pose of its clip and without an animation. With [`Clip::bake`] that pose is exact:
/// a morph target of weight 1 carries what skinning with four influences cannot. `target_from_pose` is the rigid motion
/// into the file's frame, which a node above the skeletons carries.
///
/// # Errors
/// As [`to_bytes`].
pub fn rigged(
    clips: &[Clip<'_>],
    target_from_pose: &Matrix4<f64>,
    provenance: &Provenance,
    texture_px: u32,
) -> Result<(Vec<u8>, Vec<Loss>), ExportError> {
    document(clips, None, Some(target_from_pose), provenance, texture_px)
}

fn document(
    clips: &[Clip<'_>],
    fps: Option<f64>,
    placement: Option<&Matrix4<f64>>,
    provenance: &Provenance,
    texture_px: u32,
) -> Result<(Vec<u8>, Vec<Loss>), ExportError> {
    let length = clips.first().map_or(0, |c| c.poses.len());
    let mut builder = Builder::default();
    let mut facts = clips.first().map(|c| provenance.pairs(c.hand)).unwrap_or_default();
    let (mut nodes, mut losses, mut roots) = (Vec::new(), Vec::new(), Vec::new());
    let mut animation = fps.map(|fps| {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "glTF's times are floats")]
        let times: Vec<[f32; 1]> = (0..length).map(|i| [(i as f64 / fps) as f32]).collect();
        let input = builder.list(&times, true);
        let animation = json::Animation {
            extensions: None,
            extras: json::Extras::default(),
            channels: Vec::new(),
            name: Some("poses".to_owned()),
            samplers: Vec::new(),
        };
        (animation, input)
    });
    for clip in clips {
        check(clip, length)?;
        let exact = fps.is_none() && clip.bake;
        let rig = if exact { Rig::exact(clip) } else { Rig::new(clip) };
        let loss = rig.loss(clip);
        facts.extend(words(clip, &loss, exact));
        losses.push(loss);
        let (mesh_node, root) = builder.skinned(clip, &rig, texture_px)?;
        nodes.push(mesh_node);
        roots.push(root.0[0]);
        if let Some((animation, input)) = &mut animation {
            builder.animate(animation, *input, clip, &rig, &root, mesh_node);
        }
    }
    match placement {
        None => nodes.extend(roots),
        Some(m) => {
            let turn = UnitQuaternion::from_matrix(&m.fixed_view::<3, 3>(0, 0).into_owned());
            nodes.push(builder.root.push(json::Node {
                children: Some(roots),
                name: Some("skeletons".to_owned()),
                rotation: Some(json::scene::UnitQuaternion(quaternion(&turn, None))),
                translation: Some(floats([m[(0, 3)], m[(1, 3)], m[(2, 3)]])),
                ..Default::default()
            }));
        }
    }
    if let Some((animation, _)) = animation {
        builder.root.push(animation);
    }
    let model = clips.first().map(|c| &*c.hand.model_name);
    Ok((super::finish(builder, nodes, model, facts)?, losses))
}

/// Writes `path`.
///
/// # Errors
/// As [`to_bytes`], or [`ExportError::Io`].
pub fn write(
    path: &Path,
    clips: &[Clip<'_>],
    fps: f64,
    provenance: &Provenance,
    texture_px: u32,
) -> Result<Vec<Loss>, ExportError> {
    let (bytes, losses) = to_bytes(clips, fps, provenance, texture_px)?;
    atomic::write(path, &bytes)?;
    Ok(losses)
}

fn check(clip: &Clip<'_>, length: usize) -> Result<(), ExportError> {
    let bad = |problem: String| Err(ExportError::Mesh { side: clip.hand.side, problem });
    clip.hand.check()?;
    if clip.hand.model_name != "open" {
        return bad(format!(
            "skin weights and skeleton of {} may not be passed on; write meshes (glb, obj, ply) of single poses",
            clip.hand.model_name
        ));
    }
    if clip.poses.is_empty() {
        return bad("there is no pose".to_owned());
    }
    if clip.poses.len() != length {
        return bad(format!("it has {} poses, the other hand {length}", clip.poses.len()));
    }
    if clip.rest.vertices.len() != clip.hand.positions.len() {
        return bad(format!("{} rest vertices, {} positions", clip.rest.vertices.len(), clip.hand.positions.len()));
    }
    let numbers = |p: &Pose| p.global_orient.iter().chain(&p.hand_pose).chain(&p.transl).all(|v| v.is_finite());
    if !clip.poses.iter().all(numbers) {
        return bad("a pose has a number that is not finite".to_owned());
    }
    Ok(())
}

/// What the extras say about a clip.
fn words(clip: &Clip<'_>, loss: &Loss, exact: bool) -> Vec<(String, String)> {
    let side = clip.hand.side;
    let correctives = if exact {
        "those of the captured pose, with what four influences miss, in the morph target; weight 0 in other poses"
            .to_owned()
    } else if clip.rest.model().pose_directions.is_none() {
        "the hand model has none".to_owned()
    } else if clip.bake {
        format!("{} morph targets", loss.targets)
    } else {
        "left out: skinning alone cannot carry them; write the file with --bake".to_owned()
    };
    vec![
        (format!("{side} pose correctives"), correctives),
        (
            format!("{side} off at key frames"),
            format!(
                "{:.3} mm at most, {:.4} mm mean, over {} of {}",
                loss.most_mm,
                loss.mean_mm,
                MEASURED.min(clip.poses.len()),
                clip.poses.len()
            ),
        ),
        (format!("{side} off by {INFLUENCES} influences alone"), format!("{:.3} mm at most", loss.influences_mm)),
    ]
}

/// Nodes of the joints, the wrist first.
struct JointNodes([json::Index<json::Node>; JOINTS]);

fn rotation(pose: &Pose, joint: usize) -> UnitQuaternion<f64> {
    let vector = match joint.checked_sub(1) {
        None => Vector3::from(pose.global_orient),
        Some(i) => Vector3::from_column_slice(&pose.hand_pose[3 * i..3 * i + 3]),
    };
    UnitQuaternion::from_scaled_axis(vector)
}

/// `x y z w`, on the side of `before`, so that neighbours are near each other.
fn quaternion(q: &UnitQuaternion<f64>, before: Option<&[f32; 4]>) -> [f32; 4] {
    let q = floats([q.i, q.j, q.k, q.w]);
    let dot = before.map_or(1.0, |b| b.iter().zip(&q).map(|(a, b)| a * b).sum::<f32>());
    if dot < 0.0 { q.map(|v| -v) } else { q }
}

impl Builder {
    /// The mesh node and the joints of a clip, posed as in its first frame.
    fn skinned(
        &mut self,
        clip: &Clip<'_>,
        rig: &Rig,
        texture_px: u32,
    ) -> Result<(json::Index<json::Node>, JointNodes), ExportError> {
        let scale = clip.rest.captured().scale;
        let scaled = |p: &[f64; 3]| p.map(|v| v * scale);
        let rest = ExportHand {
            positions: clip.rest.vertices.iter().map(scaled).collect(),
            normals: crate::mesh::vertex_normals(&clip.rest.vertices, &clip.hand.faces),
            ..clip.hand.clone()
        };
        let name = format!("hand_{}", clip.hand.side);
        let (mut primitive, vertices) = self.primitive(&rest, texture_px)?;
        let pick = |v: &u32| rig.influences[*v as usize];
        let joints: Vec<[u8; 4]> = vertices.iter().map(|v| pick(v).map(|i| i.0)).collect();
        let weights: Vec<[f32; 4]> = vertices.iter().map(|v| floats(pick(v).map(|i| i.1))).collect();
        let joints = self.bytes4(&joints, false);
        primitive.attributes.insert(Checked::Valid(Semantic::Joints(0)), joints);
        let weights = self.floats(&weights, false);
        primitive.attributes.insert(Checked::Valid(Semantic::Weights(0)), weights);
        let mut targets = Vec::new();
        for mode in &rig.modes {
            let offsets: Vec<[f32; 3]> = vertices.iter().map(|v| floats(scaled(&mode[*v as usize]))).collect();
            let positions = Some(self.floats(&offsets, true));
            targets.push(json::mesh::MorphTarget { positions, normals: None, tangents: None });
        }
        let first: Vec<f32> = rig.mode_weights[0].iter().map(|w| floats([*w])[0]).collect();
        primitive.targets = (!targets.is_empty()).then_some(targets);
        let mesh = self.mesh(&name, primitive, (!first.is_empty()).then_some(first));
        let nodes = self.joints(clip, scale);
        let bind: Vec<[f32; 16]> = clip
            .rest
            .joints()
            .iter()
            .map(|j| {
                let [x, y, z] = scaled(j).map(|v| -v);
                floats([1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, x, y, z, 1.0])
            })
            .collect();
        let bind = self.list(&bind, false);
        let skin = self.root.push(json::Skin {
            extensions: None,
            extras: json::Extras::default(),
            inverse_bind_matrices: Some(bind),
            joints: nodes.0.to_vec(),
            name: Some(name.clone()),
            skeleton: Some(nodes.0[0]),
        });
        let node = json::Node { mesh: Some(mesh), skin: Some(skin), name: Some(name), ..Default::default() };
        Ok((self.root.push(node), nodes))
    }

    fn joints(&mut self, clip: &Clip<'_>, scale: f64) -> JointNodes {
        let (joints, pose) = (clip.rest.joints(), &clip.poses[0]);
        let mut nodes = [json::Index::new(0); JOINTS];
        // Children come after their parents, so backwards every child is there already.
        for joint in (0..JOINTS).rev() {
            let parent = usize::try_from(JOINT_PARENTS[joint]).ok();
            let at: [f64; 3] = std::array::from_fn(|k| {
                let from = parent.map_or(-pose.transl[k] / scale, |p| joints[p][k]);
                (joints[joint][k] - from) * scale
            });
            let children: Vec<_> = (0..JOINTS)
                .filter(|&c| usize::try_from(JOINT_PARENTS[c]).is_ok_and(|p| p == joint))
                .map(|c| nodes[c])
                .collect();
            nodes[joint] = self.root.push(json::Node {
                children: (!children.is_empty()).then_some(children),
                name: Some(format!("{}_{}", clip.hand.side, JOINT_NAMES[joint])),
                rotation: Some(json::scene::UnitQuaternion(quaternion(&rotation(pose, joint), None))),
                translation: Some(floats(at)),
                ..Default::default()
            });
        }
        JointNodes(nodes)
    }

    fn animate(
        &mut self,
        animation: &mut json::Animation,
        input: json::Index<json::Accessor>,
        clip: &Clip<'_>,
        rig: &Rig,
        nodes: &JointNodes,
        mesh_node: json::Index<json::Node>,
    ) {
        use json::animation::Property;
        let mut channel = |node, path, output| {
            animation.samplers.push(json::animation::Sampler {
                extensions: None,
                extras: json::Extras::default(),
                input,
                interpolation: Checked::Valid(json::animation::Interpolation::Linear),
                output,
            });
            let sampler = u32::try_from(animation.samplers.len() - 1).expect("a few dozen channels");
            animation.channels.push(json::animation::Channel {
                sampler: json::Index::new(sampler),
                target: json::animation::Target {
                    extensions: None,
                    extras: json::Extras::default(),
                    node,
                    path: Checked::Valid(path),
                },
                extensions: None,
                extras: json::Extras::default(),
            });
        };
        let (scale, root) = (clip.rest.captured().scale, clip.rest.joints()[0]);
        let places: Vec<[f32; 3]> =
            clip.poses.iter().map(|p| floats([0, 1, 2].map(|k| root[k] * scale + p.transl[k]))).collect();
        channel(nodes.0[0], Property::Translation, self.list(&places, false));
        for (joint, node) in nodes.0.iter().enumerate() {
            let mut turns: Vec<[f32; 4]> = Vec::with_capacity(clip.poses.len());
            for pose in clip.poses {
                turns.push(quaternion(&rotation(pose, joint), turns.last()));
            }
            channel(*node, Property::Rotation, self.list(&turns, false));
        }
        if !rig.modes.is_empty() {
            let weights: Vec<[f32; 1]> = rig.mode_weights.iter().flatten().map(|w| floats([*w])).collect();
            channel(mesh_node, Property::MorphTargetWeights, self.list(&weights, false));
        }
    }
}

#[cfg(test)]
mod tests;
