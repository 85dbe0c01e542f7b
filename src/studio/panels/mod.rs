//! The panels: one file each, pure egui over [`Session`], so that they run without a window. They draw, and they answer with
//! [`Action`]s; none of them talks to the worker or to Bevy.

mod capture;
mod compare;
mod compare_stage;
mod developer;
mod edit_stage;
mod empty;
mod export;
mod export_preview;
mod findings;
mod frames;
mod hand_model;
mod help;
mod inspector;
mod legend;
mod log;
mod loss;
mod loss_axis;
mod loss_runs;
mod menu;
mod overlay;
mod palette;
mod pose;
mod run_options;
mod textures;
mod theme;
mod timeline;
mod top_bar;
mod views;

pub(super) use textures::Textures;
pub(super) use theme::apply as apply_theme;

use super::commands;
use super::session::{Action, Session};
use super::ui_state::{Arrangement, Tab};
use egui::{Context, LayerId, Panel, Rect, Ui, UiBuilder};

/// Least size of the window, points: the panels are laid out so that nothing overlaps down to it.
pub(super) const LEAST_SIZE: [f32; 2] = [1000.0, 700.0];
/// What the panels around it leave to the 3D view: its buttons fit.
const CENTRE_WIDTH: f32 = 500.0;
/// What curves and log leave to the rest of the window.
const REST_HEIGHT: f32 = 430.0;
/// What the log leaves to the curves.
const CURVES_WIDTH: f32 = 420.0;
/// What the parameters leave to the pictures above them.
const COMPARE_HEIGHT: f32 = 175.0;

/// Draws everything and returns the rectangle that is left for the 3D view, in points.
pub(super) fn layout(ctx: &Context, session: &mut Session, textures: &mut Textures, actions: &mut Vec<Action>) -> Rect {
    session.notice_edits();
    commands::keys(ctx, session, actions);
    textures.follow(ctx, session);
    let builder = UiBuilder::new().layer_id(LayerId::background()).max_rect(ctx.viewport_rect());
    let mut root = Ui::new(ctx.clone(), egui::Id::new("thenar"), builder);
    let screen = ctx.viewport_rect();
    let bar = theme::bar_frame();
    let side = theme::side_frame();
    Panel::top("menu").frame(theme::menu_frame()).resizable(false).show_separator_line(false).show(&mut root, |ui| {
        menu::show(ui, session, actions);
    });
    Panel::top("top").frame(bar).resizable(false).show(&mut root, |ui| top_bar::show(ui, session, actions));
    overlay::banner(&mut root, session, actions);
    if session.capture.is_none() {
        let rect = root.available_rect_before_wrap();
        empty::show(&mut root, session, textures, actions);
        windows(ctx, session, rect, actions);
        return Rect::from_min_size(rect.center(), egui::Vec2::ZERO);
    }
    let arrangement = session.ui.arrangement;
    if arrangement == Arrangement::Simple {
        Panel::bottom("simple timeline")
            .frame(side)
            .resizable(false)
            .exact_size(52.0)
            .show(&mut root, |ui| timeline::show(ui, session, actions));
    } else if session.ui.show_curves {
        curves(&mut root, session, actions);
    }
    Panel::left("views")
        .frame(side)
        .resizable(true)
        .default_size((screen.width() * 0.13).clamp(172.0, 230.0))
        .size_range(140.0..=(screen.width() * 0.2).clamp(172.0, 420.0))
        .show(&mut root, |ui| views::show(ui, session, textures, actions));
    let centre = match arrangement {
        Arrangement::Simple => root.available_rect_before_wrap(),
        Arrangement::Studio => {
            inspector_beside(&mut root, session, textures, actions);
            root.available_rect_before_wrap()
        }
        Arrangement::Compare => compare_first(&mut root, session, textures, actions),
    };
    overlay::viewport(&mut root, centre, session, textures, actions);
    legend::show(&root, centre, session);
    windows(ctx, session, centre, actions);
    centre
}

/// Loss curves, log and timeline along the lower edge.
fn curves(root: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let screen = root.ctx().viewport_rect();
    let height = (screen.height() * 0.24).clamp(150.0, 320.0);
    Panel::bottom("bottom")
        .frame(theme::side_frame())
        .resizable(true)
        .default_size(height)
        .size_range(120.0..=(screen.height() - REST_HEIGHT).clamp(150.0, screen.height() * 0.6))
        .show(root, |ui| {
            Panel::bottom("timeline")
                .frame(egui::Frame::NONE)
                .resizable(false)
                .show_separator_line(false)
                .exact_size(40.0)
                .show(ui, |ui| timeline::show(ui, session, actions));
            let log_width = (ui.available_width() * 0.3).clamp(200.0, 460.0);
            Panel::right("log")
                .frame(theme::inner_frame())
                .resizable(true)
                .default_size(log_width)
                .size_range(140.0..=(ui.available_width() - CURVES_WIDTH).clamp(200.0, 700.0))
                .show(ui, |ui| log::show(ui, session));
            loss::show(ui, session, actions);
        });
}

/// Pictures above, parameters or what stands in their place below, to the right of the 3D view.
fn inspector_beside(root: &mut Ui, session: &mut Session, textures: &mut Textures, actions: &mut Vec<Action>) {
    let screen = root.ctx().viewport_rect();
    let widest = (root.available_width() - CENTRE_WIDTH).clamp(280.0, 900.0);
    Panel::right("inspector")
        .frame(theme::side_frame())
        .resizable(true)
        .default_size((screen.width() * 0.26).clamp(300.0, 460.0).min(widest))
        .size_range(260.0..=widest)
        .show(root, |ui| {
            let height = ui.available_height();
            Panel::bottom("parameters")
                .frame(theme::inner_frame())
                .resizable(true)
                .default_size((height * 0.42 + 35.0).min((height - COMPARE_HEIGHT).max(80.0)))
                .size_range(80.0..=(height - COMPARE_HEIGHT).clamp(80.0, height * 0.8))
                .show(ui, |ui| tab(ui, session, textures, actions));
            compare::show(ui, session, textures, actions);
        });
}

/// The pictures in the middle, the 3D view above the parameters to their right; the place of the 3D view.
fn compare_first(root: &mut Ui, session: &mut Session, textures: &mut Textures, actions: &mut Vec<Action>) -> Rect {
    let mut view = Rect::NOTHING;
    Panel::right("beside the pictures")
        // The 3D view lies under the panels: what is filled hides it.
        .frame(egui::Frame::NONE)
        .resizable(true)
        .default_size(CENTRE_WIDTH)
        .size_range(CENTRE_WIDTH - 60.0..=(root.available_width() - 260.0).max(CENTRE_WIDTH))
        .show(root, |ui| {
            let height = ui.available_height();
            Panel::bottom("parameters beside the pictures")
                .frame(theme::side_frame())
                .resizable(true)
                .default_size(height * 0.45)
                .size_range(80.0..=height * 0.6)
                .show(ui, |ui| tab(ui, session, textures, actions));
            view = ui.available_rect_before_wrap();
        });
    egui::CentralPanel::default().frame(theme::side_frame()).show(root, |ui| {
        compare::show(ui, session, textures, actions);
    });
    view
}

/// Parameters, or what stands in their place.
fn tab(ui: &mut Ui, session: &mut Session, textures: &Textures, actions: &mut Vec<Action>) {
    match session.ui.tab {
        Tab::Parameters => {
            run_options::show(ui, session, actions);
            inspector::show(ui, session, actions);
        }
        Tab::Pose => pose::show(ui, session, actions),
        Tab::Capture => capture::show(ui, session, actions),
        Tab::Findings => findings::show(ui, session, textures, actions),
    }
}

fn windows(ctx: &Context, session: &mut Session, view: Rect, actions: &mut Vec<Action>) {
    if session.exporting.is_some() {
        overlay::exporting(ctx, session, view);
    } else {
        overlay::notice(ctx, session, view, actions);
    }
    overlay::drop_target(ctx, session);
    export::show(ctx, session, actions);
    help::show(ctx, session);
    palette::show(ctx, session, actions);
    developer::show(ctx, session);
}

#[cfg(test)]
mod tests;
