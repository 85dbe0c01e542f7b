//! Ring 4 of the kernels' checks: the gradient of both networks' losses over all covered pixels of a view to albedo and
//! positions, through all twins (layers, encodings, samples, barycentrics, vertex normals), against differences of its value when
//! a vertex moves. Where outlines move is the antialiasing's, which has its own (`fitting::ham::whole_image`).

use super::checks::{Setting, numbers};
use super::layout::Shape;
use super::reference::{self, ColourLoss, Sample};
use super::reference_grad::{SampleGrad, encode_compact_grad, encode_guide, encode_guide_grad, gather_grad};
use super::settings::Output;
use crate::mesh::vertex_normals;
use crate::raster::reference::{RefView, V3};
use crate::shading::testing::central_difference;
use crate::shading::vertex_normals::reference::{normalise_grad, sums, vertex_normals_grad};

/// Ways of the gradient, of which a tenth is taken away to see that it is missed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Path {
    Normals,
    Barycentrics,
    Shaded,
    Features,
    Rest,
    Guide,
}

const PATHS: [Path; 6] = [Path::Normals, Path::Barycentrics, Path::Shaded, Path::Features, Path::Rest, Path::Guide];

struct Problem {
    setting: Setting,
    shapes: [Shape; 2],
    weights: [Vec<f64>; 2],
    /// The first picture as the second network is given it, which does not move.
    given: Vec<V3>,
}

fn forward(shape: &Shape, weights: &[f64], inputs: Vec<f64>) -> Vec<Vec<f64>> {
    let mut rows = vec![inputs];
    for (l, layer) in shape.layers.iter().enumerate() {
        rows.push(reference::linear(layer, weights, &rows[l]));
    }
    rows
}

fn backward(shape: &Shape, weights: &[f64], rows: &[Vec<f64>], outputs_grad: &[f64]) -> Vec<f64> {
    let layers = shape.layers.iter().enumerate().rev();
    layers.fold(outputs_grad.to_vec(), |g, (l, layer)| reference::linear_grad(layer, weights, &rows[l], &g, l > 0))
}

const fn loss(kind: Output) -> ColourLoss {
    // Nothing is clipped and residuals are far from the softness, so that nothing has a kink within the step.
    ColourLoss { kind, softness: 4.0, clipped: 2.0 }
}

impl Problem {
    fn new() -> Self {
        let setting = Setting::new();
        let shapes = [Shape::new(48, 24, &[16, 16]), Shape::new(16, 0, &[16])];
        let weights = [0, 1].map(|k| numbers(shapes[k].numbers() as usize, 160 + k as u64, 0.3));
        let mut setting = setting;
        // Exact normals, as the surface's owner has them.
        setting.scene.normals = vertex_normals(&setting.scene.positions, &setting.scene.faces);
        let mut problem = Self { setting, shapes, weights, given: Vec::new() };
        let samples = problem.samples(&problem.setting);
        let outputs = problem.first(&problem.setting, &samples);
        problem.given = samples
            .iter()
            .zip(outputs.chunks_exact(8))
            .map(|(s, o)| encode_guide(Output::Residual, s, o).1.shaded)
            .collect();
        problem
    }

    fn samples(&self, s: &Setting) -> Vec<Sample> {
        s.entries.iter().map(|e| s.sample(*e, s.targets[e[0] as usize])).collect()
    }

    fn first(&self, s: &Setting, samples: &[Sample]) -> Vec<f64> {
        let inputs = samples.iter().flat_map(|x| reference::encode_compact(x, &s.features, 1.0)).collect();
        forward(&self.shapes[0], &self.weights[0], inputs).pop().unwrap_or_default()
    }

    /// Inputs of the second network with the picture it is given, and the samples that it adds to.
    fn second(&self, samples: &[Sample]) -> (Vec<f64>, Vec<Sample>) {
        let one = |(s, given): (&Sample, &V3)| {
            let (mut row, _) = encode_guide(Output::Direct, s, &[0.0; 3]);
            row[9..12].copy_from_slice(given);
            (row, Sample { shaded: *given, ..*s })
        };
        let (rows, samples): (Vec<_>, Vec<_>) = samples.iter().zip(&self.given).map(one).unzip();
        (rows.concat(), samples)
    }

    fn value(&self, s: &Setting) -> f64 {
        let samples = self.samples(s);
        let sum = |samples: &[Sample], outputs: &[f64]| -> f64 {
            let one = |(s, o): (&Sample, &[f64])| reference::colour_loss(&loss(Output::Residual), s, o).0[0];
            samples.iter().zip(outputs.chunks_exact(8)).map(one).sum()
        };
        let first = sum(&samples, &self.first(s, &samples));
        let (inputs, adds) = self.second(&samples);
        let rows = forward(&self.shapes[1], &self.weights[1], inputs);
        first + sum(&adds, &rows[rows.len() - 1])
    }

    /// Gradients to albedo and positions (per metre); only nine tenths of what comes along `short`.
    fn gradient(&self, short: Option<Path>) -> [Vec<V3>; 2] {
        let factor = |path: Path| if short == Some(path) { 0.9 } else { 1.0 };
        let s = &self.setting;
        let samples = self.samples(s);
        let outputs_grad = |samples: &[Sample], outputs: &[f64]| -> Vec<f64> {
            let one = |(s, o): (&Sample, &[f64])| reference::colour_loss(&loss(Output::Residual), s, o).1;
            samples.iter().zip(outputs.chunks_exact(8)).flat_map(one).collect()
        };
        let inputs = samples.iter().flat_map(|x| reference::encode_compact(x, &s.features, 1.0)).collect();
        let first = forward(&self.shapes[0], &self.weights[0], inputs);
        let first_grad = outputs_grad(&samples, &first[first.len() - 1]);
        let first_inputs = backward(&self.shapes[0], &self.weights[0], &first, &first_grad);
        let (inputs, adds) = self.second(&samples);
        let second = forward(&self.shapes[1], &self.weights[1], inputs);
        let second_grad = outputs_grad(&adds, &second[second.len() - 1]);
        let second_inputs = backward(&self.shapes[1], &self.weights[1], &second, &second_grad);
        let vertices = s.scene.positions.len();
        let mut grads = vec![0.0; vertices * 9];
        let view = RefView::from(&s.scene.view);
        for (i, (sample, entry)) in samples.iter().zip(&s.entries).enumerate() {
            let guide = factor(Path::Guide);
            let mut grad =
                encode_guide_grad(Output::Residual, guide, sample, &first_grad[i * 8..], &second_inputs[i * 16..]);
            encode_compact_grad(sample, &s.features, 1.0, &first_inputs[i * 48..][..48], &mut grad);
            let scaled = |v: V3, path: Path| v.map(|x| factor(path) * x);
            let grad = SampleGrad {
                shaded: scaled(grad.shaded, Path::Shaded),
                lambda: scaled(grad.lambda, Path::Features),
                rest: scaled(grad.rest, Path::Rest),
                ..grad
            };
            gather_grad(&view, &s.mesh(), &s.view, *entry, (1.0, &grad), &mut grads);
        }
        let three =
            |slot: usize| -> Vec<V3> { grads.chunks_exact(9).map(|g| [g[slot], g[slot + 1], g[slot + 2]]).collect() };
        let sums_grad = normalise_grad(&sums(&s.scene.positions, &s.scene.faces), &three(3));
        let along = vertex_normals_grad(&s.scene.positions, &s.scene.faces, &sums_grad);
        let position = |(v, p): (usize, &V3)| {
            [0, 1, 2].map(|k| factor(Path::Barycentrics) * 1e3 * p[k] + factor(Path::Normals) * along[v][k])
        };
        [three(0), three(6).iter().enumerate().map(position).collect()]
    }

    /// Largest difference between gradient and differences, relative to the largest gradient of its kind.
    fn worst(&self, short: Option<Path>) -> f64 {
        let mut most = 0.0_f64;
        for (kind, analytic) in self.gradient(short).iter().enumerate() {
            let size = analytic.as_flattened().iter().fold(0.0_f64, |most, g| most.max(g.abs()));
            assert!(size > 1.0, "the loss feels the vertices: {size}");
            for (v, g) in analytic.iter().enumerate() {
                for (axis, g) in g.iter().enumerate() {
                    let lane = central_difference(1e-8, |h| {
                        let mut s = self.setting.clone();
                        let list = if kind == 0 { &mut s.scene.albedo } else { &mut s.scene.positions };
                        list[v][axis] += h;
                        s.scene.normals = vertex_normals(&s.scene.positions, &s.scene.faces);
                        self.value(&s)
                    });
                    most = most.max((g - lane).abs() / size);
                }
            }
        }
        most
    }
}

#[test]
fn the_whole_gradient_matches_differences() {
    let worst = Problem::new().worst(None);
    assert!(worst < 1e-4, "differs by {worst} of the largest gradient");
}

#[test]
fn a_missing_path_is_caught() {
    let problem = Problem::new();
    for path in PATHS {
        let worst = problem.worst(Some(path));
        assert!(worst > 1e-4, "a tenth of {path:?} must be missed, difference {worst}");
    }
}
