//! Commands for tests and reproducible pictures; see [`SCRIPT_VARIABLE`](super::SCRIPT_VARIABLE).

use super::backend::{ExportRequest, Look};
use super::commands::{self, Id};
use super::docks::Pane;
use super::session::{
    AS_FOUND, Action, Chosen, EditAction, Framed, NamedPose, PoseAction, RunState, SYNERGIES, Session, set_reading,
};
use super::ui_state::{CompareMode, LOOKS, Shading, look_name};
use super::viewport::ViewActions;
use super::{frame::FrameTimes, viewport::Motion};
use crate::anatomy::{KEYPOINTS, Side};
use crate::capture::OpenOptions;
use crate::fitting::pose::HandChoice;
use crate::pipeline::Stage;
use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};
use bevy::window::{PrimaryWindow, RequestRedraw};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// A command that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(1800);
/// Frames drawn before a screenshot, so that layout and textures have settled.
const SETTLE_FRAMES: u32 = 4;
/// The log says what is waited for each time this has passed.
const IMPATIENCE: Duration = Duration::from_secs(60);

/// What can be shown and hidden.
const SHOWN: [&str; 10] =
    ["cameras", "residuals", "hands", "joints", "grid", "curves", "export", "help", "developer", "keypoints"];

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
    Measure(Duration),
    Size(u32, u32),
    Quit,
}

/// The commands that are left.
#[derive(Resource, Debug, Default)]
pub(super) struct Script {
    steps: VecDeque<Step>,
    since: Option<Instant>,
    complaints: u32,
    frames: u32,
    saving: Option<Arc<AtomicU8>>,
}

/// Reads commands separated by `;`.
pub(super) fn parse(text: &str) -> anyhow::Result<Script> {
    let steps =
        text.split(';').map(str::trim).filter(|s| !s.is_empty()).map(parse_step).collect::<anyhow::Result<_>>()?;
    Ok(Script { steps, ..Script::default() })
}

fn parse_step(text: &str) -> anyhow::Result<Step> {
    let (word, rest) = text.split_once(' ').map_or((text, ""), |(w, r)| (w, r.trim()));
    let number = || rest.parse::<usize>().map_err(|_| anyhow::anyhow!("`{text}`: `{rest}` is no number"));
    let seconds = || -> anyhow::Result<Duration> {
        let s: f64 = rest.parse().map_err(|_| anyhow::anyhow!("`{text}`: `{rest}` is no number of seconds"))?;
        Ok(Duration::try_from_secs_f64(s)?)
    };
    Ok(match word {
        "open" => Step::Act(Action::Open(rest.into())),
        "preset" => Step::Preset(rest.to_owned()),
        "set" => {
            let (key, value) = rest.split_once(' ').ok_or_else(|| anyhow::anyhow!("`{text}`: expected KEY VALUE"))?;
            Step::Set(key.to_owned(), value.trim().parse()?)
        }
        "reconstruct" => Step::Act(Action::Start),
        "resume" => Step::Act(Action::Resume),
        "pause" => Step::Act(Action::TogglePause),
        "stop" => Step::Act(Action::Stop),
        "live" => Step::Act(Action::GoLive),
        "frame" => Step::Act(Action::Frame(Framed::Hands)),
        "frame-all" => Step::Act(Action::Frame(Framed::Everything)),
        "select" => Step::Act(Action::Select(number()?)),
        "edit" => Step::Act(Action::Edit(edit(text, rest)?)),
        "stroke" => stroke(text, rest)?,
        "fly" => Step::Act(Action::FlyTo(number()?)),
        "finding" => Step::Act(Action::Finding(number()?)),
        "exclude" => Step::Act(Action::ToggleExclude(number()?)),
        "hold-out" => Step::Act(Action::ToggleHoldOut(number()?)),
        "results" => Step::Act(Action::SetResults(Some(rest.into()))),
        "reading" => {
            let (key, value) = rest.split_once(' ').ok_or_else(|| anyhow::anyhow!("`{text}`: expected KEY VALUE"))?;
            let value = if value.trim() == "as-found" { AS_FOUND } else { value.trim() };
            let tried = set_reading(&mut OpenOptions::default(), key, value);
            tried.map_err(|e| anyhow::anyhow!("`{text}`: {e}"))?;
            Step::Reading(key.to_owned(), value.to_owned())
        }
        "detect" => Step::Detect(on_or_off(text, rest)?),
        "open-again" => Step::OpenAgain,
        "command" => {
            let entry = commands::by_word(rest).ok_or_else(|| anyhow::anyhow!("`{text}`: what is `{rest}`?"))?;
            Step::Command(entry.id)
        }
        "hands" => Step::Hands(rest.parse().map_err(|e| anyhow::anyhow!("`{text}`: {e}"))?),
        "scrub" => Step::ScrubFraction(rest.parse()?),
        "shading" => Step::Shading(named(text, rest, &Shading::ALL, |s| s.name())?),
        "compare" => Step::Compare(named(text, rest, &CompareMode::ALL, |m| m.name())?),
        "tab" => match rest {
            "parameters" => Step::Tab(Pane::Parameters),
            "pose" => Step::Tab(Pane::Pose),
            "findings" => Step::Tab(Pane::Findings),
            "capture" => Step::Tab(Pane::Capture),
            _ => anyhow::bail!("`{text}`: what is `{rest}`?"),
        },
        "pose" | "synergy" | "angle" | "pose-hands" => Step::Act(Action::Pose(pose(text, word, rest)?)),
        "show" => {
            let (what, on) = rest.split_once(' ').unwrap_or((rest, "on"));
            anyhow::ensure!(SHOWN.contains(&what), "`{text}`: what is `{what}`?");
            Step::Show(what.to_owned(), on.trim() == "on")
        }
        "curve" => {
            let (name, on) = rest.rsplit_once(' ').ok_or_else(|| anyhow::anyhow!("`{text}`: expected NAME on|off"))?;
            Step::Curve(name.trim().to_owned(), on_or_off(text, on)?)
        }
        "wait" => Step::Wait(seconds()?),
        "wait-posable" => Step::WaitPosable,
        "wait-open" => Step::WaitOpen,
        "wait-findings" => Step::WaitFindings,
        "wait-mesh" => Step::WaitMesh,
        "wait-steps" => Step::WaitSteps(number()?),
        "wait-stage" => Step::WaitStage(named(text, rest, &Stage::ALL, Stage::name)?),
        "wait-finished" => Step::WaitFinished,
        "wait-stopped" => Step::WaitStopped,
        "wait-picture" => Step::WaitPicture,
        "wait-exported" => Step::WaitExported,
        "wait-banner" => Step::WaitBanner,
        "dialog" => Step::Act(Action::OpenDialog),
        "export" => Step::Act(Action::Export(ExportRequest {
            formats: rest.split(',').map(str::to_owned).collect(),
            ..ExportRequest::default()
        })),
        "wait-on" | "wait-off" => {
            let entry = commands::by_word(rest).filter(|e| e.on.is_some());
            let entry = entry.ok_or_else(|| anyhow::anyhow!("`{text}`: `{rest}` is no switch"))?;
            Step::WaitOn(entry.id, word == "wait-on")
        }
        "wait-network" => Step::WaitNetwork,
        "look" => Step::Look(named(text, rest, &LOOKS, look_name)?),
        "wait-edited" => Step::WaitEdited(number()?),
        "wait-selected" => Step::WaitSelected(number()?),
        "wait-through" => Step::WaitThrough(number()?),
        "wait-orbit" => Step::WaitOrbit,
        "screenshot" => Step::Screenshot(rest.into()),
        "measure" => Step::Measure(seconds()?),
        "size" => {
            let (w, h) = rest.split_once('x').ok_or_else(|| anyhow::anyhow!("`{text}`: expected WIDTHxHEIGHT"))?;
            Step::Size(w.parse()?, h.parse()?)
        }
        "quit" => Step::Quit,
        _ => anyhow::bail!("`{word}` is no command"),
    })
}

/// `edit place VIEW SIDE KEYPOINT X Y`, `edit unseen VIEW SIDE KEYPOINT`, `edit swap VIEW`, `edit revert VIEW`.
fn edit(text: &str, rest: &str) -> anyhow::Result<EditAction> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let side = |word: &str| named(text, word, &Side::BOTH, |s| if s == Side::Left { "left" } else { "right" });
    Ok(match words.as_slice() {
        ["place", view, of, k, x, y] => {
            EditAction::Place(view.parse()?, side(of)?, keypoint(text, k)?, [x.parse()?, y.parse()?])
        }
        ["unseen", view, of, k] => EditAction::ToggleUnseen(view.parse()?, side(of)?, keypoint(text, k)?),
        ["swap", view] => EditAction::SwapSides(view.parse()?),
        ["revert", view] => EditAction::RevertKeypoints(view.parse()?),
        _ => anyhow::bail!("`{text}`: what is `{rest}`?"),
    })
}

fn keypoint(text: &str, word: &str) -> anyhow::Result<usize> {
    let index = word.parse().ok().filter(|k| *k < KEYPOINTS);
    index.ok_or_else(|| anyhow::anyhow!("`{text}`: expected a keypoint from 0 to {}", KEYPOINTS - 1))
}

/// `stroke X0 Y0 X1 Y1`: a stroke of brush or eraser in the selected view, photograph pixels.
fn stroke(text: &str, rest: &str) -> anyhow::Result<Step> {
    let numbers: Result<Vec<f64>, _> = rest.split_whitespace().map(str::parse).collect();
    match numbers?.as_slice() {
        &[x0, y0, x1, y1] => Ok(Step::Stroke([[x0, y0], [x1, y1]])),
        _ => anyhow::bail!("`{text}`: expected X0 Y0 X1 Y1"),
    }
}

/// `pose begin|captured|relaxed|rest|reset`, `synergy N VALUE`, `angle N DEGREES`, `pose-hands left|right|both`.
fn pose(text: &str, word: &str, rest: &str) -> anyhow::Result<PoseAction> {
    let indexed = |limit: usize| -> anyhow::Result<(usize, f64)> {
        let (index, value) = rest.split_once(' ').ok_or_else(|| anyhow::anyhow!("`{text}`: expected two numbers"))?;
        let index = index.parse().ok().filter(|i| *i < limit);
        Ok((index.ok_or_else(|| anyhow::anyhow!("`{text}`: expected 0 to {}", limit - 1))?, value.trim().parse()?))
    };
    Ok(match (word, rest) {
        ("pose", "begin") => PoseAction::Begin,
        ("pose", "reset") => PoseAction::Reset,
        ("pose", name) => PoseAction::Take(named(text, name, &NamedPose::ALL, |p| p.name())?),
        ("synergy", _) => indexed(SYNERGIES).map(|(index, value)| PoseAction::Synergy(index, value))?,
        ("angle", _) => indexed(45).map(|(index, degrees)| PoseAction::Angle(index, degrees.to_radians()))?,
        (_, "left") => PoseAction::Choose(Chosen::One(Side::Left)),
        (_, "right") => PoseAction::Choose(Chosen::One(Side::Right)),
        (_, "both") => PoseAction::Choose(Chosen::Both),
        _ => anyhow::bail!("`{text}`: what is `{rest}`?"),
    })
}

fn on_or_off(text: &str, word: &str) -> anyhow::Result<bool> {
    anyhow::ensure!(["on", "off"].contains(&word), "`{text}`: what is `{word}`?");
    Ok(word == "on")
}

fn named<T: Copy>(text: &str, wanted: &str, all: &[T], name: impl Fn(T) -> &'static str) -> anyhow::Result<T> {
    all.iter()
        .copied()
        .find(|v| name(*v).eq_ignore_ascii_case(wanted))
        .ok_or_else(|| anyhow::anyhow!("`{text}`: what is `{wanted}`?"))
}

/// What a step came to in this frame.
enum Outcome {
    Done,
    Pending,
    Failed(String),
}

/// Carries out the next command, one at a time.
#[expect(clippy::too_many_arguments, reason = "a Bevy system names all it touches")]
pub(super) fn run(
    mut commands: Commands,
    mut script: ResMut<Script>,
    mut session: ResMut<Session>,
    mut actions: ResMut<ViewActions>,
    mut times: ResMut<FrameTimes>,
    motion: Res<Motion>,
    mut window: Single<&mut Window, With<PrimaryWindow>>,
    mut redraw: MessageWriter<RequestRedraw>,
    mut exit: MessageWriter<AppExit>,
) {
    let Some(step) = script.steps.front().cloned() else { return };
    let since = *script.since.get_or_insert_with(Instant::now);
    let waited = since.elapsed();
    script.frames += 1;
    let outcome = match &step {
        Step::Screenshot(path) => screenshot(&mut commands, &mut script, path, motion.is_flying(), &mut redraw),
        Step::Measure(duration) => measure(&mut script, &mut times, waited, *duration, &mut redraw),
        Step::Size(w, h) => {
            window
                .resolution
                .set(f32::from(u16::try_from(*w).unwrap_or(1280)), f32::from(u16::try_from(*h).unwrap_or(800)));
            Outcome::Done
        }
        Step::WaitThrough(view) => done_when(motion.through() == Some(*view)),
        Step::WaitOrbit => done_when(motion.through().is_none()),
        Step::Quit => {
            exit.write(AppExit::Success);
            Outcome::Done
        }
        simple => simple_step(simple, &mut session, &mut actions, waited),
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

/// Steps that need the session only.
fn simple_step(step: &Step, session: &mut Session, actions: &mut ViewActions, waited: Duration) -> Outcome {
    let waits = matches!(
        step,
        Step::WaitPosable
            | Step::WaitOpen
            | Step::WaitFindings
            | Step::WaitMesh
            | Step::WaitSteps(_)
            | Step::WaitStage(_)
            | Step::WaitFinished
            | Step::WaitStopped
            | Step::WaitPicture
            | Step::WaitExported
            | Step::WaitNetwork
    );
    if let (true, Some(problem)) = (waits, &session.banner) {
        return Outcome::Failed(problem.what.clone());
    }
    match step {
        Step::Act(action) => actions.0.push(action.clone()),
        Step::Set(key, value) => {
            if !session.preset().is_some_and(|p| p.parameters.iter().any(|p| p.key == *key)) {
                return Outcome::Failed(format!("there is no parameter `{key}`"));
            }
            session.overrides.insert(key.clone(), *value);
        }
        Step::Hands(hands) => session.hands = *hands,
        Step::Reading(key, value) => {
            let options = session.refused.as_mut().map_or(&mut session.reading, |refused| &mut refused.options);
            if let Err(why) = set_reading(options, key, value) {
                return Outcome::Failed(why);
            }
        }
        Step::Detect(on) => session.detect = *on,
        Step::OpenAgain if session.refused.is_some() => actions.0.push(Action::OpenRefused),
        Step::OpenAgain => actions.0.push(Action::OpenAgain),
        Step::Command(id) => {
            let entry = id.entry();
            if let Some(why) = (entry.why_not)(session) {
                return Outcome::Failed(format!("{}: {why}", entry.name));
            }
            actions.0.extend(entry.run(session));
        }
        Step::Preset(name) => match session.presets.iter().position(|p| p.name == *name) {
            Some(index) => session.preset = index,
            None => return Outcome::Failed(format!("there is no preset `{name}`")),
        },
        Step::Stroke(along) => match session.stroke(*along) {
            Some(edit) => actions.0.push(Action::Edit(edit)),
            None => return Outcome::Failed("neither brush nor eraser is in hand".to_owned()),
        },
        Step::Shading(shading) => session.ui.shading = *shading,
        Step::Compare(mode) => session.ui.compare = *mode,
        Step::Tab(pane) => session.ui.bring(*pane),
        Step::WaitPosable => return done_when(session.posing.is_some()),
        Step::ScrubFraction(fraction) => {
            let last = session.track.frames().last().map_or(0.0, |f| f64::from(f.step));
            actions.0.extend(session.track.nearest(fraction * last).map(Action::Scrub));
        }
        Step::Show(what, on) => show(session, what, *on),
        Step::Curve(name, true) => _ = session.ui.hidden_curves.remove(name),
        Step::Curve(name, false) => _ = session.ui.hidden_curves.insert(name.clone()),
        Step::Wait(duration) => return done_when(waited >= *duration),
        Step::WaitOpen => return done_when(session.capture.is_some() && session.opening.is_none()),
        Step::WaitFindings => return done_when(session.diagnosis.is_some()),
        Step::WaitMesh => return done_when(session.shown.as_ref().is_some_and(|s| !s.hands.is_empty())),
        Step::WaitSteps(count) => return done_when(session.steps.len() >= *count),
        Step::WaitFinished => return done_when(session.state == RunState::Finished),
        Step::WaitStage(stage) => return done_when(session.steps.last().is_some_and(|s| s.stage == *stage)),
        Step::WaitStopped if session.state == RunState::Finished => {
            return Outcome::Failed("the run has finished before it could be stopped".to_owned());
        }
        Step::WaitStopped => return done_when(session.state == RunState::Stopped),
        Step::WaitEdited(views) => return done_when(session.edited_views() == *views),
        Step::WaitSelected(view) => return done_when(session.selected == *view),
        Step::WaitExported => return done_when(session.exporting.is_none() && waited > Duration::from_millis(50)),
        Step::WaitOn(id, on) => return done_when(id.entry().on.is_some_and(|is_on| is_on(session) == *on)),
        Step::WaitNetwork => {
            if let Some(why) = session.why_not_neural() {
                return Outcome::Failed(why);
            }
            return done_when(session.network_is_current());
        }
        Step::Look(look) => session.ui.look = *look,
        Step::WaitBanner => return done_when(session.banner.is_some()),
        Step::WaitPicture => return done_when(session.picture().is_some_and(|(_, exact)| exact)),
        Step::Screenshot(_)
        | Step::Measure(_)
        | Step::Size(..)
        | Step::WaitThrough(_)
        | Step::WaitOrbit
        | Step::Quit => {}
    }
    Outcome::Done
}

fn show(session: &mut Session, what: &str, on: bool) {
    let ui = &mut session.ui;
    match what {
        "cameras" => ui.show_cameras = on,
        "residuals" => ui.show_residuals = on,
        "hands" => ui.show_hands = on,
        "joints" => ui.show_joints = on,
        "grid" => ui.show_grid = on,
        "curves" if on => ui.bring(Pane::Curves),
        "curves" => ui.layout_mut().hide(Pane::Curves),
        "export" => ui.show_export = on,
        "help" => ui.show_help = on,
        "developer" => ui.show_developer = on,
        _ => ui.show_keypoints = on,
    }
}

/// Saves the window; the file is complete as soon as it is there.
fn screenshot(
    commands: &mut Commands,
    script: &mut Script,
    path: &Path,
    moving: bool,
    redraw: &mut MessageWriter<RequestRedraw>,
) -> Outcome {
    redraw.write(RequestRedraw);
    if let Some(state) = &script.saving {
        return match state.load(Ordering::Acquire) {
            0 => Outcome::Pending,
            1 => {
                script.saving = None;
                Outcome::Done
            }
            _ => Outcome::Failed("the picture could not be written".to_owned()),
        };
    }
    if script.frames <= SETTLE_FRAMES || moving {
        return Outcome::Pending;
    }
    let state = Arc::new(AtomicU8::new(0));
    script.saving = Some(Arc::clone(&state));
    let path = path.to_owned();
    commands.spawn(Screenshot::primary_window()).observe(move |captured: On<ScreenshotCaptured>| {
        let image = captured.image.clone().try_into_dynamic().map(|i| i.to_rgb8());
        let begun = path.with_extension("part");
        let saved = image.is_ok_and(|i| i.save_with_format(&begun, image::ImageFormat::Png).is_ok())
            && std::fs::rename(&begun, &path).is_ok();
        state.store(if saved { 1 } else { 2 }, Ordering::Release);
    });
    Outcome::Pending
}

/// Draws without pause and logs the times between frames.
fn measure(
    script: &mut Script,
    times: &mut FrameTimes,
    waited: Duration,
    duration: Duration,
    redraw: &mut MessageWriter<RequestRedraw>,
) -> Outcome {
    redraw.write(RequestRedraw);
    if script.frames == 1 {
        times.seconds.clear();
    }
    if waited < duration {
        return Outcome::Pending;
    }
    let mut ms: Vec<f64> = times.seconds.iter().map(|s| s * 1e3).collect();
    ms.sort_by(f64::total_cmp);
    if ms.is_empty() {
        return Outcome::Failed("no frame was drawn".to_owned());
    }
    #[expect(clippy::cast_precision_loss, reason = "a few hundred frames")]
    let mean = ms.iter().sum::<f64>() / ms.len() as f64;
    let at = |percent: usize| ms[(ms.len() * percent / 100).min(ms.len() - 1)];
    info!(
        "{} frames: mean {mean:.1} ms, median {:.1}, p95 {:.1}, max {:.1}",
        ms.len(),
        at(50),
        at(95),
        ms[ms.len() - 1]
    );
    Outcome::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_parse_or_say_what_is_wrong() {
        let script =
            parse("open /tmp/a b; reconstruct ;wait-finished; select 3; shading clay; screenshot /tmp/x.png; quit;")
                .expect("valid");
        assert_eq!(script.steps.len(), 7, "each command once");
        assert_eq!(script.steps[0], Step::Act(Action::Open("/tmp/a b".into())), "paths may hold spaces");
        let script = parse("wait-findings; tab findings; finding 2; show residuals off").expect("valid");
        assert_eq!(script.steps[2], Step::Act(Action::Finding(2)), "a finding by its place in the list");
        let script =
            parse("tab pose; pose begin; wait-posable; synergy 0 1.5; angle 5 -30; pose-hands left; pose rest")
                .expect("valid");
        assert_eq!(script.steps[3], Step::Act(Action::Pose(PoseAction::Synergy(0, 1.5))), "a synergy");
        let script = parse("reading units mm; reading frame as-found; detect on; open-again").expect("valid");
        assert_eq!(script.steps[1], Step::Reading("frame".to_owned(), AS_FOUND.to_owned()), "as found");
        let script = parse("edit place 3 left 8 40.5 12; edit swap 2; stroke 1 2 3 4").expect("valid");
        let placed = Action::Edit(EditAction::Place(3, Side::Left, 8, [40.5, 12.0]));
        assert_eq!(script.steps[0], Step::Act(placed), "a keypoint");
        assert_eq!(script.steps[2], Step::Stroke([[1.0, 2.0], [3.0, 4.0]]), "a stroke");
        let script = parse("curve lap off").expect("valid");
        assert_eq!(script.steps[0], Step::Curve("lap".to_owned(), false), "a curve by its name");
        for bad in [
            "tab x",
            "finding x",
            "pose odd",
            "synergy 6 1",
            "synergy 1",
            "angle 45 1",
            "pose-hands three",
            "jump",
            "select x",
            "shading plastic",
            "wait -1",
            "show me",
            "curve lap",
            "curve lap maybe",
            "reading units ell",
            "reading lens none",
            "detect perhaps",
            "command dance",
            "wait-on stop-run",
            "edit place 1 left 21 3 4",
            "edit place 1 middle 2 3 4",
            "edit paint",
            "stroke 1 2 3",
        ] {
            assert!(parse(bad).is_err(), "`{bad}` is refused");
        }
    }
}
