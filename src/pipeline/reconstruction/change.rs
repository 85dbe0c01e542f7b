//! Settings that are changed while the run is under way. What is changed of a stage that has not begun is as if the run had
//! been begun with it: `run.ron` has the new number. Weights and rates of HAM change from its next step on, and `run.ron` says
//! from which (`changes`), so that a resumed run, or one done again from its start, takes the same steps. Everything else is
//! for the next run.

use super::{Reconstruction, State};
use crate::fitting::ham::{HamSettings, Phase};
use crate::pipeline::{PipelineError, RunRecord, Stage};
use serde::{Deserialize, Serialize};

/// A weight or rate of HAM that was changed while it ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Phase.
    pub phase: String,
    /// Epochs that had ended in it.
    pub epoch: u32,
    /// Steps that had begun in the epoch under way.
    pub step: u32,
    /// Setting, as for `--set`.
    pub key: String,
    /// What it is from that step on.
    pub value: f64,
}

/// From when on a changed setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effective {
    /// From the next step on.
    NextStep,
    /// When its stage, which has not begun, begins.
    StageAhead,
    /// When its stage runs again: in the next run.
    NextRun,
}

/// Sections of a preset in the order in which their stages begin.
const SECTIONS: [&str; 5] = ["pose", "fit", "masks", "ham", "neural"];

impl Reconstruction {
    /// Changes a setting, as far as the run is not beyond it.
    ///
    /// # Errors
    /// [`PipelineError::Setting`] for one that does not exist or a value that it cannot have; a full or read-only disk. The
    /// run goes on as it was.
    pub fn change(&mut self, key: &str, value: f64) -> Result<Effective, PipelineError> {
        let mut preset = self.options.preset.clone();
        preset.set(key, &value.to_string()).map_err(|e| PipelineError::Setting(e.to_string()))?;
        let (section, name) = key.split_once('.').unwrap_or((key, ""));
        let begins = SECTIONS.iter().position(|s| *s == section);
        let ahead = begins.is_some_and(|begins| begins >= self.begun());
        if ahead && (section != "neural" || self.options.until >= Stage::Neural) {
            if section == "neural" {
                preset.neural.check()?;
            }
            self.rewrite(|record| record.preset.clone_from(&preset))?;
            self.options.preset = preset;
            self.folder
                .log(&format!("{:9.2} s  {key} is {value} from now on; its stage has not begun", self.seconds))?;
            return Ok(Effective::StageAhead);
        }
        let State::Ham { ham } = &self.state else { return Ok(Effective::NextRun) };
        if section != "ham" || !HamSettings::LIVE.contains(&name) || (ham.phase() == Phase::Done && !ham.is_coarse()) {
            return Ok(Effective::NextRun);
        }
        let (phase, epoch, step) = ham.moment();
        let change = Change { phase: phase.name().to_owned(), epoch, step, key: key.to_owned(), value };
        self.rewrite(|record| record.changes.push(change.clone()))?;
        self.changes.push(change);
        self.folder.log(&format!(
            "{:9.2} s  {key} is {value} from step {step} of epoch {epoch} of {} on",
            self.seconds,
            phase.name()
        ))?;
        Ok(Effective::NextStep)
    }

    /// Sections of the preset whose stages have begun.
    const fn begun(&self) -> usize {
        match self.state {
            State::Detect(_) => 0,
            State::Pose => 1,
            State::Held { .. } | State::Fit { .. } => 2,
            State::Masks { preparation: None, .. } => 3,
            State::Masks { .. } | State::Ham { .. } => 4,
            State::Neural { .. } | State::Done { .. } => 5,
        }
    }

    fn rewrite(&self, change: impl FnOnce(&mut RunRecord)) -> Result<(), PipelineError> {
        let mut record = RunRecord::read(self.folder.path())?;
        change(&mut record);
        Ok(record.write(self.folder.path())?)
    }

    /// Lets the changes count whose moment has come.
    pub(super) fn apply_changes(&mut self) -> Result<(), PipelineError> {
        let State::Ham { ham } = &mut self.state else { return Ok(()) };
        if !ham.between_steps() {
            return Ok(());
        }
        let now = ham.moment();
        let due = self.changes[self.applied..].iter().take_while(|c| moment_of(c).is_some_and(|m| m <= now)).count();
        if due == 0 {
            return Ok(());
        }
        for change in &self.changes[self.applied..self.applied + due] {
            let set = self.options.preset.set(&change.key, &change.value.to_string());
            set.map_err(|e| PipelineError::Setting(e.to_string()))?;
        }
        self.applied += due;
        ham.change(&self.options.preset.ham);
        Ok(())
    }
}

/// `None` for a phase that there is not: such a change is never due.
fn moment_of(change: &Change) -> Option<(Phase, u32, u32)> {
    let phase = [Phase::Albedo, Phase::Coarse, Phase::Shape, Phase::Colour].into_iter();
    let phase = phase.into_iter().find(|p| p.name() == change.phase)?;
    Some((phase, change.epoch, change.step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fitting::ham::HamState;
    use crate::gpu::{Gpu, testing};
    use crate::hand::open_hands;
    use crate::pipeline::{Advance, RunOptions};
    use crate::preset::Preset;
    use crate::synthetic::{SynthHands, SynthSettings, make};
    use std::path::Path;
    use std::sync::Arc;

    /// A small reconstruction of two steps an epoch: new, or gone on with.
    fn begin(gpu: &Gpu, run_dir: &Path, resume: bool) -> Reconstruction {
        let settings = SynthSettings {
            hands: SynthHands::Right,
            views: 4,
            size: (128, 96),
            level: 0,
            supersample: 1,
            ..SynthSettings::default()
        };
        let mut capture = make(&settings).expect("a small scene").capture;
        capture.root = run_dir.with_file_name("capture");
        let mut preset = Preset::load("draft").expect("shipped");
        for (key, value) in [
            ("ham.level", "1"),
            ("ham.coarse_epochs", "2"),
            ("ham.image_divisor", "1"),
            ("ham.views_per_step", "2"),
            ("ham.albedo_epochs", "2"),
            ("ham.shape_epochs", "6"),
            ("ham.colour_epochs", "2"),
            ("ham.plateau", "0"),
            ("fit.iterations", "6"),
        ] {
            preset.set(key, value).expect("a setting");
        }
        let options = RunOptions {
            run_dir: run_dir.to_owned(),
            preset_name: "draft".to_owned(),
            preset,
            until: Stage::Ham,
            hold_out: vec![],
            exclude: vec![],
            seed: 0,
            detect: false,
        };
        let models = open_hands().expect("the open hand").map(Arc::new);
        let begun = if resume { Reconstruction::resume } else { Reconstruction::new };
        begun(Arc::new(capture), models, options, gpu.clone()).expect("begins")
    }

    /// On to the end of an epoch of a phase.
    fn until(run: &mut Reconstruction, phase: &str, epoch: u32) {
        while !matches!(run.advance().expect("a step"), Advance::Stepped(r) if r.phase == phase && r.iter == epoch) {}
    }

    /// On to the end; what the surface and everything else is then.
    fn finish(run: &mut Reconstruction) -> HamState {
        while !matches!(run.advance().expect("a step"), Advance::Finished) {}
        run.ham().expect("after HAM").state().expect("reads")
    }

    fn same(a: &HamState, b: &HamState) -> bool {
        let bits =
            |s: &HamState| -> Vec<u32> { s.lists.iter().flat_map(|(_, l)| l.iter().map(|x| x.to_bits())).collect() };
        bits(a) == bits(b)
    }

    #[test]
    fn a_weight_changed_on_the_way_counts_and_a_run_done_again_takes_the_same_steps() {
        let Some(gpu) = testing::gpu() else { return };
        let place = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place.path().join(name);
        let mut run = begin(&gpu, &at("a"), false);
        until(&mut run, "coarse", 1);
        assert_eq!(run.change("ham.shape_rate", 2e-4).expect("it can"), Effective::NextStep, "on the coarse mesh");
        until(&mut run, "shape", 2);
        run.save().expect("saved");
        for name in ["b", "unchanged"] {
            std::fs::create_dir(at(name)).expect("a folder");
            for file in ["run.ron", "checkpoint", "metrics.jsonl"] {
                std::fs::copy(at("a").join(file), at(name).join(file)).expect("copied");
            }
        }
        // In the middle of an epoch.
        while run.ham().is_some_and(|h| h.moment().2 == 0) {
            run.advance().expect("a step");
        }
        assert_eq!(run.change("ham.laplacian", 4e4).expect("it can"), Effective::NextStep, "a weight");
        assert_eq!(run.change("ham.level", 2.0).expect("it can"), Effective::NextRun, "the mesh is made already");
        assert_eq!(run.change("fit.iterations", 9.0).expect("it can"), Effective::NextRun, "the stage has ended");
        assert!(matches!(run.change("ham.laplacia", 1.0), Err(PipelineError::Setting(_))), "no such setting");
        let changed = finish(&mut run);
        let record = RunRecord::read(&at("a")).expect("a record");
        let keys: Vec<&str> = record.changes.iter().map(|c| c.key.as_str()).collect();
        assert_eq!(keys, ["ham.shape_rate", "ham.laplacian"], "what counted is written down");
        assert_eq!((record.changes[1].phase.as_str(), record.changes[1].epoch), ("shape", 2), "and from when on");
        drop(run);

        let unchanged = finish(&mut begin(&gpu, &at("unchanged"), true));
        assert!(!same(&unchanged, &changed), "it does count");
        // From the checkpoint before the change, and from the very beginning.
        std::fs::copy(at("a").join("run.ron"), at("b").join("run.ron")).expect("copied");
        std::fs::create_dir(at("c")).expect("a folder");
        std::fs::copy(at("a").join("run.ron"), at("c").join("run.ron")).expect("copied");
        std::fs::write(at("c").join("metrics.jsonl"), "").expect("written");
        for name in ["b", "c"] {
            assert!(same(&finish(&mut begin(&gpu, &at(name), true)), &changed), "{name} ends with the same bytes");
        }
    }

    #[test]
    fn what_is_ahead_is_as_if_the_run_had_been_begun_with_it() {
        let Some(gpu) = testing::gpu() else { return };
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("a");
        let mut run = begin(&gpu, &folder, false);
        assert_eq!(run.change("ham.shape_epochs", 3.0).expect("it can"), Effective::StageAhead, "HAM has not begun");
        assert_eq!(run.change("pose.no_such_thing", 9.0).ok(), None, "no such setting");
        assert_eq!(run.change("neural.epochs", 3.0).expect("it can"), Effective::NextRun, "this run ends before");
        assert_eq!(RunRecord::read(&folder).expect("a record").preset.ham.shape_epochs, 3, "run.ron has it");
        assert!(RunRecord::read(&folder).expect("a record").changes.is_empty(), "as if it had been so");
        until(&mut run, "shape", 3);
        let next = run.advance().expect("a step");
        assert!(!matches!(&next, Advance::Stepped(r) if r.phase == "shape"), "and it counts: {next:?}");
    }
}
