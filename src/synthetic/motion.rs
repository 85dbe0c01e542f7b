//! How a hand moves over the frames of a sequence: fingers bend and stretch, the wrist turns and wanders, all by sines whose
//! frequencies (0.3 to 0.8 a second), phases and sizes are seeded, so that speed and acceleration are known to be smooth.

use super::random::Random;
use super::{FRAMES_PER_SECOND, SynthSettings};
use crate::anatomy::Side;
use nalgebra::{Rotation3, Vector3};
use std::f64::consts::TAU;

/// Fingers, as the model's joints come: three joints each.
const FINGERS: usize = 5;

/// What is added to the still pose in one frame; nothing in frame 0.
pub(super) struct Motion {
    /// Share of the model's mean pose that is added to each finger.
    bends: [f64; FINGERS],
    /// Turn about the hand's middle, world axes, radians.
    turn: Vector3<f64>,
    /// Shift, world metres.
    shift: Vector3<f64>,
    still: bool,
}

impl Motion {
    pub(super) fn new(settings: &SynthSettings, side: Side) -> Self {
        let mut random = Random::new(settings.seed, &format!("motion {side}"));
        let seconds = f64::from(settings.frame) / FRAMES_PER_SECOND;
        // From nothing at the first frame to the whole and back.
        let mut swing = |least: f64, most: f64| {
            let (size, hertz) = (random.range(least, most), random.range(0.3, 0.8));
            size * 0.5 * (1.0 - (TAU * hertz * seconds).cos())
        };
        let bends = [(); FINGERS].map(|()| swing(0.4, 1.0));
        let mut sway = |size: f64| {
            let (size, hertz) = (size * random.range(0.5, 1.0), random.range(0.3, 0.8));
            let sign = if random.unit() < 0.5 { -1.0 } else { 1.0 };
            sign * size * (TAU * hertz * seconds).sin()
        };
        let turn = Vector3::from([(); 3].map(|()| sway(0.35)));
        let shift = Vector3::from([(); 3].map(|()| sway(0.02)));
        Self { bends, turn, shift, still: settings.frame == 0 }
    }

    /// Share of the mean pose that is added to component `i` of the 45.
    pub(super) fn bend(&self, i: usize) -> f64 {
        self.bends[(i / 9).min(FINGERS - 1)]
    }

    pub(super) fn turned(&self, rotation: Rotation3<f64>) -> Rotation3<f64> {
        // Not even the last bit of a still hand changes.
        if self.still { rotation } else { Rotation3::from_scaled_axis(self.turn) * rotation }
    }

    pub(super) const fn shift(&self) -> Vector3<f64> {
        self.shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::KEYPOINTS;
    use crate::synthetic::{SynthHands, SyntheticScene, make};

    fn frame(frame: u32) -> SyntheticScene {
        let small =
            SynthSettings { hands: SynthHands::Right, views: 2, size: (64, 64), level: 0, ..Default::default() };
        make(&SynthSettings { frame, noise_px: 1.0, ..small }).expect("a scene")
    }

    #[test]
    fn the_hand_moves_smoothly_and_everything_else_stays() {
        let frames: Vec<SyntheticScene> = (0..8).map(|i| frame(3 * i)).collect();
        let at = |f: usize, k: usize| Vector3::from(frames[f].hands[0].joints[k]);
        let (mut path, mut steepest, mut bend) = (0.0_f64, 0.0_f64, 0.0_f64);
        for k in 0..KEYPOINTS {
            for f in 1..7 {
                path = path.max((at(f, k) - at(f - 1, k)).norm());
                bend = bend.max((at(f + 1, k) - at(f, k) * 2.0 + at(f - 1, k)).norm());
            }
            steepest = steepest.max((at(7, k) - at(0, k)).norm());
        }
        assert!(steepest > 0.01, "it goes somewhere: {steepest} m in 0.7 s");
        assert!(path < 0.05 && bend < 0.5 * path + 0.004, "without jumps: {path} m a step, {bend} m of bend");
        for scene in &frames[1..] {
            assert_eq!(scene.hands[0].parameters.betas, frames[0].hands[0].parameters.betas, "one shape");
            assert_eq!(scene.hands[0].albedo, frames[0].hands[0].albedo, "one skin");
            assert_eq!((scene.light, &scene.gains), (frames[0].light, &frames[0].gains), "one light, one exposure");
            for (a, b) in scene.capture.views.iter().zip(&frames[0].capture.views) {
                assert_eq!(a.camera, b.camera, "one rig");
            }
        }
        let noise = |scene: &SyntheticScene| {
            let seen = scene.capture.views[1].keypoints[1].as_ref().expect("seen").px[4];
            let exact = scene.capture.views[1].camera.project(&Vector3::from(scene.hands[0].joints[4])).expect("seen");
            [seen[0] - exact.x, seen[1] - exact.y]
        };
        assert_ne!(noise(&frames[1]), noise(&frames[2]), "the detector errs anew");
    }

    #[test]
    fn a_person_keeps_shape_and_skin_in_another_pose() {
        let small =
            SynthSettings { hands: SynthHands::Right, views: 2, size: (64, 64), level: 0, ..Default::default() };
        let one = make(&SynthSettings { seed: 5, ..small.clone() }).expect("a scene");
        let two = make(&SynthSettings { seed: 6, person: Some(5), ..small }).expect("a scene");
        let (one, two) = (&one.hands[0], &two.hands[0]);
        assert_eq!((&one.parameters.betas, &one.albedo), (&two.parameters.betas, &two.albedo), "the same hand");
        assert_ne!(one.parameters.hand_pose, two.parameters.hand_pose, "another pose");
    }
}
