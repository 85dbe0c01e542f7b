//! How fast a phase goes: epochs a second, and milliseconds of every kernel where the device has timestamps.
//!
//! Only one step in [`TIMED_EVERY`] is timed by kernel, because a timed step runs every dispatch in a pass of its own: what it
//! costs stays below the noise of a step. The results of a timed step are those of any other.

use super::Phase;
use crate::gpu::{Gpu, GpuError, KernelTime, Recorder, Spans};
use serde::{Serialize, Serializer};
use std::time::Instant;

/// One step in so many is timed by kernel: the second (the first compiles), then every so many.
const TIMED_EVERY: u32 = 32;

/// The pace of a phase, of all steps so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseRates {
    /// The phase.
    #[serde(serialize_with = "name")]
    pub phase: Phase,
    /// Epochs finished.
    pub epochs: u32,
    /// Optimiser steps taken.
    pub steps: u32,
    /// Seconds they took, on the wall.
    pub seconds: f64,
    /// Epochs a second; 0 before the first.
    pub epochs_per_s: f64,
    /// Steps that were timed by kernel; 0 where the device has no timestamps.
    pub timed_steps: u32,
    /// Means over the timed steps, the most expensive kernel first.
    pub kernels: Vec<KernelRate>,
}

/// One kernel in one optimiser step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelRate {
    /// Its name, `clear` or `copy`.
    pub kernel: String,
    /// Dispatches a step.
    pub calls: f64,
    /// Milliseconds of all of them together, on the device's clock.
    pub ms: f64,
}

fn name<S: Serializer>(phase: &Phase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(phase.name())
}

impl PhaseRates {
    /// One line: `shape: 120 epochs in 55.1 s, 2.2 epochs/s; ms a step: raster/visibility 12.1, … (3 steps timed)`.
    #[must_use]
    pub fn sentence(&self) -> String {
        /// Kernels that are named; the rest is summed.
        const NAMED: usize = 6;
        let mut text = format!(
            "{}: {} epochs in {:.1} s, {:.2} epochs/s",
            self.phase.name(),
            self.epochs,
            self.seconds,
            self.epochs_per_s
        );
        if self.timed_steps > 0 {
            let named = self.kernels.iter().take(NAMED).map(|k| format!("{} {:.1}", k.kernel, k.ms));
            let rest: f64 = self.kernels.iter().skip(NAMED).map(|k| k.ms).sum();
            let all: Vec<String> = named.chain((rest > 0.0).then(|| format!("others {rest:.1}"))).collect();
            text += &format!("; ms a step: {} ({} of {} timed)", all.join(", "), self.timed_steps, self.steps);
        }
        text
    }
}

/// Counts and times the steps of the current phase.
pub(super) struct RateMeter {
    spans: Option<Spans>,
    began: Option<Instant>,
    epochs: u32,
    steps: u32,
    seconds: f64,
    timed_steps: u32,
    kernels: Vec<KernelTime>,
}

impl RateMeter {
    pub(super) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        let spans = Spans::new(gpu)?;
        Ok(Self { spans, began: None, epochs: 0, steps: 0, seconds: 0.0, timed_steps: 0, kernels: Vec::new() })
    }

    /// The step under way is one of those that are timed by kernel, in all its parts.
    const fn is_timed(&self) -> bool {
        self.steps % TIMED_EVERY == 1
    }

    /// A step begins, or goes on.
    pub(super) fn recorder(&mut self, gpu: &Gpu) -> Recorder {
        self.began = Some(Instant::now());
        let mut recorder = gpu.recorder("ham step");
        if self.is_timed() {
            recorder.time(self.spans.take());
        }
        recorder
    }

    /// The step's work is recorded, or the last of it: hands it over and waits for it. Seconds it took.
    pub(super) fn finish(&mut self, gpu: &Gpu, recorder: Recorder) -> Result<f64, GpuError> {
        let seconds = self.part(gpu, recorder)?;
        // The spans are back, if there are any.
        self.timed_steps += u32::from(self.is_timed() && self.spans.is_some());
        self.steps += 1;
        Ok(seconds)
    }

    /// Some of the step's work is recorded: hands it over and waits for it. Seconds it took.
    pub(super) fn part(&mut self, gpu: &Gpu, recorder: Recorder) -> Result<f64, GpuError> {
        if let Some(mut spans) = recorder.submit_timed()? {
            for time in spans.read(gpu)? {
                match self.kernels.iter_mut().find(|k| k.name == time.name) {
                    Some(sum) => {
                        sum.calls += time.calls;
                        sum.ms += time.ms;
                    }
                    None => self.kernels.push(time),
                }
            }
            self.spans = Some(spans);
        } else {
            gpu.wait()?;
        }
        let seconds = self.began.take().map_or(0.0, |began| began.elapsed().as_secs_f64());
        self.seconds += seconds;
        Ok(seconds)
    }

    /// An epoch has ended.
    pub(super) const fn epoch(&mut self) {
        self.epochs += 1;
    }

    /// So far in this phase.
    pub(super) fn rates(&self, phase: Phase) -> PhaseRates {
        let timed = f64::from(self.timed_steps.max(1));
        let rate =
            |k: &KernelTime| KernelRate { kernel: k.name.clone(), calls: f64::from(k.calls) / timed, ms: k.ms / timed };
        let mut kernels: Vec<KernelRate> = self.kernels.iter().map(rate).collect();
        kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        PhaseRates {
            phase,
            epochs: self.epochs,
            steps: self.steps,
            seconds: self.seconds,
            epochs_per_s: if self.seconds > 0.0 { f64::from(self.epochs) / self.seconds } else { 0.0 },
            timed_steps: self.timed_steps,
            kernels,
        }
    }

    /// Ends the phase; `None` when it had no step.
    pub(super) fn end(&mut self, phase: Phase) -> Option<PhaseRates> {
        let rates = (self.steps > 0).then(|| self.rates(phase));
        (self.epochs, self.steps, self.seconds, self.timed_steps) = (0, 0, 0.0, 0);
        self.kernels.clear();
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_most_expensive_kernels() {
        let kernel = |(i, ms): (usize, f64)| KernelRate { kernel: format!("k{i}"), calls: 1.0, ms };
        let kernels: Vec<KernelRate> =
            [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 2.0, 1.0].into_iter().enumerate().map(kernel).collect();
        let rates = PhaseRates {
            phase: Phase::Shape,
            epochs: 120,
            steps: 480,
            seconds: 60.0,
            epochs_per_s: 2.0,
            timed_steps: 15,
            kernels,
        };
        assert_eq!(
            rates.sentence(),
            "shape: 120 epochs in 60.0 s, 2.00 epochs/s; ms a step: k0 9.0, k1 8.0, k2 7.0, k3 6.0, k4 5.0, k5 4.0, \
             others 3.0 (15 of 480 timed)",
            "one line"
        );
        let without = PhaseRates { timed_steps: 0, kernels: vec![], ..rates.clone() };
        assert_eq!(without.sentence(), "shape: 120 epochs in 60.0 s, 2.00 epochs/s", "a device without timestamps");
        let json = serde_json::to_value(&rates).expect("plain data");
        assert_eq!((&json["phase"], &json["kernels"][1]["ms"]), (&"shape".into(), &8.0.into()), "for programs");
    }
}
