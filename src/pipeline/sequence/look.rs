//! The first look at every frame: its capture opened, its keypoints found where there are none, its joints.

use crate::camera::Camera;
use crate::capture::{Capture, FrameFolder, Keypoints, OpenOptions};
use crate::fitting::pose::{PoseError, PoseResult, PoseSettings, Triangulator, estimate_joints};
use crate::pipeline::detection::Detection;
use crate::pipeline::{KeypointSource, PipelineError, RunOptions};
use std::path::Path;

/// What is kept of a frame until all are fitted; pictures are not.
pub(super) struct Looked {
    pub capture_hash: String,
    /// As given.
    pub cameras: Vec<Camera>,
    pub keypoints: Vec<[Option<Keypoints>; 2]>,
    /// Which views take part.
    pub used: Vec<bool>,
    pub pose: PoseResult,
}

/// A frame whose keypoints are being found.
pub(super) struct Detecting {
    capture: Capture,
    detection: Detection,
}

/// What a step of looking came to.
pub(super) enum Step {
    /// Keypoints are being found: views done, of so many.
    Detecting(Box<Detecting>, [usize; 2]),
    /// Done.
    Looked(Box<Looked>),
    /// The frame cannot be used.
    Problem(String),
}

pub(super) struct Looker<'a> {
    pub options: &'a RunOptions,
    pub reading: &'a OpenOptions,
    pub triangulator: &'a Triangulator,
    /// Number of views of the frames before.
    pub views: Option<usize>,
}

impl Looker<'_> {
    /// Opens a frame. `found` is the folder for keypoints that are found in its images.
    pub(super) fn begin(&self, frame: &FrameFolder, found: &Path) -> Result<Step, PipelineError> {
        let capture = match Capture::open_with(&frame.path, self.reading) {
            Ok(capture) => capture,
            Err(e) => return Ok(Step::Problem(e.to_string())),
        };
        if let Some(views) = self.views.filter(|n| *n != capture.views.len()) {
            return Ok(Step::Problem(format!("it has {} views, the frames before have {views}", capture.views.len())));
        }
        match KeypointSource::of(&capture, self.options.detect) {
            KeypointSource::Capture => {
                let keypoints = capture.views.iter().map(|v| v.keypoints.clone()).collect();
                self.look(&capture, keypoints)
            }
            KeypointSource::Detected => {
                let wanted = (0..capture.views.len()).map(|view| !self.options.exclude.contains(&view)).collect();
                let detection = Detection::new(&capture, wanted, Some(found))?;
                self.go_on(Box::new(Detecting { capture, detection }), found)
            }
        }
    }

    /// Looks for keypoints in the next views.
    pub(super) fn go_on(&self, mut frame: Box<Detecting>, found: &Path) -> Result<Step, PipelineError> {
        match frame.detection.step(&frame.capture, found)? {
            Some(step) => Ok(Step::Detecting(frame, step.views.map(|n| n as usize))),
            None => self.look(&frame.capture, frame.detection.keypoints()),
        }
    }

    fn look(&self, capture: &Capture, keypoints: Vec<[Option<Keypoints>; 2]>) -> Result<Step, PipelineError> {
        let used = crate::pipeline::reconstruction::used_views(capture, self.options)?;
        let cameras: Vec<Camera> = capture.views.iter().map(|v| v.camera.clone()).collect();
        let settings = &self.options.preset.pose;
        match estimate_joints(&cameras, &keypoints, &used, settings, self.triangulator) {
            Ok(pose) => {
                let capture_hash = capture.hash.clone();
                Ok(Step::Looked(Box::new(Looked { capture_hash, cameras, keypoints, used, pose })))
            }
            Err(e @ PoseError::Gpu(_)) => Err(e.into()),
            Err(e) => Ok(Step::Problem(e.to_string())),
        }
    }
}

/// Pose settings with which cameras are believed as they are.
pub(super) fn believing(settings: &PoseSettings) -> PoseSettings {
    PoseSettings { flag_ratio: 1e9, ..settings.clone() }
}

impl Looked {
    /// Joints again, with cameras that are known.
    pub(super) fn look_again(
        &mut self,
        cameras: &[Camera],
        settings: &PoseSettings,
        triangulator: &Triangulator,
    ) -> Result<(), PipelineError> {
        self.pose = estimate_joints(cameras, &self.keypoints, &self.used, &believing(settings), triangulator)?;
        Ok(())
    }
}
