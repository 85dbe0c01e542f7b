//! What the doctor found: severity by sign, word and colour, the view's picture, the numbers, and what is done about it.
//! A click selects the view, a double click looks through it; N and Shift+N go through the list.

use super::access::Named as _;
use super::textures::Textures;
use super::theme::{self, accent, amber, blue, faint, field, ink, red, rule};
use crate::pipeline::{Finding, Severity};
use crate::studio::docks::Pane;
use crate::studio::session::{Action, Session};
use egui::{Color32, Frame, Image, Label, Margin, RichText, Sense, Stroke, StrokeKind, Ui, WidgetType, vec2};

/// Width of the view's picture in points.
const PICTURE: f32 = 52.0;

/// Sign and colour of a severity; its word stands beside them.
fn sign(severity: Severity) -> (&'static str, Color32) {
    match severity {
        Severity::Error => ("✖", red()),
        Severity::Warning => ("⚠", amber()),
        Severity::Info => ("○", blue()),
    }
}

/// The button above the views that opens and closes the list.
pub(super) fn button(ui: &mut Ui, session: &mut Session) {
    let open = session.ui.shows(Pane::Findings);
    let (text, colour) = match (&session.diagnosis, session.worst()) {
        (None, _) => ("examining…".to_owned(), faint()),
        (Some(_), None) => ("✔ no problems found".to_owned(), faint()),
        (Some(diagnosis), Some(worst)) => {
            let (sign, colour) = sign(worst);
            let count = diagnosis.findings.len();
            (format!("{sign} {count} finding{}", if count == 1 { "" } else { "s" }), colour)
        }
    };
    let response = ui.selectable_label(open, RichText::new(text).color(colour));
    let help = "What is wrong with this capture, and what is done about it (N, Shift+N: go through the list)";
    if response.on_hover_text(help).clicked() {
        session.ui.toggle(Pane::Findings);
    }
}

pub(super) fn show(ui: &mut Ui, session: &mut Session, textures: &Textures, actions: &mut Vec<Action>) {
    // Text that could be marked would take the clicks.
    ui.style_mut().interaction.selectable_labels = false;
    let diagnosis = session.diagnosis.clone();
    let text = diagnosis.as_ref().map_or_else(|| "the capture is being examined".to_owned(), |d| d.summary());
    ui.label(RichText::new(text).small().color(faint()));
    let Some(diagnosis) = diagnosis else { return };
    theme::scroll().show(ui, |ui| {
        if diagnosis.findings.is_empty() {
            ui.label(RichText::new("Nothing is wrong with this capture as far as can be told.").color(faint()));
        }
        for (index, finding) in diagnosis.findings.iter().enumerate() {
            item(ui, session, textures, (index, finding), actions);
        }
    });
    session.ui.scroll_to_finding = false;
}

fn item(
    ui: &mut Ui,
    session: &Session,
    textures: &Textures,
    (index, finding): (usize, &Finding),
    actions: &mut Vec<Action>,
) {
    let selected = session.finding == Some(index);
    let fill = if selected { accent().gamma_multiply(0.22) } else { field() };
    let frame = Frame::NONE.fill(fill).corner_radius(4).inner_margin(Margin::symmetric(6, 5));
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            if let Some(texture) = finding.subject.view().and_then(|view| textures.thumbnails.get(view)) {
                let [w, h] = texture.size();
                #[expect(clippy::cast_precision_loss, reason = "a small picture")]
                let height = PICTURE * (h as f32 / w.max(1) as f32).clamp(0.3, 1.5);
                ui.add(Image::new((texture.id(), vec2(PICTURE, height))));
            }
            ui.vertical(|ui| words(ui, finding));
        });
    });
    let id = ui.id().with(("finding", index));
    let said = format!("{} {}: {}", finding.severity.name(), finding.subject, finding.what);
    let response = ui.interact(shown.response.rect, id, Sense::click()).presented(WidgetType::Button, &said);
    let stroke = if response.has_focus() || selected {
        Stroke::new(1.0, accent())
    } else if response.hovered() {
        Stroke::new(1.0, faint())
    } else {
        Stroke::new(1.0, rule())
    };
    ui.painter().rect_stroke(shown.response.rect, 4.0, stroke, StrokeKind::Inside);
    if selected && session.ui.scroll_to_finding {
        response.scroll_to_me(None);
    }
    let response = response.on_hover_text(format!(
        "{}\nclick: select the view · double-click or Enter: look through it",
        finding.code.name()
    ));
    match finding.subject.view() {
        Some(view) if response.double_clicked() => actions.push(Action::FlyTo(view)),
        _ if response.clicked() => actions.push(Action::Finding(index)),
        _ => {}
    }
}

fn words(ui: &mut Ui, finding: &Finding) {
    ui.spacing_mut().item_spacing.y = 2.0;
    let (sign, colour) = sign(finding.severity);
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("{sign} {}", finding.severity.name())).small().strong().color(colour));
        ui.add(Label::new(RichText::new(finding.subject.to_string()).strong().color(ink())).truncate());
    });
    ui.add(Label::new(RichText::new(&finding.what).color(ink())).wrap());
    if !finding.evidence.is_empty() {
        ui.add(Label::new(RichText::new(finding.evidence_text()).small().color(faint())).wrap());
    }
    ui.add(Label::new(RichText::new(format!("▶ {}", finding.action)).small().color(ink())).wrap());
}
