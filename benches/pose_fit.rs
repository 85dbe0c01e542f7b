//! Milliseconds per frame of pose and fit, both hands, for single frames and for a sequence of a thousand in batches.
//!
//! ```text
//! cargo bench --no-default-features --bench pose_fit [-- FRAMES]
//! ```
//! 16 cameras on an arc, 3 px noise. `pose` triangulates and assigns frame by frame on the device; `fit` is the whole of
//! [`thenar::fitting::hand_fit`] without masks: three starts a hand on the device, polish in `f64` on the processor. For
//! sequences it is [`fit_sequence`], two passes with the shape in common. Wall time.

use anyhow::Context as _;
use nalgebra::{Matrix3, Vector3};
use std::io::Write as _;
use std::time::Instant;
use thenar::anatomy::{KEYPOINTS, Side};
use thenar::camera::Camera;
use thenar::capture::Keypoints;
use thenar::fitting::hand_fit::{FitBackend, HandFit, HandFitSettings, fit_sequence};
use thenar::fitting::pose::{PoseResult, PoseSettings, Triangulator, estimate_joints};
use thenar::gpu::{DeviceChoice, Gpu};
use thenar::hand::{HandModel, HandParameters, open_hands, pose_hand};

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

/// Noisy keypoints of both hands of one frame.
fn frame(models: &[HandModel; 2], cameras: &[Camera], random: &mut Random) -> Vec<[Option<Keypoints>; 2]> {
    let hands = [0, 1].map(|side| {
        let model = &models[side];
        let pose = model.hands_mean.iter().map(|m| m * (1.0 + 0.5 * random.signed())).collect();
        let z = if side == 0 { 0.12 } else { -0.12 };
        let parameters = HandParameters {
            hand_pose: pose,
            global_orient: std::array::from_fn(|_| 0.5 * random.signed()),
            transl: [0.0, 0.01 * random.signed(), z],
            ..HandParameters::rest(Side::BOTH[side])
        };
        pose_hand(model, &parameters).keypoints
    });
    let mut noise = || 3.0 * (random.signed() + random.signed() + random.signed());
    cameras
        .iter()
        .map(|camera| {
            hands.map(|points| {
                let mut px = [[0.0; 2]; KEYPOINTS];
                for (to, point) in px.iter_mut().zip(points) {
                    let p = camera.project(&Vector3::from(point))?;
                    *to = [p.x + noise(), p.y + noise()];
                }
                Some(Keypoints { px, confidence: [1.0; KEYPOINTS] })
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
    let detected: Vec<_> = (0..frames).map(|_| frame(&models, &cameras, &mut random)).collect();
    let triangulator = Triangulator::on(&gpu)?;
    let settings = HandFitSettings::default();
    let pose = |keypoints: &Vec<[Option<Keypoints>; 2]>| -> anyhow::Result<PoseResult> {
        Ok(estimate_joints(&cameras, keypoints, &[true; 16], &PoseSettings::default(), &triangulator)?)
    };
    // Warm: kernels are compiled.
    let single = pose(detected.first().context("at least one frame")?)?;
    let fit_one = || -> anyhow::Result<()> {
        let mut fit = HandFit::new(FitBackend::Gpu(&gpu), both, &single, &settings)?;
        while fit.step()?.is_some() {}
        fit.finish(&[])?;
        Ok(())
    };
    fit_one()?;

    let milliseconds = |began: Instant| 1e3 * began.elapsed().as_secs_f64();
    let began = Instant::now();
    pose(&detected[0])?;
    let pose_one = milliseconds(began);
    let began = Instant::now();
    fit_one()?;
    let fit_alone = milliseconds(began);
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
    writeln!(out, "{:<18}{:>10.1}{:>10.1}", format!("{frames} frames"), pose_all / count, fit_all / count)?;
    Ok(())
}
