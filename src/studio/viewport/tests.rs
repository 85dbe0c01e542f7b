//! The rig of a run whose pose stage has corrected a camera of the capture.

use super::super::session::Session;
use super::super::testing::{MorphBackend, test_camera, test_capture};
use super::rig::Region;
use super::*;
use crate::camera::Camera;
use crate::studio::backend::{Backend, RunViews};
use crate::studio::worker::Event;
use bevy::ecs::system::RunSystemOnce;
use bevy::input::ButtonState;
use bevy::input::mouse::{MouseButtonInput, MouseMotion};
use bevy::window::{CursorMoved, WindowEvent};
use nalgebra::{Rotation3, Vector3};
use std::sync::Arc;

/// The view whose camera is off in the capture's file.
const OFF: usize = 3;
const VIEWS: usize = 5;

/// A camera that is rolled, turned and shifted.
fn off() -> Camera {
    let right = test_camera(OFF, VIEWS);
    let turn = *Rotation3::from_euler_angles(0.02, -0.03, 0.12).matrix();
    let mut camera = Camera { rotation: turn * right.rotation, ..right };
    camera.translation = turn * camera.translation + Vector3::new(0.01, -0.02, 0.005);
    camera.k[(0, 2)] += 25.0;
    camera
}

fn opened() -> Session {
    let mut session = Session::new(MorphBackend::default().presets());
    let mut capture = test_capture(VIEWS);
    capture.views[OFF].camera = off();
    let thumbnails = capture.views.iter().map(|v| crate::studio::picture::thumbnail(&v.image, 32)).collect();
    let results = "two_lumps.thenar/runs".into();
    session.on_event(Event::Opened { capture: Arc::new(capture), thumbnails, run: None, has_engine: false, results });
    session
}

fn repaired() -> RunViews {
    RunViews { cameras: (0..VIEWS).map(|i| test_camera(i, VIEWS)).collect(), ..RunViews::default() }
}

/// Where a world point lies on screen when a view is looked through, as a share of the shown part's half sides.
fn on_screen(session: &Session, placement: &Placement, view: usize, x_world: [f64; 3]) -> Vec2 {
    let camera = session.camera(view).expect("a view of the capture");
    let region = Region::of(camera, 1.25);
    let at = placement.eye(camera).to_matrix().inverse().transform_point3(placement.place(x_world));
    let pixels = region.full_px.y * 0.5 / (region.fov * 0.5).tan();
    let from_principal = Vec2::new(at.x, -at.y) / -at.z * pixels;
    (from_principal + region.full_px * 0.5 - region.offset_px) / region.size_px * 2.0 - 1.0
}

#[test]
fn a_corrected_camera_is_looked_through_where_the_run_has_it() {
    let mut session = opened();
    let placement = Placement::of(session.capture.as_ref().expect("opened"));
    let right = test_camera(OFF, VIEWS);
    let x = [0.04, -0.05, 0.01];
    let px = right.project(&Vector3::from(x)).expect("in front");
    // The image, grown by 4 % about its centre; the viewport has the image's shape.
    #[expect(clippy::cast_possible_truncation, reason = "screen positions")]
    let wanted = Vec2::new((px.x / 160.0 - 1.0) as f32, (px.y / 128.0 - 1.0) as f32) / 1.04;
    let before = on_screen(&session, &placement, OFF, x);
    assert!(before.distance(wanted) > 0.05, "the camera of the file shows the hand beside its photograph: {before}");
    session.on_event(Event::Views(repaired()));
    let after = on_screen(&session, &placement, OFF, x);
    assert!(after.distance(wanted) < 2e-3, "the run's camera shows it upon: {after} for {wanted}");
    let _ = session.apply(Action::Start);
    let anew = on_screen(&session, &placement, OFF, x);
    assert_eq!(anew, before, "a new run begins with the cameras of the capture again");
}

#[test]
fn frustums_and_the_view_through_a_camera_move_with_the_correction() {
    let mut world = World::new();
    world.init_resource::<Scene>();
    world.init_resource::<Motion>();
    world.init_resource::<Assets<Mesh>>();
    world.init_resource::<Assets<Unlit>>();
    world.init_resource::<Assets<Image>>();
    world.insert_resource(opened());
    let plane = |world: &mut World| {
        world.run_system_once(rebuild_rig).expect("everything it needs is there");
        let mut planes = world.query::<(&ImagePlane, &Transform)>();
        let found: Vec<Transform> = planes.iter(world).filter(|(p, _)| p.view == OFF).map(|(_, t)| *t).collect();
        assert_eq!(found.len(), 1, "one image plane a view");
        found[0]
    };
    let before = plane(&mut world);
    let placement = world.resource::<Scene>().placement.expect("placed");
    world.resource_mut::<Motion>().look_through(OFF, placement.eye(&off()));
    world.resource_mut::<Session>().on_event(Event::Views(repaired()));
    let after = plane(&mut world);
    let wanted = placement.camera(&test_camera(OFF, VIEWS));
    assert!(before.translation.distance(wanted.translation) > 0.005, "it stood elsewhere");
    assert!(after.translation.distance(wanted.translation) < 1e-5, "the frustum stands where the run's camera does");
    assert!(after.rotation.angle_between(wanted.rotation) < 1e-3, "and looks as it does");
    assert_eq!(
        world.resource::<Motion>().heading(),
        Some((OFF, placement.eye(&test_camera(OFF, VIEWS)))),
        "the camera that is looked through goes along"
    );
    assert_eq!(world.resource::<Scene>().placement, Some(placement), "the scene itself does not move");
}

#[test]
fn a_run_is_first_seen_with_its_hands_as_large_as_they_can_be() {
    let mut session = opened();
    let placement = Placement::of(session.capture.as_ref().expect("opened"));
    let mut motion = Motion::default();
    show(&mut motion, &placement, &session, Framed::Hands);
    let rig = motion.distance().expect("a capture is framed");
    let capture = session.capture.clone().expect("opened");
    let backend = MorphBackend { steps: 20, ..MorphBackend::default() };
    let mut started = backend.start(&crate::studio::RunRequest::new(capture, "draft")).expect("the test engine starts");
    for _ in 0..25 {
        started.engine.advance().expect("a step");
    }
    session.shown = Some(Arc::new(started.engine.snapshot().expect("a snapshot")));
    show(&mut motion, &placement, &session, Framed::Hands);
    let hands = motion.distance().expect("hands are framed");
    assert!(hands < 0.6 * rig, "nearer than the rig needs: {hands} m, {rig} m");
    let (centre, radius) = ball(&session, &placement).expect("hands");
    assert!(hands > 2.9 * radius, "and no hand is cut at this field of view: {hands} m of radius {radius} m");
    let scene = Scene { placement: Some(placement), ..Scene::default() };
    frame(&mut motion, &scene, &session, Framed::Everything);
    let all = motion.distance().expect("everything is one key away");
    assert!((all - rig - centre.distance(placement.middle)).abs() < 1e-5, "about the hands: {all} m, {rig} m");
    frame(&mut motion, &scene, &session, Framed::Hands);
    assert_eq!(motion.distance(), Some(hands), "and the hands as well");
}

#[test]
fn what_is_dragged_from_elsewhere_over_the_3d_view_does_not_turn_it() {
    let mut world = World::new();
    world.init_resource::<Scene>();
    world.init_resource::<Motion>();
    world.init_resource::<ButtonInput<MouseButton>>();
    world.init_resource::<Messages<bevy::input::mouse::MouseWheel>>();
    world.init_resource::<Messages<bevy::window::RequestRedraw>>();
    world.insert_resource(opened());
    world.insert_resource(crate::studio::Machine { software: true });
    let orbit = PanOrbitCamera { enabled: false, ..PanOrbitCamera::default() };
    world.spawn((ViewCamera, Camera3d::default(), Transform::default(), Projection::default(), orbit));
    let mut turns = |in_view: bool, held: bool| {
        let mut buttons = world.resource_mut::<ButtonInput<MouseButton>>();
        buttons.clear();
        if held {
            buttons.press(MouseButton::Left);
        } else {
            buttons.release(MouseButton::Left);
        }
        world.insert_resource(Pointer { in_view, ..Pointer::default() });
        world.run_system_once(motion::follow).expect("everything it needs is there");
        world.query::<&PanOrbitCamera>().single(&world).expect("one camera").enabled
    };
    assert!(turns(true, false) && !turns(false, false), "it follows the mouse in the 3D view");
    assert!(
        !turns(false, true) && !turns(true, true),
        "a drag that began on a panel, also when it comes over the 3D view"
    );
    assert!(turns(true, false), "and again when it has ended");
    assert!(turns(true, true) && turns(false, true), "a drag that began there goes on beside it");
}

#[test]
fn the_view_is_dragged_by_the_way_of_the_cursor_while_a_button_is_held() {
    let mut world = World::new();
    world.init_resource::<Messages<WindowEvent>>();
    world.init_resource::<Messages<MouseMotion>>();
    let window = world.spawn_empty().id();
    let at = |x: f32| WindowEvent::CursorMoved(CursorMoved { window, position: Vec2::new(x, 10.0), delta: None });
    let button = |state| WindowEvent::MouseButtonInput(MouseButtonInput { button: MouseButton::Left, state, window });
    let drag = world.register_system(motion::drag_by_cursor);
    let mut frame = |events: Vec<WindowEvent>, device: Vec2| {
        world.resource_mut::<Messages<WindowEvent>>().clear();
        world.resource_mut::<Messages<MouseMotion>>().write(MouseMotion { delta: device });
        events.into_iter().for_each(|event| {
            world.resource_mut::<Messages<WindowEvent>>().write(event);
        });
        world.run_system(drag).expect("it runs");
        world.resource_mut::<Messages<MouseMotion>>().drain().map(|m| m.delta.x).sum::<f32>()
    };
    assert_eq!(frame(vec![at(5.0), at(40.0)], Vec2::splat(900.0)), 0.0, "nothing is held, whatever the device says");
    let pressed = vec![at(100.0), button(ButtonState::Pressed), at(103.0)];
    assert_eq!(frame(pressed, Vec2::ZERO), 3.0, "what came before the press is no drag");
    assert_eq!(frame(vec![at(110.0), at(125.0)], Vec2::ZERO), 22.0, "a mouse that tells places only");
    assert_eq!(frame(vec![button(ButtonState::Released), at(300.0)], Vec2::ZERO), 0.0, "let go");
}

#[test]
fn everything_is_seen_about_the_hands_where_there_are_some() {
    let session = opened();
    let placement = Placement::of(session.capture.as_ref().expect("opened"));
    let mut motion = Motion::default();
    motion.frame_rig(&placement, None);
    let without = motion.distance().expect("a wish");
    let aside = placement.middle + Vec3::X * 0.3;
    motion.frame_rig(&placement, Some(aside));
    let with = motion.distance().expect("a wish");
    assert!((with - without - 0.3).abs() < 1e-5, "as much farther as the hands are aside: {without} {with}");
}
