//! Which hand model the next run fits, how its numbers are meant, and whether its files are there.

use super::theme::{AMBER, WEAK};
use crate::hand::mano::ManoConvention;
use crate::studio::session::{Action, Session};
use egui::{ComboBox, RichText, Ui};

pub(super) fn show(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let active = session.is_active();
    ui.add_enabled_ui(!active, |ui| {
        ui.horizontal(|ui| {
            ui.label(RichText::new("Hand").color(WEAK));
            let name = if session.hand.is_mano() { "MANO" } else { "Open hand" };
            ComboBox::from_id_salt("hand model").selected_text(name).width(96.0).show_ui(ui, |ui| {
                if ui.selectable_label(!session.hand.is_mano(), "Open hand").clicked() {
                    session.hand.use_open();
                }
                if ui.selectable_label(session.hand.is_mano(), "MANO (mano/)").clicked() {
                    session.hand.use_mano();
                }
                if ui.selectable_label(false, "Choose folder…").clicked() {
                    actions.push(Action::HandFolderDialog);
                }
            });
            if session.hand.is_mano() {
                convention(ui, &mut session.hand.convention);
            }
        });
    });
    if let Some(problem) = session.hand.problem() {
        ui.label(RichText::new(problem).small().color(AMBER));
    } else if session.hand.is_mano()
        && let Some(folder) = session.hand.folder()
    {
        let text = RichText::new(session.hand.convention.describe()).small().color(WEAK);
        ui.label(text).on_hover_text(format!("MANO_LEFT and MANO_RIGHT in {}", folder.display()));
    }
}

fn convention(ui: &mut Ui, chosen: &mut ManoConvention) {
    ComboBox::from_id_salt("hand convention").selected_text(chosen.name.as_str()).width(104.0).show_ui(ui, |ui| {
        for preset in ManoConvention::names().filter_map(ManoConvention::preset) {
            let words = preset.describe();
            if ui.selectable_label(preset.name == chosen.name, preset.name.as_str()).on_hover_text(words).clicked() {
                *chosen = preset;
            }
        }
    });
}
