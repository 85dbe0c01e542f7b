//! The stage on a small scene whose photographs have what light and albedo cannot say.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small test data; f32 is what the GPU gets"
)]

use super::*;
use crate::camera::Camera;
use crate::gpu::{Gpu, testing};
use crate::mesh::Topology;
use crate::shading::renderer::{MeshBuffers, PixelBuffers, Renderer};
use crate::shading::testing::{Scene, noise};
use nalgebra::Rotation3;

/// A mesh, some cameras around it, and photographs.
pub(super) struct Stage {
    topology: Topology,
    pub positions: Vec<[f32; 3]>,
    pub normals: Vec<[f32; 3]>,
    albedo: Vec<[f32; 3]>,
    light: [f64; 12],
    pub cameras: Vec<Camera>,
}

impl Stage {
    pub(super) fn new() -> Self {
        let scene = Scene::fine();
        let narrow = |v: &[[f64; 3]]| v.iter().map(|x| x.map(|x| x as f32)).collect::<Vec<_>>();
        let mut light = [0.0; 12];
        light.copy_from_slice(&scene.lights[12..24]);
        light[9..].fill(1.0);
        let cameras = [-0.12, 0.0, 0.12]
            .map(|turn| {
                // About the middle of the scene.
                let turn = Rotation3::from_euler_angles(0.0, turn, 0.0);
                let middle = nalgebra::Vector3::new(0.01, 0.0, 0.55);
                let rotation = scene.camera.rotation * turn.matrix();
                let translation = scene.camera.translation + scene.camera.rotation * (middle - turn * middle);
                Camera { rotation, translation, ..scene.camera.clone() }
            })
            .to_vec();
        Self {
            topology: Topology::new(scene.positions.len(), &scene.faces),
            positions: narrow(&scene.positions),
            normals: narrow(&scene.normals),
            albedo: narrow(&scene.albedo),
            light,
            cameras,
        }
    }

    pub(super) fn mesh(&self) -> NeuralMesh<'_> {
        NeuralMesh {
            topology: &self.topology,
            positions: &self.positions,
            normals: &self.normals,
            albedo: &self.albedo,
            rest: &self.positions,
        }
    }

    /// Albedo times light and one, as the renderer of HAM has it.
    pub(super) fn shaded(&self, gpu: &Gpu, camera: &Camera) -> Vec<[f32; 4]> {
        let mesh = MeshBuffers::new(gpu, &self.topology, &self.positions, &self.albedo, 1).expect("small");
        mesh.normals.write(gpu, &crate::raster::padded(&self.normals));
        mesh.lights.write(gpu, &self.light.map(|x| x as f32));
        let pixels = PixelBuffers::new(gpu, camera.width_px, camera.height_px).expect("small");
        let renderer = Renderer::new(gpu).expect("compiles");
        let view = renderer.bind_view(&mesh, &pixels, camera, 0).expect("binds");
        renderer.render(&mesh, &pixels, &view).expect("renders")
    }

    /// Photographs: shaded, brighter where the second number of the pixel's place says so, times the camera's gain.
    fn views(&self, gpu: &Gpu) -> Vec<Option<NeuralView>> {
        let view = |(v, camera): (usize, &Camera)| {
            let gain = [1.0, 0.8, 1.1][v];
            let pixels = self
                .shaded(gpu, camera)
                .iter()
                .map(|c| {
                    let byte = |x: f32| ((gain * (0.8 * x + 0.12)).clamp(0.0, 1.0) * 255.0).round() as u8;
                    u32::from_le_bytes([byte(c[0]), byte(c[1]), byte(c[2]), (c[3] * 254.0) as u8])
                })
                .collect();
            Some(NeuralView { camera: camera.clone(), pixels })
        };
        self.cameras.iter().enumerate().map(view).chain([None]).collect()
    }

    pub(super) fn settings() -> NeuralSettings {
        NeuralSettings { epochs: 6, samples_per_view: 512, views_per_step: 2, ..NeuralSettings::default() }
    }

    pub(super) fn start(&self, gpu: &Gpu, settings: &NeuralSettings) -> Neural {
        Neural::new(gpu, settings, 7, &self.mesh(), &self.light, &self.views(gpu)).expect("begins")
    }
}

pub(super) fn to_the_end(neural: &mut Neural) -> Vec<f64> {
    let mut losses = Vec::new();
    while !neural.is_done() {
        losses.extend(neural.step().expect("steps").map(|r| r.photometric));
    }
    losses
}

#[test]
fn it_learns_what_shading_cannot_say_and_two_runs_have_the_same_bytes() {
    let Some(gpu) = testing::gpu() else { return };
    let stage = Stage::new();
    let settings = NeuralSettings { epochs: 40, ..Stage::settings() };
    let mut a = stage.start(&gpu, &settings);
    let losses = to_the_end(&mut a);
    assert_eq!(losses.len(), 40, "one loss an epoch");
    assert!(losses[39] < 0.2 * losses[0], "it learns: {} to {}", losses[0], losses[39]);
    let model = a.model().expect("reads");
    assert_eq!(model.gains.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, false], "views used");
    let mut b = stage.start(&gpu, &settings);
    assert_eq!(to_the_end(&mut b), losses, "the same losses");
    assert_eq!(b.model().expect("reads"), model, "and the same bytes");
    let mut c = Neural::new(&gpu, &settings, 8, &stage.mesh(), &stage.light, &stage.views(&gpu)).expect("begins");
    to_the_end(&mut c);
    assert_ne!(c.model().expect("reads").weights, model.weights, "another seed, another network");

    // The picture of a camera that it knows is nearer to the photograph than the shaded one.
    let mut renderer = NeuralRenderer::new(&gpu, &model, &stage.mesh()).expect("fits");
    let gain = model.gains[0].expect("it took part").map(f64::from);
    let painted = renderer.render(&stage.cameras[0], gain).expect("renders");
    let shaded = stage.shaded(&gpu, &stage.cameras[0]);
    let photo = stage.views(&gpu)[0].clone().expect("it took part").pixels;
    let off = |picture: &[[f32; 4]], gain: f32| -> f64 {
        let inside = picture.iter().zip(&photo).filter(|(c, _)| c[3] > 0.999);
        inside.map(|(c, p)| f64::from((gain * c[1] - f32::from(p.to_le_bytes()[1]) / 255.0).powi(2))).sum()
    };
    assert!(off(&painted, 1.0) < 0.2 * off(&shaded, 1.0), "{} against {}", off(&painted, 1.0), off(&shaded, 1.0));
}

#[test]
fn captures_share_weights_and_nothing_else_and_others_begin_with_them() {
    let Some(gpu) = testing::gpu() else { return };
    let stage = Stage::new();
    let settings = Stage::settings();
    let train = |count: usize| {
        let mut training = SharedTraining::new(&settings, 7).expect("there is such a network");
        for _ in 0..count {
            training.add(&gpu, &stage.mesh(), &stage.light, &stage.views(&gpu)).expect("begins");
        }
        let mut losses = Vec::new();
        while !training.is_done() {
            losses.extend(training.step().expect("steps").map(|r| r.photometric));
        }
        (losses, training)
    };
    let mut own = stage.start(&gpu, &settings);
    let losses = to_the_end(&mut own);
    let (alone, training) = train(1);
    assert_eq!(alone, losses, "one capture learns what a stage of its own learns");
    assert_eq!(training.network().expect("reads").weights, own.model().expect("reads").weights, "to the byte");

    let (both, training) = train(2);
    assert_eq!(both.len(), losses.len(), "as many epochs");
    assert!(both[5] < losses[5], "twice the steps: {} and {}", both[5], losses[5]);
    let [a, b] = training.captures.as_slice() else { panic!("two captures") };
    assert_eq!((a.steps(), b.steps()), (12, 12), "each its own steps");
    assert_eq!((a.steps_elsewhere, b.steps_elsewhere), (11, 12), "in turn, and of one count for the weights");
    let network = training.network().expect("reads");
    let [first, second] = [a, b].map(|capture| capture.model().expect("reads"));
    assert_eq!(network.weights, second.weights, "the newest weights");
    assert_ne!(first.features, second.features, "features of its own each");
    let (again, other) = train(2);
    assert_eq!((again, other.network().expect("reads")), (both, network.clone()), "the same again");

    let mut begun = stage.start(&gpu, &settings);
    begun.begin_with(&network).expect("of this kind");
    let begun = to_the_end(&mut begun);
    assert!(begun[0] < 0.8 * losses[0], "nearer at once: {} and {}", begun[0], losses[0]);
}

#[test]
fn a_resumed_run_ends_like_an_uninterrupted_one() {
    let Some(gpu) = testing::gpu() else { return };
    let stage = Stage::new();
    let settings = NeuralSettings { view_dropout: 0.2, ..Stage::settings() };
    let mut whole = stage.start(&gpu, &settings);
    let mut first = stage.start(&gpu, &settings);
    while first.epoch() < 3 {
        first.step().expect("steps");
    }
    assert!(first.at_epoch_end(), "between epochs");
    let state = first.state().expect("reads");
    let mut second = stage.start(&gpu, &settings);
    assert!(second.restore(&state), "its own state fits");
    let tail = to_the_end(&mut second);
    assert_eq!(to_the_end(&mut whole)[3..], tail, "the same losses");
    assert_eq!(whole.model().expect("reads"), second.model().expect("reads"), "the same bytes");
    let mut short = state.clone();
    short.lists[0].1.pop();
    assert!(!second.restore(&short), "a state of another network does not fit");
}

#[test]
fn a_network_that_has_learned_nothing_paints_the_shaded_picture() {
    let Some(gpu) = testing::gpu() else { return };
    let stage = Stage::new();
    for output in [Output::Residual, Output::Ratio] {
        let settings = NeuralSettings { output, ..Stage::settings() };
        let model = stage.start(&gpu, &settings).model().expect("reads");
        let mut renderer = NeuralRenderer::new(&gpu, &model, &stage.mesh()).expect("fits");
        let painted = renderer.render(&stage.cameras[2], [1.0; 3]).expect("renders");
        let shaded = stage.shaded(&gpu, &stage.cameras[2]);
        let apart = painted.as_flattened().iter().zip(shaded.as_flattened()).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) < 1e-5, "the same picture, edges included");

        // Moved aside, it is seen elsewhere, and back in its place as before.
        let aside: Vec<[f32; 3]> = stage.positions.iter().map(|p| [p[0] + 0.01, p[1], p[2]]).collect();
        renderer.place(&aside, &stage.normals);
        assert_ne!(renderer.render(&stage.cameras[2], [1.0; 3]).expect("renders"), painted, "moved");
        renderer.place(&stage.positions, &stage.normals);
        assert_eq!(renderer.render(&stage.cameras[2], [1.0; 3]).expect("renders"), painted, "and back");
    }
}

#[test]
fn the_published_network_learns_too() {
    let Some(gpu) = testing::gpu() else { return };
    let stage = Stage::new();
    let settings = NeuralSettings {
        kind: NeuralKind::Paper,
        output: Output::Direct,
        softness: 1.0,
        epochs: 3,
        rate: 1e-3,
        ..Stage::settings()
    };
    let losses = to_the_end(&mut stage.start(&gpu, &settings));
    assert!(losses[2] < 0.8 * losses[0], "it learns: {losses:?}");
}

#[test]
fn what_is_not_there_is_said() {
    let Some(gpu) = testing::gpu() else { return };
    let stage = Stage::new();
    let begin = |settings: &NeuralSettings, views: &[Option<NeuralView>]| {
        Neural::new(&gpu, settings, 1, &stage.mesh(), &stage.light, views).err()
    };
    let unet = NeuralSettings { kind: NeuralKind::Unet, ..Stage::settings() };
    for unet in [
        NeuralSettings { unet_width: 12, ..unet.clone() },
        NeuralSettings { unet_width: 72, ..unet.clone() },
        NeuralSettings { refine_epochs: 1, ..unet.clone() },
    ] {
        assert!(matches!(begin(&unet, &stage.views(&gpu)), Some(NeuralError::Setting { .. })), "no such network");
    }
    // Masks that hold nothing, or of which nothing is known, count nothing.
    for coverage in [0, 255] {
        let mut views = stage.views(&gpu);
        for pixel in views.iter_mut().flatten().flat_map(|v| &mut v.pixels) {
            *pixel = (*pixel & 0x00ff_ffff) | coverage << 24;
        }
        assert!(matches!(begin(&Stage::settings(), &views), Some(NeuralError::NoView)), "nothing to learn from");
    }
}

/// Ignored pixels change nothing: a run with nonsense where the mask does not tell is the same run.
#[test]
fn pixels_of_which_nothing_is_known_count_nothing() {
    let Some(gpu) = testing::gpu() else { return };
    let stage = Stage::new();
    let mut views = stage.views(&gpu);
    let ignore = |views: &mut [Option<NeuralView>], colour: &dyn Fn(u64) -> u32| {
        for (i, pixel) in (0..).zip(views.iter_mut().flatten().flat_map(|v| &mut v.pixels)) {
            if i % 3 == 0 {
                *pixel = colour(i) | 0xff00_0000;
            }
        }
    };
    let run = |views: &[Option<NeuralView>]| {
        let mut neural = Neural::new(&gpu, &Stage::settings(), 1, &stage.mesh(), &stage.light, views).expect("begins");
        to_the_end(&mut neural);
        neural.model().expect("reads")
    };
    ignore(&mut views, &|_| 0);
    let black = run(&views);
    ignore(&mut views, &|i| (noise(i).to_bits() >> 20) as u32 & 0x00ff_ffff);
    assert_eq!(run(&views), black, "whatever stands there");
}
