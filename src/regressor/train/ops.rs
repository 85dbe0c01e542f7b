//! The two operations of the network that the machine-learning crate has not: sparse matrices and the group norm.

use super::super::network::{EPSILON, GROUPS};
use super::super::sparse::Sparse;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, Error, Layout, Result, Shape, Tensor};
use std::sync::Arc;

/// The numbers of a contiguous tensor.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (from, to) = layout.contiguous_offsets().ok_or_else(|| Error::Msg("not contiguous".to_owned()))?;
    Ok(&storage.as_slice::<f32>()?[from..to])
}

/// A sparse matrix from the left on each mesh of a batch (N×V×C), with its transposed for the way back.
#[derive(Clone)]
pub(super) struct FromLeft {
    pub forward: Arc<Sparse>,
    pub backward: Arc<Sparse>,
}

impl FromLeft {
    pub(super) fn new(matrix: &Sparse) -> Self {
        Self { forward: Arc::new(matrix.clone()), backward: Arc::new(matrix.transposed()) }
    }

    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op1(self.clone())
    }
}

impl CustomOp1 for FromLeft {
    fn name(&self) -> &'static str {
        "sparse matrix"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, vertices, channels) = layout.shape().dims3()?;
        let x = slice(storage, layout)?;
        let rows = self.forward.rows.len();
        let mut out = vec![0.0_f32; batch * rows * channels];
        for (to, from) in out.chunks_exact_mut(rows * channels).zip(x.chunks_exact(vertices * channels)) {
            for (to, row) in to.chunks_exact_mut(channels).zip(&self.forward.rows) {
                for (column, weight) in row {
                    let from = &from[*column as usize * channels..][..channels];
                    for (t, f) in to.iter_mut().zip(from) {
                        *t += weight * f;
                    }
                }
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((batch, rows, channels))))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let back = Self { forward: self.backward.clone(), backward: self.forward.clone() };
        back.apply(gradient).map(Some)
    }
}

/// Group norm and `ReLU` of N×V×C with `gamma` and `beta` (C).
pub(super) struct NormRelu;

/// Mean and inverse deviation of each group of one mesh.
fn statistics(x: &[f32], channels: usize, size: usize) -> Vec<(f32, f32)> {
    let mut sums = vec![(0.0_f64, 0.0_f64); channels];
    for row in x.chunks_exact(channels) {
        for (sum, v) in sums.iter_mut().zip(row) {
            let v = f64::from(*v);
            sum.0 += v;
            sum.1 += v * v;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "vertices times channels")]
    let count = (x.len() / channels * size) as f64;
    sums.chunks_exact(size)
        .map(|group| {
            let (sum, square) = group.iter().fold((0.0, 0.0), |a, g| (a.0 + g.0, a.1 + g.1));
            let mean = sum / count;
            let variance = (square / count - mean * mean).max(0.0);
            #[expect(clippy::cast_possible_truncation, reason = "the network's precision")]
            let out = (mean as f32, (1.0 / (variance + EPSILON).sqrt()) as f32);
            out
        })
        .collect()
}

impl CustomOp3 for NormRelu {
    fn name(&self) -> &'static str {
        "group norm and ReLU"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, vertices, channels) = l1.shape().dims3()?;
        let (x, gamma, beta) = (slice(s1, l1)?, slice(s2, l2)?, slice(s3, l3)?);
        let size = channels / GROUPS.min(channels);
        let mut out = vec![0.0_f32; x.len()];
        for (to, x) in out.chunks_exact_mut(vertices * channels).zip(x.chunks_exact(vertices * channels)) {
            let (scale, shift) = affine(&statistics(x, channels, size), gamma, beta, size);
            for (to, row) in to.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
                for (((t, x), a), b) in to.iter_mut().zip(row).zip(&scale).zip(&shift) {
                    *t = (x * a + b).max(0.0);
                }
            }
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, vertices, channels) = x.dims3()?;
        let flat = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
        let (xs, y, g, gammas) = (flat(x)?, flat(result)?, flat(gradient)?, flat(gamma)?);
        let size = channels / GROUPS.min(channels);
        #[expect(clippy::cast_precision_loss, reason = "vertices times channels")]
        let count = (vertices * size) as f32;
        let mut by_x = vec![0.0_f32; xs.len()];
        let (mut by_gamma, mut by_beta) = (vec![0.0_f32; channels], vec![0.0_f32; channels]);
        let mesh = vertices * channels;
        for (((x, y), g), to) in
            xs.chunks_exact(mesh).zip(y.chunks_exact(mesh)).zip(g.chunks_exact(mesh)).zip(by_x.chunks_exact_mut(mesh))
        {
            let groups = statistics(x, channels, size);
            let mean: Vec<f32> = (0..channels).map(|c| groups[c / size].0).collect();
            let inverse: Vec<f32> = (0..channels).map(|c| groups[c / size].1).collect();
            // Sums of the gradient and of gradient times normalised value, of each channel.
            let (mut sum, mut dot) = (vec![0.0_f32; channels], vec![0.0_f32; channels]);
            for ((x, y), g) in x.chunks_exact(channels).zip(y.chunks_exact(channels)).zip(g.chunks_exact(channels)) {
                for c in 0..channels {
                    let g = if y[c] > 0.0 { g[c] } else { 0.0 };
                    sum[c] += g;
                    dot[c] += g * (x[c] - mean[c]) * inverse[c];
                }
            }
            for c in 0..channels {
                by_gamma[c] += dot[c];
                by_beta[c] += sum[c];
            }
            let mut all = vec![(0.0_f32, 0.0_f32); channels / size];
            for c in 0..channels {
                all[c / size].0 += gammas[c] * sum[c] / count;
                all[c / size].1 += gammas[c] * dot[c] / count;
            }
            let first: Vec<f32> = (0..channels).map(|c| all[c / size].0).collect();
            let second: Vec<f32> = (0..channels).map(|c| all[c / size].1).collect();
            for (((x, y), g), to) in x
                .chunks_exact(channels)
                .zip(y.chunks_exact(channels))
                .zip(g.chunks_exact(channels))
                .zip(to.chunks_exact_mut(channels))
            {
                for c in 0..channels {
                    let g = if y[c] > 0.0 { g[c] } else { 0.0 };
                    let normal = (x[c] - mean[c]) * inverse[c];
                    to[c] = inverse[c] * (gammas[c] * g - first[c] - normal * second[c]);
                }
            }
        }
        let tensor = |v: Vec<f32>, like: &Tensor| Tensor::from_vec(v, like.shape(), like.device()).map(Some);
        Ok((tensor(by_x, x)?, tensor(by_gamma, gamma)?, tensor(by_beta, beta)?))
    }
}

/// What each channel is multiplied by and what is added.
fn affine(groups: &[(f32, f32)], gamma: &[f32], beta: &[f32], size: usize) -> (Vec<f32>, Vec<f32>) {
    let scale: Vec<f32> = gamma.iter().enumerate().map(|(c, g)| g * groups[c / size].1).collect();
    let shift = beta.iter().zip(&scale).enumerate().map(|(c, (b, a))| b - groups[c / size].0 * a).collect();
    (scale, shift)
}

impl NormRelu {
    pub(super) fn apply(x: &Tensor, gamma: &Tensor, beta: &Tensor) -> Result<Tensor> {
        x.contiguous()?.apply_op3(&gamma.flatten_all()?, &beta.flatten_all()?, Self)
    }
}
