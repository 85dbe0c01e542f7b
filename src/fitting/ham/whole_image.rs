//! Ring 4 of the kernels' checks: the gradient of the whole image loss (normals, shading, antialiasing, loss) through all
//! twins, against differences of its value on the scene of two boxes.

use crate::energy::image_loss::reference::image_loss;
use crate::mesh::vertex_normals;
use crate::raster::antialias::reference::{antialias, antialias_grad};
use crate::raster::reference::RefView;
use crate::shading::shade::reference::{shade, shade_grad};
use crate::shading::testing::{Scene, central_difference};
use crate::shading::vertex_normals::reference::{normalise_grad, sums, vertex_normals_grad};

const PHOTOMETRIC: f64 = 1.0;
const SILHOUETTE: f64 = 20.0;

/// A picture nobody renders: every residual is far from zero, so the absolute value has no kink within the step.
fn targets(scene: &Scene) -> Vec<u32> {
    scene
        .ids
        .iter()
        .enumerate()
        .map(|(i, _)| u32::from_le_bytes([255, 255, 255, if i % 64 > 30 { 254 } else { 0 }]))
        .collect()
}

fn value(scene: &Scene) -> f64 {
    let mut scene = scene.clone();
    scene.normals = vertex_normals(&scene.positions, &scene.faces);
    let view = RefView::from(&scene.view);
    let colours = shade(&view, &scene.mesh(), &scene.attributes(), &scene.ids);
    let smooth = antialias(&view, &scene.mesh(), &scene.ids, &colours);
    let (terms, _) = image_loss(PHOTOMETRIC, SILHOUETTE, &smooth, &targets(&scene));
    terms[0] + terms[1]
}

/// Gradient to positions, per metre; `through_normals` = 0 leaves the path through the normals out.
fn gradient(scene: &Scene, through_normals: f64) -> Vec<[f64; 3]> {
    let mut scene = scene.clone();
    scene.normals = vertex_normals(&scene.positions, &scene.faces);
    let view = RefView::from(&scene.view);
    let colours = shade(&view, &scene.mesh(), &scene.attributes(), &scene.ids);
    let smooth = antialias(&view, &scene.mesh(), &scene.ids, &colours);
    let (_, smooth_grad) = image_loss(PHOTOMETRIC, SILHOUETTE, &smooth, &targets(&scene));
    let mut grads = vec![0.0; scene.positions.len() * 9];
    let colours_grad = antialias_grad(&view, &scene.mesh(), &scene.ids, &colours, &smooth_grad, &mut grads);
    shade_grad(&view, &scene.mesh(), &scene.attributes(), &scene.ids, &colours_grad, &mut grads);
    let normals_grad: Vec<[f64; 3]> =
        grads.chunks_exact(9).map(|g| [3, 4, 5].map(|k| through_normals * g[k])).collect();
    let sums_grad = normalise_grad(&sums(&scene.positions, &scene.faces), &normals_grad);
    let back = vertex_normals_grad(&scene.positions, &scene.faces, &sums_grad);
    grads.chunks_exact(9).zip(back).map(|(g, n)| [0, 1, 2].map(|k| 1e3 * g[6 + k] + n[k])).collect()
}

/// Largest difference between `gradient` and differences, relative to the largest gradient: single vertices and, as the
/// last lanes, all vertices moved together.
fn worst(through_normals: f64) -> f64 {
    let scene = Scene::new();
    let analytic = gradient(&scene, through_normals);
    let size = analytic.iter().flatten().fold(0.0_f64, |most, g| most.max(g.abs()));
    assert!(size > 1.0, "the loss feels the vertices");
    let mut most: f64 = 0.0;
    for axis in 0..3 {
        let lane = |vertices: std::ops::Range<usize>| {
            central_difference(1e-8, |h| {
                let mut moved = scene.clone();
                for v in vertices.clone() {
                    moved.positions[v][axis] += h;
                }
                value(&moved)
            })
        };
        for (v, g) in analytic.iter().enumerate() {
            most = most.max((g[axis] - lane(v..v + 1)).abs() / size);
        }
        let together: f64 = analytic.iter().map(|g| g[axis]).sum();
        most = most.max((together - lane(0..analytic.len())).abs() / size);
    }
    most
}

#[test]
fn the_whole_gradient_matches_differences() {
    let worst = worst(1.0);
    assert!(worst < 1e-4, "differs by {worst} of the largest gradient");
}

#[test]
fn a_missing_path_is_caught() {
    let worst = worst(0.9);
    assert!(worst > 1e-4, "a tenth of the path through the normals must be missed, difference {worst}");
}
