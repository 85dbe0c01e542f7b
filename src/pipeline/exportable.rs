//! What of a run is exported, taken out of it, so that files can be written on another thread while the run goes on.

use super::export_files::{self, ExportPlan};
use super::reconstruction::joined;
use super::textures::Photographs;
use super::{DISPLAY_LEVEL, FinishedRun, PipelineError, Reconstruction, Snapshot, Stage, results};
use crate::anatomy::KEYPOINTS;
use crate::camera::Camera;
use crate::export::ExportHand;
use crate::fitting::ham::FineMesh;
use crate::hand::{HandModel, PosedHand, pose_hand};
use std::path::PathBuf;
use std::sync::Arc;

/// The hands of a run at one moment, with all that their files say.
pub struct Exportable {
    pub(super) hands: Vec<ExportHand>,
    pub(super) mesh: FineMesh,
    pub(super) cameras: Vec<Camera>,
    pub(super) models: [Arc<HandModel>; 2],
    pub(super) joints: [Option<[[f64; 3]; KEYPOINTS]>; 2],
    pub(super) preset: String,
    /// Facts for the files' headers.
    pub(super) notes: Vec<(String, String)>,
    /// What textures are made from; none while a run goes on.
    pub(super) photographs: Option<Photographs>,
}

impl Exportable {
    /// Writes result files; returns their paths.
    ///
    /// # Errors
    /// [`PipelineError::Rest`] when a mesh that is wanted at rest does not fit its model; a full or read-only disk.
    pub fn write(self, plan: &ExportPlan) -> Result<Vec<PathBuf>, PipelineError> {
        export_files::export(plan, self)
    }

    /// The same run as it was at a step of HAM or later, with the mesh and the albedo that its snapshot keeps: at most
    /// [`DISPLAY_LEVEL`], and textures that show the albedo of the vertices, as photographs are laid over the final surface only.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] for a step before HAM, whose hands have other parameters, or a snapshot of another run.
    pub fn at_step(self, snapshot: &Snapshot) -> Result<Self, PipelineError> {
        let unfit = |problem: &str| PipelineError::Unfinished {
            path: format!("step {}", snapshot.step),
            problem: problem.to_owned(),
        };
        if snapshot.stage < Stage::Ham || snapshot.hands.is_empty() {
            return Err(unfit("lies before HAM: its hands are the model's own, with parameters that are not kept"));
        }
        let posed: Vec<PosedHand> = self
            .hands
            .iter()
            .filter_map(|h| h.parameters.as_ref())
            .map(|p| pose_hand(&self.models[p.side.index()], p))
            .collect();
        let models: Vec<(&HandModel, &PosedHand)> =
            posed.iter().map(|p| (&*self.models[p.parameters.side.index()], p)).collect();
        let level = self.mesh.hands.iter().map(|h| h.levels.deepest()).max().unwrap_or(0).min(DISPLAY_LEVEL);
        let mesh = FineMesh::new(&models, level);
        let of = |h: &crate::fitting::ham::FineHand| (h.side, h.vertices.len());
        if !mesh.hands.iter().map(of).eq(snapshot.hands.iter().map(|h| (h.side, h.positions.len()))) {
            return Err(unfit("does not fit the meshes of this run"));
        }
        let (vertices, _) = joined(&snapshot.hands);
        let mut hands = results::export_hands(&mesh, &vertices, &[], &self.models);
        for (hand, posed) in hands.iter_mut().zip(&posed) {
            hand.parameters = Some(posed.parameters.clone());
        }
        let mut notes = self.notes;
        notes.push(("step".to_owned(), format!("{} ({} {})", snapshot.step, snapshot.stage.name(), snapshot.phase)));
        Ok(Self { hands, mesh, notes, photographs: None, ..self })
    }
}

impl FinishedRun {
    /// Writes result files; returns their paths.
    ///
    /// # Errors
    /// As [`Exportable::write`].
    pub fn export(&self, plan: &ExportPlan) -> Result<Vec<PathBuf>, PipelineError> {
        self.exportable().write(plan)
    }
}

impl Reconstruction {
    /// Default folder of exports.
    #[must_use]
    pub fn exports_folder(&self) -> PathBuf {
        self.folder().join("exports")
    }
}
