//! How good the views are: the measure that colours the cameras and sorts the list, and the order of the list.

use super::Session;
use crate::studio::residual;
use serde::{Deserialize, Serialize};

/// What views are judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Measure {
    /// Distance of the keypoints from the projected joints, pixels.
    #[default]
    Residual,
    /// PSNR over the pixels that are rendered and in the mask, dB.
    Psnr,
    /// Intersection over union of the silhouettes.
    Iou,
}

impl Measure {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Residual, Self::Psnr, Self::Iou];

    /// Name on screen.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Residual => "Residual",
            Self::Psnr => "PSNR",
            Self::Iou => "IoU",
        }
    }

    /// Its unit with a space before it.
    #[must_use]
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Residual => " px",
            Self::Psnr => " dB",
            Self::Iou => "",
        }
    }
}

impl Session {
    /// The chosen measure of a view, where it is known.
    #[must_use]
    pub(crate) fn measured(&self, view: usize) -> Option<f64> {
        match self.ui.measure {
            Measure::Residual => self.residual_px(view),
            Measure::Psnr => self.psnr_db(view),
            Measure::Iou => self.iou(view),
        }
    }

    /// Good and bad end of the scale of the chosen measure, round numbers; `None` when nothing was measured.
    #[must_use]
    pub(crate) fn scale(&self) -> Option<[f64; 2]> {
        let values: Vec<f64> = (0..self.view_count()).filter_map(|v| self.measured(v)).collect();
        if values.is_empty() {
            return None;
        }
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(lo, hi), v| (lo.min(*v), hi.max(*v)));
        Some(match self.ui.measure {
            Measure::Residual => [0.0, residual::top_px(values.into_iter())],
            Measure::Psnr => outer(low, high, 5.0),
            Measure::Iou => outer(low, high, 0.1),
        })
    }

    /// How bad a view is on the scale, 0 to 1.
    #[must_use]
    fn badness(&self, view: usize) -> Option<f64> {
        let [good, bad] = self.scale()?;
        Some(((self.measured(view)? - good) / (bad - good)).clamp(0.0, 1.0))
    }

    /// Colour of a camera by the chosen measure, when that is wanted and known.
    #[must_use]
    pub(crate) fn view_colour(&self, view: usize) -> Option<[u8; 3]> {
        if !self.ui.show_residuals || self.excluded.contains(&view) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a fraction")]
        self.badness(view).map(|t| residual::colour(t as f32))
    }

    /// As [`Self::badness`], but only by what is known of all views alike: while a run is under way, PSNR and `IoU` are known of views
    /// that were looked at, and an order by that would make the view under the mouse the worst.
    fn comparable_badness(&self, view: usize) -> Option<f64> {
        let known = |list: &[Option<f64>]| list.iter().any(Option::is_some);
        let of_all = match self.ui.measure {
            Measure::Residual => true,
            Measure::Psnr => known(&self.scores),
            Measure::Iou => known(&self.ious),
        };
        self.badness(view).filter(|_| of_all)
    }

    /// The views as they are listed: as in the capture, or the worst first and those without a measure last.
    #[must_use]
    pub(crate) fn view_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.view_count()).collect();
        if self.ui.worst_first {
            let badness: Vec<f64> = order.iter().map(|v| self.comparable_badness(*v).unwrap_or(-1.0)).collect();
            order.sort_by(|a, b| badness[*b].total_cmp(&badness[*a]));
        }
        order
    }

    /// The view that is the worst of those that are fitted or compared.
    #[must_use]
    pub(crate) fn worst_view(&self) -> Option<usize> {
        let judged = (0..self.view_count()).filter(|v| !self.excluded.contains(v));
        let judged = judged.filter_map(|v| Some((v, self.comparable_badness(v)?)));
        judged.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map(|(view, _)| view)
    }
}

/// Multiples of a step around a range of which the higher end is the good one; never both the same.
fn outer(low: f64, high: f64, step: f64) -> [f64; 2] {
    let (bad, good) = ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step);
    [if good > bad { good } else { bad + step }, bad]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::backend::RunViews;
    use crate::studio::session::Action;
    use crate::studio::worker::Event;

    fn judged() -> Session {
        let mut session = Session::new(Vec::new());
        session.capture = Some(std::sync::Arc::new(crate::studio::testing::test_capture(4)));
        let psnr_db = vec![Some(28.0), Some(21.5), None, Some(31.0)];
        let iou = vec![Some(0.81), Some(0.93), None, Some(0.55)];
        session.on_event(Event::Views(RunViews { psnr_db, iou, ..RunViews::default() }));
        session
    }

    #[test]
    fn what_only_some_views_have_sorts_nothing() {
        let mut session = judged();
        session.ui.measure = Measure::Psnr;
        session.ui.worst_first = true;
        assert_eq!(session.view_order(), [1, 0, 3, 2], "of a run that has ended");
        session.scores.clear();
        let rgba = vec![200; 4 * 320 * 256];
        let made = crate::pipeline::ViewPicture { view: 3, width: 320, height: 256, rgba, without_gain: false };
        let of = session.capture.clone().expect("opened");
        let look = crate::studio::backend::Look::Shaded;
        let time = std::time::Duration::ZERO;
        session.on_picture(crate::studio::picture::Picture::new(made, of.views.get(3), (1, look), time, false));
        assert!(session.psnr_db(3).is_some(), "one view was looked at");
        assert_eq!(session.view_order(), [0, 1, 2, 3], "which does not make it the worst");
        assert_eq!(session.worst_view(), None, "nor is there one");
    }

    #[test]
    fn views_are_sorted_by_any_measure_and_keys_follow_the_list() {
        let mut session = judged();
        session.ui.measure = Measure::Psnr;
        assert_eq!(session.view_order(), [0, 1, 2, 3], "as in the capture");
        session.ui.worst_first = true;
        assert_eq!(session.view_order(), [1, 0, 3, 2], "the lowest first, the unknown last");
        assert_eq!(session.worst_view(), Some(1), "the worst");
        let _ = session.apply(Action::SelectEnd(false));
        assert_eq!(session.selected, 1, "the first of the list");
        let _ = session.apply(Action::SelectBy(1));
        assert_eq!(session.selected, 0, "the next of the list");
        session.ui.measure = Measure::Iou;
        assert_eq!(session.view_order(), [3, 0, 1, 2], "by another measure");
        session.excluded.insert(3);
        assert_eq!(session.worst_view(), Some(0), "what is left out is no longer the worst");
    }

    #[test]
    fn scales_are_round_and_colours_run_from_good_to_bad() {
        let mut session = judged();
        session.ui.measure = Measure::Psnr;
        assert_eq!(session.scale(), Some([35.0, 20.0]), "fives around 21.5 to 31 dB");
        let (bad, good) = (session.view_colour(1), session.view_colour(3));
        assert!(bad.is_some() && good.is_some() && bad != good, "{bad:?} {good:?}");
        assert_eq!(session.view_colour(2), None, "what is not known has no colour");
        session.ui.measure = Measure::Residual;
        assert_eq!(session.scale(), None, "nobody has measured it");
        assert_eq!(outer(0.5, 0.5, 0.1), [0.6, 0.5], "one value alone is a scale too");
    }
}
