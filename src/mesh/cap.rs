//! Caps for open meshes: the boundary loop, a fan of triangles over it, and room for the fan in the UV layout.

use std::collections::{BTreeMap, BTreeSet};

/// Cells along one side of the UV square when looking for free room.
const CELLS: usize = 64;
/// Part of the free square that the cap's island fills; the rest is a margin.
const FILL: f64 = 0.8;

/// The boundary loops of a mesh along the half-edges of its faces, each from its smallest index on, in that order. Where two
/// loops touch at a vertex, what is walked is no loop and not all of the boundary.
#[must_use]
pub fn boundary_loops(faces: &[[u32; 3]]) -> Vec<Vec<u32>> {
    let mut next: BTreeMap<u32, u32> = boundary_edges(faces).into_iter().collect();
    let mut loops = Vec::new();
    while let Some((start, mut at)) = next.pop_first() {
        let mut ring = vec![start];
        while at != start {
            ring.push(at);
            match next.remove(&at) {
                Some(after) => at = after,
                None => break,
            }
        }
        loops.push(ring);
    }
    loops
}

/// The boundary of a mesh as one loop along the half-edges of its faces, from the smallest index on; `None` when there is no
/// boundary, more than one loop, or a vertex where two loops touch.
#[must_use]
pub fn boundary_loop(faces: &[[u32; 3]]) -> Option<Vec<u32>> {
    let ring = <[Vec<u32>; 1]>::try_from(boundary_loops(faces)).ok()?.into_iter().next()?;
    (ring.len() == boundary_edges(faces).len()).then_some(ring)
}

/// Half-edges without a twin.
fn boundary_edges(faces: &[[u32; 3]]) -> BTreeSet<(u32, u32)> {
    let mut edges = BTreeSet::new();
    for face in faces {
        for k in 0..3 {
            let (from, to) = (face[k], face[(k + 1) % 3]);
            if !edges.remove(&(to, from)) {
                edges.insert((from, to));
            }
        }
    }
    edges
}

/// Triangles that close a loop running along the half-edges of the faces on its other side.
pub fn fan(ring: &[u32], centre: u32) -> impl Iterator<Item = [u32; 3]> + '_ {
    (0..ring.len()).map(move |k| [ring[(k + 1) % ring.len()], ring[k], centre])
}

/// UVs of a regular polygon of `corners` corners and its centre (the last one), in the largest free square of a layout.
///
/// Its turn is such that the triangles of [`fan`] turn as the layout's own do (the layout of a left hand is mirrored).
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn cap_uvs(uvs: &[[f64; 2]], uv_faces: &[[u32; 3]], corners: usize) -> Vec<[f64; 2]> {
    let ([low_u, low_v], side) = free_square(uvs, uv_faces);
    let centre = [low_u + 0.5 * side, low_v + 0.5 * side];
    let radius = 0.5 * side * FILL;
    let area: f64 = uv_faces.iter().map(|t| doubled_area(t.map(|i| uvs[i as usize]))).sum();
    let turn = if area < 0.0 { 1.0 } else { -1.0 };
    let mut disc: Vec<[f64; 2]> = (0..corners)
        .map(|k| {
            let (sin, cos) = (turn * std::f64::consts::TAU * k as f64 / corners as f64).sin_cos();
            [centre[0] + radius * cos, centre[1] + radius * sin]
        })
        .collect();
    disc.push(centre);
    disc
}

/// Adds an island for a [`fan`] of `corners` triangles, in the largest free square of a layout; a mesh without UVs stays without.
pub fn cap_layout(uvs: &mut Vec<[f64; 2]>, uv_faces: &mut Vec<[u32; 3]>, corners: usize) {
    if uv_faces.is_empty() {
        return;
    }
    let first = u32::try_from(uvs.len()).expect("hands have far fewer than 2^32 UVs");
    uvs.extend(cap_uvs(uvs, uv_faces, corners));
    let rim: Vec<u32> = (first..).take(corners + 1).collect();
    uv_faces.extend(fan(&rim[..corners], rim[corners]));
}

fn doubled_area([a, b, c]: [[f64; 2]; 3]) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
}

/// Lower left corner and side of the largest square of empty cells (the first one found, from the bottom left).
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn free_square(uvs: &[[f64; 2]], uv_faces: &[[u32; 3]]) -> ([f64; 2], f64) {
    let mut taken = [[false; CELLS]; CELLS];
    let cell = 1.0 / CELLS as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the cells")]
    let cell_of = |x: f64| (x / cell).floor().clamp(0.0, (CELLS - 1) as f64) as usize;
    for face in uv_faces {
        let p = face.map(|i| uvs[i as usize]);
        let span = |axis: usize| {
            let values = p.map(|q| q[axis]);
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            // One cell more on either side: a triangle that ends on a line touches both cells.
            cell_of(low - cell)..=cell_of(values.iter().copied().fold(f64::NEG_INFINITY, f64::max) + cell)
        };
        for row in span(1) {
            for column in span(0) {
                taken[row][column] |= touches(&p, [column as f64 * cell, row as f64 * cell], cell);
            }
        }
    }
    // side[row][column]: largest free square whose upper right cell this is.
    let mut side = [[0_usize; CELLS]; CELLS];
    let mut best = (0, 0, 0);
    for row in 0..CELLS {
        for column in 0..CELLS {
            if taken[row][column] {
                continue;
            }
            side[row][column] = if row == 0 || column == 0 {
                1
            } else {
                1 + side[row - 1][column].min(side[row][column - 1]).min(side[row - 1][column - 1])
            };
            if side[row][column] > best.0 {
                best = (side[row][column], row, column);
            }
        }
    }
    let (size, row, column) = best;
    let low = |at: usize| (at + 1 - size.max(1)) as f64 * cell;
    ([low(column), low(row)], size as f64 * cell)
}

/// Whether a triangle may touch a square cell: their boxes meet and no edge of the triangle separates them.
fn touches(p: &[[f64; 2]; 3], low: [f64; 2], side: f64) -> bool {
    let span = |axis: usize| {
        let values = p.map(|q| q[axis]);
        (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    };
    let meet = (0..2).all(|axis| span(axis).0 <= low[axis] + side && span(axis).1 >= low[axis]);
    let orientation = doubled_area(*p).signum();
    let corners = [[0.0, 0.0], [side, 0.0], [0.0, side], [side, side]].map(|d| [low[0] + d[0], low[1] + d[1]]);
    let apart = |k: usize| corners.iter().all(|&q| orientation * doubled_area([p[k], p[(k + 1) % 3], q]) < 0.0);
    meet && !(0..3).any(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square of two triangles.
    const SQUARE: [[u32; 3]; 2] = [[0, 1, 2], [0, 2, 3]];

    #[test]
    fn the_boundary_is_one_loop_along_the_faces() {
        assert_eq!(boundary_loop(&SQUARE), Some(vec![0, 1, 2, 3]), "counter-clockwise like the faces");
        assert_eq!(boundary_loop(&[[0, 1, 2], [4, 5, 6]]), None, "two loops");
        let mut closed = SQUARE.to_vec();
        closed.extend(fan(&[0, 1, 2, 3], 4));
        assert_eq!(boundary_loop(&closed), None, "a fan closes it");
        assert_eq!(boundary_loop(&[[0, 1, 2], [0, 3, 4]]), None, "two triangles that touch at a vertex");
    }

    #[test]
    fn the_cap_takes_the_largest_free_square() {
        let uvs = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]];
        for faces in [SQUARE, [[0, 2, 1], [0, 3, 2]]] {
            let disc = cap_uvs(&uvs, &faces, 12);
            assert_eq!(disc.len(), 13, "corners and the centre");
            assert!(disc.iter().all(|p| p[0] > 0.5 && p[0] < 1.0 && p[1] > 0.0 && p[1] < 1.0), "in the free half");
            let ring: Vec<u32> = (0..12).collect();
            for t in fan(&ring, 12) {
                let ours = doubled_area(t.map(|i| disc[i as usize]));
                assert!(ours * doubled_area(faces[0].map(|i| uvs[i as usize])) > 0.0, "turned like the layout");
            }
            let width = disc.iter().map(|p| p[0]).fold(0.0, f64::max) - disc.iter().map(|p| p[0]).fold(1.0, f64::min);
            assert!(width > 0.35, "most of the free width is used: {width}");
        }
    }
}
