//! `export`: a run's hands as files for other programs.
//!
//! The hands are taken to the wanted pose, level and reflectance once; then each format gets them in its frame. Every file is
//! written whole or not at all ([`crate::export::atomic`]), and each has a sidecar ([`crate::export::meta`]).

use super::textures::FineSurface;
use super::{Exportable, PipelineError, PosableHand};
use crate::anatomy::Side;
use crate::export::glb::animated::{self, Clip};
use crate::export::meta::About;
use crate::export::{
    ExportError, ExportHand, Frame, Provenance, TextureFormat, Up, atomic, bvh, glb, gltf_from_capture, gltf_from_hand,
    maps, meta, npz, obj, parameters, ply, reflectance, stl, usd,
};
use crate::hand::{Pose, pose_hand};
use crate::mesh::vertex_normals;
use crate::texture::FIT_ROUNDS;
use crate::texture::relief::{self, Laid};
use nalgebra::{Matrix4, Vector3};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The formats there are.
pub const EXPORT_FORMATS: [&str; 11] =
    ["glb", "rig", "obj", "ply", "stl", "usda", "usdz", "npz", "json", "bvh", "maps"];

/// What to export.
#[derive(Clone, Debug)]
pub struct ExportPlan {
    /// Of [`EXPORT_FORMATS`].
    pub formats: Vec<String>,
    /// Folder; made if missing.
    pub dir: PathBuf,
    /// Frame of positions. Files whose format fixes it (`glb`, `rig`: glTF's; `stl`: millimetres) keep to that.
    pub frame: Frame,
    /// What is upwards, in every frame but the capture's.
    pub up: Up,
    /// Texture side in pixels.
    pub texture_px: u32,
    /// How its albedo is stored.
    pub texture_format: TextureFormat,
    /// Rounds in which the blend of the photographs is fitted to them; 0 leaves it as it is.
    pub texture_fit: u32,
    /// Make textures from the capture's photographs where they can be read; else from the albedo of the vertices.
    pub photographs: bool,
    /// Mean luminance that albedo is brought to, linear (see [`reflectance`]); `None` leaves it as HAM found it.
    pub reflectance: Option<f64>,
    /// Coarser level of the mesh, if wanted; textures keep their detail, and normals and displacement are baked.
    pub level: Option<usize>,
    /// Bring the hands back to the model's rest pose by inverse skinning; they stay in the model's own frame.
    pub rest_pose: bool,
    /// Put a cap over the wrist, so that the meshes are watertight (STL always has it).
    pub close_wrist: bool,
}

impl ExportPlan {
    /// What the studio writes: posed hands for other programs, with a texture of 1k.
    #[must_use]
    pub const fn new(formats: Vec<String>, dir: PathBuf) -> Self {
        Self {
            formats,
            dir,
            frame: Frame::Gltf,
            up: Up::Cameras,
            texture_px: 1024,
            texture_format: TextureFormat::Png,
            texture_fit: FIT_ROUNDS,
            photographs: true,
            reflectance: Some(reflectance::USUAL),
            level: None,
            rest_pose: false,
            close_wrist: false,
        }
    }

    /// The frame that files of a format are in: some formats have their own whatever is wanted.
    #[must_use]
    pub fn frame_of(&self, format: &str) -> Frame {
        let frame = match (format, self.frame) {
            ("stl", Frame::Gltf | Frame::Blender) => Frame::Print,
            // Readers of glTF turn its axes into theirs; turned before, they would be turned twice.
            ("glb" | "rig", Frame::Blender | Frame::Unreal | Frame::Print) => Frame::Gltf,
            ("usda" | "usdz", Frame::Unreal) => Frame::Blender,
            (_, other) => other,
        };
        match frame {
            Frame::Gltf | Frame::Capture if self.rest_pose => Frame::Pose,
            other => other,
        }
    }

    fn wants(&self, formats: &[&str]) -> bool {
        self.formats.iter().any(|f| formats.contains(&&**f))
    }
}

/// Lengths from the wrist to the middle fingertip, along the bones, that hands of people have, metres: from a small child's
/// to the largest measured, with a margin.
pub const PLAUSIBLE_LENGTH_M: [f64; 2] = [0.09, 0.25];

/// Writes the files of a plan; returns their paths.
pub(super) fn export(plan: &ExportPlan, exportable: Exportable) -> Result<Vec<PathBuf>, PipelineError> {
    if let Some(other) = plan.formats.iter().find(|f| !EXPORT_FORMATS.contains(&&***f)) {
        return Err(PipelineError::Unfinished {
            path: other.clone(),
            problem: format!("is no export format; there are {}", EXPORT_FORMATS.join(", ")),
        });
    }
    // Before the folder is made: what does not fit is refused without a trace.
    let mut job = Job::new(plan, exportable)?;
    std::fs::create_dir_all(&plan.dir).map_err(ExportError::io(&plan.dir))?;
    for format in &plan.formats {
        job.write(format)?;
    }
    Ok(job.files)
}

/// Hands on their way to other poses, with what files of them say.
pub(super) struct Posable {
    pub hands: Vec<PosableHand>,
    pub gltf_from_capture: Matrix4<f64>,
    pub notes: Vec<(String, String)>,
    pub facts: Vec<(String, serde_json::Value)>,
}

/// The hands at rest as a plan wants them: textured, at its level and reflectance.
pub(super) fn posable(plan: &ExportPlan, run: Exportable) -> Result<Posable, PipelineError> {
    let plan = ExportPlan { formats: vec!["rig".to_owned()], rest_pose: false, ..plan.clone() };
    let Job { posable, gltf_from_capture, notes, facts, .. } = Job::new(&plan, run)?;
    Ok(Posable { hands: posable, gltf_from_capture, notes, facts })
}

struct Job<'a> {
    plan: &'a ExportPlan,
    run: Exportable,
    /// The hands in the wanted pose and level, capture metres (or the model's frame at rest).
    hands: Vec<ExportHand>,
    /// Present where a skeleton is wanted.
    posable: Vec<PosableHand>,
    gltf_from_capture: Matrix4<f64>,
    notes: Vec<(String, String)>,
    facts: Vec<(String, serde_json::Value)>,
    files: Vec<PathBuf>,
}

impl<'a> Job<'a> {
    fn new(plan: &'a ExportPlan, mut run: Exportable) -> Result<Self, PipelineError> {
        let mut notes = vec![("preset".to_owned(), run.preset.clone())];
        notes.append(&mut run.notes);
        let mut facts = Vec::new();
        let mut hands = std::mem::take(&mut run.hands);
        for hand in &mut hands {
            hand.texture_format = plan.texture_format;
        }
        if plan.photographs && plan.wants(&["glb", "rig", "obj", "usda", "usdz", "maps"]) {
            textures(plan, &run, &mut hands, &mut notes);
        }
        let (mean, target) = (reflectance::mean_luminance(&hands), plan.reflectance);
        if let (Some(mean), Some(target)) = (mean, target) {
            let factor = target / mean;
            for hand in &mut hands {
                reflectance::scale(hand, factor);
            }
            notes.push(("albedo factor".to_owned(), format!("{factor:.6} (linear light, applied)")));
            facts.push(("albedo_factor_linear".to_owned(), factor.into()));
        }
        for (side, joints) in Side::BOTH.into_iter().zip(&run.joints) {
            let Some(joints) = joints else { continue };
            let length = hand_length_m(joints);
            facts.push((format!("hand_length_mm_{side}"), (length * 1e3).into()));
            if !(PLAUSIBLE_LENGTH_M[0]..=PLAUSIBLE_LENGTH_M[1]).contains(&length) {
                let words = format!(
                    "the {side} hand is {:.0} mm long from the wrist to the middle fingertip, which no hand is: is the \
                     calibration in metres?",
                    length * 1e3
                );
                tracing::warn!("{words}");
                notes.push((format!("warning {side}"), words));
            }
        }
        let centre = mean_point(&hands);
        let gltf_from_capture = match plan.up {
            Up::Cameras => gltf_from_capture(&run.cameras, centre),
            Up::Camera(k) => {
                let last = run.cameras.len().saturating_sub(1);
                let camera = run.cameras.get(k).ok_or(PipelineError::NoSuchView { view: k, last })?;
                gltf_from_capture(std::slice::from_ref(camera), centre)
            }
            Up::Hand => {
                let found = [1, 0].into_iter().find_map(|i| Some((Side::BOTH[i], run.joints[i].as_ref()?)));
                found.map_or_else(
                    || gltf_from_capture(&run.cameras, centre),
                    |(side, joints)| gltf_from_hand(joints, side, joints[0]),
                )
            }
        };
        let mut posable = Vec::new();
        if plan.rest_pose || plan.wants(&["rig", "bvh"]) {
            posable = PosableHand::all(hands.clone(), &run.mesh, &run.models)?;
        }
        if plan.rest_pose {
            hands = posable.iter().cloned().map(PosableHand::into_rest).collect();
        }
        if let Some(level) = plan.level {
            let relief = plan.wants(&["glb", "obj", "usda", "usdz", "maps"]);
            for (hand, fine) in hands.iter_mut().zip(&run.mesh.hands) {
                *hand = at_level(hand, &fine.levels, level, relief.then_some(plan.texture_px));
            }
            posable = posable.iter().map(|p| p.at_level(level)).collect();
            notes.push(("level".to_owned(), level.to_string()));
        }
        Ok(Self { plan, run, hands, posable, gltf_from_capture, notes, facts, files: Vec::new() })
    }

    fn frame(&self, format: &str) -> Frame {
        self.plan.frame_of(format)
    }

    /// From where the hands are to a frame.
    fn placement(&self, frame: Frame) -> Matrix4<f64> {
        let first = if self.plan.rest_pose || frame == Frame::Capture || frame == Frame::Pose {
            Matrix4::identity()
        } else {
            self.gltf_from_capture
        };
        let mut placed = frame.from_gltf() * first;
        if frame == Frame::Print {
            let low = self.hands.iter().flat_map(|h| &h.positions).map(|p| crate::export::apply(&placed, *p)[2]);
            placed[(2, 3)] -= low.fold(f64::INFINITY, f64::min);
        }
        placed
    }

    fn provenance(&self, frame: Frame) -> Provenance {
        Provenance { frame, notes: self.notes.clone() }
    }

    /// The hands in a frame.
    fn placed(&self, frame: Frame, closed: bool) -> Vec<ExportHand> {
        let placement = self.placement(frame);
        let mut hands = self.hands.clone();
        for hand in &mut hands {
            if closed {
                hand.close_wrist();
            }
            hand.transform(&placement);
        }
        hands
    }

    /// Notes a file and writes its sidecar.
    fn done(&mut self, path: PathBuf, hands: &[ExportHand], frame: Frame) -> Result<(), ExportError> {
        let about = About {
            file_from_capture: (!self.plan.rest_pose).then(|| self.placement(frame)),
            facts: self.facts.clone(),
        };
        let sidecar = meta::write(&path, hands, &self.provenance(frame), &about)?;
        self.files.extend([path, sidecar]);
        Ok(())
    }

    fn write(&mut self, format: &str) -> Result<(), PipelineError> {
        let frame = self.frame(format);
        let (dir, texture_px) = (self.plan.dir.clone(), self.plan.texture_px);
        let provenance = self.provenance(frame);
        let closed = self.plan.close_wrist || format == "stl";
        match format {
            "glb" | "usda" | "usdz" => {
                let hands = self.placed(frame, closed);
                let path = dir.join(format!("hands.{format}"));
                match format {
                    "glb" => glb::write(&path, &hands, &provenance, texture_px)?,
                    "usdz" => usd::write_package(&path, &hands, &provenance, texture_px)?,
                    _ => {
                        let mut files = usd::write_text(&path, &hands, &provenance, texture_px)?;
                        files.pop();
                        self.files.extend(files);
                    }
                }
                self.done(path, &hands, frame)?;
            }
            "rig" => self.rig(&dir)?,
            "obj" | "ply" | "stl" | "maps" => {
                for hand in self.placed(frame, closed) {
                    self.one(format, &dir, &hand, frame)?;
                }
            }
            _ => {
                for i in 0..self.hands.len() {
                    self.parameters(format, &dir, i)?;
                }
            }
        }
        Ok(())
    }

    /// A file of a single hand.
    fn one(&mut self, format: &str, dir: &Path, hand: &ExportHand, frame: Frame) -> Result<(), ExportError> {
        let (provenance, texture_px) = (self.provenance(frame), self.plan.texture_px);
        let path = dir.join(format!("hand_{}.{format}", hand.side));
        match format {
            "obj" => {
                let mut files = obj::write(&path, hand, &provenance, texture_px)?;
                files.pop();
                self.files.extend(files);
            }
            "ply" => ply::write(&path, hand, &provenance)?,
            "stl" => stl::write(&path, hand, &provenance)?,
            _ => {
                let (files, range) = maps::write(dir, hand, texture_px)?;
                if let Some(range) = range {
                    self.facts.push((format!("displacement_range_m_{}", hand.side), range.into()));
                }
                self.files.extend(files);
                // One sidecar for all maps of a hand.
                let about = About { file_from_capture: None, facts: self.facts.clone() };
                let named = dir.join(format!("hand_{}_maps", hand.side));
                let sidecar = meta::write(&named, std::slice::from_ref(hand), &provenance, &about)?;
                self.files.push(sidecar);
                return Ok(());
            }
        }
        self.done(path, std::slice::from_ref(hand), frame)
    }

    /// Both hands with skeletons, in the captured pose; the correctives of that pose are a morph target.
    fn rig(&mut self, dir: &Path) -> Result<(), ExportError> {
        let rest = [Pose::REST];
        let poses: Vec<[Pose; 1]> = self
            .posable
            .iter()
            .map(|p| if self.plan.rest_pose { rest.clone() } else { [Pose::of(p.rest.captured())] })
            .collect();
        let clips: Vec<Clip<'_>> = self
            .posable
            .iter()
            .zip(&poses)
            .map(|(p, poses)| Clip { hand: &p.hand, rest: &p.rest, poses, bake: !self.plan.rest_pose })
            .collect();
        let frame = self.frame("rig");
        let path = dir.join("hands_rigged.glb");
        let (bytes, losses) =
            animated::rigged(&clips, &self.placement(frame), &self.provenance(frame), self.plan.texture_px)?;
        atomic::write(&path, &bytes)?;
        for (clip, loss) in clips.iter().zip(&losses) {
            let name = format!("rig_off_at_most_mm_{}", clip.hand.side);
            self.facts.push((name, loss.most_mm.into()));
        }
        let hands: Vec<ExportHand> = self.posable.iter().map(|p| p.hand.clone()).collect();
        self.done(path, &hands, frame)
    }

    /// Parameters or skeleton of a hand.
    fn parameters(&mut self, format: &str, dir: &Path, i: usize) -> Result<(), ExportError> {
        let hand = self.hands[i].clone();
        let Some(fitted) = &hand.parameters else { return Ok(()) };
        let (side, model) = (hand.side, Arc::clone(&self.run.models[hand.side.index()]));
        let found = self.run.joints[side.index()];
        let path = dir.join(format!("hand_{side}.{format}"));
        let mut frame = Frame::Capture;
        match format {
            "npz" => {
                let joints = found.unwrap_or_else(|| pose_hand(&model, fitted).keypoints);
                npz::write(&path, fitted, &model, &joints)?;
            }
            "json" => parameters::write(&path, fitted, &model, found.as_ref())?,
            _ => {
                let Some(posable) = self.posable.get(i) else { return Ok(()) };
                // Skeletons are in glTF's axes unless the capture's are wanted; their unit is theirs.
                if self.plan.frame != Frame::Capture {
                    frame = Frame::Gltf;
                }
                let captured = Pose::of(posable.rest.captured());
                bvh::write(&path, &skeleton(posable, &[captured], bvh::USUAL_FPS), &self.placement(frame))?;
            }
        }
        self.done(path, std::slice::from_ref(&hand), frame)
    }
}

/// Bakes textures into the hands; without them where the capture cannot be read any more, which is said.
fn textures(plan: &ExportPlan, run: &Exportable, hands: &mut [ExportHand], notes: &mut Vec<(String, String)>) {
    let Some(photographs) = &run.photographs else { return };
    if photographs.lights.is_empty() || hands.iter().any(|h| h.uv_faces.is_empty()) {
        return;
    }
    match photographs.open() {
        Ok(capture) => {
            let surface = FineSurface::of_hands(&run.mesh, hands);
            let baked = photographs.bake(&capture, &surface, plan.texture_px, plan.texture_fit);
            for (hand, texture) in hands.iter_mut().zip(baked) {
                let covered = 100.0 * texture.covered;
                notes.push((format!("texture {}", hand.side), format!("{covered:.0} % from photographs")));
                hand.texture = Some(Arc::new(texture));
            }
        }
        Err(e) => {
            tracing::warn!("textures show the albedo of the vertices, as the photographs cannot be used: {e}");
            notes.push(("texture".to_owned(), "albedo of the vertices; the photographs could not be used".to_owned()));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "vertex counts are far below 2^53")]
pub(super) fn mean_point(hands: &[ExportHand]) -> [f64; 3] {
    let count: usize = hands.iter().map(|h| h.positions.len()).sum();
    let sum: Vector3<f64> = hands.iter().flat_map(|h| &h.positions).map(|p| Vector3::from(*p)).sum();
    (sum / count.max(1) as f64).into()
}

/// Length of a hand from the wrist along the middle finger's bones to its tip (keypoints 0, 9 to 12), metres.
#[must_use]
pub fn hand_length_m(joints: &[[f64; 3]; 21]) -> f64 {
    let chain = [0, 9, 10, 11, 12].map(|k| Vector3::from(joints[k]));
    chain.windows(2).map(|p| (p[1] - p[0]).norm()).sum()
}

/// A hand at a coarser level (at most its own), with what the fine one has more in its relief where `relief_px` asks for it.
pub(super) fn at_level(
    hand: &ExportHand,
    levels: &crate::mesh::SubdivisionLevels,
    level: usize,
    relief_px: Option<u32>,
) -> ExportHand {
    if level >= levels.deepest() {
        return hand.clone();
    }
    let count = levels.vertices(level);
    let positions = hand.positions[..count].to_vec();
    let mut coarse = ExportHand {
        normals: vertex_normals(&positions, levels.faces(level)),
        positions,
        albedo: hand.albedo[..count].to_vec(),
        faces: levels.faces(level).to_vec(),
        ..hand.clone()
    };
    if !hand.uv_faces.is_empty() {
        coarse.uvs = levels.uvs(level).to_vec();
        coarse.uv_faces = levels.uv_faces(level).to_vec();
        coarse.relief = relief_px.map(|size| Arc::new(relief::bake(&laid(&coarse), &laid(hand), size)));
    }
    coarse
}

fn laid(hand: &ExportHand) -> Laid<'_> {
    Laid {
        positions: &hand.positions,
        normals: &hand.normals,
        faces: &hand.faces,
        uvs: &hand.uvs,
        uv_faces: &hand.uv_faces,
    }
}

/// The skeleton of a hand in some poses.
pub(super) fn skeleton(posable: &PosableHand, poses: &[Pose], fps: f64) -> bvh::Skeleton {
    let rest = &posable.rest;
    let captured = rest.captured();
    let scaled = |p: [f64; 3]| p.map(|v| v * captured.scale);
    let root = scaled(rest.joints()[0]);
    let posed = |pose: &Pose| bvh::SkeletonPose {
        rotations: std::array::from_fn(|j| {
            if j == 0 { pose.global_orient } else { [0, 1, 2].map(|k| pose.hand_pose[3 * (j - 1) + k]) }
        }),
        wrist: [0, 1, 2].map(|k| root[k] + pose.transl[k]),
    };
    bvh::Skeleton {
        side: rest.side(),
        joints: rest.joints().map(scaled),
        tips: rest.model().tips.map(|v| scaled(rest.vertices[v as usize])),
        poses: poses.iter().map(posed).collect(),
        fps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_of_unlikely_length_is_told() {
        let mut joints = [[0.0; 3]; 21];
        for (i, k) in [9, 10, 11, 12].into_iter().enumerate() {
            joints[k] = [0.0, 0.09 + 0.03 * f64::from(u32::try_from(i).expect("few")), 0.0];
        }
        let length = hand_length_m(&joints);
        assert!((length - 0.18).abs() < 1e-12, "bones in a row: {length}");
        let plausible = |l: f64| (PLAUSIBLE_LENGTH_M[0]..=PLAUSIBLE_LENGTH_M[1]).contains(&l);
        assert!(
            plausible(length) && !plausible(length * 1.56) && !plausible(length * 100.0) && !plausible(length / 1e3),
            "the usual mistakes"
        );
    }
}
