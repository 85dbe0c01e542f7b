//! What is held while keypoints and masks are edited: the tool, what is being dragged or painted; and painting itself.

use image::{GrayImage, Luma};

/// What the mouse does in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EditTool {
    /// Moves keypoints.
    Keypoints,
    /// Paints hand.
    Brush,
    /// Paints background.
    Eraser,
    /// Fills what corners enclose.
    Polygon,
}

impl EditTool {
    /// Whether it changes the mask.
    #[must_use]
    pub(crate) const fn paints(self) -> bool {
        !matches!(self, Self::Keypoints)
    }

    /// Whether it has a size.
    #[must_use]
    pub(crate) const fn has_size(self) -> bool {
        matches!(self, Self::Brush | Self::Eraser)
    }
}

/// A keypoint: side as it is shown, number in `MediaPipe`'s order.
pub(crate) type Picked = (usize, usize);

/// A keypoint under way to a new place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drag {
    /// Which.
    pub keypoint: Picked,
    /// From the mouse to the keypoint, pixels of the photograph.
    pub offset: [f64; 2],
    /// Where it is now.
    pub at: [f64; 2],
}

/// A stroke of the brush under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stroke {
    /// The view.
    pub view: usize,
    /// Its mask so far.
    pub mask: GrayImage,
    /// Where the brush was last.
    pub last: [f64; 2],
    /// What has changed since the picture was uploaded: `[x0, y0, x1, y1]`, the ends outside; empty when nothing.
    pub dirty: Option<[u32; 4]>,
}

/// The state of editing.
#[derive(Clone, Debug)]
pub(crate) struct Editing {
    /// The tool; `None` outside of the edit mode.
    pub tool: Option<EditTool>,
    /// The keypoint that keys are about.
    pub picked: Option<Picked>,
    /// The keypoint that is dragged.
    pub drag: Option<Drag>,
    /// Radius of brush and eraser, pixels of the photograph.
    pub radius_px: f64,
    /// The stroke under way.
    pub stroke: Option<Stroke>,
    /// Corners of the polygon so far, pixels of the photograph.
    pub polygon: Vec<[f64; 2]>,
    /// The polygon takes away.
    pub takes_away: bool,
}

impl Default for Editing {
    fn default() -> Self {
        Self {
            tool: None,
            picked: None,
            drag: None,
            radius_px: 12.0,
            stroke: None,
            polygon: Vec::new(),
            takes_away: false,
        }
    }
}

impl Editing {
    /// Another tool, or none; what was under way is given up.
    pub(crate) fn choose(&mut self, tool: Option<EditTool>) {
        (self.tool, self.picked) = (tool, None);
        self.give_up();
    }

    /// Gives up what is under way.
    pub(crate) fn give_up(&mut self) {
        (self.drag, self.stroke) = (None, None);
        self.polygon.clear();
    }

    /// Changes the size of the brush by a step, within reason.
    pub(crate) fn resize(&mut self, larger: bool) {
        let to = if larger { self.radius_px * 1.25 } else { self.radius_px / 1.25 };
        self.radius_px = to.clamp(1.0, 200.0);
    }
}

/// Pixels whose centres lie within `radius` of the segment between two points get the value; the rectangle that was touched.
pub(crate) fn paint(mask: &mut GrayImage, [from, to]: [[f64; 2]; 2], radius: f64, value: u8) -> Option<[u32; 4]> {
    let low = [0, 1].map(|k| from[k].min(to[k]) - radius);
    let high = [0, 1].map(|k| from[k].max(to[k]) + radius);
    let [x0, x1] = span(low[0], high[0], mask.width());
    let [y0, y1] = span(low[1], high[1], mask.height());
    let along = [to[0] - from[0], to[1] - from[1]];
    let squared = (along[0] * along[0] + along[1] * along[1]).max(1e-12);
    for y in y0..y1 {
        for x in x0..x1 {
            let p = [f64::from(x) + 0.5 - from[0], f64::from(y) + 0.5 - from[1]];
            let t = ((p[0] * along[0] + p[1] * along[1]) / squared).clamp(0.0, 1.0);
            if (p[0] - t * along[0]).hypot(p[1] - t * along[1]) <= radius {
                mask.put_pixel(x, y, Luma([value]));
            }
        }
    }
    (x0 < x1 && y0 < y1).then_some([x0, y0, x1, y1])
}

/// Pixels whose centres lie in the polygon get the value (where it crosses itself, by the even-odd rule).
pub(crate) fn fill(mask: &mut GrayImage, corners: &[[f64; 2]], value: u8) {
    for y in 0..mask.height() {
        let middle = f64::from(y) + 0.5;
        let mut crossings: Vec<f64> = corners
            .iter()
            .zip(corners.iter().cycle().skip(1))
            .filter(|(a, b)| (a[1] <= middle) != (b[1] <= middle))
            .map(|(a, b)| a[0] + (b[0] - a[0]) * (middle - a[1]) / (b[1] - a[1]))
            .collect();
        crossings.sort_by(f64::total_cmp);
        for pair in crossings.chunks_exact(2) {
            // Centres from the first to before the second: neighbours that share an edge share no pixel.
            let [x0, x1] = [pair[0], pair[1]].map(|x| first_centre(x, mask.width()));
            for x in x0..x1 {
                mask.put_pixel(x, y, Luma([value]));
            }
        }
    }
}

/// The first pixel whose centre is at or beyond `x`.
fn first_centre(x: f64, size: u32) -> u32 {
    span(x - 0.5, x, size)[0]
}

/// Whole pixels around a range, inside the image.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
fn span(low: f64, high: f64, size: u32) -> [u32; 2] {
    let size = f64::from(size);
    [low.ceil().clamp(0.0, size) as u32, high.ceil().clamp(0.0, size) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(mask: &GrayImage) -> f64 {
        f64::from(u32::try_from(mask.pixels().filter(|p| p.0[0] == 255).count()).expect("a small picture"))
    }

    #[test]
    fn the_brush_paints_a_capsule_and_stays_in_the_picture() {
        let mut mask = GrayImage::new(100, 80);
        let touched = paint(&mut mask, [[30.0, 40.0], [60.0, 40.0]], 10.0, 255).expect("inside");
        let expected = 30.0 * 20.0 + std::f64::consts::PI * 100.0;
        assert!((area(&mask) - expected).abs() < 0.03 * expected, "{} instead of {expected}", area(&mask));
        let outside = |(x, y, p): (u32, u32, &Luma<u8>)| {
            p.0[0] == 255 && !(touched[0] <= x && x < touched[2] && touched[1] <= y && y < touched[3])
        };
        assert!(!mask.enumerate_pixels().any(outside), "all of it is in the rectangle that is told");
        paint(&mut mask, [[0.0, 40.0], [100.0, 40.0]], 12.0, 0);
        assert_eq!(area(&mask), 0.0, "the eraser takes it away");
        assert!(paint(&mut mask, [[-50.0, 10.0], [-40.0, 10.0]], 5.0, 255).is_none(), "beside the picture");
        paint(&mut mask, [[-2.0, -2.0], [-2.0, -2.0]], 6.0, 255);
        assert!(mask.get_pixel(0, 0).0[0] == 255 && area(&mask) < 20.0, "over its edge");
        let mut dot = GrayImage::new(9, 9);
        paint(&mut dot, [[4.5, 4.5], [4.5, 4.5]], 0.6, 255);
        assert_eq!(area(&dot), 1.0, "a click is a dot");
    }

    #[test]
    fn polygons_are_filled_to_the_pixel() {
        let mut mask = GrayImage::new(40, 30);
        fill(&mut mask, &[[10.0, 5.0], [20.0, 5.0], [20.0, 15.0], [10.0, 15.0]], 255);
        let square = |x: u32, y: u32| (10..20).contains(&x) && (5..15).contains(&y);
        assert!(mask.enumerate_pixels().all(|(x, y, p)| (p.0[0] == 255) == square(x, y)), "a square is a square");
        fill(&mut mask, &[[-10.0, -10.0], [15.0, -10.0], [15.0, 50.0], [-10.0, 50.0]], 0);
        assert_eq!(area(&mask), 50.0, "what sticks out does no harm, and a polygon takes away");
        fill(&mut mask, &[[1.0, 1.0], [5.0, 5.0]], 255);
        fill(&mut mask, &[], 255);
        assert_eq!(area(&mask), 50.0, "two corners enclose nothing");
        // A bow tie: the even-odd rule fills both wings.
        let mut tie = GrayImage::new(40, 30);
        fill(&mut tie, &[[5.0, 5.0], [35.0, 25.0], [35.0, 5.0], [5.0, 25.0]], 255);
        assert!((area(&tie) - 300.0).abs() < 25.0, "{}", area(&tie));
    }
}
