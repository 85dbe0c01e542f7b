//! A run folder read back: for `export`, `render`, `evaluate` and the studio.

use super::Snapshot;
use super::checkpoint::Checkpoint;
use super::comparison::{RunViews, Scoring, ViewShader};
use super::picture::{PictureMaker, PictureMode};
use super::reconstruction::joined;
use super::run_folder::RunRecord;
use super::{Exportable, PipelineError, PosableHand, masks, results};
use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::{Camera, CameraResidual};
use crate::capture::{Capture, Edits};
use crate::export::{ExportHand, joints, ply};
use crate::fitting::ham::{FineMesh, Vertices, to_f32};
use crate::fitting::masks::JudgedMask;
use crate::gpu::Gpu;
use crate::hand::{HandModel, PosedHand, pose_hand};
use crate::mesh::{TriMesh, vertex_normals};
use crate::metrics::{
    Evaluation, Lpips, Measures, MeshScore, ReferenceSurface, SurfaceSamples, SurfaceScore, WristCut, joint_mean_mm,
    score, score_meshes,
};
use crate::shading::LIGHT_STRIDE;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// What of a true hand results are held against: all above its boundary and a margin.
pub(super) fn wrist_cut(truth: &TriMesh) -> Option<WristCut> {
    const WRIST_MARGIN_M: f64 = 0.005;
    WristCut::from_boundary(truth, WRIST_MARGIN_M)
}

/// What [`FinishedRun::evaluate`] uses beyond the run and its capture.
#[derive(Default)]
pub struct EvaluateOptions<'a> {
    /// Folder with the true meshes and joints.
    pub ground_truth: Option<&'a Path>,
    /// LPIPS, with the user's weights.
    pub lpips: Option<&'a Lpips>,
    /// The neural renderer, to be held beside the shaded pictures.
    pub neural: Option<&'a mut ViewShader<'a>>,
}

/// A run at rest with its meshes in full precision.
pub struct FinishedRun {
    /// What made it.
    pub record: RunRecord,
    /// Resume point.
    pub checkpoint: Checkpoint,
    models: [Arc<HandModel>; 2],
    pub(super) mesh: FineMesh,
    pub(super) vertices: Vertices,
    pub(super) lights: Vec<[f64; LIGHT_STRIDE]>,
    /// What each camera is off by over its picture; one entry a view; empty before HAM.
    pub(super) residuals: Vec<CameraResidual>,
    folder: PathBuf,
    /// What the user had changed of the capture.
    pub(super) edits: Arc<Edits>,
    /// Masks as HAM used them, one entry a view; read when they are first needed.
    masks: OnceLock<Vec<Option<JudgedMask>>>,
}

fn posed_hands(checkpoint: &Checkpoint, models: &[Arc<HandModel>; 2]) -> Vec<PosedHand> {
    let hands = checkpoint.facts.hands.iter();
    hands.map(|h| pose_hand(&models[h.parameters.side.index()], &h.parameters)).collect()
}

impl FinishedRun {
    /// Opens a run folder whose fit stage has ended, with the hand models it was made with.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] when there is no mesh yet, [`PipelineError::Hand`] when a model's file is gone or has
    /// changed.
    pub fn read(folder: &Path) -> Result<Self, PipelineError> {
        Self::open(folder, RunRecord::read(folder)?.load_models()?)
    }

    /// Opens a run folder whose fit stage has ended; `models` must be those of the run.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] when there is no mesh yet.
    pub fn open(folder: &Path, models: [Arc<HandModel>; 2]) -> Result<Self, PipelineError> {
        let record = RunRecord::read(folder)?;
        let edits = record.read_edits(folder)?;
        let unfinished = |problem: &str| PipelineError::Unfinished {
            path: folder.display().to_string(),
            problem: problem.to_owned(),
        };
        let path = folder.join("checkpoint");
        if !path.exists() {
            return Err(unfinished("has no checkpoint yet; finish it with `reconstruct --resume`"));
        }
        let checkpoint = Checkpoint::read(&path)?;
        if checkpoint.facts.model_hashes.each_ref() != [&models[0].hash, &models[1].hash] {
            return Err(unfinished("was made with other hand models than this version has; start it again"));
        }
        let posed = posed_hands(&checkpoint, &models);
        let hands: Vec<(&HandModel, &PosedHand)> =
            posed.iter().map(|p| (&*models[p.parameters.side.index()], p)).collect();
        let level = match &checkpoint.ham {
            Some(ham) if ham.is_coarse() => record.preset.ham.level.saturating_sub(1),
            Some(_) => record.preset.ham.level,
            None => 0,
        };
        let mesh = FineMesh::new(&hands, level);
        let list = |name: &str| {
            checkpoint
                .ham
                .as_ref()
                .and_then(|h| h.lists.iter().find(|(n, _)| n == name))
                .map(|(_, list)| list.as_slice())
        };
        let unpad = |list: &[f32]| list.chunks_exact(4).map(|c| [c[0], c[1], c[2]]).collect::<Vec<[f32; 3]>>();
        let vertices = match (list("positions"), list("albedo")) {
            (Some(p), Some(a)) if p.len() == mesh.positions.len() * 4 && a.len() == p.len() => {
                let positions = unpad(p);
                let wide: Vec<[f64; 3]> = positions.iter().map(|p| p.map(f64::from)).collect();
                let normals = vertex_normals(&wide, &mesh.topology.faces).iter().map(|n| n.map(to_f32)).collect();
                Vertices { positions, normals, albedo: unpad(a) }
            }
            (None, None) => Vertices {
                positions: mesh.positions.iter().map(|p| p.map(to_f32)).collect(),
                normals: vertex_normals(&mesh.positions, &mesh.topology.faces).iter().map(|n| n.map(to_f32)).collect(),
                albedo: vec![[0.7, 0.6, 0.55]; mesh.positions.len()],
            },
            _ => return Err(unfinished("has a checkpoint that does not fit the hand model; was the model changed?")),
        };
        let lights = list("lights").map_or_else(Vec::new, |flat| {
            flat.chunks_exact(LIGHT_STRIDE).map(|c| std::array::from_fn(|k| f64::from(c[k]))).collect()
        });
        let views = checkpoint.facts.cameras.len();
        let residuals = checkpoint.ham.as_ref().map_or_else(Vec::new, |ham| ham.residuals(views));
        Ok(Self {
            record,
            checkpoint,
            models,
            mesh,
            vertices,
            lights,
            residuals,
            edits,
            folder: folder.to_owned(),
            masks: OnceLock::new(),
        })
    }

    /// The hands in the capture frame, full precision.
    #[must_use]
    pub fn hands(&self) -> Vec<ExportHand> {
        let mut hands = results::export_hands(&self.mesh, &self.vertices, &[], &self.models);
        for hand in &mut hands {
            let facts = self.checkpoint.facts.hands.iter().find(|h| h.parameters.side == hand.side);
            hand.parameters = facts.map(|h| h.parameters.clone());
        }
        hands
    }

    /// The fitted hands as the model alone has them, in the capture frame.
    pub(super) fn posed(&self) -> Vec<PosedHand> {
        posed_hands(&self.checkpoint, &self.models)
    }

    /// 3D joints by side.
    #[must_use]
    pub fn joints(&self) -> [Option<[[f64; 3]; KEYPOINTS]>; 2] {
        Side::BOTH.map(|side| self.checkpoint.facts.hands.iter().find(|h| h.parameters.side == side).map(|h| h.joints))
    }

    /// What is exported; [`Exportable::write`] writes it.
    #[must_use]
    pub fn exportable(&self) -> Exportable {
        Exportable {
            hands: self.hands(),
            mesh: self.mesh.clone(),
            cameras: self.checkpoint.facts.cameras.clone(),
            models: self.models.clone(),
            joints: self.joints(),
            preset: self.record.preset_name.clone(),
            notes: self.notes(),
            photographs: Some(self.photographs()),
        }
    }

    /// Where the run's files come from.
    fn notes(&self) -> Vec<(String, String)> {
        let record = &self.record;
        let name = |p: &Path| p.file_name().unwrap_or_default().to_string_lossy().into_owned();
        vec![
            ("run".to_owned(), name(&self.folder)),
            ("capture".to_owned(), name(&record.capture)),
            ("capture sha256".to_owned(), record.capture_hash.clone()),
            ("seed".to_owned(), record.seed.to_string()),
            ("epochs".to_owned(), self.checkpoint.facts.step.to_string()),
        ]
    }

    /// The hands in the rest pose, ready to be posed.
    ///
    /// # Errors
    /// [`PipelineError::Rest`] when a mesh does not fit its model.
    pub fn posable(&self) -> Result<Vec<PosableHand>, PipelineError> {
        PosableHand::all(self.hands(), &self.mesh, &self.models)
    }

    /// The rig's mean light in world space: nine coefficients, three gains; `None` before HAM.
    #[must_use]
    pub fn mean_light(&self) -> Option<[f64; LIGHT_STRIDE]> {
        (!self.lights.is_empty()).then(|| self.run_views().mean_light())
    }

    /// Vertices of each hand.
    #[must_use]
    pub fn vertex_counts(&self) -> Vec<usize> {
        self.mesh.hands.iter().map(|h| h.vertices.len()).collect()
    }

    /// Triangles of the level that the track is stored at, one list a hand; they address the first of the hand's vertices.
    #[must_use]
    pub fn track_faces(&self) -> Vec<Arc<Vec<[u32; 3]>>> {
        self.mesh.hands.iter().map(|h| Arc::clone(&h.display_faces)).collect()
    }

    /// Default folder of exports.
    #[must_use]
    pub fn exports_folder(&self) -> PathBuf {
        self.folder.join("exports")
    }

    /// The run folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The refined mesh.
    pub(super) const fn mesh(&self) -> (&FineMesh, &Vertices) {
        (&self.mesh, &self.vertices)
    }

    /// Number of views.
    #[must_use]
    pub fn views(&self) -> usize {
        self.checkpoint.facts.cameras.len()
    }

    /// True when no stage saw the view.
    #[must_use]
    pub fn is_held_out(&self, view: usize) -> bool {
        self.record.hold_out.contains(&view)
    }

    pub(super) fn run_views(&self) -> RunViews<'_> {
        let facts = &self.checkpoint.facts;
        RunViews {
            cameras: &facts.cameras,
            residuals: &self.residuals,
            lights: &self.lights,
            used: &facts.used,
            hold_out: &self.record.hold_out,
            exclude: &self.record.exclude,
            trusted: &facts.trusted,
            reprojection_px: &facts.reprojection_px,
            masks: self.masks(),
        }
    }

    /// The view took part in the stages, so that its camera's gain is known.
    #[must_use]
    pub fn took_part(&self, view: usize) -> bool {
        self.lights.is_empty() || self.checkpoint.facts.used.get(view) == Some(&true)
    }

    /// The masks as HAM used them, one entry a view; empty for a run that left them as they were.
    #[must_use]
    pub fn masks(&self) -> &[Option<JudgedMask>] {
        self.masks.get_or_init(|| masks::read(&self.folder, self.views()).unwrap_or_default())
    }

    /// The photograph of a view with its mask's outline as given (magenta) and as used (green); what is ignored is blue.
    ///
    /// # Errors
    /// [`PipelineError::NoSuchView`].
    pub fn mask_overlay(&self, capture: &Capture, view: usize) -> Result<image::RgbaImage, PipelineError> {
        let last = capture.views.len().saturating_sub(1);
        let seen = capture.views.get(view).ok_or(PipelineError::NoSuchView { view, last })?;
        Ok(masks::overlay(seen, self.masks().get(view).and_then(Option::as_ref)))
    }

    /// Premultiplied RGBA of a view at the photograph's size.
    ///
    /// # Errors
    /// [`PipelineError::NoSuchView`] or a GPU error.
    pub fn render(
        &self,
        maker: &mut PictureMaker,
        view: usize,
        mode: PictureMode,
    ) -> Result<Vec<[f32; 4]>, PipelineError> {
        let faces = &self.mesh.topology.faces;
        self.run_views().render(maker, &(&self.vertices).into(), faces, view, mode)
    }

    /// Premultiplied RGBA of what any camera (capture metres) sees, under the rig's mean light.
    ///
    /// # Errors
    /// A GPU error.
    pub fn render_from(
        &self,
        maker: &mut PictureMaker,
        camera: &Camera,
        mode: PictureMode,
    ) -> Result<Vec<[f32; 4]>, PipelineError> {
        let light = self.run_views().mean_light();
        Ok(maker.render(&(&self.vertices).into(), &self.mesh.topology.faces, camera, &light, mode)?)
    }

    /// Premultiplied RGBA of a snapshot of this run as a view sees it.
    ///
    /// # Errors
    /// [`PipelineError::NoSuchView`] or a GPU error.
    pub fn render_snapshot(
        &self,
        maker: &mut PictureMaker,
        snapshot: &Snapshot,
        view: usize,
        mode: PictureMode,
    ) -> Result<Vec<[f32; 4]>, PipelineError> {
        let (vertices, faces) = joined(&snapshot.hands);
        self.run_views().render(maker, &(&vertices).into(), &faces, view, mode)
    }

    /// Compares every view that is not excluded with its photograph, and the meshes with the truth if there is one.
    ///
    /// A held-out view gets the rig's mean light and three fitted gains, nothing else.
    ///
    /// # Errors
    /// A GPU error, one of LPIPS or of the neural renderer, or a ground truth that cannot be read.
    pub fn evaluate(
        &self,
        gpu: &Gpu,
        capture: &Capture,
        options: EvaluateOptions<'_>,
    ) -> Result<Evaluation, PipelineError> {
        let mut maker = PictureMaker::new(gpu)?;
        let faces = &self.mesh.topology.faces;
        let measures = Measures { perceptual: true, lpips: options.lpips };
        let mut scoring = Scoring { measures, neural: options.neural };
        let scores = self.run_views().score(&mut maker, &(&self.vertices).into(), faces, capture, &mut scoring)?;
        let rows = scores.into_iter().map(|(_, row)| row).collect();
        let surface = options.ground_truth.map(|dir| self.surface(dir)).transpose()?.flatten();
        Ok(Evaluation::new(rows, self.mesh_score(), surface))
    }

    /// How sound the meshes are.
    fn mesh_score(&self) -> MeshScore {
        let hands = self.hands();
        let meshes: Vec<(Side, TriMesh)> = hands
            .into_iter()
            .map(|hand| (hand.side, TriMesh { positions: hand.positions, faces: hand.faces }))
            .collect();
        score_meshes(&meshes.iter().map(|(side, mesh)| (*side, mesh)).collect::<Vec<_>>())
    }

    /// Surface and joint errors against `ground_truth/` (mesh_*.ply, joints.json), above the wrist cut.
    fn surface(&self, truth: &Path) -> Result<Option<SurfaceScore>, PipelineError> {
        let (mut to_truth, mut to_result) = (SurfaceSamples::default(), SurfaceSamples::default());
        for hand in self.hands() {
            let path = truth.join(format!("mesh_{}.ply", hand.side));
            let real = ply::read(&path)?;
            let real = TriMesh { positions: real.positions, faces: real.faces };
            let ours = TriMesh { positions: hand.positions, faces: hand.faces };
            let cut = wrist_cut(&real);
            to_truth.extend(SurfaceSamples::measure(&ours, &ReferenceSurface::new(&real), cut.as_ref()));
            to_result.extend(SurfaceSamples::measure(&real, &ReferenceSurface::new(&ours), cut.as_ref()));
        }
        let real = joints::read(&truth.join("joints.json"))?.sides();
        Ok(score(&to_truth, &to_result, joint_mean_mm(&self.joints(), &real)))
    }
}
