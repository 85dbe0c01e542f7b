//! The resume point and the full-precision result of a run: one file, `RUN/checkpoint`.
//!
//! Layout: the magic `THNRCKP1`, the length of a JSON header as `u64` little-endian, the header, then the lists the header
//! names, `f32` little-endian, one after the other. Written whole or not at all.
//!
//! Pose and fit take seconds and are deterministic, so a resumed run computes them again; HAM goes on from its own state,
//! Adam moments included, and ends with the same bytes as a run that was never interrupted.

use crate::anatomy::KEYPOINTS;
use crate::camera::Camera;
use crate::export::{ExportError, atomic};
use crate::fitting::ham::HamState;
use crate::fitting::hand_fit::ShapeInformation;
use crate::hand::HandParameters;
use crate::neural::NeuralState;
use serde::{Deserialize, Serialize};
use std::path::Path;

const MAGIC: &[u8; 8] = b"THNRCKP1";

/// One fitted hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointHand {
    /// Model parameters.
    pub parameters: HandParameters,
    /// 3D joints found by the pose stage.
    pub joints: [[f64; 3]; KEYPOINTS],
    /// What the fit says about the shape; files of older versions have none.
    #[serde(default)]
    pub shape_information: ShapeInformation,
}

/// Plain facts of the header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckpointFacts {
    /// SHA-256 of the capture's files.
    pub capture_hash: String,
    /// Name of the hand model.
    pub model: String,
    /// SHA-256 of the hand models' files (left, right).
    pub model_hashes: [String; 2],
    /// Lines of `metrics.jsonl` up to here.
    pub step: u32,
    /// Seconds of computing up to here.
    pub seconds: f64,
    /// True when the run has finished.
    pub finished: bool,
    /// Cameras after refinement, one a view.
    pub cameras: Vec<Camera>,
    /// Views that took part.
    pub used: Vec<bool>,
    /// Fitted hands, left before right.
    pub hands: Vec<CheckpointHand>,
    /// Which masks were trusted (views that took part in HAM).
    pub trusted: Vec<Option<bool>>,
    /// Median reprojection a view, pixels.
    pub reprojection_px: Vec<Option<f64>>,
}

/// A run at rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Plain facts.
    pub facts: CheckpointFacts,
    /// HAM's state, once that stage has begun.
    pub ham: Option<HamState>,
    /// The neural stage's state, once that has begun.
    pub neural: Option<NeuralState>,
}

#[derive(Serialize, Deserialize)]
struct HamHeader {
    phase: u32,
    epoch: u32,
    steps: [i32; 3],
    lists: Vec<(String, usize)>,
}

#[derive(Serialize, Deserialize)]
struct NeuralStateHeader {
    epoch: u32,
    steps: i32,
    lists: Vec<(String, usize)>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    facts: CheckpointFacts,
    ham: Option<HamHeader>,
    /// Files of older versions have none.
    #[serde(default)]
    neural: Option<NeuralStateHeader>,
}

/// Names and lengths.
fn lengths(lists: &[(String, Vec<f32>)]) -> Vec<(String, usize)> {
    lists.iter().map(|(name, list)| (name.clone(), list.len())).collect()
}

/// The next lists in `data`; `None` when it is cut short.
fn take_lists(data: &mut &[u8], lengths: Vec<(String, usize)>) -> Option<Vec<(String, Vec<f32>)>> {
    let mut lists = Vec::new();
    for (name, count) in lengths {
        let (part, rest) = count.checked_mul(4).and_then(|n| data.split_at_checked(n))?;
        *data = rest;
        lists.push((name, part.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()));
    }
    Some(lists)
}

impl Checkpoint {
    /// Writes the file.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn write(&self, path: &Path) -> Result<(), ExportError> {
        let header = Header {
            facts: self.facts.clone(),
            ham: self.ham.as_ref().map(|h| HamHeader {
                phase: h.phase,
                epoch: h.epoch,
                steps: h.steps,
                lists: lengths(&h.lists),
            }),
            neural: self.neural.as_ref().map(|n| NeuralStateHeader {
                epoch: n.epoch,
                steps: n.steps,
                lists: lengths(&n.lists),
            }),
        };
        let json = serde_json::to_vec(&header)
            .map_err(|e| ExportError::Encode { what: "checkpoint", reason: e.to_string() })?;
        atomic::write_with(path, |w| {
            use std::io::Write;
            w.write_all(MAGIC)?;
            w.write_all(&(json.len() as u64).to_le_bytes())?;
            w.write_all(&json)?;
            let neural = self.neural.iter().flat_map(|n| &n.lists);
            for (_, list) in self.ham.iter().flat_map(|h| &h.lists).chain(neural) {
                for x in list {
                    w.write_all(&x.to_le_bytes())?;
                }
            }
            Ok(())
        })
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`ExportError::Io`], or [`ExportError::Format`] when it is damaged.
    pub fn read(path: &Path) -> Result<Self, ExportError> {
        let bytes = std::fs::read(path).map_err(ExportError::io(path))?;
        let damaged =
            || ExportError::format(path, "is no checkpoint or is damaged; start the run again without --resume");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
        let json = rest.get(..length).ok_or_else(damaged)?;
        let mut data = rest.get(length..).ok_or_else(damaged)?;
        let header: Header = serde_json::from_slice(json).map_err(|_| damaged())?;
        let ham = match header.ham {
            None => None,
            Some(h) => {
                let lists = take_lists(&mut data, h.lists).ok_or_else(damaged)?;
                Some(HamState { phase: h.phase, epoch: h.epoch, lists, steps: h.steps })
            }
        };
        let neural = match header.neural {
            None => None,
            Some(n) => {
                let lists = take_lists(&mut data, n.lists).ok_or_else(damaged)?;
                Some(NeuralState { epoch: n.epoch, steps: n.steps, lists })
            }
        };
        Ok(Self { facts: header.facts, ham, neural })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Checkpoint {
        Checkpoint {
            facts: CheckpointFacts {
                capture_hash: "c".into(),
                model: "open".into(),
                model_hashes: ["l".into(), "r".into()],
                step: 3,
                seconds: 1.5,
                finished: false,
                cameras: vec![],
                used: vec![true, false],
                hands: vec![],
                trusted: vec![Some(true), None],
                reprojection_px: vec![Some(2.0), None],
            },
            ham: Some(HamState {
                phase: 1,
                epoch: 7,
                lists: vec![("a".into(), vec![1.0, f32::MIN_POSITIVE, -3.5]), ("b".into(), vec![])],
                steps: [1, 2, 3],
            }),
            neural: Some(NeuralState { epoch: 2, steps: 8, lists: vec![("weights".into(), vec![0.5, -0.5])] }),
        }
    }

    #[test]
    fn it_comes_back_bit_for_bit() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("checkpoint");
        sample().write(&path).expect("writes");
        assert_eq!(Checkpoint::read(&path).expect("reads"), sample(), "what was written is read");
    }

    #[test]
    fn damaged_files_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("checkpoint");
        sample().write(&path).expect("writes");
        let bytes = std::fs::read(&path).expect("reads");
        for cut in [0, 4, 12, 40, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).expect("writes");
            assert!(Checkpoint::read(&path).is_err(), "cut after {cut} bytes");
        }
    }
}
