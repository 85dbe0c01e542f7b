//! The kernels `fit/hand_normal` and `fit/damped_step` with their buffers: state stays on the device between iterations.

use super::problem::{HandProblem, Weights};
use super::reference::{StepRule, TERMS};
use crate::anatomy::KEYPOINTS;
use crate::gpu::{Bound, Buffer, Gpu, GpuError, Kernel};
use crate::hand::PARAMETERS;

/// Floats of one system on the device: H, g, losses, padding.
const SYSTEM: usize = 4096;
#[cfg(test)]
const GRADIENT: usize = 3844;
#[cfg(test)]
const LOSSES: usize = 3906;
/// Floats of the terms of one problem, padded.
const LOSS_STRIDE: usize = 8;
/// Floats of one parameter vector, padded.
const STRIDE: usize = 64;

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct FitUniform {
    problems: u32,
    scale_free: u32,
    joints_weight: f32,
    joints_robust: f32,
    reprojection_weight: f32,
    reprojection_robust: f32,
    limit_weight: f32,
    shape_weight: f32,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct StepUniform {
    problems: u32,
    lambda_down: f32,
    lambda_up: f32,
    max_turn: f32,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Control {
    lambda: f32,
    loss: f32,
    accepted: u32,
    refused: u32,
}

/// A problem's state as read back.
#[derive(Clone, Debug)]
pub(super) struct DeviceState {
    pub loss: f64,
    pub losses: [f64; TERMS],
    pub current: [f64; PARAMETERS],
}

/// All problems of a fit on the device.
pub(super) struct DeviceFit {
    gpu: Gpu,
    problems: u32,
    normal: Bound,
    step: Bound,
    control: Buffer,
    losses: Buffer,
    current: Buffer,
    #[cfg(test)]
    systems: Buffer,
    #[cfg(test)]
    trial: Buffer,
}

#[expect(clippy::cast_possible_truncation, reason = "the device computes in f32")]
const fn f32_of(value: f64) -> f32 {
    value as f32
}

fn u32_of(value: usize) -> u32 {
    u32::try_from(value).expect("counts of views and problems are far below 2^32")
}

/// One model with its priors in the order of the constants of `hand_normal.wgsl`.
fn pack_model(hand: &HandProblem) -> Vec<f32> {
    let mut out: Vec<f64> = hand.model.rest.as_flattened().to_vec();
    out.extend(hand.model.shape.as_flattened().as_flattened());
    out.extend(hand.model.tip_weights.as_flattened());
    out.extend(hand.prior_mean);
    out.extend(hand.prior.as_flattened());
    out.extend(hand.limits.as_flattened());
    out.extend(hand.shape_mean);
    out.into_iter().map(f32_of).collect()
}

/// The two kernels.
#[derive(Clone)]
pub(super) struct FitKernels {
    pub normal: Kernel,
    pub step: Kernel,
}

impl FitKernels {
    pub(super) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        Ok(Self { normal: gpu.kernel("fit/hand_normal")?, step: gpu.kernel("fit/damped_step")? })
    }
}

impl DeviceFit {
    /// Uploads hands and starts (`(hand, parameters)`).
    pub(super) fn new(
        gpu: &Gpu,
        kernels: &FitKernels,
        hands: &[HandProblem],
        starts: &[(usize, [f64; PARAMETERS])],
        weights: &Weights,
        rule: &StepRule,
        lambda: f64,
    ) -> Result<Self, GpuError> {
        let models: Vec<f32> = hands.iter().flat_map(pack_model).collect();
        let mut targets = Vec::new();
        let mut cameras: Vec<[f32; 4]> = Vec::new();
        let mut observations = Vec::new();
        let mut ranges = Vec::new();
        for hand in hands {
            for target in &hand.targets {
                let (x, i) = (&target.position, &target.information);
                let [d, o] = [[i[(0, 0)], i[(1, 1)], i[(2, 2)]], [i[(0, 1)], i[(0, 2)], i[(1, 2)]]];
                let values = [x.x, x.y, x.z, d[0], d[1], d[2], o[0], o[1], o[2], target.offset_information];
                targets.extend(values.map(f32_of));
            }
            let first_camera = cameras.len() / 3;
            let row = |p: &nalgebra::Matrix3x4<f64>, r: usize| std::array::from_fn(|c| f32_of(p[(r, c)]));
            cameras.extend(hand.projections.iter().flat_map(|p| [row(p, 0), row(p, 1), row(p, 2)]));
            ranges.push([u32_of(observations.len() / KEYPOINTS), u32_of(hand.observations.len())]);
            for o in &hand.observations {
                // A number of a camera in the list of all hands' cameras is exact in single precision up to 2^24.
                let view = f64::from(u32_of(first_camera + o.view));
                observations.extend((0..KEYPOINTS).map(|k| [o.px[k][0], o.px[k][1], o.weights[k], view].map(f32_of)));
            }
        }
        let entry = |(hand, _): &(usize, [f64; PARAMETERS])| [u32_of(*hand), ranges[*hand][0], ranges[*hand][1], 0];
        let problems: Vec<[u32; 4]> = starts.iter().map(entry).collect();
        let mut parameters = vec![0.0f32; starts.len() * STRIDE];
        for (to, (_, from)) in parameters.chunks_exact_mut(STRIDE).zip(starts) {
            for (t, f) in to.iter_mut().zip(from) {
                *t = f32_of(*f);
            }
        }
        let count = starts.len();
        let fit_uniform = FitUniform {
            problems: u32_of(count),
            scale_free: u32::from(weights.scale_free),
            joints_weight: f32_of(weights.joints),
            joints_robust: f32_of(weights.joints_robust),
            reprojection_weight: f32_of(weights.reprojection),
            reprojection_robust: f32_of(weights.reprojection_robust),
            limit_weight: f32_of(weights.limits),
            shape_weight: f32_of(weights.shape),
        };
        let step_uniform = StepUniform {
            problems: u32_of(count),
            lambda_down: f32_of(rule.lambda_down),
            lambda_up: f32_of(rule.lambda_up),
            max_turn: f32_of(rule.max_turn),
        };
        let fresh = Control { lambda: f32_of(lambda), loss: f32::MAX, accepted: 0, refused: 0 };
        let control = Buffer::storage(gpu, "fit control", &vec![fresh; count])?;
        let system_bytes = (count * SYSTEM * 4) as u64;
        let systems = Buffer::zeros(gpu, "fit systems", system_bytes)?;
        let kept = Buffer::zeros(gpu, "fit kept systems", system_bytes)?;
        let losses = Buffer::zeros(gpu, "fit losses", (count * LOSS_STRIDE * 4) as u64)?;
        let current = Buffer::storage(gpu, "fit parameters", &parameters)?;
        let trial = Buffer::storage(gpu, "fit trial", &parameters)?;
        let normal = kernels.normal.bind(&[
            ("settings", &Buffer::uniform(gpu, "fit settings", &fit_uniform)?),
            ("models", &Buffer::storage(gpu, "fit models", &models)?),
            ("targets", &Buffer::storage(gpu, "fit targets", &targets)?),
            ("cameras", &Buffer::storage(gpu, "fit cameras", &cameras)?),
            ("observations", &Buffer::storage(gpu, "fit observations", &observations)?),
            ("problems", &Buffer::storage(gpu, "fit problems", &problems)?),
            ("trial", &trial),
            ("systems", &systems),
            ("jacobian", &Buffer::zeros(gpu, "fit jacobian", (count * 3 * KEYPOINTS * PARAMETERS * 4) as u64)?),
        ])?;
        let step = kernels.step.bind(&[
            ("settings", &Buffer::uniform(gpu, "step settings", &step_uniform)?),
            ("control", &control),
            ("systems", &systems),
            ("kept", &kept),
            ("current", &current),
            ("trial", &trial),
            ("losses", &losses),
        ])?;
        Ok(Self {
            gpu: gpu.clone(),
            problems: u32_of(count),
            normal,
            step,
            control,
            losses,
            current,
            #[cfg(test)]
            systems,
            #[cfg(test)]
            trial,
        })
    }

    /// One iteration of all problems: evaluate the trial, judge it, make the next.
    pub(super) fn step(&self) -> Result<(), GpuError> {
        let mut recorder = self.gpu.recorder("hand fit");
        recorder.dispatch_workgroups(&self.normal, self.problems);
        recorder.dispatch_workgroups(&self.step, self.problems);
        recorder.submit()
    }

    /// Reads the small part of the state back.
    pub(super) fn read(&self) -> Result<Vec<DeviceState>, GpuError> {
        let control: Vec<Control> = self.gpu.read(&self.control)?;
        let current: Vec<f32> = self.gpu.read(&self.current)?;
        let losses: Vec<f32> = self.gpu.read(&self.losses)?;
        let states = (0..self.problems as usize)
            .map(|problem| DeviceState {
                loss: f64::from(control[problem].loss),
                losses: std::array::from_fn(|i| f64::from(losses[problem * LOSS_STRIDE + i])),
                current: std::array::from_fn(|i| f64::from(current[problem * STRIDE + i])),
            })
            .collect();
        Ok(states)
    }

    /// The systems of the last trials: `(H row-major, g, losses)`.
    #[cfg(test)]
    pub(super) fn read_systems(&self) -> Result<Vec<super::reference::System>, GpuError> {
        let raw: Vec<f32> = self.gpu.read(&self.systems)?;
        let value = |s: &[f32], i: usize| f64::from(s[i]);
        let system = |s: &[f32]| super::reference::System {
            hessian: (0..PARAMETERS).map(|p| std::array::from_fn(|q| value(s, p * PARAMETERS + q))).collect(),
            gradient: std::array::from_fn(|p| value(s, GRADIENT + p)),
            losses: std::array::from_fn(|i| value(s, LOSSES + i)),
        };
        Ok(raw.chunks_exact(SYSTEM).map(system).collect())
    }

    /// Parameters that the next evaluation will see.
    #[cfg(test)]
    pub(super) fn trial(&self) -> &Buffer {
        &self.trial
    }

    /// Offsets that the kernel's constants must equal.
    #[cfg(test)]
    pub(super) fn constants() -> [usize; 3] {
        [GRADIENT, LOSSES, SYSTEM]
    }
}
