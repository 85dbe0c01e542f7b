//! Antialiasing of silhouette edges and its gradient (kernels `raster/antialias`, `raster/antialias_grad`).
//!
//! For two neighbouring pixels, the surface that is nearer ends between their centres at distance `t` from the front
//! pixel's centre. The front colour then covers `t − 1/2` of the other pixel, or leaves `1/2 − t` of its own to the other.
//! Both colours and `t` are differentiable; nothing else is.
//!
//! Each stretch of an outline counts once: in horizontal pairs where it is steep, in vertical ones where it is flat. Blended
//! in both, coverage is too high on one side of a pixel's centre and too low on the other, and the gradient is
//! twice what the picture changes by over a way (`whole_image` integrates it).
//!
//! Where the surface ends is found by following it from the front pixel's triangle across its edges, by the mesh's own
//! adjacency, to the first edge that has no other side or whose other side folds back. Looking at the edges of the front
//! pixel's triangle alone, as published, misses most silhouettes of a fine mesh: the last triangles before the outline are
//! seen at a grazing angle, thinner than a pixel, and no pixel's centre sees them.
//!
//! One invocation a pixel at a silhouette ([`super::lists`]); only the gradient to vertices is summed atomically (fixed
//! point).

/// Kernel names.
pub const FORWARD: &str = "raster/antialias";
/// Kernel names.
pub const GRADIENT: &str = "raster/antialias_grad";
/// Kernel names. Marks the pixels near which there may be a silhouette; the other two kernels skip pairs of covered pixels
/// without a mark.
pub const MARK: &str = "raster/mark_silhouettes";
/// The mark in a pixel's word; the rest is `triangle + 1`.
pub const SILHOUETTE: u32 = 0x8000_0000;

/// CPU twins in `f64`.
pub mod reference {
    use crate::raster::reference::{RefMesh, RefView, V2, cross2};
    use nalgebra::Vector3;

    /// Where a silhouette edge lies between two pixel centres.
    #[derive(Clone, Copy, Debug)]
    pub struct Crossing {
        /// Distance from the front pixel's centre, 0..1.
        pub t: f64,
        /// The edge is nearer to upright on the line than along it. Each stretch of an outline counts once: in horizontal
        /// pairs where it is steep, in vertical ones where it is flat.
        pub counts: bool,
        along_y: bool,
        towards: f64,
        /// The edge's ends.
        pub(crate) a: u32,
        /// The edge's ends.
        pub(crate) b: u32,
    }

    const STEPS: [[i32; 2]; 4] = [[-1, 0], [1, 0], [0, -1], [0, 1]];

    fn swapped(v: V2, swap: bool) -> V2 {
        if swap { [v[1], v[0]] } else { v }
    }

    fn minus(a: V2, b: V2) -> V2 {
        [a[0] - b[0], a[1] - b[1]]
    }

    /// Triangles between a pixel's centre and the silhouette, at most.
    const MAX_STEPS: usize = 48;
    /// Cosine between normal and view below which a surface is looked for silhouettes.
    const GRAZING: f64 = 0.5;

    fn find_crossing(view: &RefView, mesh: &RefMesh<'_>, front: u32, p: V2, step: [i32; 2]) -> Option<Crossing> {
        let along_y = step[1] != 0;
        let towards = f64::from(step[0] + step[1]);
        let mut triangle = front - 1;
        let mut previous = triangle;
        for _ in 0..MAX_STEPS {
            let face = mesh.faces[triangle as usize];
            let beyond = mesh.opposite[triangle as usize];
            let s = face.map(|v| minus(view.screen(mesh.positions[v as usize]), p));
            let mut exit = None;
            let mut t = f64::NEG_INFINITY;
            for k in 0..3 {
                let (a, b) = (swapped(s[k], along_y), swapped(s[(k + 1) % 3], along_y));
                if beyond[k].face == previous || (a[1] < 0.0) == (b[1] < 0.0) {
                    continue;
                }
                let at = towards * (a[0] - a[1] * (b[0] - a[0]) / (b[1] - a[1]));
                if at > t {
                    t = at;
                    exit = Some(k);
                }
            }
            let k = exit.filter(|_| t <= 1.0)?;
            let next = (k + 1) % 3;
            if is_silhouette(view, mesh, beyond[k].vertex, p, s[k], s[next], s[(k + 2) % 3]) {
                let counts = {
                    let [dx, dy] = minus(s[next], s[k]).map(f64::abs);
                    if along_y { dx > dy } else { dy >= dx }
                };
                return Some(Crossing { t: t.max(0.0), counts, along_y, towards, a: face[k], b: face[next] });
            }
            previous = triangle;
            triangle = beyond[k].face;
        }
        None
    }

    /// Words with marks: a triangle with a boundary edge, one whose neighbour folds back to its own side, or one that is
    /// seen at a grazing angle.
    #[must_use]
    pub fn mark_silhouettes(view: &RefView, mesh: &RefMesh<'_>, ids: &[u32]) -> Vec<u32> {
        let rows = [0, 1, 2].map(|r| Vector3::from_column_slice(&view.p[r][..3]));
        let lens = rows[0].dot(&rows[1].cross(&rows[2]));
        let grazing = |face: usize, p: V2| {
            let x = mesh.faces[face].map(|v| Vector3::from(mesh.positions[v as usize]));
            let area = (x[1] - x[0]).cross(&(x[2] - x[0])).norm();
            view.barycentric(mesh, face, p).sum.abs() < GRAZING * lens * area
        };
        let marked = |pixel: usize, triangle: u32| {
            let face = triangle as usize - 1;
            let p = view.pixel_centre(pixel);
            let s = mesh.faces[face].map(|v| minus(view.screen(mesh.positions[v as usize]), p));
            let edge = |k: usize| {
                let across = mesh.opposite[face][k].vertex;
                is_silhouette(view, mesh, across, p, s[k], s[(k + 1) % 3], s[(k + 2) % 3])
            };
            grazing(face, p) || (0..3).any(edge)
        };
        let word = |(pixel, &id): (usize, &u32)| {
            if id != 0 && marked(pixel, id) { id | super::SILHOUETTE } else { id }
        };
        ids.iter().enumerate().map(word).collect()
    }

    /// A silhouette may lie between two neighbouring pixels with these words.
    #[must_use]
    pub fn may_be_edge(own: u32, other: u32) -> bool {
        own != other && (own == 0 || other == 0 || (own | other) & super::SILHOUETTE != 0)
    }

    fn is_silhouette(view: &RefView, mesh: &RefMesh<'_>, across: u32, p: V2, a: V2, b: V2, c: V2) -> bool {
        if across == u32::MAX {
            return true;
        }
        let o = minus(view.screen(mesh.positions[across as usize]), p);
        cross2(minus(b, a), minus(c, a)) * cross2(minus(b, a), minus(o, a)) > 0.0
    }

    /// Calls `visit` as [`for_crossings`] for every pair that blends.
    fn for_pairs(
        view: &RefView,
        mesh: &RefMesh<'_>,
        ids: &[u32],
        mut visit: impl FnMut(usize, usize, bool, Crossing, V2),
    ) {
        for_crossings(view, mesh, ids, |pixel, neighbour, own_front, crossing, front_centre| {
            if crossing.counts {
                visit(pixel, neighbour, own_front, crossing, front_centre);
            }
        });
    }

    /// Calls `visit(pixel, neighbour, own_front, crossing, front_centre)` for every ordered pair across a silhouette.
    pub(crate) fn for_crossings(
        view: &RefView,
        mesh: &RefMesh<'_>,
        ids: &[u32],
        mut visit: impl FnMut(usize, usize, bool, Crossing, V2),
    ) {
        let words = mark_silhouettes(view, mesh, ids);
        for pixel in 0..view.width * view.height {
            let (x, y) = (pixel % view.width, pixel / view.width);
            let p = view.pixel_centre(pixel);
            for step in STEPS {
                let (Some(nx), Some(ny)) =
                    (x.checked_add_signed(step[0] as isize), y.checked_add_signed(step[1] as isize))
                else {
                    continue;
                };
                if nx >= view.width || ny >= view.height {
                    continue;
                }
                let neighbour = ny * view.width + nx;
                if !may_be_edge(words[pixel], words[neighbour]) {
                    continue;
                }
                let (own, other) = (ids[pixel], ids[neighbour]);
                if own == other {
                    continue;
                }
                let q = [p[0] + f64::from(step[0]), p[1] + f64::from(step[1])];
                let own_depth = view.depth_at(mesh, own, p);
                let other_depth = view.depth_at(mesh, other, q);
                let own_front = own_depth < other_depth || (own_depth == other_depth && step[0] + step[1] < 0);
                let crossing = if own_front {
                    find_crossing(view, mesh, own, p, step)
                } else {
                    find_crossing(view, mesh, other, q, [-step[0], -step[1]])
                };
                if let Some(crossing) = crossing {
                    visit(pixel, neighbour, own_front, crossing, if own_front { p } else { q });
                }
            }
        }
    }

    /// Antialiased colours (RGBA, premultiplied) from plain ones.
    #[must_use]
    pub fn antialias(view: &RefView, mesh: &RefMesh<'_>, ids: &[u32], colours: &[[f64; 4]]) -> Vec<[f64; 4]> {
        let mut out = colours.to_vec();
        for_pairs(view, mesh, ids, |pixel, neighbour, own_front, crossing, _| {
            if (crossing.t < 0.5) == own_front {
                for k in 0..4 {
                    out[pixel][k] += (crossing.t - 0.5).abs() * (colours[neighbour][k] - colours[pixel][k]);
                }
            }
        });
        out
    }

    /// Gradient of [`antialias`]: to the plain colours (returned) and to positions, added to the last three of each vertex's
    /// numbers in `grads` (per millimetre).
    pub fn antialias_grad(
        view: &RefView,
        mesh: &RefMesh<'_>,
        ids: &[u32],
        colours: &[[f64; 4]],
        smooth_grad: &[[f64; 4]],
        grads: &mut [f64],
    ) -> Vec<[f64; 4]> {
        let mut out = smooth_grad.to_vec();
        for_pairs(view, mesh, ids, |pixel, neighbour, own_front, crossing, front_centre| {
            let weight = (crossing.t - 0.5).abs();
            if (crossing.t < 0.5) == own_front {
                let g = smooth_grad[pixel];
                let mut d_t = 0.0;
                for k in 0..4 {
                    out[pixel][k] -= weight * g[k];
                    d_t += g[k] * (colours[neighbour][k] - colours[pixel][k]);
                }
                if view.geometry {
                    crossing_grad(view, mesh, &crossing, front_centre, if own_front { -d_t } else { d_t }, grads);
                }
            } else {
                for k in 0..4 {
                    out[pixel][k] += weight * smooth_grad[neighbour][k];
                }
            }
        });
        out
    }

    fn crossing_grad(view: &RefView, mesh: &RefMesh<'_>, c: &Crossing, front_centre: V2, d_t: f64, grads: &mut [f64]) {
        let words = grads.len() / mesh.positions.len();
        let ends = [c.a, c.b].map(|v| view.to_pixel(mesh.positions[v as usize]));
        let s = ends.map(|h| [h[0] / h[2], h[1] / h[2]]);
        let [a, b] = s.map(|s| swapped(minus(s, front_centre), c.along_y));
        let dy = b[1] - a[1];
        let k = -a[1] / dy;
        let dx = b[0] - a[0];
        let d = d_t * c.towards;
        let d_a = swapped([d * (1.0 - k), -d * dx * b[1] / (dy * dy)], c.along_y);
        let d_b = swapped([d * k, d * dx * a[1] / (dy * dy)], c.along_y);
        for (vertex, h, s, d) in [(c.a, ends[0], s[0], d_a), (c.b, ends[1], s[1], d_b)] {
            let world = view.to_pixel_grad([d[0] / h[2], d[1] / h[2], -(s[0] * d[0] + s[1] * d[1]) / h[2]]);
            for axis in 0..3 {
                grads[(vertex as usize + 1) * words - 3 + axis] += 1e-3 * world[axis];
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::gpu::testing::{Edit, KernelTest};
    use crate::kernel_checks::KernelCheck;
    use crate::raster::reference::RefView;
    use crate::shading::testing::{Scene, central_difference, worst_difference};

    pub(crate) const CHECKS: &[KernelCheck] = &[
        KernelCheck {
            kernel: super::FORWARD,
            difference,
            edits: &[
                ("abs(n.pair.cross.t - 0.5)", "abs(n.pair.cross.t - 0.4)"),
                ("(a.y < 0.0) == (b.y < 0.0)", "(a.y < 0.2) == (b.y < 0.2)"),
                ("MAX_STEPS: u32 = 48u", "MAX_STEPS: u32 = 1u"),
                ("triangle = beside[exit];", "triangle = front - 1u;"),
                ("select(extent.y >= extent.x, extent.x > extent.y, result.along_y)", "true"),
                ("select(0, i32(k) * 2 - 5, k >= 2u)", "select(0, i32(k) - 2, k >= 2u)"),
            ],
            gradient: None,
        },
        KernelCheck {
            kernel: super::GRADIENT,
            difference,
            edits: &[
                ("sum -= weight * g;", "sum -= 0.98 * weight * g;"),
                ("sum += weight * smooth_grad[n.pixel];", "sum += 0.98 * weight * smooth_grad[n.pixel];"),
                ("-dx * b.y / (dy * dy)", "-dx * a.y / (dy * dy)"),
                ("-dot(sb, d_b)", "dot(sb, d_b)"),
            ],
            gradient: Some(gradient),
        },
        KernelCheck {
            kernel: super::MARK,
            difference,
            edits: &[
                ("cross2(b - a, o - a) > 0.0", "cross2(b - a, o - a) < 0.0"),
                ("triangle | SILHOUETTE", "triangle"),
                ("GRAZING * lens", "0.0 * lens"),
            ],
            gradient: None,
        },
    ];

    /// A linear functional of the antialiased image, so that differences are exact away from the kinks.
    fn value(scene: &Scene, colours: &[[f64; 4]], weights: &[[f64; 4]]) -> f64 {
        let view = RefView::from(&scene.view);
        let out = super::reference::antialias(&view, &scene.mesh(), &scene.ids, colours);
        out.iter().zip(weights).map(|(c, w)| (0..4).map(|k| c[k] * w[k]).sum::<f64>()).sum()
    }

    /// The scene's silhouettes stay away from pixel centres by more than the step, the only place where the crossing jumps.
    fn gradient(factor: f64) -> f64 {
        let scene = Scene::new();
        let view = RefView::from(&scene.view);
        let colours = scene.random_pixels(1);
        let weights = scene.random_pixels(2);
        let mut grads = vec![0.0; scene.positions.len() * 9];
        let colours_grad =
            super::reference::antialias_grad(&view, &scene.mesh(), &scene.ids, &colours, &weights, &mut grads);
        let (mut moving, mut worst) = (0, 0.0_f64);
        for vertex in 0..scene.positions.len() {
            for axis in 0..3 {
                let numeric = 1e-3
                    * central_difference(1e-8, |h| {
                        let mut moved = scene.clone();
                        moved.positions[vertex][axis] += h;
                        value(&moved, &colours, &weights)
                    });
                let analytic = factor * grads[vertex * 9 + 6 + axis];
                worst = worst.max((numeric - analytic).abs() / (1e-4 * (1.0 + analytic.abs())));
                moving += usize::from(analytic.abs() > 1e-6);
            }
        }
        assert!(moving > 6, "silhouettes move some vertices ({moving})");
        for pixel in (0..colours.len()).step_by(7) {
            let numeric = central_difference(1e-4, |h| {
                let mut c = colours.clone();
                c[pixel][1] += h;
                value(&scene, &c, &weights)
            });
            worst = worst.max((numeric - factor * colours_grad[pixel][1]).abs() / 1e-8);
        }
        worst
    }

    /// On few large triangles, and on many that are smaller than a pixel.
    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        Some(difference_on(&test, &Scene::new()).max(difference_on(&test, &Scene::fine())))
    }

    fn difference_on(test: &KernelTest, scene: &Scene) -> f64 {
        const TOLERANCE: f64 = 2e-3;
        let view = RefView::from(&scene.view);
        let colours = scene.random_pixels(1);
        let weights = scene.random_pixels(2);
        let smooth = super::reference::antialias(&view, &scene.mesh(), &scene.ids, &colours);
        let mut grads = vec![0.0; scene.positions.len() * 9];
        let colours_grad =
            super::reference::antialias_grad(&view, &scene.mesh(), &scene.ids, &colours, &weights, &mut grads);

        let buffers = scene.upload(test.gpu());
        let c = buffers.pixels(test.gpu(), &colours);
        let w = buffers.pixels(test.gpu(), &weights);
        // Pixels away from edges keep what was copied.
        let (out, back) = (buffers.pixels(test.gpu(), &colours), buffers.pixels(test.gpu(), &weights));
        let sums = test.zeros(grads.len());
        let mesh = [
            ("view", &buffers.view),
            ("ids", &buffers.ids),
            ("positions", &buffers.positions),
            ("wings", &buffers.wings),
        ];
        let pixels = scene.ids.len();
        test.run(super::MARK, &[&mesh, &[("covered", &buffers.covered)]], pixels);
        let forward = [("edges", &buffers.edges), ("colours", &c), ("smooth_colours", &out)];
        test.run(super::FORWARD, &[&mesh, &forward], pixels);
        let backward = [
            ("edges", &buffers.edges),
            ("colours", &c),
            ("smooth_grad", &w),
            ("colours_grad", &back),
            ("grads", &sums),
        ];
        test.run(super::GRADIENT, &[&mesh, &backward], pixels);

        let marked = super::reference::mark_silhouettes(&view, &scene.mesh(), &scene.ids);
        assert!(marked.iter().any(|m| m & super::SILHOUETTE != 0), "some triangles are at a silhouette");
        let wrong_marks = test.read::<u32>(&buffers.ids).iter().zip(&marked).filter(|(a, b)| a != b).count();
        let flat = |v: &[[f64; 4]]| v.iter().flatten().copied().collect::<Vec<f64>>();
        let worst = worst_difference(&test.read(&out), &flat(&smooth))
            .max(worst_difference(&test.read(&back), &flat(&colours_grad)))
            .max(buffers.worst_fixed(test.gpu(), &sums, &grads));
        // Marks are exact.
        if wrong_marks > 0 { f64::INFINITY } else { worst / TOLERANCE }
    }
}
