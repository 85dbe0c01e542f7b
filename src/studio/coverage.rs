//! How many cameras see each vertex of the hands: in the picture, from outside, not grazing, and nothing in front of it. On the
//! CPU with small depth maps, as colours on screen need no more.

use crate::camera::Camera;
use crate::pipeline::HandSnapshot;
use nalgebra::Vector3;

/// Longest side of a depth map, pixels.
const DEPTH_PX: f64 = 224.0;
/// What may lie in front of a vertex without hiding it, metres: a depth map is coarse.
const TOLERANCE_M: f32 = 0.004;
/// Cosine of the most grazing angle at which skin counts as seen (about 78°).
const GRAZING: f32 = 0.2;

/// A camera scaled to its depth map.
struct Depth<'a> {
    camera: &'a Camera,
    scale: f64,
    width: usize,
    height: usize,
    depth_m: Vec<f32>,
}

impl<'a> Depth<'a> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred pixels")]
    fn new(camera: &'a Camera) -> Self {
        let (w, h) = (f64::from(camera.width_px), f64::from(camera.height_px));
        let scale = (DEPTH_PX / w.max(h)).min(1.0);
        let (width, height) = ((w * scale).ceil().max(1.0) as usize, (h * scale).ceil().max(1.0) as usize);
        Self { camera, scale, width, height, depth_m: vec![f32::INFINITY; width * height] }
    }

    /// Pixel of the map and depth; `None` behind the camera.
    #[expect(clippy::cast_possible_truncation, reason = "pixels of a small map")]
    fn project(&self, p: [f32; 3]) -> Option<[f32; 3]> {
        let x = Vector3::from(p.map(f64::from));
        let z = (self.camera.rotation * x + self.camera.translation).z;
        let px = self.camera.project(&x)?;
        Some([(px.x * self.scale) as f32, (px.y * self.scale) as f32, z as f32])
    }

    /// Draws a triangle's depth; between its corners depth is linear, which is near enough for hands.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the map")]
    fn draw(&mut self, [a, b, c]: [[f32; 3]; 3]) {
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if area.abs() < 1e-9 {
            return;
        }
        let range = |k: usize, limit: usize| {
            let low = a[k].min(b[k]).min(c[k]).floor().clamp(0.0, limit as f32) as usize;
            let high = (a[k].max(b[k]).max(c[k]).ceil() + 1.0).clamp(0.0, limit as f32) as usize;
            low..high
        };
        let columns = range(0, self.width);
        for y in range(1, self.height) {
            for x in columns.clone() {
                let p = [x as f32 + 0.5, y as f32 + 0.5];
                let side = |u: [f32; 3], v: [f32; 3]| (u[0] - p[0]) * (v[1] - p[1]) - (u[1] - p[1]) * (v[0] - p[0]);
                let (wa, wb) = (side(b, c) / area, side(c, a) / area);
                let wc = 1.0 - wa - wb;
                if wa >= -1e-4 && wb >= -1e-4 && wc >= -1e-4 {
                    let z = wa * a[2] + wb * b[2] + wc * c[2];
                    let at = &mut self.depth_m[y * self.width + x];
                    *at = at.min(z);
                }
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the map")]
    fn sees(&self, p: [f32; 3], n: [f32; 3]) -> bool {
        let Some([x, y, z]) = self.project(p) else { return false };
        if x < 0.0 || y < 0.0 || x >= self.width as f32 || y >= self.height as f32 {
            return false;
        }
        let to = (self.camera.centre() - Vector3::from(p.map(f64::from))).cast::<f32>();
        let facing = to.dot(&Vector3::from(n)) / to.norm().max(1e-9);
        facing > GRAZING && z <= self.depth_m[y as usize * self.width + x as usize] + TOLERANCE_M
    }
}

/// How many of the cameras see each vertex, a list a hand. The hands hide each other.
#[must_use]
pub(crate) fn seen_by(hands: &[HandSnapshot], cameras: &[&Camera]) -> Vec<Vec<u8>> {
    let mut counts: Vec<Vec<u8>> = hands.iter().map(|h| vec![0; h.positions.len()]).collect();
    for camera in cameras {
        let mut depth = Depth::new(camera);
        for hand in hands {
            let placed: Vec<Option<[f32; 3]>> = hand.positions.iter().map(|p| depth.project(*p)).collect();
            for face in hand.faces.iter() {
                if let [Some(a), Some(b), Some(c)] = face.map(|v| placed[v as usize]) {
                    depth.draw([a, b, c]);
                }
            }
        }
        for (hand, counts) in hands.iter().zip(&mut counts) {
            for ((p, n), count) in hand.positions.iter().zip(&hand.normals).zip(counts) {
                *count = count.saturating_add(u8::from(depth.sees(*p, *n)));
            }
        }
    }
    counts
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
            faces: Arc::new(vec![[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]),
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
