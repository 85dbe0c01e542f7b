//! What colours mean, and how large things are: bars with numbers in the lower right of the 3D view, a scale below its middle.

use super::theme::{PANEL, TEXT, WEAK};
use crate::studio::session::{Measure, Session};
use crate::studio::ui_state::Shading;
use crate::studio::{residual, viewport};
use egui::{Align2, Color32, FontId, Rect, Stroke, Ui, pos2, vec2};
use nalgebra::Vector3;

/// Size of a box in points.
const SIZE: egui::Vec2 = vec2(176.0, 42.0);
/// Pieces of a bar.
const PIECES: u8 = 48;
/// The longest scale in points.
const LONGEST: f64 = 130.0;
/// A 3D view without room for the scale beside the words in its corner, points.
const NARROW: f32 = 640.0;

pub(super) fn show(root: &Ui, view: Rect, session: &Session) {
    let mut corner = view.right_bottom() - vec2(10.0, 26.0);
    if let Some([good, bad]) = session.scale().filter(|_| session.ui.show_residuals && session.ui.show_cameras) {
        let which = if session.run_dir.is_some() { "as repaired" } else { "as given" };
        let title = match session.ui.measure {
            Measure::Residual => format!("residual, cameras {which}"),
            other => format!("{} of the views", other.name()),
        };
        bar(root, view, corner, &title, [good, bad], session.ui.measure.unit(), residual::colour);
        corner.y -= SIZE.y + 6.0;
    }
    heat(root, view, corner, session);
    scale(root, view, session);
}

/// What the vertices' colours measure, or why they cannot.
fn heat(root: &Ui, view: Rect, corner: egui::Pos2, session: &Session) {
    let shading: Shading = session.mesh_shading();
    match session.heat() {
        Some(Ok(heat)) => {
            bar(root, view, corner, heat.title, heat.ends, heat.unit, |t| viewport::heat_colour(shading, t));
        }
        Some(Err(why)) if session.shown.is_some() => {
            let text = format!("{}: {why}", shading.name());
            let galley = root.painter().layout_no_wrap(text, FontId::proportional(11.0), TEXT);
            let place = Rect::from_min_size(corner - galley.size() - vec2(6.0, 4.0), galley.size());
            root.painter().rect_filled(place.expand2(vec2(6.0, 3.0)), 3.0, PANEL);
            root.painter().galley(place.min, galley, TEXT);
        }
        _ => {}
    }
}

/// A bar with its lower right corner there; not where there is no room for it.
fn bar(
    root: &Ui,
    view: Rect,
    corner: egui::Pos2,
    title: &str,
    [low, high]: [f64; 2],
    unit: &str,
    colour: impl Fn(f32) -> [u8; 3],
) {
    let place = Rect::from_min_size(corner - SIZE, SIZE);
    if !view.contains_rect(place) {
        return;
    }
    let painter = root.painter();
    painter.rect_filled(place, 4.0, PANEL);
    let font = FontId::proportional(10.5);
    painter.text(place.min + vec2(8.0, 3.0), Align2::LEFT_TOP, title, font.clone(), TEXT);
    let bar = Rect::from_min_max(place.min + vec2(8.0, 18.0), pos2(place.max.x - 8.0, place.min.y + 26.0));
    for piece in 0..PIECES {
        let (from, to) = (f32::from(piece) / f32::from(PIECES), f32::from(piece + 1) / f32::from(PIECES));
        let [r, g, b] = colour(f32::midpoint(from, to));
        let x = |t: f32| bar.left() + t * bar.width();
        let rect = Rect::from_min_max(pos2(x(from), bar.top()), pos2(x(to), bar.bottom()));
        painter.rect_filled(rect, 0.0, Color32::from_rgb(r, g, b));
    }
    let numbers = [(bar.left(), Align2::LEFT_TOP, low), (bar.center().x, Align2::CENTER_TOP, 0.5 * (low + high))];
    for (x, align, value) in numbers {
        painter.text(pos2(x, bar.bottom() + 1.0), align, number(value), font.clone(), WEAK);
    }
    let text = format!("{}{unit}", number(high));
    painter.text(pos2(bar.right(), bar.bottom() + 1.0), Align2::RIGHT_TOP, text, font, WEAK);
}

fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How long a round length is at the depth of the hands: metres and points. `view_points` is the width of the 3D view.
fn round_length(session: &Session, view_points: f64) -> Option<(f64, f64)> {
    let camera = session.view_camera()?;
    let hands = session.visible()?;
    // Drawn in every frame, and some of the vertices tell the depth as well as all of them.
    let some = hands.hands.iter().flat_map(|h| h.positions.iter().step_by(61));
    let (count, sum) =
        some.fold((0_usize, Vector3::zeros()), |(n, sum), p| (n + 1, sum + Vector3::from(p.map(f64::from))));
    #[expect(clippy::cast_precision_loss, reason = "vertex counts are far below 2^53")]
    let middle = sum / count.max(1) as f64;
    let depth = (camera.rotation * middle + camera.translation).z;
    let points_per_metre = camera.k[(0, 0)] / depth * view_points / f64::from(camera.width_px);
    if count == 0 || !points_per_metre.is_finite() || depth <= 0.0 {
        return None;
    }
    let steps = (-4..=1).rev().flat_map(|decade| [5.0, 2.0, 1.0].map(|m| m * 10_f64.powi(decade)));
    steps.map(|metres| (metres, metres * points_per_metre)).find(|(_, points)| *points <= LONGEST)
}

/// A scale below the middle of the view.
fn scale(root: &Ui, view: Rect, session: &Session) {
    if !session.ui.show_hands {
        return;
    }
    let Some((metres, points)) = round_length(session, f64::from(view.width())) else { return };
    #[expect(clippy::cast_possible_truncation, reason = "points on screen")]
    let half = vec2(points as f32 * 0.5, 0.0);
    // In a narrow view the words in its corner reach as far as the middle.
    let up = if view.width() < NARROW { 32.0 } else { 14.0 };
    let at = pos2(view.center().x, view.bottom() - up);
    let painter = root.painter();
    let stroke = Stroke::new(2.0, TEXT);
    painter.line_segment([at - half, at + half], stroke);
    for end in [at - half, at + half] {
        painter.line_segment([end - vec2(0.0, 4.0), end + vec2(0.0, 4.0)], stroke);
    }
    let font = FontId::proportional(11.0);
    painter.text(at - vec2(0.0, 4.0), Align2::CENTER_BOTTOM, length_words(metres), font, TEXT);
}

/// A round length as people say it.
fn length_words(metres: f64) -> String {
    if metres >= 0.999 {
        format!("{metres:.0} m")
    } else if metres >= 0.00999 {
        format!("{:.0} cm", metres * 1e2)
    } else if metres >= 0.000_999 {
        format!("{:.0} mm", metres * 1e3)
    } else {
        format!("{:.1} mm", metres * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{HandSnapshot, Snapshot, Stage};
    use crate::studio::testing::{test_camera, test_capture};
    use std::sync::Arc;

    #[test]
    fn the_scale_is_what_the_camera_projects() {
        let mut session = Session::new(Vec::new());
        session.capture = Some(Arc::new(test_capture(3)));
        let hand = HandSnapshot {
            side: crate::anatomy::Side::Right,
            faces: Arc::new(vec![[0, 0, 0]]),
            positions: vec![[0.0; 3]],
            normals: vec![[0.0, 1.0, 0.0]],
            albedo: vec![[0.5; 3]],
        };
        let hands = vec![hand];
        let snapshot =
            Snapshot { stage: Stage::Ham, phase: String::new(), iter: 0, step: 1, joints: [None, None], hands };
        session.shown = Some(Arc::new(snapshot));
        assert_eq!(round_length(&session, 640.0), None, "no camera yet");
        let camera = test_camera(1, 3);
        session.look_from(Some(camera.clone()));
        let (metres, points) = round_length(&session, 640.0).expect("a scale");
        // The picture has 320 pixels on 640 points.
        let across = camera.rotation.transpose() * Vector3::new(metres, 0.0, 0.0);
        let (a, b) = (camera.project(&Vector3::zeros()), camera.project(&across));
        let px = (b.expect("in front") - a.expect("in front")).norm();
        assert!((points - 2.0 * px).abs() < 0.02 * points, "{metres} m: {points} points, {px} px");
        assert!((25.0..=LONGEST).contains(&points), "of a sensible length: {points}");
        assert_eq!([1.0, 0.05, 0.01, 0.002, 0.0005].map(length_words), ["1 m", "5 cm", "1 cm", "2 mm", "0.5 mm"]);
    }
}
