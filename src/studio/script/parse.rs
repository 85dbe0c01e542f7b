//! Reading commands.

use super::{Script, Step};
use crate::anatomy::{KEYPOINTS, Side};
use crate::capture::OpenOptions;
use crate::pipeline::Stage;
use crate::studio::backend::ExportRequest;
use crate::studio::commands;
use crate::studio::docks::Pane;
use crate::studio::session::{
    AS_FOUND, Action, Chosen, EditAction, Framed, Leave, NamedPose, PoseAction, SYNERGIES, set_reading,
};
use crate::studio::ui_state::{CompareMode, LOOKS, Shading, look_name};
use std::time::Duration;

/// What can be shown and hidden.
const SHOWN: [&str; 10] =
    ["cameras", "residuals", "hands", "joints", "grid", "curves", "export", "help", "developer", "keypoints"];

/// Reads commands separated by `;`.
pub(in crate::studio) fn parse(text: &str) -> anyhow::Result<Script> {
    let steps: Vec<Step> =
        text.split(';').map(str::trim).filter(|s| !s.is_empty()).map(parse_step).collect::<anyhow::Result<_>>()?;
    Ok(Script { steps: steps.iter().cloned().collect(), all: steps, ..Script::default() })
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
        "measure" => {
            let (time, p95) = bounded(text, rest, "p95")?;
            Step::Measure(Duration::try_from_secs_f64(time)?, p95)
        }
        "answer" => Step::Answer(words_number(text, rest.split_whitespace().next())?, bounded(text, rest, "within")?.1),
        "pause-within" => Step::PauseWithin(rest.parse()?),
        "close" => Step::Act(Action::Quit),
        "leave" => Step::Act(Action::Leave(match rest {
            "background" => Leave::Background,
            "save" => Leave::Save,
            "stop" => Leave::Stop,
            "without-edits" => Leave::WithoutEdits,
            "stay" => Leave::Stay,
            _ => anyhow::bail!("`{text}`: what is `{rest}`?"),
        })),
        "wait-asked" => Step::WaitAsked,
        "recover" => Step::Recover,
        "size" => {
            let (w, h) = rest.split_once('x').ok_or_else(|| anyhow::anyhow!("`{text}`: expected WIDTHxHEIGHT"))?;
            Step::Size(w.parse()?, h.parse()?)
        }
        "again" => Step::Again,
        "quit" => Step::Quit,
        _ => anyhow::bail!("`{word}` is no command"),
    })
}

/// `NUMBER`, or `NUMBER WORD LIMIT`.
fn bounded(text: &str, rest: &str, word: &str) -> anyhow::Result<(f64, Option<f64>)> {
    match rest.split_whitespace().collect::<Vec<_>>().as_slice() {
        [number] => Ok((number.parse()?, None)),
        [number, w, limit] if *w == word => Ok((number.parse()?, Some(limit.parse()?))),
        _ => anyhow::bail!("`{text}`: expected a number, or a number, `{word}` and a limit"),
    }
}

fn words_number(text: &str, word: Option<&str>) -> anyhow::Result<usize> {
    let number = word.and_then(|w| w.parse().ok()).filter(|n| *n > 0);
    number.ok_or_else(|| anyhow::anyhow!("`{text}`: how many?"))
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
