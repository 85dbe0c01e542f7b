//! Masks judged and mended once the hands are fitted: which can be believed, which need tidying, which are made anew, which
//! are left out; and where the forearm begins.
//!
//! # Theory
//! Two witnesses know where the hands are: the fitted model, right to several millimetres, and the colours, learned in
//! every photograph from the inside of the model's silhouette against its surroundings ([`colour`]). A mask that agrees
//! with both is trusted. One that does once its islands are dropped and its holes are filled is cleaned. Any other, or a
//! missing one, is rebuilt by minimum cuts ([`rebuild`]); when even the rebuilt mask does not agree with the model, or hands
//! and background have the same colours, the view's silhouette is ignored.
//!
//! Hand models end at the wrist while masks go on up the arm. Hand pixels beyond the end of the model are neither hand nor
//! background: they get the value [`IGNORE`], and no loss and no metric counts them.
//!
//! # Practice
//! Works in the rectangle around the fitted hands, `f64` throughout, in a fixed order: the same input gives the same bytes.
//! A view of 1280×1024 takes less than a second of one core, most of it in the cuts.

mod colour;
mod evidence;
mod max_flow;
mod rebuild;
mod region;
mod silhouette;
#[cfg(test)]
mod tests;

pub use evidence::MaskEvidence;

use crate::camera::Camera;
use colour::Colours;
use evidence::{holes, islands, measure};
use image::{GrayImage, RgbImage};
use nalgebra::Vector3;
use rebuild::{FAR_MM, Word, decided, rebuild};
use serde::{Deserialize, Serialize};
use silhouette::Silhouette;
use std::fmt;

/// A mask pixel that says nothing.
pub const IGNORE: u8 = 128;

/// Settings of the judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaskSettings {
    /// False leaves the masks of the capture as they are.
    pub refine: bool,
    /// How far the fitted outline may be from the true one, millimetres.
    pub tolerance_mm: f64,
    /// A mask with less recall or precision than this, within the tolerance, is rebuilt.
    pub agreement: f64,
    /// A mask whose colours contradict it over more than this part of the hands' area is rebuilt.
    pub contradiction: f64,
    /// A rebuilt mask with less recall or precision than this is ignored.
    pub rebuilt_agreement: f64,
    /// Hands and background whose colours overlap more than this cannot be told apart.
    pub overlap: f64,
    /// Weight of the silhouette term where the mask was cleaned, over that of a trusted one.
    pub cleaned_weight: f64,
    /// The same where it was rebuilt.
    pub rebuilt_weight: f64,
}

impl Default for MaskSettings {
    fn default() -> Self {
        Self {
            refine: true,
            tolerance_mm: 6.0,
            agreement: 0.93,
            contradiction: 0.08,
            rebuilt_agreement: 0.85,
            overlap: 0.85,
            cleaned_weight: 1.0,
            rebuilt_weight: 0.5,
        }
    }
}

/// What becomes of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskUse {
    /// Used as given, but for the forearm.
    Trusted,
    /// Used without its islands and holes.
    Cleaned,
    /// Made anew from model and photograph.
    Rebuilt,
    /// Not used: colours of the view still are.
    Ignored,
}

impl MaskUse {
    /// Name in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Cleaned => "cleaned",
            Self::Rebuilt => "rebuilt",
            Self::Ignored => "ignored",
        }
    }
}

impl fmt::Display for MaskUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A fitted hand.
#[derive(Clone, Copy, Debug)]
pub struct MaskHand<'a> {
    /// Posed vertices, world metres.
    pub vertices: &'a [[f64; 3]],
    /// Triangles, outward.
    pub faces: &'a [[u32; 3]],
    /// Vertices around the open wrist, in order.
    pub wrist_loop: &'a [u32],
    /// Knuckle of the middle finger: the forearm lies on the other side of the wrist.
    pub middle_knuckle: [f64; 3],
}

impl MaskHand<'_> {
    /// Middle of the wrist's rim; `None` for a model without one.
    fn wrist_centre(&self) -> Option<Vector3<f64>> {
        let sum: Vector3<f64> = self.wrist_loop.iter().map(|&v| Vector3::from(self.vertices[v as usize])).sum();
        let count = u32::try_from(self.wrist_loop.len()).ok().filter(|n| *n > 0)?;
        Some(sum / f64::from(count))
    }
}

/// What was decided about a view's mask, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskReport {
    /// What becomes of it.
    pub verdict: MaskUse,
    /// One sentence.
    pub reason: String,
    /// Factor of the silhouette term.
    pub weight: f64,
    /// The mask as given; `None` when there is none or no hand is in the picture.
    pub given: Option<MaskEvidence>,
    /// The mask as used.
    pub used: Option<MaskEvidence>,
}

/// A judged mask.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedMask {
    /// 255 hand, 0 background, [`IGNORE`] neither; the image's size. `None` when it is ignored.
    pub mask: Option<GrayImage>,
    /// Why.
    pub report: MaskReport,
}

/// Judges the mask of one view and mends it where that is needed.
#[must_use]
pub fn judge_mask(
    camera: &Camera,
    image: &RgbImage,
    given: Option<&GrayImage>,
    hands: &[MaskHand<'_>],
    settings: &MaskSettings,
) -> JudgedMask {
    let Some(s) = Silhouette::new(camera, hands) else {
        let reason = "no fitted hand is in the picture".to_owned();
        return ignored(MaskReport { verdict: MaskUse::Ignored, reason, weight: 0.0, given: None, used: None });
    };
    let colours = Colours::new(image, &s.region);
    let word = Word::first(&colours, &s);
    let measured = |hand: &[bool], word: &Word| measure(hand, &s, word, settings.tolerance_mm);
    let before = given.map(|mask| {
        let hand = s.region.read(mask);
        let evidence = measured(&hand, &word);
        (mask, hand, evidence)
    });
    let given_evidence = before.as_ref().map(|(_, _, evidence)| *evidence);
    let mut complaint = "there is no mask".to_owned();
    if let Some((mask, hand, evidence)) = &before {
        let changes = tidied(hand, &s, &word);
        let (verdict, weight, hand, used) = if changes.any() {
            let used = measured(&changes.hand, &word);
            (MaskUse::Cleaned, settings.cleaned_weight, &changes.hand, used)
        } else {
            (MaskUse::Trusted, 1.0, hand, *evidence)
        };
        match objection(&used, settings) {
            None => {
                let reason = if verdict == MaskUse::Trusted {
                    format!("it agrees with the fitted hands and the colours (within {:.0} mm)", settings.tolerance_mm)
                } else {
                    format!("it agrees once {changes}")
                };
                let report = MaskReport { verdict, reason, weight, given: given_evidence, used: Some(used) };
                return JudgedMask { mask: Some(written(camera, &s, hand, Some(mask))), report };
            }
            Some(objection) => complaint = objection,
        }
    }
    if word.overlap > settings.overlap {
        let reason = format!("{complaint}, and hands and background have the same colours");
        let (verdict, weight) = (MaskUse::Ignored, 0.0);
        return ignored(MaskReport { verdict, reason, weight, given: given_evidence, used: None });
    }
    let (hand, word) = rebuild(&colours, &s, &word);
    let hand = tidied(&hand, &s, &word).hand;
    let used = measured(&hand, &word);
    let sound = used.recall.min(used.precision) >= settings.rebuilt_agreement;
    let (verdict, weight) =
        if sound { (MaskUse::Rebuilt, settings.rebuilt_weight) } else { (MaskUse::Ignored, 0.0) };
    let reason = if sound {
        complaint
    } else {
        format!("{complaint}, and what colours and fitted hands give together does not agree with the hands either")
    };
    let report = MaskReport { verdict, reason, weight, given: given_evidence, used: Some(used) };
    if sound { JudgedMask { mask: Some(written(camera, &s, &hand, None)), report } } else { ignored(report) }
}

fn ignored(report: MaskReport) -> JudgedMask {
    JudgedMask { mask: None, report }
}

/// What is wrong with a mask, the worst first; `None` when nothing is.
fn objection(e: &MaskEvidence, settings: &MaskSettings) -> Option<String> {
    let percent = |x: f64| 100.0 * x;
    if e.recall < settings.agreement {
        Some(format!("the mask covers {:.0} % of the fitted hands", percent(e.recall)))
    } else if e.precision < settings.agreement {
        Some(format!("{:.0} % of the mask lie beside the fitted hands", percent(1.0 - e.precision)))
    } else if e.contradiction > settings.contradiction {
        Some(format!("the colours contradict the mask over {:.0} % of the hands' area", percent(e.contradiction)))
    } else {
        None
    }
}

/// A mask without islands and holes.
struct Tidied {
    hand: Vec<bool>,
    islands: usize,
    holes: usize,
}

impl Tidied {
    const fn any(&self) -> bool {
        self.islands + self.holes > 0
    }
}

impl fmt::Display for Tidied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        match (self.islands, self.holes) {
            (n, 0) => write!(f, "{} beside the hands {} dropped", of(n, "island"), if n == 1 { "is" } else { "are" }),
            (0, n) => write!(f, "{} {} filled", of(n, "hole"), if n == 1 { "is" } else { "are" }),
            (n, m) => write!(f, "{} beside the hands are dropped and {} filled", of(n, "island"), of(m, "hole")),
        }
    }
}

/// Islands and holes below this area are nobody's concern: they go without a word. Square millimetres.
const DUST_MM2: f64 = 6.0;

/// Drops pieces that touch no hand, and fills enclosed holes where colour and silhouette together say hand.
fn tidied(hand: &[bool], s: &Silhouette, word: &Word) -> Tidied {
    let mut out = Tidied { hand: hand.to_vec(), islands: 0, holes: 0 };
    let matters = |piece: &[usize]| {
        f64::from(u32::try_from(piece.len()).unwrap_or(u32::MAX)) * s.mm_per_px * s.mm_per_px > DUST_MM2
    };
    for piece in islands(hand, s) {
        // A forearm that another hand cuts off from its own is no island.
        if piece.iter().all(|&p| s.arm_zone[p]) {
            continue;
        }
        out.islands += usize::from(matters(&piece));
        for p in piece {
            out.hand[p] = false;
        }
    }
    for hole in holes(hand, s) {
        if hole.iter().map(|&p| word.at(s, p)).sum::<f64>() > 0.0 {
            out.holes += usize::from(matters(&hole));
            for p in hole {
                out.hand[p] = true;
            }
        }
    }
    out
}

/// The mask as an image: forearm, and what is far from any hand, is [`IGNORE`]. Outside the rectangle around the hands a
/// given mask's pixels are ignored too; a rebuilt mask has none there.
fn written(camera: &Camera, s: &Silhouette, hand: &[bool], given: Option<&GrayImage>) -> GrayImage {
    let mut out = match given {
        Some(mask) => GrayImage::from_fn(mask.width(), mask.height(), |x, y| {
            image::Luma([if mask.get_pixel(x, y).0[0] > 127 { IGNORE } else { 0 }])
        }),
        None => GrayImage::new(camera.width_px, camera.height_px),
    };
    let forearm = s.forearm(hand);
    let px = |n: usize| u32::try_from(n).expect("regions lie in images");
    for (pixel, &is_hand) in hand.iter().enumerate() {
        let neither = forearm[pixel]
            || (is_hand && s.signed_mm[pixel] < -FAR_MM)
            || (given.is_none() && s.arm_zone[pixel] && !decided(s, pixel));
        let value = if neither {
            IGNORE
        } else if is_hand {
            255
        } else {
            0
        };
        let (x, y) = (s.region.x0 + pixel % s.region.width, s.region.y0 + pixel / s.region.width);
        out.put_pixel(px(x), px(y), image::Luma([value]));
    }
    out
}
