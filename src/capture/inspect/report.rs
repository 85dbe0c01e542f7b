//! The report of `thenar inspect`: what was found in a capture, view by view. Its fields are the keys of `--json`.

use super::light::{self, LightFigures};
use super::mask::{self, MaskFigures, MaskVerdict};
use super::{bone_samples, median};
use crate::anatomy::Side;
use crate::capture::{Capture, Inference, View};
use serde::{Deserialize, Serialize};

/// Part of the picture that may be clipped.
const CLIPPED_PICTURE: f64 = 0.2;
/// Part of the skin samples that may be clipped.
const CLIPPED_HANDS: f64 = 0.25;
/// Luminance of the hands relative to the rig's median below which a view is dark: one stop.
const DARK: f64 = 0.5;
/// Smallest deviation of `[ln G/R, ln B/R]` from the rig's median that can be a colour cast.
const CAST: f64 = 0.15;
/// Bones on the mask below which detection and mask contradict each other.
const OFF_MASK: f64 = 0.5;

/// Something a user should look at in one view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// There is no mask.
    MaskMissing,
    /// [`MaskVerdict::NearlyEmpty`].
    MaskNearlyEmpty,
    /// [`MaskVerdict::Noisy`].
    MaskNoisy,
    /// [`MaskVerdict::PartlyCut`].
    MaskPartlyCut,
    /// The left hand was detected elsewhere but not here.
    NoLeft,
    /// The right hand was detected elsewhere but not here.
    NoRight,
    /// More than half of a detected hand lies outside a mask that is not empty: one of the two is wrong.
    KeypointsOffMask,
    /// The hands are more than one stop darker than in the median view.
    Dark,
    /// More than a fifth of the picture is clipped.
    Overexposed,
    /// More than a quarter of the skin is clipped: its colour is lost there.
    HandsOverexposed,
    /// The skin has another colour than in the median view.
    ColourCast,
}

impl Flag {
    /// Name in tables and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaskMissing => "mask-missing",
            Self::MaskNearlyEmpty => "mask-nearly-empty",
            Self::MaskNoisy => "mask-noisy",
            Self::MaskPartlyCut => "mask-partly-cut",
            Self::NoLeft => "no-left",
            Self::NoRight => "no-right",
            Self::KeypointsOffMask => "keypoints-off-mask",
            Self::Dark => "dark",
            Self::Overexposed => "overexposed",
            Self::HandsOverexposed => "hands-overexposed",
            Self::ColourCast => "colour-cast",
        }
    }
}

/// Measurements of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskReport {
    /// Connected pieces.
    pub fragments: usize,
    /// Holes.
    pub holes: usize,
    /// Part of the outline at which the photograph has no edge, 0…1: how much of the mask was cut rather than seen.
    pub open_outline: f64,
}

/// One detected hand in one view.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectionReport {
    /// Part of the hand's bones inside the picture, 0…1.
    pub in_picture: f64,
    /// Part of the bones inside the picture that lie on the mask, 0…1; `None` without a mask.
    pub on_mask: Option<f64>,
}

/// One view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewReport {
    /// Name of the view.
    pub name: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Mean focal length in pixels.
    pub focal_px: f64,
    /// Optical centre in the capture's frame, metres.
    pub centre_m: [f64; 3],
    /// Whether there is a mask.
    pub has_mask: bool,
    /// Part of the image that is hand, 0…1.
    pub mask_fraction: Option<f64>,
    /// What the mask is worth.
    pub mask_verdict: MaskVerdict,
    /// The measurements behind the verdict.
    pub mask: Option<MaskReport>,
    /// The detection that claims to be the left hand.
    pub left: Option<DetectionReport>,
    /// The detection that claims to be the right hand.
    pub right: Option<DetectionReport>,
    /// Mean luma of the picture, 0…1.
    pub brightness: f64,
    /// Part of the picture with a clipped channel, 0…1.
    pub clipped: f64,
    /// Median luma of the skin under the detected bones, 0…1.
    pub hand_brightness: Option<f64>,
    /// Part of the skin with a clipped channel, 0…1.
    pub hand_clipped: Option<f64>,
    /// Linear luminance of the skin relative to the rig's median view, in stops (log₂).
    pub hand_stops: Option<f64>,
    /// Colour of the skin relative to the rig's median view: `[ln G/R, ln B/R]`; positive = greener, bluer.
    pub hand_colour_shift: Option<[f64; 2]>,
    /// What to look at.
    pub flags: Vec<Flag>,
    /// Median distance of the detections from the joints, pixels, with the camera as given. Not measured here: the pose
    /// stage knows.
    #[serde(default)]
    pub residual_px: Option<f64>,
    /// The same with the camera as the pose stage repaired it.
    #[serde(default)]
    pub residual_after_px: Option<f64>,
}

/// What `thenar inspect` found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Name of the capture.
    pub name: String,
    /// Format, e.g. `fmhr`.
    pub format: String,
    /// Unit of all lengths: `m`.
    pub unit: String,
    /// What the calibration does not say itself: what it was taken to be, and why.
    #[serde(default)]
    pub inferences: Vec<Inference>,
    /// Length of one unit of the folder's normalised scene in metres.
    pub metres_per_unit: f64,
    /// SHA-256 over the files read.
    pub hash: String,
    /// Hands claimed by at least two views.
    pub hands: Vec<Side>,
    /// Views in file order.
    pub views: Vec<ViewReport>,
    /// What a user should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Measures a capture.
#[must_use]
pub fn inspect(capture: &Capture) -> Inspection {
    let measured: Vec<Measured> = capture.views.iter().map(Measured::of).collect();
    let rig = Rig::of(&measured);
    let hands = capture.claimed_sides();
    let views: Vec<ViewReport> =
        capture.views.iter().zip(&measured).map(|(view, figures)| report(view, figures, &rig, &hands)).collect();
    let mut warnings: Vec<String> = capture.warnings.iter().map(ToString::to_string).collect();
    warnings.extend(summary(&views, &hands));
    Inspection {
        name: capture.name.clone(),
        format: capture.format.to_owned(),
        unit: "m".to_owned(),
        inferences: capture.inferences.clone(),
        metres_per_unit: capture.metres_per_unit,
        hash: capture.hash.clone(),
        hands,
        views,
        warnings,
    }
}

/// Figures of one view that need no other view.
struct Measured {
    mask: Option<MaskFigures>,
    detections: [Option<DetectionReport>; 2],
    /// Part of all bones inside the picture that lie on the mask.
    bones_on_mask: Option<f64>,
    light: LightFigures,
}

impl Measured {
    fn of(view: &View) -> Self {
        let samples = [0, 1].map(|side| bone_samples(view, side));
        let on_mask = |pixels: &[(u32, u32)]| {
            let mask = view.mask.as_ref().filter(|_| !pixels.is_empty())?;
            let hits = pixels.iter().filter(|&&(x, y)| mask.get_pixel(x, y).0[0] != 0).count();
            Some(mask::to_f64(hits) / mask::to_f64(pixels.len()))
        };
        let detections = [0, 1].map(|side: usize| {
            let (pixels, total) = &samples[side];
            (*total > 0).then(|| DetectionReport {
                in_picture: mask::to_f64(pixels.len()) / mask::to_f64(*total),
                on_mask: on_mask(pixels),
            })
        });
        let all: Vec<(u32, u32)> = samples.iter().flat_map(|(pixels, _)| pixels.iter().copied()).collect();
        Self {
            mask: view.mask.as_ref().map(|mask| mask::measure(mask, &view.image)),
            detections,
            bones_on_mask: on_mask(&all),
            light: light::measure(&view.image, &all),
        }
    }
}

/// What is usual in this rig; `None` with fewer than three views to compare.
struct Rig {
    mask_fraction: f64,
    luminance: Option<f64>,
    chroma: Option<[f64; 2]>,
    /// Distance from `chroma` that is a colour cast.
    cast: f64,
}

impl Rig {
    fn of(views: &[Measured]) -> Self {
        let middle = |values: Vec<f64>, least: usize| {
            let mut values = values;
            if values.len() < least { None } else { median(&mut values) }
        };
        let hands = || views.iter().filter_map(|v| v.light.hand);
        let chromas: Vec<[f64; 2]> = hands().filter_map(|h| h.chroma).collect();
        let axis = |i: usize| middle(chromas.iter().map(|c| c[i]).collect(), 3);
        let chroma = axis(0).zip(axis(1)).map(|(g, b)| [g, b]);
        let spread = chroma.and_then(|centre| middle(chromas.iter().map(|c| distance(*c, centre)).collect(), 3));
        Self {
            mask_fraction: middle(views.iter().filter_map(|v| v.mask).map(|m| m.fraction).collect(), 1).unwrap_or(0.0),
            luminance: middle(hands().map(|h| h.luminance).collect(), 3),
            chroma,
            cast: CAST.max(3.0 * spread.unwrap_or(0.0)),
        }
    }
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// One view against the rig.
fn report(view: &View, figures: &Measured, rig: &Rig, hands: &[Side]) -> ViewReport {
    let verdict = figures
        .mask
        .as_ref()
        .map_or(MaskVerdict::Missing, |m| mask::judge(m, rig.mask_fraction, figures.bones_on_mask));
    let hand = figures.light.hand;
    let hand_stops = hand
        .zip(rig.luminance)
        .filter(|(h, usual)| h.luminance > 0.0 && *usual > 0.0)
        .map(|(h, usual)| (h.luminance / usual).log2());
    let hand_colour_shift =
        hand.and_then(|h| h.chroma).zip(rig.chroma).map(|(c, usual)| [c[0] - usual[0], c[1] - usual[1]]);

    let mut flags = Vec::new();
    let mut flag = |condition: bool, flag: Flag| {
        if condition {
            flags.push(flag);
        }
    };
    flag(verdict == MaskVerdict::Missing, Flag::MaskMissing);
    flag(verdict == MaskVerdict::NearlyEmpty, Flag::MaskNearlyEmpty);
    flag(verdict == MaskVerdict::Noisy, Flag::MaskNoisy);
    flag(verdict == MaskVerdict::PartlyCut, Flag::MaskPartlyCut);
    flag(hands.contains(&Side::Left) && figures.detections[0].is_none(), Flag::NoLeft);
    flag(hands.contains(&Side::Right) && figures.detections[1].is_none(), Flag::NoRight);
    let off_mask = figures.detections.iter().flatten().any(|d| d.on_mask.is_some_and(|on| on < OFF_MASK));
    flag(off_mask && verdict != MaskVerdict::NearlyEmpty, Flag::KeypointsOffMask);
    let dark = hand.zip(rig.luminance).is_some_and(|(h, usual)| h.luminance < DARK * usual);
    flag(dark, Flag::Dark);
    flag(figures.light.clipped > CLIPPED_PICTURE, Flag::Overexposed);
    flag(hand.is_some_and(|h| h.clipped > CLIPPED_HANDS), Flag::HandsOverexposed);
    flag(hand_colour_shift.is_some_and(|shift| distance(shift, [0.0; 2]) > rig.cast), Flag::ColourCast);

    ViewReport {
        name: view.name.clone(),
        width: view.camera.width_px,
        height: view.camera.height_px,
        focal_px: view.camera.focal_px(),
        centre_m: view.camera.centre().into(),
        has_mask: view.mask.is_some(),
        mask_fraction: figures.mask.map(|m| m.fraction),
        mask_verdict: verdict,
        mask: figures.mask.map(|m| MaskReport { fragments: m.fragments, holes: m.holes, open_outline: m.open_outline }),
        left: figures.detections[0],
        right: figures.detections[1],
        brightness: figures.light.brightness,
        clipped: figures.light.clipped,
        hand_brightness: hand.map(|h| h.brightness),
        hand_clipped: hand.map(|h| h.clipped),
        hand_stops,
        hand_colour_shift,
        flags,
        residual_px: None,
        residual_after_px: None,
    }
}

/// One sentence per kind of finding, with the views it applies to.
fn summary(views: &[ViewReport], hands: &[Side]) -> Vec<String> {
    let sentences = [
        (Flag::MaskMissing, "no mask"),
        (Flag::MaskNearlyEmpty, "mask nearly empty"),
        (Flag::MaskNoisy, "mask in many pieces or full of holes"),
        (Flag::MaskPartlyCut, "mask cut: part of its outline follows no edge of the photograph"),
        (Flag::NoLeft, "left hand not detected"),
        (Flag::NoRight, "right hand not detected"),
        (Flag::KeypointsOffMask, "keypoints and mask disagree"),
        (Flag::Dark, "hands more than one stop darker than in the median view"),
        (Flag::Overexposed, "more than a fifth of the picture is clipped"),
        (Flag::HandsOverexposed, "more than a quarter of the skin is clipped"),
        (Flag::ColourCast, "skin has another colour than in the other views"),
    ];
    let mut lines = Vec::new();
    for (flag, text) in sentences {
        let names: Vec<&str> = views.iter().filter(|v| v.flags.contains(&flag)).map(|v| v.name.as_str()).collect();
        if !names.is_empty() {
            lines.push(format!("{text}: view{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", ")));
        }
    }
    if hands.is_empty() {
        lines.push("no hand is detected in two or more views under the same name".to_owned());
    }
    lines
}
