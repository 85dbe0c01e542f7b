//! Robust triangulation of many problems at once. A problem is a set of detections that are taken for one hand.
//!
//! Linear start (least squared distance to the back-projected planes), then Gauss-Newton on pixel residuals with
//! Geman-McClure weights `w = (c²/(c² + r²))²`, whose scale `c` falls geometrically from a start value that forgives
//! everything to the final one (graduated non-convexity, Yang et al. 2020). Kernel: one workgroup per problem, one
//! invocation per joint, no atomics. What a user has placed is no outlier: its weight stays. The covariance is the inverse information times the estimated pixel variance.

use super::PoseError;
use crate::anatomy::KEYPOINTS;
use crate::gpu::{Buffer, Gpu, GpuError, Kernel};
use nalgebra::{Matrix3, Matrix3x4, Vector3};

/// How a batch is solved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TriangulateOptions {
    /// Gauss-Newton steps after the linear start.
    pub iterations: u32,
    /// Scale of the robust weight at the start, pixels.
    pub scale_start_px: f64,
    /// Scale of the robust weight at the end, pixels.
    pub scale_px: f64,
    /// Expected noise of a pixel coordinate, for the covariance.
    pub noise_px: f64,
    /// Residual up to which an observation counts as support, pixels.
    pub gate_px: f64,
}

/// Everything the problems of a batch share.
#[derive(Clone, Debug)]
pub struct TriangulateScene {
    /// Projection matrices, pixels from world.
    pub projections: Vec<Matrix3x4<f64>>,
    /// Per detection: view and 21 × (u, v, weight, 1 where a user has placed it, else 0).
    pub detections: Vec<(usize, [[f64; 4]; KEYPOINTS])>,
}

/// A triangulated joint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointSolution {
    /// World position, metres.
    pub position: Vector3<f64>,
    /// Covariance, square metres.
    pub covariance: Matrix3<f64>,
    /// Observations within the gate.
    pub support: u32,
}

/// Solution of one problem: 21 joints.
pub type HandSolution = [JointSolution; KEYPOINTS];

/// Where the triangulation runs: the kernel on a device, or its `f64` twin.
#[derive(Clone)]
pub enum Triangulator {
    /// The compute kernel `fit/triangulate`.
    Gpu(Gpu, Kernel),
    /// The twin on the CPU.
    Reference,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct TriangulateSettings {
    iterations: u32,
    scale_start_px: f32,
    scale_px: f32,
    noise_px: f32,
    gate_px: f32,
    problems: u32,
    pad: [u32; 2],
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Solution {
    position: [f32; 3],
    support: f32,
    covariance_diagonal: [f32; 3],
    weight: f32,
    covariance_rest: [f32; 3],
    mean_px: f32,
}

#[expect(clippy::cast_possible_truncation, reason = "the device computes in f32")]
const fn f32_of(value: f64) -> f32 {
    value as f32
}

fn u32_of(value: usize) -> u32 {
    u32::try_from(value).expect("counts of views and detections are far below 2^32")
}

impl Triangulator {
    /// Compiles the kernel on `gpu`.
    ///
    /// # Errors
    /// [`GpuError::Shader`] when the driver refuses it.
    pub fn on(gpu: &Gpu) -> Result<Self, GpuError> {
        Ok(Self::Gpu(gpu.clone(), gpu.kernel("fit/triangulate")?))
    }

    /// Solves all problems (lists of detection indices).
    ///
    /// # Errors
    /// [`PoseError::Gpu`] when the device fails.
    pub fn solve(
        &self,
        scene: &TriangulateScene,
        problems: &[Vec<usize>],
        options: &TriangulateOptions,
    ) -> Result<Vec<HandSolution>, PoseError> {
        let (origin, centred) = recentred(scene);
        let mut solutions = match self {
            Self::Gpu(gpu, kernel) => solve_on_gpu(gpu, kernel, &centred, problems, options)?,
            Self::Reference => problems.iter().map(|p| reference::triangulate(&centred, p, options)).collect(),
        };
        for joint in solutions.iter_mut().flatten() {
            joint.position += origin;
        }
        Ok(solutions)
    }
}

/// Moves the world origin to the point nearest to all optical axes, so that single precision suffices in any frame.
fn recentred(scene: &TriangulateScene) -> (Vector3<f64>, TriangulateScene) {
    let mut normal = Matrix3::identity() * 1e-9;
    let mut right = Vector3::zeros();
    for p in &scene.projections {
        let m = p.fixed_columns::<3>(0).into_owned();
        let Some(inverse) = m.try_inverse() else { continue };
        let centre = -(inverse * p.column(3));
        let axis = m.row(2).transpose().normalize();
        let across = Matrix3::identity() - axis * axis.transpose();
        normal += across;
        right += across * centre;
    }
    let origin = normal.try_inverse().map_or_else(Vector3::zeros, |n| n * right);
    let shift = |p: &Matrix3x4<f64>| {
        let mut q = *p;
        let moved = p.fixed_columns::<3>(0) * origin + p.column(3);
        q.set_column(3, &moved);
        // The scale of P is free: unit third row keeps depths in metres.
        q / q.fixed_view::<1, 3>(2, 0).norm().max(1e-30)
    };
    let projections = scene.projections.iter().map(shift).collect();
    (origin, TriangulateScene { projections, detections: scene.detections.clone() })
}

fn solve_on_gpu(
    gpu: &Gpu,
    kernel: &Kernel,
    scene: &TriangulateScene,
    problems: &[Vec<usize>],
    options: &TriangulateOptions,
) -> Result<Vec<HandSolution>, GpuError> {
    let settings = TriangulateSettings {
        iterations: options.iterations,
        scale_start_px: f32_of(options.scale_start_px),
        scale_px: f32_of(options.scale_px),
        noise_px: f32_of(options.noise_px),
        gate_px: f32_of(options.gate_px),
        problems: u32_of(problems.len()),
        pad: [0; 2],
    };
    let cameras: Vec<[f32; 4]> = scene
        .projections
        .iter()
        .flat_map(|p| (0..3).map(|row| std::array::from_fn(|column| f32_of(p[(row, column)]))))
        .collect();
    let keypoints: Vec<[f32; 4]> =
        scene.detections.iter().flat_map(|(_, k)| k.iter().map(|seen| seen.map(f32_of))).collect();
    let views: Vec<u32> = scene.detections.iter().map(|(view, _)| u32_of(*view)).collect();
    let mut ranges = Vec::with_capacity(problems.len());
    let mut entries = Vec::new();
    for problem in problems {
        ranges.push([u32_of(entries.len()), u32_of(problem.len())]);
        entries.extend(problem.iter().map(|&d| u32_of(d)));
    }
    let bytes = (problems.len() * KEYPOINTS * size_of::<Solution>()) as u64;
    let solutions = Buffer::zeros(gpu, "triangulate solutions", bytes)?;
    let bound = kernel.bind(&[
        ("settings", &Buffer::uniform(gpu, "triangulate settings", &settings)?),
        ("cameras", &Buffer::storage(gpu, "triangulate cameras", &cameras)?),
        ("keypoints", &Buffer::storage(gpu, "triangulate keypoints", &keypoints)?),
        ("detection_views", &Buffer::storage(gpu, "triangulate views", &views)?),
        ("problem_ranges", &Buffer::storage(gpu, "triangulate ranges", &ranges)?),
        ("entries", &Buffer::storage(gpu, "triangulate entries", &entries)?),
        ("solutions", &solutions),
    ])?;
    let mut recorder = gpu.recorder("triangulate");
    recorder.dispatch_workgroups(&bound, u32_of(problems.len()));
    recorder.submit()?;
    let raw: Vec<Solution> = gpu.read_range(&solutions, 0, bytes.max(16))?;
    let joint = |s: &Solution| {
        let [a, b, c] = s.covariance_diagonal.map(f64::from);
        let [d, e, f] = s.covariance_rest.map(f64::from);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count stored as a float")]
        let support = s.support as u32;
        JointSolution {
            position: Vector3::from(s.position.map(f64::from)),
            covariance: Matrix3::new(a, d, e, d, b, f, e, f, c),
            support,
        }
    };
    let hands = raw.as_chunks::<KEYPOINTS>().0.iter().take(problems.len());
    Ok(hands.map(|hand| std::array::from_fn(|j| joint(&hand[j]))).collect())
}

/// The twin: same loops, same names, `f64`.
mod reference {
    use super::{HandSolution, JointSolution, TriangulateOptions, TriangulateScene};
    use nalgebra::{Matrix3, Vector3};

    /// Solves one problem.
    pub(super) fn triangulate(
        scene: &TriangulateScene,
        problem: &[usize],
        options: &TriangulateOptions,
    ) -> HandSolution {
        std::array::from_fn(|joint| triangulate_joint(scene, problem, joint, options))
    }

    fn inverse(m: &Matrix3<f64>) -> Matrix3<f64> {
        m.try_inverse().unwrap_or_else(Matrix3::zeros)
    }

    fn triangulate_joint(
        scene: &TriangulateScene,
        problem: &[usize],
        joint: usize,
        options: &TriangulateOptions,
    ) -> JointSolution {
        let mut normal = Matrix3::identity() * 1e-9;
        let mut right = Vector3::zeros();
        for &detection in problem {
            let (view, keypoints) = &scene.detections[detection];
            let p = &scene.projections[*view];
            let seen = keypoints[joint];
            for axis in 0..2 {
                let plane = p.row(2) * seen[axis] - p.row(axis);
                let size = plane.fixed_columns::<3>(0).norm().max(1e-20);
                let n = plane.fixed_columns::<3>(0).transpose() / size;
                normal += n * n.transpose() * seen[2];
                right -= n * (seen[2] * plane[3] / size);
            }
        }
        let mut x = inverse(&normal) * right;
        let mut information = Matrix3::zeros();
        let (mut support, mut weight_sum, mut square_sum) = (0, 0.0, 0.0);
        for iteration in 0..=options.iterations {
            let t = f64::from(iteration) / f64::from(options.iterations.max(1));
            let scale = options.scale_start_px * (options.scale_px / options.scale_start_px).powf(t);
            information = Matrix3::identity() * 1e-3;
            let mut gradient = Vector3::zeros();
            (support, weight_sum, square_sum) = (0, 0.0, 0.0);
            for &detection in problem {
                let (view, keypoints) = &scene.detections[detection];
                let p = &scene.projections[*view];
                let seen = keypoints[joint];
                let h = p * x.push(1.0);
                if h.z < 1e-6 {
                    continue;
                }
                let (u, v) = (h.x / h.z, h.y / h.z);
                let residual = [u - seen[0], v - seen[1]];
                let square = residual[0] * residual[0] + residual[1] * residual[1];
                let ratio = scale * scale / (scale * scale + square);
                let weight = if seen[3] > 0.5 { seen[2] } else { seen[2] * ratio * ratio };
                let row = |axis: usize, value: f64| {
                    ((p.fixed_view::<1, 3>(axis, 0) - p.fixed_view::<1, 3>(2, 0) * value) / h.z).transpose()
                };
                let (ju, jv) = (row(0, u), row(1, v));
                information += (ju * ju.transpose() + jv * jv.transpose()) * weight;
                gradient += (ju * residual[0] + jv * residual[1]) * weight;
                if square < options.gate_px * options.gate_px && seen[2] > 0.0 {
                    support += 1;
                }
                weight_sum += weight;
                square_sum += weight * square;
            }
            if iteration < options.iterations {
                x -= inverse(&information) * gradient;
            }
        }
        let prior = 4.0 * options.noise_px * options.noise_px;
        let variance = (prior + 0.5 * square_sum) / (4.0 + (weight_sum - 1.5).max(0.0));
        JointSolution { position: x, covariance: inverse(&information) * variance, support }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::super::test_rig::{Noise, Rig};
    use super::*;
    use crate::gpu::testing::{Edit, KernelTest, assert_layout, gpu};
    use crate::kernel_checks::KernelCheck;

    pub(crate) const CHECKS: &[KernelCheck] = &[KernelCheck {
        kernel: "fit/triangulate",
        difference,
        edits: &[
            ("scale * scale / (scale * scale + square)", "scale * scale / (scale * scale + 1.5 * square)"),
            ("(4.0 + max(weight_sum - 1.5, 0.0))", "4.0"),
            ("square < settings.gate_px * settings.gate_px", "square < 0.2 * settings.gate_px * settings.gate_px"),
            ("x -= times(inverse(information), gradient)", "x -= 0.7 * times(inverse(information), gradient)"),
            ("e * f - d * c", "e * f + d * c"),
            ("seen.w > 0.5", "false"),
        ],
        gradient: None,
    }];

    const OPTIONS: TriangulateOptions =
        TriangulateOptions { iterations: 12, scale_start_px: 200.0, scale_px: 8.0, noise_px: 3.0, gate_px: 10.0 };

    fn scene() -> (Rig, TriangulateScene, Vec<Vec<usize>>) {
        let rig = Rig::new(12, 7);
        let keypoints = rig.detect(&Noise { px: 2.0, outliers: 0.1, seed: 5 });
        let mut detections = Vec::new();
        for (view, pair) in keypoints.iter().enumerate() {
            for k in pair.iter().flatten() {
                // Some as a user would have placed them, outliers among them.
                let kept = |j: usize| if (view + j).is_multiple_of(5) { 1.0 } else { 0.0 };
                detections.push((view, std::array::from_fn(|j| [k.px[j][0], k.px[j][1], k.confidence[j], kept(j)])));
            }
        }
        let projections = rig.cameras.iter().map(crate::camera::Camera::projection).collect();
        let problems = vec![(0..24).step_by(2).collect(), (1..24).step_by(2).collect(), vec![0, 8], vec![3, 7, 11]];
        (rig, TriangulateScene { projections, detections }, problems)
    }

    fn worst_mm(a: &[HandSolution], b: &[HandSolution]) -> f64 {
        let pairs = a.iter().flatten().zip(b.iter().flatten());
        1e3 * pairs.map(|(a, b)| (a.position - b.position).norm()).fold(0.0, f64::max)
    }

    #[test]
    fn layout() {
        let settings = [
            ("iterations", 0),
            ("scale_start_px", 4),
            ("scale_px", 8),
            ("noise_px", 12),
            ("gate_px", 16),
            ("problems", 20),
            ("pad0", 24),
            ("pad1", 28),
        ];
        assert_layout("fit/triangulate", "TriangulateSettings", size_of::<TriangulateSettings>(), &settings);
        let solution = [
            ("position", 0),
            ("support", 12),
            ("covariance_diagonal", 16),
            ("weight", 28),
            ("covariance_rest", 32),
            ("mean_px", 44),
        ];
        assert_layout("fit/triangulate", "Solution", size_of::<Solution>(), &solution);
    }

    /// The solution is a stationary point of `Σ w c² r²/(c² + r²)` (`Σ w r²` of what is placed): its differences vanish there and not beside it.
    #[test]
    fn twin_solution_is_stationary() {
        let (_, scene, problems) = scene();
        let options = TriangulateOptions { iterations: 60, scale_start_px: 8.0, ..OPTIONS };
        let (_, centred) = recentred(&scene);
        let energy = |x: &Vector3<f64>| -> f64 {
            let cost = |&d: &usize| {
                let (view, k) = &centred.detections[d];
                let h = centred.projections[*view] * x.push(1.0);
                let s = (h.x / h.z - k[4][0]).powi(2) + (h.y / h.z - k[4][1]).powi(2);
                let c = options.scale_px.powi(2);
                k[4][2] * if k[4][3] > 0.5 { s } else { c * s / (c + s) }
            };
            problems[0].iter().map(cost).sum()
        };
        let x = reference::triangulate(&centred, &problems[0], &options)[4].position;
        let slope = |x: &Vector3<f64>| {
            Vector3::from_fn(|k, _| {
                (energy(&(x + Vector3::ith(k, 1e-6))) - energy(&(x - Vector3::ith(k, 1e-6)))) / 2e-6
            })
        };
        let (at, beside) = (slope(&x).norm(), slope(&(x + Vector3::new(1e-4, 0.0, 0.0))).norm());
        assert!(at < 1e-3 * beside, "gradient {at} at the solution, {beside} a tenth of a millimetre away");
    }

    /// Positions within 0.02 mm, covariances within 2 %, support within one view of the gate.
    fn difference(edit: Option<Edit>) -> Option<f64> {
        let test = KernelTest::new(edit)?;
        let (_, scene, problems) = scene();
        let expected = Triangulator::Reference.solve(&scene, &problems, &OPTIONS).expect("the twin cannot fail");
        let kernel = Triangulator::Gpu(test.gpu().clone(), test.kernel("fit/triangulate"));
        let found = kernel.solve(&scene, &problems, &OPTIONS).expect("runs");
        let mut worst = worst_mm(&found, &expected) / 0.02;
        for (a, b) in found.iter().flatten().zip(expected.iter().flatten()) {
            worst = worst.max((a.covariance - b.covariance).norm() / b.covariance.norm() / 0.02);
            worst = worst.max(f64::from(a.support.abs_diff(b.support)));
        }
        Some(worst)
    }

    #[test]
    fn a_far_world_origin_costs_no_precision() {
        let Some(gpu) = gpu() else { return };
        let (_, scene, problems) = scene();
        let far = Vector3::new(50.0, -30.0, 80.0);
        let mut moved = scene.clone();
        for p in &mut moved.projections {
            let column = p.column(3) - p.fixed_columns::<3>(0) * far;
            p.set_column(3, &column);
        }
        let expected = Triangulator::Reference.solve(&scene, &problems, &OPTIONS).expect("the twin cannot fail");
        let mut found = Triangulator::on(&gpu).expect("compiles").solve(&moved, &problems, &OPTIONS).expect("runs");
        for joint in found.iter_mut().flatten() {
            joint.position -= far;
        }
        assert!(worst_mm(&found, &expected) < 0.02, "the frame does not matter");
    }
}
