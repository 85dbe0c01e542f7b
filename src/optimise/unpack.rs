//! From fixed-point pixel sums to float gradients (kernel `optimise/unpack_grads`): albedo, positions, and the sums of face
//! normals (the gradient of a unit normal taken through its normalisation). Zeroes the sums for the next step and counts
//! vertices whose sums came near overflow.

use bytemuck::{Pod, Zeroable};

/// Kernel name.
pub const NAME: &str = "optimise/unpack_grads";

/// Uniform of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct UnpackParams {
    /// Factor from the pixels' unit weights to the loss.
    pub scale: f32,
    /// Padding.
    pub pad: [u32; 3],
}

/// CPU twin.
pub mod reference {
    /// Float gradients of all vertices.
    #[derive(Clone, Debug, Default)]
    pub struct Unpacked {
        /// To albedo.
        pub albedo: Vec<[f64; 3]>,
        /// To positions, per metre.
        pub positions: Vec<[f64; 3]>,
        /// To the un-normalised sums of face normals.
        pub sums: Vec<[f64; 3]>,
        /// Sums of three that came near overflow.
        pub overflow: u32,
    }

    /// Beyond this a fixed-point sum is near overflow.
    const GUARD: i32 = 1 << 30;

    /// From nine fixed-point words a vertex, which become zero, and normals with the length of their sums.
    pub fn unpack_grads(scale: f64, grads: &mut [i32], normals: &[[f64; 4]]) -> Unpacked {
        let mut out = Unpacked::default();
        for (words, n) in grads.as_chunks_mut::<9>().0.iter_mut().zip(normals) {
            let mut take = |slot: usize| {
                let raw = [0, 1, 2].map(|k| std::mem::take(&mut words[slot + k]));
                out.overflow += u32::from(raw.iter().any(|r| r.unsigned_abs() > GUARD.unsigned_abs()));
                raw.map(|r| f64::from(r) / 65536.0 * scale)
            };
            let (albedo, g, position) = (take(0), take(3), take(6));
            let (direction, size) = ([n[0], n[1], n[2]], n[3]);
            let along: f64 = direction.iter().zip(g).map(|(n, g)| n * g).sum();
            let d = [0, 1, 2].map(|k| if size > 1e-20 { (g[k] - direction[k] * along) / size } else { 0.0 });
            out.albedo.push(albedo);
            out.sums.push(d);
            // Position sums are per millimetre.
            out.positions.push(position.map(|x| 1000.0 * x));
        }
        out
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::testing::{self, Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::shading::testing::{Scene, noise, pack, worst_difference};
    use crate::shading::vertex_normals::reference::{normalise_grad, sums};
    use std::mem::offset_of;

    pub(crate) const CHECKS: &[KernelCheck] = &[KernelCheck {
        kernel: NAME,
        difference,
        edits: &[
            ("n.xyz * dot(n.xyz, g)", "n.xyz * dot(n.xyz, g) * 0.99"),
            ("take(v * 9u + 6u) * 1000.0", "take(v * 9u + 6u) * 999.0"),
            ("grads[at + 1u] = 0;", ""),
            ("1073741824", "2147483647"),
        ],
        gradient: Some(gradient),
    }];

    #[test]
    fn layout_matches() {
        testing::assert_layout(
            NAME,
            "UnpackParams",
            size_of::<UnpackParams>(),
            &[
                ("scale", offset_of!(UnpackParams, scale)),
                ("pad0", offset_of!(UnpackParams, pad)),
                ("pad1", offset_of!(UnpackParams, pad) + 4),
                ("pad2", offset_of!(UnpackParams, pad) + 8),
            ],
        );
    }

    /// Words, and normals with lengths as the device gets them; one sum is near overflow.
    fn input(scene: &Scene) -> (Vec<i32>, Vec<[f32; 4]>) {
        let count = scene.positions.len() as u64;
        let mut words: Vec<i32> = (0..count * 9).map(|i| (noise(i) * 1e6) as i32).collect();
        words[4] = i32::MAX - 5;
        let normal = |s: &[f64; 3]| {
            let size = s.iter().map(|x| x * x).sum::<f64>().sqrt();
            [(s[0] / size) as f32, (s[1] / size) as f32, (s[2] / size) as f32, size as f32]
        };
        (words, sums(&scene.positions, &scene.faces).iter().map(normal).collect())
    }

    /// The way through the normalisation is the one that `vertex_normals` checks against differences.
    fn gradient(factor: f64) -> f64 {
        let scene = Scene::new();
        let face_sums = sums(&scene.positions, &scene.faces);
        let size = |s: &[f64; 3]| s.iter().map(|x| x * x).sum::<f64>().sqrt();
        let normals: Vec<[f64; 4]> =
            face_sums.iter().map(|s| [s[0] / size(s), s[1] / size(s), s[2] / size(s), size(s)]).collect();
        let mut words = input(&scene).0;
        let normals_grad: Vec<[f64; 3]> =
            words.chunks(9).map(|w| [3, 4, 5].map(|k| f64::from(w[k]) / 65536.0)).collect();
        let out = reference::unpack_grads(1.0, &mut words, &normals);
        let value = |s: &[f64; 3], g: &[f64; 3]| (0..3).map(|k| s[k] / size(s) * g[k]).sum::<f64>();
        let mut worst = 0.0_f64;
        for (v, s) in face_sums.iter().enumerate() {
            for axis in 0..3 {
                let numeric = crate::shading::testing::central_difference(1e-7 * size(s), |h| {
                    let mut moved = *s;
                    moved[axis] += h;
                    value(&moved, &normals_grad[v])
                });
                worst = worst.max((numeric - factor * out.sums[v][axis]).abs() / (1e-5 * (1.0 + numeric.abs())));
            }
        }
        let same = normalise_grad(&face_sums, &normals_grad);
        for (a, b) in same.as_flattened().iter().zip(out.sums.as_flattened()) {
            worst = worst.max((a - factor * b).abs() / (1e-9 * (1.0 + a.abs())));
        }
        worst
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let count = scene.positions.len();
        let (mut words, normals) = input(&scene);
        let grads = test.storage(&words);
        let wide: Vec<[f64; 4]> = normals.iter().map(|n| n.map(f64::from)).collect();
        let expected = reference::unpack_grads(0.5, &mut words, &wide);
        assert_eq!(expected.overflow, 1, "one sum is beyond the guard");
        let make = || test.zeros(count * 4);
        let (a, p, s, overflow) = (make(), make(), make(), test.zeros(4));
        let buffers = [
            ("params", &test.uniform(&UnpackParams { scale: 0.5, pad: [0; 3] })),
            ("grads", &grads),
            ("normals", &test.storage(&normals)),
            ("albedo_grad", &a),
            ("position_grad", &p),
            ("sums_grad", &s),
            ("overflow", &overflow),
        ];
        test.run(NAME, &[&buffers], count);
        let worst = [(&a, &expected.albedo), (&p, &expected.positions), (&s, &expected.sums)]
            .into_iter()
            .map(|(buffer, expected)| {
                let expected: Vec<f64> = pack(expected).as_flattened().iter().copied().map(f64::from).collect();
                worst_difference(&test.read(buffer), &expected)
            })
            .fold(0.0, f64::max);
        // Sums are zero for the next step, and near overflow is counted.
        let exact = test.read::<i32>(&grads) == words && test.read::<u32>(&overflow)[0] == expected.overflow;
        Some(if exact { worst / 1e-5 } else { f64::INFINITY })
    }
}
