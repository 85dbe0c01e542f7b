//! Undoing lens distortion on load: image, mask and keypoints of a view become those of a pinhole camera.
//!
//! The pinhole keeps the camera's own K and image size: at the principal point an output pixel is an input pixel, so hands
//! near it keep their sharpness, and the image is resampled once (bilinear; masks nearest). What the lens showed beyond the
//! frame of that pinhole is lost; where it showed nothing, the image is black and the mask background.

use super::Keypoints;
use super::formats::RigCamera;
use image::{GrayImage, Rgb, RgbImage};
use nalgebra::{Matrix3, Vector2};

/// The way from output to input pixels of one camera.
pub(super) struct Undistortion<'a> {
    camera: &'a RigCamera,
    inverse_k: Matrix3<f64>,
    range: f64,
}

impl<'a> Undistortion<'a> {
    /// `None` when there is nothing to undo.
    pub(super) fn of(camera: &'a RigCamera) -> Option<Self> {
        let inverse_k = camera.k.try_inverse()?;
        (!camera.lens.is_pinhole()).then(|| Self { camera, inverse_k, range: camera.lens.range() })
    }

    /// Where the distorted image shows what the pinhole sees at `at`.
    fn source(&self, at: Vector2<f64>) -> Option<Vector2<f64>> {
        let ray = (self.inverse_k * at.push(1.0)).xy();
        (ray.norm() <= self.range).then(|| (self.camera.k * self.camera.lens.distort(ray).push(1.0)).xy())
    }

    /// The photograph, bilinear.
    pub(super) fn image(&self, image: &RgbImage) -> RgbImage {
        let (width, height) = image.dimensions();
        RgbImage::from_fn(width, height, |x, y| {
            self.source(centre(x, y)).and_then(|at| bilinear(image, at)).unwrap_or(Rgb([0; 3]))
        })
    }

    /// A mask, nearest.
    pub(super) fn mask(&self, mask: &GrayImage) -> GrayImage {
        let (width, height) = mask.dimensions();
        GrayImage::from_fn(width, height, |x, y| {
            let from = self.source(centre(x, y)).and_then(|at| cell(at.x, width).zip(cell(at.y, height)));
            from.map_or(image::Luma([0]), |(x, y)| *mask.get_pixel(x, y))
        })
    }

    /// Keypoints; one that no direction leads to keeps its place and loses all confidence.
    pub(super) fn keypoints(&self, keypoints: &mut Keypoints) {
        for (px, confidence) in keypoints.px.iter_mut().zip(&mut keypoints.confidence) {
            let distorted = (self.inverse_k * Vector2::from(*px).push(1.0)).xy();
            match self.camera.lens.undistort(distorted) {
                Some(ray) => *px = (self.camera.k * ray.push(1.0)).xy().into(),
                None => *confidence = 0.0,
            }
        }
    }
}

fn centre(x: u32, y: u32) -> Vector2<f64> {
    Vector2::new(f64::from(x) + 0.5, f64::from(y) + 0.5)
}

/// The pixel that a coordinate lies in.
fn cell(at: f64, size: u32) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in the image")]
    (at >= 0.0 && at < f64::from(size)).then_some(at as u32)
}

/// The image between the centres of four pixels; the border pixels reach to the edge.
fn bilinear(image: &RgbImage, at: Vector2<f64>) -> Option<Rgb<u8>> {
    let (width, height) = image.dimensions();
    cell(at.x, width).zip(cell(at.y, height))?;
    let axis = |at: f64, size: u32| {
        let at = (at - 0.5).clamp(0.0, f64::from(size - 1));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
        let low = at as u32;
        (low, (low + 1).min(size - 1), at - f64::from(low))
    };
    let ((x0, x1, fx), (y0, y1, fy)) = (axis(at.x, width), axis(at.y, height));
    let weights =
        [(x0, y0, (1.0 - fx) * (1.0 - fy)), (x1, y0, fx * (1.0 - fy)), (x0, y1, (1.0 - fx) * fy), (x1, y1, fx * fy)];
    let mut sum = [0.0; 3];
    for (x, y, weight) in weights {
        for (sum, value) in sum.iter_mut().zip(image.get_pixel(x, y).0) {
            *sum += weight * f64::from(value);
        }
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of bytes is a byte")]
    Some(Rgb(sum.map(|v| v.round() as u8)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anatomy::KEYPOINTS;
    use crate::capture::formats::Lens;
    use nalgebra::Vector3;

    fn camera(lens: Lens) -> RigCamera {
        RigCamera {
            name: "a".into(),
            k: Matrix3::new(180.0, 0.0, 101.0, 0.0, 185.0, 77.0, 0.0, 0.0, 1.0),
            lens,
            size_px: Some((200, 150)),
            rotation: Matrix3::identity(),
            translation: Vector3::zeros(),
            image: None,
            mask: None,
        }
    }

    fn lenses() -> [Lens; 3] {
        [
            Lens::from_opencv(&[-0.25, 0.08, 0.002, -0.001]).expect("a barrel"),
            Lens::from_opencv(&[0.25, 0.02, -0.001, 0.002, 0.01]).expect("a cushion"),
            Lens::Fisheye([0.05, -0.01, 0.003, -0.001]),
        ]
    }

    /// A smooth picture of the world, distorted by sampling it through the inverse, comes back as the pinhole sees it.
    #[test]
    fn a_distorted_picture_becomes_the_pinholes() {
        let colour = |ray: Vector2<f64>| {
            let wave = |f: f64, p: f64| 127.0 + 90.0 * (f * ray.x + p).sin() * (f * ray.y - p).cos();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 37 and 217")]
            Rgb([wave(9.0, 0.1) as u8, wave(7.0, 0.7) as u8, wave(11.0, -0.4) as u8])
        };
        for lens in lenses() {
            let camera = camera(lens);
            let inverse = camera.k.try_inverse().expect("an inverse");
            let ray = |x: u32, y: u32| (inverse * centre(x, y).push(1.0)).xy();
            let distorted = RgbImage::from_fn(200, 150, |x, y| colour(lens.undistort(ray(x, y)).expect("in range")));
            let undistorted = Undistortion::of(&camera).expect("distorts").image(&distorted);
            let error = |image: &RgbImage| {
                let mut worst = 0;
                for (x, y) in (20..130).flat_map(|y| (20..180).map(move |x| (x, y))) {
                    let (a, b) = (image.get_pixel(x, y).0, colour(ray(x, y)).0);
                    worst = worst.max(a.iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0));
                }
                worst
            };
            assert!(error(&undistorted) <= 3, "{lens:?}: off by {}", error(&undistorted));
            assert!(error(&distorted) > 15, "{lens:?}: before, it was off by {}", error(&distorted));
        }
    }

    #[test]
    fn masks_and_keypoints_follow_the_image() {
        for lens in lenses() {
            let camera = camera(lens);
            let undistortion = Undistortion::of(&camera).expect("distorts");
            let point = Vector3::new(0.25, -0.2, 1.0);
            let distorted = camera.project(&point).expect("in front");
            let straight = (camera.k * point).xy();
            let mut keypoints = Keypoints::detected([distorted.into(); KEYPOINTS], [0.7; KEYPOINTS]);
            undistortion.keypoints(&mut keypoints);
            assert!((Vector2::from(keypoints.px[3]) - straight).norm() < 1e-8, "{lens:?}: keypoints are exact");
            assert!((distorted - straight).norm() > 0.5, "{lens:?}: and they have moved");
            let blob = GrayImage::from_fn(200, 150, |x, y| {
                image::Luma([if (centre(x, y) - distorted).norm() < 6.0 { 255 } else { 0 }])
            });
            let mask = undistortion.mask(&blob);
            let inside: Vec<Vector2<f64>> =
                mask.enumerate_pixels().filter(|(_, _, p)| p.0[0] == 255).map(|(x, y, _)| centre(x, y)).collect();
            #[expect(clippy::cast_precision_loss, reason = "a few pixels")]
            let mean = inside.iter().sum::<Vector2<f64>>() / inside.len() as f64;
            assert!((mean - straight).norm() < 0.7, "{lens:?}: the blob lies at {mean}, the point at {straight}");
        }
    }

    #[test]
    fn what_the_lens_cannot_show_is_empty() {
        let camera = camera(Lens::from_opencv(&[-0.9, 0.0, 0.0, 0.0]).expect("a strong barrel"));
        let undistortion = Undistortion::of(&camera).expect("distorts");
        let white = RgbImage::from_pixel(200, 150, Rgb([255; 3]));
        let image = undistortion.image(&white);
        assert_eq!(image.get_pixel(100, 76).0, [255; 3], "the middle is seen");
        let edge = (1.0_f64 / 2.7).sqrt();
        assert!(camera.lens.range() < edge + 0.01, "the model turns at {edge}");
        let wide = RigCamera { k: Matrix3::new(90.0, 0.0, 101.0, 0.0, 90.0, 77.0, 0.0, 0.0, 1.0), ..camera };
        let image = Undistortion::of(&wide).expect("distorts").image(&white);
        assert_eq!(image.get_pixel(0, 0).0, [0; 3], "the corner is beyond the lens's range: black, not a ghost");
    }
}
