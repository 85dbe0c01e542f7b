//! Reconstructed hands on their way to other poses.

use super::PipelineError;
use crate::export::ExportHand;
use crate::fitting::ham::FineMesh;
use crate::hand::{FineModel, HandModel, Pose, RestHand};
use crate::mesh::vertex_normals;
use std::sync::Arc;

/// A reconstructed hand in the rest pose with its colours.
#[derive(Clone, Debug)]
pub struct PosableHand {
    /// Geometry.
    pub rest: RestHand,
    /// Colours, faces, UVs and names; its positions are those of the capture.
    pub hand: ExportHand,
}

impl PosableHand {
    /// Brings the hands of a run to rest, in their order. `hands` are those of `mesh`, capture frame.
    pub(super) fn all(
        hands: Vec<ExportHand>,
        mesh: &FineMesh,
        models: &[Arc<HandModel>; 2],
    ) -> Result<Vec<Self>, PipelineError> {
        hands
            .into_iter()
            .zip(&mesh.hands)
            .map(|(hand, fine)| {
                let Some(parameters) = hand.parameters.clone() else {
                    return Err(PipelineError::Repose(format!("the {} hand has no fitted parameters", hand.side)));
                };
                let (model, levels) = (Arc::clone(&models[hand.side.index()]), Arc::clone(&fine.levels));
                let level = levels.deepest();
                let fine = Arc::new(FineModel::with_levels(model, levels, level));
                let rest = RestHand::from_posed(&fine, &hand.positions, &parameters)?;
                Ok(Self { rest, hand })
            })
            .collect()
    }

    /// The same hand at a coarser level (at most its own).
    #[must_use]
    pub fn at_level(&self, level: usize) -> Self {
        let rest = self.rest.at_level(level);
        let count = rest.vertices.len();
        let hand = ExportHand {
            positions: self.hand.positions[..count].to_vec(),
            normals: self.hand.normals[..count].to_vec(),
            albedo: self.hand.albedo[..count].to_vec(),
            faces: rest.faces().to_vec(),
            uvs: rest.uvs().to_vec(),
            uv_faces: rest.uv_faces().to_vec(),
            ..self.hand.clone()
        };
        Self { rest, hand }
    }

    /// As the writers take it, in a pose.
    #[must_use]
    pub fn posed(&self, pose: &Pose) -> ExportHand {
        self.with_positions(self.rest.pose(pose))
    }

    /// As the writers take it, at rest: the model's own frame, before the scale.
    #[must_use]
    pub fn into_rest(self) -> ExportHand {
        self.with_positions(self.rest.vertices.clone())
    }

    fn with_positions(&self, positions: Vec<[f64; 3]>) -> ExportHand {
        let normals = vertex_normals(&positions, &self.hand.faces);
        ExportHand { positions, normals, ..self.hand.clone() }
    }
}
