//! The pose panel: named poses, synergies, single angles. They move the reconstructed hands in the 3D view; the run and its
//! files stay as they are.

use super::access;
use super::theme::{self, amber, button, faint};
use crate::anatomy::{JOINT_NAMES, Side};
use crate::studio::session::{Action, Chosen, NamedPose, PoseAction, Posing, Session};
use egui::{CollapsingHeader, RichText, Ui};
use std::ops::RangeInclusive;

/// Fingers as people count them: first joint of each, name.
const FINGERS: [(usize, &str); 5] = [(13, "Thumb"), (1, "Index"), (4, "Middle"), (10, "Ring"), (7, "Pinky")];
const AXES: [&str; 3] = ["x · twist", "y · spread", "z · bend"];

pub(super) fn show(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let session = &*session;
    let mut ask = |action| actions.push(Action::Pose(action));
    let Some(posing) = &session.posing else {
        ui.label(
            RichText::new("Move the reconstructed hands with sliders. The run and its files stay as they are.")
                .color(faint()),
        );
        let why_not = session.why_not_pose();
        if button(ui, "Pose the hands", why_not, "Bring the hands to rest, so that they can be posed") {
            ask(PoseAction::Begin);
        }
        if let Some(why_not) = why_not {
            ui.label(RichText::new(why_not).color(amber()).small());
        }
        // A panel shrinks to what is in it; the sliders will want the room.
        ui.take_available_height();
        return;
    };
    ui.horizontal(|ui| {
        for named in NamedPose::ALL {
            if ui.button(named.name()).on_hover_text(help(named)).clicked() {
                ask(PoseAction::Take(named));
            }
        }
        let unposed = session.posed.is_none().then_some("The run's own mesh is on show");
        if button(ui, "Reset", unposed, "Show the run's own mesh again") {
            ask(PoseAction::Reset);
        }
    });
    ui.horizontal(|ui| {
        let sides: Vec<Side> = posing.sides().collect();
        if sides.len() > 1 {
            let choices =
                [(Chosen::Both, "Both"), (Chosen::One(Side::Left), "Left"), (Chosen::One(Side::Right), "Right")];
            for (chosen, name) in choices {
                if ui.selectable_label(posing.chosen == chosen, name).clicked() {
                    ask(PoseAction::Choose(chosen));
                }
            }
        }
        let mut keep = posing.keep_limits;
        let limits = ui.checkbox(&mut keep, "Joint limits");
        if limits.on_hover_text("Keep every angle within the hand model's limits").changed() {
            ask(PoseAction::KeepLimits(keep));
        }
        if session.posed.is_some() {
            let ms = posing.cost.as_secs_f64() * 1e3;
            ui.label(RichText::new(format!("{ms:.1} ms")).color(faint()).small())
                .on_hover_text("Time of the last mesh");
        }
    });
    theme::scroll().show(ui, |ui| {
        theme::title(ui, "SYNERGIES");
        fit_sliders(ui, (0..posing.synergies()).map(|i| posing.synergy_facts(i).0));
        for index in 0..posing.synergies() {
            let (name, range) = posing.synergy_facts(index);
            let mut value = posing.synergy(index);
            if named_slider(ui, &name, &mut value, range, (2, "", false)).changed() {
                ask(PoseAction::Synergy(index, value));
            }
        }
        theme::title(ui, "JOINTS");
        for (first, finger) in FINGERS {
            CollapsingHeader::new(finger).default_open(false).show(ui, |ui| angles(ui, posing, first, &mut ask));
        }
    });
}

/// Width of a slider's number, points.
const NUMBER: f32 = 58.0;
/// Shortest and longest slider, points.
const SLIDER: [f32; 2] = [80.0, 260.0];

/// Width of a name, points.
fn width_of(ui: &Ui, name: &str) -> f32 {
    let font = egui::TextStyle::Body.resolve(ui.style());
    ui.painter().layout_no_wrap(name.to_owned(), font, faint()).size().x
}

/// What slider and name share.
fn room(ui: &Ui) -> f32 {
    ui.available_width() - NUMBER - 3.0 * ui.spacing().item_spacing.x
}

/// Makes sliders as long as their names leave room for.
fn fit_sliders(ui: &mut Ui, names: impl Iterator<Item = impl AsRef<str>>) {
    let longest = names.map(|name| width_of(ui, name.as_ref())).fold(0.0, f32::max);
    ui.spacing_mut().slider_width = (room(ui) - longest).clamp(SLIDER[0], SLIDER[1]);
}

/// A slider with its name after it, or above it where it would be cut.
fn named_slider(
    ui: &mut Ui,
    name: &str,
    value: &mut f64,
    range: RangeInclusive<f64>,
    shown: access::Shown,
) -> egui::Response {
    let above = width_of(ui, name) + ui.spacing().slider_width > room(ui);
    if above {
        ui.label(RichText::new(name));
    }
    ui.horizontal(|ui| {
        let response = access::slider(ui, name, value, range, shown);
        if !above {
            ui.label(name);
        }
        response
    })
    .inner
}

const fn help(named: NamedPose) -> &'static str {
    match named {
        NamedPose::Captured => "As in the photographs",
        NamedPose::Relaxed => "The hand model's mean pose",
        NamedPose::Flat => "Flat, the hand model's rest pose",
    }
}

fn angles(ui: &mut Ui, posing: &Posing, first: usize, ask: &mut impl FnMut(PoseAction)) {
    let names = |joint: &str, axis: &str| format!("{joint} {axis}");
    let all = JOINT_NAMES.iter().skip(first).take(3).flat_map(|joint| AXES.map(|axis| names(joint, axis)));
    fit_sliders(ui, all);
    for (joint, joint_name) in JOINT_NAMES.iter().enumerate().skip(first).take(3) {
        for (axis, name) in AXES.iter().enumerate() {
            let index = 3 * (joint - 1) + axis;
            let (value, range) = posing.angle(index);
            let mut degrees = value.to_degrees();
            let (low, high) = (range.start().to_degrees(), range.end().to_degrees());
            if high - low < 0.5 {
                continue;
            }
            let shown = (0, "°", false);
            let response = named_slider(ui, &names(joint_name, name), &mut degrees, low..=high, shown);
            if response.on_hover_text(format!("{low:.0}° to {high:.0}°")).changed() {
                ask(PoseAction::Angle(index, degrees.to_radians()));
            }
        }
    }
}
