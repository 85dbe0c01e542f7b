//! One command buffer: dispatches share a compute pass until something else must happen in between.

use super::id_raster::RasterBound;
use super::{Bound, Buffer, Gpu, GpuError, IdRaster, IdTarget};

/// Records work in order; nothing runs before [`Recorder::submit`].
pub struct Recorder {
    gpu: Gpu,
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
}

impl Recorder {
    pub(super) fn new(gpu: &Gpu, label: &str) -> Self {
        let encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(label) });
        Self { gpu: gpu.clone(), encoder, pass: None }
    }

    /// Runs a bound kernel with one invocation per item (the tail of the last workgroup is the kernel's to guard).
    pub fn dispatch(&mut self, bound: &Bound, items: u32) {
        let groups = items.div_ceil(bound.invocations_per_workgroup());
        self.dispatch_workgroups(bound, groups);
    }

    /// Runs a bound kernel with `groups` workgroups, folded into two dimensions where there are too many for one.
    pub fn dispatch_workgroups(&mut self, bound: &Bound, groups: u32) {
        if groups == 0 {
            return;
        }
        let x = groups.min(65_535);
        let y = groups.div_ceil(x);
        self.pass_with(bound).dispatch_workgroups(x, y, 1);
    }

    /// Runs a bound kernel with the numbers of workgroups that stand in `arguments` (three words from byte `offset`) when
    /// its turn comes.
    pub fn dispatch_indirect(&mut self, bound: &Bound, arguments: &Buffer, offset: u64) {
        self.pass_with(bound).dispatch_workgroups_indirect(arguments.raw(), offset);
    }

    fn pass_with(&mut self, bound: &Bound) -> &mut wgpu::ComputePass<'static> {
        let pass = self.pass.get_or_insert_with(|| {
            self.encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()).forget_lifetime()
        });
        pass.set_pipeline(bound.pipeline());
        pass.set_bind_group(0, bound.group(), &[]);
        pass
    }

    fn end_pass(&mut self) {
        self.pass = None;
    }

    /// Fills a buffer with zero bytes.
    pub fn clear(&mut self, buffer: &Buffer) {
        self.end_pass();
        self.encoder.clear_buffer(buffer.raw(), 0, None);
    }

    /// Fills the first `bytes` bytes of a buffer with zeros.
    pub fn clear_start(&mut self, buffer: &Buffer, bytes: u64) {
        self.end_pass();
        self.encoder.clear_buffer(buffer.raw(), 0, Some(bytes));
    }

    /// Copies the whole of `from` to the start of `to`.
    pub fn copy(&mut self, from: &Buffer, to: &Buffer) {
        self.copy_range(from, 0, to, 0, from.len_bytes().min(to.len_bytes()));
    }

    /// Copies bytes between buffers.
    pub fn copy_range(&mut self, from: &Buffer, from_offset: u64, to: &Buffer, to_offset: u64, bytes: u64) {
        self.end_pass();
        self.encoder.copy_buffer_to_buffer(from.raw(), from_offset, to.raw(), to_offset, bytes);
    }

    /// Rasterises triangle ids of a `size` = (width, height) view and copies them into `ids` (height × width words).
    /// The draw's four words stand at the start of `arguments`.
    pub fn raster(
        &mut self,
        raster: &IdRaster,
        target: &IdTarget,
        bound: &RasterBound,
        size: (u32, u32),
        arguments: &Buffer,
        ids: &Buffer,
    ) {
        self.end_pass();
        raster.record(&mut self.encoder, target, bound, size, arguments, ids);
    }

    /// Hands the recorded work to the device.
    ///
    /// # Errors
    /// The first error the device has reported so far.
    pub fn submit(mut self) -> Result<(), GpuError> {
        self.end_pass();
        let commands = self.encoder.finish();
        self.gpu.queue().submit([commands]);
        self.gpu.check()
    }
}
