//! `thenar synth`: a capture with a known answer.

use super::{CliError, Exit, args};
use crate::export::atomic::create_empty_folder;
use crate::export::write_scene;
use crate::synthetic::{self, SynthSettings};
use std::io::Write;
use std::path::PathBuf;

/// Which hands a synthetic capture shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SynthHands {
    /// The right hand.
    Right,
    /// The left hand.
    Left,
    /// Both hands.
    #[default]
    Both,
}

impl From<SynthHands> for synthetic::SynthHands {
    fn from(hands: SynthHands) -> Self {
        match hands {
            SynthHands::Right => Self::Right,
            SynthHands::Left => Self::Left,
            SynthHands::Both => Self::Both,
        }
    }
}

/// Arguments of `thenar synth`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct SynthArgs {
    /// Folder to write; new or empty.
    pub output: PathBuf,
    /// Which hands.
    #[arg(long, value_enum, default_value_t)]
    pub hands: SynthHands,
    /// Number of cameras.
    #[arg(long, default_value_t = 16, value_name = "NUMBER")]
    pub views: usize,
    /// Image size in pixels.
    #[arg(long, default_value = "1280x1024", value_parser = args::size_px, value_name = "WIDTHxHEIGHT")]
    pub size: (u32, u32),
    /// Seed of everything random.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
    /// Seed of the hands' shape and skin (default: that of --seed): captures of one person have the same.
    #[arg(long, value_name = "NUMBER")]
    pub person: Option<u64>,
    /// A moving hand: so many frames, 30 a second, each a capture in a numbered folder of its own.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub frames: Option<u32>,
    /// Standard deviation of the keypoints' noise in pixels.
    #[arg(long, default_value = "0", value_parser = args::not_negative, value_name = "PIXELS")]
    pub noise_px: f64,
    /// Share of keypoints that lie in a wrong place, 0 to 1.
    #[arg(long, default_value = "0", value_parser = args::fraction, value_name = "SHARE")]
    pub outliers: f64,
    /// Number of views in which left and right are exchanged.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub swaps: usize,
    /// Strength of a highlight that moves with the camera, 0 to 1.
    #[arg(long, default_value = "0", value_parser = args::fraction, value_name = "SHARE")]
    pub gloss: f64,
}

impl SynthArgs {
    fn settings(&self) -> SynthSettings {
        SynthSettings {
            hands: self.hands.into(),
            views: self.views,
            size: self.size,
            seed: self.seed,
            person: self.person,
            noise_px: self.noise_px,
            outliers: self.outliers,
            swaps: self.swaps,
            gloss: self.gloss,
            ..SynthSettings::default()
        }
    }
}

pub(super) fn run(args: &SynthArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let settings = args.settings();
    settings.check()?;
    // Rendering takes a while: a folder that will be refused is refused before it.
    create_empty_folder(&args.output)?;
    match args.frames {
        None => write_scene(&synthetic::make(&settings)?, &args.output)?,
        Some(frames) => {
            let digits = frames.to_string().len().max(4);
            for frame in 0..frames {
                let scene = synthetic::make(&SynthSettings { frame, ..settings.clone() })?;
                write_scene(&scene, &args.output.join(format!("{frame:0digits$}")))?;
                tracing::info!("frame {} of {frames}", frame + 1);
            }
        }
    }
    writeln!(out, "{}", args.output.display())?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let args: SynthArgs = parse_only("out").expect("documented");
        let expected = SynthArgs {
            output: "out".into(),
            hands: SynthHands::Both,
            views: 16,
            size: (1280, 1024),
            seed: 1,
            person: None,
            frames: None,
            noise_px: 0.0,
            outliers: 0.0,
            swaps: 0,
            gloss: 0.0,
        };
        assert_eq!(args, expected, "defaults");
        let args: SynthArgs = parse_only(
            "out --hands right --views 8 --size 640x512 --seed 3 --person 9 --frames 30 --noise-px 3 --outliers 0.1 --swaps 1 --gloss 0.3",
        )
        .expect("all");
        let expected = SynthArgs {
            output: "out".into(),
            hands: SynthHands::Right,
            views: 8,
            size: (640, 512),
            seed: 3,
            person: Some(9),
            frames: Some(30),
            noise_px: 3.0,
            outliers: 0.1,
            swaps: 1,
            gloss: 0.3,
        };
        assert_eq!(args, expected, "chosen");
        for wrong in ["", "out --frames 0", "out --views -1", "out --size 640", "out --outliers 2", "out --noise-px -1"]
        {
            assert_eq!(parse_only::<SynthArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn the_settings_are_those_of_the_arguments() {
        let args: SynthArgs = parse_only("out --hands left --views 3 --size 64x64 --noise-px 2").expect("documented");
        let settings = args.settings();
        assert_eq!(settings.hands, synthetic::SynthHands::Left, "hands");
        assert_eq!((settings.views, settings.size, settings.noise_px), (3, (64, 64), 2.0), "numbers");
    }

    #[test]
    fn a_small_capture_is_written_and_a_folder_that_is_not_empty_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = folder.path().join("scene");
        let args: SynthArgs =
            parse_only(&format!("{} --hands right --views 2 --size 64x64", target.display())).expect("documented");
        let mut out = Vec::new();
        assert_eq!(run(&args, &mut out).expect("a small scene"), Exit::Done, "done");
        assert_eq!(String::from_utf8(out).expect("text"), format!("{}\n", target.display()), "where it lies");
        assert!(target.join("ground_truth/joints.json").is_file(), "with its answer");
        let error = run(&args, &mut Vec::new()).expect_err("not empty any more");
        assert_eq!(error.exit(), Exit::Usage, "{error}");
    }

    #[test]
    fn settings_out_of_range_are_usage_errors() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = folder.path().join("scene");
        let args: SynthArgs = parse_only(&format!("{} --views 1", target.display())).expect("a number");
        let error = run(&args, &mut Vec::new()).expect_err("one view is no rig");
        assert_eq!(error.exit(), Exit::Usage, "{error}");
        assert!(!target.exists(), "nothing is written");
    }
}
