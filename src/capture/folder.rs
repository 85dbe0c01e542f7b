//! The files around a calibration: the image of each camera, its mask and its keypoints, found by name.
//!
//! - Images: where the calibration says, else in `images/`, `img/`, `image/`, `rgb/`, `color/` or beside the calibration:
//!   a file called like the camera, or a folder called like it with one image an instant. `cam1`, `1` and `01` are the same.
//! - Masks (white = hand): where the calibration says, else `mask/` or `masks/` with the image's or the camera's name
//!   (COLMAP's `NN.png.png` too), else the alpha channel of the image.
//! - Keypoints: `pose/` or `keypoints/`, `<image or camera>.json`: FMHR's form, or pixels of the image as it lies there:
//!   `{"unit": "px", "left": [[x, y, confidence], … 21], "right": null}`; the corner of the image is (0, 0).

use super::formats::{Calibration, IMAGES, Inference, OpenOptions, RigCamera};
use super::source::Source;
use super::undistort::Undistortion;
use super::{Capture, CaptureError, Keypoints, View, Warning, fmhr};
use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;
use image::{DynamicImage, GrayImage, RgbImage};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const IMAGE_FOLDERS: [&str; 6] = ["images", "img", "image", "rgb", "color", ""];
const MASK_FOLDERS: [&str; 2] = ["mask", "masks"];
const KEYPOINT_FOLDERS: [&str; 2] = ["pose", "keypoints"];

/// The number in a camera's name: `cam_03`, `camera3` and `03` have 3.
fn number(name: &str) -> Option<u64> {
    let lower = name.to_ascii_lowercase();
    let rest = ["camera", "cam"].iter().find_map(|p| lower.strip_prefix(p)).unwrap_or(&lower);
    let digits = rest.trim_start_matches(['_', '-', ' ']);
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn same(a: &str, b: &str) -> bool {
    a == b || number(a).is_some_and(|n| number(b) == Some(n))
}

/// Last part of a path, and it without its ending.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn stem(path: &str) -> &str {
    let name = file_name(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// A path of a calibration file as one of ours: `/`, without `./`.
fn cleaned(path: &str) -> String {
    path.replace('\\', "/").split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// The first of `path`, in the folders given, with one of the usual endings if it has none.
fn existing(source: &Source, path: &str, folders: &[&str]) -> Option<String> {
    let path = cleaned(path);
    let endings = || ["", ".png", ".jpg", ".jpeg", ".PNG", ".JPG"].into_iter();
    let join = |folder: &str| if folder.is_empty() { path.clone() } else { format!("{folder}/{path}") };
    folders.iter().flat_map(|f| endings().map(move |e| join(f) + e)).find(|name| source.is_file(name))
}

/// Finds the image of each camera and writes its path into it.
///
/// # Errors
/// [`CaptureError`] naming the first camera without an image.
pub(super) fn locate_images(
    source: &Source,
    calibration: &mut Calibration,
    options: &OpenOptions,
) -> Result<(), CaptureError> {
    let beside = calibration.file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let mut folders = vec![""];
    folders.extend(IMAGE_FOLDERS);
    folders.push(&beside);
    let mut sequences: Vec<(usize, Vec<String>)> = Vec::new();
    for (index, camera) in calibration.cameras.iter_mut().enumerate() {
        let given = camera.image.as_deref().and_then(|path| {
            existing(source, path, &folders).or_else(|| existing(source, file_name(&cleaned(path)), &folders))
        });
        if let Some(path) = given {
            camera.image = Some(path);
        } else if let Some(path) = by_name(source, &camera.name)? {
            camera.image = Some(path);
        } else if let Some(frames) = frames_of(source, &camera.name)? {
            sequences.push((index, frames));
        } else {
            let what =
                camera.image.clone().map_or_else(|| "a file or folder of its name".to_owned(), |i| format!("`{i}`"));
            return Err(source.unusable(
                &calibration.file,
                format!(
                    "there is no image for camera {}: looked for {what} in images/, img/ and beside it",
                    camera.name
                ),
                "Copy the images into images/, each called like its camera, or take the camera out of the calibration",
            ));
        }
    }
    if !sequences.is_empty() {
        let inference = choose_frame(source, calibration, sequences, options)?;
        calibration.inferences.push(inference);
    }
    let mut taken = BTreeMap::new();
    for camera in &calibration.cameras {
        let image = camera.image.as_deref().unwrap_or_default();
        if let Some(other) = taken.insert(image, &camera.name) {
            return Err(source.unusable(
                image,
                format!("the image would be that of camera {other} and of camera {}", camera.name),
                "Keep each camera's images in a folder of its own, as the calibration names them",
            ));
        }
    }
    Ok(())
}

/// An image file called like the camera.
fn by_name(source: &Source, name: &str) -> Result<Option<String>, CaptureError> {
    for folder in IMAGE_FOLDERS.iter().filter(|f| source.path(f).is_dir()) {
        let mut files = source.files(folder, IMAGES)?;
        files.retain(|f| same(stem(f), name));
        files.sort_by_key(|f| stem(f) != name);
        if let Some(first) = files.into_iter().next() {
            return Ok(Some(first));
        }
    }
    Ok(None)
}

/// The images in a folder called like the camera.
fn frames_of(source: &Source, name: &str) -> Result<Option<Vec<String>>, CaptureError> {
    for folder in IMAGE_FOLDERS.iter().filter(|f| source.path(f).is_dir()) {
        for inside in source.folders(folder)?.iter().filter(|f| same(file_name(f), name)) {
            let files = source.files(inside, IMAGES)?;
            if !files.is_empty() {
                return Ok(Some(files));
            }
        }
    }
    Ok(None)
}

/// One instant that all cameras have: the one asked for, else the first.
fn choose_frame(
    source: &Source,
    calibration: &mut Calibration,
    sequences: Vec<(usize, Vec<String>)>,
    options: &OpenOptions,
) -> Result<Inference, CaptureError> {
    let stems = |files: &[String]| files.iter().map(|f| stem(f).to_owned()).collect::<BTreeSet<String>>();
    let mut common = stems(&sequences[0].1);
    for (_, files) in &sequences[1..] {
        common = common.intersection(&stems(files)).cloned().collect();
    }
    let chosen = match &options.frame {
        Some(wanted) => common.iter().find(|f| same(f, wanted)),
        None => common.iter().next(),
    };
    let Some(chosen) = chosen.cloned() else {
        let first: Vec<&str> = common.iter().map(String::as_str).take(5).collect();
        return Err(source.unusable(
            "images",
            format!(
                "the cameras have {} frames in common ({} …), not the one asked for",
                common.len(),
                first.join(", ")
            ),
            "Choose one with --frame, and check that every camera has an image of it",
        ));
    };
    for (index, files) in sequences {
        calibration.cameras[index].image = files.into_iter().find(|f| stem(f) == chosen);
    }
    let reason = match options.frame {
        Some(_) => "set by hand".to_owned(),
        None => format!("the first of {} that all cameras have; --frame chooses", common.len()),
    };
    Ok(Inference::new("frame", chosen, reason))
}

/// Reads what lies around a calibration into a capture.
///
/// # Errors
/// [`CaptureError`] naming the file and the remedy.
pub(super) fn read_capture(
    mut source: Source,
    mut calibration: Calibration,
    options: &OpenOptions,
) -> Result<Capture, CaptureError> {
    locate_images(&source, &mut calibration, options)?;
    let mut views = Vec::with_capacity(calibration.cameras.len());
    let mut undone = BTreeSet::new();
    for camera in &calibration.cameras {
        if !camera.lens.is_pinhole() {
            undone.insert(camera.lens.name());
        }
        views.push(view(&mut source, camera, &calibration)?);
    }
    if !undone.is_empty() {
        let names: Vec<&str> = undone.into_iter().collect();
        let reason =
            "the cameras have lens distortion; images, masks and keypoints were resampled to pinholes of the same K";
        calibration.inferences.push(Inference::new("lens", format!("{}, undone", names.join(", ")), reason));
    }
    let mut warnings: Vec<Warning> = calibration.warnings.into_iter().map(Warning::from).collect();
    fmhr::check_keypoints(&source, &views, &mut warnings)?;
    if *options != OpenOptions::default() {
        source.note("options", &format!("{options:?}"));
    }
    Ok(Capture {
        name: fmhr::folder_name(source.root()),
        root: source.root().into(),
        format: calibration.format.name(),
        views,
        metres_per_unit: calibration.metres_per_unit,
        inferences: calibration.inferences,
        options: options.clone(),
        warnings,
        edits: std::sync::Arc::default(),
        hash: source.hash(),
    })
}

fn view(source: &mut Source, camera: &RigCamera, calibration: &Calibration) -> Result<View, CaptureError> {
    let name = camera.image.clone().unwrap_or_default();
    let decoded = source.read_image(&name)?;
    let (width, height) = (decoded.width(), decoded.height());
    if let Some((w, h)) = camera.size_px.filter(|&size| size != (width, height)) {
        return Err(source.unusable(
            &name,
            format!(
                "the image has {width}×{height} pixels, {} says {w}×{h} for camera {}",
                calibration.file, camera.name
            ),
            "Use the images that were calibrated, or scale the calibration with them",
        ));
    }
    let mask = match mask_file(source, camera, &name) {
        Some(file) => Some(fmhr::read_mask(source, &file, &name, (width, height))?),
        None => alpha_mask(&decoded),
    };
    let image = decoded.into_rgb8();
    let mut keypoints = match keypoint_file(source, camera, &name) {
        Some(file) => read_keypoints(source, &file, &image)?,
        None => [None, None],
    };
    let pinhole = Camera {
        width_px: width,
        height_px: height,
        k: camera.k,
        rotation: camera.rotation,
        translation: camera.translation,
    };
    let pinhole = pinhole.checked().map_err(|e| {
        source.unusable(&calibration.file, format!("camera {}: {e}", camera.name), "Calibrate it again")
    })?;
    let (image, mask) = match Undistortion::of(camera) {
        None => (image, mask),
        Some(undistortion) => {
            keypoints.iter_mut().flatten().for_each(|k| undistortion.keypoints(k));
            (undistortion.image(&image), mask.map(|m| undistortion.mask(&m)))
        }
    };
    Ok(View { name: camera.name.clone(), camera: pinhole, image, mask, keypoints })
}

/// The image's path below its image folder, without its ending: `images/01/0007.jpg` → `01/0007`.
fn below(image: &str) -> &str {
    let inside = IMAGE_FOLDERS.iter().find_map(|f| image.strip_prefix(f)?.strip_prefix('/')).unwrap_or(image);
    inside.rsplit_once('.').map_or(inside, |(path, _)| path)
}

fn mask_file(source: &Source, camera: &RigCamera, image: &str) -> Option<String> {
    if let Some(path) = &camera.mask {
        return existing(source, path, &["", "mask", "masks"]);
    }
    let ending = image.rsplit_once('.').map_or("png", |(_, e)| e);
    let names = [below(image).to_owned(), format!("{}.{ending}", below(image)), camera.name.clone()];
    names.iter().find_map(|name| existing(source, name, &MASK_FOLDERS))
}

/// The alpha channel of an image that hides something.
fn alpha_mask(image: &DynamicImage) -> Option<GrayImage> {
    if !image.color().has_alpha() {
        return None;
    }
    let rgba = image.to_rgba8();
    let mask = GrayImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        image::Luma([if rgba.get_pixel(x, y).0[3] > 127 { 255 } else { 0 }])
    });
    mask.pixels().any(|p| p.0[0] == 0).then_some(mask)
}

fn keypoint_file(source: &Source, camera: &RigCamera, image: &str) -> Option<String> {
    let names = [below(image), &camera.name];
    let paths = KEYPOINT_FOLDERS.iter().flat_map(|f| names.iter().map(move |n| format!("{f}/{n}.json")));
    paths.into_iter().find(|path| source.is_file(path))
}

/// Keypoints in pixels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PixelFile {
    unit: String,
    #[serde(default)]
    left: Option<Vec<Vec<f64>>>,
    #[serde(default)]
    right: Option<Vec<Vec<f64>>>,
}

fn read_keypoints(source: &mut Source, name: &str, image: &RgbImage) -> Result<[Option<Keypoints>; 2], CaptureError> {
    let bytes = source.read(name)?;
    let value = serde_json::from_slice::<serde_json::Value>(&bytes).ok().filter(|v| v.get("unit").is_some());
    let Some(value) = value else {
        return fmhr::read_keypoints(source, name, image);
    };
    let unusable = |problem: String| {
        let remedy = "Write {\"unit\": \"px\", \"left\": [[x, y, confidence], … 21], \"right\": null}";
        source.unusable(name, problem, remedy)
    };
    let file: PixelFile =
        serde_json::from_value(value).map_err(|e| unusable(format!("is no file of keypoints in pixels ({e})")))?;
    if file.unit != "px" {
        return Err(unusable(format!("the unit of the keypoints is `{}`, expected px", file.unit)));
    }
    let mut hands = [None, None];
    for (side, points) in Side::BOTH.into_iter().zip([file.left, file.right]) {
        let Some(points) = points.filter(|p| !p.is_empty()) else { continue };
        if points.len() != KEYPOINTS || points.iter().any(|p| !(2..=3).contains(&p.len())) {
            return Err(unusable(format!("the {side} hand is not 21 × (x, y) or (x, y, confidence)")));
        }
        let number = |p: &[f64], i: usize| p.get(i).copied().unwrap_or(1.0);
        let px = std::array::from_fn(|k| [points[k][0], points[k][1]]);
        let confidence = std::array::from_fn(|k| number(&points[k], 2).clamp(0.0, 1.0));
        if !px.iter().flatten().all(|v: &f64| v.abs() < 1e9) {
            return Err(unusable(format!("a keypoint of the {side} hand is not finite")));
        }
        hands[side.index()] = Some(Keypoints::detected(px, confidence));
    }
    Ok(hands)
}
