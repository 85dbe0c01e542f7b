//! A made-up model in MANO's layout with everything a hand model can have, for the tests and the benchmark of the hand
//! layer: dense shape and pose directions, blended skin weights, a dense regressor, a mean pose and a pose basis.

use thenar::anatomy::{JOINTS, Side};
use thenar::hand::{HandModel, HandParameters, open_hand};

#[path = "split_mix.rs"]
mod split_mix;
pub(crate) use split_mix::Random;

fn array<const N: usize>(r: &mut Random, size: f64) -> [f64; N] {
    std::array::from_fn(|_| size * r.signed())
}

/// A cloud of `vertices` points of hand size; as many numbers of every kind as MANO has at 778.
pub(crate) fn random_hand(vertices: usize, seed: u64) -> HandModel {
    let r = &mut Random(seed);
    let normalised = |mut row: Vec<f64>| {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|w| *w /= sum);
        row
    };
    let weights = |r: &mut Random, v: usize| -> [f64; JOINTS] {
        // Two to five joints a vertex, as in hand models.
        let mut row = vec![0.0; JOINTS];
        for k in 0..2 + v % 4 {
            row[(v + 5 * k) % JOINTS] = 0.1 + r.signed().abs();
        }
        normalised(row).try_into().expect("16 weights")
    };
    let end = u32::try_from(vertices).expect("small");
    let regressor = |r: &mut Random| {
        let row = normalised((0..vertices).map(|_| r.signed().abs()).collect());
        (0..end).zip(row).collect()
    };
    HandModel {
        name: "random".to_owned(),
        side: Side::Right,
        template: (0..vertices).map(|_| array(r, 0.1)).collect(),
        faces: vec![[0, 1, 2]],
        shape_directions: (0..vertices).map(|_| [array(r, 0.01), array(r, 0.01), array(r, 0.01)]).collect(),
        pose_directions: Some((0..vertices).map(|_| [array(r, 3e-3), array(r, 3e-3), array(r, 3e-3)]).collect()),
        joint_regressor: (0..JOINTS).map(|_| regressor(r)).collect(),
        skin_weights: (0..vertices).map(|v| weights(r, v)).collect(),
        hands_mean: array(r, 0.3),
        hands_components: (0..45).map(|_| array(r, 0.3)).collect(),
        uvs: Vec::new(),
        uv_faces: Vec::new(),
        tips: [0, end / 5, end / 3, end / 2, end - 1],
        wrist_loop: Vec::new(),
        // Fields that the layer does not look at.
        ..open_hand(Side::Right).expect("sound asset")
    }
}

/// Parameters that use everything: every joint turned, joint 4 not at all, joint 7 by almost π.
pub(crate) fn random_parameters(side: Side, seed: u64) -> HandParameters {
    let r = &mut Random(seed);
    let mut hand_pose = array::<45>(r, 0.8);
    hand_pose[9..12].fill(0.0);
    hand_pose[18..21].copy_from_slice(&[0.0, std::f64::consts::PI - 1e-4, 1e-3]);
    HandParameters {
        side,
        global_orient: array(r, 1.5),
        transl: array(r, 0.5),
        hand_pose: hand_pose.to_vec(),
        betas: array::<10>(r, 1.5).to_vec(),
        scale: 1.3 + 0.3 * r.signed(),
    }
}
