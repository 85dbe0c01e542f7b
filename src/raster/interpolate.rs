//! Interpolation of any number of vertex attributes, and its gradient (kernels `raster/interpolate`,
//! `raster/interpolate_grad`).
//!
//! A pixel centre `p` sees a triangle whose corners have homogeneous pixels `h_i` (`h.xy / h.z` region pixels, `h.z` depth in
//! metres). With `u_i = h_i.xy − p h_i.z`, `b_i = u_j × u_k` and `λ_i = b_i / Σ b` (Olano & Greer 1997): attributes are
//! `Σ λ_i a_i`, depth is `Σ λ_i h_i.z`. All are differentiated to attributes and, through `b`, to positions.
//!
//! One invocation a covered pixel. Sums over pixels into vertices are fixed point: a contribution is cut at ±1024, a sum must
//! stay within ±2¹⁴ (positions: per millimetre), so a loss is to be scaled accordingly.

use crate::gpu::{Bound, Buffer, Gpu, GpuError, Recorder};
use crate::raster::Region;
use bytemuck::{Pod, Zeroable};

/// Kernel names.
pub const FORWARD: &str = "raster/interpolate";
/// Kernel names.
pub const GRADIENT: &str = "raster/interpolate_grad";

/// Most attributes of a vertex: software drivers leave loops of 65,535 rounds.
pub const MOST_NUMBERS: u32 = 4096;

/// Uniform of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub struct InterpolateParams {
    /// Attributes a vertex has.
    pub numbers: u32,
    /// Padding.
    pub pad: [u32; 3],
}

/// Vertex attributes and what pixels get of them, with the gradients of both; shared by regions that take turns.
pub struct Channels {
    /// Attributes a vertex has, N.
    pub numbers: u32,
    /// Attributes (V×N `f32`).
    pub attributes: Buffer,
    /// Fixed-point sums of their gradient (V×N `i32`), see [`super::from_fixed`]; added to, the caller clears them.
    pub attributes_grad: Buffer,
    /// Interpolated attributes (pixels×N `f32`), zero on the background.
    pub values: Buffer,
    /// Gradient of the loss to them, to be filled by the caller.
    pub values_grad: Buffer,
    /// Barycentrics of the triangle's corners and depth in metres (pixels×4 `f32`), zero on the background.
    pub surface: Buffer,
    /// Gradient of the loss to them, zero unless the caller fills it.
    pub surface_grad: Buffer,
}

impl Channels {
    /// For meshes of `vertices` vertices with `numbers` attributes each, seen in regions of at most `pixels` pixels.
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] or [`GpuError::OutOfMemory`].
    pub fn new(gpu: &Gpu, vertices: u32, numbers: u32, pixels: u32) -> Result<Self, GpuError> {
        if numbers > MOST_NUMBERS {
            return Err(GpuError::TooLarge {
                label: "attributes".to_owned(),
                bytes: u64::from(numbers),
                limit: u64::from(MOST_NUMBERS),
                what: "most attributes of a vertex",
            });
        }
        let zeros = |label, count: u32, each: u32| Buffer::zeros(gpu, label, u64::from(count) * u64::from(each) * 4);
        Ok(Self {
            numbers,
            attributes: zeros("attributes", vertices, numbers)?,
            attributes_grad: zeros("attributes' gradient", vertices, numbers)?,
            values: zeros("interpolated values", pixels, numbers)?,
            values_grad: zeros("values' gradient", pixels, numbers)?,
            surface: zeros("barycentrics and depth", pixels, 4)?,
            surface_grad: zeros("barycentrics' gradient", pixels, 4)?,
        })
    }
}

/// [`Channels`] bound to a region.
pub struct Interpolation {
    values: Buffer,
    surface: Buffer,
    bytes: [u64; 2],
    forward: Bound,
    gradient: Bound,
}

impl Interpolation {
    pub(super) fn new(channels: &Channels, pixels: u32, forward: Bound, gradient: Bound) -> Self {
        let bytes = [channels.numbers, 4].map(|n| u64::from(pixels) * u64::from(n) * 4);
        Self { values: channels.values.clone(), surface: channels.surface.clone(), bytes, forward, gradient }
    }

    /// Records values and surface of a region whose visibility was recorded before.
    pub fn record(&self, recorder: &mut Recorder, region: &Region) {
        recorder.clear_start(&self.values, self.bytes[0]);
        recorder.clear_start(&self.surface, self.bytes[1]);
        region.covered.dispatch(recorder, &self.forward);
    }

    /// Records the gradients to attributes and positions, from the channels' `values_grad` and `surface_grad`.
    pub fn record_grad(&self, recorder: &mut Recorder, region: &Region) {
        region.covered.dispatch(recorder, &self.gradient);
    }
}

/// CPU twins in `f64`.
pub mod reference {
    use crate::raster::reference::{Bary, RefMesh, RefView, V3, dot};

    /// Attributes and gradients of a picture, as in [`super::Channels`].
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct Picture {
        /// Interpolated attributes (pixels×N).
        pub values: Vec<f64>,
        /// Barycentrics and depth.
        pub surface: Vec<[f64; 4]>,
    }

    struct Seen {
        corners: [usize; 3],
        bary: Bary,
        depths: V3,
    }

    fn seen_at(view: &RefView, mesh: &RefMesh<'_>, pixel: usize, triangle: u32) -> Seen {
        let corners = mesh.faces[triangle as usize - 1].map(|v| v as usize);
        let depths = corners.map(|v| view.to_pixel(mesh.positions[v])[2]);
        let bary = view.barycentric(mesh, triangle as usize - 1, view.pixel_centre(pixel));
        Seen { corners, bary, depths }
    }

    /// Values and surface of every pixel, from `numbers` attributes a vertex.
    #[must_use]
    pub fn interpolate(view: &RefView, mesh: &RefMesh<'_>, ids: &[u32], attributes: &[f64], numbers: usize) -> Picture {
        let mut out = Picture { values: vec![0.0; ids.len() * numbers], surface: vec![[0.0; 4]; ids.len()] };
        for (pixel, &triangle) in ids.iter().enumerate().filter(|(_, t)| **t != 0) {
            let seen = seen_at(view, mesh, pixel, triangle);
            let [a, b, c] = seen.bary.lambda;
            out.surface[pixel] = [a, b, c, dot(seen.bary.lambda, seen.depths)];
            for k in 0..numbers {
                let corner = seen.corners.map(|v| attributes[v * numbers + k]);
                out.values[pixel * numbers + k] = dot(seen.bary.lambda, corner);
            }
        }
        out
    }

    /// Gradient of [`interpolate`]: to attributes (returned) and to positions, added to the last three of each vertex's
    /// numbers in `grads` (per millimetre).
    #[must_use]
    pub fn interpolate_grad(
        view: &RefView,
        mesh: &RefMesh<'_>,
        ids: &[u32],
        attributes: &[f64],
        picture_grad: &Picture,
        grads: &mut [f64],
    ) -> Vec<f64> {
        let numbers = picture_grad.values.len() / ids.len();
        let words = grads.len() / mesh.positions.len();
        let mut out = vec![0.0; attributes.len()];
        for (pixel, &triangle) in ids.iter().enumerate().filter(|(_, t)| **t != 0) {
            let Seen { corners, bary, depths } = seen_at(view, mesh, pixel, triangle);
            let [d0, d1, d2, d_depth] = picture_grad.surface[pixel];
            let mut d_lambda = [0, 1, 2].map(|i| [d0, d1, d2][i] + d_depth * depths[i]);
            for k in 0..numbers {
                let g = picture_grad.values[pixel * numbers + k];
                for i in 0..3 {
                    d_lambda[i] += g * attributes[corners[i] * numbers + k];
                    out[corners[i] * numbers + k] += g * bary.lambda[i];
                }
            }
            if !view.geometry {
                continue;
            }
            let mean = dot(d_lambda, bary.lambda);
            let d_b = d_lambda.map(|d| if bary.sum.abs() > 1e-12 { (d - mean) / bary.sum } else { 0.0 });
            let centre = view.pixel_centre(pixel);
            for i in 0..3 {
                let (j, k) = ((i + 1) % 3, (i + 2) % 3);
                // b_k = u_i × u_j and b_j = u_k × u_i.
                let d_u =
                    [-d_b[j] * bary.u[k][1] + d_b[k] * bary.u[j][1], d_b[j] * bary.u[k][0] - d_b[k] * bary.u[j][0]];
                let d_z = d_depth * bary.lambda[i] - (centre[0] * d_u[0] + centre[1] * d_u[1]);
                let world = view.to_pixel_grad([d_u[0], d_u[1], d_z]);
                for axis in 0..3 {
                    grads[(corners[i] + 1) * words - 3 + axis] += 1e-3 * world[axis];
                }
            }
        }
        out
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::cast_possible_truncation, reason = "small test data; f32 is what the GPU gets")]

    use super::reference::{Picture, interpolate, interpolate_grad};
    use super::*;
    use crate::gpu::testing::{self, Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::raster::reference::RefView;
    use crate::shading::testing::{Scene, central_difference, noise, worst_difference};
    use std::mem::offset_of;

    pub(crate) const CHECKS: &[KernelCheck] = &[
        KernelCheck {
            kernel: FORWARD,
            difference,
            edits: &[
                ("dot(lambda, seen.depths)", "seen.depths.x"),
                ("h0.xy - p * h0.z", "h0.xy / h0.z - p"),
                ("attributes[c + k]", "attributes[c]"),
            ],
            gradient: None,
        },
        KernelCheck {
            kernel: GRADIENT,
            difference,
            edits: &[
                ("d_surface.w * seen.depths", "d_surface.w"),
                ("d_z.y - dot(seen.centre, d_u1)", "d_z.x - dot(seen.centre, d_u1)"),
                ("to_fixed(g * lambda.z)", "to_fixed(g * lambda.y)"),
                ("(vertex + 1u) * words - 3u", "(vertex + 1u) * words - 2u"),
                ("(d_lambda - dot(d_lambda, lambda))", "d_lambda"),
            ],
            gradient: Some(gradient),
        },
    ];

    /// More attributes than a colour has, and not a multiple of four.
    const NUMBERS: usize = 7;

    #[test]
    fn layout_matches() {
        for kernel in [FORWARD, GRADIENT] {
            testing::assert_layout(
                kernel,
                "InterpolateParams",
                size_of::<InterpolateParams>(),
                &[
                    ("numbers", offset_of!(InterpolateParams, numbers)),
                    ("pad0", offset_of!(InterpolateParams, pad)),
                    ("pad1", offset_of!(InterpolateParams, pad) + 4),
                    ("pad2", offset_of!(InterpolateParams, pad) + 8),
                ],
            );
        }
    }

    fn numbers(count: usize, seed: u64) -> Vec<f64> {
        (0..count as u64).map(|i| f64::from(noise(seed * 1_000_003 + i) as f32)).collect()
    }

    fn attributes(scene: &Scene) -> Vec<f64> {
        numbers(scene.positions.len() * NUMBERS, 31)
    }

    /// A linear functional of everything that is interpolated.
    fn weights(scene: &Scene) -> Picture {
        let values = numbers(scene.ids.len() * NUMBERS, 32);
        // Depth counts in metres and its gradient per millimetre: weighed so that it is seen beside the barycentrics.
        let surface = scene.random_pixels(33).into_iter().map(|s| [s[0], s[1], s[2], 100.0 * s[3]]).collect();
        Picture { values, surface }
    }

    fn value(scene: &Scene, attributes: &[f64], weights: &Picture) -> f64 {
        let picture = interpolate(&RefView::from(&scene.view), &scene.mesh(), &scene.ids, attributes, NUMBERS);
        let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        sum(&picture.values, &weights.values) + sum(picture.surface.as_flattened(), weights.surface.as_flattened())
    }

    fn gradient(factor: f64) -> f64 {
        let scene = Scene::new();
        let (attributes, weights) = (attributes(&scene), weights(&scene));
        let mut grads = vec![0.0; scene.positions.len() * 3];
        let view = RefView::from(&scene.view);
        let attributes_grad = interpolate_grad(&view, &scene.mesh(), &scene.ids, &attributes, &weights, &mut grads);
        let mut worst = 0.0_f64;
        for vertex in 0..scene.positions.len() {
            for axis in 0..3 {
                let numeric = 1e-3
                    * central_difference(1e-7, |h| {
                        let mut moved = scene.clone();
                        moved.positions[vertex][axis] += h;
                        value(&moved, &attributes, &weights)
                    });
                let analytic = factor * grads[vertex * 3 + axis];
                worst = worst.max((numeric - analytic).abs() / (1e-4 * (1.0 + analytic.abs())));
            }
        }
        for (i, analytic) in attributes_grad.iter().enumerate().step_by(5) {
            let numeric = central_difference(1e-4, |h| {
                let mut moved = attributes.clone();
                moved[i] += h;
                value(&scene, &moved, &weights)
            });
            worst = worst.max((numeric - factor * analytic).abs() / (1e-6 * (1.0 + analytic.abs())));
        }
        worst
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        const TOLERANCE: f64 = 2e-3;
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let (attributes, weights) = (attributes(&scene), weights(&scene));
        let view = RefView::from(&scene.view);
        let expected = interpolate(&view, &scene.mesh(), &scene.ids, &attributes, NUMBERS);
        let vertices = scene.positions.len();
        let mut grads = vec![0.0; vertices * 3];
        let attributes_grad = interpolate_grad(&view, &scene.mesh(), &scene.ids, &attributes, &weights, &mut grads);

        let to_f32 = |v: &[f64]| v.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let b = scene.upload(test.gpu());
        let pixels = scene.ids.len();
        let (values, surface) = (test.zeros(pixels * NUMBERS), test.zeros(pixels * 4));
        let common = [
            ("view", &b.view),
            ("params", &test.uniform(&InterpolateParams { numbers: NUMBERS as u32, pad: [0; 3] })),
            ("covered", &b.covered),
            ("positions", &b.positions),
            ("faces", &b.faces),
            ("attributes", &test.storage(&to_f32(&attributes))),
        ];
        test.run(FORWARD, &[&common, &[("values", &values), ("surface", &surface)]], pixels);
        let (sums, positions) = (test.zeros(vertices * NUMBERS), test.zeros(vertices * 3));
        let gradient = [
            ("values_grad", &test.storage(&to_f32(&weights.values))),
            ("surface_grad", &b.pixels(test.gpu(), &weights.surface)),
            ("attributes_grad", &sums),
            ("grads", &positions),
        ];
        test.run(GRADIENT, &[&common, &gradient], pixels);
        let worst = worst_difference(&test.read(&values), &expected.values)
            .max(worst_difference(&test.read(&surface), expected.surface.as_flattened()))
            .max(b.worst_fixed(test.gpu(), &sums, &attributes_grad))
            .max(b.worst_fixed(test.gpu(), &positions, &grads));
        Some(worst / TOLERANCE)
    }

    #[test]
    fn too_many_attributes_are_refused() {
        let Some(gpu) = testing::gpu() else { return };
        let refused = Channels::new(&gpu, 3, MOST_NUMBERS + 1, 64);
        assert!(matches!(refused, Err(GpuError::TooLarge { .. })), "before anything is allocated");
    }
}
