//! Rotations by axis-angle vectors and their derivatives (Rodrigues; Solà et al. 2018, "A micro Lie theory").

use nalgebra::{Matrix3, Vector3};

/// `[v]×`, the matrix with `[v]× x = v × x`.
#[must_use]
pub fn cross_matrix(v: &Vector3<f64>) -> Matrix3<f64> {
    Matrix3::new(0.0, -v.z, v.y, v.z, 0.0, -v.x, -v.y, v.x, 0.0)
}

/// Coefficients `sin a / a`, `(1 − cos a) / a²`, `(a − sin a) / a³` of the angle `a = √squared`.
fn coefficients(squared: f64) -> [f64; 3] {
    if squared < 1e-6 {
        // Taylor series; the first term left out is below 1e-15.
        let s = squared;
        return [1.0 - s / 6.0 + s * s / 120.0, 0.5 - s / 24.0 + s * s / 720.0, 1.0 / 6.0 - s / 120.0 + s * s / 5040.0];
    }
    let a = squared.sqrt();
    [a.sin() / a, (1.0 - a.cos()) / squared, (a - a.sin()) / (squared * a)]
}

/// Rotation by `|v|` radians about `v`.
#[must_use]
pub fn rotation_from_axis_angle(v: &Vector3<f64>) -> Matrix3<f64> {
    let [a, b, _] = coefficients(v.norm_squared());
    let k = cross_matrix(v);
    Matrix3::identity() + k * a + k * k * b
}

/// Left Jacobian `J_l`: `∂R(v)/∂v_k = [J_l e_k]× R(v)`.
#[must_use]
pub fn left_jacobian(v: &Vector3<f64>) -> Matrix3<f64> {
    let [_, b, c] = coefficients(v.norm_squared());
    let k = cross_matrix(v);
    Matrix3::identity() + k * b + k * k * c
}

/// Axis-angle vector of a rotation matrix, angle in `[0, π]`.
#[must_use]
pub fn axis_angle_from_rotation(r: &Matrix3<f64>) -> Vector3<f64> {
    nalgebra::Rotation3::from_matrix_eps(r, 1e-12, 50, nalgebra::Rotation3::identity()).scaled_axis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_and_its_derivative_agree_with_differences_and_nalgebra() {
        for v in [[0.3, -1.2, 0.7], [1e-4, 2e-4, -1e-4], [0.0, 0.0, 0.0], [2.9, 0.2, 0.1]] {
            let v = Vector3::from(v);
            let r = rotation_from_axis_angle(&v);
            assert!((r - nalgebra::Rotation3::new(v).into_inner()).norm() < 1e-12, "same as nalgebra at {v}");
            assert!((axis_angle_from_rotation(&r) - v).norm() < 1e-7, "the logarithm is the inverse at {v}");
            let jl = left_jacobian(&v);
            for k in 0..3 {
                let h = Vector3::ith(k, 1e-5);
                let difference = (rotation_from_axis_angle(&(v + h)) - rotation_from_axis_angle(&(v - h))) / 2e-5;
                let analytic = cross_matrix(&jl.column(k).into_owned()) * r;
                assert!((difference - analytic).norm() < 1e-8, "derivative {k} at {v}");
            }
        }
    }
}
