//! Two palettes of one accent, one set of spacings. Pictures, plots, the timeline and the 3D view lie on dark ground in both:
//! photographs and heat maps are read best there. Their colours are constants; those of panels are asked for.

use super::access::{Named as _, is_read};
use egui::{Color32, Context, CornerRadius, FontFamily, FontId, Frame, Margin, Stroke, TextStyle, Ui, Visuals};

/// The one accent colour: selection, progress, primary button.
pub(crate) const ACCENT: Color32 = Color32::from_rgb(72, 190, 178);
/// Text on the accent.
pub(crate) const ON_ACCENT: Color32 = Color32::from_rgb(8, 28, 27);
/// Panels.
pub(crate) const PANEL: Color32 = Color32::from_rgb(27, 29, 33);
/// Bars.
pub(crate) const BAR: Color32 = Color32::from_rgb(22, 24, 27);
/// Wells: plots, pictures, text fields.
pub(crate) const WELL: Color32 = Color32::from_rgb(17, 18, 21);
/// Lines between panels.
pub(crate) const LINE: Color32 = Color32::from_rgb(48, 51, 57);
/// Secondary text.
pub(crate) const WEAK: Color32 = Color32::from_rgb(142, 148, 158);
/// Text.
pub(crate) const TEXT: Color32 = Color32::from_rgb(214, 218, 224);
/// Something to look at.
pub(crate) const AMBER: Color32 = Color32::from_rgb(231, 173, 82);
/// A view that is compared but not fitted.
pub(crate) const HELD_OUT: Color32 = Color32::from_rgb(150, 166, 240);
/// Something failed.
pub(crate) const RED: Color32 = Color32::from_rgb(228, 101, 94);

/// Which palette the panels have: one for the program, whatever thread draws.
#[cfg(not(test))]
mod lightness {
    use std::sync::atomic::{AtomicBool, Ordering};

    static LIGHT: AtomicBool = AtomicBool::new(false);

    pub(super) fn is_light() -> bool {
        LIGHT.load(Ordering::Relaxed)
    }

    pub(super) fn set_light(light: bool) {
        LIGHT.store(light, Ordering::Relaxed);
    }
}

/// The same, for each test its own: they draw side by side.
#[cfg(test)]
mod lightness {
    thread_local!(static LIGHT: std::cell::Cell<bool> = const { std::cell::Cell::new(false) });

    pub(super) fn is_light() -> bool {
        LIGHT.get()
    }

    pub(super) fn set_light(light: bool) {
        LIGHT.set(light);
    }
}

use lightness::{is_light, set_light};

/// Colours of the panels by name: `(name, dark, light)`.
macro_rules! palette {
    ($($(#[$doc:meta])* $name:ident $dark:expr, $light:expr;)*) => {
        $($(#[$doc])* pub(crate) fn $name() -> Color32 {
            if is_light() { $light } else { $dark }
        })*

        /// All of them, for the test of contrasts: name, dark, light.
        #[cfg(test)]
        const PALETTE: &[(&str, Color32, Color32)] = &[$((stringify!($name), $dark, $light)),*];
    };
}

palette! {
    /// As [`ACCENT`].
    accent ACCENT, Color32::from_rgb(0, 114, 105);
    /// As [`ON_ACCENT`].
    on_accent ON_ACCENT, Color32::WHITE;
    /// As [`PANEL`].
    sheet PANEL, Color32::from_rgb(246, 247, 249);
    /// As [`BAR`].
    strip BAR, Color32::from_rgb(234, 236, 240);
    /// Fields to type into.
    field WELL, Color32::WHITE;
    /// As [`LINE`].
    rule LINE, Color32::from_rgb(203, 207, 214);
    /// As [`WEAK`].
    faint WEAK, Color32::from_rgb(88, 94, 104);
    /// As [`TEXT`].
    ink TEXT, Color32::from_rgb(28, 31, 36);
    /// As [`AMBER`].
    amber AMBER, Color32::from_rgb(146, 90, 0);
    /// As [`RED`].
    red RED, Color32::from_rgb(180, 40, 34);
    /// As [`HELD_OUT`].
    blue HELD_OUT, Color32::from_rgb(66, 80, 184);
    /// Buttons at rest.
    button_fill Color32::from_rgb(43, 46, 52), Color32::from_rgb(226, 229, 234);
    /// Buttons under the mouse.
    hover_fill Color32::from_rgb(56, 60, 68), Color32::from_rgb(212, 217, 224);
    /// Windows that lie upon the rest.
    raised Color32::from_rgb(32, 34, 39), Color32::from_rgb(252, 252, 253);
}

/// The loss terms in the order of the legend. A live run tells them in the order of its stages and a run folder by the
/// alphabet; neither may change a curve's place or colour.
const TERMS: [&str; 12] =
    ["sfs", "lap", "albedo", "mask", "edge", "delta", "joints", "reprojection", "limits", "pose", "shape", "offsets"];

/// Colours of the terms: Okabe and Ito's palette, told apart by colour-blind eyes too, and what is farthest from it.
const SERIES: [Color32; TERMS.len()] = [
    Color32::from_rgb(86, 180, 233),
    Color32::from_rgb(230, 159, 0),
    Color32::from_rgb(204, 121, 167),
    Color32::from_rgb(0, 178, 125),
    Color32::from_rgb(240, 228, 66),
    Color32::from_rgb(213, 94, 0),
    Color32::from_rgb(122, 143, 230),
    Color32::from_rgb(158, 202, 110),
    Color32::from_rgb(196, 160, 222),
    Color32::from_rgb(150, 156, 165),
    Color32::from_rgb(186, 140, 99),
    Color32::from_rgb(110, 214, 214),
];

/// Place of a loss term in the legend; those that are not known come last, by their names.
pub(crate) fn series_order(name: &str) -> (usize, &str) {
    (TERMS.iter().position(|known| *known == name).unwrap_or(TERMS.len()), name)
}

/// Colour of a loss term, by its name alone.
pub(crate) fn series(name: &str) -> Color32 {
    let unknown = || name.bytes().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    SERIES[TERMS.iter().position(|known| *known == name).unwrap_or_else(|| unknown() % SERIES.len())]
}

/// A curve's colour as its mark on a panel: on light ground the pale ones are darkened so that they show.
pub(crate) fn on_panel(colour: Color32) -> Color32 {
    if !is_light() {
        return colour;
    }
    let [r, g, b, a] = colour.to_array();
    let luma = (u32::from(r) * 2 + u32::from(g) * 5 + u32::from(b)) / 8;
    if luma > 170 { Color32::from_rgba_premultiplied(r / 2, g / 2, b / 2, a) } else { colour }
}

/// Sets fonts, colours and spacings.
pub(crate) fn apply(ctx: &Context, light: bool) {
    // Frames of a software driver under load are slow, and a click is one however long they take.
    ctx.options_mut(|o| o.input_options.max_click_duration = 3.0);
    set_light(light);
    let mut visuals = if light { Visuals::light() } else { Visuals::dark() };
    visuals.panel_fill = sheet();
    visuals.window_fill = raised();
    visuals.window_stroke = Stroke::new(1.0, rule());
    visuals.extreme_bg_color = field();
    visuals.faint_bg_color = raised();
    visuals.override_text_color = None;
    visuals.selection.bg_fill = if light { Color32::from_rgb(176, 222, 216) } else { ACCENT.gamma_multiply(0.42) };
    visuals.selection.stroke = Stroke::new(1.0, if light { ink() } else { Color32::WHITE });
    visuals.hyperlink_color = accent();
    visuals.slider_trailing_fill = true;
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, rule());
    visuals.widgets.noninteractive.fg_stroke = Stroke::new(1.0, ink());
    visuals.widgets.inactive.weak_bg_fill = button_fill();
    visuals.widgets.inactive.bg_fill = hover_fill();
    visuals.widgets.inactive.fg_stroke = Stroke::new(1.0, ink());
    visuals.widgets.hovered.weak_bg_fill = hover_fill();
    visuals.widgets.hovered.bg_stroke = Stroke::new(1.0, accent().gamma_multiply(0.6));
    visuals.widgets.active.weak_bg_fill = accent().gamma_multiply(0.55);
    for widget in [
        &mut visuals.widgets.noninteractive,
        &mut visuals.widgets.inactive,
        &mut visuals.widgets.hovered,
        &mut visuals.widgets.active,
        &mut visuals.widgets.open,
    ] {
        widget.corner_radius = CornerRadius::same(4);
    }
    // The commands do it, as all keys are theirs.
    ctx.options_mut(|o| o.zoom_with_keyboard = false);
    ctx.set_theme(if light { egui::Theme::Light } else { egui::Theme::Dark });
    ctx.all_styles_mut(|style| {
        // A panel that gives way to another one is no mistake.
        #[cfg(debug_assertions)]
        {
            style.debug.warn_if_rect_changes_id = false;
        }
        style.visuals = visuals.clone();
        style.spacing.item_spacing = egui::vec2(6.0, 5.0);
        style.spacing.button_padding = egui::vec2(8.0, 3.0);
        style.spacing.interact_size.y = 22.0;
        style.animation_time = 0.0;
        style.text_styles = [
            (TextStyle::Heading, FontId::new(16.0, FontFamily::Proportional)),
            (TextStyle::Body, FontId::new(13.5, FontFamily::Proportional)),
            (TextStyle::Button, FontId::new(13.5, FontFamily::Proportional)),
            (TextStyle::Small, FontId::new(11.5, FontFamily::Proportional)),
            (TextStyle::Monospace, FontId::new(12.5, FontFamily::Monospace)),
        ]
        .into();
    });
}

/// Frame of the top bar.
pub(crate) fn bar_frame() -> Frame {
    Frame::NONE.fill(strip()).inner_margin(Margin::symmetric(10, 5))
}

/// Frame of the row of menus.
pub(crate) fn menu_frame() -> Frame {
    Frame::NONE.fill(strip()).inner_margin(Margin { left: 6, right: 10, top: 3, bottom: 0 })
}

/// Frame of the timeline.
pub(crate) fn timeline_frame() -> Frame {
    Frame::NONE.fill(sheet()).inner_margin(Margin::symmetric(10, 4))
}

/// What panels leave at their left and right, above and below.
pub(crate) const PANEL_MARGIN: egui::Vec2 = egui::vec2(10.0, 6.0);

/// What scrolls under the fixed rows of a panel: it gives way before they do, where the default keeps 64 points and lets a
/// low panel run over its neighbour.
pub(crate) fn scroll() -> egui::ScrollArea {
    egui::ScrollArea::vertical().auto_shrink([false, false]).min_scrolled_height(16.0)
}

/// A panel's title.
pub(crate) fn title(ui: &mut Ui, text: &str) {
    ui.label(egui::RichText::new(text).size(12.0).strong().color(faint()));
}

/// A button that, when it cannot be pressed, says why.
pub(crate) fn button(ui: &mut Ui, text: impl Into<egui::WidgetText>, why_not: Option<&str>, help: &str) -> bool {
    let text: egui::WidgetText = text.into();
    let read = is_read(text.text());
    let response = ui.add_enabled(why_not.is_none(), egui::Button::new(text));
    let response = if read { response } else { response.named(help) };
    response.on_hover_text(help).on_disabled_hover_text(why_not.unwrap_or_default()).clicked()
}

/// The one emphasised button.
pub(crate) fn primary_button(ui: &mut Ui, text: &str, why_not: Option<&str>, help: &str) -> bool {
    let enabled = why_not.is_none();
    let text = egui::RichText::new(text).strong();
    let button =
        if enabled { egui::Button::new(text.color(on_accent())).fill(accent()) } else { egui::Button::new(text) };
    ui.add_enabled(enabled, button).on_hover_text(help).on_disabled_hover_text(why_not.unwrap_or_default()).clicked()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, light: bool) -> Color32 {
        let (_, dark_colour, light_colour) = PALETTE.iter().find(|c| c.0 == name).expect("a colour of the palette");
        if light { *light_colour } else { *dark_colour }
    }

    /// Contrast as the web's guidelines (WCAG 2) have it, 1 to 21.
    fn contrast(a: Color32, b: Color32) -> f64 {
        let luminance = |c: Color32| {
            let linear = |v: u8| {
                let v = f64::from(v) / 255.0;
                if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(c.r()) + 0.7152 * linear(c.g()) + 0.0722 * linear(c.b())
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        (a / b).max(b / a)
    }

    #[test]
    fn letters_can_be_read_on_both_palettes() {
        for light in [false, true] {
            for ground in ["sheet", "strip", "raised", "field"] {
                for letters in ["ink", "faint", "amber", "red", "blue", "accent"] {
                    let found = contrast(of(letters, light), of(ground, light));
                    assert!(found >= 4.5, "{letters} on {ground}, light {light}: {found:.2}");
                }
            }
            assert!(contrast(of("on_accent", light), of("accent", light)) >= 4.5, "on the accent");
            assert!(contrast(of("ink", light), of("button_fill", light)) >= 4.5, "on buttons");
        }
        assert!(contrast(Color32::from_gray(120), Color32::from_gray(100)) < 2.0, "the check can fail");
    }
}
