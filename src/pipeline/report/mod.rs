//! What a report tells about a run, gathered: [`crate::export::report`] makes the page of it.

mod curves;
mod surface;
mod views;

use super::export_files::{at_level, mean_point};
use super::orbit::Orbit;
use super::picture::{PictureMaker, PictureMode, Surface, over, raking_light};
use super::textures::FineSurface;
use super::{EvaluateOptions, FinishedRun, PipelineError, ViewShader};
use crate::camera::Camera;
use crate::capture::Capture;
use crate::export::report::{Cell, Column, Figure, Model, Picture, Report, Row, Table};
use crate::export::{ExportHand, Frame, Provenance, TextureFormat, glb, gltf_from_capture, reflectance};
use crate::gpu::Gpu;
use crate::metrics::{Evaluation, MeshScore, ViewMeans, ViewScore};
use crate::neural::NeuralRenderer;
use crate::preset::Preset;
use crate::texture::FIT_ROUNDS;
use image::RgbImage;
use std::path::Path;
use std::sync::Arc;
use surface::VertexErrors;

/// Mesh level of the hands in a report: what is finer is not seen at the size of a page and makes it four times as large.
const LEVEL: usize = 2;
/// Texture of the hands in a report.
const TEXTURE_PX: u32 = 1024;
/// What pictures without a photograph stand on.
const GROUND: [f64; 3] = [0.93, 0.92, 0.90];

/// What a report may look at beyond the run itself.
#[derive(Default)]
pub struct ReportSources<'a> {
    /// The photographs; without them there are no views, no comparisons, and no texture from them.
    pub capture: Option<&'a Capture>,
    /// Folder with the true meshes and joints.
    pub ground_truth: Option<&'a Path>,
    /// The run's network.
    pub network: Option<&'a mut NeuralRenderer>,
}

impl FinishedRun {
    /// Gathers a report.
    ///
    /// # Errors
    /// A GPU error, or a ground truth that cannot be read.
    pub fn report(&self, gpu: &Gpu, mut sources: ReportSources<'_>) -> Result<Report, PipelineError> {
        let mut maker = PictureMaker::new(gpu)?;
        let orbit = self.orbit();
        let errors = sources.ground_truth.map(|truth| self.vertex_errors(truth)).transpose()?;
        let evaluation = match sources.capture {
            Some(capture) => Some(self.evaluated(gpu, capture, &mut sources)?),
            None => None,
        };
        let metrics = std::fs::read_to_string(self.folder().join("metrics.jsonl")).unwrap_or_default();
        let mut report = Report {
            title: self.title(),
            facts: self.facts(),
            model: self.model(&mut maker, &orbit, sources.capture, errors.as_ref())?,
            charts: curves::charts(&metrics),
            settings: pretty(&self.record.preset),
            log: std::fs::read_to_string(self.folder().join("log.txt")).unwrap_or_default(),
            ..Report::default()
        };
        if let (Some(evaluation), Some(capture)) = (&evaluation, sources.capture) {
            report.figures = figures(evaluation);
            report.views = Some(views::table(self, evaluation));
            report.comparisons = self.comparisons(&mut maker, capture, evaluation, sources.network.as_deref_mut())?;
            report.meshes = Some(meshes(&evaluation.mesh));
            if let (Some(errors), Some(score)) = (&errors, &evaluation.surface) {
                report.errors = Some(self.error_map(&mut maker, &orbit, errors, score)?);
            }
        }
        if let Some(seconds) = curves::seconds(&metrics) {
            let value = if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.1} min", seconds / 60.0) };
            let note = self.record.device.clone();
            report.figures.push(Figure { name: "Computing".to_owned(), value, note });
        }
        Ok(report)
    }

    fn evaluated(
        &self,
        gpu: &Gpu,
        capture: &Capture,
        sources: &mut ReportSources<'_>,
    ) -> Result<Evaluation, PipelineError> {
        let mut paint = sources.network.as_deref_mut().map(|network| |view: usize| self.render_neural(network, view));
        let options = EvaluateOptions {
            ground_truth: sources.ground_truth,
            lpips: None,
            neural: paint.as_mut().map(|paint| paint as &mut ViewShader<'_>),
        };
        self.evaluate(gpu, capture, options)
    }

    /// The capture's name.
    fn title(&self) -> String {
        let path = &self.record.capture;
        path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    fn facts(&self) -> Vec<(String, String)> {
        let record = &self.record;
        let list = |views: &[usize]| {
            let numbers: Vec<String> = views.iter().map(usize::to_string).collect();
            if numbers.is_empty() { "none".to_owned() } else { numbers.join(", ") }
        };
        let sides: Vec<&str> = self.mesh.hands.iter().map(|h| h.side.name()).collect();
        let triangles: usize = self.mesh.hands.iter().map(|h| h.faces.len()).sum();
        let mut facts = vec![
            ("capture", record.capture.display().to_string()),
            ("capture's SHA-256", record.capture_hash.clone()),
            (
                "views",
                format!("{}; held out: {}; excluded: {}", self.views(), list(&record.hold_out), list(&record.exclude)),
            ),
            ("hands", format!("{}; {triangles} triangles", sides.join(" and "))),
            ("hand model", record.model.clone()),
            ("preset", record.preset_name.clone()),
        ];
        let changed = changed(&record.preset, &record.preset_name);
        if !changed.is_empty() {
            facts.push(("changed settings", changed.join(", ")));
        }
        facts.extend([
            ("seed", record.seed.to_string()),
            ("version", format!("thenar {}", record.version)),
            ("system", record.system.clone()),
            ("device", record.device.clone()),
            ("driver", record.driver.clone()),
            ("licence", crate::export::licence(&record.model)),
        ]);
        facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The hands for the page's viewer, and a picture for where it does not run.
    fn model(
        &self,
        maker: &mut PictureMaker,
        orbit: &Orbit,
        capture: Option<&Capture>,
        errors: Option<&VertexErrors>,
    ) -> Result<Option<Model>, PipelineError> {
        let mut hands = self.hands();
        if hands.is_empty() {
            return Ok(None);
        }
        let mut textured = false;
        if let Some(capture) = capture.filter(|c| c.hash == self.record.capture_hash)
            && self.has_layout()
            && !self.lights.is_empty()
        {
            let surface = FineSurface::of_hands(&self.mesh, &hands);
            let baked = self.photographs().bake(capture, &surface, TEXTURE_PX, FIT_ROUNDS);
            for (hand, texture) in hands.iter_mut().zip(baked) {
                hand.texture = Some(Arc::new(texture));
            }
            textured = true;
        }
        if let Some(mean) = reflectance::mean_luminance(&hands) {
            for hand in &mut hands {
                reflectance::scale(hand, reflectance::USUAL / mean);
            }
        }
        let picture = self.fallback(maker, orbit, &hands)?;
        let target = gltf_from_capture(&self.checkpoint.facts.cameras, mean_point(&hands));
        let mut triangles = 0;
        let mut shown = Vec::new();
        let mut errors_mm = Vec::new();
        for (i, (hand, fine)) in hands.iter().zip(&self.mesh.hands).enumerate() {
            let mut hand = at_level(hand, &fine.levels, LEVEL, None);
            hand.texture_format = TextureFormat::Jpeg;
            hand.transform(&target);
            triangles += hand.faces.len();
            if let Some(errors) = errors {
                // Loop subdivision keeps coarse vertices first.
                errors_mm.push(errors.hands[i][..hand.positions.len()].to_vec());
            }
            shown.push(hand);
        }
        let provenance =
            Provenance { frame: Frame::Gltf, notes: vec![("preset".into(), self.record.preset_name.clone())] };
        let colours = if textured { "a texture from the photographs" } else { "the albedo of the vertices" };
        Ok(Some(Model {
            glb: glb::preview(&shown, &errors_mm, &provenance, TEXTURE_PX)?,
            file_name: format!("{}.glb", self.title()),
            picture,
            most_mm: errors.map(|e| e.most_mm),
            note: format!("{triangles} triangles with {colours}; thenar export writes the full detail."),
        }))
    }

    /// The hands under a lamp, as the page shows them without its viewer.
    fn fallback(
        &self,
        maker: &mut PictureMaker,
        orbit: &Orbit,
        hands: &[ExportHand],
    ) -> Result<Picture, PipelineError> {
        let albedo: Vec<[f32; 3]> =
            hands.iter().flat_map(|h| &h.albedo).map(|c| c.map(crate::fitting::ham::to_f32)).collect();
        let camera = orbit.still(0.0, 0.1, (960, 600));
        let image = self.coloured(maker, &albedo, &camera)?;
        Ok(Picture { image, alt: format!("The reconstructed hands of {}, seen from the cameras' side", self.title()) })
    }

    /// The run's surface in other colours, under a lamp beside the camera.
    fn coloured(
        &self,
        maker: &mut PictureMaker,
        albedo: &[[f32; 3]],
        camera: &Camera,
    ) -> Result<RgbImage, PipelineError> {
        let surface = Surface { albedo, ..(&self.vertices).into() };
        let light = raking_light(camera);
        let pixels = maker.render(&surface, &self.mesh.topology.faces, camera, &light, PictureMode::Shaded)?;
        Ok(over(&pixels, camera, |_| GROUND))
    }
}

/// Settings as they stand in `run.ron`.
fn pretty(preset: &Preset) -> String {
    ron::ser::to_string_pretty(preset, ron::ser::PrettyConfig::default()).unwrap_or_default()
}

/// Settings that differ from those of the preset of this name, as `path = value`; nothing for a preset that is not there any
/// more.
fn changed(preset: &Preset, name: &str) -> Vec<String> {
    fn walk(ours: &serde_json::Value, theirs: &serde_json::Value, path: &str, out: &mut Vec<String>) {
        match (ours, theirs) {
            (serde_json::Value::Object(a), serde_json::Value::Object(b)) => {
                for (key, value) in a {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    walk(value, b.get(key).unwrap_or(&serde_json::Value::Null), &path, out);
                }
            }
            (a, b) if a != b => out.push(format!("{path} = {a}")),
            _ => {}
        }
    }
    let mut out = Vec::new();
    if let Ok(named) = Preset::load(name)
        && let (Ok(ours), Ok(theirs)) = (serde_json::to_value(preset), serde_json::to_value(&named))
    {
        walk(&ours, &theirs, "", &mut out);
    }
    out
}

/// The numbers on top of the page.
fn figures(e: &Evaluation) -> Vec<Figure> {
    let mut out = Vec::new();
    let mut put = |name: &str, value: Option<String>, note: &str| {
        if let Some(value) = value {
            out.push(Figure { name: name.to_owned(), value, note: note.to_owned() });
        }
    };
    let decibel = |v: Option<f64>| v.map(|v| format!("{v:.1} dB"));
    let trusted = |v: &&ViewScore| !v.held_out && v.mask_trusted == Some(true);
    let (means, over) = if e.views.iter().any(|v| trusted(&v)) {
        (ViewMeans::over(e.views.iter().filter(trusted)), "mask ∩ render, fitted views with a trusted mask")
    } else {
        (e.mean.clone(), "mask ∩ render, fitted views")
    };
    put("PSNR", decibel(means.shaded.psnr_shared), over);
    put("PSNR, neural", decibel(means.neural.as_ref().and_then(|n| n.psnr_shared)), over);
    put("PSNR, held out", decibel(e.held_out.shaded.psnr_shared), "mask ∩ render, views that no stage has seen");
    let refined = crate::metrics::RefinedScore::means(&e.views);
    match &refined {
        Some((count, means)) => {
            let note = format!("with the masks as used, {count} fitted views");
            put("Silhouette IoU", means.iou.map(|v| format!("{v:.3}")), &note);
        }
        None => put("Silhouette IoU", e.mean.shaded.iou.map(|v| format!("{v:.3}")), "fitted views"),
    }
    if let Some(s) = &e.surface {
        put("Surface", Some(format!("{:.2} mm", s.p2s_mean_mm)), "mean distance from the true surface");
        put("Joints", s.joint_mean_mm.map(|v| format!("{v:.2} mm")), "mean distance from the true joints");
    }
    out
}

/// How sound each mesh is.
fn meshes(score: &MeshScore) -> Table {
    let rows = score.hands.iter().map(|h| Row {
        #[expect(clippy::cast_precision_loss, reason = "triangle counts are far below 2^53")]
        cells: vec![
            h.side.name().into(),
            Cell::number(Some(h.triangles as f64), 0),
            Cell::number(Some(h.flipped_percent), 3),
            Cell::number(Some(h.spikes_percent), 3),
            Cell::number(Some(h.self_intersecting_percent), 3),
            Cell::number(h.in_other_hand_percent, 3),
        ],
        marked: false,
    });
    Table {
        caption: "Shares of unsound triangles, percent".to_owned(),
        columns: vec![
            Column::text("Hand", ""),
            Column::number("Triangles", ""),
            Column::number(
                "Flipped",
                "The normal is more than 90° off those of the triangles around, or there is no area",
            ),
            Column::number("Spikes", "Pokes out of its ring of neighbours, is drawn out, or makes a knife's edge"),
            Column::number("Self-intersecting", "Cuts through another triangle of the same hand"),
            Column::number("In the other hand", "Cuts through a triangle of the other hand"),
        ],
        rows: rows.collect(),
        foot: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
