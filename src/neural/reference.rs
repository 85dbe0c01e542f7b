//! CPU twins of the kernels in `f64`, with their names and loops.

use super::layout::{FEATURES, Layer, SAMPLE_STRIDE, hash};
use super::settings::Output;
use crate::raster::reference::{RefMesh, RefView, V3, dot, mix};
use crate::shading::sh_basis;

/// What the network is told about a pixel; see `shaders/common/neural_sample.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Camera-space normal.
    pub normal: V3,
    /// Target pixel: RGB and coverage.
    pub target: u32,
    /// Albedo.
    pub albedo: V3,
    /// Vertices of its triangle.
    pub corners: [u32; 3],
    /// Rest-pose position, normalised.
    pub rest: V3,
    /// Unit direction from the camera, world.
    pub ray: V3,
    /// Albedo times irradiance.
    pub shaded: V3,
    /// First two barycentrics.
    pub lambda: [f64; 2],
    /// Gain of the view.
    pub gain: V3,
    /// Mirrored direction, world.
    pub mirrored: V3,
    /// Cosine between normal and the way to the camera.
    pub cosine: f64,
}

impl Sample {
    /// Barycentrics of all corners.
    #[must_use]
    pub(super) fn weights(&self) -> V3 {
        [self.lambda[0], self.lambda[1], 1.0 - self.lambda[0] - self.lambda[1]]
    }

    /// As on the device.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub(super) fn words(&self) -> [[u32; 4]; SAMPLE_STRIDE] {
        let f = |x: f64| (x as f32).to_bits();
        let row = |v: V3, w: u32| [f(v[0]), f(v[1]), f(v[2]), w];
        [
            row(self.normal, self.target),
            row(self.albedo, self.corners[0]),
            row(self.rest, self.corners[1]),
            row(self.ray, self.corners[2]),
            row(self.shaded, f(self.lambda[0])),
            row(self.gain, f(self.lambda[1])),
            row(self.mirrored, f(self.cosine)),
        ]
    }
}

/// Which entry of a list of `count` sample `i` of `samples` is.
#[must_use]
pub(super) fn chosen(seed: u32, count: u32, samples: u32, i: u32) -> u32 {
    let part = |i: u32| i * (count / samples) + i * (count % samples) / samples;
    let begin = part(i);
    let width = (part(i + 1) - begin).max(1);
    (begin + (hash(hash(seed) ^ i)) % width).min(count.saturating_sub(1))
}

/// What [`gather`] reads of a mesh.
#[derive(Clone, Copy, Debug)]
pub(super) struct GatherMesh<'a> {
    /// Positions and triangles.
    pub mesh: RefMesh<'a>,
    /// Unit normals.
    pub normals: &'a [V3],
    /// Albedo.
    pub albedo: &'a [V3],
    /// Rest-pose positions.
    pub rest: &'a [V3],
}

/// The camera and the light of [`gather`].
#[derive(Clone, Copy, Debug)]
pub(super) struct GatherView {
    /// Rows of the camera's rotation.
    pub rotation: [V3; 3],
    /// Its centre, world metres.
    pub centre: V3,
    /// Middle of the rest-pose positions and one over their extent.
    pub rest: [f64; 4],
    /// Nine coefficients.
    pub light: [f64; 9],
    /// Gain.
    pub gain: V3,
}

/// A covered pixel (`pixel`, `word` = triangle + 1).
#[must_use]
pub(super) fn gather(view: &RefView, m: &GatherMesh<'_>, g: &GatherView, entry: [u32; 2], target: u32) -> Sample {
    let corners = m.mesh.faces[entry[1] as usize - 1];
    let at = |list: &[V3]| corners.map(|v| list[v as usize]);
    let b = view.barycentric(&m.mesh, entry[1] as usize - 1, view.pixel_centre(entry[0] as usize));
    let unit = |v: V3| {
        let size = dot(v, v).sqrt();
        v.map(|x| x / size)
    };
    let n = unit(mix(b.lambda, at(m.normals)));
    let x = mix(b.lambda, at(m.mesh.positions));
    let rest = mix(b.lambda, at(m.rest));
    let ray = unit([0, 1, 2].map(|k| x[k] - g.centre[k]));
    let albedo = mix(b.lambda, at(m.albedo));
    let r: f64 = sh_basis(n).iter().zip(&g.light).map(|(b, c)| b * c).sum();
    let along = dot(ray, n);
    Sample {
        normal: g.rotation.map(|row| dot(row, n)),
        target,
        albedo,
        corners,
        rest: [0, 1, 2].map(|k| (rest[k] - g.rest[k]) * g.rest[3]),
        ray,
        shaded: albedo.map(|a| a * r),
        lambda: [b.lambda[0], b.lambda[1]],
        gain: g.gain,
        mirrored: [0, 1, 2].map(|k| ray[k] - 2.0 * along * n[k]),
        cosine: -along,
    }
}

/// 1, or 0 where the row is not told where it is seen from.
#[must_use]
pub(super) const fn told(seed: u32, dropped: u32, row: u32) -> f64 {
    if hash(hash(seed) ^ row) & 0xffff < dropped { 0.0 } else { 1.0 }
}

fn features_at(s: &Sample, features: &[f64]) -> [f64; FEATURES] {
    let w = s.weights();
    std::array::from_fn(|k| (0..3).map(|c| w[c] * features[s.corners[c] as usize * FEATURES + k]).sum())
}

/// 48 inputs; `told` is 1 or 0.
#[must_use]
pub(super) fn encode_compact(s: &Sample, features: &[f64], told: f64) -> Vec<f64> {
    let t = |v: V3| v.map(|x| told * x);
    let wave = s.rest.map(|x| (std::f64::consts::PI * x).sin());
    let mut out = [t(s.normal), s.albedo, s.shaded, s.rest, wave, t(s.ray), t(s.mirrored)].concat();
    out.extend([told * s.cosine, 0.0, 0.0]);
    out.extend(features_at(s, features));
    out.extend([0.0; 4]);
    out
}

/// 288 inputs, of which 284 are published ones.
#[must_use]
pub(super) fn encode_paper(s: &Sample, features: &[f64], told: f64, directions: &[V3], octaves: u32) -> Vec<f64> {
    let mut out = Vec::new();
    for v in [s.normal.map(|x| told * x), s.albedo, s.rest] {
        let x = v.map(|x| 0.1 * x);
        out.extend(x);
        for octave in 0..octaves {
            let along = directions.iter().map(|d| f64::from(1 << octave) * dot(*d, x));
            out.extend(along.clone().map(f64::sin));
            out.extend(along.map(f64::cos));
        }
    }
    out.extend(s.ray.map(|x| told * x));
    out.extend(features_at(s, features));
    out.extend([0.0; 4]);
    out
}

/// Outputs of a layer for rows of inputs.
#[must_use]
pub(super) fn linear(layer: &Layer, weights: &[f64], x: &[f64]) -> Vec<f64> {
    let (inputs, outputs) = (layer.inputs as usize, layer.outputs as usize);
    let w = &weights[layer.offset as usize..][..layer.numbers() as usize];
    let mut y = Vec::with_capacity(x.len() / inputs * outputs);
    for row in x.chunks_exact(inputs) {
        for n in 0..outputs {
            let sum: f64 = row.iter().enumerate().map(|(k, x)| x * w[k * outputs + n]).sum();
            let value = sum + w[inputs * outputs + n];
            y.push(if layer.cut { value.max(0.0) } else { value });
        }
    }
    y
}

/// Gradient to a layer's inputs; `cut`: nothing goes through inputs that are not positive.
#[must_use]
pub(super) fn linear_grad(layer: &Layer, weights: &[f64], x: &[f64], y_grad: &[f64], cut: bool) -> Vec<f64> {
    let (inputs, outputs) = (layer.inputs as usize, layer.outputs as usize);
    let w = &weights[layer.offset as usize..][..layer.numbers() as usize];
    let mut out = Vec::with_capacity(x.len());
    for (row, d) in x.chunks_exact(inputs).zip(y_grad.chunks_exact(outputs)) {
        for (k, x) in row.iter().enumerate() {
            let sum: f64 = d.iter().enumerate().map(|(n, d)| d * w[k * outputs + n]).sum();
            out.push(if cut && *x <= 0.0 { 0.0 } else { sum });
        }
    }
    out
}

/// Gradient to a layer's weights and biases.
#[must_use]
pub(super) fn weight_grad(layer: &Layer, x: &[f64], y_grad: &[f64]) -> Vec<f64> {
    let (inputs, outputs) = (layer.inputs as usize, layer.outputs as usize);
    let mut out = vec![0.0; layer.numbers() as usize];
    for (row, d) in x.chunks_exact(inputs).zip(y_grad.chunks_exact(outputs)) {
        for (k, x) in row.iter().chain([&1.0]).enumerate() {
            for n in 0..outputs {
                out[k * outputs + n] += x * d[n];
            }
        }
    }
    out
}

/// Colour before the gain, and its slope with the output.
#[must_use]
pub(super) fn painted(kind: Output, o: V3, shaded: V3) -> [V3; 2] {
    match kind {
        Output::Direct => {
            let c = o.map(|o| 1.0 / (1.0 + (-o.clamp(-30.0, 30.0)).exp()));
            [c, c.map(|c| c * (1.0 - c))]
        }
        Output::Residual => [[0, 1, 2].map(|k| shaded[k] + o[k]), [1.0; 3]],
        Output::Ratio => {
            let c = [0, 1, 2].map(|k| shaded[k] * o[k].clamp(-3.0, 3.0).exp());
            [c, [0, 1, 2].map(|k| if o[k].abs() < 3.0 { c[k] } else { 0.0 })]
        }
    }
}

/// How colours are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColourLoss {
    /// What outputs mean.
    pub kind: Output,
    /// Residuals below this are squared.
    pub softness: f64,
    /// Colours from here on are clipped.
    pub clipped: f64,
}

/// Eight sums (loss, colour times photograph, channels that count, colour squared) of one row, and the gradient to its
/// outputs.
#[must_use]
pub(super) fn colour_loss(loss: &ColourLoss, s: &Sample, outputs: &[f64]) -> ([f64; 8], [f64; 8]) {
    let photo = s.target.to_le_bytes().map(|b| f64::from(b) / 255.0);
    let [colour, slope] = painted(loss.kind, [outputs[0], outputs[1], outputs[2]], s.shaded);
    let (mut sums, mut grad) = ([0.0; 8], [0.0; 8]);
    for k in 0..3 {
        let apart = s.gain[k] * colour[k] - photo[k];
        let burnt = photo[k] >= loss.clipped;
        if !(burnt && apart > 0.0) {
            let size = apart.abs();
            let near = size < loss.softness;
            sums[0] += if near { 0.5 * apart * apart / loss.softness } else { size - 0.5 * loss.softness };
            sums[4] += if s.gain[0] > 0.0 { 1.0 } else { 0.0 };
            grad[k] = (apart / loss.softness).clamp(-1.0, 1.0) * s.gain[k] * slope[k];
        }
        if !burnt && s.gain[0] > 0.0 {
            sums[1 + k] = colour[k] * photo[k];
            sums[5 + k] = colour[k] * colour[k];
        }
    }
    (sums, grad)
}

/// Adds the gradient to the features: `inputs_grad` is one row.
pub(super) fn scatter_features_grad(s: &Sample, inputs_grad: &[f64], first: usize, features_grad: &mut [f64]) {
    // A row without a sample.
    if s.ray == [0.0; 3] {
        return;
    }
    for (corner, weight) in s.corners.iter().zip(s.weights()) {
        for k in 0..FEATURES {
            features_grad[*corner as usize * FEATURES + k] += weight * inputs_grad[first + k];
        }
    }
}

/// Fixed-point sums, which become zero, to floats; the number of sums near overflow.
pub(super) fn unpack_features_grad(scale: f64, decay: f64, features: &[f64], sums: &mut [i32]) -> (Vec<f64>, u32) {
    let mut overflow = 0;
    let mut take = |(f, sum): (&f64, &mut i32)| {
        let raw = std::mem::take(sum);
        overflow += u32::from(raw.unsigned_abs() > 1 << 30);
        scale * f64::from(raw) / 65536.0 + decay * f
    };
    let grad = features.iter().zip(sums).map(&mut take).collect();
    (grad, overflow)
}
