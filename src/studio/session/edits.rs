//! Undo and redo of what the next run is given: left-out views, edited keypoints and masks, hands, preset and its numbers. What was computed is never
//! undone. Changes are noticed once a frame, whichever control made them.

use super::{Session, picture_edits};
use crate::capture::Edits;
use crate::fitting::pose::HandChoice;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Changes of one kind within this time are one step: a slider that is dragged is undone at once.
const ONE_STEP: Duration = Duration::from_millis(800);
/// Steps that can be undone.
const STEPS: usize = 200;

/// All that can be undone.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choices {
    /// Views that the next run leaves out.
    pub excluded: BTreeSet<usize>,
    /// Views that no stage of it sees.
    pub held_out: BTreeSet<usize>,
    /// Changes of keypoints and masks. Steps share what they have in common, and masks are kept as runs.
    pub edits: Arc<Edits>,
    /// Index of the preset.
    pub preset: usize,
    /// Changed parameters.
    pub overrides: BTreeMap<String, f64>,
    /// Hands that are looked for.
    pub hands: HandChoice,
    /// The network is trained.
    pub train_network: bool,
    /// Pinned steps of the open run.
    pub pins: BTreeSet<u32>,
}

impl Choices {
    /// What differs, in words; `None` when nothing does.
    fn change_to(&self, next: &Self) -> Option<String> {
        let views = |a: &BTreeSet<usize>, b: &BTreeSet<usize>, did: &str, undid: &str| {
            let changed: Vec<usize> = a.symmetric_difference(b).copied().collect();
            let word = if b.len() > a.len() { did } else { undid };
            match changed.as_slice() {
                [one] => format!("{word} view {one:02}"),
                many => format!("{word} {} views", many.len()),
            }
        };
        if self.excluded != next.excluded {
            return Some(views(&self.excluded, &next.excluded, "exclude", "include"));
        }
        if self.held_out != next.held_out {
            return Some(views(&self.held_out, &next.held_out, "hold out", "fit"));
        }
        if !Arc::ptr_eq(&self.edits, &next.edits) && self.edits != next.edits {
            return Some(picture_edits::difference(&self.edits, &next.edits));
        }
        if let Some(step) = self.pins.symmetric_difference(&next.pins).next() {
            let word = if next.pins.contains(step) { "pin" } else { "unpin" };
            return Some(format!("{word} step {step}"));
        }
        if self.preset != next.preset {
            return Some("another preset".to_owned());
        }
        if self.train_network != next.train_network {
            return Some("neural renderer".to_owned());
        }
        if self.hands != next.hands {
            return Some("which hands".to_owned());
        }
        let differs = |key: &&String| self.overrides.get(*key) != next.overrides.get(*key);
        let keys: BTreeSet<&String> = self.overrides.keys().chain(next.overrides.keys()).filter(differs).collect();
        let mut keys = keys.into_iter();
        match (keys.next(), keys.next()) {
            (None, _) => None,
            (Some(one), None) => Some(format!("change {one}")),
            (Some(_), Some(_)) => Some("reset the parameters".to_owned()),
        }
    }
}

/// A step back or forward.
#[derive(Clone, Debug)]
struct Change {
    words: String,
    /// The choices on the other side of it.
    choices: Choices,
}

/// The steps that can be undone and redone.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    current: Choices,
    past: Vec<Change>,
    future: Vec<Change>,
    last: Option<Instant>,
}

impl History {
    /// Forgets all steps: what is chosen now was not an edit.
    pub(super) fn begin(&mut self, choices: Choices) {
        *self = Self { current: choices, ..Self::default() };
    }

    /// Takes note of what is chosen now; true when it was changed.
    fn notice(&mut self, choices: Choices, now: Instant) -> bool {
        let Some(words) = self.current.change_to(&choices) else { return false };
        let before = std::mem::replace(&mut self.current, choices);
        let goes_on = self.past.last().is_some_and(|c| c.words == words)
            && self.last.is_some_and(|at| now.duration_since(at) < ONE_STEP)
            && words.starts_with("change ");
        if !goes_on {
            self.past.push(Change { words, choices: before });
            if self.past.len() > STEPS {
                self.past.remove(0);
            }
        }
        self.future.clear();
        self.last = Some(now);
        true
    }

    /// Forgets the pins of a run that is no longer open, and the steps that were of them alone.
    pub(super) fn forget_pins(&mut self) {
        let of_pins = |words: &str| words.starts_with("pin step ") || words.starts_with("unpin step ");
        self.current.pins.clear();
        for changes in [&mut self.past, &mut self.future] {
            changes.retain(|c| !of_pins(&c.words));
            changes.iter_mut().for_each(|c| c.choices.pins.clear());
        }
    }

    /// Goes a step back (or forward again); the choices then, and what was undone in words.
    fn step(&mut self, forward: bool) -> Option<(Choices, String)> {
        let (from, to) = if forward { (&mut self.future, &mut self.past) } else { (&mut self.past, &mut self.future) };
        let change = from.pop()?;
        let here = std::mem::replace(&mut self.current, change.choices);
        to.push(Change { words: change.words.clone(), choices: here });
        self.last = None;
        Some((self.current.clone(), change.words))
    }
}

impl Session {
    /// What is chosen now.
    #[must_use]
    pub(crate) fn choices(&self) -> Choices {
        Choices {
            excluded: self.excluded.clone(),
            held_out: self.held_out.clone(),
            edits: Arc::clone(&self.edits),
            preset: self.preset,
            overrides: self.overrides.clone(),
            hands: self.hands,
            train_network: self.train_network,
            pins: self.pins.clone(),
        }
    }

    pub(super) fn choose(&mut self, choices: Choices) {
        let Choices { excluded, held_out, edits, preset, overrides, hands, train_network, pins } = choices;
        self.track.protect(pins.clone());
        self.pins = pins;
        self.train_network = train_network;
        (self.excluded, self.held_out, self.hands) = (excluded, held_out, hands);
        (self.preset, self.overrides) = (preset, overrides);
        self.take_edits(edits);
    }

    /// Takes note of edits since the last call; called once a frame.
    pub(crate) fn notice_edits(&mut self) {
        let choices = self.choices();
        if self.history.notice(choices, Instant::now()) {
            self.edited = true;
        }
    }

    /// What Undo would undo, in words.
    #[must_use]
    pub(crate) fn undoable(&self) -> Option<&str> {
        self.history.past.last().map(|c| c.words.as_str())
    }

    /// What Redo would do again, in words.
    #[must_use]
    pub(crate) fn redoable(&self) -> Option<&str> {
        self.history.future.last().map(|c| c.words.as_str())
    }

    /// Undoes (or does again) the last edit.
    pub(super) fn step_history(&mut self, forward: bool) {
        self.notice_edits();
        let Some((choices, words)) = self.history.step(forward) else { return };
        self.choose(choices);
        self.edited = true;
        let did = if forward { "Done again" } else { "Undone" };
        self.note(super::Level::Info, format!("{did}: {words}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::session::Action;

    #[test]
    fn edits_are_undone_and_done_again_one_by_one() {
        let mut session = Session::new(Vec::new());
        session.capture = Some(Arc::new(crate::studio::testing::test_capture(4)));
        assert_eq!((session.undoable(), session.redoable()), (None, None), "nothing yet");
        let _ = session.apply(Action::ToggleExclude(2));
        session.notice_edits();
        let _ = session.apply(Action::ToggleHoldOut(1));
        session.notice_edits();
        session.overrides.insert("ham.level".to_owned(), 1.0);
        session.notice_edits();
        let all = session.choices();
        assert_eq!(session.undoable(), Some("change ham.level"), "the last one first");
        for words in ["hold out view 01", "exclude view 02"] {
            let _ = session.apply(Action::Undo);
            assert_eq!(session.undoable(), Some(words), "then the one before");
        }
        let _ = session.apply(Action::Undo);
        assert_eq!((session.choices(), session.undoable()), (Choices::default(), None), "as in the beginning");
        let _ = session.apply(Action::Undo);
        for _ in 0..3 {
            let _ = session.apply(Action::Redo);
        }
        assert_eq!((session.choices(), session.redoable()), (all, None), "all done again");
        let _ = session.apply(Action::Undo);
        let _ = session.apply(Action::ToggleExclude(0));
        session.notice_edits();
        assert_eq!(session.redoable(), None, "a new edit ends what could be done again");
    }

    #[test]
    fn a_dragged_number_is_one_step_and_a_pause_makes_two() {
        let mut history = History::default();
        let with = |value: f64| Choices { overrides: [("a".to_owned(), value)].into(), ..Choices::default() };
        let start = Instant::now();
        for (value, at_ms) in [(1.0, 0), (2.0, 300), (3.0, 600), (4.0, 2000)] {
            assert!(history.notice(with(value), start + Duration::from_millis(at_ms)), "each is a change");
        }
        assert!(!history.notice(with(4.0), start + Duration::from_secs(3)), "and nothing is none");
        assert_eq!(history.step(false).map(|s| s.0), Some(with(3.0)), "the drag after the pause");
        assert_eq!(history.step(false).map(|s| s.0), Some(Choices::default()), "the whole drag before it");
    }
}
