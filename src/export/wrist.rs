//! Closing the wrist of an exported hand: a watertight mesh for printing and for programs that need a volume.

use super::ExportHand;
use crate::mesh::{boundary_loop, cap_layout, fan};
use nalgebra::Vector3;

impl ExportHand {
    /// Puts a fan of triangles over the boundary loop: one vertex more, in the loop's middle, with the loop's mean albedo and
    /// an island of UVs of its own. False, and nothing changes, when the mesh has no single boundary loop.
    #[expect(clippy::cast_precision_loss, reason = "a loop has few vertices")]
    pub fn close_wrist(&mut self) -> bool {
        let Some(ring) = boundary_loop(&self.faces) else { return false };
        let Ok(centre) = u32::try_from(self.positions.len()) else { return false };
        let mean = |list: &[[f64; 3]]| {
            let sum: Vector3<f64> = ring.iter().map(|&v| Vector3::from(list[v as usize])).sum();
            sum / ring.len() as f64
        };
        let middle = mean(&self.positions);
        let across: Vector3<f64> = fan(&ring, centre)
            .map(|[a, b, _]| {
                let at = |v: u32| Vector3::from(self.positions[v as usize]) - middle;
                at(a).cross(&at(b))
            })
            .sum();
        self.albedo.push(mean(&self.albedo).into());
        self.positions.push(middle.into());
        self.normals.push(across.try_normalize(0.0).unwrap_or_else(Vector3::x).into());
        self.faces.extend(fan(&ring, centre));
        cap_layout(&mut self.uvs, &mut self.uv_faces, ring.len());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::Side;
    use crate::hand::open_hand;
    use crate::mesh::{Topology, vertex_normals};

    fn hand(side: Side) -> ExportHand {
        let model = open_hand(side).expect("sound asset");
        ExportHand {
            side,
            normals: vertex_normals(&model.template, &model.faces),
            albedo: vec![[0.5, 0.4, 0.3]; model.template.len()],
            positions: model.template,
            faces: model.faces,
            uvs: model.uvs,
            uv_faces: model.uv_faces,
            parameters: None,
            model_name: model.name,
            model_hash: model.hash,
            texture: None,
            relief: None,
            texture_format: crate::export::TextureFormat::default(),
        }
    }

    #[test]
    fn a_closed_hand_is_watertight_and_holds_a_volume() {
        for side in Side::BOTH {
            let open = hand(side);
            let mut closed = open.clone();
            assert!(closed.close_wrist(), "{side}: there is a loop");
            closed.check().expect("all arrays belong together");
            let rim = |h: &ExportHand| {
                let edges = Topology::new(h.positions.len(), &h.faces).edges;
                edges.iter().filter(|e| e.faces[1].is_none()).count()
            };
            assert_eq!((rim(&open), rim(&closed)), (20, 0), "{side}: no edge is open any more");
            assert!(Topology::new(closed.positions.len(), &closed.faces).is_manifold(), "{side}: wound one way");
            let at = |v: u32| Vector3::from(closed.positions[v as usize]);
            let volume: f64 = closed.faces.iter().map(|f| at(f[0]).dot(&at(f[1]).cross(&at(f[2]))) / 6.0).sum();
            assert!((0.2e-3..0.6e-3).contains(&volume), "{side}: {volume} cubic metres, outward");
            let cap = closed.normals.last().expect("the new vertex")[0];
            assert!(if side == Side::Right { cap > 0.9 } else { cap < -0.9 }, "{side}: the cap looks towards the arm");
            assert!(!closed.close_wrist(), "{side}: nothing is left to close");
        }
    }
}
