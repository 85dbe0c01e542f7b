//! The frames of a sequence made one movement.
//!
//! # Theory
//! Every frame was fitted by itself: what its data say is, near the solution `x*`, a quadratic with the Gauss-Newton matrix
//! `H` of the fit (keypoints, masks, priors). The movement is the set of poses that minimises
//!
//! ```text
//! Σ_f ½ (x_f − x*_f)ᵀ H_f (x_f − x*_f)  +  Σ_abc Σ_k ρ( |2 ((y_c − y_b)/(c−b) − (y_b − y_a)/(b−a)) / (c−a)|² / σ² )
//! ```
//!
//! over the 21 keypoints `y` of neighbouring frames `a < b < c`: the second difference, which is that of positions and so
//! knows nothing of how rotations are written, with the robust `ρ` of the fit (Cauchy), so that a cut stays a cut. Shape and
//! scale are those of the person and stand still; a frame that was fitted with others has its pose follow by `H`.
//!
//! # Practice
//! Gauss-Newton with Levenberg-Marquardt damping; a frame meets its neighbours and theirs, so that the matrix is a band of
//! 3 × 51 and its Cholesky factor takes the time of some frames' fits, whatever the length.

use super::CommonShape;
use super::reference::robust;
use crate::hand::{
    HandModel, HandParameters, KeypointJacobian, KeypointModel, PARAMETERS, SCALE, SHAPE, parameter_vector,
    parameters_from_vector,
};
use nalgebra::Vector3;

/// What moves from frame to frame: orientation, translation, pose.
const MOVING: usize = SHAPE;
/// Half the width of the band, with the diagonal.
const BAND: usize = 3 * MOVING;
/// Frames farther apart than this are not neighbours.
const FARTHEST: u32 = 6;
/// Steps, at most.
const STEPS: u32 = 12;

/// One hand in one frame, fitted by itself.
#[derive(Clone, Debug)]
pub struct FrameEstimate {
    /// Number of the frame: its time in frames.
    pub number: u32,
    /// Solution.
    pub parameters: HandParameters,
    /// Gauss-Newton matrix there (rows of 62).
    pub information: Vec<[f64; PARAMETERS]>,
}

/// How stiff a movement is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothness {
    /// Standard deviation of a keypoint's second difference, metres a squared frame.
    pub sigma_m: f64,
    /// Scale of the robust loss in units of it; where the hand is faster, in units of the middle second difference.
    pub robust_scale: f64,
}

/// Makes the frames of one hand (ascending numbers) one movement with one shape; returns their parameters.
#[must_use]
pub fn smooth_motion(
    model: &HandModel,
    frames: &[FrameEstimate],
    shape: &CommonShape,
    smoothness: &Smoothness,
) -> Vec<HandParameters> {
    let problem = Problem::new(model, frames, shape, smoothness);
    let mut x = problem.start();
    let mut best = problem.evaluate(&x);
    let mut lambda = 1e-6;
    for _ in 0..STEPS {
        let step = problem.system(&x, &best).solve(lambda);
        let Some(step) = step else {
            lambda = f64::max(10.0 * lambda, 1e-6);
            continue;
        };
        let trial: Vec<[f64; PARAMETERS]> = x
            .iter()
            .zip(step.chunks_exact(MOVING))
            .map(|(x, step)| std::array::from_fn(|p| if p < MOVING { x[p] + step[p] } else { x[p] }))
            .collect();
        let found = problem.evaluate(&trial);
        if found.loss < best.loss {
            let gain = (best.loss - found.loss) / best.loss.max(1e-12);
            (x, best) = (trial, found);
            lambda *= 0.1;
            if gain < 1e-7 {
                break;
            }
        } else {
            lambda *= 30.0;
        }
    }
    x.iter().map(|x| parameters_from_vector(model.side, x)).collect()
}

/// Three neighbouring frames: positions in the list, and what each counts in the second difference.
struct Triple {
    frames: [usize; 3],
    weights: [f64; 3],
}

struct Problem<'a> {
    model: KeypointModel,
    frames: &'a [FrameEstimate],
    shape: &'a CommonShape,
    triples: Vec<Triple>,
    /// `1/σ²`, and the scale of the robust loss, square metres.
    stiffness: f64,
    robust_m2: f64,
}

/// Keypoints and loss at some parameters.
struct Evaluated {
    points: Vec<([[f64; 3]; 21], KeypointJacobian)>,
    loss: f64,
}

impl<'a> Problem<'a> {
    fn new(model: &HandModel, frames: &'a [FrameEstimate], shape: &'a CommonShape, s: &Smoothness) -> Self {
        let triple = |first: usize| {
            let [a, b, c] = [0, 1, 2].map(|k| frames[first + k].number);
            let near = b > a && c > b && c - a <= FARTHEST;
            let [ab, bc, ac] = [b.wrapping_sub(a), c.wrapping_sub(b), c.wrapping_sub(a)].map(f64::from);
            let weights = [2.0 / (ab * ac), -2.0 / (ab * bc), 2.0 / (bc * ac)];
            near.then_some(Triple { frames: [first, first + 1, first + 2], weights })
        };
        let triples = (0..frames.len().saturating_sub(2)).filter_map(triple).collect();
        let mut problem = Self {
            model: KeypointModel::new(model),
            frames,
            shape,
            triples,
            stiffness: s.sigma_m.powi(-2),
            robust_m2: f64::INFINITY,
        };
        let start = problem.evaluate(&problem.start()).points;
        let mut sizes: Vec<f64> =
            problem.triples.iter().flat_map(|t| second_differences(t, &start)).map(|d| d.norm()).collect();
        sizes.sort_by(f64::total_cmp);
        let middle = sizes.get(sizes.len() / 2).copied().unwrap_or(0.0);
        problem.robust_m2 = (s.robust_scale * middle.max(s.sigma_m)).powi(2);
        problem
    }

    fn start(&self) -> Vec<[f64; PARAMETERS]> {
        let vector = |frame: &FrameEstimate| {
            let mut x = parameter_vector(&frame.parameters);
            x[SHAPE..SCALE].copy_from_slice(&self.shape.betas);
            x[SCALE] = self.shape.scale;
            x
        };
        self.frames.iter().map(vector).collect()
    }

    /// How far a frame is from its own solution.
    fn off(&self, frame: usize, x: &[f64; PARAMETERS]) -> [f64; PARAMETERS] {
        let own = parameter_vector(&self.frames[frame].parameters);
        std::array::from_fn(|p| x[p] - own[p])
    }

    fn evaluate(&self, x: &[[f64; PARAMETERS]]) -> Evaluated {
        let points: Vec<_> =
            x.iter().map(|x| self.model.evaluate(&parameters_from_vector(self.model.side, x))).collect();
        let mut loss = 0.0;
        for (frame, x) in x.iter().enumerate() {
            let off = self.off(frame, x);
            let pull = |row: &[f64; PARAMETERS]| row.iter().zip(&off).map(|(h, o)| h * o).sum::<f64>();
            loss += 0.5 * self.frames[frame].information.iter().zip(&off).map(|(row, o)| o * pull(row)).sum::<f64>();
        }
        for triple in &self.triples {
            for d in second_differences(triple, &points) {
                loss += self.stiffness * robust(d.norm_squared(), self.robust_m2).0;
            }
        }
        Evaluated { points, loss }
    }

    fn system(&self, x: &[[f64; PARAMETERS]], at: &Evaluated) -> Banded {
        let mut system = Banded::new(MOVING * self.frames.len());
        for (frame, x) in x.iter().enumerate() {
            let off = self.off(frame, x);
            let first = frame * MOVING;
            for (p, row) in self.frames[frame].information.iter().enumerate().take(MOVING) {
                system.right[first + p] -= row.iter().zip(&off).map(|(h, o)| h * o).sum::<f64>();
                for (q, value) in row.iter().enumerate().take(p + 1) {
                    system.add(first + p, first + q, *value);
                }
            }
        }
        for triple in &self.triples {
            for (k, d) in second_differences(triple, &at.points).into_iter().enumerate() {
                let weight = self.stiffness * robust(d.norm_squared(), self.robust_m2).1;
                self.add_second_difference(&mut system, triple, k, &d, weight, at);
            }
        }
        system
    }

    fn add_second_difference(
        &self,
        system: &mut Banded,
        triple: &Triple,
        keypoint: usize,
        d: &Vector3<f64>,
        weight: f64,
        at: &Evaluated,
    ) {
        // Columns of the residual's Jacobian that are not zero: a keypoint hangs on few joints.
        let mut moving: Vec<(usize, Vector3<f64>)> = Vec::new();
        for (frame, share) in triple.frames.iter().zip(triple.weights) {
            let [jx, jy, jz] = &at.points[*frame].1[keypoint];
            for p in 0..MOVING {
                let column = Vector3::new(jx[p], jy[p], jz[p]) * share;
                if column != Vector3::zeros() {
                    moving.push((frame * MOVING + p, column));
                }
            }
        }
        for (i, (p, u)) in moving.iter().enumerate() {
            system.right[*p] -= weight * u.dot(d);
            for (q, v) in &moving[..=i] {
                system.add(*p, *q, weight * u.dot(v));
            }
        }
    }
}

/// Second difference of each keypoint, metres a squared frame.
fn second_differences(triple: &Triple, points: &[([[f64; 3]; 21], KeypointJacobian)]) -> [Vector3<f64>; 21] {
    std::array::from_fn(|k| {
        let part = |i: usize| Vector3::from(points[triple.frames[i]].0[k]) * triple.weights[i];
        part(0) + part(1) + part(2)
    })
}

/// A symmetric matrix of half width [`BAND`], lower part by rows, and a right side.
struct Banded {
    rows: Vec<[f64; BAND]>,
    right: Vec<f64>,
}

impl Banded {
    fn new(size: usize) -> Self {
        Self { rows: vec![[0.0; BAND]; size], right: vec![0.0; size] }
    }

    /// Adds to entry `(row, column)`, `column` at most `row` and within the band. Column `row − k` stands at `k`.
    fn add(&mut self, row: usize, column: usize, value: f64) {
        self.rows[row][row - column] += value;
    }

    /// Solves with `λ diag` added, by Cholesky; `None` where the matrix is not positive.
    fn solve(mut self, lambda: f64) -> Option<Vec<f64>> {
        let size = self.rows.len();
        for row in &mut self.rows {
            row[0] += lambda * row[0] + 1e-9;
        }
        for i in 0..size {
            let first = i.saturating_sub(BAND - 1);
            for j in first..=i {
                // Row i: l_ij = (a_ij − Σ l_ik l_jk) / l_jj over the columns k that both have.
                let mut sum = self.rows[i][i - j];
                for k in first.max(j.saturating_sub(BAND - 1))..j {
                    sum -= self.rows[i][i - k] * self.rows[j][j - k];
                }
                if i == j {
                    if sum.is_nan() || sum <= 0.0 {
                        return None;
                    }
                    self.rows[i][0] = sum.sqrt();
                } else {
                    self.rows[i][i - j] = sum / self.rows[j][0];
                }
            }
        }
        let mut x = self.right;
        for i in 0..size {
            for k in i.saturating_sub(BAND - 1)..i {
                x[i] -= self.rows[i][i - k] * x[k];
            }
            x[i] /= self.rows[i][0];
        }
        for i in (0..size).rev() {
            x[i] /= self.rows[i][0];
            for k in i.saturating_sub(BAND - 1)..i {
                x[k] -= self.rows[i][i - k] * x[i];
            }
        }
        x.iter().all(|v| v.is_finite()).then_some(x)
    }
}

#[cfg(test)]
mod tests;
