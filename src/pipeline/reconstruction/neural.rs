//! The last stage: a network learns to paint the refined mesh; see [`crate::neural`].

use super::{CHECKPOINT_SECONDS, Reconstruction, State, joint};
use crate::fitting::ham::start::mean_light;
use crate::metrics::{Comparison, Measures, Picture, ViewScore, mask_of, rendered};
use crate::neural::{Neural, NeuralRenderer, NeuralState};
use crate::pipeline::comparison::{as_photographed, picture};
use crate::pipeline::neural::{NeuralHeader, gain_of, mesh_hash, neural_mesh, rest_positions, write};
use crate::pipeline::neural_views::SeenViews;
use crate::pipeline::{Advance, PipelineError, PretrainedRenderer, Stage};

/// Name of the stage's only phase.
const PHASE: &str = "paint";

/// Mean agreement with the photographs where masks and rendered hands meet, in decibels.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Agreement {
    views: u32,
    shaded_db: f64,
    neural_db: f64,
}

impl Agreement {
    fn add(&mut self, shaded: Option<f64>, neural: Option<f64>) {
        if let (Some(shaded), Some(neural)) = (shaded, neural) {
            self.views += 1;
            self.shaded_db += shaded;
            self.neural_db += neural;
        }
    }

    pub(super) fn sentence(&self, which: &str) -> Option<String> {
        let n = f64::from(self.views);
        let [shaded, neural] = [self.shaded_db / n, self.neural_db / n];
        (self.views > 0).then(|| {
            let gain = neural - shaded;
            format!(
                "{which}: {neural:.2} dB where masks and rendered hands meet, {gain:+.2} dB over shaded ({n} views)"
            )
        })
    }
}

impl Reconstruction {
    /// Goes over from HAM, which has ended, to the neural stage, at its beginning or where `from` was saved.
    pub(super) fn enter_neural(&mut self, from: Option<&NeuralState>) -> Result<(), PipelineError> {
        let ham = match std::mem::replace(&mut self.state, State::Done { ham: None, neural: None }) {
            State::Ham { ham } | State::Done { ham: Some(ham), .. } => ham,
            other => {
                self.state = other;
                return Ok(());
            }
        };
        // The stage begins on the surface as HAM left it, also where a refinement has moved it since.
        let moved = match from.and_then(NeuralState::surface_before) {
            Some(before) => {
                let moved = ham.surface()?;
                ham.put_surface(&before)?;
                Some(moved)
            }
            None => None,
        };
        self.state = State::Done { ham: Some(ham), neural: None };
        let mut neural = self.new_neural()?;
        let unfit = "the checkpoint's network does not fit the mesh; start a new run";
        if let Some(state) = from
            && !neural.restore(state)
        {
            return Err(PipelineError::Resume(unfit.to_owned()));
        }
        let State::Done { ham: Some(mut ham), .. } =
            std::mem::replace(&mut self.state, State::Done { ham: None, neural: None })
        else {
            return Ok(());
        };
        if let (Some(moved), Some(state)) = (moved, from) {
            ham.put_surface(&moved)?;
            ham.begin_joint(self.lent(), true)?;
            if !neural.resume_joint(&ham.joint_scene(), &ham.joint_views(), state)? {
                return Err(PipelineError::Resume(unfit.to_owned()));
            }
        }
        self.state = State::Neural { ham, neural: Box::new(neural) };
        Ok(())
    }

    fn new_neural(&self) -> Result<Neural, PipelineError> {
        let Some(ham) = self.ham() else {
            return Err(PipelineError::Resume("the neural stage needs the mesh of HAM".to_owned()));
        };
        let (vertices, lights) = (ham.vertices()?, ham.lights()?);
        let used: Vec<usize> = (0..lights.len()).filter(|v| self.used[*v]).collect();
        let rest = rest_positions(&self.posable()?);
        let mesh = neural_mesh(ham.mesh(), &vertices, &rest);
        let points: Vec<[f64; 3]> = self.fitted.iter().flat_map(|h| h.posed.vertices.iter().copied()).collect();
        let trusted: Vec<Option<bool>> = ham.mask_trust().iter().map(|t| t.map(|t| t.trusted)).collect();
        let settings = &self.options.preset.neural;
        let seen = SeenViews {
            capture: &self.capture,
            cameras: &self.cameras(),
            residuals: ham.residuals(),
            used: &self.used,
            masks: &self.masks,
            trusted: &trusted,
            points: &points,
            divisor: settings.image_divisor,
        };
        let (light, views) = (mean_light(&lights, &used), seen.for_network());
        let mut neural = Neural::new(&self.gpu, settings, self.options.seed, &mesh, &light, &views)?;
        if let Some(renderer) = PretrainedRenderer::kept(self.folder.path())? {
            neural.begin_with(&renderer.network)?;
        }
        Ok(neural)
    }

    pub(super) fn advance_neural(&mut self) -> Result<Advance, PipelineError> {
        let State::Neural { neural, .. } = &mut self.state else { return Ok(Advance::Finished) };
        if neural.is_done() {
            return if neural.wants_refinement() { self.advance_joint() } else { self.finish_neural() };
        }
        let Some(report) = neural.step()? else { return Ok(Advance::Working) };
        let terms = vec![("photometric".to_owned(), report.photometric)];
        let epochs = [report.epoch, report.epochs];
        let advance = self.stepped(Stage::Neural, PHASE, epochs, report.photometric, terms)?;
        self.checkpoint_when_due()?;
        Ok(advance)
    }

    /// Writes a checkpoint if the last one was long ago.
    pub(super) fn checkpoint_when_due(&mut self) -> Result<(), PipelineError> {
        if self.seconds - self.last_checkpoint > CHECKPOINT_SECONDS {
            self.write_checkpoint(false)?;
            self.last_checkpoint = self.seconds;
        }
        Ok(())
    }

    fn finish_neural(&mut self) -> Result<Advance, PipelineError> {
        let State::Neural { ham, neural } = std::mem::replace(&mut self.state, State::Done { ham: None, neural: None })
        else {
            return Ok(Advance::Finished);
        };
        let (model, vertices) = (neural.model()?, ham.vertices()?);
        let epochs = neural.epoch();
        let hash = mesh_hash(&ham.mesh().topology.faces, &vertices);
        self.state = State::Done { ham: Some(ham), neural: Some(neural) };
        let hashes = [self.models[0].hash.clone(), self.models[1].hash.clone()];
        let settings = &self.options.preset.neural;
        let header = NeuralHeader::new(settings, self.options.seed, epochs, &self.models[0].name, hashes, hash);
        write(self.folder.path(), &header, &model)?;
        let shaded = self.write_refined()?;
        self.write_checkpoint(true)?;
        let [fitted, held_out] = self.held_against(&shaded)?;
        let verdict = self.neural().and_then(Neural::verdict).map(joint::sentence);
        let sentences = [verdict, fitted.sentence("neural, fitted views"), held_out.sentence("neural, held-out views")];
        self.stage_done(Stage::Neural, sentences.into_iter().flatten().collect())
    }

    /// Neural pictures of the views that were scored shaded, against the photographs: of fitted and of held-out views.
    pub(super) fn held_against(&mut self, shaded: &[(usize, ViewScore)]) -> Result<[Agreement; 2], PipelineError> {
        let mut agreement = [Agreement::default(); 2];
        let (Some(ham), Some(neural)) = (self.ham(), self.neural()) else { return Ok(agreement) };
        let (model, vertices) = (neural.model()?, ham.vertices()?);
        let rest = rest_positions(&self.posable()?);
        let mut renderer = NeuralRenderer::new(&self.gpu, &model, &neural_mesh(ham.mesh(), &vertices, &rest))?;
        let (cameras, residuals) = (self.cameras(), ham.residuals().to_vec());
        for (v, score) in shaded {
            let view = &self.capture.views[*v];
            let gain = gain_of(&model, *v);
            let pixels = renderer.render(&cameras[*v], gain.unwrap_or([1.0; 3]))?;
            let pixels = as_photographed(pixels, residuals.get(*v), &cameras[*v]);
            let (render, coverage) = picture(view, &pixels);
            let mask = view.mask.as_ref().map_or_else(|| rendered(&coverage), mask_of);
            let neural = Comparison {
                photo: &Picture::from(&view.image),
                render: &render,
                mask: &mask,
                coverage: &coverage,
                // A view that took part has its gain in the picture already.
                gain: gain.map(|_| [1.0; 3]),
            };
            let neural = neural.score(&Measures::default())?.image;
            let shaded = &score.shaded.image;
            agreement[usize::from(score.held_out)].add(shaded.psnr_shared, neural.psnr_shared);
            self.folder.log(&format!(
                "             view {}: shaded {:.2} dB, neural {:.2} dB{}",
                view.name,
                shaded.psnr_shared.unwrap_or(f64::NAN),
                neural.psnr_shared.unwrap_or(f64::NAN),
                if score.held_out { ", held out" } else { "" }
            ))?;
        }
        Ok(agreement)
    }
}

#[cfg(test)]
pub(super) mod sweep {
    use super::*;
    use crate::gpu::{DeviceChoice, Gpu};
    use crate::pipeline::reconstruction::RunOptions;
    use crate::pipeline::{FinishedRun, RunRecord};
    use std::sync::Arc;

    /// Seconds of processor time of this process so far.
    fn processor_s() -> f64 {
        let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }

    /// The finished run of HAM in `NEURAL_SWEEP_RUN`, a copy, as it is written to; the stage after HAM is begun as far as its
    /// checkpoint says.
    pub(in crate::pipeline::reconstruction) fn run_to_sweep() -> Reconstruction {
        let run_dir = std::path::PathBuf::from(std::env::var_os("NEURAL_SWEEP_RUN").expect("a run folder"));
        let record = RunRecord::read(&run_dir).expect("a run");
        let models = record.load_models().expect("its models");
        let capture = Arc::new(record.open_capture(&run_dir).expect("its capture"));
        let gpu = Gpu::new(&DeviceChoice::Auto).expect("a device");
        drop(FinishedRun::open(&run_dir, models.clone()).expect("a finished run"));
        let options = RunOptions {
            run_dir,
            preset_name: String::new(),
            preset: record.preset.clone(),
            until: Stage::Neural,
            hold_out: vec![],
            exclude: vec![],
            seed: record.seed,
            detect: false,
        };
        Reconstruction::resume(capture, models, options, gpu).expect("resumes")
    }

    /// For people who look for settings: a finished run of HAM (`NEURAL_SWEEP_RUN`, a copy, as it is written to), and lists
    /// of settings (`NEURAL_SWEEP`: `key=value,key=value; key=value`), each trained and held against the photographs.
    #[test]
    #[ignore = "minutes a setting; prints what it measured"]
    fn settings_side_by_side() {
        let sweep = std::env::var("NEURAL_SWEEP").unwrap_or_default();
        let mut run = run_to_sweep();
        let vertices = run.ham().expect("after HAM").vertices().expect("reads");
        let mut shaded = run.score(&vertices).expect("scores");
        // Some fitted views say enough.
        let mut fitted = 0;
        shaded.retain(|(_, s)| {
            fitted += u32::from(!s.held_out);
            s.held_out || fitted <= 4
        });
        let first = run.options.preset.clone();
        for setting in sweep.split(';') {
            run.options.preset = first.clone();
            for pair in setting.split(',').map(str::trim).filter(|p| !p.is_empty()) {
                let (key, value) = pair.split_once('=').expect("key=value");
                run.options.preset.set(&format!("neural.{key}"), value).expect("a setting");
            }
            let began = processor_s();
            run.enter_neural(None).expect("begins");
            let mut losses = Vec::new();
            while let State::Neural { neural, .. } = &mut run.state {
                if neural.is_done() {
                    break;
                }
                if let Some(report) = neural.step().expect("steps") {
                    losses.push(report.photometric);
                    if report.epoch % 20 == 0 || report.epoch == report.epochs {
                        let spent = processor_s() - began;
                        let [fitted, held_out] = run.held_against(&shaded).expect("compares");
                        eprintln!(
                            "[{setting}] epoch {} loss {:.4} (first {:.4}) cpu {spent:.0} s | {} | {}",
                            report.epoch,
                            report.photometric,
                            losses[0],
                            fitted.sentence("fitted").unwrap_or_default(),
                            held_out.sentence("held out").unwrap_or_default()
                        );
                    }
                }
            }
            let State::Neural { ham, .. } = std::mem::replace(&mut run.state, State::Done { ham: None, neural: None })
            else {
                return;
            };
            run.state = State::Done { ham: Some(ham), neural: None };
        }
    }

    /// Epochs after which [`begun_with_a_pretrained_network`] looks.
    const LOOKS: [u32; 14] = [0, 1, 2, 3, 4, 6, 8, 12, 16, 20, 30, 40, 60, 80];

    /// How soon a network that was trained on other captures (`NEURAL_RENDERER`, of `thenar pretrain-renderer`) paints a
    /// finished run of HAM (`NEURAL_SWEEP_RUN`, a copy), beside one that begins anew.
    #[test]
    #[ignore = "minutes; prints what it measured"]
    fn begun_with_a_pretrained_network() {
        let file = std::env::var_os("NEURAL_RENDERER").expect("a file");
        let renderer = PretrainedRenderer::read(std::path::Path::new(&file)).expect("a renderer");
        let mut run = run_to_sweep();
        let vertices = run.ham().expect("after HAM").vertices().expect("reads");
        let mut shaded = run.score(&vertices).expect("scores");
        shaded.retain(|(_, s)| s.held_out);
        for begun in [false, true] {
            if let State::Ham { ham } | State::Neural { ham, .. } | State::Done { ham: Some(ham), .. } =
                std::mem::replace(&mut run.state, State::Done { ham: None, neural: None })
            {
                run.state = State::Done { ham: Some(ham), neural: None };
            }
            run.enter_neural(None).expect("begins");
            if let (State::Neural { neural, .. }, true) = (&mut run.state, begun) {
                neural.begin_with(&renderer.network).expect("of the same kind");
            }
            for epoch in LOOKS {
                while let State::Neural { neural, .. } = &mut run.state
                    && neural.epoch() < epoch
                {
                    neural.step().expect("steps");
                }
                let [_, held_out] = run.held_against(&shaded).expect("compares");
                let how = if begun { "pretrained" } else { "anew" };
                eprintln!("{how}: epoch {epoch:2}: {}", held_out.sentence("held out").unwrap_or_default());
            }
        }
    }
}
