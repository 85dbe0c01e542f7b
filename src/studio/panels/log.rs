//! The log: what happened, newest at the bottom, filtered by a word.

use super::access::Named as _;
use super::theme::{amber, faint, ink, red};
use crate::studio::session::{Level, Session};
use egui::{Label, RichText, ScrollArea, TextEdit, Ui};

pub(super) fn show(ui: &mut Ui, session: &mut Session) {
    ui.horizontal(|ui| {
        let bad = session.log.iter().filter(|l| l.level != Level::Info).count();
        if bad > 0 {
            ui.label(RichText::new(format!("⚠ {bad}")).color(amber()).small());
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.button("Copy").on_hover_text("Copy the whole log").clicked() {
                let text: Vec<String> = session.log.iter().map(|l| format!("{:8.2}  {}", l.at, l.text)).collect();
                ui.copy_text(text.join("\n"));
            }
            let filter = TextEdit::singleline(&mut session.ui.log_filter).hint_text("filter").desired_width(80.0);
            ui.add(filter).named("Lines of the log with this");
        });
    });
    let filter = session.ui.log_filter.to_lowercase();
    ScrollArea::vertical().auto_shrink([false, false]).stick_to_bottom(true).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for line in session.log.iter().filter(|l| filter.is_empty() || l.text.to_lowercase().contains(&filter)) {
            let (sign, colour) = match line.level {
                Level::Info => ("", ink()),
                Level::Warning => ("⚠ ", amber()),
                Level::Error => ("✖ ", red()),
            };
            // Wrapped in a column of its own: a path has no place to break, and would begin left of the time.
            ui.horizontal_top(|ui| {
                ui.label(RichText::new(format!("{:6.1}", line.at)).monospace().size(11.0).color(faint()));
                ui.add(Label::new(RichText::new(format!("{sign}{}", line.text)).size(12.0).color(colour)).wrap());
            });
        }
    });
}
