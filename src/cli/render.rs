//! `thenar render`: pictures of a reconstruction as its cameras see it.

use super::args::ViewSelection;
use crate::gpu::DeviceChoice;
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
}

/// Arguments of `thenar render`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct RenderArgs {
    /// Run folder.
    pub run: PathBuf,
    /// Which views: `all`, `held-out`, or positions such as 0,3.
    #[arg(long, default_value = "all", value_name = "VIEWS")]
    pub views: ViewSelection,
    /// What to show.
    #[arg(long, value_enum, default_value_t)]
    pub mode: RenderMode,
    /// Folder for the pictures.
    #[arg(short, long = "output", value_name = "DIR")]
    pub output: PathBuf,
    /// Graphics device by name or index, see `thenar devices`.
    #[arg(long, default_value = "auto", value_name = "NAME|INDEX")]
    pub device: DeviceChoice,
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
