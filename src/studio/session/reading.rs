//! How a capture is read: what is set by hand in place of being inferred, and opening it again with that.

use super::{Effect, Session};
use crate::capture::{Capture, OpenOptions};
use crate::studio::problem::Problem;
use crate::studio::worker::Command;
use std::path::PathBuf;

/// A folder that could not be read as a capture, and how it is to be read the next time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refused {
    /// The folder.
    pub path: PathBuf,
    /// What is set by hand.
    pub options: OpenOptions,
}

/// Words on screen and in scripts for what is not set by hand.
pub(crate) const AS_FOUND: &str = "as found";

/// Sets one option by the name it has on the command line (`format`, `units`, `direction`, `axes`, `pixel-centre`, `frame`);
/// `as found` leaves it to be inferred.
///
/// # Errors
/// What is expected, in words.
pub(crate) fn set(options: &mut OpenOptions, key: &str, value: &str) -> Result<(), String> {
    fn parsed<T: std::str::FromStr<Err = String>>(value: &str) -> Result<Option<T>, String> {
        if value == AS_FOUND { Ok(None) } else { value.parse().map(Some) }
    }
    match key {
        "format" => options.format = parsed(value)?,
        "units" => options.units = parsed(value)?,
        "direction" => options.direction = parsed(value)?,
        "axes" => options.axes = parsed(value)?,
        "pixel-centre" => options.pixel_centre = parsed(value)?,
        "frame" => options.frame = (value != AS_FOUND).then(|| value.to_owned()),
        _ => return Err("expected format, units, direction, axes, pixel-centre or frame".to_owned()),
    }
    Ok(())
}

/// How many options differ.
fn differing(a: &OpenOptions, b: &OpenOptions) -> usize {
    [
        a.format != b.format,
        a.units != b.units,
        a.direction != b.direction,
        a.axes != b.axes,
        a.pixel_centre != b.pixel_centre,
        a.frame != b.frame,
    ]
    .into_iter()
    .filter(|differs| *differs)
    .count()
}

impl Session {
    /// Options that were changed since the capture was read, and are not in force yet.
    #[must_use]
    pub(crate) fn reading_changes(&self) -> usize {
        self.capture.as_ref().map_or(0, |c| differing(&self.reading, &c.options))
    }

    /// Why the capture cannot be read again, if so.
    #[must_use]
    pub(crate) fn why_not_open_again(&self) -> Option<&'static str> {
        if self.capture.is_none() {
            Some("Open a capture folder first (Ctrl+O)")
        } else if self.opening.is_some() {
            Some("A folder is being read")
        } else if self.is_active() {
            Some("A reconstruction is under way; stop it first")
        } else {
            None
        }
    }

    /// Why the choice between own and new keypoints is none, if so.
    #[must_use]
    pub(crate) fn why_no_own_keypoints(&self) -> Option<&'static str> {
        let has = self.capture.as_ref().is_some_and(|c| c.has_keypoints());
        (!has).then_some("The capture has none of its own: they are found in the images anyway")
    }

    /// Reads the open capture again, with what is set by hand.
    pub(super) fn open_again(&mut self) -> Option<Effect> {
        if self.why_not_open_again().is_some() {
            return None;
        }
        let path = self.capture.as_ref()?.root.clone();
        self.opening_again = true;
        self.begin_opening(path, self.reading.clone())
    }

    /// Tries a folder once more that could not be read.
    pub(super) fn open_refused(&mut self) -> Option<Effect> {
        if self.is_active() || self.opening.is_some() {
            return None;
        }
        let Refused { path, options } = self.refused.clone()?;
        self.opening_again = self.capture.as_ref().is_some_and(|c| c.root == path);
        self.begin_opening(path, options)
    }

    pub(super) fn begin_opening(&mut self, path: PathBuf, options: OpenOptions) -> Option<Effect> {
        self.opening = Some(path.clone());
        self.banner = None;
        self.refused = None;
        Some(Effect::Send(Command::Open(path, Box::new(options))))
    }

    /// A folder is no capture as it was read: it may be one when it is read otherwise.
    pub(super) fn on_refused(&mut self, path: PathBuf, options: OpenOptions, problem: Problem) {
        self.opening = None;
        self.opening_again = false;
        self.show_problem(problem);
        self.refused = Some(Refused { path, options });
    }

    /// True when a capture that was just read is the open one, read again on request: what was chosen for its views stands.
    pub(super) fn is_read_again(&self, capture: &Capture) -> bool {
        let names = |c: &Capture| c.views.iter().map(|v| v.name.clone()).collect::<Vec<_>>();
        self.opening_again && self.capture.as_ref().is_some_and(|old| names(old) == names(capture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Format, Units};

    #[test]
    fn options_are_set_by_the_words_of_the_command_line() {
        let mut options = OpenOptions::default();
        for (key, value) in [("format", "colmap"), ("units", "mm"), ("pixel-centre", "0.5"), ("frame", "0007")] {
            set(&mut options, key, value).expect("documented");
        }
        assert_eq!((options.format, options.units), (Some(Format::Colmap), Some(Units::MILLIMETRES)), "both");
        assert_eq!(differing(&options, &OpenOptions::default()), 4, "as many as were set");
        for key in ["format", "units", "direction", "axes", "pixel-centre", "frame"] {
            set(&mut options, key, AS_FOUND).expect("always possible");
        }
        assert_eq!(options, OpenOptions::default(), "all are inferred again");
        for (key, value) in [("units", "ell"), ("axes", "y-up"), ("lens", "x")] {
            assert!(set(&mut options, key, value).is_err(), "{key} {value}");
        }
    }
}
