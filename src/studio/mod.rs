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

mod accessibility;
mod backend;
mod close;
mod commands;
mod coverage;
mod dialogs;
mod docks;
mod editing;
mod errands;
mod export_target;
mod fonts;
mod frame;
mod input_order;
mod link;
mod network;
mod opened_run;
mod panels;
mod picture;
mod problem;
mod program;
mod residual;
mod run_place;
mod script;
mod session;
mod settings;
mod track;
mod ui_state;
mod viewport;
mod window;
mod worker;

#[cfg(test)]
#[path = "../../tests/support/morph.rs"]
mod testing;

pub use backend::{
    Backend, Detected, Engine, ExportJob, ExportRequest, HandModelChoice, Look, Opened, OpenedSequence, Parameter,
    PresetInfo, ResumeRequest, RunRecord, RunRequest, RunViews, Started,
};
pub use export_target::ExportTarget;
pub use problem::Problem;
pub use program::Program;

use anyhow::Context as _;
use bevy::prelude::*;
use bevy_egui::{EguiPreUpdateSet, EguiPrimaryContextPass};
use frame::{FrameTimes, PanelTextures, Pointer};
use session::Session;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
/// `open PATH`, `reading KEY VALUE|as-found`, `detect on|off`, `open-again`, `preset NAME`, `set KEY NUMBER`, `hands auto|left|right|both`, `results PATH`, `reconstruct`, `pause`, `stop`, `resume`,
/// `wait-open`, `wait-findings`, `wait-mesh`, `wait-steps N`, `wait-stage pose|fit|ham`, `wait-finished`, `wait-stopped`, `wait-picture`, `wait-selected N`,
/// `wait-through N`, `wait-orbit`, `wait SECONDS`, `select N`, `fly N`, `exclude N`, `hold-out N`, `frame`, `frame-all`,
/// `shading albedo|clay|normals|neural`, `wait-network`, `wait-on WORD`, `wait-off WORD`, `look shaded|neural|albedo|normals|clay`,
/// `compare wipe|side|difference|overlay`, `curve NAME on|off`, `scrub FRACTION`, `live`, `show WHAT on|off` (`cameras residuals hands joints grid curves export help developer keypoints`),
/// `tab parameters|pose|findings|capture`, `finding N`, `pose begin|captured|relaxed|rest|reset`, `wait-posable`, `synergy N VALUE`, `angle N DEGREES`,
/// `export FORMAT,…`, `wait-exported`, `dialog`, `wait-banner`,
/// `close`, `leave background|save|stop|without-edits|stay`, `wait-asked`, `recover`, `answer COUNT [within MS]`, `pause-within MS`,
/// `command WORD` (any row of the table of commands), `pose-hands left|right|both`, `size WIDTHxHEIGHT`, `screenshot PATH`, `measure SECONDS [p95 MS]`, `again` (from the first
/// command on, for ever), `quit`. A failed command ends the window with an error.
pub const SCRIPT_VARIABLE: &str = "THENAR_STUDIO_SCRIPT";

/// Facts about the machine that decide how much is drawn.
#[derive(Resource, Clone, Copy, Debug)]
struct Machine {
    /// The display adapter is a processor.
    software: bool,
}

#[derive(SystemSet, Clone, Debug, PartialEq, Eq, Hash)]
enum StudioSet {
    /// News of the worker into the session, the mouse.
    News,
    /// The 3D view.
    View,
}

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
    window::check_display()?;
    let devices = crate::gpu::list_devices();
    anyhow::ensure!(!devices.is_empty(), crate::gpu::GpuError::NoAdapter);
    let software = devices.iter().all(|d| d.kind == "software");
    let script = options.script.as_deref().map(script::parse).transpose().context("THENAR_STUDIO_SCRIPT")?;
    let mut session = Session::new(backend.presets());
    session.snapshot_interval = Duration::from_millis(if software { 900 } else { 200 });
    // Scripts must find the same window each time.
    if let Some(path) = settings::place().filter(|_| script.is_none() || std::env::var_os(settings::VARIABLE).is_some())
    {
        session.remember_in(path);
    }
    let mut app = App::new();
    app.add_plugins(window::default_plugins(script.is_some(), software));
    app.add_plugins(window::egui_plugin(software));
    app.insert_resource(ClearColor(BACKGROUND))
        .insert_resource(Machine { software })
        .insert_resource(window::redraw_settings(if script.is_some() {
            window::Wait::Moment
        } else {
            window::Wait::Seconds
        }))
        .insert_resource(session)
        .insert_resource(window::Start { backend, path: options.path })
        .init_resource::<Pointer>()
        .init_resource::<FrameTimes>()
        .init_resource::<frame::Rest>()
        .init_resource::<PanelTextures>()
        .init_resource::<viewport::ViewActions>()
        .configure_sets(Update, (StudioSet::News, StudioSet::View).chain())
        .add_systems(First, (frame::time_frames, window::fit_monitor, accessibility::listen))
        .add_systems(Startup, window::set_up)
        .add_systems(
            Update,
            (frame::drops, close::requested, frame::news, frame::point).chain().in_set(StudioSet::News),
        )
        .add_systems(Update, (frame::keep_moving, frame::show_time).after(StudioSet::View))
        .add_systems(
            PreUpdate,
            (input_order::restore, accessibility::hear)
                .chain()
                .after(EguiPreUpdateSet::ProcessInput)
                .before(EguiPreUpdateSet::BeginPass),
        )
        .add_systems(EguiPrimaryContextPass, frame::draw)
        .add_systems(Last, (close::follow, frame::show_letters));
    viewport::plugin(&mut app);
    if let Some(script) = script {
        script::plugin(&mut app, script);
    }
    match app.run() {
        AppExit::Success => Ok(()),
        AppExit::Error(code) => anyhow::bail!("the window ended with code {code}; see the log"),
    }
}
