//! Names for who cannot see the window: a screen reader says of each control and picture what egui's tree of nodes for
//! accessibility says. A control whose text has no letters, or that is only painted, is named here.

use egui::accesskit::Role;
use egui::{Id, Rect, Response, Sense, Ui, WidgetInfo, WidgetType};

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
