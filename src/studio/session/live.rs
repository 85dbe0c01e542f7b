//! Numbers of the preset that are changed while a run is under way: which of them the run can take, and what became of them.

use super::{Effect, RunState, Session};
use crate::pipeline::Effective;
use crate::studio::backend::Parameter;
use crate::studio::worker::Command;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A number that was not moved for so long is meant.
const MEANT: Duration = Duration::from_millis(300);

/// What the run that is under way knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Changed numbers that it has.
    has: BTreeMap<String, f64>,
    /// Those that it was told: it may be beyond some of them.
    values: BTreeMap<String, f64>,
    /// What it said of those that were changed on the way; `None` while it has not said it.
    answers: BTreeMap<String, Option<Effective>>,
    /// The last change, and when it was seen.
    moved: Option<(String, f64, Instant)>,
    /// The error on show is one that smaller rates may help against.
    pub(super) too_fast: bool,
    /// Since when it stands still, of a pause that was heard.
    pub(super) held: Option<Instant>,
}

/// Whether a setting is the rate of an optimiser, not the part of one that is left at its end.
fn is_rate(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    name.split('_').any(|word| word == "rate") && name != "final_rate"
}

/// What a changed number comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The run has it.
    InForce,
    /// The run is being told.
    OnItsWay,
    /// The run will have it when its stage begins.
    StageAhead,
    /// The run is beyond it: when its stage runs again.
    NextRun,
}

impl Session {
    /// A run begins, or goes on, with the numbers as they are.
    pub(super) fn begin_telling(&mut self) {
        let values = self.overrides.clone();
        self.told = Told { has: values.clone(), values, ..Told::default() };
    }

    /// A number to tell the run, once nobody moves it any more.
    #[must_use]
    pub(crate) fn wants_change_told(&mut self) -> Option<Command> {
        if !matches!(self.state, RunState::Running | RunState::Paused) {
            return None;
        }
        let preset = self.presets.get(self.preset)?;
        let value_of = |values: &BTreeMap<String, f64>, p: &Parameter| values.get(&p.key).copied().unwrap_or(p.value);
        let differs =
            |p: &&Parameter| value_of(&self.overrides, p).to_bits() != value_of(&self.told.values, p).to_bits();
        let parameter = preset.parameters.iter().find(differs)?;
        let (key, value) = (parameter.key.clone(), value_of(&self.overrides, parameter));
        let since = match &self.told.moved {
            Some((k, v, since)) if *k == key && v.to_bits() == value.to_bits() => *since,
            _ => {
                let now = Instant::now();
                self.told.moved = Some((key.clone(), value, now));
                now
            }
        };
        if since.elapsed() < MEANT {
            return None;
        }
        self.told.moved = None;
        self.told.values.insert(key.clone(), value);
        self.told.answers.insert(key.clone(), None);
        Some(Command::Change { key, value })
    }

    /// The error on show is one that smaller rates may help against.
    #[must_use]
    pub(crate) const fn is_too_fast(&self) -> bool {
        self.told.too_fast
    }

    /// Since when the worker stands still, of a pause that it has heard.
    #[must_use]
    pub(crate) const fn held(&self) -> Option<Instant> {
        self.told.held
    }

    /// Rates of half the size for the paused run, which goes on with them.
    pub(super) fn halve_rates(&mut self) -> Option<Effect> {
        if self.state != RunState::Paused || !self.told.too_fast {
            return None;
        }
        let rates = self.preset()?.parameters.iter().filter(|p| p.key.starts_with("ham.") && is_rate(&p.key));
        let halved: Vec<(String, f64)> = rates.map(|p| (p.key.clone(), 0.5 * self.parameter(p))).collect();
        let mut changes = Vec::new();
        for (key, value) in halved {
            self.overrides.insert(key.clone(), value);
            self.told.values.insert(key.clone(), value);
            self.told.answers.insert(key.clone(), None);
            changes.push(Command::Change { key, value });
        }
        self.toggle_pause();
        self.told.too_fast = false;
        Some(Effect::GoOnWith(changes))
    }

    /// A number waits to be told: the window must look again soon.
    #[must_use]
    pub(crate) const fn is_about_to_tell(&self) -> bool {
        self.told.moved.is_some()
    }

    /// What the run said.
    pub(super) fn on_changed(&mut self, key: String, value: f64, effective: Effective) {
        let when = match effective {
            Effective::NextStep => "from the next step on",
            Effective::StageAhead => "when its stage begins",
            Effective::NextRun => "in the next run: its stage has begun",
        };
        self.note(super::Level::Info, format!("{key} = {value}: counts {when}"));
        if effective != Effective::NextRun {
            self.told.has.insert(key.clone(), value);
        }
        // An answer to what is no longer asked is none.
        if self.told.values.get(&key).is_some_and(|told| told.to_bits() == value.to_bits()) {
            self.told.answers.insert(key, Some(effective));
        }
    }

    /// What a number that was changed while a run is under way comes to; `None` where there is nothing to say.
    #[must_use]
    pub(crate) fn mark(&self, parameter: &Parameter) -> Option<Mark> {
        if !self.is_active() {
            return None;
        }
        let (key, value) = (&parameter.key, self.parameter(parameter).to_bits());
        let of = |values: &BTreeMap<String, f64>| values.get(key).copied().unwrap_or(parameter.value).to_bits();
        match self.told.answers.get(key) {
            _ if value != of(&self.told.values) => Some(Mark::OnItsWay),
            None => None,
            Some(None) => Some(Mark::OnItsWay),
            Some(Some(Effective::NextStep)) => Some(Mark::InForce),
            Some(Some(Effective::StageAhead)) => Some(Mark::StageAhead),
            Some(Some(Effective::NextRun)) => (value != of(&self.told.has)).then_some(Mark::NextRun),
        }
    }
}
