//! Masks judged and mended once the hands are fitted: which can be believed, which need tidying, which are made anew, which
//! are left out; and where the forearm begins.
//!
//! # Theory
//! Two witnesses know where the hands are: the fitted model, right to several millimetres, and the colours, learned in
//! every photograph from the inside of the model's silhouette against its surroundings. A mask that agrees with both is
//! trusted. One that does once its islands are dropped and its holes are filled is cleaned, and so is one that is right
//! where it is but lacks a part, which is added. Any other, or a missing one, is rebuilt by minimum cuts; when even the
//! rebuilt mask does not agree with the model, or hands and background have the same colours, the view's silhouette is
//! ignored.
//!
//! Hand models end at the wrist while masks go on up the arm. Hand pixels beyond the end of the model are neither hand nor
//! background: they get the value [`IGNORE`], and no loss and no metric counts them.
//!
//! A mask that a user has edited is not judged ([`edited_mask`]): it is used as it is, but for the forearm.
//!
//! # Practice
//! Works in the rectangle around the fitted hands, `f64` throughout, in a fixed order: the same input gives the same bytes.
//! A view of 1280×1024 takes 0.2 to 1.1 s of one core, most of it in the cuts.

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
    /// Least recall and precision of a mask within the tolerance. A fit may be off by more than that at a few fingers, so
    /// this is no more than a first look; the colours see the rest.
    pub agreement: f64,
    /// Most area that a mask may leave out although its colour is the hands', over the hands' area.
    pub missed: f64,
    /// Most area of a mask whose colour is the background's, over the hands' area.
    pub spilled: f64,
    /// A mask with this recall that has nothing but hand in it is added to, not rebuilt.
    pub mendable: f64,
    /// A pixel of a mask whose colour, and that of most of its neighbours, speaks against the hand by more than this says
    /// nothing, nats; 0 believes all that a good mask holds.
    pub doubt: f64,
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
            agreement: 0.8,
            missed: 0.06,
            spilled: 0.05,
            mendable: 0.8,
            doubt: 2.0,
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
    /// Used without its islands and holes, or with what it lacked.
    Cleaned,
    /// Made anew from model and photograph.
    Rebuilt,
    /// Not used: colours of the view still are.
    Ignored,
    /// A user's: not judged, used as it is but for the forearm.
    Edited,
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
            Self::Edited => "edited",
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
    witnessed(camera, image, hands, settings, |judgement| judgement.judge(given))
}

/// A mask that a user has edited: whatever model and colours say, it is used with full weight. What lies beyond the wrist,
/// where the model ends, is neither hand nor background, as in any mask.
#[must_use]
pub fn edited_mask(
    camera: &Camera,
    image: &RgbImage,
    mask: &GrayImage,
    hands: &[MaskHand<'_>],
    settings: &MaskSettings,
) -> JudgedMask {
    let settings = MaskSettings { doubt: 0.0, ..settings.clone() };
    witnessed(camera, image, hands, &settings, |judgement| {
        let hand = judgement.s.region.read(mask);
        let evidence = judgement.measure(&hand, &judgement.word);
        let written = judgement.written(&hand, Some(mask), false);
        judgement.used(MaskUse::Edited, "it was edited by hand".to_owned(), written, evidence, evidence)
    })
}

/// Asks both witnesses, the fitted hands and the colours, and lets `decide` hear them. Without a hand in the picture there is
/// nothing to decide.
fn witnessed(
    camera: &Camera,
    image: &RgbImage,
    hands: &[MaskHand<'_>],
    settings: &MaskSettings,
    decide: impl FnOnce(&Judgement<'_>) -> JudgedMask,
) -> JudgedMask {
    let Some(silhouette) = Silhouette::new(camera, hands) else {
        return JudgedMask::ignored("no fitted hand is in the picture".to_owned(), None, None);
    };
    let colours = Colours::new(image, &silhouette.region);
    let word = Word::first(&colours, &silhouette);
    decide(&Judgement { camera, s: &silhouette, colours: &colours, word, settings })
}

/// All that is known about a view before its mask is looked at.
struct Judgement<'a> {
    camera: &'a Camera,
    s: &'a Silhouette,
    colours: &'a Colours,
    word: Word,
    settings: &'a MaskSettings,
}

impl Judgement<'_> {
    fn measure(&self, hand: &[bool], word: &Word) -> MaskEvidence {
        measure(hand, self.s, word, self.settings.tolerance_mm)
    }

    fn judge(&self, given: Option<&GrayImage>) -> JudgedMask {
        let Some(mask) = given else { return self.rebuilt("there is no mask".to_owned(), None) };
        let hand = self.s.region.read(mask);
        let before = self.measure(&hand, &self.word);
        let tidy = tidied(&hand, self.s, &self.word);
        let after = if tidy.any() { self.measure(&tidy.hand, &self.word) } else { before };
        let Some(objection) = self.objection(&after) else {
            let reason = if tidy.any() {
                format!("it agrees with the fitted hands and the colours once {tidy}")
            } else {
                "it agrees with the fitted hands and the colours".to_owned()
            };
            let verdict = if tidy.any() { MaskUse::Cleaned } else { MaskUse::Trusted };
            return self.used(verdict, reason, self.written(&tidy.hand, Some(mask), false), before, after);
        };
        // What it has is hand, but it lacks some: the rest is added.
        if self.tells_apart() && after.recall >= self.settings.mendable && after.spilled <= self.settings.spilled {
            let (hand, word) = rebuild(self.colours, self.s, &self.word, Some(&tidy.hand));
            let hand = tidied(&hand, self.s, &word).hand;
            let mended = self.measure(&hand, &word);
            if self.agrees(&mended) {
                let reason = format!("{objection}: what it lacks is added where colours and fitted hands say so");
                return self.used(MaskUse::Cleaned, reason, self.written(&hand, Some(mask), true), before, mended);
            }
        }
        self.rebuilt(objection, Some(before))
    }

    fn used(
        &self,
        verdict: MaskUse,
        reason: String,
        mask: GrayImage,
        given: MaskEvidence,
        used: MaskEvidence,
    ) -> JudgedMask {
        let weight = if verdict == MaskUse::Cleaned { self.settings.cleaned_weight } else { 1.0 };
        let report = MaskReport { verdict, reason, weight, given: Some(given), used: Some(used) };
        JudgedMask { mask: Some(mask), report }
    }

    fn rebuilt(&self, objection: String, given: Option<MaskEvidence>) -> JudgedMask {
        if !self.tells_apart() {
            let reason = format!("{objection}, and hands and background have the same colours");
            return JudgedMask::ignored(reason, given, None);
        }
        let (hand, word) = rebuild(self.colours, self.s, &self.word, None);
        let hand = tidied(&hand, self.s, &word).hand;
        let used = self.measure(&hand, &word);
        if !self.agrees(&used) {
            let reason = format!("{objection}, and what the colours say does not agree with the fitted hands either");
            return JudgedMask::ignored(reason, given, Some(used));
        }
        let (verdict, weight) = (MaskUse::Rebuilt, self.settings.rebuilt_weight);
        let report = MaskReport { verdict, reason: objection, weight, given, used: Some(used) };
        JudgedMask { mask: Some(self.written(&hand, None, true)), report }
    }

    /// Whether colours say anything in this view.
    fn tells_apart(&self) -> bool {
        self.word.overlap <= self.settings.overlap
    }

    fn agrees(&self, e: &MaskEvidence) -> bool {
        e.recall.min(e.precision) >= self.settings.agreement
    }

    /// Whether the colours here speak against the hand: gaps between fingers that a mask has closed, or what hides a hand.
    fn doubtful(&self, pixel: usize) -> bool {
        let against = |p: usize| self.word.colour[p] < -self.settings.doubt;
        if self.settings.doubt <= 0.0 || !self.tells_apart() || !against(pixel) {
            return false;
        }
        let (mut all, mut count) = (0, 0);
        self.s.region.neighbours(pixel, true, |n| {
            all += 1;
            count += i32::from(against(n));
        });
        2 * count > all
    }

    /// What is wrong with a mask; `None` when nothing is.
    fn objection(&self, e: &MaskEvidence) -> Option<String> {
        let percent = |x: f64| format!("{:.0} %", 100.0 * x);
        let settings = self.settings;
        if e.recall < settings.agreement {
            Some(format!("it covers {} of the fitted hands", percent(e.recall)))
        } else if e.precision < settings.agreement {
            Some(format!("{} of it lie beside the fitted hands", percent(1.0 - e.precision)))
        } else if e.missed > settings.missed {
            Some(format!("it leaves out {} of the hands' area", percent(e.missed)))
        } else if e.spilled > settings.spilled {
            Some(format!("{} of the hands' area in it is background", percent(e.spilled)))
        } else {
            None
        }
    }

    /// The mask as an image: forearm, and what is far from any hand, is [`IGNORE`]. Outside the rectangle around the hands
    /// a given mask's pixels are ignored too; a rebuilt mask has none there. A `cut` has decided nothing along forearms.
    fn written(&self, hand: &[bool], given: Option<&GrayImage>, cut: bool) -> GrayImage {
        let s = self.s;
        let mut out = match given {
            Some(mask) => GrayImage::from_fn(mask.width(), mask.height(), |x, y| {
                image::Luma([if mask.get_pixel(x, y).0[0] > 127 { IGNORE } else { 0 }])
            }),
            None => GrayImage::new(self.camera.width_px, self.camera.height_px),
        };
        let forearm = s.forearm(hand, &self.word.colour, self.settings.tolerance_mm);
        let px = |n: usize| u32::try_from(n).expect("regions lie in images");
        for (pixel, &is_hand) in hand.iter().enumerate() {
            let x = px(s.region.x0 + pixel % s.region.width);
            let y = px(s.region.y0 + pixel / s.region.width);
            let masked = || given.is_some_and(|mask| mask.get_pixel(x, y).0[0] > 127);
            let neither = forearm[pixel]
                || (is_hand && self.doubtful(pixel))
                || (is_hand && s.signed_mm[pixel] < -FAR_MM)
                || (cut && !decided(s, pixel) && (s.arm_zone[pixel] || masked()));
            let value = if neither {
                IGNORE
            } else if is_hand {
                255
            } else {
                0
            };
            out.put_pixel(x, y, image::Luma([value]));
        }
        out
    }
}

impl JudgedMask {
    fn ignored(reason: String, given: Option<MaskEvidence>, used: Option<MaskEvidence>) -> Self {
        Self { mask: None, report: MaskReport { verdict: MaskUse::Ignored, reason, weight: 0.0, given, used } }
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
