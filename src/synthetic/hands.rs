//! The true hands: seeded shape and pose, placed in the rig, subdivided, displaced and painted.

use super::motion::Motion;
use super::random::Random;
use super::rig::Rig;
use super::skin::Skin;
use super::{SynthError, SynthHands, SynthSettings, TrueHand};
use crate::anatomy::Side;
use crate::hand::{HandModel, HandParameters, open_hand, pose_hand};
use crate::mesh::{SubdivisionLevels, vertex_normals};
use nalgebra::{Matrix3, Rotation3, Vector3};

/// All hands of a scene, left before right.
pub(super) fn make(settings: &SynthSettings, rig: &Rig) -> Result<Vec<TrueHand>, SynthError> {
    let mut random = Random::new(settings.person_seed(), "shape");
    // One person: both hands share their shape.
    let betas: Vec<f64> = (0..10).map(|i| random.normal().clamp(-1.5, 1.5) * if i == 0 { 0.6 } else { 0.9 }).collect();
    settings
        .hands
        .sides()
        .iter()
        .map(|&side| {
            let model = open_hand(side)?;
            let parameters = pose(&model, &betas, settings, rig);
            Ok(detailed(model, parameters, settings))
        })
        .collect()
}

/// A relaxed, slightly bent hand pointing to the middle of the arc, thumb up, palm turned inwards and down.
fn pose(model: &HandModel, betas: &[f64], settings: &SynthSettings, rig: &Rig) -> HandParameters {
    let side = model.side;
    let mut random = Random::new(settings.seed, &format!("pose {side}"));
    let bend = random.range(0.35, 0.85);
    let motion = Motion::new(settings, side);
    let mut parameters = HandParameters { betas: betas.to_vec(), ..HandParameters::rest(side) };
    for (i, p) in parameters.hand_pose.iter_mut().enumerate() {
        // Axis z flexes, axis y spreads, axis x twists.
        let spread = [0.02, 0.05, 0.11][i % 3];
        let [low, high] = model.joint_limits[i];
        *p = ((bend + motion.bend(i)) * model.hands_mean[i] + spread * random.normal().clamp(-2.0, 2.0))
            .clamp(low, high);
    }
    let mirror = if side == Side::Left { -1.0 } else { 1.0 };
    let fingers = rig.forward;
    let back = if side == Side::Left { rig.up.cross(&fingers) } else { fingers.cross(&rig.up) };
    // Columns: images of the rest axes x (against the fingers of a right hand), y (back), z (thumb).
    let upright = Matrix3::from_columns(&[fingers * -mirror, back, rig.up]);
    let roll = mirror * (0.5 + 0.2 * random.normal().clamp(-1.5, 1.5));
    let turn = Rotation3::from_axis_angle(&nalgebra::Unit::new_normalize(fingers), -roll)
        * Rotation3::from_axis_angle(&nalgebra::Unit::new_normalize(rig.up), 0.15 * random.normal().clamp(-1.5, 1.5))
        * Rotation3::from_axis_angle(
            &nalgebra::Unit::new_normalize(rig.up.cross(&fingers)),
            -0.25 + 0.1 * random.normal().clamp(-1.5, 1.5),
        );
    let rotation = motion.turned(Rotation3::from_matrix_unchecked(turn.into_inner() * upright));
    parameters.global_orient = rotation.scaled_axis().into();
    // Translate the middle of the posed hand to its place.
    let posed = pose_hand(model, &parameters);
    #[expect(clippy::cast_precision_loss, reason = "21 keypoints")]
    let middle: Vector3<f64> =
        posed.keypoints.iter().map(|&k| Vector3::from(k)).sum::<Vector3<f64>>() / posed.keypoints.len() as f64;
    let mut place = rig.target;
    if settings.hands == SynthHands::Both {
        let to_the_right = fingers.cross(&rig.up);
        place += to_the_right * (mirror * (0.072 + 0.004 * random.normal().clamp(-1.0, 1.0)));
        place += fingers * (0.012 * random.normal().clamp(-1.5, 1.5));
    }
    parameters.transl = (place + motion.shift() - middle).into();
    parameters
}

/// Subdivides the posed model, adds detail along its normals and paints it.
fn detailed(model: HandModel, parameters: HandParameters, settings: &SynthSettings) -> TrueHand {
    let posed = pose_hand(&model, &parameters);
    let rest =
        pose_hand(&model, &HandParameters { betas: parameters.betas.clone(), ..HandParameters::rest(model.side) });
    let level = settings.level as usize;
    let levels = SubdivisionLevels::new(model.template.len(), &model.faces, &model.uvs, &model.uv_faces, level);
    let mut positions = levels.refine(level, &posed.vertices);
    let rest_positions = levels.refine(level, &rest.vertices);
    let faces = levels.faces(level).to_vec();
    let (uvs, uv_faces) = (levels.uvs(level).to_vec(), levels.uv_faces(level).to_vec());
    let skin = Skin::new(&model, &rest.vertices, &rest.joints, settings.person_seed());
    let rest_normals = vertex_normals(&rest_positions, &faces);
    let smooth_normals = vertex_normals(&positions, &faces);
    for (i, p) in positions.iter_mut().enumerate() {
        let d = settings.detail * skin.displacement(rest_positions[i], rest_normals[i]);
        for axis in 0..3 {
            p[axis] += d * smooth_normals[i][axis];
        }
    }
    let albedo = rest_positions.iter().zip(&rest_normals).map(|(&p, &n)| skin.albedo(p, n)).collect();
    let normals = vertex_normals(&positions, &faces);
    let side = model.side;
    TrueHand { side, parameters, joints: posed.keypoints, positions, normals, albedo, faces, uvs, uv_faces, model }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::rig;

    #[test]
    fn detail_stays_within_its_bound_and_the_person_has_one_shape() {
        let settings = SynthSettings { level: 1, ..SynthSettings::default() };
        let rig = rig::make(4, settings.size, settings.seed);
        let detailed = make(&settings, &rig).expect("both hands");
        let bare = make(&SynthSettings { detail: 0.0, ..settings }, &rig).expect("both hands");
        assert_eq!(detailed[0].parameters.betas, detailed[1].parameters.betas, "one person, one shape");
        for (d, b) in detailed.iter().zip(&bare) {
            let moved: Vec<f64> = (0..d.positions.len())
                .map(|i| (Vector3::from(d.positions[i]) - Vector3::from(b.positions[i])).norm())
                .collect();
            let most = moved.iter().fold(0.0, |a: f64, &m| a.max(m));
            let rms = (moved.iter().map(|m| m * m).sum::<f64>() / moved.len() as f64).sqrt();
            assert!(most <= 1.2e-3 + 1e-12, "{most} m is more than 1.2 mm");
            assert!((0.1e-3..0.6e-3).contains(&rms), "rms detail {rms} m is visible");
            for (i, (&p, limits)) in d.parameters.hand_pose.iter().zip(&d.model.joint_limits).enumerate() {
                assert!(p >= limits[0] && p <= limits[1], "pose component {i} is within its limits");
            }
        }
    }
}
