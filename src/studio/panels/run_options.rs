//! What the next run is given besides its preset: which hands, and where its folder goes.

use super::access::Named as _;
use super::theme::{self, faint};
use crate::fitting::pose::HandChoice;
use crate::studio::commands::Id;
use crate::studio::session::{Action, Session};
use egui::{ComboBox, Label, RichText, Ui};

/// The choices with what they mean.
const HANDS: [(HandChoice, &str, &str); 4] = [
    (HandChoice::Auto, "auto", "whatever is found"),
    (HandChoice::Left, "left", "the left hand only; a single hand that is found is taken for it"),
    (HandChoice::Right, "right", "the right hand only; a single hand that is found is taken for it"),
    (HandChoice::Both, "both", "both hands; an error when only one is found"),
];

pub(super) fn show(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        theme::title(ui, "NEXT RUN");
        // In a narrow panel the two choices take the whole row.
        if ui.available_width() > 240.0 {
            ui.label(RichText::new("hands").color(faint()));
        }
        hands(ui, session);
        super::hand_model::choice(ui, session, actions);
    });
    ui.horizontal(|ui| {
        if ui.button("Results folder…").on_hover_text("Choose the folder that runs are written to").clicked() {
            actions.push(Action::ResultsDialog);
        }
        if session.results.is_some()
            && ui
                .small_button("↺")
                .named("Results folder: back to beside the capture")
                .on_hover_text("Back to beside the capture")
                .clicked()
        {
            actions.push(Action::SetResults(None));
        }
        let place = session.results.as_ref().unwrap_or(&session.default_results).display().to_string();
        let text = tail(&place, ui.available_width());
        let help = format!(
            "{place}\nEach run makes a folder <time>_<preset> there when it begins; before that nothing is made."
        );
        ui.add(Label::new(RichText::new(text).small().color(faint())).truncate()).on_hover_text(help);
    });
    super::hand_model::details(ui, session);
    ui.horizontal(|ui| {
        ui.checkbox(&mut session.train_network, "Neural renderer").on_hover_text(
            "Train a network after HAM that shows the hands as photographs from anywhere (key 4), as \
             `reconstruct --until neural`; its settings are the parameters under `neural`",
        );
        if session.run_dir.is_some() && session.has_engine && !session.has_network && !session.is_active() {
            super::menu::tool_called(ui, session, Id::TrainNetwork, "Train it on this run", actions);
        }
    });
    ui.add_space(3.0);
}

fn hands(ui: &mut Ui, session: &mut Session) {
    let name = HANDS.iter().find(|(choice, ..)| *choice == session.hands).map_or("auto", |(_, name, _)| name);
    let shown = ComboBox::from_id_salt("hands").selected_text(name).width(64.0).show_ui(ui, |ui| {
        for (choice, name, meaning) in HANDS {
            ui.selectable_value(&mut session.hands, choice, name).on_hover_text(meaning);
        }
    });
    shown.response.named("Which hands to look for").on_hover_text("Which hands to look for");
}

/// The end of a path, as much as fits about so many points: its beginning says less.
fn tail(path: &str, points: f32) -> String {
    /// Width of a small letter; of those twice as wide fewer fit, and egui cuts the rest.
    const LETTER: f32 = 6.2;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen letters")]
    let letters = (points / LETTER).max(12.0) as usize;
    let count = path.chars().count();
    if count <= letters {
        path.to_owned()
    } else {
        format!("…{}", path.chars().skip(count - letters).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn long_paths_show_their_end_and_letters_of_any_script_stay_whole() {
        assert_eq!(super::tail("/a/b", 300.0), "/a/b", "short ones are whole");
        let long = format!("/{}/拍摄.thenar/runs", "x".repeat(80));
        let shown = super::tail(&long, 200.0);
        assert!(shown.starts_with('…') && shown.ends_with("拍摄.thenar/runs"), "{shown}");
    }
}
