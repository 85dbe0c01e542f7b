//! The subdivided hands as one mesh: both hands in one visibility buffer, so that they occlude each other.

use crate::anatomy::Side;
use crate::hand::{HandModel, PosedHand};
use crate::mesh::{LoopStep, Topology, midpoint_uvs};
use std::ops::Range;
use std::sync::Arc;

/// One hand's part of the fine mesh.
#[derive(Clone, Debug)]
pub struct FineHand {
    /// Side.
    pub side: Side,
    /// Its vertices.
    pub vertices: Range<usize>,
    /// Its triangles, indices from the start of its own vertices.
    pub faces: Arc<Vec<[u32; 3]>>,
    /// Triangles of the level shown while computing (at most 2): they address a prefix of the vertices.
    pub display_faces: Arc<Vec<[u32; 3]>>,
    /// UV coordinates at the fine level.
    pub uvs: Arc<Vec<[f64; 2]>>,
    /// UV corners of the fine triangles.
    pub uv_faces: Arc<Vec<[u32; 3]>>,
}

/// All hands together.
#[derive(Clone, Debug)]
pub struct FineMesh {
    /// Start positions, world metres.
    pub positions: Vec<[f64; 3]>,
    /// Adjacency of everything.
    pub topology: Topology,
    /// The hands, in order of their vertices.
    pub hands: Vec<FineHand>,
}

const DISPLAY_LEVEL: usize = 2;

impl FineMesh {
    /// Subdivides each posed hand `level` times.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 vertices")]
    pub fn new(hands: &[(&HandModel, &PosedHand)], level: usize) -> Self {
        let mut positions = Vec::new();
        let mut all_faces = Vec::new();
        let mut fine_hands = Vec::new();
        for (model, posed) in hands {
            let mut p = posed.vertices.clone();
            let mut faces = model.faces.clone();
            let (mut uvs, mut uv_faces) = (model.uvs.clone(), model.uv_faces.clone());
            let mut display = faces.clone();
            for k in 0..level {
                let step = LoopStep::new(&Topology::new(p.len(), &faces));
                p = step.apply(&p);
                (uvs, uv_faces) = midpoint_uvs(&uvs, &uv_faces);
                faces = step.faces;
                if k < DISPLAY_LEVEL {
                    display.clone_from(&faces);
                }
            }
            let start = positions.len();
            all_faces.extend(faces.iter().map(|f| f.map(|v| v + start as u32)));
            positions.extend(p);
            fine_hands.push(FineHand {
                side: model.side,
                vertices: start..positions.len(),
                faces: Arc::new(faces),
                display_faces: Arc::new(display),
                uvs: Arc::new(uvs),
                uv_faces: Arc::new(uv_faces),
            });
        }
        let topology = Topology::new(positions.len(), &all_faces);
        Self { positions, topology, hands: fine_hands }
    }

    /// Mean squared length of all edges, m².
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "edge counts are small")]
    pub fn mean_squared_edge(&self) -> f64 {
        let squared = |e: &crate::mesh::Edge| {
            let [a, b] = e.vertices.map(|v| self.positions[v as usize]);
            (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>()
        };
        self.topology.edges.iter().map(squared).sum::<f64>() / self.topology.edges.len().max(1) as f64
    }
}
