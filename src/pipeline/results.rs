//! What a run writes at the end of each stage.

use super::{RunOptions, Snapshot};
use crate::anatomy::Side;
use crate::capture::Capture;
use crate::export::npz::Npz;
use crate::export::{ExportError, ExportHand, Frame, Provenance, atomic, joints, npz, ply};
use crate::fitting::ham::{FineMesh, Vertices};
use crate::fitting::hand_fit::FittedHand;
use crate::fitting::masks::JudgedMask;
use crate::fitting::pose::{DetectionReport, PoseResult, PoseViewReport};
use crate::hand::HandModel;
use crate::metrics::ViewScore;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Median reprojection of a view's assigned detections after refinement, pixels.
pub(super) fn median_after_px(view: &PoseViewReport) -> Option<f64> {
    median_px(view, |d| d.after_px)
}

/// Median over a view's assigned detections.
pub(super) fn median_px(view: &PoseViewReport, of: impl Fn(&DetectionReport) -> Option<f64>) -> Option<f64> {
    let mut values: Vec<f64> = view.detections.iter().filter(|d| d.assigned.is_some()).filter_map(of).collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[n / 2]),
        n => Some(0.5 * (values[n / 2 - 1] + values[n / 2])),
    }
}

/// `joints.json` and `views.csv` as far as it is known after the pose stage.
pub(super) fn write_pose(
    folder: &Path,
    capture: &Capture,
    options: &RunOptions,
    pose: &PoseResult,
) -> Result<(), ExportError> {
    let sides = [0, 1].map(|i| pose.joints.hands[i].as_ref().map(|h| h.joints));
    joints::write(&folder.join("joints.json"), &joints::Joints::new(sides))?;
    write_views(folder, capture, options, pose, &[], &[])
}

/// `views.csv`, one row a view of the capture; `masks` (one a view) and `scores` (view number, scores) are there once HAM
/// has ended.
pub(super) fn write_views(
    folder: &Path,
    capture: &Capture,
    options: &RunOptions,
    pose: &PoseResult,
    masks: &[Option<JudgedMask>],
    scores: &[(usize, ViewScore)],
) -> Result<(), ExportError> {
    let mut csv = String::from(
        "view,name,detections,assigned,before_px,after_px,shift_x_px,shift_y_px,mask,psnr_mask_db,psnr_shared_db,iou,flags\n",
    );
    let number = |x: Option<f64>, digits: usize| x.map_or_else(String::new, |x| format!("{x:.digits$}"));
    for (v, view) in capture.views.iter().enumerate() {
        // Reports are of the views that took part, which need not be all.
        let report = pose.views.iter().find(|r| r.view == v);
        let score = scores.iter().find(|(number, _)| *number == v).map(|(_, score)| score);
        let image = score.map(|s| &s.shaded.image);
        let detections = report.map_or(&[][..], |r| &r.detections);
        let assigned: Vec<&str> = detections.iter().filter_map(|d| d.assigned).map(Side::name).collect();
        let before = detections.iter().filter_map(|d| d.before_px).reduce(f64::max);
        let shift = report.and_then(|r| r.flagged_shift_px);
        let flags: Vec<&str> = [
            (options.hold_out.contains(&v), "held-out"),
            (options.exclude.contains(&v), "excluded"),
            (shift.is_some(), "camera-off"),
            (detections.iter().any(|d| d.assigned.is_none()), "detection-rejected"),
            (score.is_some_and(|s| s.mask_trusted == Some(false)), "mask-not-trusted"),
        ]
        .iter()
        .filter(|(applies, _)| *applies)
        .map(|(_, flag)| *flag)
        .collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            csv,
            "{v},{},{},{},{},{},{},{},{},{},{},{},{}",
            csv_text(&view.name),
            report.map_or_else(String::new, |r| r.detections.len().to_string()),
            assigned.join("+"),
            number(before, 2),
            number(report.and_then(median_after_px), 2),
            number(shift.map(|s| s[0]), 2),
            number(shift.map(|s| s[1]), 2),
            masks.get(v).and_then(Option::as_ref).map_or("", |judged| judged.report.verdict.name()),
            number(image.and_then(|s| s.psnr_mask), 2),
            number(image.and_then(|s| s.psnr_shared), 2),
            number(image.and_then(|s| s.iou), 4),
            flags.join("+")
        );
    }
    atomic::write(&folder.join("views.csv"), csv.as_bytes())
}

/// A field of a CSV line: quoted where it must be (RFC 4180), as names of views come from files.
#[must_use]
pub fn csv_text(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text.into()
    }
}

/// `hand_*.npz` and the fitted model as a first `mesh_*.ply`.
pub(super) fn write_fit(
    folder: &Path,
    models: &[Arc<HandModel>; 2],
    fitted: &[FittedHand],
    pose: &PoseResult,
) -> Result<(), ExportError> {
    for hand in fitted {
        let side = hand.posed.parameters.side;
        let model = &models[side.index()];
        let found = pose.joints.hands[side.index()].as_ref().map_or(hand.posed.keypoints, |h| h.joints);
        npz::write(&folder.join(format!("hand_{side}.npz")), &hand.posed.parameters, model, &found)?;
        let albedo = vec![[0.7, 0.6, 0.55]; hand.posed.vertices.len()];
        let mesh = ExportHand { albedo, ..ExportHand::of_model(model, &hand.posed) };
        let provenance = Provenance { frame: Frame::Capture, notes: vec![("stage".to_owned(), "fit".to_owned())] };
        ply::write(&folder.join(format!("mesh_{side}.ply")), &mesh, &provenance)?;
    }
    Ok(())
}

/// The fine hands as the writers take them, capture frame.
pub(super) fn export_hands(
    mesh: &FineMesh,
    vertices: &Vertices,
    fitted: &[FittedHand],
    models: &[Arc<HandModel>; 2],
) -> Vec<ExportHand> {
    mesh.hands
        .iter()
        .map(|hand| {
            let model = &models[hand.side.index()];
            let wide =
                |list: &[[f32; 3]]| list[hand.vertices.clone()].iter().map(|v| v.map(f64::from)).collect::<Vec<_>>();
            let parameters = fitted.iter().find(|f| f.posed.parameters.side == hand.side);
            ExportHand {
                side: hand.side,
                positions: wide(&vertices.positions),
                normals: wide(&vertices.normals),
                albedo: wide(&vertices.albedo).iter().map(|c| c.map(|x| x.clamp(0.0, 1.0))).collect(),
                faces: hand.faces.to_vec(),
                uvs: hand.uvs.to_vec(),
                uv_faces: hand.uv_faces.to_vec(),
                parameters: parameters.map(|f| f.posed.parameters.clone()),
                model_name: model.name.clone(),
                model_hash: model.hash.clone(),
                texture: None,
                relief: None,
                texture_format: crate::export::TextureFormat::default(),
            }
        })
        .collect()
}

/// `mesh_*.ply` in capture metres.
pub(super) fn write_meshes(
    folder: &Path,
    hands: &[ExportHand],
    capture: &Capture,
    options: &RunOptions,
) -> Result<(), ExportError> {
    for hand in hands {
        let notes = vec![
            ("capture".to_owned(), capture.name.clone()),
            ("preset".to_owned(), options.preset_name.clone()),
            ("seed".to_owned(), options.seed.to_string()),
        ];
        ply::write(
            &folder.join(format!("mesh_{}.ply", hand.side)),
            hand,
            &Provenance { frame: Frame::Capture, notes },
        )?;
    }
    Ok(())
}

/// One snapshot for scrubbing: `track/00012.npz` with positions (f32) and albedo (RGB8 as numbers) a hand.
pub(super) fn write_track(folder: &Path, snapshot: &Snapshot) -> Result<(), ExportError> {
    let dir = folder.join("track");
    std::fs::create_dir_all(&dir).map_err(ExportError::io(&dir))?;
    let mut file = Npz::default();
    file.text("stage", snapshot.stage.name());
    file.text("phase", &snapshot.phase);
    file.integer("iter", i64::from(snapshot.iter));
    file.integer("step", i64::from(snapshot.step));
    for hand in &snapshot.hands {
        let flat = |list: &[[f32; 3]]| list.iter().flatten().copied().collect::<Vec<f32>>();
        let shape = [hand.positions.len(), 3];
        file.f32s(&format!("{}_positions", hand.side), &shape, &flat(&hand.positions));
        file.f32s(&format!("{}_albedo", hand.side), &shape, &flat(&hand.albedo));
    }
    atomic::write(&dir.join(format!("{:05}.npz", snapshot.step)), &file.to_bytes()?)
}
