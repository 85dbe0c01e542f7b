//! Hand-model parameters as JSON, in the conventions of other programs: no one's readers agree, so a file has them all, each
//! with what its numbers mean.
//!
//! | block | fields | posed vertices |
//! | --- | --- | --- |
//! | `smplx` | `betas`, `global_orient`, `hand_pose`, `transl` (`smplx.MANO(use_pca=False)`; `flat_hand_mean` as stated) | `s·LBS + transl`, the root turns about the wrist joint |
//! | `easymocap` | `Rh`, `Th`, `poses` (three zeros, then 45), `shapes` | `R(Rh)·LBS(0, poses) + Th`, turned about the origin |
//! | `interhand` | `pose` (48), `shape` (10), `trans` (3) | as smplx with `flat_hand_mean = False`: the mean is not in `pose` |
//!
//! `scale` is ours: other programs have no such field, and where it is not 1 the file says so.

use super::{ExportError, Provenance, atomic};
use crate::anatomy::KEYPOINTS;
use crate::hand::{HandModel, HandParameters, pose_hand, regress_joints, shaped_template};
use nalgebra::{Rotation3, Vector3};
use serde_json::{Value, json};
use std::path::Path;

/// The file's contents.
#[must_use]
pub fn to_json(parameters: &HandParameters, model: &HandModel, joints: &[[f64; 3]; KEYPOINTS]) -> Value {
    let convention = &model.origin.convention;
    let whole = &parameters.hand_pose;
    let minus = |offset: &[f64; 45]| whole.iter().zip(offset).map(|(p, o)| p - o).collect::<Vec<f64>>();
    let wrist = Vector3::from(regress_joints(model, &shaped_template(model, &parameters.betas))[0]);
    let turn = Rotation3::from_scaled_axis(Vector3::from(parameters.global_orient));
    let th = Vector3::from(parameters.transl) + (wrist - turn * wrist) * parameters.scale;
    let mut interhand = parameters.global_orient.to_vec();
    interhand.extend(minus(&model.hands_mean));
    let mut poses = vec![0.0; 3];
    poses.extend(minus(&model.hands_mean));
    json!({
        "generator": Provenance::GENERATOR,
        "side": parameters.side.name(),
        "model": model.name,
        "model_sha256": model.hash,
        "licence": super::licence(&model.name),
        "unit": "m",
        "frame": "capture",
        "scale": parameters.scale,
        "scale_note": "vertices are scale * model + transl; 1 means that no other program needs it",
        "joints3d": joints,
        "joint_order": "mediapipe",
        "smplx": {
            "betas": parameters.betas,
            "global_orient": parameters.global_orient,
            "hand_pose": minus(&model.pose_offset()),
            "transl": parameters.transl,
            "use_pca": false,
            "flat_hand_mean": convention.flat_hand_mean,
            "hand_mean": model.hands_mean.to_vec(),
        },
        "easymocap": {
            "Rh": [parameters.global_orient],
            "Th": [[th.x, th.y, th.z]],
            "poses": [poses],
            "shapes": [parameters.betas],
            "use_pca": false,
            "use_flat_mean": false,
        },
        "interhand": { "pose": interhand, "shape": parameters.betas, "trans": parameters.transl },
    })
}

/// Writes `path`; `joints` are the found ones, or the model's own where there are none.
///
/// # Errors
/// [`ExportError::Encode`] or [`ExportError::Io`].
pub fn write(
    path: &Path,
    parameters: &HandParameters,
    model: &HandModel,
    joints: Option<&[[f64; 3]; KEYPOINTS]>,
) -> Result<(), ExportError> {
    let joints = joints.copied().unwrap_or_else(|| pose_hand(model, parameters).keypoints);
    let text = serde_json::to_string_pretty(&to_json(parameters, model, &joints))
        .map_err(|e| ExportError::Encode { what: "parameters", reason: e.to_string() })?;
    atomic::write(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::open_hand;

    fn numbers(value: &Value) -> Vec<f64> {
        match value {
            Value::Array(list) => list.iter().flat_map(numbers).collect(),
            other => other.as_f64().into_iter().collect(),
        }
    }

    #[test]
    fn every_convention_gives_the_same_vertices_back() {
        let mut model = open_hand(Side::Right).expect("sound asset");
        model.hands_mean = std::array::from_fn(|i| 0.02 * (i as f64).cos());
        let mut p = HandParameters::rest(Side::Right);
        p.global_orient = [0.4, -1.2, 0.9];
        p.transl = [0.1, -0.2, 1.1];
        p.scale = 1.1;
        p.betas[1] = 1.5;
        for (i, v) in p.hand_pose.iter_mut().enumerate() {
            *v = 0.4 * (i as f64 * 1.7).sin();
        }
        let truth = pose_hand(&model, &p).vertices;
        let value = to_json(&p, &model, &[[0.0; 3]; KEYPOINTS]);
        let plus_mean = |list: &[f64]| list.iter().zip(&model.hands_mean).map(|(p, m)| p + m).collect::<Vec<f64>>();
        let worst = |vertices: &[[f64; 3]]| {
            let pairs = vertices.iter().flatten().zip(truth.iter().flatten());
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let three = |v: &[f64]| [v[0], v[1], v[2]];
        // InterHand: the mean is added by the layer.
        let pose = numbers(&value["interhand"]["pose"]);
        let mut q = HandParameters { scale: p.scale, ..HandParameters::rest(Side::Right) };
        (q.global_orient, q.hand_pose) = (three(&pose), plus_mean(&pose[3..]));
        (q.betas, q.transl) = (numbers(&value["interhand"]["shape"]), three(&numbers(&value["interhand"]["trans"])));
        assert!(worst(&pose_hand(&model, &q).vertices) < 1e-12, "InterHand");
        // EasyMocap: no rotation of the root; then about the origin.
        let poses = numbers(&value["easymocap"]["poses"]);
        assert_eq!(poses[..3], [0.0; 3], "the root is in Rh");
        (q.global_orient, q.transl, q.hand_pose) = ([0.0; 3], [0.0; 3], plus_mean(&poses[3..]));
        let turn = Rotation3::from_scaled_axis(Vector3::from(three(&numbers(&value["easymocap"]["Rh"]))));
        let th = Vector3::from(three(&numbers(&value["easymocap"]["Th"])));
        let turned: Vec<[f64; 3]> =
            pose_hand(&model, &q).vertices.iter().map(|v| (turn * Vector3::from(*v) + th).into()).collect();
        // Skin weights are stored as floats, so their sums, which only this form leans on, are one to eight digits.
        assert!(worst(&turned) < 1e-7, "EasyMocap: {}", worst(&turned));
        // smplx: as the parameters are.
        let mut s = HandParameters { scale: p.scale, ..HandParameters::rest(Side::Right) };
        let block = &value["smplx"];
        (s.global_orient, s.transl) = (three(&numbers(&block["global_orient"])), three(&numbers(&block["transl"])));
        (s.hand_pose, s.betas) = (numbers(&block["hand_pose"]), numbers(&block["betas"]));
        if block["flat_hand_mean"] == Value::Bool(false) {
            s.hand_pose = plus_mean(&s.hand_pose);
        }
        assert!(worst(&pose_hand(&model, &s).vertices) < 1e-12, "smplx");
        s.transl[0] += 1e-3;
        assert!(worst(&pose_hand(&model, &s).vertices) > 9e-4, "the check sees a millimetre");
    }
}
