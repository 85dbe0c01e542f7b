//! Pinhole cameras: `P = K [R | t]`, OpenCV axes (x right, y down, z forward), pixel centres at +0.5, metres.
//!
//! A pixel `(i, j)` covers `[i, i+1) × [j, j+1)`; its centre is `(i + 0.5, j + 0.5)`. Cropping moves the principal
//! point, scaling multiplies it; no half-pixel corrections appear anywhere else.

pub(crate) mod residual;
pub(crate) mod warp;

pub use residual::CameraResidual;
pub use warp::ImageWarp;

use nalgebra::{Matrix3, Matrix3x4, Rotation3, RowVector3, SVector, Vector2, Vector3};
use serde::{Deserialize, Serialize};

/// A calibrated camera. Lens distortion has been undone before one of these is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    /// Image width in pixels.
    pub width_px: u32,
    /// Image height in pixels.
    pub height_px: u32,
    /// Intrinsics: focal lengths and principal point in pixels; upper triangular, last row `0 0 1`.
    pub k: Matrix3<f64>,
    /// Rotation of `camera_from_world`.
    pub rotation: Matrix3<f64>,
    /// Translation of `camera_from_world` in metres.
    pub translation: Vector3<f64>,
}

/// A small motion of a camera: it is turned about its own axes, then its centre is moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CameraMove {
    /// Axis-angle in camera axes, radians: `R' = exp([turn]×) R`.
    pub turn_rad: [f64; 3],
    /// Way of the centre in world axes, metres.
    pub centre_m: [f64; 3],
}

impl CameraMove {
    /// Both motions one after the other; turns are small enough to be added.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let add = |a: [f64; 3], b: [f64; 3]| [0, 1, 2].map(|k| a[k] + b[k]);
        Self { turn_rad: add(self.turn_rad, next.turn_rad), centre_m: add(self.centre_m, next.centre_m) }
    }
}

/// Why a matrix is no usable camera.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    /// NaN or infinity.
    #[error("the projection matrix has a value that is not finite")]
    NotFinite,
    /// The left 3×3 block cannot be inverted.
    #[error("the projection matrix is singular: its left 3×3 block cannot be inverted")]
    Singular,
    /// Decomposition gave a focal length that is zero, negative or absurd.
    #[error("the focal length is {0} px; a camera needs a positive one")]
    Focal(String),
}

impl Camera {
    /// Camera from `P = K [R | t]` up to scale (Hartley & Zisserman §6.2.4): RQ decomposition with positive focal lengths.
    ///
    /// # Errors
    /// [`CameraError`] when `P` is not finite or its left block is singular.
    pub fn from_projection(p: &Matrix3x4<f64>, width_px: u32, height_px: u32) -> Result<Self, CameraError> {
        if !p.iter().all(|v| v.is_finite()) {
            return Err(CameraError::NotFinite);
        }
        let m = p.fixed_columns::<3>(0).into_owned();
        let det = m.determinant();
        let size = m.norm();
        if size == 0.0 || det.abs() < 1e-12 * size.powi(3) {
            return Err(CameraError::Singular);
        }
        // P is defined up to sign; a rotation needs a positive determinant.
        let sign = det.signum();
        let m = m * sign;
        let p4 = p.column(3) * sign;
        let (mut k, mut r) = rq(&m);
        for i in 0..3 {
            if k[(i, i)] < 0.0 {
                for row in 0..3 {
                    k[(row, i)] = -k[(row, i)];
                    r[(i, row)] = -r[(i, row)];
                }
            }
        }
        let scale = k[(2, 2)];
        let t = k.try_inverse().ok_or(CameraError::Singular)? * p4;
        let k = k / scale;
        Self { width_px, height_px, k, rotation: r, translation: t }.checked()
    }

    /// Returns the camera if its numbers make sense.
    ///
    /// # Errors
    /// [`CameraError`] for non-finite values, a singular rotation or a focal length that is not positive.
    pub fn checked(self) -> Result<Self, CameraError> {
        let finite = self.k.iter().chain(self.rotation.iter()).chain(self.translation.iter()).all(|v| v.is_finite());
        if !finite {
            return Err(CameraError::NotFinite);
        }
        if (self.rotation.determinant() - 1.0).abs() > 1e-2 {
            return Err(CameraError::Singular);
        }
        for i in 0..2 {
            let focal = self.k[(i, i)];
            if focal.is_nan() || focal <= 0.0 || focal > 1e7 {
                return Err(CameraError::Focal(focal.to_string()));
            }
        }
        Ok(self)
    }

    /// `P = K [R | t]`, pixels from world.
    #[must_use]
    pub fn projection(&self) -> Matrix3x4<f64> {
        let mut rt = Matrix3x4::zeros();
        rt.fixed_columns_mut::<3>(0).copy_from(&self.rotation);
        rt.set_column(3, &self.translation);
        self.k * rt
    }

    /// Point in camera axes (z = depth along the optical axis, metres).
    #[must_use]
    pub fn camera_from_world(&self, x_world: &Vector3<f64>) -> Vector3<f64> {
        self.rotation * x_world + self.translation
    }

    /// Pixel of a world point, or `None` behind the camera (depth below a micrometre).
    #[must_use]
    pub fn project(&self, x_world: &Vector3<f64>) -> Option<Vector2<f64>> {
        let c = self.camera_from_world(x_world);
        if c.z < 1e-6 {
            return None;
        }
        let h = self.k * c;
        Some(Vector2::new(h.x / h.z, h.y / h.z))
    }

    /// Optical centre in world metres.
    #[must_use]
    pub fn centre(&self) -> Vector3<f64> {
        -(self.rotation.transpose() * self.translation)
    }

    /// Unit direction in the world through a pixel position.
    #[must_use]
    pub fn ray_world(&self, pixel: &Vector2<f64>) -> Vector3<f64> {
        let inv = self.k.try_inverse().unwrap_or_else(Matrix3::identity);
        let d = self.rotation.transpose() * (inv * Vector3::new(pixel.x, pixel.y, 1.0));
        d.try_normalize(0.0).unwrap_or_else(Vector3::z)
    }

    /// The camera of the image scaled by `factor` (0.5 = half size). Sizes round up so that no pixel is lost.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let mut k = self.k;
        for col in 0..3 {
            k[(0, col)] *= factor;
            k[(1, col)] *= factor;
        }
        Self {
            width_px: scale_px(self.width_px, factor),
            height_px: scale_px(self.height_px, factor),
            k,
            ..self.clone()
        }
    }

    /// The camera of a crop whose top-left pixel is `(x0, y0)`.
    #[must_use]
    pub fn cropped(&self, x0_px: u32, y0_px: u32, width_px: u32, height_px: u32) -> Self {
        let mut k = self.k;
        k[(0, 2)] -= f64::from(x0_px);
        k[(1, 2)] -= f64::from(y0_px);
        Self { width_px, height_px, k, ..self.clone() }
    }

    /// The camera after a motion.
    #[must_use]
    pub fn moved(&self, by: &CameraMove) -> Self {
        let rotation = Rotation3::new(Vector3::from(by.turn_rad)).into_inner() * self.rotation;
        let centre = self.centre() + Vector3::from(by.centre_m);
        Self { rotation, translation: -(rotation * centre), ..self.clone() }
    }

    /// Derivatives of the two coordinates of pixel `p_px`, where the point `y` in camera axes (metres) is seen, by the six
    /// numbers of a [`CameraMove`] about where the camera is: turn (per radian), then centre (per metre).
    #[must_use]
    pub fn pixel_by_move(&self, y: &Vector3<f64>, p_px: [f64; 2]) -> [SVector<f64, 6>; 2] {
        [0, 1].map(|axis| {
            let by_y: RowVector3<f64> = (self.k.row(axis) - self.k.row(2) * p_px[axis]) / y.z;
            let (turn, centre) = (by_y * -y.cross_matrix(), by_y * -self.rotation);
            SVector::from([turn[0], turn[1], turn[2], centre[0], centre[1], centre[2]])
        })
    }

    /// Mean focal length in pixels.
    #[must_use]
    pub fn focal_px(&self) -> f64 {
        0.5 * (self.k[(0, 0)] + self.k[(1, 1)])
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "image sizes are far below 2^32")]
fn scale_px(size: u32, factor: f64) -> u32 {
    (f64::from(size) * factor).ceil().max(1.0) as u32
}

/// RQ decomposition: `m = upper · orthogonal`, through QR of the flipped transpose.
fn rq(m: &Matrix3<f64>) -> (Matrix3<f64>, Matrix3<f64>) {
    let flip = Matrix3::new(0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0);
    let qr = (flip * m).transpose().qr();
    let upper = flip * qr.r().transpose() * flip;
    let orthogonal = flip * qr.q().transpose();
    (upper, orthogonal)
}

/// Cameras for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// One that is nothing special in any of its numbers, 640×480.
    pub(crate) fn turned() -> Camera {
        Camera {
            width_px: 640,
            height_px: 480,
            k: Matrix3::new(900.0, 0.0, 311.0, 0.0, 910.0, 250.5, 0.0, 0.0, 1.0),
            rotation: Rotation3::from_euler_angles(0.3, -0.8, 0.1).into_inner(),
            translation: Vector3::new(0.1, -0.2, 0.9),
        }
    }

    /// One in the world's middle that looks along z, for what needs no more than a size.
    pub(crate) fn plain(width_px: u32, height_px: u32) -> Camera {
        Camera {
            width_px,
            height_px,
            k: Matrix3::identity(),
            rotation: Matrix3::identity(),
            translation: Vector3::zeros(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::turned as camera;
    use super::*;

    #[test]
    fn projection_round_trips_through_decomposition() {
        let cam = camera();
        for scale in [1.0, -3.7, 0.02] {
            let back = Camera::from_projection(&(cam.projection() * scale), 640, 480).expect("a camera");
            assert!((back.k - cam.k).norm() < 1e-8, "intrinsics come back at scale {scale}");
            assert!((back.rotation - cam.rotation).norm() < 1e-10, "rotation comes back at scale {scale}");
            assert!((back.translation - cam.translation).norm() < 1e-10, "translation comes back at scale {scale}");
        }
    }

    #[test]
    fn bad_matrices_are_refused() {
        let mut p = camera().projection();
        p[(0, 0)] = f64::NAN;
        assert_eq!(Camera::from_projection(&p, 1, 1), Err(CameraError::NotFinite), "NaN is refused");
        assert_eq!(Camera::from_projection(&Matrix3x4::zeros(), 1, 1), Err(CameraError::Singular), "zero is refused");
    }

    #[test]
    fn scaling_and_cropping_move_pixels_as_the_image_does() {
        let cam = camera();
        let x = Vector3::new(0.05, 0.02, 0.1);
        let px = cam.project(&x).expect("in front");
        let half = cam.scaled(0.5).project(&x).expect("in front");
        assert!((half - px * 0.5).norm() < 1e-9, "half-size image has half the coordinates");
        let crop = cam.cropped(100, 40, 200, 200).project(&x).expect("in front");
        assert!((crop - (px - Vector2::new(100.0, 40.0))).norm() < 1e-9, "a crop shifts by its origin");
        let ray = cam.ray_world(&px);
        let to_point = (x - cam.centre()).normalize();
        assert!((ray - to_point).norm() < 1e-9, "the ray of a pixel goes through the point that projects there");
    }
}
