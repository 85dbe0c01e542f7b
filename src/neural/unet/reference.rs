//! Twins in `f64` of the kernels for whole images: pixels line by line, channels last.

use super::layout::{LAST_PART, PARTS};
use crate::neural::network::OCTAVES;
use crate::neural::reference::{Sample, encode_paper};
use crate::raster::reference::V3;

/// A 3×3 convolution with zeros around the image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution {
    pub width: usize,
    pub height: usize,
    pub inputs: usize,
    pub outputs: usize,
    /// Where its numbers begin: taps from the upper left, in each inputs × outputs, then the biases.
    pub offset: usize,
    /// Negative results become zero.
    pub cut: bool,
    /// At the border sums grow as if the taps outside were like those inside.
    pub bordered: bool,
    /// Biases count.
    pub biased: bool,
}

impl Convolution {
    /// Weights and biases.
    pub(super) const fn numbers(&self) -> usize {
        (9 * self.inputs + 1) * self.outputs
    }

    const fn pixels(&self) -> usize {
        self.width * self.height
    }

    /// The pixel that tap `tap` of `pixel` reads, if it is in the image.
    const fn seen(&self, pixel: usize, tap: usize) -> Option<usize> {
        let (x, y) = (pixel % self.width + tap % 3, pixel / self.width + tap / 3);
        if x == 0 || y == 0 || x > self.width || y > self.height {
            return None;
        }
        Some((y - 1) * self.width + x - 1)
    }

    /// Nine over the taps inside the image (Liu et al. 2018, "Image inpainting … using partial convolutions").
    fn factor(&self, pixel: usize) -> f64 {
        let inside = (0..9_u8).filter(|t| self.seen(pixel, usize::from(*t)).is_some()).map(|_| 1.0).sum::<f64>();
        if self.bordered { 9.0 / inside } else { 1.0 }
    }

    /// Outputs for an image of inputs.
    #[must_use]
    pub(super) fn forward(&self, weights: &[f64], x: &[f64]) -> Vec<f64> {
        let w = &weights[self.offset..][..self.numbers()];
        let mut y = Vec::with_capacity(self.pixels() * self.outputs);
        for pixel in 0..self.pixels() {
            for n in 0..self.outputs {
                let mut sum = 0.0;
                for tap in 0..9 {
                    let Some(q) = self.seen(pixel, tap) else { continue };
                    for k in 0..self.inputs {
                        sum += w[(tap * self.inputs + k) * self.outputs + n] * x[q * self.inputs + k];
                    }
                }
                let bias = if self.biased { w[9 * self.inputs * self.outputs + n] } else { 0.0 };
                let value = self.factor(pixel) * sum + bias;
                y.push(if self.cut { value.max(0.0) } else { value });
            }
        }
        y
    }

    /// Gradient to the inputs; nothing goes through inputs from channel `gate` on that are not positive.
    #[must_use]
    pub(super) fn grad(&self, weights: &[f64], x: &[f64], y_grad: &[f64], gate: usize) -> Vec<f64> {
        let w = &weights[self.offset..][..self.numbers()];
        let mut out = vec![0.0; x.len()];
        for pixel in 0..self.pixels() {
            for tap in 0..9 {
                let Some(q) = self.seen(pixel, tap) else { continue };
                for k in 0..self.inputs {
                    let row = &w[(tap * self.inputs + k) * self.outputs..][..self.outputs];
                    let d = &y_grad[pixel * self.outputs..][..self.outputs];
                    let sum: f64 = row.iter().zip(d).map(|(w, d)| w * d).sum();
                    if k < gate || x[q * self.inputs + k] > 0.0 {
                        out[q * self.inputs + k] += self.factor(pixel) * sum;
                    }
                }
            }
        }
        out
    }

    /// Gradient to weights and biases.
    #[must_use]
    pub(super) fn weight_grad(&self, x: &[f64], y_grad: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.numbers()];
        for pixel in 0..self.pixels() {
            for n in 0..self.outputs {
                let d = y_grad[pixel * self.outputs + n];
                for tap in 0..9 {
                    let Some(q) = self.seen(pixel, tap) else { continue };
                    for k in 0..self.inputs {
                        out[(tap * self.inputs + k) * self.outputs + n] +=
                            self.factor(pixel) * d * x[q * self.inputs + k];
                    }
                }
                out[9 * self.inputs * self.outputs + n] += if self.biased { d } else { 0.0 };
            }
        }
        out
    }
}

/// Sizes of an image's half and its channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Half {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
}

impl Half {
    /// Numbers of the half; the full image has four times as many.
    pub(super) const fn numbers(&self) -> usize {
        self.width * self.height * self.channels
    }

    /// For each pixel of the half, the four of the full image that it stands for.
    fn quads(&self) -> impl Iterator<Item = (usize, [usize; 4])> {
        let (width, height) = (self.width, self.height);
        (0..width * height).map(move |p| {
            let at = 4 * (p / width) * width + 2 * (p % width);
            (p, [at, at + 1, at + 2 * width, at + 2 * width + 1])
        })
    }

    /// Means of 2×2 pixels.
    #[must_use]
    pub(super) fn halve(&self, full: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.numbers()];
        for (p, quad) in self.quads() {
            for c in 0..self.channels {
                out[p * self.channels + c] = quad.iter().map(|q| 0.25 * full[q * self.channels + c]).sum();
            }
        }
        out
    }

    /// Gradient to the full image; nothing goes through what is not positive.
    #[must_use]
    pub(super) fn halve_grad(&self, full: &[f64], small_grad: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; full.len()];
        for (p, quad) in self.quads() {
            for at in quad.iter().flat_map(|q| (0..self.channels).map(move |c| (q * self.channels + c, c))) {
                out[at.0] = if full[at.0] > 0.0 { 0.25 * small_grad[p * self.channels + at.1] } else { 0.0 };
            }
        }
        out
    }

    /// The four pixels of the half that a pixel of the double is mixed of, and their shares.
    fn mixed(&self, x: usize, y: usize) -> [(usize, f64); 4] {
        // Pixel centres: the double's `x + 0.5` lies at half of that.
        let along = |x: usize, size: usize| {
            let near = x / 2;
            [(near, 0.75), (if x.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(size - 1) }, 0.25)]
        };
        let ([a, b], [u, v]) = (along(x, self.width), along(y, self.height));
        [(a, u), (b, u), (a, v), (b, v)].map(|(x, y)| (y.0 * self.width + x.0, x.1 * y.1))
    }

    fn doubled(&self) -> impl Iterator<Item = (usize, [(usize, f64); 4])> {
        let width = 2 * self.width;
        (0..2 * self.height * width).map(move |p| (p, self.mixed(p % width, p / width)))
    }

    /// Twice the size, bilinear.
    #[must_use]
    pub(super) fn double(&self, small: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; 4 * self.numbers()];
        for (p, shares) in self.doubled() {
            for c in 0..self.channels {
                out[p * self.channels + c] = shares.iter().map(|(q, share)| share * small[q * self.channels + c]).sum();
            }
        }
        out
    }

    /// Gradient to the half; nothing goes through what is not positive.
    #[must_use]
    pub(super) fn double_grad(&self, small: &[f64], full_grad: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; small.len()];
        for (p, shares) in self.doubled() {
            for (q, share) in shares {
                for c in 0..self.channels {
                    let at = q * self.channels + c;
                    out[at] += if small[at] > 0.0 { share * full_grad[p * self.channels + c] } else { 0.0 };
                }
            }
        }
        out
    }
}

/// Normalisation by the statistics of an image, of which each pixel counts by its coverage; what is negative becomes zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Normalisation {
    pub channels: usize,
    /// Where factors begin, shifts behind them.
    pub offset: usize,
}

/// Means and one over the root of variances, by channel, and the sum of coverage.
#[derive(Clone, Debug)]
pub(super) struct Statistics {
    pub mean: Vec<f64>,
    pub inverse: Vec<f64>,
    pub weight: f64,
}

impl Normalisation {
    #[must_use]
    pub(super) fn statistics(&self, x: &[f64], coverage: &[f64]) -> Statistics {
        let weight: f64 = coverage.iter().sum();
        let pixels = || x.chunks_exact(self.channels).zip(coverage);
        let mean: Vec<f64> =
            (0..self.channels).map(|c| pixels().map(|(x, w)| w * x[c]).sum::<f64>() / weight).collect();
        let inverse = (0..self.channels)
            .map(|c| {
                let squares: f64 = pixels().map(|(x, w)| w * (x[c] - mean[c]).powi(2)).sum();
                1.0 / (squares / weight + 1e-5).sqrt()
            })
            .collect();
        Statistics { mean, inverse, weight }
    }

    /// Outputs for an image of inputs.
    #[must_use]
    pub(super) fn forward(&self, weights: &[f64], x: &[f64], coverage: &[f64]) -> Vec<f64> {
        let s = self.statistics(x, coverage);
        let (factors, shifts) = weights[self.offset..].split_at(self.channels);
        let one = |(i, x): (usize, &f64)| {
            let c = i % self.channels;
            (factors[c] * (x - s.mean[c]) * s.inverse[c] + shifts[c]).max(0.0)
        };
        x.iter().enumerate().map(one).collect()
    }

    /// Gradient to factors and shifts, and to the inputs; what was cut is zero in `y_grad`.
    #[must_use]
    pub(super) fn grad(&self, weights: &[f64], x: &[f64], coverage: &[f64], y_grad: &[f64]) -> [Vec<f64>; 2] {
        let s = self.statistics(x, coverage);
        let normal = |i: usize| (x[i] - s.mean[i % self.channels]) * s.inverse[i % self.channels];
        let mut sums = vec![0.0; 2 * self.channels];
        for (i, g) in y_grad.iter().enumerate() {
            sums[i % self.channels] += g * normal(i);
            sums[self.channels + i % self.channels] += g;
        }
        let one = |(i, g): (usize, &f64)| {
            let c = i % self.channels;
            let share = coverage[i / self.channels] / s.weight;
            let through = share * (sums[self.channels + c] + normal(i) * sums[c]);
            weights[self.offset + c] * s.inverse[c] * (g - through)
        };
        let x_grad = y_grad.iter().enumerate().map(one).collect();
        [sums, x_grad]
    }
}

/// Part `part` of a pixel's inputs; nothing where it has no sample.
#[must_use]
pub(super) fn encode_part(part: usize, s: Option<&Sample>, features: &[f64], told: f64, directions: &[V3]) -> Vec<f64> {
    let wide = PARTS[part] as usize;
    let Some(s) = s else { return vec![0.0; wide] };
    let all = encode_paper(s, features, told, directions, OCTAVES);
    if part == LAST_PART {
        return [&all[261..264], &[1.0], &all[264..284]].concat();
    }
    [&all[87 * part..][..87], &[0.0]].concat()
}
