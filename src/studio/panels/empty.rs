//! The first screen: one big button, a path field, and what a capture folder should contain.

use super::access::Named as _;
use super::theme::{self, accent, amber, faint, field, on_accent};
use crate::studio::session::{Action, Session};
use egui::{Align, Button, CentralPanel, Frame, Label, Layout, Margin, RichText, Stroke, TextEdit, Ui, vec2};
use std::path::PathBuf;

/// Recent folders that are listed.
const SHOWN: usize = 5;

const FOLDER: &str = "\
my_capture/
├ camera/param.npz   calibration: one projection matrix a view
├ img/00.png …       one photograph a view, taken at one instant
├ mask/00.png …      white where the hands are
└ pose/00.json …     21 detected keypoints a hand";

pub(super) fn show(root: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    CentralPanel::default().frame(Frame::NONE.fill(theme::sheet())).show(root, |ui| {
        ui.with_layout(Layout::top_down(Align::Center), |ui| {
            ui.add_space((ui.available_height() * 0.12).max(8.0));
            ui.label(RichText::new("thenar").size(34.0).strong());
            ui.label(
                RichText::new("From a calibrated multi-view capture to a textured, animatable hand")
                    .size(15.0)
                    .color(faint()),
            );
            ui.add_space(24.0);
            if let Some(path) = &session.opening {
                ui.label(format!("Reading {}", path.display()));
                return;
            }
            let open =
                Button::new(RichText::new("Open capture…").size(18.0).strong().color(on_accent())).fill(accent());
            if ui.add_sized(vec2(230.0, 46.0), open).on_hover_text("Ctrl+O").clicked() {
                actions.push(Action::OpenDialog);
            }
            ui.add_space(6.0);
            ui.label(RichText::new("or drop a folder anywhere on this window, or type its path").color(faint()));
            let edit = TextEdit::singleline(&mut session.ui.path_text).hint_text("path of a capture or run folder");
            let response = ui.add_sized(vec2(420.0, 26.0), edit).named("Path of a capture or run folder");
            let text = session.ui.path_text.trim();
            if response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter)) && !text.is_empty() {
                actions.push(Action::Open(PathBuf::from(text)));
            }
            interrupted(ui, session, actions);
            recent(ui, session, actions);
            ui.add_space(16.0);
            let card = egui::Rect::from_center_size(
                ui.cursor().center_top() + vec2(0.0, 80.0),
                vec2(ui.available_width().min(560.0), 160.0),
            );
            ui.scope_builder(egui::UiBuilder::new().max_rect(card).layout(Layout::top_down(Align::Min)), |ui| {
                Frame::NONE.fill(field()).corner_radius(6).inner_margin(Margin::same(16)).show(ui, |ui| {
                    ui.set_width(ui.available_width());
                    ui.label(RichText::new("What a capture folder contains").strong());
                    ui.label(RichText::new(FOLDER).monospace().color(faint()));
                    ui.label(
                        RichText::new("No capture at hand?  `thenar synth sample` writes one with a known answer.")
                            .color(faint()),
                    );
                });
            });
        });
    });
}

/// A run that was under way when the window was closed, or went away.
fn interrupted(ui: &mut Ui, session: &Session, actions: &mut Vec<Action>) {
    let Some(run) = &session.interrupted else { return };
    ui.add_space(14.0);
    let frame =
        Frame::NONE.fill(field()).stroke(Stroke::new(1.0, amber())).corner_radius(6).inner_margin(Margin::same(10));
    frame.show(ui, |ui| {
        ui.set_max_width(560.0);
        ui.label(RichText::new("A run was under way when the window was closed the last time.").strong());
        ui.label(RichText::new("What it has saved is there; it can be looked at and gone on with.").color(faint()));
        ui.add(Label::new(RichText::new(run.display().to_string()).small().color(faint())).truncate());
        ui.horizontal(|ui| {
            if ui.button("Open it").clicked() {
                actions.push(Action::Open(run.clone()));
            }
            if ui.button("Not now").clicked() {
                actions.push(Action::DismissInterrupted);
            }
        });
    });
}

/// Folders that were open before.
fn recent(ui: &mut Ui, session: &Session, actions: &mut Vec<Action>) {
    if session.recent.is_empty() {
        return;
    }
    ui.add_space(14.0);
    ui.label(RichText::new("RECENT").size(12.0).strong().color(faint()));
    for folder in session.recent.iter().take(SHOWN) {
        let name =
            folder.file_name().map_or_else(|| folder.display().to_string(), |n| n.to_string_lossy().into_owned());
        // A run says little without the capture that it is of.
        let of = folder.ancestors().find(|a| a.extension().is_some_and(|e| e == "thenar"));
        let of = of.and_then(|a| a.file_stem()).map(|s| format!("{} · ", s.to_string_lossy())).unwrap_or_default();
        if ui.link(format!("{of}{name}")).on_hover_text(folder.display().to_string()).clicked() {
            actions.push(Action::Open(folder.clone()));
        }
    }
}
