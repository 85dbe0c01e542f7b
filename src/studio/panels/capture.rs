//! How the capture was read: every fact that its files do not state, with the reason why it was taken so, a control to set
//! it by hand, and opening it again with that. The same controls stand under the error when a folder could not be read.

use super::access::Named as _;
use super::theme::{self, accent, amber, button, faint, ink, primary_button};
use crate::anatomy::Side;
use crate::capture::{Axes, Capture, Direction, Format, Inference, OpenOptions, PixelCentre, Units};
use crate::studio::session::{AS_FOUND, Action, Session};
use egui::{ComboBox, DragValue, Label, RichText, TextEdit, Ui};
use std::fmt::Display;

/// Width of the facts' names, points.
const NAME: f32 = 82.0;
/// Width of a control, points: the longest choice fits.
const CONTROL: f32 = 168.0;
/// A unit that is none of the usual ones, to begin with: an inch.
const OTHER_UNIT: Units = Units(0.0254);
/// The usual ones.
const UNITS: [Units; 3] = [Units::METRES, Units(1e-2), Units::MILLIMETRES];

/// What can be set by hand: the name among the inferences, what it means.
const FACTS: [(&str, &str); 6] = [
    ("format", "Format of the calibration (--format)"),
    ("unit", "Unit of length of the calibration (--units)"),
    ("direction", "Which way its poses go (--direction)"),
    ("axes", "Its camera axes: opencv is x right, y down, z forward; opengl is x right, y up, z backward (--axes)"),
    ("pixel centre", "Coordinate of the centre of its first pixel (--pixel-centre)"),
    ("frame", "Which instant of a sequence: an image's name without ending (--frame)"),
];

pub(super) fn show(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let Some(capture) = session.capture.clone() else { return };
    let place = capture.root.display().to_string();
    ui.add(Label::new(RichText::new(&place).small().color(faint())).truncate()).on_hover_text(&place);
    again(ui, session, actions);
    theme::scroll().show(ui, |ui| {
        keypoints(ui, session, &capture);
        for (what, help) in FACTS {
            let found = capture.inferences.iter().find(|i| i.what == what);
            let value = found.map(|i| i.value.as_str()).or_else(|| (what == "format").then_some(capture.format));
            ui.horizontal(|ui| {
                name(ui, what);
                control(ui, "capture", what, &mut session.reading, value).named(what).on_hover_text(help);
            });
            reason(ui, found);
        }
        for inference in capture.inferences.iter().filter(|i| FACTS.iter().all(|(what, _)| *what != i.what)) {
            ui.horizontal(|ui| {
                name(ui, &inference.what);
                ui.add(Label::new(RichText::new(&inference.value).color(ink())).truncate());
            });
            reason(ui, Some(inference));
        }
    });
}

/// The button that applies what was set, and what is not applied yet.
fn again(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let changes = session.reading_changes();
    let why_not = session.why_not_open_again();
    ui.horizontal(|ui| {
        let help =
            "Read the folder again with what is set here (Ctrl+Shift+O); a run on show is closed, its folder stays";
        let pressed = if changes > 0 {
            primary_button(ui, "Open again", why_not, help)
        } else {
            button(ui, "Open again", why_not, help)
        };
        if pressed {
            actions.push(Action::OpenAgain);
        }
        let set = session.reading != OpenOptions::default();
        if button(ui, "All as found", (!set).then_some("Nothing is set by hand"), "Set nothing by hand") {
            session.reading = OpenOptions::default();
        }
        if changes > 0 {
            let text = format!("{changes} not applied");
            ui.label(RichText::new(text).small().color(amber())).on_hover_text("The capture was not read so yet");
        }
    });
}

/// Where the keypoints of the next run come from.
fn keypoints(ui: &mut Ui, session: &mut Session, capture: &Capture) {
    let seen = |side: Side| capture.views.iter().filter(|v| v.keypoints[side.index()].is_some()).count();
    let why_not = session.why_no_own_keypoints();
    let text = if why_not.is_some() {
        "none of its own: they are found in the images".to_owned()
    } else {
        let all = capture.views.len();
        format!("its own: left in {} of {all} views, right in {}", seen(Side::Left), seen(Side::Right))
    };
    ui.horizontal(|ui| {
        name(ui, "keypoints");
        let mut checked = session.detect || why_not.is_some();
        let response = ui.add_enabled(why_not.is_none(), egui::Checkbox::new(&mut checked, "Find keypoints again"));
        let response = response.on_disabled_hover_text(why_not.unwrap_or_default());
        let help = "The next run finds its keypoints in the images although the capture has its own (--detect)";
        if response.on_hover_text(help).changed() {
            session.detect = checked;
        }
    });
    ui.add(Label::new(RichText::new(text).small().color(faint())).wrap());
}

/// A fact's name, at the width of all names.
fn name(ui: &mut Ui, text: &str) {
    let size = egui::vec2(NAME, ui.spacing().interact_size.y);
    ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
        ui.set_min_width(NAME);
        ui.add(Label::new(RichText::new(text).color(faint())).truncate());
    });
}

fn reason(ui: &mut Ui, inference: Option<&Inference>) {
    if let Some(inference) = inference {
        // The words of the readers.
        let colour = if inference.reason == "set by hand" { accent() } else { faint() };
        ui.add(Label::new(RichText::new(&inference.reason).small().color(colour)).wrap());
    }
}

/// The control of a fact; `salt` parts those of the panel from those of the banner.
fn control(
    ui: &mut Ui,
    salt: &'static str,
    what: &str,
    options: &mut OpenOptions,
    found: Option<&str>,
) -> egui::Response {
    let id = (salt, what);
    match what {
        "format" => choice(ui, id, &mut options.format, &Format::ALL, found),
        "unit" => units(ui, id, &mut options.units, found),
        "direction" => {
            let all = [Direction::WorldToCamera, Direction::CameraToWorld];
            choice(ui, id, &mut options.direction, &all, found)
        }
        "axes" => choice(ui, id, &mut options.axes, &[Axes::OpenCv, Axes::OpenGl], found),
        "pixel centre" => choice(ui, id, &mut options.pixel_centre, &[PixelCentre::Zero, PixelCentre::Half], found),
        _ => frame(ui, &mut options.frame, found),
    }
}

/// What stands on a control that is set to nothing.
fn as_found(found: Option<&str>) -> String {
    found.map_or_else(|| AS_FOUND.to_owned(), |value| format!("{AS_FOUND}: {value}"))
}

/// One of a few, or as found.
fn choice<T: Copy + PartialEq + Display>(
    ui: &mut Ui,
    id: (&'static str, &str),
    chosen: &mut Option<T>,
    all: &[T],
    found: Option<&str>,
) -> egui::Response {
    // What was set by hand is found so: that does not say what would be found without.
    let found = found.filter(|_| chosen.is_none());
    let text = chosen.map_or_else(|| as_found(found), |value| value.to_string());
    let list = ComboBox::from_id_salt(id).selected_text(text).width(CONTROL).truncate();
    list.show_ui(ui, |ui| {
        ui.selectable_value(chosen, None, AS_FOUND);
        for value in all {
            ui.selectable_value(chosen, Some(*value), value.to_string());
        }
    })
    .response
}

/// A usual unit, the metres that another one has, or as found.
fn units(ui: &mut Ui, id: (&'static str, &str), chosen: &mut Option<Units>, found: Option<&str>) -> egui::Response {
    let found = found.filter(|_| chosen.is_none());
    let other = chosen.is_some_and(|units| !UNITS.contains(&units));
    let text = if other { "other".to_owned() } else { chosen.map_or_else(|| as_found(found), |u| u.to_string()) };
    let width = if other { CONTROL - 84.0 } else { CONTROL };
    let list = ComboBox::from_id_salt(id).selected_text(text).width(width).truncate();
    let shown = list.show_ui(ui, |ui| {
        ui.selectable_value(chosen, None, AS_FOUND);
        for units in UNITS {
            ui.selectable_value(chosen, Some(units), units.to_string());
        }
        if ui.selectable_label(other, "other").clicked() {
            *chosen = Some(OTHER_UNIT);
        }
    });
    if let (true, Some(units)) = (other, chosen) {
        let metres = DragValue::new(&mut units.0).speed(1e-4).range(1e-6..=1e3).suffix(" m").max_decimals(6);
        ui.add(metres).named("Metres of a unit").on_hover_text("Metres that a unit of the calibration has");
    }
    shown.response
}

/// An instant's name, or as found.
fn frame(ui: &mut Ui, chosen: &mut Option<String>, found: Option<&str>) -> egui::Response {
    let mut text = chosen.clone().unwrap_or_default();
    let edit = TextEdit::singleline(&mut text).hint_text(as_found(found)).desired_width(CONTROL);
    let response = ui.add(edit);
    if response.changed() {
        let text = text.trim();
        *chosen = (!text.is_empty()).then(|| text.to_owned());
    }
    response
}

/// Under the error about a folder that could not be read: reading it otherwise.
pub(super) fn refused(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let why_not = session.is_active().then_some("Stop the run first");
    let Some(refused) = &mut session.refused else { return };
    ui.horizontal_wrapped(|ui| {
        for (what, help) in FACTS {
            ui.label(RichText::new(what).color(faint()));
            control(ui, "refused", what, &mut refused.options, None).named(what).on_hover_text(help);
        }
        if button(ui, "Open again", why_not, "Read the folder again with what is set here") {
            actions.push(Action::OpenRefused);
        }
    });
}
