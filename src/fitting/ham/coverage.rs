//! How many views see each vertex: where few do, colours say little about shape, and detail is held back.

use crate::mesh::Topology;

/// Views that are enough to tell shape from colour.
const ENOUGH: u32 = 3;

/// Number of views that see each vertex, from the triangles that each view sees (`triangle + 1`, 0 for none). A vertex whose
/// neighbour is seen counts as seen: triangles may be smaller than pixels.
pub(super) fn views_of_vertices<'a>(topology: &Topology, views: impl Iterator<Item = &'a [u32]>) -> Vec<u32> {
    let count = topology.neighbour_starts.len().saturating_sub(1);
    let mut out = vec![0; count];
    for ids in views {
        let mut seen = vec![false; count];
        for &id in ids.iter().filter(|id| **id != 0) {
            for v in topology.faces[id as usize - 1] {
                seen[v as usize] = true;
            }
        }
        for (v, number) in out.iter_mut().enumerate() {
            *number += u32::from(seen[v] || topology.neighbours_of(v).iter().any(|n| seen[*n as usize]));
        }
    }
    out
}

/// Factor of a vertex's smoothness: `base` for each view that is missing to three.
pub(super) fn stiffness(views: &[u32], base: f64) -> Vec<f32> {
    views.iter().map(|n| super::to_f32(base.powf(f64::from(ENOUGH.saturating_sub(*n))))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertices_are_stiff_where_few_views_see_them() {
        // A strip of four triangles; only one vertex is not next to what a view sees.
        let faces = [[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]];
        let topology = Topology::new(6, &faces);
        let (near, far) = ([0_u32, 1, 1, 0], [0_u32, 4]);
        let views = views_of_vertices(&topology, [near.as_slice(), &far, &near].into_iter());
        assert_eq!(views, [2, 3, 3, 3, 3, 1], "seen itself or by a neighbour");
        assert_eq!(stiffness(&views, 4.0), [4.0, 1.0, 1.0, 1.0, 1.0, 16.0], "a factor for each missing view");
        assert_eq!(stiffness(&views, 1.0), [1.0; 6], "no factor, no difference");
    }
}
