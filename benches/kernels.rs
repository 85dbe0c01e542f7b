//! Milliseconds of every HAM kernel on a synthetic scene (two hands) at mesh levels 1, 2 and 3, as a plain table.
//!
//! ```text
//! cargo bench --no-default-features --bench kernels                     four views of 640x512
//! cargo bench --no-default-features --bench kernels -- 16 1280x1024     the size of the real rig
//! ```
//! Pixel kernels are summed over the views, vertex kernels counted once. Each number is the median of [`REPEATS`] profiles
//! after one to warm up, wall time from submission to completion: on a machine that does other work, compare within one
//! table, not between tables.

use anyhow::Context as _;
use std::io::Write as _;
use thenar::fitting::ham::target::TargetSource;
use thenar::fitting::ham::{Ham, HamSettings};
use thenar::gpu::{DeviceChoice, Gpu};
use thenar::hand::{HandModel, PosedHand, pose_hand};
use thenar::synthetic::{SynthSettings, SyntheticScene, make};

const LEVELS: [usize; 3] = [1, 2, 3];
const REPEATS: usize = 5;

/// Median milliseconds of each kernel, in the order of a step.
type Column = Vec<(&'static str, f64)>;

/// One column of the table, and the number of triangles.
fn measure(gpu: &Gpu, scene: &SyntheticScene, level: usize) -> anyhow::Result<(Column, usize)> {
    let posed: Vec<PosedHand> = scene.hands.iter().map(|h| pose_hand(&h.model, &h.parameters)).collect();
    let hands: Vec<(&HandModel, &PosedHand)> = scene.hands.iter().map(|h| &h.model).zip(&posed).collect();
    let sources: Vec<Option<TargetSource<'_>>> = scene
        .capture
        .views
        .iter()
        .map(|v| Some(TargetSource { camera: &v.camera, image: &v.image, mask: v.mask.as_ref() }))
        .collect();
    let ham = Ham::new(gpu, &HamSettings { level, ..HamSettings::default() }, &hands, &sources)?;
    ham.profile()?;
    let profiles = (0..REPEATS).map(|_| ham.profile()).collect::<Result<Vec<_>, _>>()?;
    let median = |k: usize| {
        let mut times: Vec<f64> = profiles.iter().map(|p| p[k].1).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let column = profiles[0].iter().enumerate().map(|(k, (name, _))| (*name, median(k))).collect();
    Ok((column, ham.mesh().topology.faces.len()))
}

fn row(out: &mut impl std::io::Write, name: &str, cells: impl Iterator<Item = String>) -> std::io::Result<()> {
    write!(out, "{name:<28}")?;
    for cell in cells {
        write!(out, "{cell:>12}")?;
    }
    writeln!(out)
}

/// `[VIEWS [WIDTHxHEIGHT]]`; cargo's own `--bench` is passed over.
fn settings() -> anyhow::Result<SynthSettings> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let views = words.next().map_or(Ok(4), |w| w.parse()).context("the number of views")?;
    let size = words.next().unwrap_or_else(|| "640x512".to_owned());
    let (width, height) = size.split_once('x').context("the size is WIDTHxHEIGHT")?;
    Ok(SynthSettings { views, size: (width.parse()?, height.parse()?), supersample: 1, ..SynthSettings::default() })
}

fn main() -> anyhow::Result<()> {
    let settings = settings()?;
    let gpu = Gpu::new(&DeviceChoice::Auto)?;
    let scene = make(&settings)?;
    let columns = LEVELS.iter().map(|level| measure(&gpu, &scene, *level)).collect::<anyhow::Result<Vec<_>>>()?;

    let mut out = std::io::stdout().lock();
    let (width, height) = settings.size;
    writeln!(out, "{}; {} views of {width}x{height}; milliseconds", gpu.description().name, settings.views)?;
    row(&mut out, "mesh level", LEVELS.iter().map(usize::to_string))?;
    row(&mut out, "triangles", columns.iter().map(|(_, faces)| faces.to_string()))?;
    for (k, (name, _)) in columns[0].0.iter().enumerate() {
        row(&mut out, name, columns.iter().map(|(column, _)| format!("{:.3}", column[k].1)))?;
    }
    row(&mut out, "sum", columns.iter().map(|(c, _)| format!("{:.3}", c.iter().map(|(_, ms)| ms).sum::<f64>())))?;
    Ok(())
}
