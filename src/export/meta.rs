//! `<file>.meta.json` beside every exported file: frame, unit, the matrix from the capture, where it came from, whose rights
//! it touches. For the formats that have no room for it, and for programs that do not want to parse the others.

use super::{ExportError, ExportHand, Provenance, atomic, licence};
use nalgebra::Matrix4;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What is known about a file beside its provenance.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// From capture metres to the file's numbers; `None` for the rest pose, which is no motion of the capture.
    pub file_from_capture: Option<Matrix4<f64>>,
    /// Further facts.
    pub facts: Vec<(String, Value)>,
}

/// The sidecar's contents.
#[must_use]
pub fn to_json(file: &str, hands: &[ExportHand], provenance: &Provenance, about: &About) -> Value {
    let (unit, per_metre) = provenance.frame.unit();
    let rows = |m: &Matrix4<f64>| (0..4).map(|r| (0..4).map(|c| m[(r, c)]).collect()).collect::<Vec<Vec<f64>>>();
    let of = |h: &ExportHand| {
        json!({
            "side": h.side.name(),
            "vertices": h.positions.len(),
            "triangles": h.faces.len(),
            "model": h.model_name,
            "model_sha256": h.model_hash,
            "texture_from_photographs": h.texture.as_ref().map(|t| t.covered),
        })
    };
    let mut value = json!({
        "file": file,
        "generator": Provenance::GENERATOR,
        "frame": provenance.frame.words(),
        "unit": unit,
        "units_per_metre": per_metre,
        "file_from_capture": about.file_from_capture.as_ref().map(rows),
        "licence": hands.first().map(|h| licence(&h.model_name)),
        "hands": hands.iter().map(of).collect::<Vec<Value>>(),
    });
    for (name, note) in &provenance.notes {
        value[name] = Value::from(note.clone());
    }
    for (name, fact) in &about.facts {
        value[name] = fact.clone();
    }
    value
}

/// Writes the sidecar of a file; returns its path.
///
/// # Errors
/// [`ExportError::Encode`] or [`ExportError::Io`].
pub fn write(
    file: &Path,
    hands: &[ExportHand],
    provenance: &Provenance,
    about: &About,
) -> Result<PathBuf, ExportError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = serde_json::to_string_pretty(&to_json(&name, hands, provenance, about))
        .map_err(|e| ExportError::Encode { what: "a sidecar", reason: e.to_string() })?;
    let path = file.with_file_name(format!("{name}.meta.json"));
    atomic::write(&path, text.as_bytes())?;
    Ok(path)
}
