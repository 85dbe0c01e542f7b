use super::*;
use nalgebra::Matrix3;

const SIZE_PX: [u32; 2] = [192, 160];
const RADIUS_M: f64 = 0.05;
const PRIOR: Prior = Prior { turn_rad: 0.02, centre_m: 0.01 };

fn camera(angle: f64) -> Camera {
    let centre = Vector3::new(angle.sin(), 0.2, -angle.cos()) * 0.6;
    let z = (-centre).normalize();
    let x = z.cross(&Vector3::y()).normalize();
    let rotation = Matrix3::from_rows(&[x.transpose(), z.cross(&x).transpose(), z.transpose()]);
    let k = Matrix3::new(700.0, 0.0, 96.0, 0.0, 700.0, 80.0, 0.0, 0.0, 1.0);
    Camera { width_px: SIZE_PX[0], height_px: SIZE_PX[1], k, rotation, translation: -(rotation * centre) }
}

/// Two balls with mottled skin, so that turns show: where the ray through a pixel position meets them.
fn hit(camera: &Camera, p: [f64; 2]) -> Option<Vector3<f64>> {
    let (from, along) = (camera.centre(), camera.ray_world(&nalgebra::Vector2::from(p)));
    let ball = |middle: Vector3<f64>| {
        let to = middle - from;
        let nearest = to.dot(&along);
        let miss = to.norm_squared() - nearest * nearest;
        (miss < RADIUS_M * RADIUS_M).then(|| nearest - (RADIUS_M * RADIUS_M - miss).sqrt())
    };
    let balls = [Vector3::new(-0.035, 0.0, 0.0), Vector3::new(0.035, 0.015, 0.02)];
    let depth = balls.into_iter().filter_map(ball).min_by(f64::total_cmp)?;
    Some(from + along * depth)
}

fn skin(p: &Vector3<f64>) -> [f64; 3] {
    let wave = (180.0 * p.x).sin() * (150.0 * p.y + 1.0).cos() + (130.0 * p.z).sin();
    [0.6 + 0.1 * wave, 0.45 + 0.08 * wave, 0.4 - 0.05 * wave]
}

/// Premultiplied colours by 16 samples a pixel.
fn picture(camera: &Camera) -> Vec<[f32; 4]> {
    let pixel = |i: u32| {
        let mut sum = [0.0; 4];
        for s in 0..16 {
            let at = |base: u32, part: u32| f64::from(base) + (f64::from(part) + 0.5) / 4.0;
            if let Some(point) = hit(camera, [at(i % SIZE_PX[0], s % 4), at(i / SIZE_PX[0], s / 4)]) {
                let colour = skin(&point);
                for k in 0..3 {
                    sum[k] += colour[k] / 16.0;
                }
                sum[3] += 1.0 / 16.0;
            }
        }
        sum.map(super::super::to_f32)
    };
    (0..SIZE_PX[0] * SIZE_PX[1]).map(pixel).collect()
}

fn depths(camera: &Camera) -> Vec<f32> {
    let centre = |i: u32| [f64::from(i % SIZE_PX[0]) + 0.5, f64::from(i / SIZE_PX[0]) + 0.5];
    let depth = |i| hit(camera, centre(i)).map_or(0.0, |p| camera.camera_from_world(&p).z);
    (0..SIZE_PX[0] * SIZE_PX[1]).map(|i| super::super::to_f32(depth(i))).collect()
}

/// What the camera takes, `exposure` times as bright, as target pixels; the grey background is no hand.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn photograph(truth: &Camera, exposure: f32) -> Vec<u32> {
    let byte = |x: f32, top: f32| (x * top).round().clamp(0.0, top) as u8;
    let pack = |c: &[f32; 4]| {
        let background = 0.3 * (1.0 - c[3]);
        u32::from_le_bytes([
            byte(c[0] * exposure + background, 255.0),
            byte(c[1] * exposure + background, 255.0),
            byte(c[2] * exposure + background, 255.0),
            byte(c[3], 254.0),
        ])
    };
    picture(truth).iter().map(pack).collect()
}

/// Largest distance in pixels between where two cameras see the balls' surface.
fn apart_px(a: &Camera, b: &Camera) -> f64 {
    let mut worst = 0.0_f64;
    for i in (0..SIZE_PX[0] * SIZE_PX[1]).step_by(97) {
        let Some(point) = hit(a, [f64::from(i % SIZE_PX[0]), f64::from(i / SIZE_PX[0])]) else { continue };
        let (p, q) = (a.project(&point).expect("in front"), b.project(&point).expect("in front"));
        worst = worst.max((p - q).norm());
    }
    worst
}

/// Refines a camera that is off by `wrong`; where it ends, pixels from the truth.
fn refined(wrong: &CameraMove, exposure: f32, rounds: usize, sign: f64) -> [f64; 2] {
    let truth = camera(0.4);
    let given = truth.moved(wrong);
    let target = photograph(&truth, exposure);
    let mut so_far = CameraMove::default();
    for _ in 0..rounds {
        let now = given.moved(&so_far);
        let sight = Sight { camera: &now, rendered: &picture(&now), target: &target, depth_m: &depths(&now) };
        let step = align(&sight, &so_far, &PRIOR).expect("the balls are seen");
        so_far = so_far.then(&CameraMove {
            turn_rad: step.by.turn_rad.map(|x| sign * x),
            centre_m: step.by.centre_m.map(|x| sign * x),
        });
    }
    [apart_px(&truth, &given), apart_px(&truth, &given.moved(&so_far))]
}

const WRONG: CameraMove = CameraMove { turn_rad: [0.004, -0.005, 0.01], centre_m: [0.001, 0.002, -0.003] };

#[test]
fn a_camera_that_is_off_by_pixels_is_brought_back_whatever_its_exposure() {
    for exposure in [1.0, 0.85] {
        let [before, after] = refined(&WRONG, exposure, 4, 1.0);
        assert!(before > 4.0 && after < 0.4, "exposure {exposure}: {before} px before, {after} px after");
    }
    let [_, away] = refined(&WRONG, 1.0, 1, -1.0);
    assert!(away > 4.0, "steps of the wrong sign lead away: {away} px");
}

#[test]
fn a_step_says_how_far_the_picture_moves() {
    let truth = camera(0.4);
    let given = truth.moved(&WRONG);
    let sight = Sight {
        camera: &given,
        rendered: &picture(&given),
        target: &photograph(&truth, 1.0),
        depth_m: &depths(&given),
    };
    let step = align(&sight, &CameraMove::default(), &PRIOR).expect("the balls are seen");
    let worst = apart_px(&given, &given.moved(&step.by));
    assert!(step.shift_px < worst && step.shift_px > 0.4 * worst, "{} px in the mean, {worst} at most", step.shift_px);
}

#[test]
fn a_sound_camera_stays() {
    let [_, after] = refined(&CameraMove::default(), 1.0, 2, 1.0);
    assert!(after < 0.1, "moved by {after} px");
}

#[test]
fn a_view_without_hands_moves_no_camera() {
    let camera = camera(0.0);
    let pixels = (SIZE_PX[0] * SIZE_PX[1]) as usize;
    let nothing = Sight {
        camera: &camera,
        rendered: &vec![[0.0; 4]; pixels],
        target: &vec![0; pixels],
        depth_m: &vec![0.0; pixels],
    };
    assert!(align(&nothing, &CameraMove::default(), &PRIOR).is_none(), "no surface, no move");
}

#[test]
fn what_all_cameras_do_is_left_to_the_hands() {
    let cameras: Vec<Camera> = (0..6).map(|i| camera(f64::from(i))).collect();
    let middle = Vector3::new(0.01, 0.0, 0.02);
    // The world turned about the middle and shifted, as cameras see it.
    let (turn, way) = (Vector3::new(0.01, -0.02, 0.005), Vector3::new(0.002, 0.0, -0.001));
    let common = |camera: &Camera| CameraMove {
        turn_rad: (camera.rotation * turn).into(),
        centre_m: (turn.cross(&(middle - camera.centre())) - way).into(),
    };
    let mut moves: Vec<(&Camera, CameraMove)> = cameras.iter().map(|c| (c, common(c))).collect();
    without_common_motion(&mut moves, &middle);
    let size = |m: &CameraMove| [m.turn_rad, m.centre_m].concat().iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    assert!(moves.iter().all(|(_, m)| size(m) < 1e-12), "nothing is left of it: {moves:?}");

    // One camera's own motion stays, less its share of the mean.
    let mut moves: Vec<(&Camera, CameraMove)> = cameras.iter().map(|c| (c, CameraMove::default())).collect();
    moves[2].1 = common(&cameras[2]);
    let alone = moves[2].1;
    without_common_motion(&mut moves, &middle);
    let kept = moves[2].1.turn_rad[1] / alone.turn_rad[1];
    assert!((kept - 5.0 / 6.0).abs() < 1e-9, "five sixths stay: {kept}");
    let mut again = moves.clone();
    without_common_motion(&mut again, &middle);
    let unchanged = moves.iter().zip(&again).all(|(a, b)| {
        let difference = |x: [f64; 3], y: [f64; 3]| (Vector3::from(x) - Vector3::from(y)).norm();
        difference(a.1.turn_rad, b.1.turn_rad) + difference(a.1.centre_m, b.1.centre_m) < 1e-12
    });
    assert!(unchanged, "nothing in common is left to take");
}
