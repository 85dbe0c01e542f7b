//! COLMAP's text files: a line a camera; two lines an image, the second with its keypoints, often empty.

use super::{Image, MODELS, Sensor};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

fn number<T: FromStr>(words: &mut dyn Iterator<Item = &str>, line: &str) -> Result<T, String> {
    let word = words.next().ok_or_else(|| format!("is truncated in the line `{}`", short(line)))?;
    word.parse().map_err(|_| format!("has `{}` where a number belongs, in the line `{}`", short(word), short(line)))
}

fn short(line: &str) -> String {
    line.chars().take(60).collect()
}

/// The number a comment such as `# Number of cameras: 3, …` announces.
fn announced(text: &str) -> Option<usize> {
    let line = text.lines().find(|l| l.starts_with("# Number of"))?;
    line.split_once(':')?.1.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn check_count(text: &str, what: &str, found: usize) -> Result<(), String> {
    match announced(text) {
        Some(count) if count != found => Err(format!("is truncated: it announces {count} {what} and has {found}")),
        _ => Ok(()),
    }
}

pub(super) fn cameras(text: &str) -> Result<BTreeMap<u32, Sensor>, String> {
    let mut cameras = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let mut words = line.split_whitespace();
        let id: u32 = number(&mut words, line)?;
        let name = words.next().unwrap_or_default();
        let model = MODELS.iter().find(|m| m.name == name).ok_or_else(|| {
            let known: Vec<&str> = MODELS.iter().map(|m| m.name).collect();
            format!("camera {id} has the model `{}`, which is not supported ({})", short(name), known.join(", "))
        })?;
        let (width, height) = (number(&mut words, line)?, number(&mut words, line)?);
        let params = (0..model.params).map(|_| number(&mut words, line)).collect::<Result<_, _>>()?;
        if words.next().is_some() {
            return Err(format!("camera {id} has more than the {} parameters of {name}", model.params));
        }
        if cameras.insert(id, Sensor { model, width, height, params }).is_some() {
            return Err(format!("has camera {id} twice"));
        }
    }
    check_count(text, "cameras", cameras.len())?;
    Ok(cameras)
}

pub(super) fn images(text: &str) -> Result<Vec<Image>, String> {
    let mut images = Vec::new();
    let mut lines = text.lines().filter(|l| !l.starts_with('#'));
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let mut words = line.split_whitespace();
        let _id: u32 = number(&mut words, line)?;
        let mut values = [0.0; 7];
        for value in &mut values {
            *value = number(&mut words, line)?;
        }
        let camera = number(&mut words, line)?;
        // The name is the rest of the line: it may have blanks.
        let name = (0..9)
            .try_fold(line.trim_start(), |rest, _| rest.split_once(char::is_whitespace).map(|(_, r)| r.trim_start()))
            .map(str::trim_end)
            .filter(|name| !name.is_empty())
            .ok_or_else(|| format!("is truncated in the line `{}`", short(line)))?
            .to_owned();
        let [w, x, y, z, tx, ty, tz] = values;
        images.push(Image { quaternion: [w, x, y, z], translation: [tx, ty, tz], camera, name });
        lines.next();
    }
    check_count(text, "images", images.len())?;
    Ok(images)
}

pub(super) fn write_cameras(cameras: &BTreeMap<u32, Sensor>) -> Vec<u8> {
    let mut out = format!(
        "# Camera list with one line of data per camera:\n#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n\
         # Number of cameras: {}\n",
        cameras.len()
    );
    for (id, camera) in cameras {
        let params: Vec<String> = camera.params.iter().map(f64::to_string).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{id} {} {} {} {}", camera.model.name, camera.width, camera.height, params.join(" "));
    }
    out.into_bytes()
}

pub(super) fn write_images(images: &[Image]) -> Vec<u8> {
    let mut out = format!(
        "# Image list with two lines of data per image:\n#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n\
         #   POINTS2D[] as (X, Y, POINT3D_ID)\n# Number of images: {}, mean observations per image: 0\n",
        images.len()
    );
    for image in images {
        let pose: Vec<String> = image.quaternion.iter().chain(&image.translation).map(f64::to_string).collect();
        let _ = writeln!(out, "{} {} {} {}\n", image.camera, pose.join(" "), image.camera, image.name);
    }
    out.into_bytes()
}
