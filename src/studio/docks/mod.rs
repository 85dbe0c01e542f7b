//! Which panels there are and where they lie: a tree of places for each layout, with the panels that are put away. Data alone;
//! `panels::dock` draws it, and what is dragged there comes back here. The settings keep it ([`saved`]).

mod place;
mod saved;
#[cfg(test)]
mod tests;

pub(crate) use place::{Axis, Place};

use super::ui_state::{Arrangement, UiState};
use std::collections::BTreeSet;

/// A panel that can be moved, put away and shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Pane {
    /// The list of views.
    Views,
    /// The 3D view.
    View3d,
    /// Photograph and render.
    Compare,
    /// What the next run is given.
    Parameters,
    /// Sliders for the hands.
    Pose,
    /// How the capture was read.
    Capture,
    /// What the doctor found.
    Findings,
    /// Loss curves.
    Curves,
    /// The log.
    Log,
    /// The bar along the lower edge: it can be put away, but not moved.
    Timeline,
}

impl Pane {
    /// All that have a place in the tree.
    pub(crate) const DOCKED: [Self; 9] = [
        Self::Views,
        Self::View3d,
        Self::Compare,
        Self::Parameters,
        Self::Pose,
        Self::Capture,
        Self::Findings,
        Self::Curves,
        Self::Log,
    ];

    /// Those that share a place in the layouts to begin with.
    const TABBED: [Self; 4] = [Self::Parameters, Self::Pose, Self::Capture, Self::Findings];

    /// Name on screen.
    #[must_use]
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Views => "Views",
            Self::View3d => "3D view",
            Self::Compare => "Compare",
            Self::Parameters => "Parameters",
            Self::Pose => "Pose",
            Self::Capture => "Capture",
            Self::Findings => "Findings",
            Self::Curves => "Loss",
            Self::Log => "Log",
            Self::Timeline => "Timeline",
        }
    }

    /// Name in the settings.
    const fn word(self) -> &'static str {
        match self {
            Self::Views => "views",
            Self::View3d => "3d-view",
            Self::Compare => "compare",
            Self::Parameters => "parameters",
            Self::Pose => "pose",
            Self::Capture => "capture",
            Self::Findings => "findings",
            Self::Curves => "curves",
            Self::Log => "log",
            Self::Timeline => "timeline",
        }
    }

    fn by_word(word: &str) -> Option<Self> {
        Self::DOCKED.into_iter().chain([Self::Timeline]).find(|pane| pane.word() == word)
    }
}

/// One layout: where the panels lie, and which of them are put away.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    /// Every docked panel once, also those that are put away: they come back where they were.
    place: Place,
    hidden: BTreeSet<Pane>,
}

impl Layout {
    /// What a layout is to begin with.
    #[must_use]
    pub(crate) fn of(arrangement: Arrangement) -> Self {
        let pane = Place::Pane;
        let tabs = || Place::Tabs { front: Pane::Parameters, of: Pane::TABBED.to_vec() };
        let beside_it = |compare: f32| Place::Below(vec![(compare, pane(Pane::Compare)), (1.0 - compare, tabs())]);
        let upper = match arrangement {
            // What is put away would otherwise leave a list of views that is too wide.
            Arrangement::Simple => {
                vec![(0.1, pane(Pane::Views)), (0.64, pane(Pane::View3d)), (0.26, beside_it(0.575))]
            }
            Arrangement::Studio => {
                vec![(0.135, pane(Pane::Views)), (0.605, pane(Pane::View3d)), (0.26, beside_it(0.575))]
            }
            Arrangement::Compare => vec![
                (0.135, pane(Pane::Views)),
                (0.505, pane(Pane::Compare)),
                (0.36, Place::Below(vec![(0.55, pane(Pane::View3d)), (0.45, tabs())])),
            ],
        };
        let lower = Place::Beside(vec![(0.7, pane(Pane::Curves)), (0.3, pane(Pane::Log))]);
        let hidden = match arrangement {
            Arrangement::Simple => Pane::TABBED.into_iter().chain([Pane::Compare, Pane::Curves, Pane::Log]).collect(),
            Arrangement::Studio | Arrangement::Compare => BTreeSet::new(),
        };
        Self { place: Place::Below(vec![(0.76, Place::Beside(upper)), (0.24, lower)]), hidden }
    }

    /// Where the panels lie.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Whether a panel is not put away.
    #[must_use]
    pub(crate) fn has(&self, pane: Pane) -> bool {
        !self.hidden.contains(&pane)
    }

    /// Whether a panel can be seen: it is not put away, nor behind another one.
    #[must_use]
    pub(crate) fn shows(&self, pane: Pane) -> bool {
        let behind = || self.place.tabs_of(pane).is_some_and(|tabs| self.front(tabs) != Some(pane));
        self.has(pane) && !behind()
    }

    /// Which of the panels at one place is seen: the one in front, or the first that is not put away.
    #[must_use]
    pub(crate) fn front(&self, (front, of): (Pane, &[Pane])) -> Option<Pane> {
        std::iter::once(front).chain(of.iter().copied()).find(|pane| self.has(*pane))
    }

    /// Shows a panel, in front of those at the same place.
    pub(crate) fn bring(&mut self, pane: Pane) {
        self.hidden.remove(&pane);
        self.place.bring(pane);
    }

    /// Puts a panel away until it is asked for.
    pub(crate) fn hide(&mut self, pane: Pane) {
        self.hidden.insert(pane);
    }

    /// The panels that are not put away, in the order in which they are read: along the tree.
    #[must_use]
    pub(crate) fn panes(&self) -> Vec<Pane> {
        self.place.panes().into_iter().filter(|pane| self.has(*pane)).collect()
    }

    /// Takes the places over from what was drawn and dragged, when they are whole: every panel once.
    pub(crate) fn take(&mut self, place: Place) {
        let mut found = place.panes();
        found.sort_unstable();
        if found == Pane::DOCKED {
            self.place = place;
        }
    }

    /// Gives a line of the tree other sizes: of its parts that are seen, points.
    pub(crate) fn resize(&mut self, path: &[usize], sizes: &[(usize, f32)]) {
        self.place.resize(path, sizes);
    }
}

/// The layouts as they are, each with its own changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Docks {
    layouts: [Layout; Arrangement::ALL.len()],
    /// What had to be repaired as they were read, for the log.
    pub complaints: Vec<String>,
}

impl Default for Docks {
    fn default() -> Self {
        Self { layouts: Arrangement::ALL.map(Layout::of), complaints: Vec::new() }
    }
}

impl Docks {
    fn layout(&self, arrangement: Arrangement) -> &Layout {
        &self.layouts[arrangement as usize]
    }

    fn layout_mut(&mut self, arrangement: Arrangement) -> &mut Layout {
        &mut self.layouts[arrangement as usize]
    }
}

impl UiState {
    /// The layout in use.
    #[must_use]
    pub(crate) fn layout(&self) -> &Layout {
        self.docks.layout(self.arrangement)
    }

    /// The layout in use.
    pub(crate) fn layout_mut(&mut self) -> &mut Layout {
        self.docks.layout_mut(self.arrangement)
    }

    /// Whether a panel can be seen.
    #[must_use]
    pub(crate) fn shows(&self, pane: Pane) -> bool {
        self.layout().shows(pane)
    }

    /// Shows a panel.
    pub(crate) fn bring(&mut self, pane: Pane) {
        self.layout_mut().bring(pane);
    }

    /// Shows a panel; one that is seen goes: behind the first of those at its place, or away where it is alone.
    pub(crate) fn toggle(&mut self, pane: Pane) {
        let layout = self.layout_mut();
        if !layout.shows(pane) {
            return layout.bring(pane);
        }
        let mates = layout.place.tabs_of(pane).map(|(_, of)| of.to_vec()).unwrap_or_default();
        match mates.into_iter().find(|mate| *mate != pane && layout.has(*mate)) {
            Some(mate) => layout.bring(mate),
            None => layout.hide(pane),
        }
    }

    /// Whether the layout in use is as it was made.
    #[must_use]
    pub(crate) fn is_layout_untouched(&self) -> bool {
        *self.layout() == Layout::of(self.arrangement)
    }

    /// Makes the layout in use what it was to begin with.
    pub(crate) fn reset_layout(&mut self) {
        *self.layout_mut() = Layout::of(self.arrangement);
    }

    /// Gives the keys to the next or previous panel, round and round, and shows it.
    pub(crate) fn step_pane(&mut self, by: isize) {
        let panes = self.layout().panes();
        let count = isize::try_from(panes.len()).unwrap_or(0);
        if count == 0 {
            return;
        }
        let here = self.at_pane.and_then(|pane| panes.iter().position(|p| *p == pane));
        let from = here.and_then(|i| isize::try_from(i).ok());
        let to = from.map_or(if by > 0 { 0 } else { count - 1 }, |i| (i + by).rem_euclid(count));
        if let Some(pane) = usize::try_from(to).ok().and_then(|i| panes.get(i).copied()) {
            self.bring(pane);
            (self.at_pane, self.focus_pane) = (Some(pane), true);
        }
    }
}
