//! The opening of the mesh at the wrist.

use crate::mesh::boundary_loops;

/// The boundary loop nearest to the wrist joint, in the direction of its triangles' edges, from its smallest vertex on. Empty
/// when the mesh is closed.
pub(super) fn wrist_loop(template: &[[f64; 3]], faces: &[[u32; 3]], wrist: &[f64; 3]) -> Vec<u32> {
    let distance = |walk: &Vec<u32>| {
        let sum = walk.iter().map(|v| template[*v as usize]).fold([0.0; 3], |s, p| [0, 1, 2].map(|k| s[k] + p[k]));
        #[expect(clippy::cast_precision_loss, reason = "few vertices")]
        let count = walk.len() as f64;
        (0..3).map(|k| (sum[k] / count - wrist[k]).powi(2)).sum::<f64>()
    };
    boundary_loops(faces).into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::wrist_loop;

    #[test]
    fn the_nearer_opening_of_a_tube_is_found_in_order() {
        // A square tube, open at both ends: rings at x = 0 (0..4) and x = 1 (4..8).
        let ring = |x: f64| [[x, 0.0, 0.0], [x, 1.0, 0.0], [x, 1.0, 1.0], [x, 0.0, 1.0]];
        let template: Vec<[f64; 3]> = [ring(0.0), ring(1.0)].concat();
        let faces: Vec<[u32; 3]> =
            (0..4).flat_map(|i| [[i, (i + 1) % 4, 4 + i], [(i + 1) % 4, 4 + (i + 1) % 4, 4 + i]]).collect();
        assert_eq!(wrist_loop(&template, &faces, &[0.1, 0.5, 0.5]), [0, 1, 2, 3], "the ring at 0");
        let far = wrist_loop(&template, &faces, &[2.0, 0.5, 0.5]);
        assert_eq!(far.len(), 4, "four vertices");
        assert_eq!(far, [4, 7, 6, 5], "the ring at 1, the other way round");
        let closed = [[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]];
        assert!(wrist_loop(&template, &closed, &[0.0; 3]).is_empty(), "a tetrahedron has no opening");
    }
}
