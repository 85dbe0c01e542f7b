//! Between fit and HAM: the masks of the views that take part are judged and mended, one a step.

use super::{Reconstruction, State};
use crate::fitting::masks::{JudgedMask, MaskHand, edited_mask, judge_mask};
use crate::fitting::pose::PoseResult;
use crate::hand::HandModel;
use crate::pipeline::{Advance, PipelineError, Stage, masks};

/// Index of the middle finger's knuckle in MediaPipe's order.
const MIDDLE_KNUCKLE: usize = 9;

impl Reconstruction {
    /// Judges the mask of the next view that takes part; after the last one HAM begins.
    pub(super) fn advance_masks(&mut self) -> Result<Advance, PipelineError> {
        if let State::Masks { preparation: Some(_), .. } = &self.state {
            return self.advance_preparation();
        }
        let State::Masks { pose, .. } = &self.state else { return Ok(Advance::Finished) };
        let views = self.capture.views.len();
        // What a run wrote before it was interrupted is what it would write again.
        if self.replaying
            && self.masks.is_empty()
            && let Some(masks) = masks::read(self.folder.path(), views)
        {
            self.masks = masks;
        }
        while self.masks.len() < views && !self.is_judged(self.masks.len()) {
            self.masks.push(None);
        }
        let view = self.masks.len();
        if view < views {
            let judged = self.judge(view, pose);
            // How far model and mask are apart, tolerance granted: the number that a step reports as its loss.
            let apart = judged.report.used.map_or(1.0, |used| 1.0 - used.tolerant_iou);
            self.masks.push(Some(judged));
            let done = (0..=view).filter(|v| self.is_judged(*v)).count();
            let all = (0..views).filter(|v| self.is_judged(*v)).count();
            let [done, all] = [done, all].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
            return self.stepped(Stage::Fit, "masks", [done, all], apart, Vec::new());
        }
        let State::Masks { pose, mut findings, .. } =
            std::mem::replace(&mut self.state, State::Done { ham: None, neural: None })
        else {
            return Ok(Advance::Finished);
        };
        masks::write(self.folder.path(), &self.capture, &self.masks)?;
        findings.extend(masks::findings(&self.capture, &self.masks));
        self.prepare_ham(pose, findings)
    }

    /// The next part of what HAM needs; with the last one HAM begins.
    fn advance_preparation(&mut self) -> Result<Advance, PipelineError> {
        let State::Masks { pose, findings, preparation: Some(mut preparation) } =
            std::mem::replace(&mut self.state, State::Done { ham: None, neural: None })
        else {
            return Ok(Advance::Finished);
        };
        match self.go_on_preparing(&pose, &mut preparation)? {
            Some(ham) => self.begin_ham(ham, findings),
            None => {
                self.state = State::Masks { pose, findings, preparation: Some(preparation) };
                Ok(Advance::Working)
            }
        }
    }

    /// Whether the mask of a view passes this stage: those of the views that take part, or, where masks are left as they
    /// are, those of them that the user has edited.
    pub(super) fn is_judged(&self, view: usize) -> bool {
        self.used[view] && (self.options.preset.masks.refine || self.capture.mask_is_edited(view))
    }

    fn judge(&self, view: usize, pose: &PoseResult) -> JudgedMask {
        let hands: Vec<MaskHand<'_>> = self
            .fitted
            .iter()
            .map(|hand| {
                let model: &HandModel = &self.models[hand.posed.parameters.side.index()];
                MaskHand {
                    vertices: &hand.posed.vertices,
                    faces: &model.faces,
                    wrist_loop: &model.wrist_loop,
                    middle_knuckle: hand.posed.keypoints[MIDDLE_KNUCKLE],
                }
            })
            .collect();
        let seen = &self.capture.views[view];
        let (camera, settings) = (&pose.cameras[view], &self.options.preset.masks);
        match &seen.mask {
            Some(mask) if self.capture.mask_is_edited(view) => edited_mask(camera, &seen.image, mask, &hands, settings),
            given => judge_mask(camera, &seen.image, given.as_ref(), &hands, settings),
        }
    }
}
