//! `thenar inspect`: what a capture folder holds.

use std::path::PathBuf;

/// Arguments of `thenar inspect`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct InspectArgs {
    /// Capture folder.
    pub capture: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse_only;

    #[test]
    fn the_documented_forms_parse() {
        let expected = InspectArgs { capture: "room".into(), json: true };
        assert_eq!(parse_only::<InspectArgs>("room --json").expect("documented"), expected, "with --json");
        assert!(parse_only::<InspectArgs>("").is_err(), "a capture is needed");
    }
}
