//! Loop subdivision (Loop 1987, with Warren's weights): stencils made once, applied to any per-vertex attribute.
//!
//! Even vertices keep their index (so level k is a prefix of level k+1) and odd vertices follow in the order of
//! [`Topology::edges`]. Interior odd: 3/8 of the edge's ends, 1/8 of the opposite corners. Interior even of valence n:
//! β = 3/(8n), or 3/16 at n = 3 (Warren 1995; Loop's own β = (40 − (3 + 2 cos 2π/n)²)/(64n) is the same at n = 3 and 6).
//! Boundary: 1/2–1/2 and 1/8–3/4–1/8 (the cubic B-spline curve), corners included.
//!
//! UVs are refined by midpoints, not smoothed: an island's outline then stays where it was drawn, and the layout of every
//! level is the same piecewise linear map, so a texture baked at one level fits all others. Smoothing would pull outlines
//! inwards by another amount at every level, away from the padding that was painted for them.

use super::{Stencils, Topology};
use std::sync::{Arc, OnceLock};

/// Deepest level: 4 makes 256 triangles of one.
pub const MAX_LEVEL: usize = 4;

/// One level: stencils and the fine triangles.
#[derive(Clone, Debug)]
pub struct LoopStep {
    /// Rows `fine = S · coarse`.
    pub stencils: Stencils,
    /// Triangles of the fine mesh; `4f..4f+4` are the children of coarse triangle `f` (three corners, then the middle).
    pub faces: Vec<[u32; 3]>,
}

impl LoopStep {
    /// The stencils that refine `topology` once.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^30 vertices")]
    pub fn new(topology: &Topology) -> Self {
        let v = topology.vertices;
        let mut step = Self { stencils: Stencils::new(v), faces: Vec::with_capacity(topology.faces.len() * 4) };
        let mut boundary: Vec<Vec<u32>> = vec![Vec::new(); v];
        for edge in topology.edges.iter().filter(|e| e.faces[1].is_none()) {
            let [a, b] = edge.vertices;
            boundary[a as usize].push(b);
            boundary[b as usize].push(a);
        }
        for (vertex, along_boundary) in boundary.iter().enumerate() {
            let mut row: Vec<(u32, f64)> = Vec::new();
            if let [a, b] = along_boundary[..] {
                row.extend([(a, 0.125), (vertex as u32, 0.75), (b, 0.125)]);
            } else if !along_boundary.is_empty() || topology.neighbours_of(vertex).is_empty() {
                row.push((vertex as u32, 1.0));
            } else {
                let ring = topology.neighbours_of(vertex);
                let n = ring.len() as f64;
                let beta = if ring.len() == 3 { 3.0 / 16.0 } else { 3.0 / (8.0 * n) };
                row.push((vertex as u32, 1.0 - n * beta));
                row.extend(ring.iter().map(|&r| (r, beta)));
            }
            step.stencils.push_row(row);
        }
        for edge in &topology.edges {
            let [a, b] = edge.vertices;
            let opposite =
                |f: u32| topology.faces[f as usize].iter().copied().find(|c| !edge.vertices.contains(c)).unwrap_or(a);
            if let [Some(f), Some(g)] = edge.faces {
                step.stencils.push_row(vec![(a, 0.375), (b, 0.375), (opposite(f), 0.125), (opposite(g), 0.125)]);
            } else {
                step.stencils.push_row(vec![(a, 0.5), (b, 0.5)]);
            }
        }
        for (face, edges) in topology.faces.iter().zip(&topology.face_edges) {
            let [e0, e1, e2] = edges.map(|e| v as u32 + e);
            step.faces.extend([[face[0], e0, e2], [e0, face[1], e1], [e2, e1, face[2]], [e0, e1, e2]]);
        }
        step
    }

    /// Vertices after the step.
    #[must_use]
    pub fn fine_vertices(&self) -> usize {
        self.stencils.fine_vertices()
    }

    /// Carries an attribute with `N` numbers a vertex to the fine mesh.
    ///
    /// # Panics
    /// When `coarse` has another number of vertices than the topology.
    #[must_use]
    pub fn apply<const N: usize>(&self, coarse: &[[f64; N]]) -> Vec<[f64; N]> {
        self.stencils.apply(coarse)
    }
}

/// Refines a UV layout once, by midpoints (corners of a UV island must not shrink): returns the new UVs and corner indices
/// in the face order of [`LoopStep::faces`].
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "meshes here have far fewer than 2^30 vertices")]
pub fn midpoint_uvs(uvs: &[[f64; 2]], corners: &[[u32; 3]]) -> (Vec<[f64; 2]>, Vec<[u32; 3]>) {
    let topology = Topology::new(uvs.len(), corners);
    let mut out = uvs.to_vec();
    out.extend(topology.edges.iter().map(|e| {
        let [a, b] = e.vertices.map(|i| uvs[i as usize]);
        [0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])]
    }));
    let base = uvs.len() as u32;
    let faces = topology
        .faces
        .iter()
        .zip(&topology.face_edges)
        .flat_map(|(c, edges)| {
            let [e0, e1, e2] = edges.map(|e| base + e);
            [[c[0], e0, e2], [e0, c[1], e1], [e2, e1, c[2]], [e0, e1, e2]]
        })
        .collect();
    (out, faces)
}

/// The levels 0 to `deepest` of one mesh with its UV layout, built once and shared.
#[derive(Debug)]
pub struct SubdivisionLevels {
    steps: Vec<LoopStep>,
    coarse_vertices: usize,
    coarse_faces: Vec<[u32; 3]>,
    /// UVs of the deepest level; those of level k are a prefix.
    uvs: Vec<[f64; 2]>,
    uv_counts: Vec<usize>,
    uv_faces: Vec<Vec<[u32; 3]>>,
    /// Composed stencils from level 0, made when first asked for.
    from_coarse: [OnceLock<Arc<Stencils>>; MAX_LEVEL + 1],
}

impl SubdivisionLevels {
    /// Subdivides `deepest` times. `uv_faces` are the UV corners of `faces`, or empty.
    ///
    /// # Panics
    /// When `deepest` is more than [`MAX_LEVEL`].
    #[must_use]
    pub fn new(vertices: usize, faces: &[[u32; 3]], uvs: &[[f64; 2]], uv_faces: &[[u32; 3]], deepest: usize) -> Self {
        assert!(deepest <= MAX_LEVEL, "level {deepest} is deeper than {MAX_LEVEL}");
        let mut levels = Self {
            steps: Vec::with_capacity(deepest),
            coarse_vertices: vertices,
            coarse_faces: faces.to_vec(),
            uvs: uvs.to_vec(),
            uv_counts: vec![uvs.len()],
            uv_faces: vec![uv_faces.to_vec()],
            from_coarse: Default::default(),
        };
        for level in 0..deepest {
            let step = LoopStep::new(&Topology::new(levels.vertices(level), levels.faces(level)));
            levels.steps.push(step);
            let (uvs, corners) = midpoint_uvs(&levels.uvs, &levels.uv_faces[level]);
            levels.uv_counts.push(uvs.len());
            levels.uvs = uvs;
            levels.uv_faces.push(corners);
        }
        levels
    }

    /// The deepest level there is.
    #[must_use]
    pub fn deepest(&self) -> usize {
        self.steps.len()
    }

    /// Number of vertices of a level.
    ///
    /// # Panics
    /// Here and below: when the level is deeper than [`Self::deepest`].
    #[must_use]
    pub fn vertices(&self, level: usize) -> usize {
        level.checked_sub(1).map_or(self.coarse_vertices, |k| self.steps[k].fine_vertices())
    }

    /// Carries an attribute with `N` numbers a vertex from a level to the next.
    #[must_use]
    pub fn to_next<const N: usize>(&self, level: usize, values: &[[f64; N]]) -> Vec<[f64; N]> {
        self.steps[level].apply(values)
    }

    /// Triangles of a level; triangle `4f..4f+4` of the next one are the children of `f`.
    #[must_use]
    pub fn faces(&self, level: usize) -> &[[u32; 3]] {
        level.checked_sub(1).map_or(&self.coarse_faces, |k| &self.steps[k].faces)
    }

    /// UV coordinates of a level, v up.
    #[must_use]
    pub fn uvs(&self, level: usize) -> &[[f64; 2]] {
        &self.uvs[..self.uv_counts[level]]
    }

    /// UV corners of a level's triangles.
    #[must_use]
    pub fn uv_faces(&self, level: usize) -> &[[u32; 3]] {
        &self.uv_faces[level]
    }

    /// Carries an attribute of the coarse mesh to a level, step by step.
    ///
    /// # Panics
    /// When `coarse` has another number of vertices than the mesh.
    #[must_use]
    pub fn refine<const N: usize>(&self, level: usize, coarse: &[[f64; N]]) -> Vec<[f64; N]> {
        self.steps[..level].iter().fold(coarse.to_vec(), |values, step| step.apply(&values))
    }

    /// The composed matrix from level 0 to `level`: for attributes that are carried over and over.
    #[must_use]
    pub fn fine_from_coarse(&self, level: usize) -> Arc<Stencils> {
        let compose = || {
            let steps = &self.steps[..level];
            let whole = steps.split_first().map_or_else(
                || Stencils::identity(self.coarse_vertices),
                |(first, rest)| rest.iter().fold(first.stencils.clone(), |sum, step| sum.then(&step.stencils)),
            );
            Arc::new(whole)
        };
        Arc::clone(self.from_coarse[level].get_or_init(compose))
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
