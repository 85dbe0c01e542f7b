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
mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::reference::{normalise_grad, sums, vertex_normals_grad};
    use crate::gpu::{Buffer, Kernel, shader, testing};
    use crate::shading::testing::{Scene, central_difference, pack, worst_difference};

    #[test]
    fn reference_gradient_matches_differences() {
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
        for (v, g) in grad.iter().enumerate() {
            for axis in 0..3 {
                let numeric = central_difference(1e-6, |h| {
                    let mut p = scene.positions.clone();
                    p[v][axis] += h;
                    value(&p)
                });
                assert!(
                    (g[axis] - numeric).abs() < 1e-5 * (1.0 + numeric.abs()),
                    "vertex {v} axis {axis}: {} vs {numeric}",
                    g[axis]
                );
            }
        }
    }

    fn run_gpu(text: Option<&str>) -> Option<[f64; 2]> {
        let gpu = testing::gpu()?;
        let scene = Scene::new();
        let b = scene.upload(&gpu);
        let count = scene.positions.len();
        let out = Buffer::zeros(&gpu, "normals", count as u64 * 16).expect("small");
        let back = Buffer::zeros(&gpu, "grad", count as u64 * 16).expect("small");
        let sums_grad = Buffer::storage(&gpu, "sums_grad", &pack(&scene.albedo)).expect("small");
        let kernel = match text {
            Some(text) => Kernel::from_text(&gpu, super::FORWARD, text).expect("compiles"),
            None => gpu.kernel(super::FORWARD).expect("compiles"),
        };
        let adjacency = [
            ("positions", &b.positions),
            ("faces", &b.faces),
            ("incident_starts", &b.incident_starts),
            ("incident", &b.incident),
        ];
        let forward = kernel.bind(&[&adjacency[..], &[("normals", &out)]].concat()).expect("binds");
        let gradient = gpu
            .kernel(super::GRADIENT)
            .expect("compiles")
            .bind(&[&adjacency[..], &[("sums_grad", &sums_grad), ("position_grad", &back)]].concat())
            .expect("binds");
        let mut recorder = gpu.recorder("test");
        recorder.dispatch(&forward, count as u32);
        recorder.dispatch(&gradient, count as u32);
        recorder.submit().expect("runs");
        let strip = |raw: Vec<f32>| raw.chunks(4).flat_map(|c| c[..3].to_vec()).collect::<Vec<f32>>();
        let flat = |v: &[[f64; 3]]| v.iter().flatten().copied().collect::<Vec<f64>>();
        let expected = vertex_normals_grad(&scene.positions, &scene.faces, &scene.albedo);
        Some([
            worst_difference(
                &strip(gpu.read(&out).expect("reads")),
                &flat(&crate::mesh::vertex_normals(&scene.positions, &scene.faces)),
            ),
            worst_difference(&strip(gpu.read(&back).expect("reads")), &flat(&expected)),
        ])
    }

    #[test]
    fn gpu_matches_reference() {
        let Some([normals, grads]) = run_gpu(None) else { return };
        assert!(normals < 1e-5, "normals differ by {normals}");
        assert!(grads < 1e-5, "gradients differ by {grads}");
    }

    #[test]
    fn a_perturbed_kernel_is_caught() {
        let text = shader::source(super::FORWARD).expect("known");
        let broken = text.replace("(corner + 2u) % 3u", "(corner + 1u) % 3u");
        assert_ne!(text, broken, "the perturbation changes the text");
        let Some([normals, _]) = run_gpu(Some(&broken)) else { return };
        assert!(normals > 1e-5, "wrong corners must be seen, difference {normals}");
    }
}
