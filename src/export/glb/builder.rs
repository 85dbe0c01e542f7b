//! A glTF document and its one buffer, growing.

use super::super::{ExportError, ExportHand, atomic, maps, texture};
use crate::texture::relief::{Laid, tangents};
use gltf_json as json;
use json::accessor::{ComponentType, GenericComponentType, Type};
use json::buffer::{Stride, Target};
use json::mesh::Semantic;
use json::validation::{Checked, USize64};
use std::collections::BTreeMap;

pub(super) use crate::export::reflectance::linear;

/// The document and its one buffer, growing.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) root: json::Root,
    pub(super) bytes: Vec<u8>,
    /// A file for one viewer that is to be small: no tangents, and no vertex colours beside a texture.
    pub(super) preview: bool,
    /// Errors in millimetres: the mesh and its accessor, for the attribute `_ERROR_MM`.
    pub(super) errors: Vec<(usize, usize)>,
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
        bounds: Option<(Vec<f32>, Vec<f32>)>,
    ) -> json::Index<json::Accessor> {
        let value = |v: Vec<f32>| json::Value::from(v);
        let (min, max) = bounds.unzip();
        self.root.push(json::Accessor {
            buffer_view: Some(view),
            byte_offset: Some(USize64(0)),
            count: USize64::from(count),
            component_type: Checked::Valid(GenericComponentType(component)),
            extensions: None,
            extras: json::Extras::default(),
            type_: Checked::Valid(kind),
            min: min.map(value),
            max: max.map(value),
            name: None,
            normalized: false,
            sparse: None,
        })
    }

    /// A float attribute with `N` numbers a vertex.
    pub(super) fn floats<const N: usize>(
        &mut self,
        data: &[[f32; N]],
        with_bounds: bool,
    ) -> json::Index<json::Accessor> {
        self.numbers(data, with_bounds, Some(N * 4), Some(Target::ArrayBuffer))
    }

    /// Floats that are no vertex attribute: key times, key values, matrices.
    pub(super) fn list<const N: usize>(&mut self, data: &[[f32; N]], with_bounds: bool) -> json::Index<json::Accessor> {
        self.numbers(data, with_bounds, None, None)
    }

    fn numbers<const N: usize>(
        &mut self,
        data: &[[f32; N]],
        with_bounds: bool,
        stride: Option<usize>,
        target: Option<Target>,
    ) -> json::Index<json::Accessor> {
        let bytes: Vec<u8> = data.as_flattened().iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = self.view(&bytes, stride, target);
        let bounds = with_bounds.then(|| {
            let mut bounds = (vec![f32::INFINITY; N], vec![f32::NEG_INFINITY; N]);
            for row in data {
                for (axis, &v) in row.iter().enumerate() {
                    bounds.0[axis] = bounds.0[axis].min(v);
                    bounds.1[axis] = bounds.1[axis].max(v);
                }
            }
            bounds
        });
        let kind = match N {
            1 => Type::Scalar,
            2 => Type::Vec2,
            3 => Type::Vec3,
            4 => Type::Vec4,
            _ => Type::Mat4,
        };
        self.accessor(view, data.len(), ComponentType::F32, kind, bounds)
    }

    /// Four bytes a vertex: colours (normalised) or joint numbers.
    pub(super) fn bytes4(&mut self, data: &[[u8; 4]], normalised: bool) -> json::Index<json::Accessor> {
        let view = self.view(data.as_flattened(), Some(4), Some(Target::ArrayBuffer));
        let index = self.accessor(view, data.len(), ComponentType::U8, Type::Vec4, None);
        self.root.accessors[index.value()].normalized = normalised;
        index
    }

    /// The static node of a hand; `errors_mm` has one number for each of its vertices, or none.
    pub(super) fn hand(
        &mut self,
        hand: &ExportHand,
        errors_mm: &[f32],
        texture_px: u32,
    ) -> Result<json::Index<json::Node>, ExportError> {
        let name = format!("hand_{}", hand.side);
        let (primitive, vertices) = self.primitive(hand, texture_px)?;
        let mesh = self.mesh(&name, primitive, None);
        if errors_mm.len() == hand.positions.len() {
            let errors: Vec<[f32; 1]> = vertices.iter().map(|v| [errors_mm[*v as usize]]).collect();
            let accessor = self.floats(&errors, false);
            self.errors.push((mesh.value(), accessor.value()));
        }
        Ok(self.root.push(json::Node { mesh: Some(mesh), name: Some(name), ..Default::default() }))
    }

    pub(super) fn mesh(
        &mut self,
        name: &str,
        primitive: json::mesh::Primitive,
        weights: Option<Vec<f32>>,
    ) -> json::Index<json::Mesh> {
        self.root.push(json::Mesh {
            extensions: None,
            extras: json::Extras::default(),
            name: Some(name.to_owned()),
            primitives: vec![primitive],
            weights,
        })
    }

    /// Triangles with their colours and texture, and the hand's vertex of each vertex of the file.
    pub(super) fn primitive(
        &mut self,
        hand: &ExportHand,
        texture_px: u32,
    ) -> Result<(json::mesh::Primitive, Vec<u32>), ExportError> {
        let name = format!("hand_{}", hand.side);
        let (corners, indices) = split_seams(hand);
        let pick =
            |values: &[[f64; 3]]| -> Vec<[f32; 3]> { corners.iter().map(|c| floats(values[c.0 as usize])).collect() };
        let mut attributes = BTreeMap::new();
        let mut set = |semantic, accessor| attributes.insert(Checked::Valid(semantic), accessor);
        set(Semantic::Positions, self.floats(&pick(&hand.positions), true));
        set(Semantic::Normals, self.floats(&pick(&hand.normals), false));
        let colours: Vec<[f64; 3]> = hand.albedo.iter().map(|a| a.map(linear)).collect();
        let (mut texture, mut normal_texture) = (None, None);
        if hand.uv_faces.is_empty() {
            set(Semantic::Colors(0), self.floats(&pick(&colours), false));
        } else {
            let uvs: Vec<[f32; 2]> = corners
                .iter()
                .map(|c| {
                    let [u, v] = hand.uvs[c.1 as usize];
                    floats([u, 1.0 - v])
                })
                .collect();
            set(Semantic::TexCoords(0), self.floats(&uvs, false));
            if !self.preview {
                set(Semantic::Colors(0), self.bytes4(&vec![[255; 4]; corners.len()], true));
                set(Semantic::Colors(1), self.floats(&pick(&colours), false));
                set(Semantic::Tangents, self.floats(&corner_tangents(hand, &indices, corners.len()), false));
            }
            let albedo = texture::encoded(hand, texture_px)?;
            texture = Some(self.texture((&albedo, hand.texture_format.mime()), &format!("{name}_albedo")));
            if let Some(relief) = &hand.relief {
                let normals = atomic::png_bytes(&maps::normal_image(relief))?;
                let json::texture::Info { index, tex_coord, .. } =
                    self.texture((&normals, "image/png"), &format!("{name}_normal"));
                normal_texture = Some(json::material::NormalTexture {
                    index,
                    tex_coord,
                    scale: 1.0,
                    extensions: None,
                    extras: json::Extras::default(),
                });
            }
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
            normal_texture,
            ..Default::default()
        });
        let primitive = json::mesh::Primitive {
            attributes,
            extensions: None,
            extras: json::Extras::default(),
            indices: Some(indices),
            material: Some(material),
            mode: Checked::Valid(json::mesh::Mode::Triangles),
            targets: None,
        };
        Ok((primitive, corners.into_iter().map(|(vertex, _)| vertex).collect()))
    }

    fn texture(&mut self, (bytes, mime): (&[u8], &str), name: &str) -> json::texture::Info {
        let view = self.view(bytes, None, None);
        let source = self.root.push(json::Image {
            buffer_view: Some(view),
            mime_type: Some(json::image::MimeType(mime.to_owned())),
            name: Some(name.to_owned()),
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
        json::texture::Info { index, tex_coord: 0, extensions: None, extras: json::Extras::default() }
    }
}

/// The tangent of each vertex of the file: that of the first corner that uses it, as corners of one vertex and UV have one.
fn corner_tangents(hand: &ExportHand, indices: &[u32], count: usize) -> Vec<[f32; 4]> {
    let laid = Laid {
        positions: &hand.positions,
        normals: &hand.normals,
        faces: &hand.faces,
        uvs: &hand.uvs,
        uv_faces: &hand.uv_faces,
    };
    let mut out = vec![[1.0, 0.0, 0.0, 1.0]; count];
    let corners = tangents(&laid);
    for (index, tangent) in indices.iter().zip(corners.as_flattened()).rev() {
        out[*index as usize] = *tangent;
    }
    out
}

#[expect(clippy::cast_possible_truncation, reason = "glTF attributes are floats")]
pub(super) fn floats<const N: usize>(v: [f64; N]) -> [f32; N] {
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
