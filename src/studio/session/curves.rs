//! The curves as a table for other programs.

use super::{Effect, Session};
use crate::pipeline::StepReport;
use crate::studio::worker::Command;

/// One line a step: where it was, the seconds of computing, the total and each term; terms that a phase does not have are
/// empty. The columns of the terms are in the order of their names.
#[must_use]
fn csv(steps: &[StepReport]) -> String {
    let mut names: Vec<&str> = steps.iter().flat_map(|s| &s.terms).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let head = ["step", "stage", "phase", "iteration", "seconds", "total"];
    let mut out = head.iter().chain(&names).copied().collect::<Vec<&str>>().join(",");
    out.push('\n');
    for (i, step) in steps.iter().enumerate() {
        let place = [(i + 1).to_string(), step.stage.name().to_owned(), step.phase.clone(), step.iter.to_string()];
        let mut cells = place.to_vec();
        cells.extend([step.t.to_string(), step.total.to_string()]);
        for name in &names {
            let value = step.terms.iter().find(|(n, _)| n == name);
            cells.push(value.map_or_else(String::new, |(_, v)| v.to_string()));
        }
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

impl Session {
    /// Why the curves cannot be saved, if so.
    #[must_use]
    pub(crate) fn why_no_curves(&self) -> Option<&'static str> {
        if self.steps.is_empty() {
            Some("There are no curves yet")
        } else if self.run_dir.is_none() {
            Some("There is no run folder to write them to")
        } else {
            None
        }
    }

    pub(super) fn save_curves(&self) -> Option<Effect> {
        if self.why_no_curves().is_some() {
            return None;
        }
        let path = self.run_dir.as_ref()?.join("exports").join("curves.csv");
        Some(Effect::Send(Command::SaveText { path, text: csv(&self.steps) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Stage;

    #[test]
    fn every_step_is_a_line_and_every_term_a_column() {
        let step = |stage, phase: &str, terms: &[(&str, f64)]| StepReport {
            t: 0.5,
            stage,
            phase: phase.to_owned(),
            iter: 1,
            iters: 2,
            total: terms.iter().map(|t| t.1).sum(),
            terms: terms.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect(),
        };
        let steps =
            [step(Stage::Fit, "lm", &[("joints", 2.0)]), step(Stage::Ham, "shape", &[("sfs", 1.5), ("lap", 0.25)])];
        assert_eq!(
            csv(&steps),
            "step,stage,phase,iteration,seconds,total,joints,lap,sfs\n\
             1,fit,lm,1,0.5,2,2,,\n\
             2,ham,shape,1,0.5,1.75,,0.25,1.5\n"
        );
    }
}
