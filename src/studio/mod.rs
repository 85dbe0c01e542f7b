//! The window: open a capture, reconstruct, watch the hands sharpen, scrub back, compare, export.
//!
//! # Parts and directions
//! ```text
//! worker (thread, owns the engine and its device) ── events, snapshots, pictures ─► session ─► panels (egui)
//!    ▲                                                                                │   └──► viewport (Bevy)
//!    └────────────────────────── commands, control ◄── effects ◄── apply(action) ◄────┴── actions
//! ```
//! `session` holds everything the window knows and every rule of its buttons; the panels and the viewport draw it
//! and answer with actions. Nothing in the window waits for the worker. The window redraws only when something changed:
//! input, news of the worker (throttled), or a moving camera; on a software driver it draws without antialiasing and asks
//! for news less often, so that the processor is left to the work.

#![expect(
    elided_lifetimes_in_paths,
    reason = "Bevy's system parameters are written without their lifetimes everywhere"
)]

mod backend;
mod opened_run;
mod panels;
mod picture;
mod program;
mod script;
mod session;
mod track;
mod ui_state;
mod viewport;
mod worker;

#[cfg(test)]
#[path = "../../tests/support/morph.rs"]
mod testing;

pub use backend::{
    Backend, Engine, ExportRequest, Opened, Parameter, PresetInfo, Problem, RunRecord, RunRequest, Started,
};

pub use program::Program;

use anyhow::Context as _;
use bevy::camera::visibility::RenderLayers;
use bevy::camera::{CameraOutputMode, Viewport};
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::ecs::system::NonSendMarker;
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::render_resource::BlendState;
use bevy::window::{PresentMode, PrimaryWindow, RequestRedraw, WindowResolution};
use bevy::winit::{EventLoopProxyWrapper, UpdateMode, WinitPlugin, WinitSettings, WinitUserEvent};
use bevy_egui::{EguiContexts, EguiGlobalSettings, EguiPlugin, EguiPrimaryContextPass, PrimaryEguiContext};
use bevy_panorbit_camera::PanOrbitCamera;
use session::{Action, Effect, Session};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use worker::Worker;

/// Colour behind the 3D scene.
const BACKGROUND: Color = Color::srgb(0.067, 0.071, 0.082);

/// What to open the window with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Folder to open.
    pub path: Option<PathBuf>,
    /// Commands to run, see [`SCRIPT_VARIABLE`].
    pub script: Option<String>,
}

/// Environment variable with commands for tests and reproducible pictures, separated by `;`:
/// `open PATH`, `preset NAME`, `reconstruct`, `pause`, `stop`, `wait-open`, `wait-mesh`, `wait-steps N`, `wait-finished`,
/// `wait-picture`, `wait-selected N`, `wait-through N`, `wait-orbit`, `wait SECONDS`, `select N`, `fly N`, `exclude N`, `frame`, `shading albedo|clay|normals`,
/// `compare wipe|side|difference`, `scrub FRACTION`, `live`, `show WHAT on|off` (`cameras hands joints grid curves export help`),
/// `tab parameters|pose`, `pose begin|captured|relaxed|rest|reset`, `wait-posable`, `synergy N VALUE`, `angle N DEGREES`,
/// `hands left|right|both`, `size WIDTHxHEIGHT`, `screenshot PATH`, `measure SECONDS`, `quit`. A failed command ends the window with an error.
pub const SCRIPT_VARIABLE: &str = "THENAR_STUDIO_SCRIPT";

/// Facts about the machine that decide how much is drawn.
#[derive(Resource, Clone, Copy, Debug)]
struct Machine {
    /// The display adapter is a processor.
    software: bool,
}

/// The mouse as the 3D view sees it.
#[derive(Resource, Clone, Copy, Debug, Default)]
struct Pointer {
    /// Position in the window, points.
    at: Option<Vec2>,
    /// Over the 3D view and over nothing that lies upon it.
    in_view: bool,
    /// The part of the window that belongs to the mouse of the 3D view, points; empty without one.
    open: Rect,
    /// Something of egui has the mouse.
    taken: bool,
    /// Size of the 3D view, points.
    view_size: Vec2,
}

#[derive(SystemSet, Clone, Debug, PartialEq, Eq, Hash)]
enum StudioSet {
    /// News of the worker into the session, the mouse.
    News,
    /// The 3D view.
    View,
}

/// The worker and the dialogs.
struct Link {
    worker: Worker,
    folders: mpsc::Receiver<Picked>,
    folder_sender: mpsc::SyncSender<Picked>,
    dialog_open: bool,
}

enum Picked {
    Capture(Option<PathBuf>),
    Export(Option<PathBuf>),
}

/// What the window was opened with.
#[derive(Resource)]
struct Start {
    backend: Arc<dyn Backend>,
    path: Option<PathBuf>,
}

/// Times between frames, for the `measure` command.
#[derive(Resource, Debug, Default)]
struct FrameTimes {
    last: Option<Instant>,
    seconds: Vec<f64>,
}

#[derive(Resource, Default)]
struct PanelTextures(panels::Textures);

/// Opens the window and runs it until it is closed. The script, if any, is taken from [`SCRIPT_VARIABLE`].
///
/// # Errors
/// No display, no graphics driver, or a failed script.
pub fn run(backend: Arc<dyn Backend>, path: Option<PathBuf>) -> anyhow::Result<()> {
    let script = std::env::var(SCRIPT_VARIABLE).ok();
    run_with(backend, Options { path, script })
}

/// Opens the window with these options and runs it until it is closed.
///
/// # Errors
/// No display, no graphics driver, or a failed script.
pub fn run_with(backend: Arc<dyn Backend>, options: Options) -> anyhow::Result<()> {
    check_display()?;
    let devices = crate::gpu::list_devices();
    anyhow::ensure!(!devices.is_empty(), crate::gpu::GpuError::NoAdapter);
    let software = devices.iter().all(|d| d.kind == "software");
    let script = options.script.as_deref().map(script::parse).transpose().context("THENAR_STUDIO_SCRIPT")?;
    let mut session = Session::new(backend.presets());
    session.snapshot_interval = Duration::from_millis(if software { 900 } else { 200 });
    let mut app = App::new();
    app.add_plugins(default_plugins(script.is_some()));
    app.add_plugins(EguiPlugin::default());
    app.insert_resource(ClearColor(BACKGROUND))
        .insert_resource(Machine { software })
        .insert_resource(redraw_settings(script.is_some()))
        .insert_resource(session)
        .insert_resource(Start { backend, path: options.path })
        .init_resource::<Pointer>()
        .init_resource::<FrameTimes>()
        .init_resource::<PanelTextures>()
        .init_resource::<viewport::ViewActions>()
        .configure_sets(Update, (StudioSet::News, StudioSet::View).chain())
        .add_systems(First, (time_frames, fit_monitor))
        .add_systems(Startup, set_up)
        .add_systems(Update, (drops, news, point).chain().in_set(StudioSet::News))
        .add_systems(Update, keep_moving.after(StudioSet::View))
        .add_systems(EguiPrimaryContextPass, draw);
    viewport::plugin(&mut app);
    if let Some(script) = script {
        app.insert_resource(script).add_systems(Update, script::run.before(StudioSet::News));
    }
    match app.run() {
        AppExit::Success => Ok(()),
        AppExit::Error(code) => anyhow::bail!("the window ended with code {code}; see the log"),
    }
}

/// Without a display winit panics; we say what to do.
fn check_display() -> anyhow::Result<()> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if cfg!(target_os = "linux") && !set("DISPLAY") && !set("WAYLAND_DISPLAY") && !set("WAYLAND_SOCKET") {
        anyhow::bail!(
            "there is no display to open a window on (DISPLAY and WAYLAND_DISPLAY are unset); \
             `thenar reconstruct CAPTURE -o RUN` needs none"
        );
    }
    Ok(())
}

fn default_plugins(scripted: bool) -> bevy::app::PluginGroupBuilder {
    let window = Window {
        title: "thenar".to_owned(),
        name: Some("thenar".to_owned()),
        resolution: WindowResolution::new(1600, 1000),
        present_mode: PresentMode::AutoVsync,
        ..default()
    };
    let render = RenderPlugin { synchronous_pipeline_compilation: scripted, ..default() };
    let plugins = DefaultPlugins
        .set(WindowPlugin { primary_window: Some(window), ..default() })
        .set(render)
        .set(WinitPlugin { run_on_any_thread: true });
    if tracing::dispatcher::has_been_set() {
        plugins.disable::<LogPlugin>()
    } else {
        let filter =
            "warn,thenar=info,wgpu=error,naga=error,bevy_egui=error,bevy_render=error,bevy_winit=error".to_owned();
        plugins.set(LogPlugin { filter, ..default() })
    }
}

/// Redraw on input and on news only; the wait is a safety net.
fn redraw_settings(scripted: bool) -> WinitSettings {
    let wait = Duration::from_millis(if scripted { 100 } else { 5000 });
    WinitSettings {
        focused_mode: UpdateMode::reactive_low_power(wait),
        unfocused_mode: UpdateMode::reactive_low_power(wait),
    }
}

fn set_up(
    mut commands: Commands,
    start: Res<Start>,
    machine: Res<Machine>,
    proxy: Res<EventLoopProxyWrapper>,
    mut session: ResMut<Session>,
    mut egui_settings: ResMut<EguiGlobalSettings>,
) -> Result {
    egui_settings.auto_create_primary_context = false;
    let msaa = if machine.software { Msaa::Off } else { Msaa::Sample4 };
    let smooth = if machine.software { 0.0 } else { 0.1 };
    commands.spawn((
        viewport::ViewCamera,
        Camera3d::default(),
        Camera { is_active: false, clear_color: ClearColorConfig::Custom(BACKGROUND), ..default() },
        msaa,
        Tonemapping::None,
        PanOrbitCamera {
            orbit_smoothness: smooth,
            zoom_smoothness: smooth,
            pan_smoothness: 0.0,
            zoom_lower_limit: 0.02,
            radius: Some(2.0),
            ..default()
        },
    ));
    commands.spawn((
        PrimaryEguiContext,
        Camera2d,
        RenderLayers::none(),
        msaa,
        Camera {
            order: 1,
            output_mode: CameraOutputMode::Write {
                blend_state: Some(BlendState::ALPHA_BLENDING),
                clear_color: ClearColorConfig::None,
            },
            clear_color: ClearColorConfig::Custom(Color::NONE),
            ..default()
        },
    ));
    let proxy = (**proxy).clone();
    // The loop is gone when the window is closing; then nobody needs waking.
    let wake = Arc::new(move || {
        let _ = proxy.send_event(WinitUserEvent::WakeUp);
    });
    let interval = Duration::from_millis(if machine.software { 450 } else { 33 });
    let worker = Worker::start(Arc::clone(&start.backend), wake, interval)?;
    let (folder_sender, folders) = mpsc::sync_channel(4);
    let link = Link { worker, folders, folder_sender, dialog_open: false };
    if let Some(Effect::Send(order)) = start.path.clone().and_then(|path| session.apply(Action::Open(path))) {
        link.worker.send(order);
    }
    commands.insert_resource(LinkCell(std::sync::Mutex::new(link)));
    Ok(())
}

/// The link holds receivers that are not `Sync`; each system locks it for its turn, nobody else ever holds it.
#[derive(Resource)]
struct LinkCell(std::sync::Mutex<Link>);

impl LinkCell {
    fn get(&mut self) -> &mut Link {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Shrinks a window that is larger than the screen, once the screen is known.
fn fit_monitor(
    monitors: Query<&bevy::window::Monitor>,
    mut window: Single<&mut Window, With<PrimaryWindow>>,
    mut done: Local<bool>,
) {
    if *done {
        return;
    }
    let Some(monitor) = monitors.iter().max_by_key(|m| m.physical_width) else { return };
    *done = true;
    let limit = (monitor.physical_width, monitor.physical_height);
    let (w, h) = (window.resolution.physical_width(), window.resolution.physical_height());
    if w > limit.0 || h > limit.1 {
        window.resolution.set_physical_resolution(w.min(limit.0), h.min(limit.1));
    }
}

fn time_frames(mut times: ResMut<FrameTimes>) {
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
fn drops(
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
fn news(
    mut cell: ResMut<LinkCell>,
    mut session: ResMut<Session>,
    mut redraw: MessageWriter<RequestRedraw>,
    mut actions: ResMut<viewport::ViewActions>,
) {
    let link = cell.get();
    let mut changed = false;
    while let Some(event) = link.worker.try_event() {
        session.on_event(event);
        changed = true;
    }
    if let Some(taken) = link.worker.snapshots.take() {
        session.on_snapshot(taken);
        changed = true;
    }
    if let Some(picture) = link.worker.pictures.take() {
        session.on_picture(picture);
        changed = true;
    }
    while let Ok(picked) = link.folders.try_recv() {
        link.dialog_open = false;
        changed = true;
        match picked {
            Picked::Capture(Some(path)) => actions.0.push(Action::Open(path)),
            Picked::Export(Some(path)) => session.ui.export_dir = Some(path),
            Picked::Capture(None) | Picked::Export(None) => {}
        }
    }
    if session.wants_snapshot() {
        link.worker.want_snapshot();
    }
    if let Some(request) = session.wants_picture() {
        link.worker.want_picture(request);
    }
    if changed {
        redraw.write(RequestRedraw);
    }
}

/// Where the mouse is now: egui would tell a frame later, when a click may be over.
fn point(window: Single<&Window, With<PrimaryWindow>>, mut pointer: ResMut<Pointer>) {
    pointer.at = window.cursor_position();
    pointer.in_view = !pointer.taken && pointer.at.is_some_and(|at| pointer.open.contains(at));
}

/// One more frame while the camera moves, so that motion ends where it should.
fn keep_moving(
    motion: Res<viewport::Motion>,
    moved: Query<(), (With<viewport::ViewCamera>, Changed<Transform>)>,
    mut redraw: MessageWriter<RequestRedraw>,
) {
    if motion.is_flying() || !moved.is_empty() {
        redraw.write(RequestRedraw);
    }
}

/// The panels, then whatever was asked for in them, in the 3D view, or by keys.
#[expect(clippy::too_many_arguments, reason = "a Bevy system names all it touches")]
fn draw(
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
    mut themed: Local<bool>,
    // File dialogs must be opened from the main thread on macOS.
    _main_thread: NonSendMarker,
) -> Result {
    let ctx = contexts.ctx_mut()?.clone();
    if !*themed {
        panels::apply_theme(&ctx);
        *themed = true;
    }
    let mut actions = std::mem::take(&mut view_actions.0);
    let centre = panels::layout(&ctx, &mut session, &mut textures.0, &mut actions);
    place_view(&ctx, centre, &mut view, &mut camera, &window);
    if !actions.is_empty() {
        redraw.write(RequestRedraw);
    }
    let link = cell.get();
    for action in actions {
        match session.apply(action) {
            None => {}
            Some(Effect::Send(order)) => {
                let sent = link.worker.send(order);
                if !sent {
                    session.note(session::Level::Error, "The worker does not answer; try again");
                }
            }
            Some(Effect::Pause(paused)) => link.worker.set_paused(paused),
            Some(Effect::Cancel) => link.worker.cancel(),
            Some(Effect::OpenDialog) => link.dialog("Open a capture or run folder", Picked::Capture),
            Some(Effect::ExportDialog) => link.dialog("Export to", Picked::Export),
            Some(Effect::FlyTo(view)) => viewport::fly_to(&mut motion, &scene, &session, view),
            Some(Effect::Frame) => viewport::frame(&mut motion, &scene, &session),
        }
    }
    let title = session.capture.as_ref().map_or_else(|| "thenar".to_owned(), |c| format!("{} · thenar", c.name));
    if window.title != title {
        window.title = title;
    }
    Ok(())
}

/// Gives the 3D camera the free rectangle and finds out whether the mouse is over it.
fn place_view(ctx: &egui::Context, centre: egui::Rect, view: &mut Pointer, camera: &mut Camera, window: &Window) {
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
    // The buttons at the top of the view belong to egui.
    let open = centre.with_min_y(centre.min.y + 36.0);
    let covered = |p| ctx.layer_id_at(p).is_some_and(|l: egui::LayerId| l.order != egui::Order::Background);
    let taken = ctx.egui_is_using_pointer() || ctx.pointer_latest_pos().is_some_and(covered);
    view.taken = taken;
    view.open = if active { Rect::new(open.min.x, open.min.y, open.max.x, open.max.y) } else { Rect::EMPTY };
    view.view_size = Vec2::new(centre.width(), centre.height());
}

impl Link {
    /// Shows a folder dialog on a thread of its own; the answer comes with the news.
    fn dialog(&mut self, title: &str, picked: fn(Option<PathBuf>) -> Picked) {
        if self.dialog_open {
            return;
        }
        let dialog = rfd::AsyncFileDialog::new().set_title(title).pick_folder();
        let sender = self.folder_sender.clone();
        let thread = std::thread::Builder::new().name("thenar-dialog".to_owned()).spawn(move || {
            let folder = pollster::block_on(dialog).map(|f| f.path().to_owned());
            // The window may be gone by now.
            let _ = sender.send(picked(folder));
        });
        self.dialog_open = thread.is_ok();
    }
}
