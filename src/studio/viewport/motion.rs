//! How the 3D camera moves: orbit by hand, fly into a camera, look through it, come back out; and clicks on cameras.

use super::rig::{self, Placement, Region};
use super::{OrbitCamera, PLANE_DEPTH, Pointer, Scene, ViewActions};
use crate::studio::Machine;
use crate::studio::session::{Action, Session};
use bevy::camera::SubCameraView;
use bevy::input::ButtonState;
use bevy::input::mouse::{MouseButtonInput, MouseMotion, MouseWheel};
use bevy::prelude::*;
use bevy::window::{RequestRedraw, WindowEvent};
use std::time::{Duration, Instant};

/// Vertical field of view while orbiting, radians.
const ORBIT_FOV: f32 = 0.72;
/// Time to fly into a camera.
const FLIGHT: Duration = Duration::from_millis(350);
/// Longest time between the clicks of a double-click, seconds, beside the time of a frame.
const DOUBLE_CLICK: f32 = 0.45;
/// A press that moves farther than this is a drag, points.
const CLICK_SLACK: f32 = 4.0;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Orbit,
    Flying {
        view: usize,
        from: Transform,
        to: Transform,
        since: Instant,
    },
    Through {
        view: usize,
        eye: Transform,
    },
}

/// Focus, yaw, pitch and radius of an orbit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Orbit {
    focus: Vec3,
    yaw: f32,
    pitch: f32,
    radius: f32,
}

/// Where the camera is going.
#[derive(Resource, Debug, Default)]
pub(in crate::studio) struct Motion {
    state: State,
    orbit: Option<Orbit>,
    flight: Option<(usize, Transform)>,
    pressed_at: Option<Vec2>,
    /// The button that is held was pressed in the 3D view: what is dragged from elsewhere is not for it.
    holds: bool,
    last_click: Option<(usize, Instant)>,
}

impl Motion {
    /// The view that is looked through.
    pub(in crate::studio) const fn through(&self) -> Option<usize> {
        match self.state {
            State::Through { view, .. } => Some(view),
            _ => None,
        }
    }

    /// True while the camera moves by itself.
    pub(in crate::studio) const fn is_flying(&self) -> bool {
        matches!(self.state, State::Flying { .. }) || self.flight.is_some() || self.orbit.is_some()
    }

    pub(super) fn fly_to(&mut self, view: usize, eye: Transform) {
        self.flight = Some((view, eye));
    }

    /// All cameras, seen about the hands where there are some: they stay in the middle when one comes nearer.
    pub(super) fn frame_rig(&mut self, placement: &Placement, hands: Option<Vec3>) {
        let focus = hands.unwrap_or(placement.middle);
        let radius = placement.reach.mul_add(1.8, focus.distance(placement.middle));
        self.orbit = Some(Orbit { focus, yaw: 0.38, pitch: 0.42, radius });
    }

    pub(super) fn frame_hands(&mut self, centre: Vec3, radius: f32) {
        self.orbit = Some(Orbit { focus: centre, yaw: 0.25, pitch: 0.25, radius: radius * 3.4 });
    }
}

#[cfg(test)]
impl Motion {
    /// As after a flight.
    pub(super) fn look_through(&mut self, view: usize, eye: Transform) {
        self.state = State::Through { view, eye };
    }

    /// Where the next flight goes.
    pub(super) const fn heading(&self) -> Option<(usize, Transform)> {
        self.flight
    }

    /// Distance from what is looked at.
    pub(super) fn distance(&self) -> Option<f32> {
        self.orbit.map(|o| o.radius)
    }
}

/// The orbit from which a pose looks at a depth along its axis; the roll is lost.
fn orbit_of(pose: &Transform, depth: f32) -> Orbit {
    let focus = pose.translation + pose.forward() * depth;
    let back = -Vec3::from(pose.forward());
    Orbit { focus, yaw: back.x.atan2(back.z), pitch: back.y.clamp(-1.0, 1.0).asin(), radius: depth }
}

/// Has the view dragged by the way of the cursor, not of the device: of remote desktops, tablets and the mice of virtual machines,
/// which say where they are, window systems tell no movement, or a wrong one. What was moved before a button was pressed is no
/// drag.
pub(super) fn drag_by_cursor(
    mut stream: MessageReader<WindowEvent>,
    mut moved: ResMut<Messages<MouseMotion>>,
    mut at: Local<Option<Vec2>>,
    mut held: Local<Vec<MouseButton>>,
) {
    moved.clear();
    for event in stream.read() {
        match event {
            WindowEvent::CursorMoved(cursor) => {
                let before = at.replace(cursor.position);
                if let Some(before) = before.filter(|_| !held.is_empty()) {
                    moved.write(MouseMotion { delta: cursor.position - before });
                }
            }
            WindowEvent::MouseButtonInput(press) => {
                held.retain(|button| *button != press.button);
                if press.state.is_pressed() {
                    held.push(press.button);
                }
            }
            WindowEvent::WindowFocused(focus) if !focus.focused => held.clear(),
            _ => {}
        }
    }
}

/// Clicks on image planes select their camera, double-clicks look through it. Counted are the presses and releases
/// themselves, not the buttons' state once a frame: on a slow driver both clicks of a double-click may fall into one frame.
pub(super) fn click(
    session: Res<Session>,
    scene: Res<Scene>,
    pointer: Res<Pointer>,
    mut presses: MessageReader<MouseButtonInput>,
    time: Res<Time<Real>>,
    camera: Single<(&Camera, &GlobalTransform), With<super::ViewCamera>>,
    mut motion: ResMut<Motion>,
    mut actions: ResMut<ViewActions>,
) {
    let limit = DOUBLE_CLICK + time.delta_secs();
    for press in presses.read().filter(|press| press.button == MouseButton::Left) {
        if press.state == ButtonState::Pressed {
            motion.pressed_at = pointer.in_view.then_some(pointer.at).flatten();
            continue;
        }
        let (Some(from), Some(to)) = (motion.pressed_at.take(), pointer.at) else { continue };
        if from.distance(to) > CLICK_SLACK || !session.ui.show_cameras || motion.through().is_some() {
            continue;
        }
        let Some(view) = view_at(&session, &scene, *camera, to) else { continue };
        if motion.last_click.is_some_and(|(v, at)| v == view && at.elapsed().as_secs_f32() < limit) {
            motion.last_click = None;
            actions.0.push(Action::FlyTo(view));
        } else {
            motion.last_click = Some((view, Instant::now()));
            actions.0.push(Action::Select(view));
        }
    }
}

/// The view whose image plane is nearest under a point of the window.
fn view_at(
    session: &Session,
    scene: &Scene,
    (camera, transform): (&Camera, &GlobalTransform),
    at: Vec2,
) -> Option<usize> {
    let (capture, placement) = (session.capture.as_ref()?, scene.placement?);
    let ray = camera.viewport_to_world(transform, at).ok()?;
    let depth = PLANE_DEPTH * placement.radius;
    (0..capture.views.len())
        .filter_map(|i| {
            let camera = session.camera(i)?;
            let pose = placement.camera(camera);
            rig::ray_meets_plane(ray.origin, *ray.direction, &pose, &rig::corners(camera), depth).map(|t| (i, t))
        })
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(view, _)| view)
}

/// Carries out what [`Motion`] wants.
pub(super) fn follow(
    session: Res<Session>,
    machine: Res<Machine>,
    pointer: Res<Pointer>,
    buttons: Res<ButtonInput<MouseButton>>,
    mut wheel: MessageReader<MouseWheel>,
    mut motion: ResMut<Motion>,
    camera: OrbitCamera<'_, '_>,
    mut redraw: MessageWriter<RequestRedraw>,
) {
    let (mut camera, mut transform, mut projection, mut orbit) = camera.into_inner();
    let scrolled = wheel.read().count() > 0;
    let dragged = motion.pressed_at.zip(pointer.at).is_some_and(|(a, b)| a.distance(b) > CLICK_SLACK);
    let held = buttons.any_pressed([MouseButton::Left, MouseButton::Right]);
    let touched = (pointer.in_view && (scrolled || buttons.pressed(MouseButton::Right))) || dragged;
    if let State::Through { eye, .. } = motion.state
        && touched
    {
        let depth = (-eye.translation).dot(eye.forward().into()).max(0.1);
        motion.orbit = Some(orbit_of(&eye, depth));
    }
    if let Some((view, to)) = motion.flight.take() {
        motion.orbit = None;
        motion.state = if machine.software {
            State::Through { view, eye: to }
        } else {
            State::Flying { view, from: *transform, to, since: Instant::now() }
        };
    }
    if let Some(wanted) = motion.orbit.take() {
        motion.state = State::Orbit;
        camera.sub_camera_view = None;
        set_fov(&mut projection, ORBIT_FOV);
        (orbit.focus, orbit.target_focus) = (wanted.focus, wanted.focus);
        (orbit.yaw, orbit.target_yaw) = (Some(wanted.yaw), wanted.yaw);
        (orbit.pitch, orbit.target_pitch) = (Some(wanted.pitch), wanted.pitch);
        (orbit.radius, orbit.target_radius) = (Some(wanted.radius), wanted.radius);
        orbit.initialized = true;
        orbit.force_update = true;
        redraw.write(RequestRedraw);
    }
    if buttons.any_just_pressed([MouseButton::Left, MouseButton::Right]) {
        motion.holds = pointer.in_view;
    }
    let enabled = motion.state == State::Orbit && if held { motion.holds } else { pointer.in_view };
    if orbit.enabled != enabled {
        orbit.enabled = enabled;
    }
    let aspect = f64::from(pointer.view_size.x / pointer.view_size.y.max(1.0));
    let region = |view: usize| session.camera(view).map(|camera| Region::of(camera, aspect));
    match motion.state {
        State::Orbit => {}
        State::Flying { view, from, to, since } => {
            let t = (since.elapsed().as_secs_f32() / FLIGHT.as_secs_f32()).min(1.0);
            let s = t * t * (3.0 - 2.0 * t);
            transform.translation = from.translation.lerp(to.translation, s);
            transform.rotation = from.rotation.slerp(to.rotation, s);
            if t >= 1.0 {
                motion.state = State::Through { view, eye: to };
            }
            redraw.write(RequestRedraw);
        }
        State::Through { view, eye } => {
            let Some(region) = region(view) else { return };
            if *transform != eye {
                *transform = eye;
            }
            // Bevy wants whole pixels; sixteenths are finer than any screen.
            let whole = |v: Vec2| (v * 16.0).round().as_uvec2().max(UVec2::ONE);
            let sub = SubCameraView {
                full_size: whole(region.full_px),
                offset: region.offset_px * 16.0,
                size: whole(region.size_px),
            };
            let current = camera.sub_camera_view.as_ref();
            if current.is_none_or(|c| (c.full_size, c.offset, c.size) != (sub.full_size, sub.offset, sub.size)) {
                camera.sub_camera_view = Some(sub);
                set_fov(&mut projection, region.fov);
                redraw.write(RequestRedraw);
            }
        }
    }
}

fn set_fov(projection: &mut Projection, fov: f32) {
    if let Projection::Perspective(p) = projection {
        p.fov = fov;
        p.near = 0.01;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_a_camera_keeps_place_and_direction() {
        let pose = Transform::from_xyz(0.4, 0.3, 0.9).looking_at(Vec3::new(0.0, 0.05, 0.0), Vec3::Y);
        let orbit = orbit_of(&pose, 1.0);
        // As bevy_panorbit_camera builds its pose.
        let rotation = Quat::from_axis_angle(Vec3::Y, orbit.yaw) * Quat::from_axis_angle(Vec3::X, -orbit.pitch);
        let place = orbit.focus + rotation * Vec3::new(0.0, 0.0, orbit.radius);
        assert!(place.distance(pose.translation) < 1e-5, "same place: {place}");
        assert!((rotation * Vec3::NEG_Z).distance(pose.forward().into()) < 1e-5, "same direction");
    }
}
