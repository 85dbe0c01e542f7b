//! Which hand model the next run fits, how its numbers are meant, and whether its files are there.

use super::access::Named as _;
use super::theme::{amber, faint};
use crate::hand::mano::ManoConvention;
use crate::studio::session::{Action, Session};
use egui::{ComboBox, RichText, Ui};

/// The choice itself, in a row with others.
pub(super) fn choice(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let active = session.is_active();
    let shown = ui.add_enabled_ui(!active, |ui| {
        let name = if session.hand.is_mano() { "MANO" } else { "Open hand" };
        let list = ComboBox::from_id_salt("hand model").selected_text(name).width(84.0).show_ui(ui, |ui| {
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
        list.response.named("Hand model");
    });
    shown
        .response
        .on_hover_text("Hand model that is fitted: the open hand, or your MANO files")
        .on_disabled_hover_text("The hand model of the run under way; stop it to choose another");
}

/// What MANO needs to be said: its convention, or what is missing. Nothing for the open hand.
pub(super) fn details(ui: &mut Ui, session: &mut Session) {
    if !session.hand.is_mano() {
        return;
    }
    if let Some(problem) = session.hand.problem() {
        ui.label(RichText::new(problem).small().color(amber()));
        return;
    }
    let active = session.is_active();
    ui.horizontal(|ui| {
        ui.add_enabled_ui(!active, |ui| convention(ui, &mut session.hand.convention));
        let text = RichText::new(session.hand.convention.describe()).small().color(faint());
        let folder = session.hand.folder().map_or_else(String::new, |f| f.display().to_string());
        ui.add(egui::Label::new(text).truncate()).on_hover_text(format!("MANO_LEFT and MANO_RIGHT in {folder}"));
    });
}

fn convention(ui: &mut Ui, chosen: &mut ManoConvention) {
    let list = ComboBox::from_id_salt("hand convention").selected_text(chosen.name.as_str()).width(96.0);
    let list = list.show_ui(ui, |ui| {
        for preset in ManoConvention::names().filter_map(ManoConvention::preset) {
            let words = preset.describe();
            if ui.selectable_label(preset.name == chosen.name, preset.name.as_str()).on_hover_text(words).clicked() {
                *chosen = preset;
            }
        }
    });
    list.response.named("Convention of the hand model");
}
