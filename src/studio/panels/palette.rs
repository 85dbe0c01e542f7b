//! The palette: a few letters find any command, Enter carries it out.

use super::access::Named as _;
use super::theme::{accent, faint, ink};
use crate::studio::commands::{self, Entry};
use crate::studio::session::{Action, Session};
use egui::{
    Align, Align2, Context, Frame, Key, Layout, Modifiers, RichText, ScrollArea, TextEdit, Ui, WidgetType, Window,
};

/// Width in points.
const WIDTH: f32 = 520.0;
/// Height of the list, points.
const LIST: f32 = 330.0;

pub(super) fn show(ctx: &Context, session: &mut Session, actions: &mut Vec<Action>) {
    let Some(mut state) = session.ui.palette.take() else { return };
    let found = commands::search(&state.typed);
    let (mut chosen, mut open) = (None, true);
    ctx.input_mut(|i| {
        let mut pressed = |key| i.consume_key(Modifiers::NONE, key);
        let last = found.len().saturating_sub(1);
        if pressed(Key::ArrowDown) {
            (state.at, state.moved) = ((state.at + 1).min(last), true);
        }
        if pressed(Key::ArrowUp) {
            (state.at, state.moved) = (state.at.saturating_sub(1), true);
        }
        if pressed(Key::Enter) {
            chosen = found.get(state.at).copied();
        }
        open = !pressed(Key::Escape)
            && !i.consume_key(Modifiers::COMMAND, Key::K)
            && !i.consume_key(Modifiers::COMMAND, Key::P);
    });
    let shown = Window::new("palette")
        .title_bar(false)
        .resizable(false)
        .anchor(Align2::CENTER_TOP, [0.0, 84.0])
        .fixed_size([WIDTH, LIST + 40.0])
        .show(ctx, |ui| {
            let hint = "Search commands: a few letters, then Enter";
            let edit = TextEdit::singleline(&mut state.typed).hint_text(hint).desired_width(f32::INFINITY);
            let edit = ui.add(edit).named("Search commands");
            edit.request_focus();
            if edit.changed() {
                state.at = 0;
            }
            ui.add_space(2.0);
            ScrollArea::vertical().max_height(LIST).auto_shrink([false, true]).show(ui, |ui| {
                for (i, entry) in found.iter().copied().enumerate() {
                    let here = i == state.at;
                    let response = row(ui, session, entry, here);
                    if here && std::mem::take(&mut state.moved) {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() {
                        chosen = Some(entry);
                    }
                }
                if found.is_empty() {
                    ui.label(RichText::new("No command is called so").color(faint()));
                }
            });
        });
    let beside = shown.is_some_and(|s| s.response.clicked_elsewhere());
    match chosen.filter(|e| (e.why_not)(session).is_none()) {
        Some(entry) => actions.extend(entry.run(session)),
        // One that cannot be carried out says why, and stays.
        None if open && !beside => session.ui.palette = Some(state),
        None => {}
    }
}

/// Name, menu, key; what cannot be done now says why in place of its key.
fn row(ui: &mut Ui, session: &Session, entry: &Entry, here: bool) -> egui::Response {
    let why_not = (entry.why_not)(session);
    let frame = Frame::NONE.inner_margin(egui::Margin::symmetric(6, 3)).corner_radius(3);
    let frame = if here { frame.fill(accent().gamma_multiply(0.3)) } else { frame };
    let inner = frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.style_mut().interaction.selectable_labels = false;
            let colour = if why_not.is_some() { faint() } else { ink() };
            let on = entry.on.is_some_and(|on| on(session));
            ui.label(RichText::new(entry.name).color(colour));
            ui.label(RichText::new(entry.menu.name()).small().color(faint()));
            if on {
                ui.label(RichText::new("✔").small().color(accent()));
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| match &why_not {
                Some(why) => _ = ui.add(egui::Label::new(RichText::new(why).small().color(faint())).truncate()),
                None => _ = ui.label(RichText::new(entry.key_text()).monospace().color(faint())),
            });
        });
    });
    inner.response.interact(egui::Sense::click()).presented(WidgetType::Button, entry.name).on_hover_text(entry.help)
}
