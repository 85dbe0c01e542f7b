//! The stages one after the other: what each needs, what it leaves in the run folder, what it found.

use super::keep::Keep;
use super::{CHECKPOINT_SECONDS, Reconstruction, State, TRACK_SNAPSHOTS};
use crate::anatomy::Side;
use crate::camera::Camera;
use crate::capture::View;
use crate::detect::DetectedHands;
use crate::fitting::ham::target::{JudgedSource, TargetSource};
use crate::fitting::ham::{Ham, HamError, Phase, PhaseRates, Preparation, TERMS};
use crate::fitting::hand_fit::{FIT_TERMS, FitBackend, FitResult, HandFit, Silhouette, SilhouetteReport, hold_hands};
use crate::fitting::pose::{PoseResult, Triangulator, estimate_joints};
use crate::hand::{HandModel, HandParameters, PosedHand};
use crate::metrics::{ViewMeans, ViewScore};
use crate::pipeline::{Advance, DETECTION, PipelineError, Stage, results};

impl Reconstruction {
    /// Looks for keypoints in the next views. `total` counts the hands that were not seen.
    pub(super) fn advance_detection(&mut self) -> Result<Advance, PipelineError> {
        let State::Detect(detection) = &mut self.state else { return Ok(Advance::Working) };
        if let Some(step) = detection.step(&self.capture, self.folder.path())? {
            let [views, of] = step.views;
            let (found, unseen) = (f64::from(step.hands), 2.0 * f64::from(views) - f64::from(step.hands));
            return self.stepped(Stage::Pose, DETECTION, [views, of], unseen, vec![("hands".to_owned(), found)]);
        }
        let found = detection.keypoints();
        self.take_detected(found)?;
        self.state = State::Pose;
        Ok(Advance::Working)
    }

    /// What was found in the images, with what the user has changed of it.
    fn take_detected(&mut self, mut found: Vec<DetectedHands>) -> Result<(), PipelineError> {
        self.found = Some(found.clone());
        let names = self.capture.views.iter().map(|view| view.name.as_str());
        for line in self.capture.edits.change_found(names.zip(&mut found)) {
            self.folder.log(&format!("             {line}"))?;
        }
        self.detected = Some(found);
        Ok(())
    }

    pub(super) fn advance_pose(&mut self) -> Result<Advance, PipelineError> {
        let cameras: Vec<Camera> = match &self.given {
            Some(given) if given.cameras.len() == self.capture.views.len() => given.cameras.clone(),
            _ => self.capture.views.iter().map(|v| v.camera.clone()).collect(),
        };
        let own = || self.capture.views.iter().map(|v| v.keypoints.clone()).collect();
        let keypoints: Vec<_> = self.detected.clone().unwrap_or_else(own);
        let triangulator = Triangulator::on(&self.gpu)?;
        let pose = estimate_joints(&cameras, &keypoints, &self.used, &self.options.preset.pose, &triangulator)
            .inspect_err(|_| {
                // What was found in the images took time and says what is wrong: it stays.
                if self.detected.is_none() {
                    self.folder.discard();
                }
            })?;
        results::write_pose(self.folder.path(), &self.capture, &self.options, &pose)?;
        let mut findings = pose.findings.clone();
        if let Some(detected) = &self.detected {
            let count = |side: Side| detected.iter().filter(|hands| hands[side.index()].is_some()).count();
            findings.insert(
                0,
                format!(
                    "keypoints found in the images: left hand in {} of {} views, right hand in {}",
                    count(Side::Left),
                    detected.len(),
                    count(Side::Right)
                ),
            );
        }
        self.pose = Some(pose.clone());
        if self.options.until == Stage::Pose {
            self.state = State::Done { ham: None, neural: None };
        } else if self.given.is_some() {
            self.state = State::Held { pose: Box::new(pose) };
        } else {
            let [left, right] = &self.models;
            let wanted = |side: Side, model| pose.joints.hands[side.index()].is_some().then_some(model);
            let models = [wanted(Side::Left, &**left), wanted(Side::Right, &**right)];
            let fit = HandFit::new(FitBackend::Gpu(&self.gpu), models, &pose, &self.options.preset.fit)?;
            self.state = State::Fit { pose: Box::new(pose), fit: Box::new(fit) };
        }
        self.stage_done(Stage::Pose, findings)
    }

    /// Takes over the hands that the sequence knows.
    fn hold(&mut self) -> Result<Advance, PipelineError> {
        let State::Held { pose } = std::mem::replace(&mut self.state, State::Done { ham: None, neural: None }) else {
            return Ok(Advance::Finished);
        };
        let hands = self.given.as_ref().map_or(&[][..], |given| &given.hands);
        let models = [0, 1].map(|i| Some(&*self.models[i]));
        let result = hold_hands(models, &pose, hands, &self.options.preset.fit)?;
        self.end_fit(pose, result, Vec::new())
    }

    pub(super) fn advance_fit(&mut self) -> Result<Advance, PipelineError> {
        if matches!(self.state, State::Held { .. }) {
            return self.hold();
        }
        let State::Fit { fit, .. } = &mut self.state else { return Ok(Advance::Finished) };
        if let Some(step) = fit.step()? {
            let terms = FIT_TERMS.iter().zip(step.terms).map(|(n, x)| ((*n).to_owned(), x)).collect();
            return self.stepped(Stage::Fit, "lm", [step.iteration, step.iterations], step.total, terms);
        }
        let State::Fit { pose, fit } = std::mem::replace(&mut self.state, State::Done { ham: None, neural: None })
        else {
            return Ok(Advance::Finished);
        };
        let notes = fit.notes().to_vec();
        let result = fit.finish(&self.silhouettes(&pose))?;
        self.end_fit(pose, result, notes)
    }

    /// Writes the fitted hands and goes on to the masks; `notes` are said first.
    fn end_fit(
        &mut self,
        pose: Box<PoseResult>,
        result: FitResult,
        notes: Vec<String>,
    ) -> Result<Advance, PipelineError> {
        self.fitted = result.hands;
        results::write_fit(self.folder.path(), &self.models, &self.fitted, &pose)?;
        let mut findings = notes;
        findings.extend(self
            .fitted
            .iter()
            .map(|h| {
                let side = h.posed.parameters.side;
                format!(
                    "{side} hand: {:.1} mm from the joints; median reprojection {:.1} px, {:.1} px without the detector's offsets",
                    h.mean_joint_mm, h.median_px, h.model_median_px
                )
            }));
        findings.extend(silhouette_finding(&result.silhouettes));
        if self.options.until == Stage::Fit {
            self.write_checkpoint(true)?;
            return self.stage_done(Stage::Fit, findings);
        }
        if (0..self.used.len()).any(|view| self.is_judged(view)) {
            self.state = State::Masks { pose, findings, preparation: None };
            return self.advance_masks();
        }
        self.prepare_ham(pose, findings)
    }

    /// HAM begins to be made ready, which takes several calls.
    pub(super) fn prepare_ham(
        &mut self,
        pose: Box<PoseResult>,
        findings: Vec<String>,
    ) -> Result<Advance, PipelineError> {
        let settings = &self.options.preset.ham;
        let from = self.resume_from.as_ref().and_then(|c| c.ham.as_ref());
        let beyond = from.is_some_and(|state| !state.is_coarse()) && settings.begins_coarse();
        let known: Vec<&HandParameters> = self.fitted.iter().map(|h| &h.posed.parameters).collect();
        let given = self.given.as_ref().map(|given| given.detail(self.folder.path(), &self.models, &known));
        let detail = given.transpose()?.flatten();
        let preparation = match detail {
            Some(detail) => Preparation::with_detail(&self.gpu, settings, detail),
            None if beyond => Preparation::refined(&self.gpu, settings),
            None => Preparation::begin(&self.gpu, settings),
        };
        self.state = State::Masks { pose, findings, preparation: Some(Box::new(preparation)) };
        Ok(Advance::Working)
    }

    /// Goes on with that; once HAM is ready, the fit stage ends.
    pub(super) fn go_on_preparing(
        &mut self,
        pose: &PoseResult,
        preparation: &mut Preparation,
    ) -> Result<Option<Ham>, PipelineError> {
        self.with_ham_inputs(&pose.cameras, |hands, sources| preparation.step(hands, sources, None))
    }

    /// Ends the fit stage and begins HAM.
    pub(super) fn begin_ham(&mut self, mut ham: Ham, mut findings: Vec<String>) -> Result<Advance, PipelineError> {
        if let Some(state) = self.resume_from.take().and_then(|c| c.ham)
            && !ham.restore(&state)?
        {
            return Err(PipelineError::Resume(
                "the checkpoint does not fit the fitted mesh; start a new run".to_owned(),
            ));
        }
        let untrusted: Vec<&str> = ham
            .mask_trust()
            .iter()
            .zip(&self.capture.views)
            .enumerate()
            .filter(|(v, (t, _))| t.is_some_and(|t| !t.trusted) && !self.capture.mask_is_edited(*v))
            .map(|(_, (_, v))| v.name.as_str())
            .collect();
        if !self.options.preset.masks.refine && !untrusted.is_empty() {
            findings.push(format!(
                "masks that disagree with the model are not used as silhouettes: views {}",
                untrusted.join(", ")
            ));
        }
        self.state = State::Ham { ham: Box::new(ham) };
        self.ham_is_new = !self.replaying;
        self.stage_done(Stage::Fit, findings)
    }

    /// The masks of the views that take part.
    fn silhouettes<'a>(&'a self, pose: &'a PoseResult) -> Vec<Silhouette<'a>> {
        let views = self.capture.views.iter().zip(&pose.cameras).zip(&self.used).enumerate();
        let silhouette = |(view, ((source, camera), used)): (usize, ((&'a View, &'a Camera), &bool))| {
            let mask = source.mask.as_ref().filter(|_| *used)?;
            Some(Silhouette { view, camera, mask, edited: self.capture.mask_is_edited(view) })
        };
        views.filter_map(silhouette).collect()
    }

    /// HAM's coarse part has ended: the rest is made ready, a part a call.
    fn refine_ham(&mut self) -> Result<(), PipelineError> {
        let refining = self.refining.take();
        let mut refining =
            refining.unwrap_or_else(|| Box::new(Preparation::refined(&self.gpu, &self.options.preset.ham)));
        let State::Ham { ham: coarse } = &self.state else { return Ok(()) };
        let Some(pose) = &self.pose else { return Ok(()) };
        let ready =
            self.with_ham_inputs(&pose.cameras, |hands, sources| refining.step(hands, sources, Some(coarse)))?;
        match ready {
            Some(ham) => self.state = State::Ham { ham: Box::new(ham) },
            None => self.refining = Some(refining),
        }
        Ok(())
    }

    /// Hands HAM the hands and the views that take part.
    fn with_ham_inputs<T>(
        &self,
        cameras: &[Camera],
        then: impl FnOnce(&[(&HandModel, &PosedHand)], &[Option<TargetSource<'_>>]) -> Result<T, HamError>,
    ) -> Result<T, PipelineError> {
        let hands: Vec<(&HandModel, &PosedHand)> =
            self.fitted.iter().map(|h| (&*self.models[h.posed.parameters.side.index()], &h.posed)).collect();
        let sources: Vec<Option<TargetSource<'_>>> = self
            .capture
            .views
            .iter()
            .zip(cameras)
            .zip(&self.used)
            .enumerate()
            .map(|(v, ((view, camera), used))| {
                let judged = self.masks.get(v).and_then(Option::as_ref);
                let judged = judged.map(|j| JudgedSource { mask: j.mask.as_ref(), weight: j.report.weight });
                used.then_some(TargetSource { camera, image: &view.image, mask: view.mask.as_ref(), judged })
            })
            .collect();
        Ok(then(&hands, &sources)?)
    }

    /// Writes what is known once HAM has ended: meshes and `views.csv`. Resuming computes the fit again, which writes its own;
    /// so the last stage that ends writes them, the same bytes each time.
    pub(super) fn write_refined(&mut self) -> Result<Vec<(usize, ViewScore)>, PipelineError> {
        let Some(ham) = self.ham() else { return Ok(Vec::new()) };
        let vertices = ham.vertices()?;
        let hands = results::export_hands(ham.mesh(), &vertices, &self.fitted, &self.models);
        results::write_meshes(self.folder.path(), &hands, &self.capture, &self.options)?;
        let scores = self.score(&vertices)?;
        if let Some(pose) = &self.pose {
            results::write_views(self.folder.path(), &self.capture, &self.options, pose, &self.masks, &scores)?;
        }
        Ok(scores)
    }

    pub(super) fn advance_ham(&mut self) -> Result<Advance, PipelineError> {
        let State::Ham { ham } = &mut self.state else { return Ok(Advance::Finished) };
        if ham.phase() == Phase::Done {
            if ham.is_coarse() {
                self.refine_ham()?;
                return Ok(Advance::Working);
            }
            return self.finish_ham();
        }
        if self.ham_is_new && ham.between_steps() {
            self.ham_is_new = false;
            self.to_keep.push_back(Keep::RestartPoint);
            return Ok(Advance::Working);
        }
        self.apply_changes()?;
        let State::Ham { ham } = &mut self.state else { return Ok(Advance::Finished) };
        let ended = ham.ended_phases().len();
        let Some(report) = ham.step()? else { return Ok(Advance::Working) };
        let pace = ham.ended_phases().get(ended).map(PhaseRates::sentence);
        let phase_ended = pace.is_some();
        let folds = (pace.is_some() && report.phase == Phase::Shape).then(|| ham.untangled().sentence());
        let cameras = (pace.is_some() && report.phase == Phase::Colour).then(|| ham.residual_sentence()).flatten();
        let terms: Vec<(String, f64)> = TERMS.iter().zip(report.terms).map(|(n, x)| ((*n).to_owned(), x)).collect();
        let total = report.terms.iter().sum();
        let every = (report.epochs * 2 / TRACK_SNAPSHOTS).max(1);
        let advance = self.stepped(Stage::Ham, report.phase.name(), [report.epoch, report.epochs], total, terms)?;
        let kept = report.epoch % every == 0 || report.epoch == report.epochs;
        self.to_keep.extend([pace, folds, cameras].into_iter().flatten().map(Keep::Line));
        self.to_keep.extend(kept.then_some(Keep::Snapshot));
        self.to_keep.extend(phase_ended.then_some(Keep::RestartPoint));
        if self.seconds_now() - self.last_checkpoint > CHECKPOINT_SECONDS {
            self.to_keep.push_back(Keep::Checkpoint);
        }
        Ok(advance)
    }

    fn finish_ham(&mut self) -> Result<Advance, PipelineError> {
        let State::Ham { ham } = std::mem::replace(&mut self.state, State::Done { ham: None, neural: None }) else {
            return Ok(Advance::Finished);
        };
        self.state = State::Done { ham: Some(ham), neural: None };
        let goes_on = self.options.until > Stage::Ham;
        let done = match self.end_ham(goes_on) {
            Ok(done) => done,
            Err(error) => {
                // The stage ends once there is room for what it leaves.
                if let State::Done { ham: Some(ham), .. } =
                    std::mem::replace(&mut self.state, State::Done { ham: None, neural: None })
                {
                    self.state = State::Ham { ham };
                }
                return Err(error);
            }
        };
        if goes_on {
            self.enter_neural(None)?;
        }
        Ok(done)
    }

    fn end_ham(&mut self, goes_on: bool) -> Result<Advance, PipelineError> {
        let scores = self.write_refined()?;
        self.write_checkpoint(!goes_on)?;
        self.stage_done(Stage::Ham, vec![fitted_views_finding(&scores)])
    }
}

/// What the masks did for the fit, in one line.
fn silhouette_finding(reports: &[SilhouetteReport]) -> Option<String> {
    let used: Vec<&SilhouetteReport> = reports.iter().filter(|r| r.used).collect();
    let middle = |value: fn(&SilhouetteReport) -> f64| {
        let mut values: Vec<f64> = used.iter().map(|r| value(r)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let (before, after) = (middle(|r| r.before_px)?, middle(|r| r.after_px)?);
    Some(format!(
        "outlines of the hands fitted to {} of {} masks: median distance {before:.1} px, then {after:.1} px",
        used.len(),
        reports.len()
    ))
}

/// The result in one line, for the log and the progress: of the views whose masks can be trusted, if there are any, since
/// the others' masks hold too little of the hands to compare with.
fn fitted_views_finding(scores: &[(usize, ViewScore)]) -> String {
    let fitted = || scores.iter().map(|(_, s)| s).filter(|s| !s.held_out);
    let trusted = || fitted().filter(|s| s.mask_trusted == Some(true));
    let (means, count, kind) = match trusted().count() {
        0 => (ViewMeans::over(fitted()), fitted().count(), "fitted views"),
        n => (ViewMeans::over(trusted()), n, "fitted views with a trusted mask"),
    };
    let number = |x: Option<f64>, digits: usize| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.digits$}"));
    format!(
        "rendered against photographs: {} dB where masks and rendered hands meet, {} dB over the whole masks, silhouette \
         IoU {} ({count} {kind})",
        number(means.shaded.psnr_shared, 1),
        number(means.shaded.psnr_mask, 1),
        number(means.shaded.iou, 3)
    )
}
