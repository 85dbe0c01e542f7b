//! Hand meshes for the 3D view: positions as they are, meaning by vertex colours on an unlit material.

use crate::pipeline::HandSnapshot;
use crate::shading::{LIGHT_STRIDE, sh_basis};
use crate::studio::residual;
use crate::studio::ui_state::Shading;
use bevy::asset::RenderAssetUsages;
use bevy::color::{ColorToComponents, ColorToPacked, LinearRgba, Srgba};
use bevy::math::{Mat3, Vec3};
use bevy::mesh::{Indices, Mesh, PrimitiveTopology};
use std::sync::LazyLock;

/// sRGB → linear in 1024 steps: vertex colours are linear, and a power a channel would cost more than the rest.
static LINEAR: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0_u16..1024)
        .map(|i| {
            let v = f32::from(i) / 1023.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        })
        .collect()
});

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the table")]
fn linear(srgb: f32) -> f32 {
    LINEAR[(srgb.clamp(0.0, 1.0) * 1023.0) as usize]
}

/// Colour of what cannot be measured.
const UNKNOWN: [f32; 3] = [0.16, 0.17, 0.18];

/// Colour of a vertex, linear. `normal` is in the 3D view's axes.
fn colour(shading: Shading, albedo: [f32; 3], normal: Vec3) -> [f32; 4] {
    let [r, g, b] = match shading {
        // The network paints pictures, not vertices; light and measures are painted below.
        Shading::Albedo | Shading::Neural | Shading::Lit => albedo.map(linear),
        Shading::Coverage | Shading::Displacement => UNKNOWN,
        // Ground for the edges that lie on it.
        Shading::Wire => [0.012, 0.013, 0.015],
        Shading::Normals => [normal.x, normal.y, normal.z].map(|v| linear(v * 0.5 + 0.5)),
        Shading::Clay => {
            // A key from above right, a cool fill from the left, a rim from behind: shape shows from every side.
            let lamp = |x: f32, y: f32, z: f32| normal.dot(Vec3::new(x, y, z).normalize_or_zero()).max(0.0);
            let (key, fill, rim) = (lamp(0.5, 0.8, 0.65), lamp(-0.8, 0.1, 0.4), lamp(-0.1, 0.3, -1.0));
            let sum = |base: f32, k: f32, f: f32, r: f32| base + k * key + f * fill + r * rim;
            [sum(0.022, 0.36, 0.05, 0.10), sum(0.023, 0.34, 0.06, 0.10), sum(0.026, 0.32, 0.08, 0.11)]
        }
    };
    [r, g, b, 1.0]
}

/// Factor that brings the albedo into the displayable range: light and albedo are only known up to a common factor, and
/// some runs put the albedo above one. For display only.
pub(super) fn exposure(hands: &[HandSnapshot]) -> f32 {
    // Every eleventh vertex is enough for a quantile.
    let mut peaks: Vec<f32> =
        hands.iter().flat_map(|h| h.albedo.iter().step_by(11)).map(|c| c[0].max(c[1]).max(c[2])).collect();
    peaks.sort_by(f32::total_cmp);
    peaks.get(peaks.len() * 9 / 10).map_or(1.0, |p| if *p > 0.95 { 0.95 / p } else { 1.0 })
}

/// What is painted beside what the vertices have themselves.
#[derive(Clone, Copy, Default)]
pub(super) struct Paint<'a> {
    /// Light of the capture.
    pub light: Option<[f64; LIGHT_STRIDE]>,
    /// Numbers of this hand's vertices, 0 to 1.
    pub shares: Option<&'a [f32]>,
}

/// A light for hands that have none yet: from the cameras' side of the rig, a little from above.
const PLAIN_LIGHT: [f64; LIGHT_STRIDE] = [0.75, -0.25, -0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0];

/// The albedo under a light, both encoded, as HAM multiplies them; linear. The normal is of the world.
#[expect(clippy::cast_possible_truncation, reason = "the screen needs no more than f32")]
fn lit(albedo: [f32; 3], normal: [f32; 3], light: &[f64; LIGHT_STRIDE]) -> [f32; 4] {
    let basis = sh_basis(normal.map(f64::from));
    let irradiance: f64 = basis.iter().zip(light).map(|(b, c)| b * c).sum();
    let [r, g, b] = [0, 1, 2].map(|k| linear(albedo[k] * (irradiance * light[9 + k]) as f32));
    [r, g, b, 1.0]
}

/// From blue over grey to orange: in, as it was, out.
fn diverging(share: f32) -> [f32; 4] {
    const ENDS: [[f32; 3]; 3] = [[0.13, 0.36, 0.86], [0.62, 0.63, 0.64], [0.93, 0.48, 0.10]];
    let x = share.clamp(0.0, 1.0) * 2.0;
    let (from, to, t) = if x < 1.0 { (ENDS[0], ENDS[1], x) } else { (ENDS[1], ENDS[2], x - 1.0) };
    let [r, g, b] = [0, 1, 2].map(|k| linear(from[k] + (to[k] - from[k]) * t));
    [r, g, b, 1.0]
}

/// Colour of a share of a scale, linear.
fn heat(shading: Shading, share: f32) -> [f32; 4] {
    if shading == Shading::Displacement {
        return diverging(share);
    }
    let [r, g, b] = residual::colour(share).map(|v| linear(f32::from(v) / 255.0));
    [r, g, b, 1.0]
}

/// The same for the legend, encoded.
pub(in crate::studio) fn heat_colour(shading: Shading, share: f32) -> [u8; 3] {
    let linear = LinearRgba::from_f32_array(heat(shading, share));
    let [r, g, b, _] = Srgba::from(linear).to_u8_array();
    [r, g, b]
}

/// A mesh of a hand, still in capture coordinates.
pub(super) fn mesh(
    hand: &HandSnapshot,
    shading: Shading,
    view_from_world: Mat3,
    exposure: f32,
    paint: Paint<'_>,
) -> Mesh {
    let light = paint.light.unwrap_or(PLAIN_LIGHT);
    let colours: Vec<[f32; 4]> = hand
        .albedo
        .iter()
        .zip(&hand.normals)
        .enumerate()
        .map(|(i, (albedo, normal))| match (shading, paint.shares.and_then(|s| s.get(i))) {
            (Shading::Lit, _) => lit(*albedo, *normal, &light),
            (Shading::Coverage | Shading::Displacement, Some(share)) => {
                // A little shade, so that the shape shows; the legend has the colours in full light.
                let lamp = (view_from_world * Vec3::from(*normal)).dot(Vec3::new(0.36, 0.58, 0.73)).max(0.0);
                let [r, g, b, a] = heat(shading, *share);
                let [r, g, b] = [r, g, b].map(|v| v * 0.45_f32.mul_add(lamp, 0.55));
                [r, g, b, a]
            }
            _ => colour(shading, albedo.map(|c| c * exposure), view_from_world * Vec3::from(*normal)),
        })
        .collect();
    let indices: Vec<u32> = hand.faces.iter().flatten().copied().collect();
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, hand.positions.clone())
        .with_inserted_attribute(Mesh::ATTRIBUTE_COLOR, colours)
        .with_inserted_indices(Indices::U32(indices))
}

/// The edges of a hand's triangles, each once, a hair outside of the surface so that it does not hide them.
pub(super) fn edges(hand: &HandSnapshot) -> Mesh {
    let mut pairs: Vec<[u32; 2]> = hand
        .faces
        .iter()
        .flat_map(|[a, b, c]| [[*a, *b], [*b, *c], [*c, *a]])
        .map(|[a, b]| [a.min(b), a.max(b)])
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let lifted: Vec<[f32; 3]> =
        hand.positions.iter().zip(&hand.normals).map(|(p, n)| [0, 1, 2].map(|k| p[k] + n[k] * 1e-4)).collect();
    let colours = vec![[0.34, 0.62, 0.58, 1.0]; lifted.len()];
    Mesh::new(PrimitiveTopology::LineList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, lifted)
        .with_inserted_attribute(Mesh::ATTRIBUTE_COLOR, colours)
        .with_inserted_indices(Indices::U32(pairs.into_iter().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shading_modes_differ_and_albedo_is_linear() {
        let (albedo, normal) = ([0.5, 0.25, 1.0], Vec3::new(0.0, 1.0, 0.0));
        let a = colour(Shading::Albedo, albedo, normal);
        assert!((a[0] - 0.214).abs() < 2e-3 && (a[2] - 1.0).abs() < 1e-6, "sRGB ½ is linear 0.214: {a:?}");
        let n = colour(Shading::Normals, albedo, normal);
        assert!(n[1] > 0.99 && n[0] < 0.25, "up is green: {n:?}");
        let lit = colour(Shading::Clay, albedo, normal)[0];
        let dark = colour(Shading::Clay, albedo, -normal)[0];
        assert!(lit > 3.0 * dark && dark > 0.0, "clay is light above and not black below: {lit} {dark}");
    }

    #[test]
    fn light_is_of_world_normals_and_multiplies_the_albedo() {
        // Twice as bright from +y, and nothing else.
        let mut light = [0.0; LIGHT_STRIDE];
        (light[0], light[1]) = (0.6, 0.3);
        (light[9], light[10], light[11]) = (1.0, 1.0, 0.5);
        let up = lit([0.5; 3], [0.0, 1.0, 0.0], &light);
        let down = lit([0.5; 3], [0.0, -1.0, 0.0], &light);
        assert!((up[0] - linear(0.45)).abs() < 1e-6 && (down[0] - linear(0.15)).abs() < 1e-6, "{up:?} {down:?}");
        assert!((up[2] - linear(0.225)).abs() < 1e-6, "each channel has its gain");
    }

    #[test]
    fn heat_has_a_middle_and_two_ends_that_can_be_told_apart() {
        let [low, middle, high] = [0.0, 0.5, 1.0].map(|t| heat_colour(Shading::Displacement, t));
        assert!(low[2] > low[0] + 80 && high[0] > high[2] + 80, "blue is in, orange is out: {low:?} {high:?}");
        assert!(middle[0].abs_diff(middle[2]) < 12, "grey is where it was: {middle:?}");
        let coverage = heat_colour(Shading::Coverage, 1.0);
        assert!(
            coverage.iter().zip(residual::colour(1.0)).all(|(a, b)| a.abs_diff(b) < 3),
            "as the legend: {coverage:?}"
        );
    }

    #[test]
    fn every_edge_is_drawn_once() {
        let hand = HandSnapshot {
            side: crate::anatomy::Side::Right,
            faces: std::sync::Arc::new(vec![[0, 1, 2], [2, 1, 3]]),
            positions: vec![[0.0; 3]; 4],
            normals: vec![[0.0, 0.0, 1.0]; 4],
            albedo: vec![[0.5; 3]; 4],
        };
        let drawn = edges(&hand);
        assert_eq!(drawn.indices().map(Indices::len), Some(10), "five edges of two triangles");
        assert_eq!(drawn.primitive_topology(), PrimitiveTopology::LineList, "as lines");
    }
}
