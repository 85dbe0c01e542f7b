//! Closing the wrist: the boundary loop gets a fan of triangles about a new vertex in its middle.
//!
//! The new vertex is the mean of the loop in everything that is linear (position, shape and pose directions, skin weights),
//! so the cap moves with the wrist in every shape and pose. Its UVs are an island of their own in the largest free square of
//! the layout.

use super::HandModel;
use crate::mesh::{cap_layout, fan};

/// A copy of the model with the wrist closed (`wrist_loop` is empty then); the model itself when it has no loop.
///
/// The first V vertices, F faces and T UVs stay as they are; V + 1, F + L and T + L + 1 are there afterwards for a loop of L
/// vertices (T stays 0 for a model without UVs).
#[must_use]
pub fn close_wrist(model: &HandModel) -> HandModel {
    let mut closed = model.clone();
    let ring = std::mem::take(&mut closed.wrist_loop);
    if ring.len() < 3 {
        return model.clone();
    }
    closed.template.push(mean(&ring, |v| model.template[v]));
    closed.shape_directions.push(mean3(&ring, |v| model.shape_directions[v]));
    if let (Some(to), Some(from)) = (&mut closed.pose_directions, &model.pose_directions) {
        to.push(mean3(&ring, |v| from[v]));
    }
    closed.skin_weights.push(mean(&ring, |v| model.skin_weights[v]));
    let centre = index(model.template.len());
    closed.faces.extend(fan(&ring, centre));
    cap_layout(&mut closed.uvs, &mut closed.uv_faces, ring.len());
    closed
}

fn index(value: usize) -> u32 {
    u32::try_from(value).expect("hand models have far fewer than 2^32 vertices")
}

/// Mean over the loop of a row of numbers a vertex.
#[expect(clippy::cast_precision_loss, reason = "a loop has few vertices")]
fn mean<const N: usize>(ring: &[u32], row: impl Fn(usize) -> [f64; N]) -> [f64; N] {
    let mut sum = [0.0; N];
    for &v in ring {
        for (total, value) in sum.iter_mut().zip(row(v as usize)) {
            *total += value;
        }
    }
    sum.map(|total| total / ring.len() as f64)
}

fn mean3<const N: usize>(ring: &[u32], rows: impl Fn(usize) -> [[f64; N]; 3]) -> [[f64; N]; 3] {
    std::array::from_fn(|axis| mean(ring, |v| rows(v)[axis]))
}

#[cfg(test)]
mod tests {
    use super::super::{HandParameters, open_hand, pose_hand};
    use super::*;
    use crate::anatomy::Side;
    use crate::mesh::Topology;
    use nalgebra::Vector3;

    fn euler(vertices: usize, faces: &[[u32; 3]]) -> (isize, usize) {
        let topology = Topology::new(vertices, faces);
        let rim = topology.edges.iter().filter(|e| e.faces[1].is_none()).count();
        let count = |n: usize| isize::try_from(n).expect("small");
        assert!(topology.is_manifold(), "every half-edge occurs once");
        (count(vertices) - count(topology.edges.len()) + count(faces.len()), rim)
    }

    fn doubled_area([a, b, c]: [[f64; 2]; 3]) -> f64 {
        (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    }

    fn holds(t: [[f64; 2]; 3], p: [f64; 2]) -> bool {
        let turn = doubled_area(t).signum();
        (0..3).all(|k| turn * doubled_area([t[k], t[(k + 1) % 3], p]) >= 0.0)
    }

    fn volume(vertices: &[[f64; 3]], faces: &[[u32; 3]]) -> f64 {
        let at = |i: u32| Vector3::from(vertices[i as usize]);
        faces.iter().map(|f| at(f[0]).dot(&at(f[1]).cross(&at(f[2]))) / 6.0).sum()
    }

    #[test]
    fn the_closed_hand_is_a_sphere_and_the_open_one_a_disc() {
        for side in Side::BOTH {
            let open = open_hand(side).expect("sound asset");
            let closed = close_wrist(&open);
            let ring = open.wrist_loop.len();
            assert_eq!(euler(open.template.len(), &open.faces), (1, ring), "{side}: a disc with the loop as its rim");
            assert_eq!(euler(closed.template.len(), &closed.faces), (2, 0), "{side}: a sphere");
            assert_eq!(closed.template.len(), open.template.len() + 1, "one vertex more");
            assert_eq!(closed.faces[..open.faces.len()], open.faces[..], "old faces stay");
            assert_eq!(closed.uv_faces.len(), closed.faces.len(), "every face has UVs");
            assert!(closed.wrist_loop.is_empty(), "no loop is left");
            assert_eq!(close_wrist(&closed).faces, closed.faces, "closing twice changes nothing");
            let litres = 1e3 * volume(&closed.template, &closed.faces);
            assert!(
                (0.2..0.6).contains(&litres),
                "{side}: the closed hand holds a hand's volume ({litres} l), outward"
            );
        }
    }

    #[test]
    fn the_cap_moves_with_the_wrist() {
        let open = open_hand(Side::Left).expect("sound asset");
        let closed = close_wrist(&open);
        let mut p = HandParameters::rest(Side::Left);
        p.global_orient = [0.3, -0.8, 0.5];
        p.betas[0] = 1.5;
        p.betas[5] = -2.0;
        p.hand_pose[5] = -1.2;
        let (a, b) = (pose_hand(&open, &p), pose_hand(&closed, &p));
        assert_eq!(a.joints, b.joints, "joints stay");
        for (x, y) in a.vertices.iter().zip(&b.vertices) {
            assert_eq!(x, y, "old vertices stay");
        }
        let centre = b.vertices.last().expect("the new vertex");
        for (axis, value) in centre.iter().enumerate() {
            let ring = open.wrist_loop.iter().map(|&v| a.vertices[v as usize][axis]).sum::<f64>();
            #[expect(clippy::cast_precision_loss, reason = "a short loop")]
            let mean = ring / open.wrist_loop.len() as f64;
            assert!((value - mean).abs() < 1e-9, "the middle of the posed loop");
        }
    }

    #[test]
    fn the_caps_island_lies_in_free_room() {
        for side in Side::BOTH {
            let open = open_hand(side).expect("sound asset");
            let closed = close_wrist(&open);
            for uv in &closed.uvs {
                assert!(uv.iter().all(|x| (0.0..=1.0).contains(x)), "inside the square");
            }
            let new = &closed.uv_faces[open.uv_faces.len()..];
            let overlap = |ours: &[[u32; 3]]| {
                ours.iter().any(|t| {
                    let p = t.map(|i| closed.uvs[i as usize]);
                    let middle = [0, 1].map(|axis| (p[0][axis] + p[1][axis] + p[2][axis]) / 3.0);
                    open.uv_faces.iter().any(|f| holds(f.map(|i| open.uvs[i as usize]), middle))
                })
            };
            assert!(!overlap(new), "no triangle of the cap lies on the hand's islands");
            assert!(overlap(&open.uv_faces[..10]), "the check sees the hand's own triangles");
            let sign = |faces: &[[u32; 3]]| {
                faces.iter().map(|t| doubled_area(t.map(|i| closed.uvs[i as usize]))).sum::<f64>().signum()
            };
            assert!((sign(new) - sign(&open.uv_faces)).abs() < 0.5, "{side}: turned like the hand's own UVs");
            assert!(sign(new).abs() > 0.5, "the island has an area");
        }
    }
}
