//! The selected view beside its render: wipe, side by side, difference, overlay; hold G to see the photograph alone. Both
//! pictures always show the same part: the wheel looks closer at what is under the mouse, dragging moves it.

use super::access::Named as _;
use super::compare_stage::{self, Stage, crop, fit};
use super::menu::tool_called;
use super::textures::Textures;
use super::theme::{WELL, amber, faint};
use crate::studio::backend::Look;
use crate::studio::commands::Id;
use crate::studio::picture::Picture;
use crate::studio::session::{Action, Session};
use crate::studio::ui_state::{CompareMode, LOOKS, look_name};
use egui::{ComboBox, PointerButton, Pos2, Rect, RichText, Sense, Slider, Ui, pos2, vec2};
use std::sync::Arc;

/// How much closer than the whole the panel looks at most.
const CLOSEST: f32 = 24.0;
/// Height of what stands under the pictures, points.
const FOOTER: f32 = 27.0;

pub(super) fn show(ui: &mut Ui, session: &mut Session, textures: &mut Textures, actions: &mut Vec<Action>) {
    let Some(capture) = session.capture.clone() else { return };
    let Some(view) = capture.views.get(session.selected) else { return };
    let editing = session.ui.editing.tool.is_some();
    if editing {
        super::edit_stage::tools(ui, session, actions);
    } else {
        heading(ui, session, &view.name, actions);
    }
    let picture = session.picture();
    let area = {
        let full = ui.available_size();
        ui.allocate_exact_size(vec2(full.x, (full.y - FOOTER).max(40.0)), Sense::hover()).0
    };
    ui.painter().rect_filled(area, 4.0, WELL);
    let shows = match (editing, picture.is_some()) {
        (true, _) => "The photograph, to be edited",
        (false, true) => session.ui.compare.name(),
        (false, false) => "The photograph alone",
    };
    let named = format!("Photograph and render of view {}", view.name);
    super::access::canvas(ui, "compare", area, (&named, shows));
    let Some(photo) = textures.photo(ui.ctx(), session) else { return };
    let rendered = picture.as_ref().map(|(p, _)| textures.render(ui.ctx(), p).id());
    let keypoints = session.keypoints(session.selected);
    // What is shown does not move under the mouse that drags a keypoint: the crop is that of the unedited ones.
    let framed = if editing { session.unedited_keypoints(session.selected) } else { keypoints.clone() };
    let whole = crop(view, &framed, picture.as_ref().map(|(p, _)| p.as_ref()), session.ui.zoom_to_hands);
    // What is dragged is the wipe's handle there, and the picture elsewhere.
    let blink = session.ui.blink;
    let wiping = session.ui.compare == CompareMode::Wipe && picture.is_some() && !blink;
    let sides = if session.ui.compare == CompareMode::Side && picture.is_some() && !blink && !editing {
        compare_stage::sides(area, whole)
    } else {
        [area, area]
    };
    move_about(ui, session, sides, whole, wiping || editing);
    let crop = closer(whole, session.ui.closer, session.ui.looked_at);
    let stage = Stage { view, keypoints, photo: photo.id(), rendered, crop, name: look_name(session.look()) };
    let keypoints = session.ui.show_keypoints;
    if blink {
        stage.photo(ui, fit(area, crop), keypoints, "photograph");
    } else if editing {
        super::edit_stage::show(ui, &stage, area, session, textures, actions);
    } else {
        compared(ui, &stage, (area, sides), session, textures, picture.as_ref());
    }
    ui.horizontal(|ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            magnification(ui, session, actions);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                if editing {
                    edited(ui, session);
                } else {
                    footer(ui, session, picture.as_ref());
                }
            });
        });
    });
}

/// Photograph and render, put together as chosen.
fn compared(
    ui: &Ui,
    stage: &Stage<'_>,
    (area, sides): (Rect, [Rect; 2]),
    session: &mut Session,
    textures: &mut Textures,
    picture: Option<&(Arc<Picture>, bool)>,
) {
    let keypoints = session.ui.show_keypoints;
    match (session.ui.compare, picture) {
        (CompareMode::Wipe, Some(_)) => compare_stage::wipe(ui, stage, area, session),
        (CompareMode::Side, Some(_)) => compare_stage::side(ui, stage, sides, keypoints),
        (CompareMode::Difference, Some((p, _))) => {
            let difference = textures.difference(ui.ctx(), session, p);
            compare_stage::heat_map(ui, stage, area, difference.map(|t| t.id()));
        }
        (CompareMode::Overlay, Some(_)) => compare_stage::overlay(ui, stage, area, session.ui.opacity, keypoints),
        (_, None) => stage.photo(ui, fit(area, stage.crop), keypoints, "photograph"),
    }
}

/// What is edited by now, and what comes of it.
fn edited(ui: &mut Ui, session: &Session) {
    let views = session.edited_views();
    let count = format!("{views} view{} edited", if views == 1 { "" } else { "s" });
    let text = match (views, session.affected()) {
        (0, None) => "drag keypoints, or paint the mask; the capture's files stay as they are".to_owned(),
        (_, None) => count,
        (_, Some(part)) => format!("{count} · Reconstruct runs again from {part}"),
    };
    ui.add(egui::Label::new(RichText::new(text).color(faint())).truncate());
}

/// Ways to compare, and what is compared.
fn heading(ui: &mut Ui, session: &mut Session, name: &str, actions: &mut Vec<Action>) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(name).strong());
        for (id, name) in [(Id::Wipe, "Wipe"), (Id::Side, "Side"), (Id::Difference, "Diff"), (Id::Overlay, "Overlay")] {
            tool_called(ui, session, id, name, actions);
        }
    });
    ui.horizontal_wrapped(|ui| {
        looks(ui, session);
        ui.checkbox(&mut session.ui.zoom_to_hands, "hands").on_hover_text(Id::ZoomToHands.entry().help);
        ui.checkbox(&mut session.ui.show_keypoints, "keypoints").on_hover_text(Id::Keypoints.entry().help);
        tool_called(ui, session, Id::EditKeypoints, "Edit", actions);
        tool_called(ui, session, Id::LookThrough, "⌖", actions);
    });
}

/// How opaque an overlay is, and the way back from a closer look.
fn magnification(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    if session.ui.closer > 1.0 {
        let name = format!("{:.1}× ↺", session.ui.closer);
        tool_called(ui, session, Id::WholePicture, &name, actions);
    }
    if session.ui.compare == CompareMode::Overlay {
        ui.spacing_mut().slider_width = 70.0;
        let slider = Slider::new(&mut session.ui.opacity, 0.0..=1.0).show_value(false);
        ui.add(slider).named("Opacity of the render").on_hover_text("Opacity of the render over the photograph");
    }
}

/// What is set beside the photograph.
fn looks(ui: &mut Ui, session: &mut Session) {
    let why_not = session.why_not_neural();
    let shown = session.look();
    let fallback = shown != session.ui.look;
    let text = RichText::new(look_name(shown));
    let text = if fallback { text.color(amber()) } else { text };
    let response = ComboBox::from_id_salt("look").selected_text(text).width(78.0).show_ui(ui, |ui| {
        for look in LOOKS {
            let why_not = why_not.as_ref().filter(|_| look == Look::Neural);
            ui.add_enabled_ui(why_not.is_none(), |ui| {
                ui.selectable_value(&mut session.ui.look, look, look_name(look))
                    .on_disabled_hover_text(why_not.cloned().unwrap_or_default());
            });
        }
    });
    let help = match (fallback, session.ui.look, why_not) {
        (true, Look::Neural, Some(why)) => format!("Shaded in place of the network: {why}"),
        (true, ..) => "A difference is that of a picture like a photograph: shaded or neural".to_owned(),
        _ => "What is set beside the photograph".to_owned(),
    };
    response.response.named("What is set beside the photograph").on_hover_text(help);
}

/// The wheel looks closer at what is under the mouse; dragging moves it, with any button but the one that moves the wipe.
fn move_about(ui: &Ui, session: &mut Session, sides: [Rect; 2], whole: Rect, wiping: bool) {
    let Some(at) = ui.input(|i| i.pointer.latest_pos()) else { return };
    let Some(area) = sides.into_iter().find(|side| side.contains(at)) else { return };
    if ui.ctx().layer_id_at(at).is_some_and(|l| l != ui.layer_id()) {
        return;
    }
    let now = closer(whole, session.ui.closer, session.ui.looked_at);
    let shown = fit(area, now);
    let scroll = ui.input(|i| i.smooth_scroll_delta.y);
    if scroll != 0.0 {
        let to = (session.ui.closer * (scroll * 0.004).exp()).clamp(1.0, CLOSEST);
        // What is under the mouse stays there.
        let under = now.min + (at - shown.min) * now.size() / shown.size();
        let middle = under + (now.center() - under) * (session.ui.closer / to);
        session.ui.closer = to;
        session.ui.looked_at = (to > 1.0).then_some([middle.x, middle.y]);
    }
    let buttons = [PointerButton::Secondary, PointerButton::Middle, PointerButton::Primary];
    let down = |b: &PointerButton| {
        ui.input(|i| i.pointer.button_down(*b) && i.pointer.press_origin().is_some_and(|o| area.contains(o)))
    };
    let drags = buttons.iter().take(if wiping { 2 } else { 3 }).any(down);
    let by = ui.input(|i| i.pointer.delta());
    if drags && by != vec2(0.0, 0.0) && session.ui.closer > 1.0 {
        let now = closer(whole, session.ui.closer, session.ui.looked_at);
        let middle = now.center() - by * now.size() / fit(area, now).size();
        session.ui.looked_at = Some([middle.x, middle.y]);
    }
}

/// The part of the crop that is looked at: `times` smaller, inside of it.
fn closer(whole: Rect, times: f32, middle: Option<[f32; 2]>) -> Rect {
    if times <= 1.0 {
        return whole;
    }
    let size = whole.size() / times;
    let middle = middle.map_or(whole.center(), |[x, y]| pos2(x, y));
    let (lo, hi) = (whole.min + size * 0.5, whole.max - size * 0.5);
    let middle: Pos2 = pos2(middle.x.clamp(lo.x, hi.x.max(lo.x)), middle.y.clamp(lo.y, hi.y.max(lo.y)));
    Rect::from_center_size(middle, size)
}

fn footer(ui: &mut Ui, session: &Session, picture: Option<&(Arc<Picture>, bool)>) {
    let text = match picture {
        Some((p, exact)) => {
            let psnr = p.psnr_db.map(|v| format!("PSNR {v:.1} dB"));
            let ssim = p.ssim.map(|v| format!("SSIM {v:.3}"));
            let iou = p.iou.map(|v| format!("IoU {v:.3}"));
            let late = (!*exact).then(|| format!("(step {})", p.step));
            let all: Vec<String> = [psnr, ssim, iou, late].into_iter().flatten().collect();
            if all.is_empty() { "nothing of the hand lies in this picture".to_owned() } else { all.join(" · ") }
        }
        None if !session.has_engine => "Reconstruct to see the render here".to_owned(),
        None => "the render is on its way…".to_owned(),
    };
    ui.add(egui::Label::new(RichText::new(text).color(faint())).truncate()).on_hover_text(
        "PSNR over the pixels that are rendered and in the mask; SSIM on the box of the mask; IoU of the silhouettes. \
         PSNR and SSIM are of shaded and neural pictures only",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_at_closer_stays_inside() {
        let whole = Rect::from_min_max(pos2(100.0, 50.0), pos2(500.0, 350.0));
        assert_eq!(closer(whole, 1.0, Some([0.0, 0.0])), whole, "all of it");
        let part = closer(whole, 4.0, Some([0.0, 1000.0]));
        assert!(whole.contains_rect(part) && part.size() == whole.size() / 4.0, "a quarter, at the edge: {part:?}");
        assert_eq!(closer(whole, 4.0, None).center(), whole.center(), "the middle to begin with");
    }
}
