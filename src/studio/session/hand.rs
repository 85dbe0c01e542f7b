//! The hand model that the next run uses.

use crate::hand::mano::{self, ManoConvention};
use crate::studio::backend::HandModelChoice;
use std::path::{Path, PathBuf};

/// The choice, and what is known of MANO's files.
#[derive(Clone, Debug, Default)]
pub(crate) struct HandPick {
    /// MANO instead of the open hand.
    mano: bool,
    /// Folder of MANO's files, once one was looked for.
    folder: Option<PathBuf>,
    /// What the folder lacks.
    problem: Option<String>,
    /// How the files' numbers are meant.
    pub convention: ManoConvention,
}

impl HandPick {
    /// The open hand.
    pub(crate) fn use_open(&mut self) {
        self.mano = false;
    }

    /// MANO from where it was last, or from the usual folders.
    pub(crate) fn use_mano(&mut self) {
        self.mano = true;
        if self.folder.is_none() || self.problem.is_some() {
            match mano::find_folder() {
                Ok(folder) => self.use_folder(folder),
                Err(error) => self.problem = Some(error.to_string()),
            }
        }
    }

    /// MANO from this folder.
    pub(crate) fn use_folder(&mut self, folder: PathBuf) {
        self.mano = true;
        self.problem = mano::folder_state(&folder);
        self.folder = Some(folder);
    }

    /// True when MANO is chosen.
    pub(crate) const fn is_mano(&self) -> bool {
        self.mano
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Why the chosen model cannot be used, if so.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref().filter(|_| self.mano)
    }

    /// The choice for a run.
    pub(crate) fn choice(&self) -> HandModelChoice {
        match &self.folder {
            Some(folder) if self.mano => {
                HandModelChoice::Mano { folder: folder.clone(), convention: self.convention.clone() }
            }
            _ => HandModelChoice::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_files_is_a_problem_until_another_choice() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut pick = HandPick::default();
        assert_eq!((pick.problem(), pick.choice()), (None, HandModelChoice::Open), "the open hand is always there");
        pick.use_folder(folder.path().to_owned());
        assert!(pick.problem().is_some_and(|p| p.starts_with("MANO_LEFT.pkl and MANO_RIGHT.pkl not found in")), "said");
        pick.use_open();
        assert_eq!(pick.problem(), None, "the open hand again");
        for name in ["MANO_LEFT.pkl", "MANO_RIGHT.pkl"] {
            std::fs::write(folder.path().join(name), b"").expect("written");
        }
        pick.use_folder(folder.path().to_owned());
        assert_eq!(pick.problem(), None, "both are there");
        let HandModelChoice::Mano { convention, .. } = pick.choice() else { panic!("MANO") };
        assert_eq!(convention, ManoConvention::default(), "our own convention");
    }
}
