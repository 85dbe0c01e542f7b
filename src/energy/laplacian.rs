//! Uniform Laplacian term `w · Σ‖(Lx)_i‖ / V` (kernels `energy/laplacian`, `energy/laplacian_grad`), of positions, of
//! displacements (value minus reference) or of albedo. Gathered over the one-ring: no atomics.
//!
//! Deviation from the published term: the norm is smoothed below `smoothing`, so that a zero Laplacian of the displacement
//! (the start) is no kink.

use bytemuck::{Pod, Zeroable};

/// Kernel names.
pub const FORWARD: &str = "energy/laplacian";
/// Kernel names.
pub const GRADIENT: &str = "energy/laplacian_grad";

/// Uniform of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct LaplacianParams {
    /// Weight of each vertex's norm.
    pub weight: f32,
    /// Norm below which it becomes quadratic, in units of the value.
    pub smoothing: f32,
    /// First partial sum.
    pub partial_offset: u32,
    /// 1: of the difference to the reference; 0: of the value.
    pub reference: f32,
}

/// CPU twin.
pub mod reference {
    use crate::mesh::Topology;

    /// The value and its gradient.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "valences are small")]
    pub fn laplacian(
        weight: f64,
        smoothing: f64,
        values: &[[f64; 3]],
        reference: Option<&[[f64; 3]]>,
        topology: &Topology,
    ) -> (f64, Vec<[f64; 3]>) {
        let at = |v: usize| {
            let r = reference.map_or([0.0; 3], |r| r[v]);
            [values[v][0] - r[0], values[v][1] - r[1], values[v][2] - r[2]]
        };
        let mut total = 0.0;
        let mut grad = vec![[0.0; 3]; values.len()];
        for v in 0..values.len() {
            let ring = topology.neighbours_of(v);
            if ring.is_empty() {
                continue;
            }
            let n = ring.len() as f64;
            let mut l = at(v);
            for &j in ring {
                let x = at(j as usize);
                for k in 0..3 {
                    l[k] -= x[k] / n;
                }
            }
            let size = (l[0] * l[0] + l[1] * l[1] + l[2] * l[2] + smoothing * smoothing).sqrt();
            total += weight * (size - smoothing);
            for k in 0..3 {
                let d = weight * l[k] / size;
                grad[v][k] += d;
                for &j in ring {
                    grad[j as usize][k] -= d / n;
                }
            }
        }
        (total, grad)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::{Buffer, Kernel, shader, testing};
    use crate::mesh::Topology;
    use crate::shading::testing::{Scene, central_difference, pack, worst_difference};
    use std::mem::offset_of;

    const SMOOTHING: f64 = 1e-3;

    #[test]
    fn layout_matches() {
        testing::assert_layout(
            FORWARD,
            "LaplacianParams",
            size_of::<LaplacianParams>(),
            &[
                ("weight", offset_of!(LaplacianParams, weight)),
                ("smoothing", offset_of!(LaplacianParams, smoothing)),
                ("partial_offset", offset_of!(LaplacianParams, partial_offset)),
                ("reference", offset_of!(LaplacianParams, reference)),
            ],
        );
    }

    #[test]
    fn reference_gradient_matches_differences() {
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let (_, grad) = reference::laplacian(2.0, SMOOTHING, &scene.positions, Some(&scene.normals), &topology);
        for v in 0..scene.positions.len() {
            for axis in 0..3 {
                let numeric = central_difference(1e-6, |h| {
                    let mut p = scene.positions.clone();
                    p[v][axis] += h;
                    reference::laplacian(2.0, SMOOTHING, &p, Some(&scene.normals), &topology).0
                });
                assert!((numeric - grad[v][axis]).abs() < 1e-6, "vertex {v}: {} vs {numeric}", grad[v][axis]);
            }
        }
    }

    fn run_gpu(gradient_text: Option<&str>) -> Option<[f64; 2]> {
        let gpu = testing::gpu()?;
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let count = scene.positions.len();
        let (value, grad) = reference::laplacian(2.0, SMOOTHING, &scene.albedo, Some(&scene.normals), &topology);
        let b = scene.upload(&gpu);
        let params = LaplacianParams { weight: 2.0, smoothing: SMOOTHING as f32, partial_offset: 0, reference: 1.0 };
        let params = Buffer::uniform(&gpu, "params", &params).expect("small");
        let directions = Buffer::zeros(&gpu, "directions", count as u64 * 16).expect("small");
        let partials = Buffer::zeros(&gpu, "partials", 64).expect("small");
        let out = Buffer::zeros(&gpu, "grad", count as u64 * 16).expect("small");
        let ring = [("neighbour_starts", &b.neighbour_starts), ("neighbours", &b.neighbours)];
        let forward = gpu
            .kernel(FORWARD)
            .expect("compiles")
            .bind(
                &[
                    &ring[..],
                    &[
                        ("params", &params),
                        ("values", &b.albedo),
                        ("reference_values", &b.normals),
                        ("directions", &directions),
                        ("partials", &partials),
                    ],
                ]
                .concat(),
            )
            .expect("binds");
        let kernel = match gradient_text {
            Some(text) => Kernel::from_text(&gpu, GRADIENT, text).expect("compiles"),
            None => gpu.kernel(GRADIENT).expect("compiles"),
        };
        let gradient =
            kernel.bind(&[&ring[..], &[("directions", &directions), ("value_grad", &out)]].concat()).expect("binds");
        let mut recorder = gpu.recorder("test");
        recorder.dispatch(&forward, count as u32);
        recorder.dispatch(&gradient, count as u32);
        recorder.submit().expect("runs");
        let total: f32 = gpu.read::<f32>(&partials).expect("reads").iter().sum();
        let packed: Vec<f64> = pack(&grad).iter().flatten().map(|x| f64::from(*x)).collect();
        Some([worst_difference(&[total], &[value]), worst_difference(&gpu.read::<f32>(&out).expect("reads"), &packed)])
    }

    #[test]
    fn gpu_matches_reference() {
        let Some([value, grad]) = run_gpu(None) else { return };
        assert!(value < 1e-5, "values differ by {value}");
        assert!(grad < 1e-5, "gradients differ by {grad}");
    }

    #[test]
    fn a_perturbed_kernel_is_caught() {
        let text = shader::source(GRADIENT).expect("known");
        let broken = text.replace("d.xyz * d.w", "d.xyz * 0.2");
        assert_ne!(text, broken, "the perturbation changes the text");
        let Some([_, grad]) = run_gpu(Some(&broken)) else { return };
        assert!(grad > 1e-5, "a wrong valence must be seen, difference {grad}");
    }
}
