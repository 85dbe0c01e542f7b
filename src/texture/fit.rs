//! Fitting a texture to its photographs: what is added to the blend so that its renders come nearest to them.
//!
//! With geometry, light and gains as they are, a pixel is linear in the texels: `lit · Σ bᵢ (blend + d)ᵢ`, where the shares `bᵢ`
//! are the mean over some places of the pixel (what its centre shows alone would be fitted to the pixels' raster). The
//! correction `d` is least in
//!
//! `Σ w ‖photo − lit (blend + d)‖² + SMOOTH Σ ‖dᵢ − dⱼ‖² + KEEP Σ ‖dᵢ‖²`
//!
//! over the pixels of all views (weights as in the blend: angle, distance from outlines, trust; clipped channels only bound
//! from below) and the nodes of a net on the surface ([`super::lattice`]) that has some nodes a pixel and at most one a texel.
//! A net, not the texels: it knows no seams. The normal equations, three channels at once, are solved by conjugate gradients
//! (Hestenes and Stiefel 1952) with the diagonal as preconditioner: fields in `f32`, their products summed in `f64`, all in a
//! fixed order. The blend is near, so a few rounds are enough.

use super::blend::{HandTexture, NEARLY_CLIPPED};
use super::compare::{Hit, Pixels, owner, uv_at};
use super::lattice::Lattice;
use super::sight::Sight;
use super::{TextureHand, TextureMesh, TextureView, atlas, f32_of, ramp};
use crate::raster::cpu::{Projected, visibility_of};
use crate::shading::CLIPPED;

/// Rounds unless others are asked for. None: renders come nearer to the views that took part, but not to others.
pub const FIT_ROUNDS: u32 = 0;

/// Weight of differences between neighbouring nodes, beside one of a pixel in light 1 seen from the front.
const SMOOTH: f64 = 0.1;
/// Weight of the correction itself.
const KEEP: f64 = 0.01;
/// Nodes of the net along a pixel, at least.
const NODES_A_PX: f64 = 2.0;
/// Pieces of an edge, at most.
const MOST_PIECES: u32 = 16;
/// A pixel that weighs less says nothing.
const LEAST_WEIGHT: f64 = 1e-3;
/// Nor does one in less light.
const LEAST_LIT: f64 = 0.02;

/// Places of a pixel that are looked at, along each of its sides.
const SAMPLES: u32 = 2;
/// Nodes of the net that a pixel shows, each place three.
const NODES: usize = 3 * (SAMPLES * SAMPLES) as usize;

/// What a pixel of a photograph says about the correction.
struct Seen {
    nodes: [u32; NODES],
    /// Their sum is one.
    shares: [f32; NODES],
    /// Weight times squared light, a channel.
    weight: [f32; 3],
    /// Weight times light times what the photograph shows more than the render.
    pull: [f32; 3],
}

/// Adds to the textures (one a hand, padded) what brings them nearest to the photographs in `rounds` rounds of conjugate
/// gradients; 0 leaves them as they are.
pub(super) fn fit(
    mesh: &TextureMesh<'_>,
    hands: &[TextureHand<'_>],
    views: &[TextureView<'_>],
    sights: &[Sight],
    textures: &mut [HandTexture],
    rounds: u32,
) {
    if rounds == 0 || textures.len() != hands.len() {
        return;
    }
    let lattice = Lattice::new(mesh.topology, pieces(mesh, hands, sights, textures));
    let mut system = System::new(lattice);
    for (view, sight) in views.iter().zip(sights) {
        system.observe(&Scene { mesh, hands, textures, view, sight });
    }
    if system.seen.is_empty() {
        return;
    }
    let correction = system.solved(rounds);
    let mut first = 0;
    for (hand, texture) in hands.iter().zip(textures) {
        add(hand, texture, |local, b| {
            let (nodes, shares) = lattice.place(first + local, b);
            std::array::from_fn(|k| (0..3).map(|i| shares[i] * correction[nodes[i] as usize][k]).sum())
        });
        first += hand.faces.len();
    }
}

/// Adds `correction(triangle, barycentrics)` to each texel of the layout, and spreads the sum beyond the islands.
fn add(hand: &TextureHand<'_>, texture: &mut HandTexture, correction: impl Fn(usize, [f32; 3]) -> [f32; 3]) {
    // A texel on an edge belongs to two triangles, which agree on it: the first one counts.
    let mut done = vec![false; texture.filled.len()];
    for (local, corners) in hand.uv_faces.iter().enumerate() {
        atlas::texels(texture.size, corners.map(|i| hand.uvs[i as usize]), |at, b| {
            if !std::mem::replace(&mut done[at], true) {
                let d = correction(local, b);
                for (a, d) in texture.albedo[at].iter_mut().zip(d) {
                    *a += d;
                }
            }
        });
    }
    texture.filled = done;
    atlas::spread(&mut texture.albedo, &mut texture.filled, texture.size, atlas::PADDING);
}

/// Pieces of an edge: some nodes a pixel where the hand is seen best, and no more than texels.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before the cast")]
fn pieces(mesh: &TextureMesh<'_>, hands: &[TextureHand<'_>], sights: &[Sight], textures: &[HandTexture]) -> u32 {
    const TRIED: usize = 4096;
    let side = |mut areas: Vec<f64>| {
        areas.sort_unstable_by(f64::total_cmp);
        // That of an equilateral triangle of half the median's doubled area.
        areas.get(areas.len() / 2).map_or(1.0, |doubled| (doubled * 2.0 / 3.0_f64.sqrt()).sqrt())
    };
    let doubled = |[a, b, c]: [[f64; 2]; 3]| ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).abs();
    let faces = &mesh.topology.faces;
    let in_views = faces.iter().step_by(faces.len() / TRIED + 1).filter_map(|face| {
        let face = face.map(|v| v as usize);
        let seeing = sights.iter().filter(|s| face.iter().all(|v| s.quality[*v] > 0.0));
        let areas = seeing.map(|s| doubled(face.map(|v| [0, 1].map(|k| s.projected.points()[v][k]))));
        areas.max_by(f64::total_cmp)
    });
    let in_texture = hands.iter().zip(textures).flat_map(|(hand, texture)| {
        let scale = f64::from(texture.size);
        let corners = hand.uv_faces.iter().step_by(hand.uv_faces.len() / TRIED + 1);
        corners.map(move |c| doubled(c.map(|i| hand.uvs[i as usize].map(|x| x * scale))))
    });
    let wanted = NODES_A_PX * side(in_views.collect());
    wanted.min(side(in_texture.collect())).round().clamp(1.0, f64::from(MOST_PIECES)) as u32
}

/// A view and what is rendered in it.
struct Scene<'a> {
    mesh: &'a TextureMesh<'a>,
    hands: &'a [TextureHand<'a>],
    textures: &'a [HandTexture],
    view: &'a TextureView<'a>,
    sight: &'a Sight,
}

/// The normal equations.
struct System<'a> {
    lattice: Lattice<'a>,
    seen: Vec<Seen>,
}

impl<'a> System<'a> {
    const fn new(lattice: Lattice<'a>) -> Self {
        Self { lattice, seen: Vec::new() }
    }

    /// Takes in the pixels of a view.
    fn observe(&mut self, scene: &Scene<'_>) {
        let Scene { mesh, hands, textures, view, sight } = *scene;
        let TextureView { camera, residual, light, .. } = view;
        let fine = camera.scaled(f64::from(SAMPLES));
        let projected = Projected::new(mesh.positions, &fine);
        let ids = visibility_of(&projected, &mesh.topology.faces, fine.width_px, fine.height_px).ids;
        let pixels = Pixels { mesh, camera, residual, light, projected: &projected, ids: &ids, samples: SAMPLES };
        let mut places: Vec<Hit> = Vec::new();
        let mut at = None;
        for (pixel, hit) in pixels.hits() {
            if at != Some(pixel) {
                places.clear();
                at = Some(pixel);
            }
            places.push(hit);
            // A pixel that does not see the hands alone says nothing.
            if 3 * places.len() == NODES {
                let photo: [u8; 3] = std::array::from_fn(|k| view.image.as_raw()[3 * pixel + k]);
                self.seen.extend(seen(&self.lattice, &Scene { mesh, hands, textures, view, sight }, &places, photo));
            }
        }
    }
}

/// What a pixel says whose places see these; `None` of one that says nothing.
fn seen(lattice: &Lattice<'_>, scene: &Scene<'_>, places: &[Hit], photo: [u8; 3]) -> Option<Seen> {
    let Scene { mesh, hands, textures, view, sight } = *scene;
    let share = (places.len() as f64).recip();
    let (mut quality, mut lit, mut shaded) = (0.0, [0.0; 3], [0.0; 3]);
    let (mut nodes, mut shares) = ([0; NODES], [0.0; NODES]);
    for (i, Hit { triangle, barycentrics: b, lit: here }) in places.iter().enumerate() {
        let face = mesh.topology.faces[*triangle].map(|v| v as usize);
        quality += share * (0..3).map(|i| b[i] * f64::from(sight.quality[face[i]])).sum::<f64>();
        let (hand, local) = owner(hands, *triangle)?;
        let albedo = textures[hand].at(uv_at(&hands[hand], local, *b));
        for k in 0..3 {
            lit[k] += share * here[k];
            shaded[k] += share * here[k] * f64::from(albedo[k]);
        }
        let (corners, parts) = lattice.place(*triangle, b.map(f32_of));
        nodes[3 * i..3 * i + 3].copy_from_slice(&corners);
        shares[3 * i..3 * i + 3].copy_from_slice(&parts.map(|x| x * f32_of(share)));
    }
    let weight = quality.clamp(0.0, 1.0) * view.trust;
    if weight < LEAST_WEIGHT || lit.iter().any(|l| *l < LEAST_LIT) {
        return None;
    }
    let (mut weights, mut pull) = ([0.0; 3], [0.0; 3]);
    for k in 0..3 {
        let shown = f64::from(photo[k]) / 255.0;
        let apart = shown - shaded[k];
        // A clipped channel says only that there was at least so much light.
        let sure = if apart < 0.0 { 1.0 - ramp(shown, NEARLY_CLIPPED, CLIPPED) } else { 1.0 };
        weights[k] = f32_of(weight * sure * lit[k] * lit[k]);
        pull[k] = f32_of(weight * sure * lit[k] * apart);
    }
    Some(Seen { nodes, shares, weight: weights, pull })
}

type Field = Vec<[f32; 3]>;

impl System<'_> {
    /// The correction at the nodes after some rounds of conjugate gradients.
    fn solved(&self, rounds: u32) -> Field {
        let triangles = self.lattice.upright();
        let nodes = self.lattice.nodes();
        let mut x: Field = vec![[0.0; 3]; nodes];
        let (mut residual, diagonal) = self.right_and_diagonal(&triangles);
        let mut step: Field = Vec::new();
        let mut before = [0.0; 3];
        for round in 0..rounds {
            let mut now = [0.0; 3];
            for (r, d) in residual.iter().zip(&diagonal) {
                for k in 0..3 {
                    now[k] += f64::from(r[k]) * f64::from(r[k]) / f64::from(d[k]);
                }
            }
            let turn: [f32; 3] =
                std::array::from_fn(|k| if round > 0 && before[k] > 0.0 { f32_of(now[k] / before[k]) } else { 0.0 });
            step.resize(nodes, [0.0; 3]);
            for ((s, r), d) in step.iter_mut().zip(&residual).zip(&diagonal) {
                for k in 0..3 {
                    s[k] = r[k] / d[k] + turn[k] * s[k];
                }
            }
            let applied = self.applied(&step, &triangles);
            let mut curved = [0.0; 3];
            for (s, a) in step.iter().zip(&applied) {
                for k in 0..3 {
                    curved[k] += f64::from(s[k]) * f64::from(a[k]);
                }
            }
            let length: [f32; 3] =
                std::array::from_fn(|k| if curved[k] > 0.0 { f32_of(now[k] / curved[k]) } else { 0.0 });
            for (((x, r), s), a) in x.iter_mut().zip(&mut residual).zip(&step).zip(&applied) {
                for k in 0..3 {
                    x[k] += length[k] * s[k];
                    r[k] -= length[k] * a[k];
                }
            }
            before = now;
        }
        x
    }

    /// The right side and the diagonal of the left one.
    fn right_and_diagonal(&self, triangles: &[[u32; 3]]) -> (Field, Field) {
        let nodes = self.lattice.nodes();
        let mut right: Field = vec![[0.0; 3]; nodes];
        let mut diagonal: Field = vec![[f32_of(KEEP); 3]; nodes];
        for &node in triangles.as_flattened() {
            for d in &mut diagonal[node as usize] {
                *d += 2.0 * f32_of(SMOOTH);
            }
        }
        for seen in &self.seen {
            for (&node, share) in seen.nodes.iter().zip(seen.shares) {
                let node = node as usize;
                for k in 0..3 {
                    right[node][k] += share * seen.pull[k];
                    diagonal[node][k] += share * share * seen.weight[k];
                }
            }
        }
        (right, diagonal)
    }

    /// The left side times a field.
    fn applied(&self, x: &Field, triangles: &[[u32; 3]]) -> Field {
        let mut out: Field = x.iter().map(|x| x.map(|x| f32_of(KEEP) * x)).collect();
        let smooth = f32_of(SMOOTH);
        for corners in triangles {
            let [a, b, c] = corners.map(|n| x[n as usize]);
            for k in 0..3 {
                let sum = smooth * (a[k] + b[k] + c[k]);
                out[corners[0] as usize][k] += 3.0 * smooth * a[k] - sum;
                out[corners[1] as usize][k] += 3.0 * smooth * b[k] - sum;
                out[corners[2] as usize][k] += 3.0 * smooth * c[k] - sum;
            }
        }
        for Seen { nodes, shares, weight, .. } in &self.seen {
            let mut back = [0.0_f32; 3];
            for (&node, share) in nodes.iter().zip(shares) {
                for (back, x) in back.iter_mut().zip(x[node as usize]) {
                    *back += share * x;
                }
            }
            let back: [f32; 3] = std::array::from_fn(|k| weight[k] * back[k]);
            for (&node, share) in nodes.iter().zip(shares) {
                for (out, back) in out[node as usize].iter_mut().zip(back) {
                    *out += share * back;
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Topology;
    use crate::mesh::testing::sheet;
    use nalgebra::{DMatrix, DVector};

    /// Numbers that look random, −1..1.
    fn noise() -> impl FnMut() -> f32 {
        let mut state = 7_u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f32_of((state >> 40) as f64 / f64::from(1_u32 << 23) - 1.0)
        }
    }

    /// The twin: the same normal equations as a dense matrix in `f64`, from the sum that is to be least.
    fn dense(system: &System<'_>, k: usize) -> DVector<f64> {
        let nodes = system.lattice.nodes();
        let mut left = DMatrix::<f64>::identity(nodes, nodes) * KEEP;
        let mut right = DVector::<f64>::zeros(nodes);
        for [a, b, c] in system.lattice.upright() {
            for (i, j) in [(a, b), (b, c), (c, a)].map(|(i, j)| (i as usize, j as usize)) {
                left[(i, i)] += SMOOTH;
                left[(j, j)] += SMOOTH;
                left[(i, j)] -= SMOOTH;
                left[(j, i)] -= SMOOTH;
            }
        }
        for seen in &system.seen {
            for i in 0..NODES {
                let row = seen.nodes[i] as usize;
                right[row] += f64::from(seen.shares[i]) * f64::from(seen.pull[k]);
                for j in 0..NODES {
                    let share = f64::from(seen.shares[i]) * f64::from(seen.shares[j]);
                    left[(row, seen.nodes[j] as usize)] += share * f64::from(seen.weight[k]);
                }
            }
        }
        left.cholesky().expect("positive definite").solve(&right)
    }

    #[test]
    fn conjugate_gradients_find_what_a_dense_solver_finds() {
        let mesh = sheet();
        let topology = Topology::new(mesh.positions.len(), &mesh.faces);
        let lattice = Lattice::new(&topology, 2);
        let mut system = System::new(lattice);
        let mut random = noise();
        for i in 0..700 {
            let (mut nodes, mut shares) = ([0; NODES], [0.0; NODES]);
            for place in 0..NODES / 3 {
                let b = [random().abs(), random().abs(), random().abs() + 0.01];
                let (corners, parts) =
                    lattice.place((i * 37 + place) % mesh.faces.len(), b.map(|x| x / (b[0] + b[1] + b[2])));
                nodes[3 * place..3 * place + 3].copy_from_slice(&corners);
                shares[3 * place..3 * place + 3].copy_from_slice(&parts.map(|x| 3.0 * x / NODES as f32));
            }
            let lit = [0.3 + 0.2 * random(), 0.8, 1.2];
            let weight: [f32; 3] = std::array::from_fn(|k| (0.5 + 0.5 * random()) * lit[k] * lit[k]);
            let pull = std::array::from_fn(|k| weight[k] / lit[k] * 0.1 * random());
            system.seen.push(Seen { nodes, shares, weight, pull });
        }
        let off = |rounds: u32| {
            let found = system.solved(rounds);
            let of = |k: usize| {
                let truth = dense(&system, k);
                let size = truth.amax();
                (0..truth.len()).map(|i| (f64::from(found[i][k]) - truth[i]).abs() / size).fold(0.0, f64::max)
            };
            [of(0), of(1), of(2)]
        };
        let (exact, early) = (off(300), off(3));
        assert!(exact.iter().all(|x| *x < 1e-3), "off by {exact:?} of the largest");
        assert!(early.iter().all(|x| *x > 1e-2), "after three rounds it is not there yet: {early:?}");
        assert_eq!(system.solved(20), system.solved(20), "the same each time");
    }
}
