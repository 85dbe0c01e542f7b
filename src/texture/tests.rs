use super::relief::{Laid, tangents};
use super::*;
use crate::anatomy::Side;
use crate::camera::{CameraResidual, ImageWarp};
use crate::hand::{HandModel, open_hand};
use crate::mesh::{SubdivisionLevels, vertex_normals};
use crate::raster::cpu::{Projected, visibility_of};
use crate::shading::sh_basis;
use nalgebra::{Matrix3, Vector3};

/// The open hand at rest, one level finer, in a light that is not even.
struct Scene {
    positions: Vec<[f64; 3]>,
    normals: Vec<[f64; 3]>,
    albedo: Vec<[f64; 3]>,
    topology: Topology,
    levels: SubdivisionLevels,
}

const LIGHT: [f64; LIGHT_STRIDE] = [0.9, 0.2, -0.1, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9, 1.0, 1.1];

/// A camera that is off by nothing.
const EXACT: CameraResidual = CameraResidual { warp: None, falloff: 0.0 };

/// Albedo that vertices 2.5 mm apart cannot hold: waves of 4 mm.
fn pattern(p: [f64; 3]) -> [f64; 3] {
    let wave = |x: f64| (x * std::f64::consts::TAU / 4e-3).sin();
    let w = 0.12 * wave(p[0]) * wave(p[2]);
    [0.55 + w, 0.45 + w, 0.4 - w]
}

impl Scene {
    fn new() -> Self {
        let model: HandModel = open_hand(Side::Right).expect("sound asset");
        let levels = SubdivisionLevels::new(model.template.len(), &model.faces, &model.uvs, &model.uv_faces, 1);
        let positions = levels.refine(1, &model.template);
        Self {
            normals: vertex_normals(&positions, levels.faces(1)),
            albedo: vec![[0.55, 0.45, 0.4]; positions.len()],
            topology: Topology::new(positions.len(), levels.faces(1)),
            positions,
            levels,
        }
    }

    fn mesh(&self) -> TextureMesh<'_> {
        let Self { positions, normals, albedo, topology, .. } = self;
        TextureMesh { positions, normals, albedo, topology }
    }

    fn hand(&self) -> TextureHand<'_> {
        let (faces, uvs, uv_faces) = (self.levels.faces(1), self.levels.uvs(1), self.levels.uv_faces(1));
        TextureHand { vertices: 0..self.positions.len(), faces, uvs, uv_faces }
    }

    /// Photographs of the pattern in the light.
    fn photo(&self, camera: &Camera) -> RgbImage {
        let projected = Projected::new(&self.positions, camera);
        let faces = &self.topology.faces;
        let seen = visibility_of(&projected, faces, camera.width_px, camera.height_px);
        RgbImage::from_fn(camera.width_px, camera.height_px, |x, y| {
            let Some(triangle) = (seen.ids[(y * camera.width_px + x) as usize] as usize).checked_sub(1) else {
                return image::Rgb([0, 255, 0]);
            };
            let b = projected.barycentrics(faces[triangle], f64::from(x) + 0.5, f64::from(y) + 0.5);
            let mix = |list: &[[f64; 3]]| {
                [0, 1, 2].map(|k| (0..3).map(|i| b[i] * list[faces[triangle][i] as usize][k]).sum::<f64>())
            };
            let n = Vector3::from(mix(&self.normals)).normalize();
            let r: f64 = sh_basis(n.into()).iter().zip(&LIGHT).map(|(b, c)| b * c).sum();
            let albedo = pattern(mix(&self.positions));
            image::Rgb([0, 1, 2].map(|k| crate::export::level_8bit(albedo[k] * r * LIGHT[9 + k])))
        })
    }
}

/// A camera half a metre above (or below) the hand, turned about the hand by some degrees.
fn camera(above: bool, degrees: f64) -> Camera {
    let turn = nalgebra::Rotation3::from_axis_angle(&Vector3::x_axis(), degrees.to_radians());
    let up = if above { 1.0 } else { -1.0 };
    let towards = turn * Vector3::new(0.0, -up, 0.0);
    let right = Vector3::x();
    let down = towards.cross(&right);
    let rotation = Matrix3::from_rows(&[right.transpose(), down.transpose(), towards.transpose()]);
    let centre = Vector3::new(0.0, 0.0, 0.0) - towards * 0.5;
    Camera {
        width_px: 640,
        height_px: 480,
        k: Matrix3::new(1300.0, 0.0, 320.0, 0.0, 1300.0, 240.0, 0.0, 0.0, 1.0),
        rotation,
        translation: -(rotation * centre),
    }
}

fn rms(scene: &Scene, texture: &HandTexture, at_least: u8) -> (f64, usize) {
    let hand = scene.hand();
    let (mut sum, mut count) = (0.0, 0_usize);
    for (face, corners) in hand.faces.iter().zip(hand.uv_faces) {
        atlas::texels(texture.size, corners.map(|i| hand.uvs[i as usize]), |at, b| {
            if texture.coverage[at] >= at_least {
                let p = [0, 1, 2]
                    .map(|k| (0..3).map(|i| f64::from(b[i]) * scene.positions[face[i] as usize][k]).sum::<f64>());
                let truth = pattern(p);
                sum += (0..3).map(|k| (f64::from(texture.albedo[at][k]) - truth[k]).powi(2)).sum::<f64>() / 3.0;
                count += 1;
            }
        });
    }
    ((sum / count.max(1) as f64).sqrt(), count)
}

/// A photograph that is believed as it is.
fn seen<'a>(camera: &'a Camera, image: &'a RgbImage, light: [f64; LIGHT_STRIDE]) -> TextureView<'a> {
    TextureView { camera, residual: &EXACT, image, light, mask: None, trust: 1.0 }
}

#[test]
fn a_texture_holds_what_vertices_cannot() {
    let scene = Scene::new();
    let cameras = [camera(true, 0.0), camera(true, 25.0), camera(true, -25.0), camera(false, 10.0)];
    let photos: Vec<RgbImage> = cameras.iter().map(|c| scene.photo(c)).collect();
    let view = |i: usize, light| seen(&cameras[i], &photos[i], light);
    let views: Vec<TextureView<'_>> = (0..4).map(|i| view(i, LIGHT)).collect();
    let [texture] = &bake(&scene.mesh(), &[scene.hand()], &views, 512, 0)[..] else { panic!("one hand") };
    let (error, count) = rms(&scene, texture, 250);
    assert!(texture.covered > 0.6 && count > 20_000, "{} of the layout, {count} texels", texture.covered);
    let amplitude = 0.12 / 2.0;
    assert!(error < 0.35 * amplitude, "off by {error}, the pattern's own size is {amplitude}");
    // Negative: in a wrong light it is another albedo.
    let mut dim = LIGHT;
    dim[0] = 0.7;
    let wrong: Vec<TextureView<'_>> = (0..4).map(|i| view(i, dim)).collect();
    let (off, _) = rms(&scene, &bake(&scene.mesh(), &[scene.hand()], &wrong, 512, 0)[0], 250);
    assert!(off > 3.0 * error, "the check sees a wrong light: {off} against {error}");
    // A view that took no part is rendered better with the texture than with the vertices.
    let other = camera(true, 12.0);
    let photo = scene.photo(&other);
    let both = compare(&scene.mesh(), &[scene.hand()], std::slice::from_ref(texture), &other, &EXACT, &LIGHT);
    let psnr = |render: &[[f64; 3]]| {
        let (mut sum, mut count) = (0.0, 0.0);
        for ((r, p), _) in render.iter().zip(photo.pixels()).zip(&both.coverage).filter(|(_, seen)| **seen > 0.999) {
            sum += (0..3).map(|k| (r[k] - f64::from(p.0[k]) / 255.0).powi(2)).sum::<f64>();
            count += 3.0;
        }
        -10.0 * f64::log10(sum / count)
    };
    let gain = psnr(&both.textured) - psnr(&both.plain);
    assert!(gain > 4.0, "{gain} dB better");
}

/// Half of the photographs are overexposed until most of the surface is white: the albedo does not get darker by it.
#[test]
fn white_photographs_do_not_darken_a_texture() {
    let scene = Scene::new();
    let cameras = [camera(true, 0.0), camera(true, 25.0), camera(true, -25.0), camera(false, 10.0)];
    let mut photos: Vec<RgbImage> = cameras.iter().map(|c| scene.photo(c)).collect();
    let exposure = [1.0, 2.5, 2.5, 2.5];
    let mut white = 0;
    for (photo, by) in photos.iter_mut().zip(exposure) {
        for pixel in photo.pixels_mut() {
            pixel.0 = pixel.0.map(|x| crate::export::level_8bit(f64::from(x) / 255.0 * by));
            white += u32::from(pixel.0[0] == 255);
        }
    }
    assert!(white > 50_000, "{white} white pixels");
    let lights = exposure.map(|by| {
        let mut light = LIGHT;
        light[9..].fill(by);
        light
    });
    let view = |i: usize| seen(&cameras[i], &photos[i], lights[i]);
    let views: Vec<TextureView<'_>> = (0..4).map(view).collect();
    let [texture] = &bake(&scene.mesh(), &[scene.hand()], &views, 512, 0)[..] else { panic!("one hand") };
    let (error, _) = rms(&scene, texture, 250);
    assert!(error < 0.06, "off by {error}, no more than the pattern's own size");
}

#[test]
fn what_no_view_sees_keeps_the_albedo_of_the_vertices() {
    let scene = Scene::new();
    let [texture] = &bake(&scene.mesh(), &[scene.hand()], &[], 128, 0)[..] else { panic!("one hand") };
    assert_eq!((texture.covered, texture.coverage.iter().max()), (0.0, Some(&0)), "no photograph, no coverage");
    let wrong = texture
        .albedo
        .iter()
        .zip(&texture.filled)
        .filter(|(a, filled)| **filled && (0..3).any(|k| (f64::from(a[k]) - scene.albedo[0][k]).abs() > 1e-5));
    assert_eq!(wrong.count(), 0, "every texel is the albedo");
    // From above only: the back of the hand is covered, the palm is not, and the green room shows nowhere.
    let above = camera(true, 0.0);
    let photo = scene.photo(&above);
    let views = [seen(&above, &photo, LIGHT)];
    let [texture] = &bake(&scene.mesh(), &[scene.hand()], &views, 256, 0)[..] else { panic!("one hand") };
    assert!((0.15..0.5).contains(&texture.covered), "about a third: {}", texture.covered);
    assert!(texture.albedo.iter().zip(&texture.filled).all(|(a, f)| !f || a[1] < 0.75), "no green spill");
    let blind = GrayImage::new(640, 480);
    let views = [TextureView { mask: Some(&blind), ..views[0] }];
    assert_eq!(bake(&scene.mesh(), &[scene.hand()], &views, 64, 0)[0].covered, 0.0, "an empty mask shows nothing");
}

/// Photographs of a camera that is off by a shift and by dim corners make the same texture once that is known.
#[test]
fn what_a_camera_is_off_by_is_undone() {
    let scene = Scene::new();
    let cameras = [camera(true, 0.0), camera(true, 25.0), camera(true, -25.0), camera(false, 10.0)];
    let size = [cameras[0].width_px, cameras[0].height_px];
    let mut warp = ImageWarp::still([0.0; 2], size, 80.0);
    warp.shifts_px.fill([3.0, -2.0]);
    let off = CameraResidual { warp: Some(warp), falloff: -0.3 };
    let photos: Vec<RgbImage> = cameras
        .iter()
        .map(|c| {
            let photo = scene.photo(c);
            let pixels =
                photo.pixels().map(|p| [0, 1, 2, 3].map(|k| p.0.get(k).map_or(1.0, |x| f32::from(*x) / 255.0)));
            let seen = off.rendered_as_photo(pixels.collect(), size);
            RgbImage::from_fn(size[0], size[1], |x, y| {
                let [r, g, b, _] = seen[(y * size[0] + x) as usize];
                image::Rgb([r, g, b].map(|x| crate::export::level_8bit(f64::from(x))))
            })
        })
        .collect();
    let error = |residual: &CameraResidual| {
        let view = |i: usize| TextureView { residual, ..seen(&cameras[i], &photos[i], LIGHT) };
        let views: Vec<TextureView<'_>> = (0..4).map(view).collect();
        let [texture] = &bake(&scene.mesh(), &[scene.hand()], &views, 512, 0)[..] else { panic!("one hand") };
        rms(&scene, texture, 250).0
    };
    let (known, unknown) = (error(&off), error(&EXACT));
    assert!(known < 0.35 * 0.06, "off by {known}");
    assert!(unknown > 2.0 * known, "off by {unknown} where it is not known");
}

#[test]
fn relief_gives_the_fine_normals_back() {
    let scene = Scene::new();
    // A fine surface with bumps of 0.3 mm.
    let fine: Vec<[f64; 3]> = scene
        .positions
        .iter()
        .zip(&scene.normals)
        .map(|(p, n)| [0, 1, 2].map(|k| p[k] + 3e-4 * n[k] * (p[0] * 900.0).sin()))
        .collect();
    let fine_normals = vertex_normals(&fine, scene.levels.faces(1));
    let count = scene.levels.vertices(0);
    let low = fine[..count].to_vec();
    let low_normals = vertex_normals(&low, scene.levels.faces(0));
    let coarse = Laid {
        positions: &low,
        normals: &low_normals,
        faces: scene.levels.faces(0),
        uvs: scene.levels.uvs(0),
        uv_faces: scene.levels.uv_faces(0),
    };
    let laid = Laid {
        positions: &fine,
        normals: &fine_normals,
        faces: scene.levels.faces(1),
        uvs: scene.levels.uvs(1),
        uv_faces: scene.levels.uv_faces(1),
    };
    let size = 512;
    let maps = relief::bake(&coarse, &laid, size);
    // What a viewer does: the frame of the coarse mesh, interpolated, times the texel.
    let frames = tangents(&coarse);
    let (mut worst, mut plain, mut place, mut seen) = (0.0_f64, 0.0_f64, 0.0_f64, 0);
    for (f, (face, corners)) in laid.faces.iter().zip(laid.uv_faces).enumerate().step_by(7) {
        let parent = f / 4;
        let low_face = coarse.faces[parent].map(|v| v as usize);
        let low_uv = coarse.uv_faces[parent].map(|i| coarse.uvs[i as usize]);
        atlas::texels(size, corners.map(|i| laid.uvs[i as usize]), |at, b| {
            let b = b.map(f64::from);
            let truth: Vector3<f64> =
                (0..3).map(|i| Vector3::from(fine_normals[face[i] as usize]) * b[i]).sum::<Vector3<f64>>().normalize();
            let point: Vector3<f64> = (0..3).map(|i| Vector3::from(fine[face[i] as usize]) * b[i]).sum();
            let [u, v] = [(at % 512) as f64 + 0.5, (at / 512) as f64 + 0.5].map(|x| x / 512.0);
            let cross =
                |a: [f64; 2], b: [f64; 2], q: [f64; 2]| (b[0] - a[0]) * (q[1] - a[1]) - (b[1] - a[1]) * (q[0] - a[0]);
            let q = [u, 1.0 - v];
            let area = cross(low_uv[0], low_uv[1], low_uv[2]);
            let c = [0, 1, 2].map(|i| cross(low_uv[(i + 1) % 3], low_uv[(i + 2) % 3], q) / area);
            let mix = |of: &dyn Fn(usize) -> Vector3<f64>| (0..3).map(|i| of(i) * c[i]).sum::<Vector3<f64>>();
            let n = mix(&|i| Vector3::from(low_normals[low_face[i]])).normalize();
            let tangent = |i: usize| Vector3::from([0, 1, 2].map(|k| f64::from(frames[parent][i][k])));
            let t = mix(&tangent).normalize();
            let b =
                mix(&|i| Vector3::from(low_normals[low_face[i]]).cross(&tangent(i)) * f64::from(frames[parent][i][3]))
                    .normalize();
            let texel = maps.normals[at].map(f64::from);
            let shown = (t * texel[0] + b * texel[1] + n * texel[2]).normalize();
            worst = worst.max(shown.angle(&truth));
            plain = plain.max(n.angle(&truth));
            let low_point = mix(&|i| Vector3::from(low[low_face[i]]));
            let off = f64::from(maps.displacement_m[at]);
            place = place.max(((point - low_point).dot(&n) - off).abs());
            seen += 1;
        });
    }
    assert!(seen > 1000, "{seen} texels");
    assert!(worst < 0.01, "normals come back: {worst} rad at worst");
    assert!(plain > 0.2, "and the coarse mesh alone does not have them: {plain} rad");
    assert!(place < 1e-6, "displacement: {place} m");
    let flat = relief::bake(&coarse, &coarse, 64);
    assert!(flat.normals.iter().all(|n| n[2] > 0.9999), "a mesh has no relief of its own");
}

#[test]
fn tangents_run_along_u_and_lie_across_the_normal() {
    let scene = Scene::new();
    let hand = scene.hand();
    let laid = Laid {
        positions: &scene.positions,
        normals: &scene.normals,
        faces: hand.faces,
        uvs: hand.uvs,
        uv_faces: hand.uv_faces,
    };
    let (mut along, mut all) = (0, 0);
    for (f, corners) in tangents(&laid).iter().enumerate() {
        let p = hand.faces[f].map(|v| Vector3::from(scene.positions[v as usize]));
        let t = hand.uv_faces[f].map(|i| hand.uvs[i as usize]);
        let (e1, e2) = (p[1] - p[0], p[2] - p[0]);
        let (d1, d2) = ([t[1][0] - t[0][0], t[1][1] - t[0][1]], [t[2][0] - t[0][0], t[2][1] - t[0][1]]);
        let area = d1[0] * d2[1] - d1[1] * d2[0];
        let by_u = (e1 * d2[1] - e2 * d1[1]) / area;
        let by_v = (e2 * d1[0] - e1 * d2[0]) / area;
        for (corner, tangent) in corners.iter().enumerate() {
            let n = Vector3::from(scene.normals[hand.faces[f][corner] as usize]);
            let t = Vector3::from([0, 1, 2].map(|k| f64::from(tangent[k])));
            assert!((t.norm() - 1.0).abs() < 1e-5 && t.dot(&n).abs() < 1e-5, "a unit vector across the normal");
            all += 1;
            let right = t.dot(&by_u) > 0.0 && (n.cross(&t) * f64::from(tangent[3])).dot(&by_v) > 0.0;
            along += usize::from(right);
        }
    }
    assert!(along * 100 > all * 98, "{along} of {all} corners have u to the right and v up");
}

/// A photograph whose pixels are means over their areas, as a camera's are.
fn area_photo(scene: &Scene, camera: &Camera) -> RgbImage {
    const SIDE: u32 = 4;
    let fine = scene.photo(&camera.scaled(f64::from(SIDE)));
    RgbImage::from_fn(camera.width_px, camera.height_px, |x, y| {
        let places = (0..SIDE * SIDE).map(|i| fine.get_pixel(SIDE * x + i % SIDE, SIDE * y + i / SIDE).0);
        let sum = places.fold([0; 3], |sum: [u32; 3], p| [0, 1, 2].map(|k| sum[k] + u32::from(p[k])));
        image::Rgb(sum.map(|s| u8::try_from((s + SIDE * SIDE / 2) / (SIDE * SIDE)).unwrap_or(u8::MAX)))
    })
}

/// Eleven views of the pattern whose cameras and lights are a little off: `jitter` pixels at most.
fn rms_of_fits(jitter: f64, rounds: &[u32]) -> Vec<f64> {
    let scene = Scene::new();
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    };
    let cameras: Vec<Camera> = (-5..=5).map(|i| camera(true, 9.0 * f64::from(i))).collect();
    let (mut photos, mut lights) = (Vec::new(), Vec::new());
    for camera in &cameras {
        let mut off = camera.clone();
        off.k[(0, 2)] += jitter * random();
        off.k[(1, 2)] += jitter * random();
        photos.push(area_photo(&scene, &off));
        let mut light = LIGHT;
        light[1..4].iter_mut().for_each(|x| *x += 0.05 * jitter * random());
        lights.push(light);
    }
    let view = |i: usize| seen(&cameras[i], &photos[i], lights[i]);
    let views: Vec<TextureView<'_>> = (0..cameras.len()).map(view).collect();
    rounds.iter().map(|r| rms(&scene, &bake(&scene.mesh(), &[scene.hand()], &views, 1024, *r)[0], 250).0).collect()
}

/// The pattern is 0.06 large (rms); waves of 4 mm are ten pixels long, and the blend's mean over views blurs them.
#[test]
fn a_fitted_texture_is_nearer_to_the_truth_than_the_blend() {
    let [blend, fitted] = rms_of_fits(0.0, &[0, 4])[..] else { panic!("two textures") };
    let near = |error: f64| error < 0.65 * blend && error < 0.0025;
    assert!(near(fitted), "off by {fitted}, the blend by {blend}");
    assert!(!near(blend), "the check fails without the fit");
    // Cameras off by half a pixel and lights by some per cent: less is gained, nothing is lost.
    let [blend, fitted, long] = rms_of_fits(0.5, &[0, 4, 32])[..] else { panic!("three textures") };
    assert!(fitted < 0.85 * blend, "off by {fitted}, the blend by {blend}");
    assert!(long < 1.05 * fitted, "more rounds fit no noise: {long} after {fitted}");
}
