//! The differentiable rasteriser: visibility by hardware, interpolated attributes and antialiased silhouettes with
//! gradients, everything per region of a view. It knows nothing of hands and can be used alone.
//!
//! # Theory
//! A visibility buffer holds for every pixel of a region the triangle seen through its centre. Attributes are
//! interpolated with perspective-correct barycentrics (Olano & Greer 1997), so their gradients reach vertex positions.
//! Coverage is not differentiable through visibility, so colours are blended across silhouette edges by the covered
//! fraction (Laine et al. 2020, "Modular Primitives for High-Performance Differentiable Rendering", §3.3). Unlike there, a
//! silhouette is found by following the surface over the mesh's true adjacency ([`antialias`]), so that meshes finer than
//! pixels have silhouettes too, against the background as against another surface. Sums from pixels to vertices are i32
//! fixed point: the result does not depend on their order.
//!
//! # What has a gradient, and what has not
//! | of | to attributes | to positions |
//! | --- | --- | --- |
//! | interpolated attributes, barycentrics, depth ([`interpolate`]) | yes | yes |
//! | antialiased colours ([`antialias`]) | through the plain colours | yes, where a surface ends |
//! | where two surfaces cut through each other | through the plain colours | no |
//!
//! At corners of outlines both directions blend, so that coverage there is a few hundredths off.
//!
//! # Practice
//! [`Rasteriser`] holds the compiled kernels, [`RasterMesh`] a mesh, [`Workspace`] memory that regions share, [`Region`] one
//! region of one view: any crop of any pinhole camera whose width is a multiple of 64. Work is recorded; as many regions as
//! one likes go into one submit. Attributes are [`Channels`], of any number N; four of them (premultiplied RGBA) can be
//! antialiased. Kernels run over [`lists`] of the pixels that matter to them; ids, values and gradients are linear buffers of
//! `height × width` records. Every kernel has a twin in `f64` in a module `reference`.
//!
//! The loss is the caller's: it reads `smooth` and writes the gradient, on the host or by a kernel of its own. A step of a
//! silhouette fit, with a host loss (`examples/fit_a_silhouette.rs` has the whole of it):
//! ```no_run
//! # use thenar::{camera::Camera, gpu::{Buffer, DeviceChoice, Gpu, GpuError}, mesh::Topology};
//! # use thenar::raster::{Channels, RasterMesh, Rasteriser, Workspace, from_fixed};
//! # fn step(topology: &Topology, positions: &[[f32; 3]], camera: &Camera, target: &[f32]) -> Result<(), GpuError> {
//! let gpu = Gpu::new(&DeviceChoice::Auto)?;
//! let rasteriser = Rasteriser::new(&gpu)?;
//! let mesh = RasterMesh::new(&gpu, topology, positions)?;
//! let workspace = Workspace::new(&gpu, camera.width_px, camera.height_px)?;
//! let region = rasteriser.bind_region(&mesh, &workspace, camera, 0)?;
//! region.write_geometry(&gpu, true); // gradients to positions are wanted
//! let pixels = region.region.pixels();
//!
//! // RGBA a vertex: white, and covering what is behind.
//! let channels = Channels::new(&gpu, mesh.vertices, 4, pixels)?;
//! channels.attributes.write(&gpu, &vec![1.0_f32; 4 * positions.len()]);
//! let position_grad = mesh.position_grad(&gpu)?;
//! let colours = rasteriser.bind_interpolation(&mesh, &region, &channels, &position_grad)?;
//! let smooth = Buffer::zeros(&gpu, "smooth", u64::from(pixels) * 16)?;
//! let smooth_grad = Buffer::zeros(&gpu, "smooth gradient", u64::from(pixels) * 16)?;
//! let blend = rasteriser.bind_antialias(&mesh, &region, &channels.values, &smooth)?;
//! let gradients = [&smooth_grad, &channels.values_grad];
//! let blend_grad = rasteriser.bind_antialias_grad(&mesh, &region, &channels.values, gradients, &position_grad)?;
//!
//! let mut forward = gpu.recorder("forward");
//! rasteriser.record_visibility(&mut forward, &mesh, &workspace, &region);
//! colours.record(&mut forward, &region);
//! blend.record(&mut forward, &region);
//! forward.submit()?;
//!
//! // Loss: the squared error of coverage.
//! let image: Vec<[f32; 4]> = gpu.read(&smooth)?;
//! let miss = |(rgba, wanted): (&[f32; 4], &f32)| [0.0, 0.0, 0.0, 2.0 * (rgba[3] - wanted)];
//! smooth_grad.write(&gpu, &image.iter().zip(target).map(miss).collect::<Vec<[f32; 4]>>());
//!
//! let mut backward = gpu.recorder("backward");
//! backward.clear(&position_grad);
//! blend_grad.record(&mut backward, &region);
//! colours.record_grad(&mut backward, &region);
//! backward.submit()?;
//! let per_mm: Vec<f32> = from_fixed(&gpu.read(&position_grad)?); // d loss / d position, three a vertex
//! # Ok(())
//! # }
//! ```

pub mod antialias;
pub mod cpu;
pub mod interpolate;
pub mod lists;
mod rasteriser;
pub mod reference;
pub mod visibility;
#[cfg(test)]
mod whole_image;

pub use interpolate::{Channels, Interpolation};
pub use rasteriser::{Blending, Part, RasterMesh, Rasteriser, Region, Workspace, padded};

use crate::camera::Camera;
use bytemuck::{Pod, Zeroable};

/// Nearest and farthest depth that is drawn, metres.
pub const DEPTH_RANGE: [f64; 2] = [0.05, 20.0];

/// Numbers from fixed-point sums (`shaders/common/fixed_point.wgsl`): 2¹⁶ is one.
#[must_use]
pub fn from_fixed(sums: &[i32]) -> Vec<f32> {
    sums.iter().map(|&sum| sum as f32 / 65536.0).collect()
}

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
    /// A number that is the caller's; in this project the row of the view in the list of lights.
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
