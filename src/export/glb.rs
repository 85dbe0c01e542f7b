//! Binary glTF 2.0: one node and mesh per hand, metres, +Y up, albedo as an embedded PNG texture and as vertex colours.
//!
//! glTF multiplies `COLOR_0` into the base colour texture, so a file that carried albedo in both would look too dark in
//! every viewer. A hand with a texture therefore has a white `COLOR_0` and its albedo (linear, as glTF wants) in `COLOR_1`,
//! which viewers ignore and editors import; a hand without UVs has its albedo in `COLOR_0`.
//!
//! Vertices are doubled along UV seams. Positions are floats: at 1 m from the origin they resolve 0.1 µm.

use super::{ExportError, ExportHand, Provenance, atomic, texture};
use gltf_json as json;
use json::accessor::{ComponentType, GenericComponentType, Type};
use json::buffer::{Stride, Target};
use json::mesh::Semantic;
use json::validation::{Checked, USize64};
use std::collections::BTreeMap;
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
        nodes.push(builder.hand(hand, texture_px)?);
    }
    let mut root = builder.root;
    root.asset = json::Asset {
        generator: Some(Provenance::GENERATOR.to_owned()),
        copyright: hands.first().map(|h| copyright(&h.model_name)),
        ..json::Asset::default()
    };
    root.push(json::Buffer {
        byte_length: USize64::from(builder.bytes.len()),
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
    let facts: serde_json::Map<String, serde_json::Value> = hands
        .first()
        .map(|h| provenance.pairs(h))
        .unwrap_or_default()
        .into_iter()
        .map(|(k, v)| (k, v.into()))
        .collect();
    value["asset"]["extras"] = serde_json::Value::Object(facts);
    container(serde_json::to_vec(&value).map_err(encode)?, builder.bytes)
}

/// Writes `path`.
///
/// # Errors
/// As [`to_bytes`], or [`ExportError::Io`].
pub fn write(path: &Path, hands: &[ExportHand], provenance: &Provenance, texture_px: u32) -> Result<(), ExportError> {
    atomic::write(path, &to_bytes(hands, provenance, texture_px)?)
}

fn copyright(model_name: &str) -> String {
    match model_name {
        "open" => "Hand topology and UVs: CC0-1.0 (MakeHuman). Shape and colour: the owner of the capture.".to_owned(),
        other => format!("Made with the hand model {other}: its licence governs this file."),
    }
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

/// sRGB-encoded to linear (IEC 61966-2-1).
fn linear(v: f64) -> f64 {
    if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// The document and its one buffer, growing.
#[derive(Default)]
struct Builder {
    root: json::Root,
    bytes: Vec<u8>,
}

/// Buffer 0 is pushed last, when its length is known.
const BUFFER: u32 = 0;

impl Builder {
    fn view(&mut self, data: &[u8], stride: Option<usize>, target: Option<Target>) -> json::Index<json::buffer::View> {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let offset = self.bytes.len();
        self.bytes.extend(data);
        self.root.push(json::buffer::View {
            buffer: json::Index::new(BUFFER),
            byte_length: USize64::from(data.len()),
            byte_offset: Some(USize64::from(offset)),
            byte_stride: stride.map(Stride),
            name: None,
            target: target.map(Checked::Valid),
            extensions: None,
            extras: json::Extras::default(),
        })
    }

    fn accessor(
        &mut self,
        view: json::Index<json::buffer::View>,
        count: usize,
        component: ComponentType,
        kind: Type,
        bounds: Option<([f32; 3], [f32; 3])>,
    ) -> json::Index<json::Accessor> {
        let value = |v: [f32; 3]| json::Value::from(v.to_vec());
        self.root.push(json::Accessor {
            buffer_view: Some(view),
            byte_offset: Some(USize64(0)),
            count: USize64::from(count),
            component_type: Checked::Valid(GenericComponentType(component)),
            extensions: None,
            extras: json::Extras::default(),
            type_: Checked::Valid(kind),
            min: bounds.map(|b| value(b.0)),
            max: bounds.map(|b| value(b.1)),
            name: None,
            normalized: component == ComponentType::U8,
            sparse: None,
        })
    }

    /// A float attribute with `N` numbers a vertex.
    fn floats<const N: usize>(&mut self, data: &[[f32; N]], with_bounds: bool) -> json::Index<json::Accessor> {
        let bytes: Vec<u8> = data.as_flattened().iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = self.view(&bytes, Some(N * 4), Some(Target::ArrayBuffer));
        let bounds = with_bounds.then(|| {
            let mut bounds = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
            for row in data {
                for (axis, &v) in row.iter().take(3).enumerate() {
                    bounds.0[axis] = bounds.0[axis].min(v);
                    bounds.1[axis] = bounds.1[axis].max(v);
                }
            }
            bounds
        });
        let kind = if N == 2 { Type::Vec2 } else { Type::Vec3 };
        self.accessor(view, data.len(), ComponentType::F32, kind, bounds)
    }

    fn hand(&mut self, hand: &ExportHand, texture_px: u32) -> Result<json::Index<json::Node>, ExportError> {
        let name = format!("hand_{}", hand.side);
        let (corners, indices) = split_seams(hand);
        let pick =
            |values: &[[f64; 3]]| -> Vec<[f32; 3]> { corners.iter().map(|c| floats(values[c.0 as usize])).collect() };
        let mut attributes = BTreeMap::new();
        let mut set = |semantic, accessor| attributes.insert(Checked::Valid(semantic), accessor);
        set(Semantic::Positions, self.floats(&pick(&hand.positions), true));
        set(Semantic::Normals, self.floats(&pick(&hand.normals), false));
        let colours: Vec<[f64; 3]> = hand.albedo.iter().map(|a| a.map(linear)).collect();
        let colours = self.floats(&pick(&colours), false);
        let mut texture = None;
        if hand.uv_faces.is_empty() {
            set(Semantic::Colors(0), colours);
        } else {
            let uvs: Vec<[f32; 2]> = corners
                .iter()
                .map(|c| {
                    let [u, v] = hand.uvs[c.1 as usize];
                    let [u, v, _] = floats([u, 1.0 - v, 0.0]);
                    [u, v]
                })
                .collect();
            set(Semantic::TexCoords(0), self.floats(&uvs, false));
            let white = self.view(&vec![255; corners.len() * 4], Some(4), Some(Target::ArrayBuffer));
            let white = self.accessor(white, corners.len(), ComponentType::U8, Type::Vec4, None);
            set(Semantic::Colors(0), white);
            set(Semantic::Colors(1), colours);
            texture = Some(self.texture(hand, texture_px, &name)?);
        }
        let bytes: Vec<u8> = indices.iter().flat_map(|i| i.to_le_bytes()).collect();
        let view = self.view(&bytes, None, Some(Target::ElementArrayBuffer));
        let indices = self.accessor(view, indices.len(), ComponentType::U32, Type::Scalar, None);
        let material = self.root.push(json::Material {
            name: Some(name.clone()),
            pbr_metallic_roughness: json::material::PbrMetallicRoughness {
                base_color_texture: texture,
                metallic_factor: json::material::StrengthFactor(0.0),
                roughness_factor: json::material::StrengthFactor(0.6),
                ..Default::default()
            },
            ..Default::default()
        });
        let mesh = self.root.push(json::Mesh {
            extensions: None,
            extras: json::Extras::default(),
            name: Some(name.clone()),
            primitives: vec![json::mesh::Primitive {
                attributes,
                extensions: None,
                extras: json::Extras::default(),
                indices: Some(indices),
                material: Some(material),
                mode: Checked::Valid(json::mesh::Mode::Triangles),
                targets: None,
            }],
            weights: None,
        });
        Ok(self.root.push(json::Node { mesh: Some(mesh), name: Some(name), ..Default::default() }))
    }

    fn texture(&mut self, hand: &ExportHand, texture_px: u32, name: &str) -> Result<json::texture::Info, ExportError> {
        let png = atomic::png_bytes(&texture::bake(hand, texture_px)?)?;
        let view = self.view(&png, None, None);
        let source = self.root.push(json::Image {
            buffer_view: Some(view),
            mime_type: Some(json::image::MimeType("image/png".to_owned())),
            name: Some(format!("{name}_albedo")),
            uri: None,
            extensions: None,
            extras: json::Extras::default(),
        });
        let sampler = self.root.push(json::texture::Sampler {
            mag_filter: Some(Checked::Valid(json::texture::MagFilter::Linear)),
            min_filter: Some(Checked::Valid(json::texture::MinFilter::LinearMipmapLinear)),
            wrap_s: Checked::Valid(json::texture::WrappingMode::ClampToEdge),
            wrap_t: Checked::Valid(json::texture::WrappingMode::ClampToEdge),
            ..Default::default()
        });
        let index = self.root.push(json::Texture {
            name: None,
            sampler: Some(sampler),
            source,
            extensions: None,
            extras: json::Extras::default(),
        });
        Ok(json::texture::Info { index, tex_coord: 0, extensions: None, extras: json::Extras::default() })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "glTF attributes are floats")]
fn floats(v: [f64; 3]) -> [f32; 3] {
    v.map(|x| x as f32)
}

/// Unique (vertex, UV) pairs in order of first use, and three indices a face into them.
#[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 corners")]
fn split_seams(hand: &ExportHand) -> (Vec<(u32, u32)>, Vec<u32>) {
    let mut known = BTreeMap::new();
    let mut corners = Vec::with_capacity(hand.positions.len());
    let mut indices = Vec::with_capacity(hand.faces.len() * 3);
    for (f, face) in hand.faces.iter().enumerate() {
        for c in 0..3 {
            let corner = (face[c], hand.uv_faces.get(f).map_or(0, |uv| uv[c]));
            let index = *known.entry(corner).or_insert_with(|| {
                corners.push(corner);
                corners.len() as u32 - 1
            });
            indices.push(index);
        }
    }
    (corners, indices)
}

#[cfg(test)]
mod tests {
    use super::super::Frame;
    use super::super::testing::hand;
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
