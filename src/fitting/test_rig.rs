//! A seeded synthetic rig with two posed open hands, for the tests of the pose and fit stages.

use crate::anatomy::{KEYPOINTS, Side};
use crate::camera::Camera;
use crate::capture::Keypoints;
use crate::hand::{HandParameters, PosedHand, open_hand, pose_hand};
use nalgebra::{Matrix3, Rotation3, Vector3};

/// `SplitMix64` (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
pub(super) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).expect("32 bits")) / 4_294_967_296.0
    }

    /// Standard normal (Box-Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// What goes wrong in a detection.
pub(super) struct Noise {
    pub px: f64,
    pub outliers: f64,
    pub seed: u64,
}

/// Cameras on an arc around two hands.
pub(super) struct Rig {
    pub cameras: Vec<Camera>,
    pub hands: [PosedHand; 2],
}

/// A plausible random hand: relaxed pose, flexed fingers within the limits, shape near the mean.
pub(super) fn random_parameters(side: Side, random: &mut Random) -> HandParameters {
    posed_parameters(side, 0.25, random)
}

/// The same with flexions of a standard deviation of `flexion_rad`.
fn posed_parameters(side: Side, flexion_rad: f64, random: &mut Random) -> HandParameters {
    let model = open_hand(side).expect("sound asset");
    let mut p = HandParameters::rest(side);
    for (i, value) in p.hand_pose.iter_mut().enumerate() {
        let [low, high] = model.joint_limits[i];
        let flexion = i % 3 == 2 && i < 36;
        // Knuckles move sideways and the thumb every way; elsewhere a finger neither twists nor bends sideways much.
        let loose = i >= 36 || (i % 9 == 1);
        let spread = if flexion {
            flexion_rad
        } else if loose {
            0.1
        } else {
            0.02
        } * random.normal();
        *value = (model.hands_mean[i] + spread).clamp(0.9 * low, 0.9 * high);
    }
    for b in &mut p.betas {
        *b = 0.7 * random.normal();
    }
    let tilt = Vector3::new(random.normal(), random.normal(), random.normal()) * 0.4;
    p.global_orient = tilt.into();
    p.transl = match side {
        Side::Left => [-0.02, 0.02, 0.12],
        Side::Right => [0.02, -0.01, -0.12],
    };
    p
}

impl Rig {
    /// `views` cameras of 1280×1024 about a metre away, hands posed from `seed`.
    pub(super) fn new(views: usize, seed: u64) -> Self {
        Self::posed(views, seed, 0.25)
    }

    /// The same with flexions of a standard deviation of `flexion_rad`.
    pub(super) fn posed(views: usize, seed: u64, flexion_rad: f64) -> Self {
        let mut random = Random(seed);
        let [left, mut right] = Side::BOTH.map(|side| posed_parameters(side, flexion_rad, &mut random));
        // Both hands are one person's.
        right.betas.clone_from(&left.betas);
        let hands = [left, right].map(|p| pose_hand(&open_hand(p.side).expect("sound asset"), &p));
        let count = f64::from(u32::try_from(views).expect("few"));
        let cameras = (0..u32::try_from(views).expect("few"))
            .map(|i| {
                let angle = -2.0 + 4.0 * f64::from(i) / (count - 1.0).max(1.0);
                let height = 0.35 + 0.3 * f64::from(i % 3);
                let centre = Vector3::new(angle.sin(), height, -angle.cos());
                let z = (-centre).normalize();
                let x = z.cross(&Vector3::y()).normalize();
                let rotation = Matrix3::from_rows(&[x.transpose(), z.cross(&x).transpose(), z.transpose()]);
                let roll = Rotation3::from_axis_angle(&Vector3::z_axis(), 0.1 * random.normal()).into_inner();
                let rotation = roll * rotation;
                let k = Matrix3::new(1900.0, 0.0, 640.0, 0.0, 1900.0, 512.0, 0.0, 0.0, 1.0);
                Camera { width_px: 1280, height_px: 1024, k, rotation, translation: -(rotation * centre) }
            })
            .collect();
        Self { cameras, hands }
    }

    /// The same with the shape of person number `person`.
    pub(super) fn of_person(views: usize, seed: u64, person: u64) -> Self {
        let mut rig = Self::new(views, seed);
        let mut random = Random(person);
        let betas: Vec<f64> = (0..10).map(|_| random.normal()).collect();
        for hand in &mut rig.hands {
            let mut p = hand.parameters.clone();
            p.betas.clone_from(&betas);
            *hand = pose_hand(&open_hand(p.side).expect("sound asset"), &p);
        }
        rig
    }

    /// Keypoints of both hands in all views, claimed sides correct.
    pub(super) fn detect(&self, noise: &Noise) -> Detected {
        let mut random = Random(noise.seed);
        let mut detect = |camera: &Camera, hand: &PosedHand| {
            let mut px = [[0.0; 2]; KEYPOINTS];
            for (to, x) in px.iter_mut().zip(&hand.keypoints) {
                let p = camera.project(&Vector3::from(*x)).expect("in front of the rig");
                *to = [p.x + noise.px * random.normal(), p.y + noise.px * random.normal()];
                if random.unit() < noise.outliers {
                    *to = [to[0] + 300.0 * (random.unit() - 0.5), to[1] + 300.0 * (random.unit() - 0.5)];
                }
            }
            Some(Keypoints::detected(px, [1.0; KEYPOINTS]))
        };
        self.cameras.iter().map(|camera| [0, 1].map(|hand| detect(camera, &self.hands[hand]))).collect()
    }

    /// Mean distance of a hand's vertices to the truth of its side, millimetres.
    pub(super) fn vertex_error_mm(&self, posed: &PosedHand) -> f64 {
        let truth = &self.hands[posed.parameters.side.index()].vertices;
        let distance = |(a, b): (&[f64; 3], &[f64; 3])| (Vector3::from(*a) - Vector3::from(*b)).norm();
        let sum: f64 = truth.iter().zip(&posed.vertices).map(distance).sum();
        1e3 * sum / f64::from(u32::try_from(truth.len()).expect("few"))
    }

    /// Mean distance of joints to the truth of one side, millimetres.
    pub(super) fn error_mm(&self, side: Side, joints: &[[f64; 3]; KEYPOINTS]) -> f64 {
        let truth = &self.hands[side.index()].keypoints;
        let distance = |(a, b): (&[f64; 3], &[f64; 3])| (Vector3::from(*a) - Vector3::from(*b)).norm();
        1e3 * truth.iter().zip(joints).map(distance).sum::<f64>() / 21.0
    }
}

/// Keypoints of each view by claimed side.
pub(super) type Detected = Vec<[Option<Keypoints>; 2]>;

/// The real capture, from `THENAR_SHARED` or `../shared` beside the checkout; says so when it is not there.
pub(super) fn real_capture() -> Option<(Vec<Camera>, Detected)> {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("THENAR_SHARED").map_or(beside, std::path::PathBuf::from);
    let folder = shared.join("captures/fmhr_capture_room_1");
    let Ok(bytes) = std::fs::read(folder.join("camera/param.npz")) else {
        eprintln!("skipped: the real capture is not here (set THENAR_SHARED)");
        return None;
    };
    let mut npz = npyz::npz::NpzArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
    let mut matrix = |name: String| {
        let file = npz.by_name(&name).expect("readable").expect("present");
        let values: Vec<f64> = match file.dtype() {
            npyz::DType::Plain(t) if t.size_field() == 4 => {
                file.into_vec::<f32>().expect("f32").into_iter().map(f64::from).collect()
            }
            _ => file.into_vec::<f64>().expect("f64"),
        };
        nalgebra::Matrix4::from_row_slice(&values)
    };
    let mut cameras = Vec::new();
    let mut keypoints = Vec::new();
    for view in 0..16 {
        let projection = matrix(format!("int_{view}")) * matrix(format!("ext_{view}"));
        let p = projection.fixed_view::<3, 4>(0, 0).into_owned();
        cameras.push(Camera::from_projection(&p, 1280, 1024).expect("a camera"));
        let text = std::fs::read_to_string(folder.join(format!("pose/{view:02}.json"))).expect("keypoints");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        keypoints.push(["Left", "Right"].map(|name| {
            let values: Vec<f64> = json[name].as_array()?.iter().filter_map(serde_json::Value::as_f64).collect();
            let at = |j: usize| [(values[3 * j] + 1.0) * 640.0, (values[3 * j + 1] + 1.0) * 512.0];
            (values.len() == 63).then(|| Keypoints::detected(std::array::from_fn(at), [1.0; KEYPOINTS]))
        }));
    }
    Some((cameras, keypoints))
}
