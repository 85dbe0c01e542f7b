//! The network as it is trained: the same layers as [`super::super::network`], as operations whose gradient the
//! machine-learning crate takes.

use super::super::levels::MeshLevels;
use super::super::network::{LEAK, Network, Tensors};
use super::ops::{FromLeft, NormRelu};
use crate::safetensors::Tensor as Plain;
use crate::synthetic::Random;
use candle_core::{Device, Result, Tensor, Var};
use std::collections::BTreeMap;

/// Numbers a vertex of the coarsest mesh has, and channels of all blocks.
const CHANNELS: usize = 64;
/// Channels before the first block.
const FIRST: usize = 128;
/// Widths of the parameter head.
const HEAD: [usize; 4] = [256, 128, 64, 55];

/// Unknowns by their published names, and the matrices of the mesh.
pub(super) struct Graph {
    pub variables: BTreeMap<String, Var>,
    laplacians: Vec<FromLeft>,
    upsampling: Vec<FromLeft>,
    levels: MeshLevels,
}

/// What a batch gives.
pub(super) struct Batch {
    /// Parameters of all of it (N×55).
    pub parameters: Tensor,
    /// Vertices of its first meshes (M×V×3).
    pub vertices: Tensor,
}

fn uniform(random: &mut Random, count: usize, bound: f64) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "the network's precision")]
    (0..count).map(|_| random.range(-bound, bound) as f32).collect()
}

impl Graph {
    /// Fresh weights; `mean` and `std` (V×3 each) are where vertices lie and how far they move.
    pub(super) fn new(levels: MeshLevels, mean: Vec<f32>, std: Vec<f32>, random: &mut Random) -> Result<Self> {
        let sizes: Vec<usize> = levels.laplacians.iter().map(|l| l.rows.len()).collect();
        let last = sizes.len() - 1;
        let mut new = Self {
            variables: BTreeMap::new(),
            laplacians: levels.laplacians.iter().map(FromLeft::new).collect(),
            upsampling: levels.upsampling.iter().map(FromLeft::new).collect(),
            levels,
        };
        let hidden = sizes[last] * CHANNELS;
        new.chain("fc_decode", &[63, CHANNELS, hidden], random)?;
        new.cheb("decode_conv1x1", CHANNELS, FIRST, 1, random)?;
        let mut inputs = FIRST;
        for i in 0..last {
            let name = format!("decoder.{i}");
            new.cheb(&format!("{name}.lin1"), inputs, CHANNELS / 2, 1, random)?;
            new.cheb(&format!("{name}.conv"), CHANNELS / 2, CHANNELS / 2, 2, random)?;
            new.cheb(&format!("{name}.lin2"), CHANNELS / 2, CHANNELS, 1, random)?;
            for (norm, channels) in [("gn1", inputs), ("gn2", CHANNELS / 2), ("gn3", CHANNELS / 2)] {
                new.put(&format!("{name}.{norm}.gamma"), vec![1.0; channels], &[1, channels, 1])?;
                new.put(&format!("{name}.{norm}.beta"), vec![0.0; channels], &[1, channels, 1])?;
            }
            if inputs != CHANNELS {
                new.cheb(&format!("{name}.filter"), inputs, CHANNELS, 1, random)?;
            }
            inputs = CHANNELS;
        }
        new.cheb("conv3", CHANNELS, 3, 2, random)?;
        let [a, b, c, d] = HEAD;
        new.chain("fc_param", &[hidden + 3 * sizes[last - 1], a, b, c, d], random)?;
        new.put("mean", mean, &[1, sizes[0], 3])?;
        new.put("std", std, &[1, sizes[0], 3])?;
        Ok(new)
    }

    fn put(&mut self, name: &str, data: Vec<f32>, shape: &[usize]) -> Result<()> {
        let var = Var::from_tensor(&Tensor::from_vec(data, shape, &Device::Cpu)?)?;
        self.variables.insert(name.to_owned(), var);
        Ok(())
    }

    /// Linear layers as `PyTorch` begins them: uniform in ±1/√inputs.
    fn chain(&mut self, name: &str, widths: &[usize], random: &mut Random) -> Result<()> {
        for (i, pair) in widths.windows(2).enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "widths")]
            let bound = 1.0 / (pair[0] as f64).sqrt();
            let weight = uniform(random, pair[0] * pair[1], bound);
            self.put(&format!("{name}.{i}.weight"), weight, &[pair[1], pair[0]])?;
            self.put(&format!("{name}.{i}.bias"), uniform(random, pair[1], bound), &[pair[1]])?;
        }
        Ok(())
    }

    fn cheb(&mut self, name: &str, inputs: usize, outputs: usize, order: usize, random: &mut Random) -> Result<()> {
        #[expect(clippy::cast_precision_loss, reason = "widths")]
        let bound = (3.0 / (inputs * order) as f64).sqrt();
        let weight = uniform(random, inputs * order * outputs, bound);
        self.put(&format!("{name}.w"), weight, &[inputs * order, outputs])
    }

    fn get(&self, name: &str) -> Result<&Tensor> {
        let var = self.variables.get(name).ok_or_else(|| candle_core::Error::Msg(format!("no {name}")))?;
        Ok(var.as_tensor())
    }

    fn linear(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.get(&format!("{name}.weight"))?.t()?)?.broadcast_add(self.get(&format!("{name}.bias"))?)
    }

    fn convolve(&self, name: &str, x: &Tensor, laplacian: &FromLeft) -> Result<Tensor> {
        let (batch, vertices, channels) = x.dims3()?;
        let weight = self.get(&format!("{name}.w"))?;
        let (rows, outputs) = weight.dims2()?;
        let dense = |x: &Tensor, w: &Tensor| {
            x.reshape((batch * vertices, channels))?.matmul(w)?.reshape((batch, vertices, outputs))
        };
        if rows == channels {
            return dense(x, weight);
        }
        let weight = weight.reshape((channels, rows / channels, outputs))?;
        let part = |k: usize| weight.narrow(1, k, 1)?.squeeze(1)?.contiguous();
        dense(x, &part(0)?)? + dense(&laplacian.apply(x)?, &part(1)?)?
    }

    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        NormRelu::apply(x, self.get(&format!("{name}.gamma"))?, self.get(&format!("{name}.beta"))?)
    }

    fn block(&self, i: usize, x: &Tensor) -> Result<Tensor> {
        let level = self.upsampling.len() - 1 - i;
        let (l, name) = (&self.laplacians[level], format!("decoder.{i}"));
        let x = self.upsampling[level].apply(x)?;
        let y = self.convolve(&format!("{name}.lin1"), &self.norm(&format!("{name}.gn1"), &x)?, l)?;
        let y = self.convolve(&format!("{name}.conv"), &self.norm(&format!("{name}.gn2"), &y)?, l)?;
        let y = self.convolve(&format!("{name}.lin2"), &self.norm(&format!("{name}.gn3"), &y)?, l)?;
        let filter = format!("{name}.filter");
        let around =
            if self.variables.contains_key(&format!("{filter}.w")) { self.convolve(&filter, &x, l)? } else { x };
        y + around
    }

    /// Runs a batch of inputs (N×63); vertices of the first `meshes`.
    pub(super) fn forward(&self, inputs: &Tensor, meshes: usize) -> Result<Batch> {
        let batch = inputs.dim(0)?;
        let last = self.upsampling.len();
        let latent = self.linear("fc_decode.1", &self.linear("fc_decode.0", inputs)?)?;
        let latent = latent.maximum(&(&latent * LEAK)?)?;
        let coarse = self.levels.upsampling[last - 1].columns;
        let x = latent.reshape((batch, coarse, CHANNELS))?;
        let x = self.block(0, &self.convolve("decode_conv1x1", &x, &self.laplacians[last])?)?;
        let (mean, std) = (self.get("mean")?, self.get("std")?);
        let points = self.convolve("conv3", &x, &self.laplacians[last - 1])?;
        let points = points.broadcast_mul(&std.mean_all()?)?.broadcast_add(&mean.mean_all()?)?;
        let mut head = Tensor::cat(&[&latent, &points.flatten_from(1)?], 1)?;
        for i in 0..HEAD.len() {
            head = self.linear(&format!("fc_param.{i}"), &head)?;
        }
        let mut x = x.narrow(0, 0, meshes)?.contiguous()?;
        for i in 1..last {
            x = self.block(i, &x)?;
        }
        let x = self.convolve("conv3", &x, &self.laplacians[0])?;
        Ok(Batch { parameters: head, vertices: x.broadcast_mul(std)?.broadcast_add(mean)? })
    }

    /// The weights with the matrices of the mesh, as files and [`Network::new`] have them.
    pub(super) fn tensors(&self) -> Result<Tensors> {
        let mut out = Tensors::new();
        for (name, var) in &self.variables {
            let data = var.as_tensor().flatten_all()?.to_vec1::<f32>()?;
            out.insert(name.clone(), Plain { shape: var.dims().to_vec(), data });
        }
        Network::add_levels(&self.levels, &mut out);
        Ok(out)
    }
}
