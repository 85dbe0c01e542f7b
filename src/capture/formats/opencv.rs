//! Calibrations in `OpenCV`'s `FileStorage` (YAML or JSON). `OpenCV` names matrices but no file layout of a rig, so three are
//! read: a list `cameras` in one file (which is also written), one file a camera, and the stereo pair of `OpenCV`'s sample
//! (`M1 D1 M2 D2`, and `R T` from the first camera's axes to the second's).
//!
//! Of a camera: `camera_matrix`, `distortion_coefficients` (or `fisheye: 1` with four of them), `image_width` and
//! `image_height`, `R` (3×3, or a rotation vector) and `T`: `camera_from_world`. Pixel centres are whole numbers; the unit
//! is that of the calibration board.

use super::calibration::{Conventions, Reading};
use super::tree::Tree;
use super::{Calibration, CalibrationWriteError, Format, Lens, RigCamera};
use crate::capture::CaptureError;
use crate::capture::source::Source;
use nalgebra::{Matrix3, Rotation3, Vector3};
use serde_json::{Value, json};
use std::fmt::Write as _;

const MATRIX: [&str; 5] = ["camera_matrix", "Camera_Matrix", "intrinsic_matrix", "K", "mtx"];
const DISTORTION: [&str; 6] =
    ["distortion_coefficients", "Distortion_Coefficients", "dist_coeffs", "dist_coeff", "dist", "D"];
const ROTATION: [&str; 5] = ["R", "rotation", "rotation_matrix", "rvec", "Rvec"];
const TRANSLATION: [&str; 5] = ["T", "t", "translation", "tvec", "Tvec"];
const REMEDY: &str = "scenes/README.md shows what a camera needs";

/// What [`recognise`] calls a file with one camera.
pub(super) const ONE_CAMERA: &str = "a camera matrix";

/// What a tree is, if it is of this format: for telling formats apart.
pub(super) fn recognise(tree: &Tree) -> Option<&'static str> {
    if tree.get("cameras").is_some_and(|c| c.items().iter().any(|c| c.any(&MATRIX).is_some())) {
        Some("a list `cameras` with camera matrices")
    } else if ["M1", "D1", "M2", "D2"].iter().all(|key| tree.get(key).is_some()) {
        Some("the matrices of a stereo pair (M1, D1, M2, D2)")
    } else if tree.any(&MATRIX[..3]).is_some() {
        Some(ONE_CAMERA)
    } else {
        None
    }
}

/// Reads one file with all cameras, or several with one each.
pub(super) fn read(source: &mut Source, files: &[String]) -> Result<Reading, CaptureError> {
    let mut cameras = Vec::new();
    for name in files {
        let tree = parse(source, name)?;
        let unusable = |problem: String| source.unusable(name, problem, REMEDY);
        if let Some(list) = tree.get("cameras") {
            for (node, index) in list.items().iter().zip(0..) {
                let given = node.get("name").and_then(Tree::text).map_or_else(|| format!("{index:02}"), str::to_owned);
                cameras.push(camera(node, given).map_err(unusable)?);
            }
        } else if tree.get("M1").is_some() {
            let mut extrinsics = tree.clone();
            if tree.get("R").is_none() {
                extrinsics = parse(source, &name.replace("intrinsics", "extrinsics"))?;
            }
            cameras.extend(stereo(&tree, &extrinsics).map_err(|e| source.unusable(name, e, REMEDY))?);
        } else {
            let stem = name.rsplit('/').next().unwrap_or(name).rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
            let given = tree.any(&["camera_name", "name"]).and_then(Tree::text).unwrap_or(stem).to_owned();
            cameras.push(camera(&tree, given).map_err(unusable)?);
        }
    }
    let file = files.first().map_or("", String::as_str);
    Ok(Reading::new(Format::OpenCv, file, cameras, Conventions::OPENCV))
}

pub(super) fn parse(source: &mut Source, name: &str) -> Result<Tree, CaptureError> {
    let text = source.read_text(name)?;
    Tree::parse(&text).map_err(|e| source.unusable(name, e, "Copy the file again, or write it again"))
}

/// A rotation: nine numbers row by row, or a rotation vector (axis times angle).
pub(super) fn rotation(node: &Tree) -> Option<Matrix3<f64>> {
    node.matrix3().or_else(|| Some(Rotation3::new(node.vector3()?).into_inner()))
}

fn camera(node: &Tree, name: String) -> Result<RigCamera, String> {
    let need = |keys: &[&str]| {
        node.any(keys).ok_or_else(|| format!("camera {name}: there is no `{}`", keys.first().unwrap_or(&"")))
    };
    let k = need(&MATRIX)?.matrix3().ok_or_else(|| format!("camera {name}: its camera matrix is no 3×3 matrix"))?;
    let fisheye = node.get("fisheye").and_then(Tree::text).is_some_and(|t| ["1", "true"].contains(&t))
        || node.get("distortion_model").and_then(Tree::text).is_some_and(|t| ["fisheye", "equidistant"].contains(&t));
    let lens = lens(node.any(&DISTORTION), fisheye).map_err(|e| format!("camera {name}: {e}"))?;
    let whole = |keys: &[&str]| node.any(keys).and_then(Tree::whole);
    let listed: Option<Vec<u32>> =
        node.any(&["image_size", "resolution"]).map(|n| n.items().iter().filter_map(Tree::whole).collect());
    let size_px = match (whole(&["image_width", "width"]), whole(&["image_height", "height"]), listed) {
        (Some(w), Some(h), _) => Some((w, h)),
        (_, _, Some(list)) => <[u32; 2]>::try_from(list).ok().map(|[w, h]| (w, h)),
        _ => None,
    };
    let rotation = rotation(need(&ROTATION)?).ok_or_else(|| format!("camera {name}: `R` is no rotation"))?;
    let translation = need(&TRANSLATION)?.vector3().ok_or_else(|| format!("camera {name}: `T` has not 3 numbers"))?;
    let image = node.get("image").and_then(Tree::text).filter(|t| !t.is_empty()).map(str::to_owned);
    let mask = node.get("mask").and_then(Tree::text).filter(|t| !t.is_empty()).map(str::to_owned);
    Ok(RigCamera { name, k: upper(k)?, lens, size_px, rotation, translation, image, mask })
}

/// Refuses a matrix that is no intrinsic one, and scales its last entry to 1.
pub(super) fn upper(k: Matrix3<f64>) -> Result<Matrix3<f64>, String> {
    let k = k / k[(2, 2)];
    let lower = [k[(1, 0)], k[(2, 0)], k[(2, 1)]];
    if k.iter().all(|v| v.is_finite()) && lower.iter().all(|v| v.abs() < 1e-9 * k.amax()) {
        Ok(Matrix3::new(k[(0, 0)], k[(0, 1)], k[(0, 2)], 0.0, k[(1, 1)], k[(1, 2)], 0.0, 0.0, 1.0))
    } else {
        Err("a camera matrix is not upper triangular".to_owned())
    }
}

pub(super) fn lens(node: Option<&Tree>, fisheye: bool) -> Result<Lens, String> {
    let Some(node) = node else { return Ok(Lens::Pinhole) };
    let values = node.numbers().ok_or("its distortion coefficients are no numbers")?;
    if !fisheye {
        return Lens::from_opencv(&values).map_err(|e| format!("its distortion {e}"));
    }
    let k = <[f64; 4]>::try_from(values).map_err(|v| format!("a fisheye has 4 coefficients, not {}", v.len()))?;
    Ok(Lens::Fisheye(k))
}

fn stereo(intrinsics: &Tree, extrinsics: &Tree) -> Result<[RigCamera; 2], String> {
    let r = extrinsics.get("R").and_then(rotation).ok_or("`R` is no rotation")?;
    let t = extrinsics.get("T").and_then(Tree::vector3).ok_or("`T` has not 3 numbers")?;
    let camera = |index: usize, rotation, translation| -> Result<RigCamera, String> {
        let k = intrinsics.get(&format!("M{index}")).and_then(Tree::matrix3);
        Ok(RigCamera {
            name: index.to_string(),
            k: upper(k.ok_or_else(|| format!("`M{index}` is no 3×3 matrix"))?)?,
            lens: lens(intrinsics.get(&format!("D{index}")), false)?,
            size_px: None,
            rotation,
            translation,
            image: None,
            mask: None,
        })
    };
    Ok([camera(1, Matrix3::identity(), Vector3::zeros())?, camera(2, r, t)?])
}

/// One file with the list `cameras`, as YAML or as JSON.
pub(super) fn write(calibration: &Calibration, as_json: bool) -> Result<Vec<u8>, CalibrationWriteError> {
    let mut cameras = Vec::with_capacity(calibration.cameras.len());
    for camera in &calibration.cameras {
        cameras.push(fields(camera)?);
    }
    if as_json {
        let list: Vec<Value> = cameras.into_iter().map(|c| Value::Object(c.into_iter().collect())).collect();
        return super::json_bytes(Format::OpenCv, &json!({ "unit": "m", "cameras": list }));
    }
    let mut out = "%YAML:1.0\n---\nunit: m\ncameras:\n".to_owned();
    for camera in cameras {
        out += "   -\n";
        for (key, value) in camera {
            let _ = match value.get("data").and_then(Value::as_array) {
                None => writeln!(out, "      {key}: {value}"),
                Some(data) => {
                    let data: Vec<String> = data.iter().map(Value::to_string).collect();
                    let (rows, cols) = (&value["rows"], &value["cols"]);
                    writeln!(
                        out,
                        "      {key}: !!opencv-matrix\n         rows: {rows}\n         cols: {cols}\n         dt: d\n         data: [ {} ]",
                        data.join(", ")
                    )
                }
            };
        }
    }
    Ok(out.into_bytes())
}

/// The fields of a camera, matrices in `OpenCV`'s JSON form.
fn fields(camera: &RigCamera) -> Result<Vec<(String, Value)>, CalibrationWriteError> {
    CalibrationWriteError::check_skew(Format::OpenCv, camera)?;
    let matrix = |rows: usize, cols: usize, data: Vec<f64>| json!({ "type_id": "opencv-matrix", "rows": rows, "cols": cols, "dt": "d", "data": data });
    let square = |m: &Matrix3<f64>| matrix(3, 3, m.transpose().as_slice().to_vec());
    let mut k = camera.k;
    k[(0, 1)] = 0.0;
    k[(0, 2)] -= 0.5;
    k[(1, 2)] -= 0.5;
    let mut fields = vec![("name".to_owned(), json!(camera.name))];
    let mut add = |key: &str, value: Value| fields.push((key.to_owned(), value));
    if let Some((width, height)) = camera.size_px {
        add("image_width", json!(width));
        add("image_height", json!(height));
    }
    add("camera_matrix", square(&k));
    let coefficients = match &camera.lens {
        Lens::Pinhole => vec![0.0; 5],
        Lens::Fisheye(k) => k.to_vec(),
        Lens::Brown(b) => {
            let all = [b.k[0], b.k[1], b.p[0], b.p[1], b.k[2], b.k[3], b.k[4], b.k[5], b.s[0], b.s[1], b.s[2], b.s[3]];
            let length = if b.s != [0.0; 4] {
                12
            } else if b.k[3..] == [0.0; 3] {
                5
            } else {
                8
            };
            all[..length].to_vec()
        }
    };
    if matches!(camera.lens, Lens::Fisheye(_)) {
        add("fisheye", json!(1));
    }
    add("distortion_coefficients", matrix(coefficients.len(), 1, coefficients));
    add("R", square(&camera.rotation));
    add("T", matrix(3, 1, camera.translation.as_slice().to_vec()));
    if let Some(image) = &camera.image {
        add("image", json!(image));
    }
    if let Some(mask) = &camera.mask {
        add("mask", json!(mask));
    }
    Ok(fields)
}
