//! The FMHR capture room folder: `camera/param.npz`, `img/NN.png`, `mask/NN.png`, `pose/NN.json`.
//!
//! - Calibration per camera `i`: `int_i` (K), `ext_i` (camera from world, metres), `world_mat_i` = `int_i · ext_i` in
//!   single precision, and `scale_mat_i`, one similarity for the whole rig that maps the normalised scene of the
//!   published code to metres. It is *not* applied here: `P = K [R | t]` alone is metric. Its scale is recorded.
//! - Keypoints are 21 × (x, y, depth) with x right and y down, both −1…1 across the whole image, in `MediaPipe` order. (The
//!   detector ran on the mirrored image and the folder stores `1 − 2x` of that, which undoes the mirroring.) An empty
//!   list means the hand was not seen. The depth is the detector's guess and is not used.
//! - A mask pixel above 127 is hand.

use super::formats::{Axes, Conventions, Direction, Format, Inference, Lens, OpenOptions, PixelCentre, Reading};
use super::formats::{RigCamera, Units, resolve};
use super::source::{Numbered, Source};
use super::{Capture, CaptureError, Keypoints, Npz, View, Warning};
use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;
use image::{GrayImage, RgbImage};
use nalgebra::{Matrix3, Matrix4};
use std::collections::BTreeMap;
use std::path::Path;

/// The calibration, relative to the capture's root.
const CALIBRATION: &str = "camera/param.npz";
/// Largest difference between `world_mat` and `int · ext`, relative to the largest entry, that passes as rounding.
const CONSISTENCY: f64 = 1e-4;
/// Half-widths of the image beyond which a keypoint cannot be a detection in −1…1.
const NDC_LIMIT: f64 = 1.5;
/// What to do about a calibration that cannot be used.
const RECALIBRATE: &str = "Write the calibration again from the calibration tool";

/// Reads an FMHR capture folder.
///
/// # Errors
/// [`CaptureError`] naming the file and the remedy.
pub fn read_fmhr(root: &Path) -> Result<Capture, CaptureError> {
    read_with(root, &OpenOptions::default())
}

/// [`read_fmhr`] with some conventions set by hand.
pub(super) fn read_with(root: &Path, options: &OpenOptions) -> Result<Capture, CaptureError> {
    if !root.is_dir() {
        return Err(CaptureError::unusable(root, "there is no such folder", "Check the path"));
    }
    let mut source = Source::new(root);
    let reading = read_rig(&mut source, CALIBRATION)?;
    let mut rig = resolve(reading, &source.path(CALIBRATION), options)?;
    let mut warnings: Vec<Warning> = std::mem::take(&mut rig.warnings).into_iter().map(Warning::from).collect();
    let cameras: BTreeMap<u32, &RigCamera> =
        rig.cameras.iter().filter_map(|c| Some((c.name.parse().ok()?, c))).collect();
    let images = matched_images(&source, &cameras)?;
    let masks = matched_side_files(&source, "mask", &["png", "jpg", "jpeg"], &images, &mut warnings)?;
    let poses = matched_side_files(&source, "pose", &["json"], &images, &mut warnings)?;

    let mut views = Vec::with_capacity(images.len());
    for file in &images {
        let image = source.read_image(&file.name)?.into_rgb8();
        let rig = cameras[&file.index];
        let (width_px, height_px) = image.dimensions();
        let camera = Camera { width_px, height_px, k: rig.k, rotation: rig.rotation, translation: rig.translation };
        let camera = camera.checked().map_err(|e| no_camera(&source, file.index, &e))?;
        let [cx, cy] = [camera.k[(0, 2)] / f64::from(image.width()), camera.k[(1, 2)] / f64::from(image.height())];
        if ![cx, cy].iter().all(|c| (0.0..1.0).contains(c)) {
            warnings.push(Warning::Note(format!(
                "{}: the principal point lies outside the image; was the image resized after the calibration?",
                file.name
            )));
        }
        let mask = masks
            .get(&file.index)
            .map(|name| read_mask(&mut source, name, &file.name, image.dimensions()))
            .transpose()?;
        let keypoints = match poses.get(&file.index) {
            Some(name) => read_keypoints(&mut source, name, &image)?,
            None => [None, None],
        };
        views.push(View { name: file.stem.clone(), camera, image, mask, keypoints });
    }
    check_keypoints(&source, &views, &mut warnings)?;
    if *options != OpenOptions::default() {
        source.note("options", &format!("{options:?}"));
    }
    Ok(Capture {
        name: folder_name(root),
        root: root.into(),
        format: Format::Fmhr.name(),
        views,
        metres_per_unit: rig.metres_per_unit,
        inferences: rig.inferences,
        options: options.clone(),
        warnings,
        edits: std::sync::Arc::default(),
        hash: source.hash(),
    })
}

fn no_camera(source: &Source, index: u32, error: &dyn std::fmt::Display) -> CaptureError {
    source.unusable(CALIBRATION, format!("camera {index}: {error}"), RECALIBRATE)
}

/// The cameras of a calibration file, named by their numbers.
pub(super) fn read_rig(source: &mut Source, file: &str) -> Result<Reading, CaptureError> {
    let mut warnings = Vec::new();
    let (projections, metres_per_unit) = read_calibration(source, file, &mut warnings)?;
    let mut cameras = Vec::with_capacity(projections.len());
    for (index, projection) in &projections {
        // The size is that of the image, which nothing here needs.
        let camera = Camera::from_projection(&projection.fixed_rows::<3>(0).into_owned(), 1, 1)
            .map_err(|e| no_camera(source, *index, &e))?;
        cameras.push(RigCamera {
            name: format!("{index:02}"),
            k: camera.k,
            lens: Lens::Pinhole,
            size_px: None,
            rotation: camera.rotation,
            translation: camera.translation,
            image: None,
            mask: None,
        });
    }
    let conventions = Conventions {
        direction: Direction::WorldToCamera,
        axes: Axes::OpenCv,
        units: Some(Units::METRES),
        pixel_centre: PixelCentre::Half,
    };
    let mut reading = Reading::new(Format::Fmhr, file, cameras, conventions);
    reading.metres_per_unit = metres_per_unit;
    reading.warnings = warnings;
    let reason = "the normalised frame of the published code (scale_mat) is not used: int · ext alone is metric";
    reading.inferences.push(Inference::new("scale_mat", format!("{metres_per_unit:.4} m a unit"), reason));
    Ok(reading)
}

/// Name of a folder, also of `.`.
pub(super) fn folder_name(root: &Path) -> String {
    let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned());
    name(root).or_else(|| root.canonicalize().ok().as_deref().and_then(name)).unwrap_or_else(|| "capture".into())
}

/// `P` (4×4, metres) of each camera by number, and metres per unit of the normalised scene.
fn read_calibration(
    source: &mut Source,
    file: &str,
    warnings: &mut Vec<String>,
) -> Result<(BTreeMap<u32, Matrix4<f64>>, f64), CaptureError> {
    let path = source.path(file);
    let unusable = |problem: String| CaptureError::unusable(&path, problem, RECALIBRATE);
    let array = |source| CaptureError::Array { source, remedy: format!("{RECALIBRATE}.") };
    if !source.exists(file) {
        return Err(CaptureError::unusable(&path, "the calibration is missing", "Copy it into the capture"));
    }
    let bytes = source.read(file)?;
    let mut npz = Npz::from_bytes(&path, bytes).map_err(array)?;
    let names = npz.names();
    let mut cameras: Vec<u32> = names
        .iter()
        .filter_map(|n| ["world_mat_", "int_", "ext_"].iter().find_map(|prefix| n.strip_prefix(prefix)))
        .filter_map(|n| n.parse().ok())
        .collect();
    cameras.sort_unstable();
    cameras.dedup();
    if cameras.len() < 2 {
        return Err(unusable(format!("it has {} camera(s); at least two views are needed", cameras.len())));
    }
    let mut projections = BTreeMap::new();
    let mut scale: Option<Matrix4<f64>> = None;
    let has_scale = names.iter().any(|n| n.starts_with("scale_mat_"));
    for camera in cameras {
        let p = read_projection(&mut npz, camera, warnings, &path)?;
        projections.insert(camera, p);
        if !has_scale {
            continue;
        }
        let this = npz.matrix4(&format!("scale_mat_{camera}")).map_err(array)?;
        let first = *scale.get_or_insert(this);
        if !(this - first).iter().all(|d| d.abs() <= CONSISTENCY * first.amax()) {
            return Err(unusable(format!(
                "scale_mat_{camera} differs from the others; one similarity must serve the whole rig"
            )));
        }
    }
    let metres_per_unit = match scale {
        Some(s) => s[(0, 0)] / s[(3, 3)],
        None => {
            warnings.push(format!("{file}: no scale_mat; the cameras are taken to be in metres"));
            1.0
        }
    };
    if !(metres_per_unit.is_finite() && metres_per_unit > 0.0) {
        return Err(unusable(format!("scale_mat has the scale {metres_per_unit}; it must be positive")));
    }
    Ok((projections, metres_per_unit))
}

/// `int · ext` of one camera when it agrees with `world_mat` (it has more digits), else `world_mat`.
fn read_projection(
    npz: &mut Npz,
    camera: u32,
    warnings: &mut Vec<String>,
    path: &Path,
) -> Result<Matrix4<f64>, CaptureError> {
    let array = |source| CaptureError::Array { source, remedy: format!("{RECALIBRATE}.") };
    let unusable = |problem: String| Err(CaptureError::unusable(path, problem, RECALIBRATE));
    let [int_key, ext_key, world_key] = ["int", "ext", "world_mat"].map(|prefix| format!("{prefix}_{camera}"));
    let finite = |m: &Matrix4<f64>| m.iter().all(|v| v.is_finite());
    let world = if npz.contains(&world_key) { Some(npz.matrix4(&world_key).map_err(array)?) } else { None };
    if world.is_some_and(|w| !finite(&w)) {
        return unusable(format!("camera {camera}: {world_key} has a value that is not finite"));
    }
    if let Some(world) = world
        && !npz.contains(&int_key)
        && !npz.contains(&ext_key)
    {
        return Ok(world);
    }
    let int = npz.matrix4(&int_key).map_err(array)?;
    let ext = npz.matrix4(&ext_key).map_err(array)?;
    if !finite(&int) || !finite(&ext) {
        return unusable(format!("camera {camera}: {int_key} or {ext_key} has a value that is not finite"));
    }
    let rotation = ext.fixed_view::<3, 3>(0, 0).into_owned();
    let orthonormal = (rotation.transpose() * rotation - Matrix3::identity()).amax() < 1e-3;
    if !orthonormal || rotation.determinant() < 0.0 {
        return unusable(format!("camera {camera}: {ext_key} holds no rotation"));
    }
    let product = int * ext;
    match world {
        Some(world) if (world - product).amax() > CONSISTENCY * product.amax() => {
            warnings.push(format!(
                "{CALIBRATION}: world_mat_{camera} is not int_{camera} · ext_{camera}; world_mat is used"
            ));
            Ok(world)
        }
        _ => Ok(product),
    }
}

/// The images in order; exactly one for each camera.
fn matched_images(source: &Source, projections: &BTreeMap<u32, &RigCamera>) -> Result<Vec<Numbered>, CaptureError> {
    if !source.exists("img") {
        return Err(CaptureError::unusable(
            &source.path("img"),
            "the folder of the images is missing",
            "Copy the images there, one a camera: 00.png, 01.png, …",
        ));
    }
    let (images, unnumbered) = source.numbered("img", &["png", "jpg", "jpeg"])?;
    let counts =
        format!("{CALIBRATION} has {} cameras, img/ has {} images", projections.len(), images.len() + unnumbered.len());
    if let Some(name) = unnumbered.first() {
        return Err(CaptureError::unusable(
            &source.path(name),
            format!("an image that no camera belongs to: its name is no camera number ({counts})"),
            "Rename it to its camera's number, or take it out of the folder",
        ));
    }
    if let Some(extra) = images.iter().find(|i| !projections.contains_key(&i.index)) {
        return Err(CaptureError::unusable(
            &source.path(&extra.name),
            format!("an image without a camera: there is no camera {} ({counts})", extra.index),
            "Take the image out of the folder, or use the calibration that belongs to these images",
        ));
    }
    if let Some(missing) = projections.keys().find(|&&c| images.iter().all(|i| i.index != c)) {
        return Err(CaptureError::unusable(
            &source.path(&format!("img/{missing:02}.png")),
            format!("the image of camera {missing} is missing ({counts})"),
            "Copy the image into the folder, or remove the camera from the calibration",
        ));
    }
    Ok(images)
}

/// The mask or pose file of each image by camera number; missing and superfluous ones become warnings.
fn matched_side_files(
    source: &Source,
    folder: &str,
    extensions: &[&str],
    images: &[Numbered],
    warnings: &mut Vec<Warning>,
) -> Result<BTreeMap<u32, String>, CaptureError> {
    if !source.exists(folder) {
        warnings.push(Warning::Missing { path: format!("{folder}/") });
        return Ok(BTreeMap::new());
    }
    let (files, unnumbered) = source.numbered(folder, extensions)?;
    let mut by_camera: BTreeMap<u32, String> = files.into_iter().map(|f| (f.index, f.name)).collect();
    for name in unnumbered {
        warnings.push(Warning::Note(format!("{name}: ignored, its name is no camera number")));
    }
    for image in images.iter().filter(|i| !by_camera.contains_key(&i.index)) {
        warnings.push(Warning::Missing { path: format!("{folder}/{}.{}", image.stem, extensions[0]) });
    }
    by_camera.retain(|index, name| {
        let known = images.iter().any(|i| i.index == *index);
        if !known {
            warnings.push(Warning::Note(format!("{name}: ignored, there is no camera {index}")));
        }
        known
    });
    Ok(by_camera)
}

/// A mask, thresholded; it must have the size of its image.
pub(super) fn read_mask(
    source: &mut Source,
    name: &str,
    image: &str,
    (width, height): (u32, u32),
) -> Result<GrayImage, CaptureError> {
    let mut mask = source.read_image(name)?.into_luma8();
    if mask.dimensions() != (width, height) {
        return Err(source.unusable(
            name,
            format!("the mask has {}×{} pixels, its image {image} has {width}×{height}", mask.width(), mask.height()),
            "Export image and mask in the same size, or delete the mask to go on without it",
        ));
    }
    for pixel in mask.pixels_mut() {
        pixel.0[0] = if pixel.0[0] > 127 { 255 } else { 0 };
    }
    Ok(mask)
}

/// What a pose file holds.
#[derive(serde::Deserialize)]
struct PoseFile {
    #[serde(rename = "Left", default)]
    left: Vec<f64>,
    #[serde(rename = "Right", default)]
    right: Vec<f64>,
}

/// Both hands of a pose file, in pixels.
pub(super) fn read_keypoints(
    source: &mut Source,
    name: &str,
    image: &RgbImage,
) -> Result<[Option<Keypoints>; 2], CaptureError> {
    let bytes = source.read(name)?;
    let path = source.path(name);
    let unusable = |problem: String| {
        CaptureError::unusable(&path, problem, "Run the keypoint detector on this view again, or delete the file")
    };
    let file: PoseFile = serde_json::from_slice(&bytes).map_err(|e| {
        let text = String::from_utf8_lossy(&bytes);
        if text.contains("NaN") || text.contains("Infinity") || e.to_string().contains("out of range") {
            unusable("a keypoint is not finite".into())
        } else {
            unusable(format!("is truncated or no keypoint file ({e})"))
        }
    })?;
    let mut hands = [None, None];
    for (side, values) in Side::BOTH.into_iter().zip([file.left, file.right]) {
        if values.is_empty() {
            continue;
        }
        if values.len() != 3 * KEYPOINTS {
            return Err(unusable(format!(
                "the {side} hand has {} numbers, expected 63 (21 × x, y, z) or none",
                values.len()
            )));
        }
        // Not-a-number fails the comparison as well; the bound keeps the pixels finite.
        if !values.iter().all(|v| v.abs() < 1e9) {
            return Err(unusable(format!("a keypoint of the {side} hand is not finite")));
        }
        let mut px = [[0.0; 2]; KEYPOINTS];
        for (px, xyz) in px.iter_mut().zip(values.chunks_exact(3)) {
            *px = [0.5 * (xyz[0] + 1.0) * f64::from(image.width()), 0.5 * (xyz[1] + 1.0) * f64::from(image.height())];
        }
        hands[side.index()] = Some(Keypoints::detected(px, [1.0; KEYPOINTS]));
    }
    Ok(hands)
}

/// Enough detections to reconstruct from, or none at all, in the units they should be in.
pub(super) fn check_keypoints(
    source: &Source,
    views: &[View],
    warnings: &mut Vec<Warning>,
) -> Result<(), CaptureError> {
    let path = source.path("pose");
    let detected: Vec<&View> = views.iter().filter(|v| v.keypoints.iter().any(Option::is_some)).collect();
    match detected.as_slice() {
        [] => {
            let sentence = "pose/: no view has keypoints; they are to be found in the images";
            warnings.push(Warning::Note(sentence.to_owned()));
        }
        [one] => {
            return Err(CaptureError::unusable(
                &path,
                format!("only view {} has keypoints; at least two usable views are needed", one.name),
                "Run the keypoint detector on the other views, or delete the folder to have them found in the images",
            ));
        }
        _ => {}
    }
    let mut total = 0_usize;
    let mut outside = 0_usize;
    for view in detected {
        let half = [f64::from(view.camera.width_px) / 2.0, f64::from(view.camera.height_px) / 2.0];
        for px in view.keypoints.iter().flatten().flat_map(|k| &k.px) {
            total += 1;
            outside += usize::from((0..2).any(|axis| (px[axis] / half[axis] - 1.0).abs() > NDC_LIMIT));
        }
    }
    if 2 * outside > total {
        return Err(CaptureError::unusable(
            &path,
            format!("{outside} of {total} keypoints lie far outside their images"),
            "Write x and y from −1 (left, top) to 1 (right, bottom), not in pixels",
        ));
    }
    Ok(())
}
