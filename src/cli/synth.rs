//! `thenar synth`: a capture with a known answer.

use super::args;
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

/// Arguments of `thenar synth`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct SynthArgs {
    /// Folder to write; it must not exist yet or be empty.
    pub output: PathBuf,
    /// Which hands.
    #[arg(long, value_enum, default_value_t)]
    pub hands: SynthHands,
    /// Number of cameras.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=256))]
    pub views: u32,
    /// Image size in pixels.
    #[arg(long, default_value = "1280x1024", value_parser = args::size_px, value_name = "WIDTHxHEIGHT")]
    pub size: (u32, u32),
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Standard deviation of the keypoints' noise in pixels.
    #[arg(long, default_value = "0", value_parser = args::not_negative, value_name = "PIXELS")]
    pub noise_px: f64,
    /// Share of keypoints that lie anywhere.
    #[arg(long, default_value = "0", value_parser = args::fraction, value_name = "SHARE")]
    pub outliers: f64,
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
            seed: 0,
            noise_px: 0.0,
            outliers: 0.0,
        };
        assert_eq!(args, expected, "defaults");
        let args: SynthArgs =
            parse_only("out --hands right --views 8 --size 640x512 --seed 3 --noise-px 3 --outliers 0.1").expect("all");
        let expected = SynthArgs {
            output: "out".into(),
            hands: SynthHands::Right,
            views: 8,
            size: (640, 512),
            seed: 3,
            noise_px: 3.0,
            outliers: 0.1,
        };
        assert_eq!(args, expected, "chosen");
        for wrong in ["", "out --views 1", "out --size 640", "out --outliers 2", "out --noise-px -1"] {
            assert_eq!(parse_only::<SynthArgs>(wrong).expect_err(wrong).exit_code(), 2, "{wrong}");
        }
    }
}
