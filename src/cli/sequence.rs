//! `thenar reconstruct` on a folder of numbered frames, and the commands that take its result.

use super::interrupt::Interrupt;
use super::progress::Progress;
use super::reconstruct::{ReconstructArgs, warn_of_kept_settings};
use super::{CliError, Exit, args};
use crate::capture::FrameFolder;
use crate::gpu::Gpu;
use crate::pipeline::{Advance, FinishedSequence, FrameState, SequenceAdvance, SequenceRun, is_sequence_run};
use std::io::Write;
use std::path::Path;

pub(super) fn run(args: &ReconstructArgs, frames: Vec<FrameFolder>, out: &mut dyn Write) -> Result<Exit, CliError> {
    let options = args.options()?;
    if args.edits.is_some() {
        let problem = "edits belong to one capture; give --edits with the folder of a frame";
        return Err(CliError::Usage(problem.to_owned()));
    }
    if args.report {
        tracing::warn!("a sequence has no report; write one of a frame with `thenar report RUN/FRAME`");
    }
    let renderer = if args.resume { None } else { args.renderer(&options.preset)? };
    let gpu = Gpu::new(&args.device)?;
    let mut run = if args.resume {
        warn_of_kept_settings(args);
        if args.init_renderer.is_some() {
            tracing::warn!("a sequence that is resumed keeps its network: --init-renderer is not looked at");
        }
        SequenceRun::resume(options, gpu)?
    } else {
        let choice = args.hand_model.clone().unwrap_or_default();
        let models = args::hand_models(&choice, args.hand_convention.as_deref())?;
        let models = args::with_start_weights(models, &args.init_weights)?;
        SequenceRun::new(&args.capture, frames, args.reading.options(), models, options, gpu)?
    };
    if let Some(renderer) = &renderer {
        run.begin_networks_with(renderer)?;
    }
    let interrupt = Interrupt::install()?;
    let mut progress = Progress::new(args.progress);
    loop {
        match run.advance()? {
            SequenceAdvance::Working => {}
            SequenceAdvance::Stepped(report) => progress.step(&report),
            SequenceAdvance::StageDone(stage, findings) => progress.stage_done(stage, &findings),
            SequenceAdvance::Skipped(name, why) => tracing::warn!("frame {name} is left out: {why}"),
            SequenceAdvance::Frame(_, _, Advance::Stepped(report)) => progress.step(&report),
            SequenceAdvance::Frame(..) => {}
            SequenceAdvance::FrameDone(name, [at, of]) => progress.frame_done(&name, at, of),
            SequenceAdvance::Finished => break,
        }
        if interrupt.requested() {
            run.save()?;
            tracing::warn!("interrupted; go on with `thenar reconstruct … -o {} --resume`", args.output.display());
            return Ok(Exit::Interrupted);
        }
    }
    progress.done(&args.output);
    writeln!(out, "{}", args.output.display())?;
    let left_out = run.left_out();
    for (name, why) in &left_out {
        tracing::warn!("frame {name} was left out: {why}");
    }
    Ok(if left_out.is_empty() { Exit::Done } else { Exit::Gate })
}

/// A sequence's folder, if it is one; says which of its frames are missing.
pub(super) fn open(folder: &Path) -> Result<Option<FinishedSequence>, CliError> {
    if !is_sequence_run(folder) {
        return Ok(None);
    }
    let sequence = FinishedSequence::read(folder)?;
    for (name, state) in sequence.frames() {
        match state {
            FrameState::Done => {}
            FrameState::LeftOut(why) => tracing::warn!("frame {name} was left out: {why}"),
            FrameState::Waiting => {
                tracing::warn!("frame {name} is not reconstructed yet; `reconstruct --resume` goes on");
            }
        }
    }
    Ok(Some(sequence))
}
