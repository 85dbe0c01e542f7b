//! Loss curves: SVG with a logarithmic axis, drawn here, so that it is there without a script; the values under the pointer
//! are the script's.

use super::{escaped, json_in_page};
use serde_json::json;
use std::fmt::Write as _;

/// Size of the drawing and of its margins, SVG units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 34.0;
/// What is smaller than the largest value by more decades than these is not shown.
const DECADES: f64 = 6.0;
/// Points of a series: more than a pixel each is nothing to see.
const POINTS: usize = 400;
/// Colours there are.
const COLOURS: usize = 8;

/// A curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// A value for each x of its chart, where there is one.
    pub values: Vec<Option<f64>>,
}

/// Curves over one axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What the x axis counts.
    pub x_label: String,
    /// Places on the x axis, ascending.
    pub x: Vec<f64>,
    /// The curves.
    pub series: Vec<Series>,
}

impl Chart {
    /// Every n-th point, the first and the last among them, so that there are not more than can be seen.
    fn thinned(&self) -> Self {
        let every = self.x.len().div_ceil(POINTS).max(1);
        let last = self.x.len().saturating_sub(1);
        let kept: Vec<usize> = (0..self.x.len()).filter(|i| i % every == 0 || *i == last).collect();
        let series = self.series.iter().map(|s| Series {
            name: s.name.clone(),
            values: kept.iter().map(|i| s.values.get(*i).copied().flatten()).collect(),
        });
        Self { x: kept.iter().map(|i| self.x[*i]).collect(), series: series.collect(), ..self.clone() }
    }

    /// Exponents of ten between which everything that is shown lies.
    fn decades(&self) -> Option<(f64, f64)> {
        let shown = || self.series.iter().flat_map(|s| &s.values).flatten().filter(|v| v.is_finite() && **v > 0.0);
        let most = shown().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
        if most <= 0.0 || !most.is_finite() {
            return None;
        }
        let high = most.log10();
        let low = shown().map(|v| v.log10()).filter(|v| *v > high - DECADES).fold(high, f64::min);
        // A little room, and at least a third of a decade, so that there is a number on the axis.
        let (low, high) = (low - 0.04 * (high - low).max(0.2), high + 0.04 * (high - low).max(0.2));
        let middle = 0.5 * (low + high);
        Some((low.min(middle - 0.17), high.max(middle + 0.17)))
    }

    pub(super) fn html(&self, id: usize) -> String {
        let chart = self.thinned();
        let Some((low, high)) = chart.decades() else {
            return format!(
                "<div class=\"card\"><h3>{}</h3><p class=\"soft\">No values.</p></div>\n",
                escaped(&self.title)
            );
        };
        let (from, to) = (chart.x.first().copied().unwrap_or(0.0), chart.x.last().copied().unwrap_or(1.0));
        let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
        let x_at = |x: f64| LEFT + (x - from) / (to - from).max(1e-9) * width;
        let y_at = |exponent: f64| TOP + (high - exponent) / (high - low) * height;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" tabindex=\"0\" aria-labelledby=\"chart-{id}\">\n"
        );
        for (exponent, label) in y_ticks(low, high) {
            let y = y_at(exponent);
            let _ = writeln!(
                svg,
                "<line class=\"rule\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
            );
        }
        for x in x_ticks(from, to) {
            let at = x_at(x);
            let y = HEIGHT - BOTTOM;
            let _ = writeln!(
                svg,
                "<line class=\"axis\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{y}\" y2=\"{}\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{x}</text>",
                y + 4.0,
                y + 16.0,
            );
        }
        let _ = writeln!(
            svg,
            "<path class=\"axis\" fill=\"none\" d=\"M{LEFT} {TOP}V{0}H{1}\"/><text x=\"{1}\" y=\"{2}\" text-anchor=\"end\">{3}</text>",
            HEIGHT - BOTTOM,
            WIDTH - RIGHT,
            HEIGHT - 4.0,
            escaped(&chart.x_label),
        );
        for (i, series) in chart.series.iter().enumerate() {
            // Gaps where nothing can be shown: zero has no logarithm.
            let mut path = String::new();
            let mut pen_down = false;
            for (x, value) in chart.x.iter().zip(&series.values) {
                match value.filter(|v| v.is_finite() && *v > 0.0).map(f64::log10).filter(|v| *v >= low) {
                    Some(exponent) => {
                        let pen = if std::mem::replace(&mut pen_down, true) { 'L' } else { 'M' };
                        let _ = write!(path, "{pen}{:.1} {:.1}", x_at(*x), y_at(exponent));
                    }
                    None => pen_down = false,
                }
            }
            let wider = if i == 0 { " stroke-width=\"2.4\"" } else { "" };
            let _ = writeln!(svg, "<path class=\"line c{}\" data-series=\"{i}\"{wider} d=\"{path}\"/>", i % COLOURS);
        }
        let _ = write!(svg, "<line class=\"cross\" y1=\"{TOP}\" y2=\"{}\" x1=\"0\" x2=\"0\"/></svg>", HEIGHT - BOTTOM);
        let finite = |v: &Option<f64>| v.filter(|v| v.is_finite());
        let data = json!({
            "left": LEFT, "width": width, "viewWidth": WIDTH, "from": from, "to": to,
            "label": chart.x_label, "x": chart.x,
            "series": chart.series.iter().map(|s| json!({
                "name": s.name, "y": s.values.iter().map(finite).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        });
        let keys: String = chart
            .series
            .iter()
            .enumerate()
            .map(|(i, s)| {
                format!(
                    "<li><button type=\"button\" data-series=\"{i}\" aria-pressed=\"true\"><i class=\"c{}\"></i>{}</button></li>",
                    i % COLOURS,
                    escaped(&s.name)
                )
            })
            .collect();
        format!(
            "<div class=\"card chart\"><h3 id=\"chart-{id}\">{}</h3>\n{svg}\n<ul class=\"keys\">{keys}</ul>\
             <div class=\"tip\" role=\"status\"></div><script type=\"application/json\">{}</script></div>\n",
            escaped(&chart.title),
            json_in_page(&data),
        )
    }
}

/// Exponents of ten to be labelled, with their labels: whole ones, and 2 and 5 between them where there is room.
#[expect(clippy::cast_possible_truncation, reason = "exponents of losses are small")]
fn y_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let between: &[u32] = match high - low {
        wide if wide > 2.5 => &[1],
        wide if wide > 0.9 => &[1, 2, 5],
        _ => &[1, 2, 3, 4, 5, 6, 7, 8, 9],
    };
    let mut ticks = Vec::new();
    for decade in low.floor() as i32..=high.ceil() as i32 {
        for digit in between {
            let exponent = f64::from(decade) + f64::from(*digit).log10();
            if (low..=high).contains(&exponent) {
                let label = match decade {
                    0..=4 => (f64::from(*digit) * 10_f64.powi(decade)).to_string(),
                    -3..0 => format!("{:.*}", decade.unsigned_abs() as usize, f64::from(*digit) * 10_f64.powi(decade)),
                    _ => format!("{digit}e{decade}"),
                };
                ticks.push((exponent, label));
            }
        }
    }
    ticks
}

/// Round places on the x axis, about six.
fn x_ticks(from: f64, to: f64) -> Vec<f64> {
    let wanted = ((to - from) / 6.0).max(1.0);
    let decade = 10_f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade).into_iter().find(|s| *s >= wanted).unwrap_or(wanted);
    let mut x = (from / step).ceil() * step;
    let mut ticks = Vec::new();
    while x <= to + 1e-9 && ticks.len() < 20 {
        ticks.push(x);
        x += step;
    }
    ticks
}
