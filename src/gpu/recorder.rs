//! One command buffer: dispatches share a compute pass until something else must happen in between.

use super::id_raster::RasterBound;
use super::{Bound, Buffer, Gpu, GpuError, IdRaster, IdTarget, Spans};

/// Records work in order; nothing runs before [`Recorder::submit`].
pub struct Recorder {
    gpu: Gpu,
    label: String,
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
    spans: Option<Spans>,
}

fn encoder(gpu: &Gpu, label: &str) -> wgpu::CommandEncoder {
    gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(label) })
}

impl Recorder {
    pub(super) fn new(gpu: &Gpu, label: &str) -> Self {
        Self { gpu: gpu.clone(), label: label.to_owned(), encoder: encoder(gpu, label), pass: None, spans: None }
    }

    /// Times what is recorded from here on, if there is something to time with; [`Recorder::submit_timed`] gives it back.
    pub fn time(&mut self, spans: Option<Spans>) {
        self.end_pass();
        self.spans = spans;
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
        let span = self.spans.as_mut().and_then(|spans| spans.next(bound.name()));
        if span.is_some() {
            // A pass of its own.
            self.pass = None;
        }
        let pass = self.pass.get_or_insert_with(|| {
            let timestamp_writes = span.map(|(query_set, first)| wgpu::ComputePassTimestampWrites {
                query_set,
                beginning_of_pass_write_index: Some(first),
                end_of_pass_write_index: Some(first + 1),
            });
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            self.encoder.begin_compute_pass(&descriptor).forget_lifetime()
        });
        pass.set_pipeline(bound.pipeline());
        pass.set_bind_group(0, bound.group(), &[]);
        pass
    }

    fn end_pass(&mut self) {
        self.pass = None;
    }

    /// Records something that is no pass.
    fn between(&mut self, name: &str, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
        self.end_pass();
        let span = self.spans.as_mut().and_then(|spans| spans.next_between(name));
        if let Some((set, first)) = span {
            self.encoder.write_timestamp(set, first);
            record(&mut self.encoder);
            self.encoder.write_timestamp(set, first + 1);
        } else {
            record(&mut self.encoder);
        }
    }

    /// Fills a buffer with zero bytes.
    pub fn clear(&mut self, buffer: &Buffer) {
        self.between("clear", |encoder| encoder.clear_buffer(buffer.raw(), 0, None));
    }

    /// Fills the first `bytes` bytes of a buffer with zeros.
    pub fn clear_start(&mut self, buffer: &Buffer, bytes: u64) {
        self.between("clear", |encoder| encoder.clear_buffer(buffer.raw(), 0, Some(bytes)));
    }

    /// Copies the whole of `from` to the start of `to`.
    pub fn copy(&mut self, from: &Buffer, to: &Buffer) {
        self.copy_range(from, 0, to, 0, from.len_bytes().min(to.len_bytes()));
    }

    /// Copies bytes between buffers.
    pub fn copy_range(&mut self, from: &Buffer, from_offset: u64, to: &Buffer, to_offset: u64, bytes: u64) {
        self.between("copy", |encoder| {
            encoder.copy_buffer_to_buffer(from.raw(), from_offset, to.raw(), to_offset, bytes);
        });
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
        let span = self.spans.as_mut().and_then(|spans| spans.next(raster.name()));
        let timestamps = span.map(|(query_set, first)| wgpu::RenderPassTimestampWrites {
            query_set,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        });
        raster.record(&mut self.encoder, target, bound, size, arguments, ids, timestamps);
    }

    /// Hands over what was recorded so far and goes on recording.
    ///
    /// # Errors
    /// The first error the device has reported so far.
    pub fn flush(&mut self) -> Result<(), GpuError> {
        self.end_pass();
        let recorded = std::mem::replace(&mut self.encoder, encoder(&self.gpu, &self.label));
        self.gpu.queue().submit([recorded.finish()]);
        self.gpu.check()
    }

    /// Hands the recorded work to the device.
    ///
    /// # Errors
    /// The first error the device has reported so far.
    pub fn submit(self) -> Result<(), GpuError> {
        self.submit_timed().map(|_| ())
    }

    /// The same, and gives back what it was timed with, to be read.
    ///
    /// # Errors
    /// The first error the device has reported so far.
    pub fn submit_timed(mut self) -> Result<Option<Spans>, GpuError> {
        self.end_pass();
        let commands = self.encoder.finish();
        self.gpu.queue().submit([commands]);
        self.gpu.check()?;
        Ok(self.spans)
    }
}
