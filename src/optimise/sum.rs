//! Sums of per-workgroup partial sums in one fixed order (kernel `optimise/sum`, one workgroup).

use bytemuck::{Pod, Zeroable};

/// Kernel name.
pub const NAME: &str = "optimise/sum";

/// Uniform of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct SumParams {
    /// Number of records.
    pub count: u32,
    /// Numbers a record.
    pub stride: u32,
    /// Index of the first record's first number.
    pub offset: u32,
    /// Where the sums are added.
    pub slot: u32,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::{Buffer, Kernel, shader, testing};
    use crate::shading::testing::{noise, worst_difference};
    use std::mem::offset_of;

    #[test]
    fn layout_matches() {
        testing::assert_layout(
            NAME,
            "SumParams",
            size_of::<SumParams>(),
            &[
                ("count", offset_of!(SumParams, count)),
                ("stride", offset_of!(SumParams, stride)),
                ("offset", offset_of!(SumParams, offset)),
                ("slot", offset_of!(SumParams, slot)),
            ],
        );
    }

    fn run_gpu(text: Option<&str>) -> Option<f64> {
        let gpu = testing::gpu()?;
        let params = SumParams { count: 1000, stride: 3, offset: 5, slot: 2 };
        let data: Vec<f32> = (0..3005).map(|i| noise(i) as f32).collect();
        // The twin: plain f64 sums, slot by slot.
        let mut expected = [0.0; 8];
        for record in 0..1000 {
            for k in 0..3 {
                expected[2 + k] += f64::from(data[5 + record * 3 + k]);
            }
        }
        let uniform = Buffer::uniform(&gpu, "params", &params).expect("small");
        let partials = Buffer::storage(&gpu, "partials", &data).expect("small");
        let totals = Buffer::zeros(&gpu, "totals", 32).expect("small");
        let kernel = match text {
            Some(text) => Kernel::from_text(&gpu, NAME, text).expect("compiles"),
            None => gpu.kernel(NAME).expect("compiles"),
        };
        let bound = kernel.bind(&[("params", &uniform), ("partials", &partials), ("totals", &totals)]).expect("binds");
        let mut recorder = gpu.recorder("test");
        recorder.dispatch_workgroups(&bound, 1);
        recorder.submit().expect("runs");
        Some(worst_difference(&gpu.read::<f32>(&totals).expect("reads"), &expected))
    }

    #[test]
    fn gpu_matches_reference() {
        let Some(worst) = run_gpu(None) else { return };
        assert!(worst < 1e-5, "sums differ by {worst}");
    }

    #[test]
    fn a_perturbed_kernel_is_caught() {
        let text = shader::source(NAME).expect("known");
        let broken = text.replace("i < 256u", "i < 255u");
        assert_ne!(text, broken, "the perturbation changes the text");
        let Some(worst) = run_gpu(Some(&broken)) else { return };
        assert!(worst > 1e-5, "a dropped term must be seen, difference {worst}");
    }
}
