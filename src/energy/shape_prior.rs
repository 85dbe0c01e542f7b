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
pub(crate) mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::testing::{self, Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::mesh::Topology;
    use crate::shading::testing::{Scene, central_difference, pack, worst_difference};
    use std::mem::offset_of;

    pub(crate) const CHECKS: &[KernelCheck] = &[KernelCheck {
        kernel: NAME,
        difference,
        edits: &[
            ("excess > 0.0", "excess > 0.001"),
            ("0.5 * params.edge_weight", "params.edge_weight"),
            ("2.0 * params.delta_weight", "params.delta_weight"),
            ("clamp(excess, 0.0, params.edge_clip)", "excess"),
        ],
        gradient: Some(gradient),
    }];

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

    fn gradient(factor: f64) -> f64 {
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let (value, grad) = reference::shape_prior(&PARAMS, &scene.positions, &scene.normals, &topology);
        assert!(value[0] > 0.0, "some edges are longer than the mean");
        let mut worst = 0.0_f64;
        for v in 0..scene.positions.len() {
            for axis in 0..3 {
                let numeric = central_difference(1e-6, |h| {
                    let mut p = scene.positions.clone();
                    p[v][axis] += h;
                    reference::shape_prior(&PARAMS, &p, &scene.normals, &topology).0.iter().sum()
                });
                worst = worst.max((numeric - factor * grad[v][axis]).abs() / (1e-6 * (1.0 + numeric.abs())));
            }
        }
        worst
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let topology = Topology::new(scene.positions.len(), &scene.faces);
        let count = scene.positions.len();
        let (value, grad) = reference::shape_prior(&PARAMS, &scene.positions, &scene.normals, &topology);
        let b = scene.upload(test.gpu());
        let (partials, out) = (test.zeros(16), test.zeros(count * 4));
        let buffers = [
            ("params", &test.uniform(&PARAMS)),
            ("positions", &b.positions),
            ("start_positions", &b.normals),
            ("neighbour_starts", &b.neighbour_starts),
            ("neighbours", &b.neighbours),
            ("position_grad", &out),
            ("partials", &partials),
        ];
        test.run(NAME, &[&buffers], count);
        let packed: Vec<f64> = pack(&grad).as_flattened().iter().copied().map(f64::from).collect();
        let value = worst_difference(&test.read::<f32>(&partials)[2..4], &value);
        Some(value.max(worst_difference(&test.read(&out), &packed)) / 1e-6)
    }
}
