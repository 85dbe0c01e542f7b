//! The curves as a table for other programs.

use crate::pipeline::{StepReport, csv_text};

/// One line a step: where it was, the seconds of computing, the total and each term; terms that a phase does not have are
/// empty. The columns of the terms are in the order of their names. Of several runs, the first column says which.
#[must_use]
pub(super) fn csv(runs: &[(String, &[StepReport])]) -> String {
    let all = || runs.iter().flat_map(|(_, steps)| steps.iter());
    let mut names: Vec<&str> = all().flat_map(|s| &s.terms).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let several = runs.len() > 1;
    let head = ["step", "stage", "phase", "iteration", "seconds", "total"];
    let head = several.then_some("run").into_iter().chain(head);
    let mut out = head.chain(names.iter().copied()).collect::<Vec<&str>>().join(",");
    out.push('\n');
    for (run, steps) in runs {
        for (i, step) in steps.iter().enumerate() {
            let place = [(i + 1).to_string(), step.stage.name().to_owned(), step.phase.clone(), step.iter.to_string()];
            let mut cells: Vec<String> = several.then(|| csv_text(run).into_owned()).into_iter().chain(place).collect();
            cells.extend([step.t.to_string(), step.total.to_string()]);
            for name in &names {
                let value = step.terms.iter().find(|(n, _)| n == name);
                cells.push(value.map_or_else(String::new, |(_, v)| v.to_string()));
            }
            out.push_str(&cells.join(","));
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Stage;

    fn step(stage: Stage, phase: &str, terms: &[(&str, f64)]) -> StepReport {
        StepReport {
            t: 0.5,
            stage,
            phase: phase.to_owned(),
            iter: 1,
            iters: 2,
            total: terms.iter().map(|t| t.1).sum(),
            terms: terms.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect(),
        }
    }

    #[test]
    fn every_step_is_a_line_and_every_term_a_column() {
        let steps =
            [step(Stage::Fit, "lm", &[("joints", 2.0)]), step(Stage::Ham, "shape", &[("sfs", 1.5), ("lap", 0.25)])];
        assert_eq!(
            csv(&[("1".to_owned(), &steps)]),
            "step,stage,phase,iteration,seconds,total,joints,lap,sfs\n\
             1,fit,lm,1,0.5,2,2,,\n\
             2,ham,shape,1,0.5,1.75,,0.25,1.5\n"
        );
    }

    #[test]
    fn of_several_runs_the_first_column_says_which() {
        let (a, b) = ([step(Stage::Ham, "shape", &[("sfs", 1.5)])], [step(Stage::Ham, "shape", &[("lap", 0.25)])]);
        assert_eq!(
            csv(&[("1".to_owned(), &a), ("two, \"odd\"".to_owned(), &b)]),
            "run,step,stage,phase,iteration,seconds,total,lap,sfs\n\
             1,1,ham,shape,1,0.5,1.5,,1.5\n\
             \"two, \"\"odd\"\"\",1,ham,shape,1,0.5,0.25,0.25,\n"
        );
    }
}
