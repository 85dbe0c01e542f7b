//! Settings of the neural renderer.

use super::NeuralError;
use super::unet::MOST_WIDE;
use serde::{Deserialize, Serialize};

/// Which network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeuralKind {
    /// Two hidden layers of 64.
    #[default]
    Compact,
    /// Seven hidden layers of 256 over the published encoding.
    Paper,
    /// The published screen-space network, over whole images.
    Unet,
}

impl NeuralKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Compact, Self::Paper, Self::Unet];

    /// Name in presets and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Paper => "paper",
            Self::Unet => "unet",
        }
    }
}

/// What the network's outputs mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// The colour, by a sigmoid, as published.
    Direct,
    /// What is added to the shaded colour: the network begins at the shaded picture.
    Residual,
    /// Logarithm of the factor of the shaded colour; it begins there too.
    #[default]
    Ratio,
}

impl Output {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Direct, Self::Residual, Self::Ratio];

    /// Name in presets and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Residual => "residual",
            Self::Ratio => "ratio",
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NeuralSettings {
    /// Whether a run that is not told where to end goes on to this stage.
    pub enabled: bool,
    /// `compact`, `paper` or `unet`.
    pub kind: NeuralKind,
    /// Channels of `unet` at its largest size, a multiple of 8; 32 as published.
    pub unet_width: u32,
    /// Adam rate of the weights of `unet`, which learns nothing at that of `compact`.
    pub unet_rate: f64,
    /// `direct`, `residual` or `ratio`.
    pub output: Output,
    /// Images are used at `1 / image_divisor` of their size.
    pub image_divisor: u32,
    /// Epochs over all views.
    pub epochs: u32,
    /// Pixels of a view that a step looks at; rounded up to a multiple of 512.
    pub samples_per_view: u32,
    /// Views a step.
    pub views_per_step: usize,
    /// Adam rate of the weights of `compact` and `paper`.
    pub rate: f64,
    /// Adam rate of the features.
    pub feature_rate: f64,
    /// Rates fall geometrically to this part of themselves; 1 = they stay, as published.
    pub final_rate: f64,
    /// Weight of the loss.
    pub photometric: f64,
    /// Residuals below this are squared (0..1 a channel); 1 = all of them, as published.
    pub softness: f64,
    /// Colours from here on are clipped by the camera: a brighter render is no error. Above 1: never.
    pub clipped: f64,
    /// What pulls features to zero.
    pub feature_decay: f64,
    /// Part of the samples that is not told where it is seen from, so that the network does not rely on it alone.
    pub view_dropout: f64,
    /// Views' gains are fitted anew after every epoch; `false`: they stay as the shaded picture has them.
    pub fit_gains: bool,
    /// Only pixels that the mask covers by at least this much are looked at.
    pub coverage: f64,
    /// Epochs of the joint refinement of surface and network after those on the still surface; 0 = none.
    pub refine_epochs: u32,
    /// Adam step of the surface there, millimetres; it falls to a third.
    pub refine_step_mm: f64,
    /// Width of the smoothing of its steps over the surface, millimetres (at most `ham.smoothing_coarse_mm`); 0 = as in HAM.
    pub refine_smoothing_mm: f64,
    /// Adam rate of the albedo there.
    pub refine_albedo_rate: f64,
    /// Part of their last rates by which network and features go on learning there.
    pub refine_network: f64,
    /// Weight of the second network's picture in the surface's steps.
    pub refine_guide: f64,
    /// Weight of the shaded picture, HAM's own, beside those of the networks.
    pub refine_shaded: f64,
}

impl Default for NeuralSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            kind: NeuralKind::Compact,
            unet_width: 8,
            unet_rate: 2e-4,
            output: Output::Ratio,
            image_divisor: 1,
            epochs: 80,
            samples_per_view: 8192,
            views_per_step: 4,
            rate: 2e-3,
            feature_rate: 3e-3,
            final_rate: 0.05,
            photometric: 100.0,
            softness: 0.1,
            clipped: 0.995,
            feature_decay: 0.0,
            view_dropout: 0.0,
            fit_gains: true,
            coverage: 0.9,
            refine_epochs: 0,
            refine_step_mm: 0.005,
            refine_smoothing_mm: 0.0,
            refine_albedo_rate: 1e-3,
            refine_network: 1.0,
            refine_guide: 1.0,
            refine_shaded: 1.0,
        }
    }
}

impl NeuralSettings {
    /// Whether there is such a network: known before hours of other work.
    ///
    /// # Errors
    /// [`NeuralError::Setting`].
    pub fn check(&self) -> Result<(), NeuralError> {
        if self.kind != NeuralKind::Unet {
            return Ok(());
        }
        let refuse = |name, problem: String| Err(NeuralError::Setting { name, problem });
        if !self.unet_width.is_multiple_of(8) || !(8..=MOST_WIDE).contains(&self.unet_width) {
            let problem = format!("is {}; widths are multiples of 8 from 8 to {MOST_WIDE}", self.unet_width);
            return refuse("unet_width", problem);
        }
        if self.refine_epochs > 0 {
            return refuse("refine_epochs", "is for `compact` and `paper`; `unet` learns on the still mesh".to_owned());
        }
        Ok(())
    }

    /// Adam rate of the weights.
    #[must_use]
    pub(super) fn weight_rate(&self) -> f64 {
        if self.kind == NeuralKind::Unet { self.unet_rate } else { self.rate }
    }

    /// Views a step; a network for whole images takes one.
    #[must_use]
    pub(super) fn views_together(&self) -> usize {
        if self.kind == NeuralKind::Unet { 1 } else { self.views_per_step.max(1) }
    }

    /// Samples of a view a step.
    #[must_use]
    pub(super) fn samples(&self) -> u32 {
        self.samples_per_view.clamp(1, 1 << 15).next_multiple_of(super::layout::ROW_BLOCK)
    }
}
