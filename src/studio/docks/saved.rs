//! The layouts in the settings: those that were changed, by name, in a form of their own with a version. What cannot be
//! understood is repaired or left out, with a line for the log; nothing in a file stops the window.

use super::place::is_share;
use super::{Docks, Layout, Pane, Place};
use crate::studio::ui_state::Arrangement;
use ron::value::RawValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// Version of the form.
const VERSION: u32 = 1;

/// What is written.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    #[serde(default)]
    changed: BTreeMap<String, SavedLayout>,
}

#[derive(Serialize, Deserialize)]
struct SavedLayout {
    place: Place<String>,
    #[serde(default)]
    hidden: Vec<String>,
}

const fn name(arrangement: Arrangement) -> &'static str {
    match arrangement {
        Arrangement::Simple => "simple",
        Arrangement::Studio => "studio",
        Arrangement::Compare => "compare",
    }
}

impl Serialize for Docks {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let changed = Arrangement::ALL.into_iter().filter(|a| *self.layout(*a) != Layout::of(*a));
        let saved = |layout: &Layout| SavedLayout {
            place: layout.place.named(),
            hidden: layout.hidden.iter().map(|pane| pane.word().to_owned()).collect(),
        };
        let changed = changed.map(|a| (name(a).to_owned(), saved(self.layout(a)))).collect();
        Saved { version: VERSION, changed }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Docks {
    /// Fails only where the text is no RON at all.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(from)?;
        Ok(read(text.get_ron()))
    }
}

/// The layouts of a text, as far as it can be understood.
pub(super) fn read(text: &str) -> Docks {
    let mut docks = Docks::default();
    let saved: Saved = match ron::from_str(text) {
        Ok(saved) => saved,
        Err(why) => {
            docks.complaints.push(format!("The saved layouts cannot be read ({why}): all are as they were made"));
            return docks;
        }
    };
    if saved.version != VERSION {
        let version = saved.version;
        docks
            .complaints
            .push(format!("The saved layouts have version {version}, not {VERSION}: all are as they were made"));
        return docks;
    }
    for (word, layout) in saved.changed {
        let Some(arrangement) = Arrangement::ALL.into_iter().find(|a| name(*a) == word) else {
            docks.complaints.push(format!("There is no layout `{word}`; it is left out"));
            continue;
        };
        let mut wrong = Vec::new();
        match repaired(layout, &mut wrong) {
            Some(found) => *docks.layout_mut(arrangement) = found,
            None => wrong.push("it has no panel, and is as it was made".to_owned()),
        }
        docks.complaints.extend(wrong.into_iter().map(|what| format!("Saved layout `{word}`: {what}")));
    }
    docks
}

/// A layout with every panel once.
fn repaired(saved: SavedLayout, wrong: &mut Vec<String>) -> Option<Layout> {
    let mut seen = BTreeSet::new();
    let mut place = known(saved.place, &mut seen, wrong).and_then(Place::tidied)?;
    let mut hidden = BTreeSet::new();
    for word in saved.hidden {
        match Pane::by_word(&word) {
            Some(pane) => _ = hidden.insert(pane),
            None => wrong.push(format!("there is no panel `{word}` to put away")),
        }
    }
    for pane in Pane::DOCKED.into_iter().filter(|pane| !seen.contains(pane)) {
        wrong.push(format!("the panel `{}` has no place; it is put away", pane.word()));
        hidden.insert(pane);
        let mates = if Pane::TABBED.contains(&pane) { &Pane::TABBED[..] } else { &[] };
        if !place.add_beside(mates, pane) {
            place = Place::Below(vec![(0.8, place), (0.2, Place::Pane(pane))]).tidied()?;
        }
    }
    Some(Layout { place, hidden })
}

/// The panels that are known and were not seen before.
fn known(place: Place<String>, seen: &mut BTreeSet<Pane>, wrong: &mut Vec<String>) -> Option<Place> {
    let mut one = |word: &str| match Pane::by_word(word).filter(|pane| *pane != Pane::Timeline) {
        None => {
            wrong.push(format!("there is no panel `{word}`"));
            None
        }
        Some(pane) if !seen.insert(pane) => {
            wrong.push(format!("the panel `{word}` has two places; the first one counts"));
            None
        }
        found => found,
    };
    match place {
        Place::Pane(word) => one(&word).map(Place::Pane),
        Place::Tabs { front, of } => {
            let of: Vec<Pane> = of.iter().filter_map(|word| one(word)).collect();
            let first = *of.first()?;
            Some(Place::Tabs { front: Pane::by_word(&front).unwrap_or(first), of })
        }
        Place::Beside(parts) => Some(Place::Beside(known_parts(parts, seen, wrong))),
        Place::Below(parts) => Some(Place::Below(known_parts(parts, seen, wrong))),
    }
}

fn known_parts(
    parts: Vec<(f32, Place<String>)>,
    seen: &mut BTreeSet<Pane>,
    wrong: &mut Vec<String>,
) -> Vec<(f32, Place)> {
    let mut out = Vec::new();
    for (share, part) in parts {
        if !is_share(share) {
            wrong.push(format!("{share} is no share of a place"));
        }
        out.extend(known(part, seen, wrong).map(|part| (share, part)));
    }
    out
}

impl Place {
    /// With the names that files have.
    fn named(&self) -> Place<String> {
        let word = |pane: &Pane| pane.word().to_owned();
        match self {
            Self::Pane(pane) => Place::Pane(word(pane)),
            Self::Tabs { front, of } => Place::Tabs { front: word(front), of: of.iter().map(word).collect() },
            Self::Beside(parts) => Place::Beside(parts.iter().map(|(share, part)| (*share, part.named())).collect()),
            Self::Below(parts) => Place::Below(parts.iter().map(|(share, part)| (*share, part.named())).collect()),
        }
    }
}
