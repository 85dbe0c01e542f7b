//! The UV layout: few islands, no overlaps, one density; the nails as regions of the dorsal skin.

use super::open_hand;
use crate::anatomy::{JOINTS, Side};
use crate::hand::HandModel;
use nalgebra::{Vector2, Vector3};

fn uv_triangles(model: &HandModel) -> Vec<[Vector2<f64>; 3]> {
    model.uv_faces.iter().map(|t| t.map(|i| Vector2::from(model.uvs[i as usize]))).collect()
}

fn cross(a: Vector2<f64>, b: Vector2<f64>) -> f64 {
    a.x * b.y - a.y * b.x
}

/// Whether the insides of two triangles of the same turn meet by more than `slack`: no edge of either separates them.
fn overlap(a: &[Vector2<f64>; 3], b: &[Vector2<f64>; 3], slack: f64) -> bool {
    let turn = cross(a[1] - a[0], a[2] - a[0]).signum();
    let apart = |p: &[Vector2<f64>; 3], q: &[Vector2<f64>; 3]| {
        (0..3).any(|k| {
            let edge = p[(k + 1) % 3] - p[k];
            q.iter().all(|x| turn * cross(edge, x - p[k]) <= slack * edge.norm())
        })
    };
    !apart(a, b) && !apart(b, a)
}

/// Pairs of overlapping triangles, by cells of a grid.
fn overlaps(triangles: &[[Vector2<f64>; 3]]) -> usize {
    const CELLS: usize = 48;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the grid")]
    let cell = |x: f64| ((x * 48.0).clamp(0.0, 47.0)) as usize;
    let mut grid = vec![Vec::new(); CELLS * CELLS];
    for (i, t) in triangles.iter().enumerate() {
        let span = |axis: usize| {
            let v = t.map(|p| p[axis]);
            (cell(v.iter().copied().fold(1.0, f64::min)), cell(v.iter().copied().fold(0.0, f64::max)))
        };
        let ((x0, x1), (y0, y1)) = (span(0), span(1));
        for y in y0..=y1 {
            for x in x0..=x1 {
                grid[y * CELLS + x].push(i);
            }
        }
    }
    let mut found = std::collections::BTreeSet::new();
    for list in &grid {
        for (n, &i) in list.iter().enumerate() {
            found.extend(
                list[n + 1..].iter().filter(|&&j| overlap(&triangles[i], &triangles[j], 1e-6)).map(|&j| (i, j)),
            );
        }
    }
    found.len()
}

#[test]
fn uv_triangles_do_not_overlap_and_turn_one_way() {
    for side in Side::BOTH {
        let model = open_hand(side).expect("sound asset");
        let mut triangles = uv_triangles(&model);
        let turn = if side == Side::Right { 1.0 } else { -1.0 };
        for (face, t) in triangles.iter().enumerate() {
            assert!(turn * cross(t[1] - t[0], t[2] - t[0]) > 0.0, "{side}: UV triangle {face} is turned over or empty");
        }
        assert_eq!(overlaps(&triangles), 0, "{side}: overlapping UV triangles");
        let moved = triangles[100].map(|p| p + Vector2::new(0.01, 0.01));
        triangles[100] = moved;
        assert!(overlaps(&triangles) > 0, "{side}: a moved triangle is found");
    }
}

#[test]
fn seams_are_few_and_texels_even() {
    let model = open_hand(Side::Right).expect("sound asset");
    let islands = {
        let mut label: Vec<usize> = (0..model.uvs.len()).collect();
        loop {
            let before = label.clone();
            for t in &model.uv_faces {
                let low = t.iter().map(|&i| label[i as usize]).min().expect("three corners");
                t.iter().for_each(|&i| label[i as usize] = low);
            }
            if label == before {
                break;
            }
        }
        label.sort_unstable();
        label.dedup();
        label.len()
    };
    assert!(islands <= 2, "the hand and the strip behind the wrist: {islands} islands");
    let mut density: Vec<f64> = model
        .faces
        .iter()
        .zip(uv_triangles(&model))
        .map(|(f, t)| {
            let p = f.map(|i| Vector3::from(model.template[i as usize]));
            let surface = (p[1] - p[0]).cross(&(p[2] - p[0])).norm();
            (cross(t[1] - t[0], t[2] - t[0]).abs() / surface).sqrt()
        })
        .collect();
    density.sort_by(f64::total_cmp);
    let (low, middle, high) =
        (density[density.len() / 20], density[density.len() / 2], density[density.len() * 19 / 20]);
    assert!(low > 0.4 * middle && high < 2.5 * middle, "texel density varies little: {low:.2} {middle:.2} {high:.2}");
}

#[test]
fn five_nails_lie_on_the_backs_of_the_last_phalanges() {
    for side in Side::BOTH {
        let model = open_hand(side).expect("sound asset");
        let last = [15, 3, 6, 12, 9];
        for (finger, (faces, joint)) in model.labels.nail_faces.iter().zip(last).enumerate() {
            assert!(faces.len() >= 6, "{side}: nail {finger} has faces ({})", faces.len());
            let mut normal = Vector3::zeros();
            for &f in faces {
                let corners = model.faces[f as usize];
                let p = corners.map(|i| Vector3::from(model.template[i as usize]));
                normal += 0.5 * (p[1] - p[0]).cross(&(p[2] - p[0]));
                for i in corners {
                    let weights: &[f64; JOINTS] = &model.skin_weights[i as usize];
                    assert!(weights[joint] > 0.5, "{side}: nail {finger} hangs on the last phalanx");
                }
            }
            let mm2 = 1e6 * normal.norm();
            assert!((20.0..250.0).contains(&mm2), "{side}: nail {finger} has a nail's area ({mm2:.0} mm2)");
            // The thumb is turned about its axis, so its nail looks partly sideways.
            let up = normal.y / normal.norm();
            assert!(up > if finger == 0 { 0.2 } else { 0.6 }, "{side}: nail {finger} looks dorsal ({up:.2})");
        }
    }
}
