//! The graph network's forward pass in `f64`: the reference for the one that is trained, and what predictions are made by.
//!
//! Names and shapes of the weights are those of the published code (agnJason/FMHR, `GCNDecoder`), channels last:
//! `fc_decode` 63 → latent → coarsest vertices × latent, no activation between, leaky `ReLU` 0.2 after; `decode_conv1x1`
//! per vertex; one residual block a level (up, group norm, `ReLU`, 1×1, group norm, `ReLU`, Chebyshev, group norm, `ReLU`, 1×1,
//! plus the way around); `conv3` to three channels, `× std + mean`; `fc_param` from the latent mesh and the first level's
//! points to the parameters. A Chebyshev weight has `K` rows an input channel: `T₀ x = x`, `T₁ x = L x`.

use super::levels::MeshLevels;
use super::sparse::Sparse;
use crate::safetensors::Tensor;
use std::collections::BTreeMap;

/// Channels of a group norm come in so many groups, or each alone where there are fewer.
pub(super) const GROUPS: usize = 32;
/// What keeps a group norm from dividing by zero.
pub(super) const EPSILON: f64 = 1e-5;
/// Slope of the leaky `ReLU`.
pub(super) const LEAK: f64 = 0.2;

/// Weights by the published names.
pub(super) type Tensors = BTreeMap<String, Tensor>;

/// A matrix `inputs × outputs` of a layer, and its bias.
#[derive(Clone, Debug)]
struct Dense {
    inputs: usize,
    outputs: usize,
    /// Row-major by input.
    weight: Vec<f64>,
    bias: Option<Vec<f64>>,
}

impl Dense {
    /// `x · W (+ b)` for each row of `x`.
    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; x.len() / self.inputs.max(1) * self.outputs];
        for (row, to) in x.chunks_exact(self.inputs.max(1)).zip(out.chunks_exact_mut(self.outputs.max(1))) {
            if let Some(bias) = &self.bias {
                to.copy_from_slice(bias);
            }
            for (x, weights) in row.iter().zip(self.weight.chunks_exact(self.outputs.max(1))) {
                for (t, w) in to.iter_mut().zip(weights) {
                    *t += x * w;
                }
            }
        }
        out
    }
}

/// A graph convolution: the weights for `x` and, where K = 2, those for `L x`.
#[derive(Clone, Debug)]
struct Chebyshev {
    at: Dense,
    around: Option<Dense>,
}

impl Chebyshev {
    fn apply(&self, x: &[f64], laplacian: &Sparse) -> Vec<f64> {
        let mut out = self.at.apply(x);
        if let Some(around) = &self.around {
            let more = around.apply(&laplacian.times(x, around.inputs));
            out.iter_mut().zip(more).for_each(|(o, m)| *o += m);
        }
        out
    }
}

#[derive(Clone, Debug)]
struct GroupNorm {
    gamma: Vec<f64>,
    beta: Vec<f64>,
}

impl GroupNorm {
    /// Normalised over the vertices and channels of each group, then `ReLU`.
    fn relu(&self, x: &[f64]) -> Vec<f64> {
        let channels = self.gamma.len();
        let size = channels / GROUPS.min(channels).max(1);
        let mut out = vec![0.0; x.len()];
        #[expect(clippy::cast_precision_loss, reason = "vertices times channels")]
        let count = (x.len() / channels.max(1) * size) as f64;
        for first in (0..channels).step_by(size.max(1)) {
            let group = || x.chunks_exact(channels).flat_map(|row| &row[first..first + size]);
            let mean = group().sum::<f64>() / count;
            let variance = group().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
            let scale = 1.0 / (variance + EPSILON).sqrt();
            for (row, to) in x.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
                for c in first..first + size {
                    to[c] = ((row[c] - mean) * scale * self.gamma[c] + self.beta[c]).max(0.0);
                }
            }
        }
        out
    }
}

/// A decoder block.
#[derive(Clone, Debug)]
struct Block {
    norms: [GroupNorm; 3],
    lin1: Chebyshev,
    conv: Chebyshev,
    lin2: Chebyshev,
    filter: Option<Chebyshev>,
}

impl Block {
    fn apply(&self, x: &[f64], laplacian: &Sparse, up: &Sparse) -> Vec<f64> {
        let x = up.times(x, self.lin1.at.inputs);
        let [first, second, third] = &self.norms;
        let y = self.lin1.apply(&first.relu(&x), laplacian);
        let y = self.conv.apply(&second.relu(&y), laplacian);
        let mut y = self.lin2.apply(&third.relu(&y), laplacian);
        let around = self.filter.as_ref().map_or(x.clone(), |filter| filter.apply(&x, laplacian));
        y.iter_mut().zip(around).for_each(|(y, a)| *y += a);
        y
    }
}

/// What the network says.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// Vertices in the normalised frame; empty when they were not asked for.
    pub vertices: Vec<[f64; 3]>,
    /// Pose and shape.
    pub parameters: Vec<f64>,
}

/// The network of one template.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub levels: MeshLevels,
    fc_decode: Vec<Dense>,
    decode_conv1x1: Chebyshev,
    decoder: Vec<Block>,
    conv3: Chebyshev,
    /// Of each coordinate of each vertex.
    mean: Vec<f64>,
    std: Vec<f64>,
    fc_param: Vec<Dense>,
}

fn doubles(data: &[f32]) -> Vec<f64> {
    data.iter().copied().map(f64::from).collect()
}

/// Takes the tensors of a network apart by their names.
struct Reader<'a>(&'a Tensors);

impl Reader<'_> {
    fn get(&self, name: &str) -> Result<&Tensor, String> {
        let tensor = self.0.get(name).ok_or_else(|| format!("has no `{name}`"))?;
        if tensor.data.iter().any(|x| !x.is_finite()) {
            return Err(format!("has values in `{name}` that are not finite"));
        }
        if tensor.shape.iter().product::<usize>() != tensor.data.len() {
            return Err(format!("has `{name}` with another number of values than its shape says"));
        }
        Ok(tensor)
    }

    /// Linear layers `name.0`, `name.1` … as `PyTorch` stores them (outputs × inputs).
    fn chain(&self, name: &str, inputs: Option<usize>) -> Result<Vec<Dense>, String> {
        let mut layers: Vec<Dense> = Vec::new();
        while self.0.contains_key(&format!("{name}.{}.weight", layers.len())) {
            let weight = self.get(&format!("{name}.{}.weight", layers.len()))?;
            let bias = self.get(&format!("{name}.{}.bias", layers.len()))?;
            let &[outputs, inputs] = weight.shape.as_slice() else { return Err(format!("has `{name}` of odd shape")) };
            let follows = layers.last().is_none_or(|l| l.outputs == inputs);
            if !follows || bias.data.len() != outputs || inputs == 0 || outputs == 0 {
                return Err(format!("has layers `{name}` that do not fit together"));
            }
            let transposed = (0..inputs * outputs).map(|i| weight.data[i % outputs * inputs + i / outputs].into());
            let bias = Some(doubles(&bias.data));
            layers.push(Dense { inputs, outputs, weight: transposed.collect(), bias });
        }
        let first = layers.first().map(|l| l.inputs);
        if first.is_none() || inputs.is_some() && first != inputs {
            return Err(format!("has no layers `{name}` for this network's inputs"));
        }
        Ok(layers)
    }

    fn chebyshev(&self, name: &str, inputs: usize) -> Result<Chebyshev, String> {
        let weight = self.get(&format!("{name}.w"))?;
        let &[rows, outputs] = weight.shape.as_slice() else { return Err(format!("has `{name}` of odd shape")) };
        let order = rows / inputs.max(1);
        if order * inputs != rows || !(1..=2).contains(&order) || outputs == 0 {
            return Err(format!("has `{name}` for another number of channels"));
        }
        let part = |k: usize| {
            let row = |channel: usize| &weight.data[(channel * order + k) * outputs..][..outputs];
            let weight = (0..inputs).flat_map(|channel| doubles(row(channel))).collect();
            Dense { inputs, outputs, weight, bias: None }
        };
        Ok(Chebyshev { at: part(0), around: (order == 2).then(|| part(1)) })
    }

    fn norm(&self, name: &str, channels: usize) -> Result<GroupNorm, String> {
        let [gamma, beta] = ["gamma", "beta"].map(|part| self.get(&format!("{name}.{part}")));
        let norm = GroupNorm { gamma: doubles(&gamma?.data), beta: doubles(&beta?.data) };
        let fits = norm.gamma.len() == channels && norm.beta.len() == channels;
        if fits && channels.is_multiple_of(GROUPS.min(channels).max(1)) {
            Ok(norm)
        } else {
            Err(format!("has `{name}` for another number of channels"))
        }
    }

    fn block(&self, name: &str, inputs: usize) -> Result<Block, String> {
        let lin1 = self.chebyshev(&format!("{name}.lin1"), inputs)?;
        let conv = self.chebyshev(&format!("{name}.conv"), lin1.at.outputs)?;
        let lin2 = self.chebyshev(&format!("{name}.lin2"), conv.at.outputs)?;
        let [first, second, third] = [(1, inputs), (2, lin1.at.outputs), (3, conv.at.outputs)]
            .map(|(number, channels)| self.norm(&format!("{name}.gn{number}"), channels));
        let filter = match self.0.contains_key(&format!("{name}.filter.w")) {
            true => Some(self.chebyshev(&format!("{name}.filter"), inputs)?),
            false => None,
        };
        if filter.as_ref().map_or(inputs, |f| f.at.outputs) != lin2.at.outputs {
            return Err(format!("has `{name}` whose two ways differ in width"));
        }
        Ok(Block { norms: [first?, second?, third?], lin1, conv, lin2, filter })
    }

    fn sparse(&self, name: &str, size: [usize; 2]) -> Result<Sparse, String> {
        let (indices, values) = (self.get(&format!("{name}.indices"))?, self.get(&format!("{name}.values"))?);
        Sparse::from_entries(size, &indices.data, &values.data)
            .ok_or_else(|| format!("has the matrix `{name}` with entries outside of it"))
    }
}

/// Tensor that holds the numbers of vertices of the levels, finest first.
pub(super) const SIZES: &str = "levels";

impl Network {
    /// From tensors with the published names; what is wrong with them otherwise. The sparse matrices are `L_i` and `U_i` as
    /// [`Sparse::to_tensors`] writes them.
    pub(super) fn new(tensors: &Tensors) -> Result<Self, String> {
        let reader = Reader(tensors);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "compared with other shapes below")]
        let sizes: Vec<usize> = reader.get(SIZES)?.data.iter().map(|x| *x as usize).collect();
        if sizes.len() < 2 || sizes.iter().any(|n| *n == 0 || *n > 20_000) {
            return Err("has mesh levels of no sound size".to_owned());
        }
        let laplacians = (0..).zip(&sizes).map(|(i, n): (usize, _)| reader.sparse(&format!("L_{i}"), [*n, *n]));
        let upsampling =
            (0..).zip(sizes.windows(2)).map(|(i, n): (usize, _)| reader.sparse(&format!("U_{i}"), [n[0], n[1]]));
        let levels = MeshLevels {
            laplacians: laplacians.collect::<Result<_, _>>()?,
            upsampling: upsampling.collect::<Result<_, _>>()?,
        };
        let fc_decode = reader.chain("fc_decode", Some(63))?;
        let (coarse, first) = (sizes[sizes.len() - 1], sizes[sizes.len() - 2]);
        let hidden = fc_decode.last().map_or(0, |l| l.outputs);
        if !hidden.is_multiple_of(coarse) {
            return Err("has `fc_decode` for another mesh".to_owned());
        }
        let decode_conv1x1 = reader.chebyshev("decode_conv1x1", hidden / coarse)?;
        let mut channels = decode_conv1x1.at.outputs;
        let mut decoder = Vec::new();
        for i in 0..sizes.len() - 1 {
            let block = reader.block(&format!("decoder.{i}"), channels)?;
            channels = block.lin2.at.outputs;
            decoder.push(block);
        }
        let conv3 = reader.chebyshev("conv3", channels)?;
        // It is used after the first block too.
        if conv3.at.outputs != 3 || decoder[0].lin2.at.outputs != channels {
            return Err("has `conv3` for another number of channels".to_owned());
        }
        let (mean, std) = (doubles(&reader.get("mean")?.data), doubles(&reader.get("std")?.data));
        if mean.len() != 3 * sizes[0] || std.len() != 3 * sizes[0] {
            return Err("has `mean` and `std` for another mesh".to_owned());
        }
        let fc_param = reader.chain("fc_param", Some(hidden + 3 * first))?;
        Ok(Self { levels, fc_decode, decode_conv1x1, decoder, conv3, mean, std, fc_param })
    }

    /// Adds the matrices of a mesh's levels to the tensors of a network.
    #[cfg(feature = "train")]
    pub(super) fn add_levels(levels: &MeshLevels, tensors: &mut Tensors) {
        #[expect(clippy::cast_precision_loss, reason = "numbers of vertices are far below 2^24")]
        let sizes: Vec<f32> = levels.laplacians.iter().map(|l| l.rows.len() as f32).collect();
        tensors.insert(SIZES.to_owned(), Tensor { shape: vec![sizes.len()], data: sizes });
        for (i, l) in levels.laplacians.iter().enumerate() {
            l.to_tensors(&format!("L_{i}"), tensors);
        }
        for (i, u) in levels.upsampling.iter().enumerate() {
            u.to_tensors(&format!("U_{i}"), tensors);
        }
    }

    /// Vertices of the mesh it predicts.
    pub(super) fn vertex_count(&self) -> usize {
        self.mean.len() / 3
    }

    /// Numbers that the parameter head gives.
    pub(super) fn parameter_count(&self) -> usize {
        self.fc_param.last().map_or(0, |l| l.outputs)
    }

    /// Runs it on 63 normalised coordinates; the fine levels only when vertices are asked for.
    pub(super) fn forward(&self, joints: &[f64; 63], vertices: bool) -> Output {
        let mut latent = joints.to_vec();
        for layer in &self.fc_decode {
            latent = layer.apply(&latent);
        }
        latent.iter_mut().for_each(|x| *x = x.max(LEAK * *x));
        let last = self.levels.upsampling.len();
        let mut x = self.decode_conv1x1.apply(&latent, &self.levels.laplacians[last]);
        let mut head = latent;
        for (i, block) in self.decoder.iter().enumerate() {
            if i > 0 && !vertices {
                break;
            }
            let level = last - 1 - i;
            x = block.apply(&x, &self.levels.laplacians[level], &self.levels.upsampling[level]);
            if i == 0 {
                let mean = |x: &[f64]| x.iter().sum::<f64>() / f64::from(u32::try_from(x.len()).unwrap_or(u32::MAX));
                let (std, mean) = (mean(&self.std), mean(&self.mean));
                head.extend(self.conv3.apply(&x, &self.levels.laplacians[level]).iter().map(|p| p * std + mean));
            }
        }
        let mut points = Vec::new();
        if vertices {
            let flat = self.conv3.apply(&x, &self.levels.laplacians[0]);
            let moved: Vec<f64> = flat.iter().zip(&self.std).zip(&self.mean).map(|((x, s), m)| x * s + m).collect();
            points = moved.as_chunks::<3>().0.to_vec();
        }
        let mut parameters = head;
        for layer in &self.fc_param {
            parameters = layer.apply(&parameters);
        }
        Output { vertices: points, parameters }
    }
}

/// Layers without an activation between them as one: `fc_param` is stored so, a fifth of its size.
#[cfg(feature = "train")]
pub(super) fn merge_chain(tensors: &mut Tensors, name: &str) {
    let Ok(layers) = Reader(tensors).chain(name, None) else { return };
    let inputs = layers[0].inputs;
    let outputs = layers[layers.len() - 1].outputs;
    let bias = layers.iter().fold(vec![0.0; inputs], |x, layer| layer.apply(&x));
    let mut product = layers[0].weight.clone();
    for layer in &layers[1..] {
        product = Dense { bias: None, ..layer.clone() }.apply(&product);
    }
    #[expect(clippy::cast_possible_truncation, reason = "stored in single precision")]
    let single = |x: f64| x as f32;
    let weight = (0..outputs * inputs).map(|i| single(product[i % inputs * outputs + i / inputs])).collect();
    tensors.retain(|key, _| !key.starts_with(&format!("{name}.")));
    tensors.insert(format!("{name}.0.weight"), Tensor { shape: vec![outputs, inputs], data: weight });
    let bias = bias.into_iter().map(single).collect();
    tensors.insert(format!("{name}.0.bias"), Tensor { shape: vec![outputs], data: bias });
}
