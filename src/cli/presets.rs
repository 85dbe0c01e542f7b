//! `thenar presets`: the shipped presets, and one in full.

use super::{CliError, Exit};
use crate::preset::{Preset, SHIPPED};
use std::io::Write;

/// Arguments of `thenar presets`.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct PresetsArgs {
    /// Print this preset in full, every setting with its value: a start for a preset of your own.
    pub name: Option<String>,
}

pub(super) fn run(args: &PresetsArgs, out: &mut dyn Write) -> Result<Exit, CliError> {
    if let Some(name) = &args.name {
        let preset = Preset::load(name)?;
        let text = ron::ser::to_string_pretty(&preset, ron::ser::PrettyConfig::default())
            .map_err(|e| anyhow::anyhow!("the preset cannot be written as RON: {e}"))?;
        writeln!(out, "{text}")?;
    } else {
        for (name, about, _) in SHIPPED {
            writeln!(out, "{name:<10} {about}")?;
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_a_preset() {
        let mut out = Vec::new();
        run(&PresetsArgs { name: Some("draft".to_owned()) }, &mut out).expect("shipped");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            Preset::parse("printed", &text).expect("parses"),
            Preset::load("draft").expect("shipped"),
            "the same"
        );
        let mut out = Vec::new();
        run(&PresetsArgs { name: None }, &mut out).expect("a list");
        let text = String::from_utf8(out).expect("text");
        assert!(SHIPPED.iter().all(|(name, ..)| text.contains(name)), "all are listed: {text}");
    }
}
