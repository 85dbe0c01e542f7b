//! The timeline: snapshots of the run so far, scrubbed by dragging; *Live* follows the newest again.

use super::theme::{self, ACCENT, AMBER, LINE, ON_ACCENT, TEXT, WEAK, WELL, button};
use crate::studio::session::{Action, RunState, Session};
use egui::{Align2, Color32, FontId, Rect, RichText, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

pub(super) fn show(ui: &mut Ui, session: &Session, actions: &mut Vec<Action>) {
    let frames = session.track.frames();
    let why_not = frames.is_empty().then_some("No snapshots yet: they appear while a reconstruction runs");
    ui.horizontal_centered(|ui| {
        if button(ui, "⏮", why_not, "First snapshot (Home)") {
            actions.push(Action::Scrub(0));
        }
        if button(ui, "◀", why_not, "Previous snapshot (,)") {
            actions.push(Action::ScrubBy(-1));
        }
        if button(ui, "▶", why_not, "Next snapshot (.)") {
            actions.push(Action::ScrubBy(1));
        }
        let live = session.cursor.is_none();
        let text = if session.state == RunState::Running { "⏺ Live" } else { "⏺ Latest" };
        let text = if live { RichText::new(text).color(ON_ACCENT).strong() } else { RichText::new(text) };
        let fill = if live { ACCENT } else { ui.visuals().widgets.inactive.weak_bg_fill };
        let response = ui.add_enabled(why_not.is_none(), egui::Button::new(text).fill(fill));
        let response = response
            .on_hover_text("Follow the newest snapshot (End); dragging the timeline unlocks it, computing goes on");
        if response.on_disabled_hover_text(why_not.unwrap_or_default()).clicked() {
            actions.push(if live { Action::Scrub(frames.len().saturating_sub(1)) } else { Action::GoLive });
        }
        let words = session.shown.as_ref().map_or_else(String::new, |s| {
            // The state after a stage has no phase of its own.
            let place = if s.iter == 0 { s.phase.clone() } else { format!("{} {}", s.phase, s.iter) };
            format!("{} {place} · step {}", s.stage.name(), s.step)
        });
        let words_width = 215.0;
        let track = ui.available_size() - vec2(words_width, 0.0);
        let (rect, response) = ui.allocate_exact_size(vec2(track.x.max(60.0), 26.0), Sense::click_and_drag());
        let step = session.shown.as_ref().map_or(0.0, |s| f64::from(s.step));
        response.widget_info(|| WidgetInfo::slider(why_not.is_none(), step, "Timeline"));
        paint(ui, rect, session);
        if let (true, Some(at)) = (response.dragged() || response.clicked(), response.interact_pointer_pos()) {
            let (first, last) = span(session);
            let step = first + f64::from((at.x - rect.left()) / rect.width()).clamp(0.0, 1.0) * (last - first);
            if let Some(index) = session.track.nearest(step)
                && session.cursor != Some(index)
            {
                actions.push(Action::Scrub(index));
            }
        }
        response.on_hover_text(format!("{} snapshots, {} MB", frames.len(), session.track.bytes() >> 20));
        let colour = if live { theme::faint() } else { theme::amber() };
        ui.add_space(6.0);
        ui.label(RichText::new(words).color(colour).monospace().size(11.5));
    });
}

/// Steps at the ends of the track.
fn span(session: &Session) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "step counts are small")]
    let steps = session.steps.len() as f64;
    let last = session.track.frames().last().map_or(0.0, |f| f64::from(f.step)).max(steps).max(1.0);
    (0.0, last)
}

fn paint(ui: &Ui, rect: Rect, session: &Session) {
    let painter = ui.painter_at(rect.expand(4.0));
    let bar = Rect::from_center_size(rect.center(), vec2(rect.width(), 15.0));
    painter.rect_filled(bar, 3.0, WELL);
    let (first, last) = span(session);
    #[expect(clippy::cast_possible_truncation, reason = "screen positions")]
    let x = |step: f64| bar.left() + ((step - first) / (last - first)) as f32 * bar.width();
    // Phases as alternating bands with their names.
    let frames = session.track.frames();
    let mut start = 0.0;
    let mut band = 0_u8;
    for (i, frame) in frames.iter().enumerate() {
        let ends = frames.get(i + 1).is_none_or(|n| (n.stage, &n.phase) != (frame.stage, &frame.phase));
        if !ends {
            continue;
        }
        let end = frames
            .get(i + 1)
            .map_or(f64::from(frame.step), |n| f64::midpoint(f64::from(frame.step), f64::from(n.step)));
        let piece = Rect::from_min_max(pos2(x(start), bar.top()), pos2(x(end), bar.bottom()));
        let fill = if band.is_multiple_of(2) { Color32::from_rgb(40, 62, 62) } else { Color32::from_rgb(48, 74, 73) };
        painter.rect_filled(piece, 2.0, fill);
        let name = if frame.phase.is_empty() { frame.stage.name() } else { &frame.phase };
        let galley = painter.layout_no_wrap(name.to_owned(), FontId::proportional(10.0), TEXT);
        if galley.size().x + 8.0 < piece.width() {
            painter.galley(piece.left_center() + vec2(5.0, -galley.size().y * 0.5), galley, TEXT);
        }
        (start, band) = (end, band + 1);
    }
    // A tick a snapshot, as long as they can be told apart.
    #[expect(clippy::cast_precision_loss, reason = "a few hundred frames")]
    if (frames.len() as f32) * 3.0 < bar.width() {
        for frame in frames {
            let at = x(f64::from(frame.step));
            painter.line_segment([pos2(at, bar.bottom() - 3.0), pos2(at, bar.bottom())], Stroke::new(1.0, WEAK));
        }
    }
    painter.rect_stroke(bar, 3.0, Stroke::new(1.0, LINE), egui::StrokeKind::Inside);
    if let Some(shown) = &session.shown {
        let at = x(f64::from(shown.step));
        let colour = if session.cursor.is_none() { ACCENT } else { AMBER };
        painter.line_segment([pos2(at, rect.top()), pos2(at, rect.bottom())], Stroke::new(2.0, colour));
        painter.circle_filled(pos2(at, bar.center().y), 5.0, colour);
    } else {
        painter.text(bar.center(), Align2::CENTER_CENTER, "snapshots", FontId::proportional(10.0), WEAK);
    }
}
