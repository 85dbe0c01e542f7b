//! A hand model at a finer level: template, shape and pose directions and skin weights through one set of Loop stencils.
//!
//! Joints stay those of the coarse model. `offsets` and shape are carried as `S · (coarse value)`, which equals subdividing
//! their directions (both are linear) and needs neither the 405 numbers a fine vertex nor the time to sum them.

use super::skin::{self, SkinWeights};
use super::skinning::{joint_frames, pose_feature, regress_joints, shaped_template};
use super::{HandModel, HandParameters, JointFrames};
use crate::anatomy::JOINTS;
use crate::mesh::{Stencils, SubdivisionLevels};
use std::sync::Arc;

/// A [`HandModel`] subdivided `level` times.
#[derive(Clone, Debug)]
pub struct FineModel {
    model: Arc<HandModel>,
    levels: Arc<SubdivisionLevels>,
    level: usize,
    stencils: Arc<Stencils>,
    weights: SkinWeights,
}

impl FineModel {
    /// Subdivides a model, with its levels made anew.
    ///
    /// # Panics
    /// When `level` is deeper than [`crate::mesh::MAX_LEVEL`].
    #[must_use]
    pub fn new(model: Arc<HandModel>, level: usize) -> Self {
        let levels = SubdivisionLevels::new(model.template.len(), &model.faces, &model.uvs, &model.uv_faces, level);
        Self::with_levels(model, Arc::new(levels), level)
    }

    /// Subdivides a model with levels that were made for its faces.
    ///
    /// # Panics
    /// When the levels are of another mesh or not deep enough.
    #[must_use]
    pub fn with_levels(model: Arc<HandModel>, levels: Arc<SubdivisionLevels>, level: usize) -> Self {
        assert_eq!(levels.vertices(0), model.template.len(), "levels of this model");
        let stencils = levels.fine_from_coarse(level);
        let weights = SkinWeights::new(&stencils.apply(&model.skin_weights));
        Self { model, levels, level, stencils, weights }
    }

    /// The coarse model.
    #[must_use]
    pub const fn model(&self) -> &Arc<HandModel> {
        &self.model
    }

    /// Faces and UVs of its level and of all coarser ones.
    #[must_use]
    pub const fn levels(&self) -> &Arc<SubdivisionLevels> {
        &self.levels
    }

    /// How often it was subdivided.
    #[must_use]
    pub const fn level(&self) -> usize {
        self.level
    }

    /// Skin weights of the fine vertices.
    #[must_use]
    pub const fn weights(&self) -> &SkinWeights {
        &self.weights
    }

    /// Template with shape, fine (V×3, metres), and the joints of the coarse one.
    #[must_use]
    pub fn shaped(&self, betas: &[f64]) -> (Vec<[f64; 3]>, [[f64; 3]; JOINTS]) {
        let coarse = shaped_template(&self.model, betas);
        (self.stencils.apply(&coarse), regress_joints(&self.model, &coarse))
    }

    /// An attribute of the coarse model at the first `count` fine vertices.
    pub(super) fn refine_first(&self, count: usize, coarse: &[[f64; 3]]) -> Vec<[f64; 3]> {
        self.stencils.apply_first(count, coarse)
    }

    /// Pose correctives of the first `count` fine vertices in the rest pose, metres: `S · P · (R − I)`; `None` when the
    /// model has none.
    #[must_use]
    pub fn corrective_offsets(&self, count: usize, frames: &JointFrames) -> Option<Vec<[f64; 3]>> {
        let directions = self.model.pose_directions.as_ref()?;
        let feature = pose_feature(&frames.local);
        // Joints that are not bent have a zero feature: most sequences move a few.
        let moved: Vec<(usize, f64)> = feature.iter().copied().enumerate().filter(|(_, f)| *f != 0.0).collect();
        let offset = |row: &[f64; 135]| moved.iter().map(|&(i, f)| row[i] * f).sum::<f64>();
        let coarse: Vec<[f64; 3]> = directions.iter().map(|rows| [0, 1, 2].map(|axis| offset(&rows[axis]))).collect();
        Some(self.stencils.apply_first(count, &coarse))
    }

    /// Poses the fine model itself (without any detail): what [`super::pose_hand`] is for the coarse one.
    #[must_use]
    pub fn pose(&self, parameters: &HandParameters) -> Vec<[f64; 3]> {
        let (mut rest, joints) = self.shaped(&parameters.betas);
        let frames = joint_frames(&joints, parameters);
        if let Some(offsets) = self.corrective_offsets(rest.len(), &frames) {
            add(&mut rest, &offsets);
        }
        self.skin(&rest, &frames, &joints, parameters)
    }

    /// Linear blend skinning of rest vertices (the first of the fine ones), scale and translation included.
    pub(super) fn skin(
        &self,
        rest: &[[f64; 3]],
        frames: &JointFrames,
        joints: &[[f64; 3]; JOINTS],
        parameters: &HandParameters,
    ) -> Vec<[f64; 3]> {
        let transforms = skin::joint_transforms(frames, joints);
        let (s, t) = (parameters.scale, parameters.transl);
        let place = |(i, v): (usize, &[f64; 3])| {
            let x = skin::transform(&self.weights.blend(i, &transforms), v);
            [s * x[0] + t[0], s * x[1] + t[1], s * x[2] + t[2]]
        };
        rest.iter().enumerate().map(place).collect()
    }
}

/// Adds offsets, vertex by vertex.
pub(super) fn add(vertices: &mut [[f64; 3]], offsets: &[[f64; 3]]) {
    for (v, o) in vertices.iter_mut().zip(offsets) {
        for (v, o) in v.iter_mut().zip(o) {
            *v += o;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bent, model_with_correctives};
    use super::super::{pose_hand, skin_vertices};
    use super::*;
    use crate::anatomy::Side;

    fn worst(a: &[[f64; 3]], b: &[[f64; 3]]) -> f64 {
        assert_eq!(a.len(), b.len(), "as many vertices");
        a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn level_0_is_the_model() {
        let model = Arc::new(model_with_correctives(Side::Right));
        let p = bent(Side::Right);
        let fine = FineModel::new(Arc::clone(&model), 0);
        assert!(worst(&fine.pose(&p), &pose_hand(&model, &p).vertices) < 1e-12, "the same vertices");
    }

    #[test]
    fn every_field_goes_through_the_same_stencils() {
        let model = Arc::new(model_with_correctives(Side::Left));
        let fine = FineModel::new(Arc::clone(&model), 2);
        let p = bent(Side::Left);
        // The long way: subdivide each direction by itself, level by level, then pose with the fine directions.
        let refine = |column: &dyn Fn(usize) -> [f64; 3]| {
            let coarse: Vec<[f64; 3]> = (0..model.template.len()).map(column).collect();
            fine.levels.refine(2, &coarse)
        };
        let mut rest = refine(&|v| model.template[v]);
        for c in 0..10 {
            let direction = refine(&|v| [0, 1, 2].map(|a| p.betas[c] * model.shape_directions[v][a][c]));
            add(&mut rest, &direction);
        }
        let joints = regress_joints(&model, &shaped_template(&model, &p.betas));
        let frames = joint_frames(&joints, &p);
        let feature = pose_feature(&frames.local);
        let directions = model.pose_directions.as_ref().expect("it has correctives");
        for (i, f) in feature.iter().enumerate() {
            add(&mut rest, &refine(&|v| [0, 1, 2].map(|a| f * directions[v][a][i])));
        }
        let weights = fine.levels.refine(2, &model.skin_weights);
        for (v, row) in weights.iter().enumerate() {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5, "weights of vertex {v} sum to one");
        }
        let expected = skin_vertices(&rest, &weights, &joints, &p);
        assert!(worst(&fine.pose(&p), &expected) < 1e-11, "posing the fine model is posing with fine directions");
        let plain = FineModel::new(Arc::new(HandModel { pose_directions: None, ..(*model).clone() }), 2);
        assert!(worst(&plain.pose(&p), &expected) > 1e-3, "without correctives it is another hand");
    }
}
