//! What the stage does with views and numbers that are not as they should be.

use super::submits::{scene, with_inputs};
use super::target::TargetSource;
use super::{Ham, HamError, HamSettings, Phase};
use crate::camera::{Camera, CameraMove};
use crate::gpu::{Gpu, testing};
use crate::synthetic::SyntheticScene;
use image::GrayImage;

fn settings() -> HamSettings {
    HamSettings { level: 0, views_per_step: 8, albedo_epochs: 2, shape_epochs: 4, ..HamSettings::default() }
}

/// The stage on the scene with its cameras and masks.
fn ham(
    gpu: &Gpu,
    scene: &SyntheticScene,
    settings: &HamSettings,
    cameras: &[Camera],
    masks: &[Option<GrayImage>],
) -> Result<Ham, HamError> {
    with_inputs(scene, |hands, sources| {
        let own = sources.iter().zip(cameras.iter().zip(masks));
        let changed: Vec<Option<TargetSource<'_>>> = own
            .map(|(source, (camera, mask))| source.map(|s| TargetSource { camera, mask: mask.as_ref(), ..s }))
            .collect();
        Ham::new(gpu, settings, hands, &changed)
    })
}

fn given(scene: &SyntheticScene) -> (Vec<Camera>, Vec<Option<GrayImage>>) {
    scene.capture.views.iter().map(|v| (v.camera.clone(), v.mask.clone())).unzip()
}

/// To the end; the last loss.
fn finish(ham: &mut Ham) -> Result<f64, HamError> {
    let mut last = f64::NAN;
    while ham.phase() != Phase::Done {
        if let Some(report) = ham.step()? {
            last = report.terms.iter().sum();
        }
    }
    Ok(last)
}

fn finite(ham: &Ham) -> bool {
    let vertices = ham.vertices().expect("reads");
    vertices.positions.iter().chain(&vertices.albedo).flatten().all(|x| x.is_finite())
}

/// A camera that looks the other way.
fn turned_away(camera: &Camera) -> Camera {
    camera.moved(&CameraMove { turn_rad: [0.0, std::f64::consts::PI, 0.0], centre_m: [0.0; 3] })
}

#[test]
fn a_loss_that_is_not_finite_stops_the_stage_with_its_name_and_epoch() {
    let Some(gpu) = testing::gpu() else { return };
    let scene = scene();
    let (cameras, masks) = given(&scene);
    let settings = HamSettings { laplacian: f64::INFINITY, ..settings() };
    let error = finish(&mut ham(&gpu, &scene, &settings, &cameras, &masks).expect("starts"));
    assert!(matches!(error, Err(HamError::Diverged { term: "lap", phase: "shape", epoch: 1 })), "{error:?}");
}

#[test]
fn a_view_that_sees_no_triangle_is_left_out_and_none_at_all_is_an_error() {
    let Some(gpu) = testing::gpu() else { return };
    let scene = scene();
    let (mut cameras, masks) = given(&scene);
    cameras[2] = turned_away(&cameras[2]);
    let mut stage = ham(&gpu, &scene, &settings(), &cameras, &masks).expect("the others see the hand");
    assert!(stage.mask_trust()[2].is_none() && stage.mask_trust()[3].is_some(), "view 2 takes no part");
    assert!(finish(&mut stage).expect("runs").is_finite() && finite(&stage), "the others do their work");

    let away: Vec<Camera> = scene.capture.views.iter().map(|v| turned_away(&v.camera)).collect();
    let nothing = ham(&gpu, &scene, &settings(), &away, &masks);
    assert!(matches!(nothing, Err(HamError::NoView)), "nobody sees the hand");
}

#[test]
fn an_empty_mask_is_not_believed_and_does_no_harm_when_it_must_be() {
    let Some(gpu) = testing::gpu() else { return };
    let scene = scene();
    let (cameras, mut masks) = given(&scene);
    masks[1] = masks[1].as_ref().map(|m| GrayImage::new(m.width(), m.height()));
    let mut stage = ham(&gpu, &scene, &settings(), &cameras, &masks).expect("starts");
    let trusted = |ham: &Ham, v: usize| ham.mask_trust()[v].map(|t| t.trusted);
    assert_eq!(
        (trusted(&stage, 1), trusted(&stage, 0)),
        (Some(false), Some(true)),
        "its colours count, its outline not"
    );
    assert!(finish(&mut stage).expect("runs").is_finite() && finite(&stage), "a result");
    let all = HamSettings { mask_trust: 0.0, ..settings() };
    let empty: Vec<Option<GrayImage>> = vec![masks[1].clone(); masks.len()];
    let mut stage = ham(&gpu, &scene, &all, &cameras, &empty).expect("starts");
    assert!(finish(&mut stage).expect("runs").is_finite() && finite(&stage), "told to believe that there is no hand");
}

#[test]
fn a_mesh_that_leaves_the_frame_is_no_crash_and_no_nan() {
    let Some(gpu) = testing::gpu() else { return };
    let scene = scene();
    let (cameras, masks) = given(&scene);
    // Steps of hundreds of metres: nothing is in any picture any more.
    let settings = HamSettings { shape_rate: 1e3, smoothing_mm: 0.0, ..settings() };
    let mut stage = ham(&gpu, &scene, &settings, &cameras, &masks).expect("starts");
    match finish(&mut stage) {
        Ok(loss) => assert!(loss.is_finite() && finite(&stage), "a loss without pixels: {loss}"),
        Err(error) => assert!(matches!(error, HamError::Diverged { .. } | HamError::Overflow { .. }), "{error}"),
    }
}
