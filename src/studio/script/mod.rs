//! Commands for tests and reproducible pictures; see [`SCRIPT_VARIABLE`](super::SCRIPT_VARIABLE).

mod answer;
mod parse;
mod shots;
mod steps;

pub(super) use parse::parse;

use super::backend::Look;
use super::commands::Id;
use super::docks::Pane;
use super::session::{Action, Session};
use super::ui_state::{CompareMode, Shading};
use super::viewport::ViewActions;
use super::{frame::FrameTimes, viewport::Motion};
use crate::fitting::pose::HandChoice;
use crate::pipeline::Stage;
use answer::Stopwatch;
use bevy::prelude::*;
use bevy::window::{PrimaryWindow, RequestRedraw};
use bevy::winit::EventLoopProxyWrapper;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::time::{Duration, Instant};

/// A command that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(1800);
/// The log says what is waited for each time this has passed.
const IMPATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Act(Action),
    Preset(String),
    Set(String, f64),
    Hands(HandChoice),
    Reading(String, String),
    Detect(bool),
    OpenAgain,
    Command(Id),
    Stroke([[f64; 2]; 2]),
    Shading(Shading),
    Compare(CompareMode),
    ScrubFraction(f64),
    Show(String, bool),
    Curve(String, bool),
    Tab(Pane),
    Wait(Duration),
    WaitPosable,
    WaitOpen,
    WaitFindings,
    WaitMesh,
    WaitSteps(usize),
    WaitStage(Stage),
    WaitFinished,
    WaitStopped,
    WaitPicture,
    WaitExported,
    WaitNetwork,
    WaitOn(Id, bool),
    Look(Look),
    WaitBanner,
    WaitSelected(usize),
    WaitEdited(usize),
    WaitThrough(usize),
    WaitOrbit,
    Screenshot(PathBuf),
    Measure(Duration, Option<f64>),
    Answer(usize, Option<f64>),
    PauseWithin(f64),
    WaitAsked,
    Recover,
    Again,
    Size(u32, u32),
    Quit,
}

/// The commands that are left.
#[derive(Resource, Debug, Default)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    /// The whole script, to begin it again, and how often it has been through.
    all: Vec<Step>,
    rounds: u32,
    since: Option<Instant>,
    complaints: u32,
    frames: u32,
    saving: Option<Arc<AtomicU8>>,
}
/// What a step came to in this frame.
enum Outcome {
    Done,
    Pending,
    Failed(String),
}

/// Carries out the next command, one at a time.
#[expect(clippy::too_many_arguments, reason = "a Bevy system names all it touches")]
fn run(
    mut commands: Commands,
    mut script: ResMut<Script>,
    mut session: ResMut<Session>,
    mut actions: ResMut<ViewActions>,
    (mut times, mut watch): (ResMut<FrameTimes>, ResMut<Stopwatch>),
    (motion, proxy): (Res<Motion>, Res<EventLoopProxyWrapper>),
    mut window: Single<&mut Window, With<PrimaryWindow>>,
    mut redraw: MessageWriter<RequestRedraw>,
    mut exit: MessageWriter<AppExit>,
) {
    let Some(step) = script.steps.front().cloned() else { return };
    let since = *script.since.get_or_insert_with(Instant::now);
    let waited = since.elapsed();
    script.frames += 1;
    let outcome = match &step {
        Step::Screenshot(path) => shots::screenshot(&mut commands, &mut script, path, motion.is_flying(), &mut redraw),
        Step::Measure(duration, p95_ms) => {
            shots::measure(&mut script, &mut times, waited, (*duration, *p95_ms), &mut redraw)
        }
        Step::Answer(count, ms) => answer::answer(&mut script, &mut watch, &session, &proxy, (*count, *ms)),
        Step::PauseWithin(ms) => answer::pause(&mut script, &mut watch, &session, &proxy, *ms),
        Step::Size(w, h) => {
            window
                .resolution
                .set(f32::from(u16::try_from(*w).unwrap_or(1280)), f32::from(u16::try_from(*h).unwrap_or(800)));
            Outcome::Done
        }
        Step::Again => {
            script.rounds += 1;
            info!("round {} is done", script.rounds);
            let mut all: VecDeque<Step> = script.all.iter().cloned().collect();
            // Its own step is taken off the front below.
            all.push_front(Step::Again);
            script.steps = all;
            Outcome::Done
        }
        Step::WaitThrough(view) => done_when(motion.through() == Some(*view)),
        Step::WaitOrbit => done_when(motion.through().is_none()),
        Step::Quit => {
            exit.write(AppExit::Success);
            Outcome::Done
        }
        simple => steps::simple_step(simple, &mut session, &mut actions, waited),
    };
    let outcome = match outcome {
        Outcome::Pending if waited > PATIENCE => Outcome::Failed("took too long".to_owned()),
        other => other,
    };
    match outcome {
        Outcome::Pending => {
            if waited > IMPATIENCE * (script.complaints + 1) {
                script.complaints += 1;
                warn!("script command {step:?} has been waiting for {} s", waited.as_secs());
            }
        }
        Outcome::Done => {
            debug!("{step:?} is done");
            script.steps.pop_front();
            script.since = None;
            script.complaints = 0;
            script.frames = 0;
            redraw.write(RequestRedraw);
        }
        Outcome::Failed(why) => {
            error!("script command {step:?} failed: {why}");
            script.steps.clear();
            exit.write(AppExit::error());
        }
    }
}

fn done_when(done: bool) -> Outcome {
    if done { Outcome::Done } else { Outcome::Pending }
}

/// Whether a figure, milliseconds, keeps what is asked of it.
fn within(what: &str, ms: f64, limit_ms: Option<f64>) -> Outcome {
    match limit_ms {
        Some(limit) if ms > limit => Outcome::Failed(format!("{what} took {ms:.1} ms, more than {limit} ms")),
        _ => Outcome::Done,
    }
}

/// What a script needs of the app.
pub(super) fn plugin(app: &mut App, script: Script) {
    answer::plugin(app);
    app.insert_resource(script).add_systems(Update, run.before(super::StudioSet::News));
}
