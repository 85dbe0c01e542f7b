//! Where to look, how often, and what of it to believe.

use super::landmarks::{self, Landmarks};
use super::palm::{self, Palm};
use super::picture::{Beyond, Picture, Window};
use super::{DetectError, DetectedHands, Detector};
use crate::anatomy::{KEYPOINTS, Side};
use crate::capture::Keypoints;
use image::RgbImage;
use std::f64::consts::{FRAC_PI_2, PI};

/// Least score of a palm and least presence of a hand, as in MediaPipe.
const PALM_SCORE: f64 = 0.5;
const PRESENCE: f64 = 0.5;
/// Palms this near to the side of an inner window (0…1) are left to its neighbour.
const MARGIN: f64 = 0.08;
/// Sides of the windows of each level of the search, in shorter sides of the picture. They overlap by half.
const LEVELS: [f64; 3] = [1.0, 0.62, 0.38];
/// Levels that are looked through even when two hands were found before: a smaller window sees them better.
const ALWAYS: usize = 2;
/// Mean distance of landmarks, in extents of the hand, below which two candidates are one hand.
const SAME_HAND: f64 = 0.25;
/// Extra looks: scale and turn (radians) of the window.
const LOOKS: [(f64, f64); 2] = [(1.10, 0.12), (0.92, -0.12)];
/// Disagreement, in sides of the window, that halves the confidence.
const DISAGREEMENT: f64 = 0.02;
/// Candidates that the landmark network looks at in one view, best first.
const MAX_CANDIDATES: usize = 8;

/// A hand found.
#[derive(Clone, Debug)]
struct Hand {
    landmarks: Landmarks,
    confidence: [f64; KEYPOINTS],
}

impl Detector {
    /// Looks for both hands of a person in a picture.
    ///
    /// # Errors
    /// [`DetectError::Run`].
    pub fn detect(&self, image: &RgbImage) -> Result<DetectedHands, DetectError> {
        let picture = Picture::new(image);
        let mut hands = self.search(&picture, 0.0)?;
        for quarter in [FRAC_PI_2, -FRAC_PI_2, PI] {
            if hands.is_empty() {
                hands = self.search(&picture, quarter)?;
            }
        }
        if hands.is_empty() {
            let mirrored = Picture::new(&image::imageops::flip_horizontal(image));
            hands = self.search(&mirrored, 0.0)?;
            for hand in &mut hands {
                hand.landmarks.right = 1.0 - hand.landmarks.right;
                for px in &mut hand.landmarks.px {
                    px[0] = f64::from(image.width()) - px[0];
                }
            }
        }
        Ok(by_side(hands))
    }

    /// The two surest hands, the picture turned by `rotation`; surest first.
    fn search(&self, picture: &Picture, rotation: f64) -> Result<Vec<Hand>, DetectError> {
        let mut palms: Vec<Palm> = Vec::new();
        let mut seen: Vec<Palm> = Vec::new();
        let mut hands: Vec<Hand> = Vec::new();
        for (level, windows) in search_windows(picture.size_px(), rotation).into_iter().enumerate() {
            if level >= ALWAYS && hands.len() >= 2 {
                break;
            }
            // The whole picture has no neighbour to leave anything to.
            let margin = if level == 0 { 0.0 } else { MARGIN };
            for window in windows {
                palms.extend(self.palms(picture, &window, margin)?);
            }
            let merged = palm::merge(palms.clone());
            for palm in merged.into_iter().take(MAX_CANDIDATES) {
                // A palm that was looked at on a coarser level has not moved much.
                let known = |other: &Palm| {
                    (palm.centre_px[0] - other.centre_px[0]).hypot(palm.centre_px[1] - other.centre_px[1])
                        < 0.1 * palm.side_px
                };
                if seen.iter().any(known) {
                    continue;
                }
                seen.push(palm);
                hands.extend(self.look(picture, &palm)?);
            }
            hands = distinct(hands);
        }
        hands.truncate(2);
        hands.into_iter().map(|hand| self.look_again(picture, hand)).collect()
    }

    fn palms(&self, picture: &Picture, window: &Window, margin: f64) -> Result<Vec<Palm>, DetectError> {
        let input = picture.sample(window, palm::SIZE, Beyond::Black);
        let outputs = self.palm.run(&input).map_err(|e| DetectError::Run(e.to_string()))?;
        let [boxes, logits] = &outputs[..] else {
            return Err(DetectError::Run(format!("the palm network has {} outputs", outputs.len())));
        };
        Ok(palm::decode(boxes, logits, &self.anchors, window, [PALM_SCORE, margin]))
    }

    fn landmarks(&self, picture: &Picture, window: &Window) -> Result<Option<Landmarks>, DetectError> {
        let input = picture.sample(window, landmarks::SIZE, Beyond::Nearest);
        let outputs = self.landmarks.run(&input).map_err(|e| DetectError::Run(e.to_string()))?;
        match &outputs[..] {
            [numbers, presence, right, ..] if presence.len() == 1 && right.len() == 1 => {
                Ok(Landmarks::new(numbers, presence[0], right[0], window).filter(|l| l.presence >= PRESENCE))
            }
            _ => Err(DetectError::Run(format!("the landmark network has {} outputs", outputs.len()))),
        }
    }

    /// The hand at a palm, seen in the palm's window and once more in its own.
    fn look(&self, picture: &Picture, palm: &Palm) -> Result<Option<Hand>, DetectError> {
        let Some(first) = self.landmarks(picture, &palm.hand_window())? else { return Ok(None) };
        let second = self.landmarks(picture, &first.hand_window())?;
        Ok(second.map(|landmarks| Hand { confidence: [landmarks.presence; KEYPOINTS], landmarks }))
    }

    /// More looks at a hand: the mean of all, and a confidence from how far they agree.
    fn look_again(&self, picture: &Picture, hand: Hand) -> Result<Hand, DetectError> {
        let window = hand.landmarks.hand_window();
        let mut looks = vec![hand.landmarks];
        for (scale, turn) in LOOKS {
            let window = Window { side_px: window.side_px * scale, rotation: window.rotation + turn, ..window };
            // A look that sees no hand counts as no agreement beyond what the others have.
            looks.extend(self.landmarks(picture, &window)?);
        }
        Ok(agreed(&looks, window.side_px))
    }
}

/// Windows of each level: the whole picture, then squares that overlap by half.
fn search_windows([width, height]: [f64; 2], rotation: f64) -> Vec<Vec<Window>> {
    let square = |centre_px, side_px| Window { centre_px, side_px, rotation };
    let mut levels = vec![vec![square([0.5 * width, 0.5 * height], width.max(height))]];
    for level in LEVELS {
        let side = level * width.min(height);
        let centres = |length: f64| -> Vec<f64> {
            let steps = ((length - side) / (0.5 * side)).ceil().max(0.0);
            let mut centres = vec![0.5 * side];
            let mut step = 1.0;
            while step <= steps {
                centres.push(0.5 * side + (length - side) * step / steps);
                step += 1.0;
            }
            centres
        };
        let columns = centres(width);
        levels.push(centres(height).iter().flat_map(|y| columns.iter().map(|x| square([*x, *y], side))).collect());
    }
    levels
}

/// One of each group of candidates that are the same hand, the surest; surest first.
fn distinct(mut hands: Vec<Hand>) -> Vec<Hand> {
    hands.sort_by(|a, b| b.landmarks.presence.total_cmp(&a.landmarks.presence));
    let mut kept: Vec<Hand> = Vec::new();
    for hand in hands {
        let same = |other: &Hand| {
            let extent = hand.landmarks.extent_px().max(other.landmarks.extent_px());
            hand.landmarks.distance_px(&other.landmarks) < SAME_HAND * extent
        };
        if !kept.iter().any(same) {
            kept.push(hand);
        }
    }
    kept
}

/// The mean of several looks at one hand through windows of about `side_px`.
fn agreed(looks: &[Landmarks], side_px: f64) -> Hand {
    let count = looks.len() as f64;
    let mean = |value: &dyn Fn(&Landmarks) -> f64| looks.iter().map(value).sum::<f64>() / count;
    let px: [[f64; 2]; KEYPOINTS] = std::array::from_fn(|j| [0, 1].map(|a| mean(&|l| l.px[j][a])));
    let presence = mean(&|l| l.presence);
    let confidence = std::array::from_fn(|j| {
        let square = mean(&|l| (l.px[j][0] - px[j][0]).powi(2) + (l.px[j][1] - px[j][1]).powi(2));
        presence / (1.0 + square / (DISAGREEMENT * side_px).powi(2))
    });
    Hand { landmarks: Landmarks { px, presence, right: mean(&|l| l.right) }, confidence }
}

/// Gives each hand a side; surest first.
fn by_side(hands: Vec<Hand>) -> DetectedHands {
    let mut sides = [None, None];
    for hand in hands.into_iter().take(2) {
        let claimed = if hand.landmarks.right >= 0.5 { Side::Right } else { Side::Left };
        let free = if sides[claimed.index()].is_none() { claimed.index() } else { 1 - claimed.index() };
        sides[free] = Some(Keypoints::detected(hand.landmarks.px, hand.confidence));
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::super::landmarks::tests::hand;
    use super::*;

    fn found(landmarks: Landmarks) -> Hand {
        Hand { confidence: [landmarks.presence; KEYPOINTS], landmarks }
    }

    #[test]
    fn windows_cover_the_picture_and_overlap() {
        let levels = search_windows([1280.0, 1024.0], 0.0);
        assert_eq!(levels.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 12, 30], "more and more");
        for windows in &levels[1..] {
            let side = windows[0].side_px;
            for (x, y) in (0..=128).flat_map(|x| (0..=102).map(move |y| (10.0 * f64::from(x), 10.0 * f64::from(y)))) {
                let inside = |w: &&Window| {
                    (w.centre_px[0] - x).abs() <= 0.5 * side + 1e-6 && (w.centre_px[1] - y).abs() <= 0.5 * side + 1e-6
                };
                assert!(windows.iter().any(|w| inside(&w)), "({x}, {y}) is seen at side {side}");
            }
        }
        assert_eq!(search_windows([500.0, 500.0], 0.0)[1].len(), 1, "a square picture is one window");
    }

    #[test]
    fn candidates_of_one_hand_are_merged_and_the_surest_stays() {
        let sure = found(Landmarks { presence: 0.99, ..hand([200.0, 300.0], 100.0) });
        let again = found(hand([205.0, 302.0], 98.0));
        let other = found(hand([330.0, 300.0], 100.0));
        let kept = distinct(vec![again, other.clone(), sure.clone()]);
        assert_eq!(kept.len(), 2, "two hands");
        assert_eq!((&kept[0].landmarks, &kept[1].landmarks), (&sure.landmarks, &other.landmarks), "surest first");
    }

    #[test]
    fn confidence_falls_where_looks_disagree() {
        let one = hand([200.0, 300.0], 100.0);
        let mut two = one.clone();
        two.px[8][0] += 10.0;
        let mean = agreed(&[one.clone(), two], 250.0);
        assert!((mean.landmarks.px[8][0] - one.px[8][0] - 5.0).abs() < 1e-9, "the mean");
        assert!((mean.confidence[0] - 0.9).abs() < 1e-12, "full agreement leaves the presence");
        assert!((mean.confidence[8] - 0.45).abs() < 1e-12, "5 of 250 pixels halve it: {}", mean.confidence[8]);
    }

    #[test]
    fn two_hands_never_share_a_side() {
        let both_right = by_side(vec![found(hand([0.0, 0.0], 50.0)), found(hand([100.0, 0.0], 50.0))]);
        let wrist = |side: Side| both_right[side.index()].as_ref().map(|k| k.px[0][0]);
        assert_eq!((wrist(Side::Right), wrist(Side::Left)), (Some(0.0), Some(100.0)), "the surer keeps its claim");
        let left = by_side(vec![found(Landmarks { right: 0.1, ..hand([0.0, 0.0], 50.0) })]);
        assert!(left[0].is_some() && left[1].is_none(), "one left hand");
    }
}
