//! Settings of HAM: counts, rates and weights. Lengths in the weights are in the *published frame* (1 unit = `unit_m`
//! metres) and converted here, once.

use crate::mesh::MAX_LEVEL;
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HamSettings {
    /// Loop subdivisions of the fitted model (0-4). Each multiplies triangles by four.
    #[serde(deserialize_with = "subdivisions")]
    pub level: usize,
    /// Images are used at `1 / image_divisor` of their size.
    pub image_divisor: u32,
    /// Views per optimiser step. Fewer views make more steps an epoch, more views make smoother ones.
    pub views_per_step: usize,
    /// Views of a step that go to the device in one submit. Changes no result; small numbers keep each submit short where
    /// a driver allows little time for one.
    pub views_per_submit: usize,
    /// Epochs over all views for albedo and light (phase A).
    pub albedo_epochs: u32,
    /// Epochs of phase B on the mesh of the level below and images of half the size, before those at full size; phase A is
    /// then done there too. 0 = none, as published.
    pub coarse_epochs: u32,
    /// Epochs over all views for displacement and albedo (phase B).
    pub shape_epochs: u32,
    /// Epochs over all views for albedo on the found surface (phase C); 0 = none, as published.
    pub colour_epochs: u32,
    /// Adam rate of albedo in phase A, per step.
    pub albedo_rate: f64,
    /// Adam rate of albedo in phases B and C, per step.
    pub albedo_rate_shape: f64,
    /// Adam rate of light coefficients and gains, per step.
    pub light_rate: f64,
    /// The same in phases B and C; 0 = lights stand still there, as published.
    pub light_rate_shape: f64,
    /// How strongly the SH coefficients of a view are drawn to the rig's mean in phase A, for each pixel that sees a hand
    /// (its gains stay free): 0 = not at all, as published.
    pub light_prior: f64,
    /// The same in phases B and C.
    pub light_prior_shape: f64,
    /// Adam rate of positions, published units per step.
    pub shape_rate: f64,
    /// In phases B and C the rates of positions, albedo and lights fall geometrically to this part of themselves; 1 = they
    /// stay, as published.
    pub final_rate: f64,
    /// A phase ends early when the image terms' product is in ten epochs less than this part below that of the ten before;
    /// 0 = never, as published.
    pub plateau: f64,
    /// Sobolev preconditioning of the positions' gradients and steps: width of the smoothing over the surface,
    /// millimetres, the same at every mesh level; 0 = none, as published.
    pub smoothing_mm: f64,
    /// Coarse to fine: phase B begins with this width, which falls geometrically to `smoothing_mm` by two thirds of its
    /// epochs, so that first patches of skin find their place and then wrinkles theirs. Not wider than `smoothing_mm`: the
    /// same width throughout.
    pub smoothing_coarse_mm: f64,
    /// Metres of one published unit (0.639 for the authors' capture room).
    pub unit_m: f64,
    /// Photometric L1, mean over all pixels and channels (`sfs`).
    pub photometric: f64,
    /// Differences of colour below this are squared, not absolute (0..1 a channel); 0 = L1, as published.
    pub softness: f64,
    /// Colours from here on are clipped by the camera: a brighter render is no error. Above 1: never, as published.
    pub clipped: f64,
    /// Mean length of the uniform Laplacian of positions, per published unit (`lap`).
    pub laplacian: f64,
    /// `true`: Laplacian of the displacement (keeps the model's own curvature), `false`: of positions, as published.
    pub laplacian_of_displacement: bool,
    /// Where fewer than three views see a vertex, the Laplacian of positions weighs this factor more for each view that is
    /// missing; 1 = the same everywhere, as published.
    pub few_views: f64,
    /// Mean length of the uniform Laplacian of albedo (`albedo`).
    pub albedo_laplacian: f64,
    /// `true`: albedo is smooth in phase A too, so that parts which few views see take after their surroundings; `false`: in
    /// phase B only, as published.
    pub albedo_laplacian_early: bool,
    /// Part of the albedo's smoothness that is left in the second half of phase B: 1e-4, as published, lets albedo explain
    /// every wrinkle; more leaves fine shading to the surface.
    pub albedo_laplacian_late: f64,
    /// Part of the albedo's smoothness that is left in phase C.
    pub albedo_laplacian_colour: f64,
    /// Squared silhouette error, mean over all pixels (`mask`).
    pub silhouette: f64,
    /// Edge-length term, per squared published unit (`edge`).
    pub edge: f64,
    /// Squared displacement, per squared published unit (`delta`).
    pub displacement: f64,
    /// Rounds in which folds are taken out of the surface at the end of phase B; 0 = none, as published.
    pub untangle_rounds: u32,
    /// Cameras are refined by what they show: how far they may be turned about each axis (standard deviation, degrees);
    /// 0 leaves them as the pose stage has them.
    pub camera_turn_deg: f64,
    /// How far their centres may be moved along each axis (standard deviation, millimetres).
    pub camera_centre_mm: f64,
    /// Gauss-Newton steps each time that cameras are refined.
    pub camera_rounds: u32,
    /// What cameras are still off by over their pictures is found in phase C: how far photographs may be shifted there
    /// (standard deviation, pixels of the full image); 0 leaves them as they are.
    pub warp_px: f64,
    /// By how much shifts of neighbouring nodes of the lattice may differ (standard deviation, pixels).
    pub warp_bend_px: f64,
    /// Cells of the lattice along the longer side of the region around the hands.
    pub warp_cells: f64,
    /// How often shifts and falloff are found anew.
    pub warp_rounds: u32,
    /// How brightness falls off from the middle of the pictures is found with them.
    pub falloff: bool,
    /// Masks below this recall or precision against the fitted model are not trusted; 0 trusts all.
    pub mask_trust: f64,
}

/// A level that there is: each multiplies memory and time by four, so a slip of the finger must not be tried.
fn subdivisions<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let level = usize::deserialize(deserializer)?;
    if level > MAX_LEVEL {
        return Err(serde::de::Error::custom(format!("the level is 0 to {MAX_LEVEL}, not {level}")));
    }
    Ok(level)
}

impl Default for HamSettings {
    fn default() -> Self {
        Self {
            level: 3,
            image_divisor: 1,
            views_per_step: 4,
            views_per_submit: 8,
            albedo_epochs: 40,
            coarse_epochs: 0,
            shape_epochs: 84,
            colour_epochs: 36,
            albedo_rate: 1e-2,
            albedo_rate_shape: 5e-3,
            light_rate: 5e-3,
            light_rate_shape: 5e-4,
            light_prior: 2.0,
            light_prior_shape: 2.0,
            shape_rate: 1e-4,
            final_rate: 0.3,
            plateau: 2e-3,
            smoothing_mm: 2.0,
            smoothing_coarse_mm: 5.0,
            unit_m: 0.639,
            photometric: 50.0,
            softness: 0.02,
            clipped: 0.995,
            laplacian: 1000.0,
            laplacian_of_displacement: true,
            few_views: 4.0,
            albedo_laplacian: 20.0,
            albedo_laplacian_early: true,
            albedo_laplacian_late: 1.0,
            albedo_laplacian_colour: 5e-3,
            silhouette: 1000.0,
            edge: 2e4,
            displacement: 2e3,
            untangle_rounds: 12,
            camera_turn_deg: 0.5,
            camera_centre_mm: 10.0,
            camera_rounds: 3,
            warp_px: 4.0,
            warp_bend_px: 2.0,
            warp_cells: 40.0,
            warp_rounds: 3,
            falloff: true,
            mask_trust: 0.7,
        }
    }
}

impl HamSettings {
    /// Whether the stage begins on a coarser mesh.
    #[must_use]
    pub const fn begins_coarse(&self) -> bool {
        self.coarse_epochs > 0 && self.level > 0
    }

    /// Settings of the coarse part ([`Self::coarse_epochs`]) and of the rest. The width of the smoothing goes on falling
    /// where the coarse part leaves it.
    #[must_use]
    pub fn parts(&self) -> [Self; 2] {
        let between = (self.smoothing_coarse_mm.max(self.smoothing_mm) * self.smoothing_mm).sqrt();
        let coarse = Self {
            level: self.level.saturating_sub(1),
            image_divisor: self.image_divisor * 2,
            shape_epochs: self.coarse_epochs,
            coarse_epochs: 0,
            colour_epochs: 0,
            smoothing_mm: between,
            untangle_rounds: 0,
            ..self.clone()
        };
        let fine = Self { albedo_epochs: 0, coarse_epochs: 0, smoothing_coarse_mm: between, ..self.clone() };
        [coarse, fine]
    }

    /// Step of positions in metres.
    #[must_use]
    pub fn shape_rate_m(&self) -> f64 {
        self.shape_rate * self.unit_m
    }

    /// Strength of the smoothing in an epoch of phase B (from 0) for a mesh of this mean squared edge length (m²).
    #[must_use]
    pub fn smoothing_lambda(&self, epoch: u32, mean_squared_edge: f64) -> f64 {
        lambda_of(self.smoothing_width_mm(epoch), mean_squared_edge)
    }

    /// The same of any width, millimetres, up to the widest of the stage; 0 = the last of phase B.
    #[must_use]
    pub fn lambda_of_width(&self, width_mm: f64, mean_squared_edge: f64) -> f64 {
        let widest = self.smoothing_coarse_mm.max(self.smoothing_mm);
        let width_mm = if width_mm > 0.0 { width_mm.min(widest) } else { self.smoothing_mm };
        lambda_of(width_mm, mean_squared_edge)
    }

    /// Width of the smoothing in an epoch of phase B, from 0.
    fn smoothing_width_mm(&self, epoch: u32) -> f64 {
        if self.smoothing_mm <= 0.0 || self.smoothing_coarse_mm <= self.smoothing_mm {
            return self.smoothing_mm;
        }
        let way = (1.5 * f64::from(epoch) / f64::from(self.shape_epochs.max(1))).min(1.0);
        self.smoothing_coarse_mm * (self.smoothing_mm / self.smoothing_coarse_mm).powf(way)
    }
    /// Laplacian weight per metre.
    #[must_use]
    pub fn laplacian_per_m(&self) -> f64 {
        self.laplacian / self.unit_m
    }
    /// Edge weight per square metre.
    #[must_use]
    pub fn edge_per_m2(&self) -> f64 {
        self.edge / (self.unit_m * self.unit_m)
    }
    /// Displacement weight per square metre.
    #[must_use]
    pub fn displacement_per_m2(&self) -> f64 {
        self.displacement / (self.unit_m * self.unit_m)
    }
}

/// Strength `λ` of `(I + λL)⁻¹` for a width in millimetres on a mesh of this mean squared edge length (m²). The uniform
/// Laplacian of a ring at distance `h` is `h²/4` times the surface's own, so a width `ℓ` needs `λ = 4ℓ²/h²`.
fn lambda_of(width_mm: f64, mean_squared_edge: f64) -> f64 {
    4.0 * (width_mm * 1e-3).powi(2) / mean_squared_edge.max(1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_part_leads_into_the_rest() {
        let settings = HamSettings { coarse_epochs: 7, level: 3, image_divisor: 1, ..HamSettings::default() };
        let [coarse, fine] = settings.parts();
        assert!(settings.begins_coarse() && !coarse.begins_coarse() && !fine.begins_coarse(), "once");
        assert_eq!((coarse.level, coarse.image_divisor, coarse.shape_epochs, coarse.colour_epochs), (2, 2, 7, 0));
        assert_eq!((fine.level, fine.albedo_epochs, fine.shape_epochs), (3, 0, settings.shape_epochs), "the rest");
        assert_eq!(coarse.smoothing_coarse_mm, settings.smoothing_coarse_mm, "from the coarsest");
        assert!((coarse.smoothing_mm - fine.smoothing_coarse_mm).abs() < 1e-12, "without a jump");
        assert_eq!(fine.smoothing_mm, settings.smoothing_mm, "to the finest");
        assert!(!HamSettings { level: 0, ..settings }.begins_coarse(), "nothing is coarser than the model");
    }

    #[test]
    fn smoothing_goes_from_coarse_to_fine_and_stays_there() {
        let settings =
            HamSettings { smoothing_mm: 1.0, smoothing_coarse_mm: 4.0, shape_epochs: 60, ..HamSettings::default() };
        let widths = [0, 20, 40, 59].map(|epoch| settings.smoothing_width_mm(epoch));
        for (width, expected) in widths.iter().zip([4.0, 2.0, 1.0, 1.0]) {
            assert!((width - expected).abs() < 1e-12, "{widths:?}");
        }
        let none = HamSettings { smoothing_mm: 0.0, ..settings.clone() };
        assert_eq!(none.smoothing_lambda(3, 1e-6), 0.0, "none stays none");
        let even = HamSettings { smoothing_coarse_mm: 0.5, ..settings };
        assert_eq!(even.smoothing_width_mm(0), 1.0, "never finer than the final width");
    }
}
