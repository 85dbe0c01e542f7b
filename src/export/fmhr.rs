//! Pieces of the FMHR capture room's form that several writers share.

use super::npz::Npz;
use crate::anatomy::KEYPOINTS;
use nalgebra::{Matrix3, Matrix4, Vector3};

/// A matrix in row-major order, as the arrays have it.
pub(super) fn rows(m: &Matrix4<f64>) -> Vec<f64> {
    m.transpose().as_slice().to_vec()
}

/// `int_i`, `ext_i` and `world_mat_i` = int · ext of camera `i` (4×4 doubles).
pub(super) fn add_camera<I: std::fmt::Display>(
    npz: &mut Npz,
    i: I,
    k: &Matrix3<f64>,
    rotation: &Matrix3<f64>,
    translation: &Vector3<f64>,
) {
    let mut int = Matrix4::identity();
    int.fixed_view_mut::<3, 3>(0, 0).copy_from(k);
    let mut ext = Matrix4::identity();
    ext.fixed_view_mut::<3, 3>(0, 0).copy_from(rotation);
    ext.fixed_view_mut::<3, 1>(0, 3).copy_from(translation);
    npz.f64s(&format!("int_{i}"), &[4, 4], &rows(&int));
    npz.f64s(&format!("ext_{i}"), &[4, 4], &rows(&ext));
    npz.f64s(&format!("world_mat_{i}"), &[4, 4], &rows(&(int * ext)));
}

/// The 63 numbers of a hand in `pose/NN.json`: x and y from −1 to 1 over an image of `size_px` (width, height), and a third
/// that is not used.
#[must_use]
pub fn pose_numbers(px: &[[f64; 2]; KEYPOINTS], size_px: [f64; 2]) -> Vec<f64> {
    px.iter().flat_map(|[x, y]| [2.0 * x / size_px[0] - 1.0, 2.0 * y / size_px[1] - 1.0, 0.0]).collect()
}
