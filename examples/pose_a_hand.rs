//! Loads a hand model, makes a fist and saves the mesh:
//! `cargo run --no-default-features --example pose_a_hand -- fist.ply`

use std::path::PathBuf;
use thenar::anatomy::Side;
use thenar::export::{ExportHand, Provenance, ply};
use thenar::hand::{HandParameters, open_hand, pose_hand};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("fist.ply"), PathBuf::from);
    let model = open_hand(Side::Right)?;
    let mut parameters = HandParameters::rest(Side::Right);
    for finger_joint in parameters.hand_pose[..36].chunks_exact_mut(3) {
        finger_joint[2] = 1.2; // radians about z: flexion of a right hand's fingers
    }
    let fist = pose_hand(&model, &parameters);
    ply::write(&path, &ExportHand::of_model(&model, &fist), &Provenance::default())?;
    Ok(())
}
