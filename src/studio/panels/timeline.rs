//! The timeline: snapshots of the run so far, scrubbed by dragging or played; *Live* follows the newest again. Flags are pinned
//! steps.

use super::access::Named as _;
use super::frames;
use super::menu::{list, tool, tool_called};
use super::theme::{self, ACCENT, AMBER, HELD_OUT, LINE, ON_ACCENT, TEXT, WEAK, WELL, button};
use crate::studio::commands::Id;
use crate::studio::session::{Action, RunState, SPEEDS, Session, TimeAction, TimeAxis};
use egui::{Align2, Color32, FontId, Rect, RichText, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

/// What the bar keeps of a narrow panel before the words beside it go.
const LEAST_BAR: f32 = 180.0;
/// Room for the words.
const WORDS: f32 = 215.0;

pub(super) fn show(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        buttons(ui, session, actions);
        live(ui, session, actions);
        pins(ui, session, actions);
        ui.add_space(3.0);
        axis(ui, session);
        if session.on_frames() {
            return frames::show(ui, session, actions);
        }
        let words = session.shown.as_ref().map_or_else(String::new, |s| {
            // The state after a stage has no phase of its own.
            let place = if s.iter == 0 { s.phase.clone() } else { format!("{} {}", s.phase, s.iter) };
            format!("{} {place} · step {}", s.stage.name(), s.step)
        });
        let told = ui.available_width() > LEAST_BAR + WORDS;
        let width = ui.available_width() - if told { WORDS } else { 0.0 };
        let (rect, response) = ui.allocate_exact_size(vec2(width.max(60.0), 26.0), Sense::click_and_drag());
        let step = session.shown.as_ref().map_or(0.0, |s| f64::from(s.step));
        let any = !session.track.frames().is_empty();
        response.widget_info(|| WidgetInfo::slider(any, step, "Timeline"));
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
        let (kept, megabytes) = (session.track.frames().len(), session.track.bytes() / 1_000_000);
        response.on_hover_text(format!("{kept} snapshots, {megabytes} MB"));
        if told {
            let colour = if session.cursor.is_none() { theme::faint() } else { theme::amber() };
            ui.add_space(6.0);
            ui.label(RichText::new(words).color(colour).monospace().size(11.5));
        }
    });
}

/// What is counted, while a sequence is open.
fn axis(ui: &mut Ui, session: &mut Session) {
    if session.frames().is_none() {
        return;
    }
    for (axis, name, help) in [
        (TimeAxis::Frames, "Frames", "The frames of the sequence"),
        (TimeAxis::Steps, "Steps", "The snapshots of the run of the shown frame"),
    ] {
        ui.selectable_value(&mut session.ui.time_axis, axis, name).on_hover_text(help);
    }
}

/// Jumps, steps, playing and how it is played.
fn buttons(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let play = if session.is_playing() { "⏸" } else { "▶" };
    for (id, sign) in [
        (Id::PreviousMark, "⏮"),
        (Id::PreviousSnapshot, "⏪"),
        (Id::Play, play),
        (Id::NextSnapshot, "⏩"),
        (Id::NextMark, "⏭"),
        (Id::Loop, "🔁"),
    ] {
        tool_called(ui, session, id, sign, actions);
    }
    egui::ComboBox::from_id_salt("play speed")
        .selected_text(speed_words(session.ui.play_speed))
        .width(40.0)
        .show_ui(ui, |ui| {
            for speed in SPEEDS {
                ui.selectable_value(&mut session.ui.play_speed, speed, speed_words(speed));
            }
        })
        .response
        .named("Speed of playing")
        .on_hover_text("How fast the snapshots are played; 1× are eight a second");
}

fn speed_words(speed: f32) -> String {
    if speed == 0.25 {
        "¼×".to_owned()
    } else if speed == 0.5 {
        "½×".to_owned()
    } else {
        format!("{speed:.0}×")
    }
}

/// Whether the newest snapshot is followed.
fn live(ui: &mut Ui, session: &Session, actions: &mut Vec<Action>) {
    let frames = session.track.frames();
    let why_not = frames.is_empty().then_some("No snapshots yet: they appear while a reconstruction runs");
    let live = session.cursor.is_none();
    let text = if session.state == RunState::Running { "⏺ Live" } else { "⏺ Latest" };
    let text = if live { RichText::new(text).color(ON_ACCENT).strong() } else { RichText::new(text) };
    let fill = if live { ACCENT } else { ui.visuals().widgets.inactive.weak_bg_fill };
    let response = ui.add_enabled(why_not.is_none(), egui::Button::new(text).fill(fill));
    let response =
        response.on_hover_text("Follow the newest snapshot (End); dragging the timeline unlocks it, computing goes on");
    if response.on_disabled_hover_text(why_not.unwrap_or_default()).clicked() {
        actions.push(if live { Action::Scrub(frames.len().saturating_sub(1)) } else { Action::GoLive });
    }
}

/// The pinned steps, and what can be done with them.
fn pins(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let count = session.pins.len();
    let text = if count == 0 { "⚑".to_owned() } else { format!("⚑ {count}") };
    let response = list(ui, text, |ui| {
        ui.set_min_width(300.0);
        tool(ui, session, Id::Pin, actions);
        ui.separator();
        if session.pins.is_empty() {
            ui.label(RichText::new("No step is pinned. P pins the shown one.").color(theme::faint()));
        }
        for step in session.pins.clone() {
            pin(ui, session, step, actions);
        }
    });
    response.named("Pins").on_hover_text("Pinned steps: show, export, go on from them (P pins the shown step)");
}

fn pin(ui: &mut Ui, session: &mut Session, step: u32, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let shown = session.shown.as_ref().is_some_and(|s| s.step == step);
        let there = session.snapshot_of(step).is_some();
        let name = session.step_words(step);
        let name = if there { name } else { format!("{name} (nearest snapshot)") };
        if ui.selectable_label(shown, name).on_hover_text("Show this step").clicked() {
            actions.push(Action::Time(TimeAction::ToStep(step)));
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.button("✖").on_hover_text("Take the pin away (can be undone)").clicked() {
                actions.push(Action::Time(TimeAction::TogglePin(step)));
            }
            restart(ui, session, step, actions);
            let why_not = session.why_not_export().or_else(|| session.why_not_export_step(step));
            if button(ui, "Export…", why_not, "Write the run as it was at this step") {
                session.ui.export_step = Some(step);
                session.ui.show_export = true;
                ui.close();
            }
        });
    });
}

/// The button that goes on from a pin in a new run; it says from where, and what becomes of this run.
fn restart(ui: &mut Ui, session: &Session, step: u32, actions: &mut Vec<Action>) {
    let point = session.restart_point(step);
    let help = point.as_ref().map_or_else(|_| String::new(), |point| {
        let again = match step - point {
            0 => "the very state that is pinned".to_owned(),
            n => format!("the nearest state kept at or before the pin: the {n} steps up to it are computed again and come out the same"),
        };
        format!(
            "Makes a new run, in a folder of its own, that goes on from step {point}, {again}. It has the settings of \
             this run, which stays as it is."
        )
    });
    let why_not = point.as_ref().err().map(String::as_str);
    let name = point.as_ref().map_or_else(|_| "Go on from here".to_owned(), |point| format!("Go on from step {point}"));
    if button(ui, name, why_not, &help) {
        actions.push(Action::Time(TimeAction::RestartFrom(step)));
        ui.close();
    }
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
    for step in &session.pins {
        flag(&painter, pos2(x(f64::from(*step)), rect.top()), bar.bottom());
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

/// A flag on its pole.
fn flag(painter: &egui::Painter, top: egui::Pos2, bottom: f32) {
    painter.line_segment([top, pos2(top.x, bottom)], Stroke::new(1.5, HELD_OUT));
    let cloth = vec![top, top + vec2(8.0, 3.0), top + vec2(0.0, 6.0)];
    painter.add(egui::Shape::convex_polygon(cloth, HELD_OUT, Stroke::NONE));
}
