//! The only place that names `wgpu`: devices, buffers, kernels by reflection, recorded work, and what can go wrong.
//!
//! # The objects and their lifetimes
//! - [`Gpu`]: one device and its queue; cheap to clone. A worker thread owns its own (two queues of one device
//!   serialise, and a waiting poll blocks submits: wgpu #9470).
//! - [`Buffer`]: sized memory, checked against the device's limits before it is asked for.
//! - [`Kernel`]: one WGSL file, one compute entry point of the file's name. Its bindings come from naga's reflection;
//!   [`Kernel::bind`] checks names and gives a [`Bound`] that is made once and dispatched every iteration.
//! - [`IdRaster`]: the one hardware raster pass, triangle ids into a linear buffer.
//! - [`Recorder`]: one command buffer; `submit` hands it over, [`Gpu::read`] waits for it.
//! - [`Spans`]: device time of recorded work by kernel, where there are timestamps.
//!
//! wgpu reports errors late and by callback. We collect them: allocation and pipeline creation are wrapped in error
//! scopes, everything else lands in one slot that [`Gpu::check`] (called by every submit and read) turns into a
//! [`GpuError`]. Nothing panics.

mod buffer;
mod device;
mod id_raster;
mod kernel;
mod recorder;
pub mod shader;
#[cfg(test)]
pub mod testing;
mod timing;

pub use buffer::Buffer;
pub use device::{DeviceChoice, DeviceDescription, Gpu, list_devices};
pub use id_raster::{IdRaster, IdTarget, RasterBound};
pub use kernel::{Bound, Kernel, StructLayout, struct_layout};
pub use recorder::Recorder;
pub use timing::{KernelTime, Spans};

/// What can go wrong between us and the graphics driver.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GpuError {
    /// No driver offers a device.
    #[error(
        "no graphics device was found: install a Vulkan driver (Debian/Ubuntu: `apt install mesa-vulkan-drivers` gives a \
         software one) and try `thenar devices`"
    )]
    NoAdapter,
    /// `--device` names something that is not there.
    #[error("no graphics device matches `{wanted}`; there are: {available}")]
    UnknownDevice {
        /// What was asked for.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// The driver refused to open the device.
    #[error("the graphics device could not be opened: {0}")]
    Open(String),
    /// A buffer is larger than the device allows.
    #[error(
        "buffer `{label}` needs {bytes} bytes, this device allows {limit} ({what}); use a smaller preset or fewer views"
    )]
    TooLarge {
        /// Which buffer.
        label: String,
        /// Size asked for.
        bytes: u64,
        /// Size allowed.
        limit: u64,
        /// Which limit.
        what: &'static str,
    },
    /// Allocation failed.
    #[error(
        "the graphics device ran out of memory while allocating `{label}` ({bytes} bytes); use a smaller preset or close other programs"
    )]
    OutOfMemory {
        /// Which buffer.
        label: String,
        /// Size asked for.
        bytes: u64,
    },
    /// The driver reset or the device vanished.
    #[error("the graphics device was lost ({0}); the run can be resumed from its last checkpoint with --resume")]
    Lost(String),
    /// A shader does not compile or a `//#use` names nothing.
    #[error("shader `{name}`: {message}")]
    Shader {
        /// Which file.
        name: String,
        /// What the compiler said.
        message: String,
    },
    /// `bind` was called with the wrong names.
    #[error("kernel `{kernel}`: {message}")]
    Binding {
        /// Which kernel.
        kernel: String,
        /// Which name is missing or unknown.
        message: String,
    },
    /// Validation error of the driver layer: a bug of ours.
    #[error("the graphics layer reported an error: {0}")]
    Validation(String),
}

impl GpuError {
    /// True for the errors that mean "the GPU is gone or full" (exit code 5).
    #[must_use]
    pub const fn is_lost_or_full(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::OutOfMemory { .. } | Self::TooLarge { .. })
    }
}
