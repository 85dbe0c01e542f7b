//! One adapter for all tests, and the rule for machines without one: fail where CI says so, skip loudly elsewhere.

use super::{DeviceChoice, Gpu, GpuError};
use std::sync::OnceLock;

/// The shared test device, or `None` after printing `skipped: no adapter`.
///
/// # Panics
/// With `REQUIRE_GPU=1` when there is no device, and whenever a device is there but cannot be opened.
pub fn gpu() -> Option<Gpu> {
    static SHARED: OnceLock<Option<Gpu>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match Gpu::new(&DeviceChoice::Auto) {
        Ok(gpu) => Some(gpu),
        Err(GpuError::NoAdapter) => None,
        Err(e) => panic!("a device is there but does not open: {e}"),
    });
    if shared.is_none() {
        assert!(std::env::var_os("REQUIRE_GPU").is_none_or(|v| v != "1"), "REQUIRE_GPU=1 and no adapter");
        eprintln!("skipped: no adapter");
    }
    shared.clone()
}

/// Asserts that the WGSL struct `type_name` of shader `name` has exactly these members at these offsets.
pub fn assert_layout(name: &str, type_name: &str, bytes: usize, members: &[(&str, usize)]) {
    let layout = super::struct_layout(name, type_name).expect("the struct exists");
    assert_eq!(layout.bytes as usize, bytes, "size of {type_name} in {name}");
    let expected: Vec<(String, u32)> =
        members.iter().map(|(n, o)| ((*n).to_owned(), u32::try_from(*o).expect("small"))).collect();
    assert_eq!(layout.members, expected, "members of {type_name} in {name}");
}
