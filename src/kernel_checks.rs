//! The rings of checks that every kernel has, in one list that is held against the shader folder.
//!
//! 1. WGSL is valid and laid out like the Rust structs: `gpu::shader` and the `layout_matches` tests.
//! 2. The gradient of the `f64` twin is the central difference of its value: [`KernelCheck::gradient`].
//! 3. The kernel computes what its twin computes: [`KernelCheck::difference`].
//! 4. The whole loss, term by term, against differences: `fitting::ham::whole_image`.
//!
//! Rings 2 and 3 are also run on something wrong, an analytic gradient that is one per cent off and an edited kernel, and
//! must fail there.

use crate::gpu::shader::SOURCES;
use crate::gpu::testing::Edit;

/// The checks of one kernel.
pub(crate) struct KernelCheck {
    /// Its name, as in [`SOURCES`].
    pub kernel: &'static str,
    /// Ring 3: worst difference between kernel and twin over the tolerance, with the kernel edited if an edit is given.
    /// `None` where there is no adapter.
    pub difference: fn(Option<Edit>) -> Option<f64>,
    /// Edits `(from, to)` of the kernel that ring 3 must notice, one at a time.
    pub edits: &'static [(&'static str, &'static str)],
    /// Ring 2: worst difference between the twin's gradient times a factor and central differences, over the tolerance.
    pub gradient: Option<fn(f64) -> f64>,
}

/// Every kernel's checks.
const CHECKS: &[&[KernelCheck]] = &[
    crate::energy::image_loss::tests::CHECKS,
    crate::energy::laplacian::tests::CHECKS,
    crate::energy::light_prior::tests::CHECKS,
    crate::energy::shape_prior::tests::CHECKS,
    crate::fitting::hand_fit::CHECKS,
    crate::fitting::pose::CHECKS,
    crate::neural::CHECKS,
    crate::neural::GRAD_CHECKS,
    crate::neural::UNET_CHECKS,
    crate::optimise::adam::tests::CHECKS,
    crate::optimise::add::tests::CHECKS,
    crate::optimise::diffuse::tests::CHECKS,
    crate::optimise::sum::tests::CHECKS,
    crate::optimise::unpack::tests::CHECKS,
    crate::posing::CHECKS,
    crate::raster::antialias::tests::CHECKS,
    crate::raster::interpolate::tests::CHECKS,
    crate::raster::lists::tests::CHECKS,
    crate::raster::visibility::tests::CHECKS,
    crate::shading::shade::tests::CHECKS,
    crate::shading::vertex_normals::tests::CHECKS,
];

fn all() -> impl Iterator<Item = &'static KernelCheck> {
    CHECKS.iter().copied().flatten()
}

/// What is wrong with a list of checks for these shader files.
fn gaps(sources: &[(&str, &str)], checks: &[&KernelCheck]) -> Vec<String> {
    let mut gaps = Vec::new();
    for (name, text) in sources.iter().filter(|(name, _)| !name.starts_with("common/")) {
        let own: Vec<_> = checks.iter().filter(|c| c.kernel == *name).collect();
        let [check] = own[..] else {
            gaps.push(format!("{name} has {} entries in kernel_checks", own.len()));
            continue;
        };
        if check.edits.is_empty() {
            gaps.push(format!("{name} has no edit that must be noticed"));
        }
        let writes_gradient = text.lines().any(|l| l.contains("read_write") && l.contains("grad"));
        if (writes_gradient || name.contains("_grad")) && check.gradient.is_none() {
            gaps.push(format!("{name} computes a gradient that is held against no differences"));
        }
    }
    let known = |c: &&&KernelCheck| sources.iter().any(|(name, _)| *name == c.kernel);
    gaps.extend(checks.iter().filter(|c| !known(c)).map(|c| format!("there is no kernel {}", c.kernel)));
    gaps
}

fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_kernel_has_its_checks() {
    assert_none("kernels without checks", gaps(SOURCES, &all().collect::<Vec<_>>()));
}

/// The negative of the list: a missing, empty, or gradient-less entry is found, and one for no kernel.
#[test]
fn a_gap_in_the_list_is_found() {
    let entry = |kernel, edits, gradient| KernelCheck { kernel, difference: |_| None, edits, gradient };
    let slope: Option<fn(f64) -> f64> = Some(|_| 0.0);
    let sources = [("common/x", ""), ("energy/a_grad", ""), ("energy/b", "var<storage, read_write> values_grad: x;")];
    let (a, b) = (entry("energy/a_grad", &[("x", "y")], slope), entry("energy/b", &[("x", "y")], slope));
    assert!(gaps(&sources, &[&a, &b]).is_empty(), "a full list has no gap");
    assert_eq!(gaps(&sources, &[&a]).len(), 1, "a kernel without an entry");
    assert_eq!(gaps(&sources, &[&a, &b, &b]).len(), 1, "a kernel with two");
    assert_eq!(gaps(&sources, &[&a, &entry("energy/b", &[], slope)]).len(), 1, "no edits");
    assert_eq!(
        gaps(&sources, &[&a, &entry("energy/b", &[("x", "y")], None)]).len(),
        1,
        "a gradient without differences"
    );
    assert_eq!(gaps(&sources, &[&entry("energy/a_grad", &[("x", "y")], None), &b]).len(), 1, "the same by its name");
    assert_eq!(gaps(&sources, &[&a, &b, &entry("energy/c", &[("x", "y")], None)]).len(), 1, "an entry for nothing");
}

/// Ring 3.
#[test]
fn kernels_compute_what_their_twins_compute() {
    let wrong = |c: &KernelCheck| {
        let difference = (c.difference)(None)?;
        (difference.is_nan() || difference > 1.0).then(|| format!("{}: {difference:.3} of the tolerance", c.kernel))
    };
    assert_none("kernels that differ from their twins", all().filter_map(wrong).collect());
}

/// The negative of ring 3.
#[test]
fn an_edited_kernel_is_noticed() {
    let mut missed = Vec::new();
    for check in all() {
        for &(from, to) in check.edits {
            let Some(difference) = (check.difference)(Some((check.kernel, from, to))) else { return };
            // A kernel that computes NaN is as far off as can be.
            if difference <= 1.0 {
                missed.push(format!("{}: `{from}` → `{to}` gives {difference:.3} of the tolerance", check.kernel));
            }
        }
    }
    assert_none("edits that nobody noticed", missed);
}

/// Ring 2, and its negative: one per cent off.
#[test]
fn gradients_of_twins_are_differences_of_their_values() {
    let mut wrong = Vec::new();
    for check in all() {
        let Some(gradient) = check.gradient else { continue };
        let (right, off) = (gradient(1.0), gradient(1.01));
        if right.is_nan() || right > 1.0 {
            wrong.push(format!("{}: {right:.3} of the tolerance", check.kernel));
        }
        if off <= 1.0 {
            wrong.push(format!("{}: one per cent off is only {off:.3} of the tolerance", check.kernel));
        }
    }
    assert_none("gradients", wrong);
}
