//! A sequence as files for other programs: the hands of the first frame, moving.

use super::FinishedSequence;
use super::record::MotionFrame;
use crate::anatomy::{KEYPOINTS, Side};
use crate::export::glb::animated::{self, Clip};
use crate::export::meta::{self, About};
use crate::export::npz::Npz;
use crate::export::{ExportError, ExportHand, Frame, Provenance, atomic, bvh};
use crate::hand::{HandParameters, Pose, pose_hand};
use crate::pipeline::export_files::{self, ExportPlan, Posable};
use crate::pipeline::{FinishedRun, PipelineError};
use std::path::{Path, PathBuf};

/// Numbers that are missing are filled where the sequence gets no longer than this by it.
const LARGEST_FILL: usize = 4;

/// What to export of a sequence.
#[derive(Clone, Debug)]
pub struct SequencePlan {
    /// Formats, folder, texture and level of the hands.
    pub files: ExportPlan,
    /// Frames a second.
    pub fps: f64,
    /// Carry pose correctives into the GLB as morph targets.
    pub bake: bool,
}

/// One row of the time axis: a frame's number, and for each side its pose and whether it was seen in this frame.
struct Row {
    number: u32,
    hands: [Option<(HandParameters, bool)>; 2],
}

/// The time axis. A hand that a frame does not have keeps the pose it had (at the start, the pose it will have).
fn rows(frames: &[MotionFrame]) -> Vec<Row> {
    let seen: Vec<&MotionFrame> = frames.iter().filter(|f| !f.hands.is_empty()).collect();
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Vec::new() };
    let every = (last.number - first.number) as usize;
    let numbers: Vec<u32> = if every < LARGEST_FILL * seen.len() {
        (first.number..=last.number).collect()
    } else {
        seen.iter().map(|f| f.number).collect()
    };
    let at = |side: Side, number: u32| {
        let of = |f: &&MotionFrame| f.hands.iter().find(|h| h.side == side).cloned().map(|h| (h, f.number == number));
        let before = seen.iter().rev().filter(|f| f.number <= number).find_map(of);
        before.or_else(|| seen.iter().find_map(of))
    };
    numbers.into_iter().map(|number| Row { number, hands: Side::BOTH.map(|side| at(side, number)) }).collect()
}

impl FinishedSequence {
    /// Writes files; returns their paths.
    ///
    /// # Errors
    /// [`PipelineError::Sequence`] for a format that holds no movement, [`PipelineError::Unfinished`] before the first frame is
    /// done, a full disk.
    pub fn export(&self, plan: &SequencePlan) -> Result<Vec<PathBuf>, PipelineError> {
        let reference = self.reference()?;
        if let Some(other) = plan.files.formats.iter().find(|f| !["glb", "rig", "npz", "bvh"].contains(&f.as_str())) {
            return Err(PipelineError::Sequence(format!(
                "a sequence is written as glb, npz or bvh; for {other} export one of its frames, for example {}",
                reference.display()
            )));
        }
        let mut run = FinishedRun::open(&reference, self.models.clone())?.exportable();
        let count = self.motion.frames.iter().filter(|f| !f.hands.is_empty()).count();
        run.notes.push(("sequence".to_owned(), format!("{count} frames at {} a second", plan.fps)));
        let hands = export_files::posable(&plan.files, run)?;
        let rows = rows(&self.motion.frames);
        std::fs::create_dir_all(&plan.files.dir).map_err(ExportError::io(&plan.files.dir))?;
        let mut files = Vec::new();
        for format in &plan.files.formats {
            let dir = &plan.files.dir;
            match format.as_str() {
                "npz" => self.npz(dir, &rows, plan.fps, &mut files)?,
                "bvh" => bvhs(dir, &hands, &rows, plan.fps, &mut files)?,
                _ => glb(dir, &hands, &rows, plan, &mut files)?,
            }
        }
        Ok(files)
    }

    /// `hand_<side>.npz`: parameters over time, capture frame; `thenar repose` reads them.
    fn npz(&self, dir: &Path, rows: &[Row], fps: f64, files: &mut Vec<PathBuf>) -> Result<(), PipelineError> {
        for side in Side::BOTH {
            let model = &self.models[side.index()];
            let hands: Vec<(u32, &HandParameters, bool)> = rows
                .iter()
                .filter_map(|r| r.hands[side.index()].as_ref().map(|(h, seen)| (r.number, h, *seen)))
                .collect();
            let Some((_, first, _)) = hands.first() else { continue };
            let (n, offset) = (hands.len(), model.pose_offset());
            let mut npz = Npz::default();
            let flat = |of: &dyn Fn(&HandParameters) -> Vec<f64>| {
                hands.iter().flat_map(|(_, h, _)| of(h)).collect::<Vec<f64>>()
            };
            npz.text("side", side.name());
            npz.integers("frame", &hands.iter().map(|(number, ..)| i64::from(*number)).collect::<Vec<i64>>());
            npz.integers("seen", &hands.iter().map(|(.., seen)| i64::from(*seen)).collect::<Vec<i64>>());
            npz.f64s("fps", &[], &[fps]);
            npz.f64s("betas", &[first.betas.len()], &first.betas);
            npz.f64s("scale", &[], &[first.scale]);
            npz.f64s("global_orient", &[n, 3], &flat(&|h| h.global_orient.to_vec()));
            let pose = |h: &HandParameters| h.hand_pose.iter().zip(offset).map(|(p, o)| p - o).collect();
            npz.f64s("hand_pose", &[n, 45], &flat(&pose));
            npz.flag("flat_hand_mean", model.origin.convention.flat_hand_mean);
            npz.f64s("hand_mean", &[45], &model.hands_mean);
            npz.f64s("transl", &[n, 3], &flat(&|h| h.transl.to_vec()));
            let joints = |h: &HandParameters| pose_hand(model, h).keypoints.as_flattened().to_vec();
            npz.f64s("joints3d", &[n, KEYPOINTS, 3], &flat(&joints));
            npz.text("joint_order", "mediapipe");
            npz.text("unit", "m");
            npz.text("frame_of_reference", "capture");
            npz.text("model", &model.name);
            npz.text("model_sha256", &model.hash);
            npz.text("convention", &model.origin.convention.name);
            npz.text("generator", Provenance::GENERATOR);
            npz.text("licence", &crate::export::licence(&model.name));
            let path = dir.join(format!("hand_{side}.npz"));
            atomic::write(&path, &npz.to_bytes()?)?;
            files.push(path);
        }
        Ok(())
    }
}

/// Poses of a side, one a row.
fn poses(rows: &[Row], side: Side) -> Vec<Pose> {
    rows.iter().filter_map(|r| r.hands[side.index()].as_ref()).map(|(h, _)| Pose::of(h)).collect()
}

fn sidecar(path: PathBuf, hands: &Posable, frame: Frame, files: &mut Vec<PathBuf>) -> Result<(), ExportError> {
    let about = About { file_from_capture: Some(hands.gltf_from_capture), facts: hands.facts.clone() };
    let shown: Vec<ExportHand> = hands.hands.iter().map(|h| h.hand.clone()).collect();
    let provenance = Provenance { frame, notes: hands.notes.clone() };
    let beside = meta::write(&path, &shown, &provenance, &about)?;
    files.extend([path, beside]);
    Ok(())
}

fn glb(
    dir: &Path,
    hands: &Posable,
    rows: &[Row],
    plan: &SequencePlan,
    files: &mut Vec<PathBuf>,
) -> Result<(), PipelineError> {
    let poses: Vec<Vec<Pose>> = hands.hands.iter().map(|h| poses(rows, h.rest.side())).collect();
    let clips: Vec<Clip<'_>> = hands
        .hands
        .iter()
        .zip(&poses)
        .map(|(h, poses)| Clip { hand: &h.hand, rest: &h.rest, poses, bake: plan.bake })
        .collect();
    let provenance = Provenance { frame: Frame::Gltf, notes: hands.notes.clone() };
    let (bytes, _) = animated::placed(&clips, plan.fps, &hands.gltf_from_capture, &provenance, plan.files.texture_px)?;
    let path = dir.join("hands.glb");
    atomic::write(&path, &bytes)?;
    Ok(sidecar(path, hands, Frame::Gltf, files)?)
}

fn bvhs(dir: &Path, hands: &Posable, rows: &[Row], fps: f64, files: &mut Vec<PathBuf>) -> Result<(), PipelineError> {
    for hand in &hands.hands {
        let side = hand.rest.side();
        let skeleton = export_files::skeleton(hand, &poses(rows, side), fps);
        let path = dir.join(format!("hand_{side}.bvh"));
        bvh::write(&path, &skeleton, &hands.gltf_from_capture)?;
        sidecar(path, hands, Frame::Gltf, files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_that_is_missing_keeps_its_pose() {
        let hand = |side: Side, x: f64| HandParameters { transl: [x, 0.0, 0.0], ..HandParameters::rest(side) };
        let frame = |number: u32, hands: Vec<HandParameters>| MotionFrame {
            name: number.to_string(),
            number,
            capture_hash: String::new(),
            cameras: Vec::new(),
            hands,
            problem: None,
        };
        let (left, right) = (|x| hand(Side::Left, x), |x| hand(Side::Right, x));
        let frames = [frame(2, vec![right(2.0)]), frame(3, vec![]), frame(5, vec![left(5.0), right(5.0)])];
        let found = rows(&frames);
        let told: Vec<(u32, f64, bool)> = found
            .iter()
            .map(|r| (r.number, r.hands[1].as_ref().expect("right").0.transl[0], r.hands[1].as_ref().expect("right").1))
            .collect();
        assert_eq!(told, [(2, 2.0, true), (3, 2.0, false), (4, 2.0, false), (5, 5.0, true)], "right");
        assert!(
            found.iter().all(|r| r.hands[0].as_ref().expect("left").0.transl[0] == 5.0),
            "left, before it was seen"
        );
        let far = [frame(0, vec![right(0.0)]), frame(900, vec![right(9.0)])];
        assert_eq!(rows(&far).len(), 2, "a long pause is not filled");
    }
}
