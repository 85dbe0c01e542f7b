//! The panels: one file each, pure egui over [`Session`], so that they run without a window. They draw, and they answer with
//! [`Action`]s; none of them talks to the worker or to Bevy.

mod access;
mod capture;
mod closing;
mod compare;
mod compare_stage;
mod developer;
mod dock;
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

pub(super) use dock::EDGE;
pub(super) use textures::Textures;
pub(super) use theme::apply as apply_theme;

use super::commands;
use super::docks::Pane;
use super::session::{Action, Session};
use egui::{Context, LayerId, Panel, Rect, Ui, UiBuilder};

/// Least size of the window, points: the panels are laid out so that nothing overlaps down to it.
pub(super) const LEAST_SIZE: [f32; 2] = [1000.0, 700.0];
/// Height of the timeline, points.
const TIMELINE: f32 = 40.0;

/// Draws everything and returns the rectangle that is left for the 3D view, in points.
pub(super) fn layout(ctx: &Context, session: &mut Session, textures: &mut Textures, actions: &mut Vec<Action>) -> Rect {
    session.notice_edits();
    commands::keys(ctx, session, actions);
    textures.follow(ctx, session);
    let builder = UiBuilder::new().layer_id(LayerId::background()).max_rect(ctx.viewport_rect());
    let mut root = Ui::new(ctx.clone(), egui::Id::new("thenar"), builder);
    Panel::top("menu").frame(theme::menu_frame()).resizable(false).show_separator_line(false).show(&mut root, |ui| {
        menu::show(ui, session, actions);
    });
    Panel::top("top")
        .frame(theme::bar_frame())
        .resizable(false)
        .show(&mut root, |ui| top_bar::show(ui, session, actions));
    overlay::banner(&mut root, session, actions);
    if session.capture.is_none() {
        let rect = root.available_rect_before_wrap();
        empty::show(&mut root, session, textures, actions);
        windows(ctx, session, rect, actions);
        return Rect::from_min_size(rect.center(), egui::Vec2::ZERO);
    }
    if session.ui.shows(Pane::Timeline) {
        Panel::bottom("timeline")
            .frame(theme::timeline_frame())
            .resizable(false)
            .exact_size(TIMELINE)
            .show(&mut root, |ui| timeline::show(ui, session, actions));
    }
    let body = root.available_rect_before_wrap();
    let view = dock::show(&mut root, session, textures, actions);
    windows(ctx, session, view.unwrap_or(body), actions);
    view.unwrap_or_else(|| Rect::from_min_size(body.center(), egui::Vec2::ZERO))
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
    closing::show(ctx, session, view, actions);
}

#[cfg(test)]
mod tests;
