//! How many cameras see each vertex of the hands: in the picture, from outside, not grazing, and nothing in front of it. On the
//! CPU with small depth maps, as colours on screen need no more.

use crate::camera::Camera;
use crate::pipeline::HandSnapshot;
use crate::raster::cpu::{IdImage, Projected, visibility_of};
use nalgebra::Vector3;

/// Longest side of a depth map, pixels.
const DEPTH_PX: f64 = 224.0;
/// What may lie in front of a vertex without hiding it, metres: a depth map is coarse.
const TOLERANCE_M: f32 = 0.004;
/// Cosine of the most grazing angle at which skin counts as seen (about 78°).
const GRAZING: f32 = 0.2;

/// How many of the cameras see each vertex, a list a hand. The hands hide each other.
#[must_use]
pub(crate) fn seen_by(hands: &[HandSnapshot], cameras: &[&Camera]) -> Vec<Vec<u8>> {
    let positions: Vec<[f64; 3]> = hands.iter().flat_map(|h| &h.positions).map(|p| p.map(f64::from)).collect();
    let normals: Vec<[f32; 3]> = hands.iter().flat_map(|h| h.normals.iter().copied()).collect();
    let mut faces: Vec<[u32; 3]> = Vec::new();
    let mut first = 0;
    for hand in hands {
        faces.extend(hand.faces.iter().map(|face| face.map(|v| v + first)));
        first += u32::try_from(hand.positions.len()).unwrap_or(u32::MAX);
    }
    let mut counts = vec![0_u8; positions.len()];
    for camera in cameras {
        let longest = f64::from(camera.width_px.max(camera.height_px));
        let small = camera.scaled((DEPTH_PX / longest).min(1.0));
        let projected = Projected::new(&positions, &small);
        let seen = visibility_of(&projected, &faces, small.width_px, small.height_px);
        let centre = small.centre();
        for (v, count) in counts.iter_mut().enumerate() {
            let to = (centre - Vector3::from(positions[v])).cast::<f32>();
            let facing = to.dot(&Vector3::from(normals[v])) / to.norm().max(1e-9);
            *count = count.saturating_add(u8::from(facing > GRAZING && is_in_front(projected.points()[v], &seen)));
        }
    }
    let mut rest = counts.as_slice();
    let mut of_hand = |hand: &HandSnapshot| {
        let (own, others) = rest.split_at(hand.positions.len());
        rest = others;
        own.to_vec()
    };
    hands.iter().map(&mut of_hand).collect()
}

/// Whether a projected vertex lies in the picture with nothing in front of it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the picture; depth is kept as f32")]
fn is_in_front([x, y, z]: [f64; 3], seen: &IdImage) -> bool {
    let inside = x >= 0.0 && y >= 0.0 && x < f64::from(seen.width) && y < f64::from(seen.height);
    inside && z as f32 <= seen.depth[y as usize * seen.width as usize + x as usize] + TOLERANCE_M
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::studio::testing::test_camera;
    use std::sync::Arc;

    /// A square of 4 cm at a depth in front of a camera, facing it.
    fn square(camera: &Camera, ahead_m: f64) -> HandSnapshot {
        let to_world = |p: [f64; 3]| {
            let p = camera.rotation.transpose() * (Vector3::from(p) - camera.translation);
            #[expect(clippy::cast_possible_truncation, reason = "a test's numbers")]
            [p.x as f32, p.y as f32, p.z as f32]
        };
        let s = 0.02;
        let corners = [[-s, -s, ahead_m], [s, -s, ahead_m], [s, s, ahead_m], [-s, s, ahead_m], [0.0, 0.0, ahead_m]];
        let back = camera.rotation.transpose() * Vector3::new(0.0, 0.0, -1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a test's numbers")]
        let normal = [back.x as f32, back.y as f32, back.z as f32];
        HandSnapshot {
            side: Side::Right,
            faces: Arc::new(vec![[1, 0, 4], [2, 1, 4], [3, 2, 4], [0, 3, 4]]),
            positions: corners.map(to_world).to_vec(),
            normals: vec![normal; 5],
            albedo: vec![[0.5; 3]; 5],
        }
    }

    #[test]
    fn what_lies_behind_or_turns_away_is_not_seen() {
        let camera = test_camera(2, 5);
        let (near, far) = (square(&camera, 0.5), square(&camera, 0.6));
        let middle = |hands: &[HandSnapshot]| seen_by(hands, &[&camera]).iter().map(|h| h[4]).collect::<Vec<u8>>();
        assert_eq!(middle(std::slice::from_ref(&far)), [1], "alone it is seen");
        assert_eq!(middle(&[near.clone(), far.clone()]), [1, 0], "what is in front hides it");
        assert_eq!(middle(&[far, near.clone()]), [0, 1], "in any order");
        let mut turned = near.clone();
        turned.normals.iter_mut().flatten().for_each(|v| *v = -*v);
        assert_eq!(middle(&[turned]), [0], "the inside is not seen");
        assert_eq!(middle(&[square(&camera, -0.5)]), [0], "nor what is behind the camera");
        let other = test_camera(0, 5);
        assert!(seen_by(&[near], &[&camera, &camera, &other])[0][4] >= 2, "every camera counts");
    }
}
