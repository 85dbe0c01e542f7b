//! What the doctor found: severity by sign, word and colour, the view's picture, the numbers, and what is done about it.
//! A click selects the view, a double click looks through it; N and Shift+N go through the list. Several of a kind stand under a
//! heading that names their views.

use super::access::Named as _;
use super::textures::Textures;
use super::theme::{self, accent, amber, blue, faint, field, ink, red, rule};
use crate::pipeline::{Finding, Severity, Subject};
use crate::studio::docks::Pane;
use crate::studio::session::{Action, Session};
use egui::{
    CollapsingHeader, Color32, Frame, Image, Label, Margin, RichText, Sense, Stroke, StrokeKind, Ui, WidgetType, vec2,
};

/// So many of a kind get a heading, and are folded under it.
const GROUP: usize = 3;
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
    // What is unfolded is there at once, to be scrolled to.
    ui.style_mut().animation_time = 0.0;
    let diagnosis = session.diagnosis.clone();
    let text = diagnosis.as_ref().map_or_else(|| "the capture is being examined".to_owned(), |d| d.summary());
    ui.label(RichText::new(text).small().color(faint()));
    let Some(diagnosis) = diagnosis else { return };
    theme::scroll().show(ui, |ui| {
        if diagnosis.findings.is_empty() {
            ui.label(RichText::new("Nothing is wrong with this capture as far as can be told.").color(faint()));
        }
        let mut from = 0;
        for group in diagnosis.findings.chunk_by(|a, b| (a.severity, a.code) == (b.severity, b.code)) {
            let mut items = |ui: &mut Ui| {
                for (index, finding) in (from..).zip(group) {
                    item(ui, session, textures, (index, finding), actions);
                }
            };
            if group.len() < GROUP {
                items(ui);
            } else {
                let selected = session.finding.is_some_and(|i| (from..from + group.len()).contains(&i));
                folded(ui, group, selected && session.ui.scroll_to_finding, items);
            }
            from += group.len();
        }
    });
    session.ui.scroll_to_finding = false;
}

/// Several findings of a kind: severity, kind, how many, and their views; the findings themselves when it is unfolded, or when one
/// of them is to be `shown`.
fn folded(ui: &mut Ui, group: &[Finding], shown: bool, items: impl FnOnce(&mut Ui)) {
    let Some(first) = group.first() else { return };
    let (sign, colour) = sign(first.severity);
    let words = first.code.name().replace('_', " ");
    let mut views: Vec<&str> = group
        .iter()
        .filter_map(|f| match &f.subject {
            Subject::View { name, .. } => Some(name.as_str()),
            Subject::Capture | Subject::Hand { .. } => None,
        })
        .collect();
    views.dedup();
    let places = match views.as_slice() {
        [] => String::new(),
        [view] => format!("view {view}"),
        views => format!("views {}", views.join(", ")),
    };
    let title = RichText::new(format!("{sign} {words} × {}", group.len())).color(colour);
    let heading = CollapsingHeader::new(title)
        .id_salt(("findings", first.severity.name(), first.code.name()))
        .open(shown.then_some(true))
        .show_unindented(ui, items);
    if heading.fully_closed() && !places.is_empty() {
        ui.add(Label::new(RichText::new(places).small().color(faint())).wrap());
    }
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
