//! A run's hands through its cameras, and held against the photographs: the rows of `views.csv` and of `evaluate`.

use super::picture::{PictureMaker, PictureMode, STUDIO_LIGHT, Surface};
use super::{PipelineError, masks};
use crate::camera::{Camera, CameraResidual};
use crate::capture::{Capture, View};
use crate::fitting::ham::start::mean_light;
use crate::fitting::masks::JudgedMask;
use crate::metrics::{Comparison, Measures, Picture, ViewScore, mask_of, rendered};
use crate::shading::LIGHT_STRIDE;

/// What a run knows about its views; every list has one entry a view of the capture.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunViews<'a> {
    /// Cameras after refinement.
    pub cameras: &'a [Camera],
    /// What each camera is off by over its picture; may be short before HAM.
    pub residuals: &'a [CameraResidual],
    /// SH coefficients and gains; empty before HAM.
    pub lights: &'a [[f64; LIGHT_STRIDE]],
    /// Views that took part in the stages.
    pub used: &'a [bool],
    /// Numbers of the views that no stage saw, but which are compared.
    pub hold_out: &'a [usize],
    /// Numbers of the views left out altogether.
    pub exclude: &'a [usize],
    /// Which masks agreed with the model; may be short before HAM.
    pub trusted: &'a [Option<bool>],
    /// Median reprojection, pixels.
    pub reprojection_px: &'a [Option<f64>],
    /// Masks as HAM used them; empty when they were left as they are.
    pub masks: &'a [Option<JudgedMask>],
}

/// Another way of shading: premultiplied RGBA of a view by its number, at the photograph's size. The picture of a view that
/// took part has its camera's gain in it; a held-out one has none, and gets it fitted.
pub type ViewShader<'a> = dyn FnMut(usize) -> Result<Vec<[f32; 4]>, PipelineError> + 'a;

/// What [`RunViews::score`] looks at beyond the shaded pictures.
#[derive(Default)]
pub(super) struct Scoring<'a> {
    /// Costly numbers.
    pub measures: Measures<'a>,
    /// The neural renderer, if the run has one.
    pub neural: Option<&'a mut ViewShader<'a>>,
}

impl RunViews<'_> {
    /// The view's own light where it took part, else the rig's mean light; a plain light before HAM.
    pub(super) fn light(&self, view: usize) -> [f64; LIGHT_STRIDE] {
        let took_part = self.used.get(view) == Some(&true);
        self.lights.get(view).filter(|_| took_part).copied().unwrap_or_else(|| self.mean_light())
    }

    /// The rig's mean light in world space; a plain light before HAM.
    pub(super) fn mean_light(&self) -> [f64; LIGHT_STRIDE] {
        let used: Vec<usize> = (0..self.lights.len()).filter(|v| self.used[*v]).collect();
        if self.lights.is_empty() { STUDIO_LIGHT } else { mean_light(self.lights, &used) }
    }

    /// Premultiplied RGBA of a view at the photograph's size.
    ///
    /// # Errors
    /// [`PipelineError::NoSuchView`] or a GPU error.
    pub(super) fn render(
        &self,
        maker: &mut PictureMaker,
        surface: &Surface<'_>,
        faces: &[[u32; 3]],
        view: usize,
        mode: PictureMode,
    ) -> Result<Vec<[f32; 4]>, PipelineError> {
        let last = self.cameras.len().saturating_sub(1);
        let camera = self.cameras.get(view).ok_or(PipelineError::NoSuchView { view, last })?;
        if faces.is_empty() {
            return Ok(vec![[0.0; 4]; (camera.width_px * camera.height_px) as usize]);
        }
        let pixels = maker.render(surface, faces, camera, &self.light(view), mode)?;
        Ok(as_photographed(pixels, self.residuals.get(view), camera))
    }

    /// Compares every view that is not excluded with its photograph; view numbers with their scores.
    ///
    /// A held-out view gets the rig's mean light and three fitted gains, nothing else.
    ///
    /// # Errors
    /// A GPU error, or one of the neural renderer or of LPIPS.
    pub(super) fn score(
        &self,
        maker: &mut PictureMaker,
        surface: &Surface<'_>,
        faces: &[[u32; 3]],
        capture: &Capture,
        scoring: &mut Scoring<'_>,
    ) -> Result<Vec<(usize, ViewScore)>, PipelineError> {
        let mut rows = Vec::new();
        for (v, view) in capture.views.iter().enumerate() {
            if self.exclude.contains(&v) {
                continue;
            }
            let held_out = self.hold_out.contains(&v);
            let (render, coverage) = picture(view, &self.render(maker, surface, faces, v, PictureMode::Shaded)?);
            let photo = Picture::from(&view.image);
            let mask = view.mask.as_ref().map_or_else(|| rendered(&coverage), mask_of);
            // A fitted view has its gain in its light already.
            let gain = (!held_out && !self.lights.is_empty()).then_some([1.0; 3]);
            let shaded = Comparison { photo: &photo, render: &render, mask: &mask, coverage: &coverage, gain };
            let mut row = ViewScore {
                name: view.name.clone(),
                held_out,
                shaded: shaded.score(&scoring.measures)?,
                reprojection_px_median: self.reprojection_px.get(v).copied().flatten(),
                ..ViewScore::default()
            };
            if let Some(shader) = &mut scoring.neural {
                let (render, coverage) = picture(view, &shader(v)?);
                let neural = Comparison { render: &render, coverage: &coverage, ..shaded };
                row.neural = Some(neural.score(&scoring.measures)?);
            }
            if gain.is_some() {
                row.shaded.gain.copy_from_slice(&self.lights[v][9..]);
            }
            if let Some(judged) = self.masks.get(v).and_then(Option::as_ref) {
                let render = render.with_gain(gain.unwrap_or(row.shaded.gain));
                row.refined = Some(masks::score(judged, &photo, &render, &coverage));
            }
            row.mask_trusted = self.trusted.get(v).copied().flatten();
            rows.push((v, row));
        }
        Ok(rows)
    }
}

/// A picture through the pinhole camera as the view's photograph would have it.
pub(super) fn as_photographed(
    pixels: Vec<[f32; 4]>,
    residual: Option<&CameraResidual>,
    camera: &Camera,
) -> Vec<[f32; 4]> {
    match residual {
        Some(residual) => residual.rendered_as_photo(pixels, [camera.width_px, camera.height_px]),
        None => pixels,
    }
}

/// A rendered view as the metrics take it, and the share of each pixel that it covers. What is brighter than white stays so
/// until its gain is applied.
pub(super) fn picture(view: &View, pixels: &[[f32; 4]]) -> (Picture, Vec<f32>) {
    let rgb = pixels.iter().map(|p| [0, 1, 2].map(|k| f64::from(p[k]).max(0.0))).collect();
    let (width, height) = (view.image.width() as usize, view.image.height() as usize);
    (Picture { width, height, rgb }, pixels.iter().map(|p| p[3]).collect())
}
