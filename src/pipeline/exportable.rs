//! What of a run is exported, taken out of it, so that files can be written on another thread while the run goes on.

use super::export_files::{self, ExportPlan};
use super::textures::Photographs;
use super::{FinishedRun, PipelineError, Reconstruction};
use crate::anatomy::KEYPOINTS;
use crate::camera::Camera;
use crate::export::ExportHand;
use crate::fitting::ham::FineMesh;
use crate::hand::HandModel;
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
