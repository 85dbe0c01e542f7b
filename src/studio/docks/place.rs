//! A place of the window: a panel, several behind each other, or places in a row or in a column with their shares of it.

use super::Pane;
use serde::{Deserialize, Serialize};

/// Which way places follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// From left to right.
    Beside,
    /// From top to bottom.
    Below,
}

/// A place. `P` is the name of a panel: [`Pane`], or any text as it is read from a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Place<P = Pane> {
    /// A panel.
    Pane(P),
    /// Panels behind each other.
    Tabs {
        /// The one that is seen.
        front: P,
        /// All of them, from left to right.
        of: Vec<P>,
    },
    /// Places from left to right, with their shares of the width.
    Beside(Vec<(f32, Self)>),
    /// Places from top to bottom, with their shares of the height.
    Below(Vec<(f32, Self)>),
}

/// No part of a line is given less than this of it.
const LEAST_SHARE: f32 = 0.02;

impl<P> Place<P> {
    /// The parts of a row or column.
    pub(crate) fn line(&self) -> Option<(Axis, &[(f32, Self)])> {
        match self {
            Self::Beside(parts) => Some((Axis::Beside, parts)),
            Self::Below(parts) => Some((Axis::Below, parts)),
            Self::Pane(_) | Self::Tabs { .. } => None,
        }
    }

    /// A row or column.
    pub(crate) fn of_line(axis: Axis, parts: Vec<(f32, Self)>) -> Self {
        match axis {
            Axis::Beside => Self::Beside(parts),
            Axis::Below => Self::Below(parts),
        }
    }

    fn line_mut(&mut self) -> Option<&mut Vec<(f32, Self)>> {
        match self {
            Self::Beside(parts) | Self::Below(parts) => Some(parts),
            Self::Pane(_) | Self::Tabs { .. } => None,
        }
    }
}

impl Place {
    /// Its panels, along the tree.
    #[must_use]
    pub(crate) fn panes(&self) -> Vec<Pane> {
        match self {
            Self::Pane(pane) => vec![*pane],
            Self::Tabs { of, .. } => of.clone(),
            Self::Beside(parts) | Self::Below(parts) => parts.iter().flat_map(|(_, part)| part.panes()).collect(),
        }
    }

    /// The panels that a panel shares its place with, itself among them, and the one in front.
    pub(super) fn tabs_of(&self, pane: Pane) -> Option<(Pane, &[Pane])> {
        match self {
            Self::Tabs { front, of } => of.contains(&pane).then_some((*front, of.as_slice())),
            Self::Pane(_) => None,
            Self::Beside(parts) | Self::Below(parts) => parts.iter().find_map(|(_, part)| part.tabs_of(pane)),
        }
    }

    /// Puts a panel in front of those at the same place.
    pub(super) fn bring(&mut self, pane: Pane) {
        match self {
            Self::Tabs { front, of } if of.contains(&pane) => *front = pane,
            Self::Pane(_) | Self::Tabs { .. } => {}
            Self::Beside(parts) | Self::Below(parts) => parts.iter_mut().for_each(|(_, part)| part.bring(pane)),
        }
    }

    /// Adds a panel to those at the place of another one.
    pub(super) fn add_beside(&mut self, mates: &[Pane], pane: Pane) -> bool {
        match self {
            Self::Pane(only) if mates.contains(only) => {
                *self = Self::Tabs { front: *only, of: vec![*only, pane] };
                true
            }
            Self::Tabs { of, .. } if of.iter().any(|p| mates.contains(p)) => {
                of.push(pane);
                true
            }
            Self::Pane(_) | Self::Tabs { .. } => false,
            Self::Beside(parts) | Self::Below(parts) => parts.iter_mut().any(|(_, part)| part.add_beside(mates, pane)),
        }
    }

    /// New sizes of some parts of the line at the end of a path of indices; together they keep the share that they had.
    pub(super) fn resize(&mut self, path: &[usize], sizes: &[(usize, f32)]) {
        let Some(parts) = self.line_mut() else { return };
        if let [first, rest @ ..] = path {
            if let Some((_, part)) = parts.get_mut(*first) {
                part.resize(rest, sizes);
            }
            return;
        }
        let room: f32 = sizes.iter().map(|(_, size)| size).sum();
        let shares: f32 = sizes.iter().filter_map(|(i, _)| parts.get(*i)).map(|(share, _)| share).sum();
        if room <= 0.0 {
            return;
        }
        for (i, size) in sizes {
            if let Some((share, _)) = parts.get_mut(*i) {
                *share = rounded(shares * size / room);
            }
        }
    }

    /// The same without what says nothing: empty places, rows in rows, a single part of a line, tabs of one panel. Shares sum
    /// to one, but for a hundredth; those that are no shares become the mean of the others.
    #[must_use]
    pub(crate) fn tidied(self) -> Option<Self> {
        match self {
            Self::Pane(_) => Some(self),
            Self::Tabs { front, of } => match of.as_slice() {
                [] => None,
                [only] => Some(Self::Pane(*only)),
                [first, ..] => Some(Self::Tabs { front: if of.contains(&front) { front } else { *first }, of }),
            },
            Self::Beside(parts) => tidied_line(Axis::Beside, parts),
            Self::Below(parts) => tidied_line(Axis::Below, parts),
        }
    }
}

/// As short as it is written down.
fn rounded(share: f32) -> f32 {
    (share * 1e4).round() / 1e4
}

/// A share that can be one: neither nothing nor beyond measure.
pub(super) fn is_share(share: f32) -> bool {
    share.is_finite() && (1e-4..=1e4).contains(&share)
}

fn tidied_line(axis: Axis, parts: Vec<(f32, Place)>) -> Option<Place> {
    let sound: Vec<f32> = parts.iter().map(|(share, _)| *share).filter(|share| is_share(*share)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a handful of panels")]
    let mean = if sound.is_empty() { 1.0 } else { sound.iter().sum::<f32>() / sound.len() as f32 };
    let mut out: Vec<(f32, Place)> = Vec::new();
    for (share, part) in parts {
        let share = if is_share(share) { share } else { mean };
        match part.tidied() {
            None => {}
            Some(Place::Beside(inner)) if axis == Axis::Beside => out.extend(spliced(share, inner)),
            Some(Place::Below(inner)) if axis == Axis::Below => out.extend(spliced(share, inner)),
            Some(part) => out.push((share, part)),
        }
    }
    if out.len() < 2 {
        return out.pop().map(|(_, part)| part);
    }
    let sum: f32 = out.iter().map(|(share, _)| share).sum();
    if (sum - 1.0).abs() > 0.01 || out.iter().any(|(share, _)| *share < LEAST_SHARE) {
        out.iter_mut().for_each(|(share, _)| *share = rounded((*share / sum).max(LEAST_SHARE)));
    }
    Some(Place::of_line(axis, out))
}

/// The parts of a line within a line of the same axis, which share its share.
fn spliced(share: f32, inner: Vec<(f32, Place)>) -> impl Iterator<Item = (f32, Place)> {
    inner.into_iter().map(move |(own, part)| (own * share, part))
}
