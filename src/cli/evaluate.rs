//! `thenar evaluate`: how good a reconstruction is.

use crate::gpu::DeviceChoice;
use std::path::PathBuf;

/// Arguments of `thenar evaluate`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct EvaluateArgs {
    /// Run folder.
    pub run: PathBuf,
    /// Folder with the true meshes and joints (`ground_truth` of a synthetic capture).
    #[arg(long, value_name = "DIR")]
    pub ground_truth: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
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
        let args: EvaluateArgs = parse_only("run").expect("documented");
        assert_eq!((args.ground_truth, args.json), (None, false), "defaults");
        let args: EvaluateArgs = parse_only("run --ground-truth truth --json").expect("documented");
        assert_eq!((args.ground_truth, args.json), (Some("truth".into()), true), "chosen");
        assert_eq!(parse_only::<EvaluateArgs>("").expect_err("no run").exit_code(), 2, "a run is needed");
    }
}
