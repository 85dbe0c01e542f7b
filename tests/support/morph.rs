//! A test double for the studio: an engine that lets two spheres grow into lumpy "hands" with decaying losses, and a
//! capture painted to match. Compiled into tests only.

#![expect(clippy::cast_possible_truncation, reason = "made-up numbers of a sensible size")]

use image::{GrayImage, Luma, Rgb, RgbImage};
use nalgebra::{Matrix3, Vector2, Vector3};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use thenar::anatomy::{KEYPOINTS, Side};
use thenar::camera::Camera;
use thenar::capture::{Capture, CaptureError, Inference, Keypoints, OpenOptions, View};
use thenar::export::{ExportError, ExportHand};
use thenar::fitting::ham::HamError;
use thenar::gpu::GpuError;
use thenar::hand::{FineModel, HandParameters, Pose, RestHand, open_hand};
use thenar::mesh::vertex_normals;
use thenar::pipeline::{
    Advance, Effective, HandSnapshot, PipelineError, PosableHand, Snapshot, Stage, StepReport, ViewPicture,
};
use thenar::studio::{
    Backend, Engine, ExportJob, ExportRequest, Look, Opened, Parameter, PresetInfo, ResumeRequest, RunRequest,
    RunViews, Started,
};

/// Centres of the two test hands, world metres.
const CENTRES: [[f64; 3]; 2] = [[-0.09, 0.0, 0.0], [0.09, 0.0, 0.0]];
/// Half axes of the final test hands, metres.
const HALF_AXES: [f64; 3] = [0.045, 0.085, 0.02];

/// Cameras on an arc around the origin, 0.7 m away, image 320×256.
pub(crate) fn test_camera(index: usize, count: usize) -> Camera {
    let angle = (index as f64 / count.max(2) as f64 - 0.5) * 4.2;
    let height = if index.is_multiple_of(2) { -0.12 } else { -0.34 };
    let centre = Vector3::new(0.7 * angle.sin(), height, -0.7 * angle.cos());
    let z = -centre.normalize();
    let x = z.cross(&Vector3::new(0.0, -1.0, 0.0)).normalize();
    let x = if x.norm() > 0.5 { x } else { Vector3::x() };
    let y = z.cross(&x);
    let rotation = Matrix3::from_rows(&[x.transpose(), y.transpose(), z.transpose()]);
    Camera {
        width_px: 320,
        height_px: 256,
        k: Matrix3::new(420.0, 0.0, 166.0, 0.0, 420.0, 121.0, 0.0, 0.0, 1.0),
        rotation,
        translation: -(rotation * centre),
    }
}

/// True when the ray through the pixel meets test hand `hand`.
fn hits(camera: &Camera, px: &Vector2<f64>, hand: usize) -> Option<f64> {
    let (o, d) = (camera.centre() - Vector3::from(CENTRES[hand]), camera.ray_world(px));
    let s = Vector3::from(HALF_AXES);
    let (o, d) = (o.component_div(&s), d.component_div(&s));
    let (a, b, c) = (d.dot(&d), o.dot(&d), o.dot(&o) - 1.0);
    let disc = b * b - a * c;
    (disc > 0.0).then(|| (-b - disc.sqrt()) / a)
}

fn joints(hand: usize) -> [[f64; 3]; KEYPOINTS] {
    let mut out = [[0.0; 3]; KEYPOINTS];
    for (k, joint) in out.iter_mut().enumerate() {
        // A palm of 60 mm, so that the lumps pass for hands.
        let (finger, y) =
            if k == 0 { (2.0, 0.08) } else { (((k - 1) / 4) as f64, 0.02 - ((k - 1) % 4) as f64 * 0.1 / 3.0) };
        let c = CENTRES[hand];
        *joint = [c[0] + (finger - 2.0) * 0.017, c[1] + y, c[2]];
    }
    out
}

/// A capture of `count` views with masks and keypoints.
pub(crate) fn test_capture(count: usize) -> Capture {
    let views = (0..count)
        .map(|i| {
            let camera = test_camera(i, count);
            let mut image = RgbImage::new(320, 256);
            let mut mask = GrayImage::new(320, 256);
            for (x, y, p) in image.enumerate_pixels_mut() {
                let px = Vector2::new(f64::from(x) + 0.5, f64::from(y) + 0.5);
                let hit = (0..2).find(|&h| hits(&camera, &px, h).is_some());
                let shade = ((x / 16 + y / 16) % 2) as u8 * 8;
                *p = if let Some(h) = hit {
                    mask.put_pixel(x, y, Luma([255]));
                    Rgb([206 - 20 * h as u8, 150, 122 + 12 * h as u8])
                } else {
                    Rgb([52 + shade, 58 + shade, 66 + shade])
                };
            }
            let keypoints = [0, 1].map(|hand| {
                let mut k = Keypoints::detected([[0.0; 2]; KEYPOINTS], [0.9; KEYPOINTS]);
                for (px, joint) in k.px.iter_mut().zip(joints(hand)) {
                    *px = camera.project(&Vector3::from(joint)).map_or([0.0; 2], Into::into);
                }
                Some(k)
            });
            View { name: format!("{i:02}"), camera, image, mask: Some(mask), keypoints }
        })
        .collect();
    Capture {
        name: "two_lumps".to_owned(),
        root: PathBuf::from("two_lumps"),
        format: "test",
        views,
        metres_per_unit: 1.0,
        inferences: inferences(&OpenOptions::default()),
        options: OpenOptions::default(),
        warnings: vec!["view 01 looks darker than the others".to_owned().into()],
        edits: Arc::default(),
        hash: "0".repeat(64),
    }
}

/// What a reader of the test's captures would say.
pub(crate) fn inferences(options: &OpenOptions) -> Vec<Inference> {
    let fact = |what: &str, found: &str, set: Option<String>, reason: &str| Inference {
        what: what.to_owned(),
        reason: if set.is_some() { "set by hand".to_owned() } else { reason.to_owned() },
        value: set.unwrap_or_else(|| found.to_owned()),
    };
    let convention = "convention of the format";
    vec![
        fact("format", "opencv", options.format.map(|v| v.to_string()), "found by calibration.json"),
        fact("direction", "world-to-camera", options.direction.map(|v| v.to_string()), convention),
        fact("axes", "opencv", options.axes.map(|v| v.to_string()), convention),
        fact("pixel centre", "0", options.pixel_centre.map(|v| v.to_string()), convention),
        fact("unit", "m", options.units.map(|v| v.to_string()), "the cameras are 0.700 units from what they look at"),
        fact("lens", "opencv, undone", None, "the images were distorted"),
    ]
}

/// An open hand with bumps where the lump of its side is, brought to rest.
pub(crate) fn posable(side: Side) -> anyhow::Result<PosableHand> {
    let fine = Arc::new(FineModel::new(Arc::new(open_hand(side)?), 1));
    let mut parameters = HandParameters::rest(side);
    parameters.transl = CENTRES[side.index()];
    parameters.hand_pose[2] = 0.3 * (2.0 * side.index() as f64 - 1.0);
    let mut positions = fine.pose(&parameters);
    for (i, p) in positions.iter_mut().enumerate() {
        p[1] += 5e-4 * (i as f64).sin();
    }
    let rest = RestHand::from_posed(&fine, &positions, &parameters)?;
    let hand = ExportHand {
        side,
        normals: vertex_normals(&positions, rest.faces()),
        albedo: vec![[0.8, 0.6, 0.5]; positions.len()],
        faces: rest.faces().to_vec(),
        uvs: rest.uvs().to_vec(),
        uv_faces: rest.uv_faces().to_vec(),
        parameters: Some(parameters),
        model_name: "open".to_owned(),
        model_hash: String::new(),
        texture: None,
        relief: None,
        texture_format: thenar::export::TextureFormat::default(),
        positions,
    };
    Ok(PosableHand { rest, hand })
}

/// What the network of the tests paints.
pub(crate) const NETWORK_BLUE: [u8; 4] = [70, 120, 230, 255];

/// The lumps in one colour.
fn painted(camera: &Camera, colour: [u8; 4]) -> Vec<u8> {
    let mut rgba = Vec::new();
    for y in 0..camera.height_px {
        for x in 0..camera.width_px {
            let px = Vector2::new(f64::from(x) + 0.5, f64::from(y) + 0.5);
            let hit = (0..2).any(|h| hits(camera, &px, h).is_some());
            rgba.extend(if hit { colour } else { [0; 4] });
        }
    }
    rgba
}

/// Makes [`MorphEngine`]s.
#[derive(Clone, Debug)]
pub(crate) struct MorphBackend {
    /// Optimiser steps in all.
    pub steps: u32,
    /// Time burnt by each.
    pub step_time: Duration,
    /// Views of the capture that `open` makes up.
    pub views: usize,
    /// View whose camera is off by 12 px.
    pub camera_off: Option<usize>,
    /// Step that returns an error.
    pub fail_at: Option<u32>,
    /// Step that panics.
    pub panic_at: Option<u32>,
    /// Steps that the checkpoint of an unfinished run holds; without one, resuming fails.
    pub resume_at: Option<u32>,
    /// View whose camera the pose stage puts right.
    pub repaired: Option<usize>,
    /// Time that an export takes.
    pub export_time: Duration,
    /// Step whose loss is no number, unless a rate was changed before.
    pub diverge_at: Option<u32>,
    /// A finished run has a network: it paints the lumps blue.
    pub network: bool,
    /// Megabytes that each run never gives back.
    pub leak_mb: usize,
    /// From this step on the disk is full as long as this file exists.
    pub full: Option<(u32, PathBuf)>,
    /// Step at which the device is lost, and how often that is still to happen.
    pub lost: Option<(u32, Arc<AtomicU32>)>,
}

impl Default for MorphBackend {
    fn default() -> Self {
        Self {
            steps: 60,
            step_time: Duration::ZERO,
            views: 8,
            camera_off: None,
            fail_at: None,
            panic_at: None,
            resume_at: None,
            repaired: None,
            export_time: Duration::ZERO,
            diverge_at: None,
            network: false,
            leak_mb: 0,
            full: None,
            lost: None,
        }
    }
}

impl Backend for MorphBackend {
    fn device(&self) -> Result<String, String> {
        Ok("test engine".to_owned())
    }

    fn presets(&self) -> Vec<PresetInfo> {
        let parameter = |group: &str, key: &str, value: f64, integer| Parameter {
            group: group.to_owned(),
            key: key.to_owned(),
            value,
            integer,
            help: format!("what {key} does"),
        };
        ["draft", "standard"]
            .map(|name| PresetInfo {
                name: name.to_owned(),
                summary: format!("the {name} test preset"),
                parameters: vec![
                    parameter("ham · phases", "ham.albedo_epochs", 60.0, true),
                    parameter("ham · phases", "ham.shape_epochs", 120.0, true),
                    parameter("ham · weights", "ham.weight_sfs", 50.0, false),
                    parameter("ham · weights", "ham.weight_lap", 2000.0, false),
                    parameter("ham · weights", "ham.weight_mask", 1000.0, false),
                    parameter("ham · rates", "ham.rate_delta", 1e-4, false),
                    parameter("ham · rates", "ham.rate_albedo", 5e-3, false),
                ],
            })
            .to_vec()
    }

    /// A folder with an entry `ambiguous` is a capture of a format that is set by hand only.
    fn open(&self, path: &Path, options: &OpenOptions) -> anyhow::Result<Opened> {
        anyhow::ensure!(path.exists(), "no such folder");
        if path.join("ambiguous").exists() && options.format.is_none() {
            let candidates = "colmap (found sparse/0), transforms (found transforms.json)".to_owned();
            return Err(CaptureError::Ambiguous { path: path.to_owned(), candidates }.into());
        }
        let mut capture = if path.join("camera").exists() {
            thenar::capture::read_fmhr(path)?
        } else {
            Capture {
                root: path.to_owned(),
                inferences: inferences(options),
                options: options.clone(),
                ..test_capture(self.views)
            }
        };
        if let Some(view) = self.camera_off.and_then(|view| capture.views.get_mut(view)) {
            view.camera.k[(0, 2)] -= 12.0;
        }
        Ok(Opened { capture, run: None, engine: None, sequence: None })
    }

    fn start(&self, request: &RunRequest) -> anyhow::Result<Started> {
        // Written to, or it would lie nowhere.
        std::mem::forget(vec![1_u8; self.leak_mb * 1_000_000]);
        let engine = MorphEngine::new(self.clone(), Arc::clone(&request.capture));
        let run_dir = request.results.clone().unwrap_or_else(|| self.results_folder(&request.capture)).join("1");
        Ok(Started { engine: Box::new(engine), run_dir, steps: Vec::new() })
    }

    fn results_folder(&self, capture: &Capture) -> PathBuf {
        capture.root.with_extension("thenar").join("runs")
    }

    /// Goes on at `resume_at`: its earlier lines are those a new engine would tell.
    fn resume(&self, request: &ResumeRequest) -> anyhow::Result<Started> {
        let at = self.resume_at.ok_or_else(|| anyhow::anyhow!("the checkpoint is damaged"))?;
        let quick = Self { step_time: Duration::ZERO, ..self.clone() };
        let mut engine = MorphEngine::new(quick, Arc::clone(&request.capture));
        let mut steps = Vec::new();
        while steps.len() < at as usize {
            match engine.advance()? {
                Advance::Stepped(report) => steps.push(report),
                Advance::Working | Advance::StageDone(..) => {}
                Advance::Finished => anyhow::bail!("the run has finished"),
            }
        }
        engine.settings.step_time = self.step_time;
        Ok(Started { engine: Box::new(engine), run_dir: request.run_dir.clone(), steps })
    }
}

/// Morphs spheres.
pub(crate) struct MorphEngine {
    settings: MorphBackend,
    capture: Arc<Capture>,
    step: u32,
    announced: usize,
    slower: bool,
    unit: Vec<[f64; 3]>,
    faces: Arc<Vec<[u32; 3]>>,
}

/// A sphere around the origin: vertices, which are normals too, and faces.
pub(crate) fn sphere(rows: u32, columns: u32) -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
    let mut unit = Vec::new();
    for r in 0..=rows {
        for c in 0..columns {
            let (t, p) = (
                f64::from(r) / f64::from(rows) * std::f64::consts::PI,
                f64::from(c) / f64::from(columns) * std::f64::consts::TAU,
            );
            unit.push([t.sin() * p.cos(), t.cos(), t.sin() * p.sin()]);
        }
    }
    let mut faces = Vec::new();
    for r in 0..rows {
        for c in 0..columns {
            let (a, b) = (r * columns + c, r * columns + (c + 1) % columns);
            faces.push([a, b, a + columns]);
            faces.push([b, b + columns, a + columns]);
        }
    }
    (unit, faces)
}

impl MorphEngine {
    fn new(settings: MorphBackend, capture: Arc<Capture>) -> Self {
        let (unit, faces) = sphere(64, 96);
        Self { settings, capture, step: 0, announced: 0, slower: false, unit, faces: Arc::new(faces) }
    }

    fn place(&self) -> (Stage, &'static str, u32, u32) {
        let n = self.settings.steps;
        let (pose, fit, albedo) = (n / 20, n / 5, n / 2);
        let i = self.step;
        if i <= pose {
            (Stage::Pose, "triangulate", i, pose)
        } else if i <= fit {
            (Stage::Fit, "lm", i - pose, fit - pose)
        } else if i <= albedo {
            (Stage::Ham, "albedo", i - fit, albedo - fit)
        } else {
            (Stage::Ham, "shape", i - albedo, n - albedo)
        }
    }
}

impl Engine for MorphEngine {
    fn advance(&mut self) -> anyhow::Result<Advance> {
        let before = self.place().0;
        if self.step >= self.settings.steps {
            return Ok(Advance::Finished);
        }
        if let Some((_, file)) = self.settings.full.as_ref().filter(|(from, file)| self.step >= *from && file.exists())
        {
            let full = ExportError::Io { path: file.clone(), source: std::io::ErrorKind::StorageFull.into() };
            return Err(PipelineError::from(full).into());
        }
        self.step += 1;
        let (stage, phase, iter, iters) = self.place();
        if stage != before && self.announced < stage as usize {
            self.announced = stage as usize;
            self.step -= 1;
            return Ok(Advance::StageDone(before, vec![format!("{before:?} went well")]));
        }
        anyhow::ensure!(self.settings.fail_at != Some(self.step), "loss is not finite");
        if self.settings.diverge_at == Some(self.step) && !self.slower {
            let diverged = HamError::Diverged { term: "sfs", phase: "shape", epoch: self.step };
            return Err(PipelineError::from(diverged).into());
        }
        if let Some((_, left)) = self.settings.lost.as_ref().filter(|(at, _)| *at == self.step) {
            let again = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            anyhow::ensure!(again.is_err(), GpuError::Lost("unplugged".to_owned()));
        }
        assert!(self.settings.panic_at != Some(self.step), "asked to panic");
        std::thread::sleep(self.settings.step_time);
        let x = f64::from(iter);
        let wobble = 1.0 + 0.08 * (x * 1.7).sin();
        let terms = match stage {
            Stage::Pose => vec![("reprojection".to_owned(), 30.0 / x * wobble)],
            Stage::Fit => vec![("joints".to_owned(), 8.0 / x * wobble), ("prior".to_owned(), 0.4 + 0.01 * x)],
            Stage::Ham => vec![
                ("sfs".to_owned(), 2.2 * (-x / 40.0).exp() * wobble + 0.3),
                ("lap".to_owned(), 0.8 * (-x / 80.0).exp() + 0.08),
                ("albedo".to_owned(), 0.02 * wobble + 0.2 / (x + 4.0)),
                ("mask".to_owned(), 0.5 * (-x / 25.0).exp() * wobble + 0.03),
                ("delta".to_owned(), 0.004 + 0.0001 * x),
            ],
            Stage::Neural => vec![("colour".to_owned(), 1.2 * (-x / 30.0).exp() + 0.1)],
        };
        Ok(Advance::Stepped(StepReport {
            t: f64::from(self.step) * 0.05,
            stage,
            phase: phase.to_owned(),
            iter,
            iters,
            total: terms.iter().map(|t| t.1).sum(),
            terms,
        }))
    }

    fn snapshot(&mut self) -> anyhow::Result<Snapshot> {
        let (stage, phase, iter, _) = self.place();
        let t = (f64::from(self.step) / f64::from(self.settings.steps)).clamp(0.0, 1.0);
        let hands = Side::BOTH
            .into_iter()
            .filter(|_| stage > Stage::Pose)
            .map(|side| {
                let c = CENTRES[side.index()];
                let positions: Vec<[f32; 3]> = self
                    .unit
                    .iter()
                    .map(|u| {
                        let lump = 1.0 + 0.12 * t * (u[0] * 9.0).sin() * (u[1] * 14.0).cos();
                        [0, 1, 2].map(|a| (c[a] + u[a] * lump * (0.05 * (1.0 - t) + HALF_AXES[a] * t)) as f32)
                    })
                    .collect();
                let normals = self.unit.iter().map(|u| u.map(|v| v as f32)).collect();
                let albedo = self
                    .unit
                    .iter()
                    .map(|u| {
                        let v = 0.72 + 0.1 * t * (u[0] * 9.0).sin() * (u[1] * 14.0).cos();
                        let grey = 1.0 - t;
                        [v * t + 0.6 * grey, v * 0.76 * t + 0.6 * grey, v * 0.62 * t + 0.6 * grey].map(|c| c as f32)
                    })
                    .collect();
                HandSnapshot { side, faces: Arc::clone(&self.faces), positions, normals, albedo }
            })
            .collect();
        let joints = [Some(joints(0)), Some(joints(1))];
        Ok(Snapshot { stage, phase: phase.to_owned(), iter, step: self.step, joints, hands })
    }

    fn render_view(&mut self, _snapshot: &Snapshot, view: usize, look: Look) -> anyhow::Result<ViewPicture> {
        let camera = self.capture.views[view].camera.clone();
        let colour = match look {
            Look::Shaded => [190, 140, 118, 255],
            Look::Albedo => [220, 170, 140, 255],
            Look::Normals => [128, 220, 128, 255],
            Look::Clay => [120, 120, 120, 255],
            Look::Neural => NETWORK_BLUE,
        };
        Ok(ViewPicture {
            view,
            width: camera.width_px,
            height: camera.height_px,
            rgba: painted(&camera, colour),
            without_gain: false,
        })
    }

    fn render_network(&mut self, camera: &Camera, _poses: Option<&[Pose]>) -> anyhow::Result<Vec<u8>> {
        anyhow::ensure!(self.settings.network, "this run has no network");
        Ok(painted(camera, NETWORK_BLUE))
    }

    fn can_go_on(&self) -> bool {
        true
    }

    /// Weights and rates count at once, everything else in the next run.
    fn change(&mut self, key: &str, value: f64) -> anyhow::Result<Effective> {
        anyhow::ensure!(value < 1e9, "{key} cannot be {value}");
        self.slower |= key.starts_with("ham.rate_");
        let live = key.starts_with("ham.weight_") || key.starts_with("ham.rate_");
        Ok(if live { Effective::NextStep } else { Effective::NextRun })
    }

    fn views(&self) -> RunViews {
        let mut cameras: Vec<Camera> = self.capture.views.iter().map(|v| v.camera.clone()).collect();
        if let (Some(view), true) = (self.settings.repaired, self.announced > 0) {
            cameras[view] = test_camera(view, cameras.len());
        }
        let ended = self.step >= self.settings.steps;
        let all = |value: f64| if ended { vec![Some(value); cameras.len()] } else { Vec::new() };
        let (psnr_db, iou, has_network) = (all(25.5), all(0.9), ended && self.settings.network);
        RunViews { psnr_db, iou, has_network, cameras, ..RunViews::default() }
    }

    fn posable(&mut self) -> anyhow::Result<Vec<PosableHand>> {
        Side::BOTH.into_iter().map(posable).collect()
    }

    fn export(&mut self, request: &ExportRequest) -> anyhow::Result<ExportJob> {
        let plan = request.plan(PathBuf::from("two_lumps.thenar/runs/1/exports"));
        let time = self.settings.export_time;
        Ok(Box::new(move || {
            std::thread::sleep(time);
            anyhow::ensure!(plan.dir != Path::new("/full"), "no space left on device");
            Ok(plan.formats.iter().map(|f| plan.dir.join(format!("hands.{f}"))).collect())
        }))
    }
}
