//! The rasteriser as a whole: the gradient of a picture with respect to rigid motions and single vertices, against
//! differences of pictures that are rendered anew, visibility included; and whether silhouettes are where surfaces end, before
//! the background and before another body. The scene has two bodies, one partly behind the other, of 24 triangles or of 6,144
//! that are smaller than pixels.

#![expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]

use super::antialias::reference::{antialias, antialias_grad, for_crossings};
use super::interpolate::reference::{Picture, interpolate, interpolate_grad};
use super::reference::{RefView, V3, dot};
use super::{Channels, RasterMesh, Rasteriser, Workspace, from_fixed};
use crate::camera::Camera;
use crate::gpu::{Buffer, Gpu, testing};
use crate::mesh::Topology;
use crate::shading::testing::{Scene, central_difference, pack};
use nalgebra::{Rotation3, Vector3};

/// One pixel on the front body, metres.
const PIXEL_M: f64 = 0.5 / 210.0;

/// A way to move vertices, per metre or per radian times the body's size.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Motion {
    /// Along an axis.
    Translation { body: usize, axis: usize },
    /// About an axis through the body's middle; the unit is that of an arc 3 cm from it.
    Rotation { body: usize, axis: usize },
    /// One vertex along an axis.
    Vertex { vertex: usize, axis: usize },
}

/// Which part of the gradient is left out, to see that it is missed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Without {
    Nothing,
    Silhouettes,
    Interpolation,
}

struct Problem {
    scene: Scene,
    /// Body of each vertex, 0 in front.
    body: Vec<usize>,
    middle: [V3; 2],
    /// RGBA a vertex.
    attributes: Vec<f64>,
    /// The loss is the picture times these.
    weights: Vec<[f64; 4]>,
}

const ARM_M: f64 = 0.03;

impl Problem {
    fn new(scene: Scene) -> Self {
        let body = bodies(&scene);
        let middle = [0, 1].map(|b| {
            let own: Vec<&V3> = scene.positions.iter().zip(&body).filter(|(_, k)| **k == b).map(|(p, _)| p).collect();
            [0, 1, 2].map(|k| own.iter().map(|p| p[k]).sum::<f64>() / own.len() as f64)
        });
        let attributes = scene.albedo.iter().flat_map(|a| [a[0], a[1], a[2], 1.0]).collect();
        let width = scene.view.width as usize;
        let wave = |i: usize, k: usize| {
            let (x, y) = ((i % width) as f64, (i / width) as f64);
            (0.11 * x + 0.3 * k as f64).sin() + (0.09 * y - 0.02 * x + k as f64).cos()
        };
        let weights = (0..scene.ids.len()).map(|i| [0, 1, 2, 3].map(|k| wave(i, k))).collect();
        Self { scene, body, middle, attributes, weights }
    }

    fn motions(&self) -> Vec<Motion> {
        let rigid =
            |body| (0..3).flat_map(move |axis| [Motion::Translation { body, axis }, Motion::Rotation { body, axis }]);
        // Vertices at a silhouette: those that antialiasing moves, every so often.
        let mut grads = vec![0.0; self.scene.positions.len() * 3];
        let view = RefView::from(&self.scene.view);
        let plain = self.plain(&self.scene);
        let _ = antialias_grad(&view, &self.scene.mesh(), &self.scene.ids, &plain, &self.weights, &mut grads);
        let at_edge: Vec<usize> =
            (0..self.scene.positions.len()).filter(|v| grads[v * 3..v * 3 + 3].iter().any(|g| *g != 0.0)).collect();
        let step = at_edge.len().div_ceil(12);
        let vertices = at_edge.into_iter().step_by(step);
        let single = vertices.flat_map(|vertex| (0..3).map(move |axis| Motion::Vertex { vertex, axis }));
        rigid(0).chain(rigid(1)).chain(single).collect()
    }

    /// The scene after a motion, seen anew.
    fn moved(&self, motion: Motion, amount: f64) -> Scene {
        let mut scene = self.scene.clone();
        for (v, p) in scene.positions.iter_mut().enumerate() {
            match motion {
                Motion::Translation { body, axis } if self.body[v] == body => p[axis] += amount,
                Motion::Vertex { vertex, axis } if vertex == v => p[axis] += amount,
                Motion::Rotation { body, axis } if self.body[v] == body => {
                    let axis = Vector3::ith_axis(axis);
                    let middle = Vector3::from(self.middle[body]);
                    let turn = Rotation3::from_axis_angle(&axis, amount / ARM_M);
                    *p = (middle + turn * (Vector3::from(*p) - middle)).into();
                }
                _ => {}
            }
        }
        scene.ids = scene.brute_force_ids();
        scene
    }

    /// Velocity of a vertex of `scene` in a motion.
    fn velocity(&self, scene: &Scene, motion: Motion, v: usize) -> V3 {
        match motion {
            Motion::Translation { body, axis } if self.body[v] == body => Vector3::ith(axis, 1.0).into(),
            Motion::Vertex { vertex, axis } if vertex == v => Vector3::ith(axis, 1.0).into(),
            Motion::Rotation { body, axis } if self.body[v] == body => {
                let arm = Vector3::from(scene.positions[v]) - Vector3::from(self.middle[body]);
                (Vector3::ith(axis, 1.0).cross(&arm) / ARM_M).into()
            }
            _ => [0.0; 3],
        }
    }

    fn plain(&self, scene: &Scene) -> Vec<[f64; 4]> {
        let picture = interpolate(&RefView::from(&scene.view), &scene.mesh(), &scene.ids, &self.attributes, 4);
        picture.values.as_chunks::<4>().0.to_vec()
    }

    fn picture(&self, scene: &Scene) -> Vec<[f64; 4]> {
        antialias(&RefView::from(&scene.view), &scene.mesh(), &scene.ids, &self.plain(scene))
    }

    fn value(&self, scene: &Scene) -> f64 {
        self.picture(scene).as_flattened().iter().zip(self.weights.as_flattened()).map(|(c, w)| c * w).sum()
    }

    /// Gradient to positions, per metre.
    fn gradient(&self, scene: &Scene, without: Without) -> Vec<V3> {
        let view = RefView::from(&scene.view);
        let (mesh, ids) = (scene.mesh(), &scene.ids);
        let mut parts = [vec![0.0; scene.positions.len() * 3], vec![0.0; scene.positions.len() * 3]];
        let plain_grad = antialias_grad(&view, &mesh, ids, &self.plain(scene), &self.weights, &mut parts[0]);
        let values = plain_grad.as_flattened().to_vec();
        let picture_grad = Picture { values, surface: vec![[0.0; 4]; ids.len()] };
        let _ = interpolate_grad(&view, &mesh, ids, &self.attributes, &picture_grad, &mut parts[1]);
        let kept =
            [without != Without::Silhouettes, without != Without::Interpolation].map(|k| 1e3 * f64::from(u8::from(k)));
        let sum = |i: usize| kept[0] * parts[0][i] + kept[1] * parts[1][i];
        (0..scene.positions.len()).map(|v| [0, 1, 2].map(|k| sum(3 * v + k))).collect()
    }

    /// Change of the value along a motion, from the gradient of `scene`.
    fn slope(&self, scene: &Scene, gradient: &[V3], motion: Motion) -> f64 {
        gradient.iter().enumerate().map(|(v, g)| dot(*g, self.velocity(scene, motion, v))).sum()
    }

    /// Largest difference between slopes and differences of the value over all motions, relative to the largest slope of
    /// their kind.
    fn worst_slope(&self, without: Without, factor: f64) -> f64 {
        let gradient = self.gradient(&self.scene, without);
        let kinds: [fn(&Motion) -> bool; 3] = [
            |m| matches!(m, Motion::Translation { .. }),
            |m| matches!(m, Motion::Rotation { .. }),
            |m| matches!(m, Motion::Vertex { .. }),
        ];
        let mut worst = 0.0_f64;
        for kind in kinds {
            let motions: Vec<Motion> = self.motions().into_iter().filter(kind).collect();
            let slopes: Vec<[f64; 2]> = motions
                .iter()
                .map(|&m| {
                    let analytic = factor * self.slope(&self.scene, &gradient, m);
                    [analytic, central_difference(1e-8, |h| self.value(&self.moved(m, h)))]
                })
                .collect();
            let size = slopes.iter().fold(0.0_f64, |most, s| most.max(s[1].abs()));
            assert!(size > 1.0, "the picture feels the motions");
            worst = slopes.iter().fold(worst, |worst, s| worst.max((s[0] - s[1]).abs() / size));
        }
        worst
    }

    /// Difference between the change of the value over a motion by about a pixel, through all changes of visibility, and the
    /// integral of the gradient on the way; the largest over the rigid motions, relative to the largest change.
    fn worst_path(&self, without: Without) -> f64 {
        const STEPS: usize = 60;
        let along = |motion: Motion| {
            let step = PIXEL_M * 1.3 / STEPS as f64;
            let at = |i: usize| self.moved(motion, step * i as f64);
            let slope = |i: usize| {
                let middle = self.moved(motion, step * (i as f64 + 0.5));
                self.slope(&middle, &self.gradient(&middle, without), motion)
            };
            let change = self.value(&at(STEPS)) - self.value(&at(0));
            [change, (0..STEPS).map(slope).sum::<f64>() * step]
        };
        let rigid = self.motions().into_iter().filter(|m| !matches!(m, Motion::Vertex { .. }));
        let ways: Vec<[f64; 2]> = rigid.map(along).collect();
        let size = ways.iter().fold(0.0_f64, |most, w| most.max(w[0].abs()));
        ways.iter().fold(0.0_f64, |worst, w| worst.max((w[0] - w[1]).abs() / size))
    }
}

/// The connected parts of the mesh, numbered by their distance from the camera.
fn bodies(scene: &Scene) -> Vec<usize> {
    let topology = Topology::new(scene.positions.len(), &scene.faces);
    let mut body = vec![None; scene.positions.len()];
    let mut count = 0;
    for start in 0..body.len() {
        let mut open = vec![start];
        let fresh = body[start].is_none();
        while let Some(v) = open.pop() {
            if body[v].is_none() {
                body[v] = Some(count);
                open.extend(topology.neighbours_of(v).iter().map(|n| *n as usize));
            }
        }
        count += usize::from(fresh);
    }
    assert_eq!(count, 2, "two bodies");
    body.into_iter().flatten().collect()
}

fn scenes() -> [Problem; 2] {
    [Problem::new(Scene::new()), Problem::new(Scene::fine())]
}

#[test]
fn slopes_of_the_picture_are_differences_of_pictures() {
    for problem in scenes() {
        let worst = problem.worst_slope(Without::Nothing, 1.0);
        assert!(worst < 1e-4, "differs by {worst} of the largest slope");
    }
}

#[test]
fn a_wrong_slope_is_caught() {
    let problem = Problem::new(Scene::new());
    for (without, factor) in [(Without::Silhouettes, 1.0), (Without::Interpolation, 1.0), (Without::Nothing, 1.001)] {
        let worst = problem.worst_slope(without, factor);
        assert!(worst > 1e-4, "without {without:?}, times {factor}: {worst}");
    }
}

/// Through changes of visibility too, the gradient accounts for how the picture changes.
#[test]
fn the_gradient_adds_up_over_a_way() {
    for problem in scenes() {
        let whole = problem.worst_path(Without::Nothing);
        let without = problem.worst_path(Without::Silhouettes);
        eprintln!("path: {whole:.4} of the way, {without:.4} without silhouettes");
        assert!(whole < 0.1, "differs by {whole} of the way");
        assert!(without > 0.3, "without silhouettes {without}");
    }
}

/// What lies on the two sides of the silhouettes that were found, and what was missed.
#[derive(Debug, Default)]
struct Sides {
    /// Pairs of a body and the background, in which a silhouette was found, and all.
    background: [usize; 2],
    /// Pairs of the two bodies.
    bodies: [usize; 2],
    /// Silhouettes whose edge is not of the body in front.
    of_wrong_body: usize,
    /// Silhouettes that no pixel's own triangle has.
    beyond_own_triangle: usize,
}

fn sides(problem: &Problem) -> Sides {
    let scene = &problem.scene;
    let view = RefView::from(&scene.view);
    let body_of = |id: u32| (id != 0).then(|| problem.body[scene.faces[id as usize - 1][0] as usize]);
    let mut sides = Sides::default();
    let mut found = std::collections::HashSet::new();
    for_crossings(&view, &scene.mesh(), &scene.ids, |pixel, neighbour, own_front, crossing, _| {
        found.insert((pixel, neighbour));
        let front = scene.ids[if own_front { pixel } else { neighbour }];
        let corners = scene.faces[front as usize - 1];
        sides.beyond_own_triangle += usize::from(!(corners.contains(&crossing.a) && corners.contains(&crossing.b)));
        let nearest = body_of(front).expect("the front is no background");
        let ends = [crossing.a, crossing.b].map(|v| problem.body[v as usize]);
        sides.of_wrong_body += usize::from(ends != [nearest; 2]);
    });
    for pixel in 0..scene.ids.len() {
        let right = (pixel % view.width + 1 < view.width).then_some(pixel + 1);
        for neighbour in right.into_iter().chain(Some(pixel + view.width).filter(|n| *n < scene.ids.len())) {
            let (own, other) = (body_of(scene.ids[pixel]), body_of(scene.ids[neighbour]));
            assert_eq!(
                found.contains(&(pixel, neighbour)),
                found.contains(&(neighbour, pixel)),
                "both pixels of a pair see the silhouette"
            );
            if own != other {
                let [hits, all] =
                    if own.is_some() && other.is_some() { &mut sides.bodies } else { &mut sides.background };
                *hits += usize::from(found.contains(&(pixel, neighbour)));
                *all += 1;
            }
        }
    }
    sides
}

/// Whatever lies on its other side, a surface's end is found, and it is the end of the surface in front.
#[test]
fn silhouettes_are_found_before_the_background_and_before_another_body() {
    for (problem, fine) in scenes().iter().zip([false, true]) {
        let sides = sides(problem);
        eprintln!("{sides:?}");
        for ([hits, all], share) in [(sides.background, 100), (sides.bodies, if fine { 90 } else { 100 })] {
            assert!(all > 20, "there are pairs: {sides:?}");
            assert!(hits * 100 >= all * share, "silhouettes are missed: {sides:?}");
        }
        assert_eq!(sides.of_wrong_body, 0, "an edge of the body behind: {sides:?}");
        // What following the surface is for.
        assert_eq!(sides.beyond_own_triangle > sides.background[1] / 2, fine, "{sides:?}");
    }
}

/// Coverage of the front body, whether before the background or the other body, against many samples a pixel.
#[test]
fn blended_colours_are_the_covered_fractions() {
    const SAMPLES: u32 = 8;
    for mut problem in scenes() {
        // Red in front, green behind: red is the coverage of the one, alpha that of both.
        problem.attributes =
            problem.body.iter().flat_map(|b| [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]][*b]).collect();
        let scene = &problem.scene;
        let mut many = scene.clone();
        for row in &mut many.view.pixel_from_world[..2] {
            *row = row.map(|x| x * SAMPLES as f32);
        }
        many.view.width *= SAMPLES;
        many.view.height *= SAMPLES;
        many.ids = many.brute_force_ids();
        let (width, samples) = (scene.view.width as usize, SAMPLES as usize);
        let mut wanted = vec![[0.0; 4]; scene.ids.len()];
        for (i, c) in problem.plain(&many).iter().enumerate() {
            let pixel = i / (width * samples) / samples * width + i % (width * samples) / samples;
            for k in 0..4 {
                wanted[pixel][k] += c[k] / (samples * samples) as f64;
            }
        }
        let error = |picture: &[[f64; 4]], channel: usize| {
            let partial = |w: &f64| *w > 1e-6 && *w < 1.0 - 1e-6;
            let errors: Vec<f64> = picture
                .iter()
                .zip(&wanted)
                .filter(|(_, w)| partial(&w[channel]))
                .map(|(c, w)| (c[channel] - w[channel]).abs())
                .collect();
            assert!(errors.len() > 50, "pixels are covered in part: {}", errors.len());
            errors.iter().sum::<f64>() / errors.len() as f64
        };
        for channel in [0, 3] {
            let (smooth, plain) = (error(&problem.picture(scene), channel), error(&problem.plain(scene), channel));
            eprintln!("channel {channel}: {smooth:.4} antialiased, {plain:.4} plain");
            // Corners count for much in a picture this small.
            assert!(smooth < 0.08 && smooth < 0.4 * plain, "channel {channel}: {smooth} antialiased, {plain} plain");
        }
    }
}

/// The picture and its gradient on the device, in all views.
struct OnDevice {
    pictures: Vec<Vec<[f32; 4]>>,
    /// Per metre.
    gradient: Vec<V3>,
    bytes: Vec<i32>,
}

/// Renders `cameras` and sums their gradients, `views_per_submit` at a time.
fn on_device(gpu: &Gpu, problem: &Problem, cameras: &[Camera], views_per_submit: usize) -> OnDevice {
    let scene = &problem.scene;
    let topology = Topology::new(scene.positions.len(), &scene.faces);
    let positions: Vec<[f32; 3]> = pack(&scene.positions).iter().map(|p| [p[0], p[1], p[2]]).collect();
    let rasteriser = Rasteriser::new(gpu).expect("compiles");
    let mesh = RasterMesh::new(gpu, &topology, &positions).expect("small");
    let (width, height) = (scene.view.width, scene.view.height);
    let workspace = Workspace::new(gpu, width, height).expect("small");
    let channels = Channels::new(gpu, mesh.vertices, 4, width * height).expect("small");
    let attributes: Vec<f32> = problem.attributes.iter().map(|a| *a as f32).collect();
    channels.attributes.write(gpu, &attributes);
    let position_grad = mesh.position_grad(gpu).expect("small");
    let weights: Vec<[f32; 4]> = problem.weights.iter().map(|w| w.map(|w| w as f32)).collect();
    let smooth_grad = Buffer::storage(gpu, "weights", &weights).expect("small");
    let views: Vec<_> = cameras
        .iter()
        .map(|camera| {
            let region = rasteriser.bind_region(&mesh, &workspace, camera, 0).expect("binds");
            region.write_geometry(gpu, true);
            let colours = rasteriser.bind_interpolation(&mesh, &region, &channels, &position_grad).expect("binds");
            let smooth = Buffer::zeros(gpu, "smooth", weights.len() as u64 * 16).expect("small");
            let blend = rasteriser.bind_antialias(&mesh, &region, &channels.values, &smooth).expect("binds");
            let grads = [&smooth_grad, &channels.values_grad];
            let blend_grad =
                rasteriser.bind_antialias_grad(&mesh, &region, &channels.values, grads, &position_grad).expect("binds");
            (region, colours, smooth, blend, blend_grad)
        })
        .collect();
    for batch in views.chunks(views_per_submit) {
        let mut recorder = gpu.recorder("views");
        for (region, colours, _, blend, blend_grad) in batch {
            rasteriser.record_visibility(&mut recorder, &mesh, &workspace, region);
            colours.record(&mut recorder, region);
            blend.record(&mut recorder, region);
            blend_grad.record(&mut recorder, region);
            colours.record_grad(&mut recorder, region);
        }
        recorder.submit().expect("runs");
    }
    let bytes: Vec<i32> = gpu.read(&position_grad).expect("reads");
    let per_mm = from_fixed(&bytes);
    let per_m = |g: &[f32; 3]| g.map(|g| 1e3 * f64::from(g));
    OnDevice {
        pictures: views.iter().map(|v| gpu.read(&v.2).expect("reads")).collect(),
        gradient: per_mm.as_chunks::<3>().0.iter().map(per_m).collect(),
        bytes,
    }
}

/// The whole chain on the device gives the twin's picture and its slopes.
#[test]
fn the_device_renders_and_differentiates_like_the_twin() {
    let Some(gpu) = testing::gpu() else { return };
    for problem in scenes() {
        let scene = &problem.scene;
        let device = on_device(&gpu, &problem, std::slice::from_ref(&scene.camera), 1);
        let twin = problem.picture(scene);
        let off = |(a, b): (&[f32; 4], &[f64; 4])| (0..4).any(|k| (f64::from(a[k]) - b[k]).abs() > 0.01);
        let differing = device.pictures[0].iter().zip(&twin).filter(|(a, b)| off((a, b))).count();
        // A pixel centre within the hardware's rounding of an edge, and its neighbours.
        assert!(differing < 12, "{differing} pixels differ");
        let gradient = problem.gradient(scene, Without::Nothing);
        let rigid: Vec<Motion> =
            problem.motions().into_iter().filter(|m| !matches!(m, Motion::Vertex { .. })).collect();
        let slopes = |g: &[V3]| rigid.iter().map(|m| problem.slope(scene, g, *m)).collect::<Vec<f64>>();
        let (found, expected) = (slopes(&device.gradient), slopes(&gradient));
        let size = expected.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
        for (motion, (a, b)) in rigid.iter().zip(found.iter().zip(&expected)) {
            assert!((a - b).abs() < 0.01 * size, "{motion:?}: {a} on the device, {b} by the twin");
        }
    }
}

#[test]
fn several_views_in_one_submit_give_the_same_bytes() {
    let Some(gpu) = testing::gpu() else { return };
    let problem = Problem::new(Scene::fine());
    let camera = |i: u32| {
        let mut camera = problem.scene.camera.clone();
        camera.translation.x += 0.004 * f64::from(i);
        camera
    };
    let cameras: Vec<Camera> = (0..8).map(camera).collect();
    let [one, all] = [1, 8].map(|views| on_device(&gpu, &problem, &cameras, views));
    assert!(one.bytes.iter().any(|b| *b != 0), "there is a gradient");
    assert!(one.bytes == all.bytes && one.pictures == all.pictures, "not a bit differs");
    let other = on_device(&gpu, &problem, &cameras[1..], 8);
    assert!(other.bytes != all.bytes, "another view would be noticed");
}
