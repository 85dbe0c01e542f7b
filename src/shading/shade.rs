//! Shading of a region and its gradients (kernels `shading/shade`, `shading/shade_grad`, `shading/lighting_grad`).
//!
//! `colour = gain ∘ ρ · r(n)`. Gradients: to albedo, to vertex normals, to positions through the perspective-correct
//! barycentrics (per millimetre), and to the twelve numbers of the light. One invocation a covered pixel; sums over pixels
//! into vertices are fixed point, sums into the light go workgroup by workgroup in a fixed order.

/// Kernel names.
pub const FORWARD: &str = "shading/shade";
/// Kernel names.
pub const GRADIENT: &str = "shading/shade_grad";
/// Kernel names.
pub const LIGHT_GRADIENT: &str = "shading/lighting_grad";

/// Workgroups of `shading/lighting_grad`, each of which leaves one partial sum.
pub const LIGHT_GROUPS: u32 = 128;

/// CPU twins in `f64`.
pub mod reference {
    use crate::raster::reference::{RefMesh, RefView, V3, dot, mix};
    use crate::shading::{LIGHT_STRIDE, sh_basis};

    /// Per-vertex attributes and lights.
    #[derive(Clone, Copy, Debug)]
    pub struct Attributes<'a> {
        /// Unit vertex normals.
        pub normals: &'a [V3],
        /// Vertex albedo.
        pub albedo: &'a [V3],
        /// Twelve numbers a light.
        pub lights: &'a [f64],
    }

    struct Pixel {
        face: [usize; 3],
        lambda: V3,
        u: [[f64; 2]; 3],
        sum: f64,
        m_length: f64,
        n: V3,
        rho: V3,
        c: [f64; 9],
        gain: V3,
        r: f64,
    }

    fn at_pixel(view: &RefView, mesh: &RefMesh<'_>, a: &Attributes<'_>, pixel: usize, triangle: u32) -> Pixel {
        let face = mesh.faces[triangle as usize - 1].map(|v| v as usize);
        let b = view.barycentric(mesh, triangle as usize - 1, view.pixel_centre(pixel));
        let m = mix(b.lambda, face.map(|v| a.normals[v]));
        let m_length = dot(m, m).sqrt().max(1e-12);
        let n = m.map(|x| x / m_length);
        let rho = mix(b.lambda, face.map(|v| a.albedo[v]));
        let light = &a.lights[view.light * LIGHT_STRIDE..][..LIGHT_STRIDE];
        let mut c = [0.0; 9];
        c.copy_from_slice(&light[..9]);
        let r = sh_basis(n).iter().zip(&c).map(|(b, c)| b * c).sum();
        Pixel {
            face,
            lambda: b.lambda,
            u: b.u,
            sum: b.sum,
            m_length,
            n,
            rho,
            c,
            gain: [light[9], light[10], light[11]],
            r,
        }
    }

    /// Plain colours (RGBA) of a region.
    #[must_use]
    pub fn shade(view: &RefView, mesh: &RefMesh<'_>, a: &Attributes<'_>, ids: &[u32]) -> Vec<[f64; 4]> {
        let mut out = vec![[0.0; 4]; ids.len()];
        for (pixel, &triangle) in ids.iter().enumerate().filter(|(_, t)| **t != 0) {
            let p = at_pixel(view, mesh, a, pixel, triangle);
            out[pixel] = [p.gain[0] * p.r * p.rho[0], p.gain[1] * p.r * p.rho[1], p.gain[2] * p.r * p.rho[2], 1.0];
        }
        out
    }

    /// Gradient of the irradiance with coefficients `c` to the normal.
    #[must_use]
    pub fn sh_grad(c: &[f64; 9], n: V3) -> V3 {
        let [x, y, z] = n;
        [
            c[3] + c[4] * y - 2.0 * c[6] * x + c[7] * z + 2.0 * c[8] * x,
            c[1] + c[4] * x + c[5] * z - 2.0 * c[6] * y - 2.0 * c[8] * y,
            c[2] + c[5] * y + 4.0 * c[6] * z + c[7] * x,
        ]
    }

    fn add(grads: &mut [f64], vertex: usize, slot: usize, value: V3, factor: f64) {
        for k in 0..3 {
            grads[vertex * 9 + slot + k] += factor * value[k];
        }
    }

    /// Gradient of [`shade`], added to `grads` (9 a vertex: albedo, normal, position per millimetre).
    pub fn shade_grad(
        view: &RefView,
        mesh: &RefMesh<'_>,
        a: &Attributes<'_>,
        ids: &[u32],
        colours_grad: &[[f64; 4]],
        grads: &mut [f64],
    ) {
        for (pixel, &triangle) in ids.iter().enumerate().filter(|(_, t)| **t != 0) {
            let p = at_pixel(view, mesh, a, pixel, triangle);
            let g = colours_grad[pixel];
            let d_rho = [0, 1, 2].map(|k| g[k] * p.gain[k] * p.r);
            for i in 0..3 {
                add(grads, p.face[i], 0, d_rho, p.lambda[i]);
            }
            if !view.geometry {
                continue;
            }
            let scale: f64 = (0..3).map(|k| g[k] * p.gain[k] * p.rho[k]).sum();
            let d_n = sh_grad(&p.c, p.n).map(|x| scale * x);
            let along = dot(p.n, d_n);
            let d_m = [0, 1, 2].map(|k| (d_n[k] - p.n[k] * along) / p.m_length);
            for i in 0..3 {
                add(grads, p.face[i], 3, d_m, p.lambda[i]);
            }
            if p.sum.abs() <= 1e-12 {
                continue;
            }
            let d_lambda = p.face.map(|v| dot(d_rho, a.albedo[v]) + dot(d_m, a.normals[v]));
            let mean = dot(d_lambda, p.lambda);
            let d_b = d_lambda.map(|d| (d - mean) / p.sum);
            let centre = view.pixel_centre(pixel);
            for i in 0..3 {
                let (j, k) = ((i + 1) % 3, (i + 2) % 3);
                // b_k = u_i × u_j and b_j = u_k × u_i.
                let d_u = [-d_b[j] * p.u[k][1] + d_b[k] * p.u[j][1], d_b[j] * p.u[k][0] - d_b[k] * p.u[j][0]];
                let d_h = [d_u[0], d_u[1], -(centre[0] * d_u[0] + centre[1] * d_u[1])];
                add(grads, p.face[i], 6, view.to_pixel_grad(d_h), 1e-3);
            }
        }
    }

    /// Gradient of [`shade`] to the region's light.
    #[must_use]
    pub fn lighting_grad(
        view: &RefView,
        mesh: &RefMesh<'_>,
        a: &Attributes<'_>,
        ids: &[u32],
        colours_grad: &[[f64; 4]],
    ) -> [f64; LIGHT_STRIDE] {
        let mut out = [0.0; LIGHT_STRIDE];
        for (pixel, &triangle) in ids.iter().enumerate().filter(|(_, t)| **t != 0) {
            let p = at_pixel(view, mesh, a, pixel, triangle);
            let g = colours_grad[pixel];
            let d_r: f64 = (0..3).map(|k| g[k] * p.gain[k] * p.rho[k]).sum();
            for (o, b) in out.iter_mut().zip(sh_basis(p.n)) {
                *o += d_r * b;
            }
            for k in 0..3 {
                out[9 + k] += g[k] * p.r * p.rho[k];
            }
        }
        out
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::LIGHT_GROUPS;
    use super::reference::{lighting_grad, shade, shade_grad};
    use crate::gpu::testing::{Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::raster::reference::RefView;
    use crate::shading::testing::{Scene, central_difference, worst_difference};

    pub(crate) const CHECKS: &[KernelCheck] = &[
        KernelCheck {
            kernel: super::FORWARD,
            difference,
            edits: &[
                ("c[7] * n.z * n.x", "c[7] * n.z * n.y"),
                ("s.normal = m / s.m_length", "s.normal = m"),
                ("light.gain * sh_dot", "light.gain.x * sh_dot"),
                ("h0.xy - p * h0.z", "h0.xy / h0.z - p"),
            ],
            gradient: None,
        },
        KernelCheck {
            kernel: super::GRADIENT,
            difference,
            edits: &[
                ("d_n - n * dot(n, d_n)", "d_n"),
                ("4.0 * c[6] * n.z", "2.0 * c[6] * n.z"),
                ("dot(d_lambda, b.lambda)", "0.9 * dot(d_lambda, b.lambda)"),
                ("-dot(s.centre, d_u1)", "dot(s.centre, d_u1)"),
                ("d_b.x * vec2<f32>(b.u2.y, -b.u2.x)", "d_b.x * vec2<f32>(b.u2.y, b.u2.x)"),
            ],
            gradient: Some(gradient),
        },
        KernelCheck {
            kernel: super::LIGHT_GRADIENT,
            difference,
            edits: &[
                ("2.0 * n.z * n.z - n.x * n.x - n.y * n.y, n.z", "2.0 * n.z * n.z - n.x * n.x, n.z"),
                ("g * r * rho", "g * rho"),
                ("i < 64u", "i < 63u"),
            ],
            gradient: Some(gradient),
        },
    ];

    fn value(scene: &Scene, weights: &[[f64; 4]]) -> f64 {
        let out = shade(&RefView::from(&scene.view), &scene.mesh(), &scene.attributes(), &scene.ids);
        out.iter().zip(weights).map(|(c, w)| (0..3).map(|k| c[k] * w[k]).sum::<f64>()).sum()
    }

    /// Lane by lane: albedo, normals, positions, light.
    fn gradient(factor: f64) -> f64 {
        let scene = Scene::new();
        let view = RefView::from(&scene.view);
        let weights = scene.random_pixels(3);
        let mut grads = vec![0.0; scene.positions.len() * 9];
        shade_grad(&view, &scene.mesh(), &scene.attributes(), &scene.ids, &weights, &mut grads);
        let light = lighting_grad(&view, &scene.mesh(), &scene.attributes(), &scene.ids, &weights);
        let mut worst = 0.0_f64;
        let mut check = |analytic: f64, numeric: f64| {
            worst = worst.max((factor * analytic - numeric).abs() / (1e-5 * (1.0 + analytic.abs())));
        };
        for v in 0..scene.positions.len() {
            for axis in 0..3 {
                let lane = |edit: &dyn Fn(&mut Scene, f64)| {
                    central_difference(1e-6, |h| {
                        let mut moved = scene.clone();
                        edit(&mut moved, h);
                        value(&moved, &weights)
                    })
                };
                check(grads[v * 9 + axis], lane(&|s, h| s.albedo[v][axis] += h));
                check(grads[v * 9 + 3 + axis], lane(&|s, h| s.normals[v][axis] += h));
                check(grads[v * 9 + 6 + axis], 1e-3 * lane(&|s, h| s.positions[v][axis] += h));
            }
        }
        for (k, &analytic) in light.iter().enumerate() {
            let numeric = central_difference(1e-6, |h| {
                let mut moved = scene.clone();
                moved.lights[12 + k] += h;
                value(&moved, &weights)
            });
            check(analytic, numeric);
        }
        worst
    }

    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let scene = Scene::new();
        let view = RefView::from(&scene.view);
        let weights = scene.random_pixels(3);
        let a = scene.attributes();
        let colours = shade(&view, &scene.mesh(), &a, &scene.ids);
        let mut grads = vec![0.0; scene.positions.len() * 9];
        shade_grad(&view, &scene.mesh(), &a, &scene.ids, &weights, &mut grads);
        let light = lighting_grad(&view, &scene.mesh(), &a, &scene.ids, &weights);

        let b = scene.upload(test.gpu());
        let w = b.pixels(test.gpu(), &weights);
        let pixels = scene.ids.len();
        let (out, sums) = (test.zeros(pixels * 4), test.zeros(grads.len()));
        let partials = test.zeros(LIGHT_GROUPS as usize * 12);
        let common = [
            ("view", &b.view),
            ("covered", &b.covered),
            ("positions", &b.positions),
            ("normals", &b.normals),
            ("albedo", &b.albedo),
            ("faces", &b.faces),
            ("lights", &b.lights),
        ];
        test.run(super::FORWARD, &[&common, &[("colours", &out)]], pixels);
        test.run(super::GRADIENT, &[&common, &[("colours_grad", &w), ("grads", &sums)]], pixels);
        let lighting = [("colours_grad", &w), ("partials", &partials)];
        test.run(super::LIGHT_GRADIENT, &[&common, &lighting], LIGHT_GROUPS as usize * 64);
        let mut summed = [0.0_f32; 12];
        for record in test.read::<f32>(&partials).chunks(12) {
            for k in 0..12 {
                summed[k] += record[k];
            }
        }
        let colours: Vec<f64> = colours.iter().flatten().copied().collect();
        let worst = [
            worst_difference(&test.read(&out), &colours) / 1e-3,
            b.worst_fixed(test.gpu(), &sums, &grads) / 2e-3,
            worst_difference(&summed, &light) / 2e-3,
        ];
        Some(worst.into_iter().fold(0.0, f64::max))
    }
}
