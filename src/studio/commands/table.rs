//! The table itself: a row a command, in the order of the menus.

use super::{Entry, Menu};
use crate::studio::session::{Action, Framed, PoseAction, RunState, Session};
use crate::studio::ui_state::{CompareMode, Shading, Tab};
use egui::{Key, KeyboardShortcut, Modifiers};

/// The commands in the order of [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Open,
    ReadAgain,
    ResultsFolder,
    Export,
    Undo,
    Redo,
    ExcludeView,
    HoldOutView,
    IncludeAll,
    ResetParameters,
    Albedo,
    Clay,
    Normals,
    Cameras,
    Residuals,
    Hands,
    Joints,
    Grid,
    FrameHands,
    FrameAll,
    LookThrough,
    PreviousView,
    NextView,
    FirstView,
    LastView,
    Wipe,
    Side,
    Difference,
    NextCompare,
    PhotographAlone,
    ZoomToHands,
    Keypoints,
    Reconstruct,
    StartNew,
    Pause,
    Stop,
    FirstSnapshot,
    PreviousSnapshot,
    NextSnapshot,
    Live,
    Parameters,
    Pose,
    Findings,
    Capture,
    NextFinding,
    PreviousFinding,
    Curves,
    Developer,
    Palette,
    Keys,
    Close,
}

const fn plain(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}
const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}
const fn shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::SHIFT, key)
}
const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers { shift: true, ..Modifiers::COMMAND }, key)
}

/// Why a command that needs a capture cannot be carried out.
fn opened(session: &Session) -> Option<String> {
    session.capture.is_none().then(|| "Open a capture folder first (Ctrl+O)".to_owned())
}

fn with_snapshots(session: &Session) -> Option<String> {
    opened(session).or_else(|| session.track.frames().is_empty().then(|| "There are no snapshots yet".to_owned()))
}

fn with_findings(session: &Session) -> Option<String> {
    let why = match &session.diagnosis {
        None => "The capture is still being examined",
        Some(d) if d.findings.is_empty() => "Nothing was found",
        Some(_) => return opened(session),
    };
    opened(session).or_else(|| Some(why.to_owned()))
}

fn owned(why: Option<&str>) -> Option<String> {
    why.map(str::to_owned)
}

fn shade(session: &mut Session, shading: Shading) -> Option<Action> {
    session.ui.shading = shading;
    None
}

fn compare(session: &mut Session, mode: CompareMode) -> Option<Action> {
    session.ui.compare = mode;
    None
}

/// Shows a panel in place of the parameters, or the parameters again.
fn tab(session: &mut Session, tab: Tab) -> Option<Action> {
    session.ui.tab = if session.ui.tab == tab { Tab::Parameters } else { tab };
    None
}

/// Shows the pose panel; the hands are asked for the first time.
fn pose(session: &mut Session) -> Option<Action> {
    tab(session, Tab::Pose);
    let wanted = session.ui.tab == Tab::Pose && session.posing.is_none() && session.why_not_pose().is_none();
    wanted.then_some(Action::Pose(PoseAction::Begin))
}

fn close(session: &mut Session) -> Option<Action> {
    let ui = &mut session.ui;
    (ui.show_help, ui.show_developer, ui.show_export, ui.palette) = (false, false, false, None);
    None
}

fn is_anything_open(session: &Session) -> bool {
    let ui = &session.ui;
    ui.show_help || ui.show_developer || ui.show_export || ui.palette.is_some()
}

/// Every command of the window.
pub(crate) static TABLE: [Entry; Id::Close as usize + 1] = [
    Entry::new(Id::Open, Menu::File, "open-folder", "Open capture or run…", "Open a capture or run folder")
        .keys(&[ctrl(Key::O)])
        .when(|s| s.is_active().then(|| "Stop the run first".to_owned()))
        .does(|_| Some(Action::OpenDialog)),
    Entry::new(
        Id::ReadAgain,
        Menu::File,
        "read-again",
        "Read the capture again",
        "Read the open folder again, with what is set by hand under Capture",
    )
    .keys(&[ctrl_shift(Key::O)])
    .when(|s| owned(s.why_not_open_again()))
    .does(|_| Some(Action::OpenAgain)),
    Entry::new(
        Id::ResultsFolder,
        Menu::File,
        "results-folder",
        "Results folder…",
        "Choose the folder that runs are written to",
    )
    .when(opened)
    .does(|_| Some(Action::ResultsDialog)),
    Entry::new(Id::Export, Menu::File, "export-window", "Export…", "Write meshes and parameters")
        .keys(&[ctrl(Key::E)])
        .ruled()
        .when(|s| {
            let busy = s.exporting.is_some().then_some("An export is under way");
            owned(if s.ui.show_export { None } else { busy.or_else(|| s.why_not_export()) })
        })
        .does(|s| {
            s.ui.show_export = !s.ui.show_export;
            None
        }),
    Entry::new(Id::Undo, Menu::Edit, "undo", "Undo", "Take back the last edit; what was computed stays")
        .keys(&[ctrl(Key::Z)])
        .when(|s| s.undoable().is_none().then(|| "There is nothing to undo".to_owned()))
        .does(|_| Some(Action::Undo)),
    Entry::new(Id::Redo, Menu::Edit, "redo", "Redo", "Do again what was undone")
        .keys(&[ctrl_shift(Key::Z), ctrl(Key::Y)])
        .when(|s| s.redoable().is_none().then(|| "There is nothing to do again".to_owned()))
        .does(|_| Some(Action::Redo)),
    Entry::new(
        Id::ExcludeView,
        Menu::Edit,
        "exclude-view",
        "Exclude or include the view",
        "Take the selected view out of the next run, or back in",
    )
    .ruled()
    .keys(&[plain(Key::X)])
    .when(opened)
    .on(|s| s.excluded.contains(&s.selected))
    .does(|s| Some(Action::ToggleExclude(s.selected))),
    Entry::new(
        Id::HoldOutView,
        Menu::Edit,
        "hold-out-view",
        "Hold the view out, or fit it",
        "Keep the selected view from every stage of the next run, but compare it",
    )
    .keys(&[plain(Key::H)])
    .when(opened)
    .on(|s| s.held_out.contains(&s.selected))
    .does(|s| Some(Action::ToggleHoldOut(s.selected))),
    Entry::new(
        Id::IncludeAll,
        Menu::Edit,
        "include-all",
        "Include all views",
        "Let every view take part in the next run",
    )
    .when(|s| {
        let none = s.excluded.is_empty() && s.held_out.is_empty();
        opened(s).or_else(|| none.then(|| "No view is left out".to_owned()))
    })
    .does(|s| {
        s.excluded.clear();
        s.held_out.clear();
        None
    }),
    Entry::new(
        Id::ResetParameters,
        Menu::Edit,
        "reset-parameters",
        "Reset the parameters",
        "Back to the numbers of the preset",
    )
    .when(|s| s.overrides.is_empty().then(|| "Nothing is changed".to_owned()))
    .does(|s| {
        s.overrides.clear();
        None
    }),
    Entry::new(Id::Albedo, Menu::View, "albedo", "Albedo", "The colour of the skin without light")
        .keys(&[plain(Key::Num1)])
        .when(opened)
        .on(|s| s.ui.shading == Shading::Albedo)
        .does(|s| shade(s, Shading::Albedo)),
    Entry::new(Id::Clay, Menu::View, "clay", "Clay", "The surface alone, in grey under a lamp")
        .keys(&[plain(Key::Num2)])
        .when(opened)
        .on(|s| s.ui.shading == Shading::Clay)
        .does(|s| shade(s, Shading::Clay)),
    Entry::new(Id::Normals, Menu::View, "normals", "Normals", "The directions of the surface as colours")
        .keys(&[plain(Key::Num3)])
        .when(opened)
        .on(|s| s.ui.shading == Shading::Normals)
        .does(|s| shade(s, Shading::Normals)),
    Entry::new(Id::Cameras, Menu::View, "cameras", "Cameras", "Frustums and thumbnails")
        .keys(&[plain(Key::V)])
        .ruled()
        .when(opened)
        .on(|s| s.ui.show_cameras)
        .does(|s| {
            s.ui.show_cameras = !s.ui.show_cameras;
            None
        }),
    Entry::new(
        Id::Residuals,
        Menu::View,
        "residuals",
        "Residual",
        "Colour the cameras by how far their keypoints lie from the joints",
    )
    .when(opened)
    .on(|s| s.ui.show_residuals)
    .does(|s| {
        s.ui.show_residuals = !s.ui.show_residuals;
        None
    }),
    Entry::new(Id::Hands, Menu::View, "hand-meshes", "Hands", "The meshes").when(opened).on(|s| s.ui.show_hands).does(
        |s| {
            s.ui.show_hands = !s.ui.show_hands;
            None
        },
    ),
    Entry::new(Id::Joints, Menu::View, "joints", "Joints", "Triangulated 3D joints")
        .keys(&[plain(Key::J)])
        .when(opened)
        .on(|s| s.ui.show_joints)
        .does(|s| {
            s.ui.show_joints = !s.ui.show_joints;
            None
        }),
    Entry::new(Id::Grid, Menu::View, "grid", "Grid", "Grid of 10 cm squares through the middle of the capture")
        .when(opened)
        .on(|s| s.ui.show_grid)
        .does(|s| {
            s.ui.show_grid = !s.ui.show_grid;
            None
        }),
    Entry::new(Id::FrameHands, Menu::View, "frame-hands", "Frame the hands", "See the hands as large as they fit")
        .keys(&[plain(Key::F)])
        .ruled()
        .when(opened)
        .does(|_| Some(Action::Frame(Framed::Hands))),
    Entry::new(Id::FrameAll, Menu::View, "frame-everything", "Frame everything", "See all cameras")
        .keys(&[shift(Key::F)])
        .when(opened)
        .does(|_| Some(Action::Frame(Framed::Everything))),
    Entry::new(
        Id::LookThrough,
        Menu::View,
        "look-through",
        "Look through the camera",
        "See the hands as the selected camera saw them",
    )
    .keys(&[plain(Key::Enter)])
    .when(opened)
    .does(|s| Some(Action::FlyTo(s.selected))),
    Entry::new(Id::PreviousView, Menu::View, "previous-view", "Previous view", "Select the view before")
        .keys(&[plain(Key::OpenBracket)])
        .when(opened)
        .does(|_| Some(Action::SelectBy(-1))),
    Entry::new(Id::NextView, Menu::View, "next-view", "Next view", "Select the view after")
        .keys(&[plain(Key::CloseBracket)])
        .when(opened)
        .does(|_| Some(Action::SelectBy(1))),
    Entry::new(Id::FirstView, Menu::View, "first-view", "First view", "Select the first view of the list")
        .keys(&[plain(Key::OpenCurlyBracket)])
        .when(opened)
        .does(|_| Some(Action::SelectEnd(false))),
    Entry::new(Id::LastView, Menu::View, "last-view", "Last view", "Select the last view of the list")
        .keys(&[plain(Key::CloseCurlyBracket)])
        .when(opened)
        .does(|_| Some(Action::SelectEnd(true))),
    Entry::new(Id::Wipe, Menu::Compare, "wipe", "Wipe", "A handle divides photograph and render")
        .when(opened)
        .on(|s| s.ui.compare == CompareMode::Wipe)
        .does(|s| compare(s, CompareMode::Wipe)),
    Entry::new(Id::Side, Menu::Compare, "side-by-side", "Side", "Photograph and render beside each other")
        .when(opened)
        .on(|s| s.ui.compare == CompareMode::Side)
        .does(|s| compare(s, CompareMode::Side)),
    Entry::new(
        Id::Difference,
        Menu::Compare,
        "difference",
        "Difference",
        "Where photograph and render differ, as heat",
    )
    .keys(&[plain(Key::O)])
    .when(opened)
    .on(|s| s.ui.compare == CompareMode::Difference)
    .does(|s| compare(s, CompareMode::Difference)),
    Entry::new(Id::NextCompare, Menu::Compare, "next-compare", "Next way to compare", "Wipe, side, difference, …")
        .keys(&[plain(Key::C)])
        .when(opened)
        .does(|s| {
            let at = CompareMode::ALL.iter().position(|m| *m == s.ui.compare).unwrap_or(0);
            compare(s, CompareMode::ALL[(at + 1) % CompareMode::ALL.len()])
        }),
    Entry::new(
        Id::PhotographAlone,
        Menu::Compare,
        "photograph-alone",
        "Photograph alone",
        "The photograph in place of the render, to blink between them",
    )
    .keys(&[plain(Key::G)])
    .held()
    .ruled()
    .when(opened)
    .on(|s| s.ui.photograph_alone)
    .does(|s| {
        s.ui.photograph_alone = !s.ui.photograph_alone;
        None
    }),
    Entry::new(
        Id::ZoomToHands,
        Menu::Compare,
        "zoom-to-hands",
        "Zoom to the hands",
        "The part of the picture with the hands, or the whole of it",
    )
    .when(opened)
    .on(|s| s.ui.zoom_to_hands)
    .does(|s| {
        s.ui.zoom_to_hands = !s.ui.zoom_to_hands;
        None
    }),
    Entry::new(
        Id::Keypoints,
        Menu::Compare,
        "keypoints",
        "Keypoints",
        "What the detector saw in the photograph, drawn over it",
    )
    .when(opened)
    .on(|s| s.ui.show_keypoints)
    .does(|s| {
        s.ui.show_keypoints = !s.ui.show_keypoints;
        None
    }),
    Entry::new(
        Id::Reconstruct,
        Menu::Run,
        "reconstruct-or-resume",
        "Reconstruct, or resume",
        "Reconstruct the hands; an unfinished run goes on where it stopped",
    )
    .keys(&[ctrl(Key::R)])
    .when(|s| if s.why_not_resume().is_none() { None } else { s.why_not_start() })
    .does(|s| Some(if s.why_not_resume().is_none() { Action::Resume } else { Action::Start })),
    Entry::new(
        Id::StartNew,
        Menu::Run,
        "reconstruct-anew",
        "Reconstruct anew",
        "Reconstruct in a folder of its own; an unfinished run stays as it is",
    )
    .keys(&[ctrl_shift(Key::R)])
    .when(Session::why_not_start)
    .does(|_| Some(Action::Start)),
    Entry::new(Id::Pause, Menu::Run, "pause-or-go-on", "Pause, or go on", "Hold before the next step, or go on")
        .keys(&[plain(Key::T)])
        .when(|s| owned(s.why_not_pause()))
        .on(|s| s.state == RunState::Paused)
        .does(|_| Some(Action::TogglePause)),
    Entry::new(
        Id::Stop,
        Menu::Run,
        "stop-run",
        "Stop",
        "End the run; the last state is kept, can be exported and gone on with",
    )
    .when(|s| (!s.is_active()).then(|| "Nothing is running".to_owned()))
    .does(|_| Some(Action::Stop)),
    Entry::new(Id::FirstSnapshot, Menu::Run, "first-snapshot", "First snapshot", "Show the beginning of the run")
        .keys(&[plain(Key::Home)])
        .ruled()
        .when(with_snapshots)
        .does(|_| Some(Action::Scrub(0))),
    Entry::new(Id::PreviousSnapshot, Menu::Run, "previous-snapshot", "Previous snapshot", "One snapshot back")
        .keys(&[plain(Key::Comma)])
        .when(with_snapshots)
        .does(|_| Some(Action::ScrubBy(-1))),
    Entry::new(Id::NextSnapshot, Menu::Run, "next-snapshot", "Next snapshot", "One snapshot on")
        .keys(&[plain(Key::Period)])
        .when(with_snapshots)
        .does(|_| Some(Action::ScrubBy(1))),
    Entry::new(Id::Live, Menu::Run, "follow", "Live", "Follow the newest snapshot")
        .keys(&[plain(Key::End)])
        .when(with_snapshots)
        .on(|s| s.cursor.is_none())
        .does(|_| Some(Action::GoLive)),
    Entry::new(
        Id::Parameters,
        Menu::Window,
        "show-parameters",
        "Parameters",
        "What the next run is given: hands, folder, numbers of the preset",
    )
    .when(opened)
    .on(|s| s.ui.tab == Tab::Parameters)
    .does(|s| {
        s.ui.tab = Tab::Parameters;
        None
    }),
    Entry::new(Id::Pose, Menu::Window, "show-pose", "Pose", "Move the hands with sliders, in place of the parameters")
        .when(opened)
        .on(|s| s.ui.tab == Tab::Pose)
        .does(pose),
    Entry::new(
        Id::Findings,
        Menu::Window,
        "show-findings",
        "Findings",
        "What is wrong with this capture, and what is done about it",
    )
    .when(opened)
    .on(|s| s.ui.tab == Tab::Findings)
    .does(|s| tab(s, Tab::Findings)),
    Entry::new(
        Id::Capture,
        Menu::Window,
        "show-capture",
        "Capture",
        "How the capture was read, and why; set it by hand",
    )
    .keys(&[plain(Key::I)])
    .when(opened)
    .on(|s| s.ui.tab == Tab::Capture)
    .does(|s| tab(s, Tab::Capture)),
    Entry::new(Id::NextFinding, Menu::Window, "next-finding", "Next finding", "Select the next finding and its view")
        .keys(&[plain(Key::N)])
        .when(with_findings)
        .does(|_| Some(Action::FindingBy(1))),
    Entry::new(
        Id::PreviousFinding,
        Menu::Window,
        "previous-finding",
        "Previous finding",
        "Select the previous finding and its view",
    )
    .keys(&[shift(Key::N)])
    .when(with_findings)
    .does(|_| Some(Action::FindingBy(-1))),
    Entry::new(Id::Curves, Menu::Window, "curves", "Curves and log", "Loss curves, timeline and log")
        .ruled()
        .when(opened)
        .on(|s| s.ui.show_curves)
        .does(|s| {
            s.ui.show_curves = !s.ui.show_curves;
            None
        }),
    Entry::new(Id::Developer, Menu::Window, "developer", "Figures for developers", "How long each phase takes")
        .keys(&[plain(Key::F12)])
        .on(|s| s.ui.show_developer)
        .does(|s| {
            s.ui.show_developer = !s.ui.show_developer;
            None
        }),
    Entry::new(Id::Palette, Menu::Help, "palette", "Search commands…", "Find a command by a few letters of it")
        .keys(&[ctrl(Key::K), ctrl(Key::P)])
        .on(|s| s.ui.palette.is_some())
        .does(|s| {
            s.ui.palette = if s.ui.palette.is_some() { None } else { Some(Default::default()) };
            None
        }),
    Entry::new(Id::Keys, Menu::Help, "keys", "Keys and mouse", "The sheet of all keys")
        .keys(&[plain(Key::F1)])
        .on(|s| s.ui.show_help)
        .does(|s| {
            s.ui.show_help = !s.ui.show_help;
            None
        }),
    Entry::new(Id::Close, Menu::Help, "close-windows", "Close what lies on top", "Close the small windows")
        .keys(&[plain(Key::Escape)])
        .when(|s| (!is_anything_open(s)).then(|| "Nothing is open".to_owned()))
        .does(close),
];
