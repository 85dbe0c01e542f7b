//! The sheet of keys, from the table of commands.

use super::theme::{accent, faint};
use crate::studio::commands::{Menu, TABLE, shortcut_text};
use crate::studio::session::Session;
use egui::{Align2, Context, Grid, RichText, Ui, Window};

/// What the mouse does in the 3D view and in the compare panel.
const MOUSE: [(&str, &str); 4] =
    [("drag", "orbit"), ("right drag", "pan"), ("wheel", "zoom"), ("double-click a camera", "look through it")];

pub(super) fn show(ctx: &Context, session: &mut Session) {
    Window::new("Keys")
        .open(&mut session.ui.show_help)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, [0.0, 0.0])
        .show(ctx, |ui| {
            // Columns, so that it fits the least window.
            ui.horizontal_top(|ui| {
                for menus in [
                    &[Menu::File, Menu::Edit][..],
                    &[Menu::View, Menu::Compare, Menu::Help],
                    &[Menu::Run, Menu::Window],
                ] {
                    ui.vertical(|ui| {
                        for menu in menus {
                            section(ui, menu.name(), &keys_of(*menu, false));
                            let in_mode = keys_of(*menu, true);
                            if !in_mode.is_empty() {
                                section(ui, "While editing a picture", &in_mode);
                            }
                        }
                        if menus.contains(&Menu::Edit) {
                            section(ui, "Mouse", &MOUSE.map(|(key, what)| (key.to_owned(), what)));
                        }
                    });
                    ui.add_space(14.0);
                }
            });
        });
}

/// Keys and names of a menu's commands that have any: of those for the edit mode, where keys mean something else, or of the others.
fn keys_of(menu: Menu, in_mode: bool) -> Vec<(String, &'static str)> {
    TABLE
        .iter()
        .filter(|e| e.menu == menu && e.in_mode == in_mode && !e.keys.is_empty())
        .map(|e| {
            let keys: Vec<String> = e.keys.iter().map(|k| shortcut_text(*k)).collect();
            (if e.held { format!("{} (hold)", keys.join(", ")) } else { keys.join(", ") }, e.name)
        })
        .collect()
}

fn section(ui: &mut Ui, title: &str, keys: &[(String, &str)]) {
    ui.label(RichText::new(title).strong().color(accent()));
    Grid::new(title).num_columns(2).spacing([16.0, 2.0]).min_row_height(0.0).show(ui, |ui| {
        for (key, what) in keys {
            ui.label(RichText::new(key).monospace().strong());
            ui.label(RichText::new(*what).color(faint()));
            ui.end_row();
        }
    });
    ui.add_space(4.0);
}
