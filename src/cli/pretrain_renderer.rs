//! `thenar pretrain-renderer`: one network for the photographs of several finished runs.

use super::args::Setting;
use super::progress::{Progress, ProgressMode};
use super::{CliError, Exit, Interrupt};
use crate::export::atomic;
use crate::gpu::{DeviceChoice, Gpu};
use crate::pipeline::{PipelineError, Pretraining};
use crate::preset::Preset;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `thenar pretrain-renderer`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct PretrainRendererArgs {
    /// Run folders with a refined mesh (`thenar reconstruct`, or `thenar batch` for many). They are only read.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// File to write, `*.safetensors`.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Preset whose settings of the neural stage count, by name, or a RON file.
    #[arg(long, default_value = "standard", value_name = "NAME|FILE.ron")]
    pub preset: String,
    /// Change one of them, e.g. `neural.epochs=40`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// Seed of weights and samples.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub seed: u64,
    /// Graphics device by name or index, see `thenar devices`.
    #[arg(long, default_value = "auto", value_name = "NAME|INDEX")]
    pub device: DeviceChoice,
    /// Progress on stderr.
    #[arg(long, value_enum, default_value_t)]
    pub progress: ProgressMode,
}

pub(super) fn run(args: &PretrainRendererArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let mut preset = Preset::load(&args.preset)?;
    for Setting { key, value } in &args.set {
        if !key.starts_with("neural.") {
            let problem = format!("--set {key}: only settings of the neural stage (neural.…) count here");
            return Err(CliError::Usage(problem));
        }
        preset.set(key, value)?;
    }
    preset.neural.check().map_err(PipelineError::from)?;
    let gpu = Gpu::new(&args.device)?;
    let interrupt = Interrupt::install_saying("stopping after this step; nothing is written")?;
    let mut progress = Progress::new(args.progress);
    let mut training = Pretraining::new(&args.runs, &preset.neural, args.seed, &gpu)?;
    while !training.is_done() {
        if let Some(report) = training.step()? {
            progress.step(&report);
        }
        if interrupt.requested() {
            return Ok(Exit::Interrupted);
        }
    }
    atomic::write(&args.output, &training.renderer()?.to_bytes()?)?;
    progress.done(&args.output);
    writeln!(out, "{}", args.output.display())?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn documented_forms_parse_and_others_do_not() {
        let args: PretrainRendererArgs = parse_only("a b -o w.safetensors --set neural.epochs=40").expect("documented");
        assert_eq!((args.runs.len(), args.preset.as_str(), args.seed), (2, "standard", 0), "defaults");
        for wrong in ["-o w.safetensors", "a b", "a -o w --set epochs"] {
            assert_eq!(parse_only::<PretrainRendererArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
        let args: PretrainRendererArgs = parse_only("a -o w.safetensors --set ham.level=1").expect("parses");
        let error = run(&args, &mut Vec::new()).expect_err("not of this stage");
        assert_eq!(error.exit(), Exit::Usage, "{error}");
    }
}
