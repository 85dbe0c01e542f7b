//! Finding out by content which format a folder has.

use super::formats::{self, Calibration, Candidate, Format, OpenOptions};
use super::source::Source;
use super::{Capture, CaptureError, fmhr, folder};
use std::path::{Path, PathBuf};

/// What is looked for, for messages.
const LOOKED_FOR: &str = "an FMHR capture (camera/param.npz with img/, mask/ and pose/ beside it), a COLMAP model, transforms.json, \
                          scene.ron, EasyMocap's intri.yml and extri.yml, OpenCV or Kalibr YAML, an InterHand2.6M or a DeepHandMesh \
                          folder";

pub(super) fn open_capture(path: &Path, options: &OpenOptions) -> Result<Capture, CaptureError> {
    if !exists_as_folder(path)? {
        return Err(CaptureError::unusable(
            path,
            "is a file, not a capture",
            "Give the folder that holds the calibration and the images",
        ));
    }
    let (root, candidate) = find(path, options)?;
    if candidate.format == Format::Fmhr {
        return fmhr::read_with(&root, options);
    }
    let mut source = Source::new(&root);
    let calibration = formats::read(&mut source, &candidate, options)?;
    folder::read_capture(source, calibration, options)
}

/// The calibration alone; image sizes come from the images' headers where the file has none.
pub(super) fn open_calibration(path: &Path, options: &OpenOptions) -> Result<Calibration, CaptureError> {
    let (root, candidate) = if exists_as_folder(path)? {
        find(path, options)?
    } else {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let parent = path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
        let found = formats::candidates(&Source::new(&parent), Some(&name));
        (parent, choose(path, found, options)?.ok_or_else(|| nothing(path))?)
    };
    let mut source = Source::new(&root);
    let mut calibration = formats::read(&mut source, &candidate, options)?;
    let names: Vec<Option<String>> = calibration.cameras.iter().map(|c| c.image.clone()).collect();
    if folder::locate_images(&source, &mut calibration, options).is_ok() {
        for camera in calibration.cameras.iter_mut().filter(|c| c.size_px.is_none()) {
            camera.size_px = camera.image.as_deref().map(|image| source.image_size(image)).transpose()?;
        }
    } else {
        calibration.cameras.iter_mut().zip(names).for_each(|(camera, name)| camera.image = name);
    }
    Ok(calibration)
}

/// Whether `path` is a folder (or else a file).
fn exists_as_folder(path: &Path) -> Result<bool, CaptureError> {
    let unusable = |problem: String, remedy: &str| Err(CaptureError::unusable(path, problem, remedy));
    match std::fs::metadata(path) {
        Ok(meta) => Ok(meta.is_dir()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            unusable("there is no such folder".into(), "Check the path, or give the folder of a capture")
        }
        Err(e) => unusable(format!("cannot be opened ({e})"), "Check the permissions of the folder"),
    }
}

fn nothing(path: &Path) -> CaptureError {
    CaptureError::unusable(
        path,
        format!("holds no capture; looked here and one folder deeper for {LOOKED_FOR}"),
        "Give the folder of a capture",
    )
}

/// The calibration in a folder, or in the one folder inside it that has one.
fn find(path: &Path, options: &OpenOptions) -> Result<(PathBuf, Candidate), CaptureError> {
    if let Some(candidate) = choose(path, in_folder(path), options)? {
        return Ok((path.to_owned(), candidate));
    }
    let mut inside: Vec<(PathBuf, Vec<Candidate>)> =
        folders(path)?.into_iter().map(|folder| (folder.clone(), in_folder(&folder))).collect();
    inside.retain(|(_, found)| found.iter().any(|c| options.format.is_none_or(|f| f == c.format)));
    match inside.as_slice() {
        [(folder, found)] => {
            let candidate = choose(folder, found.clone(), options)?.ok_or_else(|| nothing(path))?;
            Ok((folder.clone(), candidate))
        }
        [] => Err(nothing(path)),
        many => {
            let names: Vec<String> =
                many.iter().filter_map(|(p, _)| p.file_name()).map(|n| n.to_string_lossy().into_owned()).collect();
            let problem = format!("holds {} captures ({})", many.len(), names.join(", "));
            Err(CaptureError::unusable(path, problem, "Give the folder of one of them"))
        }
    }
}

/// The calibrations of a folder. Two of FMHR's four folders are enough to say *what* is missing instead of "no capture".
fn in_folder(folder: &Path) -> Vec<Candidate> {
    let found = formats::candidates(&Source::new(folder), None);
    let parts = ["camera", "img", "mask", "pose"].iter().filter(|part| folder.join(part).is_dir()).count();
    if found.is_empty() && parts >= 2 {
        let reason = "by its folders".to_owned();
        return vec![Candidate { format: Format::Fmhr, files: vec!["camera/param.npz".into()], reason }];
    }
    found
}

/// Whether a folder holds a calibration, or enough of a capture to say what is missing.
pub(super) fn looks_like_capture(folder: &Path) -> bool {
    !in_folder(folder).is_empty()
}

/// The one candidate, or the one of the format that was asked for.
fn choose(path: &Path, found: Vec<Candidate>, options: &OpenOptions) -> Result<Option<Candidate>, CaptureError> {
    let described = |found: &[Candidate]| {
        let parts: Vec<String> = found.iter().map(|c| format!("{} (found {})", c.format, c.reason)).collect();
        parts.join(", ")
    };
    let mut fitting = found.clone();
    fitting.retain(|c| options.format.is_none_or(|f| f == c.format));
    match (fitting.as_slice(), options.format) {
        ([one], _) => Ok(Some(one.clone())),
        ([], Some(format)) if !found.is_empty() => Err(CaptureError::unusable(
            path,
            format!("holds no calibration of the format {format}, but: {}", described(&found)),
            "Choose that with --format, or leave the option out",
        )),
        ([], _) => Ok(None),
        (many, _) => Err(CaptureError::Ambiguous { path: path.to_owned(), candidates: described(many) }),
    }
}

/// Folders inside a folder, by name.
fn folders(path: &Path) -> Result<Vec<PathBuf>, CaptureError> {
    let unreadable = |e: std::io::Error| {
        CaptureError::unusable(path, format!("the folder cannot be read ({e})"), "Check its permissions")
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        if entry.is_dir() {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}
