//! Against two published implementations, matched by position (see `scripts/loop_reference.py`).

use super::*;
use crate::mesh::TriMesh;
use npyz::npz::NpzArchive;
use std::collections::BTreeSet;
use std::io::Cursor;

const TOLERANCE: f64 = 1e-9;

fn mesh(name: &str) -> TriMesh {
    let bytes = include_bytes!("../../../tests/data/loop_reference.npz");
    let mut archive = NpzArchive::new(Cursor::new(&bytes[..])).expect("an archive");
    let positions = archive.by_name(&format!("{name}_v")).expect("readable").expect("present");
    let positions: Vec<f64> = positions.into_vec().expect("doubles");
    let faces = archive.by_name(&format!("{name}_f")).expect("readable").expect("present");
    let faces: Vec<u32> = faces.into_vec().expect("indices");
    TriMesh { positions: positions.as_chunks().0.to_vec(), faces: faces.as_chunks().0.to_vec() }
}

/// For each of our vertices the reference's at the same place, or `None` when there is none within the tolerance.
/// No reference vertex may be taken twice.
fn matches(ours: &[[f64; 3]], reference: &[[f64; 3]]) -> Vec<Option<u32>> {
    let near = |p: &[f64; 3], q: &[f64; 3]| (0..3).all(|k| (p[k] - q[k]).abs() < TOLERANCE);
    let found: Vec<Option<u32>> =
        ours.iter().map(|p| (0_u32..).zip(reference).find(|(_, q)| near(p, q)).map(|(i, _)| i)).collect();
    let used: BTreeSet<u32> = found.iter().flatten().copied().collect();
    assert_eq!(used.len(), found.iter().flatten().count(), "no place is taken twice");
    found
}

/// Faces with the smallest corner first, as a set.
fn cycles(faces: impl Iterator<Item = [u32; 3]>) -> BTreeSet<[u32; 3]> {
    faces
        .map(|[a, b, c]| match a.min(b).min(c) {
            m if m == a => [a, b, c],
            m if m == b => [b, c, a],
            _ => [c, a, b],
        })
        .collect()
}

fn levels(mesh: &TriMesh, deepest: usize) -> SubdivisionLevels {
    SubdivisionLevels::new(mesh.positions.len(), &mesh.faces, &[], &[], deepest)
}

#[test]
fn libigl_gives_the_same_surfaces_closed_and_open() {
    for name in ["closed", "open"] {
        let coarse = mesh(name);
        let levels = levels(&coarse, 2);
        for level in [1, 2] {
            let reference = mesh(&format!("{name}_igl{level}"));
            let ours = levels.refine(level, &coarse.positions);
            let found = matches(&ours, &reference.positions);
            let missing = found.iter().filter(|f| f.is_none()).count();
            assert_eq!((missing, ours.len()), (0, reference.positions.len()), "{name} level {level}: every vertex");
            let mapped = levels.faces(level).iter().map(|f| f.map(|v| found[v as usize].expect("matched")));
            assert_eq!(cycles(mapped), cycles(reference.faces.into_iter()), "{name} level {level}: the triangles");
            let composed = levels.fine_from_coarse(level).apply(&coarse.positions);
            let worst = composed.iter().flatten().zip(ours.iter().flatten()).map(|(a, b)| (a - b).abs());
            assert!(worst.fold(0.0, f64::max) < 1e-14, "{name} level {level}: composed stencils are the same map");
        }
    }
}

#[test]
fn trimesh_differs_only_where_its_rules_do() {
    let mut irregular = 0;
    for name in ["closed", "open"] {
        let coarse = mesh(name);
        let topology = Topology::new(coarse.positions.len(), &coarse.faces);
        let boundary: BTreeSet<u32> =
            topology.edges.iter().filter(|e| e.faces[1].is_none()).flat_map(|e| e.vertices).collect();
        let ours = levels(&coarse, 1).refine(1, &coarse.positions);
        let found = matches(&ours, &mesh(&format!("{name}_trimesh1")).positions);
        for (vertex, found) in found.iter().enumerate() {
            if vertex >= topology.vertices {
                assert!(found.is_some(), "{name}: new vertex {vertex}");
                continue;
            }
            let ring = topology.neighbours_of(vertex);
            let differs = if boundary.contains(&u32::try_from(vertex).expect("small")) {
                // It takes every neighbour that lies on a boundary for one along the boundary.
                ring.iter().filter(|v| boundary.contains(v)).count() != 2
            } else {
                // Loop's and Warren's weights agree at valence 3 and 6.
                ![3, 6].contains(&ring.len())
            };
            assert_eq!(found.is_none(), differs, "{name}: vertex {vertex}");
            irregular += usize::from(differs);
        }
    }
    assert!(irregular > 5, "the meshes have irregular vertices, which also shows that the check can fail: {irregular}");
}

#[test]
fn limit_positions_do_not_depend_on_the_level() {
    // The limit of an interior vertex is (v + nα·mean of its ring)/(1 + nα) with α = 8β/3 (Loop 1987): subdividing first
    // must not change it. An independent check of β at every valence.
    let coarse = mesh("closed");
    let levels = levels(&coarse, 3);
    let limit = |level: usize, positions: &[[f64; 3]], vertex: usize| -> [f64; 3] {
        let topology = Topology::new(positions.len(), levels.faces(level));
        let ring = topology.neighbours_of(vertex);
        let n = ring.len() as f64;
        let beta = if ring.len() == 3 { 3.0 / 16.0 } else { 3.0 / (8.0 * n) };
        let alpha = 8.0 * beta / 3.0;
        std::array::from_fn(|k| {
            let sum: f64 = ring.iter().map(|&r| positions[r as usize][k]).sum();
            (positions[vertex][k] + alpha * sum) / (1.0 + n * alpha)
        })
    };
    let fine = levels.refine(3, &coarse.positions);
    for vertex in 0..coarse.positions.len() {
        let (a, b) = (limit(0, &coarse.positions, vertex), limit(3, &fine, vertex));
        assert!((0..3).all(|k| (a[k] - b[k]).abs() < 1e-12), "vertex {vertex}: {a:?} and {b:?}");
    }
}

#[test]
fn levels_are_prefixes_and_share_their_uv_layout() {
    let coarse = mesh("open");
    let uvs: Vec<[f64; 2]> = coarse.positions.iter().map(|p| [0.2 * p[0], 0.2 * p[1]]).collect();
    let levels = SubdivisionLevels::new(coarse.positions.len(), &coarse.faces, &uvs, &coarse.faces, 3);
    assert_eq!((levels.deepest(), levels.vertices(0)), (3, coarse.positions.len()), "level 0 is the mesh");
    let stencils = levels.fine_from_coarse(3);
    assert!(Arc::ptr_eq(&stencils, &levels.fine_from_coarse(3)), "composed once");
    assert_eq!((stencils.coarse_vertices(), stencils.fine_vertices()), (25, levels.vertices(3)), "its size");
    let fine = stencils.apply(&coarse.positions);
    assert_eq!(stencils.apply_first(levels.vertices(1), &coarse.positions), fine[..levels.vertices(1)], "a prefix");
    assert_eq!(levels.fine_from_coarse(0).apply(&coarse.positions), coarse.positions, "level 0 is the identity");
    for level in 0..=3 {
        assert_eq!(levels.uv_faces(level).len(), levels.faces(level).len(), "UV corners of every triangle");
        assert_eq!(levels.uvs(level), &levels.uvs(3)[..levels.uvs(level).len()], "coarse UVs come first");
        let area = |f: &[u32; 3]| {
            let [a, b, c] = f.map(|i| levels.uvs(level)[i as usize]);
            0.5 * ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
        };
        let (sum, whole): (f64, f64) = (
            levels.uv_faces(level).iter().map(area).sum(),
            levels
                .uv_faces(0)
                .iter()
                .map(|f| {
                    let [a, b, c] = f.map(|i| uvs[i as usize]);
                    0.5 * ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
                })
                .sum(),
        );
        assert!((sum - whole).abs() < 1e-12, "level {level}: islands keep their area, so their outline");
    }
}
