//! The export window: what of the run, which files for which program, how they will lie, and the same as a command.

use super::access::Named as _;
use super::export_preview;
use super::theme::{amber, button, faint, primary_button};
use crate::anatomy::Side;
use crate::studio::backend::ExportRequest;
use crate::studio::export_target::{ExportTarget, FORMATS, planned, size_words};
use crate::studio::session::{Action, Session};
use egui::{Align2, ComboBox, Context, Grid, RichText, Ui, Window};

/// Width of each half, points.
const HALF: f32 = 300.0;

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
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(HALF);
                    what(ui, session);
                    formats(ui, session);
                    ui.separator();
                    choices(ui, session);
                });
                ui.add_space(14.0);
                ui.vertical(|ui| {
                    ui.set_width(HALF);
                    let request = request(session);
                    export_preview::show(ui, session, &request);
                    files(ui, session, &request);
                });
            });
            ui.separator();
            ui.set_max_width(2.0 * HALF + 20.0);
            place(ui, session, actions);
            done = buttons(ui, session, actions);
        });
    session.ui.show_export = open && !done;
}

/// The run as it is now, or as it was at a step.
fn what(ui: &mut Ui, session: &mut Session) {
    let name = |session: &Session, step: Option<u32>| {
        step.map_or_else(|| "the latest state".to_owned(), |step| session.step_words(step))
    };
    // A step of the timeline, the pins, and what was chosen.
    let scrubbed = session.cursor.and(session.shown.as_ref()).map(|s| s.step);
    let mut steps = session.pins.clone();
    steps.extend(scrubbed);
    steps.extend(session.ui.export_step);
    ui.horizontal(|ui| {
        ui.label("Of");
        ComboBox::from_id_salt("export of")
            .selected_text(name(session, session.ui.export_step))
            .width(HALF - 40.0)
            .show_ui(ui, |ui| {
                for step in std::iter::once(None).chain(steps.into_iter().map(Some)) {
                    let text = name(session, step);
                    ui.selectable_value(&mut session.ui.export_step, step, text);
                }
            })
            .response
            .named("Which state of the run to export");
    });
    if let Some(step) = session.ui.export_step {
        let note = session.why_not_export_step(step).map_or_else(
            || {
                "As the timeline keeps it: the mesh that is shown, not the finest one, and textures that show the albedo of \
                 its vertices."
                    .to_owned()
            },
            str::to_owned,
        );
        ui.label(RichText::new(note).small().color(amber()));
    }
    ui.separator();
}

fn formats(ui: &mut Ui, session: &mut Session) {
    ui.horizontal(|ui| {
        ui.label("For");
        for target in ExportTarget::ALL {
            let chosen = session.ui.export_target == target;
            if ui.selectable_label(chosen, target.name()).on_hover_text(target.help()).clicked() {
                session.ui.export_target = target;
                session.ui.formats = target.formats();
            }
        }
    });
    for (ticked, (name, what)) in session.ui.formats.iter_mut().zip(FORMATS) {
        ui.horizontal(|ui| {
            ui.checkbox(ticked, name.to_uppercase());
            ui.label(RichText::new(what).small().color(faint()));
        });
    }
}

/// Pose and wrist, as the command line has them.
fn choices(ui: &mut Ui, session: &mut Session) {
    let state = &mut session.ui;
    Grid::new("export choices").num_columns(3).spacing([8.0, 4.0]).show(ui, |ui| {
        ui.label("Pose");
        ui.selectable_value(&mut state.export_rest, false, "captured").on_hover_text("As in the photographs");
        ui.selectable_value(&mut state.export_rest, true, "rest")
            .on_hover_text("Flat, in the hand model's rest pose and its own frame");
        ui.end_row();
        ui.label("Wrist");
        ui.selectable_value(&mut state.export_closed_wrist, false, "open").on_hover_text("As in the hand model");
        ui.selectable_value(&mut state.export_closed_wrist, true, "closed")
            .on_hover_text("Capped, so that the meshes are watertight");
        ui.end_row();
    });
}

/// Vertices of each hand that is exported.
fn vertices(session: &Session) -> Vec<(Side, usize)> {
    let shown = session.shown.as_ref().map_or(&[][..], |s| &s.hands);
    let known = |i: usize| session.vertices.get(i).copied().filter(|_| session.ui.export_step.is_none());
    shown.iter().enumerate().map(|(i, h)| (h.side, known(i).unwrap_or(h.positions.len()))).collect()
}

/// The files and about how large they will be.
fn files(ui: &mut Ui, session: &Session, request: &ExportRequest) {
    ui.separator();
    let files = planned(request, &vertices(session));
    let total: u64 = files.iter().map(|f| f.bytes).sum();
    ui.horizontal(|ui| {
        let count = files.len();
        let noun = if count == 1 { "file" } else { "files" };
        ui.label(format!("{count} {noun}, about {}; a small .meta.json beside each", size_words(total)))
            .on_hover_text("The .meta.json says what the file is and where it came from. Sizes are estimates.");
    });
    super::theme::scroll().id_salt("export files").max_height(110.0).auto_shrink([false, true]).show(ui, |ui| {
        for file in &files {
            ui.horizontal(|ui| {
                ui.label(RichText::new(&file.name).monospace().small());
                ui.label(RichText::new(size_words(file.bytes)).small().color(faint()));
            });
        }
    });
}

fn place(ui: &mut Ui, session: &Session, actions: &mut Vec<Action>) {
    let usual = match session.ui.export_step {
        Some(step) => format!("exports/step_{step:05}/ in the run folder"),
        None => "exports/ in the run folder".to_owned(),
    };
    let place = session.ui.export_dir.as_ref().map_or(usual, |d| d.display().to_string());
    let in_full = session.run_dir.as_ref().filter(|_| session.ui.export_dir.is_none());
    let in_full = in_full.map_or_else(|| place.clone(), |run| run.join("exports").display().to_string());
    ui.horizontal(|ui| {
        ui.label("To");
        if ui.button("Choose folder…").clicked() {
            actions.push(Action::ExportDialog);
        }
        ui.add(egui::Label::new(RichText::new(&place).color(faint())).truncate()).on_hover_text(&in_full);
    });
}

/// True when the export was asked for.
fn buttons(ui: &mut Ui, session: &Session, actions: &mut Vec<Action>) -> bool {
    let request = request(session);
    let command = command(session, &request);
    let mut done = false;
    ui.horizontal(|ui| {
        let of_step = session.ui.export_step.and_then(|step| session.why_not_export_step(step));
        let none = request.formats.is_empty().then_some("Tick a format");
        let why_not = session.why_not_export().or(of_step).or(none);
        if primary_button(ui, "Export", why_not, "Write the files") {
            actions.push(Action::Export(request.clone()));
            done = true;
        }
        let why_not = match (&session.run_dir, request.step) {
            (None, _) => Some("There is no run folder yet"),
            (_, Some(_)) => Some("The command line exports the latest state only"),
            _ => None,
        };
        if button(ui, "Copy as command", why_not, &command) {
            ui.copy_text(command.clone());
        }
    });
    done
}

fn request(session: &Session) -> ExportRequest {
    let state = &session.ui;
    let ticked = FORMATS.iter().zip(state.formats).filter(|(_, on)| *on);
    ExportRequest {
        formats: ticked.map(|((name, _), _)| (*name).to_owned()).collect(),
        dir: state.export_dir.clone(),
        rest_pose: state.export_rest,
        target: state.export_target,
        close_wrist: state.export_closed_wrist,
        step: state.export_step,
    }
}

/// The same export on the command line.
fn command(session: &Session, request: &ExportRequest) -> String {
    let run = session.run_dir.as_ref().map_or_else(|| "RUN".to_owned(), |d| d.display().to_string());
    let mut command = format!("thenar export '{run}' --format {}", request.formats.join(","));
    if let Some(dir) = &request.dir {
        command += &format!(" -o '{}'", dir.display());
    }
    if request.target != ExportTarget::Gltf {
        command += &format!(" --frame {}", request.target.word());
    }
    let options = [(request.rest_pose, " --pose rest"), (request.close_wrist, " --wrist closed")];
    command.extend(options.iter().filter(|(on, _)| *on).map(|(_, text)| *text));
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Frame;

    #[test]
    fn the_command_says_what_the_button_does() {
        let mut session = Session::new(Vec::new());
        session.run_dir = Some("runs/1".into());
        assert_eq!(command(&session, &request(&session)), "thenar export 'runs/1' --format glb", "the default");
        session.ui.export_target = ExportTarget::Capture;
        session.ui.formats = ExportTarget::Capture.formats();
        session.ui.export_closed_wrist = true;
        session.ui.export_dir = Some("out".into());
        let all = "thenar export 'runs/1' --format ply,npz -o 'out' --frame capture --wrist closed";
        assert_eq!(command(&session, &request(&session)), all, "all");
        session.ui.export_rest = true;
        let asked = request(&session);
        assert!(command(&session, &asked).ends_with(" --pose rest --wrist closed"), "at rest");
        let plan = asked.plan("usual".into());
        assert!(plan.rest_pose && plan.close_wrist && plan.frame == Frame::Capture, "and so says the plan");
    }

    #[test]
    fn targets_tick_what_they_can_use_and_steps_have_a_folder_of_their_own() {
        let mut session = Session::new(Vec::new());
        for target in ExportTarget::ALL {
            (session.ui.export_target, session.ui.formats) = (target, target.formats());
            let asked = request(&session);
            assert!(!asked.formats.is_empty(), "{} writes something", target.name());
            let known = crate::pipeline::EXPORT_FORMATS;
            assert!(asked.formats.iter().all(|f| known.contains(&f.as_str())), "which there is: {asked:?}");
            assert_eq!(asked.plan("usual".into()).frame, target.frame(), "in its frame");
        }
        session.ui.export_step = Some(40);
        let asked = request(&session);
        assert_eq!(asked.plan("usual".into()).dir, std::path::Path::new("usual/step_00040"), "beside the latest state");
    }
}
