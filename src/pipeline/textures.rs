//! Textures of a run from the photographs of its capture, and what they are worth.

use super::finished::FinishedRun;
use crate::camera::{Camera, CameraResidual};
use crate::capture::{Capture, CaptureError, Edits, OpenOptions};
use crate::fitting::ham::{FineMesh, Vertices};
use crate::fitting::masks::JudgedMask;
use crate::metrics::{Comparison, Picture, Shared, mask_of, rendered};
use crate::shading::LIGHT_STRIDE;
use crate::texture::{Compared, HandTexture, TextureHand, TextureMesh, TextureView, bake, compare};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Weight of a view whose mask was not trusted, beside the others.
const UNTRUSTED: f64 = 0.1;

/// What a run knows about its photographs; enough to bake textures on another thread.
pub(super) struct Photographs {
    /// The capture's folder, how it was opened, and the hash it had.
    pub root: PathBuf,
    /// How it was opened.
    pub options: OpenOptions,
    /// SHA-256 it had then.
    pub hash: String,
    /// Cameras as the run has them, one a view.
    pub cameras: Vec<Camera>,
    /// What each is still off by; empty before HAM.
    pub residuals: Vec<CameraResidual>,
    /// Lights, one a view; empty before HAM.
    pub lights: Vec<[f64; LIGHT_STRIDE]>,
    /// Views that may be looked at: neither held out nor excluded.
    pub used: Vec<bool>,
    /// Which masks agreed with the model.
    pub trusted: Vec<Option<bool>>,
    /// What the user has changed of the capture.
    pub edits: Arc<Edits>,
    /// Masks as HAM used them; empty when it took those of the capture.
    pub masks: Vec<Option<JudgedMask>>,
}

impl Photographs {
    /// The capture, if it is still what the run was made from.
    ///
    /// # Errors
    /// [`CaptureError`] when it cannot be read or has changed.
    pub(super) fn open(&self) -> Result<Capture, CaptureError> {
        let capture = Capture::open_with(&self.root, &self.options)?;
        let same_size = capture
            .views
            .iter()
            .zip(&self.cameras)
            .all(|(view, camera)| (view.image.width(), view.image.height()) == (camera.width_px, camera.height_px));
        if capture.hash != self.hash || capture.views.len() != self.cameras.len() || !same_size {
            return Err(CaptureError::Unusable {
                path: self.root.clone(),
                problem: "its files have changed since the run".to_owned(),
                remedy: "Run the reconstruction again, or export without photographs.".to_owned(),
            });
        }
        // Edits that fitted when the run began fit the same files.
        let edited = capture.edited(Arc::clone(&self.edits));
        edited.map_err(|e| CaptureError::unusable(&self.root, e.to_string(), "Run the reconstruction again"))
    }

    /// The views that textures are made of. A view that was held out or excluded takes no part.
    fn views<'a>(&'a self, capture: &'a Capture) -> Vec<TextureView<'a>> {
        (0..capture.views.len())
            .filter(|v| self.used[*v] && !self.lights.is_empty())
            .map(|v| {
                let mask = match self.masks.get(v) {
                    Some(Some(judged)) => judged.mask.as_ref(),
                    _ => capture.views[v].mask.as_ref(),
                };
                let trusted = self.trusted.get(v).copied().flatten().unwrap_or(false);
                TextureView {
                    camera: &self.cameras[v],
                    residual: &self.residuals[v],
                    image: &capture.views[v].image,
                    light: self.lights[v],
                    mask,
                    trust: if trusted { 1.0 } else { UNTRUSTED },
                }
            })
            .collect()
    }

    /// Bakes textures of `size` texels, one a hand of the mesh, and fits them in `rounds`; none for hands without UVs.
    pub(super) fn bake(
        &self,
        capture: &Capture,
        surface: &FineSurface<'_>,
        size: u32,
        rounds: u32,
    ) -> Vec<HandTexture> {
        bake(&surface.mesh(), &surface.hands(), &self.views(capture), size, rounds)
    }
}

/// The fine mesh in `f64`, as the texture module takes it.
pub(super) struct FineSurface<'a> {
    mesh: &'a FineMesh,
    positions: Vec<[f64; 3]>,
    normals: Vec<[f64; 3]>,
    albedo: Vec<[f64; 3]>,
}

impl<'a> FineSurface<'a> {
    pub(super) fn new(mesh: &'a FineMesh, vertices: &Vertices) -> Self {
        let wide = |list: &[[f32; 3]]| list.iter().map(|v| v.map(f64::from)).collect();
        Self {
            mesh,
            positions: wide(&vertices.positions),
            normals: wide(&vertices.normals),
            albedo: wide(&vertices.albedo),
        }
    }

    /// All hands, in the frame and order of the mesh.
    pub(super) fn of_hands(mesh: &'a FineMesh, hands: &[crate::export::ExportHand]) -> Self {
        let all = |of: fn(&crate::export::ExportHand) -> &[[f64; 3]]| hands.iter().flat_map(of).copied().collect();
        Self { mesh, positions: all(|h| &h.positions), normals: all(|h| &h.normals), albedo: all(|h| &h.albedo) }
    }

    fn mesh(&self) -> TextureMesh<'_> {
        TextureMesh {
            positions: &self.positions,
            normals: &self.normals,
            albedo: &self.albedo,
            topology: &self.mesh.topology,
        }
    }

    fn hands(&self) -> Vec<TextureHand<'_>> {
        self.mesh
            .hands
            .iter()
            .map(|h| TextureHand { vertices: h.vertices.clone(), faces: &h.faces, uvs: &h.uvs, uv_faces: &h.uv_faces })
            .collect()
    }
}

/// How well a view's photograph is met with the texture and with the albedo of the vertices: PSNR in dB over mask ∩ render,
/// both drawn by the same software renderer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextureScore {
    /// Name of the view.
    pub name: String,
    /// True when the texture was made without it.
    pub held_out: bool,
    /// Whether its mask agreed with the model.
    pub mask_trusted: Option<bool>,
    /// With the albedo of the vertices.
    pub vertices_db: Option<f64>,
    /// With the texture.
    pub texture_db: Option<f64>,
}

/// A picture with a texture.
#[derive(Clone, Debug)]
pub struct TexturedView {
    /// The view's score.
    pub score: TextureScore,
    /// Straight RGBA, row by row, at the photograph's size.
    pub rgba: image::RgbaImage,
}

impl FinishedRun {
    /// Whether the run's hands have texture coordinates; a model that could not be laid out has none.
    #[must_use]
    pub fn has_layout(&self) -> bool {
        self.mesh.hands.iter().all(|h| !h.uv_faces.is_empty())
    }

    /// Bakes textures from the photographs, one a hand, and fits them in `rounds` (0: the blend as it is).
    ///
    /// # Errors
    /// [`CaptureError`] when the capture cannot be read or has changed.
    pub fn bake_textures(&self, size: u32, rounds: u32) -> Result<(Capture, Vec<HandTexture>), CaptureError> {
        let photographs = self.photographs();
        let capture = photographs.open()?;
        let textures = photographs.bake(&capture, &FineSurface::new(&self.mesh, &self.vertices), size, rounds);
        Ok((capture, textures))
    }

    /// Renders a view with the textures and compares it, beside the albedo of the vertices, with its photograph.
    /// `None` when there is no such view.
    #[must_use]
    pub fn textured_view(&self, capture: &Capture, textures: &[HandTexture], view: usize) -> Option<TexturedView> {
        let (seen, camera) = (capture.views.get(view)?, self.checkpoint.facts.cameras.get(view)?);
        let surface = FineSurface::new(&self.mesh, &self.vertices);
        let residual = self.residuals.get(view).cloned().unwrap_or_default();
        let Compared { plain, textured, coverage } =
            compare(&surface.mesh(), &surface.hands(), textures, camera, &residual, &self.run_views().light(view));
        let photo = Picture::from(&seen.image);
        let mask = seen.mask.as_ref().map_or_else(|| rendered(&coverage), mask_of);
        // As `evaluate` does: a fitted view has its own gain, any other gets three numbers.
        let gain = (self.checkpoint.facts.used.get(view) == Some(&true)).then_some([1.0; 3]);
        let compared = |rgb: Vec<[f64; 3]>| {
            let render = Picture { rgb, ..photo };
            Comparison { photo: &photo, render: &render, mask: &mask, coverage: &coverage, gain }.shared()
        };
        let vertices_db = compared(plain).psnr_db;
        let Shared { psnr_db: texture_db, render: picture, .. } = compared(textured);
        let rgba = image::RgbaImage::from_fn(camera.width_px, camera.height_px, |x, y| {
            let pixel = (y * camera.width_px + x) as usize;
            let share = f64::from(coverage[pixel]);
            if share <= 0.0 {
                return image::Rgba([0; 4]);
            }
            let [r, g, b] = picture.rgb[pixel].map(|x| crate::export::level_8bit(x / share));
            image::Rgba([r, g, b, crate::export::level_8bit(share)])
        });
        let score = TextureScore {
            name: seen.name.clone(),
            held_out: self.is_held_out(view),
            mask_trusted: self.checkpoint.facts.trusted.get(view).copied().flatten(),
            vertices_db,
            texture_db,
        };
        Some(TexturedView { score, rgba })
    }

    /// What textures are made from.
    pub(super) fn photographs(&self) -> Photographs {
        let facts = &self.checkpoint.facts;
        let seen = |v: usize| facts.used[v] && !self.record.hold_out.contains(&v) && !self.record.exclude.contains(&v);
        Photographs {
            root: self.record.capture.clone(),
            options: self.record.capture_options.clone(),
            hash: self.record.capture_hash.clone(),
            cameras: facts.cameras.clone(),
            residuals: self.residuals.clone(),
            lights: self.lights.clone(),
            used: (0..facts.used.len()).map(seen).collect(),
            trusted: facts.trusted.clone(),
            edits: Arc::clone(&self.edits),
            masks: self.masks().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn textures_are_made_without_the_views_that_were_held_out() {
        let camera = crate::camera::testing::plain(4, 4);
        let view = |n: u8| crate::capture::View {
            name: n.to_string(),
            camera: camera.clone(),
            image: image::RgbImage::from_pixel(4, 4, image::Rgb([n; 3])),
            mask: None,
            keypoints: [None, None],
        };
        let capture = Capture {
            name: "c".into(),
            root: "c".into(),
            format: "scene",
            views: (0..3).map(view).collect(),
            metres_per_unit: 1.0,
            inferences: vec![],
            options: OpenOptions::default(),
            warnings: vec![],
            edits: Arc::default(),
            hash: "h".into(),
        };
        let mut photographs = Photographs {
            root: "c".into(),
            options: OpenOptions::default(),
            hash: "h".into(),
            cameras: vec![camera.clone(); 3],
            residuals: vec![CameraResidual::default(); 3],
            lights: vec![[1.0; LIGHT_STRIDE]; 3],
            used: vec![true, false, true],
            trusted: vec![Some(true), Some(true), Some(false)],
            edits: Arc::default(),
            masks: vec![],
        };
        let seen: Vec<(u8, f64)> =
            photographs.views(&capture).iter().map(|v| (v.image.get_pixel(0, 0).0[0], v.trust)).collect();
        assert_eq!(seen, [(0, 1.0), (2, UNTRUSTED)], "view 1 takes no part, and trust is that of the masks");
        photographs.lights.clear();
        assert!(photographs.views(&capture).is_empty(), "without lights there is no albedo in a photograph");
    }
}
