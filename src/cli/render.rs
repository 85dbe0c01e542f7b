//! `thenar render`: pictures of a reconstruction as its cameras see it; [`super::motion`] is about cameras that move.

use super::args::ViewSelection;
use super::motion::{self, MotionArgs};
use super::{CliError, Exit};
use crate::export::atomic;
use crate::gpu::DeviceChoice;
use crate::gpu::Gpu;
use crate::neural::{NeuralError, NeuralRenderer};
use crate::pipeline::{FinishedRun, PictureMaker, PictureMode, PipelineError, TextureScore, TexturedView, to_rgba8};
use crate::texture::FIT_ROUNDS;
use std::io::Write;
use std::path::PathBuf;

/// What a rendered pixel shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum RenderMode {
    /// Albedo times irradiance, as the photograph.
    #[default]
    Shaded,
    /// Albedo alone.
    Albedo,
    /// Normals as colours.
    Normals,
    /// Grey clay under a raking lamp: the surface alone, without albedo.
    Clay,
    /// As the run's network paints it; shaded, with the reason, where the run has none.
    Neural,
    /// The photograph with the mask's outline as given (magenta) and as used (green), and what is ignored (blue).
    Mask,
}

/// Arguments of `thenar render`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct RenderArgs {
    /// Run folder.
    pub run: PathBuf,
    /// Which views: `all`, `held-out`, or positions such as 0,3.
    #[arg(long, default_value = "all", value_name = "VIEWS")]
    pub views: ViewSelection,
    /// What to show.
    #[arg(long, value_enum, default_value_t)]
    pub mode: RenderMode,
    /// With a texture of this many pixels from the photographs, instead of the albedo of the vertices; `texture.json` says
    /// how much nearer to each photograph it is.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=8192))]
    pub texture: Option<u32>,
    /// Rounds in which the blend of the photographs is fitted to them; 0 leaves it as it is.
    #[arg(long, default_value_t = FIT_ROUNDS, value_name = "ROUNDS", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub texture_fit: u32,
    /// Folder for the pictures; with a moving camera a new one, or FILE.mp4 for a video with its frames beside it.
    #[arg(short, long = "output", value_name = "DIR|FILE.mp4")]
    pub output: PathBuf,
    /// Graphics device by name or index, see `thenar devices`.
    #[arg(long, default_value = "auto", value_name = "NAME|INDEX")]
    pub device: DeviceChoice,
    /// A camera that moves.
    #[command(flatten)]
    pub motion: MotionArgs,
}

impl RenderMode {
    /// How the hands are shaded; `None` for photographs and networks.
    pub(super) const fn picture(self) -> Option<PictureMode> {
        match self {
            Self::Shaded => Some(PictureMode::Shaded),
            Self::Albedo => Some(PictureMode::Albedo),
            Self::Normals => Some(PictureMode::Normals),
            Self::Clay => Some(PictureMode::Clay),
            Self::Neural | Self::Mask => None,
        }
    }
}

pub(super) fn run(args: &RenderArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let run = FinishedRun::read(&args.run)?;
    if args.motion.wanted() {
        return motion::run(args, &run, out);
    }
    let views: Vec<usize> = match &args.views {
        ViewSelection::All => (0..run.views()).collect(),
        ViewSelection::HeldOut => run.record.hold_out.clone(),
        ViewSelection::Listed(list) => list.clone(),
    };
    if views.is_empty() {
        return Err(CliError::Usage("no view was held out in this run; choose views with --views".to_owned()));
    }
    // A view that does not exist is refused before anything is written.
    if let Some(&view) = views.iter().find(|v| **v >= run.views()) {
        return Err(PipelineError::NoSuchView { view, last: run.views().saturating_sub(1) }.into());
    }
    if let Some(size) = args.texture {
        return textured(args, &run, &views, size, out);
    }
    if args.mode == RenderMode::Mask {
        return masks(args, &run, &views, out);
    }
    let gpu = Gpu::new(&args.device)?;
    if args.mode == RenderMode::Neural {
        match run.neural_renderer(&gpu) {
            Ok(renderer) => return neural(args, &run, renderer, &views, out),
            Err(PipelineError::Gpu(e) | PipelineError::Neural(NeuralError::Gpu(e))) => return Err(e.into()),
            Err(reason) => tracing::warn!("rendered shaded instead: {reason}"),
        }
    }
    let mode = args.mode.picture().unwrap_or(PictureMode::Shaded);
    let mut maker = PictureMaker::new(&gpu)?;
    std::fs::create_dir_all(&args.output)?;
    for view in views {
        write_picture(args, &run, view, &run.render(&mut maker, view, mode)?, out)?;
    }
    Ok(Exit::Done)
}

fn write_picture(
    args: &RenderArgs,
    run: &FinishedRun,
    view: usize,
    pixels: &[[f32; 4]],
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let camera = &run.checkpoint.facts.cameras[view];
    let Some(image) = image::RgbaImage::from_raw(camera.width_px, camera.height_px, to_rgba8(pixels)) else {
        return Err(CliError::Other(anyhow::anyhow!("the picture of view {view} has the wrong size")));
    };
    let path = args.output.join(format!("{view:02}.png"));
    atomic::write(&path, &atomic::png_bytes(&image)?)?;
    writeln!(out, "{}", path.display())?;
    Ok(())
}

/// Pictures by the run's network.
fn neural(
    args: &RenderArgs,
    run: &FinishedRun,
    mut renderer: NeuralRenderer,
    views: &[usize],
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    std::fs::create_dir_all(&args.output)?;
    for &view in views {
        write_picture(args, run, view, &run.render_neural(&mut renderer, view)?, out)?;
    }
    Ok(Exit::Done)
}

/// Pictures with the texture, and how they compare.
fn textured(
    args: &RenderArgs,
    run: &FinishedRun,
    views: &[usize],
    size: u32,
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    if args.mode != RenderMode::Shaded {
        return Err(CliError::Usage("--texture goes with --mode shaded".to_owned()));
    }
    if !run.has_layout() {
        return Err(CliError::Usage("the hand model of this run has no texture coordinates".to_owned()));
    }
    let (capture, textures) = run.bake_textures(size, args.texture_fit)?;
    std::fs::create_dir_all(&args.output)?;
    let mut scores: Vec<TextureScore> = Vec::new();
    for &view in views {
        let Some(TexturedView { score, rgba }) = run.textured_view(&capture, &textures, view) else { continue };
        let path = args.output.join(format!("{view:02}.png"));
        atomic::write(&path, &atomic::png_bytes(&rgba)?)?;
        writeln!(out, "{}", path.display())?;
        scores.push(score);
    }
    let trusted = |s: &&TextureScore| s.mask_trusted == Some(true) && !s.held_out;
    let mean = |of: fn(&TextureScore) -> Option<f64>| {
        let found: Vec<f64> = scores.iter().filter(trusted).filter_map(of).collect();
        #[expect(clippy::cast_precision_loss, reason = "view counts are small")]
        let mean = (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64);
        mean
    };
    let report = serde_json::json!({
        "texture_px": size,
        "texture_fit_rounds": args.texture_fit,
        "covered": textures.iter().map(|t| t.covered).collect::<Vec<f64>>(),
        "trusted_mean": { "vertices_db": mean(|s| s.vertices_db), "texture_db": mean(|s| s.texture_db) },
        "views": scores,
    });
    let path = args.output.join("texture.json");
    atomic::write(&path, serde_json::to_string_pretty(&report)?.as_bytes())?;
    writeln!(out, "{}", path.display())?;
    Ok(Exit::Done)
}

/// Photographs with the outlines of the masks.
fn masks(args: &RenderArgs, run: &FinishedRun, views: &[usize], out: &mut dyn Write) -> Result<Exit, CliError> {
    let capture = run.record.open_capture(&args.run)?;
    std::fs::create_dir_all(&args.output)?;
    for &view in views {
        let path = args.output.join(format!("{view:02}.png"));
        atomic::write(&path, &atomic::png_bytes(&run.mask_overlay(&capture, view)?)?)?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let args: RenderArgs = parse_only("run -o out").expect("documented");
        assert_eq!((args.views, args.mode), (ViewSelection::All, RenderMode::Shaded), "defaults");
        let args: RenderArgs = parse_only("run --views 0,3 --mode normals -o out").expect("documented");
        assert_eq!((args.views, args.mode), (ViewSelection::Listed(vec![0, 3]), RenderMode::Normals), "chosen");
        for wrong in ["run", "run -o out --views some", "run -o out --mode x-ray"] {
            assert_eq!(parse_only::<RenderArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }
}
