//! Blending the photographs in the texture: see the module above for the theory.

use super::fit::fit;
use super::sight::Sight;
use super::{TextureHand, TextureMesh, TextureView, atlas, f32_of, ramp, sample};
use crate::mesh::Topology;
use crate::shading::CLIPPED;

/// Albedo of one hand over its UV layout.
#[derive(Clone, Debug, PartialEq)]
pub struct HandTexture {
    /// Texels a side.
    pub size: u32,
    /// Albedo a texel (size², top row first), sRGB-encoded, not clamped.
    pub albedo: Vec<[f32; 3]>,
    /// Whether the texel belongs to the layout or its padding.
    pub filled: Vec<bool>,
    /// How much of a texel comes from photographs, 0..255; the rest is the albedo of the vertices.
    pub coverage: Vec<u8>,
    /// Share of the layout that comes from photographs, 0..1.
    pub covered: f64,
}

/// Power of the weights in the fine band.
const SHARPNESS: i32 = 2;
/// Views whose weight is this much below the best one's say nothing in the fine band.
const NEGLIGIBLE: f32 = 0.01;
/// Rounds of diffusion that part the bands: a width of about √rounds edges, 3 to 4 mm at level 3.
const BAND_ROUNDS: usize = 40;
/// Quality of the best view from which on a place is taken from the photographs, and is so entirely.
const COVERED: [f64; 2] = [0.02, 0.25];
/// Channels from here on (of 1) may be clipped.
pub(super) const NEARLY_CLIPPED: f64 = 0.95;
/// Rounds of diffusion over the places where photographs end.
const FEATHER_ROUNDS: usize = 8;

/// Bakes the albedo of all hands; one texture a hand, padded. The blend of the photographs is fitted to them in `rounds`
/// rounds; 0 leaves it as it is.
#[must_use]
pub fn bake(
    mesh: &TextureMesh<'_>,
    hands: &[TextureHand<'_>],
    views: &[TextureView<'_>],
    size: u32,
    rounds: u32,
) -> Vec<HandTexture> {
    let sights: Vec<Sight> = views.iter().map(|view| Sight::new(mesh, view)).collect();
    let at_vertices = AtVertices::new(mesh, views, &sights);
    let baker = Baker { mesh, views, sights: &sights, at_vertices: &at_vertices };
    let mut textures: Vec<HandTexture> = hands.iter().map(|hand| baker.bake(hand, size)).collect();
    fit(mesh, hands, views, &sights, &mut textures, rounds);
    textures
}

/// What is known at the vertices once all views are.
struct AtVertices {
    /// Largest weight of a view.
    best: Vec<f32>,
    /// What is added to the fine band's blend: the difference of the two blends, without what is fine in it.
    coarse: Vec<[f32; 3]>,
    /// Share of the photographs.
    coverage: Vec<f32>,
}

impl AtVertices {
    fn new(mesh: &TextureMesh<'_>, views: &[TextureView<'_>], sights: &[Sight]) -> Self {
        let count = mesh.positions.len();
        let most = |of: fn(&Sight) -> &[f32]| -> Vec<f32> {
            (0..count).map(|v| sights.iter().map(|s| of(s)[v]).fold(0.0, f32::max)).collect()
        };
        let best = most(|s| &s.weight);
        let mut coverage: Vec<[f32; 1]> =
            most(|s| &s.quality).iter().map(|q| [f32_of(ramp(f64::from(*q), COVERED[0], COVERED[1]))]).collect();
        // The rim of what is seen moves inwards only: a place that nothing sees keeps its zero.
        for _ in 0..FEATHER_ROUNDS {
            let smooth = diffused(mesh.topology, &coverage);
            for (c, s) in coverage.iter_mut().zip(smooth) {
                c[0] = c[0].min(s[0]);
            }
        }
        let mut difference = vec![[0.0_f32; 4]; count];
        for v in 0..count {
            let (mut broad, mut sharp) = (Mean::default(), Mean::default());
            for (sight, view) in sights.iter().zip(views).filter(|(s, _)| s.weight[v] > 0.0) {
                let share = sight.weight[v] / best[v];
                let colour = unclipped(sample(view.image, sight.px[v]), &sight.light[v], mesh.albedo[v].map(f32_of));
                broad.add(share, &sight.light[v], colour);
                sharp.add(share.powi(SHARPNESS), &sight.light[v], colour);
            }
            if let (Some(b), Some(s)) = (broad.value(), sharp.value()) {
                difference[v] = [b[0] - s[0], b[1] - s[1], b[2] - s[2], 1.0];
            }
        }
        for _ in 0..BAND_ROUNDS {
            difference = diffused(mesh.topology, &difference);
        }
        let coarse = difference.iter().map(|d| [0, 1, 2].map(|k| d[k] / d[3].max(1e-6))).collect();
        Self { best, coarse, coverage: coverage.iter().map(|c| c[0]).collect() }
    }
}

/// One round: halfway to the mean of the neighbours.
#[expect(clippy::cast_precision_loss, reason = "a vertex has few neighbours")]
fn diffused<const N: usize>(topology: &Topology, values: &[[f32; N]]) -> Vec<[f32; N]> {
    (0..values.len())
        .map(|v| {
            let ring = topology.neighbours_of(v);
            let mut sum = [0.0_f32; N];
            for &other in ring {
                for (s, x) in sum.iter_mut().zip(&values[other as usize]) {
                    *s += x;
                }
            }
            let share = 0.5 / ring.len().max(1) as f32;
            std::array::from_fn(|k| 0.5 * values[v][k] + share * sum[k])
        })
        .collect()
}

/// What a photograph shows at a place, with what the camera may have cut off: a clipped channel says only that the light was at
/// least so bright, so where the albedo of the vertices, which HAM fits knowing this, is brighter, it speaks instead.
fn unclipped(colour: [f32; 3], light: &[f32; 3], albedo: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|k| {
        let above = (albedo[k] * light[k] - colour[k]).max(0.0);
        colour[k] + above * f32_of(ramp(f64::from(colour[k]), NEARLY_CLIPPED, CLIPPED))
    })
}

/// Least-squares albedo of several observations: `Σ w l c / Σ w l²`.
#[derive(Default)]
struct Mean {
    above: [f32; 3],
    below: [f32; 3],
}

impl Mean {
    fn add(&mut self, weight: f32, light: &[f32; 3], colour: [f32; 3]) {
        for k in 0..3 {
            let lit = weight * light[k];
            self.above[k] += lit * colour[k];
            self.below[k] += lit * light[k];
        }
    }

    fn value(&self) -> Option<[f32; 3]> {
        (self.below[0] > 0.0).then(|| std::array::from_fn(|k| self.above[k] / self.below[k].max(1e-20)))
    }
}

struct Baker<'a> {
    mesh: &'a TextureMesh<'a>,
    views: &'a [TextureView<'a>],
    sights: &'a [Sight],
    at_vertices: &'a AtVertices,
}

/// A view at the corners of a triangle.
struct Corner<'a> {
    view: &'a TextureView<'a>,
    px: [[f32; 2]; 3],
    weight: [f32; 3],
    light: [[f32; 3]; 3],
}

impl Baker<'_> {
    fn bake(&self, hand: &TextureHand<'_>, size: u32) -> HandTexture {
        let texels = size as usize * size as usize;
        let mut texture = HandTexture {
            size,
            albedo: vec![[0.0; 3]; texels],
            filled: vec![false; texels],
            coverage: vec![0; texels],
            covered: 0.0,
        };
        let (mut sum, mut count) = (0.0, 0.0);
        let start = hand.vertices.start;
        for (face, corners) in hand.faces.iter().zip(hand.uv_faces) {
            let face = face.map(|v| v as usize + start);
            let known = self.at_vertices;
            let views = self.corners(face);
            let (plain, coarse) = (face.map(|v| self.mesh.albedo[v].map(f32_of)), face.map(|v| known.coarse[v]));
            let coverage = face.map(|v| known.coverage[v]);
            atlas::texels(size, corners.map(|i| hand.uvs[i as usize]), |at, b| {
                let (plain, coarse) = (mix3(b, &plain), mix3(b, &coarse));
                let mut mean = Mean::default();
                for c in &views {
                    let px = [mix(b, c.px.map(|p| p[0])), mix(b, c.px.map(|p| p[1]))];
                    let (weight, light) = (mix(b, c.weight).max(0.0), mix3(b, &c.light));
                    mean.add(weight, &light, unclipped(sample(c.view.image, px), &light, plain));
                }
                let share = mean.value().map_or(0.0, |_| mix(b, coverage).clamp(0.0, 1.0));
                let seen = mean.value().unwrap_or(plain);
                texture.albedo[at] = std::array::from_fn(|k| plain[k] + share * (seen[k] + coarse[k] - plain[k]));
                texture.filled[at] = true;
                texture.coverage[at] = level(share);
                sum += f64::from(share);
                count += 1.0;
            });
        }
        texture.covered = sum / f64::max(count, 1.0);
        atlas::spread(&mut texture.albedo, &mut texture.filled, size, atlas::PADDING);
        texture
    }

    /// The views that have a say in the fine band of a triangle.
    fn corners(&self, face: [usize; 3]) -> Vec<Corner<'_>> {
        let best = face.map(|v| self.at_vertices.best[v]);
        self.sights
            .iter()
            .zip(self.views)
            .filter_map(|(sight, view)| {
                let share = |i: usize| if best[i] > 0.0 { sight.weight[face[i]] / best[i] } else { 0.0 };
                let weight = [0, 1, 2].map(|i| share(i).powi(SHARPNESS));
                (weight.iter().any(|w| *w > NEGLIGIBLE)).then(|| Corner {
                    view,
                    px: face.map(|v| sight.px[v]),
                    weight,
                    light: face.map(|v| sight.light[v]),
                })
            })
            .collect()
    }
}

fn mix(b: [f32; 3], values: [f32; 3]) -> f32 {
    b[0] * values[0] + b[1] * values[1] + b[2] * values[2]
}

fn mix3(b: [f32; 3], values: &[[f32; 3]; 3]) -> [f32; 3] {
    std::array::from_fn(|k| b[0] * values[0][k] + b[1] * values[1][k] + b[2] * values[2][k])
}

/// Nearest 8-bit level.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..255 before the cast")]
fn level(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}
