//! The subdivided hands as one mesh: both hands in one visibility buffer, so that they occlude each other.

use crate::anatomy::Side;
use crate::hand::{HandModel, PosedHand};
use crate::mesh::{SubdivisionLevels, Topology};
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
    /// Stencils of all levels up to this one, for whatever else is to be carried to the fine mesh.
    pub levels: Arc<SubdivisionLevels>,
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

/// Level shown while computing, and while a hand is posed by hand.
pub const DISPLAY_LEVEL: usize = 2;

impl FineMesh {
    /// Subdivides each posed hand `level` times.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^32 vertices")]
    pub fn new(hands: &[(&HandModel, &PosedHand)], level: usize) -> Self {
        let mut positions = Vec::new();
        let mut all_faces = Vec::new();
        let mut fine_hands = Vec::new();
        for (model, posed) in hands {
            let levels = SubdivisionLevels::new(model.template.len(), &model.faces, &model.uvs, &model.uv_faces, level);
            let p = levels.refine(level, &posed.vertices);
            let faces = levels.faces(level).to_vec();
            let start = positions.len();
            all_faces.extend(faces.iter().map(|f| f.map(|v| v + start as u32)));
            positions.extend(p);
            fine_hands.push(FineHand {
                side: model.side,
                vertices: start..positions.len(),
                faces: Arc::new(faces),
                display_faces: Arc::new(levels.faces(level.min(DISPLAY_LEVEL)).to_vec()),
                uvs: Arc::new(levels.uvs(level).to_vec()),
                uv_faces: Arc::new(levels.uv_faces(level).to_vec()),
                levels: Arc::new(levels),
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
