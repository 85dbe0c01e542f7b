//! Which other runs the curves are shown of: their menu, their legend, how they are drawn.

use super::menu::list;
use super::theme;
use crate::studio::errands::run_name;
use crate::studio::session::{Action, RunsAction, Session};
use egui::{Color32, RichText, Ui, vec2};
use egui_plot::LineStyle;
use std::path::PathBuf;

/// Colour and dashes of the other runs, in the order in which they were chosen.
const LOOKS: [(Color32, LineStyle); 5] = [
    (Color32::from_rgb(255, 255, 255), LineStyle::Dashed { length: 9.0 }),
    (Color32::from_rgb(255, 176, 120), LineStyle::Dotted { spacing: 5.0 }),
    (Color32::from_rgb(150, 200, 255), LineStyle::Dashed { length: 4.0 }),
    (Color32::from_rgb(190, 240, 150), LineStyle::Dotted { spacing: 9.0 }),
    (Color32::from_rgb(240, 160, 240), LineStyle::Dashed { length: 16.0 }),
];

/// How the run that was chosen as the `index`-th is drawn.
pub(super) fn look(index: usize) -> (Color32, LineStyle) {
    LOOKS[index % LOOKS.len()]
}

/// The menu of the runs beside the open one.
pub(super) fn menu(ui: &mut Ui, session: &Session, actions: &mut Vec<Action>) {
    let count = session.compared_runs().count();
    let text = if count == 0 { "Runs".to_owned() } else { format!("Runs {}", count + 1) };
    let response = list(ui, text, |ui| {
        ui.set_min_width(260.0);
        let Some(found) = &session.others.listed else {
            ui.label(RichText::new("Looking for runs").color(theme::faint()));
            return;
        };
        if found.is_empty() {
            ui.label(RichText::new("There is no run of this capture yet").color(theme::faint()));
        }
        theme::scroll().max_height(260.0).auto_shrink([false, true]).show(ui, |ui| {
            for dir in found {
                item(ui, session, dir, actions);
            }
        });
    });
    if response.clicked() {
        actions.push(Action::Runs(RunsAction::List));
    }
    response.on_hover_text("Show the curves of other runs of this capture beside these, phase by phase");
}

fn item(ui: &mut Ui, session: &Session, dir: &PathBuf, actions: &mut Vec<Action>) {
    let open = session.run_dir.as_ref() == Some(dir);
    let mut shown = open || session.is_compared(dir);
    let why_not = session.why_not_another_run(dir);
    let response = ui.add_enabled(why_not.is_none(), egui::Checkbox::new(&mut shown, run_name(dir)));
    let response = response.on_hover_text(dir.display().to_string());
    if response.on_disabled_hover_text(why_not.unwrap_or_default()).changed() {
        actions.push(Action::Runs(RunsAction::Toggle(dir.clone())));
    }
}

/// Names of the other runs with their lines; a click hides one. Nothing while there are none.
pub(super) fn legend(ui: &mut Ui, session: &Session, actions: &mut Vec<Action>) {
    if session.compared_runs().next().is_none() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        let open = session.run_dir.as_deref().map_or_else(|| "no run".to_owned(), run_name);
        ui.label(RichText::new(format!("{open} in the colours above,")).small().color(theme::faint()));
        for (i, run) in session.compared_runs().enumerate() {
            let (colour, style) = look(i);
            let name = run_name(&run.dir);
            let galley = ui.painter().layout_no_wrap(name, egui::FontId::proportional(11.5), theme::ink());
            let (rect, response) = ui.allocate_exact_size(vec2(galley.size().x + 40.0, 16.0), egui::Sense::click());
            if response.hovered() {
                ui.painter().rect_filled(rect, 3.0, ui.visuals().widgets.hovered.weak_bg_fill);
            }
            mark(ui, rect.left_center() + vec2(4.0, 0.0), theme::on_panel(colour), style);
            ui.painter().galley(rect.left_center() + vec2(34.0, -galley.size().y * 0.5), galley, theme::ink());
            if response.on_hover_text(format!("{}\nHide its curves", run.dir.display())).clicked() {
                actions.push(Action::Runs(RunsAction::Toggle(run.dir.clone())));
            }
        }
    });
}

/// A piece of a line as it is drawn in the plot.
fn mark(ui: &Ui, from: egui::Pos2, colour: Color32, style: LineStyle) {
    let line = [from, from + vec2(26.0, 0.0)];
    let stroke = egui::Stroke::new(2.0, colour);
    match style {
        LineStyle::Solid => _ = ui.painter().line_segment(line, stroke),
        LineStyle::Dashed { length } => {
            _ = ui.painter().add(egui::Shape::dashed_line(&line, stroke, length, length * 0.6));
        }
        LineStyle::Dotted { spacing } => {
            _ = ui.painter().add(egui::Shape::dotted_line(&line, colour, spacing, 1.3));
        }
    }
}
