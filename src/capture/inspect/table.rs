//! The report as a table for people.

use super::report::{DetectionReport, Inspection, ViewReport};
use crate::anatomy::Side;
use std::fmt;

/// Column titles; all but the first and last are aligned to the right.
const TITLES: [&str; 10] =
    ["view", "size", "focal px", "mask", "verdict", "left", "right", "light", "skin clipped", "look at"];

impl Inspection {
    /// The report as text: a header, a table with one line per view, the warnings.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.to_string()
    }

    /// The header, label and value.
    fn header(&self) -> Vec<(&'static str, String)> {
        let mut hands = Vec::new();
        for side in &self.hands {
            let seen = self.views.iter().filter(|v| detection(v, *side).is_some()).count();
            hands.push(format!("{side} in {seen} of {} views", self.views.len()));
        }
        let hands = if hands.is_empty() { "none".to_owned() } else { hands.join(", ") };
        let radius = self.views.iter().flat_map(|a| self.views.iter().map(move |b| spacing(a, b))).fold(0.0, f64::max);
        vec![
            ("capture", format!("{} ({})", self.name, self.format)),
            ("views", format!("{}, cameras up to {radius:.2} m apart", self.views.len())),
            ("unit", "metre".to_owned()),
            ("hands", hands),
            ("input", format!("sha256 {}", self.hash.get(..16).unwrap_or(&self.hash))),
        ]
    }
}

fn detection(view: &ViewReport, side: Side) -> Option<DetectionReport> {
    match side {
        Side::Left => view.left,
        Side::Right => view.right,
    }
}

fn spacing(a: &ViewReport, b: &ViewReport) -> f64 {
    a.centre_m.iter().zip(&b.centre_m).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// One line of the table.
fn row(view: &ViewReport) -> [String; 10] {
    let percent = |part: f64| format!("{:.0} %", 100.0 * part);
    let hand = |d: Option<DetectionReport>| match d {
        None => "-".to_owned(),
        Some(d) => d.on_mask.map_or_else(|| "seen".to_owned(), percent),
    };
    let flags: Vec<&str> = view.flags.iter().map(|f| f.name()).collect();
    [
        view.name.clone(),
        format!("{}×{}", view.width, view.height),
        format!("{:.0}", view.focal_px),
        view.mask_fraction.map_or_else(|| "-".to_owned(), |part| format!("{:.1} %", 100.0 * part)),
        view.mask_verdict.to_string(),
        hand(view.left),
        hand(view.right),
        view.hand_stops.map_or_else(|| "-".to_owned(), |stops| format!("{stops:+.1} EV")),
        view.hand_clipped.map_or_else(|| "-".to_owned(), percent),
        flags.join(" "),
    ]
}

impl Inspection {
    /// The header and the table without the warnings.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_table(&self, f: &mut impl fmt::Write) -> fmt::Result {
        for (label, value) in self.header() {
            writeln!(f, "{label:<9}{value}")?;
        }
        for inference in &self.inferences {
            writeln!(f, "read as  {inference}")?;
        }
        writeln!(f)?;
        let rows: Vec<[String; 10]> = self.views.iter().map(row).collect();
        let titles = TITLES.map(str::to_owned);
        let lines = || std::iter::once(&titles).chain(&rows);
        let widths: Vec<usize> =
            (0..TITLES.len()).map(|c| lines().map(|line| line[c].chars().count()).max().unwrap_or(0)).collect();
        for line in lines() {
            let mut text = String::new();
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                if column == 0 || column + 1 == TITLES.len() {
                    text += &format!("{cell:<width$}  ");
                } else {
                    text += &format!("{cell:>width$}  ");
                }
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        writeln!(
            f,
            "left, right: part of the detected hand that lies on the mask. light: skin relative to the median view."
        )
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_table(f)?;
        if !self.warnings.is_empty() {
            writeln!(f)?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}
