//! The first screen: cards of recent folders, the sample; and errands to the disk, of which it has most.

use super::{Action, Level, Session};
use crate::studio::errands::{Card, Errand, Found, sample_folder};
use std::path::{Path, PathBuf};

/// Recent folders that have a card.
pub(crate) const CARDS: usize = 5;

/// What the first screen shows beside its words.
#[derive(Debug, Default)]
pub(crate) struct Welcome {
    /// Cards that were found, in no order.
    cards: Vec<Card>,
    /// Counts changes of them.
    pub revision: u64,
    /// So many of so many photographs of the sample are made.
    pub sample: Option<(usize, usize)>,
}

impl Welcome {
    /// The card of a folder.
    #[must_use]
    pub(crate) fn card(&self, folder: &Path) -> Option<&Card> {
        self.cards.iter().find(|card| card.folder == folder)
    }
}

impl Session {
    /// The next errand, if any.
    #[must_use]
    pub(crate) fn next_errand(&mut self) -> Option<Errand> {
        self.errands.pop_front()
    }

    /// Takes in what an errand has found; what is to be done with it at once is the answer.
    #[must_use]
    pub(crate) fn on_found(&mut self, found: Found) -> Option<Action> {
        match found {
            Found::Runs(list) => self.others.listed = Some(list),
            Found::Curves(dir, read) => self.on_curves(dir, read),
            Found::Card(card) => {
                self.welcome.cards.retain(|known| known.folder != card.folder);
                self.welcome.cards.push(card);
                self.welcome.revision += 1;
            }
            Found::Frame(dir, snapshot) => self.on_frame_mesh(&dir, &snapshot),
            Found::SampleAt(made, of) => self.welcome.sample = Some((made, of)),
            Found::Sample(made) => {
                self.welcome.sample = None;
                match made {
                    Ok(folder) => return Some(Action::Open(folder)),
                    Err(why) => self.note(Level::Error, format!("The sample could not be made: {why}")),
                }
            }
        }
        None
    }

    /// Sends for the cards of the recent folders.
    pub(super) fn want_cards(&mut self) {
        let folders: Vec<PathBuf> = self.recent.iter().take(CARDS).cloned().collect();
        if !folders.is_empty() {
            self.errands.push_back(Errand::Cards(folders));
        }
    }

    /// Keeps the picture of a folder that was just opened for its card.
    pub(super) fn keep_card(&mut self, folder: PathBuf) {
        // Tests and scripts have nothing that is remembered.
        if let Some(image) = self.thumbnails.first().filter(|_| self.settings.is_some()) {
            self.errands.push_back(Errand::KeepCard(folder, image.clone()));
        }
    }

    /// Why the sample cannot be had, if so.
    #[must_use]
    pub(crate) fn why_no_sample(&self) -> Option<&'static str> {
        if self.welcome.sample.is_some() {
            Some("The sample is being made")
        } else if self.opening.is_some() {
            Some("A folder is being read")
        } else if self.is_active() {
            Some("A reconstruction is under way; stop it first")
        } else if sample_folder().is_none() {
            Some("This system names no folder for the user's data; `thenar synth sample` makes one here")
        } else {
            None
        }
    }

    pub(super) fn try_sample(&mut self) {
        let Some(folder) = sample_folder().filter(|_| self.why_no_sample().is_none()) else { return };
        self.welcome.sample = Some((0, 0));
        self.errands.push_back(Errand::Sample(folder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_asked_for_once_and_opened_when_it_is_there() {
        let mut session = Session::new(Vec::new());
        let _ = session.apply(Action::TrySample);
        let _ = session.apply(Action::TrySample);
        assert!(matches!(session.next_errand(), Some(Errand::Sample(_))), "somebody is sent for it");
        assert!(session.next_errand().is_none(), "once");
        assert_eq!(session.on_found(Found::SampleAt(3, 12)), None, "it takes a while");
        assert_eq!(session.welcome.sample, Some((3, 12)), "which is shown");
        assert_eq!(
            session.on_found(Found::Sample(Ok("s".into()))),
            Some(Action::Open("s".into())),
            "then it is opened"
        );
        let _ = session.apply(Action::TrySample);
        assert_eq!(session.on_found(Found::Sample(Err("disk full".to_owned()))), None, "or not");
        assert!(session.log.back().is_some_and(|l| l.text.contains("disk full")), "which is said");
        assert_eq!(session.why_no_sample(), None, "and can be tried again");
    }
}
