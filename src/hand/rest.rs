//! A detailed hand in the model's rest pose, and from there in any pose.
//!
//! Going back: `x = s · B v + t` with the blend `B` of a vertex's joint transforms, so `v = B⁻¹ ((x − t) / s)`, and what is
//! left after subtracting the pose correctives is *shaped template + detail*. Going on: correctives of the new pose are
//! added, then skinned. There and back is exact wherever `B` can be inverted.
//!
//! `B` is nearly singular where joints that share a vertex are turned by almost 180° against each other (the "candy wrapper"
//! of linear blend skinning). There the detail along the lost direction is not in the posed mesh any more; singular values
//! below [`SMALLEST`] are inverted as if they were that large, about the template's own vertex, which damps that detail
//! instead of blowing it up. [`RestHand::damped`] counts those vertices.

use super::skin::{self, Affine, SkinWeights};
use super::skinning::{joint_frames, keypoints_of, pose_feature};
use super::{CorrectiveModes, FineModel, HandModel, HandParameters, JointFrames};
use crate::anatomy::{JOINTS, KEYPOINTS, Side};
use nalgebra::{Matrix3, Vector3};
use std::sync::Arc;

/// Smallest singular value of a blend that is inverted as it is.
const SMALLEST: f64 = 0.05;

/// Where a hand is and how it is bent; shape and scale belong to the person.
#[derive(Clone, Debug, PartialEq)]
pub struct Pose {
    /// Rotation about the wrist joint, axis-angle, radians.
    pub global_orient: [f64; 3],
    /// Axis-angle of joints 1-15, radians, mean not added.
    pub hand_pose: [f64; 45],
    /// Translation, metres, applied last.
    pub transl: [f64; 3],
}

impl Pose {
    /// The flat hand at the model's own place.
    pub const REST: Self = Self { global_orient: [0.0; 3], hand_pose: [0.0; 45], transl: [0.0; 3] };

    /// The pose among a fit's parameters.
    #[must_use]
    pub fn of(parameters: &HandParameters) -> Self {
        let at = |i: usize| parameters.hand_pose.get(i).copied().unwrap_or(0.0);
        Self { global_orient: parameters.global_orient, hand_pose: std::array::from_fn(at), transl: parameters.transl }
    }
}

/// Why a posed mesh cannot be brought back.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum RestError {
    /// The mesh is not of the model's level.
    #[error("the mesh has {found} vertices, the hand model at level {level} has {expected}; was the model changed?")]
    Vertices {
        /// Vertices of the mesh.
        found: usize,
        /// Vertices of the model.
        expected: usize,
        /// Level of the model.
        level: usize,
    },
    /// A scale of zero, or not a number.
    #[error("a hand of scale {0} cannot be posed")]
    Scale(f64),
}

/// A refined hand at rest.
#[derive(Clone, Debug)]
pub struct RestHand {
    fine: Arc<FineModel>,
    captured: HandParameters,
    level: usize,
    joints: [[f64; 3]; JOINTS],
    /// Rest vertices: shaped template and detail (V×3), metres, the model's own frame, before the scale.
    pub vertices: Vec<[f64; 3]>,
    /// Vertices whose detail had to be damped on the way back.
    pub damped: usize,
}

impl RestHand {
    /// Brings a posed mesh of the fine model's level (V×3, metres) back from the pose of `parameters`.
    ///
    /// # Errors
    /// [`RestError`].
    pub fn from_posed(
        fine: &Arc<FineModel>,
        posed: &[[f64; 3]],
        parameters: &HandParameters,
    ) -> Result<Self, RestError> {
        let (mut template, joints) = fine.shaped(&parameters.betas);
        if posed.len() != template.len() {
            let (found, expected, level) = (posed.len(), template.len(), fine.level());
            return Err(RestError::Vertices { found, expected, level });
        }
        if !(parameters.scale.is_finite() && parameters.scale.abs() > 1e-9) {
            return Err(RestError::Scale(parameters.scale));
        }
        let frames = joint_frames(&joints, parameters);
        let offsets = fine.corrective_offsets(template.len(), &frames);
        if let Some(offsets) = &offsets {
            super::fine::add(&mut template, offsets);
        }
        let transforms = skin::joint_transforms(&frames, &joints);
        let transl = Vector3::from(parameters.transl);
        let mut damped = 0;
        let mut vertices: Vec<[f64; 3]> = posed
            .iter()
            .enumerate()
            .map(|(i, x)| {
                let x = (Vector3::from(*x) - transl) / parameters.scale;
                let (v, exact) = unblend(&fine.weights().blend(i, &transforms), &x, &template[i]);
                damped += usize::from(!exact);
                v
            })
            .collect();
        for (v, o) in vertices.iter_mut().zip(offsets.iter().flatten()) {
            for (v, o) in v.iter_mut().zip(o) {
                *v -= o;
            }
        }
        let level = fine.level();
        Ok(Self { fine: Arc::clone(fine), captured: parameters.clone(), level, joints, vertices, damped })
    }

    /// The same hand at a coarser level: Loop subdivision keeps the vertices of coarser levels first.
    #[must_use]
    pub fn at_level(&self, level: usize) -> Self {
        let level = level.min(self.level);
        let vertices = self.vertices[..self.fine.levels().vertices(level)].to_vec();
        Self { vertices, level, ..self.clone() }
    }

    /// Side.
    #[must_use]
    pub fn side(&self) -> Side {
        self.captured.side
    }

    /// The model it was refined from.
    #[must_use]
    pub fn model(&self) -> &HandModel {
        self.fine.model()
    }

    /// Parameters it was captured with; shape and scale hold for every pose.
    #[must_use]
    pub const fn captured(&self) -> &HandParameters {
        &self.captured
    }

    /// Level of its vertices.
    #[must_use]
    pub const fn level(&self) -> usize {
        self.level
    }

    /// Triangles.
    #[must_use]
    pub fn faces(&self) -> &[[u32; 3]] {
        self.fine.levels().faces(self.level)
    }

    /// UV coordinates, v up.
    #[must_use]
    pub fn uvs(&self) -> &[[f64; 2]] {
        self.fine.levels().uvs(self.level)
    }

    /// UV corners of the triangles.
    #[must_use]
    pub fn uv_faces(&self) -> &[[u32; 3]] {
        self.fine.levels().uv_faces(self.level)
    }

    /// Skin weights; the first ones are those of the vertices.
    #[must_use]
    pub fn weights(&self) -> &SkinWeights {
        self.fine.weights()
    }

    /// Rest joints (16×3, metres) in the frame of the vertices.
    #[must_use]
    pub const fn joints(&self) -> &[[f64; 3]; JOINTS] {
        &self.joints
    }

    fn parameters(&self, pose: &Pose) -> HandParameters {
        HandParameters {
            global_orient: pose.global_orient,
            hand_pose: pose.hand_pose.to_vec(),
            transl: pose.transl,
            ..self.captured.clone()
        }
    }

    /// Chained joint rotations and positions of a pose, before scale and translation.
    #[must_use]
    pub fn frames(&self, pose: &Pose) -> JointFrames {
        joint_frames(&self.joints, &self.parameters(pose))
    }

    /// Pose correctives of a pose, metres, added in the rest pose; `None` when the model has none.
    #[must_use]
    pub fn corrective_offsets(&self, pose: &Pose) -> Option<Vec<[f64; 3]>> {
        self.fine.corrective_offsets(self.vertices.len(), &self.frames(pose))
    }

    /// The correctives of some poses as a few fixed offsets of the vertices with weights a pose (see [`CorrectiveModes`]);
    /// `None` when the model has none.
    #[must_use]
    pub fn corrective_modes(&self, poses: &[Pose]) -> Option<CorrectiveModes> {
        let features: Vec<[f64; 135]> = poses.iter().map(|p| pose_feature(&self.frames(p).local)).collect();
        let mut modes = CorrectiveModes::new(self.model(), &features)?;
        for mode in &mut modes.modes {
            *mode = self.fine.refine_first(self.vertices.len(), mode);
        }
        Some(modes)
    }

    /// Rest vertices with the correctives of a pose added, before skinning.
    fn corrected(&self, frames: &JointFrames) -> Option<Vec<[f64; 3]>> {
        let offsets = self.fine.corrective_offsets(self.vertices.len(), frames)?;
        let mut out = self.vertices.clone();
        super::fine::add(&mut out, &offsets);
        Some(out)
    }

    /// The hand in a pose (V×3, metres), correctives included.
    #[must_use]
    pub fn pose(&self, pose: &Pose) -> Vec<[f64; 3]> {
        let parameters = self.parameters(pose);
        let frames = joint_frames(&self.joints, &parameters);
        let corrected = self.corrected(&frames);
        self.fine.skin(corrected.as_deref().unwrap_or(&self.vertices), &frames, &self.joints, &parameters)
    }

    /// The hand in a pose by skinning alone (V×3, metres), for comparison.
    #[must_use]
    pub fn pose_without_correctives(&self, pose: &Pose) -> Vec<[f64; 3]> {
        let parameters = self.parameters(pose);
        self.fine.skin(&self.vertices, &joint_frames(&self.joints, &parameters), &self.joints, &parameters)
    }

    /// The 21 keypoints of a pose (`MediaPipe` order, metres): the model's joints, and the tips among its posed `vertices`.
    ///
    /// # Panics
    /// When `vertices` are not those of [`Self::pose`].
    #[must_use]
    pub fn keypoints(&self, pose: &Pose, vertices: &[[f64; 3]]) -> [[f64; 3]; KEYPOINTS] {
        assert_eq!(vertices.len(), self.vertices.len(), "posed vertices of this hand");
        let frames = self.frames(pose);
        let transl = Vector3::from(pose.transl);
        let joints = frames.position.map(|p| (p * self.captured.scale + transl).into());
        // Coarse vertices come first, so a tip keeps its index.
        keypoints_of(&joints, vertices, &self.model().tips)
    }
}

/// Solves `B v + o = x`; false when a singular value had to be raised.
fn unblend(transform: &Affine, x: &Vector3<f64>, template: &[f64; 3]) -> ([f64; 3], bool) {
    let (blend, offset) = skin::parts(transform);
    if let Some(inverse) = blend.try_inverse()
        && inverse.norm() <= 1.0 / SMALLEST
    {
        return ((inverse * (x - offset)).into(), true);
    }
    let template = Vector3::from(*template);
    let detail = x - blend * template - offset;
    let svd = blend.svd(true, true);
    let (Some(u), Some(v_t)) = (svd.u, svd.v_t) else { return (template.into(), false) };
    // σ⁻¹ above the bound, σ / SMALLEST² below: equal at the bound, zero at zero.
    let inverse = svd.singular_values.map(|s| if s >= SMALLEST { 1.0 / s } else { s / (SMALLEST * SMALLEST) });
    let v = template + v_t.transpose() * Matrix3::from_diagonal(&inverse) * u.transpose() * detail;
    (v.into(), svd.singular_values.min() >= SMALLEST)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bent, model_with_correctives};
    use super::super::{open_hand, pose_hand};
    use super::*;
    use crate::mesh::vertex_normals;

    fn worst(a: &[[f64; 3]], b: &[[f64; 3]]) -> f64 {
        assert_eq!(a.len(), b.len(), "as many vertices");
        a.iter().zip(b).map(|(a, b)| (Vector3::from(*a) - Vector3::from(*b)).norm()).fold(0.0, f64::max)
    }

    /// Millimetre detail that no subdivision could make.
    fn detail(mesh: &mut [[f64; 3]], faces: &[[u32; 3]]) {
        let normals = vertex_normals(mesh, faces);
        for (i, (p, n)) in mesh.iter_mut().zip(&normals).enumerate() {
            let height = 1.5e-3 * (1.7 * f64::from(u32::try_from(i).expect("small"))).sin();
            for axis in 0..3 {
                p[axis] += height * n[axis];
            }
        }
    }

    #[test]
    fn there_and_back_with_detail_strong_bends_and_correctives() {
        for side in Side::BOTH {
            let fine = Arc::new(FineModel::new(Arc::new(model_with_correctives(side)), 2));
            let captured = bent(side);
            // What HAM starts from, the subdivided posed mesh, and detail upon it.
            let coarse = pose_hand(fine.model(), &captured);
            let mut posed = fine.levels().refine(2, &coarse.vertices);
            detail(&mut posed, fine.levels().faces(2));
            let rest = RestHand::from_posed(&fine, &posed, &captured).expect("it fits");
            let back = worst(&rest.pose(&Pose::of(&captured)), &posed);
            assert!(back < 1e-6, "{side}: the captured pose comes back within {back} m; {} damped", rest.damped);
            assert_eq!(rest.damped, 0, "{side}: 80 degrees damp nothing");
            // Another pose and back again gives the same rest.
            let mut other = Pose { transl: [0.3, 0.0, 0.1], ..Pose::REST };
            for (i, v) in other.hand_pose.iter_mut().enumerate() {
                *v = 0.5 * (1.3 * f64::from(u32::try_from(i).expect("small"))).sin();
            }
            let parameters = rest.parameters(&other);
            let again = RestHand::from_posed(&fine, &rest.pose(&other), &parameters).expect("it fits");
            let apart = worst(&again.vertices, &rest.vertices);
            assert!(apart < 1e-6, "{side}: rest → pose → rest within {apart} m");
        }
    }

    #[test]
    fn rest_is_the_shaped_template_when_there_is_no_detail() {
        let fine = Arc::new(FineModel::new(Arc::new(model_with_correctives(Side::Right)), 1));
        let captured = bent(Side::Right);
        let rest = RestHand::from_posed(&fine, &fine.pose(&captured), &captured).expect("it fits");
        let template = fine.shaped(&captured.betas).0;
        assert!(worst(&rest.vertices, &template) < 1e-9, "correctives are subtracted");
        // Negative: leaving the correctives in is not the template.
        let plain = open_hand(Side::Right).expect("the asset is sound");
        let blind = Arc::new(FineModel::new(Arc::new(plain), 1));
        let wrong = RestHand::from_posed(&blind, &fine.pose(&captured), &captured).expect("it fits");
        assert!(worst(&wrong.vertices, &template) > 1e-3, "the check sees a corrective that stays");
    }

    #[test]
    fn a_coarser_level_is_the_same_surface_with_fewer_vertices() {
        let fine = Arc::new(FineModel::new(Arc::new(model_with_correctives(Side::Left)), 2));
        let captured = bent(Side::Left);
        let mut posed = fine.pose(&captured);
        detail(&mut posed, fine.levels().faces(2));
        let rest = RestHand::from_posed(&fine, &posed, &captured).expect("it fits");
        let coarse = rest.at_level(1);
        let count = coarse.vertices.len();
        assert_eq!(count, fine.levels().vertices(1), "vertices of level 1");
        assert_eq!(coarse.faces().len() * 4, rest.faces().len(), "a quarter of the faces");
        let pose = Pose { transl: [0.0, 0.2, 0.0], ..Pose::of(&captured) };
        assert!(worst(&coarse.pose(&pose), &rest.pose(&pose)[..count]) < 1e-15, "the first vertices of the fine one");
        assert_eq!(rest.at_level(9).level(), 2, "never finer than it is");
    }

    #[test]
    fn a_folded_blend_is_damped_and_not_blown_up() {
        let fine = Arc::new(FineModel::new(Arc::new(open_hand(Side::Right).expect("the asset is sound")), 1));
        let mut captured = HandParameters::rest(Side::Right);
        captured.hand_pose[5] = std::f64::consts::PI - 1e-4;
        let mut posed = fine.pose(&captured);
        detail(&mut posed, fine.levels().faces(1));
        let rest = RestHand::from_posed(&fine, &posed, &captured).expect("it fits");
        let template = fine.shaped(&captured.betas).0;
        let most = worst(&rest.vertices, &template);
        assert!(most < 1.5e-3 / SMALLEST + 1e-9, "detail grows by at most 1/{SMALLEST}: {most} m");
        let other = RestHand::from_posed(&fine, &fine.pose(&captured), &captured).expect("it fits");
        assert!(worst(&other.vertices, &template) < 1e-9, "without detail it is the template, damped or not");
    }

    #[test]
    fn meshes_of_another_level_and_scales_of_zero_are_refused() {
        let fine = Arc::new(FineModel::new(Arc::new(open_hand(Side::Right).expect("the asset is sound")), 0));
        let mut parameters = HandParameters::rest(Side::Right);
        let error = RestHand::from_posed(&fine, &[[0.0; 3]; 5], &parameters).expect_err("five vertices are no hand");
        assert!(error.to_string().contains("5 vertices"), "{error}");
        let posed = fine.pose(&parameters);
        parameters.scale = 0.0;
        assert_eq!(RestHand::from_posed(&fine, &posed, &parameters).err(), Some(RestError::Scale(0.0)), "no scale");
    }
}
