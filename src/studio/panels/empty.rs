//! The first screen: one big button, a path field, and what a capture folder should contain.

use super::theme::{self, ACCENT, ON_ACCENT, WEAK, WELL};
use crate::studio::session::{Action, Session};
use egui::{Align, Button, CentralPanel, Frame, Layout, Margin, RichText, TextEdit, Ui, vec2};
use std::path::PathBuf;

const FOLDER: &str = "\
my_capture/
├ camera/param.npz   calibration: one projection matrix a view
├ img/00.png …       one photograph a view, taken at one instant
├ mask/00.png …      white where the hands are
└ pose/00.json …     21 detected keypoints a hand";

pub(super) fn show(root: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    CentralPanel::default().frame(Frame::NONE.fill(theme::PANEL)).show(root, |ui| {
        ui.with_layout(Layout::top_down(Align::Center), |ui| {
            ui.add_space((ui.available_height() * 0.18).max(12.0));
            ui.label(RichText::new("thenar").size(34.0).strong());
            ui.label(
                RichText::new("From a calibrated multi-view capture to a textured, animatable hand")
                    .size(15.0)
                    .color(WEAK),
            );
            ui.add_space(24.0);
            if let Some(path) = &session.opening {
                ui.label(format!("Reading {}", path.display()));
                return;
            }
            let open = Button::new(RichText::new("Open capture…").size(18.0).strong().color(ON_ACCENT)).fill(ACCENT);
            if ui.add_sized(vec2(230.0, 46.0), open).on_hover_text("Ctrl+O").clicked() {
                actions.push(Action::OpenDialog);
            }
            ui.add_space(6.0);
            ui.label(RichText::new("or drop a folder anywhere on this window, or type its path").color(WEAK));
            let edit = TextEdit::singleline(&mut session.ui.path_text).hint_text("path of a capture or run folder");
            let response = ui.add_sized(vec2(420.0, 26.0), edit);
            let text = session.ui.path_text.trim();
            if response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter)) && !text.is_empty() {
                actions.push(Action::Open(PathBuf::from(text)));
            }
            ui.add_space(26.0);
            let card = egui::Rect::from_center_size(
                ui.cursor().center_top() + vec2(0.0, 80.0),
                vec2(ui.available_width().min(560.0), 160.0),
            );
            ui.scope_builder(egui::UiBuilder::new().max_rect(card).layout(Layout::top_down(Align::Min)), |ui| {
                Frame::NONE.fill(WELL).corner_radius(6).inner_margin(Margin::same(16)).show(ui, |ui| {
                    ui.set_width(ui.available_width());
                    ui.label(RichText::new("What a capture folder contains").strong());
                    ui.label(RichText::new(FOLDER).monospace().color(WEAK));
                    ui.label(
                        RichText::new("No capture at hand?  `thenar synth sample` writes one with a known answer.")
                            .color(WEAK),
                    );
                });
            });
        });
    });
}
