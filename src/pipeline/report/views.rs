//! The views of a run: the table of all, and photographs beside renders of those that matter most.

use super::super::comparison::picture;
use super::super::picture::{PictureMaker, PictureMode, over};
use super::{FinishedRun, PipelineError};
use crate::capture::{Capture, View};
use crate::export::report::{Cell, Column, Picture, Row, Table, Wipe};
use crate::metrics::{Evaluation, ImageScore, ViewMeans, ViewScore};
use crate::neural::NeuralRenderer;
use image::RgbImage;
use image::imageops::FilterType;

/// How many of the worst, the best and the held-out views are shown.
const WORST: usize = 3;
const BEST: usize = 2;
const HELD_OUT: usize = 4;
/// Width to which pictures are brought if they are larger.
const WIDTH_PX: u32 = 640;
/// Room around the hands, as a part of their size.
const ROOM: f64 = 0.12;

/// Which columns have something to say.
struct Shown {
    neural: bool,
    refined: bool,
    flip: bool,
}

pub(super) fn table(run: &FinishedRun, e: &Evaluation) -> Table {
    let shown = Shown {
        neural: e.views.iter().any(|v| v.neural.is_some()),
        refined: e.views.iter().any(|v| v.refined.is_some()),
        flip: e.views.iter().any(|v| v.shaded.image.flip.is_some()),
    };
    let mut columns = vec![
        Column::text("View", "Name of the view"),
        Column::number("PSNR, dB", "Where mask and render both show a hand; shaded"),
    ];
    if shown.neural {
        columns.push(Column::number("PSNR, neural", "The same, painted by the network"));
    }
    columns.extend([
        Column::number("PSNR, mask", "Over the whole mask, forearms included"),
        Column::number("SSIM", "Structural similarity on the mask's box"),
        Column::number("IoU", "Overlap of the capture's mask and the render"),
    ]);
    if shown.refined {
        columns
            .push(Column::number("IoU, mask as used", "Overlap of the mask as the run has mended it and the render"));
    }
    if shown.flip {
        columns
            .push(Column::number("FLIP", "What an eye notices that flips between photograph and render; 0 is nothing"));
    }
    columns.extend([
        Column::number("Reprojection, px", "Median distance of the detections from the joints"),
        Column::text("Notes", "What became of the mask, and what else was found"),
    ]);
    let flags = flags(run);
    let rows = e.views.iter().zip(numbers(run)).map(|(view, number)| {
        let means = ViewMeans::over(std::iter::once(view));
        let iou = view.refined.as_ref().and_then(|r| r.iou);
        let mut cells = cells(&shown, &view.name, &means, iou);
        cells.push(Cell::from(&*notes(view, flags.get(number).map_or("", |f| f))));
        Row { cells, marked: view.held_out }
    });
    let mut foot = Vec::new();
    let mut mean = |name: &str, over: &mut dyn Iterator<Item = &ViewScore>| {
        let views: Vec<&ViewScore> = over.collect();
        if views.is_empty() {
            return;
        }
        let ious: Vec<f64> = views.iter().filter_map(|v| v.refined.as_ref()?.iou).collect();
        #[expect(clippy::cast_precision_loss, reason = "few views")]
        let iou = (!ious.is_empty()).then(|| ious.iter().sum::<f64>() / ious.len() as f64);
        let mut cells = cells(&shown, name, &ViewMeans::over(views.iter().copied()), iou);
        cells.push("".into());
        foot.push(Row { cells, marked: false });
    };
    mean("mean, fitted", &mut e.views.iter().filter(|v| !v.held_out));
    mean("mean, trusted mask", &mut e.views.iter().filter(|v| !v.held_out && v.mask_trusted == Some(true)));
    mean("mean, held out", &mut e.views.iter().filter(|v| v.held_out));
    Table { caption: "Every view against its photograph".to_owned(), columns, rows: rows.collect(), foot }
}

fn cells(shown: &Shown, name: &str, means: &ViewMeans, refined_iou: Option<f64>) -> Vec<Cell> {
    let image: &ImageScore = &means.shaded;
    let mut cells = vec![Cell::from(name), Cell::number(image.psnr_shared, 2)];
    if shown.neural {
        cells.push(Cell::number(means.neural.as_ref().and_then(|n| n.psnr_shared), 2));
    }
    cells.extend([Cell::number(image.psnr_mask, 2), Cell::number(image.ssim, 3), Cell::number(image.iou, 3)]);
    if shown.refined {
        cells.push(Cell::number(refined_iou, 3));
    }
    if shown.flip {
        cells.push(Cell::number(image.flip, 3));
    }
    cells.push(Cell::number(means.reprojection_px_median, 1));
    cells
}

fn notes(view: &ViewScore, flags: &str) -> String {
    let mut notes = Vec::new();
    if view.held_out {
        notes.push("held out".to_owned());
    }
    if let Some(refined) = &view.refined {
        notes.push(refined.verdict.clone());
    } else if view.mask_trusted == Some(false) {
        notes.push("mask not trusted".to_owned());
    }
    // The rest of the flags is in the columns already.
    notes.extend(
        flags.split('+').filter(|f| ["camera-off", "detection-rejected"].contains(f)).map(|f| f.replace('-', " ")),
    );
    notes.join(", ")
}

/// View numbers of an evaluation's rows.
fn numbers(run: &FinishedRun) -> impl Iterator<Item = usize> + '_ {
    (0..run.views()).filter(|v| !run.record.exclude.contains(v))
}

/// Flags of all views from `views.csv`; the last field has no commas in it.
fn flags(run: &FinishedRun) -> Vec<String> {
    let text = std::fs::read_to_string(run.folder().join("views.csv")).unwrap_or_default();
    text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap_or_default().to_owned()).collect()
}

/// What a view is ranked by: PSNR where the mask as used and the render meet; a view whose mask is of no use has none.
fn rank(view: &ViewScore) -> Option<f64> {
    match &view.refined {
        Some(refined) => refined.psnr_shared,
        None => view.shaded.image.psnr_shared,
    }
}

/// Rows to be shown, with the reason: held-out views first, then the worst, then the best.
fn chosen(views: &[ViewScore]) -> Vec<(usize, &'static str)> {
    let mut out: Vec<(usize, &str)> =
        (0..views.len()).filter(|i| views[*i].held_out).take(HELD_OUT).map(|i| (i, "held out")).collect();
    let mut ranked: Vec<(f64, usize)> =
        (0..views.len()).filter(|i| !views[*i].held_out).filter_map(|i| Some((rank(&views[i])?, i))).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let worst = ranked.len().min(WORST);
    out.extend(ranked[..worst].iter().map(|(_, i)| (*i, "among the worst")));
    out.extend(ranked[worst..].iter().rev().take(BEST).map(|(_, i)| (*i, "among the best")));
    out
}

impl FinishedRun {
    /// Photographs with the hands laid over them.
    pub(super) fn comparisons(
        &self,
        maker: &mut PictureMaker,
        capture: &Capture,
        e: &Evaluation,
        mut network: Option<&mut NeuralRenderer>,
    ) -> Result<Vec<Wipe>, PipelineError> {
        let numbers: Vec<usize> = numbers(self).collect();
        let mut out = Vec::new();
        for (row, why) in chosen(&e.views) {
            let (score, number) = (&e.views[row], numbers[row]);
            let Some(view) = capture.views.get(number) else { continue };
            let fitted_gain = score.held_out || self.lights.is_empty();
            let with =
                |pixels: &[[f32; 4]], gain: [f64; 3]| with_gain(pixels, if fitted_gain { gain } else { [1.0; 3] });
            let shaded = with(&self.render(maker, number, PictureMode::Shaded)?, score.shaded.gain);
            let region = region(view, &shaded);
            let mut renders = vec![("shaded".to_owned(), shaded)];
            if let (Some(network), Some(neural)) = (network.as_deref_mut(), &score.neural) {
                let painted = self.render_neural(network, number)?;
                renders.insert(0, ("neural".to_owned(), with(&painted, neural.gain)));
            }
            let camera = &self.checkpoint.facts.cameras[number];
            let photo = view.image.as_raw();
            let behind = |at: usize| [0, 1, 2].map(|k| f64::from(photo[3 * at + k]) / 255.0);
            let renders = renders.into_iter().map(|(name, pixels)| {
                let image = cut(&over(&pixels, camera, behind), region);
                let alt = format!("View {}: the rendered hands ({name}) laid over the photograph", view.name);
                (name, Picture { image, alt })
            });
            out.push(Wipe {
                title: format!("View {}", view.name),
                note: caption(score, why),
                photograph: Picture {
                    image: cut(&view.image, region),
                    alt: format!("View {}: the photograph", view.name),
                },
                renders: renders.collect(),
            });
        }
        Ok(out)
    }
}

fn caption(score: &ViewScore, why: &str) -> String {
    let decibel = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| format!("{v:.1} dB"));
    let mut text = format!("{why}; shaded {}", decibel(score.shaded.image.psnr_shared));
    if let Some(neural) = &score.neural {
        text += &format!(", neural {}", decibel(neural.image.psnr_shared));
    }
    text += " where the capture's mask and the render meet";
    if let Some(refined) = &score.refined {
        text += &format!("; {} with the mask as used ({})", decibel(refined.psnr_shared), refined.verdict);
    }
    text
}

fn with_gain(pixels: &[[f32; 4]], gain: [f64; 3]) -> Vec<[f32; 4]> {
    let g = gain.map(crate::fitting::ham::to_f32);
    pixels.iter().map(|p| [p[0] * g[0], p[1] * g[1], p[2] * g[2], p[3]]).collect()
}

/// Left, top, width and height of the hands in a view, with room around them; the whole image where none is seen.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
fn region(view: &View, pixels: &[[f32; 4]]) -> [u32; 4] {
    let (_, coverage) = picture(view, pixels);
    let (width, height) = view.image.dimensions();
    let Some(found) = crate::metrics::bounding_box(&crate::metrics::rendered(&coverage), width as usize) else {
        return [0, 0, width, height];
    };
    let [x0, y0, x1, y1] = found.map(|v| v as u32);
    let room = (ROOM * f64::from((x1 - x0).max(y1 - y0))) as u32;
    let (x0, y0) = (x0.saturating_sub(room), y0.saturating_sub(room));
    [x0, y0, (x1 + room).min(width) - x0, (y1 + room).min(height) - y0]
}

/// A part of an image, brought down to the page's size.
fn cut(image: &RgbImage, [x, y, width, height]: [u32; 4]) -> RgbImage {
    let part = image::imageops::crop_imm(image, x, y, width, height).to_image();
    if width <= WIDTH_PX {
        return part;
    }
    let scaled = (u64::from(height) * u64::from(WIDTH_PX)).div_ceil(u64::from(width));
    image::imageops::resize(&part, WIDTH_PX, u32::try_from(scaled).unwrap_or(height).max(1), FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{RefinedScore, ShadingScore};

    fn view(name: &str, psnr: Option<f64>, held_out: bool) -> ViewScore {
        let image = ImageScore { psnr_shared: psnr, ..ImageScore::default() };
        let shaded = ShadingScore { image, gain: [1.0; 3] };
        ViewScore { name: name.into(), held_out, shaded, ..ViewScore::default() }
    }

    #[test]
    fn held_out_worst_and_best_views_are_chosen_once_each() {
        let psnr = [20.0, 30.0, 25.0, 22.0, 28.0, 24.0, 26.0];
        let mut views: Vec<ViewScore> =
            psnr.iter().enumerate().map(|(i, p)| view(&i.to_string(), Some(*p), i == 2)).collect();
        let names = |views: &[ViewScore]| chosen(views).iter().map(|(i, _)| *i).collect::<Vec<_>>();
        assert_eq!(names(&views), [2, 0, 3, 5, 1, 4], "held out, three worst, two best");
        // A mask of no use says nothing about its view.
        views[0].refined = Some(RefinedScore { verdict: "ignored".into(), ..RefinedScore::default() });
        assert_eq!(names(&views), [2, 3, 5, 6, 1, 4], "not ranked");
        assert_eq!(names(&views[..1]), Vec::<usize>::new(), "nothing to show");
        assert_eq!(names(&views[3..5]), [0, 1], "each once");
    }

    #[test]
    fn notes_say_what_was_found() {
        let mut held = view("a", None, true);
        held.mask_trusted = Some(false);
        assert_eq!(notes(&held, "held-out+camera-off"), "held out, mask not trusted, camera off", "in words");
        held.refined = Some(RefinedScore { verdict: "rebuilt".into(), ..RefinedScore::default() });
        assert_eq!(notes(&held, ""), "held out, rebuilt", "the verdict");
    }
}
