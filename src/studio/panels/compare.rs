//! The selected view beside its render: wipe, side by side, difference; hold G to see the photograph alone.

use super::menu::{tool, tool_called};
use super::textures::Textures;
use super::theme::{self, ACCENT, TEXT, WEAK, WELL};
use crate::anatomy::KEYPOINT_BONES;
use crate::capture::View;
use crate::detect::DetectedHands;
use crate::studio::commands::Id;
use crate::studio::picture::{Picture, heat};
use crate::studio::session::{Action, Session};
use crate::studio::ui_state::CompareMode;
use egui::{
    Align2, Color32, CursorIcon, FontId, Painter, Pos2, Rect, RichText, Sense, Stroke, TextureId, Ui, pos2, vec2,
};
use std::sync::Arc;

pub(super) fn show(ui: &mut Ui, session: &mut Session, textures: &mut Textures, actions: &mut Vec<Action>) {
    let Some(capture) = session.capture.clone() else { return };
    let Some(view) = capture.views.get(session.selected) else { return };
    ui.horizontal_wrapped(|ui| {
        theme::title(ui, "COMPARE");
        ui.label(RichText::new(&view.name).strong());
        for id in [Id::Wipe, Id::Side, Id::Difference] {
            tool(ui, session, id, actions);
        }
    });
    ui.horizontal(|ui| {
        ui.checkbox(&mut session.ui.zoom_to_hands, "zoom to hands");
        ui.checkbox(&mut session.ui.show_keypoints, "keypoints")
            .on_hover_text("What the detector saw in this photograph");
        tool_called(ui, session, Id::LookThrough, "⌖", actions);
    });
    let picture = session.picture();
    let area = {
        let full = ui.available_size();
        ui.allocate_exact_size(vec2(full.x, (full.y - 22.0).max(40.0)), Sense::hover()).0
    };
    ui.painter().rect_filled(area, 4.0, WELL);
    let Some(photo) = textures.photo(ui.ctx(), session) else { return };
    let rendered = picture.as_ref().map(|(p, _)| textures.render(ui.ctx(), p).id());
    let keypoints = session.keypoints(session.selected);
    let crop = crop(view, &keypoints, picture.as_ref().map(|(p, _)| p.as_ref()), session.ui.zoom_to_hands);
    let stage = Stage { view, keypoints, photo: photo.id(), rendered, crop };
    if session.ui.blink {
        stage.photo(ui, fit(area, crop), session.ui.show_keypoints, "photograph");
    } else {
        match (session.ui.compare, &picture) {
            (CompareMode::Wipe, Some(_)) => wipe(ui, &stage, area, session),
            (CompareMode::Side, Some(_)) => side(ui, &stage, area, session.ui.show_keypoints),
            (CompareMode::Difference, Some((p, _))) => {
                let difference = textures.difference(ui.ctx(), session, p);
                heat_map(ui, &stage, area, difference.map(|t| t.id()));
            }
            (_, None) => {
                stage.photo(ui, fit(area, crop), session.ui.show_keypoints, "photograph");
            }
        }
    }
    footer(ui, session, picture.as_ref());
}

fn footer(ui: &mut Ui, session: &Session, picture: Option<&(Arc<Picture>, bool)>) {
    let text = match picture {
        Some((p, exact)) => {
            let psnr = p.psnr_db.map_or_else(|| "PSNR –".to_owned(), |v| format!("PSNR {v:.1} dB (rendered and mask)"));
            let iou = p.iou.map_or_else(|| "IoU –".to_owned(), |v| format!("IoU {v:.3}"));
            let late = if *exact { String::new() } else { format!(" (step {})", p.step) };
            format!("{psnr} · {iou}{late}")
        }
        None if !session.has_engine => "Reconstruct to see the render here".to_owned(),
        None => "the render is on its way…".to_owned(),
    };
    ui.add(egui::Label::new(RichText::new(text).color(WEAK)).truncate())
        .on_hover_text("PSNR over the pixels that are rendered and in the mask; IoU of the silhouettes");
}

/// Part of the photograph that is shown, in pixels `[x0, y0, x1, y1]`.
fn crop(view: &View, keypoints: &DetectedHands, picture: Option<&Picture>, zoom: bool) -> Rect {
    let (w, h) = view.image.dimensions();
    #[expect(clippy::cast_precision_loss, reason = "image sizes are small")]
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(w as f32, h as f32));
    if !zoom {
        return whole;
    }
    let mut found = Rect::NOTHING;
    #[expect(clippy::cast_possible_truncation, reason = "pixel positions")]
    for p in keypoints.iter().flatten().flat_map(|k| k.px) {
        found.extend_with(pos2(p[0] as f32, p[1] as f32));
    }
    #[expect(clippy::cast_precision_loss, reason = "image sizes are small")]
    if let Some([x0, y0, x1, y1]) = picture.and_then(|p| p.covered_px) {
        found = found.union(Rect::from_min_max(pos2(x0 as f32, y0 as f32), pos2(x1 as f32, y1 as f32)));
    }
    if !found.is_positive() {
        return whole;
    }
    let found = found.expand(0.08 * found.size().max_elem()).intersect(whole);
    if found.is_positive() { found } else { whole }
}

/// The largest rectangle of the crop's shape inside the area.
fn fit(area: Rect, crop: Rect) -> Rect {
    let scale = (area.width() / crop.width()).min(area.height() / crop.height());
    Rect::from_center_size(area.center(), crop.size() * scale)
}

struct Stage<'a> {
    view: &'a View,
    keypoints: DetectedHands,
    photo: TextureId,
    rendered: Option<TextureId>,
    crop: Rect,
}

impl Stage<'_> {
    fn uv(&self) -> Rect {
        let (w, h) = self.view.image.dimensions();
        #[expect(clippy::cast_precision_loss, reason = "image sizes are small")]
        let size = vec2(w as f32, h as f32);
        Rect::from_min_max((self.crop.min.to_vec2() / size).to_pos2(), (self.crop.max.to_vec2() / size).to_pos2())
    }

    fn photo(&self, ui: &Ui, rect: Rect, keypoints: bool, label: &str) {
        let painter = ui.painter_at(rect);
        painter.image(self.photo, rect, self.uv(), Color32::WHITE);
        if keypoints {
            self.keypoints(&painter, rect);
        }
        tag(&painter, rect.left_bottom() + vec2(6.0, -6.0), Align2::LEFT_BOTTOM, label);
    }

    /// The render over the dimmed photograph.
    fn render(&self, painter: &Painter, rect: Rect) {
        painter.image(self.photo, rect, self.uv(), Color32::from_gray(60));
        if let Some(rendered) = self.rendered {
            painter.image(rendered, rect, self.uv(), Color32::WHITE);
        }
    }

    fn keypoints(&self, painter: &Painter, rect: Rect) {
        let scale = rect.size() / self.crop.size();
        #[expect(clippy::cast_possible_truncation, reason = "pixel positions")]
        let place = |p: [f64; 2]| rect.min + (pos2(p[0] as f32, p[1] as f32) - self.crop.min) * scale;
        let colours = [Color32::from_rgb(86, 180, 233), Color32::from_rgb(230, 159, 0)];
        for (detection, colour) in self.keypoints.iter().zip(colours) {
            let Some(k) = detection else { continue };
            for (a, b) in KEYPOINT_BONES {
                painter.line_segment([place(k.px[a]), place(k.px[b])], Stroke::new(1.2, colour));
            }
            for p in k.px {
                painter.circle_filled(place(p), 2.0, colour);
            }
        }
    }
}

fn tag(painter: &Painter, at: Pos2, anchor: Align2, text: &str) {
    let galley = painter.layout_no_wrap(text.to_owned(), FontId::proportional(11.0), TEXT);
    let rect = anchor.anchor_size(at, galley.size());
    painter.rect_filled(rect.expand2(vec2(5.0, 2.0)), 3.0, Color32::from_black_alpha(150));
    painter.galley(rect.min, galley, TEXT);
}

fn wipe(ui: &Ui, stage: &Stage<'_>, area: Rect, session: &mut Session) {
    let rect = fit(area, stage.crop);
    let response =
        ui.interact(rect, ui.id().with("wipe"), Sense::click_and_drag()).on_hover_cursor(CursorIcon::ResizeHorizontal);
    if let (true, Some(at)) = (response.dragged() || response.clicked(), response.interact_pointer_pos()) {
        session.ui.wipe = ((at.x - rect.left()) / rect.width()).clamp(0.0, 1.0);
    }
    let x = rect.left() + rect.width() * session.ui.wipe;
    let left = Rect::from_min_max(rect.min, pos2(x, rect.bottom()));
    let right = Rect::from_min_max(pos2(x, rect.top()), rect.max);
    stage.render(&ui.painter_at(right), rect);
    let painter = ui.painter_at(left);
    painter.image(stage.photo, rect, stage.uv(), Color32::WHITE);
    if session.ui.show_keypoints {
        stage.keypoints(&painter, rect);
    }
    if left.width() > 76.0 {
        tag(&painter, rect.left_bottom() + vec2(8.0, -6.0), Align2::LEFT_BOTTOM, "photograph");
    }
    if right.width() > 56.0 {
        tag(&ui.painter_at(right), rect.right_bottom() + vec2(-8.0, -6.0), Align2::RIGHT_BOTTOM, "render");
    }
    let painter = ui.painter_at(rect.expand(8.0));
    painter.line_segment([pos2(x, rect.top()), pos2(x, rect.bottom())], Stroke::new(1.5, ACCENT));
    let grip = pos2(x, rect.center().y);
    painter.circle(grip, 9.0, Color32::from_rgb(20, 30, 30), Stroke::new(1.5, ACCENT));
    for s in [-1.0, 1.0] {
        let tip = grip + vec2(5.5 * s, 0.0);
        let back = grip + vec2(2.0 * s, 0.0);
        painter.line_segment([tip, back + vec2(0.0, -3.0)], Stroke::new(1.5, ACCENT));
        painter.line_segment([tip, back + vec2(0.0, 3.0)], Stroke::new(1.5, ACCENT));
    }
}

fn side(ui: &Ui, stage: &Stage<'_>, area: Rect, keypoints: bool) {
    // Along the longer side of the panel, so that both pictures are as large as they can be.
    let (first, second) = if area.width() / stage.crop.width() > area.height() / stage.crop.height() {
        area.split_left_right_at_fraction(0.5)
    } else {
        area.split_top_bottom_at_fraction(0.5)
    };
    stage.photo(ui, fit(first.shrink(2.0), stage.crop), keypoints, "photograph");
    let rect = fit(second.shrink(2.0), stage.crop);
    let painter = ui.painter_at(rect);
    stage.render(&painter, rect);
    tag(&painter, rect.left_bottom() + vec2(8.0, -6.0), Align2::LEFT_BOTTOM, "render");
}

fn heat_map(ui: &Ui, stage: &Stage<'_>, area: Rect, difference: Option<TextureId>) {
    let rect = fit(area, stage.crop);
    let painter = ui.painter_at(rect);
    match difference {
        Some(texture) => {
            painter.image(texture, rect, stage.uv(), Color32::WHITE);
        }
        None => stage.render(&painter, rect),
    }
    // Legend with its unit.
    let bar = Rect::from_min_size(rect.left_bottom() + vec2(8.0, -20.0), vec2(110.0, 8.0));
    painter.rect_filled(bar.expand2(vec2(5.0, 12.0)).translate(vec2(0.0, -4.0)), 3.0, Color32::from_black_alpha(170));
    for i in 0_u8..55 {
        let [r, g, b] = heat(f32::from(i) / 54.0);
        let x = bar.left() + f32::from(i) * 2.0;
        painter.rect_filled(Rect::from_min_size(pos2(x, bar.top()), vec2(2.0, 8.0)), 0.0, Color32::from_rgb(r, g, b));
    }
    let text = |at: Pos2, anchor, t: &str| painter.text(at, anchor, t, FontId::proportional(10.0), TEXT);
    text(bar.left_top() - vec2(0.0, 1.0), Align2::LEFT_BOTTOM, "0");
    text(bar.right_top() - vec2(0.0, 1.0), Align2::RIGHT_BOTTOM, "≥ 96 of 255");
}
