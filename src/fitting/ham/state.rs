//! What a checkpoint holds of the stage, and going on from it.

use super::{Ham, HamError, Phase, cameras, plateau, residuals};

/// Everything a checkpoint needs; plain numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct HamState {
    /// 0 albedo, 1 shape, 2 done, 3 colour; on the coarser mesh 4 albedo, 5 coarse, 6 done.
    pub phase: u32,
    /// Epochs finished in the phase.
    pub epoch: u32,
    /// Flat device lists by name: `positions`, `albedo`, `lights` and their Adam moments.
    pub lists: Vec<(String, Vec<f32>)>,
    /// Adam steps taken for albedo, lights and positions.
    pub steps: [i32; 3],
}

impl Ham {
    /// Everything needed to go on later, at an epoch's end.
    ///
    /// # Errors
    /// A GPU error.
    pub fn state(&self) -> Result<HamState, HamError> {
        let mut lists = Vec::new();
        for (name, buffer) in self.training.state_buffers(&self.buffers) {
            lists.push((name.to_owned(), self.gpu.read::<f32>(buffer)?));
        }
        lists.push((cameras::LIST.to_owned(), cameras::to_list(&self.moves)));
        lists.push((residuals::LIST.to_owned(), residuals::to_list(&self.residuals)));
        lists.push((plateau::LIST.to_owned(), plateau::to_list(&self.history)));
        Ok(HamState { phase: number_of(self.phase, self.coarse), epoch: self.epoch, lists, steps: self.steps })
    }

    /// True between epochs, when [`Ham::state`] is a complete description.
    #[must_use]
    pub const fn at_epoch_end(&self) -> bool {
        self.batch == 0 && self.between_steps()
    }

    /// Goes back to a saved state of the same mesh; false when the state does not fit.
    ///
    /// # Errors
    /// A GPU error.
    pub fn restore(&mut self, state: &HamState) -> Result<bool, HamError> {
        let targets = self.training.state_buffers(&self.buffers);
        for (name, buffer) in &targets {
            let Some((_, list)) = state.lists.iter().find(|(n, _)| n == name) else { return Ok(false) };
            if list.len() as u64 * 4 != buffer.len_bytes() {
                return Ok(false);
            }
        }
        for (name, buffer) in targets {
            if let Some((_, list)) = state.lists.iter().find(|(n, _)| n == name) {
                buffer.write(&self.gpu, list);
            }
        }
        self.moves = cameras::moves_of(state, self.views.len());
        self.residuals = state.residuals(self.views.len());
        for v in 0..self.views.len() {
            self.place_camera(v);
            self.straighten(v);
        }
        self.phase = match state.phase {
            0 | 4 => Phase::Albedo,
            1 => Phase::Shape,
            3 => Phase::Colour,
            5 => Phase::Coarse,
            _ => Phase::Done,
        };
        self.epoch = state.epoch;
        self.history = plateau::history_of(state);
        (self.batch, self.at_view, self.at_part, self.ending) = (0, 0, 0, None);
        self.steps = state.steps;
        self.write_phase();
        self.refresh_normals()?;
        self.look_again()?;
        Ok(true)
    }
}

/// A phase as checkpoints have it; `colour` and the coarse ones came last.
const fn number_of(phase: Phase, coarse: bool) -> u32 {
    match (phase, coarse) {
        (Phase::Albedo, false) => 0,
        (Phase::Shape, _) => 1,
        (Phase::Done, false) => 2,
        (Phase::Colour, _) => 3,
        (Phase::Albedo, true) => FIRST_COARSE,
        (Phase::Coarse, _) => FIRST_COARSE + 1,
        (Phase::Done, true) => FIRST_COARSE + 2,
    }
}

/// Numbers of phases on the coarser mesh begin here.
const FIRST_COARSE: u32 = 4;

impl HamState {
    /// Whether it is of the coarser mesh, one level below the settings'.
    #[must_use]
    pub const fn is_coarse(&self) -> bool {
        self.phase >= FIRST_COARSE
    }
}
