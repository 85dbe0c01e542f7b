//! Many frames or captures of one person: fitted in batches, first each for itself, then with the shape they have in common.

use super::{FitBackend, FitError, FitResult, FittedHand, HandFit, HandFitSettings};
use crate::fitting::pose::PoseResult;
use crate::hand::{HandModel, HandParameters, PARAMETERS, SHAPE};
use nalgebra::{DMatrix, SMatrix, SVector};

/// Frames in one batch: what its buffers take stays below 64 MiB each.
const FRAMES_AT_ONCE: usize = 512;
/// Standard deviation of a frame's shape about the common one, in units of the shape prior.
const COMMON_SHAPE_SIGMA: f64 = 0.1;

/// What one fitted hand says about the shape of its person.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapeEstimate {
    /// Shape components.
    pub betas: [f64; 10],
    /// Scale.
    pub scale: f64,
    /// Information about the shape with the pose left free: inverse covariance, the fit's prior included.
    pub information: ShapeInformation,
}

/// A symmetric matrix over the shape components.
pub type ShapeInformation = [[f64; 10]; 10];

/// The part of a fit's information (rows of 62) that is about the shape: the Schur complement of all that moves. Zero where
/// there is none.
#[must_use]
pub fn shape_information(information: &[[f64; PARAMETERS]]) -> ShapeInformation {
    if information.len() != PARAMETERS {
        return [[0.0; 10]; 10];
    }
    let block = |row: usize, rows: usize, column: usize, columns: usize| {
        DMatrix::from_fn(rows, columns, |r, c| information[row + r][column + c])
    };
    let (moving, both, shape) = (block(0, SHAPE, 0, SHAPE), block(0, SHAPE, SHAPE, 10), block(SHAPE, 10, SHAPE, 10));
    // A pose component that nothing is known about must not make the matrix singular.
    let moving = moving.clone() + DMatrix::from_diagonal(&moving.diagonal().map(|d| 1e-9 * d + 1e-9));
    let left = moving.cholesky().map(|c| both.transpose() * c.solve(&both));
    let left = left.map_or_else(|| DMatrix::zeros(10, 10), |through| shape - through);
    std::array::from_fn(|r| std::array::from_fn(|c| 0.5 * (left[(r, c)] + left[(c, r)])))
}

impl ShapeEstimate {
    /// What is known from a fitted hand.
    #[must_use]
    pub fn new(parameters: &HandParameters, information: ShapeInformation) -> Self {
        let beta = |i: usize| parameters.betas.get(i).copied().unwrap_or(0.0);
        Self { betas: std::array::from_fn(beta), scale: parameters.scale, information }
    }
}

/// The shape of one person's hands.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonShape {
    /// The shape components that all fitted hands, both sides, agree on best.
    pub betas: [f64; 10],
    /// The middle of their scales.
    pub scale: f64,
}

/// Rounds of reweighting.
const ROUNDS: usize = 8;
/// Where a hand begins to count less, in middle distances of all hands.
const FAR: f64 = 3.0;

impl CommonShape {
    /// What fitted hands of one person, all fitted with `settings`, say together: each counts by its information, the prior that
    /// is in all of them counts once, and hands that are far from the others count less (Cauchy weights, from the median on).
    /// `None` when there are none.
    #[must_use]
    pub fn of(hands: &[ShapeEstimate], settings: &HandFitSettings) -> Option<Self> {
        let median = |i: usize| middle(hands.iter().map(|h| h.betas[i]).collect());
        let scale = middle(hands.iter().map(|h| h.scale).collect());
        let mut betas = SVector::<f64, 10>::from_fn(|i, _| median(i));
        let known: Vec<(SVector<f64, 10>, SMatrix<f64, 10, 10>)> =
            hands.iter().map(|h| (SVector::from(h.betas), SMatrix::from_fn(|r, c| h.information[r][c]))).collect();
        let mean = SVector::<f64, 10>::from(settings.shape_mean) * settings.shape_weight;
        for _ in 0..ROUNDS {
            let distance =
                |(b, s): &(SVector<f64, 10>, SMatrix<f64, 10, 10>)| (b - betas).dot(&(s * (b - betas))).max(0.0);
            let squares: Vec<f64> = known.iter().map(distance).collect();
            let scale = FAR * FAR * middle(squares.clone()).max(1e-12);
            let (mut a, mut right, mut count) = (SMatrix::<f64, 10, 10>::zeros(), SVector::<f64, 10>::zeros(), 0.0);
            for ((b, s), square) in known.iter().zip(squares) {
                let weight = 1.0 / (1.0 + square / scale);
                a += s * weight;
                right += s * b * weight;
                count += weight;
            }
            let often = f64::max(count - 1.0, 0.0);
            a -= SMatrix::<f64, 10, 10>::identity() * (often * settings.shape_weight);
            right -= mean * often;
            match a.cholesky() {
                Some(a) => betas = a.solve(&right),
                // Hands of an older run tell no information: the median it is.
                None => break,
            }
        }
        (!hands.is_empty()).then(|| Self { betas: betas.into(), scale })
    }

    /// Settings that hold a fit to this shape: the mean of a narrow prior. A scale that would be fitted is taken from here.
    #[must_use]
    pub fn prior(&self, settings: &HandFitSettings) -> HandFitSettings {
        let scale = if settings.fit_scale { self.scale } else { settings.scale };
        let shape_weight = COMMON_SHAPE_SIGMA.powi(-2);
        HandFitSettings { shape_weight, shape_mean: self.betas, fit_scale: false, scale, ..settings.clone() }
    }
}

/// The median; of an even number the mean of the middle two, so that both of two hands count.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n => 0.5 * (values[(n - 1) / 2] + values[n / 2]),
    }
}

/// The fitted frames of a sequence.
#[derive(Clone, Debug)]
pub struct SequenceFit {
    /// One a frame, in order; a frame without joints has no hands.
    pub frames: Vec<FitResult>,
    /// The shape of the person's hands.
    pub shape: CommonShape,
}

/// Fits all frames (no masks). `poses` may have frames without a hand.
///
/// # Errors
/// As [`HandFit::of_frames`] and [`HandFit::finish`].
pub fn fit_sequence(
    backend: FitBackend<'_>,
    models: [Option<&HandModel>; 2],
    poses: &[PoseResult],
    settings: &HandFitSettings,
) -> Result<SequenceFit, FitError> {
    let first = pass(backend, models, poses, settings)?;
    let estimate = |h: &FittedHand| ShapeEstimate::new(&h.posed.parameters, shape_information(&h.information));
    let hands: Vec<ShapeEstimate> = first.iter().flat_map(|f| &f.hands).map(estimate).collect();
    let shape = CommonShape::of(&hands, settings).ok_or(FitError::NoJoints)?;
    Ok(SequenceFit { frames: pass(backend, models, poses, &shape.prior(settings))?, shape })
}

fn pass(
    backend: FitBackend<'_>,
    models: [Option<&HandModel>; 2],
    poses: &[PoseResult],
    settings: &HandFitSettings,
) -> Result<Vec<FitResult>, FitError> {
    let mut frames = Vec::with_capacity(poses.len());
    for batch in poses.chunks(FRAMES_AT_ONCE) {
        match HandFit::of_frames(backend, models, batch, settings) {
            Ok(mut fit) => {
                while fit.step()?.is_some() {}
                frames.extend(fit.finish_frames(&[])?);
            }
            Err(FitError::NoJoints) => {
                frames.extend(batch.iter().map(|_| FitResult { hands: Vec::new(), silhouettes: Vec::new() }));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand(b: f64, scale: f64, information: f64) -> ShapeEstimate {
        let diagonal = |r: usize, c: usize| if r == c { information } else { 0.0 };
        let information = std::array::from_fn(|r| std::array::from_fn(|c| diagonal(r, c)));
        ShapeEstimate { betas: [b; 10], scale, information }
    }

    #[test]
    fn a_hand_that_went_wrong_hardly_counts_and_the_scale_is_held_only_where_it_was_free() {
        let settings = HandFitSettings::default();
        let hands = [hand(0.5, 1.0, 10.0), hand(9.0, 3.0, 10.0), hand(0.7, 1.1, 10.0), hand(0.6, 1.1, 10.0)];
        let shape = CommonShape::of(&hands, &settings).expect("four hands");
        assert!((shape.betas[4] - 0.6).abs() < 0.15 && (shape.scale - 1.1).abs() < 1e-12, "the others': {shape:?}");
        assert_eq!(CommonShape::of(&[], &settings), None, "of nothing");
        let held = shape.prior(&settings);
        assert_eq!((held.shape_mean, held.scale, held.shape_weight > 50.0), (shape.betas, 1.0, true), "shape alone");
        let held = shape.prior(&HandFitSettings { fit_scale: true, ..settings });
        assert_eq!((held.scale, held.fit_scale), (1.1, false), "and the scale");
    }

    #[test]
    fn who_knows_more_counts_more_and_the_prior_counts_once() {
        let settings = HandFitSettings::default();
        let close = |hands: &[ShapeEstimate], expected: f64| {
            let found = CommonShape::of(hands, &settings).expect("hands").betas[0];
            assert!((found - expected).abs() < 0.02, "{found}, expected {expected}");
        };
        // Data that say 1 with information 9, under a prior of 1 about zero, make an estimate of 0.9 with information 10.
        let shrunk = hand(0.9, 1.0, 10.0);
        close(std::slice::from_ref(&shrunk), 0.9);
        close(&vec![shrunk; 100], 900.0 / 901.0);
        close(&[hand(1.0, 1.0, 101.0), hand(1.1, 1.0, 2.0)], (101.0 + 2.2) / 102.0);
        close(&[hand(0.4, 1.0, 0.0), hand(0.6, 1.0, 0.0), hand(5.0, 1.0, 0.0)], 0.6);
    }

    #[test]
    fn what_the_pose_can_explain_is_not_known_about_the_shape() {
        let mut information = vec![[0.0; PARAMETERS]; PARAMETERS];
        for (p, row) in information.iter_mut().enumerate() {
            row[p] = 4.0;
        }
        // One shape component and one angle move the same points in the same way, but for a quarter.
        information[SHAPE][10] = 3.0;
        information[10][SHAPE] = 3.0;
        let found = shape_information(&information);
        assert!((found[0][0] - (4.0 - 9.0 / 4.0)).abs() < 1e-6 && (found[1][1] - 4.0).abs() < 1e-12, "{found:?}");
        assert_eq!(shape_information(&[]), [[0.0; 10]; 10], "nothing is known");
    }
}
