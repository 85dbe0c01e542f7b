//! The small scene that all pixel kernels are checked on: a bent box of 12 triangles before a wall-like second box, seen
//! by one camera, built so that no vertex or edge passes within the difference step of a pixel centre.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small test data; f32 is what the GPU gets"
)]

use crate::camera::Camera;
use crate::gpu::{Buffer, Gpu};
use crate::mesh::{Across, LoopStep, Topology, vertex_normals};
use crate::raster::ViewRegion;
use crate::raster::antialias::reference::mark_silhouettes;
use crate::raster::lists::reference as lists;
use crate::raster::reference::{RefMesh, RefView, cross2};
use crate::shading::shade::reference::Attributes;
use nalgebra::{Matrix3, Rotation3, Vector3};

/// A deterministic number in [-1, 1) from an index (`SplitMix64`).
pub fn noise(index: u64) -> f64 {
    let mut z = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// Central difference of `f` around 0.
pub fn central_difference(step: f64, f: impl Fn(f64) -> f64) -> f64 {
    (f(step) - f(-step)) / (2.0 * step)
}

/// Largest difference relative to `1 + |expected|`.
pub fn worst_difference(actual: &[f32], expected: &[f64]) -> f64 {
    assert!(actual.len() >= expected.len(), "the buffer holds every value");
    let difference = |(a, e): (&f32, &f64)| (f64::from(*a) - e).abs() / (1.0 + e.abs());
    // `max` would pass over NaN.
    let bad = |d: f64| if d.is_nan() { f64::INFINITY } else { d };
    actual.iter().zip(expected).map(difference).map(bad).fold(0.0, f64::max)
}

/// xyz → xyz0 in `f32`.
pub fn pack(v: &[[f64; 3]]) -> Vec<[f32; 4]> {
    v.iter().map(|v| [v[0] as f32, v[1] as f32, v[2] as f32, 0.0]).collect()
}

/// See the module.
#[derive(Clone)]
pub struct Scene {
    /// The camera.
    pub camera: Camera,
    /// Its region.
    pub view: ViewRegion,
    /// World metres, one a vertex.
    pub positions: Vec<[f64; 3]>,
    /// Vertices of each triangle.
    pub faces: Vec<[u32; 3]>,
    /// What lies across each edge of each triangle.
    pub opposite: Vec<[Across; 3]>,
    /// Unit normals, one a vertex.
    pub normals: Vec<[f64; 3]>,
    /// RGB, one a vertex.
    pub albedo: Vec<[f64; 3]>,
    /// Two lights of 12 numbers; the view has the second.
    pub lights: Vec<f64>,
    /// Visible triangle + 1 of each pixel, by brute force; 0 is background.
    pub ids: Vec<u32>,
}

/// Its buffers on the device.
pub struct SceneBuffers {
    /// Uniform of the view.
    pub view: Buffer,
    /// One word a pixel.
    pub ids: Buffer,
    /// xyz0 a vertex.
    pub positions: Buffer,
    /// Three vertices and a pad a triangle.
    pub faces: Buffer,
    /// Corners and vertices across of each triangle.
    pub wings: Buffer,
    /// Pixels that see a triangle.
    pub covered: Buffer,
    /// Pixels at a silhouette.
    pub edges: Buffer,
    /// xyz0 a vertex.
    pub normals: Buffer,
    /// rgb0 a vertex.
    pub albedo: Buffer,
    /// 12 numbers a light.
    pub lights: Buffer,
    /// First entry of each vertex in `incident`.
    pub incident_starts: Buffer,
    /// Corners at each vertex.
    pub incident: Buffer,
    /// First entry of each vertex in `neighbours`.
    pub neighbour_starts: Buffer,
    /// Vertices joined by an edge.
    pub neighbours: Buffer,
}

fn bent_box(centre: Vector3<f64>, half: f64, seed: u64) -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
    let turn = Rotation3::from_euler_angles(0.4, 0.6, 0.2);
    let mut p = Vec::new();
    for i in 0..8_u64 {
        let corner = Vector3::new(
            if i & 1 == 0 { -1.0 } else { 1.0 },
            if i & 2 == 0 { -1.0 } else { 1.0 },
            if i & 4 == 0 { -1.0 } else { 1.0 },
        );
        let bend = Vector3::new(noise(seed + 3 * i), noise(seed + 3 * i + 1), noise(seed + 3 * i + 2)) * 0.2;
        p.push((centre + turn * (corner + bend) * half).into());
    }
    let f = vec![
        [0, 2, 1],
        [1, 2, 3],
        [4, 5, 6],
        [5, 7, 6],
        [0, 1, 4],
        [1, 5, 4],
        [2, 6, 3],
        [3, 6, 7],
        [0, 4, 2],
        [2, 4, 6],
        [1, 3, 5],
        [3, 7, 5],
    ];
    (p, f)
}

impl Scene {
    /// The scene, always the same.
    #[expect(clippy::new_without_default, reason = "building it takes a while; a default would hide that")]
    pub fn new() -> Self {
        let (mut positions, mut faces) = bent_box(Vector3::new(0.003, -0.002, 0.5), 0.03, 100);
        let (behind, more) = bent_box(Vector3::new(0.02, 0.015, 0.62), 0.035, 300);
        faces.extend(more.iter().map(|f: &[u32; 3]| f.map(|v| v + 8)));
        positions.extend(behind);
        // What the GPU sees is f32; the twin must see the same numbers.
        for p in &mut positions {
            *p = p.map(|x| f64::from(x as f32));
        }
        let camera = Camera {
            width_px: 64,
            height_px: 48,
            k: Matrix3::new(210.0, 0.0, 31.3, 0.0, 215.0, 22.8, 0.0, 0.0, 1.0),
            rotation: Rotation3::from_euler_angles(0.02, -0.03, 0.05).into_inner(),
            translation: Vector3::new(0.001, 0.002, 0.01),
        };
        let view = ViewRegion::new(&camera, 1, true);
        let topology = Topology::new(positions.len(), &faces);
        assert!(topology.is_manifold(), "the boxes are closed");
        let normals = vertex_normals(&positions, &faces).iter().map(|n| n.map(|x| f64::from(x as f32))).collect();
        let albedo = (0..positions.len() as u64)
            .map(|v| [0, 1, 2].map(|k| f64::from((0.5 + 0.3 * noise(900 + 3 * v + k)) as f32)))
            .collect();
        let lights = (0..24)
            .map(|k| match k % 12 {
                0 => 0.9,
                1..=8 => 0.25 * noise(50 + k),
                gain => 0.05 * gain as f64 + 0.4,
            })
            .map(|x| f64::from(x as f32))
            .collect();
        let mut scene = Self {
            camera,
            view,
            positions,
            faces,
            opposite: topology.across(),
            normals,
            albedo,
            lights,
            ids: Vec::new(),
        };
        scene.ids = scene.brute_force_ids();
        let covered = scene.ids.iter().filter(|i| **i != 0).count();
        assert!(covered > 300 && covered < 2500, "the boxes fill part of the picture: {covered}");
        scene
    }

    /// The scene with triangles of about a pixel, many of them between pixel centres: the boxes are rounded.
    pub fn fine() -> Self {
        let mut scene = Self::new();
        for _ in 0..4 {
            let step = LoopStep::new(&Topology::new(scene.positions.len(), &scene.faces));
            scene.positions = step.apply(&scene.positions);
            scene.albedo = step.apply(&scene.albedo);
            scene.faces = step.faces;
        }
        for x in scene.positions.iter_mut().chain(&mut scene.albedo) {
            *x = x.map(|x| f64::from(x as f32));
        }
        scene.normals = vertex_normals(&scene.positions, &scene.faces);
        for n in &mut scene.normals {
            *n = n.map(|x| f64::from(x as f32));
        }
        scene.opposite = Topology::new(scene.positions.len(), &scene.faces).across();
        scene.ids = scene.brute_force_ids();
        scene
    }

    /// Visibility by testing every triangle at every pixel within its bounds.
    pub fn brute_force_ids(&self) -> Vec<u32> {
        let view = RefView::from(&self.view);
        let mesh = self.mesh();
        let mut best = vec![(f64::INFINITY, 0); view.width * view.height];
        for face in 0..self.faces.len() {
            let s = self.faces[face].map(|v| view.screen(self.positions[v as usize]));
            // y is down: outward faces turn clockwise on the screen's numbers, so the cross product is negative.
            if cross2([s[1][0] - s[0][0], s[1][1] - s[0][1]], [s[2][0] - s[0][0], s[2][1] - s[0][1]]) >= 0.0 {
                continue;
            }
            let bounds = |axis: usize, size: usize| {
                let values = s.map(|s| s[axis]);
                let low = values.iter().fold(f64::INFINITY, |m, x| m.min(*x)).floor().max(0.0);
                let high = values.iter().fold(0.0, |m: f64, x| m.max(*x)).ceil();
                low as usize..size.min(high as usize)
            };
            for pixel in bounds(1, view.height).flat_map(|y| bounds(0, view.width).map(move |x| y * view.width + x)) {
                let p = view.pixel_centre(pixel);
                let b = view.barycentric(&mesh, face, p);
                let depth = view.depth_at(&mesh, face as u32 + 1, p);
                if b.lambda.iter().all(|l| *l >= 0.0) && depth < best[pixel].0 {
                    best[pixel] = (depth, face as u32 + 1);
                }
            }
        }
        best.into_iter().map(|(_, id)| id).collect()
    }

    /// The mesh as the twins take it.
    pub fn mesh(&self) -> RefMesh<'_> {
        RefMesh { positions: &self.positions, faces: &self.faces, opposite: &self.opposite }
    }

    /// Normals, albedo and lights as the twins take them.
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes { normals: &self.normals, albedo: &self.albedo, lights: &self.lights }
    }

    /// One RGBA record a pixel, background zero.
    pub fn random_pixels(&self, seed: u64) -> Vec<[f64; 4]> {
        (0..self.ids.len() as u64)
            .map(|i| [0, 1, 2, 3].map(|k| f64::from(noise(seed * 1_000_003 + i * 4 + k) as f32)))
            .collect()
    }

    /// Puts everything on the device.
    pub fn upload(&self, gpu: &Gpu) -> SceneBuffers {
        let topology = Topology::new(self.positions.len(), &self.faces);
        let marked = mark_silhouettes(&RefView::from(&self.view), &self.mesh(), &self.ids);
        let pad = |f: &[[u32; 3]]| f.iter().map(|f| [f[0], f[1], f[2], 0]).collect::<Vec<[u32; 4]>>();
        let lights: Vec<f32> = self.lights.iter().map(|l| *l as f32).collect();
        let storage = |label: &str, data: &[[f32; 4]]| Buffer::storage(gpu, label, data).expect("small");
        let words = |label: &str, data: &[u32]| Buffer::storage(gpu, label, data).expect("small");
        SceneBuffers {
            view: Buffer::uniform(gpu, "view", &self.view).expect("small"),
            ids: words("ids", &self.ids),
            positions: storage("positions", &pack(&self.positions)),
            faces: Buffer::storage(gpu, "faces", &pad(&self.faces)).expect("small"),
            wings: Buffer::storage(gpu, "wings", &topology.wings()).expect("small"),
            covered: pixel_list(gpu, &lists::list_pixels(&lists::cover_masks(&self.ids), &self.ids)),
            edges: pixel_list(gpu, &lists::list_pixels(&lists::edge_masks(self.view.width as usize, &marked), &marked)),
            normals: storage("normals", &pack(&self.normals)),
            albedo: storage("albedo", &pack(&self.albedo)),
            lights: Buffer::storage(gpu, "lights", &lights).expect("small"),
            incident_starts: words("incident_starts", &topology.incident_starts),
            incident: Buffer::storage(gpu, "incident", &topology.incident_pairs()).expect("small"),
            neighbour_starts: words("neighbour_starts", &topology.neighbour_starts),
            neighbours: words("neighbours", &topology.neighbours),
        }
    }
}

/// A list as `raster/list_pixels` leaves it.
fn pixel_list(gpu: &Gpu, entries: &[[u32; 2]]) -> Buffer {
    let list = [&[[entries.len() as u32, 0]], entries].concat();
    Buffer::storage(gpu, "pixel list", &list).expect("small")
}

impl SceneBuffers {
    /// RGBA records on the device.
    pub fn pixels(&self, gpu: &Gpu, pixels: &[[f64; 4]]) -> Buffer {
        let data: Vec<[f32; 4]> = pixels.iter().map(|p| p.map(|x| x as f32)).collect();
        Buffer::storage(gpu, "pixels", &data).expect("small")
    }

    /// Largest relative difference between fixed-point sums on the device and the twin's.
    pub fn worst_fixed(&self, gpu: &Gpu, sums: &Buffer, expected: &[f64]) -> f64 {
        let raw: Vec<i32> = gpu.read(sums).expect("reads");
        let floats: Vec<f32> = raw.iter().map(|r| *r as f32 / 65536.0).collect();
        worst_difference(&floats, expected)
    }
}
