//! Hand meshes for the 3D view: positions as they are, meaning by vertex colours on an unlit material.

use crate::pipeline::HandSnapshot;
use crate::studio::ui_state::Shading;
use bevy::asset::RenderAssetUsages;
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

/// Colour of a vertex, linear. `normal` is in the 3D view's axes.
fn colour(shading: Shading, albedo: [f32; 3], normal: Vec3) -> [f32; 4] {
    let [r, g, b] = match shading {
        // The network paints pictures, not vertices.
        Shading::Albedo | Shading::Neural => albedo.map(linear),
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

/// A mesh of a hand, still in capture coordinates.
pub(super) fn mesh(hand: &HandSnapshot, shading: Shading, view_from_world: Mat3, exposure: f32) -> Mesh {
    let colours: Vec<[f32; 4]> = hand
        .albedo
        .iter()
        .zip(&hand.normals)
        .map(|(albedo, normal)| colour(shading, albedo.map(|c| c * exposure), view_from_world * Vec3::from(*normal)))
        .collect();
    let indices: Vec<u32> = hand.faces.iter().flatten().copied().collect();
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, hand.positions.clone())
        .with_inserted_attribute(Mesh::ATTRIBUTE_NORMAL, hand.normals.clone())
        .with_inserted_attribute(Mesh::ATTRIBUTE_COLOR, colours)
        .with_inserted_indices(Indices::U32(indices))
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
}
