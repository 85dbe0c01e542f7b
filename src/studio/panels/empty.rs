//! The first screen: one big button, the sample, a path field, recent folders, and what a capture folder should contain.

use super::access::Named as _;
use super::menu::tool;
use super::textures::Textures;
use super::theme::{self, accent, amber, faint, field, on_accent};
use crate::studio::commands::Id;
use crate::studio::session::{Action, CARDS, Session};
use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align, Button, CentralPanel, Color32, FontId, Frame, Label, Layout, Margin, Pos2, ProgressBar, Rect, RichText,
    Sense, Stroke, StrokeKind, TextEdit, TextureHandle, Ui, Vec2, pos2, vec2,
};
use std::path::{Path, PathBuf};

/// Size of a recent folder's card, and what lies between two of them, points.
const CARD: Vec2 = vec2(150.0, 146.0);
const GAP: f32 = 10.0;

const FOLDER: &str = "\
my_capture/
├ camera/param.npz   calibration: one projection matrix a view
├ img/00.png …       one photograph a view, taken at one instant
├ mask/00.png …      white where the hands are
└ pose/00.json …     21 detected keypoints a hand";

pub(super) fn show(root: &mut Ui, session: &mut Session, textures: &mut Textures, actions: &mut Vec<Action>) {
    CentralPanel::default().frame(Frame::NONE.fill(theme::sheet())).show(root, |ui| {
        ui.with_layout(Layout::top_down(Align::Center), |ui| {
            ui.add_space((ui.available_height() * 0.08).max(8.0));
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
            ui.add_space(4.0);
            sample(ui, session, actions);
            ui.add_space(6.0);
            ui.label(RichText::new("or drop a folder anywhere on this window, or type its path").color(faint()));
            let edit = TextEdit::singleline(&mut session.ui.path_text).hint_text("path of a capture or run folder");
            let response = ui.add_sized(vec2(420.0, 26.0), edit).named("Path of a capture or run folder");
            let text = session.ui.path_text.trim();
            if response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter)) && !text.is_empty() {
                actions.push(Action::Open(PathBuf::from(text)));
            }
            interrupted(ui, session, actions);
            recent(ui, session, textures, actions);
            ui.add_space(16.0);
            let card = Rect::from_center_size(
                ui.cursor().center_top() + vec2(0.0, 80.0),
                vec2(ui.available_width().min(560.0), 160.0),
            );
            ui.scope_builder(egui::UiBuilder::new().max_rect(card).layout(Layout::top_down(Align::Min)), |ui| {
                Frame::NONE.fill(field()).corner_radius(6).inner_margin(Margin::same(16)).show(ui, |ui| {
                    ui.set_width(ui.available_width());
                    ui.label(RichText::new("What a capture folder contains").strong());
                    ui.label(RichText::new(FOLDER).monospace().color(faint()));
                    ui.label(
                        RichText::new(
                            "No capture at hand? The sample is one of two hands, made here, with a known answer.",
                        )
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

/// The sample, in one click; how far it is while it is made.
fn sample(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let Some((made, of)) = session.welcome.sample else {
        return tool(ui, session, Id::Sample, actions);
    };
    #[expect(clippy::cast_precision_loss, reason = "a few photographs")]
    let done = made as f32 / of.max(1) as f32;
    let words = if of == 0 { "The sample: hands".to_owned() } else { format!("The sample: photograph {made} of {of}") };
    ui.add(ProgressBar::new(done).desired_width(230.0).desired_height(22.0).text(words));
}

/// Folders that were open before, as cards.
fn recent(ui: &mut Ui, session: &Session, textures: &mut Textures, actions: &mut Vec<Action>) {
    if session.recent.is_empty() {
        return;
    }
    ui.add_space(14.0);
    ui.label(RichText::new("RECENT").size(12.0).strong().color(faint()));
    let count = session.recent.len().min(CARDS);
    #[expect(clippy::cast_precision_loss, reason = "five")]
    let width = count as f32 * (CARD.x + GAP) - GAP;
    let (row, _) = ui.allocate_exact_size(vec2(width, CARD.y), Sense::hover());
    for (i, folder) in session.recent.iter().take(CARDS).enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "five")]
        let place = Rect::from_min_size(row.min + vec2(i as f32 * (CARD.x + GAP), 0.0), CARD);
        let texture = textures.card(ui.ctx(), session, folder);
        if card(ui, session, place, folder, texture.as_ref()) {
            actions.push(Action::Open(folder.clone()));
        }
    }
}

/// One of them: picture, name, day and PSNR; true when it is clicked.
fn card(ui: &Ui, session: &Session, place: Rect, folder: &Path, texture: Option<&TextureHandle>) -> bool {
    let response = ui.interact(place, ui.id().with(folder), Sense::click());
    let painter = ui.painter_at(place);
    let line = if response.hovered() { accent() } else { theme::rule() };
    painter.rect_filled(place, 6.0, field());
    let picture = Rect::from_min_size(place.min + vec2(6.0, 6.0), vec2(CARD.x - 12.0, CARD.y - 52.0));
    painter.rect_filled(picture, 3.0, theme::WELL);
    if let Some(texture) = texture {
        let size = texture.size_vec2();
        let scale = (picture.width() / size.x).min(picture.height() / size.y);
        let inner = Rect::from_center_size(picture.center(), size * scale);
        painter.image(texture.id(), inner, Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0)), Color32::WHITE);
    }
    painter.rect_stroke(place, 6.0, Stroke::new(1.0, line), StrokeKind::Inside);
    let name = folder.file_name().map_or_else(|| folder.display().to_string(), |n| n.to_string_lossy().into_owned());
    // A run says little without the capture that it is of.
    let of = folder.ancestors().find(|a| a.extension().is_some_and(|e| e == "thenar"));
    let of = of.and_then(|a| a.file_stem()).map(|s| format!("{} · ", s.to_string_lossy())).unwrap_or_default();
    let room = CARD.x - 14.0;
    let text = |words: String, size: f32, colour| {
        let mut job = LayoutJob::simple_singleline(words, FontId::proportional(size), colour);
        job.wrap = TextWrapping::truncate_at_width(room);
        painter.layout_job(job)
    };
    let at = pos2(place.left() + 7.0, picture.bottom() + 4.0);
    painter.galley(at, text(format!("{of}{name}"), 12.5, theme::ink()), theme::ink());
    let known = session.welcome.card(folder);
    let facts = [
        known.and_then(|card| card.date.clone()),
        known.and_then(|card| card.psnr_db).map(|psnr| format!("{psnr:.1} dB")),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    painter.galley(at + vec2(0.0, 19.0), text(facts.join(" · "), 11.5, faint()), faint());
    let tip = "Day of the last change; PSNR of the run, or of the newest run of the capture";
    response.on_hover_text(format!("{}\n{tip}", folder.display())).clicked()
}
