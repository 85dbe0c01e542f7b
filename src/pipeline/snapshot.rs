//! What the studio shows and the track keeps: meshes at an iteration, and pictures of single views.

use super::Stage;
use crate::anatomy::{KEYPOINTS, Side};
use std::sync::Arc;

/// One hand at an iteration. Level-of-detail: Loop subdivision keeps coarse vertices first, so `faces` may address a
/// prefix of the fine mesh's vertices only.
#[derive(Clone, Debug)]
pub struct HandSnapshot {
    /// Side.
    pub side: Side,
    /// Triangles, shared between snapshots of one stage.
    pub faces: Arc<Vec<[u32; 3]>>,
    /// Positions, world metres.
    pub positions: Vec<[f32; 3]>,
    /// Unit normals.
    pub normals: Vec<[f32; 3]>,
    /// Albedo, sRGB-encoded, 0..1 (grey before HAM).
    pub albedo: Vec<[f32; 3]>,
}

/// Everything visible at one iteration.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Stage it was taken in.
    pub stage: Stage,
    /// Phase within the stage.
    pub phase: String,
    /// Iteration within the phase.
    pub iter: u32,
    /// Number of `metrics.jsonl` lines written up to here: the x axis of the loss curves and of the timeline.
    pub step: u32,
    /// 3D joints by side (left, right), world metres.
    pub joints: [Option<[[f64; 3]; KEYPOINTS]>; 2],
    /// The hands (none before the fit stage has a first guess).
    pub hands: Vec<HandSnapshot>,
}

impl Snapshot {
    /// The same moment without hands and joints.
    #[must_use]
    pub fn clone_facts(&self) -> Self {
        Self {
            stage: self.stage,
            phase: self.phase.clone(),
            iter: self.iter,
            step: self.step,
            joints: [None, None],
            hands: Vec::new(),
        }
    }
}

/// A rendered view beside its photograph.
#[derive(Clone, Debug)]
pub struct ViewPicture {
    /// Which view.
    pub view: usize,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// RGBA8, sRGB; alpha 0 where no hand is rendered.
    pub rgba: Vec<u8>,
    /// The view took no part, so that its camera's gain is not known and not in it.
    pub without_gain: bool,
}
