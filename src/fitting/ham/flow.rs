//! Where a photograph shows what is rendered: smooth shifts of one view by Gauss-Newton on a lattice (the non-rigid correction
//! of Zhou and Koltun 2014, §4).
//!
//! What is compared is detail: differences of colours inside the hands from which their mean around each pixel is taken, so
//! that light and exposure move nothing. With shifts `w` at the lattice's nodes the sum over pixels of
//! `ρ(rendered(p) − photo(p + w(p)))` (Geman-McClure) is least together with two priors: shifts are small, and alike at
//! neighbouring nodes. The surface stands still meanwhile; what it is off by looks like a shift too, and is taken for one.

use super::plane::Plane;
use crate::camera::warp::{Corners, Grid, ImageWarp, mixed};
use crate::energy::image_loss::UNKNOWN;

/// Steps each time.
const STEPS: usize = 3;
/// Width of the smoothing before comparison, pixels.
const BLUR_PX: f64 = 1.2;
/// Width of the mean that is taken out, pixels.
const MEAN_PX: f64 = 8.0;
/// It is taken on a picture reduced by this.
const MEAN_REDUCE: usize = 4;
/// Neighbouring pixels err alike: they count as a part of themselves.
const INDEPENDENT: f64 = 0.01;
/// Least scale of colour differences that counts as noise.
const COLOUR_SIGMA: f64 = 0.01;
/// Standard deviation of blurred coverage.
const COVERAGE_SIGMA: f64 = 0.1;
/// Coverage (of 254) from here on is the hand alone.
const FULLY: u8 = 241;
/// Fewer pixels of hands tell nothing.
const LEAST_PX: usize = 500;
/// Iterations of conjugate gradients.
const ITERATIONS: usize = 60;

/// How far shifts may go: standard deviations, pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prior {
    /// Of each shift.
    pub shift_px: f64,
    /// Of the difference of neighbouring nodes.
    pub bend_px: f64,
}

/// A view as it is rendered and as it was photographed; lists have one entry a pixel of the region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<'a> {
    /// Pixels in a row.
    pub width: usize,
    /// Premultiplied RGBA, antialiased.
    pub rendered: &'a [[f32; 4]],
    /// Target pixels of the image loss, as photographed.
    pub target: &'a [u32],
}

/// Target pixels as the pinhole camera would have them: colours interpolated and divided by the `brightness` at their place,
/// coverage of the nearest pixel; unknown where the photograph ends.
pub(super) fn straightened(
    target: &[u32],
    width: usize,
    warp: Option<&ImageWarp>,
    brightness: impl Fn([f64; 2]) -> f64,
) -> Vec<u32> {
    let grid = Grid { width, height: target.len() / width.max(1) };
    let pixel = |i: usize| {
        let p = grid.centre(i);
        let q = warp.map_or(p, |warp| warp.photo_from_pinhole(p));
        let Some(taps) = grid.taps(q) else { return u32::from_le_bytes([0, 0, 0, UNKNOWN]) };
        let colour: [f32; 3] = mixed(&taps, |j| {
            let [r, g, b, _] = target[j].to_le_bytes();
            [f32::from(r), f32::from(g), f32::from(b)]
        });
        let by = super::to_f32(brightness(p).recip());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
        let [r, g, b] = colour.map(|x| (x * by).round().clamp(0.0, 255.0) as u8);
        u32::from_le_bytes([r, g, b, target[grid.nearest(q)].to_le_bytes()[3]])
    };
    (0..target.len()).map(pixel).collect()
}

/// The shifts after some steps from `from`, a lattice over the region; `from` itself where the view tells nothing.
pub(super) fn flow(sight: &Sight<'_>, from: &ImageWarp, prior: &Prior) -> ImageWarp {
    let mut warp = from.clone();
    for _ in 0..STEPS {
        let seen = straightened(sight.target, sight.width, Some(&warp), |_| 1.0);
        let Some(system) = System::new(sight, &seen, &warp, prior) else { break };
        let step = system.solved();
        if !step.iter().flatten().all(|x| x.is_finite()) {
            break;
        }
        for (shift, step) in warp.shifts_px.iter_mut().zip(step) {
            *shift = [0, 1].map(|k| shift[k] + super::to_f32(step[k]));
        }
    }
    warp
}

/// The normal equations of one step over the lattice: per node the 2×2 blocks of itself and its neighbours, row by row of the
/// 3×3 nodes around it.
struct System {
    columns: usize,
    blocks: Vec<[[f64; 4]; 9]>,
    right: Vec<[f64; 2]>,
}

impl System {
    fn new(sight: &Sight<'_>, seen: &[u32], warp: &ImageWarp, prior: &Prior) -> Option<Self> {
        let size = [sight.width, seen.len() / sight.width.max(1)];
        if size[0] < 8 * MEAN_REDUCE || size[1] < 8 * MEAN_REDUCE {
            return None;
        }
        let bytes = |i: usize| seen[i].to_le_bytes();
        let hand = |i: usize| {
            let covered = bytes(i)[3];
            covered != UNKNOWN && covered > FULLY && sight.rendered[i][3] > 0.999
        };
        let only = |value: f32, i: usize| if hand(i) { value } else { 0.0 };
        let plane = |value: &dyn Fn(usize) -> f32| Plane::reduced(size, 1, |i| only(value(i), i));
        let inner = plane(&|_| 1.0).blurred(BLUR_PX);
        let pixels: Vec<usize> =
            (0..inner.values.len()).filter(|i| inner.is_interior(*i) && inner.values[*i] > 0.99).collect();
        if pixels.len() < LEAST_PX {
            return None;
        }
        // Means are wide: a coarser picture is enough for them.
        let coarse = |value: &dyn Fn(usize) -> f32| {
            Plane::reduced(size, MEAN_REDUCE, |i| only(value(i), i)).blurred(MEAN_PX / MEAN_REDUCE as f64)
        };
        let share = coarse(&|_| 1.0);
        let block = |i: usize| {
            let at = |x: usize, most: usize| (x / MEAN_REDUCE).min(most - 1);
            at(i / size[0], share.height) * share.width + at(i % size[0], share.width)
        };
        let channels = [0, 1, 2].map(|k| {
            let drawn = plane(&|i| sight.rendered[i][k]).blurred(BLUR_PX);
            let photo = plane(&|i| f32::from(bytes(i)[k]) / 255.0).blurred(BLUR_PX);
            let apart = |i: usize| drawn.values[i] - photo.values[i];
            let mean = coarse(&apart);
            let around = |i: usize| mean.values[block(i)] / share.values[block(i)].max(1e-6);
            let detail: Vec<f64> = pixels.iter().map(|i| f64::from(apart(*i) - around(*i))).collect();
            (drawn, photo, detail)
        });
        let sigma =
            median(channels.iter().flat_map(|(.., d)| d.iter().map(|x| x.abs()))).max(COLOUR_SIGMA * 0.6745) / 0.6745;
        let mut out = Self::with_prior(warp, prior);
        let grid = Grid { width: size[0], height: size[1] };
        for (n, &i) in pixels.iter().enumerate() {
            let (mut a, mut b) = ([0.0; 4], [0.0; 2]);
            for (drawn, photo, detail) in &channels {
                let (of_drawn, of_photo) = (drawn.slope(i), photo.slope(i));
                // The mean of both slopes: the step then is right to second order.
                let g = [0, 1].map(|k| 0.5 * (of_drawn[k] + of_photo[k]));
                let e = detail[n];
                // Geman-McClure beyond three sigma: highlights are no motion.
                let weight = INDEPENDENT * (1.0 + (e / (3.0 * sigma)).powi(2)).powi(-2) / (sigma * sigma);
                for r in 0..2 {
                    for c in 0..2 {
                        a[2 * r + c] += weight * g[r] * g[c];
                    }
                    b[r] += weight * g[r] * e;
                }
            }
            out.add(&warp.corners(grid.centre(i)), a, b);
        }
        out.add_outlines(sight, seen, warp);
        Some(out)
    }

    /// The parts of pixels at the hands' outlines: differences of coverage.
    fn add_outlines(&mut self, sight: &Sight<'_>, seen: &[u32], warp: &ImageWarp) {
        let grid = Grid { width: sight.width, height: seen.len() / sight.width };
        let size = [grid.width, grid.height];
        let known = |i: usize| seen[i].to_le_bytes()[3] != UNKNOWN;
        let of_photo = |i: usize| f32::from(seen[i].to_le_bytes()[3]) / 254.0;
        let plane = |value: &dyn Fn(usize) -> f32| Plane::reduced(size, 1, value).blurred(BLUR_PX);
        let sure = plane(&|i| f32::from(u8::from(known(i))));
        let drawn = plane(&|i| if known(i) { sight.rendered[i][3] } else { 0.0 });
        let photo = plane(&|i| if known(i) { of_photo(i) } else { 0.0 });
        for i in (0..sure.values.len()).filter(|i| sure.is_interior(*i) && sure.values[*i] > 0.99) {
            if drawn.values[i].max(photo.values[i]) < 0.02 || drawn.values[i].min(photo.values[i]) > 0.98 {
                continue;
            }
            let (a, b) = (drawn.slope(i), photo.slope(i));
            let g = [0, 1].map(|k| 0.5 * (a[k] + b[k]));
            let e = f64::from(drawn.values[i] - photo.values[i]);
            let weight = INDEPENDENT * (1.0 + (e / (3.0 * COVERAGE_SIGMA)).powi(2)).powi(-2) / COVERAGE_SIGMA.powi(2);
            let squares = [g[0] * g[0], g[0] * g[1], g[1] * g[0], g[1] * g[1]].map(|x| weight * x);
            self.add(&warp.corners(grid.centre(i)), squares, g.map(|g| weight * g * e));
        }
    }

    /// The priors about the shifts as they are.
    fn with_prior(warp: &ImageWarp, prior: &Prior) -> Self {
        let count = warp.shifts_px.len();
        let mut out = Self { columns: warp.columns, blocks: vec![[[0.0; 4]; 9]; count], right: vec![[0.0; 2]; count] };
        let now = |n: usize| warp.shifts_px[n].map(f64::from);
        let (small, alike) = (prior.shift_px.powi(-2), prior.bend_px.powi(-2));
        let eye = |x: f64| [x, 0.0, 0.0, x];
        for n in 0..count {
            out.block(n, n, eye(small));
            let (column, w) = (n % warp.columns, now(n));
            out.right[n] = [0, 1].map(|k| out.right[n][k] - small * w[k]);
            let beside = (column + 1 < warp.columns).then_some(n + 1);
            let below = (n + warp.columns < count).then_some(n + warp.columns);
            for m in beside.into_iter().chain(below) {
                for (from, to) in [(n, m), (m, n)] {
                    out.block(from, from, eye(alike));
                    out.block(from, to, eye(-alike));
                    let apart = [0, 1].map(|k| now(from)[k] - now(to)[k]);
                    out.right[from] = [0, 1].map(|k| out.right[from][k] - alike * apart[k]);
                }
            }
        }
        out
    }

    /// Adds to the block of two nodes that are neighbours or the same.
    fn block(&mut self, n: usize, m: usize, by: [f64; 4]) {
        let (row, column) = (m / self.columns + 1 - n / self.columns, m % self.columns + 1 - n % self.columns);
        for (x, by) in self.blocks[n][3 * row + column].iter_mut().zip(by) {
            *x += by;
        }
    }

    /// Adds a pixel's part.
    fn add(&mut self, corners: &Corners, a: [f64; 4], b: [f64; 2]) {
        for (n, weight) in corners {
            for (right, b) in self.right[*n].iter_mut().zip(b) {
                *right += weight * b;
            }
            for (m, other) in corners {
                self.block(*n, *m, a.map(|a| a * weight * other));
            }
        }
    }

    fn times(&self, x: &[[f64; 2]]) -> Vec<[f64; 2]> {
        let rows = x.len() / self.columns;
        let mut out = vec![[0.0; 2]; x.len()];
        for (n, out) in out.iter_mut().enumerate() {
            let (row, column) = (n / self.columns, n % self.columns);
            for (j, a) in self.blocks[n].iter().enumerate() {
                let (r, c) = (row + j / 3, column + j % 3);
                if r == 0 || c == 0 || r > rows || c > self.columns {
                    continue;
                }
                let x = x[(r - 1) * self.columns + c - 1];
                out[0] += a[0] * x[0] + a[1] * x[1];
                out[1] += a[2] * x[0] + a[3] * x[1];
            }
        }
        out
    }

    /// By conjugate gradients, scaled by the diagonal.
    fn solved(&self) -> Vec<[f64; 2]> {
        let scaled = |r: &[[f64; 2]]| -> Vec<[f64; 2]> {
            r.iter().zip(&self.blocks).map(|(r, a)| [r[0] / a[4][0], r[1] / a[4][3]]).collect()
        };
        let dot = |a: &[[f64; 2]], b: &[[f64; 2]]| a.iter().zip(b).map(|(a, b)| a[0] * b[0] + a[1] * b[1]).sum::<f64>();
        let along = |x: &mut [[f64; 2]], by: f64, d: &[[f64; 2]]| {
            for (x, d) in x.iter_mut().zip(d) {
                *x = [x[0] + by * d[0], x[1] + by * d[1]];
            }
        };
        let mut x = vec![[0.0; 2]; self.right.len()];
        let mut residual = self.right.clone();
        let mut direction = scaled(&residual);
        let mut size = dot(&residual, &direction);
        let enough = size * 1e-10;
        for _ in 0..ITERATIONS {
            if size <= enough {
                break;
            }
            let product = self.times(&direction);
            let step = size / dot(&direction, &product);
            along(&mut x, step, &direction);
            along(&mut residual, -step, &product);
            let next = scaled(&residual);
            let grown = dot(&residual, &next);
            for (d, n) in direction.iter_mut().zip(&next) {
                *d = [0, 1].map(|k| n[k] + grown / size * d[k]);
            }
            size = grown;
        }
        x
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests;
