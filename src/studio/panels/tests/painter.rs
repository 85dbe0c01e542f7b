//! Draws what egui hands to a graphics card, on the processor: the same pixels on every machine, with no driver in between.

use egui::epaint::{ImageDelta, Mesh, Primitive, Vertex};
use egui::{Context, FullOutput, ImageData, Pos2, Rect, TextureFilter, TextureId, TexturesDelta};
use image::RgbaImage;
use std::collections::HashMap;

/// A texture: premultiplied sRGB bytes as egui keeps them.
struct Texture {
    size: [usize; 2],
    pixels: Vec<[f32; 4]>,
    magnified: TextureFilter,
}

impl Texture {
    fn texel(&self, x: isize, y: isize) -> [f32; 4] {
        let clamp = |v: isize, n: usize| v.clamp(0, n as isize - 1).unsigned_abs();
        self.pixels[clamp(y, self.size[1]) * self.size[0] + clamp(x, self.size[0])]
    }

    fn at(&self, uv: Pos2) -> [f32; 4] {
        let (x, y) = (uv.x * self.size[0] as f32, uv.y * self.size[1] as f32);
        if self.magnified == TextureFilter::Nearest {
            return self.texel(whole(x), whole(y));
        }
        let (x, y) = (x - 0.5, y - 0.5);
        let (fx, fy) = (x - x.floor(), y - y.floor());
        let (x, y) = (whole(x), whole(y));
        let [a, b, c, d] = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(i, j)| self.texel(x + i, y + j));
        std::array::from_fn(|i| (a[i] * (1.0 - fx) + b[i] * fx) * (1.0 - fy) + (c[i] * (1.0 - fx) + d[i] * fx) * fy)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "rounding down to a pixel is what is wanted")]
fn whole(v: f32) -> isize {
    v.floor() as isize
}

/// The renderer of the snapshot tests.
#[derive(Default)]
pub(super) struct Painter {
    textures: HashMap<TextureId, Texture>,
}

impl Painter {
    fn set(&mut self, id: TextureId, delta: &ImageDelta) {
        let ImageData::Color(image) = &delta.image;
        let pixels = image.pixels.iter().map(|c| c.to_array().map(f32::from));
        let Some([left, top]) = delta.pos else {
            let texture =
                Texture { size: image.size, pixels: pixels.collect(), magnified: delta.options.magnification };
            self.textures.insert(id, texture);
            return;
        };
        let texture = self.textures.get_mut(&id).expect("a part of a texture that is there");
        for (i, pixel) in pixels.enumerate() {
            let (x, y) = (left + i % image.size[0], top + i / image.size[0]);
            texture.pixels[y * texture.size[0] + x] = pixel;
        }
    }
}

impl egui_kittest::TestRenderer for Painter {
    fn handle_delta(&mut self, delta: &TexturesDelta) {
        for (id, image) in &delta.set {
            self.set(*id, image);
        }
        for id in &delta.free {
            self.textures.remove(id);
        }
    }

    fn render(&mut self, ctx: &Context, output: &FullOutput) -> Result<RgbaImage, String> {
        let scale = output.pixels_per_point;
        let size = ctx.viewport_rect().size() * scale;
        let mut canvas =
            Canvas::new(whole(size.x.round()), whole(size.y.round()), ctx.global_style().visuals.panel_fill);
        for part in ctx.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = part.primitive else { return Err("a paint callback".to_owned()) };
            let texture = self.textures.get(&mesh.texture_id).ok_or_else(|| format!("no {:?}", mesh.texture_id))?;
            canvas.mesh(&mesh, texture, part.clip_rect, scale);
        }
        Ok(canvas.into_image())
    }
}

/// Premultiplied sRGB, 0–255, blended as egui's shaders do: in gamma space.
struct Canvas {
    width: isize,
    height: isize,
    pixels: Vec<[f32; 3]>,
}

impl Canvas {
    fn new(width: isize, height: isize, fill: egui::Color32) -> Self {
        let [r, g, b, _] = fill.to_array().map(f32::from);
        Self { width, height, pixels: vec![[r, g, b]; (width * height).unsigned_abs()] }
    }

    fn mesh(&mut self, mesh: &Mesh, texture: &Texture, clip: Rect, scale: f32) {
        let edge = |v: f32, most: isize| whole((v * scale).round()).clamp(0, most);
        let x = [edge(clip.min.x, self.width), edge(clip.max.x, self.width)];
        let y = [edge(clip.min.y, self.height), edge(clip.max.y, self.height)];
        for corner in mesh.indices.chunks_exact(3) {
            let corners = [0, 1, 2].map(|i| mesh.vertices[corner[i] as usize]);
            self.triangle(corners, texture, (x, y), scale);
        }
    }

    fn triangle(&mut self, mut v: [Vertex; 3], texture: &Texture, clip: ([isize; 2], [isize; 2]), scale: f32) {
        let at = |v: &Vertex| [f64::from(v.pos.x * scale), f64::from(v.pos.y * scale)];
        let cross =
            |a: [f64; 2], b: [f64; 2], p: [f64; 2]| (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
        let mut area = cross(at(&v[0]), at(&v[1]), at(&v[2]));
        if area == 0.0 {
            return;
        }
        if area < 0.0 {
            v.swap(1, 2);
            area = -area;
        }
        let p = [at(&v[0]), at(&v[1]), at(&v[2])];
        let least = |axis: usize| p.iter().map(|p| p[axis]).fold(f64::INFINITY, f64::min);
        let most = |axis: usize| p.iter().map(|p| p[axis]).fold(f64::NEG_INFINITY, f64::max);
        #[allow(clippy::cast_possible_truncation, reason = "cut to the clip rectangle")]
        let span = |axis: usize, clip: [isize; 2]| {
            (least(axis).floor() as isize).max(clip[0])..(most(axis).ceil() as isize).min(clip[1])
        };
        // A pixel on an edge that two triangles share belongs to one of them: the one whose top or left edge it is.
        let owns = [(1, 2), (2, 0), (0, 1)].map(|(a, b)| {
            let (dx, dy) = (p[b][0] - p[a][0], p[b][1] - p[a][1]);
            dy < 0.0 || (dy == 0.0 && dx > 0.0)
        });
        for y in span(1, clip.1) {
            for x in span(0, clip.0) {
                let q = [x as f64 + 0.5, y as f64 + 0.5];
                let w = [cross(p[1], p[2], q), cross(p[2], p[0], q), cross(p[0], p[1], q)];
                if (0..3).any(|i| w[i] < 0.0 || (w[i] == 0.0 && !owns[i])) {
                    continue;
                }
                #[allow(clippy::cast_possible_truncation, reason = "colours are single")]
                let shares = w.map(|w| (w / area) as f32);
                self.blend(x, y, &v, shares, texture);
            }
        }
    }

    fn blend(&mut self, x: isize, y: isize, v: &[Vertex; 3], w: [f32; 3], texture: &Texture) {
        let uv = (0..3).fold(egui::Vec2::ZERO, |sum, i| sum + v[i].uv.to_vec2() * w[i]);
        let texel = texture.at(uv.to_pos2());
        let tint: [f32; 4] = std::array::from_fn(|c| (0..3).map(|i| f32::from(v[i].color.to_array()[c]) * w[i]).sum());
        let source: [f32; 4] = std::array::from_fn(|c| texel[c] * tint[c] / 255.0);
        let under = &mut self.pixels[(y * self.width + x).unsigned_abs()];
        for c in 0..3 {
            under[c] = (source[c] + under[c] * (1.0 - source[3] / 255.0)).clamp(0.0, 255.0);
        }
    }

    fn into_image(self) -> RgbaImage {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
        let byte = |v: f32| v.round() as u8;
        let mut image = RgbaImage::new(side(self.width), side(self.height));
        for (to, [r, g, b]) in image.pixels_mut().zip(self.pixels) {
            *to = image::Rgba([byte(r), byte(g), byte(b), 255]);
        }
        image
    }
}

fn side(pixels: isize) -> u32 {
    u32::try_from(pixels).expect("a canvas has a size")
}
