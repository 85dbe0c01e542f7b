use super::*;
use crate::anatomy::Side;
use crate::hand::open_hand;
use crate::mesh::SubdivisionLevels;

fn random(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

fn t(corners: [[f64; 3]; 3]) -> Triangle {
    corners.map(Vector3::from)
}

/// Where the edges of each triangle pierce the other, in plain floating point: true, false, or too close to say.
fn brute(a: &Triangle, b: &Triangle) -> Option<bool> {
    let mut unclear = false;
    for (s, t) in [(a, b), (b, a)] {
        let normal = (t[1] - t[0]).cross(&(t[2] - t[0]));
        for k in 0..3 {
            let (p, q) = (s[k], s[(k + 1) % 3]);
            let (dp, dq) = (normal.dot(&(p - t[0])), normal.dot(&(q - t[0])));
            if dp * dq < 0.0 {
                let x = p + (q - p) * (dp / (dp - dq));
                let weights: Vec<f64> = (0..3)
                    .map(|e| (t[(e + 1) % 3] - t[e]).cross(&(x - t[e])).dot(&normal) / normal.norm_squared())
                    .collect();
                if weights.iter().all(|w| *w > 1e-9) {
                    return Some(true);
                }
                unclear |= weights.iter().all(|w| *w > -1e-9);
            }
        }
    }
    (!unclear).then_some(false)
}

#[test]
fn triangles_in_general_position_agree_with_pierced_edges() {
    let mut s = 5;
    let (mut meeting, mut apart) = (0, 0);
    for round in 0..20_000 {
        let mut v = || Vector3::new(random(&mut s), random(&mut s), random(&mut s));
        let (a, b) = ([v(), v(), v()], [v(), v(), v()]);
        let Some(expected) = brute(&a, &b) else { continue };
        *(if expected { &mut meeting } else { &mut apart }) += 1;
        assert_eq!(triangles_meet(&a, &b), expected, "round {round}: {a:?} {b:?}");
        assert_eq!(triangles_meet(&[b[2], b[0], b[1]], &[a[1], a[0], a[2]]), expected, "in any order: round {round}");
    }
    assert!(meeting > 2000 && apart > 2000, "both occur: {meeting}, {apart}");
}

#[test]
fn limits_are_exact() {
    let ground = t([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]);
    let wall = |low: f64| t([[1.0, 1.0, low], [2.0, 1.0, low + 1.0], [1.0, 1.0, low + 1.0]]);
    assert!(triangles_meet(&ground, &wall(0.0)), "a tip on the ground touches it");
    assert!(!triangles_meet(&ground, &wall(f64::MIN_POSITIVE)), "the smallest number above does not");
    assert!(triangles_meet(&ground, &wall(-1e-300)), "and one below cuts");
    let flat = |x: f64| t([[x, 1.0, 0.0], [x + 1.0, 1.0, 0.0], [x, 2.0, 0.0]]);
    assert!(triangles_meet(&ground, &flat(0.5)), "inside, in one plane");
    assert!(triangles_meet(&ground, &flat(-0.5)), "over an edge, in one plane");
    assert!(triangles_meet(&ground, &flat(-1.0)), "with a corner on an edge");
    assert!(!triangles_meet(&ground, &flat(-1.0 - 1e-15)), "and just beside it");
    assert!(!triangles_meet(&ground, &flat(3.0 + 1e-15)), "beyond the slanted edge");
    let along = t([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [1.0, 0.0, -3.0]]);
    assert!(triangles_meet(&ground, &along), "an edge on an edge");
    let beyond = t([[4.5, 0.0, 0.0], [6.0, 0.0, 0.0], [5.0, 0.0, -3.0]]);
    assert!(!triangles_meet(&ground, &beyond), "on the line of an edge, but beyond");
    // Points that floating point cannot tell from the plane x + y + z = 1.
    let tilted = t([[0.1, 0.2, 0.7], [0.7, 0.1, 0.2], [0.2, 0.7, 0.1]]);
    let inside = Vector3::new(1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0);
    let lift =
        |e: f64| [inside + Vector3::repeat(e), inside + Vector3::repeat(1.0), inside + Vector3::new(1.0, 2.0, 1.0)];
    let expected = side(&tilted, &lift(0.0)[0]) != side(&tilted, &lift(1.0)[1]);
    assert_eq!(triangles_meet(&tilted, &lift(0.0)), expected, "the exact sign decides");
    assert!(triangles_meet(&tilted, &lift(-1e-12)) && !triangles_meet(&tilted, &lift(1e-12)), "on both sides of it");
}

/// An `n`×`n` sheet of side 1 in z = 0, mapped by `place`.
fn sheet(n: u32, place: impl Fn(f64, f64) -> [f64; 3]) -> TriMesh {
    let at = |i: u32| f64::from(i) / f64::from(n);
    let positions = (0..=n).flat_map(|y| (0..=n).map(move |x| (x, y))).map(|(x, y)| place(at(x), at(y))).collect();
    let corner = |x: u32, y: u32| y * (n + 1) + x;
    let cell = |x, y| {
        let [a, b, c, d] = [corner(x, y), corner(x + 1, y), corner(x + 1, y + 1), corner(x, y + 1)];
        [[a, b, c], [a, c, d]]
    };
    TriMesh { positions, faces: (0..n).flat_map(|y| (0..n).flat_map(move |x| cell(x, y))).collect() }
}

fn joined(a: &TriMesh, b: &TriMesh) -> TriMesh {
    let shift = u32::try_from(a.positions.len()).expect("small");
    let positions = a.positions.iter().chain(&b.positions).copied().collect();
    let moved = b.faces.iter().map(|f| f.map(|v| v + shift));
    TriMesh { positions, faces: a.faces.iter().copied().chain(moved).collect() }
}

#[test]
fn two_crossing_sheets_are_found_where_they_cross() {
    let flat = sheet(10, |x, y| [x, y, 0.0]);
    // Upright at x = 0.55, from below to above the first one: it crosses one column of 10 cells.
    let upright = sheet(10, |x, y| [0.55 + 1e-3 * x, y, x - 0.47]);
    let both = joined(&flat, &upright);
    let found = self_intersecting(&both);
    let (of_flat, of_upright): (Vec<u32>, Vec<u32>) = found.iter().partition(|&&f| f < 200);
    assert!(of_flat.len() == 20 && of_upright.len() >= 10, "a column of the one, a row of the other: {found:?}");
    let crossed = |f: &u32| both.faces[*f as usize].map(|v| both.positions[v as usize]);
    assert!(of_flat.iter().flat_map(crossed).all(|p| p[0] > 0.49 && p[0] < 0.61), "at x = 0.55");
    assert_eq!(intersecting_each_other(&flat, &upright)[0], of_flat, "the same between two meshes");
    assert_eq!(intersecting_each_other(&upright, &flat)[1], of_flat, "in any order");
    let beside = sheet(10, |x, y| [0.55, y, x + 1e-9]);
    assert_eq!(
        intersecting_each_other(&flat, &beside),
        [Vec::<u32>::new(), Vec::new()],
        "one that stands just above crosses nothing"
    );
    assert!(self_intersecting(&joined(&flat, &beside)).is_empty(), "nor within one mesh");
}

#[test]
fn sound_surfaces_have_none_and_folds_do() {
    for (what, mesh) in [
        ("flat", sheet(12, |x, y| [x, y, 0.0])),
        ("tilted, with all rounding", sheet(12, |x, y| [0.1 + x / 3.0, y * 0.7, x * 0.9 - y * 1.1])),
        ("wavy", sheet(30, |x, y| [x, y, 0.05 * (9.0 * x).sin() * (7.0 * y).cos()])),
        ("a roll", sheet(30, |x, y| [(5.0 * x).sin(), (5.0 * x).cos(), y])),
    ] {
        assert_eq!(self_intersecting(&mesh), [0_u32; 0], "{what}");
    }
    let overlapping = sheet(30, |x, y| [(7.0 * x).sin(), (7.0 * x).cos(), y]);
    assert!(!self_intersecting(&overlapping).is_empty(), "a roll past its start lies on itself");
    // Folded flat along x = 0.5: all of it is double.
    let folded = sheet(10, |x, y| [x.min(1.0 - x), y, 0.0]);
    assert_eq!(self_intersecting(&folded).len(), 200, "folded flat, even across the common edge");
    let nearly = sheet(10, |x, y| [x.min(1.0 - x), y, if x > 0.5 { 1e-12 * (x - 0.5) } else { 0.0 }]);
    assert_eq!(self_intersecting(&nearly), [0_u32; 0], "opened by a hair, it is not");
    // One vertex pulled through the opposite side of its ring: triangles with a common corner cut each other.
    let mut pulled = sheet(4, |x, y| [x, y, 0.0]);
    pulled.positions[12] = [0.5, 1.4, 0.0];
    assert!(!self_intersecting(&pulled).is_empty(), "in the plane");
    pulled.positions[12] = [0.5, 1.4, 0.1];
    assert_eq!(self_intersecting(&pulled), [0_u32; 0], "above it the same move cuts nothing");
    let twice = TriMesh { faces: vec![[0, 1, 2], [2, 0, 1]], ..sheet(1, |x, y| [x, y, 0.0]) };
    assert_eq!(self_intersecting(&twice), [0, 1], "a doubled triangle");
    let needle = TriMesh { faces: vec![[0, 1, 1], [0, 1, 2]], ..sheet(1, |x, y| [x, y, 0.0]) };
    assert_eq!(self_intersecting(&needle), [0_u32; 0], "one without area encloses nothing");
}

/// Triangles with one common corner: the second goes through the first or beside it.
#[test]
fn triangles_with_a_common_corner() {
    let ground = [[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]];
    let pair = |p: [f64; 3], q: [f64; 3]| TriMesh {
        positions: ground.iter().copied().chain([p, q]).collect(),
        faces: vec![[0, 1, 2], [0, 3, 4]],
    };
    let cut = |p, q| self_intersecting(&pair(p, q)).len() == 2;
    assert!(cut([1.0, 1.0, -1.0], [1.0, 1.0, 1.0]), "through the inside");
    assert!(cut([5.0, 5.0, -1.0], [5.0, 5.0, 1.0]), "through the inside, and beyond the far edge");
    assert!(!cut([-1.0, -1.0, -1.0], [-1.0, -1.0, 1.0]), "behind the corner");
    assert!(!cut([1.0, 1.0, 0.5], [1.0, 1.0, 1.0]), "above");
    assert!(cut([1.0, 1.0, 0.0], [1.0, 1.0, 1.0]), "an edge lies in the other");
    assert!(!cut([-1.0, 1.0, 0.0], [-1.0, 2.0, 0.0]), "beside, in one plane");
    assert!(cut([-1.0, 4.0, 0.0], [1.0, 4.0, 0.0]), "over an edge, in one plane");
}

#[test]
fn the_open_hand_is_free_of_them_at_rest_and_fast() {
    let model = open_hand(Side::Right).expect("the open hand");
    let levels = SubdivisionLevels::new(model.template.len(), &model.faces, &[], &[], 3);
    let mesh = TriMesh { positions: levels.refine(3, &model.template), faces: levels.faces(3).to_vec() };
    let start = std::time::Instant::now();
    let found = self_intersecting(&mesh);
    println!("{} triangles: {} s", mesh.faces.len(), start.elapsed().as_secs_f64());
    assert_eq!(found, [0_u32; 0], "at rest");
    // A finger pushed through the palm: what is to be found is there.
    let mut pushed = mesh.clone();
    for p in &mut pushed.positions {
        if p[0] < -0.03 {
            p[0] = -0.06 - p[0];
        }
    }
    let found = self_intersecting(&pushed);
    assert!(found.len() > 1000, "fingers turned back into the palm: {}", found.len());
}
