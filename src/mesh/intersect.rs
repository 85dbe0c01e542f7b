//! Which triangles of a mesh cut through others: exact, by signs of determinants.
//!
//! Two triangles intersect when they share a point, the test of Guigue and Devillers (2003, "Fast and Robust
//! Triangle-Triangle Overlap Test Using Orientation Predicates") in its plain form: every question is the sign of an
//! orientation of four points (of three in a plane), computed without error by adaptive predicates (Shewchuk 1997), so
//! that no tolerance has to be chosen. Triangles that share corners always touch there; they intersect when they share
//! a point beyond:
//! - one common corner: both lie on rays from it, so that they meet again only across an edge opposite the corner;
//! - a common edge: only when they are folded flat onto each other, both on one side of it in one plane;
//! - three common corners: always.
//!
//! Corners at exactly the same place count as common. A triangle without area encloses nothing and is left out here (it
//! counts as flipped).

use super::TriMesh;
use super::distance::SurfaceIndex;
use nalgebra::Vector3;
use robust::{Coord, Coord3D, orient2d, orient3d};
use std::collections::HashMap;

type Triangle = [Vector3<f64>; 3];

/// Sign of the volume of a tetrahedron: which side of the plane `a b c` the point `d` is on; exact.
fn side([a, b, c]: &Triangle, d: &Vector3<f64>) -> i8 {
    let at = |p: &Vector3<f64>| Coord3D { x: p.x, y: p.y, z: p.z };
    sign(orient3d(at(a), at(b), at(c), at(d)))
}

fn sign(x: f64) -> i8 {
    i8::from(x > 0.0) - i8::from(x < 0.0)
}

/// All on one side (zeros belong to both).
fn agree(signs: [i8; 3]) -> bool {
    signs.iter().all(|s| *s >= 0) || signs.iter().all(|s| *s <= 0)
}

/// Points of one plane seen along the axis in which a triangle of it is largest.
#[derive(Clone, Copy)]
struct Plane {
    axes: [usize; 2],
}

impl Plane {
    fn of([a, b, c]: &Triangle) -> Self {
        let normal = (b - a).cross(&(c - a));
        let axes = [[1, 2], [2, 0], [0, 1]][normal.iamax()];
        Self { axes }
    }

    /// Which side of the line `a b` the point `c` is on; exact.
    fn side(self, a: &Vector3<f64>, b: &Vector3<f64>, c: &Vector3<f64>) -> i8 {
        let at = |p: &Vector3<f64>| Coord { x: p[self.axes[0]], y: p[self.axes[1]] };
        sign(orient2d(at(a), at(b), at(c)))
    }

    fn holds(self, [a, b, c]: &Triangle, p: &Vector3<f64>) -> bool {
        agree([self.side(a, b, p), self.side(b, c, p), self.side(c, a, p)])
    }

    /// Whether two segments of this plane share a point.
    fn segments_meet(self, [a, b]: [&Vector3<f64>; 2], [c, d]: [&Vector3<f64>; 2]) -> bool {
        let signs = [self.side(a, b, c), self.side(a, b, d), self.side(c, d, a), self.side(c, d, b)];
        if signs == [0; 4] {
            // On one line: their boxes decide.
            let reach = |p: &Vector3<f64>, q: &Vector3<f64>, k: usize| [p[k].min(q[k]), p[k].max(q[k])];
            return self.axes.iter().all(|&k| {
                let (first, second) = (reach(a, b, k), reach(c, d, k));
                first[0] <= second[1] && second[0] <= first[1]
            });
        }
        signs[0] * signs[1] <= 0 && signs[2] * signs[3] <= 0
    }

    fn segment_meets(self, segment: [&Vector3<f64>; 2], t: &Triangle) -> bool {
        self.holds(t, segment[0]) || (0..3).any(|k| self.segments_meet(segment, [&t[k], &t[(k + 1) % 3]]))
    }
}

/// Whether a segment shares a point with a triangle that has an area; `sides` are those of its ends.
fn segment_meets([p, q]: [&Vector3<f64>; 2], sides: [i8; 2], t: &Triangle) -> bool {
    match sides {
        [0, 0] => Plane::of(t).segment_meets([p, q], t),
        [s, u] if s == u => false,
        // The line passes all three edges on one side.
        _ => {
            let passes = |k: usize| side(&[*p, *q, t[k]], &t[(k + 1) % 3]);
            agree([passes(0), passes(1), passes(2)])
        }
    }
}

/// Whether two triangles that share no corner have a point in common.
#[must_use]
pub fn triangles_meet(a: &Triangle, b: &Triangle) -> bool {
    let of_b = [0, 1, 2].map(|k| side(a, &b[k]));
    if of_b == [1; 3] || of_b == [-1; 3] {
        return false;
    }
    let of_a = [0, 1, 2].map(|k| side(b, &a[k]));
    if of_a == [1; 3] || of_a == [-1; 3] {
        return false;
    }
    let cuts = |t: &Triangle, sides: [i8; 3], through: &Triangle| {
        (0..3).any(|k| {
            let next = (k + 1) % 3;
            segment_meets([&t[k], &t[next]], [sides[k], sides[next]], through)
        })
    };
    cuts(b, of_b, a) || cuts(a, of_a, b)
}

/// Whether triangles with `a[i] = b[j]` and no other common corner have another point in common.
fn meet_beyond_corner(a: &Triangle, i: usize, b: &Triangle, j: usize) -> bool {
    let crosses = |t: &Triangle, corner: usize, through: &Triangle| {
        let (p, q) = (&t[(corner + 1) % 3], &t[(corner + 2) % 3]);
        segment_meets([p, q], [side(through, p), side(through, q)], through)
    };
    crosses(b, j, a) || crosses(a, i, b)
}

/// Whether triangles with a common edge lie flat on each other: `a[i]` and `b[j]` are the corners that are not common.
fn folded_flat(a: &Triangle, i: usize, b: &Triangle, j: usize) -> bool {
    let plane = Plane::of(a);
    let edge = [&a[(i + 1) % 3], &a[(i + 2) % 3]];
    side(a, &b[j]) == 0 && plane.side(edge[0], edge[1], &a[i]) == plane.side(edge[0], edge[1], &b[j])
}

/// A mesh whose triangles are held against each other.
struct Surface {
    index: SurfaceIndex,
    triangles: Vec<Triangle>,
    /// Corners, equal places as one.
    corners: Vec<[u32; 3]>,
    has_area: Vec<bool>,
}

impl Surface {
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 vertices")]
    fn new(mesh: &TriMesh) -> Self {
        let mut first = HashMap::with_capacity(mesh.positions.len());
        let place = |(v, p): (usize, &[f64; 3])| {
            // Adding zero makes one of both zeros.
            *first.entry(p.map(|x| (x + 0.0).to_bits())).or_insert(v as u32)
        };
        let places: Vec<u32> = mesh.positions.iter().enumerate().map(place).collect();
        let triangles: Vec<Triangle> =
            mesh.faces.iter().map(|f| f.map(|v| Vector3::from(mesh.positions[v as usize]))).collect();
        Self {
            index: SurfaceIndex::new(&mesh.positions, &mesh.faces),
            has_area: triangles.iter().map(has_area).collect(),
            triangles,
            corners: mesh.faces.iter().map(|f| f.map(|v| places[v as usize])).collect(),
        }
    }

    /// Whether two triangles of this mesh meet beyond what they share.
    fn meet(&self, i: u32, j: u32) -> bool {
        let (i, j) = (i as usize, j as usize);
        if !(self.has_area[i] && self.has_area[j]) {
            return false;
        }
        let (a, b) = (&self.triangles[i], &self.triangles[j]);
        let (ca, cb) = (&self.corners[i], &self.corners[j]);
        let common: [Option<usize>; 3] = ca.map(|c| cb.iter().position(|d| *d == c));
        match common {
            [None, None, None] => triangles_meet(a, b),
            [Some(_), Some(_), Some(_)] => true,
            _ => {
                let shared = common.iter().flatten().count();
                // The corner that is alone in this: the shared one of one, the free one of two.
                let alone = |own: &[bool; 3]| own.iter().position(|&c| c == (shared == 1)).unwrap_or(0);
                let (at_a, at_b) = (common.map(|c| c.is_some()), cb.map(|d| ca.contains(&d)));
                let (k, l) = (alone(&at_a), alone(&at_b));
                if shared == 1 { meet_beyond_corner(a, k, b, l) } else { folded_flat(a, k, b, l) }
            }
        }
    }
}

/// Exact: without an area in any of the three views along an axis, all corners are on one line.
fn has_area([a, b, c]: &Triangle) -> bool {
    [[1, 2], [2, 0], [0, 1]].iter().any(|&axes| Plane { axes }.side(a, b, c) != 0)
}

/// The triangles of a mesh that intersect another one of it, ascending. Around 2 s for 200 000 triangles.
#[must_use]
pub fn self_intersecting(mesh: &TriMesh) -> Vec<u32> {
    let surface = Surface::new(mesh);
    let mut cut = vec![false; mesh.faces.len()];
    surface.index.touching_pairs(|i, j| {
        if !(cut[i as usize] && cut[j as usize]) && surface.meet(i, j) {
            cut[i as usize] = true;
            cut[j as usize] = true;
        }
    });
    numbers(&cut)
}

/// The triangles of each of two meshes that intersect one of the other, ascending.
#[must_use]
pub fn intersecting_each_other(a: &TriMesh, b: &TriMesh) -> [Vec<u32>; 2] {
    let surfaces = [Surface::new(a), Surface::new(b)];
    let mut cut = [vec![false; a.faces.len()], vec![false; b.faces.len()]];
    surfaces[0].index.touching_pairs_with(&surfaces[1].index, |i, j| {
        let (i, j) = (i as usize, j as usize);
        let known = cut[0][i] && cut[1][j];
        if !known
            && surfaces[0].has_area[i]
            && surfaces[1].has_area[j]
            && triangles_meet(&surfaces[0].triangles[i], &surfaces[1].triangles[j])
        {
            cut[0][i] = true;
            cut[1][j] = true;
        }
    });
    cut.map(|c| numbers(&c))
}

#[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 faces")]
fn numbers(set: &[bool]) -> Vec<u32> {
    (0..set.len() as u32).filter(|&i| set[i as usize]).collect()
}

#[cfg(test)]
mod tests;
