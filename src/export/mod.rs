//! Results as files: GLB, OBJ, PLY, NPZ, JSON, reports, and the folder of a synthetic scene. The only writers of results, every
//! file whole or not at all (see [`atomic`]).

pub mod atomic;
pub mod bvh;
mod calibration;
pub mod edits;
pub mod fmhr;
mod frame;
pub mod glb;
pub mod joints;
pub mod maps;
pub mod meta;
pub mod npz;
pub mod obj;
pub mod parameters;
pub mod ply;
pub mod reflectance;
pub mod report;
mod scene;
pub mod stl;
pub mod texture;
pub mod usd;
mod wrist;
mod zip;

pub use calibration::{CalibrationFormat, calibration_files};
pub use frame::{Frame, Up, apply, gltf_from_capture, gltf_from_hand};
pub use scene::write_scene;
pub use texture::TextureFormat;

use crate::anatomy::Side;
use crate::hand::{HandModel, HandParameters, PosedHand};
use crate::synthetic::TrueHand;
use crate::texture::HandTexture;
use crate::texture::relief::Relief;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One hand as the writers take it.
#[derive(Clone, Debug)]
pub struct ExportHand {
    /// Side.
    pub side: Side,
    /// Positions (V×3), metres, in the frame to be written.
    pub positions: Vec<[f64; 3]>,
    /// Unit normals (V×3).
    pub normals: Vec<[f64; 3]>,
    /// Albedo (V×3), sRGB-encoded, 0..1.
    pub albedo: Vec<[f64; 3]>,
    /// Triangles (F×3), outward winding.
    pub faces: Vec<[u32; 3]>,
    /// UV coordinates (T×2), v up; may be empty.
    pub uvs: Vec<[f64; 2]>,
    /// UV index of each face corner (F×3), or empty.
    pub uv_faces: Vec<[u32; 3]>,
    /// Parameters of the underlying model, if fitted.
    pub parameters: Option<HandParameters>,
    /// `open` or `mano`.
    pub model_name: String,
    /// SHA-256 of the model's file.
    pub model_hash: String,
    /// Albedo from the photographs over the UV layout; without it, textures show `albedo`.
    pub texture: Option<Arc<HandTexture>>,
    /// What the mesh lacks of a finer one, over the UV layout.
    pub relief: Option<Arc<Relief>>,
    /// How the albedo's texture is stored.
    pub texture_format: TextureFormat,
}

impl From<&TrueHand> for ExportHand {
    fn from(hand: &TrueHand) -> Self {
        Self {
            side: hand.side,
            positions: hand.positions.clone(),
            normals: hand.normals.clone(),
            albedo: hand.albedo.clone(),
            faces: hand.faces.clone(),
            uvs: hand.uvs.clone(),
            uv_faces: hand.uv_faces.clone(),
            parameters: Some(hand.parameters.clone()),
            model_name: hand.model.name.clone(),
            model_hash: hand.model.hash.clone(),
            texture: None,
            relief: None,
            texture_format: TextureFormat::default(),
        }
    }
}

impl ExportHand {
    /// A posed model in one grey: its own mesh and UVs, at the posed positions.
    #[must_use]
    pub fn of_model(model: &HandModel, posed: &PosedHand) -> Self {
        Self {
            side: model.side,
            positions: posed.vertices.clone(),
            normals: crate::mesh::vertex_normals(&posed.vertices, &model.faces),
            albedo: vec![[0.7; 3]; posed.vertices.len()],
            faces: model.faces.clone(),
            uvs: model.uvs.clone(),
            uv_faces: model.uv_faces.clone(),
            parameters: Some(posed.parameters.clone()),
            model_name: model.name.clone(),
            model_hash: model.hash.clone(),
            texture: None,
            relief: None,
            texture_format: TextureFormat::default(),
        }
    }

    /// Moves positions and turns normals by `target_from_source`: a rotation (or a rotation and a mirror, which turns the
    /// triangles round as well), one scale and a translation; see [`gltf_from_capture`] and [`Frame::from_gltf`]. The
    /// parameters stay in the capture frame.
    pub fn transform(&mut self, target_from_source: &nalgebra::Matrix4<f64>) {
        let linear = target_from_source.fixed_view::<3, 3>(0, 0).into_owned();
        let volume = linear.determinant();
        let rotation = linear / volume.abs().cbrt();
        for p in &mut self.positions {
            *p = apply(target_from_source, *p);
        }
        for n in &mut self.normals {
            *n = (rotation * nalgebra::Vector3::from(*n)).into();
        }
        if volume < 0.0 {
            for face in self.faces.iter_mut().chain(&mut self.uv_faces) {
                face.swap(1, 2);
            }
        }
    }

    /// Checks that all arrays belong together, so that writers can index freely.
    fn check(&self) -> Result<(), ExportError> {
        let (v, t) = (self.positions.len(), self.uvs.len());
        let problem = if self.normals.len() != v || self.albedo.len() != v {
            Some(format!("{v} positions, {} normals, {} albedo values", self.normals.len(), self.albedo.len()))
        } else if self.faces.iter().flatten().any(|&i| i as usize >= v) {
            Some("a face names a vertex that does not exist".to_owned())
        } else if !self.uv_faces.is_empty() && self.uv_faces.len() != self.faces.len() {
            Some(format!("{} faces, {} UV faces", self.faces.len(), self.uv_faces.len()))
        } else if self.uv_faces.iter().flatten().any(|&i| i as usize >= t) {
            Some("a face names a UV coordinate that does not exist".to_owned())
        } else if !self.positions.iter().chain(&self.normals).chain(&self.albedo).flatten().all(|x| x.is_finite()) {
            Some("a number is not finite".to_owned())
        } else {
            None
        };
        problem.map_or(Ok(()), |problem| Err(ExportError::Mesh { side: self.side, problem }))
    }
}

/// Where a file comes from; written into headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Frame of the positions.
    pub frame: Frame,
    /// Further facts as (name, value): capture, preset, seed, iteration…
    pub notes: Vec<(String, String)>,
}

impl Provenance {
    /// The program's name and version.
    pub const GENERATOR: &'static str = concat!("thenar ", env!("CARGO_PKG_VERSION"));

    /// `name value` lines for text headers, without line breaks: generator, unit, frame, hand, model, then the notes.
    fn lines(&self, hand: &ExportHand) -> Vec<String> {
        self.pairs(hand).into_iter().map(|(k, v)| format!("{k} {v}").replace(['\n', '\r'], " ")).collect()
    }

    fn pairs(&self, hand: &ExportHand) -> Vec<(String, String)> {
        let mut pairs = vec![
            ("generator".to_owned(), Self::GENERATOR.to_owned()),
            ("unit".to_owned(), self.frame.unit().0.to_owned()),
            ("frame".to_owned(), self.frame.words().to_owned()),
            ("hand".to_owned(), hand.side.to_string()),
            ("model".to_owned(), format!("{} {}", hand.model_name, hand.model_hash)),
            ("licence".to_owned(), licence(&hand.model_name)),
        ];
        pairs.extend(self.notes.iter().cloned());
        pairs
    }
}

/// Whose rights a file of a hand touches, by the name of its model.
#[must_use]
pub fn licence(model_name: &str) -> String {
    match model_name {
        "open" => "Hand topology and UVs: CC0-1.0 (MakeHuman). Shape and colour: the owner of the capture.".to_owned(),
        other => format!("Made with the hand model {other}: its licence governs this file."),
    }
}

/// Why a result cannot be written or read back.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The disk said no.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The output folder holds something already.
    #[error("{path} is not empty. Name a new or empty folder", path = path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// Another process writes to the run folder.
    #[error("{path} is being written by another process. Wait until it has ended, or stop it, then try again", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The arrays of a hand do not belong together.
    #[error("the {side} hand cannot be written: {problem}")]
    Mesh {
        /// Which hand.
        side: Side,
        /// What is wrong.
        problem: String,
    },
    /// A file of ours cannot be read back.
    #[error("{path}: {problem}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// An image or JSON encoder failed.
    #[error("{what} cannot be encoded: {reason}")]
    Encode {
        /// What was to be encoded.
        what: &'static str,
        /// Why not.
        reason: String,
    },
}

impl ExportError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn format(path: &Path, problem: impl Into<String>) -> Self {
        Self::Format { path: path.to_owned(), problem: problem.into() }
    }
}

/// Nearest 8-bit level of a 0..1 value.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..255 before the cast")]
pub(crate) fn level_8bit(value: f64) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod testing {
    use super::*;

    /// A tetrahedron in three UV islands: the first two faces share an edge there, the other two lie apart.
    pub(super) fn hand() -> ExportHand {
        let positions = vec![[0.1, 0.1, 1.1], [-0.1, -0.1, 1.1], [-0.1, 0.1, 0.9], [0.123_456_789_012, -0.1, 0.9]];
        let faces = vec![[0, 1, 3], [0, 2, 1], [0, 3, 2], [1, 2, 3]];
        ExportHand {
            side: Side::Right,
            normals: crate::mesh::vertex_normals(&positions, &faces),
            positions,
            albedo: vec![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.4, 0.6], [0.5, 0.5, 0.5]],
            faces,
            uvs: vec![[0.1, 0.1], [0.45, 0.1], [0.1, 0.45], [0.2, 0.02], [0.6, 0.6], [0.9, 0.6], [0.6, 0.9]],
            uv_faces: vec![[0, 1, 2], [0, 3, 1], [4, 5, 6], [4, 5, 6]],
            parameters: Some(HandParameters::rest(Side::Right)),
            model_name: "open".into(),
            model_hash: "abc".into(),
            texture: None,
            relief: None,
            texture_format: TextureFormat::default(),
        }
    }

    #[test]
    fn arrays_that_do_not_belong_together_are_refused() {
        assert!(hand().check().is_ok(), "the sample is sound");
        let bad = |f: fn(&mut ExportHand)| {
            let mut h = hand();
            f(&mut h);
            h.check().is_err()
        };
        assert!(bad(|h| h.faces[0][0] = 9), "vertex index");
        assert!(bad(|h| h.uv_faces[0][0] = 9), "UV index");
        assert!(bad(|h| h.normals.truncate(1)), "normals");
        assert!(bad(|h| h.positions[0][0] = f64::NAN), "NaN");
    }
}
