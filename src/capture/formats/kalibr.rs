//! Kalibr's `camchain.yaml`: `camN` with `camera_model`, `intrinsics` (fu fv pu pv), `distortion_model`,
//! `distortion_coeffs`, `resolution`, and `T_cn_cnm1`, the pose *relative to the camera before*. The first camera is the world.
//! Metres, `OpenCV` axes, pixel centres at whole numbers.

use super::calibration::{Conventions, Reading, Units};
use super::lens::Brown;
use super::opencv::parse;
use super::tree::Tree;
use super::{Format, Lens, RigCamera};
use crate::capture::CaptureError;
use crate::capture::source::Source;
use nalgebra::{Matrix3, Matrix4};

const REMEDY: &str = "Calibrate with pinhole-radtan or pinhole-equi, and keep the chain of all cameras in one file";

pub(super) fn recognise(tree: &Tree) -> bool {
    tree.get("cam0").is_some_and(|c| c.get("camera_model").is_some() && c.get("intrinsics").is_some())
}

pub(super) fn read(source: &mut Source, name: &str) -> Result<Reading, CaptureError> {
    let tree = parse(source, name)?;
    let mut cameras = Vec::new();
    let mut camera_from_world = Matrix4::identity();
    for index in 0_usize.. {
        let key = format!("cam{index}");
        let Some(node) = tree.get(&key) else { break };
        let problem = |what: String| source.unusable(name, format!("{key}: {what}"), REMEDY);
        if index > 0 {
            let step = node.get("T_cn_cnm1").and_then(Tree::numbers).filter(|n| n.len() == 16);
            let step = step.ok_or_else(|| problem("`T_cn_cnm1` is missing or no 4×4 matrix".to_owned()))?;
            camera_from_world = Matrix4::from_row_slice(&step) * camera_from_world;
        }
        let (k, lens) = optics(node).map_err(problem)?;
        let size = node.get("resolution").map(|n| n.items().iter().filter_map(Tree::whole).collect::<Vec<u32>>());
        let size_px = size.and_then(|s| <[u32; 2]>::try_from(s).ok()).map(|[w, h]| (w, h));
        cameras.push(RigCamera {
            name: key,
            k,
            lens,
            size_px,
            rotation: camera_from_world.fixed_view::<3, 3>(0, 0).into_owned(),
            translation: camera_from_world.fixed_view::<3, 1>(0, 3).into_owned(),
            image: None,
            mask: None,
        });
    }
    let conventions = Conventions { units: Some(Units::METRES), ..Conventions::OPENCV };
    Ok(Reading::new(Format::Kalibr, name, cameras, conventions))
}

fn optics(node: &Tree) -> Result<(Matrix3<f64>, Lens), String> {
    let text = |key: &str| node.get(key).and_then(Tree::text).unwrap_or_default();
    if text("camera_model") != "pinhole" {
        return Err(format!("the camera_model `{}` is not supported", text("camera_model")));
    }
    let numbers = |key: &str| node.get(key).and_then(Tree::numbers).unwrap_or_default();
    let [fu, fv, pu, pv] = <[f64; 4]>::try_from(numbers("intrinsics"))
        .map_err(|v| format!("`intrinsics` has {} numbers, a pinhole camera has 4", v.len()))?;
    let coefficients = numbers("distortion_coeffs");
    let four = || {
        <[f64; 4]>::try_from(coefficients.clone())
            .map_err(|v| format!("`distortion_coeffs` has {} numbers, expected 4", v.len()))
    };
    let lens = match text("distortion_model") {
        "radtan" => {
            let [k1, k2, p1, p2] = four()?;
            Lens::of_brown(Brown { k: [k1, k2, 0.0, 0.0, 0.0, 0.0], p: [p1, p2], s: [0.0; 4] })
        }
        "equidistant" | "equi" => Lens::Fisheye(four()?),
        "none" | "" => Lens::Pinhole,
        other => return Err(format!("the distortion_model `{other}` is not supported")),
    };
    Ok((Matrix3::new(fu, 0.0, pu, 0.0, fv, pv, 0.0, 0.0, 1.0), lens))
}
