//! The sheet of keys.

use super::theme::WEAK;
use crate::studio::session::Session;
use egui::{Align2, Context, Grid, RichText, Window};

/// Keys and what they do, as shown.
const KEYS: [(&str, &str); 25] = [
    ("Ctrl+O", "open a folder"),
    ("Ctrl+Shift+O", "read the capture again"),
    ("Ctrl+R", "reconstruct, or resume an unfinished run"),
    ("Ctrl+Shift+R", "reconstruct anew"),
    ("T", "pause, go on"),
    ("Ctrl+E", "export"),
    ("[  ]", "previous, next view"),
    ("N  Shift+N", "next, previous finding"),
    ("Enter", "look through the selected camera"),
    ("X", "exclude or include the view"),
    ("H", "hold the view out: not fitted, but compared"),
    ("G (hold)", "photograph alone"),
    ("F", "see the hands"),
    ("Shift+F", "see everything"),
    ("I", "how the capture was read"),
    ("1 2 3", "albedo, clay, normals"),
    ("V", "cameras on, off"),
    (",  .", "previous, next snapshot"),
    ("Home  End", "first snapshot, live"),
    ("F1", "this sheet"),
    ("F12", "figures for developers"),
    ("drag", "orbit"),
    ("right drag", "pan"),
    ("wheel", "zoom"),
    ("double-click a camera", "look through it"),
];

pub(super) fn show(ctx: &Context, session: &mut Session) {
    Window::new("Keys")
        .open(&mut session.ui.show_help)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, [0.0, 0.0])
        .show(ctx, |ui| {
            Grid::new("keys").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
                for (key, what) in KEYS {
                    ui.label(RichText::new(key).monospace().strong());
                    ui.label(RichText::new(what).color(WEAK));
                    ui.end_row();
                }
            });
        });
}
