//! What lies over the rest: the error banner, passing notices, the buttons on the 3D view.

use super::theme::{ACCENT, AMBER, PANEL, RED, TEXT, WEAK, button};
use crate::studio::session::{Action, PoseAction, Session};
use crate::studio::ui_state::{Shading, Tab};
use egui::{
    Align, Align2, Area, Color32, Context, Frame, Layout, Margin, Order, Panel, Rect, RichText, Stroke, Ui, UiBuilder,
    vec2,
};
use std::time::Duration;

/// Seconds a notice stays.
const NOTICE: Duration = Duration::from_secs(8);

/// Error: what happened, what it means, what to do.
pub(super) fn banner(root: &mut Ui, session: &Session, actions: &mut Vec<Action>) {
    let Some(problem) = &session.banner else { return };
    let frame = Frame::NONE.fill(Color32::from_rgb(62, 32, 32)).inner_margin(Margin::symmetric(12, 8));
    Panel::top("banner").frame(frame).resizable(false).show(root, |ui| {
        ui.horizontal(|ui| {
            ui.label(RichText::new("✖").color(RED).size(18.0));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button("Dismiss").clicked() {
                    actions.push(Action::DismissBanner);
                }
                ui.with_layout(Layout::top_down(Align::Min), |ui| {
                    ui.add(egui::Label::new(RichText::new(&problem.what).strong().color(Color32::WHITE)).wrap());
                    ui.add(egui::Label::new(RichText::new(&problem.meaning).color(TEXT)).wrap());
                    ui.add(
                        egui::Label::new(RichText::new(format!("What to do: {}", problem.remedy)).color(AMBER)).wrap(),
                    );
                });
            });
        });
    });
}

/// Good news, for a few seconds.
pub(super) fn notice(ctx: &Context, session: &mut Session) {
    if session.notice.as_ref().is_some_and(|(_, at)| at.elapsed() > NOTICE) {
        session.notice = None;
    }
    let Some((text, _)) = &session.notice else { return };
    Area::new(egui::Id::new("notice")).order(Order::Foreground).anchor(Align2::CENTER_TOP, [0.0, 84.0]).show(
        ctx,
        |ui| {
            let frame = Frame::NONE
                .fill(Color32::from_rgb(24, 48, 46))
                .stroke(Stroke::new(1.0, ACCENT))
                .corner_radius(6)
                .inner_margin(Margin::symmetric(14, 8));
            frame.show(ui, |ui| ui.label(RichText::new(format!("✔ {text}")).color(TEXT)));
        },
    );
}

/// A folder hangs over the window.
pub(super) fn drop_target(ctx: &Context, session: &Session) {
    if !session.ui.drop_hover {
        return;
    }
    let rect = ctx.viewport_rect();
    let painter = ctx.layer_painter(egui::LayerId::new(Order::Foreground, egui::Id::new("drop")));
    painter.rect_filled(rect, 0.0, Color32::from_black_alpha(170));
    painter.rect_stroke(rect.shrink(14.0), 8.0, Stroke::new(3.0, ACCENT), egui::StrokeKind::Inside);
    painter.text(rect.center(), Align2::CENTER_CENTER, "Drop to open", egui::FontId::proportional(26.0), TEXT);
}

/// Opens and closes the pose panel; opening it asks for the hands, if they can be had.
fn pose(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let open = session.ui.tab == Tab::Pose;
    let response = ui.selectable_label(open, "Pose");
    if !response.on_hover_text("Move the hands with sliders, in place of the parameters").clicked() {
        return;
    }
    session.ui.tab = if open { Tab::Parameters } else { Tab::Pose };
    if !open && session.posing.is_none() && session.why_not_pose().is_none() {
        actions.push(Action::Pose(PoseAction::Begin));
    }
}

/// Shading modes and switches.
fn buttons(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    for (i, shading) in Shading::ALL.into_iter().enumerate() {
        let on = session.ui.shading == shading;
        let response = ui.selectable_label(on, shading.name()).on_hover_text(format!("Key {}", i + 1));
        if response.clicked() {
            session.ui.shading = shading;
        }
    }
    ui.add_space(8.0);
    ui.toggle_value(&mut session.ui.show_cameras, "Cameras").on_hover_text("Frustums and thumbnails (V)");
    ui.toggle_value(&mut session.ui.show_residuals, "Residual")
        .on_hover_text("Colour the cameras by how far their keypoints lie from the joints");
    ui.toggle_value(&mut session.ui.show_joints, "Joints").on_hover_text("Triangulated 3D joints");
    ui.toggle_value(&mut session.ui.show_grid, "Grid")
        .on_hover_text("Grid of 10 cm squares through the middle of the capture");
    pose(ui, session, actions);
    if button(ui, "Frame", None, "See everything (F)") {
        actions.push(Action::Frame);
    }
}

/// Shading modes and switches on the 3D view, and what it shows.
pub(super) fn viewport(root: &mut Ui, rect: Rect, session: &mut Session, actions: &mut Vec<Action>) {
    let bar = Rect::from_min_size(rect.min + vec2(10.0, 8.0), vec2(rect.width() - 20.0, 24.0));
    let layout = Layout::left_to_right(Align::Center);
    // Opaque: frustums must not show through between the words.
    let frame = Frame::NONE.fill(PANEL).corner_radius(4).inner_margin(Margin::symmetric(4, 1));
    root.scope_builder(UiBuilder::new().max_rect(bar).layout(layout), |ui| {
        frame.show(ui, |ui| buttons(ui, session, actions));
    });
    let text = session.shown.as_ref().map_or_else(
        || "drag: orbit · right drag: pan · wheel: zoom · double-click a camera: look through it".to_owned(),
        |s| {
            let vertices: usize = s.hands.iter().map(|h| h.positions.len()).sum();
            let joints = s.joints.iter().flatten().count();
            format!("{} hands · {vertices} vertices · {joints} sets of joints", s.hands.len())
        },
    );
    let painter = root.painter();
    painter.text(
        rect.left_bottom() + vec2(12.0, -8.0),
        Align2::LEFT_BOTTOM,
        text,
        egui::FontId::proportional(11.5),
        WEAK,
    );
}
