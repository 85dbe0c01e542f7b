//! The words between the panels, the session and the rest: states, actions, effects, log lines.

use super::closing::Leave;
use super::other_runs::RunsAction;
use super::picture_edits::EditAction;
use super::posing::PoseAction;
use super::timeline::TimeAction;
use crate::studio::backend::ExportRequest;
use crate::studio::worker::Command;
use std::path::PathBuf;
use std::time::Instant;

/// Where the run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RunState {
    /// Nothing was started.
    #[default]
    Idle,
    /// Reconstruct was pressed, the engine is being made.
    Starting,
    /// Stepping.
    Running,
    /// Held.
    Paused,
    /// All stages done.
    Finished,
    /// Ended by the user.
    Stopped,
    /// Ended by an error.
    Failed,
}

/// What a folder is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// The capture or run to open.
    Capture,
    /// Exported files.
    Export,
    /// The folders of runs.
    Results,
    /// MANO's files.
    Hand,
}

/// Good news on show.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// The words.
    pub text: String,
    /// Since when.
    pub at: Instant,
    /// Folder that it is about.
    pub folder: Option<PathBuf>,
}

/// Files that are being written.
#[derive(Clone, Debug)]
pub(crate) struct Exporting {
    /// Formats, as people write them.
    pub formats: String,
    /// Since when.
    pub since: Instant,
}

/// What the 3D view is to show as large as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    /// The hands; everything while there are none.
    Hands,
    /// All cameras.
    Everything,
}

/// How bad a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// For information.
    Info,
    /// Something to look at.
    Warning,
    /// Something failed.
    Error,
}

/// A line of the log panel.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    /// Seconds since the window opened.
    pub at: f64,
    /// How bad.
    pub level: Level,
    /// The words.
    pub text: String,
}

/// What a user asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Show the folder dialog.
    OpenDialog,
    /// Open a folder.
    Open(PathBuf),
    /// Read the open capture again, with what is set by hand.
    OpenAgain,
    /// Try the folder again that could not be read.
    OpenRefused,
    /// Reconstruct anew.
    Start,
    /// Go on with the unfinished run.
    Resume,
    /// Train the network on the run that is open.
    TrainNetwork,
    /// Pause or go on.
    TogglePause,
    /// End the run.
    Stop,
    /// Select a view.
    Select(usize),
    /// Select the next (+1) or previous (−1) view.
    SelectBy(isize),
    /// Select the last (true) or the first view.
    SelectEnd(bool),
    /// Look through a camera.
    FlyTo(usize),
    /// Look at the hands or at everything.
    Frame(Framed),
    /// Select a finding and its view.
    Finding(usize),
    /// Select the next (+1) or previous (−1) finding, and show the list.
    FindingBy(isize),
    /// Take a view out of the next run, or back in.
    ToggleExclude(usize),
    /// Keep a view from every stage of the next run but compare it, or let it take part again.
    ToggleHoldOut(usize),
    /// Undo the last edit.
    Undo,
    /// Do again what was undone.
    Redo,
    /// Choose the folder that runs are written to.
    ResultsDialog,
    /// Choose the folder with MANO's files.
    HandFolderDialog,
    /// Write runs into this folder; `None` = beside the capture.
    SetResults(Option<PathBuf>),
    /// Play, jump to marks, pin.
    Time(TimeAction),
    /// Show the snapshot with this index.
    Scrub(usize),
    /// Show the next or previous snapshot.
    ScrubBy(isize),
    /// Follow the newest snapshot again.
    GoLive,
    /// Write result files.
    Export(ExportRequest),
    /// Curves of other runs.
    Runs(RunsAction),
    /// Make the sample capture, if it is not there, and open it.
    TrySample,
    /// Write the curves as a table.
    SaveCurves,
    /// Choose the export folder.
    ExportDialog,
    /// Change keypoints or the mask of a view.
    Edit(EditAction),
    /// Move the hands.
    Pose(PoseAction),
    /// Show a folder in the desktop's file manager.
    Reveal(PathBuf),
    /// Take a folder that was chosen in a dialog, or typed where there is none.
    Take(Folder, PathBuf),
    /// Go on with rates of half the size.
    HalveRates,
    /// Close the window; asks first while a run is under way.
    Quit,
    /// The answer to that question.
    Leave(Leave),
    /// Say no more of the run that was under way the last time.
    DismissInterrupted,
    /// Close the notice.
    DismissNotice,
    /// Close the banner.
    DismissBanner,
}

/// What has to happen outside the session because of an [`Action`].
#[derive(Debug)]
pub(crate) enum Effect {
    /// Send to the worker.
    Send(Command),
    /// Pause (true) or go on.
    Pause(bool),
    /// Tell the run these numbers, then go on.
    GoOnWith(Vec<Command>),
    /// End the run.
    Cancel,
    /// Show the dialog for a capture folder.
    OpenDialog,
    /// Show the dialog for an export folder.
    ExportDialog,
    /// Show the dialog for the folder of runs.
    ResultsDialog,
    /// Show the dialog for the folder with MANO's files.
    HandFolderDialog,
    /// Show a folder in the desktop's file manager.
    Reveal(PathBuf),
    /// Move the 3D camera into a view.
    FlyTo(usize),
    /// Move the 3D camera to see this.
    Frame(Framed),
}
