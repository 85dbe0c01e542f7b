//! One network for several captures: its weights are shared, each capture has features and gains of its own.
//!
//! What a network learns of one capture is in its features and in its weights; trained on several captures at once, the weights
//! hold what they have in common (how gloss follows the mirrored direction, how edges darken), and a new capture begins with
//! them and with features of zero. FMHR does so with one network for many captures (§3.4).
//!
//! Captures take turns step by step, in the order they were given, until each has gone through its epoch. Whose turn it is gets
//! the weights and their moments from the one before: one list, as far as the optimiser knows.

use super::layout::Shape;
use super::training::{Neural, NeuralMesh, NeuralReport, NeuralView};
use super::{NeuralError, NeuralKind, NeuralSettings, Output};
use crate::gpu::Gpu;
use crate::shading::LIGHT_STRIDE;

/// What captures share: a network without features.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedNetwork {
    /// Which network.
    pub kind: NeuralKind,
    /// What its outputs mean.
    pub output: Output,
    /// As [`super::NeuralModel::weights`].
    pub weights: Vec<f32>,
}

impl SharedNetwork {
    /// Whether a run with these settings can begin with it.
    ///
    /// # Errors
    /// [`NeuralError::OtherNetwork`], or [`NeuralError::Setting`].
    pub fn check(&self, settings: &NeuralSettings) -> Result<(), NeuralError> {
        settings.check()?;
        if (self.kind, self.output) != (settings.kind, settings.output) {
            let [its, wanted] = [(self.kind, self.output), (settings.kind, settings.output)]
                .map(|(kind, output)| format!("`{}` with output `{}`", kind.name(), output.name()));
            let remedy = format!(
                "Give --set neural.kind={} --set neural.output={}, or train one for this run's settings \
                 (`thenar pretrain-renderer`)",
                self.kind.name(),
                self.output.name()
            );
            return Err(NeuralError::OtherNetwork { what: format!("it is {its}, the run has {wanted}"), remedy });
        }
        if self.weights.iter().any(|w| !w.is_finite()) {
            return Err(self.damaged("it has weights that are not finite".to_owned()));
        }
        match self.kind {
            NeuralKind::Unet => Ok(()),
            NeuralKind::Compact | NeuralKind::Paper => self.check_count(Shape::of(self.kind).numbers() as usize),
        }
    }

    fn check_count(&self, numbers: usize) -> Result<(), NeuralError> {
        if self.weights.len() == numbers {
            return Ok(());
        }
        let kind = self.kind.name();
        Err(self.damaged(format!("it has {} weights, the run's `{kind}` has {numbers}", self.weights.len())))
    }

    fn damaged(&self, what: String) -> NeuralError {
        let remedy = "Train it again with this version and the run's settings (`thenar pretrain-renderer`)".to_owned();
        NeuralError::OtherNetwork { what, remedy }
    }
}

impl Neural {
    /// Puts weights that were trained beforehand in the place of the first ones; features stay as they are.
    ///
    /// # Errors
    /// As [`SharedNetwork::check`].
    pub fn begin_with(&mut self, network: &SharedNetwork) -> Result<(), NeuralError> {
        network.check(&self.settings)?;
        network.check_count(usize::try_from(self.weights.len_bytes() / 4).unwrap_or(usize::MAX))?;
        self.weights.write(&self.gpu, &network.weights);
        Ok(())
    }
}

/// Training of one network on several captures.
#[derive(Debug)]
pub struct SharedTraining {
    settings: NeuralSettings,
    seed: u64,
    pub(super) captures: Vec<Neural>,
    next: usize,
    /// Whose weights are the newest.
    last: usize,
    steps: i32,
    /// Of the epoch under way, one a capture that has ended it.
    losses: Vec<f64>,
}

impl SharedTraining {
    /// Without a capture yet.
    ///
    /// # Errors
    /// [`NeuralError::Setting`].
    pub fn new(settings: &NeuralSettings, seed: u64) -> Result<Self, NeuralError> {
        settings.check()?;
        Ok(Self {
            settings: settings.clone(),
            seed,
            captures: Vec::new(),
            next: 0,
            last: 0,
            steps: 0,
            losses: Vec::new(),
        })
    }

    /// Adds a capture, before the first step; arguments as those of [`Neural::new`].
    ///
    /// # Errors
    /// As [`Neural::new`].
    pub fn add(
        &mut self,
        gpu: &Gpu,
        mesh: &NeuralMesh<'_>,
        light: &[f64; LIGHT_STRIDE],
        views: &[Option<NeuralView>],
    ) -> Result<(), NeuralError> {
        // Each looks at other pixels; the first step takes the weights of the first.
        let seed = self.seed ^ ((self.captures.len() as u64) << 40);
        self.captures.push(Neural::new(gpu, &self.settings, seed, mesh, light, views)?);
        Ok(())
    }

    /// Epochs that all captures have finished.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.captures.iter().map(Neural::epoch).min().unwrap_or(0)
    }

    /// True when no step is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.captures.iter().all(Neural::is_done)
    }

    /// Takes a step with one capture; returns the mean loss of all captures when it completed an epoch.
    ///
    /// # Errors
    /// As [`Neural::step`].
    pub fn step(&mut self) -> Result<Option<NeuralReport>, NeuralError> {
        let epoch = self.epoch();
        let count = self.captures.len();
        let turn = (0..count).map(|k| (self.next + k) % count).find(|k| self.captures[*k].epoch() == epoch);
        let Some(turn) = turn.filter(|_| !self.is_done()) else { return Ok(None) };
        self.hand_over(turn)?;
        let capture = &mut self.captures[turn];
        capture.steps_elsewhere = self.steps - capture.steps();
        let report = capture.step()?;
        self.steps += 1;
        self.next = turn + 1;
        let Some(report) = report else { return Ok(None) };
        self.losses.push(report.photometric);
        if self.losses.len() < count {
            return Ok(None);
        }
        let losses = std::mem::take(&mut self.losses);
        // Each epoch begins with the first capture.
        self.next = 0;
        let photometric = losses.iter().sum::<f64>() / losses.len() as f64;
        Ok(Some(NeuralReport { photometric, ..report }))
    }

    /// Gives the newest weights and moments to the capture whose turn it is.
    fn hand_over(&mut self, turn: usize) -> Result<(), NeuralError> {
        let from = std::mem::replace(&mut self.last, turn);
        if from == turn {
            return Ok(());
        }
        let gpu = &self.captures[turn].gpu;
        let mut recorder = gpu.recorder("weights handed over");
        for (from, to) in self.captures[from].weight_buffers().into_iter().zip(self.captures[turn].weight_buffers()) {
            recorder.copy(from, to);
        }
        Ok(recorder.submit()?)
    }

    /// What was learned together.
    ///
    /// # Errors
    /// A GPU error.
    pub fn network(&self) -> Result<SharedNetwork, NeuralError> {
        let weights = match self.captures.get(self.last) {
            Some(capture) => capture.gpu.read(&capture.weights)?,
            None => Vec::new(),
        };
        Ok(SharedNetwork { kind: self.settings.kind, output: self.settings.output, weights })
    }
}
