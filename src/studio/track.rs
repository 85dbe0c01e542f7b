//! The snapshots of the run so far, packed small enough to keep hundreds of them.
//!
//! A vertex takes 15 bytes: the position as three 16-bit steps of the hand's bounding box (3 µm for a 20 cm hand), the
//! normal as three signed bytes, the albedo as three 16-bit steps of its largest value. Triangles are shared. When the store is full, every second
//! snapshot goes, except the first, the last, the pinned ones and the ends of phases, so that the whole run stays scrubbable.

use crate::anatomy::{KEYPOINTS, Side};
use crate::pipeline::{HandSnapshot, Snapshot, Stage};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a vertex takes: position, normal, albedo.
const VERTEX_BYTES: usize = 6 + 3 + 6;

struct PackedHand {
    side: Side,
    faces: Arc<Vec<[u32; 3]>>,
    origin: [f32; 3],
    step: [f32; 3],
    positions: Vec<[u16; 3]>,
    normals: Vec<[i8; 3]>,
    /// Albedo of the largest step; albedos above one occur while light and albedo settle.
    albedo_scale: f32,
    albedo: Vec<[u16; 3]>,
}

/// A packed snapshot.
pub(crate) struct Frame {
    /// Stage.
    pub stage: Stage,
    /// Phase within the stage.
    pub phase: String,
    /// Iteration within the phase.
    pub iter: u32,
    /// Metrics line.
    pub step: u32,
    joints: [Option<[[f64; 3]; KEYPOINTS]>; 2],
    hands: Vec<PackedHand>,
}

/// All frames in order of their step.
#[derive(Default)]
pub(crate) struct Track {
    frames: Vec<Frame>,
    bytes: usize,
    /// Most bytes to keep of each hand; 0 = no limit.
    cap_bytes: usize,
    /// Steps that stay whatever else goes.
    protected: BTreeSet<u32>,
}

impl std::fmt::Debug for Track {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Track({} frames, {} bytes)", self.frames.len(), self.bytes)
    }
}

impl Frame {
    fn bytes(&self) -> usize {
        self.hands.iter().map(|h| h.positions.len() * VERTEX_BYTES).sum::<usize>() + size_of::<Self>()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the target's range")]
fn pack_hand(hand: &HandSnapshot) -> PackedHand {
    let mut lo = [f32::INFINITY; 3];
    let mut hi = [f32::NEG_INFINITY; 3];
    for p in &hand.positions {
        for a in 0..3 {
            lo[a] = lo[a].min(p[a]);
            hi[a] = hi[a].max(p[a]);
        }
    }
    let step = [0, 1, 2].map(|a| ((hi[a] - lo[a]) / f32::from(u16::MAX)).max(f32::MIN_POSITIVE));
    let albedo_scale = hand.albedo.iter().flatten().copied().fold(1.0_f32, f32::max) / f32::from(u16::MAX);
    PackedHand {
        albedo_scale,
        side: hand.side,
        faces: Arc::clone(&hand.faces),
        origin: lo,
        step,
        positions: hand
            .positions
            .iter()
            .map(|p| [0, 1, 2].map(|a| ((p[a] - lo[a]) / step[a]).round().clamp(0.0, 65535.0) as u16))
            .collect(),
        normals: hand.normals.iter().map(|n| n.map(|v| (v * 127.0).round().clamp(-127.0, 127.0) as i8)).collect(),
        albedo: hand.albedo.iter().map(|c| c.map(|v| (v / albedo_scale).round().clamp(0.0, 65535.0) as u16)).collect(),
    }
}

fn unpack_hand(hand: &PackedHand) -> HandSnapshot {
    HandSnapshot {
        side: hand.side,
        faces: Arc::clone(&hand.faces),
        positions: hand
            .positions
            .iter()
            .map(|p| [0, 1, 2].map(|a| hand.origin[a] + f32::from(p[a]) * hand.step[a]))
            .collect(),
        normals: hand.normals.iter().map(|n| n.map(|v| f32::from(v) / 127.0)).collect(),
        albedo: hand.albedo.iter().map(|c| c.map(|v| f32::from(v) * hand.albedo_scale)).collect(),
    }
}

impl Track {
    /// An empty track that keeps at most this many bytes of vertices a hand.
    #[must_use]
    pub(crate) fn with_cap(cap_bytes: usize) -> Self {
        Self { cap_bytes, ..Self::default() }
    }

    /// Appends a snapshot, or replaces the last one when it is of the same step.
    pub(crate) fn push(&mut self, snapshot: &Snapshot) {
        while self.frames.last().is_some_and(|f| f.step >= snapshot.step) {
            if let Some(gone) = self.frames.pop() {
                self.bytes -= gone.bytes();
            }
        }
        let frame = Frame {
            stage: snapshot.stage,
            phase: snapshot.phase.clone(),
            iter: snapshot.iter,
            step: snapshot.step,
            joints: snapshot.joints,
            hands: snapshot.hands.iter().map(pack_hand).collect(),
        };
        self.bytes += frame.bytes();
        self.frames.push(frame);
        let hands = self.frames.last().map_or(1, |f| f.hands.len().max(1));
        while self.cap_bytes > 0 && self.bytes > self.cap_bytes * hands && self.thin() {}
    }

    /// Keeps the snapshots of these steps when the track is thinned from now on.
    pub(crate) fn protect(&mut self, steps: BTreeSet<u32>) {
        self.protected = steps;
    }

    /// Drops every second frame that is not an end; false when there was nothing to drop.
    fn thin(&mut self) -> bool {
        let n = self.frames.len();
        let keep: Vec<bool> = (0..n)
            .map(|i| {
                let ends_phase = i + 1 < n && {
                    let (a, b) = (&self.frames[i], &self.frames[i + 1]);
                    (a.stage, &a.phase) != (b.stage, &b.phase)
                };
                i % 2 == 0 || i + 1 == n || ends_phase || self.protected.contains(&self.frames[i].step)
            })
            .collect();
        if keep.iter().all(|&k| k) {
            return false;
        }
        let mut index = 0;
        self.frames.retain(|_| {
            index += 1;
            keep[index - 1]
        });
        self.bytes = self.frames.iter().map(Frame::bytes).sum();
        true
    }

    /// Forgets what lies behind a step.
    pub(crate) fn truncate_after(&mut self, step: u32) {
        self.frames.retain(|f| f.step <= step);
        self.bytes = self.frames.iter().map(Frame::bytes).sum();
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    /// The frames in order.
    #[must_use]
    pub(crate) fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Bytes of vertex data held.
    #[must_use]
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Index of the frame nearest to a step.
    #[must_use]
    pub(crate) fn nearest(&self, step: f64) -> Option<usize> {
        let distance = |i: &usize| (f64::from(self.frames[*i].step) - step).abs();
        (0..self.frames.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }

    /// The snapshot at an index.
    #[must_use]
    pub(crate) fn unpack(&self, index: usize) -> Option<Snapshot> {
        let frame = self.frames.get(index)?;
        Some(Snapshot {
            stage: frame.stage,
            phase: frame.phase.clone(),
            iter: frame.iter,
            step: frame.step,
            joints: frame.joints,
            hands: frame.hands.iter().map(unpack_hand).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(step: u32, phase: &str) -> Snapshot {
        let positions: Vec<[f32; 3]> = (0..50).map(|i| [i as f32 * 0.004 - 0.1, (i % 7) as f32 * 0.01, 0.3]).collect();
        Snapshot {
            stage: Stage::Ham,
            phase: phase.to_owned(),
            iter: step,
            step,
            joints: [None, None],
            hands: vec![HandSnapshot {
                side: Side::Right,
                faces: Arc::new(vec![[0, 1, 2]]),
                normals: vec![[0.0, 0.6, -0.8]; positions.len()],
                albedo: vec![[0.25, 0.5, 1.7]; positions.len()],
                positions,
            }],
        }
    }

    #[test]
    fn packing_loses_micrometres_only() {
        let original = snapshot(1, "shape");
        let mut track = Track::default();
        track.push(&original);
        let back = track.unpack(0).expect("there is one");
        for (a, b) in original.hands[0].positions.iter().zip(&back.hands[0].positions) {
            for axis in 0..3 {
                assert!((a[axis] - b[axis]).abs() < 5e-6, "positions to 5 µm: {a:?} {b:?}");
            }
        }
        let n = back.hands[0].normals[0];
        assert!((n[1] - 0.6).abs() < 0.01 && (n[2] + 0.8).abs() < 0.01, "normals to a hundredth: {n:?}");
        for (a, b) in [0.25, 0.5, 1.7].into_iter().zip(back.hands[0].albedo[0]) {
            assert!((a - b).abs() < 1e-4, "albedo, even above one: {a} {b}");
        }
    }

    #[test]
    fn a_full_track_thins_but_keeps_its_ends_and_phase_ends() {
        let mut track = Track::with_cap(40 * 1050);
        for step in 1..=300 {
            track.push(&snapshot(step, if step <= 77 { "albedo" } else { "shape" }));
        }
        let steps: Vec<u32> = track.frames().iter().map(|f| f.step).collect();
        assert!(track.bytes() <= 40 * 1050, "within the cap: {track:?}");
        assert_eq!((steps[0], steps[steps.len() - 1]), (1, 300), "first and last stay");
        assert!(steps.contains(&77), "the end of a phase stays: {steps:?}");
        assert!(steps.windows(2).all(|w| w[0] < w[1]), "in order");
        assert_eq!(track.nearest(77.2).map(|i| track.frames()[i].step), Some(77), "nearest by step");
    }

    #[test]
    fn pinned_snapshots_outlive_the_thinning() {
        let mut track = Track::with_cap(40 * 1050);
        for step in 1..=300 {
            track.push(&snapshot(step, "shape"));
            // Pinned while it is there.
            if step == 40 {
                track.protect(BTreeSet::from([36, 40]));
            }
        }
        let steps: Vec<u32> = track.frames().iter().map(|f| f.step).collect();
        assert!(steps.contains(&36) && steps.contains(&40), "both are there: {steps:?}");
        assert!(!steps.contains(&38) && track.bytes() <= 40 * 1050, "what lay between is not");
    }

    #[test]
    fn a_standard_run_takes_less_than_two_hundred_megabytes_a_hand() {
        let model = crate::hand::open_hand(Side::Right).expect("it ships");
        let levels =
            crate::mesh::SubdivisionLevels::new(model.template.len(), &model.faces, &model.uvs, &model.uv_faces, 3);
        let steps = |name: &str| {
            let ham = crate::preset::Preset::load(name).expect("shipped").ham;
            // A snapshot a step at most, as the last one of a step replaces those before.
            (ham.albedo_epochs + ham.coarse_epochs + ham.shape_epochs + ham.colour_epochs) as usize
        };
        let bytes = |steps: usize, level: usize| steps * levels.vertices(level) * VERTEX_BYTES;
        let shown = crate::pipeline::DISPLAY_LEVEL;
        let [standard, paper] = ["standard", "paper"].map(steps);
        assert_eq!((levels.vertices(shown), levels.vertices(3)), (26_249, 104_913), "vertices of the open hand");
        assert_eq!((standard, paper), (80, 450), "steps of HAM");
        assert_eq!((bytes(standard, shown), bytes(paper, shown)), (31_498_800, 177_180_750), "as they are kept");
        let cap = crate::studio::session::TRACK_BYTES;
        assert!(bytes(paper, shown) < cap, "even the longest run is kept whole");
        assert!(bytes(standard, 3) == 125_895_600 && bytes(standard, 3) < cap, "and were the finest mesh kept");
        assert!(bytes(paper, 3) > cap, "which of the longest run would be too much: the track would be thinned");
    }

    #[test]
    fn going_back_replaces_the_future() {
        let mut track = Track::default();
        for step in [1, 5, 9, 5] {
            track.push(&snapshot(step, "shape"));
        }
        let steps: Vec<u32> = track.frames().iter().map(|f| f.step).collect();
        assert_eq!(steps, [1, 5], "a resumed run overwrites what came after");
    }
}
