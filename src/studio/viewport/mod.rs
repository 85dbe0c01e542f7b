//! The 3D view: the rig as frustums with their photographs, the hands, the joints, and a camera that orbits or looks
//! through one of the rig's cameras.

mod hands;
mod look;
mod motion;
mod rig;
#[cfg(test)]
mod tests;
mod unlit;

use super::session::{Action, Framed, Session};
use super::ui_state::Shading;
use super::{Pointer, StudioSet};
use crate::anatomy::KEYPOINT_BONES;
use bevy::camera::visibility::NoFrustumCulling;
use bevy::prelude::*;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};
use bevy_panorbit_camera::{PanOrbitCamera, PanOrbitCameraPlugin};
pub(super) use hands::heat_colour;
pub(super) use motion::Motion;
use rig::Placement;
use unlit::Unlit;

/// Share of the rig's radius at which a frustum's image plane stands.
const PLANE_DEPTH: f32 = 0.16;

/// The camera of the 3D view.
#[derive(Component)]
pub(super) struct ViewCamera;

#[derive(Component)]
struct ImagePlane {
    view: usize,
}

/// What is in the scene, and from which state of the session.
#[derive(Resource, Default)]
pub(super) struct Scene {
    /// Revisions of the capture, of the cameras, and of where it stands.
    built: (u64, u64, u64),
    placement: Option<Placement>,
    planes: Vec<Entity>,
    backdrop: Option<(usize, Entity)>,
    hands: Vec<Entity>,
    shown: (u64, Option<Shading>, bool),
}

/// Systems of the 3D view.
pub(super) fn plugin(app: &mut App) {
    app.add_plugins((PanOrbitCameraPlugin, unlit::plugin))
        .init_resource::<Scene>()
        .init_resource::<Motion>()
        .add_systems(Startup, set_gizmos)
        .add_systems(PreUpdate, motion::drag_by_cursor)
        .add_systems(Update, look::follow.in_set(StudioSet::News))
        .add_systems(
            Update,
            (
                rebuild_rig,
                update_planes,
                update_backdrop,
                update_hands,
                hide_hands,
                motion::click,
                motion::follow,
                draw_lines,
            )
                .chain()
                .in_set(StudioSet::View),
        );
}

fn set_gizmos(mut store: ResMut<GizmoConfigStore>) {
    store.config_mut::<DefaultGizmoConfigGroup>().0.line.width = 1.6;
}

fn rebuild_rig(
    mut commands: Commands,
    session: Res<Session>,
    mut scene: ResMut<Scene>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<Unlit>>,
    mut images: ResMut<Assets<Image>>,
    mut motion: ResMut<Motion>,
) {
    let wanted = (session.capture_revision, session.cameras_revision, session.placement_revision);
    if scene.built == wanted {
        return;
    }
    // The next frame of a sequence is another capture in the same place.
    let new_capture = scene.built.2 != wanted.2;
    scene.built = wanted;
    let old = scene.backdrop.take().map(|(_, e)| e);
    for entity in std::mem::take(&mut scene.planes).into_iter().chain(old) {
        commands.entity(entity).despawn();
    }
    let Some(capture) = &session.capture else { return };
    // Cameras that a run corrects move; the rest stays where it is.
    let placement = scene.placement.filter(|_| !new_capture).unwrap_or_else(|| Placement::of(capture));
    for view in 0..capture.views.len() {
        let (Some(thumbnail), Some(camera)) = (session.thumbnails.get(view), session.camera(view)) else { continue };
        let material = Unlit { tint: LinearRgba::WHITE, picture: Some(images.add(texture(thumbnail))) };
        let entity = commands.spawn((
            Mesh3d(meshes.add(rig::image_plane(camera))),
            MeshMaterial3d(materials.add(material)),
            placement.camera(camera).with_scale(Vec3::splat(PLANE_DEPTH * placement.radius)),
            NoFrustumCulling,
            ImagePlane { view },
        ));
        scene.planes.push(entity.id());
    }
    scene.placement = Some(placement);
    if new_capture {
        // What is seen first: the hands of a run, the rig of a capture.
        show(&mut motion, &placement, &session, Framed::Hands);
    } else if let Some((view, camera)) = motion.through().and_then(|view| Some((view, session.camera(view)?))) {
        motion.fly_to(view, placement.eye(camera));
    }
}

fn texture(image: &image::RgbImage) -> Image {
    let (width, height) = image.dimensions();
    Image::new(
        Extent3d { width, height, depth_or_array_layers: 1 },
        TextureDimension::D2,
        image.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2], 255]).collect(),
        TextureFormat::Rgba8UnormSrgb,
        bevy::asset::RenderAssetUsages::RENDER_WORLD,
    )
}

/// The photograph at full size, far behind the hands, while its camera is looked through.
fn update_backdrop(
    mut commands: Commands,
    session: Res<Session>,
    mut scene: ResMut<Scene>,
    motion: Res<Motion>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<Unlit>>,
    mut images: ResMut<Assets<Image>>,
) {
    let through = motion.through();
    if scene.backdrop.map(|(view, _)| view) == through {
        return;
    }
    if let Some((_, entity)) = scene.backdrop.take() {
        commands.entity(entity).despawn();
    }
    let (Some(view), Some(placement)) = (through, scene.placement) else { return };
    let Some(found) = session.capture.as_ref().and_then(|c| c.views.get(view)) else { return };
    let Some(camera) = session.camera(view) else { return };
    let picture = Some(images.add(texture(&found.image)));
    let material = Unlit { tint: Color::srgb(0.72, 0.72, 0.72).into(), picture };
    let entity = commands.spawn((
        Mesh3d(meshes.add(rig::image_plane(camera))),
        MeshMaterial3d(materials.add(material)),
        placement.camera(camera).with_scale(Vec3::splat(2.2 * placement.radius)),
        NoFrustumCulling,
    ));
    scene.backdrop = Some((view, entity.id()));
}

/// Image planes: hidden with the cameras and while one of them is looked through, dark when excluded. The one that stands right
/// before the eye, as after looking through its camera, would hide everything.
fn update_planes(
    session: Res<Session>,
    motion: Res<Motion>,
    scene: Res<Scene>,
    eye: Single<&Transform, With<ViewCamera>>,
    mut planes: Query<(&ImagePlane, &mut Visibility, &MeshMaterial3d<Unlit>)>,
    mut materials: ResMut<Assets<Unlit>>,
) {
    let shown = session.ui.show_cameras && motion.through().is_none();
    let before_the_eye = |view: usize| {
        let apex =
            scene.placement.zip(session.camera(view)).map(|(p, camera)| (p.camera(camera).translation, p.radius));
        apex.is_some_and(|(apex, radius)| apex.distance(eye.translation) < 1.5 * PLANE_DEPTH * radius)
    };
    for (plane, mut visibility, material) in &mut planes {
        let wanted = if shown && !before_the_eye(plane.view) { Visibility::Visible } else { Visibility::Hidden };
        visibility.set_if_neq(wanted);
        let dark = session.excluded.contains(&plane.view);
        let tint = if dark { Color::srgb(0.28, 0.24, 0.24).into() } else { LinearRgba::WHITE };
        if materials.get(&material.0).is_some_and(|m| m.tint != tint)
            && let Some(mut m) = materials.get_mut(&material.0)
        {
            m.tint = tint;
        }
    }
}

fn update_hands(
    mut commands: Commands,
    session: Res<Session>,
    mut scene: ResMut<Scene>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<Unlit>>,
    mut material: Local<Option<Handle<Unlit>>>,
) {
    let wanted = (session.shown_revision, Some(session.mesh_shading()), session.ui.show_hands);
    let Some(placement) = scene.placement else { return };
    if scene.shown == wanted {
        return;
    }
    scene.shown = wanted;
    for entity in std::mem::take(&mut scene.hands) {
        commands.entity(entity).despawn();
    }
    let Some(snapshot) = session.visible().filter(|_| session.ui.show_hands) else { return };
    let material = material.get_or_insert_with(|| materials.add(Unlit { tint: LinearRgba::WHITE, picture: None }));
    let rotation = Mat3::from(placement.bevy_from_world.matrix3);
    let exposure = hands::exposure(&snapshot.hands);
    let heat = session.heat().and_then(|found| found.as_ref().ok());
    for (i, hand) in snapshot.hands.iter().enumerate() {
        let shares = heat.and_then(|heat| heat.shares.get(i)).map(Vec::as_slice);
        let paint = hands::Paint { light: session.light, shares };
        let mut parts = vec![hands::mesh(hand, session.mesh_shading(), rotation, exposure, paint)];
        if session.mesh_shading() == Shading::Wire {
            parts.push(hands::edges(hand));
        }
        for mesh in parts {
            let entity = commands.spawn((
                Mesh3d(meshes.add(mesh)),
                MeshMaterial3d(material.clone()),
                placement.transform(),
                NoFrustumCulling,
            ));
            scene.hands.push(entity.id());
        }
    }
}

/// The meshes give way to the network's picture of them.
fn hide_hands(session: Res<Session>, scene: Res<Scene>, mut hands: Query<&mut Visibility>) {
    let wanted = if session.network_frame().is_some() { Visibility::Hidden } else { Visibility::Inherited };
    for entity in &scene.hands {
        if let Ok(mut visibility) = hands.get_mut(*entity) {
            visibility.set_if_neq(wanted);
        }
    }
}

fn draw_lines(session: Res<Session>, scene: Res<Scene>, motion: Res<Motion>, mut gizmos: Gizmos) {
    let (Some(capture), Some(placement)) = (&session.capture, scene.placement) else { return };
    let radius = placement.radius;
    if session.ui.show_grid && motion.through().is_none() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "4..=24")]
        let cells = (radius * 8.0).clamp(4.0, 24.0).round() as u32 * 2;
        let flat = Isometry3d::from_rotation(Quat::from_rotation_x(std::f32::consts::FRAC_PI_2));
        let lowered = Isometry3d::new(Vec3::new(0.0, placement.middle.y - 0.45 * placement.reach, 0.0), flat.rotation);
        gizmos.grid(lowered, UVec2::splat(cells), Vec2::splat(0.1), Color::srgb(0.135, 0.145, 0.16));
    }
    if session.ui.show_cameras && motion.through().is_none() {
        for (view, camera) in (0..capture.views.len()).filter_map(|v| Some((v, session.camera(v)?))) {
            let pose = placement.camera(camera);
            let depth = PLANE_DEPTH * radius;
            let corners = rig::corners(camera).map(|c| pose.transform_point(c * depth));
            let judged = session.view_colour(view).map(|[r, g, b]| Color::srgb_u8(r, g, b));
            let colour = if session.selected == view {
                Color::srgb(0.28, 0.95, 0.86)
            } else if session.excluded.contains(&view) {
                Color::srgb(0.55, 0.24, 0.22)
            } else if session.held_out.contains(&view) {
                Color::srgb(0.45, 0.50, 0.86)
            } else {
                judged.unwrap_or(FRUSTUM)
            };
            let ray = judged.unwrap_or(colour);
            for i in 0..4 {
                gizmos.line(pose.translation, corners[i], ray);
                gizmos.line(corners[i], corners[(i + 1) % 4], colour);
            }
        }
    }
    if session.ui.show_joints
        && let Some(snapshot) = session.visible()
    {
        let colours = [Color::srgb(0.34, 0.71, 0.91), Color::srgb(0.90, 0.62, 0.0)];
        for (joints, colour) in snapshot.joints.iter().zip(colours) {
            let Some(joints) = joints else { continue };
            for (a, b) in KEYPOINT_BONES {
                gizmos.line(placement.place(joints[a]), placement.place(joints[b]), colour);
            }
            for joint in joints {
                gizmos.sphere(Isometry3d::from_translation(placement.place(*joint)), 0.0025, colour).resolution(8);
            }
        }
    }
}

/// Colour of a frustum that is neither selected nor excluded; the screenshot tests look for it.
const FRUSTUM: Color = Color::srgb(0.47, 0.53, 0.62);

/// Centre and radius of the shown hands in the 3D view.
fn ball(session: &Session, placement: &Placement) -> Option<(Vec3, f32)> {
    let mut lo = Vec3::INFINITY;
    let mut hi = Vec3::NEG_INFINITY;
    for p in session.visible().iter().flat_map(|s| &s.hands).flat_map(|h| &h.positions) {
        let at = placement.bevy_from_world.transform_point3(Vec3::from(*p));
        lo = lo.min(at);
        hi = hi.max(at);
    }
    (lo.x <= hi.x).then(|| ((lo + hi) * 0.5, (hi - lo).length() * 0.5))
}

/// Applies a session action that concerns the 3D view.
pub(super) fn fly_to(motion: &mut Motion, scene: &Scene, session: &Session, view: usize) {
    if let (Some(placement), Some(camera)) = (scene.placement, session.camera(view)) {
        motion.fly_to(view, placement.eye(camera));
    }
}

/// Moves the camera to see the hands, if there are any, or else everything.
pub(super) fn frame(motion: &mut Motion, scene: &Scene, session: &Session, what: Framed) {
    if let Some(placement) = scene.placement {
        show(motion, &placement, session, what);
    }
}

/// The hands, if they are wanted and there are any, or else everything.
fn show(motion: &mut Motion, placement: &Placement, session: &Session, what: Framed) {
    match ball(session, placement) {
        Some((centre, radius)) if what == Framed::Hands => motion.frame_hands(centre, radius),
        hands => motion.frame_rig(placement, hands.map(|(centre, _)| centre)),
    }
}

/// Actions that arise in the 3D view.
#[derive(Resource, Default)]
pub(super) struct ViewActions(pub(super) Vec<Action>);

type OrbitCamera<'w, 's> = Single<
    'w,
    's,
    (&'static mut Camera, &'static mut Transform, &'static mut Projection, &'static mut PanOrbitCamera),
    With<ViewCamera>,
>;
