//! What MANO's files leave open and every data set decided for itself.

use crate::anatomy::{Side, TIPS};
use serde::{Deserialize, Serialize};

/// Which vertices stand for the fingertips (MANO has none of its own).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TipConvention {
    /// Those of the model file (the open hand names its own).
    Model,
    /// manopth, FMHR: 745, 317, 444 (right) or 445 (left), 556, 673.
    Manopth,
    /// smplx's vertex list, `HaMeR`: 744, 320, 443, 554, 671.
    Smplx,
    /// `FreiHAND`: 744, 320, 443, 555, 672.
    Freihand,
}

impl TipConvention {
    /// The vertices on MANO's mesh: thumb, index, middle, ring, pinky.
    #[must_use]
    pub const fn vertices(self, side: Side) -> [u32; TIPS] {
        match (self, side) {
            (Self::Model | Self::Manopth, Side::Right) => [745, 317, 444, 556, 673],
            (Self::Model | Self::Manopth, Side::Left) => [745, 317, 445, 556, 673],
            (Self::Smplx, _) => [744, 320, 443, 554, 671],
            (Self::Freihand, _) => [744, 320, 443, 555, 672],
        }
    }

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Manopth => "manopth",
            Self::Smplx => "smplx",
            Self::Freihand => "freihand",
        }
    }
}

/// How the numbers of a hand are meant. It decides how parameter files are written and which keypoints a model has; within
/// this program a pose is always the whole axis-angle pose ([`super::super::HandParameters::hand_pose`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManoConvention {
    /// Name of the preset.
    pub name: String,
    /// True: zero is the flat hand. False: poses count from `hands_mean`, which is added to them (smplx adds it to
    /// axis-angle poses as well as to PCA coefficients).
    pub flat_hand_mean: bool,
    /// Turn the x components of a left hand's shape directions when they are a copy of the right hand's
    /// (`sum |L[:, 0, :] − R[:, 0, :]| < 1`; smplx issue 48). Some annotations were made without it, and then their shapes
    /// fit the file as it is.
    pub fix_left_shapedirs: bool,
    /// PCA coefficients a pose has, 1 to 45; 45 is the whole basis.
    pub pca_components: usize,
    /// Fingertip vertices.
    pub tips: TipConvention,
}

/// `(name, flat_hand_mean, fix_left_shapedirs, pca_components, tips)` of each preset.
///
/// Read in public readers: the means and the left fix of all, tips of fmhr, manopth, smplx and freihand, 45 components of
/// dexycb. Assumed: tips of ho3d and dexycb (their code builds on manopth), of interhand26m and arctic (on smplx).
const PRESETS: [(&str, bool, bool, usize, TipConvention); 9] = [
    ("thenar", true, true, 45, TipConvention::Manopth),
    ("fmhr", false, false, 6, TipConvention::Manopth),
    ("manopth", true, false, 6, TipConvention::Manopth),
    ("smplx", false, false, 6, TipConvention::Smplx),
    ("interhand26m", false, true, 45, TipConvention::Smplx),
    ("dexycb", false, false, 45, TipConvention::Manopth),
    ("ho3d", true, false, 45, TipConvention::Manopth),
    ("arctic", false, true, 45, TipConvention::Smplx),
    ("freihand", false, false, 45, TipConvention::Freihand),
];

impl Default for ManoConvention {
    fn default() -> Self {
        Self::preset("thenar").expect("it is in the list")
    }
}

impl ManoConvention {
    /// The convention of a data set or program by its name.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        PRESETS.iter().find(|preset| preset.0 == name).map(|&(name, flat, fix, pca_components, tips)| Self {
            name: name.to_owned(),
            flat_hand_mean: flat,
            fix_left_shapedirs: fix,
            pca_components,
            tips,
        })
    }

    /// Names of all presets; the first is the default.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|preset| preset.0)
    }

    /// What the open hand is: flat, whole basis, its own tips.
    #[must_use]
    pub fn open_hand() -> Self {
        Self {
            name: "open".to_owned(),
            flat_hand_mean: true,
            fix_left_shapedirs: false,
            pca_components: 45,
            tips: TipConvention::Model,
        }
    }

    /// In words, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "{}: {}, {} PCA components, {} tips, left shape directions {}",
            self.name,
            if self.flat_hand_mean { "flat hand = 0" } else { "mean pose = 0" },
            self.pca_components,
            self.tips.name(),
            if self.fix_left_shapedirs { "repaired" } else { "as filed" },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_names_and_survive_ron() {
        let names: Vec<&str> = ManoConvention::names().collect();
        assert_eq!(names.len(), 9, "as documented");
        assert_eq!(ManoConvention::default().name, names[0], "the first is the default");
        for name in names {
            let preset = ManoConvention::preset(name).expect("listed");
            assert!((1..=45).contains(&preset.pca_components), "{name}: PCA components");
            let text = ron::to_string(&preset).expect("RON");
            assert_eq!(ron::from_str::<ManoConvention>(&text).expect("RON"), preset, "{name} comes back");
        }
        assert_eq!(ManoConvention::preset("nothing"), None, "an unknown name");
        assert!(ron::from_str::<ManoConvention>("(name:\"x\",flat:true)").is_err(), "unknown fields are refused");
    }

    #[test]
    fn left_and_right_middle_tips_differ_in_manopth_only() {
        let differ = |tips: TipConvention| tips.vertices(Side::Left) != tips.vertices(Side::Right);
        assert!(differ(TipConvention::Manopth), "445 and 444");
        assert!(!differ(TipConvention::Smplx) && !differ(TipConvention::Freihand), "one list for both");
    }
}
