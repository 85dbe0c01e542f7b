//! `thenar train-regressor`: weights of the network that gives the fit its start.

use super::{CliError, Exit, Interrupt, args};
use crate::anatomy::Side;
use crate::export::atomic;
use crate::hand::HandModel;
use crate::regressor::train::{TRAIN_TERMS, TrainSettings, Training, Validation};
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

/// Seconds between two lines of progress.
const INTERVAL_S: f64 = 10.0;
/// Steps between two validations; the best weights of all are what is written.
const VALIDATE_EVERY: u32 = 200;

/// Arguments of `thenar train-regressor`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct TrainRegressorArgs {
    /// File to write, `*.safetensors`.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Hand model to train for.
    #[arg(long, default_value = "open", value_name = "open|mano|DIR")]
    pub hand_model: super::HandModelChoice,
    /// Side to train on; weights of the open hand serve both.
    #[arg(long, default_value = "right", value_parser = side, value_name = "left|right")]
    pub side: Side,
    /// Steps of the optimiser.
    #[arg(long, default_value_t = TrainSettings::default().steps, value_name = "NUMBER")]
    pub steps: u32,
    /// Hands drawn for each step.
    #[arg(long, default_value_t = TrainSettings::default().batch, value_name = "NUMBER")]
    pub batch: usize,
    /// Those of them whose mesh is predicted too.
    #[arg(long, default_value_t = TrainSettings::default().meshes, value_name = "NUMBER")]
    pub meshes: usize,
    /// First rate of the optimiser.
    #[arg(long, default_value = "1e-3", value_parser = args::not_negative, value_name = "RATE")]
    pub rate: f64,
    /// Seed of weights and hands.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
}

fn side(text: &str) -> Result<Side, String> {
    Side::BOTH.into_iter().find(|s| s.name() == text).ok_or_else(|| "must be left or right".to_owned())
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::Other(error.into())
}

pub(super) fn run(args: &TrainRegressorArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let models = args::hand_models(&args.hand_model, None)?;
    let model: &HandModel = &models[args.side.index()];
    let settings =
        TrainSettings { steps: args.steps, batch: args.batch, meshes: args.meshes, rate: args.rate, seed: args.seed };
    let interrupt = Interrupt::install_saying("stopping after this step; the best weights so far are kept")?;
    let mut training = Training::new(model, &settings).map_err(failed)?;
    // The open hands mirror each other; MANO's have shapes of their own.
    let mirror = (model.name == "open").then(|| models[1 - args.side.index()].hash.as_str());
    let began = Instant::now();
    let (mut said, mut best) = (0.0, None::<Validation>);
    let mut keep = |training: &Training| -> Result<(), CliError> {
        let now = training.validate().map_err(failed)?;
        let score = |v: &Validation| v.vertex_mm + 30.0 * v.pose_rad;
        let better = best.is_none_or(|best| score(&now) < score(&best));
        tracing::info!(
            "step {}: vertices {:.2} mm, pose {:.4} rad, shape {:.3}{}",
            training.steps_done(),
            now.vertex_mm,
            now.pose_rad,
            now.shape,
            if better { ", kept" } else { "" }
        );
        if better {
            atomic::write(&args.output, &training.to_file(mirror).map_err(failed)?)?;
            best = Some(now);
        }
        Ok(())
    };
    while let Some(step) = training.step().map_err(failed)? {
        let t = began.elapsed().as_secs_f64();
        if t - said > INTERVAL_S {
            said = t;
            let terms: Vec<String> = TRAIN_TERMS.iter().zip(step.terms).map(|(n, v)| format!("{n} {v:.4}")).collect();
            let left = t / f64::from(step.step) * f64::from(args.steps - step.step);
            tracing::info!("step {} of {}, {t:.0} s, {left:.0} s left: {}", step.step, args.steps, terms.join(", "));
        }
        if step.step % VALIDATE_EVERY == 0 || step.step == args.steps || interrupt.requested() {
            keep(&training)?;
        }
        if interrupt.requested() {
            writeln!(out, "{}", args.output.display())?;
            return Ok(Exit::Interrupted);
        }
    }
    writeln!(out, "{}", args.output.display())?;
    Ok(Exit::Done)
}
