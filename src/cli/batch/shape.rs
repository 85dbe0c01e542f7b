//! One person's captures: the shape that their hands have in common.
//!
//! Every capture is fitted first, which takes about a second, into `shape/` in the output folder: a batch of its own, so that
//! it is skipped, resumed and reported as any other. The shape that they agree on is then part of each reconstruction's
//! arguments, as the mean of a narrow prior (`fit.shape_mean`): the run's own `run.ron` holds it, and `--resume` needs nothing
//! else. A capture more or less changes the shape, and with it the arguments of all.

use super::job::{Job, State};
use crate::cli::CliError;
use crate::export::atomic;
use crate::fitting::hand_fit::{CommonShape, HandFitSettings, ShapeEstimate};
use crate::pipeline::{Checkpoint, RunRecord};
use std::fmt;
use std::path::Path;

/// Folder of the fits, in the output folder.
pub(super) const FOLDER: &str = "shape";
/// What was found, in the output folder.
pub(super) const FILE: &str = "shape.json";

/// Arguments that end after the fit: those given, without what comes later.
pub(super) fn fit_alone(arguments: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--until" => drop(words.next()),
            "--report" => {}
            other if other.starts_with("--until=") => {}
            _ => kept.push(word.clone()),
        }
    }
    kept.extend(["--until", "fit"].map(str::to_owned));
    kept
}

/// The shape of the person.
pub(super) struct Shared {
    shape: CommonShape,
    /// Whether the fits had a free scale.
    scaled: bool,
    hands: usize,
    captures: usize,
    /// Middle distance of a hand's shape from the common one: root mean square over the components.
    spread: f64,
}

impl Shared {
    /// What the fits that are done have in common; nothing when none is.
    pub(super) fn of(fits: &[Job]) -> Result<Option<Self>, CliError> {
        let mut hands: Vec<ShapeEstimate> = Vec::new();
        let (mut settings, mut captures) = (HandFitSettings::default(), 0);
        for job in fits.iter().filter(|job| job.record.state == State::Done) {
            settings = RunRecord::read(&job.run)?.preset.fit;
            let facts = Checkpoint::read(&job.run.join("checkpoint"))?.facts;
            captures += usize::from(!facts.hands.is_empty());
            hands.extend(facts.hands.iter().map(|h| ShapeEstimate::new(&h.parameters, h.shape_information)));
        }
        Ok(CommonShape::of(&hands, &settings).map(|shape| Self {
            spread: spread(&hands, &shape.betas),
            hands: hands.len(),
            shape,
            scaled: settings.fit_scale,
            captures,
        }))
    }

    /// As `reconstruct` takes it. Four digits, so that the words are the same wherever they are worked out.
    pub(super) fn arguments(&self) -> Vec<String> {
        let held = self.shape.prior(&HandFitSettings::default());
        let betas: Vec<String> = held.shape_mean.iter().map(|b| format!("{b:.4}")).collect();
        let mut settings =
            vec![format!("fit.shape_mean=[{}]", betas.join(",")), format!("fit.shape_weight={:.0}", held.shape_weight)];
        if self.scaled {
            settings.extend([format!("fit.scale={:.6}", self.shape.scale), "fit.fit_scale=false".to_owned()]);
        }
        settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect()
    }

    /// Writes `shape.json`.
    pub(super) fn write(&self, output: &Path) -> Result<(), CliError> {
        let json = serde_json::json!({
            "betas": self.shape.betas,
            "scale": self.scaled.then_some(self.shape.scale),
            "hands": self.hands,
            "captures": self.captures,
            "spread": self.spread,
        });
        Ok(atomic::write(&output.join(FILE), format!("{json:#}\n").as_bytes())?)
    }
}

fn spread(hands: &[ShapeEstimate], betas: &[f64; 10]) -> f64 {
    let mut off: Vec<f64> = hands
        .iter()
        .map(|h| (h.betas.iter().zip(betas).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 10.0).sqrt())
        .collect();
    off.sort_by(f64::total_cmp);
    off.get(off.len() / 2).copied().unwrap_or(0.0)
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hands, captures, spread, .. } = self;
        write!(
            f,
            "one shape for all: that of {hands} hands of {captures} captures, which are {spread:.2} from it in the \
             middle (people differ by 1)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::Preset;

    #[test]
    fn the_fit_comes_alone() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let kept = fit_alone(&words("--preset draft --until ham --report --hands right --until=neural"));
        assert_eq!(kept, words("--preset draft --hands right --until fit"), "what comes after the fit is left out");
    }

    #[test]
    fn the_arguments_are_settings() {
        let betas = std::array::from_fn(|i| 0.1 * f64::from(u8::try_from(i).expect("ten")) - 0.41238);
        let shape = CommonShape { betas, scale: 1.05 };
        let shared = Shared { shape, scaled: true, hands: 2, captures: 2, spread: 0.1 };
        let mut preset = Preset::default();
        for words in shared.arguments().chunks(2) {
            let (key, value) = words[1].split_once('=').expect("a setting");
            preset.set(key, value).expect("a setting there is");
        }
        assert!((preset.fit.shape_mean[0] + 0.4124).abs() < 1e-12, "{:?}", preset.fit.shape_mean);
        assert_eq!((preset.fit.scale, preset.fit.fit_scale), (1.05, false), "the scale is held");
        assert!(preset.fit.shape_weight > 50.0, "narrow");
        let text = ron::ser::to_string(&preset).expect("RON");
        assert_eq!(Preset::parse("again", &text).expect("reads"), preset, "a resumed run gets the same numbers");
    }
}
