//! The camera of the 3D view as a camera of the capture, for pictures by the network.

use super::rig::Placement;
use super::{Scene, ViewCamera};
use crate::camera::Camera as CaptureCamera;
use crate::studio::session::Session;
use bevy::math::{DMat3, DMat4, DVec3};
use bevy::prelude::*;
use nalgebra::{Matrix3, Vector3};

/// Tells the session from where the hands are seen.
pub(super) fn follow(
    scene: Res<Scene>,
    camera: Single<(&Camera, &Transform), With<ViewCamera>>,
    mut session: ResMut<Session>,
) {
    let (camera, transform) = *camera;
    let seen = (|| {
        let size = camera.physical_viewport_size().filter(|_| camera.is_active)?;
        capture_camera(scene.placement.as_ref()?, transform, camera.clip_from_view(), size)
    })();
    session.bypass_change_detection().look_from(seen);
}

/// A pinhole camera that sees what a Bevy camera with this pose and projection sees in a picture of `size` pixels.
pub(super) fn capture_camera(
    placement: &Placement,
    pose: &Transform,
    clip_from_view: Mat4,
    size: UVec2,
) -> Option<CaptureCamera> {
    let (m, w, h): (DMat4, f64, f64) = (clip_from_view.as_dmat4(), size.x.into(), size.y.into());
    // Bevy looks along −z with y up, captures along z with y down: ndc = (m₀₀ x + m₀₂ z) / −z.
    let k = Matrix3::new(
        0.5 * w * m.x_axis.x,
        0.0,
        0.5 * w * (1.0 - m.z_axis.x),
        0.0,
        0.5 * h * m.y_axis.y,
        0.5 * h * (1.0 + m.z_axis.y),
        0.0,
        0.0,
        1.0,
    );
    let bevy_from_world = placement.bevy_from_world.as_daffine3();
    let turned = DMat3::from_quat(pose.rotation.as_dquat()).transpose() * bevy_from_world.matrix3;
    let rotation = DMat3::from_diagonal(DVec3::new(1.0, -1.0, -1.0)) * turned;
    let centre = bevy_from_world.inverse().transform_point3(pose.translation.as_dvec3());
    let translation = -(rotation * centre);
    let row = |i: usize| [rotation.x_axis[i], rotation.y_axis[i], rotation.z_axis[i]];
    let rows = [row(0), row(1), row(2)].concat();
    let camera = CaptureCamera {
        width_px: size.x,
        height_px: size.y,
        k,
        rotation: Matrix3::from_row_slice(&rows),
        translation: Vector3::new(translation.x, translation.y, translation.z),
    };
    camera.checked().ok()
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{test_camera, test_capture};
    use super::super::rig::Region;
    use super::*;
    use bevy::camera::{CameraProjection, PerspectiveProjection, SubCameraView};

    #[test]
    fn what_the_network_sees_is_what_bevy_sees() {
        let placement = Placement::of(&test_capture(5));
        let size = UVec2::new(640, 480);
        let projection =
            PerspectiveProjection { fov: 0.72, aspect_ratio: 640.0 / 480.0, near: 0.01, ..Default::default() };
        let pose = Transform::from_xyz(0.4, 0.3, 0.9).looking_at(Vec3::new(0.0, 0.05, 0.0), Vec3::Y);
        let through = (placement.eye(&test_camera(3, 5)), {
            let region = Region::of(&test_camera(3, 5), 640.0 / 480.0);
            let projection = PerspectiveProjection { fov: region.fov, near: 0.01, ..Default::default() };
            let whole = |v: Vec2| (v * 64.0).round().as_uvec2();
            projection.get_clip_from_view_for_sub(&SubCameraView {
                full_size: whole(region.full_px),
                offset: region.offset_px * 64.0,
                size: whole(region.size_px),
            })
        });
        for (pose, clip_from_view) in [(pose, projection.get_clip_from_view()), through] {
            let camera = capture_camera(&placement, &pose, clip_from_view, size).expect("a camera");
            for x in [[0.03, 0.05, 0.02], [-0.1, -0.06, 0.01], [0.0, 0.0, 0.0]] {
                let view = pose.to_matrix().inverse().transform_point3(placement.place(x));
                let ndc = clip_from_view.project_point3(view);
                let wanted = [(ndc.x + 1.0) * 320.0, (1.0 - ndc.y) * 240.0];
                let px = camera.project(&Vector3::from(x)).expect("in front");
                let off = (px.x - f64::from(wanted[0])).abs().max((px.y - f64::from(wanted[1])).abs());
                assert!(off < 0.05, "{x:?} at {px} in place of {wanted:?}");
            }
        }
    }
}
