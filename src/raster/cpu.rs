//! A plain `f64` software rasteriser: which triangle is seen through each pixel centre, how deep, and where on it.
//!
//! The twin of the GPU visibility pass and the renderer of synthetic images. Rules, all exact up to `f64` rounding:
//! - pixel `(i, j)` is sampled at its centre `(i + 0.5, j + 0.5)`;
//! - back faces (clockwise as seen from the camera) and degenerate triangles are culled;
//! - a centre exactly on an edge belongs to the triangle of which it is a top or left edge, and edge functions are
//!   evaluated from the smaller vertex index to the larger, so two triangles sharing an edge never leave a gap and never
//!   both own a pixel;
//! - the nearest depth wins (camera z, from `1/z` linear in the image); equal depths go to the lower triangle;
//! - there is no clipping: a triangle with a vertex nearer than [`NEAR_M`] is dropped whole.

use crate::camera::Camera;
use nalgebra::Vector3;

/// Triangles with a vertex nearer than this (camera z, metres) are dropped.
pub const NEAR_M: f64 = 1e-3;

/// What each pixel sees. Row-major, `height × width`.
#[derive(Clone, Debug, PartialEq)]
pub struct IdImage {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `triangle + 1`, or 0 for background.
    pub ids: Vec<u32>,
    /// Camera z in metres; infinity where nothing is seen.
    pub depth: Vec<f32>,
}

/// Vertices in one camera's image: pixel x, pixel y, depth (camera z, metres). Depths below [`NEAR_M`] are unusable.
#[derive(Clone, Debug)]
pub struct Projected {
    points: Vec<[f64; 3]>,
}

impl Projected {
    /// Projects world positions (V×3, metres).
    #[must_use]
    pub fn new(positions: &[[f64; 3]], camera: &Camera) -> Self {
        let points = positions
            .iter()
            .map(|&p| {
                let c = camera.camera_from_world(&Vector3::from(p));
                let h = camera.k * c;
                if c.z < NEAR_M { [f64::NAN, f64::NAN, c.z] } else { [h.x / h.z, h.y / h.z, c.z] }
            })
            .collect();
        Self { points }
    }

    /// The projected vertices: pixel x, pixel y, camera z.
    #[must_use]
    pub fn points(&self) -> &[[f64; 3]] {
        &self.points
    }

    /// Perspective-correct barycentrics of the face at an image position (pixels); they sum to one. Outside the triangle
    /// they extrapolate. Zeros for a triangle without area or behind the near plane.
    #[must_use]
    pub fn barycentrics(&self, face: [u32; 3], x_px: f64, y_px: f64) -> [f64; 3] {
        let p = face.map(|v| self.points[v as usize]);
        let area = edge(p[0], p[1], p[2][0], p[2][1]);
        if !area.is_finite() || area == 0.0 || p.iter().any(|q| q[2] < NEAR_M) {
            return [0.0; 3];
        }
        let screen = [0, 1, 2].map(|i| edge(p[(i + 1) % 3], p[(i + 2) % 3], x_px, y_px) / area);
        let weighted = [0, 1, 2].map(|i| screen[i] / p[i][2]);
        let inverse_z = weighted[0] + weighted[1] + weighted[2];
        weighted.map(|w| w / inverse_z)
    }
}

/// Twice the signed area of `a, b, (x, y)`; positive when they turn clockwise on the screen (y points down).
fn edge(a: [f64; 3], b: [f64; 3], x: f64, y: f64) -> f64 {
    (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
}

/// Triangle ids and depth of a mesh (positions V×3 in world metres, faces F×3 with outward winding) in a camera, at the
/// camera's size.
#[must_use]
pub fn visibility(positions: &[[f64; 3]], faces: &[[u32; 3]], camera: &Camera) -> IdImage {
    visibility_of(&Projected::new(positions, camera), faces, camera.width_px, camera.height_px)
}

/// [`visibility`] of vertices that have been projected already.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "triangle counts are below 2^32 and depth is kept as f32")]
pub fn visibility_of(projected: &Projected, faces: &[[u32; 3]], width: u32, height: u32) -> IdImage {
    let pixels = width as usize * height as usize;
    let mut ids = vec![0_u32; pixels];
    let mut nearest = vec![f64::INFINITY; pixels];
    for (f, &face) in faces.iter().enumerate() {
        let Some(triangle) = Triangle::new(projected, face) else { continue };
        triangle.cover(width, height, |pixel, z| {
            if z < nearest[pixel] {
                nearest[pixel] = z;
                ids[pixel] = f as u32 + 1;
            }
        });
    }
    IdImage { width, height, ids, depth: nearest.into_iter().map(|z| z as f32).collect() }
}

/// Which pixel centres lie on any front-facing triangle (row-major): where [`visibility_of`] sees something, without saying
/// what. A row of a triangle is filled between its edges, so this takes a small part of the time; a centre on the rim of the
/// whole, up to rounding, may count on either side.
#[must_use]
pub fn coverage_of(projected: &Projected, faces: &[[u32; 3]], width: u32, height: u32) -> Vec<bool> {
    let mut covered = vec![false; width as usize * height as usize];
    for &face in faces {
        if let Some(triangle) = Triangle::new(projected, face) {
            triangle.fill(width, height, &mut covered);
        }
    }
    covered
}

/// Perspective-correct barycentrics of every pixel of an [`IdImage`] (row-major; zeros on the background).
#[must_use]
pub fn barycentrics(positions: &[[f64; 3]], faces: &[[u32; 3]], camera: &Camera, image: &IdImage) -> Vec<[f64; 3]> {
    let projected = Projected::new(positions, camera);
    let mut out = vec![[0.0; 3]; image.ids.len()];
    for y in 0..image.height {
        for x in 0..image.width {
            let pixel = y as usize * image.width as usize + x as usize;
            let id = image.ids[pixel];
            if id > 0 {
                let face = faces[id as usize - 1];
                out[pixel] = projected.barycentrics(face, f64::from(x) + 0.5, f64::from(y) + 0.5);
            }
        }
    }
    out
}

/// A front-facing triangle set up for scanning: corners in clockwise screen order, so that edge functions are positive
/// inside.
struct Triangle {
    /// Corners: x, y, 1/z.
    corners: [[f64; 3]; 3],
    /// Edge i runs from corner i+1 to corner i+2: its ends with the smaller vertex index first, the sign that makes the
    /// function positive inside, and whether it is a top or left edge.
    edges: [([f64; 2], [f64; 2], f64, bool); 3],
}

impl Triangle {
    /// `None` when it faces away, has no area or comes too near.
    fn new(projected: &Projected, face: [u32; 3]) -> Option<Self> {
        // Counter-clockwise from outside is negative in y-down pixels; reversed, the inside is positive.
        let order = [face[0], face[2], face[1]];
        let p = order.map(|v| projected.points[v as usize]);
        if p.iter().any(|q| q[2] < NEAR_M) {
            return None;
        }
        let area = edge(p[0], p[1], p[2][0], p[2][1]);
        if area.is_nan() || area <= 0.0 {
            return None;
        }
        let edges = [0, 1, 2].map(|i| {
            let (a, b) = ((i + 1) % 3, (i + 2) % 3);
            let (dx, dy) = (p[b][0] - p[a][0], p[b][1] - p[a][1]);
            let top_left = dy < 0.0 || (dy == 0.0 && dx > 0.0);
            let (first, second, sign) = if order[a] < order[b] { (p[a], p[b], 1.0) } else { (p[b], p[a], -1.0) };
            ([first[0], first[1]], [second[0], second[1]], sign, top_left)
        });
        Some(Self { corners: p.map(|q| [q[0], q[1], 1.0 / q[2]]), edges })
    }

    /// Calls `visit(pixel index, depth)` for every pixel centre inside.
    fn cover(&self, width: u32, height: u32, mut visit: impl FnMut(usize, f64)) {
        let (Some((x0, x1)), Some((y0, y1))) = (self.span(0, width), self.span(1, height)) else { return };
        for y in y0..=y1 {
            let py = f64::from(y) + 0.5;
            for x in x0..=x1 {
                let px = f64::from(x) + 0.5;
                let w = self
                    .edges
                    .map(|(a, b, sign, _)| sign * ((b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0])));
                let inside = w.iter().zip(&self.edges).all(|(&w, e)| w > 0.0 || (w == 0.0 && e.3));
                if inside {
                    let sum = w[0] + w[1] + w[2];
                    let inverse_z =
                        (w[0] * self.corners[0][2] + w[1] * self.corners[1][2] + w[2] * self.corners[2][2]) / sum;
                    visit(y as usize * width as usize + x as usize, 1.0 / inverse_z);
                }
            }
        }
    }

    /// Marks every pixel centre between the edges, row by row.
    fn fill(&self, width: u32, height: u32, covered: &mut [bool]) {
        let Some((y0, y1)) = self.span(1, height) else { return };
        // Ends in the order of their vertices, so that triangles with an edge in common cut a row at the same place.
        let lines = self.edges.map(|(a, b, ..)| {
            let (low, high) = (a[1].min(b[1]), a[1].max(b[1]));
            (low, high, a, (b[0] - a[0]) / (b[1] - a[1]))
        });
        for y in y0..=y1 {
            let py = f64::from(y) + 0.5;
            let (mut left, mut right) = (f64::INFINITY, f64::NEG_INFINITY);
            for (low, high, start, slope) in &lines {
                // A level edge runs from end to end of the others.
                if py >= *low && py <= *high && slope.is_finite() {
                    let x = start[0] + (py - start[1]) * slope;
                    left = left.min(x);
                    right = right.max(x);
                }
            }
            if let Some((from, to)) = centres(left, right, width) {
                let row = y as usize * width as usize;
                covered[row + from as usize..=row + to as usize].fill(true);
            }
        }
    }

    /// First and last pixel whose centre lies within the corners' range along an axis, `None` when there is none.
    fn span(&self, axis: usize, size: u32) -> Option<(u32, u32)> {
        let values = self.corners.map(|c| c[axis]);
        centres(values[0].min(values[1]).min(values[2]), values[0].max(values[1]).max(values[2]), size)
    }
}

/// First and last of `size` pixels whose centre lies from `low` to `high`, `None` when there is none.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image before the cast")]
fn centres(low: f64, high: f64, size: u32) -> Option<(u32, u32)> {
    let first = (low - 0.5).ceil().max(0.0);
    let last = (high - 0.5).floor().min(f64::from(size) - 1.0);
    (first <= last).then_some((first as u32, last as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Matrix3;

    fn camera(width: u32, height: u32) -> Camera {
        Camera {
            width_px: width,
            height_px: height,
            k: Matrix3::new(100.0, 0.0, f64::from(width) / 2.0, 0.0, 100.0, f64::from(height) / 2.0, 0.0, 0.0, 1.0),
            rotation: Matrix3::identity(),
            translation: Vector3::zeros(),
        }
    }

    /// A square at depth `z` facing the camera, its half side in metres; two triangles.
    fn square(z: f64, half: f64) -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
        let p = vec![[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]];
        // Seen from the camera (y down) 0-3-2-1 runs counter-clockwise.
        (p, vec![[0, 3, 2], [0, 2, 1]])
    }

    #[test]
    fn a_square_covers_its_pixels_once_and_its_back_none() {
        let cam = camera(64, 48);
        // Corners at 32 ± 10, 24 ± 10: exactly 20×20 centres; the diagonal runs through centres.
        let (p, f) = square(1.0, 0.1);
        let image = visibility(&p, &f, &cam);
        let count = |id: u32| image.ids.iter().filter(|&&i| i == id).count();
        assert_eq!(count(1) + count(2), 400, "20 × 20 centres are covered");
        assert_eq!(image.ids[14 * 64 + 22], 2, "the top left pixel is inside; its diagonal belongs to one triangle");
        assert_eq!(image.ids[13 * 64 + 22], 0, "the row above is not");
        let reversed: Vec<_> = f.iter().map(|t| [t[0], t[2], t[1]]).collect();
        assert!(visibility(&p, &reversed, &cam).ids.iter().all(|&i| i == 0), "back faces are culled");
    }

    #[test]
    fn centres_on_edges_belong_to_exactly_one_triangle() {
        // Corners on pixel centres: the left and top edges are inside, the right and bottom ones outside.
        let cam = camera(64, 48);
        let (mut p, f) = square(1.0, 0.1);
        for q in &mut p {
            q[0] += 0.005;
            q[1] += 0.005;
        }
        let image = visibility(&p, &f, &cam);
        assert_eq!(image.ids.iter().filter(|&&i| i > 0).count(), 400, "half-open: 20 × 20 again");
        let at = |x: usize, y: usize| image.ids[y * 64 + x];
        assert!(at(22, 14) > 0 && at(42, 20) == 0 && at(30, 34) == 0, "top and left in, right and bottom out");
    }

    #[test]
    fn the_nearest_wins_and_ties_go_to_the_lower_id() {
        let cam = camera(64, 48);
        let (mut p, mut f) = square(1.0, 0.1);
        let (q, g) = square(0.8, 0.04);
        f.extend(g.iter().map(|t| t.map(|v| v + 4)));
        p.extend(q);
        f.extend_from_slice(&[f[2], f[3]]);
        let image = visibility(&p, &f, &cam);
        let centre = 24 * 64 + 32;
        assert!(matches!(image.ids[centre], 3 | 4), "the near square hides the far one, its copy does not replace it");
        assert!((image.depth[centre] - 0.8).abs() < 1e-6, "depth is camera z");
        assert!(image.depth[0].is_infinite(), "nothing is seen in the corner");
    }

    #[test]
    fn barycentrics_are_perspective_correct() {
        let cam = camera(64, 48);
        let p = vec![[-0.2, -0.15, 0.8], [-0.3, 0.3, 2.0], [0.4, 0.1, 1.3]];
        let f = vec![[0, 1, 2]];
        let image = visibility(&p, &f, &cam);
        let bary = barycentrics(&p, &f, &cam, &image);
        let mut seen = 0;
        for (pixel, b) in bary.iter().enumerate().filter(|(pixel, _)| image.ids[*pixel] > 0) {
            seen += 1;
            let point: Vector3<f64> = (0..3).map(|i| Vector3::from(p[i]) * b[i]).sum();
            let px = cam.project(&point).expect("in front of the camera");
            let centre = ((pixel % 64) as f64 + 0.5, (pixel / 64) as f64 + 0.5);
            assert!(
                (px.x - centre.0).abs() < 1e-9 && (px.y - centre.1).abs() < 1e-9,
                "the point projects to its pixel"
            );
            assert!((point.z - f64::from(image.depth[pixel])).abs() < 1e-6, "and has the depth of the image");
        }
        assert!(seen > 200, "the triangle is seen in {seen} pixels");
    }

    #[test]
    fn triangles_that_come_too_near_are_dropped() {
        let cam = camera(64, 48);
        let (mut p, f) = square(1.0, 0.1);
        p[1][2] = 0.0005;
        let image = visibility(&p, &f, &cam);
        assert!(image.ids.iter().all(|&i| i != 2), "the triangle with the near corner is gone");
        assert!(image.ids.contains(&1), "the other one stays");
    }

    #[test]
    fn a_closed_sphere_has_no_holes() {
        let (mut p, mut f) = octahedron();
        for _ in 0..5 {
            let step = crate::mesh::LoopStep::new(&crate::mesh::Topology::new(p.len(), &f));
            p = step.apply(&p);
            f = step.faces;
        }
        for q in &mut p {
            let n = Vector3::from(*q).normalize() * 0.2;
            *q = [n.x, n.y, n.z + 1.0];
        }
        let cam = camera(64, 48);
        let image = visibility(&p, &f, &cam);
        let covered = coverage_of(&Projected::new(&p, &cam), &f, 64, 48);
        let seen: Vec<bool> = image.ids.iter().map(|&id| id > 0).collect();
        assert_eq!(covered, seen, "filled rows cover what is seen");
        let fewer = coverage_of(&Projected::new(&p, &cam), &f[..f.len() / 2], 64, 48);
        assert_ne!(fewer, seen, "and the comparison sees half of it missing");
        for y in 0..48 {
            let row = &image.ids[y * 64..(y + 1) * 64];
            let first = row.iter().position(|&i| i > 0);
            let last = row.iter().rposition(|&i| i > 0);
            if let (Some(a), Some(b)) = (first, last) {
                assert!(row[a..=b].iter().all(|&i| i > 0), "row {y} is covered without a hole");
            }
        }
    }

    fn octahedron() -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
        let p = vec![
            [1.0, 0.0, 0.0],
            [-1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.0, -1.0, 0.0],
            [0.0, 0.0, 1.0],
            [0.0, 0.0, -1.0],
        ];
        let f = vec![[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]];
        (p, f)
    }
}
