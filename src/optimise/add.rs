//! Adds one flat list to another (kernel `optimise/add`): a step that was smoothed after Adam made it.

/// Kernel name.
pub const NAME: &str = "optimise/add";

/// CPU twin.
pub mod reference {
    /// `values += step`.
    pub fn add(step: &[f64], values: &mut [f64]) {
        for (value, step) in values.iter_mut().zip(step) {
            *value += step;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::*;
    use crate::gpu::testing::{Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::shading::testing::{noise, worst_difference};

    pub(crate) const CHECKS: &[KernelCheck] = &[KernelCheck {
        kernel: NAME,
        difference,
        edits: &[("values[i] += step[i]", "values[i] -= step[i]"), ("+= step[i]", "+= 0.999 * step[i]")],
        gradient: None,
    }];

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let list = |start: u64| (0..150).map(|i| f64::from(noise(start + i) as f32)).collect::<Vec<f64>>();
        let (step, mut values) = (list(0), list(1000));
        let to_f32 = |v: &[f64]| v.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let (steps, sums) = (test.storage(&to_f32(&step)), test.storage(&to_f32(&values)));
        test.run(NAME, &[&[("step", &steps), ("values", &sums)]], values.len());
        reference::add(&step, &mut values);
        Some(worst_difference(&test.read(&sums), &values) / 1e-6)
    }
}
