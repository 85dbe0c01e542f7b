//! `neural.safetensors` and `neural.ron` of a run: what the neural stage has learned, and what it belongs to.
//!
//! The tensors: `weights` (flat, layer by layer, inputs × outputs, then biases), `features` (V×20), `gains` (views×3, zero for
//! views that took no part), `light` (9), `rest` (4). The header names the version, the kind of network, the hand models and
//! the mesh, and holds the SHA-256 of the tensors' file, so that neither is read with another's other half.

use super::comparison::as_photographed;
use super::{FinishedRun, PipelineError, PosableHand};
use crate::camera::Camera;
use crate::export::{ExportError, atomic};
use crate::fitting::ham::{FineMesh, Vertices, to_f32};
use crate::gpu::Gpu;
use crate::neural::{FEATURES, NeuralError, NeuralKind, NeuralMesh, NeuralModel, NeuralRenderer, Output};
use crate::safetensors::{self, Tensor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Version of the files; others are refused.
const VERSION: u32 = 1;
const HEADER: &str = "neural.ron";
const TENSORS: &str = "neural.safetensors";

/// True when a run folder holds a network.
#[must_use]
pub fn has_network(run: &Path) -> bool {
    run.join(TENSORS).exists()
}

/// `neural.ron`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NeuralHeader {
    pub version: u32,
    /// Version of the program.
    pub program: String,
    pub kind: NeuralKind,
    pub output: Output,
    pub epochs: u32,
    pub seed: u64,
    /// Name of the hand model.
    pub model: String,
    /// SHA-256 of the hand models' files (left, right).
    pub model_hashes: [String; 2],
    /// SHA-256 of triangles, positions and albedo.
    pub mesh_hash: String,
    /// SHA-256 of the tensors' file.
    pub tensors_hash: String,
}

/// SHA-256 of what a network was trained on: triangles, positions and albedo, all little-endian.
pub(super) fn mesh_hash(faces: &[[u32; 3]], vertices: &Vertices) -> String {
    let mut hash = Sha256::new();
    hash.update(b"thenar mesh 1");
    for x in faces.as_flattened() {
        hash.update(x.to_le_bytes());
    }
    for x in vertices.positions.as_flattened().iter().chain(vertices.albedo.as_flattened()) {
        hash.update(x.to_le_bytes());
    }
    format!("{:x}", hash.finalize())
}

/// Rest-pose positions of all hands in the order of the mesh.
pub(super) fn rest_positions(hands: &[PosableHand]) -> Vec<[f32; 3]> {
    hands.iter().flat_map(|h| &h.rest.vertices).map(|v| v.map(to_f32)).collect()
}

/// The mesh as the network takes it.
pub(super) fn neural_mesh<'a>(mesh: &'a FineMesh, vertices: &'a Vertices, rest: &'a [[f32; 3]]) -> NeuralMesh<'a> {
    NeuralMesh {
        topology: &mesh.topology,
        positions: &vertices.positions,
        normals: &vertices.normals,
        albedo: &vertices.albedo,
        rest,
    }
}

/// Writes both files; the header, without which the tensors are not read, last.
pub(super) fn write(folder: &Path, header: &NeuralHeader, model: &NeuralModel) -> Result<(), ExportError> {
    let gains: Vec<f32> = model.gains.iter().flat_map(|g| g.unwrap_or([0.0; 3])).collect();
    let tensor = |name: &str, shape: &[usize], data: &[f32]| {
        (name.to_owned(), Tensor { shape: shape.to_vec(), data: data.to_vec() })
    };
    let tensors = [
        tensor("features", &[model.features.len() / FEATURES, FEATURES], &model.features),
        tensor("gains", &[model.gains.len(), 3], &gains),
        tensor("light", &[9], &model.light),
        tensor("rest", &[4], &model.rest),
        tensor("weights", &[model.weights.len()], &model.weights),
    ];
    let tensors = safetensors::to_bytes(&tensors.into_iter().collect())
        .map_err(|e| ExportError::Encode { what: TENSORS, reason: e.to_string() })?;
    let header = NeuralHeader { tensors_hash: format!("{:x}", Sha256::digest(&tensors)), ..header.clone() };
    let text = ron::ser::to_string_pretty(&header, ron::ser::PrettyConfig::default())
        .map_err(|e| ExportError::Encode { what: HEADER, reason: e.to_string() })?;
    atomic::write(&folder.join(TENSORS), &tensors)?;
    atomic::write(&folder.join(HEADER), text.as_bytes())
}

/// Reads both files; `None` when there is no header.
pub(super) fn read(folder: &Path) -> Result<Option<(NeuralHeader, NeuralModel)>, PipelineError> {
    let path = folder.join(HEADER);
    if !path.exists() {
        return Ok(None);
    }
    let damaged = |path: &Path, problem: String| ExportError::format(path, &problem);
    let text = std::fs::read_to_string(&path).map_err(ExportError::io(&path))?;
    let header: NeuralHeader =
        ron::from_str(&text).map_err(|e| damaged(&path, format!("is no header of a neural rendering: {e}")))?;
    if header.version != VERSION {
        let problem = format!("is of version {}; this program reads version {VERSION}", header.version);
        return Err(damaged(&path, problem).into());
    }
    let path = folder.join(TENSORS);
    let bytes = std::fs::read(&path).map_err(ExportError::io(&path))?;
    if format!("{:x}", Sha256::digest(&bytes)) != header.tensors_hash {
        let problem = format!("does not belong to the {HEADER} beside it; train again with --resume --until neural");
        return Err(damaged(&path, problem).into());
    }
    let mut tensors = safetensors::from_bytes(&bytes).map_err(|problem| damaged(&path, problem))?;
    let mut list = |name: &str| -> Result<Vec<f32>, PipelineError> {
        let missing = || damaged(&path, format!("has no `{name}`"));
        Ok(tensors.remove(name).ok_or_else(missing)?.data)
    };
    let mut fixed = |name: &str, count: usize| -> Result<Vec<f32>, PipelineError> {
        let list = list(name)?;
        if list.len() != count {
            return Err(damaged(&path, format!("has {} numbers in `{name}`, not {count}", list.len())).into());
        }
        Ok(list)
    };
    let (light, rest) = (fixed("light", 9)?, fixed("rest", 4)?);
    let gains = list("gains")?;
    let gains = gains.chunks_exact(3).map(|g| (g[0] > 0.0).then_some([g[0], g[1], g[2]])).collect();
    let model = NeuralModel {
        kind: header.kind,
        output: header.output,
        weights: list("weights")?,
        features: list("features")?,
        gains,
        light: std::array::from_fn(|k| light[k]),
        rest: std::array::from_fn(|k| rest[k]),
    };
    Ok(Some((header, model)))
}

impl NeuralHeader {
    /// The header of a network just trained.
    pub(super) fn new(
        settings: &crate::neural::NeuralSettings,
        seed: u64,
        epochs: u32,
        model: &str,
        model_hashes: [String; 2],
        mesh_hash: String,
    ) -> Self {
        Self {
            version: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            kind: settings.kind,
            output: settings.output,
            epochs,
            seed,
            model: model.to_owned(),
            model_hashes,
            mesh_hash,
            tensors_hash: String::new(),
        }
    }

    /// Whether it belongs to these hand models and this mesh.
    fn check(&self, model_hashes: &[String; 2], mesh_hash: &str) -> Result<(), NeuralError> {
        let other = |what: &str| Err(NeuralError::OtherMesh { what: what.to_owned() });
        if &self.model_hashes != model_hashes {
            return other("its hand models are others");
        }
        if self.mesh_hash != mesh_hash {
            return other("triangles, positions or albedo differ");
        }
        Ok(())
    }
}

impl FinishedRun {
    /// The run's trained network.
    ///
    /// # Errors
    /// [`PipelineError::Unfinished`] when the stage has not ended, [`NeuralError::OtherMesh`] when the files are of another
    /// mesh, or damaged files.
    pub fn neural_model(&self) -> Result<NeuralModel, PipelineError> {
        let Some((header, model)) = read(self.folder())? else {
            return Err(PipelineError::Unfinished {
                path: self.folder().display().to_string(),
                problem: "has no neural rendering yet; make one with `reconstruct --resume --until neural`".to_owned(),
            });
        };
        let (mesh, vertices) = self.mesh();
        header.check(&self.checkpoint.facts.model_hashes, &mesh_hash(&mesh.topology.faces, vertices))?;
        model.check(vertices.positions.len())?;
        Ok(model)
    }

    /// The run's network ready to render; [`NeuralRenderer::render`] takes any camera, [`NeuralRenderer::place`] any pose.
    ///
    /// # Errors
    /// As [`Self::neural_model`], or a GPU error.
    pub fn neural_renderer(&self, gpu: &Gpu) -> Result<NeuralRenderer, PipelineError> {
        let model = self.neural_model()?;
        let rest = rest_positions(&self.posable()?);
        let (mesh, vertices) = self.mesh();
        Ok(NeuralRenderer::new(gpu, &model, &neural_mesh(mesh, vertices, &rest))?)
    }

    /// Premultiplied RGBA of a view at the photograph's size by the run's network, with the view's own gain where it took
    /// part and none where it did not.
    ///
    /// # Errors
    /// [`PipelineError::NoSuchView`] or a GPU error.
    pub fn render_neural(&self, renderer: &mut NeuralRenderer, view: usize) -> Result<Vec<[f32; 4]>, PipelineError> {
        let last = self.views().saturating_sub(1);
        let camera: &Camera =
            self.checkpoint.facts.cameras.get(view).ok_or(PipelineError::NoSuchView { view, last })?;
        let gain = gain_of(renderer.model(), view);
        let pixels = renderer.render(camera, gain.unwrap_or([1.0; 3]))?;
        Ok(as_photographed(pixels, self.residuals.get(view), camera))
    }

    /// The same through any camera (capture metres), without the gain of one.
    ///
    /// # Errors
    /// A GPU error.
    pub fn render_neural_from(
        &self,
        renderer: &mut NeuralRenderer,
        camera: &Camera,
    ) -> Result<Vec<[f32; 4]>, PipelineError> {
        Ok(renderer.render(camera, [1.0; 3])?)
    }
}

/// The gain of a view that took part.
pub(super) fn gain_of(model: &NeuralModel, view: usize) -> Option<[f64; 3]> {
    model.gains.get(view).copied().flatten().map(|g| g.map(f64::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neural::NeuralSettings;

    fn sample() -> (NeuralHeader, NeuralModel) {
        let model = NeuralModel {
            kind: NeuralKind::Compact,
            output: NeuralSettings::default().output,
            weights: (0..7816_u16).map(|i| f32::from(i) * 0.5).collect(),
            features: vec![0.25; 5 * FEATURES],
            gains: vec![Some([1.0, 0.9, 1.1]), None],
            light: [0.5; 9],
            rest: [0.0, 1.0, 2.0, 8.0],
        };
        let hashes = ["l".to_owned(), "r".to_owned()];
        (NeuralHeader::new(&NeuralSettings::default(), 3, 10, "open", hashes, "m".to_owned()), model)
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(read(dir.path()).expect("nothing there").is_none(), "a run without");
        let (header, model) = sample();
        write(dir.path(), &header, &model).expect("writes");
        let (found, again) = read(dir.path()).expect("reads").expect("is there");
        assert_eq!(again, model, "bit for bit");
        assert_eq!((found.seed, found.kind, found.version), (3, NeuralKind::Compact, VERSION), "its header");
        assert!(model.check(5).is_ok(), "five vertices, and the weights of the kind");
        let bytes = std::fs::read(dir.path().join(TENSORS)).expect("reads");
        write(dir.path(), &header, &model).expect("writes");
        assert_eq!(std::fs::read(dir.path().join(TENSORS)).expect("reads"), bytes, "the same bytes each time");
    }

    /// The header names the kind; how wide `unet` is, its weights tell.
    #[test]
    fn a_network_for_whole_images_is_read_as_such() {
        let dir = tempfile::tempdir().expect("a folder");
        let (header, model) = sample();
        let header = NeuralHeader { kind: NeuralKind::Unet, ..header };
        let model = NeuralModel { kind: NeuralKind::Unet, weights: vec![0.5; 561_816], ..model };
        write(dir.path(), &header, &model).expect("writes");
        let (found, again) = read(dir.path()).expect("reads").expect("is there");
        assert_eq!((found.kind, &again), (NeuralKind::Unet, &model), "its kind and its numbers");
        assert!(again.check(5).is_ok(), "of width 8");
        let cut = NeuralModel { weights: vec![0.5; 561_812], ..again };
        let error = cut.check(5).expect_err("no width").to_string();
        assert!(error.contains("561812 weights") && error.contains("`unet`"), "{error}");
    }

    #[test]
    fn a_network_of_another_mesh_says_so() {
        let (header, model) = sample();
        let hashes = ["l".to_owned(), "r".to_owned()];
        assert!(header.check(&hashes, "m").is_ok(), "its own");
        for (hashes, mesh) in [(&hashes, "n"), (&["x".to_owned(), "r".to_owned()], "m")] {
            let text = header.check(hashes, mesh).expect_err("another").to_string();
            assert!(text.contains("another mesh") && text.contains("--until neural"), "{text}");
        }
        assert!(matches!(model.check(6), Err(NeuralError::OtherMesh { .. })), "another number of vertices");
    }

    #[test]
    fn damaged_and_mixed_files_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let (header, model) = sample();
        write(dir.path(), &header, &model).expect("writes");
        let (tensors, ron) = (dir.path().join(TENSORS), dir.path().join(HEADER));
        let (bytes, text) = (std::fs::read(&tensors).expect("reads"), std::fs::read_to_string(&ron).expect("reads"));
        for cut in [0, 7, 100, bytes.len() - 1] {
            std::fs::write(&tensors, &bytes[..cut]).expect("writes");
            let error = read(dir.path()).expect_err("cut").to_string();
            assert!(error.contains(TENSORS), "{error}");
        }
        std::fs::write(&tensors, &bytes).expect("writes");
        std::fs::write(&ron, text.replace("version: 1", "version: 9")).expect("writes");
        let error = read(dir.path()).expect_err("a later version").to_string();
        assert!(error.contains("version 9"), "{error}");
        std::fs::write(&ron, "()").expect("writes");
        assert!(read(dir.path()).is_err(), "no header");
    }
}
