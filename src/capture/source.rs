//! Reading the files of a capture: every byte that is read enters the capture's hash, and every failure names its file.

use super::CaptureError;
use image::{DynamicImage, ImageReader};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Largest file read, in bytes; anything beyond is a mistake.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A folder being read, with the digest of each file read so far by its relative name.
pub(in crate::capture) struct Source {
    root: PathBuf,
    digests: BTreeMap<String, [u8; 32]>,
}

/// A numbered file such as `img/07.png`.
pub(in crate::capture) struct Numbered {
    /// 7.
    pub(in crate::capture) index: u32,
    /// `07`.
    pub(in crate::capture) stem: String,
    /// Path relative to the capture's root, with `/`.
    pub(in crate::capture) name: String,
}

impl Source {
    pub(in crate::capture) fn new(root: &Path) -> Self {
        Self { root: root.into(), digests: BTreeMap::new() }
    }

    pub(in crate::capture) fn root(&self) -> &Path {
        &self.root
    }

    pub(in crate::capture) fn path(&self, name: &str) -> PathBuf {
        name.split('/').fold(self.root.clone(), |path, part| path.join(part))
    }

    pub(in crate::capture) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(in crate::capture) fn is_file(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    /// A [`CaptureError::Unusable`] about one of the files.
    pub(in crate::capture) fn unusable(&self, name: &str, problem: impl Into<String>, remedy: &str) -> CaptureError {
        CaptureError::unusable(&self.path(name), problem, remedy)
    }

    /// The text of a file that is looked into to tell its format, when it is small enough; bytes that are no UTF-8 are
    /// replaced, so that reading it says so. It does not enter the hash.
    pub(in crate::capture) fn peek(&self, name: &str, most: u64) -> Option<String> {
        let path = self.path(name);
        std::fs::metadata(&path).ok().filter(|m| m.is_file() && m.len() <= most)?;
        Some(String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned())
    }

    /// A UTF-8 file, without its byte order mark.
    pub(in crate::capture) fn read_text(&mut self, name: &str) -> Result<String, CaptureError> {
        let bytes = self.read(name)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| self.unusable(name, "is damaged or no text (it is not UTF-8)", "Copy the file again"))?;
        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }

    /// Width and height of an image, from its header alone.
    pub(in crate::capture) fn image_size(&mut self, name: &str) -> Result<(u32, u32), CaptureError> {
        let damaged = |e: &dyn std::fmt::Display| {
            self.unusable(name, format!("is damaged or no PNG or JPEG image ({e})"), "Copy the file again")
        };
        let reader = ImageReader::open(self.path(name)).and_then(ImageReader::with_guessed_format);
        reader.map_err(|e| damaged(&e))?.into_dimensions().map_err(|e| damaged(&e))
    }

    /// Files of a folder with one of these endings (lower case; any case matches; `""` = none), by name.
    pub(in crate::capture) fn files(&self, folder: &str, endings: &[&str]) -> Result<Vec<String>, CaptureError> {
        self.entries(folder, |path| {
            let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
            endings.contains(&ending.as_str()) && path.is_file()
        })
    }

    /// Folders in a folder, by name.
    pub(in crate::capture) fn folders(&self, folder: &str) -> Result<Vec<String>, CaptureError> {
        self.entries(folder, Path::is_dir)
    }

    /// Paths relative to the root, with `/`, of what `keep` keeps of a folder; hidden files never.
    fn entries(&self, folder: &str, keep: impl Fn(&Path) -> bool) -> Result<Vec<String>, CaptureError> {
        let path = self.path(folder);
        let unreadable = |e: std::io::Error| {
            CaptureError::unusable(
                &path,
                format!("the folder cannot be read ({e})"),
                "Check the path and its permissions",
            )
        };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && keep(&entry.path()) {
                found.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
        found.sort();
        Ok(found)
    }

    pub(in crate::capture) fn read(&mut self, name: &str) -> Result<Vec<u8>, CaptureError> {
        let path = self.path(name);
        let unusable = |problem: String, remedy: &str| CaptureError::unusable(&path, problem, remedy);
        let meta = std::fs::metadata(&path).map_err(|e| {
            if e.kind() == std::io::ErrorKind::NotFound {
                unusable("the file is missing".into(), "Copy it into the capture")
            } else {
                unusable(format!("cannot be read ({e})"), "Check the permissions of the file")
            }
        })?;
        if meta.is_dir() {
            return Err(unusable("is a folder where a file belongs".into(), "Replace it by the file"));
        }
        if meta.len() > MAX_FILE_BYTES {
            return Err(unusable("is larger than 1 GiB".into(), "Check that it is the right file"));
        }
        let bytes = std::fs::read(&path)
            .map_err(|e| unusable(format!("cannot be read ({e})"), "Check the permissions of the file and the disk"))?;
        self.digests.insert(name.to_owned(), Sha256::digest(&bytes).into());
        Ok(bytes)
    }

    pub(in crate::capture) fn read_image(&mut self, name: &str) -> Result<DynamicImage, CaptureError> {
        let bytes = self.read(name)?;
        let path = self.path(name);
        let damaged = |problem: String| {
            CaptureError::unusable(&path, problem, "Copy the file again, or export it once more as PNG or JPEG")
        };
        if is_truncated_jpeg(&bytes) {
            return Err(damaged("the JPEG is truncated: its end marker is missing".into()));
        }
        ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|e| damaged(format!("cannot be read ({e})")))?
            .decode()
            .map_err(|e| damaged(format!("is truncated, damaged or no PNG or JPEG image ({e})")))
    }

    /// Files of a folder whose stem is a number and whose extension is one of `extensions` (any case), by number.
    /// Other files are ignored, except that the second list names those of the right extension without a number.
    pub(in crate::capture) fn numbered(
        &self,
        folder: &str,
        extensions: &[&str],
    ) -> Result<(Vec<Numbered>, Vec<String>), CaptureError> {
        let of_kind = |path: &Path| {
            let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
            extensions.contains(&extension.as_str())
        };
        let mut numbered = Vec::new();
        let mut others = Vec::new();
        for name in self.entries(folder, of_kind)? {
            let stem = Path::new(&name).file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            match stem.parse() {
                Ok(index) if stem.bytes().all(|b| b.is_ascii_digit()) => numbered.push(Numbered { index, stem, name }),
                _ => others.push(name),
            }
        }
        numbered.sort_by(|a, b| (a.index, &a.name).cmp(&(b.index, &b.name)));
        if let Some(pair) = numbered.windows(2).find(|pair| pair[0].index == pair[1].index) {
            return Err(CaptureError::unusable(
                &self.path(&pair[1].name),
                format!("has the same number as {}", pair[0].name),
                "Remove one of the two",
            ));
        }
        Ok((numbered, others))
    }

    /// Lets something else than a file enter the hash.
    pub(in crate::capture) fn note(&mut self, name: &str, value: &str) {
        self.digests.insert(name.to_owned(), Sha256::digest(value).into());
    }

    /// SHA-256 over the names and digests of all files read, in name order; 64 hexadecimal digits.
    pub(in crate::capture) fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, digest) in &self.digests {
            hasher.update(name.as_bytes());
            hasher.update([0]);
            hasher.update(digest);
        }
        format!("{:x}", hasher.finalize())
    }
}

/// Decoders fill the missing part of a cut JPEG with grey instead of failing, so the end marker is looked for after the
/// last start-of-scan marker (neither can occur inside entropy-coded data).
fn is_truncated_jpeg(bytes: &[u8]) -> bool {
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return false;
    }
    let scan = bytes.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap_or(0);
    !bytes[scan..].windows(2).any(|pair| pair == [0xff, 0xd9])
}
