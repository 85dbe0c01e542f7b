//! Device time of recorded work, kernel by kernel, by timestamp queries.
//!
//! A timed [`Recorder`](super::Recorder) gives every dispatch a pass of its own, between two timestamps; what is computed does
//! not change. That costs 0.03-0.05 ms a dispatch on a software driver, so time a step now and then, not all.
//! Where the device has no timestamps, [`Spans::new`] gives `None` and nothing else changes.

use super::{Buffer, Gpu, GpuError};

/// Spans that one timed piece of work can have; what comes later is not timed.
const MOST_SPANS: u32 = wgpu::QUERY_SET_MAX_QUERIES / 2;

/// Time of one kernel, summed over its dispatches.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    /// Name of the kernel, `clear` or `copy`.
    pub name: String,
    /// Dispatches.
    pub calls: u32,
    /// Milliseconds of all of them together, on the device's clock.
    pub ms: f64,
}

/// Pairs of timestamps with names; lent to a recorder and read after its work.
pub struct Spans {
    set: wgpu::QuerySet,
    resolved: Buffer,
    staging: Buffer,
    names: Vec<String>,
    /// Clears and copies can be timed too.
    between_passes: bool,
}

impl Spans {
    /// Memory for timestamps; `None` where the device has none.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`].
    pub fn new(gpu: &Gpu) -> Result<Option<Self>, GpuError> {
        let features = gpu.device().features();
        if !features.contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        let set = gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("spans"),
            ty: wgpu::QueryType::Timestamp,
            count: 2 * MOST_SPANS,
        });
        let bytes = u64::from(2 * MOST_SPANS) * 8;
        let (resolved, staging) = (Buffer::of_queries(gpu, bytes)?, Buffer::staging(gpu, bytes)?);
        let between_passes = features.contains(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS);
        Ok(Some(Self { set, resolved, staging, names: Vec::new(), between_passes }))
    }

    /// The set and the first of two timestamps of a new span; `None` when there is no room.
    pub(super) fn next(&mut self, name: &str) -> Option<(&wgpu::QuerySet, u32)> {
        let index = u32::try_from(self.names.len()).ok().filter(|i| *i < MOST_SPANS)?;
        self.names.push(name.to_owned());
        Some((&self.set, 2 * index))
    }

    /// The same for a span that is no pass.
    pub(super) fn next_between(&mut self, name: &str) -> Option<(&wgpu::QuerySet, u32)> {
        if self.between_passes { self.next(name) } else { None }
    }

    /// Waits for the timed work and gives its times in order of first appearance; the spans are free again.
    ///
    /// # Errors
    /// Whatever the submitted work ran into.
    pub fn read(&mut self, gpu: &Gpu) -> Result<Vec<KernelTime>, GpuError> {
        let names = std::mem::take(&mut self.names);
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let count = u32::try_from(2 * names.len()).unwrap_or(2 * MOST_SPANS);
        let bytes = u64::from(count) * 8;
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.resolve_query_set(&self.set, 0..count, self.resolved.raw(), 0);
        encoder.copy_buffer_to_buffer(self.resolved.raw(), 0, self.staging.raw(), 0, bytes);
        gpu.queue().submit([encoder.finish()]);
        let ticks: Vec<u64> = gpu.map(&self.staging, bytes)?;
        let ms_per_tick = f64::from(gpu.queue().get_timestamp_period()) * 1e-6;
        Ok(sum_by_name(&names, &ticks, ms_per_tick))
    }
}

#[expect(clippy::cast_precision_loss, reason = "differences of ticks are small")]
fn sum_by_name(names: &[String], ticks: &[u64], ms_per_tick: f64) -> Vec<KernelTime> {
    let mut out: Vec<KernelTime> = Vec::new();
    for (name, span) in names.iter().zip(ticks.as_chunks::<2>().0) {
        // Clocks of some devices wrap or lag: a span is never less than nothing.
        let ms = span[1].saturating_sub(span[0]) as f64 * ms_per_tick;
        match out.iter_mut().find(|t| t.name == *name) {
            Some(time) => {
                time.calls += 1;
                time.ms += ms;
            }
            None => out.push(KernelTime { name: name.clone(), calls: 1, ms }),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::testing::{self, KernelTest};

    #[test]
    fn times_are_summed_by_name() {
        let names = ["b", "a", "b"].map(str::to_owned);
        let found = sum_by_name(&names, &[10, 30, 30, 31, 50, 40], 0.5);
        let time = |name: &str, calls, ms| KernelTime { name: name.to_owned(), calls, ms };
        assert_eq!(found, [time("b", 2, 10.0), time("a", 1, 0.5)], "in order of appearance, backwards is nothing");
    }

    /// More work takes longer, a submit in between changes nothing, and timed work computes the same.
    #[test]
    fn work_is_timed_by_kernel() {
        let Some(gpu) = testing::gpu() else { return };
        let test = KernelTest::new(None).expect("there is a device");
        let Some(mut spans) = Spans::new(&gpu).expect("small") else {
            eprintln!("skipped: no timestamps");
            return;
        };
        let (step, values) = (test.storage(&vec![1.0_f32; 1 << 20]), test.zeros(1 << 20));
        let bound = test.kernel("optimise/add").bind(&[("step", &step), ("values", &values)]).expect("binds");
        for _ in 0..2 {
            let mut recorder = gpu.recorder("timed");
            recorder.clear(&values);
            recorder.time(Some(spans));
            recorder.dispatch(&bound, 1 << 20);
            recorder.flush().expect("runs");
            recorder.dispatch(&bound, 1 << 20);
            spans = recorder.submit_timed().expect("runs").expect("handed back");
            let times = spans.read(&gpu).expect("reads");
            assert_eq!(times.len(), 1, "one kernel: {times:?}");
            assert_eq!((times[0].name.as_str(), times[0].calls), ("optimise/add", 2), "both dispatches");
            assert!(times[0].ms > 0.0 && times[0].ms < 60e3, "a plausible time: {times:?}");
            assert!(test.read::<f32>(&values).iter().all(|v| *v == 2.0), "added twice");
        }
        assert!(spans.read(&gpu).expect("reads").is_empty(), "nothing was timed since");
    }
}
