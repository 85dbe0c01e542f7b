//! Hands to train and to measure with: drawn from the model within its joint limits.

use crate::anatomy::KEYPOINTS;
use crate::hand::{HandModel, HandParameters};
use crate::synthetic::Random;
use nalgebra::{Rotation3, Unit, Vector3};

/// Flexion (about z) of these joints bends a finger; the rest are the thumb's.
const FINGERS: usize = 36;

/// A hand of any shape in any pose within the joint limits, turned any way, at the origin.
///
/// A quarter draws every component by itself; a quarter bends every finger by itself, as a fist does; half are one grip for
/// all fingers with a little of their own: what hands do most.
pub(crate) fn draw(model: &HandModel, random: &mut Random) -> HandParameters {
    let mut p = HandParameters::rest(model.side);
    let kind = random.unit();
    let grip = random.range(-0.15, 1.0);
    let mut bend = grip;
    for i in 0..45 {
        let [low, high] = model.joint_limits[i];
        if i % 9 == 0 {
            bend = match kind {
                k if k < 0.5 => grip + 0.12 * random.normal(),
                _ => random.range(-0.15, 1.0),
            };
        }
        let value = if kind >= 0.75 {
            random.range(low, high)
        } else if i < FINGERS && i % 3 == 2 {
            // From the relaxed pose's side of zero to the limit, a little different at each joint.
            let bend = bend + 0.12 * random.normal();
            if bend < 0.0 { low * (-bend / 0.3) } else { high * bend }
        } else if i < FINGERS {
            0.4 * high * random.normal()
        } else {
            model.hands_mean[i] + 0.35 * (high - low) * random.normal()
        };
        p.hand_pose[i] = value.clamp(low, high);
    }
    for b in &mut p.betas {
        *b = random.normal().clamp(-2.5, 2.5);
    }
    p.global_orient = any_rotation(random).scaled_axis().into();
    p
}

/// A rotation, all alike likely (Shoemake 1992).
fn any_rotation(random: &mut Random) -> Rotation3<f64> {
    let q = nalgebra::Vector4::from_fn(|_, _| random.normal());
    Unit::try_new(nalgebra::Quaternion::from_vector(q), 1e-12).map_or_else(Rotation3::identity, |q| {
        nalgebra::UnitQuaternion::from_quaternion(q.into_inner()).to_rotation_matrix()
    })
}

/// Keypoints as a detector and triangulation give them: half are left as they are, the others get what the detector means
/// differently from the model (most at the wrist and the knuckles, as the fit has it) and noise of up to 4 mm.
pub(crate) fn disturb(keypoints: &mut [[f64; 3]; KEYPOINTS], random: &mut Random) {
    if random.unit() < 0.5 {
        return;
    }
    let noise = random.range(0.0, 0.004);
    for (k, point) in keypoints.iter_mut().enumerate() {
        let offset = match k {
            0 => 0.010,
            5 | 9 | 13 | 17 => 0.004,
            _ => 0.0015,
        };
        let sigma = f64::hypot(noise, offset);
        let moved = Vector3::from(*point) + Vector3::from_fn(|_, _| sigma * random.normal());
        *point = moved.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::open_hand;

    #[test]
    fn poses_stay_within_the_limits_and_reach_far() {
        let model = open_hand(Side::Left).expect("sound asset");
        let mut random = Random::new(1, "poses");
        let (mut low, mut high) = ([f64::INFINITY; 45], [f64::NEG_INFINITY; 45]);
        for _ in 0..500 {
            let p = draw(&model, &mut random);
            for i in 0..45 {
                let [least, most] = model.joint_limits[i];
                assert!((least..=most).contains(&p.hand_pose[i]), "component {i}: {}", p.hand_pose[i]);
                low[i] = low[i].min(p.hand_pose[i]);
                high[i] = high[i].max(p.hand_pose[i]);
            }
        }
        for (i, [least, most]) in model.joint_limits.iter().enumerate() {
            assert!(high[i] - low[i] > 0.9 * (most - least), "component {i}: only {} to {}", low[i], high[i]);
        }
    }

    #[test]
    fn half_of_the_keypoints_are_disturbed() {
        let mut random = Random::new(2, "noise");
        let moved = (0..400).filter(|_| {
            let mut points = [[0.0; 3]; KEYPOINTS];
            disturb(&mut points, &mut random);
            points != [[0.0; 3]; KEYPOINTS]
        });
        let count = moved.count();
        assert!((150..250).contains(&count), "{count} of 400");
    }
}
