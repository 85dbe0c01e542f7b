//! Loss curves over the metrics lines: logarithmic, one colour a term, with the shown snapshot as a cursor; other runs of the
//! capture beside them, phase by phase.
//!
//! `egui_plot` has no logarithmic axis, so log10 of the values is drawn and the axis labels say the values.

use super::access::Named as _;
use super::loss_axis::{Axis, segments};
use super::loss_runs;
use super::theme::{self, ACCENT, WEAK, WELL};
use crate::pipeline::StepReport;
use crate::studio::errands::run_name;
use crate::studio::session::{Action, OtherRun, Session, TimeAction};
use egui::{Color32, RichText, Ui, WidgetInfo, WidgetType};
use egui_plot::{GridInput, GridMark, HoverPosition, Line, Plot, PlotPoints, PlotTransform, VLine};

/// Points drawn a curve; more lines than pixels help nobody.
const POINTS: usize = 800;
/// Values below this are left out: a term that is zero has no logarithm, and would squeeze all others together.
const FLOOR: f64 = 1e-9;

/// Height of the steps' numbers under the plot, and the least from label to label at its side (those nearer are not drawn), points.
const STEPS_HEIGHT: f32 = 22.0;
const LABEL_SPACING: f64 = 23.0;
/// Room for the slider and its label, points.
const SMOOTH_WIDTH: f32 = 150.0;
/// Room for the menu of runs.
const RUNS_WIDTH: f32 = 70.0;

/// A stretch of one curve within one phase.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) points: Vec<[f64; 2]>,
}

/// Curves in order of first appearance, `total` first, broken where the phase changes.
pub(super) fn curves(steps: &[StepReport], smoothing: f64, axis: &Axis) -> Vec<Curve> {
    let stride = steps.len().div_ceil(POINTS).max(1);
    let mut out: Vec<Curve> = Vec::new();
    for segment in segments(steps) {
        let part = &steps[segment.from..segment.from + segment.len];
        let start = axis.start(&segment);
        #[expect(clippy::cast_precision_loss, reason = "step counts are small")]
        let x = |i: usize| start + (i + 1) as f64;
        let mut names = vec!["total".to_owned()];
        if part[0].terms.len() > 1 {
            names.extend(part[0].terms.iter().map(|t| t.0.clone()));
        }
        for name in names {
            let mut smooth: Option<f64> = None;
            let mut points = Vec::with_capacity(part.len() / stride + 2);
            for (i, report) in part.iter().enumerate() {
                let value = if name == "total" {
                    Some(report.total)
                } else {
                    report.terms.iter().find(|t| t.0 == name).map(|t| t.1)
                };
                let Some(value) = value.filter(|v| v.is_finite() && *v > FLOOR) else { continue };
                let y = value.log10();
                let y = smooth.map_or(y, |s| s * smoothing + y * (1.0 - smoothing));
                smooth = Some(y);
                if i % stride == 0 || i + 1 == part.len() {
                    points.push([x(i), y]);
                }
            }
            out.push(Curve { name, points });
        }
    }
    out
}

/// Text of a value on the logarithmic axis.
pub(super) fn value_text(log10: f64) -> String {
    let value = 10_f64.powf(log10);
    let exponent = log10.floor();
    if (-3.0..5.0).contains(&log10) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=3")]
        let digits = (-exponent).clamp(0.0, 3.0) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{:.0}e{exponent}", value / 10_f64.powf(exponent))
    }
}

/// Decades as strong lines, 2 and 5 between them as faint ones; of many decades every second, third … so that each line has
/// room for its label in a plot of this height, points.
fn decades(input: GridInput, height: f32) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    #[expect(clippy::cast_possible_truncation, reason = "decades")]
    let (from, to) = (low.floor().max(-40.0) as i32, high.ceil().min(40.0) as i32);
    #[expect(clippy::cast_possible_truncation, reason = "decades")]
    let apart = ((high - low) * LABEL_SPACING / f64::from(height.max(1.0))).ceil().min(80.0) as i32;
    let stride = ((to - from + 3) / 4).max(apart).max(1);
    let mut marks = Vec::new();
    for decade in (from..=to).filter(|d| d.rem_euclid(stride) == 0) {
        let base = f64::from(decade);
        marks.push(GridMark { value: base, step_size: f64::from(stride) });
        if to - from <= 4 {
            marks.push(GridMark { value: base + 2_f64.log10(), step_size: 0.3 });
            marks.push(GridMark { value: base + 5_f64.log10(), step_size: 0.3 });
        }
    }
    marks
}

/// Names of all terms in the order of the legend, without `total`.
fn term_names(steps: &[StepReport]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut phase = None;
    for report in steps {
        let this = Some((report.stage, report.phase.as_str()));
        if phase == this || report.terms.len() < 2 {
            continue;
        }
        phase = this;
        for (name, _) in &report.terms {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names.sort_by(|a, b| theme::series_order(a).cmp(&theme::series_order(b)));
    names
}

fn colour(name: &str, names: &[String]) -> Color32 {
    if names.iter().any(|n| n == name) { theme::series(name) } else { Color32::from_gray(235) }
}

/// The names of the phases along the upper edge, where there is room. Painted over the plot, as items of the plot would
/// take part in its bounds.
fn phase_names(ui: &Ui, transform: &PlotTransform, marks: &[(f64, String)]) {
    let frame = *transform.frame();
    let painter = ui.painter_at(frame);
    for (i, (at, name)) in marks.iter().enumerate() {
        let x = |place: f64| transform.position_from_point_x(place);
        let (left, right) = (x(*at), marks.get(i + 1).map_or(frame.right(), |m| x(m.0)));
        let galley = painter.layout_no_wrap(name.clone(), egui::FontId::proportional(10.5), WEAK);
        if galley.size().x + 8.0 < right - left {
            painter.galley(egui::pos2(left + 4.0, frame.top() + 2.0), galley, WEAK);
        }
    }
}

/// One switch a curve, with its colour.
fn legend(ui: &mut Ui, session: &mut Session, names: &[String]) {
    if names.is_empty() {
        ui.label(RichText::new("logarithmic").small().color(theme::faint()));
        return;
    }
    ui.spacing_mut().item_spacing.x = 3.0;
    for name in std::iter::once("total").chain(names.iter().map(String::as_str)) {
        let hidden = session.ui.hidden_curves.contains(name);
        let colour = if hidden { theme::rule() } else { theme::on_panel(colour(name, names)) };
        let galley = ui.painter().layout_no_wrap(
            name.to_owned(),
            egui::FontId::proportional(12.0),
            if hidden { theme::faint().gamma_multiply(0.6) } else { theme::ink() },
        );
        let size = egui::vec2(galley.size().x + 26.0, 18.0);
        let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click());
        if response.hovered() {
            ui.painter().rect_filled(rect, 3.0, ui.visuals().widgets.hovered.weak_bg_fill);
        }
        let line = [rect.left_center() + egui::vec2(4.0, 0.0), rect.left_center() + egui::vec2(17.0, 0.0)];
        ui.painter().line_segment(line, egui::Stroke::new(3.0, colour));
        ui.painter().galley(rect.left_center() + egui::vec2(21.0, -galley.size().y * 0.5), galley, theme::ink());
        response
            .widget_info(|| WidgetInfo::selected(WidgetType::SelectableLabel, true, !hidden, format!("Curve {name}")));
        if response.on_hover_text("Show or hide this curve").clicked() && !session.ui.hidden_curves.remove(name) {
            session.ui.hidden_curves.insert(name.to_owned());
        }
    }
}

pub(super) fn show(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let mut names = term_names(&session.steps);
    for run in session.compared_runs() {
        names.extend(term_names(&run.steps));
    }
    names.sort_by(|a, b| theme::series_order(a).cmp(&theme::series_order(b)));
    names.dedup();
    ui.horizontal(|ui| {
        // The switches wrap in what the rest leaves them.
        let width = (ui.available_width() - SMOOTH_WIDTH - RUNS_WIDTH).max(80.0);
        let wrapped = egui::Layout::left_to_right(egui::Align::Center).with_main_wrap(true);
        ui.allocate_ui_with_layout(egui::vec2(width, 18.0), wrapped, |ui| {
            legend(ui, session, &names);
        });
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().slider_width = 70.0;
            ui.add_space(8.0);
            ui.add(egui::Slider::new(&mut session.ui.smoothing, 0.0..=0.98).show_value(false))
                .named("Smoothing of the curves")
                .on_hover_text("Smoothing of the drawn curves only; the faint lines are the raw values");
            ui.label(RichText::new("smooth").small().color(theme::faint()));
            loss_runs::menu(ui, session, actions);
        });
    });
    loss_runs::legend(ui, session, actions);
    let last = session.steps.last().map_or_else(
        || "No steps yet".to_owned(),
        |s| format!("{} steps; total {:.4} at the last", session.steps.len(), s.total),
    );
    if session.steps.is_empty() && session.compared_runs().next().is_none() {
        let rect = ui.available_rect_before_wrap();
        ui.painter().rect_filled(rect, 4.0, WELL);
        super::access::canvas(ui, "loss", rect, ("Loss curves", &last));
        let text = "The curves appear here when a reconstruction runs";
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, text, egui::FontId::proportional(13.0), WEAK);
        return;
    }
    let (axis, lines) = lines(session, &names);
    let alone = session.compared_runs().next().is_none();
    let cursor = session.shown.as_ref().map(|s| axis.place(&session.steps, s.step));
    let height = ui.available_height() - STEPS_HEIGHT;
    // Plots lie on dark ground in both palettes.
    ui.visuals_mut().extreme_bg_color = WELL;
    let response = Plot::new("loss")
        .allow_drag(false)
        .allow_scroll(false)
        .allow_zoom(false)
        .show_background(true)
        .y_grid_spacer(move |input| decades(input, height))
        .grid_color(Color32::from_gray(62))
        .grid_fade(0.9)
        .set_margin_fraction(egui::vec2(0.01, 0.09))
        .y_axis_formatter(|mark, range| {
            // A label at the very edge would be cut or lie on the title.
            let margin = 0.04 * (range.end() - range.start());
            let inside = mark.value > range.start() + margin && mark.value < range.end() - margin;
            if inside { value_text(mark.value) } else { String::new() }
        })
        // Beside other runs, places are no steps.
        .x_axis_formatter(move |mark, range| {
            // A number at the right edge would be cut.
            let inside = mark.value < range.end() - 0.02 * (range.end() - range.start());
            if alone && inside && mark.value.fract() == 0.0 { format!("{}", mark.value) } else { String::new() }
        })
        .label_formatter(move |at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                let step = if alone { format!("step {:.0}\n", position.x) } else { String::new() };
                Some(format!("{step}{plot_name} {}", value_text(position.y)))
            }
            _ => None,
        })
        .show(ui, |plot| {
            for (at, _) in axis.marks() {
                plot.vline(VLine::new("", at).color(theme::LINE).width(1.0).allow_hover(false));
            }
            for line in lines {
                plot.line(line);
            }
            if let Some(at) = cursor {
                plot.vline(VLine::new("", at).color(ACCENT).width(1.5).allow_hover(false));
            }
            plot.pointer_coordinate()
        });
    super::access::painted(&response.response, ("Loss curves", &last));
    phase_names(ui, &response.transform, &axis.marks());
    let touched = response.response.clicked() || response.response.dragged();
    if let (true, Some(at)) = (touched, response.inner)
        && let Some(index) = session.track.nearest(axis.step(&session.steps, at.x))
    {
        actions.extend(session.track.frames().get(index).map(|f| Action::Time(TimeAction::ToStep(f.step))));
    }
}

/// The axis, and all lines that are switched on: of other runs in the runs' colours, then the open one's in those of the terms,
/// faint where they are raw.
fn lines<'a>(session: &Session, names: &[String]) -> (Axis, Vec<Line<'a>>) {
    let others: Vec<&OtherRun> = session.compared_runs().collect();
    let all: Vec<&[StepReport]> =
        std::iter::once(session.steps.as_slice()).chain(others.iter().map(|run| run.steps.as_slice())).collect();
    let axis = Axis::new(&all);
    let smoothing = f64::from(session.ui.smoothing);
    let visible = |c: &Curve| !session.ui.hidden_curves.contains(&c.name);
    let mut out = Vec::new();
    for (i, run) in others.iter().enumerate() {
        let (colour, style) = loss_runs::look(i);
        for curve in curves(&run.steps, smoothing, &axis).into_iter().filter(visible) {
            let name = format!("{} · {}", run_name(&run.dir), curve.name);
            let line = Line::new(name, PlotPoints::from(curve.points)).color(colour).width(1.3).style(style);
            out.push(line.id(egui::Id::new((&run.dir, &curve.name, out.len()))));
        }
    }
    if smoothing > 0.0 {
        for curve in curves(&session.steps, 0.0, &axis).into_iter().filter(visible) {
            let colour = colour(&curve.name, names).gamma_multiply(0.3);
            out.push(Line::new("", PlotPoints::from(curve.points)).color(colour).width(1.0).allow_hover(false));
        }
    }
    for curve in curves(&session.steps, smoothing, &axis).into_iter().filter(visible) {
        let width = if curve.name == "total" { 2.0 } else { 1.4 };
        let colour = colour(&curve.name, names);
        out.push(Line::new(curve.name, PlotPoints::from(curve.points)).color(colour).width(width));
    }
    (axis, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Stage;

    fn report(stage: Stage, phase: &str, iter: u32, total: f64) -> StepReport {
        let terms = vec![("sfs".to_owned(), total * 0.5), ("lap".to_owned(), total * 0.5)];
        StepReport { t: f64::from(iter), stage, phase: phase.to_owned(), iter, iters: 100, total, terms }
    }

    #[test]
    fn curves_break_at_phases_and_are_logarithms() {
        let mut steps: Vec<StepReport> = (1..=3).map(|i| report(Stage::Fit, "lm", i, 100.0)).collect();
        steps.extend((1..=2).map(|i| report(Stage::Ham, "albedo", i, 0.01)));
        steps.push(report(Stage::Ham, "albedo", 3, f64::NAN));
        let axis = Axis::new(&[&steps]);
        let curves = curves(&steps, 0.0, &axis);
        assert_eq!(axis.marks(), [(1.0, "fit lm".to_owned()), (4.0, "ham albedo".to_owned())], "begins of phases");
        assert_eq!(curves.len(), 6, "total and two terms in each phase");
        assert_eq!(curves[0].points, vec![[1.0, 2.0], [2.0, 2.0], [3.0, 2.0]], "log10 of 100 is 2");
        assert_eq!(curves[3].points, vec![[4.0, -2.0], [5.0, -2.0]], "a NaN is left out");
    }

    #[test]
    fn long_runs_are_thinned_but_keep_their_last_point() {
        let steps: Vec<StepReport> = (1..=10_001).map(|i| report(Stage::Ham, "shape", i, f64::from(i))).collect();
        let curves = curves(&steps, 0.0, &Axis::new(&[&steps]));
        assert!(curves[0].points.len() <= POINTS + 1, "{} points", curves[0].points.len());
        assert_eq!(curves[0].points.last().map(|p| p[0]), Some(10_001.0), "the newest value is there");
    }

    #[test]
    fn a_reopened_run_has_the_colours_and_the_legend_of_the_live_one() {
        let step = |stage, phase, terms: &[&str]| {
            let terms = terms.iter().map(|t| ((*t).to_owned(), 1.0)).collect();
            StepReport { terms, ..report(stage, phase, 1, 1.0) }
        };
        let live = [
            step(Stage::Fit, "lm", &["joints", "reprojection", "pose", "limits", "shape", "offsets"]),
            step(Stage::Ham, "shape", &["sfs", "mask", "lap", "albedo", "edge", "delta", "a new one"]),
        ];
        // A run folder has its terms by the alphabet.
        let mut reopened = live.clone();
        for step in &mut reopened {
            step.terms.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let (live, reopened) = (term_names(&live), term_names(&reopened));
        assert_eq!(live, reopened, "one legend");
        assert_eq!(live.len(), 13, "with all terms");
        let mut colours: Vec<[u8; 4]> = live.iter().take(12).map(|n| colour(n, &live).to_array()).collect();
        assert_eq!(colours, reopened.iter().take(12).map(|n| colour(n, &reopened).to_array()).collect::<Vec<_>>());
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), 12, "the known terms can be told apart");
    }

    #[test]
    fn axis_labels_say_values() {
        assert_eq!(
            ["100", "1", "0.1", "0.020"].map(str::to_owned),
            [2.0, 0.0, -1.0, -1.699].map(value_text).map(|t| if t == "0.02" { "0.020".to_owned() } else { t })
        );
        assert_eq!(value_text(-7.0), "1e-7", "small ones in powers");
    }
}
