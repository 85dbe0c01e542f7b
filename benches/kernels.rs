//! Milliseconds of every HAM kernel on a synthetic scene (two hands) at mesh levels 1, 2 and 3, as a plain table; below it
//! the seconds of whole epochs of both phases.
//!
//! ```text
//! cargo bench --no-default-features --bench kernels                       four views of 640x512
//! cargo bench --no-default-features --bench kernels -- 16 1280x1024       the size of the real rig
//! cargo bench --no-default-features --bench kernels -- 16 1280x1024 3     mesh level 3 only
//! ```
//! Pixel kernels are summed over the views, vertex kernels counted once. Each number is the median of [`REPEATS`] profiles
//! after one to warm up. It is processor time from submission to completion where the driver is software on Linux, which
//! says most on a machine that does other work, and wall time with a GPU.

mod support;

use anyhow::Context as _;
use std::io::Write as _;
use std::time::Instant;
use support::processor_seconds;
use thenar::fitting::ham::target::TargetSource;
use thenar::fitting::ham::{Ham, HamSettings, Phase};
use thenar::gpu::{DeviceChoice, Gpu};
use thenar::hand::{HandModel, PosedHand, pose_hand};
use thenar::synthetic::{SynthSettings, SyntheticScene, make};

const REPEATS: usize = 3;
/// Epochs of each phase: the first warms up.
const EPOCHS: u32 = 3;

/// Median milliseconds of each kernel, in the order of a step.
type Column = Vec<(&'static str, f64)>;

/// Wall and processor seconds of the fastest epoch of each phase.
fn epochs(ham: &mut Ham) -> anyhow::Result<Column> {
    let mut best = [[f64::INFINITY; 2]; 2];
    let (mut wall, mut processor) = (Instant::now(), processor_seconds());
    loop {
        let Some(report) = ham.step()? else {
            if ham.phase() == Phase::Done {
                break;
            }
            continue;
        };
        let now = [wall.elapsed().as_secs_f64(), processor_seconds() - processor];
        let fastest = &mut best[usize::from(report.phase == Phase::Shape)];
        *fastest = [fastest[0].min(now[0]), fastest[1].min(now[1])];
        (wall, processor) = (Instant::now(), processor_seconds());
    }
    let names = [["albedo epoch, wall", "albedo epoch, processor"], ["shape epoch, wall", "shape epoch, processor"]];
    Ok(names.iter().flatten().copied().zip(best.into_iter().flatten().map(|s| 1e3 * s)).collect())
}

/// One column of the table, and the number of triangles.
fn measure(gpu: &Gpu, scene: &SyntheticScene, level: usize) -> anyhow::Result<(Column, Column, usize)> {
    let posed: Vec<PosedHand> = scene.hands.iter().map(|h| pose_hand(&h.model, &h.parameters)).collect();
    let hands: Vec<(&HandModel, &PosedHand)> = scene.hands.iter().map(|h| &h.model).zip(&posed).collect();
    let sources: Vec<Option<TargetSource<'_>>> = scene
        .capture
        .views
        .iter()
        .map(|v| Some(TargetSource { camera: &v.camera, image: &v.image, mask: v.mask.as_ref(), judged: None }))
        .collect();
    let settings = HamSettings { level, albedo_epochs: EPOCHS, shape_epochs: EPOCHS, ..HamSettings::default() };
    let mut ham = Ham::new(gpu, &settings, &hands, &sources)?;
    let start = Instant::now();
    let wall = || start.elapsed().as_secs_f64();
    let clock: &dyn Fn() -> f64 = if gpu.is_software() { &processor_seconds } else { &wall };
    ham.profile(clock)?;
    let profiles = (0..REPEATS).map(|_| ham.profile(clock)).collect::<Result<Vec<_>, _>>()?;
    let median = |k: usize| {
        let mut times: Vec<f64> = profiles.iter().map(|p| p[k].1).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let column = profiles[0].iter().enumerate().map(|(k, (name, _))| (*name, median(k))).collect();
    let epochs = epochs(&mut ham)?;
    Ok((column, epochs, ham.mesh().topology.faces.len()))
}

fn row(out: &mut impl std::io::Write, name: &str, cells: impl Iterator<Item = String>) -> std::io::Result<()> {
    write!(out, "{name:<28}")?;
    for cell in cells {
        write!(out, "{cell:>12}")?;
    }
    writeln!(out)
}

/// `[VIEWS [WIDTHxHEIGHT [LEVEL]]]`; cargo's own `--bench` is passed over.
fn settings() -> anyhow::Result<(SynthSettings, Vec<usize>)> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let views = words.next().map_or(Ok(4), |w| w.parse()).context("the number of views")?;
    let size = words.next().unwrap_or_else(|| "640x512".to_owned());
    let (width, height) = size.split_once('x').context("the size is WIDTHxHEIGHT")?;
    let levels = words.next().map_or(Ok(vec![1, 2, 3]), |w| w.parse().map(|l| vec![l])).context("the mesh level")?;
    let size = (width.parse()?, height.parse()?);
    Ok((SynthSettings { views, size, supersample: 1, ..SynthSettings::default() }, levels))
}

fn main() -> anyhow::Result<()> {
    let (settings, levels) = settings()?;
    let gpu = Gpu::new(&DeviceChoice::Auto)?;
    let scene = make(&settings)?;
    let columns = levels.iter().map(|level| measure(&gpu, &scene, *level)).collect::<anyhow::Result<Vec<_>>>()?;

    let mut out = std::io::stdout().lock();
    let (width, height) = settings.size;
    writeln!(out, "{}; {} views of {width}x{height}; milliseconds", gpu.description().name, settings.views)?;
    row(&mut out, "mesh level", levels.iter().map(usize::to_string))?;
    row(&mut out, "triangles", columns.iter().map(|(_, _, faces)| faces.to_string()))?;
    for (k, (name, _)) in columns[0].0.iter().enumerate() {
        row(&mut out, name, columns.iter().map(|(column, ..)| format!("{:.3}", column[k].1)))?;
    }
    row(&mut out, "sum", columns.iter().map(|(c, ..)| format!("{:.3}", c.iter().map(|(_, ms)| ms).sum::<f64>())))?;
    for (k, (name, _)) in columns[0].1.iter().enumerate() {
        row(&mut out, name, columns.iter().map(|(_, epochs, _)| format!("{:.0}", epochs[k].1)))?;
    }
    Ok(())
}
