//! `thenar convert-calib`: a calibration in another program's format.

use super::capture_args::CaptureArgs;
use super::{CliError, Exit};
use crate::capture::Calibration;
use crate::export::{CalibrationFormat, atomic, calibration_files};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ConvertFormat {
    /// FMHR's `param.npz`; no lens distortion.
    Fmhr,
    /// COLMAP's binary model.
    Colmap,
    /// COLMAP's text model.
    ColmapText,
    /// `transforms.json` of nerfstudio and instant-ngp.
    Transforms,
    /// OpenCV's YAML, with a list of cameras.
    Opencv,
    /// OpenCV's JSON, with a list of cameras.
    OpencvJson,
    /// `scene.ron`, which holds everything.
    Scene,
}

impl From<ConvertFormat> for CalibrationFormat {
    fn from(format: ConvertFormat) -> Self {
        match format {
            ConvertFormat::Fmhr => Self::Fmhr,
            ConvertFormat::Colmap => Self::Colmap,
            ConvertFormat::ColmapText => Self::ColmapText,
            ConvertFormat::Transforms => Self::Transforms,
            ConvertFormat::Opencv => Self::OpenCvYaml,
            ConvertFormat::OpencvJson => Self::OpenCvJson,
            ConvertFormat::Scene => Self::Scene,
        }
    }
}

/// Arguments of `thenar convert-calib`.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct ConvertArgs {
    /// Calibration file, or capture folder (which also tells image names and sizes); it is only read.
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// File to write, its format told by the ending (.npz, .ron, .yml, .json with `transforms` in its name, other .json);
    /// or a folder, with --to.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Format to write.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: Option<ConvertFormat>,
    /// How to read the calibration.
    #[command(flatten)]
    pub reading: CaptureArgs,
}

/// The format that a file's name asks for.
fn by_name(path: &Path) -> Option<ConvertFormat> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    match name.rsplit_once('.')?.1 {
        "npz" => Some(ConvertFormat::Fmhr),
        "ron" => Some(ConvertFormat::Scene),
        "yml" | "yaml" => Some(ConvertFormat::Opencv),
        "json" if name.contains("transforms") => Some(ConvertFormat::Transforms),
        "json" => Some(ConvertFormat::OpencvJson),
        _ => None,
    }
}

impl ConvertArgs {
    /// The format, and whether OUT is the one file of it.
    fn target(&self) -> Result<(ConvertFormat, bool), CliError> {
        let named = by_name(&self.output).filter(|_| !self.output.is_dir());
        match (self.to, named) {
            (Some(to), Some(named)) if to == named => Ok((to, true)),
            (Some(to), Some(named)) => {
                let message = format!("--to {to:?} and the name {} ({named:?}) disagree", self.output.display());
                Err(CliError::Usage(message))
            }
            (Some(to), None) => Ok((to, false)),
            (None, Some(named)) => Ok((named, true)),
            (None, None) => Err(CliError::Usage(
                "OUT has none of the endings .npz, .ron, .yml, .json: say with --to which format to write into the folder"
                    .to_owned(),
            )),
        }
    }
}

pub(super) fn run(args: &ConvertArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    let (format, is_file) = args.target()?;
    let calibration = Calibration::open(&args.input, &args.reading.options())?;
    for inference in &calibration.inferences {
        tracing::info!("{inference}");
    }
    for warning in &calibration.warnings {
        tracing::warn!("{warning}");
    }
    let files = calibration_files(&calibration, format.into())?;
    let paths: Vec<PathBuf> =
        files.iter().map(|(name, _)| if is_file { args.output.clone() } else { args.output.join(name) }).collect();
    if let Some(path) = paths.iter().find(|p| p.exists()) {
        return Err(CliError::Usage(format!("{} exists already: name another place", path.display())));
    }
    let folder = if is_file { args.output.parent().unwrap_or(Path::new("")) } else { &args.output };
    if !folder.as_os_str().is_empty() {
        std::fs::create_dir_all(folder)?;
    }
    for (path, (_, bytes)) in paths.iter().zip(&files) {
        atomic::write(path, bytes)?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_format_follows_the_name_or_the_option() {
        let target = |words: &str| parse_only::<ConvertArgs>(words).expect("documented").target();
        for (words, format, is_file) in [
            ("room rig.ron", ConvertFormat::Scene, true),
            ("room a/transforms.json", ConvertFormat::Transforms, true),
            ("room rig.json", ConvertFormat::OpencvJson, true),
            ("room rig.YML", ConvertFormat::Opencv, true),
            ("room param.npz --units mm", ConvertFormat::Fmhr, true),
            ("room sparse/0 --to colmap-text", ConvertFormat::ColmapText, false),
            ("room rig.ron --to scene", ConvertFormat::Scene, true),
        ] {
            assert_eq!(target(words).expect(words), (format, is_file), "{words}");
        }
        for wrong in ["room folder", "room rig.ron --to colmap"] {
            assert!(matches!(target(wrong), Err(CliError::Usage(_))), "{wrong}");
        }
    }
}
