//! Progress on stderr: one live line on a terminal, a line now and then elsewhere, or JSON for programs.
//!
//! Rate and time left are those of the current phase, from the steps' own clock (pauses excluded) over the last
//! [`WINDOW`] steps, so that a slow first step (shader compilation) is soon forgotten.

use crate::pipeline::{DETECTION, PhaseRates, Stage, StepReport};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::io::{IsTerminal, Write};

/// Steps over which the rate is taken.
const WINDOW: usize = 32;
/// Seconds between two lines of the plain form.
const PLAIN_INTERVAL: f64 = 5.0;
/// Seconds between two states of the live line.
const LIVE_INTERVAL: f64 = 0.1;
/// Wipes the terminal line that the cursor stands in.
pub(super) const CLEAR_LINE: &str = "\r\x1b[2K";

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// A live line on a terminal, `plain` elsewhere.
    #[default]
    Auto,
    /// A line at the start and the end of each phase and every few seconds.
    Plain,
    /// One JSON object a line: `step`, `rates`, `stage`, `frame` and `done` events.
    Json,
    /// Nothing.
    None,
}

/// The form that a mode comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Live,
    Plain,
    Json,
    None,
}

/// Prints the progress of a reconstruction. Errors of the output are not ours to report: a run does not end because
/// nobody reads along.
pub struct Progress {
    form: Form,
    out: Box<dyn Write + Send>,
    phase: Option<(Stage, String)>,
    steps: VecDeque<(u32, f64)>,
    printed: f64,
    live: bool,
}

/// How fast a phase goes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    /// Iterations a second.
    rate: f64,
    /// Seconds to the end of the phase.
    left: f64,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'a> {
    Step {
        t: f64,
        stage: Stage,
        phase: &'a str,
        iter: u32,
        iters: u32,
        total: f64,
        terms: BTreeMap<&'a str, f64>,
        rate: Option<f64>,
        eta_s: Option<f64>,
    },
    Rates {
        stage: Stage,
        #[serde(flatten)]
        rates: &'a PhaseRates,
    },
    Stage {
        stage: Stage,
        findings: &'a [String],
    },
    Frame {
        frame: &'a str,
        at: usize,
        of: usize,
    },
    Done {
        output: String,
    },
}

impl Progress {
    /// Progress on stderr.
    #[must_use]
    pub fn new(mode: ProgressMode) -> Self {
        Self::to(mode, std::io::stderr().is_terminal(), Box::new(std::io::stderr()))
    }

    fn to(mode: ProgressMode, terminal: bool, out: Box<dyn Write + Send>) -> Self {
        let form = match mode {
            ProgressMode::Auto if terminal => Form::Live,
            ProgressMode::Auto | ProgressMode::Plain => Form::Plain,
            ProgressMode::Json => Form::Json,
            ProgressMode::None => Form::None,
        };
        Self { form, out, phase: None, steps: VecDeque::new(), printed: f64::NEG_INFINITY, live: false }
    }

    /// A step was taken.
    pub fn step(&mut self, report: &StepReport) {
        let starts = self.phase.as_ref().is_none_or(|(stage, phase)| *stage != report.stage || *phase != report.phase);
        if starts {
            self.phase = Some((report.stage, report.phase.clone()));
            self.steps.clear();
        }
        self.steps.push_back((report.iter, report.t));
        if self.steps.len() > WINDOW {
            self.steps.pop_front();
        }
        let pace = self.pace(report);
        let ends = report.iter >= report.iters;
        let waited = report.t - self.printed;
        match self.form {
            Form::Json => self.event(&Event::Step {
                t: report.t,
                stage: report.stage,
                phase: &report.phase,
                iter: report.iter,
                iters: report.iters,
                total: report.total,
                terms: report.terms.iter().map(|(name, value)| (name.as_str(), *value)).collect(),
                rate: pace.map(|p| p.rate),
                eta_s: pace.map(|p| p.left),
            }),
            Form::Plain if starts || ends || waited >= PLAIN_INTERVAL => {
                self.printed = report.t;
                self.line(&sentence(report, pace));
            }
            Form::Live if starts || ends || waited >= LIVE_INTERVAL => {
                self.printed = report.t;
                let _ = write!(self.out, "{CLEAR_LINE}{}", sentence(report, pace));
                let _ = self.out.flush();
                self.live = true;
            }
            Form::Plain | Form::Live | Form::None => {}
        }
    }

    /// A phase of HAM has ended; its pace is for programs and the log.
    pub fn phase_done(&mut self, rates: &PhaseRates) {
        if self.form == Form::Json {
            self.event(&Event::Rates { stage: Stage::Ham, rates });
        }
    }

    /// A stage has ended with these findings.
    pub fn stage_done(&mut self, stage: Stage, findings: &[String]) {
        match self.form {
            Form::Json => self.event(&Event::Stage { stage, findings }),
            Form::Plain | Form::Live => {
                self.line(&format!("{} done", stage.name()));
                for finding in findings {
                    self.line(&format!("     {finding}"));
                }
            }
            Form::None => {}
        }
    }

    /// A frame of a sequence is done.
    pub fn frame_done(&mut self, name: &str, at: usize, of: usize) {
        match self.form {
            Form::Json => self.event(&Event::Frame { frame: name, at, of }),
            Form::Plain | Form::Live => self.line(&format!("frame {name} done ({at} of {of})")),
            Form::None => {}
        }
        self.phase = None;
    }

    /// All is done; the result lies in `output`.
    pub fn done(&mut self, output: &std::path::Path) {
        let output = output.display().to_string();
        match self.form {
            Form::Json => self.event(&Event::Done { output }),
            Form::Plain | Form::Live => self.line(&format!("done: {output}")),
            Form::None => {}
        }
    }

    fn pace(&self, report: &StepReport) -> Option<Pace> {
        let &(first, began) = self.steps.front()?;
        let steps = f64::from(report.iter.checked_sub(first)?);
        let seconds = report.t - began;
        if steps < 1.0 || seconds <= 0.0 {
            return None;
        }
        let rate = steps / seconds;
        Some(Pace { rate, left: f64::from(report.iters.saturating_sub(report.iter)) / rate })
    }

    /// A line of its own; the live line makes room.
    fn line(&mut self, text: &str) {
        let clear = if self.live { CLEAR_LINE } else { "" };
        self.live = false;
        let _ = writeln!(self.out, "{clear}{text}");
    }

    fn event(&mut self, event: &Event<'_>) {
        if let Ok(text) = serde_json::to_string(event) {
            let _ = writeln!(self.out, "{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.live {
            let _ = writeln!(self.out);
        }
    }
}

/// `ham  shape  120/300  loss 0.01234  3.2 it/s  56 s left`
fn sentence(report: &StepReport, pace: Option<Pace>) -> String {
    let mut text = format!("{:<4} {:<11} {:>4}/{:<4}", report.stage.name(), report.phase, report.iter, report.iters);
    // The search for keypoints has no loss; it counts views.
    if report.phase != DETECTION {
        text += &format!(" loss {:.4e}", report.total);
    }
    if let Some(Pace { rate, left }) = pace {
        // Slow steps read better as seconds a step.
        text += &if rate >= 1.0 { format!("  {rate:.1} it/s") } else { format!("  {:.1} s/it", 1.0 / rate) };
        text += &format!("  {} left in this phase", duration(left));
    }
    text
}

/// `59 s`, `4 min 05 s`, `2 h 03 min`.
fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0);
    if whole < 60.0 {
        format!("{whole} s")
    } else if whole < 3600.0 {
        format!("{} min {:02} s", (whole / 60.0).floor(), whole % 60.0)
    } else {
        format!("{} h {:02} min", (whole / 3600.0).floor(), (whole % 3600.0 / 60.0).floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fitting::ham::Phase;
    use crate::pipeline::KernelRate;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("one thread").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_pace_of_a_phase_is_an_event() {
        let kernels = vec![KernelRate { kernel: "shading/shade".into(), calls: 4.0, ms: 1.5 }];
        let rates = PhaseRates {
            phase: Phase::Albedo,
            epochs: 40,
            steps: 160,
            seconds: 20.0,
            epochs_per_s: 2.0,
            timed_steps: 5,
            kernels,
        };
        let printed = |mode| {
            let shared = Shared::default();
            Progress::to(mode, false, Box::new(shared.clone())).phase_done(&rates);
            String::from_utf8(shared.0.lock().expect("one thread").clone()).expect("text")
        };
        let event: serde_json::Value = serde_json::from_str(&printed(ProgressMode::Json)).expect("one line of JSON");
        assert_eq!(
            (&event["event"], &event["stage"], &event["phase"]),
            (&"rates".into(), &"ham".into(), &"albedo".into())
        );
        assert_eq!((&event["epochs_per_s"], &event["kernels"][0]["ms"]), (&2.0.into(), &1.5.into()), "numbers");
        assert_eq!(printed(ProgressMode::Plain), "", "for people it stands in the log");
    }

    fn report(phase: &str, iter: u32, t: f64) -> StepReport {
        let terms = vec![("sfs".to_owned(), 1.5), ("lap".to_owned(), f64::NAN)];
        StepReport { t, stage: Stage::Ham, phase: phase.into(), iter, iters: 100, total: 1.5, terms }
    }

    /// Two phases of 100 steps, half a second each, and their end.
    fn printed(mode: ProgressMode, terminal: bool) -> String {
        let shared = Shared::default();
        let mut progress = Progress::to(mode, terminal, Box::new(shared.clone()));
        for (phase, start) in [("albedo", 0.0), ("shape", 50.0)] {
            for iter in 1..=100 {
                progress.step(&report(phase, iter, start + 0.5 * f64::from(iter)));
            }
        }
        progress.stage_done(Stage::Ham, &["view 3 was trusted".to_owned()]);
        progress.done(std::path::Path::new("runs/one"));
        drop(progress);
        let bytes = shared.0.lock().expect("one thread").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn json_is_one_object_a_line_with_rate_and_time_left() {
        let text = printed(ProgressMode::Json, true);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
        assert_eq!(lines.len(), 202, "200 steps, a stage, the end");
        assert_eq!(lines[0]["event"], "step", "kind");
        assert!(lines[0]["rate"].is_null(), "one step has no rate");
        let late = &lines[49];
        assert_eq!(
            (&late["stage"], &late["phase"], &late["iter"]),
            (&"ham".into(), &"albedo".into(), &50.into()),
            "where"
        );
        assert_eq!((&late["rate"], &late["eta_s"]), (&2.0.into(), &25.0.into()), "2 steps a second, 50 to go");
        assert_eq!(late["terms"]["sfs"], 1.5, "terms by name");
        assert!(late["terms"]["lap"].is_null(), "a number that is none is null, not a broken line");
        assert!(lines[100]["rate"].is_null(), "a new phase begins anew");
        assert_eq!(lines[200]["findings"][0], "view 3 was trusted", "findings");
        assert_eq!(lines[201]["output"], "runs/one", "where the result lies");
    }

    #[test]
    fn plain_says_something_every_few_seconds_and_at_both_ends() {
        let text = printed(ProgressMode::Plain, true);
        assert!(!text.contains('\r') && !text.contains('\x1b'), "no terminal codes");
        let lines: Vec<&str> = text.lines().collect();
        // 50 s a phase: its first step, then every 5 s; step 100 falls between two of those.
        assert_eq!(lines.len(), 2 * (1 + 9 + 1) + 3, "{text}");
        assert_eq!(
            lines[5].trim_end(),
            "ham  albedo        51/100  loss 1.5000e0  2.0 it/s  25 s left in this phase",
            "one line"
        );
        assert!(
            lines[10].contains(" 100/100 ") && lines[10].ends_with(" 0 s left in this phase"),
            "the end of a phase: {}",
            lines[10]
        );
        assert_eq!(lines[24], "done: runs/one", "the end");
        assert_eq!(printed(ProgressMode::Auto, false), text, "without a terminal, auto is plain");
    }

    #[test]
    fn a_terminal_gets_one_line_that_is_rewritten() {
        let text = printed(ProgressMode::Auto, true);
        assert_eq!(text.matches(CLEAR_LINE).count(), 201, "each step, and the line that follows the last");
        assert_eq!(text.lines().count(), 3, "only the stage, its finding and the end are kept: {text}");
    }

    #[test]
    fn none_is_silent() {
        assert_eq!(printed(ProgressMode::None, true), "", "nothing");
    }

    #[test]
    fn durations_are_readable() {
        for (seconds, expected) in
            [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (245.0, "4 min 05 s"), (7400.0, "2 h 03 min")]
        {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }
}
