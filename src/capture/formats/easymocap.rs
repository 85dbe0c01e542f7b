//! `EasyMocap`: `intri.yml` (`names`, `K_<name>`, `dist_<name>`, sometimes `H_`, `W_`) and `extri.yml` (`R_<name>` a rotation
//! vector, `Rot_<name>` the same as a matrix, `T_<name>`), `OpenCV` conventions throughout.

use super::calibration::{Conventions, Reading};
use super::opencv::{lens, parse, rotation, upper};
use super::tree::Tree;
use super::{Format, RigCamera};
use crate::capture::CaptureError;
use crate::capture::source::Source;

pub(super) const FILES: [&str; 2] = ["intri.yml", "extri.yml"];
/// Largest difference between `R_` and `Rot_` that passes as rounding.
const CONSISTENCY: f64 = 1e-3;
const REMEDY: &str = "Write both files again with EasyMocap";

pub(super) fn read(source: &mut Source) -> Result<Reading, CaptureError> {
    let [intri_name, extri_name] = FILES;
    let intri = parse(source, intri_name)?;
    let extri = parse(source, extri_name)?;
    let mut names: Vec<String> = match intri.get("names") {
        Some(list) => list.items().iter().filter_map(Tree::text).map(str::to_owned).collect(),
        None => intri.entries().iter().filter_map(|(key, _)| key.strip_prefix("K_")).map(str::to_owned).collect(),
    };
    names.retain(|name| name != "none");
    let mut cameras = Vec::with_capacity(names.len());
    for name in names {
        let problem = |file: &str, what: String| source.unusable(file, format!("camera {name}: {what}"), REMEDY);
        let intrinsic = |key: &str| intri.get(&format!("{key}_{name}"));
        let extrinsic = |key: &str| extri.get(&format!("{key}_{name}"));
        let k = intrinsic("K").and_then(Tree::matrix3).ok_or("its `K_` is missing or no 3×3 matrix".to_owned());
        let k = k.and_then(upper).map_err(|e| problem(intri_name, e))?;
        let lens = lens(intrinsic("dist").or_else(|| intrinsic("D")), false).map_err(|e| problem(intri_name, e))?;
        let (vector, matrix) = (extrinsic("R").and_then(rotation), extrinsic("Rot").and_then(rotation));
        let rotation = match (vector, matrix) {
            (Some(v), Some(m)) if (v - m).amax() > CONSISTENCY => {
                return Err(problem(extri_name, "`R_` and `Rot_` are different rotations".to_owned()));
            }
            // The vector has more digits in the rounded files: it is always a rotation.
            (Some(r), _) | (None, Some(r)) => r,
            (None, None) => return Err(problem(extri_name, "it has neither `R_` nor `Rot_`".to_owned())),
        };
        let translation = extrinsic("T").and_then(Tree::vector3);
        let translation = translation.ok_or_else(|| problem(extri_name, "its `T_` has not 3 numbers".to_owned()))?;
        let size = |key: &str| intrinsic(key).and_then(Tree::whole).filter(|&n| n > 0);
        let size_px = size("W").zip(size("H"));
        cameras.push(RigCamera { name, k, lens, size_px, rotation, translation, image: None, mask: None });
    }
    Ok(Reading::new(Format::EasyMocap, intri_name, cameras, Conventions::OPENCV))
}
