//! How sound the hands of a result are, in shares of their triangles ([`crate::mesh::MeshDefects`]).

use super::report::{HandMeshScore, MeshScore};
use crate::anatomy::Side;
use crate::mesh::{MeshDefects, TriMesh, intersecting_each_other};

/// Looks at the hands alone and against each other.
#[must_use]
pub fn score_meshes(hands: &[(Side, &TriMesh)]) -> MeshScore {
    let defects: Vec<MeshDefects> = hands.iter().map(|(_, mesh)| MeshDefects::find(mesh)).collect();
    let between = match hands {
        [(_, a), (_, b)] => Some(intersecting_each_other(a, b)),
        _ => None,
    };
    let row = |k: usize, (side, _): &(Side, &TriMesh)| {
        let d = &defects[k];
        HandMeshScore {
            side: *side,
            triangles: d.triangles,
            flipped_percent: percent(d.flipped.len(), d.triangles),
            spikes_percent: percent(d.spikes.len(), d.triangles),
            self_intersecting_percent: percent(d.self_intersecting.len(), d.triangles),
            in_other_hand_percent: between.as_ref().map(|b| percent(b[k].len(), d.triangles)),
        }
    };
    let all = |count: fn(&MeshDefects) -> usize| {
        percent(defects.iter().map(count).sum(), defects.iter().map(|d| d.triangles).sum())
    };
    MeshScore {
        flipped_percent: all(|d| d.flipped.len()),
        spikes_percent: all(|d| d.spikes.len()),
        self_intersecting_percent: all(|d| d.self_intersecting.len()),
        in_other_hand_percent: between
            .as_ref()
            .map(|b| percent(b[0].len() + b[1].len(), defects.iter().map(|d| d.triangles).sum())),
        hands: hands.iter().enumerate().map(|(k, hand)| row(k, hand)).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "triangle counts are far below 2^53")]
fn percent(count: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { 100.0 * count as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::testing::{MIDDLE, sheet};

    #[test]
    fn percentages_are_per_hand_and_over_all() {
        let sound = sheet();
        let mut bent = sheet();
        bent.positions[MIDDLE][2] = 1.5e-3;
        let alone = score_meshes(&[(Side::Right, &bent)]);
        assert!((alone.spikes_percent - 3.0).abs() < 1e-12, "6 of 200: {alone:?}");
        assert!(alone.in_other_hand_percent.is_none() && alone.hands[0].in_other_hand_percent.is_none(), "no other");
        // The second hand 1 mm above: the spike goes through it.
        bent.positions.iter_mut().for_each(|p| p[2] -= 1e-3);
        let both = score_meshes(&[(Side::Left, &sound), (Side::Right, &bent)]);
        assert!((both.spikes_percent - 1.5).abs() < 1e-12, "6 of 400: {both:?}");
        let touched = both.hands.iter().map(|h| h.in_other_hand_percent.unwrap_or_default()).collect::<Vec<_>>();
        assert!((touched[1] - 3.0).abs() < 1e-12 && touched[0] > 0.0, "six triangles of the right hand: {both:?}");
        assert!(
            (both.in_other_hand_percent.unwrap_or_default() - 0.5 * (touched[0] + touched[1])).abs() < 1e-12,
            "both"
        );
        assert!(both.flipped_percent == 0.0 && both.self_intersecting_percent == 0.0, "nothing else: {both:?}");
        assert_eq!((both.hands[0].side, both.hands[0].triangles), (Side::Left, 200), "named");
        assert_eq!(score_meshes(&[]).flipped_percent, 0.0, "no hand, no defect");
    }
}
