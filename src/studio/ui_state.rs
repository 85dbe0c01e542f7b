//! What the panels remember between frames: modes, sliders, open windows.

use super::backend::Look;
use super::docks::{Docks, Pane};
use super::editing::Editing;
use super::export_target::{ExportTarget, FORMATS};
use super::session::{Measure, TimeAxis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Which layout is in use: each has its own places of the panels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Arrangement {
    /// The 3D view with the list of views.
    Simple,
    /// All panels around the 3D view.
    #[default]
    Studio,
    /// The pictures large, the 3D view small.
    Compare,
}

impl Arrangement {
    /// All layouts.
    pub(crate) const ALL: [Self; 3] = [Self::Simple, Self::Studio, Self::Compare];
}

/// Bounds of the size of letters and buttons.
const ZOOM: std::ops::RangeInclusive<f32> = 0.75..=2.0;

/// What the vertices' colours mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shading {
    /// The albedo itself.
    #[default]
    Albedo,
    /// Grey clay in a fixed light.
    Clay,
    /// World normals.
    Normals,
    /// By the run's network, as a photograph.
    Neural,
    /// The albedo under the light of the capture.
    Lit,
    /// The edges of the triangles.
    Wire,
    /// How many views see each vertex.
    Coverage,
    /// How far HAM has moved the surface.
    Displacement,
}

impl Shading {
    /// All modes in the order of their keys.
    pub(crate) const ALL: [Self; 8] = [
        Self::Albedo,
        Self::Clay,
        Self::Normals,
        Self::Neural,
        Self::Lit,
        Self::Wire,
        Self::Coverage,
        Self::Displacement,
    ];

    /// Name on screen.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Albedo => "Albedo",
            Self::Clay => "Clay",
            Self::Normals => "Normals",
            Self::Neural => "Neural",
            Self::Lit => "Lit",
            Self::Wire => "Wire",
            Self::Coverage => "Coverage",
            Self::Displacement => "Moved",
        }
    }
}

/// How the compare panel puts photograph and render together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CompareMode {
    /// A handle divides them.
    #[default]
    Wipe,
    /// One above the other.
    Side,
    /// Heat map of the difference.
    Difference,
    /// The render over the photograph, more or less opaque.
    Overlay,
}

impl CompareMode {
    /// All modes.
    pub(crate) const ALL: [Self; 4] = [Self::Wipe, Self::Side, Self::Difference, Self::Overlay];

    /// Name on screen.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Wipe => "Wipe",
            Self::Side => "Side",
            Self::Difference => "Difference",
            Self::Overlay => "Overlay",
        }
    }
}

/// What can be rendered beside a photograph, in the order of the list.
pub(crate) const LOOKS: [Look; 5] = [Look::Shaded, Look::Neural, Look::Albedo, Look::Normals, Look::Clay];

/// Name on screen.
#[must_use]
pub(crate) const fn look_name(look: Look) -> &'static str {
    match look {
        Look::Shaded => "Shaded",
        Look::Albedo => "Albedo",
        Look::Neural => "Neural",
        Look::Normals => "Normals",
        Look::Clay => "Clay",
    }
}

/// What is typed into the palette, and which of its rows is chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Palette {
    /// The letters so far.
    pub typed: String,
    /// Row of the list.
    pub at: usize,
    /// The row was just changed by a key and is to be scrolled to.
    pub moved: bool,
}

/// The panels' memory.
#[derive(Clone, Debug)]
pub(crate) struct UiState {
    /// Which layout is in use.
    pub arrangement: Arrangement,
    /// Where the panels lie in each of them.
    pub docks: Docks,
    /// A panel or an edge between panels is being dragged: not the time to write anything down.
    pub moving: bool,
    /// The panel that was chosen last, by its title or by keys.
    pub at_pane: Option<Pane>,
    /// Its title is to be given the keys.
    pub focus_pane: bool,
    /// Panels are light.
    pub light: bool,
    /// Size of letters and buttons, 1 = usual.
    pub zoom: f32,
    /// Mesh colours.
    pub shading: Shading,
    /// Frustums and thumbnails.
    pub show_cameras: bool,
    /// Frustums are coloured by the measure.
    pub show_residuals: bool,
    /// What views are coloured and sorted by.
    pub measure: Measure,
    /// The worst views are listed first.
    pub worst_first: bool,
    /// The selected finding is to be scrolled to.
    pub scroll_to_finding: bool,
    /// The selected view is to be scrolled to.
    pub scroll_to_view: bool,
    /// The view whose camera is looked through.
    pub through: Option<usize>,
    /// The meshes.
    pub show_hands: bool,
    /// 3D joints.
    pub show_joints: bool,
    /// Ground grid.
    pub show_grid: bool,
    /// How fast the timeline plays, 1 = eight snapshots a second.
    pub play_speed: f32,
    /// It begins anew at its end.
    pub play_loop: bool,
    /// What the timeline counts while a sequence is open.
    pub time_axis: TimeAxis,
    /// Compare mode.
    pub compare: CompareMode,
    /// Wipe position, 0 = all render, 1 = all photograph.
    pub wipe: f32,
    /// Opacity of the render in an overlay, 0 = the photograph alone.
    pub opacity: f32,
    /// What is rendered beside the photograph.
    pub look: Look,
    /// How much closer than the whole crop the compare panel looks, 1 or more.
    pub closer: f32,
    /// The middle of what it looks at then, photograph pixels; `None` = that of the crop.
    pub looked_at: Option<[f32; 2]>,
    /// Compare panel shows the hands only, not the whole picture.
    pub zoom_to_hands: bool,
    /// Detected keypoints over the photograph.
    pub show_keypoints: bool,
    /// G is held or the photograph alone was chosen: no render.
    pub blink: bool,
    /// The photograph alone was chosen.
    pub photograph_alone: bool,
    /// The palette, while it is open.
    pub palette: Option<Palette>,
    /// Curves that are switched off.
    pub hidden_curves: BTreeSet<String>,
    /// Exponential smoothing of the curves, 0..0.99; display only.
    pub smoothing: f32,
    /// A folder hangs over the window.
    pub drop_hover: bool,
    /// Shortcut sheet.
    pub show_help: bool,
    /// Figures for developers.
    pub show_developer: bool,
    /// Export window.
    pub show_export: bool,
    /// Export formats ticked, in the order of [`FORMATS`].
    pub formats: [bool; FORMATS.len()],
    /// For which programs files are exported.
    pub export_target: ExportTarget,
    /// Export the rest pose.
    pub export_rest: bool,
    /// Export with capped wrists.
    pub export_closed_wrist: bool,
    /// Export the run as it was at this step; `None` = as it is now.
    pub export_step: Option<u32>,
    /// Export folder; `None` = inside the run folder.
    pub export_dir: Option<PathBuf>,
    /// Path typed on the empty screen.
    pub path_text: String,
    /// Log lines must contain this.
    pub log_filter: String,
    /// Height that the buttons on the 3D view take at its top, points: they wrap in a narrow one.
    pub view_bar: f32,
    /// Editing of keypoints and masks.
    pub editing: Editing,
}

impl UiState {
    /// Makes letters and buttons larger or smaller, within reason; whole twentieths.
    pub(crate) fn set_zoom(&mut self, zoom: f32) {
        let zoom = if zoom.is_finite() { zoom } else { 1.0 };
        self.zoom = ((zoom * 20.0).round() / 20.0).clamp(*ZOOM.start(), *ZOOM.end());
    }
}

impl Default for UiState {
    fn default() -> Self {
        Self {
            arrangement: Arrangement::default(),
            docks: Docks::default(),
            moving: false,
            at_pane: None,
            focus_pane: false,
            light: false,
            zoom: 1.0,
            shading: Shading::default(),
            show_cameras: true,
            show_residuals: true,
            measure: Measure::default(),
            worst_first: false,
            scroll_to_finding: false,
            scroll_to_view: false,
            through: None,
            show_hands: true,
            show_joints: true,
            show_grid: true,
            play_speed: 1.0,
            play_loop: false,
            time_axis: TimeAxis::default(),
            compare: CompareMode::default(),
            wipe: 0.5,
            opacity: 0.5,
            look: Look::default(),
            closer: 1.0,
            looked_at: None,
            zoom_to_hands: true,
            show_keypoints: false,
            blink: false,
            photograph_alone: false,
            palette: None,
            hidden_curves: BTreeSet::new(),
            smoothing: 0.0,
            drop_hover: false,
            show_help: false,
            show_developer: false,
            show_export: false,
            formats: ExportTarget::Gltf.formats(),
            export_target: ExportTarget::Gltf,
            export_rest: false,
            export_closed_wrist: false,
            export_step: None,
            export_dir: None,
            path_text: String::new(),
            log_filter: String::new(),
            view_bar: 36.0,
            editing: Editing::default(),
        }
    }
}
