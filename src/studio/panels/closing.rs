//! The question before the window closes on a run that is under way, and the way back from the background.

use super::theme::{amber, faint, primary_button};
use crate::studio::session::{Action, Closing, Leave, Session};
use egui::{Align2, Area, Context, Frame, Id, Margin, Modal, Order, Rect, RichText, Stroke, Ui, vec2};

/// Width of the questions, points.
const WIDTH: f32 = 430.0;
/// What it comes to not to save.
const STOP: &str = "Closes now; what is saved stays, what was computed since the last checkpoint is lost";

/// The question, if one is asked; `view` is where the strip of a window in the background goes.
pub(super) fn show(ctx: &Context, session: &Session, view: Rect, actions: &mut Vec<Action>) {
    let question: fn(&mut Ui, &Session) -> Option<Leave> = match session.closing() {
        Closing::Open | Closing::Leaving => return,
        Closing::Background => return background(ctx, session, view, actions),
        Closing::Asked => about_the_run,
        Closing::Saving => saving,
        Closing::AskedAboutEdits => about_edits,
    };
    let shown = Modal::new(Id::new("closing")).show(ctx, |ui| {
        ui.set_width(WIDTH);
        question(ui, session)
    });
    let stays = shown.should_close().then_some(Leave::Stay);
    actions.extend(shown.inner.or(stays).map(Action::Leave));
}

fn heading(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).strong().size(16.0));
    ui.add_space(6.0);
}

/// A button over a line that says what it comes to; the usual one stands out.
fn answer(ui: &mut Ui, name: &str, usual: bool, meaning: &str) -> bool {
    let clicked = if usual { primary_button(ui, name, None, meaning) } else { ui.button(name).clicked() };
    ui.add(egui::Label::new(RichText::new(meaning).small().color(faint())).wrap());
    ui.add_space(6.0);
    clicked
}

fn about_the_run(ui: &mut Ui, _session: &Session) -> Option<Leave> {
    heading(ui, "A reconstruction is under way");
    let mut answered = None;
    let background = "The window makes itself small and closes when the run has ended; all results are written";
    if answer(ui, "Keep running in background", false, background) {
        answered = Some(Leave::Background);
    }
    let save = "Writes a checkpoint, then closes; the next start offers to go on from there";
    if answer(ui, "Pause and save", true, save) {
        answered = Some(Leave::Save);
    }
    if answer(ui, "Stop", false, STOP) {
        answered = Some(Leave::Stop);
    }
    ui.separator();
    if ui.button("Go back").on_hover_text("The window stays open, the run goes on (Esc)").clicked() {
        answered = Some(Leave::Stay);
    }
    answered
}

fn saving(ui: &mut Ui, _session: &Session) -> Option<Leave> {
    heading(ui, "Saving…");
    ui.label(
        RichText::new("The pass over the views that is under way ends first, then the window closes.").color(faint()),
    );
    ui.add_space(6.0);
    answer(ui, "Stop without saving", false, STOP).then_some(Leave::Stop)
}

fn about_edits(ui: &mut Ui, session: &Session) -> Option<Leave> {
    heading(ui, "Edits could not be written");
    let why = session.why_edits_would_be_lost().unwrap_or_default();
    ui.add(egui::Label::new(RichText::new(why).color(amber())).wrap());
    ui.add_space(6.0);
    let mut answered = None;
    if answer(ui, "Close without them", false, "Left-out views, changed numbers, keypoints and masks are lost") {
        answered = Some(Leave::WithoutEdits);
    }
    ui.separator();
    if ui.button("Go back").on_hover_text("The window stays open (Esc)").clicked() {
        answered = Some(Leave::Stay);
    }
    answered
}

/// Somebody has brought the window back: it says what it is about to do.
fn background(ctx: &Context, session: &Session, view: Rect, actions: &mut Vec<Action>) {
    let middle = if view.width() > 0.0 { view.center_top() } else { ctx.viewport_rect().center_top() };
    let at = middle + vec2(0.0, session.ui.view_bar + 8.0);
    Area::new(Id::new("background")).order(Order::Foreground).pivot(Align2::CENTER_TOP).fixed_pos(at).show(ctx, |ui| {
        let frame = Frame::popup(ui.style()).stroke(Stroke::new(1.0, amber())).inner_margin(Margin::symmetric(14, 8));
        frame.show(ui, |ui| {
            ui.horizontal(|ui| {
                ui.label("The window closes when the run has ended");
                if ui.button("Keep it open").clicked() {
                    actions.push(Action::Leave(Leave::Stay));
                }
            });
        });
    });
}
