//! Growth of everything: milliseconds of every HAM kernel and of every stage on a synthetic scene, at mesh levels 1, 2, 3 and
//! with 1, 4 and 16 views, as two Markdown tables (`docs/performance.md` holds such a run).
//!
//! ```text
//! cargo bench --no-default-features --bench kernels                                   two hands, 640x512
//! cargo bench --no-default-features --bench kernels -- 1,4,16 1280x1024               the size of the real rig
//! cargo bench --no-default-features --bench kernels -- 1 1280x1024 3 right            one view of one hand
//! ```
//! Arguments: numbers of views, image size, mesh levels, hands (`both`, `right`, `left`).
//! Pixel kernels are summed over the views, vertex kernels counted once. Each number is the median of [`REPEATS`] profiles
//! after one to warm up; each kernel is submitted alone, which adds about 0.1 ms to each. It is processor time from submission
//! to completion where the driver is software on Linux, which says most on a machine that does other work, and wall time
//! with a GPU. `one view: forward + gradient` is the mean over the views of all pixel kernels. Stages are processor time of
//! the whole process, epochs the fastest of a few, on the wall too.

mod support;

use anyhow::Context as _;
use std::io::Write as _;
use std::time::Instant;
use support::processor_seconds;
use thenar::capture::View;
use thenar::fitting::ham::target::TargetSource;
use thenar::fitting::ham::{Ham, HamSettings, Phase};
use thenar::fitting::hand_fit::{FitBackend, HandFit, HandFitSettings, Silhouette};
use thenar::fitting::masks::{MaskHand, MaskSettings, judge_mask};
use thenar::fitting::pose::{PoseSettings, Triangulator, estimate_joints};
use thenar::gpu::{DeviceChoice, Gpu};
use thenar::hand::{HandModel, PosedHand, pose_hand};
use thenar::synthetic::{SynthHands, SynthSettings, SyntheticScene, make};

const REPEATS: usize = 3;
/// Epochs of each phase: the first warms up.
const EPOCHS: u32 = 3;
/// Kernels that run once a step and not once a view.
const OVER_VERTICES: [&str; 8] = [
    "vertex_normals",
    "vertex_normals_grad",
    "unpack_grads",
    "laplacian",
    "laplacian_grad",
    "shape_prior",
    "adam",
    "diffuse (one step)",
];
/// Index of the middle finger's knuckle in MediaPipe's order.
const MIDDLE_KNUCKLE: usize = 9;

/// Milliseconds by name.
type Rows = Vec<(&'static str, f64)>;

/// What one combination of mesh level and number of views costs.
struct Column {
    level: usize,
    views: usize,
    triangles: usize,
    kernels: Rows,
    stages: Rows,
}

/// Wall and processor milliseconds of the fastest epoch of each phase.
fn epochs(ham: &mut Ham) -> anyhow::Result<Rows> {
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
    let names = [["albedo epoch, wall", "albedo epoch"], ["shape epoch, wall", "shape epoch"]];
    Ok(names.iter().flatten().copied().zip(best.into_iter().flatten().map(|s| 1e3 * s)).collect())
}

/// Processor milliseconds of what `work` does, and its result.
fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(f64, T)> {
    let start = processor_seconds();
    let value = work()?;
    Ok((1e3 * (processor_seconds() - start), value))
}

/// The stages before HAM, which know no mesh level; pose and fit need two views.
fn before_ham(gpu: &Gpu, scene: &SyntheticScene, views: &[&View]) -> anyhow::Result<Rows> {
    let cameras: Vec<_> = views.iter().map(|v| v.camera.clone()).collect();
    let mut rows = Rows::new();
    if views.len() > 1 {
        let keypoints: Vec<_> = views.iter().map(|v| v.keypoints.clone()).collect();
        let triangulator = Triangulator::on(gpu)?;
        let estimate = || {
            let used = vec![true; views.len()];
            Ok(estimate_joints(&cameras, &keypoints, &used, &PoseSettings::default(), &triangulator)?)
        };
        let (_, pose) = timed(estimate)?;
        rows.push(("pose", timed(estimate)?.0));
        let model = |side| scene.hands.iter().find(|h| h.side == side).map(|h| &h.model);
        let models = thenar::anatomy::Side::BOTH.map(model);
        let fit = || -> anyhow::Result<()> {
            let seen = views.iter().zip(&cameras).enumerate();
            let silhouettes: Vec<Silhouette<'_>> = seen
                .filter_map(|(view, (v, camera))| {
                    Some(Silhouette { view, camera, mask: v.mask.as_ref()?, edited: false })
                })
                .collect();
            let mut fit = HandFit::new(FitBackend::Gpu(gpu), models, &pose, &HandFitSettings::default())?;
            while fit.step()?.is_some() {}
            fit.finish(&silhouettes)?;
            Ok(())
        };
        timed(fit)?;
        rows.push(("fit", timed(fit)?.0));
    }
    let posed: Vec<PosedHand> = scene.hands.iter().map(|h| pose_hand(&h.model, &h.parameters)).collect();
    let mask_hands: Vec<MaskHand<'_>> = scene
        .hands
        .iter()
        .zip(&posed)
        .map(|(hand, posed)| MaskHand {
            vertices: &posed.vertices,
            faces: &hand.model.faces,
            wrist_loop: &hand.model.wrist_loop,
            middle_knuckle: posed.keypoints[MIDDLE_KNUCKLE],
        })
        .collect();
    let judge = || {
        for v in views {
            let _ = judge_mask(&v.camera, &v.image, v.mask.as_ref(), &mask_hands, &MaskSettings::default());
        }
        Ok(())
    };
    rows.push(("masks", timed(judge)?.0));
    Ok(rows)
}

fn measure(gpu: &Gpu, scene: &SyntheticScene, level: usize, views: usize) -> anyhow::Result<Column> {
    // From all around the rig.
    let every = (scene.capture.views.len() / views).max(1);
    let seen: Vec<&View> = scene.capture.views.iter().step_by(every).take(views).collect();
    let posed: Vec<PosedHand> = scene.hands.iter().map(|h| pose_hand(&h.model, &h.parameters)).collect();
    let hands: Vec<(&HandModel, &PosedHand)> = scene.hands.iter().map(|h| &h.model).zip(&posed).collect();
    let sources: Vec<Option<TargetSource<'_>>> = seen
        .iter()
        .map(|v| Some(TargetSource { camera: &v.camera, image: &v.image, mask: v.mask.as_ref(), judged: None }))
        .collect();
    let settings = HamSettings { level, albedo_epochs: EPOCHS, shape_epochs: EPOCHS, ..HamSettings::default() };
    let (start_ms, mut ham) = timed(|| Ok(Ham::new(gpu, &settings, &hands, &sources)?))?;
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
    let mut kernels: Rows = profiles[0].iter().enumerate().map(|(k, (name, _))| (*name, median(k))).collect();
    let pixels: f64 = kernels.iter().filter(|(name, _)| !OVER_VERTICES.contains(name)).map(|(_, ms)| ms).sum();
    kernels.push(("one view: forward + gradient", pixels / seen.len() as f64));
    let mut stages = before_ham(gpu, scene, &seen)?;
    stages.push(("start of HAM", start_ms));
    stages.extend(epochs(&mut ham)?);
    Ok(Column { level, views, triangles: ham.mesh().topology.faces.len(), kernels, stages })
}

/// A Markdown table of what `rows` gives for each column.
fn table(
    out: &mut impl std::io::Write,
    columns: &[Column],
    rows: fn(&Column) -> &Rows,
    digits: usize,
) -> std::io::Result<()> {
    let line = |name: &str, cells: Vec<String>| format!("| {name} | {} |", cells.join(" | "));
    let cells = |cell: &dyn Fn(&Column) -> String| columns.iter().map(cell).collect::<Vec<String>>();
    writeln!(out, "{}", line("mesh level", cells(&|c| c.level.to_string())))?;
    writeln!(out, "{}", line("---", cells(&|_| "--:".to_owned())))?;
    writeln!(out, "{}", line("triangles", cells(&|c| c.triangles.to_string())))?;
    writeln!(out, "{}", line("views", cells(&|c| c.views.to_string())))?;
    // The column with most rows has them all.
    let fullest = columns.iter().map(rows).max_by_key(|r| r.len());
    for (name, _) in fullest.into_iter().flatten() {
        let cell = |c: &Column| {
            let found = rows(c).iter().find(|(n, _)| n == name);
            found.map_or_else(|| "-".to_owned(), |(_, ms)| format!("{ms:.digits$}"))
        };
        writeln!(out, "{}", line(name, cells(&cell)))?;
    }
    Ok(())
}

struct Arguments {
    views: Vec<usize>,
    levels: Vec<usize>,
    scene: SynthSettings,
}

/// `[VIEWS,… [WIDTHxHEIGHT [LEVEL,… [HANDS]]]]`; cargo's own `--bench` is passed over.
fn arguments() -> anyhow::Result<Arguments> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let numbers = |text: String| text.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>();
    let views = numbers(words.next().unwrap_or_else(|| "1,4,16".to_owned())).context("the numbers of views")?;
    let size = words.next().unwrap_or_else(|| "640x512".to_owned());
    let (width, height) = size.split_once('x').context("the size is WIDTHxHEIGHT")?;
    let size = (width.parse()?, height.parse()?);
    let levels = numbers(words.next().unwrap_or_else(|| "1,2,3".to_owned())).context("the mesh levels")?;
    let hands = match words.next().as_deref() {
        None | Some("both") => SynthHands::Both,
        Some("right") => SynthHands::Right,
        Some("left") => SynthHands::Left,
        Some(other) => anyhow::bail!("hands are both, right or left, not {other}"),
    };
    let most = views.iter().copied().max().context("a number of views")?.max(2);
    anyhow::ensure!(views.iter().all(|v| *v > 0), "at least one view");
    let scene = SynthSettings { hands, views: most, size, supersample: 1, ..SynthSettings::default() };
    Ok(Arguments { views, levels, scene })
}

fn main() -> anyhow::Result<()> {
    let Arguments { views, levels, scene: settings } = arguments()?;
    let gpu = Gpu::new(&DeviceChoice::Auto)?;
    let scene = make(&settings)?;
    let mut columns = Vec::new();
    for &level in &levels {
        for &views in &views {
            columns.push(measure(&gpu, &scene, level, views)?);
        }
    }
    let mut out = std::io::stdout().lock();
    let (width, height) = settings.size;
    let hands = scene.hands.len();
    writeln!(out, "{}; {hands} hand(s), {width}x{height}; milliseconds\n", gpu.description().name)?;
    table(&mut out, &columns, |c| &c.kernels, 1)?;
    writeln!(out)?;
    table(&mut out, &columns, |c| &c.stages, 0)?;
    Ok(())
}
