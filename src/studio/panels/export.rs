//! The export window: which files, where to, and the same as a command.

use super::theme::{button, faint, primary_button};
use crate::studio::backend::ExportRequest;
use crate::studio::session::{Action, Session};
use crate::studio::ui_state::FORMATS;
use egui::{Align2, Context, Grid, RichText, Ui, Window};

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
                    ui.label(RichText::new(what).color(faint()));
                });
            }
            ui.separator();
            choices(ui, session);
            ui.separator();
            let place = session
                .ui
                .export_dir
                .as_ref()
                .map_or_else(|| "exports/ in the run folder".to_owned(), |d| d.display().to_string());
            ui.horizontal(|ui| {
                ui.label("To");
                ui.add(egui::Label::new(RichText::new(place).color(faint())).truncate());
            });
            if ui.button("Choose folder…").clicked() {
                actions.push(Action::ExportDialog);
            }
            let request = request(session);
            let command = command(session, &request);
            ui.separator();
            ui.horizontal(|ui| {
                let why_not =
                    session.why_not_export().or_else(|| request.formats.is_empty().then_some("Tick a format"));
                if primary_button(ui, "Export", why_not, "Write the files") {
                    actions.push(Action::Export(request));
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

/// Pose, frame and wrist, as the command line has them.
fn choices(ui: &mut Ui, session: &mut Session) {
    let state = &mut session.ui;
    Grid::new("export choices").num_columns(3).spacing([8.0, 4.0]).show(ui, |ui| {
        ui.label("Pose");
        ui.selectable_value(&mut state.export_rest, false, "captured").on_hover_text("As in the photographs");
        ui.selectable_value(&mut state.export_rest, true, "rest")
            .on_hover_text("Flat, in the hand model's rest pose and its own frame");
        ui.end_row();
        ui.label("Frame");
        ui.add_enabled_ui(!state.export_rest, |ui| {
            ui.selectable_value(&mut state.export_capture_frame, false, "glTF")
                .on_hover_text("y up, centred at the hands, metres")
                .on_disabled_hover_text(OWN_FRAME);
        });
        ui.add_enabled_ui(!state.export_rest, |ui| {
            ui.selectable_value(&mut state.export_capture_frame, true, "capture")
                .on_hover_text("The frame of the capture's cameras, metres")
                .on_disabled_hover_text(OWN_FRAME);
        });
        ui.end_row();
        ui.label("Wrist");
        ui.selectable_value(&mut state.export_closed_wrist, false, "open").on_hover_text("As in the hand model");
        ui.selectable_value(&mut state.export_closed_wrist, true, "closed")
            .on_hover_text("Capped, so that the meshes are watertight");
        ui.end_row();
    });
}

/// Why the frame of hands at rest cannot be chosen.
const OWN_FRAME: &str = "Hands in the rest pose stay in the hand model's own frame";

fn request(session: &Session) -> ExportRequest {
    let state = &session.ui;
    let ticked = FORMATS.iter().zip(state.formats).filter(|(_, on)| *on);
    ExportRequest {
        formats: ticked.map(|((name, _), _)| (*name).to_owned()).collect(),
        dir: state.export_dir.clone(),
        rest_pose: state.export_rest,
        capture_frame: state.export_capture_frame && !state.export_rest,
        close_wrist: state.export_closed_wrist,
    }
}

/// The same export on the command line.
fn command(session: &Session, request: &ExportRequest) -> String {
    let run = session.run_dir.as_ref().map_or_else(|| "RUN".to_owned(), |d| d.display().to_string());
    let mut command = format!("thenar export '{run}' --format {}", request.formats.join(","));
    if let Some(dir) = &request.dir {
        command += &format!(" -o '{}'", dir.display());
    }
    let options = [
        (request.rest_pose, " --pose rest"),
        (request.capture_frame, " --frame capture"),
        (request.close_wrist, " --wrist closed"),
    ];
    command.extend(options.iter().filter(|(on, _)| *on).map(|(_, text)| *text));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_says_what_the_button_does() {
        let mut session = Session::new(Vec::new());
        session.run_dir = Some("runs/1".into());
        assert_eq!(command(&session, &request(&session)), "thenar export 'runs/1' --format glb,ply,npz", "the default");
        session.ui.export_capture_frame = true;
        session.ui.export_closed_wrist = true;
        session.ui.export_dir = Some("out".into());
        assert!(command(&session, &request(&session)).ends_with("npz -o 'out' --frame capture --wrist closed"), "all");
        session.ui.export_rest = true;
        let asked = request(&session);
        assert!(asked.rest_pose && !asked.capture_frame, "hands at rest have their own frame");
        assert!(command(&session, &asked).ends_with(" --pose rest --wrist closed"), "and so says the command");
        assert!(asked.plan("usual".into()).rest_pose && asked.plan("usual".into()).close_wrist, "and the plan");
    }
}
