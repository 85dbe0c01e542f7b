//! The mesh levels of the graph network: made once for a template, the same every time.

use super::sparse::Sparse;
#[cfg(any(test, feature = "train"))]
use crate::mesh::{Topology, TriMesh, barycentric_from, decimate};

/// By what each level has fewer vertices than the one before, as published.
#[cfg(any(test, feature = "train"))]
const FACTORS: [usize; 4] = [1, 2, 2, 2];

/// Laplacian of each level, finest (the template) first, and the matrix up from each to the one before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MeshLevels {
    /// Normalised graph Laplacians `I − D^−½ A D^−½`, one a level: five.
    pub laplacians: Vec<Sparse>,
    /// Barycentric weights from level `i + 1` to level `i`: four.
    pub upsampling: Vec<Sparse>,
}

#[cfg(any(test, feature = "train"))]
fn single(x: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "networks compute in single precision")]
    let x = x as f32;
    x
}

#[cfg(any(test, feature = "train"))]
fn laplacian(mesh: &TriMesh) -> Sparse {
    let count = mesh.positions.len();
    let topology = Topology::new(count, &mesh.faces);
    #[expect(clippy::cast_precision_loss, reason = "few neighbours")]
    let degree: Vec<f64> = (0..count).map(|v| (topology.neighbours_of(v).len().max(1) as f64).sqrt()).collect();
    let row = |(v, own): (usize, u32)| {
        let other = |u: &u32| (*u, single(-1.0 / (degree[v] * degree[*u as usize])));
        let mut row: Vec<(u32, f32)> = topology.neighbours_of(v).iter().map(other).chain([(own, 1.0)]).collect();
        row.sort_by_key(|(column, _)| *column);
        row
    };
    Sparse { columns: count, rows: (0..count).zip(0..).map(row).collect() }
}

#[cfg(any(test, feature = "train"))]
impl MeshLevels {
    /// The levels of a template.
    pub(super) fn new(template: &TriMesh) -> Self {
        let mut mesh = template.clone();
        let mut levels = Self { laplacians: vec![laplacian(&mesh)], upsampling: Vec::new() };
        for factor in FACTORS {
            let (coarse, _) = decimate(&mesh, mesh.positions.len().div_ceil(factor));
            let rows = barycentric_from(&coarse, &mesh.positions);
            let rows = rows.into_iter().map(|row| row.into_iter().map(|(v, w)| (v, single(w))).collect()).collect();
            levels.upsampling.push(Sparse { columns: coarse.positions.len(), rows });
            levels.laplacians.push(laplacian(&coarse));
            mesh = coarse;
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::open_hand;

    #[test]
    fn levels_halve_and_laplacians_know_their_null_vector() {
        let model = open_hand(Side::Right).expect("sound asset");
        let mesh = TriMesh { positions: model.template, faces: model.faces };
        let levels = MeshLevels::new(&mesh);
        let sizes: Vec<usize> = levels.laplacians.iter().map(|l| l.rows.len()).collect();
        assert_eq!(sizes, [1649, 1649, 825, 413, 207], "the published factors");
        for (i, up) in levels.upsampling.iter().enumerate() {
            assert_eq!((up.rows.len(), up.columns), (sizes[i], sizes[i + 1]), "from level {} to {i}", i + 1);
        }
        for l in &levels.laplacians {
            // L D^½ 1 = 0
            #[expect(clippy::cast_precision_loss, reason = "few neighbours")]
            let root: Vec<f64> = l.rows.iter().map(|row| (row.len() as f64 - 1.0).sqrt()).collect();
            let worst = l.times(&root, 1).into_iter().map(f64::abs).fold(0.0, f64::max);
            assert!(worst < 1e-5, "{worst}");
        }
        assert_eq!(MeshLevels::new(&mesh), levels, "the same every time");
    }
}
