//! The open hand against people: sizes, ranges of motion, and what its named axes do.
//!
//! Sizes: ANSUR II, the 2012 anthropometric survey of US Army personnel (Gordon et al. 2014, NATICK/TR-15/007), percentiles
//! computed from its public data (1,986 women, 4,082 men): hand length (stylion to the tip of the middle finger), hand
//! breadth (across the metacarpal heads), and the middle finger as hand length less palm length. The other fingers by their
//! mean proportions to the middle one in Chatzıoglou, Pınar, Govsa 2024 (Anat. Cell Biol. 57:172): thumb 49.5, index 63.9,
//! middle 70.7, ring 65.5, little finger 53.3 mm from crease to tip.

use super::open_hand;
use crate::anatomy::{JOINTS, Side, TIPS};
use crate::hand::{HandModel, HandParameters, pose_hand, regress_joints, shaped_template};
use nalgebra::Vector3;

/// (1st percentile of women, mean of both sexes' means, 99th percentile of men), millimetres.
const HAND_LENGTH_MM: [f64; 3] = [160.0, 187.2, 218.0];
const HAND_BREADTH_MM: [f64; 3] = [69.9, 83.2, 99.0];
/// Middle finger from crease to tip.
const MIDDLE_MM: [f64; 3] = [59.0, 74.6, 92.0];
/// Crease to tip of thumb, index, middle, ring, little finger, relative to the middle finger.
const PROPORTION: [f64; TIPS] = [49.5 / 70.7, 63.9 / 70.7, 1.0, 65.5 / 70.7, 53.3 / 70.7];
/// Crease to tip, relative to joint to tip: the fingers' 74.6 mm of ANSUR II over the 94 mm of proximal, middle and distal
/// phalanx with the pulp (Buryanov, Kotiuk 2010, Int. J. Morphol. 28:755, at ANSUR II's hand length), the thumb's 49.5 over 57.
const FREE: [f64; TIPS] = [0.87, 0.79, 0.79, 0.79, 0.79];

struct Sizes {
    hand_length: f64,
    hand_breadth: f64,
    /// Thumb, index, middle, ring, little finger.
    fingers: [f64; TIPS],
}

fn sizes(model: &HandModel, betas: &[f64]) -> Sizes {
    let vertices = shaped_template(model, betas);
    let joints = regress_joints(model, &vertices).map(Vector3::from);
    let tips = model.tips.map(|v| Vector3::from(vertices[v as usize]));
    let knuckle = 0.5 * (joints[1].x + joints[7].x);
    let palm = |row: &[f64; JOINTS]| row[13..].iter().sum::<f64>() < 0.05;
    let across: Vec<f64> = vertices
        .iter()
        .zip(&model.skin_weights)
        .filter(|(v, row)| palm(row) && (v[0] - knuckle).abs() < 0.012)
        .map(|(v, _)| v[2])
        .collect();
    let extent = |list: &[f64]| {
        list.iter().copied().fold(f64::NEG_INFINITY, f64::max) - list.iter().copied().fold(f64::INFINITY, f64::min)
    };
    let fingers = std::array::from_fn(|finger| {
        // The thumb's crease belongs to its second joint.
        let joint = [14, 1, 4, 10, 7][finger];
        FREE[finger] * (tips[finger] - joints[joint]).norm()
    });
    Sizes {
        hand_length: (tips[2] - joints[0]).norm() * 1e3,
        hand_breadth: extent(&across) * 1e3,
        fingers: fingers.map(|f| 1e3 * f),
    }
}

#[test]
fn sizes_lie_within_those_of_adults() {
    let model = open_hand(Side::Right).expect("sound asset");
    let size = model.labels.shape_component("size").expect("a size axis");
    for beta in [0.0, -2.0, 2.0] {
        let mut betas = [0.0; 10];
        betas[size] = beta;
        let s = sizes(&model, &betas);
        for (name, value, [low, mean, high]) in
            [("length", s.hand_length, HAND_LENGTH_MM), ("breadth", s.hand_breadth, HAND_BREADTH_MM)]
        {
            assert!((low..=high).contains(&value), "hand {name} at {beta}: {value:.1} mm is not in {low} to {high}");
            assert!(beta != 0.0 || (value - mean).abs() < 3.0, "mean hand {name}: {value:.1} mm against {mean}");
        }
        for (finger, (value, proportion)) in s.fingers.iter().zip(PROPORTION).enumerate() {
            let [low, mean, high] = MIDDLE_MM.map(|x| proportion * x);
            assert!(
                (low..=high).contains(value),
                "finger {finger} at {beta}: {value:.1} mm is not in {low:.1} to {high:.1}"
            );
            assert!(
                beta != 0.0 || (value / mean - 1.0).abs() < 0.15,
                "finger {finger}: {value:.1} mm against {mean:.1}"
            );
        }
    }
    // The check can fail: a hand a third larger is nobody's.
    let mut large = model.clone();
    large.template.iter_mut().flatten().for_each(|x| *x *= 1.33);
    assert!(sizes(&large, &[0.0; 10]).hand_length > HAND_LENGTH_MM[2], "a giant's hand is refused");
}

#[test]
fn named_axes_do_what_they_say() {
    let model = open_hand(Side::Right).expect("sound asset");
    assert_eq!(model.labels.shape_names.len(), 10, "every axis has a name");
    assert_eq!(open_hand(Side::Left).expect("sound asset").labels.shape_names, model.labels.shape_names, "both hands");
    let mean = sizes(&model, &[0.0; 10]);
    let of = |name: &str| {
        let mut betas = [0.0; 10];
        betas[model.labels.shape_component(name).unwrap_or_else(|| panic!("no axis `{name}`"))] = 1.0;
        sizes(&model, &betas)
    };
    let size = of("size");
    assert!(size.hand_length > mean.hand_length + 8.0 && size.hand_breadth > mean.hand_breadth + 2.0, "all grows");
    for name in ["finger length", "palm breadth", "finger thickness", "thumb length", "wrist girth"] {
        let change = (of(name).hand_length - mean.hand_length).abs();
        assert!(change < 1.0, "{name} leaves the hand length alone ({change:.2} mm)");
    }
    assert!(of("palm breadth").hand_breadth > mean.hand_breadth + 1.0, "the palm gets broader");
    assert!(of("finger length").fingers[2] > mean.fingers[2] + 0.5, "fingers get longer");
    assert!(of("thumb length").fingers[0] > mean.fingers[0] + 0.3, "the thumb gets longer");
    let ratio = |s: &Sizes| s.fingers[3] / s.fingers[1];
    assert!(ratio(&of("ring against index")) > ratio(&mean) + 0.005, "ring against index");
}

#[test]
fn the_pose_basis_is_orthonormal_and_its_first_rows_are_synergies() {
    for side in Side::BOTH {
        let model = open_hand(side).expect("sound asset");
        for (i, a) in model.hands_components.iter().enumerate() {
            for (j, b) in model.hands_components.iter().enumerate() {
                let dot: f64 = a.iter().zip(b).map(|(x, y)| x * y).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-6, "{side}: rows {i} and {j}: {dot}");
            }
        }
        let names: Vec<&str> = model.labels.pose_names.iter().map(String::as_str).take(3).collect();
        assert_eq!(names, ["grasp", "spread", "thumb opposition"], "names of the first rows");
    }
    // Grasp brings the fingertips towards the palm; opposition brings the thumb towards the little finger.
    let model = open_hand(Side::Right).expect("sound asset");
    let posed = |name: &str, amount: f64| {
        let row = model.hands_components[model.labels.pose_component(name).expect("named")];
        let pose: Vec<f64> = row.iter().map(|x| amount * x).collect();
        pose_hand(&model, &HandParameters { hand_pose: pose, ..HandParameters::rest(Side::Right) }).keypoints
    };
    let distance = |k: &[[f64; 3]; 21], a: usize, b: usize| (Vector3::from(k[a]) - Vector3::from(k[b])).norm();
    let (flat, fist) = (posed("grasp", 0.0), posed("grasp", 3.0));
    for tip in [8, 12, 16, 20] {
        assert!(distance(&fist, tip, 0) < 0.75 * distance(&flat, tip, 0), "fingertip {tip} comes to the wrist");
    }
    let opposed = posed("thumb opposition", 0.8);
    assert!(distance(&opposed, 4, 17) < distance(&flat, 4, 17) - 0.01, "the thumb comes towards the little finger");
    let spread = posed("spread", 0.4);
    assert!(distance(&spread, 8, 20) > distance(&flat, 8, 20) + 0.005, "index and little finger part");
}

#[test]
fn limits_hold_the_ranges_of_motion() {
    let model = open_hand(Side::Right).expect("sound asset");
    // AAOS (1965) flexion of metacarpophalangeal, proximal and distal joints: 90, 100, 90 degrees; the limits hold them.
    for joint in 1..13 {
        let [low, high] = model.joint_limits[3 * (joint - 1) + 2].map(f64::to_degrees);
        let (least, most) = [(90.0, 100.0), (100.0, 125.0), (85.0, 100.0)][(joint - 1) % 3];
        assert!((least..=most).contains(&high), "joint {joint} bends to {high:.0} degrees");
        let back = [(30.0, 45.0), (5.0, 15.0), (5.0, 20.0)][(joint - 1) % 3];
        assert!((back.0..=back.1).contains(&-low), "joint {joint} extends to {low:.0} degrees");
    }
    for (i, (&mean, [low, high])) in model.hands_mean.iter().zip(&model.joint_limits).enumerate() {
        assert!(low < high && *low <= mean && mean <= *high, "the relaxed hand is within limit {i}");
        assert!(*low <= 0.0 && 0.0 <= *high, "so is the flat one");
    }
}
