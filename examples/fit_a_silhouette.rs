//! Moves and stretches a ball until its outline in two cameras is that of another one, by gradient descent through the
//! differentiable rasteriser alone: `cargo run --no-default-features --example fit_a_silhouette`

#![expect(clippy::print_stdout, reason = "an example speaks")]

use nalgebra::{Matrix3, Rotation3, Vector3};
use thenar::camera::Camera;
use thenar::gpu::{Buffer, DeviceChoice, Gpu, GpuError};
use thenar::mesh::{LoopStep, Topology};
use thenar::raster::{
    Blending, Channels, Interpolation, RasterMesh, Rasteriser, Region, Workspace, from_fixed, padded,
};

/// Middle of the scene, metres.
const MIDDLE: [f64; 3] = [0.0, 0.0, 0.5];
const SIZE: (u32, u32) = (128, 96);
const STEPS: i32 = 120;

/// Where a ball lies relative to [`MIDDLE`], and its half axes: six numbers in millimetres.
type Shape = [f64; 6];

fn camera(turn: f64) -> Camera {
    let rotation = Rotation3::from_euler_angles(0.0, turn, 0.0).into_inner();
    let middle = Vector3::from(MIDDLE);
    Camera {
        width_px: SIZE.0,
        height_px: SIZE.1,
        k: Matrix3::new(300.0, 0.0, 64.0, 0.0, 300.0, 48.0, 0.0, 0.0, 1.0),
        rotation,
        translation: middle - rotation * middle,
    }
}

/// A unit ball: an octahedron, subdivided.
fn ball() -> (Vec<[f64; 3]>, Topology) {
    let mut p: Vec<[f64; 3]> = Vec::new();
    for axis in 0..3 {
        for sign in [1.0, -1.0] {
            let mut corner = [0.0; 3];
            corner[axis] = sign;
            p.push(corner);
        }
    }
    let f = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]];
    let mut topology = Topology::new(p.len(), &f);
    for _ in 0..4 {
        let step = LoopStep::new(&topology);
        p = step.apply(&p);
        topology = Topology::new(p.len(), &step.faces);
    }
    (p.iter().map(|p| Vector3::from(*p).normalize().into()).collect(), topology)
}

#[expect(clippy::cast_possible_truncation, reason = "f32 is what the GPU gets")]
fn posed(ball: &[[f64; 3]], s: &Shape) -> Vec<[f32; 3]> {
    let place = |p: &[f64; 3]| [0, 1, 2].map(|k| (MIDDLE[k] + 1e-3 * (s[k] + s[k + 3] * p[k])) as f32);
    ball.iter().map(place).collect()
}

/// One camera's work, bound once.
struct View {
    region: Region,
    colours: Interpolation,
    blend: Blending,
    blend_grad: Blending,
    smooth: Buffer,
    smooth_grad: Buffer,
}

/// The rasteriser with everything it works on.
struct Scene {
    gpu: Gpu,
    rasteriser: Rasteriser,
    mesh: RasterMesh,
    workspace: Workspace,
    position_grad: Buffer,
    views: Vec<View>,
}

impl Scene {
    fn new(topology: &Topology, positions: &[[f32; 3]]) -> Result<Self, GpuError> {
        let gpu = Gpu::new(&DeviceChoice::Auto)?;
        let rasteriser = Rasteriser::new(&gpu)?;
        let mesh = RasterMesh::new(&gpu, topology, positions)?;
        let workspace = Workspace::new(&gpu, SIZE.0, SIZE.1)?;
        let channels = Channels::new(&gpu, mesh.vertices, 4, SIZE.0 * SIZE.1)?;
        channels.attributes.write(&gpu, &vec![1.0_f32; positions.len() * 4]);
        let position_grad = mesh.position_grad(&gpu)?;
        let bytes = u64::from(SIZE.0 * SIZE.1) * 16;
        let bind = |turn: f64| -> Result<View, GpuError> {
            let region = rasteriser.bind_region(&mesh, &workspace, &camera(turn), 0)?;
            region.write_geometry(&gpu, true);
            let smooth = Buffer::zeros(&gpu, "smooth", bytes)?;
            let smooth_grad = Buffer::zeros(&gpu, "smooth gradient", bytes)?;
            let colours = rasteriser.bind_interpolation(&mesh, &region, &channels, &position_grad)?;
            let blend = rasteriser.bind_antialias(&mesh, &region, &channels.values, &smooth)?;
            let grads = [&smooth_grad, &channels.values_grad];
            let blend_grad = rasteriser.bind_antialias_grad(&mesh, &region, &channels.values, grads, &position_grad)?;
            Ok(View { region, colours, blend, blend_grad, smooth, smooth_grad })
        };
        let views = [0.0, 1.2].into_iter().map(bind).collect::<Result<_, _>>()?;
        Ok(Self { gpu, rasteriser, mesh, workspace, position_grad, views })
    }

    /// Coverage of every pixel of every view, rendered in one submit.
    fn coverage(&self, positions: &[[f32; 3]]) -> Result<Vec<Vec<f32>>, GpuError> {
        self.mesh.positions.write(&self.gpu, &padded(positions));
        let mut recorder = self.gpu.recorder("forward");
        for view in &self.views {
            self.rasteriser.record_visibility(&mut recorder, &self.mesh, &self.workspace, &view.region);
            view.colours.record(&mut recorder, &view.region);
            view.blend.record(&mut recorder, &view.region);
        }
        recorder.submit()?;
        let alpha = |view: &View| -> Result<Vec<f32>, GpuError> {
            Ok(self.gpu.read::<[f32; 4]>(&view.smooth)?.iter().map(|c| c[3]).collect())
        };
        self.views.iter().map(alpha).collect()
    }

    /// Gradient to positions, per millimetre, of a loss whose gradient to coverage is `coverage_grad`.
    fn gradient(&self, coverage_grad: &[Vec<f32>]) -> Result<Vec<[f32; 3]>, GpuError> {
        let mut recorder = self.gpu.recorder("backward");
        recorder.clear(&self.position_grad);
        for (view, grad) in self.views.iter().zip(coverage_grad) {
            view.smooth_grad.write(&self.gpu, &grad.iter().map(|g| [0.0, 0.0, 0.0, *g]).collect::<Vec<[f32; 4]>>());
            // White balls: the plain colours are the same for both views, so they need not be rendered again.
            view.colours.record(&mut recorder, &view.region);
            view.blend_grad.record(&mut recorder, &view.region);
        }
        recorder.submit()?;
        Ok(from_fixed(&self.gpu.read(&self.position_grad)?).as_chunks::<3>().0.to_vec())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (ball, topology) = ball();
    let mut shape: Shape = [0.0, 0.0, 0.0, 30.0, 30.0, 30.0];
    let truth: Shape = [9.0, -6.0, 12.0, 38.0, 24.0, 33.0];
    let scene = Scene::new(&topology, &posed(&ball, &shape))?;
    let target = scene.coverage(&posed(&ball, &truth))?;

    // Adam on six numbers.
    let (mut m, mut v) = ([0.0; 6], [0.0; 6]);
    let mut loss = f64::INFINITY;
    for step in 1..=STEPS {
        let coverage = scene.coverage(&posed(&ball, &shape))?;
        let miss: Vec<Vec<f32>> =
            coverage.iter().zip(&target).map(|(c, t)| c.iter().zip(t).map(|(c, t)| c - t).collect()).collect();
        loss = miss.iter().flatten().map(|m| f64::from(m * m)).sum();
        let twice: Vec<Vec<f32>> = miss.iter().map(|m| m.iter().map(|m| 2.0 * m).collect()).collect();
        let per_mm = scene.gradient(&twice)?;
        let rate = 1.0 - 0.98 * f64::from(step) / f64::from(STEPS);
        for k in 0..6 {
            let along = |(g, p): (&[f32; 3], &[f64; 3])| f64::from(g[k % 3]) * if k < 3 { 1.0 } else { p[k % 3] };
            let g: f64 = per_mm.iter().zip(&ball).map(along).sum();
            m[k] = 0.8 * m[k] + 0.2 * g;
            v[k] = 0.95 * v[k] + 0.05 * g * g;
            shape[k] -= rate * m[k] / (f64::sqrt(v[k]) + 1e-12);
        }
        if step % 20 == 1 {
            println!("step {step:>3}: squared error of coverage {loss:>9.3}");
        }
    }
    let error = shape.iter().zip(&truth).fold(0.0, |worst: f64, (a, b)| worst.max((a - b).abs()));
    println!("found {shape:.2?} mm, true {truth:.2?} mm: off by {error:.3} mm; squared error {loss:.4}");
    if error < 0.2 { Ok(()) } else { Err("the outline was not found".into()) }
}
