//! Where the rig stands in the 3D view, and the shapes of its cameras.
//!
//! Captures use OpenCV axes of an arbitrary camera; Bevy looks along −z with +y up. [`Placement`] turns the rig so that the
//! cameras' mean "up" is +y and the cameras look from +z, with the point nearest to all optical axes at the origin.

use crate::camera::Camera;
use crate::capture::Capture;
use bevy::asset::RenderAssetUsages;
use bevy::math::{Affine3A, Mat3, Quat, Vec2, Vec3};
use bevy::mesh::{Indices, Mesh, PrimitiveTopology};
use bevy::transform::components::Transform;
use nalgebra::{Matrix3, Vector2, Vector3};

/// The rig's pose in the 3D view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// Bevy's world from the capture's world.
    pub(super) bevy_from_world: Affine3A,
    /// Median distance of the cameras from the origin, metres.
    pub(super) radius: f32,
    /// Middle of the box around cameras and origin, in the 3D view.
    pub(super) middle: Vec3,
    /// Half the diagonal of that box, metres.
    pub(super) reach: f32,
}

#[expect(clippy::cast_possible_truncation, reason = "the screen needs no more than f32")]
fn vec3(v: &Vector3<f64>) -> Vec3 {
    Vec3::new(v.x as f32, v.y as f32, v.z as f32)
}

impl Placement {
    /// Places a capture's rig.
    pub(super) fn of(capture: &Capture) -> Self {
        let cameras: Vec<&Camera> = capture.views.iter().map(|v| &v.camera).collect();
        let focus = nearest_to_axes(&cameras);
        let sum = |f: &dyn Fn(&Camera) -> Vector3<f64>| cameras.iter().map(|c| f(c)).sum::<Vector3<f64>>();
        let up = sum(&|c| -c.rotation.row(1).transpose()).try_normalize(1e-6).unwrap_or_else(|| -Vector3::y());
        let towards = |v: Vector3<f64>| (v - up * v.dot(&up)).try_normalize(1e-6);
        let z = towards(sum(&|c| c.centre() - focus))
            .or_else(|| cameras.first().and_then(|c| towards(c.centre() - focus)))
            .or_else(|| towards(Vector3::x()))
            .or_else(|| towards(Vector3::z()))
            .unwrap_or_else(Vector3::z);
        let x = up.cross(&z);
        let world_axes = Mat3::from_cols(vec3(&x), vec3(&up), vec3(&z));
        let rotation = world_axes.transpose();
        let mut distances: Vec<f64> = cameras.iter().map(|c| (c.centre() - focus).norm()).collect();
        distances.sort_by(f64::total_cmp);
        #[expect(clippy::cast_possible_truncation, reason = "a length on screen")]
        let radius = distances.get(distances.len() / 2).map_or(1.0, |d| *d as f32).max(0.05);
        let bevy_from_world = Affine3A::from_mat3_translation(rotation, -(rotation * vec3(&focus)));
        let (mut lo, mut hi) = (Vec3::ZERO, Vec3::ZERO);
        for camera in &cameras {
            let at = bevy_from_world.transform_point3(vec3(&camera.centre()));
            (lo, hi) = (lo.min(at), hi.max(at));
        }
        Self { bevy_from_world, radius, middle: (lo + hi) * 0.5, reach: (hi - lo).length().max(0.1) * 0.5 }
    }

    /// Pose of the capture's world.
    pub(super) fn transform(&self) -> Transform {
        let (scale, rotation, translation) = self.bevy_from_world.to_scale_rotation_translation();
        Transform { translation, rotation, scale }
    }

    /// A world point in the 3D view.
    pub(super) fn place(&self, x_world: [f64; 3]) -> Vec3 {
        self.bevy_from_world.transform_point3(vec3(&Vector3::from(x_world)))
    }

    /// Pose of a camera with OpenCV axes.
    pub(super) fn camera(&self, camera: &Camera) -> Transform {
        let world_from_camera = camera.rotation.transpose();
        let axes = Mat3::from_cols(
            vec3(&world_from_camera.column(0).into_owned()),
            vec3(&world_from_camera.column(1).into_owned()),
            vec3(&world_from_camera.column(2).into_owned()),
        );
        let rotation = Quat::from_mat3(&(Mat3::from(self.bevy_from_world.matrix3) * axes)).normalize();
        Transform { translation: self.place(camera.centre().into()), rotation, scale: Vec3::ONE }
    }

    /// Pose of a Bevy camera (x right, y up, looking along −z) that stands in a capture camera.
    pub(super) fn eye(&self, camera: &Camera) -> Transform {
        let pose = self.camera(camera);
        Transform { rotation: pose.rotation * Quat::from_rotation_x(std::f32::consts::PI), ..pose }
    }
}

/// The point with the least summed squared distance to all optical axes; the mean centre when they are parallel.
fn nearest_to_axes(cameras: &[&Camera]) -> Vector3<f64> {
    let (mut a, mut b, mut mean) = (Matrix3::zeros(), Vector3::zeros(), Vector3::zeros());
    for camera in cameras {
        let d: Vector3<f64> = camera.rotation.row(2).transpose();
        let across = Matrix3::identity() - d * d.transpose();
        a += across;
        b += across * camera.centre();
        mean += camera.centre();
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of cameras")]
    let mean = mean / cameras.len().max(1) as f64;
    if a.determinant().abs() < 1e-6 { mean } else { a.try_inverse().map_or(mean, |inverse| inverse * b) }
}

/// Corners of the image plane at depth one in camera axes: top left, top right, bottom right, bottom left.
pub(super) fn corners(camera: &Camera) -> [Vec3; 4] {
    let inverse = camera.k.try_inverse().unwrap_or_else(Matrix3::identity);
    let (w, h) = (f64::from(camera.width_px), f64::from(camera.height_px));
    [[0.0, 0.0], [w, 0.0], [w, h], [0.0, h]].map(|[u, v]| {
        let p = inverse * Vector3::new(u, v, 1.0);
        vec3(&(p / p.z))
    })
}

/// The image plane at depth one, with texture coordinates.
pub(super) fn image_plane(camera: &Camera) -> Mesh {
    let positions: Vec<[f32; 3]> = corners(camera).map(Into::into).to_vec();
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::RENDER_WORLD)
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, positions)
        .with_inserted_attribute(Mesh::ATTRIBUTE_UV_0, vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        .with_inserted_indices(Indices::U32(vec![0, 2, 1, 0, 3, 2]))
}

/// What a 3D camera must show so that a capture camera's image fills the viewport: vertical field of view of a symmetric
/// view around the principal point, and the part of it that the viewport shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Region {
    /// Vertical field of view of the symmetric view, radians.
    pub(super) fov: f32,
    /// Size of the symmetric view, pixels.
    pub(super) full_px: Vec2,
    /// Top left of the shown part, pixels.
    pub(super) offset_px: Vec2,
    /// Size of the shown part, pixels.
    pub(super) size_px: Vec2,
}

impl Region {
    /// The region for a viewport of this shape (width / height).
    #[expect(clippy::cast_possible_truncation, reason = "screen positions")]
    pub(super) fn of(camera: &Camera, aspect: f64) -> Self {
        let (w, h) = (f64::from(camera.width_px), f64::from(camera.height_px));
        let (fx, fy) = (camera.k[(0, 0)], camera.k[(1, 1)]);
        // The image grown to the viewport's shape; pixels need not be square.
        let shape = aspect * fx / fy;
        let size = if w / h < shape { Vector2::new(h * shape, h) } else { Vector2::new(w, w / shape) } * 1.04;
        let corner = (Vector2::new(w, h) - size) * 0.5;
        let principal = Vector2::new(camera.k[(0, 2)], camera.k[(1, 2)]);
        let half = Vector2::new(
            (principal.x - corner.x).abs().max((corner.x + size.x - principal.x).abs()),
            (principal.y - corner.y).abs().max((corner.y + size.y - principal.y).abs()),
        );
        let offset = corner - (principal - half);
        let y_up = |v: Vector2<f64>| Vec2::new((v.x * fy / fx) as f32, v.y as f32);
        Self {
            fov: (2.0 * (half.y / fy).atan()) as f32,
            full_px: y_up(half * 2.0),
            offset_px: y_up(offset),
            size_px: y_up(size),
        }
    }
}

/// Distance along a ray to the rectangle of an image plane, if it is met.
pub(super) fn ray_meets_plane(
    origin: Vec3,
    direction: Vec3,
    pose: &Transform,
    corners: &[Vec3; 4],
    depth: f32,
) -> Option<f32> {
    let inverse = pose.rotation.inverse();
    let (o, d) = (inverse * (origin - pose.translation), inverse * direction);
    if d.z.abs() < 1e-9 {
        return None;
    }
    let t = (depth - o.z) / d.z;
    let hit = (o + d * t) / depth;
    let (lo, hi) = (corners[0].min(corners[2]), corners[0].max(corners[2]));
    (t > 0.0 && hit.x >= lo.x && hit.x <= hi.x && hit.y >= lo.y && hit.y <= hi.y).then_some(t)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{test_camera, test_capture};
    use super::*;
    use bevy::camera::{CameraProjection, PerspectiveProjection, SubCameraView};

    #[test]
    fn the_rig_stands_upright_around_the_origin() {
        let placement = Placement::of(&test_capture(8));
        assert!(placement.place([0.0, 0.0, 0.0]).length() < 1e-3, "the test rig looks at its origin");
        let up = placement.bevy_from_world.transform_vector3(Vec3::NEG_Y);
        assert!(up.y > 0.9, "y-down captures stand upright: {up}");
        let determinant = placement.bevy_from_world.matrix3.determinant();
        assert!((determinant - 1.0).abs() < 1e-4, "no mirror: {determinant}");
        assert!((placement.radius - 0.73).abs() < 0.1, "cameras are about 0.7 m away: {}", placement.radius);
    }

    #[test]
    fn looking_through_a_camera_shows_its_pixels_where_they_belong() {
        let capture = test_capture(5);
        let placement = Placement::of(&capture);
        let camera = test_camera(3, 5);
        for aspect in [0.8, 1.25, 2.0] {
            let region = Region::of(&camera, aspect);
            let projection = PerspectiveProjection { fov: region.fov, near: 0.01, ..Default::default() };
            // Whole numbers of pixels are all that Bevy takes; a thousandfold keeps the rounding out of this test.
            let big = |v: Vec2| (v * 1000.0).round().as_uvec2();
            let clip_from_view = projection.get_clip_from_view_for_sub(&SubCameraView {
                full_size: big(region.full_px),
                offset: region.offset_px * 1000.0,
                size: big(region.size_px),
            });
            let eye = placement.eye(&camera);
            for x in [[0.03, 0.05, 0.02], [-0.1, -0.06, 0.01]] {
                let px = camera.project(&Vector3::from(x)).expect("in front");
                let view = eye.to_matrix().inverse().transform_point3(placement.place(x));
                let ndc = clip_from_view.project_point3(view);
                // Expected: the image, grown by 4 % and to the viewport's shape, about its centre.
                let scale = f64::from(region.size_px.y);
                let expected_y = -(px.y - 128.0) / scale * 2.0;
                assert!((f64::from(ndc.y) - expected_y).abs() < 2e-3, "aspect {aspect}: {} vs {expected_y}", ndc.y);
                let expected_x = (px.x - 160.0) / f64::from(region.size_px.x) * 2.0;
                assert!((f64::from(ndc.x) - expected_x).abs() < 2e-3, "aspect {aspect}: {} vs {expected_x}", ndc.x);
            }
            let shape = f64::from(region.size_px.x / region.size_px.y);
            assert!((shape - aspect).abs() < 1e-3, "the region has the viewport's shape: {shape}");
        }
    }

    #[test]
    fn rays_meet_image_planes() {
        let camera = test_camera(2, 5);
        let placement = Placement::of(&test_capture(5));
        let (pose, corners) = (placement.camera(&camera), corners(&camera));
        let through = |px: [f32; 2]| {
            let t = Vec2::new(px[0] / 320.0, px[1] / 256.0);
            let at = corners[0] + (corners[1] - corners[0]) * t.x + (corners[3] - corners[0]) * t.y;
            pose.transform_point(at * 0.1)
        };
        let origin = Vec3::new(0.1, 0.5, 3.0);
        for (px, inside) in
            [([160.0, 128.0], true), ([5.0, 250.0], true), ([-5.0, 100.0], false), ([100.0, 262.0], false)]
        {
            let direction = (through(px) - origin).normalize_or_zero();
            assert_eq!(ray_meets_plane(origin, direction, &pose, &corners, 0.1).is_some(), inside, "pixel {px:?}");
        }
    }
}
