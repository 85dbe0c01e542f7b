//! The differentiable rasteriser: visibility by hardware, antialiased silhouettes with gradients, everything per region
//! of a view.
//!
//! # Theory
//! A visibility buffer holds for every pixel of a region the triangle seen through its centre. Attributes are
//! interpolated with perspective-correct barycentrics (Olano & Greer 1997), so their gradients reach vertex positions.
//! Coverage is not differentiable through visibility, so colours are blended across silhouette edges by the covered
//! fraction (Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering", §3.3); unlike there a
//! silhouette edge is known from the mesh's true adjacency. Sums from pixels to vertices are i32 fixed point: the result
//! does not depend on their order.
//!
//! # Practice
//! [`ViewRegion`] is the uniform of one region; ids, colours and gradients are linear buffers of `height × width` records.
//! Kernels run over [`lists`] of the pixels that matter to them.

pub mod antialias;
pub mod cpu;
pub mod lists;
pub mod reference;
pub mod visibility;

use crate::camera::Camera;
use bytemuck::{Pod, Zeroable};

/// Nearest and farthest depth that is drawn, metres.
pub const DEPTH_RANGE: [f64; 2] = [0.05, 20.0];

/// Uniform `View` of the kernels: one region of one view.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct ViewRegion {
    /// Columns of the 4×4 matrix to clip space (y up, depth 0..1).
    pub clip_from_world: [[f32; 4]; 4],
    /// Rows of `P = K [R | t]`, region pixels from world metres.
    pub pixel_from_world: [[f32; 4]; 3],
    /// Region width, a multiple of 64.
    pub width: u32,
    /// Region height.
    pub height: u32,
    /// Row of this view in the list of lights.
    pub light: u32,
    /// 1 when gradients to positions and normals are wanted.
    pub geometry: u32,
}

impl ViewRegion {
    /// The uniform of a (cropped, scaled) camera; its width must be a multiple of 64.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
    pub fn new(camera: &Camera, light: u32, geometry: bool) -> Self {
        debug_assert!(camera.width_px.is_multiple_of(64), "rows of a texture copy are multiples of 256 bytes");
        let p = camera.projection();
        let [near, far] = DEPTH_RANGE;
        let (w, h) = (f64::from(camera.width_px), f64::from(camera.height_px));
        let mut clip = [[0.0_f32; 4]; 4];
        for column in 0..4 {
            let (x, y, z) = (p[(0, column)], p[(1, column)], p[(2, column)]);
            clip[column] = [
                (2.0 * x / w - z) as f32,
                (z - 2.0 * y / h) as f32,
                (far / (far - near) * (z - if column == 3 { near } else { 0.0 })) as f32,
                z as f32,
            ];
        }
        let row = |r: usize| [0, 1, 2, 3].map(|c| p[(r, c)] as f32);
        Self {
            clip_from_world: clip,
            pixel_from_world: [row(0), row(1), row(2)],
            width: camera.width_px,
            height: camera.height_px,
            light,
            geometry: u32::from(geometry),
        }
    }

    /// Number of pixels.
    #[must_use]
    pub const fn pixels(&self) -> u32 {
        self.width * self.height
    }
}
