//! Takes folds out of the found surface, after it has stopped moving.
//!
//! Where photographs disagree by a pixel or two (a fingertip that moved, the sleeve's edge), the surface may fold by a
//! millimetre. No later stage can use a fold: textures tear, printers and physics refuse it. Here the displacement from the
//! fitted model is evened out around unsound triangles ([`MeshDefects`]) until there are none, or none that evening out
//! mends: where the fitted model itself cuts through itself (a deep crease of a bent finger), that stays.

use super::{Ham, HamError, to_f32};
use crate::mesh::{MeshDefects, Topology, TriMesh};

/// Sweeps over the chosen vertices a round; enough for patches of some rings.
const SWEEPS: usize = 8;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untangled {
    /// Unsound triangles before.
    pub before: usize,
    /// Unsound triangles after.
    pub after: usize,
    /// Rounds that it took.
    pub rounds: u32,
}

impl Untangled {
    /// One line for the log.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "folds: {} unsound triangles before they were evened out, {} after ({} rounds)",
            self.before, self.after, self.rounds
        )
    }
}

/// Evens out the displacement `positions − reference` around unsound triangles, at most `rounds` times, each time a ring
/// farther. Keeps the best state, so that there are never more unsound triangles than before. Lists have one entry a vertex,
/// metres.
pub(super) fn untangle(
    positions: &mut [[f64; 3]],
    reference: &[[f64; 3]],
    faces: &[[u32; 3]],
    rounds: u32,
) -> Untangled {
    let topology = Topology::new(positions.len(), faces);
    let mut mesh = TriMesh { positions: positions.to_vec(), faces: faces.to_vec() };
    let mut unsound = unsound_faces(&mesh);
    let mut done = Untangled { before: unsound.len(), after: unsound.len(), rounds: 0 };
    // Vertices stay chosen from round to round: what was a fold must not be cut out of its surroundings.
    let mut chosen = vec![false; positions.len()];
    while done.rounds < rounds && !unsound.is_empty() {
        done.rounds += 1;
        for &face in &unsound {
            for v in faces[face as usize] {
                chosen[v as usize] = true;
            }
        }
        widen(&mut chosen, &topology);
        even_out(&mut mesh.positions, reference, &topology, &chosen);
        unsound = unsound_faces(&mesh);
        if unsound.len() < done.after {
            done.after = unsound.len();
            positions.copy_from_slice(&mesh.positions);
        }
    }
    done
}

fn unsound_faces(mesh: &TriMesh) -> Vec<u32> {
    let defects = MeshDefects::find(mesh);
    let mut all = [defects.flipped, defects.spikes, defects.self_intersecting].concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// The neighbours of chosen vertices are chosen too.
fn widen(chosen: &mut [bool], topology: &Topology) {
    let before = chosen.to_vec();
    for (v, chosen) in chosen.iter_mut().enumerate() {
        *chosen = before[v] || topology.neighbours_of(v).iter().any(|n| before[*n as usize]);
    }
}

/// Each chosen vertex's displacement becomes the mean of its neighbours', in order of their numbers ([`SWEEPS`] times).
fn even_out(positions: &mut [[f64; 3]], reference: &[[f64; 3]], topology: &Topology, chosen: &[bool]) {
    let chosen: Vec<usize> = (0..positions.len()).filter(|v| chosen[*v]).collect();
    for _ in 0..SWEEPS {
        for &v in &chosen {
            let ring = topology.neighbours_of(v);
            if ring.is_empty() {
                continue;
            }
            for k in 0..3 {
                let sum: f64 = ring.iter().map(|n| positions[*n as usize][k] - reference[*n as usize][k]).sum();
                positions[v][k] = reference[v][k] + sum / ring.len() as f64;
            }
        }
    }
}

impl Ham {
    /// Untangles one hand of the surface as it is now.
    ///
    /// # Errors
    /// A GPU error.
    pub(super) fn untangle_hand(&mut self, hand: usize) -> Result<(), HamError> {
        if hand == 0 {
            self.untangled = Untangled::default();
        }
        let hand = &self.mesh.hands[hand];
        let range = hand.vertices.clone();
        let mut read: Vec<[f32; 4]> = self.gpu.read(&self.buffers.positions)?;
        let mut positions: Vec<[f64; 3]> =
            read[range.clone()].iter().map(|p| [0, 1, 2].map(|k| f64::from(p[k]))).collect();
        let reference = &self.mesh.positions[range.clone()];
        let done = untangle(&mut positions, reference, &hand.faces, self.settings.untangle_rounds);
        if done.after < done.before {
            for (to, from) in read[range].iter_mut().zip(&positions) {
                to[..3].copy_from_slice(&from.map(to_f32));
            }
            self.buffers.positions.write(&self.gpu, &read);
        }
        self.untangled.before += done.before;
        self.untangled.after += done.after;
        self.untangled.rounds = self.untangled.rounds.max(done.rounds);
        Ok(())
    }

    /// What became of the folds at the end of phase B; all zero before.
    #[must_use]
    pub const fn untangled(&self) -> Untangled {
        self.untangled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::{HandParameters, open_hand, pose_hand};
    use crate::mesh::SubdivisionLevels;

    fn fine_hand() -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
        let model = open_hand(Side::Right).expect("the open hand");
        let posed = pose_hand(&model, &HandParameters::rest(Side::Right));
        let levels = SubdivisionLevels::new(model.template.len(), &model.faces, &model.uvs, &model.uv_faces, 2);
        (levels.refine(2, &posed.vertices), levels.faces(2).to_vec())
    }

    #[test]
    fn folds_go_and_the_rest_stays() {
        let (reference, faces) = fine_hand();
        let mut positions = reference.clone();
        // A smooth displacement everywhere, and one patch pushed through the other side of the hand.
        for p in &mut positions {
            p[1] += 1e-3 * (40.0 * p[0]).sin();
        }
        let topology = Topology::new(positions.len(), &faces);
        let middle = 4000;
        let patch: Vec<usize> = topology.neighbours_of(middle).iter().map(|n| *n as usize).chain([middle]).collect();
        for &v in &patch {
            positions[v][0] += if v == middle { 8e-3 } else { -3e-3 };
        }
        let before = positions.clone();
        let done = untangle(&mut positions, &reference, &faces, 12);
        assert!(done.before > 6, "the fold is seen: {done:?}");
        assert_eq!(done.after, 0, "and taken out: {done:?}");
        assert!(MeshDefects::find(&TriMesh { positions: positions.clone(), faces }).self_intersecting.is_empty());
        let moved = positions.iter().zip(&before).filter(|(a, b)| a != b).count();
        assert!(moved < 400, "only around it: {moved} of {}", positions.len());
        let off = |v: usize| (0..3).map(|k| (positions[v][k] - reference[v][k]).abs()).fold(0.0, f64::max);
        assert!(patch.iter().all(|v| off(*v) < 2e-3), "back to what is around");
    }

    #[test]
    fn a_sound_surface_is_not_touched() {
        let (reference, faces) = fine_hand();
        let mut positions: Vec<[f64; 3]> = reference.iter().map(|p| [p[0] + 1e-3, p[1], p[2]]).collect();
        let before = positions.clone();
        assert_eq!(untangle(&mut positions, &reference, &faces, 12), Untangled::default());
        assert_eq!(positions, before);
    }

    #[test]
    fn no_rounds_change_nothing() {
        let (reference, faces) = fine_hand();
        let mut positions = reference.clone();
        positions[4000][0] += 2e-2;
        let before = positions.clone();
        let done = untangle(&mut positions, &reference, &faces, 0);
        assert!(done.before > 0 && done.after == done.before, "seen, left: {done:?}");
        assert_eq!(positions, before);
    }
}
