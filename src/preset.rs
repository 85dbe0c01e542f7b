//! Presets: how to fit. A preset composes the stages' own settings; it holds no paths. The shipped ones are embedded.

use crate::fitting::ham::HamSettings;
use crate::fitting::hand_fit::HandFitSettings;
use crate::fitting::masks::MaskSettings;
use crate::fitting::pose::PoseSettings;
use crate::neural::NeuralSettings;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Settings of all stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preset {
    /// 2D keypoints → joints.
    pub pose: PoseSettings,
    /// Joints → parameters.
    pub fit: HandFitSettings,
    /// Masks, before mesh, albedo and light are fitted to them.
    pub masks: MaskSettings,
    /// Mesh, albedo, light.
    pub ham: HamSettings,
    /// Colours by a network.
    pub neural: NeuralSettings,
    /// Many frames of one movement.
    pub sequence: SequenceSettings,
}

/// How the frames of a sequence share what they have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SequenceSettings {
    /// Standard deviation of a keypoint's second difference over the frames, millimetres a squared frame: smaller values make
    /// movements smoother; 0 leaves the frames as they were fitted.
    pub smooth_mm: f64,
    /// Scale of the robust loss in units of that (or of what the hand does in the middle, where that is more): changes far
    /// beyond it are cuts and stay.
    pub robust_scale: f64,
    /// Frames, spread over the sequence, that the person's shape is found in.
    pub shape_frames: usize,
    /// Part of `ham.shape_epochs` that the frames after the first get, which begin with its detail; 1 or more reconstructs
    /// every frame anew.
    pub following_epochs: f64,
}

impl Default for SequenceSettings {
    fn default() -> Self {
        Self { smooth_mm: 1.0, robust_scale: 4.0, shape_frames: 16, following_epochs: 0.2 }
    }
}

/// The shipped presets: name, one line about it, RON text.
pub const SHIPPED: [(&str, &str, &str); 4] = [
    ("draft", "a first look: mesh level 2, half-size images", include_str!("../assets/presets/draft.ron")),
    ("standard", "the full job: mesh level 3, full-size images", include_str!("../assets/presets/standard.ron")),
    ("fine", "all the detail there is: twice the time of standard", include_str!("../assets/presets/fine.ron")),
    (
        "paper",
        "the published method, for comparison: some ten times the time",
        include_str!("../assets/presets/paper.ron"),
    ),
];

/// Why a preset cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    /// No such name and no such file.
    #[error("there is no preset `{name}`; there are {known}, or give a RON file")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Shipped names.
        known: String,
    },
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The text is no preset.
    #[error("{name}: {reason}")]
    Syntax {
        /// Preset or file.
        name: String,
        /// What is wrong and where.
        reason: String,
    },
    /// `--set` names nothing.
    #[error("there is no setting `{key}`{hint}")]
    UnknownSetting {
        /// What was asked for.
        key: String,
        /// `; did you mean …?` or nothing.
        hint: String,
    },
    /// `--set` has a value of the wrong kind.
    #[error("`{value}` is no value for `{key}`: {reason}")]
    BadValue {
        /// Setting.
        key: String,
        /// Value.
        value: String,
        /// Why.
        reason: String,
    },
}

impl Preset {
    /// A shipped preset by name, or a RON file.
    ///
    /// # Errors
    /// [`PresetError`].
    pub fn load(name: &str) -> Result<Self, PresetError> {
        if let Some((_, _, text)) = SHIPPED.iter().find(|(n, _, _)| *n == name) {
            return Self::parse(name, text);
        }
        let path = Path::new(name);
        if path.extension().is_none_or(|e| e != "ron") {
            let known: Vec<&str> = SHIPPED.iter().map(|(n, _, _)| *n).collect();
            return Err(PresetError::Unknown { name: name.to_owned(), known: known.join(", ") });
        }
        let text = std::fs::read_to_string(path)
            .map_err(|e| PresetError::Unreadable { path: name.to_owned(), reason: e.to_string() })?;
        Self::parse(name, &text)
    }

    /// Reads RON text; `name` is for messages.
    ///
    /// # Errors
    /// [`PresetError::Syntax`].
    pub fn parse(name: &str, text: &str) -> Result<Self, PresetError> {
        ron::from_str(text).map_err(|e| PresetError::Syntax { name: name.to_owned(), reason: e.to_string() })
    }

    /// Changes one setting by its path, e.g. `ham.level` to `2` (a RON value).
    ///
    /// # Errors
    /// [`PresetError::UnknownSetting`] with the nearest name, or [`PresetError::BadValue`].
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), PresetError> {
        let bad = |reason: String| PresetError::BadValue { key: key.to_owned(), value: value.to_owned(), reason };
        let mut tree = serde_json::to_value(&*self).map_err(|e| bad(e.to_string()))?;
        // Words such as `right` are names of choices; RON alone would read one as an empty struct.
        let word = || serde_json::Value::String(value.trim_matches('"').to_owned());
        let parsed = match ron::from_str(value) {
            Ok(serde_json::Value::Null) | Err(_) => word(),
            Ok(parsed) => parsed,
        };
        let mut known = Vec::new();
        list_settings("", &tree, &mut known);
        if !known.iter().any(|k| k == key) {
            let nearest =
                known.iter().min_by_key(|k| distance(k, key)).filter(|k| distance(k, key) <= 1 + key.len() / 3);
            let hint = nearest.map_or_else(String::new, |k| format!("; did you mean `{k}`?"));
            return Err(PresetError::UnknownSetting { key: key.to_owned(), hint });
        }
        if let Some(slot) = tree.pointer_mut(&format!("/{}", key.replace('.', "/"))) {
            *slot = parsed;
        }
        *self = serde_json::from_value(tree).map_err(|e| bad(e.to_string()))?;
        Ok(())
    }

    /// All settings as `(path, value)` in order; what the studio's parameter panel lists.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, serde_json::Value)> {
        let Ok(tree) = serde_json::to_value(self) else { return Vec::new() };
        let mut known = Vec::new();
        list_settings("", &tree, &mut known);
        known
            .into_iter()
            .filter_map(|k| {
                let value = tree.pointer(&format!("/{}", k.replace('.', "/")))?.clone();
                Some((k, value))
            })
            .collect()
    }
}

fn list_settings(prefix: &str, tree: &serde_json::Value, out: &mut Vec<String>) {
    if let serde_json::Value::Object(fields) = tree {
        for (name, value) in fields {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            list_settings(&path, value, out);
        }
    } else {
        out.push(prefix.to_owned());
    }
}

/// Edit distance (Levenshtein), for "did you mean".
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_presets_parse_and_are_what_their_names_say() {
        let draft = Preset::load("draft").expect("shipped");
        assert_eq!((draft.ham.level, draft.ham.image_divisor), (2, 2), "draft: level 2, half size");
        let standard = Preset::load("standard").expect("shipped");
        assert_eq!((standard.ham.level, standard.ham.image_divisor), (3, 1), "standard: level 3, full size");
    }

    #[test]
    fn settings_change_by_path_and_mistakes_are_named() {
        let mut preset = Preset::load("draft").expect("shipped");
        preset.set("ham.level", "1").expect("known");
        preset.set("pose.hands", "right").expect("a choice");
        assert_eq!(preset.ham.level, 1, "the level changed");
        let unknown = preset.set("ham.levle", "1").expect_err("no such setting").to_string();
        assert!(unknown.contains("did you mean `ham.level`"), "{unknown}");
        assert!(matches!(preset.set("ham.level", "many"), Err(PresetError::BadValue { .. })), "a word is no level");
        assert!(matches!(preset.set("pose.hands", "three"), Err(PresetError::BadValue { .. })), "no such choice");
        assert!(matches!(Preset::load("nice"), Err(PresetError::Unknown { .. })), "no such preset");
        assert!(preset.set("ham.level", "5").is_err_and(|e| e.to_string().contains("0 to 4")), "no such level");
        assert!(Preset::parse("x", "(ham: (levels: 2))").is_err(), "unknown fields are errors");
    }
}
