//! The export window: which files, where to, and the same as a command.

use super::theme::{WEAK, button, primary_button};
use crate::studio::backend::ExportRequest;
use crate::studio::session::{Action, Session};
use crate::studio::ui_state::FORMATS;
use egui::{Align2, Context, RichText, Window};

pub(super) fn show(ctx: &Context, session: &mut Session, actions: &mut Vec<Action>) {
    if !session.ui.show_export {
        return;
    }
    let mut open = true;
    let mut done = false;
    Window::new("Export")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, [0.0, 0.0])
        .show(ctx, |ui| {
            ui.set_min_width(360.0);
            for (ticked, (name, what)) in session.ui.formats.iter_mut().zip(FORMATS) {
                ui.horizontal(|ui| {
                    ui.checkbox(ticked, name.to_uppercase());
                    ui.label(RichText::new(what).color(WEAK));
                });
            }
            ui.separator();
            let place = session
                .ui
                .export_dir
                .as_ref()
                .map_or_else(|| "exports/ in the run folder".to_owned(), |d| d.display().to_string());
            ui.horizontal(|ui| {
                ui.label("To");
                ui.add(egui::Label::new(RichText::new(place).color(WEAK)).truncate());
            });
            if ui.button("Choose folder…").clicked() {
                actions.push(Action::ExportDialog);
            }
            let formats: Vec<String> = FORMATS
                .iter()
                .zip(session.ui.formats)
                .filter(|(_, on)| *on)
                .map(|((n, _), _)| (*n).to_owned())
                .collect();
            let command = command(session, &formats);
            ui.separator();
            ui.horizontal(|ui| {
                let why_not = session.why_not_export().or_else(|| formats.is_empty().then_some("Tick a format"));
                if primary_button(ui, "Export", why_not, "Write the files") {
                    actions.push(Action::Export(ExportRequest {
                        formats: formats.clone(),
                        dir: session.ui.export_dir.clone(),
                    }));
                    done = true;
                }
                if button(
                    ui,
                    "Copy as command",
                    session.run_dir.is_none().then_some("There is no run folder yet"),
                    &command,
                ) {
                    ui.copy_text(command.clone());
                }
            });
        });
    session.ui.show_export = open && !done;
}

/// The same export on the command line.
fn command(session: &Session, formats: &[String]) -> String {
    let run = session.run_dir.as_ref().map_or_else(|| "RUN".to_owned(), |d| d.display().to_string());
    let to = session.ui.export_dir.as_ref().map_or_else(String::new, |d| format!(" -o '{}'", d.display()));
    format!("thenar export '{run}' --format {}{to}", formats.join(","))
}
