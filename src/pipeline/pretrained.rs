//! A network trained on several runs, as a file: made by [`Pretraining`], and what other runs begin theirs with.
//!
//! The file is a safetensors file with one tensor, `weights` (flat, as in `neural.safetensors`), and these texts: `format`
//! (name and version; others are refused), `kind`, `output`, `epochs`, `seed`, `captures` (SHA-256 of each capture, in the
//! order of training), `program`. No features, gains or lights: these belong to a mesh and its cameras.

use super::neural::{neural_mesh, rest_positions};
use super::neural_views::SeenViews;
use super::{FinishedRun, PipelineError, Reconstruction, Stage, StepReport};
use crate::export::{ExportError, atomic};
use crate::files::read_at_most;
use crate::gpu::Gpu;
use crate::neural::{NeuralKind, NeuralSettings, Output, SharedNetwork, SharedTraining};
use crate::safetensors::{self, Metadata, Tensor};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Instant;

const FORMAT: &str = "thenar renderer 1";
/// Bytes a file may have; `paper` has 2 MB.
const FILE_BYTES: u64 = 256 << 20;
/// The copy that a run keeps of what its network begins with.
const KEPT: &str = "init_renderer.safetensors";

/// A network that others begin with.
#[derive(Clone, Debug, PartialEq)]
pub struct PretrainedRenderer {
    /// Its shared part.
    pub network: SharedNetwork,
    /// Epochs of its training.
    pub epochs: u32,
    /// Seed of its training.
    pub seed: u64,
    /// SHA-256 of the captures it was trained on.
    pub captures: Vec<String>,
}

impl PretrainedRenderer {
    /// The bytes of a file; equal networks give equal bytes.
    ///
    /// # Errors
    /// [`ExportError::Encode`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, ExportError> {
        let weights = &self.network.weights;
        let tensor = Tensor { shape: vec![weights.len()], data: weights.clone() };
        let metadata: Metadata = [
            ("format", FORMAT.to_owned()),
            ("kind", self.network.kind.name().to_owned()),
            ("output", self.network.output.name().to_owned()),
            ("epochs", self.epochs.to_string()),
            ("seed", self.seed.to_string()),
            ("captures", self.captures.join(" ")),
            ("program", env!("CARGO_PKG_VERSION").to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        safetensors::to_bytes_with(&[("weights".to_owned(), tensor)].into(), &metadata, &|_| false)
            .map_err(|e| ExportError::Encode { what: "a renderer", reason: e.to_string() })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ExportError`]: it cannot be read, is damaged, or is no such file of this version.
    pub fn read(path: &Path) -> Result<Self, ExportError> {
        let read = read_at_most(path, FILE_BYTES).map_err(ExportError::io(path))?;
        let too_large = || format!("is larger than {} MiB, so it holds no renderer", FILE_BYTES >> 20);
        let renderer = read.ok_or_else(too_large).and_then(|bytes| Self::from_bytes(&bytes));
        renderer.map_err(|problem| ExportError::format(path, problem))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (mut tensors, metadata) = safetensors::from_bytes_with(bytes)?;
        let get = |key: &str| metadata.get(key).map(String::as_str).unwrap_or_default();
        if get("format") != FORMAT {
            return Err("does not say that it holds a renderer of this version; `thenar pretrain-renderer` makes one \
                        (a run's neural.safetensors is none: its weights go with its features)"
                .to_owned());
        }
        let unknown = |key: &str| format!("has the {key} `{:.40}`, which this version does not know", get(key));
        let kind = NeuralKind::ALL.into_iter().find(|k| k.name() == get("kind")).ok_or_else(|| unknown("kind"))?;
        let output = Output::ALL.into_iter().find(|o| o.name() == get("output")).ok_or_else(|| unknown("output"))?;
        let weights = tensors.remove("weights").ok_or("has no `weights`")?.data;
        Ok(Self {
            network: SharedNetwork { kind, output, weights },
            epochs: get("epochs").parse().map_err(|_| unknown("epochs"))?,
            seed: get("seed").parse().map_err(|_| unknown("seed"))?,
            captures: get("captures").split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// What a run's network begins with, if it was given something.
    pub(super) fn kept(run: &Path) -> Result<Option<Self>, ExportError> {
        let path = run.join(KEPT);
        if path.exists() { Self::read(&path).map(Some) } else { Ok(None) }
    }

    /// Puts it into a run's folder; what was done, in words.
    pub(super) fn keep(&self, run: &Path) -> Result<String, ExportError> {
        let bytes = self.to_bytes()?;
        atomic::write(&run.join(KEPT), &bytes)?;
        let hash = format!("{:x}", Sha256::digest(&bytes));
        Ok(format!(
            "the network begins with one trained on {} captures ({KEPT}, SHA-256 {hash:.12}…)",
            self.captures.len()
        ))
    }

    /// Takes a copy back from a folder that is given up.
    pub(super) fn discard(run: &Path) {
        // Best effort: the error that led here is the one to report.
        let _ = std::fs::remove_file(run.join(KEPT));
    }
}

impl Reconstruction {
    /// Lets the network of the last stage begin with one that was trained beforehand. The run keeps a copy, so that it goes on
    /// with the same after an interruption.
    ///
    /// # Errors
    /// [`crate::neural::NeuralError::OtherNetwork`] when it is of another kind, [`PipelineError::Resume`] when the stage has
    /// begun, or a full disk.
    pub fn begin_network_with(&mut self, renderer: &PretrainedRenderer) -> Result<(), PipelineError> {
        renderer.network.check(&self.options().preset.neural)?;
        if self.has_begun_network() {
            let problem = "this run has begun its network already; start a new run to begin it with another";
            return Err(PipelineError::Resume(problem.to_owned()));
        }
        let done = renderer.keep(self.folder())?;
        self.note(&done)
    }
}

/// Training of one network on finished runs.
pub struct Pretraining {
    training: SharedTraining,
    captures: Vec<String>,
    epochs: u32,
    seed: u64,
    began: Instant,
}

impl Pretraining {
    /// Prepares the captures of these runs, which have a result of HAM; they are only read. Settings of the joint refinement
    /// are not looked at.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] for a run without that result, or what keeps a run or its capture from being read.
    pub fn new(runs: &[PathBuf], settings: &NeuralSettings, seed: u64, gpu: &Gpu) -> Result<Self, PipelineError> {
        let mut training = SharedTraining::new(settings, seed)?;
        let mut captures = Vec::new();
        for path in runs {
            let run = FinishedRun::read(path)?;
            add(&mut training, &run, settings, gpu)?;
            captures.push(run.record.capture_hash);
        }
        Ok(Self { training, captures, epochs: settings.epochs, seed, began: Instant::now() })
    }

    /// True when no step is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.training.is_done()
    }

    /// Takes a step; returns what an epoch that it completed came to.
    ///
    /// # Errors
    /// [`PipelineError::Neural`].
    pub fn step(&mut self) -> Result<Option<StepReport>, PipelineError> {
        let Some(report) = self.training.step()? else { return Ok(None) };
        Ok(Some(StepReport {
            t: self.began.elapsed().as_secs_f64(),
            stage: Stage::Neural,
            phase: "pretrain".to_owned(),
            iter: report.epoch,
            iters: report.epochs,
            total: report.photometric,
            terms: vec![("photometric".to_owned(), report.photometric)],
        }))
    }

    /// What was learned so far.
    ///
    /// # Errors
    /// A GPU error.
    pub fn renderer(&self) -> Result<PretrainedRenderer, PipelineError> {
        Ok(PretrainedRenderer {
            network: self.training.network()?,
            epochs: self.epochs,
            seed: self.seed,
            captures: self.captures.clone(),
        })
    }
}

/// Adds a run's capture to a training.
fn add(
    training: &mut SharedTraining,
    run: &FinishedRun,
    settings: &NeuralSettings,
    gpu: &Gpu,
) -> Result<(), PipelineError> {
    if run.checkpoint.ham.is_none() {
        return Err(PipelineError::Unfinished {
            path: run.folder().display().to_string(),
            problem: "has no refined mesh to paint yet; finish it with `reconstruct --resume`".to_owned(),
        });
    }
    let capture = run.record.open_capture(run.folder())?;
    if capture.hash != run.record.capture_hash {
        return Err(PipelineError::Unfinished {
            path: run.folder().display().to_string(),
            problem: format!("was made from other files than {} has now; reconstruct it again", capture.root.display()),
        });
    }
    let views = run.run_views();
    let points: Vec<[f64; 3]> = run.posed().into_iter().flat_map(|hand| hand.vertices).collect();
    let seen = SeenViews {
        capture: &capture,
        cameras: views.cameras,
        residuals: views.residuals,
        used: views.used,
        masks: views.masks,
        trusted: views.trusted,
        points: &points,
        divisor: settings.image_divisor,
    };
    let rest = rest_positions(&run.posable()?);
    let (mesh, vertices) = run.mesh();
    Ok(training.add(gpu, &neural_mesh(mesh, vertices, &rest), &views.mean_light(), &seen.for_network())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> PretrainedRenderer {
        let weights = (0..7816_u16).map(|i| f32::from(i) * 0.01).collect();
        let network = SharedNetwork { kind: NeuralKind::Compact, output: Output::Ratio, weights };
        PretrainedRenderer { network, epochs: 40, seed: 3, captures: vec!["a".to_owned(), "b".to_owned()] }
    }

    #[test]
    fn what_was_written_is_read_and_fits_its_kind_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(PretrainedRenderer::kept(dir.path()).expect("nothing there"), None, "a run without");
        let said = sample().keep(dir.path()).expect("writes");
        assert!(said.contains("2 captures"), "{said}");
        assert_eq!(PretrainedRenderer::kept(dir.path()).expect("reads"), Some(sample()), "bit for bit");
        assert_eq!(
            sample().to_bytes().expect("plain data"),
            sample().to_bytes().expect("plain data"),
            "the same bytes"
        );
        let mut settings = NeuralSettings::default();
        assert!(sample().network.check(&settings).is_ok(), "its own kind");
        settings.output = Output::Direct;
        let error = sample().network.check(&settings).expect_err("another output").to_string();
        assert!(error.contains("`ratio`") && error.contains("--set neural.output=ratio"), "{error}");
        settings = NeuralSettings { kind: NeuralKind::Paper, ..NeuralSettings::default() };
        let error = sample().network.check(&settings).expect_err("another kind").to_string();
        assert!(error.contains("`compact`") && error.contains("pretrain-renderer"), "{error}");
        let mut short = sample();
        short.network.weights.pop();
        let error = short.network.check(&NeuralSettings::default()).expect_err("cut").to_string();
        assert!(error.contains("7815 weights") && error.contains("Train it again"), "{error}");
        short.network.weights.push(f32::NAN);
        assert!(short.network.check(&NeuralSettings::default()).is_err(), "not finite");
    }

    #[test]
    fn other_files_are_refused() {
        let bytes = sample().to_bytes().expect("plain data");
        for cut in (0..bytes.len()).step_by(501) {
            assert!(PretrainedRenderer::from_bytes(&bytes[..cut]).is_err(), "cut after {cut} bytes");
        }
        let text = String::from_utf8_lossy(&bytes[8..600]).into_owned();
        for (from, to, words) in [
            ("renderer 1", "renderer 9", "of this version"),
            ("compact", "compost", "kind `compost`"),
            ("\"ratio\"", "\"rotio\"", "output `rotio`"),
            ("\"40\"", "\"-4\"", "epochs `-4`"),
            ("\"weights\"", "\"weighty\"", "no `weights`"),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).expect("it is there");
            let mut other = bytes.clone();
            other[at..at + from.len()].copy_from_slice(to.as_bytes());
            let error = PretrainedRenderer::from_bytes(&other).expect_err("refused");
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}
