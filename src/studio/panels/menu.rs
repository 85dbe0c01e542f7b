//! The menus, and buttons that are commands: both from the table of commands.

use super::access::{Named as _, is_read};
use super::theme::{faint, field, red, rule};
use crate::studio::commands::{Entry, Id, Menu, TABLE};
use crate::studio::session::{Action, Session};
use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Align, Button, Layout, MenuBar, PopupCloseBehavior, RichText, Stroke, Ui};

/// The row of menus, the search for commands, and what is computed on.
pub(super) fn show(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    MenuBar::new().ui(ui, |ui| {
        for menu in Menu::ALL {
            ui.menu_button(menu.name(), |ui| {
                ui.set_min_width(270.0);
                for entry in TABLE.iter().filter(|e| e.menu == menu) {
                    if entry.ruled {
                        ui.separator();
                    }
                    item(ui, session, entry, actions);
                }
            });
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            device(ui, session);
            let palette = Id::Palette.entry();
            let text = RichText::new(format!("{}  {}", palette.name, palette.key_text())).color(faint());
            // Framed, unlike the menus: it is a field to type into.
            let button =
                Button::new(text).min_size(egui::vec2(190.0, 0.0)).fill(field()).stroke(Stroke::new(1.0, rule()));
            if ui.add(button).on_hover_text(palette.help).clicked() {
                actions.extend(palette.run(session));
            }
        });
    });
}

fn item(ui: &mut Ui, session: &mut Session, entry: &Entry, actions: &mut Vec<Action>) {
    let why_not = (entry.why_not)(session);
    let text = match entry.on {
        Some(on) => format!("{} {}", if on(session) { "✔" } else { "   " }, entry.name),
        None => format!("    {}", entry.name),
    };
    let button = Button::new(text).shortcut_text(entry.key_text()).frame_when_inactive(false);
    let response = ui.add_enabled(why_not.is_none(), button);
    let response = response.on_hover_text(entry.help).on_disabled_hover_text(why_not.unwrap_or_default());
    if response.clicked() {
        actions.extend(entry.run(session));
        ui.close();
    }
}

/// What is computed on, or that there is nothing.
fn device(ui: &mut Ui, session: &Session) {
    match &session.device {
        Some(Ok(name)) => {
            // `llvmpipe (LLVM 15.0.6, 256 bits) (software)`: the first words say which it is, the rest is in the tip.
            let short: String = name.split(" (").next().unwrap_or(name).chars().take(26).collect();
            let held = session.device_bytes.map(megabytes);
            let text = held.as_ref().map_or_else(|| short.clone(), |held| format!("{short} · {held}"));
            let tip =
                held.map_or_else(String::new, |held| format!("\n{held} are held there: meshes, pictures, the network"));
            ui.label(RichText::new(text).color(faint()).small()).on_hover_text(format!("Computing on {name}{tip}"));
        }
        Some(Err(why)) => {
            ui.label(RichText::new("⚠ no device").color(red())).on_hover_text(why);
        }
        None => {}
    }
}

/// Bytes as whole megabytes.
fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

/// A button that opens a list which stays open while things in it are clicked.
pub(super) fn list(ui: &mut Ui, text: String, add: impl FnOnce(&mut Ui)) -> egui::Response {
    let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    MenuButton::new(text).config(config).ui(ui, add).0
}

/// A button with the name, the tip and the rules of a command; pressed down while it is switched on.
pub(super) fn tool(ui: &mut Ui, session: &mut Session, id: Id, actions: &mut Vec<Action>) {
    tool_called(ui, session, id, id.entry().name, actions);
}

/// As [`tool`], with a shorter name.
pub(super) fn tool_called(ui: &mut Ui, session: &mut Session, id: Id, name: &str, actions: &mut Vec<Action>) {
    let entry = id.entry();
    let why_not = (entry.why_not)(session);
    let button = match entry.on {
        Some(on) => Button::selectable(on(session), name),
        None => Button::new(name),
    };
    let response = ui.add_enabled(why_not.is_none(), button);
    let response = if is_read(name) { response } else { response.named(entry.name) };
    if response.on_hover_text(entry.tip()).on_disabled_hover_text(why_not.unwrap_or_default()).clicked() {
        actions.extend(entry.run(session));
    }
}
