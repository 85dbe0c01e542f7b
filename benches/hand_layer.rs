//! Microseconds per hand of the hand layer, forward and forward with gradient, as a plain table: the `f64` twin in one
//! thread, and the kernels.
//!
//! ```text
//! cargo bench --no-default-features --bench hand_layer
//! ```
//! Models: one with MANO's counts (778 vertices, dense shape and pose directions, made-up numbers), and the open hand. Each
//! number is the median of [`REPEATS`] measurements after one to warm up, divided by the hands posed in it. It is processor
//! time of all threads where the driver is software on Linux (the twin's always), which says most on a machine that does
//! other work, and wall time with a GPU. The kernels' time is from recording to completion; parameters, results and
//! gradients stay on the device.

mod support;

use anyhow::Context as _;
use std::io::Write as _;
use std::time::Instant;
use support::processor_seconds;
use thenar::anatomy::{JOINTS, Side};
use thenar::gpu::{DeviceChoice, Gpu};
use thenar::hand::{HandLayer, HandModel, HandParameters, LayerGradient, PoseBasis, open_hand, parameter_vector};
use thenar::posing::{DeviceLayer, LayerKernels};

#[path = "../tests/support/random_hand.rs"]
mod random_hand;
use random_hand::{random_hand, random_parameters};

const BATCHES: [usize; 2] = [1, 1024];
const REPEATS: usize = 5;
/// Hands posed in one measurement: the system counts processor time in steps of some milliseconds.
const HANDS: usize = 1024;

type Clock<'a> = &'a dyn Fn() -> f64;

/// Median microseconds per hand of `pass`, which poses `batch` hands.
fn measure(clock: Clock<'_>, batch: usize, mut pass: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let passes = HANDS.div_ceil(batch);
    pass()?;
    let mut times = [0.0; REPEATS];
    for time in &mut times {
        let began = clock();
        for _ in 0..passes {
            pass()?;
        }
        *time = clock() - began;
    }
    times.sort_by(f64::total_cmp);
    Ok(1e6 * times[REPEATS / 2] / f64::from(u32::try_from(passes * batch)?))
}

/// Forward, and forward with gradient, in the twin.
fn twin(layer: &HandLayer, problems: &[HandParameters]) -> anyhow::Result<[f64; 2]> {
    let mut pass = layer.new_pass();
    let by_vertices = vec![[1e-3, -2e-3, 3e-3]; layer.vertex_count()];
    let by_joints = [[1e-3; 3]; JOINTS];
    let forward = measure(&processor_seconds, problems.len(), || {
        for p in problems {
            layer.forward_into(p, &mut pass);
            std::hint::black_box(&pass.vertices);
        }
        Ok(())
    })?;
    let mut pass = layer.new_pass();
    let both = measure(&processor_seconds, problems.len(), || {
        for p in problems {
            layer.forward_into(p, &mut pass);
            let gradient: LayerGradient = layer.backward(&pass, &by_vertices, &by_joints);
            std::hint::black_box(gradient.parameters(p));
        }
        Ok(())
    })?;
    Ok([forward, both])
}

/// The same on the device.
fn device(
    gpu: &Gpu,
    kernels: &LayerKernels,
    model: &HandModel,
    problems: &[HandParameters],
) -> anyhow::Result<[f64; 2]> {
    let layer = DeviceLayer::new(gpu, kernels, model, &PoseBasis::axis_angle(model, true), problems.len())?;
    layer.write_parameters(&problems.iter().map(parameter_vector).collect::<Vec<_>>());
    let by_vertices = vec![[1e-3, -2e-3, 3e-3]; model.template.len()];
    for problem in 0..problems.len() {
        layer.write_output_gradients(problem, &by_vertices, &[[1e-3; 3]; JOINTS]);
    }
    gpu.wait()?;
    let run = |backward: bool| -> anyhow::Result<()> {
        let mut recorder = gpu.recorder("hand layer");
        layer.record_forward(&mut recorder);
        if backward {
            layer.record_backward(&mut recorder);
        }
        recorder.submit()?;
        Ok(gpu.wait()?)
    };
    let start = Instant::now();
    let wall = || start.elapsed().as_secs_f64();
    let clock: Clock<'_> = if gpu.is_software() { &processor_seconds } else { &wall };
    Ok([measure(clock, problems.len(), || run(false))?, measure(clock, problems.len(), || run(true))?])
}

fn main() -> anyhow::Result<()> {
    let gpu = Gpu::new(&DeviceChoice::Auto)?;
    let kernels = LayerKernels::new(&gpu)?;
    let open = open_hand(Side::Right)?;
    let models = [("MANO's counts", random_hand(778, 1)), ("open hand", open)];

    let mut out = std::io::stdout().lock();
    writeln!(out, "microseconds per hand; device: {}", gpu.description().name)?;
    writeln!(
        out,
        "{:<16}{:>10}{:>8}{:>16}{:>20}{:>16}{:>22}",
        "model", "vertices", "batch", "twin forward", "twin with gradient", "device forward", "device with gradient"
    )?;
    for (name, model) in &models {
        let layer = HandLayer::new(model);
        for batch in BATCHES {
            let seeds = 1..=u64::try_from(batch).context("a small batch")?;
            let problems: Vec<HandParameters> = seeds.map(|seed| random_parameters(Side::Right, seed)).collect();
            let [a, b] = twin(&layer, &problems)?;
            let [c, d] = device(&gpu, &kernels, model, &problems)?;
            let count = model.template.len();
            writeln!(out, "{name:<16}{count:>10}{batch:>8}{a:>16.1}{b:>20.1}{c:>16.1}{d:>22.1}")?;
        }
    }
    Ok(())
}
