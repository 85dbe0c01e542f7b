//! The FMHR capture room folder: `camera/param.npz`, `img/NN.png`, `mask/NN.png`, `pose/NN.json`.

use super::{Capture, CaptureError};
use std::path::Path;

/// Reads an FMHR capture folder.
///
/// # Errors
/// [`CaptureError`] naming the file and the remedy.
pub fn read_fmhr(root: &Path) -> Result<Capture, CaptureError> {
    Err(CaptureError::Unusable { path: root.into(), problem: "not read yet".into(), remedy: String::new() })
}
