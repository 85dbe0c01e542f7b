//! The `KRT` text file of `DeepHandMesh` and of the capture domes it comes from: per camera a line with its name, three lines
//! of K, one line of distortion (`OpenCV`'s order), three lines of `[R | t]` (`camera_from_world`, millimetres), a blank line.

use super::calibration::{Conventions, Reading, Units};
use super::opencv::upper;
use super::{Format, Lens, RigCamera};
use crate::capture::CaptureError;
use crate::capture::source::Source;
use nalgebra::{Matrix3, Matrix3x4};

const REMEDY: &str =
    "Copy the file again: a camera is a name, 3 lines of K, a line of distortion and 3 lines of [R | t]";
/// Numbers in the lines after the name; the distortion line has any number.
const LINES: [Option<usize>; 7] = [Some(3), Some(3), Some(3), None, Some(4), Some(4), Some(4)];

/// Whether a text begins like such a file.
pub(super) fn recognise(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    lines.next().is_some_and(|name| name.split_whitespace().count() == 1)
        && LINES.iter().all(|&count| lines.next().and_then(numbers).is_some_and(|n| count.is_none_or(|c| c == n.len())))
}

fn numbers(line: &str) -> Option<Vec<f64>> {
    line.split_whitespace().map(|w| w.parse().ok()).collect()
}

pub(super) fn read(source: &mut Source, name: &str) -> Result<Reading, CaptureError> {
    let text = source.read_text(name)?;
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let mut cameras = Vec::new();
    while let Some(camera) = lines.next() {
        cameras.push(
            block(camera, &mut lines).map_err(|e| source.unusable(name, format!("camera {camera}: {e}"), REMEDY))?,
        );
    }
    let conventions = Conventions { units: Some(Units::MILLIMETRES), ..Conventions::OPENCV };
    Ok(Reading::new(Format::DeepHandMesh, name, cameras, conventions))
}

fn block<'a>(name: &str, lines: &mut impl Iterator<Item = &'a str>) -> Result<RigCamera, String> {
    let mut rows = Vec::with_capacity(LINES.len());
    for count in LINES {
        let line = lines.next().ok_or("is truncated")?;
        let row = numbers(line)
            .ok_or_else(|| format!("`{}` is no line of numbers", line.chars().take(40).collect::<String>()))?;
        match count {
            Some(count) if row.len() != count => {
                return Err(format!("a line has {} numbers, expected {count}", row.len()));
            }
            _ => rows.push(row),
        }
    }
    let k = upper(Matrix3::from_fn(|r, c| rows[r][c]))?;
    let lens = Lens::from_opencv(&rows[3]).map_err(|e| format!("its distortion {e}"))?;
    let pose = Matrix3x4::from_fn(|r, c| rows[4 + r][c]);
    Ok(RigCamera {
        name: name.to_owned(),
        k,
        lens,
        size_px: None,
        rotation: pose.fixed_columns::<3>(0).into_owned(),
        translation: pose.column(3).into_owned(),
        image: None,
        mask: None,
    })
}
