//! What a finding is made of, and how it reads.

use crate::anatomy::Side;
use serde::Serialize;
use std::fmt;

/// How much a finding matters, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; the stages are made for it.
    Info,
    /// Costs quality, or would if it were not mended: worth a look.
    Warning,
    /// The capture cannot be used as it is.
    Error,
}

impl Severity {
    /// All, worst first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Info];

    /// The word on screen and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The part of a view that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Its calibration.
    Camera,
    /// Its mask.
    Mask,
    /// Its keypoints, both hands.
    Keypoints,
    /// The detection that claims to be the left hand.
    KeypointsLeft,
    /// The detection that claims to be the right hand.
    KeypointsRight,
    /// Its light: exposure and colour.
    Exposure,
}

impl Part {
    /// Words on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Mask => "mask",
            Self::Keypoints => "keypoints",
            Self::KeypointsLeft => "left keypoints",
            Self::KeypointsRight => "right keypoints",
            Self::Exposure => "exposure",
        }
    }

    /// The detection that claims a side.
    #[must_use]
    pub const fn keypoints(side: Side) -> Self {
        match side {
            Side::Left => Self::KeypointsLeft,
            Side::Right => Self::KeypointsRight,
        }
    }
}

/// What a finding is about; sorts as listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Subject {
    /// The capture as a whole.
    Capture,
    /// One hand.
    Hand {
        /// Which.
        side: Side,
    },
    /// Something of one view.
    View {
        /// Number of the view.
        view: usize,
        /// Name of the view.
        name: String,
        /// What of it.
        part: Part,
    },
}

impl Subject {
    /// The view it is about.
    #[must_use]
    pub const fn view(&self) -> Option<usize> {
        match self {
            Self::View { view, .. } => Some(*view),
            Self::Capture | Self::Hand { .. } => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capture => f.write_str("capture"),
            Self::Hand { side } => write!(f, "{side} hand"),
            Self::View { name, part, .. } => write!(f, "view {name}, {}", part.name()),
        }
    }
}

/// Kinds of findings. Names in JSON are snake case and stay what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Fewer than two views have detections.
    TooFewViews,
    /// No two views agree on a hand.
    NoHand,
    /// Both hands were asked for, one was found.
    HandMissing,
    /// The device failed while the joints were computed.
    DeviceFailed,
    /// The hands have no human size: the unit is wrong.
    UnitsSuspicious,
    /// Fewer than four views: nobody can tell which is wrong.
    FewViews,
    /// All cameras look from nearly the same direction.
    NarrowRig,
    /// Two cameras stand in the same place.
    CamerasCoincide,
    /// Something the reader of the folder noticed.
    ReaderNote,
    /// Joints with little support or much uncertainty.
    JointsUncertain,
    /// The two hands have different bone lengths.
    HandsDisagree,
    /// Keypoints are noisy for the size of the hands.
    KeypointNoise,
    /// A camera whose detections all lie beside the hands.
    CameraOff,
    /// A camera that fits worse than the others, not mended.
    CameraResidualHigh,
    /// A detection that fits no hand.
    DetectionRejected,
    /// Left and right are exchanged.
    SidesSwapped,
    /// A good many keypoints of a detection disagree with the other views.
    KeypointsOutlying,
    /// A hand seen elsewhere was not detected here.
    HandNotDetected,
    /// Neither hand was detected here.
    NoDetections,
    /// Detection and mask contradict each other.
    KeypointsOffMask,
    /// There is no mask.
    MaskMissing,
    /// The mask covers next to nothing of the hands.
    MaskNearlyEmpty,
    /// The mask has many pieces or holes.
    MaskNoisy,
    /// Part of the mask's outline follows no edge.
    MaskPartlyCut,
    /// The mask looks sound by itself, but disagrees with the fitted hands or the colours.
    MaskDisagrees,
    /// The hands are dark.
    Dark,
    /// Much of the picture is clipped.
    Overexposed,
    /// Much of the skin is clipped.
    HandsOverexposed,
    /// The skin has another colour than elsewhere.
    ColourCast,
}

impl Code {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooFewViews => "too_few_views",
            Self::NoHand => "no_hand",
            Self::HandMissing => "hand_missing",
            Self::DeviceFailed => "device_failed",
            Self::UnitsSuspicious => "units_suspicious",
            Self::FewViews => "few_views",
            Self::NarrowRig => "narrow_rig",
            Self::CamerasCoincide => "cameras_coincide",
            Self::ReaderNote => "reader_note",
            Self::JointsUncertain => "joints_uncertain",
            Self::HandsDisagree => "hands_disagree",
            Self::KeypointNoise => "keypoint_noise",
            Self::CameraOff => "camera_off",
            Self::CameraResidualHigh => "camera_residual_high",
            Self::DetectionRejected => "detection_rejected",
            Self::SidesSwapped => "sides_swapped",
            Self::KeypointsOutlying => "keypoints_outlying",
            Self::HandNotDetected => "hand_not_detected",
            Self::NoDetections => "no_detections",
            Self::KeypointsOffMask => "keypoints_off_mask",
            Self::MaskMissing => "mask_missing",
            Self::MaskNearlyEmpty => "mask_nearly_empty",
            Self::MaskNoisy => "mask_noisy",
            Self::MaskPartlyCut => "mask_partly_cut",
            Self::MaskDisagrees => "mask_disagrees",
            Self::Dark => "dark",
            Self::Overexposed => "overexposed",
            Self::HandsOverexposed => "hands_overexposed",
            Self::ColourCast => "colour_cast",
        }
    }
}

/// A number that a finding rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// What was measured, snake case.
    pub name: &'static str,
    /// The value.
    pub value: f64,
    /// Its unit: `px`, `mm`, `deg`, `%`, `EV`, `m`; empty for counts and ratios.
    pub unit: &'static str,
}

impl Evidence {
    /// A measured value.
    #[must_use]
    pub const fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit }
    }

    /// A count.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of views and joints")]
    pub const fn count(name: &'static str, value: usize) -> Self {
        Self { name, value: value as f64, unit: "" }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, unit } = self;
        let name = name.replace('_', " ");
        match *unit {
            "" if value.fract() == 0.0 => write!(f, "{name} {value:.0}"),
            "" => write!(f, "{name} {value:.3}"),
            "deg" => write!(f, "{name} {value:.2}°"),
            "m" => write!(f, "{name} {value:.4} m"),
            unit => write!(f, "{name} {value:.1} {unit}"),
        }
    }
}

/// One thing that was found out about a capture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Its kind.
    pub code: Code,
    /// What it is about.
    pub subject: Subject,
    /// What was found, one clause.
    pub what: String,
    /// The numbers it rests on.
    pub evidence: Vec<Evidence>,
    /// What the program will do about it, or what the user should.
    pub action: String,
}

impl Finding {
    /// The evidence in words; empty when there is none.
    #[must_use]
    pub fn evidence_text(&self) -> String {
        self.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// Three lines: severity, place and what; the numbers; the action.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<8} {}: {}", self.severity.name(), self.subject, self.what)?;
        if !self.evidence.is_empty() {
            writeln!(f, "         {}", self.evidence_text())?;
        }
        writeln!(f, "         → {}", self.action)
    }
}
