//! Sobolev preconditioning: `(I + λL) x = g` with the uniform Laplacian, by a fixed number of Jacobi iterations with
//! Chebyshev acceleration (kernel `optimise/diffuse`, one dispatch each), after Nicolet et al. 2021, "Large Steps in Inverse
//! Rendering of Geometry". A silhouette then moves a patch of skin instead of single vertices.
//!
//! The Jacobi matrix `λ/(1+λ) · D⁻¹A` has a real spectrum within `±ρ`, `ρ = λ/(1+λ)`, so the Chebyshev weights are known
//! without looking at the mesh (Golub and Van Loan, *Matrix Computations*, §11.2.8): the error falls by
//! `ρ / (1 + √(1 − ρ²))` an iteration, 0.73 instead of 0.95 for λ = 20.
//!
//! Deviation: the published method parametrises positions by `x + λLx`; ours smooths the gradient before Adam and the step
//! after it, which leaves positions as they are and needs no exact solve.

use bytemuck::{Pod, Zeroable};

/// Kernel name.
pub const NAME: &str = "optimise/diffuse";

/// Uniform of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct DiffuseParams {
    /// Strength; 0 leaves the gradient as it is.
    pub lambda: f32,
    /// Chebyshev weight of the iteration, 1 in the first.
    pub omega: f32,
    /// Padding.
    pub pad: [u32; 2],
}

/// Iterations after which no part of a list is further than `tolerance` (relative) from the solution, whatever its
/// frequency: what is left of the finest frequencies would tear single vertices out of the surface. At most `MOST`.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive count")]
pub fn iterations_for(lambda: f64, tolerance: f64) -> usize {
    const MOST: f64 = 96.0;
    if lambda <= 0.0 {
        return 1;
    }
    // The error is 1 / T_k(1/ρ), T_k the Chebyshev polynomial: cosh(k acosh(1/ρ)).
    let per_iteration = ((1.0 + lambda) / lambda).acosh();
    ((1.0 / tolerance).acosh() / per_iteration).ceil().clamp(1.0, MOST) as usize
}

/// Chebyshev weights of `iterations` iterations for strength `lambda`.
#[must_use]
pub fn omegas(lambda: f64, iterations: usize) -> Vec<f64> {
    let squared = (lambda / (1.0 + lambda)).powi(2);
    let mut weights = Vec::with_capacity(iterations);
    for k in 0..iterations {
        weights.push(match k {
            0 => 1.0,
            1 => 2.0 / (2.0 - squared),
            _ => 4.0 / (4.0 - squared * weights[k - 1]),
        });
    }
    weights
}

/// CPU twin.
pub mod reference {
    use super::omegas;
    use crate::mesh::Topology;

    /// `iterations` iterations from `x = g`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "valences are small")]
    pub fn diffuse(lambda: f64, iterations: usize, g: &[[f64; 3]], topology: &Topology) -> Vec<[f64; 3]> {
        let (mut x, mut before) = (g.to_vec(), g.to_vec());
        for omega in omegas(lambda, iterations) {
            let step = |v: usize| {
                let ring = topology.neighbours_of(v);
                let n = ring.len().max(1) as f64;
                [0, 1, 2].map(|k| {
                    let mean = ring.iter().map(|&j| x[j as usize][k]).sum::<f64>() / n;
                    let jacobi = (g[v][k] + lambda * mean) / (1.0 + lambda);
                    omega * jacobi + (1.0 - omega) * before[v][k]
                })
            };
            let improved = (0..g.len()).map(step).collect();
            before = std::mem::replace(&mut x, improved);
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
        edits: &[
            ("(1.0 + params.lambda)", "(1.1 + params.lambda)"),
            ("max(f32(end - start), 1.0)", "6.0"),
            ("(1.0 - params.omega)", "(0.9 - params.omega)"),
        ],
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
                ("omega", offset_of!(DiffuseParams, omega)),
                ("pad0", offset_of!(DiffuseParams, pad)),
                ("pad1", offset_of!(DiffuseParams, pad) + 4),
            ],
        );
    }

    fn residual(lambda: f64, x: &[[f64; 3]], g: &[[f64; 3]], topology: &Topology) -> f64 {
        let mut worst: f64 = 0.0;
        for v in 0..x.len() {
            let ring = topology.neighbours_of(v);
            for k in 0..3 {
                let mean = ring.iter().map(|&j| x[j as usize][k]).sum::<f64>() / ring.len() as f64;
                worst = worst.max((x[v][k] + lambda * (x[v][k] - mean) - g[v][k]).abs());
            }
        }
        worst
    }

    /// The twin's limit solves the linear system, and it gets there in the promised number of iterations.
    #[test]
    fn a_few_iterations_solve_the_system() {
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let (lambda, g) = (20.0, &scene.albedo);
        let solution = |n| reference::diffuse(lambda, n, g, &topology);
        let exact = solution(200);
        assert!(residual(lambda, &exact, g, &topology) < 1e-12, "the limit solves the system");
        let apart = |x: &[[f64; 3]]| {
            let squares = x.as_flattened().iter().zip(exact.as_flattened()).map(|(a, b)| (a - b).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let start = apart(g);
        for tolerance in [0.1, 0.02, 1e-4] {
            let n = iterations_for(lambda, tolerance);
            let left = apart(&solution(n)) / start;
            // The matrix is symmetric only when weighted by valences, which span 3 to 8.
            assert!(left < tolerance * 3.0, "{n} iterations leave {left} of {tolerance}");
        }
        let early = apart(&solution(iterations_for(lambda, 1e-4) / 2)) / start;
        assert!(early > 1e-4, "half as many do not: {early}");
        assert_eq!(iterations_for(0.0, 0.02), 1, "nothing to solve");
        assert!(iterations_for(1e9, 0.02) <= 96, "never many more than are affordable");
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let iterations = 4;
        let expected = reference::diffuse(3.0, iterations, &scene.albedo, &topology);
        let b = scene.upload(test.gpu());
        let count = scene.positions.len();
        let packed =
            |list: &[[f64; 3]]| -> Vec<f64> { pack(list).as_flattened().iter().copied().map(f64::from).collect() };
        let start: Vec<f32> = packed(&scene.albedo).iter().map(|x| *x as f32).collect();
        let (mut from, mut to) = (test.storage(&start), test.storage(&start));
        for omega in omegas(3.0, iterations) {
            let params = test.uniform(&DiffuseParams { lambda: 3.0, omega: omega as f32, pad: [0; 2] });
            let buffers: [(&str, &Buffer); 6] = [
                ("params", &params),
                ("right_side", &b.albedo),
                ("neighbour_starts", &b.neighbour_starts),
                ("neighbours", &b.neighbours),
                ("current", &from),
                ("improved", &to),
            ];
            test.run(NAME, &[&buffers], count);
            std::mem::swap(&mut from, &mut to);
        }
        Some(worst_difference(&test.read(&from), &packed(&expected)) / 1e-5)
    }
}
