//! Posing the reconstructed hands by sliders: what is chosen, what each slider reads, and the posed mesh on show.

use super::Session;
use crate::anatomy::Side;
use crate::hand::Pose;
use crate::mesh::vertex_normals;
use crate::pipeline::{HandSnapshot, PosableHand, Snapshot};
use crate::studio::opened_run::narrow;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Synergies with a slider: the first rows of the model's pose basis.
pub(crate) const SYNERGIES: usize = 6;
/// Radians that the most moved angle turns at the end of a synergy's slider.
const SYNERGY_REACH: f64 = 1.4;
/// A finger's share of a synergy's energy from which it is named.
const NAMED_SHARE: f64 = 0.12;
/// Fingers in the order of the model's joints.
const FINGERS: [&str; 5] = ["index", "middle", "pinky", "ring", "thumb"];

/// Which hands the sliders move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// One hand.
    One(Side),
    /// Both alike, mirrored.
    Both,
}

/// A pose with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedPose {
    /// As in the photographs.
    Captured,
    /// The model's mean pose.
    Relaxed,
    /// The flat hand of the model's rest pose.
    Flat,
}

impl NamedPose {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Captured, Self::Relaxed, Self::Flat];

    /// Name on screen.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Captured => "Captured",
            Self::Relaxed => "Relaxed",
            Self::Flat => "Rest",
        }
    }
}

/// What the pose panel asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PoseAction {
    /// Bring the hands to rest, so that they can be posed.
    Begin,
    /// Move these hands.
    Choose(Chosen),
    /// Take a named pose.
    Take(NamedPose),
    /// Set the coefficient of a synergy.
    Synergy(usize, f64),
    /// Set one of the 45 angles, radians.
    Angle(usize, f64),
    /// Keep angles within the model's limits.
    KeepLimits(bool),
    /// Show the run's own mesh again.
    Reset,
}

/// Hands that can be posed, at the display level, and their poses.
#[derive(Debug)]
pub(crate) struct Posing {
    hands: Arc<Vec<PosableHand>>,
    poses: Vec<Pose>,
    albedo: Vec<Vec<[f32; 3]>>,
    faces: Vec<Arc<Vec<[u32; 3]>>>,
    /// What the sliders move.
    pub chosen: Chosen,
    /// Angles stay within the model's limits.
    pub keep_limits: bool,
    /// Time of the last mesh.
    pub cost: Duration,
}

impl Posing {
    pub(super) fn new(hands: Arc<Vec<PosableHand>>) -> Self {
        let chosen = match &hands[..] {
            [only] => Chosen::One(only.rest.side()),
            _ => Chosen::Both,
        };
        Self {
            poses: hands.iter().map(|h| Pose::of(h.rest.captured())).collect(),
            albedo: hands.iter().map(|h| narrow(&h.hand.albedo)).collect(),
            faces: hands.iter().map(|h| Arc::new(h.hand.faces.clone())).collect(),
            hands,
            chosen,
            keep_limits: true,
            cost: Duration::ZERO,
        }
    }

    /// Sides there are.
    pub(crate) fn sides(&self) -> impl Iterator<Item = Side> + '_ {
        self.hands.iter().map(|h| h.rest.side())
    }

    fn is_chosen(&self, hand: usize) -> bool {
        self.chosen == Chosen::Both || self.chosen == Chosen::One(self.hands[hand].rest.side())
    }

    /// The chosen hand that the sliders read.
    fn lead(&self) -> usize {
        (0..self.hands.len()).find(|&i| self.is_chosen(i)).unwrap_or(0)
    }

    /// The poses, one a hand.
    #[must_use]
    pub(super) fn poses(&self) -> &[Pose] {
        &self.poses
    }

    /// Coefficient of a synergy: the pose without the mean, projected on its row.
    #[must_use]
    pub(crate) fn synergy(&self, index: usize) -> f64 {
        self.coefficient(self.lead(), index)
    }

    fn coefficient(&self, hand: usize, index: usize) -> f64 {
        let (model, pose) = (self.hands[hand].rest.model(), &self.poses[hand].hand_pose);
        (0..45).map(|i| model.hands_components[index][i] * (pose[i] - model.hands_mean[i])).sum()
    }

    /// Name (of a model without names: its number and the fingers that it moves) and range of a synergy's slider.
    #[must_use]
    pub(crate) fn synergy_facts(&self, index: usize) -> (String, RangeInclusive<f64>) {
        let row = &self.hands[self.lead()].rest.model().hands_components[index];
        let most = row.iter().fold(0.0, |m: f64, v| m.max(v.abs())).max(1e-9);
        let energy: f64 = row.iter().map(|v| v * v).sum();
        let named: Vec<&str> = FINGERS
            .iter()
            .zip(row.chunks_exact(9))
            .filter(|(_, part)| part.iter().map(|v| v * v).sum::<f64>() > NAMED_SHARE * energy)
            .map(|(name, _)| *name)
            .collect();
        let name = self.hands[self.lead()].rest.model().labels.pose_names.get(index).map(|n| n.replace('_', " "));
        let reach = SYNERGY_REACH / most;
        if let Some(name) = name {
            return (name, -reach..=reach);
        }
        let what = if named.len() >= 4 { "all fingers".to_owned() } else { named.join(", ") };
        (format!("{} {what}", index + 1), -reach..=reach)
    }

    /// One of the 45 angles and its limits, radians.
    #[must_use]
    pub(crate) fn angle(&self, index: usize) -> (f64, RangeInclusive<f64>) {
        let lead = self.lead();
        let [low, high] = self.limits(lead, index);
        (self.poses[lead].hand_pose[index], low..=high)
    }

    /// Limits of an angle, wide enough for the captured pose.
    fn limits(&self, hand: usize, index: usize) -> [f64; 2] {
        let rest = &self.hands[hand].rest;
        let ([low, high], captured) = (rest.model().joint_limits[index], Pose::of(rest.captured()).hand_pose[index]);
        if self.keep_limits {
            [low.min(captured), high.max(captured)]
        } else {
            [-std::f64::consts::PI, std::f64::consts::PI]
        }
    }

    /// Number of synergies with a slider.
    #[must_use]
    pub(crate) fn synergies(&self) -> usize {
        self.hands[self.lead()].rest.model().hands_components.len().min(SYNERGIES)
    }

    fn apply(&mut self, action: PoseAction) {
        let lead = self.lead();
        match action {
            PoseAction::Begin | PoseAction::Reset => {
                self.poses = self.hands.iter().map(|h| Pose::of(h.rest.captured())).collect();
            }
            PoseAction::Choose(chosen) => self.chosen = chosen,
            PoseAction::KeepLimits(keep) => self.keep_limits = keep,
            PoseAction::Take(named) => {
                for hand in 0..self.hands.len() {
                    if self.is_chosen(hand) {
                        let rest = &self.hands[hand].rest;
                        self.poses[hand].hand_pose = match named {
                            NamedPose::Captured => Pose::of(rest.captured()).hand_pose,
                            NamedPose::Relaxed => rest.model().hands_mean,
                            NamedPose::Flat => [0.0; 45],
                        };
                    }
                }
            }
            PoseAction::Synergy(index, value) => {
                for hand in 0..self.hands.len() {
                    if self.is_chosen(hand) {
                        let by = value - self.coefficient(hand, index);
                        for i in 0..45 {
                            let row = self.hands[hand].rest.model().hands_components[index][i];
                            if row != 0.0 {
                                self.set(hand, i, self.poses[hand].hand_pose[i] + by * row);
                            }
                        }
                    }
                }
            }
            PoseAction::Angle(index, value) => {
                let side = self.hands[lead].rest.side();
                for hand in 0..self.hands.len() {
                    if self.is_chosen(hand) {
                        // The mirror of a turn about x is the same, about y and z the opposite.
                        let mirrored = self.hands[hand].rest.side() != side && index % 3 != 0;
                        self.set(hand, index, if mirrored { -value } else { value });
                    }
                }
            }
        }
    }

    fn set(&mut self, hand: usize, index: usize, value: f64) {
        let [low, high] = self.limits(hand, index);
        self.poses[hand].hand_pose[index] = value.clamp(low, high);
    }

    /// The hands in their poses, in place of those of `shown`.
    fn snapshot(&mut self, shown: &Snapshot) -> Snapshot {
        let started = Instant::now();
        let mut out = shown.clone_facts();
        for (i, hand) in self.hands.iter().enumerate() {
            let positions = hand.rest.pose(&self.poses[i]);
            let side = hand.rest.side();
            out.joints[side.index()] = Some(hand.rest.keypoints(&self.poses[i], &positions));
            out.hands.push(HandSnapshot {
                side,
                faces: Arc::clone(&self.faces[i]),
                normals: narrow(&vertex_normals(&positions, &self.faces[i])),
                positions: narrow(&positions),
                albedo: self.albedo[i].clone(),
            });
        }
        self.cost = started.elapsed();
        out
    }
}

impl Session {
    /// What the 3D view shows: the posed hands, if there are any, else the run's snapshot.
    #[must_use]
    pub(crate) fn visible(&self) -> Option<&Arc<Snapshot>> {
        self.posed.as_ref().or(self.shown.as_ref())
    }

    /// Why the hands cannot be posed, if so.
    #[must_use]
    pub(crate) fn why_not_pose(&self) -> Option<&'static str> {
        use super::RunState;
        if self.shown.as_ref().is_none_or(|s| s.hands.is_empty()) {
            Some("There is no mesh yet: reconstruct first")
        } else if !self.has_engine {
            Some("Only the snapshots of this run could be opened")
        } else if matches!(self.state, RunState::Starting | RunState::Running) {
            Some("Pause the run first, or wait for its end")
        } else if self.posing_pending {
            Some("The hands are being brought to rest")
        } else {
            None
        }
    }

    /// Carries out an action of the pose panel; true when the worker is to bring the hands to rest.
    pub(super) fn pose(&mut self, action: PoseAction) -> bool {
        if self.posing.is_none() {
            let begins = action == PoseAction::Begin && self.why_not_pose().is_none();
            self.posing_pending |= begins;
            return begins;
        }
        let (Some(posing), Some(shown)) = (&mut self.posing, &self.shown) else { return false };
        posing.apply(action);
        match action {
            PoseAction::Reset => self.posed = None,
            PoseAction::Choose(_) | PoseAction::KeepLimits(_) | PoseAction::Begin => return false,
            _ => self.posed = Some(Arc::new(posing.snapshot(shown))),
        }
        self.shown_revision += 1;
        false
    }

    /// Takes in the hands at rest.
    pub(super) fn on_posable(&mut self, hands: Arc<Vec<PosableHand>>) {
        self.posing_pending = false;
        self.posing = (!hands.is_empty()).then(|| Posing::new(hands));
    }

    /// The run goes on or another one is shown: what was posed is of the past.
    pub(super) fn leave_posing(&mut self) {
        self.posing = None;
        self.posing_pending = false;
        if self.posed.take().is_some() {
            self.shown_revision += 1;
        }
    }
}
