//! What the colours of the cameras mean: a bar with numbers, in the lower right of the 3D view.

use super::theme::{PANEL, TEXT, WEAK};
use crate::studio::residual;
use crate::studio::session::{Measure, Session};
use egui::{Align2, Color32, FontId, Rect, Ui, pos2, vec2};

/// Size of the box in points.
const SIZE: egui::Vec2 = vec2(176.0, 42.0);
/// Pieces of the bar.
const PIECES: u8 = 48;

pub(super) fn show(root: &Ui, view: Rect, session: &Session) {
    let shown = session.ui.show_residuals && session.ui.show_cameras;
    let Some([good, bad]) = session.scale().filter(|_| shown) else { return };
    let measure = session.ui.measure;
    let place = Rect::from_min_size(view.right_bottom() - SIZE - vec2(10.0, 26.0), SIZE);
    if !view.contains_rect(place) {
        return;
    }
    let painter = root.painter();
    painter.rect_filled(place, 4.0, PANEL);
    let which = if session.run_dir.is_some() { "as repaired" } else { "as given" };
    let font = FontId::proportional(10.5);
    let title = match measure {
        Measure::Residual => format!("residual, cameras {which}"),
        other => format!("{} of the views", other.name()),
    };
    painter.text(place.min + vec2(8.0, 3.0), Align2::LEFT_TOP, title, font.clone(), TEXT);
    let bar = Rect::from_min_max(place.min + vec2(8.0, 18.0), pos2(place.max.x - 8.0, place.min.y + 26.0));
    for piece in 0..PIECES {
        let (from, to) = (f32::from(piece) / f32::from(PIECES), f32::from(piece + 1) / f32::from(PIECES));
        let [r, g, b] = residual::colour(f32::midpoint(from, to));
        let x = |t: f32| bar.left() + t * bar.width();
        let rect = Rect::from_min_max(pos2(x(from), bar.top()), pos2(x(to), bar.bottom()));
        painter.rect_filled(rect, 0.0, Color32::from_rgb(r, g, b));
    }
    let numbers = [(bar.left(), Align2::LEFT_TOP, good), (bar.center().x, Align2::CENTER_TOP, 0.5 * (good + bad))];
    for (x, align, value) in numbers {
        painter.text(pos2(x, bar.bottom() + 1.0), align, number(value), font.clone(), WEAK);
    }
    let text = format!("{}{}", number(bad), measure.unit());
    painter.text(pos2(bar.right(), bar.bottom() + 1.0), Align2::RIGHT_TOP, text, font, WEAK);
}

fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
