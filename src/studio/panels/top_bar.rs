//! The bar: open, preset, reconstruct, pause, stop; where the run stands; export and help.

use super::access::Named as _;
use super::menu::{tool, tool_called};
use super::theme::{accent, amber, faint, ink, primary_button, red};
use crate::pipeline::Stage;
use crate::studio::commands::Id;
use crate::studio::session::{Action, RunState, Session};
use egui::{Align, Layout, RichText, Ui};

pub(super) fn show(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        tool_called(ui, session, Id::Open, "Open…", actions);
        let narrow = ui.ctx().viewport_rect().width() < NARROW;
        title(ui, session, narrow);
        if session.capture.is_none() {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| right(ui, session, actions));
            return;
        }
        ui.separator();
        preset(ui, session);
        run_buttons(ui, session, actions);
        ui.separator();
        // The right end first: progress has what is left, and its words are cut before they lie upon anything.
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            right(ui, session, actions);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| progress(ui, session));
        });
    });
}

/// Windows narrower than this, points, have no room for all words of the bar.
const NARROW: f32 = 1240.0;
/// Room for the stages' names beside the words of the run.
const STAGES_WIDTH: f32 = 440.0;

/// What is open; cut in a narrow window.
fn title(ui: &mut Ui, session: &Session, narrow: bool) {
    let Some(capture) = &session.capture else {
        ui.label(RichText::new("thenar").strong());
        return;
    };
    let whole = format!("{} · {} views", capture.name, capture.views.len());
    let text = RichText::new(if narrow { &capture.name } else { &whole }).strong();
    let room = if narrow { 110.0 } else { 260.0 };
    ui.scope(|ui| {
        ui.set_max_width(room);
        ui.add(egui::Label::new(text).truncate()).on_hover_text(whole);
    });
}

fn preset(ui: &mut Ui, session: &mut Session) {
    let active = session.is_active();
    let name = session.preset().map_or_else(|| "no preset".to_owned(), |p| p.name.clone());
    let changed = session.overrides.len();
    let text = if changed > 0 { format!("{name} *") } else { name };
    ui.add_enabled_ui(!active, |ui| {
        let list = egui::ComboBox::from_id_salt("preset").selected_text(text).width(92.0).show_ui(ui, |ui| {
            for i in 0..session.presets.len() {
                let (name, summary) = (session.presets[i].name.clone(), session.presets[i].summary.clone());
                let summary = RichText::new(summary).small().color(faint());
                let row = egui::Button::selectable(i == session.preset, (name, summary));
                if ui.add(row).clicked() && i != session.preset {
                    session.preset = i;
                    session.overrides.clear();
                }
            }
        });
        list.response.named("Preset");
    })
    .response
    .on_hover_text("Preset: how finely and how long to fit")
    .on_disabled_hover_text("The preset of the run under way; stop it to choose another");
}

fn run_buttons(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let why_not = session.why_not_start();
    if session.resumable && !session.is_active() {
        let help = format!(
            "Go on where the run stopped, with the settings it began with ({})",
            Id::Reconstruct.entry().key_text()
        );
        if primary_button(ui, "▶ Resume", session.why_not_resume(), &help) {
            actions.push(Action::Resume);
        }
        tool_called(ui, session, Id::StartNew, "Start new", actions);
    } else {
        let key = Id::Reconstruct.entry().key_text();
        let (name, help) = match session.affected() {
            Some(part) => (
                format!("▶ Re-run from {part}"),
                format!(
                    "Reconstruct with the edits ({key}): what is before the {part} comes out as it was, and takes seconds. A \
                     new run in a folder of its own; the one that is open stays as it is"
                ),
            ),
            None => ("▶ Reconstruct".to_owned(), format!("Reconstruct the hands ({key})")),
        };
        if primary_button(ui, &name, why_not.as_deref(), &help) {
            actions.push(Action::Start);
        }
    }
    let paused = session.state == RunState::Paused;
    tool_called(ui, session, Id::Pause, if paused { "▶ Go on" } else { "⏸ Pause" }, actions);
    tool_called(ui, session, Id::Stop, "⏹ Stop", actions);
}

/// Stage marks, then the phase's progress in words. State shows by sign as well as by colour.
fn progress(ui: &mut Ui, session: &Session) {
    let current = session.steps.last();
    let wide = ui.available_width() > STAGES_WIDTH;
    // The network is trained on request only: no mark for what will not come.
    let asked = session.steps.last().is_some_and(|s| s.stage == Stage::Neural);
    for stage in Stage::ALL.into_iter().filter(|s| *s != Stage::Neural || asked) {
        let here = current.is_some_and(|s| s.stage == stage) && session.is_active();
        let (sign, colour) = if session.stages_done.contains(&stage) {
            ("✔", accent())
        } else if here {
            ("⏺", ink())
        } else {
            ("○", faint())
        };
        // Without room for all names, the one under way keeps its own.
        let text = if wide || here { format!("{sign} {}", stage.name()) } else { sign.to_owned() };
        ui.label(RichText::new(text).color(colour)).on_hover_text(stage.name());
    }
    match session.state {
        RunState::Idle if session.steps.is_empty() => {}
        RunState::Starting => {
            ui.label(RichText::new("preparing").color(faint()));
        }
        state => {
            let Some(last) = current else { return };
            let done = f64::from(last.iter) / f64::from(last.iters.max(1));
            if session.is_active() && wide {
                #[expect(clippy::cast_possible_truncation, reason = "a fraction")]
                let bar = egui::ProgressBar::new(done as f32).desired_width(70.0).desired_height(8.0).fill(accent());
                ui.add(bar);
            }
            let mut text = format!("{} {}/{}", last.phase, last.iter, last.iters);
            let (word, colour) = match state {
                RunState::Paused => ("paused", amber()),
                RunState::Finished => ("finished", accent()),
                RunState::Stopped => ("stopped", amber()),
                RunState::Failed => ("failed", red()),
                RunState::Idle if session.resumable => ("unfinished", amber()),
                _ => ("", faint()),
            };
            if session.stopping && session.is_active() {
                ui.label(RichText::new("stopping…").color(amber()).strong());
            } else if state == RunState::Running && last.iter == last.iters {
                text = format!("{text} · preparing what follows…");
            } else if state == RunState::Running
                && let Some((rate, eta)) = session.rate()
            {
                text = format!("{text} · {rate:.1}/s · {} left in this phase", clock(eta));
            }
            if !word.is_empty() {
                ui.label(RichText::new(word).color(colour).strong());
            }
            ui.add(egui::Label::new(RichText::new(&text).color(faint())).truncate()).on_hover_text(&text);
        }
    }
}

/// Seconds as `m:ss`.
fn clock(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let s = seconds.clamp(0.0, 359_999.0).round() as u64;
    format!("{}:{:02}", s / 60, s % 60)
}

fn right(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    tool_called(ui, session, Id::Keys, "?", actions);
    if session.capture.is_some() {
        tool(ui, session, Id::Export, actions);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn clock_reads_as_people_write_it() {
        assert_eq!(super::clock(72.4), "1:12", "minutes and seconds");
        assert_eq!(super::clock(-1.0), "0:00", "never negative");
    }
}
