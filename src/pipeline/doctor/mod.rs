//! The doctor: everything that can be known about a capture before it is fitted, as one list of findings.
//!
//! Three sources are merged: what the reader noticed, what [`crate::capture::inspect`] measures view by view, and what the
//! pose stage finds when it is run for trial (with [`Triangulator::Reference`] no graphics device is needed). A fact that
//! two of them see is told once, by the one that can say what is done about it: a detection that the pose stage rejects is
//! not also reported as lying beside the mask; the distance from the mask becomes a number of the same finding.
//!
//! When a run has fitted hands to the capture, what its mask stage decided ([`super::judged_masks`]) takes the place of what the
//! masks look like by themselves.
//!
//! A capture can be used when no finding is an [`Severity::Error`].

mod finding;
mod pose;
mod views;

pub use finding::{Code, Evidence, Finding, Part, Severity, Subject};

use super::results::{median_after_px, median_px};
use crate::camera::Camera;
use crate::capture::{Capture, Inspection, inspect};
use crate::fitting::masks::MaskReport;
use crate::fitting::pose::{CameraCorrection, PoseError, PoseResult, PoseSettings, Triangulator, estimate_joints};
use serde::Serialize;
use std::fmt;

/// What is known about a camera.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CameraDiagnosis {
    /// Number of the view.
    pub view: usize,
    /// Name of the view.
    pub name: String,
    /// Median distance of its detections from the joints with the camera as given, pixels; `None` when it was not used or
    /// none of its detections shows a hand.
    pub before_px: Option<f64>,
    /// The same with the camera as repaired.
    pub after_px: Option<f64>,
    /// How it was repaired, if it was off.
    pub correction: Option<CameraCorrection>,
}

/// All that was found out about a capture.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// The measurements view by view, residuals filled in.
    pub inspection: Inspection,
    /// Findings, worst first, then by kind in the order of [`Code`], then by subject.
    pub findings: Vec<Finding>,
    /// One entry a view of the capture.
    pub cameras: Vec<CameraDiagnosis>,
}

impl Diagnosis {
    /// Whether the capture can be reconstructed as it is: no finding is an error.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    /// Number of findings of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|f| f.severity == severity).count()
    }

    /// How many findings there are, in words: `2 errors, 1 warning`; `nothing found` for none.
    #[must_use]
    pub fn summary(&self) -> String {
        let part = |severity: Severity| match (self.count(severity), severity) {
            (0, _) => None,
            (n, Severity::Info) => Some(format!("{n} info")),
            (1, _) => Some(format!("1 {}", severity.name())),
            (n, _) => Some(format!("{n} {}s", severity.name())),
        };
        let parts: Vec<String> = Severity::ALL.into_iter().filter_map(part).collect();
        if parts.is_empty() { "nothing found".to_owned() } else { parts.join(", ") }
    }

    /// The inspection's fields and `findings`, for `thenar inspect --json`.
    #[must_use]
    pub fn report(&self) -> impl Serialize + '_ {
        Report { inspection: &self.inspection, findings: &self.findings }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    inspection: &'a Inspection,
    findings: &'a [Finding],
}

/// The table for people, then the findings.
impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inspection.write_table(f)?;
        writeln!(f, "\nfindings: {}", self.summary())?;
        for finding in &self.findings {
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

/// Examines a capture. Views with `used[view] == false` (held out, excluded; none when it is shorter) are left out of the
/// pose stage and of the findings.
#[must_use]
pub fn diagnose(capture: &Capture, used: &[bool], settings: &PoseSettings, triangulator: &Triangulator) -> Diagnosis {
    diagnose_after_run(capture, used, settings, triangulator, &[])
}

/// [`diagnose`] with what a run has decided about the masks, one entry a view (none when it is shorter).
#[must_use]
pub fn diagnose_after_run(
    capture: &Capture,
    used: &[bool],
    settings: &PoseSettings,
    triangulator: &Triangulator,
    judged: &[Option<MaskReport>],
) -> Diagnosis {
    let used: Vec<bool> = (0..capture.views.len()).map(|v| used.get(v).copied().unwrap_or(true)).collect();
    let cameras: Vec<Camera> = capture.views.iter().map(|v| v.camera.clone()).collect();
    let keypoints: Vec<_> = capture.views.iter().map(|v| v.keypoints.clone()).collect();
    let pose = estimate_joints(&cameras, &keypoints, &used, settings, triangulator).map_err(|error| {
        let resized = |factor: f64| {
            let smaller = |c: &Camera| Camera { translation: c.translation / factor, ..c.clone() };
            let cameras: Vec<Camera> = cameras.iter().map(smaller).collect();
            estimate_joints(&cameras, &keypoints, &used, settings, triangulator).ok()
        };
        let no_hand = matches!(error, PoseError::NoHand);
        let unit = if no_hand { pose::other_unit(capture, resized) } else { None };
        unit.unwrap_or_else(|| pose::failure(&error))
    });
    merge(capture, inspect(capture), &used, settings, pose, judged)
}

/// Merges the sources.
fn merge(
    capture: &Capture,
    mut inspection: Inspection,
    used: &[bool],
    settings: &PoseSettings,
    pose: Result<PoseResult, Finding>,
    judged: &[Option<MaskReport>],
) -> Diagnosis {
    let cameras: Vec<CameraDiagnosis> = (0..capture.views.len())
        .map(|view| {
            let found = pose.as_ref().ok().and_then(|p| p.views.iter().find(|r| r.view == view));
            CameraDiagnosis {
                view,
                name: capture.views[view].name.clone(),
                before_px: found.and_then(|r| median_px(r, |d| d.before_px)),
                after_px: found.and_then(median_after_px),
                correction: found.and_then(|r| r.correction),
            }
        })
        .collect();
    for (report, camera) in inspection.views.iter_mut().zip(&cameras) {
        (report.residual_px, report.residual_after_px) = (camera.before_px, camera.after_px);
    }
    let mut findings = match pose {
        Ok(result) => pose::findings(capture, used, settings, &result, &cameras),
        Err(failure) => vec![failure],
    };
    views::add(capture, &inspection, used, judged, &mut findings);
    findings.sort_by(|a, b| (b.severity, a.code, &a.subject).cmp(&(a.severity, b.code, &b.subject)));
    Diagnosis { inspection, findings, cameras }
}

#[cfg(test)]
mod tests;
