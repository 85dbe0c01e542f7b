//! What can be seen of a reconstruction at any moment: snapshots, pictures of views, exported files.

use super::{Reconstruction, State};
use crate::camera::{Camera, CameraResidual};
use crate::export::ExportHand;
use crate::fitting::ham::target::MaskTrust;
use crate::fitting::ham::{FineMesh, Ham, Vertices, to_f32};
use crate::hand::PosedHand;
use crate::metrics::ViewScore;
use crate::pipeline::comparison::{RunViews, Scoring};
use crate::pipeline::picture::{PictureMaker, PictureMode, to_rgba8};
use crate::pipeline::{Exportable, HandSnapshot, PipelineError, PosableHand, Snapshot, Stage, ViewPicture, results};
use crate::shading::LIGHT_STRIDE;
use std::sync::Arc;

/// Colour of hands that have no albedo yet.
const GREY: [f32; 3] = [0.72, 0.62, 0.56];

/// Lists with one entry a view of the capture.
pub(super) struct ViewFacts {
    /// Cameras as refined by the pose stage.
    pub cameras: Vec<Camera>,
    /// What each is off by over its picture; empty before HAM.
    pub residuals: Vec<CameraResidual>,
    /// Which masks agreed with the model; empty before HAM.
    pub trusted: Vec<Option<bool>>,
    /// Median reprojection, pixels.
    pub reprojection_px: Vec<Option<f64>>,
}

impl Reconstruction {
    /// The meshes as they are now.
    ///
    /// # Errors
    /// A lost device.
    pub fn snapshot(&mut self) -> Result<Snapshot, PipelineError> {
        let (stage, phase, iter, hands) = match &self.state {
            State::Detect(_) => (Stage::Pose, crate::pipeline::DETECTION, 0, Vec::new()),
            State::Pose => (Stage::Pose, "triangulate", 0, Vec::new()),
            State::Held { .. } => (Stage::Fit, "held", 0, Vec::new()),
            State::Fit { fit, .. } => (Stage::Fit, "lm", 0, self.posed_snapshots(&fit.hands())),
            State::Ham { ham } | State::Done { ham: Some(ham), neural: None } => {
                (Stage::Ham, ham.phase().name(), ham.epoch(), ham_snapshots(ham, &ham.vertices()?))
            }
            State::Neural { ham, neural } | State::Done { ham: Some(ham), neural: Some(neural) } => {
                let (phase, iter) = neural.joint_epochs().map_or(("paint", neural.epoch()), |[n, _]| ("refine", n));
                (Stage::Neural, phase, iter, ham_snapshots(ham, &ham.vertices()?))
            }
            State::Masks { .. } => (Stage::Fit, "masks", 0, self.posed_snapshots(&self.fitted_hands())),
            State::Done { ham: None, .. } => {
                (self.options.until, "done", 0, self.posed_snapshots(&self.fitted_hands()))
            }
        };
        Ok(Snapshot { stage, phase: phase.to_owned(), iter, step: self.step, joints: self.joints(), hands })
    }

    fn fitted_hands(&self) -> Vec<PosedHand> {
        self.fitted.iter().map(|h| h.posed.clone()).collect()
    }

    fn posed_snapshots(&self, hands: &[PosedHand]) -> Vec<HandSnapshot> {
        hands
            .iter()
            .map(|posed| {
                let side = posed.parameters.side;
                let faces = &self.models[side.index()].faces;
                let normals = crate::mesh::vertex_normals(&posed.vertices, faces);
                HandSnapshot {
                    side,
                    faces: Arc::new(faces.clone()),
                    positions: posed.vertices.iter().map(|p| p.map(to_f32)).collect(),
                    normals: normals.iter().map(|p| p.map(to_f32)).collect(),
                    albedo: vec![GREY; posed.vertices.len()],
                }
            })
            .collect()
    }

    /// Renders one view of a snapshot at the photograph's size, with the view's own light where there is one and the rig's
    /// mean light where the view was not used.
    ///
    /// # Errors
    /// A lost device, or a view that does not exist.
    pub fn render_view(
        &mut self,
        snapshot: &Snapshot,
        view: usize,
        mode: PictureMode,
    ) -> Result<ViewPicture, PipelineError> {
        let (facts, lights) = (self.view_facts(), self.lights()?);
        let mut maker = self.take_maker()?;
        let (vertices, faces) = joined(&snapshot.hands);
        let pixels = self.run_views(&facts, &lights).render(&mut maker, &(&vertices).into(), &faces, view, mode);
        self.pictures = Some(maker);
        let camera = &facts.cameras[view.min(facts.cameras.len().saturating_sub(1))];
        let without_gain = !lights.is_empty() && self.used.get(view) != Some(&true);
        let rgba = to_rgba8(&pixels?);
        Ok(ViewPicture { view, width: camera.width_px, height: camera.height_px, rgba, without_gain })
    }

    /// The final meshes against the photographs, by view number.
    pub(super) fn score(&mut self, vertices: &Vertices) -> Result<Vec<(usize, ViewScore)>, PipelineError> {
        let (facts, lights) = (self.view_facts(), self.lights()?);
        let mut maker = self.take_maker()?;
        let scores = self.ham().map_or_else(
            || Ok(Vec::new()),
            |ham| {
                let faces = &ham.mesh().topology.faces;
                let basics = &mut Scoring::default();
                self.run_views(&facts, &lights).score(&mut maker, &vertices.into(), faces, &self.capture, basics)
            },
        );
        self.pictures = Some(maker);
        scores
    }

    fn take_maker(&mut self) -> Result<PictureMaker, PipelineError> {
        Ok(match self.pictures.take() {
            Some(maker) => maker,
            None => PictureMaker::new(&self.gpu)?,
        })
    }

    /// What is known about the views at this moment.
    pub(super) fn view_facts(&self) -> ViewFacts {
        // Reports are of the views that took part, which need not be all.
        let report_of = |v: usize| self.pose.as_ref().and_then(|p| p.views.iter().find(|r| r.view == v));
        ViewFacts {
            cameras: self.cameras(),
            residuals: self.ham().map_or_else(Vec::new, |ham| ham.residuals().to_vec()),
            trusted: self.ham().map_or_else(Vec::new, |h| {
                let trusted =
                    |(v, t): (usize, &Option<MaskTrust>)| t.map(|t| t.trusted || self.capture.mask_is_edited(v));
                h.mask_trust().iter().enumerate().map(trusted).collect()
            }),
            reprojection_px: (0..self.used.len()).map(|v| report_of(v).and_then(results::median_after_px)).collect(),
        }
    }

    /// Lights of HAM, one a view; none before.
    fn lights(&self) -> Result<Vec<[f64; LIGHT_STRIDE]>, PipelineError> {
        Ok(self.ham().map(Ham::lights).transpose()?.unwrap_or_default())
    }

    fn run_views<'a>(&'a self, facts: &'a ViewFacts, lights: &'a [[f64; LIGHT_STRIDE]]) -> RunViews<'a> {
        RunViews {
            cameras: &facts.cameras,
            residuals: &facts.residuals,
            lights,
            used: &self.used,
            hold_out: &self.options.hold_out,
            exclude: &self.options.exclude,
            trusted: &facts.trusted,
            reprojection_px: &facts.reprojection_px,
            masks: &self.masks,
        }
    }

    /// The rig's mean light in world space: nine coefficients, three gains; `None` before HAM, or when the device is lost.
    #[must_use]
    pub fn mean_light(&self) -> Option<[f64; LIGHT_STRIDE]> {
        let lights = self.lights().ok().filter(|lights| !lights.is_empty())?;
        Some(self.run_views(&self.view_facts(), &lights).mean_light())
    }

    /// Vertices of each hand of the refined mesh; none before HAM.
    #[must_use]
    pub fn vertex_counts(&self) -> Vec<usize> {
        self.ham().map_or_else(Vec::new, |ham| ham.mesh().hands.iter().map(|h| h.vertices.len()).collect())
    }

    /// What is exported of the present state; [`Exportable::write`] writes it.
    ///
    /// # Errors
    /// Nothing to export yet, or a lost device.
    pub fn exportable(&self) -> Result<Exportable, PipelineError> {
        let (mesh, hands) = self.refined()?;
        Ok(Exportable {
            hands,
            mesh: mesh.clone(),
            cameras: self.cameras(),
            models: self.models.clone(),
            joints: self.joints(),
            preset: self.options.preset_name.clone(),
            notes: Vec::new(),
            photographs: None,
        })
    }

    /// The refined mesh as it is now, with its topology.
    fn refined(&self) -> Result<(&FineMesh, Vec<ExportHand>), PipelineError> {
        let ham = self.ham().ok_or_else(|| PipelineError::Unfinished {
            path: self.folder.path().display().to_string(),
            problem: "there is no refined mesh before the HAM stage has begun".to_owned(),
        })?;
        Ok((ham.mesh(), results::export_hands(ham.mesh(), &ham.vertices()?, &self.fitted, &self.models)))
    }

    /// The hands as they are now in the rest pose, ready to be posed.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] before the HAM stage, or a lost device.
    pub fn posable(&self) -> Result<Vec<PosableHand>, PipelineError> {
        let (mesh, hands) = self.refined()?;
        PosableHand::all(hands, mesh, &self.models)
    }
}

fn ham_snapshots(ham: &Ham, vertices: &Vertices) -> Vec<HandSnapshot> {
    ham.mesh()
        .hands
        .iter()
        .map(|hand| {
            // Loop subdivision keeps coarse vertices first: the display level is a prefix.
            let count = hand.display_faces.iter().flatten().max().map_or(0, |m| *m as usize + 1);
            let range = hand.vertices.start..hand.vertices.start + count;
            HandSnapshot {
                side: hand.side,
                faces: Arc::clone(&hand.display_faces),
                positions: vertices.positions[range.clone()].to_vec(),
                normals: vertices.normals[range.clone()].to_vec(),
                albedo: vertices.albedo[range].to_vec(),
            }
        })
        .collect()
}

/// All hands of a snapshot as one mesh.
pub(in crate::pipeline) fn joined(hands: &[HandSnapshot]) -> (Vertices, Vec<[u32; 3]>) {
    let mut all = Vertices { positions: Vec::new(), normals: Vec::new(), albedo: Vec::new() };
    let mut faces = Vec::new();
    for hand in hands {
        let start = u32::try_from(all.positions.len()).unwrap_or(u32::MAX);
        faces.extend(hand.faces.iter().map(|f| f.map(|v| v + start)));
        all.positions.extend(&hand.positions);
        all.normals.extend(&hand.normals);
        all.albedo.extend(&hand.albedo);
    }
    (all, faces)
}
