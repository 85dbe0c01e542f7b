//! Commands that need the session only.

use super::{Outcome, Step, done_when};
use crate::studio::docks::Pane;
use crate::studio::session::{Action, RunState, Session, set_reading};
use crate::studio::viewport::ViewActions;
use std::time::Duration;

/// Steps that need the session only.
pub(super) fn simple_step(step: &Step, session: &mut Session, actions: &mut ViewActions, waited: Duration) -> Outcome {
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
        // Of a run that is being resumed, the lines are still those of before.
        Step::WaitStage(stage) => {
            let there = session.steps.last().is_some_and(|s| s.stage == *stage);
            return done_when(there && session.state != RunState::Starting);
        }
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
        Step::Recover => match session.interrupted.clone() {
            Some(run) => actions.0.push(Action::Open(run)),
            None => return Outcome::Failed("no run was under way the last time".to_owned()),
        },
        Step::WaitAsked => return done_when(session.asks()),
        Step::WaitBanner => return done_when(session.banner.is_some()),
        Step::WaitPicture => return done_when(session.picture().is_some_and(|(_, exact)| exact)),
        Step::Screenshot(_)
        | Step::Measure(..)
        | Step::Answer(..)
        | Step::PauseWithin(_)
        | Step::Size(..)
        | Step::Again
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
