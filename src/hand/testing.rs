//! Hands for tests.

use super::{HandModel, HandParameters, open_hand};
use crate::anatomy::Side;

/// The open hand with smooth made-up correctives of some millimetres at strong bends.
pub(crate) fn model_with_correctives(side: Side) -> HandModel {
    let mut model = open_hand(side).expect("the asset is sound");
    let directions = model
        .template
        .iter()
        .map(|p| {
            std::array::from_fn(|axis| {
                std::array::from_fn(|i| {
                    let phase = f64::from(u32::try_from(axis * 135 + i).expect("small"));
                    4e-3 * (40.0 * (p[0] + 0.7 * p[1] - p[2]) + phase).sin()
                })
            })
        })
        .collect();
    model.pose_directions = Some(directions);
    model
}

/// A strongly bent hand: every finger joint by about 80°, the thumb less, with some spread and twist, turned and moved.
pub(crate) fn bent(side: Side) -> HandParameters {
    let mirror = if side == Side::Left { -1.0 } else { 1.0 };
    let mut p = HandParameters::rest(side);
    for joint in 0..15 {
        let (flex, spread) = if joint < 12 { (1.4, 0.12) } else { (0.6, -0.3) };
        p.hand_pose[3 * joint] = 0.1;
        p.hand_pose[3 * joint + 1] = mirror * spread;
        p.hand_pose[3 * joint + 2] = mirror * flex;
    }
    p.global_orient = [0.4, -1.1, 2.0];
    p.transl = [0.1, -0.3, 0.9];
    p.betas = (0..10).map(|i| 0.4 * (2.1 * f64::from(i)).sin()).collect();
    p.scale = 1.1;
    p
}
