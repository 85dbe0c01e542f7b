//! `RUN/masks/`: the masks as HAM used them (`NN.png`: 255 hand, 0 background, 128 neither) and `masks.ron`, what was
//! decided about each and on what evidence.

use crate::capture::{Capture, View};
use crate::export::{ExportError, atomic};
use crate::fitting::masks::{JudgedMask, MaskReport, MaskUse};
use crate::metrics::{Picture, RefinedScore, iou, psnr, rendered};
use image::{GrayImage, Rgba, RgbaImage};
use serde::{Deserialize, Serialize};
use std::path::Path;

const FOLDER: &str = "masks";
const INDEX: &str = "masks.ron";

/// An entry of `masks.ron`.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// Number of the view.
    view: usize,
    /// Its name.
    name: String,
    /// The mask; none when it is ignored.
    file: Option<String>,
    report: MaskReport,
}

/// Writes the masks of all views that took part; the index last, so that it is there only when all is.
pub(super) fn write(run: &Path, capture: &Capture, masks: &[Option<JudgedMask>]) -> Result<(), ExportError> {
    let folder = run.join(FOLDER);
    std::fs::create_dir_all(&folder).map_err(ExportError::io(&folder))?;
    let mut entries = Vec::new();
    for (view, judged) in masks.iter().enumerate() {
        let Some(judged) = judged else { continue };
        let file = judged.mask.as_ref().map(|_| format!("{view:02}.png"));
        if let (Some(mask), Some(file)) = (&judged.mask, &file) {
            atomic::write(&folder.join(file), &atomic::png_bytes(mask)?)?;
        }
        let name = capture.views.get(view).map_or_else(String::new, |v| v.name.clone());
        entries.push(Entry { view, name, file, report: judged.report.clone() });
    }
    let text = ron::ser::to_string_pretty(&entries, ron::ser::PrettyConfig::default())
        .map_err(|e| ExportError::Encode { what: INDEX, reason: e.to_string() })?;
    atomic::write(&folder.join(INDEX), text.as_bytes())
}

/// What a run has decided about the masks of its views, one entry a view; `None` when it has not come that far, left the
/// masks as they were, or its list cannot be read.
#[must_use]
pub fn judged_masks(run: &Path, views: usize) -> Option<Vec<Option<MaskReport>>> {
    let mut reports = vec![None; views];
    for entry in read_index(run)? {
        *reports.get_mut(entry.view)? = Some(entry.report);
    }
    Some(reports)
}

fn read_index(run: &Path) -> Option<Vec<Entry>> {
    ron::from_str(&std::fs::read_to_string(run.join(FOLDER).join(INDEX)).ok()?).ok()
}

/// The masks of a run, one entry a view; `None` when it has none (an older run, or masks left as they were) or when they
/// cannot be read.
pub(super) fn read(run: &Path, views: usize) -> Option<Vec<Option<JudgedMask>>> {
    let folder = run.join(FOLDER);
    let mut masks = vec![None; views];
    for entry in read_index(run)? {
        let mask = match entry.file {
            Some(file) if Path::new(&file).file_name().is_some_and(|name| name == file.as_str()) => {
                let bytes = std::fs::read(folder.join(file)).ok()?;
                Some(image::load_from_memory(&bytes).ok()?.into_luma8())
            }
            Some(_) => return None,
            None => None,
        };
        *masks.get_mut(entry.view)? = Some(JudgedMask { mask, report: entry.report });
    }
    Some(masks)
}

/// The masks in a few lines: how many are used how, then each that is not used as given, with the reason.
pub(super) fn findings(capture: &Capture, masks: &[Option<JudgedMask>]) -> Vec<String> {
    let judged = || masks.iter().zip(&capture.views).filter_map(|(m, v)| Some((&m.as_ref()?.report, v.name.as_str())));
    let count = |verdict| judged().filter(|(report, _)| report.verdict == verdict).count();
    let uses = [MaskUse::Trusted, MaskUse::Cleaned, MaskUse::Rebuilt, MaskUse::Ignored];
    let mut counts: Vec<String> = uses.map(|verdict| format!("{} {verdict}", count(verdict))).into();
    counts.extend(Some(count(MaskUse::Edited)).filter(|n| *n > 0).map(|n| format!("{n} {}", MaskUse::Edited)));
    let mut lines = vec![format!("masks: {}", counts.join(", "))];
    lines.extend(
        judged()
            .filter(|(report, _)| report.verdict != MaskUse::Trusted)
            .map(|(report, name)| format!("view {name}: mask {}; {}", report.verdict, report.reason)),
    );
    lines
}

/// A rendered view held against the mask as it was used; pixels that the mask ignores count nowhere.
pub(super) fn score(judged: &JudgedMask, photo: &Picture, render: &Picture, coverage: &[f32]) -> RefinedScore {
    let verdict = judged.report.verdict.name().to_owned();
    let Some(mask) = judged.mask.as_ref().filter(|m| m.as_raw().len() == coverage.len()) else {
        return RefinedScore { verdict, ..RefinedScore::default() };
    };
    let hand: Vec<bool> = mask.as_raw().iter().map(|&v| v == 255).collect();
    let known = |i: usize| mask.as_raw()[i] == 255 || mask.as_raw()[i] == 0;
    let rendered: Vec<bool> = rendered(coverage).into_iter().enumerate().map(|(i, r)| r && known(i)).collect();
    let both: Vec<bool> = hand.iter().zip(&rendered).map(|(&h, &r)| h && r).collect();
    RefinedScore {
        verdict,
        psnr_mask: psnr(photo, render, Some(&hand)),
        psnr_shared: psnr(&photo.covered(coverage), render, Some(&both)),
        iou: Some(iou(&hand, &rendered)),
    }
}

/// Colours of an overlay: the given mask's outline, the outline of the mask as used, and what it ignores.
const OVERLAY: [[u8; 3]; 3] = [[255, 0, 255], [0, 255, 0], [60, 80, 255]];

/// The photograph with the given mask's outline (magenta), that of the mask as used (green), and the pixels that it
/// ignores tinted (blue).
pub(super) fn overlay(view: &View, judged: Option<&JudgedMask>) -> RgbaImage {
    let given = view.mask.as_ref();
    let used = judged.and_then(|j| j.mask.as_ref()).filter(|m| m.dimensions() == view.image.dimensions());
    RgbaImage::from_fn(view.image.width(), view.image.height(), |x, y| {
        let photo = view.image.get_pixel(x, y).0;
        let ignored = used.is_some_and(|m| !matches!(m.get_pixel(x, y).0[0], 0 | 255));
        let [r, g, b] = if used.is_some_and(|m| on_outline(m, x, y)) {
            OVERLAY[1]
        } else if given.is_some_and(|m| on_outline(m, x, y)) {
            OVERLAY[0]
        } else if ignored {
            [0, 1, 2].map(|k| photo[k] / 2 + OVERLAY[2][k] / 2)
        } else {
            photo
        };
        Rgba([r, g, b, 255])
    })
}

/// Whether a pixel or one of its four neighbours is hand (255) while the other is not.
fn on_outline(mask: &GrayImage, x: u32, y: u32) -> bool {
    let hand = |x: u32, y: u32| mask.get_pixel_checked(x, y).map(|p| p.0[0] == 255);
    let here = hand(x, y);
    [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)]
        .into_iter()
        .filter_map(|(x, y)| hand(x, y))
        .any(|there| Some(there) != here)
}
