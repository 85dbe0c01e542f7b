//! `thenar render --turntable` and `--camera-path`: frames of a moving camera, and a video of them.
//!
//! The frames are whole or not there: they are written into a folder under another name, which gets its own when the last
//! frame and the video are done. Videos are made by ffmpeg, a program of its own.

use super::interrupt::Interrupt;
use super::render::{RenderArgs, RenderMode};
use super::{CliError, Exit};
use crate::camera::Camera;
use crate::export::atomic::{self, StagedFolder};
use crate::gpu::Gpu;
use crate::neural::NeuralError;
use crate::pipeline::{CameraPath, FinishedRun, PictureMaker, PictureMode, PipelineError, over, to_rgba8};
use image::{RgbImage, RgbaImage};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Frames beyond these are hours of video.
const MAX_FRAMES: f64 = 100_000.0;

/// How the camera moves and what becomes of its pictures.
#[derive(Clone, Debug, PartialEq, clap::Args)]
#[command(next_help_heading = "Moving camera")]
pub struct MotionArgs {
    /// Go this many degrees around the hands (360: all around; negative: the other way).
    #[arg(long, value_name = "DEGREES", conflicts_with = "camera_path", value_parser = degrees, allow_negative_numbers = true)]
    pub turntable: Option<f64>,
    /// Move along the cameras of a JSON file (docs/guide.md says what is in it).
    #[arg(long, value_name = "FILE.json")]
    pub camera_path: Option<PathBuf>,
    /// How long it takes; a camera path with times of its own has that.
    #[arg(long, value_name = "S", default_value_t = 8.0, value_parser = seconds)]
    pub seconds: f64,
    /// Frames a second.
    #[arg(long, default_value_t = 30.0, value_parser = super::args::frame_rate)]
    pub fps: f64,
    /// Size of the frames.
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = super::args::size_px)]
    pub size: (u32, u32),
    /// How far above the hands the turntable's camera stands, degrees.
    #[arg(long, value_name = "DEGREES", default_value_t = 12.0, value_parser = elevation, allow_negative_numbers = true)]
    pub elevation: f64,
    /// Background: `transparent` (frames alone), or a colour such as `#202124`.
    #[arg(long, value_name = "COLOUR", default_value = "#202124", value_parser = background)]
    pub background: Background,
}

/// What frames stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Background {
    /// Nothing.
    Transparent,
    /// A colour, sRGB.
    Colour([u8; 3]),
}

fn degrees(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(d) if d != 0.0 && d.abs() <= 36_000.0 => Ok(d),
        _ => Err("expected degrees, for example 360".to_owned()),
    }
}

fn elevation(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(d) if d.abs() <= 85.0 => Ok(d),
        _ => Err("expected degrees from -85 to 85".to_owned()),
    }
}

fn seconds(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(s) if s > 0.0 && s <= 3600.0 => Ok(s),
        _ => Err("expected seconds, at most 3600".to_owned()),
    }
}

fn background(s: &str) -> Result<Background, String> {
    let digits = s.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii());
    match (s, digits) {
        ("transparent", _) => Ok(Background::Transparent),
        (_, Some(d)) => {
            let byte = |k: usize| u8::from_str_radix(&d[2 * k..2 * k + 2], 16).ok();
            match (byte(0), byte(1), byte(2)) {
                (Some(r), Some(g), Some(b)) => Ok(Background::Colour([r, g, b])),
                _ => Err("expected six hexadecimal digits after #".to_owned()),
            }
        }
        _ => Err("expected `transparent` or a colour such as #202124".to_owned()),
    }
}

impl MotionArgs {
    /// Whether a moving camera is asked for.
    pub(super) const fn wanted(&self) -> bool {
        self.turntable.is_some() || self.camera_path.is_some()
    }

    /// A camera for each frame.
    fn cameras(&self, run: &FinishedRun) -> Result<Vec<Camera>, CliError> {
        if let Some(degrees) = self.turntable {
            let orbit = run.orbit();
            // All around, the last frame is one step before the first, so that the video loops.
            let parts = parts(self.count(self.seconds)?, (degrees % 360.0).abs() < 1e-9);
            let yaws: Vec<f64> = parts.iter().map(|t| (t * degrees).to_radians()).collect();
            let pitch = self.elevation.to_radians();
            let distance = orbit.distance_m(yaws.iter().copied(), pitch, self.size);
            return Ok(yaws.iter().map(|yaw| orbit.camera(*yaw, pitch, distance, self.size)).collect());
        }
        let Some(file) = &self.camera_path else { return Ok(Vec::new()) };
        let unusable = |problem: String| CliError::Usage(format!("{} {problem}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|e| unusable(format!("cannot be read: {e}")))?;
        let path = CameraPath::parse(&text, &run.checkpoint.facts.cameras, self.seconds).map_err(unusable)?;
        let seconds = if path.seconds() > 0.0 { path.seconds() } else { self.seconds };
        Ok(parts(self.count(seconds)?, path.closed()).iter().map(|t| path.camera(*t, self.size)).collect())
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the limit")]
    fn count(&self, seconds: f64) -> Result<usize, CliError> {
        let frames = (seconds * self.fps).round().max(1.0);
        if frames > MAX_FRAMES {
            return Err(CliError::Usage(format!("{frames} frames are too many; at most {MAX_FRAMES} are drawn")));
        }
        Ok(frames as usize)
    }
}

/// Where along the way each of `count` frames is: from 0 to 1, or to one step before 1 when the way comes back.
#[expect(clippy::cast_precision_loss, reason = "at most a hundred thousand")]
fn parts(count: usize, closed: bool) -> Vec<f64> {
    let steps = if closed { count } else { count.saturating_sub(1) }.max(1) as f64;
    (0..count).map(|i| i as f64 / steps).collect()
}

pub(super) fn run(args: &RenderArgs, run: &FinishedRun, out: &mut dyn Write) -> Result<Exit, CliError> {
    let motion = &args.motion;
    if args.texture.is_some() || args.mode == RenderMode::Mask {
        return Err(CliError::Usage(
            "a moving camera has no photograph: choose another mode, without --texture".to_owned(),
        ));
    }
    let video = args.output.extension().is_some_and(|e| e.eq_ignore_ascii_case("mp4"));
    if video {
        if motion.background == Background::Transparent {
            return Err(CliError::Usage(
                "an MP4 has no transparency: give a colour, or a folder for PNG frames".to_owned(),
            ));
        }
        ffmpeg_is_there()?;
    }
    let cameras = motion.cameras(run)?;
    let folder = if video { args.output.with_extension("") } else { args.output.clone() };
    let staged = StagedFolder::new(&folder)?;
    let gpu = Gpu::new(&args.device)?;
    let interrupt = Interrupt::install_saying("stopping; nothing is written")?;
    let mut painter = painter(args, run, &gpu)?;
    let mut paint = |i: usize| Ok(painted(&painter(&cameras[i])?, &cameras[i], motion.background));
    let mut said = std::time::Instant::now();
    let mut go_on = |done: usize| {
        if done > 0 && said.elapsed().as_secs() >= 2 {
            said = std::time::Instant::now();
            // Nobody may be listening; the frames count all the same.
            let _ = writeln!(std::io::stderr(), "{done} of {} frames", cameras.len());
        }
        !interrupt.requested()
    };
    let Some(names) = write_frames(staged.path(), cameras.len(), &mut paint, &mut go_on)? else {
        return Ok(Exit::Interrupted);
    };
    if video {
        encode(staged.path(), &args.output, motion.fps)?;
    }
    staged.commit()?;
    for name in names {
        writeln!(out, "{}", folder.join(name).display())?;
    }
    if video {
        writeln!(out, "{}", args.output.display())?;
    }
    Ok(Exit::Done)
}

/// What draws premultiplied pixels of a camera.
type Painter<'a> = Box<dyn FnMut(&Camera) -> Result<Vec<[f32; 4]>, CliError> + 'a>;

/// By the run's network where that is asked for and there; else shaded, with the reason.
fn painter<'a>(args: &RenderArgs, run: &'a FinishedRun, gpu: &Gpu) -> Result<Painter<'a>, CliError> {
    if args.mode == RenderMode::Neural {
        match run.neural_renderer(gpu) {
            Ok(mut renderer) => {
                return Ok(Box::new(move |camera| Ok(run.render_neural_from(&mut renderer, camera)?)));
            }
            Err(PipelineError::Gpu(e) | PipelineError::Neural(NeuralError::Gpu(e))) => return Err(e.into()),
            Err(reason) => tracing::warn!("rendered shaded instead: {reason}"),
        }
    }
    let mode = args.mode.picture().unwrap_or(PictureMode::Shaded);
    let mut maker = PictureMaker::new(gpu)?;
    Ok(Box::new(move |camera| Ok(run.render_from(&mut maker, camera, mode)?)))
}

/// A frame as it is written.
enum Frame {
    Opaque(RgbImage),
    Transparent(RgbaImage),
}

fn painted(pixels: &[[f32; 4]], camera: &Camera, background: Background) -> Frame {
    let (width, height) = (camera.width_px, camera.height_px);
    match background {
        Background::Transparent => {
            let bytes = to_rgba8(pixels);
            Frame::Transparent(
                RgbaImage::from_raw(width, height, bytes).unwrap_or_else(|| RgbaImage::new(width, height)),
            )
        }
        Background::Colour(colour) => Frame::Opaque(over(pixels, camera, |_| colour.map(|c| f64::from(c) / 255.0))),
    }
}

/// Writes `count` frames into a folder; their names, or `None` when `go_on` (asked before each with how many are done) says
/// no.
fn write_frames(
    folder: &Path,
    count: usize,
    paint: &mut dyn FnMut(usize) -> Result<Frame, CliError>,
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Vec<String>>, CliError> {
    let mut names = Vec::with_capacity(count);
    for i in 0..count {
        if !go_on(i) {
            return Ok(None);
        }
        let name = frame_name(i);
        let bytes = match paint(i)? {
            Frame::Opaque(image) => atomic::png_bytes(&image)?,
            Frame::Transparent(image) => atomic::png_bytes(&image)?,
        };
        atomic::write(&folder.join(&name), &bytes)?;
        names.push(name);
    }
    Ok(Some(names))
}

fn frame_name(i: usize) -> String {
    format!("frame_{i:05}.png")
}

/// The encoder: `THENAR_FFMPEG`, else `ffmpeg` of the path.
fn ffmpeg() -> Command {
    Command::new(std::env::var_os("THENAR_FFMPEG").unwrap_or_else(|| "ffmpeg".into()))
}

/// Asked before anything is drawn.
fn ffmpeg_is_there() -> Result<(), CliError> {
    let asked = ffmpeg().arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if asked.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(CliError::Usage(
        "an MP4 needs the program ffmpeg, which is not on the path: install it, name it in THENAR_FFMPEG, or give a folder \
         for PNG frames instead of a file"
            .to_owned(),
    ))
}

/// H.264 of the frames in a folder, under its name when it is whole.
fn encode(frames: &Path, video: &Path, fps: f64) -> Result<(), CliError> {
    let name = video.file_name().unwrap_or_default().to_string_lossy();
    // The ending tells ffmpeg the container.
    let partial = video.with_file_name(format!(".{name}.{}.partial.mp4", std::process::id()));
    let ended = ffmpeg()
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-framerate", &fps.to_string(), "-i"])
        .arg(frames.join("frame_%05d.png"))
        // Players want even sizes and 4:2:0; the metadata goes to the front, so that a video plays while it loads.
        .args(["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,format=yuv420p", "-c:v", "libx264", "-crf", "18"])
        .args(["-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart"])
        .arg(&partial)
        .stdin(Stdio::null())
        .output();
    let problem = match ended {
        Ok(output) if output.status.success() => {
            return std::fs::rename(&partial, video).map_err(|e| crate::export::ExportError::io(video)(e).into());
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(e) => e.to_string(),
    };
    // What ffmpeg has left is no video.
    let _ = std::fs::remove_file(&partial);
    Err(CliError::Other(anyhow::anyhow!("ffmpeg could not write {}: {problem}", video.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let args: RenderArgs = parse_only("run --turntable 360 --seconds 8 -o spin.mp4").expect("documented");
        assert_eq!(
            (args.motion.turntable, args.motion.seconds, args.motion.fps),
            (Some(360.0), 8.0, 30.0),
            "turntable"
        );
        assert_eq!(
            (args.motion.size, args.motion.background),
            ((1280, 720), Background::Colour([32, 33, 36])),
            "defaults"
        );
        let line = "run --camera-path p.json --fps 24 --size 320x200 --background transparent -o out";
        let args: RenderArgs = parse_only(line).expect("documented");
        assert_eq!(args.motion.camera_path, Some("p.json".into()), "path");
        assert_eq!((args.motion.size, args.motion.background), ((320, 200), Background::Transparent), "chosen");
        let args: RenderArgs = parse_only("run --turntable -90 --elevation -20 -o out").expect("negative numbers");
        assert_eq!((args.motion.turntable, args.motion.elevation), (Some(-90.0), -20.0), "the other way, from below");
        for wrong in [
            "run --turntable 0 -o out",
            "run --turntable 360 --camera-path p.json -o out",
            "run --turntable 360 --seconds 0 -o out",
            "run --turntable 360 --elevation 90 -o out",
            "run --turntable 360 --background blue -o out",
            "run --turntable 360 --background #12345é -o out",
        ] {
            assert_eq!(parse_only::<RenderArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_way_that_comes_back_does_not_show_its_first_frame_twice() {
        assert_eq!(parts(4, true), [0.0, 0.25, 0.5, 0.75], "it loops");
        assert_eq!(parts(3, false), [0.0, 0.5, 1.0], "from end to end");
        assert_eq!(parts(1, false), [0.0], "a single frame");
    }

    #[test]
    fn who_stops_half_way_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("frames");
        let mut paint = |_: usize| Ok(Frame::Opaque(RgbImage::new(2, 2)));
        let staged = StagedFolder::new(&target).expect("begun");
        let stopped = write_frames(staged.path(), 5, &mut paint, &mut |done| done < 3).expect("no failure");
        assert!(stopped.is_none(), "it was stopped");
        drop(staged);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing remains");
        let staged = StagedFolder::new(&target).expect("begun");
        let names = write_frames(staged.path(), 2, &mut paint, &mut |_| true).expect("written").expect("all");
        staged.commit().expect("whole");
        assert_eq!(names, ["frame_00000.png", "frame_00001.png"], "all of them");
        assert!(target.join("frame_00001.png").is_file(), "in the folder");
    }

    #[test]
    fn half_covered_pixels_take_half_of_the_background() {
        let camera = crate::camera::testing::plain(2, 1);
        let pixels = [[0.5, 0.5, 0.5, 0.5], [0.0; 4]];
        let Frame::Opaque(image) = painted(&pixels, &camera, Background::Colour([100, 0, 0])) else {
            panic!("a colour is opaque")
        };
        assert_eq!((image.get_pixel(0, 0).0, image.get_pixel(1, 0).0), ([178, 128, 128], [100, 0, 0]), "over");
        let Frame::Transparent(image) = painted(&pixels, &camera, Background::Transparent) else {
            panic!("transparent")
        };
        assert_eq!((image.get_pixel(0, 0).0, image.get_pixel(1, 0).0[3]), ([255, 255, 255, 128], 0), "straight alpha");
    }
}
