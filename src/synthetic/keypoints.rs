//! Detections: exact projections of the true joints, then noise, outliers and exchanged labels as asked for.

use super::random::Random;
use super::{SynthSettings, TrueHand};
use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;
use crate::capture::Keypoints;
use nalgebra::Vector3;

/// What the detector said and where it was made to lie.
pub(super) struct Detections {
    /// Per view the claimed left and right hand.
    pub(super) views: Vec<[Option<Keypoints>; 2]>,
    /// Views with exchanged labels, ascending.
    pub(super) swapped: Vec<usize>,
    /// (view, true side, keypoint).
    pub(super) outliers: Vec<(usize, Side, usize)>,
}

pub(super) fn make(settings: &SynthSettings, cameras: &[Camera], hands: &[TrueHand]) -> Detections {
    // A detector errs anew in every frame.
    let purpose = if settings.frame == 0 { "keypoints".to_owned() } else { format!("keypoints {}", settings.frame) };
    let mut random = Random::new(settings.seed, &purpose);
    let scale = f64::from(settings.size.0) / 1280.0;
    let mut outliers = Vec::new();
    let mut views = Vec::new();
    for (v, camera) in cameras.iter().enumerate() {
        let mut seen = [None, None];
        for hand in hands {
            let exact: Option<Vec<_>> = hand.joints.iter().map(|&j| camera.project(&Vector3::from(j))).collect();
            let Some(exact) = exact else { continue };
            let mut px = [[0.0; 2]; KEYPOINTS];
            for (k, p) in exact.iter().enumerate() {
                // The same draws at any noise level and rate, so that settings change one thing at a time.
                let (dx, dy) = (random.normal(), random.normal());
                let (chance, angle) = (random.unit(), random.range(0.0, std::f64::consts::TAU));
                let far = random.range(40.0, 200.0) * scale;
                px[k] = [p.x + settings.noise_px * dx, p.y + settings.noise_px * dy];
                if chance < settings.outliers {
                    px[k] = [p.x + far * angle.cos(), p.y + far * angle.sin()];
                    outliers.push((v, hand.side, k));
                }
            }
            seen[hand.side.index()] = Some(Keypoints::detected(px, [1.0; KEYPOINTS]));
        }
        views.push(seen);
    }
    let swapped = choose(settings.swaps, cameras.len(), &mut Random::new(settings.seed, "swaps"));
    for &v in &swapped {
        views[v].swap(0, 1);
    }
    Detections { views, swapped, outliers }
}

/// `count` different numbers below `of`, ascending.
#[expect(clippy::cast_possible_truncation, reason = "reduced below the number of views first")]
fn choose(count: usize, of: usize, random: &mut Random) -> Vec<usize> {
    let mut all: Vec<usize> = (0..of).collect();
    for i in 0..count {
        let j = i + (random.bits() % (of - i) as u64) as usize;
        all.swap(i, j);
    }
    all.truncate(count);
    all.sort_unstable();
    all
}
