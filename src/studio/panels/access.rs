//! Names for who cannot see the window: a screen reader says of each control and picture what egui's tree of nodes for
//! accessibility says. A control whose text has no letters, or that is only painted, is named here.

use egui::accesskit::Role;
use egui::{DragValue, Id, Rect, Response, Sense, Slider, SliderClamping, Ui, WidgetInfo, WidgetType};
use std::ops::RangeInclusive;

/// Names of responses.
pub(super) trait Named: Sized {
    /// Gives a control a name; it stays what it is.
    fn named(self, name: &str) -> Self;

    /// Says what something painted is, and gives it a name.
    fn presented(self, what: WidgetType, name: &str) -> Self;
}

impl Named for Response {
    fn named(self, name: &str) -> Self {
        self.ctx.accesskit_node_builder(self.id, |node| node.set_label(name));
        self
    }

    fn presented(self, what: WidgetType, name: &str) -> Self {
        self.widget_info(|| WidgetInfo::labeled(what, self.enabled(), name));
        self
    }
}

/// Whether a text says anything when it is read out.
pub(super) fn is_read(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

/// A picture that is painted, where nothing else answers: its name, and what it shows in words.
pub(super) fn canvas(ui: &Ui, salt: &str, rect: Rect, said: (&str, &str)) {
    // Hovered at most: it takes neither clicks nor the wheel from what lies there.
    painted(&ui.interact(rect, Id::new(("canvas", salt)), Sense::hover()), said);
}

/// Says of a response that it is a picture: its name, and what it shows in words.
pub(super) fn painted(response: &Response, (name, shows): (&str, &str)) {
    response.ctx.accesskit_node_builder(response.id, |node| {
        node.set_role(Role::Canvas);
        node.set_label(name);
        node.set_description(shows);
        let rect = response.rect;
        let [x0, y0, x1, y1] = [rect.min.x, rect.min.y, rect.max.x, rect.max.y].map(f64::from);
        node.set_bounds(egui::accesskit::Rect { x0, y0, x1, y1 });
    });
}

/// How a slider shows its number: decimals, unit, whether its scale is logarithmic.
pub(super) type Shown = (usize, &'static str, bool);

/// A slider with its number, both of which have the name; egui's own number has none. A value that nobody has touched is neither
/// rounded nor clamped.
pub(super) fn slider(
    ui: &mut Ui,
    name: &str,
    value: &mut f64,
    range: RangeInclusive<f64>,
    (decimals, unit, logarithmic): Shown,
) -> Response {
    let whole = (range.end() - range.start()) / f64::from(ui.spacing().slider_width.max(1.0));
    let speed = if logarithmic { value.abs() * 0.02 } else { whole };
    let slider = Slider::new(value, range.clone())
        .show_value(false)
        .logarithmic(logarithmic)
        .fixed_decimals(decimals)
        .clamping(SliderClamping::Edits);
    let slider = ui.add(slider).named(name);
    let number = DragValue::new(value).speed(speed).range(range).clamp_existing_to_range(false);
    slider.union(ui.add(number.fixed_decimals(decimals).suffix(unit)).named(&format!("{name}, number")))
}
