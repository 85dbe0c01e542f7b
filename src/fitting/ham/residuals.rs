//! Where HAM finds what its cameras are still off by over their pictures ([`super::flow`], [`super::falloff`]): when, on what,
//! and how it is kept.
//!
//! Shifts are looked for in phase C only, where the surface stands still: earlier, a shift of the picture would be the easier
//! way to explain what a move of the surface should.

use super::falloff::{Sums, falloff};
use super::flow::{Prior, Sight, flow, straightened};
use super::{Ham, HamError, HamState, Phase, cameras, to_f32};
use crate::camera::residual::{brightness, radius_squared};
use crate::camera::warp::Grid;
use crate::camera::{CameraResidual, ImageWarp};
use crate::shading::CLIPPED;

/// Photographs that lie no farther beside the hands stay as they are, pixels: so much surface and albedo themselves are off.
const TOLERATED_PX: f64 = 0.5;
/// Name of the residuals in a checkpoint.
pub(super) const LIST: &str = "residuals";

/// A search for the residuals of all views that is under way.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// How far shifts may go; `None` where none are looked for.
    prior: Option<Prior>,
    /// Of the falloff.
    sums: Vec<Sums>,
    /// Root mean squares of the shifts that were found.
    shifted_px: Vec<f64>,
}

/// One list for all views: falloff, nodes in a row (0: no shifts), their number, distance, the first one's place, shifts.
pub(super) fn to_list(residuals: &[CameraResidual]) -> Vec<f32> {
    let mut list = Vec::new();
    for residual in residuals {
        list.push(to_f32(residual.falloff));
        let Some(warp) = &residual.warp else {
            list.push(0.0);
            continue;
        };
        list.extend([to_f32(warp.columns as f64), to_f32(warp.shifts_px.len() as f64)]);
        list.extend([warp.cell_px, warp.origin_px[0], warp.origin_px[1]].map(to_f32));
        list.extend(warp.shifts_px.as_flattened());
    }
    list
}

/// The residuals in a checkpoint's list; none of what is missing or damaged.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the list")]
pub(super) fn of_list(mut list: &[f32], views: usize) -> Vec<CameraResidual> {
    let mut residuals = Vec::new();
    while let [falloff, columns, rest @ ..] = list {
        list = rest;
        let mut residual = CameraResidual { warp: None, falloff: f64::from(*falloff) };
        if *columns >= 2.0 {
            let [nodes, cell, x, y, rest @ ..] = list else { break };
            let (columns, nodes) = (*columns as usize, *nodes as usize);
            if nodes < columns.saturating_mul(2) || !nodes.is_multiple_of(columns) || rest.len() / 2 < nodes {
                break;
            }
            let (shifts, after) = rest.split_at(2 * nodes);
            list = after;
            residual.warp = Some(ImageWarp {
                origin_px: [*x, *y].map(f64::from),
                cell_px: f64::from(*cell),
                columns,
                shifts_px: shifts.chunks_exact(2).map(|s| [s[0], s[1]]).collect(),
            });
        }
        residuals.push(residual);
    }
    residuals.resize(views, CameraResidual::default());
    residuals
}

impl HamState {
    /// What each camera is off by over its whole picture; one entry a view.
    #[must_use]
    pub fn residuals(&self, views: usize) -> Vec<CameraResidual> {
        let list = self.lists.iter().find(|(name, _)| name == LIST).map_or(&[][..], |(_, list)| list);
        of_list(list, views)
    }
}

impl Ham {
    /// What each camera is off by over its whole picture; one entry a view.
    #[must_use]
    pub fn residuals(&self) -> &[CameraResidual] {
        &self.residuals
    }

    /// What was found, in one line; `None` where nothing was looked for.
    #[must_use]
    pub fn residual_sentence(&self) -> Option<String> {
        let count = self.shifted_px.len();
        let percent = -100.0 * self.residuals.first().map_or(0.0, |r| r.falloff);
        let dimmer = (percent.abs() >= 0.5)
            .then(|| format!("pictures are {percent:.0} % darker at their sides than in their middle"));
        let shifted = (count > 0).then(|| {
            let worst = self.shifted_px.iter().copied().fold(0.0, f64::max);
            let mean = (self.shifted_px.iter().map(|x| x * x).sum::<f64>() / count as f64).sqrt();
            format!(
                "{count} photographs lie beside the hands, by {mean:.1} px in the mean and {worst:.1} px in the worst"
            )
        });
        let parts: Vec<String> = [shifted, dimmer].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("cameras: {}; that is taken out", parts.join(", ")))
    }

    /// At the end of an epoch: so often in phase C, evenly.
    pub(super) fn residuals_are_due(&self) -> bool {
        let (epochs, rounds) = (self.epochs(), self.settings.warp_rounds);
        let due = (1..=rounds).any(|k| self.epoch == (epochs * k).div_ceil(rounds + 1));
        self.phase == Phase::Colour && due && self.epoch < epochs
    }

    /// Begins to find anew how brightness falls off and, `with_shifts`, where each photograph shows what is rendered.
    pub(super) fn begin_residuals(&self, with_shifts: bool) -> Search {
        let factor = f64::from(self.settings.image_divisor);
        let prior = Prior { shift_px: self.settings.warp_px / factor, bend_px: self.settings.warp_bend_px / factor };
        Search { prior: with_shifts.then_some(prior), sums: Vec::new(), shifted_px: Vec::new() }
    }

    /// Looks at one view, if it is used: finds its shifts, adds to what the falloff is found from.
    ///
    /// # Errors
    /// A GPU error.
    pub(super) fn look_for_residual(&mut self, v: usize, search: &mut Search) -> Result<(), HamError> {
        let (Some(view), Some(given)) = (&self.views[v], &self.sights[v]) else { return Ok(()) };
        let rendered = self.rendered(view)?;
        if let Some(prior) = search.prior.filter(|prior| prior.shift_px > 0.0) {
            let warp = self.shifts(given, &rendered, self.residuals[v].warp.as_ref(), &prior);
            let shift_px = root_mean_square(&warp, given, &rendered);
            // What once was off stays taken care of.
            if shift_px > TOLERATED_PX || self.residuals[v].warp.is_some() {
                self.residuals[v].warp = Some(warp);
                search.shifted_px.push(shift_px);
            }
        }
        if self.settings.falloff {
            search.sums.extend(self.brightness_sums(v, given, &rendered));
        }
        Ok(())
    }

    /// Takes over what was found in all views; [`Self::straighten`] each and look again, and the stage compares with photographs
    /// without it.
    pub(super) fn keep_residuals(&mut self, search: &mut Search) {
        if self.settings.falloff {
            let found = f64::from(to_f32(falloff(&search.sums)));
            for residual in &mut self.residuals {
                residual.falloff = found;
            }
        }
        if search.prior.is_some() {
            self.shifted_px = std::mem::take(&mut search.shifted_px);
        }
    }

    fn shifts(
        &self,
        given: &cameras::Given,
        rendered: &[[f32; 4]],
        now: Option<&ImageWarp>,
        prior: &Prior,
    ) -> ImageWarp {
        let size = [given.camera.width_px, given.camera.height_px];
        let still = || {
            let cell = f64::from(size[0].max(size[1])) / self.settings.warp_cells.max(1.0);
            ImageWarp::still([0.0; 2], size, f64::from(to_f32(cell)))
        };
        let Place { origin_px, divisor, .. } = given.place;
        let from = now.map_or_else(still, |warp| warp.of_crop(origin_px, divisor));
        let sight = Sight { width: size[0] as usize, rendered, target: &given.pixels };
        stored(flow(&sight, &from, prior).of_whole_image(origin_px, divisor))
    }

    /// Photograph against render where the hand is seen alone and not clipped; one entry a channel.
    fn brightness_sums(&self, v: usize, given: &cameras::Given, rendered: &[[f32; 4]]) -> [Sums; 3] {
        let mut sums = [Sums::default(); 3];
        let width = given.camera.width_px as usize;
        let place = given.place;
        let photo = place.straightened(&given.pixels, width, self.residuals[v].warp.as_ref(), 0.0);
        let grid = Grid { width, height: given.camera.height_px as usize };
        for (i, (pixel, word)) in rendered.iter().zip(&photo).enumerate() {
            let bytes = word.to_le_bytes();
            let clipped = bytes[..3].iter().any(|b| f64::from(*b) / 255.0 >= self.settings.clipped.min(CLIPPED));
            if pixel[3] < 0.999 || bytes[3] < 254 || bytes[3] == crate::energy::image_loss::UNKNOWN || clipped {
                continue;
            }
            let q = radius_squared(place.in_image(grid.centre(i)), place.image_px);
            for k in 0..3 {
                sums[k].add(f64::from(pixel[k]), f64::from(bytes[k]) / 255.0, q);
            }
        }
        sums
    }

    /// Gives the device a view's photograph without its residual.
    pub(super) fn straighten(&mut self, v: usize) {
        let (Some(view), Some(given)) = (&self.views[v], &mut self.sights[v]) else { return };
        let residual = &self.residuals[v];
        if *residual == CameraResidual::default() && given.straight.is_none() {
            return;
        }
        let width = given.camera.width_px as usize;
        let straight = given.place.straightened(&given.pixels, width, residual.warp.as_ref(), residual.falloff);
        view.targets.write(&self.gpu, &straight);
        given.straight = Some(straight);
    }
}

/// Root mean square of shifts over the hands that a view sees, pixels of the full image.
fn root_mean_square(warp: &ImageWarp, given: &cameras::Given, rendered: &[[f32; 4]]) -> f64 {
    let grid = Grid { width: given.camera.width_px as usize, height: given.camera.height_px as usize };
    let factor = f64::from(given.place.divisor);
    let (mut sum, mut count) = (0.0, 0.0);
    for (i, _) in rendered.iter().enumerate().filter(|(_, pixel)| pixel[3] > 0.999) {
        let w = warp.shift(given.place.in_image(grid.centre(i)).map(|x| x * factor));
        sum += w[0] * w[0] + w[1] * w[1];
        count += 1.0;
    }
    (sum / f64::max(count, 1.0)).sqrt()
}

/// The nearest warp that a checkpoint can hold; shifts are `f32` already.
fn stored(warp: ImageWarp) -> ImageWarp {
    let round = |x: f64| f64::from(to_f32(x));
    ImageWarp { origin_px: warp.origin_px.map(round), cell_px: round(warp.cell_px), ..warp }
}

/// Where a region lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its corner in the reduced image.
    pub origin_px: [u32; 2],
    /// Size of the reduced image.
    pub image_px: [u32; 2],
    /// Full pixels in one of its pixels, across.
    pub divisor: u32,
}

impl Place {
    /// A place of the region in the reduced image.
    fn in_image(&self, p_px: [f64; 2]) -> [f64; 2] {
        [0, 1].map(|k| p_px[k] + f64::from(self.origin_px[k]))
    }

    /// Packed pixels as a camera without `warp` (of the whole photograph) and `falloff` would have taken them.
    pub(super) fn straightened(
        &self,
        packed: &[u32],
        width: usize,
        warp: Option<&ImageWarp>,
        falloff: f64,
    ) -> Vec<u32> {
        let warp = warp.map(|warp| warp.of_crop(self.origin_px, self.divisor));
        straightened(packed, width, warp.as_ref(), |p| brightness(falloff, self.in_image(p), self.image_px))
    }
}

#[cfg(test)]
mod tests;
