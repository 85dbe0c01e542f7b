//! Lights of a rig are alike: half the squared distance of each view's nine SH coefficients from their mean (kernel
//! `energy/light_prior`).
//!
//! `E = Σ_v w_v/2 Σ_k (c_vk − c̄_k)²` with the weighted mean `c̄ = Σ w_v c_v / Σ w_v`, so that the gradient of view `v` is
//! `w_v (c_v − c̄)`: what moves the mean along cancels. Exposure and colour of a camera are in its gains, which are free.
//! Published code has no such term: each view's light explains what it likes, gloss and clipping included, and no view
//! that was not fitted is lit by it.

use bytemuck::{Pod, Zeroable};

/// Kernel name.
pub const NAME: &str = "energy/light_prior";

/// Uniform of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct LightPriorParams {
    /// Part of the rig's views that a step sees: the prior counts as often as they do.
    pub share: f32,
    /// Padding.
    pub pad: [u32; 3],
}

/// Numbers of a view's light: nine coefficients and three gains.
pub const LIGHT_NUMBERS: usize = 12;

/// CPU twin.
pub mod reference {
    use super::LIGHT_NUMBERS;

    /// Value and gradient, twelve numbers a view; `weights` has one entry a view, zero for those that take no part.
    #[must_use]
    pub fn light_prior(share: f64, weights: &[f64], lights: &[f64]) -> (f64, Vec<f64>) {
        let total: f64 = weights.iter().sum();
        let mut value = 0.0;
        let mut grad = vec![0.0; lights.len()];
        if total <= 0.0 {
            return (value, grad);
        }
        for k in 0..9 {
            let of = |v: usize| lights[v * LIGHT_NUMBERS + k];
            let mean = weights.iter().enumerate().map(|(v, w)| w * of(v)).sum::<f64>() / total;
            for (v, w) in weights.iter().enumerate() {
                let apart = of(v) - mean;
                value += 0.5 * share * w * apart * apart;
                grad[v * LIGHT_NUMBERS + k] = share * w * apart;
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
    use crate::shading::testing::{central_difference, noise, worst_difference};
    use std::mem::offset_of;

    pub(crate) const CHECKS: &[KernelCheck] = &[KernelCheck {
        kernel: NAME,
        difference,
        edits: &[
            ("lights[at] - sum / weight", "lights[at]"),
            ("params.share * weights[view]", "weights[view]"),
            ("let k = i % 9u", "let k = i % 8u"),
            ("sum += weights[v] *", "sum +="),
        ],
        gradient: Some(gradient),
    }];

    /// A view without weight among five.
    const WEIGHTS: [f64; 5] = [2.0, 0.0, 0.75, 1.0, 3.0];
    const SHARE: f64 = 0.25;

    fn lights() -> Vec<f64> {
        (0..60).map(|i| f64::from(noise(i) as f32)).collect()
    }

    #[test]
    fn layout_matches() {
        assert_eq!(LIGHT_NUMBERS, crate::shading::LIGHT_STRIDE, "a view's light");
        testing::assert_layout(
            NAME,
            "LightPriorParams",
            size_of::<LightPriorParams>(),
            &[
                ("share", offset_of!(LightPriorParams, share)),
                ("pad0", offset_of!(LightPriorParams, pad)),
                ("pad1", offset_of!(LightPriorParams, pad) + 4),
                ("pad2", offset_of!(LightPriorParams, pad) + 8),
            ],
        );
    }

    fn gradient(factor: f64) -> f64 {
        let lights = lights();
        let (value, grad) = reference::light_prior(SHARE, &WEIGHTS, &lights);
        assert!(value > 0.1, "the lights differ");
        let mut worst = 0.0_f64;
        for i in 0..lights.len() {
            let numeric = central_difference(1e-6, |h| {
                let mut moved = lights.clone();
                moved[i] += h;
                reference::light_prior(SHARE, &WEIGHTS, &moved).0
            });
            worst = worst.max((numeric - factor * grad[i]).abs() / (1e-6 * (1.0 + numeric.abs())));
        }
        worst
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let lights = lights();
        let before: Vec<f64> = (0..60).map(|i| f64::from(noise(900 + i) as f32)).collect();
        let (_, grad) = reference::light_prior(SHARE, &WEIGHTS, &lights);
        let expected: Vec<f64> = before.iter().zip(&grad).map(|(b, g)| b + g).collect();
        let narrow = |v: &[f64]| v.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let out = test.storage(&narrow(&before));
        let buffers = [
            ("params", &test.uniform(&LightPriorParams { share: SHARE as f32, pad: [0; 3] })),
            ("weights", &test.storage(&narrow(&WEIGHTS))),
            ("lights", &test.storage(&narrow(&lights))),
            ("lights_grad", &out),
        ];
        test.run(NAME, &[&buffers], 45);
        Some(worst_difference(&test.read(&out), &expected) / 1e-5)
    }

    #[test]
    fn equal_lights_cost_nothing_and_a_rig_without_views_neither() {
        let same: Vec<f64> = (0..60).map(|i| f64::from(i % 12)).collect();
        let (value, grad) = reference::light_prior(1.0, &WEIGHTS, &same);
        assert!(value < 1e-20 && grad.iter().all(|g| g.abs() < 1e-10), "all lights are the mean: {value}");
        assert_eq!(reference::light_prior(1.0, &[0.0; 5], &same).0, 0.0, "no view takes part");
    }
}
