//! The stage's surface, albedo and views lent to the joint refinement with the neural renderer ([`crate::neural`]): it adds its
//! gradients to the same sums; normals, silhouettes, regularisers, smoothing and steps are those of phase B.

use super::{Ham, HamError};
use crate::gpu::Recorder;
use crate::neural::{JointScene, JointStep, JointSurface, JointView};
use crate::optimise::adam::AdamParams;

impl Ham {
    /// Makes ready: terms as in phase B, the shaded picture weighed by `shaded`, steps smoothed over `smoothing_mm` (0 = as at
    /// the end of phase B); Adam forgets what came before unless the refinement goes on from a checkpoint.
    ///
    /// # Errors
    /// A GPU error.
    pub fn begin_joint(&mut self, [shaded, smoothing_mm]: [f64; 2], goes_on: bool) -> Result<(), HamError> {
        if !goes_on {
            self.training.forget_albedo_steps(&self.gpu);
            self.training.forget_position_steps(&self.gpu);
        }
        self.write_terms(true, shaded, 0.0, self.settings.albedo_laplacian_colour);
        let lambda = self.settings.lambda_of_width(smoothing_mm, self.mesh.mean_squared_edge());
        self.training.write_smoothing(&self.gpu, lambda);
        self.refresh_normals()?;
        self.look_again()
    }

    /// What the refinement binds to.
    #[must_use]
    pub const fn joint_scene(&self) -> JointScene<'_> {
        JointScene { mesh: &self.buffers, grads: self.training.grads() }
    }

    /// The views with their regions.
    #[must_use]
    pub fn joint_views(&self) -> Vec<JointView<'_>> {
        let view = |v: usize| {
            let (work, given) = (self.views[v].as_ref()?, self.sights[v].as_ref()?);
            let camera = given.camera.moved(&self.moves[v]);
            let pixels = given.straight.as_ref().unwrap_or(&given.pixels);
            Some(JointView { view: v, region: &work.pass, camera, pixels, seen_px: self.seen_px[v] })
        };
        (0..self.views.len()).filter_map(view).collect()
    }

    /// One step: what `paint` records adds its gradients after normals, visibility and silhouettes.
    ///
    /// # Errors
    /// A GPU error.
    pub fn joint_step(&mut self, step: &JointStep, paint: &mut dyn FnMut(&mut Recorder)) -> Result<(), HamError> {
        let gpu = &self.gpu;
        let still = AdamParams::at_step(0.0, 1, -20.0, 20.0);
        self.training.write_step(
            gpu,
            self.data_scale(step.views.len()),
            0.0,
            [
                AdamParams::at_step(step.albedo_rate, step.number, 0.01, 1.5),
                still,
                AdamParams::at_step(step.position_rate_m, step.number, -1e4, 1e4),
            ],
        );
        let mut recorder = gpu.recorder("joint step");
        if step.first {
            recorder.clear(&self.training.row);
        }
        self.training.record_before_views(&mut recorder, &self.buffers, true);
        for (i, &v) in step.views.iter().enumerate() {
            let Some(view) = &self.views[v] else { continue };
            if i > 0 && i % self.settings.views_per_submit.max(1) == 0 {
                recorder.flush()?;
            }
            self.renderer.record_visibility(&mut recorder, &self.buffers, &self.pixels, &view.pass);
            self.renderer.record_colours(&mut recorder, &self.pixels, &view.pass);
            view.record_gradients(&mut recorder, &self.training, false);
        }
        paint(&mut recorder);
        let all = 0..self.training.parts_after_views(true);
        self.training.record_after_views(&mut recorder, &self.buffers, (true, false), all);
        recorder.submit()?;
        // One step at a time: a pause or a cancel is answered after the step that runs.
        gpu.wait()?;
        Ok(())
    }

    /// Weighted terms of the epoch that has ended, in the order of [`super::TERMS`].
    ///
    /// # Errors
    /// [`HamError::Diverged`], [`HamError::Overflow`] or a GPU error.
    pub fn joint_terms(&self) -> Result<[f64; 6], HamError> {
        Ok(self.read_row()?.terms)
    }

    /// What the silhouettes of all views cost as the surface is now; normals and visibility are up to date after.
    ///
    /// # Errors
    /// [`HamError::Diverged`] or a GPU error.
    pub fn joint_silhouettes(&self) -> Result<f64, HamError> {
        self.refresh_normals()?;
        for (i, view) in self.views.iter().flatten().enumerate() {
            let mut recorder = self.gpu.recorder("silhouettes");
            if i == 0 {
                recorder.clear(&self.training.row);
            }
            self.renderer.record_visibility(&mut recorder, &self.buffers, &self.pixels, &view.pass);
            self.renderer.record_colours(&mut recorder, &self.pixels, &view.pass);
            view.record_value(&mut recorder);
            recorder.submit()?;
        }
        Ok(self.joint_terms()?[1])
    }

    /// Surface and albedo as the device has them.
    ///
    /// # Errors
    /// A GPU error.
    pub fn surface(&self) -> Result<JointSurface, HamError> {
        Ok(JointSurface {
            positions: self.gpu.read(&self.buffers.positions)?,
            albedo: self.gpu.read(&self.buffers.albedo)?,
        })
    }

    /// Puts a surface in the place of the present one.
    ///
    /// # Errors
    /// A GPU error.
    pub fn put_surface(&self, surface: &JointSurface) -> Result<(), HamError> {
        self.buffers.positions.write(&self.gpu, &surface.positions);
        self.buffers.albedo.write(&self.gpu, &surface.albedo);
        self.refresh_normals()?;
        self.look_again()
    }

    /// Puts an albedo in the place of the present one.
    pub fn put_albedo(&self, albedo: &[f32]) {
        self.buffers.albedo.write(&self.gpu, albedo);
    }

    /// Takes folds out of the moved surface.
    ///
    /// # Errors
    /// A GPU error.
    pub fn joint_untangle(&mut self) -> Result<(), HamError> {
        let hands = if self.settings.untangle_rounds > 0 { self.mesh.hands.len() } else { 0 };
        (0..hands).try_for_each(|hand| self.untangle_hand(hand))
    }

    /// The refinement has ended: terms are again those of the phase.
    pub fn end_joint(&self) {
        self.write_phase();
    }
}

#[cfg(test)]
mod tests {
    use super::super::HamSettings;
    use super::super::submits::{finish, scene, with_inputs};
    use super::*;
    use crate::fitting::ham::start::mean_light;
    use crate::gpu::{Gpu, testing};
    use crate::neural::{Neural, NeuralMesh, NeuralSettings, NeuralState, NeuralView};
    use crate::synthetic::SyntheticScene;

    /// A surface that phase A and C have coloured, and the network that has learned on it; vertices are where they truly are.
    fn painted(gpu: &Gpu, scene: &SyntheticScene, settings: &NeuralSettings) -> (Ham, Neural) {
        let colours = HamSettings {
            level: 0,
            albedo_epochs: 10,
            shape_epochs: 0,
            colour_epochs: 6,
            camera_turn_deg: 0.0,
            silhouette: 0.0,
            laplacian: 100.0,
            ..HamSettings::default()
        };
        let mut ham = with_inputs(scene, |hands, sources| Ham::new(gpu, &colours, hands, sources)).expect("seen");
        finish(&mut ham);
        let (vertices, lights) = (ham.vertices().expect("reads"), ham.lights().expect("reads"));
        let used: Vec<usize> = (0..lights.len()).collect();
        let mesh = NeuralMesh {
            topology: &ham.mesh().topology,
            positions: &vertices.positions,
            normals: &vertices.normals,
            albedo: &vertices.albedo,
            rest: &vertices.positions,
        };
        let view = |v: JointView<'_>| Some(NeuralView { camera: v.camera, pixels: v.pixels.to_vec() });
        let views: Vec<Option<NeuralView>> = ham.joint_views().into_iter().map(view).collect();
        let mut neural = Neural::new(gpu, settings, 5, &mesh, &mean_light(&lights, &used), &views).expect("begins");
        while !neural.is_done() {
            neural.step().expect("steps");
        }
        (ham, neural)
    }

    fn settings() -> NeuralSettings {
        NeuralSettings {
            epochs: 8,
            samples_per_view: 1024,
            refine_epochs: 4,
            refine_step_mm: 0.02,
            ..NeuralSettings::default()
        }
    }

    fn begin(ham: &mut Ham, neural: &mut Neural) {
        let before = ham.surface().expect("reads");
        ham.begin_joint([0.0; 2], false).expect("makes ready");
        let silhouettes = ham.joint_silhouettes().expect("measures");
        neural.begin_joint(&ham.joint_scene(), &ham.joint_views(), before, silhouettes).expect("begins");
    }

    /// Up to the end of an epoch; its losses.
    fn refine(ham: &mut Ham, neural: &mut Neural, epochs: u32) -> Vec<[f64; 2]> {
        let mut losses = Vec::new();
        while neural.joint_epochs().is_some_and(|[epoch, _]| epoch < epochs) {
            let Some(step) = neural.prepare_joint() else { break };
            ham.joint_step(&step, &mut |recorder| neural.record_joint(recorder, &step)).expect("steps");
            losses.extend(neural.joint_stepped().expect("reads"));
        }
        losses
    }

    fn judge(ham: &mut Ham, neural: &mut Neural) {
        let silhouettes = ham.joint_silhouettes().expect("measures");
        let albedo = ham.surface().expect("reads").albedo;
        let back = neural.judge_joint(silhouettes, |a| ham.put_albedo(a), &albedo).expect("judges");
        if let Some(before) = back {
            ham.put_surface(&before).expect("writes");
        }
        ham.end_joint();
    }

    #[test]
    fn a_surface_that_was_pushed_comes_back_farther_than_by_regularisers_alone() {
        let Some(gpu) = testing::gpu() else { return };
        let settings = NeuralSettings { refine_epochs: 12, refine_step_mm: 0.05, epochs: 30, ..settings() };
        let scene = scene();
        let run = |with_network: bool| {
            let (mut ham, mut neural) = painted(&gpu, &scene, &settings);
            let truth = ham.surface().expect("reads").positions;
            let normals = ham.vertices().expect("reads").normals;
            let mut pushed = ham.surface().expect("reads");
            for (p, n) in pushed.positions.chunks_exact_mut(4).zip(&normals) {
                let by = 1e-3 * (150.0 * p[0]).sin() * (150.0 * p[1]).cos();
                for k in 0..3 {
                    p[k] += by * n[k];
                }
            }
            ham.put_surface(&pushed).expect("writes");
            begin(&mut ham, &mut neural);
            if with_network {
                refine(&mut ham, &mut neural, 12);
            } else {
                while neural.joint_epochs() != Some([12, 12]) {
                    let step = neural.prepare_joint().expect("a step");
                    ham.joint_step(&step, &mut |_| ()).expect("steps");
                    neural.joint_stepped().expect("reads");
                }
            }
            // Along the normals: how vertices lie within the surface tells nothing.
            let off = |p: &[f32]| -> f64 {
                let all = p.chunks_exact(4).zip(truth.chunks_exact(4)).zip(&normals);
                all.map(|((p, t), n)| (0..3).map(|k| f64::from(n[k] * (p[k] - t[k]))).sum::<f64>().powi(2))
                    .sum::<f64>()
                    .sqrt()
            };
            let found = ham.surface().expect("reads").positions;
            judge(&mut ham, &mut neural);
            (off(&pushed.positions), off(&found), *neural.verdict().expect("judged"))
        };
        let (pushed, with, verdict) = run(true);
        let (_, without, _) = run(false);
        assert!(with < 0.98 * without, "{pushed}, {without} by regularisers, {with}: {verdict:?}");
        assert!(verdict.keeps(), "seen without truth: {verdict:?}");
    }

    #[test]
    fn a_step_that_is_far_too_large_is_taken_back() {
        let Some(gpu) = testing::gpu() else { return };
        let settings = NeuralSettings { refine_step_mm: 1.0, ..settings() };
        let (mut ham, mut neural) = painted(&gpu, &scene(), &settings);
        let (before, model) = (ham.surface().expect("reads"), neural.model().expect("reads"));
        begin(&mut ham, &mut neural);
        refine(&mut ham, &mut neural, 4);
        assert_ne!(ham.surface().expect("reads").positions, before.positions, "it moved");
        judge(&mut ham, &mut neural);
        let verdict = *neural.verdict().expect("judged");
        assert!(!verdict.keeps(), "worse: {verdict:?}");
        assert_eq!(ham.surface().expect("reads"), before, "surface and albedo as before");
        assert_eq!(neural.model().expect("reads"), model, "and the network");
        assert!(!neural.wants_refinement(), "it is not tried again");
    }

    #[test]
    fn a_resumed_refinement_ends_with_the_same_bytes() {
        let Some(gpu) = testing::gpu() else { return };
        let scene = scene();
        let end = |ham: &Ham, neural: &Neural| {
            (ham.state().expect("reads"), neural.state().expect("reads"), neural.verdict().copied())
        };
        let (mut ham, mut neural) = painted(&gpu, &scene, &settings());
        begin(&mut ham, &mut neural);
        refine(&mut ham, &mut neural, 2);
        assert!(neural.at_epoch_end(), "between epochs");
        let (ham_state, neural_state) = (ham.state().expect("reads"), neural.state().expect("reads"));
        refine(&mut ham, &mut neural, 4);
        judge(&mut ham, &mut neural);
        let whole = end(&ham, &neural);

        // As a new process does it: the surface as it was when the network learned, then where the refinement had moved it.
        let (mut ham, mut neural) = painted(&gpu, &scene, &settings());
        assert!(ham.restore(&ham_state).expect("writes") && neural.restore(&neural_state), "its own states fit");
        ham.begin_joint([0.0; 2], true).expect("makes ready");
        let goes_on = |ham: &Ham, neural: &mut Neural, state: &NeuralState| {
            neural.resume_joint(&ham.joint_scene(), &ham.joint_views(), state).expect("binds")
        };
        assert!(goes_on(&ham, &mut neural, &neural_state), "goes on");
        assert_eq!(neural.joint_epochs(), Some([2, 4]), "where it was");
        refine(&mut ham, &mut neural, 4);
        judge(&mut ham, &mut neural);
        assert!(end(&ham, &neural) == whole, "the same bytes and verdict");

        // A run that has ended knows what became of it.
        let (_, mut third) = painted(&gpu, &scene, &settings());
        assert!(third.restore(&whole.1) && third.verdict().copied() == whole.2, "verdict");
        assert!(!goes_on(&ham, &mut third, &whole.1), "nothing is under way");
        let mut short = neural_state;
        short.lists.retain(|(name, _)| name != "joint_guide_m");
        assert!(!goes_on(&ham, &mut third, &short), "a damaged state does not go on");
    }
}
