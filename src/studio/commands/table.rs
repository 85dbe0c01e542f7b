//! The table itself: a row a command, in the order of the menus.

use super::Entry;
use super::{edit_rows, panel_rows, run_rows, sight_rows, work_rows};
use crate::studio::session::Session;
use egui::{Key, KeyboardShortcut, Modifiers};

/// The commands in the order of [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Open,
    Sample,
    ReadAgain,
    ResultsFolder,
    Export,
    SaveCurves,
    Quit,
    Undo,
    Redo,
    ExcludeView,
    HoldOutView,
    IncludeAll,
    ResetParameters,
    EditKeypoints,
    KeypointUnseen,
    SwapSides,
    Brush,
    Eraser,
    Polygon,
    ClosePolygon,
    SmallerBrush,
    LargerBrush,
    RevertKeypoints,
    RevertMask,
    Albedo,
    Clay,
    Normals,
    Neural,
    Lit,
    Wire,
    Coverage,
    Displacement,
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
    WorstView,
    WorstFirst,
    ByResidual,
    ByPsnr,
    ByIou,
    Wipe,
    Side,
    Difference,
    Overlay,
    NextCompare,
    PhotographAlone,
    ZoomToHands,
    WholePicture,
    Keypoints,
    Reconstruct,
    StartNew,
    Pause,
    Stop,
    TrainNetwork,
    FirstSnapshot,
    PreviousSnapshot,
    NextSnapshot,
    Live,
    Play,
    PreviousMark,
    NextMark,
    Pin,
    Loop,
    Slower,
    Faster,
    Views,
    View3d,
    ComparePanel,
    Parameters,
    Pose,
    Findings,
    Capture,
    Curves,
    Log,
    Timeline,
    NextPanel,
    PreviousPanel,
    NextFinding,
    PreviousFinding,
    Developer,
    Simple,
    Studio,
    ComparePictures,
    ResetLayout,
    LightPanels,
    Larger,
    Smaller,
    UsualSize,
    Palette,
    Keys,
    Close,
}

/// Number of commands.
const COUNT: usize = Id::Close as usize + 1;

/// Every command of the window. (A section that is too short or too long does not compile.)
pub(crate) static TABLE: [Entry; COUNT] = {
    let sections: [&[Entry]; 5] =
        [&work_rows::ROWS, &edit_rows::ROWS, &sight_rows::ROWS, &run_rows::ROWS, &panel_rows::ROWS];
    let mut table = [work_rows::ROWS[0]; COUNT];
    let (mut section, mut at) = (0, 0);
    while section < sections.len() {
        let mut row = 0;
        while row < sections[section].len() {
            table[at] = sections[section][row];
            row += 1;
            at += 1;
        }
        section += 1;
    }
    assert!(at == COUNT, "as many rows as ids");
    table
};

pub(super) const fn plain(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

pub(super) const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

pub(super) const fn shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::SHIFT, key)
}

pub(super) const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers { shift: true, ..Modifiers::COMMAND }, key)
}

/// Why a command that needs a capture cannot be carried out.
pub(super) fn opened(session: &Session) -> Option<String> {
    session.capture.is_none().then(|| "Open a capture folder first (Ctrl+O)".to_owned())
}

pub(super) fn owned(why: Option<&str>) -> Option<String> {
    why.map(str::to_owned)
}
