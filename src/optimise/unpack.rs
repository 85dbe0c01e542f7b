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

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::{Buffer, Kernel, shader, testing};
    use crate::shading::testing::{Scene, noise, pack, worst_difference};
    use crate::shading::vertex_normals::reference::{normalise_grad, sums};
    use std::mem::offset_of;

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

    fn run_gpu(text: Option<&str>, overflowing: bool) -> Option<(f64, u32)> {
        let gpu = testing::gpu()?;
        let scene = Scene::new();
        let count = scene.positions.len();
        let fixed: Vec<i32> = (0..count as u64 * 9)
            .map(|i| if overflowing && i == 4 { i32::MAX - 5 } else { (noise(i) * 1e6) as i32 })
            .collect();
        let face_sums = sums(&scene.positions, &scene.faces);
        let normals: Vec<[f32; 4]> = face_sums
            .iter()
            .map(|s| {
                let size = s.iter().map(|x| x * x).sum::<f64>().sqrt();
                [(s[0] / size) as f32, (s[1] / size) as f32, (s[2] / size) as f32, size as f32]
            })
            .collect();
        let take = |v: usize, slot: usize, factor: f64| {
            [0, 1, 2].map(|k| f64::from(fixed[v * 9 + slot + k]) / 65536.0 * 0.5 * factor)
        };
        let albedo: Vec<[f64; 3]> = (0..count).map(|v| take(v, 0, 1.0)).collect();
        let positions: Vec<[f64; 3]> = (0..count).map(|v| take(v, 6, 1000.0)).collect();
        let normals_grad: Vec<[f64; 3]> = (0..count).map(|v| take(v, 3, 1.0)).collect();
        let sums_grad = normalise_grad(&face_sums, &normals_grad);

        let params = Buffer::uniform(&gpu, "params", &UnpackParams { scale: 0.5, pad: [0; 3] }).expect("small");
        let grads = Buffer::storage(&gpu, "grads", &fixed).expect("small");
        let normals = Buffer::storage(&gpu, "normals", &normals).expect("small");
        let make = |label| Buffer::zeros(&gpu, label, count as u64 * 16).expect("small");
        let (a, p, s) = (make("albedo"), make("positions"), make("sums"));
        let overflow = Buffer::zeros(&gpu, "overflow", 16).expect("small");
        let kernel = match text {
            Some(text) => Kernel::from_text(&gpu, NAME, text).expect("compiles"),
            None => gpu.kernel(NAME).expect("compiles"),
        };
        let bound = kernel
            .bind(&[
                ("params", &params),
                ("grads", &grads),
                ("normals", &normals),
                ("albedo_grad", &a),
                ("position_grad", &p),
                ("sums_grad", &s),
                ("overflow", &overflow),
            ])
            .expect("binds");
        let mut recorder = gpu.recorder("test");
        recorder.dispatch(&bound, count as u32);
        recorder.submit().expect("runs");
        let worst = [(a, albedo), (p, positions), (s, sums_grad)]
            .into_iter()
            .map(|(buffer, expected)| {
                let expected: Vec<f64> = pack(&expected).iter().flatten().map(|x| f64::from(*x)).collect();
                worst_difference(&gpu.read::<f32>(&buffer).expect("reads"), &expected)
            })
            .fold(0.0, f64::max);
        assert!(gpu.read::<i32>(&grads).expect("reads").iter().all(|g| *g == 0), "sums are zero for the next step");
        Some((worst, gpu.read::<u32>(&overflow).expect("reads")[0]))
    }

    #[test]
    fn gpu_matches_reference() {
        let Some((worst, overflow)) = run_gpu(None, false) else { return };
        assert!(worst < 1e-5, "gradients differ by {worst}");
        assert_eq!(overflow, 0, "nothing is near overflow");
    }

    #[test]
    fn near_overflow_is_counted() {
        let Some((_, overflow)) = run_gpu(None, true) else { return };
        assert_eq!(overflow, 1, "one sum is beyond the guard");
    }

    #[test]
    fn a_perturbed_kernel_is_caught() {
        let text = shader::source(NAME).expect("known");
        let broken = text.replace("n.xyz * dot(n.xyz, g)", "n.xyz * dot(n.xyz, g) * 0.99");
        assert_ne!(text, broken, "the perturbation changes the text");
        let Some((worst, _)) = run_gpu(Some(&broken), false) else { return };
        assert!(worst > 1e-5, "a wrong projection must be seen, difference {worst}");
    }
}
