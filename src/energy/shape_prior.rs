//! Edge-length and displacement terms (kernel `energy/shape_prior`), gathered over the one-ring.
//!
//! Published: mean over edges of `clip(e² − mean e²₀, 0, 1)` (in squared published units) and mean over vertices of `‖δ‖²`.

use bytemuck::{Pod, Zeroable};

/// Kernel name.
pub const NAME: &str = "energy/shape_prior";

/// Uniform of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct ShapePriorParams {
    /// Weight of one edge.
    pub edge_weight: f32,
    /// Mean squared edge length at the start, m².
    pub edge_mean_squared: f32,
    /// Upper clip, m².
    pub edge_clip: f32,
    /// Weight of one vertex's squared displacement.
    pub delta_weight: f32,
    /// First partial sum.
    pub partial_offset: u32,
    /// Padding.
    pub pad: [u32; 3],
}

/// CPU twin.
pub mod reference {
    use super::ShapePriorParams;
    use crate::mesh::Topology;

    /// `[edge, delta]` and the gradient to positions.
    #[must_use]
    pub fn shape_prior(
        params: &ShapePriorParams,
        positions: &[[f64; 3]],
        start: &[[f64; 3]],
        topology: &Topology,
    ) -> ([f64; 2], Vec<[f64; 3]>) {
        let (edge_weight, mean) = (f64::from(params.edge_weight), f64::from(params.edge_mean_squared));
        let (clip, delta_weight) = (f64::from(params.edge_clip), f64::from(params.delta_weight));
        let mut value = [0.0; 2];
        let mut grad = vec![[0.0; 3]; positions.len()];
        for v in 0..positions.len() {
            for k in 0..3 {
                let delta = positions[v][k] - start[v][k];
                value[1] += delta_weight * delta * delta;
                grad[v][k] += 2.0 * delta_weight * delta;
            }
        }
        for edge in &topology.edges {
            let [a, b] = edge.vertices.map(|v| v as usize);
            let e = [0, 1, 2].map(|k| positions[a][k] - positions[b][k]);
            let excess = e[0] * e[0] + e[1] * e[1] + e[2] * e[2] - mean;
            value[0] += edge_weight * excess.clamp(0.0, clip);
            if excess > 0.0 && excess < clip {
                for k in 0..3 {
                    grad[a][k] += 2.0 * edge_weight * e[k];
                    grad[b][k] -= 2.0 * edge_weight * e[k];
                }
            }
        }
        (value, grad)
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

    const PARAMS: ShapePriorParams = ShapePriorParams {
        edge_weight: 3.0,
        edge_mean_squared: 0.004,
        edge_clip: 1.0,
        delta_weight: 2.0,
        partial_offset: 2,
        pad: [0; 3],
    };

    #[test]
    fn layout_matches() {
        testing::assert_layout(
            NAME,
            "ShapePriorParams",
            size_of::<ShapePriorParams>(),
            &[
                ("edge_weight", offset_of!(ShapePriorParams, edge_weight)),
                ("edge_mean_squared", offset_of!(ShapePriorParams, edge_mean_squared)),
                ("edge_clip", offset_of!(ShapePriorParams, edge_clip)),
                ("delta_weight", offset_of!(ShapePriorParams, delta_weight)),
                ("partial_offset", offset_of!(ShapePriorParams, partial_offset)),
                ("pad0", offset_of!(ShapePriorParams, pad)),
                ("pad1", offset_of!(ShapePriorParams, pad) + 4),
                ("pad2", offset_of!(ShapePriorParams, pad) + 8),
            ],
        );
    }

    #[test]
    fn reference_gradient_matches_differences() {
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let (value, grad) = reference::shape_prior(&PARAMS, &scene.positions, &scene.normals, &topology);
        assert!(value[0] > 0.0, "some edges are longer than the mean");
        for v in 0..scene.positions.len() {
            for axis in 0..3 {
                let numeric = central_difference(1e-6, |h| {
                    let mut p = scene.positions.clone();
                    p[v][axis] += h;
                    reference::shape_prior(&PARAMS, &p, &scene.normals, &topology).0.iter().sum()
                });
                assert!(
                    (numeric - grad[v][axis]).abs() < 1e-6 * (1.0 + numeric.abs()),
                    "vertex {v}: {} vs {numeric}",
                    grad[v][axis]
                );
            }
        }
    }

    fn run_gpu(text: Option<&str>) -> Option<[f64; 2]> {
        let gpu = testing::gpu()?;
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let count = scene.positions.len();
        let (value, grad) = reference::shape_prior(&PARAMS, &scene.positions, &scene.normals, &topology);
        let b = scene.upload(&gpu);
        let params = Buffer::uniform(&gpu, "params", &PARAMS).expect("small");
        let partials = Buffer::zeros(&gpu, "partials", 64).expect("small");
        let out = Buffer::zeros(&gpu, "grad", count as u64 * 16).expect("small");
        let kernel = match text {
            Some(text) => Kernel::from_text(&gpu, NAME, text).expect("compiles"),
            None => gpu.kernel(NAME).expect("compiles"),
        };
        let bound = kernel
            .bind(&[
                ("params", &params),
                ("positions", &b.positions),
                ("start_positions", &b.normals),
                ("neighbour_starts", &b.neighbour_starts),
                ("neighbours", &b.neighbours),
                ("position_grad", &out),
                ("partials", &partials),
            ])
            .expect("binds");
        let mut recorder = gpu.recorder("test");
        recorder.dispatch(&bound, count as u32);
        recorder.submit().expect("runs");
        let sums = gpu.read::<f32>(&partials).expect("reads");
        let packed: Vec<f64> = pack(&grad).iter().flatten().map(|x| f64::from(*x)).collect();
        Some([worst_difference(&sums[2..4], &value), worst_difference(&gpu.read::<f32>(&out).expect("reads"), &packed)])
    }

    #[test]
    fn gpu_matches_reference() {
        let Some([value, grad]) = run_gpu(None) else { return };
        assert!(value < 1e-5, "values differ by {value}");
        assert!(grad < 1e-5, "gradients differ by {grad}");
    }

    #[test]
    fn a_perturbed_kernel_is_caught() {
        let text = shader::source(NAME).expect("known");
        let broken = text.replace("excess > 0.0", "excess > 0.001");
        assert_ne!(text, broken, "the perturbation changes the text");
        let Some([_, grad]) = run_gpu(Some(&broken)) else { return };
        assert!(grad > 1e-6, "a wrong threshold must be seen, difference {grad}");
    }
}
