//! Writing a file of edits: the masks first, each under a name that holds part of its hash, then the text that names them.
//! Whenever that ends early, the older text still finds its masks.

use super::{ExportError, atomic};
use crate::capture::Edits;
use std::collections::BTreeSet;
use std::path::Path;

/// Writes the masks of `edits` as PNG files into `folder`, which is made when there are some.
///
/// # Errors
/// [`ExportError::Io`], for example a full disk.
pub fn write_masks(folder: &Path, edits: &Edits) -> Result<(), ExportError> {
    let masks = edits.mask_files();
    if !masks.is_empty() {
        std::fs::create_dir_all(folder).map_err(ExportError::io(folder))?;
    }
    for (name, mask) in masks {
        let path = folder.join(name);
        // A file of this name is this mask.
        if !path.exists() {
            atomic::write(&path, &atomic::png_bytes(&mask.image())?)?;
        }
    }
    Ok(())
}

/// Removes masks of earlier edits from `folder`; files of other kinds stay. What cannot be removed only takes room.
pub fn remove_other_masks(folder: &Path, edits: &Edits) {
    let kept: BTreeSet<String> = edits.mask_files().into_iter().map(|(name, _)| name).collect();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".png") && !name.starts_with('.') && !kept.contains(&name) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    if kept.is_empty() {
        // Goes only when nothing is left in it.
        let _ = std::fs::remove_dir(folder);
    }
}

/// Writes `edits` to `path`, a `.ron` file, and their masks into the folder of the same name without its ending.
///
/// # Errors
/// [`ExportError`]; an older file stays then.
pub fn write(path: &Path, edits: &Edits) -> Result<(), ExportError> {
    let folder = path.with_extension("");
    let name = folder.file_name().ok_or_else(|| ExportError::format(path, "is no file name"))?;
    let text = edits
        .text(&name.to_string_lossy())
        .map_err(|e| ExportError::Encode { what: "edits", reason: e.to_string() })?;
    write_masks(&folder, edits)?;
    atomic::write(path, format!("{text}\n").as_bytes())?;
    remove_other_masks(&folder, edits);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{CompactMask, KeypointEdit};
    use image::{GrayImage, Luma};
    use std::sync::Arc;

    fn disc(radius: f64) -> Arc<CompactMask> {
        let within = |x: u32, y: u32| (f64::from(x) - 40.0).hypot(f64::from(y) - 30.0) < radius;
        let value = |x, y| Luma([if within(x, y) { 255 } else { 0 }]);
        Arc::new(CompactMask::new(&GrayImage::from_fn(80, 60, value)))
    }

    #[test]
    fn edits_come_back_as_they_were_written_and_old_masks_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("edits.ron");
        let mut edits = Edits::default();
        edits.change("左手 3/a", |view| view.mask = Some(disc(20.0)));
        edits.change("03", |view| {
            view.swap_sides = true;
            view.hands[1] = [(8, KeypointEdit::At(12.5, 40.25)), (20, KeypointEdit::Unseen)].into();
        });
        write(&path, &edits).expect("written");
        assert_eq!(Edits::read(&path).expect("sound"), edits, "as it was");
        let count = || std::fs::read_dir(folder.path().join("edits")).map_or(0, Iterator::count);
        assert_eq!(count(), 1, "one mask");
        let first = edits.hash();
        edits.change("03", |view| view.mask = Some(disc(10.0)));
        edits.change("左手 3/a", |view| view.mask = None);
        write(&path, &edits).expect("written");
        assert_eq!(Edits::read(&path).expect("sound"), edits, "the newer ones");
        assert_eq!(count(), 1, "the old mask is gone");
        assert_ne!(edits.hash(), first, "another hash");
        write(&path, &Edits::default()).expect("written");
        assert_eq!((Edits::read(&path).expect("sound"), count()), (Edits::default(), 0), "nothing is left");
    }
}
