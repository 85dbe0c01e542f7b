//! Parameters of the chosen preset: what would be used, what was changed, and a way back.

use super::access::Named as _;
use super::theme::{self, accent, amber, button, faint};
use crate::studio::backend::Parameter;
use crate::studio::session::{Action, Mark, Session};
use egui::{CollapsingHeader, DragValue, Grid, RichText, Ui};

pub(super) fn show(ui: &mut Ui, session: &mut Session, _actions: &mut Vec<Action>) {
    let Some(preset) = session.preset().cloned() else {
        ui.label(RichText::new("There are no presets").color(faint()));
        return;
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(&preset.name).strong());
        let changed = session.overrides.len();
        if changed > 0 {
            ui.label(RichText::new(format!("{changed} changed")).color(amber()).small());
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if button(ui, "Reset", (changed == 0).then_some("Nothing is changed"), "Back to the preset") {
                session.overrides.clear();
            }
        });
    });
    let when = if session.is_active() {
        "Weights and rates count from the next step on, other numbers when their stage runs again"
    } else {
        preset.summary.as_str()
    };
    ui.label(RichText::new(when).small().color(faint()));
    theme::scroll().show(ui, |ui| {
        let mut groups: Vec<&str> = Vec::new();
        for p in &preset.parameters {
            if !groups.contains(&p.group.as_str()) {
                groups.push(&p.group);
            }
        }
        for group in groups {
            CollapsingHeader::new(group).default_open(true).show(ui, |ui| {
                Grid::new(group).num_columns(3).spacing([8.0, 3.0]).min_col_width(20.0).show(ui, |ui| {
                    for parameter in preset.parameters.iter().filter(|p| p.group == group) {
                        row(ui, session, parameter);
                        ui.end_row();
                    }
                });
            });
        }
    });
}

fn row(ui: &mut Ui, session: &mut Session, parameter: &Parameter) {
    let changed = session.overrides.contains_key(&parameter.key);
    let name = parameter.key.rsplit('.').next().unwrap_or(&parameter.key);
    let text = RichText::new(name).color(if changed { accent() } else { faint() });
    ui.label(text).on_hover_text(format!("{}\n--set {}=…", parameter.help, parameter.key));
    let mut value = session.parameter(parameter);
    let speed = if parameter.integer { 1.0 } else { (value.abs() * 0.02).max(1e-7) };
    let mut drag = DragValue::new(&mut value).speed(speed).range(0.0..=f64::MAX).custom_formatter(|v, _| number(v));
    if parameter.integer {
        drag = drag.fixed_decimals(0);
    }
    if ui.add(drag).named(name).on_hover_text(&parameter.help).changed() {
        let value = if parameter.integer { value.round() } else { value };
        if (value - parameter.value).abs() <= f64::EPSILON * parameter.value.abs() {
            session.overrides.remove(&parameter.key);
        } else {
            session.overrides.insert(parameter.key.clone(), value);
        }
    }
    ui.horizontal(|ui| {
        let back = format!("Back to {}", number(parameter.value));
        let named = format!("{name}: {back}");
        if changed && ui.small_button("↺").named(&named).on_hover_text(back).clicked() {
            session.overrides.remove(&parameter.key);
        }
        if let Some((words, colour, help)) = session.mark(parameter).map(mark) {
            ui.label(RichText::new(words).small().color(colour)).on_hover_text(help);
        }
    });
}

/// What a changed number comes to, in words.
fn mark(mark: Mark) -> (&'static str, egui::Color32, &'static str) {
    match mark {
        Mark::InForce => ("⏺ now", accent(), "The run under way steps with it; run.ron says from which step on"),
        Mark::OnItsWay => ("…", faint(), "The run is told when the number stands still"),
        Mark::StageAhead => ("○ ahead", accent(), "Counts when its stage begins, in this run"),
        Mark::NextRun => {
            ("○ next run", amber(), "Its stage has begun without it: counts when it runs again, in the next run")
        }
    }
}

/// A number as short as it can be read.
fn number(v: f64) -> String {
    if v == 0.0 || (1e-3..1e6).contains(&v.abs()) {
        let text = format!("{v:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{v:e}")
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_short() {
        let cases = [(2000.0, "2000"), (0.005, "0.005"), (1e-4, "1e-4"), (0.0, "0"), (5e6, "5e6")];
        for (value, text) in cases {
            assert_eq!(super::number(value), text, "{value}");
        }
    }
}
