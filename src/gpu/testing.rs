//! One adapter for all tests, and the rule for machines without one: fail where CI says so, skip loudly elsewhere.

use super::{Buffer, DeviceChoice, Gpu, GpuError, Kernel};
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

/// A change of one kernel's text that a check must notice: `(kernel, from, to)`.
pub type Edit = (&'static str, &'static str, &'static str);

/// The frame of every kernel test: compiles, binds and runs kernels on the shared device, one of them edited when a check
/// must fail.
pub struct KernelTest {
    gpu: Gpu,
    edit: Option<Edit>,
}

impl KernelTest {
    /// On the shared device; `None` (after the skip message) where there is no adapter.
    pub fn new(edit: Option<Edit>) -> Option<Self> {
        Some(Self { gpu: gpu()?, edit })
    }

    /// The device.
    pub const fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The text of kernel `name` with what it uses, edited if it is the edit's kernel.
    pub fn source(&self, name: &str) -> String {
        let text = super::shader::source(name).expect("a known kernel");
        match self.edit {
            Some((kernel, from, to)) if kernel == name => {
                let edited = text.replace(from, to);
                assert_ne!(text, edited, "`{from}` stands in {name}");
                edited
            }
            _ => text,
        }
    }

    /// The kernel `name`, edited if it is the edit's kernel.
    pub fn kernel(&self, name: &str) -> Kernel {
        Kernel::from_text(&self.gpu, name, &self.source(name)).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Zeroed memory of `words` words of 4 bytes.
    pub fn zeros(&self, words: usize) -> Buffer {
        Buffer::zeros(&self.gpu, "test", words as u64 * 4).expect("small")
    }

    /// Memory holding `data`.
    pub fn storage<T: bytemuck::Pod>(&self, data: &[T]) -> Buffer {
        Buffer::storage(&self.gpu, "test", data).expect("small")
    }

    /// A uniform holding `value`.
    pub fn uniform<T: bytemuck::Pod>(&self, value: &T) -> Buffer {
        Buffer::uniform(&self.gpu, "test", value).expect("small")
    }

    /// Compiles `name`, binds the lists of buffers and runs one invocation an item.
    pub fn run(&self, name: &str, buffers: &[&[(&str, &Buffer)]], items: usize) {
        let bound = self.kernel(name).bind(&buffers.concat()).unwrap_or_else(|e| panic!("{e}"));
        let mut recorder = self.gpu.recorder("test");
        recorder.dispatch(&bound, u32::try_from(items).expect("small"));
        recorder.submit().expect("runs");
    }

    /// Everything in `buffer`.
    pub fn read<T: bytemuck::Pod>(&self, buffer: &Buffer) -> Vec<T> {
        self.gpu.read(buffer).expect("reads")
    }
}
