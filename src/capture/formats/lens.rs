//! Lens distortion: the models of `OpenCV` (and with them those of COLMAP, nerfstudio, `EasyMocap` and Kalibr), and its undoing.
//!
//! All functions work on normalised image coordinates: `(x, y) = (X/Z, Y/Z)` in camera axes, before the intrinsics.

use nalgebra::{Matrix2, Vector2};
use serde::{Deserialize, Serialize};

/// How a lens bends rays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Lens {
    /// Not at all.
    #[default]
    Pinhole,
    /// Polynomials in the distance from the axis (Brown 1966, Conrady 1919, as `OpenCV` writes them).
    Brown(Brown),
    /// Equidistant fisheye (Kannala & Brandt 2006): `θ_d = θ (1 + k₁θ² + k₂θ⁴ + k₃θ⁶ + k₄θ⁸)` with `θ = atan r`.
    Fisheye([f64; 4]),
}

/// Coefficients of the perspective model. With `r² = x² + y²` and
/// `ρ = (1 + k₁r² + k₂r⁴ + k₃r⁶) / (1 + k₄r² + k₅r⁴ + k₆r⁶)`:
/// `x_d = xρ + 2p₁xy + p₂(r² + 2x²) + s₁r² + s₂r⁴`, `y_d = yρ + p₁(r² + 2y²) + 2p₂xy + s₃r² + s₄r⁴`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Brown {
    /// Radial: `k1`-`k3` of the numerator, `k4`-`k6` of the denominator.
    pub k: [f64; 6],
    /// Tangential.
    pub p: [f64; 2],
    /// Thin prism.
    pub s: [f64; 4],
}

/// Directions further out than this (tangent of the angle) are never asked for.
const FARTHEST: f64 = 10.0;
/// Newton steps at most; five are usual.
const STEPS: usize = 60;

impl Lens {
    /// A perspective lens from `OpenCV`'s coefficients, in its order: `k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [τx τy]]]]`.
    ///
    /// # Errors
    /// What is wrong with the list, as the end of a sentence about it.
    pub fn from_opencv(values: &[f64]) -> Result<Self, String> {
        if ![0, 1, 2, 4, 5, 8, 12, 14].contains(&values.len()) {
            return Err(format!("has {} coefficients, OpenCV's model has 4, 5, 8, 12 or 14", values.len()));
        }
        let at = |i: usize| values.get(i).copied().unwrap_or(0.0);
        if at(12) != 0.0 || at(13) != 0.0 {
            return Err("tilts the sensor (coefficients 13 and 14), which is not supported".to_owned());
        }
        Ok(Self::of_brown(Brown {
            k: [at(0), at(1), at(4), at(5), at(6), at(7)],
            p: [at(2), at(3)],
            s: [at(8), at(9), at(10), at(11)],
        }))
    }

    /// A perspective lens, or none when all its coefficients are zero.
    #[must_use]
    pub fn of_brown(brown: Brown) -> Self {
        if brown == Brown::default() { Self::Pinhole } else { Self::Brown(brown) }
    }

    /// Whether it bends anything.
    #[must_use]
    pub fn is_pinhole(&self) -> bool {
        matches!(self, Self::Pinhole)
    }

    /// One word or two for tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pinhole => "pinhole",
            Self::Brown(_) => "perspective",
            Self::Fisheye(_) => "fisheye",
        }
    }

    /// Where the lens puts the undistorted direction `(x, y)`.
    #[must_use]
    pub fn distort(&self, at: Vector2<f64>) -> Vector2<f64> {
        self.with_jacobian(at).0
    }

    /// [`Lens::distort`] with its derivative.
    fn with_jacobian(&self, at: Vector2<f64>) -> (Vector2<f64>, Matrix2<f64>) {
        match self {
            Self::Pinhole => (at, Matrix2::identity()),
            Self::Brown(brown) => brown.with_jacobian(at),
            Self::Fisheye(k) => {
                let r = at.norm();
                if r < 1e-9 {
                    return (at, Matrix2::identity());
                }
                let (bent, slope) = fisheye(k, r.atan());
                let scale = bent / r;
                let along = (slope / (1.0 + r * r) - scale) / (r * r);
                (at * scale, Matrix2::identity() * scale + at * at.transpose() * along)
            }
        }
    }

    /// The direction that the lens puts at `(x_d, y_d)`, or `None` where no direction inside its range does.
    ///
    /// Newton's method to rounding: unlike a fixed number of fixed-point steps it is exact for strong distortion too.
    #[must_use]
    pub fn undistort(&self, distorted: Vector2<f64>) -> Option<Vector2<f64>> {
        if !distorted.iter().all(|v| v.is_finite()) {
            return None;
        }
        let start = match self {
            Self::Pinhole => return Some(distorted),
            Self::Brown(_) => distorted,
            Self::Fisheye(_) => {
                let bent = distorted.norm();
                distorted * (bent.min(1.4).tan() / bent.max(1e-12))
            }
        };
        let limit = self.range();
        let residual = |at: Vector2<f64>| {
            let (value, jacobian) = self.with_jacobian(at);
            (value - distorted, jacobian)
        };
        let mut at = if start.norm() > limit { start * (limit / start.norm()) } else { start };
        let (mut error, mut jacobian) = residual(at);
        for _ in 0..STEPS {
            if error.norm() < 1e-15 {
                break;
            }
            let step = jacobian.try_inverse()? * error;
            let mut length = 1.0;
            let (next, next_error, next_jacobian) = loop {
                let next = at - step * length;
                let (e, j) = residual(next);
                if e.norm() < error.norm() && next.norm() <= 1.01 * limit {
                    break (next, e, j);
                }
                length *= 0.5;
                if length < 1e-6 {
                    break (at, error, jacobian);
                }
            };
            if next == at {
                break;
            }
            (at, error, jacobian) = (next, next_error, next_jacobian);
        }
        (error.norm() < 1e-10 && at.norm() <= limit).then_some(at)
    }

    /// Distance from the axis up to which the model is one to one: beyond it polynomials fold back.
    #[must_use]
    pub fn range(&self) -> f64 {
        const SCAN: u32 = 400;
        let grows = |r: f64| match self {
            Self::Pinhole => true,
            Self::Brown(brown) => brown.radial_grows(r),
            Self::Fisheye(k) => fisheye(k, r.atan()).1 > 0.0,
        };
        if self.is_pinhole() {
            return FARTHEST;
        }
        let step = FARTHEST / f64::from(SCAN);
        let Some(first) = (1..=SCAN).map(|i| step * f64::from(i)).find(|&r| !grows(r)) else { return FARTHEST };
        let (mut low, mut high) = (first - step, first);
        for _ in 0..30 {
            let middle = 0.5 * (low + high);
            if grows(middle) { low = middle } else { high = middle }
        }
        low
    }
}

/// `θ_d` of the fisheye, and its derivative by `θ`.
fn fisheye(k: &[f64; 4], theta: f64) -> (f64, f64) {
    let t = theta * theta;
    let value = theta * (1.0 + t * (k[0] + t * (k[1] + t * (k[2] + t * k[3]))));
    let slope = 1.0 + t * (3.0 * k[0] + t * (5.0 * k[1] + t * (7.0 * k[2] + t * 9.0 * k[3])));
    (value, slope)
}

impl Brown {
    /// `ρ` and its derivative by `r²`.
    fn radial(&self, r2: f64) -> (f64, f64) {
        let [k1, k2, k3, k4, k5, k6] = self.k;
        let above = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3));
        let below = 1.0 + r2 * (k4 + r2 * (k5 + r2 * k6));
        let above_slope = k1 + r2 * (2.0 * k2 + r2 * 3.0 * k3);
        let below_slope = k4 + r2 * (2.0 * k5 + r2 * 3.0 * k6);
        (above / below, (above_slope * below - above * below_slope) / (below * below))
    }

    /// Whether `r ρ(r)` still grows at `r`, on the branch that begins at the axis.
    fn radial_grows(&self, r: f64) -> bool {
        let (value, slope) = self.radial(r * r);
        value > 0.0 && value + 2.0 * r * r * slope > 0.0
    }

    fn with_jacobian(&self, at: Vector2<f64>) -> (Vector2<f64>, Matrix2<f64>) {
        let (x, y) = (at.x, at.y);
        let ([p1, p2], [s1, s2, s3, s4]) = (self.p, self.s);
        let r2 = x * x + y * y;
        let (rho, slope) = self.radial(r2);
        let value = Vector2::new(
            x * rho + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x) + r2 * (s1 + s2 * r2),
            y * rho + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y + r2 * (s3 + s4 * r2),
        );
        let (prism_x, prism_y) = (2.0 * s1 + 4.0 * s2 * r2, 2.0 * s3 + 4.0 * s4 * r2);
        let cross = 2.0 * (x * y * slope + p1 * x + p2 * y);
        let jacobian = Matrix2::new(
            rho + 2.0 * x * x * slope + 2.0 * p1 * y + 6.0 * p2 * x + prism_x * x,
            cross + prism_x * y,
            cross + prism_y * x,
            rho + 2.0 * y * y * slope + 6.0 * p1 * y + 2.0 * p2 * x + prism_y * y,
        );
        (value, jacobian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lenses() -> [Lens; 5] {
        [
            Lens::Pinhole,
            Lens::from_opencv(&[-0.31, 0.12, 0.001, -0.002]).expect("four"),
            Lens::from_opencv(&[0.2, -0.05, -0.003, 0.001, 0.02]).expect("five"),
            Lens::from_opencv(&[0.4, 0.1, 1e-3, 2e-3, 0.01, 0.3, 0.05, 0.002, 1e-3, -2e-3, 5e-4, 1e-3])
                .expect("twelve"),
            Lens::Fisheye([-0.02, 0.01, -0.005, 0.001]),
        ]
    }

    #[test]
    fn undistorting_is_the_inverse_of_distorting() {
        for lens in lenses() {
            for i in 0..400 {
                let (angle, r) = (f64::from(i) * 0.7, 0.9 * f64::from(i) / 400.0);
                let at = Vector2::new(r * angle.cos(), r * angle.sin());
                let back = lens.undistort(lens.distort(at)).unwrap_or_else(|| panic!("{lens:?} at r = {r}"));
                assert!((back - at).norm() < 1e-10, "{lens:?} at r = {r}: off by {}", (back - at).norm());
            }
        }
    }

    #[test]
    fn jacobians_are_those_of_differences() {
        for lens in lenses() {
            for at in [Vector2::new(0.3, -0.2), Vector2::new(-0.5, 0.4), Vector2::new(0.01, 0.6)] {
                let (_, jacobian) = lens.with_jacobian(at);
                for axis in 0..2 {
                    let mut step = Vector2::zeros();
                    step[axis] = 1e-6;
                    let difference = (lens.distort(at + step) - lens.distort(at - step)) / 2e-6;
                    let error = (difference - jacobian.column(axis)).norm();
                    assert!(error < 1e-8, "{lens:?} axis {axis}: {error}");
                    assert!((difference * 1.01 - jacobian.column(axis)).norm() > 1e-4, "one percent would be seen");
                }
            }
        }
    }

    #[test]
    fn what_folds_back_is_refused() {
        let lens = Lens::from_opencv(&[-0.4, 0.0, 0.0, 0.0]).expect("a barrel");
        let edge = (1.0_f64 / 1.2).sqrt();
        assert!((lens.range() - edge).abs() < 1e-6, "r (1 - 0.4 r²) turns at {edge}: {}", lens.range());
        assert_eq!(lens.undistort(Vector2::new(0.7, 0.0)), None, "no direction lands that far out");
        assert_eq!(lens.undistort(Vector2::new(f64::NAN, 0.0)), None, "not a number");
        assert!(Lens::from_opencv(&[0.1; 3]).is_err() && Lens::from_opencv(&[0.1; 14]).is_err(), "odd lists");
        assert!(Lens::from_opencv(&[0.0; 14]).is_ok_and(|l| l.is_pinhole()), "all zero is a pinhole");
    }
}
