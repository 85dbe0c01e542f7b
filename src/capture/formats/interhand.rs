//! `InterHand2.6M`: `annotations/<split>/InterHand2.6M_<split>_camera.json` and
//! `images/<split>/Capture<N>/<sequence>/cam<ID>/image<F>.jpg`.
//!
//! Per capture `campos` (optical centre, millimetres), `camrot` (3×3, `camera_from_world`), `focal`, `princpt`, each by
//! camera: `t = −R · campos`. One instant of one sequence is a capture here; [`super::OpenOptions::frame`] chooses.

use super::calibration::{Conventions, Reading, Units};
use super::{Format, Inference, Lens, OpenOptions, RigCamera};
use crate::capture::CaptureError;
use crate::capture::source::Source;
use nalgebra::{Matrix3, Vector3};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const REMEDY: &str = "Copy the annotations again";

#[derive(Deserialize)]
struct Cameras {
    campos: BTreeMap<String, [f64; 3]>,
    camrot: BTreeMap<String, [[f64; 3]; 3]>,
    focal: BTreeMap<String, [f64; 2]>,
    princpt: BTreeMap<String, [f64; 2]>,
}

/// The camera file of each split that is there.
pub(super) fn find(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["annotations/train", "annotations/val", "annotations/test", "annotations", ""] {
        let names = source.files(folder, &["json"]).unwrap_or_default();
        found.extend(names.into_iter().filter(|n| n.contains("InterHand2.6M_") && n.ends_with("_camera.json")));
    }
    found
}

pub(super) fn read(source: &mut Source, files: &[String], options: &OpenOptions) -> Result<Reading, CaptureError> {
    let wanted = options.frame.as_deref().unwrap_or("");
    let mut instants = Vec::new();
    for file in files {
        let split = file.rsplit_once("InterHand2.6M_").and_then(|(_, r)| r.strip_suffix("_camera.json")).unwrap_or("");
        for capture in source.folders(&format!("images/{split}")).unwrap_or_default() {
            for sequence in source.folders(&capture).unwrap_or_default() {
                instants.push((file.clone(), capture.clone(), sequence));
            }
        }
    }
    // `--frame Capture0/0000_neutral/image100`: the part before the last `/` chooses the sequence when it is one of many.
    let by_name = |sequence: &str| {
        wanted.is_empty() || wanted.split('/').any(|w| !w.is_empty() && sequence.split('/').any(|s| s == w))
    };
    if instants.len() > 1 {
        instants.retain(|(_, _, sequence)| by_name(sequence));
    }
    let [(file, capture, sequence)] = &instants[..] else {
        let names: BTreeSet<&str> = instants.iter().map(|(_, _, s)| s.as_str()).take(6).collect();
        let names: Vec<&str> = names.into_iter().collect();
        return Err(source.unusable(
            "images",
            format!("there are {} sequences to choose from ({})", instants.len(), names.join(", ")),
            "Choose with --frame SEQUENCE/IMAGE, for example --frame 0000_neutral_relaxed/image20118",
        ));
    };
    let bytes = source.read(file)?;
    let all: BTreeMap<String, Cameras> = serde_json::from_slice(&bytes)
        .map_err(|e| source.unusable(file, format!("is truncated or no camera file ({e})"), REMEDY))?;
    let number: String = capture.rsplit('/').next().unwrap_or("").chars().filter(char::is_ascii_digit).collect();
    let cameras = all
        .get(&number)
        .ok_or_else(|| source.unusable(file, format!("has no capture {number}, to which {capture} belongs"), REMEDY))?;

    let folders = source.folders(sequence)?;
    let images: Vec<Vec<String>> = folders.iter().map(|f| source.files(f, super::IMAGES)).collect::<Result<_, _>>()?;
    let stem = |name: &str| name.rsplit('/').next().and_then(|n| n.rsplit_once('.')).map_or("", |(s, _)| s).to_owned();
    let frames: BTreeSet<String> = images.iter().flatten().map(|n| stem(n)).collect();
    let chosen = frames.iter().find(|f| wanted.split('/').any(|w| w == f.as_str() || format!("image{w}") == **f));
    let chosen = chosen.or_else(|| frames.iter().next()).cloned().unwrap_or_default();
    let mut rig = Vec::new();
    for (folder, images) in folders.iter().zip(images) {
        let name = folder.rsplit('/').next().unwrap_or("").to_owned();
        let id = name.trim_start_matches("cam");
        let Some(image) = images.into_iter().find(|n| stem(n) == chosen) else { continue };
        let found = (cameras.campos.get(id), cameras.camrot.get(id), cameras.focal.get(id), cameras.princpt.get(id));
        let (Some(centre), Some(rotation), Some(focal), Some(point)) = found else {
            return Err(source.unusable(file, format!("capture {number} has no complete camera {id}"), REMEDY));
        };
        let rotation = Matrix3::from_fn(|r, c| rotation[r][c]);
        rig.push(RigCamera {
            name,
            k: Matrix3::new(focal[0], 0.0, point[0], 0.0, focal[1], point[1], 0.0, 0.0, 1.0),
            lens: Lens::Pinhole,
            size_px: None,
            rotation,
            translation: -(rotation * Vector3::from(*centre)),
            image: Some(image),
            mask: None,
        });
    }
    let conventions = Conventions { units: Some(Units::MILLIMETRES), ..Conventions::OPENCV };
    let mut reading = Reading::new(Format::InterHand, file, rig, conventions);
    let reason = if wanted.is_empty() { format!("the first of {}", frames.len()) } else { "set by hand".to_owned() };
    reading.inferences.push(Inference::new("frame", format!("{sequence}, {chosen}"), reason));
    Ok(reading)
}
