//! Sobolev preconditioning of a gradient: `(I + λL) x = g` with the uniform Laplacian, by a fixed number of Jacobi
//! iterations (kernel `optimise/diffuse`, one dispatch each), after Nicolet et al. 2021, "Large Steps in Inverse Rendering of
//! Geometry". A silhouette then moves a patch of skin instead of single vertices.
//!
//! Deviation: the system is solved only approximately (k iterations reach k edges far) and the smoothed gradient goes into
//! plain Adam; nothing else is parametrised differently.

use bytemuck::{Pod, Zeroable};

/// Kernel name.
pub const NAME: &str = "optimise/diffuse";

/// Uniform of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct DiffuseParams {
    /// Strength; 0 leaves the gradient as it is.
    pub lambda: f32,
    /// Padding.
    pub pad: [u32; 3],
}

/// CPU twin.
pub mod reference {
    use crate::mesh::Topology;

    /// `iterations` Jacobi iterations from `x = g`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "valences are small")]
    pub fn diffuse(lambda: f64, iterations: usize, g: &[[f64; 3]], topology: &Topology) -> Vec<[f64; 3]> {
        let mut x = g.to_vec();
        for _ in 0..iterations {
            let step = |v: usize| {
                let ring = topology.neighbours_of(v);
                let n = ring.len().max(1) as f64;
                [0, 1, 2].map(|k| {
                    let mean = ring.iter().map(|&j| x[j as usize][k]).sum::<f64>() / n;
                    (g[v][k] + lambda * mean) / (1.0 + lambda)
                })
            };
            x = (0..g.len()).map(step).collect();
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Buffer, Kernel, shader, testing};
    use crate::mesh::Topology;
    use crate::shading::testing::{Scene, pack, worst_difference};
    use std::mem::offset_of;

    #[test]
    fn layout_matches() {
        testing::assert_layout(
            NAME,
            "DiffuseParams",
            size_of::<DiffuseParams>(),
            &[
                ("lambda", offset_of!(DiffuseParams, lambda)),
                ("pad0", offset_of!(DiffuseParams, pad)),
                ("pad1", offset_of!(DiffuseParams, pad) + 4),
                ("pad2", offset_of!(DiffuseParams, pad) + 8),
            ],
        );
    }

    /// The twin's limit solves the linear system.
    #[test]
    fn many_iterations_solve_the_system() {
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let (lambda, g) = (3.0, &scene.albedo);
        let x = reference::diffuse(lambda, 400, g, &topology);
        for v in 0..x.len() {
            let ring = topology.neighbours_of(v);
            for k in 0..3 {
                let mean = ring.iter().map(|&j| x[j as usize][k]).sum::<f64>() / ring.len() as f64;
                let residual = x[v][k] + lambda * (x[v][k] - mean) - g[v][k];
                assert!(residual.abs() < 1e-9, "row {v} is solved, residual {residual}");
            }
        }
    }

    fn run_gpu(text: Option<&str>) -> Option<f64> {
        let gpu = testing::gpu()?;
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let expected = reference::diffuse(3.0, 2, &scene.albedo, &topology);
        let b = scene.upload(&gpu);
        let params = Buffer::uniform(&gpu, "params", &DiffuseParams { lambda: 3.0, pad: [0; 3] }).expect("small");
        let make = |label| Buffer::zeros(&gpu, label, scene.positions.len() as u64 * 16).expect("small");
        let (first, second) = (make("first"), make("second"));
        let kernel = match text {
            Some(text) => Kernel::from_text(&gpu, NAME, text).expect("compiles"),
            None => gpu.kernel(NAME).expect("compiles"),
        };
        let bind = |from: &Buffer, to: &Buffer| {
            kernel
                .bind(&[
                    ("params", &params),
                    ("right_side", &b.albedo),
                    ("current", from),
                    ("neighbour_starts", &b.neighbour_starts),
                    ("neighbours", &b.neighbours),
                    ("improved", to),
                ])
                .expect("binds")
        };
        let (one, two) = (bind(&b.albedo, &first), bind(&first, &second));
        let mut recorder = gpu.recorder("test");
        recorder.dispatch(&one, scene.positions.len() as u32);
        recorder.dispatch(&two, scene.positions.len() as u32);
        recorder.submit().expect("runs");
        let packed: Vec<f64> = pack(&expected).iter().flatten().map(|x| f64::from(*x)).collect();
        Some(worst_difference(&gpu.read::<f32>(&second).expect("reads"), &packed))
    }

    #[test]
    fn gpu_matches_reference() {
        let Some(worst) = run_gpu(None) else { return };
        assert!(worst < 1e-5, "values differ by {worst}");
    }

    #[test]
    fn a_perturbed_kernel_is_caught() {
        let text = shader::source(NAME).expect("known");
        let broken = text.replace("(1.0 + params.lambda)", "(1.1 + params.lambda)");
        assert_ne!(text, broken, "the perturbation changes the text");
        let Some(worst) = run_gpu(Some(&broken)) else { return };
        assert!(worst > 1e-5, "a wrong denominator must be seen, difference {worst}");
    }
}
