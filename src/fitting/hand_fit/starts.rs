//! Where the fit begins: the network's prediction against several poses, on hands drawn from the whole range of poses.

use super::super::test_rig::{Noise, Rig};
use super::tests::{new_fit, pose_of};
use super::*;
use crate::gpu::testing::gpu;
use crate::hand::open_hand;
use crate::regressor::poses;
use crate::synthetic::Random;

/// What one way to begin came to, sums over hands.
#[derive(Debug, Default)]
struct Outcome {
    hands: u32,
    /// Fits whose vertices lie within [`CONVERGED_MM`] of the true ones.
    converged: u32,
    iterations: u32,
    /// Iterations times starts: what the device computes.
    steps: u32,
    seconds: f64,
    mean_mm: f64,
}

/// Keypoints here are exact, but say little about how thick fingers are: two in a hundred millimetres of a hand's length.
const CONVERGED_MM: f64 = 2.5;

/// Both ways on the same rigs of two hands each: the network, then several poses.
fn compare(rigs: u64) -> [Outcome; 2] {
    let gpu = gpu();
    let backend = gpu.as_ref().map_or(FitBackend::Reference, FitBackend::Gpu);
    let models = Side::BOTH.map(|side| open_hand(side).expect("sound asset"));
    let mut random = Random::new(9, "starts");
    let mut outcomes = [Outcome::default(), Outcome::default()];
    for seed in 0..rigs {
        let mut rig = Rig::new(8, 1000 + seed);
        for (hand, model) in rig.hands.iter_mut().zip(&models) {
            let mut p = poses::draw(model, &mut random);
            p.transl = hand.parameters.transl;
            *hand = pose_hand(model, &p);
        }
        let pose = pose_of(&rig, &Noise { px: 0.0, outliers: 0.0, seed: 1 });
        for (outcome, init) in outcomes.iter_mut().zip([FitInit::Gcn, FitInit::MultiStart]) {
            let settings = HandFitSettings { init, ..HandFitSettings::default() };
            let began = std::time::Instant::now();
            let mut fit = new_fit(backend, &pose, &settings);
            assert_eq!(fit.notes(), [] as [String; 0], "the open hand has weights");
            let starts = u32::try_from(fit.states.len()).expect("few");
            while fit.step().expect("finite").is_some() {}
            outcome.iterations += 2 * fit.iteration;
            outcome.steps += starts * fit.iteration;
            let fitted = fit.finish(&[]).expect("finite").hands;
            outcome.seconds += began.elapsed().as_secs_f64();
            for hand in &fitted {
                let error = rig.vertex_error_mm(&hand.posed);
                outcome.hands += 1;
                outcome.converged += u32::from(error < CONVERGED_MM);
                outcome.mean_mm += error;
            }
        }
    }
    for outcome in &mut outcomes {
        outcome.mean_mm /= f64::from(outcome.hands);
    }
    outcomes
}

#[test]
fn a_fit_from_the_prediction_gets_there_in_fewer_iterations() {
    let [network, poses] = compare(3);
    eprintln!("network {network:?}\nposes {poses:?}");
    assert_eq!((network.hands, poses.hands), (6, 6), "two hands a rig");
    assert_eq!(network.converged, 6, "{network:?}");
    assert!(network.iterations < poses.iterations && network.steps < poses.steps, "{network:?} against {poses:?}");
}

#[test]
#[ignore = "minutes; prints what it measured"]
fn a_thousand_fits_side_by_side() {
    let [network, poses] = compare(500);
    eprintln!("network {network:?}\nposes {poses:?}");
    assert!(f64::from(network.converged) >= 0.995 * f64::from(network.hands), "{network:?}");
    assert!(network.iterations < poses.iterations, "{network:?} against {poses:?}");
}
