//! Commands about captures, files, and what the next run is given.

use super::table::{Id, ctrl, ctrl_shift, opened, owned, plain};
use super::{Entry, Menu};
use crate::studio::session::Action;
use egui::Key;

/// The rows.
pub(super) const ROWS: [Entry; 13] = [
    Entry::new(Id::Open, Menu::File, "open-folder", "Open capture or run…", "Open a capture or run folder")
        .keys(&[ctrl(Key::O)])
        .when(|s| s.is_active().then(|| "Stop the run first".to_owned()))
        .does(|_| Some(Action::OpenDialog)),
    Entry::new(
        Id::Sample,
        Menu::File,
        "try-sample",
        "Try the sample",
        "Open a small synthetic capture of two hands; it is made in your data folder the first time",
    )
    .when(|s| owned(s.why_no_sample()))
    .does(|_| Some(Action::TrySample)),
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
    Entry::new(
        Id::SaveCurves,
        Menu::File,
        "save-curves",
        "Save the curves as CSV",
        "Write the losses of all steps of the runs that are shown as a table into exports/ of the run folder",
    )
    .when(|s| owned(s.why_no_curves()))
    .does(|_| Some(Action::SaveCurves)),
    Entry::new(Id::Quit, Menu::File, "quit", "Quit", "Close the window; asks first while a run is under way")
        .keys(&[ctrl(Key::Q)])
        .ruled()
        .does(|_| Some(Action::Quit)),
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
];
