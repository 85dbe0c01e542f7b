//! What a calibrated camera is still off by, smoothly over its picture: a lattice of shifts (the non-rigid correction of Zhou
//! and Koltun 2014, *Color Map Optimization for 3D Reconstruction with Consumer Depth Cameras*, §4).
//!
//! A point that the pinhole camera sees at `p` is found at `q = p + w(p)` in the photograph; `w` is bilinear between the
//! lattice's nodes and stays as it is beyond its border.

use serde::{Deserialize, Serialize};

/// A smooth shift of a picture; pixels, `+0.5` at pixel centres as everywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageWarp {
    /// Place of the first node.
    pub origin_px: [f64; 2],
    /// Distance of neighbouring nodes.
    pub cell_px: f64,
    /// Nodes in a row.
    pub columns: usize,
    /// Shift at each node, row by row.
    pub shifts_px: Vec<[f32; 2]>,
}

/// A place between four nodes: their numbers and weights.
pub(crate) type Corners = [(usize, f64); 4];

impl ImageWarp {
    /// A lattice over `size_px` pixels from `origin_px` on that shifts nothing.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of nodes")]
    pub fn still(origin_px: [f64; 2], size_px: [u32; 2], cell_px: f64) -> Self {
        let nodes = |size: u32| (f64::from(size) / cell_px).ceil().max(1.0) as usize + 1;
        let (columns, rows) = (nodes(size_px[0]), nodes(size_px[1]));
        Self { origin_px, cell_px, columns, shifts_px: vec![[0.0; 2]; columns * rows] }
    }

    /// Rows of nodes.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shifts_px.len() / self.columns.max(1)
    }

    /// The nodes around a place and their weights.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the lattice")]
    pub(crate) fn corners(&self, p_px: [f64; 2]) -> Corners {
        let last = [self.columns.saturating_sub(2), self.rows().saturating_sub(2)];
        let (mut cell, mut t) = ([0; 2], [0.0; 2]);
        for k in 0..2 {
            let x = (p_px[k] - self.origin_px[k]) / self.cell_px;
            cell[k] = (x.floor().max(0.0) as usize).min(last[k]);
            t[k] = (x - cell[k] as f64).clamp(0.0, 1.0);
        }
        let first = cell[1] * self.columns + cell[0];
        [
            (first, (1.0 - t[0]) * (1.0 - t[1])),
            (first + 1, t[0] * (1.0 - t[1])),
            (first + self.columns, (1.0 - t[0]) * t[1]),
            (first + self.columns + 1, t[0] * t[1]),
        ]
    }

    /// `w(p)`.
    #[must_use]
    pub fn shift(&self, p_px: [f64; 2]) -> [f64; 2] {
        let mut w = [0.0; 2];
        for (node, weight) in self.corners(p_px) {
            for (w, s) in w.iter_mut().zip(self.shifts_px[node]) {
                *w += weight * f64::from(s);
            }
        }
        w
    }

    /// Where the photograph shows what the pinhole camera sees at `p`.
    #[must_use]
    pub fn photo_from_pinhole(&self, p_px: [f64; 2]) -> [f64; 2] {
        let w = self.shift(p_px);
        [p_px[0] + w[0], p_px[1] + w[1]]
    }

    /// The inverse of [`Self::photo_from_pinhole`], by fixed-point iteration: shifts change by far less than a pixel a pixel.
    #[must_use]
    pub fn pinhole_from_photo(&self, q_px: [f64; 2]) -> [f64; 2] {
        const ROUNDS: usize = 6;
        let mut p = q_px;
        for _ in 0..ROUNDS {
            let w = self.shift(p);
            p = [q_px[0] - w[0], q_px[1] - w[1]];
        }
        p
    }

    /// The same warp in a picture of which this one is a crop from `origin_px` on, reduced by `divisor`.
    #[must_use]
    pub fn of_whole_image(&self, origin_px: [u32; 2], divisor: u32) -> Self {
        let factor = f64::from(divisor);
        let corner = [0, 1].map(|k| (self.origin_px[k] + f64::from(origin_px[k])) * factor);
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        let shifts_px = self.shifts_px.iter().map(|s| s.map(|s| s * factor as f32)).collect();
        Self { origin_px: corner, cell_px: self.cell_px * factor, columns: self.columns, shifts_px }
    }

    /// The inverse of [`Self::of_whole_image`].
    #[must_use]
    pub fn of_crop(&self, origin_px: [u32; 2], divisor: u32) -> Self {
        let factor = f64::from(divisor);
        let corner = [0, 1].map(|k| self.origin_px[k] / factor - f64::from(origin_px[k]));
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        let shifts_px = self.shifts_px.iter().map(|s| s.map(|s| s / factor as f32)).collect();
        Self { origin_px: corner, cell_px: self.cell_px / factor, columns: self.columns, shifts_px }
    }
}

/// Cubic interpolation in a picture of this size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub width: usize,
    pub height: usize,
}

impl Grid {
    /// Centre of a pixel.
    pub(crate) fn centre(self, i: usize) -> [f64; 2] {
        [(i % self.width) as f64 + 0.5, (i / self.width) as f64 + 0.5]
    }

    /// The pixel that holds a place; the nearest one outside.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the picture")]
    pub(crate) fn nearest(self, p_px: [f64; 2]) -> usize {
        let at = |x: f64, size: usize| (x.max(0.0) as usize).min(size.saturating_sub(1));
        at(p_px[1], self.height) * self.width + at(p_px[0], self.width)
    }

    /// The sixteen pixels around a place with their weights (Catmull and Rom 1974); the border repeats. `None` outside.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "clamped to the picture"
    )]
    pub(crate) fn taps(self, p_px: [f64; 2]) -> Option<[(usize, f32); 16]> {
        let inside = |x: f64, size: usize| x >= 0.0 && x <= size as f64;
        if !inside(p_px[0], self.width) || !inside(p_px[1], self.height) {
            return None;
        }
        let mut places = [[0_usize; 4]; 2];
        let mut weights = [[0.0_f64; 4]; 2];
        for (k, size) in [self.width, self.height].into_iter().enumerate() {
            let x = p_px[k] - 0.5;
            let first = x.floor() as isize - 1;
            let t = x - x.floor();
            places[k] = [0, 1, 2, 3].map(|j| (first + j).clamp(0, size as isize - 1) as usize);
            weights[k] = [
                0.5 * t * (-1.0 + t * (2.0 - t)),
                1.0 + 0.5 * t * t * (3.0 * t - 5.0),
                0.5 * t * (1.0 + t * (4.0 - 3.0 * t)),
                0.5 * t * t * (t - 1.0),
            ];
        }
        let mut taps = [(0, 0.0); 16];
        for (n, tap) in taps.iter_mut().enumerate() {
            let (x, y) = (n % 4, n / 4);
            *tap = (places[1][y] * self.width + places[0][x], (weights[0][x] * weights[1][y]) as f32);
        }
        Some(taps)
    }
}

/// Weighted sum of pixels.
pub(crate) fn mixed<const N: usize>(taps: &[(usize, f32); 16], pixel: impl Fn(usize) -> [f32; N]) -> [f32; N] {
    let mut sum = [0.0; N];
    for (j, weight) in taps {
        for (sum, x) in sum.iter_mut().zip(pixel(*j)) {
            *sum += weight * x;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wavy() -> ImageWarp {
        let mut warp = ImageWarp::still([10.0, -4.0], [100, 60], 20.0);
        for (i, shift) in warp.shifts_px.iter_mut().enumerate() {
            let a = i as f64;
            #[expect(clippy::cast_possible_truncation, reason = "pixels")]
            let s = [(2.0 * (0.9 * a).sin()) as f32, (1.5 * (0.4 * a).cos()) as f32];
            *shift = s;
        }
        warp
    }

    #[test]
    fn shifts_are_those_of_the_nodes_and_bilinear_between() {
        let warp = wavy();
        assert_eq!((warp.columns, warp.rows()), (6, 4), "nodes on both borders");
        let node = warp.shift([30.0, 16.0]);
        assert!((node[0] - f64::from(warp.shifts_px[7][0])).abs() < 1e-6, "a node has its own");
        let between = warp.shift([40.0, 16.0]);
        let mean = 0.5 * f64::from(warp.shifts_px[7][1] + warp.shifts_px[8][1]);
        assert!((between[1] - mean).abs() < 1e-6, "half way is the mean");
        assert_eq!(warp.shift([-500.0, -4.0]), warp.shift([10.0, -4.0]), "it stays as it is beyond the border");
    }

    #[test]
    fn the_inverse_comes_back() {
        let warp = wavy();
        for q in [[12.0, 3.0], [47.3, 21.9], [88.8, 50.0]] {
            let back = warp.photo_from_pinhole(warp.pinhole_from_photo(q));
            assert!((back[0] - q[0]).hypot(back[1] - q[1]) < 1e-3, "{q:?} comes back as {back:?}");
        }
    }

    #[test]
    fn crops_and_reductions_have_the_same_warp() {
        let warp = wavy();
        let whole = warp.of_whole_image([30, 50], 2);
        let (small, large) = (warp.photo_from_pinhole([33.0, 20.0]), whole.photo_from_pinhole([126.0, 140.0]));
        let expected = [(small[0] + 30.0) * 2.0, (small[1] + 50.0) * 2.0];
        assert!((large[0] - expected[0]).hypot(large[1] - expected[1]) < 1e-4, "{large:?}, not {expected:?}");
    }
}
