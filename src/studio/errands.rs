//! What the window has fetched from the disk, or made there, beside the worker: lists of runs, curves of other runs, cards of
//! recent folders, the sample. Each errand has a thread of its own and tells what it finds.

use super::opened_run::{played, read_metrics, read_scores};
use super::picture::thumbnail;
use super::run_place;
use crate::capture::Capture;
use crate::export::atomic::{self, StagedFolder};
use crate::export::write_scene;
use crate::files::UserFolder;
use crate::pipeline::{FinishedSequence, RunRecord, Snapshot, StepReport, is_sequence_run};
use crate::synthetic::{self, SynthSettings};
use anyhow::Context as _;
use image::RgbImage;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Longest side of a card's picture in pixels.
const CARD_PX: u32 = 256;

/// What somebody is sent for.
#[derive(Clone, Debug)]
pub(crate) enum Errand {
    /// The runs in a folder.
    Runs(PathBuf),
    /// The curves of a run.
    Curves(PathBuf),
    /// The cards of folders.
    Cards(Vec<PathBuf>),
    /// Keep the picture of a folder that is open.
    KeepCard(PathBuf, RgbImage),
    /// The meshes of a sequence's frames: its folder, places and names.
    Frames(PathBuf, Vec<(usize, String)>),
    /// The sample capture, made where it is not there yet.
    Sample(PathBuf),
}

/// What was found.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// Run folders, the newest first.
    Runs(Vec<PathBuf>),
    /// The curves of a run, or why not.
    Curves(PathBuf, Result<Vec<StepReport>, String>),
    /// A card.
    Card(Card),
    /// The mesh of a frame of the sequence in this folder; its step is the frame's place, from 1.
    Frame(PathBuf, Arc<Snapshot>),
    /// So many of so many photographs of the sample are made.
    SampleAt(usize, usize),
    /// Where the sample is, or why not.
    Sample(Result<PathBuf, String>),
}

/// What the first screen shows of a folder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Card {
    /// The folder.
    pub folder: PathBuf,
    /// The first photograph, small; none when the capture cannot be read.
    pub image: Option<RgbImage>,
    /// Day of the last change.
    pub date: Option<String>,
    /// Mean PSNR of a run's views over rendered ∩ mask, dB: of the folder's own run, or of the newest one of a capture.
    pub psnr_db: Option<f64>,
}

/// Name of a run on screen.
#[must_use]
pub(crate) fn run_name(dir: &Path) -> String {
    dir.file_name().map_or_else(|| dir.display().to_string(), |n| n.to_string_lossy().into_owned())
}

/// Carries out an errand.
pub(crate) fn run(errand: Errand, tell: &mut dyn FnMut(Found)) {
    match errand {
        Errand::Runs(folder) => tell(Found::Runs(runs(&folder))),
        Errand::Curves(dir) => {
            let read = read_metrics(&dir.join("metrics.jsonl")).map_err(|e| format!("{e:#}"));
            tell(Found::Curves(dir, read));
        }
        Errand::Cards(folders) => {
            let cache = cache_folder();
            for folder in folders {
                tell(Found::Card(card(&folder, cache.as_deref())));
            }
        }
        Errand::KeepCard(folder, image) => {
            if let Some(cache) = cache_folder() {
                keep(&place(&cache, &folder), &image);
            }
        }
        Errand::Frames(dir, frames) => {
            for (place, name) in frames {
                let step = u32::try_from(place + 1).unwrap_or(u32::MAX);
                match played(&dir.join(&name), step) {
                    Ok(snapshot) => tell(Found::Frame(dir.clone(), Arc::new(snapshot))),
                    Err(error) => tracing::warn!("frame {name} cannot be shown: {error:#}"),
                }
            }
        }
        Errand::Sample(folder) => {
            let made = sample(&folder, |made, of| tell(Found::SampleAt(made, of))).map_err(|e| format!("{e:#}"));
            tell(Found::Sample(made.map(|()| folder)));
        }
    }
}

/// Folders in `folder` that are runs, the newest first: names begin with the time.
fn runs(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.join("run.ron").is_file()).collect();
    found.sort_by(|a, b| b.cmp(a));
    found
}

/// Where pictures of cards are kept; they can be deleted at any time.
fn cache_folder() -> Option<PathBuf> {
    UserFolder::Cache.path().map(|cache| cache.join("cards"))
}

/// Where the sample capture is made.
#[must_use]
pub(crate) fn sample_folder() -> Option<PathBuf> {
    UserFolder::Data.path().map(|data| data.join("sample"))
}

/// The file of a folder's picture.
fn place(cache: &Path, folder: &Path) -> PathBuf {
    let name = format!("{:x}", Sha256::digest(folder.to_string_lossy().as_bytes()));
    cache.join(format!("{}.png", &name[..24]))
}

/// Keeps a picture; one that cannot be kept is made again the next time.
fn keep(path: &Path, image: &RgbImage) {
    let kept = atomic::png_bytes(image).and_then(|bytes| {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(crate::export::ExportError::io(folder))?;
        }
        atomic::write(path, &bytes)
    });
    if let Err(error) = kept {
        tracing::debug!("the picture of a recent folder is not kept: {error}");
    }
}

fn card(folder: &Path, cache: Option<&Path>) -> Card {
    let kept = cache.map(|cache| place(cache, folder));
    let read = kept.as_deref().and_then(|path| Some(image::open(path).ok()?.to_rgb8()));
    // One that is missing or broken is made anew.
    let image = read.or_else(|| {
        let image =
            first_photograph(folder).inspect_err(|e| tracing::debug!("no picture of a recent folder: {e:#}")).ok()?;
        if let Some(path) = &kept {
            keep(path, &image);
        }
        Some(image)
    });
    let run = newest_run(folder);
    let dated = run.as_deref().map_or_else(|| folder.to_owned(), |run| run.join("run.ron"));
    let changed = std::fs::metadata(dated).and_then(|facts| facts.modified()).ok();
    Card {
        folder: folder.to_owned(),
        image,
        date: changed.map(|at: SystemTime| run_place::day(at)),
        psnr_db: run.as_deref().and_then(mean_psnr_db),
    }
}

/// The folder itself where it is a run, else the newest run of the capture beside it.
fn newest_run(folder: &Path) -> Option<PathBuf> {
    if folder.join("run.ron").is_file() {
        return Some(folder.to_owned());
    }
    runs(&run_place::default_parent(folder)).into_iter().next()
}

fn mean_psnr_db(run: &Path) -> Option<f64> {
    let [scores, _] = read_scores(run);
    let known: Vec<f64> = scores.into_iter().flatten().collect();
    #[expect(clippy::cast_precision_loss, reason = "a few views")]
    let count = known.len() as f64;
    (count > 0.0).then(|| known.iter().sum::<f64>() / count)
}

/// The first photograph of a capture, of the capture of a run, or of the first frame of a sequence.
fn first_photograph(folder: &Path) -> anyhow::Result<RgbImage> {
    let capture = if is_sequence_run(folder) {
        let sequence = FinishedSequence::read(folder)?;
        let frame = sequence.record.frames.first().context("a sequence without frames")?;
        Capture::open_with(&sequence.record.captures.join(frame), &sequence.record.capture_options)?
    } else if folder.join("run.ron").is_file() {
        let record = RunRecord::read(folder)?;
        Capture::open_with(&record.capture, &record.capture_options)?
    } else {
        Capture::open(folder)?
    };
    let view = capture.views.first().context("a capture without views")?;
    Ok(thumbnail(&view.image, CARD_PX))
}

/// What the sample shows: both hands, small enough to be made in seconds.
fn sample_settings() -> SynthSettings {
    SynthSettings { views: 12, size: (640, 512), ..SynthSettings::default() }
}

/// Makes the sample capture unless it is there: whole, or not at all.
fn sample(folder: &Path, tell: impl FnMut(usize, usize)) -> anyhow::Result<()> {
    if folder.join("camera/param.npz").is_file() {
        return Ok(());
    }
    let staged = StagedFolder::new(folder)?;
    let scene = synthetic::make_telling(&sample_settings(), tell)?;
    write_scene(&scene, staged.path())?;
    Ok(staged.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(errand: Errand) -> Vec<Found> {
        let mut all = Vec::new();
        run(errand, &mut |found| all.push(found));
        all
    }

    #[test]
    fn runs_are_listed_newest_first_and_their_curves_read() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["2026-01-02_draft", "2026-03-01_fine", "notes"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        for name in ["2026-01-02_draft", "2026-03-01_fine"] {
            std::fs::write(folder.path().join(name).join("run.ron"), "").expect("written");
        }
        let run = folder.path().join("2026-03-01_fine");
        let line = r#"{"t":1.5,"stage":"ham","phase":"shape","iter":3,"iters":60,"total":2.0,"sfs":1.5}"#;
        std::fs::write(run.join("metrics.jsonl"), format!("{line}\n{line}\n")).expect("written");
        let [Found::Runs(list)] = &found(Errand::Runs(folder.path().to_owned()))[..] else { panic!("a list") };
        let names: Vec<String> = list.iter().map(|p| run_name(p)).collect();
        assert_eq!(names, ["2026-03-01_fine", "2026-01-02_draft"], "runs only");
        let [Found::Curves(_, Ok(steps))] = &found(Errand::Curves(run))[..] else { panic!("curves") };
        assert_eq!(steps.len(), 2, "all lines");
        let [Found::Runs(none)] = &found(Errand::Runs("nowhere".into()))[..] else { panic!("a list") };
        assert!(none.is_empty(), "no folder, no runs");
    }

    #[test]
    fn cards_come_from_the_cache_and_a_broken_one_is_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (capture, cache) = (folder.path().join("room"), folder.path().join("cache"));
        let settings = SynthSettings { views: 2, size: (96, 64), level: 1, ..SynthSettings::default() };
        write_scene(&synthetic::make(&settings).expect("a scene"), &capture).expect("written");
        let made = card(&capture, Some(&cache));
        let image = made.image.clone().expect("a picture");
        assert_eq!(image.dimensions(), (96, 64), "the first photograph, never enlarged");
        assert!(made.date.as_deref().is_some_and(|d| d.len() == 10 && d.starts_with("20")), "{:?}", made.date);
        assert_eq!(made.psnr_db, None, "no run yet");
        let kept = place(&cache, &capture);
        assert!(kept.is_file(), "it is kept");
        keep(&kept, &RgbImage::new(3, 2));
        assert_eq!(card(&capture, Some(&cache)).image.map(|i| i.dimensions()), Some((3, 2)), "and read from there");
        std::fs::write(&kept, b"no picture").expect("written");
        assert_eq!(card(&capture, Some(&cache)).image, Some(image.clone()), "a broken one is made again");
        assert_eq!(image::open(&kept).expect("a picture").to_rgb8(), image, "and kept");
        let run = run_place::default_parent(&capture).join("2026-01-01_draft");
        std::fs::create_dir_all(&run).expect("a folder");
        std::fs::write(run.join("run.ron"), "").expect("written");
        std::fs::write(run.join("views.csv"), "view,name,psnr_shared_db,iou\n0,00,30,0.9\n1,01,32,0.8\n")
            .expect("written");
        assert_eq!(card(&capture, Some(&cache)).psnr_db, Some(31.0), "the mean of its newest run");
        std::fs::remove_dir_all(&capture).expect("removed");
        std::fs::remove_file(&kept).expect("removed");
        assert_eq!(card(&capture, Some(&cache)).image, None, "what is gone has no picture");
    }

    #[test]
    fn the_sample_is_made_once_whole_and_can_be_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("data/sample");
        let all = found(Errand::Sample(target.clone()));
        let told = all.iter().filter(|f| matches!(f, Found::SampleAt(_, 12))).count();
        assert_eq!(told, 12, "a line a photograph");
        assert!(matches!(all.last(), Some(Found::Sample(Ok(at))) if *at == target), "and where it is");
        let capture = Capture::open(&target).expect("it can be opened");
        assert_eq!((capture.views.len(), capture.has_keypoints()), (12, true), "with keypoints");
        assert_eq!(std::fs::read_dir(target.parent().expect("one")).expect("reads").count(), 1, "nothing else is left");
        assert_eq!(found(Errand::Sample(target)).len(), 1, "the next time it is there");
    }
}
