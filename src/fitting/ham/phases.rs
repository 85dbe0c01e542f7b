//! The stage's phases, what follows on what, and how stiff the albedo is in each.

use super::Ham;

/// Phases of the stage, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// A: albedo and lights on still geometry.
    Albedo,
    /// B on a coarser mesh, before B ([`super::HamSettings::coarse_epochs`]).
    Coarse,
    /// B: positions and albedo.
    Shape,
    /// C: albedo, free of its stiffness, on still geometry.
    Colour,
    /// All are done.
    Done,
}

impl Phase {
    /// Name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Albedo => "albedo",
            Self::Coarse => "coarse",
            Self::Shape => "shape",
            Self::Colour => "colour",
            Self::Done => "done",
        }
    }

    /// Whether positions move.
    pub(super) const fn moves(self) -> bool {
        matches!(self, Self::Coarse | Self::Shape)
    }
}

impl Ham {
    pub(super) const fn epochs(&self) -> u32 {
        match self.phase {
            Phase::Albedo => self.settings.albedo_epochs,
            Phase::Coarse | Phase::Shape => self.settings.shape_epochs,
            Phase::Colour => self.settings.colour_epochs,
            Phase::Done => 0,
        }
    }

    /// The phase after the present one that has any epochs.
    pub(super) const fn next_phase(&self) -> Phase {
        let s = &self.settings;
        match self.phase {
            Phase::Albedo if s.shape_epochs > 0 && self.coarse => Phase::Coarse,
            Phase::Albedo if s.shape_epochs > 0 => Phase::Shape,
            Phase::Albedo | Phase::Shape if s.colour_epochs > 0 => Phase::Colour,
            _ => Phase::Done,
        }
    }

    /// Part of the albedo's smoothness that counts now. Published: none in phase A, and 10⁻⁴ from half of phase B, so that
    /// detail can come in.
    pub(super) fn albedo_stiffness(&self) -> f64 {
        let s = &self.settings;
        match self.phase {
            Phase::Shape if self.epoch * 2 >= s.shape_epochs => s.albedo_laplacian_late,
            Phase::Albedo if !s.albedo_laplacian_early => 0.0,
            Phase::Colour => s.albedo_laplacian_colour,
            _ => 1.0,
        }
    }
}
