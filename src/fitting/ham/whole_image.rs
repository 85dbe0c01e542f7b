//! Ring 4 of the kernels' checks: the gradient of the whole HAM loss of a view (normals, shading, antialiasing, image terms,
//! and all regularisers) through all twins, against differences of its value on the scene of two boxes.

use crate::energy::image_loss::{ImageLossParams, reference::image_loss};
use crate::energy::laplacian::reference::laplacian;
use crate::energy::shape_prior::{ShapePriorParams, reference::shape_prior};
use crate::mesh::{Topology, vertex_normals};
use crate::raster::antialias::reference::{antialias, antialias_grad};
use crate::raster::reference::RefView;
use crate::shading::shade::reference::{shade, shade_grad};
use crate::shading::testing::{Scene, central_difference, noise};
use crate::shading::vertex_normals::reference::{normalise_grad, sums, vertex_normals_grad};

const IMAGE: ImageLossParams = ImageLossParams {
    photometric: 1.0,
    silhouette: 20.0,
    partial_offset: 0,
    softness: 0.02,
    clipped: 2.0,
    pad: [0; 3],
};
const LAPLACIAN: f64 = 300.0;
const ALBEDO_LAPLACIAN: f64 = 20.0;
const EDGE: f32 = 4e3;
const DISPLACEMENT: f32 = 1e5;

/// What the loss is of: the scene, the positions that displacements count from, and who neighbours whom.
struct Problem {
    scene: Scene,
    start: Vec<[f64; 3]>,
    topology: Topology,
    /// Factors of the vertices' Laplacians.
    factors: Vec<f64>,
    targets: Vec<u32>,
}

/// Terms whose gradient may be switched off in part, to see that it is missed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Path {
    Normals,
    Laplacian,
    AlbedoLaplacian,
    Edge,
    Displacement,
}

const PATHS: [Path; 5] = [Path::Normals, Path::Laplacian, Path::AlbedoLaplacian, Path::Edge, Path::Displacement];

fn prior_params(edge: bool, displacement: bool) -> ShapePriorParams {
    ShapePriorParams {
        edge_weight: if edge { EDGE } else { 0.0 },
        edge_mean_squared: 0.0041,
        edge_clip: 1.0,
        delta_weight: if displacement { DISPLACEMENT } else { 0.0 },
        partial_offset: 0,
        pad: [0; 3],
    }
}

impl Problem {
    fn new() -> Self {
        let scene = Scene::new();
        let moved =
            |(v, p): (usize, &[f64; 3])| [0, 1, 2].map(|k| p[k] + 0.002 * noise(7000 + 3 * v as u64 + k as u64));
        // A picture nobody renders: every residual is far from zero, so the absolute value has no kink within the step.
        let target = |i: usize| u32::from_le_bytes([255, 255, 255, if i % 64 > 30 { 254 } else { 0 }]);
        Self {
            start: scene.positions.iter().enumerate().map(moved).collect(),
            topology: Topology::new(scene.positions.len(), &scene.faces),
            factors: (0..scene.positions.len()).map(|v| 1.0 + (v % 2) as f64).collect(),
            targets: (0..scene.ids.len()).map(target).collect(),
            scene,
        }
    }

    fn with_normals(positions: &[[f64; 3]], scene: &Scene) -> Scene {
        Scene { positions: positions.to_vec(), normals: vertex_normals(positions, &scene.faces), ..scene.clone() }
    }

    fn value(&self, positions: &[[f64; 3]], albedo: &[[f64; 3]]) -> f64 {
        let scene = Scene { albedo: albedo.to_vec(), ..Self::with_normals(positions, &self.scene) };
        let view = RefView::from(&scene.view);
        let colours = shade(&view, &scene.mesh(), &scene.attributes(), &scene.ids);
        let smooth = antialias(&view, &scene.mesh(), &scene.ids, &colours);
        let (image, _) = image_loss(&IMAGE, &smooth, &self.targets);
        let (bending, _) = laplacian([LAPLACIAN, 1e-6], positions, Some(&self.start), &self.factors, &self.topology);
        let (mottling, _) = laplacian([ALBEDO_LAPLACIAN, 1e-4], albedo, None, &self.factors, &self.topology);
        let (prior, _) = shape_prior(&prior_params(true, true), positions, &self.start, &self.topology);
        image[0] + image[1] + bending + mottling + prior[0] + prior[1]
    }

    /// Gradients to positions, per metre, and to albedo; only nine tenths of what comes along `short`.
    fn gradient(&self, short: Option<Path>) -> [Vec<[f64; 3]>; 2] {
        let factor = |path: Path| if short == Some(path) { 0.9 } else { 1.0 };
        let scene = Self::with_normals(&self.scene.positions, &self.scene);
        let view = RefView::from(&scene.view);
        let colours = shade(&view, &scene.mesh(), &scene.attributes(), &scene.ids);
        let smooth = antialias(&view, &scene.mesh(), &scene.ids, &colours);
        let (_, smooth_grad) = image_loss(&IMAGE, &smooth, &self.targets);
        let mut grads = vec![0.0; scene.positions.len() * 9];
        let colours_grad = antialias_grad(&view, &scene.mesh(), &scene.ids, &colours, &smooth_grad, &mut grads);
        shade_grad(&view, &scene.mesh(), &scene.attributes(), &scene.ids, &colours_grad, &mut grads);
        let normals_grad: Vec<[f64; 3]> = grads.chunks_exact(9).map(|g| [g[3], g[4], g[5]]).collect();
        let sums_grad = normalise_grad(&sums(&scene.positions, &scene.faces), &normals_grad);
        let along_normals = vertex_normals_grad(&scene.positions, &scene.faces, &sums_grad);
        let (_, bending) =
            laplacian([LAPLACIAN, 1e-6], &scene.positions, Some(&self.start), &self.factors, &self.topology);
        let (_, mottling) = laplacian([ALBEDO_LAPLACIAN, 1e-4], &scene.albedo, None, &self.factors, &self.topology);
        let (_, edge) = shape_prior(&prior_params(true, false), &scene.positions, &self.start, &self.topology);
        let (_, away) = shape_prior(&prior_params(false, true), &scene.positions, &self.start, &self.topology);
        let position = |v: usize, k: usize| {
            1e3 * grads[v * 9 + 6 + k]
                + factor(Path::Normals) * along_normals[v][k]
                + factor(Path::Laplacian) * bending[v][k]
                + factor(Path::Edge) * edge[v][k]
                + factor(Path::Displacement) * away[v][k]
        };
        let albedo = |v: usize, k: usize| grads[v * 9 + k] + factor(Path::AlbedoLaplacian) * mottling[v][k];
        let all = 0..scene.positions.len();
        [
            all.clone().map(|v| [0, 1, 2].map(|k| position(v, k))).collect(),
            all.map(|v| [0, 1, 2].map(|k| albedo(v, k))).collect(),
        ]
    }

    /// Largest difference between the gradient and differences, relative to the largest gradient of its kind: single
    /// vertices and, as the last lanes, all vertices together.
    fn worst(&self, short: Option<Path>) -> f64 {
        let mut most = 0.0_f64;
        for (kind, analytic) in self.gradient(short).iter().enumerate() {
            let size = analytic.as_flattened().iter().fold(0.0_f64, |most, g| most.max(g.abs()));
            assert!(size > 1.0, "the loss feels the vertices");
            for axis in 0..3 {
                let lane = |vertices: std::ops::Range<usize>| {
                    central_difference(1e-8, |h| {
                        let mut moved = [self.scene.positions.clone(), self.scene.albedo.clone()];
                        for value in &mut moved[kind][vertices.clone()] {
                            value[axis] += h;
                        }
                        self.value(&moved[0], &moved[1])
                    })
                };
                for (v, g) in analytic.iter().enumerate() {
                    most = most.max((g[axis] - lane(v..v + 1)).abs() / size);
                }
                let together: f64 = analytic.iter().map(|g| g[axis]).sum();
                most = most.max((together - lane(0..analytic.len())).abs() / size);
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
