//! Adam (Kingma & Ba 2015) with bounds (kernel `optimise/adam`). One invocation a number.

use crate::gpu::{Bound, Buffer, Gpu, GpuError, Kernel, Recorder};
use bytemuck::{Pod, Zeroable};

/// Kernel name.
pub const NAME: &str = "optimise/adam";

/// Uniform of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct AdamParams {
    /// Step size in units of the parameters.
    pub rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root.
    pub epsilon: f32,
    /// `1 / (1 − β₁ᵗ)`.
    pub correction1: f32,
    /// `1 / (1 − β₂ᵗ)`.
    pub correction2: f32,
    /// Lower bound of the parameters.
    pub lower: f32,
    /// Upper bound of the parameters.
    pub upper: f32,
}

impl AdamParams {
    /// Settings of step `t` (from 1) with the usual decays.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub fn at_step(rate: f64, t: i32, lower: f32, upper: f32) -> Self {
        let (beta1, beta2) = (0.9_f64, 0.999_f64);
        Self {
            rate: rate as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            epsilon: 1e-8,
            correction1: (1.0 / (1.0 - beta1.powi(t))) as f32,
            correction2: (1.0 / (1.0 - beta2.powi(t))) as f32,
            lower,
            upper,
        }
    }
}

/// Adam over one list on the device, with its moments.
pub(crate) struct Adam {
    params: Buffer,
    first: Buffer,
    second: Buffer,
    bound: Bound,
    numbers: u32,
}

impl Adam {
    /// Binds `kernel` (that of [`NAME`]) to a list and its gradient; both moments are zero.
    pub(crate) fn new(
        gpu: &Gpu,
        kernel: &Kernel,
        name: &str,
        parameters: &Buffer,
        gradient: &Buffer,
    ) -> Result<Self, GpuError> {
        let params = Buffer::uniform(gpu, name, &AdamParams::at_step(0.0, 1, 0.0, 0.0))?;
        let first = Buffer::zeros(gpu, name, parameters.len_bytes())?;
        let second = Buffer::zeros(gpu, name, parameters.len_bytes())?;
        let bound = kernel.bind(&[
            ("params", &params),
            ("gradient", gradient),
            ("parameters", parameters),
            ("first_moment", &first),
            ("second_moment", &second),
        ])?;
        let numbers = u32::try_from(parameters.len_bytes() / 4).unwrap_or(u32::MAX);
        Ok(Self { params, first, second, bound, numbers })
    }

    /// Settings of the next step.
    pub(crate) fn write(&self, gpu: &Gpu, params: AdamParams) {
        self.params.write(gpu, &[params]);
    }

    /// Both moments become zero, as at the start; the next step is the first ([`AdamParams::at_step`]).
    pub(crate) fn forget(&self, gpu: &Gpu) {
        let zeros = vec![0.0_f32; self.numbers as usize];
        self.first.write(gpu, &zeros);
        self.second.write(gpu, &zeros);
    }

    /// Records a step.
    pub(crate) fn record(&self, recorder: &mut Recorder) {
        recorder.dispatch(&self.bound, self.numbers);
    }

    /// First and second moments, for a checkpoint.
    pub(crate) const fn moments(&self) -> [&Buffer; 2] {
        [&self.first, &self.second]
    }

    /// Length of the list.
    pub(crate) const fn numbers(&self) -> u32 {
        self.numbers
    }

    /// The bound kernel, for timing.
    pub(crate) const fn bound(&self) -> &Bound {
        &self.bound
    }
}

/// CPU twin.
pub mod reference {
    use super::AdamParams;

    /// One step in place: parameters, first and second moments.
    pub fn adam(params: &AdamParams, gradient: &[f64], parameters: &mut [f64], m: &mut [f64], s: &mut [f64]) {
        let (b1, b2) = (f64::from(params.beta1), f64::from(params.beta2));
        for i in 0..parameters.len() {
            m[i] = b1 * m[i] + (1.0 - b1) * gradient[i];
            s[i] = b2 * s[i] + (1.0 - b2) * gradient[i] * gradient[i];
            let root = (s[i] * f64::from(params.correction2)).sqrt() + f64::from(params.epsilon);
            let step = f64::from(params.rate) * m[i] * f64::from(params.correction1) / root;
            parameters[i] = (parameters[i] - step).clamp(f64::from(params.lower), f64::from(params.upper));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::testing::{self, Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::shading::testing::{noise, worst_difference};
    use std::mem::offset_of;

    pub(crate) const CHECKS: &[KernelCheck] = &[KernelCheck {
        kernel: NAME,
        difference,
        edits: &[
            ("s * params.correction2", "s * params.correction1"),
            ("(1.0 - params.beta2) * g * g", "(1.0 - params.beta2) * g"),
            ("clamp(parameters[i] - step, params.lower, params.upper)", "parameters[i] - step"),
        ],
        gradient: None,
    }];

    #[test]
    fn layout_matches() {
        testing::assert_layout(
            NAME,
            "AdamParams",
            size_of::<AdamParams>(),
            &[
                ("rate", offset_of!(AdamParams, rate)),
                ("beta1", offset_of!(AdamParams, beta1)),
                ("beta2", offset_of!(AdamParams, beta2)),
                ("epsilon", offset_of!(AdamParams, epsilon)),
                ("correction1", offset_of!(AdamParams, correction1)),
                ("correction2", offset_of!(AdamParams, correction2)),
                ("lower", offset_of!(AdamParams, lower)),
                ("upper", offset_of!(AdamParams, upper)),
            ],
        );
    }

    /// The twin walks to the minimum of a quadratic, where differences of its value vanish.
    #[test]
    fn reference_finds_a_minimum() {
        let target = [0.3, -0.7, 0.1];
        let mut x = [0.0; 3];
        let (mut m, mut s) = ([0.0; 3], [0.0; 3]);
        for t in 1..=2000 {
            let g: Vec<f64> = x.iter().zip(&target).map(|(x, t)| 2.0 * (x - t)).collect();
            reference::adam(&AdamParams::at_step(5e-3, t, -1.0, 1.0), &g, &mut x, &mut m, &mut s);
        }
        assert!(x.iter().zip(&target).all(|(x, t)| (x - t).abs() < 1e-3), "ends at the minimum: {x:?}");
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let count = 200;
        let mut x: Vec<f64> = (0..count).map(|i| f64::from(noise(i) as f32)).collect();
        let (mut m, mut s) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let to_f32 = |v: &[f64]| v.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let parameters = test.storage(&to_f32(&x));
        let (first, second) = (test.zeros(x.len()), test.zeros(x.len()));
        for t in 1..=5 {
            let g: Vec<f64> = (0..count).map(|i| f64::from(noise(1000 * t + i) as f32)).collect();
            let params = AdamParams::at_step(1e-2, t as i32, -0.9, 0.9);
            reference::adam(&params, &g, &mut x, &mut m, &mut s);
            let buffers = [
                ("params", &test.uniform(&params)),
                ("gradient", &test.storage(&to_f32(&g))),
                ("parameters", &parameters),
                ("first_moment", &first),
                ("second_moment", &second),
            ];
            test.run(NAME, &[&buffers], x.len());
        }
        Some(worst_difference(&test.read(&parameters), &x) / 1e-5)
    }
}
