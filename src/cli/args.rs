//! Argument values that several commands share.

use super::CliError;
use crate::hand::mano::{self, ManoConvention};
use crate::hand::{HandModel, open_hands};
use crate::pipeline::Stage;
use crate::regressor::HandRegressor;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Which hands to reconstruct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum HandSelection {
    /// Those that the detections show.
    #[default]
    Auto,
    /// The left hand.
    Left,
    /// The right hand.
    Right,
    /// Both hands.
    Both,
}

/// Which hand model to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HandModelChoice {
    /// The open hand that ships with the program.
    #[default]
    Open,
    /// MANO, from the folder `mano` (or the one that `THENAR_MANO` names).
    Mano,
    /// MANO files in another folder.
    Directory(PathBuf),
}

impl FromStr for HandModelChoice {
    type Err = std::convert::Infallible;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ok(match s {
            "open" => Self::Open,
            "mano" => Self::Mano,
            directory => Self::Directory(directory.into()),
        })
    }
}

/// A convention of MANO by its name. Boxed, as it is large among the arguments and mostly absent.
pub(super) fn convention(s: &str) -> Result<Box<ManoConvention>, String> {
    ManoConvention::preset(s).map(Box::new).ok_or_else(|| {
        let names: Vec<&str> = ManoConvention::names().collect();
        format!("there is no convention of this name; there are: {}", names.join(", "))
    })
}

/// The hand models of both sides, left first.
pub(super) fn hand_models(
    choice: &HandModelChoice,
    convention: Option<&ManoConvention>,
) -> Result<[Arc<HandModel>; 2], CliError> {
    let folder = match choice {
        HandModelChoice::Open if convention.is_some() => {
            return Err(CliError::Usage(
                "--hand-convention is about MANO; give --hand-model mano or a folder with it".to_owned(),
            ));
        }
        HandModelChoice::Open => return Ok(open_hands()?.map(Arc::new)),
        HandModelChoice::Mano => mano::find_folder()?,
        HandModelChoice::Directory(folder) => folder.clone(),
    };
    let convention = convention.cloned().unwrap_or_default();
    Ok(mano::load_folder(&folder, &convention)?.map(Arc::new))
}

/// The models with the files of weights that the user named for the fit's start. Each is read here once, so that one that
/// cannot be used is told before anything is computed.
pub(super) fn with_start_weights(
    mut models: [Arc<HandModel>; 2],
    files: &[PathBuf],
) -> Result<[Arc<HandModel>; 2], CliError> {
    for file in files {
        // A run that is resumed elsewhere finds it again.
        let path = file.canonicalize().unwrap_or_else(|_| file.clone());
        for side in HandRegressor::sides_of(&path, [&models[0], &models[1]])? {
            let model = &mut models[side.index()];
            HandRegressor::from_file(&path, model)?;
            Arc::make_mut(model).origin.start_weights = Some(path.clone());
        }
    }
    Ok(models)
}

/// Which views to render.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ViewSelection {
    /// Every view.
    #[default]
    All,
    /// The views that no stage has seen.
    HeldOut,
    /// These, by their position in the capture.
    Listed(Vec<usize>),
}

impl FromStr for ViewSelection {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "all" => Ok(Self::All),
            "held-out" => Ok(Self::HeldOut),
            list => list
                .split(',')
                .map(|n| n.trim().parse())
                .collect::<Result<_, _>>()
                .map(Self::Listed)
                .map_err(|_| "expected `all`, `held-out` or positions such as `0,3`".to_owned()),
        }
    }
}

/// One `--set key=value`: a setting of the preset by its path, e.g. `ham.level=2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Path of the setting, parts joined by dots.
    pub key: String,
    /// Its value in RON.
    pub value: String,
}

impl FromStr for Setting {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() && !value.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err("expected KEY=VALUE, for example ham.level=2".to_owned()),
        }
    }
}

/// The position of a view.
pub(super) fn view(s: &str) -> Result<usize, String> {
    s.trim().parse().map_err(|_| "expected positions of views separated by commas, such as 0,3".to_owned())
}

/// A stage by its name.
pub(super) fn stage(s: &str) -> Result<Stage, String> {
    Stage::ALL.into_iter().find(|stage| stage.name() == s).ok_or_else(|| {
        let names: Vec<&str> = Stage::ALL.iter().map(|s| s.name()).collect();
        format!("there is no stage of this name; there are: {}", names.join(", "))
    })
}

/// An image size such as `1280x1024`: width and height in pixels.
pub(super) fn size_px(s: &str) -> Result<(u32, u32), String> {
    let wrong = || "expected WIDTHxHEIGHT in pixels, for example 1280x1024".to_owned();
    let (width, height) = s.split_once(['x', 'X']).ok_or_else(wrong)?;
    match (width.parse(), height.parse()) {
        (Ok(width @ 1..), Ok(height @ 1..)) => Ok((width, height)),
        _ => Err(wrong()),
    }
}

/// A share between 0 and 1.
pub(super) fn fraction(s: &str) -> Result<f64, String> {
    match s.parse() {
        Ok(f) if (0.0..=1.0).contains(&f) => Ok(f),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// A finite number that is not negative.
pub(super) fn not_negative(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(f) if f.is_finite() && f >= 0.0 => Ok(f),
        _ => Err("expected a number of at least 0".to_owned()),
    }
}

/// Frames a second.
pub(super) fn frame_rate(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(f) if (0.001..=1000.0).contains(&f) => Ok(f),
        _ => Err("expected frames a second, from 0.001 to 1000".to_owned()),
    }
}

/// Parses `words` as the arguments `A` of one command, as clap would behind its name.
#[cfg(test)]
pub(super) fn parse_only<A: clap::Args>(words: &str) -> Result<A, clap::Error> {
    #[derive(clap::Parser)]
    struct Only<A: clap::Args> {
        #[command(flatten)]
        args: A,
    }
    use clap::Parser as _;
    Only::try_parse_from(std::iter::once("command").chain(words.split_whitespace())).map(|only| only.args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_all_held_out_or_listed() {
        assert_eq!("all".parse(), Ok(ViewSelection::All), "all");
        assert_eq!("held-out".parse(), Ok(ViewSelection::HeldOut), "held-out");
        assert_eq!("0,3".parse(), Ok(ViewSelection::Listed(vec![0, 3])), "a list");
        for wrong in ["", "none", "1,", "-1", "1;2"] {
            assert!(wrong.parse::<ViewSelection>().is_err(), "`{wrong}` is refused");
        }
    }

    #[test]
    fn settings_need_key_and_value() {
        let setting: Setting = "ham.level = 2".parse().expect("well formed");
        assert_eq!((setting.key.as_str(), setting.value.as_str()), ("ham.level", "2"), "blanks do not count");
        let list: Setting = "a=b=c".parse().expect("well formed");
        assert_eq!((list.key.as_str(), list.value.as_str()), ("a", "b=c"), "the first = divides");
        for wrong in ["", "key", "=2", "key=", " = "] {
            assert!(wrong.parse::<Setting>().is_err(), "`{wrong}` is refused");
        }
    }

    #[test]
    fn sizes_stages_and_numbers_are_checked() {
        assert_eq!(size_px("1280x1024"), Ok((1280, 1024)), "as documented");
        for wrong in ["1280", "0x4", "4x0", "axb", "1x2x3", "-1x2"] {
            assert!(size_px(wrong).is_err(), "`{wrong}` is refused");
        }
        assert_eq!(stage("fit"), Ok(Stage::Fit), "fit");
        assert!(stage("paint").is_err_and(|e| e.contains("pose, fit, ham, neural")), "what there is, is named");
        assert!(fraction("0.1").is_ok() && fraction("1.1").is_err() && fraction("nan").is_err(), "a share");
        assert!(not_negative("3").is_ok() && not_negative("-3").is_err() && not_negative("inf").is_err(), "a size");
    }

    #[test]
    fn conventions_are_known_by_name() {
        assert!(convention("interhand26m").is_ok_and(|c| c.fix_left_shapedirs), "a preset");
        assert!(convention("nobody").is_err_and(|e| e.contains("fmhr, manopth")), "what there is, is named");
        let wrong = hand_models(&HandModelChoice::Open, Some(&ManoConvention::default()));
        assert!(matches!(wrong, Err(CliError::Usage(_))), "the open hand has no MANO convention");
    }

    #[test]
    fn a_hand_model_is_a_name_or_a_folder() {
        assert_eq!("open".parse(), Ok(HandModelChoice::Open), "open");
        assert_eq!("mano".parse(), Ok(HandModelChoice::Mano), "mano");
        assert_eq!("./models".parse(), Ok(HandModelChoice::Directory("./models".into())), "a folder");
    }
}
