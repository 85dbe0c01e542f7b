//! The window itself: plugins, cameras, when it redraws.

use super::backend::Backend;
use super::link::Link;
use super::session::{Action, Effect, Session};
use super::{BACKGROUND, Machine, viewport};
use bevy::camera::CameraOutputMode;
use bevy::camera::visibility::RenderLayers;
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::log::{BoxedFmtLayer, LogPlugin};
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::render_resource::BlendState;
use bevy::window::{PresentMode, PrimaryWindow, WindowResizeConstraints, WindowResolution};
use bevy::winit::{EventLoopProxyWrapper, UpdateMode, WinitPlugin, WinitSettings, WinitUserEvent};
use bevy_egui::{EguiGlobalSettings, EguiPlugin, PrimaryEguiContext};
use bevy_panorbit_camera::PanOrbitCamera;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the window was opened with.
#[derive(Resource)]
pub(super) struct Start {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) path: Option<PathBuf>,
}

/// Without a display winit panics; we say what to do.
pub(super) fn check_display() -> anyhow::Result<()> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if cfg!(target_os = "linux") && !set("DISPLAY") && !set("WAYLAND_DISPLAY") && !set("WAYLAND_SOCKET") {
        anyhow::bail!(
            "there is no display to open a window on (DISPLAY and WAYLAND_DISPLAY are unset); \
             `thenar reconstruct CAPTURE -o RUN` needs none"
        );
    }
    Ok(())
}

pub(super) fn default_plugins(scripted: bool, software: bool) -> bevy::app::PluginGroupBuilder {
    let window = Window {
        title: "thenar".to_owned(),
        name: Some("thenar".to_owned()),
        resolution: WindowResolution::new(1600, 1000),
        resize_constraints: WindowResizeConstraints {
            min_width: super::panels::LEAST_SIZE[0],
            min_height: super::panels::LEAST_SIZE[1],
            ..default()
        },
        present_mode: PresentMode::AutoVsync,
        ..default()
    };
    let render = RenderPlugin { synchronous_pipeline_compilation: scripted, ..default() };
    let mut plugins = DefaultPlugins
        .set(WindowPlugin { primary_window: Some(window), close_when_requested: false, ..default() })
        .set(render)
        .set(WinitPlugin { run_on_any_thread: true });
    if software {
        // A frame that is drawn while the next one is made saves time where a GPU draws. Where this processor does, nothing is
        // gained, and every key waits for a frame more.
        plugins = plugins.disable::<PipelinedRenderingPlugin>();
    }
    if tracing::dispatcher::has_been_set() {
        plugins.disable::<LogPlugin>()
    } else {
        let filter =
            "warn,thenar=info,wgpu=error,naga=error,bevy_egui=error,bevy_render=error,bevy_winit=error".to_owned();
        plugins.set(LogPlugin { filter, fmt_layer: log_layer, ..default() })
    }
}

/// egui in Bevy. A GPU takes all textures at once and picks one for each pixel; a software driver is slow at that (15 of 100 ms of
/// processor time a frame).
pub(super) fn egui_plugin(software: bool) -> EguiPlugin {
    let plugin = EguiPlugin::default();
    let bindless_mode_array_size = plugin.bindless_mode_array_size.filter(|_| !software);
    EguiPlugin { bindless_mode_array_size, ..plugin }
}

/// Lines on stderr, in colour on a terminal only.
fn log_layer(_: &mut App) -> Option<BoxedFmtLayer> {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let layer = tracing_subscriber::fmt::Layer::default().with_ansi(colours).with_writer(std::io::stderr);
    Some(Box::new(layer))
}

/// Redraws come with input and with news; how long the window waits for either before it draws by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Something moves by the clock: time on show, a script.
    Moment,
    /// Something may end by the clock: a notice, an edit that is kept when it has rested.
    Seconds,
    /// Nothing is to be expected; a safety net.
    Minute,
}

impl Wait {
    pub(super) const fn time(self) -> Duration {
        match self {
            Self::Moment => Duration::from_millis(100),
            Self::Seconds => Duration::from_secs(5),
            Self::Minute => Duration::from_secs(60),
        }
    }
}

pub(super) fn redraw_settings(wait: Wait) -> WinitSettings {
    let wait = wait.time();
    WinitSettings {
        focused_mode: UpdateMode::reactive_low_power(wait),
        unfocused_mode: UpdateMode::reactive_low_power(wait),
    }
}

pub(super) fn set_up(
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
    let mut cell = Link::start(Arc::clone(&start.backend), wake, interval)?;
    if let Some(Effect::Send(order)) = start.path.clone().and_then(|path| session.apply(Action::Open(path))) {
        cell.get().worker.send(order);
    }
    commands.insert_resource(cell);
    Ok(())
}

/// What a desktop takes of a screen for its bar and the window's frame, points.
const DESKTOP: [f32; 2] = [16.0, 72.0];

/// Shrinks a window that does not fit the screen, once the screen is known.
pub(super) fn fit_monitor(
    monitors: Query<&bevy::window::Monitor>,
    mut window: Single<&mut Window, With<PrimaryWindow>>,
    mut done: Local<bool>,
) {
    if *done {
        return;
    }
    let Some(monitor) = monitors.iter().max_by_key(|m| m.physical_width) else { return };
    *done = true;
    let scale = window.resolution.scale_factor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen pixels")]
    let taken = DESKTOP.map(|points| (points * scale).ceil() as u32);
    let limit = [monitor.physical_width.saturating_sub(taken[0]), monitor.physical_height.saturating_sub(taken[1])];
    let (w, h) = (window.resolution.physical_width(), window.resolution.physical_height());
    if w > limit[0] || h > limit[1] {
        window.resolution.set_physical_resolution(w.min(limit[0]), h.min(limit[1]));
    }
}
