//! Figures for developers, hidden until F12: how long each phase takes an epoch. Times come as [`Timing`]s, so that other
//! measured pieces of work, such as kernels, fill a table of the same form.

use super::theme::{self, faint};
use crate::pipeline::{KernelRate, PhaseRates, StepReport};
use crate::studio::session::Session;
use egui::{Context, Grid, RichText, Ui, Window, pos2};

/// Last passes that the newest figure is taken over.
const NEWEST: usize = 30;

/// How long a piece of work takes that is done again and again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Timing {
    /// What: a phase, a kernel.
    pub(super) name: String,
    /// How often it was done.
    pub(super) passes: usize,
    /// Milliseconds of those passes that were measured, in order.
    pub(super) ms: Vec<f64>,
}

impl Timing {
    /// Mean of some, milliseconds; none of none.
    fn mean_ms(values: &[f64]) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let count = values.len() as f64;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / count)
    }

    /// Passes a second over all of it.
    pub(super) fn per_second(&self) -> Option<f64> {
        Self::mean_ms(&self.ms).filter(|ms| *ms > 0.0).map(|ms| 1e3 / ms)
    }

    /// Milliseconds a pass: of all, the median, of the newest.
    pub(super) fn figures_ms(&self) -> [Option<f64>; 3] {
        let mut sorted = self.ms.clone();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied();
        [Self::mean_ms(&self.ms), median, Self::mean_ms(&self.ms[self.ms.len().saturating_sub(NEWEST)..])]
    }
}

/// The phases of a run in their order. The time of an epoch is that between its report and the one before, computing only;
/// the first of a phase is not measured, as its preparation would be counted in.
pub(super) fn phases(steps: &[StepReport]) -> Vec<Timing> {
    let mut out: Vec<Timing> = Vec::new();
    let mut last: Option<&StepReport> = None;
    for step in steps {
        let same = last.is_some_and(|l| (l.stage, &l.phase) == (step.stage, &step.phase));
        if !same {
            out.push(Timing { name: format!("{} {}", step.stage.name(), step.phase), passes: 0, ms: Vec::new() });
        }
        if let Some(timing) = out.last_mut() {
            timing.passes += 1;
            // A resumed run begins its clock anew: a time that runs backwards is none.
            if let Some(before) = last.filter(|l| same && l.t <= step.t) {
                timing.ms.push((step.t - before.t) * 1e3);
            }
        }
        last = Some(step);
    }
    out
}

/// One table of timings; `pass` is the word for what is done once.
fn table(ui: &mut Ui, title: &str, pass: &str, timings: &[Timing]) {
    theme::title(ui, title);
    Grid::new(title).num_columns(6).spacing([16.0, 3.0]).striped(true).show(ui, |ui| {
        let head = ["", &format!("{pass}s"), &format!("{pass}s/s"), "ms, mean", "ms, median", "ms, newest"];
        for text in head {
            ui.label(RichText::new(text).small().color(faint()));
        }
        ui.end_row();
        for timing in timings {
            ui.label(&timing.name);
            let figures = timing.figures_ms();
            let numbers = [timing.per_second(), figures[0], figures[1], figures[2]].map(number);
            for text in std::iter::once(timing.passes.to_string()).chain(numbers) {
                ui.label(RichText::new(text).monospace());
            }
            ui.end_row();
        }
    });
}

/// A number with three digits that count, or a dash.
fn number(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(v) if v >= 100.0 => format!("{v:.0}"),
        Some(v) if v >= 10.0 => format!("{v:.1}"),
        Some(v) => format!("{v:.2}"),
    }
}

/// Most kernels in the table; the rest are summed.
const KERNELS: usize = 14;

/// Kernels of one phase: name, dispatches a step, milliseconds a step, share of the device's time. The most expensive
/// first; the last row sums what is left.
pub(super) fn kernel_rows(rates: &PhaseRates) -> Vec<[String; 4]> {
    let all: f64 = rates.kernels.iter().map(|k| k.ms).sum();
    let row = |name: String, calls: f64, ms: f64| {
        let share = if all > 0.0 { format!("{:.0} %", 100.0 * ms / all) } else { "–".to_owned() };
        [name, number(Some(calls)), number(Some(ms)), share]
    };
    let (named, rest) = rates.kernels.split_at(rates.kernels.len().min(KERNELS));
    let mut rows: Vec<_> = named.iter().map(|k| row(k.kernel.clone(), k.calls, k.ms)).collect();
    if !rest.is_empty() {
        let sum = |of: &dyn Fn(&KernelRate) -> f64| rest.iter().map(of).sum();
        rows.push(row(format!("{} others", rest.len()), sum(&|k| k.calls), sum(&|k| k.ms)));
    }
    rows
}

/// The kernels of the newest phase that was timed.
fn kernels(ui: &mut Ui, pace: &[PhaseRates]) {
    let Some(rates) = pace.iter().rev().find(|p| p.timed_steps > 0) else {
        if !pace.is_empty() {
            ui.label(
                RichText::new("Kernels are timed from the second step on, where the device has timestamps")
                    .color(faint()),
            );
        }
        return;
    };
    theme::title(ui, &format!("KERNELS · {}", rates.phase.name()));
    Grid::new("kernels").num_columns(4).spacing([16.0, 3.0]).striped(true).show(ui, |ui| {
        for text in ["", "calls a step", "ms a step", "share"] {
            ui.label(RichText::new(text).small().color(faint()));
        }
        ui.end_row();
        for [name, numbers @ ..] in kernel_rows(rates) {
            ui.label(name);
            for text in numbers {
                ui.label(RichText::new(text).monospace());
            }
            ui.end_row();
        }
    });
    let timed = format!("Means of {} timed steps of {}, on the device's clock", rates.timed_steps, rates.steps);
    ui.label(RichText::new(timed).small().color(faint()));
}

pub(super) fn show(ctx: &Context, session: &mut Session) {
    let timings = if session.ui.show_developer { phases(&session.steps) } else { Vec::new() };
    Window::new("Developer")
        .open(&mut session.ui.show_developer)
        .collapsible(false)
        .resizable(false)
        .default_pos(pos2(200.0, 160.0))
        .show(ctx, |ui| {
            if timings.is_empty() {
                ui.label(RichText::new("Figures appear here when a reconstruction runs").color(faint()));
            } else {
                table(ui, "PHASES", "epoch", &timings);
                kernels(ui, &session.pace);
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Stage;

    fn report(stage: Stage, phase: &str, iter: u32, t: f64) -> StepReport {
        StepReport { t, stage, phase: phase.to_owned(), iter, iters: 9, total: 1.0, terms: Vec::new() }
    }

    #[test]
    fn epochs_are_timed_within_their_phase_and_resumed_clocks_are_left_out() {
        let steps = [
            report(Stage::Fit, "lm", 1, 1.0),
            report(Stage::Fit, "lm", 2, 1.5),
            report(Stage::Ham, "shape", 1, 9.0),
            report(Stage::Ham, "shape", 2, 9.1),
            report(Stage::Ham, "shape", 3, 0.0),
            report(Stage::Ham, "shape", 4, 0.3),
        ];
        let found = phases(&steps);
        assert_eq!(found.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["fit lm", "ham shape"], "both phases");
        assert_eq!(found[0].ms, [500.0], "between the reports");
        assert_eq!((found[1].passes, found[1].ms.len()), (4, 2), "neither the preparation nor the resumption");
        assert!((found[1].per_second().expect("measured") - 5.0).abs() < 1e-9, "400 ms for two: {found:?}");
        let [mean, median, newest] = found[1].figures_ms().map(|ms| ms.expect("measured").round());
        assert_eq!([mean, median, newest], [200.0, 300.0, 200.0], "milliseconds");
        let none = Timing { name: String::new(), passes: 0, ms: Vec::new() };
        assert_eq!((none.per_second(), none.figures_ms()), (None, [None; 3]), "nothing was measured");
    }

    #[test]
    fn kernels_are_listed_by_cost_and_what_is_left_is_summed() {
        let kernel = |i: usize| KernelRate { kernel: format!("k{i}"), calls: 2.0, ms: if i == 0 { 16.0 } else { 1.0 } };
        let rates = |count| PhaseRates {
            phase: crate::fitting::ham::Phase::Shape,
            epochs: 1,
            steps: 4,
            seconds: 1.0,
            epochs_per_s: 1.0,
            timed_steps: 1,
            kernels: (0..count).map(kernel).collect(),
        };
        let rows = kernel_rows(&rates(17));
        assert_eq!(rows.len(), KERNELS + 1, "the rest is one row");
        assert_eq!(rows[0], ["k0", "2.00", "16.0", "50 %"], "half of the time");
        assert_eq!(rows[KERNELS], ["3 others", "6.00", "3.00", "9 %"], "three of them together");
        assert_eq!(kernel_rows(&rates(2)).len(), 2, "nothing is left");
        assert!(kernel_rows(&rates(0)).is_empty(), "a device without timestamps");
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([Some(1234.0), Some(12.34), Some(0.5), None].map(number), ["1234", "12.3", "0.50", "–"]);
    }
}
