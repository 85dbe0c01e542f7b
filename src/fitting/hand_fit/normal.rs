//! Sums of normal equations: what one point of a hand adds to gradient and Gauss-Newton matrix.
//!
//! A point moves with the joints that it hangs on, with the shape, the orientation and the translation: most of the columns
//! of its Jacobian are zero. And `Jᵀ A J` is symmetric. Passing over the zeros and the lower triangle leaves about a tenth of
//! the products.

use crate::hand::PARAMETERS;
use nalgebra::{Matrix3, Vector3};

/// Adds `Jᵀ g` to the gradient and the upper triangle of `Jᵀ A J`, `A` symmetric, to the matrix. `columns` are those of `J`,
/// 3×[`PARAMETERS`], in order; those that it does not reach are taken for zero.
pub(super) fn add_point(
    columns: impl Iterator<Item = [f64; 3]>,
    information: &Matrix3<f64>,
    slope: &Vector3<f64>,
    hessian: &mut [[f64; PARAMETERS]],
    gradient: &mut [f64; PARAMETERS],
) {
    // Plain numbers: this is the innermost loop of the fit, and has to be fast in lightly optimised builds too.
    let a: [[f64; 3]; 3] = (*information).into();
    let g: [f64; 3] = (*slope).into();
    let (mut moving, mut count) = ([(0, [0.0; 3]); PARAMETERS], 0);
    for (parameter, column) in columns.enumerate().take(PARAMETERS) {
        if column != [0.0; 3] {
            moving[count] = (parameter, column);
            count += 1;
        }
    }
    let moving = &moving[..count];
    for (i, (p, u)) in moving.iter().enumerate() {
        gradient[*p] += u[0] * g[0] + u[1] * g[1] + u[2] * g[2];
        let w = [
            a[0][0] * u[0] + a[1][0] * u[1] + a[2][0] * u[2],
            a[0][1] * u[0] + a[1][1] * u[1] + a[2][1] * u[2],
            a[0][2] * u[0] + a[1][2] * u[1] + a[2][2] * u[2],
        ];
        let row = &mut hessian[*p];
        for (q, v) in &moving[i..] {
            row[*q] += w[0] * v[0] + w[1] * v[1] + w[2] * v[2];
        }
    }
}

/// Copies the upper triangle to the lower one.
pub(super) fn mirror(hessian: &mut [[f64; PARAMETERS]]) {
    for p in 1..hessian.len() {
        let (above, rest) = hessian.split_at_mut(p);
        for (to, row) in rest[0].iter_mut().zip(above) {
            *to = row[p];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_all_products() {
        let wave = |i: usize| (1.3 * f64::from(u32::try_from(i).expect("small"))).sin();
        let columns: Vec<Vector3<f64>> = (0..PARAMETERS)
            .map(|p| if p % 3 == 1 { Vector3::zeros() } else { Vector3::from_fn(|axis, _| wave(3 * p + axis)) })
            .collect();
        let root = Matrix3::from_fn(|r, c| wave(7 * r + 11 * c));
        let (a, g) = (root * root.transpose(), Vector3::new(0.3, -0.2, 0.9));
        let mut hessian = vec![[0.0; PARAMETERS]; PARAMETERS];
        let mut gradient = [0.0; PARAMETERS];
        add_point(columns.iter().map(|c| (*c).into()), &a, &g, &mut hessian, &mut gradient);
        let lower = hessian[5][2];
        mirror(&mut hessian);
        let (mut worst, mut largest) = (0.0_f64, 0.0_f64);
        for p in 0..PARAMETERS {
            worst = worst.max((gradient[p] - columns[p].dot(&g)).abs());
            for q in 0..PARAMETERS {
                let expected = columns[p].dot(&(a * columns[q]));
                worst = worst.max((hessian[p][q] - expected).abs());
                largest = largest.max(expected.abs());
            }
        }
        assert!(worst < 1e-12, "against the products one by one: {worst}");
        assert!(lower == 0.0 && hessian[5][2] != 0.0 && largest > 0.1, "a lower triangle left out would be noticed");
    }
}
