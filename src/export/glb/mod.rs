//! Binary glTF 2.0: one node and mesh per hand, metres, +Y up, albedo as an embedded texture and as vertex colours.
//!
//! glTF multiplies `COLOR_0` into the base colour texture, so a file that carried albedo in both would look too dark in
//! every viewer. A hand with a texture therefore has a white `COLOR_0` and its albedo (linear, as glTF wants) in `COLOR_1`,
//! which viewers ignore and editors import; a hand without UVs has its albedo in `COLOR_0`.
//!
//! Vertices are doubled along UV seams. Positions are floats: at 1 m from the origin they resolve 0.1 µm.
//! Hands that move are written by [`animated`].

pub mod animated;
mod builder;

use super::{ExportError, ExportHand, Provenance, atomic};
use builder::Builder;
use gltf_json as json;
use json::validation::USize64;
use std::path::Path;

/// The whole file. Hands must be in glTF's frame (see [`super::gltf_from_capture`]); `texture_px` is the width of each
/// hand's texture.
///
/// # Errors
/// [`ExportError::Mesh`] or [`ExportError::Encode`].
pub fn to_bytes(hands: &[ExportHand], provenance: &Provenance, texture_px: u32) -> Result<Vec<u8>, ExportError> {
    let mut builder = Builder::default();
    let mut nodes = Vec::new();
    for hand in hands {
        hand.check()?;
        nodes.push(builder.hand(hand, &[], texture_px)?);
    }
    let facts = hands.first().map(|h| provenance.pairs(h)).unwrap_or_default();
    finish(builder, nodes, hands.first().map(|h| &*h.model_name), facts)
}

/// A small file for the viewer of a report: only the attributes that it draws. `errors_mm` has for each
/// hand the distance of each of its vertices from the true surface (negative: not measured), as the attribute `_ERROR_MM`;
/// or it is empty.
///
/// # Errors
/// As [`to_bytes`].
pub fn preview(
    hands: &[ExportHand],
    errors_mm: &[Vec<f32>],
    provenance: &Provenance,
    texture_px: u32,
) -> Result<Vec<u8>, ExportError> {
    let mut builder = Builder { preview: true, ..Builder::default() };
    let mut nodes = Vec::new();
    for (i, hand) in hands.iter().enumerate() {
        hand.check()?;
        nodes.push(builder.hand(hand, errors_mm.get(i).map_or(&[], |e| e), texture_px)?);
    }
    let facts = hands.first().map(|h| provenance.pairs(h)).unwrap_or_default();
    finish(builder, nodes, hands.first().map(|h| &*h.model_name), facts)
}

/// Closes the document: asset, buffer, scene; `facts` become extras of the asset.
fn finish(
    builder: Builder,
    nodes: Vec<json::Index<json::Node>>,
    model: Option<&str>,
    facts: Vec<(String, String)>,
) -> Result<Vec<u8>, ExportError> {
    let Builder { mut root, bytes, errors, .. } = builder;
    root.asset = json::Asset {
        generator: Some(Provenance::GENERATOR.to_owned()),
        copyright: model.map(super::licence),
        ..json::Asset::default()
    };
    root.push(json::Buffer {
        byte_length: USize64::from(bytes.len()),
        name: None,
        uri: None,
        extensions: None,
        extras: json::Extras::default(),
    });
    let scene =
        json::Scene { extensions: None, extras: json::Extras::default(), name: Some("hands".to_owned()), nodes };
    root.scene = Some(root.push(scene));
    let encode = |e: serde_json::Error| ExportError::Encode { what: "a GLB", reason: e.to_string() };
    // The crate's typed extras need a feature we do without; as a value they are one line.
    let mut value = serde_json::to_value(&root).map_err(encode)?;
    let facts: serde_json::Map<String, serde_json::Value> = facts.into_iter().map(|(k, v)| (k, v.into())).collect();
    value["asset"]["extras"] = serde_json::Value::Object(facts);
    for (mesh, accessor) in errors {
        value["meshes"][mesh]["primitives"][0]["attributes"]["_ERROR_MM"] = accessor.into();
    }
    container(serde_json::to_vec(&value).map_err(encode)?, bytes)
}

/// Writes `path`.
///
/// # Errors
/// As [`to_bytes`], or [`ExportError::Io`].
pub fn write(path: &Path, hands: &[ExportHand], provenance: &Provenance, texture_px: u32) -> Result<(), ExportError> {
    atomic::write(path, &to_bytes(hands, provenance, texture_px)?)
}

/// Header, JSON chunk (padded with spaces), binary chunk (padded with zeros).
fn container(mut json: Vec<u8>, mut bytes: Vec<u8>) -> Result<Vec<u8>, ExportError> {
    json.resize(json.len().next_multiple_of(4), b' ');
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let total = 12 + 8 + json.len() + 8 + bytes.len();
    let small = |n: usize| {
        u32::try_from(n).map_err(|_| ExportError::Encode { what: "a GLB", reason: "more than 4 GiB".to_owned() })
    };
    let mut out = Vec::with_capacity(total);
    out.extend(b"glTF");
    out.extend(2_u32.to_le_bytes());
    out.extend(small(total)?.to_le_bytes());
    for (kind, chunk) in [(b"JSON", json), (b"BIN\0", bytes)] {
        out.extend(small(chunk.len())?.to_le_bytes());
        out.extend(kind);
        out.extend(chunk);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::Frame;
    use super::super::testing::hand;
    use super::builder::{floats, linear};
    use super::*;

    #[test]
    fn the_file_parses_and_holds_what_went_in() {
        let mut left = hand();
        left.side = crate::anatomy::Side::Left;
        let provenance = Provenance { frame: Frame::Gltf, notes: vec![("preset".into(), "draft".into())] };
        let bytes = to_bytes(&[left, hand()], &provenance, 64).expect("a GLB");
        let gltf = gltf::Gltf::from_slice(&bytes).expect("a valid GLB");
        let blob = gltf.blob.as_deref().expect("a binary chunk");
        assert_eq!(gltf.nodes().count(), 2, "a node per hand");
        let mesh = gltf.meshes().nth(1).expect("the right hand");
        assert_eq!(mesh.name(), Some("hand_right"), "named by its side");
        let primitive = mesh.primitives().next().expect("a primitive");
        let reader = primitive.reader(|_| Some(blob));
        let positions: Vec<[f32; 3]> = reader.read_positions().expect("positions").collect();
        let indices: Vec<u32> = reader.read_indices().expect("indices").into_u32().collect();
        assert_eq!((positions.len(), indices.len()), (10, 12), "10 seam-split corners, 4 triangles");
        for (i, &index) in indices.iter().enumerate() {
            let source = hand().positions[hand().faces[i / 3][i % 3] as usize];
            assert_eq!(positions[index as usize], floats(source), "corner {i} is where it was");
        }
        let bounds = primitive.bounding_box();
        assert!((bounds.min[0] + 0.1).abs() < 1e-6 && (bounds.max[2] - 1.1).abs() < 1e-6, "bounds fit");
        let uv = reader.read_tex_coords(0).expect("UVs").into_f32().next().expect("one");
        assert!((uv[0] - 0.1).abs() < 1e-6 && (uv[1] - 0.9).abs() < 1e-6, "v is flipped");
        let white = reader.read_colors(0).expect("COLOR_0").into_rgba_f32().all(|c| c == [1.0; 4]);
        assert!(white, "COLOR_0 does not darken the texture");
        let red = reader.read_colors(1).expect("COLOR_1").into_rgb_f32().next().expect("one");
        assert_eq!(red, [1.0, 0.0, 0.0], "COLOR_1 is the albedo");
        let material = primitive.material();
        assert!(material.pbr_metallic_roughness().base_color_texture().is_some(), "it has a texture");
        let image = gltf.images().next().expect("an image");
        let gltf::image::Source::View { view, mime_type } = image.source() else { panic!("embedded") };
        assert_eq!(mime_type, "image/png", "a PNG");
        let png = image::load_from_memory(&blob[view.offset()..view.offset() + view.length()]).expect("a PNG");
        assert_eq!(png.width(), 64, "as large as asked");
        let json = String::from_utf8_lossy(&bytes);
        assert!(
            json.contains("\"preset\":\"draft\"") && json.contains("\"generator\":\"thenar"),
            "provenance is there"
        );
    }

    #[test]
    fn a_preview_is_small_and_carries_errors() {
        let errors = vec![0.5, -1.0, 0.25, 2.0];
        let sample = ExportHand { texture_format: crate::export::TextureFormat::Jpeg, ..hand() };
        let bytes = preview(&[sample], std::slice::from_ref(&errors), &Provenance::default(), 64).expect("a GLB");
        // The crate knows no attributes of applications, which the format allows (the Khronos validator is asked in
        // tests/exports.rs).
        let gltf = gltf::Gltf::from_slice_without_validation(&bytes).expect("a GLB");
        let blob = gltf.blob.as_deref().expect("a binary chunk");
        let primitive = gltf.meshes().next().and_then(|m| m.primitives().next()).expect("a primitive");
        let reader = primitive.reader(|_| Some(blob));
        assert!(reader.read_colors(0).is_none() && reader.read_tangents().is_none(), "only what is drawn");
        let gltf::image::Source::View { view, mime_type } = gltf.images().next().expect("an image").source() else {
            panic!("embedded")
        };
        let image = image::load_from_memory(&blob[view.offset()..view.offset() + view.length()]).expect("an image");
        assert_eq!((mime_type, image.width()), ("image/jpeg", 64), "a JPEG");
        let length = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]) as usize;
        let json: serde_json::Value = serde_json::from_slice(&bytes[20..20 + length]).expect("JSON");
        let index = json["meshes"][0]["primitives"][0]["attributes"]["_ERROR_MM"].as_u64().expect("an attribute");
        let accessor = gltf.accessors().nth(usize::try_from(index).expect("small")).expect("an accessor");
        let view = accessor.view().expect("a view");
        let found: Vec<f32> = blob[view.offset()..view.offset() + view.length()]
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let positions: Vec<[f32; 3]> = reader.read_positions().expect("positions").collect();
        assert_eq!(found.len(), positions.len(), "one a vertex");
        for (p, e) in positions.iter().zip(&found) {
            let source = hand().positions.iter().position(|q| floats(*q) == *p).expect("one of ours");
            assert_eq!(*e, errors[source], "each at its place");
        }
        let plain = preview(&[hand()], &[], &Provenance::default(), 64).expect("a GLB");
        assert!(!String::from_utf8_lossy(&plain).contains("_ERROR_MM"), "none without");
    }

    #[test]
    fn without_uvs_the_colours_are_color_0() {
        let mut bare = hand();
        bare.uvs.clear();
        bare.uv_faces.clear();
        let bytes = to_bytes(&[bare], &Provenance::default(), 64).expect("a GLB");
        let gltf = gltf::Gltf::from_slice(&bytes).expect("a valid GLB");
        let primitive = gltf.meshes().next().and_then(|m| m.primitives().next()).expect("a primitive");
        let blob = gltf.blob.as_deref().expect("a binary chunk");
        let colours: Vec<[f32; 3]> =
            primitive.reader(|_| Some(blob)).read_colors(0).expect("COLOR_0").into_rgb_f32().collect();
        assert_eq!(colours.len(), 4, "no seams, no doubles");
        assert!(
            (f64::from(colours[3][0]) - linear(0.5)).abs() < 1e-6 || colours.contains(&floats([linear(0.5); 3])),
            "linear"
        );
    }
}
