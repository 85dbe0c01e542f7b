//! Uniform Laplacian term `w · Σ‖(Lx)_i‖ / V` (kernels `energy/laplacian`, `energy/laplacian_grad`), of positions, of
//! displacements (value minus reference) or of albedo, each vertex with a factor of its own. Gathered over the one-ring: no
//! atomics.
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

    /// The value and its gradient; `factors` has one entry a vertex.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "valences are small")]
    pub fn laplacian(
        [weight, smoothing]: [f64; 2],
        values: &[[f64; 3]],
        reference: Option<&[[f64; 3]]>,
        factors: &[f64],
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
            let weight = weight * factors[v];
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
pub(crate) mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::testing::{self, Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::mesh::Topology;
    use crate::shading::testing::{Scene, central_difference, pack, worst_difference};
    use std::mem::offset_of;

    pub(crate) const CHECKS: &[KernelCheck] = &[
        KernelCheck {
            kernel: FORWARD,
            difference,
            edits: &[
                ("mean / valence", "mean / (valence + 1.0)"),
                ("values[v].xyz - params.reference", "values[v].xyz + params.reference"),
                ("size - params.smoothing", "size"),
                ("params.weight * reference_values[v].w", "params.weight"),
                ("i < 64u", "i < 7u"),
            ],
            gradient: None,
        },
        KernelCheck {
            kernel: GRADIENT,
            difference,
            edits: &[("d.xyz * d.w", "d.xyz * 0.2"), ("var sum = directions[v].xyz", "var sum = vec3<f32>(0.0)")],
            gradient: Some(gradient),
        },
    ];

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

    fn factors(scene: &Scene) -> Vec<f64> {
        (0..scene.positions.len()).map(|v| 1.0 + (v % 3) as f64).collect()
    }

    fn gradient(factor: f64) -> f64 {
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let factors = factors(&scene);
        let value =
            |p: &[[f64; 3]]| reference::laplacian([2.0, SMOOTHING], p, Some(&scene.normals), &factors, &topology);
        let (_, grad) = value(&scene.positions);
        let mut worst = 0.0_f64;
        for v in 0..scene.positions.len() {
            for axis in 0..3 {
                let numeric = central_difference(1e-6, |h| {
                    let mut p = scene.positions.clone();
                    p[v][axis] += h;
                    value(&p).0
                });
                worst = worst.max((numeric - factor * grad[v][axis]).abs() / 1e-6);
            }
        }
        worst
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let count = scene.positions.len();
        let factors = factors(&scene);
        let (value, grad) =
            reference::laplacian([2.0, SMOOTHING], &scene.albedo, Some(&scene.normals), &factors, &topology);
        let mut compared = pack(&scene.normals);
        for (to, factor) in compared.iter_mut().zip(&factors) {
            to[3] = *factor as f32;
        }
        let b = scene.upload(test.gpu());
        let params = LaplacianParams { weight: 2.0, smoothing: SMOOTHING as f32, partial_offset: 0, reference: 1.0 };
        let params = test.uniform(&params);
        let (directions, partials, out) = (test.zeros(count * 4), test.zeros(16), test.zeros(count * 4));
        let ring = [("neighbour_starts", &b.neighbour_starts), ("neighbours", &b.neighbours)];
        let forward = [
            ("params", &params),
            ("values", &b.albedo),
            ("reference_values", &test.storage(&compared)),
            ("directions", &directions),
            ("partials", &partials),
        ];
        test.run(FORWARD, &[&ring, &forward], count);
        test.run(GRADIENT, &[&ring, &[("directions", &directions), ("value_grad", &out)]], count);
        let total: f32 = test.read::<f32>(&partials).iter().sum();
        let packed: Vec<f64> = pack(&grad).as_flattened().iter().copied().map(f64::from).collect();
        let worst = worst_difference(&[total], &[value]).max(worst_difference(&test.read(&out), &packed));
        Some(worst / 1e-5)
    }
}
