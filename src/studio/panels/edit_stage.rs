//! The photograph while it is edited: keypoints with their bones that can be dragged, a mask that can be painted. The wheel and
//! the right button move the picture as elsewhere; nothing is changed before the mouse button is let go.

use super::access::Named as _;
use super::compare_stage::{SIDE_COLOURS, Stage, fit, tag};
use super::menu::tool_called;
use super::textures::Textures;
use super::theme::{self, ACCENT};
use crate::anatomy::{KEYPOINT_BONES, KEYPOINT_NAMES, KEYPOINTS, Side};
use crate::capture::{CompactMask, Keypoints};
use crate::studio::commands::Id;
use crate::studio::editing::{Drag, EditTool, Picked, Stroke, paint};
use crate::studio::session::{Action, EditAction, Session};
use egui::{
    Align2, Color32, CursorIcon, Painter, PointerButton, Pos2, Rect, Response, Sense, Ui, WidgetType, pos2, vec2,
};
use std::sync::Arc;

/// How near to a keypoint the mouse has it, points, however far the picture is zoomed in.
const REACH: f32 = 10.0;

/// The tools, in place of what the compare panel is told otherwise.
pub(super) fn tools(ui: &mut Ui, session: &mut Session, actions: &mut Vec<Action>) {
    ui.horizontal_wrapped(|ui| {
        theme::title(ui, "EDIT");
        let name = session.capture.as_ref().and_then(|c| c.views.get(session.selected)).map(|v| v.name.clone());
        ui.label(egui::RichText::new(name.unwrap_or_default()).strong());
        let tools =
            [(Id::EditKeypoints, "Keypoints"), (Id::Brush, "Brush"), (Id::Eraser, "Eraser"), (Id::Polygon, "Polygon")];
        for (id, name) in tools {
            tool_called(ui, session, id, name, actions);
        }
    });
    ui.horizontal_wrapped(|ui| {
        match session.ui.editing.tool {
            Some(EditTool::Brush | EditTool::Eraser) => {
                ui.spacing_mut().slider_width = 70.0;
                let radius = &mut session.ui.editing.radius_px;
                super::access::slider(ui, "Radius of the brush", radius, 1.0..=200.0, (0, " px", true))
                    .on_hover_text("Radius in pixels of the photograph ([ and ])");
                tool_called(ui, session, Id::RevertMask, "Revert", actions);
            }
            Some(EditTool::Polygon) => {
                let help = "What the polygon encloses is taken away from the mask, not added";
                ui.checkbox(&mut session.ui.editing.takes_away, "take away").on_hover_text(help);
                tool_called(ui, session, Id::ClosePolygon, "Close", actions);
                tool_called(ui, session, Id::RevertMask, "Revert", actions);
            }
            _ => {
                tool_called(ui, session, Id::KeypointUnseen, "Unseen", actions);
                tool_called(ui, session, Id::SwapSides, "Swap sides", actions);
                tool_called(ui, session, Id::RevertKeypoints, "Revert", actions);
            }
        }
        ui.checkbox(&mut session.ui.zoom_to_hands, "hands").on_hover_text(Id::ZoomToHands.entry().help);
        if ui.button("Done").on_hover_text("Leave the edit mode (Esc)").clicked() {
            session.ui.editing.choose(None);
        }
    });
}

/// From pixels of the photograph to points on screen and back.
#[derive(Clone, Copy)]
struct Place {
    rect: Rect,
    crop: Rect,
}

impl Place {
    #[expect(clippy::cast_possible_truncation, reason = "pixel positions")]
    fn on_screen(&self, p: [f64; 2]) -> Pos2 {
        self.rect.min + (pos2(p[0] as f32, p[1] as f32) - self.crop.min) * self.scale()
    }

    fn in_photo(&self, at: Pos2) -> [f64; 2] {
        let p = self.crop.min + (at - self.rect.min) / self.scale();
        [f64::from(p.x), f64::from(p.y)]
    }

    /// Points a pixel.
    fn scale(&self) -> f32 {
        self.rect.width() / self.crop.width()
    }
}

pub(super) fn show(
    ui: &mut Ui,
    stage: &Stage<'_>,
    area: Rect,
    session: &mut Session,
    textures: &mut Textures,
    actions: &mut Vec<Action>,
) {
    let Some(tool) = session.ui.editing.tool else { return };
    let place = Place { rect: fit(area, stage.crop), crop: stage.crop };
    #[cfg(test)]
    PLACE.set(Some(place));
    let response = ui.interact(place.rect, ui.id().with("edit picture"), Sense::click_and_drag());
    let response = response.presented(
        WidgetType::Image,
        if tool.paints() { "The mask, to be painted" } else { "The keypoints, to be dragged" },
    );
    stage.photo(ui, place.rect, false, "");
    let painter = ui.painter_at(place.rect);
    if tool.paints() {
        // What is painted is seen at once; the picture of it follows what the mouse does.
        if tool == EditTool::Polygon {
            polygon(ui, &painter, &response, place, session, actions);
        } else {
            brush(ui, &response, place, session, actions);
        }
        if let Some(mask) = textures.mask(ui.ctx(), session) {
            painter.image(mask.id(), place.rect, stage.uv(), Color32::WHITE);
        }
        cursor(ui, &painter, &response, place, session);
    } else {
        keypoints(ui, &painter, &response, stage, place, session, actions);
    }
    let at = place.rect.left_bottom() + vec2(6.0, -6.0);
    tag(&painter, at, Align2::LEFT_BOTTOM, if tool.paints() { "mask" } else { "keypoints" });
}

#[cfg(test)]
thread_local! {
    /// Where the picture was drawn last, for tests that move the mouse.
    static PLACE: std::cell::Cell<Option<Place>> = const { std::cell::Cell::new(None) };
}

/// Where a pixel of the edited photograph lies on screen.
#[cfg(test)]
pub(super) fn shown_at(p: [f64; 2]) -> Option<Pos2> {
    PLACE.get().map(|place| place.on_screen(p))
}

/// The keypoint next to a place on screen, within reach.
fn nearest(hands: &[Option<Keypoints>; 2], place: Place, at: Pos2) -> Option<Picked> {
    let all = hands.iter().enumerate().filter_map(|(side, hand)| Some((side, hand.as_ref()?)));
    let all = all.flat_map(|(side, hand)| (0..KEYPOINTS).map(move |k| ((side, k), hand.px[k])));
    let near = all.map(|(picked, px)| (place.on_screen(px).distance(at), picked)).filter(|(d, _)| *d <= REACH);
    near.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, picked)| picked)
}

fn keypoints(
    ui: &Ui,
    painter: &Painter,
    response: &Response,
    stage: &Stage<'_>,
    place: Place,
    session: &mut Session,
    actions: &mut Vec<Action>,
) {
    let mut hands = stage.keypoints.clone();
    let hovered = response.hover_pos().and_then(|at| nearest(&hands, place, at));
    let (pressed, at) = ui.input(|i| (i.pointer.press_origin(), i.pointer.interact_pos()));
    if response.drag_started_by(PointerButton::Primary)
        && let Some(from) = pressed
        && let Some((side, k)) = nearest(&hands, place, from)
        && let Some(hand) = &hands[side]
    {
        let mouse = place.in_photo(from);
        let offset = [0, 1].map(|a| hand.px[k][a] - mouse[a]);
        session.ui.editing.drag = Some(Drag { keypoint: (side, k), offset, at: hand.px[k] });
        session.ui.editing.picked = Some((side, k));
    }
    if let (Some(drag), Some(at)) = (&mut session.ui.editing.drag, at) {
        let mouse = place.in_photo(at);
        drag.at = [0, 1].map(|a| mouse[a] + drag.offset[a]);
    }
    if let Some(drag) = session.ui.editing.drag {
        let (side, k) = drag.keypoint;
        if response.drag_stopped() || !ui.input(|i| i.pointer.primary_down()) {
            session.ui.editing.drag = None;
            actions.push(Action::Edit(EditAction::Place(session.selected, Side::BOTH[side], k, drag.at)));
        }
        if let Some(hand) = &mut hands[side] {
            (hand.px[k], hand.confidence[k], hand.placed[k]) = (drag.at, 1.0, true);
        }
    }
    if response.clicked() || response.secondary_clicked() {
        session.ui.editing.picked = pressed.or(at).and_then(|at| nearest(&hands, place, at));
    }
    if hovered.is_some() {
        ui.ctx().set_cursor_icon(CursorIcon::Grab);
    }
    let picked = session.ui.editing.picked;
    draw(painter, &hands, place, picked.or(hovered));
    if let Some((side, k)) = session.ui.editing.drag.map(|d| d.keypoint).or(hovered)
        && let Some(hand) = &hands[side]
    {
        let seen = if hand.confidence[k] > 0.0 { "" } else { ", unseen" };
        let text = format!("{} {}{seen}", Side::BOTH[side], KEYPOINT_NAMES[k]);
        tag(painter, place.on_screen(hand.px[k]) + vec2(10.0, -10.0), Align2::LEFT_BOTTOM, &text);
    }
    menu(response, session, picked, actions);
}

/// What a right click offers.
fn menu(response: &Response, session: &mut Session, picked: Option<Picked>, actions: &mut Vec<Action>) {
    let view = session.selected;
    response.context_menu(|ui| {
        let mut item = |ui: &mut Ui, text: String, why_not: Option<&str>, action: EditAction| {
            let response = ui.add_enabled(why_not.is_none(), egui::Button::new(text));
            if response.on_disabled_hover_text(why_not.unwrap_or_default()).clicked() {
                actions.push(Action::Edit(action));
                ui.close();
            }
        };
        if let Some((side, k)) = picked {
            let (side, name) = (Side::BOTH[side], KEYPOINT_NAMES[k]);
            item(ui, format!("{side} {name}: unseen, or seen"), None, EditAction::ToggleUnseen(view, side, k));
            item(ui, format!("{side} {name}: back to what was detected"), None, EditAction::Restore(view, side, k));
            item(ui, format!("The {side} hand is not seen here"), None, EditAction::HandUnseen(view, side));
            ui.separator();
        }
        item(ui, "Swap left and right".to_owned(), None, EditAction::SwapSides(view));
        for side in Side::BOTH {
            let why_not = session.why_no_hand(view, side);
            item(ui, format!("Add the {side} hand from the joints"), why_not, EditAction::AddHand(view, side));
        }
        item(ui, "Revert this view's keypoints".to_owned(), None, EditAction::RevertKeypoints(view));
    });
}

/// Hands with their bones. What is unseen is hollow, what a user has placed has a ring.
fn draw(painter: &Painter, hands: &[Option<Keypoints>; 2], place: Place, marked: Option<Picked>) {
    for (side, (hand, colour)) in hands.iter().zip(SIDE_COLOURS).enumerate() {
        let Some(hand) = hand else { continue };
        for (a, b) in KEYPOINT_BONES {
            let seen = hand.confidence[a] > 0.0 && hand.confidence[b] > 0.0;
            let colour = if seen { colour } else { colour.gamma_multiply(0.3) };
            painter.line_segment([place.on_screen(hand.px[a]), place.on_screen(hand.px[b])], (1.5, colour));
        }
        for k in 0..KEYPOINTS {
            let at = place.on_screen(hand.px[k]);
            if hand.confidence[k] > 0.0 {
                painter.circle(at, 3.5, colour, (1.0, Color32::BLACK));
            } else {
                painter.circle_stroke(at, 3.5, (1.2, colour.gamma_multiply(0.6)));
            }
            if hand.placed[k] {
                painter.circle_stroke(at, 6.0, (1.2, Color32::WHITE));
            }
            if marked == Some((side, k)) {
                painter.circle_stroke(at, 8.5, (2.0, ACCENT));
            }
        }
    }
}

fn brush(ui: &Ui, response: &Response, place: Place, session: &mut Session, actions: &mut Vec<Action>) {
    let view = session.selected;
    let value = if session.ui.editing.tool == Some(EditTool::Eraser) { 0 } else { 255 };
    let down = ui.input(|i| i.pointer.primary_down()) && response.is_pointer_button_down_on();
    let at = ui.input(|i| i.pointer.interact_pos()).map(|at| place.in_photo(at));
    if let (true, Some(at)) = (down, at) {
        if session.ui.editing.stroke.is_none()
            && let Some(mask) = session.mask_image(view)
        {
            session.ui.editing.stroke = Some(Stroke { view, mask, last: at, dirty: None });
        }
        let radius = session.ui.editing.radius_px;
        if let Some(stroke) = &mut session.ui.editing.stroke {
            let touched = paint(&mut stroke.mask, [stroke.last, at], radius, value);
            stroke.dirty = union(stroke.dirty, touched);
            stroke.last = at;
        }
    } else if let Some(stroke) = session.ui.editing.stroke.take() {
        actions.push(Action::Edit(EditAction::Mask(stroke.view, Arc::new(CompactMask::new(&stroke.mask)))));
    }
}

fn union(a: Option<[u32; 4]>, b: Option<[u32; 4]>) -> Option<[u32; 4]> {
    match (a, b) {
        (Some(a), Some(b)) => Some([a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]),
        (a, b) => a.or(b),
    }
}

/// A circle of the brush's size, or a cross.
fn cursor(ui: &Ui, painter: &Painter, response: &Response, place: Place, session: &Session) {
    let Some(at) = response.hover_pos() else { return };
    if session.ui.editing.tool.is_some_and(EditTool::has_size) {
        #[expect(clippy::cast_possible_truncation, reason = "some pixels")]
        let radius = session.ui.editing.radius_px as f32 * place.scale();
        painter.circle_stroke(at, radius, (2.0, Color32::BLACK));
        painter.circle_stroke(at, radius, (1.0, Color32::WHITE));
    }
    ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
}

fn polygon(
    ui: &Ui,
    painter: &Painter,
    response: &Response,
    place: Place,
    session: &mut Session,
    actions: &mut Vec<Action>,
) {
    let at = ui.input(|i| i.pointer.interact_pos());
    if let (true, Some(at)) = (response.clicked_by(PointerButton::Primary), at) {
        // The second click of a double click is where the first was.
        let corner = place.in_photo(at);
        let again = session.ui.editing.polygon.last().is_some_and(|last| place.on_screen(*last).distance(at) < 3.0);
        if !again {
            session.ui.editing.polygon.push(corner);
        }
    }
    if response.double_clicked_by(PointerButton::Primary) {
        actions.extend(session.close_polygon());
    }
    let corners: Vec<Pos2> = session.ui.editing.polygon.iter().map(|p| place.on_screen(*p)).collect();
    let over = painter.clone();
    for pair in corners.windows(2) {
        over.line_segment([pair[0], pair[1]], (1.5, ACCENT));
    }
    if let (Some(first), Some(last), Some(mouse)) = (corners.first(), corners.last(), response.hover_pos()) {
        over.line_segment([*last, mouse], (1.0, ACCENT));
        over.line_segment([mouse, *first], (1.0, ACCENT.gamma_multiply(0.4)));
    }
    for corner in corners {
        over.circle_filled(corner, 3.0, ACCENT);
    }
}
