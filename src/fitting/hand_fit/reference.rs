//! The `f64` twins of `fit/hand_normal` and `fit/damped_step`.

use super::normal::{add_point, mirror};
use super::problem::{HandProblem, Weights};
use crate::anatomy::KEYPOINTS;
use crate::hand::{PARAMETERS, POSE, SCALE, SHAPE, parameters_from_vector};
use nalgebra::{Matrix3, Vector3};

/// Losses by term: joints, reprojection, pose, limits, shape, offsets.
pub(super) const TERMS: usize = 6;
/// Gauss-Newton steps by which a landmark's offset is found: enough near the solution, where it matters; far from it the
/// gradient of the whole is then approximate.
pub(super) const OFFSET_STEPS: u32 = 6;

/// Normal equations at a point.
#[derive(Clone, Debug)]
pub(super) struct System {
    /// Gauss-Newton matrix, row-major.
    pub hessian: Vec<[f64; PARAMETERS]>,
    /// Gradient of the loss.
    pub gradient: [f64; PARAMETERS],
    /// Loss of each term.
    pub losses: [f64; TERMS],
}

/// Cauchy loss of the squared residual `s` at scale `c`: value and weight.
pub(super) fn robust(s: f64, c: f64) -> (f64, f64) {
    (0.5 * c * (s / c).ln_1p(), 1.0 / (1.0 + s / c))
}

/// What the data say about one landmark at a world position: information, slope, losses (joints, reprojection).
struct Pull {
    information: Matrix3<f64>,
    slope: Vector3<f64>,
    losses: [f64; 2],
}

fn pull_at(problem: &HandProblem, weights: &Weights, k: usize, world: &Vector3<f64>) -> Pull {
    let target = &problem.targets[k];
    let d = world - target.position;
    let (value, weight) = robust(d.dot(&(target.information * d)), weights.joints_robust);
    let mut losses = [weights.joints * value, 0.0];
    let mut a: Matrix3<f64> = target.information * (weights.joints * weight);
    let mut g: Vector3<f64> = a * d;
    for observation in &problem.observations {
        let p = &problem.projections[observation.view];
        let h = p * world.push(1.0);
        let seen = observation.weights[k];
        if h.z < 1e-3 || seen <= 0.0 {
            continue;
        }
        let (u, v) = (h.x / h.z, h.y / h.z);
        let r = [u - observation.px[k][0], v - observation.px[k][1]];
        let (value, weight) = robust(r[0] * r[0] + r[1] * r[1], weights.reprojection_robust);
        let w = weights.reprojection * seen;
        losses[1] += w * value;
        let row = |axis: usize, value: f64| {
            ((p.fixed_view::<1, 3>(axis, 0) - p.fixed_view::<1, 3>(2, 0) * value) / h.z).transpose()
        };
        let (ju, jv) = (row(0, u), row(1, v));
        a += (ju * ju.transpose() + jv * jv.transpose()) * (w * weight);
        g += (ju * r[0] + jv * r[1]) * (w * weight);
    }
    Pull { information: a, slope: g, losses }
}

fn solve(a: &Matrix3<f64>, stiffness: f64, v: &Vector3<f64>) -> Vector3<f64> {
    (a + Matrix3::identity() * stiffness).try_inverse().map_or_else(Vector3::zeros, |inverse| inverse * v)
}

/// Where a detector puts landmark `k` relative to the model's joint at `world`: the offset (world axes, metres) that the data
/// ask for against its prior.
pub(super) fn landmark_offset(
    problem: &HandProblem,
    weights: &Weights,
    k: usize,
    world: &Vector3<f64>,
) -> Vector3<f64> {
    let stiffness = problem.targets[k].offset_information;
    let mut offset = Vector3::zeros();
    for _ in 0..weights.offset_steps {
        let pull = pull_at(problem, weights, k, &(world + offset));
        offset -= solve(&pull.information, stiffness, &(pull.slope + offset * stiffness));
    }
    offset
}

/// The scale of all offsets in units of their prior deviations that the data at `x` ask for: one step of expectation
/// maximisation, `E|w|²` being the square of the best offset and what is left uncertain about it.
pub(super) fn offset_scale(problem: &HandProblem, weights: &Weights, x: &[f64; PARAMETERS], prior: &[f64]) -> f64 {
    let (keypoints, _) = problem.model.evaluate(&parameters_from_vector(problem.model.side, x));
    let mut square = 0.0;
    for (k, keypoint) in keypoints.iter().enumerate() {
        let world = Vector3::from(*keypoint);
        let offset = landmark_offset(problem, weights, k, &world);
        let information = pull_at(problem, weights, k, &(world + offset)).information;
        let whole = information + Matrix3::identity() * problem.targets[k].offset_information;
        let uncertain = whole.try_inverse().map_or(0.0, |c| c.trace());
        square += prior[k] * (offset.norm_squared() + uncertain) / 3.0;
    }
    (square / f64::from(u32::try_from(KEYPOINTS).expect("21"))).sqrt()
}

/// Loss, gradient and Gauss-Newton matrix of a problem at `x`.
///
/// The offset of each landmark is eliminated: it takes its best value (so that the gradient is that at fixed offset), and the
/// information `A` that is left for the joint is `A − A (A + P)⁻¹ A = P (A + P)⁻¹ A`, with `P` the prior's (Schur complement).
pub(super) fn hand_normal(problem: &HandProblem, weights: &Weights, x: &[f64; PARAMETERS]) -> System {
    let (keypoints, mut jacobian) = problem.model.evaluate(&parameters_from_vector(problem.model.side, x));
    let mut hessian = vec![[0.0; PARAMETERS]; PARAMETERS];
    let mut gradient = [0.0; PARAMETERS];
    let mut losses = [0.0; TERMS];
    for k in 0..KEYPOINTS {
        let world = Vector3::from(keypoints[k]);
        let offset = landmark_offset(problem, weights, k, &world);
        let pull = pull_at(problem, weights, k, &(world + offset));
        let stiffness = problem.targets[k].offset_information;
        losses[0] += pull.losses[0];
        losses[1] += pull.losses[1];
        losses[5] += 0.5 * stiffness * offset.norm_squared();
        let column_left =
            |axis: usize| solve(&pull.information, stiffness, &pull.information.column(axis).into_owned());
        let a = Matrix3::from_columns(&[0, 1, 2].map(column_left)) * stiffness;
        if !weights.scale_free {
            for row in &mut jacobian[k] {
                row[SCALE] = 0.0;
            }
        }
        let [x, y, z] = &jacobian[k];
        let columns = (0..PARAMETERS).map(|p| [x[p], y[p], z[p]]);
        add_point(columns, &a, &pull.slope, &mut hessian, &mut gradient);
    }
    mirror(&mut hessian);
    for i in 0..45 {
        let p = POSE + i;
        let block = i / 3 * 3;
        let mut pull = 0.0;
        for j in 0..3 {
            let precision = problem.prior[i][j];
            pull += precision * (x[POSE + block + j] - problem.prior_mean[block + j]);
            hessian[p][POSE + block + j] += precision;
        }
        losses[2] += 0.5 * pull * (x[p] - problem.prior_mean[i]);
        gradient[p] += pull;
        let [low, high] = problem.limits[i];
        let outside = (x[p] - low).min(0.0) + (x[p] - high).max(0.0);
        if outside != 0.0 {
            gradient[p] += weights.limits * outside;
            hessian[p][p] += weights.limits;
            losses[3] += 0.5 * weights.limits * outside * outside;
        }
    }
    for p in SHAPE..SCALE {
        let off = x[p] - problem.shape_mean[p - SHAPE];
        gradient[p] += weights.shape * off;
        hessian[p][p] += weights.shape;
        losses[4] += 0.5 * weights.shape * off * off;
    }
    if !weights.scale_free {
        gradient[SCALE] = 0.0;
        hessian[SCALE][SCALE] = 1.0;
    }
    System { hessian, gradient, losses }
}

/// How damping changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepRule {
    pub lambda_down: f64,
    pub lambda_up: f64,
    pub max_turn: f64,
}

/// State of one problem.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub lambda: f64,
    pub loss: f64,
    pub current: [f64; PARAMETERS],
    pub trial: [f64; PARAMETERS],
    pub kept: Option<System>,
}

impl State {
    pub(super) fn new(start: [f64; PARAMETERS], lambda: f64) -> Self {
        Self { lambda, loss: f64::from(f32::MAX), current: start, trial: start, kept: None }
    }
}

/// Judges the trial with its system and writes the next one.
pub(super) fn damped_step(state: &mut State, system: System, rule: &StepRule) {
    let loss: f64 = system.losses.iter().sum();
    if loss < state.loss {
        state.lambda = (state.lambda * rule.lambda_down).max(1e-7);
        state.loss = loss;
        state.current = state.trial;
        state.kept = Some(system);
    } else {
        state.lambda = (state.lambda * rule.lambda_up).min(1e6);
    }
    let Some(kept) = &state.kept else { return };
    let step = solve_damped(kept, state.lambda);
    let turned = |(i, _): &(usize, &f64)| *i < 3 || (POSE..SHAPE).contains(i);
    let turn = step.iter().enumerate().filter(turned).map(|(_, s)| s.abs()).fold(0.0, f64::max);
    let factor = (rule.max_turn / turn.max(1e-12)).min(1.0);
    state.trial = std::array::from_fn(|i| state.current[i] + factor * step[i]);
}

/// `−(H + λ diag H)⁻¹ g` by Cholesky of the system scaled to a unit diagonal.
pub(super) fn solve_damped(system: &System, lambda: f64) -> [f64; PARAMETERS] {
    let n = PARAMETERS;
    let size: Vec<f64> = (0..n).map(|i| system.hessian[i][i].max(1e-12).sqrt()).collect();
    let mut lower = vec![[0.0; PARAMETERS]; n];
    for p in 0..n {
        for q in 0..=p {
            lower[p][q] = system.hessian[p][q] / (size[p] * size[q]);
        }
        lower[p][p] += lambda;
    }
    for j in 0..n {
        for p in j..n {
            let s = lower[p][j] - (0..j).map(|k| lower[p][k] * lower[j][k]).sum::<f64>();
            lower[p][j] = if p == j { s.max(1e-7).sqrt() } else { s / lower[j][j] };
        }
    }
    let mut right: [f64; PARAMETERS] = std::array::from_fn(|i| -system.gradient[i] / size[i]);
    for i in 0..n {
        let s = right[i] - (0..i).map(|k| lower[i][k] * right[k]).sum::<f64>();
        right[i] = s / lower[i][i];
    }
    for i in (0..n).rev() {
        let s = right[i] - (i + 1..n).map(|k| lower[k][i] * right[k]).sum::<f64>();
        right[i] = s / lower[i][i];
    }
    std::array::from_fn(|i| right[i] / size[i])
}
