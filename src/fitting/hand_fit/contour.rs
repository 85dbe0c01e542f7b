//! Where the outline of the posed hands runs in a view, by vertex: what is compared with the edge of the mask.

use super::mask_field::MaskField;
use crate::hand::HandModel;
use crate::mesh::Topology;
use crate::raster::cpu::{Projected, coverage_of};
use nalgebra::Vector3;

/// Vertices this near to the wrist's rim say nothing: there the model ends and the arm goes on.
const RIM_M: f64 = 0.015;
/// How far beyond the outline nothing may be covered, samples.
const OUTSIDE: f64 = 2.0;

/// Connectivity of one hand, with what never takes part in an outline.
#[derive(Clone, Debug)]
pub(super) struct Outline {
    edges: Vec<([usize; 2], [usize; 2])>,
    near_rim: Vec<bool>,
    faces: Vec<[u32; 3]>,
}

impl Outline {
    pub(super) fn new(model: &HandModel) -> Self {
        let topology = Topology::new(model.template.len(), &model.faces);
        let edge = |e: &crate::mesh::Edge| {
            let [first, second] = e.faces;
            Some((e.vertices.map(|v| v as usize), [first? as usize, second? as usize]))
        };
        let at = |v: u32| Vector3::from(model.template[v as usize]);
        let near = |p: &[f64; 3]| model.wrist_loop.iter().any(|&v| (at(v) - Vector3::from(*p)).norm() < RIM_M);
        Self {
            edges: topology.edges.iter().filter_map(edge).collect(),
            near_rim: model.template.iter().map(near).collect(),
            faces: model.faces.clone(),
        }
    }
}

/// A posed hand with its outline's connectivity.
pub(super) struct PosedOutline<'a> {
    pub outline: &'a Outline,
    pub vertices: Vec<[f64; 3]>,
    pub normals: Vec<[f64; 3]>,
}

impl<'a> PosedOutline<'a> {
    pub(super) fn new(outline: &'a Outline, vertices: Vec<[f64; 3]>) -> Self {
        let normals = crate::mesh::vertex_normals(&vertices, &outline.faces);
        Self { outline, vertices, normals }
    }
}

/// `(hand, vertex)` of the vertices on the outer outline of all hands together, seen by the camera of `field`, in order.
pub(super) fn outline_vertices(hands: &[PosedOutline<'_>], field: &MaskField) -> Vec<(usize, usize)> {
    let camera = &field.camera;
    let mut positions: Vec<[f64; 3]> = Vec::new();
    let mut faces: Vec<[u32; 3]> = Vec::new();
    for hand in hands {
        let start = u32::try_from(positions.len()).expect("few vertices");
        faces.extend(hand.outline.faces.iter().map(|f| f.map(|v| v + start)));
        positions.extend(&hand.vertices);
    }
    let projected = Projected::new(&positions, camera);
    let coverage = coverage_of(&projected, &faces, camera.width_px, camera.height_px);
    let points = projected.points();
    let faces_camera: Vec<bool> = faces
        .iter()
        .map(|f| {
            let [a, b, c] = f.map(|v| points[v as usize]);
            (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) < 0.0
        })
        .collect();
    let covered = |x: f64, y: f64| -> Option<bool> {
        let inside = x >= 0.0 && y >= 0.0 && x < f64::from(camera.width_px) && y < f64::from(camera.height_px);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the image")]
        let index = || y as usize * camera.width_px as usize + x as usize;
        inside.then(|| coverage[index()])
    };
    let mut found = Vec::new();
    let (mut first_vertex, mut first_face) = (0, 0);
    for (number, hand) in hands.iter().enumerate() {
        let mut turns = vec![false; hand.vertices.len()];
        for (vertices, [a, b]) in &hand.outline.edges {
            if faces_camera[first_face + a] != faces_camera[first_face + b] {
                for &v in vertices {
                    turns[v] = true;
                }
            }
        }
        for vertex in (0..turns.len()).filter(|&v| turns[v] && !hand.outline.near_rim[v]) {
            let p = points[first_vertex + vertex];
            let beside = Vector3::from(hand.vertices[vertex]) + Vector3::from(hand.normals[vertex]) * 1e-3;
            let Some(q) = camera.project(&beside) else { continue };
            let (dx, dy) = (q.x - p[0], q.y - p[1]);
            let length = dx.hypot(dy);
            if !length.is_finite() || length < 1e-6 {
                continue;
            }
            let (dx, dy) = (OUTSIDE * dx / length, OUTSIDE * dy / length);
            if covered(p[0] + dx, p[1] + dy) == Some(false) && covered(p[0] - dx, p[1] - dy) == Some(true) {
                found.push((number, vertex));
            }
        }
        first_vertex += hand.vertices.len();
        first_face += hand.outline.faces.len();
    }
    found
}
