//! What happens every frame: news in, the mouse, the panels, the actions that came of them.

use super::link::LinkCell;
use super::session::{Action, Closing, Framed, Session};
use super::window::{self, Wait};
use super::{panels, viewport};
use bevy::camera::Viewport;
use bevy::ecs::system::NonSendMarker;
use bevy::prelude::*;
use bevy::window::{PrimaryWindow, RequestRedraw, WindowEvent};
use bevy::winit::WinitSettings;
use bevy_egui::{EguiContexts, EguiRenderOutput};
use std::time::Instant;

/// The mouse as the 3D view sees it.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub(super) struct Pointer {
    /// Position in the window, points.
    pub(super) at: Option<Vec2>,
    /// Over the 3D view and over nothing that lies upon it.
    pub(super) in_view: bool,
    /// The part of the window that belongs to the mouse of the 3D view, points; empty without one.
    pub(super) open: Rect,
    /// Something of egui has the mouse.
    pub(super) taken: bool,
    /// Size of the 3D view, points.
    pub(super) view_size: Vec2,
}

/// Times between frames, for the `measure` command.
#[derive(Resource, Debug, Default)]
pub(super) struct FrameTimes {
    pub(super) last: Option<Instant>,
    pub(super) seconds: Vec<f64>,
}

/// Whether the window is left alone.
#[derive(Resource, Debug, Default)]
pub(super) struct Rest {
    /// The worker or a dialog had something to say in this frame.
    news: bool,
    resting: bool,
}

#[derive(Resource, Default)]
pub(super) struct PanelTextures(panels::Textures);

pub(super) fn time_frames(mut times: ResMut<FrameTimes>) {
    let now = Instant::now();
    if let Some(last) = times.last.replace(now) {
        let seconds = now.duration_since(last).as_secs_f64();
        if times.seconds.len() >= 600 {
            times.seconds.remove(0);
        }
        times.seconds.push(seconds);
    }
}

/// Folders dropped on the window.
pub(super) fn drops(
    mut dropped: MessageReader<FileDragAndDrop>,
    mut session: ResMut<Session>,
    mut actions: ResMut<viewport::ViewActions>,
) {
    for event in dropped.read() {
        match event {
            FileDragAndDrop::DroppedFile { path_buf, .. } => {
                session.ui.drop_hover = false;
                // A file of the folder stands for the folder.
                let folder = if path_buf.is_dir() { Some(path_buf.as_path()) } else { path_buf.parent() };
                actions.0.extend(folder.map(|f| Action::Open(f.to_owned())));
            }
            FileDragAndDrop::HoveredFile { .. } => session.ui.drop_hover = true,
            FileDragAndDrop::HoveredFileCanceled { .. } => session.ui.drop_hover = false,
        }
    }
}

/// Takes in what the worker and the dialogs have to say, asks for what is to be shown next.
pub(super) fn news(
    mut cell: ResMut<LinkCell>,
    mut session: ResMut<Session>,
    mut redraw: MessageWriter<RequestRedraw>,
    mut actions: ResMut<viewport::ViewActions>,
    mut rest: ResMut<Rest>,
    motion: Res<viewport::Motion>,
) {
    let link = cell.get();
    let changed = link.take_news(&mut session, &mut actions.0);
    rest.news |= changed;
    if session.wants_framing() {
        session.was_framed();
        // Who looks through a camera has chosen what to see.
        if motion.through().is_none() {
            actions.0.push(Action::Frame(Framed::Hands));
        }
    }
    // Unless it plays, nothing of the session may count as changed here.
    let plays = session.is_playing();
    if plays {
        session.play_on(Instant::now());
    }
    if session.heat_is_stale() {
        session.measure_heat();
    }
    link.ask(&mut session);
    if changed || plays {
        redraw.write(RequestRedraw);
    }
}

/// Where the mouse is now: egui would tell a frame later, when a click may be over.
pub(super) fn point(window: Single<&Window, With<PrimaryWindow>>, mut pointer: ResMut<Pointer>) {
    pointer.at = window.cursor_position();
    pointer.in_view = !pointer.taken && pointer.at.is_some_and(|at| pointer.open.contains(at));
}

/// How long the window sleeps when nothing comes: a moment while time is on show, seconds after input or news, while a notice
/// is to go and while it closes, and after seconds in which nothing came a minute, so that a window that is left alone costs nothing.
pub(super) fn show_time(
    session: Res<Session>,
    mut settings: ResMut<WinitSettings>,
    mut came: MessageReader<WindowEvent>,
    times: Res<FrameTimes>,
    mut rest: ResMut<Rest>,
    mut scripted: Local<Option<bool>>,
) {
    let moment = window::redraw_settings(Wait::Moment).focused_mode;
    let scripted = *scripted.get_or_insert_with(|| settings.focused_mode == moment);
    let slept_s = times.seconds.last().copied().unwrap_or(0.0);
    let asked = came.read().filter(|event| is_input(event)).count() > 0 || std::mem::take(&mut rest.news);
    if asked {
        rest.resting = false;
    } else if slept_s >= Wait::Seconds.time().as_secs_f64() {
        // A frame by itself; those that follow on it are no news either.
        rest.resting = true;
    }
    tracing::trace!("a frame after {:.0} ms, asked for: {asked}", slept_s * 1e3);
    let wait = if scripted || session.exporting.is_some() || session.neural_waits() || session.is_about_to_tell() {
        Wait::Moment
    } else if rest.resting && session.closing() == Closing::Open && session.notice.is_none() && !session.is_playing() {
        Wait::Minute
    } else {
        Wait::Seconds
    };
    let wanted = window::redraw_settings(wait);
    if settings.focused_mode != wanted.focused_mode {
        *settings = wanted;
    }
}

/// What the user, or the desktop in the user's place, does.
const fn is_input(event: &WindowEvent) -> bool {
    !matches!(event, WindowEvent::RequestRedraw(_) | WindowEvent::AppLifecycle(_) | WindowEvent::MouseMotion(_))
}

/// One more frame while the camera moves, so that motion ends where it should.
pub(super) fn keep_moving(
    motion: Res<viewport::Motion>,
    moved: Query<(), (With<viewport::ViewCamera>, Changed<Transform>)>,
    mut redraw: MessageWriter<RequestRedraw>,
) {
    if motion.is_flying() || !moved.is_empty() {
        redraw.write(RequestRedraw);
    }
}

/// One more frame after letters or pictures that are new: they reach the device a frame later. While a run is under way, the next
/// frame comes soon by itself.
pub(super) fn show_letters(
    session: Res<Session>,
    outputs: Query<&EguiRenderOutput>,
    mut redraw: MessageWriter<RequestRedraw>,
) {
    if session.is_active() {
        return;
    }
    let new: usize = outputs.iter().map(|output| output.textures_delta.set.len()).sum();
    if new > 0 {
        tracing::trace!("{new} new pieces of textures");
        redraw.write(RequestRedraw);
    }
}

/// The panels, then whatever was asked for in them, in the 3D view, or by keys.
#[expect(clippy::too_many_arguments, reason = "a Bevy system names all it touches")]
pub(super) fn draw(
    mut contexts: EguiContexts,
    mut session: ResMut<Session>,
    mut textures: ResMut<PanelTextures>,
    mut view_actions: ResMut<viewport::ViewActions>,
    mut cell: ResMut<LinkCell>,
    mut view: ResMut<Pointer>,
    mut motion: ResMut<viewport::Motion>,
    scene: Res<viewport::Scene>,
    mut camera: Single<&mut Camera, With<viewport::ViewCamera>>,
    mut window: Single<&mut Window, With<PrimaryWindow>>,
    mut redraw: MessageWriter<RequestRedraw>,
    mut themed: Local<Option<bool>>,
    // File dialogs must be opened from the main thread on macOS.
    _main_thread: NonSendMarker,
) -> Result {
    let ctx = contexts.ctx_mut()?.clone();
    if *themed != Some(session.ui.light) {
        panels::apply_theme(&ctx, session.ui.light);
        *themed = Some(session.ui.light);
    }
    // Not so large that the panels would have no room.
    let most = (window.width() / panels::LEAST_SIZE[0]).min(window.height() / panels::LEAST_SIZE[1]).max(1.0);
    let zoom = session.ui.zoom.min(most);
    if (ctx.zoom_factor() - zoom).abs() > 1e-3 {
        ctx.set_zoom_factor(zoom);
    }
    let mut actions = std::mem::take(&mut view_actions.0);
    session.ui.through = motion.through();
    let centre = panels::layout(&ctx, &mut session, &mut textures.0, &mut actions);
    place_view(&ctx, (centre, session.ui.view_bar), &mut view, &mut camera, &window);
    if !actions.is_empty() {
        redraw.write(RequestRedraw);
    }
    let link = cell.get();
    if let Some(font) = link.found_font() {
        ctx.add_font(font);
        redraw.write(RequestRedraw);
    }
    for action in actions {
        if let Some(effect) = session.apply(action) {
            link.carry_out(effect, &mut session, &mut motion, &scene);
        }
    }
    let title = session.capture.as_ref().map_or_else(|| "thenar".to_owned(), |c| format!("{} · thenar", c.name));
    if window.title != title {
        window.title = title;
    }
    Ok(())
}

/// Gives the 3D camera the free rectangle, of which the upper `bar` points are buttons, and finds out whether the mouse is
/// over it.
fn place_view(
    ctx: &egui::Context,
    (centre, bar): (egui::Rect, f32),
    view: &mut Pointer,
    camera: &mut Camera,
    window: &Window,
) {
    let scale = ctx.pixels_per_point();
    let limit = Vec2::new(window.physical_width() as f32, window.physical_height() as f32);
    let min = (Vec2::new(centre.min.x, centre.min.y) * scale).round().clamp(Vec2::ZERO, limit);
    let max = (Vec2::new(centre.max.x, centre.max.y) * scale).round().clamp(Vec2::ZERO, limit);
    let size = (max - min).max(Vec2::ZERO).as_uvec2();
    let active = size.x >= 16 && size.y >= 16;
    if camera.is_active != active {
        camera.is_active = active;
    }
    if active {
        let wanted = (min.as_uvec2(), size);
        if camera.viewport.as_ref().is_none_or(|v| (v.physical_position, v.physical_size) != wanted) {
            camera.viewport = Some(Viewport { physical_position: wanted.0, physical_size: wanted.1, ..default() });
            ctx.request_repaint();
        }
    }
    let open = open_part(centre, bar);
    // The mouse of the 3D view counts the window's points, which are egui's but for the zoom.
    let zoom = ctx.zoom_factor();
    view.taken = has_egui_mouse(ctx);
    view.open = if active {
        Rect::new(open.min.x * zoom, open.min.y * zoom, open.max.x * zoom, open.max.y * zoom)
    } else {
        Rect::EMPTY
    };
    view.view_size = Vec2::new(centre.width(), centre.height()) * zoom;
}

/// The part of the 3D view that has the mouse: the buttons at its top, `bar` points high, belong to egui, and so do its edges,
/// by which it is made larger.
pub(super) fn open_part(view: egui::Rect, bar: f32) -> egui::Rect {
    let inner = view.shrink(panels::EDGE);
    inner.with_min_y((view.min.y + bar).min(inner.max.y))
}

/// Whether something of egui has the mouse: it is dragged, or lies over the panels.
pub(super) fn has_egui_mouse(ctx: &egui::Context) -> bool {
    let covered = |p| ctx.layer_id_at(p).is_some_and(|l: egui::LayerId| l.order != egui::Order::Background);
    ctx.egui_is_using_pointer() || ctx.pointer_latest_pos().is_some_and(covered)
}
