//! `thenar reconstruct`: from a capture folder to a run folder.

use super::args::{self, HandModelChoice, HandSelection, Setting};
use super::capture_args::CaptureArgs;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::progress::ProgressMode;
use super::{CliError, Exit, report, sequence};
use crate::capture::{Capture, Edits, frame_folders};
use crate::fitting::hand_fit::FitInit;
use crate::fitting::pose::HandChoice;
use crate::gpu::DeviceChoice;
use crate::gpu::Gpu;
use crate::hand::mano::ManoConvention;
use crate::pipeline::Stage;
use crate::pipeline::{Advance, FinishedRun, PipelineError, PretrainedRenderer, Reconstruction, RunOptions, RunRecord};
use crate::preset::Preset;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// Arguments of `thenar reconstruct`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct ReconstructArgs {
    /// Capture folder, or a folder of numbered capture folders: the frames of a sequence. It is only read.
    pub capture: PathBuf,
    /// Run folder to write.
    #[arg(short, long = "output", value_name = "RUN")]
    pub output: PathBuf,
    /// How to fit: a preset by name (`standard` unless given), or a RON file.
    #[arg(long, value_name = "NAME|FILE.ron")]
    pub preset: Option<String>,
    /// Which hands.
    #[arg(long, value_enum, default_value_t)]
    pub hands: HandSelection,
    /// Hand model: `open` (the default), `mano` (the folder `mano`, or the one that `THENAR_MANO` names), or a folder with
    /// MANO's files. A run that is resumed keeps its model.
    #[arg(long, value_name = "open|mano|DIR")]
    pub hand_model: Option<HandModelChoice>,
    /// How MANO's numbers are meant: thenar, fmhr, manopth, smplx, interhand26m, dexycb, ho3d, arctic or freihand.
    #[arg(long, value_parser = args::convention, value_name = "NAME")]
    pub hand_convention: Option<Box<ManoConvention>>,
    /// Stop after this stage.
    #[arg(long, value_parser = args::stage, value_name = "pose|fit|ham")]
    pub until: Option<Stage>,
    /// Views that no stage may see, by position, e.g. 3,11.
    #[arg(long, value_delimiter = ',', value_parser = args::view, value_name = "VIEWS")]
    pub hold_out: Vec<usize>,
    /// Views that are left out altogether, by position.
    #[arg(long, value_delimiter = ',', value_parser = args::view, value_name = "VIEWS")]
    pub exclude: Vec<usize>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where the fit begins: at what the network for the hand model predicts, or from several poses (default: the
    /// preset's).
    #[arg(long, value_enum, value_name = "gcn|multi-start")]
    pub init: Option<InitSelection>,
    /// Weights for `--init gcn`, which this means too: a file of `train-regressor`, or the authors' `gcn_right.pth` or
    /// `gcn_left.pth` with MANO; may be repeated. Without it they are looked for beside the hand model.
    #[arg(long, value_name = "FILE")]
    pub init_weights: Vec<PathBuf>,
    /// Begin the network of the neural stage with one that `pretrain-renderer` has made; RUN keeps a copy.
    #[arg(long, value_name = "FILE")]
    pub init_renderer: Option<PathBuf>,
    /// Change one setting of the preset; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// Find the keypoints in the images although the capture has its own; without own ones that happens anyway.
    #[arg(long)]
    pub detect: bool,
    /// Changes of keypoints and masks (made in the studio, or by hand); RUN keeps a copy.
    #[arg(long, value_name = "FILE.ron")]
    pub edits: Option<PathBuf>,
    /// Go on from the checkpoint of RUN.
    #[arg(long)]
    pub resume: bool,
    /// Write `report.html` into RUN at the end.
    #[arg(long)]
    pub report: bool,
    /// How to read the capture.
    #[command(flatten)]
    pub reading: CaptureArgs,
    /// Graphics device by name or index, see `thenar devices`.
    #[arg(long, default_value = "auto", value_name = "NAME|INDEX")]
    pub device: DeviceChoice,
    /// Progress on stderr.
    #[arg(long, value_enum, default_value_t)]
    pub progress: ProgressMode,
}

impl From<HandSelection> for HandChoice {
    fn from(selection: HandSelection) -> Self {
        match selection {
            HandSelection::Auto => Self::Auto,
            HandSelection::Left => Self::Left,
            HandSelection::Right => Self::Right,
            HandSelection::Both => Self::Both,
        }
    }
}

/// Where the fit begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum InitSelection {
    /// What the graph network predicts from the joints.
    Gcn,
    /// The model in several poses.
    MultiStart,
}

impl From<InitSelection> for FitInit {
    fn from(selection: InitSelection) -> Self {
        match selection {
            InitSelection::Gcn => Self::Gcn,
            InitSelection::MultiStart => Self::MultiStart,
        }
    }
}

impl ReconstructArgs {
    pub(super) fn options(&self) -> Result<RunOptions, CliError> {
        let name = self.preset.as_deref().unwrap_or("standard");
        let mut preset = Preset::load(name)?;
        for Setting { key, value } in &self.set {
            preset.set(key, value)?;
        }
        match (self.init, self.init_weights.is_empty()) {
            (Some(InitSelection::MultiStart), false) => {
                let problem = "--init-weights is for --init gcn; leave one of them out";
                return Err(CliError::Usage(problem.to_owned()));
            }
            (Some(init), _) => preset.fit.init = init.into(),
            (None, false) => preset.fit.init = FitInit::Gcn,
            (None, true) => {}
        }
        if self.hands != HandSelection::Auto {
            preset.pose.hands = self.hands.into();
        }
        let last = if preset.neural.enabled { Stage::Neural } else { Stage::Ham };
        let until = self.until.unwrap_or(last);
        if until >= Stage::Neural {
            preset.neural.check().map_err(PipelineError::from)?;
        }
        if until < Stage::Neural && self.init_renderer.is_some() {
            let problem = "--init-renderer is for the neural stage; give --until neural with it";
            return Err(CliError::Usage(problem.to_owned()));
        }
        Ok(RunOptions {
            run_dir: self.output.clone(),
            preset_name: name.to_owned(),
            preset,
            until,
            hold_out: self.hold_out.clone(),
            exclude: self.exclude.clone(),
            seed: self.seed,
            detect: self.detect,
        })
    }
}

impl ReconstructArgs {
    /// The network that the neural stage is to begin with, held against the settings before a folder is made.
    pub(super) fn renderer(&self, preset: &Preset) -> Result<Option<PretrainedRenderer>, CliError> {
        let Some(path) = &self.init_renderer else { return Ok(None) };
        let renderer = PretrainedRenderer::read(path)?;
        renderer.network.check(&preset.neural).map_err(PipelineError::from)?;
        Ok(Some(renderer))
    }
}

pub(super) fn run(args: &ReconstructArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    if let Some(frames) = frame_folders(&args.capture)? {
        return sequence::run(args, frames, out);
    }
    let options = args.options()?;
    let models = match (&args.hand_model, &args.hand_convention) {
        (None, None) if args.resume => RunRecord::read(&args.output)?.load_models()?,
        (choice, convention) => {
            let choice = choice.as_ref().unwrap_or(&HandModelChoice::Open);
            args::with_start_weights(args::hand_models(choice, convention.as_deref())?, &args.init_weights)?
        }
    };
    // A run that is resumed keeps the way its capture was read, as it keeps its other settings.
    let record = args.resume.then(|| RunRecord::read(&args.output)).transpose()?;
    let reading = record.as_ref().map_or_else(|| args.reading.options(), |r| r.capture_options.clone());
    let edits = match (&record, &args.edits) {
        (Some(record), _) => record.read_edits(&args.output)?,
        (None, Some(path)) => Arc::new(Edits::read(path)?),
        (None, None) => Arc::default(),
    };
    let capture = Arc::new(Capture::open_with(&args.capture, &reading)?.edited(edits)?);
    let renderer = args.renderer(record.as_ref().map_or(&options.preset, |r| &r.preset))?;
    let gpu = Gpu::new(&args.device)?;
    let interrupt = Interrupt::install()?;
    let mut progress = Progress::new(args.progress);
    for inference in &capture.inferences {
        tracing::info!("{inference}");
    }
    for warning in &capture.warnings {
        tracing::warn!("{warning}");
    }
    warn_of_kept_settings(args);
    if args.resume && args.edits.is_some() {
        tracing::warn!("a run that is resumed keeps its edits: --edits is not looked at");
    }
    let mut run = if args.resume {
        Reconstruction::resume(capture, models, options, gpu)?
    } else {
        Reconstruction::new(capture, models, options, gpu)?
    };
    if let Some(renderer) = renderer {
        run.begin_network_with(&renderer)?;
    }
    let mut phases = 0;
    loop {
        match run.advance()? {
            Advance::Working => {}
            Advance::Stepped(report) => {
                progress.step(&report);
                for rates in run.ended_phases().iter().skip(std::mem::replace(&mut phases, run.ended_phases().len())) {
                    progress.phase_done(rates);
                }
            }
            Advance::StageDone(stage, findings) => progress.stage_done(stage, &findings),
            Advance::Finished => break,
        }
        if interrupt.requested() {
            run.save()?;
            tracing::warn!("interrupted; go on with `thenar reconstruct … -o {} --resume`", args.output.display());
            return Ok(Exit::Interrupted);
        }
    }
    progress.done(&args.output);
    if args.report {
        // The run's device and its memory go first.
        drop(run);
        report(args)?;
    }
    writeln!(out, "{}", args.output.display())?;
    Ok(Exit::Done)
}

/// Says what a run that is resumed does not look at.
pub(super) fn warn_of_kept_settings(args: &ReconstructArgs) {
    if args.resume && (args.preset.is_some() || !args.set.is_empty() || !args.init_weights.is_empty()) {
        tracing::warn!(
            "a run that is resumed keeps its settings: --preset, --set and --init-weights are not looked at"
        );
    }
}

/// Writes the report of a run that has ended. One that ended before there was a mesh has none, which is no failure.
fn report(args: &ReconstructArgs) -> Result<(), CliError> {
    let run = match FinishedRun::read(&args.output) {
        Ok(run) => run,
        Err(reason @ PipelineError::Unfinished { .. }) => {
            tracing::warn!("there is no report: {reason}");
            return Ok(());
        }
        Err(e) => return Err(e.into()),
    };
    let path = report::default_path(&args.output);
    report::write(&run, &path, None, &Gpu::new(&args.device)?)?;
    tracing::info!("report: {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_shortest_form_has_the_documented_defaults() {
        let args: ReconstructArgs = parse_only("room -o run").expect("documented");
        let expected = ReconstructArgs {
            capture: "room".into(),
            output: "run".into(),
            preset: None,
            hands: HandSelection::Auto,
            hand_model: None,
            init: None,
            init_weights: vec![],
            init_renderer: None,
            hand_convention: None,
            until: None,
            hold_out: vec![],
            exclude: vec![],
            seed: 0,
            set: vec![],
            detect: false,
            edits: None,
            resume: false,
            report: false,
            reading: CaptureArgs::default(),
            device: DeviceChoice::Auto,
            progress: ProgressMode::Auto,
        };
        assert_eq!(args, expected, "defaults");
    }

    #[test]
    fn every_documented_option_parses() {
        let args: ReconstructArgs = parse_only(
            "room -o run --preset my.ron --hands both --hand-model ./models --hand-convention arctic --until fit --hold-out 3,11 --exclude 1,2 \
             --seed 7 --set ham.level=2 --set fit.starts=4 --detect --edits my/edits.ron --init-weights a/gcn_left.pth --init-weights b.safetensors --init-renderer r.safetensors --resume --report --device 1 --progress json",
        )
        .expect("documented");
        assert_eq!(args.preset.as_deref(), Some("my.ron"), "preset");
        assert_eq!(args.hands, HandSelection::Both, "hands");
        assert_eq!(args.hand_model, Some(HandModelChoice::Directory("./models".into())), "hand model");
        assert_eq!(args.hand_convention.map(|c| c.name).as_deref(), Some("arctic"), "convention");
        assert_eq!(args.until, Some(Stage::Fit), "until");
        assert_eq!((args.hold_out, args.exclude), (vec![3, 11], vec![1, 2]), "view lists");
        assert_eq!((args.seed, args.resume, args.detect, args.report), (7, true, true, true), "seed and switches");
        assert_eq!(args.edits.as_deref(), Some(std::path::Path::new("my/edits.ron")), "edits");
        assert_eq!(args.set.len(), 2, "--set repeats");
        assert_eq!(args.init_renderer, Some("r.safetensors".into()), "a network to begin with");
        assert_eq!(args.init_weights, [PathBuf::from("a/gcn_left.pth"), "b.safetensors".into()], "weights repeat");
        assert_eq!(args.device, DeviceChoice::Index(1), "device");
        assert_eq!(args.progress, ProgressMode::Json, "progress");
    }

    #[test]
    fn weights_mean_the_network_and_nothing_else() {
        let args: ReconstructArgs = parse_only("room -o run --init-weights w.safetensors").expect("documented");
        assert_eq!(args.options().expect("a preset").preset.fit.init, FitInit::Gcn, "they mean the network");
        let args: ReconstructArgs =
            parse_only("room -o run --init multi-start --init-weights w.safetensors").expect("each is known");
        let error = args.options().expect_err("they contradict each other");
        assert_eq!(error.exit(), Exit::Usage, "{error}");
        let args: ReconstructArgs = parse_only("room -o run --until ham --init-renderer r.safetensors").expect("known");
        let error = args.options().expect_err("there is no such stage in this run");
        assert!(error.to_string().contains("--until neural"), "{error}");
    }

    #[test]
    fn wrong_values_are_usage_errors() {
        for wrong in [
            "room",
            "-o run",
            "room -o run --hands three",
            "room -o run --until nowhere",
            "room -o run --hold-out a",
            "room -o run --exclude 0-3",
            "room -o run --set level",
            "room -o run --progress loud",
            "room -o run --seed -1",
        ] {
            let error = parse_only::<ReconstructArgs>(wrong).expect_err(wrong);
            assert_eq!(error.exit_code(), 2, "{wrong}");
        }
    }
}
