//! The iteration axis of several runs: phases of the same name stand above each other, each as wide as in the longest run. Of
//! one run alone it counts its steps.

use crate::pipeline::{Stage, StepReport};

/// A phase of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    key: Key,
    /// First line.
    pub(super) from: usize,
    /// Lines.
    pub(super) len: usize,
}

/// Stage, phase, and which of that name it is: HAM has some twice.
type Key = (Stage, String, usize);

/// Where phases stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Axis {
    places: Vec<(Key, f64, f64)>,
}

/// The phases of a run in order.
pub(super) fn segments(steps: &[StepReport]) -> Vec<Segment> {
    let mut out: Vec<Segment> = Vec::new();
    let mut from = 0;
    for end in 1..=steps.len() {
        let same =
            end < steps.len() && (steps[end].stage, &steps[end].phase) == (steps[from].stage, &steps[from].phase);
        if !same {
            let (stage, phase) = (steps[from].stage, steps[from].phase.clone());
            let nth = out.iter().filter(|s| s.key.0 == stage && s.key.1 == phase).count();
            out.push(Segment { key: (stage, phase, nth), from, len: end - from });
            from = end;
        }
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "step counts are small")]
fn real(n: usize) -> f64 {
    n as f64
}

impl Axis {
    /// The axis of these runs; what only some of them have stands where they have it.
    pub(super) fn new(runs: &[&[StepReport]]) -> Self {
        let mut keys: Vec<(Key, usize)> = Vec::new();
        for steps in runs {
            // Stages have one order in all runs; within one, a new phase comes after the phase before it.
            let mut after = 0;
            for segment in segments(steps) {
                if let Some(at) = keys.iter().position(|(key, _)| *key == segment.key) {
                    keys[at].1 = keys[at].1.max(segment.len);
                    after = at + 1;
                } else {
                    let stage = segment.key.0;
                    let at = keys
                        .iter()
                        .position(|(key, _)| key.0 > stage)
                        .unwrap_or(keys.len())
                        .min(if after > 0 && keys[after - 1].0.0 == stage { after } else { usize::MAX });
                    keys.insert(at, (segment.key, segment.len));
                    after = at + 1;
                }
            }
        }
        let mut start = 0.0;
        let places = keys.into_iter().map(|(key, len)| {
            let place = (key, start, real(len));
            start += real(len);
            place
        });
        Self { places: places.collect() }
    }

    /// Where a phase begins; its first line stands at one more.
    pub(super) fn start(&self, segment: &Segment) -> f64 {
        self.places.iter().find(|p| p.0 == segment.key).map_or(0.0, |p| p.1)
    }

    /// Where the step (a number of lines) of a run stands.
    pub(super) fn place(&self, steps: &[StepReport], step: u32) -> f64 {
        let line = (step as usize).saturating_sub(1);
        let all = segments(steps);
        let inside = all.iter().find(|s| (s.from..s.from + s.len).contains(&line)).or(all.last());
        inside.map_or_else(|| f64::from(step), |s| self.start(s) + f64::from(step) - real(s.from))
    }

    /// The step of a run nearest to a place.
    pub(super) fn step(&self, steps: &[StepReport], place: f64) -> f64 {
        let all = segments(steps);
        let near = |s: &Segment| {
            let start = self.start(s);
            let inside = place.clamp(start + 1.0, start + real(s.len));
            ((place - inside).abs(), real(s.from) + inside - start)
        };
        all.iter().map(near).min_by(|a, b| a.0.total_cmp(&b.0)).map_or(place, |best| best.1)
    }

    /// Begins of the phases with their names.
    pub(super) fn marks(&self) -> Vec<(f64, String)> {
        self.places
            .iter()
            .map(|((stage, phase, _), start, _)| (start + 1.0, format!("{} {phase}", stage.name())))
            .collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Lines of phases: (stage, name, how many).
    pub(in super::super) fn run(phases: &[(Stage, &str, u32)]) -> Vec<StepReport> {
        let line = |stage, phase: &str, iter, iters| StepReport {
            t: 0.0,
            stage,
            phase: phase.to_owned(),
            iter,
            iters,
            total: f64::from(iter),
            terms: Vec::new(),
        };
        phases.iter().flat_map(|(stage, phase, n)| (1..=*n).map(move |i| line(*stage, phase, i, *n))).collect()
    }

    #[test]
    fn one_run_counts_its_steps() {
        let steps = run(&[(Stage::Fit, "lm", 3), (Stage::Ham, "albedo", 2), (Stage::Ham, "shape", 4)]);
        let axis = Axis::new(&[&steps]);
        for step in 1..=9 {
            assert_eq!(axis.place(&steps, step), f64::from(step), "as they are");
            assert_eq!(axis.step(&steps, f64::from(step)), f64::from(step), "and back");
        }
    }

    #[test]
    fn phases_of_several_runs_stand_above_each_other() {
        let long = run(&[(Stage::Fit, "lm", 3), (Stage::Ham, "albedo", 2), (Stage::Ham, "shape", 4)]);
        let other = run(&[
            (Stage::Fit, "lm", 5),
            (Stage::Ham, "albedo", 1),
            (Stage::Ham, "shape", 2),
            (Stage::Neural, "paint", 3),
        ]);
        let axis = Axis::new(&[&long, &other]);
        assert_eq!(axis.place(&long, 1), axis.place(&other, 1), "both begin at the left");
        assert_eq!((axis.place(&long, 4), axis.place(&other, 6)), (6.0, 6.0), "albedo of both after the longer fit");
        assert_eq!((axis.place(&long, 6), axis.place(&other, 7)), (8.0, 8.0), "and shape");
        assert_eq!(axis.step(&long, 6.0), 4.0, "back in the first run");
        assert_eq!(axis.step(&long, 4.4), 3.0, "where it has no step, the nearest");
        let names: Vec<String> = axis.marks().into_iter().map(|m| m.1).collect();
        assert_eq!(names, ["fit lm", "ham albedo", "ham shape", "neural paint"], "in the order of the stages");
    }

    #[test]
    fn a_phase_that_one_run_lacks_stands_where_the_others_have_it() {
        let short = run(&[(Stage::Ham, "albedo", 2), (Stage::Ham, "colour", 2)]);
        let long = run(&[
            (Stage::Pose, "detect", 2),
            (Stage::Ham, "albedo", 2),
            (Stage::Ham, "shape", 3),
            (Stage::Ham, "colour", 2),
            (Stage::Ham, "albedo", 1),
        ]);
        let axis = Axis::new(&[&short, &long]);
        let names: Vec<String> = axis.marks().into_iter().map(|m| m.1).collect();
        assert_eq!(names, ["pose detect", "ham albedo", "ham shape", "ham colour", "ham albedo"], "in its order");
    }
}
