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
pub(crate) mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::Buffer;
    use crate::gpu::testing::{self, Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::mesh::Topology;
    use crate::shading::testing::{Scene, pack, worst_difference};
    use std::mem::offset_of;

    pub(crate) const CHECKS: &[KernelCheck] = &[KernelCheck {
        kernel: NAME,
        difference,
        edits: &[("(1.0 + params.lambda)", "(1.1 + params.lambda)"), ("max(f32(end - start), 1.0)", "6.0")],
        gradient: None,
    }];

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

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let expected = reference::diffuse(3.0, 2, &scene.albedo, &topology);
        let b = scene.upload(test.gpu());
        let params = test.uniform(&DiffuseParams { lambda: 3.0, pad: [0; 3] });
        let count = scene.positions.len();
        let (first, second) = (test.zeros(count * 4), test.zeros(count * 4));
        let fixed = [
            ("params", &params),
            ("right_side", &b.albedo),
            ("neighbour_starts", &b.neighbour_starts),
            ("neighbours", &b.neighbours),
        ];
        let step =
            |from: &Buffer, to: &Buffer| test.run(NAME, &[&fixed, &[("current", from), ("improved", to)]], count);
        step(&b.albedo, &first);
        step(&first, &second);
        let packed: Vec<f64> = pack(&expected).as_flattened().iter().copied().map(f64::from).collect();
        Some(worst_difference(&test.read(&second), &packed) / 1e-5)
    }
}
