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

/// CPU twin.
pub mod reference {
    use super::SumParams;

    /// Adds the sums of all records to `totals[slot..]`.
    pub fn sum(params: &SumParams, partials: &[f64], totals: &mut [f64]) {
        let [count, stride, offset, slot] =
            [params.count, params.stride, params.offset, params.slot].map(|x| x as usize);
        for record in partials[offset..].chunks(stride).take(count) {
            for (total, x) in totals[slot..].iter_mut().zip(record) {
                *total += x;
            }
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
        edits: &[("i < 256u", "i < 255u"), ("totals[params.slot + k] +=", "totals[params.slot + k] =")],
        gradient: None,
    }];

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

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let params = SumParams { count: 1000, stride: 3, offset: 5, slot: 2 };
        let data: Vec<f32> = (0..3005).map(|i| noise(i) as f32).collect();
        let before: Vec<f32> = (0..8).map(|i| noise(5000 + i) as f32).collect();
        let wide = |v: &[f32]| v.iter().copied().map(f64::from).collect::<Vec<f64>>();
        let mut expected = wide(&before);
        reference::sum(&params, &wide(&data), &mut expected);
        let totals = test.storage(&before);
        let buffers = [("params", &test.uniform(&params)), ("partials", &test.storage(&data)), ("totals", &totals)];
        // One workgroup.
        test.run(NAME, &[&buffers], 1);
        Some(worst_difference(&test.read(&totals), &expected) / 1e-5)
    }
}
