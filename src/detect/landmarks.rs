//! The landmark network's answer, and the window that follows a hand from it (`hand_landmark_landmarks_to_roi` of
//! MediaPipe: palm landmarks only, upright along wrist → mean knuckle, moved a tenth towards the fingers, twice as wide).

use super::palm::upright;
use super::picture::Window;
use crate::anatomy::KEYPOINTS;

/// Pixels of the network's input, each way.
pub(super) const SIZE: usize = 224;

/// A hand as the landmark network sees it in one window.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Landmarks {
    /// Pixels of the photograph, MediaPipe order.
    pub(super) px: [[f64; 2]; KEYPOINTS],
    /// How sure the network is that there is a hand, 0…1.
    pub(super) presence: f64,
    /// 0 = a left hand … 1 = a right hand.
    pub(super) right: f64,
}

/// Landmarks that the window is taken from: wrist, thumb's first three, and the first two of each finger.
const PALM: [usize; 12] = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18];

impl Landmarks {
    /// From the network's outputs: 63 numbers (x, y, depth in pixels of the input), presence, handedness.
    pub(super) fn new(numbers: &[f32], presence: f32, right: f32, window: &Window) -> Option<Self> {
        let mut px = [[0.0; 2]; KEYPOINTS];
        if numbers.len() != 3 * KEYPOINTS || !numbers.iter().chain([&presence, &right]).all(|v| v.is_finite()) {
            return None;
        }
        for (px, xyz) in px.iter_mut().zip(numbers.as_chunks::<3>().0) {
            *px = window.image_from_window([xyz[0], xyz[1]].map(|v| f64::from(v) / SIZE as f64));
        }
        Some(Self { px, presence: f64::from(presence), right: f64::from(right) })
    }

    /// The window in which to look for the hand again.
    pub(super) fn hand_window(&self) -> Window {
        let mean = |points: [[f64; 2]; 2]| [0, 1].map(|a| 0.5 * (points[0][a] + points[1][a]));
        let knuckles = mean([mean([self.px[5], self.px[13]]), self.px[9]]);
        let rotation = upright([self.px[0], knuckles]);
        // The bounding box along the window's own axes.
        let turned = Window { centre_px: [0.0; 2], side_px: 1.0, rotation: -rotation };
        let along = |p: [f64; 2]| turned.image_from_window([p[0] + 0.5, p[1] + 0.5]);
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for point in PALM.map(|i| along(self.px[i])) {
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
            }
        }
        let size = [0, 1].map(|a| high[a] - low[a]);
        let centre = [0.5 * (low[0] + high[0]), 0.5 * (low[1] + high[1]) - 0.1 * size[1]];
        let back = Window { rotation, ..turned };
        Window {
            centre_px: back.image_from_window([centre[0] + 0.5, centre[1] + 0.5]),
            side_px: 2.0 * size[0].max(size[1]),
            rotation,
        }
    }

    /// Longer side of the upright box of all landmarks, pixels.
    pub(super) fn extent_px(&self) -> f64 {
        let side = |axis: usize| {
            let values = self.px.iter().map(|p| p[axis]);
            values.clone().fold(f64::NEG_INFINITY, f64::max) - values.fold(f64::INFINITY, f64::min)
        };
        side(0).max(side(1))
    }

    /// Mean distance of corresponding landmarks, pixels.
    pub(super) fn distance_px(&self, other: &Self) -> f64 {
        let total: f64 = self.px.iter().zip(&other.px).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).sum();
        total / KEYPOINTS as f64
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A flat hand that points up, fingers `length` long, its wrist at `wrist`.
    pub(in crate::detect) fn hand(wrist: [f64; 2], length: f64) -> Landmarks {
        let mut px = [wrist; KEYPOINTS];
        for (finger, offset) in [-2.0, -1.0, 0.0, 1.0, 2.0].into_iter().enumerate() {
            for (part, up) in [0.5, 0.7, 0.85, 1.0].into_iter().enumerate() {
                px[1 + 4 * finger + part] = [wrist[0] + 0.1 * length * offset, wrist[1] - length * up];
            }
        }
        Landmarks { px, presence: 0.9, right: 1.0 }
    }

    #[test]
    fn numbers_of_the_network_become_pixels() {
        let window = Window { centre_px: [100.0, 80.0], side_px: 112.0, rotation: 0.0 };
        let mut numbers = [112.0_f32; 63];
        numbers[3] = 224.0;
        let found = Landmarks::new(&numbers, 0.9, 0.2, &window).expect("sound");
        assert_eq!((found.px[0], found.px[1]), ([100.0, 80.0], [156.0, 80.0]), "half a pixel each");
        numbers[5] = f32::NAN;
        assert!(Landmarks::new(&numbers, 0.9, 0.2, &window).is_none(), "no number");
        assert!(Landmarks::new(&numbers[..60], 0.9, 0.2, &window).is_none(), "too few");
    }

    #[test]
    fn the_window_holds_the_hand_and_turns_with_it() {
        let upright = hand([200.0, 300.0], 100.0);
        let window = upright.hand_window();
        // Four hundredths of the knuckles' mean lie left of the wrist: the middle finger is a straight line up here.
        assert!(window.rotation.abs() < 0.06, "upright: {}", window.rotation);
        assert!(window.side_px > 120.0 && window.centre_px[1] < 270.0, "{window:?}");
        let mut right = upright.clone();
        for (to, from) in right.px.iter_mut().zip(&upright.px) {
            // A quarter turn about the wrist, clockwise in the photograph.
            let [dx, dy] = [from[0] - 200.0, from[1] - 300.0];
            *to = [200.0 - dy, 300.0 + dx];
        }
        let turned = right.hand_window();
        assert!((turned.rotation - window.rotation - std::f64::consts::FRAC_PI_2).abs() < 1e-9, "{turned:?}");
        assert!((turned.side_px - window.side_px).abs() < 1e-9, "of the same size");
    }
}
