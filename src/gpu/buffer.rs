//! Device memory with a name and a size that was checked first.

use super::device::Held;
use super::{Gpu, GpuError};
use std::sync::Arc;

/// A buffer on the device. Clones share the memory.
#[derive(Clone, Debug)]
pub struct Buffer {
    raw: wgpu::Buffer,
    bytes: u64,
    _held: Arc<Held>,
}

impl Buffer {
    fn allocate(gpu: &Gpu, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<Self, GpuError> {
        // WebGPU wants a multiple of 4 and refuses empty bindings; an empty list becomes one unused word.
        let bytes = bytes.max(16).next_multiple_of(4);
        let limits = gpu.limits();
        let too_large = |limit: u64, what| GpuError::TooLarge { label: label.to_owned(), bytes, limit, what };
        if bytes > limits.max_buffer_size {
            return Err(too_large(limits.max_buffer_size, "largest buffer"));
        }
        if usage.contains(wgpu::BufferUsages::STORAGE) && bytes > limits.max_storage_buffer_binding_size {
            return Err(too_large(limits.max_storage_buffer_binding_size, "largest storage binding"));
        }
        if usage.contains(wgpu::BufferUsages::UNIFORM) && bytes > limits.max_uniform_buffer_binding_size {
            return Err(too_large(limits.max_uniform_buffer_binding_size, "largest uniform binding"));
        }
        let (raw, error) = gpu.scoped(wgpu::ErrorFilter::OutOfMemory, || {
            gpu.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes,
                usage,
                mapped_at_creation: false,
            })
        });
        if error.is_some() {
            return Err(GpuError::OutOfMemory { label: label.to_owned(), bytes });
        }
        Ok(Self { raw, bytes, _held: Arc::new(gpu.hold(bytes)) })
    }

    /// Storage memory of `bytes` bytes, zeroed.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] or [`GpuError::OutOfMemory`].
    pub fn zeros(gpu: &Gpu, label: &str, bytes: u64) -> Result<Self, GpuError> {
        use wgpu::BufferUsages as U;
        Self::allocate(gpu, label, bytes, U::STORAGE | U::COPY_DST | U::COPY_SRC)
    }

    /// Storage memory holding `data`.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] or [`GpuError::OutOfMemory`].
    pub fn storage<T: bytemuck::Pod>(gpu: &Gpu, label: &str, data: &[T]) -> Result<Self, GpuError> {
        let buffer = Self::zeros(gpu, label, size_of_val(data) as u64)?;
        buffer.write(gpu, data);
        Ok(buffer)
    }

    /// Zeroed storage of `words` words that also gives the arguments of draws and dispatches.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] or [`GpuError::OutOfMemory`].
    pub fn arguments(gpu: &Gpu, label: &str, words: u64) -> Result<Self, GpuError> {
        use wgpu::BufferUsages as U;
        Self::allocate(gpu, label, words * 4, U::STORAGE | U::INDIRECT | U::COPY_DST | U::COPY_SRC)
    }

    /// Uniform memory holding `value`.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] or [`GpuError::OutOfMemory`].
    pub fn uniform<T: bytemuck::Pod>(gpu: &Gpu, label: &str, value: &T) -> Result<Self, GpuError> {
        use wgpu::BufferUsages as U;
        let buffer = Self::allocate(gpu, label, size_of::<T>() as u64, U::UNIFORM | U::COPY_DST)?;
        buffer.write(gpu, std::slice::from_ref(value));
        Ok(buffer)
    }

    /// Memory that timestamps are resolved into.
    pub(super) fn of_queries(gpu: &Gpu, bytes: u64) -> Result<Self, GpuError> {
        use wgpu::BufferUsages as U;
        Self::allocate(gpu, "timestamps", bytes, U::QUERY_RESOLVE | U::COPY_SRC)
    }

    pub(super) fn staging(gpu: &Gpu, bytes: u64) -> Result<Self, GpuError> {
        use wgpu::BufferUsages as U;
        Self::allocate(gpu, "staging", bytes, U::MAP_READ | U::COPY_DST)
    }

    /// Replaces the start of the buffer; visible to work submitted later.
    pub fn write<T: bytemuck::Pod>(&self, gpu: &Gpu, data: &[T]) {
        self.write_at(gpu, 0, data);
    }

    /// Replaces bytes from `offset`; visible to work submitted later.
    pub fn write_at<T: bytemuck::Pod>(&self, gpu: &Gpu, offset: u64, data: &[T]) {
        if !data.is_empty() {
            gpu.queue().write_buffer(&self.raw, offset, bytemuck::cast_slice(data));
        }
    }

    /// Size in bytes (at least 16, a multiple of 4).
    #[must_use]
    pub const fn len_bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn raw(&self) -> &wgpu::Buffer {
        &self.raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_counts_each_memory_once_and_no_longer_than_it_lives() {
        let Some(gpu) = crate::gpu::testing::gpu() else { return };
        // A device of its own: the tests' shared one is written to by others meanwhile.
        let gpu = Gpu::new(&crate::gpu::DeviceChoice::Name(gpu.description().name.clone())).expect("opens once more");
        assert_eq!(gpu.held_bytes(), 0, "nothing yet");
        let first = Buffer::zeros(&gpu, "first", 1000).expect("there is room");
        let clone = first.clone();
        let second = Buffer::zeros(&gpu, "second", 24).expect("there is room");
        assert_eq!(gpu.held_bytes(), 1024, "a clone is no memory of its own");
        drop(first);
        drop(second);
        assert_eq!(gpu.held_bytes(), 1000, "the clone holds it");
        drop(clone);
        assert_eq!(gpu.held_bytes(), 0, "and lets go");
    }
}
