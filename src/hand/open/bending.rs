//! What pose correctives are for: a joint bent by 90° keeps its volume and its cross-section.

use super::open_hand;
use crate::anatomy::Side;
use crate::hand::{HandModel, HandParameters, pose_hand};
use nalgebra::{Rotation3, Vector3};
use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::FRAC_PI_2;

/// Half length of the piece of finger about a joint, metres.
const HALF_M: f64 = 0.012;

/// The piece of skin about a finger joint: its faces, the joint and the direction of the bone behind it.
struct Tube {
    faces: Vec<[u32; 3]>,
    centre: Vector3<f64>,
    axis: Vector3<f64>,
}

fn at(vertices: &[[f64; 3]], i: u32) -> Vector3<f64> {
    Vector3::from(vertices[i as usize])
}

impl Tube {
    fn new(model: &HandModel, joint: usize) -> Self {
        let rest = pose_hand(model, &HandParameters::rest(model.side));
        let centre = Vector3::from(rest.joints[joint]);
        let axis = (Vector3::from(rest.joints[joint + 1]) - centre).try_normalize(0.0).expect("bones have a length");
        let root = 1 + 3 * ((joint - 1) / 3);
        let inside = |&v: &u32| {
            let own: f64 = model.skin_weights[v as usize][root..root + 3].iter().sum();
            own > 0.5 && (at(&model.template, v) - centre).dot(&axis).abs() < HALF_M
        };
        let faces: Vec<[u32; 3]> = model.faces.iter().filter(|f| f.iter().all(inside)).copied().collect();
        assert!(faces.len() > 60, "a piece of finger has faces");
        Self { faces, centre, axis }
    }

    /// Volume with both ends closed by fans.
    fn volume(&self, vertices: &[[f64; 3]]) -> f64 {
        let mut sum = 0.0;
        let mut open = BTreeSet::new();
        for face in &self.faces {
            let [a, b, c] = face.map(|i| at(vertices, i));
            sum += a.dot(&b.cross(&c));
            for k in 0..3 {
                let (from, to) = (face[k], face[(k + 1) % 3]);
                if !open.remove(&(to, from)) {
                    open.insert((from, to));
                }
            }
        }
        // The half-edges that are missing run along the rims, against the open ones.
        let mut next: BTreeMap<u32, u32> = open.iter().map(|&(from, to)| (to, from)).collect();
        let mut loops = 0;
        while let Some((&start, _)) = next.first_key_value() {
            let mut ring = vec![start];
            let mut current = next.remove(&start).expect("present");
            while current != start {
                ring.push(current);
                current = next.remove(&current).expect("rims are closed");
            }
            #[expect(clippy::cast_precision_loss, reason = "a rim has few vertices")]
            let middle = ring.iter().map(|&i| at(vertices, i)).sum::<Vector3<f64>>() / ring.len() as f64;
            for k in 0..ring.len() {
                let (a, b) = (at(vertices, ring[k]), at(vertices, ring[(k + 1) % ring.len()]));
                sum += a.cross(&b).dot(&middle);
            }
            loops += 1;
        }
        assert_eq!(loops, 2, "a piece of finger is a tube");
        sum / 6.0
    }

    /// Area of the section by the plane through the joint across `normal`.
    fn section(&self, vertices: &[[f64; 3]], normal: &Vector3<f64>) -> f64 {
        let mut sum = Vector3::zeros();
        for face in &self.faces {
            let p = face.map(|i| at(vertices, i) - self.centre);
            let h = p.map(|q| q.dot(normal));
            let above = h.iter().filter(|x| **x > 0.0).count();
            if above == 0 || above == 3 {
                continue;
            }
            let alone = (0..3).find(|&k| (h[k] > 0.0) == (above == 1)).expect("one corner is alone on its side");
            let cut = |other: usize| p[alone] + (p[other] - p[alone]) * (h[alone] / (h[alone] - h[other]));
            let (a, b) = (cut((alone + 1) % 3), cut((alone + 2) % 3));
            sum += if above == 1 { a.cross(&b) } else { b.cross(&a) };
        }
        0.5 * sum.dot(normal).abs()
    }
}

/// Volume and bisecting section of a joint bent by 90°, relative to rest.
fn bent(model: &HandModel, joint: usize) -> (f64, f64) {
    let tube = Tube::new(model, joint);
    let mut p = HandParameters::rest(model.side);
    let sign = if model.side == Side::Right { 1.0 } else { -1.0 };
    p.hand_pose[3 * (joint - 1) + 2] = sign * FRAC_PI_2;
    let posed = pose_hand(model, &p).vertices;
    let half = Rotation3::new(Vector3::z() * (sign * 0.5 * FRAC_PI_2)) * tube.axis;
    (
        tube.volume(&posed) / tube.volume(&model.template),
        tube.section(&posed, &half) / tube.section(&model.template, &tube.axis),
    )
}

/// The proximal interphalangeal joints: index, middle, pinky, ring.
const PIP: [usize; 4] = [2, 5, 8, 11];

#[test]
fn bent_fingers_keep_their_volume_with_correctives_and_lose_it_without() {
    for side in Side::BOTH {
        let model = open_hand(side).expect("sound asset");
        let plain = HandModel { pose_directions: None, ..model.clone() };
        for joint in PIP {
            let ((volume, section), (plain_volume, plain_section)) = (bent(&model, joint), bent(&plain, joint));
            assert!((0.9..1.05).contains(&volume), "{side} joint {joint}: {volume:.3} of the volume is left");
            assert!(section > 1.0, "{side} joint {joint}: {section:.3} of the cross-section is left");
            assert!(plain_volume < 0.8, "{side} joint {joint}: skinning alone loses volume ({plain_volume:.3})");
            assert!(section > 1.15 * plain_section, "{side} joint {joint}: the bend was thin ({plain_section:.3})");
        }
    }
}

#[test]
fn correctives_vanish_at_rest_at_the_tips_and_at_the_wrist_and_are_local() {
    let model = open_hand(Side::Right).expect("sound asset");
    let directions = model.pose_directions.as_ref().expect("the open hand has correctives");
    for &v in model.tips.iter().chain(&model.wrist_loop) {
        assert!(directions[v as usize].iter().flatten().all(|d| *d == 0.0), "vertex {v} has none");
    }
    let heard =
        |rows: &[[f64; 135]; 3]| (0..15).filter(|j| rows.iter().any(|r| r[9 * j..9 * j + 9] != [0.0; 9])).count();
    let most = directions.iter().map(heard).max().expect("vertices");
    assert!((1..=5).contains(&most), "a vertex hears at most five joints ({most})");
    let largest = directions.iter().flatten().flatten().fold(0.0_f64, |a, b| a.max(b.abs()));
    assert!((0.001..0.03).contains(&largest), "the largest column is millimetres: {largest}");
    let rest = pose_hand(&model, &HandParameters::rest(Side::Right));
    let moved = rest.vertices.iter().zip(&model.template).any(|(a, b)| (at(&[*a], 0) - at(&[*b], 0)).norm() > 1e-7);
    assert!(!moved, "the template comes back at rest");
}

#[test]
fn left_correctives_mirror_right_ones_exactly() {
    let [left, right] = Side::BOTH.map(|s| open_hand(s).expect("sound asset").pose_directions.expect("correctives"));
    let sign = [-1.0, 1.0, 1.0];
    for (l, r) in left.iter().zip(&right) {
        for axis in 0..3 {
            for feature in 0..135 {
                let turned = sign[axis] * sign[feature % 9 / 3] * sign[feature % 3];
                assert!(l[axis][feature] == turned * r[axis][feature], "mirrored in x");
            }
        }
    }
}
