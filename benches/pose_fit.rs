//! Milliseconds per frame of pose and fit, both hands, for single frames and for a sequence of a thousand in batches.
//!
//! ```text
//! cargo bench --no-default-features --bench pose_fit [-- FRAMES]
//! cargo bench --no-default-features --profile dev --bench pose_fit -- 1      # as lightly optimised as `scripts/run` builds
//! ```
//! 16 cameras of 1280×1024 on an arc, 3 px noise. `pose` triangulates and assigns frame by frame on the device; `fit` is the
//! whole of [`thenar::fitting::hand_fit`]: three starts a hand on the device, polish in `f64` on the processor, and with
//! masks (the silhouettes of the posed hands in all 16 views) the refinement that compares outlines with them. Single frames
//! are the middle of five. For sequences it is [`fit_sequence`], two passes with the shape in common, no masks. Wall time.

use anyhow::Context as _;
use image::GrayImage;
use nalgebra::{Matrix3, Vector3};
use std::io::Write as _;
use std::time::Instant;
use thenar::anatomy::{KEYPOINTS, Side};
use thenar::camera::Camera;
use thenar::capture::Keypoints;
use thenar::fitting::hand_fit::{FitBackend, HandFit, HandFitSettings, Silhouette, fit_sequence};
use thenar::fitting::pose::{PoseResult, PoseSettings, Triangulator, estimate_joints};
use thenar::gpu::{DeviceChoice, Gpu};
use thenar::hand::{HandModel, HandParameters, PosedHand, open_hands, pose_hand};
use thenar::raster::cpu::{Projected, coverage_of};

#[path = "../tests/support/split_mix.rs"]
mod split_mix;
use split_mix::Random;

fn cameras() -> Vec<Camera> {
    (0..16)
        .map(|i| {
            let angle = -2.0 + 4.0 * f64::from(i) / 15.0;
            let centre = Vector3::new(angle.sin(), 0.35 + 0.3 * f64::from(i % 3), -angle.cos());
            let z = (-centre).normalize();
            let x = z.cross(&Vector3::y()).normalize();
            let rotation = Matrix3::from_rows(&[x.transpose(), z.cross(&x).transpose(), z.transpose()]);
            let k = Matrix3::new(1900.0, 0.0, 640.0, 0.0, 1900.0, 512.0, 0.0, 0.0, 1.0);
            Camera { width_px: 1280, height_px: 1024, k, rotation, translation: -(rotation * centre) }
        })
        .collect()
}

/// What a camera sees of both hands, as a mask.
fn mask(models: &[HandModel; 2], hands: &[PosedHand; 2], camera: &Camera) -> anyhow::Result<GrayImage> {
    let mut pixels = vec![0; camera.width_px as usize * camera.height_px as usize];
    for (model, hand) in models.iter().zip(hands) {
        let projected = Projected::new(&hand.vertices, camera);
        let covered = coverage_of(&projected, &model.faces, camera.width_px, camera.height_px);
        pixels.iter_mut().zip(covered).filter(|(_, covered)| *covered).for_each(|(pixel, _)| *pixel = 255);
    }
    GrayImage::from_raw(camera.width_px, camera.height_px, pixels).context("one byte a pixel")
}

/// Both hands of one frame.
fn hands(models: &[HandModel; 2], random: &mut Random) -> [PosedHand; 2] {
    [0, 1].map(|side| {
        let model = &models[side];
        let pose = model.hands_mean.iter().map(|m| m * (1.0 + 0.5 * random.signed())).collect();
        let z = if side == 0 { 0.12 } else { -0.12 };
        let parameters = HandParameters {
            hand_pose: pose,
            global_orient: std::array::from_fn(|_| 0.5 * random.signed()),
            transl: [0.0, 0.01 * random.signed(), z],
            ..HandParameters::rest(Side::BOTH[side])
        };
        pose_hand(model, &parameters)
    })
}

/// Noisy keypoints of both hands of one frame.
fn detect(hands: &[PosedHand; 2], cameras: &[Camera], random: &mut Random) -> Vec<[Option<Keypoints>; 2]> {
    let mut noise = || 3.0 * (random.signed() + random.signed() + random.signed());
    cameras
        .iter()
        .map(|camera| {
            hands.each_ref().map(|hand| {
                let mut px = [[0.0; 2]; KEYPOINTS];
                for (to, point) in px.iter_mut().zip(&hand.keypoints) {
                    let p = camera.project(&Vector3::from(*point))?;
                    *to = [p.x + noise(), p.y + noise()];
                }
                Some(Keypoints::detected(px, [1.0; KEYPOINTS]))
            })
        })
        .collect()
}

fn main() -> anyhow::Result<()> {
    let frames: usize = std::env::args().filter_map(|a| a.parse().ok()).next().unwrap_or(1000);
    let gpu = Gpu::new(&DeviceChoice::Auto)?;
    let models = open_hands()?;
    let both = [Some(&models[0]), Some(&models[1])];
    let cameras = cameras();
    let mut random = Random(1);
    let posed: Vec<_> = (0..frames).map(|_| hands(&models, &mut random)).collect();
    let detected: Vec<_> = posed.iter().map(|hands| detect(hands, &cameras, &mut random)).collect();
    let first = posed.first().context("at least one frame")?;
    let masks = cameras.iter().map(|camera| mask(&models, first, camera)).collect::<anyhow::Result<Vec<_>>>()?;
    let silhouette = |(view, (camera, mask))| Silhouette { view, camera, mask, edited: false };
    let silhouettes: Vec<Silhouette<'_>> = cameras.iter().zip(&masks).enumerate().map(silhouette).collect();
    let triangulator = Triangulator::on(&gpu)?;
    let settings = HandFitSettings::default();
    let pose = |keypoints: &Vec<[Option<Keypoints>; 2]>| -> anyhow::Result<PoseResult> {
        Ok(estimate_joints(&cameras, keypoints, &[true; 16], &PoseSettings::default(), &triangulator)?)
    };
    // Warm: kernels are compiled.
    let single = pose(&detected[0])?;
    let fit_one = |silhouettes: &[Silhouette<'_>]| -> anyhow::Result<()> {
        let mut fit = HandFit::new(FitBackend::Gpu(&gpu), both, &single, &settings)?;
        while fit.step()?.is_some() {}
        let used = fit.finish(silhouettes)?.silhouettes.iter().filter(|s| s.used).count();
        anyhow::ensure!(used == silhouettes.len(), "all masks take part");
        Ok(())
    };
    fit_one(&silhouettes)?;

    let milliseconds = |began: Instant| 1e3 * began.elapsed().as_secs_f64();
    let middle = |run: &dyn Fn() -> anyhow::Result<()>| -> anyhow::Result<f64> {
        let mut times = [0.0; 5];
        for time in &mut times {
            let began = Instant::now();
            run()?;
            *time = milliseconds(began);
        }
        times.sort_by(f64::total_cmp);
        Ok(times[2])
    };
    let pose_one = middle(&|| pose(&detected[0]).map(drop))?;
    let (fit_alone, fit_masks) = (middle(&|| fit_one(&[]))?, middle(&|| fit_one(&silhouettes))?);
    let began = Instant::now();
    let poses = detected.iter().map(pose).collect::<anyhow::Result<Vec<_>>>()?;
    let pose_all = milliseconds(began);
    let began = Instant::now();
    let sequence = fit_sequence(FitBackend::Gpu(&gpu), both, &poses, &settings)?;
    let fit_all = milliseconds(began);
    anyhow::ensure!(sequence.frames.iter().all(|f| f.hands.len() == 2), "both hands in every frame");

    let mut out = std::io::stdout().lock();
    let count = f64::from(u32::try_from(frames)?);
    writeln!(out, "milliseconds per frame, both hands; device: {}", gpu.description().name)?;
    writeln!(out, "{:<18}{:>10}{:>10}", "", "pose", "fit")?;
    writeln!(out, "{:<18}{pose_one:>10.1}{fit_alone:>10.1}", "one frame")?;
    writeln!(out, "{:<18}{pose_one:>10.1}{fit_masks:>10.1}", "with 16 masks")?;
    writeln!(out, "{:<18}{:>10.1}{:>10.1}", format!("{frames} frames"), pose_all / count, fit_all / count)?;
    Ok(())
}
