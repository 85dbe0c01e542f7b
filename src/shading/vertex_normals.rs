//! Vertex normals and the way back (kernels `shading/vertex_normals`, `shading/vertex_normals_grad`, and
//! `optimise/unpack_grads`, which takes the gradient through the normalisation).
//!
//! Normals are area-weighted sums of face normals, gathered over the incident faces: no atomics, any order is one order.

/// Kernel names.
pub const FORWARD: &str = "shading/vertex_normals";
/// Kernel names.
pub const GRADIENT: &str = "shading/vertex_normals_grad";

/// CPU twins in `f64`.
pub mod reference {
    use nalgebra::Vector3;

    /// Un-normalised sums of face normals.
    #[must_use]
    pub fn sums(positions: &[[f64; 3]], faces: &[[u32; 3]]) -> Vec<[f64; 3]> {
        let mut out = vec![Vector3::zeros(); positions.len()];
        let at = |v: u32| Vector3::from(positions[v as usize]);
        for f in faces {
            let n = (at(f[1]) - at(f[0])).cross(&(at(f[2]) - at(f[0])));
            for &v in f {
                out[v as usize] += n;
            }
        }
        out.into_iter().map(Into::into).collect()
    }

    /// Gradient to the sums from the gradient to the unit normals: `(g − n (n·g)) / |sum|`.
    #[must_use]
    pub fn normalise_grad(sums: &[[f64; 3]], normals_grad: &[[f64; 3]]) -> Vec<[f64; 3]> {
        let back = |s: &[f64; 3], g: &[f64; 3]| {
            let (s, g) = (Vector3::from(*s), Vector3::from(*g));
            let size = s.norm();
            if size <= 1e-20 {
                return [0.0; 3];
            }
            let n = s / size;
            ((g - n * n.dot(&g)) / size).into()
        };
        sums.iter().zip(normals_grad).map(|(s, g)| back(s, g)).collect()
    }

    /// Gradient to positions from the gradient to the sums.
    #[must_use]
    pub fn vertex_normals_grad(positions: &[[f64; 3]], faces: &[[u32; 3]], sums_grad: &[[f64; 3]]) -> Vec<[f64; 3]> {
        let mut out = vec![Vector3::zeros(); positions.len()];
        let at = |v: u32| Vector3::from(positions[v as usize]);
        let grad = |v: u32| Vector3::from(sums_grad[v as usize]);
        for f in faces {
            let d = grad(f[0]) + grad(f[1]) + grad(f[2]);
            for corner in 0..3 {
                let (next, last) = (f[(corner + 1) % 3], f[(corner + 2) % 3]);
                out[f[corner] as usize] += (at(next) - at(last)).cross(&d);
            }
        }
        out.into_iter().map(Into::into).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::reference::{normalise_grad, sums, vertex_normals_grad};
    use crate::gpu::testing::{Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::mesh::Topology;
    use crate::shading::testing::{Scene, central_difference, pack, worst_difference};

    pub(crate) const CHECKS: &[KernelCheck] = &[
        KernelCheck {
            kernel: super::FORWARD,
            difference,
            edits: &[("incident[i].y", "incident[i].x"), ("sum / size", "sum")],
            gradient: None,
        },
        KernelCheck {
            kernel: super::GRADIENT,
            difference,
            edits: &[
                ("own_grad + sums_grad[next].xyz", "sums_grad[next].xyz"),
                ("positions[next].xyz - positions[last].xyz", "positions[last].xyz - positions[next].xyz"),
            ],
            gradient: Some(gradient),
        },
    ];

    /// Through the normalisation (`optimise/unpack_grads`) and the sums.
    pub(crate) fn gradient(factor: f64) -> f64 {
        let scene = Scene::new();
        let weights: Vec<[f64; 3]> = scene.albedo.clone();
        let value = |p: &[[f64; 3]]| -> f64 {
            crate::mesh::vertex_normals(p, &scene.faces)
                .iter()
                .zip(&weights)
                .map(|(n, w)| n[0] * w[0] + n[1] * w[1] + n[2] * w[2])
                .sum()
        };
        let sums_grad = normalise_grad(&sums(&scene.positions, &scene.faces), &weights);
        let grad = vertex_normals_grad(&scene.positions, &scene.faces, &sums_grad);
        let mut worst = 0.0_f64;
        for (v, g) in grad.iter().enumerate() {
            for axis in 0..3 {
                let numeric = central_difference(1e-6, |h| {
                    let mut p = scene.positions.clone();
                    p[v][axis] += h;
                    value(&p)
                });
                worst = worst.max((factor * g[axis] - numeric).abs() / (1e-5 * (1.0 + numeric.abs())));
            }
        }
        worst
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        // With a hole: around a whole ring the vertex's own gradient cancels.
        let mut scene = Scene::new();
        scene.faces.pop();
        scene.opposite = Topology::new(scene.positions.len(), &scene.faces).across();
        scene.ids = scene.brute_force_ids();
        let b = scene.upload(test.gpu());
        let count = scene.positions.len();
        let (out, back) = (test.zeros(count * 4), test.zeros(count * 4));
        let sums_grad = test.storage(&pack(&scene.albedo));
        let adjacency =
            [("positions", &b.positions), ("incident_starts", &b.incident_starts), ("incident", &b.incident)];
        test.run(super::FORWARD, &[&adjacency, &[("normals", &out)]], count);
        test.run(super::GRADIENT, &[&adjacency, &[("sums_grad", &sums_grad), ("position_grad", &back)]], count);
        let strip = |raw: Vec<f32>| raw.chunks(4).flat_map(|c| c[..3].to_vec()).collect::<Vec<f32>>();
        let normals = crate::mesh::vertex_normals(&scene.positions, &scene.faces);
        let expected = vertex_normals_grad(&scene.positions, &scene.faces, &scene.albedo);
        let normals = worst_difference(&strip(test.read(&out)), normals.as_flattened());
        Some(normals.max(worst_difference(&strip(test.read(&back)), expected.as_flattened())) / 1e-5)
    }
}
