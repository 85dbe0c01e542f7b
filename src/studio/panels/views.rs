//! The list of views: thumbnail, name, score, signs. Click selects, double-click looks through the camera, X excludes,
//! H holds out.

use super::access::Named as _;
use super::findings;
use super::textures::Textures;
use super::theme::{accent, amber, blue, faint, ink, red};
use crate::studio::commands::Id;
use crate::studio::session::{Action, Measure, Session};
use egui::{Align2, FontId, Pos2, Rect, RichText, Sense, Stroke, StrokeKind, Ui, WidgetInfo, WidgetType, vec2};

/// Height of a row in points.
const ROW: f32 = 52.0;

pub(super) fn show(ui: &mut Ui, session: &mut Session, textures: &Textures, actions: &mut Vec<Action>) {
    let Some(opened) = session.capture.clone() else { return };
    ui.horizontal(|ui| {
        let all = opened.views.len();
        let left = all - session.excluded.len() - session.held_out.len();
        let text = if left == all { format!("{left} take part") } else { format!("{left} of {all} take part") };
        ui.label(RichText::new(text).small().color(faint()));
    });
    ui.horizontal_wrapped(|ui| {
        findings::button(ui, session);
        super::menu::tool(ui, session, Id::Capture, actions);
    });
    order(ui, session, actions);
    let views = session.view_order();
    let wanted = std::mem::take(&mut session.ui.scroll_to_view).then_some(session.selected);
    let wanted = wanted.and_then(|selected| views.iter().position(|view| *view == selected));
    let list = egui::ScrollArea::vertical().auto_shrink([false, false]).animated(false);
    list.show_rows(ui, ROW, views.len(), |ui, rows| {
        if let Some(row) = wanted {
            #[expect(clippy::cast_precision_loss, reason = "a number of views")]
            let below = (ROW + ui.spacing().item_spacing.y) * (row as f32 - rows.start as f32);
            let at = ui.max_rect().left_top() + vec2(0.0, below);
            ui.scroll_to_rect(Rect::from_min_size(at, vec2(1.0, ROW)), None);
        }
        for view in rows.filter_map(|row| views.get(row).copied()) {
            row(ui, session, textures, view, actions);
        }
    });
}

/// What the list is sorted and the cameras are coloured by.
fn order(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        egui::ComboBox::from_id_salt("measure")
            .selected_text(session.ui.measure.name())
            .width(72.0)
            .show_ui(ui, |ui| {
                for measure in Measure::ALL {
                    ui.selectable_value(&mut session.ui.measure, measure, measure.name());
                }
            })
            .response
            .named("What the list of views is judged by")
            .on_hover_text("What the cameras are coloured and the list is sorted by");
        super::menu::tool_called(ui, session, Id::WorstFirst, "worst first", actions);
    });
}

fn row(ui: &mut Ui, session: &Session, textures: &Textures, view: usize, actions: &mut Vec<Action>) {
    let Some(found) = session.capture.as_ref().and_then(|c| c.views.get(view)) else { return };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let painter = ui.painter_at(rect);
    let excluded = session.excluded.contains(&view);
    let held_out = session.held_out.contains(&view);
    let selected = session.selected == view;
    if selected {
        painter.rect_filled(rect, 4.0, accent().gamma_multiply(0.22));
        painter.rect_stroke(rect.shrink(0.5), 4.0, Stroke::new(1.0, accent()), StrokeKind::Inside);
    } else if response.hovered() {
        painter.rect_filled(rect, 4.0, ui.visuals().widgets.hovered.weak_bg_fill);
    }
    let picture = Rect::from_min_size(rect.min + vec2(4.0, 4.0), vec2((ROW - 8.0) * 1.25, ROW - 8.0));
    if let Some(texture) = textures.thumbnails.get(view) {
        let tint = if excluded { egui::Color32::from_gray(70) } else { egui::Color32::WHITE };
        let uv = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
        painter.image(texture.id(), picture, uv, tint);
    }
    let residual = session.residual_px(view);
    if let Some([r, g, b]) = session.view_colour(view) {
        let strip = Rect::from_min_size(picture.right_top() + vec2(1.0, 0.0), vec2(3.0, picture.height()));
        painter.rect_filled(strip, 1.0, egui::Color32::from_rgb(r, g, b));
    }
    let at = picture.right_top() + vec2(8.0, 3.0);
    let colour = if excluded { faint() } else { ink() };
    let name = painter.text(at, Align2::LEFT_TOP, &found.name, FontId::proportional(13.5), colour);
    if let Some(iou) = session.iou(view).filter(|_| !excluded) {
        let galley = painter.layout_no_wrap(format!("IoU {iou:.2}"), FontId::proportional(11.5), faint());
        let left = rect.right() - galley.size().x - 6.0;
        // A long name has the room to itself.
        if left > name.right() + 6.0 {
            painter.galley(egui::pos2(left, at.y + 2.0), galley, faint());
        }
    }
    let (line, colour) = if excluded {
        ("✖ excluded".to_owned(), red())
    } else if held_out {
        let score = session.psnr_db(view).map_or_else(String::new, |psnr| format!(" · {psnr:.1} dB"));
        (format!("⚑ held out{score}"), blue())
    } else if let Some(psnr) = session.psnr_db(view) {
        (format!("{psnr:.1} dB"), faint())
    } else {
        let keypoints = session.keypoints(view);
        let hands = ["L", "R"].into_iter().zip(&keypoints).filter(|(_, k)| k.is_some()).map(|(n, _)| n);
        let hands: Vec<&str> = hands.collect();
        match (hands.is_empty(), found.mask.is_none()) {
            (true, _) => ("⚠ no hand seen".to_owned(), amber()),
            (false, true) => (format!("{} · ⚠ no mask", hands.join(" ")), amber()),
            (false, false) => (hands.join(" + "), faint()),
        }
    };
    let line = if session.view_edits(view).is_some() { format!("✏ {line}") } else { line };
    let line = match residual {
        Some(px) if !excluded => format!("{line} · {px:.1} px"),
        _ => line,
    };
    painter.text(at + vec2(0.0, 19.0), Align2::LEFT_TOP, &line, FontId::proportional(11.5), colour);
    let size = format!("{}×{}", found.camera.width_px, found.camera.height_px);
    let said = format!("View {}: {line}", found.name);
    response.widget_info(|| WidgetInfo::selected(WidgetType::SelectableLabel, true, selected, &said));
    let response = response.on_hover_text(format!(
        "View {} · {size} · focal length {:.0} px\n{}\nclick: select · double-click or Enter: look through it · X: exclude · H: hold out · K: edit keypoints · M: edit the mask\n✏: keypoints or mask are edited\ndB: PSNR over the pixels that are rendered and in the mask",
        found.name,
        found.camera.focal_px(),
        session.residual_text(view)
    ));
    if response.double_clicked() {
        actions.push(Action::FlyTo(view));
    } else if response.clicked() {
        actions.push(Action::Select(view));
    }
    response.context_menu(|ui| {
        if ui.button("Look through this camera").clicked() {
            actions.push(Action::FlyTo(view));
        }
        let text = if excluded { "Include in the next run" } else { "Exclude from the next run" };
        if ui.button(text).clicked() {
            actions.push(Action::ToggleExclude(view));
        }
        let text = if held_out { "Fit it in the next run" } else { "Hold out of the next run (compare only)" };
        if ui.button(text).clicked() {
            actions.push(Action::ToggleHoldOut(view));
        }
    });
}
