//! Pictures of the panels, held against those in `tests/snapshots`. A change that is meant: look at the new pictures
//! (`*.new.png`, `*.diff.png` beside the old ones), then `UPDATE_SNAPSHOTS=1 cargo test --lib snapshots`.

use super::painter::Painter;
use super::*;
use crate::studio::ui_state::Arrangement;
use egui_kittest::{Harness, SnapshotError, SnapshotOptions};

/// The window of `bench`, drawn without one.
fn window(bench: Bench, light: bool) -> Harness<'static, Bench> {
    let size = bench.size;
    let mut themed = false;
    Harness::builder().with_size(size).renderer(Painter::default()).build_ui_state(
        move |ui, bench: &mut Bench| {
            if !themed {
                apply_theme(ui.ctx(), light);
                // What blinks or grows would make a picture depend on its moment.
                ui.ctx().all_styles_mut(|s| {
                    s.animation_time = 0.0;
                    s.visuals.text_cursor.blink = false;
                });
                themed = true;
                ui.ctx().request_repaint();
            }
            let ctx = ui.ctx().clone();
            layout(&ctx, &mut bench.session, &mut bench.textures, &mut Vec::new());
        },
        bench,
    )
}

/// Textures of a bench belong to its own context: a new one makes them anew.
fn picture(mut bench: Bench, light: bool) -> image::RgbaImage {
    bench.textures = Textures::default();
    // How long the bench took to get there is no matter of its picture.
    bench.session.log.iter_mut().for_each(|line| line.at = 0.0);
    let mut harness = window(bench, light);
    harness.run_steps(4);
    harness.render().expect("the window is drawn")
}

fn options() -> SnapshotOptions {
    // A few pixels may differ: letters are rasterised with sines and roots, which are not the same on every machine.
    SnapshotOptions::new().failed_pixel_count_threshold(20)
}

fn holds(name: &str, image: &image::RgbaImage) {
    if let Err(error) = egui_kittest::try_image_snapshot_options(image, name, &options()) {
        panic!("{error}");
    }
}

fn snapshot(name: &str, bench: Bench) {
    holds(name, &picture(bench, false));
}

#[test]
fn the_empty_window() {
    snapshot("empty", Bench::new());
}

#[test]
fn an_opened_capture() {
    let mut bench = Bench::opened();
    bench.session.ui.bring(Pane::Findings);
    snapshot("opened", bench);
}

#[test]
fn a_finished_run() {
    snapshot("finished", Bench::finished());
}

#[test]
fn a_finished_run_in_the_light() {
    holds("finished_light", &picture(Bench::finished(), true));
}

#[test]
fn the_least_window() {
    let mut bench = Bench::finished();
    bench.size = vec2(LEAST_SIZE[0], LEAST_SIZE[1]);
    bench.session.ui.bring(Pane::Pose);
    snapshot("least", bench);
}

#[test]
fn the_layouts_of_newcomers_and_of_comparing() {
    for (name, arrangement) in [("simple", Arrangement::Simple), ("compare", Arrangement::Compare)] {
        let mut bench = Bench::finished();
        bench.session.ui.arrangement = arrangement;
        snapshot(name, bench);
    }
}

#[test]
fn an_error_and_the_sheet_of_keys() {
    let mut bench = Bench::opened();
    bench.session.ui.show_help = true;
    bench.session.banner = Some(crate::studio::Problem {
        what: "The run was not started".to_owned(),
        meaning: "the disk is full".to_owned(),
        remedy: "Free some space, or choose another folder".to_owned(),
    });
    snapshot("error_and_keys", bench);
}

#[test]
fn the_export_window() {
    let mut bench = Bench::finished();
    bench.session.ui.show_export = true;
    snapshot("export", bench);
}

#[test]
fn a_changed_window_is_noticed() {
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        // Differences are written, not told of.
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let into = options().output_path(folder.path());
    let before = picture(Bench::opened(), false);
    before.save(folder.path().join("window.png")).expect("writes");
    let check = |image: &image::RgbaImage| egui_kittest::try_image_snapshot_options(image, "window", &into);
    assert!(check(&picture(Bench::opened(), false)).is_ok(), "drawn twice, it is the same");
    let mut changed = Bench::opened();
    let _ = changed.session.apply(Action::ToggleExclude(1));
    let found = check(&picture(changed, false));
    assert!(matches!(found, Err(SnapshotError::Diff { diff, .. }) if diff > 100), "an excluded view shows: {found:?}");
}
