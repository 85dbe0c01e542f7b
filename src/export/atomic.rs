//! Files appear whole or not at all: written to a temporary name in the same folder, flushed to disk, then renamed.

use super::ExportError;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Removes the temporary file unless the write was completed.
struct Temporary {
    path: PathBuf,
    done: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.done {
            // Best effort: the error that led here is the one to report.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Writes `path` with the bytes that `fill` produces. The folder must exist; an older file is replaced.
///
/// # Errors
/// [`ExportError::Io`]; the older file, if any, is untouched then.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), ExportError> {
    let io = || ExportError::io(path);
    let name = path.file_name().ok_or_else(|| ExportError::format(path, "is no file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.partial", std::process::id()));
    let mut temporary = Temporary { path: path.with_file_name(hidden), done: false };
    let file = File::create(&temporary.path).map_err(io())?;
    let mut writer = BufWriter::with_capacity(1 << 18, file);
    fill(&mut writer).map_err(io())?;
    let file = writer.into_inner().map_err(|e| e.into_error()).map_err(io())?;
    file.sync_all().map_err(io())?;
    drop(file);
    std::fs::rename(&temporary.path, path).map_err(io())?;
    temporary.done = true;
    sync_folder(path);
    Ok(())
}

/// Makes the rename durable where the system can; elsewhere the file is still whole.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

/// Writes `bytes` to `path`.
///
/// # Errors
/// As [`write_with`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    write_with(path, |w| w.write_all(bytes))
}

/// Creates a folder (and its parents) that must be new or empty.
///
/// # Errors
/// [`ExportError::NotEmpty`] when something is in it, [`ExportError::Io`] when it cannot be made or is a file.
pub fn create_empty_folder(path: &Path) -> Result<(), ExportError> {
    std::fs::create_dir_all(path).map_err(ExportError::io(path))?;
    let mut entries = std::fs::read_dir(path).map_err(ExportError::io(path))?;
    if entries.next().is_some() { Err(ExportError::NotEmpty { path: path.to_owned() }) } else { Ok(()) }
}

/// A folder that appears whole or not at all: filled under a temporary name beside its target, renamed by
/// [`StagedFolder::commit`], removed with all that is in it when dropped before.
#[derive(Debug)]
pub struct StagedFolder {
    target: PathBuf,
    path: PathBuf,
    done: bool,
}

impl StagedFolder {
    /// Begins a folder; `target` must be new or empty.
    ///
    /// # Errors
    /// [`ExportError::NotEmpty`] when something is in it, [`ExportError::Io`] when it is a file or cannot be made.
    pub fn new(target: &Path) -> Result<Self, ExportError> {
        match std::fs::read_dir(target) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(ExportError::NotEmpty { path: target.to_owned() });
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(ExportError::io(target)(e)),
        }
        let name = target.file_name().ok_or_else(|| ExportError::format(target, "is no name of a folder"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.partial", std::process::id()));
        let path = target.with_file_name(hidden);
        std::fs::create_dir_all(&path).map_err(ExportError::io(&path))?;
        Ok(Self { target: target.to_owned(), path, done: false })
    }

    /// Where to write meanwhile.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// [`ExportError::Io`], for example when the target is no longer empty.
    pub fn commit(mut self) -> Result<(), ExportError> {
        // Not every system renames onto an empty folder; one with something in it is not removed.
        match std::fs::remove_dir(&self.target) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(ExportError::io(&self.target)(e)),
            Ok(()) | Err(_) => {}
        }
        std::fs::rename(&self.path, &self.target).map_err(ExportError::io(&self.target))?;
        self.done = true;
        sync_folder(&self.target);
        Ok(())
    }
}

impl Drop for StagedFolder {
    fn drop(&mut self) {
        if !self.done {
            // Best effort: the error that led here is the one to report.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// PNG bytes of an image (RGB8, grey, or grey of 16 bits).
///
/// # Errors
/// [`ExportError::Encode`].
pub fn png_bytes<P, C>(image: &image::ImageBuffer<P, C>) -> Result<Vec<u8>, ExportError>
where
    P: image::Pixel + image::PixelWithColorType,
    [P::Subpixel]: image::EncodableLayout,
    C: std::ops::Deref<Target = [P::Subpixel]>,
{
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(|e| ExportError::Encode { what: "a PNG", reason: e.to_string() })?;
    Ok(bytes.into_inner())
}

/// JPEG bytes of an image.
///
/// # Errors
/// [`ExportError::Encode`].
pub fn jpeg_bytes(image: &image::RgbImage, quality: u8) -> Result<Vec<u8>, ExportError> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(image)
        .map_err(|e| ExportError::Encode { what: "a JPEG", reason: e.to_string() })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.txt");
        write(&path, b"first").expect("written");
        let result = write_with(&path, |w| {
            w.write_all(&[b'x'; 1 << 20])?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(matches!(result, Err(ExportError::Io { .. })), "the error is passed on");
        assert_eq!(std::fs::read(&path).expect("still there"), b"first", "the old file is untouched");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "no temporary file remains");
        let panicked = std::panic::catch_unwind(|| {
            write_with(&path, |w| {
                w.write_all(&[b'x'; 1 << 20])?;
                panic!("killed half way")
            })
        });
        assert!(panicked.is_err(), "the panic goes through");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "and leaves nothing");
        write(&path, b"second").expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"second", "a whole write replaces");
    }

    #[test]
    fn folders_in_use_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let new = folder.path().join("a/b");
        create_empty_folder(&new).expect("made");
        create_empty_folder(&new).expect("still empty");
        write(&new.join("x"), b"1").expect("written");
        assert!(matches!(create_empty_folder(&new), Err(ExportError::NotEmpty { .. })), "not empty any more");
        assert!(matches!(create_empty_folder(&new.join("x")), Err(ExportError::Io { .. })), "a file is no folder");
    }

    #[test]
    fn a_staged_folder_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("out");
        let count = || std::fs::read_dir(folder.path()).expect("a folder").count();
        let staged = StagedFolder::new(&target).expect("begun");
        write(&staged.path().join("a"), b"1").expect("written");
        assert!(!target.exists(), "not there yet");
        drop(staged);
        assert_eq!(count(), 0, "given up, nothing remains");
        std::fs::create_dir(&target).expect("an empty folder");
        let staged = StagedFolder::new(&target).expect("empty is fine");
        write(&staged.path().join("a"), b"1").expect("written");
        staged.commit().expect("committed");
        assert_eq!((std::fs::read(target.join("a")).expect("there"), count()), (b"1".to_vec(), 1), "whole");
        assert!(matches!(StagedFolder::new(&target), Err(ExportError::NotEmpty { .. })), "in use");
        assert!(matches!(StagedFolder::new(&target.join("a")), Err(ExportError::Io { .. })), "a file");
    }
}
