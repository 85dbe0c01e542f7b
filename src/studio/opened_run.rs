//! A run folder opened in the window: its curves, its stored snapshots, its final meshes, rendered and exported again.

use super::backend::{Detected, Engine, ExportJob, ExportRequest, Look, Opened, RunRecord, RunViews};
use super::network::Network;
use crate::camera::Camera;
use crate::capture::Capture;
use crate::export::ExportHand;
use crate::gpu::{DeviceChoice, Gpu};
use crate::hand::Pose;
use crate::mesh::vertex_normals;
use crate::pipeline::{
    self, Advance, FinishedRun, HandSnapshot, KeypointSource, PictureMaker, PictureMode, PosableHand, Snapshot, Stage,
    StepReport, ViewPicture, has_network, to_rgba8,
};
use anyhow::Context as _;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens a run folder with the capture it was made from.
pub(super) fn open(folder: &Path, device: &DeviceChoice) -> anyhow::Result<Opened> {
    let steps = read_metrics(&folder.join("metrics.jsonl"))?;
    if !folder.join("checkpoint").exists() {
        // Stopped before there was a mesh: nothing to show but the capture, and a run to go on with.
        let record = pipeline::RunRecord::read(folder)?;
        let capture = open_capture(&record)?;
        let detected = detected(&record, &capture, folder)?;
        let edits = record.read_edits(folder)?;
        let run = RunRecord { detected, edits, ..run_record(folder, &record, steps, Vec::new(), true) };
        return Ok(Opened { capture, run: Some(run), engine: None, sequence: None });
    }
    let run = FinishedRun::read(folder)?;
    let capture = open_capture(&run.record)?;
    let last = final_snapshot(&run, &steps);
    let mut snapshots = read_track(&folder.join("track"), &run, &steps)?;
    snapshots.retain(|s| s.step < last.step);
    snapshots.push(last.clone());
    let snapshots = snapshots.into_iter().map(Arc::new).collect();
    let gpu = Gpu::new(device)?;
    let maker = PictureMaker::new(&gpu)?;
    let engine = Finished { maker, gpu, network: None, run, folder: folder.to_owned(), last };
    let resumable = !engine.run.checkpoint.facts.finished || engine.run.checkpoint.ham.is_none();
    let detected = detected(&engine.run.record, &capture, folder)?;
    let edits = engine.run.record.read_edits(folder)?;
    let record = RunRecord { detected, edits, ..run_record(folder, &engine.run.record, steps, snapshots, resumable) };
    Ok(Opened { capture, run: Some(record), engine: Some(Box::new(engine)), sequence: None })
}

/// The capture as its files have it: what the user has changed is laid over it in the window, where it can be undone.
fn open_capture(record: &pipeline::RunRecord) -> anyhow::Result<Capture> {
    let capture = Capture::open_with(&record.capture, &record.capture_options);
    capture.with_context(|| format!("the capture of this run, {}", record.capture.display()))
}

/// What the run has found in the images, if that is where its keypoints come from.
fn detected(record: &pipeline::RunRecord, capture: &Capture, folder: &Path) -> anyhow::Result<Detected> {
    Ok(match record.keypoints {
        KeypointSource::Capture => None,
        KeypointSource::Detected => Some(Arc::new(pipeline::detected_keypoints(capture, folder)?)),
    })
}

fn run_record(
    folder: &Path,
    record: &pipeline::RunRecord,
    steps: Vec<StepReport>,
    snapshots: Vec<Arc<Snapshot>>,
    resumable: bool,
) -> RunRecord {
    RunRecord {
        dir: folder.to_owned(),
        steps,
        snapshots,
        preset: record.preset_name.clone(),
        excluded: record.exclude.clone(),
        held_out: record.hold_out.clone(),
        resumable,
        detected: None,
        edits: Arc::default(),
    }
}

/// Lines of `metrics.jsonl`; a last line that was cut short is left out.
pub(super) fn read_metrics(path: &Path) -> anyhow::Result<Vec<StepReport>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text.lines().filter_map(parse_metrics).collect())
}

/// PSNR over rendered ∩ mask and `IoU` of each view, from `views.csv`; empty where there are none yet.
pub(super) fn read_scores(folder: &Path) -> [Vec<Option<f64>>; 2] {
    let path = folder.join("views.csv");
    match std::fs::read_to_string(&path) {
        Ok(text) => ["psnr_shared_db", "iou"].map(|column| parse_scores(&text, column)),
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!("{} cannot be read ({error}); views show their own scores only", path.display());
            }
            [Vec::new(), Vec::new()]
        }
    }
}

/// The column is counted from the end of the line, as a view's name may hold commas.
fn parse_scores(text: &str, column: &str) -> Vec<Option<f64>> {
    let mut lines = text.lines();
    let Some(from_end) = lines.next().and_then(|head| head.rsplit(',').position(|name| name == column)) else {
        return Vec::new();
    };
    let mut scores = Vec::new();
    for line in lines {
        let Some(view) = line.split(',').next().and_then(|v| v.parse::<usize>().ok()) else { continue };
        if view != scores.len() {
            tracing::warn!("views.csv has no row for view {}; its scores are not shown", scores.len());
            return Vec::new();
        }
        scores.push(line.rsplit(',').nth(from_end).and_then(|v| v.parse().ok()));
    }
    if scores.iter().all(Option::is_none) { Vec::new() } else { scores }
}

fn parse_metrics(line: &str) -> Option<StepReport> {
    const FIXED: [&str; 6] = ["t", "stage", "phase", "iter", "iters", "total"];
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let number = |name: &str| value.get(name)?.as_f64();
    let count = |name: &str| u32::try_from(value.get(name)?.as_u64()?).ok();
    let terms = value
        .as_object()?
        .iter()
        .filter(|(name, _)| !FIXED.contains(&name.as_str()))
        .filter_map(|(name, v)| Some((name.clone(), v.as_f64()?)))
        .collect();
    Some(StepReport {
        t: number("t")?,
        stage: serde_json::from_value(value.get("stage")?.clone()).ok()?,
        phase: value.get("phase")?.as_str()?.to_owned(),
        iter: count("iter")?,
        iters: count("iters")?,
        total: number("total")?,
        terms,
    })
}

/// As the screen has it.
#[expect(clippy::cast_possible_truncation, reason = "the screen needs no more than f32")]
pub(super) fn narrow(list: &[[f64; 3]]) -> Vec<[f32; 3]> {
    list.iter().map(|p| p.map(|v| v as f32)).collect()
}

fn final_snapshot(run: &FinishedRun, steps: &[StepReport]) -> Snapshot {
    let hands = run
        .hands()
        .into_iter()
        .map(|hand| HandSnapshot {
            side: hand.side,
            positions: narrow(&hand.positions),
            normals: narrow(&hand.normals),
            albedo: narrow(&hand.albedo),
            faces: Arc::new(hand.faces),
        })
        .collect();
    let step = run.checkpoint.facts.step;
    let (stage, phase, iter) = place(steps, step);
    Snapshot { stage, phase, iter, step, joints: run.joints(), hands }
}

/// The final meshes of a run at the level that is shown while many are played; `step` is the snapshot's.
pub(super) fn played(folder: &Path, step: u32) -> anyhow::Result<Snapshot> {
    let run = FinishedRun::read(folder)?;
    let hands = run
        .hands()
        .into_iter()
        .zip(run.track_faces())
        .map(|(hand, faces)| {
            let count = faces.iter().flatten().max().map_or(0, |m| *m as usize + 1);
            let part = |list: &[[f64; 3]]| narrow(&list[..count.min(list.len())]);
            HandSnapshot {
                side: hand.side,
                positions: part(&hand.positions),
                normals: part(&hand.normals),
                albedo: part(&hand.albedo),
                faces,
            }
        })
        .collect();
    Ok(Snapshot { stage: Stage::Ham, phase: String::new(), iter: 0, step, joints: run.joints(), hands })
}

/// Stage, phase and iteration of a metrics line.
fn place(steps: &[StepReport], step: u32) -> (Stage, String, u32) {
    let line = (step as usize).checked_sub(1).and_then(|i| steps.get(i)).or_else(|| steps.last());
    line.map_or((Stage::Ham, String::new(), 0), |s| (s.stage, s.phase.clone(), s.iter))
}

/// Stored snapshots in order; files that do not fit the meshes of the run are left out.
fn read_track(folder: &Path, run: &FinishedRun, steps: &[StepReport]) -> anyhow::Result<Vec<Snapshot>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let hands = run.hands();
    let faces = run.track_faces();
    let mut files: Vec<(u32, PathBuf)> = std::fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let step = path.file_stem()?.to_str()?.parse().ok()?;
            (path.extension()? == "npz").then_some((step, path))
        })
        .collect();
    files.sort();
    let mut out = Vec::new();
    for (step, path) in files {
        let Some(hands) = read_snapshot(&path, &hands, &faces) else {
            tracing::warn!("{} does not fit this run and is not shown", path.display());
            continue;
        };
        let (stage, phase, iter) = place(steps, step);
        out.push(Snapshot { stage, phase, iter, step, joints: run.joints(), hands });
    }
    Ok(out)
}

fn read_snapshot(path: &Path, hands: &[ExportHand], faces: &[Arc<Vec<[u32; 3]>>]) -> Option<Vec<HandSnapshot>> {
    let mut archive = npyz::npz::NpzArchive::new(BufReader::new(std::fs::File::open(path).ok()?)).ok()?;
    let mut array = |name: &str, vertices: usize| -> Option<Vec<[f32; 3]>> {
        let flat: Vec<f32> = archive.by_name(name).ok()??.into_vec().ok()?;
        let (triples, rest) = flat.as_chunks::<3>();
        (triples.len() == vertices && rest.is_empty()).then(|| triples.to_vec())
    };
    hands
        .iter()
        .zip(faces)
        .map(|(hand, faces)| {
            // Snapshots hold the display level, whose vertices are the first of the mesh.
            let count = faces.iter().flatten().max().map_or(0, |m| *m as usize + 1);
            let positions = array(&format!("{}_positions", hand.side), count)?;
            let albedo = array(&format!("{}_albedo", hand.side), count)?;
            let wide: Vec<[f64; 3]> = positions.iter().map(|p| p.map(f64::from)).collect();
            let normals = narrow(&vertex_normals(&wide, faces));
            Some(HandSnapshot { side: hand.side, faces: Arc::clone(faces), positions, normals, albedo })
        })
        .collect()
}

/// Renders and exports a run at rest.
struct Finished {
    maker: PictureMaker,
    gpu: Gpu,
    network: Option<Network>,
    run: FinishedRun,
    folder: PathBuf,
    last: Snapshot,
}

/// The mode of the renderer; `None` for the network's.
pub(super) const fn mode_of(look: Look) -> Option<PictureMode> {
    match look {
        Look::Shaded => Some(PictureMode::Shaded),
        Look::Albedo => Some(PictureMode::Albedo),
        Look::Normals => Some(PictureMode::Normals),
        Look::Clay => Some(PictureMode::Clay),
        Look::Neural => None,
    }
}

/// A view by the network of a run.
pub(super) fn neural_view(run: &FinishedRun, network: &mut Network, view: usize) -> anyhow::Result<ViewPicture> {
    let rgba = network.view(run, view)?;
    let camera = &run.checkpoint.facts.cameras[view];
    let without_gain = !run.took_part(view);
    Ok(ViewPicture { view, width: camera.width_px, height: camera.height_px, rgba, without_gain })
}

impl Finished {
    /// The run and its network, which is uploaded the first time.
    fn network(&mut self) -> anyhow::Result<(&FinishedRun, &mut Network)> {
        let network = match self.network.take() {
            Some(network) => network,
            None => Network::open(&self.run, &self.gpu)?,
        };
        Ok((&self.run, self.network.insert(network)))
    }
}

impl Engine for Finished {
    fn advance(&mut self) -> anyhow::Result<Advance> {
        Ok(Advance::Finished)
    }

    fn snapshot(&mut self) -> anyhow::Result<Snapshot> {
        Ok(self.last.clone())
    }

    fn device_bytes(&self) -> Option<u64> {
        Some(self.gpu.held_bytes())
    }

    fn render_view(&mut self, snapshot: &Snapshot, view: usize, look: Look) -> anyhow::Result<ViewPicture> {
        let Some(mode) = mode_of(look) else {
            let (run, network) = self.network()?;
            return neural_view(run, network, view);
        };
        let pixels = self.run.render_snapshot(&mut self.maker, snapshot, view, mode)?;
        let camera = &self.run.checkpoint.facts.cameras[view];
        let without_gain = !self.run.took_part(view);
        let rgba = to_rgba8(&pixels);
        Ok(ViewPicture { view, width: camera.width_px, height: camera.height_px, rgba, without_gain })
    }

    fn render_network(&mut self, camera: &Camera, poses: Option<&[Pose]>) -> anyhow::Result<Vec<u8>> {
        let (run, network) = self.network()?;
        network.look(run, camera, poses)
    }

    fn posable(&mut self) -> anyhow::Result<Vec<PosableHand>> {
        Ok(self.run.posable()?)
    }

    fn views(&self) -> RunViews {
        let [psnr_db, iou] = read_scores(&self.folder);
        RunViews {
            cameras: self.run.checkpoint.facts.cameras.clone(),
            psnr_db,
            iou,
            has_network: has_network(&self.folder),
            vertices: self.run.vertex_counts(),
            light: self.run.mean_light(),
            restart_points: pipeline::restart_points(&self.folder),
        }
    }

    fn export(&mut self, request: &ExportRequest) -> anyhow::Result<ExportJob> {
        let (exportable, plan) = (self.run.exportable(), request.plan(self.run.exports_folder()));
        Ok(Box::new(move || Ok(exportable.write(&plan)?)))
    }

    fn export_step(&mut self, request: &ExportRequest, snapshot: &Snapshot) -> anyhow::Result<ExportJob> {
        let plan = request.plan(self.run.exports_folder());
        let exportable = self.run.exportable().at_step(snapshot)?;
        Ok(Box::new(move || Ok(exportable.write(&plan)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_over_rendered_and_mask_whatever_a_view_is_called() {
        let text = "view,name,detections,assigned,before_px,after_px,shift_x_px,shift_y_px,psnr_mask_db,psnr_shared_db,iou,flags\n\
            0,00,2,left,9.88,9.88,,,17.76,21.01,0.7937,detection-rejected\n\
            1,\"one, \"\"two\"\"\",1,left,5.50,5.50,,,28.87,28.88,0.1423,\n\
            2,02,,,,,,,,,,excluded\n";
        assert_eq!(parse_scores(text, "psnr_shared_db"), [Some(21.01), Some(28.88), None], "one a view");
        assert_eq!(parse_scores(text, "iou"), [Some(0.7937), Some(0.1423), None], "and of the silhouettes");
        let early: String =
            text.lines().take(1).chain(["0,00,2,left,9.88,9.88,,,,,,"]).map(|l| format!("{l}\n")).collect();
        assert!(parse_scores(&early, "psnr_shared_db").is_empty(), "none before the end of HAM");
        assert!(parse_scores("0,00,1", "iou").is_empty(), "nor from another file");
    }

    #[test]
    fn metrics_lines_come_back_and_cut_ones_are_left_out() {
        let line = r#"{"t":1.5,"stage":"ham","phase":"shape","iter":3,"iters":60,"total":2.0,"sfs":1.5,"lap":0.5}"#;
        let report = parse_metrics(line).expect("a whole line");
        assert_eq!((report.stage, report.phase.as_str(), report.iter), (Stage::Ham, "shape", 3), "where");
        assert_eq!(report.terms.iter().map(|t| t.1).sum::<f64>(), 2.0, "all terms: {:?}", report.terms);
        assert_eq!(parse_metrics(&line[..60]), None, "half a line is no line");
    }
}
