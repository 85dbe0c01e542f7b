//! What lies over the rest: the error banner, passing notices, the buttons on the 3D view.

use super::access::Named as _;
use super::menu::{tool, tool_called};
use super::textures::Textures;
use super::theme::{ACCENT, AMBER, PANEL, RED, TEXT, WEAK, WELL, button};
use crate::studio::commands::Id;
use crate::studio::session::{Action, Folder, Session};
use egui::{
    Align, Align2, Area, Color32, Context, Frame, Layout, Margin, Order, Panel, Rect, RichText, Stroke, TextEdit, Ui,
    UiBuilder, vec2,
};
use std::time::Duration;

/// Seconds a notice stays.
const NOTICE: Duration = Duration::from_secs(8);
/// And one with buttons.
const NOTICE_WITH_BUTTONS: Duration = Duration::from_secs(60);

/// Error: what happened, what it means, what to do.
pub(super) fn banner(root: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let Some(problem) = session.banner.clone() else { return };
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
                    let help = "Learning rates of HAM, from the checkpoint on; the numbers stay so for the next run";
                    if session.is_too_fast() && button(ui, "Halve the rates and go on", None, help) {
                        actions.push(Action::HalveRates);
                    }
                    typed_folder(ui, session, actions);
                    super::capture::refused(ui, session, actions);
                });
            });
        });
    });
}

/// The field for a folder that no dialog can be asked for.
fn typed_folder(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    let Some((what, text)) = &mut session.typed else { return };
    let (hint, verb) = match what {
        Folder::Capture => ("path of a capture or run folder", "Open"),
        Folder::Export => ("path of the folder to export to", "Use"),
        Folder::Results => ("path of the folder that runs are written to", "Use"),
        Folder::Hand => ("path of the folder with MANO_RIGHT.pkl", "Use"),
    };
    ui.horizontal(|ui| {
        let width = (ui.available_width() - 80.0).clamp(120.0, 520.0);
        let edit = ui.add(TextEdit::singleline(text).hint_text(hint).desired_width(width)).named(hint);
        let entered = edit.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        let path = text.trim();
        let why_not = path.is_empty().then_some("Type a path first");
        if (button(ui, verb, why_not, hint) || entered) && why_not.is_none() {
            actions.push(Action::Take(*what, path.into()));
        }
    });
}

/// A frame for what passes, news and progress: in the upper middle of the 3D view, where it covers neither panels nor buttons.
fn passing(ctx: &Context, name: &str, at: Rect, session: &Session, add: impl FnOnce(&mut Ui)) {
    let top = at.center_top() + vec2(0.0, session.ui.view_bar + 8.0);
    Area::new(egui::Id::new(name)).order(Order::Foreground).pivot(Align2::CENTER_TOP).fixed_pos(top).show(ctx, |ui| {
        let frame = Frame::NONE
            .fill(Color32::from_rgb(24, 48, 46))
            .stroke(Stroke::new(1.0, ACCENT))
            .corner_radius(6)
            .inner_margin(Margin::symmetric(14, 8));
        frame.show(ui, |ui| ui.horizontal(add));
    });
}

/// That files are being written, and for how long by now.
pub(super) fn exporting(ctx: &Context, session: &Session, at: Rect) {
    let Some(exporting) = &session.exporting else { return };
    passing(ctx, "exporting", at, session, |ui| {
        let seconds = exporting.since.elapsed().as_secs_f32();
        // A block that goes to and fro, redrawn a few times a second: how far it is nobody knows.
        let (rect, _) = ui.allocate_exact_size(vec2(56.0, 8.0), egui::Sense::hover());
        ui.painter().rect_filled(rect, 3.0, WELL);
        let there = 1.0 - (seconds.rem_euclid(2.0) - 1.0).abs();
        let block = Rect::from_min_size(rect.min + vec2(there * (rect.width() - 16.0), 0.0), vec2(16.0, rect.height()));
        ui.painter().rect_filled(block, 3.0, ACCENT);
        ui.label(RichText::new(format!("Exporting {} · {seconds:.0} s", exporting.formats)).color(TEXT));
    });
}

/// Good news, for a few seconds; longer when there is something to be done with it.
pub(super) fn notice(ctx: &Context, session: &Session, at: Rect, actions: &mut Vec<Action>) {
    let Some(notice) = &session.notice else { return };
    let stays = if notice.folder.is_some() { NOTICE_WITH_BUTTONS } else { NOTICE };
    if notice.at.elapsed() > stays {
        return actions.push(Action::DismissNotice);
    }
    passing(ctx, "notice", at, session, |ui| {
        // The buttons keep their room; a long path is cut, and whole in its tip.
        let room = (at.width() - if notice.folder.is_some() { 310.0 } else { 60.0 }).max(120.0);
        let text = RichText::new(format!("✔ {}", notice.text)).color(TEXT);
        ui.scope(|ui| {
            ui.set_max_width(room);
            ui.add(egui::Label::new(text).truncate()).on_hover_text(&notice.text);
        });
        let Some(folder) = &notice.folder else { return };
        if ui.button("Show in folder").on_hover_text(folder.display().to_string()).clicked() {
            actions.push(Action::Reveal(folder.clone()));
        }
        let copied = ui.id().with(("copied", notice.at));
        let words = if ui.data(|d| d.get_temp(copied).unwrap_or(false)) { "✔ Copied" } else { "Copy path" };
        if ui.button(words).on_hover_text(folder.display().to_string()).clicked() {
            ui.copy_text(folder.display().to_string());
            ui.data_mut(|d| d.insert_temp(copied, true));
        }
        if ui.button("✖").named("Close").on_hover_text("Close").clicked() {
            actions.push(Action::DismissNotice);
        }
    });
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

/// Shading modes and switches.
fn buttons(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    for id in [Id::Albedo, Id::Clay, Id::Normals, Id::Neural, Id::Lit, Id::Wire, Id::Coverage, Id::Displacement] {
        tool(ui, session, id, actions);
    }
    ui.add_space(8.0);
    for id in [Id::Cameras, Id::Residuals, Id::Joints, Id::Grid, Id::Pose] {
        tool(ui, session, id, actions);
    }
    let all = ui.input(|i| i.modifiers.shift);
    tool_called(ui, session, if all { Id::FrameAll } else { Id::FrameHands }, "Frame", actions);
}

/// Shading modes and switches on the 3D view, and what it shows.
pub(super) fn viewport(
    root: &mut Ui,
    rect: Rect,
    session: &mut Session,
    textures: &mut Textures,
    actions: &mut Vec<Action>,
) {
    // Over the mesh, which is hidden then, and under the buttons.
    if let Some(texture) = textures.network(root.ctx(), session) {
        let whole = Rect::from_min_max(egui::Pos2::ZERO, egui::pos2(1.0, 1.0));
        root.painter_at(rect).image(texture.id(), rect, whole, Color32::WHITE);
    }
    let bar = Rect::from_min_size(rect.min + vec2(10.0, 8.0), vec2(rect.width() - 20.0, 24.0));
    let layout = Layout::left_to_right(Align::Center).with_main_wrap(true);
    // Opaque: frustums must not show through between the words.
    let frame = Frame::NONE.fill(super::theme::sheet()).corner_radius(4).inner_margin(Margin::symmetric(4, 1));
    let shown = root.scope_builder(UiBuilder::new().max_rect(bar).layout(layout), |ui| {
        frame.show(ui, |ui| buttons(ui, session, actions)).response.rect
    });
    session.ui.view_bar = shown.inner.bottom() - rect.top() + 4.0;
    let through = session.ui.through.and_then(|view| session.capture.as_ref()?.views.get(view));
    let of_scene = session.shown.as_ref().map_or_else(
        || "drag: orbit · right drag: pan · wheel: zoom · double-click a camera: look through it".to_owned(),
        |s| {
            let vertices: usize = s.hands.iter().map(|h| h.positions.len()).sum();
            let joints = s.joints.iter().flatten().count();
            format!("{} hands · {vertices} vertices · {joints} sets of joints", s.hands.len())
        },
    );
    let text = through.map_or(of_scene, |view| format!("through the camera of view {} · Esc: back", view.name));
    if let Some((words, fallback)) = session.neural_words() {
        let colour = if fallback { AMBER } else { TEXT };
        let font = egui::FontId::proportional(11.5);
        let galley = root.painter().layout(words, font, colour, (rect.width() - 40.0).max(80.0));
        let place = Rect::from_min_size(rect.left_bottom() + vec2(12.0, -30.0 - galley.size().y), galley.size());
        root.painter().rect_filled(place.expand2(vec2(5.0, 3.0)), 3.0, PANEL);
        root.painter().galley(place.min, galley, colour);
    }
    super::access::canvas(root, "3d view", rect, ("3D view", &text));
    let painter = root.painter();
    painter.text(
        rect.left_bottom() + vec2(12.0, -8.0),
        Align2::LEFT_BOTTOM,
        text,
        egui::FontId::proportional(11.5),
        WEAK,
    );
}
