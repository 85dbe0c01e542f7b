//! The real program behind the window: captures, presets and reconstructions as the command line has them.

use super::backend::{
    Backend, Detected, Engine, ExportJob, ExportRequest, HandModelChoice, Look, Opened, OpenedSequence, Parameter,
    PresetInfo, ResumeRequest, RunRequest, RunViews, Started,
};
use super::network::Network;
use super::opened_run::{self, mode_of};
use super::run_place;
use crate::camera::Camera;
use crate::capture::{Capture, Edits, OpenOptions};
use crate::fitting::pose::HandChoice;
use crate::gpu::{DeviceChoice, Gpu, list_devices};
use crate::hand::{HandModel, Pose, mano, open_hands};
use crate::pipeline::{
    self, Advance, Effective, FinishedRun, FinishedSequence, FrameState, PhaseRates, PosableHand, Reconstruction,
    RunOptions, RunRecord, Snapshot, Stage, ViewPicture, is_sequence_run,
};
use crate::preset::{Preset, PresetError, SHIPPED};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The program with its choice of device.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Device that reconstructions run on.
    pub device: DeviceChoice,
}

/// The preset that a request asks for.
///
/// # Errors
/// An unknown preset or setting.
pub(super) fn preset_of(request: &RunRequest) -> Result<Preset, PresetError> {
    let mut preset = Preset::load(&request.preset)?;
    for (key, value) in &request.overrides {
        preset.set(key, &value.to_string())?;
    }
    if request.hands != HandChoice::Auto {
        preset.pose.hands = request.hands;
    }
    Ok(preset)
}

fn hand_models(choice: &HandModelChoice) -> anyhow::Result<[Arc<HandModel>; 2]> {
    let models = match choice {
        HandModelChoice::Open => open_hands()?,
        HandModelChoice::Mano { folder, convention } => mano::load_folder(folder, convention)?,
    };
    Ok(models.map(Arc::new))
}

/// The capture with its edits; the one that is open stays as it is.
fn edited(capture: &Arc<Capture>, edits: Arc<Edits>) -> anyhow::Result<Arc<Capture>> {
    if edits.is_empty() {
        return Ok(Arc::clone(capture));
    }
    Ok(Arc::new(Capture::clone(capture).edited(edits)?))
}

/// A new run beside `run` that stands where that one stood at a step.
fn restarted(run: &Path, step: u32) -> anyhow::Result<PathBuf> {
    let preset = RunRecord::read(run)?.preset_name;
    let name = format!("{}_from_{step}", run_place::name(&preset, SystemTime::now()));
    let parent = run.parent().unwrap_or_else(|| Path::new("."));
    let into = parent.join(name);
    pipeline::restart(run, step, &into).map_err(|error| run_place::explain(parent, error))?;
    Ok(into)
}

impl Program {
    /// A sequence, with its first finished frame.
    fn open_sequence(&self, path: &Path) -> anyhow::Result<Opened> {
        let frames = FinishedSequence::read(path)?.frames();
        let at = frames.iter().position(|(_, state)| *state == FrameState::Done);
        let at = at.ok_or_else(|| anyhow::anyhow!("none of its frames is finished; `reconstruct --resume` goes on"))?;
        let opened = opened_run::open(&path.join(&frames[at].0), &self.device)?;
        Ok(Opened { sequence: Some(OpenedSequence { dir: path.to_owned(), frames, at }), ..opened })
    }
}

impl Backend for Program {
    fn device(&self) -> Result<String, String> {
        let all = list_devices();
        let wanted = match &self.device {
            DeviceChoice::Auto => all.first(),
            DeviceChoice::Index(i) => all.get(*i),
            DeviceChoice::Name(name) => all.iter().find(|d| d.name.to_lowercase().contains(&name.to_lowercase())),
        };
        wanted
            .map(|d| format!("{} ({})", d.name, d.kind))
            .ok_or_else(|| "no graphics device matches; see `thenar devices`".to_owned())
    }

    fn presets(&self) -> Vec<PresetInfo> {
        SHIPPED
            .iter()
            .map(|(name, summary, text)| PresetInfo {
                name: (*name).to_owned(),
                summary: (*summary).to_owned(),
                // The shipped texts are parsed by a test of theirs; a broken one simply lists nothing to change.
                parameters: Preset::parse(name, text).map(|p| parameters(&p)).unwrap_or_default(),
            })
            .collect()
    }

    fn open(&self, path: &Path, options: &OpenOptions) -> anyhow::Result<Opened> {
        if is_sequence_run(path) {
            return self.open_sequence(path);
        }
        if path.join("run.ron").exists() {
            return opened_run::open(path, &self.device);
        }
        Ok(Opened { capture: Capture::open_with(path, options)?, run: None, engine: None, sequence: None })
    }

    fn results_folder(&self, capture: &Capture) -> PathBuf {
        run_place::default_parent(&capture.root)
    }

    fn start(&self, request: &RunRequest) -> anyhow::Result<Started> {
        // First, as it is quick and what is wrong with a file should be said before a folder is made.
        let models = hand_models(&request.hand_model)?;
        let preset = preset_of(request)?;
        let parent = request.results.clone().unwrap_or_else(|| self.results_folder(&request.capture));
        run_place::check(&parent, &request.capture.root)?;
        let run_dir = parent.join(run_place::name(&request.preset, SystemTime::now()));
        let options = RunOptions {
            run_dir: run_dir.clone(),
            preset_name: request.preset.clone(),
            until: if request.neural || preset.neural.enabled { Stage::Neural } else { Stage::Ham },
            preset,
            hold_out: request.held_out.clone(),
            exclude: request.excluded.clone(),
            seed: request.seed,
            detect: request.detect,
        };
        let gpu = Gpu::new(&self.device)?;
        let capture = edited(&request.capture, Arc::clone(&request.edits))?;
        let mut run = Reconstruction::new(capture, models, options, gpu.clone())
            .map_err(|error| run_place::explain(&parent, error))?;
        run.keep_restart_points();
        Ok(Started { engine: Box::new(Live { run, gpu, network: None }), run_dir, steps: Vec::new() })
    }

    fn resume(&self, request: &ResumeRequest) -> anyhow::Result<Started> {
        let run_dir = match request.from {
            Some(step) => restarted(&request.run_dir, step)?,
            None => request.run_dir.clone(),
        };
        // What is empty here is taken from the run's own record.
        let options = RunOptions {
            run_dir: run_dir.clone(),
            preset_name: String::new(),
            preset: Preset::default(),
            until: if request.neural { Stage::Neural } else { Stage::Ham },
            hold_out: Vec::new(),
            exclude: Vec::new(),
            seed: 0,
            detect: false,
        };
        let gpu = Gpu::new(&self.device)?;
        let record = RunRecord::read(&run_dir)?;
        let models = record.load_models()?;
        let capture = edited(&request.capture, record.read_edits(&run_dir)?)?;
        let mut run = Reconstruction::resume(capture, models, options, gpu.clone())?;
        run.keep_restart_points();
        let steps = opened_run::read_metrics(&run_dir.join("metrics.jsonl"))?;
        Ok(Started { engine: Box::new(Live { run, gpu, network: None }), run_dir, steps })
    }
}

/// The numbers of a preset, by their paths; words and switches are left to preset files.
fn parameters(preset: &Preset) -> Vec<Parameter> {
    preset
        .settings()
        .into_iter()
        .filter_map(|(key, value)| {
            let number = value.as_f64()?;
            let group = key.rsplit_once('.').map_or("", |(group, _)| group).replace('.', " · ");
            let help = format!("{key} = {number} in this preset");
            Some(Parameter { group, key, value: number, integer: !value.is_f64(), help })
        })
        .collect()
}

/// A reconstruction under way.
struct Live {
    run: Reconstruction,
    gpu: Gpu,
    /// The run as it was written at its end, with its network: read when it is first looked at.
    network: Option<(FinishedRun, Network)>,
}

impl Live {
    fn network(&mut self) -> anyhow::Result<&mut (FinishedRun, Network)> {
        if self.network.is_none() {
            let run = FinishedRun::read(self.run.folder())?;
            let network = Network::open(&run, &self.gpu)?;
            self.network = Some((run, network));
        }
        self.network.as_mut().ok_or_else(|| anyhow::anyhow!("this run has no network"))
    }
}

impl Engine for Live {
    fn advance(&mut self) -> anyhow::Result<Advance> {
        Ok(self.run.advance()?)
    }

    fn snapshot(&mut self) -> anyhow::Result<Snapshot> {
        Ok(self.run.snapshot()?)
    }

    fn device_bytes(&self) -> Option<u64> {
        Some(self.gpu.held_bytes())
    }

    fn render_view(&mut self, snapshot: &Snapshot, view: usize, look: Look) -> anyhow::Result<ViewPicture> {
        if let Some(mode) = mode_of(look) {
            return Ok(self.run.render_view(snapshot, view, mode)?);
        }
        let (run, network) = self.network()?;
        opened_run::neural_view(run, network, view)
    }

    fn render_network(&mut self, camera: &Camera, poses: Option<&[Pose]>) -> anyhow::Result<Vec<u8>> {
        let (run, network) = self.network()?;
        network.look(run, camera, poses)
    }

    fn detected_keypoints(&self) -> Detected {
        self.run.detected_keypoints().map(Arc::new)
    }

    fn pace(&self) -> Vec<PhaseRates> {
        self.run.ended_phases().iter().cloned().chain(self.run.rates()).collect()
    }

    fn posable(&mut self) -> anyhow::Result<Vec<PosableHand>> {
        Ok(self.run.posable()?)
    }

    fn change(&mut self, key: &str, value: f64) -> anyhow::Result<Effective> {
        Ok(self.run.change(key, value)?)
    }

    fn can_go_on(&self) -> bool {
        self.run.can_go_on()
    }

    fn export(&mut self, request: &ExportRequest) -> anyhow::Result<ExportJob> {
        let (exportable, plan) = (self.run.exportable()?, request.plan(self.run.exports_folder()));
        Ok(Box::new(move || Ok(exportable.write(&plan)?)))
    }

    fn export_step(&mut self, request: &ExportRequest, snapshot: &Snapshot) -> anyhow::Result<ExportJob> {
        let plan = request.plan(self.run.exports_folder());
        let exportable = self.run.exportable()?.at_step(snapshot)?;
        Ok(Box::new(move || Ok(exportable.write(&plan)?)))
    }

    fn views(&self) -> RunViews {
        let folder = self.run.folder();
        // While it is trained, what lies there is of an earlier time.
        let has_network = self.run.stage().is_none() && pipeline::has_network(folder);
        let [psnr_db, iou] = opened_run::read_scores(folder);
        let restart_points = pipeline::restart_points(folder);
        let vertices = self.run.vertex_counts();
        let light = self.run.mean_light();
        RunViews { cameras: self.run.cameras(), psnr_db, iou, has_network, vertices, light, restart_points }
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        Ok(self.run.save()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_list_numbers_that_can_be_set() {
        let presets = Program::default().presets();
        assert!(
            presets.iter().any(|p| p.name == "draft") && presets.iter().any(|p| p.name == "standard"),
            "both are there"
        );
        for info in presets {
            assert!(info.parameters.len() > 5, "{} has parameters", info.name);
            let mut preset = Preset::load(&info.name).expect("shipped");
            for p in &info.parameters {
                preset.set(&p.key, &p.value.to_string()).unwrap_or_else(|e| panic!("{}: {e}", p.key));
            }
        }
    }
}
