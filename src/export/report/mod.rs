//! A run's report as one HTML page that needs no network: styles, scripts, pictures and the mesh are inside. What is told is
//! gathered by the pipeline; here is how it is shown.
//!
//! Names of captures and views, lines of logs and texts of settings come from files and may hold anything. They pass through
//! [`escaped`] on their way into the page, or through `json_in_page` into its data, and nothing of them is ever run: the
//! page's own policy allows the two scripts it was made with, by their hashes, and no connection to anywhere.

mod chart;
mod page;
mod table;

pub use chart::{Chart, Series};
pub use table::{Cell, Column, Row, Table};

use super::{ExportError, atomic};
use image::RgbImage;
use sha2::{Digest, Sha256};

/// Colours of an error from none to most, encoded; `viridis` of Matplotlib (CC0) at six places.
pub const ERROR_COLOURS: [[u8; 3]; 6] =
    [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];

/// JPEG quality of pictures.
const QUALITY: u8 = 86;

/// The colour of a share of the greatest error, encoded 0..1.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the list")]
pub fn error_colour(share: f64) -> [f64; 3] {
    let at = share.clamp(0.0, 1.0) * (ERROR_COLOURS.len() - 1) as f64;
    let low = (at as usize).min(ERROR_COLOURS.len() - 2);
    let part = at - low as f64;
    [0, 1, 2].map(|k| {
        let of = |i: usize| f64::from(ERROR_COLOURS[i][k]) / 255.0;
        of(low) * (1.0 - part) + of(low + 1) * part
    })
}

/// All that a page tells. Texts are plain: the page escapes them.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was reconstructed.
    pub title: String,
    /// How it was made: (name, value).
    pub facts: Vec<(String, String)>,
    /// The numbers that matter most.
    pub figures: Vec<Figure>,
    /// The hands to be looked at.
    pub model: Option<Model>,
    /// Errors of the surface, where the truth is known.
    pub errors: Option<ErrorMap>,
    /// A row a view.
    pub views: Option<Table>,
    /// Photographs against renders.
    pub comparisons: Vec<Wipe>,
    /// Loss curves.
    pub charts: Vec<Chart>,
    /// How sound the meshes are.
    pub meshes: Option<Table>,
    /// Every setting.
    pub settings: String,
    /// The run's log.
    pub log: String,
}

/// A number with its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// The number with its unit.
    pub value: String,
    /// Over what.
    pub note: String,
}

/// The hands in three dimensions.
#[derive(Clone, Debug)]
pub struct Model {
    /// A GLB from [`super::glb::preview`].
    pub glb: Vec<u8>,
    /// Name for a saved file.
    pub file_name: String,
    /// What is shown where the GLB cannot be.
    pub picture: Picture,
    /// Greatest error of the scale in millimetres, where the GLB has errors.
    pub most_mm: Option<f64>,
    /// How fine it is, in words.
    pub note: String,
}

/// Pictures of the surface's errors.
#[derive(Clone, Debug)]
pub struct ErrorMap {
    /// From several sides.
    pub pictures: Vec<Picture>,
    /// Greatest error of the scale in millimetres.
    pub most_mm: f64,
    /// Numbers about them.
    pub numbers: Table,
}

/// A picture and what is to be seen on it.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The pixels.
    pub image: RgbImage,
    /// For those who do not see it.
    pub alt: String,
}

/// A photograph and renders of the same view, to be wiped from one to the other.
#[derive(Clone, Debug)]
pub struct Wipe {
    /// The view.
    pub title: String,
    /// Why it is shown, and its numbers.
    pub note: String,
    /// The photograph.
    pub photograph: Picture,
    /// Renders by their name, of the photograph's size.
    pub renders: Vec<(String, Picture)>,
}

impl Report {
    /// The whole page.
    ///
    /// # Errors
    /// [`ExportError::Encode`] when a picture cannot be encoded.
    pub fn to_html(&self) -> Result<String, ExportError> {
        page::html(self)
    }
}

/// Text for the page, between tags or in a quoted attribute.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters (colours of a terminal, say) are no text of HTML.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// JSON for a data block of the page: nothing in it can close the block.
fn json_in_page(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Base64 (RFC 4648 §4).
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let part = |k: usize| u32::from(chunk.get(k).copied().unwrap_or(0));
        let bits = part(0) << 16 | part(1) << 8 | part(2);
        for k in 0..4 {
            let digit = (bits >> (18 - 6 * k) & 63) as usize;
            out.push(if k <= chunk.len() { char::from(DIGITS[digit]) } else { '=' });
        }
    }
    out
}

/// A script's hash as a content security policy names it.
fn policy_hash(script: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(script.as_bytes())))
}

/// A JPEG inside an attribute.
fn data_uri(image: &RgbImage) -> Result<String, ExportError> {
    Ok(format!("data:image/jpeg;base64,{}", base64(&atomic::jpeg_bytes(image, QUALITY)?)))
}

#[cfg(test)]
mod tests;
