//! The frames of a sequence on the timeline: one piece each, dragged through as snapshots are.

use super::theme::{self, ACCENT, AMBER, LINE, WEAK, WELL};
use crate::pipeline::FrameState;
use crate::studio::session::{Action, Frames, Session, TimeAction};
use egui::{Color32, Rect, RichText, Sense, Stroke, Ui, pos2, vec2};

/// Room for the words.
const WORDS: f32 = 190.0;

pub(super) fn show(ui: &mut Ui, session: &Session, actions: &mut Vec<Action>) {
    let Some(frames) = session.frames() else { return };
    let told = ui.available_width() > 2.0 * WORDS;
    let width = ui.available_width() - if told { WORDS } else { 0.0 };
    let (rect, response) = ui.allocate_exact_size(vec2(width.max(60.0), 26.0), Sense::click_and_drag());
    paint(ui, rect, frames, session.between_frames());
    if let (true, Some(at)) = (response.dragged() || response.clicked(), response.interact_pointer_pos()) {
        let frame = frame_at(rect, frames.all.len(), at.x);
        if frame != frames.at && frames.is_done(frame) {
            actions.push(Action::Time(TimeAction::ToFrame(frame)));
        }
    }
    let under = response.hover_pos().and_then(|at| frames.all.get(frame_at(rect, frames.all.len(), at.x)));
    response.on_hover_text(tip(frames, under));
    if told {
        let name = frames.all.get(frames.at).map_or("", |f| f.0.as_str());
        let waits = if session.between_frames() && !session.is_playing() { " …" } else { "" };
        let words = format!("frame {name} · {} of {}{waits}", frames.at + 1, frames.all.len());
        let colour = if session.between_frames() { theme::amber() } else { theme::faint() };
        ui.add_space(6.0);
        ui.label(RichText::new(words).color(colour).monospace().size(11.5));
    }
}

fn tip(frames: &Frames, under: Option<&(String, FrameState)>) -> String {
    let of = under.map_or_else(String::new, |(name, state)| match state {
        FrameState::Done => format!("Frame {name}\n"),
        FrameState::LeftOut(why) => format!("Frame {name} was left out: {why}\n"),
        FrameState::Waiting => format!("Frame {name} has no finished run yet\n"),
    });
    let (fetched, all) = (frames.fetched(), frames.all.iter().filter(|f| f.1 == FrameState::Done).count());
    format!("{of}{fetched} of {all} meshes are read; photographs and scores follow where the slider rests")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "clamped")]
fn frame_at(rect: Rect, count: usize, x: f32) -> usize {
    let share = ((x - rect.left()) / rect.width()).clamp(0.0, 0.9999);
    (share * count as f32) as usize
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand frames")]
fn paint(ui: &Ui, rect: Rect, frames: &Frames, between: bool) {
    let painter = ui.painter_at(rect.expand(4.0));
    let bar = Rect::from_center_size(rect.center(), vec2(rect.width(), 15.0));
    painter.rect_filled(bar, 3.0, WELL);
    let count = frames.all.len().max(1) as f32;
    let x = |frame: f32| bar.left() + frame / count * bar.width();
    for (i, (_, state)) in frames.all.iter().enumerate() {
        let piece = Rect::from_min_max(pos2(x(i as f32), bar.top()), pos2(x(i as f32 + 1.0), bar.bottom()));
        let fill = match state {
            FrameState::Done if i % 2 == 0 => Color32::from_rgb(40, 62, 62),
            FrameState::Done => Color32::from_rgb(48, 74, 73),
            FrameState::LeftOut(_) => Color32::from_rgb(74, 50, 44),
            FrameState::Waiting => WELL,
        };
        painter.rect_filled(piece, 0.0, fill);
    }
    if count * 24.0 < bar.width() {
        for (i, (name, _)) in frames.all.iter().enumerate() {
            let at = pos2(x(i as f32 + 0.5), bar.center().y);
            let galley = painter.layout_no_wrap(name.clone(), egui::FontId::proportional(10.0), WEAK);
            if galley.size().x + 4.0 < bar.width() / count {
                painter.galley(at - galley.size() * 0.5, galley, WEAK);
            }
        }
    }
    painter.rect_stroke(bar, 3.0, Stroke::new(1.0, LINE), egui::StrokeKind::Inside);
    let at = x(frames.at as f32 + 0.5);
    let colour = if between { AMBER } else { ACCENT };
    painter.line_segment([pos2(at, rect.top()), pos2(at, rect.bottom())], Stroke::new(2.0, colour));
    painter.circle_filled(pos2(at, bar.center().y), 5.0, colour);
}
