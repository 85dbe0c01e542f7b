//! The file of edits: RON, and beside it a PNG a mask. Mask files carry part of their own hash in their names, so that a file
//! that is there is the one that is meant, and writing goes masks first, then the text that names them.
//!
//! ```ron
//! (version: 1, views: {
//!     "03": (
//!         swap_sides: true,
//!         left: {8: At(412.5, 230.0), 12: Unseen},
//!         right: {},
//!         mask: Some("edits/03_1a2b3c4d.png"),
//!     ),
//! })
//! ```

use super::{CompactMask, Edits, EditsError, HandEdits, ViewEdits};
use image::ImageReader;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Version of what is written.
pub(super) const VERSION: u32 = 1;
/// Largest file read, bytes.
const MOST_BYTES: u64 = 64 << 20;
/// Most pixels of a mask.
const MOST_PIXELS: u64 = 1 << 28;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    views: BTreeMap<String, ViewEntry>,
}

/// The version alone: that of a newer file is told although its form is not known.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ViewEntry {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    swap_sides: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    left: HandEdits,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    right: HandEdits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mask: Option<String>,
}

impl Edits {
    /// Reads a file of edits and the masks it names.
    ///
    /// # Errors
    /// [`EditsError`] naming the file.
    pub fn read(path: &Path) -> Result<Self, EditsError> {
        let bytes = read_file(path)?;
        let unreadable = |problem: String| EditsError::Unreadable { path: path.to_owned(), problem };
        let text = String::from_utf8(bytes).map_err(|_| unreadable("is no UTF-8 text".to_owned()))?;
        let Version { version } =
            ron::from_str(&text).map_err(|error| unreadable(format!("is no file of edits ({error})")))?;
        if version > VERSION {
            return Err(EditsError::Newer { path: path.to_owned(), version });
        }
        let file: File = ron::from_str(&text).map_err(|error| unreadable(format!("is no file of edits ({error})")))?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let mut views = BTreeMap::new();
        for (name, entry) in file.views {
            let mask = entry.mask.map(|file| read_mask(path, folder, &file)).transpose()?.map(Arc::new);
            views.insert(name, ViewEdits { swap_sides: entry.swap_sides, hands: [entry.left, entry.right], mask });
        }
        Ok(Self { views })
    }

    /// The text of the file, with masks in the folder `masks` beside it.
    ///
    /// # Errors
    /// One of the serialiser, which numbers and names do not meet.
    pub fn text(&self, masks: &str) -> Result<String, ron::Error> {
        ron::ser::to_string_pretty(&self.file(|name, mask| format!("{masks}/{}", mask_name(name, mask))), pretty())
    }

    /// The masks with their file names in that folder.
    #[must_use]
    pub fn mask_files(&self) -> Vec<(String, Arc<CompactMask>)> {
        let masks = self.views.iter().filter_map(|(name, edits)| Some((name, edits.mask.as_ref()?)));
        masks.map(|(name, mask)| (mask_name(name, mask), Arc::clone(mask))).collect()
    }

    /// SHA-256 over all edits, 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let text = ron::ser::to_string(&self.file(|_, mask| mask.hash())).unwrap_or_default();
        format!("{:x}", Sha256::digest(text))
    }

    fn file(&self, mask: impl Fn(&str, &CompactMask) -> String) -> File {
        let entry = |(name, edits): (&String, &ViewEdits)| {
            let [left, right] = edits.hands.clone();
            let mask = edits.mask.as_ref().map(|m| mask(name, m));
            (name.clone(), ViewEntry { swap_sides: edits.swap_sides, left, right, mask })
        };
        File { version: VERSION, views: self.views.iter().filter(|(_, e)| !e.is_empty()).map(entry).collect() }
    }
}

fn pretty() -> ron::ser::PrettyConfig {
    ron::ser::PrettyConfig::default().depth_limit(4)
}

/// Name of a mask's file: the view's, as far as file systems take it, and the beginning of the mask's hash.
fn mask_name(view: &str, mask: &CompactMask) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let safe: String = view.chars().take(60).map(letter).collect();
    let hash = mask.hash();
    format!("{safe}_{}.png", hash.get(..8).unwrap_or(&hash))
}

fn read_file(path: &Path) -> Result<Vec<u8>, EditsError> {
    let unreadable = |problem: String| EditsError::Unreadable { path: path.to_owned(), problem };
    let meta = std::fs::metadata(path).map_err(|error| unreadable(format!("cannot be read ({error})")))?;
    if !meta.is_file() || meta.len() > MOST_BYTES {
        return Err(unreadable("is no file, or one of more than 64 MiB".to_owned()));
    }
    std::fs::read(path).map_err(|error| unreadable(format!("cannot be read ({error})")))
}

/// A mask beside the file of edits; nothing outside of its folder is read.
fn read_mask(edits: &Path, folder: &Path, file: &str) -> Result<CompactMask, EditsError> {
    let within = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if !within || file.is_empty() || file.contains('\\') {
        let problem = format!("names `{file}`, which is no file in its folder or below");
        return Err(EditsError::Unreadable { path: edits.to_owned(), problem });
    }
    let path: PathBuf = file.split('/').fold(folder.to_owned(), |path, part| path.join(part));
    let damaged = |problem: String| EditsError::Unreadable { path: path.clone(), problem };
    let bytes = read_file(&path)?;
    let reader = || ImageReader::new(Cursor::new(&bytes)).with_guessed_format();
    let size = reader().map_err(|e| damaged(e.to_string()))?.into_dimensions();
    let (width, height) = size.map_err(|error| damaged(format!("is no PNG image ({error})")))?;
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(damaged(format!("is an image of {width}×{height} pixels, which is no mask")));
    }
    let image = reader().map_err(|e| damaged(e.to_string()))?.decode();
    let image = image.map_err(|error| damaged(format!("is damaged ({error})")))?;
    Ok(CompactMask::new(&image.into_luma8()))
}
