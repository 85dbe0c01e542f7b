//! `joints.json`: `{"left":[[x,y,z]×21]|null,"right":…,"unit":"m","frame":"capture"}`, MediaPipe order.

use super::{ExportError, atomic};
use crate::anatomy::KEYPOINTS;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// 3D joints of both hands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Joints {
    /// Left hand, 21 positions, or null.
    pub left: Option<[[f64; 3]; KEYPOINTS]>,
    /// Right hand, 21 positions, or null.
    pub right: Option<[[f64; 3]; KEYPOINTS]>,
    /// Always `m`.
    pub unit: String,
    /// Always `capture`.
    pub frame: String,
}

impl Joints {
    /// From (left, right), capture metres.
    #[must_use]
    pub fn new(sides: [Option<[[f64; 3]; KEYPOINTS]>; 2]) -> Self {
        let [left, right] = sides;
        Self { left, right, unit: "m".to_owned(), frame: "capture".to_owned() }
    }

    /// As (left, right).
    #[must_use]
    pub fn sides(&self) -> [Option<[[f64; 3]; KEYPOINTS]>; 2] {
        [self.left, self.right]
    }
}

/// Any serialisable value as pretty JSON with a final line break, written whole.
///
/// # Errors
/// [`ExportError::Encode`] or [`ExportError::Io`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), ExportError> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|e| ExportError::Encode { what: "JSON", reason: e.to_string() })?;
    text.push('\n');
    atomic::write(path, text.as_bytes())
}

/// Writes `joints.json`.
///
/// # Errors
/// As [`write_json`].
pub fn write(path: &Path, joints: &Joints) -> Result<(), ExportError> {
    write_json(path, joints)
}

/// Reads `joints.json` back; values may differ in the last bit of a double.
///
/// # Errors
/// [`ExportError::Io`] or [`ExportError::Format`].
pub fn read(path: &Path) -> Result<Joints, ExportError> {
    let text = std::fs::read(path).map_err(ExportError::io(path))?;
    let joints: Joints = serde_json::from_slice(&text).map_err(|e| ExportError::format(path, e.to_string()))?;
    if joints.unit != "m" || joints.frame != "capture" {
        return Err(ExportError::format(
            path,
            format!("unit {} and frame {} are not m and capture", joints.unit, joints.frame),
        ));
    }
    Ok(joints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joints_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("joints.json");
        let mut hand = [[0.1; 3]; KEYPOINTS];
        hand[20] = [0.3125, -2e-9, 1.234_567_890_123];
        let joints = Joints::new([None, Some(hand)]);
        write(&path, &joints).expect("written");
        assert_eq!(read(&path).expect("read"), joints, "every digit");
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.contains("\"left\": null") && text.contains("\"unit\": \"m\""), "as the contract says");
        std::fs::write(&path, text.replace("\"m\"", "\"mm\"")).expect("written");
        assert!(matches!(read(&path), Err(ExportError::Format { .. })), "another unit is refused");
    }
}
