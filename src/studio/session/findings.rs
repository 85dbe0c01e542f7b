//! What the doctor found, and which finding is selected.

use super::{Level, Session};
use crate::capture::Capture;
use crate::pipeline::{Diagnosis, Finding, Severity};
use crate::studio::docks::Pane;
use std::sync::Arc;

impl Session {
    /// Takes in a diagnosis, unless it is of a capture that is no longer open.
    pub(super) fn on_diagnosed(&mut self, capture: &Arc<Capture>, diagnosis: Arc<Diagnosis>) {
        if !self.capture.as_ref().is_some_and(|open| Arc::ptr_eq(open, capture)) {
            return;
        }
        let level = if diagnosis.is_usable() { Level::Info } else { Level::Error };
        self.note(level, format!("The capture was examined: {}", diagnosis.summary()));
        if !diagnosis.is_usable() {
            self.ui.bring(Pane::Findings);
        }
        self.finding = None;
        self.diagnosis = Some(diagnosis);
    }

    /// All findings, worst first.
    #[must_use]
    pub(crate) fn findings(&self) -> &[Finding] {
        self.diagnosis.as_ref().map_or(&[], |d| &d.findings)
    }

    /// The worst severity among the findings.
    #[must_use]
    pub(crate) fn worst(&self) -> Option<Severity> {
        self.findings().iter().map(|f| f.severity).max()
    }

    /// Selects a finding and the view it is about.
    pub(super) fn select_finding(&mut self, index: usize) {
        let Some(finding) = self.findings().get(index) else { return };
        let view = finding.subject.view();
        self.finding = Some(index);
        self.ui.scroll_to_finding = true;
        if let Some(view) = view {
            self.select(view);
        }
    }

    /// Selects the next or previous finding, round and round, and shows the list.
    pub(super) fn step_finding(&mut self, by: isize) {
        let count = isize::try_from(self.findings().len()).unwrap_or(0);
        if count == 0 {
            return;
        }
        let from = self.finding.and_then(|i| isize::try_from(i).ok());
        let at = from.map_or(if by > 0 { 0 } else { count - 1 }, |at| (at + by).rem_euclid(count));
        self.ui.bring(Pane::Findings);
        self.select_finding(usize::try_from(at).unwrap_or(0));
    }

    /// Residual of a camera, pixels: as given while there is only the capture, as repaired once a run uses it.
    #[must_use]
    pub(crate) fn residual_px(&self, view: usize) -> Option<f64> {
        let camera = self.diagnosis.as_ref()?.cameras.get(view)?;
        if self.run_dir.is_some() { camera.after_px } else { camera.before_px }
    }

    /// The residual of a view in words.
    #[must_use]
    pub(crate) fn residual_text(&self, view: usize) -> String {
        let Some(camera) = self.diagnosis.as_ref().and_then(|d| d.cameras.get(view)) else {
            return "residual: not examined yet".to_owned();
        };
        match (camera.before_px, camera.after_px) {
            (Some(before), Some(after)) if camera.correction.is_some() => {
                format!("residual {before:.1} px with the camera as given, {after:.1} px as repaired")
            }
            (Some(before), _) => format!("residual {before:.1} px"),
            (None, _) => "residual: none of its detections is used".to_owned(),
        }
    }
}
