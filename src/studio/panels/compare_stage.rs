//! The pictures of the compare panel: what is painted of photograph and render, and where.

use super::theme::{ACCENT, TEXT};
use crate::anatomy::KEYPOINT_BONES;
use crate::capture::View;
use crate::detect::DetectedHands;
use crate::studio::picture::{Picture, heat};
use crate::studio::session::Session;
use egui::{
    Align2, Color32, CursorIcon, FontId, Painter, Pos2, Rect, Sense, Stroke, TextureId, Ui, WidgetInfo, pos2, vec2,
};
use std::sync::Arc;

/// Colours of left and right.
pub(super) const SIDE_COLOURS: [Color32; 2] = [Color32::from_rgb(86, 180, 233), Color32::from_rgb(230, 159, 0)];

/// Part of the photograph that is shown, in pixels `[x0, y0, x1, y1]`.
pub(super) fn crop(view: &View, keypoints: &DetectedHands, picture: Option<&Picture>, zoom: bool) -> Rect {
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
pub(super) fn fit(area: Rect, crop: Rect) -> Rect {
    let scale = (area.width() / crop.width()).min(area.height() / crop.height());
    Rect::from_center_size(area.center(), crop.size() * scale)
}

/// One view with its pictures, and the part of them that is shown.
pub(super) struct Stage<'a> {
    pub(super) view: &'a View,
    pub(super) keypoints: DetectedHands,
    pub(super) photo: TextureId,
    pub(super) rendered: Option<TextureId>,
    pub(super) crop: Rect,
    /// What the render shows.
    pub(super) name: &'static str,
}

impl Stage<'_> {
    pub(super) fn uv(&self) -> Rect {
        let (w, h) = self.view.image.dimensions();
        #[expect(clippy::cast_precision_loss, reason = "image sizes are small")]
        let size = vec2(w as f32, h as f32);
        Rect::from_min_max((self.crop.min.to_vec2() / size).to_pos2(), (self.crop.max.to_vec2() / size).to_pos2())
    }

    pub(super) fn photo(&self, ui: &Ui, rect: Rect, keypoints: bool, label: &str) {
        let painter = ui.painter_at(rect);
        painter.image(self.photo, rect, self.uv(), Color32::WHITE);
        if keypoints {
            self.keypoints(&painter, rect);
        }
        if !label.is_empty() {
            tag(&painter, rect.left_bottom() + vec2(6.0, -6.0), Align2::LEFT_BOTTOM, label);
        }
    }

    /// The render over the dimmed photograph.
    fn render(&self, painter: &Painter, rect: Rect) {
        painter.image(self.photo, rect, self.uv(), Color32::from_gray(60));
        if let Some(rendered) = self.rendered {
            painter.image(rendered, rect, self.uv(), Color32::WHITE);
        }
    }

    fn label(&self) -> String {
        format!("render · {}", self.name.to_lowercase())
    }

    fn keypoints(&self, painter: &Painter, rect: Rect) {
        let scale = rect.size() / self.crop.size();
        #[expect(clippy::cast_possible_truncation, reason = "pixel positions")]
        let place = |p: [f64; 2]| rect.min + (pos2(p[0] as f32, p[1] as f32) - self.crop.min) * scale;
        for (detection, colour) in self.keypoints.iter().zip(SIDE_COLOURS) {
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

pub(super) fn tag(painter: &Painter, at: Pos2, anchor: Align2, text: &str) {
    // A name that would be cut says nothing: its last word alone, or none.
    let fits = |galley: &Arc<egui::Galley>| galley.size().x + 16.0 <= painter.clip_rect().width();
    let lay = |text: &str| painter.layout_no_wrap(text.to_owned(), FontId::proportional(11.0), TEXT);
    let last = text.rsplit(" · ").next().unwrap_or(text);
    let Some(galley) = [lay(text), lay(last)].into_iter().find(fits) else { return };
    let rect = anchor.anchor_size(at, galley.size());
    painter.rect_filled(rect.expand2(vec2(5.0, 2.0)), 3.0, Color32::from_black_alpha(150));
    painter.galley(rect.min, galley, TEXT);
}

pub(super) fn wipe(ui: &Ui, stage: &Stage<'_>, area: Rect, session: &mut Session) {
    let rect = fit(area, stage.crop);
    let response =
        ui.interact(rect, ui.id().with("wipe"), Sense::click_and_drag()).on_hover_cursor(CursorIcon::ResizeHorizontal);
    response.widget_info(|| WidgetInfo::slider(true, session.ui.wipe.into(), "Where the render begins"));
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
    tag(&painter, rect.left_bottom() + vec2(8.0, -6.0), Align2::LEFT_BOTTOM, "photograph");
    tag(&ui.painter_at(right), rect.right_bottom() + vec2(-8.0, -6.0), Align2::RIGHT_BOTTOM, &stage.label());
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

/// Places of photograph and render beside each other: along the longer side of the panel, so that both are as large as they
/// can be.
pub(super) fn sides(area: Rect, crop: Rect) -> [Rect; 2] {
    let (first, second) = if area.width() / crop.width() > area.height() / crop.height() {
        area.split_left_right_at_fraction(0.5)
    } else {
        area.split_top_bottom_at_fraction(0.5)
    };
    [first.shrink(2.0), second.shrink(2.0)]
}

pub(super) fn side(ui: &Ui, stage: &Stage<'_>, [first, second]: [Rect; 2], keypoints: bool) {
    stage.photo(ui, fit(first, stage.crop), keypoints, "photograph");
    let rect = fit(second, stage.crop);
    let painter = ui.painter_at(rect);
    stage.render(&painter, rect);
    tag(&painter, rect.left_bottom() + vec2(8.0, -6.0), Align2::LEFT_BOTTOM, &stage.label());
}

/// The render over the photograph.
pub(super) fn overlay(ui: &Ui, stage: &Stage<'_>, area: Rect, opacity: f32, keypoints: bool) {
    let rect = fit(area, stage.crop);
    stage.photo(ui, rect, keypoints, "photograph");
    let painter = ui.painter_at(rect);
    if let Some(rendered) = stage.rendered {
        painter.image(rendered, rect, stage.uv(), Color32::WHITE.gamma_multiply(opacity));
    }
    let text = format!("{} {:.0} %", stage.label(), opacity * 100.0);
    tag(&painter, rect.right_bottom() + vec2(-8.0, -6.0), Align2::RIGHT_BOTTOM, &text);
}

pub(super) fn heat_map(ui: &Ui, stage: &Stage<'_>, area: Rect, difference: Option<TextureId>) {
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
    // Above the legend where both would not fit side by side.
    let what = format!("|photograph − {}|, largest channel", stage.name.to_lowercase());
    let up = if rect.width() < 340.0 { 40.0 } else { 6.0 };
    tag(&painter, rect.right_bottom() + vec2(-8.0, -up), Align2::RIGHT_BOTTOM, &what);
}
