//! CPU twins in `f64` of the kernels that lead from the network's inputs back to the surface, and of the second network's
//! encoding.

use super::layout::FEATURES;
use super::reference::{GatherMesh, GatherView, Sample, painted};
use super::settings::Output;
use crate::raster::reference::{RefView, V3, dot, mix};
use crate::shading::sh_basis;
use crate::shading::shade::reference::sh_grad;

/// Gradient to what a [`Sample`] says; see `shaders/common/encode_grad.wgsl`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct SampleGrad {
    /// To the camera-space normal.
    pub normal: V3,
    /// To the albedo.
    pub albedo: V3,
    /// To the rest-pose position.
    pub rest: V3,
    /// To the ray.
    pub ray: V3,
    /// To the shaded colour.
    pub shaded: V3,
    /// To the barycentrics, each for itself, through the features.
    pub lambda: V3,
    /// To the mirrored ray.
    pub mirrored: V3,
    /// To the cosine.
    pub cosine: f64,
}

impl SampleGrad {
    /// 28 numbers, as on the device.
    pub(super) fn numbers(&self) -> [f64; 28] {
        let rows = [self.normal, self.albedo, self.rest, self.ray, self.shaded, self.lambda, self.mirrored];
        let mut out = [0.0; 28];
        for (to, row) in out.chunks_exact_mut(4).zip(rows) {
            to[..3].copy_from_slice(&row);
        }
        out[27] = self.cosine;
        out
    }

    /// From 28 numbers; the unused ones are dropped.
    pub(super) fn from_numbers(x: &[f64]) -> Self {
        let row = |k: usize| [x[4 * k], x[4 * k + 1], x[4 * k + 2]];
        Self {
            normal: row(0),
            albedo: row(1),
            rest: row(2),
            ray: row(3),
            shaded: row(4),
            lambda: row(5),
            mirrored: row(6),
            cosine: x[27],
        }
    }
}

fn plus(a: &mut V3, b: V3) {
    for k in 0..3 {
        a[k] += b[k];
    }
}

fn three(x: &[f64], at: usize) -> V3 {
    [x[at], x[at + 1], x[at + 2]]
}

fn lambda_grad(s: &Sample, features: &[f64], g: &[f64]) -> V3 {
    s.corners.map(|v| (0..FEATURES).map(|k| g[k] * features[v as usize * FEATURES + k]).sum())
}

/// Adds to `out` what comes from the 48 inputs' gradient `g`.
pub(super) fn encode_compact_grad(s: &Sample, features: &[f64], told: f64, g: &[f64], out: &mut SampleGrad) {
    let t = |v: V3| v.map(|x| told * x);
    let pi = std::f64::consts::PI;
    let wave = three(g, 12);
    plus(&mut out.normal, t(three(g, 0)));
    plus(&mut out.albedo, three(g, 3));
    plus(&mut out.shaded, three(g, 6));
    plus(&mut out.rest, three(g, 9));
    plus(&mut out.rest, [0, 1, 2].map(|k| pi * (pi * s.rest[k]).cos() * wave[k]));
    plus(&mut out.ray, t(three(g, 15)));
    plus(&mut out.mirrored, t(three(g, 18)));
    out.cosine += told * g[21];
    plus(&mut out.lambda, lambda_grad(s, features, &g[24..]));
}

/// Adds to `out` what comes from the 288 inputs' gradient `g`.
pub(super) fn encode_paper_grad(
    s: &Sample,
    features: &[f64],
    told: f64,
    (directions, octaves): (&[V3], u32),
    g: &[f64],
    out: &mut SampleGrad,
) {
    let vector = |begin: usize, v: V3| {
        let x = v.map(|x| 0.1 * x);
        let mut sum = three(g, begin);
        let mut at = begin + 3;
        for octave in 0..octaves {
            let scale = f64::from(1 << octave);
            for (k, d) in directions.iter().enumerate() {
                let along = scale * dot(*d, x);
                let slope = scale * (along.cos() * g[at + k] - along.sin() * g[at + directions.len() + k]);
                plus(&mut sum, d.map(|d| slope * d));
            }
            at += 2 * directions.len();
        }
        sum.map(|x| 0.1 * x)
    };
    let t = |v: V3| v.map(|x| told * x);
    plus(&mut out.normal, t(vector(0, t(s.normal))));
    plus(&mut out.albedo, vector(87, s.albedo));
    plus(&mut out.rest, vector(174, s.rest));
    plus(&mut out.ray, t(three(g, 261)));
    plus(&mut out.lambda, lambda_grad(s, features, &g[264..]));
}

/// The second network's 16 inputs, and the sample that it adds to.
#[must_use]
pub(super) fn encode_guide(kind: Output, s: &Sample, outputs: &[f64]) -> (Vec<f64>, Sample) {
    let [first, _] = painted(kind, three(outputs, 0), s.shaded);
    ([&s.normal[..], &s.albedo, &s.rest, &first, &[0.0; 4]].concat(), Sample { shaded: first, ..*s })
}

/// What the gradient to a sample begins with: from the second network's inputs (times `weight`), and from the first network's
/// outputs to the shaded colour.
#[must_use]
pub(super) fn encode_guide_grad(
    kind: Output,
    weight: f64,
    s: &Sample,
    outputs_grad: &[f64],
    inputs_grad: &[f64],
) -> SampleGrad {
    let part = |at: usize| three(inputs_grad, at).map(|x| weight * x);
    let shaded = |k: usize| match kind {
        Output::Direct => 0.0,
        Output::Residual => outputs_grad[k],
        Output::Ratio if s.shaded[k].abs() > 1e-6 => outputs_grad[k] / s.shaded[k],
        Output::Ratio => 0.0,
    };
    SampleGrad {
        normal: part(0),
        albedo: part(3),
        rest: part(6),
        shaded: [0, 1, 2].map(shaded),
        ..SampleGrad::default()
    }
}

/// Gradient of [`super::reference::gather`] times `weight`, added to `grads` (9 a vertex: albedo, normal, position per
/// millimetre).
pub(super) fn gather_grad(
    view: &RefView,
    m: &GatherMesh<'_>,
    g: &GatherView,
    entry: [u32; 2],
    (weight, d): (f64, &SampleGrad),
    grads: &mut [f64],
) {
    let corners = m.mesh.faces[entry[1] as usize - 1].map(|v| v as usize);
    let centre = view.pixel_centre(entry[0] as usize);
    let b = view.barycentric(&m.mesh, entry[1] as usize - 1, centre);
    let at = |list: &[V3]| corners.map(|v| list[v]);
    let times = |v: V3, f: f64| v.map(|x| f * x);
    let length = |v: V3| dot(v, v).sqrt();
    let sum = mix(b.lambda, at(m.normals));
    let n = times(sum, 1.0 / length(sum));
    let x = mix(b.lambda, at(m.mesh.positions));
    let from = [0, 1, 2].map(|k| x[k] - g.centre[k]);
    let ray = times(from, 1.0 / length(from));
    let r: f64 = sh_basis(n).iter().zip(&g.light).map(|(b, c)| b * c).sum();
    let d_rho = [0, 1, 2].map(|k| weight * (d.albedo[k] + r * d.shaded[k]));
    let mut add = |corner: usize, slot: usize, value: V3, factor: f64| {
        for k in 0..3 {
            grads[corners[corner] * 9 + slot + k] += factor * value[k];
        }
    };
    for i in 0..3 {
        add(i, 0, d_rho, b.lambda[i]);
    }
    if !view.geometry {
        return;
    }
    let mut d_n = [0, 1, 2].map(|c| (0..3).map(|r| d.normal[r] * g.rotation[r][c]).sum::<f64>());
    let (along, across) = (dot(ray, n), dot(n, d.mirrored));
    plus(&mut d_n, [0, 1, 2].map(|k| -2.0 * (along * d.mirrored[k] + across * ray[k]) - d.cosine * ray[k]));
    plus(&mut d_n, times(sh_grad(&g.light, n), dot(d.shaded, mix(b.lambda, at(m.albedo)))));
    let across = dot(n, d_n);
    let d_m = [0, 1, 2].map(|k| weight * (d_n[k] - n[k] * across) / length(sum));
    for i in 0..3 {
        add(i, 3, d_m, b.lambda[i]);
    }
    if b.sum.abs() <= 1e-12 {
        return;
    }
    let d_rest = times(d.rest, weight * g.rest[3]);
    let through = |i: usize| {
        let v = corners[i];
        weight * d.lambda[i] + dot(d_rho, m.albedo[v]) + dot(d_m, m.normals[v]) + dot(d_rest, m.rest[v])
    };
    let d_lambda = [0, 1, 2].map(through);
    let mean = dot(d_lambda, b.lambda);
    let d_b = d_lambda.map(|d| (d - mean) / b.sum);
    for i in 0..3 {
        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
        let d_u = [-d_b[j] * b.u[k][1] + d_b[k] * b.u[j][1], d_b[j] * b.u[k][0] - d_b[k] * b.u[j][0]];
        let d_h = [d_u[0], d_u[1], -(centre[0] * d_u[0] + centre[1] * d_u[1])];
        add(i, 6, view.to_pixel_grad(d_h), 1e-3);
    }
}
