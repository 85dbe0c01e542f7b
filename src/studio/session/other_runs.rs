//! Other runs of the same capture, whose curves are shown beside those of the open one.

use super::{Effect, Level, Session};
use crate::pipeline::StepReport;
use crate::studio::errands::{Errand, run_name};
use crate::studio::worker::Command;
use std::path::{Path, PathBuf};

/// Runs whose curves can be seen at once, with the open one.
pub(crate) const MOST_RUNS: usize = 6;

/// What is asked of the curves of other runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunsAction {
    /// Look which runs there are.
    List,
    /// Show the curves of a run, or hide them.
    Toggle(PathBuf),
}

/// A run whose curves are shown.
#[derive(Clone, Debug)]
pub(crate) struct OtherRun {
    /// Its folder.
    pub dir: PathBuf,
    /// Its lines.
    pub steps: Vec<StepReport>,
}

/// Other runs.
#[derive(Debug, Default)]
pub(crate) struct OtherRuns {
    /// Run folders beside the open one, the newest first; `None` before anybody has looked.
    pub listed: Option<Vec<PathBuf>>,
    /// Those that are shown.
    shown: Vec<OtherRun>,
}

impl Session {
    /// The runs whose curves are shown beside the open one.
    pub(crate) fn compared_runs(&self) -> impl Iterator<Item = &OtherRun> {
        self.others.shown.iter().filter(|run| Some(&run.dir) != self.run_dir.as_ref())
    }

    /// Why no further run can be shown, if so.
    #[must_use]
    pub(crate) fn why_not_another_run(&self, dir: &Path) -> Option<&'static str> {
        if self.run_dir.as_deref() == Some(dir) {
            Some("This run is open: its curves are shown already")
        } else if self.is_compared(dir) || self.compared_runs().count() + 1 < MOST_RUNS {
            None
        } else {
            Some("Six runs are shown; hide one first")
        }
    }

    /// Whether the curves of a run are shown beside the open one's.
    #[must_use]
    pub(crate) fn is_compared(&self, dir: &Path) -> bool {
        self.compared_runs().any(|run| run.dir == dir)
    }

    pub(super) fn runs(&mut self, action: RunsAction) {
        match action {
            RunsAction::List => {
                let folder = self.run_dir.as_deref().and_then(Path::parent).unwrap_or(&self.default_results);
                self.errands.push_back(Errand::Runs(folder.to_owned()));
            }
            RunsAction::Toggle(dir) => {
                if self.is_compared(&dir) {
                    self.others.shown.retain(|run| run.dir != dir);
                } else if self.why_not_another_run(&dir).is_none() {
                    self.errands.push_back(Errand::Curves(dir));
                }
            }
        }
    }

    /// The run that is left for a new one of the same capture stays in sight.
    pub(super) fn keep_in_sight(&mut self) {
        let Some(dir) = self.run_dir.clone().filter(|_| !self.steps.is_empty()) else { return };
        let steps = self.steps.clone();
        self.show_run(OtherRun { dir, steps });
    }

    fn show_run(&mut self, run: OtherRun) {
        self.others.shown.retain(|known| known.dir != run.dir);
        self.others.shown.push(run);
        let too_many = (self.others.shown.len() + 1).saturating_sub(MOST_RUNS);
        self.others.shown.drain(..too_many);
    }

    pub(super) fn on_curves(&mut self, dir: PathBuf, read: Result<Vec<StepReport>, String>) {
        match read {
            Ok(steps) if steps.is_empty() => {
                self.note(Level::Warning, format!("{} has no curves yet", run_name(&dir)));
            }
            Ok(steps) => self.show_run(OtherRun { dir, steps }),
            Err(why) => self.note(Level::Warning, format!("The curves of {} cannot be read: {why}", run_name(&dir))),
        }
    }

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
        let dir = self.run_dir.as_ref()?;
        let mut runs = vec![(run_name(dir), self.steps.as_slice())];
        runs.extend(self.compared_runs().map(|run| (run_name(&run.dir), run.steps.as_slice())));
        let path = dir.join("exports").join("curves.csv");
        Some(Effect::Send(Command::SaveText { path, text: super::curves::csv(&runs) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Stage;
    use crate::studio::errands::Found;
    use crate::studio::session::Action;

    fn line(total: f64) -> StepReport {
        let (stage, phase) = (Stage::Ham, "shape".to_owned());
        StepReport { t: 0.0, stage, phase, iter: 1, iters: 1, total, terms: Vec::new() }
    }

    #[test]
    fn runs_are_shown_hidden_and_no_more_than_six() {
        let mut session = Session::new(Vec::new());
        session.run_dir = Some("runs/open".into());
        session.steps = vec![line(1.0)];
        let _ = session.apply(Action::Runs(RunsAction::List));
        assert!(matches!(session.errands.pop_front(), Some(Errand::Runs(at)) if at == Path::new("runs")), "beside it");
        for i in 0..7 {
            let dir = PathBuf::from(format!("runs/{i}"));
            let _ = session.apply(Action::Runs(RunsAction::Toggle(dir.clone())));
            let asked = session.errands.pop_front();
            assert_eq!(asked.is_some(), i < 5, "five beside the open one: {i}");
            if asked.is_some() {
                let _ = session.on_found(Found::Curves(dir, Ok(vec![line(2.0)])));
            }
        }
        assert!(session.why_not_another_run(Path::new("runs/6")).is_some_and(|w| w.contains("Six")), "it says why");
        assert!(session.why_not_another_run(Path::new("runs/open")).is_some_and(|w| w.contains("open")), "nor itself");
        let _ = session.apply(Action::Runs(RunsAction::Toggle("runs/3".into())));
        assert_eq!(session.compared_runs().count(), 4, "one is hidden");
        let _ = session.on_found(Found::Curves("runs/9".into(), Err("gone".to_owned())));
        assert!(session.log.back().is_some_and(|l| l.text.contains("gone")), "what cannot be read is said");
        let Some(Effect::Send(Command::SaveText { text, .. })) = session.save_curves() else { panic!("a table") };
        assert_eq!(text.lines().count(), 6, "a head and a line of each of five runs: {text}");
        assert!(text.starts_with("run,step,") && text.contains("\nopen,1,"), "each with its name: {text}");
    }

    #[test]
    fn a_new_run_of_the_capture_keeps_the_old_one_in_sight() {
        let mut session = Session::new(Vec::new());
        session.capture = Some(std::sync::Arc::new(crate::studio::testing::test_capture(3)));
        session.run_dir = Some("runs/1".into());
        session.steps = vec![line(1.0)];
        assert!(session.apply(Action::Start).is_some(), "it starts");
        assert_eq!(session.compared_runs().map(|r| r.dir.as_path()).collect::<Vec<_>>(), [Path::new("runs/1")], "both");
    }
}
