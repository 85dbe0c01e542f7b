//! What all frames say about the cameras: one that is off is off in every frame, so its correction is shared.

use super::look::Looked;
use crate::camera::Camera;

/// Share of the frames that must find a camera off.
const MAJORITY: f64 = 0.5;
/// Cameras of two frames are the same when centre and optics agree to this part.
const SAME: f64 = 1e-5;

fn same(a: &Camera, b: &Camera) -> bool {
    let near = |x: f64, scale: f64| x <= SAME * scale.max(1.0);
    near((a.k - b.k).norm(), b.k.norm())
        && near((a.rotation - b.rotation).norm(), 1.0)
        && near((a.translation - b.translation).norm(), b.translation.norm())
}

/// Whether all frames were taken by the same cameras.
pub(super) fn is_same(frames: &[&Looked]) -> bool {
    let Some(first) = frames.first() else { return true };
    let like_first = |other: &&Looked| {
        other.cameras.len() == first.cameras.len() && other.cameras.iter().zip(&first.cameras).all(|(a, b)| same(a, b))
    };
    frames.iter().all(like_first)
}

/// How far apart two corrections of a camera are: pixels of principal point, and the same for turn and place, which a focal
/// length makes pixels of.
fn apart(a: &Camera, b: &Camera) -> f64 {
    let focal = a.k[(0, 0)];
    (a.k - b.k).norm() + focal * (a.rotation - b.rotation).norm() + focal * (a.centre() - b.centre()).norm()
}

/// The cameras of the rig: as given, but those that most frames find off as the middle one of these corrects them. And their
/// view numbers.
#[expect(clippy::cast_precision_loss, reason = "counts of frames are small")]
pub(super) fn shared(frames: &[&Looked]) -> (Vec<Camera>, Vec<usize>) {
    let Some(first) = frames.first() else { return (Vec::new(), Vec::new()) };
    let mut cameras = first.cameras.clone();
    let mut off = Vec::new();
    for (view, camera) in cameras.iter_mut().enumerate() {
        let report = |f: &Looked| f.pose.views.iter().any(|r| r.view == view && r.flagged_shift_px.is_some());
        let found: Vec<&Camera> = frames.iter().filter(|f| report(f)).map(|f| &f.pose.cameras[view]).collect();
        if (found.len() as f64) <= MAJORITY * frames.len() as f64 {
            continue;
        }
        // The one that is nearest to all others: a mean of rotations would believe outliers too.
        let total = |a: &&&Camera| found.iter().map(|b| apart(a, b)).sum::<f64>();
        if let Some(middle) = found.iter().min_by(|a, b| total(a).total_cmp(&total(b))) {
            *camera = (*middle).clone();
            off.push(view);
        }
    }
    (cameras, off)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fitting::pose::{Joints3d, PoseResult, PoseViewReport};
    use nalgebra::Matrix3x4;

    fn camera(x: f64) -> Camera {
        let p = Matrix3x4::new(100.0, 0.0, 40.0, 100.0 * x, 0.0, 100.0, 30.0, 0.0, 0.0, 0.0, 1.0, 0.0);
        Camera::from_projection(&p, 80, 60).expect("a camera")
    }

    /// A frame of three cameras, the second of which was moved to `x` where it was found off.
    fn frame(given: f64, found: Option<f64>) -> Looked {
        let cameras = vec![camera(given), camera(0.1), camera(0.2)];
        let mut corrected = cameras.clone();
        corrected[1] = camera(found.unwrap_or(0.1));
        let report = |view: usize| PoseViewReport {
            view,
            detections: Vec::new(),
            flagged_shift_px: found.filter(|_| view == 1).map(|x| [100.0 * (x - 0.1), 0.0]),
            correction: None,
        };
        let pose = PoseResult {
            joints: Joints3d::default(),
            cameras: corrected,
            observations: [Vec::new(), Vec::new()],
            views: (0..3).map(report).collect(),
            noise_px: 1.0,
            median_px: 1.0,
            assigned_share: 1.0,
            findings: Vec::new(),
        };
        Looked { capture_hash: String::new(), cameras, keypoints: Vec::new(), used: vec![true; 3], pose }
    }

    #[test]
    fn what_most_frames_find_holds_for_all() {
        let frames = [frame(0.0, Some(0.14)), frame(0.0, Some(0.13)), frame(0.0, None), frame(0.0, Some(0.5))];
        let all: Vec<&Looked> = frames.iter().collect();
        let (cameras, off) = shared(&all);
        assert_eq!(off, [1], "the second camera");
        assert_eq!(cameras, [camera(0.0), camera(0.14), camera(0.2)], "the middle correction, not the wild one");
        let (cameras, off) = shared(&all[2..]);
        assert_eq!((cameras, off), (frames[2].cameras.clone(), Vec::new()), "half of the frames is not most");
        assert!(is_same(&all), "one rig");
        assert!(!is_same(&[&frames[0], &frame(0.01, None)]), "another one");
        assert!(shared(&[]).0.is_empty() && is_same(&[]), "of nothing");
    }
}
